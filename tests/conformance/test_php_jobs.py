"""The frames of PHP's job client, recorded: `roadrunner-php/jobs` 4 with goridge 4 and protobuf's runtime for PHP."""

from __future__ import annotations

import pytest

from rrpy.goridge.frame import Decoder
from rrpy.jobs.rpc import (
    DeclareRequest,
    JobHeader,
    JobOptions,
    PipelineNames,
    PushBatchRequest,
    PushedJob,
    PushRequest,
)
from rrpy.rpc.codecs import codec_of
from rrpy.rpc.message import Message, read_message

ID = "0193e5a0-0000-4000-8000-000000000001"
FRAMES = {
    "a job with headers and a priority": (
        (
            "15806f0000004c657a30000002000000090000006a6f62732e507573680a640a0a736d74702e656d61696c122430313933653561302d"
            "303030302d343030302d383030302d3030303030303030303030311a077b2261223a317d22100a03782d6112090a01310a047a776569"
            "220b0a05656d70747912020a002a080807120466617374"
        ),
        "jobs.Push",
        PushRequest(
            PushedJob(
                "smtp.email",
                ID,
                b'{"a":1}',
                {"x-a": JobHeader(["1", "zwei"]), "empty": JobHeader([""])},
                JobOptions(7, "fast"),
            )
        ),
    ),
    "a delay, auto_ack and bytes": (
        (
            "15804e00000017adf428000003000000090000006a6f62732e507573680a430a056c61746572122430313933653561302d303030302d"
            "343030302d383030302d3030303030303030303030311a07627974657300ff2a0b12046661737418ac023001"
        ),
        "jobs.Push",
        PushRequest(PushedJob("later", ID, b"bytes\x00\xff", {}, JobOptions(0, "fast", 300, True))),
    ),
    "a batch": (
        (
            "158080000000223466be0000040000000e0000006a6f62732e5075736842617463680a360a036f6e65122430313933653561302d3030"
            "30302d343030302d383030302d3030303030303030303030311a01312a061204666173740a380a0374776f122430313933653561302d"
            "303030302d343030302d383030302d3030303030303030303030311a01322a080803120466617374"
        ),
        "jobs.PushBatch",
        PushBatchRequest(
            [
                PushedJob("one", ID, b"1", {}, JobOptions(0, "fast")),
                PushedJob("two", ID, b"2", {}, JobOptions(3, "fast")),
            ]
        ),
    ),
    "a pause": (
        "15801000000086d526030000050000000a0000006a6f62732e50617573650a0466617374",
        "jobs.Pause",
        PipelineNames(["fast"]),
    ),
    "a declaration": (
        (
            "15804b000000255d2a1f00000a0000000c0000006a6f62732e4465636c6172650a0b0a046e616d6512036e65770a100a066472697665"
            "7212066d656d6f72790a0e0a087072696f72697479120231300a0e0a08707265666574636812023230"
        ),
        "jobs.Declare",
        DeclareRequest({"name": "new", "driver": "memory", "priority": "10", "prefetch": "20"}),
    ),
}


def recorded(text: str) -> Message:
    (frame,) = Decoder().feed(bytes.fromhex(text))
    return read_message(frame)


@pytest.mark.parametrize("name", FRAMES)
def test_the_client_of_php_is_understood(name: str) -> None:
    text, method, wanted = FRAMES[name]
    message = recorded(text)
    assert message.name == method
    assert codec_of(message.flags).decode(message.body, type(wanted)) == wanted


@pytest.mark.parametrize("method", ["List", "Stat"])
def test_a_call_without_an_argument_has_no_bytes(method: str) -> None:
    texts = {
        "List": "15800900000093cd372e000001000000090000006a6f62732e4c697374",
        "Stat": "15800900000093cd372e000006000000090000006a6f62732e53746174",
    }
    message = recorded(texts[method])
    assert (message.name, message.body) == (f"jobs.{method}", b"")
