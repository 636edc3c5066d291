"""The client of the relay, against real sockets that answer what no well-behaved server does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest
import trustme
from support.inbox.stored import received
from support.log import Log

from rrpy.container.config.fields import Secret
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.records import Release
from rrpy.inbox.relay.client import send
from rrpy.inbox.relay.config import RelayConfig
from rrpy.inbox.relay.exchange import Outgoing, RelayError, Reply
from rrpy.inbox.relay.release import Releaser
from rrpy.inbox.store.store import Store, StoreError

pytestmark = pytest.mark.anyio

MAIL = Outgoing("a@b.c", ["x@y.z", "w@y.z"], b"Subject: hi\r\n\r\n.dot\r\n", utf8=False)
ALL = "250-relay\n250-8BITMIME\n250-SIZE 1000\n250-AUTH PLAIN\n250 SMTPUTF8"


@asynccontextmanager
async def relay(
    answers: Mapping[str, str], context: ssl.SSLContext | None = None, **keys: object
) -> AsyncIterator[tuple[RelayConfig, list[str]]]:
    """Serve scripted replies, each for the lines that begin with its key; "" closes, `silence` waits."""
    said: list[str] = []
    tasks: list[asyncio.Task[object] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            line, data = "CONNECT", False
            while True:
                if not data:
                    name = next((each for each in answers if line.upper().startswith(each)), "")
                    text = answers.get(name, "250 OK") if name else "250 OK"
                    if text == "silence":
                        await reader.read()
                    if text in ("", "silence"):
                        return
                    writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
                    data = text.startswith("354")
                line = (await reader.readline()).decode("latin-1").rstrip("\r\n")
                if not line and reader.at_eof():
                    return
                said.append(line)
                if data and line == ".":
                    data, line = False, "END"
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield RelayConfig("127.0.0.1", port=port, **{"tls": "none", **keys}), said  # type: ignore[arg-type]
    finally:
        server.close()
        for each in filter(None, tasks):
            each.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


GOOD = {"CONNECT": "220 relay", "EHLO": ALL, "DATA": "354 go", "END": "250 2.0.0 queued as 4711"}


async def test_all_recipients_are_named_before_the_message_and_dots_are_stuffed() -> None:
    async with relay(GOOD) as (config, said):
        assert await send(config, MAIL) == Reply(250, "2.0.0 queued as 4711")
    assert said[1:9] == [
        "MAIL FROM:<a@b.c> SIZE=21", "RCPT TO:<x@y.z>", "RCPT TO:<w@y.z>", "DATA", "Subject: hi", "", "..dot", ".",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "keys", "reason"),
    [
        ({"CONNECT": "554 5.7.1 go away"}, {}, "answers 554 5.7.1 go away"),
        ({"CONNECT": ""}, {}, "closes"),
        ({"MAIL": "451 4.3.0 later"}, {}, "refuses the sender: 451 4.3.0 later"),
        (
            {"RCPT TO:<W": "550-no\n550 \x1b[31msuch"},
            {},
            "refuses w@y.z: 550 no \ufffd[31msuch",
        ),
        ({"DATA": "554 5.5.1 none"}, {}, "refuses the message: 554 5.5.1 none"),
        ({"DATA": "250 ok"}, {}, "refuses the message: 250 ok"),
        ({"END": "552 5.3.4 too big"}, {}, "refuses the message: 552 5.3.4 too big"),
        ({"END": ""}, {}, "closes"),
        ({"EHLO": "gibberish"}, {}, "does not speak SMTP: malformed SMTP response line: gibberish"),
        ({"EHLO": "250-relay\n250 SIZE 20"}, {}, "takes 20 bytes, and the message has 21"),
        ({"AUTH": "535 5.7.8 wrong"}, {"username": "ann", "password": Secret("hunter2")}, "the login: 535 5.7.8 wrong"),
        (
            {"AUTH": "535 5.7.8 unknown: AUTH PLAIN AGFubgBodW50ZXIy for hunter2"},
            {"username": "ann", "password": Secret("hunter2")},
            "the login: 535 5.7.8 unknown: AUTH PLAIN *** for ***",
        ),
        ({"EHLO": "250 relay"}, {"username": "ann"}, "AUTH"),
        ({}, {"tls": "starttls"}, "does not offer STARTTLS"),
        ({}, {"tls": "implicit"}, "TLS with the relay"),
    ],
)
async def test_a_refusal_is_one_sentence_with_the_relays_reply(
    answers: dict[str, str], keys: dict[str, object], reason: str
) -> None:
    async with relay(GOOD | answers, **keys) as (config, said):
        with pytest.raises(RelayError) as raised:
            await send(config, MAIL, timeout=20)
    assert reason in str(raised.value)
    assert config.address in str(raised.value)
    assert "hunter2" not in str(raised.value)
    if "RCPT TO:<W" in answers:
        assert "DATA" not in said, "no recipient gets what another one does not"


async def test_a_mail_that_the_relay_cannot_take_is_not_sent() -> None:
    wide = MAIL._replace(content="Subject: ü\r\n\r\n".encode(), utf8=True)
    async with relay(GOOD | {"EHLO": "250 relay"}) as (config, said):
        with pytest.raises(RelayError, match="8BITMIME"):
            await send(config, wide)
    async with relay(GOOD | {"EHLO": "250-relay\n250 8BITMIME"}) as (config, said):
        with pytest.raises(RelayError, match="SMTPUTF8"):
            await send(config, wide)
    assert not any(line.startswith("MAIL") for line in said)
    async with relay(GOOD) as (config, said):
        await send(config, wide)
    assert "MAIL FROM:<a@b.c> SIZE=15 BODY=8BITMIME SMTPUTF8" in said


async def test_a_silent_relay_is_left_and_a_port_without_a_server_named() -> None:
    async with relay(GOOD | {"MAIL": "silence"}) as (config, _):
        with pytest.raises(RelayError, match="does not answer in time") as raised:
            await send(config, MAIL, timeout=0.05)
        assert raised.value.status == 504
    with pytest.raises(RelayError, match="cannot connect to the relay"):
        await send(config, MAIL)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"552 5.3.4 too big\r\n", "552 5.3.4 too big"),
        (b"250 taken\r\n", "answers before the end of the message"),
        (b"", "does not answer in time"),
    ],
)
async def test_a_relay_that_reads_no_more_gets_no_more(reply: bytes, reason: str) -> None:
    """It got the whole message into a buffer, which stayed with the connection for as long as the relay liked."""
    left, ended = asyncio.Event(), asyncio.Event()
    read = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        writer.write(b"220 relay\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 OK\r\n")
        writer.write(b"354 go\r\n")
        await reader.readline()
        writer.write(reply)
        await left.wait()
        with suppress(ConnectionError):
            while piece := await reader.read(1 << 20):
                read += len(piece)
        writer.close()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = RelayConfig("127.0.0.1", port=server.sockets[0].getsockname()[1], tls="none")
    large = MAIL._replace(content=(b"x" * 998 + b"\r\n") * 32_000)
    try:
        with pytest.raises(RelayError, match=reason):
            await send(config, large, timeout=20 if reply else 0.2)
    finally:
        left.set()
        await ended.wait()
        server.close()
    assert read < len(large.content) // 2


async def test_a_certificate_of_another_authority_or_name_is_refused() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with relay(GOOD, context, tls="implicit", username="ann", password=Secret("hunter2")) as (config, said):
        with pytest.raises(RelayError, match=r"TLS with the relay .* fails: .*certificate"):
            await send(config, MAIL)
    assert said == []


async def test_a_release_ends_when_the_host_stops_and_the_message_says_so() -> None:
    """It held up the end of the host for three seconds, and left nothing on the message."""
    mailbox = Mailbox(Store())
    await mailbox.add(received("hi"))
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = RelayConfig("127.0.0.1", port=server.sockets[0].getsockname()[1], tls="none", allow=["*@*"])
    releaser = Releaser(mailbox, MailServers(), config, Log())
    releasing = asyncio.ensure_future(releaser.release("hi", ["x@y.z"]))
    await asked.wait()
    mailbox.stop()
    reason = f"the host stops; the relay {config.address} may have the message"
    with pytest.raises(RelayError, match=reason) as raised:
        await releasing
    assert raised.value.status == 503
    stored = await mailbox.read("hi")
    assert stored is not None
    assert reason in stored.releases.decode()
    server.close()


async def test_a_release_that_the_message_cannot_keep_has_its_result_all_the_same() -> None:
    """The client got 503 where the relay had taken the message, and released it again."""

    class Full(Store):
        def add_release(self, message_id: str, release: Release) -> bool:
            raise StoreError("no space left on device")

    mailbox, log = Mailbox(Full()), Log()
    await mailbox.add(received("hi"))
    async with relay(GOOD, allow=["*@*"]) as (config, _):
        release = await Releaser(mailbox, MailServers(), config, log).release("hi", ["x@y.z"])
    assert release is not None
    assert (release.accepted, release.code) == (True, 250)
    assert [message for _, message, _ in log.lines] == [
        "message released", "the message does not keep the result of its release",
    ]  # fmt: skip
