"""The example configuration, with all that it has in comments."""

from __future__ import annotations

import re


def uncommented(text: str) -> str:
    """Return rr.yaml with every key that is a comment made a key."""
    return re.sub(r"^( *)# ( *[a-z_]+:(?: |$))", r"\1\2", text, flags=re.MULTILINE)
