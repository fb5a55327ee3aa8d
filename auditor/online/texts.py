"""What texts an expression of a distribution's modules may be: a command that a function is given,
a constant of another module, what a helper returns.

Read from the source, which is parsed and never run. Names are followed as far as they are written
down; what is computed leads nowhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

# How many steps lead from an expression to its texts, and how many are tried for one.
_DEEPEST = 9
_MOST_STEPS = 400
LARGEST_MODULE = 400_000
# Modules beside the one that starts something that are looked through for its callers.
_MOST_CALLERS = 40

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Code:
    """The modules of a distribution, each parsed when something leads to it."""

    def __init__(self, sources: Mapping[str, Callable[[], str]]) -> None:
        self._sources = sources
        self._read: dict[str, str] = {}
        self._parsed: dict[str, Module | None] = {}
        self._named: dict[str, list[str]] = {}
        for name in sources:
            self._named.setdefault(name.rpartition(".")[2], []).append(name)

    def source(self, name: str) -> str:
        """The text of a module."""
        if name not in self._read:
            self._read[name] = self._sources[name]()
        return self._read[name]

    def module(self, name: str) -> Module | None:
        """A module, or None when it is too large or no Python."""
        if name not in self._parsed:
            tree = parse(self.source(name))
            self._parsed[name] = Module(tree, name, self) if tree is not None else None
        return self._parsed[name]

    def called(self, last: str) -> Iterator[Module]:
        """The modules whose last name that is."""
        found = (self.module(name) for name in self._named.get(last, ()))
        yield from (module for module in found if module is not None)

    def callers(self, function: str, of: str) -> Iterator[Module]:
        """Other modules that import the module, or something from it, and call such a function."""
        last = of.rpartition(".")[2]
        found = 0
        for name in self._sources:
            text = self.source(name) if name != of and found < _MOST_CALLERS else ""
            if f"{function}(" in text and last in text:
                module = self.module(name)
                if module is not None and last in module.imports.values():
                    found += 1
                    yield module


def parse(source: str) -> ast.Module | None:
    """The tree of a module; None when it is too large or no Python."""
    if len(source) > LARGEST_MODULE:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class Module:
    """One module: what its names are bound to, its functions, and the calls in it."""

    def __init__(self, tree: ast.Module, name: str = "", code: Code | None = None) -> None:
        self.tree = tree
        self.name = name
        self._code = code
        self.bound: dict[str, list[ast.expr]] = {}
        # What lists get after they were made, in the order of the text.
        self._added: dict[str, list[ast.expr]] = {}
        self.functions: dict[str, list[_Function]] = {}
        self._calls: dict[str, list[ast.Call]] = {}
        self._parameters: dict[str, list[_Function]] = {}
        # Local name: last name of the module that it is, or is from.
        self.imports: dict[str, str] = {}
        for node in ast.walk(tree):
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._bind(node.target, node.value)
        elif isinstance(node, ast.AugAssign) and (name := _name_of(node.target)):
            self._added.setdefault(name, []).append(node.value)
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple | ast.List):
            for item in node.iter.elts:
                self._bind(node.target, item)
        elif isinstance(node, _Function):
            self._note_function(node)
        elif isinstance(node, ast.Call):
            name = _name_of(node.func) or ""
            self._calls.setdefault(name, []).append(node)
            if name in ("append", "extend") and isinstance(node.func, ast.Attribute) and node.args:
                owner = _name_of(node.func.value)
                if owner is not None:
                    self._added.setdefault(owner, []).append(node.args[0])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                last = alias.name.rpartition(".")[2]
                self.imports[alias.asname or last] = last
        elif isinstance(node, ast.ImportFrom):
            last = (node.module or "").rpartition(".")[2]
            for alias in node.names:
                # "from . import execute": the name is the module.
                self.imports[alias.asname or alias.name] = last or alias.name

    def _bind(self, target: ast.expr, given: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List) and isinstance(given, ast.Tuple | ast.List):
            for one, value in zip(target.elts, given.elts, strict=False):
                self._bind(one, value)
        elif (name := _name_of(target)) is not None:
            self.bound.setdefault(name, []).append(given)

    def _note_function(self, node: _Function) -> None:
        self.functions.setdefault(node.name, []).append(node)
        positional = [*node.args.posonlyargs, *node.args.args]
        for one in (*positional, *node.args.kwonlyargs):
            self._parameters.setdefault(one.arg, []).append(node)
        defaults = node.args.defaults
        for one, default in zip(
            positional[len(positional) - len(defaults) :], defaults, strict=True
        ):
            self.bound.setdefault(one.arg, []).append(default)
        for one, other in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if other is not None:
                self.bound.setdefault(one.arg, []).append(other)

    def texts(self, node: ast.expr, *, program: bool = False) -> Iterator[str]:
        """The texts an argument may be: itself, the items of a list, or what its name is bound to.

        Of a list that is a command (``program``) only the first item.
        """
        yield from _Search(program=program).of(node, self, 0)

    def given(self, name: str) -> Iterator[tuple[Module, ast.expr]]:
        """What calls give to the parameters of that name, each with the module of the call."""
        for function in self._parameters.get(name, ()):
            called = function.name
            if called == "__init__":
                continue
            sites = [(self, call) for call in self._calls.get(called, ())]
            if self._code is not None and not called.startswith("__"):
                for module in self._code.callers(called, self.name):
                    sites += [(module, call) for call in module._calls.get(called, ())]
            for module, call in sites:
                argument = _argument(call, function, name)
                if argument is not None:
                    yield module, argument

    def others(self, node: ast.expr) -> Iterator[Module]:
        """The modules of the distribution that a name, or what an attribute is taken from, is of."""
        owner = node.value if isinstance(node, ast.Attribute) else node
        last = self.imports.get(_name_of(owner) or "")
        if last is not None and self._code is not None:
            yield from (m for m in self._code.called(last) if m is not self)

    def returned(self, node: ast.expr) -> Iterator[tuple[Module, ast.expr]]:
        """What the functions that a call may mean return."""
        name = _name_of(node)
        for module in (self, *self.others(node)):
            for function in module.functions.get(name or "", ()):
                for inner in ast.walk(function):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        yield module, inner.value

    def added(self, name: str) -> list[ast.expr]:
        """What a list gets after it was made, in the order of the text."""
        return self._added.get(name, [])


class _Search:
    """One look for texts: every expression is tried once, and not too many."""

    def __init__(self, *, program: bool) -> None:
        self._program = program
        self._seen: set[int] = set()

    def of(self, node: ast.expr, module: Module, depth: int) -> Iterator[str]:
        if depth > _DEEPEST or id(node) in self._seen or len(self._seen) > _MOST_STEPS:
            return
        self._seen.add(id(node))
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                yield node.value
        elif isinstance(node, ast.JoinedStr) and node.values:
            # "ffmpeg {arguments}": its beginning tells the program.
            first = node.values[0]
            if isinstance(first, ast.Constant) and str(first.value).strip() != str(first.value):
                yield str(first.value)
            elif isinstance(first, ast.FormattedValue) and self._program:
                yield from self.of(first.value, module, depth + 1)
        elif isinstance(node, ast.Tuple | ast.List):
            for item in node.elts[: 1 if self._program else None]:
                yield from self.of(item, module, depth)
        elif isinstance(node, ast.Starred):
            yield from self.of(node.value, module, depth)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            yield from self._of_sum(node, module, depth)
        elif isinstance(node, ast.BoolOp):
            for item in node.values:
                yield from self.of(item, module, depth)
        elif isinstance(node, ast.IfExp):
            yield from self.of(node.body, module, depth)
            yield from self.of(node.orelse, module, depth)
        elif isinstance(node, ast.Await):
            yield from self.of(node.value, module, depth)
        elif isinstance(node, ast.Call):
            yield from self._of_call(node, module, depth)
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from self._of_name(node, module, depth)

    def _of_sum(self, node: ast.BinOp, module: Module, depth: int) -> Iterator[str]:
        """``program + " -i"``, ``[program] + arguments``, ``"%s -i" % program``."""
        left = node.left
        filled = isinstance(node.op, ast.Mod) and isinstance(left, ast.Constant)
        if filled and str(left.value).startswith("%s"):  # type: ignore[attr-defined]
            right = node.right
            left = right.elts[0] if isinstance(right, ast.Tuple) and right.elts else right
        yield from self.of(left, module, depth)

    def _of_call(self, node: ast.Call, module: Module, depth: int) -> Iterator[str]:
        function = node.func
        name = _name_of(function) or ""
        held = function.value if isinstance(function, ast.Attribute) else None
        if name in ("get", "getenv", "setdefault", "pop") and len(node.args) == len("kv"):
            # os.environ.get("JAVA", "java")
            yield from self.of(node.args[1], module, depth)
        elif name == "join" and isinstance(held, ast.Constant) and node.args:
            yield from self.of(node.args[0], module, depth)
        elif name == "join" and node.args:
            # os.path.join(home, "bin", "java"): a library there is no matter of the loader's path.
            if self._program:
                yield from self.of(node.args[-1], module, depth)
        elif name in ("format", "split", "strip") and held is not None:
            yield from self.of(held, module, depth)
        else:
            found = False
            for other, value in module.returned(function):
                for text in self.of(value, other, depth + 1):
                    found = True
                    yield text
            if not found and len(node.args) == 1:
                # list(command), shlex.split("ffmpeg -i"), os.fspath(path)
                yield from self.of(node.args[0], module, depth)

    def _of_name(self, node: ast.Name | ast.Attribute, module: Module, depth: int) -> Iterator[str]:
        name = node.id if isinstance(node, ast.Name) else node.attr
        empty = False
        for given in module.bound.get(name, ())[:20]:
            empty |= isinstance(given, ast.List) and not given.elts
            yield from self.of(given, module, depth + 1)
        if empty:
            for given in module.added(name)[:1]:
                yield from self.of(given, module, depth + 1)
        if not isinstance(node, ast.Attribute) and self._program:
            for other, argument in module.given(name):
                yield from self.of(argument, other, depth + 1)
        for other in module.others(node):
            for given in other.bound.get(name, ())[:20]:
                yield from self.of(given, other, depth + 1)


def _argument(call: ast.Call, function: _Function, name: str) -> ast.expr | None:
    """What a call gives to a parameter."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    positional = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if name not in positional:
        return None
    place = positional.index(name) - (positional[0] in ("self", "cls"))
    given = call.args[: place + 1]
    if not 0 <= place < len(given) or any(isinstance(one, ast.Starred) for one in given):
        return None
    return given[place]


def _name_of(node: ast.expr) -> str | None:
    """The last name of a name or an attribute."""
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None
