"""Units of systemd: each forecast is held against what a real systemd did with the same unit."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers import systemd
from auditor.result import AuditResult
from auditor.source import SourceText, Unknown

TOP = Path(__file__).resolve().parents[2]
UNITS = tomllib.loads((TOP / "tests" / "data" / "systemd_units.toml").read_text("utf-8"))["unit"]
_spec = importlib.util.spec_from_file_location("try_units", TOP / "tools" / "try_systemd_units.py")
assert _spec is not None and _spec.loader is not None
_tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_tool)


def run(root: Path, files: dict[str, str]) -> AuditResult:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return audit(root, Settings())


@pytest.mark.parametrize("unit", UNITS, ids=[unit["name"] for unit in UNITS])
def test_forecast_as_systemd_did(tmp_path: Path, unit: dict[str, str]) -> None:
    result = run(tmp_path, {**_tool.FILES, "app.service": unit["text"]})
    (service,) = result.services
    answers = dict(service.forecast.answers())
    if unit["starts"]:
        assert answers["starts"] != "no", [f.message for f in result.findings if f.breaks]
    else:
        assert answers["starts"] == "no"


UNIT = "[Service]\nWorkingDirectory=/home/ml/scores\nExecStart={}\n"
APP = _tool.FILES["app.py"]
SERVES = "/home/ml/scores/venv/bin/gunicorn -b 127.0.0.1:8000 app:app"


def rules(result: AuditResult) -> set[str]:
    return {f.rule for f in result.findings if f.breaks}


@pytest.mark.parametrize(
    "start",
    [
        "/home/ml/miniconda3/envs/scores/bin/gunicorn -b 0.0.0.0:8000 app:app",
        "/usr/bin/bash -c 'source venv/bin/activate && exec gunicorn -b 0.0.0.0:8000 app:app'",
        "/usr/bin/bash -lc 'cd /home/ml/scores && ./venv/bin/gunicorn app:app'",
        "-/home/ml/scores/venv/bin/python -m gunicorn app:app",
        # Another repository's, or a program of the machine.
        "/usr/bin/docker compose up",
        "/usr/bin/node server.js",
        # Something has still to fill these in.
        "{{ venv }}/bin/gunicorn nothere:app",
        "/path/to/venv/bin/gunicorn nothere:app",
        "@VENV@/bin/gunicorn nothere:app",
    ],
)
def test_units_that_work_are_left_alone(tmp_path: Path, start: str) -> None:
    files = {"app.py": APP, "requirements.txt": "gunicorn==22.0.0\n"}
    assert not rules(run(tmp_path, {**files, "scores.service": UNIT.format(start)}))


def test_what_a_machine_may_have_by_hand_is_only_possible(tmp_path: Path) -> None:
    text = UNIT.format(SERVES) + "EnvironmentFile=/home/ml/scores/.env\n"
    files = {"app.py": APP, "requirements.txt": "flask==3.0.3\n", "scores.service": text}
    result = run(tmp_path, files)
    found = {f.rule: (f.severity.name, f.message) for f in result.findings if f.breaks}
    assert {rule: severity for rule, (severity, _) in found.items()} == {
        "IMG018": "LOW",
        "IMG020": "LOW",
    }
    assert "container" not in found["IMG018"][1] and "image" not in found["IMG018"][1]
    (service,) = result.services
    assert dict(service.forecast.answers())["starts"] == "unknown"


def test_paths_of_the_machine_that_runs_it_are_its_own(tmp_path: Path) -> None:
    code = APP + "\nrows = open('/home/ml/scores/rows.csv').read()\n"
    files = {"app.py": code, "requirements.txt": "gunicorn==22.0.0\n", "rows.csv": "1\n"}
    assert not rules(run(tmp_path / "a", {**files, "scores.service": UNIT.format(SERVES)}))
    code = code.replace("/home/ml/", "/home/somebody/")
    files["app.py"] = code
    result = run(tmp_path / "b", {**files, "scores.service": UNIT.format(SERVES)})
    assert "PTH006" in rules(result)


def test_rules_about_containers_are_silent(tmp_path: Path) -> None:
    files = {"app.py": APP, "requirements.txt": "gunicorn==22.0.0\n"}
    result = run(tmp_path, {**files, "scores.service": UNIT.format(SERVES)})
    assert not {f.rule for f in result.findings} & {
        "IMG004",
        "IMG005",
        "OPS001",
        "OPS008",
        "OPS009",
    }


def test_gunicorn_in_the_background_ends_a_container_too(tmp_path: Path) -> None:
    dockerfile = (
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
        'CMD ["gunicorn", {}"-b", "0.0.0.0:8000", "app:app"]\n'
    )
    files = {"app.py": APP, "requirements.txt": "gunicorn==22.0.0\n"}
    for option, expected in (('"--daemon", ', "no"), ("", "yes")):
        text = dockerfile.format(option)
        (service,) = run(tmp_path / expected, {**files, "Dockerfile": text}).services
        assert dict(service.forecast.answers())["starts"] == expected


def unit(text: str, name: str = "a.service") -> systemd.Unit:
    return systemd.parse(SourceText(name, text))


def test_words_variables_and_specifiers() -> None:
    text = "[Service]\nEnvironment=\"A=b c\" D=e 'F=$A'\nExecStart=/bin/x ${A} $A $D-x ${D}x $$ %n \\\n  %p 'q r' s\\x20t\n"
    made = unit(text, "up.service")
    assert made.start is not None
    known: dict[str, str | Unknown | None] = {name: held for name, held, _ in made.environment}
    words = [word for word, _ in systemd.expand(made.start, known)]
    assert words == ["/bin/x", "b c", "b", "c", "ex", "$", "up.service", "up", "q r", "s t"]
    assert known["F"] == "$A"


def test_a_variable_that_is_not_seen_stays_open() -> None:
    made = unit("[Service]\nExecStart=/bin/x ${A} $A\n")
    assert made.start is not None
    words = [w for w, _ in systemd.expand(made.start, {"*": Unknown("a file of the machine")})]
    assert all(isinstance(word, Unknown) for word in words[1:]) and len(words) == 3
    assert [w for w, _ in systemd.expand(made.start, {})] == ["/bin/x", ""]


def test_assignments_of_an_environment_file() -> None:
    text = "A=1 # x\nexport B=2\n# c\nD='q'\nE = f\nnot\n"
    found = systemd.environment_file(SourceText("env", text))
    assert [(name, held) for name, held, _ in found] == [("A", "1 # x"), ("D", "q"), ("E", "f")]


@given(
    st.text(alphabet=st.sampled_from("[]Service=\n\\'\"$%{}; #/-:@+ExecStart abPORT"), max_size=200)
)
def test_any_text_is_read(text: str) -> None:
    made = unit("[Service]\nExecStart=" + text)
    if made.start is not None:
        systemd.expand(made.start, dict.fromkeys("ab", "c d"))
