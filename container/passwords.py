"""Passwords and tokens: their hashes for a configuration, and the check of a login.

What we want: a stolen configuration does not reveal a password, a guess costs its sender time, and neither delays the
host. What does not work: a fast hash, because an attacker tries billions of passwords; a slow hash in the event loop,
which blocks it for each login; a slow hash for each request, because a page makes twenty of them.
What we do: passwords are hashed by scrypt (RFC 7914), in THREADS threads, and a login that has succeeded is known for
REMEMBERED seconds. Equal logins at the same time are one check. An unknown name takes as long as a known
one. An address has TRIES wrong logins at once, then one each PAUSE seconds. The tries are counted by address, not
by user: so no client can lock out a user at another address. A login that is known needs no try.
What can still fail: clients of one address, such as those of a proxy, share its tries. Wrong logins from hundreds of
addresses let new logins wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
import unicodedata
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import anyio
import anyio.to_thread

MAX_BYTES: Final = 1024
"""Bytes of a password, and of a user's name."""
THREADS: Final = 2
"""Passwords that are hashed at the same time. Each takes 16 MiB of memory and about 0.2 s."""
MAX_WAITING: Final = 16
"""Logins that are checked or wait for it. So a login waits for at most some seconds; more get TryLater."""
REMEMBERED: Final = 600.0
"""Seconds for which a login that has succeeded is known."""
MAX_REMEMBERED: Final = 256
TRIES: Final = 10
"""Wrong logins of one address at once."""
PAUSE: Final = 5.0
"""Seconds after which an address may try again, for each wrong login."""
MAX_ADDRESSES: Final = 4096
"""Addresses whose tries are counted."""

_N, _R, _P = 2**14, 8, 5
_SALT_BYTES: Final = 16
_MAX_MEMORY: Final = 64 * 1024 * 1024
_MAX_WORK: Final = 2**22
"""The largest `n * r * p` of a hash: six times that of ours."""
_TOKEN_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TOKEN_PREFIX: Final = "rrpy_"  # noqa: S105 - what scanners for secrets look for, and no secret


class TryLater(Exception):
    """A login is not checked now. `seconds`: until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many logins; try again in {seconds:.0f} s")
        self.seconds = seconds


class PasswordHash(NamedTuple):
    """The hash of a password, as `scrypt:N:R:P:SALT:DIGEST`. `n`, `r`, `p`: the costs (RFC 7914 section 2)."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Return the hash that a text has. Raises ValueError, without the text, which may be a password."""
        scheme, *fields = text.split(":")
        try:
            n, r, p = (_cost(field) for field in fields[:3])
            salt, digest = (_from_base64(field) for field in fields[3:])
        except ValueError:
            n = r = p = 0
            salt = digest = b""
        if scheme != "scrypt" or len(salt) < 8 or len(digest) != 32:
            raise ValueError("it is not a hash; make one with `rrpy hash`")
        if n < 2 or n & (n - 1) or not r or not p or 128 * n * r > _MAX_MEMORY or n * r * p > _MAX_WORK:
            raise ValueError("its costs are not possible or too high; make one with `rrpy hash`")
        return cls(n, r, p, salt, digest)

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Return a new hash, with a salt of its own. It takes about 0.2 s."""
        made = cls(_N, _R, _P, secrets.token_bytes(_SALT_BYTES), b"")
        return made._replace(digest=made._digest_of(password))

    def matches(self, password: str) -> bool:
        """Return whether the hash is of this password. It takes about 0.2 s, whatever the password."""
        return hmac.compare_digest(self._digest_of(password), self.digest)

    def __str__(self) -> str:
        return f"scrypt:{self.n}:{self.r}:{self.p}:{_to_base64(self.salt)}:{_to_base64(self.digest)}"

    def _digest_of(self, password: str) -> bytes:
        limit = 128 * self.r * (self.n + self.p + 2) + 1024
        return hashlib.scrypt(_encoded(password), salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=limit, dklen=32)


def new_token() -> str:
    """Return a random token. It has 256 bits, so a fast hash keeps it safe."""
    return _TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return the hash of a token, as `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(_encoded(token)).hexdigest()}"


def is_token_hash(text: str) -> bool:
    """Return whether a text has the form of a token's hash."""
    return bool(_TOKEN_HASH.fullmatch(text))


class Logins:
    """The check of logins. `users`: the hash of each name, as PasswordHash writes it; `clock`: returns seconds.

    `failed`: called for each wrong try with the user, or `unknown`, and the address. Another name may be a password
    that was typed into the wrong field. A login that takes no try makes no call, so the tries bound the calls.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
        failed: Callable[[str, str], object] = lambda user, address: None,
    ) -> None:
        self._failed = failed
        self._users = {normalized(name): PasswordHash.parse(text) for name, text in users.items()}
        self._costs = list(self._users.values())
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, float] = {}
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._tries = Tries(clock)
        self._threads = anyio.CapacityLimiter(THREADS)

    async def check(self, name: str, password: str, address: str) -> bool:
        """Return whether this is the password of a user. `address`: the client's number, whose tries count.

        Raises TryLater.
        """
        name, password = normalized(name), normalized(password)
        if not self._users or max(len(_encoded(name)), len(_encoded(password))) > MAX_BYTES:
            return False
        key = self._digest(f"{name}\0{password}")
        if self._known.get(key, 0.0) > self._clock():
            return True
        check = self._checks.get(key)
        if check is None:
            if len(self._checks) >= MAX_WAITING:
                raise TryLater(PAUSE)
            self._tries.take(address)
            check = asyncio.get_running_loop().create_task(self._check(key, name, password, address))
            self._checks[key] = check
            check.add_done_callback(lambda _: self._checks.pop(key))
        return await asyncio.shield(check)  # other requests may wait for it

    async def _check(self, key: bytes, name: str, password: str, address: str) -> bool:
        found = self._users.get(name)
        # The costs for an unknown name are those of some user, always of the same one.
        wanted = found or self._costs[int.from_bytes(self._digest(name)[:8]) % len(self._costs)]
        matches = await anyio.to_thread.run_sync(wanted.matches, password, limiter=self._threads)
        if not matches or found is None:
            self._failed("unknown" if found is None else name, address)
            return False
        self._tries.give_back(address)
        self._known.pop(key, None)
        while len(self._known) >= MAX_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[key] = self._clock() + REMEMBERED
        return True

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(_encoded(text), key=self._key, digest_size=32).digest()


class Tries:
    """The tries of each address. Pure; `clock` returns seconds.

    The kept time is that at which an address has all its tries again (GCRA). Without a time it has all.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, address: str) -> None:
        """Take a try of an address. Raises TryLater where it has none."""
        key, now = _network(address), self._clock()
        full_at = max(self._full_at.pop(key, 0.0), now) + PAUSE
        if (over := full_at - now - TRIES * PAUSE) > 0:
            self._full_at[key] = full_at - PAUSE
            raise TryLater(over)
        while len(self._full_at) >= MAX_ADDRESSES:  # the one that has waited longest
            self._full_at.pop(next(iter(self._full_at)))
        self._full_at[key] = full_at

    def give_back(self, address: str) -> None:
        """Give a try back, after a login that was right."""
        key = _network(address)
        if key in self._full_at:
            self._full_at[key] -= PAUSE


def normalized(text: str) -> str:
    """Return a name or a password as it is compared: in Unicode's form NFC, as RFC 7617 section 2.1 asks for.

    A text above MAX_BYTES stays as it is: no login has one, and a run of accents takes quadratic time.
    """
    return unicodedata.normalize("NFC", text) if len(_encoded(text)) <= MAX_BYTES else text


def _network(address: str) -> str:
    """Return what tries are counted by: an address of IPv4, and the 64 bits of IPv6 that one customer has."""
    if ":" not in address:
        return address
    from ipaddress import IPv6Address  # here, because few clients need it

    return str(IPv6Address(int(IPv6Address(address.partition("%")[0])) >> 64 << 64))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _cost(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError("it is not a whole number")
    return int(text)


def _to_base64(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _from_base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True) if len(text) <= 256 else b""
