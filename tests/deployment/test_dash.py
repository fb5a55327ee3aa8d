"""``==`` and ``[[`` where Debian's ``sh`` runs the text: it says so, and the condition does not hold.

Seen in a container of python:3.11-slim-bookworm: ``[ a == a ]`` gives 2 (``unexpected operator``),
``[[ a = a ]]`` gives 127, ``set -e`` ends the script at either.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit

APP = """\
from flask import Flask

app = Flask(__name__)


@app.post("/predict")
def predict():
    return {"score": 1}
"""
DOCKERFILE = """\
FROM python:3.11-{flavour}
WORKDIR /app
COPY . .
RUN pip install -r requirements.txt
ENV MODE=api
EXPOSE 8000
{cmd}
"""
BRANCHES = """\
if [ "$MODE" == "api" ]; then
  exec gunicorn -b 0.0.0.0:8000 app:app
fi
exec gunicorn -b 127.0.0.1:8000 app:app
"""
ONLY = "if {}; then exec gunicorn -b 0.0.0.0:8000 app:app; fi\n"
START = 'CMD ["./start.sh"]'


@pytest.mark.parametrize(
    ("flavour", "cmd", "script", "answers", "rules"),
    [
        ("slim", START, "#!/bin/sh\n" + BRANCHES, "yynn", {"NET001"}),
        ("slim", START, "#!/bin/bash\n" + BRANCHES, "yyyy", set()),
        ("slim", START, "#!/usr/bin/env bash\n" + BRANCHES, "yyyy", set()),
        ("slim", 'CMD ["bash", "start.sh"]', "#!/bin/sh\n" + BRANCHES, "yyyy", set()),
        ("slim", 'CMD ["sh", "start.sh"]', "#!/bin/bash\n" + BRANCHES, "yynn", {"NET001"}),
        # busybox knows `==`.
        ("alpine", START, "#!/bin/sh\n" + BRANCHES, "yyyy", set()),
        ("slim", START, "#!/bin/sh\n" + BRANCHES.replace("==", "="), "yyyy", set()),
        ("slim", START, "#!/bin/sh\n" + BRANCHES.replace("==", "!="), "yynn", {"NET001"}),
        ("slim", START, "#!/bin/sh\n" + BRANCHES.replace("[ ", "! [ "), "yyyy", set()),
        ("slim", "CMD " + ONLY.format('[ "$MODE" == api ]'), "", "ynnn", {"IMG018"}),
        (
            "slim",
            'SHELL ["/bin/bash", "-c"]\nCMD ' + ONLY.format('[ "$MODE" == api ]'),
            "",
            "yyyy",
            set(),
        ),
        ("slim", START, "#!/bin/sh\n" + ONLY.format('[[ "$MODE" = api ]]'), "ynnn", {"IMG018"}),
        ("slim", START, "#!/bin/bash\n" + ONLY.format('[[ "$MODE" = api ]]'), "yyyy", set()),
        (
            "slim",
            START,
            '#!/bin/sh\nset -e\n[ "$MODE" == api ]\nexec gunicorn -b :8000 app:app\n',
            "ynnn",
            {"IMG018"},
        ),
        (
            "slim",
            START,
            '#!/bin/sh\nset -e\n[ "$MODE" == api ] || true\nexec gunicorn -b :8000 app:app\n',
            "yyyy",
            set(),
        ),
        # An operand, not an operator.
        ("slim", START, "#!/bin/sh\n" + ONLY.format("[ -n == ]"), "yyyy", set()),
    ],
)
def test_conditions(
    tmp_path: Path, flavour: str, cmd: str, script: str, answers: str, rules: set[str]
) -> None:
    files = {
        "app.py": APP,
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\n",
        "Dockerfile": DOCKERFILE.format(flavour=flavour, cmd=cmd),
    }
    if script:
        files["start.sh"] = script
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    if script:
        (tmp_path / "start.sh").chmod(0o755)
    result = audit(tmp_path, Settings())
    (service,) = result.services
    assert {f.rule for f in result.findings if f.breaks} == rules
    assert "".join(answer[0] for _, answer in service.forecast.answers()) == answers
