"""Shell text (RUN, CMD, ENTRYPOINT, wrapper scripts) as typed commands with exact locations.

``tree-sitter-bash`` finds the structure; words are taken apart here, because what matters is
how a word *expands*, and that is decided by its quotes (POSIX.1-2017, XCU chapter 2).

The three steps a caller usually takes::

    script = parse(fragment)                # or parse_file(source), or exec_form(fragments)
    for step in trace(script, env=…, cwd=…):  # every simple command with env and cwd before it
        step.argv                           # expanded words: Arg(value, at)
    script.finals                           # what holds PID 1 in the end

What a command *means* is the matter of :mod:`auditor.parsers.commands`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.parsers.dotenv import HOLE
from auditor.parsers.shell.expansion import Computed, Part, Text
from auditor.parsers.shell.facts import Command, Final, Interpreter, Script, Word
from auditor.parsers.shell.structure import Parser, program_of_shell
from auditor.source import Fragment, SourceText
from auditor.values import replace

_KEPT = 10_000  # commands of parsed scripts


def parse(fragment: Fragment, *, errexit: bool = False) -> Script:
    """Parse the text of a shell-form instruction. Never raises; see ``Script.problems``.

    ``errexit``: the shell was started with ``-e`` (``SHELL ["/bin/bash", "-e", "-c"]``).
    """
    return _scripts.of(fragment, errexit)


class _Scripts:
    """The scripts of late: what a RUN does to files and what it installs are asked one by one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Fragment, bool], Script] = {}
        self._commands = 0

    def of(self, fragment: Fragment, errexit: bool) -> Script:
        # A fragment is the one text at its place, and does not change: it is its own key.
        script = self._kept.get((fragment, errexit))
        if script is None:
            script = Parser(fragment, errexit=errexit, nesting=0).script()
            if self._commands > _KEPT:
                self._kept, self._commands = {}, 0
            self._kept[fragment, errexit] = script
            self._commands += len(script.commands) + 1
        return script


_scripts = _Scripts()


def parse_file(source: SourceText) -> Script:
    """Parse a script file: its ``#!`` line, its line ends, its commands.

    CRLF line ends are a fact (``has_crlf``) and otherwise read as if they were LF.
    """
    lines = source.lines
    # Offsets must lead back to the file, so every line is a piece of its own when CRs went.
    has_crlf = "\r\n" in source.text
    if has_crlf:
        pieces = [(line + "\n", number, 1) for number, line in enumerate(lines, 1)]
    else:
        pieces = [(source.text, 1, 1)]
    interpreter = _shebang(source)
    flags = "".join(
        arg
        for arg in (interpreter.args if interpreter is not None else ())
        if arg.startswith("-") and not arg.startswith("--")
    )
    script = Parser(
        Fragment(source.path, pieces), errexit="e" in flags, nounset="u" in flags, nesting=0
    ).script()
    return replace(
        script,
        interpreter=interpreter,
        has_crlf=has_crlf,
        problems=source.problems + script.problems,
    )


def exec_form(path: str, elements: Iterable[Fragment]) -> Script:
    """The one command of a JSON (exec) form, whose words are taken literally.

    ``HOLE`` in a word stands for a text that whoever starts the command gives.
    """
    fragments = list(elements)
    words = [
        Word(
            raw=fragment.text,
            at=fragment.location(0, len(fragment.text)),
            parts=tuple(_exec_parts(fragment.text)),
        )
        for fragment in fragments
    ]
    index = program_of_shell([word.literal for word in words])
    if index is not None:
        nested = Parser(_open(fragments[index]), errexit=False, nesting=1).script()
        words[index] = replace(words[index], script=nested)
    if not words:
        return Script(path=path)
    first, last = words[0].at, words[-1].at
    at = replace(first, end_line=last.end_line, end_column=last.end_column)
    command = Command(words=tuple(words), at=at)
    return Script(
        path=path,
        commands=(command,),
        finals=(Final(command=command, replaces_shell=True),),
        exec_form=True,
    )


def run_by(script: Script, program: str) -> Script:
    """The script as this shell runs it; as its own first line says where none is named."""
    own = script.interpreter.path if script.interpreter is not None else ""
    name = (program or own).rpartition("/")[2]
    return replace(script, dash=script.dash and name in ("sh", "dash"))


def _exec_parts(text: str) -> Iterator[Part]:
    for number, piece in enumerate(text.split(HOLE)):
        if number:
            yield Computed(raw="", kind="other", quoted=True)
        if piece or text == "":
            yield Text(text=piece, quoted=True)


def _open(fragment: Fragment) -> Fragment:
    """The program of a shell, with what nobody can foretell for each hole."""
    if HOLE not in fragment.text:
        return fragment
    line, column = fragment.place(0)
    return Fragment(fragment.path, [(fragment.text.replace(HOLE, "$(:)"), line, column)])


def split(fragment: Fragment) -> Script:
    """A command line that no shell reads: words between blanks, quotes heeded, no operators.

    That is how supervisord and systemd take a command. Parameters still expand; escape a ``$``
    that is none. The result is like that of :func:`exec_form`.
    """
    parser = Parser(fragment, errexit=False, nesting=0)
    text = parser.text
    words = parser.split(0, len(text))
    if not words:
        return Script(path=fragment.path)
    index = program_of_shell([word.literal for word in words])
    if index is not None:
        literal = words[index].literal or ""
        # The text of `sh -c` may be quoted; only its start is known exactly then.
        at = words[index].at
        inner = Fragment(fragment.path, [(literal, at.line, at.column + 1)])
        nested = Parser(inner, errexit=False, nesting=1).script()
        words[index] = replace(words[index], script=nested)
    command = Command(words=tuple(words), at=fragment.location(0, len(text)))
    return Script(
        path=fragment.path,
        commands=(command,),
        finals=(Final(command=command, replaces_shell=True),),
        exec_form=True,
    )


def _shebang(source: SourceText) -> Interpreter | None:
    line = source.line_at(1)
    if not line.startswith("#!"):
        return None
    words = line[2:].split()
    if not words:
        return None
    via_env = words[0].rsplit("/", 1)[-1] == "env"
    if via_env:
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0]):
            words = words[1:]
        if not words:
            return None
    return Interpreter(
        line=line, path=words[0], args=tuple(words[1:]), via_env=via_env, at=source.at(1)
    )
