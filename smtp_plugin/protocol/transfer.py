"""DATA and BDAT: the two ways in which a message comes in, and what becomes of one that is refused on the way.

A reader (`read_...`) handles one piece of the dialog's input and says whether there may be another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..protocol import replies
from .body import PATIENCE, ChunkBody, DataBody
from .phases import Phase
from .replies import Reply

if TYPE_CHECKING:
    from .dialog import Dialog


def data(dialog: Dialog, argument: bytes) -> bool:
    """Take DATA: the message comes next."""
    if argument:
        return dialog.refuse(replies.NO_PARAMETERS)
    if dialog.envelope.parameters.get("BODY") == "BINARYMIME":
        return dialog.refuse(replies.BODY_NEEDS_BDAT)
    dialog.body = DataBody(dialog.rules.max_message_size, dialog.rules.budget)
    dialog.reader = read_data
    dialog.say(replies.START_MAIL)
    return True


def read_data(dialog: Dialog) -> bool:
    """Read a message up to its end of data."""
    body = dialog.body
    assert isinstance(body, DataBody)
    data, start = dialog.data, dialog.position
    room = PATIENCE * body.limit + 1 - body.size
    cut = body.limit > 0 and room < len(data) - start
    if cut:  # no further at once than the flood begins, so that it is a flood however its bytes are cut
        data, start = data[start : start + max(1, room)], 0
    end = body.feed(data, start)
    if body.smuggled:
        dialog.say(replies.SMUGGLING)
        dialog.close(None)
    elif body.hopeless:
        dialog.close(replies.FLOOD)
    if dialog.closing:
        return False
    if cut:
        dialog.position += end if end >= 0 else len(data)
    else:
        dialog.position = end if end >= 0 else len(data)
    if end < 0:
        return True
    dialog.expect_command()
    if body.bare_newline and dialog.rules.strict:
        dialog.refuse_message(replies.BARE_NEWLINE)
        return True
    return dialog.finish(body)


def bdat(dialog: Dialog, argument: bytes) -> bool:
    """Take BDAT: a chunk comes next."""
    parsed = _parse_chunk(dialog, argument)
    if parsed is None:
        return False
    size, last = parsed
    limit, budget = dialog.rules.max_message_size, dialog.rules.budget
    body = dialog.body if isinstance(dialog.body, ChunkBody) else ChunkBody(limit, budget)
    refusal = replies.TOO_BIG if limit and body.size + size > limit else None
    if refusal is None and budget.limit and budget.used + size > budget.limit:
        refusal = replies.OUT_OF_STORAGE
    if refusal is not None:
        return _refuse_chunk(dialog, size, lambda: _lose_transaction(dialog, refusal, last=last))
    dialog.body = body
    body.remaining = size
    body.last = last
    dialog.phase = Phase.CHUNKS
    dialog.reader = read_chunk
    if size == 0:
        _end_chunk(dialog, body)
    return False


def bdat_refused(dialog: Dialog, argument: bytes, reply: Reply) -> bool:
    """Refuse a BDAT that comes at the wrong moment: its chunk is consumed and never run as commands."""
    parsed = _parse_chunk(dialog, argument)
    if parsed is None:
        return False
    size, last = parsed

    def refuse() -> None:
        dialog.refuse(reply)
        if last and dialog.phase is Phase.FAILED:
            dialog.end_transaction()

    return _refuse_chunk(dialog, size, refuse)


def _parse_chunk(dialog: Dialog, argument: bytes) -> tuple[int, bool] | None:
    """Return a chunk's size and whether it is the last; None after closing, since nobody knows where it ends."""
    words = argument.split()
    if words and words[0].isdigit() and len(words[0]) <= 19:
        if len(words) == 1:
            return int(words[0]), False
        if len(words) == 2 and words[1].upper() == b"LAST":
            return int(words[0]), True
    dialog.say(replies.BDAT_SYNTAX)
    dialog.close(None)
    return None


def read_chunk(dialog: Dialog) -> bool:
    """Read a chunk up to its last byte."""
    body = dialog.body
    assert isinstance(body, ChunkBody)
    end = body.feed(dialog.data, dialog.position)
    if end < 0:
        dialog.position = len(dialog.data)
        if body.hopeless:
            dialog.close(replies.FLOOD)
        return False
    dialog.position = end
    return _end_chunk(dialog, body)


def _end_chunk(dialog: Dialog, body: ChunkBody) -> bool:
    """Answer a chunk whose last byte is there."""
    dialog.expect_command()
    if body.kept:
        if body.last:
            return dialog.finish(body)
        dialog.say(replies.CHUNK_OK)
    else:
        _lose_transaction(dialog, replies.OUT_OF_STORAGE, last=body.last)
    return True


def _lose_transaction(dialog: Dialog, reply: Reply, *, last: bool) -> None:
    """Refuse a chunk and with it the message: RSET is due, unless that was its end."""
    if last:
        dialog.refuse_message(reply)
    else:
        dialog.reset(Phase.FAILED)
        dialog.refuse(reply)


def _refuse_chunk(dialog: Dialog, size: int, refuse: Callable[[], None]) -> bool:
    """Read a chunk to its end without keeping it, then refuse it; one that is far too big is not waited for."""
    if 0 < PATIENCE * dialog.rules.max_message_size < size:
        refuse()
        dialog.close(replies.FLOOD)
    elif size:
        dialog.skipping = size
        dialog.skipped = 0
        dialog.after_skipping = refuse
        dialog.reader = read_skipped
    else:
        refuse()
    return False


def read_skipped(dialog: Dialog) -> bool:
    """Drop a refused chunk up to its last byte."""
    step = min(dialog.skipping, len(dialog.data) - dialog.position)
    dialog.position += step
    dialog.skipping -= step
    dialog.skipped += step
    if dialog.skipping:
        return False
    dialog.expect_command()
    refuse, dialog.after_skipping = dialog.after_skipping, None
    if refuse is not None:
        refuse()
    return True
