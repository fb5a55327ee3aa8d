"""Tests of files by which a start script ends before it comes to the server."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.model import StartFault

if TYPE_CHECKING:
    from auditor.deployment.view import View
    from auditor.parsers.branches import Condition
    from auditor.parsers.shell.facts import Command, Script, Step

_KINDS = {"-f": ("file",), "-d": ("directory",), "-e": ("file", "directory")}
# Commands that make no file before the test.
_HARMLESS = frozenset(
    """
    echo printf set export cd true : test [ [[ exit ls cat pwd date umask ulimit trap shift local
    readonly declare
    """.split()  # noqa: SIM905
)


def closed(script: Script, steps: Sequence[Step], index: int, view: View) -> Iterator[StartFault]:
    """``if [ ! -f model.pkl ]; then exit 1; fi`` where the image has no such file."""
    step = steps[index]
    command = step.command
    if command.name != "exit" or command.loop or command.subshell or command.function is not None:
        return
    if any((s.command.name or "?") not in _HARMLESS for s in steps[:index] if s.command.words):
        return
    guards = dict(script.guards)
    guard = guards.get(command.scopes[0]) if len(command.scopes) == 1 else None
    if guard is None or not guard.conditions or guard.subject is not None or guard.otherwise:
        return
    missing = ""
    for condition in guard.conditions:
        path = _asked(condition, step, steps, view)
        if path is None:
            return
        missing = missing or path
    yield StartFault(
        kind="script",
        message=f"the script ends here, because `{missing}` is not in the image",
        at=command.at,
        certain=False,
        evidence=(("path", missing),),
    )


def _asked(condition: Condition, step: Step, steps: Sequence[Step], view: View) -> str | None:
    """The path whose absence makes the condition hold; None for any other test, or a file that may be there."""
    command = condition.command
    if command is None or command.pipeline != (0, 1) or command.background:
        return None
    words = _words(command, next((s for s in steps if s.command is command), step))
    absent = command.negated is condition.wanted
    if words[:1] == ["!"]:
        words, absent = words[1:], not absent
    if len(words) != 2 or words[0] not in _KINDS or not absent or not isinstance(step.cwd, str):
        return None
    path = posixpath.normpath(posixpath.join(step.cwd, words[1]))
    if not path.startswith(f"{step.cwd.rstrip('/')}/") or posixpath.basename(path)[:4] == ".env":
        return None  # whoever starts the container may mount it
    seen = view.look(path)
    if seen.answer != "no" or view.mount_of(path) is not None or view.by_hand(path):
        return None
    return path


def _words(command: Command, step: Step) -> list[str]:
    """The expression of ``[ … ]``, ``[[ … ]]`` or ``test``; empty where a word is not plain."""
    words = [arg.value for arg in command.argv(step.env, step.args)]
    texts = [word for word in words if isinstance(word, str)]
    if len(texts) != len(words) or not texts or texts[0] not in ("[", "[[", "test"):
        return []
    return texts[1:] if texts[0] == "test" else texts[1:-1]
