"""Requirement files that commands of a build make out of others, line by line.

``grep -v torch requirements.txt > r.txt``, ``sed -i '/pywin32/d' requirements.txt``, ``cat a b > c``:
what pip reads is neither file of the repository. A listing keeps every line at its own number, so
that what is said of it points into the file that it comes from.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from auditor.deployment.linefilters import Lines, apply
from auditor.parsers.commands import PipInstall, interpret
from auditor.source import SourceText
from auditor.values import field, record, replace, value

if TYPE_CHECKING:
    from auditor.deployment.commands import Ran
    from auditor.parsers.shell.facts import Arg

_TEXTS = ("requirements", "constraint", "require", "deps", "packages", ".txt", ".in", ".pip")
_MAX = 200_000
_INSTALLERS = frozenset({"pip", "pip3", "python", "python3", "uv"})
_WORD = "requirement"


@value
class Piece:
    """Lines of one file with their ends; those that a filter dropped are empty texts."""

    path: str
    lines: Lines


# What a command wrote; None: not followed.
Listing = tuple[Piece, ...]
# A path as the command sees it to what is there: None where that is not known.
Open = Callable[[str], "Listing | None"]


@value
class Written:
    """A file that a command wrote, by its path as the command sees it. ``listing`` None: not known."""

    path: str
    listing: Listing | None


@record
class Filters:
    """The filters of one build, in their order; a pipeline hands its lines on."""

    _flow: Listing | None = None

    def handed(self, ran: Ran) -> tuple[Listing | None, PipInstall | None]:
        """The lines that ``… | xargs pip install`` is given, and the installation that it is."""
        words, command = ran.what.argv, ran.what.command
        if command is None or not command.pipeline[0] or not words or words[0].text != "xargs":
            return None, None
        start = next((i for i, w in enumerate(words) if w.text in _INSTALLERS), None)
        # A word of its own stands for those that xargs adds.
        rest = (*words[start:], replace(words[-1], value=_WORD)) if start is not None else ()
        meant = interpret(rest, env=ran.what.env, cwd=ran.what.cwd) if rest else None
        if meant is None or not isinstance(meant.fact, PipInstall):
            return None, None
        if meant.fact.action != "install" or len(meant.fact.requirements) != 1:
            return None, None
        flow, self._flow = self._flow, None
        return flow, replace(meant.fact, requirements=())

    def run(
        self, ran: Ran, open_: Open, glob: Callable[[str], tuple[str, ...]]
    ) -> Iterator[Written]:
        """The files that a command writes, where it is a filter of lines."""
        command, words = ran.what.command, list(ran.what.argv)
        if command is None or not words:
            return
        flow = self._flow if command.pipeline[0] else None
        self._flow = None
        name = posixpath.basename(words[0].text)
        if name in ("cp", "mv"):
            yield from _moved([w.text for w in words[1:] if not w.text.startswith("-")], open_)
            return
        targets = _redirected(ran)
        if name not in _PROGRAMS:
            # Whatever it writes there is not what was there before.
            yield from (Written(path=path, listing=None) for path, _ in targets)
            return
        done = _filtered(name, words[1:], _input(ran, flow), open_, glob)
        if done is None:
            yield from (Written(path=path, listing=None) for path, _ in targets)
            return
        sure = not (command.conditional or command.loop or command.function or command.substitution)
        for path in done.in_place:
            yield Written(path=path, listing=done.each.get(path) if sure else None)
        last = command.pipeline[0] + 1 == command.pipeline[1]
        if not last and not targets:
            self._flow = done.out
        for path in done.tees:
            yield Written(path=path, listing=done.out if sure else None)
        for path, more in targets:
            before = open_(path) if more else ()
            known = sure and done.out is not None and before is not None
            yield Written(
                path=path, listing=joined((*(before or ()), *(done.out or ()))) if known else None
            )


@record
class _Done:
    out: Listing | None
    # Files that are rewritten where they are.
    in_place: tuple[str, ...] = ()
    each: dict[str, Listing | None] = field(default_factory=dict)
    tees: tuple[str, ...] = ()


_PROGRAMS = frozenset(
    {"cat", "grep", "egrep", "fgrep", "sed", "head", "tail", "sort", "uniq", "tee", "tr", "cut", "awk",
     "iconv", "dos2unix", "echo"}
)  # fmt: skip


def _input(ran: Ran, flow: Listing | None) -> str | Listing | None:
    """The file that ``<`` names, else what the pipe brings."""
    for redirect in ran.what.command.redirects if ran.what.command else ():
        if redirect.operator == "<" and redirect.target is not None:
            found = redirect.target.expand(ran.what.env)
            return found if isinstance(found, str) else None
    return flow


def _redirected(ran: Ran) -> list[tuple[str, bool]]:
    """(path, appended) of what the standard output goes to."""
    found = []
    for redirect in ran.what.command.redirects if ran.what.command else ():
        if redirect.operator not in (">", ">|", ">>") or redirect.fd not in (None, 1):
            continue
        told = redirect.target.expand(ran.what.env) if redirect.target is not None else None
        if isinstance(told, str) and not told.startswith("/dev/"):
            found.append((told, redirect.operator == ">>"))
    return found


def _moved(paths: list[str], open_: Open) -> Iterator[Written]:
    if len(paths) != 2 or not any(_is_listing(path) for path in paths):
        return
    listing = open_(paths[0])
    if listing is None:
        return
    target = paths[1]
    if target.endswith("/") or not posixpath.splitext(target)[1]:
        target = posixpath.join(target, posixpath.basename(paths[0]))
    yield Written(path=target, listing=listing)


def _is_listing(path: str) -> bool:
    """Whether a file may be one of requirements, by its name."""
    name = posixpath.basename(path).lower()
    return any(part in name for part in _TEXTS)


def _filtered(
    name: str,
    words: list[Arg],
    given: str | Listing | None,
    open_: Open,
    glob: Callable[[str], tuple[str, ...]],
) -> _Done | None:
    """None: not a filter that is followed."""
    if any(not isinstance(word.value, str) for word in words):
        return None
    if name == "echo":
        return _echoed(words)
    program = apply(name, [word.text for word in words])
    if program is None:
        return _unfollowed(name, words)
    paths: list[str] = []
    for path in program.files:
        paths.extend(glob(path) if any(c in path for c in "*?[") else (path,))
    if name == "tee":
        listing = open_(given) if isinstance(given, str) else given
        return _Done(out=listing, tees=tuple(paths))
    inputs: list[Listing | None] = [open_(path) for path in paths if path != "-"]
    if not paths or "-" in paths:
        inputs.append(open_(given) if isinstance(given, str) else given)
    if program.in_place:
        each = {
            path: _through(listing, program.lines)
            for path, listing in zip(paths, inputs, strict=False)
            if _is_listing(path)
        }
        return _Done(out=None, in_place=tuple(each), each=each)
    known = [listing for listing in inputs if listing is not None]
    if not inputs or len(known) != len(inputs):
        return _Done(out=None)
    whole = joined(tuple(piece for listing in known for piece in listing))
    return _Done(out=_through(whole, program.lines))


def _unfollowed(name: str, words: list[Arg]) -> _Done | None:
    """What ``sed -i`` makes of a file is not known where its program is not followed."""
    texts = [word.text for word in words]
    if name != "sed" or not any(t.startswith(("-i", "--in-place")) for t in texts):
        return None
    paths = tuple(t for t in texts if not t.startswith("-") and _is_listing(t) and " " not in t)
    return _Done(out=None, in_place=paths, each=dict.fromkeys(paths))


def _echoed(words: list[Arg]) -> _Done | None:
    texts = [word.text for word in words]
    if not words or any(t.startswith("-") or "\\" in t for t in texts):
        return None
    at = words[0].at
    # The line stands where the command does.
    lines = (*("" for _ in range(at.line - 1)), " ".join(texts) + "\n")
    return _Done(out=(Piece(path=at.path, lines=lines),))


def _through(listing: Listing | None, lines: Callable[[Lines], Lines | None]) -> Listing | None:
    """The listing with a filter applied to all its lines as one text."""
    if listing is None:
        return None
    # A line that is gone already is not seen by the next filter.
    places = [
        (number, index)
        for number, piece in enumerate(listing)
        for index, line in enumerate(piece.lines)
        if line
    ]
    found = lines(tuple(listing[number].lines[index] for number, index in places))
    if found is None:
        return None
    new = [[""] * len(piece.lines) for piece in listing]
    for (number, index), line in zip(places, found, strict=True):
        new[number][index] = line
    return tuple(
        replace(piece, lines=tuple(text)) for piece, text in zip(listing, new, strict=True)
    )


def joined(listing: Listing) -> Listing:
    """One after the other, as ``cat`` does it: a last line without its end takes the next one on."""
    found: list[Piece] = []
    for piece in listing:
        first = next((i for i, line in enumerate(piece.lines) if line), None)
        if first is None:
            continue
        last = (
            next((i for i in reversed(range(len(found[-1].lines))) if found[-1].lines[i]), 0)
            if found
            else 0
        )
        if found and not found[-1].lines[last].endswith("\n"):
            before = found[-1].lines
            both = before[last] + piece.lines[first]
            found[-1] = replace(found[-1], lines=(*before[:last], both, *before[last + 1 :]))
            piece = replace(piece, lines=(*piece.lines[:first], "", *piece.lines[first + 1 :]))
        found.append(piece)
    return tuple(found)


def listing_of(source: SourceText | None) -> Listing | None:
    """A file of the repository as it is."""
    if source is None or len(source.text) > _MAX:
        return None
    lines = [f"{line}\n" for line in source.text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    return (Piece(path=source.path, lines=tuple(lines)),)


def texts(listing: Listing) -> tuple[SourceText, ...]:
    """Every piece as the text that pip reads of it."""
    return tuple(
        SourceText(piece.path, "".join(line or "\n" for line in piece.lines)) for piece in listing
    )
