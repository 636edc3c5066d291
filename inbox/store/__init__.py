"""The stored mail: an SQLite database in memory or in a file, its index, and its searches."""
