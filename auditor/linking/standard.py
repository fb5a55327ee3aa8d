"""Objects of the standard library, whose classes change with the Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Mapping, Name
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.projects import GETATTR, slots_of

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts

# How unions of types are made again; protocol 2 names the functions as Python 2 did.
_REDUCE: Final = ("_functools.reduce", "functools.reduce")
_OR: Final = (Name("_operator.or_"), Name("operator.or_"))
# ``statistics.NormalDist.__setstate__`` came with this Python.
NORMALDIST_STATE: Final = (3, 10)


# A cookie is a dictionary of these alone, and takes no other: its attributes, and since when.
_MORSEL: Final = "http.cookies.Morsel"
_COOKIE: Final[dict[str, tuple[int, int]]] = {
    **dict.fromkeys(
        ("expires", "path", "comment", "domain", "max-age", "secure", "httponly", "version"), (3, 0)
    ),
    "samesite": (3, 8),
    "partitioned": (3, 14),
}


def _cookie(item: ObjectFacts, python: tuple[int, int]) -> str:
    """The attribute of a cookie that the Python refuses."""
    given = [name for name in item.items[::2] if isinstance(name, str)]
    return next((n for n in given if _COOKIE.get(n.lower(), (99, 0)) > python), "")


def standard_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Objects of the standard library whose restoring changed."""
    python = ".".join(map(str, exact.python))
    table = symbols.table("stdlib")
    for item in pickle.objects:
        if table is not None and (why := _refused(table, item, python)) is not None:
            what, error = why
            yield Reason(
                rule="CMP004",
                effect="load",
                message=f"holds {what}, which Python {python} does not have",
                error=error,
                help="Store plain values (numbers, text, lists) instead of this object.",
            )
            return
        if (
            item.callable in _REDUCE
            and exact.python < (3, 10)
            and item.args
            and item.args[0] in _OR
        ):
            yield Reason(
                rule="CMP004",
                effect="load",
                message=f"holds a union of types (X | Y), which Python {python} does not have",
                error="TypeError: unsupported operand type(s) for |: 'type' and 'type'",
            )
            return
        if (
            item.callable in ("enum.EnumMeta", "enum.EnumType")
            and len(item.args) == 3
            and isinstance(item.args[2], Mapping)
        ):
            # Old releases of cloudpickle rebuild enumerations like plain classes.
            yield Reason(
                rule="CMP005",
                effect="load",
                message="holds an enumeration as an old cloudpickle wrote it: no Python rebuilds it",
                error="AttributeError: 'dict' object has no attribute '_member_names'",
                help="Put the enumeration into a module, and write the artifact again.",
            )
            return
        if item.of == _MORSEL and (odd := _cookie(item, exact.python)):
            yield Reason(
                rule="CMP004",
                effect="load",
                message=f"holds a cookie with {odd!r}, which Python {python} does not know",
                error=f"CookieError: Invalid attribute {odd!r}",
                help="Store plain values (numbers, text, lists) instead of this object.",
            )
            return
        if item.of == "statistics.NormalDist" and isinstance(item.state, Items):
            by_slots = len(item.state.items) == 2 and isinstance(item.state.items[1], Mapping)
            if by_slots != (exact.python < NORMALDIST_STATE):
                yield Reason(
                    rule="CMP004",
                    effect="predict" if by_slots else "load",
                    message=f"holds a NormalDist in a form that Python {python} does not restore",
                    error="UnpicklingError: state is not a dictionary",
                )
                return


def _refused(table: symbols.Table, item: ObjectFacts, python: str) -> tuple[str, str] | None:
    """(what that Python's class does not take, the error)."""
    by_name = item.callable in GETATTR
    if by_name and len(item.args) == 2 and isinstance(item.args[0], Name):
        cls, member = item.args[0].text, item.args[1]
        shape = table.shape(cls, python)
        if _of(shape, "n:") and isinstance(member, str) and f"n:{member}" not in shape:
            short = cls.rpartition(".")[2]
            return f"{cls}.{member}", f"AttributeError: type object '{short}' has no attribute"
        return None
    shape = table.shape(item.of or item.callable, python)
    if not shape:
        return None
    name = item.of or item.callable
    short = name.rpartition(".")[2]
    if _of(shape, "v:"):
        given = item.args[0] if item.how == "REDUCE" and len(item.args) == 1 else None
        if isinstance(given, int | str) and f"v:{_text(given)}" not in shape:
            return (
                f"the member {given!r} of {name}",
                f"ValueError: {given!r} is not a valid {short}",
            )
        return None
    if _of(shape, "s:") and item.how.startswith(("NEWOBJ", "REDUCE")):
        settable = {entry[2:] for entry in _of(shape, "s:")}
        lost = sorted(slots_of(item.state) - settable)
        if lost:
            return (
                f"a {name} with {lost[0]}",
                f"AttributeError: '{short}' object has no attribute '{lost[0]}'",
            )
        return None
    most = max((int(entry[2:]) for entry in _of(shape, "p:")), default=None)
    if most is not None and len(item.args) > most:
        return (
            f"a {name} of {len(item.args)} fields",
            f"TypeError: {short} takes at most {most} positional arguments",
        )
    least = max((int(entry[2:]) for entry in _of(shape, "r:")), default=0)
    if item.how.startswith("NEWOBJ") and len(item.args) < least:
        return (
            f"a {name} of {len(item.args)} fields",
            f"TypeError: {short} missing {least - len(item.args)} required positional arguments",
        )
    return None


def _of(shape: frozenset[str], kind: str) -> list[str]:
    return [entry for entry in shape if entry.startswith(kind)]


def _text(value: int | str) -> str:
    return value if isinstance(value, str) else str(int(value))
