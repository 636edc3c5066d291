"""The defects of aiosmtpd that docs/reference/smtp.md lists under 'Differences from aiosmtpd': none of them is ours.

Each test names the point that it checks. Point 3 is in tests/unit/smtp_plugin/test_dialog.py.
"""

from __future__ import annotations

import asyncio
import ssl

import pytest
from support.smtp_plugin.client import Client
from support.smtp_plugin.dialog import BEGIN, HOST
from support.smtp_plugin.server import serving
from support.smtp_plugin.talk import talking

from rrpy.smtp_plugin.delivery.outcome import ACCEPTED, Outcome, Pending
from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.connection import Connection
from rrpy.smtp_plugin.server.deadlines import Timeouts

pytestmark = pytest.mark.anyio


async def test_the_end_of_input_lost_the_mail() -> None:
    """Point 1: `eof_received` cancelled the handler."""
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later()) as server:
        client = await server.connect()
        client.send(BEGIN + b"one\r\n.\r\n" + BEGIN[8:] + b"two\r\n.\r\n")
        client.writer.write_eof()
        await server.backend.delivered.wait()
        gate.set()
        said = await client.rest()
        assert said.count("250 OK: message accepted\r\n") == 2
        assert [content for *_, content in server.backend.messages] == [b"one\r\n", b"two\r\n"]
        client.close()
        await server.emptied()


async def test_a_slow_delivery_was_cancelled_by_the_read_timeout() -> None:
    """Point 2: one timeout covered DATA and the hook together."""
    outcome: Pending[Outcome] = Pending()
    with talking(verdict=lambda *_: outcome, timeouts=Timeouts(read=60)) as client:
        client.say(BEGIN + b"one\r\n.\r\nNOOP\r\n")
        assert client.turn(600) == b""
        outcome.settle(ACCEPTED)
        assert client.replies() == b"250 OK: message accepted\r\n250 OK\r\n"


@pytest.mark.parametrize("text", ["x\r\n250 forged", "\0\x1b[2J", "a secret path"])
async def test_the_text_of_an_exception_went_to_the_client(text: str) -> None:
    """Point 4: it could forge replies."""

    def verdict(*_: object) -> replies.Reply:
        raise RuntimeError(text)

    async with serving(verdict=verdict) as server:
        client = await server.connect()
        await client.begin()
        client.send(b"x\r\n.\r\nQUIT\r\n")
        assert await client.rest() == "451 4.3.0 Temporary failure\r\n221 Bye\r\n"


async def test_auth_was_refused_inside_implicit_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Point 5: only STARTTLS counted as TLS."""
    async with serving(implicit_tls=tls[0]) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port, ssl=tls[1])
        client = Client(reader, writer)
        server.clients.append(client)
        await client.hello()
        assert await client.say("AUTH PLAIN AHUAcA==") == "235 Authentication successful\r\n"
        assert (await client.say("STARTTLS")).startswith("503 ")
        await client.say("QUIT")


async def test_starttls_was_taken_twice_and_with_arguments(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Point 5 and vector 11: and it replaced the session, losing what was stored in it."""
    async with serving(Rules(hostname=HOST, tls_available=True), tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        (connection,) = server.listener.connections
        session = connection.session
        session.proxy_data = kept = object()
        assert (await client.say("STARTTLS foo")).startswith("501 ")
        await client.say("AUTH PLAIN AHUAcA==")
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        await client.writer.start_tls(tls[1], server_hostname="127.0.0.1")
        assert connection.session is session
        assert session.proxy_data is kept
        assert (await client.say("MAIL FROM:<a@b>")).startswith("503 ")
        assert [info.authenticated for info in server.backend.connections()] == [False]
        await client.say("EHLO x")
        assert (await client.say("STARTTLS")).startswith("503 ")


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (["AUTH LOGIN"], "334 VXNlcm5hbWU6"),
        (["auth lOgIn", "dQ=="], "334 UGFzc3dvcmQ6"),
        (["AUTH LOGIN ="], "334 UGFzc3dvcmQ6"),
        (["AUTH LOGIN dTo", "cA"], "235 Authentication successful"),
        (["MAIL FROM:<a@b>", "AUTH PLAIN AHUAcA=="], "503 5.5.1 AUTH is not allowed in a mail transaction"),
        (["AUTH PLAIN AHUA" + "YWFh" * 2800], "235 Authentication successful"),
        (["MAIL FROM:<a@b> AUTH=<>"], "250 OK"),
    ],
)
async def test_auth_had_odd_prompts_cases_and_limits(lines: list[str], last: str) -> None:
    """Point 6."""
    async with serving() as server:
        client = await server.connect()
        await client.hello()
        for line in lines:
            said = await client.say(line)
        assert said == last + "\r\n"


async def test_the_null_sender_was_a_text_and_parameters_lost_their_case() -> None:
    """Point 7: '<>' was kept as two characters, ENVID and ORCPT were upper-cased."""
    async with serving() as server:
        client = await server.connect()
        await client.hello()
        (connection,) = server.listener.connections
        assert await client.say("MAIL FROM:<> ENVID=aBc+2Bd") == "250 OK\r\n"
        assert await client.say("RCPT TO:<x@y.z> ORCPT=rfc822;Bob@Y.z NOTIFY=never") == "250 OK\r\n"
        envelope = connection.envelope
        assert envelope.mail_from == ""
        assert envelope.parameters == {"ENVID": "aBc+d"}
        assert envelope.recipients == [{"ORCPT": "rfc822;Bob@Y.z", "NOTIFY": "NEVER"}]
        assert (await client.say("RSET")).startswith("250 ")
        for line in (b"MAIL FROM:<\r\n", b"MAIL FROM:<a\x01@b>\r\n", b"MAIL FROM:<\xff@b>\r\n", b"RCPT TO:<>\r\n"):
            assert (await client.say(line))[:3] in ("501", "503", "553")


async def test_a_new_connection_changed_the_limits_of_all() -> None:
    """Point 8: `command_size_limits` was one dictionary on the class."""
    long_mail = f"MAIL FROM:<{'a' * 1000}@b.c> SIZE=1"
    async with serving() as server:
        first = await server.connect()
        await first.hello()
        second = await server.connect()
        await second.reply()
        assert await first.say(long_mail) == "250 OK\r\n"
        assert Connection.command_size_limits == {}


async def test_every_connection_inspected_the_backend() -> None:
    """Point 9: 130 us for each connection."""

    async with serving() as server:

        class Inspected(type(server.backend)):  # type: ignore[misc]
            def __dir__(self) -> list[str]:
                raise AssertionError("inspected")

        server.backend.__class__ = Inspected
        client = await server.connect()
        await client.hello()
        await client.say("QUIT")


async def test_help_was_250_and_an_unknown_verb_was_echoed() -> None:
    """Point 10: and empty and over-long lines were free."""
    async with serving(Rules(hostname=HOST, max_errors=3)) as server:
        client = await server.connect()
        await client.hello()
        assert (await client.say("HELP")).startswith("214 ")
        assert "EVIL" not in await client.say("EVIL\x1b[2J")
        assert (await client.say("")).startswith("500 ")
        client.send(b"x" * 600 + b"\r\n")
        assert (
            await client.rest() == "500 5.5.2 Line too long: the limit is 512 bytes, for MAIL and RCPT 2048\r\n"
            "421 4.7.0 Too many errors: the limit is 3\r\n"
        )


async def test_dsn_was_555_and_pipelining_and_bdat_did_not_exist() -> None:
    """Point 11; its LMTP part is below."""
    async with serving() as server:
        client = await server.connect()
        await client.reply()
        offered = (await client.say("EHLO x")).split("\r\n")
        assert {"250-PIPELINING", "250-CHUNKING", "250-DSN", "250-SMTPUTF8"} <= set(offered)
        client.send(b"MAIL FROM:<a@b> RET=HDRS\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\nBDAT 2 LAST\r\nhiQUIT\r\n")
        assert await client.rest() == "250 OK\r\n250 OK\r\n250 OK: message accepted\r\n221 Bye\r\n"
        assert [content for *_, content in server.backend.messages] == [b"hi"]
