"""What a container installs into itself each time it starts: ``pip install`` in its own script."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.deployment.commands import Ran, script_of
from auditor.deployment.filesystem import ContextSource, Present
from auditor.deployment.imagefacts import Image, RunStep, State
from auditor.parsers import shell
from auditor.parsers.commands import Other, PipInstall, ServerStart, interpret_script
from auditor.parsers.commands.facts import ShellRun
from auditor.parsers.dockerfile import Command, Run
from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Script
from auditor.source import Fragment, Location

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts

Words = tuple[tuple[str, Location], ...]
_ADDS = frozenset(["install", "sync", "env-create"])
_MAX_DEPTH = 4


def words_that_install(words: Words | None) -> Words:
    """A command of Compose that may install something: the text says so, or a script may."""
    said = words or ()
    if any("install" in word or word.endswith(".sh") or " sync" in word for word, _ in said):
        return said
    return ()


def installs(image: Image, context: str, facts: Facts, given: Words = ()) -> Iterator[Ran]:
    """The installations of the command, in order; ``given``: words in place of the image's own."""
    variables = {v.name: v.value for v in image.env}
    cwd = image.workdir.value
    state = State(
        workdir=cwd,
        user=image.user.value if image.user is not None else "root",
        shell=image.shell.value,
        env=variables,
    )
    if given:
        path = given[0][1].path
        pairs = [Fragment(path, [(w, a.line, a.column)]) for w, a in given]
        scripts = [shell.exec_form(path, pairs)]
        if image.entrypoint is not None:
            scripts.insert(0, script_of(image.entrypoint.command, image.dockerfile))
    else:
        own = (image.entrypoint, image.cmd)
        scripts = [script_of(p.command, image.dockerfile) for p in own if p is not None]
    follower = _Follower(image, context, facts, state)
    for script in scripts:
        yield from follower.follow(script, variables, cwd, 0)


class _Follower:
    def __init__(self, image: Image, context: str, facts: Facts, state: State) -> None:
        self.image = image
        self.context = context
        self.facts = facts
        self.state = state

    def follow(self, script: Script, env: Env, cwd: Value, depth: int) -> Iterator[Ran]:
        """The installations of one script and of those that it runs."""
        for what in interpret_script(script, env=env, cwd=cwd):
            fact = what.fact
            if isinstance(fact, ServerStart):
                return  # nothing after it is there when it starts
            if isinstance(fact, PipInstall) and fact.action in _ADDS:
                if what.command is None or not what.command.background:
                    yield Ran(step=self._step(fact.at), what=what)
                continue
            name = None
            if isinstance(fact, ShellRun) and fact.program is None and fact.script is not None:
                name = fact.script.value
            elif isinstance(fact, Other) and fact.argv and "/" in fact.argv[0].text:
                name = fact.argv[0].value
            if isinstance(name, str) and isinstance(what.cwd, str) and depth < _MAX_DEPTH:
                nested = self._script(posixpath.normpath(posixpath.join(what.cwd, name)))
                if nested is not None:
                    yield from self.follow(nested, what.env, what.cwd, depth + 1)

    def _script(self, path: str) -> Script | None:
        found = self.image.fs.lookup(path)
        if not isinstance(found, Present) or not isinstance(found.source, ContextSource):
            return None
        inside = found.source.path or "."
        repo = posixpath.normpath(posixpath.join(self.context, inside))
        return None if repo.endswith(".py") else self.facts.script(repo)

    def _step(self, at: Location) -> RunStep:
        """As if the last RUN of the image did it."""
        command = Command(form="shell", text=Fragment(at.path, []), words=(), at=at)
        run = Run(
            keyword="RUN", at=at, keyword_at=at, line=command.text, flags=(), values=(), json=False,
            json_tail=False, heredocs=(), command=command, mounts=(), network=None, security=None,
        )  # fmt: skip
        layers = max((step.layers for step in self.image.runs), default=0)
        return RunStep(
            stage=self.image.stage, instruction=run, state=self.state, at=at, layers=layers
        )
