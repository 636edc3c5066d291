"""Handlers for workers of jobs that are mails. Each writes a file named by the subject into the folder SEEN."""

import json
import os
import time
from pathlib import Path

from rrpy.worker import Email, Reject, Request
from rrpy.worker.mails import mail

SEEN = Path(os.environ.get("SEEN", "."))


def write(found: Email, **more: object) -> None:
    record = {
        "id": found.id,
        "sender": found.envelope.sender,
        "recipients": [str(each) for each in found.envelope.recipients],
        "text": found.text.strip(),
        "mode": os.environ["RR_MODE"],
        **more,
    }
    file = SEEN / f".{found.subject}"
    file.write_text(json.dumps(record))
    file.rename(SEEN / found.subject)


def email(request: Request):
    context = request.json()

    def handle(found: Email) -> None:
        if "fail@y.z" in found.envelope.recipients and not (SEEN / "mended").exists():
            raise ValueError("it fails")
        write(found, job=context["job"], headers=context["headers"])

    return mail(handle)(request)


def raw(request: Request) -> None:
    record = {"body": request.body.decode(), "headers": request.json()["headers"]}
    file = SEEN / ".number raw"
    file.write_text(json.dumps(record))
    file.rename(SEEN / "number raw")


def slow(found: Email) -> None:
    write(found)
    time.sleep(0.1)


def gated(found: Email) -> None:
    write(found)
    while not (SEEN / "gate").exists():
        time.sleep(0.005)


def fated(found: Email) -> Reject | None:
    """Do what the recipient says, and write a line for each run that comes so far."""
    (to,) = map(str, found.envelope.recipients)
    if to == "end@y.z":
        os._exit(3)
    if to == "fail@y.z":
        raise ValueError("it fails")
    if to == "never@y.z":
        return Reject(550, "never")
    with (SEEN / "runs").open("a") as runs:
        runs.write(f"{found.subject}\n")
    if to == "gated@y.z":
        gated(found)
    else:
        write(found)
    return None
