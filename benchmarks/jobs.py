"""Jobs: what it costs to queue mail and to work it off, as ratios to `deliver: log` and `deliver: workers` of one run.

    python benchmarks/jobs.py [--rounds 3] [--quick] [--only accept,work,answer,push,spool] [--spooled 100000]

Servers: `log`, `workers` (two workers), and `deliver: jobs` with the drivers `memory`, `sqlite`, and `nats` where
nats-server is installed. The host runs on one core in (accept), (answer) and (push), the client on the other.

(accept) the host's CPU for each mail, at 20 kept connections, without workers: 1 KiB, 100 KiB, 10 MiB. (work) the CPU
of all processes for each mail of 1 KiB, from the first byte until two workers have done the last. (answer) milliseconds
from the end of a mail to its 250, at 100 connections: the median and the 99th percentile. (push) `jobs.Push` by RPC a
second, 64 at once. (spool) with so many jobs in the file: seconds from the start to the first job at a worker, and the
growth of the host's memory beside a host without jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from smtp import HOST, Sender, Server, body, free_port, load, pin, run

from rrpy.goridge.frame import JSON, Decoder, Frame, encode
from rrpy.rpc.client import Client

ACCEPT = {"1 KiB": (10_000, 1024, 20), "100 KiB": (2000, 100 * 1024, 20), "10 MiB": (24, 10 * 1024 * 1024, 4)}
"""Scenario -> mails, bytes, connections."""
WORK = 4000
ANSWERS = 20_000
PUSHES = 40_000
AT_ONCE = 64
NATS = shutil.which("nats-server", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])) or ""


class Running:
    """A host that runs. `rpc`: its RPC client."""

    def __init__(self, name: str, folder: Path, *, consume: bool = False, core: int | None = 0, nats: str = "") -> None:
        port, rpc = free_port(), free_port()
        smtp: dict[str, Any] = {"addr": f"{HOST}:{port}", "max_message_size": 2**25, "deliver": "log"}
        config: dict[str, Any] = {
            "version": "3",
            "logs": {"mode": "production", "output": f"{folder}/{name}.log"},
            "rpc": {"listen": f"tcp://{HOST}:{rpc}"},
            "smtp": smtp,
        }
        if consume:
            folder_of_workers = str(Path(__file__).parent)
            config["server"] = {
                "command": "python -m rrpy.worker decide:done",
                "env": {"PYTHONPATH": folder_of_workers},
            }
        if name == "workers":
            smtp |= {"deliver": "workers", "pool": {"num_workers": 2}}
        elif name != "log":
            smtp |= {"deliver": "jobs", "jobs": {"pipeline": "mail"}}
            given = {"file": f"{folder}/spool.db"} if name == "sqlite" else {}
            config["jobs"] = {
                "consume": ["mail"] if consume else [],
                "pipelines": {"mail": {"driver": name, "config": given}},
                **({"pool": {"num_workers": 2}} if consume else {}),
            }
            if name == "nats":
                config["nats"] = {"addr": nats}
        path = folder / f"{port}.yaml"
        path.write_text(json.dumps(config))
        command = [sys.executable, "-m", "rrpy", "serve", "-c", str(path)]
        self.server = Server(name, command, port, str(folder), core)
        self.port, self.rpc_port = port, rpc
        self.rpc = Client(f"tcp://{HOST}:{rpc}")

    def stat(self) -> dict[str, Any]:
        """Return the figures of the pipeline."""
        return self.rpc.call("jobs.Stat")["stats"][0]

    def family(self) -> list[psutil.Process]:
        host = psutil.Process(self.server.process.pid)
        return [host, *host.children(recursive=True)]

    def close(self) -> None:
        self.rpc.close()
        self.server.close()


@contextmanager
def running(name: str, **options: Any) -> Iterator[Running]:
    """Run a host in a folder of its own, for nats beside a server of its own."""
    with tempfile.TemporaryDirectory() as text:
        folder, server = Path(text), None
        try:
            if name == "nats":
                port = free_port()
                command = [NATS, "-js", "-a", HOST, "-p", str(port), "-sd", f"{folder}/js"]
                server = Server("nats-server", command, port, text, core=1 if options.get("core", 0) == 0 else None)
                options["nats"] = f"nats://{HOST}:{port}"
            host = Running(name, folder, **options)
            try:
                yield host
            finally:
                host.close()
        finally:
            if server is not None:
                server.close()


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def accept(name: str, scenario: str, share: float) -> float:
    """Return microseconds of the host's CPU for each mail that it accepts."""
    mails, size, at_once = ACCEPT[scenario]
    mails = max(at_once, int(mails * share) // at_once * at_once)
    payload = body(size)
    with running(name) as host:
        run(load(host.port, max(at_once, mails // 10), payload, at_once, 0, False))  # warm
        before = host.server.cpu()
        run(load(host.port, mails, payload, at_once, 0, False))
        return (host.server.cpu() - before) / mails * 1e6


def work(name: str, share: float) -> float:
    """Return microseconds of CPU of all processes for each mail, until the workers have done the last."""
    mails = max(200, int(WORK * share) // 20 * 20)
    with running(name, consume=True, core=None) as host:

        def all_of(count: int) -> None:
            run(load(host.port, count, body(1024), 20, 0, False))
            while name != "workers" and any(host.stat()[each] for each in ("active", "delayed", "reserved")):
                time.sleep(0.05)

        all_of(200)  # warm
        family = host.family()
        before = [cpu(each) for each in family]
        all_of(mails)
        return sum(cpu(each) - first for each, first in zip(family, before, strict=True)) / mails * 1e6


class Timed(Sender):
    """A sender that takes the time from each end of a mail to the next reply."""

    took: list[float]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if data.startswith(b"250 ") and self.sent_at:
            self.took.append(now - self.sent_at)
        self.sent_at = 0.0
        super().data_received(data)
        if data.startswith(b"354"):
            self.sent_at = time.perf_counter()

    sent_at = 0.0


def answer(name: str, share: float) -> tuple[float, float]:
    """Return the milliseconds to a 250, the median and the 99th percentile."""
    took: list[float] = []
    each = max(10, int(ANSWERS * share) // 100)

    async def connections(port: int) -> None:
        loop = asyncio.get_running_loop()
        finished = [loop.create_future() for _ in range(100)]
        for future in finished:
            sender = Timed(each, body(1024), False, lambda _, future=future: future.set_result(None))
            sender.took = took
            await loop.create_connection(lambda sender=sender: sender, HOST, port)
        await asyncio.gather(*finished)

    with running(name) as host:
        run(connections(host.port))
    took.sort()
    return took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3


def push(name: str, share: float) -> float:
    """Return calls a second, 64 at once: of `rpc.Version` for log, else of `jobs.Push`."""
    calls = max(AT_ONCE, int(PUSHES * share) // AT_ONCE * AT_ONCE)
    given = {"job": {"job": "report", "payload": "e30=", "options": {"pipeline": "mail"}}}
    method, argument = ("rpc.Version", b"") if name == "log" else ("jobs.Push", json.dumps(given).encode())
    with running(name) as host, socket.create_connection((HOST, host.rpc_port)) as client:
        text = method.encode()
        requests = [encode(Frame(JSON, text + argument, (number, len(text)))) for number in range(AT_ONCE)]
        decoder = Decoder()

        def ask(count: int) -> None:
            sent = done = 0
            while done < count:
                more = min(AT_ONCE - (sent - done), count - sent)
                if more:
                    client.sendall(b"".join(requests[:more]))
                    sent += more
                frames = decoder.feed(client.recv(65536))
                assert not any(frame.flags & 0x40 for frame in frames), frames[0].payload
                done += len(frames)

        ask(calls // 10)
        before = time.perf_counter()
        ask(calls)
        return calls / (time.perf_counter() - before)


def spool(jobs: int) -> tuple[float, float]:
    """Return the seconds to the first job at a worker, and the MiB by which the memory grows, with so many jobs."""
    with tempfile.TemporaryDirectory() as text:
        host = Running("sqlite", Path(text))
        run(load(host.port, jobs // 20 * 20, body(1024), 20, 0, False))
        host.close()
        began = time.perf_counter()
        host = Running("sqlite", Path(text), consume=True, core=None)
        try:
            left = host.stat()["active"]
            while host.stat()["active"] >= left:
                time.sleep(0.01)
            took, size = time.perf_counter() - began, host.server.rss()
        finally:
            host.close()
    with running("sqlite", consume=True, core=None) as empty:
        return took, (size - empty.server.rss()) / 2**20


def table(title: str, names: list[str], columns: dict[str, Callable[[str], float]], rounds: int, base: str) -> None:
    """Measure each column of each server, in turn; print the medians and their ratios to the server `base`."""
    found: dict[str, dict[str, list[float]]] = {name: {column: [] for column in columns} for name in names}
    for _ in range(rounds):
        for column, measure in columns.items():
            for name in names:
                found[name][column].append(measure(name))
    print(f"\n| {title} | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    first = {column: statistics.median(found[base][column]) for column in columns}
    for name in names:
        medians = {column: statistics.median(found[name][column]) for column in columns}
        cells = [f"{median:,.0f} ({median / first[column]:.2f})" for column, median in medians.items()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the mails")
    parser.add_argument("--only", default="accept,work,answer,push,spool", help="parts, comma between them")
    parser.add_argument("--spooled", type=int, default=100_000)
    options = parser.parse_args()
    parts, share = options.only.split(","), 0.1 if options.quick else 1.0
    drivers = ["memory", "sqlite", *(["nats"] if NATS else [])]
    pin(1)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, medians of {options.rounds} (ratio to the first)")
    if "accept" in parts:
        columns = {each: lambda name, each=each: accept(name, each, share) for each in ACCEPT}
        table("us of host CPU, accepted", ["log", *drivers], columns, options.rounds, "log")
    if "answer" in parts:
        for name in ["log", *drivers]:
            rows = [answer(name, share) for _ in range(options.rounds)]
            median, high = (statistics.median(each) for each in zip(*rows, strict=True))
            print(f"250 at 100 connections, {name}: median {median:.1f} ms, p99 {high:.1f} ms", flush=True)
    if "push" in parts:
        calls = {"a second": lambda name: push(name, share)}
        table("jobs.Push, beside rpc.Version", ["log", *drivers], calls, options.rounds, "log")
    if "spool" in parts:
        took, grown = spool(int(options.spooled * share))
        print(f"\n{int(options.spooled * share):,} spooled: first job after {took:.2f} s, {grown:.0f} MiB more")
    if "work" in parts:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        figures = {"us of all CPU": lambda name: work(name, share)}
        table("worked off, two workers", ["workers", *drivers], figures, options.rounds, "workers")


if __name__ == "__main__":
    main()
