import tokenize
from dataclasses import replace
from io import StringIO

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from auditor.catalog import Rule, rules
from auditor.comments import comments
from auditor.config import PerFileIgnore, Settings
from auditor.findings import Confidence, Finding, Severity, Suppression
from auditor.source import Location, SourceText
from auditor.suppressions import apply, parse


def rule(rule_id: str, name: str, **more: object) -> Rule:
    return Rule(
        id=rule_id,
        name=name,
        title=name,
        category="x",
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        since="0",
        help="",
        **more,  # type: ignore[arg-type]
    )


RULES = {
    **{r.id: r for r in rules().values() if r.id.startswith("CFG")},
    "ENV001": rule("ENV001", "unpinned-requirement"),
    "ENV002": rule("ENV002", "no-lock"),
    "ENV014": rule("ENV014", "yanked", tags=("online",)),
    "IMG016": rule("IMG016", "moving-tag", profile="strict"),
    "DYN001": rule("DYN001", "does-not-build"),
}


def at(path: str, line: int, rule_id: str = "ENV001") -> Finding:
    return RULES[rule_id].finding(Location(path, line), "x")


def judge(
    path: str, text: str, *findings: Finding, settings: Settings | None = None
) -> tuple[Finding, ...]:
    return apply(findings, {path: SourceText(path, text)}, settings or Settings(), RULES)


def accepted(found: tuple[Finding, ...]) -> list[int]:
    return [f.at.line for f in found if f.suppressed is not None]


def about(found: tuple[Finding, ...]) -> list[tuple[str, int]]:
    return [(f.rule, f.at.line) for f in found if f.rule.startswith("CFG")]


@pytest.mark.parametrize(
    "words",
    ["ENV001", "unpinned-requirement", "ENV", "ALL", "ENV002, ENV001", " ENV001 "],
)
def test_on_the_line(words):
    text = f"numpy\npandas  # deploy-audit: ignore[{words}] the base image pins it\n"
    found = judge("requirements.txt", text, at("requirements.txt", 1), at("requirements.txt", 2))
    assert accepted(found) == [2]
    assert found[1].suppressed == Suppression(by="comment", reason="the base image pins it")


def test_line_above_reaches_the_next_statement_only():
    text = (
        "# deploy-audit: ignore[ENV001] pinned elsewhere, see #12\n"
        "# another comment\n"
        "numpy\n"
        "pandas\n"
    )
    found = judge("requirements.txt", text, *(at("requirements.txt", n) for n in (3, 4)))
    assert accepted(found) == [3]
    assert found[0].suppressed == Suppression(by="comment", reason="pinned elsewhere, see #12")


def test_a_blank_line_ends_the_reach():
    text = "# deploy-audit: ignore[ENV001] reason\n\nnumpy\n"
    assert accepted(judge("r.txt", text, at("r.txt", 3))) == []


def test_line_above_covers_a_continued_instruction():
    text = (
        "FROM python\n"
        "# deploy-audit: ignore[ENV001] built once\n"
        "RUN pip install \\\n"
        "    numpy \\\n"
        "    # a comment in between\n"
        "    pandas\n"
        "RUN pip install scipy\n"
    )
    found = judge("Dockerfile", text, *(at("Dockerfile", n) for n in (3, 4, 6, 7)))
    assert accepted(found) == [3, 4, 6]


def test_line_above_covers_a_python_statement():
    text = (
        "# deploy-audit: ignore[ENV001] measured\n"
        "model = load(\n"
        "    'model.pkl',\n"
        ")\n"
        "other = load('b')\n"
    )
    found = judge("app.py", text, *(at("app.py", n) for n in (2, 3, 5)))
    assert accepted(found) == [2, 3]


def test_whole_file():
    text = "# deploy-audit: ignore-file[ENV001] generated\nnumpy\n" + "x\n" * 50
    found = judge("r.txt", text, at("r.txt", 2), at("r.txt", 40), at("r.txt", 41, "ENV002"))
    assert accepted(found) == [2, 40]
    late = "x\n" * 20 + "# deploy-audit: ignore-file[ENV001] generated\n"
    found = judge("r.txt", late, at("r.txt", 2))
    assert accepted(found) == []
    assert about(found) == [("CFG001", 21)]


def test_two_directives_on_a_line():
    text = "numpy  # deploy-audit: ignore[ENV001] one  # deploy-audit: ignore[ENV002] two\n"
    found = judge("r.txt", text, at("r.txt", 1), at("r.txt", 1, "ENV002"))
    assert [f.suppressed.reason for f in found if f.suppressed] == ["one", "two"]


@pytest.mark.parametrize(
    ("comment", "suppresses", "reports"),
    [
        ("# deploy-audit: ignore[ENV001] why", True, []),
        ("# deploy-audit: ignore[ENV001]: why", True, []),
        ("#deploy-audit:ignore[ENV001] why", True, []),
        ("# noqa  # deploy-audit: ignore[ENV001] why", True, []),
        ("# deploy-audit: ignore[ENV001]", True, ["CFG001"]),
        ("# deploy-audit: ignore[ENV001] --", True, ["CFG001"]),
        ("# deploy-audit: ignore", False, ["CFG001"]),
        ("# deploy-audit: ignore just because", False, ["CFG001"]),
        ("# deploy-audit: ignore[] why", False, ["CFG001"]),
        ("# deploy-audit: ingore[ENV001] why", False, ["CFG001"]),
        ("# deploy-audit: disable[ENV001] why", False, ["CFG001"]),
        ("# deploy-audit: ignore[ENV01] why", False, ["CFG002"]),
        ("# deploy-audit: ignore[ENV002] why", False, ["CFG003"]),
        ("# deploy-audit: ignore[ENV001, ENV002] why", True, ["CFG003"]),
        ("# deploy-audit: see the handbook", False, []),
        ("# about deploy-audit: ignore it", False, []),
        ("# deploy-audit ignore[ENV001] why", False, []),
    ],
)
def test_reports_about_suppressions(comment, suppresses, reports):
    found = judge("r.txt", f"numpy  {comment}\n", at("r.txt", 1))
    assert (accepted(found) == [1]) is suppresses
    assert [f.rule for f in found[1:]] == reports
    for finding in found[1:]:
        start, end = finding.at.column - 1, finding.at.end_column - 1
        assert f"numpy  {comment}"[start:end].startswith("#")


def test_unknown_rule_names_the_nearest():
    found = judge("r.txt", "x  # deploy-audit: ignore[ENV0001] y\n", at("r.txt", 1))
    assert 'did you mean "ENV001"' in found[1].message


@pytest.mark.parametrize(
    ("word", "settings", "reported"),
    [
        ("ENV002", Settings(), True),
        ("ENV002", Settings(ignore=("ENV002",)), False),
        ("ENV002", Settings(select=("ENV001", "CFG")), False),
        ("ENV014", Settings(), False),
        ("ENV014", Settings(online=True), True),
        ("IMG016", Settings(), False),
        ("IMG016", Settings(profile="strict"), True),
        ("DYN001", Settings(), False),
        ("ENV002", Settings(ignore=("CFG003",)), False),
    ],
)
def test_unused_only_where_the_rule_was_judged(word, settings, reported):
    text = f"x  # deploy-audit: ignore[{word}] y\n"
    found = judge("r.txt", text, settings=settings)
    assert (about(found) == [("CFG003", 1)]) is reported


def test_a_comment_cannot_accept_the_report_about_itself():
    text = "x  # deploy-audit: ignore[ENV002, CFG003] y\n"
    found = judge("r.txt", text)
    assert [f.suppressed for f in found] == [None] * len(found)
    assert about(found) == [("CFG003", 1)]


def test_comments_of_a_distrusted_repository_do_nothing():
    text = "x  # deploy-audit: ignore[ENV001] y\n"
    settings = Settings(honour_comments=False)
    found = judge("r.txt", text, at("r.txt", 1), settings=settings)
    assert found == (at("r.txt", 1),)


# --- per-file-ignores -----------------------------------------------------------------------------


def test_per_file_ignores():
    place = Location("deploy-audit.toml", 3)
    entries = (
        PerFileIgnore(pattern="legacy/**", rules=("ENV001",), reason="moving", at=place),
        PerFileIgnore(pattern="*.in", rules=("ENV",), at=replace(place, line=4, end_line=4)),
        PerFileIgnore(pattern="gone/**", rules=("ENV002",), reason="?", at=place),
        PerFileIgnore(pattern="above/**", rules=("ENV002",), reason="?"),
    )
    found = judge(
        "r.txt",
        "",
        at("legacy/r.txt", 1),
        at("legacy/r.txt", 1, "ENV002"),
        at("a/x.in", 1, "ENV002"),
        settings=Settings(per_file_ignores=entries),
    )
    assert [f.suppressed for f in found[:3]] == [
        Suppression(by="config", reason="moving"),
        None,
        Suppression(by="config", reason=None),
    ]
    assert about(found) == [("CFG001", 4), ("CFG003", 3)]
    assert '"gone/**"' in found[-1].message


def test_per_file_ignores_reach_reports_about_suppressions():
    entry = PerFileIgnore(pattern="r.txt", rules=("CFG003",), reason="generated")
    text = "x  # deploy-audit: ignore[ENV002] y\n"
    found = judge("r.txt", text, settings=Settings(per_file_ignores=(entry,)))
    assert [f.suppressed for f in found] == [Suppression(by="config", reason="generated")]


# --- only real comments count ---------------------------------------------------------------------

D = "# deploy-audit: ignore[ENV001] reason"


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("a.py", f'x = "{D}"\n', []),
        ("a.py", f'"""\n{D}\n"""\ny = 1  {D}\n', [4]),
        ("a.py", f"x = 1  {D}\n)))('''\n", [1]),
        ("a.yaml", f'a: "{D}"\nb: c  {D}\n', [2]),
        ("a.yaml", f"a: |\n  {D}\n  b\nc: d\n{D}\n", [5]),
        ("a.yaml", f"a: >-  {D}\n  text\n  {D}\n", [1]),
        ("a.yaml", f"a: 'x\n  {D}\n  y'\nb: 1 {D}\n", [4]),
        ("a.yaml", f"a: it's {D}\n", [1]),
        ("a.yaml", f"a: b{D}\n", []),
        ("a.yaml", f'command: ["sh", "-c", "x {D}"]  {D}\n', [1]),
        ("a.yaml", f"a: {{{{ .Values.x }}}} {D}\n  {D}\n", [1, 2]),
        ("a.yaml", f"a: 1 {D}\n{{% if x %}}\nb: 2 {D}\n{D}\n", [1, 4]),
        ("a.yaml", f"a: 1 {D}\nb: 'x {D}\nc: 1 {D}\n", [1]),
        ("a.toml", f'a = "{D}"\nb = 1 {D}\n', [2]),
        ("a.toml", f"a = '''\n{D}\n'''\n{D}\nb = 1", [4]),
        ("Dockerfile", f"EXPOSE 80 {D}\n  {D}\nRUN x\n", [2]),
        ("Dockerfile", f"COPY <<EOF /x\n{D}\nEOF\n{D}\n", [4]),
        ("Dockerfile.gpu", f"ENV A={D}\n", []),
        ("a.sh", f"echo '{D}'\necho \"\n{D}\n\"\nls {D}\n", [5]),
        ("a.sh", f"cat <<EOF\n{D}\nEOF\necho a{D}\necho $x {D}\n", [5]),
        ("entrypoint", f"#!/bin/sh\nls {D}\n", [2]),
        ("requirements.txt", f"pkg @ https://x/y{D}\nnumpy {D}\n", [2]),
        (".dockerignore", f"*.pkl {D}\n{D}\n", [2]),
        ("a.json", f'{{"a": 1}} {D}\n', []),
        ("README.md", f"{D}\n", []),
        ("Makefile", f"\techo {D}\n{D}\n", [2]),
    ],
)
def test_only_comments_count(path, text, lines):
    assert [d.at.line for d in parse(SourceText(path, text))] == lines
    for directive in parse(SourceText(path, text)):
        line = text.split("\n")[directive.at.line - 1]
        assert line[directive.at.column - 1 : directive.at.end_column - 1] == D


PIECES = ["#", " ", "\n", '"', "'", '"""', "'''", "\\", "x", ":", "|", "- ", "<<EOF\n", "EOF\n", D]
NAMES = ["a.py", "a.yaml", "a.toml", "Dockerfile", "a.sh", "r.txt", "x.cfg"]


@given(st.sampled_from(NAMES), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_never_raises_and_points_at_comments(path, text):
    source = SourceText(path, text)
    for comment in comments(source):
        assert source.line_at(comment.line)[comment.column - 1 :] == comment.text
        assert comment.text.startswith("#")
        assert comment.covers[0] <= comment.covers[1]
    judge(path, text, at(path, 1))


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_python_comments_are_those_of_the_tokenizer(text):
    try:
        tokens = list(tokenize.generate_tokens(StringIO(text + "\n").readline))
    except (tokenize.TokenError, SyntaxError):
        return
    expected = [(t.start[0], t.string) for t in tokens if t.type == tokenize.COMMENT]
    assert [(c.line, c.text) for c in comments(SourceText("a.py", text))] == expected


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_yaml_comments_are_no_part_of_any_value(text):
    """Taking the comments out leaves what the YAML says."""
    try:
        before = list(yaml.parse(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, ValueError):
        return
    lines = text.split("\n")
    for comment in comments(SourceText("a.yaml", text)):
        lines[comment.line - 1] = lines[comment.line - 1][: comment.column - 1]
    after = list(yaml.parse("\n".join(lines), Loader=yaml.SafeLoader))
    assert [(type(e), getattr(e, "value", None)) for e in before] == [
        (type(e), getattr(e, "value", None)) for e in after
    ]


def test_hostile_sizes_are_quick():
    for path in NAMES:
        for piece in ('"""', "'''\\", "<<EOF ", "# deploy-audit: ignore[", '"' + D + "\n"):
            parse(SourceText(path, piece * 20_000 + D))


def test_order_and_number_of_findings_are_kept():
    text = f"x {D}\n"
    given_findings = [at("r.txt", 3), at("r.txt", 1), at("z.txt", 1)]
    found = judge("r.txt", text, *given_findings)
    assert [f.at for f in found] == [f.at for f in given_findings]
