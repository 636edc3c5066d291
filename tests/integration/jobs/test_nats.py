"""The driver nats against a real server, beyond what every driver promises."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from nats.aio.msg import Msg
from support.jobs.nats_driver import Host, host
from support.jobs.nats_server import CuttingProxy, NatsServer, nats_server
from support.jobs.places import ids, is_idle, job, pull, pull_all, push
from support.waiting import TIMEOUT, until

from rrpy.jobs.drivers.nats.errors import Differs
from rrpy.jobs.drivers.nats.message import message_of, to_headers
from rrpy.jobs.protocols import Full, Rejected

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


async def api(one: Host, verb: str, **argument: object) -> dict:
    return await one.queue.connection.requests.ask(f"$JS.API.{verb}", msgspec.json.encode(argument), timeout=TIMEOUT)


async def emptied(one: Host, stream: str, below: int = 1) -> None:
    """Wait until a stream has fewer bytes: the server deletes after it has answered."""
    async with asyncio.timeout(TIMEOUT):
        while (await api(one, f"STREAM.INFO.{stream}"))["state"]["bytes"] >= below:
            pass


@asynccontextmanager
async def dying(server: NatsServer, stream: str, **settings: float) -> AsyncIterator[Host]:
    """A host that dies at the end: it settles nothing, and gives nothing back."""
    async with host(server.address, stream, **settings) as one:
        yield one
        await one.queue.connection.aclose()


async def test_a_large_body_is_an_object_until_the_ack(server: NatsServer) -> None:
    body = bytes(range(256)) * 12288  # 3 MiB
    async with host(server.address, "large") as one:
        await push(one.queue, job("big", body, envelope=b"{}"), job("small"))
        found = await pull_all(one.queue, 2)
        large = next(each for each in found if each.job.id == "big")
        assert (large.job.payload, large.job.envelope) == (body, b"{}")
        large.retry(0)
        (again,) = await pull(one.queue)
        assert (again.job.payload, again.attempt) == (body, 2)
        for each in (again, *found):
            if each is not large:
                each.ack()
        await emptied(one, "OBJ_large-bodies", 4096)


async def test_a_large_body_is_an_object_for_every_client_of_nats_and_a_repetition_changes_nothing(
    server: NatsServer,
) -> None:
    """nats-py checks the digest of what it reads. A push of the same id replaced the body of the job that waits."""
    async with host(server.address, "objects") as one:
        await push(one.queue, job("big/1", b"a" * (5 << 19), envelope=b"{}"))
        before = (await api(one, "STREAM.INFO.OBJ_objects-bodies"))["state"]["messages"]
        await push(one.queue, job("big/1", b"b" * (6 << 19)))
        (found,) = await pull(one.queue)
        assert (found.job.payload, found.job.envelope) == (b"a" * (5 << 19), b"{}")
        client = one.queue.connection.client
        stored = await (await client.jetstream().object_store("objects-bodies")).get(found.message.object)
        assert stored.data == b"{}" + found.job.payload
        assert stored.info.chunks + 1 == before
        await emptied(one, "OBJ_objects-bodies", 6 << 19)  # the second body is gone
        found.ack()
        await emptied(one, "OBJ_objects-bodies", 4096)


async def test_a_refused_repetition_leaves_the_body_of_the_job_that_waits(server: NatsServer) -> None:
    async with host(server.address, "refused") as one:
        await push(one.queue, job("big", bytes(2 << 20)))
        config = (await api(one, "STREAM.INFO.OBJ_refused-bodies"))["config"]
        await api(one, "STREAM.UPDATE.OBJ_refused-bodies", **config | {"max_bytes": 3 << 20})
        with pytest.raises(Full):
            await push(one.queue, job("big", bytes(2 << 20)))
        (found,) = await pull(one.queue)
        assert found.job.payload == bytes(2 << 20)
        found.ack()


async def test_a_full_object_store_refuses_a_large_body_at_once_and_keeps_no_part_of_it(server: NatsServer) -> None:
    """The host tried again until its time was over, and said that NATS is away."""
    async with host(server.address, "narrow") as one:
        await push(one.queue, job("first", bytes(2 << 20)))
        config = (await api(one, "STREAM.INFO.OBJ_narrow-bodies"))["config"]
        await api(one, "STREAM.UPDATE.OBJ_narrow-bodies", **config | {"max_bytes": 4 << 20})
        with pytest.raises(Full, match="maximum bytes exceeded"):
            await push(one.queue, job("second", bytes(4 << 20)))
        await emptied(one, "OBJ_narrow-bodies", 3 << 20)


async def test_a_job_whose_body_is_gone_is_a_dead_letter(server: NatsServer) -> None:
    async with host(server.address, "gone") as one:
        await push(one.queue, job("big", bytes(2 << 20)))
        await api(one, "STREAM.PURGE.OBJ_gone-bodies")
        pulling = asyncio.ensure_future(pull(one.queue))
        await until(lambda: one.queue.state().dead == 1)
        await push(one.queue, job("small"))
        assert ids(await pulling) == ["small"]
        assert [each.reason for each in await one.queue.list_dead(9)] == [
            "the body of the job is not in the object store gone-bodies"
        ]


async def test_headers_that_the_server_would_end_the_connection_for_are_refused(server: NatsServer) -> None:
    async with host(server.address, "headers") as one:
        with pytest.raises(Rejected, match="headers of the job"):
            await push(one.queue, job("a", headers={"x": ["y" * 70_000]}))
        await push(one.queue, job("b", bytes((1 << 20) - 900), headers={"x": ["y" * 50_000]}))
        assert one.states == ["connected"]


async def test_a_retry_with_headers_that_no_message_has_is_a_dead_letter(server: NatsServer) -> None:
    """The job came again and again, always as the same attempt."""
    async with host(server.address, "retried") as one:
        await push(one.queue, job("a", headers={"x": ["1"]}))
        (delivery,) = await pull(one.queue)
        delivery.retry(0, {"x": ["y" * 70_000]})
        (dead,) = await one.queue.list_dead(9)
        assert dead.reason.startswith("the headers of its retry have 70")
        assert dead.headers == {"x": ["1"]}


async def test_a_job_as_large_as_a_message_is_retried_and_dies(server: NatsServer) -> None:
    """Its copy had no room for the number of the attempt, nor for the reason: it came again and again."""
    async with host(server.address, "edge") as one:
        headers = {"x": ["y" * 60_000]}
        sent = job("a", headers=headers)
        room = (1 << 20) - len(to_headers(message_of(sent), sent.id))
        await push(one.queue, job("a", bytes(room), headers=headers))
        (first,) = await pull(one.queue)
        first.retry(0)
        (second,) = await pull(one.queue)
        assert (second.attempt, len(second.job.payload)) == (2, room)
        second.dead("ü" * 1000)
        (dead,) = await one.queue.list_dead(9)
        assert dead.reason.startswith("ü" * 400)


async def test_dying_or_retrying_again_after_a_revival_loses_nothing(server: NatsServer) -> None:
    """The copy's id was that of the copy before, so the server dropped it, and the job was gone."""
    async with host(server.address, "again") as one:
        await push(one.queue, job("a"))
        for _ in range(3):
            (first,) = await pull(one.queue)
            first.retry(0)
            (second,) = await pull(one.queue)
            assert second.attempt == 2
            second.dead("it is bad")
            assert await one.queue.revive() == 1
        (last,) = await pull(one.queue)
        assert (last.job.id, last.attempt) == ("a", 1)


async def test_giving_back_again_and_again_is_not_an_attempt(server: NatsServer) -> None:
    async with host(server.address, "back") as one:
        await push(one.queue, job("a"))
        for _ in range(8):
            (delivery,) = await pull(one.queue)
            assert delivery.attempt == 1
            delivery.give_back()
        (delivery,) = await pull(one.queue)
        delivery.ack()
        assert await is_idle(one.queue)


async def test_a_job_with_which_each_host_dies_is_a_dead_letter(server: NatsServer) -> None:
    async with host(server.address, "poison", attempts=2) as one:
        await push(one.queue, job("a"))
        for attempt in (1, 1, 1, 2, 3):
            (delivery,) = await pull(one.queue)
            assert delivery.attempt == attempt
            one.queue._settlements._nak(delivery.reply, 0)  # the server counts a host's death alike
        pulling = asyncio.ensure_future(one.queue.pull(1, 1))
        await until(lambda: one.queue.state().dead == 1)
        pulling.cancel()
        (dead,) = await one.queue.list_dead(9)
        assert dead.reason == "5 hosts had it, and ended or lost the servers before its end"


async def test_a_full_stream_does_not_hold_up_a_retry(server: NatsServer) -> None:
    async with host(server.address, "full", max_bytes=20_000) as one:
        await push(one.queue, job("a", bytes(19_200)))  # above 95 %, where the figures show no room
        with pytest.raises(Full, match="max_bytes"):
            await push(one.queue, job("b", bytes(19_200)))
        assert isinstance(one.queue.refusal, Full)
        (delivery,) = await pull(one.queue)
        delivery.retry(0)
        await until(lambda: not one.queue._puller.held, "the server has the job again")
        async with asyncio.timeout(TIMEOUT):  # the server deletes the old message after it has answered
            while (await api(one, "STREAM.INFO.full"))["state"]["messages"] != 1:
                pass


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"ack_wait": 5},
            "the consumer {} of the stream {} differs: ack_wait is 20s, configured is 5s",
        ),
        ({"max_bytes": 1 << 20}, "the stream {} differs: max_bytes is -1, configured is 1048576"),
        (
            {"subject": "other"},
            r"the stream {} differs: subjects is \['{}'\], configured is \['other'\]",
        ),
    ],
)
async def test_a_stream_of_other_settings_is_named_and_left_alone(
    server: NatsServer, change: dict[str, object], text: str
) -> None:
    stream = f"differs-{next(iter(change))}"
    async with host(server.address, stream, ack_wait=20) as one:
        before = await api(one, f"CONSUMER.INFO.{stream}.{stream}"), await api(one, f"STREAM.INFO.{stream}")
        with pytest.raises(Differs, match=text.format(stream, stream)):
            async with host(server.address, stream, **{"ack_wait": 20, **change}):
                pass
        after = await api(one, f"CONSUMER.INFO.{stream}.{stream}"), await api(one, f"STREAM.INFO.{stream}")
        assert [each["config"] for each in before] == [each["config"] for each in after]


async def test_a_message_that_is_not_a_job_is_a_dead_letter(server: NatsServer) -> None:
    async with host(server.address, "foreign") as one:
        client = one.queue.connection.client
        assert client is not None
        await client.publish("foreign", b"hello")
        await client.publish("foreign", b"world", headers={"rr_id": "a", "rr_split": "x"})
        await push(one.queue, job("a"))
        (delivery,) = await pull(one.queue)
        assert delivery.job.id == "a"
        dead = await one.queue.list_dead(9)
        assert [(each.id, each.reason[:24]) for each in dead] == [
            ("not-a-job-1", "the message is not a job"),
            ("not-a-job-2", "the message is not a job"),
        ]


async def test_a_dead_letter_of_another_client_hides_no_other_one(server: NatsServer) -> None:
    async with host(server.address, "mixed") as one:
        client = one.queue.connection.client
        assert client is not None
        await push(one.queue, job("a"))
        (delivery,) = await pull(one.queue)
        delivery.dead("for a")
        await client.publish("mixed-dead.0", b"hello")
        await until(lambda: one.queue.state().dead == 2)
        assert [(each.id, each.reason[:24]) for each in await one.queue.list_dead(9)] == [
            ("0", "the message is not a job"),
            ("a", "for a"),
        ]
        assert await one.queue.purge() == 2


async def test_a_job_that_is_due_in_a_thousand_years_is_put_off(server: NatsServer) -> None:
    """The pause did not fit into the server's nanoseconds: it gave the job again and again."""
    async with host(server.address, "later") as one:
        client = one.queue.connection.client
        assert client is not None
        pulling = asyncio.ensure_future(pull(one.queue))
        await client.publish("later", b"", headers={"rr_id": "late", "rr_due": "4e10"})
        await until(lambda: one.queue.state().delayed == 1)
        await push(one.queue, job("a"))
        assert ids(await pulling) == ["a"]
        info = await api(one, "CONSUMER.INFO.later.later")
        assert info["num_redelivered"] == 0


async def test_another_host_gets_the_jobs_of_one_that_died(server: NatsServer) -> None:
    async with host(server.address, "hosts", ack_wait=0.4) as alive:
        async with dying(server, "hosts", ack_wait=0.4) as dead:
            await push(dead.queue, job("a"))
            assert ids(await pull(dead.queue)) == ["a"]
        (delivery,) = await pull(alive.queue)
        assert (delivery.job.id, delivery.redelivered) == ("a", True)


async def test_two_hosts_share_the_jobs_and_one_that_dies_loses_none(server: NatsServer) -> None:
    seen: list[str] = []

    async def work(one: Host, count: int) -> None:
        while len(seen) < count:
            for delivery in await one.queue.pull(8, 1 << 20):
                seen.append(delivery.job.id)
                delivery.ack()
                await asyncio.sleep(0)

    async with host(server.address, "share", ack_wait=0.4) as alive:
        wanted = [str(number) for number in range(200)]
        async with dying(server, "share", ack_wait=0.4) as dead:
            await push(alive.queue, *map(job, wanted))
            await asyncio.wait_for(work(dead, 50), TIMEOUT)
            await pull(dead.queue, 8)
        task = asyncio.ensure_future(work(alive, 1 << 30))
        await until(lambda: set(seen) >= set(wanted), "each job is seen")
        task.cancel()
        await asyncio.wait([task])


async def test_a_slow_job_is_extended_and_comes_once(server: NatsServer) -> None:
    extensions: list[str] = []

    async def heard(message: Msg) -> None:
        if message.data == b"+WPI":
            extensions.append(message.subject)

    async with host(server.address, "slow", ack_wait=1.5) as one:
        client = one.queue.connection.client
        assert client is not None
        await client.subscribe("$JS.ACK.slow.>", cb=heard)
        await push(one.queue, job("a"))
        (delivery,) = await pull(one.queue)
        await until(lambda: len(extensions) >= 4, "extensions for longer than ack_wait")
        assert set(extensions) == {delivery.reply}
        assert await is_idle(one.queue)


async def test_what_is_acknowledged_at_the_end_does_not_come_again(server: NatsServer) -> None:
    async with host(server.address, "end") as one:
        await push(one.queue, *(job(str(number)) for number in range(300)))
        for each in await pull_all(one.queue, 300):
            each.ack()
    async with host(server.address, "end") as one:
        assert await is_idle(one.queue)
        await emptied(one, "end")


async def test_a_connection_cut_before_the_acknowledgement_stores_one_job(server: NatsServer) -> None:
    async with CuttingProxy(server.port) as proxy, host(proxy.address, "cut") as one:
        proxy.cut_at(b'"stream":"cut"')
        await push(one.queue, job("a"))
        assert (proxy.cuts, one.queue.state().duplicates) == (1, 1)
        (delivery,) = await pull(one.queue)
        delivery.ack()
        assert await is_idle(one.queue)
        assert one.states == ["connected", "reconnecting", "connected"]


async def test_a_connection_cut_before_the_answer_to_an_ack_acknowledges_once(server: NatsServer) -> None:
    async with CuttingProxy(server.port) as proxy, host(proxy.address, "cutack", ack_wait=TIMEOUT) as one:
        await push(one.queue, job("a"))
        (delivery,) = await pull(one.queue)
        proxy.cut()
        delivery.ack()
        await until(lambda: one.states[-1] == "connected" and len(one.states) == 3)
        await emptied(one, "cutack")


async def test_a_connection_cut_with_bytes_left_to_send_leaves_no_task(server: NatsServer) -> None:
    async with CuttingProxy(server.port) as proxy, host(proxy.address, "cutsend") as one:
        client = one.queue.connection.client
        assert client is not None
        client._transport._io_writer.transport.abort()
        await client._send_command(b"PING\r\n")  # without a flush
        await until(lambda: one.states == ["connected", "reconnecting", "connected"])


async def test_an_opening_that_is_cancelled_leaves_no_task() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the connection, and says nothing
        silent.setblocking(False)
        opening = asyncio.ensure_future(host(f"nats://127.0.0.1:{silent.getsockname()[1]}", "opening").__aenter__())
        connection, _ = await asyncio.get_running_loop().sock_accept(silent)
        opening.cancel()
        await asyncio.wait([opening])
        connection.close()
        assert opening.cancelled()


async def test_a_deleted_stream_is_made_again(server: NatsServer) -> None:
    async with host(server.address, "deleted") as one:
        pulling = asyncio.ensure_future(one.queue.pull(1, 1))
        await asyncio.sleep(0)
        await api(one, "STREAM.DELETE.deleted")
        await push(one.queue, job("a"))
        assert ids(await asyncio.wait_for(pulling, TIMEOUT)) == ["a"]
