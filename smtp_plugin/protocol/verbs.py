"""The verbs of SMTP, each a function: it takes its argument, sends its reply, and returns whether it was accepted.

An accepted verb enters the phase that `phases.SEQUENCE` names for it. A verb that returns False has entered its phase
itself, or stays where it is. `VERBS` joins both tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from . import auth, replies, transfer
from .address import PLAIN_MAIL, PLAIN_RCPT, Refused, parse_parameters, parse_path
from .conversation import Conversation
from .failures import Stage
from .parameters import mail_parameters, rcpt_parameters
from .phases import SEQUENCE, Event, Phase
from .replies import Reply

Handler = Callable[[Conversation, bytes], bool]

_NOT_IN_LMTP: Final = replies.UNKNOWN_COMMAND.decided_by("smtp.lmtp: true")
_WITHOUT_TLS: Final = replies.NOT_IMPLEMENTED.decided_by("smtp.tls: absent")
_ONLY_IN_LMTP: Final = replies.UNKNOWN_COMMAND.decided_by("smtp.lmtp: false")


def _helo(conversation: Conversation, argument: bytes) -> bool:
    if conversation.rules.lmtp:
        return conversation.refuse(_NOT_IN_LMTP)
    return _hello(conversation, argument, replies.HELO_SYNTAX, extended=False)


def _ehlo(conversation: Conversation, argument: bytes) -> bool:
    if conversation.rules.lmtp:
        return conversation.refuse(_NOT_IN_LMTP)
    return _hello(conversation, argument, replies.EHLO_SYNTAX, extended=True)


def _lhlo(conversation: Conversation, argument: bytes) -> bool:
    if not conversation.rules.lmtp:
        return conversation.refuse(_ONLY_IN_LMTP)
    return _hello(conversation, argument, replies.LHLO_SYNTAX, extended=True)


def _hello(conversation: Conversation, argument: bytes, syntax: Reply, *, extended: bool) -> bool:
    name = argument.decode("utf-8", "backslashreplace")  # a machine may have a name in an 8-bit charset
    if not name or not name.isprintable():
        return conversation.refuse(syntax)
    if conversation.rules.failures.rules and conversation.fails(Stage.HELLO, helo=name):
        return False
    conversation.session.host_name = name
    conversation.session.extended_smtp = extended
    conversation.write(conversation.rules.ehlo if extended else conversation.rules.helo)
    conversation.end_transaction()
    return False


def _mail(conversation: Conversation, argument: bytes) -> bool:
    rules = conversation.rules
    if rules.tls_required:
        return conversation.refuse(replies.TLS_REQUIRED)
    if rules.credentials is not None and not conversation.session.authenticated:
        return conversation.refuse(replies.AUTH_REQUIRED)
    budget = rules.budget
    if 0 < budget.limit <= budget.used:
        return conversation.refuse(replies.out_of_storage(budget.limit))
    if rules.refusal is not None and (refusal := rules.refusal()) is not None:
        return conversation.refuse(refusal)
    envelope = conversation.envelope
    plain = PLAIN_MAIL.match(argument)
    if plain is not None:
        envelope.mail_from = plain[1].decode("ascii")
    else:
        try:
            address, rest = parse_path(argument, "FROM:", replies.BAD_SENDER, replies.MAIL_SYNTAX)
            parameters = parse_parameters(rest)
            mail_parameters(parameters, rules.max_message_size, smtputf8=rules.smtputf8)
            utf8 = "SMTPUTF8" in parameters
            if not (utf8 or address.isascii()):
                raise Refused(replies.NON_ASCII_ADDRESS)
        except Refused as refused:
            return conversation.refuse(refused.reply)
        envelope.mail_from = address
        envelope.smtp_utf8 = utf8
        envelope.mail_options = rest.split()
        envelope.parameters = parameters
    if rules.failures.rules and conversation.fails(Stage.MAIL):
        conversation.reset(conversation.phase)
        return False
    conversation.reply(replies.SENDER_OK)
    return True


def _rcpt(conversation: Conversation, argument: bytes) -> bool:
    envelope = conversation.envelope
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
            return conversation.refuse(refused.reply)
    if len(envelope.rcpt_tos) >= conversation.rules.max_recipients > 0:
        return conversation.refuse_recipient()
    if conversation.rules.failures.rules and conversation.fails(Stage.RCPT, recipients=(address,)):
        return False
    envelope.rcpt_tos.append(address)
    if rest:
        envelope.rcpt_options += rest.split()
    envelope.recipients.append(parameters)
    conversation.idle_commands -= 1  # `max_recipients` bounds these
    conversation.reply(replies.RECIPIENT_OK)
    return True


def _rset(conversation: Conversation, argument: bytes) -> bool:
    if argument:
        return conversation.refuse(replies.NO_PARAMETERS)
    conversation.reply(replies.OK)
    conversation.end_transaction()
    return False


def _noop(conversation: Conversation, argument: bytes) -> bool:
    conversation.reply(replies.OK)
    return False


def _quit(conversation: Conversation, argument: bytes) -> bool:
    if argument:
        return conversation.refuse(replies.NO_PARAMETERS)
    conversation.quit = True
    conversation.close(replies.BYE)
    return False


def _vrfy(conversation: Conversation, argument: bytes) -> bool:
    if not argument:
        return conversation.refuse(replies.VRFY_SYNTAX)
    conversation.reply(replies.CANNOT_VERIFY)
    return False


def _expn(conversation: Conversation, argument: bytes) -> bool:
    return conversation.refuse(replies.NOT_IMPLEMENTED)


def _help(conversation: Conversation, argument: bytes) -> bool:
    conversation.reply(replies.HELP)
    return False


def _starttls(conversation: Conversation, argument: bytes) -> bool:
    if conversation.tls:
        return conversation.refuse(replies.ALREADY_TLS)
    if not conversation.rules.tls_available:
        return conversation.refuse(_WITHOUT_TLS)
    if argument:
        return conversation.refuse(replies.NO_PARAMETERS)
    if conversation.rules.failures.rules and conversation.fails(Stage.STARTTLS):
        return False
    conversation.reply(replies.READY_FOR_TLS)
    conversation.drop_input()  # clear text must not count inside TLS (RFC 3207 section 6)
    return conversation.wait_for(Event.START_TLS)


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
        return lambda conversation, argument: transfer.bdat_refused(
            conversation, argument, _spoken(conversation, reply)
        )
    return lambda conversation, argument: conversation.refuse(_spoken(conversation, reply))


def _spoken(conversation: Conversation, reply: Reply) -> Reply:
    """Return a refusal of the table in the words of the session's protocol: LMTP has another hello."""
    return replies.LHLO_FIRST if reply is replies.HELO_FIRST and conversation.rules.lmtp else reply


def _compile(phase: Phase) -> Mapping[bytes, tuple[Handler, Phase]]:
    """Return one row of VERBS."""
    row = SEQUENCE[phase]
    table = {}
    for verb, handler in HANDLERS.items():
        then = row.get(verb, phase)
        table[verb.encode()] = (_refusal(verb, then), phase) if isinstance(then, Reply) else (handler, then)
    return table


VERBS: Final[Mapping[Phase, Mapping[bytes, tuple[Handler, Phase]]]] = {phase: _compile(phase) for phase in Phase}
"""For each phase and verb: the function, and the phase after a verb that was accepted."""


@cache  # a server has one set of them
def without(verbs: frozenset[bytes]) -> Mapping[Phase, Mapping[bytes, tuple[Handler, Phase]]]:
    """Return VERBS without some verbs."""
    return {phase: {verb: row[verb] for verb in row.keys() - verbs} for phase, row in VERBS.items()}
