"""The commands of an image's RUN instructions, each parsed and interpreted once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.deployment.imagefacts import Image, RunStep
from auditor.parsers import shell
from auditor.parsers.commands import Interpretation, interpret_script
from auditor.parsers.dockerfile import Command
from auditor.parsers.shell.facts import Script
from auditor.source import Fragment
from auditor.values import value


@value
class Ran:
    """A command that a RUN executes."""

    step: RunStep
    what: Interpretation


def script_of(command: Command, path: str) -> Script:
    """The shell text or the exec-form words of an instruction as a script."""
    if command.form == "shell":
        return shell.parse(command.text)
    return shell.exec_form(
        path,
        [Fragment(path, [(word.text, word.at.line, word.at.column + 1)]) for word in command.words],
    )


def ran(image: Image) -> Iterator[Ran]:
    """Every command of every RUN of the stage and of the stages it is built on."""
    for step in image.runs:
        scripts = []
        if step.command.text.text.strip() and not step.heredocs:
            scripts.append(script_of(step.command, image.dockerfile))
        scripts += [shell.parse(heredoc.body) for heredoc in step.heredocs]
        for script in scripts:
            for what in interpret_script(script, env=step.state.env, cwd=step.state.workdir):
                yield Ran(step=step, what=what)


def fatal(commands: Sequence[Ran], index: int) -> bool:
    """Whether the RUN fails when this command of it does."""
    one = commands[index]
    own = one.what.command
    if own is None:
        return True
    if own.conditional or own.loop or own.substitution or own.background or own.negated:
        return False
    if own.tested or own.function is not None or own.pipeline[0] + 1 != own.pipeline[1]:
        return False
    for later in commands[index + 1 :]:
        what = later.what.command
        if later.step is not one.step or what is None:
            break
        if what.connector == "||":
            return False
        if what.connector not in ("&&", "|"):
            return own.errexit
    return True
