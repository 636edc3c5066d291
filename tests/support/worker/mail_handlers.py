"""Handlers for workers that decide about mail: what to do is the local part of the first recipient."""

import json
import os
import time
from base64 import b64encode
from pathlib import Path

from rrpy.worker import SoftError


def decide(request):
    """Write the event into the folder SEEN, then do what the recipient's name says."""
    event = request.json()
    what, _, argument = event["envelope"]["to"][0].partition("@")[0].partition("+")
    seen = Path(os.environ["SEEN"])
    for attachment in event["attachments"]:
        if "path" in attachment:
            path = Path(attachment["path"])
            attachment["read"] = b64encode(path.read_bytes()).decode()
            attachment["mode"] = path.stat().st_mode & 0o777
    record = json.dumps({"event": event, "raw": b64encode(request.body).decode()})
    (seen / f".{event['id']}").write_text(record)
    (seen / f".{event['id']}").rename(seen / f"{event['id']}.json")
    if what == "close":
        return "CLOSE"
    if what == "code":
        return json.dumps({"code": int(argument), "message": "as the worker says"})
    if what == "each":
        codes = [to.partition("@")[0].partition("+")[2] for to in event["envelope"]["to"]]
        return json.dumps({"replies": [{"code": int(code), "message": f"it says {code}"} for code in codes]})
    if what == "text":
        return "whatever"
    if what == "soft":
        raise SoftError("not this one")
    if what == "die":
        os._exit(3)
    if what == "wait":
        (seen / "waiting").touch()
        while not (seen / "gate").exists():
            time.sleep(0.005)
    return "CONTINUE"


def record(request):
    """Write the subject's number into a file of its own, on the disk, before it answers."""
    event = request.json()
    number = event["message"]["subject"].partition(" ")[2]
    file = os.open(f"{os.environ['SEEN']}/{number}", os.O_CREAT | os.O_WRONLY)
    os.fsync(file)
    os.close(file)
    return "CONTINUE"
