"""The worker SDK: write a function, run it with `python -m rrpy.worker module:function`. Standard library only.

    from rrpy.worker import Request, SoftError, log

    def handle(request: Request) -> str:
        event = request.json()
        if event["message"]["size"] > 1_000_000:
            raise SoftError("too big for me")
        log.info("got a mail", uuid=event["uuid"])
        return "CONTINUE"

`async def`, generators (a stream of answers) and asynchronous generators will do as well. A handler of mail says so by
its first parameter's annotation, and returns a verdict:

    from rrpy.worker import Accept, Email, Reject, Verdict

    def handle(email: Email) -> Verdict:
        return Reject(550, "no adverts, please") if "sale" in email.subject.lower() else Accept()

`rrpy.worker.testing` calls handlers in a test. docs/how-to/worker.md tells the whole of it.
"""

from .messages import Request, Response, SoftError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import log
    from .attachments import Attachment
    from .mails import Email, mail
    from .verdicts import Accept, Close, Reject, Verdict

__all__ = [
    "Accept",
    "Attachment",
    "Close",
    "Email",
    "Reject",
    "Request",
    "Response",
    "SoftError",
    "Verdict",
    "log",
    "mail",
]

_WHERE = {
    **dict.fromkeys(("Accept", "Close", "Reject", "Verdict"), "verdicts"),
    **dict.fromkeys(("Email", "mail"), "mails"),
    "Attachment": "attachments",
}


def __getattr__(name: str) -> object:
    """Import what a worker may do without when it is first used."""
    from importlib import import_module

    if name == "log":
        return import_module(".log", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = found
    return found
