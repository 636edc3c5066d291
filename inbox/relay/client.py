"""One message to the relay, over one connection of aiosmtplib: all recipients get it, or none does.

What we want: each failure is one sentence with the relay's own reply, and the relay is not asked twice. What does not
work: `sendmail` of aiosmtplib, which sends to those recipients that the relay takes. Nor does its `data`: it takes
seconds of the event loop for some messages, and gives a slow relay no more time than a fast one. What we do: the
commands one by one, and the message piece by piece as the relay reads it. What can still fail: the connection breaks
after the last byte; then the relay may have the message.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from contextlib import suppress
from typing import Final, cast

import aiosmtplib
import anyio
from anyio.lowlevel import checkpoint

from ...container.errors import reason_of
from .config import RelayConfig
from .exchange import Outgoing, RelayError, Reply
from .outgoing import pieces

ANSWER_TIMEOUT: Final = 30.0
"""Seconds for each answer of the relay, and until it has read a piece of the message."""
MAX_TIME: Final = 180.0
"""Seconds for the whole."""
MAX_REPLY: Final = 500
"""Characters of a reply that are kept."""
_QUITTING: Final = 5.0
_START: Final = 354
_TAKEN: Final = 250


async def send(config: RelayConfig, mail: Outgoing, timeout: float = ANSWER_TIMEOUT, total: float = MAX_TIME) -> Reply:
    """Send a message. Raises RelayError. `timeout`: seconds, as ANSWER_TIMEOUT; `total`: for the whole."""
    name = f"the relay {config.address}"
    client = aiosmtplib.SMTP(
        hostname=config.host,
        port=config.real_port,
        use_tls=config.tls == "implicit",
        start_tls=False,
        timeout=timeout,
    )
    dialog = _Dialog(client, config, name, timeout)
    try:
        with anyio.fail_after(total):
            return await dialog.send(mail)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _translated(error, name) from error
    finally:
        if client.transport is not None:  # a close would wait until the relay has read what was written
            cast("asyncio.Transport", client.transport).abort()
        client.close()


class _Dialog:
    def __init__(self, client: aiosmtplib.SMTP, config: RelayConfig, name: str, timeout: float) -> None:
        self._client = client
        self._config = config
        self._name = name
        self._timeout = timeout
        self._writer: asyncio.StreamWriter | None = None  # kept: its end would close the connection

    async def send(self, mail: Outgoing) -> Reply:
        await self._client.connect()
        await self._client.ehlo()
        if self._config.tls == "starttls":
            await self._start_tls()
        if self._config.username:
            await self._log_in()
        await self._command("the sender", f"MAIL FROM:<{mail.sender}>{self._parameters(mail)}")
        for address in mail.to:
            await self._command(address, f"RCPT TO:<{address}>")
        response = await self._client.execute_command(b"DATA")
        if response.code != _START:
            raise self._refused("the message", response.code, response.message)
        response = await self._content(mail.content)
        if response.code != _TAKEN:
            raise self._refused("the message", response.code, response.message)
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=_QUITTING)
        return Reply(response.code, _shown(response.message))

    async def _content(self, content: bytes) -> aiosmtplib.SMTPResponse:
        """Send the message piece by piece, as the relay reads it. Return the reply, which may come before the end."""
        transport, protocol = cast("asyncio.Transport", self._client.transport), self._client.protocol
        if protocol is None or not protocol.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._writer = writer = asyncio.StreamWriter(transport, protocol, None, asyncio.get_running_loop())
        sent = False
        reading = asyncio.ensure_future(protocol.read_response())
        try:
            with anyio.CancelScope() as sending, suppress(ConnectionError):  # `reading` has the reason
                reading.add_done_callback(lambda _: sending.cancel())
                for piece in pieces(content):
                    writer.write(piece)
                    await checkpoint()  # also for a relay that reads all at once
                    with anyio.fail_after(self._timeout):
                        await writer.drain()
                sent = True
            with anyio.fail_after(self._timeout):
                response = await reading
        finally:
            reading.cancel()
        if response.code == _TAKEN and not sent:
            raise RelayError(502, f"{self._name} answers before the end of the message")
        return response

    async def _start_tls(self) -> None:
        if not self._client.supports_extension("starttls"):
            raise RelayError(502, f"{self._name} does not offer STARTTLS; inbox.relay.tls says how it is reached")
        await self._client.starttls()
        await self._client.ehlo()

    async def _log_in(self) -> None:
        name, password = self._config.username, self._config.password.reveal()
        try:
            await self._client.login(name, password)
        except aiosmtplib.SMTPAuthenticationError as error:
            text = error.message
            for secret in filter(None, (password, _base64(password), _base64(f"\0{name}\0{password}"))):
                text = text.replace(secret, "***")  # some servers repeat the command that they refuse
            raise self._refused("the login", error.code, text) from None

    def _parameters(self, mail: Outgoing) -> str:
        """Return the parameters of MAIL. Raises RelayError where the relay lacks what the message needs."""
        offered = self._client.esmtp_extensions
        parameters = ""
        if "size" in offered:
            most = offered["size"].strip()
            if most.isascii() and most.isdecimal() and 0 < int(most[:18]) < len(mail.content):
                raise RelayError(502, f"{self._name} takes {most} bytes, and the message has {len(mail.content)}")
            parameters += f" SIZE={len(mail.content)}"
        if not mail.content.isascii():
            if "8bitmime" not in offered:
                raise RelayError(502, f"{self._name} does not offer 8BITMIME, and the message has bytes above 127")
            parameters += " BODY=8BITMIME"
        if mail.utf8:
            if "smtputf8" not in offered:
                hint = "a header or an address is not ASCII"
                raise RelayError(502, f"{self._name} does not offer SMTPUTF8, and {hint}")
            parameters += " SMTPUTF8"
        return parameters

    async def _command(self, what: str, line: str) -> None:
        response = await self._client.execute_command(line.encode())
        if not 200 <= response.code < 300:
            raise self._refused(what, response.code, response.message)

    def _refused(self, what: str, code: int, text: str) -> RelayError:
        reply = _shown(text)
        return RelayError(502, f"{self._name} refuses {what}: {code} {reply}", code, reply)


def _translated(error: Exception, name: str) -> RelayError:
    """Return an error of the library as a RelayError."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(error, TimeoutError) or isinstance(cause, TimeoutError):
        return RelayError(504, f"{name} does not answer in time")
    if isinstance(cause, ssl.SSLError):
        verdict = getattr(cause, "verify_message", "") or (cause.reason or str(cause)).replace("_", " ").lower()
        return RelayError(502, f"TLS with {name} fails: {_shown(verdict)}")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        reply = _shown(error.message)
        if error.code < 0:
            return RelayError(502, f"{name} does not speak SMTP: {_shown(reason_of(reply))}")
        return RelayError(502, f"{name} answers {error.code} {reply}", error.code, reply)
    if isinstance(cause, aiosmtplib.SMTPServerDisconnected):
        return RelayError(502, f"{name} closes the connection before it answers")
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return RelayError(502, f"cannot connect to {name}: {_shown(reason_of(cause))}")
    return RelayError(502, f"{name} fails: {_shown(reason_of(error))}")


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _shown(text: str) -> str:
    """Return the relay's words in one line, without characters that a terminal could obey."""
    line = " ".join(text.split())[:MAX_REPLY]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
