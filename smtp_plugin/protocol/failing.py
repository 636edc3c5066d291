"""What a conversation does where a rule makes it fail. Pure, no I/O; failures.py has the rules.

A refusal is a reply like any other. Where a rule delays, cuts or slows down a reply, the dialog handles its command,
keeps the reply apart and reads no further: the event is `Event.FAIL`. The caller sends the reply as the effect says.
"""

from __future__ import annotations

from collections.abc import Sequence

from .failures import Effect, Facts, Stage
from .phases import Phase
from .protocols import EnvelopeState, SessionState
from .replies import Reply
from .rules import Rules


class Failing:
    """The part of a `Conversation` that asks the rules.

    `effect`: on the reply that the caller must send apart, None without one.
    """

    __slots__ = ("_late", "_left", "_mark", "effect")

    rules: Rules
    session: SessionState
    envelope: EnvelopeState
    phase: Phase
    out: list[bytes]
    effect: Effect | None
    _mark: int  # where this reply begins in `out`
    _late: Effect | None  # on the next reply to the message under way
    _left: int  # steps that this call may still take

    def fails(
        self, stage: Stage, *, helo: str | None = None, user: str | None = None, recipients: Sequence[str] | None = None
    ) -> bool:
        """Let the rules decide about a step that would be accepted; return whether the step is refused.

        `helo`, `user`: those of the command, in place of the session's. `recipients`: in place of the envelope's.
        """
        effect = self.effect_at(stage, helo=helo, user=user, recipients=recipients)
        if effect is None:
            return False
        self.spoil(effect)
        if effect.reply is not None:
            self.refuse_by_rule(effect.reply)
        return effect.refuses

    def effect_at(
        self,
        stage: Stage,
        *,
        helo: str | None = None,
        user: str | None = None,
        recipients: Sequence[str] | None = None,
        content: bytes | None = None,
    ) -> Effect | None:
        """Return the effect of the rules on a step, None without one. `content`: the message."""
        session, envelope = self.session, self.envelope
        declared = envelope.parameters.get("SIZE")
        return self.rules.failures.effect_at(
            Facts(
                stage,
                session.remote_host,
                (session.host_name or "") if helo is None else helo,
                session.username if user is None else user,
                envelope.mail_from or "",
                envelope.rcpt_tos if recipients is None else recipients,
                len(content) if content is not None else int(declared) if declared else None,
                content or b"",
                {},
            )
        )

    def spoil(self, effect: Effect) -> None:
        """Leave the next reply to the caller, where an effect spoils it. The replies before it stay as they are."""
        if effect.spoils:
            self.effect = effect
            self._mark = len(self.out)
            self._left = 0

    def spoil_reply_to_message(self, effect: Effect | None) -> None:
        """Do the same for the next reply to the message under way, which comes later. None: no effect."""
        self._late = effect

    def spoil_late(self) -> None:
        """Do the same for the effect on the message under way, whose reply comes now."""
        if self._late is not None:
            self.spoil(self._late)
            self._late = None

    def refuse_by_rule(self, reply: Reply) -> None:
        """Send the reply of a rule, which does not count as an error of the client. 421 ends the session."""
        if reply.code == 421:
            self.close(reply)
        else:
            self.reply(reply)

    def fails_at_end(self, content: bytes) -> bool:
        """Let the rules decide about a complete message; return whether it is refused."""
        effect = self.effect_at(Stage.MESSAGE, content=content)
        if effect is None:
            return False
        if not effect.refuses:
            self.spoil_reply_to_message(effect)
            return False
        self.spoil(effect)
        if effect.reply is None:
            self.end_transaction()
        else:
            self.refuse_message(effect.reply)
            if effect.reply.code == 421:
                self.close(None)
        return True

    # Of a conversation.

    def reply(self, reply: Reply, *, last: bool = False) -> None:
        """Send a reply."""
        raise NotImplementedError

    def refuse_message(self, reply: Reply) -> None:
        """Refuse a message after its end."""
        raise NotImplementedError

    def end_transaction(self) -> None:
        """Drop the transaction."""
        raise NotImplementedError

    def close(self, reply: Reply | None) -> None:
        """Send a last reply, if any, and end the session."""
        raise NotImplementedError
