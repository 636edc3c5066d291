"""The page that shows a mail's HTML, made in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rrpy.inbox.web.html import Rewriter
from rrpy.inbox.web.images import Image


def safe_html(text: str, images: Mapping[str, Image], scheme: str = "light", hits: Sequence[str] = ()) -> str:
    """Return a page that shows a mail's HTML. `images`: by the names that the HTML has for them; `hits`: marked."""
    rewriter = Rewriter(text, images, scheme=scheme, hits=hits)
    while not rewriter.work():
        pass
    return rewriter.page().decode()
