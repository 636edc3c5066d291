"""The SDK for workers in Python: write a function, run it with `python -m rrpy.worker module:function`.

    from rrpy.worker import Request, SoftError, log

    def handle(request: Request) -> str:
        event = request.json()
        if event["message"]["size"] > 1_000_000:
            raise SoftError("too big for me")
        log.info("got a mail", uuid=event["uuid"])
        return "CONTINUE"

`async def`, generators (a stream of answers) and asynchronous generators work too. A handler of mail annotates its
first parameter as an Email, and returns a verdict:

    from rrpy.worker import Accept, Email, Reject, Verdict

    def handle(email: Email) -> Verdict:
        return Reject(550, "no adverts, please") if "sale" in email.subject.lower() else Accept()

`rrpy.worker.testing` calls handlers in a test. Standard library only. docs/how-to/worker.md describes all of it.
"""

from .messages import Request, Response, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import log
    from .attachments import Attachment
    from .mails import Email, mail
    from .parsed import Address
    from .verdicts import Accept, Close, PerRecipient, Reject, Retry, Verdict

__all__ = [
    "Accept",
    "Address",
    "Attachment",
    "Close",
    "Email",
    "PerRecipient",
    "Reject",
    "Request",
    "Response",
    "Retry",
    "SoftError",
    "Verdict",
    "log",
    "mail",
]

_MODULES = {
    **dict.fromkeys(("Accept", "Close", "PerRecipient", "Reject", "Retry", "Verdict"), "verdicts"),
    **dict.fromkeys(("Email", "mail"), "mails"),
    "Address": "parsed",
    "Attachment": "attachments",
}


def __getattr__(name: str) -> object:
    """Import a name at its first use, because many workers need none of these."""
    from importlib import import_module

    if name == "log":
        return import_module(".log", __name__)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = found
    return found
