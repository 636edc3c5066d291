"""The rules that have a name, each with the keys that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "flaky": {"at": ["connect", "mail", "rcpt", "data", "message"], "drop": True, "chance": 0.1},
    "full": {"at": "rcpt", "reply": "452 4.2.2 Mailbox full"},
    "greylist": {"at": "rcpt", "reply": "450 4.7.1 Greylisted, try again later", "times": 1, "count": "triplet"},
    "slow": {"at": ["hello", "starttls", "auth", "mail", "rcpt", "data", "message"], "delay": "2s"},
    "spamtrap": {"at": "message", "reply": "554 5.7.1 Message refused as spam"},
}
"""For each preset the keys of its rule."""
