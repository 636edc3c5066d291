"""The rules that all sessions of a listener share: limits, switches, and replies that are rendered once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from .body import Budget
from .failures import Failures
from .replies import Reply, clean, multiline


class Tally(Protocol):
    """Counts the refusals, messages and credentials of dialogs."""

    def refused(self, reply: Reply) -> None:
        """Count a reply of 4xx or 5xx."""
        ...

    def ended(self, reply: Reply) -> None:
        """Count a complete message that the dialog itself refused."""
        ...

    def captured(self, mechanism: str) -> None:
        """Count credentials that AUTH captured."""
        ...


@dataclass(frozen=True)
class Rules:
    """The settings of a dialog.

    `max_message_size`: bytes, 0 for no limit. `max_recipients`, `max_errors`: counts. `strict`: refuse every bare CR
    or LF in DATA. `normalize`: in a session without CR LF, a bare LF ends a line of DATA, and becomes CR LF.
    `enhanced`: offer ENHANCEDSTATUSCODES. `mechanisms`: those that AUTH offers, in this order.
    `smtputf8`: offer it. `tls_available`: offer STARTTLS; `tls_required`: refuse mail and AUTH before it. `lmtp`:
    speak LMTP (RFC 2033). `software`: the words after the host name in the greeting. `delegated`: verbs that the caller
    of the dialog handles. `budget`: the message bytes held by all sessions. `refusal`: called at MAIL; the reply that
    it returns refuses the message. `tally`: counts replies, messages and credentials; None for no counts. `failures`:
    the rules by which the server fails on purpose; they may change while sessions run. `credentials`: returns whether
    a user name and a password are right, and mail needs them; None accepts all, and mail needs none.
    """

    hostname: str = "localhost"
    max_message_size: int = 25 * 1024 * 1024
    max_recipients: int = 100
    max_errors: int = 10
    strict: bool = False
    normalize: bool = False
    enhanced: bool = False
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    smtputf8: bool = True
    tls_available: bool = False
    tls_required: bool = False
    lmtp: bool = False
    software: str = ""
    delegated: frozenset[bytes] = frozenset()
    budget: Budget = field(default_factory=Budget)
    refusal: Callable[[], Reply | None] | None = None
    tally: Tally | None = None
    failures: Failures = field(default_factory=Failures)
    credentials: Callable[[str, bytes], bool] | None = None

    greeting: bytes = field(init=False)
    helo: bytes = field(init=False)
    ehlo: bytes = field(init=False)
    """The EHLO reply outside TLS; `inside_tls().ehlo` is the other one."""
    unusual: frozenset[bytes] = field(init=False)
    """AUTH and `delegated`: the verbs that need more than a look into the table of verbs."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        name = clean(self.hostname)
        software = clean(self.software) or ("LMTP" if self.lmtp else "ESMTP")
        put(self, "greeting", f"220 {name} {software}\r\n".encode())
        put(self, "unusual", self.delegated | {b"AUTH"})
        put(self, "helo", f"250 {name}\r\n".encode())
        put(self, "ehlo", multiline(250, [self.hostname, *self.extensions(), f"AUTH {' '.join(self.mechanisms)}"]))

    def extensions(self) -> list[str]:
        """Return the EHLO keywords between the host name and AUTH, the last one."""
        offered = [
            "PIPELINING",  # RFC 2920
            f"SIZE {self.max_message_size}",  # RFC 1870
            "8BITMIME",  # RFC 6152
            *(["SMTPUTF8"] if self.smtputf8 else []),  # RFC 6531
            "CHUNKING",  # RFC 3030
            "BINARYMIME",  # RFC 3030
            "DSN",  # RFC 3461
        ]
        if self.enhanced:
            offered.append("ENHANCEDSTATUSCODES")  # RFC 2034
        if self.max_recipients:
            offered.append(f"LIMITS RCPTMAX={self.max_recipients}")  # RFC 9422
        if self.tls_available:
            offered.append("STARTTLS")  # RFC 3207
        offered.append("HELP")
        return offered

    def inside_tls(self) -> Rules:
        """Return the rules after a TLS handshake."""
        return replace(self, tls_available=False, tls_required=False)
