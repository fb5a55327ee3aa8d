"""Compare our reading of requirements files with that of the installed pip.

    python tools/compare_requirements.py FILE-OR-FOLDER...

Both read every ``*requirements*.txt|in`` and ``requirements/*`` below the arguments, each file on
its own (includes are compared as facts, not followed). Prints every file on which the two differ.
"""

from __future__ import annotations

import logging
import sys
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.parsers import requirements
from auditor.parsers.requirements import normalise
from auditor.parsers.requirements.lines import logical_lines

Reading = tuple[list[tuple[Any, ...]], list[tuple[str, str]], list[tuple[str, Any]], set[int]]
_FLAGS = {
    "index_url": "--index-url",
    "extra_index_urls": "--extra-index-url",
    "no_index": "--no-index",
    "find_links": "--find-links",
    "prefer_binary": "--prefer-binary",
    "require_hashes": "--require-hashes",
    "pre": "--pre",
    "trusted_hosts": "--trusted-host",
    "features_enabled": "--use-feature",
}


def by_pip(data: bytes) -> Reading:
    """(requirements, includes, options, rejected lines) as pip's own parser has them."""
    from pip._internal.exceptions import PipError
    from pip._internal.req import req_file
    from pip._internal.req.constructors import install_req_from_editable, install_req_from_line

    content = req_file._decode_req_file(data, "requirements.txt")
    found: list[tuple[Any, ...]] = []
    includes: list[tuple[str, str]] = []
    options: list[tuple[str, Any]] = []
    rejected: set[int] = set()
    parse_line = req_file.get_line_parser(None)
    for number, line in req_file.preprocess(content):
        try:
            arguments, given = parse_line(line)
        except req_file.OptionParsingError:
            rejected.add(number)
            continue
        # pip appends these to one list that all its parsers share.
        features, given.features_enabled[:] = list(given.features_enabled), []
        given.features_enabled = features
        parsed = req_file.ParsedLine("requirements.txt", number, arguments, given, False)
        if parsed.requirement is None:
            if given.requirements or given.constraints:
                kind = "-r" if given.requirements else "-c"
                includes.append((kind, (given.requirements or given.constraints)[0]))
                continue
            for name, long in _FLAGS.items():
                value = getattr(given, name, None)
                if value:
                    options.extend(
                        (long, v) for v in (value if isinstance(value, list) else [value])
                    )
            continue
        try:
            if parsed.is_editable:
                made = install_req_from_editable(parsed.requirement)
            else:
                made = install_req_from_line(parsed.requirement)
        except (PipError, ValueError):
            rejected.add(number)
            continue
        link = made.link.url if made.link else (made.req.url if made.req else None)
        is_local = bool(link and link.startswith("file:"))
        found.append(
            (
                number,
                normalise(made.req.name) if made.req else "",
                str(made.req.specifier) if made.req and not link else "",
                tuple(sorted({normalise(e) for e in made.extras})),
                str(made.markers) if made.markers else "",
                None if is_local else link,
                is_local,
                made.editable,
                tuple(
                    sorted(
                        h
                        for hs in [given.hashes or {}]
                        for a in hs
                        for h in (f"{a}:{x}" for x in hs[a])
                    )
                ),
            )
        )
    return found, includes, options, rejected


def by_us(data: bytes) -> Reading:
    """The same from our parser; the line of a requirement is where its logical line begins."""
    source = requirements.decode("requirements.txt", data)
    facts = requirements.parse(source)
    starts = [line.number for line in logical_lines(source)]
    found: list[tuple[Any, ...]] = []

    def begin(line: int) -> int:
        """Pip numbers a logical line by its first physical one, we by where its text begins."""
        return starts[bisect_right(starts, line) - 1]

    rejected = {begin(p.at.line) for p in facts.problems if p.message.startswith("pip rejects")}
    for requirement in facts.requirements:
        if requirement.rejected or _unset_variable(requirement):
            rejected.add(begin(requirement.at.line))
            continue
        specifiers = requirement.specifier_set
        marker = requirements.marker_object(requirement.marker) if requirement.marker else None
        url = requirement.url
        is_local = requirement.path is not None
        from_url = {h for h in requirement.hashes if url and h.partition(":")[2] in url.lower()}
        found.append(
            (
                begin(requirement.at.line),
                "" if is_local and requirement.name_at is None else requirement.key,
                str(specifiers) if not url and not is_local else "",
                tuple(sorted({normalise(e) for e in requirement.extras})),
                str(marker) if marker else "",
                None if is_local else url,
                is_local,
                requirement.editable,
                tuple(sorted(h for h in requirement.hashes if h not in from_url)),
            )
        )
    includes = [("-c" if i.constraint else "-r", i.target) for i in facts.includes]
    known = set(_FLAGS.values())
    options = [
        (o.name, o.value if o.value is not None else True) for o in facts.options if o.name in known
    ]
    return found, includes, options, rejected


def _unset_variable(requirement: requirements.Requirement) -> bool:
    # pip leaves an unset variable as it stands, which no specifier can hold.
    return "${" in requirement.specifier or "${" in requirement.name


def differences(data: bytes) -> list[str]:
    """What the two readings disagree on; empty when nothing."""
    try:
        theirs = by_pip(data)
    except UnicodeDecodeError:
        return []
    ours = by_us(data)
    said = []
    # Whether a path exists is not ours to know: a path that pip does not find is its rejection.
    paths = {r[0] for r in ours[0] if r[6]}
    their_rejections = theirs[3] - paths
    if their_rejections != ours[3] - paths:
        lines = sorted(their_rejections ^ (ours[3] - paths))
        said.append(
            f"rejected lines: pip {sorted(theirs[3])}, we {sorted(ours[3])}, differ {lines}"
        )
    one = {r[0]: r for r in theirs[0] if r[0] not in paths}
    two = {r[0]: r for r in ours[0] if r[0] not in paths}
    said += [
        f"line {n}: pip {one.get(n)}, we {two.get(n)}"
        for n in sorted(one.keys() | two.keys())
        if one.get(n) != two.get(n) and n not in theirs[3] ^ ours[3]
    ]
    if theirs[1] != ours[1]:
        said.append(f"includes: pip {theirs[1]}, we {ours[1]}")
    if sorted(map(str, theirs[2])) != sorted(map(str, ours[2])):
        said.append(f"options: pip {theirs[2]}, we {ours[2]}")
    return said


def files(arguments: list[str]) -> Iterator[Path]:
    for argument in map(Path, arguments):
        if argument.is_file():
            yield argument
            continue
        for path in sorted(argument.rglob("*")):
            is_named = "requirements" in path.name.lower() or path.parent.name == "requirements"
            if path.is_file() and is_named and path.suffix in (".txt", ".in", ".pip"):
                yield path


def main() -> int:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    for path in files(sys.argv[1:]):
        data = path.read_bytes()
        counts["files"] += 1
        counts["lines"] += len(by_us(data)[0])
        said = differences(data)
        counts["files that differ"] += bool(said)
        for line in said:
            print(f"{path}: {line}")
    print(dict(counts))
    return 1 if counts["files that differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
