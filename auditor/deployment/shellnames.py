"""Names that start scripts call: builtins, short programs, jobs, Pythons, and what makes programs."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from auditor.deployment.commands import Ran
from auditor.parsers.commands import FileOp, SystemInstall
from auditor.source import Unknown

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage

Env = Mapping[str, str | Unknown | None]

BUILTINS = frozenset(
    """
    . : [ alias bg break builtin case cd command continue declare echo eval exec exit export false fg
    getopts hash help history if jobs kill let local logout popd printf pushd pwd read readonly return
    set shift shopt source suspend test times trap true type typeset ulimit umask unalias unset until
    wait while [[ function select time
    """.split()  # noqa: SIM905
)
# They do something and end; nothing listens afterwards.
SHORT = frozenset(
    """
    echo printf true false : date ls cat env pwd dirname basename sleep sync test [ exit export set mkdir cp mv rm chmod
    chown touch ln whoami id alembic pytest ruff flake8 mypy black
    """.split()  # noqa: SIM905
)
SLOW = frozenset({"sleep"})
# A service that checks the code or migrates a database is meant to end.
TASKS = frozenset({"alembic", "pytest", "ruff", "flake8", "mypy", "black"})
SYSTEM = ("/usr/", "/bin/", "/sbin/", "/opt/", "/root/", "/lib", "/etc/", "/entrypoint")


def python_name(name: str) -> bool:
    """Whether a program of that base name is an interpreter of Python or its installer."""
    return name.startswith(("python", "pip"))


SHELLS = frozenset(["sh", "bash", "dash", "ash", "zsh", "ksh"])

# Releases whose packages are known, with what they bring along.
KNOWN_RELEASES = frozenset({"bullseye", "bookworm", "trixie"})
_MAKERS = frozenset(
    ["make", "ninja", "cmake", "meson", "cargo", "go", "npm", "yarn", "dpkg", "rpm", "installer"]
)


def makes_programs(image: BuiltImage, commands: Iterable[Ran]) -> bool:
    """A RUN compiles or links programs, or installs packages whose content is not known."""
    base = image.base
    if image.system_packages and (base is None or base.release not in KNOWN_RELEASES):
        return True
    for command in commands:
        fact = command.what.fact
        words = [a.text for a in command.what.argv]
        program = words[0] if words else ""
        name = posixpath.basename(program)
        # A script of an archive (`./configure`, `install.sh`) may bring anything.
        if name in _MAKERS or not name or program.startswith("./") or name.startswith("install"):
            return True
        if isinstance(fact, FileOp) and fact.op in ("ln", "cp", "mv", "install", "tar", "unzip"):
            return True
        if isinstance(fact, SystemInstall) and any(
            not isinstance(package.name, str) for package in fact.packages
        ):
            return True
    return bool(image.opaque_system)
