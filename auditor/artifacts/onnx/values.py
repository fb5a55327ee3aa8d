"""Abstract tensors: sizes and small contents as numbers or symbols, with what they depend on.

A dependency is a pair: ``("axis", "x:1")`` a free axis of an input, ``("data", "x")`` the
contents of an input or of a random operator, ``("node", path)`` a shape that the node at
``path`` made out of contents. No dependency means: the same in every run, even where the number
itself is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Dep: TypeAlias = tuple[str, str]
Deps: TypeAlias = frozenset[Dep]
NONE: Deps = frozenset()
# More dependencies than anybody reads; the kinds of those left out are already present.
_MOST = 48


class Sym:
    """A number that is not known; two are equal only when they are the same object."""

    __slots__ = ("deps", "ident", "positive")

    def __init__(self, ident: int, deps: Deps, positive: bool) -> None:
        self.ident = ident
        self.deps = deps
        # Never below zero (a size).
        self.positive = positive


Dim: TypeAlias = int | Sym
Elem: TypeAlias = int | float | bool | str | Sym
Shape: TypeAlias = tuple[Dim, ...]


def join(*parts: Deps) -> Deps:
    """The union, kept short."""
    found: Deps = NONE
    for part in parts:
        if part and part is not found:
            found = part if not found else found if part <= found else found | part
    if len(found) > _MOST:
        kept = sorted(found, key=lambda d: (d[0] != "data", d[0] != "node", d))
        axes = [d for d in kept if d[0] == "axis"][:16]
        found = frozenset(kept[: _MOST // 2] + axes)
    return found


def deps_of(item: Elem) -> Deps:
    """What a number depends on; nothing when it is known."""
    return item.deps if isinstance(item, Sym) else NONE


class Symbols:
    """Makes symbols; the same expression gives the same symbol."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], Sym] = {}
        self._count = 0

    def fresh(self, deps: Deps, *, positive: bool = True) -> Sym:
        self._count += 1
        return Sym(self._count, deps, positive)

    def named(self, *key: object, deps: Deps, positive: bool = True) -> Sym:
        found = self._made.get(key)
        if found is None or found.deps != deps:
            found = self._made[key] = self.fresh(deps, positive=positive)
        return found

    def apply(self, op: str, a: Elem, b: Elem) -> Elem:
        """``a op b`` where at least one is a symbol; simplified where that is certain."""
        if op == "mul":
            if _is(a, 0) or _is(b, 0):
                return 0
            if _is(a, 1):
                return b
            if _is(b, 1):
                return a
        elif op == "add":
            if _is(a, 0):
                return b
            if _is(b, 0):
                return a
        elif op == "sub":
            if _is(b, 0):
                return a
            if a is b:
                return 0
        elif op == "div":
            if _is(b, 1):
                return a
        elif op in ("eq", "ne", "lt", "gt", "le", "ge"):
            known = _compare(op, a, b)
            if known is not None:
                return known
        elif op == "and":
            if a is False or b is False:
                return False
            if a is True:
                return b
            if b is True:
                return a
        elif op == "or":
            if a is True or b is True:
                return True
            if a is False:
                return b
            if b is False:
                return a
        elif op in ("min", "max") and a is b:
            return a
        deps = join(deps_of(a), deps_of(b))
        positive = (
            op in ("add", "mul", "div", "min", "max", "mod") and _positive(a) and _positive(b)
        )
        key_a: object = a.ident if isinstance(a, Sym) else ("k", a)
        key_b: object = b.ident if isinstance(b, Sym) else ("k", b)
        if op in ("add", "mul", "min", "max", "eq") and str(key_a) > str(key_b):
            key_a, key_b = key_b, key_a
        return self.named(op, key_a, key_b, deps=deps, positive=positive)


def _is(item: Elem, number: int) -> bool:
    return not isinstance(item, Sym | str) and item == number


def _positive(item: Elem) -> bool:
    if isinstance(item, Sym):
        return item.positive
    return not isinstance(item, str) and item >= 0


def _compare(op: str, a: Elem, b: Elem) -> bool | None:
    if a is b:
        return op in ("eq", "le", "ge")
    negative_a = not isinstance(a, Sym | str) and a < 0
    negative_b = not isinstance(b, Sym | str) and b < 0
    if isinstance(a, Sym) and a.positive and negative_b:
        return op in ("ne", "gt", "ge")
    if isinstance(b, Sym) and b.positive and negative_a:
        return op in ("ne", "lt", "le")
    if isinstance(a, Sym) and a.positive and _is(b, 0) and op in ("lt", "ge"):
        return op == "ge"
    return None


class Value:
    """One value of the graph. ``shape`` None: the rank is not known and hangs on ``rank``.

    ``elems`` are the elements of a small tensor, ``fill`` the one number all elements are;
    ``content`` is what its elements depend on. Of a sequence, ``items`` are the tensors when
    each is known, ``length`` their number, and the shape is that of any of them.
    """

    __slots__ = ("content", "elems", "fill", "items", "length", "rank", "shape", "type")

    def __init__(
        self,
        shape: Shape | None = None,
        *,
        type: str | None = None,
        content: Deps = NONE,
        elems: tuple[Elem, ...] | None = None,
        fill: Elem | None = None,
        rank: Deps = NONE,
        items: tuple[Value, ...] | None = None,
        length: Dim | None = None,
    ) -> None:
        self.shape = shape
        self.type = type
        self.elems = elems
        self.fill = fill
        self.rank = rank
        self.items = items
        self.length = length
        if elems is not None:
            content = join(*(e.deps for e in elems if isinstance(e, Sym))) if elems else NONE
        elif fill is not None:
            content = deps_of(fill)
        self.content = content

    @property
    def shape_deps(self) -> Deps:
        """All that any part of its shape depends on."""
        found = self.rank if self.shape is None else NONE
        for dim in self.shape or ():
            if isinstance(dim, Sym) and dim.deps and dim.deps is not found:
                found = join(found, dim.deps)
        if isinstance(self.length, Sym):
            found = join(found, self.length.deps)
        return found

    @property
    def size(self) -> int | None:
        """The number of elements, None when not a number."""
        if self.shape is None:
            return None
        total = 1
        for dim in self.shape:
            if isinstance(dim, Sym):
                return None
            total *= dim
        return total

    def one(self) -> Elem | None:
        """The single element, or what all elements are."""
        if self.elems is not None and len(self.elems) == 1:
            return self.elems[0]
        return self.fill


def union(values: Iterable[Value | None]) -> tuple[Deps, Deps]:
    """(dependencies of the contents, of the shapes) of all."""
    contents = shapes = NONE
    for value in values:
        if value is not None:
            if value.content is not contents:
                contents = join(contents, value.content)
            hung = value.shape_deps
            if hung is not shapes:
                shapes = join(shapes, hung)
    return contents, shapes
