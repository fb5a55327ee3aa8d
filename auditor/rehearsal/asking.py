"""Asking one service over HTTP: only ever the loopback address that the run published."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from auditor.rehearsal.examples import Request
from auditor.rehearsal.observed import Exchange

HOST: Final = "127.0.0.1"
_MOST: Final = 2_000_000


def ask(port: int, request: Request, *, timeout: float = 5.0) -> tuple[Exchange, bytes]:
    """One request and its answer. Never raises: without an answer ``status`` is None."""
    headers = {"User-Agent": "deploy-audit", "Accept": "*/*", "Connection": "close"}
    if request.content_type:
        headers["Content-Type"] = request.content_type
    headers.update(dict(request.headers))
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
    status: int | None = None
    error, body = "", b""
    try:
        connection.request(request.method, request.path, body=request.body or None, headers=headers)
        answer = connection.getresponse()
        status = answer.status
        body = answer.read(_MOST)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        error = _reason(problem)
    finally:
        connection.close()
    shown = body[:300].decode("utf-8", "replace")
    return (
        Exchange(
            method=request.method,
            path=request.path,
            status=status,
            error=error,
            body=_shown(request),
            source=request.source,
            answer=" ".join(shown.split()),
        ),
        body,
    )


def _shown(request: Request) -> str:
    if not request.body:
        return ""
    if request.content_type.startswith(("application/json", "text/", "application/x-www-form")):
        return request.body[:300].decode("utf-8", "replace")
    return f"{len(request.body)} bytes of {request.content_type.partition(';')[0]}"


def _reason(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, ConnectionRefusedError):
        return "connection refused"
    if isinstance(problem, ConnectionResetError | http.client.RemoteDisconnected):
        return "connection reset"
    return f"{type(problem).__name__}: {problem}"[:200]


def first_answer(
    port: int, paths: Iterable[str], *, timeout: float = 3.0
) -> tuple[Exchange | None, Exchange | None]:
    """(the first HTTP answer of any status, the last failure)."""
    failure = None
    for path in paths:
        exchange, _ = ask(port, Request(method="GET", path=path), timeout=timeout)
        if exchange.status is not None:
            return exchange, failure
        failure = exchange
    return None, failure


def openapi(port: int, paths: Sequence[str] = ("/openapi.json",)) -> Any:
    """The service's OpenAPI document; None when it offers none."""
    for path in paths:
        exchange, body = ask(port, Request(method="GET", path=path), timeout=10.0)
        if exchange.status == 200:
            try:
                found = json.loads(body)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict) and "paths" in found:
                return found
    return None


def until(deadline: float) -> bool:
    """Whether there is time left before this moment of the monotonic clock."""
    return time.monotonic() < deadline
