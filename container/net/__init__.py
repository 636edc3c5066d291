"""Addresses, sockets, socket activation, and the HTTP server on them."""
