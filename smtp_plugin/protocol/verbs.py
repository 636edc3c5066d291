"""The verbs of SMTP, each a function: it takes its argument, says its reply, and tells whether to enter the next phase.

`Phase.verbs` is what the dialog looks a verb up in: the handler, and the phase that `phases.SEQUENCE` names for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..protocol import auth, replies, transfer
from ..session import Envelope
from .address import PLAIN_MAIL, PLAIN_RCPT, Refused, parse_parameters, parse_path
from .parameters import mail_parameters, rcpt_parameters
from .phases import SEQUENCE, Event, Phase
from .replies import Reply

if TYPE_CHECKING:
    from .dialog import Dialog

Handler = Callable[["Dialog", bytes], bool]


def _helo(dialog: Dialog, argument: bytes) -> bool:
    if dialog.rules.lmtp:
        return dialog.refuse(replies.UNKNOWN_COMMAND)
    return _hello(dialog, argument, replies.HELO_SYNTAX, extended=False)


def _ehlo(dialog: Dialog, argument: bytes) -> bool:
    if dialog.rules.lmtp:
        return dialog.refuse(replies.UNKNOWN_COMMAND)
    return _hello(dialog, argument, replies.EHLO_SYNTAX, extended=True)


def _lhlo(dialog: Dialog, argument: bytes) -> bool:
    if not dialog.rules.lmtp:
        return dialog.refuse(replies.UNKNOWN_COMMAND)
    return _hello(dialog, argument, replies.LHLO_SYNTAX, extended=True)


def _hello(dialog: Dialog, argument: bytes, syntax: Reply, *, extended: bool) -> bool:
    name = argument.decode("utf-8", "surrogateescape")
    if not name or not name.isprintable():
        return dialog.refuse(syntax)
    dialog.session.host_name = name
    dialog.session.extended_smtp = extended
    dialog.write(dialog.rules.ehlo if extended else dialog.rules.helo)
    dialog.end_transaction()
    return False


def _mail(dialog: Dialog, argument: bytes) -> bool:
    rules = dialog.rules
    if rules.tls_required:
        return dialog.refuse(replies.TLS_REQUIRED)
    budget = rules.budget
    if 0 < budget.limit <= budget.used or (rules.has_room is not None and not rules.has_room()):
        return dialog.refuse(replies.OUT_OF_STORAGE)
    envelope = dialog.envelope
    plain = PLAIN_MAIL.match(argument)
    if plain is not None:
        envelope.mail_from = plain[1].decode("ascii")
    else:
        try:
            address, rest = parse_path(argument, "FROM:", replies.BAD_SENDER, replies.MAIL_SYNTAX)
            parameters = parse_parameters(rest)
            mail_parameters(envelope, parameters, rules.max_message_size, smtputf8=rules.smtputf8)
            if not (address.isascii() or envelope.smtp_utf8):
                raise Refused(replies.NON_ASCII_ADDRESS)
        except Refused as refused:
            dialog.envelope = Envelope()
            return dialog.refuse(refused.reply)
        envelope.mail_from = address
        envelope.mail_options = rest.split()
        envelope.parameters = parameters
    dialog.say(replies.SENDER_OK)
    return True


def _rcpt(dialog: Dialog, argument: bytes) -> bool:
    envelope = dialog.envelope
    plain = PLAIN_RCPT.match(argument)
    parameters: dict[str, str | None] = {}
    if plain is not None:
        address, rest = plain[1].decode("ascii"), ""
    else:
        try:
            address, rest = parse_path(argument, "TO:", replies.BAD_RECIPIENT, replies.RCPT_SYNTAX)
            if not address:
                raise Refused(replies.BAD_RECIPIENT)
            parameters = rcpt_parameters(parse_parameters(rest))
            if not (address.isascii() or envelope.smtp_utf8):
                raise Refused(replies.NON_ASCII_ADDRESS)
        except Refused as refused:
            return dialog.refuse(refused.reply)
    if len(envelope.rcpt_tos) >= dialog.rules.max_recipients > 0:
        return dialog.refuse(replies.TOO_MANY_RECIPIENTS)
    envelope.rcpt_tos.append(address)
    if rest:
        envelope.rcpt_options += rest.split()
    envelope.recipients.append(parameters)
    dialog.say(replies.RECIPIENT_OK)
    return True


def _rset(dialog: Dialog, argument: bytes) -> bool:
    if argument:
        return dialog.refuse(replies.NO_PARAMETERS)
    dialog.say(replies.OK)
    dialog.end_transaction()
    return False


def _noop(dialog: Dialog, argument: bytes) -> bool:
    dialog.say(replies.OK)
    return False


def _quit(dialog: Dialog, argument: bytes) -> bool:
    if argument:
        return dialog.refuse(replies.NO_PARAMETERS)
    dialog.quit = True
    dialog.close(replies.BYE)
    return False


def _vrfy(dialog: Dialog, argument: bytes) -> bool:
    if not argument:
        return dialog.refuse(replies.VRFY_SYNTAX)
    dialog.say(replies.CANNOT_VERIFY)
    return False


def _expn(dialog: Dialog, argument: bytes) -> bool:
    return dialog.refuse(replies.NOT_IMPLEMENTED)


def _help(dialog: Dialog, argument: bytes) -> bool:
    dialog.say(replies.HELP)
    return False


def _starttls(dialog: Dialog, argument: bytes) -> bool:
    if dialog.tls:
        return dialog.refuse(replies.ALREADY_TLS)
    if not dialog.rules.tls_available:
        return dialog.refuse(replies.NOT_IMPLEMENTED)
    if argument:
        return dialog.refuse(replies.NO_PARAMETERS)
    dialog.say(replies.READY_FOR_TLS)
    # What came in clear behind the command is not to be believed inside TLS (RFC 3207 section 6).
    dialog.data = b""
    dialog.position = 0
    return dialog.wait_for(Event.START_TLS)


HANDLERS: Final[dict[str, Handler]] = {
    "HELO": _helo,
    "EHLO": _ehlo,
    "LHLO": _lhlo,
    "MAIL": _mail,
    "RCPT": _rcpt,
    "DATA": transfer.data,
    "BDAT": transfer.bdat,
    "RSET": _rset,
    "NOOP": _noop,
    "QUIT": _quit,
    "VRFY": _vrfy,
    "EXPN": _expn,
    "HELP": _help,
    "AUTH": auth.auth,
    "STARTTLS": _starttls,
}


def _refusal(verb: str, reply: Reply) -> Handler:
    if verb == "BDAT":
        return lambda dialog, argument: transfer.bdat_refused(dialog, argument, reply)
    return lambda dialog, argument: dialog.refuse(reply)


def _compile(phase: Phase) -> dict[bytes, tuple[Handler, Phase]]:
    """Turn one row of SEQUENCE into what the dialog looks up."""
    row = SEQUENCE[phase]
    table = {}
    for verb, handler in HANDLERS.items():
        then = row.get(verb, phase)
        table[verb.encode()] = (_refusal(verb, then), phase) if isinstance(then, Reply) else (handler, then)
    return table


for _phase in Phase:
    _phase.verbs = _compile(_phase)
