"""The driver nats and servers that die, stop, refuse and encrypt: a server for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import trustme
from support.container.disk import fill, small_disk
from support.jobs.nats_credentials import operator_mode
from support.jobs.nats_driver import host
from support.jobs.nats_server import nats_cluster, nats_server
from support.jobs.places import ids, is_idle, job, pull, pull_all, push
from support.waiting import TIMEOUT, until

from rrpy.jobs.drivers.nats import connection, queue
from rrpy.jobs.drivers.nats.config import NatsConfig, NatsTLS
from rrpy.jobs.drivers.nats.requests import IN_FLIGHT
from rrpy.jobs.protocols import Away, Full, Rejected

pytestmark = pytest.mark.anyio


async def test_a_killed_server_loses_no_job_and_stores_no_refused_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nats_server(tmp_path) as server:
        async with host(server.address, "kill") as one:
            await push(one.queue, job("kept"))
            server.kill()
            await until(lambda: isinstance(one.queue.refusal, Away), "the loss is a state")
            assert not one.queue.state().connected
            monkeypatch.setattr(one.queue, "_timeout", 0)
            with pytest.raises(Away):
                await push(one.queue, job("refused"))
            pulling = asyncio.ensure_future(pull(one.queue, 9))
            server.start()
            (delivery,) = await pulling
            assert delivery.job.id == "kept"
            delivery.ack()
            assert await is_idle(one.queue)


async def test_a_stopped_server_is_a_state_and_ends_no_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PING", 0.1)
    with nats_server(tmp_path) as server:
        async with host(server.address, "stop") as one:
            server.pause()
            monkeypatch.setattr(connection, "_PONG_TIMEOUT", 0.2)
            pushes = [asyncio.ensure_future(push(one.queue, job(str(n), bytes(50_000)))) for n in range(150)]
            await until(lambda: one.queue.refusal, "the stop is a state")
            assert len(one.queue.connection.requests._flying) <= IN_FLIGHT + 3
            monkeypatch.undo()  # from here on a slow answer does not count as a loss
            server.go_on()
            await asyncio.gather(*pushes)
            await until(lambda: one.queue.state().waiting == 150)


async def test_a_host_ends_while_the_server_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_FLUSH", 0.1)
    with nats_server(tmp_path) as server:
        async with host(server.address, "end") as one:
            await push(one.queue, *(job(str(number)) for number in range(4)))
            acknowledged, *_ = await pull_all(one.queue, 2)
            server.pause()
            pushing = asyncio.ensure_future(push(one.queue, job("more", bytes(100_000))))
            acknowledged.ack()
        with pytest.raises(Away, match="closed"):
            await pushing


async def test_a_server_that_is_away_at_the_start_is_a_state(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        server.kill()
        async with host(server.address, "late") as one:
            assert isinstance(one.queue.refusal, Away)
            server.start()
            await push(one.queue, job("a"))
            assert ids(await pull(one.queue)) == ["a"]


async def test_a_server_without_room_refuses_until_jobs_are_worked_off(tmp_path: Path) -> None:
    with nats_server(tmp_path, f'jetstream {{ store_dir: "{tmp_path}", max_file_store: 20KB }}\n') as server:
        async with host(server.address, "room") as one:
            with pytest.raises(Full, match="no room on the servers"):
                for number in range(100):
                    await push(one.queue, job(str(number), bytes(1000)))
            assert isinstance(one.queue.refusal, Full)
            for delivery in await pull_all(one.queue, number):
                delivery.ack()
            await until(lambda: one.queue.refusal is None, "there is room")
            await push(one.queue, job("more"))


async def test_a_server_whose_disk_is_full_is_a_state_until_it_starts_anew(tmp_path: Path) -> None:
    """It answers no push. Each client waited for `timeout`, and the pipeline counted as connected."""
    with small_disk(tmp_path, 8 << 20) as disk:
        settings = f'jetstream {{ store_dir: "{disk}", max_file_store: 1GB }}\n'
        with nats_server(tmp_path / "server", settings) as server:
            async with host(server.address, "disk", timeout=0.5) as one:
                await push(one.queue, *(job(str(number), bytes(20_000)) for number in range(20)))
                fill(disk)
                with pytest.raises(Away, match="the stream disk stores nothing"):
                    await push(one.queue, job("refused", bytes(20_000)))
                assert isinstance(one.queue.refusal, Away)
                assert not one.queue.state().connected
                for each in await pull_all(one.queue, 20):
                    each.ack()
                (disk / "other").unlink()
                server.stop()
                server.start()
                await until(lambda: one.queue.refusal is None and one.queue.state().connected)
                await push(one.queue, job("more", bytes(20_000)))
                while "more" not in ids(await pull(one.queue, 9)):  # the server may have forgotten acknowledgements
                    pass


async def test_a_lost_permission_is_a_state_until_it_comes_back(tmp_path: Path) -> None:
    users = (
        "authorization {{ users: [{{ user: u, password: hunter2, permissions: {{ publish: {{ deny: [{}] }} }} }}] }}\n"
    )
    with nats_server(tmp_path, users.format("other")) as server:
        address = server.address.replace("//", "//u:hunter2@")
        async with host(address, "denied") as one:
            text = server.configuration
            server.reload(text.replace("deny: [other]", "deny: [denied]"))
            with pytest.raises(Rejected, match="permissions violation"):
                while True:
                    await push(one.queue, job("a"))
            await until(lambda: isinstance(one.queue.refusal, Rejected), "the refusal is a state")
            before = len(one.states)
            await asyncio.sleep(0.1)
            assert len(one.states) <= before + 3, "it connects again after pauses, and not in a loop"
            server.reload(text)
            await until(lambda: one.queue.refusal is None, "the permission is back")
            await push(one.queue, job("b"))
            assert not any("hunter2" in line for line in one.lines)


async def test_a_wrong_password_is_a_state(tmp_path: Path) -> None:
    with nats_server(tmp_path, "authorization { user: u, password: right }\n") as server:
        async with host(server.address.replace("//", "//u:wrong@"), "wrong", timeout=0.3) as one:
            await until(lambda: isinstance(one.queue.refusal, Rejected), "the refusal is a state")
            assert "uthorization" in one.queue.state().reason


def tls_lines(folder: Path, authority: trustme.CA, more: str = "") -> str:
    folder.mkdir(exist_ok=True)
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.pem", {more} }}\n'


async def test_a_connection_is_encrypted_and_a_certificate_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    with nats_server(tmp_path, tls_lines(tmp_path, authority)) as server:
        address = server.address.replace("nats://", "tls://")
        async with host(NatsConfig(addr=address, tls=NatsTLS(ca=str(tmp_path / "ca.pem"))), "tls") as one:
            await push(one.queue, job("a"))
            assert ids(await pull(one.queue)) == ["a"]
        async with host(address, "tls") as stranger:  # the system's authorities do not know this one
            await until(lambda: "certificate" in stranger.queue.state().reason, "the reason")


async def test_a_server_may_ask_for_the_certificate_of_the_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca = str(tmp_path / "ca.pem")
    lines = tls_lines(tmp_path, authority, f'verify: true, ca_file: "{ca}"')
    issued = authority.issue_cert("host.example")
    cert, key = tmp_path / "host.crt", tmp_path / "host.key"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    with nats_server(tmp_path, lines) as server:
        async with host(NatsConfig(addr=server.address, tls=NatsTLS(ca, str(cert), str(key))), "mutual") as one:
            await push(one.queue, job("a"))
            assert ids(await pull(one.queue)) == ["a"]
        async with host(NatsConfig(addr=server.address, tls=NatsTLS(ca)), "mutual", timeout=0.3) as stranger:
            await until(lambda: stranger.queue.state().reason, "the reason")
            assert isinstance(stranger.queue.refusal, (Away, Rejected))


async def test_no_password_goes_over_a_connection_that_should_be_encrypted(tmp_path: Path) -> None:
    with nats_server(tmp_path, "authorization { user: u, password: hunter2 }\ndebug: true\ntrace: true\n") as server:
        address = server.address.replace("nats://", "tls://u:hunter2@")
        async with host(address, "plain") as one:
            await until(lambda: "offers no TLS" in one.queue.state().reason, "the reason")
        assert "CONNECT" not in server.log


async def test_a_file_of_credentials_opens_the_account(tmp_path: Path) -> None:
    file = tmp_path / "user.creds"
    with nats_server(tmp_path, operator_mode(file)) as server:
        async with host(NatsConfig(addr=server.address, credentials=str(file)), "creds") as one:
            await push(one.queue, job("a"))
            assert ids(await pull(one.queue)) == ["a"]
        async with host(server.address, "creds", timeout=0.3) as stranger:
            await until(lambda: isinstance(stranger.queue.refusal, Rejected), "the refusal is a state")


async def test_no_acknowledged_job_is_missing_after_the_leader_is_killed_under_load(tmp_path: Path) -> None:
    with nats_cluster(tmp_path) as servers:
        addresses = ",".join(server.address for server in servers)
        async with host(addresses, "load", timeout=TIMEOUT, replicas=3, ack_wait=2) as one:
            await push(one.queue, job("first"))
            found = await one.queue.connection.requests.ask("$JS.API.STREAM.INFO.load", timeout=TIMEOUT)
            leader = int(found["cluster"]["leader"][1:])
            pushes = [asyncio.ensure_future(push(one.queue, job(str(number)))) for number in range(300)]
            await pushes[20]
            servers[leader].kill()
            await asyncio.gather(*pushes)
            seen: set[str] = set()
            while len(seen) < 301:
                for delivery in await pull(one.queue, 100):
                    seen.add(delivery.job.id)
                    delivery.ack()
