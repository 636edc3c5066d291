"""Hashes of passwords and tokens, and the check of logins, with a clock that the test turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.container.passwords import cheap
from support.linear import repeated, superlinear

from rrpy.container import passwords
from rrpy.container.passwords import (
    MAX_ADDRESSES,
    MAX_BYTES,
    MAX_REMEMBERED,
    MAX_WAITING,
    PAUSE,
    REMEMBERED,
    TRIES,
    Logins,
    PasswordHash,
    Tries,
    TryLater,
    new_token,
    normalized,
    token_hash,
)

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[PasswordHash]:
    """The hashes that were compared: what a login costs."""
    seen: list[PasswordHash] = []
    compare = PasswordHash.matches

    def matches(self: PasswordHash, password: str) -> bool:
        seen.append(self)
        return compare(self, password)

    monkeypatch.setattr(PasswordHash, "matches", matches)
    return seen


def test_a_hash_is_of_its_password_alone() -> None:
    made = PasswordHash.of("correct horse")
    assert str(made).startswith("scrypt:16384:8:5:")
    read = PasswordHash.parse(str(made))
    assert read == made
    assert read.matches("correct horse")
    assert not read.matches("correct horses")
    assert str(PasswordHash.of("correct horse")) != str(made), "each has a salt of its own"
    assert set(str(made)) <= set("0123456789:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"), "no $, no comma"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "$2y$10$hunter2",
        "scrypt",
        "scrypt:16384:8:5:salt",
        "argon2:2:1:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:2:1:1:c2FsdHNhbHQ:" + "A" * 43 + ":x",
        "scrypt:2:1:1:c2FsdHNhbHQ:" + "A" * 42,
        "scrypt:2:1:1:c2FsdHNhbHQ:" + "!" * 43,
        "scrypt:2:1:1:c2Fs:" + "A" * 43,
        "scrypt:3:1:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:0:1:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:-2:1:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:٢:1:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:2:0:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:1048576:8:1:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:16384:8:999999999:c2FsdHNhbHQ:" + "A" * 43,
        "scrypt:99999999999:8:1:c2FsdHNhbHQ:" + "A" * 43,
    ],
)
def test_another_text_is_not_a_hash_and_is_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="rrpy hash") as caught:
        PasswordHash.parse(text)
    assert "hunter2" not in str(caught.value)


def test_a_token_is_random_and_has_a_hash() -> None:
    assert new_token() != new_token()
    assert new_token().startswith("rrpy_")
    assert token_hash("a") == "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


async def test_a_login_that_succeeded_is_known_for_a_time(clock: Clock, hashed: list[PasswordHash]) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    for _ in range(3):
        assert await logins.check("ann", "secret", "192.0.2.1")
    assert len(hashed) == 1
    assert not await logins.check("ann", "secre", "192.0.2.1")
    assert not await logins.check("anns", "ecret", "192.0.2.1")
    clock.now += REMEMBERED
    assert await logins.check("ann", "secret", "192.0.2.1")
    assert len(hashed) == 4


async def test_equal_logins_at_once_are_one_check(clock: Clock, hashed: list[PasswordHash]) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    found = await asyncio.gather(*(logins.check("ann", "secret", "192.0.2.1") for _ in range(50)))
    assert found == [True] * 50
    assert len(hashed) == 1


async def test_a_request_that_is_cancelled_ends_no_other(clock: Clock) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    first, second = (asyncio.ensure_future(logins.check("ann", "secret", "192.0.2.1")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_an_unknown_name_costs_what_a_known_one_costs(clock: Clock, hashed: list[PasswordHash]) -> None:
    logins = Logins({"ann": cheap("secret"), "bob": cheap("secret", b"another salt")}, clock)
    for name in ("carl", "", "ann ", "carl"):
        assert not await logins.check(name, "secret", "192.0.2.1")
    assert len(hashed) == 4
    assert hashed[0] is hashed[3], "always that of the same user"


async def test_names_and_passwords_are_compared_in_nfc(clock: Clock) -> None:
    name, failed = "z\N{LATIN SMALL LETTER E WITH ACUTE}", []
    users = {name: cheap("\N{LATIN SMALL LETTER E WITH ACUTE}")}
    logins = Logins(users, clock, lambda *user_and_address: failed.append(user_and_address))
    assert await logins.check("ze\N{COMBINING ACUTE ACCENT}", "e\N{COMBINING ACUTE ACCENT}", "192.0.2.1")
    assert not await logins.check("ze\N{COMBINING ACUTE ACCENT}", "e", "192.0.2.1")
    assert not await logins.check("sesame", "e", "192.0.2.1")
    assert failed == [(name, "192.0.2.1"), ("unknown", "192.0.2.1")], "no name that may be a password"


def test_a_long_text_is_not_normalized() -> None:
    """One request with a name of 30,000 accents held up the host for six seconds, before any login."""
    assert superlinear(normalized, repeated(["\u0301\u0316"])) == []
    assert normalized("e\u0301" * (MAX_BYTES // 3)) == "é" * (MAX_BYTES // 3)


@pytest.mark.parametrize(("name", "password"), [("ann", "x" * (MAX_BYTES + 1)), ("x" * (MAX_BYTES + 1), "x")])
async def test_a_long_text_is_not_hashed(name: str, password: str, clock: Clock, hashed: list[PasswordHash]) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    for _ in range(TRIES + 1):
        assert not await logins.check(name, password, "192.0.2.1")
    assert not hashed


@pytest.mark.parametrize("odd", ["\0", "a\0b", "\udcff", "\N{PILE OF POO}", ":"])
async def test_odd_texts_are_wrong_passwords(odd: str, clock: Clock) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    assert not await logins.check("ann", odd, "192.0.2.1")
    assert not await logins.check(odd, "secret", "192.0.2.1")
    assert not await logins.check(f"ann\0{odd}", "secret", "192.0.2.1")


async def test_wrong_logins_of_an_address_are_bounded_and_lock_no_other_address_out(
    clock: Clock, hashed: list[PasswordHash]
) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    assert await logins.check("ann", "secret", "192.0.2.7")
    for guess in range(TRIES):
        assert not await logins.check("ann", str(guess), "192.0.2.7")
    for password in ("guess", "secre"):
        with pytest.raises(TryLater) as caught:
            await logins.check("ann", password, "192.0.2.7")
        assert 0 < caught.value.seconds <= PAUSE
    assert await logins.check("ann", "secret", "192.0.2.7"), "a login that is known needs no try"
    assert await logins.check("ann", "secret", "192.0.2.8")
    clock.now += PAUSE
    assert not await logins.check("ann", "guess", "192.0.2.7")
    with pytest.raises(TryLater):
        await logins.check("ann", "guess", "192.0.2.7")
    assert len(hashed) == 1 + TRIES + 1


async def test_a_login_that_is_right_uses_no_try(clock: Clock) -> None:
    logins = Logins({"ann": cheap("secret")}, clock)
    for _ in range(TRIES * 2):
        clock.now += REMEMBERED if _ == TRIES else 0
        assert await logins.check("ann", "secret", "192.0.2.7")
    for guess in range(TRIES):
        assert not await logins.check("ann", str(guess), "192.0.2.7")


async def test_the_logins_that_wait_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    release = asyncio.Event()

    async def held(*_: Any, **__: Any) -> bool:
        await release.wait()
        return False

    monkeypatch.setattr(passwords.anyio.to_thread, "run_sync", held)
    logins = Logins({"ann": cheap("secret")}, clock)
    waiting = [asyncio.ensure_future(logins.check("ann", "x", f"192.0.2.{number}")) for number in range(MAX_WAITING)]
    others = [asyncio.ensure_future(logins.check("ann", str(n), f"192.0.2.{n}")) for n in range(MAX_WAITING - 1)]
    await asyncio.sleep(0)
    with pytest.raises(TryLater):
        await logins.check("ann", "late", "198.51.100.1")
    release.set()
    assert not any(await asyncio.gather(*waiting, *others))
    assert not await logins.check("ann", "late", "198.51.100.1")


async def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    users = {f"user{number}": cheap("secret") for number in range(MAX_REMEMBERED + 1)}
    logins = Logins(users, clock)
    for name in users:
        assert await logins.check(name, "secret", "192.0.2.7")
    assert len(logins._known) == MAX_REMEMBERED


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_tries_are_counted_by_what_one_client_has(one: str, other: str, same: bool, clock: Clock) -> None:
    tries = Tries(clock)
    for _ in range(TRIES):
        tries.take(one)
    if same:
        with pytest.raises(TryLater):
            tries.take(other)
    else:
        tries.take(other)


def test_the_addresses_that_are_counted_are_bounded(clock: Clock) -> None:
    tries = Tries(clock)
    for _ in range(TRIES):
        tries.take("192.0.2.1")
    for number in range(MAX_ADDRESSES - 2):
        tries.take(f"client {number}")
    with pytest.raises(TryLater):
        tries.take("192.0.2.1")  # asking keeps its place
    for number in range(MAX_ADDRESSES):
        tries.take(f"other {number}")
    assert len(tries._full_at) == MAX_ADDRESSES
