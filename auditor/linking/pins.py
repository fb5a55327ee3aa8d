"""Whether the pins of one installation can be installed together, as far as a table knows.

Knowledge: ``rules/knowledge/requirements.json`` (what some releases of common distributions
require). Of a release between two of the table it is believed what both of them refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from auditor import versions
from auditor.catalog import knowledge
from auditor.deployment.model import Conflict, Environment, InstallStep
from auditor.linking.symbols import numbers
from auditor.parsers import locks
from auditor.parsers.requirements import Requirement, parse_requirement
from auditor.source import Location

_NOWHERE = Location("")


@lru_cache(maxsize=512)
def required(name: str, version: str) -> tuple[tuple[Requirement, ...], ...]:
    """What a release is known to require; of one between two of the table, what those require."""
    releases: dict[str, list[str]] = knowledge("requirements.json")["releases"].get(name, {})
    if version in releases:
        return (_read(releases[version]),)
    below = [v for v in releases if numbers(v) < numbers(version)]
    above = [v for v in releases if numbers(v) > numbers(version)]
    if not below or not above:
        return ()
    return _read(releases[below[-1]]), _read(releases[above[0]])


def _read(texts: list[str]) -> tuple[Requirement, ...]:
    found = (parse_requirement(text, lambda start, end: _NOWHERE) for text in texts)
    return tuple(item for item in found if isinstance(item, Requirement) and item.specifier)


def _refusal(
    name: str, version: str, other: str, pinned: str, markers: Mapping[str, str]
) -> Requirement | None:
    """What a release requires of another distribution, where its pin is not that."""
    found: Requirement | None = None
    for needs in required(name, version):
        refused = [
            need
            for need in needs
            if need.key == other
            and versions.admits(need.specifier, pinned) is False
            and (not need.marker or need.applies(markers) is True)
        ]
        if not refused:
            return None
        found = found or refused[0]
    return found


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
        for other in sorted({need.key for needs in required(name, version) for need in needs}):
            held = pinned.get(other)
            need = _refusal(name, version, other, held, markers) if held is not None else None
            if need is None:
                continue
            wanted = f"{other}{need.specifier}"
            parts = ((f"{name} {version}", wanted), ("", f"{other}=={held}"))
            yield Conflict(name=other, parts=parts)
