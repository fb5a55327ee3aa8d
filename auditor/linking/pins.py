"""Whether the pins of one installation can be installed together, as far as a table knows.

Knowledge: ``rules/knowledge/requirements.json`` (what some releases of common distributions
require). Between two releases of the table, what both state word for word holds as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor.catalog import knowledge
from auditor.deployment.model import Conflict, Environment, InstallStep
from auditor.linking.symbols import numbers
from auditor.parsers import locks
from auditor.parsers.requirements import Requirement, parse_requirement
from auditor.source import Location

_NOWHERE = Location("")


@lru_cache(maxsize=512)
def required(name: str, version: str) -> tuple[Requirement, ...]:
    """What a release is known to require; nothing where the table does not reach."""
    releases: dict[str, list[str]] = knowledge("requirements.json")["releases"].get(name, {})
    texts = releases.get(version)
    if texts is None:
        below = [v for v in releases if numbers(v) < numbers(version)]
        above = [v for v in releases if numbers(v) > numbers(version)]
        if not below or not above:
            return ()
        later = set(releases[above[0]])
        texts = [text for text in releases[below[-1]] if text in later]
    found = (parse_requirement(text, lambda start, end: _NOWHERE) for text in texts)
    return tuple(item for item in found if isinstance(item, Requirement) and item.specifier)


def conflicts(environment: Environment) -> Iterator[Conflict]:
    """Pins that pip refuses because another pin of the same command requires something else."""
    python = environment.python.version if environment.python is not None else None
    markers: Mapping[str, str] = locks.marker_environment(python) if python else {}
    for step in environment.steps:
        fact = step.fact
        if not step.shipped or (fact is not None and fact.no_deps):
            continue
        yield from _of_step(step, markers)


def _of_step(step: InstallStep, markers: Mapping[str, str]) -> Iterator[Conflict]:
    pinned: dict[str, str] = {}
    for item in step.requirements:
        version = item.fact.pinned_version
        if version is not None and item.origin in ("file", "command", "pyproject", "setup"):
            pinned.setdefault(item.key, version)
    for limit in step.constraints:
        if limit.pinned_version is not None:
            pinned.setdefault(limit.key, limit.pinned_version)
    for name, version in pinned.items():
        for need in required(name, version):
            other = pinned.get(need.key)
            if other is None or need.allows(other) is not False:
                continue
            if need.marker and need.applies(markers) is not True:
                continue
            yield Conflict(
                name=need.key,
                parts=((f"{name} {version}", f"{need.key}{need.specifier}"),
                       ("", f"{need.key}=={other}")),
            )  # fmt: skip
