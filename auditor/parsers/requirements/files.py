"""Whole files, and what they include."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.requirements.entries import VARIABLE, parse_requirement, scheme_of, shortened
from auditor.parsers.requirements.facts import (
    Include,
    Option,
    Requirement,
    RequirementsFile,
    ResolvedRequirements,
)
from auditor.parsers.requirements.lines import (
    MAX_DEPTH,
    MAX_FILES,
    MAX_LINE,
    OLD_OPTIONS,
    PER_REQUIREMENT,
    Line,
    OptionError,
    comment_start,
    logical_lines,
    options_of,
    shifted_by,
)
from auditor.parsers.requirements.producers import compiled_by_tool, with_via
from auditor.source import Location, Problem, SourceText
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.requirements.facts import Reader
    from auditor.parsers.requirements.lines import GivenOption, Locate


def decode(path: str, data: bytes) -> SourceText:
    """Decode as pip does: a byte-order mark, else a coding line among the first two, else UTF-8."""
    if not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        for line in data.split(b"\n", 2)[:2]:
            cookie = re.search(rb"coding[:=]\s*([-\w.]+)", line[:256]) if line[:1] == b"#" else None
            if cookie:
                codec = cookie[1].decode("ascii", "replace")
                try:
                    return SourceText(path, data.decode(codec))
                except (UnicodeDecodeError, LookupError, ValueError):
                    problem = Problem(
                        at=Location(path, 1), message=f"the file is not {codec} as it says"
                    )
                    text = data.decode("utf-8", errors="replace")
                    return SourceText(path, text, problems=(problem,))
    return SourceText.decode(path, data)


def parse(source: SourceText) -> RequirementsFile:
    """One file; never raises. Lines that pip rejects become problems with pip's reason."""
    reading = _Reading(source)
    for line in logical_lines(source):
        reading.take(line)
    return reading.result()


def parse_arguments(
    path: str, lines: Iterable[tuple[str, Callable[[int, int], Location]]]
) -> RequirementsFile:
    """Lines that stand in another file, such as the pip section of a conda environment.

    Each line comes with a function from offsets to places; ``path`` is the file's, relative to
    which ``-r`` is followed.
    """
    reading = _Reading(SourceText(path, ""))
    for number, (text, locate) in enumerate(lines, start=1):
        cut = comment_start(text)
        body = text[:cut] if cut >= 0 else text
        lead = len(body) - len(body.lstrip())
        if body.strip():
            comment = text[cut + 1 :].strip() if cut >= 0 else ""
            reading.take(Line(body.strip(), shifted_by(locate, lead), number, comment))
    return reading.result()


class _Reading:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.requirements: list[Requirement] = []
        self.lines: list[int] = []
        self.includes: list[Include] = []
        self.options: list[Option] = []
        self.variables: list[tuple[str, Location]] = []
        self.problems: list[Problem] = list(source.problems)

    def take(self, line: Line) -> None:
        text, locate = line.text, line.locate
        if len(text) > MAX_LINE:
            self.problems.append(
                Problem(at=locate(0, 1), message=f"a line of {len(text)} characters is not read")
            )
            return
        if "${" in text:
            self.variables.extend(
                (m[1], locate(m.start(), m.end())) for m in VARIABLE.finditer(text)
            )
        arguments, offset = text, len(text)
        if text.startswith("-"):
            arguments, offset = "", 0
        elif " -" in text:
            offset = text.find(" -") + 1
            arguments = text[:offset]
        given: list[GivenOption] = []
        refused = ""
        if offset < len(text):
            try:
                given = options_of(text[offset:])
            except OptionError as error:
                refused = str(error)
                self.problems.append(
                    Problem(
                        at=locate(offset + error.start, offset + error.end),
                        message=f"pip rejects the line: {error}",
                    )
                )
                if not arguments:
                    return
        if arguments:
            self._requirement(arguments, 0, line, given, editable=False, refused=refused)
            return
        edit = next((g for g in given if g.name == "--editable"), None)
        if edit is not None:
            value = edit.value or ""
            start = edit.value_start
            if text[start : start + 1] in "'\"" and text[start + 1 :].startswith(value):
                start += 1
            self._requirement(value, start, line, given, editable=True)
            return
        self._options(given, locate)

    def _requirement(
        self,
        text: str,
        start: int,
        line: Line,
        given: list[GivenOption],
        *,
        editable: bool,
        refused: str = "",
    ) -> None:
        locate = shifted_by(line.locate, start) if start else line.locate
        read = parse_requirement(text, locate, editable=editable)
        if isinstance(read, Problem):
            self.problems.append(read)
            return
        if read.rejected:
            at = read.specifier_at or read.at
            self.problems.append(
                Problem(at=at, message=f"pip rejects {shortened(text.strip())!r}: {read.rejected}")
            )
        changes: dict[str, object] = {"rejected": refused} if refused else {}
        if given:
            hashes = tuple(g.value or "" for g in given if g.name == "--hash")
            others = tuple(
                (g.name, g.value or "")
                for g in given
                if g.name in PER_REQUIREMENT and g.name != "--hash"
            )
            if hashes:
                changes["hashes"] = read.hashes + hashes
                changes["hash_options"] = True
            if others:
                changes["options"] = others
        if line.comment:
            changes["comment"] = line.comment
        if changes:
            read = replace(read, **changes)
        self.requirements.append(read)
        self.lines.append(line.number)

    def _options(self, given: list[GivenOption], locate: Locate) -> None:
        include = next((g for g in given if g.name == "--requirement"), None) or next(
            (g for g in given if g.name == "--constraint"), None
        )
        if include is not None:
            # pip follows one file a line and ignores what else the line says.
            value = include.value or ""
            self.includes.append(
                Include(
                    target=value,
                    path=include_path(self.source.path, value),
                    constraint=include.name == "--constraint",
                    at=locate(include.start, include.end),
                )
            )
            return
        for option in given:
            at = locate(option.start, option.end)
            if option.name in PER_REQUIREMENT:
                self.problems.append(
                    Problem(at=at, message=f"pip ignores {option.name} without a requirement")
                )
                continue
            if any(option.name == long for long, _ in OLD_OPTIONS.values()):
                message = f"current pips know no {option.name}"
                self.problems.append(Problem(at=at, message=message))
            self.options.append(Option(name=option.name, value=option.value, at=at))

    def result(self) -> RequirementsFile:
        compiled = compiled_by_tool(self.source, self.requirements, self.options)
        requirements = self.requirements
        if "# via" in self.source.text:
            requirements = with_via(self.source, requirements, self.lines)
        return RequirementsFile(
            path=self.source.path,
            requirements=tuple(requirements),
            includes=tuple(self.includes),
            options=tuple(self.options),
            compiled_by=compiled,
            variables=tuple(self.variables),
            problems=tuple(self.problems),
        )


def include_path(path: str, target: str) -> str | None:
    """``target`` as named in the file ``path``; None for URLs and paths outside the root."""
    if scheme_of(target) in ("http", "https", "file") or target.startswith("/") or "${" in target:
        return None
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None if joined == ".." or joined.startswith("../") else joined


def resolve(path: str, read: Reader) -> ResolvedRequirements:
    """Follow ``-r`` and ``-c`` from ``path``; cycles and missing files are problems.

    The order is pip's: an include stands where its line does. As in pip, ``-r`` inside a
    constraints file adds requirements, and a file that two others include counts once here.
    """
    state = _Resolution(read)
    state.follow(path, False, (), None)
    return ResolvedRequirements(
        files=tuple(state.files.values()),
        requirements=tuple(state.requirements),
        constraints=tuple(state.constraints),
        options=tuple(state.options),
        problems=tuple(state.problems),
    )


class _Resolution:
    def __init__(self, read: Reader) -> None:
        self.read = read
        self.files: dict[str, RequirementsFile] = {}
        self.done: set[tuple[str, bool]] = set()
        self.requirements: list[Requirement] = []
        self.constraints: list[Requirement] = []
        self.options: list[Option] = []
        self.problems: list[Problem] = []

    def follow(
        self, path: str, constraint: bool, above: tuple[str, ...], edge: Include | None
    ) -> None:
        at = edge.at if edge else Location(path)
        if path in above:
            self._problem(at, f"{above[-1]} includes {path}, which leads back to it: pip refuses")
            return
        if (path, constraint) in self.done:
            return
        if len(above) >= MAX_DEPTH or len(self.files) >= MAX_FILES:
            self._problem(at, f"{path} is not followed: more than {MAX_DEPTH} files deep or "
                              f"{MAX_FILES} files")  # fmt: skip
            return
        self.done.add((path, constraint))
        facts = self.files.get(path)
        if facts is None:
            source = self.read(path)
            if source is None:
                named = (
                    f"{above[-1]} includes {path}, which does not exist"
                    if above
                    else (f"{path} does not exist")
                )
                self._problem(at, named)
                return
            facts = self.files[path] = parse(source)
            self.problems.extend(facts.problems)
        # Requirements and includes in the order of their lines.
        order: list[Requirement | Include] = [*facts.requirements, *facts.includes]
        if facts.includes:
            order.sort(key=lambda fact: (fact.at.line, fact.at.column))
        for fact in order:
            if isinstance(fact, Requirement):
                self._add(fact, constraint)
            elif fact.path is not None:
                self.follow(fact.path, fact.constraint, (*above, path), fact)
            else:
                where = "is not in the repository" if "://" not in fact.target else "is remote"
                self._problem(fact.at, f"{path} includes {shortened(fact.target)}, which {where}")
        self.options.extend(facts.options)

    def _add(self, requirement: Requirement, constraint: bool) -> None:
        if constraint:
            self.constraints.append(replace(requirement, constraint=True))
        else:
            self.requirements.append(requirement)

    def _problem(self, at: Location, message: str) -> None:
        self.problems.append(Problem(at=at, message=message))
