from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rrpy.container import secret_names
from rrpy.container.masking import mask_text, masked, may_hold_secret
from rrpy.container.secret_names import is_secret_name

SECRET_NAMES = """
    password PASSWORD DB_PASSWORD dbPassword db-password DBPassword smtp.password passwd pwd passphrase SECRET
    clientSecret token ACCESS_TOKEN tokens apikey apiKey api_key API_KEY APIKey private-key PRIVATE_KEY
    AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID signing_key credentials Authorization cookie password2
    PGPASSWORD MYSQL_PWD DBPASS dbpwd SMTPPASS APP_KEY STRIPE_KEY SENDGRID_KEY MAILGUN_API_KEY SECRETKEY ENCRYPTIONKEY
    ENCRYPTION_KEY AUTH auth SMTP_AUTH auth_token BEARER bearerToken PAT GITHUB_PAT gh-pat ACCESSTOKEN clientsecret
    JWT session_token set-cookie X-Api-Key --token --api-key SLACK_WEBHOOK SLACK_WEBHOOK_URL webhooks webhookUrl
    OTP PIN SALT SESSION_ID sessionId PHPSESSID STRIPE_SK card_pin password_salt
    AccountKey SharedAccessKey credential MASTER_KEY sshKey APP_KEYS STRIPE_KEY_2
""".split()  # noqa: SIM905
ORDINARY_NAMES = """
    author authors authority tokenizer key keys KEY user username compass passage bypass keyboard host_key_path 123
    public_key monkey primary_key path PATH pattern patterns pathname key_file keyFile private_key_file PASSWORD_FILE
    password_min_length token_ttl token_url token_type auth_mechanisms auth_method AUTH_USER auth_required max_tokens
    prompt_tokens foreign_key sort_key cacheKey partition_key routing-key idempotency_key known_keys authorized_keys
    pins pin_count sk task disk session sessions session_timeout
    webhook_timeout cookie_name patent compat spatial dispatch turkey authentication authenticated oauth secretary id
    uuid from to subject size code reply remote_addr command error reason
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret_is_one(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", [*ORDINARY_NAMES, "", "=", "é"])
def test_a_name_that_only_looks_like_one_is_none(name):
    assert not is_secret_name(name)


SHOWN = [
    # The hash of a password.
    ("scrypt:16384:8:5:c2Fsd-A:aHVu_GVyMg", "scrypt:16384:8:5:***"),
    ("ann is 'scrypt:2:1:1:c2FsdA:aHVu', bob", "ann is 'scrypt:2:1:1:***', bob"),
    # The password of a URL.
    ("redis://user:pw@host", "redis://user:***@host"),
    ("redis://:pw@host/0", "redis://:***@host/0"),
    ("amqps://u:p%40w@host:5671/v", "amqps://u:***@host:5671/v"),
    ("postgres://u:p@ss@host/db", "postgres://u:***@host/db"),
    ("postgres://u:p/w@host/db", "postgres://u:***@host/db"),
    ("mongodb://u:pw@h1:27017,h2:27017/db", "mongodb://u:***@h1:27017,h2:27017/db"),
    ("see HTTP://u:pw@host and ftp://a:b@c", "see HTTP://u:***@host and ftp://a:***@c"),
    ("https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/2", "https://***@o1.ingest.sentry.io/2"),
    ("SENTRY_DSN=https://pw@sentry.io/1", "SENTRY_DSN=https://***@sentry.io/1"),
    ("https://ghp_x@github.com", "https://***@github.com"),
    # Other DSNs.
    ("jdbc:oracle:thin:scott/pw@host", "jdbc:oracle:thin:scott/***@host"),
    ("app:pw@tcp(db:3306)/app?charset=utf8", "app:***@tcp(db:3306)/app?charset=utf8"),
    ("app:pw@unix(/run/db)/app", "app:***@unix(/run/db)/app"),
    ("app:pw@/app", "app:***@/app"),
    ("app:p@w@tcp(db)/app", "app:***@tcp(db)/app"),
    ("jdbc:oracle:thin:scott/tiger@//db:1521/x", "jdbc:***@//db:1521/x"),
    ("jdbc:mysql://db/app?user=u&password=pw", "jdbc:mysql://db/app?user=u&password=***"),
    ("mysql:host=db;dbname=app;password=pw", "mysql:host=db;dbname=app;password=***"),
    ("host=db user=app password='p w' port=1", "host=db user=app password=*** port=1"),
    ("Server=db;User Id=sa;Pwd=pw;Encrypt=yes", "Server=db;User Id=sa;Pwd=***;Encrypt=yes"),
    ("AccountName=x;AccountKey=pw==;Suffix=core", "AccountName=x;AccountKey=***;Suffix=core"),
    # Variables, options, parameters.
    ("PGPASSWORD=pw psql -h db", "PGPASSWORD=*** psql -h db"),
    ("APP_KEY=base64:pw= php artisan", "APP_KEY=*** php artisan"),
    ("php worker.php --token=pw --verbose", "php worker.php --token=*** --verbose"),
    ("php worker.php --token pw --verbose", "php worker.php --token *** --verbose"),
    ("curl -s -u user:pw https://host", "curl -s -u user:*** https://host"),
    ("sshpass -p pw ssh host", "sshpass -p *** ssh host"),
    ("mysql -h db -ppw app", "mysql -h db -p*** app"),
    ("STRIPE_SK=pw JWT=pw SALT=pw SESSION_ID=pw x", "STRIPE_SK=*** JWT=*** SALT=*** SESSION_ID=*** x"),
    ("the command 'php w.php --api-key=pw' ended", "the command 'php w.php --api-key=***' ended"),
    ("https://host/x?a=1&token=pw&b=2", "https://host/x?a=1&token=***&b=2"),
    ("https://host/x?key=pw", "https://host/x?key=***"),
    ("https://blob/x?sv=1&sig=pw%3D", "https://blob/x?sv=1&sig=***"),
    ("https://host/#access_token=pw", "https://host/#access_token=***"),
    ("(token=pw), then", "(token=***), then"),
    # JSON and Python.
    ('{"password": "p\\"w", "user": "u"}', '{"password": "***", "user": "u"}'),
    ('{"password":"pw"}', '{"password":"***"}'),
    ('a \\"token\\": \\"pw\\" in a string', 'a \\"token\\": \\"***\\" in a string'),
    ("{'api_key': 'pw', 'pins': 5}", "{'api_key': '***', 'pins': 5}"),
    ("{'pin': 5, 'otp': '6'}", "{'pin': ***, 'otp': '***'}"),
    ('{"api":{"token":["pw"]}}', '{"api":{"token":***}}'),
    ('{"users":[{"name":"u","password":"pw"}]}', '{"users":[{"name":"u","password":"***"}]}'),
    ('{"token":{"a":"pw"},"b":1}', '{"token":***,"b":1}'),
    ("['php', '--token', 'pw', 'x']", "['php', '--token', '***', 'x']"),
    ("{'secret': 5, 'auth': True}", "{'secret': ***, 'auth': True}"),
    ("{'tokens': ['pw', 'pw2'], 'x': 1}", "{'tokens': ***, 'x': 1}"),
    # Headers, webhooks, keys.
    ("X-Api-Key: pw", "X-Api-Key: ***"),
    ("password: pw\nuser: u", "password: ***\nuser: u"),
    ("curl -H 'X-Api-Key: pw' host", "curl -H 'X-Api-Key: ***' host"),
    ("Authorization: Bearer pwpwpwpw", "Authorization: Bearer ***"),
    ("Authorization: Basic dXNlcjpwdw", "Authorization: Basic ***"),
    ("sent bearer abcdef0123456789 to it", "sent bearer *** to it"),
    ("Cookie: session=pw; other=pw2", "Cookie: ***"),
    ("https://hooks.slack.com/services/T0/B0/pw", "https://hooks.slack.com/***"),
    ("https://discord.com/api/webhooks/1/pw it", "https://discord.com/api/webhooks/*** it"),
    ("https://x.webhook.office.com/webhookb2/pw", "https://x.webhook.office.com/webhookb2/***"),
    ("https://api.telegram.org/bot1:pw/send", "https://api.telegram.org/bot***"),
    ("-----BEGIN PRIVATE KEY-----\npw\n-----END", "-----BEGIN PRIVATE KEY-----***-----END"),
]
UNCHANGED = [
    "",
    "http://host:80/path@x",
    "http://[::1]:80/path@x",
    "http://user@host",
    "tcp://127.0.0.1:6001",
    "kafka://h1:9092,h2:9092/topic",
    "mail to a:b@c",
    "bounce+user=example.com@list.example.com",
    "path=/tmp/x pattern=*.eml author=me key=5 max_tokens=9",
    "https://host/x?page=2&author=me",
    "php worker.php --path /srv --no-password-check file",
    "Basic authentication is not offered, bearer tokens are",
    "auth=true token=",
    '{"path": "/x", "pattern": "y", "author": "z", "key": "k", "auth": true}',
    "password: must be at least 8 characters",
    "smtp.password must be a text",
    "-- \nsigned",
    "250-AUTH PLAIN LOGIN",
    "auth: failed",
    "mysql -P 3306 -h db",
    "mysql -P3306 -h db",
    "docker run -p 80:80 -u 1000:1000 image",
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_a_secret_in_a_text_is_masked_and_the_rest_is_legible(text, shown):
    assert mask_text(text) == shown
    assert mask_text(shown) == shown


@pytest.mark.parametrize("text", UNCHANGED)
def test_a_text_without_a_secret_stays_as_it_is(text):
    assert mask_text(text) == text


@pytest.mark.parametrize(("text", "_"), SHOWN)
def test_the_quick_look_misses_no_secret(text, _):
    assert may_hold_secret(text)


PIECES = ["password", "token", "=", ":", " ", '"', "'", "\\", "@", "://", "/", "a", "b1", "?", "&", ";", ",", "--", "-"]
PIECES += ["Bearer ", "authorization", "cookie", "[", "]", "{", "}", "tcp", "(", ")", "***", "\n", "webhook", "hooks."]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example('password=""password')
@example("password://://@@")
@example('"password":[]password')
def test_masking_twice_is_masking_once(text):
    once = mask_text(text)
    assert mask_text(once) == once


MORE_UNITS = [
    "curl ",
    "mysql ",
    "curl -u a",
    "sshpass ",
    "dsn=a://",
    "'--a', '",
    "a: ",
    "'token':[",
    "'token':{",
    "'a':{",
]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(
    "unit", ["a://b:", "http://u:p@", "a=", 'a="', "a=,", "'a':\"", '\\"a\\":', "--token ", "a:", "a.", *MORE_UNITS]
)
def test_the_time_grows_with_the_length_of_the_text_alone(unit):
    def seconds(size: int) -> float:
        text = f"=://--': {unit * (size // len(unit))}"
        began = time.process_time()
        mask_text(text)
        return time.process_time() - began

    # A quadratic one takes 256 times as long.
    assert min(seconds(256 * 1024) for _ in range(3)) < 100 * min(seconds(16 * 1024) for _ in range(3))


def test_everything_below_a_secret_name_is_masked_and_what_says_nothing_stays():
    tree = {
        "users": [{"name": "a", "password": "x"}],
        "tokens": {"one": "x", "more": ["y", 5, 1.5, None, "", True]},
        "credentials": ["x"],
        "auth": True,
        "token": False,
        "dsn": "redis://u:p@h",
        "env": {"PGPASSWORD": "x", "PATH": "/bin"},
        1: {"api_key": "x"},
    }
    assert masked(tree) == {
        "users": [{"name": "a", "password": "***"}],
        "tokens": {"one": "***", "more": ["***", "***", "***", None, "", True]},
        "credentials": ["***"],
        "auth": True,
        "token": False,
        "dsn": "redis://u:***@h",
        "env": {"PGPASSWORD": "***", "PATH": "/bin"},
        1: {"api_key": "***"},
    }
    assert tree["credentials"] == ["x"], "the tree itself is left as it was"


def test_the_word_after_an_option_of_a_command_is_masked():
    command = ["php", "w.php", "--token", "pw", "--pass=pw", "--no-auth", "x", "--secret", "--path", "/srv", "-v"]
    shown = ["php", "w.php", "--token", "***", "--pass=***", "--no-auth", "x", "--secret", "--path", "/srv", "-v"]
    assert masked(command) == shown


def test_the_words_of_a_command_are_masked_where_its_program_takes_a_password():
    assert masked(["sshpass", "-p", "pw", "ssh", "h"]) == ["sshpass", "-p", "***", "ssh", "h"]
    assert masked(["/usr/bin/mysql", "-u", "root", "-ppw"]) == ["/usr/bin/mysql", "-u", "root", "-p***"]
    assert masked(["curl", "-u", "a:pw", "https://h"]) == ["curl", "-u", "a:***", "https://h"]
    assert masked(["php", "-p", "x", "-u", "a:b"]) == ["php", "-p", "x", "-u", "a:b"]


def test_a_dsn_is_masked_by_the_name_of_its_key():
    assert masked({"SENTRY_DSN": "https://pw@sentry.io/1"}) == {"SENTRY_DSN": "https://***@sentry.io/1"}


def test_a_list_adds_names_however_their_words_are_joined(monkeypatch):
    monkeypatch.setattr(secret_names, "_added", set())
    assert not is_secret_name("DB_HASH")
    secret_names.add_secret_names(["DB_HASH"])
    assert all(map(is_secret_name, ("DB_HASH", "dbHash", "--db-hash")))
    assert mask_text("x --db-hash pw DB_HASH=pw") == "x --db-hash *** DB_HASH=***"
    monkeypatch.undo()
    secret_names.add_secret_names([])
    assert not is_secret_name("DB_HASH")
