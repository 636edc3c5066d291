"""The login: requests of users and of tokens pass, and all others get 401.

What we want: only a user, or a program with a token, reads or changes the mail. What does not work: a form and a
cookie, which need a page of their own, and which curl and EventSource of Node cannot use.
What we do: a browser asks for name and password, and sends them with each request (Basic, RFC 7617). A program sends a
token (Bearer, RFC 6750), or the token's name and the token as Basic. The guard comes first: a browser sends the
credentials with the requests of other pages too, and only the guard tells these apart.
`container/passwords.py` says what a login costs, and how often a client may try. A token has 256 random bits, so its
check is a fast hash, and wrong tokens are not counted. A header without credentials does not count as a try.
What can still fail: over plain HTTP a listener on the network reads the credentials.
"""

from __future__ import annotations

import hmac
import math
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple

from ...container.net.address import peer_host
from ...container.net.http import Application, Receive, Scope, Send
from ...container.passwords import Logins, TryLater, token_hash
from ...container.protocols import Logger
from ...mime.mailboxes import mailbox_name
from ..config import InboxConfig
from .guard import LIVEZ
from .problems import Problem

TOKEN: Final = "rrpy.token"  # noqa: S105 - a key, and no secret
"""The key of the scope with the name of the token that a request has."""
MAILBOX: Final = "rrpy.mailbox"
"""The key of the scope with the only mailbox that a request may read and change."""

_BASIC: Final = 'Basic realm="rrpy inbox", charset="UTF-8"'
_BEARER: Final = 'Bearer realm="rrpy inbox", error="invalid_token"'


class Credentials(NamedTuple):
    """What a client sends. `name`: of the user or the token, None for Bearer; `secret`: the password or the token."""

    name: str | None
    secret: str


class Login:
    """Passes the requests of users and tokens on to an application, and those for LIVEZ. Others raise Problem."""

    def __init__(self, app: Application, config: InboxConfig, log: Logger) -> None:
        self._app = app
        self._log = log
        self._logins = Logins({name: value.reveal() for name, value in config.users.items()}, failed=self._log_failed)
        self._tokens = {name: each.token.reveal() for name, each in config.tokens.items()}
        self._mailboxes = {name: mailbox_name(each.mailbox) for name, each in config.tokens.items() if each.mailbox}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Raises Problem: 401 without a login, 429 after too many wrong ones."""
        if scope["path"] != LIVEZ:
            await self._check(scope)
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        headers = [value for name, value in scope["headers"] if name == b"authorization"]
        if not headers:
            raise _unauthorized("log in with the name and the password of a user, or with a token")
        if len(headers) > 1:
            raise _unauthorized("the request has several Authorization headers")
        credentials = credentials_of(headers[0])
        if credentials is None:
            raise _unauthorized("the Authorization header has no credentials of the kind Basic or Bearer, in UTF-8")
        token = _matching(self._tokens, credentials)
        if token is not None:
            scope[TOKEN] = token
            if token in self._mailboxes:
                scope[MAILBOX] = self._mailboxes[token]
        elif credentials.name is None:
            raise _unauthorized("the token is wrong", _BEARER)
        else:
            await self._check_user(credentials.name, credentials.secret, scope.get("client"))

    async def _check_user(self, name: str, password: str, peer: object) -> None:
        try:
            known = await self._logins.check(name, password, peer_host(peer))
        except TryLater as error:
            seconds = str(math.ceil(error.seconds))
            raise Problem(
                429, f"there were too many logins; try again in {seconds} s", {"Retry-After": seconds}
            ) from None
        if not known:
            raise _unauthorized("the name or the password is wrong")

    def _log_failed(self, user: str, address: str) -> None:
        self._log.warning("login failed", user=user, remote_addr=address or "unix")


def credentials_of(header: bytes) -> Credentials | None:
    """Return the credentials of an Authorization header (RFC 7617, RFC 6750); None for another scheme or form."""
    scheme, _, rest = header.strip(b" \t").partition(b" ")
    value = rest.strip(b" ")
    try:
        if scheme.lower() == b"bearer":
            return Credentials(None, value.decode("ascii")) if value else None
        if scheme.lower() != b"basic":
            return None
        name, colon, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return Credentials(name, password) if colon else None


def _matching(tokens: Mapping[str, str], given: Credentials) -> str | None:
    """Return the name of the token that a request has."""
    digest = token_hash(given.secret)
    for name, wanted in tokens.items():
        if hmac.compare_digest(wanted, digest) and given.name in (None, name):
            return name
    return None


def _unauthorized(detail: str, challenge: str = _BASIC) -> Problem:
    return Problem(401, detail, {"WWW-Authenticate": challenge})
