"""Settings that libraries keep for themselves: options of a command line, addresses, logging.

CherryPy's configuration says where it listens; Tornado and Abseil have options of their own; the
files and tables of ``logging.config`` name classes to import and files to open.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.python import commandline
from auditor.parsers.python.config import read_config
from auditor.parsers.python.facts import Import
from auditor.parsers.python.values import (
    Bound,
    Const,
    DictV,
    Ext,
    Func,
    Inst,
    ListV,
    Obj,
    Unk,
    V,
    join,
)

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter
    from auditor.parsers.python.models import Models
    from auditor.parsers.python.sites import Site
    from auditor.source import Location

# Where options of a command line are read as attributes, by the library that declares them.
_OPTIONS = {"tornado.options.options": "tornado", "absl.flags.FLAGS": "absl"}
_CHERRYPY = "cherrypy:"
_KINDS = {"integer": "int", "float": "float", "bool": "bool", "boolean": "bool"}


# -- options of a command line --


def option(models: Models, full: str) -> V | None:
    """The value of ``options.port`` of Tornado or Abseil; None where none was declared."""
    owner, _, name = full.rpartition(".")
    library = _OPTIONS.get(owner)
    return models.told.get(f"{library}:{name}") if library is not None else None


def tornado_option(models: Models, site: Site) -> V:
    """``define("port", default=8888, type=int)``."""
    default = site.get(1, "default") or Const(None)
    declared = site.get(2, "type")
    kind = declared.name.rpartition(".")[2] if isinstance(declared, Ext) else ""
    if not kind and isinstance(default, Const) and default.value is not None:
        kind = type(default.value).__name__
    _declare(models, "tornado", site.get(0, "name"), default, kind)
    return Const(None)


def absl_option(models: Models, site: Site) -> V:
    """``flags.DEFINE_integer("port", 8000, "…")``; the flag's holder has the value too."""
    kind = _KINDS.get(site.name.rpartition("_")[2], "str")
    value = _declare(models, "absl", site.get(0, "name"), site.get(1, "default"), kind)
    holder = models.made(site)
    holder.data = {"value": value}
    return holder


def absl_run(models: Models, site: Site) -> V:
    """``app.run(main)``: calls it with what is left of the command line."""
    main = site.get(0, "main")
    if main is not None:
        models.run.call(main, [ListV(None)], {}, site.node)
    return Const(None)


def _declare(models: Models, library: str, name: V | None, default: V | None, kind: str) -> V:
    if not isinstance(name, Const) or not isinstance(name.value, str):
        return Unk("an option whose name is not known")
    given = commandline.from_argv(models, [f"--{name.value}", f"--{name.value.replace('_', '-')}"])
    value = default or Const(None)
    if given is not None:
        value = models.coerce(given, kind) if kind in ("int", "float", "bool") else given
    models.told[f"{library}:{name.value}"] = value
    return value


def options_file(models: Models, site: Site) -> V:
    """``parse_config_file``: any option may get another value there."""
    for key in [key for key in models.told if key.startswith("tornado:")]:
        models.told[key] = join(models.told[key], Unk("a configuration file may set it"))
    return Const(None)


# -- Django --


def django_settings(models: Models, settings: dict[str, V], at: Location) -> tuple[bool, bool]:
    """Import what the settings name; (no request is let in, posts need a CSRF token)."""
    middleware = _texts(settings.get("MIDDLEWARE"))
    for name in _texts(settings.get("INSTALLED_APPS")):
        # `shop.apps.ShopConfig` names a class of the module before it.
        last = name.rpartition(".")[2]
        module = name.rpartition(".")[0] if last[:1].isupper() and "." in name else name
        models.run.import_module(module, at, Import(at=at, module=module, dynamic=True))
    for name in middleware:
        module = name.rpartition(".")[0]
        if module:
            models.run.import_module(module, at, Import(at=at, module=module, dynamic=True))
    hosts, debug = settings.get("ALLOWED_HOSTS", ListV([])), settings.get("DEBUG", Const(False))
    closed = (
        isinstance(hosts, ListV)
        and hosts.items == []
        and isinstance(debug, Const)
        and not debug.value
        and "django.middleware.common.CommonMiddleware" in middleware
    )
    return closed, "django.middleware.csrf.CsrfViewMiddleware" in middleware


def _texts(value: V | None) -> list[str]:
    items = value.items if isinstance(value, ListV) and value.items is not None else []
    return [i.value for i in items if isinstance(i, Const) and isinstance(i.value, str)]


def wants_token(handler: V) -> bool:
    """A view that reads the body of a post and is not exempt from the CSRF check."""
    if not isinstance(handler, Func) or isinstance(handler.node, ast.Lambda):
        return False
    if any(name.rpartition(".")[2] != "require_POST" for name in handler.decorators):
        return False  # csrf_exempt, api_view, or something that is not known
    if handler.node.decorator_list and not handler.decorators:
        return False
    words = {n.attr for n in ast.walk(handler.node) if isinstance(n, ast.Attribute)}
    calls = {n.id for n in ast.walk(handler.node) if isinstance(n, ast.Name)}
    return "body" in words and not {"render", "TemplateResponse"} & (calls | words)


# -- CherryPy --


def cherrypy_config(models: Models, site: Site) -> V:
    """``cherrypy.config.update(…)``: a mapping, or the name of a file."""
    source = site.args[0] if site.args else DictV(dict(site.kwargs))
    _cherrypy_takes(models, source, site)
    return Const(None)


def set_setting(models: Models, owner: Ext, name: str, value: V) -> None:
    """``cherrypy.server.socket_host = …`` and ``cherrypy.config["server.socket_host"] = …``."""
    if owner.name == "cherrypy.server":
        models.told[f"{_CHERRYPY}server.{name}"] = value
    elif owner.name == "cherrypy.config":
        models.told[f"{_CHERRYPY}{name}"] = value


def cherrypy_address(models: Models) -> tuple[V | None, V | None]:
    """(host, port) as configured so far; None where the default stands."""
    told = models.told
    return told.get(f"{_CHERRYPY}server.socket_host"), told.get(f"{_CHERRYPY}server.socket_port")


def cherrypy_quickstart(models: Models, site: Site) -> None:
    """``quickstart(Root(), "/", config)``: what it serves, and what the configuration adds."""
    from auditor.parsers.python.inputs import RawRoute

    config = site.get(2, "config")
    if config is not None:
        _cherrypy_takes(models, config, site)
    root = site.get(0, "root")
    if not isinstance(root, Inst):
        return
    made = models.new_web(site, "cherrypy", is_app=True)
    for cls in root.cls.mro():
        for name, member in cls.names.items():
            if isinstance(member, Func) and "cherrypy.expose" in member.decorators:
                path = "/" if name in ("index", "default") else f"/{name}"
                made.data.routes.append(
                    RawRoute(
                        ("GET", "POST"),
                        Const(path),
                        Bound(member, root),
                        models.run.at(member.node),
                    )
                )


def _cherrypy_takes(models: Models, source: V, site: Site) -> None:
    if isinstance(source, Const) and isinstance(source.value, str):
        models.file(site, source, "read", "config")
        text = models.text_of_file(source)
        source = read_config(text.value, "ini", text.deps) if text is not None else Unk("a file")
        if isinstance(source, DictV):
            for section in source.items.values():
                if isinstance(section, DictV):
                    section.items = {k: _literal(v) for k, v in section.items.items()}
    if not isinstance(source, DictV):
        for name in ("server.socket_host", "server.socket_port"):
            models.told[_CHERRYPY + name] = Unk("CherryPy's configuration is not known")
        return
    for key, value in source.items.items():
        if isinstance(value, DictV):
            if key == "global":
                _cherrypy_takes(models, value, site)
        elif isinstance(key, str):
            models.told[_CHERRYPY + key] = value


def _literal(value: V) -> V:
    """CherryPy writes the values of its files as Python literals."""
    if isinstance(value, Const) and isinstance(value.value, str):
        try:
            return Const(ast.literal_eval(value.value), value.deps)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return Unk("a computed setting", value.deps)
    return value


# -- logging --


def named_classes(models: Models, site: Site, table: DictV) -> None:
    """Classes that a ``dictConfig`` table names: each is imported from its module."""
    for part in ("formatters", "handlers", "filters"):
        entries = table.items.get(part)
        for entry in entries.items.values() if isinstance(entries, DictV) else ():
            if isinstance(entry, DictV):
                for key in ("class", "()"):
                    _import_class(models, entry.items.get(key), models.run.at(site.node))


def ini_handlers(models: Models, site: Site) -> Iterator[tuple[str, list[V]]]:
    """(class, arguments) of each handler that a file of ``fileConfig`` lists."""
    text = models.text_of_file(site.args[0])
    config = read_config(text.value, "ini", text.deps) if text is not None else None
    if not isinstance(config, DictV):
        return
    for part in ("formatter", "handler"):
        for name in _keys(config, f"{part}s"):
            entry = config.items.get(f"{part}_{name}")
            if not isinstance(entry, DictV):
                continue
            named = entry.items.get("class")
            _import_class(models, named, models.run.at(site.node))
            if part == "handler" and isinstance(named, Const):
                yield f"logging.{named.value}", _arguments(entry.items.get("args"))


def _keys(config: DictV, section: str) -> list[str]:
    table = config.items.get(section)
    keys = table.items.get("keys") if isinstance(table, DictV) else None
    return [k.strip() for k in str(keys.value).split(",")] if isinstance(keys, Const) else []


def _arguments(written: V | None) -> list[V]:
    """The constants of ``args=("logs/app.log", "a")``."""
    if not isinstance(written, Const):
        return []
    try:
        body = ast.parse(str(written.value).strip(), mode="eval").body
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    parts = body.elts if isinstance(body, ast.Tuple | ast.List) else [body]
    return [
        Const(part.value) if isinstance(part, ast.Constant) else Unk("is computed")
        for part in parts
    ]


def _import_class(models: Models, named: V | None, at: Location) -> None:
    if not isinstance(named, Const) or not isinstance(named.value, str):
        return
    module, dot, _ = named.value.rpartition(".")
    top = module.partition(".")[0]
    # `handlers.RotatingFileHandler` of a file is looked up in `logging` itself.
    if dot and top.isidentifier() and top not in ("logging", "handlers"):
        models.run.import_module(module, at, Import(at=at, module=module, dynamic=True))


# -- pydantic --


def refused_decorator(run: Interpreter, decorator: V, node: ast.AST) -> None:
    """``@root_validator`` that says neither ``pre`` nor ``skip_on_failure``."""
    if isinstance(decorator, Ext):
        bare = decorator.name == "pydantic.root_validator"
    else:
        bare = (
            isinstance(decorator, Obj)
            and decorator.name == "pydantic.root_validator"
            and not {"pre", "skip_on_failure"} & decorator.kwargs.keys()
        )
    if bare:
        run.used(node, "pydantic", "root_validator()")


# -- programs --

# Calls that raise where the program is not there; through a shell, only the status tells.
_RAISING = frozenset(
    {
        "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
        "subprocess.Popen", "asyncio.create_subprocess_exec",
    }
)  # fmt: skip


def program_of(site: Site) -> str:
    """The program that a call starts by name; empty when it is not written out."""
    shell = site.kwargs.get("shell")
    if site.name not in _RAISING or site.loose:
        return ""
    if shell is not None and not (isinstance(shell, Const) and not shell.value):
        return ""
    told = site.get(0, "args")
    if isinstance(told, ListV) and told.items:
        told = told.items[0]
    text = told.value if isinstance(told, Const) else None
    # A text with spaces is looked for as it stands; that is a fault of its own.
    return text if isinstance(text, str) and text.isprintable() and " " not in text else ""


# -- files --


def opened_as_text(opened: V | None) -> bool:
    """Whether this is a file that ``open`` gives as text."""
    mode = opened.kwargs.get("mode") if isinstance(opened, Obj) else None
    return isinstance(mode, Const) and "b" not in str(mode.value) and "?" not in str(mode.value)


def refuse_json(models: Models, site: Site, text: Const) -> None:
    """JSON that is none: a comma too many, a comment, single quotes."""
    import json

    try:
        json.loads(text.value)
    except RecursionError:
        return
    except ValueError as error:
        files = [d.removeprefix("file:") for d in text.deps if d.startswith("file:")]
        if files:
            models.run.fails(
                site.node,
                f"json.decoder.JSONDecodeError: {error}",
                f"{files[0]} is no valid JSON",
                file=files[0],
            )
            return
        names = [d for d in sorted(text.deps) if isinstance(models.run.env.get(d), str)]
        if len(names) == 1 and text.value == models.run.env[names[0]] and text.value.strip():
            models.run.fails(
                site.node,
                f"json.decoder.JSONDecodeError: {error}",
                f"`{names[0]}` is `{text.value[:60]}` in the container, which is no JSON (a Dockerfile "
                "and a shell take quotes away that are not quoted themselves)",
            )


def refuse_yaml(models: Models, site: Site, text: Const) -> None:
    """YAML that does not parse: a tab for an indentation, a bracket that is never closed."""
    from auditor.parsers import yamldoc
    from auditor.source import SourceText

    files = [d.removeprefix("file:") for d in text.deps if d.startswith("file:")]
    if not files or len(text.value) > 200_000:
        return
    stream = yamldoc.parse(SourceText(files[0], text.value))
    wrong = next((problem for problem in stream.problems if problem.fatal), None)
    if wrong is not None and not stream.template:
        models.run.fails(
            site.node,
            f"yaml.YAMLError: {wrong.message[:80]}",
            f"{files[0]} is no valid YAML (line {wrong.at.line})",
            file=files[0],
        )
    elif not stream.template and site.name in ("yaml.safe_load", "yaml.safe_load_all"):
        _refuse_tags(models, site, text.value, files[0])


_TAG = re.compile(r"(?m)(?:^|[\s\[{,:-])(!!python/[\w./:]+|![A-Za-z]\w*)(?=\s|$)")


def _refuse_tags(models: Models, site: Site, text: str, file: str) -> None:
    """Tags of Python's own objects, which only the unsafe loaders make."""
    lines = (line.partition(" #")[0] for line in text.splitlines() if line.strip()[:1] != "#")
    found = next(
        (
            m
            for line in lines
            if "'" not in line and '"' not in line
            for m in [_TAG.search(line)]
            if m
        ),
        None,
    )
    if found is None or not found[1].startswith("!!python/"):
        return
    models.run.fails(
        site.node,
        f"yaml.constructor.ConstructorError: could not determine a constructor for the tag {found[1]!r}",
        f"{file} holds `{found[1]}`, which the safe loader does not make",
        file=file,
    )


def held_bytes(value: V | None) -> V | None:
    """The path whose bytes these are, where they were read from a file."""
    if isinstance(value, Obj) and value.name == "file.bytes" and value.args:
        return value.args[0]
    return None
