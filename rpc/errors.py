"""What can go wrong on the RPC bus; all but the last are one sentence for a person.

    HostError
     +-- RPCError          an error response: what a method raises to give one, what a client raises when it gets one
     +-- NotListening      nobody answers at the client's address; `exit_code` 2
     +-- ConnectionLost    the other side went away, or what it sent is not an answer
    BadRequest             a frame that is no request: the connection is dropped

The texts of error responses that clients match on are those of WIRE.md, 'RPC over tcp:// or unix://'.
"""

from __future__ import annotations

from typing import ClassVar

from ..container.errors import HostError, reason_of


class RPCError(HostError):
    """An error response. Its text is what travels (WIRE.md, 'RPC over tcp:// or unix://')."""


class NotListening(HostError):
    """Nobody answers at the address."""

    exit_code: ClassVar[int] = 2

    def __init__(self, address: str, reason: OSError | str) -> None:
        super().__init__(f"no rrpy host answers on {address}: {reason_of(reason)}; is it running, with an rpc section?")


class ConnectionLost(HostError):
    """The host went away before it answered, or sent something that is not the answer. The client is closed."""

    def __init__(self, address: str, reason: OSError | str) -> None:
        super().__init__(f"the connection to {address} broke: {reason_of(reason)}")


class BadRequest(Exception):
    """A frame that cannot be a request, so that nobody knows whom to answer (WIRE.md, 'RPC over tcp:// or unix://')."""
