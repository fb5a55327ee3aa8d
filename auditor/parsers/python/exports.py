"""Code around ONNX: exports of PyTorch models (axes, mode, tracing), and sessions that run them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal

from auditor.parsers.python.facts import ModuleFacts
from auditor.parsers.python.modes import Find, Mode, Modes
from auditor.source import Location
from auditor.values import value

Tool = Literal[
    "torch.onnx.export", "torch.jit.trace", "torch.jit.script", "torch.export.export",
    "skl2onnx", "onnxmltools", "tf2onnx", "optimum",
]  # fmt: skip

_TOOLS: dict[str, Tool] = {
    "torch.onnx.export": "torch.onnx.export",
    "torch.onnx.dynamo_export": "torch.export.export",
    "torch.jit.trace": "torch.jit.trace",
    "torch.jit.trace_module": "torch.jit.trace",
    "torch.jit.script": "torch.jit.script",
    "torch.export.export": "torch.export.export",
}
# Converters: the argument that names the opset, and its place where it can be given by place.
_CONVERTERS: dict[str, tuple[Tool, str, int | None]] = {
    "skl2onnx.convert_sklearn": ("skl2onnx", "target_opset", 4),
    "skl2onnx.to_onnx": ("skl2onnx", "target_opset", 5),
    **{
        f"onnxmltools.convert_{name}": ("onnxmltools", "target_opset", None)
        for name in (
            "sklearn",
            "lightgbm",
            "xgboost",
            "catboost",
            "keras",
            "libsvm",
            "sparkml",
            "h2o",
        )
    },
    **{
        f"tf2onnx.convert.from_{name}": ("tf2onnx", "opset", None)
        for name in ("keras", "function", "graph_def", "tflite")
    },
    "optimum.exporters.onnx.main_export": ("optimum", "opset", None),
}
# What a test may ask of a tensor without depending on its contents.
_SHAPELY = frozenset({"shape", "ndim", "dim", "size", "dtype", "device", "training", "is_cuda"})
_SCALARS = frozenset({"int", "float", "bool", "str", "Optional[int]", "Optional[bool]"})


@value
class FreeAxis:
    """An axis that the export declares dynamic: of which input or output, and its number."""

    name: str
    axis: int
    at: Location


@value
class TracedBranch:
    """Control flow of the traced ``forward`` that depends on the contents of a tensor."""

    at: Location
    owner: str
    construct: str


@value
class Export:
    """One call of an exporter. ``evaluates`` None: the code seen here does not say.

    ``mode`` is what ``eval()`` would change of the model that is constructed here. ``opset_pinned`` is None for tools that take no opset; ``training`` the mode when given.
    """

    at: Location
    tool: Tool
    model: str
    evaluates: bool | None
    mode: Mode = Mode(open=True)
    opset_pinned: bool | None = None
    dynamo: bool | None = None
    training: str = ""
    free: tuple[FreeAxis, ...] = ()
    branches: tuple[TracedBranch, ...] = ()


def exports(facts: ModuleFacts, find: Find | None = None) -> tuple[Export, ...]:
    """Every call of an exporter in the module; ``find`` gives the project's other modules."""
    calls = {
        (call.at.line, call.at.column): _TOOLS[call.name]
        for call in facts.calls
        if call.name in _TOOLS
    }
    converters = {
        (call.at.line, call.at.column): _CONVERTERS[call.name]
        for call in facts.calls
        if call.name in _CONVERTERS
    }
    if not (calls or converters) or facts.tree is None:
        return ()
    reader = _Reader(facts, find)
    return (*reader.find(calls), *reader.conversions(converters))


def exporting(facts: ModuleFacts) -> bool:
    """Whether the module calls an exporter or a converter."""
    return any(call.name in _TOOLS or call.name in _CONVERTERS for call in facts.calls)


# Code that asks what there is, or brings a provider of its own, knows what it does.
_CHOOSERS = frozenset(
    f"onnxruntime.{name}"
    for name in (
        "get_available_providers", "get_device", "get_ep_devices",
        "register_execution_provider_library", "capi._pybind_state.get_available_providers",
    )
)  # fmt: skip


@value
class Session:
    """A session of onnxruntime and the execution providers it asks for, first choice first.

    ``providers`` None: not written out, or chosen at run time from those that are available.
    """

    at: Location
    providers: tuple[str, ...] | None
    # It certainly names none.
    silent: bool = False


def sessions(facts: ModuleFacts) -> tuple[Session, ...]:
    """Every ``onnxruntime.InferenceSession`` that the module makes."""
    calls = {
        (call.at.line, call.at.column)
        for call in facts.calls
        if call.name == "onnxruntime.InferenceSession"
    }
    if not calls or facts.tree is None:
        return ()
    chosen = any(call.name in _CHOOSERS for call in facts.calls)
    reader = _Reader(facts)
    found = []
    for scope in reader.scopes():
        for node in _own(scope):
            if not isinstance(node, ast.Call):
                continue
            at = reader.at(node)
            if (at.line, at.column) in calls:
                given = next((k.value for k in node.keywords if k.arg == "providers"), None)
                given = node.args[2] if given is None and len(node.args) > 2 else given
                names = None if chosen or given is None else reader.names(given, scope)
                silent = (
                    given is None
                    and not chosen
                    and not any(isinstance(a, ast.Starred) for a in node.args)
                    and not any(k.arg is None for k in node.keywords)
                )
                found.append(Session(at=at, providers=names, silent=silent))
    return tuple(found)


class _Reader:
    def __init__(self, facts: ModuleFacts, find: Find | None = None) -> None:
        self.facts = facts
        self.modes = Modes(facts, find)
        self.tree = facts.tree or ast.Module(body=[], type_ignores=[])
        self.classes = {
            node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)
        }
        # What switches a model to evaluation anywhere in the module, by the text it is called on.
        self.evaluated = {
            text
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and (
                node.func.attr == "eval"
                or (
                    node.func.attr == "train"
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                    and node.args[0].value is False
                )
            )
            for text in (
                ast.unparse(node.func.value),
                # `model.to(device).eval()`, but not what `self` begins.
                (_root(node.func.value) or "") if isinstance(node.func.value, ast.Call) else "",
            )
        }

    def find(self, calls: dict[tuple[int, int], Tool]) -> Iterator[Export]:
        for scope in self.scopes():
            for node in _own(scope):
                if not isinstance(node, ast.Call):
                    continue
                at = self.at(node)
                tool = calls.get((at.line, at.column))
                if tool is not None:
                    yield self.export(node, tool, scope, at)

    def conversions(
        self, calls: dict[tuple[int, int], tuple[Tool, str, int | None]]
    ) -> Iterator[Export]:
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            at = self.at(node)
            found = calls.get((at.line, at.column))
            if found is None:
                continue
            tool, name, place = found
            pinned = (place is not None and len(node.args) > place) or any(
                k.arg in (name, None) for k in node.keywords
            )
            model = ast.unparse(node.args[0])[:100] if node.args else ""
            yield Export(at=at, tool=tool, model=model, evaluates=None, opset_pinned=pinned)

    def scopes(self) -> Iterator[ast.AST]:
        yield self.tree
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def at(self, node: ast.expr) -> Location:
        places = self.facts.places
        if places is not None and hasattr(places, "at"):
            found: Location = places.at(node)
            return found
        return Location(self.facts.path, node.lineno, node.col_offset + 1)

    def export(self, node: ast.Call, tool: Tool, scope: ast.AST, at: Location) -> Export:
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        opaque = any(k.arg is None for k in node.keywords)
        model = node.args[0] if node.args else keywords.get("model") or keywords.get("func")
        dynamo = keywords.get("dynamo")
        training = keywords.get("training")
        dynamic = keywords.get("dynamic_axes") or keywords.get("dynamic_shapes")
        pinned: bool | None = None
        if tool == "torch.onnx.export":
            pinned = opaque or "opset_version" in keywords
        traced = tool in ("torch.onnx.export", "torch.jit.trace") and model is not None
        return Export(
            at=at,
            tool=tool,
            model=ast.unparse(model)[:100] if model is not None else "",
            evaluates=self.evaluates(model, scope),
            mode=self.mode(model, scope),
            opset_pinned=pinned,
            dynamo=dynamo.value
            if isinstance(dynamo, ast.Constant) and isinstance(dynamo.value, bool)
            else None,
            training=ast.unparse(training).rpartition(".")[2] if training is not None else "",
            free=tuple(self.axes(dynamic, scope)) if dynamic is not None else (),
            branches=tuple(self.branches(model, scope)) if traced and model is not None else (),
        )

    def names(self, given: ast.expr, scope: ast.AST) -> tuple[str, ...] | None:
        """The strings of a list of strings or of (string, options) pairs."""
        if isinstance(given, ast.Name):
            found = self.assigned(given.id, scope)
            if found is None or isinstance(found, ast.Name):
                return None
            given = found
        if not isinstance(given, ast.List | ast.Tuple):
            return None
        names = []
        for item in given.elts:
            first = item.elts[0] if isinstance(item, ast.Tuple) and item.elts else item
            if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
                return None
            names.append(first.value)
        return tuple(names)

    # -- mode ----------------------------------------------------------------------------------

    def evaluates(self, model: ast.expr | None, scope: ast.AST, depth: int = 0) -> bool | None:
        """Whether the model was put into evaluation mode before; None when out of sight."""
        if model is None or depth > 8:
            return None
        if isinstance(model, ast.Call):
            if isinstance(model.func, ast.Attribute):
                if model.func.attr == "eval":
                    return True
                if model.func.attr in ("to", "cpu", "cuda", "float", "half", "double"):
                    return self.evaluates(model.func.value, scope, depth + 1)
            return False if self.constructs(model) else None
        if ast.unparse(model) in self.evaluated:
            return True
        if isinstance(model, ast.Name):
            if self.handed(model.id, scope):
                return None
            given = self.assigned(model.id, scope)
            if given is None or (isinstance(given, ast.Name) and given.id == model.id):
                return None
            return self.evaluates(given, scope, depth + 1)
        return None

    def handed(self, name: str, scope: ast.AST) -> bool:
        """The model goes through a function of the project that calls ``eval()``."""
        return any(
            isinstance(node, ast.Call)
            and any(isinstance(a, ast.Name) and a.id == name for a in node.args)
            and self.modes.switches(node.func)
            for place in (scope, self.tree)
            for node in _own(place)
        )

    def mode(self, model: ast.expr | None, scope: ast.AST, depth: int = 0) -> Mode:
        """What of the model that is constructed in sight changes with ``eval()``."""
        if isinstance(model, ast.Name) and depth <= 8:
            given = self.assigned(model.id, scope)
            if given is not None and not (isinstance(given, ast.Name) and given.id == model.id):
                return self.mode(given, scope, depth + 1)
        if not isinstance(model, ast.Call):
            return Mode(open=True)
        found = self.modes.of(model)
        if not found.given or found.open or found.layers:
            return found
        # A wrapper of modules that are in evaluation mode, or have none.
        parts = [*model.args, *(k.value for k in model.keywords)]
        quiet = bool(parts) and all(
            isinstance(g, ast.Constant)
            or self.evaluates(g, scope) is True
            or self.mode(g, scope, depth + 1).known is False
            for g in parts
        )
        return Mode() if quiet else found

    def constructs(self, call: ast.Call) -> bool:
        """The call makes a fresh module (which is in training mode): a class, by its name."""
        name = self.modes.canonical(call.func) or ast.unparse(call.func)
        last = name.rpartition(".")[2]
        if name.startswith(("torchvision.models.", "timm.create_model")):
            return True
        return last in self.classes or last[:1].isupper()

    def assigned(self, name: str, scope: ast.AST) -> ast.expr | None:
        """The last expression that the scope (or the module) assigns to a name."""
        for place in (scope, self.tree):
            found: ast.expr | None = None
            for node in _own(place):
                targets: list[ast.expr] = []
                if isinstance(node, ast.Assign):
                    targets, given = node.targets, node.value
                elif isinstance(node, ast.AnnAssign) and node.value is not None:
                    targets, given = [node.target], node.value
                else:
                    continue
                # `model, losses = train(model)` among them.
                names = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple) else [t])]
                if any(isinstance(t, ast.Name) and t.id == name for t in names):
                    # `model = model.to(device)` says nothing new of what it is.
                    found = given if found is None or _root(given) != name else found
            if found is not None:
                return found
            if isinstance(place, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = place.args
                every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                if any(a.arg == name for a in every):
                    return None
        return None

    # -- axes ----------------------------------------------------------------------------------

    def axes(self, given: ast.expr, scope: ast.AST) -> Iterator[FreeAxis]:
        """Axes declared dynamic; the numbers written out in dictionaries and lists."""
        if isinstance(given, ast.Name):
            found = self.assigned(given.id, scope)
            if found is None or isinstance(found, ast.Name):
                return
            given = found
        if isinstance(given, ast.Dict):
            for key, item in zip(given.keys, given.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from self.of_one(key.value, item, scope)
                elif isinstance(key, ast.Constant) and isinstance(key.value, int):
                    yield from self.of_one("", given, scope)
                    return
        elif isinstance(given, ast.Tuple | ast.List):
            for index, item in enumerate(given.elts):
                yield from self.of_one(f"input {index}", item, scope)

    def of_one(self, name: str, item: ast.expr, scope: ast.AST) -> Iterator[FreeAxis]:
        if isinstance(item, ast.Name):
            found = self.assigned(item.id, scope)
            item = found if found is not None else item
        if isinstance(item, ast.Dict):
            for key, size in zip(item.keys, item.values, strict=True):
                if _is_static(size):
                    continue
                if isinstance(key, ast.Constant) and isinstance(key.value, int):
                    yield FreeAxis(name=name, axis=key.value, at=self.at(key))
        elif isinstance(item, ast.List | ast.Tuple):
            numbers = [e for e in item.elts if isinstance(e, ast.Constant)]
            plain = len(numbers) == len(item.elts) and all(type(e.value) is int for e in numbers)
            if plain:
                for element in numbers:
                    axis = element.value
                    if isinstance(axis, int):
                        yield FreeAxis(name=name, axis=axis, at=self.at(element))
                return
            for index, element_ in enumerate(item.elts):
                if not _is_static(element_):
                    yield FreeAxis(name=name, axis=index, at=self.at(element_))

    # -- control flow --------------------------------------------------------------------------

    def branches(self, model: ast.expr, scope: ast.AST) -> Iterator[TracedBranch]:
        """Branches and loops of the model's ``forward`` that a trace would freeze."""
        owner = self.class_of(model, scope, 0)
        if owner is None:
            return
        for method in owner.body:
            if isinstance(method, ast.FunctionDef) and method.name == "forward":
                yield from self.tensorly(owner.name, method)

    def class_of(self, model: ast.expr, scope: ast.AST, depth: int) -> ast.ClassDef | None:
        if depth > 8:
            return None
        if isinstance(model, ast.Name):
            given = self.assigned(model.id, scope)
            return self.class_of(given, scope, depth + 1) if given is not None else None
        if isinstance(model, ast.Call):
            if isinstance(model.func, ast.Name) and model.func.id in self.classes:
                return self.classes[model.func.id]
            if isinstance(model.func, ast.Attribute):
                return self.class_of(model.func.value, scope, depth + 1)
        return None

    def tensorly(self, owner: str, method: ast.FunctionDef) -> Iterator[TracedBranch]:
        tensors = {
            a.arg
            for a in method.args.args[1:]
            if a.annotation is None or ast.unparse(a.annotation) not in _SCALARS
        }
        for node in _own(method):
            if isinstance(node, ast.Assign):
                if _contents(node.value, tensors):
                    for target in node.targets:
                        tensors |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
            elif isinstance(node, ast.If | ast.While) and _decides(node.test, tensors):
                yield TracedBranch(
                    at=self.at(node.test),
                    owner=owner,
                    construct="if" if isinstance(node, ast.If) else "while",
                )
            elif isinstance(node, ast.For) and _counts(node.iter, tensors):
                yield TracedBranch(at=self.at(node.iter), owner=owner, construct="for")


def _root(expression: ast.expr) -> str | None:
    """The name that a chain of attributes and calls begins with."""
    while isinstance(expression, ast.Call | ast.Attribute):
        expression = expression.func if isinstance(expression, ast.Call) else expression.value
    return expression.id if isinstance(expression, ast.Name) else None


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in the order of the text, without inner functions and classes."""
    pending = list(reversed(list(ast.iter_child_nodes(scope))))
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        pending += reversed(list(ast.iter_child_nodes(node)))


def _is_static(size: ast.expr) -> bool:
    """``None`` and ``Dim.STATIC`` keep an axis as it is."""
    if isinstance(size, ast.Constant):
        return size.value is None
    return ast.unparse(size).endswith(".STATIC")


def _contents(expression: ast.expr, tensors: set[str]) -> bool:
    """The value depends on what a tensor holds, not only on its shape or type."""
    if isinstance(expression, ast.Name):
        return expression.id in tensors
    if isinstance(expression, ast.Attribute):
        return expression.attr not in _SHAPELY and _contents(expression.value, tensors)
    if isinstance(expression, ast.Call):
        name = ast.unparse(expression.func)
        if name in ("len", "isinstance", "hasattr", "type", "torch.is_tensor", "range"):
            return name == "range" and any(_contents(a, tensors) for a in expression.args)
        if isinstance(expression.func, ast.Attribute):
            if expression.func.attr in _SHAPELY:
                return False
            if _contents(expression.func.value, tensors):
                return True
        return any(_contents(a, tensors) for a in expression.args)
    if isinstance(expression, ast.Compare):
        if any(isinstance(o, ast.Is | ast.IsNot) for o in expression.ops):
            return False
        return any(_contents(e, tensors) for e in (expression.left, *expression.comparators))
    return any(
        _contents(child, tensors)
        for child in ast.iter_child_nodes(expression)
        if isinstance(child, ast.expr)
    )


def _decides(test: ast.expr, tensors: set[str]) -> bool:
    """A test whose outcome hangs on contents; a plain name may be a flag."""
    return not isinstance(test, ast.Name) and _contents(test, tensors)


def _counts(source: ast.expr, tensors: set[str]) -> bool:
    """A loop that runs as often as a tensor's contents say (``range(int(n))``)."""
    return (
        isinstance(source, ast.Call)
        and ast.unparse(source.func) == "range"
        and any(_contents(a, tensors) for a in source.args)
    )


__all__ = [
    "Export",
    "FreeAxis",
    "Session",
    "Tool",
    "TracedBranch",
    "exporting",
    "exports",
    "sessions",
]
