"""The login of the inbox: whose requests pass, and what the others get."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import httpx
import pytest
from support.container.passwords import cheap
from support.log import Log

from rrpy.container.config.fields import Secret
from rrpy.container.errors import ConfigError
from rrpy.container.passwords import MAX_BYTES, TRIES, token_hash
from rrpy.inbox.config import InboxConfig, TokenConfig
from rrpy.inbox.mail_servers import MailServers
from rrpy.inbox.mailbox import Mailbox
from rrpy.inbox.store.store import Store
from rrpy.inbox.web.application import STATIC, application
from rrpy.inbox.web.routes import PREFIX, ROUTES

pytestmark = pytest.mark.anyio

CONFIG = InboxConfig(
    users={"ann": Secret(cheap("sesame")), "zoë": Secret(cheap("gr\u00fcn:gelb"))},
    tokens={"ci": TokenConfig(Secret(token_hash("rrpy_one"))), "e2e": TokenConfig(Secret(token_hash("rrpy_two")))},
)


class Asking:
    """An inbox without sockets, and a client of it. `log`: the inbox's."""

    def __init__(self, config: InboxConfig) -> None:
        self.log = Log()
        self._store = Store()
        app = application(Mailbox(self._store), MailServers(), config, self.log)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

    async def ask(self, header: str | bytes | None = None, path: str = "/", method: str = "GET") -> httpx.Response:
        headers = {} if header is None else {"Authorization": header}
        return await self._client.request(method, path, headers=headers)  # type: ignore[arg-type]  # bytes are right

    async def ask_with(self, headers: list[tuple[str, str]]) -> httpx.Response:
        return await self._client.get("/", headers=headers)

    async def aclose(self) -> None:
        await self._client.aclose()
        self._store.close()


@pytest.fixture
async def inbox() -> AsyncIterator[Asking]:
    made = Asking(CONFIG)
    yield made
    await made.aclose()


def basic(text: str, charset: str = "utf-8") -> str:
    return f"Basic {b64encode(text.encode(charset)).decode()}"


@pytest.mark.parametrize(
    "header",
    [
        basic("ann:sesame"),
        basic("ann:sesame").replace("Basic", "bAsIc  "),
        basic("zoë:gr\u00fcn:gelb"),
        basic("zoe\u0308:gru\u0308n:gelb"),
        basic("ci:rrpy_one"),
        "Bearer rrpy_one",
        "bearer rrpy_two",
    ],
)
async def test_users_and_tokens_pass(header: str, inbox: Asking) -> None:
    assert (await inbox.ask(header)).status_code == 200
    assert (await inbox.ask(header, f"{PREFIX}/info")).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YTpi YTpi",
        "Basic YTp",
        basic("ann"),
        basic("zoë:gr\u00fcn:gelb", "latin-1"),
        "Digest ann:sesame",
        "Bearer",
        "Bearer ",
        "Bearer rrpy_öne",
        "Bearerrrpy_one",
        "Bearer scrypt:2:1:1:c2FsdHNhbHQ:x",
        f"Bearer {token_hash('rrpy_one')}",
        "Bearer rrpy_one,rrpy_one",
        "Bearer rrpy_On",
        "ann:sesame",
        "\xff\xfe",
    ],
)
async def test_a_malformed_header_and_a_wrong_token_get_401_and_are_no_try(header: str, inbox: Asking) -> None:
    for _ in range(TRIES + 1):
        answer = await inbox.ask(header.encode("latin-1", "replace"))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith(
            'Bearer realm="rrpy inbox", error' if "token is wrong" in answer.text else 'Basic realm="rrpy inbox", char'
        )
        assert header not in answer.text or len(header) < 7
    assert (await inbox.ask(basic("ann:sesame"))).status_code == 200
    assert inbox.log.lines == []


async def test_several_headers_are_refused_even_if_each_is_right(inbox: Asking) -> None:
    right = ("Authorization", basic("ann:sesame"))
    for headers in ([right, right], [right, ("authorization", "Bearer rrpy_one")]):
        answer = await inbox.ask_with(headers)
        assert answer.status_code == 401
        assert answer.json()["detail"] == "the request has several Authorization headers"


@pytest.mark.parametrize("text", ["ann:Sesame", "ann:", ":sesame", "bob:sesame", "ci:rrpy_two", "ann:" + "x" * 3000])
async def test_a_wrong_login_gets_401_with_one_answer_for_all_names(text: str, inbox: Asking) -> None:
    answer = await inbox.ask(basic(text))
    assert answer.status_code == 401
    assert answer.json()["detail"] == "the name or the password is wrong"
    user = "ann" if text.startswith("ann") else "unknown"
    wanted = [] if len(text) > MAX_BYTES else [("login failed", {"user": user, "remote_addr": "127.0.0.1"})]
    assert inbox.log.of("warning") == wanted


async def test_no_client_fills_the_log_with_wrong_logins(inbox: Asking) -> None:
    """Each request had a line, also those that take no try: too long, equal at once, or where there are no users."""
    await asyncio.gather(*(inbox.ask(basic("ann:x")) for _ in range(20)))
    for _ in range(20):
        await inbox.ask(basic("ann:" + "x" * MAX_BYTES + "x"))
    assert len(inbox.log.lines) == 1
    tokens = Asking(InboxConfig(tokens=CONFIG.tokens))
    for number in range(20):
        assert (await tokens.ask(basic(f"ann:{number}"))).status_code == 401
    assert tokens.log.lines == []
    await tokens.aclose()


async def test_too_many_wrong_logins_get_429_and_known_ones_still_pass(inbox: Asking) -> None:
    assert (await inbox.ask(basic("ann:sesame"))).status_code == 200
    for number in range(TRIES):
        assert (await inbox.ask(basic(f"ann:{number}"))).status_code == 401
    late = await inbox.ask(basic("ann:x"))
    assert late.status_code == 429
    assert 1 <= int(late.headers["Retry-After"]) <= 5
    assert (await inbox.ask(basic("zoë:gr\u00fcn:gelb"))).status_code == 429
    assert (await inbox.ask(basic("ann:sesame"))).status_code == 200
    assert (await inbox.ask("Bearer rrpy_one")).status_code == 200


async def test_all_that_the_inbox_has_needs_a_login_except_the_probe(inbox: Asking) -> None:
    for route in ROUTES:
        for method in ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"):
            path = PREFIX + route.path.format(id="latest", number=1, uuid="x", name="x", rule=1)
            assert (await inbox.ask(path=path, method=method)).status_code == 401, (method, path)
    paths = [f"/{file.name}" for file in STATIC.iterdir()]
    for path in [*paths, "/", "/nothing", "/livez/", "/LIVEZ", "//livez", "/livez/../", "/%2e/livez", "/livez%00"]:
        assert (await inbox.ask(path=path)).status_code == 401, path
    assert (await inbox.ask(path="/livez")).text == "ok\n"
    assert (await inbox.ask(path="/livez?x", method="HEAD")).status_code == 200


async def test_the_guard_comes_before_the_login(inbox: Asking) -> None:
    answer = await inbox.ask_with([("Authorization", basic("ann:sesame")), ("Origin", "http://evil.example")])
    assert answer.status_code == 403
    answer = await inbox.ask_with([("Sec-Fetch-Site", "cross-site")])
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers


async def test_a_token_releases_no_message(inbox: Asking) -> None:
    path = f"{PREFIX}/messages/x/release"
    for header in ("Bearer rrpy_one", basic("ci:rrpy_one")):
        answer = await inbox.ask(header, path, "POST")
        assert answer.status_code == 403
        assert answer.json()["detail"] == "a token may not release a message; a user may"
        assert (await inbox.ask(header, f"{PREFIX}/messages", "DELETE")).status_code == 200
    assert (await inbox.ask(basic("ann:sesame"), path, "POST")).status_code == 400, "the body is missing"


@pytest.mark.parametrize(("config", "status"), [(InboxConfig(), 200), (InboxConfig(tokens=CONFIG.tokens), 401)])
async def test_tokens_alone_close_the_inbox_too(config: InboxConfig, status: int) -> None:
    inbox = Asking(config)
    assert (await inbox.ask()).status_code == status
    assert (await inbox.ask(basic("ann:sesame"))).status_code == status
    assert (await inbox.ask("Bearer rrpy_one")).status_code == 200
    await inbox.aclose()


async def test_the_document_of_the_api_names_the_logins(inbox: Asking) -> None:
    document = (await inbox.ask("Bearer rrpy_one", f"{PREFIX}/openapi.json")).json()
    assert set(document["components"]["securitySchemes"]) == {"user", "token"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ({"token": []} in operation["security"]) is not path.endswith("/release")
            assert {"401", "429"} <= set(operation["responses"])


@pytest.mark.parametrize(
    ("users", "tokens", "said"),
    [
        ({"ann": "hunter2"}, {}, "users.ann is wrong: it is not a hash; make one with `rrpy hash`"),
        ({"": cheap("x")}, {}, "users: '' is not the name of a user or a token"),
        ({"a:b": cheap("x")}, {}, "users: 'a:b' is not the name of a user or a token"),
        ({"a\n": cheap("x")}, {}, "is not the name of a user or a token"),
        ({"a" * 1025: cheap("x")}, {}, "is not the name of a user or a token"),
        ({"zoe\u0308": cheap("x"), "zo\u00eb": cheap("x")}, {}, "which inbox.users has too"),
        ({"ann": cheap("x")}, {"ann": token_hash("x")}, "tokens: has the name 'ann', which inbox.users has too"),
        ({}, {"ci": "hunter2"}, "tokens.ci.token is not the hash of a token; make a token and its hash with"),
        ({}, {"ci": token_hash("hunter2").upper()}, "tokens.ci.token is not the hash of a token"),
    ],
)
async def test_a_wrong_setting_is_one_sentence_without_its_value(
    users: dict[str, str], tokens: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        InboxConfig(
            users={name: Secret(text) for name, text in users.items()},
            tokens={name: TokenConfig(Secret(text)) for name, text in tokens.items()},
        )
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
