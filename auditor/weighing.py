"""How much a finding may weigh: what nobody meets, or what the author says otherwise, is no *high*.

*High* and *critical* promise that following the repository's own way meets the failure. A check sees
one link; whether anybody takes that way is a question about the whole repository, asked here once
for all rules. A finding that does not pass stays, as medium and possible, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.findings import Confidence, Finding, Severity
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service


def weighed(findings: Iterable[Finding], deployment: Deployment) -> Iterator[Finding]:
    """The findings; those about what the repository does not deploy weigh medium at most."""
    unused, switched = {**_for_development(deployment), **deployment.unused}, deployment.switched
    idle = {s.name: why for s in deployment.services for why in [_idle(s, unused)] if why}
    idle |= {
        s.name: why for s in deployment.services for why in [_only_built(s, deployment)] if why
    }
    guessed = {
        s.name: f"nothing in the repository says from which directory {s.image.dockerfile.path} is built"
        for s in deployment.services
        if s.image is not None and s.image.context_guessed
    }
    for finding in findings:
        if finding.severity <= Severity.MEDIUM:
            yield finding
            continue
        why = unused.get(finding.at.path, "")
        broken = [name for name, _ in finding.breaks]
        doubts = {**switched, **idle} if finding.category == "network" else idle
        if not why and broken and all(name in doubts for name in broken):
            why = doubts[broken[0]]
        if not why and not broken and finding.rule.startswith(_OF_LOADING):
            why = _unneeded(finding.at.path, deployment)
        if not why and finding.rule == "ART002" and finding.severity < Severity.CRITICAL:
            why = _of_tests(finding.at.path, deployment)
        if not why and broken and all(name in guessed for name in broken):
            # Last, since it goes through the names of all files.
            why = guessed[broken[0]] if _of_context(finding, deployment) else ""
        yield _doubted(finding, why) if why else finding


# Absence of what another directory to build from would bring.
_OF_CONTEXT = frozenset({"IMG017", "IMG019", "ENV019", "PTH001", "PTH002", "PTH003"})


def _of_context(finding: Finding, deployment: Deployment) -> bool:
    """What is missing may stand in another directory to build from: the repository has its like."""
    if finding.rule not in _OF_CONTEXT and not (
        finding.rule == "IMG018" and "is not in the image" in finding.message
    ):
        return False
    named = dict(finding.evidence).get("source") or next(iter(_NAMED.findall(finding.message)), "")
    name = str(named).strip("./").rpartition("/")[2]
    likes = (name, f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py")
    return bool(name) and any(
        path.endswith(tuple(f"/{like}" for like in likes))
        or path in likes
        or f"/{name}/" in f"/{path}"
        for path in deployment.files
    )


_NAMED = re.compile(r"`([^`]+)`")


def _only_built(service: Service, deployment: Deployment) -> str:
    """A service that builds the image which others of its project run by another command."""
    own = service.compose
    if own is None or own.build is None or own.image is None:
        return ""
    for other in deployment.neighbours.siblings(service):
        same = other.compose
        if same is None or same.name == own.name or same.build is not None or same.image is None:
            continue
        if same.image.value == own.image.value and (same.command or same.entrypoint):
            return f"`{other.name}` runs the image that this service is there to build"
    return ""


def _of_tests(path: str, deployment: Deployment) -> str:
    """What is not proven harmless matters where it is loaded: a test's data is by tests alone."""
    own = next((a for a in deployment.artifacts if a.path == path), None)
    if own is None or not own.is_dev:
        return ""
    if any(link.seen.repo == path for s in deployment.services for link in s.reads):
        return ""
    return "it lies with tests or examples, and no service loads it"


# Faults of a file that only its loading meets; what is dangerous is so to whoever loads it.
_OF_LOADING = ("CMP", "ART014", "ART015")


def _unneeded(path: str, deployment: Deployment) -> str:
    """Why nobody loads this file as it is; empty where somebody may, or nobody can tell."""
    ours = [s for s in deployment.services if s.ours and not s.is_dev]
    if not ours:
        return ""
    if any(link.link.seen.repo == path for s in ours for link in s.writes):
        return "a service writes this file itself"
    having = [service for service in ours if _carries(service, path)]
    if not having:
        return "no image and no mount of a service has this file"
    if all(_loads_others(service, path) for service in having):
        return "the services that have this file load others"
    if _empty(path, deployment) and not any(
        link.seen.repo == path for service in having for link in service.reads
    ):
        return "it is empty, which is how a place is kept, and no code is seen to load it"
    return ""


def _empty(path: str, deployment: Deployment) -> bool:
    return any(a.path == path and a.facts.size == 0 for a in deployment.artifacts)


def _loads_others(service: Service, path: str) -> bool:
    """All models that its code loads are known, and this is none of them."""
    loaded = [link for link in service.reads if link.access.kind == "artifact"]
    known = all(link.seen.answer != "unknown" for link in loaded) and not service.open_links
    return bool(loaded) and known and all(link.seen.repo != path for link in loaded)


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
