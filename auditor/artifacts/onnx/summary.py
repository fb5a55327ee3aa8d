"""A model's facts for the JSON report, and as the lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.artifacts.onnx.facts import OnnxFacts, OnnxPort

_FLOATS = {"float": 4, "double": 8, "float16": 2, "bfloat16": 2}
_SHOWN = 12


def report(facts: OnnxFacts) -> dict[str, Any]:
    """The ``onnx`` object of an artifact in the JSON report. Sizes in bytes."""
    from auditor.artifacts.onnx import engines, runtime

    fitting = runtime.range_of(facts)
    converted = {name: engines.range_of(facts, name) for name in ("openvino", "tensorrt")}
    return {
        "ir_version": facts.ir_version,
        "opsets": {domain or "ai.onnx": version for domain, version in facts.opsets},
        "static": None if facts.damaged or _at_least(facts) else facts.staticness,
        "producer": facts.producer or None,
        "graph": facts.graph or None,
        "inputs": [_port(p) for p in facts.inputs],
        "outputs": [_port(p) for p in facts.outputs],
        "nodes": facts.nodes,
        "operators": dict(facts.operators[:50]),
        "functions": list(facts.functions[:50]),
        "custom_domains": list(facts.custom_domains),
        "parameters": facts.parameters,
        "bytes_by_type": dict(facts.bytes_by_type),
        "parameters_by_type": dict(facts.parameters_by_type),
        "quantised": list(facts.quantised),
        "sparsity": facts.sparsity,
        "int8_bytes": int8_size(facts),
        "external_data": [
            {"location": f.location, "bytes": f.bytes, "state": f.state} for f in facts.external[:50]
        ],
        "dynamic": [
            {"kind": p.kind, "operator": p.operator, "node": p.path, "by": p.by, "why": p.why,
             "axes": list(p.axes)}
            for p in facts.dynamic
        ],
        "defects": [
            {"kind": d.kind, "message": d.message, "node": d.path or None} for d in facts.defects[:50]
        ],
        "onnxruntime": {"oldest": fitting[0], "newest": fitting[1]} if fitting else None,
        **{
            name: {"oldest": found[0], "newest": found[1]} if found else None
            for name, found in converted.items()
        },
        "problems": list(facts.problems),
    }  # fmt: skip


def int8_size(facts: OnnxFacts) -> int:
    """About how many bytes the weights take once the floating-point ones are INT8."""
    total = 0
    for kind, size in facts.bytes_by_type:
        total += size // _FLOATS[kind] if kind in _FLOATS else size
    return total


def _port(port: OnnxPort) -> dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type,
        "shape": list(port.shape) if port.shape is not None else None,
        "static": port.staticness,
        "free_axes": list(port.free),
        "default": port.default,
    }


def lines(facts: OnnxFacts) -> list[str]:
    """The summary that ``scan`` prints under the file's name, one aspect a line."""
    from auditor.artifacts.onnx import runtime

    found: list[tuple[str, str]] = []
    if facts.damaged and not facts.nodes:
        return []
    opsets = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in facts.opsets)
    made = f"by {facts.producer}; " if facts.producer else ""
    found.append(("made", f"{made}IR {facts.ir_version}, {opsets or 'no operator set'}"))
    found += _ports("inputs", facts.inputs)
    found += _ports("outputs", facts.outputs)
    found.append(("size", _size(facts)))
    top = ", ".join(f"{name} {count}" for name, count in facts.operators[:6])
    more = f", {len(facts.operators) - 6} more kinds" if len(facts.operators) > 6 else ""
    found.append(("nodes", f"{facts.nodes:,} ({top}{more})"))
    bound = "at least " if _at_least(facts) else ""
    found.append(("static-ness", f"{bound}{facts.staticness}{_why(facts)}"))
    found += [("", f"{point.path}: {point.why}") for point in facts.dynamic[:_SHOWN]]
    if len(facts.dynamic) > _SHOWN:
        found.append(("", f"and {len(facts.dynamic) - _SHOWN} more nodes"))
    for file in facts.external[:5]:
        found.append(
            (
                "weights in",
                f"{file.location} ({human(file.bytes)}, {file.state or 'not looked up'})",
            )
        )
    if facts.custom_domains:
        found.append(("custom", ", ".join(facts.custom_domains[:8])))
    fitting = runtime.range_of(facts)
    if facts.unfollowed:
        found.append(("opens in", f"not known: {facts.unfollowed}"))
    elif fitting is None:
        _, reasons = runtime.opens(facts, runtime.releases()[-1])
        found.append(("opens in", f"no onnxruntime: {'; '.join(reasons[:2])}"))
    elif fitting[1] == runtime.releases()[-1]:
        found.append(("opens in", f"onnxruntime {fitting[0]} and later"))
    else:
        found.append(("opens in", f"onnxruntime {fitting[0]} to {fitting[1]}"))
    found += [("", text) for text in _engines(facts)]
    return [f"{title:<12}{text}" for title, text in found]


def _engines(facts: OnnxFacts) -> Iterator[str]:
    """What else opens it, of the engines whose releases are known."""
    from auditor.artifacts.onnx import engines

    for engine, name, judge in (
        ("openvino", "OpenVINO", engines.openvino_reads),
        ("tensorrt", "TensorRT", engines.tensorrt_parses),
    ):
        fitting = engines.range_of(facts, engine)
        newest = engines.releases(engine)[-1]
        if fitting is None:
            _, reasons = judge(facts, newest)
            yield f"no {name}: {'; '.join(reasons[:2])}"
        elif fitting[1] == newest:
            yield f"{name} {fitting[0]} and later"
        else:
            yield f"{name} {fitting[0]} to {fitting[1]}"


def _ports(title: str, ports: tuple[OnnxPort, ...]) -> list[tuple[str, str]]:
    shown = [
        (title if not index else "", shaped(port)) for index, port in enumerate(ports[:_SHOWN])
    ]
    if len(ports) > _SHOWN:
        shown.append(("", f"and {len(ports) - _SHOWN} more"))
    return shown or [(title, "none")]


def shaped(port: OnnxPort) -> str:
    """An input or output as text: ``input float[batch, 3, 224, 224]``."""
    kind = port.type or "untyped"
    if kind.startswith("tensor("):
        kind = kind[7:-1]
    if "(" in kind:
        sizes = ""
    elif port.shape is None:
        sizes = "[...]"
    else:
        sizes = f"[{', '.join('?' if d is None else str(d) for d in port.shape)}]"
    return f"{port.name} {kind}{sizes}{' (has a default)' if port.default else ''}"


def _at_least(facts: OnnxFacts) -> bool:
    """Whether what was not followed may be worse than what was."""
    return facts.unfollowed is not None and facts.staticness != "control-flow"


def _why(facts: OnnxFacts) -> str:
    if facts.staticness == "static":
        return ""
    places = [
        f"{port.name} axis {', '.join(map(str, port.free))}" if port.free else port.name
        for port in facts.inputs
        if port.staticness != "static"
    ]
    axes = ", ".join(places[:6]) + (" and more" if len(places) > 6 else "")
    if facts.staticness in ("batch-dynamic", "shape-dynamic"):
        return f": {axes}"
    count = sum(point.kind == facts.staticness for point in facts.dynamic)
    free = f"; free besides: {axes}" if axes else ""
    return f": {count} node{'' if count == 1 else 's'}{free}"


def _size(facts: OnnxFacts) -> str:
    weights = [(kind, size) for kind, size in facts.bytes_by_type if size]
    shown = ", ".join(f"{human(size)} {kind}" for kind, size in weights[:4]) or "no weights"
    text = f"{count(facts.parameters)} parameters, {shown}"
    if facts.quantised:
        text += f"; quantised ({', '.join(facts.quantised)})"
    elif sum(s for k, s in weights if k in _FLOATS) >= 1 << 20:
        text += f"; about {human(int8_size(facts))} as INT8"
    if facts.sparsity:
        text += f"; {facts.sparsity:.1%} zeros"
    return text


def human(size: int) -> str:
    """Bytes for people: ``97.5 MB``."""
    amount = float(size)
    for unit in ("bytes", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"


def count(number: int) -> str:
    """A number for people: ``25.6 M``."""
    for limit, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return str(number)
