"""The verbs of `handlers.smtp.SMTP` that replace aiosmtpd's: the dialog reads them, the handler's hooks decide."""

from __future__ import annotations

import warnings

from aiosmtpd.smtp import MISSING, syntax

from ..protocol import replies
from ..protocol.auth import padded
from ..server.connection import Connection
from .status import normalized, plain


class HookedVerbs(Connection):
    """The `smtp_` methods. Each runs in a task of its own, while the dialog waits."""

    @syntax("MAIL FROM: <address>", extended=" [SP <mail-parameters>]")  # type: ignore[untyped-decorator]
    async def smtp_MAIL(self, arg: str | None) -> None:
        """Take a sender; `handle_MAIL` may refuse it, and sets `envelope.mail_from` where it does not."""
        if await self.check_helo_needed() or await self.check_auth_needed("MAIL"):
            return
        if not self._is_accepted("MAIL", arg):
            return
        envelope = self.envelope
        address, options = envelope.mail_from or "", normalized(envelope.mail_options)
        envelope.mail_from, envelope.mail_options = None, []
        if await self._is_too_long(address):
            return
        status = await self._call_handler_hook("MAIL", address, options)
        if status is MISSING:
            envelope.mail_from = address
            envelope.mail_options = options
        await self.push("250 OK" if status is MISSING else status)

    @syntax("RCPT TO: <address>", extended=" [SP <mail-parameters>]")  # type: ignore[untyped-decorator]
    async def smtp_RCPT(self, arg: str | None) -> None:
        """Take a recipient; `handle_RCPT` may refuse it, and appends to `envelope.rcpt_tos` where it does not."""
        if await self.check_helo_needed() or await self.check_auth_needed("RCPT"):
            return
        envelope = self.envelope
        known = len(envelope.rcpt_options)
        if not self._is_accepted("RCPT", arg):
            return
        address, options = envelope.rcpt_tos.pop(), normalized(envelope.rcpt_options[known:])
        del envelope.rcpt_options[known:]
        if await self._is_too_long(address):
            return
        status = await self._call_handler_hook("RCPT", address, options)
        if status is MISSING:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options += options
        del envelope.recipients[len(envelope.rcpt_tos) :]
        await self.push("250 OK" if status is MISSING else status)

    def _is_accepted(self, verb: str, arg: str | None) -> bool:
        """Let the dialog read a command, and return its decision. Drop its reply of acceptance: the hook gives one."""
        accepted: bool = self.dialog.run(verb, _wire(arg))
        if accepted:
            self.dialog.take_output()
        return accepted

    async def _is_too_long(self, address: str) -> bool:
        too_long: bool = 0 < self.local_part_limit < len(address.rpartition("@")[0])
        if too_long:
            await self.push("553 5.1.3 Error: malformed address")
        return too_long

    @syntax("EHLO hostname")  # type: ignore[untyped-decorator]
    async def smtp_EHLO(self, hostname: str | None) -> None:
        """Offer the dialog's extensions, and AUTH where aiosmtpd's options allow it; `handle_EHLO` may change both."""
        if not hostname:
            await self.push(plain(replies.EHLO_SYNTAX))
            return
        self._set_rset_state()
        self.session.extended_smtp = True
        absent = {"8BITMIME", "BINARYMIME"} if self._decode_data else set()
        offered = [keyword for keyword in self.dialog.rules.extensions() if keyword not in absent]
        offered.insert(-1, "AUTH " + " ".join(sorted(self._auth_methods)))
        if self._auth_require_tls and not self._tls_protocol:
            del offered[-2]
        lines = [f"250-{line}" for line in (self.hostname, *offered[:-1])]
        if hasattr(self, "ehlo_hook"):
            warnings.warn("Use handler.handle_EHLO() instead of .ehlo_hook()", DeprecationWarning, stacklevel=2)
            await self.ehlo_hook()
        if self._ehlo_hook_ver == "old":
            for line in lines:
                await self.push(line)
            lines = [await self._call_handler_hook("EHLO", hostname)]
        else:
            lines.append("250 HELP")
            if self._ehlo_hook_ver == "new":
                lines = await self._call_handler_hook("EHLO", hostname, lines)
            else:
                self.session.host_name = hostname
        await self.push("\r\n".join(lines))

    @syntax("AUTH <mechanism>")  # type: ignore[untyped-decorator]
    async def smtp_AUTH(self, arg: str | None) -> None:
        """Authenticate as aiosmtpd does. Accept any case, and base64 without padding; refuse AUTH in a transaction."""
        if self.envelope.mail_from is not None:
            await self.push(plain(replies.AUTH_IN_TRANSACTION))
            return
        mechanism, *responses = (arg or "").split() or [""]
        if mechanism.upper() in self._auth_methods:
            mechanism = mechanism.upper()
        texts = (padded(_wire(response)).decode("utf-8", "surrogateescape") for response in responses)
        await super().smtp_AUTH(" ".join([mechanism, *texts]))

    @syntax("DATA")  # type: ignore[untyped-decorator]
    async def smtp_DATA(self, arg: str | None) -> None:
        """Let the dialog begin a message, and read it."""
        if not (await self.check_helo_needed() or await self.check_auth_needed("DATA")):
            self.dialog.run("DATA", _wire(arg))

    @syntax("STARTTLS", when="tls_context")  # type: ignore[untyped-decorator]
    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Let the dialog upgrade to TLS."""
        self.dialog.run("STARTTLS", _wire(arg))

    @syntax("QUIT")  # type: ignore[untyped-decorator]
    async def smtp_QUIT(self, arg: str | None) -> None:
        """End the session with the handler's reply, or the dialog's."""
        if arg:
            await self.push(plain(replies.NO_PARAMETERS))
            return
        status = await self._call_handler_hook("QUIT")
        await self.push(plain(replies.BYE) if status is MISSING else status)
        self.dialog.quit = True
        self.dialog.close(None)

    @syntax("HELP [command]")  # type: ignore[untyped-decorator]
    async def smtp_HELP(self, arg: str | None) -> None:
        """List the commands of the class, or show the syntax of one, from its `@syntax`."""
        if await self.check_auth_needed("HELP"):
            return
        known = {name: method for name, method in self._smtp_methods.items() if self._syntax_available(method)}
        method = known.get((arg or "").upper())
        if method is not None:
            more = method.__smtp_syntax_extended__ if self.session.extended_smtp else None
            await self.push(f"214 Syntax: {method.__smtp_syntax__}{more or ''}")
        else:
            await self.push(f"{501 if arg else 214} Supported commands: {' '.join(sorted(known))}")

    @syntax("VRFY <address>")  # type: ignore[untyped-decorator]
    async def smtp_VRFY(self, arg: str | None) -> None:
        """Reply that the server verifies no address, unless `handle_VRFY` does."""
        if "VRFY" in self._handle_hooks:
            await super().smtp_VRFY(arg)
        elif not await self.check_auth_needed("VRFY"):
            self.dialog.run("VRFY", _wire(arg))

    async def smtp_EXPN(self, arg: str | None) -> None:
        """Reply that the server expands no lists."""
        self.dialog.run("EXPN", _wire(arg))

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        try:
            address: tuple[str | None, str | None] = super()._getaddr(arg)
        except IndexError:  # the standard library's parser, of '<'
            return None, None
        return address


def _wire(argument: str | None) -> bytes:
    return (argument or "").encode("utf-8", "surrogateescape")
