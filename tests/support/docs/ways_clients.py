"""Run the blocks of docs/how-to/clients.md against the host of the page, until the mail of each arrives."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import httpx
from support.container.programs import needs
from support.docs.pages import ROOT, Block, file_of
from support.docs.transcript import Transcript
from support.smtp_plugin import clients_postfix
from support.smtp_plugin.clients_list import node_path
from support.waiting import TIMEOUT, eventually

MESSAGE = "From: from@example.com\nTo: to@example.com\nSubject: Hello\n\nHi there\n"
DJANGO = """\
import django.conf
import django.core.mail
django.conf.settings.configure(django.conf.Settings("settings"))
django.core.mail.send_mail("Hello", "Hi there", "from@example.com", ["to@example.com"])
"""
NODEMAILER = """
transport.sendMail({from: "from@example.com", to: "to@example.com", subject: "Hello", text: "Hi there"});
"""


WORDPRESS = """
class Mailer { public $Host, $Port, $Mailer; function isSMTP() { $this->Mailer = 'smtp'; } }
function add_action($name, $call) { $mailer = new Mailer; $call($mailer); echo json_encode([$name, $mailer]), "\\n"; }
function add_filter($name, $call) { echo json_encode([$name, $call()]), "\\n"; }
require 'mail.php';
"""
"""WordPress's hooks, as developer.wordpress.org/reference has them, for its lines alone."""


def deliver(run: Transcript, block: Block) -> None:
    """Run a block of a client, with the parts that the page leaves to its reader, and wait for the mail."""
    assert run.host is not None, "the page has started a host"
    (run.folder / "message.eml").write_text(MESSAGE)
    before = _caught(run)
    script, environ = _script(run, block)
    for name in _PROGRAMS.findall(script):
        needs(name)
    if script:
        run.shell(script, **environ)
        count = int((_COUNT.findall(script) or ["1"])[0])
        eventually(lambda: _caught(run) >= before + count, f"{count} mails of {script}")


def settings(run: Transcript, block: Block) -> None:
    """Check that the empty inbox shows the same lines of a framework; deliver with those that can run here."""
    assert block.text in _shown(), "inbox/web/static/clients.js has other lines"
    if block.kind in ("python", "js"):
        deliver(run, block)
    elif block.kind == "php":
        needs("php")
        (run.folder / "mail.php").write_text(run.real(block.text))
        (run.folder / "hooks.php").write_text(f"<?php{WORDPRESS}")
        host, _, port = run.known["localhost:1025"].rpartition(":")
        mailer = {"Host": host, "Port": int(port), "Mailer": "smtp"}
        said = [json.loads(line) for line in run.shell("php hooks.php").splitlines()]
        assert said == [["phpmailer_init", mailer], ["wp_mail_from", "wordpress@example.com"]]


@cache
def _shown() -> list[str]:
    """Return the lines of each framework on the empty page of a default host."""
    needs("node")
    program = (ROOT / "inbox/web/static/clients.js").read_text()
    program += "console.log(JSON.stringify(settings({host: 'localhost', port: '1025', url: 'localhost:1025'})));"
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return [lines for _, lines in json.loads(done.stdout)]


def _caught(run: Transcript) -> int:
    """Return how many mails the host of the page has caught."""
    url = f"http://{run.known['127.0.0.1:8025']}/api/v1/messages?limit=1"
    newest = httpx.get(url, timeout=TIMEOUT, trust_env=False).json()["messages"]
    return newest[0]["number"] if newest else 0


_PROGRAMS = re.compile(r"^(curl|swaks|msmtp|php|node|smtp-source)\b", re.MULTILINE)
_COUNT = re.compile(r"smtp-source .*-m (\d+)")


def _script(run: Transcript, block: Block) -> tuple[str, dict[str, str]]:
    """Return the command for a block, and its environment; empty for a block that delivers nothing."""
    trusted = {"SSL_CERT_FILE": str(run.folder / "cert.pem"), "NODE_EXTRA_CA_CERTS": str(run.folder / "cert.pem")}
    name = file_of(block)
    if name == "settings.py":
        _write(run, "settings.py", run.real(block.text))
        _write(run, "django_mail.py", DJANGO)
        return "python django_mail.py", trusted
    if name == "php.ini":
        _write(run, "php.ini", block.text)
        return 'php -c php.ini -r \'exit(mail("to@example.com", "Hello", "Hi there") ? 0 : 1);\'', {}
    if name == "main.cf":
        _compare_with_postfix(block.text)
        return "", {}
    if block.text.startswith("# ~/.msmtprc\n"):
        _write(run, ".msmtprc", run.real(block.text))
        return "msmtp to@example.com < message.eml", {}
    if block.kind == "js":
        _write(run, "program.js", run.real(block.text) + NODEMAILER)
        return "node program.js", {**trusted, "NODE_PATH": node_path()}
    if block.kind == "python":
        _write(run, "program.py", run.real(block.text))
        return "python program.py", trusted
    assert block.kind == "sh", block.kind
    return block.text, {}


def _write(run: Transcript, name: str, text: str) -> None:
    path = Path(run.folder / name)
    path.write_text(text)
    path.chmod(0o600)


def _compare_with_postfix(text: str) -> None:
    """Check that the page has the lines of tests/integration/smtp_plugin/test_clients.py for Postfix."""
    tested = clients_postfix.MAIN + clients_postfix.LOGIN + clients_postfix.TLS
    for shown, used in (
        ("[127.0.0.1]:1025", "{relayhost}"),
        ("/etc/postfix/passwords", "{folder}/etc/passwords"),
        ("/etc/postfix/cert.pem", "{order.ca}"),
    ):
        text = text.replace(shown, used)
    _, *lines = text.splitlines()
    assert set(lines) <= set(tested.splitlines())
