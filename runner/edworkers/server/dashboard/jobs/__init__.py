"""Pages about jobs: one of them, failures by cause, searches, what is done to many, schedules, and who did what."""
