"""The rules of a check, as a table: severity, source, what is wrong, and the remedy. docs/reference/check.md has them.

`error`: a standard forbids it, or the reader sees that it is wrong. `warning`: a large provider or a common program
treats the mail worse. `hint`: correct, but worth a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Severity = Literal["error", "warning", "hint"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "hint")
"""Every severity, the most severe first."""


class Rule(NamedTuple):
    """One rule. `source`: an RFC section, a standard, or a provider's rule. `text`, `remedy`: one sentence each."""

    severity: Severity
    source: str
    text: str
    remedy: str


RULES: Final[Mapping[str, Rule]] = {
    # The header block.
    "date-missing": Rule(
        "error", "RFC 5322 section 3.6.1", "The mail has no Date.", "Add the header Date with the time of writing."
    ),
    "date-invalid": Rule(
        "error",
        "RFC 5322 section 3.3",
        "The Date is not a date.",
        "Write it as in: Mon, 30 Nov 2026 10:00:00 +0100.",
    ),
    "from-missing": Rule(
        "error", "RFC 5322 section 3.6.2", "The mail has no From.", "Add the header From with the author's address."
    ),
    "sender-missing": Rule(
        "error",
        "RFC 5322 section 3.6.2",
        "From has several addresses, and the mail has no Sender.",
        "Keep one address in From, or name the one that sends in Sender.",
    ),
    "to-missing": Rule(
        "warning",
        "SpamAssassin MISSING_HEADERS",
        "The mail names no recipient: it has neither To nor Cc.",
        "Name the recipient in To; for a hidden list write To: undisclosed-recipients:;.",
    ),
    "message-id-missing": Rule(
        "warning",
        "RFC 5322 section 3.6.4; Gmail",
        "The mail has no Message-ID.",
        "Add a Message-ID that no other mail has, or know that your mail server adds one.",
    ),
    "message-id-invalid": Rule(
        "warning",
        "RFC 5322 section 3.6.4",
        "The Message-ID is not of the form <left@right>.",
        "Write one such as <20261130.1@example.com>.",
    ),
    "subject-missing": Rule(
        "warning", "SpamAssassin MISSING_SUBJECT", "The mail has no Subject, or an empty one.", "Add a Subject."
    ),
    "header-double": Rule(
        "error",
        "RFC 5322 section 3.6; Gmail",
        "A header that may occur once is there several times.",
        "Set the header in place of adding another one.",
    ),
    "address-invalid": Rule(
        "error",
        "RFC 5322 section 3.4",
        "A header has a text where an address belongs.",
        "Write Name <local@domain>, and quote a name with a comma.",
    ),
    "header-8bit": Rule(
        "error",
        "RFC 2047 section 5",
        "A header has bytes above 127 that are not UTF-8.",
        "Encode the text, as =?utf-8?q?Gr=C3=BC=C3=9Fe?=.",
    ),
    "header-utf8": Rule(
        "warning",
        "RFC 6532 section 3",
        "A header has plain UTF-8, which only servers with SMTPUTF8 take.",
        "Encode the text, as =?utf-8?q?Gr=C3=BC=C3=9Fe?=.",
    ),
    "mime-version-missing": Rule(
        "warning",
        "RFC 2045 section 4",
        "The mail has MIME headers and no MIME-Version.",
        "Add the header MIME-Version: 1.0.",
    ),
    # The bytes and the parts.
    "line-long": Rule(
        "error",
        "RFC 5322 section 2.1.1",
        "A line has more than 998 bytes: servers cut or refuse it.",
        "Encode the part as quoted-printable or base64, and fold long headers.",
    ),
    "encoding-8bit": Rule(
        "error",
        "RFC 2045 section 6.2",
        "A part has bytes above 127, and its Content-Transfer-Encoding says that it has none.",
        "Encode the part as quoted-printable or base64, or declare 8bit.",
    ),
    "charset-missing": Rule(
        "warning",
        "RFC 2046 section 4.1.2",
        "A text part has characters outside ASCII and no charset.",
        "Add the charset to its Content-Type: text/plain; charset=utf-8.",
    ),
    "part-malformed": Rule(
        "warning",
        "RFC 2045, RFC 2046",
        "The structure or the encoding of the mail is broken.",
        "Let a library for mail build the message.",
    ),
    "gmail-clip": Rule(
        "warning",
        "Gmail",
        "The HTML has more than 102 KB: Gmail hides the rest.",
        "Shorten the HTML, its styles and its comments.",
    ),
    "body-empty": Rule(
        "warning",
        "SpamAssassin EMPTY_MESSAGE",
        "The mail has neither a text nor an attachment.",
        "Look whether the template has produced its text.",
    ),
    "text-missing": Rule(
        "warning",
        "SpamAssassin MIME_HTML_ONLY",
        "The mail has HTML and no text part.",
        "Send multipart/alternative, with text/plain before text/html.",
    ),
    "text-empty": Rule(
        "warning",
        "RFC 2046 section 5.1.4",
        "The text part beside the HTML is empty.",
        "Write the content of the mail into the text part too.",
    ),
    # The HTML.
    "tag-unclosed": Rule(
        "warning",
        "HTML Standard section 13.1.2",
        "A tag has no end tag, or an end tag has no beginning.",
        "Close each element where it ends; programs repair it in different ways.",
    ),
    "image-alt": Rule(
        "warning",
        "WCAG 2.2 section 1.1.1",
        "An image has no alternative text.",
        'Add alt="..."; for decoration alt="".',
    ),
    "image-size": Rule(
        "hint",
        "Outlook for Windows",
        "An image has no width: the layout moves while images load, or when they are blocked.",
        "Add the attribute width, in pixels.",
    ),
    "css-position": Rule(
        "warning",
        "Gmail, Outlook",
        "A style uses position, which these programs remove.",
        "Place the content by tables or by margins.",
    ),
    "html-video": Rule(
        "warning",
        "Gmail, Outlook",
        "The HTML has video or sound, which these programs do not play.",
        "Show a picture that links to a page.",
    ),
    "html-form": Rule(
        "warning",
        "Gmail, Outlook",
        "The HTML has a form, which these programs disable.",
        "Link to a page with the form.",
    ),
    "html-script": Rule(
        "error",
        "Gmail, Outlook",
        "The HTML has a script: no program runs it, and filters refuse it.",
        "Remove scripts, event attributes and javascript: links.",
    ),
    "html-frame": Rule(
        "warning",
        "Gmail, Outlook",
        "The HTML has a frame or a plugin, which these programs remove.",
        "Put the content into the mail, or link to it.",
    ),
    "tracking-pixel": Rule(
        "hint",
        "Apple Mail Privacy Protection",
        "The HTML has an invisible image that tells when the mail is read.",
        "Ask for consent where the law asks for it; the numbers are wrong for many readers.",
    ),
    # The words and the links.
    "merge-field": Rule(
        "error",
        "template",
        "A placeholder of a template is left.",
        "Give the template a value for it, or look whether the template ran.",
    ),
    "merge-value": Rule(
        "warning",
        "template",
        "A text looks like a value that was not there when the template ran.",
        "Give the template the value, or a text for its absence.",
    ),
    "link-private": Rule(
        "warning",
        "RFC 6761 section 6, RFC 1918 section 3",
        "A link or an image is on a host that readers cannot reach.",
        "Set the public address of the application where it sends mail.",
    ),
    "link-relative": Rule(
        "error",
        "RFC 3986 section 4.2",
        "A link or an image has no host: in a mail it leads nowhere.",
        "Write whole URLs, with https:// and the host.",
    ),
    "link-http": Rule(
        "warning",
        "RFC 9110 section 4.2.1",
        "A link uses http: others can read and change what it shows.",
        "Link to https.",
    ),
    "link-shortener": Rule(
        "warning",
        "Spamhaus DBL",
        "A link goes through a public shortener, which many filters block.",
        "Link to your own host.",
    ),
    "link-text": Rule(
        "warning",
        "SpamAssassin, Thunderbird",
        "The text of a link names another host than its target, as in phishing.",
        "Let the text say what the link does, or name the host of its target.",
    ),
    # Mail to many, automatic mail, signatures.
    "unsubscribe-missing": Rule(
        "warning",
        "RFC 2369 section 3.2; Gmail, Yahoo",
        "The mail is for many readers, and has no List-Unsubscribe.",
        "Add List-Unsubscribe with an https URL, and List-Unsubscribe-Post.",
    ),
    "unsubscribe-invalid": Rule(
        "error",
        "RFC 2369 section 2",
        "List-Unsubscribe has no URL in angle brackets.",
        "Write it as in: <https://example.com/u/1>, <mailto:u@example.com>.",
    ),
    "one-click-missing": Rule(
        "warning",
        "RFC 8058 section 3.1; Gmail, Yahoo",
        "The mail cannot be unsubscribed with one click.",
        "Add an https URL to List-Unsubscribe, and List-Unsubscribe-Post: List-Unsubscribe=One-Click.",
    ),
    "one-click-invalid": Rule(
        "error",
        "RFC 8058 section 3.1",
        "List-Unsubscribe-Post has another value, or no https URL beside it.",
        "Write List-Unsubscribe-Post: List-Unsubscribe=One-Click, with an https URL in List-Unsubscribe.",
    ),
    "one-click-unsigned": Rule(
        "warning",
        "RFC 8058 section 4; Gmail, Yahoo",
        "No DKIM-Signature covers the headers for unsubscribing with one click.",
        "Add List-Unsubscribe and List-Unsubscribe-Post to the tag h of the signature.",
    ),
    "auto-submitted-missing": Rule(
        "hint",
        "RFC 3834 section 5",
        "The mail looks automatic, and does not say so: other programs may answer it.",
        "Add the header Auto-Submitted: auto-generated.",
    ),
    "auto-submitted-invalid": Rule(
        "warning",
        "RFC 3834 section 5",
        "Auto-Submitted has a value that programs do not know.",
        "Write auto-generated, auto-replied or no.",
    ),
    "precedence-invalid": Rule(
        "hint",
        "RFC 2076 section 3.9",
        "Precedence has a value that programs do not know.",
        "Write bulk or list; better add Auto-Submitted.",
    ),
    "dkim-missing": Rule(
        "hint",
        "RFC 6376; Gmail, Yahoo",
        "The mail has no DKIM signature. Your outgoing server may add it later.",
        "Look whether that server signs for the domain of From.",
    ),
    "dkim-invalid": Rule(
        "error",
        "RFC 6376 section 3.5",
        "A DKIM-Signature lacks a tag that it must have, or has a wrong one.",
        "Let the outgoing server sign the mail anew.",
    ),
    "dkim-weak": Rule(
        "warning",
        "RFC 8301 section 3.1",
        "A DKIM-Signature uses rsa-sha1, which verifiers do not accept.",
        "Sign with rsa-sha256 or ed25519-sha256.",
    ),
    "dkim-from": Rule(
        "error",
        "RFC 6376 section 5.4",
        "A DKIM-Signature does not cover From.",
        "Add From to the tag h of the signature.",
    ),
    "dkim-unaligned": Rule(
        "warning",
        "RFC 7489 section 3.1.1",
        "No DKIM-Signature is of the domain of From, so DMARC does not count any.",
        "Sign with the domain of From, or one above it.",
    ),
}
"""Every rule, by the name that a finding has."""
