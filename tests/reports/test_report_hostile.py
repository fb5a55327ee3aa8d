"""Every report survives any text in any field."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from report_samples import HOSTILE, options, sample
from test_report_formats import CONTRACT, SARIF, check_html, check_junit, prose

from auditor.reports import render
from auditor.reports.digest import groups
from auditor.reports.escape import (
    cell_width,
    cut,
    encodable,
    fit,
    markdown_block,
    markdown_code,
    one_line,
    printable,
    uri,
    wellformed,
)
from auditor.result import AuditResult

# Answers of fixed vocabularies, and digests, are not free text.
FIXED = {"builds", "starts", "reachable", "predicts", "outcome", "verdict", "sha256", "grade"}

SMALL = replace(
    sample(),
    findings=sample().findings[:9],
    skipped=sample().skipped[:1],
    environments=sample().environments[:1],
)

texts = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Co", "Lo"]), max_size=8),
    st.sampled_from(
        [
            HOSTILE,
            "\r\n::error file=x::y",
            "]]>&<!--",
            "</pre></details><script>alert(1)</script>",
            "``` \n# h\n```",
            "[/bold][red]x",
            "\x9b31m\x90",
            "\ud800\udc80",
            "\u2028\u2029\x85\x0b\x0c\x1c",
            "\ufffe\uffff\U000e0041",
            "| a | b |",
            "日本語" * 60,
            "y" * 3000,
            "",
        ]
    ),
)


def poison(value, draw, name=""):
    """The same value with other text in every free text field."""
    if name in FIXED:
        return value
    if isinstance(value, str):
        return draw(texts) if draw(st.integers(0, 2)) == 0 else value
    if isinstance(value, tuple):
        return tuple(poison(item, draw) for item in value)
    if is_dataclass(value):
        changed = {f.name: poison(getattr(value, f.name), draw, f.name) for f in fields(value)}
        return replace(value, **changed)
    return value


@st.composite
def audits(draw) -> AuditResult:
    result = poison(SMALL, draw)
    quotes = {
        (f.at.path, f.at.line): draw(texts).replace("\n", "")
        for finding in result.findings
        for f in (finding, *finding.related)
        if draw(st.booleans())
    }
    return replace(result, quotes=quotes)


hostile = settings(
    max_examples=25,
    deadline=None,
    # Shrinking a whole audit takes minutes and tells little more.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def harmless(text: str) -> bool:
    return all(
        char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for char in text
    )


@hostile
@given(audits())
def test_console(result):
    text = render("console", result, options(verbose=True))
    assert harmless(text)
    coloured = render("console", result, options(verbose=True, color=True))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [x.rstrip() for x in plain.splitlines()] == text.splitlines()
    assert render("console", result, options(encoding="latin-1")).encode("latin-1")


@hostile
@given(audits())
def test_json(result):
    text = render("json", result, options())
    assert text.isascii()
    found = json.loads(text)
    CONTRACT.validate(found)
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@hostile
@given(audits())
def test_sarif(result):
    text = render("sarif", result, options())
    found = json.loads(text)
    assert [error.message for error in SARIF.iter_errors(found)] == []
    json.dumps(found, ensure_ascii=False).encode("utf-8")


@hostile
@given(audits())
def test_junit(result):
    check_junit(render("junit", result, options()))


@hostile
@given(audits())
def test_github(result):
    text = render("github", result, options())
    lines = text.splitlines()
    extra = bool(result.artifacts) + (result.score.value is not None)
    assert len(lines) == len(groups(result.active)) + extra
    for line in lines:
        assert line.startswith(("::error file=", "::warning file=", "::notice "))
        assert harmless(line)
        head, _, _ = line[2:].partition("::")
        assert head.count(",") <= 5


@hostile
@given(audits())
def test_gitlab(result):
    found = json.loads(render("gitlab", result, options()))
    assert len({issue["fingerprint"] for issue in found}) == len(found) == len(result.active)


@hostile
@given(audits())
def test_html(result):
    text = render("html", result, options())
    text.encode("utf-8")
    check_html(text)
    assert "<script" not in text


@hostile
@given(audits())
def test_markdown(result):
    text = render("markdown", result, options())
    assert len(text) <= 65_000
    assert harmless(text.replace("\t", ""))
    lines = prose(text).splitlines()
    assert lines.count("<details>") == lines.count("</details>")


anything = st.text(st.characters(), max_size=30)


@given(anything)
def test_printable(text):
    assert harmless(printable(text))
    assert printable(printable(text)) == printable(text)
    assert len(one_line(text).splitlines()) <= 1
    wellformed(text).encode("utf-8")
    encodable(printable(text), "cp1252").encode("cp1252")
    uri(text).encode("ascii")


@given(st.text(max_size=40).map(printable), st.integers(0, 40))
def test_cut_fits(text, width):
    assert cell_width(cut(text, width)) <= width
    assert cell_width(text[: fit(text, width)]) <= width


@given(st.text("a`| <&\n", max_size=12))
def test_markdown_code_closes(text):
    span = markdown_code(text)
    if span.startswith("<code>"):
        assert "|" not in span and span.endswith("</code>")
    else:
        fence = span[: len(span) - len(span.lstrip("`"))]
        inside = span[len(fence) : -len(fence)]
        assert span.endswith(fence)
        runs = "".join(c if c == "`" else " " for c in inside).split()
        assert fence not in runs
    block = markdown_block(text.split("\n"))
    fence = block.split("\n")[0]
    assert block.split("\n")[1:-1].count(fence) == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[0m", r"a\x1b[0m"),
        ("\u202eabc", r"\u202eabc"),
        ("\U000e0041", r"\U000e0041"),
        ("\udc80", r"\udc80"),
        ("naïve 日本", "naïve 日本"),
        ("a\nb\tc", r"a\nb\tc"),
    ],
)
def test_what_is_invisible_is_spelt(text, shown):
    assert printable(text) == shown
