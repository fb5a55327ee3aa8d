"""ART012 and ART013: how code and builds come by what they load. They hold without an artifact, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Service
from auditor.findings import Severity
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.linking.downloads import Fetch


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
    for _, unsafe in unsafe_loads(service):
        if unsafe is None:
            yield rule.passed()
            continue
        if not unsafe.foreign and unsafe.path.rsplit("/", 1)[-1] in judged:
            # The bytes that it will load are here, and judged.
            yield rule.passed()
            continue
        yield rule.finding(
            unsafe.at,
            unsafe.what + (f" (`{unsafe.path[:120]}`)" if unsafe.path else ""),
            help=unsafe.advice,
            severity=None if unsafe.foreign else Severity.LOW,
            evidence={"path": unsafe.path},
        )
