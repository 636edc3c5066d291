"""The API of an inbox, for the commands that read its mail."""

from __future__ import annotations

import urllib.error
import urllib.request
from base64 import b64encode
from http.client import HTTPException
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from ..container.errors import HostError, reason_of
from ..container.text import printable

TIMEOUT: Final = 60.0
"""Seconds for each answer."""

_LOGIN: Final = "write NAME:PASSWORD@ before the host, or the name of a token and the token"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Unreachable(HostError):
    """The inbox does not answer."""

    exit_code = 2


class Answer(NamedTuple):
    """An answer. `status`: HTTP's."""

    status: int
    content: bytes


class Inbox:
    """The API of an inbox at a URL such as `https://ann:secret@mail.test`. Raises HostError. No error has the login."""

    def __init__(self, url: str) -> None:
        login, _, place = url.partition("://")[2].partition("/")[0].rpartition("@")
        self._url = url.replace(f"{login}@{place}", place, 1).rstrip("/") if login else url.rstrip("/")
        self._login = f"Basic {b64encode(unquote_to_bytes(login)).decode()}" if login else ""

    def get(self, path: str) -> bytes | None:
        """Return an answer; None for a message that was deleted in the meantime."""
        answer = self.ask(path)
        if answer.status == 404 and path.endswith("/raw"):
            return None
        if answer.status != 200:
            raise HostError(printable(f"the inbox at {self._url} answered {answer.status}"))
        return answer.content

    def ask(self, path: str, timeout: float = TIMEOUT) -> Answer:
        """Return the answer of any status but 401."""
        try:
            request = urllib.request.Request(f"{self._url}/api/v1/{path}")  # noqa: S310 - the user's own
            if self._login:
                request.add_unredirected_header("Authorization", self._login)
            with _opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 401:
                raise HostError(
                    printable(f"the inbox at {self._url} answered 401: it asks for a login; {_LOGIN}")
                ) from None
            with error:
                return Answer(error.code, error.read())
        except HTTPException:
            raise Unreachable(
                printable(f"{self._url} is not an inbox: its answer is not HTTP, or breaks off")
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            text = reason_of(reason) if isinstance(reason, OSError) else reason
            raise Unreachable(printable(f"cannot reach the inbox at {self._url}: {text}")) from None
