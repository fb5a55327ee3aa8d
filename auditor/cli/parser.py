"""Which reports a command line asks for: formats and outputs pair up as they stand on it."""

from __future__ import annotations

from typing import Any, Final

from auditor.cli.declare import REPORTS
from auditor.errors import UsageError
from auditor.values import value

_BY_SUFFIX: Final = {
    ".json": "json",
    ".sarif": "sarif",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".xml": "junit",
    ".txt": "console",
    ".svg": "svg",
}


@value(kw_only=False)
class ReportRequest:
    """A format and where it goes; ``output`` None is standard output."""

    format: str
    output: str | None = None


def pair(words: list[tuple[str, str]]) -> tuple[ReportRequest, ...]:
    """Reports from ("format" | "output", value) in the order they were given.

    An output belongs to the format before it. One without a format is named by its suffix
    (``--output audit.sarif``). What has no output goes to standard output, of which there is one.
    """
    requests: list[ReportRequest] = []
    open_format: str | None = None
    for kind, value in words:
        if kind == "format":
            if open_format is not None:
                requests.append(ReportRequest(open_format))
            open_format = value
            continue
        format = open_format or _format_of(value)
        requests.append(ReportRequest(format, None if value == "-" else value))
        open_format = None
    if open_format is not None or not requests:
        requests.append(ReportRequest(open_format or "console"))
    to_stdout = [r.format for r in requests if r.output is None]
    if len(to_stdout) > 1:
        raise UsageError(
            f"{' and '.join(to_stdout)} cannot both go to standard output; "
            "give each --format its --output"
        )
    outputs = [r.output for r in requests if r.output is not None]
    for output in outputs:
        if outputs.count(output) > 1:
            raise UsageError(f"--output {output} is given twice")
    return tuple(requests)


def _format_of(output: str) -> str:
    for suffix, format in _BY_SUFFIX.items():
        if output.endswith(suffix):
            return format
    raise UsageError(f"--output {output}: say its --format first, for the name does not tell")


def requests_of(ctx: Any) -> tuple[ReportRequest, ...]:
    """The reports that the command line asks for."""
    return pair(ctx.meta.get(REPORTS, []))
