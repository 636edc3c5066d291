"""The `smtp` section: its defaults, and a clear sentence for what is wrong in it."""

from __future__ import annotations

from typing import Any

import pytest

from rrpy.container.config import Config
from rrpy.container.errors import ConfigError
from rrpy.smtp_plugin.config import SMTPConfig


def config(**section: Any) -> SMTPConfig:
    return Config.from_dict({"smtp": section}).section("smtp", SMTPConfig)


def test_the_defaults_are_the_documented_ones() -> None:
    empty = config()
    assert (empty.addr, empty.hostname) == ("127.0.0.1:1025", "localhost")
    assert (float(empty.read_timeout), float(empty.write_timeout)) == (300.0, 10.0)
    assert (float(empty.data_timeout), empty.min_data_rate) == (180.0, 50)
    assert (empty.max_message_size, empty.max_recipients, empty.max_errors) == (26_214_400, 100, 10)
    assert (empty.max_connections, empty.max_connections_per_ip, empty.max_inflight_bytes) == (1000, 0, 268_435_456)
    assert (empty.line_endings, empty.enhanced_status_codes, empty.tls) == ("normalize", False, None)
    assert (empty.proxy_protocol, empty.mechanisms) == (False, ("PLAIN", "LOGIN"))


@pytest.mark.parametrize(
    ("extra", "offered"),
    [
        ([], ("PLAIN", "LOGIN")),
        (["xoauth2"], ("PLAIN", "LOGIN", "XOAUTH2")),
        (["CRAM-MD5", "login", "CRAM-MD5"], ("PLAIN", "LOGIN", "CRAM-MD5")),
    ],
)
def test_plain_and_login_are_always_first(extra: list[str], offered: tuple[str, ...]) -> None:
    assert config(auth_mechanisms=extra).mechanisms == offered


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"hostname": ""}, "hostname"),
        ({"hostname": "x" * 256}, "hostname"),
        ({"hostname": "my host"}, "hostname is 'my host' in <python>; a host name holds neither blanks"),
        ({"hostname": "mx\r\n"}, "hostname is .*; a host name holds"),
        ({"hostname": "müller"}, "hostname is 'müller' in <python>; a host name holds"),
        ({"max_errors": -1}, "max_errors"),
        ({"max_message_size": "ten"}, "max_message_size"),
        ({"max_recipients": 1.5}, "max_recipients"),
        ({"line_endings": "loose"}, "line_endings"),
        ({"auth_mechanisms": ["GSSAPI"]}, "auth_mechanisms: 'GSSAPI' is not one of PLAIN, LOGIN, CRAM-MD5, XOAUTH2"),
        ({"tls": {"cert": "a.pem"}}, "key"),
        ({"tls": {"cert": "a", "key": "b", "mode": "ssl"}}, "mode"),
        ({"max_erors": 1}, "max_erors"),
    ],
)
def test_a_wrong_setting_is_named(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(**section)


@pytest.mark.parametrize("key", ["read_timeout", "write_timeout", "data_timeout"])
def test_a_time_limit_cannot_be_nothing(key: str) -> None:
    with pytest.raises(ConfigError, match=f"smtp.{key}: must be at least 1ms"):
        config(**{key: "0s"})
