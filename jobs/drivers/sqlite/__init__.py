"""The driver `sqlite`: jobs in a file, on the disk before a push succeeds."""
