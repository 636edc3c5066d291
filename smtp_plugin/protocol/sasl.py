"""The SASL mechanisms of AUTH, each a generator. They capture credentials and verify none; they refuse bad syntax.

A mechanism is called with the decoded initial response, None without one. It yields challenges (bytes, before base64)
and receives the decoded responses. It returns (mechanism, user name, secret), byte for byte as the client sent them:
the secret is a password, a digest or a token. It raises Refused for a response that lacks the mechanism's form.
`auth` handles base64, lines and '*'.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from typing import Final

from . import replies
from .address import Refused

Exchange = Generator[bytes, bytes, tuple[str, bytes, bytes]]


def plain(initial: bytes | None) -> Exchange:
    """PLAIN (RFC 4616): authorization identity, NUL, user name, NUL, password."""
    response = initial if initial is not None else (yield b"")
    parts = response.split(b"\0") if response else [b"", b"", b""]  # `AUTH PLAIN =` is empty, and in the right form
    if len(parts) != 3:
        raise Refused(replies.BAD_CREDENTIALS)
    return "PLAIN", parts[1] or parts[0], parts[2]


def login(initial: bytes | None) -> Exchange:
    """LOGIN (draft-murchison-sasl-login): two prompts; an initial response is the user name."""
    username = initial if initial is not None else (yield b"Username:")
    password = yield b"Password:"
    return "LOGIN", username, password


def cram_md5(initial: bytes | None) -> Exchange:
    """CRAM-MD5 (RFC 2195): the password cannot be computed from the digest, so the secret is the digest."""
    if initial is not None:
        raise Refused(replies.BAD_CREDENTIALS)
    response = yield f"<{secrets.token_hex(16)}@rrpy>".encode()
    username, _, digest = response.rpartition(b" ")
    if not username or len(digest) != 32:
        raise Refused(replies.BAD_CREDENTIALS)
    return "CRAM-MD5", username, digest


def xoauth2(initial: bytes | None) -> Exchange:
    r"""XOAUTH2: `user=NAME\1auth=Bearer TOKEN\1\1`."""
    response = initial if initial is not None else (yield b"")
    fields = dict(part.partition(b"=")[::2] for part in response.split(b"\1") if part)
    scheme, _, token = fields.get(b"auth", b"").partition(b" ")
    if b"user" not in fields or scheme.lower() != b"bearer" or not token:
        raise Refused(replies.BAD_CREDENTIALS)
    return "XOAUTH2", fields[b"user"], token


MECHANISMS: Final[dict[str, Callable[[bytes | None], Exchange]]] = {
    "PLAIN": plain,
    "LOGIN": login,
    "CRAM-MD5": cram_md5,
    "XOAUTH2": xoauth2,
}
"""Every mechanism by its name. The server always offers PLAIN and LOGIN, the others by `auth_mechanisms`."""
