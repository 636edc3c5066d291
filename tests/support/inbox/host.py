"""A host with an inbox, as its clients see it: SMTP, the API, and a web server of another site."""

from __future__ import annotations

import http.server
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from support.container.host import Host, hosting
from support.waiting import TIMEOUT


def url(host: Host) -> str:
    """Where the inbox is, without a slash at the end."""
    line = host.wait_for("HTTP server listens", logger="inbox")[-1]
    return str(line["address"]).replace("tcp://", "http://")


def address(host: Host) -> tuple[str, int]:
    """Where the inbox is, for a socket."""
    name, _, port = url(host).removeprefix("http://").rpartition(":")
    return name, int(port)


@contextmanager
def inbox(folder: Path, smtp: dict[str, Any] | None = None, **section: Any) -> Iterator[tuple[Host, httpx.Client]]:
    """A host with an inbox, and a client of its API."""
    keys = {"address": "127.0.0.1:0", **section}
    with hosting(folder, inbox=keys, smtp=smtp or {}) as host, api(host) as client:
        yield host, client


def api(host: Host) -> httpx.Client:
    return httpx.Client(base_url=f"{url(host)}/api/v1/", timeout=TIMEOUT, trust_env=False)


def relay_of(host: Host, **keys: Any) -> dict[str, Any]:
    """The section `inbox.relay` whose relay is this host."""
    return {"host": "127.0.0.1", "port": host.smtp[1], "tls": "none", "allow": ["*@example.com"], **keys}


def send(host: Host, mail: EmailMessage | str | bytes, sender: str = "a@b.c", to: str | list[str] = "x@y.z") -> None:
    """Send one mail by smtplib."""
    content = mail if isinstance(mail, (str, bytes)) else mail.as_bytes()
    with smtplib.SMTP(*host.smtp) as client:
        client.sendmail(sender, to, content)


def mail(subject: str = "Hello", text: str = "Hi there\n", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.com>", "Bob <bob@example.com>", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


class Elsewhere:
    """A web server that is not the inbox. `pages`: what it serves, with headers; `seen`: what came, connections too."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.seen: list[str] = []
        self._sockets: list[socket.socket] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(self.path)
                text, headers = outer.pages.get(self.path, ("<p>elsewhere</p>", {}))
                body = text.encode()
                self.send_response(200)
                for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the standard library's names

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = False  # they are waited for

            def get_request(self) -> Any:
                accepted = super().get_request()
                outer.seen.append("connection")
                outer._sockets.append(accepted[0])
                return accepted

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Elsewhere:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        for connection in self._sockets:  # a browser keeps some, just in case
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()
