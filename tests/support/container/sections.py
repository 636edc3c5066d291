"""A model of a section, and configurations that hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from rrpy.container.config import Config
from rrpy.container.config.fields import Duration, Secret
from rrpy.container.errors import ConfigError

SECRET = "hunter2"


class Attachments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    storage: Literal["memory", "tempfile"] = "memory"
    max_size: Annotated[int, msgspec.Meta(ge=0, le=100)] = 10
    cleanup_after: Duration = Duration("1h")


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: Secret = Secret("")


class Smtp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    addr: str = "127.0.0.1:2525"
    hostname: str | None = None
    read_timeout: Duration = Duration(60)
    strict: bool = False
    ratio: float = 1.0
    command: str | list[str] = ""
    attachments: Attachments = Attachments()
    include_raw: bool | Literal["auto"] = "auto"
    users: list[User] = []
    routes: dict[str, Attachments] = {}
    password: Secret | None = None
    limits: list[int] = []
    cache: Attachments | None = None

    def __post_init__(self) -> None:
        if self.addr.startswith("!"):
            raise ConfigError("it begins with an exclamation mark", key="addr")
        if self.ratio > 9:
            raise ValueError("the ratio is too large")


def load(folder: Path, text: str, **options: object) -> Config:
    path = folder / "rr.yaml"
    path.write_text("version: '3'\n" + text, encoding="utf-8")
    return Config.load(path, **options)


def smtp(tree: object, environ: dict[str, str] | None = None) -> Smtp:
    return Config({"smtp": tree}, "rr.yaml", environ or {}).section("smtp", Smtp)


def refusal(tree: object, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        smtp(tree, environ)
    said = str(caught.value)
    assert "\n" not in said
    assert SECRET not in said
    assert caught.value.exit_code == 2
    return said


def refused_load(path: str | Path, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.load(path, **options)
    said = str(caught.value)
    assert SECRET not in said
    return said
