"""The parts of the API that need no host."""

from __future__ import annotations

from typing import cast

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.log import Log

from rrpy.container.errors import ConfigError
from rrpy.inbox.config import InboxConfig
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.plugin import InboxPlugin
from rrpy.inbox.protocols import IncomingMail
from rrpy.inbox.records import Stored
from rrpy.inbox.store.store import Store
from rrpy.inbox.web.api import API
from rrpy.inbox.web.application import application
from rrpy.inbox.web.downloads import disposition
from rrpy.inbox.web.routes import ROUTES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", 'attachment; filename="report.pdf"'),
        ("a b.pdf", 'attachment; filename="a b.pdf"'),
        ("März.pdf", "attachment; filename=\"M_rz.pdf\"; filename*=UTF-8''M%C3%A4rz.pdf"),
        ('a"b\r\nX: y/../c', 'attachment; filename="abX: y..c"'),
        ("注文", "attachment; filename=\"__\"; filename*=UTF-8''%E6%B3%A8%E6%96%87"),
        ("", 'attachment; filename="attachment"'),
    ],
)
def test_a_name_of_a_file_is_safe_in_a_header(name: str, expected: str) -> None:
    assert disposition(name) == expected


@given(st.text())
def test_no_name_breaks_the_header(name: str) -> None:
    value = disposition(name)
    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2


def test_every_route_is_a_method_of_the_api_and_the_other_way_round() -> None:
    methods = {name for name in vars(API) if not name.startswith("_")}
    assert methods == {route.name for route in ROUTES}


class Faulty(Store):
    """A store with a fault of ours."""

    def read(self, message_id: str, mailbox: str | None = None) -> Stored | None:
        raise ZeroDivisionError(message_id)


@pytest.mark.anyio
async def test_a_fault_of_ours_is_logged_and_a_failing_database_is_reported() -> None:
    store = Faulty()
    log = Log()
    app = application(Mailbox(store), MailServers(), InboxConfig(), log)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v1/") as client:
        store.close()
        failed = await client.get("messages")
        assert failed.status_code == 503
        assert failed.json()["detail"] == (
            "the inbox's database in memory failed: Cannot operate on a closed database."
        )
        assert log.lines == []
        failed = await client.get("messages/latest")
        assert failed.json() == {
            "title": "Internal Server Error",
            "status": 500,
            "detail": "the inbox failed; the host's log says why",
        }
        ((_, message, keys),) = log.lines
        assert message == "request failed"
        assert keys == {"method": "GET", "path": "/api/v1/messages/latest", "exception": keys["exception"]}


@pytest.mark.anyio
async def test_mail_is_refused_while_the_inbox_does_not_serve() -> None:
    with pytest.raises(RuntimeError, match="the inbox does not serve"):
        await InboxPlugin().mail_received(cast(IncomingMail, None))


@pytest.mark.parametrize("name", ["mail.test", "MAIL.Test", "rrpy", "10.0.0.1", "my_box-1.lan", "*.test"])
def test_a_host_name_may_be_allowed(name: str) -> None:
    assert InboxConfig(allowed_hosts=[name]).allowed_hosts == [name]


@pytest.mark.parametrize("name", ["", "http://x", "x:80", "*", "*.", "*x", "a.*", "*.*", "x/", "-x", "x y", "ü"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a host name; it is written without a scheme and a port"):
        InboxConfig(allowed_hosts=[name])
