"""No message that got its 250 is lost: while workers are killed at random, and the host once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from contextlib import suppress

import psutil
import pytest
from support.container.host import Host, gone
from support.worker.delivery import delivering

MESSAGES = 2000
CONNECTIONS = 20


class Sender:
    """One client: sends its share of the numbers, each again and again until it gets 250; keeps those that got it."""

    def __init__(self, port: int, numbers: list[int]) -> None:
        self.port = port
        self.todo = numbers
        self.acknowledged: list[int] = []
        self.refused = 0

    async def run(self) -> None:
        while self.todo:
            with suppress(OSError, EOFError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    await self._session(reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(0.02)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(text: str) -> str:
            writer.write(text.encode() + b"\r\n")
            while True:
                line = await reader.readline()
                if not line:
                    raise EOFError
                if line[3:4] != b"-":
                    return line[:3].decode()

        if not await reader.readline():
            raise EOFError
        await say("EHLO client.example")
        while self.todo:
            number = self.todo[-1]
            for command in ("MAIL FROM:<a@b.c>", "RCPT TO:<x@y.z>", "DATA"):
                if not (await say(command)).startswith(("2", "3")):
                    raise EOFError
            code = await say(f"Subject: number {number}\r\n\r\nhello\r\n.")
            if code == "250":
                self.acknowledged.append(self.todo.pop())
            else:
                self.refused += 1
                assert code == "451"


@pytest.mark.timeout(240)
def test_every_message_that_got_250_was_seen_by_a_worker(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dice = random.Random(7)
    killed: set[int] = set()
    senders = [Sender(port, list(range(start, MESSAGES, CONNECTIONS))) for start in range(CONNECTIONS)]

    def done() -> int:
        return sum(len(sender.acknowledged) for sender in senders)

    async def kill_workers(host: Host, until: int) -> None:
        """Kill one every few messages: by what they did, and not by the clock, where a slow machine's never come up."""
        while done() < until:
            enough = min(done() + dice.randint(5, 40), until)
            while done() < enough:
                assert host.process.poll() is None, host.lines[-20:]
                await asyncio.sleep(0.01)
            workers = psutil.Process(host.process.pid).children()
            if workers:
                victim = dice.choice(workers).pid
                with suppress(ProcessLookupError):
                    os.kill(victim, dice.choice([signal.SIGKILL, signal.SIGTERM]))
                    killed.add(victim)

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            settings = {"handler": "record", "workers": 3, "addr": f"127.0.0.1:{port}", "max_errors": 0}
            with delivering(tmp_path, **settings) as host:
                for sender in senders:
                    group.create_task(sender.run())
                await kill_workers(host, MESSAGES // 2)
                children = [child.pid for child in psutil.Process(host.process.pid).children()]
                host.process.kill()
                host.process.wait()
                assert gone(children)
            with delivering(tmp_path, **settings) as host:
                await kill_workers(host, MESSAGES)

    asyncio.run(scene())
    assert killed
    acknowledged = {number for sender in senders for number in sender.acknowledged}
    assert acknowledged == set(range(MESSAGES))
    written = {int(file.name) for file in (tmp_path / "seen").iterdir()}
    assert acknowledged <= written
