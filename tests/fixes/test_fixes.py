"""``deploy-audit fix``: what is edited, what is not, and how it is written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.cli.app import run
from auditor.config import Settings
from auditor.engine import audit
from auditor.errors import AuditorError
from auditor.findings import Edit
from auditor.fixes.apply import EditError, diff, edited, plan, write
from auditor.source import Location

APP = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
def health():
    return {}
"""
REQUIREMENTS = "fastapi==0.115.6\nuvicorn==0.34.0\n"
HEAD = "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
CMD = 'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]\n'


def repository(root: Path, **files: str) -> Path:
    every = {"app.py": APP, "requirements.txt": REQUIREMENTS, "Dockerfile": HEAD + CMD}
    for name, text in (every | files).items():
        (root / name).write_bytes(text.encode())
    return root


def fixed(root: Path, *rules: str) -> dict[str, str]:
    return {p: d.decode() for p, d in plan(root, Settings(select=rules)).new.items()}


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("NET001", 'CMD ["uvicorn", "app:app", "--host", "127.0.0.1", "--port", "8000"]',
         'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]'),
        ("NET001", 'CMD ["uvicorn", "app:app"]', 'CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]'),
        ("NET001", "CMD uvicorn app:app --port 80", "CMD uvicorn app:app --port 80 --host 0.0.0.0"),
        ("NET001", "CMD uvicorn app:app --host=localhost",
         "CMD uvicorn app:app --host=0.0.0.0"),
        ("NET002", 'EXPOSE 5000/tcp\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]',
         'EXPOSE 8000/tcp\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]'),
        ("IMG006", 'CMD ["uvicorn", "--reload", "app:app", "--host", "0.0.0.0"]',
         'CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]'),
        ("IMG006", "CMD uvicorn app:app --host 0.0.0.0 --reload",
         "CMD uvicorn app:app --host 0.0.0.0"),
        ("IMG007", "CMD uvicorn app:app --host 0.0.0.0",
         'CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]'),
        ("IMG007", "CMD uvicorn app:app --host 0.0.0.0 --port ${PORT:-8000}",
         'CMD ["sh", "-c", "exec uvicorn app:app --host 0.0.0.0 --port ${PORT:-8000}"]'),
        ("IMG013", "RUN apt-get update && apt-get install -y libgl1-mesa-glx\n" + CMD.strip(),
         "RUN apt-get update && apt-get install -y libgl1\n" + CMD.strip()),
    ],
)  # fmt: skip
def test_one_line_of_a_dockerfile(tmp_path: Path, rule: str, before: str, after: str) -> None:
    repository(tmp_path, Dockerfile=f"{HEAD}{before}\n")
    assert fixed(tmp_path, rule) == {"Dockerfile": f"{HEAD}{after}\n"}


@pytest.mark.parametrize(
    "command",
    [
        "CMD python prepare.py && uvicorn app:app --host 0.0.0.0",
        "CMD uvicorn app:app --host 0.0.0.0 > /tmp/log",
        "CMD uvicorn app:app --host $(hostname)",
        'ENTRYPOINT ["sh", "-c"]\nCMD uvicorn app:app --host 0.0.0.0',
        'SHELL ["/bin/bash", "-c"]\nCMD uvicorn app:app --host 0.0.0.0',
    ],
)
def test_a_command_that_needs_its_shell_keeps_it(tmp_path: Path, command: str) -> None:
    repository(tmp_path, Dockerfile=f"{HEAD}{command}\n")
    assert fixed(tmp_path, "IMG007") == {}


def test_a_moving_tag_gets_its_release(tmp_path: Path) -> None:
    install = "RUN apt-get update && apt-get install -y git libglib2.0-0t64\n"
    repository(tmp_path, Dockerfile=f"FROM python:3.13-slim AS base\n{install}{CMD}")
    (made,) = fixed(tmp_path, "IMG016").values()
    assert made.splitlines()[0] == "FROM python:3.13-slim-trixie AS base"
    repository(tmp_path, Dockerfile=f"ARG V=3.13\nFROM python:${{V}}-slim AS base\n{install}{CMD}")
    assert fixed(tmp_path, "IMG016") == {}


def test_missing_libraries_join_the_install_or_get_one(tmp_path: Path) -> None:
    files = {"requirements.txt": REQUIREMENTS + "opencv-python==4.10.0.84\n",
             "app.py": "import cv2\n" + APP}  # fmt: skip
    repository(tmp_path, **files)
    (made,) = fixed(tmp_path, "IMG002").values()
    assert made.splitlines()[1].startswith(
        "RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0"
    )
    install = "RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n"
    repository(tmp_path, **files, Dockerfile=HEAD + install + CMD)
    (made,) = fixed(tmp_path, "IMG002").values()
    assert "install -y curl libgl1 libglib2.0-0" in made
    assert made.count("apt-get install") == 1


def test_fixes_of_one_line_take_turns(tmp_path: Path) -> None:
    repository(
        tmp_path, Dockerfile=f"{HEAD}EXPOSE 5000\nCMD uvicorn app:app --host 127.0.0.1 --reload\n"
    )
    made = plan(tmp_path, Settings(select=("NET001", "NET002", "IMG006", "IMG007")))
    assert made.new["Dockerfile"].decode() == (
        f'{HEAD}EXPOSE 8000\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
    )
    assert {f.rule for f in made.mended} == {"NET001", "NET002", "IMG006", "IMG007"}


def test_log_options_for_every_service(tmp_path: Path) -> None:
    compose = (
        "services:\n"
        "    api:   # the model\n        build: .\n        ports: ['8000:8000']\n"
        "    worker:\n\n        build: .\n        command: python app.py\n"
    )
    repository(tmp_path, **{"docker-compose.yml": compose})
    (made,) = fixed(tmp_path, "OPS001").values()
    assert made.count("max-size") == 2
    assert "    api:   # the model\n        logging:\n            driver: json-file\n" in made


def test_the_version_that_wrote_the_artifact_is_pinned(tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from artifact_kit import Instance, pickled

    repository(
        tmp_path,
        **{"requirements.txt": REQUIREMENTS + "joblib\nscikit-learn  # the model\n"},
        **{"app.py": 'import joblib\nmodel = joblib.load("/app/m.joblib")\n' + APP},
    )
    model = Instance("sklearn.linear_model._base.LinearRegression", _sklearn_version="1.5.2")
    (tmp_path / "m.joblib").write_bytes(pickled(model))
    assert fixed(tmp_path, "ENV001") == {
        "requirements.txt": REQUIREMENTS + "joblib\nscikit-learn==1.5.2  # the model\n"
    }


def test_many_requirements_are_looked_up_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 500
    names = "".join(f"package{number}\n" for number in range(count))
    repository(tmp_path, **{"requirements.txt": names})
    compared = 0
    same = Location.__eq__

    def counting(self: Location, other: object) -> bool:
        nonlocal compared
        compared += 1
        return same(self, other)

    monkeypatch.setattr(Location, "__eq__", counting)
    assert fixed(tmp_path, "ENV001") == {}
    assert compared < 40 * count


def test_line_ends_encoding_and_mode_stay(tmp_path: Path) -> None:
    repository(tmp_path)
    text = (HEAD + 'CMD ["uvicorn", "app:app"]\n# ä\n').replace("\n", "\r\n")
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    path.chmod(0o640)
    made = plan(tmp_path, Settings(select=("NET001",)))
    write(tmp_path, made)
    after = text.replace('"app:app"]', '"app:app", "--host", "0.0.0.0"]')
    assert path.read_bytes() == b"\xef\xbb\xbf" + after.encode()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_utf16_requirements_are_written_back_as_they_were() -> None:
    data = "﻿flask\r\nnumpy\r\n".encode("utf-16-le")
    edit = Edit(Location("r.txt", 2, 6, 2, 6), "==2.0.0")
    assert edited("r.txt", data, [edit]) == "﻿flask\r\nnumpy==2.0.0\r\n".encode("utf-16-le")


def test_edits_that_overlap_or_lie_outside_are_refused() -> None:
    one, two = Edit(Location("f", 1, 1, 1, 4), "x"), Edit(Location("f", 1, 3, 1, 5), "y")
    with pytest.raises(EditError):
        edited("f", b"abcdef\n", [one, two])
    with pytest.raises(EditError):
        edited("f", b"abcdef\n", [Edit(Location("f", 9, 1, 9, 1), "x")])
    with pytest.raises(EditError):
        edited("f", b"ab\xff\n", [one])
    assert edited("f", b"ab", [Edit(Location("f", 2, 1, 2, 1), "c\n")]) == b"ab\nc"


def test_a_file_behind_a_link_is_not_written(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "repo"
    root.mkdir()
    repository(root)
    outside.write_text(f'{HEAD}CMD ["uvicorn", "app:app"]\n')
    (root / "Dockerfile").write_text(outside.read_text())
    made = plan(root, Settings(select=("NET001",)))
    assert made.new
    (root / "Dockerfile").unlink()
    (root / "Dockerfile").symlink_to(outside)
    with pytest.raises(AuditorError, match="Dockerfile"):
        write(root, made)
    assert "0.0.0.0" not in outside.read_text()


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    repository(tmp_path, Dockerfile=f'{HEAD}CMD ["uvicorn", "app:app"]\n')
    made = plan(tmp_path, Settings(select=("NET001",)))
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(AuditorError, match="changed"):
        write(tmp_path, made)
    assert (tmp_path / "Dockerfile").read_text() == "FROM scratch\n"


def test_an_edit_that_does_not_help_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auditor.fixes import recipes

    cook = recipes._RECIPES["NET001"]

    def useless(finding, context):
        fix = cook(finding, context)
        return fix and replace(fix, edits=(replace(fix.edits[0], text="127.0.0.2"),))

    def harmful(finding, context):
        fix = cook(finding, context)
        return fix and replace(fix, edits=(replace(fix.edits[0], text='0.0.0.0", "--reload'),))

    repository(tmp_path, Dockerfile=HEAD + CMD.replace("0.0.0.0", "127.0.0.1"))
    for bad in (useless, harmful):
        monkeypatch.setitem(recipes._RECIPES, "NET001", bad)
        made = plan(tmp_path, Settings(select=("NET001", "IMG006")))
        assert made.new == {}
        assert [why for _, why in made.refused] == ["the audit after it is not better"]


def test_an_accepted_finding_is_left_alone(tmp_path: Path) -> None:
    comment = "# deploy-audit: ignore[NET001] a proxy in the same container\n"
    repository(tmp_path, Dockerfile=HEAD + comment + 'CMD ["uvicorn", "app:app"]\n')
    assert fixed(tmp_path, "NET001") == {}


def test_the_report_carries_the_edits(tmp_path: Path) -> None:
    repository(tmp_path, Dockerfile=f'{HEAD}CMD ["uvicorn", "app:app"]\n')
    (finding,) = audit(tmp_path, Settings(select=("NET001",))).findings
    assert finding.fix is not None
    assert finding.fix.safe
    assert finding.fix.edits[0].text == ', "--host", "0.0.0.0"'


def test_command_shows_a_patch_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    repository(root, Dockerfile=f'{HEAD}CMD ["uvicorn", "app:app"]\n')
    before = (root / "Dockerfile").read_text()
    assert run(["fix", str(root), "--select", "NET001"]) == 1
    patch = capsys.readouterr().out
    assert (root / "Dockerfile").read_text() == before
    subprocess.run(["patch", "-p1", "-d", root], input=patch, text=True, check=True,
                   capture_output=True)  # fmt: skip
    by_patch = (root / "Dockerfile").read_text()
    (root / "Dockerfile").write_text(before)
    assert run(["fix", str(root), "--select", "NET001", "--write"]) == 0
    assert (root / "Dockerfile").read_text() == by_patch != before
    assert run(["fix", str(root), "--select", "NET001"]) == 0
    assert run(["fix", str(root), "--diff", "--write"]) == 2
    assert run(["fix", str(root), "--lock"]) == 2


def test_a_patch_says_when_a_line_has_no_end(tmp_path: Path) -> None:
    repository(tmp_path, Dockerfile=f'{HEAD}CMD ["uvicorn", "app:app"]')
    assert "\\ No newline at end of file" in diff(plan(tmp_path, Settings(select=("NET001",))))
