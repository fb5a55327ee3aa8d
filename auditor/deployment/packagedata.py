"""Projects of the repository that an image installs, and the files that they leave behind."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from auditor.deployment.filesystem import ContextSource, Present
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.deployment.view import View
    from auditor.parsers.python import ModuleFacts
    from auditor.source import Location

_MAX = 200_000


@value
class Project:
    """A directory of the image that an install command names; ``copied``: not in editable mode."""

    folder: str
    copied: bool
    # The stage that installs it, and how many layers its file system has by then.
    stage: int = 0
    layers: int = 0


def installed(service: Service) -> tuple[Project, ...]:
    """The projects that the image installs."""
    return tuple(dict.fromkeys(_installed(service)))


def _installed(service: Service) -> Iterator[Project]:
    environment = service.environment
    for step in environment.steps if environment else ():
        if step.fact is None or not step.shipped:
            continue
        where = step.cwd if isinstance(step.cwd, str) else None
        for args, copied in ((step.fact.local_paths, True), (step.fact.editable, False)):
            for arg in args:
                path = arg.value.partition("[")[0] if isinstance(arg.value, str) else None
                if path is not None and (path.startswith("/") or where is not None):
                    folder = posixpath.normpath(posixpath.join(where or "/", path))
                    yield Project(
                        folder=folder, copied=copied, stage=step.stage, layers=step.layers
                    )
        if step.fact.action != "sync" or where is None:
            continue
        plain = any(arg.text == "--no-editable" for arg in step.fact.argv)
        if not step.fact.no_root:
            yield Project(folder=where, copied=plain, stage=step.stage, layers=step.layers)
        for folder, editable in _beside(service, where):
            copied = plain or not editable
            yield Project(folder=folder, copied=copied, stage=step.stage, layers=step.layers)


def _beside(service: Service, where: str) -> Iterator[tuple[str, bool]]:
    """Other projects of the repository that a lock installs by their paths; whether editable.

    ``where``: the directory that the lock's paths start from.
    """
    environment = service.environment
    for lock in environment.locks if environment else ():
        for package in lock.packages:
            if package.source.kind not in ("editable", "path"):
                continue
            folder = posixpath.normpath(posixpath.join(where, package.source.value or "."))
            if folder != posixpath.normpath(where):
                yield folder, package.source.kind == "editable"


def facts_at_installation(service: Service, view: View, path: str) -> ModuleFacts | None:
    """A module of a project that is installed from files which the image does not keep."""
    for project in installed(service):
        folder = project.folder.rstrip("/")
        if not project.copied or not path.startswith(f"{folder}/"):
            continue
        there = view if project.stage in view.image.image.lineage else view.stage(project.stage)
        if there is None:
            continue
        repo = _repo_file(there, path, project.layers)
        settings = _repo_file(there, f"{folder}/pyproject.toml", project.layers)
        inside = path[len(folder) + 1 :].removeprefix("src/")
        if repo is not None and (settings is None or _takes(view, settings, inside)):
            return view.facts_of_repo(repo)
    return None


def _repo_file(there: View, path: str, layers: int) -> str | None:
    image = there.image
    found = image.image.fs.lookup_before(path, layers)
    if isinstance(found, Present) and isinstance(found.source, ContextSource):
        return posixpath.normpath(posixpath.join(image.context, found.source.path or "."))
    return None


def _takes(view: View, settings: str, inside: str) -> bool:
    """Whether setuptools takes a file, where ``pyproject.toml`` lists modules and packages."""
    source = view.repository_text(settings)
    table = _toml(source.text) if source is not None else {}
    tool = table.get("tool")
    told = tool.get("setuptools") if isinstance(tool, dict) else None
    told = told if isinstance(told, dict) else {}
    modules, packages = told.get("py-modules"), told.get("packages")
    if not isinstance(modules, list) and not isinstance(packages, list):
        return True
    if packages is not None and not isinstance(packages, list):
        return True
    top = inside.partition("/")[0]
    listed = [str(name).partition(".")[0] for name in (*(modules or ()), *(packages or ()))]
    return top.removesuffix(".py") in listed


def _toml(text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text) if len(text) <= _MAX else {}
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def left_out(view: View, project: str, path: str) -> Location | None:
    """What says that setuptools does not install a file that is no module; None when it may.

    Without a manifest, a plug-in that asks the version control, or a pattern that names it, only
    modules are installed.
    """
    if path.endswith((".py", ".pyi", ".so")):
        return None
    source = view.text(posixpath.join(project, "pyproject.toml"))
    if source is None:
        return None
    data = _toml(source.text)
    system = data.get("build-system")
    if not isinstance(system, dict) or not str(system.get("build-backend", "")).startswith(
        "setuptools"
    ):
        return None
    if "scm" in str(system.get("requires")) or "git" in str(system.get("requires")):
        return None
    for name in ("MANIFEST.in", "setup.py", "setup.cfg"):
        if view.exists(posixpath.join(project, name)) is not False:
            return None
    tool = data.get("tool")
    table = tool.get("setuptools") if isinstance(tool, dict) else None
    patterns = table.get("package-data") if isinstance(table, dict) else None
    inside = posixpath.relpath(path, project).removeprefix("src/")
    for package, globs in patterns.items() if isinstance(patterns, dict) else ():
        folder = str(package).replace(".", "/")
        for glob in globs if isinstance(globs, list) else ():
            if package == "*" and fnmatchcase(posixpath.basename(inside), str(glob)):
                return None
            if fnmatchcase(inside, f"{folder}/{glob}") or "**" in str(glob):
                return None
    return source.at(1)
