"""`rrpy catch`: a host that only catches mail, without a file and without workers; around a command, if there is one.

The plugin `catch` starts last, says where mail goes and where the page is, and runs the command. The host ends with
the command, and with its exit code.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from anyio.abc import Process, TaskStatus

from ..container.errors import ConfigError, HostError, reason_of
from ..container.protocols import Logger
from .console import complain, say

VARIABLES: Final = {
    "SMTP_HOST": "{host}",
    "SMTP_PORT": "{port}",
    "MAIL_HOST": "{host}",  # Laravel
    "MAIL_PORT": "{port}",
    "MAIL_MAILER": "smtp",
    "MAILER_DSN": "smtp://{host}:{port}",  # Symfony
    "EMAIL_HOST": "{host}",  # Django's settings, by django-environ and others
    "EMAIL_PORT": "{port}",
    "RRPY_INBOX": "{inbox}",
}
"""The environment of the command, in the names that frameworks read. `{host}`, `{port}`, `{inbox}` are filled in."""
OPTIONS: Final = {"smtp.addr": "--smtp", "inbox.address": "--http", "inbox.path": "--path"}
"""The options that stand for settings."""
SHOWN: Final = 20
"""Messages that are listed after a command that failed."""
NOT_FOUND, NOT_RUN = 127, 126
"""Exit codes of a shell for a command that is not there, or cannot be run."""

_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS: Final = ("host", "port", "inbox")


class MailServer(Protocol):
    """The server for the mail."""

    @property
    def smtp_address(self) -> str:
        """Its address, as a URL."""
        ...


class Caught(Protocol):
    """A message of the page's list."""

    @property
    def sender(self) -> str: ...  # noqa: D102 - the envelope's, empty for the null sender
    @property
    def to(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def code(self) -> int: ...  # noqa: D102


class Page(Protocol):
    """The page with the mail."""

    @property
    def page_url(self) -> str:
        """Its address, without a slash at the end."""
        ...

    async def newest(self, count: int) -> tuple[int, Sequence[Caught]]:
        """Return the number of messages, and the newest ones, the newest first."""
        ...


def in_options(text: str) -> str:
    """Return the text of an error about a setting with the options that stand for the settings."""
    for key, option in OPTIONS.items():
        text = re.sub(rf"-o {re.escape(key)}=\S+", f"{option} :0", text).replace(key, option)
    return text.replace(", which the log names", "")


def configuration(smtp: str, http: str, path: str, max_messages: int | None, verbose: bool) -> dict[str, Any]:
    """Return the configuration of the host, as rr.yaml has it. The option that names an address permits it too."""
    inbox: dict[str, Any] = {"address": _local(http), "path": path, "open": True}
    if max_messages is not None:
        inbox["max_messages"] = max_messages
    return {"smtp": {"addr": _local(smtp)}, "inbox": inbox, "logs": {"level": "info" if verbose else "warn"}}


def _local(address: str) -> str:
    return f"localhost{address}" if address.startswith(":") else address


def host_of(address: str) -> str:
    """Return the host of an address as a person writes it; localhost where only the port is given, or every address."""
    host = address.removeprefix("tcp://").rpartition(":")[0]
    return "localhost" if host in ("", "*", "0.0.0.0", "[::]") else host  # noqa: S104 - compared, not bound


def templates(given: Sequence[str]) -> Mapping[str, str]:
    """Return the variables of the command, with those of `--env NAME=TEMPLATE`. Raises ConfigError."""
    found = dict(VARIABLES)
    for each in given:
        name, equals, template = each.partition("=")
        unknown = [field for field in _FIELD.findall(template) if field not in _FIELDS]
        if not equals or not name or unknown:
            raise ConfigError(f"--env {each!r} is not NAME=TEMPLATE; a template may have {{host}}, {{port}}, {{inbox}}")
        found[name] = template
    return found


class CatchPlugin:
    """The plugin object.

    `hosts`: the names for the two servers, of the SMTP server first. `exit_code`: of the command, for the end of the
    process.
    """

    name = "catch"

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], hosts: tuple[str, str], *, open_page: bool
    ) -> None:
        self._hosts = hosts
        self._command = command
        self._variables = variables
        self._open_page = open_page
        self._process: Process | None = None
        self.end_host: Callable[[str], None] = lambda _: None
        self.exit_code = 0

    def init(self, log: Logger, mail: MailServer, page: Page) -> None:
        """Take the two servers; both serve before this plugin does."""
        self._log = log
        self._mail = mail
        self._page = page
        self._stopped = anyio.Event()

    async def serve(self, *, task_status: TaskStatus[None]) -> None:
        """Say where everything is, and run the command or wait for `stop`."""
        host, page_host = self._hosts
        port, page = urlsplit(self._mail.smtp_address).port, urlsplit(self._page.page_url)
        self._url = f"{page.scheme}://{page_host}:{page.port}"
        task_status.started()
        self._announce(f"{host}:{port}")
        if self._open_page:
            await anyio.to_thread.run_sync(webbrowser.open, self._url, abandon_on_cancel=True)
        if not self._command:
            await self._stopped.wait()
            return
        try:
            values = {"host": host.strip("[]"), "port": str(port), "inbox": self._url}
            await self._run({name: _filled(template, values) for name, template in self._variables.items()})
        finally:
            self.end_host("the command has ended")

    async def stop(self) -> None:
        """Let `serve` return. A command that a signal to the terminal has not reached gets SIGTERM."""
        self._stopped.set()
        if self._process is not None and not _has_terminal():
            self._process.send_signal(signal.SIGTERM)

    def _announce(self, server: str) -> None:
        if not self._command:
            say(f"mail to   {server}\npage at   {self._url}\nto stop   Ctrl+C")
        else:  # stdout is the command's
            complain(f"mail to {server}, page at {self._url}, until {shlex.join(self._command)} ends")

    async def _run(self, variables: Mapping[str, str]) -> None:
        try:
            self._process = process = await anyio.open_process(
                self._command, stdin=None, stdout=None, stderr=None, env=os.environ | variables
            )
        except OSError as error:
            complain(f"cannot run {self._command[0]}: {reason_of(error)}")
            self.exit_code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
            return
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:  # cut off after the grace period
                process.kill()
                self.exit_code = 128 + signal.SIGKILL
                with anyio.CancelScope(shield=True):
                    await process.wait()
        self.exit_code = code if code >= 0 else 128 - code
        if self.exit_code:
            await self._list_caught()

    async def _list_caught(self) -> None:
        """Print what was caught, for a command that failed."""
        try:
            total, found = await self._page.newest(SHOWN)
        except HostError as error:
            complain(str(error))
            return
        lines = [
            f"  {each.sender or '<>'} -> {', '.join(each.to)} | {each.subject or '-'} | {each.code}" for each in found
        ]
        complain(
            f"caught {total} {'mail' if total == 1 else 'mails'}{', the last:' if total > len(lines) else ''}",
            *reversed(lines),
        )


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda found: values[found[1]], template)


def _has_terminal() -> bool:
    """Return whether Ctrl+C reaches this process and its command alike: both are in the terminal's foreground."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
