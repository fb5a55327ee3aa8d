"""What one audit asks the index: are the pins there, and do the requirements resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.deployment.model import Conflict, IndexedRelease
from auditor.source import Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Environment
    from auditor.online.index import Index

_FROM_INDEX = frozenset({"file", "command", "setup"})
_SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX",
             "UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL",
             "PIP_CONFIG_FILE")  # fmt: skip


def ask(deployment: Deployment, index: Index) -> Deployment:
    """The deployment with what the index says of its environments."""
    from auditor.online.resolve import conflict_of

    published: dict[tuple[str, str], IndexedRelease] = {}
    conflicts: dict[str, Conflict] = {}
    for environment in deployment.environments:
        if not _users_index(environment, deployment):
            continue
        for item in environment.requirements:
            fact = item.fact
            if not item.key or not item.version or item.origin not in _FROM_INDEX:
                continue
            if fact.url or fact.path or fact.vcs or (item.key, item.version) in published:
                continue
            published[item.key, item.version] = published_state(index, item.key, item.version)
        if not environment.is_library:
            conflict = conflict_of(environment, index)
            if conflict is not None:
                conflicts[environment.name] = conflict
    return replace(deployment, indexed=published, conflicts=conflicts)


def published_state(index: Index, name: str, version: str) -> IndexedRelease:
    """What the index says of one release."""
    from packaging.version import Version

    found = index.release(name, version)
    if isinstance(found, Unknown):
        return IndexedRelease(state="unknown", reason=found.reason)
    every = index.releases(name)
    fine = [Version(v) for v, r in every.items() if r.yanked is None] if isinstance(
        every, dict
    ) else []  # fmt: skip
    final = [v for v in fine if not v.is_prerelease] or fine
    newest = str(max(final)) if final else ""
    if found is None:
        return IndexedRelease(state="absent", newest=newest)
    if found.yanked is not None:
        return IndexedRelease(state="yanked", reason=found.yanked[:300], newest=newest)
    return IndexedRelease(state="there", newest=newest)


def _users_index(environment: Environment, deployment: Deployment) -> bool:
    """Nothing that is seen sends pip to another index than the user's own."""
    for image in deployment.images:
        if image.key == environment.name and any(
            image.image.variable(name) is not None or any(a.name == name for a in image.image.args)
            for name in _SETTINGS
        ):
            return False
    for file in environment.files:
        if any("index" in option.name or option.name == "--find-links" for option in file.options):
            return False
    return not any(step.fact is not None and step.fact.index_urls for step in environment.steps)
