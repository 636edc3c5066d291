"""What RoadRunner's public PHP clients rely on (support/rpc/php_client.py re-expresses them)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest
from support.container.host import hosting
from support.log import Log
from support.rpc import php_client
from support.rpc.php_client import RPC
from support.waiting import TIMEOUT
from support.worker_pool.pools import RELAYS, listening, pool

from rrpy.worker_pool import Payload, SoftError

WORKER = [sys.executable, str(Path(php_client.__file__))]


@pytest.fixture(params=RELAYS)
async def relay(request, tmp_path):
    async with listening(request.param, tmp_path) as relay:
        yield relay


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 1, 100, 3_000_000])
async def test_a_request_comes_as_header_and_body_and_so_does_the_answer(relay, size):
    async with pool(WORKER, num_workers=1, relay=relay) as workers:
        payload = Payload(b"header" if size != 1 else b"", b"x" * size)
        assert await workers.exec(payload) == payload


@pytest.mark.anyio
async def test_an_answer_may_name_a_codec(relay):
    async with pool(WORKER, num_workers=1, relay=relay) as workers:
        answer = await workers.exec(Payload(b"json", b"body"))
        assert (json.loads(answer.context), answer.body) == ({"pid": workers.workers()[0].pid}, b"body")


@pytest.mark.anyio
async def test_an_error_is_the_caller_s_and_the_worker_goes_on(relay):
    async with pool(WORKER, num_workers=1, relay=relay) as workers:
        with pytest.raises(SoftError, match=r"^not today$"):
            await workers.exec(Payload(b"error"))
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")
        assert workers.workers()[0].num_execs == 2


@pytest.mark.anyio
async def test_a_worker_that_stops_itself_gives_its_request_to_another(relay):
    log = Log()
    async with pool(WORKER, log, num_workers=1, relay=relay) as workers:
        (first,) = workers.workers()
        await workers.exec(Payload(b"a"))
        assert await workers.exec(Payload(b"stop")) == Payload(b"stop")
        assert workers.workers()[0].pid != first.pid
    assert not log.keys("worker died")


@pytest.mark.anyio
async def test_a_stream_gets_its_pongs_and_comes_whole(relay):
    log = Log()
    async with pool(WORKER, log, num_workers=1, relay=relay) as workers:
        async with workers.stream(Payload(b"stream", b"20")) as parts:
            read = [part.body async for part in parts]
        assert read == [*(b"part %d" % number for number in range(20)), b"last"]
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")


@pytest.mark.anyio
async def test_a_stream_that_is_left_is_stopped_at_its_next_ping_and_the_worker_goes_on(relay):
    log = Log()
    async with pool(WORKER, log, num_workers=1, relay=relay) as workers:
        async with workers.stream(Payload(b"stream", b"1000000")) as parts:
            assert (await anext(parts)).body == b"part 0"
        assert await workers.exec(Payload(b"a", b"b")) == Payload(b"a", b"b")
        assert workers.workers()[0].num_execs == 2
    (said,) = [message for _, message, _ in log.lines if message.startswith("sent ")]
    assert int(said.split()[1]) < 1000


@pytest.fixture
def rpc(tmp_path):
    with hosting(tmp_path, rpc={"listen": "tcp://127.0.0.1:0"}) as host:
        (line,) = host.wait_for("rpc is listening")
        client = RPC("127.0.0.1", int(line["address"].rpartition(":")[2]))
        with client.connection:
            yield client


CODECS = {
    "json": (php_client.CODEC_JSON, lambda value: json.dumps(value).encode(), json.loads),
    "msgpack": (php_client.CODEC_MSGPACK, msgpack.packb, msgpack.unpackb),
}


@pytest.mark.parametrize("codec", CODECS)
def test_a_call_is_answered_with_its_sequence_and_its_method(rpc, codec):
    flag, encode, decode = CODECS[codec]
    for _ in range(3):
        sequence = rpc.request("smtp.ListConnections", encode(True), flag)
        answered, method, body, failed = rpc.response()
        assert (answered, method, decode(body), failed) == (sequence, "smtp.ListConnections", [], False)


@pytest.mark.parametrize("codec", CODECS)
def test_an_error_is_plain_text_and_the_connection_stays(rpc, codec):
    flag, encode, decode = CODECS[codec]
    for method, argument, text in (
        ("smtp.CloseConnection", "no-such-uuid", b"connection not found"),
        ("smtp.Nope", True, b"rpc: can't find method smtp.Nope"),
        ("nope.Nope", True, b"rpc: can't find service nope.Nope"),
        ("nope", True, b"rpc: service/method request ill-formed: nope"),
        ("resetter.Reset", "nope", b"no such plugin: nope"),
        ("informer.AddWorker", "nope", b"no such plugin: nope"),
    ):
        sequence = rpc.request(method, encode(argument), flag)
        assert rpc.response() == (sequence, method, text, True)
    rpc.request("rpc.Version", encode(True), flag)
    assert isinstance(decode(rpc.response()[2]), str)


def test_calls_that_are_sent_ahead_are_all_answered_each_by_its_sequence(rpc):
    sent = {rpc.request("informer.Workers", b'"smtp"', php_client.CODEC_JSON) for _ in range(50)}
    answered = [rpc.response() for _ in range(50)]
    assert {sequence for sequence, *_ in answered} == sent
    keys = {"pid", "status", "numExecs", "created", "memoryUsage", "CPUPercent", "command", "statusStr"}
    assert all(json.loads(body)["workers"][0].keys() == keys for *_, body, _ in answered)


def test_the_raw_codec_is_for_methods_that_take_bytes(rpc):
    rpc.request("informer.Workers", b"smtp", php_client.CODEC_RAW)
    assert rpc.response()[2:] == (b"unknown Raw payload type", True)


@pytest.mark.program("php")
def test_the_package_app_logger_writes_into_the_host_s_log(tmp_path):
    script = Path(php_client.__file__).with_name("app_logger.php")
    with hosting(tmp_path, rpc={"listen": "tcp://127.0.0.1:0"}) as host:
        port = str(host.wait_for("rpc is listening")[0]["address"]).rpartition(":")[2]
        run = subprocess.run(["php", script, port], capture_output=True, text=True, timeout=TIMEOUT, check=True)
        assert run.stdout.splitlines() == ["ok 'null'", "ok ''"] * 5
        levels = {"Error": "error", "Warning": "warn", "Info": "info", "Debug": "debug", "Log": "info"}
        for name, level in levels.items():
            assert host.wait_for(f"plain {name}", logger="app", level=level)
            (line,) = host.wait_for(f"with {name}", logger="app", level=level)
            assert [line[key] for key in ("user", "id", "tags", "text")] == ["Jörg", "7", '["a","b"]', "x" * 300]
