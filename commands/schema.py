"""A JSON Schema (draft 2020-12) of rr.yaml, for editors, from the models of the sections.

What we want: the schema and the host refuse the same, as far as a schema can say it. msgspec's generator is used for
plain values; it knows neither our own types and their defaults, nor that a number may be written `${PORT}`. The schema
is stricter than the host in one thing: a number or a switch in quotes must be a variable. It is laxer in what two keys
say together; only the host checks that.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct

from ..container.config import Config
from ..container.config.config import File
from ..container.config.fields import Duration, Secret
from ..container.config.model import Setting, description_of, options_of, settings, summary
from ..container.loader import load_plugins
from ..container.protocols import Plugin
from .check import models_of

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_NUMBER: Final = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)"
_VARIABLE: Final[Schema] = {"type": "string", "pattern": r"\$", "description": "a variable: ${NAME}"}
_DURATION: Final[Schema] = {
    "anyOf": [
        {
            "type": "string",
            "pattern": rf"^\s*({_NUMBER}|({_NUMBER}(h|ms|us|µs|ns|m|s))+)\s*$|\$",
            "description": "a duration: 10s, 1m30s, 500ms",
        },
        {"type": "number", "minimum": 0, "description": "seconds"},
    ]
}
_SECRET: Final[Schema] = {"type": "string", "format": "password", "writeOnly": True}


def config_schema(sections: Mapping[str, type[Struct] | None]) -> Schema:
    """Return the schema of a whole rr.yaml. `sections`: each with its model; None: it may hold anything.

    Raises TypeError for a model with a field that a configuration cannot have.
    """
    models = _Models()
    properties = models.properties(File)
    for name, model in sections.items():
        if model is None:
            properties[name] = {"description": f"The section of the plugin {name}, which does not say what it holds."}
        else:
            properties[name] = {"description": summary(model), "anyOf": [models.of(model), {"type": "null"}]}
    return {
        "$schema": DIALECT,
        "title": "rr.yaml",
        "description": "The configuration of an rrpy host. A section that is absent switches its plugin off.",
        "type": "object",
        "properties": properties,
        "required": ["version"],
        "additionalProperties": False,
        "$defs": models.definitions,
    }


def schema_for(optional: Sequence[Plugin], path: str | Path | None) -> Schema:
    """Return the schema for a host with these plugins of its own, and those that the file's `plugins` lists.

    Raises ConfigError for a file that cannot be read, or a plugin that cannot be loaded.
    """
    plugins = list(optional)
    if path is not None:
        plugins += load_plugins(Config.load(path).plugins, Path(path).parent)
    return config_schema({**dict.fromkeys(each.name for each in plugins), **models_of(plugins)})


class _Models:
    """The definitions that are made on the way, each model once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._names: dict[type[Struct], str] = {}

    def of(self, kind: Any) -> Schema:
        """Return the schema of a key's type."""
        if typing.get_origin(kind) is typing.Annotated and len([*options_of(kind)]) > 1:
            kind = typing.get_args(kind)[0]  # what the annotation says, the key has
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            return _any_of([self.of(option) for option in typing.get_args(kind)])
        (bare,) = options_of(kind)
        origin, arguments = typing.get_origin(bare), typing.get_args(bare)
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(bare, type) and issubclass(bare, Duration):
            return _DURATION
        if isinstance(bare, type) and issubclass(bare, Secret):
            return _SECRET
        if isinstance(bare, type) and issubclass(bare, Struct):
            return self._reference(bare)
        return _plain(kind)

    def properties(self, model: type[Struct]) -> Schema:
        """Return the schema of every key of a model."""
        return {setting.key: self._property(setting) for setting in settings(model)}

    def _reference(self, model: type[Struct]) -> Schema:
        if model not in self._names:
            name = model.__name__ if model.__name__ not in self.definitions else f"{model.__module__}.{model.__name__}"
            self._names[model] = name
            self.definitions[name] = {}  # a model may hold itself
            self.definitions[name] = self._definition(model)
        return {"$ref": f"#/$defs/{self._names[model]}"}

    def _definition(self, model: type[Struct]) -> Schema:
        definition: Schema = {
            "description": summary(model),
            "type": "object",
            "properties": self.properties(model),
            "additionalProperties": not model.__struct_config__.forbid_unknown_fields,
        }
        required = [setting.key for setting in settings(model) if setting.default is NODEFAULT]
        return {**definition, "required": required} if required else definition

    def _property(self, setting: Setting) -> Schema:
        text, default = description_of(setting.kind), setting.default
        found = {"description": text} if text else {}
        found |= self.of(setting.kind)
        if text:
            found["description"] = text  # rather than the one of every duration
        if default is not NODEFAULT and default is not None and not isinstance(default, (Struct, Secret)):
            found["default"] = msgspec.to_builtins(default, enc_hook=str)
        return found


def _any_of(options: list[Schema]) -> Schema:
    """Return one of several. An option that is itself one of several gives its options, and each is there once."""
    flat: list[Schema] = []
    for option in options:
        for each in option["anyOf"] if set(option) == {"anyOf"} else [option]:
            if each not in flat:
                flat.append(each)
    return {"anyOf": flat}


def _plain(kind: Any) -> Schema:
    """Return msgspec's schema of a text, a number, a switch, a choice of words, or anything; or a variable."""
    found: Schema = msgspec.json.schema(kind)
    found.pop("description", None)  # the key has it
    return found if found.get("type") in ("string", "null") or not found else _any_of([found, _VARIABLE])
