"""An inbox with users: a browser and a program log in, and no secret is shown."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.container.host import hosting, run
from support.inbox.host import address, api, mail, send, url
from support.inbox.page import Visit, live

from rrpy.container.passwords import PasswordHash

pytestmark = pytest.mark.program("chromium")


def test_the_page_says_that_it_is_open(tmp_path: Path, visit: Visit) -> None:
    with hosting(tmp_path, inbox={"address": "0.0.0.0:0", "open": True}, smtp=None) as host:
        page = live(visit(url(host).replace("0.0.0.0", "127.0.0.1") + "/"))
        expect(page.get_by_text("Open: the inbox listens on the network, and asks for no password.")).to_be_visible()


def test_a_browser_and_a_program_log_in(tmp_path: Path, visit: Visit) -> None:
    """The whole page works with a login: its scripts, stream, frames, previews and downloads."""
    hashed = str(PasswordHash.of("sesame"))
    token, token_hash = (line.split()[1] for line in run("hash", "--token", cwd=tmp_path).stdout.splitlines())
    rpc = {"listen": f"unix://{tmp_path}/rpc.sock"}
    section = {"address": "127.0.0.1:0", "users": {"ann": hashed}, "tokens": {"ci": {"token": token_hash}}}
    with hosting(tmp_path, inbox=section, rpc=rpc) as host, api(host) as client:
        message = mail("Welcome", html="<p>Hello Ann</p>")
        for name in ("notes.txt", "more.txt"):
            message.add_attachment(b"the notes", "text", "plain", filename=name)
        send(host, message)
        refused = client.get("messages/latest")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="rrpy inbox", charset="UTF-8"'
        assert client.get("wait", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert client.get("wait", auth=("ann", "a-wrong-guess")).status_code == 401

        name, port = address(host)
        for login, code in (("ann:sesame", 0), (f"ci:{token}", 0), ("ann:a-wrong-guess", 1), ("", 1)):
            done = run(
                "dump", str(tmp_path / "out"), "--http", f"http://{login}{'@' * bool(login)}{name}:{port}", cwd=tmp_path
            )
            assert done.returncode == code, done.stderr
            assert "a-wrong-guess" not in done.stderr
            assert ("answered 401: it asks for a login; write NAME:PASSWORD@" in done.stderr) is (code > 0)

        page = live(visit(host, http_credentials={"username": "ann", "password": "sesame"}))
        send(host, mail("Later"))
        expect(page.locator("#reach")).to_be_hidden()
        expect(page.locator("#messages .subject")).to_have_text(["Later", "Welcome"])
        page.locator("#messages li").last.click()
        expect(page.frame_locator("#message iframe").locator("p")).to_have_text("Hello Ann")
        page.get_by_role("tab", name="Attachments").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download all").click()
        assert Path(download.value.path()).read_bytes().startswith(b"PK")

        typed = live(visit(url(host).replace("http://", "http://ann:sesame@") + "/"))  # as some people type it
        expect(typed.locator("#messages .subject")).to_have_text(["Later", "Welcome"])

        configuration = b64decode(json.loads(host.rrpy("rpc", "rpc.Config").stdout)).decode()
        assert "***" in configuration
        shown = configuration + json.dumps(host.lines)
        for secret in ("sesame", token, hashed.rpartition(":")[2], token_hash.partition(":")[2], "a-wrong-guess"):
            assert secret not in shown
