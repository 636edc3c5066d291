"""The errors of a host, each with the exit code of the command that it ends.

HostError                 one clear sentence for a person; `exit_code` 1
+-- ConfigError          the configuration or the command line is wrong; `exit_code` 2
+-- DependencyError      a plugin's dependency is missing, ambiguous, or part of a cycle; `exit_code` 2
+-- PluginFailed         a plugin raised in one of its steps; chained to its exception; `exit_code` 1
PluginDisabled            not a failure: a plugin's `init` asks to be left out
IllegalTransition         a defect in the host: the table of a state machine has no such transition
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
    """A plugin raised an exception, which is chained. `plugin`: the plugin's name."""

    def __init__(self, plugin: str, step: str, cause: BaseException) -> None:
        text = str(cause) or type(cause).__name__
        if not isinstance(cause, (HostError, OSError)):
            text = f"{type(cause).__name__}: {text}"
        super().__init__(f"plugin {plugin} failed to {step}: {text}")
        self.plugin = plugin


class PluginDisabled(Exception):
    """Raised by a plugin's `init` to be left out, most often because its section is absent."""


class IllegalTransition(RuntimeError):
    """The table of a state machine has no such transition; the state is unchanged."""

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
