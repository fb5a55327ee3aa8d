"""``deploy-audit compat`` from its arguments to its exit status."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from auditor.__main__ import main

MOVED = b"\x80\x04csklearn.linear_model.logistic\nLogisticRegression\n."


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text(
        "scikit-learn==1.5.2\nnumpy==1.26.4\nscipy==1.13.1\n"
    )
    (tmp_path / "model.pkl").write_bytes(MOVED)
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"a": 1}, protocol=4))
    return tmp_path


def test_failing_artifact(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["compat", "model.pkl", "--python", "3.11", "-r", "requirements.txt"])
    shown = capsys.readouterr()
    assert status == 1
    assert shown.out.startswith("fails    model.pkl\n")
    assert "CMP004" in shown.out
    assert "1 fails" in shown.err


def test_json_holds_the_same_objects_as_an_audit(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["data.pkl", "model.pkl", "--python", "3.11", "-r", "requirements.txt"]
    assert main(["compat", *arguments, "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    outcomes = [a["compatibility"][0]["outcome"] for a in document["artifacts"]]
    assert outcomes == ["loads", "fails"]
    assert document["artifacts"][1]["produced_by"]["scikit-learn"] == "<0.24"
    assert [f["rule"] for f in document["findings"]] == ["CMP004"]


def test_gate(here: Path) -> None:
    arguments = ["compat", "model.pkl", "--python", "3.11", "-r", "requirements.txt", "-q"]
    assert main([*arguments, "--fail-on", "never"]) == 0
    assert main(["compat", "data.pkl", "--python", "3.11", "-q"]) == 0


def test_project_source(here: Path) -> None:
    (here / "own.pkl").write_bytes(b"\x80\x04cfeatures\nCleaner\n.")
    (here / "src").mkdir()
    (here / "src" / "features.py").write_text("class Cleaner: ...\n")
    arguments = ["compat", "own.pkl", "--python", "3.11", "-r", "requirements.txt", "-q"]
    assert main(arguments) == 1
    assert main([*arguments, "--source", "src"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["model.pkl", "--loader", "pikle"],
        ["model.pkl", "--python", "three"],
        ["model.pkl", "-r", "absent.txt"],
        ["absent.pkl"],
        ["model.pkl", "--source", "absent"],
    ],
)
def test_wrong_usage(here: Path, arguments: list[str]) -> None:
    assert main(["compat", *arguments]) == 2
