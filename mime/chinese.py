"""Big5 and GBK as WHATWG has them (encoding.spec.whatwg.org, index Big5 and the decoder of gb18030). Pure.

Python's codecs lack some characters, and the byte 0x80 and the bytes A3 E1 for the euro sign. `codecs` has error
handlers for this: one is called where a codec finds no character, and returns it. Python reads a few characters of
Big5 as others than WHATWG; they are exchanged in the text.

Limit: Big5 A241 and A242 stay full-width slashes, because A1FE and A240 are the same characters to Python.
"""

from __future__ import annotations

import codecs
from typing import Final

# A code, and the characters of it and of the codes that follow.
_BIG5: Final = """
877A 㡵𡵓𣚞𦀡㻬  87A1 𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄
87C0 𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮  87DF 鿋  8E69 箸  8E6F 簆  8E7E 糎  8EAB 緒
8EB4 縝  8ECD 者  8ED0 耨  8F57 菁  8F69 蒨  8F6E 萏  8FCB 覦覩  8FFE 起  906D 都  907A 銹  90DC 靜  90F1 響
91BF 鼖  9244 蔃  92AF 兙兛兝兞  92C8 鍮  92D1 瑹  9447 浧  94CA 禛  95D9 邗  9644 靝  96ED 瀞  96FC 嬨  9B76 爁
9B78 矗  9B7B 纇  9BC6 駖  9BDE 釔  9BEC 惞  9BF6 澶  9C42 輶  9C53 侻  9C62 營  9C68 鄄  9C6B 鷰  9C77 菏
9CBC 尐秣  9CD0 婧  9D57 輋  9D5A 筑  9DC4 拐  9EA9 恢  9EEF 痹  9EFD 汊  9F60 鬮  9F66 鼗  9FCB 僭  9FD8 弌
A063 蠏  A077 拎  A0D5 瑨  A0DF 煢  A0E4 牐  A3C0 ␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞  A3DF ␟␡€  C6CF 廴  C6D3 无
C6D5 癶  C6D7 隶  C6DE 〃仝  FA5F 倩  FA66 偽  FABD 包  FAC5 卄  FAD5 卿  FB48 嘅  FBB8 婷  FBF3 幵  FBF9 廐
FC4F 彘  FC6C 悤  FCB9 撐  FCE2 晴  FCF1 杞  FDB7 沜渝  FDBB 港  FDF1 煮  FE52 猪  FE6F 瑜  FEAA 瓩  FEDD 砉
"""


def _characters(table: str) -> dict[bytes, str]:
    words = table.split()
    return {
        (int(first, 16) + index).to_bytes(2, "big"): character
        for first, characters in zip(words[::2], words[1::2], strict=True)
        for index, character in enumerate(characters)
    }


_MISSING: Final = {"big5hkscs": _characters(_BIG5), "gb18030": {b"\x80": "\u20ac"}}

BIG5_OTHERS: Final = str.maketrans(
    "\u2022\uff64\u203e\u223c\u2641\u2609\xa5\xa2\xa3", "\u2027\ufe51\xaf\uff5e\u2295\u2299\uffe5\uffe0\uffe1"
)
"""Characters that Python's big5hkscs decodes -> those of WHATWG."""


def _registered(codec: str, errors: str) -> str:
    """Register an error handler that looks into the table of `codec` first. Return its name."""
    missing = _MISSING[codec]
    size = len(next(iter(missing)))
    otherwise = codecs.lookup_error(errors)

    def handle(error: UnicodeError) -> tuple[str | bytes, int]:
        assert isinstance(error, UnicodeDecodeError)
        found = missing.get(error.object[error.start : error.start + size])
        return (found, error.start + size) if found else otherwise(error)

    name = f"rrpy-{codec}-{errors}"
    codecs.register_error(name, handle)
    return name


ERRORS: Final = {(codec, errors): _registered(codec, errors) for codec in _MISSING for errors in ("strict", "replace")}
"""Codec and the name of an error handler -> the name of the handler to use in its place."""
