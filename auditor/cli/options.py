"""Options that several commands share, as annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="Root of the repository.", show_default=False),
]
Format = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="console, json, sarif, html, markdown, junit, gitlab or github.",
    ),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where the --format before it goes; both may be repeated.",
    ),
]
FailOn = Annotated[
    str | None,
    typer.Option(metavar="SEVERITY", help="critical, high, medium (default), low, info or never."),
]
MinScore = Annotated[
    str | None, typer.Option(metavar="N", help="Fail below this score (0 to 100).")
]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="Judge only these: ids, names or families."),
]
Ignore = Annotated[
    list[str] | None, typer.Option(metavar="RULE", help="Do not judge these; adds up.")
]
Exclude = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Leave these paths out; adds up.")
]
Profile = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="default, or strict, which adds hardening rules."),
]
TargetPython = Annotated[
    str | None,
    typer.Option(metavar="X.Y", help="Interpreter to audit for, where nothing declares one."),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Configuration to read instead of the closest.")
]
Baseline = Annotated[
    str | None, typer.Option(metavar="FILE", help="Findings on record there do not fail.")
]
Isolated = Annotated[
    bool,
    typer.Option(
        "--isolated",
        help="Heed neither configuration nor suppressions of the repository.",
    ),
]
Online = Annotated[
    bool | None, typer.Option("--online", help="May ask the package index.", show_default=False)
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
AllowEmpty = Annotated[
    bool | None,
    typer.Option("--allow-empty", help="Pass when there is nothing to audit.", show_default=False),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say less.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Say more.")
]
Color = Annotated[
    str, typer.Option(metavar="WHEN", help="auto, always or never.", show_default=False)
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", metavar="N", min=1, max=64, help="Processes to use.")
]
