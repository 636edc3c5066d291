"""What can go wrong in a host, each with the exit code that it ends the command with.

HostError                 one clear sentence for a person; `exit_code` 1
+-- ConfigError          the configuration or the command line is wrong; `exit_code` 2
+-- DependencyError      a plugin's dependency is missing, ambiguous, or part of a cycle; `exit_code` 2
+-- PluginFailed         a plugin failed in serve or stop; names it, chained to what it raised; `exit_code` 1
PluginDisabled            not a failure: a plugin bows out in `init`
IllegalTransition         a defect in the host: a state machine was asked for a step that its table does not have
"""

from __future__ import annotations

from typing import ClassVar


class HostError(Exception):
    """An error that a person can act on. Its text is one sentence, shown without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(HostError):
    """The configuration is wrong: the text names the key with its full path, and the file."""

    exit_code: ClassVar[int] = 2


class DependencyError(HostError):
    """The plugins do not fit together: a dependency is missing, ambiguous, or part of a cycle."""

    exit_code: ClassVar[int] = 2


class PluginFailed(HostError):
    """A plugin raised. `plugin`: its name; the cause is chained."""

    def __init__(self, plugin: str, step: str, cause: BaseException) -> None:
        text = str(cause) or type(cause).__name__
        if not isinstance(cause, (HostError, OSError)):
            text = f"{type(cause).__name__}: {text}"
        super().__init__(f"plugin {plugin} failed to {step}: {text}")
        self.plugin = plugin


class PluginDisabled(Exception):
    """Raised by a plugin's `init` to bow out without noise, most often because its section is absent."""


class IllegalTransition(RuntimeError):
    """A state machine was asked for a transition that its table does not have; nothing was changed."""

    def __init__(self, machine: str, state: object, event: object) -> None:
        super().__init__(f"{machine}: no transition from {state} on {event}")
        self.state = state
        self.event = event


def reason_of(error: BaseException | str) -> str:
    """Return an error, or a clause, as the end of a sentence: not capitalised, never empty.

    Of an OSError it is the system's words alone, without its number and path.
    """
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    if not text:
        return type(error).__name__
    return text if text[1:2].isupper() else text[0].lower() + text[1:]
