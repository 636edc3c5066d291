"""The errors of a host, each with the exit code of the command that it ends.

HostError                 one clear sentence for a person; `exit_code` 1
+-- ConfigError          the configuration or the command line is wrong; `exit_code` 2
+-- DependencyError      a plugin's dependency is missing, ambiguous, or part of a cycle; `exit_code` 2
+-- PluginFailed         a plugin raised in one of its steps; chained to its exception; `exit_code` 1
PluginDisabled            not a failure: a plugin's `init` asks to be left out
+-- SectionAbsent        by its section, which is absent
IllegalTransition         a defect in the host: the table of a state machine has no such transition
"""

from __future__ import annotations

from typing import ClassVar, Final

FAULTS: Final = (Exception, SystemExit, KeyboardInterrupt)
"""What a plugin may raise. Each is a failure of the plugin: `sys.exit` in one does not end the host."""


class HostError(Exception):
    """An error that a person can act on. Its text is one sentence, shown without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(HostError):
    """The configuration or the command line is wrong. The text is `KEY: REASON in PLACE; HINT`, of what is known.

    `reason`: what is wrong, in a few words; one that begins with `is` follows the key without the colon, as in
    `smtp.addr is 'x' in rr.yaml`. `key`: the full path of the key that is wrong; in a model's `__post_init__` its path
    within the model. `hint`: the details, or what to do. `place`: where the key was written, a file, `FILE:LINE` or
    `-o KEY`; the Config adds it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, reason: str, *, key: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.key = key
        self.hint = hint
        self.place = ""

    def __str__(self) -> str:
        key = self.key and self.key + (" " if self.reason.startswith("is ") else ": ")
        place = self.place and f" in {self.place}"
        hint = self.hint and f"; {self.hint}"
        return f"{key}{self.reason}{place}{hint}"


class DependencyError(HostError):
    """The plugins do not fit together: a dependency is missing, ambiguous, or part of a cycle."""

    exit_code: ClassVar[int] = 2


class PluginFailed(HostError):
    """A plugin raised an exception, which is chained. `plugin`: the plugin's name."""

    def __init__(self, plugin: str, step: str, cause: BaseException) -> None:
        text = str(cause)
        if not text or not isinstance(cause, (HostError, OSError)):
            text = named(cause, text)
        super().__init__(f"plugin {plugin} failed to {step}: {text}")
        self.plugin = plugin


class PluginDisabled(Exception):
    """Raised by a plugin's `init` to be left out, most often because its section is absent."""


class SectionAbsent(PluginDisabled):
    """Raised by `Configurer.section`: the configuration does not have the plugin's section."""


class IllegalTransition(RuntimeError):
    """The table of a state machine has no such transition; the state is unchanged."""

    def __init__(self, machine: str, state: object, event: object) -> None:
        super().__init__(f"{machine}: no transition from {state} on {event}")
        self.state = state
        self.event = event


def named(error: BaseException, text: str) -> str:
    """Return an error as its type and its text, as the type alone where that is empty: `TimeoutError`."""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def reason_of(error: BaseException | str) -> str:
    """Return an error, or a clause, as the end of a sentence: not capitalised, never empty.

    Of an OSError it is the system's words alone, without its number and path.
    """
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    if not text:
        return type(error).__name__
    return text if text[1:2].isupper() else text[0].lower() + text[1:]


def innermost(error: BaseException) -> BaseException:
    """Return the one exception inside groups of one, such as those of anyio's task groups."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
