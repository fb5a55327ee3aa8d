"""Values of the machine as short text for people and as frozen symbols for other engines."""

from __future__ import annotations

from auditor.artifacts.facts import Items, Mapping, Name, ObjectFacts, Opaque, Ref, Symbol
from auditor.artifacts.pickle.machine import Buffer
from auditor.artifacts.pickle.values import Big, Call, Dct, Glob, Lst, Pers, Unk, Value

_TEXT = 120
# Bytes kept of either end of a buffer that is too large to keep: headers, versions.
EDGE = 96
# The end of a booster says its version, and before it the base score.
TAIL = 1024


def shown(value: Value, depth: int = 3) -> str:
    """The value as one short line of Python-like text; bounded in length and depth."""
    kind = type(value)
    if kind is Glob:
        return str(value.key)
    if kind is Call:
        if depth <= 0:
            return f"{target_name(value)}(…)"
        args = value.args
        inner = (
            ", ".join(shown(a, depth - 1) for a in args[:4]) + (", …" if len(args) > 4 else "")
            if type(args) is tuple
            else "*" + shown(args, depth - 1)
        )
        name = value.func.key if type(value.func) is Glob else shown(value.func, depth - 1)
        return _cut(f"{name}({inner})", 400)
    if kind is Lst:
        if depth <= 0:
            return "[…]"
        inner = ", ".join(shown(i, depth - 1) for i in value.items[:4])
        return _cut(f"[{inner}{', …' if value.least > 4 else ''}]", 400)
    if kind is Dct:
        if depth <= 0:
            return "{…}"
        inner = ", ".join(
            f"{shown(k, depth - 1)}: {shown(v, depth - 1)}" for k, v in value.pairs()[:4]
        )
        return _cut(f"{{{inner}{', …' if value.least > 4 else ''}}}", 400)
    if kind is tuple:
        if depth <= 0:
            return "(…)"
        inner = ", ".join(shown(i, depth - 1) for i in value[:4])
        return _cut(f"({inner}{', …' if len(value) > 4 else ''})", 400)
    if kind is Big:
        return f"<{value.kind} of {value.size} bytes>"
    if kind is Pers:
        return f"<persistent {shown(value.pid, depth - 1)}>"
    if kind is Unk:
        return f"<{value.reason}>"
    if kind is str or kind is bytes:
        return repr(value if len(value) <= _TEXT else value[:_TEXT]) + (
            "…" if len(value) > _TEXT else ""
        )
    return _cut(repr(value), _TEXT)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def target_name(value: Value) -> str:
    """The callable at the root of a value, for messages."""
    for _ in range(20):
        if type(value) is Glob:
            return value.key
        if type(value) is not Call:
            break
        value = value.cls or value.func
    return f"<{_KINDS.get(type(value), type(value).__name__)}>"


_KINDS = {Lst: "list", Dct: "dict", Big: "data", Pers: "persistent object", Unk: "unknown object"}


# How much of a booster's buffer is searched for its columns.
_HEAD = 1 << 20
_BOOSTERS = (b"{L", b"{l", b"{i", b"CONFIG-offset:", b'{"', b"tree\n", b"CBM1")


def _names(data: Buffer, start: int, end: int) -> tuple[str, ...]:
    """The columns that a booster's buffer records; empty for any other buffer."""
    if not bytes(data[start : start + 16]).startswith(_BOOSTERS):
        return ()
    from auditor.artifacts.features import buffer_names

    # CatBoost's tables lie anywhere in its buffer.
    whole = bytes(data[start : start + 4]) == b"CBM1" and end - start <= 64 * _HEAD
    return buffer_names(bytes(data[start : end if whole else min(end, start + _HEAD)]))


def _checked(
    data: Buffer, start: int, end: int, *, text: bool = False
) -> tuple[str, str, tuple[str, ...]]:
    """(why a booster's buffer cannot be loaded, what is odd about it, its traits)."""
    if not bytes(data[start : start + 16]).startswith(_BOOSTERS):
        return "", "", ()
    from auditor.artifacts.boosters import MOST, booster_fault, booster_traits

    if end - start > 2 * MOST:
        return "", "", ()
    raw = bytes(data[start:end])
    if text:
        raw = _of_text(raw.decode("utf-8", "replace"))
    return *booster_fault(raw), booster_traits(raw)


def _of_text(text: str) -> bytes:
    """The bytes of a buffer that protocols before 3 keep as text: a character for each."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class Symbols:
    """Turns machine values into symbols, numbering the objects of a stream."""

    def __init__(
        self,
        calls: list[Call],
        *,
        items: int = 64,
        budget: int = 60_000,
        data: Buffer = b"",
    ) -> None:
        self._data = data
        self._index = {id(call): index for index, call in enumerate(calls)}
        self._calls = calls
        self._items = items
        self._budget = budget

    def objects(self) -> tuple[ObjectFacts, ...]:
        return tuple(self._object(call) for call in self._calls)

    def _object(self, call: Call) -> ObjectFacts:
        args = call.args if type(call.args) is tuple else ()
        state: Symbol = None
        if call.states:
            state = self.symbol(call.states[-1])
        return ObjectFacts(
            callable=call.func.key if type(call.func) is Glob else "",
            of=call.cls.key if call.cls is not None else "",
            how=call.how,
            offset=call.offset,
            args=tuple(self.symbol(a) for a in args[: self._items]),
            state=state,
            items=tuple(self.symbol(i) for i in call.items[: self._items]),
        )

    def symbol(self, value: Value, depth: int = 8) -> Symbol:
        kind = type(value)
        if kind is Call:
            index = self._index.get(id(value))
            return Ref(index) if index is not None else Opaque("object")
        if kind is Glob:
            return Name(value.key)
        self._budget -= 1
        if self._budget < 0 or depth < 0:
            return Opaque("deep")
        if kind is tuple:
            return Items(
                "tuple",
                tuple(self.symbol(v, depth - 1) for v in value[: self._items]),
                len(value),
            )
        if kind is Lst:
            return Items(
                value.kind,
                tuple(self.symbol(v, depth - 1) for v in value.items[: self._items]),
                value.least,
            )
        if kind is Dct:
            return Mapping(
                tuple(
                    (self.symbol(k, depth - 1), self.symbol(v, depth - 1)) for k, v in value.pairs()
                ),
                value.least,
            )
        if kind is Big:
            end = value.offset + value.size
            return Opaque(
                value.kind,
                value.size,
                bytes(self._data[value.offset : value.offset + EDGE]),
                bytes(self._data[max(end - TAIL, value.offset) : end]),
                _names(self._data, value.offset, end),
                *_checked(self._data, value.offset, end, text=value.kind == "str"),
            )
        if kind is Pers:
            return Opaque("persistent")
        if kind is Unk:
            return Opaque(value.reason)
        if kind is bytes and len(value) > 256:
            return Opaque(
                "bytes",
                len(value),
                value[:EDGE],
                value[-TAIL:],
                _names(value, 0, len(value)),
                *_checked(value, 0, len(value)),
            )
        if kind is str and len(value) > 1024:
            return Opaque(
                "str",
                len(value),
                value[:EDGE].encode("utf-8", "surrogatepass"),
                value[-TAIL:].encode("utf-8", "surrogatepass"),
                _names(value[:_HEAD].encode("utf-8", "replace"), 0, _HEAD),
                *_checked(raw := _of_text(value), 0, len(raw)),
            )
        if kind is int and value.bit_length() > 128:
            return Opaque("int", value.bit_length() // 8)
        result: Symbol = value
        return result
