"""Where uv, Poetry, PDM and Pipenv put what they install: mostly not where the system looks."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.parsers.commands.facts import PipInstall, Venv
from auditor.source import Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.commands import Ran

MANAGERS = frozenset({"uv", "poetry", "pdm", "pipenv"})
# What keeps uv to the interpreters that are there.
_SYSTEM_ONLY = frozenset(
    {"--no-python-downloads", "--no-managed-python", "--offline", "only-system"}
)
_FALSE = frozenset({"", "0", "false", "no", "off", "f", "n"})


@value
class Own:
    """An environment that a manager makes by itself; ``prefix`` is empty where it has a hash."""

    tool: str
    prefix: str


def own_environment(command: Ran, commands: Sequence[Ran]) -> Own | None:
    """The virtual environment that an install goes to; None where it is the system's, or unsure."""
    fact, what = command.what.fact, command.what
    if (
        not isinstance(fact, PipInstall)
        or fact.tool not in MANAGERS
        or not isinstance(what.cwd, str)
    ):
        return None
    if fact.system or fact.python is not None or fact.target is not None or fact.prefix is not None:
        return None
    env = what.env
    path = env.get("PATH")
    if env.get("VIRTUAL_ENV") is not None or env.get("CONDA_PREFIX") is not None:
        return None
    if isinstance(path, Unknown) or (isinstance(path, str) and names_environment(path)):
        return None
    text = command.step.command.text.text
    if "activate" in text or any(w.environment is not None for w in what.wrappers):
        return None
    before = commands[: commands.index(command)]
    made = [c for c in before if isinstance(c.what.fact, Venv)]
    if fact.tool == "uv":
        return _of_uv(fact, env, what.cwd, made)
    if made:
        return None
    if fact.tool == "poetry":
        if _said(env, "POETRY_VIRTUALENVS_CREATE") is False or _configured(before, "create"):
            return None
        told = _said(env, "POETRY_VIRTUALENVS_IN_PROJECT")
        inside = bool(told) or _configured(before, "in-project")
        return Own(tool="poetry", prefix=posixpath.join(what.cwd, ".venv") if inside else "")
    if fact.tool == "pipenv":
        inside = bool(_said(env, "PIPENV_VENV_IN_PROJECT"))
        return Own(tool="pipenv", prefix=posixpath.join(what.cwd, ".venv") if inside else "")
    # PDM takes `use_venv` from its configuration.
    if any("config" in [a.text for a in c.what.argv[1:2]] for c in before):
        return None
    return Own(tool="pdm", prefix=posixpath.join(what.cwd, ".venv"))


def lacks_environment(command: Ran, commands: Sequence[Ran]) -> bool:
    """``uv pip install`` without ``--system`` where no environment was made: uv refuses."""
    fact, what = command.what.fact, command.what
    if not isinstance(fact, PipInstall) or fact.tool != "uv" or fact.action != "install":
        return False
    words = [a.text for a in what.argv]
    if (
        "pip" not in words[:3]
        or "--active" in words
        or any(w.startswith("--python") for w in words)
    ):
        return False
    own = own_environment(command, commands)
    return own is not None and not own.prefix


def _of_uv(fact: PipInstall, env: Mapping[str, object], cwd: str, made: list[Ran]) -> Own | None:
    if _said(env, "UV_SYSTEM_PYTHON") or env.get("UV_PYTHON") is not None:
        return None
    if fact.action == "sync" or (
        fact.action == "install" and "add" in [a.text for a in fact.argv[:2]]
    ):
        told = env.get("UV_PROJECT_ENVIRONMENT")
        if told is not None and not isinstance(told, str):
            return None
        if any(a.text == "--active" for a in fact.argv):
            return None
        prefix = posixpath.normpath(posixpath.join(cwd, told or ".venv"))
        return None if prefix in ("/usr", "/usr/local") else Own(tool="uv", prefix=prefix)
    # `uv pip`: the `.venv` of this directory or one above it.
    for one in reversed(made):
        venv, where = one.what.fact, one.what.cwd
        if (
            not isinstance(venv, Venv)
            or not isinstance(venv.path, str)
            or not isinstance(where, str)
        ):
            return None
        prefix = posixpath.normpath(posixpath.join(where, venv.path))
        above = posixpath.dirname(prefix)
        if posixpath.basename(prefix) == ".venv" and (
            cwd == above or cwd.startswith(f"{above.rstrip('/')}/")
        ):
            return Own(tool="uv", prefix=prefix)
    return Own(tool="uv", prefix="") if not made else None


def fetches_python(command: Ran) -> bool:
    """``uv sync`` into an environment of its own, for which uv may fetch an interpreter.

    It does where none that is there is admitted by the project's ``requires-python``, unless an
    option or a variable keeps it to those of the system.
    """
    fact, env = command.what.fact, command.what.env
    if not isinstance(fact, PipInstall) or fact.tool != "uv" or fact.python is not None:
        return False
    words = [a.text for a in fact.argv]
    if fact.action != "sync" and not (fact.action == "install" and "add" in words[:2]):
        return False
    if _SYSTEM_ONLY & {*words} or env.get("UV_PYTHON_PREFERENCE") == "only-system":
        return False
    if any(_said(env, name) for name in ("UV_NO_MANAGED_PYTHON", "UV_OFFLINE")):
        return False
    if env.get("UV_PYTHON_DOWNLOADS") in ("never", "manual", "false", "0"):
        return False
    if env.get("UV_PYTHON") is not None or _said(env, "UV_SYSTEM_PYTHON"):
        return False
    told = env.get("UV_PROJECT_ENVIRONMENT")
    return not (isinstance(told, str) and posixpath.normpath(told) in ("/usr", "/usr/local"))


def names_environment(path: str) -> bool:
    """Whether a path looks like one of a virtual environment."""
    return "venv" in path or "virtualenv" in path or "conda" in path


def _said(env: Mapping[str, object], name: str) -> bool | None:
    """What a variable says as yes or no; None where it is not set (or not known: then yes)."""
    found = env.get(name)
    if found is None:
        return None
    return not isinstance(found, str) or found.strip().lower() not in _FALSE


def _configured(before: Sequence[Ran], setting: str) -> bool:
    """``poetry config virtualenvs.create false`` (or ``virtualenvs.in-project true``) ran."""
    return any(
        f"virtualenvs.{setting}" in [a.text for a in c.what.argv]
        and ("false" if setting == "create" else "true") in [a.text for a in c.what.argv]
        for c in before
    )
