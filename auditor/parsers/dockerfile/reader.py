"""Physical lines to logical ones, and those to instructions, as BuildKit joins and splits them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.dockerfile.facts import (
    Arg,
    Dockerfile,
    Flag,
    From,
    Heredoc,
    Onbuild,
    Stage,
    Unreadable,
)
from auditor.parsers.dockerfile.instructions import BUILDERS, UNCHECKED_FLAGS, check_flags
from auditor.parsers.dockerfile.lines import SPACE, SPACES, Line, Part, RefusedError, json_quoted
from auditor.parsers.dockerfile.words import Lexer, MalformedError, heredoc_word
from auditor.source import Fragment, Location, Problem, SourceText

if TYPE_CHECKING:
    from auditor.parsers.dockerfile.facts import Instruction

"""What Go's ``unicode.IsSpace`` accepts; Python's ``str.isspace`` accepts more."""
_ASCII_SPACES = frozenset("\t\n\v\f\r ")
_WORD = re.compile(f"[^{SPACE}]+")
_BLANKS = re.compile("[\t\v\f\r ]+")
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)\s*+=\s*+(\S.*)", re.DOTALL)
_MAX_LINE_BYTES = 65_535
# Far beyond any real file; a build's own limit is 127 layers.
_MAX_INSTRUCTIONS = 10_000
_MAX_STAGES = 1_000


def parse(source: SourceText) -> Dockerfile:
    """Read a Dockerfile. Never raises.

    Complexity is linear in the text; a line beyond 65,535 bytes ends the reading, as it does
    in a build.
    """
    return _Reader(source).read()


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

    def _logical_line(self) -> Line | None:
        """The next line that is neither blank nor comment, with its continuations."""
        while (raw := self._next()) is not None:
            text = raw.rstrip("\r")
            stripped = text.lstrip(SPACE)
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
                stripped = text.lstrip(SPACE)
                if not stripped or stripped[0] == "#":
                    continue
                text, goes_on = self._continuation(text)
                pieces.append((text, self.number, 1))
            return Line(self.path, pieces, last)
        return None

    def _continuation(self, text: str) -> tuple[str, bool]:
        bare = text.rstrip(" \t")
        if bare.endswith(self.escape) and bare[-2:-1] != self.escape:
            return bare[:-1], True
        return text, False

    def _directive(self, text: str) -> None:
        match = _DIRECTIVE.fullmatch(text[1:].lstrip(SPACE)) if text[:1] == "#" else None
        key = match[1].lower() if match else ""
        if match is None or key not in ("syntax", "escape", "check"):
            self._in_directives = False
            return
        value = match[2].rstrip(SPACE)
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

    def _instruction(self, line: Line) -> Instruction:
        text = line.text
        end = len(text.rstrip(SPACE))
        start = end - len(text[:end].lstrip(SPACE))
        part = self._parse_line(line, start, end)
        heredocs: tuple[Heredoc, ...] = ()
        inner = part.inner if part.keyword == "ONBUILD" and part.inner else part
        if "<<" in text and inner.keyword in ("RUN", "COPY", "ADD") and not inner.json:
            heredocs = self._heredocs(line, part)
        return self._typed(part, heredocs)

    def _parse_line(self, line: Line, start: int, end: int, depth: int = 0) -> Part:
        """Split ``line.text[start:end]`` (trimmed) into keyword, flags and values."""
        text = line.text
        blank = _BLANKS.search(text, start, end)
        keyword_end = blank.start() if blank else end
        part = Part(line, start, keyword_end, end)
        part.keyword = text[start:keyword_end].upper()
        part.args_start = part.args_end = end
        if blank:
            args = blank.end()
            if text.startswith("--", args, end) or text[args] in _ASCII_SPACES:
                args = self._flags(part, args)
            # What follows the flags is trimmed with the wider notion of space.
            tail = text[args:end]
            part.args_end = args + len(tail.rstrip(SPACE))
            part.args_start = part.args_end - len(text[args : part.args_end].lstrip(SPACE))
        try:
            self._values(part, depth)
        except RefusedError as refusal:
            part.refusal = str(refusal)
        return part

    def _flags(self, part: Part, position: int) -> int:
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

    def _values(self, part: Part, depth: int) -> None:
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
                while stop < end and text[stop] in SPACES:
                    stop += 1
                self._maybe_json(part, stop)
        elif keyword == "ONBUILD" and start < end:
            # A chain of ONBUILDs is refused anyway: the depth only keeps the stack short.
            if depth >= 8:
                raise RefusedError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
            part.inner = self._parse_line(part.line, start, end, depth + 1)
            if part.inner.refusal is not None:
                raise RefusedError(part.inner.refusal)

    def _maybe_json(self, part: Part, start: int) -> None:
        if start < part.args_end and not self._json(part, start):
            text = part.line.text[start : part.args_end]
            part.spans.append((text, start, part.args_end))
        part.command_start = start

    def _json(self, part: Part, start: int) -> bool:
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
            raise RefusedError(
                "when using JSON array syntax, arrays must be comprised of strings only"
            )
        part.json = True
        for value, match in zip(values, _JSON_STRING.finditer(raw), strict=True):
            clean = value
            if not value.isascii():
                clean = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            part.spans.append((clean, start + match.start(), start + match.end()))
        return True

    def _split(self, part: Part) -> None:
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
            if text[position] in SPACES:
                position += 1
                continue
            begin = position
            quote = ""
            dangling = False
            while position < end:
                char = text[position]
                if not quote and char in SPACES:
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

    def _pairs(self, part: Part) -> None:
        text, start, end = part.line.text, part.args_start, part.args_end
        words = self._words(text, start, end)
        if not words:
            return
        if "=" not in words[0][0]:
            part.legacy = True
            blank = _BLANKS.search(text, start, end)
            if blank is None:
                raise RefusedError(f"{part.keyword} must have two arguments")
            part.spans = [
                (text[start : blank.start()], start, blank.start()),
                (text[blank.end() : end], blank.end(), end),
            ]
            return
        for word, begin, stop in words:
            name, equals, value = word.partition("=")
            if not equals:
                raise RefusedError(
                    f"Syntax error - can't find = in {json_quoted(word)}. "
                    "Must be of the form: name=value"
                )
            part.spans.append((name, begin, begin + len(name)))
            part.spans.append((value, begin + len(name) + 1, stop))

    # --- here-documents

    def _heredocs(self, line: Line, part: Part) -> tuple[Heredoc, ...]:
        found: list[Heredoc] = []
        try:
            words = Lexer(line.text, {}, "\\", raw=True).words()
        except MalformedError:
            return ()
        for word in words:
            try:
                opening = heredoc_word(word)
            except MalformedError as error:
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
        self, part: Part, heredocs: tuple[Heredoc, ...], *, trigger: bool = False
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
            except RefusedError as error:
                refusal = str(error)
        if not trigger:
            self._problem(common["at"], refusal)
        return Unreadable(**common, reason=refusal)

    def _build(
        self, part: Part, common: dict[str, Any], heredocs: tuple[Heredoc, ...]
    ) -> Instruction:
        keyword, spans = part.keyword, part.spans
        build = BUILDERS.get(keyword)
        if build is None:
            written = part.line.text[part.start : part.keyword_end]
            raise RefusedError(f"unknown instruction: {written}")
        flags = {} if keyword in UNCHECKED_FLAGS else check_flags(part)
        if keyword == "ONBUILD":
            if part.inner is None:
                raise RefusedError("ONBUILD requires at least one argument")
            if part.inner.keyword == "ONBUILD":
                raise RefusedError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
            if part.inner.keyword in ("FROM", "MAINTAINER"):
                raise RefusedError(f"{part.inner.keyword} isn't allowed as an ONBUILD trigger")
            # The trigger is judged when a later build runs it, hence not a problem of this one.
            inner = self._typed(part.inner, heredocs, trigger=True)
            return Onbuild(**common, trigger=inner)
        return build(part, spans, flags, common)


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
