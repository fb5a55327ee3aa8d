"""What the project's own modules define, as far as loading an artifact depends on it.

A pickle names classes and functions of the project and brings their state along: a member of an
enumeration by its value, the fields of a named tuple by their number, slots by their names. Where
the code has moved on since, loading raises. Read from the source text; nothing is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal

from auditor.artifacts.facts import Items, Name
from auditor.artifacts.facts import Mapping as Pairs
from auditor.linking.compatibility import Exact, Reason
from auditor.values import field, value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts, Symbol

Constant = bool | int | float | str | bytes | None


@value
class Shape:
    """What a module binds to one name.

    ``members`` are an enumeration's (name, value), ``()`` where they are not all known;
    ``fields`` a named tuple's with ``required`` of them without a default; ``slots`` those of a
    class whose instances have no ``__dict__``; ``attributes`` what a class binds, None where it
    may have more; ``arguments`` how few and how many its constructor takes. ``open``: more may be
    added elsewhere. ``reads`` are attributes that the methods which predict read in any case, and
    only other methods of the class set.
    """

    kind: Literal["class", "function", "enum", "flag", "namedtuple"]
    members: tuple[tuple[str, Constant], ...] = ()
    fields: tuple[str, ...] = ()
    required: int = 0
    slots: frozenset[str] | None = None
    attributes: frozenset[str] | None = None
    arguments: tuple[int, int] | None = None
    open: bool = False
    reads: frozenset[str] = frozenset()


@value
class ProjectModule:
    """A module of the project: the names it binds (None: not all are known) and their shapes.

    ``imports`` are (module, name or ``""``) that importing it asks for whatever happens.
    """

    names: frozenset[str] | None
    shapes: Mapping[str, Shape] = field(default_factory=dict, compare=False)
    imports: tuple[tuple[str, str], ...] = ()


def project_module(text: str) -> ProjectModule:
    """Names and shapes of a module's top level."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ProjectModule(names=None)
    reader = _Reader.of(tree.body)
    return ProjectModule(
        names=None if reader.star else frozenset(reader.names),
        shapes=reader.shapes,
        imports=tuple(dict.fromkeys(_imports(tree.body))),
    )


def _imports(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Absolute imports at the top of a module that nothing guards."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node.module, "" if a.name == "*" else a.name) for a in node.names)


class _Reader:
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.shapes: dict[str, Shape] = {}
        self.star = False

    @classmethod
    def of(cls, body: list[ast.stmt]) -> _Reader:
        reader = cls()
        reader.body(body)
        return reader

    def body(self, body: list[ast.stmt]) -> None:
        pending = [(node, False) for node in body]
        while pending:
            node, conditional = pending.pop(0)
            before = set(self.names) if conditional else self.names
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.bind(node.name, None if node.decorator_list else Shape(kind="function"))
                self.names.add(node.name)
            elif isinstance(node, ast.ClassDef):
                self.bind(node.name, None if node.decorator_list else _class(node))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    self.star |= alias.name == "*"
                    self.bind(alias.asname or alias.name.partition(".")[0], None)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                shape = _namedtuple(node.value) if node.value is not None else None
                for target in targets:
                    for inner in ast.walk(target):
                        if isinstance(inner, ast.Name):
                            self.bind(inner.id, shape)
            elif isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
                for block in ("body", "orelse", "finalbody"):
                    pending += [(n, True) for n in getattr(node, block, [])]
                for handler in getattr(node, "handlers", []):
                    pending += [(n, True) for n in handler.body]
            if conditional and isinstance(node, ast.ClassDef | ast.FunctionDef | ast.Assign):
                # Which of several definitions holds is not known.
                for name in _bound(node):
                    shape = self.shapes.pop(name, None)
                    if shape is not None and shape.reads and name not in before:
                        self.shapes[name] = Shape(kind="class", reads=shape.reads)

    def bind(self, name: str, shape: Shape | None) -> None:
        self.names.add(name)
        if shape is None:
            self.shapes.pop(name, None)
        else:
            self.shapes[name] = shape


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


_ENUMS: Final = frozenset({"Enum", "IntEnum", "StrEnum"})
_FLAGS: Final = frozenset({"Flag", "IntFlag"})
_PLAIN: Final = frozenset({"object", "Generic", "Protocol", "ABC"})


def _class(node: ast.ClassDef) -> Shape | None:
    bases = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
    if any(base in _ENUMS or base in _FLAGS for base in bases):
        return _enumeration(node, bases)
    if "NamedTuple" in bases:
        fields = [
            (i.target.id, i.value is not None)
            for i in node.body
            if isinstance(i, ast.AnnAssign) and isinstance(i.target, ast.Name)
        ]
        return Shape(
            kind="namedtuple",
            fields=tuple(name for name, _ in fields),
            required=sum(not default for _, default in fields),
        )
    slots: frozenset[str] | None = None
    if all(base in _PLAIN for base in bases) and not node.keywords:
        for item in node.body:
            if isinstance(item, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "__slots__" for t in item.targets
            ):
                slots = _strings(item.value)
    own = {i.name: i for i in node.body if isinstance(i, ast.FunctionDef | ast.AsyncFunctionDef)}
    if own.keys() & {"__setstate__", "__setattr__", "__getattr__", "__new__", "__reduce__"}:
        slots = None
    plain = all(base in _PLAIN for base in bases) and not node.keywords
    return Shape(
        kind="class",
        slots=None if slots is None or "__dict__" in slots else slots,
        attributes=frozenset(_Reader.of(node.body).names) if plain else None,
        arguments=_arguments(own.get("__init__")) if plain and "__new__" not in own else None,
        reads=_reads(node, own),
    )


# What a server calls.
_ASKED: Final = (
    "__call__",
    "decision_function",
    "predict",
    "predict_proba",
    "run",
    "score_samples",
    "transform",
)
# With these a class restores itself, or finds attributes in its own way.
_OWN_WAY: Final = frozenset(
    {"__setstate__", "__getattr__", "__getattribute__", "__reduce__", "__reduce_ex__", "__new__"}
)


def _reads(
    node: ast.ClassDef, own: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]
) -> frozenset[str]:
    """Attributes of the instance that predicting needs and does not set."""
    if own.keys() & _OWN_WAY:
        return frozenset()
    bound = _Reader.of(node.body).names
    stored = {
        (name, found.attr)
        for name, method in own.items()
        for found in ast.walk(method)
        if isinstance(found, ast.Attribute) and _of_self(found) and isinstance(found.ctx, ast.Store)
    }
    needed: set[str] = set()
    for name in _ASKED:
        method = own.get(name)
        if not isinstance(method, ast.FunctionDef) or method.decorator_list:
            continue
        for attribute in _certainly_read(method):
            setters = {n for n, stored_name in stored if stored_name == attribute}
            if attribute not in bound and setters and name not in setters:
                needed.add(attribute)
    return frozenset(needed)


def _of_self(found: ast.Attribute) -> bool:
    return isinstance(found.value, ast.Name) and found.value.id == "self"


# Whether their parts run is decided while they run.
_MAYBE: Final = (
    ast.If, ast.For, ast.While, ast.Try, ast.With, ast.IfExp, ast.BoolOp, ast.Lambda,
    ast.FunctionDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Assert,
    ast.ClassDef, ast.Match,
)  # fmt: skip


def _certainly_read(method: ast.FunctionDef) -> Iterator[str]:
    """Attributes of ``self`` that the method reads whatever it is given."""
    for statement in method.body:
        if isinstance(statement, _MAYBE):
            # It may return or raise in there.
            return
        pending: list[ast.AST] = [statement]
        while pending:
            current = pending.pop()
            if isinstance(current, _MAYBE):
                continue
            if (
                isinstance(current, ast.Attribute)
                and _of_self(current)
                and isinstance(current.ctx, ast.Load)
            ):
                yield current.attr
            pending += ast.iter_child_nodes(current)


def _arguments(init: ast.stmt | None) -> tuple[int, int] | None:
    """How few and how many arguments a constructor takes by place; None where any may do."""
    if not isinstance(init, ast.FunctionDef) or init.decorator_list or init.args.vararg:
        return None
    taken = len(init.args.posonlyargs) + len(init.args.args) - 1
    demanded = any(default is None for default in init.args.kw_defaults)
    return None if taken < 0 or demanded else (taken - len(init.args.defaults), taken)


def _strings(node: ast.expr) -> frozenset[str] | None:
    try:
        found = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    items = (found,) if isinstance(found, str) else found
    if isinstance(items, tuple | list | set | dict) and all(isinstance(i, str) for i in items):
        return frozenset(items)
    return None


def _namedtuple(node: ast.expr) -> Shape | None:
    """``namedtuple("Name", "a b", defaults=(1,))`` and ``NamedTuple("Name", [("a", int)])``."""
    if not isinstance(node, ast.Call) or len(node.args) < 2:
        return None
    function = ast.unparse(node.func).rpartition(".")[2]
    try:
        given = ast.literal_eval(node.args[1]) if function == "namedtuple" else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if function == "NamedTuple" and isinstance(node.args[1], ast.List | ast.Tuple):
        given = []
        for element in node.args[1].elts:
            if not (isinstance(element, ast.Tuple) and element.elts):
                return None
            first = element.elts[0]
            if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
                return None
            given.append(first.value)
    if isinstance(given, str):
        given = given.replace(",", " ").split()
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        return None
    defaults = 0
    for keyword in node.keywords:
        if keyword.arg == "defaults" and isinstance(keyword.value, ast.Tuple | ast.List):
            defaults = len(keyword.value.elts)
        elif keyword.arg != "module":
            return None
    return Shape(kind="namedtuple", fields=tuple(given), required=len(given) - defaults)


def _enumeration(node: ast.ClassDef, bases: list[str]) -> Shape:
    flag = any(base in _FLAGS for base in bases)
    members: list[tuple[str, Constant]] = []
    known = True
    previous = 0
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            known = known and item.name not in ("_missing_", "_generate_next_value_", "__new__")
            continue
        if not isinstance(item, ast.Assign) or len(item.targets) != 1:
            continue
        target = item.targets[0]
        if not isinstance(target, ast.Name) or target.id.startswith("_"):
            continue
        content: Constant
        if isinstance(item.value, ast.Call) and ast.unparse(item.value.func).endswith("auto"):
            if "StrEnum" in bases:
                content = target.id.lower()
            elif flag:
                content = 1 << previous.bit_length()
            else:
                content = previous + 1
        else:
            try:
                evaluated = ast.literal_eval(item.value)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                known = False
                continue
            if not isinstance(evaluated, bool | int | float | str | bytes | None):
                known = False
                continue
            content = evaluated
        if isinstance(content, int):
            previous = content
        members.append((target.id, content))
    # Other classes mixed in change what a value is.
    known = known and all(b in _ENUMS or b in _FLAGS or b in ("str", "int") for b in bases)
    return Shape(kind="flag" if flag else "enum", members=tuple(members), open=not known)


def project_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Objects of the project's classes that the code as it is now does not take."""
    project = exact.runtime.project
    if not project:
        return
    for found in pickle.globals:
        # ``Outer.Inner``, as protocol 4 and newer name it.
        outer, _, inner = found.name.rpartition(".")
        shape = shape_of(project, f"{found.module}.{outer}") if outer else None
        lost = _member(outer, shape, inner) if shape is not None else None
        if lost is not None:
            yield _reason(f"{found.module}.{outer}", lost)
            return
    for item in pickle.objects:
        # What an expression of the artifact gave has no name of its own.
        name, why = item.callable or item.of, None
        if name in GETATTR and len(item.args) == 2 and isinstance(item.args[0], Name):
            name = item.args[0].text
            shape = shape_of(project, name)
            if shape is not None:
                why = _member(name, shape, item.args[1])
        else:
            shape = shape_of(project, name) or shape_of(project, item.of)
            if shape is not None:
                why = _refused(name, shape, item, exact)
                if why is None and (unset := _unset(shape, item)):
                    yield _unread(item.of, unset)
                    return
        if why is not None:
            yield _reason(name, why)
            return


def _unset(shape: Shape, item: ObjectFacts) -> str:
    """The attribute that predicting reads and the artifact does not bring along."""
    state = item.state
    if not shape.reads or not isinstance(state, Pairs) or len(state.pairs) != state.size:
        return ""
    lost = shape.reads - {key for key, _ in state.pairs if isinstance(key, str)}
    # Of none that it reads: a template that was never fitted.
    return min(lost) if lost and lost != shape.reads else ""


def _unread(name: str, attribute: str) -> Reason:
    short = name.rpartition(".")[2]
    return Reason(
        rule="CMP008",
        effect="predict",
        message=f"holds a {short} without {attribute}, which {name} in the image reads when it "
        "predicts: its code has changed since",
        error=f"AttributeError: '{short}' object has no attribute '{attribute}'",
        help=f"Bring {short} back to what it was, or write the artifact again.",
        evidence=(("global", name), ("attribute", attribute)),
    )


def _reason(name: str, why: tuple[str, str]) -> Reason:
    what, error = why
    return Reason(
        rule="CMP008",
        effect="load",
        message=f"holds {what}, which {name} in the image does not take",
        error=error,
        help=f"Bring {name.rpartition('.')[2]} back to what it was, or write the artifact again.",
        evidence=(("global", name),),
    )


# What members and inner classes are looked up with where the protocol has no dotted names.
GETATTR: Final = ("builtins.getattr", "__builtin__.getattr")


def shape_of(project: Mapping[str, ProjectModule], dotted: str) -> Shape | None:
    """The shape of a class or function of the project, None when it is none or not known."""
    module, _, name = dotted.rpartition(".")
    found = project.get(module)
    return found.shapes.get(name) if found is not None else None


def _member(name: str, shape: Shape, member: Symbol) -> tuple[str, str] | None:
    names = {n for n, _ in shape.members}
    if shape.kind == "class" and shape.attributes is not None:
        names = {*shape.attributes}
    elif shape.kind not in ("enum", "flag"):
        return None
    if shape.open or not isinstance(member, str) or member in names or member[:2] == "__":
        return None
    short = name.rpartition(".")[2]
    return f"the member {member}", f"AttributeError: type object '{short}' has no attribute"


def _refused(name: str, shape: Shape, item: ObjectFacts, exact: Exact) -> tuple[str, str] | None:
    """(what the artifact holds, the error)."""
    short = name.rpartition(".")[2]
    if shape.kind == "function":
        if item.how.startswith("NEWOBJ"):
            return "instances of a class", f"TypeError: {short} is not a class"
        return None
    if item.how == "REDUCE" and shape.kind in ("enum", "flag") and len(item.args) == 1:
        given = item.args[0]
        if shape.open or not isinstance(given, bool | int | float | str | bytes | None):
            return None
        values = [v for _, v in shape.members]
        if shape.kind == "flag":
            # Flags of integers keep bits that they do not know.
            return None
        if given not in values:
            return f"the member {given!r}", f"ValueError: {given!r} is not a valid {short}"
        return None
    if shape.kind == "namedtuple" and item.how == "NEWOBJ":
        count = len(item.args)
        if shape.required <= count <= len(shape.fields):
            return None
        new = f"{short}.__new__()" if exact.python >= (3, 10) else "__new__()"
        missing = ", ".join(f"'{f}'" for f in shape.fields[count : shape.required])
        error = (
            f"TypeError: {new} missing {shape.required - count} required positional argument"
            f"{'s' if shape.required - count > 1 else ''}: {missing}"
            if missing
            else f"TypeError: {new} takes {len(shape.fields) + 1} positional arguments but "
            f"{count + 1} were given"
        )
        return f"a {short} of {count} fields", error
    if shape.kind == "class" and shape.arguments is not None and item.how == "REDUCE":
        least, most = shape.arguments
        if item.callable == name and not least <= len(item.args) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            return (
                f"a {short} made of {len(item.args)} arguments",
                f"TypeError: {short}.__init__() takes {wanted}",
            )
        return None
    if shape.kind == "class" and shape.slots is not None and item.how.startswith("NEWOBJ"):
        given_names = slots_of(item.state)
        lost = sorted(given_names - shape.slots)
        if lost:
            return (
                f"a {short} with {lost[0]}",
                f"AttributeError: '{short}' object has no attribute '{lost[0]}'",
            )
    return None


def slots_of(state: Symbol) -> frozenset[str]:
    """Names that restoring sets by ``setattr``, or in a ``__dict__`` that slots do without."""
    parts: tuple[Symbol, ...] = (state,)
    if isinstance(state, Items) and state.size == 2 and len(state.items) == 2:
        parts = state.items
    return frozenset(
        key for part in parts if isinstance(part, Pairs) for key, _ in part.pairs
        if isinstance(key, str)
    )  # fmt: skip


__all__ = [
    "GETATTR",
    "ProjectModule",
    "Shape",
    "project_module",
    "project_reasons",
    "shape_of",
    "slots_of",
]
