"""A handler of jobs that writes each ticket into a folder. A ticket is a mail, or a job of push.py.

TICKETS: the folder. Its files have the ids of the jobs: a job that comes twice writes the same file again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from rrpy.worker import Accept, Email, Reject, Request, Verdict, log

TICKETS = Path(os.environ.get("TICKETS", "tickets"))


def handle(request: Request) -> Verdict:
    """Do one job. An exception is a failed attempt: the host tries the job again."""
    job = request.json()
    if job["job"] == "smtp.email":
        email = Email.from_request(request)
        ticket = {"from": email.envelope.sender, "subject": email.subject, "text": email.text}
    elif job["job"] == "ticket":
        ticket = json.loads(request.body)
    else:
        return Reject(550, f"there is no job {job['job']}")  # dead at once: another attempt would not help
    if not ticket.get("subject"):
        return Reject(550, "a ticket needs a subject")
    TICKETS.mkdir(parents=True, exist_ok=True)
    (TICKETS / f"{job['id']}.json").write_text(json.dumps(ticket))
    log.info("a ticket was written", id=job["id"], attempt=job["headers"]["attempt"][0])
    return Accept()
