"""The budget of all connections: above it, the connection ends that has held the most for the longest time."""

from __future__ import annotations

from support.container.clock import TurnedLoop, run

from rrpy.rpc.budget import Budget, Share


class Connections:
    """Shares of a budget by number, and the numbers of those that were dropped."""

    def __init__(self, limit: int, count: int) -> None:
        self.dropped: list[int] = []
        self.budget = Budget(limit)
        self.shares: list[Share] = [self.budget.share(self._dropping(number)) for number in range(count)]

    def _dropping(self, number: int):
        def drop(reason: str) -> None:
            assert (
                reason == f"all connections together hold more than {self.budget.limit} bytes of requests and responses"
            )
            self.dropped.append(number)

        return drop


def test_within_the_limit_no_connection_is_dropped() -> None:
    async def test(_loop: TurnedLoop) -> None:
        connections = Connections(100, 4)
        for _ in range(10):
            for share in connections.shares:
                share.change(25)
            for share in connections.shares:
                share.change(-25)
        assert connections.dropped == []

    run(test)


def test_the_one_that_holds_for_long_is_dropped_and_not_one_that_comes_and_goes() -> None:
    async def test(loop: TurnedLoop) -> None:
        connections = Connections(100, 3)
        slow, slower, quick = connections.shares
        slower.change(40)
        loop.turn(1)
        slow.change(40)
        loop.turn(1)
        quick.change(90)
        assert connections.dropped == [1, 0]
        quick.change(-90)
        for _ in range(5):
            quick.change(100)
            quick.change(-100)
            loop.turn(10)
        assert connections.dropped == [1, 0]

    run(test)


def test_a_small_share_that_waits_for_long_is_not_the_one() -> None:
    async def test(loop: TurnedLoop) -> None:
        connections = Connections(1000, 3)
        waits, slow, _quick = connections.shares
        waits.change(1)
        loop.turn(60)
        slow.change(500)
        loop.turn(1)
        connections.shares[2].change(500)
        assert connections.dropped == [1]

    run(test)


def test_of_two_that_hold_for_equally_long_the_larger_is_dropped() -> None:
    async def test(loop: TurnedLoop) -> None:
        connections = Connections(100, 3)
        first, second, third = connections.shares
        first.change(30)
        second.change(60)
        loop.turn(1000)
        third.change(20)
        assert connections.dropped == [1]

    run(test)


def test_a_share_that_has_left_counts_for_nothing() -> None:
    async def test(_loop: TurnedLoop) -> None:
        connections = Connections(100, 2)
        left, other = connections.shares
        left.change(80)
        left.leave()
        left.leave()
        other.change(100)
        left.change(80)
        left.change(-80)
        assert connections.dropped == []
        other.change(1)
        assert connections.dropped == [1], "alone it may not exceed the limit either"
        other.change(1000)
        assert connections.dropped == [1]

    run(test)
