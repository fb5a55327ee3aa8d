"""The samples of what public repositories ask for: what is read, and how it is drawn."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module", name="sample")
def sample_fixture() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    try:
        yield importlib.import_module("sample_syslibs")
    finally:
        sys.path.remove(str(TOOLS))


def test_repositories_count_once(sample: ModuleType, tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for folder in (one / "docker", two, other):
        folder.mkdir(parents=True)
    lines = "numpy==1.26.4\nuvicorn[standard]\npywin32; sys_platform == 'win32'\n"
    (one / "requirements.txt").write_text(lines)
    (one / "docker" / "requirements-api.txt").write_text("numpy==1.26.4\n")
    (two / "pyproject.toml").write_text(
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['numpy>=1', 'pillow==9.5.0']\n"
    )
    # Nothing of machine learning.
    (other / "requirements.txt").write_text("flask\n")
    assert sample.count([tmp_path]) == {
        ("numpy", "1.26.4"): 1,
        ("uvicorn[standard]", ""): 1,
        ("numpy", ""): 1,
        ("pillow", "9.5.0"): 1,
    }


def test_bare_repositories_are_read(sample: ModuleType, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "requirements.txt").write_text("pandas==2.2.0\n")
    for command in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "a"),
        ("clone", "-q", "--bare", ".", str(tmp_path / "bare" / "owner+name" / "repo")),
    ):
        subprocess.run(["git", "-C", str(work), *command], check=True)
    assert sample.count([tmp_path / "bare"]) == {("pandas", "2.2.0"): 1}


def test_draws_follow_the_weights(sample: ModuleType) -> None:
    rows = [("common", str(i), 90) for i in range(4)] + [(f"rare{i}", "", 1) for i in range(200)]
    drawn = sample.draw(rows, 7, 20)
    assert drawn == sample.draw(rows, 7, 20)
    names = Counter(name for name, _, _ in drawn)
    assert names["common"] == 2
    assert len(drawn) == 20
    assert len(set(drawn)) == 20
    assert sample.draw(rows, 8, 20) != drawn


@pytest.mark.parametrize("number", [5, 6, 7, 8, 9])
def test_what_the_samples_missed_is_named(
    sample: ModuleType, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.path.insert(0, str(TOOLS))
    try:
        measure = importlib.import_module("measure_syslibs")
    finally:
        sys.path.remove(str(TOOLS))
    cases = TOOLS / f"syslibs_sample{number}_cases.tsv"
    weights = measure.weights_of([cases])
    table = TOOLS / f"syslibs_sample{number}.tsv"
    measure.libraries(table, "python:PYTHON-slim-SUITE", weights, ask=False)
    by_case, by_repositories = capsys.readouterr().out.splitlines()[-2:]
    for said in (by_case, by_repositories):
        # What is missed belongs to what is said to be not known.
        missed = re.search(r", missed (\d+) \(of these said to be not known (\d+)\)", said)
        assert missed is not None
        assert missed[1] == missed[2]
        assert number in (7, 9) or missed[1] == "0"
        assert "false alarms 0;" in said
    assert by_repositories.startswith("by repositories: ")
