"""Runs of like values, learned from a sample and swallowed by one pattern.

A list of a million records repeats the same few shapes. The opcodes of a sample are put together to
values as the unpickler would, each of which is described by the tokens that make it; like values are
merged to one schema, and the schema becomes a compiled pattern (possessive, hence linear) that skips
all further ones at the speed of the regular expression engine. A call is part of a schema only where
the callable is written as the same token every time and the judge finds the call harmless whatever
stands in the places that vary. Nothing that imports is ever part of a run.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import product
from mmap import mmap
from typing import Any, Protocol, TypeAlias

from auditor import lazy_re as re

Buffer: TypeAlias = bytes | mmap

# Tokens of a sample, and how far it reaches.
_TOKENS = 600
_REACH = 1 << 15
# Bounds on one schema: a pattern that is longer or whose alternatives retry more is not used.
_LONGEST = 30_000
_COST = 300
_DEPTH = 12
# A dictionary with more keys is no dictionary of attributes.
_ATTRIBUTES = 64
# Exact tokens kept per place before it counts as varying.
_EXACT = 3


class Run:
    """Values that were skipped, which lie at ``start:end``. ``kind`` as in ``Context``."""

    __slots__ = ("_count", "_marks", "end", "first", "kind", "machine", "proven", "recipe", "start",
                 "values")  # fmt: skip

    def __init__(self, start: int, end: int, recipe: Recipe, machine: Keeper) -> None:
        self.start = start
        self.end = end
        self.recipe = recipe
        self.kind = recipe.kind
        self.machine = machine
        # The values themselves, where they were followed after all.
        self.values: list[Any] | None = None
        # The number of the first value that it stores, once that is known.
        self.first = -1
        self.proven = False
        self._count = -1
        self._marks: array[int] | None = None

    def count(self) -> int:
        """How many values there are."""
        if self._count < 0:
            items = self.recipe.count(self.machine.data, self.start, self.end)
            self._count = items * (2 if self.kind in ("pairs", "sets") else 1)
        return self._count

    def literal(self) -> bool:
        """Whether all of it is data through and through."""
        return self.recipe.steady and (
            self.proven or not self.recipe.recalls or self.machine.recalls_values(self)
        )

    def token_of(self, index: int) -> int:
        """The offset of the token before the store of that number in this run; -1 for none."""
        if self._marks is None:
            self._marks = array("Q", marks(self.machine.data, self.start, self.end))
        return self._marks[index] if index < len(self._marks) else -1


class Some:
    """Any value of a kind: what a place of a schema holds that varies from one value to the next.

    ``kind`` is ``int``, ``float``, ``str``, ``bytes`` or ``list``, ``dict``, ``set``, ``frozenset``,
    ``tuple`` with items that are not known.
    """

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def scalar(self) -> bool:
        return self.kind in ("int", "float", "str", "bytes")


class Keeper(Protocol):
    """The machine that made a run."""

    @property
    def data(self) -> Buffer: ...
    def recalls_values(self, run: Run) -> bool: ...


class Jury(Protocol):
    """Who says whether a call is harmless for any values in place of ``Some``. Silent."""

    def made(self, func: Any, args: Any, how: str) -> Any | None: ...
    def built(self, target: Any, state: Any) -> Any | None: ...
    def filled(self, target: Any, wanted: str) -> Any | None: ...
    def steady(self, made: Any) -> bool: ...
    def settled(self, value: Any) -> bool: ...


class Style:
    """How the stream stores in its memo: MEMOIZE, or PUT under numbers from ``floor`` on.

    Numbers are written as ``lines`` of text, as bytes, or it is not known yet.
    """

    __slots__ = ("floor", "pattern", "puts", "recall")

    def __init__(
        self, *, puts: bool, floor: int = 0, ceiling: int = 1 << 31, lines: bool | None = False
    ) -> None:
        self.puts = puts
        self.floor = floor
        self.pattern = _put_pattern(floor, min(ceiling, (1 << 32) - 1), lines) if puts else b"\x94"
        recalls = ([] if lines else [b"h.", b"j...."]) + ([] if lines is False else [_GET_LINE])
        self.recall = b"(?:" + b"|".join(recalls) + b")" if len(recalls) > 1 else recalls[0]


_GET_LINE = rb"g[0-9]{1,9}\n"


@lru_cache(maxsize=64)
def _put_pattern(floor: int, ceiling: int, lines: bool | None) -> bytes:
    """PUT, BINPUT or LONG_BINPUT under a number not below the floor, nor far above the ceiling."""
    # The C unpickler allocates a table up to the number.
    parts = ([] if lines else _put_bytes(floor, ceiling)) + (
        [] if lines is False else [_put_lines(floor, ceiling)]
    )
    return b"(?:" + b"|".join(parts) + b")" if len(parts) > 1 else parts[0]


def _put_bytes(floor: int, ceiling: int) -> list[bytes]:
    parts = []
    raw, most = floor.to_bytes(4, "little"), ceiling.to_bytes(4, "little")
    if floor < 256:
        parts.append(b"q[" + _byte(floor) + rb"-\xff]")
    # A byte that is greater, and those above it equal. The likeliest comes first.
    wide = []
    for index in (2, 1, 3, 0):
        low = raw[index] + (1 if index else 0)
        high = 255 if any(raw[index + 1 :]) or any(most[index + 1 :]) else most[index]
        if low > high:
            continue
        above = b"".join(_byte(b) for b in raw[index + 1 :])
        span = _byte(low) if low == high else b"[" + _byte(low) + b"-" + _byte(high) + b"]"
        wide.append(b"." * index + span + above)
    if wide:
        parts.append(b"r(?:" + b"|".join(wide) + b")")
    # Where the ceiling leaves nothing: a byte that cannot be.
    return parts or [b"r(?!)"]


def _put_lines(floor: int, ceiling: int) -> bytes:
    digits = str(floor)
    longer = len(str(ceiling)) - len(digits)
    lines = [b"[1-9][0-9]{%d,%d}\n" % (len(digits), len(str(ceiling)) - 1)] if longer > 0 else []
    for index, digit in enumerate(digits):
        low = int(digit) + (1 if index < len(digits) - 1 else 0)
        if low > 9:
            continue
        rest = b"[0-9]{%d}" % (len(digits) - index - 1)
        lines.append(digits[:index].encode() + b"[%d-9]" % low + rest + rb"\n")
    return b"p(?:" + b"|".join(lines) + b")"


def _byte(value: int) -> bytes:
    return b"\\x%02x" % value


# -- the schema ----------------------------------------------------------------------------

_SCALARS = {0x4E: 1, 0x88: 1, 0x89: 1, 0x4B: 2, 0x4D: 3, 0x4A: 5, 0x47: 9, 0x29: 1}
_GENERIC = {
    0x4E: b"N",
    0x88: rb"\x88",
    0x89: rb"\x89",
    0x4B: b"K.",
    0x4D: b"M..",
    0x4A: b"J.{4}+",
    0x47: b"G........",
    0x29: rb"\)",
    0x49: rb"I-?[0-9]{1,40}\n",
    0x4C: rb"L-?[0-9]{1,40}L?\n",
    0x46: rb"F-?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?(?:e[-+]?[0-9]{1,4})?|inf|nan)\n",
    0x56: rb"V[^\n\\]{0,255}+(?:\\u[0-9a-fA-F]{4}[^\n\\]{0,255}+){0,255}+\n",
    0x53: rb"S'[^'\\\n\x80-\xff]{0,255}'\n",
}
# Where one of these stands, any other may.
_NUMBERS = rb"K.|M..|J.{4}+|G.{8}+|[N\x88\x89]"
_NUMBER = b"(?:" + _NUMBERS + b")"
# Eight numbers of a kind are matched at once, where there are many.
_MANY = b"(?:" + b"|".join(_GENERIC[op] * 8 for op in b"JGMK") + b"|" + _NUMBERS + b")"
_VALUES = {0x4E: None, 0x88: True, 0x89: False, 0x29: ()}
# Opcodes with one length byte, or four of which three are zero.
_SHORT = frozenset(b"\x8cCU\x8a")
_WIDE = frozenset(b"XTB\x96")
_KIND = {
    **dict.fromkeys(b"\x8cXUTVS", "str"),
    **dict.fromkeys(b"CB", "bytes"),
    # Of a mutable buffer no policy is asked.
    0x96: "bytearray",
    **dict.fromkeys(b"KMJIL\x8a", "int"),
    **dict.fromkeys(b"GF", "float"),
}
Key: TypeAlias = tuple[Any, ...]
# A pattern and what it leaves on the stack.
Choice: TypeAlias = tuple[bytes, Any]


class Form:
    """One way to make a value; like forms are merged part by part."""

    __slots__ = ("cells", "how", "key", "memo", "parts", "sizes", "tokens", "trail")

    def __init__(self, key: Key, parts: list[Slot] | None = None) -> None:
        self.key = key
        self.parts = parts or []
        # Of a dictionary: keys and values one by one, and by which opcodes they were set; None when
        # there are too many to be attributes.
        self.cells: list[Slot] | None = []
        self.trail: list[tuple[int, int]] = []
        # 1: seen without being stored in the memo, 2: seen stored.
        self.memo = 1
        # The exact tokens with their values; None when there were too many.
        self.tokens: dict[bytes, Any] | None = None
        # Lengths of strings that were seen.
        self.sizes: set[int] = set()
        # Opcodes that filled a container.
        self.how: set[int] = set()

    def copy(self) -> Form:
        made = Form(self.key, [part.copy() for part in self.parts])
        made.memo = self.memo
        made.tokens = None if self.tokens is None else dict(self.tokens)
        made.sizes = set(self.sizes)
        made.how = set(self.how)
        # A part of attributes, not attributes of its own.
        made.cells = self.cells
        made.trail = self.trail
        return made

    def merge(self, other: Form) -> None:
        self.memo |= other.memo
        self.sizes |= other.sizes
        self.how |= other.how
        if self.tokens is not None:
            if other.tokens is None or len(self.tokens | other.tokens) > _EXACT:
                self.tokens = None
            else:
                self.tokens |= other.tokens
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.merge(theirs)


class Slot:
    """What may stand at one place: forms by key. Without any, it cannot be described."""

    __slots__ = ("forms",)

    def __init__(self, form: Form | None = None) -> None:
        self.forms: dict[Key, Form] = {} if form is None else {form.key: form}

    def copy(self) -> Slot:
        made = Slot()
        made.forms = {key: form.copy() for key, form in self.forms.items()}
        return made

    def merge(self, other: Slot) -> None:
        for key, form in other.forms.items():
            mine = self.forms.get(key)
            if mine is None:
                self.forms[key] = form
            elif mine is not form:
                mine.merge(form)


class _TooComplexError(Exception):
    """The schema would become a pattern that is too long or too slow."""


class _Writer:
    """Writes a schema as a pattern."""

    def __init__(self, style: Style, jury: Jury, schema: Form) -> None:
        self.style = style
        self.jury = jury
        self.depth = 0
        # No call among the values but of what is data itself; values of the memo are recalled;
        # something is called at all; text of Python 2.
        self.steady = True
        self.recalls = self.calls = self.python2 = False
        # What is called is no value that stands alone.
        called = sorted(_called_tokens(schema, set()))
        self.apart = b"(?!" + b"|".join(map(re.escape, called)) + b")" if called else b""

    def slot(self, slot: Slot) -> tuple[bytes, int] | None:
        """The pattern of a place where values are data only, and how often it may retry."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise _TooComplexError
        parts: list[tuple[int, bytes]] = []
        cost = 0
        simple = False
        for form in slot.forms.values():
            if form.key[0] in _SCALARS and form.key[0] != 0x29 and form.memo == 1:
                simple = True
                continue
            found = self.form(form)
            if found is not None:
                pattern, own = found
                parts.append((own, pattern))
                cost += own
        self.depth -= 1
        if ("get",) not in slot.forms and any(f.memo > 1 for f in slot.forms.values()):
            # What is stored once may be recalled.
            found = self.form(Form(("get",)))
            assert found is not None
            parts.append((1, found[0]))
        # Tuples are told from their items only at their end: what is longest is tried first.
        parts.sort(key=_by_cost, reverse=True)
        if simple:
            parts.append((1, _NUMBERS))
            cost += 1
        if not parts:
            return None
        if cost > _COST:
            raise _TooComplexError
        text = b"|".join(pattern for _, pattern in parts)
        if len(text) > _LONGEST:
            raise _TooComplexError
        return (b"(?:" + text + b")" if len(parts) > 1 or simple else text), cost

    def memo(self, form: Form) -> bytes:
        stored = self.style.pattern
        return b"" if form.memo == 1 else stored if form.memo == 2 else b"(?:" + stored + b")?+"

    def form(self, form: Form) -> tuple[bytes, int] | None:
        kind = form.key[0]
        memo = self.memo(form)
        if kind == "get":
            self.recalls = True
            return self.apart + self.style.recall + memo, 1
        if type(kind) is int:
            return self.plain(form) + memo, 1
        if kind in ("call", "build", "fill", "record"):
            found = self.choices(form)
            if not found:
                return None
            return b"(?:" + b"|".join(pattern for pattern, _ in found) + b")", 3 * len(found)
        if kind in ("list", "set"):
            items = self.slot(form.parts[0]) if form.parts[0].forms else (b"", 0)
            if items is None:
                return None
            return self.container(form, memo, items[0]), items[1] + 2
        if kind == "dict":
            if not form.parts[0].forms:
                return rb"\}" + memo if form.key[1] != 0x64 else rb"\(d" + memo, 1
            names, values = self.slot(form.parts[0]), self.slot(form.parts[1])
            if names is None or values is None:
                return None
            return self.container(form, memo, names[0] + values[0]), names[1] + values[1] + 2
        if kind == "frozenset":
            items = self.slot(form.parts[0]) if form.parts[0].forms else (b"", 0)
            if items is None:
                return None
            inner = _many(items[0]) if items[0] else b""
            return rb"\(" + inner + rb"\x91" + memo, items[1] + 2
        # Tuples.
        text, cost = b"", 0
        for part in form.parts:
            found_part = self.slot(part)
            if found_part is None:
                return None
            text += found_part[0]
            cost += found_part[1]
        if kind == "tuple" and form.key[1] == "many":
            return rb"\(" + _many(text) + b"t" + memo, cost + 2
        if kind == "tuple":
            return rb"\(" + text + b"t" + memo, cost + 2
        # Postfix: items that turn out not to make a tuple are read again.
        return b"(?>" + text + re.escape(bytes([form.key[1]])) + memo + b")", 2 * cost + 1

    def container(self, form: Form, memo: bytes, item: bytes) -> bytes:
        """A list, set or dictionary, with what fills it."""
        opcode = form.key[1]
        starts = {0x5D: rb"\]", 0x7D: rb"\}", 0x8F: rb"\x8f"}
        after = self._filled(form, item, b"") if form.how and item else b""
        if opcode in starts:
            # An unfinished batch belongs to the container: the run ends before it.
            return starts[opcode] + memo + after + rb"(?=[^(])"
        inner = _many(item) if item else b""
        return rb"\(" + inner + re.escape(bytes([opcode])) + memo + after

    def plain(self, form: Form) -> bytes:
        opcode = form.key[0]
        if opcode in b"UTS":
            self.python2 = True
        known = _GENERIC.get(opcode)
        if known is not None:
            return known
        return re.escape(bytes([opcode])) + _lengths(form.sizes, fill=_fill(opcode))

    def choices(self, form: Form) -> list[Choice]:
        """Patterns with the values they leave, for what a call depends on."""
        kind = form.key[0]
        memo = self.memo(form)
        if kind == "get":
            return [
                (re.escape(token), value)
                for token, value in (form.tokens or {}).items()
                if self.jury.settled(value)
            ]
        if kind == "record":
            return self._record(form, memo)
        if type(kind) is int:
            if form.tokens is not None and len(form.tokens) == 1:
                token, value = next(iter(form.tokens.items()))
                return [(re.escape(token) + memo, value)]
            if kind in _VALUES:
                return [(_GENERIC[kind] + memo, _VALUES[kind])]
            return [(self.plain(form) + memo, Some(_KIND[kind]))]
        if kind in ("tuple", "postfix"):
            if form.key[1] == "many":
                found = self.form(form)
                return [] if found is None else [(found[0], Some("tuple"))]
            return list(self._tuples(form, memo))
        if kind == "call":
            return self._calls(form, memo)
        if kind in ("build", "fill"):
            return self._changed(form, memo)
        found = self.form(form)
        return [] if found is None else [(found[0], Some(kind))]

    def _places(self, slots: Iterable[Slot]) -> list[list[Choice]]:
        self.depth += 1
        if self.depth > _DEPTH:
            raise _TooComplexError
        places = [[c for form in slot.forms.values() for c in self.choices(form)] for slot in slots]
        self.depth -= 1
        size = 1
        for place in places:
            size *= len(place)
        if size > 24:
            raise _TooComplexError
        return places

    def _tuples(self, form: Form, memo: bytes) -> Iterator[Choice]:
        opening, closing = (
            (rb"\(", b"t") if form.key[0] == "tuple" else (b"", re.escape(bytes([form.key[1]])))
        )
        for combination in product(*self._places(form.parts)):
            text = b"".join(pattern for pattern, _ in combination)
            yield opening + text + closing + memo, tuple(value for _, value in combination)

    def _calls(self, form: Form, memo: bytes) -> list[Choice]:
        result: list[Choice] = []
        last = re.escape(bytes([form.key[1]]))
        how = "NEWOBJ" if form.key[1] == 0x81 else "REDUCE"
        funcs, args = self._places(form.parts)
        for (call, func), (text, given) in product(funcs, args):
            made = self.jury.made(func, given, how)
            if made is not None:
                self.calls = True
                self.steady = self.steady and self.jury.steady(made)
                result.append((call + text + last + memo, made))
        return result

    def _changed(self, form: Form, memo: bytes) -> list[Choice]:
        """A call followed by what sets its state or adds to it."""
        result: list[Choice] = []
        targets = self._places(form.parts[:1])[0]
        if form.key[0] == "build":
            for (head, target), (text, state) in product(targets, self._places(form.parts[1:])[0]):
                built = self.jury.built(target, state)
                if built is not None:
                    self.steady = self.steady and self.jury.steady(built)
                    result.append((head + text + b"b" + memo, built))
            return result
        parts = [self.slot(part) for part in form.parts[1:]]
        if None in parts:
            return []
        item = b"".join(part[0] for part in parts if part is not None)
        for head, target in targets:
            filled = self.jury.filled(target, "dict" if len(parts) == 2 else "list")
            if filled is not None:
                self.steady = False
                result.append((self._filled(form, item, head) + memo, filled))
        return result

    def _record(self, form: Form, memo: bytes) -> list[Choice]:
        """A dictionary of attributes: the same keys each time."""
        from auditor.artifacts.pickle.values import Dct

        _, opcode, trail, keys = form.key
        text = {0x7D: rb"\}", 0x64: rb"\(d"}[opcode] + memo
        flat: list[Any] = []
        place = 0
        for op, size in trail:
            text += rb"\(" if op == 0x75 else b""
            for _ in range(size):
                token, name, stored = keys[place]
                value = self._cell(form.parts[place])
                if value is None:
                    return []
                text += re.escape(token) + (self.style.pattern if stored else b"") + value[0]
                flat += [name, value[1]]
                place += 1
            text += bytes([op])
        return [(text, Dct(flat))]

    def _cell(self, slot: Slot) -> Choice | None:
        """The value of an attribute: a single choice, or anything."""
        if len(slot.forms) == 1:
            form = next(iter(slot.forms.values()))
            if type(form.key[0]) is int:
                found = self.choices(form)
                if len(found) == 1:
                    return found[0]
        pattern = self.slot(slot) if slot.forms else None
        return None if pattern is None else (pattern[0], Some("any"))

    @staticmethod
    def _filled(form: Form, item: bytes, head: bytes) -> bytes:
        """What adds items: batches, which are told by their first byte, before single ones."""
        blocks = [
            rb"\(" + _many(item) + re.escape(bytes([how]))
            for how in sorted(form.how)
            if how in b"eu\x90"
        ]
        blocks += [item + bytes([how]) for how in sorted(form.how) if how in b"as"]
        return head + b"(?:" + b"|".join(blocks) + b")*+"


def _many(item: bytes, group: bytes = b"") -> bytes:
    """Any number of items; the group is where the last begins, or the last eight."""
    return b"(?:" + group + (_MANY if item == _NUMBER else item) + b")*+"


def _called_tokens(form: Form, found: set[bytes]) -> set[bytes]:
    if form.key[0] == "call":
        found.add(form.key[2])
    for part in form.parts:
        for inner in part.forms.values():
            _called_tokens(inner, found)
    return found


def _by_cost(part: tuple[int, bytes]) -> int:
    return part[0]


def _fill(opcode: int) -> bytes:
    """The other bytes of the length: zero."""
    return b"" if opcode in _SHORT else b"\\0" * 7 if opcode == 0x96 else b"\\0" * 3


def _lengths(sizes: set[int], *, fill: bytes) -> bytes:
    """A length and that many bytes, for lengths near those seen."""
    low, high = min(sizes), max(sizes)
    likely = high
    slack = 2 + (high - low) // 3 + high // 8
    low, high = max(0, low - slack), min(255, high + slack)
    if low == high:
        high = min(255, high + 1)
    return _length_table(low, high, fill, likely)


@lru_cache(maxsize=256)
def _length_table(low: int, high: int, fill: bytes, likely: int = 0) -> bytes:
    """The lengths from ``low`` to ``high``; those next to the likely one are tried first."""
    groups = []
    for first in range(low, high + 1, 16):
        last = min(first + 15, high)
        sizes = sorted(range(first, last + 1), key=lambda size: abs(size - likely))
        text = b"|".join(_byte(size) + fill + b".{%d}+" % size for size in sizes)
        groups.append((first, last, text))
    groups.sort(key=lambda group: not group[0] <= likely <= group[1])
    if len(groups) == 1:
        return b"(?:" + groups[0][2] + b")"
    return (
        b"(?:"
        + b"|".join(
            b"(?=[" + _byte(first) + b"-" + _byte(last) + b"])(?:" + text + b")"
            for first, last, text in groups
        )
        + b")"
    )


# -- samples -------------------------------------------------------------------------------


class _SampleEndsError(Exception):
    """The sample cannot be followed further."""


class _Sampler:
    """A small machine whose values are the descriptions of how they were made."""

    def __init__(self, recall: Callable[[int], Any]) -> None:
        self.recall = recall
        self.stack: list[Slot] = []
        self.starts: list[int] = []
        self.levels: list[tuple[list[Slot], list[int]]] = []
        self.complete = False
        self.read = 0
        # Offsets behind every item that was added to the outermost value.
        self.added: list[int] = []

    def follow(self, data: Buffer, pos: int, end: int, tokens: int) -> None:
        """Read tokens until the level that was begun with is closed, or enough were read."""
        end = min(end, pos + _REACH)
        try:
            for self.read in range(tokens):
                if pos >= end:
                    return
                pos = self.step(data, pos, end)
        except (_SampleEndsError, IndexError):
            return

    def push(self, slot: Slot, start: int) -> None:
        self.stack.append(slot)
        self.starts.append(start)

    def token(self, data: Buffer, op: int, pos: int, after: int, value: Any) -> None:
        form = Form((op,))
        token = bytes(data[pos:after])
        form.tokens = {token: value} if len(token) < 300 else None
        self.push(Slot(form), pos)

    def step(self, data: Buffer, pos: int, end: int) -> int:
        op = data[pos]
        size = _SCALARS.get(op)
        if size is not None:
            if pos + size > end:
                raise _SampleEndsError
            self.token(data, op, pos, pos + size, _number(op, data[pos + 1 : pos + size]))
            return pos + size
        if op in _SHORT or op in _WIDE:
            return self.string(data, op, pos, end)
        if op in b"ILFVS":
            after = data.find(b"\n", pos, end) + 1
            if not after:
                raise _SampleEndsError
            if re.fullmatch(_GENERIC[op], data[pos:after], re.DOTALL) is None:
                self.push(Slot(), pos)
            else:
                self.token(data, op, pos, after, _line_value(op, data[pos + 1 : after - 1]))
            return after
        if op in b"hjg":
            return self.get(data, op, pos, end)
        if op in b"\x94qrp":
            after = _skip(data, pos, end)
            for form in self.stack[-1].forms.values():
                # What is stored again is stored twice: no pickler does that.
                form.memo = 2 if form.memo == 1 else 4
                if form.memo == 4 or (form.key[0] in ("list", "dict", "set") and form.how - {0}):
                    self.stack[-1] = Slot()
                    break
            return after
        self.compose(op, pos)
        return _skip(data, pos, end)

    def string(self, data: Buffer, op: int, pos: int, end: int) -> int:
        after = _skip(data, pos, end)
        if op in _SHORT:
            size, head = data[pos + 1], 2
        else:
            head = 9 if op == 0x96 else 5
            size = int.from_bytes(data[pos + 1 : pos + head], "little")
        if size > 255:
            self.push(Slot(), pos)
            return after
        raw = bytes(data[pos + head : after])
        self.token(data, op, pos, after, _string_value(op, raw))
        next(iter(self.stack[-1].forms.values())).sizes = {size}
        return after

    def get(self, data: Buffer, op: int, pos: int, end: int) -> int:
        after = _skip(data, pos, end)
        if op == 0x67:
            text = data[pos + 1 : after - 1]
            if not text.isdigit() or len(text) > 9:
                raise _SampleEndsError
            index = int(text)
        else:
            index = int.from_bytes(data[pos + 1 : after], "little")
        form = Form(("get",))
        form.tokens = {bytes(data[pos:after]): self.recall(index)}
        self.push(Slot(form), pos)
        return after

    def compose(self, op: int, pos: int) -> None:
        """Opcodes that put values together."""
        stack, starts = self.stack, self.starts
        if op in b"]}\x8f":
            kind = {0x5D: "list", 0x7D: "dict", 0x8F: "set"}[op]
            self.push(Slot(Form((kind, op), [Slot() for _ in range(1 + (op == 0x7D))])), pos)
        elif op == 0x28:
            self.levels.append((stack, starts))
            self.stack, self.starts = [], [pos]
        elif op in b"\x85\x86\x87":
            size = op - 0x84
            if len(stack) < size:
                raise _SampleEndsError
            parts = stack[-size:]
            del stack[-size:]
            del starts[len(starts) - size + 1 :]
            stack.append(_made(("postfix", op), parts))
        elif op in b"tld\x91":
            items, start = self.close()
            self.push(_closed(op, items), start)
        elif op in b"eu\x90":
            items, _ = self.close()
            self.fill(op, items)
        elif op in b"as":
            size = 1 if op == 0x61 else 2
            if len(stack) < size:
                raise _SampleEndsError
            items = stack[-size:]
            del stack[-size:], starts[-size:]
            self.fill(op, items)
            if len(stack) == 1 and not self.levels:
                self.added.append(pos + 1)
        elif op in b"R\x81b":
            if len(stack) < 2:
                raise _SampleEndsError
            last, first = stack.pop(), stack.pop()
            starts.pop()
            stack.append(_called(op, first, last))
        elif op == 0x63:
            self.push(Slot(), pos)
        elif op == 0x93:
            del stack[-1], starts[-1]
            stack[-1] = Slot()
        else:
            raise _SampleEndsError

    def close(self) -> tuple[list[Slot], int]:
        if not self.levels:
            self.complete = True
            raise _SampleEndsError
        items, opened = self.stack, self.starts[0]
        self.stack, self.starts = self.levels.pop()
        return items, opened

    def fill(self, op: int, items: list[Slot]) -> None:
        """Add items to what lies on top."""
        if not self.stack:
            raise _SampleEndsError
        target = self.stack[-1]
        pairs = op in b"us"
        if len(target.forms) != 1 or (pairs and len(items) & 1):
            self.stack[-1] = Slot()
            return
        form = next(iter(target.forms.values()))
        kind = form.key[0]
        wanted = {0x65: "list", 0x61: "list", 0x75: "dict", 0x73: "dict", 0x90: "set"}[op]
        if kind in ("call", "build") and wanted != "set":
            form = Form(("fill", wanted, form.key), [target, *(Slot() for _ in range(1 + pairs))])
            self.stack[-1] = Slot(form)
        elif kind == "fill" and form.key[1] == wanted:
            pass
        elif kind != wanted:
            self.stack[-1] = Slot()
            return
        form.how.add(op)
        if form.cells is not None and kind == "dict":
            form.trail.append((op, len(items) // 2))
            if len(form.cells) + len(items) > 2 * _ATTRIBUTES:
                form.cells = None
            else:
                form.cells += [item.copy() for item in items]
        offset = 1 if form.key[0] == "fill" else 0
        if not all(item.forms for item in items):
            if self.levels or len(self.stack) > 1:
                self.stack[-1] = Slot()
                return
            # Of the outermost value what cannot be described is left out.
            step = 2 if pairs else 1
            groups = [items[i : i + step] for i in range(0, len(items), step)]
            items = [item for group in groups if all(i.forms for i in group) for item in group]
        for index, item in enumerate(items):
            form.parts[offset + (index & 1 if pairs else 0)].merge(item)


def _number(op: int, raw: bytes) -> Any:
    if op in (0x4B, 0x4D):
        return int.from_bytes(raw, "little")
    if op == 0x4A:
        return int.from_bytes(raw, "little", signed=True)
    return Some("float") if op == 0x47 else _VALUES[op]


def _line_value(op: int, line: bytes) -> Any:
    if op in b"VS":
        text = line if op == 0x56 else line[1:-1]
        return text.decode("ascii") if text.isascii() and b"\\" not in text else Some("str")
    if op == 0x46:
        return Some("float")
    return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))


def _string_value(op: int, raw: bytes) -> Any:
    if op in b"CB\x96":
        return raw if op != 0x96 else Some("bytearray")
    if op == 0x8A:
        return int.from_bytes(raw, "little", signed=True)
    return raw.decode("ascii") if raw.isascii() else Some("str")


def _made(key: Key, parts: list[Slot]) -> Slot:
    return Slot(Form(key, parts)) if all(part.forms for part in parts) else Slot()


def _closed(op: int, items: list[Slot]) -> Slot:
    """What a MARK-closing opcode makes of the items."""
    if not all(item.forms for item in items):
        return Slot()
    if op == 0x74:
        if len(items) <= 8:
            return Slot(Form(("tuple", len(items)), items))
        union = Slot()
        for item in items:
            union.merge(item)
        return Slot(Form(("tuple", "many"), [union]))
    pairs = op == 0x64
    if pairs and len(items) & 1:
        return Slot()
    parts = [Slot() for _ in range(1 + pairs)]
    for index, item in enumerate(items):
        parts[index & 1 if pairs else 0].merge(item)
    kind = {0x6C: "list", 0x64: "dict", 0x91: "frozenset"}[op]
    return Slot(Form((kind, op), parts))


def _called(op: int, first: Slot, last: Slot) -> Slot:
    if len(first.forms) != 1 or len(last.forms) != 1:
        return Slot()
    head = next(iter(first.forms.values()))
    if op == 0x62:
        if head.key[0] not in ("call", "fill"):
            return Slot()
        return Slot(Form(("build", head.key), [first, _attributes(last)]))
    if head.key[0] != "get" or not head.tokens:
        return Slot()
    return Slot(Form(("call", op, next(iter(head.tokens))), [first, last]))


def _attributes(slot: Slot) -> Slot:
    """The state with its dictionaries as records, where their keys are text."""
    form = next(iter(slot.forms.values()))
    kind = form.key[0]
    if kind in ("postfix", "tuple") and form.key[1] != "many":
        form.parts = [_attributes(part) if len(part.forms) == 1 else part for part in form.parts]
        return slot
    if kind != "dict" or form.cells is None:
        return slot
    keys = []
    for cell in form.cells[::2]:
        inner = next(iter(cell.forms.values()), None)
        if inner is None or len(cell.forms) != 1 or not inner.tokens or len(inner.tokens) != 1:
            return slot
        token, name = next(iter(inner.tokens.items()))
        if type(name) is not str or inner.memo == 3:
            return slot
        keys.append((token, name, inner.memo == 2))
    if not all(cell.forms for cell in form.cells):
        return slot
    made = Form(("record", form.key[1], tuple(form.trail), tuple(keys)), form.cells[1::2])
    made.memo = form.memo
    return Slot(made)


_FIXED = {
    **_SCALARS, **dict.fromkeys(b"\x94]}\x8f(\x85\x86\x87tld\x91eu\x90asR\x81b\x93", 1),
    0x68: 2, 0x71: 2, 0x6A: 5, 0x72: 5,
}  # fmt: skip


def _skip(data: Buffer, pos: int, end: int) -> int:
    """The offset behind one token; raises where a sample ends."""
    if pos >= end:
        raise _SampleEndsError
    op = data[pos]
    size = _FIXED.get(op)
    if size is not None:
        after = pos + size
    elif op in _SHORT:
        after = pos + 2 + data[pos + 1] if pos + 1 < end else end + 1
    elif op in _WIDE:
        head = 9 if op == 0x96 else 5
        after = pos + head + int.from_bytes(data[pos + 1 : pos + head], "little")
    elif op in b"ILFVSpg":
        after = data.find(b"\n", pos, end) + 1 or end + 1
    elif op == 0x63:
        middle = data.find(b"\n", pos, end) + 1
        after = (data.find(b"\n", middle, end) + 1 if middle else 0) or end + 1
    else:
        raise _SampleEndsError
    if after > end:
        raise _SampleEndsError
    return after


def boundaries(data: Buffer, pos: int, end: int, tokens: int, depth: int) -> Iterator[int]:
    """Where tokens behind ``pos`` begin that stand so many levels above it."""
    try:
        for _ in range(tokens):
            op = data[pos] if pos < end else 0
            if op == 0x28:
                depth += 1
            elif op in b"tld\x91eu\x90":
                depth -= 1
                if depth < 0:
                    return
            pos = _skip(data, pos, end)
            if depth == 0:
                yield pos
    except _SampleEndsError:
        return


# -- contexts ------------------------------------------------------------------------------


class Context:
    """A place of the stream where like values follow each other, and what is known of them.

    ``kind`` is ``items`` or ``pairs`` after a MARK, ``appends`` or ``sets`` where every value is
    added on its own.
    """

    __slots__ = ("attempts", "batch", "costs", "gain", "kind", "learned", "price", "recipe", "relearn",
                 "retry", "schema", "style")  # fmt: skip

    def __init__(self, kind: str, batch: bytes = b"") -> None:
        self.kind = kind
        # What closes a batch and opens the next for the same container.
        self.batch = batch
        self.schema: Form | None = None
        self.recipe: Recipe | None = None
        self.style = Style(puts=False)
        # Positions before which nothing is tried or learned again.
        self.retry = self.relearn = 0
        self.learned = 0
        self.attempts = self.costs = 0
        self.gain = 0
        # What the last lesson cost, in tokens of a sample.
        self.price = 0

    def learn(
        self,
        data: Buffer,
        pos: int,
        end: int,
        style: Style,
        recall: Callable[[int], Any],
        jury: Jury,
    ) -> int:
        """Merge a sample into the schema; returns where to try again if it was no use yet."""
        self.learned += 1
        sampler = _Sampler(recall)
        pairs = self.kind in ("pairs", "sets")
        form = Form(
            ("dict", 0x7D) if pairs else ("list", 0x5D), [Slot(), *([Slot()] if pairs else [])]
        )
        sampler.push(Slot(form), pos)
        alone = self.kind in ("appends", "sets")
        if not alone:
            sampler.compose(0x28, pos)
        sampler.follow(data, pos, end, min(_TOKENS, 120 << self.learned))
        again = self._collect(sampler, form, alone=alone, pairs=pairs)
        if self.schema is None:
            self.schema = form
        else:
            self.schema.merge(form)
        self.price = 0
        self.write(style, jury)
        self.price += sampler.read
        return again

    @staticmethod
    def _collect(sampler: _Sampler, form: Form, *, alone: bool, pairs: bool) -> int:
        """Put what stands on the level into the form; where the third item or pair begins."""
        step = 2 if pairs else 1
        if alone:
            return sampler.added[min(1, len(sampler.added) - 1)] if sampler.added else 0
        if len(sampler.levels) > 1:
            items, starts = sampler.levels[1]
        elif sampler.levels:
            items, starts = sampler.stack, sampler.starts
        else:
            # A batch that was closed, and perhaps values behind it.
            return 0
        starts = starts[1:]
        keep = len(items) if sampler.complete else max(0, len(items) - 3)
        keep -= keep % step
        for index in range(0, keep, step):
            group = items[index : index + step]
            if all(item.forms for item in group):
                for place, item in enumerate(group):
                    form.parts[place].merge(item)
        return starts[2 * step] if len(starts) > 2 * step else 0

    def write(self, style: Style, jury: Jury) -> None:
        """Compile the schema."""
        self.style = style
        self.recipe = None
        self.price = 0
        schema = self.schema
        if schema is None:
            return
        writer = _Writer(style, jury, schema)
        try:
            parts = [writer.slot(part) for part in schema.parts]
        except _TooComplexError:
            # Too many kinds of values for one pattern: begin anew.
            self.schema = None
            return
        if None in parts:
            return
        item = b"".join(part[0] for part in parts if part is not None)
        item += {"appends": b"a", "sets": b"s"}.get(self.kind, b"")
        self.price = len(item)
        self.recipe = Recipe(self.kind, item, self.batch, writer)


class Recipe:
    """The patterns of a schema, and what is known of all that they match."""

    __slots__ = (
        "_batch",
        "_chunks",
        "_item",
        "calls",
        "kind",
        "pattern",
        "puts",
        "python2",
        "recalls",
        "steady",
    )

    def __init__(self, kind: str, item: bytes, batch: bytes, writer: _Writer) -> None:
        self.kind = kind
        self.steady = writer.steady
        self.recalls = writer.recalls
        self.calls = writer.calls
        self.python2 = writer.python2
        # Whether it stores under numbers; otherwise by counting.
        self.puts = writer.style.puts
        # The groups say where the last item begins, and where the last batch does.
        run = _many(item, b"()")
        if batch:
            # The last batch of a pickle may be empty: it is none of the run.
            run += b"(?:" + batch + b"(?!" + batch[:-2] + b")()" + run + b")*+"
        self.pattern = re.compile(run, re.DOTALL)
        self._item = item
        self._batch = batch
        self._chunks: dict[int, re.Pattern[bytes]] = {}

    def _chunk(self, size: int) -> re.Pattern[bytes]:
        found = self._chunks.get(size)
        if found is None:
            batch = b"(?:" + self._batch + b")*+" if self._batch else b""
            repeated = b"{%d}+" % size if size > 1 else b""
            found = re.compile(b"(?:" + batch + self._item + b")" + repeated, re.DOTALL)
            self._chunks[size] = found
        return found

    def count(self, data: Buffer, pos: int, end: int) -> int:
        """How many items there are from ``pos`` to ``end``."""
        total = 0
        for size in (1000, 40, 1):
            match = self._chunk(size).match
            while pos < end and (done := match(data, pos, end)) is not None:
                pos = done.end()
                total += size
        return total

    def after(self, data: Buffer, pos: int, end: int, items: int) -> int:
        """Where at least so many items are over; -1 when there are fewer."""
        match = self._chunk(40).match
        for _ in range((items + 39) // 40):
            done = match(data, pos, end)
            if done is None:
                return -1
            pos = done.end()
        return pos


# -- what runs store -----------------------------------------------------------------------


@lru_cache(maxsize=1)
def _plain_tokens() -> bytes:
    """Tokens that neither store nor recall."""
    lines = b"|".join(_GENERIC[op] for op in b"ILFVS")
    return (
        rb"[N\x88\x89)\]}\x8f(tld\x91eu\x90as\x85-\x87R\x81b]|K.|M..|J....|G.{8}|"
        + lines
        + rb"|[\x8cCU\x8a]"
        + _length_table(0, 255, b"")
        + rb"|[XTB]"
        + _length_table(0, 255, _fill(0x58))
        + rb"|\x96"
        + _length_table(0, 255, _fill(0x96))
    )


_STORE = rb"\x94|q.|r....|p[0-9]+\n"
_RECALL = rb"h.|j....|g[0-9]+\n"


@lru_cache(maxsize=1)
def _stores() -> re.Pattern[bytes]:
    """Tokens up to and including the next that stores in the memo, or up to the end of the run."""
    # Every match begins where a token does: the byte 0x94 also occurs inside numbers.
    return re.compile(
        b"(?:" + _plain_tokens() + b"|" + _RECALL + b")*+(" + _STORE + b")?+", re.DOTALL
    )


@lru_cache(maxsize=1)
def _marked() -> re.Pattern[bytes]:
    """As above; the group is where the token before it begins."""
    return re.compile(
        b"(?:()(?:" + _plain_tokens() + b"|" + _RECALL + b"))*+(" + _STORE + b")?+", re.DOTALL
    )


@lru_cache(maxsize=1)
def _recalled() -> re.Pattern[bytes]:
    """Tokens up to and including the next that recalls a value of the memo."""
    return re.compile(
        b"(?:" + _plain_tokens() + b"|" + _STORE + b")*+(" + _RECALL + b")?+", re.DOTALL
    )


@lru_cache(maxsize=4)
def _counting(size: int) -> re.Pattern[bytes]:
    """So many tokens that store in the memo, with what stands before each."""
    # Text that is stored at once is the likeliest.
    text = rb"\x8c" + _length_table(0, 255, b"", 8) + rb"\x94"
    one = b"(?:" + _plain_tokens() + b"|" + _RECALL + b")*+(?:" + _STORE + b")"
    return re.compile(b"(?:" + text + b"|" + one + b"){%d}+" % size, re.DOTALL)


def memoized(data: Buffer, start: int, end: int) -> int:
    """How many tokens of a run store in the memo."""
    total = 0
    for size in (1000, 40, 1):
        match = _counting(size).match
        while start < end and (done := match(data, start, end)) is not None:
            start = done.end()
            total += size
    return total


def stored(data: Buffer, start: int, end: int) -> list[bytes]:
    """The tokens of a run that store in the memo, in order."""
    return [token for token in _stores().findall(data, start, end) if token]


def marks(data: Buffer, start: int, end: int) -> Iterator[int]:
    """Where the token begins that stands before each of those."""
    for found in _marked().finditer(data, start, end):
        if found.lastindex == 2:
            yield found.start(1)


def recalled(data: Buffer, start: int, end: int) -> set[int]:
    """The numbers of all values that a run recalls."""
    tokens = set(_recalled().findall(data, start, end))
    return {
        int(token[1:-1]) if token[0] == 0x67 else int.from_bytes(token[1:], "little")
        for token in tokens
        if token
    }


def indexes(tokens: list[bytes]) -> list[int]:
    """The numbers under which PUT, BINPUT and LONG_BINPUT store."""
    return [
        int(token[1:-1]) if token[0] == 0x70 else int.from_bytes(token[1:], "little")
        for token in tokens
    ]
