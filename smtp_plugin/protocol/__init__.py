"""The SMTP dialog, without I/O: its state, its verbs, its replies and its rules."""
