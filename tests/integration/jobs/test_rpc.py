"""The methods of jobs, as PHP's client calls them: protobuf frames over a real connection."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from support.container.host import Host, hosting
from support.rpc.host import request
from support.waiting import eventually

from rrpy.goridge.frame import ERROR, PROTO, Decoder
from rrpy.jobs.rpc import JobHeader, JobOptions, PipelineNames, Pushed, PushedJob, PushRequest, Stats
from rrpy.rpc import proto
from rrpy.rpc.errors import RPCError

pytestmark = pytest.mark.usefixtures("measured")


def call(host: Host, method: str, message: bytes) -> bytes:
    """Call a method with a message of protobuf."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(host.folder / "rpc.sock"))
        connection.sendall(request(method, message, 1, PROTO))
        decoder = Decoder()
        while True:
            data = connection.recv(65536)
            assert data, "the host closed the connection"
            for frame in decoder.feed(data):
                body = frame.payload[len(method) :]
                if frame.flags & ERROR:
                    raise RPCError(body.decode())
                return body


def rpc(host: Host, method: str, argument: Any = None) -> Any:
    done = host.rrpy("rpc", method, json.dumps(argument))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_php_s_messages_push_a_job_and_read_the_figures(tmp_path: Path) -> None:
    # pipeline_options(1: priority 3, 2: "mail", 6: auto_ack), as google/protobuf writes them
    options = b"\x08\x03\x12\x04mail\x30\x01"
    header = b"\x0a\x01x\x12\x04\x0a\x02hi"
    job = b"\x0a\x06report\x12\x02r1\x1a\x02{}" + b"\x22" + bytes([len(header)]) + header
    job += b"\x2a" + bytes([len(options)]) + options
    sent = PushedJob("report", "r1", b"{}", {"x": JobHeader(["hi"])}, JobOptions(3, "mail", 0, True))
    message = b"\x0a" + bytes([len(job)]) + job
    assert proto.encode(PushRequest(sent)) == message
    with hosting(tmp_path, smtp=None, server=None, jobs={"pipelines": {"mail": {}}}) as host:
        assert proto.decode(call(host, "jobs.Push", message), Pushed).ids == ["r1"]
        (stat,) = proto.decode(call(host, "jobs.Stat", b""), Stats).stats
        assert (stat.pipeline, stat.driver, stat.active, stat.priority) == ("mail", "memory", 1, 10)
        assert proto.decode(call(host, "jobs.List", b""), PipelineNames).pipelines == ["mail"]


def test_a_declared_pipeline_is_consumed_once_it_is_resumed_and_ends(tmp_path: Path) -> None:
    server = {"command": "python -m rrpy.worker"}
    jobs = {"consume": ["mail"], "pool": {"num_workers": 1}, "pipelines": {"mail": {}}}
    with hosting(tmp_path, smtp=None, server=server, jobs=jobs) as host:
        rpc(host, "jobs.Declare", {"pipeline": {"name": "more", "driver": "memory", "max_bytes": "5000"}})
        job = {"job": "report", "payload": "e30=", "options": {"pipeline": "more"}}
        assert len(rpc(host, "jobs.PushBatch", {"jobs": [job, job]})["ids"]) == 2
        assert [(each["pipeline"], each["ready"]) for each in rpc(host, "jobs.Stat")["stats"]] == [
            ("mail", True),
            ("more", False),
        ]
        rpc(host, "jobs.Resume", {"pipelines": ["more"]})
        eventually(lambda: rpc(host, "jobs.Stat")["stats"][1]["active"] == 0, "the work")
        assert rpc(host, "jobs.Destroy", {"pipelines": ["more"]}) == {"pipelines": ["more"]}
        assert rpc(host, "jobs.List") == {"pipelines": ["mail"]}
        for method, argument, sentence in (
            ("jobs.Destroy", {"pipelines": ["mail"]}, "the pipeline mail is in the configuration"),
            ("jobs.Pause", {"pipelines": ["nope"]}, "no such pipeline: nope; known are mail"),
            ("jobs.Declare", {"pipeline": {"name": "mail"}}, "the pipeline mail is there already"),
            ("jobs.Declare", {"pipeline": {"name": "a b"}}, "'a b' is not a name"),
            ("jobs.Declare", {"pipeline": {"name": "x", "driver": "sqlite", "file": "/tmp/x"}}, "file is a key of the"),
            ("jobs.Declare", {"pipeline": {"name": "x", "driver": "kafka"}}, "is 'kafka'; known are memory"),
            ("jobs.Push", {"job": job | {"options": {"pipeline": "nope"}}}, "no such pipeline: nope"),
        ):
            done = host.rrpy("rpc", method, json.dumps(argument))
            assert done.returncode == 1
            assert sentence in done.stderr
