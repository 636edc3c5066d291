"""Handlers of mail made with the SDK, in worker processes: over frames, and in a pool."""

from __future__ import annotations

import json

import pytest
from support.worker.host import SDK, WorkerHost, last, part, without_place
from support.worker_pool.pools import pool

from rrpy.goridge.frame import ERROR, Frame
from rrpy.worker.testing import email_event
from rrpy.worker_pool import Payload, SoftError

APP = """\
import asyncio
from functools import partial

from rrpy import worker
from rrpy.worker import Accept, Close, Email, Reject, mail


def decide(email: Email):
    if email.subject == "spam":
        return Reject(550, "no\\nspam")
    if email.subject == "close":
        return Close()
    if email.subject == "raw":
        return Accept(repr(email.raw))
    if email.subject == "broken":
        raise ValueError("mine")


async def decide_async(email: "worker.Email"):
    await asyncio.sleep(0)
    return decide(email)


def stream(email: Email):
    yield email.subject
    yield Reject(451, "later")


def unannotated(message):
    return "REJECT" if message.subject == "spam" else None


explicit = mail(partial(decide))
explicit_async = mail(partial(decide_async))
"""


@pytest.fixture
def start(tmp_path):
    hosts = []
    (tmp_path / "app.py").write_text(APP)

    def make(handler: str, **options) -> WorkerHost:
        hosts.append(WorkerHost([*SDK, f"app:{handler}"], cwd=tmp_path, **options))
        hosts[-1].shake_hands()
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def event(subject: str) -> bytes:
    return json.dumps(email_event(subject=subject)).encode()


@pytest.mark.parametrize("handler", ["decide", "decide_async", "explicit", "explicit_async"])
def test_a_verdict_is_what_the_host_gets_and_the_worker_lives_on(start, handler):
    host = start(handler)
    assert host.ask(event("x")) == last(b"CONTINUE")
    assert host.ask(event("spam")) == last(b'{"code": 550, "message": "no spam"}')
    assert host.ask(event("close")) == last(b"CLOSE")
    assert host.ask(event("raw")) == last(b'{"code": 250, "message": "None"}')
    assert host.ask(event("raw"), b"\x00") == last(rb'{"code": 250, "message": "b' + rb"'\\x00'" + b'"}')
    assert without_place(host.ask(event("broken"))) == Frame(ERROR, b"ValueError: mine")
    other = Frame(ERROR, b"the event is 'CONNECTION_CLOSED', not EMAIL_RECEIVED")
    assert host.ask(b'{"event": "CONNECTION_CLOSED"}') == other
    assert host.ask(event("x")) == last(b"CONTINUE")
    host.stop()
    assert host.wait() == 0
    assert host.end()[1].count("Traceback") == 1  # of the error that was not meant


def test_the_smtp_server_s_worker_gives_an_email_to_what_takes_one_argument(start, tmp_path):
    host = start("unannotated", RR_MODE="smtp")
    assert host.ask(event("x")) == last(b"CONTINUE")
    refused = host.ask(event("spam"))
    line = APP.splitlines().index("def unannotated(message):") + 1
    text = f"returns Accept(), Reject(code, text) or Close(), not 'REJECT' in {tmp_path}/app.py:{line}"
    assert (refused.flags, refused.payload.decode().endswith(text)) == (ERROR, True)


def test_a_stream_is_one_here_too(start):
    assert start("stream").stream(event("é")) == [
        part("é".encode()),
        part(b'{"code": 451, "message": "later"}'),
        last(),
    ]


@pytest.mark.anyio
async def test_a_pool_gets_verdicts_and_soft_errors(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    command = [*SDK, "app:decide_async"]
    async with pool(command, env={"PYTHONPATH": str(tmp_path)}) as workers:
        answers = [(await workers.exec(Payload(event(subject)))).context for subject in ("x", "spam", "close")]
        assert answers == [b"CONTINUE", b'{"code": 550, "message": "no spam"}', b"CLOSE"]
        with pytest.raises(SoftError, match="its context is not JSON"):
            await workers.exec(Payload(b"hello"))
