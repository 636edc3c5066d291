"""Decode the bytes of a mail (docs/reference/mime.md, 'Charsets'): a fixed table of charset names, and repairs. Pure.

Goal: valid Unicode for any bytes under any name, in linear time; every loss is a defect.

- A name from a mail never reaches `codecs.lookup`: that imports modules, keeps every name for ever, and knows codecs
  that are not charsets (punycode takes 20 s for a megabyte). `_NAMES` lists the accepted names, a codec a line.
- A superset decodes each charset: cp1252 decodes latin-1, gb18030 decodes gb2312, as in the Encoding Standard of WHATWG
  (encoding.spec.whatwg.org). japanese.py and chinese.py have what Python's codecs lack.
- Text in us-ascii, in no charset or in an unknown one is UTF-8. A charset that does not decode the bytes, strictly, is
  not believed: `_not_believed` lists what they are likely to be.
- More than `SLICE` bytes go through the codec's incremental decoder, so that no call holds the interpreter for long.

Limit: a wrong declaration that decodes stays unnoticed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Final

from .chinese import BIG5_OTHERS, ERRORS
from .defects import Defects
from .japanese import Cp50221, Cp51932

SLICE: Final = 256 * 1024
"""Most bytes for one call into C."""

_GUESS: Final = ""  # stands for a codec: UTF-8, else a likely one
_UTF_8: Final = "utf-8"
_JAPANESE: Final = ("cp51932", "cp932")  # what 8-bit bytes in place of ISO-2022-JP are

# Codec -> its names in mail, reduced to lower-case letters and digits. Each codec's own name is one of them.
_NAMES: Final = {
    _GUESS: "ascii usascii us 646 ansix341968 ansix341986 cp367 csascii ibm367 iso646irv1991 iso646us isoir6",
    "utf-8": "utf8 u8 utf cp65001 utf8ucs2 utf8ucs4 unicode11utf8 unicode20utf8 xunicode20utf8 utf8mb4 csutf8",
    "utf-8-sig": "utf8sig utf8bom",
    "utf-7": "u7 unicode11utf7 csutf7",
    "utf-16": "u16 unicode ucs2 iso10646ucs2 csunicode csutf16",
    "utf-16-be": "utf16be unicodebigunmarked unicodefffe csutf16be",
    "utf-16-le": "utf16le unicodelittleunmarked unicodefeff csutf16le",
    "utf-32": "u32 ucs4 iso10646ucs4 csucs4 csutf32",
    "utf-32-be": "utf32be csutf32be",
    "utf-32-le": "utf32le csutf32le",
    "cp1252": "1252 windows1252 xcp1252 xansi ansi 8859 cp819 csisolatin1 ibm819 iso8859 iso88591 iso885911987 isoir100"
    " l1 latin latin1",
    "cp1250": "1250 windows1250 xcp1250",
    "cp1251": "1251 windows1251 xcp1251",
    "cp1253": "1253 windows1253 xcp1253",
    "cp1254": "1254 windows1254 xcp1254 csisolatin5 iso88599 iso885991989 isoir148 l5 latin5",
    "cp1255": "1255 windows1255 xcp1255",
    "cp1256": "1256 windows1256 xcp1256",
    "cp1257": "1257 windows1257 xcp1257",
    "cp1258": "1258 windows1258 xcp1258",
    "cp874": "874 windows874 ibm874 iso885911 iso8859112001 thai tis620 tis6200 tis62025290 tis62025291 isoir166",
    "iso8859-2": "csisolatin2 iso88592 iso885921987 isoir101 l2 latin2",
    "iso8859-3": "csisolatin3 iso88593 iso885931988 isoir109 l3 latin3",
    "iso8859-4": "csisolatin4 iso88594 iso885941988 isoir110 l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso88595 iso885951988 isoir144",
    "iso8859-6": "arabic asmo708 csisolatinarabic ecma114 iso88596 iso885961987 isoir127 csiso88596e csiso88596i"
    " iso88596e iso88596i",
    "iso8859-7": "csisolatingreek ecma118 elot928 greek greek8 iso88597 iso885971987 isoir126 suneugreek",
    "iso8859-8": "csisolatinhebrew hebrew iso88598 iso885981988 isoir138 csiso88598e csiso88598i iso88598e iso88598i"
    " logical visual",
    "iso8859-10": "csisolatin6 iso885910 iso8859101992 isoir157 l6 latin6",
    "iso8859-13": "iso885913 l7 latin7",
    "iso8859-14": "iso885914 iso8859141998 isoceltic isoir199 l8 latin8",
    "iso8859-15": "iso885915 l9 latin9 latin0 csisolatin9",
    "iso8859-16": "iso885916 iso8859162001 isoir226 l10 latin10",
    "koi8-r": "koi8r cskoi8r koi koi8",
    "koi8-u": "koi8u koi8ru",
    "koi8-t": "koi8t",
    "kz1048": "rk1048 strk10482002",
    "ptcp154": "cp154 csptcp154 cyrillicasian pt154",
    "hp-roman8": "hproman8 cp1051 cshproman8 ibm1051 r8 roman8",
    "palmos": "",
    "mac-roman": "macroman macintosh mac csmacintosh xmacroman",
    "mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "mac-greek": "macgreek xmacgreek",
    "mac-iceland": "maciceland xmaciceland",
    "mac-latin2": "maclatin2 maccenteuro maccentraleurope xmacce xmaccentraleurroman",
    "mac-turkish": "macturkish xmacturkish",
    "mac-croatian": "maccroatian xmaccroatian",
    "mac-romanian": "macromanian xmacromanian",
    "mac-arabic": "macarabic xmacarabic",
    "mac-farsi": "macfarsi xmacfarsi",
    "cp037": "037 csibm037 ebcdiccpca ebcdiccpnl ebcdiccpus ebcdiccpwt ibm037 ibm039",
    "cp273": "273 csibm273 ibm273",
    "cp424": "424 csibm424 ebcdiccphe ibm424",
    "cp437": "437 cspc8codepage437 ibm437",
    "cp500": "500 csibm500 ebcdiccpbe ebcdiccpch ibm500",
    "cp720": "720 dos720",
    "cp737": "737 ibm737",
    "cp775": "775 cspc775baltic ibm775",
    "cp850": "850 cspc850multilingual ibm850",
    "cp852": "852 cspcp852 ibm852",
    "cp855": "855 csibm855 ibm855",
    "cp856": "856 ibm856",
    "cp857": "857 csibm857 ibm857",
    "cp858": "858 csibm858 ibm858 ibm00858 ccsid00858 cp00858",
    "cp860": "860 csibm860 ibm860",
    "cp861": "861 cpis csibm861 ibm861",
    "cp862": "862 cspc862latinhebrew ibm862 dos862",
    "cp863": "863 csibm863 ibm863",
    "cp864": "864 csibm864 ibm864",
    "cp865": "865 csibm865 ibm865",
    "cp866": "866 csibm866 ibm866",
    "cp869": "869 cpgr csibm869 ibm869",
    "cp875": "875 ibm875",
    "cp1006": "1006 ibm1006",
    "cp1026": "1026 csibm1026 ibm1026",
    "cp1125": "1125 cp866u ibm1125 ruscii",
    "cp1140": "1140 ibm1140 ibm01140 ccsid01140 cp01140",
    "gb18030": "gb180302000 gb180302022 gb2312 chinese csiso58gb231280 euccn eucgb2312cn gb23121980 gb231280 isoir58"
    " xmacsimpchinese xmacchinesesimp gbk 936 cp936 ms936 windows936 xgbk xeuccn csgbk csgb2312 csgb18030 gb",
    "hz": "hzgb hzgb2312",
    "big5hkscs": "big5 big5tw csbig5 xmactradchinese xmacchinesetrad hkscs cnbig5 xxbig5 xbig5 big5hkscs2004",
    "cp950": "950 ms950 windows950",
    "cp932": "932 ms932 mskanji csshiftjis shiftjis sjis xsjis xmacjapanese windows31j cswindows31j windows932 xmssjis",
    "shift-jis-2004": "shiftjis2004 sjis2004",
    "shift-jisx0213": "shiftjisx0213 sjisx0213",
    "cp51932": "eucjp ujis xeucjp xeuc eucjpms extendedunixcodepackedformatforjapanese cseucpkdfmtjapanese",
    "euc-jis-2004": "eucjis2004 jisx0213",
    "euc-jisx0213": "eucjisx0213",
    "cp50221": "iso2022jp csiso2022jp iso2022jp1 iso2022jpext jis cp50220 cp50222",
    "iso2022-jp-2": "iso2022jp2 csiso2022jp2",
    "iso2022-jp-3": "iso2022jp3",
    "iso2022-jp-2004": "iso2022jp2004",
    "cp949": "949 ms949 uhc windows949 euckr cseuckr korean ksc5601 ksc56011987 ksc56011989 ksc5601 csksc56011987"
    " ksx1001 isoir149 xmackorean xwindows949",
    "johab": "cp1361 ms1361 1361",
    "iso2022-kr": "iso2022kr csiso2022kr",
}

# The first bytes of these declare the byte order. Most senders without a mark mean little-endian.
_MARKS: Final = {
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (b"", "utf-16-le")),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (b"", "utf-32-le")),
}

_KEPT: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def _reduced(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter in _KEPT)


CODECS: Final[dict[str, str]] = {
    name: codec for codec, names in _NAMES.items() for name in (*names.split(), *([_reduced(codec)] if codec else []))
}
"""Reduced name of a charset -> Python's codec, or "" for us-ascii."""

_LONGEST: Final = 64  # no name is longer; a longer one is unknown

# The spellings in nearly all mail: a shortcut past the reduction letter by letter.
_COMMON: Final = {
    b"utf-8": "utf-8",
    b"UTF-8": "utf-8",
    b"us-ascii": _GUESS,
    b"US-ASCII": _GUESS,
    b"iso-8859-1": "cp1252",
    b"ISO-8859-1": "cp1252",
    b"windows-1252": "cp1252",
    b"": _GUESS,
}


OWN: Final[dict[str, type[Cp50221 | Cp51932]]] = {"cp50221": Cp50221, "cp51932": Cp51932}
"""Codec of the table -> our decoder, where Python has none."""

_OWN_SLICE: Final = 16 * 1024  # bytes for one call of a decoder of ours, which makes many small objects

# UTF-8 of more than one byte, whole (RFC 3629 section 4; the last bytes are not looked at closely).
_WHOLE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LONGEST_UTF_8: Final = 4

# WHATWG, "prescan a byte stream to determine its encoding": comments are skipped.
_META: Final = re.compile(
    rb"<!--.*?(?:-->|\Z)|<meta[\s/][^<>]*?\bcharset\s*+=\s*+[\"']?\s*+([\w.:+-]++)", re.IGNORECASE | re.DOTALL
)
_PRESCANNED: Final = 4096  # bytes; WHATWG says 1024, and mail programs write long comments before the charset


def codec_of(charset: bytes) -> str | None:
    """Return the codec of a charset as a mail declares it: "" for us-ascii and none, None for an unknown one."""
    codec = _COMMON.get(charset)
    if codec is None and len(charset) <= _LONGEST:
        codec = CODECS.get(_reduced(charset.decode("latin-1")))
    return codec


def says_more(charset: bytes) -> bool:
    """Return whether the charset of a text tells how to read raw headers that are not UTF-8."""
    codec = codec_of(charset) or _UTF_8
    return codec != "cp1252" and not codec.startswith("utf")


def html_charset(data: bytes | memoryview) -> bytes:
    """Return the charset that HTML declares in a `meta` element, b"" for none."""
    for found in _META.finditer(bytes(data[:_PRESCANNED])):
        if found[1]:
            # WHATWG: what could be read as ASCII until here is not UTF-16.
            return b"utf-8" if (codec_of(found[1]) or "").startswith(("utf-16", "utf-32")) else found[1]
    return b""


def attached_text(content: bytes, content_type: str, charset: bytes) -> str:
    """Return an attachment as text: in `charset`, or where it is b"" as HTML declares it; without a byte order mark."""
    if not charset and content_type == "text/html":
        charset = html_charset(content)
    return decode(content, charset, {}).removeprefix("\ufeff")


def decode(data: bytes | memoryview, charset: bytes, defects: Defects, other: bytes = b"") -> str:
    """Return the text of `data`. Raise nothing.

    `charset`: as the mail declares it, b"" without a declaration. `other`: the charset to try where there is none and
    the bytes are not UTF-8.
    """
    codec = codec_of(charset)
    if codec is None:
        defects["charset-unknown"] = None
        codec = _GUESS
    elif codec in _MARKS:
        mark, codec = next(each for each in _MARKS[codec] if data[: len(each[0])] == each[0])
        data = data[len(mark) :]
    try:
        text = _text(data, codec or _UTF_8, "strict")
    except UnicodeError as error:
        is_cut = isinstance(error, UnicodeDecodeError) and error.end == len(error.object)
        return _not_believed(bytes(data), codec, codec_of(other) or "", is_cut, defects)
    if "\x1b" in text and "\x1b$" in text and codec not in OWN:  # no other charset has these escapes
        japanese = _first_strict(bytes(data), ("cp50221",))
        if japanese is not None:
            defects["charset-wrong" if codec else "charset-guessed"] = None
            return japanese
    return text


def _not_believed(data: bytes, codec: str, other: str, is_cut: bool, defects: Defects) -> str:
    """Return the text of bytes that `codec` does not decode, in the charset that they are likely to have.

    `other`: the codec to try first, "" for none. `is_cut`: only the last character is wrong.
    """
    likely: list[str] = []
    if codec in (_GUESS, _UTF_8):
        is_utf_8 = _has_whole_character(data)
        if not codec and other and not (is_utf_8 and is_cut):
            likely += _JAPANESE if other == "cp50221" else [other]
        if not is_utf_8:
            likely.append("cp1252")
        last = _UTF_8 if is_utf_8 else "cp1252"
    else:
        if not data.isascii() or (codec.startswith(("utf-16", "utf-32")) and b"\0" not in data):
            likely.append(_UTF_8)
        if codec == "cp50221" and b"\x1b" not in data:
            likely += _JAPANESE
        last = codec
    text = _first_strict(data, likely)
    if likely and (text is not None or last == "cp1252"):
        defects["charset-wrong" if codec else "charset-guessed"] = None
    if text is not None:
        return text
    defects["charset-undecodable"] = None
    try:
        return _text(data, last, "replace")
    except UnicodeError:  # a run of escapes at the end of a slice, too long for an incremental decoder
        return str(data, last, "replace")


def _first_strict(data: bytes, likely: Iterable[str]) -> str | None:
    """Return the text of `data` in the first of the codecs that decodes all of it, None if none does."""
    for codec in likely:
        try:
            return _text(data, codec, "strict")
        except UnicodeError:
            continue
    return None


def _has_whole_character(data: bytes) -> bool:
    """Return whether a character of several bytes in UTF-8 is in `data`."""
    overlap = _LONGEST_UTF_8 - 1
    return any(_WHOLE.search(data, at, at + SLICE + overlap) for at in range(0, len(data), SLICE))


def _text(data: bytes | memoryview, codec: str, errors: str) -> str:
    if codec == _UTF_8:
        return str(data, codec, errors) if len(data) <= SLICE else _utf_8(data, errors)
    own = OWN.get(codec)
    errors = ERRORS.get((codec, errors), errors)
    if own is None and len(data) <= SLICE:
        return _exact(str(data, codec, errors), codec, errors)
    decoder = own(errors) if own else codecs.getincrementaldecoder(codec)(errors)
    size = _OWN_SLICE if own else SLICE
    text = ""  # a local name's `+=` grows the string in place: a list of pieces would hold everything twice
    for at in range(0, len(data), size):
        text += _exact(decoder.decode(data[at : at + size]), codec, errors)
    return text + _exact(decoder.decode(b"", final=True), codec, errors)


def _utf_8(data: bytes | memoryview, errors: str) -> str:
    """Return the text of long UTF-8, a slice after the other. The incremental decoder would copy each of them."""
    text = ""  # `+=` grows it in place, as in `_text`
    at = 0
    while at < len(data):
        piece, used = codecs.utf_8_decode(data[at : at + SLICE], errors, at + SLICE >= len(data))
        text += piece
        at += used
    return text


def _exact(text: str, codec: str, errors: str) -> str:
    """Return decoded text with what the codec gets wrong put right."""
    if codec == "big5hkscs":
        return text.translate(BIG5_OTHERS)
    if codec == "utf-7":
        # This codec alone lets half a surrogate pair through.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", errors)
    return text
