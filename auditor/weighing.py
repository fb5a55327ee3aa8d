"""How much a finding may weigh: what nobody meets, or what the author says otherwise, is no *high*.

*High* and *critical* promise that following the repository's own way meets the failure. A check sees
one link; whether anybody takes that way is a question about the whole repository, asked here once
for all rules. A finding that does not pass stays, as medium and possible, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.findings import Confidence, Finding, Severity
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service


def weighed(findings: Iterable[Finding], deployment: Deployment) -> Iterator[Finding]:
    """The findings; those about what the repository does not deploy weigh medium at most."""
    unused, switched = {**_for_development(deployment), **deployment.unused}, deployment.switched
    idle = {s.name: why for s in deployment.services for why in [_idle(s, unused)] if why}
    for finding in findings:
        if finding.severity <= Severity.MEDIUM:
            yield finding
            continue
        why = unused.get(finding.at.path, "")
        broken = [name for name, _ in finding.breaks]
        doubts = {**switched, **idle} if finding.category == "network" else idle
        if not why and broken and all(name in doubts for name in broken):
            why = doubts[broken[0]]
        if not why and finding.rule.startswith(_OF_LOADING):
            why = _unneeded(finding.at.path, deployment)
        yield _doubted(finding, why) if why else finding


# Faults of a file that only its loading meets; what is dangerous is so to whoever loads it.
_OF_LOADING = ("CMP", "ART014", "ART015")


def _unneeded(path: str, deployment: Deployment) -> str:
    """Why nobody loads this file as it is; empty where somebody may, or nobody can tell."""
    ours = [s for s in deployment.services if s.ours and not s.is_dev]
    if not ours:
        return ""
    if any(link.link.seen.repo == path for s in ours for link in s.writes):
        return "a service writes this file itself"
    if any(_carries(service, path) for service in ours):
        return ""
    return "no image and no mount of a service has this file"


def _carries(service: Service, path: str) -> bool:
    """Whether the service's container sees this file of the repository."""
    image = service.image
    if image is None or any(link.seen.repo == path for link in service.reads):
        return True
    if service.models:  # a repository of models is read as a whole
        return True
    context = f"{image.context}/" if image.context else ""
    if path.startswith(context) and image.image.fs.locate_context(path[len(context) :]):
        return True
    sources = [m.source for m in service.mounts if m.source is not None]
    return any(s in ("", ".") or f"{path}/".startswith(f"{s.rstrip('/')}/") for s in sources)


def _for_development(deployment: Deployment) -> dict[str, str]:
    """Dockerfiles and Compose files for development, where others are there for production."""
    ours = [s for s in deployment.services if s.ours]
    shipped = {s.image.dockerfile.path for s in ours if s.image is not None and not s.is_dev}
    if not shipped:
        return {}
    why = "it is for development, tests or examples, and something else is deployed"
    found = {i.dockerfile.path: why for i in deployment.images if i.is_dev}
    found |= {s.project.files[-1]: why for s in ours if s.is_dev and s.project is not None}
    return {path: text for path, text in found.items() if path not in shipped}


def _idle(service: Service, unused: Mapping[str, str]) -> str:
    """Why nobody starts this service, where that is so."""
    if service.compose is not None and service.project is not None:
        return unused.get(service.project.files[-1], "")
    if service.origin == "dockerfile" and service.image is not None:
        return unused.get(service.image.dockerfile.path, "")
    return ""


def _doubted(finding: Finding, why: str) -> Finding:
    return replace(
        finding,
        severity=Severity.MEDIUM,
        confidence=Confidence.POSSIBLE,
        help=f"{finding.help} {why[0].upper()}{why[1:]}.".strip(),
    )
