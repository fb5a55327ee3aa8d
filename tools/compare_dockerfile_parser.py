"""Compare the Dockerfile parser with BuildKit's over a directory tree.

    python tools/compare_dockerfile_parser.py DIRECTORY

Every file whose name contains ``Dockerfile`` is read by both, and the instructions are compared
one by one: keyword, first and last line, flags, values, exec form, here-documents. Needs the
``dockerfile`` distribution, which binds BuildKit's own Go parser. Exit status 1 on a difference.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import dockerfile as buildkit

from auditor.parsers.dockerfile import Dockerfile, Instruction, Onbuild, Unreadable, parse
from auditor.source import SourceText

# Refusals of BuildKit's second pass (instructions), which its parser alone does not make.
LATER = (
    "unknown instruction",
    "unknown flag",
    "duplicate flag",
    "missing a value on flag",
    "expecting boolean value",
    "requires",
    "Destination could not",
    "no build stage",
    "invalid name for build stage",
    "isn't allowed",
    "names can not be blank",
    "HEALTHCHECK",
    "time: invalid duration",
    "invalid number of retries",
    "--retries",
    "unsupported mount",
    "failed to parse csv",
    "VOLUME specified",
    "cannot accept a heredoc",
)


def flags(item: Instruction) -> tuple[str, ...]:
    """The flags as words."""
    return tuple(
        f"--{flag.name}" if flag.value is None else f"--{flag.name}={flag.value}"
        for flag in item.flags
    )


def ours(parsed: Dockerfile) -> list[tuple[Any, ...]]:
    """The instructions in the oracle's terms."""
    rows: list[tuple[Any, ...]] = []
    for item in parsed.instructions:
        inner = item.trigger if isinstance(item, Onbuild) else item
        rows.append(
            (
                item.keyword,
                inner.keyword if inner is not item else None,
                item.at.line,
                item.at.end_line,
                flags(item),
                inner.values,
                inner.json,
                tuple((doc.name, doc.descriptor, doc.body.text) for doc in item.heredocs),
            )
        )
    return rows


def theirs(text: str) -> list[tuple[Any, ...]]:
    """The instructions as BuildKit's parser reads them; raises its error."""
    return [
        (
            (item.cmd or "").upper(),
            item.sub_cmd.upper() if item.sub_cmd else None,
            item.start_line,
            item.end_line,
            item.flags,
            () if item.value == ("",) and not item.json else item.value,
            item.json,
            tuple((doc.name, doc.file_descriptor, doc.content) for doc in item.heredocs),
        )
        for item in buildkit.parse_string(text)
    ]


def compare(text: str) -> str | None:
    """What differs, or None."""
    parsed = parse(SourceText("Dockerfile", text.removeprefix("\ufeff")))
    refusals = [p for p in parsed.problems if not any(word in p.message for word in LATER)]
    try:
        expected = theirs(text)
    except buildkit.GoParseError as error:
        if not refusals:
            return f"BuildKit refuses: {error}"
        return None
    if refusals:
        return f"only we refuse: {refusals[0].at}: {refusals[0].message}"
    actual = ours(parsed)
    for index, (mine, other) in enumerate(zip(actual, expected, strict=False)):
        item = parsed.instructions[index]
        if isinstance(item, Unreadable):
            # The second pass refuses it: what it was split into no longer matters.
            mine, other = mine[0:1] + mine[2:4], other[0:1] + other[2:4]
        inner = item.trigger if isinstance(item, Onbuild) else item
        # The binding carries a BuildKit before 0.15, which drops what follows a JSON array.
        older = inner.json_tail and len(other) > 6 and other[6]
        if mine != other and not older:
            return f"line {item.at.line}:\n  ours   {mine}\n  theirs {other}"
    if len(actual) != len(expected):
        return f"{len(actual)} instructions, BuildKit has {len(expected)}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="compare with BuildKit's Dockerfile parser")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--show", type=int, default=20, help="differences to print")
    arguments = parser.parse_args()
    tally: Counter[str] = Counter()
    texts: dict[str, Path] = {}
    for path in sorted(arguments.directory.rglob("*")):
        if "dockerfile" in path.name.lower() and path.is_file() and not path.is_symlink():
            try:
                texts.setdefault(path.read_bytes().decode("utf-8"), path)
            except UnicodeDecodeError:
                tally["not UTF-8, left out"] += 1
    refused = 0
    for text, path in texts.items():
        if "\0" in text:
            tally["binary, left out"] += 1
            continue
        difference = compare(text)
        tally["matched" if difference is None else "differ"] += 1
        if difference is not None and tally["differ"] <= arguments.show:
            print(f"{path}: {difference}")
    start = time.process_time()
    instructions = 0
    for text in texts:
        parsed = parse(SourceText("Dockerfile", text))
        instructions += len(parsed.instructions)
        refused += bool(parsed.problems)
    seconds = time.process_time() - start
    total = tally["matched"] + tally["differ"]
    print(f"{tally['matched']} of {total} distinct files match, {instructions} instructions")
    print(f"{refused} files have problems; {len(texts) / max(seconds, 1e-9):.0f} files per second")
    for reason, count in sorted(tally.items()):
        if reason not in ("matched", "differ"):
            print(f"{count} {reason}")
    return 1 if tally["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
