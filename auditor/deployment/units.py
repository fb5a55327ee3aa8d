"""Units of systemd: a machine that runs the repository's sources from a directory of its own."""

from __future__ import annotations

import posixpath
import shlex
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.model import Sealed, Service, StartFault, Variable
from auditor.findings import Stage
from auditor.parsers.commands import ServerStart
from auditor.source import Location, SourceText, Unknown
from auditor.values import replace, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.deployment.facts import Facts
    from auditor.parsers.systemd import Command, Unit

_MAX_SIZE = 100_000
# What is judged: Python, its servers, and scripts that may lead to one.
_PYTHON = re.compile(r"python[\d.]*|pypy[\d.]*|.*\.(?:py|sh)")
_PROGRAMS = frozenset(
    """
    gunicorn uvicorn hypercorn daphne granian waitress-serve flask fastapi streamlit uwsgi celery rq
    dramatiq arq bentoml mlflow serve uv poetry pipenv sh bash dash
    """.split()  # noqa: SIM905
)
# Servers that never tell systemd that they are ready (``NOTIFY_SOCKET``); gunicorn does.
_SILENT = frozenset({"uvicorn", "hypercorn", "daphne", "waitress", "granian", "streamlit"})
_TELLS = re.compile(r"sd_notify|sdnotify|NOTIFY_SOCKET|systemd\.daemon|cysystemd")
_BUILTINS = frozenset({"cd", "source", ".", "export", "set", "exec", "eval"})


@value
class Placed:
    """Where the repository lies on the machine: ``base``, with the unit's directory ``inside`` it."""

    base: str
    inside: str


def units(facts: Facts) -> Iterator[Unit]:
    """The units that start something of this repository, as far as their text tells."""
    from auditor.discovery import FileKind
    from auditor.parsers import systemd

    if not any(True for _ in facts.repository.of_kind(FileKind.PYTHON)):
        return
    for entry in facts.repository.of_kind(FileKind.SYSTEMD):
        text = facts.read(entry.path) if not entry.is_dev and entry.size <= _MAX_SIZE else None
        if text is None:
            continue
        unit = systemd.parse(text)
        if unit.start is None or unit.templated or not unit.start.words:
            if unit.refusals and not unit.templated and _ours(_first_start(unit)):
                yield unit
            continue
        program = posixpath.basename(unit.start.words[0].text)
        if _ours(program) or program in _BUILTINS:
            yield unit


def _ours(program: str) -> bool:
    return program in _PROGRAMS or _PYTHON.fullmatch(program) is not None


def _first_start(unit: Unit) -> str:
    """The program of an ``ExecStart`` in a section that systemd does not know."""
    line = next((line for line in unit.lines if line.key == "ExecStart" and line.text), None)
    return posixpath.basename(line.text.split()[0]) if line is not None else ""


def placed(facts: Facts, unit: Unit) -> Placed:
    """Where the repository lies: a file that the command names, or the unit's directory, tell it."""
    repository = facts.repository
    for word in unit.start.words[1:] if unit.start is not None else ():
        base = _above(word.text, repository.is_file) if word.text.startswith("/") else None
        if base is not None:
            inside = (
                unit.directory[len(base) + 1 :]
                if f"{unit.directory}/".startswith(f"{base}/")
                else ""
            )
            return Placed(base=base, inside=inside if repository.is_dir(inside) else "")
    base = _above(unit.directory, repository.is_dir)
    if base is not None:
        return Placed(base=base, inside=unit.directory[len(base) + 1 :])
    return Placed(base=unit.directory or "/srv/app", inside="")


def _above(path: str, there: Callable[[str], bool]) -> str | None:
    """The directory below which the longest end of the path is one of the repository's."""
    parts = [part for part in path.split("/") if part]
    for count in range(len(parts) - 1, 0, -1):
        if there("/".join(parts[-count:])):
            return "/" + "/".join(parts[:-count])
    return None


def recipe(facts: Facts, unit: Unit, where: Placed, python: str) -> SourceText | None:
    """A Dockerfile for the machine; None where the repository does not say what is installed."""
    candidates = [posixpath.join(where.inside, "requirements.txt"), "requirements.txt"]
    listed = next((path for path in candidates if facts.read(path) is not None), None)
    if listed is None:
        return None
    tag = f":{python}" if python else ""
    lines = [f"FROM python{tag}", f"WORKDIR {where.base}", "COPY . ."]
    place = _environment(unit)
    if place is not None:
        lines.append(f"RUN python -m venv {place}")
    lines += [
        f"RUN {place}/bin/pip install -r {listed}" if place else f"RUN pip install -r {listed}",
        f"WORKDIR {unit.directory or where.base}",
    ]
    at = unit.at.line
    return SourceText(unit.path, "\n" * max(at - len(lines), 0) + "\n".join(lines) + "\n")


_IN_ENVIRONMENT = re.compile(r"(?:^|[\s'\"=:;&(])((?:\.{0,2}/)?[\w./+-]*?)/bin/[\w.-]+")
_SYSTEM = ("", "/", "/usr", "/usr/local", "/snap")


def _environment(unit: Unit) -> str | None:
    """The directory of the Python environment that the command names."""
    for word in unit.start.words if unit.start is not None else ():
        for match in _IN_ENVIRONMENT.finditer(word.text):
            path = posixpath.normpath(posixpath.join(unit.directory or "/", match.group(1)))
            if path not in _SYSTEM and not path.startswith(("/opt/homebrew", "/usr/")):
                return path
    return None


def variables(facts: Facts, unit: Unit, where: Placed) -> list[Variable]:
    """What systemd sets, the unit's own, and those of its files, which win."""
    from auditor.parsers import systemd

    found = [
        Variable(name=name, value=text, at=at, source="platform")
        for name, text, at in unit.environment
    ]
    for file in unit.files:
        text = facts.read(path) if (path := _in_repository(file.path, where)) is not None else None
        if text is None:
            reason = Unknown(f"{file.path} is not in the repository")
            found.append(Variable(name="*", value=reason, at=file.at, source="env-file"))
            continue
        found += [
            Variable(name=name, value=held, at=at, source="env-file")
            for name, held, at in systemd.environment_file(text)
        ]
    return found


def _in_repository(path: str, where: Placed) -> str | None:
    base = where.base.rstrip("/")
    return path[len(base) + 1 :] if path.startswith(f"{base}/") else None


def command(unit: Unit, known: list[Variable]) -> tuple[tuple[str, Location], ...] | None:
    """The words that the process gets; a shell's where a variable of them is not seen."""
    from auditor.parsers import systemd

    if unit.start is None:
        return None
    env: dict[str, str | Unknown | None] = {v.name: v.value for v in known}
    words = systemd.expand(unit.start, env)
    if not words:
        return None
    at = words[0][1]
    if all(isinstance(word, str) for word, _ in words):
        return tuple((str(word), place) for word, place in words)
    line = " ".join(
        shlex.quote(word) if isinstance(word, str) else _shell_word(unit.start, n)
        for n, (word, _) in enumerate(words)
    )
    return (("sh", at), ("-c", at), (f"exec {line}", at))


def _shell_word(start: Command, number: int) -> str:
    """A word with a variable that is not seen, as a shell would read it."""
    text = start.words[number].text if number < len(start.words) else "$UNSEEN"
    return text if text.startswith("$") and text[1:2] != "{" else f'"{text}"'


def sealed(unit: Unit) -> tuple[Sealed, ...]:
    """What the unit's sandbox makes read-only."""
    return tuple(
        Sealed(at=item.at, because=item.because, paths=item.paths, writable=item.writable)
        for item in unit.sealed
    )


def faults(facts: Facts, unit: Unit, where: Placed) -> list[StartFault]:
    """What keeps systemd from starting the process at all."""
    found = [
        StartFault(kind="unit", message=refusal.message, at=refusal.at) for refusal in unit.refusals
    ]
    found += _hidden(unit)
    found += _looked_up(unit)
    for file in unit.files:
        path = _in_repository(file.path, where)
        if file.optional or (path is not None and facts.repository.exists(path)):
            continue
        found.append(
            StartFault(
                kind="env-file",
                message=(
                    f"`EnvironmentFile={file.path}` is made by nothing in the repository: until somebody "
                    "puts it there, systemd answers `Failed to load environment files: No such file "
                    "or directory` (a `-` before the path makes it optional)"
                ),
                at=file.at,
                certain=False,
                possible=True,
            )
        )
    return found


def _hidden(unit: Unit) -> Iterator[StartFault]:
    program = unit.start.words[0].text if unit.start is not None else ""
    for path, at in unit.hidden:
        for text, says in (
            (unit.directory, "Changing to the requested working directory failed"),
            (program, f"Failed to locate executable {program}"),
        ):
            if text == path or text.startswith(f"{path.rstrip('/')}/"):
                yield StartFault(
                    kind="unit",
                    message=(
                        f"the unit closes {path} to the process, and `{text}` lies there: `{says}: "
                        "No such file or directory` (or `Permission denied`)"
                    ),
                    at=at,
                    related=((unit.directory_at or unit.at, "needed here"),),
                )
                return


def _looked_up(unit: Unit) -> Iterator[StartFault]:
    """A bare program's name is looked up in systemd's own path, not in the unit's ``PATH``."""
    if unit.start is None:
        return
    program = unit.start.words[0].text
    if program in _BUILTINS:
        yield StartFault(
            kind="unit",
            message=(
                f"`{program}` is a word of the shell, and systemd runs programs: `Failed to locate "
                f"executable {program}`"
            ),
            at=unit.at,
        )
        return
    path = next((text for name, text, _ in reversed(unit.environment) if name == "PATH"), "")
    first = path.split(":")[0]
    searched = any(line.key == "ExecSearchPath" for line in unit.lines)
    if "/" in program or not re.search(r"/[^/:]*env[^/:]*/bin$", first) or searched:
        return
    yield StartFault(
        kind="unit",
        message=(
            f"systemd looks `{program}` up in a path of its own, not in the `PATH` that the unit sets: "
            f"`Failed to locate executable {program}` (give `{first}/{program}`)"
        ),
        at=unit.at,
        certain=False,
    )


def judged(facts: Facts, service: Service, unit: Unit) -> Service:
    """The service with what its kind of unit and its account keep it from."""
    found = [
        _of_the_machine(fault)
        for fault in service.faults
        if unit.start is not None or fault.kind != "no-command"
    ]
    servers = [
        fact
        for process in service.processes
        if isinstance(fact := process.interpretation.fact, ServerStart)
    ]
    at = unit.type_at or unit.at
    found += _extra_words(service)
    if unit.type == "forking":
        found = [fault for fault in found if fault.kind != "daemon"]
    for fact in servers:
        daemon = fact.option("daemon") is not None or fact.option("daemonize") is not None
        if unit.type in ("notify", "notify-reload") and fact.kind in _SILENT and not _tells(facts):
            message = (
                f"`Type={unit.type}` waits until the process says that it is ready, and {fact.kind} never "
                "does: systemd stops it after `TimeoutStartSec` (90 s): `Failed with result 'timeout'`"
            )
        elif unit.type == "forking" and not daemon and fact.kind in (*_SILENT, "gunicorn"):
            message = (
                f"`Type=forking` waits until the process goes to the background, and {fact.kind} stays: "
                "systemd stops it after `TimeoutStartSec` (90 s): `Failed with result 'timeout'`"
            )
        else:
            continue
        related = ((fact.at, "started here"),)
        found.append(StartFault(kind="unit", message=message, at=at, related=related))
    account = unit.user.text if unit.user is not None else ""
    if (account not in ("", "root", "0") or unit.dynamic_user) and not unit.may_bind_low:
        found += [
            StartFault(
                kind="unit",
                message=(
                    f"{item.server} binds port {item.port} as {account or 'a user of its own'}, who may not "
                    "bind ports below 1024: `Permission denied` (`AmbientCapabilities="
                    "CAP_NET_BIND_SERVICE` allows it)"
                ),
                at=item.at,
                certain=False,
            )
            for item in service.listens
            if isinstance(item.port, int) and 0 < item.port < 1024
        ]
    return replace(service, faults=tuple(found))


_OPERATORS = frozenset({"&&", "||", "|", ">", ">>", "2>&1", "<", "&"})


def _extra_words(service: Service) -> Iterator[StartFault]:
    """``>`` and the like are words as any other, and uvicorn takes one application only."""
    words = service.argv or ()
    signs = [word for word in words if word in _OPERATORS]
    fact = service.processes[0].interpretation.fact if len(service.processes) == 1 else None
    if signs and words[0] != "sh" and isinstance(fact, ServerStart) and fact.kind == "uvicorn":
        yield StartFault(
            kind="arguments",
            message=(
                f"no shell reads the command, so uvicorn gets `{signs[0]}` as an argument: `Error: Got "
                "unexpected extra arguments`"
            ),
            at=service.command_at or service.at,
        )


def _tells(facts: Facts) -> bool:
    """Whether some code of the repository tells systemd that it is ready."""
    from auditor.discovery import FileKind

    for entry in facts.repository.of_kind(FileKind.PYTHON):
        text = facts.read(entry.path) if entry.size <= _MAX_SIZE else None
        if text is not None and _TELLS.search(text.text):
            return True
    return False


# What the machine has beside the repository, nobody sees from here.
_BY_HAND = frozenset({"program", "server-missing", "interpreter"})
_SAID = (
    ("is not in the image: the container cannot be started", "is not there: `status=203/EXEC`"),
    ("the exec form starts no shell, so nothing expands the variable",
     "inside a word systemd puts in only `${NAME}`, without a default"),
    ("which nothing installs in the image:", "which nothing in the repository installs:"),
    ("in the repository or by a chmod in the image: the container stops with `permission denied`",
     "and systemd answers `Permission denied` (`status=203/EXEC`)"),
    ("the container stops with", "the process ends with"),
    ("the container stops", "the process ends"),
    ("the container cannot be started", "it cannot be started"),
    ("the image does not have", "the repository does not bring"),
    ("the image does not install", "the repository does not install"),
    ("is not in the image", "is not in the repository"),
    ("and the container with it", "and the unit with it"),
)  # fmt: skip


def _of_the_machine(fault: StartFault) -> StartFault:
    """The fault in words of a machine; a program that is missing may be installed there by hand."""
    message = fault.message
    for container, machine in _SAID:
        message = message.replace(container, machine)
    by_hand = fault.kind in _BY_HAND
    return replace(fault, message=message, possible=fault.possible or by_hand)


def open_links(unit: Unit) -> list[tuple[Stage, str]]:
    """Commands before the start whose end is not known."""
    return [
        (
            Stage.STARTS,
            f"whether `{posixpath.basename(item.words[0].text)}` succeeds before the start",
        )
        for item in unit.before
        if not item.ignored
        and item.words
        and posixpath.basename(item.words[0].text)
        not in ("true", "mkdir", "sleep", "chown", "install", "test", "echo")
    ]
