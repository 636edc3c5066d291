"""The names that look secret, and the mask over their values: one rule for the configuration and the log."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

MASK: Final = "***"

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    [
        "password",
        "passwords",
        "passwd",
        "passphrase",
        "pwd",
        "pass",
        "secret",
        "secrets",
        "token",
        "tokens",
        "apikey",
        "apikeys",
        "credential",
        "credentials",
        "authorization",
        "cookie",
    ]
)
_SECRET_KEYS: Final = frozenset({"api", "private", "access", "secret", "signing", "encryption"})
_URL_PASSWORD: Final = re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]{0,31}://[^\s/?#@:]*:)[^\s/?#]*(?=@)", re.IGNORECASE)


@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Return whether a key of this name holds a secret: `password`, `DB_PASSWORD`, `apiKey`, `private-key`, ...

    Names are compared word by word, so that `author` and `tokenizer` are not secret.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    return any(second in ("key", "keys") and first in _SECRET_KEYS for first, second in pairwise(words))


def mask_text(text: str) -> str:
    """Replace the passwords in the URLs of a text: `redis://user:pw@host` becomes `redis://user:***@host`."""
    return _URL_PASSWORD.sub(rf"\g<head>{MASK}", text) if "://" in text else text


def masked(value: Any, *, secret: bool = False) -> Any:
    """Return a copy of a tree of dicts and lists with the secrets replaced by `***`.

    Below a secret name every text and number is a secret; true, false and empty values stay as they are.
    """
    if isinstance(value, dict):
        return {key: masked(item, secret=secret or is_secret_name(str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item, secret=secret) for item in value]
    if secret:
        return value if value is None or value == "" or isinstance(value, bool) else MASK
    return mask_text(value) if isinstance(value, str) else value
