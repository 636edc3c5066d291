"""For each rule of a check, mails that break it and mails that do not."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

SIGNATURE: Final = "v=1; a=rsa-sha256; d=example.com; s=s1; h=From:To:Subject; bh=AAAA=; b=BBBB=="
HTML: Final = '<h1>Thank you, Ann</h1><p>See <a href="https://shop.example.com/o/1">your order</a>.</p>'
HEADERS: Final = {
    "Date": "Mon, 30 Nov 2026 10:00:00 +0100",
    "From": "Shop <shop@example.com>",
    "To": "Ann <ann@example.org>",
    "Subject": "Your order",
    "Message-ID": "<1@example.com>",
    "DKIM-Signature": SIGNATURE,
}
CLICK: Final = {
    "List-Unsubscribe": "<https://example.com/u/1>, <mailto:u@example.com>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def checked(text: str = "Thank you, Ann\n", html: str = HTML, **headers: str | None) -> bytes:
    """Return a mail without a fault, but for what is asked for. `headers`: with `_` for `-`; None leaves one out."""
    mail = EmailMessage(policy=SMTP)
    named: dict[str, Any] = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in named.items():
        if value is not None:
            mail[name] = value
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def body(html: str) -> bytes:
    return checked(html=html)


def raw(header: str, text: bytes = b"Hi\r\n") -> bytes:
    """Return a mail with headers and a text as they are given. It has no MIME headers of its own."""
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return head.encode() + header.encode("latin-1") + b"\r\n" + text


def bulk(**headers: str | None) -> bytes:
    signature = SIGNATURE.replace(" h=", " h=List-Unsubscribe:List-Unsubscribe-Post:")
    named = {"List_Id": "<news.example.com>", "DKIM_Signature": signature} | CLICK_ARGUMENTS
    return checked(**(named | headers))


CLICK_ARGUMENTS: Final[dict[str, str | None]] = {name.replace("-", "_"): value for name, value in CLICK.items()}


def signed(old: str, new: str) -> bytes:
    return checked(DKIM_Signature=SIGNATURE.replace(old, new))


MAILS: Final[dict[str, tuple[list[bytes], list[bytes]]]] = {
    "date-missing": ([checked(Date=None)], [checked()]),
    "date-invalid": (
        [raw("").replace(b"Mon, 30 Nov 2026", b"tomorrow")],
        [raw("").replace(b"Mon, 30 Nov 2026 10:00:00 +0100", b"30 Nov 26 10:00 GMT (a comment)")],
    ),
    "from-missing": ([checked(From=None)], [checked()]),
    "sender-missing": (
        [checked(From="a@example.com, b@example.com")],
        [checked(From="a@example.com, b@example.com", Sender="a@example.com"), checked()],
    ),
    "to-missing": ([checked(To=None)], [checked(To=None, Cc="b@example.com"), checked(To="undisclosed-recipients:;")]),
    "message-id-missing": ([checked(Message_ID=None)], [checked()]),
    "message-id-invalid": (
        [raw("").replace(b"<1@example.com>", each) for each in (b"1@example.com", b"<1>", b"<a b@c>", b"")],
        [raw("").replace(b"<1@example.com>", b"(by hand) <1@[127.0.0.1]>")],
    ),
    "subject-missing": ([checked(Subject=None), raw("").replace(b"Your order", b" ")], [checked()]),
    "header-double": (
        [raw("to: b@example.com\r\n"), raw("DATE: Mon, 30 Nov 2026 10:00:00 +0100\r\n"), raw("Subject: again\r\n")],
        [raw("Received: a\r\nReceived: b\r\nX-To: c\r\n"), checked(Cc="b@example.com")],
    ),
    "address-invalid": (
        [
            raw("Cc: Ann Example\r\n"),
            raw("Reply-To: root\r\n"),
            raw("Cc: a@b@c\r\n"),
            raw("").replace(b"Shop <shop@example.com>", b""),
        ],
        [raw('Cc: "Ann, B." <"a b"@example.com>, team: c@example.com;\r\n'), checked(To="undisclosed-recipients:;")],
    ),
    "header-8bit": ([raw("X-Name: Gr\xfc\xdfe\r\n")], [raw("X-Name: =?latin-1?q?Gr=FC=DFe?=\r\n")]),
    "header-utf8": (
        [raw("X-Name: Gr\xc3\xbc\xc3\x9fe\r\n")],
        [raw("X-Name: Gr\xfc\xdfe\r\n"), checked(Subject="Grüße")],
    ),
    "mime-version-missing": ([raw("Content-Type: text/plain\r\n")], [raw(""), checked()]),
    "line-long": (
        [raw("", b"x" * 999 + b"\r\n"), raw("", b"Hi\n" + b"x" * 999), raw(f"X-Long: {'y' * 2000}\r\n")],
        [raw("", b"x" * 998 + b"\r\n" + b"x" * 998 + b"\n" + b"x" * 998)],
    ),
    "encoding-8bit": (
        [raw("", b"\xc3\xbc"), raw("MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n", b"QUI=\xff")],
        [raw("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n", b"\xc3\xbc"), checked("Grüße\n")],
    ),
    "charset-missing": ([raw("", b"\xc3\xbc")], [raw(""), checked("Grüße\n")]),
    "part-malformed": (
        [raw("MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n")],
        [checked("Grüße\n", html="<p>ü")],
    ),
    "gmail-clip": ([body(HTML + "<p>x</p>" * 14_000)], [body(HTML + "<p>x</p>" * 12_000)]),
    "body-empty": ([checked(" \n", html="")], [checked(), checked(html="")]),
    "text-missing": (
        [raw("MIME-Version: 1.0\r\nContent-Type: text/html\r\n", b"<p>Hi")],
        [checked(), checked(html="")],
    ),
    "text-empty": ([checked(" \n")], [checked(), checked(" \n", html="")]),
    "tag-unclosed": (
        [body("<div><p>Hi</div></div>"), body("<table><tr><td><b>Hi</table>"), body("<a href=https://a.example/>x")],
        [
            body("<ul><li>a<li>b</ul><p>a<p>b<table><tr><td>x</table><br><img src=cid:a alt='' width=1></p></li>"),
            body("<!--[if mso]><table><tr><td><![endif]--><div>x</div><![if !mso]><b>x</b><![endif]>"),
            body("<style>a > b { content: '<b>' }</style><title><b></title>"),
        ],
    ),
    "image-alt": (
        [body('<img src="https://a.example/b.png" width=90>')],
        [body("<img src=cid:a width=90 alt=''><img src=cid:a width=90 ALT=\"A logo\"><!-- <img src=b> -->")],
    ),
    "image-size": (
        [body("<img src=cid:a alt='' style='max-width: 100%'>")],
        [body("<img src=cid:a alt='' width=90><img src=cid:a alt='' style='height:auto;width: 90px'>")],
    ),
    "css-position": (
        [body("<p style='position : absolute'>x</p>"), body("<style>p { POSITION:fixed }</style>")],
        [body("<p style='background-position: top' title='position: x'>the position: top</p>")],
    ),
    "html-video": ([body("<video src=https://a.example/b.mp4></video>")], [checked()]),
    "html-form": ([body("<form action=https://a.example/><input name=a></form>")], [checked()]),
    "html-script": (
        [
            body("<script>alert(1)</script>"),
            body("<p onclick='x()'>x</p>"),
            body("<a href='javascript:x()'>x</a>"),
            body('<a title="a"onfocus=x href="https://a.example/">x</a>'),
        ],
        [body('<script type="application/ld+json">{}</script><p title="on = off">x</p>')],
    ),
    "html-frame": ([body("<iframe src=https://a.example/></iframe>")], [checked()]),
    "tracking-pixel": (
        [
            body("<img src=https://a.example/o.gif width=1 height=1>"),
            body("<img src='//a.example/o.gif' style='width:1px; height:0'>"),
            body("<img src=https://a.example/o.gif alt='' style='display:none'>"),
        ],
        [body("<img src=https://a.example/o.gif alt='' width=1 height=200><img src=cid:a alt='' width=1 height=1>")],
    ),
    "merge-field": (
        [
            checked("Hello {{ name }},\n"),
            checked(Subject="Hi %FIRSTNAME%"),
            checked("*|FNAME|*\n"),
            checked("It costs ${price}\n"),
            checked("[object Object]\n"),
            body("<p>{% if x %}a{% endif %}</p>"),
            body("<a href='https://a.example/?q={{q}}'>x</a>"),
            body("<p>&#123;&#123; name }}</p>"),
            body("<img src='%LOGO%' alt='' width=90>"),
            checked(To="{{ name }} <ann@example.org>"),
        ],
        [
            checked("See https://a.example/%C3%A4%E2ABC%20x, {a} and 20% of 30%, 100 %OK.\n"),
            body(
                "<style>a{b{c{}}} {{ x }}</style><a href='https://a.example/%C3%A4BC%20'>20% { } %</a><!-- {{ x }} -->"
            ),
        ],
    ),
    "merge-value": (
        [
            checked("Hi undefined,\n"),
            checked("Dear None!\n"),
            checked("Hello {first_name},\n"),
            checked(Subject="Welcome null"),
            checked("Total: NaN\n"),
            checked("Total: €undefined\n"),
            checked("undefined undefined\n"),
            body("<p>undefined</p>"),
        ],
        [
            checked("The null hypothesis is undefined behaviour; none of it is NaN. Hi Nonette, hello nullity!\n"),
            checked('{"a": null, "b": undefined}\n'),
        ],
    ),
    "link-private": (
        [
            *(
                body(f"<a href='http://{host}/a'>x</a>")
                for host in ("localhost:3000", "127.0.0.1", "[::1]:80", "web:80")
            ),
            *(body(f"<a href='https://{host}'>x</a>") for host in ("10.1.2.3", "shop.test", "a.local", "0.0.0.0")),
            body("<img src='//localhost/a.png' alt='' width=90>"),
            checked("Go to http://localhost:3000/a.\n"),
        ],
        [checked("https://93.184.216.34/, https://a%2eexample/ and https://localhost.example.com/\n"), checked()],
    ),
    "link-relative": (
        [body("<a href='/reset'>x</a>"), body("<img src=logo.png alt='' width=90>")],
        [body("<a href='#top'>x</a><a name=top>y</a><a href='mailto:a@b.example'>z</a><a href='my-app:x'>z</a>")],
    ),
    "link-http": (
        [body("<a href='HTTP://a.example/'>x</a>"), checked("http://a.example\n")],
        [checked("https://a.example\n"), body("<img src='http://a.example/b.png' alt='' width=90>")],
    ),
    "link-shortener": (
        [body("<a href='https://bit.ly/x'>x</a>"), checked("https://www.t.co/x\n")],
        [body("<a href='https://orbit.ly.example/bit.ly'>x</a>")],
    ),
    "link-text": (
        [
            body("<a href='https://evil.example/'>https://bank.example/login</a>"),
            body("<a href='https://evil.example/'><b>www.bank</b>.example</a>"),
            body("<a href='https://a.co.uk/'>b.co.uk</a>"),
            body("<area href=https://a.example/><a href='//evil.example'>bank.com</a>"),
        ],
        [
            body("<a href='https://click.shop.example/?1'>www.shop.example</a>"),
            body("<a href='https://xn--bcher-kva.example/'>https://bücher.example/a</a>"),
            body("<a href='https://a.example/'>Node.js</a><a href='https://a.example/'>report.pdf</a>"),
            body("<a href='mailto:a@b.example'>www.c.example</a><a href='https://a.example'>read www.b.example</a>"),
        ],
    ),
    "unsubscribe-missing": (
        [
            checked(List_Id="<news.example.com>"),
            checked(Precedence="bulk"),
            body("<a href='https://a.example/u'>Unsubscribe</a>"),
            body("<a href='https://a.example/u'>vom Newsletter <b>abmelden</b></a>"),
        ],
        [checked(), bulk(), checked("How to unsubscribe from magazines\n")],
    ),
    "unsubscribe-invalid": (
        [checked(List_Unsubscribe="https://a.example/u"), checked(List_Unsubscribe="<unsubscribe>")],
        [bulk(), checked(List_Unsubscribe="<mailto:u@example.com>")],
    ),
    "one-click-missing": (
        [
            bulk(List_Unsubscribe_Post=None),
            bulk(List_Unsubscribe="<mailto:u@example.com>", List_Unsubscribe_Post=None),
        ],
        [bulk(), checked()],
    ),
    "one-click-invalid": (
        [
            bulk(List_Unsubscribe_Post="yes"),
            bulk(List_Unsubscribe="<http://a.example/u>"),
            bulk(List_Unsubscribe=None),
        ],
        [bulk(), bulk(List_Unsubscribe_Post="list-unsubscribe = one-click")],
    ),
    "one-click-unsigned": (
        [bulk(DKIM_Signature=SIGNATURE), bulk(DKIM_Signature=SIGNATURE.replace(" h=", " h=list-unsubscribe:"))],
        [bulk(), bulk(DKIM_Signature=None), checked()],
    ),
    "auto-submitted-missing": (
        [checked(From="no-reply@example.com"), checked(Precedence="junk"), checked(From="X <DoNotReply@example.com>")],
        [
            checked(From="noreply@example.com", Auto_Submitted="auto-generated"),
            bulk(From="noreply@example.com"),
            checked(From="reply@example.com"),
        ],
    ),
    "auto-submitted-invalid": (
        [checked(Auto_Submitted="yes")],
        [checked(Auto_Submitted="no"), checked(Auto_Submitted="auto-replied; owner-email=a@b.example (x)")],
    ),
    "precedence-invalid": ([checked(Precedence="urgent")], [bulk(Precedence="LIST")]),
    "dkim-missing": ([checked(DKIM_Signature=None)], [checked()]),
    "dkim-invalid": (
        [
            signed("d=example.com; ", ""),
            signed("v=1", "v=2"),
            signed("rsa-sha256", "md5"),
            signed("BBBB==", "!"),
            checked(DKIM_Signature="x"),
        ],
        [checked(), signed("rsa-sha256", "ed25519-sha256"), raw("").replace(b"b=BBBB==", b"b=BB\r\n BB==; t=1")],
    ),
    "dkim-weak": ([signed("rsa-sha256", "rsa-sha1")], [checked()]),
    "dkim-from": ([signed("From:", "X-From:")], [signed("From:To", "to : FROM")]),
    "dkim-unaligned": (
        [signed("d=example.com", "d=mailer.example"), checked(From="a@example.org")],
        [checked(From="a@news.example.com"), signed("d=example.com", "d=mail.example.com")],
    ),
}
"""By the rule's name: mails that break it, and mails that do not."""
