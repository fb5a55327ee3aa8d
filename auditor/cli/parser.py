"""The option parser: typer's, which also remembers in which order reports were asked for."""

from __future__ import annotations

from typing import Any, Final

from typer.core import TyperCommand

from auditor.cli.app import COMMANDS, DEFAULT
from auditor.errors import UsageError
from auditor.values import value

REPORTS: Final = "auditor.reports"
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


class ReportingCommand(TyperCommand):
    """A command whose ``--format`` and ``--output`` pair up as they stand on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as usual, and leave the paired requests in ``ctx.meta``."""
        if any(param.name == "output" for param in self.params):
            given, _, order = self.make_parser(ctx).parse_args(args=list(args))
            left = {name: list(given.get(name) or ()) for name in ("format", "output")}
            words = [
                (str(param.name), str(left[str(param.name)].pop(0)))
                for param in order
                if param.name in left and left[str(param.name)]
            ]
            ctx.meta[REPORTS] = words
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """List the other commands under the default one's options."""
        if " " in ctx.info_name:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(n, c.summary) for n, c in COMMANDS.items() if n != DEFAULT])
        formatter.write_paragraph()
        formatter.write_text("Exit status: 0 passed the gate, 1 findings at or above the gate,")
        formatter.write_text("2 wrong usage or configuration, 3 could not be completed, or empty.")


def requests_of(ctx: Any) -> tuple[ReportRequest, ...]:
    """The reports that the command line asks for."""
    return pair(ctx.meta.get(REPORTS, []))
