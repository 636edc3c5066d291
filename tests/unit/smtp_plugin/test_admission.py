"""Which connections are served, which may wait for their end, and which are cut. Pure."""

from __future__ import annotations

from rrpy.smtp_plugin.server.admission import MAX_LEAVING, Admission


def test_there_is_room_for_so_many_connections() -> None:
    admission = Admission(2, 0)
    assert [admission.enter(each) for each in "abc"] == [True, True, False]
    assert admission.enter("a")  # counted once
    admission.leave("a")
    assert admission.enter("c")
    assert not admission.enter("d")


def test_zero_is_no_limit() -> None:
    admission = Admission(0, 0)
    assert all(admission.enter(number) and admission.admit(number, "h") for number in range(5000))


def test_a_client_has_so_many_connections() -> None:
    admission = Admission(0, 2)
    assert [admission.admit(each, "h") for each in "abc"] == [True, True, False]
    assert admission.admit("a", "h")  # counted once
    assert admission.admit("d", "other")
    admission.leave("b")
    assert admission.admit("c", "h")


def test_those_that_are_turned_away_take_no_place_and_have_a_bound() -> None:
    admission = Admission(1, 0)
    assert admission.enter("served")
    leaving = list(range(MAX_LEAVING))
    assert not any(admission.enter(each) for each in leaving)
    assert all(admission.may_linger(each, "h") for each in leaving)
    assert not admission.may_linger("more", "h")
    admission.leave("served")
    assert admission.enter("next")
    admission.leave(leaving[0])
    assert admission.may_linger("more", "h")


def test_a_client_has_no_more_that_are_turned_away_than_it_may_have_connections() -> None:
    admission = Admission(0, 2)
    for each in "ab":
        assert admission.enter(each)
        assert admission.admit(each, "h")
    for each in "cdef":
        assert admission.enter(each)
        assert not admission.admit(each, "h")
    assert [admission.may_linger(each, "h") for each in "cdef"] == [True, True, False, False]
    assert admission.may_linger("g", "other")
    for each in "abcdefg":
        admission.leave(each)
        admission.leave(each)
    assert [admission.admit(each, "h") for each in "abc"] == [True, True, False]
