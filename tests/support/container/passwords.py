"""Hashes of passwords that cost nothing."""

from __future__ import annotations

from rrpy.container.passwords import PasswordHash


def cheap(password: str, salt: bytes = b"saltsalt") -> str:
    """A hash that costs nothing."""
    made = PasswordHash(2, 1, 1, salt, b"")
    return str(made._replace(digest=made._digest_of(password)))
