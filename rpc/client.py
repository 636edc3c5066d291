"""A blocking client for one thread: `rrpy rpc` and programs in Python call methods of a running host with it.

    with Client("tcp://127.0.0.1:6001") as client:
        print(client.call("rpc.Version"))

Standard library only, so that the command line starts fast. Arguments and results travel as JSON.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from ..container.errors import HostError
from ..container.net.address import UnixAddress, parse_address
from ..goridge.frame import ERROR, JSON, Decoder, Frame, FrameError, encode
from .errors import BadRequest, ConnectionLost, NotListening, RPCError
from .message import Message, read_message

_READ_SIZE = 65536


class Client:
    """A connection to a host's RPC server.

    `address`: `tcp://host:port` or `unix:///path`; the host `*` is this machine. `timeout`: seconds that
    connecting, and then each call, may take.
    Raises ValueError for a wrong address, NotListening when no host answers there.
    """

    def __init__(self, address: str, timeout: float = 60.0) -> None:
        self._address = parse_address(address)
        self._timeout = timeout
        self._sequence = 0
        self._decoder = Decoder()
        try:
            if isinstance(self._address, UnixAddress):
                self._socket = _connect_unix(self._address.path, timeout)
            else:
                host = "localhost" if self._address.host == "*" else self._address.host
                self._socket = socket.create_connection((host, self._address.port), timeout)
        except OSError as error:
            raise NotListening(address, error) from error

    def call(self, method: str, argument: object = True) -> Any:
        """Call `plugin.Method` and return its result. Methods that need no argument ignore it.

        Raises RPCError with the text of an error response, and the client stays usable; ConnectionLost, and the client
        is closed; TypeError or ValueError for an argument that JSON does not have.
        """
        body = b"" if argument is None else json.dumps(argument, allow_nan=False).encode()
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        request = Message(JSON, self._sequence, method.encode(), body)
        try:
            response = self._ask(request)
            if response.flags & ERROR:
                raise RPCError(response.body.decode(errors="replace"))
            return json.loads(response.body)
        except TimeoutError as error:
            self.close()
            raise ConnectionLost(str(self._address), f"{method} took more than {self._timeout:g} s") from error
        except (OSError, FrameError, BadRequest, ValueError, RecursionError) as error:
            self.close()
            raise ConnectionLost(str(self._address), error) from error

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: Message) -> Message:
        deadline = time.monotonic() + self._timeout
        self._socket.settimeout(self._timeout)
        self._socket.sendall(encode(request.frame()))
        response = read_message(self._receive(deadline))
        if (response.sequence, response.method) != (request.sequence, request.method):
            raise BadRequest(
                f"asked for {request.name} ({request.sequence}), the answer is to {response.name} ({response.sequence})"
            )
        return response

    def _receive(self, deadline: float) -> Frame:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(_READ_SIZE)
            if not data:
                self._decoder.eof()
                raise BadRequest("the host closed it")
            if frames := self._decoder.feed(data):
                return frames[0]


class ReconnectingClient:
    """A client of a host that may go away: the call after one that failed connects anew.

    `connect`: returns a connected client, or raises a HostError.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None

    def call(self, method: str, argument: object = True) -> Any:
        """Call `plugin.Method` and return its result. Raises what `connect` and `Client.call` raise."""
        client = self._client = self._client or self._connect()
        try:
            return client.call(method, argument)
        except HostError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one. The next call opens another one."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _connect_unix(path: str, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection
