"""Abstract values of the evaluator, and how two of them join.

A value stands for every value the expression may have at run time. ``Const`` and ``PathV`` are
exact; ``Choice`` is one of several; ``Unk`` is anything. ``deps`` records what a value came
through: environment variables by name, configuration files as ``file:/path``, and the markers
below.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from auditor.source import Location

if TYPE_CHECKING:
    from auditor.parsers.python.scopes import Frame, State

Deps = frozenset[str]
NONE: Deps = frozenset()
FROM_FILE = "\0file"
FROM_CWD = "\0cwd"
FROM_HOME = "\0home"
FROM_TEMP = "\0temp"
MAX_CHOICES = 8
MAX_ITEMS = 512


class V:
    """Any abstract value."""

    __slots__ = ()


class Const(V):
    """A constant of the language: str, bytes, int, float, bool or None."""

    __slots__ = ("deps", "origin", "value")

    def __init__(self, value: Any, deps: Deps = NONE, origin: Location | None = None) -> None:
        self.value = value
        self.deps = deps
        self.origin = origin


class PathV(V):
    """A ``pathlib`` path; ``text`` as ``str()`` of it gives."""

    __slots__ = ("deps", "origin", "text")

    def __init__(self, text: str, deps: Deps = NONE, origin: Location | None = None) -> None:
        self.text = text
        self.deps = deps
        self.origin = origin


# What a comparison of NumPy's numbers gives: true or false, as NumPy has them.
NUMPY_BOOL = "a truth value of NumPy"


class Unk(V):
    """Anything; ``reason`` says why it is not known."""

    __slots__ = ("deps", "reason")

    def __init__(self, reason: str, deps: Deps = NONE) -> None:
        self.reason = reason
        self.deps = deps


class Choice(V):
    """One of several values, none of them a Choice."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[V, ...]) -> None:
        self.options = options


class FieldV(Unk):
    """A value that the request carries under a name, as declared at ``at``.

    ``kind`` is its annotation as written, where a request's model declares it.
    """

    __slots__ = ("at", "kind", "name")

    def __init__(self, name: str, at: Location | None = None, kind: str = "") -> None:
        super().__init__(f"field {name} of the request")
        self.kind = kind
        self.name = name
        self.at = at


class Loaded(Unk):
    """What a mapping or sequence that was loaded from a file holds at a key or index."""

    __slots__ = ("keys", "source")

    def __init__(self, source: V, keys: tuple[str | int, ...]) -> None:
        super().__init__("an item of what was loaded")
        self.source = source
        self.keys = keys


# Where a container was made, and under which conditions: writes there are certain.
Born = tuple[str, tuple[str, ...]]


class ListV(V):
    """A list, tuple or set; ``items`` is None when the contents are not known.

    ``each`` then stands for every item, where something is known of it.
    """

    __slots__ = ("born", "each", "items", "kind")

    def __init__(self, items: list[V] | None, kind: str = "list", each: V | None = None) -> None:
        self.items = items
        self.kind = kind
        self.each = each
        self.born: Born | None = None


class Found(ListV):
    """What a search of a directory found, of which every name is known; ``pattern`` as asked."""

    __slots__ = ("pattern",)

    def __init__(self, items: list[V] | None, pattern: str) -> None:
        super().__init__(items)
        self.pattern = pattern


class CommandLine(ListV):
    """``sys.argv`` of a program whose command is known."""

    __slots__ = ()


class DictV(V):
    """A mapping; ``partial`` when there may be other keys or values. ``attr``: keys as attributes."""

    __slots__ = ("attr", "born", "items", "origin_deps", "partial")

    def __init__(
        self, items: dict[Any, V], *, partial: bool = False, attr: bool = False, deps: Deps = NONE
    ) -> None:
        self.born: Born | None = None
        self.items = items
        self.partial = partial
        self.attr = attr
        self.origin_deps = deps


class Col:
    """A column of a table: its name (None: only a position), the request field it comes from."""

    __slots__ = ("at", "field", "name")

    def __init__(
        self, name: str | None, field: str | None = None, at: Location | None = None
    ) -> None:
        self.name = name
        self.field = field
        self.at = at


class Table(V):
    """A data frame, an array, or one row of either.

    ``kind``: ``frame``, ``array`` (two dimensions, no names), ``row`` (a series), ``vector``, or
    ``one-hot`` (what one row of ``cols`` was made into: at most one column of each).
    ``cols`` is None when the columns are not known. ``single``: one row, for certain. ``error`` says what asking it for a column
    that it lacks raised, and where. ``listed``: its contents as plain lists (``tolist()``).
    ``flat``: it has one dimension, for certain.
    """

    __slots__ = ("at", "born", "cols", "dtype", "error", "flat", "kind", "listed", "single")

    def __init__(self, kind: str, cols: list[Col] | None, at: Location | None) -> None:
        self.kind = kind
        self.cols = cols
        self.at = at
        self.error: tuple[str, Location] | None = None
        self.born: Born | None = None
        self.single = False
        self.listed = False
        self.flat = False
        # What its numbers are, where the code says so (``float32``).
        self.dtype = ""


class Func(V):
    """A function of the project, or a lambda."""

    __slots__ = ("closure", "cls", "decorators", "defaults", "node", "qualname", "state", "yields")

    def __init__(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        state: State,
        closure: Frame | None,
        qualname: str,
        defaults: dict[str, V],
    ) -> None:
        self.node = node
        self.state = state
        self.closure = closure
        self.qualname = qualname
        self.defaults = defaults
        self.cls: Class | None = None
        self.decorators: tuple[str, ...] = ()
        self.yields = False

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)


class Bound(V):
    """A method with its receiver."""

    __slots__ = ("func", "receiver")

    def __init__(self, func: Func, receiver: V) -> None:
        self.func = func
        self.receiver = receiver


class Class(V):
    """A class of the project. ``bases`` may hold external ones (``Ext``) and unknown ones."""

    __slots__ = (
        "annotations",
        "bases",
        "decorators",
        "keywords",
        "names",
        "node",
        "qualname",
        "state",
    )

    def __init__(
        self, node: ast.ClassDef, state: State, qualname: str, bases: list[V], names: dict[str, V]
    ) -> None:
        self.node = node
        self.state = state
        self.qualname = qualname
        self.bases = bases
        self.names = names
        self.keywords: dict[str, V] = {}
        self.decorators: tuple[str, ...] = ()
        self.annotations: list[tuple[str, ast.expr, ast.expr | None, ast.AST]] = []

    def mro(self) -> list[Class]:
        """The project classes among itself and its ancestors, nearest first."""
        found: list[Class] = []
        queue: list[V] = [self]
        while queue and len(found) < 32:
            one = queue.pop(0)
            if isinstance(one, Class) and one not in found:
                found.append(one)
                queue.extend(one.bases)
        return found

    def external(self) -> set[str]:
        """Canonical names of the external ancestors; ``?`` for those not known."""
        names: set[str] = set()
        for one in self.mro():
            for base in one.bases:
                if isinstance(base, Ext):
                    names.add(base.name)
                elif not isinstance(base, Class):
                    names.add("?")
        return names


class Inst(V):
    """An instance of a project class. ``partial``: attributes may have been set unseen.

    ``perhaps`` are attributes that were set under a condition only.
    """

    __slots__ = ("attrs", "cls", "partial", "perhaps")

    def __init__(self, cls: Class) -> None:
        self.cls = cls
        self.attrs: dict[str, V] = {}
        self.partial = False
        self.perhaps: frozenset[str] = frozenset()


class Mod(V):
    """A project module."""

    __slots__ = ("state",)

    def __init__(self, state: State) -> None:
        self.state = state


class Ext(V):
    """Something that is not the project's, by canonical dotted name.

    ``owner`` is the object whose attribute it is, if any (``app.get`` of ``app = FastAPI()``).
    """

    __slots__ = ("name", "owner")

    def __init__(self, name: str, owner: V | None = None) -> None:
        self.name = name
        self.owner = owner


class Obj(V):
    """What an external call returned: the call's name and arguments, and state kept by models."""

    __slots__ = ("args", "at", "data", "kwargs", "name")

    def __init__(
        self,
        name: str,
        args: list[V] | None = None,
        kwargs: dict[str, V] | None = None,
        at: Location | None = None,
    ) -> None:
        self.name = name
        self.args = args or []
        self.kwargs = kwargs or {}
        self.at = at
        self.data: Any = None


def deps_of(value: V) -> Deps:
    """What a value came through."""
    if isinstance(value, Const | PathV | Unk):
        return value.deps
    if isinstance(value, Choice):
        return frozenset().union(*map(deps_of, value.options))
    if isinstance(value, DictV):
        return value.origin_deps
    if isinstance(value, ListV) and value.items:
        parts = [i.deps for i in value.items[:16] if isinstance(i, Const | PathV | Unk)]
        return frozenset().union(*parts)
    if isinstance(value, Ext) and isinstance(value.owner, Unk):
        return value.owner.deps
    return NONE


def options_of(value: V) -> tuple[V, ...]:
    """The alternatives of a value."""
    return value.options if isinstance(value, Choice) else (value,)


def same(left: V, right: V) -> bool:
    """Whether two abstract values are certainly the same."""
    if left is right:
        return True
    if isinstance(left, Const) and isinstance(right, Const):
        return type(left.value) is type(right.value) and left.value == right.value
    if isinstance(left, PathV) and isinstance(right, PathV):
        return left.text == right.text
    if isinstance(left, Ext) and isinstance(right, Ext):
        return left.name == right.name and left.owner is right.owner
    if isinstance(left, FieldV | Loaded) or isinstance(right, FieldV | Loaded):
        return isinstance(left, FieldV) and isinstance(right, FieldV) and left.name == right.name
    return isinstance(left, Unk) and isinstance(right, Unk)


def join(*values: V | None) -> V:
    """The value that is any of these; None stands for unbound and is left out."""
    found: list[V] = []
    for value in values:
        if value is None:
            continue
        for option in options_of(value):
            for index, other in enumerate(found):
                if same(option, other):
                    extra = deps_of(option) - deps_of(other)
                    if extra and isinstance(other, Const):
                        found[index] = Const(other.value, other.deps | extra, other.origin)
                    elif extra and isinstance(other, PathV):
                        found[index] = PathV(other.text, other.deps | extra, other.origin)
                    break
                if isinstance(option, Unk) and isinstance(other, Unk):
                    found[index] = Unk(other.reason, other.deps | option.deps)
                    break
            else:
                found.append(option)
    if len(found) == 1:
        return found[0]
    if not found:
        return Unk("is not bound")
    if len(found) > MAX_CHOICES:
        return Unk("has too many possible values", frozenset().union(*map(deps_of, found)))
    return Choice(tuple(found))


def truth(value: V) -> bool | None:
    """Whether a value is true; None when that is not known."""
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, PathV | Func | Bound | Class | Mod):
        return True
    if isinstance(value, ListV):
        return None if value.items is None else bool(value.items)
    if isinstance(value, DictV):
        return True if value.items else (None if value.partial else False)
    if isinstance(value, Choice):
        answers = {truth(option) for option in value.options}
        return answers.pop() if len(answers) == 1 else None
    return None


def with_deps(value: V, deps: Deps) -> V:
    """The same value, having come through more."""
    if not deps:
        return value
    if isinstance(value, Const):
        return Const(value.value, value.deps | deps, value.origin)
    if isinstance(value, PathV):
        return PathV(value.text, value.deps | deps, value.origin)
    if isinstance(value, Unk):
        return Unk(value.reason, value.deps | deps)
    if isinstance(value, Choice):
        return Choice(tuple(with_deps(option, deps) for option in value.options))
    return value


def all_names(module: str) -> tuple[str, ...]:
    """Canonical names that a star import of a well-known module brings and that matter."""
    known = {
        "flask": ("Flask", "request", "jsonify", "Blueprint"),
        "fastapi": ("FastAPI", "APIRouter", "Depends", "File", "UploadFile", "Form"),
        "os": ("path", "environ", "getenv", "listdir", "makedirs"),
        "pathlib": ("Path",),
        "os.path": ("join", "dirname", "abspath", "exists"),
    }
    return tuple(f"{module}.{name}" for name in known.get(module, ()))


def text_of_ext(value: V | None) -> str:
    """The bare name of a type given as a value."""
    if isinstance(value, Ext):
        return value.name.rpartition(".")[2]
    return value.qualname if isinstance(value, Class) else ""
