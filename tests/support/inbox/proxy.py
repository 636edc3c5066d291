"""nginx before an inbox, as people configure it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.waiting import TIMEOUT, eventually

FILE = """daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; {paths}
{servers}
}}
"""
_PATHS = " ".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def written(folder: Path, servers: str) -> Path:
    """Write the configuration of nginx with these servers, and return its path."""
    file = folder / "nginx.conf"
    file.write_text(FILE.format(paths=_PATHS, servers=servers))
    return file


@contextmanager
def nginx(folder: Path, locations: Sequence[str]) -> Iterator[list[int]]:
    """Start nginx with a server for each of these locations; yield their ports on 127.0.0.1."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in locations]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in bound]
    pairs = zip(ports, locations, strict=True)
    file = written(folder, "\n".join(f"server {{ listen 127.0.0.1:{port}; {place} }}" for port, place in pairs))
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(file)], stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: process.poll() is not None or all(_answers(port) for port in ports), "nginx listens")
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield ports
        finally:
            process.terminate()
            process.wait(TIMEOUT)


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
