"""One message to the relay, over one connection of aiosmtplib: all recipients get it, or none does.

What we want: each failure is one sentence with the relay's own reply, and the relay is not asked twice. What does not
work: `sendmail` of aiosmtplib, which sends to those recipients that the relay takes. What we do: the commands one by
one. What can still fail: the connection breaks after the last byte; then the relay may have the message.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

import aiosmtplib
import anyio

from ...container.errors import reason_of
from .config import RelayConfig
from .exchange import Outgoing, RelayError, Reply

ANSWER_TIMEOUT: Final = 30.0
"""Seconds for each answer of the relay."""
MAX_TIME: Final = 180.0
"""Seconds for the whole."""
MAX_REPLY: Final = 500
"""Characters of a reply that are kept."""
_QUITTING: Final = 5.0


async def send(config: RelayConfig, mail: Outgoing, timeout: float = ANSWER_TIMEOUT, total: float = MAX_TIME) -> Reply:
    """Send a message. Raises RelayError. `timeout`: seconds for each answer; `total`: seconds for the whole."""
    name = f"the relay {config.address}"
    client = aiosmtplib.SMTP(
        hostname=config.host,
        port=config.real_port,
        use_tls=config.tls == "implicit",
        start_tls=False,
        timeout=timeout,
    )
    try:
        with anyio.fail_after(total):
            return await _Dialog(client, config, name).send(mail)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise _translated(error, name) from error
    finally:
        client.close()


class _Dialog:
    def __init__(self, client: aiosmtplib.SMTP, config: RelayConfig, name: str) -> None:
        self._client = client
        self._config = config
        self._name = name

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
        try:
            response = await self._client.data(mail.content)
        except aiosmtplib.SMTPDataError as error:
            raise self._refused("the message", error.code, error.message) from error
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=_QUITTING)
        return Reply(response.code, _shown(response.message))

    async def _start_tls(self) -> None:
        if not self._client.supports_extension("starttls"):
            raise RelayError(502, f"{self._name} does not offer STARTTLS; inbox.relay.tls says how it is reached")
        await self._client.starttls()
        await self._client.ehlo()

    async def _log_in(self) -> None:
        try:
            await self._client.login(self._config.username, self._config.password.reveal())
        except aiosmtplib.SMTPAuthenticationError as error:
            raise self._refused("the login", error.code, error.message) from error

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


def _shown(text: str) -> str:
    """Return the relay's words in one line, without characters that a terminal could obey."""
    line = " ".join(text.split())[:MAX_REPLY]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
