from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.container.measuring import unmeasured

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


def test_the_sdk_imports_the_standard_library_only_and_nothing_heavy_of_it(tmp_path):
    (tmp_path / "rrpy").symlink_to(Path(rrpy.worker.__file__).parent.parent)
    code = "import sys, rrpy.worker.__main__; from rrpy.worker import log; print(*sys.modules)"
    loaded = set(printed(code, "-S", PYTHONPATH=str(tmp_path)).split())  # an installation may import more at its start
    assert "rrpy.worker.loop" in loaded
    assert not {"asyncio", "inspect", "dataclasses", "json", "logging", "socket", "traceback", "typing"} & loaded
    assert not {"msgspec", "anyio", "rrpy.container", "rrpy.worker.aio", "rrpy.worker.dial"} & loaded
    assert not {"rrpy.worker.mails", "rrpy.worker.verdicts", "rrpy.worker.attachments", "datetime"} & loaded


def test_a_worker_for_mail_imports_nothing_heavy_either(tmp_path):
    (tmp_path / "rrpy").symlink_to(Path(rrpy.worker.__file__).parent.parent)
    code = "import sys, rrpy.worker.__main__; from rrpy.worker import Email, Reject, mail; print(*sys.modules)"
    loaded = set(printed(code, "-S", PYTHONPATH=str(tmp_path)).split())
    assert "rrpy.worker.mails" in loaded
    assert not {"asyncio", "inspect", "dataclasses", "email", "pathlib", "typing", "rrpy.worker.testing"} & loaded


def test_the_public_names_are_there_however_they_are_asked_for():
    assert printed("import rrpy.worker; print(rrpy.worker.log.info.__name__)") == "info\n"
    names = sorted(set(rrpy.worker.__all__) - {"mail"})  # a function, whose repr does not say where it is from
    assert printed(f"from rrpy.worker import *; print({', '.join(names)})").count("rrpy.worker.") == len(names)
    with pytest.raises(AttributeError, match=r"'rrpy\.worker' has no attribute 'nothing'"):
        _ = rrpy.worker.nothing


def printed(code: str, *options: str, **environ: str) -> str:
    """Return what a new interpreter prints."""
    env = unmeasured() | environ
    run = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True, env=env)
    return run.stdout
