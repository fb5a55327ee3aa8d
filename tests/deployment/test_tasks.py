"""What a Celery worker imports at its start, each as celery 5.4 answered it."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY . .
RUN pip install -r requirements.txt
CMD ["celery", "-A", "{target}", "worker"]
"""


@pytest.mark.parametrize(
    ("arguments", "more", "target", "starts"),
    [
        ("", "", "proj.app", True),
        ("include=['proj.tasks']", "", "proj.app", True),
        ("include=['proj.none']", "", "proj.app", False),
        ("include=['proj.tasks', 'tasks']", "", "proj.app", False),
        ("include=[name() for name in ()]", "", "proj.app", True),
        ("", "app.conf.imports = ('proj.none',)", "proj.app", False),
        ("", "app.conf.update(imports=['proj.none'])", "proj.app", False),
        ("", "app.conf.update(imports=['proj.tasks'])", "proj.app", True),
        ("", "if 0:\n    app.conf.imports = ['proj.none']", "proj.app", True),
        ("", "app.autodiscover_tasks()", "proj.app", True),
        ("", "app.autodiscover_tasks(['proj'])", "proj.app", True),
        # A package without `tasks`, or a name below one that is there, is passed over.
        ("", "app.autodiscover_tasks(['proj.sub'])", "proj.app", True),
        ("", "app.autodiscover_tasks(['proj.nosub'])", "proj.app", True),
        ("", "app.autodiscover_tasks(['nowhere'])", "proj.app", False),
        ("", "app.autodiscover_tasks(['celery'])", "proj.app", True),
        ("", "", "proj.app:worker", False),
        ("", "", "proj.app.app", True),
        ("", "", "proj", False),
        ("", "", "whole", True),
    ],
)
def test_modules_of_tasks(
    tmp_path: Path, arguments: str, more: str, target: str, starts: bool
) -> None:
    app = (
        f"from celery import Celery\napp = Celery('p', broker='redis://r/0', {arguments})\n{more}\n"
    )
    files = {
        "proj/__init__.py": '"""The project."""\n',
        "proj/sub/__init__.py": "",
        "proj/tasks.py": "from proj.app import app\n",
        "proj/app.py": app,
        "whole/__init__.py": "",
        "whole/celery.py": "from proj.app import app\n",
        "requirements.txt": "celery==5.4.0\n",
        "Dockerfile": DOCKERFILE.format(target=target),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    result = audit(tmp_path, Settings())
    (service,) = result.services
    broken = {f.rule for f in result.findings if f.breaks}
    assert broken == (set() if starts else {"IMG017"})
    # What an installed distribution brings stays open.
    assert (dict(service.forecast.answers())["starts"] == "no") is not starts
