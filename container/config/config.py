"""The configuration: rr.yaml, the environment in its values, `-o` overrides, and typed sections with errors for people.

Every error is a ConfigError of one sentence that names the key with its full path, and the file.

Variables are expanded when a section is asked for, not when the file is read: `rrpy rpc` needs the `rpc` section alone
and must not fail for a password that only the host's environment has.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from ..errors import ConfigError, SectionAbsent
from ..masking import masked
from .decode import decode, unknown_key
from .expand import expand
from .override import apply_override
from .source import read_text
from .yamlfile import key_lines, parse

T = TypeVar("T")

VERSION = "3"
HOST_SECTIONS = frozenset(("version", "plugins", "secrets", "logs", "endure"))
"""The top-level sections that belong to the host itself; every other is a plugin's."""


SecretName = Annotated[str, Meta(pattern=r"[A-Za-z]")]


class File(Struct):
    """The top of the file: the keys beside the sections."""

    version: Annotated[Literal["3"], Meta(description="the version of the file's form, in quotes")]
    plugins: Annotated[
        list[Annotated[str, Meta(extra_json_schema={"pattern": r"^[^:]+:[^:]+$|\$"})]] | None,
        Meta(
            description="plugins of your own, as `package.module:ClassName`. The host finds modules beside this file."
        ),
    ] = []
    secrets: Annotated[
        list[SecretName] | None,
        Meta(
            description="more names of keys, variables and options whose values are masked, such as `DB_HASH`. The "
            "log, `rpc.Config` and the commands of workers show `***` in place of them."
        ),
    ] = []


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
        text = read_text(Path(path), "the configuration")
        tree = _tree(text, path)
        if tree.get("version") is not None:
            _check_version(tree, path)
        for override in overrides:
            apply_override(tree, override)
        keys = [override.partition("=")[0] for override in overrides]
        if "version" in keys and isinstance(tree["version"], int):  # a shell takes the quotes away
            tree["version"] = str(tree["version"])
        _check_version(tree, "-o version" if "version" in keys else path)
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
        """The specifications of other people's plugins, `package.module:ClassName`. Raises ConfigError."""
        return self._decoded("plugins", list[str]) if self._tree.get("plugins") is not None else []

    @property
    def secrets(self) -> list[str]:
        """More names whose values are masked, beside those of secret_names.py. Raises ConfigError."""
        return self._decoded("secrets", list[SecretName]) if self._tree.get("secrets") is not None else []

    def has(self, name: str) -> bool:
        """Say whether the configuration has this top-level section (an empty one counts)."""
        return name in self._tree

    def section(self, name: str, model: type[T]) -> T:
        """Return the section decoded as `model`, a msgspec Struct; an empty section gives the model's defaults.

        Raises PluginDisabled when the section is absent, ConfigError when it is wrong.
        """
        if name not in self._tree:
            raise SectionAbsent(f"{self._source} has no section {name}")
        return self._decoded(name, model)

    def section_or_default(self, name: str, model: type[T]) -> T:
        """Return the section decoded as `model`, the model's defaults when it is absent: for the host's own."""
        return self._decoded(name, model)

    def problems(self, name: str, model: type[Struct]) -> list[ConfigError]:
        """Return an error for every key of the section that is wrong, in the section's order."""
        return decode(model, self._written(name), name, self._environ)[1]

    def masked(self) -> dict[str, Any]:
        """Return the whole with every secret replaced by `***`; a section with an unset variable stays as written."""
        whole = {}
        for name, value in self._tree.items():
            try:
                whole[name] = self._expanded(name)
            except ConfigError:
                whole[name] = value
        tree: dict[str, Any] = masked(whole)
        return {name: whole[name] if name == "secrets" else value for name, value in tree.items()}

    def locate(self, error: BaseException, *, line: bool = False) -> None:
        """Say in the error where its key was written: the `-o` that gave it, or the file, with its `line` or without.

        A key that is not there has the line of the nearest section above it. An error without a key stays as it is.
        """
        if isinstance(error, ConfigError) and error.key:
            error.place = self._place(error.key, line)

    def check_sections(self, known: Iterable[str]) -> None:
        """Raise ConfigError for a top-level section that is neither the host's own nor one of `known`."""
        self._raise_first(self.unknown_sections(known))

    def unknown_sections(self, known: Iterable[str]) -> list[ConfigError]:
        """Return an error for each top-level section that is neither the host's own nor one of `known`."""
        names = HOST_SECTIONS | set(known)
        return [unknown_key(str(name), names) for name in self._tree if name not in names]

    @cached_property
    def _lines(self) -> dict[str, int]:
        return key_lines(self._text)

    def _place(self, key: str, line: bool) -> str:
        for path in reversed(self._overridden):
            if f"{key}.".startswith(f"{path}."):
                return f"-o {path}"
            if path.startswith(f"{key}."):
                return f"{self._source} with -o {path}"
        lines = self._lines if line else {}
        while key and key not in lines:
            key = key.rpartition(".")[0]
        return f"{self._source}:{lines[key]}" if key else self._source

    def _decoded(self, name: str, model: type[T]) -> T:
        value, errors = decode(model, self._written(name), name, self._environ)
        self._raise_first(errors)
        decoded: T = value
        return decoded

    def _raise_first(self, errors: Sequence[ConfigError]) -> None:
        if errors:
            self.locate(errors[0])
            raise errors[0]

    def _written(self, name: str) -> Any:
        """Return a section as the file and the overrides have it; an absent one is an empty one."""
        value = self._tree.get(name)
        return {} if value is None else value

    def _expanded(self, name: str) -> Any:
        return expand(self._tree.get(name), self._environ, path=name)


def _tree(text: str, path: str | Path) -> dict[str, Any]:
    tree = parse(text, str(path))
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path} must be a mapping of sections, not a {'list' if isinstance(tree, list) else 'value'}"
        )
    return tree


def _check_version(tree: dict[str, Any], path: str | Path) -> None:
    if "version" not in tree:
        raise ConfigError(f"{path} has no `version: '{VERSION}'`, which is mandatory")
    if tree["version"] != VERSION:
        quote = " as a string, in quotes" if not isinstance(tree["version"], str) else ""
        raise ConfigError(f"version must be '{VERSION}'{quote} in {path}, got {tree['version']!r}")


def _load_dotenv(path: Path, environ: MutableMapping[str, str]) -> None:
    from dotenv import dotenv_values

    text = read_text(path, "the environment file")
    try:
        for name, value in dotenv_values(stream=io.StringIO(text)).items():
            if value is not None:
                environ.setdefault(name, value)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the environment file {path}: {error}") from None
