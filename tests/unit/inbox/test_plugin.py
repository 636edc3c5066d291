"""The inbox's plugin: where it may listen."""

from __future__ import annotations

from typing import Any

import pytest
from support.log import Log

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError, HostError
from rrpy.container.passwords import token_hash
from rrpy.inbox.plugin import InboxPlugin

USERS = {"ann": "scrypt:2:1:1:c2FsdHNhbHQ:" + "A" * 43}


def plugin_of(**section: Any) -> InboxPlugin:
    plugin = InboxPlugin()
    plugin.init(Config.from_dict({"inbox": section}, "rr.yaml"), Log())
    return plugin


@pytest.mark.parametrize("address", ["0.0.0.0:8025", "[::]:8025", "192.0.2.1:8025", "*:8025"])
def test_an_address_that_others_reach_needs_users_or_a_word(address: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plugin_of(address=address)
    said = str(raised.value)
    assert said.startswith("inbox.address is tcp://")
    assert said.endswith(
        " is not a loopback address, and every machine that reaches it can read and delete the mail without a "
        "password; set inbox.users, or inbox.open: true if only people you trust can reach it"
    )
    for allowed in ({"open": True}, {"users": USERS}, {"tokens": {"ci": {"token": token_hash("x")}}}):
        plugin_of(address=address, **allowed)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", "localhost:0", "unix:///tmp/x.sock", "systemd:inbox"])
def test_an_address_of_this_machine_needs_nothing(address: str) -> None:
    plugin_of(address=address)


@pytest.mark.parametrize("value", [471147, ["471147"], "471147"])
def test_a_password_of_the_wrong_type_is_not_shown_either(value: object) -> None:
    """The name of a user does not say that its value is a secret: `expected a text in quotes, got 471147`."""
    for users in ({"ann": value}, value):
        with pytest.raises(ConfigError) as raised:
            plugin_of(users=users)
        assert "inbox.users" in str(raised.value)
        assert "471147" not in str(raised.value)


@pytest.mark.anyio
async def test_an_inbox_that_does_not_serve_lists_nothing() -> None:
    with pytest.raises(HostError, match="the inbox does not serve"):
        await plugin_of().newest(20)


@pytest.mark.parametrize("value", ["", "user", "header:", "header:a b", "Plus"])
def test_what_names_a_mailbox_is_checked(value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plugin_of(mailbox_by=value)
    assert str(raised.value).startswith(
        f"inbox.mailbox_by is wrong: {value!r} is not none, username, recipient, domain, plus or header:NAME"
    )


@pytest.mark.parametrize("value", [0, 100_001])
def test_the_number_of_mailboxes_is_bounded(value: int) -> None:
    with pytest.raises(ConfigError, match=r"inbox\.max_mailboxes"):
        plugin_of(max_mailboxes=value)
