"""What calls and attributes of libraries mean to the run: values, and facts for the sink."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.python import libraries, tables
from auditor.parsers.python import values as val
from auditor.parsers.python.config import read_config
from auditor.parsers.python.facts import (
    Call,
    EnvRead,
    FileAccess,
    LogHandler,
    Phase,
    Server,
    Value,
)
from auditor.parsers.python.frames import Frames, birth, certain
from auditor.parsers.python.module import text_of
from auditor.parsers.python.operations import (
    compare,
    known,
    over,
    path_text,
    plain,
    reason_of,
    unknown_from,
)
from auditor.parsers.python.sink import mentions
from auditor.parsers.python.values import (
    Bound,
    Choice,
    Class,
    Const,
    DictV,
    Ext,
    FieldV,
    Found,
    Func,
    Inst,
    ListV,
    Loaded,
    Mod,
    Obj,
    PathV,
    Table,
    Unk,
    V,
    all_names,
    deps_of,
    join,
    options_of,
    with_deps,
)
from auditor.parsers.python.web import Web, WebModels
from auditor.source import Unknown
from auditor.values import record

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Frame, Interpreter

FILE_GUARDS = frozenset({"import-error", "key-error", "other-error"})
ENV_GUARDS = frozenset({"import-error", "os-error", "other-error"})
_STRING_METHODS = frozenset(
    [
        "format",
        "join",
        "strip",
        "lower",
        "upper",
        "replace",
        "split",
        "rstrip",
        "lstrip",
        "startswith",
        "endswith",
        "title",
        "capitalize",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
        "rsplit",
        "zfill",
        "casefold",
        "splitlines",
        "find",
        "rfind",
        "count",
        "isdigit",
        "isnumeric",
        "index",
        "encode",
        "decode",
        "swapcase",
    ]
)
_WIDE = re.compile(r"\d{4,}|\{[^{}]*[.\[!]")
_PATH_TESTS = frozenset({"exists", "is_file", "is_dir", "isfile", "isdir"})


@record
class Site:
    """One call of something external."""

    name: str
    owner: V | None
    args: list[V]
    kwargs: dict[str, V]
    node: ast.AST
    loose: bool = False

    def get(self, position: int, *names: str) -> V | None:
        """The argument at a position or by one of its names."""
        for name in names:
            if name in self.kwargs:
                return self.kwargs[name]
        return self.args[position] if position < len(self.args) else None


Model = Callable[["Models", Site], V | None]
_MODELS: dict[str, Model] = {}


def model(*names: str) -> Callable[[Model], Model]:
    """Register the meaning of calls by canonical name."""

    def register(function: Model) -> Model:
        for name in names:
            _MODELS[name] = function
        return function

    return register


class Models(WebModels):
    """The library side of one run."""

    def __init__(self, run: Interpreter) -> None:
        super().__init__(run)
        self.nesting = 0
        # What each argument parser was told, by the parser's identity.
        self.parsers: dict[int, list[tuple[tuple[str, ...], bool]]] = {}
        self.exists_calls: dict[int, V] = {}
        self.frames = Frames(self)
        self.loading = 0
        # Settings and options that libraries were told, by library and name.
        self.told: dict[str, V] = {}

    # -- facts --

    def file(
        self,
        site: Site,
        path: V,
        mode: str,
        kind: str,
        *,
        loader: str = "",
        hub: bool = False,
        options: dict[str, V] | None = None,
        missing_ok: bool = False,
    ) -> None:
        """Note an access to a path."""
        run, sink = self.run, self.run.sink
        opened_at = None
        if isinstance(path, Obj) and path.name.endswith(("open", "File")):
            opened_at = path.at
        if isinstance(path, Const) and (path.value is None or isinstance(path.value, int)):
            if path.value is None:
                self.crash(path, f"{loader or site.name}(None) raises TypeError")
            return
        given = site.kwargs if options is None else options
        chosen = tuple(
            (name, sink.value(value))
            for name, value in given.items()
            if name in tables.SAFETY_OPTIONS
        )
        sink.add_file(
            FileAccess(
                at=run.at(site.node),
                reach=run.reach(FILE_GUARDS),
                loader=loader or site.name,
                path=sink.path(path, hub=hub),
                mode=mode,
                kind=kind,
                options=chosen,
                opened_at=opened_at,
                missing_ok=missing_ok,
            )
        )

    def note(self, site: Site, category: str, name: str = "") -> None:
        """Note a call of a category."""
        run, sink = self.run, self.run.sink
        asked = category == "predict" or name == ".transform"
        source = self.frames.file_of(site.owner) if asked else None
        sink.add_call(
            Call(
                at=run.at(site.node),
                reach=run.reach(FILE_GUARDS),
                category=category,
                name=name or site.name,
                arguments=tuple(sink.value(value) for value in site.args[:8]),
                keywords=(
                    *((k, sink.value(v)) for k, v in list(site.kwargs.items())[:16]),
                    *((("**", Value(value=Unknown("is passed by unpacking"))),) * site.loose),
                ),
                mentions=mentions(site.node),
                offloaded=run.offloaded,
                awaited=run.awaited is site.node,
                model=sink.path(source[0]) if source is not None else None,
                member=source[1] if source is not None else (),
                input=self.frames.input_of(site) if asked else None,
            )
        )

    def crash(self, value: V, what: str) -> None:
        """An unset variable reached a call that cannot take None."""
        if not self.run.guards:
            for name in deps_of(value):
                self.run.sink.crashes.setdefault(name, what)

    # -- environment --

    def variable(self, name: V | None, default: V | None) -> V:
        """The value of an environment variable; ``default`` None means that unset raises."""
        if not isinstance(name, Const) or not isinstance(name.value, str):
            if isinstance(name, Choice):
                return over(lambda one: self.variable(one, default), name)
            return Unk("an environment variable whose name is not known")
        deps = frozenset({name.value})
        if name.value in self.run.env:
            value = self.run.env[name.value]
            if isinstance(value, str):
                return Const(value, deps)
            if isinstance(value, Unknown):
                reason = f"environment variable {name.value}: {value.reason}"
                return Unk(reason, deps)
            return with_deps(value, deps)
        by_hand = self.run.env_by_hand
        if by_hand is not None and (default is None or name.value in by_hand[0].items):
            likely = self.from_file(by_hand, name, default)
            return Unk(by_hand[1], deps) if likely is None else with_deps(likely, deps)
        if default is None:
            return Unk(f"environment variable {name.value} is not set", deps)
        if self.run.program.unset(name.value):
            return with_deps(default, deps)
        reason = f"environment variable {name.value} may be set"
        return join(with_deps(default, deps), Unk(reason, deps))

    def read_env(
        self,
        node: ast.AST,
        name: V | None,
        how: str,
        *,
        default: V | None = None,
        required: bool = False,
        convert: Callable[[V], V] | None = None,
    ) -> V:
        """Read an environment variable and note it."""
        run, sink = self.run, self.run.sink
        required = required and run.env_by_hand is None
        value = self.variable(name, None if required else (default or Const(None)))
        if convert is not None:
            value = convert(value)
        known_name = (
            name.value
            if isinstance(name, Const) and isinstance(name.value, str)
            else Unknown("the name is not known")
        )
        if isinstance(known_name, str) or not isinstance(name, Choice):
            sink.add_env(
                EnvRead(
                    at=run.at(node),
                    reach=run.reach(ENV_GUARDS),
                    name=known_name,
                    how=how,
                    required=required,
                    default=None if default is None else sink.value(default),
                    value=sink.value(value),
                )
            )
        return value

    # -- attributes --

    def ext_attribute(self, owner: Ext, name: str, node: ast.AST) -> V:
        """An attribute of something external."""
        from auditor.parsers.python.interpreter import canonical

        full = canonical(f"{owner.name}.{name}")
        told = libraries.option(self, full)
        if told is not None:
            return told
        if full == "typing.TYPE_CHECKING":
            return Const(False)
        if full == "sys.argv":
            return ListV([Unk("the program's name"), *map(Const, self.run.argv)])
        if full in ("os.sep", "os.path.sep"):
            return Const("/")
        if full == "os.name":
            return Const("posix")
        if full == "sys.platform":
            return Const("linux")
        if full == "os.curdir":
            return Const(".")
        if full == "os.pardir":
            return Const("..")
        if full == "sys.version_info" and self.run.program.python is not None:
            return ListV([Const(part) for part in self.run.program.python], "tuple")
        kept = self.web_attribute(owner, name)
        if kept is not None:
            return kept
        if isinstance(owner.owner, Unk):
            return Ext(f"?.{name}", Unk(owner.owner.reason, owner.owner.deps))
        return Ext(full, owner.owner)

    def attribute(self, owner: V, name: str, node: ast.AST) -> V:
        """An attribute of a value of the language or of an object of a library."""
        if isinstance(owner, PathV):
            return self.path_attribute(owner, name)
        if isinstance(owner, DictV):
            if owner.attr and name in owner.items:
                return with_deps(owner.items[name], owner.origin_deps)
            return Ext(f"dict.{name}", owner)
        if isinstance(owner, Const):
            if owner.value is None:
                self.crash(owner, f"None has no attribute {name}")
            return Ext(f"{type(owner.value).__name__}.{name}", owner)
        if isinstance(owner, ListV):
            return Ext(f"{owner.kind}.{name}", owner)
        if isinstance(owner, Table):
            return self.frames.attribute(owner, name)
        if isinstance(owner, Unk):
            return Ext(f"?.{name}", owner)
        if isinstance(owner, Obj):
            if owner.name == "enum.member":
                return owner.data if name in ("value", "_value_") else Unk("an enum member")
            kept = self.web_attribute(owner, name)
            if kept is not None:
                return kept
            if isinstance(owner.data, dict) and name in owner.data:
                found = owner.data[name]
                if isinstance(found, V):
                    return found
            if name in ("environ",) and owner.name == "environ.Env":
                return Ext("os.environ")
            return Ext(f"{owner.name}().{name}", owner)
        if isinstance(owner, Func | Bound):
            return Ext(f"function.{name}", owner)
        return Unk(f"attribute {name} is not followed", deps_of(owner))

    # -- what an application keeps --

    def keep(self, web: Web, name: str, value: V) -> None:
        """``app.model = …``, ``app.state.model = …``, ``app.config["model"] = …``."""
        if self.run.undecided and name in web.attributes:
            value = join(web.attributes[name], value)
        web.attributes[name] = value

    def web_attribute(self, owner: Obj | Ext, name: str) -> V | None:
        """What an application or its request keeps under a name; None for anything else."""
        if isinstance(owner, Obj):
            if isinstance(owner.data, Web):
                return owner.data.attributes.get(name)
            return self.serving if owner.name == "request" and name == "app" else None
        if owner.name in ("flask.current_app", "quart.current_app") and self.serving is not None:
            return self.attribute(self.serving, name, ast.Pass())
        if not isinstance(owner.owner, Obj):
            return None
        web, last = owner.owner.data, owner.name.rpartition(".")[2]
        if isinstance(web, Web):
            return web.attributes.get(f"{last}.{name}")
        if owner.owner.name == "request" and last == "state" and self.serving is not None:
            kept = self.serving.data.state
            return kept.items.get(name) if kept is not None else None
        return None

    def path_attribute(self, owner: PathV, name: str) -> V:
        pure = PurePosixPath(owner.text)
        if name == "parent":
            return PathV(str(pure.parent), owner.deps, owner.origin)
        if name in ("name", "stem", "suffix", "root", "anchor"):
            return Const(getattr(pure, name), owner.deps)
        if name == "parents":
            return ListV([PathV(str(p), owner.deps, owner.origin) for p in pure.parents], "tuple")
        if name == "parts":
            return ListV([Const(part, owner.deps) for part in pure.parts], "tuple")
        if name == "suffixes":
            return ListV([Const(part, owner.deps) for part in pure.suffixes])
        return Ext(f"pathlib.Path.{name}", owner)

    def inst_attribute(self, owner: Inst, name: str) -> V:
        if name == "__dict__" and self.is_request_model(owner.cls):
            return self.frames.dump(owner, None)
        getter = self.run.class_attribute(owner, "__getattr__")
        if owner.partial or getter is not None or owner.cls.external():
            bases = sorted(owner.cls.external())
            inherited = bases[0] if len(bases) == 1 and bases[0] != "?" else ""
            if inherited:
                return Ext(f"{inherited}().{name}", owner)
        return Unk(f"attribute {name} of {owner.cls.qualname} is not known")

    def class_attribute(self, owner: Class, name: str) -> V:
        for cls in owner.mro():
            value = cls.names.get(name)
            if value is None:
                continue
            if any(base.startswith("enum.") for base in owner.external()):
                member = Obj("enum.member", at=None)
                if isinstance(value, Const):
                    member.data = value
                    return member
            if isinstance(value, Func) and "classmethod" in value.decorators:
                return Bound(value, owner)
            return value
        if name == "__name__":
            return Const(owner.node.name)
        external = sorted(owner.external())
        if external and external[0] != "?":
            return Ext(f"{external[0]}.{name}", owner)
        return Unk(f"attribute {name} of {owner.qualname} is not known")

    def set_attribute(self, owner: V, name: str, value: V, node: ast.AST) -> None:
        if isinstance(owner, Table):
            self.frames.set_attribute(owner, name, value)
        elif isinstance(owner, DictV) and owner.attr:
            owner.items[name] = value
        elif isinstance(owner, Obj):
            web = owner.data
            if isinstance(web, Web):
                self.keep(web, name, value)
                if name == "debug":
                    web.debug = value
                return
            if owner.data is None:
                owner.data = {}
            if isinstance(owner.data, dict):
                if self.run.undecided and name in owner.data:
                    value = join(owner.data[name], value)
                owner.data[name] = value
        elif isinstance(owner, Ext) and isinstance(owner.owner, Obj):
            web = owner.owner.data
            if isinstance(web, Web):
                self.keep(web, f"{owner.name.rpartition('.')[2]}.{name}", value)
        elif isinstance(owner, Ext):
            libraries.set_setting(self, owner, name, value)

    # -- containers --

    def list_extend(self, target: ListV, added: V) -> None:
        items = self.iterate(added)
        if (
            (self.run.undecided and not certain(self.run, target.born))
            or items is None
            or target.items is None
            or len(items) + len(target.items) > val.MAX_ITEMS
        ):
            target.items = None
        else:
            target.items.extend(items)

    def iterate(self, value: V) -> list[V] | None:
        """The items that iterating gives, when they are known."""
        if isinstance(value, ListV):
            return None if value.items is None or value.kind == "set" else list(value.items)
        if isinstance(value, DictV) and not value.partial:
            return [Const(key) for key in value.items]
        if isinstance(value, Const) and isinstance(value.value, str) and len(value.value) < 64:
            return [Const(c, value.deps) for c in value.value]
        return None

    def set_item(self, owner: V, key: V, value: V, node: ast.AST) -> None:
        run = self.run
        if isinstance(owner, Choice):
            with run.guard("if"):
                for option in owner.options:
                    self.set_item(option, key, value, node)
        elif isinstance(owner, Ext) and owner.name == "os.environ":
            self.set_env(key, value)
        elif isinstance(owner, Table):
            self.frames.set_item(owner, key, value, node)
        elif isinstance(owner, DictV):
            if isinstance(key, Const):
                if run.undecided and not certain(run, owner.born):
                    if key.value in owner.items:
                        value = join(owner.items[key.value], value)
                    else:
                        owner.partial = True
                owner.items[key.value] = value
            else:
                owner.partial = True
                for name, old in owner.items.items():
                    owner.items[name] = join(old, Unk("may have been replaced"))
        elif isinstance(owner, ListV):
            if owner.items is not None:
                index = key.value if isinstance(key, Const) else None
                if isinstance(index, int) and -len(owner.items) <= index < len(owner.items):
                    if run.undecided:
                        value = join(owner.items[index], value)
                    owner.items[index] = value
                else:
                    owner.items = None
        elif isinstance(owner, Ext) and isinstance(owner.owner, Obj):
            web = owner.owner.data
            if isinstance(web, Web) and isinstance(key, Const):
                self.keep(web, f"{owner.name.rpartition('.')[2]}.{key.value}", value)
        elif isinstance(owner, Ext) and isinstance(key, Const):
            libraries.set_setting(self, owner, str(key.value), value)
        elif isinstance(owner, Obj):
            if owner.data is None:
                owner.data = {}
            if isinstance(owner.data, dict) and isinstance(key, Const):
                if run.undecided and key.value in owner.data:
                    value = join(owner.data[key.value], value)
                owner.data[key.value] = value

    def set_env(self, key: V, value: V) -> None:
        if not isinstance(key, Const) or not isinstance(key.value, str):
            return
        old = self.run.env.get(key.value)
        if self.run.undecided:
            before: V = Const(old) if isinstance(old, str) else Unk("may be set")
            if isinstance(old, V):
                before = old
            value = join(before, value)
        self.run.env[key.value] = value

    def make_slice(self, node: ast.Slice) -> V:
        made = Obj("slice")
        bounds: list[Any] = []
        for part in (node.lower, node.upper, node.step):
            if part is None:
                bounds.append(None)
                continue
            value = self.run.eval(part)
            if not isinstance(value, Const) or not isinstance(value.value, int | None):
                return made
            bounds.append(value.value)
        if bounds[2] != 0:
            made.data = slice(*bounds)
        return made

    def subscript(self, owner: V, index: V, node: ast.Subscript) -> V | None:
        """``owner[index]`` where the owner is a library's; None for the language's own."""
        if isinstance(owner, Table):
            return self.frames.subscript(owner, index, node)
        if isinstance(owner, Ext) and isinstance(owner.owner, Table):
            return self.frames.locate(owner.owner, index, node)
        held = self.held(owner, index)
        if held is not None:
            return held
        if isinstance(owner, Ext):
            if owner.name == "os.environ":
                return self.read_env(node, index, "os.environ[]", required=True)
            if owner.name in ("sys.path", "sys.modules"):
                return Unk(f"an item of {owner.name}")
            request = self.request_subscript(owner, index, node)
            if request is not None:
                return request
            if isinstance(owner.owner, Obj) and isinstance(owner.owner.data, Web):
                key = f"{owner.name.rpartition('.')[2]}.{index.value if isinstance(index, Const) else ''}"
                if key in owner.owner.data.attributes:
                    return owner.owner.data.attributes[key]
            if isinstance(owner.owner, V):
                return Unk(reason_of(owner), deps_of(owner.owner))
            return Ext(owner.name, None) if owner.name[:1].isupper() else Unk(reason_of(owner))
        if isinstance(owner, Obj):
            request = self.request_subscript(owner, index, node)
            if request is not None:
                return request
            if owner.name == "environ.Env" or owner.name.startswith("environs."):
                return self.read_env(node, index, "environ", required=True)
            if owner.name == "configparser.ConfigParser" and isinstance(index, Const):
                self.unread_section(owner, index, node)
            if isinstance(owner.data, dict) and isinstance(index, Const):
                found = owner.data.get(index.value)
                if isinstance(found, V):
                    return found
            return Unk(reason_of(owner))
        if isinstance(owner, Class):
            return owner  # a parameterised generic
        return None

    def held(self, owner: V, index: V) -> Loaded | None:
        """What a loaded mapping has under a key, or a loaded tuple at an index."""
        if not isinstance(index, Const) or not isinstance(index.value, str | int):
            return None
        if isinstance(owner, Loaded):
            return Loaded(owner.source, (*owner.keys, index.value))
        if isinstance(owner, Obj) and owner.data is None and self.frames.file_of(owner):
            return Loaded(owner, (index.value,))
        return None

    def contains(self, op: ast.cmpop, left: V, right: V) -> V | None:
        if isinstance(op, ast.In | ast.NotIn) and isinstance(right, Ext):
            if right.name == "os.environ" and isinstance(left, Const):
                there = left.value in self.run.env
                if there or self.run.program.unset(str(left.value)):
                    return Const(there == isinstance(op, ast.In), frozenset({str(left.value)}))
            return Unk("a condition that is not known")
        return None

    # -- conditions on paths --

    def exists_test(self, test: ast.expr) -> tuple[V, bool, ast.expr] | None:
        """(path, whether true means present, the call) when a condition asks for a path."""
        positive = True
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            positive = not positive
            test = test.operand
        if isinstance(test, ast.BoolOp):
            for part in test.values:
                found = self.exists_test(part)
                if found is not None:
                    return found[0], found[1] == positive, found[2]
            return None
        if isinstance(test, ast.Name):
            return None
        path = self.exists_calls.get(id(test))
        return None if path is None else (path, positive, test)

    def required_paths(
        self,
        exists: tuple[V, bool, ast.expr],
        node: ast.If,
        body: int,
        known_truth: bool | None,
        other: int = 1,
    ) -> None:
        """``if not exists(p): raise``: the path is required although nothing opens it there."""
        missing = other if exists[1] else body
        if known_truth is not None or missing & 1 or not missing & 4 or missing & 2:
            return
        self.require_path(exists, node.test)

    def require_path(self, exists: tuple[V, bool, ast.expr], node: ast.AST) -> None:
        site = Site("os.path.exists", None, [], {}, exists[2])
        self.file(site, exists[0], "exists", "file")

    # -- context managers, decorators --

    def suppress_guard(self, manager: Obj) -> str:
        names = {a.name.rpartition(".")[2] for a in manager.args if isinstance(a, Ext)}
        if names & {"ImportError", "ModuleNotFoundError"}:
            return "import-error"
        if names & {"KeyError"}:
            return "key-error"
        return "try"

    def enter_context(self, manager: V) -> V:
        if isinstance(manager, Inst):
            method = self.run.class_attribute(manager, "__enter__") or self.run.class_attribute(
                manager, "__aenter__"
            )
            if isinstance(method, Func):
                return self.run.call_function(method, [manager], {}, method.node)
        return manager

    def decorator_name(self, value: V) -> str:
        if isinstance(value, Ext):
            return value.name.removeprefix("builtins.")
        if isinstance(value, Obj):
            return value.name
        return value.qualname if isinstance(value, Func) else ""

    def decorate(self, decorator: V, value: V, node: ast.expr) -> V:
        """What a decorated definition is bound to."""
        name = self.decorator_name(decorator)
        handled = self.web_decorate(decorator, name, value, node)
        if handled is not None:
            return handled
        if isinstance(decorator, Func | Bound):
            result = self.run.call(decorator, [value], {}, node)
            if isinstance(result, Func):
                result.decorators = (*result.decorators, *getattr(value, "decorators", ()))
                return result
            return value
        target = value.func if isinstance(value, Bound) else value
        if isinstance(target, Func):
            if name in ("click.option", "click.argument") and isinstance(decorator, Obj):
                self.click_option(decorator, target)
            elif name in ("click.group", "click.group()"):
                alone = decorator.kwargs if isinstance(decorator, Obj) else {}
                group = Obj("click.group()", [target], alone, self.run.at(node))
                group.data = []
                return group
            elif name.rpartition(".")[2] in ("command", "callback"):
                self.unwrap_defaults(target)
                if isinstance(decorator, Obj) and isinstance(decorator.data, Obj):
                    self.typer_options(target)
                if isinstance(decorator, Obj) and isinstance(decorator.args[:1], list):
                    owner = decorator.data
                    if isinstance(owner, Obj) and isinstance(owner.data, list):
                        given = decorator.args[0] if decorator.args else None
                        given = given or decorator.kwargs.get("name")
                        own = getattr(target.node, "name", "").replace("_", "-")
                        called = given.value if isinstance(given, Const) else own
                        owner.data.append((called, target))
        category = self.category(name)
        if category in ("breaker", "rate-limit", "retry", "metrics"):
            site = Site(name, None, [], {}, node)
            self.note(site, category)
        return value

    def click_option(self, option: Obj, func: Func) -> None:
        names = [a.value for a in option.args if isinstance(a, Const) and isinstance(a.value, str)]
        if not names:
            return
        plain_names = [n for n in names if not n.startswith("-")]
        longest = max(names, key=lambda n: n.startswith("--"))
        target = plain_names[0] if plain_names else longest.lstrip("-").partition("/")[0]
        default = option.kwargs.get("default", Const(None))
        value = default
        if "envvar" in option.kwargs and option.at is not None:
            value = self.read_env(
                _Located(option), option.kwargs["envvar"], "click", default=default
            )
        given = self.from_argv(names)
        func.defaults[target.replace("-", "_").lower()] = given or value

    def click_group(self, group: Obj, commands: list[tuple[object, V]], node: ast.AST) -> V:
        """A group runs its own function and the command that the arguments name."""
        word = next((w for w in self.run.argv if not w.startswith("-")), None)
        own = group.args[0] if group.args else None
        if word is None and "invoke_without_command" not in group.kwargs:
            self.note(Site("click.usage", None, [], {}, node), "usage")
            return Const(None)
        if own is not None:
            self.run.call(own, [], {}, node)
        chosen = [command for name, command in commands if name == word]
        if word is not None and not chosen:
            return Unk("a command of a group that is not followed")
        for command in chosen:
            self.run.call(command, [], {}, node)
        return Const(None)

    def unwrap_defaults(self, func: Func) -> None:
        for name, default in list(func.defaults.items()):
            if isinstance(default, Obj) and default.name in ("typer.Option", "typer.Argument"):
                inner = default.args[0] if default.args else default.kwargs.get("default")
                value = inner or Unk("an option without a default")
                if "envvar" in default.kwargs and default.at is not None:
                    value = self.read_env(
                        _Located(default), default.kwargs["envvar"], "typer", default=inner
                    )
                func.defaults[name] = self.from_argv([f"--{name.replace('_', '-')}"]) or value

    def typer_options(self, func: Func) -> None:
        """A parameter with a plain default is an option of that name."""
        for name, default in list(func.defaults.items()):
            if not isinstance(default, Const):
                continue
            option = f"--{name.replace('_', '-')}"
            if isinstance(default.value, bool):
                if f"--no-{option[2:]}" in self.run.argv:
                    func.defaults[name] = Const(False)
                elif option in self.run.argv:
                    func.defaults[name] = Const(True)
                continue
            given = self.from_argv([option])
            if given is not None:
                kind = type(default.value).__name__
                func.defaults[name] = self.coerce(given, kind if kind in ("int", "float") else "")

    def from_argv(self, names: list[str], *, flag: bool = False) -> V | None:
        argv = self.run.argv
        for index, word in enumerate(argv):
            head, equals, tail = word.partition("=")
            if head in names and head.startswith("-"):
                if flag:
                    return Const(True)
                if equals:
                    return Const(tail)
                if index + 1 < len(argv):
                    return Const(argv[index + 1])
        return None

    def star_import(self, name: str, frame: Frame) -> None:
        """``from flask import *`` and its kin: the names that matter are known."""
        for full in all_names(name):
            frame.vars.setdefault(full.rpartition(".")[2], Ext(full))

    # -- calls --

    def category(self, name: str) -> str:
        """The category of a call by its name; empty when it has none."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            found = _CATEGORY.get(".".join(parts[:length]))
            if found is not None:
                return found
        return ""

    def call(
        self, callee: Ext, args: list[V], kwargs: dict[str, V], node: ast.AST, *, loose: bool
    ) -> V:
        """Call something external."""
        name = callee.name
        site = Site(name, callee.owner, args, kwargs, node, loose)
        function = _MODELS.get(name)
        if function is not None:
            result = function(self, site)
            if result is not None:
                return result
        web = self.web_call(site)
        if web is not None:
            return web
        attr = name.rpartition(".")[2]
        owner = callee.owner
        if isinstance(owner, PathV):
            return self.path_method(site, owner, attr)
        if isinstance(owner, Const):
            return self.constant_method(owner, attr, site)
        if isinstance(owner, ListV | DictV):
            return self.container_method(owner, attr, site)
        loader = tables.LOADERS.get(name)
        if loader is not None:
            return self.load(site, loader)
        if attr == "from_pretrained":
            target = site.get(0, "pretrained_model_name_or_path", "model_id")
            if target is not None:
                self.file(site, target, "read", "artifact", hub=True)
            return self.made(site)
        if attr == "load_from_checkpoint":
            target = site.get(0, "checkpoint_path")
            if target is not None:
                self.file(site, target, "read", "artifact")
            return self.made(site)
        if name.startswith("mlflow.") and attr == "load_model":
            target = site.get(0, "model_uri")
            if target is not None:
                self.file(site, target, "read", "artifact")
            return self.made(site)
        if owner is not None:
            result = self.method(site, owner, attr)
            if result is not None:
                return result
        if name.startswith("os.path."):
            return self.os_path(attr, site)
        if name in tables.OFFLOADERS or attr in ("run_in_executor", "run_in_threadpool"):
            return self.offload(site, 1 if attr == "run_in_executor" else 0)
        category = self.category(name)
        if owner is None and not category and "." in name:
            self.serving_call(site, None, attr)
        if category:
            if category == "native" or category != "tracking" or self.run.phase < Phase.REQUEST:
                self.note(site, category)
            elif attr.startswith("log"):
                self.note(site, "store")
            if category == "exit":
                return Obj("sys.exit")
        if name.startswith("logging.") and attr in tables.LOG_METHODS:
            self.note(site, "log")
        if name.startswith("?"):
            return Unk(reason_of(callee), deps_of(owner) if owner is not None else val.NONE)
        return self.frames.call(site) or self.made(site)

    def made(self, site: Site) -> Obj:
        """The object that an external call returns."""
        return Obj(site.name, site.args, site.kwargs, self.run.at(site.node))

    def call_other(self, callee: V, args: list[V], kwargs: dict[str, V], node: ast.AST) -> V:
        """Call an object or something unknown."""
        site = Site("()", callee, args, kwargs, node)
        result = self.web_object_call(site, callee)
        if result is not None:
            return result
        if isinstance(callee, Obj):
            if callee.name == "click.group()" and isinstance(callee.data, list):
                return self.click_group(callee, callee.data, node)
            if callee.name in ("click.command()", "typer.Typer") and isinstance(callee.data, list):
                word = next((w for w in self.run.argv if not w.startswith("-")), None)
                chosen = [c for c in callee.data if len(callee.data) > 1 and c[0] == word]
                commands = chosen or callee.data
                with self.run.guard(*(["if"] if len(commands) > 1 else [])):
                    for _, command in commands:
                        self.run.call(command, [], {}, node)
                return Const(None)
            if callee.name in ("environ.Env", "starlette.config.Config") or callee.name.startswith(
                ("environs.", "decouple.")
            ):
                return self.environ_read(site, callee)
            if callee.name in tables.LOADERS or callee.name.endswith(
                ("from_pretrained", "load_from_checkpoint", "pipeline", "load_model")
            ):
                self.note(site, "predict", f"{callee.name}()()")
        for argument in (*args, *kwargs.values()):
            self.escape(argument)
        return Unk("calls something that is not followed", deps_of(callee) if callee else val.NONE)

    def escape(self, value: V) -> None:
        """A mutable value was handed to code that is not followed."""
        if isinstance(value, DictV):
            value.items.clear()
            value.partial = True
        elif isinstance(value, ListV):
            value.items = None
        elif isinstance(value, Table):
            value.cols = None

    def load(self, site: Site, loader: tuple[str, str, int, tuple[str, ...], bool]) -> V:
        """A call of the loader table."""
        kind, mode, position, names, hub = loader
        target = site.get(position, *names)
        if target is None and site.loose:
            target = Unk("is passed by unpacking")
        if site.name in ("numpy.load",) and target is not None:
            text = self.run.sink.path(target).text
            kind = "data" if isinstance(text, str) and text.endswith((".csv", ".txt")) else kind
        if target is None and site.name == "fastapi.staticfiles.StaticFiles":
            target = site.get(0, "directory")
        if site.name.endswith((".ZipFile", ".open", "h5py.File", ".BZ2File")):
            given = site.get(1, "mode")
            text = given.value if isinstance(given, Const) else "r"
            if isinstance(text, str):
                mode = "write" if text[:1] in "wx" else "append" if text[:1] == "a" else mode
        if site.name == "fastapi.staticfiles.StaticFiles":
            check = site.kwargs.get("check_dir")
            if isinstance(check, Const) and check.value is False:
                mode = "list"
        if site.name in ("pickle.load", "joblib.load") and libraries.opened_as_text(target):
            self.run.fails(
                site.node,
                "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x80 in position 0",
                'the file is opened as text, and pickles are bytes (`open(…, "rb")`)',
            )
        if target is not None and not self.is_buffer(target):
            exist_ok = site.kwargs.get("exist_ok")
            self.file(
                site,
                target,
                mode,
                kind,
                hub=hub,
                missing_ok=isinstance(exist_ok, Const) and bool(exist_ok.value),
            )
            if site.name in ("shutil.copy", "shutil.copyfile", "shutil.move", "shutil.copytree"):
                destination = site.get(1, "dst")
                if destination is not None:
                    self.file(site, destination, "write", "file")
        return self.frames.call(site) or self.made(site)

    def is_buffer(self, value: V) -> bool:
        """Whether this is data in memory and no path."""
        if isinstance(value, Obj):
            return not value.name.endswith(("open", ".File", "BZ2File", ".path"))
        if isinstance(value, Const):
            return isinstance(value.value, bytes)
        return isinstance(value, ListV | DictV)

    def method(self, site: Site, owner: V, attr: str) -> V | None:
        """A method of an object that a library made, or of an unknown one."""
        run = self.run
        head = owner.name if isinstance(owner, Obj) else ""
        loader = tables.METHOD_LOADERS.get(attr)
        if loader is not None and not isinstance(owner, Class):
            kind, mode, position, names = loader
            target = site.get(position, *names)
            if attr == "extractall" and target is None:
                target = Const(".")
            if attr in tables.ENGINE_METHODS and not isinstance(target, Const | PathV):
                # A model that was read before; or another library's method.
                return self.made(site)
            if target is not None and not self.is_buffer(target):
                self.file(site, target, mode, kind, loader=f".{attr}")
                if attr in ("download_file", "download_to_filename", "fget_object"):
                    self.downloaded(site, target)
                if attr == "load_model" and isinstance(owner, Obj):
                    self.frames.loaded[id(owner)] = (owner, target)
            return self.made(site)
        if head in ("builtins.open", "gzip.open", "bz2.open", "lzma.open"):
            return self.file_method(owner, attr, site)
        if head.startswith(("logging.getLogger", "loguru", "structlog", "logging.LoggerAdapter")):
            if attr in tables.LOG_METHODS:
                self.note(site, "log", f".{attr}")
                return Const(None)
        elif attr in ("info", "debug", "warning", "error", "exception") and isinstance(owner, Unk):
            self.note(site, "log", f".{attr}")
            return Const(None)
        if attr == "submit" and site.args:
            return self.offload(site, 0)
        if attr == "start" and head in ("threading.Thread", "multiprocessing.Process"):
            target = owner.kwargs.get("target") if isinstance(owner, Obj) else None
            if isinstance(target, Func | Bound) and isinstance(owner, Obj):
                passed = owner.kwargs.get("args")
                arguments = self.iterate(passed) if passed is not None else []
                with run.guard("thread"):
                    run.call(target, arguments or [], {}, site.node, loose=arguments is None)
            return Const(None)
        if attr == "add_task" and site.args and isinstance(site.args[0], Func | Bound):
            with run.guard("thread"):
                run.call(site.args[0], site.args[1:], site.kwargs, site.node)
            return Const(None)
        if head == "argparse.ArgumentParser":
            return self.argparse(site, owner, attr)
        if head == "configparser.ConfigParser" and isinstance(owner, Obj):
            return self.configparser(site, owner, attr)
        if attr == "command" and head in ("typer.Typer", "click.group()"):
            made = self.made(site)
            made.data = owner
            if isinstance(owner, Obj) and not isinstance(owner.data, list):
                owner.data = []
            return made
        self.serving_call(site, owner, attr)
        if isinstance(owner, Table):
            return self.frames.method(site, owner, attr)
        if attr == "get" and len(site.args) == 1 and isinstance(owner, Obj | Loaded):
            held = self.held(owner, site.args[0])
            if held is not None:
                return held
        if (
            isinstance(owner, Inst)
            and attr in ("model_dump", "dict")
            and self.is_request_model(owner.cls)
        ):
            return self.frames.dump(owner, site)
        if head in ("environ.Env",) or head.startswith(("environs.", "decouple.")):
            if attr == "read_env":
                self.load_env(site.args[0] if site.args else None, replaces=False, site=site)
                return Const(None)
            return self.environ_read(site, owner, attr)
        if isinstance(owner, Unk):
            for argument in (*site.args, *site.kwargs.values()):
                self.escape(argument)
        return None

    def serving_call(self, site: Site, owner: V | None, attr: str) -> None:
        """Note what a method's name says of serving: predicting, preparing, keeping."""
        if attr in tables.PREDICT_METHODS and self.may_predict(owner, attr, site):
            self.note(site, "predict", f".{attr}")
        elif self.run.phase >= Phase.REQUEST:
            if attr in tables.PREPROCESS_METHODS:
                self.note(site, "preprocess", f".{attr}")
            elif attr in tables.STORE_METHODS or attr.startswith(tables.STORE_PREFIXES):
                self.note(site, "store", f".{attr}")

    def may_predict(self, owner: V | None, attr: str, site: Site) -> bool:
        if owner is None:  # ``from package import model``: only names that mean one thing
            return attr.startswith("predict")
        if isinstance(owner, Obj) and attr == "run":
            return owner.name.endswith(("InferenceSession", "Session"))
        if attr in ("run", "encode", "invoke", "detect"):
            if isinstance(owner, Const):
                return False
            if isinstance(owner, Obj):
                return owner.name in tables.LOADERS or owner.name.endswith("from_pretrained")
            text = text_of(site.node.func).lower() if isinstance(site.node, ast.Call) else ""
            return any(word in text for word in ("model", "sess", "ort", "encoder", "embed"))
        return True

    def offload(self, site: Site, position: int) -> V:
        """Run a function given to an executor: off the event loop."""
        self.note(site, "executor")
        run = self.run
        if position < len(site.args):
            saved = (run.in_async, run.offloaded)
            run.in_async, run.offloaded = False, True
            try:
                return run.call(
                    site.args[position], site.args[position + 1 :], site.kwargs, site.node
                )
            finally:
                run.in_async, run.offloaded = saved
        return self.made(site)

    def downloaded(self, site: Site, target: V) -> None:
        """A file is fetched to this path."""
        path = self.run.sink.path(target)
        if isinstance(path.resolved, str):
            self.run.sink.downloaded.add(path.resolved)
        self.note(site, "download")

    # -- files, paths, text --

    def file_method(self, owner: V, attr: str, site: Site) -> V | None:
        if attr in ("read", "readlines", "readline") and isinstance(owner, Obj) and owner.args:
            text = self.text_of_file(owner)
            if text is None and attr == "read" and not site.args:
                return Obj("file.bytes", [owner])
            if text is None or site.args:
                return Unk("the contents of a file")
            if attr == "read":
                return text
            if attr == "readlines" and isinstance(text, Const):
                lines = text.value.splitlines(keepends=True)
                if len(lines) <= val.MAX_ITEMS:
                    return ListV([Const(line, text.deps) for line in lines])
        return None

    def text_of_file(self, opened: V) -> Const | None:
        """The contents of a file that the image holds, when it is small text."""
        path = self.run.sink.path(opened)
        if not isinstance(path.resolved, str) or path.resolved in self.run.sink.created:
            return None
        text = self.run.program.read(path.resolved)
        if text is None or len(text) > 65_536:
            return None
        return Const(text, frozenset({f"file:{path.resolved}"}) | set(path.depends))

    def path_method(self, site: Site, owner: PathV, attr: str) -> V:
        """A method of a known path."""
        pure = PurePosixPath(owner.text)
        deps = owner.deps

        def derived(make: Callable[[], PurePosixPath]) -> V:
            try:
                return PathV(str(make()), deps, owner.origin)
            except (ValueError, TypeError):
                return Unk("raises ValueError", deps)

        texts: list[str] | None = []
        more = deps
        for argument in site.args:
            if isinstance(argument, Choice):
                position = site.args.index(argument)
                return join(
                    *(
                        self.path_method(
                            Site(
                                site.name,
                                owner,
                                [*site.args[:position], option, *site.args[position + 1 :]],
                                site.kwargs,
                                site.node,
                            ),
                            owner,
                            attr,
                        )
                        for option in argument.options
                    )
                )
            more |= deps_of(argument)
            if isinstance(argument, Const) and isinstance(argument.value, str):
                if texts is not None:
                    texts.append(argument.value)
            elif isinstance(argument, PathV):
                if texts is not None:
                    texts.append(argument.text)
            else:
                texts = None
        deps = more
        if attr == "joinpath":
            return (
                derived(lambda: pure.joinpath(*texts))
                if texts is not None
                else unknown_from(*site.args)
            )
        if attr in ("with_name", "with_suffix", "with_stem", "relative_to"):
            if texts is None or len(texts) != 1:
                return unknown_from(*site.args)
            return derived(lambda: getattr(pure, attr)(*texts))
        if attr in ("resolve", "absolute"):
            return self.resolved(owner, normal=attr == "resolve")
        if attr == "expanduser":
            return self.expand_user(owner)
        if attr in ("as_posix", "__str__", "__fspath__"):
            return Const(owner.text, deps, owner.origin)
        if attr == "is_absolute":
            return Const(pure.is_absolute(), deps)
        if attr in _PATH_TESTS:
            return self.path_exists(owner, site)
        kind, mode = {
            "open": ("file", "read"),
            "read_text": ("file", "read"),
            "read_bytes": ("file", "read"),
            "write_text": ("file", "write"),
            "write_bytes": ("file", "write"),
            "mkdir": ("directory", "create"),
            "touch": ("file", "create"),
            "unlink": ("file", "delete"),
            "rmdir": ("directory", "delete"),
            "iterdir": ("directory", "list"),
            "stat": ("file", "read"),
        }.get(attr, ("", ""))
        if attr == "open":
            return self.open(site, owner, site.get(0, "mode"), f"pathlib.Path.{attr}")
        if mode:
            exist_ok = site.kwargs.get("exist_ok") or site.kwargs.get("missing_ok")
            missing_ok = isinstance(exist_ok, Const) and bool(exist_ok.value)
            self.file(site, owner, mode, kind, loader=f"pathlib.Path.{attr}", missing_ok=missing_ok)
        if attr == "read_text":
            return self.text_of_file(owner) or Unk("the contents of a file")
        if attr == "read_bytes":
            return Obj("file.bytes", [owner])
        if attr == "glob" and site.args:
            pattern = site.args[0]
            if isinstance(pattern, Const) and isinstance(pattern.value, str):
                return self.search(owner, posixpath.join(owner.text, pattern.value))
        if attr in ("glob", "rglob", "iterdir"):
            return ListV(None)
        return Unk(f"Path.{attr}() is not followed", deps)

    def search(self, start: V, pattern: str) -> V:
        """What a pattern matches, when every name in its directory is known."""
        run = self.run
        folder, _, last = pattern.rpartition("/")
        if any(char in folder for char in "*?[") or "**" in last or not last:
            return ListV(None)
        full = run.absolute(folder or ".")
        if not isinstance(full, str) or any(
            made == full or made.startswith(f"{full}/") for made in run.sink.created
        ):
            return ListV(None)
        names = run.program.names(full)
        if names is None:
            return ListV(None)
        from fnmatch import fnmatchcase

        matched = sorted(
            name
            for name in names
            if fnmatchcase(name, last) and (last.startswith(".") or not name.startswith("."))
        )
        if len(matched) > 1:
            return ListV(None)  # in which order is the file system's business
        deps = deps_of(start)
        place = f"{folder}/" if folder else ""
        items: list[V] = [
            PathV(path_text(place + name), deps)
            if isinstance(start, PathV)
            else Const(place + name, deps)
            for name in matched
        ]
        return Found(items, pattern)

    def resolved(self, owner: PathV, *, normal: bool) -> V:
        text, deps = owner.text, owner.deps
        if not text.startswith("/"):
            if not isinstance(self.run.cwd, str):
                return Unk(self.run.cwd.reason, deps)
            text = posixpath.join(self.run.cwd, text)
            deps |= {val.FROM_CWD}
        return PathV(path_text(posixpath.normpath(text) if normal else text), deps, owner.origin)

    def expand_user(self, owner: V) -> V:
        text = owner.text if isinstance(owner, PathV) else owner.value  # type: ignore[attr-defined]
        if not isinstance(text, str) or not text.startswith("~"):
            return owner
        head, slash, tail = text.partition("/")
        home = self.run.env.get("HOME", self.run.program.home)
        if head != "~" or not isinstance(home, str):
            return Unk("a home directory that is not known", deps_of(owner))
        deps = deps_of(owner) | {val.FROM_HOME}
        expanded = home.rstrip("/") + slash + tail
        if isinstance(owner, PathV):
            return PathV(path_text(expanded), deps, owner.origin)
        return Const(expanded or "/", deps)

    def path_exists(self, path: V, site: Site) -> V:
        """``exists`` and its kin; true where the image surely has it."""
        self.exists_calls[id(site.node)] = path
        full = self.run.sink.path(path).resolved
        if isinstance(full, str):
            if self.run.program.exists(full):
                return Const(True, deps_of(path))
            if full in self.run.sink.created and not self.run.guards:
                return Unk("a file that the run makes", deps_of(path))
        return Unk("whether a path exists", deps_of(path))

    def open(self, site: Site, path: V, mode: V | None, loader: str) -> V:
        """``open`` in any of its spellings."""
        text = "r"
        if mode is not None:
            text = mode.value if isinstance(mode, Const) and isinstance(mode.value, str) else "?"
        kind = "read"
        if text == "?":
            kind = "read"
        elif text[:1] in ("w", "x") or "w" in text:
            kind = "write"
        elif "a" in text:
            kind = "append"
        self.file(site, path, kind, "file", loader=loader)
        return Obj("builtins.open", [path], {"mode": Const(text)}, self.run.at(site.node))

    def constant_method(self, owner: Const, attr: str, site: Site) -> V:
        """A method of a constant, computed when the arguments are known."""
        python = self.run.program.python
        if attr in ("removeprefix", "removesuffix") and python is not None and python < (3, 9):
            self.run.fails(
                site.node,
                f"AttributeError: '{type(owner.value).__name__}' object has no attribute '{attr}'",
                f"`{attr}` came with Python 3.9, and the image runs {python[0]}.{python[1]}",
            )
        if not isinstance(owner.value, str | bytes) or attr not in _STRING_METHODS:
            return Unk(f"{attr}() of a constant", owner.deps)
        for position, argument in enumerate(site.args):
            if isinstance(argument, Choice):
                return join(
                    *(
                        self.constant_method(
                            owner,
                            attr,
                            Site(
                                site.name,
                                owner,
                                [*site.args[:position], option, *site.args[position + 1 :]],
                                site.kwargs,
                                site.node,
                            ),
                        )
                        for option in argument.options
                    )
                )
        deps = owner.deps.union(*map(deps_of, [*site.args, *site.kwargs.values()]))
        if site.loose or (attr == "format" and _WIDE.search(str(owner.value))):
            return Unk("a format that is not followed", deps)
        try:
            args = [plain(argument) for argument in site.args]
            kwargs = {name: plain(value) for name, value in site.kwargs.items()}
            if attr == "zfill" and args and args[0] > 1000:
                return Unk("a long text", deps)
            result = getattr(owner.value, attr)(*args, **kwargs)
        except Exception:
            return unknown_from(owner, *site.args, *site.kwargs.values())
        if isinstance(result, str | bytes | int | bool):
            if isinstance(result, str | bytes) and len(result) > 20_000:
                return Unk("a long text", deps)
            return Const(result, deps, owner.origin if isinstance(result, str) else None)
        if isinstance(result, list | tuple):
            kind = type(result).__name__
            if len(result) > val.MAX_ITEMS:
                return ListV(None, kind)
            return ListV([Const(part, deps) for part in result], kind)
        return Unk("a value of an unusual type", deps)

    def container_method(self, owner: ListV | DictV, attr: str, site: Site) -> V:
        if isinstance(owner, ListV):
            return self.list_method(owner, attr, site)
        items = owner.items
        if attr in ("get", "pop", "setdefault") and site.args:
            key, fallback = site.args[0], site.get(1, "default") or Const(None)
            if not isinstance(key, Const):
                return Unk("an item of a mapping that is not known", owner.origin_deps)
            found = items.get(key.value)
            if attr == "pop" and (not self.run.undecided or certain(self.run, owner.born)):
                items.pop(key.value, None)
            elif attr == "pop":
                owner.partial = True
            if found is None:
                if owner.partial:
                    return join(
                        Unk("an item of a mapping that is not known"),
                        fallback if attr == "get" else None,
                    )
                if attr == "setdefault":
                    items[key.value] = fallback
                return fallback
            found = with_deps(found, owner.origin_deps)
            return join(found, fallback) if owner.partial and attr == "get" else found
        if attr == "items":
            if owner.partial:
                return ListV(None)
            return ListV([ListV([Const(k), v], "tuple") for k, v in items.items()])
        if attr == "keys":
            return ListV(None if owner.partial else [Const(k) for k in items])
        if attr == "values":
            return ListV(None if owner.partial else list(items.values()))
        if attr == "copy":
            copied = DictV(
                dict(items), partial=owner.partial, attr=owner.attr, deps=owner.origin_deps
            )
            copied.born = birth(self.run)
            return copied
        if attr == "update":
            for added in (*site.args, DictV(dict(site.kwargs))):
                if isinstance(added, DictV):
                    for name, value in added.items.items():
                        self.set_item(owner, Const(name), value, site.node)
                    owner.partial |= added.partial
                else:
                    owner.partial = True
                    items.clear()
            return Const(None)
        if attr == "clear":
            owner.partial = owner.partial or self.run.undecided
            if not self.run.undecided:
                items.clear()
            return Const(None)
        return Unk(f"dict.{attr}() is not followed")

    def list_method(self, owner: ListV, attr: str, site: Site) -> V:
        if attr in ("append", "add") and site.args:
            self.list_extend(owner, ListV([site.args[0]]))
            return Const(None)
        if attr == "extend" and site.args:
            self.list_extend(owner, site.args[0])
            return Const(None)
        if attr == "copy":
            return ListV(None if owner.items is None else list(owner.items), owner.kind)
        if attr in ("insert", "remove", "pop", "sort", "reverse", "clear", "discard", "update"):
            first = site.args[0] if site.args else None
            simple = not self.run.undecided and owner.items is not None
            if simple and attr == "insert" and isinstance(first, Const) and len(site.args) == 2:
                assert owner.items is not None
                owner.items.insert(first.value, site.args[1])
                return Const(None)
            if simple and attr == "pop" and owner.items:
                index = first.value if isinstance(first, Const) else -1
                if first is None or isinstance(first, Const):
                    try:
                        return owner.items.pop(index)
                    except (IndexError, TypeError):
                        return Unk("raises IndexError")
            owner.items = None
            return Unk("a changed list")
        return Unk(f"list.{attr}() is not followed")

    def os_path(self, attr: str, site: Site) -> V:
        """``os.path`` functions."""
        args = [self.as_text(a) for a in site.args]
        if any(isinstance(a, Choice) for a in args):
            return over(
                lambda *one: self.os_path(
                    attr, Site(site.name, None, list(one), site.kwargs, site.node)
                ),
                *args,
            )
        if attr in ("exists", "isfile", "isdir", "lexists") and args:
            return self.path_exists(args[0], site)
        if attr == "expanduser" and args and isinstance(args[0], Const):
            return self.expand_user(args[0])
        if attr == "expandvars" and args and isinstance(args[0], Const):
            return Unk("expandvars() is not followed") if "$" in str(args[0].value) else args[0]
        for argument in args:
            if isinstance(argument, Const) and argument.value is None:
                self.crash(argument, f"os.path.{attr}(None) raises TypeError")
        if (
            site.loose
            or not args
            or not all(isinstance(a, Const) and isinstance(a.value, str) for a in args)
        ):
            return unknown_from(*args) if args else Unk(f"os.path.{attr}() is not followed")
        texts = [a.value for a in args if isinstance(a, Const)]
        deps = frozenset().union(*map(deps_of, args))
        origin = next((a.origin for a in reversed(args) if isinstance(a, Const) and a.origin), None)
        if attr in ("abspath", "realpath"):
            if not texts[0].startswith("/"):
                if not isinstance(self.run.cwd, str):
                    return Unk(self.run.cwd.reason, deps)
                deps |= {val.FROM_CWD}
                return Const(
                    posixpath.normpath(posixpath.join(self.run.cwd, texts[0])), deps, origin
                )
            return Const(posixpath.normpath(texts[0]), deps, origin)
        if attr in ("join", "dirname", "basename", "normpath", "normcase", "isabs", "commonpath"):
            try:
                return Const(getattr(posixpath, attr)(*texts), deps, origin)
            except (TypeError, ValueError):
                return Unk(f"os.path.{attr}() raises", deps)
        if attr in ("split", "splitext"):
            parts = getattr(posixpath, attr)(texts[0])
            return ListV([Const(part, deps) for part in parts], "tuple")
        if attr == "relpath" and isinstance(self.run.cwd, str) and all(texts):
            full = [posixpath.normpath(posixpath.join(self.run.cwd, t)) for t in texts]
            base = full[1] if len(full) > 1 else self.run.cwd
            return Const(posixpath.relpath(full[0], base), deps | {val.FROM_CWD})
        return Unk(f"os.path.{attr}() is not followed", deps)

    def as_text(self, value: V) -> V:
        """A path as the text that ``os.fspath`` gives."""
        if isinstance(value, PathV):
            return Const(value.text, value.deps, value.origin)
        if isinstance(value, Choice):
            return Choice(tuple(self.as_text(option) for option in value.options))
        return value

    # -- configuration --

    def environ_read(self, site: Site, owner: V, attr: str = "") -> V:
        """django-environ, environs and decouple: ``env("X", default=…)``."""
        how = "decouple" if isinstance(owner, Obj) and "decouple" in owner.name else "environ"
        default = site.kwargs.get("default")
        starlette = isinstance(owner, Obj) and owner.name == "starlette.config.Config"
        if default is None and len(site.args) > (2 if starlette else 1):
            default = site.args[2 if starlette else 1]
        cast = attr or (text_of_ext(site.kwargs.get("cast")))
        key = site.args[0] if site.args else None
        if starlette and isinstance(owner, Obj) and isinstance(key, Const):
            # The environment wins over the file, and the file over the default.
            file = owner.args[0] if owner.args else owner.kwargs.get("env_file")
            default = self.from_file(self.assignments(file) if file else None, key, default)
        elif how == "decouple" and isinstance(key, Const):
            default = self.from_file(self.dotenv(None, site=site), key, default)
        return self.read_env(
            site.node,
            key,
            how,
            default=default,
            required=default is None,
            convert=lambda value: self.coerce(value, cast),
        )

    def from_file(self, read: tuple[DictV, str] | None, key: Const, default: V | None) -> V | None:
        """What a ``.env`` file says of a variable, else its default.

        Of a file that is made by hand only the template is known: where that agrees with the
        default, or says nothing of the variable, the default stands.
        """
        if read is None:
            return default
        table, why = read
        value = table.items.get(str(key.value))
        if not why:
            return default if value is None else value
        if value is None:
            return Unk(why) if default is None else default
        if (
            isinstance(default, Const)
            and isinstance(value, Const)
            and str(default.value) == str(value.value)
        ):
            return default
        return join(value, Unk(why))

    def coerce(self, value: V, kind: str) -> V:
        """A text as another type, the way settings libraries convert."""
        if isinstance(value, Choice):
            return over(lambda one: self.coerce(one, kind), value)
        words = set(re.findall(r"\w+", kind))
        if words & {"Path", "FilePath", "DirectoryPath", "path"}:
            if isinstance(value, Const) and isinstance(value.value, str):
                return PathV(path_text(value.value), value.deps, value.origin)
            return value
        if not isinstance(value, Const) or not isinstance(value.value, str):
            return value
        text = value.value.strip()
        try:
            if "bool" in words:
                lowered = text.lower()
                if lowered in ("1", "true", "t", "yes", "y", "on"):
                    return Const(True, value.deps)
                if lowered in ("0", "false", "f", "no", "n", "off", ""):
                    return Const(False, value.deps)
                return Unk("no boolean", value.deps)
            if "int" in words:
                return Const(int(text[:400]), value.deps, value.origin)
            if "float" in words:
                return Const(float(text[:400]), value.deps)
            if words & {"list", "List", "dict", "Dict", "tuple", "set", "json"}:
                return Unk("a value that is parsed", value.deps)
        except ValueError:
            return Unk("raises ValueError", value.deps)
        return value

    def argparse(self, site: Site, owner: V, attr: str) -> V | None:
        if not isinstance(owner, Obj):
            return None
        if not isinstance(owner.data, dict):
            owner.data = {}
        if attr in ("add_argument_group", "add_mutually_exclusive_group"):
            self.parsers.setdefault(id(owner), [])
            return owner
        declared = self.parsers.setdefault(id(owner), [])
        if attr == "set_defaults":
            owner.data.update(site.kwargs)
        elif attr == "add_argument":
            names = [
                a.value for a in site.args if isinstance(a, Const) and isinstance(a.value, str)
            ]
            declared.append((tuple(names), _is_set(site.kwargs.get("required"))))
            if names:
                target = next((n for n in names if n.startswith("--")), names[0])
                given = site.kwargs.get("dest")
                if isinstance(given, Const) and isinstance(given.value, str):
                    target = given.value
                action = site.kwargs.get("action")
                action_name = action.value if isinstance(action, Const) else ""
                default: V = site.kwargs.get("default") or Const(None)
                flag = action_name in ("store_true", "store_false")
                if flag and "default" not in site.kwargs:
                    default = Const(action_name == "store_false")
                passed = self.from_argv(names, flag=flag)
                if flag and passed is not None:
                    passed = Const(action_name == "store_true")
                value = passed or default
                if not names[0].startswith("-") and not passed:
                    value = Unk("a positional argument of the command line")
                kind = text_of_ext(site.kwargs.get("type"))
                value = self.coerce(value, kind)
                if "nargs" in site.kwargs and passed:
                    value = Unk("arguments of the command line")
                owner.data[target.lstrip("-").replace("-", "_")] = value
            return Const(None)
        elif attr in ("parse_args", "parse_known_args"):
            made = DictV(dict(owner.data), partial=True, attr=True)
            self.refuse_arguments(site, declared, strict=attr == "parse_args")
            return ListV([made, ListV(None)], "tuple") if attr == "parse_known_args" else made
        elif attr == "add_subparsers":
            declared.append(((), False))
            return Unk("subcommands are not followed")
        return Const(None)

    def refuse_arguments(
        self, site: Site, declared: list[tuple[tuple[str, ...], bool]], *, strict: bool
    ) -> None:
        """Note where argparse ends the program: an option it does not know, or one it misses."""
        if site.args or not declared or any(not names for names, _ in declared):
            return
        known = {name for names, _ in declared for name in names}
        flags = [word.partition("=")[0] for word in self.run.argv if word.startswith("--")]
        wrong = [
            flag
            for flag in flags
            if flag not in ("--", "--help") and not any(name.startswith(flag) for name in known)
        ]
        missing = [
            names[0]
            for names, required in declared
            if required and not any(n == w.partition("=")[0] for n in names for w in self.run.argv)
        ]
        text = ""
        if wrong and strict:
            text = f"unrecognized arguments: {wrong[0]}"
        elif missing:
            text = f"the following arguments are required: {missing[0]}"
        if text:
            self.run.sink.add_call(
                Call(
                    at=self.run.at(site.node),
                    reach=self.run.reach(),
                    category="exit",
                    name="argparse.error",
                    mentions=(text,),
                )
            )

    def configparser(self, site: Site, owner: Obj, attr: str) -> V | None:
        if attr == "read" and site.args:
            targets = self.iterate(site.args[0]) if isinstance(site.args[0], ListV) else None
            for target in targets or [site.args[0]]:
                self.file(site, target, "read", "config", missing_ok=True)
                text = self.text_of_file(target)
                full = self.run.sink.path(target).resolved
                if text is None and isinstance(full, str) and owner.data is None:
                    # It passes over a file that is not there; what is asked of it then fails.
                    made = full in self.run.sink.created
                    absent = not made and self.run.program.exists(full) is False
                    owner.args = [Const(full)] if absent else []
                else:
                    owner.args = []
                if text is not None:
                    sections = read_config(text.value, "ini", text.deps)
                    owner.data = dict(sections.items) if isinstance(sections, DictV) else None
            return Const(None)
        if attr in ("get", "getint", "getfloat", "getboolean") and len(site.args) > 1:
            section, key = site.args[0], site.args[1]
            table = (owner.data or {}).get(section.value) if isinstance(section, Const) else None
            if isinstance(section, Const) and "fallback" not in site.kwargs:
                self.unread_section(owner, section, site.node)
            if isinstance(table, DictV) and isinstance(key, Const):
                value = table.items.get(str(key.value).lower())
                if value is not None:
                    return self.coerce(value, {"getboolean": "bool"}.get(attr, attr[3:]))
            return site.kwargs.get("fallback") or Unk("a configuration value")
        return None

    def unread_section(self, owner: Obj, section: Const, node: ast.AST) -> None:
        """A section of a configuration whose only file is not there."""
        if owner.data is not None or not owner.args or not isinstance(owner.args[0], Const):
            return
        subscript = isinstance(node, ast.Subscript)
        error = (
            f"KeyError: {section.value!r}"
            if subscript
            else f"configparser.NoSectionError: No section: {section.value!r}"
        )
        path = owner.args[0].value
        self.run.fails(node, error, f"{path} is not in the image, and `read` passes over it")

    def dotenv(self, path: V | None, *, site: Site) -> tuple[DictV, str]:
        """What a ``.env`` file assigns, and why it may assign more.

        The file is the one given, or the first one upward from the module that asks.
        """
        candidates: list[V] = []
        if path is not None and not (isinstance(path, Const) and path.value is None):
            candidates.append(path)
            self.file(site, path, "read", "config", loader="dotenv.load_dotenv", missing_ok=True)
        else:
            assert self.run.frame is not None
            file = self.run.frame.state.file
            folder = posixpath.dirname(file) if isinstance(file, str) else ""
            while folder:
                candidates.append(Const(posixpath.join(folder, ".env")))
                if folder == "/":
                    break
                folder = posixpath.dirname(folder)
        for candidate in candidates:
            found = self.assignments(candidate)
            if found is not None:
                return found
        return DictV({}, partial=True), ""

    def assignments(self, path: V) -> tuple[DictV, str] | None:
        """What this ``.env`` file assigns, and why it may assign more; None when there is none.

        One that git ignores is on the machine of whoever builds the image: its template, where
        the image has one beside it, tells what is likely in it.
        """
        text = self.text_of_file(path)
        if text is not None:
            table = read_config(text.value, "env", text.deps)
            return (table, "") if isinstance(table, DictV) else None
        where = self.run.sink.path(path).resolved
        if not isinstance(where, str) or not self.run.program.by_hand(where):
            return None
        why = f"{posixpath.basename(where)} is made by hand (git ignores it)"
        for template in _templates(where):
            text = self.text_of_file(Const(template))
            if text is not None:
                table = read_config(text.value, "env", text.deps)
                return (table if isinstance(table, DictV) else DictV({})), why
        return DictV({}), why

    def load_env(self, path: V | None, *, replaces: bool, site: Site) -> None:
        """Put what a ``.env`` file assigns into the environment."""
        table, why = self.dotenv(path, site=site)
        if why:
            self.run.env_by_hand = (table, why)
            return
        for key, value in table.items.items():
            if replaces or key not in self.run.env:
                self.set_env(Const(key), value)

    # -- instances of project classes --

    def instantiate(
        self, cls: Class, args: list[V], kwargs: dict[str, V], node: ast.AST, *, loose: bool
    ) -> V:
        """Make an instance: ``__init__``, data class fields, settings from the environment."""
        run = self.run
        external = cls.external()
        inst = Inst(cls)
        if any(base.startswith("enum.") for base in external):
            return Unk("an enum member")
        settings = any(base.endswith("BaseSettings") for base in external)
        is_model = any(
            base.endswith((".BaseModel", ".SQLModel", "msgspec.Struct")) for base in external
        )
        is_data = any("dataclass" in d or d in ("attr.s", "attrs.define", "attr.define", "define")
                      for c in cls.mro() for d in c.decorators)  # fmt: skip
        if "typing.NamedTuple" in external:
            is_data = True
        init = run.class_attribute(inst, "__init__")
        if settings:
            from auditor.parsers.python.settings import read_settings

            read_settings(self, inst, kwargs, node)
        elif isinstance(init, Func):
            run.call_function(init, [inst, *args], kwargs, node, loose=loose)
        elif is_data or is_model:
            self.fill_fields(inst, args, kwargs, loose=loose)
            if is_model:
                self.model_made(cls, args, kwargs, loose=loose)
            after = run.class_attribute(inst, "__post_init__") or run.class_attribute(
                inst, "model_post_init"
            )
            if isinstance(after, Func):
                run.call_function(after, [inst], {}, node, loose=True)
        else:
            new = run.class_attribute(inst, "__new__")
            if isinstance(new, Func):
                run.cached += 1
                try:
                    result = run.call_function(new, [cls, *args], kwargs, node, loose=loose)
                finally:
                    run.cached -= 1
                if isinstance(result, Inst):
                    return result
                inst.partial = True
            elif external:
                inst.partial = True
        self.class_instance(inst, external, node)
        return inst

    def fill_fields(self, inst: Inst, args: list[V], kwargs: dict[str, V], *, loose: bool) -> None:
        fields: dict[str, tuple[Class, ast.expr]] = {}
        for cls in reversed(inst.cls.mro()):
            for name, annotation, _value, _node in cls.annotations:
                if "ClassVar" not in text_of(annotation):
                    fields[name] = (cls, annotation)
        given = dict(zip(fields, args, strict=False)) | kwargs
        for name, (_cls, annotation) in fields.items():
            value = given.get(name)
            if value is not None:
                kind = text_of(annotation)
                inst.attrs[name] = (
                    self.coerce(value, kind)
                    if any(b.startswith("pydantic") for b in inst.cls.external())
                    else value
                )
            elif loose:
                inst.attrs[name] = Unk(f"field {name} is passed by unpacking")
            else:
                default = self.field_default(inst, name)
                inst.attrs[name] = default or Unk(f"field {name} is not given")

    def field_default(self, inst: Inst, name: str) -> V | None:
        """The default of a declared field; None when it is required."""
        value = self.run.class_attribute(inst, name)
        if isinstance(value, Obj) and value.name in _FIELDS:
            factory = value.kwargs.get("default_factory") or value.kwargs.get("factory")
            if factory is not None:
                return self.run.call(factory, [], {}, inst.cls.node)
            inner = value.kwargs.get("default") or (
                value.args[0] if value.args and value.name.startswith("pydantic") else None
            )
            value = inner
        if isinstance(value, Ext) and value.name in ("builtins.Ellipsis", "pydantic.Required"):
            return None
        return value


class _Located(ast.AST):
    """A stand-in node for a fact at the place of an object that was made earlier."""

    def __init__(self, made: Obj) -> None:
        super().__init__()
        assert made.at is not None
        self.lineno = made.at.line
        self.end_lineno = made.at.end_line
        self.col_offset = made.at.column - 1
        self.end_col_offset = made.at.end_column - 1


def text_of_ext(value: V | None) -> str:
    """The bare name of a type given as a value."""
    if isinstance(value, Ext):
        return value.name.rpartition(".")[2]
    return value.qualname if isinstance(value, Class) else ""


_FIELDS = frozenset(
    {
        "pydantic.Field", "dataclasses.field", "attr.ib", "attrs.field", "attr.field",
        "pydantic.fields.Field", "sqlmodel.Field", "pydantic.PrivateAttr",
    }
)  # fmt: skip
_CATEGORY = dict(tables.CATEGORIES)


# ---- models of single calls ----


@model("os.getenv", "os.environ.get")
def _getenv(models: Models, site: Site) -> V:
    default = site.get(1, "default")
    return models.read_env(site.node, site.get(0, "key"), site.name, default=default)


@model("os.environ.setdefault")
def _setdefault(models: Models, site: Site) -> V:
    name, value = site.get(0), site.get(1) or Const(None)
    if isinstance(name, Const) and name.value not in models.run.env:
        models.set_env(name, value)
    return models.variable(name, value)


@model("os.environ.update")
def _environ_update(models: Models, site: Site) -> V:
    for table in (*site.args, DictV(dict(site.kwargs))):
        if isinstance(table, DictV):
            for key, value in table.items.items():
                models.set_env(Const(key), value)
    return Const(None)


@model("os.environ.pop")
def _environ_pop(models: Models, site: Site) -> V:
    value = models.variable(site.get(0), site.get(1))
    if isinstance(site.args[0] if site.args else None, Const) and not models.run.undecided:
        models.run.env.pop(str(site.args[0].value), None)  # type: ignore[attr-defined]
    return value


@model("os.environ.copy")
def _environ_copy(models: Models, site: Site) -> V:
    return DictV({}, partial=True)


_TEMPLATE = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example",
             "example.env", "sample.env")  # fmt: skip


def _templates(path: str) -> list[str]:
    """Where the template of a ``.env`` file that git ignores would be."""
    folder, name = posixpath.split(path)
    own = [f"{name}.example", f"{name}.sample", f"{name}.template"]
    return [posixpath.join(folder, n) for n in dict.fromkeys((*own, *_TEMPLATE))]


@model("dotenv.load_dotenv")
def _load_dotenv(models: Models, site: Site) -> V:
    override = site.kwargs.get("override")
    replaces = isinstance(override, Const) and bool(override.value)
    models.load_env(site.get(0, "dotenv_path"), replaces=replaces, site=site)
    return Unk("whether a .env file was found")


@model("dotenv.find_dotenv")
def _find_dotenv(models: Models, site: Site) -> V:
    return Const(None)


@model("dotenv.dotenv_values")
def _dotenv_values(models: Models, site: Site) -> V:
    table, why = models.dotenv(site.get(0, "dotenv_path"), site=site)
    return DictV(table.items, partial=True) if why else table


@model("decouple.config")
def _decouple(models: Models, site: Site) -> V:
    return models.environ_read(site, Obj("decouple.config"))


@model("os.getcwd", "pathlib.Path.cwd")
def _getcwd(models: Models, site: Site) -> V:
    cwd = models.run.cwd
    if not isinstance(cwd, str):
        return Unk(cwd.reason)
    deps = frozenset({val.FROM_CWD})
    return PathV(path_text(cwd), deps) if site.name.startswith("pathlib") else Const(cwd, deps)


@model("os.chdir")
def _chdir(models: Models, site: Site) -> V:
    target = site.get(0, "path")
    models.note(site, "chdir")
    if target is not None:
        path = models.run.sink.path(target)
        models.run.cwd = path.resolved
        if models.run.guards:
            models.run.cwd = Unknown("the working directory may have been changed")
        models.file(site, target, "list", "directory")
    return Const(None)


@model("os.fspath", "builtins.str")
def _text(models: Models, site: Site) -> V | None:
    if not site.args:
        return Const("")
    value = models.as_text(site.args[0])

    def shown(one: V) -> V:
        if isinstance(one, Const) and len(site.args) == 1:
            if isinstance(one.value, str):
                return one
            return Const(str(one.value), one.deps) if site.name == "builtins.str" else one
        return unknown_from(one)

    return over(shown, value)


@model("pathlib.Path.home")
def _home(models: Models, site: Site) -> V:
    return models.expand_user(PathV("~"))


@model("pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath")
def _path(models: Models, site: Site) -> V:
    if not site.args:
        return PathV(".")

    def made(*parts: V) -> V:
        texts = []
        for part in parts:
            if isinstance(part, PathV):
                texts.append(part.text)
            elif isinstance(part, Const) and isinstance(part.value, str):
                texts.append(part.value)
            else:
                if isinstance(part, Const) and part.value is None:
                    models.crash(part, "Path(None) raises TypeError")
                return unknown_from(*parts) if not known(part) else Unk("no path")
        deps = frozenset().union(*map(deps_of, parts))
        origin = next(
            (p.origin for p in reversed(parts) if isinstance(p, Const | PathV) and p.origin), None
        )
        return PathV(str(PurePosixPath(*texts)), deps, origin)

    return over(made, *site.args)


@model("builtins.open", "aiofiles.open", "fsspec.open", "smart_open.open")
def _open(models: Models, site: Site) -> V | None:
    path = site.get(0, "file", "uri", "urlpath")
    if path is None:
        return None
    return models.open(site, path, site.get(1, "mode"), "builtins.open")


@model("builtins.int", "builtins.float", "builtins.bool")
def _number(models: Models, site: Site) -> V:
    kind = {"builtins.int": int, "builtins.float": float, "builtins.bool": bool}[site.name]
    if not site.args:
        return Const(kind())

    def convert(one: V) -> V:
        if kind is bool:
            answer = val.truth(one)
            return unknown_from(one) if answer is None else Const(answer, deps_of(one))
        if len(site.args) == 1 and (
            isinstance(one, FieldV) or (isinstance(one, Obj) and one.name == "request.value")
        ):
            return one  # the same field, as a number
        if not isinstance(one, Const) or len(site.args) > 1:
            return unknown_from(one)
        if one.value is None:
            models.crash(one, f"{kind.__name__}(None) raises TypeError")
            return Unk("raises TypeError", one.deps)
        try:
            text = one.value[:400] if isinstance(one.value, str | bytes) else one.value
            return Const(kind(text), one.deps, one.origin)
        except (ValueError, TypeError, OverflowError):
            if one is site.args[0] and isinstance(one.value, str) and one.deps:
                error = (
                    f"invalid literal for int() with base 10: {one.value[:80]!r}"
                    if kind is int
                    else f"could not convert string to float: {one.value[:80]!r}"
                )
                named = ", ".join(sorted(one.deps))
                models.run.fails(
                    site.node, f"ValueError: {error}", f"`{named}` is `{one.value[:80]}`"
                )
            return Unk("raises ValueError", one.deps)

    return over(convert, site.args[0])


@model("builtins.len")
def _len(models: Models, site: Site) -> V:
    value = site.args[0] if site.args else None
    if isinstance(value, Const) and isinstance(value.value, str | bytes):
        return Const(len(value.value), value.deps)
    if isinstance(value, ListV) and value.items is not None and value.kind != "set":
        return Const(len(value.items))
    return Unk("a length")


@model("builtins.dict")
def _dict(models: Models, site: Site) -> V:
    made = DictV(dict(site.kwargs), partial=site.loose)
    made.born = birth(models.run)
    if site.args:
        first = site.args[0]
        if isinstance(first, Inst) and models.is_request_model(first.cls):
            first = models.frames.dump(first, None)
        if isinstance(first, DictV):
            made.items = {**first.items, **site.kwargs}
            made.partial |= first.partial
        else:
            made.partial = True
    return made


@model("builtins.vars", "dataclasses.asdict", "attr.asdict", "attrs.asdict",
       "fastapi.encoders.jsonable_encoder", "fastapi.jsonable_encoder")  # fmt: skip
def _as_mapping(models: Models, site: Site) -> V | None:
    first = site.args[0] if len(site.args) == 1 and not site.kwargs else None
    if isinstance(first, Inst) and models.is_request_model(first.cls):
        return models.frames.dump(first, None, aliases=site.name.endswith("jsonable_encoder"))
    return None


@model("builtins.list", "builtins.tuple", "builtins.sorted", "builtins.reversed")
def _list(models: Models, site: Site) -> V:
    kind = "tuple" if site.name.endswith("tuple") else "list"
    if not site.args:
        return ListV([], kind)
    if isinstance(site.args[0], Found):
        return site.args[0]
    items = models.iterate(site.args[0])
    if items is not None and site.name.endswith("reversed"):
        items.reverse()
    if items is not None and site.name.endswith("sorted"):
        try:
            items = [Const(x) for x in sorted(plain(i) for i in items)] if not site.kwargs else None
        except Exception:
            items = None
    return ListV(items, kind)


@model("glob.glob", "glob.iglob")
def _glob(models: Models, site: Site) -> V | None:
    pattern = site.get(0, "pathname")
    if isinstance(pattern, PathV):
        return models.search(Const(pattern.text, pattern.deps), pattern.text)
    if isinstance(pattern, Const) and isinstance(pattern.value, str) and not site.kwargs:
        return models.search(pattern, pattern.value)
    return ListV(None)


@model("builtins.max", "builtins.min", "builtins.next", "builtins.iter")
def _one_of(models: Models, site: Site) -> V | None:
    """One of what a search found; it finds nothing: an exception."""
    found = site.args[0] if site.args else None
    if not isinstance(found, Found) or found.items is None:
        return None
    name = site.name.rpartition(".")[2]
    if name == "iter":
        return found
    if found.items:
        return found.items[0]
    if len(site.args) > 1 or "default" in site.kwargs:
        return None
    error = "StopIteration" if name == "next" else f"ValueError: {name}() arg is an empty sequence"
    models.run.fails(site.node, error, f"nothing matches `{found.pattern}`")
    return Unk("raises")


@model("builtins.range")
def _range(models: Models, site: Site) -> V:
    try:
        numbers = range(*[plain(a) for a in site.args])
    except Exception:
        return ListV(None)
    return ListV([Const(n) for n in numbers] if len(numbers) <= 64 else None)


@model("builtins.enumerate")
def _enumerate(models: Models, site: Site) -> V:
    items = models.iterate(site.args[0]) if site.args else None
    if items is None or len(site.args) > 1 or site.kwargs:
        return ListV(None)
    return ListV([ListV([Const(i), item], "tuple") for i, item in enumerate(items)])


@model("builtins.zip")
def _zip(models: Models, site: Site) -> V:
    columns = [models.iterate(a) for a in site.args]
    if any(c is None for c in columns):
        return ListV(None)
    rows = zip(*(c for c in columns if c is not None), strict=False)
    return ListV([ListV(list(row), "tuple") for row in rows])


@model("builtins.getattr")
def _getattr(models: Models, site: Site) -> V:
    if len(site.args) > 1 and isinstance(site.args[1], Const):
        # A default stands in for what is not there.
        with models.run.guard(*["other-error"] * (len(site.args) > 2)):
            value = models.run.attribute(site.args[0], str(site.args[1].value), site.node)
        if len(site.args) > 2 and isinstance(value, Unk):
            return join(value, site.args[2])
        return value
    return Unk("an attribute whose name is not known")


@model("builtins.isinstance")
def _isinstance(models: Models, site: Site) -> V:
    if len(site.args) == 2:
        return over(_is_instance, *site.args)
    return Unk("a condition that is not known")


def _is_instance(value: V, kinds: V) -> V:
    wanted = kinds.items if isinstance(kinds, ListV) else [kinds]
    names = {kind.name for kind in wanted or [] if isinstance(kind, Ext)}
    if wanted is None or len(names) != len(wanted):
        return Unk("a condition that is not known")
    if isinstance(value, Const):
        own = {f"builtins.{cls.__name__}" for cls in type(value.value).__mro__}
    elif isinstance(value, ListV):
        own = {f"builtins.{value.kind}", "builtins.object"}
    elif isinstance(value, DictV) and not value.attr:
        own = {"builtins.dict", "builtins.object"}
    elif isinstance(value, PathV):
        own = {"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.PathLike",
               "pathlib.PurePosixPath", "builtins.object"}  # fmt: skip
    else:
        return Unk("a condition that is not known")
    if names & own:
        return Const(True)
    plain_names = all(name.startswith("builtins.") for name in names)
    return Const(False) if plain_names else Unk("a condition that is not known")


@model("builtins.callable", "builtins.hasattr", "builtins.any",
       "builtins.all", "builtins.issubclass")  # fmt: skip
def _asks(models: Models, site: Site) -> V:
    return Unk("a condition that is not known")


@model("builtins.print")
def _print(models: Models, site: Site) -> V:
    models.note(site, "print", "print")
    return Const(None)


@model("builtins.super")
def _super(models: Models, site: Site) -> V:
    frame = models.run.frame
    receiver = frame.vars.get("self") if frame is not None else None
    made = Obj("builtins.super")
    if isinstance(receiver, Inst):
        made.args = [receiver]
        cls = frame.function.rpartition(".")[0] if frame is not None else ""
        order = receiver.cls.mro()
        after = next((i + 1 for i, c in enumerate(order) if c.qualname == cls), 1)
        found: dict[str, V] = {}
        for ancestor in reversed(order[after:]):
            for name, value in ancestor.names.items():
                found[name] = Bound(value, receiver) if isinstance(value, Func) else value
        made.data = found
        receiver.partial |= bool(receiver.cls.external())
    return made


@model("importlib.import_module", "builtins.__import__")
def _import_module(models: Models, site: Site) -> V:
    from auditor.parsers.python.facts import Import

    name = site.args[0] if site.args else None
    run = models.run
    if isinstance(name, Const) and isinstance(name.value, str) and not name.value.startswith("."):
        at = run.at(site.node)
        state = run.import_module(name.value, at, Import(at=at, module=name.value, dynamic=True))
        return Mod(state) if state is not None else Ext(name.value)
    run.unsure(site.node, "imports a module whose name is not known")
    return Unk("a module whose name is not known")


@model("tempfile.gettempdir", "tempfile.mkdtemp", "tempfile.mkstemp")
def _temp(models: Models, site: Site) -> V:
    if site.name.endswith("gettempdir"):
        return models.variable(Const("TMPDIR"), Const("/tmp", frozenset({val.FROM_TEMP})))
    return Unk("a temporary path")


@model("sys.path.append", "sys.path.insert", "sys.path.extend")
def _sys_path(models: Models, site: Site) -> V:
    models.note(site, "sys-path")
    target = site.args[-1] if site.args else None
    if target is not None and not isinstance(target, ListV):
        path = models.run.sink.path(target).resolved
        add_root = getattr(models.run.program.finder, "with_root", None)
        if isinstance(path, str) and add_root is not None:
            models.run.add_root(path, first=site.name.endswith("insert"))
    return Const(None)


@model("yaml.safe_load", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "json.load",
       "tomllib.load", "toml.load", "omegaconf.OmegaConf.load", "json.loads", "toml.loads",
       "tomllib.loads", "commentjson.load", "json5.load")  # fmt: skip
def _config(models: Models, site: Site) -> V:
    source = site.args[0] if site.args else None
    kind = "yaml" if "yaml" in site.name or "OmegaConf" in site.name else "json"
    kind = "toml" if "toml" in site.name else kind
    text: V | None = source
    if site.name in ("toml.load", "omegaconf.OmegaConf.load") and source is not None:
        models.file(site, source, "read", "config")
        text = models.text_of_file(source)
    elif isinstance(source, Obj) and source.name == "builtins.open":
        text = models.text_of_file(source)
    if site.name == "tomllib.load" and libraries.opened_as_text(source):
        models.run.fails(
            site.node,
            'TypeError: File must be opened in binary mode, e.g. use `open("foo.toml", "rb")`',
            "`tomllib.load` wants bytes, and the file is opened as text",
        )
    if isinstance(text, Const) and isinstance(text.value, str):
        value = read_config(text.value, kind, text.deps)
        if kind == "json" and "5" not in site.name and not site.name.startswith("comment"):
            libraries.refuse_json(models, site, text)
        if isinstance(value, DictV) and "OmegaConf" in site.name:
            _with_attributes(value)
        return value
    return Unk("the contents of a file" if source is not None else "a configuration")


def _with_attributes(value: DictV) -> None:
    value.attr = True
    for item in value.items.values():
        if isinstance(item, DictV):
            _with_attributes(item)


@model("types.SimpleNamespace", "argparse.Namespace", "easydict.EasyDict", "box.Box",
       "munch.Munch", "omegaconf.OmegaConf.create", "munch.munchify", "addict.Dict")  # fmt: skip
def _namespace(models: Models, site: Site) -> V:
    made = DictV(dict(site.kwargs), attr=True, partial=site.loose)
    for argument in site.args:
        if isinstance(argument, DictV):
            _with_attributes(argument)
            made.items = {**argument.items, **made.items}
            made.partial |= argument.partial
        else:
            made.partial = True
    return made


@model("asyncio.run", "asyncio.create_task", "asyncio.ensure_future", "asyncio.wait_for",
       "anyio.run", "trio.run", "asyncio.shield")  # fmt: skip
def _await(models: Models, site: Site) -> V:
    first = site.args[0] if site.args else Const(None)
    if isinstance(first, Func | Bound):
        return models.run.call(first, site.args[1:], {}, site.node)
    return first


@model("functools.partial")
def _partial(models: Models, site: Site) -> V:
    if site.args and isinstance(site.args[0], Func):
        func = site.args[0]
        made = Func(func.node, func.state, func.closure, func.qualname, dict(func.defaults))
        made.cls, made.decorators, made.yields = func.cls, func.decorators, func.yields
        made.defaults.update(site.kwargs)
        return made if len(site.args) == 1 else Unk("a partial call")
    return Unk("a partial call")


@model("functools.lru_cache", "functools.cache", "functools.wraps", "functools.update_wrapper")
def _cache(models: Models, site: Site) -> V | None:
    if site.name in ("functools.lru_cache", "functools.cache") and site.args:
        func = site.args[0]
        if isinstance(func, Func):
            func.decorators = (*func.decorators, "functools.lru_cache")
            return func
    if site.name == "functools.wraps":
        return Obj("functools.wraps")
    return None


@model("typing.cast", "typing_extensions.cast")
def _cast(models: Models, site: Site) -> V | None:
    return site.args[1] if len(site.args) > 1 else None


@model("copy.deepcopy", "copy.copy", "builtins.iter", "builtins.frozenset")
def _copy(models: Models, site: Site) -> V | None:
    value = site.args[0] if site.args else None
    if isinstance(value, DictV):
        return DictV(dict(value.items), partial=value.partial, attr=value.attr)
    return value if isinstance(value, Const | PathV) else None


@model("xgboost.Booster.load_model", "lightgbm.Booster.load_model")
def _booster(models: Models, site: Site) -> V | None:
    return None


@model("urllib.request.urlretrieve", "wget.download", "gdown.download",
       "keras.utils.get_file", "huggingface_hub.hf_hub_download",
       "huggingface_hub.snapshot_download", "mlflow.artifacts.download_artifacts",
       "torch.hub.download_url_to_file", "urllib.urlretrieve")  # fmt: skip
def _download(models: Models, site: Site) -> V:
    target = site.kwargs.get("filename") if site.name.startswith("urllib") else None
    position = {"urllib.request.urlretrieve": 1, "wget.download": 1, "gdown.download": 1,
                "torch.hub.download_url_to_file": 1, "urllib.urlretrieve": 1}  # fmt: skip
    if target is None:
        names = ("output", "out", "local_dir", "dst", "dst_path")
        target = site.get(position.get(site.name, 99), *names)
    if target is not None:
        models.file(site, target, "write", "file")
        models.downloaded(site, target)
        return target if isinstance(target, Const | PathV) else Unk("is downloaded")
    models.note(site, "download")
    return Unk("is downloaded")


@model("torch.hub.load")
def _hub(models: Models, site: Site) -> V | None:
    source = site.kwargs.get("source")
    if isinstance(source, Const) and source.value == "local" and site.args:
        models.file(site, site.args[0], "read", "artifact")
    else:
        models.note(site, "download")
    path = site.kwargs.get("path")
    if path is not None:
        models.file(site, path, "read", "artifact")
    return models.made(site)


@model("transformers.pipeline")
def _pipeline(models: Models, site: Site) -> V | None:
    target = site.get(1, "model")
    if target is not None and not isinstance(target, Obj):
        models.file(site, target, "read", "artifact", hub=True)
    return models.made(site)


@model("xgboost.Booster", "lightgbm.Booster", "sentencepiece.SentencePieceProcessor")
def _booster_file(models: Models, site: Site) -> V | None:
    target = site.kwargs.get("model_file") or site.get(1 if "xgb" in site.name else 9, "x")
    if site.name.startswith("xgboost") and len(site.args) > 2:
        target = site.args[2]
    if target is not None:
        models.file(site, target, "read", "artifact")
    return models.made(site)


@model("logging.FileHandler", "logging.handlers.RotatingFileHandler",
       "logging.handlers.TimedRotatingFileHandler", "logging.handlers.WatchedFileHandler",
       "concurrent_log_handler.ConcurrentRotatingFileHandler")  # fmt: skip
def _file_handler(models: Models, site: Site) -> V | None:
    path = site.get(0, "filename")
    _log_file(models, site, site.name, path, site.kwargs, site.args)
    return models.made(site)


def _log_file(
    models: Models,
    site: Site,
    name: str,
    path: V | None,
    kwargs: dict[str, V],
    args: list[V] | None = None,
) -> None:
    run = models.run
    kind, rotates = "file", False
    if name.endswith("TimedRotatingFileHandler"):
        kind, rotates = "timed", True
    elif name.endswith("RotatingFileHandler"):
        limit = kwargs.get("maxBytes") or (args[2] if args and len(args) > 2 else None)
        size = limit.value if isinstance(limit, Const) else (None if limit is not None else 0)
        kind = "rotating"
        rotates = None if size is None else bool(size)  # type: ignore[assignment]
    elif name.endswith("WatchedFileHandler"):
        kind, rotates = "watched", None  # type: ignore[assignment]
    if path is not None:
        models.file(site, path, "append", "log", loader=name)
    run.sink.add_log_handler(
        LogHandler(
            at=run.at(site.node),
            reach=run.reach(FILE_GUARDS),
            kind=kind,
            path=None if path is None else run.sink.path(path),
            rotates=rotates,
        )
    )


@model("logging.StreamHandler")
def _stream_handler(models: Models, site: Site) -> V | None:
    run = models.run
    run.sink.add_log_handler(
        LogHandler(at=run.at(site.node), reach=run.reach(), kind="stream", rotates=None)
    )
    return models.made(site)


@model("logging.basicConfig")
def _basic_config(models: Models, site: Site) -> V:
    run = models.run
    path = site.kwargs.get("filename")
    if path is not None and not (isinstance(path, Const) and path.value is None):
        _log_file(models, site, "logging.FileHandler", path, {})
    elif "handlers" not in site.kwargs:
        run.sink.add_log_handler(
            LogHandler(at=run.at(site.node), reach=run.reach(), kind="stream", rotates=None)
        )
    return Const(None)


@model("logging.config.dictConfig")
def _dict_config(models: Models, site: Site) -> V:
    table = site.args[0] if site.args else None
    handlers = table.items.get("handlers") if isinstance(table, DictV) else None
    if isinstance(table, DictV):
        libraries.named_classes(models, site, table)
    if isinstance(handlers, DictV):
        for handler in handlers.items.values():
            if not isinstance(handler, DictV):
                continue
            name = handler.items.get("class") or handler.items.get("()")
            text = name.value if isinstance(name, Const) and isinstance(name.value, str) else ""
            if "filename" in handler.items:
                _log_file(models, site, text, handler.items["filename"], handler.items)
            elif text.endswith("StreamHandler"):
                _stream_handler(models, site)
    elif table is not None and not isinstance(table, DictV):
        models.run.unsure(site.node, "a logging configuration that is not known")
    return Const(None)


@model("logging.config.fileConfig")
def _file_config(models: Models, site: Site) -> V:
    if not site.args:
        return Const(None)
    models.file(site, site.args[0], "read", "config")
    for name, arguments in libraries.ini_handlers(models, site):
        if name.endswith("FileHandler"):
            _log_file(models, site, name, arguments[0] if arguments else None, {}, arguments)
        elif name.endswith("StreamHandler"):
            _stream_handler(models, site)
    return Const(None)


@model("pickle.loads", "cPickle.loads", "_pickle.loads", "dill.loads", "cloudpickle.loads")
def _unpickled(models: Models, site: Site) -> V | None:
    """Bytes that were read from a file, as ``pickle.load`` of that file."""
    path = libraries.held_bytes(site.args[0] if site.args else None)
    if path is None:
        return None
    models.file(site, path, "read", "artifact")
    return models.made(site)


@model("prometheus_client.Counter", "prometheus_client.Gauge", "prometheus_client.Histogram",
       "prometheus_client.Summary")  # fmt: skip
def _metric(models: Models, site: Site) -> V | None:
    """With several processes, every metric is a file of the directory that a variable names."""
    folder = models.run.env.get("PROMETHEUS_MULTIPROC_DIR")
    text = folder.value if isinstance(folder, Const) else folder
    if isinstance(text, str) and text:
        path = Const(posixpath.join(text, "metrics.db"), frozenset({"PROMETHEUS_MULTIPROC_DIR"}))
        models.file(site, path, "write", "file", loader=site.name)
    return None


@model("tornado.options.define")
def _tornado_option(models: Models, site: Site) -> V:
    return libraries.tornado_option(models, site)


@model("tornado.options.parse_config_file", "tornado.options.options.parse_config_file")
def _options_file(models: Models, site: Site) -> V:
    return libraries.options_file(models, site)


@model("absl.flags.DEFINE_integer", "absl.flags.DEFINE_string", "absl.flags.DEFINE_bool",
       "absl.flags.DEFINE_boolean", "absl.flags.DEFINE_float", "absl.flags.DEFINE_enum")  # fmt: skip
def _absl_option(models: Models, site: Site) -> V:
    return libraries.absl_option(models, site)


@model("absl.app.run")
def _absl_run(models: Models, site: Site) -> V:
    return libraries.absl_run(models, site)


@model("cherrypy.config.update")
def _cherrypy_config(models: Models, site: Site) -> V:
    return libraries.cherrypy_config(models, site)


@model("cherrypy.quickstart")
def _cherrypy(models: Models, site: Site) -> None:
    libraries.cherrypy_quickstart(models, site)


@model("loguru.logger.add")
def _loguru(models: Models, site: Site) -> V:
    target = site.get(0, "sink")
    run = models.run
    is_path = isinstance(target, PathV | Choice | Unk) or (
        isinstance(target, Const) and isinstance(target.value, str)
    )
    if target is not None and is_path:
        models.file(site, target, "append", "log")
        rotation = site.kwargs.get("rotation")
        rotates = bool(rotation) and not (isinstance(rotation, Const) and rotation.value is None)
        retained = "retention" in site.kwargs
        run.sink.add_log_handler(
            LogHandler(
                at=run.at(site.node),
                reach=run.reach(FILE_GUARDS),
                kind="loguru",
                path=run.sink.path(target),
                rotates=rotates or retained,
            )
        )
    return Const(None)


@model("logging.getLogger", "structlog.get_logger")
def _get_logger(models: Models, site: Site) -> V:
    return Obj("logging.getLogger", site.args, site.kwargs, models.run.at(site.node))


@model("loguru.logger.info", "loguru.logger.debug", "loguru.logger.warning",
       "loguru.logger.error", "loguru.logger.exception", "loguru.logger.success")  # fmt: skip
def _loguru_record(models: Models, site: Site) -> V:
    models.note(site, "log")
    return Const(None)


@model("contextlib.suppress")
def _suppress(models: Models, site: Site) -> V:
    return Obj("contextlib.suppress", site.args)


@model("django.core.wsgi.get_wsgi_application", "django.core.asgi.get_asgi_application")
def _django(models: Models, site: Site) -> V:
    return models.django(site)


__all__ = ["Models", "Server", "Site", "Value", "compare", "options_of"]


def _is_set(value: V | None) -> bool:
    return isinstance(value, Const) and value.value is True
