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

from auditor.parsers.python import caching, commandline, since
from auditor.parsers.python import values as val
from auditor.parsers.python.expressions import EVAL
from auditor.parsers.python.facts import Failure, Import, Phase, Reach, Trace, Unsure, Use
from auditor.parsers.python.frames import member
from auditor.parsers.python.imports import note_import
from auditor.parsers.python.module import text_of
from auditor.parsers.python.scopes import (
    BREAK,
    FALL,
    MAX_REPEATS,
    RETURN,
    Frame,
    OutOfBudgetError,
    ServingError,
    State,
)
from auditor.parsers.python.statements import RUN
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Class,
    Const,
    DictV,
    Ext,
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
    same,
)
from auditor.source import Location, Problem, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.python.program import Module, Program

MAX_STEPS = 60_000
# Statements of one run in all: hooks and handlers get half of MAX_STEPS each, but not without end.
MAX_TOTAL = 20_000
MAX_DEPTH = 14
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
            dumps=tuple(sink.dumps),
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
        method = RUN.get(node.__class__)
        if method is None:
            return FALL
        return method(self, node)

    def is_main(self, frame: Frame) -> bool:
        name = frame.state.frame.vars.get("__name__")
        return isinstance(name, Const) and name.value == "__main__"

    last_flow = 0

    # -- imports --

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
        note_import(self, fact, name, found, path)
        return state

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
                    or (None if starred else member(value, place))
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
                owner.perhaps |= {name}
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
        method = EVAL.get(node.__class__)
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

    def attribute(self, owner: V, name: str, node: ast.AST) -> V:
        """``owner.name``."""
        since.method(self, owner, name, node)
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

    def used(self, node: ast.AST, module: str, name: str) -> None:
        """Note the use of a name, or of a way to call it, that some releases do not have."""
        self.sink.add_use(Use(at=self.at(node), reach=self.reach(), module=module, name=name))

    def fails(self, node: ast.AST, error: str, because: str, *, file: str = "") -> None:
        """Note a statement that raises whenever it is reached."""
        self.sink.add_failure(
            Failure(at=self.at(node), reach=self.reach(), error=error, because=because, file=file)
        )

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
            if id(callee) in self.models.click_commands:
                commandline.refuse_options(self.models, callee, node)
            return self.call_function(callee, args, kwargs, node, loose=loose)
        if isinstance(callee, Bound):
            return self.call_function(
                callee.func, [callee.receiver, *args], kwargs, node, loose=loose
            )
        if isinstance(callee, Class):
            return self.models.instantiate(callee, args, kwargs, node, loose=loose)
        if isinstance(callee, Ext):
            if kwargs:
                since.keywords(self, callee, kwargs, node)
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
        if not loose:
            caching.refuse(self, func, args, kwargs, node)
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
