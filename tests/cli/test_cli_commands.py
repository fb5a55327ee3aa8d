"""Choosing a command, and the small ones: rules, explain, graph, baseline."""

import json
from importlib import import_module

import pytest
from clikit import finding, result

from auditor import baseline
from auditor.catalog import rules
from auditor.cli.app import COMMANDS, choose
from auditor.cli.parser import ReportRequest, pair
from auditor.errors import UsageError
from auditor.findings import Severity, Suppression


@pytest.mark.parametrize(
    ("arguments", "name", "rest"),
    [
        ([], "audit", []),
        (["."], "audit", ["."]),
        (["scan", "x.pkl"], "scan", ["x.pkl"]),
        (["./scan"], "audit", ["./scan"]),
        (["-q", "scan", "x"], "scan", ["-q", "x"]),
        (["--color", "never", "-v", "rules"], "rules", ["--color", "never", "-v"]),
        (["--color=never", "rules"], "rules", ["--color=never"]),
        (["--format", "json", "scan"], "audit", ["--format", "json", "scan"]),
        (["--color"], "audit", ["--color"]),
        (["audit", "scan"], "audit", ["scan"]),
    ],
)
def test_choose(arguments, name, rest):
    assert choose(arguments) == (name, rest)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works_enough_to_be_listed(name, run):
    assert callable(import_module(COMMANDS[name].module).command)
    status, out, err = run(name, "--help")
    assert (status, err) == (0, "")
    assert "Usage: deploy-audit" in out


def test_only_the_default_help_lists_the_commands(run):
    listed = run("--help")[1]
    for name, command in COMMANDS.items():
        assert name == "audit" or f"  {name}" in listed
        assert name == "audit" or command.summary in listed
    assert "Commands:" not in run("rules", "--help")[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], [("console", None)]),
        ([("format", "json")], [("json", None)]),
        ([("output", "a.sarif")], [("sarif", "a.sarif")]),
        ([("output", "-")], UsageError),
        ([("format", "json"), ("output", "-")], [("json", None)]),
        (
            [("format", "console"), ("format", "json"), ("output", "x")],
            [("console", None), ("json", "x")],
        ),
        (
            [("format", "json"), ("output", "x"), ("format", "console")],
            [("json", "x"), ("console", None)],
        ),
        ([("format", "json"), ("output", "x"), ("output", "y.md")], "two"),
    ],
)
def test_pairing(words, expected):
    if expected is UsageError:
        with pytest.raises(UsageError):
            pair(words)
    elif expected == "two":
        assert pair(words) == (ReportRequest("json", "x"), ReportRequest("markdown", "y.md"))
    else:
        assert [(r.format, r.output) for r in pair(words)] == expected


def test_rules_lists_every_rule(run):
    status, out, _ = run("rules")
    assert status == 0
    assert all(rule.id in out and rule.title in out for rule in rules().values())
    assert [entry["id"] for entry in json.loads(run("rules", "-f", "json")[1])] == list(rules())


def test_rules_of_a_family_or_name(run):
    chosen = json.loads(run("rules", "cfg", "-f", "json")[1])
    assert [entry["id"] for entry in chosen] == [i for i in rules() if i.startswith("CFG")]
    assert "CFG003" in run("rules", "unused-suppression")[1]
    status, _, err = run("rules", "CFG0001")
    assert status == 2
    assert 'did you mean "CFG001"' in err


def test_explain(run):
    status, out, _ = run("explain", "unused-suppression")
    assert status == 0
    assert out.startswith("# CFG003 unused-suppression")
    assert "## Why" in out
    assert "\x1b[" in run("explain", "CFG003", "--color", "always")[1]
    status, _, err = run("explain", "CFG03")
    assert status == 2
    assert '"CFG003"' in err


def test_graph(run, engine, tmp_path):
    assert run("graph", ".") == (0, "flowchart LR\n", "")
    assert run("graph", "-o", "g.mmd")[:2] == (0, "")
    assert (tmp_path / "g.mmd").read_text() == "flowchart LR\n"
    engine.answer = result(empty=True)
    assert run("graph")[0] == 3


def test_baseline_records_and_is_stable(run, engine, tmp_path):
    by_comment = Suppression(by="comment", reason="x")
    engine.answer = result(
        finding(line=2), finding(line=1), finding(Severity.LOW, line=3, suppressed=by_comment)
    )
    status, out, err = run("baseline")
    assert (status, out) == (0, "")
    path = tmp_path / baseline.DEFAULT_NAME
    assert "recorded 2 findings" in err
    first = path.read_text()
    assert [e.fingerprint for e in baseline.load(path).entries] == ["ENV001-1", "ENV001-2"]
    engine.answer = result(finding(line=1), finding(line=2))
    run("baseline")
    assert path.read_text() == first


def test_baseline_overwrites_only_baselines(run, engine, tmp_path):
    precious = tmp_path / "Dockerfile"
    precious.write_text("FROM scratch\n")
    (tmp_path / "deploy-audit.toml").write_text('baseline = "Dockerfile"\n')
    status, _, err = run("baseline")
    assert status == 2
    assert "will not overwrite" in err
    assert precious.read_text() == "FROM scratch\n"
    assert engine.asked == []


def test_baseline_ignores_the_old_one_while_recording(run, engine, tmp_path):
    path = tmp_path / "b.json"
    path.write_text(baseline.dump(baseline.Baseline()))
    (tmp_path / "deploy-audit.toml").write_text('baseline = "b.json"\n')
    assert run("baseline")[0] == 0
    assert engine.settings.baseline is None
    assert run()[0] == 0
    assert engine.settings.baseline == str(path)
