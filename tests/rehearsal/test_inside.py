"""What the image holds against what the files say: each kind of difference, with its place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditor.config import Settings
from auditor.deployment.model import Deployment
from auditor.engine import deployment_of
from auditor.rehearsal import inside
from auditor.rehearsal.observed import Contrast

FILES = {
    "Dockerfile": """FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY app.py model.json ./
RUN useradd app
USER app
CMD ["python", "app.py"]
""",
    "requirements.txt": "requests==2.32.3\ncolorama==0.4.6 ; sys_platform == 'win32'\n",
    "app.py": """import json
import requests

with open("model.json") as file:
    MODEL = json.load(file)
with open("/app/seen.txt", "w") as file:
    file.write("x")
""",
    "model.json": "{}",
}


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return deployment_of(tmp_path, Settings())


def found(deployment: Deployment, **more: Any) -> tuple[Contrast, ...]:
    image = deployment.images[0]
    claims = tuple(inside.claims_of(image, deployment))
    said = {
        "python": "3.11.7",
        "uid": 1000,
        "user": "app",
        "cwd": "/app",
        "distributions": {"requests": "2.32.3"},
        "paths": [["/app/model.json", "file", 2, False], ["/app/seen.txt", "", 0, False]],
    }
    return inside._inside(said | more, image, claims).differences


def test_an_image_that_is_as_the_files_say(deployment: Deployment) -> None:
    assert found(deployment) == ()


@pytest.mark.parametrize(
    ("more", "what", "said", "seen", "path", "line"),
    [
        ({"python": "3.12.1"}, "Python", "3.11", "3.12.1", "Dockerfile", 1),
        (
            {"distributions": {"requests": "2.31.0"}},
            "requests",
            "2.32.3",
            "2.31.0",
            "requirements.txt",
            1,
        ),
        ({"distributions": {}}, "requests", "2.32.3", "not installed", "requirements.txt", 1),
        ({"cwd": "/srv"}, "working directory", "/app", "/srv", "Dockerfile", 2),
        ({"uid": 0, "user": "root"}, "user", "app", "root (0)", "Dockerfile", 7),
        (
            {"paths": [["/app/model.json", "", 0, False]]},
            "/app/model.json",
            "there, from model.json",
            "not there",
            "Dockerfile",
            5,
        ),
        (
            {"paths": [["/app/seen.txt", "", 0, True]]},
            "/app/seen.txt",
            "not writable",
            "writable",
            "Dockerfile",
            2,
        ),
    ],
    ids=["python", "version", "absent", "workdir", "user", "file", "writable"],
)
def test_what_differs_is_named_with_both_ends(
    deployment: Deployment,
    more: dict[str, Any],
    what: str,
    said: str,
    seen: str,
    path: str,
    line: int,
) -> None:
    (item,) = found(deployment, **more)
    assert (item.what, item.said, item.found) == (what, said, seen)
    assert item.at is not None and (item.at.path, item.at.line) == (path, line)


def test_nonsense_from_the_image_is_no_difference(deployment: Deployment) -> None:
    paths: list[Any] = [None, [1, 2], ["/app/model.json", "file", "x", 1], {}, "x"]
    assert found(deployment, paths=paths, uid=None) == ()
    assert found(deployment, paths="x", distributions={"requests": "2.32.3"}) == ()


def test_the_inspector_says_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("four")
    (tmp_path / "locked").mkdir(mode=0o555)
    paths = [str(tmp_path / "file"), str(tmp_path), str(tmp_path / "new" / "x")]
    script = Path(inside.__file__).parent / "payload" / "inspector.py"
    code = (
        f"import sys; sys.path.insert(0, {str(script.parent)!r}); import inspector as i; import json\n"
        f"print(json.dumps([i.standing(p) for p in {paths!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        ["file", 4, True],
        ["directory", 0, True],
        ["", 0, True],
    ]
