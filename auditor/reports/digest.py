"""What several reports say in the same words: groups, first things, accepted risk, counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from auditor.findings import Confidence, Finding, Severity, Stage
from auditor.values import value

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.reports import Options
    from auditor.result import ArtifactReport, AuditResult, Forecast, ServiceReport
    from auditor.source import Location

# How many further obstacles a forecast names after the one that it explains.
_OTHERS = 4


@value
class Group:
    """Findings of one rule in one file: forty unpinned lines are one group."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        return self.findings[0]

    @property
    def severity(self) -> Severity:
        return max(finding.severity for finding in self.findings)

    @property
    def broken(self) -> frozenset[tuple[str, Stage]]:
        """The (service, stage) forecasts that the group turns to no."""
        return frozenset(pair for finding in self.findings for pair in finding.breaks)


def groups(findings: Iterable[Finding]) -> tuple[Group, ...]:
    """Findings grouped by rule and file, the most harmful group first."""
    found: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        found[finding.rule, finding.at.path].append(finding)
    made = [
        Group(findings=tuple(sorted(members, key=lambda f: f.sort_key)))
        for members in found.values()
    ]
    made.sort(key=lambda g: (-g.severity, -len(g.broken), g.first.at, g.first.rule))
    return tuple(made)


@value
class FirstThing:
    """One thing to do: a rule, what to do about it and where it starts."""

    rule: str
    severity: Severity
    message: str
    help: str
    at: str
    places: int


def first_things(result: AuditResult, count: int = 3) -> tuple[FirstThing, ...]:
    """The rules to mend first: by severity, then forecasts broken, then number of places."""
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in result.active:
        if finding.severity > Severity.INFO:
            by_rule[finding.rule].append(finding)

    def urgency(members: list[Finding]) -> tuple[int, int, int, str]:
        broken = {pair for finding in members for pair in finding.breaks}
        worst = max(finding.severity for finding in members)
        return (-worst, -len(broken), -len(members), members[0].rule)

    found = []
    for members in sorted(by_rule.values(), key=urgency)[:count]:
        top = min(members, key=lambda f: (-f.severity, -len(f.breaks), f.sort_key))
        found.append(
            FirstThing(
                rule=top.rule,
                severity=max(f.severity for f in members),
                message=top.message,
                help=top.help,
                at=f"{top.at.path}:{top.at.line}",
                places=len(members),
            )
        )
    return tuple(found)


def reasons(service: ServiceReport, result: AuditResult) -> tuple[tuple[str, str, str], ...]:
    """(stage, answer, reason) where a service's forecast turns no or unknown, without repeats.

    After the first no the later stages fail for the same reason and are not explained again.
    """
    forecast = service.forecast
    by_mark = {finding.fingerprint: finding for finding in result.findings if finding.fingerprint}
    said: list[tuple[str, str, str]] = []
    known: set[str] = set()
    for stage, answer in forecast.answers():
        if answer == "yes":
            continue
        reason = _reason(service.name, stage, answer, forecast, by_mark)
        if answer == "no":
            reason += _after(service.name, forecast, by_mark)
        # A later stage without a reason of its own waits for the earlier ones.
        if reason and reason not in known:
            known.add(reason)
            said.append((stage, answer, reason))
        if answer == "no":
            break
    return tuple(said)


def _reason(
    service: str, stage: str, answer: str, forecast: Forecast, by_mark: Mapping[str, Finding]
) -> str:
    if answer == "unknown":
        open_links = [reason for name, reason in forecast.unresolved if name == stage]
        if forecast.unresolved and not open_links:
            return ""
        return open_links[0] if open_links else "a link that could not be resolved"
    worst = _worst(service, stage, forecast, by_mark)
    if worst is None:
        return "no single finding says why"
    return f"{worst.message} ({worst.rule}, {worst.at.path}:{worst.at.line})"


def _worst(
    service: str, stage: str, forecast: Forecast, by_mark: Mapping[str, Finding]
) -> Finding | None:
    """The finding that explains a stage that fails."""
    guilty = [by_mark[mark] for mark in forecast.because if mark in by_mark]
    at_stage = [f for f in guilty if (service, Stage[stage.upper()]) in f.breaks] or guilty
    return min(at_stage, key=lambda f: (-f.severity, f.sort_key), default=None)


def _after(service: str, forecast: Forecast, by_mark: Mapping[str, Finding]) -> str:
    """What else stands in the way, so that the first fix is not followed by the next surprise."""
    first = next((stage for stage, answer in forecast.answers() if answer == "no"), "")
    explained = _worst(service, first, forecast, by_mark)
    if explained is None:
        return ""
    others = sorted(
        (min(stage for name, stage in finding.breaks if name == service), finding.sort_key, finding)
        for finding in by_mark.values()
        if finding is not explained
        and finding.suppressed is None
        and finding.confidence >= Confidence.LIKELY
        and any(name == service for name, _ in finding.breaks)
    )
    places = list(dict.fromkeys(_place(f) for _, _, f in others))
    # Of one rule at one line: it is mended with the first.
    places = [place for place in places if place != _place(explained)]
    if not places:
        return ""
    more = f" and {len(places) - _OTHERS} more" if len(places) > _OTHERS else ""
    return f"; once that is mended: {', '.join(places[:_OTHERS])}{more}"


def _place(finding: Finding) -> str:
    return f"{finding.rule} {finding.at.path}:{finding.at.line}"


def quote(result: AuditResult, at: Location) -> str | None:
    """The source line at a location; None where there is none, or the whole file is meant."""
    if (at.line, at.column, at.end_line, at.end_column) == (1, 1, 1, 1):
        return None
    return result.quotes.get((at.path, at.line))


def accepted(result: AuditResult) -> int:
    """How many findings somebody accepted."""
    return sum(
        finding.suppressed is not None and finding.suppressed.by != "rehearsal"
        for finding in result.findings
    )


def worst_first(result: AuditResult) -> tuple[ArtifactReport, ...]:
    """The artifacts, those first that are not safe to load."""
    order = ("dangerous", "suspicious", "unreadable", "safe")
    return tuple(sorted(result.artifacts, key=lambda a: (order.index(a.verdict), a.path)))


def verdicts(result: AuditResult) -> dict[str, int]:
    """How many artifacts there are of each verdict, worst first."""
    found: dict[str, int] = {}
    for artifact in worst_first(result):
        found[artifact.verdict] = found.get(artifact.verdict, 0) + 1
    return found


def withdrawn(result: AuditResult) -> tuple[Finding, ...]:
    """Findings that a rehearsal refuted."""
    return tuple(
        f for f in result.findings if f.suppressed is not None and f.suppressed.by == "rehearsal"
    )


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Findings per severity, worst first, without the severities that have none."""
    found = list(findings)
    return {
        severity.label: number
        for severity in sorted(Severity, reverse=True)
        if (number := sum(f.severity == severity for f in found))
    }


def plural(number: int, noun: str) -> str:
    """The number and its noun ("1 file", "2 files")."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def line_ranges(numbers: Iterable[int]) -> str:
    """Line numbers in short: "3, 5-41"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def catalogue(options: Options) -> Mapping[str, Rule]:
    """The rules a report may quote."""
    if options.rules is not None:
        return options.rules
    from auditor.catalog import rules

    return rules()


def card_of(options: Options, rule: str) -> str:
    """The Markdown body of a rule's card, empty when it has none."""
    from auditor.catalog import card_text

    try:
        return (options.card or card_text)(rule)
    except (KeyError, OSError):
        return ""
