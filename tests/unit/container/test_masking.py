from __future__ import annotations

import pytest

from rrpy.container.masking import is_secret_name, mask_text, masked


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "DB_PASSWORD",
        "dbPassword",
        "db-password",
        "DBPassword",
        "smtp.password",
        "passwd",
        "pwd",
        "passphrase",
        "SECRET",
        "clientSecret",
        "token",
        "ACCESS_TOKEN",
        "tokens",
        "apikey",
        "apiKey",
        "api_key",
        "API_KEY",
        "APIKey",
        "private-key",
        "PRIVATE_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "signing_key",
        "credentials",
        "Authorization",
        "cookie",
        "password2",
    ],
)
def test_a_name_that_says_secret_is_one(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "author",
        "tokenizer",
        "key",
        "keys",
        "user",
        "username",
        "compass",
        "passage",
        "bypass",
        "keyboard",
        "host_key_path",
        "",
        "123",
        "public_key",
        "monkey",
        "primary_key",
    ],
)
def test_a_name_that_only_looks_like_one_is_none(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://user:pw@host", "redis://user:***@host"),
        ("redis://:pw@host/0", "redis://:***@host/0"),
        ("amqps://u:p%40w@host:5671/v", "amqps://u:***@host:5671/v"),
        ("postgres://u:p@ss@host/db", "postgres://u:***@host/db"),
        ("see HTTP://u:pw@host and ftp://a:b@c", "see HTTP://u:***@host and ftp://a:***@c"),
        ("http://host:80/path@x", "http://host:80/path@x"),
        ("http://user@host", "http://user@host"),
        ("tcp://127.0.0.1:6001", "tcp://127.0.0.1:6001"),
        ("mail to a:b@c", "mail to a:b@c"),
        ("", ""),
    ],
)
def test_the_password_in_a_url_is_masked_and_the_rest_is_legible(text, shown):
    assert mask_text(text) == shown


def test_everything_below_a_secret_name_is_masked_and_what_says_nothing_stays():
    tree = {
        "users": [{"name": "a", "password": "x"}],
        "tokens": {"one": "x", "more": ["y", 5, 1.5, None, "", True]},
        "credentials": ["x"],
        "auth": True,
        "token": False,
        "dsn": "redis://u:p@h",
        1: {"api_key": "x"},
    }
    assert masked(tree) == {
        "users": [{"name": "a", "password": "***"}],
        "tokens": {"one": "***", "more": ["***", "***", "***", None, "", True]},
        "credentials": ["***"],
        "auth": True,
        "token": False,
        "dsn": "redis://u:***@h",
        1: {"api_key": "***"},
    }
    assert tree["credentials"] == ["x"], "the tree itself is left as it was"
