"""Handlers written for aiosmtpd, from its documentation, on our class: unchanged, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import logging
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult, LoginPassword, syntax
from support.waiting import TIMEOUT, until

from rrpy import SMTP

pytestmark = pytest.mark.usefixtures("measured")

MESSAGE = "Subject: hello\r\n\r\nbody\r\n"


class OurController(Controller):
    """A controller of our class on a port that the system chooses: a port that a test frees, another one may take."""

    server_class = SMTP

    def factory(self) -> SMTP:
        return self.server_class(self.handler, **self.SMTP_kwargs)

    async def _create_server(self) -> asyncio.AbstractServer:
        server = await self.loop.create_server(self._factory_invoker, host=self.hostname, port=0, ssl=self.ssl_context)
        self.port = server.sockets[0].getsockname()[1]
        return server


@contextmanager
def serving(handler: Any, server_class: type[SMTP] = SMTP, **options: Any) -> Iterator[Controller]:
    controller = OurController(handler, hostname="127.0.0.1", ready_timeout=TIMEOUT, **options)
    controller.server_class = server_class
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


def connect(controller: Controller) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", controller.port, timeout=TIMEOUT)


class Relay:
    """The example of aiosmtpd's documentation."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, rcpt_options: Any) -> str:
        if not address.endswith("@example.com"):
            return "550 not relaying to that domain"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.seen.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 Message accepted for delivery"


def test_a_handler_of_the_documentation_refuses_recipients_and_takes_messages() -> None:
    handler = Relay()
    with serving(handler) as controller, connect(controller) as client:
        refused = client.sendmail("a@example.org", ["x@example.com", "y@elsewhere.org"], MESSAGE)
        assert refused == {"y@elsewhere.org": (550, b"not relaying to that domain")}
    assert handler.seen == [("a@example.org", ["x@example.com"], MESSAGE.encode())]


def test_the_null_sender_is_a_sender_for_a_handler_with_recipients_of_its_own() -> None:
    handler = Relay()
    with serving(handler) as controller, connect(controller) as client:
        client.sendmail("", ["x@example.com"], MESSAGE)
    assert handler.seen == [("", ["x@example.com"], MESSAGE.encode())]


def test_a_recipient_refused_by_the_hook_leaves_no_parameters_behind() -> None:
    handler = Relay()
    with serving(handler) as controller, connect(controller) as client:
        client.ehlo("me")
        client.docmd("MAIL FROM:<a@example.org> ENVID=QQ+2Bab")
        assert client.docmd("RCPT TO:<y@elsewhere.org> NOTIFY=NEVER")[0] == 550
        assert client.docmd("RCPT TO:<x@example.com> NOTIFY=NEVER")[0] == 250
        assert controller.smtpd.envelope.mail_options == ["ENVID=QQ+2Bab"]
        assert len(controller.smtpd.envelope.recipients) == 1
        assert client.docmd("DATA x")[0] == 501


def test_each_refusal_is_logged_where_aiosmtpd_logs(caplog: pytest.LogCaptureFixture) -> None:
    """The server's own were at DEBUG, those of a hook nowhere."""
    with caplog.at_level(logging.INFO, "mail.log"), serving(Relay()) as controller, connect(controller) as client:
        client.ehlo("me")
        client.docmd("MAIL FROM:<a b@example.org>")
        client.docmd("MAIL FROM:<a@example.org>")
        client.docmd("RCPT TO:<y@elsewhere.org>")
    refused = [record.getMessage().partition(" refused")[2] for record in caplog.records if "refused" in record.msg]
    assert refused == [
        " MAIL FROM:<a b@example.org>: 501 5.1.7 Bad sender address syntax",
        ": 550 not relaying to that domain",
    ]


def test_the_mailbox_of_aiosmtpd_keeps_mail(tmp_path: Path) -> None:
    with serving(Mailbox(tmp_path / "box")) as controller, connect(controller) as client:
        client.sendmail("a@example.org", ["x@example.com"], MESSAGE)
    (kept,) = Maildir(tmp_path / "box")
    assert kept["X-RcptTo"] == "x@example.com"


def test_a_handler_for_lmtp_answers_each_recipient() -> None:
    class LMTP(SMTP):
        @syntax("LHLO hostname")
        async def smtp_LHLO(self, arg: str) -> None:
            await super().smtp_EHLO(arg)

    class Each:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            return "250 OK\r\n550 5.1.1 nobody" if len(envelope.rcpt_tos) == 2 else "250 all"

    with serving(Each(), LMTP) as controller, connect(controller) as client:
        assert client.docmd("LHLO me")[0] == 250
        for recipients, replies in ((2, [(250, b"OK"), (550, b"5.1.1 nobody")]), (3, [(250, b"all")] * 3)):
            client.docmd("MAIL FROM:<a@b>")
            for number in range(recipients):
                client.docmd(f"RCPT TO:<{number}@b>")
            client.docmd("DATA")
            client.send("x\r\n.\r\n")
            assert [client.getreply() for _ in range(recipients)] == replies


def test_a_status_that_is_none_is_a_temporary_failure() -> None:
    class Odd:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            return "fine by me"

    with serving(Odd()) as controller, connect(controller) as client, pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("a@b", ["c@d"], MESSAGE)
    assert refused.value.smtp_code == 451


def test_authentication_asks_the_authenticator_with_our_prompts() -> None:
    asked = []

    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        asked.append((mechanism, data.login, data.password))
        return AuthResult(success=data.password == b"right", handled=False)

    options = {"authenticator": authenticator, "auth_require_tls": False, "auth_required": False}
    with serving(Relay(), **options) as controller, connect(controller) as client:
        client.ehlo("me")
        assert client.docmd("auth login") == (334, base64.b64encode(b"Username:"))
        assert client.docmd(base64.b64encode(b"ann").decode())[0] == 334
        assert client.docmd(base64.b64encode(b"wrong").decode())[0] == 535
        assert client.docmd("AUTH PLAIN " + base64.b64encode(b"\0ann\0right").decode())[0] == 235
        client.mail("a@b")
        assert client.docmd("AUTH PLAIN")[0] == 503
    assert asked == [("LOGIN", b"ann", b"wrong"), ("PLAIN", b"ann", b"right")]


def test_base64_may_lack_its_padding() -> None:
    """Boards and printers leave it out."""
    asked = []

    def authenticator(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        asked.append((mechanism, data.login, data.password))
        return AuthResult(success=True)

    options = {"authenticator": authenticator, "auth_require_tls": False, "auth_required": False}
    for lines in (["AUTH LOGIN", "dTo", "cA="], ["AUTH\tPLAIN\tAHUAcA"]):
        with serving(Relay(), **options) as controller, connect(controller) as client:
            client.ehlo("me")
            assert [client.docmd(line)[0] for line in lines][-1] == 235
    assert asked == [("LOGIN", b"u:", b"p"), ("PLAIN", b"u", b"p")]


def test_a_response_without_end_closes_the_session() -> None:
    with serving(Relay(), auth_require_tls=False) as controller, connect(controller) as client:
        client.ehlo("me")
        client.docmd("AUTH LOGIN")
        client.send("A" * 20000)
        assert client.getreply() == (500, b"5.5.2 Line too long: the limit is 512 bytes, for MAIL and RCPT 2048")


def test_a_client_that_is_silent_in_auth_is_timed_out() -> None:
    with serving(Relay(), auth_require_tls=False, timeout=0.3) as controller, connect(controller) as client:
        client.ehlo("me")
        client.docmd("AUTH LOGIN")
        assert client.getreply()[0] == 421


def test_a_hook_is_not_cancelled_when_the_client_has_shut_its_side() -> None:
    handler = Relay()
    with serving(handler) as controller, connect(controller) as client:
        client.send(f"HELO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@example.com>\r\nDATA\r\n{MESSAGE}.\r\n")
        assert client.sock is not None
        client.sock.shutdown(1)
        codes = [client.getreply()[0] for _ in range(5)]
        assert codes == [250, 250, 250, 354, 250]
    assert len(handler.seen) == 1


def test_an_argument_with_control_bytes_forges_no_reply() -> None:
    class Verifier:
        async def handle_VRFY(self, server: Any, session: Any, envelope: Any, address: str) -> str:
            return f"252 {address}"

    with serving(Verifier()) as controller, connect(controller) as client:
        client.send("VRFY <\r250 x\r\n")
        assert client.getreply()[0] == 500
        assert client.docmd("VRFY <")[0] == 502
        assert client.docmd("VRFY ann@example.com") == (252, b"ann@example.com")
        assert client.docmd("VRFY")[0] == 501


def test_goodbyes_and_long_local_parts_are_the_handlers_matter() -> None:
    class Short(SMTP):
        local_part_limit = 8

    class Polite:
        async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
            return "221 See you"

    with serving(Polite(), Short) as controller, connect(controller) as client:
        client.ehlo("me")
        assert client.mail("much-too-long@b")[0] == 553
        assert client.mail("short@b")[0] == 250
        assert client.rcpt("much-too-long@b")[0] == 553
        assert client.docmd("QUIT now")[0] == 501
        assert client.docmd("QUIT") == (221, b"See you")


def test_tls_from_the_first_byte_counts_as_tls_for_auth() -> None:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    async def talk() -> list[bytes]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Relay()), "127.0.0.1", 0, ssl=server_context)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=client_context)
        writer.write(b"EHLO me\r\nQUIT\r\n")
        lines = (await reader.read(-1)).splitlines()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return lines

    lines = asyncio.run(asyncio.wait_for(talk(), 10))
    assert b"250-AUTH LOGIN PLAIN" in lines
    assert lines[-1] == b"221 Bye"
    assert not any(b"STARTTLS" in line for line in lines)


def test_starttls_hook_that_fails_leaves_nothing_but_quit() -> None:
    class Failing:
        def handle_STARTTLS(self, server: Any, session: Any, envelope: Any) -> bool:
            raise ValueError("no")

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serving(Failing(), tls_context=context, require_starttls=True) as controller, connect(controller) as client:
        assert client.docmd("HELO me")[0] == 530
        client.ehlo("me")
        client.starttls(context=trusting)
        assert client.docmd("EHLO me")[0] == 554
        assert client.docmd("QUIT")[0] == 221


def test_an_exception_in_a_hook_is_a_temporary_failure_without_its_text() -> None:
    class Failing:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            raise ValueError("secret\r\n250 forged")

    with serving(Failing()) as controller, connect(controller) as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.sendmail("a@b", ["c@d"], MESSAGE)
        assert refused.value.args == (451, b"4.3.0 Temporary failure")
        assert client.noop()[0] == 250


def test_a_hook_between_two_chunks_leaves_the_message_whole() -> None:
    class Noop(Relay):
        async def handle_NOOP(self, server: Any, session: Any, envelope: Any, arg: str) -> str:
            return "250 still here"

        async def handle_RSET(self, server: Any, session: Any, envelope: Any) -> str:
            return "250 forgotten"

    handler = Noop()
    with serving(handler) as controller, connect(controller) as client:
        client.ehlo("me")
        for chunk in ("lost", "kept"):
            client.mail("a@b")
            client.rcpt("x@example.com")
            client.send(f"BDAT 4\r\n{chunk}")
            assert client.getreply()[0] == 250
            assert client.noop() == (250, b"still here")
            if chunk == "lost":
                assert client.rset() == (250, b"forgotten")
        client.send("BDAT 1 LAST\r\n!")
        assert client.getreply()[0] == 250
    assert handler.seen == [("a@b", ["x@example.com"], b"kept!")]


class SlowProxy:
    """Decides about a proxy's header once the connection has stopped reading."""

    stopped = False

    async def handle_PROXY(self, server: SMTP, *_: Any) -> bool:
        await until(lambda: server.transport is None or not server.transport.is_reading())
        self.stopped = server.transport is not None
        return True


def test_input_after_a_proxy_header_is_bounded_while_a_handler_decides() -> None:
    """All of it was kept in memory, however much a client sent."""
    handler = SlowProxy()
    with (
        serving(handler, proxy_protocol_timeout=TIMEOUT) as controller,
        socket.create_connection(("127.0.0.1", controller.port), TIMEOUT) as client,
    ):
        client.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 40001 25\r\n" + b"NOOP\r\n" * 30_000)
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read().startswith(b"220 ")
    assert handler.stopped
