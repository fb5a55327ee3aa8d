"""What making an instance certainly leaves in its ``__dict__``, read from the class's source.

A pickle gives the attributes back without making the instance anew. One that lacks what the class
always sets was written by a release whose class set something else.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auditor.online.reader import ClassFacts, Library

# Classes with these say themselves what is written and restored, or answer for what is not there.
_OWN_FORM: Final = (
    "__reduce__",
    "__reduce_ex__",
    "__getnewargs__",
    "__getnewargs_ex__",
    "__getattr__",
    "__getattribute__",
)
# These may leave something out, or put it back: what they name is not asked for.
_EDITED: Final = ("__getstate__", "__setstate__", "__del__")
_MOST_CALLS: Final = 200
# Methods that make an instance; pandas' make it of arrays that are checked already.
_MAKERS: Final = ("__init__", "__new__", "_simple_new")


def made(facts: ClassFacts) -> frozenset[str]:
    """Attributes that every instance has once it is made, and that some method reads."""
    if any(name in facts.members for name in _OWN_FORM):
        return frozenset()
    found: set[str] = set()
    for maker in _MAKERS:
        found |= _Making(facts).method(maker, -1)
    if not found:
        return frozenset()
    edited = {
        text
        for name in _EDITED
        for _, _, function in facts.members.get(name, ())
        if function is not None
        for text in _named(function)
    }
    read = {attribute for _, cls in facts.mro for attribute in _read(cls)}
    plain = {a for a in found if a not in facts.members and not a.startswith("__")}
    return frozenset((plain & read) - edited)


def described(library: Library) -> dict[str, list[str]]:
    """``module:Class`` -> what its instances are made with, of all classes of a release."""
    found: dict[str, list[str]] = {}
    for module, source in library.modules.items():
        for name in source.classes:
            facts = library.class_facts(module, name)
            if facts is not None and (attributes := made(facts)):
                found[f"{module}:{name}"] = sorted(attributes)
    return found


@lru_cache(maxsize=4096)
def _read(cls: ast.ClassDef) -> frozenset[str]:
    """Attributes that are read anywhere in a class."""
    return frozenset(
        node.attr
        for node in ast.walk(cls)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )


def _named(function: ast.AST) -> set[str]:
    """Attributes and texts in a method."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def _instance(function: ast.FunctionDef) -> str:
    """What ``cls`` makes an instance under: ``result = object.__new__(cls)``; else nothing."""
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
            and node.value.func.attr == "__new__"
            and isinstance(node.targets[0], ast.Name)
        ):
            return node.targets[0].id
    return ""


class _Making:
    """Follows ``__init__`` and the methods that it calls on the instance."""

    def __init__(self, facts: ClassFacts) -> None:
        self.facts = facts
        self.calls = 0
        self.running: set[tuple[int, str]] = set()

    def method(self, name: str, above: int) -> set[str]:
        """What the method sets in any case, or with ``above`` the next one after that class."""
        for depth, _, function in self.facts.members.get(name, ()):
            if depth <= above:
                continue
            if (
                not isinstance(function, ast.FunctionDef)
                or (depth, name) in self.running
                or self.calls >= _MOST_CALLS
                # What a decorator makes of another method is not known.
                or (function.decorator_list and name not in _MAKERS)
            ):
                return set()
            arguments = function.args.posonlyargs + function.args.args
            if not arguments:
                return set()
            self.calls += 1
            self.running.add((depth, name))
            found: set[str] = set()
            me = arguments[0].arg if name not in _MAKERS[1:] else _instance(function)
            self.run(function.body, me, depth, found)
            self.running.discard((depth, name))
            return found
        return set()

    def run(self, body: list[ast.stmt], me: str, depth: int, found: set[str]) -> bool:
        """Adds what the statements set; False when what follows may not be reached."""
        return all(self.statement(node, me, depth, found) for node in body)

    def statement(self, node: ast.stmt, me: str, depth: int, found: set[str]) -> bool:
        if isinstance(node, ast.Return):
            return False
        if isinstance(node, ast.Raise):
            return False
        if isinstance(node, ast.If):
            return self._either(node, me, depth, found)
        if isinstance(node, ast.With):
            return self.run(node.body, me, depth, found)
        if isinstance(node, ast.Try):
            if all(h.body and isinstance(h.body[-1], ast.Raise) for h in node.handlers):
                return self.run([*node.body, *node.orelse, *node.finalbody], me, depth, found)
            return self.run(node.finalbody, me, depth, found)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None:
                for target in targets:
                    self._stored(target, me, found)
                self._called(node.value, me, depth, found)
        elif isinstance(node, ast.Expr):
            self._called(node.value, me, depth, found)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    found.discard(target.attr)
        return True

    def _either(self, node: ast.If, me: str, depth: int, found: set[str]) -> bool:
        left, right = set(found), set(found)
        goes_left = self.run(node.body, me, depth, left)
        goes_right = self.run(node.orelse, me, depth, right)
        ends_left = bool(node.body) and isinstance(node.body[-1], ast.Raise)
        ends_right = bool(node.orelse) and isinstance(node.orelse[-1], ast.Raise)
        both = right if ends_left else left if ends_right else left & right
        found.clear()
        found.update(both)
        return (goes_left or ends_left) and (goes_right or ends_right)

    def _stored(self, target: ast.expr, me: str, found: set[str]) -> None:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        for part in parts:
            if (
                isinstance(part, ast.Attribute)
                and isinstance(part.value, ast.Name)
                and part.value.id == me
            ):
                found.add(part.attr)

    def _called(self, node: ast.expr, me: str, depth: int, found: set[str]) -> None:
        """``self.method()``, ``super().__init__()``, ``Base.__init__(self)``."""
        function = node.func if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or not isinstance(function, ast.Attribute):
            return
        value = function.value
        if isinstance(value, ast.Name) and value.id == me:
            found |= self.method(function.attr, -1)
        elif (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id == "super"
        ) or (
            isinstance(value, ast.Name)
            and node.args
            and isinstance(node.args[0], ast.Name)
            and node.args[0].id == me
        ):
            found |= self.method(function.attr, depth)


__all__ = ["described", "made"]
