"""Dockerfiles and Compose files that the repository's own way of deploying leaves out.

A fault in them is real, and nobody who follows the repository meets it. What is left out is told by
positive evidence alone: there is an inventory of what is deployed (a Compose file above that builds
other Dockerfiles; a Compose file further up that builds the same one), and neither a document nor a
script, workflow, manifest or setting speaks of the file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.discovery import FileKind

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import Service
    from auditor.parsers.compose.facts import ComposeProject

_MAX_SIZE = 200_000
_MAX_READ = 4_000_000
_DOCUMENTS = (".md", ".rst", ".txt", ".adoc", ".hcl", ".tf")
_SPEAKING = frozenset(
    {
        FileKind.SHELL, FileKind.CI, FileKind.PROCFILE, FileKind.MAKEFILE,
        FileKind.SUPERVISORD, FileKind.SYSTEMD, FileKind.HELM, FileKind.YAML, FileKind.TOML,
        FileKind.INI, FileKind.JSON, FileKind.KUSTOMIZATION, FileKind.DOCKERFILE,
    }
)  # fmt: skip
# A drawing of the tree names every file and asks for none.
_DRAWN = re.compile(r"[│├└]|\|--")
# Lines that build or start something, or go where that is done.
_ACTS = re.compile(
    r"docker|podman|buildah|nerdctl|kaniko|\bbuild\b|context|dockerfile|image|\bcd\b|working-directory"
    r"|compose|path",
    re.IGNORECASE,
)


def find(
    facts: Facts,
    projects: Sequence[ComposeProject],
    variants: Iterable[ComposeProject],
    services: Iterable[Service],
) -> dict[str, str]:
    """{path: why} of Dockerfiles and Compose files that nothing uses."""
    images = [(s.image.dockerfile.path, s.origin) for s in services if s.image is not None]
    built = {path for path, origin in images if origin != "dockerfile"}
    built.update(path for project in variants for path in _dockerfiles(project))
    alone = dict.fromkeys(path for path, origin in images if origin == "dockerfile")
    found = {
        path: f"{inventory} builds the other images of this repository and not this one, and "
        "nothing else in it speaks of this file"
        for path in alone
        if path not in built
        for inventory in [_inventory(path, projects)]
        if inventory
    }
    found |= dict(_superseded(projects))
    if not found:
        return {}
    spoken = _spoken(facts, found)
    return {path: why for path, why in found.items() if path not in spoken}


def _inventory(path: str, projects: Iterable[ComposeProject]) -> str:
    """The Compose file at or above the Dockerfile's directory that builds others."""
    folder = posixpath.dirname(path)
    if not folder:
        return ""  # `docker build .` and every platform take the one at the root
    for project in projects:
        home = posixpath.dirname(project.files[0])
        if project.is_dev or not _within(folder, home) or folder == home:
            continue
        others = _dockerfiles(project)
        if others and path not in others:
            return project.files[0]
    return ""


def _superseded(projects: Sequence[ComposeProject]) -> Iterator[tuple[str, str]]:
    """Compose files below another one that builds all that they build."""
    for project in projects:
        mine = _dockerfiles(project)
        home = posixpath.dirname(project.files[0])
        for other in projects:
            above = posixpath.dirname(other.files[0])
            if other is project or other.is_dev or home == above or not _within(home, above):
                continue
            if mine and mine <= _dockerfiles(other):
                for path in project.files:
                    yield (
                        path,
                        f"{other.files[0]} deploys the same images, and nothing else in the "
                        "repository speaks of this file",
                    )
                break


def _dockerfiles(project: ComposeProject) -> set[str]:
    return {
        posixpath.normpath(s.build.dockerfile_path)
        for s in project.services
        if s.build is not None and s.build.dockerfile_path is not None
    }


def _within(folder: str, home: str) -> bool:
    return not home or folder == home or folder.startswith(f"{home}/")


def _spoken(facts: Facts, paths: Iterable[str]) -> set[str]:
    """Those of the paths that some text of the repository, other than themselves, speaks of."""
    left = set(paths)
    spoken: set[str] = set()
    read = 0
    for entry in facts.repository.entries:
        document = entry.path.lower().endswith(_DOCUMENTS)
        if not left or not (document or entry.kind in _SPEAKING):
            continue
        if entry.size > _MAX_SIZE and entry.kind in (FileKind.JSON, FileKind.TEXT, FileKind.YAML):
            continue  # data
        if entry.size > _MAX_SIZE or read + entry.size > _MAX_READ:
            return spoken | left  # what was not read may speak of them
        read += entry.size
        lines = [
            line
            for line in facts.repository.read_text(entry.path).text.splitlines()
            if not _DRAWN.search(line) and (document or not line.lstrip().startswith("#"))
        ]
        for path in sorted(left):
            if path != entry.path and _speaks(entry.path, lines, path, document=document):
                spoken.add(path)
        left -= spoken
    return spoken


def _speaks(where: str, lines: list[str], path: str, *, document: bool) -> bool:
    """Whether one of the lines builds this file, or goes to its directory to do so."""
    folder, name = posixpath.split(path)
    last = posixpath.basename(folder)
    usual = name.lower() in ("dockerfile", "docker-compose.yml", "docker-compose.yaml",
                             "compose.yml", "compose.yaml")  # fmt: skip
    # A document or script in the very directory that builds or starts something means this one.
    beside = posixpath.dirname(where) == folder
    named = re.compile(rf"(?<![\w-]){re.escape(last)}(?![\w-])")
    for line in lines:
        if f"{last}/{name}" in line or (not usual and name in line):
            return True
        if not _ACTS.search(line):
            continue
        if beside and (document or where.endswith(".sh")) and "docker" in line.lower():
            return True
        if named.search(line):
            return True
    return False
