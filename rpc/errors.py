"""The errors of the RPC bus; all but the last are one sentence for a person.

    HostError
     +-- RPCError          an error response: raised by a method that refuses, and by a client that gets one
     +-- NotListening      no host answers at the client's address; `exit_code` 2
     +-- ConnectionLost    the other side went away, or sent something that is not an answer
    BadRequest             a frame that is not a request: the connection is dropped

The texts of error responses that clients match on are in docs/reference/wire.md, 'RPC over tcp:// or unix://'.
"""

from __future__ import annotations

from typing import ClassVar

from ..container.errors import HostError, reason_of


class RPCError(HostError):
    """An error response. Its text goes to the client."""


class NotListening(HostError):
    """No host answers at the address."""

    exit_code: ClassVar[int] = 2

    def __init__(self, address: str, reason: Exception | str) -> None:
        super().__init__(f"no rrpy host answers on {address}: {reason_of(reason)}; is it running, with an rpc section?")


class ConnectionLost(HostError):
    """The host went away before it answered, or sent something that is not the answer. The client is closed."""

    def __init__(self, address: str, reason: Exception | str) -> None:
        super().__init__(f"the connection to {address} broke: {reason_of(reason)}")


class BadRequest(Exception):
    """A frame that cannot be a request, so that no response to it is possible."""
