"""Which names of keys, variables and options say that their value is secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_WORDS: Final = _words(
    "apikey apikeys auth authorization bearer cookie cookies cred credential credentials creds jwt pass passcode "
    "otp passphrase passwd password passwords pat pin pwd salt secret secrets token tokens"
)
_SECRET_ENDING: Final = re.compile(
    r".*(?:passwords?|passwd|passphrase|passcode|secrets?|tokens?|credentials?"
    r"|(?:admin|db|ftp|imap|key|ldap|mail|mongo|my|mysql|pg|proxy|redis|root|smtp|ssh|user)(?:pass|pwd)"
    r"|(?:access|account|api|app|auth|cipher|client|crypto|decryption|deploy|encryption|hmac|license|master|pass"
    r"|private|secret|service|session|shared|sign|signing|stripe|token|webhook)keys?"
    r"|sess(?:ion)?id)"
)
"""The end of words that are written together: `PGPASSWORD`, `ENCRYPTIONKEY`."""

_ABOUT_A_SECRET: Final = _words(
    "age algorithm at attempts audience audiences column count created date dir directory domain enabled endpoint "
    "error errors expires expiry failed failure failures field file filename files folder format host issuer length "
    "level lifetime limit max mechanism mechanisms method methods min mode name names param parameter path paths "
    "policy port provider rate realm reason required result retries scheme scope scopes server size state status "
    "timeout tries ttl type types updated uri url user username"
)
"""The end of a name with a secret's word and an ordinary value: `token_ttl`, `PASSWORD_FILE`."""

_SECRET_KEYS: Final = _words("access api encryption private secret signing")
"""Before `key`, wherever in a name: AWS_ACCESS_KEY_ID."""

_SECRET_PAIRS: Final = frozenset((("session", "id"),))
"""Two words at the end of a name that are secret together."""

_ORDINARY_KEYS: Final = _words(
    "alternate any arrow authorized bucket cache candidate column composite config correlation dedup deduplication "
    "dict etag event field first foreign function group hash header host hot id idempotency index json known label "
    "last lookup map max message metadata min missing modifier natural next object order param parameter partition "
    "prev previous primary property public query range record routing row search shard short shortcut sort sorting "
    "ssl storage surrogate tag tls topic translation trusted unique unknown valid"
)
"""Before `key` at the end of an ordinary name: `primary_key`. With any other word it is secret: STRIPE_KEY."""

_COUNTED: Final = _words("completion input max min num output prompt total used")
"""Before `tokens` that are counted: `max_tokens`."""

_WEBHOOK: Final = _words("webhook webhooks")
_ADDRESS: Final = _words("address endpoint uri uris url urls webhook webhooks")
"""The end of a webhook's name when the value is its address, which is all that a caller needs."""


_added: set[str] = set()


def add_secret_names(names: Iterable[str]) -> None:
    """Let `is_secret_name` also return true for these names, however their words are joined: `DB_HASH` and `dbHash`."""
    _added.update(map(_joined, names))
    is_secret_name.cache_clear()


def _joined(name: str) -> str:
    return "".join(_WORD.findall(name)).lower()


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Return whether a key of this name holds a secret: `password`, `PGPASSWORD`, `apiKey`, `STRIPE_KEY`, `AUTH`.

    Names are compared word by word, so that `author`, `tokenizer` and `path` are not secret, nor is `primary_key`.
    """
    if _added and _joined(name) in _added:
        return True
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return False
    last = words[-1]
    if not _WEBHOOK.isdisjoint(words):
        return last in _ADDRESS
    if last in _ABOUT_A_SECRET or (last == "tokens" and not _COUNTED.isdisjoint(words)):
        return False
    if not _SECRET_WORDS.isdisjoint(words) or any(map(_SECRET_ENDING.fullmatch, words)):
        return True
    pairs = [*pairwise(words)]
    if pairs and (pairs[-1] in _SECRET_PAIRS or last == "sk"):  # STRIPE_SK
        return True
    if any(second in ("key", "keys") and first in _SECRET_KEYS for first, second in pairs):
        return True
    return last in ("key", "keys") and bool(pairs) and pairs[-1][0] not in _ORDINARY_KEYS
