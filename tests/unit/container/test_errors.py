from __future__ import annotations

import errno

import pytest

from rrpy.container.errors import reason_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/etc/shadow"), "permission denied"),
        (OSError("AF_UNIX path too long"), "AF_UNIX path too long"),
        (OSError(), "OSError"),
        (ValueError("Embedded null byte"), "embedded null byte"),
        (TimeoutError(), "TimeoutError"),
        ("A clause of ours", "a clause of ours"),
    ],
)
def test_the_end_of_a_sentence_is_the_systems_words_or_the_text_and_is_never_empty(error, said):
    assert reason_of(error) == said
