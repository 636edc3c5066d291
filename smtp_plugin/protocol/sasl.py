"""AUTH as a capture: each mechanism's exchange as a generator. Nothing is verified, nothing but nonsense refused.

A mechanism is a generator function: called with the decoded initial response (None when there was none), it yields
challenges (bytes, not yet base64), is sent the decoded responses, and returns `Credentials`. It raises Refused for a
response that has not the mechanism's form. It never sees base64, lines, or '*': those are the dialog's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from typing import Final

from ..protocol import replies
from ..session import Credentials
from .address import Refused

Exchange = Generator[bytes, bytes, Credentials]


def plain(initial: bytes | None) -> Exchange:
    """PLAIN (RFC 4616): authorization identity, NUL, user name, NUL, password."""
    response = initial if initial is not None else (yield b"")
    parts = response.split(b"\0") if response else [b"", b"", b""]  # `AUTH PLAIN =` says nothing, in the right form
    if len(parts) != 3:
        raise Refused(replies.BAD_CREDENTIALS)
    return Credentials("PLAIN", parts[1] or parts[0], parts[2])


def login(initial: bytes | None) -> Exchange:
    """LOGIN (draft-murchison-sasl-login): two prompts; an initial response is the user name."""
    username = initial if initial is not None else (yield b"Username:")
    password = yield b"Password:"
    return Credentials("LOGIN", username, password)


def cram_md5(initial: bytes | None) -> Exchange:
    """CRAM-MD5 (RFC 2195): the digest cannot be turned back into the password, so the digest is what is captured."""
    if initial is not None:
        raise Refused(replies.BAD_CREDENTIALS)
    response = yield f"<{secrets.token_hex(16)}@rrpy>".encode()
    username, _, digest = response.rpartition(b" ")
    if not username or len(digest) != 32:
        raise Refused(replies.BAD_CREDENTIALS)
    return Credentials("CRAM-MD5", username, digest)


def xoauth2(initial: bytes | None) -> Exchange:
    r"""XOAUTH2: `user=NAME\1auth=Bearer TOKEN\1\1`."""
    response = initial if initial is not None else (yield b"")
    fields = dict(part.partition(b"=")[::2] for part in response.split(b"\1") if part)
    scheme, _, token = fields.get(b"auth", b"").partition(b" ")
    if b"user" not in fields or scheme.lower() != b"bearer" or not token:
        raise Refused(replies.BAD_CREDENTIALS)
    return Credentials("XOAUTH2", fields[b"user"], token)


MECHANISMS: Final[dict[str, Callable[[bytes | None], Exchange]]] = {
    "PLAIN": plain,
    "LOGIN": login,
    "CRAM-MD5": cram_md5,
    "XOAUTH2": xoauth2,
}
"""Every mechanism by its name. PLAIN and LOGIN are always offered, the others by `auth_mechanisms`."""
