"""PostgreSQL: where it is and how it is spoken to, the migrations, and the ledger."""
