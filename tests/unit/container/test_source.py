"""A configuration and variables from what is not an ordinary file: every read ends."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.container.sections import refused_load

from rrpy.container.config import Config
from rrpy.container.config.source import MAX_BYTES

TEXT = "version: '3'\nsmtp: {addr: $ADDR}\n"


@contextmanager
def given(data: bytes) -> Iterator[str]:
    """A pipe that gives these bytes, by its path."""
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)
        thread.join()


@pytest.fixture(params=["/dev/zero", "sparse", "endless"])
def endless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path whose bytes do not end, or as good as."""
    if request.param == "endless":
        path = tmp_path / "large"
        path.write_bytes(b"#" * (MAX_BYTES + 1))
        return path
    if request.param == "sparse":
        path = tmp_path / "sparse"
        with path.open("wb") as file:
            file.truncate(10 * 1024**3)
        return path
    return Path(request.param)


def test_a_file_without_an_end_is_a_sentence(tmp_path, endless):
    assert refused_load(endless) == f"cannot read the configuration {endless}: it has more than 1024 KiB"
    (tmp_path / "rr.yaml").write_text(TEXT)
    said = refused_load(tmp_path / "rr.yaml", dotenv=endless)
    assert said == f"cannot read the environment file {endless}: it has more than 1024 KiB"


def test_a_file_of_the_largest_size_is_read(tmp_path):
    path = tmp_path / "rr.yaml"
    path.write_text(TEXT.ljust(MAX_BYTES, "#"))
    assert Config.load(path).has("smtp")


def test_a_named_pipe_that_nothing_writes_to_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("rrpy.container.config.source.PIPE_TIMEOUT", 0.01)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert refused_load(path) == f"cannot read the configuration {path}: it gave nothing for 0.01 s"
    (tmp_path / "rr.yaml").write_text(TEXT)
    said = refused_load(tmp_path / "rr.yaml", dotenv=path)
    assert said == f"cannot read the environment file {path}: it gave nothing for 0.01 s"


def test_a_named_pipe_gives_a_configuration_whose_writer_comes_later(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text(TEXT))
    writer.start()
    assert Config.load(path).has("smtp")
    writer.join()


@pytest.mark.parametrize("size", [0, 300_000])
def test_variables_and_a_configuration_come_from_pipes(tmp_path, size):
    environ: dict[str, str] = {}
    with given(TEXT.encode() + b"#" * size) as config, given(b"ADDR=here:1\n" + b"#" * size) as variables:
        loaded = Config.load(config, dotenv=variables, environ=environ)
    assert environ == {"ADDR": "here:1"}
    assert loaded.section("smtp", dict) == {"addr": "here:1"}


def test_a_socket_is_a_sentence(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert refused_load(path) == f"cannot read the configuration {path}: no such device or address"
