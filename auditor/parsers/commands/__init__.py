"""Command lines interpreted.

``interpret(argv)`` says what one command line means; ``interpret_script(script)`` walks a whole
text with variables and directories kept; ``main_processes(script)`` says what the container
ends up running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from auditor import lazy_re as re
from auditor.parsers.commands import files, installers, servers
from auditor.parsers.commands.facts import (
    AppSpec,
    Bind,
    Download,
    Fact,
    FileOp,
    Interpretation,
    MainProcess,
    Option,
    Other,
    Package,
    PipInstall,
    PythonRun,
    ServerStart,
    ShellRun,
    SystemInstall,
    Venv,
    Wrapper,
)
from auditor.parsers.commands.options import scan
from auditor.parsers.commands.wrappers import base_name, unwrap
from auditor.parsers.shell import run_by
from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Arg, Script, Step
from auditor.parsers.shell.tracing import join_path, trace
from auditor.source import Location, Unknown
from auditor.values import replace

__all__ = [
    "AppSpec",
    "Bind",
    "Download",
    "Fact",
    "FileOp",
    "Interpretation",
    "MainProcess",
    "Option",
    "Other",
    "Package",
    "PipInstall",
    "PythonRun",
    "ServerStart",
    "ShellRun",
    "SystemInstall",
    "Venv",
    "Wrapper",
    "interpret",
    "interpret_script",
    "main_processes",
]

_PYTHON = re.compile(r"(python|pypy)[0-9.]*t?(\.exe)?")
_PIP = re.compile(r"pip[0-9.]*")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_MAX_NESTING = 6

_Handler = Callable[[Arg, Sequence[Arg], Sequence[Arg]], Fact | None]
_HANDLERS: dict[str, _Handler] = {
    "uv": installers.uv,
    "poetry": installers.poetry,
    "pdm": installers.pdm,
    "pipenv": installers.pipenv,
    "conda": installers.conda,
    "mamba": installers.conda,
    "micromamba": installers.conda,
    "pip-sync": installers.pip_tools,
    "pip-compile": installers.pip_tools,
    "apt-get": installers.apt,
    "apt": installers.apt,
    "aptitude": installers.apt,
    "apk": installers.apk,
    "dnf": installers.rpm_like,
    "yum": installers.rpm_like,
    "microdnf": installers.rpm_like,
    "tdnf": installers.rpm_like,
    "zypper": installers.rpm_like,
    "dpkg": installers.dpkg,
    "rpm": installers.dpkg,
    "curl": files.curl,
    "wget": files.wget,
    "aria2c": files.aria2c,
    "git": files.git,
    "huggingface-cli": files.huggingface,
    "hf": files.huggingface,
    "dvc": files.dvc,
    "gdown": files.gdown,
    "aws": files.cloud,
    "gsutil": files.cloud,
    "gcloud": files.cloud,
    "az": files.cloud,
    "mc": files.cloud,
    "rclone": files.cloud,
    "spacy": files.spacy,
    "playwright": files.playwright,
}
_HANDLERS |= dict.fromkeys(files.FILE_OPS, files.file_op)


def interpret(
    argv: Sequence[Arg], *, env: Env | None = None, cwd: Value = "/"
) -> Interpretation | None:
    """What one command line means; None for an empty one."""
    if not argv:
        return None
    wrappers, rest = unwrap(argv)
    merged: dict[str, str | Unknown | None] = dict(env or {})
    for wrapper in wrappers:
        merged.update(wrapper.env)
        if wrapper.cwd is not None:
            cwd = join_path(cwd, wrapper.cwd)
    return Interpretation(fact=_fact(rest), argv=rest, wrappers=wrappers, env=merged, cwd=cwd)


def _fact(argv: tuple[Arg, ...]) -> Fact:
    program = argv[0]
    name = base_name(program)
    fact: Fact | None = None
    if isinstance(program.value, Unknown):
        return Other(program=program.value, at=program.at, argv=argv)
    if _PYTHON.fullmatch(name):
        return _python(argv)
    if name in _SHELLS:
        return _shell(argv)
    if name in {"source", "."} and len(argv) > 1:
        return ShellRun(shell=name, at=program.at, script=argv[1], args=argv[2:])
    if name == "eval":
        program_text = next((arg.script for arg in argv if arg.script is not None), None)
        return ShellRun(shell=name, at=program.at, program=program_text)
    if name == "su":
        nested = next((arg.script for arg in argv if arg.script is not None), None)
        if nested is not None:
            return ShellRun(shell=name, at=program.at, program=nested)
    if _PIP.fullmatch(name):
        fact = installers.pip(program, argv[1:], argv, None)
    elif name == "virtualenv":
        fact = installers.venv(program, argv[1:], name, None)
    elif name in _HANDLERS:
        fact = _HANDLERS[name](program, argv[1:], argv)
    else:
        fact = servers.by_program(argv)
    return fact if fact is not None else Other(program=name, at=program.at, argv=argv)


def _python(argv: tuple[Arg, ...]) -> Fact:
    program = argv[0]
    flags: list[str] = []
    index = 1
    while index < len(argv):
        arg = argv[index]
        text = arg.text
        if len(text) < 2 or text[0] != "-":
            break
        index += 1
        if text == "--":
            break
        if text.startswith("--"):
            flags.append(text)
            continue
        for position in range(1, len(text)):
            letter = text[position]
            if letter in "mcWX":
                rest = text[position + 1 :]
                if rest:
                    at = arg.at
                    value = Arg(value=rest, at=at)
                elif index < len(argv):
                    value = argv[index]
                    index += 1
                else:
                    break
                if letter == "m":
                    return _module(argv, tuple(flags), value, argv[index:])
                if letter == "c":
                    return PythonRun(
                        at=program.at,
                        interpreter=program.value,
                        argv=argv,
                        code=value,
                        flags=tuple(flags),
                        args=argv[index:],
                    )
                flags.append(f"-{letter}{value.text}")
                break
            flags.append("-" + letter)
    if index >= len(argv):
        return PythonRun(at=program.at, interpreter=program.value, argv=argv, flags=tuple(flags))
    script, rest_args = argv[index], argv[index + 1 :]
    # Console scripts called by their path: `python /usr/local/bin/gunicorn app:app`.
    server = servers.manage_py(script, rest_args, argv)
    if server is None and "/bin/" in script.text:
        server = servers.by_program(argv[index:])
    if server is not None:
        return server
    return PythonRun(
        at=program.at,
        interpreter=program.value,
        argv=argv,
        script=script,
        flags=tuple(flags),
        args=rest_args,
    )


def _module(
    argv: tuple[Arg, ...], flags: tuple[str, ...], module: Arg, rest: tuple[Arg, ...]
) -> Fact:
    name = module.text
    fact: Fact | None = None
    if name == "pip":
        fact = installers.pip(module, rest, argv, argv[0].value)
    elif name in {"venv", "virtualenv"}:
        fact = installers.venv(module, rest, name, argv[0].value)
    elif name in {"uv", "poetry", "pdm", "pipenv"}:
        fact = _HANDLERS[name](module, rest, argv)
    elif name == "playwright":
        fact = files.playwright(module, rest, argv)
    else:
        fact = servers.by_module(module, rest, argv)
        fact = fact or files.module_download(name, module, rest, argv)
    if fact is not None:
        return fact
    return PythonRun(
        at=argv[0].at,
        interpreter=argv[0].value,
        argv=argv,
        module=module,
        flags=flags,
        args=rest,
    )


def _shell(argv: tuple[Arg, ...]) -> Fact:
    program = argv[0]
    login = any(
        a.text.startswith("-") and "l" in a.text and not a.text.startswith("--") for a in argv[1:3]
    )
    login = login or any(arg.text == "--login" for arg in argv)
    for index, arg in enumerate(argv):
        if arg.script is not None:
            return ShellRun(
                shell=program.value,
                at=program.at,
                program=arg.script,
                args=argv[index + 1 :],
                login=login,
            )
    scanned = scan(argv[1:], values={"-o": "o", "-O": "O"}, interspersed=False)
    if scanned.last("c") is not None or scanned.last("s") is not None:
        return ShellRun(shell=program.value, at=program.at, login=login)
    words = scanned.words
    return ShellRun(
        shell=program.value,
        at=program.at,
        script=words[0] if words else None,
        args=tuple(words[1:]),
        login=login,
    )


def interpret_script(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Value] | None = None,
) -> Iterator[Interpretation]:
    """What every command of a script means, nested ``sh -c`` texts entered after their command.

    Commands inside command substitutions are included (``command.substitution`` tells).
    """
    yield from _interpret_script(script, env, cwd, args, 0)


def _interpret_script(
    script: Script, env: Env | None, cwd: Value, args: Sequence[Value] | None, depth: int
) -> Iterator[Interpretation]:
    for step in trace(script, env=env, cwd=cwd, args=args):
        found = interpret(step.argv, env=step.env, cwd=step.cwd)
        if found is None:
            continue
        found = replace(found, command=step.command)
        yield found
        fact = found.fact
        if isinstance(fact, ShellRun) and fact.program is not None and depth < _MAX_NESTING:
            # The words after the text are $0, $1, …
            inner = [arg.value for arg in fact.args[1:]]
            if fact.shell == "eval" and step.args is not None:
                inner = list(step.args)
            for nested in _interpret_script(fact.program, found.env, found.cwd, inner, depth + 1):
                yield replace(nested, wrappers=(*found.wrappers, *nested.wrappers))


def main_processes(
    script: Script,
    *,
    env: Env | None = None,
    cwd: Value = "/",
    args: Sequence[Arg] = (),
    read_script: Callable[[str, Value], Script | None] = lambda path, cwd: None,
) -> tuple[MainProcess, ...]:
    """What the container ends up running, when started with ``script`` and ``args`` (``"$@"``).

    For the shell form of CMD or ENTRYPOINT give the parsed text, for the exec form
    ``exec_form(…)``, to whose words ``args`` are appended (ENTRYPOINT with CMD).
    ``read_script(path, cwd)`` gives the parsed shell script that the image has at a path, or
    None; wrapper scripts are followed through it, their arguments passed on. A shell that is the
    entry point itself is not part of ``script``: pass its text, not ``/bin/sh -c``.
    """
    walk = _Walk(read_script)
    if script.exec_form:
        # No shell: CMD's words simply follow those of ENTRYPOINT.
        for step in trace(script, env=env, cwd=cwd, args=()):
            found = interpret((*step.argv, *args), env=step.env, cwd=step.cwd)
            if found is not None:
                walk.follow(replace(found, command=step.command), _Chain())
        return tuple(walk.found)
    walk.script(
        script,
        dict(env or {}),
        cwd,
        tuple(arg.value for arg in args),
        _Chain(shell=False),
        tuple(args),
    )
    # The same process may be reached over several branches.
    unique: list[MainProcess] = []
    for process in walk.found:
        if process not in unique:
            unique.append(process)
    return tuple(unique)


class _Chain:
    """What stands between PID 1 and the command looked at."""

    def __init__(
        self,
        *,
        shell: bool = False,
        init: bool = False,
        conditional: bool = False,
        background: bool = False,
        through: tuple[Location, ...] = (),
        wrappers: tuple[Wrapper, ...] = (),
    ) -> None:
        self.shell = shell
        self.init = init
        self.conditional = conditional
        self.background = background
        self.through = through
        self.wrappers = wrappers

    def add(
        self,
        *,
        shell: bool = False,
        init: bool = False,
        conditional: bool = False,
        background: bool = False,
        through: tuple[Location, ...] = (),
        wrappers: tuple[Wrapper, ...] = (),
    ) -> _Chain:
        return _Chain(
            shell=self.shell or shell,
            init=self.init or init,
            conditional=self.conditional or conditional,
            background=self.background or background,
            through=self.through + through,
            wrappers=self.wrappers + wrappers,
        )


class _Walk:
    def __init__(self, read_script: Callable[[str, Value], Script | None]) -> None:
        self.read_script = read_script
        self.found: list[MainProcess] = []
        self.budget = 200

    def script(
        self,
        script: Script,
        env: Mapping[str, str | Unknown | None],
        cwd: Value,
        args: tuple[Value, ...],
        chain: _Chain,
        arg_words: tuple[Arg, ...] = (),
    ) -> None:
        """Follow the ways a script ends; long-running foreground servers end it too."""
        if len(chain.through) > _MAX_NESTING or self.budget <= 0:
            return
        self.budget -= 1
        steps: dict[int, Step] = {}
        for step in trace(script, env=env, cwd=cwd, args=args):
            steps[id(step.command)] = step
        handled: set[int] = set()
        blocked = False
        for step in steps.values():
            command = step.command
            if command.substitution:
                continue
            found = self._server(step)
            if found is None:
                continue
            final = next((f for f in script.finals if f.command is command), None)
            leaves = final is None and _daemonizes(found)
            stays = final is None or not final.replaces_shell
            handled.add(id(command))
            self._command(
                step,
                chain.add(
                    shell=stays,
                    conditional=step.conditional > 0,
                    background=command.background or leaves,
                ),
                arg_words,
            )
            if not command.background and not step.conditional and not leaves:
                # Nothing after a server in the foreground runs.
                blocked = True
                break
        for final in script.finals:
            if blocked and id(final.command) not in handled:
                continue
            if id(final.command) in handled or (final.waits and final.background):
                continue
            reached = steps.get(id(final.command))
            if reached is None:
                continue
            self._command(
                reached,
                chain.add(
                    shell=not final.replaces_shell,
                    # Of several ways, those left out by what is known are no choice.
                    conditional=final.conditional and reached.conditional > 0,
                    background=final.detached,
                ),
                arg_words,
            )
        for step in steps.values():
            if step.command.background and id(step.command) not in handled and not blocked:
                waits = any(final.waits or final.detached for final in script.finals)
                if waits and not any(final.command is step.command for final in script.finals):
                    self._command(step, chain.add(shell=True, background=True), arg_words)

    def _server(self, step: Step) -> ServerStart | None:
        found = interpret(step.argv, env=step.env, cwd=step.cwd)
        return found.fact if found is not None and isinstance(found.fact, ServerStart) else None

    def _command(self, step: Step, chain: _Chain, arg_words: tuple[Arg, ...]) -> None:
        argv = _with_places(step.argv, step.args, arg_words)
        found = interpret(argv, env=step.env, cwd=step.cwd)
        if found is None:
            return
        found = replace(found, command=step.command)
        self.follow(found, chain)

    def follow(self, found: Interpretation, chain: _Chain) -> None:
        if self.budget <= 0:
            return
        self.budget -= 1
        chain = chain.add(init=any(w.init for w in found.wrappers), wrappers=found.wrappers)
        fact = found.fact
        if isinstance(fact, ShellRun) and fact.shell not in {"source", "."}:
            if fact.program is not None:
                inner = fact.args[1:]
                self.script(
                    fact.program,
                    found.env,
                    found.cwd,
                    tuple(arg.value for arg in inner),
                    chain.add(through=(fact.at,)),
                    inner,
                )
                return
            shell = str(fact.shell)
            if fact.script is not None and self._file(fact.script, fact.args, found, chain, shell):
                return
        elif isinstance(fact, Other) and self._file(found.argv[0], found.argv[1:], found, chain):
            return
        self.found.append(
            MainProcess(
                interpretation=replace(found, wrappers=chain.wrappers),
                shell_is_pid1=chain.shell,
                init=chain.init,
                conditional=chain.conditional,
                background=chain.background,
                through=chain.through,
            )
        )

    def _file(
        self,
        path: Arg,
        args: Sequence[Arg],
        found: Interpretation,
        chain: _Chain,
        program: str = "",
    ) -> bool:
        """Follow a script file of the image; False when there is none to read."""
        if not path.text:
            return False
        script = self.read_script(path.text, found.cwd)
        if script is None:
            return False
        before = len(self.found)
        self.script(
            run_by(script, program),
            found.env,
            found.cwd,
            tuple(arg.value for arg in args),
            chain.add(through=(path.at,)),
            tuple(args),
        )
        return len(self.found) > before


def _daemonizes(fact: ServerStart) -> bool:
    """Nginx goes to the background by itself, unless it is told ``daemon off``; others are told to."""
    if fact.kind != "nginx":
        return any(fact.value(name) not in (None, False) for name in ("daemon", "daemonize"))
    told = fact.value("directives")
    return told is None or (isinstance(told, str) and "daemon" not in told)


def _with_places(
    argv: tuple[Arg, ...], args: tuple[Value, ...] | None, words: tuple[Arg, ...]
) -> tuple[Arg, ...]:
    """Words that came in through ``"$@"`` keep the place (and nested script) they came from."""
    if not words or args is None:
        return argv
    count = len(words)
    values = tuple(word.value for word in words)
    for start in range(len(argv) - count + 1):
        if tuple(arg.value for arg in argv[start : start + count]) == values:
            return (*argv[:start], *words, *argv[start + count :])
    # Some were shifted away.
    for skip in range(1, count):
        tail = values[skip:]
        if tuple(arg.value for arg in argv[len(argv) - len(tail) :]) == tail:
            return (*argv[: len(argv) - len(tail)], *words[skip:])
    return argv
