"""The training mode of PyTorch models: what in them acts otherwise after ``eval()``.

Read from the syntax trees of the project: the layers that a class makes, those of the classes and
functions that it uses, and ``self.training``. What is not the project's is not known.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator

from auditor.parsers.python.facts import ModuleFacts
from auditor.values import value

# Layers of torch.nn whose source asks ``self.training`` (torch 2.13), and those made of them.
_MODAL = frozenset(
    {"AlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Dropout", "Dropout1d",
     "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "LazyBatchNorm1d", "LazyBatchNorm2d",
     "LazyBatchNorm3d", "RReLU", "SyncBatchNorm"}
)  # fmt: skip
# Those that ask it for their dropout only, with where and what that is when nothing is given.
_DROPPING = {
    "RNN": (None, 0.0), "LSTM": (None, 0.0), "GRU": (None, 0.0), "MultiheadAttention": (2, 0.0),
    "Transformer": (5, 0.1), "TransformerEncoderLayer": (3, 0.1), "TransformerDecoderLayer": (3, 0.1),
}  # fmt: skip
_TRACKING = ("InstanceNorm", "LazyInstanceNorm")
_CONTAINERS = frozenset(
    {"Module", "ModuleDict", "ModuleList", "Sequential", "Container", "ScriptModule",
     "LightningModule"}
)  # fmt: skip
_PLAIN_BASES = frozenset({"object", "ABC", "Generic", "Protocol"})
# Libraries without layers of their own.
_LAYERLESS = frozenset(
    {"builtins", "collections", "copy", "dataclasses", "einops", "enum", "functools", "itertools",
     "json", "logging", "math", "numpy", "operator", "os", "pathlib", "random", "re", "sys", "time",
     "typing", "warnings"}
)  # fmt: skip
_OTHER_FRAMEWORKS = frozenset({"keras", "tensorflow", "tf_keras"})
# Those of torch that give a model of which nothing is seen.
_LOADERS = ("torch.load", "torch.jit.", "torch.hub.", "torch.package.", "torch.export.")
# Layers of torchvision that have a mode, or are made with batch normalisation.
_VISION = frozenset(
    {
        "Conv2dNormActivation",
        "Conv3dNormActivation",
        "DropBlock2d",
        "DropBlock3d",
        "StochasticDepth",
    }
)
# Detection and video aside, all of torchvision's models have batch normalisation or dropout.
_ZOO = "torchvision.models."
_DEEPEST = 12

Find = Callable[[str, str], ModuleFacts | None]


@value
class Mode:
    """What of a model changes with ``eval()``. Nothing known and nothing open: it has no mode.

    ``layers`` act otherwise; ``open``: parts are out of sight; ``given``: modules that come in as
    arguments are part of it.
    """

    layers: tuple[str, ...] = ()
    open: bool = False
    given: bool = False

    @property
    def known(self) -> bool | None:
        """Whether it has a training mode; None when that was not seen."""
        return True if self.layers else None if self.open or self.given else False

    def __or__(self, other: Mode) -> Mode:
        return Mode(
            layers=tuple(dict.fromkeys((*self.layers, *other.layers))),
            open=self.open or other.open,
            given=self.given or other.given,
        )


_OPEN = Mode(open=True)
_BUILTINS = frozenset(vars(builtins))


class Modes:
    """Judges models of one module; ``find`` gives another one by (importing file, dotted name)."""

    def __init__(
        self, facts: ModuleFacts, find: Find | None = None, shared: dict[str, Modes] | None = None
    ) -> None:
        self.facts = facts
        self.find = find
        self.shared = shared if shared is not None else {}
        self.shared[facts.path] = self
        tree = facts.tree or ast.Module(body=[], type_ignores=[])
        self.made: dict[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self.aliases: dict[str, str] = {}
        self.judged: dict[str, Mode | None] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                self.made.setdefault(node.name, node)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.aliases[alias.asname or name] = name
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                for alias in node.names:
                    dot = "" if module.endswith(".") else "."
                    self.aliases[alias.asname or alias.name] = f"{module}{dot}{alias.name}"

    def of(self, model: ast.expr, depth: int = 0) -> Mode:
        """The mode of what an expression makes: a class, a layer, a container of layers."""
        return self._walk(model, frozenset(), depth)

    def canonical(self, node: ast.expr) -> str | None:
        """The dotted name behind an expression, aliases resolved; None when it is no import."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.aliases:
            return None
        return ".".join((self.aliases[node.id], *reversed(parts)))

    def named(self, name: str, depth: int) -> Mode:
        """The mode of a class or function of this module."""
        if name not in self.judged:
            self.judged[name] = None  # One that uses itself adds nothing.
            node = self.made[name]
            found = self._class(node, depth) if isinstance(node, ast.ClassDef) else None
            if found is None:
                found = self._walk(node, _parameters(node), depth)
            self.judged[name] = found
        return self.judged[name] or Mode()

    def _class(self, node: ast.ClassDef, depth: int) -> Mode:
        found = Mode()
        for base in node.bases:
            plain = base.value if isinstance(base, ast.Subscript) else base
            last = _after_dot(ast.unparse(plain))
            if last not in _CONTAINERS and last not in _PLAIN_BASES:
                found |= self._used(plain, None, depth)
        methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
        outside: set[str] = set()
        for method in methods.values():
            found |= self._walk(method, _parameters(method), depth)
            if method.name == "__init__":
                outside = _kept(method)
        called = {
            n.func.attr
            for n in ast.walk(node)
            if isinstance(n, ast.Call)
            and isinstance(n.func, ast.Attribute)
            and isinstance(n.func.value, ast.Name)
            and n.func.value.id == "self"
        }
        return found | Mode(given=bool(called & outside))

    def _walk(self, node: ast.AST, parameters: frozenset[str], depth: int) -> Mode:
        """All that is made or asked inside."""
        found = Mode()
        runs = isinstance(node, ast.FunctionDef) and node.name.startswith("forward")
        nodes = list(ast.walk(node))
        bound = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        callees = {id(n.func) for n in nodes if isinstance(n, ast.Call)}
        for inner in nodes:
            if isinstance(inner, ast.Call):
                if isinstance(inner.func, ast.Name) and inner.func.id in parameters:
                    found |= Mode(given=True)
                elif isinstance(inner.func, ast.Name) and inner.func.id in bound:
                    continue  # A layer out of a list of layers.
                elif not (runs and self._function(inner.func)):
                    found |= self._used(inner.func, inner, depth)
            elif id(inner) in callees:
                continue
            elif isinstance(inner, ast.Attribute):
                if ast.unparse(inner) == "self.training":
                    found |= Mode(layers=("self.training",))
                elif inner.attr in _MODAL:
                    found |= self._used(inner, None, depth)
            elif isinstance(inner, ast.Name) and _after_dot(self.aliases.get(inner.id)) in _MODAL:
                found |= self._used(inner, None, depth)
        return found

    def _function(self, callee: ast.expr) -> bool:
        """What a ``forward`` calls by a small letter and is not of this module: it makes no layer."""
        if isinstance(callee, ast.Name) and callee.id in self.made:
            return False
        if not isinstance(callee, ast.Name) and self.canonical(callee) is None:
            return False
        return _after_dot(ast.unparse(callee))[:1].islower()

    def switches(self, callee: ast.expr) -> bool:
        """A function of the project that calls ``eval()`` on something."""
        name = callee.id if isinstance(callee, ast.Name) else ""
        node = self.made.get(name)
        if node is None and (dotted := self.canonical(callee)) is not None:
            other, symbol = self._other(dotted)
            node = other.made.get(symbol) if other is not None else None
        return node is not None and any(
            isinstance(n, ast.Attribute) and n.attr == "eval" for n in ast.walk(node)
        )

    def _used(self, callee: ast.expr, call: ast.Call | None, depth: int) -> Mode:
        """What using this class or function adds."""
        if depth > _DEEPEST:
            return _OPEN
        if isinstance(callee, ast.Name) and callee.id in self.made:
            return self.named(callee.id, depth + 1)
        name = self.canonical(callee)
        if name is None:
            return Mode(open=_is_picked(callee))
        root, last = name.partition(".")[0], _after_dot(name)
        if root == "torch":
            if name.startswith("torch.nn."):
                return _layer(last, call)
            return Mode(open=name.startswith(_LOADERS) and "script" not in name)
        if name.startswith("torchvision.ops."):
            return Mode(layers=(last,) if last in _VISION else ())
        if name.startswith(_ZOO):
            return Mode(layers=() if "vit_" in last else (name,), open=True)
        if root in _LAYERLESS or root in _OTHER_FRAMEWORKS or last in _CONTAINERS:
            return Mode()
        other, symbol = self._other(name)
        if other is not None and symbol in other.made:
            return other.named(symbol, depth + 1)
        return _OPEN

    def _other(self, name: str) -> tuple[Modes | None, str]:
        """The module of the project that defines a name."""
        module, _, symbol = name.rpartition(".")
        if not module.strip("."):
            return None, symbol
        facts = self.find(self.facts.path, module) if self.find is not None else None
        if facts is None or facts.tree is None:
            return None, symbol
        return self.shared.get(facts.path) or Modes(facts, self.find, self.shared), symbol


def module_paths(path: str, module: str) -> Iterator[str]:
    """Where the file may be that ``path`` imports as ``module`` (with its leading dots)."""
    level = len(module) - len(module.lstrip("."))
    stem = module[level:].replace(".", "/")
    above = path.split("/")[:-1]
    if level:
        folders = [above[: max(len(above) - level + 1, 0)]]
    else:
        folders = [*(above[:n] for n in range(len(above), -1, -1)), ["src"]]
    for folder in folders:
        place = "/".join([*folder, stem] if stem else folder)
        if stem:
            yield f"{place}.py"
        yield f"{place}/__init__.py" if place else "__init__.py"


def _layer(name: str, call: ast.Call | None) -> Mode:
    """A layer of torch.nn, as it is made."""
    if name in _MODAL:
        first = call.args[0] if call is not None and call.args else None
        if "Dropout" in name and _is_zero(_keyword(call, "p") or first):
            return Mode()
        return Mode(layers=(name,))
    if name in _DROPPING:
        place, default = _DROPPING[name]
        given = _keyword(call, "dropout")
        if given is None and call is not None and place is not None and len(call.args) > place:
            given = call.args[place]
        if _is_zero(given) or (given is None and not default):
            return Mode()
        return Mode(layers=(name,))
    if name.startswith(_TRACKING):
        tracks = _keyword(call, "track_running_stats")
        quiet = tracks is None or (isinstance(tracks, ast.Constant) and not tracks.value)
        return Mode() if quiet else Mode(layers=(name,))
    return Mode()


def _keyword(call: ast.Call | None, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None) if call else None


def _is_zero(given: ast.expr | None) -> bool:
    return isinstance(given, ast.Constant) and given.value == 0 and given.value is not None


def _after_dot(name: str | None) -> str:
    return (name or "").rpartition(".")[2]


def _is_picked(callee: ast.expr) -> bool:
    """One out of sight, or looked up: ``load()``, ``LAYERS[name]()``, ``getattr(nn, name)()``."""
    if isinstance(callee, ast.Name):
        return callee.id not in _BUILTINS
    if isinstance(callee, ast.Call):
        return isinstance(callee.func, ast.Name) and callee.func.id == "getattr"
    return isinstance(callee, ast.Subscript) and isinstance(callee.value, ast.Name)


def _parameters(node: ast.AST) -> frozenset[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return frozenset()
    given = node.args
    return frozenset(a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def _kept(method: ast.FunctionDef) -> set[str]:
    """Attributes of ``self`` to which a parameter is assigned as it came."""
    parameters = _parameters(method)
    return set(_assigned(method, parameters))


def _assigned(method: ast.FunctionDef, parameters: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(method):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Name):
            continue
        if node.value.id in parameters:
            yield from (t.attr for t in node.targets if isinstance(t, ast.Attribute))


__all__ = ["Find", "Mode", "Modes", "module_paths"]
