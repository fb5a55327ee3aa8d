"""Where a server that a command line starts will listen, configuration files of the image included."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from auditor.deployment.model import Listen, StartFault, Value
from auditor.findings import Stage
from auditor.parsers.commands import Option, ServerStart
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.deployment.view import View
    from auditor.source import SourceText

Env = Mapping[str, str | Unknown | None]


class _Configured(Protocol):
    """A configuration file that was read."""

    def options(self, env: Env | None = None) -> tuple[Option, ...]:
        """What it gives, as options."""


# Options that every server reads as numbers.
_NUMBERS = frozenset({"workers", "threads", "timeout", "graceful_timeout", "keep_alive"})
# They start other programs, or only work off a queue.
_SILENT = frozenset({"arq", "celery", "dramatiq", "rq", "supervisord"})


def listens(
    fact: ServerStart, env: Env, cwd: Value, view: View
) -> tuple[list[Listen], list[StartFault], list[tuple[Stage, str]]]:
    """(addresses, faults of the address options, links that stayed open)."""
    if fact.kind in _SILENT:
        return [], [], []
    found: list[Listen] = []
    faults: list[StartFault] = []
    open_links: list[tuple[Stage, str]] = []
    config = configured(fact, env, cwd, view, open_links)
    faults += [
        StartFault(
            kind="literal-variable",
            message=(
                f"{fact.kind} receives the text `{option.value}` for "
                f"`{option.flag or option.name}`: the exec form starts no shell, so nothing "
                f"expands the variable, and {fact.kind} stops with an error"
            ),
            at=option.at,
        )
        for option in fact.options
        if option.name in _NUMBERS and isinstance(option.value, str) and "$" in option.value
    ]
    if fact.opaque is not None:
        open_links.append((Stage.REACHABLE, f"{fact.kind}: {fact.opaque.reason}"))
    binds = fact.listens(env=env, config=config)
    if binds and all(bind.unix is not None for bind in binds):
        faults.append(
            StartFault(
                kind="socket",
                message=(
                    f"{fact.kind} listens on the Unix socket {binds[0].unix} only, and no port: no "
                    "published port leads to it"
                ),
                at=binds[0].at,
                stage=Stage.REACHABLE,
            )
        )
    for bind in binds:
        if bind.unix is not None or bind.fd is not None:
            continue
        port = _port(bind.port, fact)
        if isinstance(port, str):
            faults.append(
                StartFault(
                    kind="literal-variable",
                    message=(
                        f"{fact.kind} receives the port as the text `{port}`: "
                        + (
                            "the exec form starts no shell, so nothing expands the variable"
                            if "$" in port
                            else "that is no number"
                        )
                        + f", and {fact.kind} stops with an error"
                    ),
                    at=bind.at,
                )
            )
            continue
        host: Value = bind.host if bind.host is not None else "0.0.0.0"
        if isinstance(host, str) and host in ("", "*"):
            host = "0.0.0.0"
        found.append(
            Listen(
                host=host,
                port=port,
                at=bind.at,
                source="command" if bind.source == "argv" else bind.source,
                server=fact.kind,
                host_at=bind.at,
            )
        )
    return found, faults, open_links


def _port(value: Value | None, fact: ServerStart) -> int | Unknown | str:
    if value is None:
        return Unknown(f"the port of {fact.kind} is not known")
    if isinstance(value, Unknown):
        return value
    return int(value) if value.isascii() and value.isdigit() else value


# Options that name a file which the server opens before it listens, or a directory that it asks for.
_FILES = {
    "uvicorn": ("log_config", "env_file", "keyfile", "certfile", "ssl_ca_certs", "reload_dirs"),
    "gunicorn": (
        "config",
        "log_config",
        "logconfig_json",
        "keyfile",
        "certfile",
        "ca_certs",
        "worker_tmp_dir",
    ),
    "hypercorn": ("config", "log_config", "keyfile", "certfile", "ca_certs"),
    "ray-serve": ("config",),
    "supervisord": ("config",),
    "nginx": ("config",),
}


def config_faults(fact: ServerStart, cwd: Value, view: View) -> list[StartFault]:
    """A file that the command tells the server to read is not there."""
    found: list[StartFault] = []
    for wanted in _FILES.get(fact.kind, ()):
        option = fact.option(wanted)
        if option is None or not isinstance(option.value, str) or not isinstance(cwd, str):
            continue
        name = option.value.removeprefix("file:")
        path = posixpath.normpath(posixpath.join(cwd, name))
        if not name or name.startswith("python:") or path.startswith("/etc/"):
            continue
        if view.look(path).answer != "no":
            continue
        found.append(
            StartFault(
                kind="script",
                message=(
                    f"{fact.kind} is told to read `{name}`, which is not in the image "
                    f"(it would be {path}): {fact.kind} stops"
                ),
                at=option.at,
                evidence=(("path", path),),
            )
        )
    return found


# Options that name a file which the server makes when it starts.
_MADE = {"gunicorn": ("access_log", "error_log", "pidfile")}
# Directories of every image that only root may write in.
_OF_ROOT = frozenset(["/run", "/var/run", "/var/log", "/var/lib", "/etc", "/usr/local", "/"])


# Words that an option takes and no others.
_CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "uvicorn": {
        "log_level": ("critical", "error", "warning", "info", "debug", "trace"),
        "lifespan": ("auto", "on", "off"),
        "interface": ("auto", "asgi3", "asgi2", "wsgi"),
    },
    "hypercorn": {"log_level": ("debug", "info", "warning", "error", "critical")},
}


def refused_choices(fact: ServerStart) -> Iterator[StartFault]:
    """A word that the option does not take: the server prints its usage and ends."""
    for name, words in _CHOICES.get(fact.kind, {}).items():
        option = fact.option(name)
        if option is None or option.source != "argv" or not isinstance(option.value, str):
            continue
        if "$" in option.value or not option.value or option.value.lower() in words:
            continue
        yield StartFault(
            kind="literal-variable",
            message=(
                f"`{option.flag} {option.value}` is none of {', '.join(words)}: {fact.kind} refuses it "
                "and stops"
            ),
            at=option.at,
        )


def refused_option(fact: ServerStart) -> StartFault | None:
    """An option that is another server's, a slip of the pen, or short for several of its own."""
    from auditor.parsers.commands import servers

    unclear = servers.ambiguous_option(fact)
    if unclear is not None:
        option, meant = unclear
        message = (
            f"`{option.flag}` is short for several options: `{fact.kind}: error: ambiguous option: "
            f"{option.flag} could match {', '.join(meant)}`, and the server stops"
        )
        return StartFault(kind="literal-variable", message=message, at=option.at)
    foreign = servers.foreign_option(fact)
    slip = servers.misspelt_option(fact) if foreign is None else None
    found = foreign or slip
    if found is None:
        return None
    option, other = found
    error = (
        f"Error: No such option: {option.flag}"
        if fact.kind == "uvicorn"
        else f"{fact.kind}: error: unrecognized arguments: {option.flag}"
    )
    whose = (
        f"an option of {other}, not of {fact.kind}"
        if foreign is not None
        else f"no option of {fact.kind} (`{other}` is)"
    )
    message = f"`{option.flag}` is {whose}: `{error}`, and the server stops"
    return StartFault(kind="literal-variable", message=message, at=option.at)


def unknown_account(fact: ServerStart, service: Service) -> Iterator[StartFault]:
    """``gunicorn --user``: an account that the image does not have."""
    from auditor.deployment.accounts import known_account, makes_account
    from auditor.deployment.commands import ran

    image = service.image
    option = fact.option("user") if fact.kind == "gunicorn" else None
    if image is None or image.base is None or not image.base.official_python or option is None:
        return
    name = option.value
    if not isinstance(name, str) or not name or name.isdigit() or "$" in name:
        return
    if known_account(name, image.base.flavour) or any(
        makes_account(c, name) for c in ran(image.image)
    ):
        return
    if any("/etc" in str(copy.destination) for copy in image.image.copies):
        return
    yield StartFault(
        kind="script",
        message=f"no account `{name}` is in the image: `Error: No such user: '{name}'`, and gunicorn stops",
        at=option.at,
        certain=False,
    )


def unwritable(fact: ServerStart, cwd: Value, service: Service, view: View) -> Iterator[StartFault]:
    """A log or pid file in a directory that is not there, or not the service's to write in."""
    user = service.user
    plain = isinstance(user, str) and user.partition(":")[0] not in ("", "root", "0")
    for wanted in _MADE.get(fact.kind, ()):
        option = fact.option(wanted)
        if option is None or not isinstance(option.value, str) or not isinstance(cwd, str):
            continue
        if option.value in ("-", "") or option.value.startswith("/dev/"):
            continue
        path = posixpath.normpath(posixpath.join(cwd, option.value))
        folder = posixpath.dirname(path)
        seen = view.look(folder)
        if seen.answer == "no" and folder not in _OF_ROOT:
            error, why = "FileNotFoundError", f"{folder} is not in the image"
        elif plain and folder in _OF_ROOT and not seen.mounted and not _given(view, folder):
            error, why = (
                "PermissionError",
                f"{folder} belongs to root and the service runs as {user}",
            )
        else:
            continue
        yield StartFault(
            kind="script",
            message=f"{why}: {fact.kind} cannot write `{option.value}` and stops with `{error}`",
            at=option.at,
            certain=False,
            evidence=(("path", path),),
        )


def _given(view: View, folder: str) -> bool:
    """A RUN changes the rights or the owner of this directory."""
    texts = (step.command.text.text for step in view.image.image.runs)
    return any(folder in text and ("chown" in text or "chmod" in text) for text in texts)


def configured(
    fact: ServerStart,
    env: Env,
    cwd: Value,
    view: View,
    open_links: list[tuple[Stage, str]],
) -> tuple[Option, ...]:
    """Options that the server's configuration file gives."""
    from auditor.parsers import rayserve, serverconf

    parsers: dict[str, Callable[[SourceText], _Configured]] = {
        "ray-serve": rayserve.parse,
        "gunicorn": serverconf.parse_gunicorn,
        "hypercorn": serverconf.parse_hypercorn,
        "streamlit": serverconf.parse_streamlit,
    }
    if fact.kind in ("torchserve", "mlserver"):
        return _model_server_settings(fact, env, cwd, view, open_links)
    parse = parsers.get(fact.kind)
    if parse is None or not isinstance(cwd, str):
        return ()
    option = fact.value("config")
    name = ".streamlit/config.toml" if fact.kind == "streamlit" else fact.config_file
    if isinstance(option, str):
        name = option.removeprefix("file:")
        if name.startswith("python:"):
            # The name of a module, found from the working directory.
            name = f"{name.removeprefix('python:').replace('.', '/')}.py"
    elif isinstance(option, Unknown):
        open_links.append((Stage.REACHABLE, f"the configuration of {fact.kind}: {option.reason}"))
        return ()
    if name is None:
        return ()
    path = posixpath.normpath(posixpath.join(cwd, name))
    text = view.text(path)
    if text is None:
        if isinstance(option, str) and view.look(path).answer != "no":
            open_links.append((Stage.REACHABLE, f"{name} could not be read"))
        if fact.kind == "ray-serve" and option is not None:
            unread = Unknown(f"{name} decides it")
            given = ("host", "port", "app")
            return tuple(Option(name=item, value=unread, at=fact.at) for item in given)
        return ()
    return parse(text).options(env)


def brought(fact: ServerStart, cwd: Value, view: View) -> dict[str, str | Unknown | None]:
    """Variables that a server's command line sets, by a file or one by one."""
    found: dict[str, str | Unknown | None] = {}
    for option in fact.options:
        text = option.value
        if option.name == "raw_env":
            name, _, given = text.partition("=") if isinstance(text, str) else ("*", "", "")
            found[name] = given if isinstance(text, str) else Unknown("a computed variable")
        elif option.name in ("env_file", "env_files"):
            file = None
            if isinstance(text, str) and isinstance(cwd, str):
                file = view.text(posixpath.normpath(posixpath.join(cwd, text)))
            if file is None:
                found["*"] = Unknown("a file of variables that was not read")
                continue
            from auditor.parsers import dotenv

            found.update(dotenv.parse(file).values())
    return found


# Flask's command line reads them in this order, and what is set already stays.
_FLASK_FILES = (".env", ".flaskenv")


def of_flask(fact: ServerStart, env: Env, cwd: Value, service: Service, view: View) -> Env:
    """``env`` with what ``flask run`` finds in ``.env`` and ``.flaskenv`` (cli.load_dotenv).

    It looks from the working directory upwards, and only where python-dotenv is installed.
    """
    environment = service.environment
    installed = environment.installed if environment is not None else None
    if fact.kind != "flask" or installed is None or not isinstance(cwd, str):
        return env
    if env.get("FLASK_SKIP_DOTENV"):
        return env
    present = installed.has("python-dotenv")
    if not present and installed.complete and not installed.unknown:
        return env
    found: dict[str, str | Unknown | None] = {}
    for name in _FLASK_FILES:
        text = _nearest(name, cwd, view)
        if text is not None:
            from auditor.parsers import dotenv

            found = {**dotenv.parse(text).values(), **found}
    if not present:
        found = dict.fromkeys(found, Unknown("python-dotenv may be missing"))
    return {**found, **{key: text for key, text in env.items() if text is not None}}


def _nearest(name: str, folder: str, view: View) -> SourceText | None:
    """The file of that name in a directory of the image or the closest one above it."""
    while True:
        text = view.text(posixpath.join(folder, name))
        if text is not None or folder in ("", "/"):
            return text
        folder = posixpath.dirname(folder)


def _model_server_settings(
    fact: ServerStart,
    env: Env,
    cwd: Value,
    view: View,
    open_links: list[tuple[Stage, str]],
) -> tuple[Option, ...]:
    """``config.properties`` of TorchServe, ``settings.json`` of MLServer.

    TorchServe reads the file of ``--ts-config``, else ``$TS_CONFIG_FILE``, else the one in the
    working directory; MLServer the one in the folder that it is started with.
    """
    from auditor.parsers import modelservers

    if fact.kind == "mlserver":
        folder = fact.script.value if fact.script is not None else None
        name: Value = posixpath.join(folder, "settings.json") if isinstance(folder, str) else ""
        parse, asked = modelservers.parse_mlserver, False
    else:
        given = fact.effective("config", env=env, config=())
        asked = given is not None and not isinstance(given.value, bool)
        name = given.value if given is not None and asked else "config.properties"  # type: ignore[assignment]
        parse = modelservers.parse_torchserve
    path = None
    if isinstance(name, str) and name:
        if name.startswith("/"):
            path = posixpath.normpath(name)
        elif isinstance(cwd, str):
            path = posixpath.normpath(posixpath.join(cwd, name))
    text = view.text(path) if path is not None else None
    if text is not None:
        return parse(text).options(env)
    if path is not None and view.look(path).answer == "no" and not asked:
        return ()
    if fact.kind == "mlserver" and path is None:
        return ()
    reason = f"{name} of {fact.kind} could not be read"
    open_links.append((Stage.REACHABLE, reason))
    return tuple(
        Option(name=option, value=Unknown(reason), at=fact.at, source="configuration")
        for option in ("host", "port")
    )
