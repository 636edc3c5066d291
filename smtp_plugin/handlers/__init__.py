"""Handlers written for aiosmtpd, run on this server."""
