"""Commands that keep a container alive and serve nothing: ``sleep infinity``, ``tail -f``."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.model import StartFault, Value
from auditor.findings import Stage
from auditor.parsers.commands import MainProcess, interpret_script
from auditor.parsers.commands.facts import Other, ShellRun
from auditor.parsers.shell.facts import Script

if TYPE_CHECKING:
    from auditor.deployment.view import View

_LONG = re.compile(r"inf(?:inity)?|\d+(?:\.\d+)?[smhd]?")
# What may stand before it without starting anything that listens.
_QUIET = frozenset(
    {
        "echo", "printf", "set", "export", "cd", "mkdir", "true", ":", "trap", "ls", "chmod",
        "chown", "cp", "mv", "rm", "ln", "cat", "env", "date", "umask", "ulimit", "touch", "pwd",
    }
)  # fmt: skip


def waits(fact: object) -> bool:
    """Whether the program only waits: it opens no port, and does not end by itself."""
    if not isinstance(fact, Other) or not isinstance(fact.program, str):
        return False
    words = [a.value if isinstance(a.value, str) else "" for a in fact.argv[1:]]
    name = posixpath.basename(fact.program)
    if name == "sleep":
        return bool(words) and all(_LONG.fullmatch(word) for word in words)
    if name == "tail":
        return any(
            word in ("-F", "--follow", "--retry") or (word.startswith("-") and "f" in word)
            for word in words
        )
    return False


def _quiet(script: Script, view: View, cwd: Value, depth: int) -> bool:
    """Nothing that may listen is started, in the scripts that it hands over to either."""
    from auditor.deployment.stopping import handed_to

    for step in interpret_script(script, cwd=cwd):
        fact = step.fact
        # What `sh -c` holds follows it.
        if waits(fact) or (isinstance(fact, ShellRun) and fact.program is not None):
            continue
        nested = handed_to(step, view) if depth < 4 else None
        if nested is not None:
            if not _quiet(nested, view, step.cwd, depth + 1):
                return False
            continue
        program = fact.program if isinstance(fact, Other) else None
        if not isinstance(program, str) or posixpath.basename(program) not in _QUIET:
            return False
    return True


def faults(
    script: Script, processes: Sequence[MainProcess], view: View, cwd: Value
) -> list[StartFault]:
    """The container waits and nothing else: whoever connects is refused."""
    if len(processes) != 1 or not waits(processes[0].interpretation.fact):
        return []
    what = processes[0].interpretation
    command = what.command
    if processes[0].conditional or not isinstance(what.fact, Other):
        return []
    if not _quiet(script, view, cwd, 0):
        return []
    shown = " ".join(a.text for a in what.fact.argv)
    at = command.at if command is not None else what.fact.at
    return [
        StartFault(
            kind="idle",
            message=f"the container only runs `{shown}`, which serves nothing",
            at=at,
            certain=False,
            stage=Stage.REACHABLE,
        )
    ]
