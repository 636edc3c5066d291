"""A store of the inbox without a host: mails as a mail server hands them over."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from rrpy.inbox.records import MessageList, Summary, record_of
from rrpy.inbox.store.query import parse
from rrpy.inbox.store.store import Store
from rrpy.smtp_plugin.delivery.observers import ReceivedMail

MAIL: dict[str, Any] = {
    "at": 1_700_000_000.25,
    "uuid": "u",
    "remote_addr": "127.0.0.1:1",
    "sender": "a@b.c",
    "to": ["x@y.z"],
    "helo": "h",
    "authentication": None,
    "code": 250,
    "reply": "OK",
    "reason": "",
    "transcript": ["S: 220"],
}


def received(name: str, text: str = "hi", **fields: Any) -> ReceivedMail:
    """Return a mail with the subject `name`, which is its id too."""
    content = f"Subject: {name}\r\n\r\n{text}".encode()
    return ReceivedMail(**(MAIL | {"id": name, "content": content} | fields))


def kept(store: Store, name: str, text: str = "hi", **fields: Any) -> list[str]:
    """Keep a mail and return what it pushed out."""
    return list(store.add(record_of(received(name, text, **fields))).evicted)


def ids(store: Store, *, limit: int = 100, search: str = "", before: int | None = None) -> list[str]:
    """Return the ids in the list, from all slices. `search`: as a text."""
    found: list[str] = []
    while True:
        page = store.list_messages(limit=limit - len(found), search=parse(search), before=before)
        found += ids_of(page)
        before = page.next
        if before is None or len(found) == limit:
            return found


def ids_of(page: MessageList) -> list[str]:
    """Return the ids in one answer of a list."""
    return [msgspec.json.decode(each, type=Summary).id for each in page.messages]


def without_mailboxes(file: sqlite3.Connection) -> None:
    """Make a file of version 4 of one of version 5, but for its number."""
    file.execute("DROP INDEX messages_of_mailbox")
    file.execute("ALTER TABLE messages DROP COLUMN mailbox")
    file.execute("DROP TABLE mailboxes")
    file.execute("CREATE TABLE totals (messages INTEGER NOT NULL, unread INTEGER NOT NULL, bytes INTEGER NOT NULL)")
    file.execute("INSERT INTO totals SELECT count(*), 77, 88 FROM messages")
