from __future__ import annotations

import os
import subprocess
import sys

import pytest

import rrpy.worker
from rrpy.worker import Request, Response
from rrpy.worker.messages import as_parts


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (None, (b"", b"")),
        ("CONTINUE", (b"CONTINUE", b"")),
        (b"raw", (b"", b"raw")),
        (Response("é", b"\x00"), ("é".encode(), b"\x00")),
        (Response(), (b"", b"")),
    ],
)
def test_an_answer_is_a_context_a_body_both_or_nothing(answer, parts):
    assert as_parts(answer) == parts


@pytest.mark.parametrize("answer", [5, {"a": 1}, Response(5), Response("", ["x"])])
def test_anything_else_is_not_an_answer(answer):
    with pytest.raises(TypeError, match=r"not (int|dict)|bytes or str"):
        as_parts(answer)


def test_a_request_reads_its_context_as_json():
    assert Request(b'{"event":"X"}').json() == {"event": "X"}
    with pytest.raises(ValueError, match="Expecting"):
        Request(b"no").json()


def test_the_sdk_imports_the_standard_library_only_and_nothing_heavy_of_it():
    code = "import sys; plain = set(sys.modules); import rrpy.worker.__main__; from rrpy.worker import log; "
    loaded = set(printed(code + "print(*sys.modules.keys() - plain)").split())
    assert not {"asyncio", "inspect", "dataclasses", "json", "logging", "socket", "traceback", "typing"} & loaded
    assert not {"msgspec", "anyio", "rrpy.container", "rrpy.worker.aio", "rrpy.worker.dial"} & loaded


def test_the_public_names_are_there_however_they_are_asked_for():
    assert printed("import rrpy.worker; print(rrpy.worker.log.info.__name__)") == "info\n"
    names = "Request, Response, SoftError, log"
    assert printed(f"from rrpy.worker import *; print({names})").count("rrpy.worker.") == 4
    with pytest.raises(AttributeError, match=r"'rrpy\.worker' has no attribute 'nothing'"):
        _ = rrpy.worker.nothing


def printed(code: str) -> str:
    """Return what a new interpreter prints."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return run.stdout
