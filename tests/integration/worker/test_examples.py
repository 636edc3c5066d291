"""The example workers of `examples/`, spoken to in frames, on every relay; and under a real host."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.container.host import Host
from support.docs.pages import ROOT, blocks, page
from support.log import Log
from support.waiting import TIMEOUT
from support.worker.host import WorkerHost, last, listen
from support.worker_pool.pools import pool

from rrpy.goridge.frame import ERROR, PONG, STOP, Frame, encode
from rrpy.worker_pool import Payload

EXAMPLES = {"php": ["php", "worker.php"], "node": ["node", "worker.js"]}


def folder(name: str) -> Path:
    return ROOT / "examples" / f"{name}-worker"


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.program(name)) for name in EXAMPLES])
def name(request):
    return request.param


@pytest.fixture(params=["pipes", "tcp", "tcp6", "unix"])
def host(request, name, tmp_path):
    listener, env = None, {}
    if request.param != "pipes":
        try:
            listener, env["RR_RELAY"] = listen(request.param, tmp_path)
        except OSError:
            pytest.skip("no IPv6 on this machine")
    host = WorkerHost(EXAMPLES[name], cwd=folder(name), listener=listener, **env)
    if listener is not None:
        listener.close()
    host.shake_hands()
    yield host
    host.close()


def records(said: str) -> list[dict]:
    return [json.loads(line) for line in said.splitlines()]


def test_it_answers_requests_logs_them_and_stops_on_demand(host):
    body = os.urandom(5_000_000)
    assert host.ask(b'{"event":"BIG"}', body) == last(b"CONTINUE")
    assert host.ask('{"event":"é"}'.encode()) == last(b"CONTINUE")
    host.stop()
    assert host.wait() == 0
    assert host.process.stdout.read() == b""
    assert records(host.end()[1]) == [
        {"level": "info", "msg": "got a request", "event": "BIG", "bytes": 5_000_000},
        {"level": "info", "msg": "got a request", "event": "é", "bytes": 0},
    ]


def test_it_refuses_what_it_cannot_do_and_lives_on(host):
    refused = host.ask(b"not json", b"body")
    assert (refused.flags, refused.options) == (ERROR, ())
    assert b"yntax" in refused.payload or b"JSON" in refused.payload
    assert host.ask(b"{}") == last(b"CONTINUE")


def test_it_passes_over_what_is_about_streams_and_takes_frames_cut_anywhere(host):
    for bit in (STOP, PONG):
        os.write(host.input, encode(Frame(0, b"", (), bit)))
    for byte in encode(Frame(0, b"{}cut", (2,))):
        os.write(host.input, bytes([byte]))
    assert host.receive() == last(b"CONTINUE")


def test_the_end_of_the_channel_ends_it_with_status_0(host):
    assert host.ask(b"{}") == last(b"CONTINUE")
    assert host.end()[0] == 0


def test_a_host_that_is_gone_before_the_answer_is_no_error(host):
    if host.connection is None:
        host.process.stdout.close()
        host.send(b"{}")
    else:
        host.send(b"{}")
        host.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        host.connection.close()
    assert host.wait() == 0


def test_a_refused_connection_is_one_line_and_status_1(name, tmp_path):
    listener, address = listen("tcp", tmp_path)
    listener.close()
    for relay in (address, f"unix://{tmp_path}/nothing.sock"):
        env = {**os.environ, "RR_RELAY": relay}
        run = subprocess.run(EXAMPLES[name], cwd=folder(name), env=env, capture_output=True, timeout=TIMEOUT)
        assert (run.returncode, run.stdout, run.stderr.count(b"\n")) == (1, b"", 1)


@pytest.mark.program("php")
def test_what_php_echoes_warns_or_waits_for_breaks_no_frame(tmp_path):
    source = (folder("php") / "worker.php").read_text()
    source = source.replace("    $job =", "    echo 'echoed ', $undefined; $job =")
    (tmp_path / "worker.php").write_text(source)
    listener, address = listen("unix", tmp_path)
    with listener:
        command = ["php", "-d", "default_socket_timeout=1", "worker.php"]
        host = WorkerHost(command, cwd=tmp_path, listener=listener, RR_RELAY=address)
    try:
        host.shake_hands()
        with pytest.raises(subprocess.TimeoutExpired):  # it does not end by itself while nothing comes
            host.process.wait(1.3)
        assert host.ask(b"{}") == last(b"CONTINUE")
        host.stop()
        assert host.wait() == 0
        assert host.process.stdout.read() == b""
        said = host.end()[1]
        assert ("echoed " in said, "Undefined variable" in said) == (True, True)
    finally:
        host.close()


MONOLOG = '[2026-11-28T18:00:00.123456+00:00] app.ERROR: db is gone {"id":7} []\n'
PINO = '{"level":50,"time":1795888077000,"hostname":"web","msg":"db is gone"}\n'
SAYS = {
    "php": ("    $job =", f"    fwrite(STDERR, {json.dumps(MONOLOG)}); error_log('ERROR: db is gone'); $job ="),
    "node": ("  const job =", f"  process.stderr.write({json.dumps(PINO)}); const job ="),
}
"""What each worker writes besides, as Monolog and PHP's own log, and as pino."""


@pytest.mark.anyio
async def test_what_its_loggers_write_has_its_level_message_and_keys(name, tmp_path):
    file = EXAMPLES[name][1]
    (tmp_path / file).write_text((folder(name) / file).read_text().replace(*SAYS[name]))
    options = ["-d", "error_log=/dev/stderr", "-d", "log_errors=1"] if name == "php" else []
    log = Log()
    command = [EXAMPLES[name][0], *options, str(tmp_path / file)]
    async with pool(command, log, num_workers=1) as workers:
        await workers.exec(Payload(b"{}"))
        await log.seen("got a request")
    errors = [{key: value for key, value in keys.items() if key != "pid"} for _, keys in log.of("error")]
    assert {message for message, _ in log.of("error")} == {"db is gone"}
    if name == "php":
        assert errors == [{"channel": "app", "context": {"id": 7}}, {}]
    else:
        assert errors == [{"time": 1795888077000, "hostname": "web"}]


@pytest.mark.parametrize("relay", ["pipes", "unix"])
def test_its_rr_yaml_runs_it(name, relay, tmp_path):
    free = ["smtp.addr=127.0.0.1:0", "rpc.listen=tcp://127.0.0.1:0", "logs.encoding=json"]
    if relay == "unix":
        free.append(f"server.relay=unix://{tmp_path}/relay.sock")
    host = Host(folder(name), [part for override in free for part in ("-o", override)])
    try:
        host.wait_for("worker is up", 2)
        assert host.stop() == 0
    finally:
        host.close()


def test_the_log_line_on_the_workers_page_is_what_is_written():
    found = [block.text for block in blocks(page("docs/how-to/worker.md"), "python") if '\n# {"level"' in block.text]
    program = found[0]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr == program.rpartition("# ")[2]
