"""builds · starts · reachable · predicts: what will happen to each service, and because of what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.findings import Confidence, Finding, Stage, Undecided
from auditor.result import Answer, Forecast
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Service


def waited_for(findings: Iterable[Finding], services: Sequence[Service]) -> Iterator[Finding]:
    """The findings, each breaking as well what Compose starts only when its service did well."""
    waiting: dict[str, list[str]] = {}
    # A job is to end.
    ends = {f.at for s in services for f in s.faults if f.kind == "no-command"}
    for service in services:
        for dependency in service.compose.depends_on if service.compose is not None else ():
            if not dependency.required or dependency.condition == "service_started":
                continue
            for other in services:
                if other.project is service.project and (
                    other.compose is not None and other.compose.name == dependency.service
                ):
                    waiting.setdefault(other.name, []).append(service.name)
    for finding in findings:
        more = dict.fromkeys(
            (name, Stage.STARTS)
            for broken, stage in finding.breaks
            if stage is Stage.STARTS and finding.at not in ends
            for name in waiting.get(broken, ())
        )
        added = tuple(pair for pair in more if pair not in finding.breaks)
        yield replace(finding, breaks=(*finding.breaks, *added)) if added else finding


def forecast(
    service: Service, findings: Iterable[Finding], undecided: Iterable[Undecided]
) -> Forecast:
    """The four answers for one service.

    A likely or certain finding that breaks a stage says *no*, and every later stage is then
    *no* as well. A possible one, or a link that stayed open, leaves it *unknown*; and what
    follows an unknown stage is at best unknown. *Yes* means that every link was resolved.
    """
    broken: dict[Stage, list[Finding]] = {stage: [] for stage in Stage}
    open_links: dict[Stage, list[str]] = {stage: [] for stage in Stage}
    for finding in findings:
        for name, stage in finding.breaks:
            if name != service.name or finding.suppressed is not None:
                continue
            if finding.confidence >= Confidence.LIKELY:
                broken[stage].append(finding)
            else:
                open_links[stage].append(f"{finding.rule}: {finding.message}")
    for item in undecided:
        for name, stage in item.blocks:
            if name == service.name:
                open_links[stage].append(item.reason)
    for stage, reason in service.open_links:
        open_links[stage].append(reason)

    answers: dict[Stage, Answer] = {}
    because: list[str] = []
    unresolved: list[tuple[str, str]] = []
    previous: Answer = "yes"
    for stage in Stage:
        if previous == "no":
            answers[stage] = "no"
            continue
        if broken[stage]:
            answers[stage] = "no"
            because.extend(f.fingerprint for f in broken[stage])
        elif open_links[stage] or previous == "unknown":
            answers[stage] = "unknown"
            reasons = dict.fromkeys(open_links[stage])
            unresolved.extend((stage.label, reason) for reason in reasons)
        else:
            answers[stage] = "yes"
        previous = answers[stage]
    return Forecast(
        builds=answers[Stage.BUILDS],
        starts=answers[Stage.STARTS],
        reachable=answers[Stage.REACHABLE],
        predicts=answers[Stage.PREDICTS],
        because=tuple(dict.fromkeys(because)),
        unresolved=tuple(unresolved),
    )
