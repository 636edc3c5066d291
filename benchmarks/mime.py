"""The MIME parser alone: milliseconds a megabyte for each kind of mail, of this tree or of two trees side by side.

    python benchmarks/mime.py [--against DIR] [--rounds 40] [--only text,html,attachment,headers,small]

`--against`: another checkout of rrpy. Each tree has a process of its own; they take turns, round after round, so that a
loaded machine slows both. A round takes at least 50 ms of CPU, and both trees keep the memory that they free: else the
page faults of large texts are most of the time, and differ from run to run. Reported: the best round of each tree, and
the ratio of the two.
"""

from __future__ import annotations

import argparse
import base64
import os
import quopri
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MEGABYTE = 1 << 20
KEPT = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}  # of glibc; else without effect

# Parse the mails of a kind for 50 ms of CPU, and print the seconds of CPU for a megabyte.
PROCESS = """
import sys, time
sys.path.insert(0, sys.argv[1])
import gc
gc.disable()
from pathlib import Path
from rrpy.mime.message import parse
kinds = {}
for path in sorted(Path(sys.argv[2]).iterdir()):
    kinds.setdefault(path.name.partition("-")[0], []).append(path.read_bytes())
for line in sys.stdin:
    mails = kinds[line.strip()]
    times = 0
    began = time.process_time()
    while (taken := time.process_time() - began) < 0.05:
        for mail in mails:
            parse(mail)
        times += 1
    print(taken / (times * sum(map(len, mails))) * (1 << 20), flush=True)
"""

WORDS = "the message of a sender, as people write it: Grüße aus Köln und eine Zeile mit Umlauten, often without one"
HEADERS = (
    b"Return-Path: <sender@example.com>\r\nReceived: from client.example.com (client.example.com [192.0.2.1])\r\n"
    b"\tby mx.example.net (Postfix) with ESMTPS id 4ABCDEFGHI\r\n\tfor <user@example.net>; Tue, 1 Jan 2030 12:00:00"
    b" +0000 (UTC)\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\r\n"
    b"\th=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=" + b"QUJD" * 60 + b"\r\n"
    b"Date: Tue, 1 Jan 2030 12:00:00 +0000\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <sender@example.com>\r\n"
    b"To: User <user@example.net>, Other <other@example.net>\r\nMessage-ID: <1@example.com>\r\n"
    b"Subject: =?UTF-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?= and more\r\nMIME-Version: 1.0\r\n"
)


def words(choice: random.Random, size: int) -> bytes:
    lines = []
    while size > 0:
        lines.append(" ".join(choice.choices(WORDS.split(), k=11)))
        size -= len(lines[-1])
    return "\r\n".join(lines).encode()


def multipart(*parts: bytes) -> bytes:
    body = b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts)
    return HEADERS + b"Content-Type: multipart/mixed; boundary=edge\r\n\r\n" + body + b"--edge--\r\n"


def mails() -> dict[str, list[bytes]]:
    """Return mails by kind."""
    choice = random.Random(1)
    text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    html = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    file = (
        b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    coded = base64.encodebytes(choice.randbytes(MEGABYTE)).replace(b"\n", b"\r\n")
    page = quopri.encodestring(b"<p>" + words(choice, 60_000).replace(b"\r", b"")).replace(b"\n", b"\r\n")
    corpus = [path.read_bytes() for path in sorted((ROOT / "tests/conformance/mails").glob("*.eml"))]
    return {
        "small": [HEADERS + text + words(choice, 900), multipart(text + words(choice, 300), html + page[:900])],
        "corpus": [mail for mail in corpus if len(mail) < 64 * 1024],
        "headers": [HEADERS * 8 + b"\r\nx"],
        "text": [HEADERS + text + words(choice, MEGABYTE)],
        "ascii": [HEADERS + text + words(choice, MEGABYTE).decode().encode("ascii", "replace")],
        "html": [HEADERS + html + page],
        "attachment": [multipart(text + words(choice, 900), file + coded)],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--against", type=Path, metavar="DIR")
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument("--only", default="")
    options = arguments.parse_args()
    kinds = {kind: of for kind, of in mails().items() if not options.only or kind in options.only.split(",")}
    trees = [ROOT, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "mails")
        samples.mkdir()
        for kind, of in kinds.items():
            for number, mail in enumerate(of):
                (samples / f"{kind}-{number}.eml").write_bytes(mail)
        processes = []
        for number, tree in enumerate(trees):
            place = Path(folder, str(number))
            place.mkdir()
            (place / "rrpy").symlink_to(tree)
            command = [sys.executable, "-c", PROCESS, str(place), str(samples)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            processes.append(subprocess.Popen(command, **pipes, text=True, env=os.environ | KEPT))
        for kind in kinds:
            rounds: list[list[float]] = [[] for _ in trees]
            for _ in range(options.rounds):
                for process, times in zip(processes, rounds, strict=True):
                    assert process.stdin and process.stdout
                    process.stdin.write(kind + "\n")
                    process.stdin.flush()
                    times.append(float(process.stdout.readline()) * 1000)
            best = [min(times) for times in rounds]
            ratio = f"  {best[0] / best[1]:.3f} of the other tree's" if len(best) > 1 else ""
            print(f"{kind:12}" + "".join(f"{each:9.3f} ms/MB" for each in best) + ratio, flush=True)
        for process in processes:
            process.communicate()


if __name__ == "__main__":
    main()
