"""No module of a worker's working folder hides one of Python's own."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from support.worker.host import WorkerHost, last

from rrpy.worker_pool.spawn import own_interpreter

HIDING = "raise SystemExit(f'the working folder hides {__name__}')\n"


@pytest.fixture
def hiding(tmp_path):
    """A working folder with a module of the name of each one of Python's, and a handler that needs some of them."""
    for name in filter(find_spec, sys.stdlib_module_names - {"this", "antigravity"}):  # some are for other systems
        (tmp_path / f"{name}.py").write_text(HIDING)
    (tmp_path / "helper.py").write_text("import email\nfrom json import loads\n")
    (tmp_path / "later.py").write_text("import struct\nANSWER = 'imported later'\n")
    (tmp_path / "attr.py").write_text("")  # pytest has installed one too, which the folder's own hides
    (tmp_path / "app.py").write_text(
        "import asyncio, logging, attr, helper\n"
        "assert not attr.__dict__.get('define')\n"
        "def handle(request):\n"
        "    import later, xml.dom.minidom\n"
        "    return later.ANSWER\n"
        "async def handle_async(request):\n"
        "    return handle(request)\n"
    )
    return tmp_path


@pytest.mark.parametrize("handler", [(), ("app:handle",), ("app:handle_async",)], ids=["none", "sync", "async"])
def test_modules_of_the_working_folder_never_hide_pythons_own(hiding, handler):
    """`struct.py` of the working folder ran in place of Python's."""
    command = own_interpreter(["python", "-m", "rrpy.worker", *handler])
    host = WorkerHost(command, cwd=hiding)
    try:
        host.shake_hands()
        answer = b"imported later" if handler else b"CONTINUE"
        assert host.ask(b"x") == last(answer)
        assert host.end()[0] == 0
    finally:
        host.close()


@pytest.mark.parametrize("module", [("-m", "rrpy.worker"), ("-mrrpy.worker",), ("-Wd", "-m", "rrpy.worker")])
def test_an_interpreter_without_p_takes_no_module_of_the_folder_either(tmp_path, module):
    for name in ("json", "select", "struct", "zlib"):  # not those that the interpreter needs before it finds the worker
        (tmp_path / f"{name}.py").write_text(HIDING)
    (tmp_path / "app.py").write_text("def handle(request):\n    return 'mine'\n")
    host = WorkerHost([sys.executable, *module, "app:handle"], cwd=tmp_path)
    try:
        host.shake_hands()
        assert host.ask(b"x") == last(b"mine")
    finally:
        host.close()
    run = subprocess.run([sys.executable, "-m", "rrpy", "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
