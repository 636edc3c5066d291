"""What stands before the dialog of a connection: the header of a proxy, and the handshake after STARTTLS.

Both wait for the client, and so run in tasks of the listener. The state of the connection keeps the dialog from its
input until they are done.
"""

from __future__ import annotations

import ssl

from aiosmtpd.proxy_protocol import ProxyData

from ...container.net.address import peer_host, peer_text
from ...container.net.tls import handshake_fault
from ..protocol.replies import Reply
from ..session import Session
from .flow import MAX_UNSENT, Flow
from .handshake import note_tls
from .protocols import Owner
from .proxy import ProxyHeader, client_of


class Opening(Flow):
    """The PROXY header and the TLS handshake of a `Connection`."""

    listener: Owner
    session: Session
    _since = 0.0  # the time of the last reply, or of the step that the connection waits in

    def connection_lost(self, error: Exception | None) -> None:
        """Release everything that the connection holds."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close the socket at once, with unsent replies or without."""
        if self.transport is not None:
            self.transport.abort()

    def _turn_away(self, refusal: Reply, host: str) -> None:
        """Say that there are too many connections; cut this one where too many others wait for their end."""
        lingers = self.listener.may_linger(self, host)
        if self.listener.turned_away > 1:
            self.dialog.report = None  # the listener's warning has their number
        self.dialog.close(refusal if lingers else None)
        if not lingers:
            self.abort()

    def _handle_proxy_header(self, data: ProxyData | None) -> None:
        """Begin the dialog after a header, where there is one now."""
        if data is not None and self._proxy_header is not None:
            self.listener.spawn(self._begin(data, self._proxy_header))

    async def _begin(self, data: ProxyData, header: ProxyHeader) -> None:
        """Begin the dialog after a valid PROXY header; without one, close without a reply."""
        valid = await self._take_proxy_header(data)
        self._proxy_header = None
        self._state.on("done")
        if not valid:
            reason = f"no valid PROXY header: {data.error}" if data.error else "the PROXY header is refused"
            self.listener.report_end(self.session, reason, "smtp.proxy_protocol: true")
            self.dialog.close(None)
        elif not self.dialog.closing:
            self.dialog.greet()
            if header.rest:
                self.dialog.receive(header.rest)
        self.proceed()
        self._control_reading()

    async def _take_proxy_header(self, data: ProxyData) -> bool:
        """Take the client's address from the header; return whether the header is valid."""
        self.session.proxy_data = data
        if not data.valid:
            return False
        client = client_of(data) or self.session.peer
        self.session.remote_addr = peer_text(client)
        refusal = self.listener.admit(self, peer_host(client))
        if refusal is not None:
            self._turn_away(refusal, peer_host(client))
        return True

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands after STARTTLS; a connection whose handshake fails is closed."""
        if self.transport is None:
            return
        try:
            upgraded = await self.loop.start_tls(
                self.transport, self, context, server_side=True, ssl_handshake_timeout=self.listener.timeouts.opening
            )
        except BaseException as error:
            self.listener.report_end(self.session, handshake_fault(error))
            self._give_up()
            if not isinstance(error, Exception):
                raise
            await self._tls_failed(error)
            return
        if upgraded is None or upgraded.is_closing() or self.transport is None:
            self._give_up()
            return
        self._state.on("done")
        self.transport = upgraded
        self._congested = False
        upgraded.set_write_buffer_limits(MAX_UNSENT)
        note_tls(self.session, upgraded)
        self.dialog.tls_started()
        self._tls_started()
        self._since = self.loop.time()
        self.proceed()

    def _give_up(self) -> None:
        """End a connection inside a handshake, of whose loss the TLS layer does not inform the protocol."""
        if self.transport is not None:
            self.transport.abort()
            self.connection_lost(None)

    def _tls_started(self) -> None:
        """Call a handler's hook after a handshake, where a subclass has one."""

    async def _tls_failed(self, error: Exception) -> None:
        """Call a handler's hook after a handshake that failed, where a subclass has one."""
