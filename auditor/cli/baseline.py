"""``deploy-audit baseline [PATH]``: put today's findings on record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from auditor import baseline
from auditor.cli import options
from auditor.cli.audit import check_root
from auditor.cli.declare import Option
from auditor.cli.streams import check_writable, remark, write_file
from auditor.config import load
from auditor.errors import BaselineError, ExitStatus, UsageError
from auditor.values import replace


def command(
    path: options.Root = Path(),
    file: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Where to write it (default: {baseline.DEFAULT_NAME} in PATH).",
        ),
    ] = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    exclude: options.Exclude = None,
    profile: options.Profile = None,
    target_python: options.TargetPython = None,
    config: options.Config = None,
    online: options.Online = None,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    color: options.Color = "auto",
) -> int:
    """Record today's findings, so that with --baseline only new ones fail.

    Findings accepted by a comment or by configuration are left out: their reason is there.
    """
    check_root(path)
    overrides = {
        "select": select,
        "ignore": ignore,
        "exclude": exclude,
        "profile": profile,
        "target_python": target_python,
        "online": online,
        "cache": False if no_cache else None,
    }
    settings = load(path, config=config, overrides=overrides)
    target = Path(file or settings.baseline or path / baseline.DEFAULT_NAME)
    check_writable(str(target))
    refuse_other_files(target)
    from auditor.engine import audit

    result = audit(path, replace(settings, baseline=None))
    recorded = baseline.record(result.findings)
    write_file(target, baseline.dump(recorded))
    number = len(recorded.entries)
    remark(
        f"recorded {number} finding{'' if number == 1 else 's'} in {target}; "
        f"use it with `deploy-audit --baseline {target}`",
        quiet=quiet,
    )
    return ExitStatus.PASSED


def refuse_other_files(target: Path) -> None:
    """UsageError when something that is no baseline would be overwritten."""
    if not target.exists():
        return
    try:
        baseline.load(target)
    except BaselineError as error:
        raise UsageError(f"will not overwrite what is no baseline: {error}") from None
