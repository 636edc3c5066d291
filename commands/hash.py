"""`rrpy hash`: the hash of a password, or a new token with its hash, for a configuration."""

from __future__ import annotations

import getpass
import sys

from ..container.errors import HostError
from ..container.passwords import MAX_BYTES, PasswordHash, new_token, normalized, token_hash
from .console import say


def print_hash() -> None:
    """Read a password, and print its hash. Raises HostError."""
    password = normalized(_typed() if sys.stdin.isatty() else _piped())
    if not password:
        raise HostError("the password is empty")
    if len(password.encode()) > MAX_BYTES:
        raise HostError(f"the password is too long; it has at most {MAX_BYTES} bytes")
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        raise HostError("the password has a control character, or more than one line; no browser can send it")
    say(str(PasswordHash.of(password)))


def print_token() -> None:
    """Print a new token and its hash."""
    token = new_token()
    say(f"token  {token}\nhash   {token_hash(token)}")


def _typed() -> str:
    try:
        password = getpass.getpass("Password: ")
        again = getpass.getpass("Again: ")
    except EOFError:
        raise HostError("no password was typed") from None
    if password != again:
        raise HostError("the two passwords differ")
    return password


def _piped() -> str:
    content = sys.stdin.buffer.read(MAX_BYTES + 3)  # a pipe may have no end
    try:
        return content.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        raise HostError("the password on stdin is not UTF-8") from None
