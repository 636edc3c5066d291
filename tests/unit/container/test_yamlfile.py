from __future__ import annotations

import pytest

from rrpy.container.config import yamlfile
from rrpy.container.errors import ConfigError


def parsed(text: str) -> object:
    return yamlfile.parse(text, "rr.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("1_000", 1000),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("1.10", "1.10"),
        ("1.0", 1.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("text", "text"),
        ("{a: 1}", {"a": 1}),
        ("[a, 1]", ["a", 1]),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
    ],
)
def test_a_value_is_what_it_looks_like(written, value):
    found = parsed(written)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        "no",
        "NO",
        "yes",
        "on",
        "off",
        "y",
        "012",
        "0o17",
        "1:30",
        "10:30:00",
        "2024-01-01",
        "1.2.3",
        "1e3",
        "10s",
        ".inf",
        ".nan",
        "0b1",
        "=",
    ],
)
def test_what_yaml_1_1_would_surprise_with_is_a_text(written):
    assert parsed(written) == written


@pytest.mark.parametrize("key", ["5", "012", "true", "null", "~", "1.5", "no", "2024-01-01", "=", ""])
def test_a_key_is_the_text_that_is_written(key):
    assert parsed(f"? {key}\n: 1\n") == {key: 1}


def test_a_key_that_is_written_twice_is_an_error_with_its_place():
    assert refusal("smtp:\n  addr: a\n  timeout: 1s\n  addr: b\n") == "rr.yaml:4:3: the key addr is there twice"
    assert refusal("5: a\n'5': b") == "rr.yaml:2:1: the key 5 is there twice"
    assert refusal("[{a: 1, a: 2}]") == "rr.yaml:1:9: the key a is there twice"


@pytest.mark.parametrize("text", ["[a, b]: 1", "{a: 1}: 1", "? [x]\n: 1"])
def test_a_key_that_is_no_text_is_an_error(text):
    assert refusal(text).startswith("rr.yaml:1:")
    assert refusal(text).endswith(": a key must be a text")


@pytest.mark.parametrize("tag", ["!!binary", "!!timestamp", "!!python/object/apply:os.system", "!!set", "!own"])
def test_a_tag_is_an_error_that_names_it(tag):
    assert refusal(f"a: {tag} x") == f"rr.yaml:1:4: the tag {tag} is not known here"


def test_anchors_aliases_and_merges_work():
    text = "base: &base {a: 1, b: 2}\nsame: *base\nmore:\n  <<: *base\n  b: 3\n"
    assert parsed(text) == {"base": {"a": 1, "b": 2}, "same": {"a": 1, "b": 2}, "more": {"a": 1, "b": 3}}
    assert parsed("a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: [*a, *b]}")["c"] == {"x": 1, "y": 2}


def test_two_places_of_one_alias_are_two_values():
    tree = parsed("a: &x {k: 1}\nb: *x\n")
    tree["b"]["k"] = 2
    assert tree["a"] == {"k": 1}


def test_an_alias_inside_its_own_anchor_is_an_error():
    assert refusal("a: &x [1, *x]") == "rr.yaml:1:4: a value contains itself by an alias"
    assert refusal("&x {k: *x}") == "rr.yaml:1:1: a value contains itself by an alias"


def test_aliases_that_multiply_to_a_billion_are_refused_and_not_walked():
    levels = ["l0: &l0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    said = refusal("\n".join(levels))
    assert said.startswith("rr.yaml:")
    assert said.endswith("there are more than 100000 values, with the aliases")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2", "rr.yaml:2:1: "),
        ("a: 'x", "rr.yaml:1:"),
        ("a:\n\tb: 1", "rr.yaml:2:1: "),
        ("a: b: c", "rr.yaml:1:5: "),
        ("a: *none", "rr.yaml:1:4: "),
        ("a: 1\n b: 2", "rr.yaml:2:3: "),
        ("a: @x", "rr.yaml:1:4: "),
        ("a: 1\n---\nb: 2", "rr.yaml:2:1: "),
        ("a: \x07", "rr.yaml"),
        ("a: !!int x", "rr.yaml:1:4: "),
        ("a: !!float x", "rr.yaml:1:4: "),
        ("a: !!bool x", "rr.yaml:1:4: "),
        ("a: 0x_", "rr.yaml"),
        ("<<: 5", "rr.yaml:1:"),
        ("a: !!map x", "rr.yaml:1:4: "),
        ("a: !!str [x]", "rr.yaml:1:4: "),
        ("a: \ud800", "rr.yaml"),
    ],
)
def test_what_is_no_yaml_is_one_sentence_that_begins_with_its_place(text, place):
    said = refusal(text)
    assert said.startswith(place)
    assert "\n" not in said


@pytest.mark.parametrize("text", ["[" * 20_000, "a: " + "[" * 5_000 + "]" * 5_000])
def test_a_file_that_is_nested_without_end_is_refused(text):
    assert refusal(text).startswith("rr.yaml")


def test_an_empty_file_and_one_of_comments_hold_nothing():
    assert parsed("") is None
    assert parsed("# only a comment\n") is None
    assert parsed("---\n") is None


def test_a_number_of_any_length_does_not_crash():
    said = parsed("a: " + "9" * 300)
    assert said == {"a": int("9" * 300)}
    assert refusal("a: " + "9" * 5000).startswith("rr.yaml:1:4: ")


def test_a_text_that_is_not_utf8_is_an_error():
    assert refusal("a: \udcff") == "rr.yaml: it is not UTF-8 text"


def test_a_value_that_its_tag_does_not_fit_is_an_error_that_does_not_show_it():
    assert refusal("password: !!int hunter2") == "rr.yaml:1:11: this cannot be read as !!int"


def test_the_line_of_every_key_is_known():
    text = "a: 1\nb:\n  c: [x, y]\n  d:\n  - e: 1\n  -\n    f: 2\n"
    assert yamlfile.key_lines(text) == {
        "a": 1,
        "b": 2,
        "b.c": 3,
        "b.c.0": 3,
        "b.c.1": 3,
        "b.d": 4,
        "b.d.0": 5,
        "b.d.0.e": 5,
        "b.d.1": 7,
        "b.d.1.f": 7,
    }


def test_what_an_alias_or_a_merge_key_brings_has_the_line_where_it_was_written():
    text = "base: &base\n  x: 1\n  y: 2\nmine:\n  <<: *base\n  y: 3\nother: *base\n"
    lines = yamlfile.key_lines(text)
    assert (lines["mine.x"], lines["mine.y"], lines["other.x"], lines["other"]) == (2, 6, 2, 7)
    assert not any("<<" in key for key in lines)


@pytest.mark.parametrize("text", ["", "text", "# nothing\n"])
def test_a_text_without_keys_has_no_lines(text):
    assert yamlfile.key_lines(text) == {}
