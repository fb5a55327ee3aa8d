"""What a workflow or script brings before it builds an image, and what nobody brings."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import dockerfile, service

from auditor.findings import Severity

COPY = {"Dockerfile": dockerfile("COPY models/trained/ ./models/trained/")}
STEPS = """\
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
{}
      - uses: docker/build-push-action@v6
        with:
          context: .
"""
ARTIFACT = """\
      - uses: actions/download-artifact@v4
        with:
          name: model
          path: models/trained/"""
RUN = "      - run: {}"


def severity(root: Path, files: dict[str, str]) -> list[Severity]:
    return [f.severity for f in service(root, {**COPY, **files}).findings if f.rule == "IMG019"]


@pytest.mark.parametrize(
    ("step", "files"),
    [
        (ARTIFACT, {}),
        (RUN.format("aws s3 cp s3://bucket/model models/trained/ --recursive"), {}),
        (RUN.format("curl -sSL https://example.org/m -o models/trained/m.bin"), {}),
        (RUN.format("dvc pull"), {}),
        (RUN.format("python scripts/train_model.py"), {"scripts/train_model.py": "x = 1\n"}),
    ],
)
def test_a_step_before_the_build_brings_it(
    tmp_path: Path, step: str, files: dict[str, str]
) -> None:
    files = {".github/workflows/ci.yml": STEPS.format(step), **files}
    assert severity(tmp_path, files) == [Severity.MEDIUM]


@pytest.mark.parametrize(
    "step",
    [
        RUN.format("pytest"),
        RUN.format("python scripts/train_model.py"),  # there is no such script
        RUN.format("aws s3 cp models/trained/ s3://bucket/model --recursive"),
        ARTIFACT.replace("models/trained/", "reports/"),
    ],
)
def test_a_step_that_brings_something_else(tmp_path: Path, step: str) -> None:
    assert severity(tmp_path, {".github/workflows/ci.yml": STEPS.format(step)}) == [Severity.HIGH]


def test_a_step_after_the_build_comes_too_late(tmp_path: Path) -> None:
    late = f"{STEPS.format(RUN.format('pytest'))}{ARTIFACT}\n"
    assert severity(tmp_path, {".github/workflows/ci.yml": late}) == [Severity.HIGH]


def test_a_script_that_trains_and_then_builds(tmp_path: Path) -> None:
    files = {"deploy.sh": "#!/bin/sh\nmake train\ndocker build -t x .\n"}
    assert severity(tmp_path, files) == [Severity.MEDIUM]


def test_code_is_never_brought(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile("COPY helpers.py ./"),
        ".github/workflows/ci.yml": STEPS.format(RUN.format("dvc pull")),
    }
    assert severity(tmp_path, files) == [Severity.HIGH]


def test_a_model_that_git_ignores_beside_a_bento(tmp_path: Path) -> None:
    files = {
        "bentofile.yaml": 'service: "service:Iris"\ninclude: ["*.py", "models/**"]\n'
        "python:\n  packages: [scikit-learn==1.5.0]\n",
        "service.py": "import pickle\nimport bentoml\n\nwith open('./models/iris.pickle', 'rb') as f:\n"
        "    model = pickle.load(f)\n\n\n@bentoml.service\nclass Iris:\n    @bentoml.api\n"
        "    def predict(self, x: int) -> int:\n        return x\n",
    }
    found = service(tmp_path / "a", files).findings
    assert [f.severity for f in found if f.rule == "PTH002"] == [Severity.HIGH]
    found = service(tmp_path / "b", {**files, ".gitignore": "models\n"}).findings
    assert [f.severity for f in found if f.rule == "PTH002"] == [Severity.MEDIUM]
