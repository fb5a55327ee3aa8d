"""Fingerprints that tell a finding from every other and survive edits elsewhere in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from auditor.digests import sha256
from auditor.findings import Finding
from auditor.values import replace


def assign_fingerprints(
    findings: Iterable[Finding], line_of: Callable[[str, int], str]
) -> tuple[Finding, ...]:
    """The findings, in the order given, each with its fingerprint (64 hexadecimal digits).

    ``line_of(path, line)`` returns a source line, or an empty string where there is none. The
    fingerprint covers the rule, the path, the text of the line with its whitespace normalised
    and the text of the span; not the line's number and not the message, so that neither lines
    moved nor messages reworded make a known finding new. Findings that are equal in all of that
    are told apart by counting them from the top of the file.
    """
    given = tuple(findings)
    keys = [_key(finding, line_of) for finding in given]
    seen: Counter[tuple[str, ...]] = Counter()
    marks = [""] * len(given)
    for index in sorted(range(len(given)), key=lambda i: (given[i].sort_key, i)):
        key = keys[index]
        seen[key] += 1
        marks[index] = _digest((*key, str(seen[key])))
    return tuple(
        replace(finding, fingerprint=mark) for finding, mark in zip(given, marks, strict=True)
    )


def _key(finding: Finding, line_of: Callable[[str, int], str]) -> tuple[str, ...]:
    at = finding.at
    whole_file = (at.line, at.column) == (1, 1) == (at.end_line, at.end_column)
    line = "" if whole_file else line_of(at.path, at.line)
    if line.strip():
        end = at.end_column - 1 if at.end_line == at.line else len(line)
        return (finding.rule, at.path, _normal(line), _normal(line[at.column - 1 : end]))
    # Binary artifacts and whole files have no line: what was seen there must tell them apart.
    seen = (f"{name}={value}" for name, value in finding.evidence if isinstance(value, str))
    return (finding.rule, at.path, *seen)


def _normal(text: str) -> str:
    return " ".join(text.split())


def _digest(parts: tuple[str, ...]) -> str:
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()
