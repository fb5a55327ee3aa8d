"""Files that documentation tells people to put in place, and files that scripts write.

Neither is committed, and an image or an installation that takes them is no fault: the one who
deploys has been told, or runs the script.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.discovery import FileKind
from auditor.values import field, record

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts

_DOCUMENTS = (".md", ".rst", ".txt", ".adoc")
_MAX_SIZE = 200_000
_MAX_READ = 4_000_000
_MAX_LINE = 400
_MAX_BASES = 6

# What a sentence or command says of a path that somebody or something has still to fill.
_TOLD = re.compile(
    r"\b(?:plac(?:e|ing)|put|drop|copy|move|download(?:s|ed)?|sav(?:e|es|ed|ing)|stor(?:e|es|ed)"
    r"|export(?:s|ed)?|generat(?:e|es|ed)|produc(?:e|es|ed)|writ(?:e|es|ten)|train(?:s|ed)?|unzip"
    r"|extract(?:s|ed)?|creat(?:e|es|ed)|provide|cp|mv|wget|curl|gdown)\b"
    r"|(?<!\S)--(?:out|output|save|export|dest)\b",
    re.IGNORECASE,
)
# Drawings of a tree, and lines of a Dockerfile that is only quoted.
_NOT_TOLD = re.compile(r"[│├└]|^\s*(?:COPY|ADD|RUN|CMD|ENTRYPOINT)\s|\|--|No such file")
_PATHS = re.compile(r"[\w.-]*(?:/[\w.-]+)*/?")
# `> name`, `>> name` and `tee name`, in a script. A variable in front is a directory of the project.
_HOME = r"[\"']?(?:\$\{?\w+\}?/)?"
_WRITTEN = re.compile(rf"(?:>>?\|?|\btee(?:\s+-a)?)\s*{_HOME}((?:\./)?[\w][\w./-]*)")
# What a tool that writes lists of requirements is told to write.
_LISTED = re.compile(
    rf"\b(?:poetry|pipenv|pdm|uv|pip-compile|piptools)\b[^\n]*?\s(?:-o|--output(?:-file)?)[ =]{_HOME}"
    r"((?:\./)?[\w][\w./-]*)"
)
# What a program is told to leave behind.
_OUTPUT = re.compile(
    rf"\s--?[\w-]*(?:out|output|save|export|dest|write)[\w-]*[ =]{_HOME}((?:\./)?\w[\w./-]*\.\w+)",
    re.IGNORECASE,
)
# `cp this that/`.
_COPIED = re.compile(r"^\s*(?:cp|mv|ln|install|rsync)[ \t]+([^\n;&|#<>]+)", re.MULTILINE)


@record
class Documented:
    """Paths from the root, each with the file that speaks of it."""

    told: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)

    def says(self, path: str) -> str:
        """Who says that this path is put there; empty where nobody does."""
        plain = path.rstrip("/")
        if plain in self.told:
            return f"{self.told[plain]} tells to put it there"
        if plain in self.written:
            return f"{self.written[plain]} writes it"
        return ""


def read(facts: Facts) -> Documented:
    """What the documents and scripts of a repository say."""
    found = Documented()
    left = _MAX_READ
    for entry in facts.repository.entries:
        script = entry.kind in (FileKind.SHELL, FileKind.MAKEFILE)
        if not script and not entry.path.lower().endswith(_DOCUMENTS):
            continue
        if entry.size > _MAX_SIZE or entry.size > left:
            continue
        left -= entry.size
        text = facts.repository.read_text(entry.path).text
        folder = posixpath.dirname(entry.path)
        if script:
            # Scripts are started from their own directory or from the root.
            for path in [
                *_WRITTEN.findall(text),
                *_LISTED.findall(text),
                *_OUTPUT.findall(text),
                *_copies(text, facts),
            ]:
                for base in {folder, ""}:
                    _add(found.written, base, path, entry.path)
        elif not posixpath.basename(entry.path).lower().startswith("requirements"):
            bases = _above(folder)
            for line in text.replace("\\\n", " ").splitlines():
                if len(line) <= _MAX_LINE and _TOLD.search(line) and not _NOT_TOLD.search(line):
                    for path in _named(line):
                        for base in bases:
                            _add(found.told, base, path, entry.path)
    return found


def _above(folder: str) -> list[str]:
    """A document's own directory and those above it: what its commands are relative to."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:count]) for count in range(len(parts) + 1)][-_MAX_BASES:]


def _copies(text: str, facts: Facts) -> Iterator[str]:
    """What the copying commands of a script leave behind."""
    for line in _COPIED.findall(text):
        words = [re.sub(r"^\$\{?\w+\}?/", "", w.strip("\"'")) for w in line.split()]
        words = [w for w in words if not w.startswith("-")]
        if len(words) < 2 or "$" in words[-1]:
            continue
        target = words[-1]
        if target.endswith("/") or facts.repository.is_dir(posixpath.normpath(target)):
            yield from (posixpath.join(target, posixpath.basename(w)) for w in words[:-1])
        else:
            yield target


def _named(line: str) -> list[str]:
    """The paths of a line: what has a slash, or the name of a file in code quotes."""
    named = [word for word in _PATHS.findall(line) if "/" in word.rstrip(".")]
    return named + re.findall(r"`([\w-]+\.\w+)`", line)


def _add(into: dict[str, str], base: str, path: str, where: str) -> None:
    """The path, and the directories that it brings with it."""
    plain = posixpath.normpath(posixpath.join(base, path.rstrip(".")))
    while plain and not plain.startswith(("..", "/")) and plain != ".":
        into.setdefault(plain, where)
        plain = posixpath.dirname(plain)
