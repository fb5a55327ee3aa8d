"""Edits laid over files: back to front, audited again, written whole or not at all."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import AuditorError
from auditor.source import SourceText
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.findings import Edit, Finding
    from auditor.result import AuditResult

# Beyond that many, fixes that do not go together are not tried one by one.
MAX_SINGLE = 20
MAX_ROUNDS = 8


@value
class Plan:
    """What would be written: old and new contents by path, the findings mended, and those left."""

    old: Mapping[str, bytes]
    new: Mapping[str, bytes]
    mended: tuple[Finding, ...] = ()
    # (finding, why its fix is not used)
    refused: tuple[tuple[Finding, str], ...] = ()


class EditError(ValueError):
    """Edits that cannot be laid over a file as it is."""


def edited(path: str, data: bytes, edits: Iterable[Edit]) -> bytes:
    """The file with the edits applied; encoding, byte order mark and line ends stay.

    EditError when the file does not survive decoding, a span lies outside, or two overlap.
    """
    source = SourceText.decode(path, data)
    codec, mark = _codec(data)
    if source.problems or mark + source.text.encode(codec) != data:
        raise EditError("is not text that can be written back as it was")
    text = source.text
    ends = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    limit = len(text) + 1
    for edit in sorted(dict.fromkeys(edits), key=lambda e: (e.at.line, e.at.column), reverse=True):
        at = edit.at
        if at.line > len(starts) or at.end_line > len(starts):
            raise EditError("has no such line")
        begin = starts[at.line - 1] + at.column - 1
        end = starts[at.end_line - 1] + at.end_column - 1
        replacement = edit.text.replace("\n", ends)
        if begin == len(text) + 1:
            # Behind a last line that does not end.
            begin = end = len(text)
            replacement = ends + replacement.removesuffix(ends)
        if not 0 <= begin <= end <= min(limit, len(text)):
            raise EditError("has edits that overlap")
        text = text[:begin] + replacement + text[end:]
        limit = begin
    return mark + text.encode(codec)


def _codec(data: bytes) -> tuple[str, bytes]:
    """The codec that writes the file back, and its byte order mark."""
    for mark, codec in (
        (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32-le"),
        (b"\x00\x00\xfe\xff", "utf-32-be"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"),
    ):  # fmt: skip
        if data.startswith(mark):
            return codec, mark
    head = data[:256]
    if len(head) >= 4 and head[1::2].count(0) > len(head) // 4:
        return "utf-16-le", b""
    if len(head) >= 4 and head[0::2].count(0) > len(head) // 4:
        return "utf-16-be", b""
    return "utf-8", b""


def plan(root: Path, settings: Settings) -> Plan:
    """The fixes that hold: each makes its finding go away and brings no other one.

    Fixes that touch the same line wait for the next round, in which the line is read anew.
    """
    from auditor.engine import audit

    settings = replace(settings, baseline=None)
    old: dict[str, bytes] = {}
    now: dict[str, bytes] = {}
    mended: list[Finding] = []
    refused: dict[tuple[str, str], tuple[Finding, str]] = {}
    before = audit(root, settings)
    for _ in range(MAX_ROUNDS):
        wanted = [
            f
            for f in before.active
            if f.fix is not None and f.fix.safe and f.fix.edits and _key(f) not in refused
        ]
        for finding in wanted:
            if why := _read(root, finding, old):
                refused[_key(finding)] = (finding, why)
        chosen = _apart(f for f in wanted if _key(f) not in refused)
        if not chosen:
            break
        after, new = _all(root, settings, before, chosen, old | now)
        if after is None:
            # They do not hold together: the first that holds alone, and the rest is seen again.
            for finding in chosen[:MAX_SINGLE]:
                after, new = _all(root, settings, before, [finding], old | now)
                if after is not None:
                    chosen = [finding]
                    break
                refused[_key(finding)] = (finding, "the audit after it is not better")
            else:
                break
        mended += chosen
        now |= new
        before = after
    changed = {path: data for path, data in now.items() if data != old[path]}
    return Plan(
        old={p: old[p] for p in changed},
        new=changed,
        mended=tuple(mended),
        refused=tuple(refused.values()),
    )


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.message


def _apart(findings: Iterable[Finding]) -> list[Finding]:
    """Fixes that share no line, the smallest first; equal edits count as one."""
    taken: dict[tuple[str, int], tuple[Edit, ...]] = {}
    chosen: list[Finding] = []
    for finding in sorted(findings, key=_extent):
        assert finding.fix is not None
        edits = finding.fix.edits
        lines = {(e.at.path, n) for e in edits for n in range(e.at.line, e.at.end_line + 1)}
        if any(taken.get(line, edits) != edits for line in lines):
            continue
        taken.update(dict.fromkeys(lines, edits))
        chosen.append(finding)
    return chosen


def _extent(finding: Finding) -> int:
    assert finding.fix is not None
    return sum(
        (e.at.end_line - e.at.line) * 1000 + abs(e.at.end_column - e.at.column)
        for e in finding.fix.edits
        if e.text
    )


def _read(root: Path, finding: Finding, old: dict[str, bytes]) -> str:
    """Read the files that a fix touches; why it cannot be used, or nothing."""
    assert finding.fix is not None
    for edit in finding.fix.edits:
        path = edit.at.path
        if path in old:
            continue
        try:
            old[path] = _contents(root, path)
        except (OSError, ValueError) as error:
            return f"{path}: {error}"
    return ""


def _contents(root: Path, path: str) -> bytes:
    """A regular file below the root; ValueError for a link or a way out of it."""
    target = root / path
    real = os.path.realpath(target)
    inside = os.path.realpath(root)
    if os.path.commonpath([real, inside]) != inside:
        raise ValueError("lies outside the repository")
    if real != f"{inside.rstrip('/')}/{path}" or not stat.S_ISREG(os.lstat(target).st_mode):
        raise ValueError("is reached through a link")
    return target.read_bytes()


def _all(
    root: Path,
    settings: Settings,
    before: AuditResult,
    findings: list[Finding],
    now: Mapping[str, bytes],
) -> tuple[AuditResult, dict[str, bytes]] | tuple[None, dict[str, bytes]]:
    """(the audit after them, new contents) when all these fixes hold together; None otherwise."""
    from auditor.engine import audit

    by_path: dict[str, list[Edit]] = {}
    for finding in findings:
        assert finding.fix is not None
        for edit in finding.fix.edits:
            by_path.setdefault(edit.at.path, []).append(edit)
    try:
        new = {path: edited(path, now[path], edits) for path, edits in by_path.items()}
    except EditError:
        return None, {}
    after = audit(root, settings, instead={**now, **new})
    had = Counter(f.rule for f in before.active)
    has = Counter(f.rule for f in after.active)
    goes = Counter(f.rule for f in findings)
    worse = any(count > had[rule] for rule, count in has.items())
    stays = any(has[rule] > had[rule] - count for rule, count in goes.items())
    unread = len(after.skipped) > len(before.skipped) or after.crashed
    return (None, {}) if worse or stays or unread else (after, new)


def diff(made: Plan) -> str:
    """The changes as one unified diff."""
    parts: list[str] = []
    for path in sorted(made.new):
        before = SourceText.decode(path, made.old[path]).text
        after = SourceText.decode(path, made.new[path]).text
        lines = difflib.unified_diff(
            before.splitlines(keepends=True),
            after.splitlines(keepends=True),
            f"a/{path}",
            f"b/{path}",
        )
        missing = "\n\\ No newline at end of file\n"
        parts += [line if line.endswith("\n") else line + missing for line in lines]
    return "".join(parts)


def write(root: Path, made: Plan) -> None:
    """Put every changed file in place whole; AuditorError when one has changed meanwhile."""
    for path in made.new:
        try:
            now = _contents(root, path)
        except (OSError, ValueError) as error:
            raise AuditorError(f"{path}: {error}") from error
        if now != made.old[path]:
            raise AuditorError(f"{path} changed while it was audited: nothing more is written")
    for path, data in made.new.items():
        _replace(root / path, data)


def _replace(target: Path, data: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode)
    made: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            made = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        made.chmod(mode)
        made.replace(target)
    except OSError as error:
        if made is not None:
            made.unlink(missing_ok=True)
        raise AuditorError(f"{target} cannot be written: {error.strerror}") from error
