"""``deploy-audit probe``: what to ask of the address that the user named, and the verdict."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any, Final

from auditor.errors import AuditorError
from auditor.rehearsal import examples
from auditor.rehearsal.examples import Request
from auditor.rehearsal.load import Outcome, Shape, Target
from auditor.rehearsal.observed import Limits
from auditor.values import value

_LARGEST: Final = 5_000_000
_DOCUMENTS: Final = ("/openapi.json", "/api/openapi.json", "/swagger.json")
_TOLERANCE: Final = 0.98

Headers = Sequence[tuple[str, str]]


def fetch(
    target: Target, request: Request, headers: Headers = (), timeout: float = 10.0
) -> tuple[int, bytes]:
    """(status, body) of one request; AuditorError when nothing answers. Follows no redirect."""
    connection: http.client.HTTPConnection
    if target.tls:
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            target.host, target.port, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=timeout)
    sent = {"User-Agent": "deploy-audit", "Accept": "*/*", "Connection": "close"}
    if request.content_type:
        sent["Content-Type"] = request.content_type
    sent |= dict(request.headers) | dict(headers)
    try:
        connection.request(request.method, request.path, body=request.body or None, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.read(_LARGEST)
    except (OSError, http.client.HTTPException) as error:
        raise AuditorError(f"{target.origin} does not answer: {error}") from None
    except ValueError as error:
        raise AuditorError(f"{request.label} cannot be sent: {error}") from None
    finally:
        connection.close()


def choose(
    target: Target,
    *,
    body: bytes | None = None,
    method: str | None = None,
    headers: Headers = (),
) -> tuple[Request, ...]:
    """The requests to send: the given body, else what the service's OpenAPI document describes."""
    named = target.path.partition("?")[0] != "/"
    path = target.path
    if body is not None:
        return (_given(target, path, body, method or "POST", named, headers),)
    if method is not None and method.upper() != "POST":
        return (Request(method=method.upper(), path=path, source="body"),)
    wanted = (path.partition("?")[0],) if named else ()
    refused: tuple[Request, int, bytes] | None = None
    for request in _candidates(document_of(target, headers), wanted):
        if named and request.path.partition("?")[0] not in wanted:
            continue
        status, answer = fetch(target, request, headers)
        if 200 <= status < 300:
            return (request,)
        learned = examples.wanted_features(answer.decode("utf-8", "replace"))
        if learned is not None:
            again = examples.from_openapi(
                document_of(target, headers), wanted=wanted, features=(learned,)
            )
            if again and fetch(target, again[0], headers)[0] < 300:
                return (again[0],)
        refused = refused or (request, status, answer)
    if refused is not None:
        raise AuditorError(_refusal(*refused))
    return (Request(method=(method or "GET").upper(), path=path, source="body"),)


def _refusal(request: Request, status: int, answer: bytes) -> str:
    """What to do about a request that the service's own document describes and refuses."""
    said = " ".join(answer[:200].decode("utf-8", "replace").split())
    advice = (
        "give what it asks for with --header 'Authorization: …'"
        if status in (401, 403, 407)
        else "give a valid request with --body FILE, or another endpoint in the URL"
    )
    return f"{request.label} is answered with {status} ({said}): {advice}"


def _candidates(document: Any, wanted: Sequence[str]) -> tuple[Request, ...]:
    return examples.from_openapi(document, wanted=wanted)


def _given(
    target: Target, path: str, body: bytes, method: str, named: bool, headers: Headers
) -> Request:
    if not named:
        made = examples.from_openapi(document_of(target, headers))
        path = made[0].path if made else path
    kind = "application/json" if body[:1] in (b"{", b"[", b'"') else "application/octet-stream"
    return Request(
        method=method.upper(), path=path, body=body, content_type=kind, source="body", declared=True
    )


def document_of(target: Target, headers: Headers = ()) -> Any:
    """The service's OpenAPI document; None when it offers none."""
    for path in _DOCUMENTS:
        status, body = fetch(target, Request(method="GET", path=path), headers)
        if status == 200:
            try:
                found = json.loads(body)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict) and "paths" in found:
                return found
    return None


@value
class Verdict:
    """The run against its limits. ``missed`` is empty when all of them were kept."""

    missed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.missed


def judge(outcome: Outcome, limits: Limits) -> Verdict:
    """Compare what came back with the limits."""
    missed = []
    p95 = outcome.millis_at(95)
    if p95 > limits.p95_ms:
        missed.append(f"p95 {p95:.1f} ms is above {limits.p95_ms:g} ms")
    if outcome.error_percent > limits.error_percent:
        missed.append(
            f"{outcome.error_percent:.2f} % of the requests failed (limit {limits.error_percent:g} %)"
        )
    if outcome.throughput < limits.throughput * _TOLERANCE:
        missed.append(
            f"{outcome.throughput:.1f} requests/s were answered (limit {limits.throughput:g})"
        )
    return Verdict(missed=tuple(missed))


def document(
    target: Target,
    request: Request,
    shape: Shape,
    outcome: Outcome,
    limits: Limits,
    verdict: Verdict,
) -> dict[str, Any]:
    """The result as JSON values."""
    return {
        "url": target.origin + request.path,
        "request": {
            "method": request.method,
            "path": request.path,
            "content_type": request.content_type or None,
            "bytes": len(request.body),
            "source": request.source,
        },
        "load": {
            "mode": "closed" if shape.rate is None else "open",
            "rate": shape.rate,
            "connections": shape.connections if shape.rate is None else None,
            "warmup_seconds": shape.warmup,
            "seconds": round(outcome.seconds, 3),
        },
        "requests": outcome.total,
        "errors": outcome.errors,
        "error_percent": round(outcome.error_percent, 4),
        "throughput": round(outcome.throughput, 2),
        "latency_ms": {
            "mean": round(outcome.histogram.mean() / 1000.0, 3),
            **{
                f"p{percent:g}": round(outcome.millis_at(percent), 3)
                for percent in (50, 75, 90, 95, 99, 99.9)
            },
            "max": round(outcome.millis_at(100), 3),
        },
        "statuses": {str(k): v for k, v in sorted(outcome.statuses.items())},
        "failures": dict(sorted(outcome.failures.items())),
        "limits": {
            "p95_ms": limits.p95_ms,
            "error_percent": limits.error_percent,
            "throughput": limits.throughput,
        },
        "passed": verdict.passed,
        "missed": list(verdict.missed),
    }
