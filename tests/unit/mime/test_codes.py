"""The code of a mail: the right one, or an error that lists the candidates."""

from __future__ import annotations

from collections import Counter

import pytest
from support.linear import repeated, superlinear
from support.mime.code_mails import code_mails

from rrpy.mime.extract.codes import CodeError, candidates_of, code_of
from rrpy.mime.extract.links import links_of
from rrpy.mime.matching import FilterError
from rrpy.mime.message import Message, parse

TUNED, HELD_OUT = code_mails("tuned.txt"), code_mails("held_out.txt")


def text(body: str, subject: str = "Hello") -> Message:
    return parse(f"Subject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{body}\n".encode())


def html(body: str, subject: str = "Hello") -> Message:
    return parse(f"Subject: {subject}\nContent-Type: text/html; charset=utf-8\n\n{body}\n".encode())


def found(content: bytes) -> str | None:
    try:
        return code_of(parse(content))
    except CodeError:
        return None


def test_of_200_mails_in_ten_languages_98_of_100_give_the_right_code_and_none_a_wrong_one() -> None:
    mails = [*TUNED, *HELD_OUT]
    assert len(mails) >= 200
    assert sum(count >= 5 for count in Counter(mail.language for mail in mails).values()) >= 10
    results = [(mail, found(mail.content)) for mail in mails]
    assert [(mail.name, code) for mail, code in results if code not in (None, mail.code)] == []
    right = sum(code == mail.code for mail, code in results)
    assert right >= 0.98 * len(mails)


def test_of_the_mails_that_the_rules_were_not_made_with_96_of_100_give_the_right_code() -> None:
    right = sum(found(mail.content) == mail.code for mail in HELD_OUT)
    assert right >= 0.96 * len(HELD_OUT)


@pytest.mark.parametrize(
    ("mail", "code"),
    [
        (text("Your PIN: 2019"), "2019"),
        (text("Your code: ١٢٣٤٥٦"), "123456"),
        (text("Ihr Code lautet\n\n  123-456  \n"), "123456"),
        (html('<p>Enter this</p><p class="otp">882211</p>'), "882211"),
        (html('<p>Sign in</p><input autocomplete="one-time-code" value="882211">'), "882211"),
        (html("<p>Your code</p><td>1</td><td>2</td><td>3</td><td>4</td>"), "1234"),
        (html("<p>Your co&#173;de is <b>12</b><b>34</b><b>56</b></p><style>p{color:#112233}</style>"), "123456"),
        (html("<p>Your code</p><!-- 111111 --><p>222222</p><script>var code = 333333</script>"), "222222"),
        (text("Welcome!\n\n482913\n", "Your login code"), "482913"),
        (text("Sort code 20-45-77\nYour code is 661204"), "661204"),
    ],
)
def test_the_surroundings_say_which_text_is_the_code(mail: Message, code: str) -> None:
    assert code_of(mail) == code


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("In 2019 a lot of people began with this and sent codes", "a year"),
        ("The code is worth $123456", "a price or a quantity"),
        ("Meet at 10115 Berlin, code of the door follows", "a postcode"),
        ("Order 123456 has no code", "'Order' is before it"),
        ("Use code SAVE20 and get 20% off", "a promotion"),
        ("code for card ending in 4242", "'ending' is before it"),
        ("Invoice\n123456\n", "'Invoice' is in the line before it"),
        ("a code was sent to ** 4242", "the end of a card number"),
        ("Enter the code on page 20481 of the manual", "'Enter the code' is before it"),
        ("Code review 123456 is ready", "'review' is before it"),
        ("Your verification code expires in 3600 seconds.", "a price or a quantity"),
        ("Your access code expires in 2027", "a year"),
        ("The codes of 10000 airports", "'The codes' is before it"),
        ("100000 codes were sent", "six digits, no word near it names a code"),
        ("Something 123456 here", "six digits, no word near it names a code"),
    ],
)
def test_what_has_the_form_of_a_code_only_has_its_reason(body: str, reason: str) -> None:
    mail = text(body)
    assert candidates_of(mail)[0].reason == reason
    with pytest.raises(CodeError, match="the mail has no code; candidates:"):
        code_of(mail)


@pytest.mark.parametrize(
    "body",
    [
        "<h1>2026</h1><p>Your code of conduct training</p>",
        "<p>Enter the code in the app.</p><h2>1600</h2><p>points earned</p>",
        "<p>Sign in with a passcode</p><p><b>1800</b></p><p>seconds left</p>",
        "<p>Code:</p><p>-</p><p>778812</p><p>is your customer number</p>",
        "<p>We noticed a code change</p><p>4821</p>",
        "<p>Code sent.</p><p>&copy; 2026</p>",
        "<p>Ticket</p><p>99123</p><p>Use your PIN at the door</p>",
        "<p>Your gift card code</p><p><b>GH77-PL22-QQ19</b></p>",
        "<p>Source code of commit</p><p><code>a1b2c3d</code></p>",
    ],
)
def test_a_number_that_stands_out_near_a_code_is_not_taken_for_one(body: str) -> None:
    with pytest.raises(CodeError):
        code_of(html(body))


def test_nothing_of_an_address_a_telephone_or_a_style_is_a_candidate() -> None:
    body = "https://x.example/code/123456 ann.123456@x.example +49 30 123456 2026-11-29 29.11.2026 #336699 code 12:34"
    assert candidates_of(text(body)) == []


def test_two_codes_are_an_error_that_lists_both_and_a_length_or_a_pattern_chooses() -> None:
    mail = text("Your login code is 481516.\nYour recovery code is 23420815.")
    with pytest.raises(CodeError) as caught:
        code_of(mail)
    assert [each.value for each in caught.value.candidates] == ["481516", "23420815"]
    assert str(caught.value).splitlines()[0] == "the mail has several texts that may be the code; candidates:"
    assert "481516 | 7 points: 'Your login code' is before it" in str(caught.value)
    assert code_of(mail, length=8) == "23420815"
    assert code_of(mail, pattern="48.*") == "481516"
    with pytest.raises(CodeError, match="no code of 5 characters"):
        code_of(mail, length=5)
    with pytest.raises(CodeError, match="no code that fits 48"):
        code_of(mail, pattern="48")
    with pytest.raises(FilterError, match="pattern is not a regular expression"):
        code_of(mail, pattern="(")
    with pytest.raises(FilterError, match="length is 0"):
        code_of(mail, length=0)


def test_a_mail_without_numbers_says_so() -> None:
    with pytest.raises(CodeError, match="the mail has no text of this form"):
        code_of(text("Hi"))


def test_hostile_mails_take_time_in_proportion_to_their_length() -> None:
    pieces = (
        *("<", "<a", "&", "&#0", "<!--", "</", "<style>", "<b", "http://", "https://a ", "@", ": ", "=", "(", "\u0301"),
        "123456 ", "code ", "1 ", "code 1", "A1-", "AB", "<b>1</b>", "<td>1", "@a #1", "code\n", "1\n", "aA1",
        "<a href=http://a.b/>", "<img width=1 src=http://a/>", "+1(", "1-", "1.1.", "mailto:", "<div class=otp>", "19",
        '<a href="x', "<http://a>, ", "2026-1-1 ",
    )  # fmt: skip

    def read(body: str) -> None:
        for mail in (text(body.replace("\ud800", "")), html(body)):
            candidates_of(mail)
            links_of(mail)

    assert superlinear(read, repeated(pieces)) == []
