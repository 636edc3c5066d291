"""SQLite databases that belong to one host: their files, and their opening."""
