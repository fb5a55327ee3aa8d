"""Projects of the repository that a build installs: what their build back end must find there."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.deployment.base import minor
from auditor.deployment.commands import Ran
from auditor.deployment.runsteps import stop
from auditor.parsers.commands import PipInstall
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.deployment.imagefacts import Image
    from auditor.deployment.model import BuiltImage, Service, StartFault
    from auditor.deployment.view import View

_POETRY = re.compile(r"poetry\s*(?=$|[=<>~!\[(])", re.IGNORECASE)
_VERSION = re.compile(r"\d+(?:\.\d+)+")
# Releases of either major line, to see which one a specifier lets pip take; 2 needs Python 3.9.
_POETRY_LINES = {2: "2.1.3", 1: "1.8.5"}
_POETRY_2_PYTHON = (3, 9)


def faults(
    service: Service, image: BuiltImage, commands: list[Ran], view: View
) -> Iterator[StartFault]:
    """What keeps the project from being installed."""
    yield from _projects(image.image, commands, view)
    yield from _listed_projects(service, image, commands, view)
    yield from _poetry_commands(service, commands, view)
    yield from _locked(commands, view)
    yield from _synced(service, commands, view)


# --- by the project's own tool ---------------------------------------------------------------


def _locked(commands: list[Ran], view: View) -> Iterator[StartFault]:
    """``uv sync --frozen`` or ``--locked`` where uv.lock is not: uv makes none then."""
    for command in commands:
        fact, cwd = command.what.fact, command.what.cwd
        if not isinstance(fact, PipInstall) or fact.tool != "uv" or fact.action != "sync":
            continue
        words = [arg.text for arg in fact.argv]
        told = next((w for w in ("--frozen", "--locked") if w in words), "")
        if not told or not isinstance(cwd, str) or command.step.mounts:
            continue
        if any(w.startswith(("--project", "--directory", "--script")) for w in words):
            continue
        if "||" in command.step.command.text.text or any("lock" in w for w in _before(command)):
            continue
        seen = view.look(posixpath.join(cwd, "uv.lock"))
        # What installs may leave anything behind: this command itself is no reason to doubt.
        own = seen.at is not None and (seen.at.path, seen.at.line) == (fact.at.path, fact.at.line)
        if seen.answer == "yes" or (seen.answer == "unknown" and not own):
            continue
        yield stop(
            fact.at,
            f"`uv sync {told}` takes uv.lock as it is, and {cwd.rstrip('/')}/uv.lock is not in the image at "
            "this point: `error: Unable to find lockfile at `uv.lock``",
        )
        return


def _before(command: Ran) -> tuple[str, ...]:
    """The words of the RUN up to that command."""
    text = command.step.command.text.text
    return tuple(text.partition("uv sync")[0].split())


def _synced(service: Service, commands: list[Ran], view: View) -> Iterator[StartFault]:
    """``uv sync`` and Poetry 2's ``poetry install`` build the project: it must be there by then."""
    for command in commands:
        fact, cwd = command.what.fact, command.what.cwd
        if not isinstance(fact, PipInstall) or fact.action != "sync" or not isinstance(cwd, str):
            continue
        if fact.tool == "poetry":
            if _poetry(service, commands[: commands.index(command)]) != 2:
                continue
        elif fact.tool != "uv":
            continue
        if _leaves_project_out(fact, command):
            continue
        found = list(_unready(cwd, fact.tool, command.step.at, view))
        yield from found
        if found:
            return


# Options that leave the project itself out, or lead to another one.
_ELSEWHERE = ("--no-install", "--project", "--directory", "--package", "--only", "-C", "-P")


def _leaves_project_out(fact: PipInstall, command: Ran) -> bool:
    words = [arg.text for arg in fact.argv]
    chosen = [word for word in words if word.startswith(_ELSEWHERE)]
    if fact.tool == "poetry":
        # The project belongs to the main group.
        groups = [group.split(",") for group in fact.only_groups if isinstance(group, str)]
        chosen = [word for word in chosen if not word.startswith("--only")]
        if fact.only_groups and not any("main" in names for names in groups):
            return True
    env = command.what.env
    return bool(
        fact.no_root
        or chosen
        or any(env.get(name) is not None for name in ("UV_PROJECT", "UV_NO_INSTALL_PROJECT", "*"))
        or "||" in command.step.command.text.text
        or any(mount.type == "bind" for mount in command.step.mounts)
    )


def _unready(folder: str, tool: str, run: Location, view: View) -> Iterator[StartFault]:
    """The readme or the package that the project names is copied later, or not at all."""
    source = view.text(posixpath.join(folder, "pyproject.toml"))
    data = _toml(source.text) if source is not None else None
    if source is None or data is None:
        return
    tools = _table(data, "tool")
    poetry, project = _table(tools, "poetry"), _table(data, "project")
    backend = str(_table(data, "build-system").get("build-backend", ""))
    if tool == "poetry":
        if poetry.get("package-mode") is False or not (poetry or project):
            return
        backend = "poetry.core"
    elif "build-system" not in data or _table(tools, "uv").get("package") is False:
        return
    if not backend.startswith(("hatchling", "poetry.core")):
        return
    said = (
        "`poetry install` installs the project itself"
        if tool == "poetry"
        else ("`uv sync` builds the project itself")
    )
    without = "`--no-root`" if tool == "poetry" else "`--no-install-project`"
    advice = f"copy it before, or say {without}"
    for readme in (project.get("readme"), poetry.get("readme")):
        name = readme.get("file") if isinstance(readme, dict) else readme
        if isinstance(name, str) and _there(posixpath.join(folder, name), run, view) is False:
            yield stop(
                run,
                f"{said}, whose readme {name} is not in the image at this point: {advice}",
                (source.at(1), "`readme` is said in this file"),
            )
            return
    named = poetry.get("name") or project.get("name")
    settings = (
        poetry.get("packages") if backend == "poetry.core" else _table(tools, "hatch").get("build")
    )
    if not isinstance(named, str) or settings is not None:
        return
    module = re.sub(r"[-_.]+", "_", named)
    places = [f"{start}{name}{end}" for start in ("", "src/") for name in {module, module.lower()}
              for end in ("", ".py")]  # fmt: skip
    if all(_there(posixpath.join(folder, place), run, view) is False for place in places) and not (
        backend == "hatchling.build" and _namespaced(folder, module.lower(), run, view)
    ):
        yield stop(
            run,
            f"{said}, whose package `{module.lower()}` is not in the image at this point: {advice}",
            (source.at(1), "the project is named in this file"),
        )


def _namespaced(folder: str, module: str, run: Location, view: View) -> bool:
    """Whether some directory may hold the package one level deeper."""
    return any(
        _there(posixpath.join(folder, name, module), run, view) is not False
        for name in view.names(folder)
        if view.is_dir(posixpath.join(folder, name))
    )


def _poetry_commands(service: Service, commands: list[Ran], view: View) -> Iterator[StartFault]:
    """What Poetry 1 knew and Poetry 2 does not."""
    for number, command in enumerate(commands):
        fact, text = command.what.fact, command.step.command.text.text
        if not isinstance(fact, PipInstall) or fact.tool != "poetry" or "||" in text:
            continue
        words = [arg.text for arg in fact.argv]
        gone = next(
            (o for o in ("--no-dev", "--no-update", "--remove-untracked") if o in words), ""
        )
        asked = fact.action in ("sync", "lock") and gone
        exports = fact.action == "export" and not _has_export(command, commands[:number], view)
        if not (asked or exports) or _poetry(service, commands[:number]) != 2:
            continue
        yield stop(
            fact.at,
            "Poetry 2 is installed, and exports only with a plugin (`The requested command export does "
            "not exist`): install `poetry-plugin-export`"
            if exports
            else f'Poetry 2 is installed, which has no such option (`The option "{gone}" does not '
            "exist`)" + (": say `--only main`" if gone == "--no-dev" else ""),
        )
        return


def _has_export(command: Ran, before: Sequence[Ran], view: View) -> bool:
    if any("plugin" in c.step.command.text.text for c in (command, *before)):
        return True
    cwd = command.what.cwd
    text = view.text(posixpath.join(cwd, "pyproject.toml")) if isinstance(cwd, str) else None
    return text is not None and "poetry-plugin-export" in text.text


def _poetry(service: Service, before: Sequence[Ran]) -> int | None:
    """The major version of the Poetry that commands installed; None where they do not say."""
    python = service.environment.python if service.environment is not None else None
    old = python is not None and "." in python.version and minor(python.version) < _POETRY_2_PYTHON
    newest = 1 if old else 2
    for command in reversed(before):
        fact, text = command.what.fact, command.step.command.text.text
        if "install.python-poetry.org" in text:
            told = command.what.env.get("POETRY_VERSION")
            named = re.search(r"(?:--version[ =]|POETRY_VERSION=)(\S+)", text)
            version = told if isinstance(told, str) else named.group(1) if named else ""
            if told is not None and not isinstance(told, str):
                return None
            return _major(version) if version else newest
        if not isinstance(fact, PipInstall) or fact.action != "install" or fact.tool == "poetry":
            continue
        for arg in fact.requirements:
            if isinstance(arg.value, str) and _POETRY.match(arg.value.strip()):
                return _chosen(arg.value, newest)
            if not isinstance(arg.value, str) and "poetry" in str(arg.pieces).lower():
                return None
    return None


def _major(version: str) -> int | None:
    found = _VERSION.match(version)
    return int(found.group().partition(".")[0]) if found else None


def _chosen(requirement: str, newest: int) -> int | None:
    """The major version that pip takes for a requirement, where the newest one is this."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        specifier = Requirement(requirement).specifier
    except InvalidRequirement:
        return None
    exact = [s.version for s in specifier if s.operator in ("==", "===") and "*" not in s.version]
    if exact:
        return _major(exact[0])
    lines = [line for line, release in _POETRY_LINES.items() if release in specifier]
    return next((line for line in lines if line <= newest), None)


def _table(data: Any, key: str) -> dict[str, Any]:
    inner = data.get(key) if isinstance(data, dict) else None
    return inner if isinstance(inner, dict) else {}


def _toml(text: str) -> dict[str, Any] | None:
    """The document; None where it is too large or none."""
    if len(text) > 200_000:
        return None
    import tomllib

    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


# --- by pip ----------------------------------------------------------------------------------


def _projects(image: Image, commands: list[Ran], view: View) -> Iterator[StartFault]:
    """``pip install .`` of a project whose build back end refuses what is there."""
    for command in commands:
        fact, cwd = command.what.fact, command.what.cwd
        if not isinstance(fact, PipInstall) or fact.action not in ("install", "wheel"):
            continue
        for arg in (*fact.local_paths, *fact.editable):
            path = arg.value.partition("[")[0] if isinstance(arg.value, str) else ""
            if not path or path.endswith((".whl", ".gz", ".zip")) or not isinstance(cwd, str):
                continue
            folder = posixpath.normpath(posixpath.join(cwd, path))
            yield from _project(folder, command.step.at, view)


def _listed_projects(
    service: Service, image: BuiltImage, commands: list[Ran], view: View
) -> Iterator[StartFault]:
    """``-e .`` of a requirements file that is installed before the project is copied."""
    runs = {c.what.fact.at: c for c in commands if isinstance(c.what.fact, PipInstall)}
    environment = service.environment
    for step in environment.steps if environment is not None else ():
        command = runs.get(step.fact.at) if step.fact is not None else None
        cwd = command.what.cwd if command is not None else None
        if command is None or not isinstance(cwd, str) or command.step.mounts:
            continue
        for item in step.requirements:
            path = item.fact.path
            if (
                not item.fact.editable
                or not path
                or path.startswith(("/", "file:"))
                or item.fact.vcs
            ):
                continue
            folder = posixpath.normpath(posixpath.join(cwd, path.partition("[")[0]))
            names = ("setup.py", "pyproject.toml", "setup.cfg")
            there = [_there(posixpath.join(folder, n), command.step.at, view) for n in names]
            if all(answer is False for answer in there):
                yield stop(
                    item.fact.at,
                    f"{folder} has neither setup.py nor pyproject.toml at this point: `ERROR: "
                    f"file://{folder} does not appear to be a Python project`",
                    (command.step.at, "installed here"),
                )
                return


def _project(folder: str, run: Location, view: View) -> Iterator[StartFault]:
    yield from _setup_reads(folder, run, view)
    source = view.text(posixpath.join(folder, "pyproject.toml"))
    data = _toml(source.text) if source is not None else None
    if source is None or data is None:
        return
    project, tool = data.get("project"), _table(data, "tool")
    backend = _table(data, "build-system").get("build-backend", "")
    if str(backend).startswith(("hatchling", "flit_core", "poetry.core")):
        named = [t.get("readme") for t in (_table(data, "project"), _table(tool, "poetry"))]
        for readme in named:
            name = readme.get("file") if isinstance(readme, dict) else readme
            if not isinstance(name, str):
                continue
            if _there(posixpath.join(folder, name), run, view) is False:
                yield stop(
                    run,
                    f"pyproject.toml says `readme`: {name}, which is not in the image at this point "
                    f"({str(backend).partition('.')[0]}: `Readme file does not exist: {name}`)",
                    (source.at(1), "said in this file"),
                )
                return
    elif str(backend).startswith("setuptools") and isinstance(project, dict):
        yield from _flat(folder, run, view, tool.get("setuptools"), (source.at(1), "this project"))


def _setup_reads(folder: str, run: Location, view: View) -> Iterator[StartFault]:
    """Files that setup.py opens at its top, and that are not in the image when it is run."""
    source = view.text(posixpath.join(folder, "setup.py"))
    if source is None or len(source.text) > 50_000:
        return
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in tree.body:
        # What is tried, chosen or defined may never be opened.
        if not isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.With):
            continue
        for node in ast.walk(statement):
            name = _opened(node)
            if name is None or name.startswith("/") or not isinstance(node, ast.Call):
                continue
            if _there(posixpath.normpath(posixpath.join(folder, name)), run, view) is False:
                yield stop(
                    run,
                    f"setup.py reads {name}, which is not in the image at this point: "
                    f"`FileNotFoundError: [Errno 2] No such file or directory: {name!r}`",
                    (source.at(node.lineno), "read here"),
                )
                return


def _opened(node: ast.AST) -> str | None:
    """The constant name that a call opens for reading."""
    if not isinstance(node, ast.Call):
        return None
    called, given = node.func, node.args
    last = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if last in ("read_text", "read_bytes") and isinstance(called, ast.Attribute):
        inner = called.value
        given = inner.args if isinstance(inner, ast.Call) else []
        last = getattr(inner.func, "id", "") if isinstance(inner, ast.Call) else ""
        if last != "Path" or len(given) != 1:
            return None
    elif last != "open":
        return None
    elif len(given) > 1:
        mode = given[1].value if isinstance(given[1], ast.Constant) else "w"
        if not isinstance(mode, str) or set(mode) & set("wax+"):
            return None
    first = given[0] if given else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


# What setuptools never takes for a package or module of a flat layout.
_NO_PACKAGES = tuple(
    """
    ci bin debian doc docs documentation manpages news newsfragments changelog test tests unit_test
    unit_tests example examples scripts tools util utils python build benchmark benchmarks exercise
    exercises htmlcov site_scons
    """.split()  # noqa: SIM905
)
_NO_MODULES = tuple(
    """
    setup conftest test tests example examples build toxfile noxfile pavement dodo tasks fabfile
    SConstruct sconstruct conanfile manage benchmark benchmarks exercise exercises
    """.split()  # noqa: SIM905
)


def _flat(
    folder: str, run: Location, view: View, settings: Any, where: tuple[Location, str]
) -> Iterator[StartFault]:
    """Several directories beside ``pyproject.toml``, and nothing says which are packages."""
    told = settings if isinstance(settings, dict) else {}
    if {"packages", "py-modules", "package-dir", "ext-modules"} & told.keys():
        return
    for name in ("setup.py", "setup.cfg", "src"):
        if view.exists(posixpath.join(folder, name)) is not False:
            return
    directories, modules = [], []
    for name in view.names(folder):
        stem, dot, suffix = name.rpartition(".")
        there = _there(posixpath.join(folder, name), run, view)
        if there is not True:
            if there is None:
                return
            continue
        if view.is_dir(posixpath.join(folder, name)):
            if name.isidentifier() and not _left_out(name, _NO_PACKAGES):
                directories.append(name)
        elif dot and suffix == "py" and stem.isidentifier() and not _left_out(stem, _NO_MODULES):
            modules.append(stem)
    found, what = (directories, "packages") if directories else (modules, "modules")
    if len(found) < 2:
        return
    listed = ", ".join(f"`{name}`" for name in sorted(found)[:4])
    yield stop(
        run,
        f"setuptools takes every directory beside pyproject.toml for a package, and here are "
        f"several ({listed}): `Multiple top-level {what} discovered in a flat-layout`. Name them "
        "(`[tool.setuptools] packages`)",
        where,
    )


def _left_out(name: str, patterns: tuple[str, ...]) -> bool:
    return name.startswith(("_", ".")) or any(fnmatchcase(name, p) for p in patterns)


def _there(path: str, run: Location, view: View) -> bool | None:
    """Whether a path is in the image when that RUN starts."""
    seen = view.look(path)
    if seen.answer != "yes":
        return None if seen.answer == "unknown" else False
    if seen.mounted or seen.at is None or seen.at.path != run.path:
        return None
    return seen.at.line < run.line
