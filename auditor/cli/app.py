"""Which command runs, and what becomes of its errors. Only that command's module is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, NamedTuple

from auditor.errors import AuditorError, ExitStatus, UsageError

PROGRAM: Final = "deploy-audit"


class Command(NamedTuple):
    """``module`` has ``command``, a function declared with ``cli.declare`` that returns a status."""

    module: str
    summary: str


DEFAULT: Final = "audit"
COMMANDS: Final[dict[str, Command]] = {
    "audit": Command("auditor.cli.audit", "Audit a deployment repository (the default)."),
    "scan": Command("auditor.cli.scan", "Judge model files alone: safe to load?"),
    "compat": Command("auditor.cli.compat", "Will these artifacts load in that environment?"),
    "syslibs": Command("auditor.cli.syslibs", "Name the system packages that requirements need."),
    "fix": Command("auditor.cli.fix", "Show or write the safe fixes."),
    "rehearse": Command("auditor.cli.rehearse", "Build, run and break the deployment in Docker."),
    "probe": Command("auditor.cli.probe", "Load-test a running service against limits."),
    "baseline": Command("auditor.cli.baseline", "Record today's findings: only new ones fail."),
    "graph": Command("auditor.cli.graph", "Print the deployment as a Mermaid diagram."),
    "rules": Command("auditor.cli.rules", "List the rules."),
    "explain": Command("auditor.cli.explain", "Print a rule's card."),
}


def choose(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The command that the arguments name, and the arguments without its name.

    A command is named first, or after nothing but ``-q``, ``-v`` and ``--color``; anything else
    is for the default one. A directory called like a command is audited as ``./scan``.
    """
    before: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in COMMANDS:
            return word, before + rest
        before.append(word)
        if word == "--color" and rest:
            before.append(rest.pop(0))
        elif word not in ("-q", "--quiet", "-v", "-vv", "--verbose") and not word.startswith(
            "--color="
        ):
            break
    return DEFAULT, before + rest


def run(arguments: Sequence[str]) -> int:
    """Run one command; every way it can end becomes an exit status and at most a few lines."""
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except AuditorError as error:
        complain(str(error))
        return error.status
    except KeyboardInterrupt:
        complain("interrupted")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone; nothing more can be said there.
        silence_stdout()
        return ExitStatus.INCOMPLETE
    except Exception as error:
        return _unexpected(error, arguments)


def _run(arguments: Sequence[str]) -> int:
    if any("\0" in word for word in arguments):
        raise UsageError("an argument holds a null byte")
    name, rest = choose(arguments)
    command = import_module(COMMANDS[name].module).command
    from auditor.cli import declare

    given = None if _asks_for_completion(os.environ) else declare.read(command, rest)
    if given is not None:
        return int(command(**given) or 0)
    from auditor.cli import typed

    return typed.run(command, name, rest)


def _asks_for_completion(environ: Mapping[str, str]) -> bool:
    return any(name.endswith("_COMPLETE") and name.startswith("_") for name in environ)


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    from auditor import __version__
    from auditor.catalog import CatalogError

    if isinstance(error, CatalogError):
        complain(f"the installation is damaged: {error}")
        return ExitStatus.INCOMPLETE
    text = " ".join(str(error).split())[:500]
    complain(
        f"internal error: {type(error).__name__}: {text}\n"
        f"This is a bug in deploy-audit {__version__}: please report it, with the output of -v."
    )
    if any(word in ("-v", "-vv", "--verbose") for word in arguments):
        import traceback

        traceback.print_exception(error)
    return ExitStatus.INCOMPLETE


def complain(message: str) -> None:
    """One diagnosis on standard error, with nothing in it that a terminal would obey."""
    from auditor.reports.escape import printable

    try:
        sys.stderr.write(f"{PROGRAM}: {printable(message, keep=chr(10))}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def silence_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush cannot fail."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
