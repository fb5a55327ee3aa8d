"""What calls and attributes of libraries mean to the run: values, and facts for the sink."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers import dotenv
from auditor.parsers.python import clients, commandline, libraries, refusals, tables
from auditor.parsers.python import values as val
from auditor.parsers.python.calls import MODELS
from auditor.parsers.python.config import read_config
from auditor.parsers.python.facts import Call, EnvRead, FileAccess, Phase, Value
from auditor.parsers.python.frames import Frames, birth, certain
from auditor.parsers.python.imports import canonical
from auditor.parsers.python.module import text_of
from auditor.parsers.python.operations import over, path_text, plain, reason_of, unknown_from
from auditor.parsers.python.sink import mentions
from auditor.parsers.python.sites import FILE_GUARDS, Site
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
    Loaded,
    Obj,
    PathV,
    Table,
    Unk,
    V,
    all_names,
    deps_of,
    join,
    text_of_ext,
    with_deps,
)
from auditor.parsers.python.web import Web, WebModels, handed_over
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.scopes import Frame

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


# Methods of pathlib by the first Python that has them.
# What opens a file of the name that it is given, whatever that name is.
_OPENS = frozenset({"builtins.open", "joblib.load", "numpy.load", "pandas.read_csv"})


class Models(WebModels):
    """The library side of one run."""

    def __init__(self, run: Interpreter) -> None:
        super().__init__(run)
        # What commands of click declare, by their functions; those that stand alone.
        self.clicked: dict[int, list[tuple[tuple[str, ...], str]]] = {}
        self.click_commands: set[int] = set()
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
        if isinstance(path, Const) and path.value == "" and (loader or site.name) in _OPENS:
            run.fails(
                site.node,
                "FileNotFoundError: [Errno 2] No such file or directory: ''",
                "the path is empty",
            )
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
                program=libraries.program_of(site) if category == "subprocess" else "",
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
                    documented=known_name in run.env_shown,
                )
            )
        return value

    # -- attributes --

    def ext_attribute(self, owner: Ext, name: str, node: ast.AST) -> V:
        """An attribute of something external."""
        full = canonical(f"{owner.name}.{name}")
        told = libraries.option(self, full)
        if told is not None:
            return told
        if full == "typing.TYPE_CHECKING":
            return Const(False)
        if full == "sys.argv":
            return CommandLine([Unk("the program's name"), *map(Const, self.run.argv)])
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
                commandline.click_option(self, decorator, target)
            elif name in ("click.command", "click.command()"):
                told = decorator.kwargs if isinstance(decorator, Obj) else {}
                if not told.keys() & {"context_settings", "cls"}:
                    self.clicked.setdefault(id(target), [])
                    self.click_commands.add(id(target))
            elif name in ("click.group", "click.group()"):
                alone = decorator.kwargs if isinstance(decorator, Obj) else {}
                group = Obj("click.group()", [target], alone, self.run.at(node))
                group.data = []
                return group
            elif name.rpartition(".")[2] in ("command", "callback"):
                commandline.unwrap_defaults(self, target)
                if isinstance(decorator, Obj) and isinstance(decorator.data, Obj):
                    commandline.typer_options(self, target)
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
        clients.called(self, site)
        function = MODELS.get(name)
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
        handed_over(site)
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
                return commandline.click_group(self, callee, callee.data, node)
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
        clients.asked(self, site, owner, attr)
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
                options = dict(site.kwargs)
                if attr == "load_model" and len(site.args) > 1:
                    # CatBoost's second argument; the other libraries' methods take one.
                    options.setdefault("format", site.args[1])
                self.file(site, target, mode, kind, loader=f".{attr}", options=options)
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
            if isinstance(target, Func | Bound | Ext) and isinstance(owner, Obj):
                passed, named = owner.kwargs.get("args"), owner.kwargs.get("kwargs")
                arguments = self.iterate(passed) if passed is not None else []
                loose = arguments is None or not (named is None or isinstance(named, DictV))
                given = dict(named.items) if isinstance(named, DictV) else {}
                daemon = owner.kwargs.get("daemon")
                dies = isinstance(daemon, Const) and daemon.value is True
                with run.guard("thread", *(["daemon"] if dies else [])):
                    run.call(target, arguments or [], given, site.node, loose=loose)
            return Const(None)
        if attr == "add_task" and site.args and isinstance(site.args[0], Func | Bound):
            with run.guard("thread"):
                run.call(site.args[0], site.args[1:], site.kwargs, site.node)
            return Const(None)
        if site.name in refusals.FLASK_CONFIG:
            refusals.flask_config(self, site, attr)
            return Unk("whether a configuration was read")
        if head == "argparse.ArgumentParser":
            return commandline.argparse(self, site, owner, attr)
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
                named = site.kwargs.get("env_file") or site.kwargs.get("path")
                path = site.args[0] if site.args else named
                self.load_env(path, replaces=False, site=site)
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
        expanded = home.rstrip("/") + slash + tail or "/"
        if isinstance(owner, PathV):
            return PathV(path_text(expanded), deps, owner.origin)
        return Const(expanded, deps)

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
        if default is None and how == "environ" and isinstance(owner, Obj) and site.args:
            default = self.scheme_default(owner, site.args[0])
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

    def scheme_default(self, owner: Obj, key: V) -> V | None:
        """What ``environ.Env(NAME=(type, default))`` gives where the variable is not set."""
        said = owner.kwargs.get(str(key.value)) if isinstance(key, Const) else None
        if not isinstance(said, ListV) or said.items is None or len(said.items) != 2:
            return None
        return said.items[1]

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
                    if "interpolation" not in owner.kwargs:
                        refusals.interpolation(self, site, table, value)
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
        if not isinstance(where, str):
            return None
        likely = DictV({})
        for template in dotenv.examples(where):
            text = self.text_of_file(Const(template))
            if text is not None:
                table = read_config(text.value, "env", text.deps)
                likely = table if isinstance(table, DictV) else likely
                break
        if self.run.program.by_hand(where):
            return likely, f"{posixpath.basename(where)} is made by hand (git ignores it)"
        self.run.env_shown.update(key for key in likely.items if isinstance(key, str))
        return None

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


_FIELDS = frozenset(
    {
        "pydantic.Field", "dataclasses.field", "attr.ib", "attrs.field", "attr.field",
        "pydantic.fields.Field", "sqlmodel.Field", "pydantic.PrivateAttr",
    }
)  # fmt: skip
_CATEGORY = dict(tables.CATEGORIES)
