"""``pip`` where Python is the distribution's own: it may not be there, and may not install."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.commands import Ran
from auditor.deployment.runsteps import stop
from auditor.parsers.commands import PipInstall, SystemInstall

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, StartFault

# What brings a pip, or a Python of its own with one, besides the distribution's package.
_OTHERS = re.compile(
    r"get-pip|ensurepip|venv|virtualenv|conda|mamba|pyenv|\buv\b|pipx|deadsnakes|make\s+\S*install",
    re.IGNORECASE,
)
_LETS = re.compile(r"EXTERNALLY-MANAGED|pip\.conf|break.system.packages", re.IGNORECASE)
_PIPS = frozenset(["pip", "pip3"])
# Suites whose Python keeps pip out (PEP 668), and those before them.
_MANAGED = frozenset(["bookworm", "trixie", "forky", "sid", "lunar", "mantic", "noble", "oracular",
                      "plucky", "questing", "resolute"])  # fmt: skip
_NAMES = re.compile(r"/python\b|\bln\b|alternatives")
_FREE = frozenset(["--target", "-t", "--prefix", "--root", "--dry-run"])
_PLAIN = frozenset(["debian", "ubuntu"])


def faults(image: BuiltImage, commands: Sequence[Ran]) -> Iterator[StartFault]:
    """The first ``pip install`` that ends the build."""
    base = image.base
    if base is None or base.distro not in _PLAIN or base.official_python or image.foreign_python:
        return
    if base.reference.repository.rpartition("/")[2] not in _PLAIN:
        return  # somebody's own image may bring a Python
    if any(copy.origin != "context" for copy in image.image.copies):
        return
    packages: set[str] = set()
    for command in commands:
        fact, text = command.what.fact, command.step.command.text.text
        if _OTHERS.search(text) or _LETS.search(text) or command.step.heredocs:
            return
        if isinstance(fact, SystemInstall) and fact.action == "install":
            packages |= {str(package.name) for package in fact.packages}
        if not isinstance(fact, PipInstall) or fact.action != "install" or "||" in text:
            continue
        program = command.what.argv[0]
        name = program.text
        if fact.tool != "pip" or name not in _PIPS | {"python3", "python"}:
            return
        if not packages & {"python3-pip", "python-pip", "python3-full"}:
            if name in _PIPS:
                yield stop(
                    program.at,
                    f"{base.text} has no `{name}`, and nothing installs it before: `{name}: not found`",
                )
            return
        if name == "python" and "python-is-python3" not in packages:
            yield stop(program.at, f"{base.text} names its Python `python3`: `python: not found`")
            return
        words = {word.text.partition("=")[0] for word in command.what.argv}
        if base.release not in _MANAGED or words & _FREE or _allowed(command):
            return
        yield stop(
            fact.at,
            f"the Python of {base.release} is the distribution's own, and pip refuses to install into it "
            "(`error: externally-managed-environment`): make a virtual environment, or use a Python image",
            (image.image.base.at, "the release is chosen here"),
        )
        return


def _allowed(command: Ran) -> bool:
    """A variable lets pip install all the same, or puts an environment first."""
    env = command.what.env
    if env.get("PIP_BREAK_SYSTEM_PACKAGES") not in (None, "", "0"):
        return True
    path = env.get("PATH")
    first = path.partition(":")[0] if isinstance(path, str) else ""
    return bool(env.get("VIRTUAL_ENV")) or posixpath.basename(posixpath.dirname(first)) not in (
        "", "usr", "local", "/",
    )  # fmt: skip


def lacks_python(image: BuiltImage, commands: Sequence[Ran]) -> bool:
    """Nothing is called ``python`` in a plain Debian or Ubuntu: its Python is ``python3``."""
    base = image.base
    if base is None or base.distro not in _PLAIN or base.official_python or image.foreign_python:
        return False
    if base.reference.repository.rpartition("/")[2] not in _PLAIN:
        return False
    if any(copy.origin != "context" for copy in image.image.copies):
        return False
    if any(p.name in ("python-is-python3", "python", "python2") for p in image.system_packages):
        return False
    told = " ".join(command.step.command.text.text for command in commands)
    if _OTHERS.search(told.replace("break-system", "")) or _NAMES.search(told):
        return False
    return all(v.name != "PATH" for v in image.image.env)
