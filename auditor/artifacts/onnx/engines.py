"""Will OpenVINO read the model, will TensorRT's parser take it: by tables of their real releases.

OpenVINO's releases were asked operator by operator, TensorRT's matrix is the one that its parser
publishes (``tools/make_onnx_engines.py``). Both convert the graph, so that one operator that they
do not have is enough; what lies between two releases of the table is decided where both agree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from auditor.artifacts.onnx import schema
from auditor.artifacts.onnx.facts import OnnxFacts, OperatorUse, Outcome

Verdict = tuple[Outcome, tuple[str, ...]]
# Defects that conversion does not look at.
_TOLERATED = frozenset(
    {"no-outputs", "opset-twice", "predict", "duplicate-name", "kernel", "gemm", "ir-missing"}
)


def openvino_reads(facts: OnnxFacts, release: str) -> Verdict:
    """(outcome, reasons) of reading the model with that release of OpenVINO."""
    return _between("openvino", release, lambda name: tuple(_openvino(facts, name)))


def tensorrt_parses(facts: OnnxFacts, release: str) -> Verdict:
    """(outcome, reasons) of building an engine from the model with that release of TensorRT."""
    return _between("tensorrt", release, lambda name: tuple(_tensorrt(facts, name)))


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
    if facts.ir_version is not None and facts.ir_version > table["ir"]:
        yield f"IR version {facts.ir_version}; OpenVINO {release} reads up to {table['ir']}"
    for use in facts.uses:
        yield from _converted(use, table, release)


def _converted(use: OperatorUse, table: dict[str, Any], release: str) -> Iterator[str]:
    title = f"{use.domain}.{use.operator}" if use.domain else use.operator
    if use.domain == "com.microsoft":
        if use.operator not in table["com.microsoft"]:
            yield f"OpenVINO {release} does not convert {title}"
        return
    if use.domain not in schema.STANDARD:
        yield f"{title} is a custom operator, which OpenVINO does not convert"
        return
    found = schema.lookup(use.domain, use.operator, use.version)
    if found is None:
        return
    entry = table["operators"].get(use.domain, {}).get(use.operator, {}).get(str(found.since))
    refused: dict[str, list[str]] = {}
    if isinstance(entry, dict):
        refused, entry = entry["refuses"], entry["is"]
    if entry == "no":
        yield f"OpenVINO {release} does not convert {title} of version {found.since}"
        return
    for index, actual in enumerate(use.inputs):
        formal = found.formal(index)
        if formal is not None and actual is not None and actual in refused.get(formal.type, ()):
            yield f"OpenVINO {release} does not convert {title} on {actual}"
            return


def _tensorrt(facts: OnnxFacts, release: str) -> Iterator[str]:
    table = _table()["tensorrt"][release]
    yield from _general(facts)
    for use in facts.uses:
        title = f"{use.domain}.{use.operator}" if use.domain else use.operator
        if use.domain == "ai.onnx.ml" or (not use.domain and use.operator in table["unsupported"]):
            yield f"TensorRT {release} does not convert {title}"
        elif any(t is not None and "string" in t for t in (*use.inputs, *use.outputs)):
            yield f"TensorRT {release} has no text, which {title} is given"
