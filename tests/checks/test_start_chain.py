"""From the engine to the server: scripts, users, imports, proxies, platforms, Compose references."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.result import AuditResult

APP = """from flask import Flask

app = Flask(__name__)


@app.get("/health")
def health():
    return {"status": "ok"}


@app.post("/predict")
def predict():
    return {"score": 1}
"""
REQUIREMENTS = "flask==3.0.3\ngunicorn==22.0.0\n"
SERVE = '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]'
START = "#!/bin/sh\nset -e\nexec gunicorn -b 0.0.0.0:8000 app:app\n"


def recipe(command: str = SERVE, more: str = "", python: str = "3.11") -> str:
    return (
        f"FROM python:{python}-slim\nWORKDIR /app\nCOPY requirements.txt ./\n"
        f"RUN pip install -r requirements.txt\nCOPY . .\n{more}EXPOSE 8000\nCMD {command}\n"
    )


def run(tmp_path: Path, files: dict[str, str]) -> AuditResult:
    base = {"app.py": APP, "requirements.txt": REQUIREMENTS}
    if "Procfile" not in files:
        base["Dockerfile"] = recipe()
    for name, text in {**base, **files}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return audit(tmp_path, Settings())


def breaking(result: AuditResult) -> set[str]:
    return {f.rule for f in result.findings if f.breaks and f.confidence.name != "POSSIBLE"}


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        ({"start.sh": START, "Dockerfile": recipe('["sh", "start.sh"]')}, set()),
        ({"start.sh": START, "Dockerfile": recipe('["./start.sh"]')}, {"IMG018"}),
        ({"start.sh": START, "Dockerfile": recipe("./start.sh")}, {"IMG018"}),
        (
            {
                "start.sh": START,
                "Dockerfile": recipe('["./start.sh"]', "RUN chmod +x start.sh\n"),
            },
            set(),
        ),
        (
            {
                "start.sh": START.replace("\n", "\r\n"),
                "Dockerfile": recipe('["sh", "start.sh"]'),
            },
            {"IMG018"},
        ),
        (
            {
                "start.sh": START.replace("\n", "\r\n"),
                "Dockerfile": recipe('["sh", "start.sh"]', "RUN dos2unix start.sh\n"),
            },
            set(),
        ),
        (
            {
                "start.sh": START.replace("exec", "alembic upgrade head\nexec"),
                "Dockerfile": recipe('["sh", "start.sh"]'),
            },
            {"IMG018"},
        ),
        (
            {
                "start.sh": START.replace("exec", "alembic upgrade head || true\nexec"),
                "Dockerfile": recipe('["sh", "start.sh"]'),
            },
            set(),
        ),
        ({"Dockerfile": recipe("['gunicorn', 'app:app']")}, {"IMG018"}),
        ({"Dockerfile": recipe('["gunicorn", "app.py:app"]')}, {"IMG017", "NET001"}),
        ({"Dockerfile": recipe(more="USER service\n")}, {"IMG018"}),
        ({"Dockerfile": recipe(more="RUN useradd service\nUSER service\n")}, set()),
        ({"Dockerfile": recipe(more="USER 1000\n")}, set()),
        ({"Dockerfile": recipe('["python", "app.py"]')}, {"IMG018"}),
        ({"app.py": "from .scores import score\n" + APP}, {"IMG023"}),
        (
            {"app.py": "from scores import score\n" + APP, "scores.py": "def other(): ...\n"},
            {"IMG023"},
        ),
        (
            {"app.py": "from scores import score\n" + APP, "scores.py": "from app import app\nscore = 1\n"},
            {"IMG023"},
        ),
        (
            {"app.py": "from scores import score\n" + APP, "scores.py": "score = 1\n"},
            set(),
        ),
        (
            {"app.py": "from enum import StrEnum\n" + APP, "Dockerfile": recipe(python="3.10")},
            {"IMG023"},
        ),
        ({"app.py": "from enum import StrEnum\n" + APP}, set()),
        (
            {
                "app.py": APP + "\n\ndef f(x: int | None): ...\n",
                "Dockerfile": recipe(python="3.9"),
            },
            {"IMG021"},
        ),
        (
            {
                "app.py": "from __future__ import annotations\n" + APP + "\n\ndef f(x: int | None): ...\n",
                "Dockerfile": recipe(python="3.9"),
            },
            set(),
        ),
        ({"app.py": APP + "    other = 1\n   wrong = 2\n"}, {"IMG021"}),
        ({"app.py": APP + "def wrong(:\n    pass\n"}, {"IMG021"}),
        ({"app.py": APP + "<<<<<<< HEAD\n"}, {"IMG021"}),
        ({"app.py": "from scores import score\n" + APP, "scores.py": "score = = 1\n"}, {"IMG021"}),
        (
            {
                "app.py": "try:\n    from scores import score\nexcept Exception:\n    score = 0\n" + APP,
                "scores.py": "score = = 1\n",
            },
            set(),
        ),
        ({"scores.py": "score = = 1\n"}, set()),
        # A newer Python than the one that reads may know what this one does not.
        ({"app.py": APP + "x = = 1\n", "Dockerfile": recipe(python="3.99")}, set()),
        ({"Procfile": "web: gunicorn app:app\n"}, set()),
        ({"Procfile": "web: gunicorn -b 0.0.0.0:5000 app:app\n"}, {"NET003"}),
        ({"Procfile": "web: gunicorn main:app\n"}, {"IMG017"}),
        (
            {"app.py": 'open("logs/a.log", "w")\n' + APP},
            {"PTH007"},
        ),
        (
            {"app.py": 'open("logs/a.log", "w")\n' + APP, "Dockerfile": recipe(more="RUN mkdir logs\n")},
            set(),
        ),
        (
            {
                "app.py": 'rows = open("made/rows.txt").read()\n' + APP,
                "make.py": 'import os\nos.makedirs("made")\nopen("made/rows.txt", "w").write("1")\n',
                "Dockerfile": recipe(more="RUN python make.py\n"),
            },
            set(),
        ),
        (
            {
                "app.py": 'rows = open("made/rows.txt").read()\n' + APP,
                "make.py": 'import os\nos.makedirs("out")\nopen("out/rows.txt", "w").write("1")\n',
                "Dockerfile": recipe(more="RUN python make.py\n"),
            },
            {"PTH002"},
        ),
    ],
)  # fmt: skip
def test_breaks(tmp_path: Path, files: dict[str, str], rules: set[str]) -> None:
    assert breaking(run(tmp_path, files)) == rules


def test_one_finding_for_a_file_that_does_not_parse(tmp_path: Path) -> None:
    result = run(tmp_path, {"app.py": APP + "def wrong(:\n"})
    found = [f.rule for f in result.findings if f.rule in ("IMG021", "CFG004")]
    assert found == ["IMG021"]


PROXY = "server {{\n  listen 80;\n  location / {{ proxy_pass http://{}; }}\n}}\n"
BEHIND = (
    "services:\n  api:\n    build: .\n  proxy:\n    image: nginx:1.27\n    ports: ['8000:80']\n"
    "    volumes: ['./proxy.conf:/etc/nginx/conf.d/default.conf']\n"
)


@pytest.mark.parametrize(
    ("target", "found"),
    [("api:8000", 0), ("api:5000", 1), ("backend:8000", 1), ("localhost:8000", 1), ("$name:1", 0)],
)
def test_proxy_in_front(tmp_path: Path, target: str, found: int) -> None:
    result = run(tmp_path, {"docker-compose.yml": BEHIND, "proxy.conf": PROXY.format(target)})
    assert len([f for f in result.findings if f.rule == "NET009"]) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("    volumes: ['data:/data']\n", True),
        ("    volumes: ['./data:/data']\n", False),
        ("    networks: [back]\n", True),
        ("    depends_on: [db]\n", True),
        ("    depends_on:\n      db: {condition: service_started, required: false}\n", False),
    ],
)
def test_names_that_compose_does_not_know(tmp_path: Path, lines: str, found: bool) -> None:
    compose = f"services:\n  api:\n    build: .\n    ports: ['8000:8000']\n{lines}"
    result = run(tmp_path, {"docker-compose.yml": compose})
    assert ("IMG024" in breaking(result)) is found


def test_traefik_is_told_another_port(tmp_path: Path) -> None:
    label = "traefik.http.services.api.loadbalancer.server.port"
    for port, found in (("8000", 0), ("5000", 1)):
        compose = f'services:\n  api:\n    build: .\n    labels:\n      {label}: "{port}"\n'
        result = run(tmp_path / port, {"docker-compose.yml": compose})
        assert len([f for f in result.findings if f.rule == "NET009"]) == found


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ("", True),
        ("RUN echo prepared\n", True),
        # What is compiled or linked may be the program.
        ("RUN ./configure && make && make install\n", False),
        ("RUN ln -sf /opt/thing/bin/ffmpeg /usr/bin/ffmpeg\n", False),
    ],
    ids=["nothing", "something else", "compiled", "linked"],
)
def test_a_program_that_the_build_may_make(tmp_path: Path, more: str, missing: bool) -> None:
    result = run(tmp_path, {"Dockerfile": recipe('["ffmpeg", "-version"]', more)})
    assert any("`ffmpeg` is not in the image" in f.message for f in result.findings) is missing


@pytest.mark.parametrize("acts", [False, True], ids=["hands over only", "acts without arguments"])
def test_a_script_without_arguments(tmp_path: Path, acts: bool) -> None:
    branch = 'if [ -z "$1" ]; then\n  ./serve --foreground\nfi\n' if acts else ""
    files = {
        "entry.sh": f'#!/bin/sh\n{branch}exec "$@"\n',
        "Dockerfile": recipe().replace("CMD " + SERVE, 'ENTRYPOINT ["sh", "entry.sh"]'),
    }
    found = [f for f in run(tmp_path, files).findings if "hands over to" in f.message]
    assert bool(found) is not acts
