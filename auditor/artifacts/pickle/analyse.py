"""Pickle streams of a file, one after the other, as plain pickle, joblib or torch reads them."""

from __future__ import annotations

import contextlib
from bisect import bisect_right

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import (
    ArtifactIssue,
    Limits,
    ObjectFacts,
    PickleFacts,
    Symbol,
    Verdict,
)
from auditor.artifacts.pickle.arrays import ArrayReader
from auditor.artifacts.pickle.judge import Judge
from auditor.artifacts.pickle.machine import Machine, MachineError
from auditor.artifacts.pickle.symbols import Symbols
from auditor.artifacts.pickle.values import Call, Dct, Glob, Lst, Pers, Unk, Value
from auditor.findings import Severity
from auditor.values import field, record

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
# More streams than this in one file are not followed, and said to be.
MAX_STREAMS = 100_000


@record
class Analysis:
    """What a run over all streams came to; ``kind`` is ``pickle``, ``joblib`` or ``torch-legacy``."""

    kind: str = "pickle"
    issues: list[ArtifactIssue] = field(default_factory=list)
    verdict: Verdict = "safe"
    facts: PickleFacts | None = None
    # Offset behind the last stream that was complete; equals the start when none was.
    end: int = 0
    streams: int = 0
    error: MachineError | None = None
    # Something was imported or called: these bytes do mean something to an unpickler.
    active: bool = False
    calls: int = 0
    anomalies: bool = False
    # The bytes that were read, for those who want to show what they do.
    blob: Blob | None = None


def analyse(
    blob: Blob,
    *,
    limits: Limits,
    persistent_ids: str = "",
    single: bool = False,
) -> Analysis:
    """Follow every stream of the blob; with ``single`` only the first."""
    judge = Judge(persistent_ids=persistent_ids, max_issues=limits.issues)
    judge.keep_calls = limits.objects
    arrays = ArrayReader(blob.data, blob.end, judge)
    machine = Machine(blob.data, judge, end=blob.end, array_hook=arrays.hook)
    out = Analysis(end=0, blob=blob)
    pos = blob.start
    first: Value = Unk("nothing")
    roots: list[Value] = []
    faults: tuple[str, ...] = ()
    while pos < blob.end and out.streams < MAX_STREAMS:
        before = len(judge.issues)
        try:
            root, pos_after = machine.run(pos)
        except MachineError as error:
            out.error = error
            if out.streams == 0 or out.kind == "torch-legacy":
                break
            # What follows a complete stream need not be a pickle at all.
            _trailing(judge, blob, pos, error, active=len(judge.issues) > before)
            out.error = None
            break
        out.streams += 1
        _leftovers(judge, machine, root, pos_after - blob.start)
        pos = pos_after
        out.end = pos - blob.start
        if out.streams == 1:
            first = root
            faults = tuple(sorted(machine.faults))
            if root == TORCH_MAGIC:
                out.kind = "torch-legacy"
                judge.persistent_ids = "torch"
        if len(roots) < 8:
            roots.append(root)
        if single or (out.kind == "torch-legacy" and out.streams == 5):
            break
        if (
            pos < blob.end
            and blob.data[pos] in b"\x00\n\r \t"
            and blob.window(out.end, len(blob)).only(b"\x00\n\r \t")
        ):
            judge.add(
                ArtifactIssue(
                    rule="ART004",
                    message=f"{blob.end - pos} bytes of padding follow the pickle",
                    verdict="safe",
                    severity=Severity.INFO,
                    offset=out.end,
                )
            )
            break
    else:
        if pos < blob.end:
            judge.add(
                ArtifactIssue(
                    rule="ART003",
                    message=f"holds more than {MAX_STREAMS} pickle streams",
                    verdict="unreadable",
                    severity=Severity.HIGH,
                    offset=out.end,
                )
            )
    if arrays.count:
        out.kind = "joblib"
        _as_plain_pickle(judge, blob, arrays.ranges)
    if out.error is not None:
        judge.add(_error_issue(out.error, blob.start))
    if out.kind == "torch-legacy" and len(roots) > 3:
        first = roots[3]
    symbols = Symbols(judge.calls, items=256, data=blob.data)
    objects: tuple[ObjectFacts, ...] = symbols.objects()
    root_symbol: Symbol = symbols.symbol(first)
    out.active = bool(judge.globals) or judge.call_count > 0
    out.calls = judge.call_count
    out.anomalies = any(i.rule == "ART003" for i in judge.issues)
    out.facts = PickleFacts(
        protocol=max(machine.protocols, default=_implied_protocol(blob)),
        streams=out.streams,
        globals=tuple(judge.globals.values()),
        objects=objects,
        root=root_symbol,
        truncated=judge.call_count > len(judge.calls),
        joblib_arrays=arrays.count,
        joblib_aligned=arrays.aligned,
        companions=tuple(arrays.companions),
        persistent_ids=tuple(judge.persistent),
        code_objects=judge.code_objects,
        python2_strings=machine.python2_strings,
        extension_codes=tuple(judge.extensions),
        out_of_band_buffers=judge.buffers,
        protocols=tuple(machine.protocols),
        faults=faults,
    )
    out.issues = judge.issues
    out.verdict = judge.verdict
    return out


def _implied_protocol(blob: Blob) -> int:
    # Protocols 0 and 1 write no PROTO; binary opcodes tell protocol 1.
    head = blob.read(0, 512)
    return (
        1 if any(c in head for c in (b"q", b"}", b"]", b"K", b"X")) and b"p0\n" not in head else 0
    )


def _error_issue(error: MachineError, start: int) -> ArtifactIssue:
    if error.truncated:
        return ArtifactIssue(
            rule="ART015",
            message=f"is truncated: {error.message}",
            verdict="unreadable",
            severity=Severity.HIGH,
            offset=error.offset - start,
            what="loading fails, after running what stands before that place",
        )
    return ArtifactIssue(
        rule="ART003",
        message=f"is no well-formed pickle: {error.message}",
        verdict="unreadable",
        severity=Severity.HIGH,
        offset=error.offset - start,
        what="loading fails, after running what stands before that place",
    )


def _trailing(judge: Judge, blob: Blob, pos: int, error: MachineError, *, active: bool) -> None:
    size = blob.end - pos
    judge.add(
        ArtifactIssue(
            rule="ART004",
            message=f"{size} bytes that are no pickle follow the pickle",
            verdict="suspicious",
            severity=Severity.MEDIUM,
            offset=pos - blob.start,
            what="a second loader may read what this one ignores"
            + (", and what it reads is active" if active else ""),
            evidence=(("error", error.message),),
        )
    )


def _leftovers(judge: Judge, machine: Machine, root: Value, offset: int) -> None:
    """What no pickler writes: values left behind, containers that multiply when walked."""
    if machine.stack or machine.meta:
        judge.on_anomaly("values are left on the stack at the end", offset)
    if multiplies(root):
        judge.add(
            ArtifactIssue(
                rule="ART010",
                message="expands exponentially: its containers hold each other many times over",
                verdict="suspicious",
                severity=Severity.HIGH,
                offset=offset,
                what="printing, comparing or hashing the loaded object never ends",
            )
        )


_MAX_WALK = 20_000
_EXPANDED = 50_000_000


def multiplies(root: Value) -> bool:
    """True when walking the value as a tree takes far more steps than it has parts."""
    weights: dict[int, int] = {}
    state: dict[int, int] = {}
    back: dict[int, int] = {}
    stack: list[tuple[Value, bool]] = [(root, False)]
    steps = 0
    while stack and steps < _MAX_WALK:
        value, done = stack.pop()
        kind = type(value)
        if kind is tuple:
            parts: list[Value] = list(value[:256])
        elif kind is Lst:
            parts = value.items
        elif kind is Dct:
            parts = value.flat
        else:
            continue
        key = id(value)
        if done:
            state[key] = 2
            weight = 1
            for part in parts:
                weight += weights.get(id(part), 1) if type(part) in _CONTAINERS else 1
            weights[key] = min(weight, 1 << 62)
            if weight > _EXPANDED and weight > 2000 * steps:
                return True
            continue
        steps += 1
        if state.get(key):
            continue
        state[key] = 1
        stack.append((value, True))
        for part in parts:
            if type(part) not in _CONTAINERS or not part_size(part):
                continue
            if state.get(id(part)) == 1:
                back[id(part)] = back.get(id(part), 0) + 1
                if back[id(part)] > 1:
                    return True
            elif id(part) not in state:
                stack.append((part, False))
    return False


def part_size(value: Value) -> int:
    """How many items a container has, at least."""
    return len(value) if type(value) is tuple else value.least


_CONTAINERS = frozenset({tuple, Lst, Dct})


class _Quiet(Judge):
    """Judges only names that are imported from inside the raw bytes of arrays, and their use."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        super().__init__(max_issues=20)
        self._starts = [start for start, _ in ranges]
        self._ranges = ranges

    def _inside(self, offset: int) -> bool:
        index = bisect_right(self._starts, offset) - 1
        return index >= 0 and offset < self._ranges[index][1]

    def on_global(self, found: Glob) -> None:
        if self._inside(found.offset):
            super().on_global(found)

    def on_call(self, call: Call) -> None:
        if type(call.func) is Glob and self._inside(call.func.offset):
            super().on_call(call)

    def on_build(self, target: Value, state: Value, offset: int) -> None:
        if type(target) is Glob and self._inside(target.offset):
            super().on_build(target, state, offset)

    def on_add(self, target: Value, items: list[Value], how: str, offset: int) -> None:
        return

    def on_anomaly(self, message: str, offset: int) -> None:
        return

    def on_persistent(self, found: Pers) -> None:
        return

    def on_extension(self, code: int, offset: int) -> None:
        return


def _as_plain_pickle(judge: Judge, blob: Blob, ranges: list[tuple[int, int]]) -> None:
    """``pickle.load`` takes joblib's raw array bytes for opcodes, and may import or call by them."""
    quiet = _Quiet(sorted(ranges))
    machine = Machine(blob.data, quiet, end=blob.end)
    with contextlib.suppress(MachineError):
        machine.run(blob.start)
    for issue in quiet.issues:
        judge.add(
            ArtifactIssue(
                rule="ART004",
                message=f"array bytes are a payload for pickle.load: {issue.message}",
                verdict=issue.verdict,
                severity=Severity.CRITICAL,
                offset=issue.offset,
                what=issue.what,
                evidence=issue.evidence,
            )
        )
