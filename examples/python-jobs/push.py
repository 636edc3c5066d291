"""Push a ticket into the queue: python push.py SUBJECT. RR_RPC: the address of the host."""

from __future__ import annotations

import base64
import json
import os
import sys

from rrpy.rpc.client import Client

ticket = {"from": "push.py", "subject": sys.argv[1], "text": ""}
job = {
    "job": "ticket",
    "payload": base64.b64encode(json.dumps(ticket).encode()).decode(),
    "headers": {"origin": {"value": ["push.py"]}},
    "options": {"pipeline": "tickets", "delay": 0},  # `delay`: seconds
}
with Client(os.environ.get("RR_RPC", "tcp://127.0.0.1:6001")) as client:
    print(*client.call("jobs.Push", {"job": job})["ids"])
