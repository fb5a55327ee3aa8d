"""Command lines that start a server, by the table ``rules/knowledge/servers.toml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from auditor.catalog import knowledge
from auditor.parsers.commands.facts import AppSpec, Bind, Option, ServerStart
from auditor.parsers.commands.options import Scanned, scan
from auditor.parsers.commands.wrappers import base_name
from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Arg
from auditor.source import Fragment, Unknown
from auditor.values import replace

_JUPYTER = frozenset({"lab", "notebook", "server", "labhub", "nbclassic"})
# What the attribute is when the command line names only the module.
_ATTRIBUTES = {"gunicorn": "application", "granian": "app", "hypercorn": "app", "sanic": "app"}
_FROM_OPTION = {"flask": "app", "litestar": "app", "celery": "app", "celery-beat": "app"}
_SCRIPTS = frozenset(
    {"streamlit", "gradio", "chainlit", "fastapi-run", "fastapi-dev", "panel", "bokeh", "voila",
     "robyn", "litserve", "marimo"}
)  # fmt: skip
# Binding options that speak something else than HTTP.
_BINDS = {"bind": "http", "http": "http", "socket": "uwsgi"}


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Mapping[str, Any]]:
    table: Mapping[str, Mapping[str, Any]] = knowledge("servers.toml")
    return table


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    programs: dict[str, list[str]] = {}
    modules: dict[str, list[str]] = {}
    for kind, row in _table().items():
        for name in row.get("programs", ()):
            programs.setdefault(name, []).append(kind)
        for name in row.get("modules", ()):
            modules.setdefault(name, []).append(kind)
    return programs, modules


def by_program(argv: Sequence[Arg]) -> ServerStart | None:
    """The server that a program name and its words start, if they do."""
    name = base_name(argv[0])
    if name == "manage.py":
        return _django(argv[0], argv[1:], argv)
    kinds = _index()[0].get(name, ())
    return _start(kinds, argv[0], argv[1:], argv)


def by_module(module: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> ServerStart | None:
    """The server that ``python -m module rest`` starts, if it does."""
    if module.text == "django":
        return _django(module, rest, argv)
    return _start(_index()[1].get(module.text, ()), module, rest, argv)


def manage_py(script: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> ServerStart | None:
    """``python manage.py runserver``, if that is what it is."""
    return _django(script, rest, argv) if base_name(script) == "manage.py" else None


def _django(program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]) -> ServerStart | None:
    return _start(("django",), program, rest, argv)


def _scan(kind: str, argv: Sequence[Arg]) -> Scanned:
    row = _table()[kind]
    return scan(
        argv,
        values=row.get("values", {}),
        switches=row.get("switches", {}),
        off=row.get("off", {}),
        any_value=bool(row.get("any_value")),
        abbreviations="parser" in row.get("source", ""),
    )


def foreign_option(server: ServerStart) -> tuple[Option, str] | None:
    """An option that this server does not know and another one does, with that one's name.

    Only where both tables come from the programs' own parsers; what a server dropped or learnt
    between releases is no option of another one, so it does not count.
    """
    table = _table()
    if server.kind not in _STRICT or server.opaque is not None:
        return None
    row = table[server.kind]
    own = {*row.get("values", {}), *row.get("switches", {}), *row.get("off", {})}
    for option in server.options:
        if option.source != "argv" or not option.flag or option.flag in own | _COMMON:
            continue
        for kind in _STRICT:
            other = table[kind]
            if option.flag in {*other.get("values", {}), *other.get("switches", {})}:
                return option, kind
    return None


def misspelt_option(server: ServerStart) -> tuple[Option, str] | None:
    """A long option that no release of this server knows, with the one that was meant.

    What differs by a digit or an ending `s` may be an option of another release.
    """
    table = _table()
    if server.kind not in _STRICT or server.opaque is not None:
        return None
    row = table[server.kind]
    known = {*row.get("values", {}), *row.get("switches", {}), *row.get("off", {}), *_COMMON}
    known = {flag for flag in known if flag.startswith("--")}
    for option in server.options:
        flag = option.flag
        if option.source != "argv" or not flag.startswith("--") or flag in known:
            continue
        if server.kind != "uvicorn" and any(own.startswith(flag) for own in known):
            # argparse takes the beginning of an option for it; click does not.
            continue
        meant = next((own for own in sorted(known) if _slipped(flag, own)), None)
        if meant is not None:
            return option, meant
    return None


def _slipped(flag: str, own: str) -> bool:
    """Whether one is the other with a letter too many, too few, wrong, or two exchanged."""
    given, meant = flag.lstrip("-"), own.lstrip("-")
    if given == meant or given.replace("_", "-") == meant:
        return True
    if len(given) < 4 or min(given, meant, key=len) + "s" == max(given, meant, key=len):
        return False
    if len(given) == len(meant):
        wrong = [i for i, pair in enumerate(zip(given, meant, strict=True)) if pair[0] != pair[1]]
        swapped = len(wrong) == 2 and given[wrong[0]] == meant[wrong[1]]
        swapped = swapped and given[wrong[1]] == meant[wrong[0]] and wrong[1] - wrong[0] == 1
        return swapped or (len(wrong) == 1 and not (given + meant)[wrong[0]].isdigit())
    short, long = sorted((given, meant), key=len)
    return len(long) - len(short) == 1 and any(
        long[:i] + long[i + 1 :] == short and not long[i].isdigit() for i in range(len(long))
    )


def ambiguous_option(server: ServerStart) -> tuple[Option, tuple[str, ...]] | None:
    """A shortened option that argparse could take for several, with those."""
    if server.kind not in ("gunicorn", "hypercorn"):
        return None
    row = _table()[server.kind]
    known = sorted({*row.get("values", {}), *row.get("switches", {}), *row.get("off", {})})
    for option in server.options:
        if option.source != "argv" or not option.flag.startswith("--") or option.flag in known:
            continue
        meant = tuple(flag for flag in known if flag.startswith(option.flag))
        if len(meant) > 1:
            return option, meant
    return None


# Servers that refuse what they do not know, whose table is their own parser's.
_STRICT = ("gunicorn", "uvicorn", "hypercorn")
_COMMON = frozenset({"-h", "--help", "-v", "--version", "--debug", "--no-sendfile"})


def _start(
    kinds: Sequence[str], program: Arg, rest: Sequence[Arg], argv: Sequence[Arg]
) -> ServerStart | None:
    # The kind with the longest chain of subcommands that fits.
    for kind in sorted(kinds, key=lambda k: -len(_table()[k].get("subcommands", ()))):
        wanted = list(_table()[kind].get("subcommands", ()))
        scanned = _scan(kind, rest)
        words = list(scanned.words)
        if kind == "jupyter" and base_name(program) == "jupyter":
            if words and words[0].text not in _JUPYTER:
                continue
            words = words[1:]
        elif [word.text for word in words[: len(wanted)]] != wanted:
            continue
        else:
            words = words[len(wanted) :]
        if any(scanned.on(name) for name in ("help", "version", "stop", "generate_config")):
            return None
        if kind == "nginx" and any(scanned.on(name) for name in ("t", "T", "V", "v", "s")):
            return None
        if kind == "granian" and not words:
            return None
        return _make(kind, program, scanned, words, argv)
    return None


def _make(
    kind: str, program: Arg, scanned: Scanned, words: list[Arg], argv: Sequence[Arg]
) -> ServerStart:
    row = _table()[kind]
    options = list(scanned.options)
    script: Arg | None = None
    app: AppSpec | None = None
    factory = scanned.on("factory")
    hidden: Unknown | None = None
    if kind == "django":
        if words:
            options += _addrport(words[0])
            words = words[1:]
    elif kind == "http.server":
        if words:
            options.append(Option(name="port", value=words[0].value, at=words[0].at))
            words = words[1:]
    elif kind == "uwsgi":
        words, options = _uwsgi(words, options)
        app = _uwsgi_app(scanned)
    elif kind == "mlserver" and words:
        script, words = words[0], words[1:]
    elif kind in _SCRIPTS:
        if words:
            script, words = words[0], words[1:]
        if kind.startswith("fastapi") and (entry := scanned.last("entrypoint")) is not None:
            app = _app(kind, _as_arg(entry), factory)
        elif kind.startswith("fastapi") and (entry := scanned.last("app")) is not None:
            attribute = entry.value if isinstance(entry.value, str) else None
            app = AppSpec(
                raw=script.value if script else "",
                at=entry.at,
                path=script.text if script else None,
                attribute=attribute,
            )
    elif kind in _FROM_OPTION or scanned.last("app") is not None:
        given = scanned.last("app")
        app = _app(kind, _as_arg(given), factory) if given is not None else None
        if app is None and kind == "waitress" and words:
            app, words = _app(kind, words[0], factory), words[1:]
    elif words and kind not in {"jupyter", "triton", "tensorflow-serving", "torchserve", "honcho"}:
        if len(words) > 1 and isinstance(words[0].value, Unknown):
            hidden = words[0].value  # options, rather than the application
        app, words = _app(kind, words[0], factory), words[1:]
    if kind == "aiohttp" and app is not None:
        app = replace(app, factory=True)
    opaque = next((w.value for w in words if isinstance(w.value, Unknown)), hidden)
    if kind == "ray-serve" and app is not None and str(app.raw).endswith((".yaml", ".yml")):
        options.append(Option(name="config", value=str(app.raw), at=app.at))
        app = None
    for name, value in row.get("always", {}).items():
        options.append(Option(name=name, value=value, at=program.at, flag="", source="default"))
    app_dir = next(
        (v for n in ("app_dir", "chdir", "pythonpath") if (v := scanned.value(n)) is not None), None
    )
    return ServerStart(
        kind=kind,
        at=program.at,
        argv=tuple(argv),
        app=app,
        app_dir=app_dir,
        binds=_binds(kind, options, None),
        options=tuple(options),
        args=tuple(words),
        default_host=row.get("host"),
        default_port=row.get("port"),
        env_options=tuple(row.get("env", {}).items()),
        version=row.get("version", ""),
        config_file=row.get("config_file"),
        script=script,
        opaque=opaque,
    )


def _as_arg(option: Option) -> Arg:
    value = option.value
    return Arg(value="" if isinstance(value, bool) else value, at=option.at, pieces=option.pieces)


def _app(kind: str, arg: Arg, factory: bool) -> AppSpec:
    if isinstance(arg.value, Unknown):
        return AppSpec(raw=arg.value, at=arg.at, factory=factory)
    raw = arg.value
    module, colon, attribute = raw.partition(":")
    if kind == "hypercorn" and raw.count(":") == 2:  # `wsgi:app` alone is a module called wsgi
        for prefix in ("asgi:", "wsgi:", "file:"):
            if raw.startswith(prefix):
                module, colon, attribute = raw.removeprefix(prefix).partition(":")
    if attribute.endswith(")") and "(" in attribute:
        attribute, factory = attribute.partition("(")[0], True
    if attribute.startswith(("create_", "make_")) and kind == "flask":
        factory = True
    if kind in ("sanic", "arq") and not colon and "." in module and "/" not in module:
        module, _, attribute = module.rpartition(".")
    is_path = module.endswith(".py") or "/" in module or module in {".", ""}
    return AppSpec(
        raw=raw,
        at=arg.at,
        module=None if is_path else module,
        attribute=attribute or _ATTRIBUTES.get(kind),
        path=module if is_path and module else None,
        factory=factory,
    )


def _addrport(arg: Arg) -> list[Option]:
    """Django's ``runserver [addr:]port``."""
    host, port = _split_address(arg)
    if port is None:
        host, port = None, host
    found = []
    if host not in (None, ""):
        found.append(Option(name="host", value="0.0.0.0" if host == "0" else host, at=arg.at))
    if port not in (None, ""):
        found.append(Option(name="port", value=port, at=arg.at))
    return found


def _uwsgi(words: list[Arg], options: list[Option]) -> tuple[list[Arg], list[Option]]:
    rest: list[Arg] = []
    for word in words:
        if word.text.endswith((".ini", ".yaml", ".yml", ".xml", ".json")):
            options.append(Option(name="config", value=word.value, at=word.at))
        else:
            rest.append(word)
    return rest, options


def _uwsgi_app(scanned: Scanned) -> AppSpec | None:
    given = scanned.last("app") or scanned.last("app_file")
    if given is None:
        return None
    app = _app("uwsgi", _as_arg(given), False)
    attribute = scanned.value("attribute")
    if isinstance(attribute, str):
        app = replace(app, attribute=attribute)
    return replace(app, attribute=app.attribute or "application")


def _split_address(arg: Arg) -> tuple[Value | None, Value | None]:
    """(host, port) of ``host:port`` of which parts may be unknown; port None when there is none."""
    if isinstance(arg.value, str):
        text = arg.value
    elif arg.pieces:
        # A character that cannot occur stands for what is unknown.
        text = "".join(p if isinstance(p, str) else "\0" for p in arg.pieces)
    else:
        return arg.value, None
    unknown = arg.value if isinstance(arg.value, Unknown) else Unknown("not known")
    if text.startswith("[") and "]" in text:
        host, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":") if tail.startswith(":") else None
    elif ":" in text:
        host, _, port = text.rpartition(":")
    else:
        host, port = text, None
    return (
        unknown if "\0" in host else host,
        None if port is None else unknown if "\0" in port else port,
    )


def parse_bind(arg: Arg, *, source: str = "argv", protocol: str = "http") -> Bind:
    """An address as gunicorn, hypercorn and alike take it: ``host:port``, ``unix:…``, ``fd://…``."""
    head = arg.value if isinstance(arg.value, str) else ""
    if not head and arg.pieces and isinstance(arg.pieces[0], str):
        head = arg.pieces[0]
    if head.startswith(("unix:", "/")) or head.endswith(".sock"):
        known = isinstance(arg.value, str)
        unix: Value = head.removeprefix("unix:").replace("//", "/", 1) if known else arg.value
        return Bind(unix=unix, at=arg.at, source=source, protocol=protocol)
    if head.startswith("fd://"):
        fd: Value = head.removeprefix("fd://") if isinstance(arg.value, str) else arg.value
        return Bind(fd=fd, at=arg.at, source=source, protocol=protocol)
    if head.startswith(("tcp://", "http://")) and isinstance(arg.value, str):
        arg = Arg(value=arg.value.partition("//")[2], at=arg.at)
    host, port = _split_address(arg)
    if port is None and isinstance(arg.value, Unknown) and host is arg.value:
        # All of it is unknown, so the port is too.
        port = arg.value
    if host in {"", "0"}:
        host = "0.0.0.0"
    return Bind(
        host=host, port=None if port == "" else port, at=arg.at, source=source, protocol=protocol
    )


def _binds(kind: str, options: Sequence[Option], source: str | None) -> tuple[Bind, ...]:
    """The addresses that a set of options gives, with None for what it leaves open."""
    named: dict[str, Option] = {}
    found: list[Bind] = []
    for option in options:
        if isinstance(option.value, bool):
            continue
        if option.name in _BINDS and kind in _BINDING:
            found.append(
                parse_bind(
                    _as_arg(option),
                    source=source or option.source,
                    protocol=_BINDS[option.name] if kind == "uwsgi" else "http",
                )
            )
        elif option.name in {"host", "port", "uds", "fd"}:
            named[option.name] = option
    if found:
        return tuple(found)
    if not named:
        return ()

    def value(name: str) -> Value | None:
        option = named.get(name)
        return None if option is None or isinstance(option.value, bool) else option.value

    first = next(iter(named.values()))
    at = named["port"].at if "port" in named else first.at
    origin = source or named.get("port", first).source
    if value("uds") is not None:
        return (Bind(unix=value("uds"), at=named["uds"].at, source=origin),)
    if value("fd") is not None:
        return (Bind(fd=value("fd"), at=named["fd"].at, source=origin),)
    return (Bind(host=value("host"), port=value("port"), at=at, source=origin),)


_BINDING = frozenset({"gunicorn", "hypercorn", "waitress", "uwsgi", "ollama"})


def _from_env(server: ServerStart, env: Env) -> list[Option]:
    found: list[Option] = []
    for variable, name in server.env_options:
        value = env.get(variable)
        if value is None or value == "":
            continue
        found.append(Option(name=name, value=value, at=server.at, flag="", source=variable))
    return found


def _command_arguments(server: ServerStart, env: Env) -> list[Option]:
    """What GUNICORN_CMD_ARGS holds, split as a shell would."""
    text = env.get("GUNICORN_CMD_ARGS")
    if not isinstance(text, str) or not text:
        return []
    from auditor.parsers.shell import parse

    at = server.at
    script = parse(Fragment(at.path, [("gunicorn " + text, at.line, at.column)]))
    argv = script.commands[0].argv(env) if script.commands else ()
    return [
        replace(option, at=at, source="GUNICORN_CMD_ARGS")
        for option in _scan("gunicorn", argv[1:]).options
    ]


def _layers(server: ServerStart, env: Env, config: tuple[Option, ...]) -> list[list[Option]]:
    """Options from the strongest layer to the weakest."""
    environment = _from_env(server, env)
    if server.kind == "gunicorn":
        # Its variables only change the defaults, so a configuration file beats them.
        return [
            list(server.options),
            _command_arguments(server, env),
            list(config),
            environment,
        ]
    if server.kind == "mlserver":
        # What its file says is given to the settings by name, before any variable.
        return [list(server.options), list(config), environment]
    return [list(server.options), environment, list(config)]


def effective(
    server: ServerStart, name: str, env: Env, config: tuple[Option, ...]
) -> Option | None:
    """See :meth:`ServerStart.effective`."""
    for layer in _layers(server, env, config):
        found = next((o for o in reversed(layer) if o.name == name), None)
        if found is not None:
            return found
    return None


def listens(server: ServerStart, env: Env, config: tuple[Option, ...]) -> tuple[Bind, ...]:
    """See :meth:`ServerStart.listens`."""
    row = _table().get(server.kind, {})
    default_host: Value | None = server.default_host
    default_port: Value | None = None if server.default_port is None else str(server.default_port)
    if isinstance(env.get("GUNICORN_CMD_ARGS"), Unknown) and server.kind == "gunicorn":
        default_host = default_port = Unknown("$GUNICORN_CMD_ARGS is not known")
    elif server.opaque is not None:
        default_host = default_port = server.opaque
    merged: Bind | None = None
    for layer in _layers(server, env, config):
        if server.kind == "gunicorn" and layer and layer[0].source == "PORT":
            port = next(o for o in layer if o.name == "port")
            value = port.value if not isinstance(port.value, bool) else None
            host = row.get("port_env_host", "0.0.0.0")
            return (Bind(host=host, port=value, at=server.at, source="PORT"),)
        if server.kind == "gunicorn":
            layer = [o for o in layer if o.name == "bind"]
        binds = _binds(server.kind, layer, None)
        if not binds:
            continue
        first = binds[0]
        if len(binds) > 1 or first.unix is not None or first.fd is not None:
            if merged is None:
                return tuple(_completed(b, default_host, default_port) for b in binds)
            continue
        if server.kind in _BINDING and any(o.name in _BINDS for o in layer):
            return (_completed(first, default_host, default_port),)
        merged = first if merged is None else _merge(merged, first)
        if merged.host is not None and merged.port is not None:
            return (merged,)
    if merged is not None:
        return (_completed(merged, default_host, default_port),)
    if default_port is None:
        return ()
    return (Bind(host=default_host, port=default_port, at=server.at, source="default"),)


def _merge(strong: Bind, weak: Bind) -> Bind:
    return replace(
        strong,
        host=weak.host if strong.host is None else strong.host,
        port=weak.port if strong.port is None else strong.port,
    )


def _completed(bind: Bind, host: Value | None, port: Value | None) -> Bind:
    if bind.unix is not None or bind.fd is not None:
        return bind
    return replace(
        bind,
        host=host if bind.host is None else bind.host,
        port=port if bind.port is None else bind.port,
    )


__all__ = ["by_module", "by_program", "effective", "listens", "manage_py", "parse_bind"]
