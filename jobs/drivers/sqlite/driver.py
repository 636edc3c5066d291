"""The driver `sqlite`, and its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from ....container.errors import ConfigError
from ...protocols import PipelineSettings
from .queue import SQLiteQueue
from .writer import Limits


class SQLitePipeline(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a pipeline in a file."""

    file: Annotated[
        str,
        Meta(
            description="the database, for this pipeline alone. The host makes a missing file and folder. Empty means "
            "`spool/NAME.db`, with the pipeline's name. Payloads above 64 KiB are in files of the "
            "folder `FILE.bodies`."
        ),
    ] = ""
    max_bytes: Annotated[
        int,
        Meta(ge=0, description="the limit for the bytes of all jobs, dead ones too; 0 means no limit"),
    ] = 0
    min_free: Annotated[
        int,
        Meta(
            ge=0, le=100, description="percent of the disk that stay free, or the queue takes no jobs; 0 means no check"
        ),
    ] = 5


class SQLiteDriver:
    """Makes queues in files, one file for each pipeline. See `jobs/protocols.py`."""

    job_driver: ClassVar[str] = "sqlite"
    pipeline_model: ClassVar[type[Struct]] = SQLitePipeline
    ignored_keys: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self._in_use: dict[str, str] = {}

    def queue(self, settings: PipelineSettings) -> SQLiteQueue:
        """Return the queue of a file. Raises ConfigError for the file of another pipeline."""
        config: SQLitePipeline = settings.config
        path = Path(config.file or f"spool/{settings.name}.db")
        real = os.path.realpath(path)
        if real in self._in_use:
            raise ConfigError(f"is {str(path)!r}, the file of the pipeline {self._in_use[real]}", key="file")
        self._in_use[real] = settings.name
        return SQLiteQueue(
            path, settings, Limits(config.max_bytes, config.min_free), lambda: self._in_use.pop(real, None)
        )
