"""The main states of the inbox's page: axe-core finds nothing in them, in both schemes; pictures of them."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect
from support.container.host import hosting
from support.inbox import showcase
from support.inbox.page import Visit, live
from support.inbox.states import phone_states, states

pytestmark = pytest.mark.program("chromium")

IMAGES = Path(__file__).parents[3] / "docs" / "images"
DOCUMENTED = {
    ("html", "light"): "inbox.webp",
    ("html", "dark"): "inbox-dark.webp",
    ("search", "light"): "inbox-search.webp",
    ("check", "light"): "inbox-check.webp",
    ("phone-html", "light"): "inbox-phone.webp",
}
"""The states and schemes whose pictures the pages show, and their names there."""
MAX_PICTURE = 80_000
"""Bytes of a picture of the pages."""
LARGE, SMALL = {"width": 1280, "height": 800}, {"width": 360, "height": 740}

ROWS = {"list", "search", "selected", "phone-list"}
"""The states whose rows axe-core looks at. They take half of its time, and are the same in the others."""
DARK = {"list", "refused", "html", "html-source", "attachments", "code", "session", "release", "wrong-search", "check"}
"""The states whose contrast axe-core looks at in the dark scheme too: all colours are in them."""
RUN = """async ({ exclude, rules }) => {
  const options = { iframes: false, resultTypes: ["violations"] };
  if (rules) options.runOnly = rules;
  const { violations } = await axe.run(exclude.length ? { exclude } : document, options);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, html }) => `${id}: ${target} ${html}`));
}"""


def look(page: Page, name: str) -> list[str]:
    """Return what axe-core finds in a state, and take its pictures."""
    exclude = [] if name in ROWS else ["#messages"]
    found = page.evaluate(RUN, {"exclude": exclude, "rules": None})
    keep(page, name, "light")
    if name in DARK or os.environ.get("RRPY_SCREENSHOTS"):
        page.emulate_media(color_scheme="dark")
        found += page.evaluate(RUN, {"exclude": exclude, "rules": ["color-contrast"]})
        keep(page, name, "dark")
        page.emulate_media(color_scheme="light")
    return [f"{name}: {fault}" for fault in found]


def keep(page: Page, name: str, scheme: str) -> None:
    """Write a picture where RRPY_SCREENSHOTS asks for it: a folder for all, or `docs` for those of the pages."""
    folder = os.environ.get("RRPY_SCREENSHOTS")
    if folder == "docs":
        if DOCUMENTED.get((name, scheme)) is None:
            return
        path = IMAGES / DOCUMENTED[name, scheme]
    elif folder:
        path = Path(folder) / f"{name}-{scheme}.webp"
    else:
        return
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    session.detach()
    path.write_bytes(base64.b64decode(taken["data"]))


def test_axe_finds_nothing_in_any_state(tmp_path: Path, visit: Visit) -> None:
    support = Path(__file__).parents[2]
    server = {
        "command": "python -m rrpy.worker support.inbox.showcase:refuse_the_lottery",
        "env": {"PYTHONPATH": str(support)},
    }
    smtp = {"deliver": "workers", "pool": {"num_workers": 1}}
    relay = {"host": "127.0.0.1", "port": 1, "tls": "none", "allow": ["*@larch-loom.example"]}
    inbox = {"address": "127.0.0.1:0", "relay": relay}
    with hosting(tmp_path, inbox=inbox, smtp=smtp, server=server) as host:
        page = live(visit(host, viewport=LARGE, device_scale_factor=1.25, reduced_motion="reduce"))
        page.evaluate(AXE_SCRIPT)
        seen = {name: look(page, name) for name in states(page, lambda: showcase.send(host.smtp))}
        page.set_viewport_size(SMALL)
        page.keyboard.press("Escape")
        expect(page.locator("#message")).to_be_hidden()
        seen |= {name: look(page, name) for name in phone_states(page)}
    assert [fault for found in seen.values() for fault in found] == []
    assert len(seen) > 25
    assert {*ROWS, *DARK, *(name for name, _ in DOCUMENTED)} <= set(seen)


def test_the_pictures_of_the_pages_are_there_and_small() -> None:
    sizes = {path.name: path.stat().st_size for path in IMAGES.iterdir()}
    assert set(sizes) == set(DOCUMENTED.values())
    assert max(sizes.values()) < MAX_PICTURE
