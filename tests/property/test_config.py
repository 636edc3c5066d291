from __future__ import annotations

import contextlib
import math
from typing import Literal

import msgspec
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from rrpy.container.config import Config, yamlfile
from rrpy.container.config.expand import expand
from rrpy.container.config.fields import Duration, Secret
from rrpy.container.config.override import apply_override
from rrpy.container.errors import ConfigError
from rrpy.container.masking import masked

keys = st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**18), 10**18),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    word: Literal["a", "b"] = "a"
    number: int = 0
    wait: Duration = Duration(1)


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str = ""
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    wait: Duration = Duration(1)
    password: Secret = Secret("")
    inner: Inner = Inner()
    inners: list[Inner] = []
    named: dict[str, Inner] = {}
    either: str | list[str] = ""
    maybe: Inner | None = None


names = st.sampled_from([*Model.__struct_fields__, "word", "unknown"])
guesses = st.recursive(
    scalars | st.sampled_from(["a", "10s", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=15,
)


@given(trees)
def test_what_yaml_writes_is_read_back(tree):
    text = yaml.safe_dump({"tree": tree}, allow_unicode=True)
    found = yamlfile.parse(text, "rr.yaml")["tree"]
    assert _same(found, tree), text


def _same(found: object, wrote: object) -> bool:
    """Say whether a tree is what was written; a date-like text and an exponent without a dot may be texts."""
    if isinstance(wrote, dict):
        return isinstance(found, dict) and all(_same(found[str(key)], item) for key, item in wrote.items())
    if isinstance(wrote, list):
        return isinstance(found, list) and all(_same(*pair) for pair in zip(found, wrote, strict=True))
    return found == wrote or (isinstance(wrote, float) and float(found) == wrote)


@given(st.text(max_size=60))
def test_any_text_is_data_or_one_sentence(text):
    try:
        yamlfile.parse(text, "rr.yaml")
    except ConfigError as error:
        assert str(error).startswith("rr.yaml")
        assert "\n" not in str(error)


@given(st.text("{}[]:,-&*!<>|?'\"#@%~ \n\t0.1xab$", max_size=40))
def test_any_heap_of_yamls_own_signs_is_data_or_one_sentence(text):
    with contextlib.suppress(ConfigError):
        yamlfile.parse(text, "rr.yaml")


@given(guesses)
def test_any_section_is_the_model_or_one_sentence_with_a_path_and_the_file(tree):
    config = Config({"own": tree}, "rr.yaml", {})
    try:
        section = config.section("own", Model)
    except ConfigError as error:
        said = str(error)
        assert said.startswith(("own.", "own: "))
        assert "rr.yaml" in said
        assert "..." not in said.partition(" ")[0], "the path is whole"
    else:
        assert isinstance(section, Model)


@given(st.lists(keys.filter(lambda key: not key.isdecimal()), min_size=1, max_size=4), texts, trees)
def test_an_override_is_found_where_it_was_put_or_refused_by_name(path, value, tree):
    whole = {"version": "3", "tree": tree}
    dotted = ".".join(path)
    try:
        apply_override(whole, f"{dotted}={yaml.safe_dump(value, allow_unicode=True)}")
    except ConfigError as error:
        assert str(error).startswith(f"-o {dotted}")
    else:
        place: object = whole
        for key in path:
            place = place[key]
        assert place == value


@given(
    texts.map(lambda text: text.replace("$", "")), st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), texts
)
def test_a_text_is_expanded_by_what_the_variable_holds_and_by_nothing_else(before, name, value):
    assume(value)
    written = f"{before}${{{name}}}"
    assert expand(written, {name: value}, path="k") == before + value


@given(st.text(max_size=30))
def test_doubling_every_dollar_writes_any_text(text):
    assert expand(text.replace("$", "$$"), {}, path="k") == text


@given(st.floats(0, 1e6))
def test_a_duration_is_read_back_from_what_it_shows_to_the_nanosecond(seconds):
    shown = str(Duration(seconds))
    assert math.isclose(Duration(shown), seconds, rel_tol=1e-9, abs_tol=1e-9)
    assert str(Duration(shown)) == shown


@given(st.text("0123456789.hmsunµ -+e", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert Duration(text) >= 0


@given(trees)
def test_masking_keeps_the_shape_and_twice_is_once(tree):
    once = masked(tree)
    assert masked(once) == once
    assert "hunter2" not in str(masked({"password": [tree, "hunter2"], "x": {"api_key": "hunter2"}}))
