"""The memory of a host after a burst."""

from __future__ import annotations

import ctypes
import smtplib
import urllib.request
from pathlib import Path

import psutil
import pytest
from support.container.host import hosting
from support.waiting import eventually

MEGABYTE = 1_000_000
MESSAGES, SIZE = 1500, 20_000
"""30 MB of mail in small pieces, of which the heap keeps most."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the libc has no malloc_trim")
def test_the_memory_of_a_burst_goes_back_to_the_system(tmp_path: Path) -> None:
    quiet = {"logs": {"level": "info"}}
    with hosting(tmp_path, inbox={"address": "127.0.0.1:0"}, **quiet) as host:
        process = psutil.Process(host.process.pid)
        before = process.memory_info().rss
        with smtplib.SMTP(*host.smtp) as client:
            for number in range(MESSAGES):
                client.sendmail("a@b.c", ["x@y.z"], f"Subject: {number}\n\n" + "x" * 70 * (SIZE // 71) + "\n")
        assert process.memory_info().rss > before + MESSAGES * SIZE // 2, "the inbox has the mail"
        (line,) = host.wait_for("HTTP server listens")
        address = line["address"].replace("tcp://", "http://")
        request = urllib.request.Request(f"{address}/api/v1/messages", method="DELETE")
        urllib.request.urlopen(request).close()
        eventually(lambda: process.memory_info().rss < before + 15 * MEGABYTE, "it has gone back")
