"""``deploy-audit fix [PATH]``: show or write the safe fixes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from auditor.cli import options
from auditor.cli.audit import check_root
from auditor.cli.declare import Option
from auditor.cli.streams import remark, wants_color, write_stdout
from auditor.config import load
from auditor.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from auditor.fixes.apply import Plan


def command(
    path: options.Root = Path(),
    diff: Annotated[
        bool, Option("--diff", help="Print the changes as a diff (the default).")
    ] = False,
    write: Annotated[bool, Option("--write", help="Change the files.")] = False,
    lock: Annotated[
        bool,
        Option("--lock", help="Also compile locks with pip-tools; needs --online."),
    ] = False,
    select: options.Select = None,
    ignore: options.Ignore = None,
    exclude: options.Exclude = None,
    profile: options.Profile = None,
    target_python: options.TargetPython = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    online: options.Online = None,
    no_cache: options.NoCache = False,
    color: options.Color = "auto",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
) -> int:
    """Show the fixes that are safe, or write them.

    Every change is audited again before it is shown: one that leaves its finding, brings another
    or breaks the file is not used. Exit status 1 when there are changes that were not written.
    """
    if diff and write:
        raise UsageError("--diff and --write exclude each other")
    if lock and not online:
        raise UsageError("--lock asks the package index: say --online as well")
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
    settings = load(path, config=config, overrides=overrides, isolated=isolated)
    from auditor.fixes import apply

    made = apply.plan(path, settings)
    if lock:
        from auditor.fixes.locks import compile_locks

        made, remarks = compile_locks(path, settings, made)
        for text in remarks:
            remark(text, quiet=quiet)
    for finding, why in made.refused:
        remark(f"{finding.at}: the fix of {finding.rule} is not used: {why}", quiet=quiet)
    if write:
        apply.write(path, made)
        remark(f"wrote {_counted(made)}" if made.new else "nothing to fix", quiet=quiet)
        return ExitStatus.PASSED
    text = apply.diff(made)
    from auditor.reports.escape import printable

    shown = printable(text, keep="\n\t")
    write_stdout(_colored(shown) if wants_color(color, sys.stdout) else shown)
    remark(
        f"would write {_counted(made)}; --write does" if made.new else "nothing to fix", quiet=quiet
    )
    return ExitStatus.FINDINGS if made.new else ExitStatus.PASSED


def _counted(made: Plan) -> str:
    files, fixes = len(made.new), len(made.mended)
    return f"{fixes} fix{'' if fixes == 1 else 'es'} in {files} file{'' if files == 1 else 's'}"


def _colored(text: str) -> str:
    codes = {"+": "32", "-": "31", "@": "36"}
    return "".join(
        f"\x1b[{codes[line[0]]}m{line.rstrip(chr(10))}\x1b[0m\n" if line[:1] in codes else line
        for line in text.splitlines(keepends=True)
    )
