"""Instructions of a Dockerfile that stop the build: what they ask for is not there at that point."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment import managers, projectsteps, runsteps, systempython
from auditor.deployment.accounts import known_account, makes_account
from auditor.deployment.commands import Ran, ran
from auditor.deployment.runsteps import stop
from auditor.deployment.shellfaults import refuses_pipefail
from auditor.linking import distributions
from auditor.parsers.commands import FileOp, PipInstall, SystemInstall
from auditor.parsers.dockerfile import Copy, Workdir
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Service, StartFault
    from auditor.deployment.view import View

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# Programs that every Debian has in /bin or /usr/bin, and that Dockerfiles call by name.
_SYSTEM = frozenset(
    """
    apt apt-get cat chmod chown cp curl find git grep groupadd ln ls mkdir mv rm sed sh tar touch
    useradd usermod wget which
    """.split()  # noqa: SIM905
)
# Packages that slim images have: asking for them again needs no list of packages.
_PRESENT = frozenset(["ca-certificates", "netbase", "tzdata", "bash", "coreutils", "adduser"])
_LISTS = "/var/lib/apt/lists"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})


def faults(service: Service, view: View) -> Iterator[StartFault]:
    """Why the image of this service cannot be built, as far as single instructions show it."""
    image = service.image
    if image is None or image.base is None or image.base.flavour is None or image.base_is_local:
        return
    commands = list(ran(image.image))
    for found in (
        _empty_workdir(image),
        _exposed(image),
        _owners(image, commands),
        _archived(image, commands),
        _package_lists(image, commands),
        _lost_path(commands),
        _no_environment(image, commands, view),
        _pipefail(image, commands),
        runsteps.faults(image, commands, view),
        _missing_data(image, view),
        _nowhere_to_look(commands, view),
        _missing_modules(image, commands, view),
        systempython.faults(image, commands),
        projectsteps.faults(service, image, commands, view),
    ):
        yield from found


def _empty_workdir(image: BuiltImage) -> Iterator[StartFault]:
    """WORKDIR of a variable that has no value in this stage."""
    declared = {p.name: p.at for a in image.dockerfile.global_args for p in a.pairs}
    for instruction, state in image.image.trace:
        if not isinstance(instruction, Workdir):
            continue
        named = _VARIABLE.fullmatch(instruction.path.text)
        name = (named.group(1) or named.group(2)) if named else None
        if name is None or state.env.get(name, "") != "":
            continue
        before = declared.get(name)
        yield stop(
            instruction.path.at,
            f"`{instruction.path.text}` is empty"
            + (
                ", since an ARG before the first FROM is known to FROM only"
                if before is not None
                else ""
            )
            + " (`cannot normalize nothing`)",
            *([(before, "declared here, before FROM")] if before is not None else ()),
        )


def _exposed(image: BuiltImage) -> Iterator[StartFault]:
    """EXPOSE of something that is no port: a comment in its line, a host's port."""
    for item in image.image.exposed:
        if item.first is None and isinstance(item.text, str):
            yield stop(
                item.at,
                f"`{item.text}` is no port (`invalid containerPort: {item.text}`)"
                + (": a comment needs a line of its own" if item.text.startswith("#") else ""),
            )
            return


def _owners(image: BuiltImage, commands: list[Ran]) -> Iterator[StartFault]:
    """COPY --chown to an account that is made later, or never."""
    flavour = image.base.flavour if image.base is not None else None
    for step in image.image.copies:
        owner = step.owner if step.instruction.chown is not None else None
        if not isinstance(step.instruction, Copy) or not isinstance(owner, str):
            continue
        user = owner.partition(":")[0]
        if not user or user.isdigit() or known_account(user, flavour):
            continue
        before = [c for c in commands if _earlier(c, step.stage, step.at)]
        if any(makes_account(command, user) for command in before):
            continue
        if any(c.origin != "context" and "/etc" in str(c.destination) for c in image.image.copies):
            continue
        later = next((c for c in commands if makes_account(c, user)), None)
        yield stop(
            step.at,
            f"no account `{user}` is there yet, and --chown needs one",
            *([(later.step.at, "it is made here, too late")] if later is not None else ()),
        )


def _earlier(command: Ran, stage: int, at: Location) -> bool:
    return command.step.stage < stage or command.step.at.line < at.line


def _archived(image: BuiltImage, commands: list[Ran]) -> Iterator[StartFault]:
    """``apt-get update`` on a release that has left the mirrors which the image names."""
    release = image.base.archived if image.base is not None else None
    if release is None or any("/etc/apt" in str(c.destination) for c in image.image.copies):
        return
    for command in commands:
        fact, text = command.what.fact, command.step.command.text.text
        if "archive" in text or "sources.list" in text or "old-releases" in text:
            return  # it is told of another place
        if not isinstance(fact, SystemInstall) or fact.manager != "apt" or "||" in text:
            continue
        if fact.action == "update" or fact.updates_lists or fact.action == "install":
            where = (
                "archive.debian.org"
                if image.base and image.base.distro == "debian"
                else ("old-releases.ubuntu.com")
            )
            yield stop(
                fact.at,
                f"{release} has left the mirrors that this image names (its packages are on {where} "
                f"now), so `apt-get update` fails: `The repository … {release} Release does not have a "
                "Release file`",
                (image.image.base.at, "the release is chosen here"),
            )
            return


def _package_lists(image: BuiltImage, commands: list[Ran]) -> Iterator[StartFault]:
    """``apt-get install`` where no list of packages is there: official images come without."""
    base = image.base
    if base is None or not base.official_python or base.flavour != "slim" or image.opaque_system:
        return
    lists = False
    for command in commands:
        fact = command.what.fact
        if command.step.mounts:
            return
        words = [a.text for a in command.what.argv]
        if isinstance(fact, SystemInstall) and fact.manager == "apt":
            if fact.action == "update" or fact.updates_lists:
                lists = True
            elif fact.action == "install" and not lists and not fact.files:
                wanted = [p for p in fact.packages if p.name not in _PRESENT]
                if wanted:
                    yield stop(
                        fact.at,
                        f"no `apt-get update` ran before, and {base.text} comes without lists of "
                        f"packages (`E: Unable to locate package {wanted[0].name}`)",
                    )
                    return
        elif isinstance(fact, FileOp) and fact.op == "rm":
            if any(word.startswith(_LISTS) for word in words):
                lists = False
        elif words and (
            "/" in words[0]
            or words[0] in _SHELLS
            or any(word.endswith(".sh") for word in words[:2])
        ):
            return  # a script that was not read (`curl … | bash -`) may fetch them


def _lost_path(commands: list[Ran]) -> Iterator[StartFault]:
    """ENV PATH without the system's own directories."""
    for command in commands:
        path = command.what.env.get("PATH")
        program = command.what.argv[0] if command.what.argv else None
        if not isinstance(path, str) or not path or "$" in path or program is None:
            continue
        if {"/bin", "/usr/bin"} & {part.rstrip("/") for part in path.split(":")}:
            continue
        if program.text in _SYSTEM:
            yield stop(
                program.at,
                f"PATH is `{path}` and nothing else, so the shell finds no `{program.text}` "
                f"(`{program.text}: not found`): keep `:$PATH`",
            )
            return


def _no_environment(image: BuiltImage, commands: list[Ran], view: View) -> Iterator[StartFault]:
    """``uv pip install`` asks for a virtual environment, and there is none."""
    if image.base is None or not image.base.official_python:
        return
    for command in commands:
        cwd = command.what.cwd
        if not managers.lacks_environment(command, commands) or not isinstance(cwd, str):
            continue
        if view.look(posixpath.join(cwd, ".venv")).answer == "yes":
            continue
        before = [c for c in commands[: commands.index(command)] if c.step is not command.step]
        if any("venv" in c.step.command.text.text for c in before) or any(
            copy.origin != "context" for copy in image.image.copies
        ):
            continue
        yield stop(
            command.what.fact.at,
            "`uv pip` installs into a virtual environment, and none was made (`error: No virtual "
            "environment found`): say `--system`, or run `uv venv` before",
        )
        return


def _pipefail(image: BuiltImage, commands: list[Ran]) -> Iterator[StartFault]:
    """``RUN set -o pipefail`` without a SHELL that knows it."""
    for command in commands:
        shell = command.step.state.shell
        if posixpath.basename(shell[0] if shell else "") != "sh" or command.step.heredocs:
            continue
        if command.step.command.form == "shell" and refuses_pipefail(image, command.what.argv):
            yield stop(
                command.what.argv[0].at,
                "`pipefail` is an option of bash, and RUN uses the plain `sh` of the image (`set: "
                'Illegal option -o pipefail`): say `SHELL ["/bin/bash", "-c"]`',
            )
            return


def _missing_data(image: BuiltImage, view: View) -> Iterator[StartFault]:
    """A script that a RUN executes reads a file that is not in the image then."""
    steps = {step.at: step for step in image.image.runs}
    for at, runs in view.made_by_build().items():
        step = steps.get(at)
        if step is None or step.mounts or "||" in step.command.text.text:
            continue
        for path, where in (read for made in runs for read in made.reads):
            seen = view.look(path)
            # Only this RUN may have made it, and all that it does was followed.
            itself = (
                seen.answer == "unknown"
                and seen.at is not None
                and all(
                    made.followed and step.at.line <= seen.at.line <= step.at.end_line
                    for made in runs
                )
            )
            absent = seen.answer == "no" and seen.at is None
            if seen.mounted or not (itself or absent) or view.by_hand(path):
                continue
            if any(path in made.paths for one in view.made_by_build().values() for made in one):
                continue
            yield stop(
                where,
                f"this RUN reads {path}, which is not in the image (`FileNotFoundError: [Errno 2] No "
                f"such file or directory: '{path}'`)",
                (at, "run here, while the image is built"),
            )
            return


def _nowhere_to_look(commands: list[Ran], view: View) -> Iterator[StartFault]:
    """``pip install --no-index --find-links`` of a directory that holds nothing."""
    for command in commands:
        fact, cwd = command.what.fact, command.what.cwd
        if not isinstance(fact, PipInstall) or not fact.no_index or command.step.mounts:
            continue
        links = [option.value for option in fact.index_urls if option.name == "find_links"]
        if len(links) != 1 or not fact.requirements or not isinstance(cwd, str):
            continue
        if not isinstance(links[0], str) or "://" in links[0]:
            continue
        folder = posixpath.normpath(posixpath.join(cwd, links[0]))
        if any(c.what.argv and c.what.argv[0].text in ("rm", "mv", "find") for c in commands):
            continue  # what was there may be gone since
        seen = view.look(folder)
        if (seen.answer == "no" and seen.at is None) or view.listing(folder) == ():
            yield stop(
                fact.at,
                f"pip may look nowhere but in {folder}, and nothing is there at this point: `ERROR: No "
                "matching distribution found`",
            )
            return


def _missing_modules(image: BuiltImage, commands: list[Ran], view: View) -> Iterator[StartFault]:
    """A script that a RUN executes imports what is not installed."""
    environment = image.environment
    installed = environment.installed if environment is not None else None
    base = image.base
    if environment is None or installed is None or base is None or not base.official_python:
        return
    steps = {step.at: step for step in image.image.runs}
    brings = [c.step.at.line for c in commands if isinstance(c.what.fact, PipInstall)]
    foreign = any(copy.origin != "context" for copy in image.image.copies)
    for at, runs in view.made_by_build().items():
        step = steps.get(at)
        if step is None or step.mounts or "||" in step.command.text.text:
            continue
        for module, where in (item for made in runs for item in made.imports):
            top = module.partition(".")[0]
            if distributions.is_stdlib(top) or _of_project(top, commands, at, view):
                continue
            # Nothing but the base image's own packages is there before the first installation.
            bare = not foreign and not any(line <= at.line for line in brings)
            own = (
                ("pip", "setuptools", "wheel", "pkg_resources") if base.has_setuptools else ("pip",)
            )
            if (bare and top not in own) or installed.provides(module).answer in (
                "no",
                "likely-no",
            ):
                yield stop(
                    where,
                    f"this RUN imports `{top}`, and nothing that was installed brings it "
                    f"(`ModuleNotFoundError: No module named '{top}'`)",
                    (at, "run here, while the image is built"),
                )
                return


def _of_project(top: str, commands: list[Ran], at: Location, view: View) -> bool:
    """Whether a project of the repository that was installed before has a module of this name."""
    for command in commands:
        fact, cwd = command.what.fact, command.what.cwd
        if not isinstance(fact, PipInstall) or command.step.at.line >= at.line:
            continue
        named = [arg.value for arg in (*fact.local_paths, *fact.editable)]
        if fact.action == "sync" and not fact.no_root:
            named.append(".")
        for path in named:
            if not isinstance(path, str) or not isinstance(cwd, str):
                return True  # nobody can tell which project that is
            folder = posixpath.normpath(posixpath.join(cwd, path.partition("[")[0]))
            places = (posixpath.join(folder, part) for part in (top, f"{top}.py", f"src/{top}"))
            if any(view.look(place).answer != "no" for place in places):
                return True
    return False
