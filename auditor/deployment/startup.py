"""Faults between the engine and the server: the user, the first program, and wrapper scripts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment import gates
from auditor.deployment.accounts import known_account, makes_account
from auditor.deployment.commands import ran
from auditor.deployment.effects import Changed, Make, Removed, effects
from auditor.deployment.model import Service, StartFault, Value
from auditor.deployment.shellfaults import (
    BASH_ONLY,
    array_in_dash,
    is_dash,
    misplaced,
    of_the_system,
    pipefail_in_dash,
    refuses_pipefail,
    required_variables,
    sets_more,
    unknown_test,
    unset_variables,
)
from auditor.deployment.shellnames import (
    BUILTINS,
    SHELLS,
    SHORT,
    SYSTEM,
    makes_programs,
    python_name,
)
from auditor.findings import Stage
from auditor.parsers import shell
from auditor.parsers.branches import foreign_to_dash
from auditor.parsers.commands import (
    Download,
    FileOp,
    Other,
    PythonRun,
    ServerStart,
    ShellRun,
    interpret,
    interpret_script,
)
from auditor.parsers.dockerfile import Cmd
from auditor.parsers.shell.facts import Arg, Command, Script, Step
from auditor.parsers.shell.tracing import trace
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage
    from auditor.deployment.shellnames import Env
    from auditor.deployment.view import Seen, View
    from auditor.parsers.commands import Interpretation, MainProcess


def _lacks_account(image: BuiltImage, name: str) -> bool:
    """Whether neither the base nor a RUN gives the image an account of that name."""
    base = image.base
    if base is None or (not base.official_python and base.flavour is None):
        return False
    if name.isdigit() or not re.fullmatch(r"[\w.-]+", name) or known_account(name, base.flavour):
        return False
    if image.base_is_local or not image.image.base.known:
        return False
    if any(makes_account(command, name) for command in ran(image.image)):
        return False
    foreign = [step for step in image.image.copies if step.origin != "context"]
    return not any("/etc" in str(step.destination) for step in foreign)


def unknown_wrapper_user(
    service: Service, processes: Sequence[MainProcess], view: View
) -> Iterator[StartFault]:
    """``gosu``, ``runuser`` and their kin start a program as an account that nothing makes."""
    image = service.image
    if image is None:
        return
    for process in processes:
        texts = [" ".join(service.argv or ())]
        files = [view.repository_text(place.path) for place in process.through]
        texts += [file.text for file in files if file is not None]
        at_start = any(re.search(r"useradd|adduser|/etc/passwd|nss_wrapper", t) for t in texts)
        if process.conditional or at_start:
            continue
        for wrapper in process.interpretation.wrappers:
            name = str(wrapper.user).partition(":")[0]
            if isinstance(wrapper.user, str) and _lacks_account(image, name):
                yield StartFault(
                    kind="user",
                    message=(
                        f"`{wrapper.name}` starts the service as {name}: no RUN makes that account "
                        f"and {image.base.text if image.base else 'the base'} has none of that name"
                    ),
                    at=wrapper.at,
                )


def unknown_user(service: Service) -> Iterator[StartFault]:
    """USER names an account that nothing makes: the engine refuses to start the container."""
    image, user = service.image, service.user
    if image is None or not isinstance(user, str) or image.base is None:
        return
    name = user.partition(":")[0]
    if not _lacks_account(image, name):
        return
    yield StartFault(
        kind="user",
        message=(
            f"USER {name}: no RUN makes that account and {image.base.text} has none of that name: "
            f"`unable to find user {name}: no matching entries in passwd file`"
        ),
        at=service.user_at or service.at,
        certain=False,
    )


def first_program(service: Service, script: Script, view: View, cwd: Value) -> Iterator[StartFault]:
    """Faults of the program that the engine starts, before any shell or interpreter runs."""
    image = service.image
    if image is None:
        return
    yield from _no_list(service)
    if not script.commands:
        return
    first = script.commands[0]
    argv = first.argv({})
    if not argv or not isinstance(argv[0].value, str):
        return
    program, at = argv[0].value, argv[0].at
    if service.command_form == "exec":
        yield from _operators(argv)
    if len(argv) == 1:
        yield from _replaced(service, program)
    yield from _dropped(service, argv)
    if service.command_form != "exec":
        yield from _open_bracket(service, at)
        if "/" in program:
            yield from _started(service, program, at, view, cwd, by_shell=True)
        return
    if "/" not in program:
        from auditor.deployment import systempython

        steps = list(ran(image.image))
        if program == "python" and systempython.lacks_python(image, steps):
            yield StartFault(
                kind="program",
                message=(
                    f"{image.base.text if image.base else 'the image'} names its Python `python3`, and nothing "
                    "else is called `python`: the container cannot be started"
                ),
                at=at,
                evidence=(("program", program),),
            )
        if (
            image.provides_program(program) is False
            and not python_name(program)
            and not makes_programs(image, steps)
        ):
            here = view.look(posixpath.join(cwd, program)) if isinstance(cwd, str) else None
            beside = here is not None and here.answer == "yes" and here.kind == "file"
            yield StartFault(
                kind="program",
                message=(
                    f"`{program}` is not on the PATH (it is in {cwd}: write `./{program}`): the "
                    f'container cannot be started: `exec: "{program}": executable file not found`'
                    if beside
                    else f"`{program}` is not in the image: the container cannot be started"
                ),
                at=at,
                certain=False,
                evidence=(("program", program),),
            )
        return
    yield from _started(service, program, at, view, cwd, by_shell=False)


def _operators(argv: Sequence[Arg]) -> Iterator[StartFault]:
    """``&&`` as a word of the exec form: no shell is there to read it."""
    names = {posixpath.basename(arg.text) for arg in argv[:3]}
    # gunicorn passes over words behind the application.
    if names & SHELLS or "gunicorn" in names or any(arg.text in ("-c", "--") for arg in argv):
        return
    found = next((arg for arg in argv[1:] if arg.text in ("&&", "||", ";", "|")), None)
    if found is not None:
        yield StartFault(
            kind="script",
            message=(
                f"the exec form starts no shell: `{found.text}` and what follows are words given to "
                f"`{argv[0].text}`, and nothing runs them"
            ),
            at=found.at,
            certain=False,
        )


def to_background(service: Service, processes: Sequence[MainProcess]) -> Iterator[StartFault]:
    """``gunicorn --daemon`` as the command itself: the first process ends at once."""
    fact = processes[0].interpretation.fact if len(processes) == 1 else None
    if service.command_form != "exec" or not isinstance(fact, ServerStart):
        return
    option = fact.option("daemon") if fact.kind == "gunicorn" else None
    if option is not None and option.value is True:
        yield StartFault(
            kind="daemon",
            message=(
                "gunicorn goes to the background (`--daemon`): the container's first process ends, "
                "and the container with it"
            ),
            at=option.at,
        )


_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.DOTALL)
_CALLED = re.compile(r"(?:^|\s)([\w.-]+:[\w.]+)\(")


def _open_bracket(service: Service, at: Location) -> Iterator[StartFault]:
    """``app:create_app()`` without quotes in a shell: a bracket there is no part of a word."""
    text = service.argv[-1] if service.argv else ""
    found = _CALLED.search(_QUOTED.sub("", text))
    if found is not None:
        yield StartFault(
            kind="literal-variable",
            message=(
                f"the shell reads `{found.group(1)}()`, and a bracket cannot stand there without quotes: "
                '`Syntax error: "(" unexpected`'
            ),
            at=at,
            certain=False,
        )


_READS_INPUT = re.compile(r"(?:/\S*/)?(?:python[\d.]*|bash|sh|dash)")


def _replaced(service: Service, program: str) -> Iterator[StartFault]:
    """A second CMD that is an interpreter and nothing else: the first one is never started."""
    image = service.image
    if image is None or not _READS_INPUT.fullmatch(program):
        return
    stage = image.dockerfile.stages[image.image.stage]
    every = [item for item in stage.instructions if isinstance(item, Cmd)]
    if len(every) < 2 or service.command_at != every[-1].at:
        return
    yield StartFault(
        kind="no-command",
        message=(
            f"the last CMD replaces the one before it, and `{program}` alone reads its standard input, "
            "which is empty: the container ends at once"
        ),
        at=every[-1].at,
        related=((every[-2].at, "never started"),),
        certain=False,
    )


# Options of Python that name no program to run.
_PLAIN_OPTION = re.compile(r"-[bBdEIOPqRsSuvx]+")


def _dropped(service: Service, argv: Sequence[Arg]) -> Iterator[StartFault]:
    """An entrypoint of Compose that is an interpreter and nothing else: the image's CMD is cleared."""
    compose, image = service.compose, service.image
    if compose is None or image is None or compose.entrypoint is None or compose.interactive:
        return
    own = image.image.cmd
    if compose.command is not None or own is None or not _READS_INPUT.fullmatch(argv[0].text):
        return
    if not all(_PLAIN_OPTION.fullmatch(arg.text) for arg in argv[1:]):
        return
    yield StartFault(
        kind="no-command",
        message=(
            f"`entrypoint` of Compose clears the image's CMD, and `{' '.join(a.text for a in argv)}` alone "
            "reads its standard input, which is empty: the container ends at once"
        ),
        at=argv[0].at,
        related=((own.at, "never used"),),
    )


def _no_list(service: Service) -> Iterator[StartFault]:
    """CMD or ENTRYPOINT that was meant as a JSON list and is none: a shell gets it."""
    own = service.image.image if service.image is not None else None
    for process in (own.entrypoint, own.cmd) if own is not None else ():
        if process is None or process.command.form != "shell" or service.command_at != process.at:
            continue
        text = process.command.text.text.strip()
        if text.startswith("[") and text[1:2] not in (" ", "[") and text.endswith("]"):
            yield StartFault(
                kind="program",
                message=(
                    "this is no JSON list (single quotes, or a comma too many), so a shell reads it: "
                    f"`/bin/sh: 1: {text.split()[0].replace(chr(39), '')}: not found`"
                ),
                at=process.at,
            )


def _started(
    service: Service, program: str, at: Location, view: View, cwd: Value, *, by_shell: bool
) -> Iterator[StartFault]:
    """Whether the kernel can run a file that is named by its path."""
    image = service.image
    assert image is not None
    if not isinstance(cwd, str):
        return
    path = posixpath.normpath(posixpath.join(cwd, program))
    seen = view.look(path)
    # What starts from the working directory is the project's, wherever that is.
    system = program.startswith(SYSTEM) and not program.startswith(f"{cwd.rstrip('/')}/")
    if seen.answer == "no" or system:
        if system:
            if seen.answer != "yes":
                yield from misplaced(image, [Arg(value=program, at=at)])
            return
        yield StartFault(
            kind="script",
            message=f"`{program}` is not in the image: the container cannot be started",
            at=at,
            related=((seen.at, "removed here"),) if seen.at else (),
            evidence=(("path", path),),
        )
        return
    if seen.kind != "file" or seen.repo is None:
        return
    text = view.text(path)
    if text is None or "\0" in text.text[:1000]:
        return
    head = text.text[:200]
    if seen.executable is False:
        yield StartFault(
            kind="not-executable",
            message=(
                f"`{seen.repo}` is not executable, in the repository or by a chmod in the image: "
                f"the container stops with `permission denied`"
            ),
            at=at,
            related=((text.at(1), "this file's mode is kept by COPY"),),
            certain=not seen.mounted,
        )
        return
    if not head.startswith("#!"):
        if not by_shell and head.strip() and not head.startswith("\x7f"):
            yield StartFault(
                kind="interpreter",
                message=(
                    f"`{seen.repo}` does not begin with `#!`, so the kernel does not know what runs "
                    f"it: `exec {path}: exec format error`"
                ),
                at=text.at(1),
                related=((at, "started here, without a shell"),),
            )
        return
    line = head.split("\n", 1)[0]
    if line.endswith("\r"):
        if _mended(service, posixpath.basename(path)):
            return
        yield StartFault(
            kind="crlf",
            message=(
                f"`{seen.repo}` has Windows line ends: the kernel looks for an interpreter named "
                f"`{line[2:].strip()}\\r` and the container stops with "
                f"`exec {path}: no such file or directory`"
            ),
            at=text.at(1),
            related=((at, "started here"),),
        )
        return
    yield from _interpreter(service, seen, line, text.at(1), at, view)


def _interpreter(
    service: Service, seen: Seen, line: str, where: Location, at: Location, view: View
) -> Iterator[StartFault]:
    image = service.image
    assert image is not None
    words = line[2:].split()
    interpreter = words[0] if words else ""
    through_path = posixpath.basename(interpreter) == "env" and len(words) > 1
    if through_path:
        interpreter = words[-1] if words[1].startswith("-") else words[1]
    name = posixpath.basename(interpreter)
    if not name:
        return
    if python_name(name):
        missing = not through_path and of_the_system(image, interpreter)
    else:
        missing = image.provides_program(name) is False
    if missing:
        yield StartFault(
            kind="interpreter",
            message=f"`{seen.repo}` asks for `{interpreter}`, which the image does not have",
            at=where,
            related=((at, "started here"),),
            certain=False,
            evidence=(("program", name),),
        )


def _mended(service: Service, name: str) -> bool:
    """A RUN of the image takes the carriage returns away."""
    image = service.image
    if image is None:
        return False
    for command in ran(image.image):
        words = [a.text for a in command.what.argv]
        tool = posixpath.basename(words[0]) if words else ""
        if tool == "dos2unix" or (tool in ("sed", "tr", "perl") and "\\r" in " ".join(words)):
            return True
    return False


def scripts(
    service: Service,
    script: Script,
    view: View,
    env: Env,
    cwd: Value,
    preludes: list[Interpretation],
) -> Iterator[StartFault]:
    """Faults of the shell text that leads to the server, and of the scripts it goes through.

    ``preludes`` gets the Python programs that must succeed before the server is started.
    """
    yield from _walk(service, script, view, env, cwd, 0, preludes, ())


def _walk(
    service: Service,
    script: Script,
    view: View,
    env: Env,
    cwd: Value,
    depth: int,
    preludes: list[Interpretation],
    args: Sequence[Value],
    *,
    later: bool = False,
) -> Iterator[StartFault]:
    """``later``: commands of an outer script ran before this one."""
    image = service.image
    if image is None or depth > 4:
        return
    if depth:
        script = shell.run_by(script, "")
    functions = {c.function for c in script.commands if c.function}
    steps = list(trace(script, env=env, cwd=cwd, args=args))
    sourced = False
    posix = is_dash(service, script)
    certain = {id(step.command) for step in steps if not step.conditional}
    finals = {id(f.command) for f in script.finals if not f.conditional or id(f.command) in certain}
    for index, step in enumerate(steps):
        command = step.command
        if step.conditional and not (preludes or later):
            yield from gates.closed(script, steps, index, view)
        if command.substitution or step.conditional or command.loop or command.background:
            continue
        if command.function is not None:
            continue
        unset = next(
            iter((*unset_variables(service, step), *required_variables(service, step))), None
        )
        unset = unset if not sourced else None
        if unset is not None:
            yield unset
            return
        array = next((a for a in command.assignments if posix and a.array), None)
        if array is not None:
            yield array_in_dash(service, array.at)
            return
        if not step.argv:
            continue
        if command.tested or command.negated:
            yield from _waits_for_ever(service, script, step)
            continue
        sourced = sourced or sets_more(step)
        if command.name == "set" and posix and refuses_pipefail(image, step.argv):
            yield pipefail_in_dash(service, step.argv[0].at)
            return
        listed = index + 1 < len(steps) and steps[index + 1].command.connector in ("&&", "||")
        unknown = foreign_to_dash(command) if script.dash and command.errexit else ""
        if unknown and not listed:
            yield unknown_test(unknown, step.argv[0].at)
            return
        if command.name in BASH_ONLY and posix and (command.errexit or id(command) in finals):
            yield _not_found(service, str(command.name), step.argv[0].at, certain=True)
            return
        lost = None
        if _fatal_here(command, finals, listed):
            lost = _no_target(step, view)
        if lost is None and command.name == "cd" and _ends_with(steps, index, finals):
            lost = _no_directory(step, view)
        if lost is not None and not (sourced or preludes or later or command.subshell):
            folder, at = str(dict(lost.evidence)["path"]), step.argv[0].at
            if not _made_before(script, env, cwd, folder, at):
                yield lost
                return
        found = interpret(step.argv, env=step.env, cwd=step.cwd)
        if found is None:
            continue
        first = step.argv[0]
        inner = found.argv[0] if found.argv else first
        tolerated = index + 1 < len(steps) and steps[index + 1].command.connector == "||"
        linked = index + 1 < len(steps) and steps[index + 1].command.connector == "&&"
        fatal = (command.errexit or linked or id(command) in finals) and not tolerated
        fact = found.fact
        wrapper = _wrapper(step.argv, inner)
        if wrapper is not None and fatal and image.provides_program(wrapper.text) is False:
            yield _not_found(service, wrapper.text, wrapper.at)
            return
        if isinstance(fact, ShellRun) and fact.shell not in ("eval", "su"):
            if fact.program is not None:
                inner_args = tuple(arg.value for arg in fact.args[1:])
                yield from _walk(
                    service,
                    fact.program,
                    view,
                    found.env,
                    found.cwd,
                    depth + 1,
                    preludes,
                    inner_args,
                    later=later or index > 0,
                )
            elif fact.script is not None and isinstance(fact.script.value, str):
                yield from _script(
                    service, fact, view, found.env, found.cwd, depth, preludes,
                    fatal=fatal, later=later or index > 0,
                )  # fmt: skip
            continue
        if not isinstance(inner.value, str) or not inner.value:
            continue  # `exec "$@"` without arguments: `ends` says it
        name = inner.value
        if isinstance(fact, PythonRun) and fatal and id(command) not in finals:
            if not script.exec_form or depth:
                preludes.append(replace(found, command=command))
            continue
        if script.exec_form and depth == 0:
            # That it is there and can be run, the engine's own rules say (`first_program`).
            yield from _own_script(service, found, view, 0, preludes, later=False)
            continue
        if "/" in name:
            if isinstance(found.cwd, str):
                if depth or index:
                    yield from (
                        fault
                        for fault in _started(
                            service, name, inner.at, view, found.cwd, by_shell=True
                        )
                        if fatal
                    )
                earlier = later or index > 0
                yield from _own_script(service, found, view, depth, preludes, later=earlier)
            continue
        if name in BUILTINS or name in functions or python_name(name) or not fatal:
            continue
        if image.provides_program(name) is False:
            yield _not_found(service, name, inner.at)


def _wrapper(argv: Sequence[Arg], inner: Arg) -> Arg | None:
    """The program that starts another one and is named before it: ``exec gosu app uvicorn …``."""
    first = next((w for w in argv if w.text != "exec" and not w.text.startswith("-")), None)
    if first is None or first.at == inner.at or not isinstance(first.value, str):
        return None
    name = first.value
    return None if "/" in name or name in BUILTINS or python_name(name) or "=" in name else first


def _fatal_here(command: Command, finals: set[int], listed: bool) -> bool:
    """The script ends where this command fails."""
    return (command.errexit or id(command) in finals) and not listed


def _ends_with(steps: Sequence[Step], index: int, finals: set[int]) -> bool:
    """What stays does not come, where this command fails: ``set -e``, or ``&&`` leads to it."""
    after = steps[index + 1 : index + 2]
    if not after or after[0].command.connector != "&&":
        return steps[index].command.errexit and not (after and after[0].command.connector == "||")
    for step in steps[index + 1 :]:
        if step.command.connector != "&&":
            break
        if id(step.command) in finals:
            return True
    return False


def _made_before(script: Script, env: Env, cwd: Value, folder: str, at: Location) -> bool:
    """Whether a command of the script before this place may have made the directory."""
    for effect in effects(script, env=env, cwd=cwd):
        if (effect.at.path, effect.at.line, effect.at.column) >= (at.path, at.line, at.column):
            continue
        if isinstance(effect, Make):
            if f"{effect.path}/".startswith(f"{folder}/"):
                return True
        elif not isinstance(effect, Removed | Changed):
            return True
    return False


def _no_target(step: Step, view: View) -> StartFault | None:
    """Output goes to a file in a directory that is not there: the shell starts nothing."""
    for redirect in step.command.redirects:
        if redirect.operator not in (">", ">>", "&>", "&>>", ">|") or redirect.target is None:
            continue
        text = redirect.target.expand(step.env)
        if not isinstance(text, str) or not isinstance(step.cwd, str) or text.startswith("/dev/"):
            continue
        folder = posixpath.dirname(posixpath.normpath(posixpath.join(step.cwd, text)))
        if view.look(folder).answer != "no":
            continue
        return StartFault(
            kind="script",
            message=f"there is no directory {folder}: the shell cannot create `{text}`, and starts nothing",
            at=redirect.at,
            certain=False,
            evidence=(("path", folder),),
        )
    return None


def _no_directory(step: Step, view: View) -> StartFault | None:
    """``cd`` into a directory that is not there, where that ends the script."""
    words = [arg.value for arg in step.argv[1:]]
    if len(words) != 1 or not isinstance(words[0], str) or not isinstance(step.cwd, str):
        return None
    target = words[0]
    if target in ("", "-") or target.startswith("~"):
        return None
    path = posixpath.normpath(posixpath.join(step.cwd, target))
    if view.look(path).answer != "no" or view.mount_of(path) is not None:
        return None
    return StartFault(
        kind="script",
        message=f"there is no directory {path}, and the script ends: `cd: {target}: No such file or directory`",
        at=step.argv[1].at,
        certain=False,
        evidence=(("path", path),),
    )


def _not_found(service: Service, name: str, at: Location, *, certain: bool = False) -> StartFault:
    """A command of a script that no program or built-in answers to."""
    why = (
        f"`{name}` is a word of bash, and this script is run by the plain `sh` of the image"
        if name in BASH_ONLY
        else f"`{name}` is not in the image"
    )
    return StartFault(
        kind="program",
        message=f"{why}: `{name}: not found`, and the script stops",
        at=at,
        related=((service.command_at, "started here"),) if service.command_at else (),
        certain=certain,
        evidence=(("program", name),),
    )


def _waits_for_ever(service: Service, script: Script, step: Step) -> Iterator[StartFault]:
    """A loop that ends when a program succeeds which the image does not have."""
    command, image = step.command, service.image
    if image is None or command.tested != ("while" if command.negated else "until"):
        return
    name = step.argv[0].text
    if not name or "/" in name or name in BUILTINS or python_name(name):
        return
    if command.pipeline != (0, 1) or command.connector in ("&&", "||"):
        return
    if any(c.loop and c.name in ("break", "exit", "return", "exec") for c in script.commands):
        return
    if image.provides_program(name) is not False:
        return
    yield StartFault(
        kind="program",
        message=(
            f"the loop waits until `{name}` succeeds, which the image does not have "
            f"(`{name}: not found`): the server is never started"
        ),
        at=step.argv[0].at,
        related=((service.command_at, "started here"),) if service.command_at else (),
        certain=False,
        stage=Stage.REACHABLE,
        evidence=(("program", name),),
    )


def _own_script(
    service: Service,
    found: Interpretation,
    view: View,
    depth: int,
    preludes: list[Interpretation],
    *,
    later: bool,
) -> Iterator[StartFault]:
    """A script that is run by its path."""
    name, cwd = found.argv[0].text, found.cwd
    if "/" not in name or not isinstance(cwd, str):
        return
    path = posixpath.normpath(posixpath.join(cwd, name))
    if view.repo_file(path) is None or path.endswith(".py"):
        return
    text = view.text(path)
    if text is None or not text.text.startswith("#!") or "sh" not in text.text.split("\n", 1)[0]:
        return
    nested = view.script(path)
    if nested is not None:
        args = tuple(arg.value for arg in found.argv[1:])
        yield from _walk(
            service, nested, view, found.env, cwd, depth + 1, preludes, args, later=later
        )


def _script(
    service: Service,
    fact: ShellRun,
    view: View,
    env: Env,
    cwd: Value,
    depth: int,
    preludes: list[Interpretation],
    *,
    fatal: bool,
    later: bool,
) -> Iterator[StartFault]:
    """``sh start.sh``: whether the file is there, and can be read by a shell."""
    assert fact.script is not None
    name = str(fact.script.value)
    if not isinstance(cwd, str) or not fatal:
        return
    path = posixpath.normpath(posixpath.join(cwd, name))
    seen = view.look(path)
    on_path = service.image is not None and service.image.provides_program(name) is not False
    if seen.answer == "no" and str(fact.shell).endswith("bash") and "/" not in name and on_path:
        return  # bash looks for a script on PATH as well
    if seen.answer == "no":
        if not path.startswith(SYSTEM):
            yield StartFault(
                kind="script",
                message=(
                    f"`{name}` is not in the image (working directory {cwd}): "
                    f"`{fact.shell}: cannot open {name}: No such file`"
                ),
                at=fact.script.at,
                related=((seen.at, seen.reason or "this decides what is there"),)
                if seen.at
                else (),
                evidence=(("path", path),),
            )
        return
    text = view.text(path)
    if text is None:
        return
    lines = text.text.split("\n")
    if len(lines) > 2 and all(line.endswith("\r") for line in lines[:-1]):
        if not _mended(service, posixpath.basename(path)):
            yield StartFault(
                kind="crlf",
                message=(
                    f"`{seen.repo}` has Windows line ends: the shell takes every carriage return for "
                    "a part of the word before it (`set: Illegal option -`, `not found`)"
                ),
                at=text.at(1),
                related=((fact.script.at, "started here"),),
                certain=False,
            )
        return
    nested = view.script(path)
    if nested is not None:
        args = tuple(arg.value for arg in fact.args)
        yield from _walk(service, nested, view, env, cwd, depth + 1, preludes, args, later=later)


def before(script: Script, view: View, env: Env, cwd: Value) -> None:
    """Tell the view what the start scripts make before the server runs."""
    _before(script, view, env, cwd, 0)


def _before(script: Script, view: View, env: Env, cwd: Value, depth: int) -> None:
    from auditor.deployment import made

    if depth > 4:
        return
    for what in interpret_script(script, env=env, cwd=cwd):
        fact = what.fact
        if isinstance(fact, ServerStart):
            return  # nothing after it is there when it starts
        where = what.cwd if isinstance(what.cwd, str) else "/"
        if isinstance(fact, PythonRun):
            if script.exec_form and depth == 0:
                return  # the service itself
            result = made.run(fact, view, what.env, what.cwd)
            if result.followed:
                view.prepared(result)
            else:
                view.may_prepare(("/",), "a program that runs before may make it")
        elif isinstance(fact, ShellRun) and fact.program is None and fact.script is not None:
            name = fact.script.value
            nested = view.script(posixpath.join(where, name)) if isinstance(name, str) else None
            if nested is not None:
                _before(nested, view, what.env, what.cwd, depth + 1)
        elif isinstance(fact, Other) and fact.argv and "/" in fact.argv[0].text:
            nested = view.script(posixpath.join(where, fact.argv[0].text))
            if nested is not None and not fact.argv[0].text.endswith(".py"):
                _before(nested, view, what.env, what.cwd, depth + 1)
        elif isinstance(fact, Download) or (
            isinstance(fact, Other) and fact.program not in BUILTINS | SHORT
        ):
            view.may_prepare(("/",), f"`{what.argv[0].text}` may bring it at the start")
        elif isinstance(fact, FileOp) and fact.target is not None:
            target = fact.target.value
            if isinstance(target, str):
                made_at = posixpath.normpath(posixpath.join(where, target))
                view.may_prepare((made_at,), f"`{what.argv[0].text}` makes it at the start")
        elif isinstance(fact, FileOp) and fact.op == "mkdir":
            for source in fact.sources:
                if isinstance(source.value, str):
                    place = posixpath.normpath(posixpath.join(where, source.value))
                    view.may_prepare((place,), "`mkdir` makes it at the start")
