"""The image without an engine: the Dockerfile's steps, carried out on this machine in folders of a test's own.

What is real: every RUN line (`sh -c`, as an engine does it), the copies with .dockerignore, the environment, the entry
point, the command, the health check. What is not: the base image, which is this Python; so paths are mapped.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction of a Dockerfile: `RUN`, `COPY`, ..., and what follows it."""

    word: str
    rest: str


class Stage(NamedTuple):
    """What stands from one FROM to the next."""

    base: str
    name: str
    steps: list[Step]

    def last(self, word: str) -> str:
        return [step.rest for step in self.steps if step.word == word][-1]

    def argv(self, word: str) -> list[str]:
        """Return an instruction in exec form; a shell form is no JSON, and fails."""
        words: list[str] = json.loads(self.last(word))
        return words

    @property
    def health(self) -> list[str]:
        words: list[str] = json.loads(self.last("HEALTHCHECK").partition("CMD")[2])
        return words

    @property
    def env(self) -> dict[str, str]:
        pairs = (
            pair.partition("=")[::2] for step in self.steps if step.word == "ENV" for pair in shlex.split(step.rest)
        )
        return dict(pairs)


def stages(text: str) -> list[Stage]:
    """Read a Dockerfile: comments and continued lines, as docs.docker.com/reference/dockerfile has them."""
    text = re.sub(r"(?m)^\s*#.*\n", "", text)
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name, []))
        elif found:
            found[-1].steps.append(Step(word, rest))
    return found


def sent(context: Path) -> list[Path]:
    """Return the files that .dockerignore lets into a build, relative: the last pattern that fits decides."""
    lines = [line.strip() for line in (context / ".dockerignore").read_text().splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=context, capture_output=True, check=True
    )
    return [
        Path(name)
        for name in listed.stdout.decode().splitlines()
        if (context / name).is_file() and not _ignored(name, patterns)
    ]


def _ignored(name: str, patterns: list[str]) -> bool:
    ignored = False
    for pattern in patterns:
        bare = pattern.removeprefix("!").removeprefix("**/")
        parents = [name, *map(str, Path(name).parents)]
        if any(fnmatch.fnmatchcase(each, bare) for each in parents) or (
            pattern.startswith("**/") and bare in Path(name).parts
        ):
            ignored = not pattern.startswith("!")
    return ignored


class Built:
    """The image's file system under `root`. `skipped`: the RUN lines that only an engine can run, with the reason."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root = root
        self.skipped: list[str] = []
        self.ran: list[str] = []
        self._context = context
        self._files = sent(context)

    def build(self, stage: Stage) -> None:
        """Carry out a stage. Raises CalledProcessError for a RUN line that fails."""
        folder = self.root / "src"
        for step in stage.steps:
            if step.word == "WORKDIR":
                folder = Path(self.mapped(step.rest))
                folder.mkdir(parents=True, exist_ok=True)
            elif step.word == "COPY":
                self._copy(step.rest, folder)
            elif step.word == "RUN" and step.rest.startswith("apt-get"):
                self.skipped.append(f"{step.rest}: installs into the system")
            elif step.word == "RUN":
                self.ran.append(step.rest)
                python = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
                line = f"{python}; {self.mapped(step.rest)}"
                subprocess.run(["sh", "-ec", line], cwd=folder, check=True, capture_output=True, text=True, timeout=100)

    def mapped(self, text: str) -> str:
        """Return the text with the image's paths under `root`."""
        return re.sub(r"(?<![\w/.])/(?=(?:opt|etc|wheel|src|app)\b)", f"{self.root}/", text)

    def _copy(self, rest: str, folder: Path) -> None:
        *sources, target = shlex.split(rest)
        if sources[0].startswith("--from"):
            assert Path(self.mapped(sources[1])).exists()  # both stages have one file system here
            return
        place = folder if target == "." else Path(self.mapped(target))
        for source in sources:
            files = [name for name in self._files if source == "." or str(name) == source]
            assert files, f"COPY {source}: .dockerignore does not let it in"
            for name in files:
                to = place / (name if source == "." else name.name if target.endswith("/") else "")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._context / name, to)
