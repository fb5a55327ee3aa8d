"""The few lines of Python that loading a pickle would execute, and where in the file they stand.

fickling decompiles in a child process with limits on time and memory: hostile streams have made it
run forever. What it cannot read is told from our own analysis. Only for what is not safe already;
the child takes half a second, so that a run asks for a few artifacts only.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts, ArtifactIssue

MAX_BYTES = 256 << 10
MAX_LINES = 40
# Lines shown for one artifact, and how long each may be.
SHOWN = 8
WIDTH = 200


class Explainer:
    """Adds to artifacts what loading them would execute, within a budget for the whole run."""

    def __init__(
        self,
        *,
        artifacts: int = 5,
        seconds: float = 15.0,
        verdicts: tuple[str, ...] = ("dangerous",),
    ) -> None:
        self._left = artifacts
        self._until = time.monotonic() + seconds
        self._verdicts = verdicts

    def explain(self, facts: ArtifactFacts) -> ArtifactFacts:
        """The artifact with evidence at its worst issue; the same where there is nothing to add."""
        if facts.verdict not in self._verdicts:
            return facts
        index = next((i for i, issue in enumerate(facts.issues) if _called(issue)), None)
        if index is None:
            return facts
        lines: tuple[str, ...] | None = None
        left = self._until - time.monotonic()
        if facts.stream is not None and self._left > 0 and left > 1:
            self._left -= 1
            lines = decompile(facts.stream, timeout=min(5.0, left))
        chain = tuple(
            _line(issue)
            for issue in facts.issues
            if _called(issue) and dict(issue.evidence).get("arguments")
        )
        shown = _relevant(lines, facts.issues) if lines else ()
        # fickling stops where the unpickler goes on, or reads another stream: then ours counts.
        shown = shown or chain
        if not shown:
            return facts
        issue = facts.issues[index]
        from auditor.values import replace

        told = replace(issue, evidence=(*issue.evidence, ("executes", "\n".join(shown[:SHOWN]))))
        return replace(facts, issues=(*facts.issues[:index], told, *facts.issues[index + 1 :]))


def _called(issue: ArtifactIssue) -> str:
    return dict(issue.evidence).get("callable", "")


def _line(issue: ArtifactIssue) -> str:
    """A call as our own analysis saw it."""
    known = dict(issue.evidence)
    place = f"  # byte {issue.offset}" if issue.offset is not None else ""
    return f"{known['callable']}({known['arguments']})"[:WIDTH] + place


def _relevant(lines: tuple[str, ...], issues: tuple[ArtifactIssue, ...]) -> tuple[str, ...]:
    """The imports and calls among the lines that concern what was found; all when they are few.

    None where what was found is not among the lines.
    """
    cut = tuple(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines)
    names = {_called(issue).rpartition(".")[2] for issue in issues} - {""}
    about = tuple(line for line in cut if any(name in line for name in names))
    return cut if about and len(cut) <= SHOWN else about


def decompile(data: bytes, *, timeout: float = 10.0) -> tuple[str, ...] | None:
    """Python lines for the first stream in ``data``; None when fickling cannot tell."""
    if len(data) > MAX_BYTES:
        return None
    import subprocess

    try:
        done = subprocess.run(
            [sys.executable, "-I", __file__],
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    if done.returncode:
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return tuple(line[:400] for line in lines[:MAX_LINES]) or None


def _child() -> int:
    import ast
    import io

    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    except (ImportError, ValueError, OSError):
        pass
    from fickling.fickle import StackedPickle

    try:
        streams = StackedPickle.load(io.BytesIO(sys.stdin.buffer.read()))
        text = "\n".join(ast.unparse(stream.ast) for stream in streams)
    except Exception:
        return 1
    sys.stdout.buffer.write(text[: MAX_LINES * 400].encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(_child())
