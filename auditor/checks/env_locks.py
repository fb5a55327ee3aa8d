"""ENV, locks: complete, in step with what was asked for, and with hashes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from auditor.catalog import Rule
from auditor.checks.environment import held_by_conda_lock, install_end, shipped
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Environment, EnvRequirement
from auditor.findings import Related, Severity
from auditor.parsers import locks
from auditor.parsers.requirements import Requirement
from auditor.source import Location


@check("ENV002")
def no_lock(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Direct requirements may be pinned, but nothing fixes what they bring along."""
    direct = list(shipped(environment))
    if environment.is_library or not direct:
        return
    if environment.locked:
        yield rule.passed()
        return
    settled = {r.key for r in direct if _is_settled(r)}
    ranged = [r for r in direct if r.key not in settled]
    if any(r.origin in ("file", "command", "conda") for r in ranged):
        # ENV001, ENV012 and ENV010 say it, line by line.
        return
    installed = environment.installed
    loose: list[str] = []
    if installed is not None:
        fixed = settled | {c.key for c in environment.constraints}
        fixed |= held_by_conda_lock(environment)
        loose = [
            n
            for n, d in installed.distributions.items()
            if n not in fixed and d.via and d.via != "the base image"
        ]
        if installed.complete and not installed.unknown and not loose:
            yield rule.passed()
            return
    first = min((r.fact.at for r in direct), default=environment.at)
    shown = ", ".join(sorted(loose)[:4])
    message = (
        f"{len(ranged)} requirement{'s are ranges' if len(ranged) > 1 else ' is a range'} and no lock "
        "fixes them"
        if ranged
        else f"the versions of what these requirements bring along are open ({shown}{', …' if len(loose) > 4 else ''})"
        if shown
        else "the versions of what these requirements bring along are open"
    )
    yield rule.finding(
        first,
        message + ": two builds of the same commit can differ",
        severity=Severity.MEDIUM if ranged else None,
        evidence={"open": sorted(loose)[:20]},
        related=install_end(direct[0]),
    )


def _is_settled(item: EnvRequirement) -> bool:
    """One release, one commit or (conda's ``=1.2``) one series."""
    return (
        item.version is not None
        or item.fact.vcs is not None
        or item.fact.url is not None
        or item.fact.path is not None
        or (item.origin == "conda" and item.fact.specifier.endswith(".*"))
    )


@check("ENV003")
def lock_without_hashes(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A lock that fixes versions but not contents."""
    if not environment.locked:
        return
    if environment.hashed:
        yield rule.passed()
        return
    first = min((r.fact.at for r in environment.requirements), default=environment.at)
    yield rule.finding(
        first,
        "the lock has no hashes: a replaced file on the index would be installed unnoticed",
    )


@check("ENV009")
def stale_lock(environment: Environment, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A lock that no longer meets what its source asks for."""
    pairs: list[tuple[locks.Lock, Iterable[Requirement]]] = [
        (c.lock, (r for r in c.asked if r.key not in _NOT_COMPILED)) for c in environment.compiled
    ]
    project = environment.pyproject
    pairs += [
        (lock, project.dependencies)
        for lock in environment.locks
        if project is not None
        and lock.kind in ("uv", "poetry", "pdm", "pylock")
        and posixpath.dirname(project.path) == posixpath.dirname(lock.path)
    ]
    for lock, asked in pairs:
        wrong = locks.disagreements(lock, asked)
        if not wrong:
            yield rule.passed()
        for item in wrong:
            yield rule.finding(
                item.requirement.at,
                f"{lock.path} is out of step: {item.message}",
                help=f"{_relock(lock, item.requirement)} and commit the result.",
                related=[
                    Related(item.locked.at if item.locked else Location(lock.path), "locked here")
                ],
            )


# pip-compile leaves them out unless told otherwise.
_NOT_COMPILED = frozenset({"pip", "setuptools", "distribute"})


def _relock(lock: locks.Lock, requirement: Requirement) -> str:
    """How the lock is brought in step."""
    if lock.kind == "pip-compile":
        return f"Compile again (`{lock.generator} {requirement.at.path}`)"
    tools = {"uv": "`uv lock`", "poetry": "`poetry lock`", "pdm": "`pdm lock`"}
    return f"Lock again ({tools.get(lock.kind, 'the lock command of the tool')})"
