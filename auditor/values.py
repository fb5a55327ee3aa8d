"""``@value``: frozen, slotted dataclasses that cost microseconds to define.

``dataclasses.dataclass`` compiles half a dozen methods per class as text; with some three
hundred fact types that is a quarter of a second at every start. Here all classes share the
same methods, written over a list of slots. Instances are dataclasses to everybody else:
``dataclasses.replace``, ``fields`` and ``is_dataclass`` work on them, and so does pickling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")
_MISSING = dataclasses.MISSING
_FIELD = dataclasses._FIELD  # type: ignore[attr-defined]
_PARAMETERS = dataclasses._DataclassParams  # type: ignore[attr-defined]


@overload
@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def value(cls: type[T], /) -> type[T]: ...


@overload
@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def value(
    *, kw_only: bool = True, eq: bool = True, order: bool = False, repr: bool = True
) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def value(
    cls: type[Any] | None = None,
    /,
    *,
    kw_only: bool = True,
    eq: bool = True,
    order: bool = False,
    repr: bool = True,
) -> Any:
    """Make a class a frozen, slotted value; ``kw_only`` is on unless switched off.

    Fields, defaults, ``field(default_factory=…, compare=…, repr=…)`` and ``__post_init__`` mean
    what they mean to ``dataclasses``. ``eq=False`` keeps identity; ``order`` compares as tuples.
    """

    def make(cls: type[Any]) -> type[Any]:
        return _make(cls, kw_only=kw_only, eq=eq, order=order, repr=repr)

    return make if cls is None else make(cls)


def _make(cls: type[Any], *, kw_only: bool, eq: bool, order: bool, repr: bool) -> type[Any]:
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__[1:]):
        fields.update(getattr(base, "__dataclass_fields__", {}))
    inherited = set(fields)
    namespace = dict(cls.__dict__)
    own: list[str] = []
    for name, annotation in namespace.get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = namespace.pop(name, _MISSING)
        if isinstance(default, dataclasses.Field):
            made = default
        else:
            made = dataclasses.field(default=default)
        made.name = name
        made.type = annotation
        made.kw_only = kw_only
        made._field_type = _FIELD  # type: ignore[attr-defined]
        fields[name] = made
        if name not in inherited:
            own.append(name)
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace["__slots__"] = tuple(own)
    namespace["__dataclass_fields__"] = fields
    namespace["__dataclass_params__"] = _parameters(eq=eq, order=order, kw_only=kw_only)
    namespace["__match_args__"] = () if kw_only else tuple(fields)
    compared = tuple(f.name for f in fields.values() if f.compare)
    namespace.setdefault("__init__", _init(fields, kw_only, "__post_init__" in dir(cls)))
    if repr:
        namespace.setdefault("__repr__", _repr)
    namespace["__setattr__"] = _refuse
    namespace["__delattr__"] = _refuse
    namespace.setdefault("__getstate__", _getstate)
    namespace.setdefault("__setstate__", _setstate)
    namespace["__compared__"] = compared
    if eq:
        namespace.setdefault("__eq__", _eq)
        namespace.setdefault("__hash__", _hash)
    if order:
        namespace["__lt__"], namespace["__le__"] = _lt, _le
        namespace["__gt__"], namespace["__ge__"] = _gt, _ge
    made_class: type[Any] = type(cls)(cls.__name__, cls.__bases__, namespace)  # type: ignore[misc]
    made_class.__qualname__ = cls.__qualname__
    return made_class


def _parameters(*, eq: bool, order: bool, kw_only: bool) -> Any:
    wanted = {
        "init": True,
        "repr": True,
        "eq": eq,
        "order": order,
        "unsafe_hash": False,
        "frozen": True,
        "match_args": True,
        "kw_only": kw_only,
        "slots": True,
        "weakref_slot": False,
    }
    accepted = _PARAMETERS.__slots__
    return _PARAMETERS(**{name: wanted[name] for name in accepted})


def _init(fields: dict[str, Any], kw_only: bool, post: bool) -> Callable[..., None]:
    names = tuple(n for n, f in fields.items() if f.init)
    later = {
        n: f
        for n, f in fields.items()
        if not f.init and (f.default, f.default_factory) != (_MISSING, _MISSING)
    }
    defaults = {n: f.default for n, f in fields.items() if f.default is not _MISSING}
    factories = {
        n: f.default_factory for n, f in fields.items() if f.default_factory is not _MISSING
    }
    put = object.__setattr__

    def initialise(self: Any, *args: Any, **given: Any) -> None:
        if args:
            if kw_only or len(args) > len(names):
                raise TypeError(f"{type(self).__name__}() takes no positional arguments")
            for name, item in zip(names, args, strict=False):
                if name in given:
                    raise TypeError(f"{type(self).__name__}() got {name!r} twice")
                given[name] = item
        count = 0
        for name in names:
            if name in given:
                put(self, name, given[name])
                count += 1
            elif name in defaults:
                put(self, name, defaults[name])
            elif name in factories:
                put(self, name, factories[name]())
            else:
                raise TypeError(f"{type(self).__name__}() misses {name!r}")
        if count != len(given):
            unknown = ", ".join(sorted(set(given) - set(names)))
            raise TypeError(f"{type(self).__name__}() has no field {unknown}")
        for name, made in later.items():
            put(
                self, name, made.default if made.default is not _MISSING else made.default_factory()
            )
        if post:
            self.__post_init__()

    initialise.__name__ = "__init__"
    return initialise


def _tuple(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__compared__)


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{f.name}={getattr(self, f.name)!r}" for f in self.__dataclass_fields__.values() if f.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: object) -> Any:
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
    return _tuple(self) == _tuple(other)


def _hash(self: Any) -> int:
    return hash(_tuple(self))


def _lt(self: Any, other: Any) -> Any:
    return _tuple(self) < _tuple(other) if other.__class__ is self.__class__ else NotImplemented


def _le(self: Any, other: Any) -> Any:
    return _tuple(self) <= _tuple(other) if other.__class__ is self.__class__ else NotImplemented


def _gt(self: Any, other: Any) -> Any:
    return _tuple(self) > _tuple(other) if other.__class__ is self.__class__ else NotImplemented


def _ge(self: Any, other: Any) -> Any:
    return _tuple(self) >= _tuple(other) if other.__class__ is self.__class__ else NotImplemented


def _refuse(self: Any, name: str, *_: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, item in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, item)
