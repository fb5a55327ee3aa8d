"""What the abstract pickle machine has on its stack.

Small scalars, strings and short tuples are Python values; everything else is one of these.
None of them hashes or compares by content, so hostile structures cost nothing to hold.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from auditor.artifacts.pickle.runs import Run, Some

# Python scalars and tuples, or one of the classes below.
Value: TypeAlias = Any

# Items kept per container; the rest is only counted.
KEEP = 256


class Glob:
    """The result of importing ``module.name``; ``written`` is the name before Python 2 mapping."""

    __slots__ = ("module", "name", "offset", "written")

    def __init__(self, module: str, name: str, offset: int, written: str = "") -> None:
        self.module = module
        self.name = name
        self.offset = offset
        self.written = written

    @property
    def key(self) -> str:
        return f"{self.module}.{self.name}"


class Call:
    """What calling ``func`` gave; ``states`` is what BUILD did to it, ``items`` what was added."""

    __slots__ = ("args", "cls", "func", "how", "items", "kwargs", "offset", "states")

    def __init__(self, func: Value, args: Value, kwargs: Value, how: str, offset: int) -> None:
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.how = how
        self.offset = offset
        # The class of the result as a Glob, set by who judges the call; None when not known.
        self.cls: Glob | None = None
        self.states: list[Value] = []
        self.items: list[Value] = []


class Lst:
    """A list, set or frozenset, or a tuple too long to hold."""

    __slots__ = ("exact", "items", "kind", "size")

    def __init__(self, kind: str, items: list[Value]) -> None:
        self.kind = kind
        self.items = items
        self.size = len(items)
        # One value that stands for a run of them makes the size a lower bound.
        self.exact = Run not in map(type, items)
        if self.size > KEEP:
            del items[KEEP:]

    def extend(self, items: list[Value]) -> None:
        self.size += len(items)
        self.exact = self.exact and Run not in map(type, items)
        room = KEEP - len(self.items)
        if room > 0:
            self.items += items[:room]

    @property
    def complete(self) -> bool:
        return self.exact and self.size == len(self.items)


class Dct:
    """A dictionary as the list of its assignments: flat ``[key, value, key, value, …]``."""

    __slots__ = ("flat", "size")

    def __init__(self, flat: list[Value]) -> None:
        self.size = len(flat) // 2
        self.flat = flat if len(flat) <= 2 * KEEP else flat[: 2 * KEEP]

    def extend(self, flat: list[Value]) -> None:
        self.size += len(flat) // 2
        room = 2 * KEEP - len(self.flat)
        if room > 0:
            self.flat += flat[:room]

    @property
    def complete(self) -> bool:
        return self.size == len(self.flat) // 2

    def pairs(self) -> list[tuple[Value, Value]]:
        return list(zip(self.flat[::2], self.flat[1::2], strict=False))

    def get(self, key: str) -> Value:
        """The value last assigned to a string key; ``MISSING`` when none was kept."""
        flat = self.flat
        for index in range(len(flat) - 2 + len(flat) % 2, -1, -2):
            if flat[index] == key and type(flat[index]) is str:
                return flat[index + 1]
        return MISSING


class Big:
    """A string, number or buffer that is too long to hold: where it lies and how long it is."""

    __slots__ = ("kind", "offset", "size")

    def __init__(self, kind: str, size: int, offset: int) -> None:
        self.kind = kind
        self.size = size
        self.offset = offset


class Pers:
    """An object that the loader supplies for a persistent id."""

    __slots__ = ("offset", "pid")

    def __init__(self, pid: Value, offset: int) -> None:
        self.pid = pid
        self.offset = offset


class Unk:
    """A value that is not known statically."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()
EMPTY_TUPLE: tuple[Value, ...] = ()

_SCALARS = frozenset({str, int, float, bool, type(None), bytes, Big})


def plain(value: Value, budget: int = 400) -> bool:
    """True when the value is data through and through; False too when that would cost too much."""
    pending = [value]
    while pending:
        value = pending.pop()
        budget -= 1
        if budget < 0:
            return False
        kind = type(value)
        if kind in _SCALARS:
            continue
        if kind is Some:
            if value.kind not in ("number", "text", "bytes"):
                return False
        elif kind is tuple:
            pending += value
        elif kind is Lst and value.complete:
            pending += value.items
        elif kind is Dct and value.complete:
            pending += value.flat
        else:
            return False
    return True
