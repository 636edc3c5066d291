"""The inbox's page by way of nginx."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.inbox.host import inbox, mail, send, url
from support.inbox.page import Visit, live
from support.inbox.proxy import nginx

pytestmark = pytest.mark.program("chromium", "nginx")

ASK = "path => fetch(path, {method: 'DELETE'}).then(answer => answer.status)"


def test_the_page_works_by_way_of_a_proxy_and_under_a_path(tmp_path: Path, visit: Visit) -> None:
    """The page showed mail, and every delete was refused."""
    with inbox(tmp_path, allowed_hosts=["mail.test"]) as (host, client):
        to = url(host)
        locations = [
            f"location / {{ proxy_pass {to}; }}",
            f"location / {{ proxy_pass {to}; proxy_set_header Host $host; }}",
            f"location /mail/ {{ proxy_pass {to}/; proxy_set_header Host $http_host; }}",
        ]
        with nginx(tmp_path, locations) as (bare, without_port, under_a_path):
            for place in (
                f"http://mail.test:{bare}/",
                f"http://localhost:{bare}/",
                f"http://127.0.0.1:{without_port}/",
                f"http://localhost:{under_a_path}/mail",
                f"http://mail.test:{under_a_path}/mail/",
            ):
                page = live(visit(place))
                send(host, mail(place, html="<p>Shown</p>"))
                page.get_by_role("option", name=place).click()
                expect(page.frame_locator("iframe").get_by_text("Shown")).to_be_visible()
                page.get_by_role("button", name="Delete the message").click()
                expect(page.get_by_role("option")).to_have_count(0)
                with page.expect_response(lambda answer: answer.request.method == "DELETE"):
                    page.get_by_role("button", name="Delete now").click()
                assert client.get("messages").json()["total"] == 0, place
                page.close()


def test_another_page_gets_nothing_by_way_of_a_proxy(tmp_path: Path, visit: Visit) -> None:
    with inbox(tmp_path, allowed_hosts=["mail.test"]) as (host, client):
        send(host, mail())
        with nginx(tmp_path, [f"location / {{ proxy_pass {url(host)}; }}"]) as (port,):
            page = visit(f"http://rebound.example:{port}/")  # for the browser, it has the origin of the proxy
            assert page.evaluate(ASK, "api/v1/messages") == 403
            assert page.evaluate("fetch('api/v1/messages').then(answer => answer.status)") == 403
            assert page.evaluate("fetch('api/v1/info', {referrerPolicy: 'no-referrer'}).then(a => a.status)") == 403
            page.close()
        assert client.get("messages").json()["total"] == 1
