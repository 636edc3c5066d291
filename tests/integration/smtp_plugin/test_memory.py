"""What the SMTP server keeps in memory, seen from outside a real host."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from support.container.host import hosting
from support.smtp_plugin.client import BlockingClient
from support.worker.delivery import delivering

MIB = 1024 * 1024


def peak(pid: int) -> int:
    """Return the most memory a process ever had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def send(address: tuple[str, int], body: bytes, replies: list[str]) -> None:
    with BlockingClient(address) as client:
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
        with BlockingClient(host.smtp) as client:
            client.line()
            chunk = b"x" * MIB
            try:
                for _ in range(100):
                    client.socket.sendall(chunk)  # an endless command line
            except OSError:
                pass
        with BlockingClient(host.smtp) as client:
            client.begin()
            try:
                for _ in range(100):
                    client.socket.sendall(chunk)  # an endless line of a message
            except OSError:
                pass
        assert peak(host.process.pid) - before < 2 * MIB


def test_messages_that_wait_for_a_worker_cost_no_more_than_their_bytes(tmp_path: Path) -> None:
    """Every byte of these becomes six in the event, which is not made before a worker takes the message."""
    body = b"Subject: x\r\n\r\n" + (b"\x01" * 998 + b"\r\n") * 200 + b".\r\n"
    count = 100
    with delivering(tmp_path) as host, ExitStack() as clients:
        send(host.smtp, b"\r\n.\r\n", [])  # what is imported with the first message is here now
        before = peak(host.process.pid)
        waiting = [clients.enter_context(BlockingClient(host.smtp)) for _ in range(count)]
        for client in waiting:
            client.line()
            for command in ("EHLO x", "MAIL FROM:<a@b.c>", "RCPT TO:<wait@y.z>", "DATA"):
                client.say(command)
            client.socket.sendall(body)
        with BlockingClient(host.smtp) as client:  # its reply shows that the server read the others
            client.begin()
        grown = peak(host.process.pid) - before
        (tmp_path / "seen" / "gate").touch()
        assert {client.line()[:3] for client in waiting} == {"250"}
        assert grown < 2 * count * len(body), f"{grown / count / len(body):.1f} times"


def test_the_recipients_of_a_message_that_waits_count_for_the_budget(tmp_path: Path) -> None:
    with delivering(tmp_path, max_inflight_bytes=100_000) as host, ExitStack() as clients:
        waiting = [clients.enter_context(BlockingClient(host.smtp)) for _ in range(2)]
        for client in waiting:
            client.line()
            client.say("EHLO x")
            client.say("MAIL FROM:<a@b.c>")
            for number in range(100):
                assert client.say(f"RCPT TO:<wait@{number}.example>") == "250 OK"
            client.say("DATA")
            client.send("hello\r\n.")
        with BlockingClient(host.smtp) as client:
            client.line()
            client.say("EHLO x")
            assert client.say("MAIL FROM:<a@b.c>") == "452 4.3.1 Insufficient system storage, try again later"
            (tmp_path / "seen" / "gate").touch()
            assert {each.line()[:3] for each in waiting} == {"250"}
            assert client.say("MAIL FROM:<a@b.c>") == "250 OK"
