"""Where configured values come from: the environment, dotenv files, settings classes, INI files."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers import dotenv
from auditor.parsers.python import refusals, tables
from auditor.parsers.python.config import read_config
from auditor.parsers.python.facts import EnvRead, FileAccess
from auditor.parsers.python.module import text_of
from auditor.parsers.python.operations import over, path_text
from auditor.parsers.python.sites import FILE_GUARDS, Site
from auditor.parsers.python.values import (
    Choice,
    Class,
    Const,
    DictV,
    Ext,
    Func,
    Inst,
    ListV,
    Obj,
    PathV,
    Unk,
    V,
    deps_of,
    join,
    text_of_ext,
    with_deps,
)
from auditor.parsers.python.web import WebModels
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter


ENV_GUARDS = frozenset({"import-error", "os-error", "other-error"})

# What opens a file of the name that it is given, whatever that name is.
_OPENS = frozenset({"builtins.open", "joblib.load", "numpy.load", "pandas.read_csv"})

_FIELDS = frozenset(
    {
        "pydantic.Field", "dataclasses.field", "attr.ib", "attrs.field", "attr.field",
        "pydantic.fields.Field", "sqlmodel.Field", "pydantic.PrivateAttr",
    }
)  # fmt: skip


class ConfiguredModels(WebModels):
    """The part of the models that knows configuration."""

    def __init__(self, run: Interpreter) -> None:
        super().__init__(run)
        # What commands of click declare, by their functions; those that stand alone.
        self.clicked: dict[int, list[tuple[tuple[str, ...], str]]] = {}
        self.click_commands: set[int] = set()
        self.nesting = 0
        # What each argument parser was told, by the parser's identity.
        self.parsers: dict[int, list[tuple[tuple[str, ...], bool]]] = {}
        self.exists_calls: dict[int, V] = {}
        self.loading = 0
        # Settings and options that libraries were told, by library and name.
        self.told: dict[str, V] = {}

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

    def crash(self, value: V, what: str) -> None:
        """An unset variable reached a call that cannot take None."""
        if not self.run.guards:
            for name in deps_of(value):
                self.run.sink.crashes.setdefault(name, what)

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

    def iterate(self, value: V) -> list[V] | None:
        """The items that iterating gives, when they are known."""
        if isinstance(value, ListV):
            return None if value.items is None or value.kind == "set" else list(value.items)
        if isinstance(value, DictV) and not value.partial:
            return [Const(key) for key in value.items]
        if isinstance(value, Const) and isinstance(value.value, str) and len(value.value) < 64:
            return [Const(c, value.deps) for c in value.value]
        return None

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

    def text_of_file(self, opened: V) -> Const | None:
        """The contents of a file that the image holds, when it is small text."""
        path = self.run.sink.path(opened)
        if not isinstance(path.resolved, str) or path.resolved in self.run.sink.created:
            return None
        text = self.run.program.read(path.resolved)
        if text is None or len(text) > 65_536:
            return None
        return Const(text, frozenset({f"file:{path.resolved}"}) | set(path.depends))

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
