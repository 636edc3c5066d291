"""Run the blocks of docs/how-to/clients.md against a host with TLS, until the mail of each arrives."""

from __future__ import annotations

import re
from pathlib import Path

import trustme
import yaml
from support.container.programs import needs
from support.docs.pages import Block, file_of
from support.docs.transcript import Transcript
from support.smtp_plugin import clients_postfix
from support.smtp_plugin.clients_list import node_path

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


def prepare(run: Transcript) -> None:
    """Start a host with a certificate, beside the `ca.pem` to trust and a `message.eml` to send."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(run.folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(run.folder / "cert.pem")
    issued.private_key_pem.write_to_path(run.folder / "key.pem")
    (run.folder / "message.eml").write_text(MESSAGE)
    smtp = {"pool": {"num_workers": 1}, "tls": {"cert": "cert.pem", "key": "key.pem"}}
    (run.folder / "rr.yaml").write_text(yaml.safe_dump({"version": "3", "server": {}, "smtp": smtp}))
    run.start()


def deliver(run: Transcript, block: Block) -> None:
    """Run a block of a client, with the parts that the page leaves to its reader, and wait for the mail."""
    if run.host is None:
        prepare(run)
    assert run.host is not None
    before = len(run.host.named("email received"))
    script, environ = _script(run, block)
    for name in _PROGRAMS.findall(script):
        needs(name)
    if script:
        run.shell(script, **environ)
        run.host.wait_for("email received", before + int((_COUNT.findall(script) or ["1"])[0]))


_PROGRAMS = re.compile(r"^(curl|swaks|msmtp|php|node|smtp-source)\b", re.MULTILINE)
_COUNT = re.compile(r"smtp-source .*-m (\d+)")


def _script(run: Transcript, block: Block) -> tuple[str, dict[str, str]]:
    """Return the command for a block, and its environment; empty for a block that delivers nothing."""
    trusted = {"SSL_CERT_FILE": str(run.folder / "ca.pem"), "NODE_EXTRA_CA_CERTS": str(run.folder / "ca.pem")}
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
        ("/etc/postfix/ca.pem", "{order.ca}"),
    ):
        text = text.replace(shown, used)
    _, *lines = text.splitlines()
    assert set(lines) <= set(tested.splitlines())
