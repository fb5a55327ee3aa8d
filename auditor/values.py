"""``@value`` and ``@record``: slotted dataclasses that cost microseconds to define.

``dataclasses.dataclass`` compiles half a dozen methods per class as text; with some three
hundred fact types that is a quarter of a second at every start, and importing it brings half of
``inspect``. Here all classes share the same methods, which read a plan that is made when a class
has its first instance. Instances are dataclasses to everybody else: ``dataclasses.replace``,
``fields`` and ``is_dataclass`` work on them, and so does pickling.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


class _Missing:
    """No default."""


_MISSING = _Missing()


class _Field:
    """What ``field`` was told; in a plan, what stands in for a value that was not given."""

    __slots__ = ("compare", "default", "default_factory", "init", "repr")

    def __init__(
        self, default: Any, default_factory: Any, init: bool, repr: bool, compare: bool
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare

    @property
    def given(self) -> bool:
        """Whether there is a value without anybody giving one."""
        return self.default is not _MISSING or self.default_factory is not _MISSING

    def make(self) -> Any:
        return self.default if self.default_factory is _MISSING else self.default_factory()


_PLAIN = _Field(_MISSING, _MISSING, True, True, True)


@overload
def field(*, default: T, init: bool = True, repr: bool = True, compare: bool = True) -> T: ...


@overload
def field(
    *, default_factory: Callable[[], T], init: bool = True, repr: bool = True, compare: bool = True
) -> T: ...


@overload
def field(*, init: bool = True, repr: bool = True, compare: bool = True) -> Any: ...


def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    init: bool = True,
    repr: bool = True,
    compare: bool = True,
) -> Any:
    """What ``dataclasses.field`` says of a field, as far as values need it."""
    return _Field(default, default_factory, init, repr, compare)


@overload
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: type[T], /) -> type[T]: ...


@overload
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(
    *, kw_only: bool = True, eq: bool = True, order: bool = False, repr: bool = True
) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
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
        return _make(cls, kw_only=kw_only, eq=eq, order=order, repr=repr, frozen=True)

    return make if cls is None else make(cls)


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[T], /) -> type[T]:
    """Make a class a slotted one whose fields may change: ``dataclass(slots=True)``."""
    return _make(cls, kw_only=False, eq=True, order=False, repr=True, frozen=False)


def replace(item: T, /, **changes: Any) -> T:
    """A copy of a value or record with some fields changed."""
    cls: Any = item.__class__
    if not hasattr(cls, "__specs__"):
        import dataclasses

        return dataclasses.replace(item, **changes)  # type: ignore[type-var]
    for name, (spec, _, _) in cls.__specs__.items():
        if not spec.init:
            if name in changes:
                raise ValueError(f"{cls.__name__}.{name} is not given but made")
        elif name not in changes:
            changes[name] = getattr(item, name)
    made: T = cls(**changes)
    return made


def _make(
    cls: type[Any], *, kw_only: bool, eq: bool, order: bool, repr: bool, frozen: bool
) -> type[Any]:
    specs: dict[str, tuple[_Field, bool, Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        specs.update(getattr(base, "__specs__", ()))
    inherited = set(specs)
    namespace = dict(cls.__dict__)
    for name, annotation in namespace.get("__annotations__", {}).items():
        if str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = namespace.pop(name, _MISSING)
        if default is _MISSING:
            spec = _PLAIN
        elif isinstance(default, _Field):
            spec = default
        else:
            spec = _Field(default, _MISSING, True, True, True)
        specs[name] = (spec, kw_only, annotation)
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    namespace["__slots__"] = tuple(name for name in specs if name not in inherited)
    namespace["__specs__"] = specs
    namespace["__match_args__"] = tuple(n for n, spec in specs.items() if not spec[1])
    namespace["__dataclass_fields__"] = _FIELDS
    namespace["__dataclass_params__"] = _Parameters(eq, order, kw_only, frozen)
    namespace.setdefault("__init__", _initialise)
    if repr:
        namespace.setdefault("__repr__", _repr)
    if frozen:
        namespace["__setattr__"] = _refuse
        namespace["__delattr__"] = _refuse
    namespace.setdefault("__getstate__", _getstate)
    namespace.setdefault("__setstate__", _setstate)
    if eq:
        namespace.setdefault("__eq__", _eq)
        namespace.setdefault("__hash__", _hash if frozen else None)
    if order:
        namespace["__lt__"], namespace["__le__"] = _lt, _le
        namespace["__gt__"], namespace["__ge__"] = _gt, _ge
    made: type[Any] = type(cls)(cls.__name__, cls.__bases__, namespace)  # type: ignore[misc]
    made.__qualname__ = cls.__qualname__
    return made


class _Plan:
    """How instances of one class are filled and compared."""

    __slots__ = ("key", "later", "made", "names", "positional", "post", "settings")

    def __init__(self, cls: type[Any]) -> None:
        specs: dict[str, tuple[_Field, bool, Any]] = cls.__specs__
        # Past the refusal of a frozen class, and quicker than object.__setattr__: the slots.
        put = {name: _slot(cls, name).__set__ for name in specs}
        self.names = tuple(name for name, (spec, _, _) in specs.items() if spec.init)
        self.positional = 0 if any(spec[1] for spec in specs.values()) else len(self.names)
        self.settings = tuple(
            (name, put[name], spec if spec.default is _MISSING else spec.default)
            for name, (spec, _, _) in specs.items()
            if spec.init
        )
        self.later = tuple(
            (put[name], spec)
            for name, (spec, _, _) in specs.items()
            if not spec.init and spec.given
        )
        self.post = hasattr(cls, "__post_init__")
        compared = [name for name, (spec, _, _) in specs.items() if spec.compare]
        self.key: Callable[[Any], Any] = attrgetter(*compared) if compared else _nothing
        self.made = 0

    def initialiser(self) -> Callable[..., None]:
        """``_initialise`` written out for this class: four times as fast, a millisecond to make."""
        scope: dict[str, Any] = {"missing": _MISSING}
        arguments = ["self"] if self.positional else ["self", "*"]
        body: list[str] = []
        needed: list[str] = []
        for number, (name, put, default) in enumerate(self.settings):
            scope[f"put{number}"] = put
            item = name
            if default.__class__ is _Field and not default.given:
                needed.append(name)
            else:
                made = default.__class__ is _Field
                scope[f"default{number}"] = default.make if made else default
                needed.append(f"{name}={'missing' if made else f'default{number}'}")
                if made:
                    item = f"default{number}() if {name} is missing else {name}"
            body.append(f"    put{number}(self, {item})")
        for number, (put, spec) in enumerate(self.later):
            scope[f"later{number}"], scope[f"make{number}"] = put, spec.make
            body.append(f"    later{number}(self, make{number}())")
        if self.post:
            body.append("    self.__post_init__()")
        arguments += needed
        exec(f"def __init__({', '.join(arguments)}):\n" + "\n".join(body or ["    pass"]), scope)
        written: Callable[..., None] = scope["__init__"]
        return written


def _slot(cls: type[Any], name: str) -> Any:
    return next(base.__dict__[name] for base in cls.__mro__ if name in base.__dict__)


def _nothing(_: Any) -> tuple[()]:
    return ()


_plans: dict[type[Any], _Plan] = {}


def _plan_of(cls: type[Any]) -> _Plan:
    plan = _plans.get(cls)
    if plan is None:
        plan = _plans[cls] = _Plan(cls)
    return plan


def _initialise(self: Any, /, *args: Any, **given: Any) -> None:
    plan = _plans.get(self.__class__) or _plan_of(self.__class__)
    plan.made += 1
    if plan.made == _HOT:
        _specialise(self.__class__, plan)
    if args:
        if len(args) > plan.positional:
            raise TypeError(f"{type(self).__name__}() takes no positional arguments")
        for name, item in zip(plan.names, args, strict=False):
            if name in given:
                raise TypeError(f"{type(self).__name__}() got {name!r} twice")
            given[name] = item
    take = given.pop
    for name, put, default in plan.settings:
        item = take(name, default)
        if item.__class__ is _Field:
            if not item.given:
                raise TypeError(f"{type(self).__name__}() misses {name!r}")
            item = item.make()
        put(self, item)
    if given:
        raise TypeError(f"{type(self).__name__}() has no field {', '.join(sorted(given))}")
    for put, spec in plan.later:
        put(self, spec.make())
    if plan.post:
        self.__post_init__()


# Instances after which a class gets an initialiser of its own.
_HOT = 300


def _specialise(cls: type[Any], plan: _Plan) -> None:
    names = [name for name, _, _ in plan.settings]
    ordered = [not _is_required(default) for _, _, default in plan.settings]
    if cls.__dict__.get("__init__") is not _initialise or "self" in names:
        return
    if plan.positional and ordered != sorted(ordered):
        return
    if not all(name.isidentifier() and not keyword.iskeyword(name) for name in names):
        return
    if any(
        name == "missing" or name.startswith(("put", "default", "later", "make")) for name in names
    ):
        return
    type.__setattr__(cls, "__init__", plan.initialiser())


def _is_required(default: Any) -> bool:
    return default.__class__ is _Field and not default.given


def _repr(self: Any) -> str:
    shown = ", ".join(
        f"{name}={getattr(self, name)!r}"
        for name, (spec, _, _) in self.__specs__.items()
        if spec.repr
    )
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: object) -> Any:
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
    key = _plan_of(self.__class__).key
    return key(self) == key(other)


def _hash(self: Any) -> int:
    return hash(_plan_of(self.__class__).key(self))


def _lt(self: Any, other: Any) -> Any:
    key = _plan_of(self.__class__).key
    return key(self) < key(other) if other.__class__ is self.__class__ else NotImplemented


def _le(self: Any, other: Any) -> Any:
    key = _plan_of(self.__class__).key
    return key(self) <= key(other) if other.__class__ is self.__class__ else NotImplemented


def _gt(self: Any, other: Any) -> Any:
    key = _plan_of(self.__class__).key
    return key(self) > key(other) if other.__class__ is self.__class__ else NotImplemented


def _ge(self: Any, other: Any) -> Any:
    key = _plan_of(self.__class__).key
    return key(self) >= key(other) if other.__class__ is self.__class__ else NotImplemented


def _refuse(self: Any, name: str, *_: Any) -> None:
    import dataclasses

    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__specs__]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, item in zip(self.__specs__, state, strict=True):
        object.__setattr__(self, name, item)


class _Fields:
    """``__dataclass_fields__``, made when somebody asks for it."""

    def __get__(self, item: Any, cls: type[Any]) -> dict[str, Any]:
        import dataclasses

        found: dict[str, Any] = {}
        for name, (spec, kw_only, annotation) in cls.__specs__.items():
            given: dict[str, Any] = {}
            if spec.default is not _MISSING:
                given["default"] = spec.default
            elif spec.default_factory is not _MISSING:
                given["default_factory"] = spec.default_factory
            made: Any = dataclasses.field(
                init=spec.init, repr=spec.repr, compare=spec.compare, kw_only=kw_only, **given
            )
            made.name, made.type = name, annotation
            made._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
            found[name] = made
        type.__setattr__(cls, "__dataclass_fields__", found)
        return found


_FIELDS = _Fields()


class _Parameters:
    """``__dataclass_params__``, made when somebody asks for it."""

    def __init__(self, eq: bool, order: bool, kw_only: bool, frozen: bool) -> None:
        self.wanted = {
            "init": True,
            "repr": True,
            "eq": eq,
            "order": order,
            "unsafe_hash": False,
            "frozen": frozen,
            "match_args": True,
            "kw_only": kw_only,
            "slots": True,
            "weakref_slot": False,
        }

    def __get__(self, item: Any, cls: type[Any]) -> Any:
        import dataclasses

        kind: Any = dataclasses._DataclassParams  # type: ignore[attr-defined]
        return kind(**{name: self.wanted[name] for name in kind.__slots__})


__all__ = ["field", "record", "replace", "value"]
