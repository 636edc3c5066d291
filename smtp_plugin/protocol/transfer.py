"""DATA and BDAT, the two ways of a message into the server, and the messages that are refused on the way.

A reader (`read_...`) handles one piece of the input and returns whether there may be another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import replies
from .body import OVERSIZE_FACTOR, ChunkBody, DataBody, LineFeedBody, Skipped
from .conversation import Conversation
from .failures import Effect, Stage
from .phases import Phase
from .replies import Reply


def data(conversation: Conversation, argument: bytes) -> bool:
    """Accept DATA: the message follows."""
    if argument:
        return conversation.refuse(replies.NO_PARAMETERS)
    if conversation.envelope.parameters.get("BODY") == "BINARYMIME":
        return conversation.refuse(replies.BODY_NEEDS_BDAT)
    rules = conversation.rules
    if rules.failures.rules and conversation.fails(Stage.DATA):
        return False
    kind = LineFeedBody if conversation.line_feeds and rules.normalize else DataBody
    conversation.body = conversation.incoming = kind(rules.max_message_size, rules.budget)
    conversation.reader = read_data
    conversation.reply(replies.START_MAIL)
    return True


def read_data(conversation: Conversation) -> bool:
    """Read a message up to its end of data."""
    body = conversation.incoming
    assert isinstance(body, DataBody)
    data, start = conversation.data, conversation.position
    rest = len(data) - start
    # Stop where the flood begins, so that any cut of the bytes gives the same session.
    room = OVERSIZE_FACTOR * body.limit + 1 - body.size if body.limit else rest
    if body.line_feeds and body.limit:
        room //= 2  # each byte may become two
    if start and room > WINDOW:
        room = WINDOW
    cut = room < rest
    if cut:
        data, start = data[start : start + max(1, room)], 0
    end = body.feed(data, start)
    if body.smuggled:
        conversation.close(_smuggling(conversation))
    elif body.is_flood:
        conversation.close(replies.flood(conversation.rules.max_message_size))
    if conversation.closing:
        return False
    if cut:
        conversation.position += end if end >= 0 else len(data)
    else:
        conversation.position = end if end >= 0 else len(data)
    if end < 0:
        return True
    conversation.line_feeds = body.line_feeds
    conversation.expect_command()
    if body.bare_newline and conversation.rules.strict:
        conversation.refuse_message(replies.BARE_NEWLINE)
        return True
    return conversation.finish(body)


def _smuggling(conversation: Conversation) -> Reply:
    """Return the reply to a smuggled end of data; it names the setting by which a session of bare LF gets it."""
    rules = conversation.rules
    if rules.normalize or not conversation.line_feeds:
        return replies.SMUGGLING
    return replies.SMUGGLING.decided_by(f"smtp.line_endings: {'strict' if rules.strict else 'guard'}")


WINDOW: Final = 65536
"""Bytes that one step of DATA reads, so that many short messages in a long input do not each copy all of it."""
LARGE_CHUNK: Final = 1024
"""Bytes from which on a chunk is not counted as a command without a message."""


def bdat(conversation: Conversation, argument: bytes) -> bool:
    """Accept BDAT: a chunk follows."""
    parsed = _parse_chunk(conversation, argument)
    if parsed is None:
        return False
    size, last = parsed
    limit, budget = conversation.rules.max_message_size, conversation.rules.budget
    body = conversation.body if isinstance(conversation.body, ChunkBody) else ChunkBody(limit, budget)
    refusal = replies.too_big(limit) if limit and body.size + size > limit else None
    if refusal is None and budget.limit and budget.used + size > budget.limit:
        refusal = replies.out_of_storage(budget.limit)
    if refusal is not None:
        return _refuse_chunk(conversation, size, lambda: _fail_transaction(conversation, refusal, last=last))
    if conversation.body is None and conversation.rules.failures.rules:
        effect = conversation.effect_at(Stage.DATA)
        if effect is not None and effect.refuses:
            return _refuse_chunk(conversation, size, lambda: _fail_by_rule(conversation, effect, last=last))
        conversation.spoil_reply_to_message(effect)
    conversation.body = conversation.incoming = body
    body.remaining = size
    body.last = last
    conversation.phase = Phase.CHUNKS
    conversation.reader = read_chunk
    if size >= LARGE_CHUNK:
        conversation.idle_commands -= 1
    if size == 0:
        _end_chunk(conversation, body)
    return False


def bdat_refused(conversation: Conversation, argument: bytes, reply: Reply) -> bool:
    """Refuse a BDAT that the phase does not allow. Its chunk is read, and never run as commands."""
    parsed = _parse_chunk(conversation, argument)
    if parsed is None:
        return False
    size, last = parsed

    def refuse() -> None:
        conversation.refuse(reply)
        if last and conversation.phase is Phase.FAILED:
            conversation.end_transaction()

    return _refuse_chunk(conversation, size, refuse)


def _parse_chunk(conversation: Conversation, argument: bytes) -> tuple[int, bool] | None:
    """Return a chunk's size and whether it is the last. Close and return None for bad syntax: its end is unknown."""
    words = argument.split()
    if words and words[0].isdigit() and len(words[0]) <= 19:
        if len(words) == 1:
            return int(words[0]), False
        if len(words) == 2 and words[1].upper() == b"LAST":
            return int(words[0]), True
    conversation.close(replies.BDAT_SYNTAX)
    return None


def read_chunk(conversation: Conversation) -> bool:
    """Read a chunk up to its last byte."""
    body = conversation.incoming
    assert isinstance(body, ChunkBody)
    end = body.feed(conversation.data, conversation.position)
    if end < 0:
        conversation.position = len(conversation.data)
        if body.is_flood:
            conversation.close(replies.flood(conversation.rules.max_message_size))
        return False
    conversation.position = end
    return _end_chunk(conversation, body)


def _end_chunk(conversation: Conversation, body: ChunkBody) -> bool:
    """Answer a chunk whose last byte has arrived."""
    conversation.expect_command()
    if body.kept:
        if body.last:
            return conversation.finish(body)
        conversation.spoil_late()
        conversation.reply(replies.CHUNK_OK)
    else:
        _fail_transaction(conversation, replies.out_of_storage(body.budget.limit), last=body.last)
    return True


def _fail_transaction(conversation: Conversation, reply: Reply, *, last: bool) -> None:
    """Refuse a chunk and its message. Unless the chunk is the last, RSET is due."""
    if last:
        conversation.refuse_message(reply)
    else:
        conversation.refuse(reply)
        if not conversation.closing:
            conversation.reset(Phase.FAILED)


def _fail_by_rule(conversation: Conversation, effect: Effect, *, last: bool) -> None:
    """Refuse the first chunk of a message, as a rule says."""
    conversation.spoil(effect)
    if effect.reply is not None:
        conversation.refuse_by_rule(effect.reply)
    if last:
        conversation.end_transaction()
    elif not conversation.closing:
        conversation.reset(Phase.FAILED)


def _refuse_chunk(conversation: Conversation, size: int, refuse: Callable[[], None]) -> bool:
    """Read a chunk to its end without keeping it, then refuse it. Refuse a flood at once, and close."""
    if 0 < OVERSIZE_FACTOR * conversation.rules.max_message_size < size:
        refuse()
        conversation.close(replies.flood(conversation.rules.max_message_size))
    elif size:
        conversation.incoming = Skipped(size, refuse)
        conversation.reader = read_skipped
    else:
        refuse()
    return False


def read_skipped(conversation: Conversation) -> bool:
    """Drop a refused chunk up to its last byte."""
    chunk = conversation.incoming
    assert isinstance(chunk, Skipped)
    end = chunk.feed(conversation.data, conversation.position)
    if end < 0:
        conversation.position = len(conversation.data)
        return False
    conversation.position = end
    conversation.expect_command()
    chunk.refuse()
    return True
