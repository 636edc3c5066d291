"""What the SMTP server keeps in memory, seen from outside a real host."""

from __future__ import annotations

import threading
from pathlib import Path

from support.host import Telnet, hosting

MIB = 1024 * 1024


def peak(pid: int) -> int:
    """Return the most memory a process ever had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def send(address: tuple[str, int], body: bytes, replies: list[str]) -> None:
    with Telnet(address) as client:
        client.begin()
        client.socket.sendall(body)
        replies.append(client.line())


def test_four_messages_of_ten_mib_at_once_take_less_than_100_mib(tmp_path: Path) -> None:
    line = b"x" * 76 + b"\r\n"
    body = line * (10 * MIB // len(line)) + b".\r\n"
    with hosting(tmp_path, logs={"level": "info"}) as host:
        replies: list[str] = []
        clients = [threading.Thread(target=send, args=(host.smtp, body, replies)) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert replies == ["250 OK: message accepted"] * 4
        assert len(host.wait_for("email received", 4)) == 4
        assert peak(host.process.pid) < 100 * MIB


def test_a_flood_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    with hosting(tmp_path, smtp={"max_message_size": 1024}) as host:
        before = peak(host.process.pid)
        with Telnet(host.smtp) as client:
            client.line()
            chunk = b"x" * MIB
            try:
                for _ in range(100):
                    client.socket.sendall(chunk)  # an endless command line
            except OSError:
                pass
        with Telnet(host.smtp) as client:
            client.begin()
            try:
                for _ in range(100):
                    client.socket.sendall(chunk)  # an endless line of a message
            except OSError:
                pass
        assert peak(host.process.pid) - before < 2 * MIB
