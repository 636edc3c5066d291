"""The pytest plugin: the fixtures. Every pytest loads it; only a test with a fixture loads the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .catcher import Catcher, Mailbox


@pytest.fixture
def rr_smtp() -> Iterator[Catcher]:
    """An SMTP server on a free port that catches mail: `rr_smtp.host`, `.port`, `.expect(to=..., subject=...)`."""
    from .catcher import Catcher

    with Catcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def rr_smtp_server() -> Iterator[Catcher]:
    """One SMTP server for all tests of a process, for software that is configured once."""
    from .catcher import Catcher

    with Catcher() as catcher:
        yield catcher


@pytest.fixture
def rr_smtp_session(rr_smtp_server: Catcher) -> Iterator[Mailbox]:
    """The mailbox of this test on `rr_smtp_server`: `rr_smtp_session.expect(to=..., subject=...)`."""
    with rr_smtp_server.mailbox() as mailbox:
        yield mailbox
    rr_smtp_server.clear()  # its own list grows with every test


@pytest.fixture
def rr_smtp_django(rr_smtp: Catcher) -> Iterator[Catcher]:
    """The server of `rr_smtp`, where Django's settings send mail to it.

    Django's test runner replaces EMAIL_BACKEND with one that sends nothing; this fixture sets SMTP again.
    """
    from django.test import override_settings

    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST=rr_smtp.host,
        EMAIL_PORT=rr_smtp.port,
        EMAIL_HOST_USER="",
        EMAIL_HOST_PASSWORD="",
        EMAIL_USE_TLS=False,
        EMAIL_USE_SSL=False,
    ):
        yield rr_smtp


@pytest.fixture
def rr_smtp_flask_mail(rr_smtp: Catcher) -> Mapping[str, Any]:
    """The settings with which Flask-Mail sends to `rr_smtp`, for `app.config.update(...)` before `Mail(app)`.

    Flask-Mail sends nothing while TESTING is set; MAIL_SUPPRESS_SEND lets it send.
    """
    return {
        "MAIL_SERVER": rr_smtp.host,
        "MAIL_PORT": rr_smtp.port,
        "MAIL_USERNAME": None,
        "MAIL_PASSWORD": None,
        "MAIL_USE_TLS": False,
        "MAIL_USE_SSL": False,
        "MAIL_SUPPRESS_SEND": False,
    }


@pytest.fixture
def rr_smtp_fastapi_mail(rr_smtp: Catcher) -> Mapping[str, Any]:
    """The settings with which FastAPI-Mail sends to `rr_smtp`: `ConnectionConfig(**settings, MAIL_FROM=...)`."""
    return {
        "MAIL_SERVER": rr_smtp.host,
        "MAIL_PORT": rr_smtp.port,
        "MAIL_USERNAME": "",
        "MAIL_PASSWORD": "",
        "MAIL_STARTTLS": False,
        "MAIL_SSL_TLS": False,
        "USE_CREDENTIALS": False,
        "SUPPRESS_SEND": 0,
    }
