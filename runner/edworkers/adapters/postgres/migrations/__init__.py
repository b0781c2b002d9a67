"""The migrations, one file of SQL each, named `NNNN_what_it_makes.sql`; a file that was released never changes."""
