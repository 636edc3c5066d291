"""Waiting for mail by HTTP, by RPC and by command, at a real host."""

from __future__ import annotations

import smtplib
from pathlib import Path

import anyio
import httpx
import pytest
from support.container.host import hosting
from support.inbox.host import inbox, mail, send, url
from support.waiting import TIMEOUT

from rrpy.rpc.client import Client
from rrpy.rpc.errors import RPCError

WAITERS = 200


def test_two_hundred_parallel_waiters_of_a_claim_each_get_a_mail_of_their_own(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        got: list[str] = []

        async def waits(other: httpx.AsyncClient) -> None:
            answer = await other.get("wait", params={"subject": "order", "claim": "test", "timeout": 60})
            got.append(answer.json()["summary"]["subject"])

        def sends() -> None:
            with smtplib.SMTP(*host.smtp) as smtp:
                for number in range(WAITERS):
                    smtp.sendmail("a@b.c", ["x@y.z"], f"Subject: order {number}\n\nhi\n")

        async def all_wait() -> None:
            limits = httpx.Limits(max_connections=WAITERS)
            base = f"{url(host)}/api/v1/"
            async with (
                httpx.AsyncClient(base_url=base, limits=limits, timeout=60, trust_env=False) as other,
                anyio.create_task_group() as group,
            ):
                for _ in range(WAITERS):
                    group.start_soon(waits, other)
                await anyio.to_thread.run_sync(sends)

        anyio.run(all_wait)
        assert sorted(got) == sorted(f"order {number}" for number in range(WAITERS))
        late = client.get("wait", params={"claim": "test", "timeout": 0})
        assert late.status_code == 408
        assert late.json()["received"][-1]["why"] == ["claim: another request of 'test' has it"]


def test_the_api_answers_one_message_several_or_none(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        for subject in ("one", "two", "three"):
            send(host, mail(subject, html=f"<p>The code of {subject} is 471100</p>"))

        def wait(**params: str) -> httpx.Response:
            return client.get("wait", params={"timeout": "0"} | params)

        assert wait(order="oldest").json()["summary"]["subject"] == "one"
        assert wait(body="~of t\\w+ is", order="oldest", after="1").json()["summary"]["subject"] == "two"
        listed = wait(count="2", header="Subject: ~^t").json()["messages"]
        assert [each["subject"] for each in listed] == ["three", "two"]
        assert client.get("wait", params={"none": 1, "within": 0, "after": "now"}).status_code == 204
        came = client.get("wait", params={"none": 1, "subject": "two"})
        assert (came.status_code, came.json()["detail"]) == (409, "a mail with subject='two' came within 5 s")
        assert [each["subject"] for each in came.json()["received"]] == ["two"]
        missed = wait(to="dan@example.com", header="X-Tag", after="2")
        assert missed.status_code == 408
        assert missed.json()["detail"] == "no mail with to='dan@example.com', header=X-Tag within 0 s"
        (only,) = missed.json()["received"]
        assert (only["subject"], only["number"], only["from"], only["to"]) == ("three", 3, "a@b.c", ["x@y.z"])
        assert only["why"] == ["to: 'x@y.z' does not fit 'dan@example.com'", "header X-Tag: the mail has none"]


def test_rpc_waits_in_the_same_words(tmp_path: Path) -> None:
    keys = {"inbox": {"address": "127.0.0.1:0"}, "smtp": {}, "rpc": {"listen": f"unix://{tmp_path}/rpc.sock"}}
    with hosting(tmp_path, **keys) as host, Client(keys["rpc"]["listen"], timeout=TIMEOUT) as client:
        send(host, mail("one"))
        send(host, mail("two"))
        assert client.call("inbox.Wait")["summary"]["subject"] == "two"
        assert client.call("inbox.Wait", {"from": "ann", "order": "oldest"})["summary"]["subject"] == "one"
        assert [each["summary"]["subject"] for each in client.call("inbox.Wait", {"count": 2})] == ["two", "one"]
        assert client.call("inbox.Wait", {"none": True, "within": 0, "after": "now"}) is None
        with pytest.raises(RPCError) as caught:
            client.call("inbox.Wait", {"subject": "=three", "timeout": 0, "after": 1})
        assert str(caught.value).splitlines() == [
            "no mail with subject='=three' within 0 s; received:",
            "  <a@b.c> -> x@y.z | two",
            "      subject: 'two' does not fit '=three'",
        ]
        send(host, mail("code", "Your code is 471100.\nReset: https://app.example/r\nHelp: https://help.example/\n"))
        assert client.call("inbox.Code") == "471100"
        assert [link["text"] for link in client.call("inbox.Links", {"id": "latest"})] == ["Reset", "Help"]
        assert client.call("inbox.Links", {"text": "help"})[0]["href"] == "https://help.example/"
        with pytest.raises(RPCError, match="no code of 5 characters; candidates:\n  471100"):
            client.call("inbox.Code", {"length": 5})
        with pytest.raises(RPCError, match="no link with host='x'"):
            client.call("inbox.Links", {"host": "x"})
        with pytest.raises(RPCError, match="there is no message nope"):
            client.call("inbox.Code", {"id": "nope"})
        with pytest.raises(RPCError, match="body is not a regular expression"):
            client.call("inbox.Wait", {"body": "~("})


def test_the_links_and_the_code_of_a_message(tmp_path: Path) -> None:
    with inbox(tmp_path) as (host, client):
        text = "Your code is 471100.\nReset: https://app.example/reset?t=1\nHelp: https://help.example/\n"
        send(host, mail("Sign in", text))
        assert client.get("messages/latest/code").json()["code"] == "471100"
        assert [each["text"] for each in client.get("messages/latest/links").json()["links"]] == ["Reset", "Help"]
        (link,) = client.get("messages/latest/links", params={"text": "reset"}).json()["links"]
        assert (link["href"], link["kind"]) == ("https://app.example/reset?t=1", "link")
        none = client.get("messages/latest/links", params={"host": "other.example"})
        assert (none.status_code, none.json()["detail"]) == (422, "no link with host='other.example'; the links are:")
        assert len(none.json()["links"]) == 2
        none = client.get("messages/latest/code", params={"length": 8})
        assert (none.status_code, none.json()["candidates"][0]["value"]) == (422, "471100")
        assert client.get("messages/latest/code", params={"pattern": "("}).status_code == 400
        assert client.get("messages/nope/code").status_code == 404


def test_a_message_is_put_in_without_a_mail_server(tmp_path: Path) -> None:
    with inbox(tmp_path) as (_, client):
        content = mail("Put in").as_bytes()
        waited = client.post("messages", content=content, headers={"Content-Type": "message/rfc822"})
        assert waited.status_code == 201
        found = client.get("wait", params={"subject": "=Put in", "timeout": 0}).json()["summary"]
        assert (found["id"], found["from"], found["to"]) == (
            waited.json()["id"],
            "ann@example.com",
            ["bob@example.com"],
        )
        assert client.get("messages/latest/raw").content == content
        params = {"from": "x@y.z", "to": ["one@y.z", "two@y.z"]}
        client.post("messages", content=b"Subject: second\n\n" + 100_000 * b"x", params=params)
        found = client.get("messages/latest").json()["summary"]
        assert (found["from"], found["to"], found["size"]) == ("x@y.z", ["one@y.z", "two@y.z"], 100_017)
        assert client.post("messages", content=b"").json()["detail"].startswith("the body is empty")
        assert (
            client.post("messages", content=b"Subject: x\n\n").json()["detail"].startswith("the message has no recip")
        )
        blank = client.post("messages?to=ann+test@y.z", content=content)
        assert (blank.status_code, blank.json()["detail"][:20]) == (400, "to is 'ann test@y.z'")
        elsewhere = client.post("messages", content=content, headers={"Origin": "http://other.example"})
        assert elsewhere.status_code == 403
