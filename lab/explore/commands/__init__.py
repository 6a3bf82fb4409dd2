"""The commands of a session: the table of all of them, and what each does."""
