from __future__ import annotations

import copy
import json
import pickle
from http import HTTPStatus

import pytest

from rrpy.worker import Accept, Close, PerRecipient, Reject, Response, Verdict
from rrpy.worker.messages import as_parts

EVERY = [Accept(), Accept("queued as 17"), Accept("", 252), Reject(550, "no such user"), Close()]
EVERY.append(PerRecipient(EVERY[:4]))


@pytest.mark.parametrize(
    ("verdict", "context"),
    [
        (Accept(), "CONTINUE"),
        (Accept("queued as 17"), {"code": 250, "message": "queued as 17"}),
        (Accept(code=299), {"code": 299, "message": ""}),
        (Reject(400, "later"), {"code": 400, "message": "later"}),
        (Reject(599, "né"), {"code": 599, "message": "né"}),
        (Reject(HTTPStatus.INTERNAL_SERVER_ERROR, ""), {"code": 500, "message": ""}),
        (Close(), "CLOSE"),
        (
            PerRecipient([Accept(), Accept("queued"), Reject(550, "no")]),
            {"replies": [{"code": 250}, {"code": 250, "message": "queued"}, {"code": 550, "message": "no"}]},
        ),
    ],
)
def test_a_verdict_is_what_the_host_reads(verdict, context):
    written, body = as_parts(verdict)
    assert (json.loads(written) if isinstance(context, dict) else written.decode()) == context
    assert body == b""


@pytest.mark.parametrize("code", [0, 249, 300, 399, 400, 550, True])
def test_no_other_code_accepts(code):
    with pytest.raises(ValueError, match=f"^the code is 250 to 299, not {code}$"):
        Accept("text", code)


@pytest.mark.parametrize("code", [0, 250, 299, 300, 354, 399, 600, 5500, -550])
def test_no_other_code_refuses(code):
    with pytest.raises(ValueError, match=f"^the code is 400 to 599, not {code}$"):
        Reject(code, "text")


def test_a_text_is_one_line_that_any_json_reader_takes():
    sneaky = "a\r\n250 ok\x00\x1b[31m\x7f\x85\u2028\u202e\udc80b"
    context, _ = Reject(550, sneaky)
    assert context.isascii()
    assert json.loads(context)["message"] == "a  250 ok  [31m     b"


@pytest.mark.parametrize("verdict", EVERY)
def test_a_verdict_is_a_response_that_can_be_copied(verdict):
    assert isinstance(verdict, Verdict)
    assert verdict == Response(*verdict)
    for twin in (copy.copy(verdict), copy.deepcopy(verdict), pickle.loads(pickle.dumps(verdict))):
        assert (type(twin), twin) == (type(verdict), verdict)


def test_a_verdict_shows_what_it_is():
    assert repr(Reject(550, "no")) == """Reject(context=b'{"code": 550, "message": "no"}', body=b'')"""


def test_a_text_that_is_none_is_named():
    with pytest.raises(TypeError, match=r"^the text is a str, not NoneType$"):
        Reject(550, None)


def test_a_verdict_of_a_recipient_is_an_accept_or_a_reject():
    with pytest.raises(TypeError, match=r"is Accept\(\.\.\.\) or Reject\(\.\.\.\), not Close"):
        PerRecipient([Accept(), Close()])
    with pytest.raises(ValueError, match="a message has at least one"):
        PerRecipient([])
