"""Requirement files that a build makes out of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.deployment.linefilters import apply, pattern
from auditor.engine import audit
from auditor.result import AuditResult

LINES = ("flask==3.0.3\n", "\n", "torch==2.1.0\n", "requests==2.32.3\n", "gunicorn\n")


def installed(tmp_path: Path, run: str, **files: str) -> AuditResult:
    (tmp_path / "requirements.txt").write_text("".join(LINES))
    (tmp_path / "app.py").write_text("import flask\napp = flask.Flask(__name__)\n")
    for name, text in files.items():
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "Dockerfile").write_text(
        f"FROM python:3.11-slim\nWORKDIR /app\nCOPY *.txt ./\nRUN {run}\nCOPY app.py ./\n"
        'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    )
    return audit(tmp_path, Settings())


def keys(result: AuditResult) -> list[str]:
    return sorted({r.name for e in result.environments for r in e.requirements})


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("grep -v torch requirements.txt > r.txt && pip install -r r.txt", "flask gunicorn requests"),
        ("grep -vE '^(torch|requests)' requirements.txt > r.txt && pip install -r r.txt", "flask gunicorn"),
        (r"grep -v 'torch\|requests' requirements.txt | tee r.txt && pip install -r r.txt", "flask gunicorn"),
        ("cat requirements.txt | grep -v torch | grep -v requests > r.txt && pip install -r r.txt", "flask gunicorn"),
        ("sed -i -e '/torch/d' -e '/requests/d' requirements.txt && pip install -r requirements.txt", "flask gunicorn"),
        ("sed -i '/torch/d;4d' requirements.txt; pip install -r requirements.txt", "flask gunicorn"),
        ("sed '$d' requirements.txt > r.txt && pip install -r r.txt", "flask requests torch"),
        ("grep -v requests requirements.txt > r && mv r requirements.txt && pip install -r requirements.txt", "flask gunicorn torch"),
        ("head -n 3 < requirements.txt > r.txt && pip install -r r.txt", "flask torch"),
        ("grep -v 'requests' requirements.txt | xargs -n 1 pip install", "flask gunicorn torch"),
        ("echo httpx >> requirements.txt && pip install -r requirements.txt", "flask gunicorn httpx requests torch"),
        ("cp requirements.txt r.txt && sed -i '/q/d' r.txt && pip install -r requirements.txt", "flask gunicorn requests torch"),
    ],
)  # fmt: skip
def test_what_pip_reads_is_what_the_filters_left(tmp_path: Path, run: str, expected: str) -> None:
    assert keys(installed(tmp_path, run)) == expected.split()


@pytest.mark.parametrize(
    "run",
    [
        "sed -i -n 'H;${x;p}' requirements.txt && pip install -r requirements.txt",
        "python filter.py requirements.txt > r.txt && pip install -r r.txt",
        "perl -ne 'print' requirements.txt > requirements.txt && pip install -r requirements.txt",
    ],
)
def test_what_is_not_followed_is_not_known(tmp_path: Path, run: str) -> None:
    result = installed(tmp_path, run)
    assert keys(result) == []
    assert result.services[0].forecast.starts == "unknown"


def test_places_point_into_the_file_that_the_lines_come_from(tmp_path: Path) -> None:
    run = "cat requirements.txt more.txt | sed '1,3d' > r.txt && pip install -r r.txt"
    result = installed(tmp_path, run, more="# more\nuvicorn\n")
    (environment,) = result.environments
    places = {r.name: (r.path, r.line) for r in environment.requirements}
    assert places == {
        "requests": ("requirements.txt", 4), "gunicorn": ("requirements.txt", 5), "uvicorn": ("more.txt", 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "extended", "line", "found"),
    [
        ("a|b", False, "a", False),
        (r"a\|b", False, "a", True),
        ("a|b", True, "a", True),
        ("==.*", False, "x==1", True),
        ("x+", False, "x+1", True),
        ("[[:space:]]#", False, "x #", True),
        ("(a+)+$", True, "aaaa", None),
        ("a*b*c*d*e*", True, "a", None),
        (r"\(a\)\1", False, "aa", None),
    ],
)
def test_patterns(text: str, *, extended: bool, line: str, found: bool | None) -> None:
    made = pattern(text, extended=extended)
    assert (None if made is None else made.search(line) is not None) is found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["s/==.*//", "r"], "flask\n||torch\n|requests\n|gunicorn\n"),
        ([r"s/\(torch\)==.*/\1-cpu/", "r"], "flask==3.0.3\n||torch-cpu\n|requests==2.32.3\n|gunicorn\n"),
        (["-E", "s#^(t|r)[a-z]+#&_#g", "r"], "flask==3.0.3\n||torch_==2.1.0\n|requests_==2.32.3\n|gunicorn\n"),
        (["/torch/!d", "r"], "||torch==2.1.0\n||"),
    ],
)  # fmt: skip
def test_sed(words: list[str], expected: str) -> None:
    program = apply("sed", words)
    assert program is not None
    given = tuple(line if line.strip() else "" for line in LINES)
    assert "|".join(program.lines(given) or ()) == expected
