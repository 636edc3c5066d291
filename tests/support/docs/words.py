"""The words of the project: its rules for prose, and the texts that they hold for.

vale would do the same, but its package downloads the program from another server at its first start.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.docs.pages import ROOT

LONGEST = 25
"""Words of a sentence."""

DENIED = {
    r"\b(?:[Bb]e told|told|tells? of)\b": "name the act: reports, shows, names, gets",
    r"\b(?:[Ss]omebody|[Aa]nybody|[Ee]verybody|[Ww]hoever|[Nn]obody(?![@\"]))\b": "name the actor",
    r"\bwho (?:\w+ly )?(?:only|has|is|was|wants?|writes?|comes?|knows?|would|calls?|asks?)\b": "name the actor",
    r"\b[Ww]hat comes\b(?! back)": "name it",
    r"(?<!there )(?<!There )\b(?:is|are|was|were) no (?!longer\b|more than\b)[a-z]+": "'is not a ...'",
    r"(?<!there )\b(?:is|are) none\b": "'is not a ...'",
    r"(?<!left )\bbehind (?=\w)|\bin front of\b": "'after', 'following'; 'before'",
    r"\b(?:patience|heirs?|barren|hopeless|errands?|farewell|heed(?:s|ed)?|wish(?:es)?|see[sn]? off)\b": "a plain term",
}
"""Patterns of words that the prose does not use, and what to write instead."""

NAMES = re.compile(
    r"_?(?:heirs?|barren|hopeless|party|errand|remains|last_?words|see_off|heed|wish(?:es)?|lasting|\w*told|"
    r"\w*patience|farewell)\b",
    re.IGNORECASE,
)
"""Metaphors: names that the code does not use."""

_BEGIN = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
"""Tokens before a statement, which may be a docstring."""


class Fault(NamedTuple):
    """Words that break a rule. `place`: the file and the line."""

    place: str
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.place}: {self.words!r}: {self.advice}"


def faults_of_page(path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the prose of a page: its words, also in tables, and the length of its sentences."""
    name = path.relative_to(ROOT).as_posix()
    in_table = False
    line = 0
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8")):
        if token.type in ("table_open", "table_close"):
            in_table = token.type == "table_open"
        line = token.map[0] + 1 if token.map else line
        if token.type != "inline":
            continue
        text = _prose(token)
        yield from denied(text, f"{name}:{line}")
        if not in_table:
            for sentence in re.split(r"(?<=[.!?])[)\"]?\s+", text):
                if (count := len(sentence.split())) > LONGEST:
                    yield Fault(f"{name}:{line}", sentence, f"{count} words")


def faults_of_python(path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the comments, the docstrings, the texts and the names of a Python module.

    The texts of a test are data: of a test only the docstrings are looked at.
    """
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    begins = True
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        place = f"{name}:{token.start[0]}"
        text = token.type == tokenize.STRING and (begins or not name.startswith("tests/"))
        begins = token.type in _BEGIN or (begins and token.type in (tokenize.NL, tokenize.COMMENT))
        if token.type == tokenize.COMMENT or text:
            yield from denied(re.sub(r"`[^`]*`", "X", token.string), place)
        elif token.type == tokenize.NAME and NAMES.fullmatch(token.string):
            yield Fault(place, token.string, "the field's word")


def faults_of_text(path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the words of any other file: a script, a stylesheet, a configuration."""
    text = re.sub(r"`[^`]*`", "X", path.read_text(encoding="utf-8"))
    yield from denied(text, path.relative_to(ROOT).as_posix())


def denied(text: str, place: str) -> Iterator[Fault]:
    """Yield the denied words of a text."""
    joined = re.sub(r"\s+(?:(?:#|//|\*) )?", " ", text)
    for pattern, advice in DENIED.items():
        for found in re.finditer(pattern, joined):
            yield Fault(place, found[0], advice)


def _prose(token: Token) -> str:
    """Return the text of a paragraph, with one word for each piece of code."""
    texts = {"text": lambda each: each.content, "code_inline": lambda _: "X", "softbreak": lambda _: " "}
    return "".join(texts[each.type](each) for each in token.children or [] if each.type in texts)
