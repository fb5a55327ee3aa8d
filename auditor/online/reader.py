"""What a wheel's modules bind and what its classes read; also behind ``make_symbol_tables``."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from auditor import lazy_re as re

# Methods that somebody who loaded a model calls first.
ROOTS: Final = (
    "predict",
    "predict_proba",
    "transform",
    "decision_function",
    "score_samples",
    "kneighbors",
    "split",
    "__call__",
    "pdf",
)
_IDENTIFIER: Final = re.compile(rb"(?<=\0)[A-Za-z_][A-Za-z0-9_.]{1,90}(?=\0)")
_COMMON: Final = frozenset(dir(__import__("builtins")))
_PICKLED: Final = re.compile(
    r"(__pyx_unpickle_(?!\w*__set_state)\w+|newObj|\w*unpickle\w*|__\w*_ctor|_\w*reconstruct\w*"
    r"|(?!Py[A-Z]|Py_|_Py|_ITM|_Z|_GLO|_Unw)_?[A-Z][a-z]\w*|[A-Z]+[a-z]\w+|NaT\w*|NA)"
)


def module_of(member: str) -> str | None:
    """The dotted name of a member of a wheel; None when it is no module."""
    parts = member.split("/")
    if parts[0].endswith((".dist-info", ".data", ".libs")):
        return None
    stem, _, suffix = parts[-1].partition(".")
    if suffix not in ("py",) and not suffix.endswith("so"):
        return None
    names = [*parts[:-1], stem]
    if names[-1] == "__init__":
        names.pop()
    return ".".join(names) if names and all(n.isidentifier() for n in names) else None


class Module:
    """Names that a source module binds at its top level."""

    def __init__(self, name: str, tree: ast.Module, package: bool) -> None:
        self.name = name
        self.package = package
        self.classes: dict[str, ast.ClassDef] = {}
        self.functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
        # name -> (module, name) of ``from module import name``, (module, "") of ``import``.
        self.imports: dict[str, tuple[str, str]] = {}
        self.variables: dict[str, ast.expr | None] = {}
        self.stars: list[str] = []
        self.forwards: list[str] = []
        self.dynamic = False
        self.removed: set[str] = set()
        self._body(tree.body)

    def _body(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions[node.name] = node
                if node.name == "__getattr__":
                    self._getattr(node)
            elif isinstance(node, ast.ImportFrom):
                source = self.absolute(node.level, node.module or "")
                for alias in node.names:
                    if alias.name == "*":
                        self.stars.append(source)
                    else:
                        self.imports[alias.asname or alias.name] = (source, alias.name)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.asname:
                        self.imports[alias.asname] = (alias.name, "")
                    else:
                        top = alias.name.partition(".")[0]
                        self.imports[top] = (top, "")
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    for name in _names(target):
                        self.variables[name] = node.value
            elif isinstance(node, ast.AnnAssign | ast.AugAssign):
                for name in _names(node.target):
                    self.variables[name] = node.value
            elif isinstance(node, ast.Delete):
                for target in node.targets:
                    self.removed.update(_names(target))
            elif isinstance(node, ast.If):
                if "TYPE_CHECKING" not in ast.dump(node.test):
                    self._body(node.body)
                self._body(node.orelse)
            elif isinstance(node, ast.Try):
                self._body(node.body)
                for handler in node.handlers:
                    self._body(handler.body)
                self._body(node.orelse)
                self._body(node.finalbody)
            elif isinstance(node, ast.With | ast.For | ast.While):
                self._body(node.body)
                if "globals" in ast.dump(node):
                    self.dynamic = True
            elif isinstance(node, ast.Expr) and "globals" in ast.dump(node):
                self.dynamic = True

    def _getattr(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for branch in ast.walk(node):
            # ``if name == "old": …; return new.old`` gives a name that nothing lists.
            if (
                isinstance(branch, ast.If)
                and isinstance(branch.test, ast.Compare)
                and isinstance(branch.test.ops[0], ast.Eq)
                and isinstance(branch.test.comparators[0], ast.Constant)
                and isinstance(name := branch.test.comparators[0].value, str)
                and isinstance(branch.body[-1], ast.Return)
            ):
                self.variables.setdefault(name, None)
        for call in ast.walk(node):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "getattr"
                and call.args
                and isinstance(call.args[0], ast.Name)
            ):
                self.forwards.append(call.args[0].id)
                for inner in ast.walk(node):
                    if isinstance(inner, ast.ImportFrom):
                        source = self.absolute(inner.level, inner.module or "")
                        for alias in inner.names:
                            self.imports.setdefault(
                                alias.asname or alias.name, (source, alias.name)
                            )
        if not self.forwards:
            self.dynamic = True

    def absolute(self, level: int, module: str) -> str:
        if not level:
            return module
        parts = self.name.split(".")
        if not self.package:
            parts.pop()
        parts = parts[: len(parts) - (level - 1)]
        return ".".join([*parts, module] if module else parts)

    def __contains__(self, name: str) -> bool:
        return (
            name in self.classes
            or name in self.functions
            or name in self.imports
            or name in self.variables
        )


def _names(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [n for element in target.elts for n in _names(element)]
    return []


class Library:
    """Every module of one release."""

    def __init__(self, archive: Path) -> None:
        self.modules: dict[str, Module] = {}
        self.compiled: dict[str, set[str] | None] = {}
        with zipfile.ZipFile(archive) as wheel:
            files = wheel.read("FILES").decode().split("\n")
            self.wheel = files[0]
            have = set(wheel.namelist())
            for member in files[1:]:
                module = module_of(member)
                parts = member.split("/")
                if module is None or "tests" in parts:
                    continue
                if member.endswith(".py"):
                    if member not in have:
                        # Not kept: that it exists is all that is known of it.
                        self.compiled[module] = None
                        continue
                    try:
                        tree = ast.parse(wheel.read(member))
                    except (SyntaxError, ValueError):
                        continue
                    self.modules[module] = Module(module, tree, member.endswith("__init__.py"))
                elif module not in self.modules:
                    self.compiled[module] = (
                        compiled_names(wheel.read(member), module) if member in have else None
                    )

    def exists(self, module: str) -> bool:
        return module in self.modules or module in self.compiled

    def names(self, module: str, seen: frozenset[str] = frozenset()) -> tuple[set[str], bool]:
        """(names that ``from module import`` gives, whether there may be more)."""
        if module in seen:
            return set(), False
        if module not in self.modules:
            found = self.compiled.get(module)
            return (set(found), True) if found is not None else (set(), True)
        source = self.modules[module]
        inner = seen | {module}
        names = {*source.classes, *source.functions, *source.variables}
        names |= {n for n, (m, _) in source.imports.items()}
        open_ended = source.dynamic
        for star in source.stars:
            if star.partition(".")[0] != module.partition(".")[0]:
                open_ended = True
                continue
            more, more_open = self.names(star, inner)
            names |= {n for n in more if not n.startswith("_")} | self._public(star)
            open_ended |= more_open
        for forward in source.forwards:
            target = source.imports.get(forward)
            if target is None:
                open_ended = True
                continue
            full = f"{target[0]}.{target[1]}" if target[1] else target[0]
            if not self.exists(full):
                open_ended = True
                continue
            more, more_open = self.names(full, inner)
            names |= more
            open_ended |= more_open
        return names - source.removed, open_ended

    def _public(self, module: str) -> set[str]:
        found = self.modules.get(module)
        value = found.variables.get("__all__") if found else None
        if isinstance(value, ast.List | ast.Tuple):
            return {
                e.value
                for e in value.elts
                if isinstance(e, ast.Constant) and isinstance(e.value, str)
            }
        return set()

    def resolve(self, module: str, name: str, depth: int = 12) -> tuple[Module, ast.AST] | None:
        """The definition behind ``module.name``, through imports, stars and forwards."""
        source = self.modules.get(module)
        if source is None or depth < 0:
            return None
        if name in source.classes:
            return source, source.classes[name]
        if name in source.functions:
            return source, source.functions[name]
        if name in source.imports:
            origin, original = source.imports[name]
            return self.resolve(origin, original, depth - 1) if original else None
        for star in source.stars:
            found = self.resolve(star, name, depth - 1)
            if found is not None:
                return found
        for forward in source.forwards:
            target = source.imports.get(forward)
            if target is not None:
                full = f"{target[0]}.{target[1]}" if target[1] else target[0]
                found = self.resolve(full, name, depth - 1)
                if found is not None:
                    return found
        return None

    def class_facts(self, module: str, name: str) -> ClassFacts | None:
        found = self.resolve(module, name)
        if found is None or not isinstance(found[1], ast.ClassDef):
            return None
        return ClassFacts(self, found[0], found[1])


def compiled_names(data: bytes, module: str) -> set[str]:
    """Names that pickles may ask a Cython module for, from the strings it holds."""
    names: set[str] = set()
    prefix = module + "."
    for match in _IDENTIFIER.finditer(data):
        text = match.group().decode()
        if text.startswith(prefix):
            text = text[len(prefix) :]
        if "." in text or (len(text) < 4 and text not in ("NA", "NaT")):
            continue
        if _PICKLED.fullmatch(text) and text not in _COMMON:
            names.add(text)
    return names


class ClassFacts:
    """What predicting with an instance certainly reads from its ``__dict__``."""

    def __init__(self, library: Library, module: Module, node: ast.ClassDef) -> None:
        self.library = library
        self.mro: list[tuple[Module, ast.ClassDef]] = []
        self.opaque_base = False
        self._linearise(module, node, set())
        # attribute -> list of (module, function) in method resolution order, None for a value
        self.members: dict[str, list[tuple[int, Module, ast.AST | None]]] = {}
        self.provided: set[str] = set()
        self.restored_from: list[str] = []
        for depth, (owner, cls) in enumerate(self.mro):
            for item in cls.body:
                self._member(depth, owner, item)
        self.needs: dict[str, str] = {}
        self._visited: set[tuple[int, str]] = set()

    def _linearise(self, module: Module, node: ast.ClassDef, seen: set[int]) -> None:
        if id(node) in seen or len(self.mro) > 60:
            return
        seen.add(id(node))
        self.mro.append((module, node))
        for base in node.bases:
            target = base.func if isinstance(base, ast.Call) else base
            text = ast.unparse(base)
            if isinstance(target, ast.Name):
                found = self.library.resolve(module.name, target.id)
            elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                origin = module.imports.get(target.value.id)
                full = ".".join(p for p in origin if p) if origin else ""
                found = self.library.resolve(full, target.attr) if full else None
            else:
                found = None
            # six.with_metaclass(ABCMeta, Base)
            if isinstance(base, ast.Call):
                for argument in base.args:
                    if isinstance(argument, ast.Name):
                        inner = self.library.resolve(module.name, argument.id)
                        if inner and isinstance(inner[1], ast.ClassDef):
                            self._linearise(inner[0], inner[1], seen)
                continue
            if found is not None and isinstance(found[1], ast.ClassDef):
                self._linearise(found[0], found[1], seen)
            elif text not in ("object", "ABC", "abc.ABC", "dict", "list", "UserDict"):
                self.opaque_base = True

    def _member(self, depth: int, owner: Module, item: ast.stmt) -> None:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            self.members.setdefault(item.name, []).append((depth, owner, item))
            if item.name == "__setstate__":
                self._restored(item)
                for node in ast.walk(item):
                    if _is_self(node) and isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]
                        self.provided.add(node.attr)  # type: ignore[attr-defined]
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        self.provided.add(node.value)
        elif isinstance(item, ast.Assign):
            # ``__call__ = evaluate`` is that method.
            value = item.value.id if isinstance(item.value, ast.Name) else ""
            same = [f for d, _, f in self.members.get(value, ()) if d == depth]
            for target in item.targets:
                for name in _names(target):
                    method = same[0] if same else None
                    self.members.setdefault(name, []).append((depth, owner, method))
        elif isinstance(item, ast.AnnAssign) and item.value is not None:
            for name in _names(item.target):
                self.members.setdefault(name, []).append((depth, owner, None))
        elif isinstance(item, ast.If | ast.Try):
            for inner in [*item.body, *item.orelse]:
                self._member(depth, owner, inner)

    def _restored(self, function: ast.AST) -> None:
        """``if hasattr(self, "x"): self.f_ = …``: without x there is no ``f_`` either."""
        for node in ast.walk(function):
            if not isinstance(node, ast.If):
                continue
            tests = node.test.values if isinstance(node.test, ast.BoolOp) else [node.test]
            for test in tests:
                if (
                    isinstance(test, ast.Call)
                    and isinstance(test.func, ast.Name)
                    and test.func.id == "hasattr"
                    and len(test.args) == 2
                    and isinstance(test.args[1], ast.Constant)
                ):
                    self.restored_from.append(str(test.args[1].value))

    def analyse(self) -> dict[str, str]:
        """Attribute -> the method in which it is read."""
        for _, _, function in self.members.get("__setstate__", ())[:1]:
            for node in ast.walk(function) if function is not None else ():
                if isinstance(node, ast.Call) and _is_self(node.func):
                    for _, _, called in self.members.get(node.func.attr, ())[:1]:  # type: ignore[attr-defined]
                        for inner in ast.walk(called) if called is not None else ():
                            if _is_self(inner) and isinstance(inner.ctx, ast.Store):  # type: ignore[attr-defined]
                                self.provided.add(inner.attr)  # type: ignore[attr-defined]
        for root in ROOTS:
            if root in self.members:
                if root == "__call__" and any(r in self.members for r in ROOTS[:4]):
                    continue
                self.method(root, -1)
        found = {a: m for a, m in self.needs.items() if a.partition("?")[0] not in self.provided}
        found.update(dict.fromkeys((*self.restored_from, *self._demanded()), "__setstate__"))
        return found

    def _demanded(self) -> Iterator[str]:
        """What ``__setstate__`` certainly takes out of the state; ``()`` where it is a tuple."""
        for _, _, function in self.members.get("__setstate__", ())[:1]:
            if not isinstance(function, ast.FunctionDef) or len(function.args.args) != 2:
                continue
            state = function.args.args[1].arg
            plain = (ast.Assign, ast.AnnAssign, ast.Expr)
            for statement in function.body:
                if not isinstance(statement, plain):
                    if isinstance(statement, ast.If | ast.Try | ast.For | ast.With):
                        # From here on the state may be another one.
                        return
                    continue
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                if isinstance(statement.value, ast.Name) and statement.value.id == state:
                    yield from ("()" for target in targets if isinstance(target, ast.Tuple))
                if any(isinstance(t, ast.Name) and t.id == state for t in targets):
                    return
                yield from _taken(statement, state)

    def method(self, name: str, above: int, given: Mapping[str, object] | None = None) -> None:
        """Follow a method, or with ``above`` the next one after that class."""
        for depth, owner, function in self.members.get(name, ()):
            if depth <= above:
                continue
            if (depth, name) in self._visited or function is None:
                return
            if name == "get_params":
                # It reads every parameter of the constructors.
                self._parameters()
            self._visited.add((depth, name))
            assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            arguments = function.args.posonlyargs + function.args.args
            decorators = {ast.unparse(d) for d in function.decorator_list}
            if arguments and not decorators & {"staticmethod", "classmethod"}:
                self.walk(function, arguments[0].arg, depth, owner, name, given)
            return

    def _parameters(self) -> None:
        for _, cls in self.mro:
            for item in cls.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    arguments = item.args.posonlyargs + item.args.args
                    for argument in arguments[1:] + item.args.kwonlyargs:
                        if argument.arg not in self.members:
                            self.needs.setdefault(argument.arg, "get_params")

    def walk(
        self,
        function: ast.AST,
        me: str,
        depth: int,
        owner: Module,
        name: str,
        given: Mapping[str, object] | None = None,
    ) -> None:
        guarded: set[str] = set()
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("hasattr", "getattr", "delattr")
                and len(node.args) >= 2
                and isinstance(node.args[0], ast.Name)
                and node.args[0].id == me
                and isinstance(node.args[1], ast.Constant)
                and (node.func.id != "getattr" or len(node.args) == 3)
            ):
                guarded.add(str(node.args[1].value))
        walk = _Walk(self, me, depth, owner, name, guarded)
        walk.constants = dict(given or {})
        walk.run(getattr(function, "body", []))


def _taken(statement: ast.stmt, state: str) -> Iterator[str]:
    """Keys that are taken out of a mapping: ``state.pop("x")``, ``state["x"]``."""
    for node in ast.walk(statement):
        key: ast.AST | None = None
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "pop"
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == state
            and len(node.args) == 1
        ):
            key = node.args[0]
        elif (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Load)
            and isinstance(node.value, ast.Name)
            and node.value.id == state
        ):
            key = node.slice
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


def _is_self(node: ast.AST, me: str = "self") -> bool:
    return (
        isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == me
    )


class _Walk:
    """Statements that certainly run when the method does."""

    def __init__(
        self, facts: ClassFacts, me: str, depth: int, owner: Module, name: str, guarded: set[str]
    ) -> None:
        self.facts = facts
        self.me = me
        self.depth = depth
        self.owner = owner
        self.name = name
        self.stored = guarded
        self.constants: dict[str, object] = {}

    def run(self, body: list[ast.stmt]) -> bool:
        """False when what follows may not be reached."""
        return all(self.statement(statement) for statement in body)

    def statement(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return True
        if isinstance(node, ast.Return | ast.Raise):
            self.expression(node.value if isinstance(node, ast.Return) else node.exc)
            return False
        if isinstance(node, ast.If):
            self.expression(node.test)
            # Both branches: only what both do is certain. One that only raises does not count.
            if _raises(node.body):
                return self.run(node.orelse)
            known = self.constant(node.test)
            if known is not None:
                return self.run(node.body if known else node.orelse)
            if node.orelse and _raises(node.orelse):
                return self.run(node.body)
            left, go_left = self.branch(node.body)
            right, go_right = self.branch(node.orelse)
            for attribute in left.keys() & right.keys():
                self.facts.needs.setdefault(attribute, left[attribute])
            guard = self.guard(node.test)
            if guard:
                inverse = guard[1:] if guard.startswith("!") else f"!{guard}"
                for found, name in ((left, guard), (right, inverse)):
                    for attribute in found.keys() - self.facts.needs.keys():
                        if "?" not in attribute:
                            self.facts.needs.setdefault(f"{attribute}?{name}", found[attribute])
            return go_left and go_right
        if isinstance(node, ast.For | ast.AsyncFor):
            self.expression(node.iter)
            self.run(node.body)
            return True
        if isinstance(node, ast.While):
            self.expression(node.test)
            return True
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                self.expression(item.context_expr)
            return self.run(node.body)
        if isinstance(node, ast.Try):
            if any(
                h.type is None
                or "AttributeError" in ast.unparse(h.type)
                or ast.unparse(h.type) in ("Exception", "BaseException", "NotFittedError")
                for h in node.handlers
            ):
                return True
            return self.run(node.body) and self.run(node.finalbody)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self.expression(node.value)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(node, ast.AugAssign) and _is_self(target, self.me):
                    self.read(target.attr)  # type: ignore[attr-defined]
                for part in ast.walk(target):
                    if _is_self(part, self.me) and isinstance(part.ctx, ast.Store):  # type: ignore[attr-defined]
                        self.stored.add(part.attr)  # type: ignore[attr-defined]
                    elif _is_self(part, self.me):
                        self.read(part.attr)  # type: ignore[attr-defined]
            return True
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child)
        return True

    def constant(self, test: ast.expr) -> bool | None:
        """The truth of a parameter that the caller gave as a constant."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.constant(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.Name) and test.id in self.constants:
            return bool(self.constants[test.id])
        return None

    def guard(self, test: ast.expr) -> str:
        """``x`` for ``if self.x``, ``!x`` for its opposite, ``+x`` for ``is not None``; else empty."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.guard(test.operand)
            return f"!{inner}" if inner and not inner.startswith("!") else inner[1:]
        if _is_self(test, self.me) and test.attr not in self.facts.members:  # type: ignore[attr-defined]
            return str(test.attr)  # type: ignore[attr-defined]
        if (
            isinstance(test, ast.Compare)
            and len(test.ops) == 1
            and _is_self(test.left, self.me)
            and isinstance(test.comparators[0], ast.Constant)
            and isinstance(test.comparators[0].value, str)
            and test.comparators[0].value.isidentifier()
            and isinstance(test.ops[0], ast.Eq | ast.NotEq)
        ):
            equal = f"{test.left.attr}={test.comparators[0].value}"  # type: ignore[attr-defined]
            return equal if isinstance(test.ops[0], ast.Eq) else f"!{equal}"
        if (
            isinstance(test, ast.Compare)
            and len(test.ops) == 1
            and _is_self(test.left, self.me)
            and isinstance(test.comparators[0], ast.Constant)
            and test.comparators[0].value is None
            and isinstance(test.ops[0], ast.Is | ast.IsNot)
        ):
            attribute = test.left.attr  # type: ignore[attr-defined]
            return f"+{attribute}" if isinstance(test.ops[0], ast.IsNot) else f"!+{attribute}"
        return ""

    def branch(self, body: list[ast.stmt]) -> tuple[dict[str, str], bool]:
        """What a branch alone would need, without recording it."""
        kept = self.facts.needs
        visited = set(self.facts._visited)
        stored = set(self.stored)
        self.facts.needs = {}
        goes_on = self.run(body)
        found = self.facts.needs
        self.facts.needs = kept
        self.facts._visited = visited
        self.stored = stored
        return {**found, **kept}, goes_on

    def read(self, attribute: str) -> None:
        if attribute in self.stored or attribute.startswith("__"):
            return
        members = self.facts.members.get(attribute)
        if members is None:
            self.facts.needs.setdefault(attribute, self.name)
        elif members[0][2] is not None:
            function = members[0][2]
            if any("property" in ast.unparse(d) for d in function.decorator_list):  # type: ignore[attr-defined]
                self.facts.method(attribute, -1)

    def expression(self, node: ast.expr | None) -> None:
        if node is None:
            return
        if isinstance(node, ast.BoolOp):
            self.expression(node.values[0])
            if len(node.values) == 2:
                guard = self.guard(node.values[0])
                if guard and isinstance(node.op, ast.Or):
                    guard = guard[1:] if guard.startswith("!") else f"!{guard}"
                known = self.constant(node.values[0])
                if known is isinstance(node.op, ast.And):
                    self.expression(node.values[1])
                elif guard:
                    found, _ = self.branch([ast.Expr(value=node.values[1])])
                    for attribute in found.keys() - self.facts.needs.keys():
                        if "?" not in attribute:
                            self.facts.needs.setdefault(f"{attribute}?{guard}", found[attribute])
            return
        if isinstance(node, ast.IfExp):
            self.expression(node.test)
            return
        if isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.SetComp):
            if not isinstance(node, ast.Lambda):
                self.expression(node.generators[0].iter)
                if not node.generators[0].ifs:
                    self.expression(node.elt)
            return
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            self.expression(node.left)
            self.expression(node.comparators[0])
            return
        if _is_self(node, self.me):
            self.read(node.attr)  # type: ignore[attr-defined]
            return
        if isinstance(node, ast.Call):
            self.call(node)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child)
            elif isinstance(child, ast.keyword):
                self.expression(child.value)

    def call(self, node: ast.Call) -> None:
        function = node.func
        for argument in node.args:
            self.expression(argument)
        for keyword in node.keywords:
            self.expression(keyword.value)
        if _is_self(function, self.me):
            attribute = function.attr  # type: ignore[attr-defined]
            if attribute in self.facts.members:
                given = {
                    k.arg: k.value.value
                    for k in node.keywords
                    if k.arg and isinstance(k.value, ast.Constant)
                }
                self.facts.method(attribute, -1, given)
            else:
                self.read(attribute)
            return
        if (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Call)
            and isinstance(function.value.func, ast.Name)
            and function.value.func.id == "super"
        ):
            self.facts.method(function.attr, self.depth)
            return
        if isinstance(function, ast.Name):
            if function.id == "check_is_fitted" and node.args:
                self.fitted(node)
                return
            if function.id == "get_tags" and _named(node.args[:1], self.me):
                # How scikit-learn asks an estimator what it is, wherever it validates its input.
                self.facts.method("__sklearn_tags__", -1)
                return
            if function.id == "getattr":
                if (
                    len(node.args) == 2
                    and isinstance(node.args[0], ast.Name)
                    and node.args[0].id == self.me
                    and isinstance(node.args[1], ast.Constant)
                ):
                    self.read(str(node.args[1].value))
                return
            place = next(
                (i for i, a in enumerate(node.args) if isinstance(a, ast.Name) and a.id == self.me),
                None,
            )
            if place is not None:
                found = self.facts.library.resolve(self.owner.name, function.id)
                if found is not None and isinstance(found[1], ast.FunctionDef):
                    parameters = found[1].args.posonlyargs + found[1].args.args
                    key = (-1, found[1].name)
                    if place < len(parameters) and key not in self.facts._visited:
                        self.facts._visited.add(key)
                        self.facts.walk(
                            found[1], parameters[place].arg, self.depth, found[0], found[1].name
                        )
            return
        self.expression(function)

    def fitted(self, node: ast.Call) -> None:
        if not (isinstance(node.args[0], ast.Name) and node.args[0].id == self.me):
            return
        given = list(node.args[1:2]) + [k.value for k in node.keywords if k.arg == "attributes"]
        if any(k.arg == "all_or_any" for k in node.keywords) or len(node.args) > 3:
            return
        if not given and "__sklearn_is_fitted__" not in self.facts.members:
            # Any attribute whose name ends so will do.
            self.facts.needs.setdefault("*_", "check_is_fitted")
        for value in given:
            parts = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    self.read(part.value)


def _named(arguments: list[ast.expr], name: str) -> bool:
    return any(isinstance(a, ast.Name) and a.id == name for a in arguments)


def _raises(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Raise)


def describe(archive: Path, with_needs: bool) -> dict[str, Any]:
    """One release: module -> (names, open), and class -> needs."""
    library = Library(archive)
    modules: dict[str, tuple[list[str], bool]] = {}
    for module in [*library.modules, *library.compiled]:
        names, open_ended = library.names(module)
        modules[module] = (sorted(names), open_ended)
    needs: dict[str, dict[str, str]] = {}
    defined: list[str] = []
    for module, source in library.modules.items():
        defined += [f"{module}:{name}" for name in source.classes]
        if not with_needs:
            continue
        for name in source.classes:
            facts = library.class_facts(module, name)
            if facts is not None and not (facts.opaque_base and len(facts.mro) == 1):
                found = facts.analyse()
                if found:
                    needs[f"{module}:{name}"] = found
    aliases: dict[str, str] = {}
    for module, source in library.modules.items():
        for name in modules[module][0]:
            if name in source.classes:
                continue
            found_class = library.resolve(module, name)
            if found_class is not None and isinstance(found_class[1], ast.ClassDef):
                aliases[f"{module}:{name}"] = f"{found_class[0].name}:{found_class[1].name}"
    return {
        "wheel": library.wheel,
        "modules": modules,
        "needs": needs,
        "classes": defined,
        "aliases": aliases,
    }
