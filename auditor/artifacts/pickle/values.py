"""What the abstract pickle machine has on its stack.

Small scalars, strings and short tuples are Python values; everything else is one of these.
None of them hashes or compares by content, so hostile structures cost nothing to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from auditor.artifacts.pickle.runs import Run, Some

# Python scalars and tuples, or one of the classes below.
Value: TypeAlias = Any

# Items kept per container; of the rest only what is more than a scalar, up to so many.
KEEP = 256
_REST = 20_000


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

    __slots__ = ("args", "cls", "func", "how", "items", "kwargs", "more_items", "offset", "rest",
                 "states")  # fmt: skip

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
        # What follows the kept items and is more than a scalar; more of that than can be held.
        self.rest: Sequence[Value] = ()
        self.more_items = False

    def add(self, items: list[Value]) -> None:
        """Keep the first items that are added."""
        room = KEEP - len(self.items)
        if len(items) > room:
            if not _SCALARS.issuperset(map(type, items[room:])):
                self.rest, more = _spill(self.rest, items[room:])
                self.more_items = more or self.more_items
            items = items[:room]
        self.items += items

    @property
    def room(self) -> int:
        """How many more items would be kept."""
        return KEEP - len(self.items)


class Lst:
    """A list, set or frozenset, or a tuple too long to hold.

    ``rest`` holds what follows the kept items and is more than a scalar; ``odd`` when it is more
    than can be held.
    """

    __slots__ = ("_runs", "_size", "items", "kind", "odd", "rest")

    def __init__(self, kind: str, items: list[Value]) -> None:
        self.kind = kind
        self.items = items
        self._size = len(items)
        self._runs: Sequence[Run] = ()
        self.odd = False
        self.rest: Sequence[Value] = ()
        if self._size > KEEP:
            self._spill(items[KEEP:])
            del items[KEEP:]

    def extend(self, items: list[Value]) -> None:
        self._size += len(items)
        room = KEEP - len(self.items)
        if len(items) > room:
            self._spill(items[room:] if room > 0 else items)
        if room > 0:
            self.items += items[:room]

    def _spill(self, items: list[Value]) -> None:
        if not _SCALARS.issuperset(map(type, items)):
            self._runs = _more(self._runs, [i for i in items if type(i) is Run])
            self.rest, odd = _spill(self.rest, items)
            self.odd = odd or self.odd

    @property
    def size(self) -> int:
        """How many items there are; those of runs are counted when it is asked for."""
        return self._size + sum(run.count() - 1 for run in self._runs)

    @property
    def least(self) -> int:
        """The size without what runs hold."""
        return self._size

    @property
    def room(self) -> int:
        """How many more items would be kept."""
        return KEEP - len(self.items)

    @property
    def complete(self) -> bool:
        return self._size == len(self.items)


class Dct:
    """A dictionary as the list of its assignments: flat ``[key, value, key, value, …]``."""

    __slots__ = ("_runs", "_size", "flat", "odd", "rest")

    def __init__(self, flat: list[Value]) -> None:
        self._size = 0
        self._runs: Sequence[Run] = ()
        self.odd = False
        self.rest: Sequence[Value] = ()
        self.flat: list[Value] = flat if len(flat) <= 2 * KEEP else []
        if self.flat is flat:
            self._size = len(flat) // 2
        else:
            self.extend(flat)

    def extend(self, flat: list[Value]) -> None:
        number = len(flat)
        room = 2 * KEEP - len(self.flat)
        if number > room:
            spilled = flat[max(room, 0) :]
            if not _SCALARS.issuperset(map(type, spilled)):
                runs = [i for i in spilled if type(i) is Run]
                self._runs = _more(self._runs, runs)
                number -= len(runs)
                self.rest, odd = _spill(self.rest, spilled)
                self.odd = odd or self.odd
        self._size += number // 2
        if room > 0:
            self.flat += flat[:room]

    @property
    def size(self) -> int:
        """How many assignments there are; those of runs are counted when it is asked for."""
        return self._size + sum(run.count() // 2 for run in self._runs)

    @property
    def least(self) -> int:
        """The size without what runs hold."""
        return self._size

    @property
    def room(self) -> int:
        """How many more keys and values would be kept."""
        return 2 * KEEP - len(self.flat)

    @property
    def complete(self) -> bool:
        return not self._runs and self._size == len(self.flat) // 2

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

    __slots__ = ("data", "kind", "offset", "size")

    def __init__(self, kind: str, size: int, offset: int, data: Any = None) -> None:
        self.kind = kind
        self.size = size
        self.offset = offset
        # What it lies in, where the bytes are of use.
        self.data = data


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


def _more(runs: Sequence[Run], others: list[Run]) -> Sequence[Run]:
    if type(runs) is list:
        runs += others
        return runs
    return others


def _spill(rest: Sequence[Value], items: list[Value]) -> tuple[list[Value], bool]:
    """Hold what is more than a scalar; true when that is too much."""
    held = rest if type(rest) is list else []
    more = [item for item in items if type(item) not in _SCALARS]
    room = _REST - len(held)
    held += more[: max(room, 0)]
    return held, len(more) > room


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
            if not value.scalar:
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
