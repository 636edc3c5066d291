"""Checks a mail: every rule of the table, without a network (docs/reference/check.md). Pure."""

from __future__ import annotations

from .bulk import check_bulk
from .content import check_content
from .dkim import check_dkim
from .findings import Finding, Findings
from .headers import check_headers
from .links import check_links
from .markup import Markup
from .source import Source
from .words import check_words


def check(raw: bytes) -> list[Finding]:
    """Return what is wrong with a mail, the most severe first; one finding for each rule. Raise nothing, for any bytes.

    Takes time in proportion to the mail. The first mebibyte of the text and of the HTML is read.
    """
    mail, found = Source(raw), Findings()
    check_headers(mail, found)
    check_content(mail, found)
    markup = Markup(mail.message.html_body, found)
    markup.read()
    check_words(mail, found)
    check_links(mail, markup, found)
    check_bulk(mail, markup, found)
    check_dkim(mail, found)
    return found.all()
