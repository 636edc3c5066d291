"""One test for every point of SMTP.md's 'What aiosmtpd 1.4.6 gets wrong', and for every defect found in our own server.

Points: each test of the first part names in its docstring the point that it holds.

Where SMTP.md's conformance vectors are tested (`.smtp`: a session of tests/conformance/sessions, run in every cut):

     1, 2, 3     one-message.smtp, empty-message.smtp, one-empty-line.smtp
     4           smuggling-*.smtp
     5           test_the_end_of_data_may_be_cut_anywhere, ..._may_straddle_a_segment_of_64_kib below
     6           dots-unstuffed.smtp, dots-of-all-kinds.smtp
     7           over-size.smtp, over-size-commands.smtp
     8           exact-size.smtp, size-parameter.smtp, size-of-21-digits.smtp
     9           test_endless_input_takes_no_memory below
    10, 11       starttls-refused.smtp, test_starttls_was_taken_twice_and_with_arguments below,
                 test_smtp_server.test_starttls_forgets_what_was_said_in_clear
    12           auth-*.smtp, test_smtp_sasl
    13           null-sender.smtp, paths-*.smtp, utf8-*.smtp, source-routes.smtp, control-bytes-in-recipients.smtp
    14           order.smtp, postmaster.smtp
    15           parameters.smtp, parameter-syntax.smtp, parameters-of-other-extensions.smtp
    16           transaction-reset.smtp, hello-again-keeps-authentication.smtp
    17           pipelined.smtp, test_the_end_of_input_lost_the_mail below
    18           bdat.smtp, bdat-refused.smtp
    19           test_smtp_server.test_a_connection_can_be_closed_from_every_state,
                 test_a_connection_can_be_killed_in_a_tls_handshake_and_twice below
    20           test_smtp_server.test_draining_tells_idle_sessions_and_lets_a_message_end; the exit code: test_host
    21           web-*.smtp
"""

from __future__ import annotations

import asyncio
import ssl
import tracemalloc

import pytest
import trustme
from support.smtp_plugin.dialog import HOST, Driver
from support.smtp_plugin.server import Client, serving

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.body import Budget
from rrpy.smtp_plugin.protocol.dialog import Dialog
from rrpy.smtp_plugin.protocol.phases import Event
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.server.connection import Connection
from rrpy.smtp_plugin.session import Session

pytestmark = pytest.mark.anyio

SMTP_RULES = Rules(hostname=HOST)
BEGIN = b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<x@y.z>\r\nDATA\r\n"
SEGMENT = 65536
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


# What aiosmtpd gets wrong.


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
    gate = asyncio.Event()

    async def later() -> replies.Reply:
        await gate.wait()
        return replies.ACCEPTED

    async with serving(verdict=lambda *_: later(), read_timeout=0.1) as server:
        client = await server.connect()
        client.send(BEGIN + b"one\r\n.\r\nNOOP\r\n")
        await server.backend.delivered.wait()
        asyncio.get_running_loop().call_later(0.5, gate.set)
        said = [await client.reply() for _ in range(7)]
        assert said[-2:] == ["250 OK: message accepted\r\n", "250 OK\r\n"]


@pytest.mark.parametrize("before", [b"", BEGIN, b"EHLO x\r\nAUTH LOGIN\r\n"], ids=["command", "data", "auth"])
def test_endless_input_takes_no_memory(before: bytes) -> None:
    """Point 3 and vector 9: 100 MB without CR LF at a limit of 1 KiB."""
    driver = Driver(Rules(hostname=HOST, max_message_size=1024))
    driver.send(before)
    segment = b"x" * SEGMENT
    tracemalloc.start()
    try:
        for _ in range(100 * 1000 * 1000 // SEGMENT):
            driver.send(segment)
        assert tracemalloc.get_traced_memory()[1] < 2 * MEBIBYTE
    finally:
        tracemalloc.stop()
    assert driver.outcome.messages == []


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
        assert await client.rest() == "500 5.5.2 Line too long\r\n421 4.7.0 Too many errors\r\n"


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


# Vector 5.


def test_the_end_of_data_may_be_cut_anywhere() -> None:
    for cuts in range(1 << 4):
        driver = Driver(SMTP_RULES)
        driver.send(BEGIN)
        pending = b"a"
        for at, byte in enumerate(b"\r\n.\r\n"):
            pending += bytes((byte,))
            if cuts >> at & 1:
                driver.send(pending)
                pending = b""
        driver.send(pending + b"NOOP\r\n")
        assert [body for *_, body in driver.outcome.messages] == [b"a\r\n"], cuts
        assert driver.outcome.replies.endswith(b"accepted\r\n250 OK\r\n")


@pytest.mark.parametrize("offset", range(6))
async def test_the_end_of_data_may_straddle_a_segment_of_64_kib(offset: int) -> None:
    body = b"a" * (SEGMENT - offset)
    driver = Driver(SMTP_RULES)
    driver.send(BEGIN)
    stream = body + b"\r\n.\r\nNOOP\r\n"
    driver.send(stream[:SEGMENT])
    driver.send(stream[SEGMENT:])
    assert [content for *_, content in driver.outcome.messages] == [body + b"\r\n"]
    async with serving() as server:
        client = await server.connect()
        client.send(BEGIN + stream + b"QUIT\r\n")
        assert (await client.rest()).endswith("250 OK: message accepted\r\n250 OK\r\n221 Bye\r\n")
        assert [content for *_, content in server.backend.messages] == [body + b"\r\n"]


# Vector 19.


async def test_a_connection_can_be_killed_in_a_tls_handshake_and_twice(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(Rules(hostname=HOST, tls_available=True), tls_context=tls[0]) as server:
        client = await server.connect()
        await client.hello()
        assert await client.say("STARTTLS") == "220 Ready to start TLS\r\n"
        (info,) = server.backend.connections()
        assert server.backend.close_connection(info.uuid) is True
        assert server.backend.close_connection(info.uuid) is False
        await client.rest()
        client.close()
        await server.emptied()
        assert server.backend.connections() == []


# What our own server got wrong.


async def test_lmtp_gave_one_reply_for_all_recipients() -> None:
    """RFC 2033 section 4.2: the shell gives one reply for a message of two recipients."""
    async with serving(Rules(hostname=HOST, lmtp=True)) as server:
        client = await server.connect()
        client.send(b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@d>\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n")
        said = await client.rest()
        assert said.count("250 OK: message accepted\r\n") == 2


def test_clear_text_behind_starttls_was_run_inside_tls() -> None:
    """RFC 3207 section 6: what arrives in clear behind STARTTLS in a segment of its own is run inside TLS."""
    dialog = Dialog(Rules(hostname=HOST, tls_available=True), Session(None, ("192.0.2.1", 40000)))
    dialog.receive(b"EHLO x\r\nSTARTTLS\r\n")
    assert dialog.next_event() is Event.START_TLS
    dialog.take_output()
    dialog.receive(b"EHLO evil\r\nMAIL FROM:<evil@x>\r\n")
    dialog.tls_started()
    assert dialog.take_output() == b""
    assert dialog.envelope.mail_from is None


def test_a_long_url_let_a_web_page_in() -> None:
    """SMTP.md, vector 21: a request line over 512 bytes is only 'Line too long', and the session goes on."""
    driver = Driver(SMTP_RULES)
    driver.send(b"POST /" + b"x" * 600 + b" HTTP/1.1\r\nHost: x\r\n\r\nEHLO evil\r\n")
    assert driver.outcome.closed


@pytest.mark.parametrize("tls_first", [False, True])
def test_rset_before_ehlo_was_taken_for_a_hello(tls_first: bool) -> None:
    """RFC 5321 section 4.1.4: RSET before EHLO leads to READY, so that MAIL needs no EHLO."""
    driver = Driver(Rules(hostname=HOST, tls_available=True))
    if tls_first:
        driver.send(b"EHLO x\r\n")
        driver.dialog.tls_started()
    driver.send(b"RSET\r\n")
    assert driver.send(b"MAIL FROM:<a@b>\r\n").startswith(b"503 ")


async def test_connections_turned_away_kept_others_out() -> None:
    """Connections that were turned away and linger count against max_connections."""
    async with serving(max_connections=1) as server:
        first, turned_away = await server.connect(), await server.connect()
        await first.hello()
        assert (await turned_away.reply()).startswith("421 ")
        await first.say("QUIT")
        await first.rest()
        first.close()
        third = await server.connect()
        assert (await third.reply()).startswith("220 ")


@pytest.mark.parametrize("command", [b"RSET  ", b"DATA  ", b"RSET \t", b"MAIL FROM:<a@b>\t", b"EHLO x\t"])
def test_white_space_at_the_end_was_an_argument(command: bytes) -> None:
    """RFC 5321 section 4.1.1: trailing white space is to be tolerated, more than one blank and tabs too."""
    driver = Driver(SMTP_RULES)
    driver.send(b"EHLO x\r\n" if command[:4] != b"DATA" else BEGIN[:-6])
    assert driver.send(command + b"\r\n")[:1] in (b"2", b"3")


@pytest.mark.parametrize(("command", "name"), [(b"EHLO  ", None), (b"EHLO x ", "x")])
def test_blanks_were_part_of_a_host_name(command: bytes, name: str | None) -> None:
    """RFC 5321 section 4.1.1.1: blanks are no host name; and 'EHLO x ' keeps its blank."""
    driver = Driver(SMTP_RULES)
    driver.send(command + b"\r\n")
    assert driver.dialog.session.host_name == name


def test_the_reply_to_a_flood_hung_on_the_cut() -> None:
    """Past four times the limit a message is 552 or 421 and closed, by how its bytes are cut."""
    outcomes = []
    for size in (10_000, 1):
        driver = Driver(Rules(hostname=HOST, max_message_size=16))
        stream = BEGIN + b"x" * 100 + b"\r\n.\r\n"
        for at in range(0, len(stream), size):
            driver.send(stream[at : at + size])
        outcomes.append(driver.outcome)
    assert outcomes[0] == outcomes[1]


def test_a_message_over_the_budget_was_read_for_ever() -> None:
    """SMTP.md, 'Line endings': a message over the budget is never too big, so nothing cuts it past four limits."""
    driver = Driver(Rules(hostname=HOST, max_message_size=1024, budget=Budget(512)))
    driver.send(BEGIN)
    for _ in range(100):
        driver.send(b"x" * 500)
    assert driver.outcome.closed


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAINAHUAc2VjcmV0"],
        [b"AUTH AHUAc2VjcmV0"],
        [b"AUTHPLAIN AHUAc2VjcmV0"],
        [b"AUTH PLAIN AHUAc2VjcmV0"],
        [b"AUTH LOGIN", b"dXNlcg==", b"c2VjcmV0"],
        [b"AUTH FOO", b"c2VjcmV0"],
        [b"EHLO x", b"AUTH LOGIN", b"*", b"c2VjcmV0"],
        [b"EHLO x", b"MAIL FROM:<a@b>", b"AUTH LOGIN", b"dXNlcg==", b"c2VjcmV0"],
    ],
)
def test_no_line_with_a_secret_is_traced_however_auth_is_written_and_refused(lines):
    traced = []
    dialog = Dialog(Rules(), Session(None, None), lambda session, line: traced.append(line))
    dialog.greet()
    for line in lines:
        dialog.receive(line + b"\r\n")
    assert traced
    assert not any("Vjcm" in line or "dXNlcg" in line for line in traced), traced
