"""nginx: servers, their addresses and what they hand on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.parsers.commands.facts import Bind
from auditor.parsers.serverconf.facts import DEPTH
from auditor.parsers.shell.expansion import Value
from auditor.source import Fragment, Location, Problem, SourceText, Unknown
from auditor.values import value

_NOT_ENDED = "is not ended by a semicolon"
_CLOSES_NOTHING = "closes no block"
_NEVER_CLOSED = "opens a block that is never closed"
# Problems of a text that keep nginx from starting.
REFUSED_BY_NGINX = frozenset([_NOT_ENDED, _CLOSES_NOTHING, _NEVER_CLOSED])


@value
class Directive:
    """``name args;`` or ``name args { block }``."""

    name: str
    args: tuple[str, ...]
    at: Location
    block: tuple[Directive, ...] | None = None

    def walk(self) -> Iterator[Directive]:
        """The directive and everything in its block."""
        stack = [self]
        while stack:
            item = stack.pop()
            yield item
            stack.extend(reversed(item.block or ()))

    def find(self, name: str) -> Directive | None:
        """The last directive of that name directly in the block."""
        return next((d for d in reversed(self.block or ()) if d.name == name), None)


@value
class NginxLocation:
    """``location path { proxy_pass …; }``; ``upstream`` is the URL as written."""

    path: str
    at: Location
    upstream: str | None = None
    upstream_at: Location | None = None
    directive: Directive


@value
class NginxServer:
    """A ``server`` block."""

    at: Location
    listens: tuple[Bind, ...] = ()
    names: tuple[str, ...] = ()
    locations: tuple[NginxLocation, ...] = ()
    directive: Directive


@value
class NginxConfig:
    """``upstreams``: name and its ``host:port`` targets."""

    path: str
    servers: tuple[NginxServer, ...] = ()
    upstreams: tuple[tuple[str, tuple[tuple[str, Location], ...]], ...] = ()
    directives: tuple[Directive, ...] = ()
    includes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def walk(self) -> Iterator[Directive]:
        """Every directive, whatever block it is in."""
        for directive in self.directives:
            yield from directive.walk()


def parse_nginx(source: SourceText) -> NginxConfig:
    """``nginx.conf`` or a file of ``conf.d``."""
    problems = list(source.problems)
    directives = _nginx_directives(source, problems)
    servers: list[NginxServer] = []
    upstreams: list[tuple[str, tuple[tuple[str, Location], ...]]] = []
    includes: list[str] = []
    for top in directives:
        for directive in top.walk():
            if directive.name == "server" and directive.block is not None:
                servers.append(_nginx_server(directive))
            elif directive.name == "upstream" and directive.args:
                targets = tuple(
                    (inner.args[0], inner.at)
                    for inner in directive.block or ()
                    if inner.name == "server" and inner.args
                )
                upstreams.append((directive.args[0], targets))
            elif directive.name == "include" and directive.args:
                includes.append(directive.args[0])
    return NginxConfig(
        path=source.path,
        servers=tuple(servers),
        upstreams=tuple(upstreams),
        directives=directives,
        includes=tuple(includes),
        problems=tuple(problems),
    )


def _nginx_server(directive: Directive) -> NginxServer:
    listens: list[Bind] = []
    names: list[str] = []
    locations: list[NginxLocation] = []
    for inner in directive.walk():
        if inner.name == "listen" and inner.args:
            listens.append(_nginx_listen(inner))
        elif inner.name == "server_name":
            names += inner.args
        elif inner.name == "location":
            passed = next(
                (
                    d
                    for d in inner.block or ()
                    if d.name in {"proxy_pass", "uwsgi_pass", "grpc_pass", "fastcgi_pass"}
                ),
                None,
            )
            locations.append(
                NginxLocation(
                    path=" ".join(inner.args),
                    at=inner.at,
                    upstream=passed.args[0] if passed is not None and passed.args else None,
                    upstream_at=passed.at if passed is not None else None,
                    directive=inner,
                )
            )
    if not listens:
        listens = [Bind(host="0.0.0.0", port="80", at=directive.at, source="default")]
    return NginxServer(
        at=directive.at,
        listens=tuple(listens),
        names=tuple(names),
        locations=tuple(locations),
        directive=directive,
    )


def _nginx_listen(directive: Directive) -> Bind:
    text = directive.args[0]
    path = directive.at.path
    protocol = "https" if "ssl" in directive.args[1:] else "http"
    if text.startswith("unix:"):
        return Bind(
            unix=text.removeprefix("unix:"), at=directive.at, source=path, protocol=protocol
        )
    host: Value
    port: Value
    if text.startswith("["):
        host, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":") or "80"
    elif text.isdigit():
        host, port = "0.0.0.0", text
    elif ":" in text:
        host, _, port = text.rpartition(":")
    elif "$" in text:
        # A template: envsubst fills it in at start.
        host, port = "0.0.0.0", Unknown(f"{text} is filled in when nginx starts")
    else:
        host, port = text, "80"
    if isinstance(port, str) and "$" in port:
        port = Unknown(f"{port} is filled in when nginx starts")
    return Bind(host=host, port=port, at=directive.at, source=path, protocol=protocol)


def _nginx_directives(source: SourceText, problems: list[Problem]) -> tuple[Directive, ...]:
    fragment = Fragment(source.path, [(source.text, 1, 1)])
    stack: list[tuple[list[tuple[str, int, int]], list[Directive]]] = [([], [])]
    words: list[tuple[str, int, int]] = []
    lines = _LineIndex(source.text, source.path)

    def place(first: int, last: int) -> Location:
        return lines.location(first, last)

    for kind, text, start, end in _nginx_tokens(fragment.text):
        if kind == "word":
            words.append((text, start, end))
        elif kind == ";":
            if words:
                stack[-1][1].append(
                    Directive(
                        name=words[0][0],
                        args=tuple(w[0] for w in words[1:]),
                        at=place(words[0][1], words[-1][2]),
                    )
                )
            words = []
        elif kind == "{":
            if len(stack) > DEPTH:
                problems.append(
                    Problem(at=place(start, end), message="is nested too deeply", fatal=True)
                )
                break
            stack.append((words, []))
            words = []
        elif kind == "}":
            if len(stack) == 1:
                if len(problems) < 20:
                    problems.append(Problem(at=place(start, end), message=_CLOSES_NOTHING))
                continue
            if words and len(problems) < 20:
                at = place(words[0][1], words[-1][2])
                problems.append(Problem(at=at, message=_NOT_ENDED))
            _nginx_close(stack, place, end)
            words = []
    if len(stack) > 1:
        opened = stack[-1][0]
        at = place(opened[0][1], opened[-1][2]) if opened else source.at(1)
        problems.append(Problem(at=at, message=_NEVER_CLOSED))
    while len(stack) > 1:
        _nginx_close(stack, place, len(source.text))
    return tuple(stack[0][1])


def _nginx_close(
    stack: list[tuple[list[tuple[str, int, int]], list[Directive]]], place: Any, end: int
) -> None:
    head, inner = stack.pop()
    if head:
        stack[-1][1].append(
            Directive(
                name=head[0][0],
                args=tuple(w[0] for w in head[1:]),
                at=place(head[0][1], head[-1][2]),
                block=tuple(inner),
            )
        )
    else:
        stack[-1][1].extend(inner)


class _LineIndex:
    """Locations by offset in logarithmic time, for files with many tokens."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def location(self, start: int, end: int) -> Location:
        from bisect import bisect_right

        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(end - 1, start)) - 1
        return Location(
            self.path,
            first + 1,
            start - self._starts[first] + 1,
            last + 1,
            end - self._starts[last] + 1,
        )


def _nginx_tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    i, end = 0, len(text)
    while i < end:
        char = text[i]
        if char.isspace():
            i += 1
        elif char == "#":
            newline = text.find("\n", i)
            i = end if newline < 0 else newline
        elif char in ";{}":
            yield char, char, i, i + 1
            i += 1
        elif char in "\"'":
            close = i + 1
            while close < end and text[close] != char:
                close += 2 if text[close] == "\\" else 1
            close = min(close, end)
            yield "word", text[i + 1 : close], i, min(close + 1, end)
            i = close + 1
        else:
            start = i
            while i < end and not text[i].isspace() and text[i] not in ";{}":
                if text.startswith("${", i):
                    # A variable of nginx, or a place that envsubst fills in.
                    close = text.find("}", i)
                    i = end if close < 0 else close
                elif text[i] == "\\":
                    i += 1
                i += 1
            i = min(i, end)
            yield "word", text[start:i], start, i
