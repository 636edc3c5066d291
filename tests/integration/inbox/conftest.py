"""What the tests of the page get: a browser, and a way to open a page in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support.container.host import Host
from support.inbox.host import url
from support.inbox.page import Visit
from support.waiting import TIMEOUT

expect.set_options(timeout=TIMEOUT * 1000)

FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><alias binding="strong"><family>system-ui</family>
<prefer><family>Inter</family></prefer></alias></fontconfig>"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the tests of this file. For it `rebound.example` and `*.test` are this machine."""
    fonts = tmp_path_factory.mktemp("fonts") / "fonts.conf"
    fonts.write_text(FONTS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--host-resolver-rules=MAP rebound.example 127.0.0.1,MAP *.test 127.0.0.1"],
            env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a page of a host in a fresh context; what goes wrong in it fails the test."""
    contexts = []
    faults: list[str] = []

    def opened(host: Host | str, **options: Any) -> Page:
        context = browser.new_context(locale="en-GB", **options)
        context.set_default_timeout(TIMEOUT * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        page.goto(host if isinstance(host, str) else f"{url(host)}/")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []
