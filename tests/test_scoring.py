"""The promises of the score, each as a property over arbitrary audits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditor.catalog import Rule
from auditor.findings import (
    Confidence,
    Finding,
    RuleOutcome,
    Severity,
    Stage,
    Suppression,
    Undecided,
)
from auditor.result import Forecast, Score
from auditor.scoring import Scheme, explain, finding_weight, score, tally
from auditor.source import Location

SCHEME = Scheme()
YES = Forecast(builds="yes", starts="yes", reachable="yes", predicts="yes")
NO = Forecast(builds="yes", starts="no", reachable="no", predicts="no")
OPEN = replace(YES, predicts="unknown", unresolved=(("predicts", "no endpoint was found"),))

RULES = {
    f"{family}{number:03}": Rule(
        id=f"{family}{number:03}",
        name=f"rule-{family}-{number}".lower(),
        title=f"rule {number} of {family}",
        category=family.lower(),
        severity=severity,
        confidence=Confidence.CERTAIN,
        since="0.1.0",
        help="mend it",
        level=number % 4,
    )
    for family in ("ENV", "IMG", "OPS")
    for number, severity in enumerate(Severity)
}


def finding(
    rule: str = "ENV002",
    severity: Severity = Severity.MEDIUM,
    confidence: Confidence = Confidence.CERTAIN,
    line: int = 1,
    **more: object,
) -> Finding:
    values = {
        "rule": rule,
        "name": f"name of {rule}",
        "category": rule[:3].lower(),
        "severity": severity,
        "confidence": confidence,
        "message": f"{rule} at {line}",
        "at": Location("file", line),
    }
    return Finding(**{**values, **more})


findings_ = st.builds(
    finding,
    rule=st.sampled_from([*RULES, "XXX001"]),
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Confidence),
    line=st.integers(1, 50),
    suppressed=st.sampled_from([None, Suppression(by="comment", reason="known")]),
)
outcomes_ = st.dictionaries(
    st.sampled_from(list(RULES)), st.sampled_from(["passed", "undecided", "both", "silent"])
).map(
    lambda states: tuple(
        RuleOutcome(
            rule=rule,
            passed=int(state in ("passed", "both")),
            undecided=int(state in ("undecided", "both")),
        )
        for rule, state in states.items()
    )
)
audits = st.tuples(st.lists(findings_, max_size=14), outcomes_)


def judge(findings: object, outcomes: object = (), forecast: Forecast = YES) -> Score:
    return score(outcomes, findings, RULES, {"api": forecast}, scheme=SCHEME)  # type: ignore[arg-type]


def passing(*rules: str) -> tuple[RuleOutcome, ...]:
    return tuple(RuleOutcome(rule=rule, passed=1) for rule in rules)


def values(judged: Score) -> dict[str, int | None]:
    return {"": judged.value, **{c.name: c.value for c in judged.categories}}


def not_lower(after: Score, before: Score) -> None:
    assert after.value is not None and before.value is not None
    assert after.value >= before.value
    now = values(after)
    for name, value in values(before).items():
        # A category that no check is left to judge has no value to compare.
        if value is not None and now.get(name) is not None:
            assert now[name] >= value  # type: ignore[operator]


@given(audits, st.data())
def test_fixing_a_finding_never_lowers(audit, data):
    findings, outcomes = audit
    assume(findings)
    gone = data.draw(st.integers(0, len(findings) - 1))
    left = findings[:gone] + findings[gone + 1 :]
    not_lower(judge(left, outcomes), judge(findings, outcomes))


@given(audits, st.data(), st.sampled_from(["passed", "undecided", "not-applicable"]))
def test_fixing_the_last_finding_never_lowers_whatever_the_rule_becomes(audit, data, becomes):
    findings, outcomes = audit
    assume(findings)
    rule = data.draw(st.sampled_from(findings)).rule
    left = [f for f in findings if f.rule != rule]
    others = tuple(o for o in outcomes if o.rule != rule)
    after = {
        "passed": (*others, RuleOutcome(rule=rule, passed=1)),
        "undecided": (*others, RuleOutcome(rule=rule, undecided=1)),
        "not-applicable": others,
    }[becomes]
    not_lower(judge(left, after), judge(findings, outcomes))


@given(audits, findings_)
def test_a_new_finding_never_raises(audit, new):
    findings, outcomes = audit
    not_lower(judge(findings, outcomes), judge([*findings, new], outcomes))


@given(audits, st.randoms())
def test_order_does_not_matter(audit, random):
    findings, outcomes = audit
    shuffled, mixed = list(findings), list(outcomes)
    random.shuffle(shuffled)
    random.shuffle(mixed)
    assert judge(shuffled, mixed) == judge(findings, outcomes)
    assert explain(judge(findings, outcomes), mixed, shuffled, RULES, scheme=SCHEME) == explain(
        judge(findings, outcomes), outcomes, findings, RULES, scheme=SCHEME
    )


@given(audits, st.sampled_from(Severity), st.sampled_from(Confidence))
def test_a_worse_severity_never_raises(audit, severity, confidence):
    findings, outcomes = audit
    assume(findings)
    first = findings[0]
    worse = replace(
        first,
        severity=max(first.severity, severity),
        confidence=max(first.confidence, confidence),
    )
    not_lower(judge(findings, outcomes), judge([worse, *findings[1:]], outcomes))


@given(st.sampled_from([s for s in Severity if s]), st.sampled_from(Confidence))
def test_the_tenth_occurrence_costs_less_than_the_first(severity, confidence):
    same = [finding("ENV002", severity, confidence, line) for line in range(1, 11)]
    lost = [judge(same[:n]).lost for n in range(11)]
    steps = [after - before for before, after in pairwise(lost)]
    assert all(later < earlier for earlier, later in pairwise(steps))
    assert steps[9] == steps[0] / 2**9 > 0


@given(audits)
def test_a_rule_that_does_not_apply_is_neutral(audit):
    findings, outcomes = audit
    extra = Rule(
        id="ONX001",
        name="onnx",
        title="onnx",
        category="onnx",
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        since="0.1.0",
        help="",
        level=2,
    )
    without = judge(findings, outcomes)
    for outcome in (RuleOutcome(rule="ONX001"), RuleOutcome(rule="ONX001", undecided=3)):
        with_it = score(
            (*outcomes, outcome),
            findings,
            {**RULES, "ONX001": extra},
            {"api": YES},
            scheme=SCHEME,
        )
        assert with_it.checks_total == without.checks_total + 1
        [onnx] = [c for c in with_it.categories if c.name == "onnx"]
        assert (onnx.value, onnx.grade) == (None, None)
        others = tuple(c for c in with_it.categories if c.name != "onnx")
        assert replace(with_it, categories=others, checks_total=0) == replace(
            without, checks_total=0
        )


@given(audits)
def test_caps(audit):
    findings, outcomes = audit
    judged = judge(findings, outcomes)
    worst = max((f.severity for f in findings), default=Severity.INFO)
    if worst is Severity.CRITICAL:
        assert judged.grade == "F" and judged.value <= 49
    elif worst is Severity.HIGH:
        assert judged.grade in "CDF" and judged.value <= 79
    for category in judged.categories:
        inside = [f.severity for f in findings if f.category == category.name]
        if Severity.CRITICAL in inside:
            assert category.grade == "F"


@given(audits)
def test_deductions_add_up_and_the_value_is_recomputable(audit):
    findings, outcomes = audit
    judged = judge(findings, outcomes)
    for category in judged.categories:
        if category.value is None:
            assert category.deductions == ()
            continue
        tenths = sum(round(d.points * 10) for d in category.deductions)
        uncapped = 100 - Fraction(tenths, 10)
        if category.cap is None:
            assert category.value == uncapped
        else:
            assert category.value < uncapped and category.value == (
                49 if category.grade == "F" else 79
            )
        for deduction in category.deductions:
            assert deduction.count == sum(f.rule == deduction.rule for f in findings)
    if judged.cap is None:
        total = Fraction(judged.earned) + Fraction(judged.lost)
        expected = int(100 * Fraction(judged.earned) / total) if total else 100
        assert judged.value == expected


@given(audits)
def test_suppressed_findings_keep_their_weight(audit):
    findings, outcomes = audit
    accepted = [replace(f, suppressed=Suppression(by="config", reason="r")) for f in findings]
    bare = [replace(f, suppressed=None) for f in findings]
    assert judge(accepted, outcomes) == judge(bare, outcomes)


def test_by_hand():
    found = [
        finding("ENV002", Severity.MEDIUM, line=1),
        finding("ENV002", Severity.MEDIUM, line=2),
        finding("IMG001", Severity.LOW, Confidence.POSSIBLE),
    ]
    judged = judge(found, passing("ENV003", "OPS001"))
    # earned 7.5 + 2.5; lost 5 + 5/2 + 2.5/2
    assert (judged.earned, judged.lost) == (10.0, 8.75)
    assert (judged.value, judged.grade) == (53, "D")
    env = next(c for c in judged.categories if c.name == "env")
    assert (env.value, [(d.rule, d.points, d.count) for d in env.deductions]) == (
        50,
        [("ENV002", 50.0, 2)],
    )
    assert (judged.checks_applied, judged.checks_total) == (4, len(RULES))


def test_an_outcome_counts_as_passed_only_when_nothing_is_open():
    both = (RuleOutcome(rule="ENV003", passed=2, undecided=1),)
    assert judge([], both).earned == 0
    assert judge([], passing("ENV003")).earned == 7.5


def test_split_outcomes_of_one_rule_are_one_rule():
    split = (*passing("ENV003"), *passing("ENV003"), RuleOutcome(rule="ENV002", passed=1))
    assert judge([], split).earned == 12.5


def test_nothing_to_deploy_is_null_and_not_100():
    judged = score((), [], RULES, {}, deployable=False, scheme=SCHEME)
    assert (judged.value, judged.grade, judged.level) == (None, None, None)
    assert "nothing to deploy" in explain(judged, (), [], RULES, scheme=SCHEME)


def test_nothing_wrong_is_100():
    judged = judge([], passing(*RULES))
    assert (judged.value, judged.grade, judged.level, judged.cap) == (100, "A", 3, None)
    assert judged.next_level == ()


def test_cap_is_named():
    many = passing(*(rule for rule in RULES if rule != "ENV004"))
    judged = judge([finding("ENV004", Severity.CRITICAL)], many)
    assert (judged.value, judged.grade) == (49, "F")
    assert judged.cap == "critical finding ENV004 caps the grade at F"
    high = judge(
        [finding("ENV003", Severity.HIGH), finding("IMG000", Severity.HIGH)], passing(*RULES)
    )
    assert (high.value, high.grade) == (79, "C")
    assert high.cap == "high finding ENV003 and 1 more caps the grade at C"


@pytest.mark.parametrize(
    ("forecast", "findings", "level"),
    [
        (NO, [], 0),
        (replace(NO, predicts="unknown"), [], 0),
        (OPEN, [], None),
        (YES, ["ENV002"], 1),
        (YES, ["ENV003"], 2),
        (YES, ["ENV003", "ENV002"], 1),
        (YES, ["ENV001", "ENV004"], 3),
        (YES, [], 3),
    ],
)
def test_the_ladder(forecast, findings, level):
    judged = judge([finding(rule) for rule in findings], (), forecast)
    assert judged.level == level
    assert (judged.next_level == ()) == (level == 3)


def test_what_stands_in_the_way_comes_most_effective_first():
    light, heavy = finding("ENV002", Severity.LOW), finding("OPS002", Severity.HIGH)
    assert [rule for rule, _ in judge([light, heavy]).next_level] == ["OPS002", "ENV002"]
    one = finding("ENV001", Severity.HIGH, breaks=(("api", Stage.STARTS),))
    two = finding("IMG001", breaks=(("api", Stage.STARTS), ("worker", Stage.STARTS)))
    broken = score((), [one, two], RULES, {"api": NO, "worker": NO}, scheme=SCHEME)
    assert [rule for rule, _ in broken.next_level] == ["IMG001", "ENV001"]


def test_what_breaks_a_later_stage_stands_in_the_way_as_well():
    early = finding("ENV001", Severity.HIGH, breaks=(("api", Stage.STARTS),))
    later = finding("IMG001", breaks=(("api", Stage.PREDICTS),))
    unsure = finding("OPS002", confidence=Confidence.POSSIBLE, breaks=(("api", Stage.PREDICTS),))
    no = replace(NO, because=(early.fingerprint,))
    assert [rule for rule, _ in judge([later, early, unsure], (), no).next_level] == [
        "ENV001",
        "IMG001",
    ]


def test_open_links_are_named_once_with_the_widest_first():
    wide = replace(
        OPEN,
        starts="unknown",
        unresolved=(("starts", "the command"), ("predicts", "the command")),
    )
    judged = score((), [], RULES, {"a": OPEN, "b": wide}, scheme=SCHEME)
    assert judged.level is None
    assert judged.next_level == (
        ("starts", "b: the command"),
        ("predicts", "a: no endpoint was found"),
    )


def test_forecasts_without_names_and_links_with_rules():
    link = Undecided(rule="SRV004", reason="no endpoint was found")
    judged = score((), [], RULES, [OPEN], undecided=[link], scheme=SCHEME)
    assert judged.next_level == (("SRV004", "no endpoint was found"),)


def test_a_later_stage_without_a_reason_waits_for_the_earlier_one():
    waiting = replace(OPEN, starts="unknown", unresolved=(("starts", "the command"),))
    assert judge([], (), waiting).next_level == (("starts", "api: the command"),)


def test_no_without_a_finding_still_says_what_fails():
    assert judge([], (), NO).next_level == (("starts", "api: starts is forecast to fail"),)


def test_no_service_leaves_the_level_open():
    judged = score(passing("ENV002"), [], RULES, {}, scheme=SCHEME)
    assert (judged.value, judged.level) == (100, None)
    assert "no service" in judged.next_level[0][1]


def test_explain_shows_the_arithmetic():
    found = [finding("ENV002", line=n) for n in range(1, 7)]
    found.append(replace(finding("IMG001", Severity.LOW), suppressed=Suppression(by="comment")))
    outcomes = passing("ENV003", "OPS003")
    text = explain(judge(found, outcomes), outcomes, found, RULES, scheme=SCHEME)
    assert "ENV002  5 + 5 x 0.5 + 5 x 0.25 + 5 x 0.125 + ... = 9.8438  (6 places)" in text
    assert "IMG001  2.5  (1 place; 1 accepted risk)" in text
    assert "2 x 7.5 = 15  (ENV003, OPS003)" in text
    assert "value: floor(100 x 15 / (15 + 12.3438)) = 54" in text
    assert "4 of 15 checks applied" in text


def test_explain_shows_the_cap():
    found = [finding("ENV004", Severity.CRITICAL)]
    outcomes = passing(*(rule for rule in RULES if rule != "ENV004"))
    text = explain(judge(found, outcomes), outcomes, found, RULES, scheme=SCHEME)
    assert "cap: critical finding ENV004 caps the grade at F: at most 49" in text
    assert "env: 100 - 40.0 ENV004 = 60; critical finding ENV004 caps the grade at F: 49" in text


def test_possible_weighs_half_and_states_are_told_apart():
    assert finding_weight(finding(confidence=Confidence.POSSIBLE)) == Fraction(5, 2)
    assert finding_weight(finding(confidence=Confidence.LIKELY)) == 5
    entries = {
        e.rule: e.state
        for e in tally(
            (*passing("ENV001", "ENV002"), RuleOutcome(rule="ENV003", undecided=1)),
            [finding("ENV001")],
            RULES,
            SCHEME,
        )
    }
    assert [entries[f"ENV00{n}"] for n in range(1, 5)] == [
        "failed",
        "passed",
        "undecided",
        "not-applicable",
    ]


def test_the_catalogue_has_the_same_scheme():
    assert Scheme.load() == SCHEME
    assert [SCHEME.top(grade) for grade in "ABCDF"] == [100, 89, 79, 64, 49]
    assert [SCHEME.grade(v) for v in (100, 90, 89, 80, 79, 65, 64, 50, 49, 0)] == list("AABBCCDDFF")


def test_what_the_next_level_needs_names_a_place_each() -> None:
    heavy, again = finding("ENV002"), finding("ENV002", line=7)
    light = finding("OPS002", Severity.LOW, line=3)
    needs = judge([light, again, heavy]).next_level
    assert [rule for rule, _ in needs] == ["ENV002", "OPS002"]
    assert needs[0][1].endswith(f"({heavy.at.path}:1 and 1 more)")
    assert needs[1][1].endswith(f"({light.at.path}:3)")


def test_open_links_do_not_hide_what_the_rung_needs() -> None:
    judged = judge([finding("ENV002")], (), OPEN)
    assert judged.level is None
    assert judged.rung == 2
    assert [rule for rule, _ in judged.needs] == ["ENV002"]
    assert judge([finding("ENV002")]).needs == ()
    assert judge([], (), OPEN).rung is None
