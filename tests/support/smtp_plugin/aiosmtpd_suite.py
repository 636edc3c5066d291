"""A pytest plugin: aiosmtpd's own test suite, run against our class.

    python -m pytest -p support.smtp_plugin.aiosmtpd_suite --pyargs aiosmtpd.tests

It puts our class where the suite looks for aiosmtpd's, and expects the failure of every test in `DEVIATIONS`, strictly:
a test that is listed and passes fails the run, so the list says neither too much nor too little.
"""

from __future__ import annotations

import smtplib
import socket
import sys
import types
from importlib import resources
from typing import Final

import aiosmtpd.controller
import aiosmtpd.smtp
import pytest
from aiosmtpd.testing.statuscodes import SMTP_STATUS_CODES, StatusCode
from support.smtp_plugin.aiosmtpd_deviations import DEVIATIONS, REPLIES

from rrpy.smtp_plugin.handlers import smtp as handler


class SMTP(handler.SMTP):
    """Ours, with the prompts that the suite's clients wait for; a handler's author sets them in the same way."""

    AuthLoginUsernameChallenge = aiosmtpd.smtp.SMTP.AuthLoginUsernameChallenge
    AuthLoginPasswordChallenge = aiosmtpd.smtp.SMTP.AuthLoginPasswordChallenge


aiosmtpd.smtp.SMTP = SMTP
aiosmtpd.controller.SMTP = SMTP

for name, reply in REPLIES.items():
    code, _, text = reply.plain.strip().partition(b" ")
    assert hasattr(SMTP_STATUS_CODES, name), f"{name} is not a status code of the suite"
    setattr(SMTP_STATUS_CODES, name, StatusCode(int(code), text))
for name in [name for name in vars(SMTP_STATUS_CODES) if name.startswith(("S250_SUPPCMD", "S250_SYNTAX"))]:
    setattr(SMTP_STATUS_CODES, name, getattr(SMTP_STATUS_CODES, name)._replace(code=214))  # HELP: RFC 5321 4.1.1.8

if "pkg_resources" not in sys.modules:
    # The suite asks setuptools for one function that is not part of it any more.
    shim = types.ModuleType("pkg_resources")
    shim.resource_filename = lambda package, name: str(resources.files(package) / name)  # type: ignore[attr-defined]
    sys.modules["pkg_resources"] = shim


@pytest.fixture(autouse=True)
def smtplib_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give smtplib back what the smuggling test takes out of it, also where that test ends early."""
    for owner, name in ((smtplib, "_fix_eols"), (smtplib, "_quote_periods"), (smtplib.SMTP, "data")):
        monkeypatch.setattr(owner, name, getattr(owner, name))


PORT: Final = 8025
"""Where the suite's servers listen: it is written into its tests."""


def pytest_sessionstart() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError as error:
            raise pytest.UsageError(f"aiosmtpd's suite needs port {PORT} for itself: {error}") from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    known = set()
    for item in items:
        name = item.nodeid.split("/tests/", 1)[-1]
        known.add(name)
        known.add(name.split("[")[0])
        reason = DEVIATIONS.get(name) or DEVIATIONS.get(name.split("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    gone = sorted(set(DEVIATIONS) - known)
    if gone:
        raise pytest.UsageError(f"deviations that name no test: {gone}")
