"""ONNX models against the onnxruntime, OpenVINO or TensorRT of an environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.artifacts.onnx.facts import OnnxFacts

# Distributions that bring the module ``onnxruntime`` and follow its release numbers.
RUNTIMES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-silicon",
    "onnxruntime-training",
)


# Distributions that convert models themselves: which engine's table speaks for them.
ENGINES = {
    "openvino": "openvino",
    "tensorrt": "tensorrt",
    "tensorrt-cu11": "tensorrt",
    "tensorrt-cu12": "tensorrt",
    "tensorrt-cu13": "tensorrt",
}


def onnx_reasons(facts: ArtifactFacts, exact: Exact, loader: str = "onnx") -> Iterator[Reason]:
    """What keeps an ``InferenceSession`` of that environment, or the engine, from the model."""
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
    engine = next((n for n in ENGINES if exact.has(n)), None)
    if engine is not None and (name is None or loader in ENGINES.values()):
        yield from _engine_reasons(facts.onnx, exact, engine)
        return
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
    refused = "is refused" if outcome == "fails" else "may be refused"
    yield Reason(
        rule="CMP009",
        effect="load" if outcome == "fails" else "unknown",
        message=f"{refused} by {name} {chosen}: {'; '.join(reasons[:3])}",
        help=f"Pin {name} between {fitting[0]} and {fitting[1]}, or export the model again."
        if fitting
        else "Export the model again.",
        distribution=name,
    )


def _engine_reasons(facts: OnnxFacts, exact: Exact, name: str) -> Iterator[Reason]:
    from auditor.artifacts.onnx import engines

    judge = engines.openvino_reads if ENGINES[name] == "openvino" else engines.tensorrt_parses
    version = exact.version(name)
    title = {"openvino": "OpenVINO", "tensorrt": "TensorRT"}[ENGINES[name]]
    if version is None:
        results = {r: judge(facts, r) for r in engines.releases(ENGINES[name])}
        if {outcome for outcome, _ in results.values()} == {"loads"}:
            return
        last, (outcome, reasons) = next(reversed(results.items()))
        fails = {o for o, _ in results.values()} == {"fails"}
        yield Reason(
            rule="CMP009",
            effect="load" if fails else "unknown",
            message=f"is refused by {title}: {'; '.join(reasons[:3])}"
            if fails
            else f"depends on the version of {name}, which is not pinned: {last} "
            + ("takes it" if outcome == "loads" else f"does not ({'; '.join(reasons[:2])})"),
            help="Export the model again." if fails else f"Pin {name}.",
            distribution=name,
        )
        return
    outcome, reasons = judge(facts, version)
    if outcome == "loads":
        return
    yield Reason(
        rule="CMP009",
        effect="load" if outcome == "fails" else "unknown",
        message=f"is refused by {title} {version}: {'; '.join(reasons[:3])}"
        if outcome == "fails"
        else f"may be refused by {title} {version}: {'; '.join(reasons[:3])}",
        help=f"Pin a newer {name}, or export the model with operators that it has.",
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
