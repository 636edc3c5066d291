"""Releases: a caught message goes to a real address, through the mail server of `inbox.relay`."""
