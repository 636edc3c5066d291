"""A setting in words: its type with its limits, its default, its first sentence, a table of a section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from rrpy import default_plugins
from rrpy.commands.check import models_of
from rrpy.commands.describe import first_sentence, plain, sections, table, type_text
from rrpy.container.config.fields import Duration, PositiveDuration, shown_default
from rrpy.container.config.model import description_of, settings

HOST = sections(models_of(default_plugins()))


class Part(Struct, frozen=True):
    """A part."""

    size: Annotated[int, Meta(ge=1, le=9, description="how large")]


class Whole(Struct, frozen=True):
    """A whole."""

    text: Annotated[str, Meta(description="a text. More of it.")] = ""
    wait: PositiveDuration = PositiveDuration(90)
    part: Part | None = None
    inner: Part = Part(1)
    parts: dict[str, Part] = {}
    level: Annotated[str | None, shown_default("debug")] = None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, "text"),
        (int, "integer"),
        (bool, "true or false"),
        (float, "number"),
        (Duration, "duration"),
        (PositiveDuration, "duration, at least 1ms"),
        (Annotated[int, Meta(ge=0)], "integer"),
        (Annotated[int, Meta(ge=1)], "integer, at least 1"),
        (Annotated[int, Meta(ge=0, le=500)], "integer, 0 to 500"),
        (Annotated[Annotated[int, Meta(ge=5)], Meta(le=9)], "integer, 5 to 9"),
        (Annotated[str, Meta(min_length=1, max_length=255)], "text, 1 to 255 characters"),
        (Annotated[str, Meta(max_length=250)], "text, 0 to 250 characters"),
        (Literal["a"], "`a`"),
        (Literal["a", "b", "c"], "`a`, `b` or `c`"),
        (str | list[str], "text or list of texts"),
        (list[Annotated[str, Meta(pattern="x")]], "list of texts"),
        (list[float], "list of numbers"),
        (dict[str, str], "mapping of texts"),
        (dict[str, Part], "mapping of sections"),
        (Part | None, "section"),
    ],
)
def test_a_type_is_said_in_words_with_its_limits(kind: Any, text: str) -> None:
    assert type_text(kind) == text


def test_a_section_is_a_table_with_a_row_for_each_key() -> None:
    assert table(Whole).splitlines() == [
        "| key | type | default | meaning |",
        "|---|---|---|---|",
        "| `text` | text | `''` | a text. More of it |",
        "| `wait` | duration, at least 1ms | `1m30s` |  |",
        "| `part` | section | absent |  |",
        "| `inner` | section | all defaults |  |",
        "| `parts` | mapping of sections | `{}` |  |",
        "| `level` | text | `debug` |  |",
    ]
    assert table(Part).splitlines()[2] == "| `size` | integer, 1 to 9 | must be given | how large |"


def test_sections_below_a_section_are_found_and_those_that_the_user_names() -> None:
    assert sections({"whole": Whole}) == {
        "whole": Whole,
        "whole.part": Part,
        "whole.inner": Part,
        "whole.parts.NAME": Part,
    }


@pytest.mark.parametrize("path", HOST)
def test_every_key_of_the_host_is_described_in_lower_case_and_short_at_first(path: str) -> None:
    assert HOST[path].__doc__
    for setting in settings(HOST[path]):
        text = description_of(setting.kind)
        assert text, f"{path}.{setting.key}: its annotation has no Meta(description=...)"
        assert text[0].islower() or text[0] == "`", f"{path}.{setting.key}"
        assert len(plain(first_sentence(text))) <= 84, f"{path}.{setting.key}: rr.yaml has no room for it"
        assert "|" not in text, f"{path}.{setting.key}: the table has a cell for it"


def test_a_shown_default_is_for_people_alone() -> None:
    assert msgspec.convert({}, Whole).level is None
