from __future__ import annotations

import json
import pickle

import msgspec
import pytest

from rrpy.container.config.fields import Duration, PositiveDuration, Secret, decode_field


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("2.5s", 2.5),
        ("1h", 3600.0),
        ("1h2m3s4ms", 3723.004),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("1ns", 1e-9),
        (".5s", 0.5),
        ("0", 0.0),
        ("0s", 0.0),
        ("30", 30.0),
        ("1.5", 1.5),
        (" 10s ", 10.0),
        (30, 30.0),
        (1.5, 1.5),
        (0, 0.0),
    ],
)
def test_a_duration_is_read_in_gos_notation_and_a_bare_number_is_seconds(written, seconds):
    assert Duration(written) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "s",
        "1 s",
        "10 seconds",
        "-1s",
        "-5",
        "1d",
        "1s1",
        "1e3",
        "0x10",
        "1_000",
        "ten",
        "\u0661s",
        "nan",
        "inf",
        "1S",
    ],
)
def test_what_is_no_duration_is_refused_with_an_example_and_the_value(written):
    with pytest.raises(ValueError, match="expected a duration such as 10s, 1m30s or 500ms, got") as caught:
        Duration(written)
    assert repr(written.strip()) in str(caught.value)


@pytest.mark.parametrize(
    "value", [True, False, None, [], {}, b"10s", -1, -0.5, float("nan"), float("inf"), float("-inf")]
)
def test_a_switch_a_list_or_a_number_that_is_no_length_of_time_is_no_duration(value):
    with pytest.raises(ValueError, match="expected a duration"):
        Duration(value)


@pytest.mark.parametrize("value", [1e308, 10**400, "9" * 400, "9" * 400 + "h", f"{'9' * 308}.5h", "1e999"])
def test_a_duration_beyond_every_number_is_refused_and_not_an_overflow(value):
    with pytest.raises(ValueError, match="expected a duration"):
        Duration(value)


@pytest.mark.parametrize("value", [0, "0s", 0.000999, "999us", "1ns", 1e-300])
def test_a_pause_or_a_timeout_below_a_millisecond_is_refused(value):
    """`watch_tick: 1ns` made the host spin."""
    with pytest.raises(ValueError, match=r"^must be at least 1ms$"):
        PositiveDuration(value)
    with pytest.raises(ValueError, match=r"^must be at least 1ms$"):
        decode_field(PositiveDuration, value)


@pytest.mark.parametrize("value", ["1ms", 0.001, "1m"])
def test_a_pause_of_a_millisecond_or_more_is_taken(value):
    assert PositiveDuration(value) == Duration(value)


def test_a_huge_but_finite_duration_is_taken():
    assert Duration("100000h") == 360_000_000.0
    assert str(Duration("100000h")) == "100000h"


@pytest.mark.parametrize(
    "text",
    [
        "0s",
        "10s",
        "1m30s",
        "1h",
        "1h1s",
        "500ms",
        "1.5s",
        "1m0.5s",
        "100us",
        "1.5us",
        "0.5us",
        "999.999999ms",
        "0.001us",
    ],
)
def test_a_duration_is_shown_in_the_notation_it_is_read_in(text):
    assert str(Duration(text)) == text
    assert str(Duration(str(Duration(text)))) == text


def test_a_duration_rounds_over_to_the_next_unit():
    assert str(Duration(0.9999999999)) == "1s"
    assert str(Duration(59.9999999999)) == "1m"
    assert str(Duration(1e-12)) == "0s"


def test_a_duration_is_a_float_wherever_seconds_are_asked_for():
    assert Duration("10s") + 1 == 11.0
    assert repr(Duration("1m30s")) == "Duration('1m30s')"
    assert json.dumps(Duration("1m30s")) == "90.0"
    assert Duration() == 0.0


def test_a_secret_is_shown_nowhere_but_by_reveal():
    secret = Secret("hunter2")
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>10}",
        repr([secret]),
        repr({"k": secret}),
    ]
    assert not any("hunter2" in text for text in shown)
    assert "***" in shown[0]
    assert secret.reveal() == "hunter2"


def test_a_secret_does_not_leak_through_a_struct_that_holds_it():
    class Model(msgspec.Struct):
        password: Secret

    assert "hunter2" not in repr(Model(Secret("hunter2")))
    assert b"hunter2" not in msgspec.json.encode(Model(Secret("hunter2")), enc_hook=str)
    assert not hasattr(Secret("hunter2"), "__dict__")


def test_secrets_are_compared_by_what_they_hold_and_are_true_when_they_hold_something():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert hash(Secret("a")) != hash("a")
    assert Secret("a")
    assert not Secret("")


def test_a_secret_survives_a_copy():
    assert pickle.loads(pickle.dumps(Secret("a"))) == Secret("a")


def test_the_hook_makes_both_types_and_their_subclasses():
    class Own(Secret):
        __slots__ = ()

    assert decode_field(Duration, "1s") == 1.0
    assert decode_field(Secret, "x") == Secret("x")
    assert type(decode_field(Own, "x")) is Own


@pytest.mark.parametrize("value", [5, None, True, ["x"]])
def test_a_secret_that_is_no_text_is_told_to_be_quoted_without_being_shown(value):
    with pytest.raises(ValueError, match=r"^expected a text in quotes$"):
        decode_field(Secret, value)


def test_a_type_that_nobody_knows_is_the_models_defect():
    with pytest.raises(NotImplementedError, match="field of type complex"):
        decode_field(complex, 1)
