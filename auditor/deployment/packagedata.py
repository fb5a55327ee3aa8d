"""Projects of the repository that an image installs, and the files that they leave behind."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import Service
    from auditor.deployment.view import View
    from auditor.source import Location

_MAX = 200_000


@value
class Project:
    """A directory of the image that an install command names; ``copied``: not in editable mode."""

    folder: str
    copied: bool


def installed(service: Service) -> tuple[Project, ...]:
    """The projects that the image installs."""
    return tuple(dict.fromkeys(_installed(service)))


def _installed(service: Service) -> Iterator[Project]:
    environment = service.environment
    for step in environment.steps if environment else ():
        if step.fact is None or not step.shipped:
            continue
        where = _workdir_of(service, step.fact.at)
        for args, copied in ((step.fact.local_paths, True), (step.fact.editable, False)):
            for arg in args:
                path = arg.value.partition("[")[0] if isinstance(arg.value, str) else None
                if path is not None and (path.startswith("/") or where is not None):
                    folder = posixpath.normpath(posixpath.join(where or "/", path))
                    yield Project(folder=folder, copied=copied)
        if step.fact.action == "sync" and not step.fact.no_root and where is not None:
            yield Project(folder=where, copied=False)


def _workdir_of(service: Service, at: Location) -> str | None:
    """The working directory of the RUN that stands there."""
    image = service.image
    for step in image.image.runs if image is not None else ():
        if step.at.path == at.path and step.at.line <= at.line <= step.at.end_line:
            return step.state.workdir if isinstance(step.state.workdir, str) else None
    return None


def left_out(view: View, project: str, path: str) -> Location | None:
    """What says that setuptools does not install a file that is no module; None when it may.

    Without a manifest, a plug-in that asks the version control, or a pattern that names it, only
    modules are installed.
    """
    if path.endswith((".py", ".pyi", ".so")):
        return None
    source = view.text(posixpath.join(project, "pyproject.toml"))
    if source is None or len(source.text) > _MAX:
        return None
    import tomllib

    try:
        data: Any = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
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
