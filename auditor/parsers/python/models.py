"""What calls and attributes of libraries mean to the run: values, and facts for the sink."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.parsers.python import (
    answers,
    clients,
    commandline,
    learned,
    libraries,
    pickled,
    refusals,
    tables,
)
from auditor.parsers.python import values as val
from auditor.parsers.python.calls import MODELS
from auditor.parsers.python.facts import Call, Fitted, Phase, Value
from auditor.parsers.python.frames import Frames, birth, certain, reshaped
from auditor.parsers.python.imports import canonical
from auditor.parsers.python.inputs import Web
from auditor.parsers.python.module import text_of
from auditor.parsers.python.operations import plain, reason_of, unknown_from
from auditor.parsers.python.pathmodels import PathModels
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
    with_deps,
)
from auditor.parsers.python.web import handed_over
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.scopes import Frame

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


class Models(PathModels):
    """The library side of one run."""

    def __init__(self, run: Interpreter) -> None:
        super().__init__(run)
        self.frames = Frames(self)
        # What estimators were fitted on, by identity (None: it is not certain).
        self.fits: dict[int, tuple[Obj, Fitted | None]] = {}
        # The same of what a loaded mapping or tuple holds, by its keys.
        self.members: dict[tuple[int, tuple[str | int, ...]], tuple[Obj, Fitted]] = {}
        # The URL of the broker that celery is given.
        self.broker: V | None = None

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
        pickled.written(self, site)
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
        made = self.frames.call(site) or self.made(site)
        learned.loaded(self, site, target, made)
        return made

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
        if attr == "TemplateResponse" and isinstance(owner, Obj):
            answers.template_response(self, site, owner)
        if isinstance(owner, Obj):
            shaped = reshaped(site, owner, attr, run.at(site.node))
            if shaped is not None:
                return shaped
        learnt = pickled.fit(self, site, owner, attr) or learned.ask(self, site, owner, attr)
        if learnt is not None:
            return learnt
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


_CATEGORY = dict(tables.CATEGORIES)
