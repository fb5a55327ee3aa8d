"""Environments that managers make, containers that only wait, configuration that is filled in."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit

APP = """from flask import Flask

app = Flask(__name__)


@app.post("/predict")
def predict():
    return {"score": 1}
"""
SERVE = 'CMD ["gunicorn", "--bind", "0.0.0.0:8000", "main:app"]\n'
LOCK = """[[package]]
name = "flask"
version = "3.0.3"

[[package]]
name = "gunicorn"
version = "22.0.0"
"""
PROJECT = """[tool.poetry]
name = "scorer"
version = "1.0.0"
description = ""
authors = []

[tool.poetry.dependencies]
python = "^3.11"
flask = "3.0.3"
gunicorn = "22.0.0"
"""


def _answers(root: Path, files: dict[str, str]) -> dict[str, str]:
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return dict(audit(root, Settings()).services[0].forecast.answers())


@pytest.mark.parametrize(
    ("lines", "cmd", "starts"),
    [
        ("RUN poetry install --no-root\n", SERVE, "no"),
        ("RUN poetry config virtualenvs.create false && poetry install --no-root\n", SERVE, "yes"),
        ("RUN poetry config virtualenvs.create false\nRUN poetry install\n", SERVE, "yes"),
        ("ENV POETRY_VIRTUALENVS_CREATE=false\nRUN poetry install --no-root\n", SERVE, "yes"),
        (
            "ENV POETRY_VIRTUALENVS_IN_PROJECT=true PATH=/app/.venv/bin:$PATH\n"
            "RUN poetry install --no-root\n",
            SERVE,
            "yes",
        ),
        ("ENV POETRY_VIRTUALENVS_IN_PROJECT=1\nRUN poetry install --no-root\n", SERVE, "no"),
        (
            "RUN poetry install --no-root\n",
            'CMD ["poetry", "run", "gunicorn", "--bind", "0.0.0.0:8000", "main:app"]\n',
            "yes",
        ),
        (
            "RUN python -m venv /opt/venv\nENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH\n"
            "RUN pip install poetry && poetry install --no-root\n",
            SERVE,
            "yes",
        ),
    ],
)
def test_poetry_makes_an_environment(tmp_path: Path, lines: str, cmd: str, starts: str) -> None:
    files = {
        "pyproject.toml": PROJECT,
        "poetry.lock": LOCK,
        "main.py": APP,
        "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nRUN pip install poetry==1.8.3\n"
        f"COPY pyproject.toml poetry.lock ./\n{lines}COPY main.py .\n{cmd}",
    }
    assert _answers(tmp_path, files)["starts"] == starts


@pytest.mark.parametrize(
    ("install", "starts"),
    [
        ("pipenv install flask gunicorn", "no"),
        ("pipenv install --system flask gunicorn", "yes"),
        ("PIPENV_VENV_IN_PROJECT=1 pipenv install flask gunicorn", "no"),
    ],
)
def test_pipenv_makes_an_environment(tmp_path: Path, install: str, starts: str) -> None:
    files = {
        "main.py": APP,
        "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nRUN pip install pipenv==2024.4.0\n"
        f"RUN {install}\nCOPY main.py .\n{SERVE}",
    }
    assert _answers(tmp_path, files)["starts"] == starts


@pytest.mark.parametrize(
    ("command", "reachable"),
    [
        ("sleep infinity", "no"),
        ("tail -f /dev/null", "no"),
        ('sh -c "echo ready && sleep 3600d"', "no"),
        # What else the script starts may listen.
        ('sh -c "service cron start; sleep infinity"', "unknown"),
        ('sh -c "gunicorn --bind 0.0.0.0:8000 main:app & sleep infinity"', "yes"),
    ],
)
def test_what_only_waits_serves_nothing(tmp_path: Path, command: str, reachable: str) -> None:
    files = {
        "main.py": APP,
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\n",
        "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\n"
        f"RUN pip install -r requirements.txt\nCOPY main.py .\n{SERVE}",
        "docker-compose.yml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"
        f"    command: {command}\n",
    }
    assert _answers(tmp_path, files)["reachable"] == reachable


NGINX = "server {\n  listen LISTEN;\n  location / { proxy_pass http://127.0.0.1:9001; }\n}\n"


@pytest.mark.parametrize(
    ("listen", "fill", "reachable"),
    [
        ("__PORT__", "sed -i s/__PORT__/8000/ /etc/nginx/conf.d/default.conf", "yes"),
        ("__PORT__", "sed -i -e 's|__PORT__|8080|g' /etc/nginx/conf.d/default.conf", "no"),
        ("80", "sed -i 's/listen 80;/listen 8000;/' /etc/nginx/conf.d/default.conf", "yes"),
        # Regular expressions and computed programs are not followed.
        ("80", "sed -i 's/listen [0-9]*;/listen 8000;/' /etc/nginx/conf.d/default.conf", "unknown"),
        ("80", 'sed -i "s/80/$UNSET_HERE/" /etc/nginx/conf.d/default.conf', "unknown"),
        ("$WEB_PORT", "envsubst '$WEB_PORT' < site.conf > /etc/nginx/conf.d/default.conf", "yes"),
        ("80", "envsubst < site.conf > /etc/nginx/conf.d/default.conf", "no"),
    ],
)
def test_what_is_filled_in_is_served(
    tmp_path: Path, listen: str, fill: str, reachable: str
) -> None:
    files = {
        "main.py": APP,
        "site.conf": NGINX.replace("LISTEN", listen),
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\n",
        "start.sh": f"set -e\n{fill}\nnginx\nexec gunicorn --bind 127.0.0.1:9001 main:app\n",
        "Dockerfile": "FROM python:3.11-slim\n"
        "RUN apt-get update && apt-get install -y nginx gettext-base\nENV WEB_PORT=8000\n"
        "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        "COPY site.conf start.sh main.py ./\nCOPY site.conf /etc/nginx/conf.d/default.conf\n"
        'CMD ["sh", "start.sh"]\n',
        "docker-compose.yml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
    }
    assert _answers(tmp_path, files)["reachable"] == reachable


@pytest.mark.parametrize(
    ("folder", "workdir", "starts"),
    [("", "/app", "yes"), ("backend/", "/app", "no"), ("backend/", "/app/backend", "yes")],
)
def test_manage_is_looked_for_where_the_command_runs(
    tmp_path: Path, folder: str, workdir: str, starts: str
) -> None:
    site = {
        "manage.py": "import os\nimport sys\n\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n'
        "from django.core.management import execute_from_command_line\n\n"
        "execute_from_command_line(sys.argv)\n",
        "site1/__init__.py": "",
        "site1/settings.py": 'SECRET_KEY = "k"\nROOT_URLCONF = "site1.urls"\nALLOWED_HOSTS = ["*"]\n',
        "site1/urls.py": "urlpatterns = []\n",
        "site1/wsgi.py": "import os\n\nfrom django.core.wsgi import get_wsgi_application\n\n"
        'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n'
        "application = get_wsgi_application()\n",
    }
    files = {f"{folder}{name}": text for name, text in site.items()}
    files["requirements.txt"] = "django==4.2.16\n"
    files["Dockerfile"] = (
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\n"
        f"RUN pip install -r requirements.txt\nCOPY . .\nWORKDIR {workdir}\n"
        'CMD ["python", "manage.py", "runserver", "0.0.0.0:8000"]\n'
    )
    assert _answers(tmp_path, files)["starts"] == starts


@pytest.mark.parametrize(
    ("port", "reachable"), [("ENV PORT=8080", "yes"), ("ENV PORT=9090", "no"), ("", "unknown")]
)
@pytest.mark.parametrize("form", ["shell", "exec"])
def test_nginx_is_filled_in_wherever_its_image_starts(
    tmp_path: Path, port: str, reachable: str, form: str
) -> None:
    """Absolute paths need no working directory; a variable that nothing sets stays open."""
    start = "envsubst '$PORT' < /t/site.conf > /etc/nginx/conf.d/default.conf && exec nginx -g 'daemon off;'"
    command = f"CMD {start}" if form == "shell" else f'CMD ["/bin/sh", "-c", "{start}"]'
    files = {
        "Dockerfile": f"FROM nginx:1.27\n{port}\nCOPY site.conf /t/site.conf\n{command}\n",
        "site.conf": 'server { listen ${PORT}; location / { return 200 "ok"; } }\n',
        "compose.yaml": 'services:\n  web:\n    build: .\n    ports: ["8080:8080"]\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (found,) = audit(tmp_path, Settings()).services
    assert found.forecast.reachable == reachable
