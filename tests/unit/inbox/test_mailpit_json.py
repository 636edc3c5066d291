"""Mailpit's JSON: what a list costs for headers of any size."""

from __future__ import annotations

from support.inbox.stored import received

from rrpy.inbox.records import record_of
from rrpy.inbox.store.store import Store
from rrpy.inbox.web.mailpit_json import LISTED, message_of, summary_of


def test_a_list_reads_a_bounded_part_of_the_headers() -> None:
    """A From of 1.2 MB in encoded words took 0.17 s for each message of each list."""
    store = Store()
    long = "".join(f"X-{number}: {'x' * 900}\r\n" for number in range(LISTED // 800))
    content = f"From: ann@example.com\r\n{long}Reply-To: late@example.com\r\n\r\nhi"
    store.add(record_of(received("a", content=content.encode())))
    stored = store.read("latest")
    assert stored is not None
    listed, whole = summary_of(stored.listed(), stored), message_of(stored)
    assert listed["From"] == whole["From"] == {"Name": "", "Address": "ann@example.com"}
    assert (listed["ReplyTo"], len(whole["ReplyTo"])) == ([], 1)
