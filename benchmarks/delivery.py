"""Mail to workers, end to end: how many messages a second, and what one costs.

    python benchmarks/delivery.py [--rounds 3] [--quick] [--only small,attachment,large]

Servers: `log` (rrpy that logs and accepts), `worker-1` and `worker-2` (`deliver: workers` with one and two workers of
the Python SDK), and where smtp-server and mailparser of Node.js are installed `node` (which receives and parses in one
process, as a Node program would). All run without a core of their own, in turn, round after round; 20 connections.

Scenarios: (small) 1 KiB of text; (attachment) 100 KiB with one attachment in base64; (large) 10 MiB of the same.
Reported: messages a second, microseconds of CPU of the host's process a message, and of all its processes together.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from smtp import HOST, Server, body, free_port, load, run

NODE = """
const {{ SMTPServer }} = require('smtp-server');
const {{ simpleParser }} = require('mailparser');
new SMTPServer({{ authOptional: true, disableReverseLookup: true, hideSTARTTLS: true, size: 33554432,
  onData(stream, session, done) {{ simpleParser(stream).then((mail) => done(null, mail.subject), done); }}
}}).listen({port}, '{host}');
"""


def with_attachment(size: int) -> bytes:
    """Return a multipart message of about `size` bytes whose second part is base64, and its end of data."""
    content = base64.encodebytes(os.urandom(size * 3 // 4)).replace(b"\n", b"\r\n")
    return b"".join(
        [
            b"From: sender@example.com\r\nTo: recipient@example.com\r\nSubject: benchmark\r\nMIME-Version: 1.0\r\n",
            b"Content-Type: multipart/mixed; boundary=edge\r\n\r\n--edge\r\nContent-Type: text/plain\r\n\r\nHello\r\n",
            b"--edge\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            content,
            b"--edge--\r\n.\r\n",
        ]
    )


SCENARIOS = {
    "small": (8000, body(1024), 20),
    "attachment": (1200, with_attachment(100 * 1024), 20),
    "large": (16, with_attachment(10 * 1024 * 1024), 4),
}
"""Scenario -> messages, the text after DATA, connections."""


def start(name: str, folder: str) -> Server:
    """Start a server by its name."""
    port = free_port()
    if name == "node":
        return Server(name, ["node", "-e", NODE.format(host=HOST, port=port)], port, str(Path.cwd()), core=None)
    workers = int(name.removeprefix("worker-")) if name != "log" else 1
    config = {
        "version": "3",
        "logs": {"mode": "production", "output": f"{folder}/rrpy.log"},
        "server": {
            "command": "python -m rrpy.worker decide:handle",
            "env": {"PYTHONPATH": str(Path(__file__).parent)},
        },
        "smtp": {
            "addr": f"{HOST}:{port}",
            "max_message_size": 2**25,
            "deliver": "log" if name == "log" else "workers",
            "pool": {"num_workers": workers},
        },
    }
    path = Path(folder) / f"{name}.yaml"
    path.write_text(json.dumps(config))
    return Server(name, [sys.executable, "-m", "rrpy", "serve", "-c", str(path)], port, folder, core=None)


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def measure(server: Server, scenario: str, share: float) -> tuple[float, float, float]:
    """Return messages a second, and microseconds of CPU a message: of the host, and of all its processes."""
    messages, payload, at_once = SCENARIOS[scenario]
    messages = max(at_once, int(messages * share) // at_once * at_once)
    host = psutil.Process(server.process.pid)
    family = [host, *host.children(recursive=True)]
    before, began = [cpu(each) for each in family], time.perf_counter()
    run(load(server.port, messages, payload, at_once, 0, False))
    took = time.perf_counter() - began
    used = [cpu(each) - first for each, first in zip(family, before, strict=True)]
    return messages / took, used[0] / messages * 1e6, sum(used) / messages * 1e6


def available() -> list[str]:
    probe = ["node", "-e", "require('smtp-server'); require('mailparser')"]
    has_node = shutil.which("node") and not subprocess.run(probe, capture_output=True, check=False).returncode
    return ["log", "worker-1", "worker-2", *(["node"] if has_node else [])]


def report(found: dict[str, dict[str, list[tuple[float, ...]]]], scenarios: list[str], rounds: int) -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"
    )
    print(f"messages a second / us of host CPU / us of all CPU a message, medians of {rounds}\n")
    print("| server | " + " | ".join(scenarios) + " |\n|" + "---|" * (len(scenarios) + 1))
    medians = {
        name: {each: tuple(map(statistics.median, zip(*rows[each], strict=True))) for each in scenarios}
        for name, rows in found.items()
    }
    for name, row in medians.items():
        print(
            f"| {name} | " + " | ".join(" / ".join(f"{value:,.0f}" for value in row[each]) for each in scenarios) + " |"
        )
    for ours in ("worker-1", "worker-2"):
        cost = " | ".join(f"{medians[ours][each][1] / medians['log'][each][1]:.1f}" for each in scenarios)
        print(f"| {ours} / log: host CPU | {cost} |")
        if "node" in medians:
            faster = " | ".join(f"{medians[ours][each][0] / medians['node'][each][0]:.1f}" for each in scenarios)
            print(f"| {ours} / node: messages a second | {faster} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios, comma between them")
    options = parser.parse_args()
    scenarios = options.only.split(",")
    names = available()
    found: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {each: [] for each in scenarios} for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for scenario in scenarios:
                for name in names:
                    server = start(name, folder)
                    try:
                        measure(server, scenario, 0.05)  # warm
                        found[name][scenario].append(measure(server, scenario, 0.1 if options.quick else 1))
                    finally:
                        server.close()
    report(found, scenarios, options.rounds)


if __name__ == "__main__":
    main()
