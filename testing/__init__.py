"""Catch the mail of your software in its tests: a real SMTP server in a thread of the test's process.

With pytest, installing rrpy provides the fixture `rr_smtp` (plugin.py):

    def test_welcome(rr_smtp):
        register("ann@example.com", smtp=(rr_smtp.host, rr_smtp.port))
        mail = rr_smtp.expect(to="ann@example.com", subject="Welcome", timeout=5)
        assert "Hello Ann" in mail.text

Without it: `with Catcher() as smtp: ...`. Every server has a port of its own, so tests may run side by side.

A name is loaded at its first use, because every pytest in an environment with rrpy imports this package for its plugin.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..mime.check.findings import Finding
    from ..mime.extract.links import Link
    from ..mime.message import Attachment
    from .catcher import Catcher, CaughtMail, Mailbox

__all__ = ["Attachment", "Catcher", "CaughtMail", "Finding", "Link", "Mailbox"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import catcher

    return getattr(catcher, name)
