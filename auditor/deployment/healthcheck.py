"""What a health check runs and which address it asks."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from auditor import lazy_re as re
from auditor.deployment.model import HealthCheck
from auditor.parsers.shell.expansion import Env
from auditor.parsers.shell.facts import Script
from auditor.source import Location

_URL = re.compile(
    r"(?P<scheme>https?|tcp)://(?P<host>\[[0-9a-f:]+\]|[A-Za-z0-9.${}_-]+?)"
    r"(?::(?P<port>\d+|\$\{?[A-Za-z_][A-Za-z0-9_]*(?::?-\d+)?\}?))?(?P<path>/[^\s'\"`;|&)\\]*)?"
    r"(?=$|[\s'\"`;|&),\\])"
)
# `socket.create_connection(("localhost", 8000))`, `nc -z localhost 8000`.
_PAIR = re.compile(
    r"\(\(\s*['\"](?P<host>[A-Za-z0-9.-]+)['\"]\s*,\s*(?P<port>\d+)\s*\)"
    r"|^(?:nc|netcat|ncat)\s(?:-\S+\s+(?:\d+\s+)?)*(?P<name>[A-Za-z0-9.-]+)\s+(?P<number>\d+)(?:$|\s)"
)
_DOLLAR = re.compile(r"\$\{?[A-Za-z_]\w*[^}/]*\}?")
_POSTS = re.compile(r"(?i)\bpost\b|--data|\bdata=|\s-d\s|\s-X\s")
_SCRIPT = re.compile(
    r"(?:\S*/)?(?:python[\d.]*|bash|sh)\s+(?:-[uBO]\s+)*([\w./-]+\.(?:py|sh))(?:\s|$)"
)
_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash"})
_BUILTINS = frozenset({"exit", "true", "false", "test", "[", "echo", "cd", "set", ":", "exec"})


def read(
    script: Script,
    at: Location,
    source: Literal["dockerfile", "compose", "kubernetes"],
    env: Env,
) -> HealthCheck:
    """The programs a check runs and the URL it names, as far as both are plain."""
    programs: list[str] = []
    texts: list[str] = []
    _collect(script, env, programs, texts)
    # What a shell inside it is given, that one expands.
    plain = [] if any(arg.script for c in script.commands for arg in c.argv(env)) else texts
    run = next((m[1] for text in texts if (m := _SCRIPT.match(text))), None)
    modules = tuple(dict.fromkeys(_modules(script, env)))
    for text in texts:
        for match in _URL.finditer(text):
            port = _number(match["port"], env)
            asked = f"{match['host']}:{match['port'] or ''}"
            variable = _DOLLAR.search(asked) if script.exec_form and text in plain else None
            if match["port"] is None:
                port = 443 if match["scheme"] == "https" else 80
            return HealthCheck(
                at=at,
                source=source,
                programs=tuple(dict.fromkeys(programs)),
                host=match["host"],
                port=port,
                path=(match["path"] or "/").partition("?")[0],
                scheme=match["scheme"],
                posts=_POSTS.search(text) is not None,
                modules=modules,
                literal=variable[0] if variable is not None else "",
            )
    pair = next((m for text in texts if (m := _PAIR.search(text))), None)
    return HealthCheck(
        at=at,
        source=source,
        programs=tuple(dict.fromkeys(programs)),
        host=(pair["host"] or pair["name"]) if pair is not None else None,
        port=int(pair["port"] or pair["number"]) if pair is not None else None,
        scheme="tcp" if pair is not None else "http",
        script=run,
        modules=modules,
    )


def _modules(script: Script, env: Env) -> Iterator[str]:
    """Modules that ``python -c "import requests; …"`` imports, whatever follows."""
    from auditor.parsers.commands import PythonRun, interpret_script

    for step in interpret_script(script, env=env):
        fact = step.fact
        if not isinstance(fact, PythonRun) or fact.code is None:
            continue
        if not isinstance(fact.code.value, str):
            continue
        try:
            body = ast.parse(fact.code.value).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in body:
            if isinstance(node, ast.Import):
                yield from (name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


def _collect(script: Script, env: Env, programs: list[str], texts: list[str]) -> None:
    for command in script.commands:
        argv = command.argv(env)
        if not argv:
            continue
        name = argv[0].text
        nested = [arg.script for arg in argv if arg.script is not None]
        if name not in _BUILTINS and not (name in _SHELLS and nested):
            programs.append(name)
        for inner in nested:
            _collect(inner, env, programs, texts)
        if not nested:
            texts.append(" ".join(arg.text for arg in argv))


def _number(text: str | None, env: Env) -> int | None:
    if text is None:
        return None
    if text.isdigit():
        return int(text)
    name, _, default = text.strip("${}").partition(":-")
    value = env.get(name)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return int(default) if default.isdigit() and value is None else None


def disabled(at: Location, source: Literal["dockerfile", "compose"]) -> HealthCheck:
    """``HEALTHCHECK NONE`` or ``disable: true``."""
    return HealthCheck(at=at, source=source, disabled=True)


def asks(checks: Iterable[HealthCheck]) -> HealthCheck | None:
    """The check in force: the last one given wins (Compose over the image)."""
    last = None
    for item in checks:
        last = item
    return last


def in_force(checks: Sequence[HealthCheck]) -> tuple[HealthCheck, ...]:
    """The checks that are made: every probe of a container of Kubernetes, else the last given."""
    probes = tuple(c for c in checks if c.role != "health")
    made = probes or tuple(checks[-1:])
    return tuple(c for c in made if not c.disabled)


_FAILS = {
    "health": "the container is always unhealthy",
    "startup": "the kubelet kills the container again and again before it counts as started",
    "liveness": "the kubelet restarts the container again and again",
    "readiness": "the pod is never ready, and its Service sends nothing to it",
}


def subject(check: HealthCheck) -> str:
    """What to call it in a message."""
    return "the health check" if check.role == "health" else f"the {check.role} probe"


def fails(check: HealthCheck) -> str:
    """What happens when the check never succeeds."""
    return _FAILS[check.role]
