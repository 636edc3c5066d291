"""The mask over secrets: one rule for the configuration, the workers' commands, the log and the errors.

A value is secret by the name of its key (secret_names.py). A text may show secrets by its form:

    postgres://app:hunter2@db/app                    the password in a URL, or a token in place of the user
    app:hunter2@tcp(db:3306)/app                     the password in a DSN of Go's MySQL driver, or of Oracle's
    Server=db;Pwd=hunter2, user=app pass=hunter2     name and value: other DSNs, variables before a command
    https://example.com/?token=hunter2               the same in a URL
    php worker.php --token=hunter2 --pass hunter2    the options of a command
    {"password": "hunter2"}                          JSON, or the repr of a dict
    Authorization: Bearer hunter2                    the credentials in a header
    https://hooks.slack.com/services/T0/hunter2      the path of a webhook

What can still fail: a text of another form, such as `hunter2` alone, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeGuard

from .secret_names import is_secret_name

MASK: Final = "***"

_SWITCHES: Final = frozenset(("true", "false", "yes", "no", "on", "off", "none", "null"))
"""Values that are shown below a secret name."""

_URL_SECRETS: Final = frozenset(("key", "sig", "signature"))
"""Names that are secret only as a parameter of a URL."""

_CLOSING: Final = "\"')]}>.,;"
"""What may follow a value in a sentence, in brackets or in quotes."""


def masked(value: Any, *, secret: bool = False) -> Any:
    """Return a copy of a tree of dicts and lists with the secrets replaced by `***`.

    Below a secret name every text and number is a secret; true, false and empty values stay as they are.
    """
    if isinstance(value, str):
        return (MASK if value else value) if secret else mask_text(value)
    if isinstance(value, dict):
        return {key: masked(item, secret=secret or is_secret_name(str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        after = [False, *map(_takes_a_secret, value)]
        return [
            masked(item, secret=secret or (each and not _is_option(item)))
            for item, each in zip(value, after, strict=False)
        ]
    if secret:
        return value if value is None or isinstance(value, bool) else MASK
    return value


def may_hold_secret(text: str, *, in_json: bool = False) -> bool:
    """Return whether `mask_text` may change a text, or one of the texts in JSON.

    It is quick, because the log asks for each line: single characters, which most lines do not have, come first.
    """
    return (
        "=" in text
        or ("/" in text and ("://" in text or "@/" in text))
        or ("(" in text and ("@(" in text or "@tcp" in text or "@u" in text))
        or ("'" in text and "':" in text)
        or ("\\" in text and '\\"' in text if in_json else '":' in text)
        or "--" in text
        or "earer " in text
        or "asic " in text
    )


def mask_text(text: str) -> str:
    """Replace the secrets that a text shows by its form: `redis://user:pw@host` becomes `redis://user:***@host`.

    The time grows with the length of the text alone. Masking twice is masking once.
    """
    if may_hold_secret(text):
        for pattern, replace in _RULES:
            text = pattern.sub(replace, text)
    return text


def _takes_a_secret(item: object) -> bool:
    """Return whether a word of a command is an option such as `--token`, whose value is the next word."""
    return _is_option(item) and "=" not in item and not item.startswith("--no-") and is_secret_name(item)


def _is_option(item: object) -> TypeGuard[str]:
    return isinstance(item, str) and item.startswith("-")


def _mask_pair(found: re.Match[str]) -> str:
    """Mask the value of `name=value` when the name is secret. Quotes and brackets that close around both stay."""
    name, value = found["name"], found["value"]
    in_url = found.string[max(0, found.start() - 1) : found.start()] in ("?", "&")
    if not is_secret_name(name) and not (in_url and name.lower() in _URL_SECRETS):
        return found[0]
    bare = value.rstrip(_CLOSING)
    if value[:1] in ("'", '"') and value[0] not in bare[1:]:  # the closing quote is the value's own
        bare = value[: max(len(bare), value.rindex(value[0]) + 1)]
    return f"{found['head']}{MASK}{value[len(bare) :]}" if bare and bare.lower() not in _SWITCHES else found[0]


def _mask_quoted(found: re.Match[str]) -> str:
    """Mask the value of `"name": "value"` when the name is secret."""
    hidden = is_secret_name(found["name"]) and found["value"].lower() not in _SWITCHES
    return f"{found['head']}{MASK}" if hidden else found[0]


def _mask_option(found: re.Match[str]) -> str:
    return f"{found['head']}{MASK}" if _takes_a_secret(found["name"]) else found[0]


_Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rule(pattern: str, replace: Callable[[re.Match[str]], str] | None = None) -> _Rule:
    """Compile a verbose pattern. Without `replace` the mask replaces a match after its group `head`."""
    return re.compile(pattern, re.VERBOSE | re.IGNORECASE), replace or rf"\g<head>{MASK}"


# Every repetition is bounded or begins at the begin of a word: no text takes more than linear time.
_RULES: Final[Sequence[_Rule]] = [
    _rule(r"(?P<head> -----BEGIN [ ] [A-Z ]{0,32} PRIVATE [ ] KEY----- ) [^-]*"),
    # The password of a URL may hold a slash that is not escaped. A port before a path with an @ is not a password.
    _rule(
        r"""(?P<head> \b [a-z] [a-z0-9+.-]{0,31} :// [^\s/?\#@:\[]{0,256} : )
        (?: [^\s/?\#]{0,1024}
          | (?! \d{1,5} (?: [/?\#,;\s] | $ ) ) [^\s"'<>@]{1,128}+ (?: @ [^\s/?\#@]* )*
        ) (?=@)"""
    ),
    _rule(r"(?P<head> :// ) [\w-]{20,256} (?=@)"),
    _rule(
        r"""(?P<head> (?<! [^\s"'=] ) [^\s:/@"'=]{1,128} : )
        [^\s@]{1,128}+ (?: @ [^\s@]{1,128}+ ){0,8}? (?= @ (?: (?: tcp6? | unix | udp )? \( | //? [\w.-] ) )"""
    ),
    _rule(
        r"""(?P<head> ://
          (?: hooks?\. [^\s/"'<>]{1,256} /
            | [^\s/"'<>]{1,256} (?: / [^\s/"'<>]{0,64} ){0,4}? /webhook\w{0,8}/
            | api\.telegram\.org/bot
          ) ) [^\s"'<>]+"""
    ),
    # Without the header's name, a digit or an equals sign tells credentials from prose: `Basic authentication`.
    _rule(
        r"""(?P<head>
            \b authorization \\{0,8} ["']? \s? [:=] \s? \\{0,8} ["']? (?: bearer | basic | digest | token ) [ ]{1,8}
          | \b (?: bearer | basic ) [ ]{1,8} (?= [a-z._~+/-]{0,1024} [0-9=] )
        ) [\w.~+/=-]{6,}"""
    ),
    _rule(r"""(?P<head> \b cookie: [ ]? ) [^\s=]{1,256} = [^\n"']*"""),
    _rule(
        r"""(?P<head>
            (?P<quote> \\{0,8} ["'] ) (?P<name> [\w.\- ]{1,64} ) (?P=quote) \s? : \s? (?P<open> \\{0,8} ["'] )?
        )
        (?P<value> (?(open)
            (?: [^"'\\] | \\ [^"'] | (?! (?P=open) ) \\? ["'] ){1,4096}
          | (?: \[ [^\]]{0,4096} \]? [^\s,}\]]* | [^\s,}\]]+ )
        ) )""",
        _mask_quoted,
    ),
    _rule(r"(?P<head> (?<!\S) (?P<name> --? [a-z] [\w-]{1,63} ) \s{1,8} ) [^\s-] \S*", _mask_option),
    # A separator ends a value only where another name follows.
    _rule(
        r"""(?P<head> (?<![\w.-]) (?P<name> [\w.-]++ ) \s? = \s? )
        (?P<value> (?: "[^"]*" | '[^']*' )? [^\s;&,]* (?: [;&,] (?! \s? [\w.-]++ \s? = ) [^\s;&,]* )* )""",
        _mask_pair,
    ),
]
