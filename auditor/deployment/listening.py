"""Where a server that a command line starts will listen, by the server's own precedence.

Command line, then the tool's environment variables, then its configuration file, then its
defaults (``rules/knowledge/servers.toml``).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.deployment.model import Listen, StartFault, Value
from auditor.findings import Stage
from auditor.parsers.commands import Bind, ServerStart
from auditor.source import Location, Unknown

if TYPE_CHECKING:
    from auditor.deployment.view import View

Env = Mapping[str, str | Unknown | None]
_SILENT = frozenset({"celery", "supervisord"})


def listens(
    fact: ServerStart, env: Env, cwd: Value, view: View
) -> tuple[list[Listen], list[StartFault], list[tuple[Stage, str]]]:
    """(addresses, faults of the address options, links that stayed open)."""
    if fact.kind in _SILENT:
        return [], [], []
    found: list[Listen] = []
    faults: list[StartFault] = []
    open_links: list[tuple[Stage, str]] = []
    binds = fact.binds or _configured(fact, env, cwd, view, open_links)
    if not binds:
        binds = (_default(fact, env),)
    for bind in binds:
        if bind.unix is not None or bind.fd is not None:
            continue
        port = _port(bind, fact, env)
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
        found.append(
            Listen(
                host=_host(bind, fact, env),
                port=port,
                at=bind.at,
                source={"argv": "command", "default": "default"}.get(bind.source, bind.source),
                server=fact.kind,
                host_at=bind.at,
            )
        )
    return found, faults, open_links


def _option_env(fact: ServerStart, env: Env, name: str) -> str | Unknown | None:
    for variable, option in fact.env_options:
        if option == name and env.get(variable) is not None:
            return env[variable]
    return None


def _default(fact: ServerStart, env: Env) -> Bind:
    return Bind(host=None, port=None, at=fact.at, source="default")


def _host(bind: Bind, fact: ServerStart, env: Env) -> Value:
    if bind.host is not None:
        if isinstance(bind.host, str) and bind.host in ("", "*"):
            return "0.0.0.0"
        return bind.host
    value = _option_env(fact, env, "host")
    if value is not None:
        return value
    if fact.kind == "gunicorn" and bind.source == "default" and env.get("PORT") is not None:
        # gunicorn binds every interface as soon as PORT is set.
        return "0.0.0.0"
    if fact.kind == "gunicorn" and bind.port is not None:
        # "-b :8000" names no host.
        return "0.0.0.0"
    return fact.default_host if fact.default_host is not None else "0.0.0.0"


def _port(bind: Bind, fact: ServerStart, env: Env) -> int | Unknown | str:
    value = bind.port
    if value is None:
        value = _option_env(fact, env, "port")
    if value is None:
        if fact.default_port is None:
            return Unknown(f"the port of {fact.kind} is not known")
        return fact.default_port
    if isinstance(value, Unknown):
        return value
    return int(value) if value.isascii() and value.isdigit() else value


def _configured(
    fact: ServerStart,
    env: Env,
    cwd: Value,
    view: View,
    open_links: list[tuple[Stage, str]],
) -> tuple[Bind, ...]:
    """Addresses that the server's configuration file gives."""
    from auditor.parsers import serverconf

    option = fact.value("config")
    if fact.kind not in ("gunicorn", "hypercorn", "streamlit"):
        return ()
    if not isinstance(cwd, str):
        return ()
    name = {"gunicorn": "gunicorn.conf.py", "streamlit": ".streamlit/config.toml"}.get(fact.kind)
    if isinstance(option, str):
        name = option.removeprefix("file:").removeprefix("python:")
    if name is None:
        return ()
    path = posixpath.normpath(posixpath.join(cwd, name))
    text = view.text(path)
    if text is None:
        if isinstance(option, str) and view.look(path).answer != "no":
            open_links.append((Stage.REACHABLE, f"{name} could not be read"))
        return ()
    return serverconf.binds(fact.kind, text, env)


def location_of(bind: Bind, fact: ServerStart) -> Location:
    """Where the address is decided."""
    return bind.at or fact.at
