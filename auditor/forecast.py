"""builds · starts · reachable · predicts: what will happen to each service, and because of what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.findings import Confidence, Finding, Stage, Undecided
from auditor.result import Answer, Forecast
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment, Service


def waited_for(findings: Iterable[Finding], deployment: Deployment) -> Iterator[Finding]:
    """The findings, each breaking as well what Compose starts only when its service did well."""
    neighbours = deployment.neighbours
    waiting = {s.name: [w.name for w in neighbours.waiting(s)] for s in deployment.services}
    # A job is to end.
    ends = {f.at for s in deployment.services for f in s.faults if f.kind == "no-command"}
    for finding in findings:
        more = dict.fromkeys(
            (name, Stage.STARTS)
            for broken, stage in finding.breaks
            if stage is Stage.STARTS and finding.at not in ends
            for name in waiting.get(broken, ())
        )
        added = tuple(pair for pair in more if pair not in finding.breaks)
        yield replace(finding, breaks=(*finding.breaks, *added)) if added else finding


def forecasts(
    services: Iterable[Service], findings: Iterable[Finding], undecided: Iterable[Undecided]
) -> dict[str, Forecast]:
    """The four answers for each service, by its name.

    A likely or certain finding that breaks a stage says *no*, and every later stage is then
    *no* as well. A possible one, or a link that stayed open, leaves it *unknown*; and what
    follows an unknown stage is at best unknown. *Yes* means that every link was resolved.
    """
    broken: dict[tuple[str, Stage], list[Finding]] = {}
    open_links: dict[tuple[str, Stage], list[str]] = {}
    for finding in findings:
        for pair in finding.breaks if finding.suppressed is None else ():
            if finding.confidence >= Confidence.LIKELY:
                broken.setdefault(pair, []).append(finding)
            else:
                open_links.setdefault(pair, []).append(f"{finding.rule}: {finding.message}")
    for item in undecided:
        for pair in item.blocks:
            open_links.setdefault(pair, []).append(item.reason)
    found = {}
    for service in services:
        for stage, reason in service.open_links:
            open_links.setdefault((service.name, stage), []).append(reason)
        found[service.name] = _forecast(
            {stage: broken.get((service.name, stage), []) for stage in Stage},
            {stage: open_links.get((service.name, stage), []) for stage in Stage},
        )
    return found


def _forecast(
    broken: Mapping[Stage, Sequence[Finding]], open_links: Mapping[Stage, Sequence[str]]
) -> Forecast:
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
