"""Will a release of onnxruntime open the model: session creation on the CPU, default options.

The limits and kernels of each release were asked of the real packages
(``tools/make_onnx_tables.py``); what every release refuses was found while following the graph.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from auditor.artifacts.onnx import schema
from auditor.artifacts.onnx.facts import ExternalFile, OnnxFacts, OperatorUse, Outcome

# Defects that session creation does not look at.
_TOLERATED = frozenset(
    {"no-outputs", "reshape", "initializer", "opset-twice", "predict", "gemm",
     "attribute-reference"}
)  # fmt: skip
# Releases since which local functions are inlined, and since which paths may not leave the folder.
_FUNCTIONS_SINCE = (1, 11)
_CONFINED_SINCE = (1, 24)
# Since when absolute paths are followed, and weights that end too early noticed at once.
_ABSOLUTE_SINCE = (1, 19)
_MEASURED_SINCE = (1, 12)
# Since when a function may give an attribute on under another name.
_RENAMED_SINCE = (1, 13)
# Since when the inner sizes of a Gemm are compared; before, the first prediction fails.
_GEMM_SINCE = (1, 28)
_NEEDS_LOCALE = "StringNormalizer"


def opens(facts: OnnxFacts, onnxruntime_version: str) -> tuple[Outcome, tuple[str, ...]]:
    """(outcome, reasons) of creating an ``InferenceSession`` with that release, such as ``1.16.3``.

    ``loads`` when nothing known stands in the way, ``fails`` with what does, ``unknown`` when the
    release is newer or older than all that were asked and that matters, or when the graph could
    not be followed to its end.
    """
    wanted = _parts(onnxruntime_version)
    if not wanted:
        return "unknown", (f"onnxruntime {onnxruntime_version!r} is no release number",)
    releases = _releases()
    table = _release(wanted)
    reasons = list(_invariable(facts))
    if reasons:
        return "fails", _shortened(reasons)
    reasons = list(dict.fromkeys(_refusals(facts, table, wanted, onnxruntime_version)))
    if wanted[:2] > _parts(releases[-1])[:2] and reasons:
        return "unknown", (
            f"onnxruntime {onnxruntime_version} is newer than the tables; {releases[-1]} refuses: "
            + reasons[0],
        )
    if wanted[:2] < _parts(releases[0])[:2] and not reasons:
        return "unknown", (f"onnxruntime {onnxruntime_version} is older than the tables",)
    if reasons:
        return "fails", _shortened(reasons)
    if facts.unfollowed:
        return "unknown", (facts.unfollowed,)
    notes = tuple(
        "StringNormalizer needs the locale en_US.UTF-8, which slim images lack"
        for name, _ in facts.operators
        if name == _NEEDS_LOCALE
    )
    return "loads", notes[:1]


def oldest(facts: OnnxFacts) -> str | None:
    """The first release that was asked and opens it, None when none does."""
    return next((r for r in _releases() if opens(facts, r)[0] == "loads"), None)


def range_of(facts: OnnxFacts) -> tuple[str, str] | None:
    """(first, last) of the releases that open it, None when none does."""
    good = [r for r in _releases() if opens(facts, r)[0] == "loads"]
    return (good[0], good[-1]) if good else None


def releases() -> tuple[str, ...]:
    """The releases that were asked, oldest first."""
    return _releases()


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    from auditor.catalog import knowledge

    found: dict[str, Any] = knowledge("onnx_runtimes.json.gz")
    return found


@lru_cache(maxsize=1)
def _releases() -> tuple[str, ...]:
    return tuple(sorted(_table()["releases"], key=_parts))


@lru_cache(maxsize=256)
def _parts(version: str) -> tuple[int, ...]:
    found = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        found.append(int(digits[:6]))
    return tuple(found)


def _release(wanted: tuple[int, ...]) -> str:
    """The release asked that is nearest: of the same minor version, else the one before."""
    releases = _releases()
    same = [r for r in releases if _parts(r)[:2] == wanted[:2]]
    if same:
        return same[-1]
    index = bisect_right([_parts(r) for r in releases], wanted)
    return releases[max(index - 1, 0)]


def _shortened(reasons: list[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(reasons))
    return (*unique[:5], f"and {len(unique) - 5} more") if len(unique) > 6 else tuple(unique)


def _invariable(facts: OnnxFacts) -> Iterator[str]:
    """What every release refuses."""
    for defect in facts.defects:
        if defect.kind not in _TOLERATED:
            yield defect.message


def _refusals(facts: OnnxFacts, release: str, wanted: tuple[int, ...], name: str) -> Iterator[str]:
    limits = _table()["releases"][release]
    ir = facts.ir_version
    if ir is not None and ir > max(limits["ir"]):
        yield f"IR version {ir}; onnxruntime {name} reads up to {max(limits['ir'])}"
    if ir is not None and ir >= 3 and not facts.opsets:
        yield "it imports no operator set"
    for domain, version in facts.opsets:
        known = limits["opsets"].get(domain)
        if not known or domain.startswith(("com.ms.internal", "com.example")):
            continue
        if version > known[-1]:
            yield (
                f"opset {version} of {domain or 'ai.onnx'}; onnxruntime {name} knows up to"
                f" {known[-1]}"
            )
    if facts.functions and wanted < _FUNCTIONS_SINCE:
        yield f"it defines functions, which onnxruntime {name} does not know"
    if wanted >= _GEMM_SINCE:
        yield from (d.message for d in facts.defects if d.kind == "gemm")
    if wanted < _RENAMED_SINCE:
        yield from (d.message for d in facts.defects if d.kind == "attribute-reference")
    for file in facts.external:
        yield from _external(file, wanted, name)
    for use in facts.uses:
        yield from _operator(use, release, name)


def _external(file: ExternalFile, wanted: tuple[int, ...], name: str) -> Iterator[str]:
    if not file.used:
        return
    if file.state in ("missing", "outside-missing"):
        yield f"its weights {file.location!r} are not there"
    elif file.state == "outside" and wanted < _ABSOLUTE_SINCE and file.location.startswith("/"):
        yield f"its weights {file.location!r} are looked for below the model's directory"
    elif file.state == "short" and wanted >= _MEASURED_SINCE:
        yield f"its weights {file.location!r} end before the model's last tensor"
    elif file.state == "empty":
        yield "it names no file for its external weights"
    elif file.state == "reserved":
        yield f"its weights are said to lie in {file.location!r}, a name of the runtime's own"
    elif file.state == "outside" and wanted >= _CONFINED_SINCE:
        yield f"its weights {file.location!r} lie outside the model's directory"


def _operator(use: OperatorUse, release: str, name: str) -> Iterator[str]:
    title = f"{use.domain}.{use.operator}" if use.domain else use.operator
    if use.domain.startswith("com.microsoft"):
        if use.domain == "com.microsoft" and use.operator not in _contrib(release):
            yield f"onnxruntime {name} has no operator {title}"
        return
    if use.domain not in schema.STANDARD:
        yield f"{title} is a custom operator, which onnxruntime has not by itself"
        return
    found = schema.lookup(use.domain, use.operator, use.version)
    if found is None:
        own = not use.domain and use.operator in _contrib(release, "more")
        if use.version <= schema.newest(use.domain) and not own:
            yield f"there is no operator {title} in opset {use.version}"
        return
    history = _table()["kernels"].get(use.domain, {}).get(use.operator, {}).get(str(found.since))
    state = _at(history, release) if history else None
    if state is None:
        return
    if state == "unknown":
        yield f"onnxruntime {name} has no operator {title}"
        return
    if state == "none":
        yield f"onnxruntime {name} has no CPU kernel for {title} of version {found.since}"
        return
    for index, actual in enumerate(use.inputs):
        formal = found.formal(index)
        if formal is None or actual is None or formal.type not in state:
            continue
        if actual not in _spelled(tuple(state[formal.type])):
            yield (
                f"onnxruntime {name} has no CPU kernel for {title} of version {found.since}"
                f" on {actual}"
            )
            return
    if "never" in state:
        traits = schema.described(use, found)
        for combination in state["never"]:
            if traits.issuperset(combination):
                shown = ", ".join(map(schema.worded, combination))
                yield f"onnxruntime {name} does not take {title} with {shown}"
                return
    # What only the output settles: the target of a cast.
    target = use.outputs[0] if use.operator == "Cast" and use.outputs else None
    if target is not None and "T2" in state and target not in _casts(release):
        yield f"onnxruntime {name} has no CPU kernel that casts to {target}"


@lru_cache(maxsize=1024)
def _spelled(types: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(schema.spelled, types))


@lru_cache(maxsize=64)
def _casts(release: str) -> frozenset[str]:
    """What any version of Cast makes there: the kernels do not ask for the version."""
    states = [_at(h, release) for h in _table()["kernels"][""]["Cast"].values()]
    return frozenset(t for s in states if isinstance(s, dict) for t in s.get("T2", ()))


def _at(history: list[list[Any]], release: str) -> Any:
    """The state in that release: the last change up to it."""
    wanted = _parts(release)
    state: Any = None
    for since, value in history:
        if _parts(since) > wanted:
            break
        state = value
    return state


@lru_cache(maxsize=64)
def _contrib(release: str, kind: str = "com.microsoft") -> frozenset[str]:
    return frozenset(_table().get(kind, {}).get(release, ()))
