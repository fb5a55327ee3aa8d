"""Fingerprints tell findings apart and survive what does not concern them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from auditor.findings import Confidence, Finding, Severity
from auditor.fingerprints import assign_fingerprints
from auditor.source import Location


def finding(line: int, start: int = 1, length: int = 1, rule: str = "ENV001", **more) -> Finding:
    return Finding(
        **{
            "rule": rule,
            "name": "unpinned",
            "category": "environment",
            "severity": Severity.MEDIUM,
            "confidence": Confidence.CERTAIN,
            "message": f"line {line}",
            "at": Location("requirements.txt", line, start, line, start + length),
            **more,
        }
    )


def marks(lines: list[str], findings: list[Finding]) -> list[str]:
    made = assign_fingerprints(findings, lambda _, line: lines[line - 1])
    assert [replace(f, fingerprint="") for f in made] == findings
    return [f.fingerprint for f in made]


words = st.text("abcdef =>.\t", min_size=1, max_size=12).filter(str.strip)


@given(st.lists(words, min_size=1, max_size=8), st.lists(words, max_size=5), st.data())
def test_moved_lines_keep_theirs(lines, inserted, data):
    whole = [finding(n, 1, len(line)) for n, line in enumerate(lines, 1)]
    before = marks(lines, whole)
    assert len(set(before)) == len(before)
    at = data.draw(st.integers(0, len(lines)))
    moved = lines[:at] + inserted + lines[at:]
    shifted = [
        replace(f, at=replace(f.at, line=new, end_line=new), message=f"line {new}")
        for f in whole
        for new in [f.at.line + (len(inserted) if f.at.line > at else 0)]
    ]
    assert marks(moved, shifted) == before


@given(st.lists(words, min_size=1, max_size=6, unique_by=lambda t: " ".join(t.split())), st.data())
def test_reordered_lines_keep_theirs(lines, data):
    order = data.draw(st.permutations(range(len(lines))))
    before = marks(lines, [finding(n, 1, len(t)) for n, t in enumerate(lines, 1)])
    again = [lines[i] for i in order]
    after = marks(again, [finding(n, 1, len(t)) for n, t in enumerate(again, 1)])
    assert after == [before[i] for i in order]


def test_whitespace_and_messages_do_not_matter():
    [plain] = marks(["numpy >= 1"], [finding(1, 1, 5)])
    assert marks(["numpy  >=\t1"], [finding(1, 1, 5, message="reworded")]) == [plain]


def test_what_differs_is_told_apart():
    lines = ["pip install a b", "pip install a b"]
    findings = [
        finding(1, 13),
        finding(1, 15),
        finding(2, 13),
        finding(1, 13, rule="ENV012"),
        finding(1, 13, at=Location("other.txt", 1, 13, 1, 14)),
    ]
    found = marks(lines, findings)
    assert len(set(found)) == len(found)
    assert all(len(mark) == 64 for mark in found)


def test_equal_ones_are_counted_from_the_top_whatever_order_they_come_in():
    lines = ["same", "same"]
    top, bottom = finding(1, 1, 4), finding(2, 1, 4)
    first, second = marks(lines, [top, bottom])
    assert marks(lines, [bottom, top]) == [second, first]


def test_whole_files_do_not_depend_on_their_first_line():
    at = Location("requirements.txt")
    assert marks(["a"], [finding(1, at=at)]) == marks(["b"], [finding(1, at=at)])


def test_artifacts_are_told_apart_by_what_was_seen():
    at = Location("model.pkl")

    def seen(name, offset):
        return finding(1, at=at, evidence=(("callable", name), ("offset", offset)))

    one, two = marks([""], [seen("os.system", 3), seen("builtins.eval", 9)])
    assert one != two
    assert marks([""], [seen("builtins.eval", 4), seen("os.system", 7)]) == [two, one]


def test_lone_surrogates_are_fine():
    [mark] = marks(["\udc80"], [finding(1, at=Location("\udcff", 1, 1, 1, 2))])
    assert len(mark) == 64
