"""The address that a health check's own script asks."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.deployment import healthcheck
from auditor.deployment.model import HealthCheck
from auditor.parsers.python.facts import Phase
from auditor.source import Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.deployment.view import View
    from auditor.parsers.python.facts import Call, Trace

Env = Mapping[str, str | Unknown | None]
_METHODS = frozenset({"requests.post", "httpx.post"})
_ADDRESSES = ("url", "base_url")


def followed(
    service: Service, view: View, env: Env, run: Callable[[str], Trace | None]
) -> tuple[HealthCheck, ...]:
    """The service's checks, those that run a script of the image with the address that it asks.

    ``run`` follows a program of Python at a path of the image. A script that asks several
    addresses, or one that is not plain, leaves its check as it was.
    """
    return tuple(_followed(check, service, view, env, run) for check in service.health)


def _followed(
    check: HealthCheck,
    service: Service,
    view: View,
    env: Env,
    run: Callable[[str], Trace | None],
) -> HealthCheck:
    if check.script is None or check.port is not None or not isinstance(service.cwd, str):
        return check
    path = posixpath.normpath(posixpath.join(service.cwd, check.script))
    if path.endswith(".py"):
        trace = run(path)
        if trace is not None and trace.found:
            check = replace(check, modules=(*check.modules, *_imported(trace)))
        followed = trace is not None and not trace.truncated and not _by_turns(view, path)
        asked = set(_asked(trace)) if trace is not None and followed else set()
        if len(asked) != 1:
            return check
        host, port, where, scheme, posts = asked.pop()
        return replace(check, host=host, port=port, path=where, scheme=scheme, posts=posts)
    script = view.script(path)
    if script is None or check.source == "platform":
        return check
    inner = healthcheck.read(script, check.at, check.source, env)
    return replace(
        inner,
        programs=tuple(dict.fromkeys((*check.programs, *inner.programs))),
        script=check.script,
        literal="",
        role=check.role,
    )


def _imported(trace: Trace) -> Iterator[str]:
    """Modules from outside that the program imports, whatever it then does."""
    for item in trace.imports:
        own = item.reach.guards or item.fact.guards or item.fact.level
        if item.found == "external" and item.reach.certain and not own:
            yield item.module


def _by_turns(view: View, path: str) -> bool:
    """A loop over something but ``range``: it may be one over addresses."""
    repo = view.repo_file(path)
    facts = view.facts_of_repo(repo) if repo is not None else None
    if facts is None or facts.tree is None:
        return True
    loops = [
        node.iter
        for node in ast.walk(facts.tree)
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension)
    ]
    return any(
        not isinstance(over, ast.Call)
        or not isinstance(over.func, ast.Name)
        or over.func.id != "range"
        for over in loops
    )


# Host, port, path, scheme, whether it posts.
_Asked = tuple[str, int, str | None, str, bool]


def _asked(trace: Trace) -> Iterator[_Asked]:
    """What a program connects to when it is run."""
    for call in trace.calls:
        if call.reach.phase is Phase.UNREACHED:
            continue
        if call.category == "http":
            yield from _url(call)
        elif call.category == "connect" and len(call.arguments) > 1:
            host, port = (value.value for value in call.arguments[:2])
            if isinstance(host, str) and isinstance(port, int):
                yield host, port, None, "tcp", False


def _url(call: Call) -> Iterator[_Asked]:
    from urllib.parse import urlsplit

    named = (call.keyword(name) for name in _ADDRESSES)
    for value in (*named, *call.arguments[:2]):
        text = value.text if value is not None else None
        if not isinstance(text, str) or not text.startswith(("http://", "https://")):
            continue
        try:
            parts = urlsplit(text)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            return
        if parts.hostname:
            posts = call.name in _METHODS or call.keyword("data") is not None
            yield parts.hostname, port, parts.path or "/", parts.scheme, posts
        return
