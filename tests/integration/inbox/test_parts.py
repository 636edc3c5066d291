"""The parts of a message in an inbox: previews of attachments, all of them as one file, and the scheme of the HTML."""

from __future__ import annotations

import smtplib
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from support.inbox.host import inbox, mail, send
from support.inbox.showcase import picture

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def test_a_preview_is_no_document_and_the_archive_has_all(tmp_path: Path) -> None:
    message = mail("Ünder / review", html="<p>Look: <img src='cid:logo'></p>")
    message.get_payload()[1].add_related(picture((1, 2, 3), 8), "image", "png", cid="<logo>", filename="../logo.png")
    files = [
        (picture((4, 5, 6), 8), "text", "html", "../logo.png"),
        (b"%PDF-1.7\n", "application", "octet-stream", "a.pdf"),
        (SVG, "image", "svg+xml", "x.svg"),
        (b"<script>alert(1)</script>", "text", "html", "x.html"),
        (b"PK\x03\x04\x00", "application", "zip", "x.zip"),
    ]
    for content, main, sub, name in files:
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    with inbox(tmp_path) as (host, client):
        send(host, message)
        whole = client.get("messages/latest").json()
        assert [each["related"] for each in whole["attachments"]] == [True, *[False] * 5]
        assert whole["summary"]["attachments"] == 5, "an embedded picture is no attachment"
        got = [client.get(f"messages/latest/attachments/{number}/preview") for number in range(1, 8)]
        kinds = ["image/png", "image/png", "application/pdf", *["text/plain; charset=utf-8"] * 2]
        assert [each.headers["Content-Type"] for each in got[:5]] == kinds
        for answer in got[:5]:
            assert answer.headers["Content-Security-Policy"] == ("sandbox; default-src 'none'; frame-ancestors 'self'")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert got[3].content == SVG
        assert [(each.status_code, each.json()["detail"]) for each in got[5:]] == [
            (404, "attachment 6 is neither a picture, a PDF nor a text"),
            (404, "there is no attachment 7 of message latest"),
        ]
        archive = client.get("messages/latest/attachments.zip")
        assert archive.headers["Content-Type"] == "application/zip"
        assert "filename*=UTF-8''%C3%9Cnder%20review.zip" in archive.headers["Content-Disposition"]
        with ZipFile(BytesIO(archive.content)) as packed:
            assert packed.namelist() == ["logo.png", "logo (2).png", "a.pdf", "x.svg", "x.html", "x.zip"]
            assert packed.read("x.zip") == b"PK\x03\x04\x00"
        assert 'content="dark"' in client.get("messages/latest/html?color_scheme=dark").text
        refused = client.get("messages/latest/html?color_scheme=sepia")
        assert (refused.status_code, refused.json()["detail"]) == (
            400, "color_scheme is 'sepia'; it is light or dark",
        )  # fmt: skip
        with smtplib.SMTP(*host.smtp) as smtp:
            smtp.sendmail("a@b.c", "x@y.z", "Subject: bare\n\nHi\n")
        bare = client.get("messages/latest/attachments.zip")
        assert (bare.status_code, bare.json()["detail"]) == (404, "the message has no attachments")
