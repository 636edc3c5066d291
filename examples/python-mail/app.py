"""A handler of mail in three steps. Each is active when its variable is set.

USERS: the addresses that exist here; a message for any other is refused with 550.
WEBHOOK: a URL that gets every event as JSON; while it is down, messages are refused with 451: try again later.
SAVE_TO: a folder for the attachments.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx

from rrpy.worker import Accept, Email, Reject, Verdict, log

USERS = set(os.environ.get("USERS", "").lower().split())
WEBHOOK = os.environ.get("WEBHOOK", "")
SAVE_TO = os.environ.get("SAVE_TO", "")
PAUSES = (0.2, 0.4)  # seconds between the attempts; all of them take less than `exec_ttl` and the time of the client

client = httpx.AsyncClient(timeout=float(os.environ.get("TIMEOUT", "5")))  # one, so that it keeps its connections


async def handle(email: Email) -> Verdict:
    """Decide about one message. A refused message leaves nothing behind, so the sender may try again."""
    unknown = [address for address in email.envelope.recipients if USERS and address.lower() not in USERS]
    if unknown:
        return Reject(550, f"no such user: {', '.join(unknown)}")
    if WEBHOOK and not await forward(email):
        return Reject(451, "cannot be processed now, try again later")
    if SAVE_TO:
        save(email)
    return Accept()


async def forward(email: Email) -> bool:
    """Post the event, without the sender's password; say whether the webhook took it."""
    event = {name: value for name, value in email.event.items() if name != "authentication"}
    for pause in (*PAUSES, None):
        try:
            response = await client.post(WEBHOOK, json=event)
        except httpx.HTTPError as error:
            reason = repr(error)
        else:
            if response.is_success:
                return True
            reason = f"status {response.status_code}"
        log.warning("the webhook failed", id=email.id, reason=reason, again=pause is not None)
        if pause is not None:
            await asyncio.sleep(pause)
    return False


def save(email: Email) -> None:
    """Write the attachments under safe names."""
    folder = Path(SAVE_TO)
    folder.mkdir(parents=True, exist_ok=True)
    # From the parsed headers; the sender of the envelope may be another.
    sender = email.from_[0].address if email.from_ else email.envelope.sender
    for attachment in email.attachments:
        path = attachment.save(folder)
        details = {"size": attachment.size, "sha256": attachment.sha256, "from": sender}
        log.info("an attachment was saved", id=email.id, path=path, **details)
