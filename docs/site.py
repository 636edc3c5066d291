"""Collect the pages of the site, and build it with Zensical.

    python docs/site.py [FOLDER]    write the site to FOLDER/html (default: site/html); exit code 1 for any warning

The pages are written for GitHub, where a link may lead out of `docs/`, to a source file or an example. The site has no
such place, so it gets a page for each file that a page links to: a Markdown file as it is, any other as a listing.

A page with diagrams loads the script that draws them from `docs/javascripts/` (@mermaid-js/tiny 11.17.2, MIT): the
theme would load one from another server. A comment `<!-- api: MODULE -->` becomes that module's reference.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")
API = re.compile(r"^<!-- api: (?P<module>[\w.]+) -->$", re.MULTILINE)
LISTING = "---\nsearch:\n  exclude: true\n---\n# `{path}`\n\n~~~~{kind}\n{text}\n~~~~\n"
KINDS = {".py": "python", ".js": "js", ".php": "php", ".yaml": "yaml", ".toml": "toml"}
SCRIPT = "javascripts/mermaid.js"


def collect(pages: Path) -> None:
    """Write every page of `docs/`, and a page for each file that a page links to, into a folder."""
    waiting = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("**/*.md"))]
    seen = {*waiting, f"docs/{SCRIPT}"}
    for name in seen.difference(waiting):
        copy(name, pages)
    while waiting:
        path = waiting.pop()
        if path.endswith(".md"):
            found = [target for target in targets(path) if target not in seen]
            seen.update(found)
            waiting += found
            write(pages / place_of(path), markdown_of(path))
        elif path.endswith(".webp"):
            copy(path, pages)
        else:
            text = (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
            kind = KINDS.get(Path(path).suffix, "text")
            write(pages / place_of(path), LISTING.format(path=path, kind=kind, text=text))


def targets(path: str) -> list[str]:
    """Return the files of the repository that a page links to."""
    found = (target_of(path, link) for link in LINK.finditer((ROOT / path).read_text(encoding="utf-8")))
    return [target for target in dict.fromkeys(found) if (ROOT / target).is_file()]


def target_of(path: str, link: re.Match[str]) -> str:
    """Return the path in the repository that a link of a page leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), link["target"]))


def markdown_of(path: str) -> str:
    """Return a page as the site needs it: its links, its references, and the script for its diagrams."""
    here = posixpath.dirname(place_of(path)) or "."

    def moved(link: re.Match[str]) -> str:
        target = target_of(path, link)
        if not (ROOT / target).is_file():
            return link[0]  # the build reports it
        return posixpath.relpath(place_of(target), here) + (link["anchor"] or "")

    text = LINK.sub(moved, (ROOT / path).read_text(encoding="utf-8"))
    text = API.sub(r"::: \g<module>", text)
    if "```mermaid" in text:
        url = posixpath.relpath(SCRIPT, posixpath.splitext(place_of(path))[0])
        text += f'\n<script src="{url}"></script>\n'
    return text


def place_of(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if path.endswith(".md") else f"source/{path.removeprefix('.')}.md"  # hidden folders are left out


def copy(path: str, pages: Path) -> None:
    """Copy a file that is not a page."""
    (pages / place_of(path)).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / path, pages / place_of(path).removesuffix(".md"))


def write(path: Path, text: str) -> None:
    """Write a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def link_packages(folder: Path) -> None:
    """Give the reference a folder with the package `rrpy` and nothing else of the repository, such as its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {name.split(".")[1] for name in project["tool"]["setuptools"]["packages"] if "." in name}
    (folder / "rrpy").mkdir(parents=True)
    for name in [*names, *(path.name for path in ROOT.glob("*.py"))]:
        (folder / "rrpy" / name).symlink_to(ROOT / name)


def build(folder: Path) -> int:
    """Build the site in a folder, and return the exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    collect(folder / "pages")
    link_packages(folder / "python")
    shutil.copyfile(ROOT / "docs" / "zensical.toml", folder / "zensical.toml")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ})
    said = built.stdout + built.stderr
    sys.stderr.write(said)
    # --strict does not count what the reference's own log says, such as a name that it does not find.
    return 1 if built.returncode or re.search(r"\b(ERROR|WARNING)\b", said) else 0


def main(arguments: Sequence[str]) -> int:
    """Build the site, and return the exit code."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        sys.stderr.write("usage: python docs/site.py [FOLDER]\n")
        return 2
    return build(Path(arguments[0] if arguments else "site").resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
