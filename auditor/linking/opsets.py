"""ONNX models against the onnxruntime of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts

# Distributions that bring the module ``onnxruntime`` and follow its release numbers.
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-silicon",
    "onnxruntime-training",
)


def onnx_reasons(facts: ArtifactFacts, exact: Exact) -> Iterator[Reason]:
    """What keeps an ``InferenceSession`` of that environment from opening the model."""
    if facts.onnx is None:
        yield Reason(
            rule="CMP009",
            effect="load",
            message=f"holds no complete ONNX model: the file is {facts.format}",
            error="InvalidProtobuf",
        )
        return
    from auditor.artifacts.onnx import runtime

    name = next((n for n in RUNTIMES if exact.has(n)), None)
    if name is None:
        yield Reason(
            rule="CMP009",
            effect="unknown",
            message="needs a runtime, and no onnxruntime is installed there",
            help="Pin onnxruntime.",
        )
        return
    version = exact.version(name)
    candidates = (version,) if version is not None else _admitted(exact, name)
    results = {c: runtime.opens(facts.onnx, c) for c in candidates}
    outcomes = {outcome for outcome, _ in results.values()}
    if outcomes <= {"loads", "warns"}:
        return
    if len(outcomes) > 1:
        good = [c for c, (outcome, _) in results.items() if outcome == "loads"]
        bad = next(c for c, (outcome, _) in results.items() if outcome != "loads")
        span = f"{good[0]} to {good[-1]} open it" if good else "none is known to open it"
        yield Reason(
            rule="CMP009",
            effect="unknown",
            message=f"depends on the version of {name}, which is not pinned: {span},"
            f" {bad} does not ({results[bad][1][0]})",
            help=f"Pin {name}.",
            distribution=name,
        )
        return
    chosen = candidates[-1]
    outcome, reasons = results[chosen]
    fitting = runtime.range_of(facts.onnx)
    yield Reason(
        rule="CMP009",
        effect="load" if outcome == "fails" else "unknown",
        message=f"is refused by {name} {chosen}: {'; '.join(reasons[:3])}",
        help=f"Pin {name} between {fitting[0]} and {fitting[1]}, or export the model again."
        if fitting
        else "Export the model again.",
        distribution=name,
    )


def _admitted(exact: Exact, name: str) -> tuple[str, ...]:
    """The releases that the environment's specifier leaves open, oldest first."""
    from auditor.artifacts.onnx import runtime

    releases = runtime.releases()
    specifier = exact.runtime.specifiers.get(name, "")
    if not specifier:
        return releases
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return releases
    return tuple(r for r in releases if allowed.contains(r)) or releases[-1:]
