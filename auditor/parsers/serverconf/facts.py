"""What a configuration file of a server says, with the place of each setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from auditor.parsers.commands.facts import Option
from auditor.parsers.shell.expansion import Env, Value
from auditor.source import Location, Problem, Unknown
from auditor.values import value

DEPTH = 60

Expanded: TypeAlias = "str | Unknown | tuple[str | Unknown, ...]"


@value
class Expression:
    """A value that may depend on the environment.

    ``literal``: ``text``. ``env``: the variable ``text``, else ``parts[0]`` (if there is one).
    ``join``: the concatenated ``parts``. ``list``: the ``parts``. ``unknown``: ``text`` says why.
    """

    kind: Literal["literal", "env", "join", "list", "unknown"]
    text: str = ""
    parts: tuple[Expression, ...] = ()

    def expand(self, env: Env | None = None) -> Expanded:
        """The value under an environment; numbers and booleans in Python's notation."""
        env = env or {}
        if self.kind == "literal":
            return self.text
        if self.kind == "unknown":
            return Unknown(self.text)
        if self.kind == "env":
            held = env.get(self.text)
            if held is not None:
                return held
            others = env.get("*")
            if isinstance(others, Unknown):
                return others  # a file that is not seen may set it
            return self.parts[0].expand(env) if self.parts else Unknown(f"${self.text} is not set")
        if self.kind == "list":
            found: list[Value] = []
            for part in self.parts:
                value = part.expand(env)
                found += value if isinstance(value, tuple) else [value]
            return tuple(found)
        texts: list[str] = []
        for part in self.parts:
            value = part.expand(env)
            if not isinstance(value, str):
                return value if isinstance(value, Unknown) else Unknown("a list inside a text")
            texts.append(value)
        return "".join(texts)

    def pieces(self, env: Env | None = None) -> tuple[Value, ...]:
        """Known and unknown parts in order (``0.0.0.0:`` and an unknown port, say)."""
        if self.kind == "join":
            return tuple(piece for part in self.parts for piece in part.pieces(env))
        value = self.expand(env)
        return value if isinstance(value, tuple) else (value,)


@value
class Setting:
    """``name = value``; ``conditional`` when other branches may set it otherwise."""

    name: str
    value: Expression
    at: Location
    section: str = ""
    conditional: bool = False


@value
class ServerConfig:
    """Settings of one file for a ``kind`` of server (a key of ``servers.toml``)."""

    kind: str
    path: str
    settings: tuple[Setting, ...] = ()
    # Server hooks and other functions that the file defines (gunicorn: post_fork, on_exit, …).
    functions: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def get(self, name: str) -> Setting | None:
        """The setting by name; the last one counts."""
        return next((s for s in reversed(self.settings) if s.name == name), None)

    def options(self, env: Env | None = None) -> tuple[Option, ...]:
        """As canonical options, for ``ServerStart.listens(config=…)`` and ``effective``."""
        found: list[Option] = []
        for setting in self.settings:
            name = _canonical_name(self.kind, setting.name)
            value = setting.value.expand(env)
            items: Sequence[tuple[Value, tuple[Value, ...]]]
            if isinstance(value, tuple):
                items = [(item, ()) for item in value]
            else:
                items = [(value, setting.value.pieces(env))]
            if name == "bind" and self.kind == "gunicorn":
                items = [
                    (part.strip(), ())
                    for item, _ in items
                    if isinstance(item, str)
                    for part in item.split(",")
                ] + [pair for pair in items if isinstance(pair[0], Unknown)]
            for item, pieces in items:
                shown: Value | bool = item
                if isinstance(item, str) and item.lower() in {"true", "false"}:
                    shown = item.lower() == "true"
                elif item == "None":
                    continue
                found.append(
                    Option(
                        name=name,
                        value=shown,
                        at=setting.at,
                        flag=setting.name,
                        source=self.path,
                        pieces=pieces if isinstance(item, Unknown) else (),
                    )
                )
        return tuple(found)


_CANONICAL = {
    "preload_app": "preload",
    "accesslog": "access_log",
    "errorlog": "error_log",
    "loglevel": "log_level",
    "logconfig": "log_config",
    "logconfig_dict": "log_config",
    "keepalive": "keep_alive",
    "wsgi_app": "app",
    "server.port": "port",
    "server.address": "host",
    "server.runOnSave": "reload",
    "server.baseUrlPath": "root_path",
    "keep_alive_timeout": "keep_alive",
    "accesslog_path": "access_log",
}


def _canonical_name(kind: str, name: str) -> str:
    if kind == "uwsgi":
        from auditor.catalog import knowledge

        row = knowledge("servers.toml").get("uwsgi", {})
        flag = "--" + name
        found: str = row.get("values", {}).get(flag) or row.get("switches", {}).get(flag) or name
        return found.replace("-", "_")
    return _CANONICAL.get(name, name)


def unknown_expression(reason: str) -> Expression:
    """An expression that is not known, and why."""
    return Expression(kind="unknown", text=reason)


def literal_expression(value: object) -> Expression:
    """An expression that is this value, in Python's notation."""
    return Expression(kind="literal", text=str(value))
