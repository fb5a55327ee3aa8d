"""Start commands that come to their end, and the container with them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.model import Service, StartFault, Value
from auditor.deployment.shellnames import BUILTINS, SHORT, SLOW, TASKS
from auditor.parsers.commands import FileOp, Other, PythonRun, ShellRun, interpret_script
from auditor.parsers.shell.facts import Script

if TYPE_CHECKING:
    from auditor.deployment.view import View
    from auditor.parsers.commands import Interpretation, MainProcess


def _awaited(service: Service) -> bool:
    """Other services wait until this one has come to its end."""
    own, project = service.compose, service.project
    return own is not None and project is not None and own.name in project.awaited


def _on_demand(service: Service) -> bool:
    """A job for `docker compose run`: it stands in a profile, and nothing starts it again."""
    own = service.compose
    if own is None or not own.profiles or own.ports:
        return False
    return own.restart is None or own.restart.value == "no"


def _works(script: Script, view: View, cwd: Value, depth: int = 0) -> bool:
    """A program runs before the last one: it may stay itself, or this is a job that is to end.

    Scripts of the image that it runs are looked into.
    """
    for step in interpret_script(script, cwd=cwd):
        command, fact = step.command, step.fact
        nested = handed_to(step, view)
        if nested is not None and depth < 4:
            if _works(nested, view, step.cwd, depth + 1):
                return True
            continue
        if command is None or command.background or not isinstance(fact, Other | PythonRun):
            continue
        name = command.name if isinstance(fact, PythonRun) else fact.program
        if isinstance(name, str) and posixpath.basename(name) not in BUILTINS | SHORT:
            return True
    return False


def handed_to(step: Interpretation, view: View) -> Script | None:
    """The shell script of the image that a command runs: ``./start.sh``, ``sh start.sh``."""
    fact, where = step.fact, step.cwd
    named = None
    if isinstance(fact, ShellRun) and fact.script is not None:
        named = fact.script.value
    elif isinstance(fact, Other) and fact.argv and "/" in fact.argv[0].text:
        named = fact.argv[0].value
    if not isinstance(named, str) or not isinstance(where, str) or named.endswith(".py"):
        return None
    return view.script(posixpath.normpath(posixpath.join(where, named)))


def _left_alone(script: Script, processes: Sequence[MainProcess]) -> Iterator[StartFault]:
    """``server &`` is all: the shell that started it ends, and the container with it."""
    last = script.commands[-1] if script.commands else None
    if last is None or not last.background or not processes or processes[-1].through:
        return
    if any(command.name in ("wait", "fg") for command in script.commands):
        return
    yield StartFault(
        kind="no-command",
        message="the command goes to the background and nothing stays in the foreground: the container stops",
        at=last.at,
        certain=False,
    )


def ends(
    service: Service, script: Script, processes: list[MainProcess], view: View
) -> Iterator[StartFault]:
    """The command comes to its end: nothing of it stays, so the container stops."""
    staying = [p for p in processes if not p.background]
    if any(p.conditional for p in processes):
        return
    if not staying:
        yield from _left_alone(script, processes)
        return
    if _awaited(service) or _on_demand(service) or _works(script, view, service.cwd):
        return
    for process in staying:
        what = process.interpretation
        fact = what.fact
        if isinstance(fact, FileOp):
            continue
        words = [a.value for a in what.argv]
        if not words:
            return
        name = words[0]
        if name == "":
            continue
        if not isinstance(name, str) or posixpath.basename(name) not in SHORT - SLOW:
            return
        if posixpath.basename(name) in TASKS:
            return
    last = staying[-1].interpretation
    empty = not last.argv or last.argv[0].value == ""
    at = last.command.at if last.command is not None else service.at
    own = view.repository_script(at.path) if empty else None
    if own is not None and any(
        command.conditional and command.name not in SHORT for command in own.commands
    ):
        return  # without arguments it does something else
    image = service.image
    shown = "" if empty else str(last.argv[0].value)
    yield StartFault(
        kind="no-command",
        message=(
            'the script hands over to `"$@"`, and no CMD gives it anything to run: the container ends '
            "at once"
            if empty
            else f"the command ends with `{shown}`, and nothing stays in the foreground: the container "
            "stops"
        ),
        at=at,
        related=((service.command_at, "started here"),)
        if service.command_at is not None and service.command_at != at
        else (),
        certain=image is not None and not empty,
    )
