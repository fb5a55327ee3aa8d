"""From a skimmed model to facts: what it declares, holds, and how static it is."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

from auditor.artifacts.onnx.facts import (
    Defect,
    DynamicPoint,
    ExternalFile,
    OnnxFacts,
    OnnxPort,
    Staticness,
)
from auditor.artifacts.onnx.infer import Interpreter
from auditor.artifacts.onnx.proto import DTYPES, Buffer, Graph, Model, Node, Port, Tensor, skim
from auditor.artifacts.onnx.schema import FLOATS, STANDARD
from auditor.artifacts.onnx.values import Sym, Value

# Weights looked at for zeros: bytes of one tensor, and of all.
_SAMPLE, _SAMPLES = 1 << 14, 1 << 20
_MOST_POINTS = 100
_RUNTIME_DOMAINS = frozenset(
    {"com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental", "ai.onnx.training",
     "com.ms.internal.nhwc", "com.microsoft.dml", "org.pytorch.aten"}
)  # fmt: skip
_QUANTISERS = {
    "QuantizeLinear": "QDQ",
    "DequantizeLinear": "QDQ",
    "DynamicQuantizeLinear": "dynamic",
    "MatMulInteger": "dynamic",
    "ConvInteger": "dynamic",
    "MatMulNBits": "weights",
    "MatMulBnb4": "weights",
    "GatherBlockQuantized": "weights",
}
_WORST: tuple[Staticness, ...] = (
    "static",
    "batch-dynamic",
    "shape-dynamic",
    "data-dependent",
    "control-flow",
)


def analyse(data: Buffer, start: int = 0, end: int | None = None) -> OnnxFacts:
    """Facts about the model in ``data[start:end]``; never raises on bad content."""
    model = skim(data, start, end)
    return facts_of(model, data)


def facts_of(model: Model, data: Buffer | None = None) -> OnnxFacts:
    """Facts about a skimmed model; ``data`` is needed for the share of zeros only."""
    graph = model.graph or Graph()
    interpreter = Interpreter(model)
    problems: dict[str, None] = {}
    if model.damage:
        problems[model.damage] = None
    elif model.graph is None:
        problems["it holds no graph"] = None
    else:
        try:
            interpreter.run()
        except Exception as error:  # A defect of ours must not hide what was read.
            problems[f"its graph could not be followed ({type(error).__name__}: {error})"] = None
    problems.update(interpreter.problems)
    points = tuple(interpreter.points.values())
    defaults = {t.name for t in graph.initializers}
    inputs = tuple(_input(p, p.name in defaults, interpreter.pinned) for p in graph.inputs)
    outputs = tuple(_output(p, interpreter.outputs.get(p.name)) for p in graph.outputs)
    label: Staticness = "static"
    for port in inputs:
        label = _worse(label, port.staticness)
    for point in points:
        label = _worse(label, point.kind)

    count: Counter[str] = Counter()
    training: dict[str, None] = {}
    quantised: dict[str, None] = {}
    tensors: list[Tensor] = []
    sizes: Counter[str] = Counter()
    elements: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for nodes, initializers in _blocks(model):
        tensors += initializers
        for node in nodes:
            domain = "" if node.domain == "ai.onnx" else node.domain
            count[f"{domain}.{node.operator}" if domain else node.operator] += 1
            kind = _QUANTISERS.get(node.operator)
            if kind is None and node.operator.startswith(("QLinear", "QAttention", "QGemm")):
                kind = "QOperator"
            if kind:
                quantised[kind] = None
            if node.domain == "ai.onnx.ml":
                # Trees and linear models keep their weights in attributes.
                for attribute in node.attributes.values():
                    if attribute.kind == FLOATS:
                        sizes["float"] += 4 * attribute.count
                        elements["float"] += attribute.count
            if _trains(node):
                training[node.label] = None
            tensors += [
                a.tensor
                for a in node.attributes.values()
                if a.tensor is not None and a.tensor.nbytes
            ]
    for node in graph.nodes:
        if node.name:
            named[node.name] += 1
    defects = list(_structure(model, graph, named)) + list(interpreter.defects.values())
    for tensor in tensors:
        kind_name = DTYPES.get(tensor.dtype, ("unknown", 0))[0]
        sizes[kind_name] += tensor.nbytes
        elements[kind_name] += max(tensor.size, 0)
    # Text that only spells settings is no weight.
    parameters = sum(elements[k] for k in elements if k not in ("string", "unknown"))
    functions = {(f.domain, f.name) for f in model.functions}
    domains = {
        n.domain for b, _ in _blocks(model) for n in b if (n.domain, n.operator) not in functions
    }
    custom = sorted(d for d in domains if d not in (*STANDARD, "ai.onnx", *_RUNTIME_DOMAINS))
    return OnnxFacts(
        ir_version=model.ir_version,
        opsets=tuple(("" if d == "ai.onnx" else d, v) for d, v in model.opsets),
        producer=" ".join(p for p in (model.producer, model.producer_version) if p)[:200],
        graph=graph.name[:200],
        inputs=inputs,
        outputs=outputs,
        nodes=sum(count.values()),
        operators=tuple(count.most_common(200)),
        functions=tuple(f"{f.domain}.{f.name}" if f.domain else f.name for f in model.functions),
        parameters=parameters,
        bytes_by_type=tuple(sorted(sizes.items(), key=lambda i: (-i[1], i[0]))),
        parameters_by_type=tuple(sorted(elements.items(), key=lambda i: (-i[1], i[0]))),
        external=_external(tensors),
        quantised=tuple(sorted(quantised)),
        sparsity=_sparsity(tensors, data) if data is not None else None,
        staticness=label,
        dynamic=tuple(sorted(points, key=_importance)[:_MOST_POINTS]),
        uses=interpreter.operator_uses(),
        custom_domains=tuple(custom),
        training=tuple(training)[:50],
        defects=tuple(defects[:200]),
        problems=tuple(problems),
        damaged=bool(model.damage) or model.graph is None,
    )


def _importance(point: DynamicPoint) -> tuple[int, int, str]:
    return (point.kind != "control-flow", point.by != "data", point.path)


def _worse(a: Staticness, b: Staticness) -> Staticness:
    return max(a, b, key=_WORST.index)


def _input(port: Port, default: bool, pinned: dict[str, int]) -> OnnxPort:
    label: Staticness = "static"
    free: list[int] = []
    kind = port.type or ""
    if default:
        pass
    elif kind.startswith("seq("):
        label = "shape-dynamic"
    elif kind.startswith("map("):
        pass
    elif port.shape is None:
        label = "shape-dynamic" if port.type is not None else "static"
    else:
        free = [
            axis
            for axis, dim in enumerate(port.shape)
            if not (isinstance(dim, int) and dim >= 0) and f"{port.name}:{axis}" not in pinned
        ]
        if free:
            label = "batch-dynamic" if free == [0] else "shape-dynamic"
    return OnnxPort(
        name=port.name,
        type=port.type,
        shape=port.shape,
        staticness=label,
        free=tuple(free),
        default=default,
    )


def _output(port: Port, value: Value | None) -> OnnxPort:
    """An output with the shape that was inferred, where its declaration says less."""
    label: Staticness = "static"
    shape = port.shape
    free: list[int] = []
    if value is not None:
        deps = value.shape_deps
        if any(what == "node" for what, _ in deps):
            label = "data-dependent"
        elif deps:
            label = "shape-dynamic"
        if value.shape is not None:
            free = [a for a, d in enumerate(value.shape) if isinstance(d, Sym) and d.deps]
            if label == "shape-dynamic" and free == [0]:
                label = "batch-dynamic"
            if shape is None or len(shape) != len(value.shape):
                shape = tuple(d if isinstance(d, int) else None for d in value.shape)
            else:
                shape = tuple(
                    mine if isinstance(mine, int) else theirs
                    for mine, theirs in zip(value.shape, shape, strict=True)
                )
    kind = port.type or (value.type if value is not None else None)
    return OnnxPort(name=port.name, type=kind, shape=shape, staticness=label, free=tuple(free))


def _blocks(model: Model) -> Iterator[tuple[list[Node], list[Tensor]]]:
    """Nodes and initialisers of the graph, its subgraphs and the functions, each once."""
    pending: list[tuple[list[Node], list[Tensor]]] = [(f.nodes, []) for f in model.functions]
    if model.graph is not None:
        pending.append((model.graph.nodes, model.graph.initializers))
    while pending:
        nodes, initializers = pending.pop()
        yield nodes, initializers
        for node in nodes:
            for attribute in node.attributes.values():
                graphs = (attribute.graph, *attribute.graphs)
                pending += [(g.nodes, g.initializers) for g in graphs if g is not None]


def _trains(node: Node) -> bool:
    if node.domain in ("ai.onnx.preview.training", "ai.onnx.training"):
        return True
    attribute = node.attributes.get("training_mode") or node.attributes.get("is_test")
    if attribute is not None and node.operator == "BatchNormalization":
        wanted = 1 if attribute.name == "training_mode" else 0
        return attribute.number == wanted and (wanted == 1 or len(node.outputs) > 1)
    return False


def _weights(model: Model, graph: Graph) -> Iterator[Defect]:
    """Weights that contradict themselves or the input of their name."""
    used = {name for nodes, _ in _blocks(model) for node in nodes for name in node.inputs}
    used |= {port.name for port in graph.outputs}
    declared = {port.name: port for port in graph.inputs}
    for tensor in graph.initializers:
        name = tensor.name
        if tensor.dtype not in DTYPES:
            yield Defect(
                kind="initializer-type",
                message=f"the weight {name!r} is of the unknown type {tensor.dtype}",
            )
        if tensor.mismatched and name in used:
            yield Defect(
                kind="initializer-size",
                message=f"the weight {name!r} holds another number of elements than its"
                f" dimensions {list(tensor.dims)} say",
            )
        port = declared.get(name)
        if port is None:
            continue
        if port.type is not None and tensor.type is not None and port.type != tensor.type:
            yield Defect(
                kind="type-error",
                message=f"the input {name!r} is {port.type}, its default is {tensor.type}",
            )
        sizes = port.shape
        if sizes is not None and (
            len(sizes) != len(tensor.dims)
            or any(isinstance(a, int) and a != b for a, b in zip(sizes, tensor.dims, strict=True))
        ):
            yield Defect(
                kind="type-error",
                message=f"the input {name!r} has another shape than its default",
            )


def _structure(model: Model, graph: Graph, named: Counter[str]) -> Iterator[Defect]:
    """What every runtime refuses about the model as a whole."""
    if model.damage or model.graph is None:
        yield Defect(kind="not-a-model", message=model.damage or "it holds no graph")
        return
    if model.ir_version is None:
        yield Defect(kind="ir-missing", message="it does not say its IR version")
    for name, times in named.items():
        if times > 1:
            yield Defect(kind="duplicate-name", message=f"{times} nodes are called {name!r}")
    made: Counter[str] = Counter(o for n in graph.nodes for o in n.outputs if o)
    given = {p.name for p in graph.inputs} | {t.name for t in graph.initializers}
    for name, times in made.items():
        if times > 1 or name in given:
            yield Defect(kind="duplicate-output", message=f"the value {name!r} is made twice")
    yield from _weights(model, graph)
    for name, times in Counter(p.name for p in graph.inputs).items():
        if times > 1:
            yield Defect(kind="duplicate-input", message=f"{times} inputs are called {name!r}")
    for function in model.functions:
        for node in function.nodes:
            for name, attribute in node.attributes.items():
                # A constant becomes a weight before anybody looks.
                if attribute.reference not in ("", name) and node.operator != "Constant":
                    yield Defect(
                        kind="attribute-reference",
                        message=f"the function {function.name!r} gives {attribute.reference!r} to"
                        f" {node.operator} as {name!r}",
                    )
    for port in graph.inputs:
        if port.type is None:
            yield Defect(kind="input-type", message=f"the input {port.name!r} has no type")
    if not graph.outputs:
        yield Defect(kind="no-outputs", message="the graph has no outputs")
    domains = Counter("" if d == "ai.onnx" else d for d, _ in model.opsets)
    for domain, times in domains.items():
        if times > 1:
            yield Defect(
                kind="opset-twice", message=f"it imports {domain or 'ai.onnx'} {times} times"
            )
    for tensor in graph.initializers:
        entries = tensor.external
        if entries is None or not tensor.is_external:
            yield from _payload(tensor)
        else:
            for key in ("offset", "length"):
                text = entries.get(key, "0")
                if not text.isdigit():
                    yield Defect(
                        kind="external-data",
                        message=f"the weight {tensor.name!r} has the {key} {text[:40]!r}",
                    )


def _payload(tensor: Tensor) -> Iterator[Defect]:
    """A weight whose bytes do not fit its dimensions."""
    known = DTYPES.get(tensor.dtype)
    if tensor.raw is None or known is None or not known[1] or tensor.sparse:
        return
    if any(d < 0 for d in tensor.dims):
        yield Defect(kind="initializer", message=f"the weight {tensor.name!r} has a negative size")
        return
    due = (tensor.size * known[1] + 7) // 8
    has = tensor.raw[1] - tensor.raw[0]
    if due != has:
        yield Defect(
            kind="initializer",
            message=f"the weight {tensor.name!r} holds {has} bytes where {due} are due",
        )


def _external(tensors: Iterable[Tensor]) -> tuple[ExternalFile, ...]:
    files: dict[str, list[int]] = {}
    for tensor in tensors:
        if tensor.external is None:
            continue
        offset = _number(tensor.external.get("offset"))
        places = [v for k, v in tensor.external.items() if k.partition(" ")[0] == "location"]
        for location in places or [""]:
            totals = files.setdefault(location, [0, 0, 0, 0])
            totals[0] += tensor.nbytes
            totals[1] += 1
            totals[2] = max(totals[2], offset + tensor.nbytes)
            totals[3] |= tensor.is_external
        if len(files) > 1000:
            break
    return tuple(
        ExternalFile(location=location, bytes=total, tensors=number, end=end, used=bool(used))
        for location, (total, number, end, used) in files.items()
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() and len(text) < 19 else 0


def _sparsity(tensors: Iterable[Tensor], data: Buffer) -> float | None:
    """The share of zeros in a bounded sample of the floating-point weights."""
    zeros = seen = 0
    left = _SAMPLES
    weights = [t for t in tensors if t.raw is not None and t.dtype in (1, 10, 11, 16)]
    # Evenly over the model: every n-th weight.
    for tensor in weights[:: 1 + len(weights) * _SAMPLE // _SAMPLES]:
        bits = DTYPES[tensor.dtype][1]
        if tensor.raw is None or left <= 0:
            continue
        width = bits // 8
        size = min(tensor.raw[1] - tensor.raw[0], _SAMPLE, left) // width * width
        if size <= 0:
            continue
        code = {2: "H", 4: "I", 8: "Q"}[width]
        words = array(code)
        if words.itemsize != width:
            continue
        words.frombytes(data[tensor.raw[0] : tensor.raw[0] + size])
        zeros += words.count(0)
        seen += len(words)
        left -= size
    return round(zeros / seen, 4) if seen else None
