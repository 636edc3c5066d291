"""The sockets of the SMTP server: connections, listeners, TLS."""
