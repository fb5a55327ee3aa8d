"""ART012 and ART013: how code and builds come by what they load. They hold without an artifact, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Service
from auditor.findings import Related, Severity
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.linking.downloads import Fetch
    from auditor.linking.uploads import Untrusted


@check("ART012")
def unchecked_download(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Code or build fetches a model, and nothing says that it is the one that was tested."""
    from auditor.linking.downloads import in_build, in_code

    seen: set[Location] = set()
    for fetches in (
        *(in_code(service) for service in deployment.services if not service.is_dev),
        *(in_build(image) for image in deployment.images if not image.is_dev),
    ):
        for fetch in fetches:
            if fetch is None:
                yield rule.passed()
            elif fetch.at not in seen:
                seen.add(fetch.at)
                yield _fetched(fetch, rule)


def _fetched(fetch: Fetch, rule: Rule) -> Outcome:
    what = f"`{fetch.source[:120]}`" if fetch.source else "a model"
    return rule.finding(
        fetch.at,
        f"`{fetch.tool}` takes {what} as it is on that day: "
        + (
            "no revision is given, and the branch moves"
            if fetch.hub
            else "no checksum says that it is the one that was tested"
        ),
        help=fetch.advice,
        severity=Severity.LOW if fetch.hub else None,
        evidence={"tool": fetch.tool, "source": fetch.source},
    )


@check("ART013")
def unsafe_load(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A load that runs code from the file, though a safer one is at hand."""
    from auditor.linking.downloads import unsafe_loads

    judged = {artifact.path.rsplit("/", 1)[-1] for artifact in deployment.artifacts}
    untrusted = _untrusted(service)
    for load in untrusted.values():
        yield _brought(load, rule)
    for _, unsafe in unsafe_loads(service):
        if unsafe is None:
            yield rule.passed()
            continue
        if not unsafe.foreign and unsafe.path.rsplit("/", 1)[-1] in judged:
            # The bytes that it will load are here, and judged.
            yield rule.passed()
            continue
        if unsafe.at in untrusted:
            continue
        yield rule.finding(
            unsafe.at,
            unsafe.what + (f" (`{unsafe.path[:120]}`)" if unsafe.path else ""),
            help=unsafe.advice,
            severity=None if unsafe.foreign else Severity.LOW,
            evidence={"path": unsafe.path},
        )


def _untrusted(service: Service) -> dict[Location, Untrusted]:
    """Loads of uploads, request bodies and downloads that never were a file of the image."""
    from auditor.linking.uploads import untrusted_loads

    found = service.environment.find("torch") if service.environment is not None else ()
    old = any(_before_2_6(requirement.version) for requirement in found)
    return {load.at: load for load in untrusted_loads(service.module_facts, torch_executes=old)}


def _brought(load: Untrusted, rule: Rule) -> Outcome:
    request = load.kind == "request"
    return rule.finding(
        load.at,
        f"`{load.loader}` unpickles {load.source}: "
        + (
            "whoever may send a request runs code in the service"
            if request
            else "who changes what is fetched runs code here"
        ),
        help=load.advice,
        related=()
        if load.source_at == load.at
        else (Related(at=load.source_at, message="here it comes in"),),
        severity=Severity.HIGH if request else None,
        evidence={"loader": load.loader, "source": load.source},
    )


def _before_2_6(version: str | None) -> bool:
    """``torch.load`` takes weights only since then, unless told otherwise."""
    parts = (version or "9").split(".")[:2]
    return all(part.isdecimal() for part in parts) and tuple(map(int, parts)) < (2, 6)
