"""What a start costs: the CPU time of `rrpy --help` and of an `rrpy rpc` round trip, and an idle host's memory.

    python benchmarks/startup.py --rounds 10

CPU time is user and system of the process and its children, in milliseconds, beside `python -c pass`; medians of the
rounds, which run in turn. The host has the repository's rr.yaml on free ports: RPC, SMTP, one worker, which has its own
line. RSS counts shared libraries in full, USS only what would be freed at the end; MB is 10^6 bytes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import yaml

CONFIG = Path(__file__).parent.parent / "rr.yaml"
LIMITS = {"rrpy --help": 250, "rrpy rpc": 300}
"""Milliseconds of CPU that we allow ourselves."""


@contextmanager
def host(folder: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run a host that has nothing to do; give its address and its process."""
    address = f"unix://{folder}/rpc.sock"
    config = yaml.safe_load(CONFIG.read_text())
    del config["inbox"]
    (Path(folder) / "rr.yaml").write_text(yaml.safe_dump(config))
    options = ["-o", f"rpc.listen={address}", "-o", "smtp.addr=127.0.0.1:0", "-o", "logs.encoding=console"]
    command = [sys.executable, "-m", "rrpy", "serve", *options]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            if not any("host is ready" in line for line in process.stderr):
                sys.exit("the host did not start")
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.stderr.read()


def cpu(command: list[str]) -> float:
    """Run a command and return the milliseconds of CPU that it took."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return 1000 * (after.children_user + after.children_system - before.children_user - before.children_system)


def memory(process: psutil.Process) -> str:
    found = process.memory_full_info()
    return f"RSS {found.rss / 1e6:.1f} MB, USS {found.uss / 1e6:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder, host(folder) as (address, process):
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "rrpy --help": [sys.executable, "-m", "rrpy", "--help"],
            "rrpy rpc": [sys.executable, "-m", "rrpy", "rpc", "-c", str(CONFIG), "-o", f"rpc.listen={address}"],
        }
        commands["rrpy rpc"].append("rpc.Version")
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                taken[name].append(cpu(command))
        time.sleep(1)  # the host has been asked; let it come to rest
        base = statistics.median(taken["python -c pass"])
        for name, times in taken.items():
            middle = statistics.median(times)
            limit = f", {LIMITS[name]} ms allowed" if name in LIMITS else ""
            print(f"{name}: {middle:.0f} ms of CPU, {middle / base:.1f} times python -c pass{limit}")
        print(f"idle host: {memory(process)}")
        for worker in process.children():
            print(f"idle worker: {memory(worker)}")


if __name__ == "__main__":
    main()
