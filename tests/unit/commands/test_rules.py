"""The rule of the words of `rrpy rules add`."""

from __future__ import annotations

import pytest

from rrpy.commands.rules import rule_of
from rrpy.smtp_plugin.failures.config import read_rule


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["full"], {"preset": "full"}),
        (["full", "times=2", "to=*@x.y"], {"preset": "full", "times": 2, "to": "*@x.y"}),
        (["at=rcpt,mail", "drop=true"], {"at": ["rcpt", "mail"], "drop": True}),
        (["at=rcpt", "drop=after", "chance=0.5", "seed=7"], {"at": "rcpt", "drop": "after", "chance": 0.5, "seed": 7}),
        (["at=data", "delay=1m30s", "header=X-A: b=c"], None),
        (["at=message", "partial=true", "size=>100", "header=X-A: b=c"], None),
        (['{"at": "rcpt", "drop": true}'], {"at": "rcpt", "drop": True}),
    ],
)
def test_words_become_a_rule(words: list[str], rule: dict[str, object] | None) -> None:
    read = rule_of(words)
    if rule is not None:
        assert read_rule(read) == read_rule(rule)
    else:
        assert read["header"] == "X-A: b=c"  # type: ignore[index]


@pytest.mark.parametrize("words", [[], ["{"], ["at=rcpt", "full"], ["full", "slow"]])
def test_wrong_words_end_with_a_sentence(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        rule_of(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
