"""SMTP servers side by side: server CPU per message, as ratios within one run.

    python benchmarks/smtp.py [--rounds 3] [--quick] [--only a,b] [--servers stock,rrpy]

Servers: `stock` (aiosmtpd, Sink handler, plain asyncio, host name given), `rrpy` (`rrpy serve`, every limit, timer
and the registry on, log at INFO into a file), `silent` (the same with the log off), `counted` (silent with `metrics`
and `status` on), and where they are installed Postfix's `smtp-sink` and nodemailer's `smtp-server`. The server runs on
one core, the client on the other. Rounds are interleaved: every server runs scenario after scenario before the next
round begins; the median of the rounds counts.

Scenarios: (a) short sessions of one 1 KiB message, 20 at a time; (b) the same on kept connections; (f) the same
pipelined, ten whole messages in one write; (c) 100 KiB; (d) 10 MiB; (e) memory of an idle connection at 1,000.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import uvloop

HOST = "127.0.0.1"
LINE = b"x" * 76 + b"\r\n"
HELLO, MAIL, RCPT, DATA, QUIT = (
    b"EHLO client.example\r\n",
    b"MAIL FROM:<sender@example.com>\r\n",
    b"RCPT TO:<recipient@example.com>\r\n",
    b"DATA\r\n",
    b"QUIT\r\n",
)
#            scenario: messages, size, connections at a time, messages a connection (0: all), pipelined
SCENARIOS = {
    "a": (8000, 1024, 20, 1, False),
    "b": (12000, 1024, 20, 0, False),
    "f": (20000, 1024, 20, 0, True),
    "c": (1200, 100 * 1024, 20, 0, False),
    "d": (24, 10 * 1024 * 1024, 4, 0, False),
}
GROUP = 10  # messages in one write, pipelined
IDLE = 1000


def body(size: int) -> bytes:
    """Return a message of about `size` bytes and its end."""
    head = b"From: sender@example.com\r\nTo: recipient@example.com\r\nSubject: benchmark\r\n\r\n"
    return head + LINE * max(1, (size - len(head)) // len(LINE)) + b".\r\n"


class Sender(asyncio.Protocol):
    """One client connection: it sends a script step by step, one step for every reply that it waits for."""

    def __init__(self, messages: int, payload: bytes, pipelined: bool, done: Callable[[int], None]) -> None:
        self.left = messages
        self.payload = payload
        self.done = done
        self.sent = 0
        self.expected = 1
        self.pipelined = pipelined
        self.steps = [(HELLO, 1)]
        self._next_message()

    def _next_message(self) -> None:
        if self.pipelined:
            count = min(GROUP, self.left)
            self.left -= count
            self.sent += count
            self.steps.append(((MAIL + RCPT + DATA + self.payload) * count, 4 * count))
            return
        self.left -= 1
        self.sent += 1
        self.steps += ((MAIL, 1), (RCPT, 1), (DATA, 1), (self.payload, 1))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.at = 0

    def data_received(self, data: bytes) -> None:
        # Final lines of replies: code and blank. Continuation lines have a dash.
        self.expected -= sum(1 for line in data.split(b"\r\n") if line[3:4] == b" ")
        if self.expected > 0:
            return
        if self.at == len(self.steps):
            if self.left > 0:
                self.steps, self.at = [], 0
                self._next_message()
            elif self.left == 0:
                self.steps.append((QUIT, 1))
                self.left = -1
            else:
                self.transport.close()
                self.done(self.sent)
        if self.at < len(self.steps):
            step, self.expected = self.steps[self.at]
            self.at += 1
            self.transport.write(step)

    def connection_lost(self, error: Exception | None) -> None:
        if self.left >= 0:
            sys.exit(f"the server closed the connection: {error}")


async def load(port: int, messages: int, payload: bytes, at_once: int, each: int, pipelined: bool) -> None:
    """Send `messages` messages. `payload`: the bytes after DATA, with the end of data."""
    loop = asyncio.get_running_loop()
    todo = messages
    left = messages
    finished = loop.create_future()
    waiting = asyncio.Semaphore(at_once)

    def done(count: int) -> None:
        nonlocal left
        left -= count
        waiting.release()
        if left <= 0:
            finished.set_result(None)

    share = each or messages // at_once
    while todo > 0:
        await waiting.acquire()
        count = min(share, todo)
        todo -= count
        await loop.create_connection(lambda count=count: Sender(count, payload, pipelined, done), HOST, port)
    await finished


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """A server process, on core 0 unless another one is said, or None."""

    def __init__(self, name: str, command: list[str], port: int, folder: str, core: int | None = 0) -> None:
        self.name = name
        self.port = port
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, preexec_fn=lambda: pin(core)
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((HOST, port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{name} does not listen: {' '.join(command)}") from None
                time.sleep(0.05)

    def cpu(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def rss(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def pin(core: int | None) -> None:
    if core is not None and hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


STOCK = """
import asyncio
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP
async def main():
    loop = asyncio.get_running_loop()
    def connection():
        return SMTP(Sink(), hostname="mx.test", enable_SMTPUTF8=True, data_size_limit=2**25, loop=loop)
    server = await loop.create_server(connection, "{host}", {port})
    await server.serve_forever()
asyncio.run(main())
"""
NODEMAILER = """
const {{ SMTPServer }} = require('smtp-server');
new SMTPServer({{ authOptional: true, disableReverseLookup: true, hideSTARTTLS: true, size: 33554432,
  onData(stream, session, done) {{ stream.on('data', () => {{}}); stream.on('end', done); }}
}}).listen({port}, '{host}');
"""


def start(name: str, folder: str) -> Server:
    """Start a server by its name."""
    port = free_port()
    if name == "stock":
        command = [sys.executable, "-c", STOCK.format(host=HOST, port=port)]
    elif name == "smtp-sink":
        command = ["smtp-sink", "-u", "nobody", f"{HOST}:{port}", "1000"]
    elif name == "nodemailer":
        command = ["node", "-e", NODEMAILER.format(host=HOST, port=port)]
    else:
        logs = (
            {"mode": "none"}
            if name in ("silent", "counted")
            else {"mode": "production", "output": f"{folder}/rrpy.log"}
        )
        config = {
            "version": "3",
            "server": {},
            "logs": logs,
            "smtp": {
                "addr": f"{HOST}:{port}",
                "hostname": "mx.test",
                "max_connections": 2000,
                "max_message_size": 2**25,
                "pool": {"num_workers": 1},
            },
            **({"metrics": {"address": f"{HOST}:0"}, "status": {"address": f"{HOST}:0"}} if name == "counted" else {}),
        }
        path = Path(folder) / f"{name}.yaml"
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "rrpy", "serve", "-c", str(path)]
    return Server(name, command, port, folder)


def measure(server: Server, scenario: str, share: float) -> float:
    """Return microseconds of server CPU per message, or bytes per idle connection."""
    if scenario == "e":
        before = server.rss()
        sockets = [socket.create_connection((HOST, server.port), 5) for _ in range(IDLE)]
        try:
            for each in sockets:
                each.recv(200)
            return (server.rss() - before) / IDLE
        except TimeoutError:  # a server that does not greet as many at once
            return math.nan
        finally:
            for each in sockets:
                each.close()
    messages, size, at_once, each, pipelined = SCENARIOS[scenario]
    messages = max(at_once, int(messages * share) // at_once * at_once)
    before_cpu = server.cpu()
    run(load(server.port, messages, body(size), at_once, each, pipelined))
    return (server.cpu() - before_cpu) / messages * 1e6


def run(work: object) -> None:
    """Run a coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)  # type: ignore[arg-type]


def available(folder: str) -> list[str]:
    names = ["stock", "rrpy", "silent", "counted"]
    if shutil.which("smtp-sink"):
        names.append("smtp-sink")
    if (
        shutil.which("node")
        and not subprocess.run(
            ["node", "-e", "require('smtp-server')"], cwd=folder, capture_output=True, check=False
        ).returncode
    ):
        names.append("nodemailer")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--only", default="a,b,f,c,d,e", help="scenarios, comma between them")
    parser.add_argument("--servers", help="servers, comma between them")
    options = parser.parse_args()
    pin(1)
    scenarios = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        names = options.servers.split(",") if options.servers else available(str(Path.cwd()))
        found: dict[str, dict[str, list[float]]] = {name: {each: [] for each in scenarios} for name in names}
        for _ in range(options.rounds):
            for scenario in scenarios:
                for name in names:
                    server = start(name, folder if name != "nodemailer" else str(Path.cwd()))
                    try:
                        if scenario != "e":
                            measure(server, scenario, 0.05)  # warm
                        found[name][scenario].append(measure(server, scenario, 0.1 if options.quick else 1))
                    finally:
                        server.close()
    report(found, scenarios, options.rounds)


def report(found: dict[str, dict[str, list[float]]], scenarios: list[str], rounds: int) -> None:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}"
    print(f"{machine}, Python {platform.python_version()}")
    print(f"microseconds of server CPU per message (e: bytes per idle connection), median of {rounds}\n")
    print("| server | " + " | ".join(scenarios) + " |\n|" + "---|" * (len(scenarios) + 1))
    medians = {name: {each: statistics.median(rows[each]) for each in scenarios} for name, rows in found.items()}
    for name, row in medians.items():
        print(f"| {name} | " + " | ".join(f"{row[each]:,.0f}" for each in scenarios) + " |")
    for ours in ("rrpy", "silent"):
        if ours in medians:
            for name, row in medians.items():
                if name != ours:
                    ratios = " | ".join(f"{row[each] / max(medians[ours][each], 1e-9):.1f}" for each in scenarios)
                    print(f"| {name} / {ours} | {ratios} |")


if __name__ == "__main__":
    main()
