"""How a worker process is started, so that it never outlives the host.

A worker may not be left running, also when SIGKILL ends the host before it can clean up.

- A worker sees the end of its stdin when the host is gone, and exits. That is enough for one that reads. It does
  nothing for one that hangs in its handler, or whose stdin another process inherited.
- So on Linux the child asks the kernel, between fork and exec, for SIGKILL when its parent dies (PR_SET_PDEATHSIG). It
  does so after the change of user, which would clear the request. On other systems only the end of stdin is left.
- A worker leads a session and process group: Ctrl+C reaches the host alone, and signals go to the whole group.

uvloop keeps the descriptors that it has opened for a start, and its copies of a caller's, when one more cannot be had.
So the host first tries whether there are enough, and does not let uvloop begin otherwise.

What can still fail: a process that the worker itself started gets no signal from the kernel when the host is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from subprocess import DEVNULL, PIPE, SubprocessError

import msgspec

from ..container.errors import reason_of
from ..container.net.accepting import descriptor_limit
from .accounts import Account
from .config import DEFAULT_COMMAND
from .errors import NoDescriptors, WorkerBootError
from .outputs import LoggedProcess, opened_outputs
from .relays import Relay

_PR_SET_PDEATHSIG = 1

_DESCRIPTORS = 16
"""A start opens 12 for a moment: a pair for each standard channel, and two pipes. The rest is for other threads."""


class Launch(msgspec.Struct, frozen=True):
    """How workers are started. `command`: its words; `env`: the whole environment; `account`: None for the host's own.

    `relay`: the socket that a worker connects to; None for one that speaks on its stdin and stdout.
    """

    command: list[str]
    env: dict[str, str]
    account: Account | None = None
    relay: Relay | None = None

    async def start(self, protocol: LoggedProcess) -> None:
        """Start the process with `protocol`, whose `outputs` are open then.

        Raises WorkerBootError when the command cannot be run. NoDescriptors among them: then nothing was opened.
        """
        loop = asyncio.get_running_loop()
        if not _descriptors_left():
            raise NoDescriptors(self.command, descriptor_limit())
        logged = (1, 2) if self.relay else (2,)
        try:
            with opened_outputs(protocol, logged, self.account.uid if self.account else None) as outputs:
                await loop.subprocess_exec(
                    lambda: protocol,
                    *own_interpreter(self.command),
                    stdin=DEVNULL if self.relay else PIPE,
                    stdout=outputs.get(1, PIPE),
                    stderr=outputs[2],
                    env=self.env,
                    start_new_session=True,
                    preexec_fn=_before_exec(self.account),
                )
        except FileNotFoundError:
            fault = f"cannot be run: there is no program {self.command[0]!r}"
            raise WorkerBootError(self.command, fault + ("" if "/" in self.command[0] else " in PATH")) from None
        except OSError as error:
            raise WorkerBootError(self.command, f"cannot be run: {reason_of(error)}") from error
        except SubprocessError as error:
            user = f" as the user {self.account.name!r}" if self.account else ""
            raise WorkerBootError(self.command, f"cannot be run{user}: the process could not be prepared") from error


def own_interpreter(command: list[str]) -> list[str]:
    """Return the command, where `python -m rrpy.worker` means the interpreter that has rrpy: the host's own.

    A host often runs from a virtual environment that is not activated; then `python` in PATH is another one, or
    missing. Every other first word is looked up in the worker's PATH. With -P the interpreter imports nothing from the
    working folder before the worker gives that folder its place.
    """
    own = DEFAULT_COMMAND.split()
    return [sys.executable, "-P", *command[1:]] if command[: len(own)] == own else command


def _descriptors_left() -> bool:
    """Return whether the process can open as many descriptors as a start needs."""
    with ExitStack() as opened:
        try:
            for _ in range(_DESCRIPTORS):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return False
    return True


def _before_exec(account: Account | None) -> Callable[[], None]:
    """Return the child's steps between fork and exec. They run in a copy of the host, and must not allocate much."""
    host = os.getpid()
    prctl = ctypes.PyDLL(None).prctl if sys.platform == "linux" else None

    def prepare() -> None:  # pragma: no cover - no tracer lives between fork and exec
        _inherit_standard_channels_only()
        if account is not None:
            account.become()
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != host:  # the host died before the line above
                os._exit(1)

    return prepare


def _inherit_standard_channels_only() -> None:  # pragma: no cover - as above
    """Make every descriptor but 0, 1 and 2 close at exec.

    uvloop leaves the originals of the three open in the child. With them the host would not see that a worker closes
    its stdout, and every process that the worker starts would hold the channel open.
    """
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - little may be allocated here
    except OSError:
        numbers = list(range(3, 256))
    for number in numbers:
        if number > 2:
            with suppress(OSError):  # the descriptor of the listing is closed by now
                os.set_inheritable(number, False)
