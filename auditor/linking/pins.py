"""Whether the pins of one installation can be installed together, as far as a table knows.

Knowledge: ``rules/knowledge/requirements.json`` (what some releases of common distributions
require), and what follows from it for the releases between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from auditor import lazy_re as re
from auditor import versions
from auditor.catalog import knowledge
from auditor.deployment.model import Conflict, Environment, InstallStep
from auditor.linking import distributions, wheels
from auditor.linking.symbols import numbers
from auditor.parsers import locks
from auditor.parsers.requirements import Requirement, parse_requirement
from auditor.source import Location
from auditor.values import replace, value

_NOWHERE = Location("")


# Of a clause, whether it says how old and how new a release may be.
_OLDEST = frozenset({"==", "~=", ">=", ">"})
_NEWEST = frozenset({"==", "<=", "<"})
_CLAUSE = re.compile(r"(==|~=|>=|<=|>|<)\s*([0-9][0-9.]*?)(?:\.\*)?$")


@value
class _Release:
    """What a release requires of another one: ``oldest`` and ``newest`` of a neighbour in the table."""

    known: tuple[Requirement, ...] = ()
    below: tuple[Requirement, ...] = ()
    above: tuple[Requirement, ...] = ()


@lru_cache(maxsize=512)
def _required(name: str, version: str) -> _Release:
    near = distributions.around(name, version)
    if near is None:
        return _Release()
    below, above = near
    if below is above:
        return _Release(known=_read(below))
    return _Release(below=_read(below), above=_read(above))


def _read(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Requirements as metadata has them; what older metadata puts in brackets is without these."""
    found = (parse_requirement(text, lambda start, end: _NOWHERE) for text in texts)
    return tuple(
        replace(item, specifier=item.specifier.strip("() \t"))
        for item in found
        if isinstance(item, Requirement)
    )


def _asked(
    needs: tuple[Requirement, ...], name: str, markers: Mapping[str, str]
) -> Iterator[Requirement]:
    for need in needs:
        if (
            need.key == name
            and need.specifier
            and (not need.marker or need.applies(markers) is True)
        ):
            yield need


def _refusal(
    name: str, version: str, other: str, pinned: str, markers: Mapping[str, str]
) -> str | None:
    """What a release requires of another distribution, where its pin is not that.

    Limits only move up from release to release: what is older than an earlier release wants, or newer
    than a later one, the release between them refuses as well.
    """
    release = _required(name, version)
    for need in _asked(release.known, other, markers):
        if versions.admits(need.specifier, pinned) is False:
            return need.specifier
    both = list(_asked(release.below, other, markers)), list(_asked(release.above, other, markers))
    if not all(both):
        return None
    for needs, operators in zip(both, (_OLDEST, _NEWEST), strict=True):
        for need in needs:
            for clause in need.specifier.split(","):
                match = _CLAUSE.fullmatch(clause.strip())
                if match is None or match[1] not in operators:
                    continue
                limit, mine = numbers(match[2]), numbers(pinned)
                if operators is _OLDEST and _padded(mine) < _padded(limit):
                    return f">={match[2]}"
                if operators is _NEWEST and mine[: len(limit)] > limit:
                    return f"<={match[2]}"
    return None


def release(environment: Environment, name: str) -> tuple[str, str] | None:
    """(release, by whom) that is installed, or that pip would take today; None where that is not sure.

    By whom is empty for what the project itself asks for.
    """
    installed = environment.installed
    version = installed.version(name) if installed is not None else None
    version = version or _today(environment, name)
    return (version, "") if version is not None else _brought(environment, name)


def _today(environment: Environment, name: str) -> str | None:
    """What an open requirement of the project's own resolves to; None where that is not sure."""
    installed, python = environment.installed, environment.python
    asked = environment.find(name)
    if installed is None or python is None or not asked or environment.locked or installed.closed:
        return None
    if not installed.complete or any(i.fact.url or i.fact.vcs or i.fact.path for i in asked):
        return None
    there = installed.distributions.get(name)
    if there is None or there.via == "the base image":
        return None
    if any(c.key == name for c in environment.constraints):
        return None
    for other in environment.requirements:
        # An older release of another one may keep it back.
        old = other.version is not None or bool(other.fact.specifier)
        if other.key != name and old and distributions.requires(other.key, name):
            return None
    specifier = ",".join(i.fact.specifier for i in asked if i.fact.specifier)
    found = wheels.newest(name, specifier, python.version)
    if found is None:
        found = distributions.newest(name)
        minor = python.version.split(".")[1:2]
        if found is None or not minor or not minor[0].isdigit() or int(minor[0]) < 9:
            return None  # an old interpreter gets an older release
        if specifier and versions.admits(specifier, found) is not True:
            return None
    return found


def _brought(environment: Environment, name: str) -> tuple[str, str] | None:
    """(release, by whom) that pip takes today of what only other requirements ask for.

    None where one of them is not known well enough to say what it allows.
    """
    installed, python = environment.installed, environment.python
    if installed is None or python is None or not installed.complete or installed.closed:
        return None
    there = installed.distributions.get(name)
    if environment.locked or there is None or not there.via or there.via == "the base image":
        return None
    if installed.unknown or any(c.key == name for c in environment.constraints):
        return None
    if any(i.fact.url or i.fact.vcs or i.fact.path for i in environment.requirements):
        return None
    there_too = tuple((d.name, d.version) for d in installed.distributions.values())
    found = _newest_beside(there_too, name, python.version)
    return (found, there.via) if found is not None else None


@lru_cache(maxsize=1024)
def _newest_beside(
    installed: tuple[tuple[str, str | None], ...], name: str, python: str
) -> str | None:
    """The newest release that all of these (name, version) admit; None where one is not known."""
    markers: Mapping[str, str] = locks.marker_environment(python)
    clauses: list[str] = []
    for other, version in installed:
        wanted = _wanted(other, version, name, markers) if other != name else ()
        if wanted is None:
            return None
        clauses += wanted
    return wheels.newest(name, ",".join(clauses), python)


def _wanted(
    name: str, version: str | None, other: str, markers: Mapping[str, str]
) -> tuple[str, ...] | None:
    """The specifiers by which a release asks for ``other``; None where they are not known."""
    today = distributions.texts_of(name)
    if version is None or version == distributions.newest(name):
        # An open requirement ends at the newest release only where the interpreter can take it.
        taken = wheels.newest(name, "", markers["python_version"])
        if version is None and taken not in (None, distributions.newest(name)):
            return None
        return _specifiers(today, other, markers)
    near = distributions.around(name, version)
    if near is None:
        # Where no release that is known asks for it, this one hardly does.
        return None if _specifiers(today, other, markers) else ()
    earlier, later = (_specifiers(texts, other, markers) for texts in near)
    return earlier if earlier == later else None


def _specifiers(texts: Iterable[str], other: str, markers: Mapping[str, str]) -> tuple[str, ...]:
    """The specifiers of the requirements on ``other`` among these, an empty one included."""
    return tuple(
        item.specifier
        for item in _read(texts)
        if item.key == other and (not item.marker or item.applies(markers) is True)
    )


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
        if (
            version is not None
            and _holds(item.fact, markers)
            and item.origin in ("file", "command", "pyproject", "setup")
        ):
            pinned.setdefault(item.key, version)
    for limit in step.constraints:
        if limit.pinned_version is not None and _holds(limit, markers):
            pinned.setdefault(limit.key, limit.pinned_version)
    listed = knowledge("requirements.json")["releases"]
    for name, version in pinned.items():
        if name not in listed:
            continue
        for other, held in pinned.items():
            wanted = _refusal(name, version, other, held, markers) if other != name else None
            if wanted is not None:
                parts = ((f"{name} {version}", f"{other}{wanted}"), ("", f"{other}=={held}"))
                yield Conflict(name=other, parts=parts)
    yield from _ranges(step, pinned, markers)


def _holds(fact: Requirement, markers: Mapping[str, str]) -> bool:
    """Whether a requirement certainly counts for this interpreter."""
    return not fact.marker or fact.applies(markers) is True


def _ranges(
    step: InstallStep, pinned: Mapping[str, str], markers: Mapping[str, str]
) -> Iterator[Conflict]:
    """A range that ends before what another requirement, pinned or open above, begins with."""
    listed = knowledge("requirements.json")["releases"]
    asked = [
        i
        for i in step.requirements
        if i.origin in ("file", "command", "pyproject", "setup") and _holds(i.fact, markers)
    ]
    ends = {
        i.key: (_limits(i.fact.specifier), i.fact.specifier)
        for i in asked
        if i.key not in pinned and i.fact.specifier
    }
    for item in asked:
        oldest = pinned.get(item.key) or _oldest_text(item.fact.specifier)
        if oldest is None or item.key not in listed:
            continue
        release = _required(item.key, oldest)
        for other, ((_, newest), text) in ends.items():
            if other == item.key or newest is None:
                continue
            # What an earlier release begins with, a later one does not go below.
            for need in _asked(release.known or release.below, other, markers):
                begins = _limits(need.specifier)[0]
                if begins is not None and _before(newest, begins):
                    who = f"{item.key} {oldest}" + ("" if item.key in pinned else " and newer")
                    wanted = need.specifier if release.known else f">={_text(begins[0])}"
                    parts = ((who, f"{other}{wanted}"), ("", f"{other}{text}"))
                    yield Conflict(name=other, parts=parts)
                    return


# A limit and whether the release itself is inside.
_Limit = tuple[tuple[int, ...], bool]


def _limits(specifier: str) -> tuple[_Limit | None, _Limit | None]:
    """(oldest, newest) that the clauses of a specifier allow; None where they do not say."""
    oldest: _Limit | None = None
    newest: _Limit | None = None
    for clause in specifier.split(","):
        match = _CLAUSE.fullmatch(clause.strip())
        if match is None:
            continue
        limit = numbers(match[2])
        wild = clause.rstrip().endswith(".*")
        if match[1] in ("==", "~=", ">=", ">"):
            low = (limit, match[1] != ">")
            oldest = low if oldest is None else max(oldest, low, key=lambda one: _padded(one[0]))
        if match[1] == "==" and not wild:
            high: _Limit = (limit, True)
        elif match[1] in ("==", "~="):
            whole = limit if match[1] == "==" else limit[:-1]
            high = ((*whole[:-1], whole[-1] + 1), False) if whole else (limit, True)
        elif match[1] in ("<", "<="):
            high = (limit, match[1] == "<=")
        else:
            continue
        newest = high if newest is None else min(newest, high, key=lambda one: _padded(one[0]))
    return oldest, newest


def _before(newest: _Limit, oldest: _Limit) -> bool:
    """Whether no release lies on both sides."""
    upper, lower = _padded(newest[0]), _padded(oldest[0])
    return upper < lower or (upper == lower and not (newest[1] and oldest[1]))


def _text(limit: tuple[int, ...]) -> str:
    return ".".join(map(str, limit))


def _padded(limit: tuple[int, ...]) -> tuple[int, ...]:
    return (*limit, 0, 0, 0, 0, 0)[:5]


def _oldest_text(specifier: str) -> str | None:
    """The release that a range begins with, as written."""
    begins = [
        match[2]
        for clause in specifier.split(",")
        if (match := _CLAUSE.fullmatch(clause.strip())) is not None and match[1] in (">=", "~=")
    ]
    return max(begins, key=lambda text: _padded(numbers(text)), default=None)
