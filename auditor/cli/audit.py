"""``deploy-audit [PATH]``: audit a repository and report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from auditor.cli import options
from auditor.cli.declare import Context, Option
from auditor.cli.gate import Decision, decide
from auditor.cli.parser import requests_of
from auditor.cli.streams import (
    check_writable,
    remark,
    wants_color,
    width_of,
    write_file,
    write_stdout,
)
from auditor.config import load, nearest, unknown_variables
from auditor.errors import AuditorError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.cli.parser import ReportRequest
    from auditor.reports import Options
    from auditor.result import AuditResult


def command(
    ctx: Context,
    path: options.Root = Path(),
    format: options.Format = None,
    output: options.Output = None,
    fail_on: options.FailOn = None,
    min_score: options.MinScore = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    exclude: options.Exclude = None,
    profile: options.Profile = None,
    target_python: options.TargetPython = None,
    config: options.Config = None,
    baseline: options.Baseline = None,
    isolated: options.Isolated = False,
    online: options.Online = None,
    no_cache: options.NoCache = False,
    allow_empty: options.AllowEmpty = None,
    explain_score: Annotated[
        bool, Option("--explain-score", help="Print the score's arithmetic.")
    ] = False,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    version: Annotated[bool, Option("--version", "-V", help="Print the version.")] = False,
) -> int:
    """Say whether a model deployment will run in production and is safe to load.

    Reads the repository at PATH (default: here) without executing anything of it, links what
    each part requires to what the image provides, and reports what does not resolve.
    """
    if version:
        from auditor import __version__

        write_stdout(f"deploy-audit {__version__}\n")
        return 0
    from auditor.reports import FORMATS

    requests = requests_of(ctx)
    for request in requests:
        check_request(request, FORMATS)
    # A wrong word is told before the audit, not after it.
    wants_color(color, sys.stdout)
    overrides = {
        "fail_on": fail_on,
        "min_score": min_score,
        "select": select,
        "ignore": ignore,
        "exclude": exclude,
        "profile": profile,
        "target_python": target_python,
        "baseline": baseline,
        "online": online,
        "cache": False if no_cache else None,
        "allow_empty": allow_empty,
    }
    check_root(path)
    settings = load(path, config=config, overrides=overrides, isolated=isolated)
    for name, hint in unknown_variables(os.environ):
        remark(f"the variable {name} means nothing{hint}", quiet=quiet)
    from auditor.engine import audit

    result = audit(path, settings)
    decision = decide(result, settings)
    emit(
        result,
        requests,
        decision,
        color=color,
        quiet=quiet,
        verbose=verbose > 0,
        explain_score=explain_score,
    )
    return decision.status


def check_root(path: Path) -> None:
    """A directory that can be listed, or an error that says what it is instead."""
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such directory{command_hint(str(path))}") from None
    except NotADirectoryError:
        raise UsageError(
            f"{path} is a file; audit its directory, or use `deploy-audit scan {path}`"
        ) from None
    except OSError as error:
        raise AuditorError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{str(path)!r}: {error}") from None


def command_hint(word: str) -> str:
    """``; did you mean "scan"?`` when a word that is no path looks like a command."""
    from auditor.cli.app import COMMANDS

    return nearest(word, COMMANDS) if "/" not in word and "." not in word else ""


def check_request(request: ReportRequest, formats: tuple[str, ...]) -> None:
    """UsageError for a format that does not exist or an output that cannot be written."""
    if request.format not in formats:
        hint = nearest(request.format, formats)
        raise UsageError(
            f"--format: unknown format {request.format!r}{hint} (one of {', '.join(formats)})"
        )
    if request.output is not None:
        check_writable(request.output)


def emit(
    result: AuditResult,
    requests: tuple[ReportRequest, ...],
    decision: Decision,
    *,
    color: str,
    quiet: bool,
    verbose: bool,
    explain_score: bool = False,
) -> None:
    """Write every report that was asked for, then say how it ended."""
    from auditor.reports import render

    write(
        requests,
        decision,
        lambda form, shown: render(form, result, shown),
        color=color,
        quiet=quiet,
        verbose=verbose,
        explain_score=explain_score,
    )
    conclude(decision, requests, result, quiet=quiet)


def write(
    requests: tuple[ReportRequest, ...],
    decision: Decision,
    text_of: Callable[[str, Options], str],
    *,
    color: str,
    quiet: bool,
    verbose: bool,
    explain_score: bool = False,
) -> None:
    """Put ``text_of(format, options)`` of every request where it goes."""
    from auditor.reports import Gate, Options

    colored = wants_color(color, sys.stdout)
    for request in requests:
        to_stdout = request.output is None
        shown = Options(
            color=colored if to_stdout else color == "always",
            width=width_of(sys.stdout) if to_stdout else 80,
            encoding=(sys.stdout.encoding or "utf-8") if to_stdout else "utf-8",
            verbose=verbose,
            quiet=quiet,
            explain_score=explain_score,
            gate=Gate(passed=decision.passed, text=decision.text),
        )
        text = text_of(request.format, shown)
        if request.output is None:
            write_stdout(text)
        else:
            write_file(Path(request.output), text)


def conclude(
    decision: Decision, requests: tuple[ReportRequest, ...], result: AuditResult, *, quiet: bool
) -> None:
    """Say on standard error what a console report on standard output would have said."""
    on_console = any(r.format == "console" and r.output is None for r in requests)
    if not on_console or not (result.services or result.findings):
        remark(decision.sentence, quiet=quiet and decision.passed)
