"""Real mail programs deliver: two recipients, a subject that is not ASCII, an attachment of 1 MiB."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import trustme
from support.container.host import hosting
from support.smtp_plugin.clients_list import (
    ATTACHMENT,
    BODY,
    CLIENTS,
    RECIPIENTS,
    SENDER,
    SUBJECT,
    WAYS,
    Client,
    Order,
    has_nodemailer,
    read_message,
)
from support.smtp_plugin.clients_postfix import relaying
from support.smtp_plugin.server import Serving, serving
from support.waiting import eventually

from rrpy.smtp_plugin.protocol import replies
from rrpy.smtp_plugin.protocol.replies import Reply
from rrpy.smtp_plugin.protocol.rules import Rules
from rrpy.smtp_plugin.session import Envelope, Session

CLIENT_TIMEOUT = 40.0


def absent(reason: str) -> None:
    """Skip for what is not installed, fail for it in CI, as `@pytest.mark.program` does."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `server.pem` (key and chain) and the `ca.pem` to trust."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return folder


@asynccontextmanager
async def expecting(way: str, certificate: Path, folder: Path) -> AsyncIterator[tuple[Serving, Order]]:
    """Serve as this way needs it, give the order to deliver, and check what came of it."""
    login, tls = way != "plain", way == "starttls"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "server.pem")
    sessions: list[tuple[bytes, bytes, bool]] = []

    def accept(session: Session, _: Envelope) -> Reply:
        captured = session.credentials
        name, secret = (captured.username, captured.secret) if captured else (b"", b"")
        sessions.append((name, secret, session.ssl is not None))
        return replies.ACCEPTED

    rules = Rules(hostname="localhost", tls_available=tls, tls_required=tls)
    async with serving(rules, accept, tls_context=context) as server:
        order = Order(server.host, server.port, login, tls, certificate / "ca.pem", folder)
        order.write()
        yield server, order
        await server.emptied()
    name, secret = (order.username.encode(), order.password.encode()) if login else (b"", b"")
    assert sessions == [(name, secret, tls)]


def check(server: Serving, recipients: list[str]) -> None:
    """Exactly one message came, and it is the one of the order."""
    ((sender, to, content),) = server.backend.messages
    assert (sender, sorted(to)) == (SENDER, sorted(recipients))
    subject, body, attachment = read_message(content)
    assert (subject, body) == (SUBJECT, BODY)
    assert attachment == ATTACHMENT


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("client", "way"),
    [
        pytest.param(client, way, id=f"{name}-{way}", marks=pytest.mark.program(*client.programs))
        for name, client in CLIENTS.items()
        for way in client.ways
    ],
)
async def test_a_real_client_delivers(client: Client, way: str, certificate: Path, tmp_path: Path) -> None:
    if "node" in client.programs and not has_nodemailer():
        absent("needs nodemailer, which node does not find")
    async with expecting(way, certificate, tmp_path) as (server, order):
        call = client.call(order)
        with anyio.fail_after(CLIENT_TIMEOUT):
            done = await anyio.run_process(call.command, input=call.stdin, env=call.environment(), check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        check(server, client.recipients)


@pytest.mark.anyio
@pytest.mark.program("postfix", "sendmail")
@pytest.mark.parametrize("way", WAYS)
async def test_a_postfix_relays(way: str, certificate: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        absent("needs root: a Postfix starts its services as another user")
    async with expecting(way, certificate, tmp_path) as (server, order):
        async with relaying(order) as relay:
            await relay.send(order)
            with anyio.move_on_after(CLIENT_TIMEOUT):
                await server.backend.delivered.wait()
            assert server.backend.delivered.is_set(), relay.log
            await server.emptied()
            eventually(lambda: relay.log.count("status=sent") == len(RECIPIENTS), "Postfix knows its mail delivered")
        check(server, RECIPIENTS)


@pytest.mark.program("smtp-source")
def test_fifty_sessions_deliver_five_thousand_messages(tmp_path: Path) -> None:
    with hosting(tmp_path, logs={"level": "info"}) as host:
        name, port = host.smtp
        options = ["-s", "50", "-m", "5000", "-f", SENDER, "-t", RECIPIENTS[0]]
        done = subprocess.run(
            ["smtp-source", *options, f"{name}:{port}"], capture_output=True, timeout=CLIENT_TIMEOUT, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert host.stop() == 0
        assert len(host.named("email received", **{"from": SENDER})) == 5000


@pytest.mark.program("curl")
@pytest.mark.parametrize(("mode", "scheme"), [("starttls", "smtp"), ("implicit", "smtps")])
def test_a_host_shows_the_certificate_of_its_configuration(
    mode: str, scheme: str, certificate: Path, tmp_path: Path
) -> None:
    server = str(certificate / "server.pem")
    with hosting(tmp_path, smtp={"tls": {"cert": server, "key": server, "mode": mode, "required": True}}) as host:
        name, port = host.smtp
        command = ["curl", "-sS", "--max-time", "20", "--ssl-reqd", f"{scheme}://{name}:{port}", "--user", "u:p"]
        command += ["--mail-from", SENDER, "--mail-rcpt", RECIPIENTS[0], "-T", "-"]

        def curl(*options: str) -> int:
            mail = b"Subject: x\r\n\r\ny\r\n"
            return subprocess.run([*command, *options], input=mail, capture_output=True, check=False).returncode

        assert curl() == 60  # a certificate of an unknown authority
        assert curl("--cacert", str(certificate / "ca.pem")) == 0
        assert len(host.wait_for("email received")) == 1
