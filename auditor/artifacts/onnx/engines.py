"""Will OpenVINO read the model, will TensorRT's parser take it: by tables of their real releases.

OpenVINO's releases were asked operator by operator, TensorRT's matrix is the one that its parser
publishes (``tools/make_onnx_engines.py``). Both convert the graph, so that one operator that they
do not have is enough; what lies between two releases of the table is decided where both agree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from auditor.artifacts.onnx import schema
from auditor.artifacts.onnx.facts import OnnxFacts, OperatorUse, Outcome
from auditor.values import field, value

Verdict = tuple[Outcome, tuple[str, ...]]
# Defects that conversion does not look at.
_TOLERATED = frozenset(
    {"no-outputs", "opset-twice", "predict", "duplicate-name", "kernel", "gemm", "ir-missing",
     "op-deprecated", "attribute-reference"}
)  # fmt: skip


def openvino_reads(facts: OnnxFacts, release: str) -> Verdict:
    """(outcome, reasons) of compiling the model with that release of OpenVINO."""
    outcome, reasons = _between("openvino", release, lambda name: tuple(_openvino(facts, name)))
    if outcome == "loads":
        if facts.unfollowed:
            return "unknown", (facts.unfollowed,)
        table = _table()["openvino"][_up_to("openvino", release)[-1]]
        unsure = list(dict.fromkeys(n for use in facts.uses if (n := _unsure(use, table))))
        if unsure:
            return "unknown", (f"it refuses some uses of {', '.join(unsure[:4])}",)
    return outcome, reasons


@value
class _Row:
    """What one release does with one version of an operator.

    ``never``: combinations of traits that only refused uses have.
    """

    state: str = "yes"
    refuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    never: tuple[frozenset[str], ...] = ()


def _row(use: OperatorUse, found: schema.Schema, table: dict[str, Any]) -> _Row | None:
    entry = table["operators"].get(use.domain, {}).get(use.operator, {}).get(str(found.since))
    if not isinstance(entry, dict):
        return _Row(state=entry) if entry else None
    return _Row(
        state=entry["is"],
        refuses=entry.get("refuses", {}),
        never=tuple(map(frozenset, entry.get("never", ()))),
    )


def _unsure(use: OperatorUse, table: dict[str, Any]) -> str | None:
    """An operator of which no use was seen to convert, and whose refusals have other reasons."""
    found = schema.lookup(use.domain, use.operator, use.version)
    if found is None or use.domain not in schema.STANDARD:
        return None
    row = _row(use, found, table)
    unsure = row is not None and row.state == "unsure"
    return f"{use.operator} of version {found.since}" if unsure else None


def tensorrt_parses(facts: OnnxFacts, release: str) -> Verdict:
    """(outcome, reasons) of building an engine from the model with that release of TensorRT."""
    outcome, reasons = _between("tensorrt", release, lambda name: tuple(_tensorrt(facts, name)))
    limit = max(_table()["tensorrt"][r]["opset"] for r in _up_to("tensorrt", release))
    opset = facts.opset("")
    if outcome == "loads" and opset is not None and opset > limit:
        # The parser reads on, and stumbles where an operator has changed.
        return "unknown", (f"opset {opset} of ai.onnx; it supports up to {limit}",)
    if outcome == "loads" and facts.unfollowed:
        return "unknown", (facts.unfollowed,)
    return outcome, reasons


def _up_to(engine: str, release: str) -> tuple[str, ...]:
    known = releases(engine)
    wanted = _parts(release)[:2]
    return tuple(r for r in known if _parts(r)[:2] <= wanted) or known[:1]


def releases(engine: str) -> tuple[str, ...]:
    """The releases of the table, oldest first."""
    return tuple(sorted(_table()[engine], key=_parts))


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    from auditor.catalog import knowledge

    found: dict[str, Any] = knowledge("onnx_engines.json.gz")
    return found


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(p) for p in version.split(".") if p.isdigit())


def _between(engine: str, release: str, refusals: Callable[[str], tuple[str, ...]]) -> Verdict:
    wanted = _parts(release)
    if not wanted:
        return "unknown", (f"{engine} {release!r} is no release number",)
    known = releases(engine)
    same = next((r for r in known if _parts(r)[:2] == wanted[:2]), None)
    if same is not None:
        exact = refusals(same)
        return ("fails", _shown(exact)) if exact else ("loads", ())
    index = bisect_right([_parts(r) for r in known], wanted)
    below = refusals(known[index - 1]) if index else None
    above = refusals(known[index]) if index < len(known) else ()
    if above and below != ():
        # A newer release refuses it still.
        return "fails", _shown(above)
    if below is None:
        return "unknown", (f"{engine} {release} is older than the tables",)
    if not below and not above:
        return "loads", ()
    name, first = (known[index - 1], below) if below else (known[index], above)
    return "unknown", (f"{engine} {name} refuses it: {first[0]}",)


def _shown(reasons: tuple[str, ...]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(reasons))
    return (*unique[:5], f"and {len(unique) - 5} more") if len(unique) > 6 else unique


def _general(facts: OnnxFacts) -> Iterator[str]:
    for defect in facts.defects:
        if defect.kind not in _TOLERATED:
            yield defect.message
    for file in facts.external:
        if file.used and file.state in ("missing", "outside-missing", "short", "empty", "reserved"):
            yield f"its weights {file.location!r} are not there"


def _openvino(facts: OnnxFacts, release: str) -> Iterator[str]:
    table = _table()["openvino"][release]
    yield from _general(facts)
    if facts.functions and not table.get("functions", True):
        yield "it defines functions"
    if facts.ir_version is not None and facts.ir_version > table["ir"]:
        yield f"IR version {facts.ir_version}; it reads up to {table['ir']}"
    yield from _unconverted(_lacked(use, table) for use in facts.uses)


def _unconverted(names: Iterable[str | None]) -> Iterator[str]:
    """One reason for all operators."""
    lacked = list(dict.fromkeys(name for name in names if name))
    if lacked:
        more = f" and {len(lacked) - 4} more" if len(lacked) > 4 else ""
        yield f"does not convert {', '.join(lacked[:4])}{more}"


def _lacked(use: OperatorUse, table: dict[str, Any]) -> str | None:
    """The operator, with what it is used on where that is what is lacked; None when it converts."""
    title = f"{use.domain}.{use.operator}" if use.domain else use.operator
    if use.domain == "com.microsoft":
        return None if use.operator in table["com.microsoft"] else title
    if use.domain not in schema.STANDARD:
        return f"the custom operator {title}"
    found = schema.lookup(use.domain, use.operator, use.version)
    if found is None:
        return None
    row = _row(use, found, table)
    if row is None:
        return None
    if row.state == "no":
        return f"{title} of version {found.since}"
    for index, actual in enumerate(use.inputs):
        formal = found.formal(index)
        if formal is not None and actual is not None and actual in row.refuses.get(formal.type, ()):
            return f"{title} on {actual}"
    traits = schema.described(use, found) if row.never else frozenset()
    for combination in row.never:
        if combination <= traits:
            return f"{title} with {', '.join(map(schema.worded, sorted(combination)))}"
    return None


def _tensorrt(facts: OnnxFacts, release: str) -> Iterator[str]:
    yield from _general(facts)
    table = _table()["tensorrt"][release]
    yield from _unconverted(_missing(use, table) for use in facts.uses)


def _missing(use: OperatorUse, table: dict[str, Any]) -> str | None:
    title = f"{use.domain}.{use.operator}" if use.domain else use.operator
    if use.domain or use.operator in table["unsupported"]:
        # What is not in ai.onnx is looked for among the plugins.
        return title if use.domain in ("", *schema.STANDARD) else f"the custom operator {title}"
    for kind in (*use.inputs, *use.outputs):
        if kind is not None and kind.startswith("tensor(") and kind not in table["types"]:
            return f"{title} on {kind}"
    free = [i for i in table["fixed"].get(use.operator, ()) if f"#{i} free" in use.traits]
    return f"{title} with {schema.worded(f'#{free[0]} free')}" if free else None


def range_of(facts: OnnxFacts, engine: str) -> tuple[str, str] | None:
    """(first, last) of the releases of the table that take the model, None when none does."""
    judge = openvino_reads if engine == "openvino" else tensorrt_parses
    good = [r for r in releases(engine) if judge(facts, r)[0] == "loads"]
    return (good[0], good[-1]) if good else None
