"""One audit as a whole: what it merges, keeps apart, and survives."""

from pathlib import Path

import pytest

from auditor.checks import registry
from auditor.cli.gate import is_empty
from auditor.config import Settings
from auditor.deployment import manifests
from auditor.engine import audit
from auditor.errors import AuditorError
from auditor.findings import Severity
from auditor.parsers import dotenv
from auditor.source import SourceText

FILES = {
    "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
    'CMD ["python", "main.py"]\n',
    "requirements.txt": "flask\nnumpy==1.26.4\n",
    "main.py": "open('missing.json')\n",
}


def repository(root: Path, files: dict[str, str] = FILES) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_root_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(AuditorError, match="nowhere"):
        audit(tmp_path / "nowhere", Settings())


def test_an_empty_repository_has_nothing_to_audit_and_no_score(tmp_path):
    result = audit(tmp_path, Settings())
    assert is_empty(result)
    assert result.score.value is None


def test_manifests_alone_are_a_deployment(tmp_path):
    (tmp_path / "app.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n"
        "  selector: {matchLabels: {app: api}}\n  template:\n    metadata: {labels: {app: api}}\n"
        "    spec: {containers: [{name: api, image: org/api:1}]}\n"
    )
    result = audit(tmp_path, Settings())
    assert result.score.value is not None
    assert not is_empty(result)


def test_the_lines_of_findings_are_quoted(tmp_path):
    result = audit(repository(tmp_path), Settings())
    for finding in result.findings:
        assert result.quotes[finding.at.path, finding.at.line]
    assert result.quotes["requirements.txt", 1] == "flask"


def test_one_file_that_two_images_install_is_reported_once_for_both(tmp_path):
    files = {
        **FILES,
        "compose.yaml": "services:\n  a: {build: .}\n  b: {build: {context: ., dockerfile: other.Dockerfile}}\n",
        "other.Dockerfile": FILES["Dockerfile"],
    }
    result = audit(repository(tmp_path, files), Settings())
    (unpinned,) = (f for f in result.findings if f.rule == "ENV001")
    assert len(unpinned.related) == 2
    (missing,) = (f for f in result.findings if f.rule == "PTH002")
    assert {name for name, _ in missing.breaks} == {"a", "b"}
    for service in result.services:
        assert service.forecast.starts == "no"
        assert service.forecast.because == (missing.fingerprint,)


def test_what_is_accepted_no_longer_breaks_the_forecast(tmp_path):
    files = {
        **FILES,
        "main.py": "open('missing.json')  # deploy-audit: ignore[PTH002] made later\n",
    }
    result = audit(repository(tmp_path, files), Settings())
    (missing,) = (f for f in result.findings if f.rule == "PTH002")
    assert missing.suppressed is not None
    assert missing not in result.active
    assert result.services[0].forecast.starts != "no"


def test_a_severity_of_the_configuration_stands(tmp_path):
    result = audit(repository(tmp_path), Settings(severity=(("ENV001", Severity.CRITICAL),)))
    assert {f.severity for f in result.findings if f.rule == "ENV001"} == {Severity.CRITICAL}


def test_a_check_that_crashes_is_told_and_costs_the_others_nothing(tmp_path, monkeypatch):
    whole = audit(repository(tmp_path), Settings())
    registry.checks()
    crashing = registry.Check("ENV001", "Environment", lambda *_: iter([1 / 0]), False)
    monkeypatch.setitem(registry._checks, "ENV001", crashing)
    result = audit(tmp_path, Settings())
    assert [f.rule for f in result.findings] == [
        f.rule for f in whole.findings if f.rule != "ENV001"
    ]
    assert [s.path for s in result.skipped] == ["ENV001"]
    assert "crashed" in result.skipped[0].reason


def test_an_audit_writes_nothing(tmp_path):
    repository(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    audit(tmp_path, Settings())
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_what_exceeds_the_limits_is_unread_and_not_refused(tmp_path: Path) -> None:
    runs = "RUN true\n" * 10_001
    (tmp_path / "Dockerfile").write_text(f'FROM python:3.12-slim\n{runs}CMD ["sleep", "9"]\n')
    found = audit(tmp_path, Settings())
    assert [f.rule for f in found.findings] == ["CFG004"]
    assert found.services == ()
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
        'CMD ["python", "app.py"]\n'
    )
    (tmp_path / "app.py").write_text("print(1)\n")
    (tmp_path / "requirements.txt").write_text("#" * 5_000_001)
    found = audit(tmp_path, Settings())
    assert {f.rule for f in found.findings} & {"ENV019", "CFG004"} == {"CFG004"}
    assert dict(found.services[0].forecast.answers())["builds"] == "unknown"


def test_values_that_grow_from_line_to_line_are_bounded() -> None:
    known = {"A0": "x" * 10}
    for number in range(1, 60):
        known[f"A{number}"] = manifests.expand(f"$(A{number - 1})$(A{number - 1})", known)
    assert known["A3"] == "x" * 80
    assert max(map(len, known.values())) <= 131_072
    lines = "".join(f"A{i}=${{A{i - 1}}}xxxxxxxx\n" for i in range(1, 9_000))
    found = dotenv.parse(SourceText("all.env", f"A0=x\n{lines}")).variables
    assert sum(len(v.value) for v in found if isinstance(v.value, str)) < 9_000_000
    assert not isinstance(found[-1].value, str)
