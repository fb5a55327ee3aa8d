"""What a server needs beside itself: modules for its workers, an application of its interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.model import Entry, Service, StartFault
from auditor.findings import Stage
from auditor.parsers.commands import Option, ServerStart
from auditor.source import Location, Unknown

if TYPE_CHECKING:
    from auditor.deployment.view import View
    from auditor.parsers.commands import MainProcess
    from auditor.parsers.python.facts import WebApp

Env = Mapping[str, str | Unknown | None]

# gunicorn's own worker classes, and the module that each imports.
_WORKERS = {
    "gevent": "gevent",
    "gevent_wsgi": "gevent",
    "gevent_pywsgi": "gevent",
    "eventlet": "eventlet",
    "tornado": "tornado",
}
_OWN_WORKERS = frozenset({"sync", "gthread", *_WORKERS})
# (server, option, value) → module, for the values that uvicorn imports at once.
_EXTRAS = {
    ("uvicorn", "loop", "uvloop"): "uvloop",
    ("uvicorn", "http", "httptools"): "httptools",
    ("uvicorn", "ws", "websockets"): "websockets",
    ("uvicorn", "ws", "wsproto"): "wsproto",
    ("hypercorn", "worker_class", "uvloop"): "uvloop",
    ("hypercorn", "worker_class", "trio"): "trio",
}
# What calls an application of each framework, and the frameworks that each interface serves.
_ASGI = frozenset({"fastapi", "starlette", "litestar", "quart", "blacksheep"})
# aiohttp's applications are for its own worker only.
_OWN = frozenset({"aiohttp"})
_WSGI = frozenset({"flask", "bottle", "pyramid"})
_WSGI_WORKERS = frozenset({"sync", "gthread", "gevent", "eventlet", "gevent_wsgi"})


def _text(fact: ServerStart, name: str, env: Env, config: Iterable[Option]) -> Option | None:
    option = fact.effective(name, env=env, config=config)
    return option if option is not None and isinstance(option.value, str) else None


def _readers(
    fact: ServerStart, env: Env, config: tuple[Option, ...]
) -> Iterator[tuple[str, Option]]:
    """What uvicorn imports to read a file that an option names."""
    if fact.kind != "uvicorn":
        return
    option = _text(fact, "log_config", env, config)
    if option is not None and str(option.value).endswith((".yaml", ".yml")):
        yield "yaml", option
    option = _text(fact, "env_file", env, config)
    if option is not None:
        yield "dotenv", option


def relaunched(
    processes: Sequence[MainProcess],
    entries: Sequence[Entry],
    configured: tuple[Option, ...],
    view: View,
) -> tuple[bool, str]:
    """Whether uvicorn's parent process goes on when the application cannot be imported.

    It does with ``--reload`` and with several workers, which it starts again for ever. The second
    is the script that the parent runs itself, of ``python run.py``.
    """
    if len(processes) != 1 or len(entries) != 1 or processes[0].conditional:
        return False, ""
    what = processes[0].interpretation
    fact = what.fact
    if isinstance(fact, ServerStart):
        if fact.kind != "uvicorn":
            return False, ""
        options = (
            fact.effective(name, env=what.env, config=configured) for name in ("workers", "reload")
        )
        values = [option.value for option in options if option is not None]
        return any(map(_several, values)), ""
    trace = entries[0].trace
    server = trace.servers[0] if len(trace.servers) == 1 else None
    facts = view.facts_of_repo(trace.path)
    if server is None or facts is None or server.tool != "uvicorn" or not server.reach.certain:
        return False, ""
    target = server.target.partition(":")[0] if isinstance(server.target, str) else ""
    told = [server.option(name) for name in ("workers", "reload")]
    if target in ("", trace.entry) or server.option("app_object") is not None:
        return False, ""
    if not any(_several(value.value) for value in told if value is not None):
        return False, ""
    own = {name.partition(".")[0] for name, path in trace.modules if path != trace.path}
    if any((item.module or ".").partition(".")[0] in {"", *own} for item in facts.imports):
        return False, ""  # the parent imports the application as well, or parts of it
    return True, trace.path


def _several(value: object) -> bool:
    """More than one worker, or the switch that reloads."""
    if isinstance(value, bool):
        return value
    text = str(value)
    return int(text) > 1 if text.isdecimal() else text.lower() in ("true", "yes", "on")


def missing_modules(
    service: Service, fact: ServerStart, env: Env, config: tuple[Option, ...]
) -> Iterable[StartFault]:
    """Modules that the chosen worker class or event loop imports and nothing installs."""
    installed = service.environment.installed if service.environment else None
    if installed is None:
        return
    wanted: list[tuple[str, Option]] = []
    for name in ("worker_class", "loop", "http", "ws"):
        option = _text(fact, name, env, config)
        if option is None:
            continue
        text = str(option.value)
        if fact.kind == "gunicorn" and name == "worker_class":
            module = _WORKERS.get(text)
            if module is None and text not in _OWN_WORKERS and "." in text:
                module = text.partition(".")[0]
            if module is not None and module != "gunicorn":
                wanted.append((module, option))
        elif (fact.kind, name, text) in _EXTRAS:
            wanted.append((_EXTRAS[fact.kind, name, text], option))
    settled = installed.complete and not installed.unknown
    absent = {"no", "likely-no"} if settled or fact.kind == "gunicorn" else {"no"}
    if fact.kind == "gunicorn":
        absent.add("possibly-no")  # hardly anything else brings what its workers need
    read = list(_readers(fact, env, config))
    for module, option in (*wanted, *read):
        if installed.has(module):
            continue
        # What reads a file that an option names never came with an older uvicorn.
        never = {"possibly-no"} if settled and (module, option) in read else set()
        if installed.provides(module).answer not in absent | never:
            continue
        yield StartFault(
            kind="server-missing",
            message=(
                f"{fact.kind} is told to use `{option.value}`, which needs {module}, and nothing "
                f"installs it in the image: `No module named '{module}'`"
            ),
            at=option.at if option.source == "argv" else fact.at,
            certain=False,
            evidence=(("module", module),),
        )


def bare_port(fact: ServerStart) -> Iterator[StartFault]:
    """``waitress-serve --listen 8000``: without a colon it is a host, and a number is an address."""
    if fact.kind != "waitress":
        return
    for option in fact.options:
        if option.name == "bind" and isinstance(option.value, str) and option.value.isdecimal():
            yield StartFault(
                kind="arguments",
                message=(
                    f"`{option.flag or '--listen'}` takes HOST:PORT, and `{option.value}` is taken for "
                    "a host: `OSError: [Errno 99] Cannot assign requested address` (say "
                    f"`*:{option.value}`)"
                ),
                at=option.at,
            )


# They take one application, and stop at another word.
_ONE_APPLICATION = {
    "uvicorn": "Error: Got unexpected extra argument",
    "granian": "Error: Got unexpected extra argument",
    "hypercorn": "error: unrecognized arguments",
    "daphne": "error: unrecognized arguments",
}


def second_application(fact: ServerStart) -> Iterator[StartFault]:
    """Another word beside the application, as when Compose's command repeats the ENTRYPOINT's.

    Not behind an option, whose value it may be.
    """
    error = _ONE_APPLICATION.get(fact.kind)
    said = fact.app.raw if fact.app is not None else None
    if error is None or not isinstance(said, str) or not fact.args:
        return
    more = fact.args[0]
    position = next((i for i, arg in enumerate(fact.argv) if arg is more), 0)
    before = fact.argv[position - 1].value if position else "-"
    if not isinstance(before, str) or before.startswith("-") or not more.text.strip():
        return
    if not isinstance(more.value, str):
        return
    yield StartFault(
        kind="arguments",
        message=(
            f"{fact.kind} serves one application, and gets `{more.value}` beside `{said}`: "
            f"`{error}`"
        ),
        at=more.at,
        related=((fact.at, "started here"),),
    )


def foreign_interface(
    entry: Entry, fact: ServerStart, env: Env, config: tuple[Option, ...], *, factory: bool
) -> Iterable[StartFault]:
    """An ASGI application under a WSGI server, or the other way: every request fails.

    ``factory``: the server is told to call what it is given, and to serve the outcome.
    """
    worker = _text(fact, "worker_class", env, config)
    wsgi = fact.kind == "waitress" or (
        fact.kind == "gunicorn" and (str(worker.value) if worker else "sync") in _WSGI_WORKERS
    )
    if wsgi and not factory and entry.attribute in entry.trace.narrow:
        yield StartFault(
            kind="interface",
            message=(
                f"{fact.kind} calls `{entry.module}:{entry.attribute}` for every request, and that is "
                "a function that makes the application: every request fails (`TypeError`). Write "
                + (
                    f"`{entry.module}:{entry.attribute}()`"
                    if fact.kind == "gunicorn"
                    else f"`--call {entry.module}:{entry.attribute}`"
                )
            ),
            at=entry.at,
            stage=Stage.PREDICTS,
        )
        return
    app = _served(entry)
    if app is None:
        return
    if factory and app.framework in _CALLED_WITH and _is_instance(entry):
        yield StartFault(
            kind="interface",
            message=(
                f"{fact.kind} is told to call `{entry.module}:{entry.attribute}` for the application, and "
                f"that is the application itself: `TypeError: {_CALLED_WITH[app.framework]}`"
            ),
            at=entry.at,
            related=((app.at, "the application is made here"),),
        )
        return
    interface = _text(fact, "interface", env, config)
    # uvicorn looks whether the application is a coroutine function; a plain object is ASGI 3.
    asgi = fact.kind in ("uvicorn", "daphne") and (
        interface is None or interface.value in ("auto", "asgi3", "asgi2")
    )
    said_at = worker.at if worker is not None and worker.source == "argv" else entry.at
    called = f"{fact.kind} calls `{entry.module}:{entry.attribute}`"
    if wsgi and app.framework in _ASGI:
        yield _mismatch(
            f"{called} as a WSGI application, and {app.framework} is ASGI: every request fails "
            "(`__call__() missing 1 required positional argument: 'send'`)",
            said_at,
            app,
        )
    elif (wsgi or asgi) and app.framework in _OWN:
        yield _mismatch(
            f"{called}, and an application of {app.framework} is neither WSGI nor ASGI: every "
            "request fails (`'Application' object is not callable`)",
            said_at,
            app,
        )
    elif fact.kind == "granian":
        yield from _granian(entry, str(interface.value) if interface else "rsgi", app)
    elif asgi and app.framework in _WSGI and not _wrapped(app):
        yield _mismatch(
            f"{called} as an ASGI application, and {app.framework} is WSGI: every request fails "
            "(`__call__() takes 3 positional arguments but 4 were given`)",
            entry.at,
            app,
        )


# What each framework's applications say when they are called without anything.
_CALLED_WITH = {
    "flask": "Flask.__call__() missing 2 required positional arguments: 'environ' and 'start_response'",
    **dict.fromkeys(
        ("fastapi", "starlette", "litestar", "quart"),
        "__call__() missing 3 required positional arguments: 'scope', 'receive', and 'send'",
    ),
}


def _is_instance(entry: Entry) -> bool:
    """What is named is an application object, and no function that makes one."""
    name = str(entry.attribute)
    return "(" not in name and entry.trace.app(f"{name}()") is None


def not_numbers(fact: ServerStart, env: Env) -> Iterator[StartFault]:
    """``WEB_CONCURRENCY``, which gunicorn and uvicorn make a number of before they do anything."""
    text = env.get("WEB_CONCURRENCY")
    if fact.kind not in ("gunicorn", "uvicorn") or not isinstance(text, str):
        return
    if text.strip().lstrip("+-").isdecimal() or (fact.kind == "uvicorn" and fact.option("workers")):
        return
    yield StartFault(
        kind="literal-variable",
        message=(
            f"`WEB_CONCURRENCY` is `{text}`, and {fact.kind} makes a number of it: `ValueError: invalid "
            f"literal for int() with base 10: {text!r}`"
        ),
        at=fact.at,
        evidence=(("variable", "WEB_CONCURRENCY"),),
    )


def _granian(entry: Entry, interface: str, app: WebApp) -> Iterator[StartFault]:
    """Granian speaks RSGI unless it is told otherwise, and no framework here does."""
    wanted = "wsgi" if app.framework in _WSGI else "asgi" if app.framework in _ASGI else ""
    if not wanted or _wrapped(app) or interface.startswith(wanted):
        return
    yield _mismatch(
        f"granian calls `{entry.module}:{entry.attribute}` as {interface.upper()}, and "
        f"{app.framework} is {wanted.upper()}: every request fails. Say `--interface {wanted}`",
        entry.at,
        app,
    )


def _mismatch(message: str, at: Location, app: WebApp) -> StartFault:
    """The server calls the application in a way that it is not made for."""
    return StartFault(
        kind="interface",
        message=message,
        at=at,
        related=((app.at, "the application is made here"),),
        stage=Stage.PREDICTS,
    )


def _served(entry: Entry) -> WebApp | None:
    """The application that the server was told to serve; None when it may be wrapped."""
    if entry.attribute is None:
        return None
    name = entry.attribute.partition("(")[0]
    found = entry.trace.app(name) or entry.trace.app(f"{name}()")
    return found if found is not None and found.reach.certain else None


def _wrapped(app: WebApp) -> bool:
    return any("asgi" in item.lower() for item in app.middleware)
