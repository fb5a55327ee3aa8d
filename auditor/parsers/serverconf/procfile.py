"""Procfiles."""

from __future__ import annotations

from auditor.parsers.shell import parse
from auditor.parsers.shell.facts import Script
from auditor.source import Fragment, Location, Problem, SourceText
from auditor.values import value


@value
class ProcfileEntry:
    """``name: command``; the command is read by a shell."""

    name: str
    command: Script
    at: Location


@value
class Procfile:
    path: str
    entries: tuple[ProcfileEntry, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_procfile(source: SourceText) -> Procfile:
    """A ``Procfile``: one process type a line."""
    entries: list[ProcfileEntry] = []
    problems = list(source.problems)
    for number, line in enumerate(source.lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not name.strip().replace("-", "").replace("_", "").isalnum():
            if len(problems) < 20:
                problems.append(Problem(at=source.at(number), message="is not name: command"))
            continue
        column = len(name) + 2 + len(command) - len(command.lstrip())
        text = command.strip()
        entries.append(
            ProcfileEntry(
                name=name.strip(),
                command=parse(Fragment(source.path, [(text, number, column)])),
                at=Location(source.path, number, column, number, column + len(text)),
            )
        )
    return Procfile(path=source.path, entries=tuple(entries), problems=tuple(problems))
