"""The guard: it lets requests of the page and of programs through, and refuses those of other web pages.

What we want: a web page that a developer visits can neither read nor delete the mail. The address is not a secret, and
the browser runs on this machine.
What we do:
- To a browser, a page whose own name resolves to 127.0.0.1 (DNS rebinding) has our origin. So the name in Host must be
  one that other pages cannot own: a number, localhost, or one that the configuration allows. `/livez` answers without
  it, and tells nothing.
- A page of another origin can send requests, though it cannot read the answers. Browsers mark them: `Sec-Fetch-Site` is
  neither `same-origin` nor `none` (a typed address), or `Origin` is not ours. Another port of localhost is another
  origin. A link to the page itself is the exception.
- A proxy may send another Host than it gets, and so `Origin` and `Referer` differ from it. `same-origin` decides then,
  which no page can forge. Without it, the name must be one that the configuration lists, and that Host is not: where
  Host is the listed name, the proxy has kept it, and a page at another port or beside it under a wildcard differs.
- Over plain HTTP, under a name or a number of the network, browsers send no `Sec-Fetch-Site`, and no `Origin` with a
  GET. The time of an answer alone would tell another page of the mail. So a request of a browser then needs a `Referer`
  of ours; HEADERS makes the browser send it for our own page. A browser names itself in `User-Agent`, which no page can
  change, and always sends `Accept-Language`.
- Programs send none of these headers, and pass. A program on a machine that reaches the address can read the mail.
What can still fail: a program that poses as a browser is refused; a browser without `Accept-Language` passes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders

from ...container.net.http import Application, Receive, Scope, Send
from ...container.protocols import Logger
from .problems import Problem

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of every response without one of its own."""

HEADERS: Final = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Cache-Control": "no-store",
}
"""The headers of every response. A header that the response has itself stays."""

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]/@]+)(?::[0-9]{1,5})?", re.ASCII)
LIVEZ: Final = "/livez"
"""The path of the answer for probes: it needs no Host."""
_SAME_ORIGIN: Final = "same-origin"
_OURS: Final = frozenset((_SAME_ORIGIN, "none"))
_BROWSERS: Final = ("Mozilla/", "AppleCoreMedia/")  # the second one loads videos for Safari


class Guard:
    """Passes requests on to an application.

    `allowed_hosts`: names of ours, in addition to localhost and numbers; `*.test` is every name that ends with `.test`.
    """

    def __init__(self, app: Application, allowed_hosts: Iterable[str], log: Logger) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed_hosts)
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or refuse it. Add HEADERS to its response; log and answer errors."""
        unsent: list[Exception] = []

        async def sending(message: Scope) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                message["headers"] = headers.raw
            try:
                await send(message)
            except Exception as error:  # the client's request was malformed, and its connection takes no answer
                unsent.append(error)
                raise

        try:
            self._check(scope)
            await self._app(scope, receive, sending)
        except Problem as problem:
            await problem.response()(scope, receive, sending)
        except Exception:
            if unsent:
                self._log.debug("answer not sent", method=scope["method"], path=scope["path"], error=str(unsent[0]))
                return
            self._log.exception("request failed", method=scope["method"], path=scope["path"])

    def _check(self, scope: Scope) -> None:
        """Raise Problem for a request of another web page, or for another host."""
        if scope["path"] == LIVEZ:
            return
        headers = Headers(raw=scope["headers"])
        hosts = headers.getlist("host")
        host = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            raise Problem(400, "the request has no Host header that names one host")
        if not self._is_ours(host[1]):
            raise Problem(
                403, f"the host name {host[1]} is not known here; if it is yours, add it to inbox.allowed_hosts"
            )
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        if origin is not None and not self._is_own_origin(origin, hosts[0], site):
            hint = "for a proxy of yours, let it keep Host, or add its name to inbox.allowed_hosts"
            raise Problem(403, f"requests from other web pages are refused, and this one is from {origin}; {hint}")
        if site is None:
            self._check_referrer(scope, headers, hosts[0])
        elif site not in _OURS and not _is_link_to_page(scope, headers):
            raise Problem(403, "requests from other web pages are refused")

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        return (
            name == "localhost"
            or name.endswith(".localhost")
            or _is_number(name.strip("[]"))
            or any(_covers(entry, name) for entry in self._allowed)
        )

    def _is_own_origin(self, origin: str, host: str, site: str | None) -> bool:
        """Return whether an `Origin` is the page's. One that names no host is that of a sandbox."""
        authority = _authority(origin)
        return bool(authority) and (site == _SAME_ORIGIN or self._is_own_page(authority, host))

    def _is_own_page(self, authority: str, host: str) -> bool:
        """Return whether the page of this authority is the inbox's: it is the Host, or a proxy has changed the Host."""
        if authority == host.lower():
            return True
        name, sent = _name(authority), _name(host)
        return any(_covers(entry, name) and not _covers(entry, sent) for entry in self._allowed)

    def _check_referrer(self, scope: Scope, headers: Headers, host: str) -> None:
        """Raise Problem for a request of another web page, from a browser that sends no `Sec-Fetch-Site`."""
        if _asks_for_page(scope):
            return
        referrer = headers.get("referer")
        if referrer is not None:
            if not self._is_own_page(_authority(referrer), host):
                raise Problem(403, "requests from other web pages are refused")
        elif "accept-language" in headers and headers.get("user-agent", "").startswith(_BROWSERS):
            raise Problem(403, "over plain HTTP a browser gets this from the inbox's page alone; open the page first")


def _authority(url: str) -> str:
    """Return the host and the port of a URL, in lower case; "" for a text that names none."""
    return url.partition("://")[2].partition("/")[0].lower()


def _name(authority: str) -> str:
    """Return the host of an authority without its port, in lower case; "" for a malformed one."""
    found = _HOST.fullmatch(authority)
    return found[1].lower().removesuffix(".") if found else ""


def _covers(entry: str, name: str) -> bool:
    """Return whether an entry of `allowed_hosts` is this name, or a wildcard for it."""
    return name == entry or (entry.startswith("*.") and name.endswith(entry[1:]))


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_link_to_page(scope: Scope, headers: Headers) -> bool:
    return (
        _asks_for_page(scope)
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _asks_for_page(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD") and scope["path"] == "/"
