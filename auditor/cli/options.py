"""Options that several commands share, as annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from auditor.cli.declare import Argument, Option

Root = Annotated[
    Path,
    Argument(metavar="PATH", help="Root of the repository.", show_default=False),
]
Format = Annotated[
    list[str] | None,
    Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="console, json, sarif, html, markdown, junit, gitlab or github.",
    ),
]
Output = Annotated[
    list[str] | None,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where the --format before it goes; both may be repeated.",
    ),
]
FailOn = Annotated[
    str | None,
    Option(metavar="SEVERITY", help="critical, high, medium (default), low, info or never."),
]
MinScore = Annotated[str | None, Option(metavar="N", help="Fail below this score (0 to 100).")]
Select = Annotated[
    list[str] | None,
    Option(metavar="RULE", help="Judge only these: ids, names or families."),
]
Ignore = Annotated[list[str] | None, Option(metavar="RULE", help="Do not judge these; adds up.")]
Exclude = Annotated[
    list[str] | None, Option(metavar="GLOB", help="Leave these paths out; adds up.")
]
Profile = Annotated[
    str | None,
    Option(metavar="NAME", help="default, or strict, which adds hardening rules."),
]
TargetPython = Annotated[
    str | None,
    Option(metavar="X.Y", help="Interpreter to audit for, where nothing declares one."),
]
Config = Annotated[
    Path | None, Option(metavar="FILE", help="Configuration to read instead of the closest.")
]
Baseline = Annotated[
    str | None, Option(metavar="FILE", help="Findings on record there do not fail.")
]
Isolated = Annotated[
    bool,
    Option(
        "--isolated",
        help="Heed neither configuration nor suppressions of the repository.",
    ),
]
Online = Annotated[
    bool | None, Option("--online", help="May ask the package index.", show_default=False)
]
NoCache = Annotated[bool, Option("--no-cache", help="Neither read nor write the cache.")]
AllowEmpty = Annotated[
    bool | None,
    Option("--allow-empty", help="Pass when there is nothing to audit.", show_default=False),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Say less.")]
Verbose = Annotated[
    int, Option("--verbose", "-v", count=True, show_default=False, help="Say more.")
]
Color = Annotated[str, Option(metavar="WHEN", help="auto, always or never.", show_default=False)]
Jobs = Annotated[
    int | None, Option("--jobs", "-j", metavar="N", min=1, max=64, help="Processes to use.")
]
