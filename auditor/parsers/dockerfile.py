"""Dockerfiles, read as BuildKit reads them, with every word's place in the file.

``parse`` yields typed instructions; ``expand`` substitutes variables in a word. What BuildKit
refuses becomes a ``Problem`` at the instruction BuildKit would name; reading goes on behind it.

Terms follow the Dockerfile reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Literal

from auditor import lazy_re as re
from auditor.source import Fragment, Location, Problem, SourceText, Unknown
from auditor.values import value

Form = Literal["shell", "exec"]


@value
class Word:
    """A word as the parser leaves it: quotes and variables still in place (see ``expand``).

    In the exec (JSON) form ``text`` is the decoded string. ``at`` spans the word as written.
    """

    text: str
    at: Location


@value
class Flag:
    """``--name=value`` before the arguments; ``value`` is None when there is no ``=``."""

    name: str
    value: str | None
    at: Location


@value
class Heredoc:
    """The body of a here-document.

    ``body`` keeps leading tabs; ``text`` is what the build sees (tabs chomped for ``<<-``).
    ``expand`` is False when the delimiter is quoted. ``at`` spans body and terminator.
    """

    name: str
    expand: bool
    chomp: bool
    descriptor: int
    body: Fragment
    at: Location

    @property
    def text(self) -> str:
        """The content after chomping."""
        if not self.chomp:
            return self.body.text
        return "".join(line.lstrip("\t") for line in self.body.text.splitlines(keepends=True))


@value
class Command:
    """What RUN, CMD, ENTRYPOINT or HEALTHCHECK CMD is told to run.

    Shell form: ``text`` maps offsets of the joined line to the file. Exec form: ``words``.
    ``at`` spans the command without the keyword and the flags.
    """

    form: Form
    text: Fragment
    words: tuple[Word, ...]
    at: Location

    @property
    def argv(self) -> tuple[str, ...]:
        """The words of the exec form, or the one line of the shell form."""
        if self.form == "exec":
            return tuple(word.text for word in self.words)
        return (self.text.text,)


@value
class Pair:
    """``NAME=value`` of ENV, LABEL or ARG; ``value`` is None for an ARG without default."""

    name: str
    value: Word | None
    at: Location


@value
class Mount:
    """``RUN --mount``; ``options`` holds what was written, in order, keys in lower case."""

    type: str
    target: str | None
    source: str | None
    from_: str | None
    options: tuple[tuple[str, str | None], ...]
    at: Location


@value
class Instruction:
    """What every instruction has.

    ``keyword`` is upper case. ``at`` spans the instruction from its keyword to the end of its
    last line (here-documents included). ``line`` is the logical line, continuations joined.
    ``values`` are the words as BuildKit's parser splits them; ``json`` says exec form.
    ``json_tail``: a JSON array with something behind it, such as a comment. That is the shell
    form, but BuildKit before 0.15 and the classic builder took the array and dropped the rest.
    """

    keyword: str
    at: Location
    keyword_at: Location
    line: Fragment
    flags: tuple[Flag, ...]
    values: tuple[str, ...]
    json: bool
    json_tail: bool
    heredocs: tuple[Heredoc, ...]

    def flag(self, name: str) -> Flag | None:
        """The last flag of that name."""
        return next((flag for flag in reversed(self.flags) if flag.name == name), None)


@value
class From(Instruction):
    image: Word
    name: Word | None
    platform: str | None


@value
class Run(Instruction):
    """``command`` is empty text when the whole script is in the here-document."""

    command: Command
    mounts: tuple[Mount, ...]
    network: str | None
    security: str | None


@value
class Copy(Instruction):
    """COPY or ADD. ``sources`` are paths, URLs or here-documents (``<<NAME`` words)."""

    sources: tuple[Word, ...]
    destination: Word
    from_: Flag | None
    chown: str | None
    chmod: str | None
    checksum: str | None
    excludes: tuple[str, ...]
    link: bool
    parents: bool
    keep_git_dir: bool
    unpack: bool | None


@value
class Env(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@value
class Label(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool


@value
class Arg(Instruction):
    pairs: tuple[Pair, ...]


@value
class Expose(Instruction):
    ports: tuple[Word, ...]


@value
class Volume(Instruction):
    paths: tuple[Word, ...]


@value
class User(Instruction):
    user: Word


@value
class Workdir(Instruction):
    path: Word


@value
class Cmd(Instruction):
    command: Command


@value
class Entrypoint(Instruction):
    command: Command


@value
class Shell(Instruction):
    words: tuple[Word, ...]


@value
class Healthcheck(Instruction):
    """``command`` is None for ``HEALTHCHECK NONE``. Options are durations as written."""

    command: Command | None
    interval: str | None
    timeout: str | None
    start_period: str | None
    start_interval: str | None
    retries: str | None


@value
class Stopsignal(Instruction):
    signal: Word


@value
class Maintainer(Instruction):
    name: Word


@value
class Onbuild(Instruction):
    trigger: Instruction


@value
class Unreadable(Instruction):
    """An instruction BuildKit refuses; ``reason`` is also a ``Problem`` of the file."""

    reason: str


@value
class Stage:
    """One FROM and what follows it. ``name`` is lower case (None when unnamed)."""

    index: int
    name: str | None
    base: Word
    start: From
    instructions: tuple[Instruction, ...]


@value
class Dockerfile:
    """A whole file. ``instructions`` holds everything in order, ``stages`` the same by FROM.

    ``global_args`` are the ARGs before the first FROM. ``syntax`` is the frontend asked for.
    """

    path: str
    escape: str
    syntax: str | None
    instructions: tuple[Instruction, ...]
    global_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    problems: tuple[Problem, ...]

    def stage(self, reference: str) -> Stage | None:
        """The stage of that name (case-insensitive) or index; the last one of a repeated name."""
        wanted = reference.lower()
        for stage in reversed(self.stages):
            if stage.name == wanted:
                return stage
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 9:
            index = int(wanted)
            return self.stages[index] if index < len(self.stages) else None
        return None


_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Go's ``unicode.IsSpace`` accepts; Python's ``str.isspace`` accepts more."""

_SPACES = frozenset(_SPACE)
_ASCII_SPACES = frozenset("\t\n\v\f\r ")
_WORD = re.compile(f"[^{_SPACE}]+")
_BLANKS = re.compile("[\t\v\f\r ]+")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)\s*+=\s*+(\S.*)", re.DOTALL)
_HEREDOC = re.compile(r"(\d*)<<(-?)[\t\n\f\r ]*([^<]*)", re.ASCII)
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_MAX_LINE_BYTES = 65_535
_MAX_NESTING = 64
# Far beyond any real file; a build's own limit is 127 layers.
_MAX_INSTRUCTIONS = 10_000
_MAX_STAGES = 1_000
# The kernel passes no longer variable to a process.
_MAX_VALUE = 131_072

_COPY_FLAGS = {
    "chown": "string",
    "chmod": "string",
    "link": "bool",
    "exclude": "strings",
}
_FLAGS: dict[str, dict[str, str]] = {
    "FROM": {"platform": "string"},
    "RUN": {"mount": "strings", "network": "string", "security": "string", "device": "strings"},
    "COPY": {**_COPY_FLAGS, "from": "string", "parents": "bool"},
    "ADD": {**_COPY_FLAGS, "checksum": "string", "keep-git-dir": "bool", "unpack": "bool"},
    "HEALTHCHECK": {
        "interval": "string",
        "timeout": "string",
        "start-period": "string",
        "start-interval": "string",
        "retries": "string",
    },
}
_MOUNT_TYPES = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})


def parse(source: SourceText) -> Dockerfile:
    """Read a Dockerfile. Never raises.

    Complexity is linear in the text; a line beyond 65,535 bytes ends the reading, as it does
    in a build.
    """
    return _Reader(source).read()


class _RefusedError(Exception):
    """BuildKit would stop here, with this message."""


class _Line:
    """A logical line: its text, and the pieces of the file it was joined from."""

    __slots__ = ("last", "path", "pieces", "starts", "text")

    def __init__(
        self, path: str, pieces: list[tuple[str, int, int]], last: tuple[int, int]
    ) -> None:
        self.path = path
        self.pieces = pieces
        self.last = last
        if len(pieces) == 1:
            self.text = pieces[0][0]
            self.starts = [0]
        else:
            self.text = "".join([piece[0] for piece in pieces])
            self.starts = [0, *accumulate([len(piece[0]) for piece in pieces[:-1]])]

    def place(self, offset: int) -> tuple[int, int]:
        index = 0 if len(self.starts) == 1 else bisect_right(self.starts, offset) - 1
        _, line, column = self.pieces[index]
        return line, column + offset - self.starts[index]

    def location(self, start: int, end: int) -> Location:
        line, column = self.place(start)
        if len(self.starts) == 1:
            return Location(self.path, line, column, line, column + end - start)
        end_line, end_column = self.place(max(end - 1, start))
        return Location(self.path, line, column, end_line, end_column + (end > start))

    def fragment(self, start: int = 0, end: int | None = None) -> Fragment:
        end = len(self.text) if end is None else end
        if len(self.starts) == 1:
            _, line, column = self.pieces[0]
            return Fragment(self.path, ((self.text[start:end], line, column + start),))
        pieces: list[tuple[str, int, int]] = []
        first = max(bisect_right(self.starts, start) - 1, 0)
        for (text, line, column), at in zip(self.pieces[first:], self.starts[first:], strict=True):
            if at >= end and pieces:
                break
            low = max(start - at, 0)
            pieces.append((text[low : end - at], line, column + low))
        return Fragment(self.path, pieces)


class _Reader:
    def __init__(self, source: SourceText) -> None:
        self.path = source.path
        self.problems: list[Problem] = list(source.problems)
        self.escape = "\\"
        self.syntax: str | None = None
        self.number = 0  # lines consumed
        self.stopped = False
        self.lines = source.text.split("\n")
        if not self.lines[-1]:
            self.lines.pop()
        self._in_directives = True
        self._seen_directives: set[str] = set()

    # --- the file

    def read(self) -> Dockerfile:
        instructions: list[Instruction] = []
        global_args: list[Arg] = []
        stages: list[tuple[From, list[Instruction]]] = []
        while (line := self._logical_line()) is not None:
            instruction = self._instruction(line)
            instructions.append(instruction)
            if isinstance(instruction, From):
                stages.append((instruction, []))
            if len(instructions) >= _MAX_INSTRUCTIONS or len(stages) >= _MAX_STAGES:
                counted = (
                    f"{_MAX_STAGES:,} stages"
                    if len(stages) >= _MAX_STAGES
                    else f"{_MAX_INSTRUCTIONS:,} instructions"
                )
                message = f"more than {counted}: what follows is not read"
                self.problems.append(
                    Problem(at=instruction.at, message=message, fatal=True, beyond=True)
                )
                break
            if isinstance(instruction, From):
                continue
            if stages:
                stages[-1][1].append(instruction)
            elif isinstance(instruction, Arg):
                global_args.append(instruction)
            elif not isinstance(instruction, Unreadable):
                self._problem(instruction.at, "no build stage in current context: FROM is missing")
        if not instructions and not any(problem.fatal for problem in self.problems):
            where = Location(self.path, max(self.number, 1))
            self._problem(where, "file with no instructions", fatal=True)
        return Dockerfile(
            path=self.path,
            escape=self.escape,
            syntax=self.syntax,
            instructions=tuple(instructions),
            global_args=tuple(global_args),
            stages=tuple(
                Stage(
                    index=index,
                    name=start.name.text.lower() if start.name else None,
                    base=start.image,
                    start=start,
                    instructions=tuple(body),
                )
                for index, (start, body) in enumerate(stages)
            ),
            problems=tuple(self.problems),
        )

    def _problem(self, at: Location, message: str, *, fatal: bool = False) -> None:
        self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def _next(self) -> str | None:
        """The next physical line without its end, or None."""
        if self.stopped or self.number >= len(self.lines):
            return None
        text = self.lines[self.number]
        if len(text) > _MAX_LINE_BYTES // 4 and (
            len(text.encode("utf-8", "surrogatepass")) > _MAX_LINE_BYTES
        ):
            self.stopped = True
            at = Location(self.path, self.number + 1)
            message = f"dockerfile line greater than max allowed size of {_MAX_LINE_BYTES}"
            self._problem(at, message, fatal=True)
            return None
        self.number += 1
        return text

    def _logical_line(self) -> _Line | None:
        """The next line that is neither blank nor comment, with its continuations."""
        while (raw := self._next()) is not None:
            text = raw.rstrip("\r")
            stripped = text.lstrip(_SPACE)
            if self._in_directives:
                self._directive(stripped)
            if not stripped or stripped[0] == "#":
                continue
            first = self.number
            text, goes_on = self._continuation(stripped)
            column = 1 + len(raw.rstrip("\r")) - len(stripped)
            pieces = [(text, first, column)]
            last = (first, column + len(stripped))
            while goes_on and (raw := self._next()) is not None:
                text = raw.rstrip("\r")
                last = (self.number, len(text) + 1)
                stripped = text.lstrip(_SPACE)
                if not stripped or stripped[0] == "#":
                    continue
                text, goes_on = self._continuation(text)
                pieces.append((text, self.number, 1))
            return _Line(self.path, pieces, last)
        return None

    def _continuation(self, text: str) -> tuple[str, bool]:
        bare = text.rstrip(" \t")
        if bare.endswith(self.escape) and bare[-2:-1] != self.escape:
            return bare[:-1], True
        return text, False

    def _directive(self, text: str) -> None:
        match = _DIRECTIVE.fullmatch(text[1:].lstrip(_SPACE)) if text[:1] == "#" else None
        key = match[1].lower() if match else ""
        if match is None or key not in ("syntax", "escape", "check"):
            self._in_directives = False
            return
        value = match[2].rstrip(_SPACE)
        at = Location(self.path, self.number)
        if key in self._seen_directives:
            self._problem(at, f"only one {key} parser directive can be used")
            return
        self._seen_directives.add(key)
        if key == "syntax":
            self.syntax = value.split(" ", 1)[0]
        elif key == "escape":
            if value in ("\\", "`"):
                self.escape = value
            else:
                self._problem(at, f"invalid escape token {value!r} does not match ` or \\")

    # --- one instruction

    def _instruction(self, line: _Line) -> Instruction:
        text = line.text
        end = len(text.rstrip(_SPACE))
        start = end - len(text[:end].lstrip(_SPACE))
        part = self._parse_line(line, start, end)
        heredocs: tuple[Heredoc, ...] = ()
        inner = part.inner if part.keyword == "ONBUILD" and part.inner else part
        if "<<" in text and inner.keyword in ("RUN", "COPY", "ADD") and not inner.json:
            heredocs = self._heredocs(line, part)
        return self._typed(part, heredocs)

    def _parse_line(self, line: _Line, start: int, end: int, depth: int = 0) -> _Part:
        """Split ``line.text[start:end]`` (trimmed) into keyword, flags and values."""
        text = line.text
        blank = _BLANKS.search(text, start, end)
        keyword_end = blank.start() if blank else end
        part = _Part(line, start, keyword_end, end)
        part.keyword = text[start:keyword_end].upper()
        part.args_start = part.args_end = end
        if blank:
            args = blank.end()
            if text.startswith("--", args, end) or text[args] in _ASCII_SPACES:
                args = self._flags(part, args)
            # What follows the flags is trimmed with the wider notion of space.
            tail = text[args:end]
            part.args_end = args + len(tail.rstrip(_SPACE))
            part.args_start = part.args_end - len(text[args : part.args_end].lstrip(_SPACE))
        try:
            self._values(part, depth)
        except _RefusedError as refusal:
            part.refusal = str(refusal)
        return part

    def _flags(self, part: _Part, position: int) -> int:
        """Read ``--flags``; returns where the arguments begin."""
        text, end, escape = part.line.text, part.end, self.escape
        while True:
            while position < end and text[position] in _ASCII_SPACES:
                position += 1
            if not text.startswith("--", position, end):
                return position
            start = position
            word: list[str] = []
            quote = ""
            while position < end:
                char = text[position]
                if not quote and char in _ASCII_SPACES:
                    break
                if char == quote:
                    quote = ""
                elif not quote and char in "'\"":
                    quote = char
                elif char == escape:
                    position += 1
                    if position < end:
                        word.append(text[position])
                else:
                    word.append(char)
                position += 1
            position = min(position, end)
            flag = "".join(word)
            if flag == "--":
                return position
            part.flags.append(flag)
            name, equals, value = flag[2:].partition("=")
            at = part.line.location(start, position)
            part.typed_flags.append(Flag(name=name, value=value if equals else None, at=at))

    def _values(self, part: _Part, depth: int) -> None:
        keyword = part.keyword
        text = part.line.text
        start, end = part.args_start, part.args_end
        if keyword in ("RUN", "CMD", "ENTRYPOINT", "SHELL"):
            self._maybe_json(part, start)
        elif keyword in ("COPY", "ADD", "VOLUME"):
            if not self._json(part, start):
                self._split(part)
        elif keyword in ("EXPOSE", "FROM"):
            self._split(part)
        elif keyword in ("ENV", "LABEL"):
            self._pairs(part)
        elif keyword == "ARG":
            part.spans = self._words(text, start, end)
        elif keyword in ("USER", "WORKDIR", "STOPSIGNAL", "MAINTAINER"):
            if start < end:
                part.spans = [(text[start:end], start, end)]
        elif keyword == "HEALTHCHECK":
            if start < end:
                match = _WORD.match(text, start, end)
                stop = match.end() if match else end
                part.spans = [(text[start:stop], start, stop)]
                while stop < end and text[stop] in _SPACES:
                    stop += 1
                self._maybe_json(part, stop)
        elif keyword == "ONBUILD" and start < end:
            # A chain of ONBUILDs is refused anyway: the depth only keeps the stack short.
            if depth >= 8:
                raise _RefusedError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
            part.inner = self._parse_line(part.line, start, end, depth + 1)
            if part.inner.refusal is not None:
                raise _RefusedError(part.inner.refusal)

    def _maybe_json(self, part: _Part, start: int) -> None:
        if start < part.args_end and not self._json(part, start):
            text = part.line.text[start : part.args_end]
            part.spans.append((text, start, part.args_end))
        part.command_start = start

    def _json(self, part: _Part, start: int) -> bool:
        """Read a JSON array of strings; False when it is none (the shell form then)."""
        text, end = part.line.text, part.args_end
        if not text.startswith("[", start, end):
            return False
        raw = text[start:end]
        try:
            values = json.loads(raw, parse_constant=_no_constant, parse_int=_as_text)
        except (ValueError, RecursionError):
            part.json_tail = _starts_with_words(raw)
            return False
        if not all(isinstance(value, str) for value in values):
            raise _RefusedError(
                "when using JSON array syntax, arrays must be comprised of strings only"
            )
        part.json = True
        for value, match in zip(values, _JSON_STRING.finditer(raw), strict=True):
            clean = value
            if not value.isascii():
                clean = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            part.spans.append((clean, start + match.start(), start + match.end()))
        return True

    def _split(self, part: _Part) -> None:
        text, position, end = part.line.text, part.args_start, part.args_end
        for blank in _BLANKS.finditer(text, position, end):
            part.spans.append((text[position : blank.start()], position, blank.start()))
            position = blank.end()
        if position < end:
            part.spans.append((text[position:end], position, end))

    def _words(self, text: str, start: int, end: int) -> list[tuple[str, int, int]]:
        """Words between spaces that are neither quoted nor escaped; quotes stay."""
        escape = self.escape
        plain = not (
            text.find(escape, start, end) >= 0
            or text.find('"', start, end) >= 0
            or text.find("'", start, end) >= 0
        )
        if plain:
            return [(m[0], m.start(), m.end()) for m in _WORD.finditer(text, start, end)]
        words = []
        position = start
        while position < end:
            if text[position] in _SPACES:
                position += 1
                continue
            begin = position
            quote = ""
            dangling = False
            while position < end:
                char = text[position]
                if not quote and char in _SPACES:
                    break
                if char == escape and quote != "'":
                    # An escape that ends the line is dropped.
                    dangling = position + 1 == end
                    position += 1
                elif char == quote:
                    quote = ""
                elif not quote and char in "'\"":
                    quote = char
                position += 1
            position = min(position, end)
            word = text[begin : position - dangling]
            if word:
                words.append((word, begin, position))
        return words

    def _pairs(self, part: _Part) -> None:
        text, start, end = part.line.text, part.args_start, part.args_end
        words = self._words(text, start, end)
        if not words:
            return
        if "=" not in words[0][0]:
            part.legacy = True
            blank = _BLANKS.search(text, start, end)
            if blank is None:
                raise _RefusedError(f"{part.keyword} must have two arguments")
            part.spans = [
                (text[start : blank.start()], start, blank.start()),
                (text[blank.end() : end], blank.end(), end),
            ]
            return
        for word, begin, stop in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise _RefusedError(
                    f"Syntax error - can't find = in {_quoted(word)}. "
                    "Must be of the form: name=value"
                )
            part.spans.append((name, begin, begin + len(name)))
            part.spans.append((value, begin + len(name) + 1, stop))

    # --- here-documents

    def _heredocs(self, line: _Line, part: _Part) -> tuple[Heredoc, ...]:
        found: list[Heredoc] = []
        try:
            words = _Lexer(line.text, {}, "\\", raw=True).words()
        except _MalformedError:
            return ()
        for word in words:
            try:
                opening = _heredoc_word(word)
            except _MalformedError as error:
                part.refusal = str(error)
                return tuple(found)
            if opening is not None:
                heredoc = self._heredoc_body(*opening)
                if heredoc is None:
                    at = line.location(part.start, part.end)
                    self._problem(at, f"unterminated heredoc {opening[0]}", fatal=True)
                    self.stopped = True
                    return tuple(found)
                found.append(heredoc)
        if found:
            line.last = (found[-1].at.end_line, found[-1].at.end_column)
        return tuple(found)

    def _heredoc_body(
        self, name: str, expand: bool, chomp: bool, descriptor: int
    ) -> Heredoc | None:
        first = self.number + 1
        body: list[str] = []
        while (raw := self._next()) is not None:
            text = raw.rstrip("\r")
            if (text.lstrip("\t") if chomp else text) == name:
                pieces = [(f"{line}\n", first + i, 1) for i, line in enumerate(body)]
                return Heredoc(
                    name=name,
                    expand=expand,
                    chomp=chomp,
                    descriptor=descriptor,
                    body=Fragment(self.path, pieces),
                    at=Location(self.path, first, 1, self.number, len(text) + 1),
                )
            body.append(raw)
        return None

    # --- typed instructions

    def _typed(
        self, part: _Part, heredocs: tuple[Heredoc, ...], *, trigger: bool = False
    ) -> Instruction:
        line, keyword = part.line, part.keyword
        # BuildKit counts from the first physical line, even if only a continuation stands there.
        first_line, first_column = line.pieces[0][1:] if not trigger else line.place(part.start)
        common: dict[str, Any] = {
            "keyword": keyword,
            "at": Location(self.path, first_line, first_column, *line.last),
            "keyword_at": line.location(part.start, part.keyword_end),
            "line": line.fragment(),
            "flags": tuple(part.typed_flags),
            "values": part.values(),
            "json": part.json,
            "json_tail": part.json_tail,
            "heredocs": heredocs,
        }
        refusal = part.refusal
        if refusal is None:
            try:
                return self._build(part, common, heredocs)
            except _RefusedError as error:
                refusal = str(error)
        if not trigger:
            self._problem(common["at"], refusal)
        return Unreadable(**common, reason=refusal)

    def _build(
        self, part: _Part, common: dict[str, Any], heredocs: tuple[Heredoc, ...]
    ) -> Instruction:
        keyword, spans = part.keyword, part.spans
        build = _BUILDERS.get(keyword)
        if build is None:
            written = part.line.text[part.start : part.keyword_end]
            raise _RefusedError(f"unknown instruction: {written}")
        flags = {} if keyword in _UNCHECKED_FLAGS else _check_flags(part)
        if keyword == "ONBUILD":
            if part.inner is None:
                raise _RefusedError("ONBUILD requires at least one argument")
            if part.inner.keyword == "ONBUILD":
                raise _RefusedError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
            if part.inner.keyword in ("FROM", "MAINTAINER"):
                raise _RefusedError(f"{part.inner.keyword} isn't allowed as an ONBUILD trigger")
            # The trigger is judged when a later build runs it, hence not a problem of this one.
            inner = self._typed(part.inner, heredocs, trigger=True)
            return Onbuild(**common, trigger=inner)
        return build(part, spans, flags, common)


class _Part:
    """One instruction (or ONBUILD trigger) half-way: offsets into its logical line."""

    __slots__ = (
        "args_end",
        "args_start",
        "command_start",
        "end",
        "flags",
        "inner",
        "json",
        "json_tail",
        "keyword",
        "keyword_end",
        "legacy",
        "line",
        "refusal",
        "spans",
        "start",
        "typed_flags",
    )

    def __init__(self, line: _Line, start: int, keyword_end: int, end: int) -> None:
        self.line = line
        self.start = start
        self.keyword_end = keyword_end
        self.end = end
        self.keyword = ""
        self.flags: list[str] = []
        self.typed_flags: list[Flag] = []
        self.args_start = self.args_end = self.command_start = end
        self.spans: list[tuple[str, int, int]] = []
        self.json = False
        self.json_tail = False
        self.legacy = False
        self.inner: _Part | None = None
        self.refusal: str | None = None

    def values(self) -> tuple[str, ...]:
        spans = self.inner.spans if self.inner else self.spans
        return tuple([span[0] for span in spans])

    def word(self, index: int) -> Word:
        text, start, end = self.spans[index]
        return Word(text=text, at=self.line.location(start, end))

    def words(self, start: int = 0, stop: int | None = None) -> tuple[Word, ...]:
        location = self.line.location
        return tuple([Word(text=t, at=location(a, b)) for t, a, b in self.spans[start:stop]])

    def only_word(self) -> Word:
        if len(self.spans) != 1:
            raise _RefusedError(f"{self.keyword} requires exactly one argument")
        return self.word(0)

    def command(self, first: int = 0) -> Command:
        start, end = self.command_start, self.args_end
        return Command(
            form="exec" if self.json else "shell",
            text=self.line.fragment(start, end),
            words=self.words(first) if self.json else (),
            at=self.line.location(start, end),
        )

    def pairs(self) -> tuple[Pair, ...]:
        if not self.spans:
            raise _RefusedError(f"{self.keyword} requires at least one argument")
        pairs = []
        for index in range(0, len(self.spans), 2):
            name, start, _ = self.spans[index]
            if not name:
                raise _RefusedError(f"{self.keyword} names can not be blank")
            value = self.word(index + 1)
            at = self.line.location(start, self.spans[index + 1][2])
            pairs.append(Pair(name=name, value=value, at=at))
        return tuple(pairs)


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _as_text(digits: str) -> object:
    return 0


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=_as_text)


def _starts_with_words(raw: str) -> bool:
    """Whether a JSON array of strings is followed by something else."""
    try:
        values, _ = _DECODER.raw_decode(raw)
    except (ValueError, RecursionError):
        return False
    return all(isinstance(value, str) for value in values)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_UNCHECKED_FLAGS = frozenset({"ARG", "STOPSIGNAL"})


def _check_flags(part: _Part) -> dict[str, str]:
    """The flags by name (bools as ``true``/``false``); refuses what the instruction lacks."""
    if not part.typed_flags:
        return {}
    known = _FLAGS.get(part.keyword, {})
    if part.keyword == "HEALTHCHECK" and part.spans and part.spans[0][0].upper() == "NONE":
        return {}
    seen: dict[str, str] = {}
    for flag in part.typed_flags:
        kind = known.get(flag.name)
        if kind is None:
            raise _RefusedError(f"unknown flag: --{flag.name}")
        if flag.name in seen and kind != "strings":
            raise _RefusedError(f"duplicate flag specified: --{flag.name}")
        value = flag.value
        if kind == "bool":
            value = "true" if value is None else value.lower()
            if value not in ("true", "false"):
                raise _RefusedError(
                    f"expecting boolean value for flag --{flag.name}, not: {flag.value}"
                    if value
                    else f"missing a value on flag: --{flag.name}"
                )
        elif value is None:
            raise _RefusedError(f"missing a value on flag: --{flag.name}")
        seen[flag.name] = value
    return seen


_Builder = Callable[
    [_Part, list[tuple[str, int, int]], dict[str, str], dict[str, Any]], Instruction
]
_Spans = list[tuple[str, int, int]]


def _build_from(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> From:
    name = None
    if len(spans) == 3 and spans[1][0].lower() == "as":
        name = part.word(2)
        if not _STAGE_NAME.fullmatch(name.text.lower()):
            raise _RefusedError(
                f"invalid name for build stage: {_quoted(name.text)}, "
                "name can't start with a number or contain symbols"
            )
    elif len(spans) != 1:
        raise _RefusedError("FROM requires either one or three arguments")
    return From(**common, image=part.word(0), name=name, platform=flags.get("platform"))


def _build_run(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Run:
    return Run(
        **common,
        command=part.command(),
        mounts=tuple(_mount(flag) for flag in part.typed_flags if flag.name == "mount"),
        network=flags.get("network"),
        security=flags.get("security"),
    )


def _mount(flag: Flag) -> Mount:
    options: list[tuple[str, str | None]] = []
    value = flag.value or ""
    for field in _csv_fields(value):
        key, equals, setting = field.partition("=")
        options.append((key.lower(), setting if equals else None))
    given = dict(options)

    def first(*names: str) -> str | None:
        return next((given[name] for name in names if given.get(name) is not None), None)

    kind = (given.get("type") or "bind").lower()
    if kind not in _MOUNT_TYPES and "$" not in kind:
        raise _RefusedError(f"unsupported mount type {_quoted(kind)}")
    return Mount(
        type=kind,
        target=first("target", "dst", "destination"),
        source=first("source", "src"),
        from_=given.get("from"),
        options=tuple(options),
        at=flag.at,
    )


def _csv_fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    import csv

    try:
        return next(csv.reader([text]), [])
    except csv.Error as error:
        raise _RefusedError(f"failed to parse csv mounts: {error}") from error


def _build_copy(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Copy:
    if len(spans) < 2:
        raise _RefusedError(
            f"{part.keyword} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    words = part.words()
    if is_heredoc(words[-1].text):
        raise _RefusedError(f"{part.keyword} cannot accept a heredoc as a destination")
    return Copy(
        **common,
        sources=words[:-1],
        destination=words[-1],
        from_=next((flag for flag in part.typed_flags if flag.name == "from"), None),
        chown=flags.get("chown"),
        chmod=flags.get("chmod"),
        checksum=flags.get("checksum"),
        excludes=tuple(f.value or "" for f in part.typed_flags if f.name == "exclude"),
        link=flags.get("link") == "true",
        parents=flags.get("parents") == "true",
        keep_git_dir=flags.get("keep-git-dir") == "true",
        unpack=flags["unpack"] == "true" if "unpack" in flags else None,
    )


def _build_env(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Env:
    return Env(**common, pairs=part.pairs(), legacy=part.legacy)


def _build_label(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Label:
    return Label(**common, pairs=part.pairs(), legacy=part.legacy)


def _build_arg(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Arg:
    if not spans:
        raise _RefusedError("ARG requires at least one argument")
    pairs = []
    for text, start, end in spans:
        name, equals, default = text.partition("=")
        if not name:
            raise _RefusedError("ARG names can not be blank")
        value = None
        if equals:
            at = part.line.location(start + len(name) + 1, end)
            value = Word(text=default, at=at)
        pairs.append(Pair(name=name, value=value, at=part.line.location(start, end)))
    return Arg(**common, pairs=tuple(pairs))


def _build_expose(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Expose:
    if not spans:
        raise _RefusedError("EXPOSE requires at least one argument")
    return Expose(**common, ports=part.words())


def _build_volume(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Volume:
    if not spans:
        raise _RefusedError("VOLUME requires at least one argument")
    if not all(text.strip(_SPACE) for text, _, _ in spans):
        raise _RefusedError("VOLUME specified can not be an empty string")
    return Volume(**common, paths=part.words())


def _build_user(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> User:
    return User(**common, user=part.only_word())


def _build_workdir(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Workdir:
    return Workdir(**common, path=part.only_word())


def _build_cmd(part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]) -> Cmd:
    return Cmd(**common, command=part.command())


def _build_entrypoint(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Entrypoint:
    return Entrypoint(**common, command=part.command())


def _build_shell(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Shell:
    if not spans:
        raise _RefusedError("SHELL requires at least one argument")
    if not part.json:
        raise _RefusedError("SHELL requires the arguments to be in JSON form")
    return Shell(**common, words=part.words())


def _build_healthcheck(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Healthcheck:
    if not spans:
        raise _RefusedError("HEALTHCHECK requires at least one argument")
    kind = spans[0][0].upper()
    command = None
    if kind == "NONE":
        if len(spans) > 1:
            raise _RefusedError("HEALTHCHECK NONE takes no arguments")
    elif kind != "CMD":
        raise _RefusedError(f"Unknown type {_quoted(kind)} in HEALTHCHECK (try CMD)")
    else:
        if len(spans) == 1:
            raise _RefusedError("Missing command after HEALTHCHECK CMD")
        command = part.command(1)
        for name in ("interval", "timeout", "start-period", "start-interval"):
            if flags.get(name) and not _DURATION.fullmatch(flags[name]):
                raise _RefusedError(f"time: invalid duration {_quoted(flags[name])}")
        retries = flags.get("retries")
        if retries:
            digits = retries[1:] if retries[0] in "+-" else retries
            if not (digits.isascii() and digits.isdigit()) or len(digits.lstrip("0")) > 10:
                raise _RefusedError(f"invalid number of retries: {_quoted(retries)}")
            if retries[0] == "-" and digits.strip("0"):
                raise _RefusedError(f"--retries cannot be negative ({retries})")
    return Healthcheck(
        **common,
        command=command,
        interval=flags.get("interval"),
        timeout=flags.get("timeout"),
        start_period=flags.get("start-period"),
        start_interval=flags.get("start-interval"),
        retries=flags.get("retries"),
    )


def _build_stopsignal(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Stopsignal:
    return Stopsignal(**common, signal=part.only_word())


def _build_maintainer(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Maintainer:
    return Maintainer(**common, name=part.only_word())


def _build_nothing(
    part: _Part, spans: _Spans, flags: dict[str, str], common: dict[str, Any]
) -> Instruction:
    raise AssertionError("ONBUILD is built by the reader")


_BUILDERS: dict[str, _Builder] = {
    "FROM": _build_from,
    "RUN": _build_run,
    "COPY": _build_copy,
    "ADD": _build_copy,
    "ENV": _build_env,
    "LABEL": _build_label,
    "ARG": _build_arg,
    "EXPOSE": _build_expose,
    "VOLUME": _build_volume,
    "USER": _build_user,
    "WORKDIR": _build_workdir,
    "CMD": _build_cmd,
    "ENTRYPOINT": _build_entrypoint,
    "SHELL": _build_shell,
    "HEALTHCHECK": _build_healthcheck,
    "STOPSIGNAL": _build_stopsignal,
    "MAINTAINER": _build_maintainer,
    "ONBUILD": _build_nothing,
}


# --- words and variables -------------------------------------------------------------------


class _MalformedError(Exception):
    """A word that the builder's lexer refuses."""


class _UndecidedError(Exception):
    """The value of the word hangs on a variable that is not statically known."""


def expand(
    word: str, variables: Mapping[str, str | Unknown | None], escape: str = "\\"
) -> str | Unknown:
    """The word with quotes removed and variables substituted.

    A name that is missing from ``variables`` (or None) is unset: empty, as in a build. One
    mapped to ``Unknown`` makes the result Unknown wherever it matters. A malformed word, which
    stops a build, is Unknown with the builder's complaint as its reason.
    """
    if not (escape in word or "$" in word or '"' in word or "'" in word):
        return word
    try:
        return _Lexer(word, variables, escape).result()
    except _MalformedError as error:
        return Unknown(f"malformed word: {error}")
    except _UndecidedError as error:
        return Unknown(str(error))


def expand_words(
    word: str, variables: Mapping[str, str | Unknown | None], escape: str = "\\"
) -> tuple[str, ...] | Unknown:
    """Like ``expand``, but unquoted spaces in values split words (EXPOSE and nothing else)."""
    try:
        return tuple(_Lexer(word, variables, escape).words())
    except _MalformedError as error:
        return Unknown(f"malformed word: {error}")
    except _UndecidedError as error:
        return Unknown(str(error))


def is_heredoc(word: str) -> bool:
    """Whether a COPY source such as ``<<EOF`` names a here-document."""
    try:
        return "<<" in word and _heredoc_word(word) is not None
    except _MalformedError:
        return False


def heredoc_name(word: str) -> str | None:
    """The name in a ``<<NAME`` word, unquoted; None when the word is none."""
    try:
        opening = _heredoc_word(word) if "<<" in word else None
    except _MalformedError:
        return None
    return opening[0] if opening else None


def _heredoc_word(word: str) -> tuple[str, bool, bool, int] | None:
    """(name, expand, chomp, descriptor) of ``<<NAME``, ``3<<-"NAME"`` and the like."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[3]:
        return None
    words = _Lexer(match[3], {}, "\\", skip_unset=True).words()
    if len(words) != 1:
        return None
    raw = _Lexer(match[3], {}, "\\", skip_unset=True, raw_quotes=True).words()
    if len(raw) != 1:
        raise _MalformedError(f"heredoc word {match[3]}")
    quotes = words[0].count("'") + words[0].count('"')
    expand_body = quotes == raw[0].count("'") + raw[0].count('"')
    descriptor = int(match[1]) if 0 < len(match[1]) < 10 else 0
    return words[0], expand_body, match[2] == "-", descriptor


class _Lexer:
    """The builder's word lexer: quotes, escapes and ``$`` forms.

    ``raw`` keeps quotes and escapes and leaves unset variables as they are written: that is
    how here-document words are found in a line.
    """

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str | Unknown | None],
        escape: str,
        *,
        raw: bool = False,
        raw_quotes: bool = False,
        skip_unset: bool = False,
    ) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.raw_quotes = raw or raw_quotes
        self.raw_escapes = raw
        self.skip_unset = raw or skip_unset
        self.position = 0
        self.depth = 0
        self.substituted = 0

    def result(self) -> str:
        return self._until("", self.raw_escapes)[0]

    def words(self) -> list[str]:
        return self._until("", self.raw_escapes)[1]

    def _until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        before, self.raw_escapes = self.raw_escapes, raw_escapes
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise _MalformedError("substitutions are nested too deeply")
        try:
            return self._scan(stop)
        finally:
            self.raw_escapes = before
            self.depth -= 1

    def _scan(self, stop: str) -> tuple[str, list[str]]:
        text, size = self.text, len(self.text)
        out: list[str] = []
        words: list[str] = []
        word: list[str] = []

        def split(chunk: str) -> None:
            # Spaces that come from outside quotes end a word.
            for char in chunk:
                if char not in _SPACES:
                    word.append(char)
                elif word and any(word):
                    words.append("".join(word))
                    word.clear()

        while self.position < size:
            char = text[self.position]
            if char == stop:
                self.position += 1
                break
            if char == "'" or char == '"':
                piece = self._single() if char == "'" else self._double()
                out.append(piece)
                word.append(piece)
            elif char == "$":
                piece = self._dollar()
                out.append(piece)
                split(piece)
            elif char == "<":
                piece = self._less()
                out.append(piece)
                word.append(piece)
            else:
                self.position += 1
                if char == self.escape:
                    if self.raw_escapes:
                        out.append(char)
                        word.append(char)
                    if self.position >= size:
                        break
                    char = text[self.position]
                    self.position += 1
                    out.append(char)
                    word.append(char)
                else:
                    out.append(char)
                    split(char)
        else:
            if stop:
                raise _MalformedError(
                    f"unexpected end of statement while looking for matching {stop}"
                )
        if any(word):
            words.append("".join(word))
        return "".join(out), words

    def _single(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            self.position = len(self.text)
            raise _MalformedError(
                "unexpected end of statement while looking for matching single-quote"
            )
        start, self.position = self.position, end + 1
        return self.text[start : end + 1] if self.raw_quotes else self.text[start + 1 : end]

    def _double(self) -> str:
        text, size = self.text, len(self.text)
        out = ['"'] if self.raw_quotes else []
        self.position += 1
        while self.position < size:
            char = text[self.position]
            if char == "$":
                out.append(self._dollar())
                continue
            self.position += 1
            if char == '"':
                if self.raw_quotes:
                    out.append(char)
                return "".join(out)
            if char == self.escape:
                if self.raw_escapes:
                    out.append(char)
                if self.position >= size:
                    break
                following = text[self.position]
                if following in ('"', "$", self.escape):
                    self.position += 1
                    char = following
            out.append(char)
        raise _MalformedError("unexpected end of statement while looking for matching double-quote")

    def _less(self) -> str:
        """``<<`` swallows the blanks before its word."""
        start = self.position
        self.position += 1
        if self.text.startswith("<", self.position):
            self.position += 1
            while self.text.startswith((" ", "\t", "\r", "\n"), self.position):
                self.position += 1
        return self.text[start : self.position]

    def _name(self) -> str:
        text, start = self.text, self.position
        end = start
        if end < len(text) and text[end].isdecimal():
            while end < len(text) and text[end].isdecimal():
                end += 1
        elif end < len(text) and text[end] in "@*#?-$!":
            end += 1
        else:
            while end < len(text) and (
                text[end].isalpha() or text[end].isdecimal() or text[end] == "_"
            ):
                end += 1
        self.position = end
        return text[start:end]

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        if isinstance(value, Unknown):
            raise _UndecidedError(f"{name} is not known: {value.reason}")
        # Each definition may double the one before: sixty of them fill any memory.
        self.substituted += len(value or "")
        if self.substituted > _MAX_VALUE:
            raise _UndecidedError(f"the value is longer than {_MAX_VALUE:,} characters")
        return value

    def _dollar(self) -> str:
        text = self.text
        self.position += 1
        if not text.startswith("{", self.position):
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            if value is None:
                return f"${name}" if self.skip_unset else ""
            return value
        self.position += 1
        following = text[self.position : self.position + 1]
        if not following:
            raise _MalformedError("syntax error: missing '}'")
        if following in "{}:":
            raise _MalformedError("syntax error: bad substitution")
        name = self._name()
        operator = text[self.position : self.position + 1]
        self.position += 1
        if operator == "}":
            value = self._value(name)
            if value is None:
                return f"${{{name}}}" if self.skip_unset else ""
            return value
        if operator == "/":
            return self._replace(name)
        colon = operator == ":"
        if colon:
            operator = text[self.position : self.position + 1]
            self.position += 1
        elif operator not in ("+", "-", "?", "#", "%"):
            raise _MalformedError(f"unsupported modifier ({operator}) in substitution")
        pattern = operator in ("#", "%")
        shown = f":{operator}" if colon else operator
        if not operator or (colon and pattern):
            raise _MalformedError(f"unsupported modifier ({shown}) in substitution")
        word = self._operand("}", raw_escapes=pattern)
        value = self._value(name)
        if value is None and self.skip_unset:
            return f"${{{name}{shown}{word}}}"
        unset = value is None or (colon and not value)
        if operator == "-":
            return word if unset else value or ""
        if operator == "+":
            return "" if unset else word
        if operator == "?":
            if unset:
                state = "unset" if value is None else "empty"
                raise _MalformedError(f"{name}: {word or f'is not allowed to be {state}'}")
            return value or ""
        if pattern:
            return _trim(operator, word, value or "")
        raise _MalformedError(f"unsupported modifier ({shown}) in substitution")

    def _operand(self, stop: str, *, raw_escapes: bool) -> str:
        try:
            return self._until(stop, raw_escapes)[0]
        except _MalformedError:
            if self.position >= len(self.text):
                place = "'/' in ${}" if stop == "/" else "'}'"
                raise _MalformedError(f"syntax error: missing {place}") from None
            raise

    def _replace(self, name: str) -> str:
        everywhere = self.text.startswith("/", self.position)
        self.position += everywhere
        pattern = self._operand("/", raw_escapes=True)
        replacement = self._operand("}", raw_escapes=True)
        value = self._value(name)
        if value is None:
            if self.skip_unset:
                return f"${{{name}/{pattern}/{replacement}}}"
            value = ""
        tokens = _glob_tokens(pattern)
        _bounded(tokens, value, power=2)
        out: list[str] = []
        position = 0
        while position <= len(value):
            ends = _glob_ends(tokens, value, position)
            if not ends:
                out.append(value[position : position + 1])
                position += 1
                continue
            end = ends[-1]
            out.append(replacement)
            if end == position:
                out.append(value[position : position + 1])
                position += 1
            else:
                position = end
                if position == len(value):
                    break
            if not everywhere:
                break
        out.append(value[position:])
        return "".join(out)


_Token = str | None  # a literal character, "" for `*`, None for `?`


def _glob_tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "*":
            if not tokens or tokens[-1] != "":
                tokens.append("")
        elif char == "?":
            tokens.append(None)
        elif char == "\\":
            position += 1
            if position >= len(pattern):
                raise _MalformedError("invalid pattern: trailing escape in substitution")
            tokens.append(pattern[position])
        else:
            tokens.append(char)
        position += 1
    return tokens


def _bounded(tokens: list[_Token], value: str, power: int = 1) -> None:
    if (len(tokens) + 1) * (len(value) + 1) ** power > 1_000_000:
        raise _UndecidedError("a pattern substitution is too large to evaluate")


def _glob_ends(tokens: list[_Token], value: str, start: int) -> list[int]:
    """Every position where a match of the glob that begins at ``start`` can end, ascending."""
    ends = [start]
    size = len(value)
    for token in tokens:
        if token == "":
            ends = list(range(ends[0], size + 1))
        elif token is None:
            ends = [end + 1 for end in ends if end < size]
        else:
            ends = [end + 1 for end in ends if end < size and value[end] == token]
        if not ends:
            break
    return ends


def _trim(operator: str, word: str, value: str) -> str:
    """``${x#p}``, ``${x##p}``, ``${x%p}``, ``${x%%p}``."""
    greedy = word[:1] == operator
    tokens = _glob_tokens(word[1:] if greedy else word)
    _bounded(tokens, value)
    if operator == "#":
        ends = _glob_ends(tokens, value, 0)
        return value[(ends[-1] if greedy else ends[0]) :] if ends else value
    ends = _glob_ends(tokens[::-1], value[::-1], 0)
    if not ends:
        return value
    return value[: len(value) - (ends[-1] if greedy else ends[0])]
