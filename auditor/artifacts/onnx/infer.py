"""Runs a graph over abstract tensors: which shapes, and which control flow, hang on what.

Functions are followed call by call, subgraphs with what they capture. An operator that nobody
described gives outputs of unknown shape which still depend on nothing but its inputs' shapes, so
that ignorance of a number is never taken for dynamism.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.artifacts.onnx import schema
from auditor.artifacts.onnx.facts import Defect, DynamicPoint, OperatorUse
from auditor.artifacts.onnx.proto import Attribute, Function, Graph, Model, Node, Port, Tensor
from auditor.artifacts.onnx.values import (
    NONE,
    Deps,
    Dim,
    Elem,
    Sym,
    Symbols,
    Value,
    deps_of,
    join,
    union,
)
from auditor.values import field, record, replace

# Nodes visited, functions and loop bodies counted each time they are followed.
MAX_VISITS = 400_000
MAX_CALLS = 60
_MAX_POINTS = 2_000


@record
class Frame:
    """One scope: names of values, imports, and attributes given to the function around it."""

    values: dict[str, Value]
    parent: Frame | None
    path: str
    imports: dict[str, int]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    calls: tuple[tuple[str, str, str], ...] = ()

    def find(self, name: str) -> Value | None:
        frame: Frame | None = self
        while frame is not None:
            found = frame.values.get(name)
            if found is not None:
                return found
            frame = frame.parent
        return None


class BudgetError(Exception):
    """The budget of visits is spent."""


class Interpreter:
    """Follows one model. Read the public attributes after ``run``."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.symbols = Symbols()
        self.points: dict[tuple[str, str], DynamicPoint] = {}
        self.defects: dict[tuple[str, str, str], Defect] = {}
        self.uses: dict[tuple[object, ...], list[object]] = {}
        self.problems: dict[str, None] = {}
        self.outputs: dict[str, Value] = {}
        # Free axes that a constant in the graph ties to one size, as ``input:axis`` → size.
        self.pinned: dict[str, int] = {}
        self.visits = 0
        # Types that the main graph declares for what its nodes make.
        self.declarations: dict[str, str] = {}
        self.functions: dict[tuple[str, str, str], Function] = {}
        for function in model.functions:
            key = (_domain(function.domain), function.name, function.overload)
            self.functions.setdefault(key, function)

    # -- entry ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Follow the main graph; whatever stops it goes into ``problems``."""
        graph = self.model.graph
        if graph is None:
            return
        imports = {_domain(d): v for d, v in self.model.opsets}
        if not self.model.opsets and (self.model.ir_version or 0) < 3:
            imports = {"": 1}
        self.declarations = {
            port.name: port.type
            for port in (*graph.value_info, *graph.outputs)
            if port.type is not None and port.type.startswith("tensor(")
        }
        values: dict[str, Value] = {}
        defaults = {t.name for t in graph.initializers}
        for port in graph.inputs:
            if port.name not in defaults:
                values[port.name] = self.input(port)
        for tensor in graph.initializers:
            values[tensor.name] = constant(tensor)
        frame = Frame(values=values, parent=None, path="", imports=imports)
        try:
            self.block(graph.nodes, frame)
        except BudgetError:
            self.problems["its functions and subgraphs expand to more nodes than are followed"] = (
                None
            )
        except RecursionError:
            self.problems["it is nested too deeply to be followed"] = None
        for port in graph.outputs:
            found = frame.find(port.name)
            if found is not None:
                self.outputs[port.name] = found
            elif not self.problems:
                self.defect(
                    "invalid-graph", f"the graph's output {port.name!r} is made by no node", ""
                )

    def input(self, port: Port) -> Value:
        """The value of a graph input, of which only the declaration is known."""
        data: Deps = frozenset({("data", port.name)})
        kind = port.type or ""
        if kind.startswith(("seq(", "map(", "optional(")):
            length = None
            if kind.startswith("seq("):
                length = self.symbols.fresh(frozenset({("axis", f"{port.name}:length")}))
            inner = self.declared(port)
            value = Value(inner, type=port.type, content=data, length=length)
            if kind.startswith("map("):
                value.rank = NONE
            elif inner is None:
                value.rank = frozenset({("axis", f"{port.name}:rank")})
            return value
        if port.shape is None:
            rank = NONE if port.type is None else frozenset({("axis", f"{port.name}:rank")})
            return Value(None, type=port.type, content=data, rank=rank)
        shape = self.declared(port) or ()
        value = Value(shape, type=port.type, content=data)
        size = value.size
        if size is not None and 0 < size <= 16 and kind in _WHOLE:
            value.elems = tuple(self.symbols.fresh(data, positive=False) for _ in range(size))
        return value

    def declared(self, port: Port) -> tuple[Dim, ...] | None:
        if port.shape is None:
            return None
        dims: list[Dim] = []
        for axis, dim in enumerate(port.shape):
            if isinstance(dim, int) and dim >= 0:
                dims.append(dim)
                continue
            deps: Deps = frozenset({("axis", f"{port.name}:{axis}")})
            if isinstance(dim, str):
                # Equal names mean equal sizes; the first axis of that name stands for it.
                dims.append(self._symbolic(dim, deps))
            else:
                dims.append(self.symbols.fresh(deps))
        return tuple(dims)

    def _symbolic(self, name: str, deps: Deps) -> Sym:
        found = self.symbols._made.get(("declared", name))
        if found is None:
            found = self.symbols.named("declared", name, deps=deps)
        return found

    # -- bookkeeping ---------------------------------------------------------------------------

    def defect(self, kind: str, message: str, path: str) -> None:
        if len(self.defects) < 200:
            self.defects.setdefault(
                (kind, message, path), Defect(kind=kind, message=message[:400], path=path)
            )

    def point(
        self, kind: str, node: Node, path: str, deps: Deps, why: str, *, by_data: bool
    ) -> None:
        if len(self.points) >= _MAX_POINTS:
            return
        self.points[kind, path] = DynamicPoint(
            kind="control-flow" if kind == "control-flow" else "data-dependent",
            operator=node.operator,
            path=path,
            by="data" if by_data else "shape",
            why=why,
            axes=tuple(sorted(name for what, name in deps if what == "axis")),
        )

    def shaped(self, deps: Deps, node: Node, path: str) -> Deps:
        """What a shape depends on that is made from contents with these dependencies."""
        if not any(what == "data" for what, _ in deps):
            return deps
        sources = sorted(name for what, name in deps if what == "data")
        self.point(
            "data-dependent",
            node,
            path,
            deps,
            f"its output's shape depends on the contents of {', '.join(map(repr, sources[:3]))}",
            by_data=True,
        )
        return frozenset(d for d in deps if d[0] != "data") | {("node", path)}

    def dim(self, item: Elem, node: Node, path: str) -> Dim:
        """An element used as a size."""
        if isinstance(item, Sym):
            deps = self.shaped(item.deps, node, path)
            if deps is item.deps and item.positive:
                return item
            return self.symbols.named("size", item.ident, path, deps=deps)
        return int(item) if isinstance(item, int | float) else 0

    # -- blocks --------------------------------------------------------------------------------

    def block(self, nodes: Sequence[Node], frame: Frame) -> None:
        for node in self.ordered(nodes, frame):
            self.visits += 1
            if self.visits > MAX_VISITS:
                raise BudgetError
            self.node(node, frame)

    def ordered(self, nodes: Sequence[Node], frame: Frame) -> Sequence[Node]:
        """The nodes so that each follows what it takes; runtimes sort them, too."""
        makers = {name: index for index, node in enumerate(nodes) for name in node.outputs if name}
        wanted = [[makers[n] for n in node.inputs if n in makers] for node in nodes]
        if all(maker < index for index, makes in enumerate(wanted) for maker in makes):
            return nodes
        takers: list[list[int]] = [[] for _ in nodes]
        missing = [len(makes) for makes in wanted]
        for index, makes in enumerate(wanted):
            for maker in makes:
                takers[maker].append(index)
        ready = [index for index, count in enumerate(missing) if not count]
        order = []
        while ready:
            index = ready.pop()
            order.append(nodes[index])
            for taker in takers[index]:
                missing[taker] -= 1
                if not missing[taker]:
                    ready.append(taker)
        if len(order) < len(nodes):
            self.defect("cycle", "its nodes wait for each other", frame.path)
            return nodes
        return order

    def node(self, node: Node, frame: Frame) -> None:
        path = f"{frame.path} > {node.label}" if frame.path else node.label
        if frame.attributes or any(a.reference for a in node.attributes.values()):
            node = _resolve(node, frame)
        domain = _domain(node.domain)
        inputs: list[Value | None] = []
        for name in node.inputs:
            value = frame.find(name) if name else None
            if name and value is None:
                self.defect(
                    "undefined-input",
                    f"{node.label}: its input {name!r} is no input, initialiser or earlier output",
                    path,
                )
                value = Value(None)
            inputs.append(value)
        function = self.functions.get((domain, node.operator, node.overload))
        version = frame.imports.get(domain)
        outputs: list[Value]
        if function is not None:
            if version is None and not frame.calls:
                self.defect(
                    "opset-import-missing",
                    f"{node.label}: the model imports no version of {domain or 'ai.onnx'}",
                    path,
                )
            outputs = self.call(function, node, inputs, frame, path)
        else:
            outputs = self.operator(node, domain, version, inputs, frame, path)
        for name, value in zip(node.outputs, outputs, strict=False):
            if name:
                frame.values[name] = value
                declared = self.declarations.get(name) if frame.parent is None else None
                if declared and value.type and declared != value.type and not frame.calls:
                    self.defect(
                        "type-error",
                        f"{node.label}: {name!r} is declared {declared} and comes out as {value.type}",
                        path,
                    )

    def operator(
        self,
        node: Node,
        domain: str,
        version: int | None,
        inputs: list[Value | None],
        frame: Frame,
        path: str,
    ) -> list[Value]:
        found: list[Value] | None = None
        if domain == "" and node.operator in ("If", "Loop", "Scan", "SequenceMap"):
            found = self.control(node, version or 0, inputs, frame, path)
        else:
            from auditor.artifacts.onnx.operators import transfer

            found = transfer(self, node, domain, version or 0, inputs, path)
        if found is None:
            found = self.generic(node, domain, inputs, path)
        while len(found) < len(node.outputs):
            contents, shapes = union(inputs)
            found.append(Value(None, content=join(contents, shapes), rank=shapes))
        self.typed(node, domain, version, inputs, found, path)
        return found

    def generic(
        self, node: Node, domain: str, inputs: Sequence[Value | None], path: str
    ) -> list[Value]:
        """Outputs of an operator that is not described: shapes hang on shapes only."""
        from auditor.artifacts.onnx.operators import RANDOM, SHAPE_INPUTS

        contents, shapes = union(inputs)
        rank = shapes
        for index in SHAPE_INPUTS.get(node.operator, ()):
            value = inputs[index] if index < len(inputs) else None
            if value is not None:
                rank = join(rank, self.shaped(value.content, node, path))
        content = join(contents, shapes)
        if node.operator in RANDOM:
            content = join(content, frozenset({("data", path)}))
        return [Value(None, content=content, rank=rank) for _ in node.outputs]

    def typed(
        self,
        node: Node,
        domain: str,
        version: int | None,
        inputs: list[Value | None],
        outputs: list[Value],
        path: str,
    ) -> None:
        """Set output types, check the node against its schema, count its use."""
        kinds = tuple(v.type if v is not None else None for v in inputs)
        if version is None and domain in schema.STANDARD:
            self.defect(
                "opset-import-missing",
                f"{node.label}: the model imports no version of {domain or 'ai.onnx'}",
                path,
            )
        found = (
            schema.lookup(domain, node.operator, version)
            if version is not None and domain in schema.STANDARD
            else None
        )
        if found is not None:
            for kind, message in schema.faults(node, found):
                self.defect(kind, message, path)
            if (
                node.operator == "Split"
                and not domain
                and found.since >= 18
                and len(node.inputs) < 2
                and "num_outputs" not in node.attributes
            ):
                self.defect("shape-error", f"{node.label}: it is not told how to split", path)
            layout = node.attributes.get("layout")
            if layout is not None and layout.number and node.operator in ("GRU", "LSTM", "RNN"):
                self.defect(
                    "kernel",
                    f"{node.label}: onnxruntime runs no {node.operator} with layout 1",
                    path,
                )
            given, faults = schema.types(node, found, kinds)
            for kind, message in faults:
                self.defect(kind, message, path)
            for value, kind_ in zip(outputs, given, strict=False):
                if value.type is None or kind_ is not None:
                    value.type = kind_ if kind_ is not None else value.type
        constant_ = bool(inputs) and all(
            v is None or (not v.content and not v.shape_deps and v.shape is not None)
            for v in inputs
        )
        key = (
            domain,
            node.operator,
            version,
            kinds,
            tuple(v.type for v in outputs[: len(node.outputs)]),
            constant_,
            _traits(node, inputs),
        )
        use = self.uses.get(key)
        if use is None:
            if len(self.uses) < 20_000:
                self.uses[key] = [1, path]
        else:
            use[0] = int(str(use[0])) + 1

    def operator_uses(self) -> tuple[OperatorUse, ...]:
        """How the operators are used, each way once."""
        return tuple(
            OperatorUse(
                domain=key[0],  # type: ignore[arg-type]
                operator=key[1],  # type: ignore[arg-type]
                version=key[2] if isinstance(key[2], int) else 0,
                inputs=key[3],  # type: ignore[arg-type]
                outputs=key[4],  # type: ignore[arg-type]
                constant=bool(key[5]),
                traits=key[6],  # type: ignore[arg-type]
                count=use[0],  # type: ignore[arg-type]
                path=use[1],  # type: ignore[arg-type]
            )
            for key, use in self.uses.items()
        )

    # -- functions -----------------------------------------------------------------------------

    def call(
        self,
        function: Function,
        node: Node,
        inputs: list[Value | None],
        frame: Frame,
        path: str,
    ) -> list[Value]:
        key = (_domain(function.domain), function.name, function.overload)
        if key in frame.calls or len(frame.calls) >= MAX_CALLS:
            self.defect("recursive-function", f"the function {function.name!r} calls itself", path)
            return self.generic(node, "", inputs, path)
        values: dict[str, Value] = {
            name: value
            for name, value in zip(function.inputs, inputs, strict=False)
            if value is not None
        }
        for name in function.inputs:
            # A left-out optional input is there under its name, as nothing.
            values.setdefault(name, Value((), elems=None))
        imports = {_domain(d): v for d, v in function.opsets}
        inner = Frame(
            values=values,
            parent=None,
            path=path,
            # The runtime resolves what a function uses by the model's imports.
            imports={**imports, **frame.imports},
            attributes={**function.defaults, **node.attributes},
            calls=(*frame.calls, key),
        )
        self.block(function.nodes, inner)
        contents, shapes = union(inputs)
        return [
            inner.values.get(name) or Value(None, content=join(contents, shapes), rank=shapes)
            for name in function.outputs
        ]

    # -- control flow --------------------------------------------------------------------------

    def control(
        self,
        node: Node,
        version: int,
        inputs: list[Value | None],
        frame: Frame,
        path: str,
    ) -> list[Value] | None:
        if node.operator == "If":
            return self.branch(node, inputs, frame, path)
        if node.operator == "Loop":
            return self.loop(node, inputs, frame, path)
        if node.operator == "Scan":
            return self.scan(node, version, inputs, frame, path)
        return self.sequence_map(node, inputs, frame, path)

    def subgraph(
        self, graph: Graph, given: Sequence[Value], frame: Frame, path: str
    ) -> list[Value]:
        values = dict(zip((p.name for p in graph.inputs), given, strict=False))
        for port in graph.inputs[len(given) :]:
            values[port.name] = Value(None, type=port.type)
        for port in graph.inputs:
            if values[port.name].type is None:
                values[port.name].type = port.type
        for tensor in graph.initializers:
            values[tensor.name] = constant(tensor)
        inner = Frame(
            values=values,
            parent=frame,
            path=path,
            imports=frame.imports,
            attributes=frame.attributes,
            calls=frame.calls,
        )
        self.block(graph.nodes, inner)
        found = []
        for port in graph.outputs:
            value = inner.find(port.name)
            if value is None:
                self.defect("invalid-graph", f"its output {port.name!r} is made by no node", path)
                value = Value(None)
            found.append(value)
        return found

    def branch(
        self, node: Node, inputs: list[Value | None], frame: Frame, path: str
    ) -> list[Value]:
        condition = inputs[0] if inputs else None
        deps = condition.content if condition is not None else NONE
        known = condition.one() if condition is not None else None
        graphs = {
            name: attribute.graph
            for name in ("then_branch", "else_branch")
            if (attribute := node.attributes.get(name)) is not None and attribute.graph is not None
        }
        chosen: list[str] = list(graphs)
        decided = known is not None and not isinstance(known, Sym)
        if decided:
            chosen = ["then_branch" if known else "else_branch"]
        elif deps:
            by_data = any(what != "axis" for what, _ in deps)
            self.point(
                "control-flow",
                node,
                path,
                deps,
                "which branch runs depends on "
                + (_sources(deps) if by_data else f"the size of {_sources(deps)}"),
                by_data=by_data,
            )
        results: list[list[Value]] = []
        for name in graphs:
            if name in chosen:
                results.append(self.subgraph(graphs[name], (), frame, f"{path} > {name}"))
            else:
                self.dead(graphs[name], frame, f"{path} > {name}")
        if not results:
            return []
        if len(results) == 1:
            return results[0]
        if len(results[0]) != len(results[1]):
            self.defect(
                "invalid-graph",
                f"{node.label}: its branches give different numbers of outputs",
                path,
            )
        for a, b in zip(*results, strict=False):
            if a.type and b.type and a.type != b.type:
                self.defect(
                    "type-error", f"{node.label}: its branches give {a.type} and {b.type}", path
                )
        made = frozenset(("node", path) if what == "data" else (what, name) for what, name in deps)
        return [
            self.merge(a, b, made, deps, path, n)
            for n, (a, b) in enumerate(zip(*results, strict=False))
        ]

    def dead(self, graph: Graph, frame: Frame, path: str) -> None:
        """A branch that never runs is still checked by the runtime, but decides nothing."""
        points = dict(self.points)
        self.subgraph(graph, (), frame, path)
        self.points = points

    def merge(self, a: Value, b: Value, made: Deps, content: Deps, path: str, n: int) -> Value:
        """Either of two values; a shape that differs depends on who chooses."""
        deps = join(a.content, b.content, content)
        kind = a.type or b.type
        if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
            rank = join(a.shape_deps, b.shape_deps)
            if a.shape is not None or b.shape is not None:
                rank = join(rank, made)
            return Value(None, type=kind, content=deps, rank=rank)
        dims: list[Dim] = []
        for axis, (x, y) in enumerate(zip(a.shape, b.shape, strict=True)):
            if x is y or (not isinstance(x, Sym) and not isinstance(y, Sym) and x == y):
                dims.append(x)
            else:
                both = join(deps_of(x), deps_of(y), made)
                dims.append(self.symbols.named("either", path, n, axis, deps=both))
        same = (
            a.elems is not None
            and b.elems is not None
            and len(a.elems) == len(b.elems)
            and all(
                x is y or (not isinstance(x, Sym) and not isinstance(y, Sym) and x == y)
                for x, y in zip(a.elems, b.elems, strict=True)
            )
        )
        length = a.length if a.length is b.length or a.length == b.length else None
        if length is None and (a.length is not None or b.length is not None):
            parts = [deps_of(v) for v in (a.length, b.length) if v is not None]
            length = self.symbols.named("either", path, n, "length", deps=join(made, *parts))
        return Value(
            tuple(dims),
            type=kind,
            content=deps,
            elems=a.elems if same else None,
            length=length,
        )

    def loop(self, node: Node, inputs: list[Value | None], frame: Frame, path: str) -> list[Value]:
        attribute = node.attributes.get("body")
        body = attribute.graph if attribute is not None else None
        if body is None:
            return []
        trips = inputs[0] if inputs else None
        first = inputs[1] if len(inputs) > 1 else None
        states: list[Value] = [v if v is not None else Value(None) for v in inputs[2:]]
        count = len(states)
        if (first is not None and first.one() is False) or (
            trips is not None and trips.elems is not None and trips.one() == 0
        ):
            return states  # It never runs.
        trip_deps = join(
            trips.content if trips is not None else NONE,
            first.content if first is not None else NONE,
        )
        condition: Deps = first.content if first is not None else NONE
        outputs: list[Value] = []
        total = trip_deps
        for turn in range(5):
            cond = Value((), type="tensor(bool)", content=condition)
            step = Value((), type="tensor(int64)", elems=(self.symbols.fresh(NONE),))
            outputs = self.subgraph(body, [step, cond, *states], frame, f"{path} > body")
            if not outputs:
                return []
            going = outputs[0]
            # A condition that is the constant true adds nothing.
            condition = join(condition, going.content)
            total = join(trip_deps, condition)
            made = frozenset(("node", path) if w == "data" else (w, n) for w, n in total)
            merged = []
            stable = True
            for n, (old, new) in enumerate(zip(states, outputs[1 : 1 + count], strict=False)):
                value = self.merge(old, new, made, total, path, n)
                if turn >= 3 and not _same(value, old):
                    # Give up on numbers: it changes from turn to turn.
                    value = Value(
                        None,
                        type=value.type,
                        content=value.content,
                        rank=join(value.shape_deps, made),
                        length=value.length,
                    )
                stable = stable and _same(value, old)
                merged.append(value)
            states = merged
            if stable and turn:
                break
        if total:
            by_data = any(what != "axis" for what, _ in total)
            self.point(
                "control-flow",
                node,
                path,
                total,
                "how often its body runs depends on "
                + (_sources(total) if by_data else f"the size of {_sources(total)}"),
                by_data=by_data,
            )
        made = frozenset(("node", path) if w == "data" else (w, n) for w, n in total)
        found = list(states)
        known = trips.one() if trips is not None else None
        runs: Dim
        if not total and not condition and isinstance(known, int) and _always(body):
            runs = known
        else:
            runs = self.symbols.named("turns", path, deps=made)
        for value in outputs[1 + count :]:
            shape = None if value.shape is None else (runs, *value.shape)
            found.append(
                Value(
                    shape,
                    type=value.type,
                    content=join(value.content, total),
                    rank=join(value.rank, made),
                )
            )
        return found

    def scan(
        self,
        node: Node,
        version: int,
        inputs: list[Value | None],
        frame: Frame,
        path: str,
    ) -> list[Value]:
        attribute = node.attributes.get("body")
        body = attribute.graph if attribute is not None else None
        number = node.attributes.get("num_scan_inputs")
        scanned = number.number if number is not None and number.number is not None else 0
        if body is None or scanned <= 0:
            return []
        given: list[Value] = [v if v is not None else Value(None) for v in inputs]
        batched = version == 8
        if batched:
            given = given[1:]
        states, sources = given[:-scanned], given[-scanned:]
        axes = node.attributes.get("scan_input_axes")
        deps: Deps = NONE
        runs: Dim = self.symbols.named("turns", path, deps=NONE)
        slices: list[Value] = []
        batch: Dim | None = None
        for index, value in enumerate(sources):
            axis = axes.ints[index] if axes is not None and index < len(axes.ints) else 0
            axis = 1 if batched else axis
            if value.shape is None or not -len(value.shape) <= axis < len(value.shape):
                deps = join(deps, value.shape_deps)
                slices.append(Value(None, type=value.type, content=value.content, rank=value.rank))
                continue
            axis %= len(value.shape)
            size = value.shape[axis]
            deps = join(deps, deps_of(size))
            runs = size
            rest = value.shape[:axis] + value.shape[axis + 1 :]
            if batched:
                batch, rest = value.shape[0], rest[1:]
                deps = join(deps, deps_of(batch))
            slices.append(Value(rest, type=value.type, content=value.content))
        if batched:
            states = [
                Value(v.shape[1:] if v.shape else None, type=v.type, content=v.content, rank=v.rank)
                for v in states
            ]
        if deps:
            by_data = any(what != "axis" for what, _ in deps)
            self.point(
                "control-flow",
                node,
                path,
                deps,
                "how often its body runs is the size of " + _sources(deps),
                by_data=by_data,
            )
        count = len(states)
        outputs: list[Value] = []
        for _ in range(2):
            outputs = self.subgraph(body, [*states, *slices], frame, f"{path} > body")
            states = [
                self.merge(old, new, deps, NONE, path, n)
                for n, (old, new) in enumerate(zip(states, outputs[:count], strict=False))
            ]
        found = []
        for value in states:
            shape = value.shape
            if batched and batch is not None and shape is not None:
                shape = (batch, *shape)
            found.append(Value(shape, type=value.type, content=value.content, rank=value.rank))
        for value in outputs[count:]:
            lead: tuple[Dim, ...] = (batch, runs) if batch is not None else (runs,)
            shape = None if value.shape is None else (*lead, *value.shape)
            found.append(
                Value(
                    shape,
                    type=value.type,
                    content=join(value.content, deps),
                    rank=join(value.rank, deps),
                )
            )
        return found

    def sequence_map(
        self, node: Node, inputs: list[Value | None], frame: Frame, path: str
    ) -> list[Value]:
        attribute = node.attributes.get("body")
        body = attribute.graph if attribute is not None else None
        first = inputs[0] if inputs else None
        if body is None or first is None:
            return []
        given = [
            Value(v.shape, type=_element(v.type), content=v.content, rank=v.rank)
            if v.type and v.type.startswith("seq(")
            else v
            for v in (w or Value(None) for w in inputs)
        ]
        deps = deps_of(first.length) if first.length is not None else NONE
        if deps:
            self.point(
                "control-flow",
                node,
                path,
                deps,
                "how often its body runs is the length of the sequence",
                by_data=any(what != "axis" for what, _ in deps),
            )
        return [
            Value(
                v.shape,
                type=f"seq({v.type})" if v.type else None,
                content=join(v.content, deps),
                rank=v.rank,
                length=first.length,
            )
            for v in self.subgraph(body, given, frame, f"{path} > body")
        ]


def _traits(node: Node, inputs: Sequence[Value | None]) -> tuple[str, ...]:
    """How the operator is used, in words that two nodes share when they use it alike."""
    found = []
    for name, attribute in node.attributes.items():
        if attribute.text is not None:
            found.append(f"{name}={attribute.text[:32]!s}")
        elif attribute.number is not None:
            found.append(f"{name}={attribute.number}")
        else:
            found.append(name)
    for index, value in enumerate(inputs):
        if value is None:
            continue
        if index:
            fixed = not value.content and not value.shape_deps and value.shape is not None
            found.append(f"#{min(index, 9)} {'fixed' if fixed else 'free'}")
        elif value.shape is not None:
            found.append(f"rank {len(value.shape)}")
    return tuple(dict.fromkeys(found))


_WHOLE = frozenset(
    f"tensor({t})" for t in ("int64", "int32", "bool", "int8", "int16", "uint8", "uint16", "uint32")
)


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _element(kind: str | None) -> str | None:
    return kind[4:-1] if kind and kind.startswith("seq(") else kind


def _same(a: Value, b: Value) -> bool:
    if a.content != b.content or a.rank != b.rank or (a.shape is None) != (b.shape is None):
        return False
    if a.shape is not None and b.shape is not None:
        if len(a.shape) != len(b.shape):
            return False
        for x, y in zip(a.shape, b.shape, strict=True):
            if isinstance(x, Sym) or isinstance(y, Sym):
                if x is not y:
                    return False
            elif x != y:
                return False
    return (a.elems is None) == (b.elems is None)


def _always(body: Graph) -> bool:
    """The condition a loop body gives back is the constant true, or the one it got."""
    if not body.outputs or len(body.inputs) < 2:
        return False
    name = body.outputs[0].name
    made = {o: n for n in body.nodes for o in n.outputs}
    while name in made and made[name].operator in ("Identity", "Cast") and made[name].inputs:
        name = made[name].inputs[0]
    if name == body.inputs[1].name:
        return True
    for tensor in body.initializers:
        if tensor.name == name:
            return tensor.values == (True,)
    node = made.get(name)
    if node is not None and node.operator == "Constant" and "value" in node.attributes:
        value = node.attributes["value"].tensor
        return value is not None and value.values == (True,)
    return False


def _sources(deps: Deps) -> str:
    data = sorted(name for what, name in deps if what == "data")
    nodes = sorted(name for what, name in deps if what == "node")
    axes = sorted(name for what, name in deps if what == "axis")
    words = [repr(n) for n in data] + nodes + ([] if data or nodes else axes)
    return ", ".join(words[:3]) + (" and more" if len(words) > 3 else "")


def _resolve(node: Node, frame: Frame) -> Node:
    """The node with attribute references replaced by what the call gives."""
    if not any(a.reference for a in node.attributes.values()):
        return node
    attributes: dict[str, Attribute] = {}
    for name, attribute in node.attributes.items():
        if not attribute.reference:
            attributes[name] = attribute
            continue
        given = frame.attributes.get(attribute.reference)
        if given is not None:
            attributes[name] = replace(given, name=name)
    return Node(
        operator=node.operator,
        domain=node.domain,
        name=node.name,
        overload=node.overload,
        inputs=node.inputs,
        outputs=node.outputs,
        attributes=attributes,
        repeated_attribute=node.repeated_attribute,
    )


def constant(tensor: Tensor) -> Value:
    """The value of an initialiser or constant."""
    return Value(tuple(max(d, 0) for d in tensor.dims), type=tensor.type, elems=tensor.values)
