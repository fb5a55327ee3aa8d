"""Production readiness as a number and as a level, both recomputable by hand.

Every rule ends the audit in one of four states:

- *failed*: it has findings. Suppressed ones count too: an accepted risk is still a risk.
- *passed*: it judged something and found nothing, and left nothing undecided.
- *undecided*: no findings, but some subject it could not judge.
- *not applicable*: it never met a subject.

The last two are in neither sum and are only counted. With ``w`` for the weight of a severity
(critical 10, high 7.5, medium 5, low 2.5, info 0):

    earned = sum of w(rule's severity) over the passed rules
    lost   = sum over the failed rules of  w1 + w2*decay + w3*decay^2 + ...
    value  = floor(100 * earned / (earned + lost)),  100 when both sums are 0

``w1 >= w2 >= ...`` are the weights of the rule's own findings, heaviest first; a finding whose
confidence is *possible* weighs half. Decay, bands and caps come from ``rules/catalog.toml``. A
critical finding caps the grade at F, and the value at the top of F's band; a high one at C.
The sums are exact fractions, so neither file order nor rounding ever moves the value.

A category's score is the same arithmetic over its rules alone. Its deductions share
``100 - uncapped value`` in proportion to what each rule lost, in tenths that add up exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Literal

from auditor.catalog import Rule, catalog
from auditor.findings import Confidence, Finding, RuleOutcome, Severity, Undecided
from auditor.result import CategoryScore, Deduction, Forecast, Score
from auditor.source import Location
from auditor.values import value

State = Literal["failed", "passed", "undecided", "not-applicable"]

# Beyond this many findings of one rule another one weighs less than a millionth of a point.
_TERMS = 48
_POSSIBLE = Fraction(1, 2)


@value
class Scheme:
    """The numbers of ``catalog.toml``: grade bands best first, caps and the decay."""

    bands: tuple[tuple[str, int], ...] = (("A", 90), ("B", 80), ("C", 65), ("D", 50))
    caps: tuple[tuple[Severity, str], ...] = ((Severity.CRITICAL, "F"), (Severity.HIGH, "C"))
    decay: Fraction = Fraction(1, 2)

    @classmethod
    def load(cls, data: Mapping[str, Any] | None = None) -> Scheme:
        """The scheme of the catalogue (or of ``data``, shaped like its ``[score]`` table)."""
        table = catalog()["score"] if data is None else data
        return cls(
            bands=tuple(sorted(table["bands"].items(), key=lambda band: -band[1])),
            caps=tuple(
                sorted(
                    ((Severity.parse(name), grade) for name, grade in table["caps"].items()),
                    reverse=True,
                )
            ),
            decay=Fraction(str(table["decay"])),
        )

    def grade(self, value: int) -> str:
        """The grade of a value; F below the lowest band."""
        return next((name for name, lowest in self.bands if value >= lowest), "F")

    def top(self, grade: str) -> int:
        """The highest value that still has this grade."""
        above = 101
        for name, lowest in self.bands:
            if name == grade:
                break
            above = lowest
        return above - 1


@value
class RuleTally:
    """What one rule adds to the sums. ``terms`` are (weight, factor) per finding, heaviest first."""

    rule: str
    category: str
    level: int
    state: State
    weight: Fraction
    terms: tuple[tuple[Fraction, Fraction], ...] = ()
    worst: Severity = Severity.INFO
    count: int = 0
    accepted: int = 0
    title: str = ""

    @property
    def earned(self) -> Fraction:
        """Weight the rule adds for having passed."""
        return self.weight if self.state == "passed" else Fraction(0)

    @property
    def lost(self) -> Fraction:
        """Weight the rule's findings take away."""
        return sum((weight * factor for weight, factor in self.terms), Fraction(0))


def finding_weight(finding: Finding) -> Fraction:
    """The weight of one finding: that of its severity, half of it when only possible."""
    weight = Fraction(str(finding.severity.weight))
    return weight * _POSSIBLE if finding.confidence is Confidence.POSSIBLE else weight


def tally(
    outcomes: Iterable[RuleOutcome],
    findings: Iterable[Finding],
    rules: Mapping[str, Rule],
    scheme: Scheme | None = None,
) -> tuple[RuleTally, ...]:
    """One entry per rule, by id: every rule in ``rules`` and every one that has findings."""
    scheme = scheme or Scheme.load()
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    passed: defaultdict[str, int] = defaultdict(int)
    undecided: defaultdict[str, int] = defaultdict(int)
    for outcome in outcomes:
        passed[outcome.rule] += outcome.passed
        undecided[outcome.rule] += outcome.undecided
    entries = []
    for rule_id in sorted(rules.keys() | by_rule.keys()):
        rule = rules.get(rule_id)
        found = by_rule.get(rule_id, ())
        state: State
        if found:
            state = "failed"
        elif undecided[rule_id]:
            state = "undecided"
        elif passed[rule_id]:
            state = "passed"
        else:
            state = "not-applicable"
        weights = sorted((finding_weight(f) for f in found), reverse=True)[:_TERMS]
        entries.append(
            RuleTally(
                rule=rule_id,
                # The card speaks for the category, so that findings cannot split a rule in two.
                category=rule.category if rule else min(f.category for f in found),
                level=rule.level if rule else 0,
                state=state,
                weight=Fraction(str(rule.severity.weight)) if rule else Fraction(0),
                terms=tuple((w, scheme.decay**k) for k, w in enumerate(weights)),
                worst=max((f.severity for f in found), default=Severity.INFO),
                count=len(found),
                accepted=sum(f.suppressed is not None for f in found),
                title=rule.title if rule else min(f.name for f in found),
            )
        )
    return tuple(entries)


def score(
    outcomes: Iterable[RuleOutcome],
    findings: Iterable[Finding],
    rules: Mapping[str, Rule],
    forecasts: Mapping[str, Forecast] | Iterable[Forecast],
    *,
    deployable: bool = True,
    undecided: Iterable[Undecided] = (),
    scheme: Scheme | None = None,
) -> Score:
    """Score an audit.

    ``findings`` holds the suppressed ones too, ``rules`` the rules that were asked for (what
    ``--select`` left), ``forecasts`` one forecast per service, by its name when more than one
    is to be told apart. ``undecided`` lends the open links the names of their rules. Without
    anything to deploy (``deployable`` false) value, grade and level are None.
    """
    scheme = scheme or Scheme.load()
    found = tuple(findings)
    entries = tally(outcomes, found, rules, scheme)
    applied = sum(entry.state in ("passed", "failed") for entry in entries)
    if not deployable:
        return Score(checks_applied=applied, checks_total=len(entries))
    earned, lost = _sums(entries)
    uncapped = _value(earned, lost)
    value, cap = _capped(uncapped, entries, scheme)
    if isinstance(forecasts, Mapping):
        named = sorted(forecasts.items())
    else:
        named = [("", forecast) for forecast in forecasts]
    rule_of = {item.reason: item.rule for item in undecided}
    level, ahead = _ladder(entries, found, named, rule_of)
    rung, needs = _rung(entries, found) if level is None and ahead else (None, ())
    return Score(
        value=value,
        grade=scheme.grade(value),
        level=level,
        categories=_categories(entries, scheme),
        earned=float(earned),
        lost=float(lost),
        cap=cap,
        checks_applied=applied,
        checks_total=len(entries),
        next_level=ahead,
        rung=rung,
        needs=needs,
    )


def explain(
    score: Score,
    outcomes: Iterable[RuleOutcome],
    findings: Iterable[Finding],
    rules: Mapping[str, Rule],
    *,
    scheme: Scheme | None = None,
) -> str:
    """The arithmetic behind a score, line by line, so that a person can redo it."""
    scheme = scheme or Scheme.load()
    if score.value is None:
        return "score: none, because there is nothing to deploy\n"
    entries = tally(outcomes, findings, rules, scheme)
    failed = sorted((e for e in entries if e.state == "failed"), key=lambda e: (-e.lost, e.rule))
    passed = [e for e in entries if e.state == "passed"]
    earned, lost = _sums(entries)
    lines = [
        "How the score is computed",
        "",
        "  weights: critical 10, high 7.5, medium 5, low 2.5, info 0",
        "  a finding whose confidence is 'possible' weighs half",
        f"  the n-th worst finding of a rule counts {_number(scheme.decay)}^(n-1) of its weight",
        "",
        f"lost: {len(failed)} failed checks",
    ]
    for entry in failed:
        note = f"; {entry.accepted} accepted risk" if entry.accepted else ""
        lines.append(f"  {entry.rule:<7} {_terms(entry)}  ({_times(entry.count)}{note})")
    lines += [f"  total   {_number(lost)}", "", f"earned: {len(passed)} passed checks"]
    by_weight: defaultdict[Fraction, list[str]] = defaultdict(list)
    for entry in passed:
        by_weight[entry.weight].append(entry.rule)
    for weight in sorted(by_weight, reverse=True):
        ids = by_weight[weight]
        total = _number(weight * len(ids))
        lines.append(f"  {len(ids)} x {_number(weight)} = {total}  ({', '.join(ids)})")
    lines += [f"  total   {_number(earned)}", ""]
    uncapped = _value(earned, lost)
    if earned + lost:
        lines.append(
            f"value: floor(100 x {_number(earned)} / ({_number(earned)} + {_number(lost)}))"
            f" = {uncapped}"
        )
    else:
        lines.append("value: nothing earned and nothing lost = 100")
    if score.cap:
        lines.append(f"cap: {score.cap}: at most {_cap_value(entries, scheme)}")
    lines.append(f"score: {score.value}, grade {score.grade}")
    lines += ["", "by category"]
    for category in score.categories:
        if category.value is None:
            lines.append(f"  {category.name}: no check applied")
            continue
        minus = "".join(f" - {d.points:.1f} {d.rule}" for d in category.deductions)
        capped = f"; {category.cap}" if category.cap else ""
        before = _uncapped_of(category)
        lines.append(f"  {category.name}: 100{minus} = {before}{capped}; grade {category.grade}")
        if category.value != before:
            lines[-1] = lines[-1].replace(capped, f"{capped}: {category.value}", 1)
    skipped = [e.rule for e in entries if e.state == "undecided"]
    lines += ["", f"{score.checks_applied} of {score.checks_total} checks applied"]
    if skipped:
        lines.append(f"undecided, so in neither sum: {', '.join(skipped)}")
    return "\n".join(lines) + "\n"


def _sums(entries: Iterable[RuleTally]) -> tuple[Fraction, Fraction]:
    earned = lost = Fraction(0)
    for entry in entries:
        earned += entry.earned
        lost += entry.lost
    return earned, lost


def _value(earned: Fraction, lost: Fraction) -> int:
    return int(100 * earned / (earned + lost)) if earned + lost else 100


def _cap(entries: Iterable[RuleTally], scheme: Scheme) -> tuple[int, str] | None:
    """(highest value allowed, why), by the strictest cap that applies."""
    failed = [entry for entry in entries if entry.state == "failed"]
    worst = max((entry.worst for entry in failed), default=Severity.INFO)
    grades = [(scheme.top(grade), grade) for severity, grade in scheme.caps if worst >= severity]
    if not grades:
        return None
    limit, grade = min(grades)
    named = sorted(entry.rule for entry in failed if entry.worst == worst)
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return limit, f"{worst.label} finding {named[0]}{more} caps the grade at {grade}"


def _capped(value: int, entries: Iterable[RuleTally], scheme: Scheme) -> tuple[int, str | None]:
    cap = _cap(entries, scheme)
    if cap is None or value <= cap[0]:
        return value, None
    return cap


def _cap_value(entries: Iterable[RuleTally], scheme: Scheme) -> int:
    cap = _cap(entries, scheme)
    return cap[0] if cap else 100


def _categories(entries: Iterable[RuleTally], scheme: Scheme) -> tuple[CategoryScore, ...]:
    grouped: defaultdict[str, list[RuleTally]] = defaultdict(list)
    for entry in entries:
        grouped[entry.category].append(entry)
    found = []
    for name, members in sorted(grouped.items()):
        if not any(entry.state in ("passed", "failed") for entry in members):
            found.append(CategoryScore(name=name, value=None, grade=None))
            continue
        earned, lost = _sums(members)
        uncapped = _value(earned, lost)
        value, cap = _capped(uncapped, members, scheme)
        found.append(
            CategoryScore(
                name=name,
                value=value,
                grade=scheme.grade(value),
                deductions=_deductions(members, 100 - uncapped, lost),
                earned=float(earned),
                lost=float(lost),
                cap=cap,
            )
        )
    return tuple(found)


def _deductions(entries: Iterable[RuleTally], points: int, lost: Fraction) -> tuple[Deduction, ...]:
    """Share ``points`` in tenths in proportion to what each rule lost (largest remainder)."""
    failed = [entry for entry in entries if entry.state == "failed"]
    if not failed:
        return ()
    exact = {e.rule: points * 10 * e.lost / lost if lost else Fraction(0) for e in failed}
    tenths = {rule: int(share) for rule, share in exact.items()}
    missing = points * 10 - sum(tenths.values()) if lost else 0
    for rule in sorted(exact, key=lambda r: (tenths[r] - exact[r], r))[:missing]:
        tenths[rule] += 1
    return tuple(
        Deduction(rule=entry.rule, points=tenths[entry.rule] / 10, count=entry.count)
        for entry in sorted(failed, key=lambda e: (-e.lost, e.rule))
    )


def _uncapped_of(category: CategoryScore) -> int:
    return 100 - round(sum(round(d.points * 10) for d in category.deductions) / 10)


def _ladder(
    entries: tuple[RuleTally, ...],
    findings: tuple[Finding, ...],
    forecasts: list[tuple[str, Forecast]],
    rule_of: Mapping[str, str],
) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    """(level, what stands in the way of the next one, most effective first)."""
    answers = {answer for _, forecast in forecasts for _, answer in forecast.answers()}
    if not answers:
        return None, (("service", "no service was found whose start could be forecast"),)
    if "no" in answers:
        return 0, _breakers(findings, forecasts)
    if "unknown" in answers:
        return None, _open_links(forecasts, rule_of)
    rung, needs = _rung(entries, findings)
    return (3, ()) if rung is None else (rung - 1, needs)


def _rung(
    entries: tuple[RuleTally, ...], findings: tuple[Finding, ...]
) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    """The lowest rung that fails, and what it needs: rules, most effective first, with a place."""
    first = {f.rule: f.at for f in sorted(findings, key=lambda f: f.sort_key, reverse=True)}
    for rung in (2, 3):
        failed = [e for e in entries if e.level == rung and e.state == "failed"]
        if failed:
            failed.sort(key=lambda e: (-e.lost, e.rule))
            return rung, tuple((e.rule, f"{e.title} ({_where(e, first)})") for e in failed)
    return None, ()


def _where(entry: RuleTally, first: Mapping[str, Location]) -> str:
    at = first[entry.rule]
    more = f" and {entry.count - 1} more" if entry.count > 1 else ""
    return f"{at.path}:{at.line}{more}"


def _breakers(
    findings: tuple[Finding, ...], forecasts: list[tuple[str, Forecast]]
) -> tuple[tuple[str, str], ...]:
    because = {mark for _, forecast in forecasts for mark in forecast.because if mark}
    failing = {name for name, forecast in forecasts if forecast.predicts == "no"}
    guilty = [
        finding
        for finding in findings
        if finding.fingerprint in because
        # What breaks a later stage is met as soon as the first one is mended.
        or (
            finding.confidence >= Confidence.LIKELY
            and finding.suppressed is None
            and any(name in failing for name, _ in finding.breaks)
        )
    ] or [f for f in findings if f.breaks]
    # The one that breaks most services, and earliest, comes first.
    guilty.sort(
        key=lambda f: (
            -len({service for service, _ in f.breaks}),
            min((stage for _, stage in f.breaks), default=9),
            -f.severity,
            f.sort_key,
        )
    )
    named = tuple(dict.fromkeys((f.rule, f.message) for f in guilty))
    explained = {service for finding in guilty for service, _ in finding.breaks}
    unexplained = []
    for service, forecast in forecasts:
        first = next((stage for stage, answer in forecast.answers() if answer == "no"), None)
        if first and not forecast.because and service not in explained:
            unexplained.append((first, f"{_prefix(service)}{first} is forecast to fail"))
    return named + tuple(unexplained)


def _open_links(
    forecasts: list[tuple[str, Forecast]], rule_of: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """The unresolved links, the one that leaves most forecasts open first."""
    blocked: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for service, forecast in forecasts:
        reasons = dict(reversed(forecast.unresolved))
        for stage, answer in forecast.answers():
            # A later stage without a reason of its own waits for the earlier ones.
            if answer == "unknown" and (stage in reasons or not reasons):
                blocked[reasons.get(stage, "not decided")].append((service, stage))
    order = sorted(blocked.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        (rule_of.get(reason, places[0][1]), f"{_prefix(places[0][0])}{reason}")
        for reason, places in order
    )


def _prefix(service: str) -> str:
    return f"{service}: " if service else ""


def _terms(entry: RuleTally) -> str:
    shown = [
        _number(weight) if factor == 1 else f"{_number(weight)} x {_number(factor)}"
        for weight, factor in entry.terms[:4]
    ]
    more = " + ..." if len(entry.terms) > len(shown) else ""
    single = len(entry.terms) == 1
    return shown[0] if single else f"{' + '.join(shown)}{more} = {_number(entry.lost)}"


def _times(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _number(value: Fraction) -> str:
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
