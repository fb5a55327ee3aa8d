"""Commands of a RUN that fail where they stand, and with them the build."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.base import system_programs
from auditor.deployment.commands import Ran, fatal
from auditor.deployment.filesystem import Absent
from auditor.deployment.model import StartFault
from auditor.deployment.shellnames import makes_programs
from auditor.findings import Stage
from auditor.parsers.commands import FileOp, ShellRun, SystemInstall
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.deployment.model import BuiltImage
    from auditor.deployment.view import View
    from auditor.parsers.shell.facts import Command

# Programs that change what belongs to root alone, by the options that only ask.
_ACCOUNTS = frozenset(["useradd", "adduser", "groupadd", "addgroup", "usermod"])
# The one-letter options of the shadow suite (useradd 4.13, groupadd 4.13), with those of older ones.
_SHADOW = {
    "useradd": ("DFhlmMNorU", "bcdefgGkKpPRsuZ"),
    "groupadd": ("fhor", "gKpPRU"),
}
# One-letter options of BusyBox that Debian's adduser takes for the beginning of several long ones.
_BUSYBOX = frozenset("DSGHg")
# Debian and its kin.
_DEBIAN = frozenset(["debian", "ubuntu"])

# What `pip help` (releases 9 to 26) and the source of apt-get (2.6, 3.0) list.
_PIP = frozenset(
    [
        "install", "lock", "download", "uninstall", "freeze", "inspect", "list", "show", "check",
        "config", "search", "cache", "index", "wheel", "hash", "completion", "debug", "help",
    ]
)  # fmt: skip
_APT_GET = frozenset(
    [
        "update", "upgrade", "install", "reinstall", "remove", "purge", "autoremove",
        "auto-remove", "autopurge", "markauto", "unmarkauto", "dist-upgrade", "full-upgrade",
        "dselect-upgrade", "build-dep", "satisfy", "clean", "autoclean", "auto-clean", "distclean",
        "dist-clean", "check", "source", "download", "changelog", "indextargets", "moo", "help",
    ]
)  # fmt: skip


def stop(at: Location, message: str, *related: tuple[Location, str]) -> StartFault:
    """A fault that ends the build."""
    return StartFault(
        kind="build",
        message=f"the build stops here: {message}",
        at=at,
        related=related,
        certain=False,
        stage=Stage.BUILDS,
    )


def faults(image: BuiltImage, commands: Sequence[Ran], view: View) -> Iterator[StartFault]:
    """What the commands themselves refuse: no privileges, foreign options, what is there already."""
    base = image.base
    if base is None:
        return
    for index, command in enumerate(commands):
        if not fatal(commands, index):
            continue
        found = next(
            (
                fault
                for faults_of in (_privileges, _actions, _options, _asks, _directories)
                for fault in faults_of(command, base, view)
            ),
            None,
        )
        found = found or _program(image, commands, index) or _target(view, commands, index)
        if found is not None:
            yield found
            return


def _program(image: BuiltImage, commands: Sequence[Ran], index: int) -> StartFault | None:
    """A program that the image does not have."""
    first = commands[index].what.argv[:1]
    name = first[0].text if first else ""
    # Which of the small programs of a distribution an image has is not written down; these are.
    if name not in system_programs() or commands[index].step.mounts or image.is_dev:
        return None
    if image.provides_program(name) is not False:
        return None
    if any(c.function == name for c in _defined(commands[index])):
        return None
    if any(package.removed for package in image.system_packages):
        return None  # it may have been there at this point
    before = commands[:index]
    if makes_programs(image, before) or any(map(_pipes, before)):
        return None
    return stop(first[0].at, f"`{name}` is not in the image (`{name}: not found`)")


def _target(view: View, commands: Sequence[Ran], index: int) -> StartFault | None:
    """``mv file folder/`` where no such folder is."""
    command = commands[index]
    fact, cwd = command.what.fact, command.what.cwd
    target = fact.target if isinstance(fact, FileOp) and fact.op in ("mv", "cp") else None
    if target is None or not isinstance(target.value, str) or not isinstance(cwd, str):
        return None
    if not target.value.endswith("/") or target.globs or command.step.mounts:
        return None
    if any(c.step is command.step for c in commands[:index]):
        return None  # the same RUN may have made it
    path = posixpath.normpath(posixpath.join(cwd, target.value))
    found = view.image.image.fs.lookup_before(path, command.step.layers)
    stage = command.step.stage
    if not isinstance(found, Absent) or stage not in view.image.image.lineage:
        return None
    assert isinstance(fact, FileOp)
    return stop(
        target.at,
        f"{path} is not there (`{fact.op}: cannot move or copy to '{target.value}': Not a directory`)",
    )


def _defined(command: Ran) -> Sequence[Command]:
    from auditor.deployment.commands import script_of

    text = command.step.command
    return script_of(text, command.step.at.path).commands if text.form == "shell" else ()


def _pipes(command: Ran) -> bool:
    """``curl … | sh``: what that installs is not known."""
    fact = command.what.fact
    return isinstance(fact, ShellRun) and fact.script is None and fact.program is None


def _privileges(command: Ran, base: Base, view: View) -> Iterator[StartFault]:
    """What only root may do, after USER."""
    fact, user = command.what.fact, command.step.state.user
    if not isinstance(user, str) or user.partition(":")[0] in ("", "root", "0"):
        return
    if "sudo" in command.step.command.text.text or "su " in command.step.command.text.text:
        return
    if isinstance(fact, SystemInstall):
        name = fact.argv[0].text if fact.argv else fact.manager
        if fact.action == "clean" or command.step.mounts:
            return
        why = "Permission denied" if fact.manager != "apt" else "Could not open lock file"
    elif isinstance(fact, FileOp) and fact.op in _ACCOUNTS:
        name, why = fact.op, "Permission denied"
    else:
        return
    yield stop(
        fact.at,
        f"`{name}` needs root, and this RUN is run as `{user}` (`{why}`): move it above USER",
    )


def _actions(command: Ran, base: Base, view: View) -> Iterator[StartFault]:
    """``pip requirements.txt``, ``apt-get instal``: no such command."""
    words = list(command.what.argv)
    if [word.text for word in words[1:3]] == ["-m", "pip"]:
        del words[:2]
    name = posixpath.basename(words[0].text) if words else ""
    if len(words) < 2 or not isinstance(words[1].value, str):
        return
    asked = words[1].value
    if name in ("pip", "pip3"):
        if asked == "-r":
            yield stop(
                words[1].at, "pip has no option `-r` before its command (`no such option: -r`)"
            )
        elif not asked.startswith("-") and asked not in _PIP:
            told = f'ERROR: unknown command "{asked}"'
            yield stop(words[1].at, f"pip has no command `{asked}` (`{told}`)")
    elif name == "apt-get" and not asked.startswith("-") and asked not in _APT_GET:
        told = f"E: Invalid operation {asked}"
        yield stop(words[1].at, f"apt-get has no command `{asked}` (`{told}`)")


def _options(command: Ran, base: Base, view: View) -> Iterator[StartFault]:
    """Options that ``useradd`` and its like have on another system."""
    fact = command.what.fact
    if not isinstance(fact, FileOp) or base.distro not in _DEBIAN:
        return
    for arg in fact.argv[1:]:
        word = arg.text
        if not word.startswith("-") or word.startswith("--"):
            continue
        wrong = (
            next((c for c in word[1:] if c in _BUSYBOX), None)
            if fact.op in ("adduser", "addgroup") and len(word) == 2
            else _unknown_letter(word, *_SHADOW[fact.op])
            if fact.op in _SHADOW
            else None
        )
        if wrong is not None:
            yield stop(
                arg.at,
                f"`{fact.op}` of {base.text} knows no `-{wrong}`"
                + (
                    ", which is an option of Alpine's"
                    if fact.op in ("adduser", "addgroup") or wrong in "DSH"
                    else ""
                ),
            )
            return


def _unknown_letter(word: str, switches: str, values: str) -> str | None:
    """The first letter of ``-rms`` that is no option."""
    for letter in word[1:]:
        if letter in values:
            return None
        if letter not in switches:
            return letter
    return None


def _asks(command: Ran, base: Base, view: View) -> Iterator[StartFault]:
    """``apt-get install`` without ``-y``, of what brings further packages along."""
    from auditor.linking import sonames

    fact = command.what.fact
    if not isinstance(fact, SystemInstall) or fact.manager != "apt" or fact.action != "install":
        return
    own = command.what.command
    if fact.assume_yes or fact.files or (own is not None and own.pipeline != (0, 1)):
        return
    flags = {arg.text for arg in fact.argv}
    if flags & {"-s", "--simulate", "--dry-run", "-d", "--download-only", "--print-uris"}:
        return
    told = (s.command.text.text for s in view.image.image.runs)
    if any("assume-yes" in text.lower() or "apt.conf" in text for text in told):
        return
    if any("/etc/apt" in str(step.destination) for step in view.image.image.copies):
        return
    suite = sonames.suite_of(base.distro, base.release)
    if suite is None:
        return
    release = sonames.release(suite[0])
    named = {p.name for p in fact.packages if isinstance(p.name, str)}
    there = release.base(base.flavour or "") or frozenset()
    more = release.brings(sorted(named), recommends=fact.recommends) - named - there
    if more:
        yield stop(
            fact.at,
            f"`{fact.argv[0].text} install` asks before it installs {sorted(more)[0]} and the others "
            "that come along, and nobody answers (`Do you want to continue? [Y/n] Abort.`): say `-y`",
        )


def _directories(command: Ran, base: Base, view: View) -> Iterator[StartFault]:
    """``mkdir`` of what is there, or below what is not."""
    fact, cwd = command.what.fact, command.what.cwd
    if not isinstance(fact, FileOp) or fact.op != "mkdir" or not isinstance(cwd, str):
        return
    if any(a.text == "--parents" or _letter(a.text, "p") for a in fact.argv[1:]):
        return
    for source in fact.sources:
        if not isinstance(source.value, str) or source.globs:
            continue
        path = posixpath.normpath(posixpath.join(cwd, source.value))
        seen = view.look(path)
        if seen.answer != "yes" or seen.mounted or seen.at is None:
            continue
        if seen.at.path == command.step.at.path and seen.at.line < command.step.at.line:
            yield stop(
                source.at,
                f"{path} is there already (`mkdir: cannot create directory '{source.value}': File "
                "exists`): say `mkdir -p`",
                (seen.at, "made here"),
            )
            return


def _letter(word: str, letter: str) -> bool:
    return word.startswith("-") and not word.startswith("--") and letter in word
