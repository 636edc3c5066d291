"""The forms of codes, and the numbers that have the same form: years, prices, telephones, postcodes, dates. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

SHAPE: Final = re.compile(
    r"""(?P<bound>@[\w.-]{1,100}\s\#)?
    (?<![\w@/\\.,:;=&%+'’-])(?:(?<=[@\w]\s\#)|(?<!\#))
    (?:G-\d{6}
      | \d(?:[ \xa0]\d){3,7}(?![ \xa0]?\d)
      | \d{3}(?:[ \xa0]\d{3}|[-–·]\d{3})(?![ \xa0–-]?\d)
      | \d{2}(?:[ \xa0]\d{2}){2,3}(?![ \xa0]?\d)
      | \d{4}[ \xa0·–-]\d{4}(?![ \xa0·–-]?\d)
      | \d{4,10}
      | [A-Z0-9]{3,6}(?:-[A-Z0-9]{3,6}){1,4}
      | (?=[A-Z]{0,9}\d)[A-Z0-9]{4,12}
      | [A-Z]{6,10}
      | (?=[a-z]{0,11}\d)(?=\d{0,11}[a-z])[a-z0-9]{5,12}
      | [a-z]{3,5}-[a-z]{3,5}-[a-z]{3,5}
      | (?=[A-Za-z]{0,11}\d)(?=[0-9a-z]{0,11}[A-Z])[A-Za-z0-9]{5,12}
    )(?![\w@%]|[-/:=@&'’]\w|[.,]\d)""",
    re.VERBOSE,
)
"""A text that may be a code."""

HIDDEN: Final = re.compile(
    r"""(?:https?://|www\.|mailto:)\S+ | [\w.+-]{1,64}@[\w-]+\.[\w.-]+(?!\s\#)
    | (?:\+|\(0\d|00\d)[\d ().\xa0/-]{7,20}\d
    | \b(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.]\d{1,2} | \b\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d\b
    | \#[0-9A-Fa-f]{3,8}\b(?<!\s\#) """,
    re.VERBOSE,
)
"""A text whose digits belong to something else: an address of the web or of a mail, a telephone, a date."""

_MONTHS: Final = re.compile(
    r"""(?:jan|feb|f[ée]v|m[aä]r|mrz|abr|apr|avr|ma[iy]|jun|jui|jul|aug|ao[uû]|ago|sep|set|o[ck]t|out|nov|de[czs]|gen|mag|giu|lug|ott|dic
    |янв|фев|мар|апр|мая|июн|июл|авг|сен|окт|ноя|дек|sty|lut|kwi|maj|cze|lip|sie|wrz|pa[źz]|lis|gru)\w{0,8}\.?,?\s(?:de\s)?(?:\d{1,2},?\s)?$""",
    re.IGNORECASE | re.VERBOSE,
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_MONEY_BEFORE: Final = re.compile(
    r"(?:[$€£¥₹₽₺₩₴₫]|(?<!\w)(?:usd|eur|gbp|chf|jpy|cny|rmb|inr|rub|try|pln|czk|sek|nok|dkk|huf|ron|brl|cad|aud|krw|rs|r|kr|zł|kč))\s?$",
    re.IGNORECASE,
)
_UNIT_AFTER: Final = re.compile(
    r"\s?(?:[$€£¥₹₽₺₩₴₫]|円|元|원|(?:usd|eur|gbp|chf|jpy|cny|rub|try|pln|czk|sek|nok|dkk|huf|ron|brl|zł|kč|kr|руб|грн|tl|ft|lei"
    r"|points?|punkte|puntos|punti|users?|people|items?|km|kg|kb|mb|gb|ml|px|pt|em|rpm|kwh|kcal|cal|steps|views|miles|m²|sq|followers"
    r"|personen|personas|persone|utilisateurs|members|mitglieder|customers|downloads|words|hours|minutes|mins?|secs?|seconds|days|sekunden|minuten|stunden|tage|secondes|heures|jours|segundos|minutos|horas|secondi|minuti|pages|stars|ポイント|点|名|人|位|명|점)(?!\w))",
    re.IGNORECASE,
)
_REFERENCE_BEFORE: Final = re.compile(
    r"(?:\#|№|n°|nº|(?<!\w)(?:no|nr|nro|num|rif|réf|ref|ext|box|suite|str|p\.?o))[.:]?\s?$", re.IGNORECASE
)
_CITY_AFTER: Final = re.compile(r"[ ,]\s?[A-ZÄÖÜÉÈÀÅØČŠŽ][a-zà-öø-ÿčšž]{2,}(?:[\s,.-]|$)")
_STATE_BEFORE: Final = re.compile(r"(?:,\s?[A-Z]{2}\s|(?<!\w)(?:[A-Z]{1,2}-)|〒)$")
_BRITISH: Final = re.compile(r"[A-Z]{1,2}\d[A-Z\d]?")
_BRITISH_REST: Final = re.compile(r"\s\d[A-Z]{2}(?!\w)")
_CARD_BEFORE: Final = re.compile(r"[*•xX·]{2,}[\s-]?$|(?:ending|ends)\s(?:in|with)\s$")
_THOUSANDS_AFTER: Final = re.compile(r"[ ,.]\d{3}(?!\d)")
_RANGE_AFTER: Final = re.compile(r"\s?[-–]\s?(?:19|20)?\d\d(?!\d)")


def value_of(written: str) -> str:
    """Return a code as a person enters it: digits without separators, and in ASCII; other codes as written."""
    text = written.rpartition("#")[2] if written.startswith("@") else written
    digits = re.sub(r"[\s·–-]", "", text)
    if digits.isdecimal():
        return "".join(str(unicodedata.decimal(digit)) for digit in digits)
    return text


def excluded(value: str, written: str, before: str, after: str, *, is_certain: bool) -> str:
    """Return what else a candidate is, empty for nothing else.

    `before`, `after`: the rest of its line. `is_certain`: its surroundings leave little doubt, so that a code may have
    the form of a year, a date or a postcode.
    """
    if before.rstrip().endswith(("©", "(c)", "(C)")):
        return "a year"
    if _MONEY_BEFORE.search(before[-8:]) or _UNIT_AFTER.match(after):
        return "a price or a quantity"
    if _CARD_BEFORE.search(before[-14:]) and not after.startswith("*"):
        return "the end of a card number"
    if _REFERENCE_BEFORE.search(before[-8:]) and not written.startswith("@"):
        return "a reference number"
    if _THOUSANDS_AFTER.match(after) and value.isdecimal() and len(value) <= 3:
        return "a quantity"
    if is_certain:
        return ""
    if _YEAR.fullmatch(value):
        return "a year"
    if _MONTHS.search(before[-24:]) or _RANGE_AFTER.match(after):
        return "a date"
    if len(value) == 8 and value.isdecimal() and _is_date(value):
        return "a date"
    if value.isdecimal() and len(value) in (4, 5) and (_CITY_AFTER.match(after) or _STATE_BEFORE.search(before[-5:])):
        return "a postcode"
    if _BRITISH.fullmatch(value) and _BRITISH_REST.match(after):
        return "a postcode"
    return ""


def _is_date(digits: str) -> bool:
    for year, month, day in ((digits[:4], digits[4:6], digits[6:]), (digits[4:], digits[2:4], digits[:2])):
        try:
            if 1900 <= date(int(year), int(month), int(day)).year < 2100:
                return True
        except ValueError:
            continue
    return False
