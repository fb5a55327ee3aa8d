"""The abstract interpreter: follows statements and calls over abstract values.

It executes nothing of the audited program. Conditions that are known choose a branch; others
run both and join. What calls of libraries mean is told by ``models``; this module knows only
the language. Work is bounded by steps, call depth and repetitions; a bound that is hit marks
the run as truncated.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.python import answers, libraries
from auditor.parsers.python import values as val
from auditor.parsers.python.facts import (
    Failure,
    Import,
    ModuleFacts,
    Phase,
    Reach,
    ReachedImport,
    Trace,
    Unsure,
    Use,
)
from auditor.parsers.python.frames import birth
from auditor.parsers.python.module import Places, handler_types, is_main_test, text_of, yields
from auditor.parsers.python.operations import (
    binary,
    compare,
    format_value,
    get_item,
    known,
    unary,
)
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Class,
    CommandLine,
    Const,
    DictV,
    Ext,
    Found,
    Func,
    Inst,
    ListV,
    Mod,
    Obj,
    PathV,
    Table,
    Unk,
    V,
    deps_of,
    join,
    options_of,
    same,
    truth,
)
from auditor.source import Location, Problem, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.python.program import Module, Program

FALL, RETURN, RAISE, BREAK = 1, 2, 4, 8

MAX_STEPS = 60_000
# Statements of one run in all: hooks and handlers get half of MAX_STEPS each, but not without end.
MAX_TOTAL = 20_000
MAX_DEPTH = 14
MAX_REPEATS = 6
MAX_UNROLL = 12
MAX_COMPREHENSION = 64
MAX_RECURSION = 2

# Modules whose names come and go between releases, taken by attribute.
_CHANGING = frozenset(
    """
    PIL.Image click flask flask.globals huggingface_hub itsdangerous jinja2 markupsafe networkx numpy
    openai pandas pkg_resources pydantic scipy.integrate scipy.misc scipy.signal scipy.stats
    sklearn.datasets sklearn.metrics werkzeug
    array ast asyncio base64 collections configparser contextlib dataclasses datetime enum functools
    gettext hashlib importlib.resources inspect itertools locale math operator platform random shlex
    ssl statistics string time types typing unittest
    """.split()  # noqa: SIM905
)
# Libraries that took methods from their objects, and keywords from their calls.
_CHANGING_OBJECTS = frozenset(["dash", "flask", "pandas", "sklearn", "sqlalchemy", "starlette"])
# Functions whose results are of a class that the tables name.
_RETURNED = {"sqlalchemy.create_engine": "sqlalchemy.engine.Engine"}
_CHANGING_CALLS = frozenset(
    ["httpx", "marshmallow", "pandas", "pydantic", "sklearn", "sqlalchemy", "starlette"]
)
_BUILTINS = frozenset(
    [
        "abs",
        "all",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytearray",
        "bytes",
        "callable",
        "chr",
        "classmethod",
        "compile",
        "complex",
        "delattr",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "eval",
        "exec",
        "exit",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "globals",
        "hasattr",
        "hash",
        "hex",
        "id",
        "input",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "locals",
        "map",
        "max",
        "memoryview",
        "min",
        "next",
        "object",
        "oct",
        "open",
        "ord",
        "pow",
        "print",
        "property",
        "quit",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "setattr",
        "slice",
        "sorted",
        "staticmethod",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "vars",
        "zip",
        "__import__",
        "NotImplemented",
        "ArithmeticError",
        "AssertionError",
        "AttributeError",
        "BaseException",
        "BrokenPipeError",
        "ConnectionError",
        "Exception",
        "FileExistsError",
        "FileNotFoundError",
        "IOError",
        "ImportError",
        "IndexError",
        "InterruptedError",
        "IsADirectoryError",
        "KeyError",
        "KeyboardInterrupt",
        "LookupError",
        "MemoryError",
        "ModuleNotFoundError",
        "NameError",
        "NotADirectoryError",
        "NotImplementedError",
        "OSError",
        "OverflowError",
        "PermissionError",
        "ProcessLookupError",
        "RecursionError",
        "ReferenceError",
        "RuntimeError",
        "RuntimeWarning",
        "StopAsyncIteration",
        "StopIteration",
        "SyntaxError",
        "SystemExit",
        "TimeoutError",
        "TypeError",
        "UnicodeError",
        "UserWarning",
        "ValueError",
        "Warning",
        "ZeroDivisionError",
        "DeprecationWarning",
        "FutureWarning",
    ]
)
_BROAD = frozenset({"Exception", "BaseException"})
_OS = frozenset(
    {
        "OSError",
        "IOError",
        "EnvironmentError",
        "FileNotFoundError",
        "PermissionError",
        "IsADirectoryError",
        "NotADirectoryError",
        "FileExistsError",
    }
)
_IMPORT = frozenset({"ImportError", "ModuleNotFoundError"})
_KEY = frozenset({"KeyError", "LookupError"})


class OutOfBudgetError(Exception):
    """The run used up its steps."""


class ServingError(Exception):
    """A lifespan reached its ``yield``: what follows runs when the application stops."""

    def __init__(self, state: V) -> None:
        super().__init__()
        self.state = state


class State:
    """A project module while the program runs."""

    __slots__ = (
        "entered", "facts", "file", "frame", "is_package", "main_names", "name", "open_names",
        "places",
    )  # fmt: skip

    def __init__(self, module: Module, name: str) -> None:
        self.name = name
        self.file = module.file
        self.facts = module.facts
        self.is_package = module.is_package
        self.open_names = False  # a star import of something external
        self.entered = False  # its body is running
        # What only the block under `__name__ == "__main__"` binds; None until it is asked for.
        self.main_names: frozenset[str] | None = None
        path = module.facts.path if module.facts is not None else ""
        self.places = _places(module.facts) if module.facts is not None else Places(path, "")
        self.frame = Frame(self, None, "")

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]


def _places(facts: ModuleFacts) -> Places:
    return facts.places if isinstance(facts.places, Places) else Places(facts.path, "")


class Frame:
    """The names of one scope while it runs."""

    __slots__ = ("closure", "function", "globals", "is_class", "nonlocals", "state", "vars")

    def __init__(self, state: State, closure: Frame | None, function: str) -> None:
        self.state = state
        self.closure = closure
        self.function = function
        self.vars: dict[str, V] = {}
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.is_class = False


class Interpreter:
    """Runs one program. ``models`` gives meaning to what is not the project's."""

    def __init__(self, program: Program) -> None:
        from auditor.parsers.python.models import Models
        from auditor.parsers.python.sink import Sink

        self.program = program
        self.states: dict[str, State | None] = {}
        self.env: dict[str, V | Unknown | str] = dict(program.environment)
        # A ``.env`` file that was read and is made by hand: what its template assigns, and why it
        # may hold more.
        self.env_by_hand: tuple[DictV, str] | None = None
        # What the example of a ``.env`` file assigns, where nothing puts the file itself there.
        self.env_shown: set[str] = set()
        self.cwd: str | Unknown = program.cwd
        self.argv: tuple[str, ...] = ()
        # The command line is the program's own, and every word of it is known.
        self.own_command = False
        self.phase = Phase.IMPORT
        self.guards: list[str] = []
        # Tables that only a start-up handler would fill which nothing calls, by their identity.
        self.unfilled: dict[int, Func] = {}
        self.via: list[Location] = []
        self.cached = 0
        self.in_async = False
        self.offloaded = False
        self.awaited: ast.expr | None = None
        self.route = ""
        self.main_name: str | None = None
        self.frame: Frame | None = None
        self.steps = 0
        self.total = 0
        self.budget = program.budget
        self.work = 0
        self.unrolling = 0
        self.depth = 0
        self.expression_depth = 0
        self.counts: dict[tuple[Any, ...], int] = {}
        self.results: dict[tuple[Any, ...], V] = {}
        self.active: list[int] = []
        # The function whose ``yield`` means that the application serves.
        self.lifespan: int | None = None
        self.returns: list[list[V]] = []
        self.sink = Sink(self)
        self.models = Models(self)
        self.truncated = False
        self.max_steps = MAX_STEPS
        self.seen_functions: set[int] = set()
        self.entry = ""

    # -- where and when --

    def at(self, node: ast.AST) -> Location:
        """The location of a node of the module that is running."""
        assert self.frame is not None
        return self.frame.state.places.at(node)

    def reach(self, ignore: frozenset[str] = frozenset()) -> Reach:
        """When and how surely the current point is reached; ``ignore`` drops guards."""
        guards = tuple(dict.fromkeys(g for g in self.guards if g not in ignore))
        guards = tuple("try" if g == "os-error" else g for g in guards)
        frame = self.frame
        return Reach(
            phase=self.phase,
            certain=not guards,
            guards=guards,
            module=frame.state.name if frame else "",
            function=frame.function if frame else "",
            via=tuple(self.via[:8]),
            cached=self.cached > 0,
            in_async=self.in_async,
            route=self.route,
        )

    @property
    def undecided(self) -> bool:
        """Whether what is written now may not be written in every run."""
        return bool(self.guards) or self.phase >= Phase.REQUEST

    @contextmanager
    def guard(self, *names: str) -> Iterator[None]:
        """Statements inside happen only perhaps."""
        self.guards.extend(names)
        try:
            yield
        finally:
            del self.guards[len(self.guards) - len(names) :]

    # -- modules --

    def load(self, name: str) -> State | None:
        """The project module of that name, its body followed; None when it is not there."""
        if name in self.states:
            return self.states[name]
        parent, _, child = name.rpartition(".")
        if parent and self.load(parent) is None:
            self.states[name] = None
            return None
        module = self.program.finder.find(name)
        if module is None:
            self.states[name] = None
            return None
        state = self.enter(module, name)
        if parent and (above := self.states.get(parent)) is not None:
            above.frame.vars.setdefault(child, Mod(state))
        return state

    def enter(self, module: Module, name: str, *, main: bool = False) -> State:
        """Run the body of a module under that name."""
        state = State(module, name)
        self.states["__main__" if main else name] = state
        scope = state.frame.vars
        shown = "__main__" if main else name
        scope["__name__"] = Const(shown)
        if isinstance(module.file, str):
            scope["__file__"] = Const(module.file, frozenset({val.FROM_FILE}))
        else:
            scope["__file__"] = Unk(module.file.reason)
        scope["__package__"] = Const(state.package)
        facts = module.facts
        self.sink.modules[name] = facts.path if facts is not None else ""
        if facts is None:
            return state
        for problem in facts.problems:
            self.sink.problems[problem] = None
        if facts.tree is None:
            state.open_names = True
            return state
        saved = (self.frame, self.depth, self.in_async, self.returns)
        self.frame, self.depth, self.in_async, self.returns = state.frame, 0, False, []
        if self.phase >= Phase.REQUEST:
            self.cached += 1
        try:
            if len(saved) and self.models.nesting > 40:
                raise OutOfBudgetError
            self.models.nesting += 1
            state.entered = True
            self.block(facts.tree.body)
        finally:
            state.entered = False
            self.models.nesting -= 1
            if self.phase >= Phase.REQUEST:
                self.cached -= 1
            self.frame, self.depth, self.in_async, self.returns = saved
        return state

    # -- roots --

    def start(
        self,
        module: Module,
        name: str,
        *,
        as_main: bool,
        attribute: str | None = None,
        factory: bool = False,
    ) -> None:
        """Import or run the entry, then call the factory if that is what is served."""
        parent = name.rpartition(".")[0]
        state: State | None = None

        def enter() -> V:
            nonlocal state
            if parent and name != "__main__":
                self.load(parent)
            state = self.enter(module, name, main=as_main)
            return Mod(state)

        self.limited(enter)
        if state is None or attribute is None:
            return
        called = factory or attribute.rstrip().endswith(")")
        target: V | None = None
        for part in attribute.partition("(")[0].strip().split("."):
            target = (
                state.frame.vars.get(part)
                if target is None
                else self.attribute(target, part, ast.Pass())
            )
            if target is None:
                return
        if isinstance(target, Func | Bound | Class) and called:
            self.phase = Phase.STARTUP
            made = self.root(target, [])
            if isinstance(made, Obj):
                self.models.named(made, name, f"{attribute.partition('(')[0]}()")
            self.phase = Phase.IMPORT

    def limited(self, action: Callable[[], V]) -> V:
        """Run something within the budget; a bound that is hit marks the run as truncated."""
        saved = (self.frame, self.depth, self.in_async, self.cached, self.expression_depth)
        lengths = (len(self.guards), len(self.via), len(self.active), len(self.returns))
        try:
            return action()
        except (OutOfBudgetError, RecursionError):
            self.truncated = True
            return Unk("is too much to follow")
        except Exception as error:  # a defect of ours must not end an audit
            at = self.via[-1] if self.via else Location(self.states_path())
            message = f"could not be followed further ({type(error).__name__})"
            self.sink.problems[Problem(at=at, message=message)] = None
            self.truncated = True
            return Unk("could not be followed")
        finally:
            self.frame, self.depth, self.in_async, self.cached, self.expression_depth = saved
            del self.guards[lengths[0] :]
            del self.via[lengths[1] :]
            del self.active[lengths[2] :]
            del self.returns[lengths[3] :]

    def states_path(self) -> str:
        """The file that is being followed."""
        facts = self.frame.state.facts if self.frame is not None else None
        return facts.path if facts is not None else self.entry

    def root(self, function: V, args: list[V], kwargs: dict[str, V] | None = None) -> V:
        """Call a function as a server or framework would."""
        frame, node = self.frame, _node_of(function)
        owner = function.func if isinstance(function, Bound) else function
        if not isinstance(owner, Func | Class) or node is None:
            return Unk("nothing to call")
        names = owner.node.args if isinstance(owner, Func) else None
        if names is not None:
            room = len(names.args) + len(names.posonlyargs) - isinstance(function, Bound)
            args = args[: max(room, 0)]
        self.frame = owner.state.frame
        self.steps = min(self.steps, self.max_steps // 2)
        self.work = min(self.work, self.max_steps * 3)
        saved, self.via = self.via, []
        try:
            return self.limited(lambda: self.call(function, args, kwargs or {}, node))
        finally:
            self.frame, self.via = frame, saved

    def serve(self) -> None:
        """Start-up hooks and request handlers."""
        self.models.serve()

    def every_function(self) -> None:
        """Follow what nothing called, as unreached."""
        self.phase = Phase.UNREACHED
        for state in list(self.states.values()):
            if state is None:
                continue
            for value in list(state.frame.vars.values()):
                if isinstance(value, Func) and id(value.node) not in self.seen_functions:
                    self.root(value, [])
                elif isinstance(value, Class) and value.state is state:
                    inst = Inst(value)
                    inst.partial = True
                    for member in list(value.names.values()):
                        if isinstance(member, Func) and id(member.node) not in self.seen_functions:
                            self.root(Bound(member, inst), [])

    def follow_target(self, module: str, at: Location) -> None:
        """A server was told to import this module."""
        if self.frame is None:
            return
        saved = self.phase
        self.phase = Phase.IMPORT
        self.import_module(module, at, Import(at=at, module=module, dynamic=True))
        self.phase = saved

    def add_root(self, path: str, *, first: bool) -> None:
        """``sys.path`` grew: later imports search there too."""
        extend = getattr(self.program.finder, "with_root", None)
        if extend is not None:
            self.program.finder = extend(path, first=first)
            for name in [name for name, state in self.states.items() if state is None]:
                del self.states[name]

    def eval_in(self, state: State, node: ast.expr) -> V:
        """Evaluate an expression in the scope of a module."""
        saved, self.frame = self.frame, state.frame
        try:
            return self.eval(node)
        finally:
            self.frame = saved

    def trace(self, module: Module, name: str) -> Trace:
        """Everything that was found."""
        sink = self.sink
        state = self.states.get("__main__") or self.states.get(name)
        names = tuple(state.frame.vars) if state is not None else ()
        factories = []
        narrow = []
        if state is not None:
            for key, value in state.frame.vars.items():
                if isinstance(value, Func) and _makes_app(value):
                    factories.append(key)
                    given = value.node.args
                    if given.vararg is None and len(given.posonlyargs + given.args) < 2:
                        narrow.append(key)
        env_reads = []
        for read in sink.env_reads.values():
            crash = sink.crashes.get(read.name, "") if isinstance(read.name, str) else ""
            env_reads.append(replace(read, crash=crash) if crash else read)
        return Trace(
            entry=name,
            path=module.facts.path if module.facts is not None else "",
            modules=tuple(sink.modules.items()),
            imports=tuple(sink.imports.values()),
            env_reads=tuple(env_reads),
            files=tuple(sink.files.values()),
            servers=tuple(sink.servers.values()),
            apps=tuple(self.models.apps()),
            calls=tuple(sink.calls.values()),
            log_handlers=tuple(sink.log_handlers.values()),
            unsure=tuple(sink.unsure),
            failures=tuple(sink.failures.values()),
            uses=tuple(sink.uses.values()),
            problems=tuple(sink.problems),
            attributes=names,
            values=tuple(
                (key, sink.value(value))
                for key, value in (state.frame.vars.items() if state is not None else ())
                if isinstance(value, Const | PathV | Choice | Unk) and not key.startswith("__")
            ),
            factories=tuple(factories),
            narrow=tuple(narrow),
            classes=tuple(sink.classes.items()),
            truncated=self.truncated,
            roots=tuple(getattr(self.program.finder, "roots", ())),
        )

    # -- statements --

    def block(self, body: list[ast.stmt]) -> int:
        """Run statements; the ways in which control may leave them."""
        result = 0
        pushed = 0
        try:
            for statement in body:
                flow = self.statement(statement)
                result |= flow & ~FALL
                if not flow & FALL:
                    return result
                if flow & (RETURN | BREAK):
                    self.guards.append(self.left_for(statement))
                    pushed += 1
        finally:
            if pushed:
                del self.guards[len(self.guards) - pushed :]
        return result | FALL

    def left_for(self, statement: ast.stmt) -> str:
        """The guard of what follows a statement that may have left: ``if not exists(p): return``."""
        if isinstance(statement, ast.If) and not statement.orelse:
            exists = self.models.exists_test(statement.test)
            if exists is not None and not exists[1]:
                return "missing-return"
        return "early-return"

    def statement(self, node: ast.stmt) -> int:
        """Run one statement."""
        self.steps += 1
        self.total += 1
        self.budget.statements -= 1
        if self.steps > self.max_steps or self.total > MAX_TOTAL or self.budget.statements < 0:
            raise OutOfBudgetError
        method = _RUN.get(node.__class__)
        if method is None:
            return FALL
        return method(self, node)

    def run_expr(self, node: ast.Expr) -> int:
        value = node.value
        if isinstance(value, ast.Constant):
            return FALL
        result = self.eval(value)
        if isinstance(result, Obj) and result.name == "sys.exit":
            return RAISE
        return FALL

    def run_assign(self, node: ast.Assign) -> int:
        value = self.eval(node.value)
        for target in node.targets:
            self.assign(target, value)
        return FALL

    def run_ann_assign(self, node: ast.AnnAssign) -> int:
        frame = self.frame
        assert frame is not None
        if node.value is not None:
            self.assign(node.target, self.eval(node.value))
        return FALL

    def run_aug_assign(self, node: ast.AugAssign) -> int:
        load = _as_load(node.target)
        value = Unk("an augmented assignment") if load is None else self.eval(load)
        added = self.eval(node.value)
        if isinstance(value, ListV) and isinstance(node.op, ast.Add) and value.kind == "list":
            self.models.list_extend(value, added)
            return FALL
        self.assign(node.target, self.binary(node.op, value, added))
        return FALL

    def run_if(self, node: ast.If) -> int:
        frame = self.frame
        assert frame is not None
        if is_main_test(node.test):
            if self.lookup("__name__") is not None and self.is_main(frame):
                saved = self.phase
                if self.phase == Phase.IMPORT:
                    self.phase = Phase.MAIN
                flow = self.block(node.body)
                self.phase = saved
                return flow
            return self.block(node.orelse)
        test = self.eval(node.test)
        known_truth = truth(test)
        caching = self.is_cache_test(node)
        exists = self.models.exists_test(node.test)
        if known_truth is not None:
            if caching and known_truth:
                self.cached += 1
            try:
                flow = self.block(node.body if known_truth else node.orelse)
                if flow == RAISE and isinstance(test, Found | Const):
                    self.failing_search(node)
            finally:
                if caching and known_truth:
                    self.cached -= 1
            if exists is not None:
                self.models.required_paths(exists, node, flow, known_truth)
            return flow
        kind = _guard_kind(node.test)
        positive, negative = ("if", "if") if kind is None else (kind, kind)
        if exists is not None:
            positive, negative = ("exists", "missing") if exists[1] else ("missing", "exists")
        before = dict(frame.vars)
        self.narrow(node.test, True)
        if caching:
            self.cached += 1
        with self.guard(positive):
            first = self.block(node.body)
        if caching:
            self.cached -= 1
        after_body = dict(frame.vars)
        self.restore(frame, before)
        self.narrow(node.test, False)
        with self.guard(negative):
            second = self.block(node.orelse)
        self.merge(frame, after_body if first & FALL else None, second)
        if exists is not None:
            self.models.required_paths(exists, node, first, None, second)
        return first | second

    def failing_search(self, node: ast.If) -> None:
        """``if not found: raise …`` after a search that finds nothing."""
        test = node.test
        if not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
            return
        found = self.eval(test.operand)
        last = node.body[-1]
        if isinstance(found, Found) and found.items == [] and isinstance(last, ast.Raise):
            raised = last.exc.func if isinstance(last.exc, ast.Call) else last.exc
            error = ast.unparse(raised)[:80] if raised is not None else "an exception"
            self.fails(last, error, f"nothing matches `{found.pattern}`")

    def is_main(self, frame: Frame) -> bool:
        name = frame.state.frame.vars.get("__name__")
        return isinstance(name, Const) and name.value == "__main__"

    def restore(self, frame: Frame, names: dict[str, V]) -> None:
        frame.vars.clear()
        frame.vars.update(names)

    def merge(self, frame: Frame, other: dict[str, V] | None, flow: int) -> None:
        """Join the names after two branches; a branch that does not fall through is left out."""
        if other is None:
            return
        if not flow & FALL:
            self.restore(frame, other)
            return
        mine = frame.vars
        for name, value in other.items():
            present = mine.get(name)
            if present is not value:
                mine[name] = join(value, present)

    def is_cache_test(self, node: ast.If) -> bool:
        """``if model is None: model = …`` and its kin: done once, then kept."""
        test = node.test
        name = ""
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            if isinstance(test.ops[0], ast.Is | ast.Eq) and _is_none(test.comparators[0]):
                name = text_of(test.left)
            elif isinstance(test.ops[0], ast.NotIn):
                name = text_of(test.comparators[0])
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = test.operand
            if isinstance(inner, ast.Name | ast.Attribute):
                name = text_of(inner)
            elif isinstance(inner, ast.Call) and text_of(inner.func) == "hasattr":
                name = text_of(inner.args[0]) if inner.args else ""
            elif isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                # ``if not loader.is_loaded(): loader.load()``
                base = text_of(inner.func.value)
                return bool(_LOADED.search(inner.func.attr)) and _calls_method(node.body, base)
            if (
                isinstance(inner, ast.Attribute)
                and _LOADED.search(inner.attr)
                and _calls_method(node.body, text_of(inner.value))
            ):
                return True
        if not name:
            return False
        frame = self.frame
        assert frame is not None
        if "." not in name and name not in frame.globals and name in frame.vars and frame.function:
            return False  # a local variable keeps nothing
        for part in ast.walk(ast.Module(body=node.body, type_ignores=[])):
            if isinstance(part, ast.Name | ast.Attribute | ast.Subscript) and isinstance(
                part.ctx, ast.Store
            ):
                target = part.value if isinstance(part, ast.Subscript) else part
                text = text_of(target)
                if text == name or text.startswith(name + "."):
                    return True
        return False

    def narrow(self, test: ast.expr, holds: bool) -> None:
        """Drop alternatives of a name that a condition excludes."""
        frame = self.frame
        assert frame is not None
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self.narrow(test.operand, not holds)
            return
        if isinstance(test, ast.BoolOp):
            if isinstance(test.op, ast.And) == holds:
                for part in test.values:
                    self.narrow(part, holds)
            return
        keep: Callable[[V], bool]
        if isinstance(test, ast.Name):
            name = test.id

            def keep(option: V) -> bool:
                return truth(option) in (holds, None)
        elif (
            isinstance(test, ast.Compare)
            and isinstance(test.left, ast.Name)
            and len(test.ops) == 1
            and _is_none(test.comparators[0])
            and isinstance(test.ops[0], ast.Is | ast.IsNot)
        ):
            name = test.left.id
            wants_none = isinstance(test.ops[0], ast.Is) == holds

            def keep(option: V) -> bool:
                is_none = isinstance(option, Const) and option.value is None
                return (
                    is_none
                    if wants_none and not isinstance(option, Unk)
                    else (not is_none or wants_none)
                )
        else:
            return
        value = frame.vars.get(name)
        if isinstance(value, Choice):
            kept = [option for option in value.options if keep(option)]
            if kept:
                frame.vars[name] = join(*kept)

    def run_for(self, node: ast.For | ast.AsyncFor) -> int:
        source = self.eval(node.iter)
        items = self.models.iterate(source)
        each = source.each if isinstance(source, ListV) else None
        frame = self.frame
        assert frame is not None
        if items is not None and len(items) <= MAX_UNROLL:
            result, pushed, broke = 0, 0, False
            try:
                for item in items:
                    self.assign(node.target, item)
                    flow = self.block(node.body)
                    result |= flow & (RETURN | RAISE)
                    if flow & (RETURN | BREAK) and flow & FALL:
                        self.guards.append("early-return")
                        pushed += 1
                        self.havoc(node.body)
                    if not flow & FALL and not flow & BREAK:
                        if not pushed:
                            return result
                        break
                    if not flow & FALL:  # break or continue, one way or the other
                        if _has(node.body, ast.Continue):
                            continue
                        broke = True
                        break
            finally:
                del self.guards[len(self.guards) - pushed :]
            if node.orelse and not broke:
                result |= self.block(node.orelse)
            return result | FALL
        item = each or Unk("varies in a loop")
        self.loop(node.body, lambda: self.assign(node.target, item))
        flow = self.last_flow
        if node.orelse:
            flow |= self.block(node.orelse)
        return (flow & (RETURN | RAISE)) | FALL

    last_flow = 0

    def loop(self, body: list[ast.stmt], bind: Callable[[], None] | None = None) -> None:
        frame = self.frame
        assert frame is not None
        before = dict(frame.vars)
        self.havoc(body)
        with self.guard("loop"):
            if bind is not None:
                bind()
            self.last_flow = self.block(body)
        for name, value in before.items():
            present = frame.vars.get(name)
            if present is not value:
                frame.vars[name] = join(value, present)

    def havoc(self, body: list[ast.stmt]) -> None:
        """Forget names that a body assigns: their values differ from round to round."""
        frame = self.frame
        assert frame is not None
        for part in ast.walk(ast.Module(body=body, type_ignores=[])):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                if part.id in frame.vars:
                    frame.vars[part.id] = Unk("varies in a loop", deps_of(frame.vars[part.id]))
                elif part.id in frame.globals:
                    self.store(part.id, Unk("varies in a loop"))

    def run_while(self, node: ast.While) -> int:
        test = self.eval(node.test)
        known_truth = truth(test)
        if known_truth is False:
            return self.block(node.orelse)
        if known_truth and isinstance(node.test, ast.Constant):
            frame = self.frame
            assert frame is not None
            before = dict(frame.vars)
            self.havoc(node.body)
            flow = self.block(node.body)
            for name, value in before.items():
                if frame.vars.get(name) is not value:
                    frame.vars[name] = join(value, frame.vars.get(name))
            if flow & BREAK or not flow & (RETURN | RAISE):
                return (flow & (RETURN | RAISE)) | FALL
            return flow & (RETURN | RAISE)
        self.loop(node.body)
        return (self.last_flow & (RETURN | RAISE)) | FALL

    def answers(self, handler: ast.ExceptHandler) -> bool:
        """``except FileNotFoundError: raise HTTPException(404)``: a file that may be missing.

        What a prediction needs is a fault all the same, however politely it is told.
        """
        last = handler.body[-1]
        raised = last.exc if isinstance(last, ast.Raise) else None
        return (
            isinstance(raised, ast.Call)
            and text_of(raised.func).rpartition(".")[2] in ("HTTPException", "Http404", "NotFound")
            and _handler_guard(handler) == "os-error"
            and "predict" not in self.route.lower()
        )

    def run_try(self, node: ast.Try) -> int:
        frame = self.frame
        assert frame is not None
        guards = [
            _handler_guard(h)
            for h in node.handlers
            if not _reraises(h.body) or (self.phase is Phase.REQUEST and self.answers(h))
        ]
        before = dict(frame.vars)
        with self.guard(*dict.fromkeys(guards)):
            flow = self.block(node.body)
            if flow & FALL and node.orelse:
                flow = (flow & ~FALL) | self.block(node.orelse)
        after_body = dict(frame.vars)
        results: list[dict[str, V]] = [after_body] if flow & FALL else []
        for handler in node.handlers:
            start = dict(before)
            for name, value in after_body.items():
                present = start.get(name)
                if present is not value:
                    start[name] = join(value, present)
            self.restore(frame, start)
            if handler.name:
                frame.vars[handler.name] = Unk("is a caught exception")
            with self.guard("except"):
                other = self.block(handler.body)
            if other & FALL:
                results.append(dict(frame.vars))
            # A handler that leaves by raising does not make what follows less sure.
            flow |= other & ~RETURN if _reraises(handler.body) else other
        if results:
            self.restore(frame, results[0])
            for other_names in results[1:]:
                self.merge(frame, other_names, FALL)
        if node.finalbody:
            final = self.block(node.finalbody)
            if not final & FALL:
                return final
        return flow

    def run_with(self, node: ast.With | ast.AsyncWith) -> int:
        guards = 0
        for item in node.items:
            manager = self.eval(item.context_expr)
            if isinstance(manager, Obj) and manager.name == "contextlib.suppress":
                self.guards.append(self.models.suppress_guard(manager))
                guards += 1
            if item.optional_vars is not None:
                self.assign(item.optional_vars, self.models.enter_context(manager))
            else:
                self.models.enter_context(manager)
        try:
            return self.block(node.body) | (FALL if guards else 0)
        finally:
            if guards:
                del self.guards[len(self.guards) - guards :]

    def run_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        frame = self.frame
        assert frame is not None
        function = self.make_function(node)
        if frame.is_class:
            function.closure = frame.closure
        value: V = function
        names = []
        for decorator in reversed(node.decorator_list):
            decorated = self.eval(decorator)
            names.append(self.models.decorator_name(decorated))
            libraries.refused_decorator(self, decorated, decorator)
            value = self.models.decorate(decorated, value, decorator)
        function.decorators = tuple(name for name in names if name)
        self.store(node.name, value)
        return FALL

    def make_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Func:
        frame = self.frame
        assert frame is not None
        name = getattr(node, "name", "<lambda>")
        qualname = f"{frame.function}.{name}" if frame.function else name
        defaults: dict[str, V] = {}
        positional = [*node.args.posonlyargs, *node.args.args]
        for argument, default in zip(
            positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True
        ):
            defaults[argument.arg] = self.eval(default)
        for argument, maybe in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if maybe is not None:
                defaults[argument.arg] = self.eval(maybe)
        closure = frame if frame.function else None
        made = Func(node, frame.state, closure, qualname, defaults)
        made.yields = not isinstance(node, ast.Lambda) and yields(node)
        return made

    def run_class(self, node: ast.ClassDef) -> int:
        frame = self.frame
        assert frame is not None
        bases = [self.eval(base) for base in node.bases]
        qualname = f"{frame.function}.{node.name}" if frame.function else node.name
        body = Frame(frame.state, frame if frame.function else None, qualname)
        body.is_class = True
        made = Class(node, frame.state, qualname, bases, body.vars)
        made.keywords = {k.arg: self.eval(k.value) for k in node.keywords if k.arg}
        self.frame = body
        try:
            self.block(node.body)
            self.annotations(node, bases)
        finally:
            self.frame = frame
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                made.annotations.append(
                    (statement.target.id, statement.annotation, statement.value, statement)
                )
        for member in made.names.values():
            inner = member.func if isinstance(member, Bound) else member
            if isinstance(inner, Func) and inner.cls is None:
                inner.cls = made
        self.models.class_defined(made)
        value: V = made
        names = []
        for decorator in reversed(node.decorator_list):
            decorated = self.eval(decorator)
            names.append(self.models.decorator_name(decorated))
            value = self.models.decorate(decorated, value, decorator)
        made.decorators = tuple(name for name in names if name)
        self.sink.classes[f"{frame.state.name}:{qualname}"] = (
            frame.state.facts.path if frame.state.facts else ""
        )
        self.store(node.name, value)
        return FALL

    def annotations(self, node: ast.ClassDef, bases: list[V]) -> None:
        """Carry out the calls in the annotations of a class: ``conlist(float, min_items=1)``."""
        if not any(isinstance(base, Ext) and base.name.startswith("pydantic.") for base in bases):
            return
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign):
                for part in ast.walk(statement.annotation):
                    if isinstance(part, ast.Call):
                        self.eval(part)

    def run_return(self, node: ast.Return) -> int:
        value = Const(None) if node.value is None else self.eval(node.value)
        if self.returns:
            self.returns[-1].append(value)
        return RETURN

    def run_raise(self, node: ast.Raise) -> int:
        if node.exc is not None:
            self.eval(node.exc)
        return RAISE

    def run_assert(self, node: ast.Assert) -> int:
        value = self.eval(node.test)
        exists = self.models.exists_test(node.test)
        if exists is not None:
            self.models.require_path(exists, node)
        self.narrow(node.test, True)
        return RAISE if truth(value) is False else FALL

    def run_global(self, node: ast.Global) -> int:
        assert self.frame is not None
        self.frame.globals.update(node.names)
        return FALL

    def run_nonlocal(self, node: ast.Nonlocal) -> int:
        assert self.frame is not None
        self.frame.nonlocals.update(node.names)
        return FALL

    def run_delete(self, node: ast.Delete) -> int:
        for target in node.targets:
            if isinstance(target, ast.Name) and self.frame is not None:
                self.frame.vars.pop(target.id, None)
        return FALL

    def run_leave(self, node: ast.stmt) -> int:
        return BREAK

    def run_match(self, node: Any) -> int:
        frame = self.frame
        assert frame is not None
        subject = self.eval(node.subject)
        before = dict(frame.vars)
        outcomes: list[dict[str, V]] = []
        result = FALL
        for case in node.cases:
            self.restore(frame, before)
            pattern = case.pattern
            matched: bool | None = None
            if isinstance(pattern, ast.MatchValue):
                other = self.eval(pattern.value)
                matched = truth(compare(ast.Eq(), subject, other))
            elif isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
                matched = True
            if case.guard is not None:
                matched = None
            if matched is False:
                continue
            for part in ast.walk(pattern):
                name = getattr(part, "name", None) or getattr(part, "rest", None)
                if isinstance(name, str):
                    frame.vars[name] = Unk("is bound by a pattern")
            if matched and not outcomes:
                return self.block(case.body)
            with self.guard("if"):
                flow = self.block(case.body)
            result |= flow
            if flow & FALL:
                outcomes.append(dict(frame.vars))
            if matched:
                break
        else:
            outcomes.append(before)
        if outcomes:
            self.restore(frame, outcomes[0])
            for names in outcomes[1:]:
                self.merge(frame, names, FALL)
        return result

    # -- imports --

    def run_import(self, node: ast.Import) -> int:
        for alias in node.names:
            at = self.at(alias)
            state = self.import_module(alias.name, at, Import(at=at, module=alias.name))
            if alias.asname:
                bound: V = Mod(state) if state is not None else Ext(canonical(alias.name))
                self.store(alias.asname, bound)
            else:
                top = alias.name.partition(".")[0]
                root = self.states.get(top)
                self.store(top, Mod(root) if root is not None else Ext(canonical(top)))
        return FALL

    def import_module(self, name: str, at: Location, fact: Import) -> State | None:
        """Follow an import of an absolute name and note it."""
        self.via.append(at)
        try:
            state = self.load(name)
        finally:
            self.via.pop()
        found, path = "project", ""
        if state is None:
            head = name.partition(".")[0]
            found = "external" if self.states.get(head) is None and not fact.level else "missing"
        elif state.facts is not None:
            path = state.facts.path
        self.note_import(fact, name, found, path)
        return state

    def note_import(
        self,
        fact: Import,
        name: str,
        found: str,
        path: str,
        missing: str = "",
        circular: str = "",
    ) -> None:
        frame = self.frame
        assert frame is not None
        full = Import(
            at=fact.at,
            module=fact.module,
            level=fact.level,
            names=fact.names,
            function=frame.function,
            guards=tuple(dict.fromkeys(self.guards)),
            dynamic=fact.dynamic,
        )
        reach = self.reach(frozenset({"key-error", "os-error", "other-error"}))
        self.sink.add_import(
            ReachedImport(
                fact=full,
                reach=reach,
                module=name,
                found=found,
                path=path,
                missing_name=missing,
                circular=circular,
            )
        )

    def run_import_from(self, node: ast.ImportFrom) -> int:
        frame = self.frame
        assert frame is not None
        if node.module == "__future__":
            return FALL
        at = self.at(node)
        name = node.module or ""
        if node.level:
            package = frame.state.package
            parts = package.split(".") if package else []
            if node.level - 1 > len(parts) or (
                not package and (node.level > 1 or frame.state.name in ("", "__main__"))
            ):
                parts = []
            parts = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
            name = ".".join([*parts, name] if name else parts)
        fact = Import(
            at=at,
            module=node.module or "",
            level=node.level,
            names=tuple(alias.name for alias in node.names),
        )
        loose = bool(node.level) and not frame.state.package
        self.via.append(at)
        try:
            state = self.load(name) if name and not loose else None
        finally:
            self.via.pop()
        if loose:
            name = ""
        if state is None:
            head = name.partition(".")[0]
            inside = node.level or self.states.get(head) is not None
            self.note_import(fact, name, "missing" if inside else "external", "")
            for alias in node.names:
                if alias.name == "*":
                    frame.state.open_names = True
                    self.models.star_import(name, frame)
                else:
                    value: V = (
                        Unk("comes from a module that is not there")
                        if inside
                        else Ext(canonical(f"{name}.{alias.name}"))
                    )
                    self.store(alias.asname or alias.name, value)
            return FALL
        missing = circular = ""
        for alias in node.names:
            if alias.name == "*":
                self.star_from(state, frame)
                continue
            value_or_none = state.frame.vars.get(alias.name)
            if value_or_none is None:
                self.via.append(at)
                try:
                    child = self.load(f"{name}.{alias.name}")
                finally:
                    self.via.pop()
                if child is not None:
                    value_or_none = Mod(child)
                elif "__getattr__" not in state.frame.vars and not state.open_names:
                    bound = state.facts.names if state.facts is not None else ()
                    if alias.name not in bound:
                        missing = missing or alias.name
                    elif state.entered and not self.undecided:
                        circular = circular or alias.name
            self.store(
                alias.asname or alias.name,
                value_or_none or Unk(f"{alias.name} is not bound in {name}"),
            )
        path = state.facts.path if state.facts is not None else ""
        self.note_import(fact, name, "project", path, missing, circular)
        return FALL

    def star_from(self, state: State, frame: Frame) -> None:
        names = state.frame.vars.get("__all__")
        wanted = None
        if isinstance(names, ListV) and names.items is not None:
            wanted = {n.value for n in names.items if isinstance(n, Const)}
        for name, value in list(state.frame.vars.items()):
            if (name in wanted) if wanted is not None else not name.startswith("_"):
                self.store(name, value)
        frame.state.open_names |= state.open_names

    # -- names --

    def lookup(self, name: str) -> V | None:
        frame = self.frame
        assert frame is not None
        if name not in frame.globals:
            scope: Frame | None = frame
            while scope is not None:
                value = scope.vars.get(name)
                if value is not None:
                    return value
                scope = scope.closure
        return frame.state.frame.vars.get(name)

    def store(self, name: str, value: V) -> None:
        """Bind a name in the scope it belongs to; weakly where the write may not happen."""
        frame = self.frame
        assert frame is not None
        target = frame.vars
        if name in frame.globals:
            target = frame.state.frame.vars
        elif name in frame.nonlocals:
            scope = frame.closure
            while scope is not None and name not in scope.vars:
                scope = scope.closure
            if scope is not None:
                target = scope.vars
        if target is not frame.vars and self.undecided:
            value = join(target.get(name), value)
        target[name] = value
        if isinstance(value, Obj) and target is frame.state.frame.vars:
            self.models.named(value, frame.state.name, name)

    def assign(self, target: ast.expr, value: V) -> None:
        if isinstance(target, ast.Name):
            self.store(target.id, value)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.eval(target.value), target.attr, value, target)
        elif isinstance(target, ast.Subscript):
            self.models.set_item(self.eval(target.value), self.eval(target.slice), value, target)
        elif isinstance(target, ast.Tuple | ast.List):
            items = self.models.iterate(value)
            starred = any(isinstance(e, ast.Starred) for e in target.elts)
            if items is None or starred or len(items) != len(target.elts):
                reason = value.reason if isinstance(value, Unk) else "is unpacked"
                items = [
                    (None if starred else self.models.held(value, Const(place)))
                    or Unk(reason, deps_of(value))
                    for place in range(len(target.elts))
                ]
            for element, item in zip(target.elts, items, strict=True):
                inner = element.value if isinstance(element, ast.Starred) else element
                self.assign(inner, item)

    def set_attribute(self, owner: V, name: str, value: V, node: ast.AST) -> None:
        if isinstance(owner, Inst):
            attrs = owner.attrs
        elif isinstance(owner, Class):
            attrs = owner.names
        elif isinstance(owner, Mod):
            attrs = owner.state.frame.vars
        elif isinstance(owner, Choice):
            with self.guard("if"):
                for option in owner.options:
                    self.set_attribute(option, name, value, node)
            return
        else:
            self.models.set_attribute(owner, name, value, node)
            return
        if self.undecided:
            old = attrs.get(name)
            if old is None and isinstance(owner, Inst):
                old = self.class_attribute(owner, name)
            value = join(old, value)
        attrs[name] = value

    def class_attribute(self, owner: Inst, name: str) -> V | None:
        for cls in owner.cls.mro():
            if name in cls.names:
                return cls.names[name]
        return None

    # -- expressions --

    def eval(self, node: ast.expr) -> V:
        """The abstract value of an expression."""
        method = _EVAL.get(node.__class__)
        if method is None:
            return Unk("an expression that is not followed")
        self.work += 1
        if self.work > self.max_steps * 6:
            raise OutOfBudgetError
        if self.expression_depth > 60:
            return Unk("is nested too deeply")
        self.expression_depth += 1
        try:
            return method(self, node)
        finally:
            self.expression_depth -= 1

    def eval_constant(self, node: ast.Constant) -> V:
        value = node.value
        if isinstance(value, str):
            return Const(value, val.NONE, self.at(node) if len(value) < 500 else None)
        if isinstance(value, int | float):
            return Const(value, val.NONE, None if isinstance(value, bool) else self.at(node))
        if value is None or isinstance(value, bytes):
            return Const(value)
        if value is ...:
            return Ext("builtins.Ellipsis")
        return Unk("a constant of an unusual type")

    def eval_name(self, node: ast.Name) -> V:
        value = self.lookup(node.id)
        if value is not None:
            return value
        assert self.frame is not None
        if node.id in _BUILTINS:
            return Ext(f"builtins.{node.id}")
        state = self.frame.state
        if state.open_names:
            return Unk(f"{node.id} may come from a star import")
        if self.phase >= Phase.REQUEST and not self.is_main(self.frame):
            if state.main_names is None:
                state.main_names = answers.only_in_main(state)
            if node.id in state.main_names:
                self.fails(
                    node,
                    f"NameError: name '{node.id}' is not defined",
                    f'`{node.id}` is set under `__name__ == "__main__"` only, which is passed over '
                    "where a server imports the module",
                )
        return Unk(f"{node.id} is not bound here")

    def eval_attribute(self, node: ast.Attribute) -> V:
        return self.attribute(self.eval(node.value), node.attr, node)

    def attribute(self, owner: V, name: str, node: ast.AST) -> V:
        """``owner.name``."""
        if isinstance(owner, Ext):
            if owner.owner is None and owner.name in _CHANGING:
                self.used(node, owner.name, name)
            return self.models.ext_attribute(owner, name, node)
        if isinstance(owner, Obj) and owner.name.partition(".")[0] in _CHANGING_OBJECTS:
            module, _, made = _RETURNED.get(owner.name, owner.name).rpartition(".")
            self.used(node, module, f"{made}.{name}")
        elif isinstance(owner, Table) and owner.kind == "frame":
            self.used(node, "pandas", f"DataFrame.{name}")
        if isinstance(owner, Mod):
            value = owner.state.frame.vars.get(name)
            if value is None:
                child = self.states.get(f"{owner.state.name}.{name}")
                if child is not None:
                    return Mod(child)
                return Unk(f"{name} is not bound in {owner.state.name}")
            return value
        if isinstance(owner, Inst):
            value = owner.attrs.get(name)
            if value is not None:
                return value
            value = self.class_attribute(owner, name)
            if isinstance(value, Func):
                if (
                    "property" in value.decorators
                    or "functools.cached_property" in value.decorators
                ):
                    return self.call_function(value, [owner], {}, node)
                if "staticmethod" in value.decorators:
                    return value
                return Bound(value, owner.cls if "classmethod" in value.decorators else owner)
            if value is not None:
                if owner.partial:
                    return join(value, Unk(f"{name} may have been set elsewhere"))
                return value
            return self.models.inst_attribute(owner, name)
        if isinstance(owner, Class):
            return self.models.class_attribute(owner, name)
        if isinstance(owner, Choice):
            return join(*(self.attribute(option, name, node) for option in owner.options))
        return self.models.attribute(owner, name, node)

    def eval_subscript(self, node: ast.Subscript) -> V:
        owner = self.eval(node.value)
        if isinstance(node.slice, ast.Slice):
            index: V = self.models.make_slice(node.slice)
        else:
            index = self.eval(node.slice)
        special = self.models.subscript(owner, index, node)
        if special is not None:
            return special
        self.failing_item(owner, index, node)
        return get_item(owner, index)

    def failing_item(self, owner: V, index: V, node: ast.AST) -> None:
        """Note an item that is certainly not there: of a configuration file, of a search."""
        if not isinstance(index, Const):
            return
        if isinstance(owner, Found) and owner.items == [] and isinstance(index.value, int):
            self.fails(
                node, "IndexError: list index out of range", f"nothing matches `{owner.pattern}`"
            )
        elif isinstance(owner, CommandLine) and self.own_command and owner.items is not None:
            if isinstance(index.value, int) and index.value >= len(owner.items):
                self.fails(
                    node,
                    "IndexError: list index out of range",
                    f"the command gives the program {len(owner.items) - 1} arguments, and it takes "
                    f"number {index.value}",
                )
        elif isinstance(owner, DictV) and not owner.partial and index.value not in owner.items:
            if id(owner) in self.unfilled and self.phase >= Phase.REQUEST and not owner.items:
                self.fails(
                    node,
                    f"KeyError: {index.value!r}",
                    f"only `{self.unfilled[id(owner)].qualname}` fills it, and a `startup` handler is not "
                    "called where the application has a `lifespan`",
                )
            file = next((d for d in sorted(owner.origin_deps) if d.startswith("file:")), None)
            if file is not None:
                path = file.removeprefix("file:")
                self.fails(
                    node,
                    f"KeyError: {index.value!r}",
                    f"{path} has no `{index.value}` there",
                    file=path,
                )

    def used(self, node: ast.AST, module: str, name: str) -> None:
        """Note the use of a name, or of a way to call it, that some releases do not have."""
        self.sink.add_use(Use(at=self.at(node), reach=self.reach(), module=module, name=name))

    def fails(self, node: ast.AST, error: str, because: str, *, file: str = "") -> None:
        """Note a statement that raises whenever it is reached."""
        self.sink.add_failure(
            Failure(at=self.at(node), reach=self.reach(), error=error, because=because, file=file)
        )

    def eval_call(self, node: ast.Call) -> V:
        callee = self.eval(node.func)
        args: list[V] = []
        kwargs: dict[str, V] = {}
        loose = False
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                items = self.models.iterate(self.eval(argument.value))
                if items is None:
                    loose = True
                else:
                    args.extend(items)
            else:
                args.append(self.eval(argument))
        for keyword in node.keywords:
            value = self.eval(keyword.value)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, DictV) and not value.partial:
                kwargs.update({k: v for k, v in value.items.items() if isinstance(k, str)})
            else:
                if isinstance(value, DictV):
                    kwargs.update({k: v for k, v in value.items.items() if isinstance(k, str)})
                loose = True
        return self.call(callee, args, kwargs, node, loose=loose)

    def call(
        self,
        callee: V,
        args: list[V],
        kwargs: dict[str, V],
        node: ast.AST,
        *,
        loose: bool = False,
    ) -> V:
        """Call an abstract value. ``loose``: there are more arguments than are known."""
        if isinstance(callee, Func):
            return self.call_function(callee, args, kwargs, node, loose=loose)
        if isinstance(callee, Bound):
            return self.call_function(
                callee.func, [callee.receiver, *args], kwargs, node, loose=loose
            )
        if isinstance(callee, Class):
            return self.models.instantiate(callee, args, kwargs, node, loose=loose)
        if isinstance(callee, Ext):
            if kwargs and callee.name.partition(".")[0] in _CHANGING_CALLS:
                module, _, made = callee.name.rpartition(".")
                for keyword in kwargs:
                    self.used(node, module, f"{made}({keyword}=)")
            return self.models.call(callee, args, kwargs, node, loose=loose)
        if isinstance(callee, Choice):
            # A method of what is None so far raises: where the call happens, it is another's.
            bound = [o for o in callee.options if not _of_none(o)]
            if len(bound) == 1:
                return self.call(bound[0], args, kwargs, node, loose=loose)
            with self.guard("if"):
                results = [
                    self.call(option, args, kwargs, node, loose=loose) for option in callee.options
                ]
            return join(*results)
        if isinstance(callee, Inst):
            method = self.class_attribute(callee, "__call__") or self.class_attribute(
                callee, "forward"
            )
            if isinstance(method, Func):
                return self.call_function(method, [callee, *args], kwargs, node, loose=loose)
        return self.models.call_other(callee, args, kwargs, node)

    def call_function(
        self,
        func: Func,
        args: list[V],
        kwargs: dict[str, V],
        node: ast.AST,
        *,
        loose: bool = False,
    ) -> V:
        """Follow a call of a project function."""
        key = id(func.node)
        if self.depth >= MAX_DEPTH or self.active.count(key) > MAX_RECURSION:
            return Unk(f"{func.qualname}() is called too deeply to follow")
        frame = Frame(func.state, func.closure, func.qualname)
        self.bind(func, frame, args, kwargs, loose=loose)
        signature = tuple(_fingerprint(v) for v in frame.vars.values())
        count_key = (key, self.phase, self.route, signature)
        seen = self.counts.get(count_key, 0)
        total = self.counts.get((key, self.phase), 0)
        if seen > 2 or total > MAX_REPEATS * 6:
            before = self.results.get(count_key)
            if before is not None:
                return before  # the same arguments gave the same value each time
            return Unk(f"{func.qualname}() is called too often to follow")
        self.counts[count_key] = seen + 1
        self.counts[(key, self.phase)] = total + 1
        self.seen_functions.add(key)
        body = self.lambda_body if isinstance(func.node, ast.Lambda) else self.function_body
        result = self.inside(func, frame, node, body)
        old = self.results.get(count_key)
        if old is not None and isinstance(old, Const | PathV | Choice) and not same(old, result):
            result_kept: V = Unk(f"{func.qualname}() gives different values")
        else:
            result_kept = result
        self.results[count_key] = result_kept
        return result

    def inside(self, func: Func, frame: Frame, node: ast.AST, body: Callable[[Func], V]) -> V:
        cached = any(
            name in ("functools.lru_cache", "functools.cache", "functools.cached_property")
            or name.startswith(("streamlit.cache", "cachetools.", "streamlit.experimental"))
            for name in func.decorators
        ) or _keeps_result(func.node)
        saved = (self.frame, self.in_async, self.expression_depth)
        self.via.append(self.at(node))
        self.frame = frame
        self.in_async = func.is_async or self.in_async
        self.expression_depth = 0
        self.depth += 1
        self.cached += cached
        self.active.append(id(func.node))
        self.returns.append([])
        try:
            return body(func)
        finally:
            self.returns.pop()
            self.active.pop()
            self.cached -= cached
            self.depth -= 1
            self.frame, self.in_async, self.expression_depth = saved
            self.via.pop()

    def lambda_body(self, func: Func) -> V:
        assert isinstance(func.node, ast.Lambda)
        return self.eval(func.node.body)

    def function_body(self, func: Func) -> V:
        assert not isinstance(func.node, ast.Lambda)
        try:
            flow = self.block(func.node.body)
        except ServingError as serving:
            return serving.state
        returned = list(self.returns[-1])
        if func.yields:
            return Unk("comes from a generator")
        if flow & FALL:
            returned.append(Const(None))
        return join(*returned) if returned else Obj("sys.exit")

    def bind(
        self, func: Func, frame: Frame, args: list[V], kwargs: dict[str, V], *, loose: bool
    ) -> None:
        spec = func.node.args
        positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        names = frame.vars
        for name, value in zip(positional, args, strict=False):
            names[name] = value
        extra: dict[str, V] = {}
        keyword_only = [a.arg for a in spec.kwonlyargs]
        for name, value in kwargs.items():
            if name in positional or name in keyword_only:
                names[name] = value
            else:
                extra[name] = value
        for name in (*positional, *keyword_only):
            if name not in names:
                default = func.defaults.get(name)
                if loose:
                    names[name] = Unk(f"argument {name} is passed by unpacking")
                elif default is not None:
                    names[name] = default
                else:
                    names[name] = Unk(f"argument {name} of {func.qualname}() is not known")
        if spec.vararg is not None:
            names[spec.vararg.arg] = ListV(None if loose else args[len(positional) :], "tuple")
        if spec.kwarg is not None:
            names[spec.kwarg.arg] = DictV(extra, partial=loose)

    def eval_f_string(self, node: ast.JoinedStr) -> V:
        parts: list[V] = []
        for piece in node.values:
            if isinstance(piece, ast.FormattedValue):
                value = self.eval(piece.value)
                spec = self.eval(piece.format_spec) if piece.format_spec is not None else None
                parts.append(format_value(value, piece.conversion, spec))
            else:
                parts.append(self.eval(piece))
        result: V = Const("")
        for part in parts:
            result = binary(ast.Add(), result, part)
        if isinstance(result, Const):
            result = Const(result.value, result.deps, self.at(node))
        return result

    def binary(self, op: ast.operator, left: V, right: V) -> V:
        return binary(op, left, right)

    def eval_binary(self, node: ast.BinOp) -> V:
        # Long sums lean to the left: flatten them rather than recurse.
        chain: list[ast.BinOp] = []
        inner: ast.expr = node
        while isinstance(inner, ast.BinOp):
            chain.append(inner)
            inner = inner.left
        value = self.eval(inner)
        for step in reversed(chain):
            right = self.eval(step.right)
            if isinstance(step.op, ast.BitOr):
                self.failing_union(value, right, step)
            value = self.binary(step.op, value, right)
        return value

    def failing_union(self, left: V, right: V, node: ast.AST) -> None:
        """``a | b`` of two dictionaries, before Python 3.9."""
        python = self.program.python
        if python is None or python >= (3, 9):
            return
        if isinstance(left, DictV) and isinstance(right, DictV) and not (left.attr or right.attr):
            self.fails(
                node,
                "TypeError: unsupported operand type(s) for |: 'dict' and 'dict'",
                f"dictionaries are joined by `|` from Python 3.9 on, and the image runs "
                f"{python[0]}.{python[1]}",
            )

    def eval_unary(self, node: ast.UnaryOp) -> V:
        return unary(node.op, self.eval(node.operand))

    def eval_bool(self, node: ast.BoolOp) -> V:
        is_and = isinstance(node.op, ast.And)
        possible: list[V] = []
        deps = val.NONE
        guarded = 0
        try:
            for index, part in enumerate(node.values):
                value = self.eval(part)
                deps |= deps_of(value)
                if index == len(node.values) - 1:
                    possible.append(value)
                    break
                # The rest runs only when this one is true (and) or false (or).
                possible += [o for o in options_of(value) if truth(o) is not is_and]
                if all(truth(o) is (not is_and) for o in options_of(value)):
                    break
                if any(truth(o) is not is_and for o in options_of(value)):
                    self.guards.append("if")
                    guarded += 1
        finally:
            if guarded:
                del self.guards[len(self.guards) - guarded :]
        return val.with_deps(join(*possible), deps)

    def eval_compare(self, node: ast.Compare) -> V:
        left = self.eval(node.left)
        result: V = Const(True)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.eval(comparator)
            special = self.models.contains(op, left, right)
            one = special if special is not None else compare(op, left, right)
            answer = truth(one)
            if answer is False:
                return one
            if answer is None:
                result = one
            left = right
        return result

    def eval_conditional(self, node: ast.IfExp) -> V:
        test = truth(self.eval(node.test))
        if test is not None:
            return self.eval(node.body if test else node.orelse)
        exists = self.models.exists_test(node.test)
        positive, negative = "if", "if"
        if exists is not None:
            positive, negative = ("exists", "missing") if exists[1] else ("missing", "exists")
        with self.guard(positive):
            first = self.eval(node.body)
        with self.guard(negative):
            second = self.eval(node.orelse)
        return join(first, second)

    def eval_list(self, node: ast.List | ast.Tuple | ast.Set) -> V:
        kind = type(node).__name__.lower()
        items: list[V] | None = []
        for element in node.elts[: val.MAX_ITEMS]:
            if isinstance(element, ast.Starred):
                inner = self.models.iterate(self.eval(element.value))
                if inner is None:
                    items = None
                elif items is not None:
                    items.extend(inner)
                continue
            value = self.eval(element)
            if items is not None:
                items.append(value)
        if len(node.elts) > val.MAX_ITEMS:
            items = None
        made = ListV(items, kind)
        made.born = birth(self)
        return made

    def eval_dict(self, node: ast.Dict) -> V:
        made = DictV({})
        made.born = birth(self)
        for key, element in list(zip(node.keys, node.values, strict=True))[: val.MAX_ITEMS]:
            value = self.eval(element)
            if key is None:
                if isinstance(value, DictV):
                    made.items.update(value.items)
                    made.partial |= value.partial
                else:
                    made.partial = True
                continue
            name = self.eval(key)
            if isinstance(name, Const):
                made.items[name.value] = value
            else:
                made.partial = True
        made.partial |= len(node.keys) > val.MAX_ITEMS
        return made

    def eval_lambda(self, node: ast.Lambda) -> V:
        return self.make_function(node)

    def eval_await(self, node: ast.Await) -> V:
        saved, self.awaited = self.awaited, node.value
        try:
            return self.eval(node.value)
        finally:
            self.awaited = saved

    def eval_walrus(self, node: ast.NamedExpr) -> V:
        value = self.eval(node.value)
        self.assign(node.target, value)
        return value

    def eval_starred(self, node: ast.Starred) -> V:
        return self.eval(node.value)

    def eval_yield(self, node: ast.Yield) -> V:
        value = Const(None) if node.value is None else self.eval(node.value)
        if self.active and self.active[-1] == self.lifespan:
            raise ServingError(value)
        return Unk("is sent into a generator")

    def eval_yield_from(self, node: ast.YieldFrom) -> V:
        self.eval(node.value)
        return Unk("comes from a generator")

    def eval_comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> V:
        outer = self.frame
        assert outer is not None
        inner = Frame(outer.state, outer, outer.function)
        is_dict = isinstance(node, ast.DictComp)
        source = self.eval(node.generators[0].iter)
        first = self.models.iterate(source)
        self.frame = inner
        try:
            simple = len(node.generators) == 1
            limit = MAX_UNROLL if self.unrolling else MAX_COMPREHENSION
            if simple and first is not None and len(first) <= limit and self.unrolling < 2:
                self.unrolling += 1
                try:
                    return self.unrolled(node, first)
                finally:
                    self.unrolling -= 1
            with self.guard("loop"):
                for index, generator in enumerate(node.generators):
                    if index:
                        self.eval(generator.iter)
                    known_item = source.each if not index and isinstance(source, ListV) else None
                    self.assign(generator.target, known_item or Unk("varies in a loop"))
                    for condition in generator.ifs:
                        self.eval(condition)
                if isinstance(node, ast.DictComp):
                    self.eval(node.key)
                    self.eval(node.value)
                else:
                    each = self.eval(node.elt)
                    if not isinstance(each, Unk):
                        return ListV(None, each=each)
        finally:
            self.frame = outer
        return DictV({}, partial=True) if is_dict else ListV(None)

    def unrolled(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, items: list[V]
    ) -> V:
        generator = node.generators[0]
        made: list[V] = []
        pairs = DictV({})
        sure = True
        for item in items:
            self.assign(generator.target, item)
            keeps = [truth(self.eval(condition)) for condition in generator.ifs]
            if False in keeps:
                continue
            sure &= None not in keeps
            if isinstance(node, ast.DictComp):
                key, value = self.eval(node.key), self.eval(node.value)
                if isinstance(key, Const):
                    pairs.items[key.value] = value
                else:
                    pairs.partial = True
            else:
                made.append(self.eval(node.elt))
        if isinstance(node, ast.DictComp):
            pairs.partial |= not sure
            return pairs
        return ListV(made if sure else None, "set" if isinstance(node, ast.SetComp) else "list")

    def unsure(self, node: ast.AST, what: str) -> None:
        """Note something that could not be followed."""
        self.sink.unsure[Unsure(at=self.at(node), reach=self.reach(), what=what)] = None

    # -- absolute paths --

    def absolute(self, path: str) -> str | Unknown:
        """The absolute, normalised form of a path in the image."""
        if path.startswith("/"):
            return normal(path)
        if isinstance(self.cwd, str):
            return normal(posixpath.join(self.cwd, path))
        return self.cwd


def normal(path: str) -> str:
    """A normalised absolute POSIX path with a single leading slash."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else path


_RENAMED = {
    "sklearn.externals.joblib": "joblib",
    "tensorflow.keras": "keras",
    "tensorflow.compat.v1": "tensorflow",
    "tensorflow.python.keras": "keras",
    "cPickle": "pickle",
    "_pickle": "pickle",
    "six.moves.cPickle": "pickle",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "pathlib2": "pathlib",
    "tf.keras": "keras",
    "keras.api": "keras",
    "simplejson": "json",
    "ujson": "json",
    "ruamel.yaml": "yaml",
    "tomli": "tomllib",
    "skl2onnx.helpers": "skl2onnx",
    "starlette.staticfiles": "fastapi.staticfiles",
    "starlette.templating": "fastapi.templating",
    "builtins.io": "io",
    "io.open": "builtins.open",
    "codecs.open": "builtins.open",
    "os.getenvb": "os.getenv",
    "environs": "environs",
    "pydantic.v1": "pydantic",
}


def canonical(name: str) -> str:
    """One name for what has several."""
    parts = name.split(".")
    for length in range(min(len(parts), 3), 0, -1):
        head = ".".join(parts[:length])
        renamed = _RENAMED.get(head)
        if renamed is not None:
            return ".".join([renamed, *parts[length:]])
    return name


_LOADED = re.compile(r"loaded|ready|initiali[sz]ed|cached", re.IGNORECASE)


def _calls_method(body: list[ast.stmt], base: str) -> bool:
    """A statement of the block calls a method of that object."""
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and text_of(part.func.value) == base
        for statement in body
        for part in ast.walk(statement)
    )


_STORES = frozenset({"put", "set", "store", "add", "save", "setdefault", "insert"})


def _keeps_result(node: ast.AST) -> bool:
    """A function that returns early what an earlier call of it has kept.

    ``if KEPT …: return …`` or ``try: return KEPT[…]``, and later ``KEPT = …``, where ``KEPT``
    outlives the call: a global, an attribute, or an entry of something that is not local. Or
    ``hit = CACHE.get(…)``, ``if hit …: return hit``, and later ``CACHE.put(…)``; or a method that
    puts it into the cache by name.
    """
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    known: bool | None = node.__dict__.get("_keeps")
    if known is not None:
        return known
    asked: set[str] = set()
    kept: set[str] = set()
    own: set[str] = set()
    outer: set[str] = set()
    got: dict[str, str] = {}
    stored: set[str] = set()
    caches: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
            if part.func.attr in _STORES:
                stored.add(text_of(part.func.value))
            elif "cache" in part.func.attr:
                caches.add(text_of(part.func.value))
            continue
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Call):
            asks = part.value.func
            if isinstance(asks, ast.Attribute) and asks.attr.startswith("get"):
                got |= {t.id: text_of(asks.value) for t in part.targets if isinstance(t, ast.Name)}
        if isinstance(part, ast.Global | ast.Nonlocal):
            outer.update(part.names)
        elif isinstance(part, ast.If) and isinstance(part.body[-1], ast.Return):
            asked.update(_bases(part.test))
        elif isinstance(part, ast.Try) and isinstance(part.body[-1], ast.Return):
            asked.update(_bases(part.body[-1]))
        elif isinstance(part, ast.Assign | ast.AnnAssign):
            for target in part.targets if isinstance(part, ast.Assign) else [part.target]:
                if isinstance(target, ast.Name):
                    own.add(target.id)
                elif isinstance(target, ast.Attribute):
                    kept.add(text_of(target))
                elif isinstance(target, ast.Subscript):
                    kept.add(text_of(target.value))
    kept = {name for name in kept if name.partition(".")[0] not in own - outer} | (own & outer)
    made = (
        bool(asked & kept)
        or any(got[name] in stored for name in asked & got.keys())
        # ``if key in self._cache: return …``, and ``self._add_to_cache(key, value)``.
        or any("cache" in name and name.rpartition(".")[0] in caches for name in asked)
    )
    node.__dict__["_keeps"] = made
    return made


def _bases(node: ast.AST) -> set[str]:
    """Names and dotted names that an expression reads or stores into."""
    found: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id not in ("self", "cls"):
            found.add(part.id)
        elif isinstance(part, ast.Attribute):
            found.add(text_of(part))
    return found


def _of_none(value: V) -> bool:
    owner = value.owner if isinstance(value, Ext) else None
    return isinstance(owner, Const) and owner.value is None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _as_load(target: ast.expr) -> ast.expr | None:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(id=target.id, ctx=ast.Load()), target)
    if isinstance(target, ast.Attribute):
        load = ast.Attribute(value=target.value, attr=target.attr, ctx=ast.Load())
        return ast.copy_location(load, target)
    if isinstance(target, ast.Subscript):
        item = ast.Subscript(value=target.value, slice=target.slice, ctx=ast.Load())
        return ast.copy_location(item, target)
    return None


def _has(body: list[ast.stmt], kind: type[ast.stmt]) -> bool:
    return any(isinstance(n, kind) for n in ast.walk(ast.Module(body=body, type_ignores=[])))


def _guard_kind(test: ast.expr) -> str | None:
    text = text_of(test)
    if "sys.platform" in text or "platform.system" in text or "os.name" in text:
        return "platform"
    return "version" if "version_info" in text else None


def _reraises(body: list[ast.stmt]) -> bool:
    """Whether a handler always ends the process, the request or the import."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call):
        return text_of(last.value.func) in ("sys.exit", "exit", "quit", "os._exit", "abort")
    if isinstance(last, ast.If):
        return _reraises(last.body) and _reraises(last.orelse)
    return False


def _handler_guard(handler: ast.ExceptHandler) -> str:
    if handler.type is None:
        return "try"
    names = {text_of(t).rpartition(".")[2] for t in handler_types(handler)}
    if names & _BROAD:
        return "try"
    if names & _OS:
        return "os-error"
    if names & _IMPORT:
        return "import-error"
    if names & _KEY:
        return "key-error"
    return "other-error"


def _fingerprint(value: V) -> Any:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, PathV):
        return value.text
    if isinstance(value, Unk):
        return ("field", value.name) if isinstance(value, val.FieldV) else "?"
    return id(value)


def _node_of(function: V) -> ast.AST | None:
    inner = function.func if isinstance(function, Bound) else function
    return inner.node if isinstance(inner, Func | Class) else None


def _makes_app(func: Func) -> bool:
    if isinstance(func.node, ast.Lambda):
        return False
    return any(
        isinstance(part, ast.Call)
        and text_of(part.func).rpartition(".")[2]
        in ("FastAPI", "Flask", "Starlette", "Quart", "Sanic", "Litestar", "Dash", "Application")
        for part in ast.walk(func.node)
    )


_RUN: dict[type[ast.stmt], Callable[[Interpreter, Any], int]] = {
    ast.Expr: Interpreter.run_expr,
    ast.Assign: Interpreter.run_assign,
    ast.AnnAssign: Interpreter.run_ann_assign,
    ast.AugAssign: Interpreter.run_aug_assign,
    ast.If: Interpreter.run_if,
    ast.For: Interpreter.run_for,
    ast.AsyncFor: Interpreter.run_for,
    ast.While: Interpreter.run_while,
    ast.Try: Interpreter.run_try,
    ast.With: Interpreter.run_with,
    ast.AsyncWith: Interpreter.run_with,
    ast.FunctionDef: Interpreter.run_function,
    ast.AsyncFunctionDef: Interpreter.run_function,
    ast.ClassDef: Interpreter.run_class,
    ast.Return: Interpreter.run_return,
    ast.Raise: Interpreter.run_raise,
    ast.Assert: Interpreter.run_assert,
    ast.Global: Interpreter.run_global,
    ast.Nonlocal: Interpreter.run_nonlocal,
    ast.Delete: Interpreter.run_delete,
    ast.Break: Interpreter.run_leave,
    ast.Continue: Interpreter.run_leave,
    ast.Match: Interpreter.run_match,
    ast.Import: Interpreter.run_import,
    ast.ImportFrom: Interpreter.run_import_from,
}
if hasattr(ast, "TryStar"):
    _RUN[ast.TryStar] = Interpreter.run_try

_EVAL: dict[type[ast.expr], Callable[[Interpreter, Any], V]] = {
    ast.Constant: Interpreter.eval_constant,
    ast.Name: Interpreter.eval_name,
    ast.Attribute: Interpreter.eval_attribute,
    ast.Subscript: Interpreter.eval_subscript,
    ast.Call: Interpreter.eval_call,
    ast.JoinedStr: Interpreter.eval_f_string,
    ast.BinOp: Interpreter.eval_binary,
    ast.UnaryOp: Interpreter.eval_unary,
    ast.BoolOp: Interpreter.eval_bool,
    ast.Compare: Interpreter.eval_compare,
    ast.IfExp: Interpreter.eval_conditional,
    ast.List: Interpreter.eval_list,
    ast.Tuple: Interpreter.eval_list,
    ast.Set: Interpreter.eval_list,
    ast.Dict: Interpreter.eval_dict,
    ast.Lambda: Interpreter.eval_lambda,
    ast.Await: Interpreter.eval_await,
    ast.NamedExpr: Interpreter.eval_walrus,
    ast.Starred: Interpreter.eval_starred,
    ast.Yield: Interpreter.eval_yield,
    ast.YieldFrom: Interpreter.eval_yield_from,
    ast.ListComp: Interpreter.eval_comprehension,
    ast.SetComp: Interpreter.eval_comprehension,
    ast.GeneratorExp: Interpreter.eval_comprehension,
    ast.DictComp: Interpreter.eval_comprehension,
}

__all__ = ["Frame", "Interpreter", "OutOfBudgetError", "State", "canonical", "known", "normal"]
