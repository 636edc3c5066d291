"""The configuration: rr.yaml, the environment in its values, `-o` overrides, and typed sections with errors for people.

Every error is a ConfigError of one sentence that names the key with its full path, and the file.

Variables are expanded when a section is asked for, not when the file is read: `rrpy rpc` needs the `rpc` section alone
and must not fail for a password that only the host's environment has.
"""

from __future__ import annotations

import difflib
import os
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ..errors import ConfigError, HostError, PluginDisabled, reason_of
from ..masking import masked
from .blame import blamed
from .expand import expand
from .fields import decode_field
from .yamlfile import key_lines, parse

T = TypeVar("T")

VERSION = "3"
HOST_SECTIONS = frozenset(("version", "plugins", "logs", "endure"))
"""The top-level sections that belong to the host itself; every other is a plugin's."""

_MAX_DEPTH = 32  # parts of a key in -o; no section is that deep
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "null": "nothing",
    "object": "a mapping",
    "str": "a text",
    " | ": " or ",
}
"""What msgspec calls the kinds of values, and what people do."""
_KIND = re.compile(r"\b(?:array|bool|float|int|null|object|str)\b| \| ")
_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>.*?)`$")


class Config:
    """A configuration; satisfies Configurer. Make one with `load` or `from_dict`."""

    def __init__(
        self,
        tree: dict[str, Any],
        source: str,
        environ: Mapping[str, str],
        overridden: Sequence[str] = (),
        text: str = "",
    ) -> None:
        self._tree = tree
        self._source = source
        self._environ = environ
        self._overridden = overridden
        self._text = text  # kept, because a pipe can be read only once

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        overrides: Sequence[str] = (),
        dotenv: str | Path | None = None,
        environ: MutableMapping[str, str] | None = None,
    ) -> Config:
        """Read a YAML file.

        `overrides`: `key.path=value`, the value in YAML; they win. `dotenv`: a file of variables, which do not replace
        those that are set. `environ`: default os.environ. Raises ConfigError.
        """
        if path == "":  # as Path it would be the current folder
            raise ConfigError("no configuration file is named: its name is empty")
        environ = os.environ if environ is None else environ
        if dotenv is not None:
            _load_dotenv(Path(dotenv), environ)
        text = _read(Path(path))
        tree = _tree(text, path)
        _check_version(tree, path)
        for override in overrides:
            _override(tree, override)
        keys = [override.partition("=")[0] for override in overrides]
        if "version" in keys:
            _check_version(tree, "-o version")
        return cls(tree, str(path), environ, keys, text)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], source: str = "<python>") -> Config:
        """Return the configuration that a program brings itself; `version` may be left out."""
        return cls(dict(tree), source, os.environ)

    @property
    def source(self) -> str:
        """Where the configuration came from, for messages: a file name."""
        return self._source

    @property
    def plugins(self) -> list[str]:
        """The specifications of other people's plugins, `package.module:ClassName`."""
        return self._convert("plugins", list[str]) if self._tree.get("plugins") is not None else []

    def has(self, name: str) -> bool:
        """Say whether the configuration has this top-level section (an empty one counts)."""
        return name in self._tree

    def section(self, name: str, model: type[T]) -> T:
        """Return the section decoded as `model`, a msgspec Struct; an empty section gives the model's defaults.

        Raises PluginDisabled when the section is absent, ConfigError when it is wrong.
        """
        if name not in self._tree:
            raise PluginDisabled(f"{self._source} has no section {name}")
        return self._convert(name, model)

    def section_or_default(self, name: str, model: type[T]) -> T:
        """Return the section decoded as `model`, the model's defaults when it is absent: for the host's own."""
        return self._convert(name, model)

    def written(self, name: str) -> Any:
        """Return a section as the file and the overrides have it, its variables not expanded; None when absent."""
        return self._tree.get(name)

    def lines(self) -> dict[str, int]:
        """Return the line of every key in the file, counted from 1: `smtp.pool.command` -> 12. Empty without a file."""
        return key_lines(self._text)

    def convert(self, value: Any, kind: Any, path: str) -> Any:
        """Return a part of the configuration, as it is written, expanded and decoded. Raises ConfigError."""
        return self._decode(expand(value, self._environ, path=path, source=self._source), kind, path)

    def masked(self) -> dict[str, Any]:
        """Return the whole with every secret replaced by `***`; a section with an unset variable stays as written."""
        whole = {}
        for name, value in self._tree.items():
            try:
                whole[name] = self._expanded(name)
            except ConfigError:
                whole[name] = value
        tree: dict[str, Any] = masked(whole)
        return tree

    def blamed(self, error: HostError) -> HostError:
        """Return the error with the `-o` in place of the file, where one gave the key that it begins with."""
        text = blamed(str(error), self._source, self._overridden)
        return error if type(error) is not ConfigError or text == str(error) else ConfigError(text)

    def check_sections(self, known: Iterable[str]) -> None:
        """Raise ConfigError for a top-level section that is neither the host's own nor one of `known`."""
        for problem in self.unknown_sections(known):
            raise ConfigError(problem)

    def unknown_sections(self, known: Iterable[str]) -> list[str]:
        """Return an error's text for each top-level section that is neither the host's own nor one of `known`."""
        names = HOST_SECTIONS | set(known)
        unknown = [str(name) for name in self._tree if name not in names]
        texts = [unknown_key(name, name, names, self._source) for name in unknown]
        return [blamed(text, self._source, self._overridden) for text in texts]

    def _convert(self, name: str, model: type[T]) -> T:
        try:
            value = self._expanded(name)
            return self._decode({} if value is None else value, model, name)
        except ConfigError as error:
            raise self.blamed(error) from None

    def _decode(self, value: Any, kind: type[T], path: str) -> T:
        self._check_keys(value, kind, path)
        try:
            return msgspec.convert(value, kind, strict=False, dec_hook=decode_field, str_keys=True)
        except msgspec.ValidationError as error:
            raise ConfigError(self._explain(error, path, value)) from None

    def _expanded(self, name: str) -> Any:
        return expand(self._tree.get(name), self._environ, path=name, source=self._source)

    def _check_keys(self, value: Any, kind: Any, path: str) -> None:
        """Raise ConfigError for a key that the type does not have, or a word that it does not know."""
        for option in options_of(kind):
            if isinstance(value, dict) and isinstance(option, type) and issubclass(option, msgspec.Struct):
                fields = {field.encode_name: field.type for field in msgspec.structs.fields(option)}
                for key, item in value.items():
                    if key not in fields:
                        raise ConfigError(unknown_key(f"{path}.{key}", str(key), fields, self._source))
                    self._check_keys(item, fields[key], f"{path}.{key}")
            elif isinstance(value, dict) and typing.get_origin(option) is dict:
                for key, item in value.items():  # each by itself: msgspec's errors do not name a dict's keys
                    self._decode(item, typing.get_args(option)[1], f"{path}.{key}")
            elif typing.get_origin(option) is typing.Literal and not _fits(value, kind):
                switches = ("true", "false") if bool in options_of(kind) else ()
                allowed = ", ".join((*switches, *typing.get_args(option)))
                raise ConfigError(f"{path}: expected one of {allowed}, got {_shown(value, path)} in {self._source}")
            elif isinstance(value, list) and typing.get_origin(option) is list:
                for index, item in enumerate(value):
                    self._check_keys(item, typing.get_args(option)[0], f"{path}.{index}")

    def _explain(self, error: msgspec.ValidationError, name: str, value: Any) -> str:
        """Turn msgspec's words into ours: the full path, what was expected, what was found, the file."""
        text = str(error)
        where = _WHERE.search(text)
        path = name
        if where is not None:
            text = text[: where.start()]
            for step in re.findall(r"[^.\[\]]+", where["path"]):
                path += f".{step}"
                value = _step(value, step)
        text = text[:1].lower() + text[1:].replace("`", "")
        own = re.match(r"(\w+): ", text)
        if own is not None:  # a model's own check names its key
            return f"{path}.{text} in {self._source}"
        text = re.sub(r"^object missing required field (\w+)$", r"the key \1 is missing", text)
        if text.startswith("expected"):
            text = _KIND.sub(lambda kind: _WORDS[kind[0]], re.sub(r", got [^,]*$", "", text))
        got = f", got {_shown(value, path)}" if text.startswith("expected") and ", got" not in text else ""
        return f"{path}: {text}{got} in {self._source}"


def options_of(kind: Any) -> Iterator[Any]:
    """Yield the members of a union, or the type itself, without Annotated around them."""
    if typing.get_origin(kind) is typing.Annotated:
        yield from options_of(typing.get_args(kind)[0])
    elif typing.get_origin(kind) in (typing.Union, types.UnionType):
        for option in typing.get_args(kind):
            yield from options_of(option)
    else:
        yield kind


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=False, dec_hook=decode_field)
    except msgspec.ValidationError:
        return False
    return True


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return value


def _shown(value: Any, path: str) -> str:
    (value,) = masked({path.rsplit(".", 1)[-1]: value}).values()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)


def unknown_key(path: str, key: str, known: Iterable[str], source: str) -> str:
    """Return the error's text for a key that is none of `known`. `path`: the key in full."""
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return f"{path} is not a known key in {source}; {hint}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {reason_of(error)}{_hidden(path, error)}") from None


def _tree(text: str, path: str | Path) -> dict[str, Any]:
    tree = parse(text, str(path))
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path} must be a mapping of sections, not a {'list' if isinstance(tree, list) else 'value'}"
        )
    return tree


def _hidden(path: Path, error: OSError) -> str:
    """Return a hint for who comes from RoadRunner, whose file is .rr.yaml; empty when that is not there."""
    if path.name != "rr.yaml" or not isinstance(error, FileNotFoundError):
        return ""
    other = path.with_name(f".{path.name}")
    return f"; there is a {other}: -c {other}" if other.is_file() else ""


def _check_version(tree: dict[str, Any], path: str | Path) -> None:
    if "version" not in tree:
        raise ConfigError(f"{path} has no `version: '{VERSION}'`, which is mandatory")
    if tree["version"] != VERSION:
        quote = " as a string, in quotes" if not isinstance(tree["version"], str) else ""
        raise ConfigError(f"version must be '{VERSION}'{quote} in {path}, got {tree['version']!r}")


def _override(tree: dict[str, Any], override: str) -> None:
    """Apply one `key.path=value`. The value may be a secret, so that no error shows it."""
    path, equals, text = override.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ConfigError(f"-o {path}: write -o key.path=value, for example -o smtp.addr=127.0.0.1:2525")
    if len(keys) > _MAX_DEPTH:
        raise ConfigError(f"-o {path[:40]}...: a key has at most {_MAX_DEPTH} parts")
    value = parse(text, f"-o {path}")
    place: Any = tree
    for index, key in enumerate(keys):
        last = index == len(keys) - 1
        if isinstance(place, list):
            if not key.isdecimal() or int(key) >= len(place):
                raise ConfigError(f"-o {path}: {'.'.join(keys[:index])} is a list of {len(place)} and has no {key}")
            if last:
                place[int(key)] = value
            place = place[int(key)]
        elif isinstance(place, dict):
            if last:
                place[key] = value
            elif place.get(key) is None:
                place[key] = {}
            place = place[key]
        else:
            raise ConfigError(f"-o {path}: {'.'.join(keys[:index])} is a value and has no key {key}")


def _load_dotenv(path: Path, environ: MutableMapping[str, str]) -> None:
    from dotenv import dotenv_values

    if not path.is_file():
        raise ConfigError(f"cannot read the environment file {path}: there is no such file")
    try:
        for name, value in dotenv_values(path).items():
            if value is not None:
                environ.setdefault(name, value)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the environment file {path}: {error}") from None
