import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import baseline
from auditor.baseline import Baseline, Entry
from auditor.errors import BaselineError, ExitStatus
from auditor.findings import Confidence, Finding, Severity, Suppression
from auditor.source import Location


def finding(fingerprint: str, line: int = 1, by: str | None = None) -> Finding:
    return Finding(
        rule="ENV001",
        name="unpinned-requirement",
        category="x",
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        message=f"finding {fingerprint}",
        at=Location("r.txt", line),
        fingerprint=fingerprint,
        suppressed=Suppression(by=by) if by else None,
    )


def test_only_new_findings_stay_active():
    recorded = baseline.record([finding("a"), finding("b")])
    found = baseline.apply([finding("a"), finding("c"), finding("b")], recorded)
    assert [f.suppressed is None for f in found] == [False, True, False]
    assert found[0].suppressed is not None
    assert found[0].suppressed.by == "baseline"


def test_one_more_of_the_same_is_new():
    recorded = baseline.record([finding("a", 1), finding("a", 2)])
    found = baseline.apply([finding("a", n) for n in (1, 2, 3)], recorded)
    assert [f.suppressed is None for f in found] == [False, False, True]


def test_other_acceptance_is_kept_and_uses_nothing_up():
    recorded = baseline.record([finding("a")])
    found = baseline.apply([finding("a", by="comment"), finding("a")], recorded)
    assert [f.suppressed.by for f in found if f.suppressed] == ["comment", "baseline"]


def test_record_leaves_out_what_has_a_reason_elsewhere():
    found = [finding("a", by="comment"), finding("b", by="config"), finding("c", by="baseline")]
    assert [e.fingerprint for e in baseline.record(found).entries] == ["c"]


def test_gone():
    recorded = baseline.record([finding("a"), finding("b"), finding("b", 2)])
    assert [e.fingerprint for e in baseline.gone([finding("b")], recorded)] == ["a", "b"]


texts = st.text(max_size=20)
entries = st.builds(Entry, fingerprint=texts, rule=texts, path=texts, message=texts)


@given(st.lists(entries, max_size=5).map(lambda e: Baseline(entries=tuple(e))))
def test_round_trip(value):
    assert baseline.loads(baseline.dump(value)) == value


@given(st.permutations([finding(c, n) for n, c in enumerate("abcd", 1)]))
def test_the_file_does_not_depend_on_the_order(findings):
    expected = baseline.record([finding(c, n) for n, c in enumerate("abcd", 1)])
    assert baseline.dump(baseline.record(findings)) == baseline.dump(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a baseline"),
        ("{}", "no version number"),
        ('{"version": true}', "no version number"),
        ('{"version": 99}', "is of version 99"),
        ('{"version": 0}', "cannot be upgraded"),
        ('{"version": 1}', '"findings": expected a list'),
        ('{"version": 1, "findings": [1]}', r"findings\[0\]: expected an object"),
        ('{"version": 1, "findings": [{"rule": "x"}]}', r"findings\[0\]\.fingerprint"),
        ("[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path, text, words):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(BaselineError, match=words) as caught:
        baseline.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.status is ExitStatus.USAGE


def test_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(BaselineError, match="deploy-audit baseline"):
        baseline.load(tmp_path / "none.json")


def test_older_versions_are_brought_up_step_by_step(monkeypatch):
    monkeypatch.setattr(baseline, "VERSION", 3)
    steps = {
        1: lambda d: {"version": 2, "findings": d["items"]},
        2: lambda d: {"version": 3, "findings": [{**f, "message": "?"} for f in d["findings"]]},
    }
    monkeypatch.setattr(baseline, "UPGRADES", steps)
    old = {"version": 1, "items": [{"fingerprint": "a", "rule": "b", "path": "c"}]}
    assert baseline.loads(json.dumps(old)) == Baseline(
        entries=(Entry(fingerprint="a", rule="b", path="c", message="?"),)
    )
