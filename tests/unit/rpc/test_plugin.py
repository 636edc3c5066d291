"""The rpc plugin: its section, and what it serves itself."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from support.log import Log
from support.rpc.host import Config, SMTPMethods, encoded_result

from rrpy.container.errors import ConfigError, HostError, PluginDisabled
from rrpy.container.net.access import SocketAccess
from rrpy.container.protocols import Collector, Plugin
from rrpy.container.version import VERSION
from rrpy.goridge.frame import JSON, MSGPACK
from rrpy.rpc.codecs import CODECS
from rrpy.rpc.config import RPCConfig
from rrpy.rpc.plugin import RPCPlugin
from rrpy.rpc.protocols import RPCProvider
from rrpy.worker_pool.protocols import RPCEndpoint

pytestmark = pytest.mark.anyio


def plugin_of(**sections: Any) -> RPCPlugin:
    plugin = RPCPlugin()
    plugin.init(Config(**sections), Log())
    return plugin


def test_it_is_what_the_host_and_the_pool_ask_for() -> None:
    for plugin in (RPCPlugin(), plugin_of(rpc={})):
        assert isinstance(plugin, Plugin)
        assert isinstance(plugin, Collector)
        assert isinstance(plugin, RPCProvider)
        assert isinstance(plugin, RPCEndpoint)


def test_an_absent_section_disables_it() -> None:
    with pytest.raises(PluginDisabled):
        plugin_of()


def test_the_defaults_are_those_of_the_wire_page() -> None:
    assert RPCConfig() == RPCConfig("tcp://127.0.0.1:6001", False, 16777216, 256)
    assert plugin_of(rpc={}).rpc_address == "tcp://127.0.0.1:6001"


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"listn": "x"}, "unknown field `listn`"),
        ({"listen": 6001}, "Expected `str | array`, got `int`"),
        ({"max_frame_bytes": 0}, "`int` >= 1"),
        ({"max_frame_bytes": 1 << 32}, "`int` <= 4294967295"),
        ({"max_connections": 0}, "`int` >= 1"),
        (
            {"listen": "127.0.0.1:6001"},
            "rpc.listen is '127.0.0.1:6001'; an address is written tcp://host:port or unix:///path",
        ),
        (
            {"listen": "tcp://nobody.invalid:1"},
            "rpc.listen is 'tcp://nobody.invalid:1'; the host name 'nobody.invalid' cannot be resolved",
        ),
    ],
)
def test_a_bad_section_is_a_configuration_error(section: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plugin_of(rpc=section)
    assert text in str(raised.value)


UNIX = "unix:///run/rpc.sock"


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"listen": UNIX, "socket": {"mode": "668"}}, "'668'; it is written in octal digits, such as 0660"),
        ({"listen": UNIX, "socket": {"mode": "rw"}}, "'rw'; it is written in octal digits, such as 0660"),
        ({"listen": UNIX, "socket": {"owner": "-"}}, "rpc.socket.owner is '-'; there is no such system user"),
        ({"listen": UNIX, "socket": {"group": "x"}}, "'x'; the mode 0600 gives it no rights; 0660 does"),
        (
            {"listen": UNIX, "socket": {"group": "-", "mode": "0660"}},
            "rpc.socket.group is '-'; there is no such system group",
        ),
        ({"socket": {}}, "rpc.socket is for an address unix:///path; rpc.listen is tcp://127.0.0.1:6001"),
    ],
)
def test_a_bad_access_to_the_socket_is_a_configuration_error(section: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plugin_of(rpc=section)
    assert text in str(raised.value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("socket", "user", "access"),
    [
        (None, None, SocketAccess(0o600)),
        (None, 7, SocketAccess(0o600, 7)),
        ({}, 7, SocketAccess(0o600, 7)),
        ({"mode": "0660"}, 7, SocketAccess(0o660, 7)),
        ({"group": "3", "mode": "0660"}, None, SocketAccess(0o660, gid=3)),
        ({"group": "3", "mode": "620", "owner": "4"}, 7, SocketAccess(0o620, 4, 3)),
    ],
)
async def test_the_socket_is_for_the_workers_user_unless_the_section_names_an_owner(
    monkeypatch: pytest.MonkeyPatch, socket: dict[str, str] | None, user: int | None, access: SocketAccess
) -> None:
    given: list[SocketAccess] = []

    def give(self: SocketAccess, path: str) -> None:
        assert Path(path).stat().st_mode & 0o777 == 0o600
        given.append(self)

    monkeypatch.setattr(SocketAccess, "give", give)
    with TemporaryDirectory() as folder:
        plugin = plugin_of(rpc={"listen": f"unix://{folder}/s", **({} if socket is None else {"socket": socket})})
        if user is not None:
            plugin.admit(user)
        async with anyio.create_task_group() as group:
            await group.start(lambda *, task_status: plugin.serve(task_status=task_status))
            await plugin.stop()
    assert given == [access]


@pytest.mark.parametrize("listen", ["tcp://0.0.0.0:6001", "tcp://[::]:6001", "tcp://192.0.2.1:6001"])
def test_an_address_that_others_reach_needs_a_word(listen: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plugin_of(rpc={"listen": listen})
    assert str(raised.value) == (
        f"rpc.listen is {listen}; {listen} is not a loopback address, and everyone who reaches it can call every "
        "method without a password; set rpc.allow_remote: true if only people you trust can reach it"
    )
    assert plugin_of(rpc={"listen": listen, "allow_remote": True}).rpc_address == listen


async def test_it_serves_the_version() -> None:
    method = plugin_of(rpc={}).registry.find("rpc.Version")
    assert await encoded_result(method, b"true") == f'"{VERSION}"'.encode()


async def test_it_serves_the_configuration_as_bytes_with_secrets_masked() -> None:
    plugin = plugin_of(rpc={}, smtp={"addr": "x", "password": "hunter2"})
    expected = {"rpc": {}, "smtp": {"addr": "x", "password": "***"}}
    method = plugin.registry.find("rpc.Config")
    assert json.loads(CODECS[JSON].decode(await encoded_result(method, b"true"), bytes)) == expected
    packed = await encoded_result(method, b"\xc3", MSGPACK)
    assert packed[0] == 0xC4, "bin 8"
    assert json.loads(CODECS[MSGPACK].decode(packed, bytes)) == expected


async def test_it_lists_every_method_also_those_that_came_later() -> None:
    plugin = plugin_of(rpc={})
    method = plugin.registry.find("rpc.List")
    assert await encoded_result(method, b"true") == b'["rpc.Config","rpc.List","rpc.Version"]'
    plugin.collects()[0].add(Provider("smtp"))
    assert b"smtp.ListConnections" in await encoded_result(method, b"true")


class Provider:
    def __init__(self, name: str) -> None:
        self.name = name

    def rpc(self) -> object:
        return SMTPMethods()


def test_it_collects_what_other_plugins_serve() -> None:
    plugin = plugin_of(rpc={})
    (collect,) = plugin.collects()
    assert isinstance(Provider("smtp"), collect.protocol)
    collect.add(Provider("smtp"))
    assert [method.name for method in plugin.registry.describe()] == [
        "rpc.Config",
        "rpc.List",
        "rpc.Version",
        "smtp.CloseConnection",
        "smtp.ListConnections",
    ]
    assert all(method.doc for method in plugin.registry.describe())
    with pytest.raises(HostError, match="the service rpc is there already"):
        collect.add(Provider("rpc"))


async def test_stopping_what_never_served_returns_at_once() -> None:
    for plugin in (RPCPlugin(), plugin_of(rpc={})):
        await plugin.stop()
        await plugin.stop()
