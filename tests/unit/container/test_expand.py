from __future__ import annotations

import pytest

from rrpy.container.config.expand import expand
from rrpy.container.errors import ConfigError

ENV = {
    "HOST": "mail.example",
    "PORT": "2525",
    "EMPTY": "",
    "_": "u",
    "A1_b": "x",
    "NESTED": "${HOST}",
    "DOLLAR": "$HOST $$",
}


def expanded(value: object, environ: dict[str, str] = ENV) -> object:
    return expand(value, environ, path="smtp.addr")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${HOST}", "mail.example"),
        ("$HOST", "mail.example"),
        ("$HOST:$PORT", "mail.example:2525"),
        ("${HOST}${PORT}", "mail.example2525"),
        ("a${PORT}b", "a2525b"),
        ("$_", "u"),
        ("$A1_b-", "x-"),
        ("${NONE:-}", ""),
        ("${NONE:-fall back}", "fall back"),
        ("${NONE:-:-}", ":-"),
        ("${EMPTY:-other}", "other"),
        ("${HOST:-other}", "mail.example"),
        ("${NONE:-$HOST}", "$HOST"),
        ("$$HOST", "$HOST"),
        ("$${HOST}", "${HOST}"),
        ("$$$HOST", "$mail.example"),
        ("$5", "$5"),
        ("cost: 5$", "cost: 5$"),
        ("$", "$"),
        ("a $ b", "a $ b"),
        ("$-x", "$-x"),
        ("", ""),
        ("no variable", "no variable"),
    ],
)
def test_a_variable_is_replaced_as_a_shell_user_expects(written, read):
    assert expanded(written) == read


def test_what_a_variable_holds_is_text_and_is_not_expanded_again():
    assert expanded("$NESTED") == "${HOST}"
    assert expanded("$DOLLAR") == "$HOST $$"


@pytest.mark.parametrize("written", ["$NONE", "${NONE}", "a ${HOST} ${NONE}", "$EMPTY", "${EMPTY}"])
def test_a_variable_that_is_unset_or_empty_is_an_error_that_names_the_key_and_the_way_out(written):
    name = "EMPTY" if "EMPTY" in written else "NONE"
    with pytest.raises(ConfigError) as caught:
        expanded(written)
    assert str(caught.value) == (
        f"smtp.addr: the environment variable {name} is not set; "
        f"set it, or write ${{{name}:-default}}, or $$ for a literal $"
    )


@pytest.mark.parametrize(
    "written", ["${", "${}", "${HOST", "${HOST-x}", "${1}", "${HO ST}", "${HOST:default}", "${ß}", "${NONE:-x"]
)
def test_an_ill_formed_reference_is_an_error_that_shows_the_two_forms(written):
    with pytest.raises(ConfigError) as caught:
        expanded(written)
    assert str(caught.value) == ("smtp.addr: a ${ is neither ${NAME} nor ${NAME:-default}; write $$ for a literal $")


def test_every_text_of_a_tree_is_expanded_and_nothing_else():
    tree = {"a": ["$HOST", 5, {"$HOST": "$PORT"}], "b": None, "c": True, "d": 1.5}
    assert expanded(tree) == {"a": ["mail.example", 5, {"$HOST": "2525"}], "b": None, "c": True, "d": 1.5}
    assert tree["a"][0] == "$HOST", "the tree itself is left as it was"


def test_the_error_names_the_key_by_its_full_path_through_mappings_and_lists():
    with pytest.raises(ConfigError, match=r"^server\.env\.2\.KEY: the environment variable NONE"):
        expand({"env": [1, 2, {"KEY": "$NONE"}]}, {}, path="server")


def test_at_the_top_the_path_has_no_leading_dot():
    with pytest.raises(ConfigError, match=r"^smtp\.addr: "):
        expand({"smtp": {"addr": "$NONE"}}, {}, path="")
    with pytest.raises(ConfigError, match=r"^1: "):
        expand({1: "$NONE"}, {}, path="")


def test_a_variable_that_is_not_utf8_is_an_error_here_and_not_a_crash_where_it_is_written():
    with pytest.raises(ConfigError, match=r"^smtp\.addr: the environment variable RAW is not valid UTF-8$"):
        expanded("$RAW", {"RAW": b"\xff\xfe".decode("utf-8", "surrogateescape")})
    assert expanded("$OK", {"OK": "grüße"}) == "grüße"


def test_a_variable_that_holds_regex_replacement_syntax_comes_in_as_it_is():
    assert expanded("$X", {"X": r"\1 \g<0> \n"}) == r"\1 \g<0> \n"


def test_a_long_text_of_dollars_is_done_in_one_pass():
    assert expanded("$$" * 200_000) == "$" * 200_000
