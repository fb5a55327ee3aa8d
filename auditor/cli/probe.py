"""``deploy-audit probe URL``: a bounded load test of a running service against limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from auditor.cli import options
from auditor.cli.declare import Argument, Context, Option
from auditor.cli.parser import requests_of
from auditor.cli.streams import check_writable, remark, wants_color, write_file, write_stdout
from auditor.errors import AuditorError, ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.rehearsal.load import Outcome, Shape, Target
    from auditor.rehearsal.observed import Limits

_FORMATS = ("console", "json", "svg")


def command(
    ctx: Context,
    url: Annotated[str, Argument(metavar="URL", help="The service, or one endpoint of it.")],
    body: Annotated[
        Path | None, Option("--body", metavar="FILE", help="A valid request body.")
    ] = None,
    method: Annotated[
        str | None, Option("--method", metavar="VERB", help="POST with a body, else GET.")
    ] = None,
    header: Annotated[
        list[str] | None,
        Option("--header", "-H", metavar="'NAME: TEXT'", help="Sent along; adds up."),
    ] = None,
    rate: Annotated[
        float | None,
        Option(metavar="N", help="Requests per second (default: --throughput)."),
    ] = None,
    closed: Annotated[
        bool,
        Option("--closed", help="As many as --connections get answered, not at a rate."),
    ] = False,
    connections: Annotated[
        int, Option(metavar="N", min=1, max=2000, help="Connections with --closed.")
    ] = 10,
    duration: Annotated[
        float, Option(metavar="SECONDS", min=0.1, max=3600, help="How long to measure.")
    ] = 10.0,
    warmup: Annotated[
        float, Option(metavar="SECONDS", min=0, max=60, help="Left out of the figures.")
    ] = 2.0,
    requests: Annotated[
        int, Option(metavar="N", min=1, max=2_000_000, help="Never send more than these.")
    ] = 100_000,
    timeout: Annotated[
        float, Option(metavar="SECONDS", min=0.1, max=120, help="Wait for one answer.")
    ] = 10.0,
    p95: Annotated[float, Option(metavar="MS", help="Limit of the 95th percentile.")] = 200.0,
    errors: Annotated[float, Option(metavar="PERCENT", help="Limit of errors.")] = 0.1,
    throughput: Annotated[
        float, Option(metavar="N", help="Requests per second it must answer.")
    ] = 100.0,
    format: Annotated[
        list[str] | None,
        Option("--format", "-f", metavar="FORMAT", help="console, json or svg."),
    ] = None,
    output: options.Output = None,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Load a running service and hold it to its limits: 200 ms, 0.1 % errors, 100 requests/s.

    Sends only to URL, and never more than --requests or longer than --duration. The request comes
    from the service's OpenAPI document or from --body. Exit status 1 when a limit is missed.
    """
    from auditor.rehearsal import probe
    from auditor.rehearsal.load import Shape, encode, target_of
    from auditor.rehearsal.observed import Limits

    reports = requests_of(ctx)
    for report in reports:
        if report.format not in _FORMATS:
            raise UsageError(f"--format: {report.format!r} is none of {', '.join(_FORMATS)}")
        if report.output is not None:
            check_writable(report.output)
    colored = wants_color(color, sys.stdout)
    if closed and rate is not None:
        raise UsageError("--closed and --rate exclude each other")
    if rate is not None and not 0 < rate <= 100_000:
        raise UsageError("--rate: expected a number between 0 and 100000")
    target = target_of(url)
    given = tuple(_header(text) for text in header or ())
    limits = Limits(p95_ms=p95, error_percent=errors, throughput=throughput)
    try:
        data = body.read_bytes() if body is not None else None
    except OSError as error:
        raise UsageError(f"--body {body}: {error.strerror}") from error
    chosen = probe.choose(target, body=data, method=method, headers=given)
    shape = Shape(
        rate=None if closed else rate or max(throughput, 0.1),
        seconds=duration,
        warmup=warmup,
        connections=connections,
        requests=requests,
        timeout=timeout,
    )
    wire = [encode(target, request, given) for request in chosen]
    remark(f"asking {target.origin}: {chosen[0].label}, {_shape(shape)}", quiet=quiet)
    outcome = _run(target, wire, shape, live=not quiet and sys.stderr.isatty())
    if not outcome.answered:
        why = ", ".join(f"{kind} ({n})" for kind, n in outcome.failures.items()) or "nothing sent"
        raise AuditorError(f"{target.origin} answered no request: {why}")
    verdict = probe.judge(outcome, limits)
    for report in reports:
        if report.format == "json":
            found = probe.document(target, chosen[0], shape, outcome, limits, verdict)
            text = json.dumps(_enveloped(found), indent=2) + "\n"
        elif report.format == "svg":
            from auditor.rehearsal.plot import svg

            text = svg(outcome, title=f"{chosen[0].label}, {_shape(shape)}", limit_ms=limits.p95_ms)
        else:
            text = _console(outcome, limits, verdict.missed, color=colored and not report.output)
        if report.output is None:
            write_stdout(text)
        else:
            write_file(Path(report.output), text)
    if not any(r.output is None and r.format == "console" for r in reports):
        said = "passed" if verdict.passed else f"failed: {'; '.join(verdict.missed)}"
        remark(said, quiet=quiet and verdict.passed)
    return ExitStatus.PASSED if verdict.passed else ExitStatus.FINDINGS


def _enveloped(found: dict[str, Any]) -> dict[str, Any]:
    from auditor import __version__

    return {
        "schema_version": "1.0",
        "tool": {"name": "deploy-audit", "version": __version__},
        "probe": found,
    }


def _header(text: str) -> tuple[str, str]:
    name, colon, rest = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--header {text!r}: expected 'Name: text'")
    return name.strip(), rest.strip()


def _shape(shape: Shape) -> str:
    what = (
        f"{shape.connections} connections as fast as they are answered"
        if shape.rate is None
        else f"{shape.rate:g} requests/s"
    )
    return f"{what} for {shape.seconds:g} s"


def _run(target: Target, wire: list[bytes], shape: Shape, *, live: bool) -> Outcome:
    from auditor.rehearsal.load import load

    if not live:
        return load(target, wire, shape)
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as view:

        def tick(seconds: float, outcome: Outcome) -> None:
            view.update(
                f"{seconds:5.1f} s  {outcome.answered:,} answered  {outcome.errors:,} errors  "
                f"p50 {outcome.millis_at(50):.1f} ms  p95 {outcome.millis_at(95):.1f} ms"
            )

        return load(target, wire, shape, tick=tick)


def _console(outcome: Outcome, limits: Limits, missed: tuple[str, ...], *, color: bool) -> str:
    rows = [
        ("requests", f"{outcome.total:,} in {outcome.seconds:.1f} s", ""),
        (
            "throughput",
            f"{outcome.throughput:.1f} requests/s",
            f"limit {limits.throughput:g}",
        ),
        (
            "errors",
            f"{outcome.errors:,} ({outcome.error_percent:.2f} %)",
            f"limit {limits.error_percent:g} %",
        ),
    ]
    for percent in (50, 75, 90, 95, 99, 99.9):
        limit = f"limit {limits.p95_ms:g} ms" if percent == 95 else ""
        rows.append((f"p{percent:g}", f"{outcome.millis_at(percent):.2f} ms", limit))
    rows.append(("slowest", f"{outcome.millis_at(100):.2f} ms", ""))
    lines = [f"{name:<12}{text:<28}{limit}".rstrip() for name, text, limit in rows]
    statuses = ", ".join(f"{status}: {n:,}" for status, n in sorted(outcome.statuses.items()))
    lines.append(f"{'statuses':<12}{statuses or 'none'}")
    for kind, number in sorted(outcome.failures.items()):
        lines.append(f"{'failed':<12}{kind}: {number:,}")
    verdict = "passed: within its limits" if not missed else f"failed: {'; '.join(missed)}"
    if color:
        verdict = f"\x1b[{31 if missed else 32}m{verdict}\x1b[0m"
    return "\n".join([*lines, "", verdict]) + "\n"
