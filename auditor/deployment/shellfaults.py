"""What a shell refuses in a script: arrays in dash, tests that never hold, unset names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.commands import ran
from auditor.deployment.model import Service, StartFault, Value
from auditor.deployment.shellnames import KNOWN_RELEASES, makes_programs, python_name
from auditor.parsers import shell
from auditor.parsers.branches import foreign_to_dash
from auditor.parsers.commands import Other, ShellRun
from auditor.parsers.shell.expansion import Parameter
from auditor.parsers.shell.facts import Arg, Script, Step
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage
    from auditor.parsers.commands import MainProcess


def of_the_system(image: BuiltImage, interpreter: str) -> bool:
    """Debian's own Python, which the slim images lack: theirs is below /usr/local."""
    return (
        interpreter.startswith("/usr/bin/")
        and image.base is not None
        and image.base.official_python
        and image.base.flavour in ("slim", "alpine")
        and not image.system_packages  # which may bring it
        and not image.opaque_system
        and all(step.origin == "context" for step in image.image.copies)
    )


def array_in_dash(service: Service, at: Location) -> StartFault:
    """Arrays are bash's own: dash stops at the parenthesis."""
    return StartFault(
        kind="program",
        message=(
            "arrays are bash's, and this script is run by the plain `sh` of the image: "
            '`Syntax error: "(" unexpected`, and the script stops'
        ),
        at=at,
        related=((service.command_at, "started here"),) if service.command_at else (),
    )


def unknown_test(word: str, at: Location, *, never: bool = False) -> StartFault:
    """``==`` or ``[[`` where dash runs the text."""
    says = "[: unexpected operator" if word == "==" else "[[: not found"
    ends = (
        "the condition never holds, and nothing is started after it"
        if never
        else "the script stops (`set -e`)"
    )
    return StartFault(
        kind="program",
        message=(
            f"`{word}` is bash's, and this text is run by the plain `sh` of the image: `{says}`, and {ends}"
        ),
        at=at,
    )


def never_true(
    script: Script,
    processes: Sequence[MainProcess],
    read_script: Callable[[str, Value], Script | None],
    cwd: Value,
) -> list[StartFault]:
    """Nothing is started, and dash does not know what a condition on the way asks."""
    if any(not isinstance(p.interpretation.fact, Other | ShellRun) for p in processes):
        return []
    scripts = [script]
    for command in script.commands[:1] if script.exec_form else ():
        words = [word.literal or "" for word in command.words]
        program = posixpath.basename(words[0])
        path = words[1] if program in ("sh", "dash", "bash") and len(words) > 1 else words[0]
        nested = read_script(path, cwd) if path and not path.startswith("-") else None
        if nested is not None:
            scripts.append(shell.run_by(nested, program if path != words[0] else ""))
    return [
        unknown_test(unknown, command.words[0].at, never=True)
        for item in scripts
        if item.dash
        for command in item.commands
        if (unknown := foreign_to_dash(command))
    ][:1]


def refuses_pipefail(image: BuiltImage, argv: Sequence[Arg]) -> bool:
    """``set -o pipefail``, which the `sh` of Debian knows from trixie on."""
    words = [arg.text for arg in argv]
    release = image.base.release if image.base is not None else None
    return words[:1] == ["set"] and "pipefail" in words and release in ("bullseye", "bookworm")


def pipefail_in_dash(service: Service, at: Location) -> StartFault:
    """`set -o pipefail` is refused by the dash of older Debian releases."""
    return StartFault(
        kind="program",
        message=(
            "`pipefail` is an option of bash, and this script is run by the plain `sh` of the image: "
            "`set: Illegal option -o pipefail`, and the script stops"
        ),
        at=at,
        related=((service.command_at, "started here"),) if service.command_at else (),
    )


def misplaced(image: BuiltImage, argv: Sequence[Arg]) -> Iterator[StartFault]:
    """A program that pip installs, named in a directory where pip does not put it."""
    first = argv[0] if argv else None
    folder, name = posixpath.split(first.text) if first is not None else ("", "")
    installed = image.environment.installed if image.environment is not None else None
    if first is None or folder not in ("/usr/bin", "/bin") or installed is None:
        return
    base = image.base
    if base is None or not base.official_python or base.flavour not in ("slim", "alpine"):
        return
    if python_name(name):
        linked = makes_programs(image, ran(image.image))
        if of_the_system(image, first.text) and not linked:
            yield StartFault(
                kind="program",
                message=f"`{first.text}` is not in the image: its Python is in /usr/local/bin",
                at=first.at,
                certain=False,
                evidence=(("program", first.text),),
            )
        return
    if makes_programs(image, ran(image.image)):
        return
    if not installed.has(name):
        copied = {str(step.destination).rstrip("/") for step in image.image.copies}
        if image.provides_program(name) is False and not copied & {first.text, folder}:
            yield StartFault(
                kind="program",
                message=(
                    f"`{first.text}` is not in the image: neither the base nor a package that is "
                    "installed brings it"
                ),
                at=first.at,
                certain=False,
                evidence=(("program", first.text),),
            )
        return
    if image.system_packages:
        return
    yield StartFault(
        kind="program",
        message=f"`{first.text}` is not in the image: pip puts `{name}` into /usr/local/bin",
        at=first.at,
        certain=False,
        evidence=(("program", first.text),),
    )


# Built-ins of bash that dash, the `sh` of Debian, does not have.
BASH_ONLY = frozenset({"source", "declare", "typeset", "shopt", "pushd", "popd", "mapfile", "let"})
# Variables that a shell sets by itself.
_SHELL_VARIABLES = frozenset(
    """
    HOME PATH PWD OLDPWD HOSTNAME SHLVL IFS PPID UID EUID RANDOM SECONDS LINENO OPTIND OPTARG PS1 PS4
    BASH BASH_VERSION BASH_SOURCE FUNCNAME HOSTTYPE OSTYPE MACHTYPE PIPESTATUS GROUPS TERM LANG
    """.split()  # noqa: SIM905
)


def is_dash(service: Service, script: Script) -> bool:
    """The script is run by Debian's `sh`."""
    base = service.image.base if service.image is not None else None
    interpreter = script.interpreter
    if base is None or base.release not in KNOWN_RELEASES or interpreter is None:
        return False
    return posixpath.basename(interpreter.path) in ("sh", "dash")


def sets_more(step: Step) -> bool:
    """After it the shell may know variables that are seen nowhere."""
    name = step.command.name
    if name in ("export", "declare"):
        return any(arg.pieces or arg.globs for arg in step.argv[1:])
    flags = step.argv[1].text if name == "set" and len(step.argv) > 1 else ""
    return name in ("source", ".", "eval", "read") or (flags[:1] == "-" and "a" in flags)


def unset_variables(service: Service, step: Step) -> Iterator[StartFault]:
    """Under ``set -u`` a variable is used that nothing sets."""
    command = step.command
    if not command.nounset or "*" in step.env:
        return
    for word in (*command.words, *(a.value for a in command.assignments if a.value is not None)):
        for part in word.parts:
            if not isinstance(part, Parameter) or part.operator:
                continue
            name = part.name
            if name.isdigit() and step.args is not None and int(name) > len(step.args):
                yield _no_argument(service, name, word.at)
                return
            if not name.isidentifier():
                continue
            if step.env.get(name) is not None or name in _SHELL_VARIABLES:
                continue
            yield StartFault(
                kind="variable",
                message=(
                    f"`{name}` is used under `set -u`, and nothing sets it: "
                    f"`{name}: unbound variable`, and the script stops"
                ),
                at=word.at,
                related=((service.command_at, "started here"),) if service.command_at else (),
                certain=service.variables_complete,
                possible=service.may_be_set(name),
                evidence=(("variable", name),),
            )
            return


def _no_argument(service: Service, number: str, at: Location) -> StartFault:
    """``$1`` under ``set -u``, and the script is given fewer words."""
    return StartFault(
        kind="arguments",
        message=(
            f"`${number}` is used under `set -u`, and the script is started without that word: "
            f"`{number}: parameter not set`, and the script stops"
        ),
        at=at,
        related=((service.command_at, "started here"),) if service.command_at else (),
    )


def required_variables(service: Service, step: Step) -> Iterator[StartFault]:
    """``${NAME:?message}`` of a variable that nothing sets."""
    command = step.command
    if "*" in step.env:
        return
    for word in (*command.words, *(a.value for a in command.assignments if a.value is not None)):
        for part in word.parts:
            if not isinstance(part, Parameter) or part.operator not in (":?", "?"):
                continue
            if step.env.get(part.name) is not None or not part.name.isidentifier():
                continue
            yield StartFault(
                kind="variable",
                message=(
                    f"`{part.name}` is required, and nothing sets it: the script stops "
                    f"(`{part.name}: parameter not set`, or its own message)"
                ),
                at=word.at,
                related=((service.command_at, "started here"),) if service.command_at else (),
                certain=service.variables_complete,
                possible=service.may_be_set(part.name),
                evidence=(("variable", part.name),),
            )
            return
