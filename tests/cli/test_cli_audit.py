import subprocess
import sys
from pathlib import Path

import pytest
from clikit import finding, result

from auditor.errors import AuditorError
from auditor.findings import Severity, Suppression


def test_passes_and_reports_on_stdout_only(run):
    status, out, err = run(".")
    assert status == 0
    assert out == "<console color=False  no finding of medium or above>\n"
    assert err == "deploy-audit: passed: no finding of medium or above\n"


@pytest.mark.parametrize(
    ("severity", "arguments", "status"),
    [
        (Severity.MEDIUM, (), 1),
        (Severity.LOW, (), 0),
        (Severity.LOW, ("--fail-on", "low"), 1),
        (Severity.INFO, ("--fail-on=info",), 1),
        (Severity.CRITICAL, ("--fail-on", "never"), 0),
        (Severity.HIGH, ("--fail-on", "critical"), 0),
        (Severity.CRITICAL, ("--fail-on", "critical"), 1),
    ],
)
def test_gate(run, engine, severity, arguments, status):
    engine.answer = result(finding(severity))
    assert run(*arguments)[0] == status


def test_suppressed_findings_pass(run, engine):
    accepted = Suppression(by="comment", reason="because")
    engine.answer = result(finding(Severity.CRITICAL, suppressed=accepted))
    assert run()[0] == 0


def test_min_score(run, engine):
    engine.answer = result(score=59)
    assert run("--min-score", "59")[0] == 0
    status, out, _ = run("--min-score", "60")
    assert status == 1
    assert "score 59 is below 60" in out


def test_nothing_to_audit_is_3_and_0_only_when_asked_for(run, engine):
    engine.answer = result(empty=True)
    status, _, err = run()
    assert status == 3
    assert "nothing to audit" in err
    assert run("--allow-empty")[0] == 0
    assert run("-q")[2] != "", "a failure is said even with -q"


def test_default_command_takes_a_path(run, engine, tmp_path):
    (tmp_path / "scan").mkdir()
    run("./scan")
    assert engine.asked[-1][0] == Path("scan")
    run("--fail-on", "low", "scan/")
    assert engine.asked[-1][0] == Path("scan")


def test_several_reports_in_one_run(run, engine, tmp_path):
    engine.answer = result(finding())
    status, out, err = run(
        "--format", "sarif", "--output", "a.sarif", "--format", "json", "-o", "b.json", "."
    )
    assert (status, out) == (1, "")
    assert (tmp_path / "a.sarif").read_text().startswith("<sarif ")
    assert (tmp_path / "b.json").read_text().startswith("<json ")
    assert "1 high" in err


def test_stdout_beside_files(run, tmp_path):
    status, out, _ = run("-f", "console", "-f", "sarif", "-o", "a.sarif")
    assert status == 0
    assert out.startswith("<console")
    assert (tmp_path / "a.sarif").read_text().startswith("<sarif")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "jsn"), ["'jsn'", '"json"']),
        (("--fail-on", "hihg"), ["--fail-on", '"high"']),
        (("--min-score", "101"), ["--min-score", "0 to 100"]),
        (("--profile", "strikt"), ["--profile", '"strict"']),
        (("--target-python", "three"), ["--target-python", "3.11"]),
        (("--select", "ENV9999"), ["--select", "ENV9999"]),
        (("--color", "red"), ["--color", "never"]),
        (("--formta", "json"), ["--formta", "--format"]),
        (("nowhere",), ["nowhere", "no such directory"]),
        (("scna",), ['did you mean "scan"']),
        (("a", "b"), ["unexpected extra argument"]),
        (("-f", "json", "-f", "sarif"), ["cannot both go to standard output"]),
        (("-o", "no/such/dir.json"), ["no directory no/such"]),
        (("-o", "x.json", "-o", "x.json"), ["given twice"]),
        (("-o", "report.dat"), ["--format first"]),
        (("--config", "no.toml"), ["no.toml", "no such configuration file"]),
        (("--exclude", "../x"), ["--exclude", "out of the root"]),
        (("a\0b",), ["null byte"]),
    ],
)
def test_wrong_usage_is_2_and_says_the_remedy(run, engine, arguments, words):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert engine.asked == []
    for word in words:
        assert word in err
    assert "Traceback" not in err


def test_a_file_is_no_repository(run, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"x")
    status, _, err = run("model.pkl")
    assert status == 2
    assert "deploy-audit scan model.pkl" in err


def test_unreadable_root_is_3(run, monkeypatch):
    import os

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    status, out, err = run(".")
    assert (status, out) == (3, "")
    assert "Permission denied" in err


def test_unexpected_errors_are_called_bugs_without_traceback(run, engine):
    engine.answer = ZeroDivisionError("division\nby \x1b[31mzero")
    status, out, err = run()
    assert (status, out) == (3, "")
    assert "This is a bug" in err
    assert "ZeroDivisionError: division by \\x1b[31mzero" in err
    assert "Traceback" not in err
    assert "Traceback" in run("-v")[2]


def test_known_errors_keep_their_message(run, engine):
    engine.answer = AuditorError("the disk is gone")
    assert run() == (3, "", "deploy-audit: the disk is gone\n")


def test_interrupt_is_130(run, engine):
    engine.answer = KeyboardInterrupt()
    status, out, err = run()
    assert (status, out) == (130, "")
    assert "Traceback" not in err


def test_color(run, monkeypatch):
    assert "color=False" in run()[1]
    assert "color=True" in run("--color", "always")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "color=True" in run()[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "color=False" in run()[1]
    assert "color=True" in run("--color=always")[1]


def test_options_reach_the_engine(run, engine):
    run("--online", "--no-cache", "--profile", "strict", "--target-python", "3.12", "--isolated")
    settings = engine.settings
    assert (settings.online, settings.cache, settings.profile) == (True, False, "strict")
    assert (settings.target_python, settings.honour_comments) == ("3.12", False)


def test_unknown_variable_is_a_remark(run, monkeypatch):
    monkeypatch.setenv("DEPLOY_AUDIT_FAILON", "high")
    status, _, err = run()
    assert status == 0
    assert 'DEPLOY_AUDIT_FAILON means nothing; did you mean "DEPLOY_AUDIT_FAIL_ON"?' in err


def test_a_link_is_replaced_and_not_followed(run, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out.json").symlink_to(victim)
    assert run("-o", "out.json")[0] == 0
    assert victim.read_text() == "precious"
    assert (tmp_path / "out.json").read_text().startswith("<json")


def test_unencodable_names_do_not_break_output(run, engine):
    engine.answer = result(finding(rule="ENV\udcff"))
    status, out, _ = run("-f", "json")
    assert status == 1
    assert "ENV\\udcff" in out


def test_version_wherever_it_stands(run):
    assert run("--version")[1].startswith("deploy-audit ")
    assert run(".", "--version")[1].startswith("deploy-audit ")


PIPE = """
import sys
from types import ModuleType, SimpleNamespace
import auditor.reports
from auditor.result import AuditResult, EnvironmentReport, Score
engine = ModuleType("auditor.engine")
environment = EnvironmentReport(name="x", python=None, requirements=(), locked=False, hashed=False)
engine.audit = lambda root, settings: AuditResult(
    root=".", score=Score(value=1), environments=(environment,))
sys.modules["auditor.engine"] = engine
auditor.reports.FORMATS = ("console", "json")
auditor.reports.Options = auditor.reports.Gate = SimpleNamespace
auditor.reports.render = lambda *a: "x" * 1_000_000
from auditor.__main__ import main
sys.exit(main(["--min-score", sys.argv[1], "."]))
"""


@pytest.mark.parametrize(("min_score", "status"), [("0", 0), ("50", 1)])
def test_a_reader_that_goes_away_is_quiet_and_keeps_the_gate(min_score, status):
    process = subprocess.Popen(
        [sys.executable, "-c", PIPE, min_score],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == status
    assert "Broken" not in error
    assert "Exception" not in error
