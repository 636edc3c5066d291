"""Catching mail: the rate and the server's CPU per mail, as ratios within one run; the inbox's answers at many mails.

    python benchmarks/catch.py [--rounds 3] [--mails 6000] [--stored 100000] [--only memory,file] [--skip-stored]

Servers: `log` (`rrpy serve` that keeps nothing, log at INFO into a file), and the same with an inbox: `catch` (in
memory, the newest 500, as `rrpy catch` has it), `memory` (all), `file` (all, in a file), `words` (as `file`, with fewer
mails than get an index). Where they are installed, MailHog and maildev. Twenty kept connections send mails of 2 KiB
with varied words. The server runs on one core, the client on the other; the rounds are interleaved, the median counts.
CPU counts until the server rests: so the index of a search, which is made after the answers, is in it.

Stored: with so many mails in the file, the milliseconds of a list of 50, of a search that finds nothing, and from the
start to the first answer, also of an empty inbox; and the growth of the process's memory, as a part of
`inbox.max_bytes`, with mail in memory.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from smtp import HOST, Server, free_port, load, pin, run

SIZE = 2048
AT_ONCE = 20
MAX_BYTES = 64 * 1024 * 1024
UNINDEXED = 1800
"""Mails that get no index, with a tenth of them before."""
WORDS = [
    f"{word}{end}" for word in ("order", "invoice", "parcel", "account", "refund", "answer") for end in ("", "s", "ed")
]


def mail(seed: int) -> bytes:
    """Return a mail of about SIZE bytes and its end: two parts, varied words."""
    pick = random.Random(seed)
    words = [pick.choice(WORDS) + (str(pick.randrange(10_000)) if pick.random() < 0.3 else "") for _ in range(200)]
    lines = [" ".join(words[at : at + 10]) for at in range(0, len(words), 10)]
    head = (
        f"From: Shop <shop@example.com>\r\nTo: Ann <ann@example.com>\r\nSubject: Your order {seed}\r\n"
        f"Message-ID: <{seed}@example.com>\r\nDate: Sun, 29 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    )
    half = len(lines) // 2
    text = "\r\n".join(lines[:half])
    html = "".join(f"<p>{line}</p>\r\n" for line in lines[half:])
    parts = (
        f"--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b--\r\n"
    )
    return (head + parts).encode()[: SIZE + 400] + b".\r\n"


def start(name: str, folder: str, **inbox: Any) -> tuple[Server, int]:
    """Start a server by its name; return it and the port of its page."""
    port, page = free_port(), free_port()
    if name == "mailhog":
        where = [
            "-smtp-bind-addr",
            f"{HOST}:{port}",
            "-api-bind-addr",
            f"{HOST}:{page}",
            "-ui-bind-addr",
            f"{HOST}:{page}",
        ]
        return Server(name, ["MailHog", *where], port, folder), page
    if name == "maildev":
        return Server(name, ["maildev", "--smtp", str(port), "--web", str(page), "--ip", HOST], port, folder), page
    config: dict[str, Any] = {
        "version": "3",
        "logs": {"mode": "production", "output": f"{folder}/{name}.log"},
        "smtp": {"addr": f"{HOST}:{port}"},
    }
    if name != "log":
        file = f"{folder}/{port}.db" if name in ("file", "words") else ""
        config["inbox"] = {
            "address": f"{HOST}:{page}",
            "path": file,
            "max_messages": 500 if name == "catch" else 0,
            **inbox,
        }
    path = Path(folder) / f"{port}.yaml"
    path.write_text(json.dumps(config))
    return Server(name, [sys.executable, "-m", "rrpy", "serve", "-c", str(path)], port, folder), page


def catch(name: str, mails: int, folder: str) -> tuple[float, float]:
    """Return mails a second and microseconds of the server's CPU per mail."""
    if name == "words":
        mails = min(mails, UNINDEXED)
    server, _ = start(name, folder)
    try:
        run(load(server.port, mails // 10, mail(1), AT_ONCE, 0, False))  # warm
        cpu, at = server.cpu(), time.perf_counter()
        run(load(server.port, mails, mail(2), AT_ONCE, 0, False))
        took = time.perf_counter() - at
        return mails / took, (cpu_at_rest(server) - cpu) / mails * 1e6
    finally:
        server.close()


def cpu_at_rest(server: Server) -> float:
    """Return the server's CPU time once it does nothing more: work after the answers counts."""
    used = server.cpu()
    while True:
        time.sleep(0.3)
        before, used = used, server.cpu()
        if used - before < 0.02:
            return used


def ask(page: int, path: str) -> tuple[float, Any]:
    """Return the milliseconds of an answer, and its JSON."""
    at = time.perf_counter()
    with urllib.request.urlopen(f"http://{HOST}:{page}/api/v1/{path}") as answer:
        body = answer.read()
    return (time.perf_counter() - at) * 1e3, json.loads(body)


def stored(mails: int, folder: str) -> dict[str, float]:
    """Return the figures at so many mails in a file."""
    found: dict[str, float] = {}
    server, page = start("file", folder, max_bytes=0)
    file = f"{folder}/{server.port}.db"
    try:
        run(load(server.port, mails, mail(3), AT_ONCE, 0, False))
        cpu_at_rest(server)  # the index follows the mail
        found["list of 50"] = statistics.median(ask(page, "messages?limit=50")[0] for _ in range(20))
        found["search, nothing found"] = statistics.median(all_of_search(page, "xyzzy plugh") for _ in range(5))
        found["search, a part of a word"] = statistics.median(all_of_search(page, "rder quux") for _ in range(5))
    finally:
        server.close()
    shutil.copy(file, f"{folder}/again.db")
    found["start to first answer, empty"] = begin(f"{folder}/new.db", folder, 0)
    found["start to first answer"] = begin(f"{folder}/again.db", folder, mails)
    return found


def begin(file: str, folder: str, mails: int) -> float:
    """Return the milliseconds from the start of a host to the first answer of its inbox."""
    at = time.perf_counter()
    server, page = start("again", folder, path=file, max_bytes=0)
    try:
        total = ask(page, "messages?limit=1")[1]["total"]
        assert total == mails
        return (time.perf_counter() - at) * 1e3
    finally:
        server.close()


def all_of_search(page: int, words: str) -> float:
    """Return the milliseconds of a search to its end."""
    took, before = 0.0, ""
    while True:
        one, answer = ask(page, f"messages?search={words.replace(' ', '+')}{before}")
        took += one
        assert not answer["messages"]
        if answer["next"] is None:
            return took
        before = f"&before={answer['next']}"


def growth(folder: str) -> float:
    """Return the growth of the memory when the inbox is full, as a part of `inbox.max_bytes`."""
    server, _ = start("memory", folder, max_bytes=MAX_BYTES)
    try:
        before = server.rss()
        run(load(server.port, MAX_BYTES // SIZE, mail(4), AT_ONCE, 0, False))
        return (server.rss() - before) / MAX_BYTES
    finally:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=6000)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--only", help="servers, comma between them")
    parser.add_argument("--skip-stored", action="store_true")
    options = parser.parse_args()
    pin(1)
    names = [
        "log",
        "catch",
        "memory",
        "words",
        "file",
        *(name for name, program in PROGRAMS.items() if shutil.which(program)),
    ]
    if options.only:
        names = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(catch(name, options.mails, folder))
        medians = {name: [statistics.median(each) for each in zip(*rows, strict=True)] for name, rows in found.items()}
        print(f"{AT_ONCE} kept connections, mails of {SIZE} bytes, median of {options.rounds}\n")
        print("| server | mails a second | us of CPU a mail | beside log |\n|---|---|---|---|")
        for name, (rate, cpu) in medians.items():
            beside = f"{cpu / medians['log'][1]:.1f}" if "log" in medians else ""
            print(f"| {name} | {rate:,.0f} | {cpu:,.0f} | {beside} |")
        if not options.skip_stored:
            print(f"\n| with {options.stored:,} mails in the file | ms |\n|---|---|")
            for what, took in stored(options.stored, folder).items():
                print(f"| {what} | {took:,.1f} |")
            print(f"| memory grows by, of max_bytes | {growth(folder):.2f} |")


PROGRAMS = {"mailhog": "MailHog", "maildev": "maildev"}

if __name__ == "__main__":
    main()
