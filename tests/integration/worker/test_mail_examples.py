"""The example workers for mail of `examples/`: the same three steps in Python, PHP and Node, spoken to in frames."""

from __future__ import annotations

import base64
import json
import os
import re
import smtplib
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.container.host import Host
from support.docs.pages import ROOT
from support.waiting import TIMEOUT
from support.worker.host import SDK, WorkerHost, listen

from rrpy.goridge.frame import ERROR
from rrpy.worker.testing import email_event

EXAMPLES = {"python": [*SDK, "app:handle"], "php": ["php", "worker.php"], "node": ["node", "worker.js"]}
HOSTILE = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "C:\\x",
    "/etc/passwd",
    "NUL",
    "con.txt",
    "lpt1.tar.gz",
    "x" * 300 + ".pdf",
    "報" * 300 + ".pdf",
    "",
    ".",
    "..",
    "a/..",
    ".htaccess",
    "-rf",
    "a\x00b\r\n\u202e.txt",
    "tab\tand:colon.txt",
]
TEMPORARY = {"code": 451, "message": "cannot be processed now, try again later"}


@pytest.fixture(params=["python"] + [pytest.param(name, marks=pytest.mark.program(name)) for name in ("php", "node")])
def name(request):
    return request.param


class Hook(ThreadingHTTPServer):
    """A webhook that answers with a given status, or with nothing until it is closed."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.bodies: list[bytes] = []
        self.peers: set[tuple[str, int]] = set()
        self.statuses: list[int] = []
        self.slow = False
        self.closed = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mail"

    def handle_error(self, request, client_address):
        """Be silent about a client that did not wait."""


class HookHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        hook = self.server
        assert self.headers["Content-Type"] == "application/json"
        hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        hook.peers.add(self.client_address)
        if hook.slow:
            hook.closed.wait(TIMEOUT)
        self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closed.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def start(hook, name):  # the hook is closed after the worker, which keeps connections to it
    hosts = []

    def make(relay: str = "pipes", folder=None, **env: str) -> WorkerHost:
        listener = None
        if relay != "pipes":
            listener, env["RR_RELAY"] = listen(relay, folder)
        env = {"NO_PROXY": "*", "TIMEOUT": "10", "USERS": "", "WEBHOOK": "", "SAVE_TO": "", **env}
        hosts.append(WorkerHost(EXAMPLES[name], cwd=ROOT / "examples" / f"{name}-mail", listener=listener, **env))
        if listener is not None:
            listener.close()
        hosts[-1].shake_hands()
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def ask(host: WorkerHost, event: dict) -> object:
    """Return what the worker decides: the text, or the reply that it asks for."""
    frame = host.ask(json.dumps(event).encode())
    assert frame.flags == 0, frame.payload
    assert frame.options == (len(frame.payload),)
    text = frame.payload.decode()
    return json.loads(text) if text.startswith("{") else text


def records(said: str) -> list[dict]:
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize("relay", ["pipes", "tcp", "unix"])
def test_without_a_variable_everything_is_accepted_on_every_relay(start, tmp_path, relay):
    host = start(relay, tmp_path)
    big = email_event(attachments=[("big.bin", os.urandom(3_000_000))])
    assert [ask(host, event) for event in (email_event(), big, email_event())] == ["CONTINUE"] * 3
    host.stop()
    assert host.wait() == 0
    assert host.end() == (0, "")


def test_a_recipient_who_is_not_there_is_refused(start):
    host = start(USERS="alice@example.com  Bob@Example.com")
    for recipients, unknown in [
        (["alice@example.com"], ""),
        (["ALICE@example.com", "bob@example.com"], ""),
        (["carol@example.com"], "carol@example.com"),
        (["alice@example.com", "carol@example.com", "dave@example.com"], "carol@example.com, dave@example.com"),
    ]:
        expected = {"code": 550, "message": f"no such user: {unknown}"} if unknown else "CONTINUE"
        assert ask(host, email_event(recipients=recipients)) == expected


def test_what_is_no_mail_is_an_error_with_its_place_and_the_worker_lives_on(start, name):
    host = start()
    for context in (b"not json", b"[]", b"{}", b'{"event": "CONNECTION_CLOSED"}'):
        assert host.ask(context).flags == ERROR
    other = host.ask(b'{"event": "CONNECTION_CLOSED"}').payload.decode()
    assert "CONNECTION_CLOSED" in other
    if name != "python":  # there it is a SoftError, whose text is its own
        assert re.search(rf" in {re.escape(str(ROOT))}/examples/{name}-mail/worker\.(php|js):\d+$", other)
    assert ask(host, email_event()) == "CONTINUE"


@pytest.mark.parametrize("mode", ["memory", "tempfile"])
def test_attachments_are_saved_whole_and_never_over_another(start, tmp_path, mode):
    contents = [os.urandom(2_000_000), b"", b"\x00\r\n.\r\n"]
    attachments = []
    for number, content in enumerate(contents):
        path = tmp_path / f"5e1c-{number}"
        path.write_bytes(content)
        attachments.append(("Bericht März.pdf", path if mode == "tempfile" else content))
    host = start(SAVE_TO=str(tmp_path / "saved" / "here"))
    headers = {"From": '"Example, Ann" <ann@example.com>'}
    assert ask(host, email_event(attachments=attachments, headers=headers)) == "CONTINUE"
    assert ask(host, email_event()) == "CONTINUE"
    saved = list((tmp_path / "saved" / "here").iterdir())
    assert sorted(path.read_bytes() for path in saved) == sorted(contents)
    assert {path.suffix for path in saved} == {".pdf"}
    if mode == "tempfile":
        assert [path.read_bytes() for _, path in attachments] == contents, "the host's files stay"
    lines = records(host.end()[1])
    assert sorted(line["size"] for line in lines) == [0, 6, 2_000_000]
    assert {line["sha256"] for line in lines} == {sha256(content).hexdigest() for content in contents}
    assert {line["from"] for line in lines} == {"ann@example.com"}
    assert {line["path"] for line in lines} == {str(path) for path in saved}


def test_hostile_file_names_stay_in_the_folder(start, tmp_path):
    folder = tmp_path / "a" / "b" / "saved"
    folder.mkdir(parents=True)
    (folder / "link.txt").symlink_to(tmp_path / "outside")
    before = set((ROOT / "examples").glob("*-mail/*"))
    names = [*HOSTILE, "link.txt", *HOSTILE]
    host = start(SAVE_TO=str(folder))
    event = email_event(attachments=[(name, str(number).encode()) for number, name in enumerate(names)])
    assert ask(host, event) == "CONTINUE"
    saved = [path for path in folder.iterdir() if not path.is_symlink()]
    assert sorted(path.read_bytes() for path in saved) == sorted(str(number).encode() for number in range(len(names)))
    for path in saved:
        assert path.name.isprintable()
        assert len(path.name.encode()) <= 255
        assert not set(path.name) & set('/\\:*?"<>|')
        assert path.name[0] not in ".-"
        assert path.name.partition(".")[0].lower() not in ("nul", "con", "lpt1")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder] == []
    assert set((ROOT / "examples").glob("*-mail/*")) == before


def test_a_folder_that_cannot_be_written_refuses_the_mail_and_keeps_the_worker(start, tmp_path):
    (tmp_path / "file").touch()
    host = start(SAVE_TO=str(tmp_path / "file"))
    assert host.ask(json.dumps(email_event(attachments=[("a.txt", b"x")])).encode()).flags == ERROR
    gone = email_event(attachments=[("a.txt", tmp_path / "file")])
    gone["attachments"][0]["path"] = str(tmp_path / "gone")
    assert start(SAVE_TO=str(tmp_path)).ask(json.dumps(gone).encode()).flags == ERROR


def test_a_webhook_gets_the_event_but_no_password(start, hook):
    host = start(WEBHOOK=hook.url)
    events = [
        email_event(subject=f"é 報 {number}", attachments=[("a", b"\x00")], credentials=("joe", "hunter2"), headers={})
        for number in range(3)
    ]
    events[0]["message"]["headers"] = {}
    assert [ask(host, event) for event in events] == ["CONTINUE"] * 3
    for event in events:
        del event["authentication"]
    assert [json.loads(body) for body in hook.bodies] == events
    assert host.end() == (0, "")


@pytest.mark.parametrize("name", ["python", "node"], indirect=True)
def test_a_connection_to_the_webhook_is_used_again(start, hook):
    host = start(WEBHOOK=hook.url)
    assert [ask(host, email_event()) for _ in range(5)] == ["CONTINUE"] * 5
    assert len(hook.peers) == 1


@pytest.mark.parametrize("statuses", [[500], [503, 404], [302]])
def test_a_webhook_that_fails_is_tried_again(start, hook, statuses):
    hook.statuses = list(statuses)
    host = start(WEBHOOK=hook.url)
    assert ask(host, email_event()) == "CONTINUE"
    assert len(hook.bodies) == len(statuses) + 1
    assert len(set(hook.bodies)) == 1
    said = records(host.end()[1])
    assert [line["level"] for line in said] == ["warning"] * len(statuses)
    assert [str(status) in line["reason"] for status, line in zip(statuses, said, strict=True)] == [True] * len(said)


def test_a_webhook_that_stays_down_is_a_temporary_refusal_and_nothing_is_saved(start, hook, tmp_path):
    hook.statuses = [500] * 3
    host = start(WEBHOOK=hook.url, SAVE_TO=str(tmp_path / "saved"))
    event = email_event(attachments=[("a.txt", b"x")])
    assert ask(host, event) == TEMPORARY
    assert len(hook.bodies) == 3
    assert not (tmp_path / "saved").exists()
    assert ask(host, event) == "CONTINUE"
    assert len(list((tmp_path / "saved").iterdir())) == 1


def test_a_webhook_where_nobody_listens_is_a_temporary_refusal(start, hook, tmp_path):
    listener, address = listen("tcp", tmp_path)
    listener.close()
    host = start(WEBHOOK=address.replace("tcp:", "http:"))
    assert ask(host, email_event()) == TEMPORARY
    assert len(records(host.end()[1])) == 3


def test_a_webhook_that_does_not_answer_in_time_is_a_temporary_refusal(start, hook):
    hook.slow = True
    host = start(WEBHOOK=hook.url, TIMEOUT="0.1")
    assert ask(host, email_event()) == TEMPORARY
    assert len(records(host.end()[1])) == 3
    assert len(hook.bodies) <= 3


@pytest.mark.parametrize("mode", ["memory", "tempfile"])
def test_its_rr_yaml_runs_it(name, mode, tmp_path):
    overrides = [
        "smtp.addr=127.0.0.1:0",
        "rpc.listen=tcp://127.0.0.1:0",
        "logs.encoding=json",
        f"smtp.attachment_storage.mode={mode}",
        f"server.env.SAVE_TO={tmp_path}/saved",
        "server.env.USERS=bob@example.com",
    ]
    folder = ROOT / "examples" / f"{name}-mail"
    host = Host(folder, [part for override in overrides for part in ("-o", override)])
    message = (
        "From: a@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/pdf; name=a.pdf\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(b'content').decode()}\r\n"
    )
    try:
        host.wait_for("worker is up", 2)
        with smtplib.SMTP(*host.smtp, timeout=TIMEOUT) as client:
            client.sendmail("a@example.com", ["bob@example.com"], message)
            with pytest.raises(smtplib.SMTPDataError, match="no such user: carol"):
                client.sendmail("a@example.com", ["carol@example.com"], message)
        assert host.stop() == 0
    finally:
        host.close()
    (saved,) = (tmp_path / "saved").iterdir()
    assert (saved.name, saved.read_bytes()) == ("a.pdf", b"content")
