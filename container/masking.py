"""The mask over secrets: one rule for the configuration, the workers' commands, the log and the errors.

A value is secret by the name of its key (secret_names.py). A text may show secrets by its form:

    postgres://app:hunter2@db/app                    the password in a URL, or a token in place of the user
    app:hunter2@tcp(db:3306)/app                     the password in a DSN of Go's MySQL driver, or of Oracle's
    Server=db;Pwd=hunter2, user=app pass=hunter2     name and value: other DSNs, variables before a command
    https://example.com/?token=hunter2               the same in a URL
    php worker.php --token=hunter2 --pass hunter2    the options of a command
    curl -u app:hunter2, sshpass -p hunter2          the options of programs that take a password
    {"password": "hunter2"}, ['--pass', 'hunter2']   JSON, or the repr of a dict or a list
    password: hunter2                                a header, or YAML
    Authorization: Bearer hunter2                    the credentials in a header
    https://hooks.slack.com/services/T0/hunter2      the path of a webhook
    scrypt:16384:8:5:c2FsdA:aHVudGVyMg               the hash of a password

What can still fail: a text of another form, such as `hunter2` alone, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeGuard

from .secret_names import is_secret_name

MASK: Final = "***"

_SWITCHES: Final = frozenset(("true", "false", "yes", "no", "on", "off", "none", "null"))
"""Values that are shown below a secret name."""

_STATES: Final = frozenset(("denied", "empty", "expired", "failed", "invalid", "missing", "ok", "required", "wrong"))
"""Words after a secret name and a colon that are a message: `auth: failed`."""

_PROGRAMS: Final = frozenset(("curl", "mariadb", "mysql", "mysqladmin", "mysqldump", "sshpass"))
"""Programs with an option for a password whose name does not say so."""

_URL_SECRETS: Final = frozenset(("key", "sig", "signature"))
"""Names that are secret only as a parameter of a URL."""

_HEADER_NAME: Final = re.compile(r" :([\w.-]{1,64}+)(?![\w.-])")
"""A name before a colon and a blank, in a text read from its end: so the search begins with two known characters."""

# Patterns that begin with one character search in a fraction of the time of `in` with two.
_TWO_DASHES: Final = re.compile(r"-(?<=--)")
_NEAR_A_BLANK: Final = re.compile(r" (?:-|(?<=[:rc] ))")
"""A part of each text that `_has_secret_near_a_blank` looks for."""

_CLOSING: Final = "\"')]}>.,;"
"""What may follow a value in a sentence, in brackets or in quotes."""


def masked(value: Any, *, secret: bool = False) -> Any:
    """Return a copy of a tree of dicts and lists with the secrets replaced by `***`.

    Below a secret name every text and number is a secret; true, false and empty values stay as they are.
    """
    if isinstance(value, str):
        return (MASK if value else value) if secret else mask_text(value)
    if isinstance(value, dict):
        return {key: _masked_item(str(key), item, secret) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        after = [False, *map(_takes_a_secret, value)]
        items = [
            masked(item, secret=secret or (each and not _is_option(item)))
            for item, each in zip(value, after, strict=False)
        ]
        return _mask_arguments(items) if items and isinstance(items[0], str) else items
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
        or ("j" in text and "jdbc:" in text)
        or ("y" in text and "scrypt:" in text)
        or _TWO_DASHES.search(text) is not None
        or (_NEAR_A_BLANK.search(text) is not None and _has_secret_near_a_blank(text))
    )


def _has_secret_near_a_blank(text: str) -> bool:
    return (
        (": " in text and any(is_secret_name(name[::-1]) for name in _HEADER_NAME.findall(text[::-1])))
        or " -p" in text
        or " -u" in text
        or " -U" in text
        or "earer " in text
        or "asic " in text
    )


def mask_text(text: str) -> str:
    """Replace the secrets that a text shows by its form: `redis://user:pw@host` becomes `redis://user:***@host`.

    The time grows with the length of the text alone. Masking twice is masking once.
    """
    if may_hold_secret(text):
        text = _mask_quoted(text)
        for pattern, replace in _RULES:
            text = pattern.sub(replace, text)
    return text


def _masked_item(key: str, value: Any, secret: bool) -> Any:
    if isinstance(value, str) and not secret and key[-3:].lower() == "dsn":
        return mask_text(f"dsn={value}")[4:]
    return masked(value, secret=secret or is_secret_name(key))


def _mask_arguments(words: list[Any]) -> list[Any]:
    """Mask the passwords among the words of a command whose program is one of `_PROGRAMS`."""
    program = words[0].rpartition("/")[2]
    if program not in _PROGRAMS:
        return words
    shown = words[:1]
    for word in words[1:]:
        before = f"{program} {shown[-1]} "
        text = mask_text(f"{before}{word}")
        shown.append(text.removeprefix(before) if text.startswith(before) else word)
    return shown


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


def _mask_quoted(text: str) -> str:
    """Mask the values of `"name": value` whose name is secret, in JSON and in the repr of a dict."""
    if ":" not in text:
        return text
    parts = []
    position = 0
    for found in _QUOTED_NAME.finditer(text):
        if found.start() < position or not is_secret_name(found["name"]):
            continue
        value = _quoted_value(found["open"]).match(text, found.end())
        if value is None or value[0].lower() in _SWITCHES:
            continue
        parts += [text[position : found.end()], MASK]
        position = value.end()
    return "".join([*parts, text[position:]]) if parts else text


@lru_cache(maxsize=64)
def _quoted_value(quote: str | None) -> re.Pattern[str]:
    """Return the pattern of a value after a quote, or without one: a list, an object, or a word."""
    if quote is None:
        return re.compile(r"\[[^\]]{0,4096}\]?[^\s,}\]]*|\{[^}]{0,4096}\}?|[^\s,}\]]+")
    return re.compile(rf"""(?:[^"'\\]|\\[^"']|(?!{re.escape(quote)})\\?["']){{1,4096}}""")


def _mask_header(found: re.Match[str]) -> str:
    """Mask the value of `name: value` when the name is secret."""
    shown = found["value"].lower() in _SWITCHES | _STATES or not is_secret_name(found["name"])
    return found[0] if shown else f"{found['head']}{MASK}"


def _mask_option(found: re.Match[str]) -> str:
    return f"{found['head']}{MASK}" if _takes_a_secret(found["name"]) else found[0]


_QUOTED_NAME: Final = re.compile(
    r"""(?P<quote> \\{0,8} ["'] ) (?P<name> [\w.\- ]{1,64} ) (?P=quote) \s? : \s? (?P<open> \\{0,8} ["'] )?""",
    re.VERBOSE,
)

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
    _rule(
        r"""(?P<head> :// )
        (?: [\w-]{20,256} | (?: gh[a-z]_ | github_pat_ | gl[a-z]{2,6}- | xox[a-z]- ) [\w-]{1,256} ) (?=@)"""
    ),
    _rule(r"""(?P<head> dsn ["']? \s? [=:] \s? ["']? [a-z] [a-z0-9+.-]{0,31} :// ) [^\s/@:"']{1,256} (?=@)"""),
    _rule(r"(?P<head> \b scrypt: \d{1,9} : \d{1,9} : \d{1,9} : ) [\w:-]{1,1024}"),
    _rule(r"(?P<head> \b jdbc:oracle:\w{1,16}: [^\s/@:]{1,128} / ) [^\s@]{1,128} (?=@)"),
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
        r"""(?P<head> (?P<quote> ["'] ) (?P<name> --? [a-z] [\w-]{1,63} ) (?P=quote) , \s? ["'] ) [^"'\n]+""",
        _mask_option,
    ),
    _rule(
        r"""(?P<head> (?<![\w.-]) (?P<name> [\w.-]++ ) : [ ] ) (?P<value> "[^"\n]{1,1024}" | [^\s"',;{\[(]+ )
        (?= [ \t]* (?: \r?\n | $ | ["',;)}\]] ) )""",
        _mask_header,
    ),
    _rule(
        r"""(?P<head> \b curl \b [^\n|;]{0,128}? \s (?: -u | --user | --proxy-user ) [ =]? [^\s:]{1,128} : )
        [^\s"']+"""
    ),
    _rule(
        r"""(?P<head> (?: \b sshpass \s{1,8} -p \s?
            | \b (?: mysql (?: dump | admin )? | mariadb ) \b [^\n|;]{0,128}? \s (?-i: -p )
          ) ["']? )
        [^\s"']+"""
    ),
    _rule(r"(?P<head> (?<!\S) (?P<name> --? [a-z] [\w-]{1,63} ) \s{1,8} ) [^\s-] \S*", _mask_option),
    # A separator ends a value only where another name follows.
    _rule(
        r"""(?P<head> (?<![\w.-]) (?P<name> [\w.-]++ ) \s? = \s? )
        (?P<value> (?: "[^"]*" | '[^']*' )? [^\s;&,]* (?: [;&,] (?! \s? [\w.-]++ \s? = ) [^\s;&,]* )* )""",
        _mask_pair,
    ),
]
