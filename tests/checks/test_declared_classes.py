"""ART002 where the project itself requires the library whose objects a pickle restores."""

from __future__ import annotations

from pathlib import Path

import artifact_kit
import pytest
import repo_kit as kit

from auditor.findings import Severity

CLASSES = ("optbinning.scorecard.scorecard.Scorecard", "optbinning.binning.binning.OptimalBinning")


def _found(directory: Path, content: object, extra: str = "optbinning>=0.19\n") -> list[Severity]:
    path = directory / "models/card.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(artifact_kit.pickled(content))
    files = {
        "requirements.txt": kit.REQUIREMENTS + extra,
        "Dockerfile": kit.dockerfile("COPY models models"),
    }
    return [f.severity for f in kit.of(kit.service(directory, files), "ART002")]


def _objects() -> list[object]:
    return [artifact_kit.Instance(name, fitted=1) for name in CLASSES]


def test_classes_of_a_requirement_are_one_finding(tmp_path: Path) -> None:
    assert _found(tmp_path, _objects()) == [Severity.MEDIUM]


def test_a_library_that_nothing_requires(tmp_path: Path) -> None:
    assert _found(tmp_path, _objects(), "") == [Severity.HIGH, Severity.HIGH]


@pytest.mark.parametrize(
    "content",
    [
        # A function, a class with arguments for its constructor, and both of one name.
        artifact_kit.Call("optbinning.binning.base.run", "ls"),
        artifact_kit.Call(CLASSES[0], "ls"),
        [artifact_kit.Instance(CLASSES[0]), artifact_kit.Call(CLASSES[0], "ls")],
        [artifact_kit.Call(CLASSES[0], "ls"), artifact_kit.Instance(CLASSES[0])],
        artifact_kit.Global("optbinning.binning.base.run"),
    ],
)
def test_calls_of_a_requirement_stay_high(content: object, tmp_path: Path) -> None:
    assert _found(tmp_path, content) == [Severity.HIGH]
