"""The SMTP protocol without I/O: bytes in, replies and events out."""
