"""OPS002: every way a container comes to write a log file, and every way the file is bounded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving_kit import GOOD, found, lines, write

from auditor.findings import Confidence

BASE = (
    "FROM python:3.12-slim\nWORKDIR /app\nRUN pip install fastapi==0.115.0 uvicorn==0.30.0 "
    "gunicorn==22.0.0 joblib==1.4.2 scikit-learn==1.5.2\nCOPY . .\n"
)


def docker(command: str, before: str = "") -> str:
    return f"{BASE}{before}{command}\n"


GUNICORN = 'CMD ["gunicorn", "-b", "0.0.0.0:8000", {}"app:app"]'
SUPERVISED = 'CMD ["supervisord", "-n", "-c", "/app/supervisord.conf"]'
PROGRAM = "[program:api]\ncommand=uvicorn app:app --host 0.0.0.0 --port 8000\n"
YAML_LOGGING = (
    "version: 1\nhandlers:\n  file:\n    class: logging.FileHandler\n    filename: /app/run.log\n"
    "root:\n  handlers: [file]\n"
)
INI_LOGGING = "[handlers]\nkeys=f\n[handler_f]\nclass=FileHandler\nargs=('/app/run.log', 'a')\n"
ROTATE = "/var/log/api/*.log {\n  daily\n  rotate 7\n}\n"

GROWING: dict[str, tuple[dict[str, str], tuple[str, int]]] = {
    "gunicorn's access log": (
        {"Dockerfile": docker(GUNICORN.format('"--access-logfile", "/var/log/a.log", '))},
        ("Dockerfile", 5),
    ),
    "gunicorn's configuration": (
        {
            "Dockerfile": docker(GUNICORN.format("")),
            "gunicorn.conf.py": 'accesslog = "-"\nerrorlog = "logs/error.log"\n',
        },
        ("gunicorn.conf.py", 2),
    ),
    "uvicorn's logging configuration": (
        {
            "Dockerfile": docker(
                'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--log-config", "log.yaml"]'
            ),
            "log.yaml": YAML_LOGGING,
        },
        ("log.yaml", 5),
    ),
    "gunicorn's INI logging configuration": (
        {
            "Dockerfile": docker(GUNICORN.format('"--log-config", "log.ini", ')),
            "log.ini": INI_LOGGING,
        },
        ("log.ini", 3),
    ),
    "a redirection": (
        {"Dockerfile": docker("CMD uvicorn app:app --host 0.0.0.0 --port 8000 >> app.log 2>&1")},
        ("Dockerfile", 5),
    ),
    "a redirection in the script that starts it": (
        {
            "Dockerfile": docker('CMD ["sh", "start.sh"]'),
            "start.sh": "#!/bin/sh\nexec uvicorn app:app --host 0.0.0.0 > /var/log/app.log\n",
        },
        ("start.sh", 2),
    ),
    "supervisord without a bound": (
        {
            "Dockerfile": docker(SUPERVISED),
            "supervisord.conf": PROGRAM
            + "stdout_logfile=/var/log/api.log\nstdout_logfile_maxbytes=0\n",
        },
        ("supervisord.conf", 3),
    ),
    "a server below supervisord": (
        {
            "Dockerfile": docker(SUPERVISED),
            "supervisord.conf": "[program:api]\ncommand=gunicorn -b 0.0.0.0:8000 "
            "--error-logfile /var/log/g.log app:app\n",
        },
        ("supervisord.conf", 2),
    ),
    "logrotate that nothing runs": (
        {
            "Dockerfile": docker(
                GUNICORN.format('"--access-logfile", "/var/log/api/a.log", '),
                "COPY rotate /etc/logrotate.d/api\n",
            ),
            "rotate": ROTATE,
        },
        ("Dockerfile", 6),
    ),
}

BOUNDED: dict[str, dict[str, str]] = {
    "standard output": {"Dockerfile": docker(GUNICORN.format('"--access-logfile", "-", '))},
    "a device": {"Dockerfile": docker(GUNICORN.format('"--access-logfile", "/dev/stdout", '))},
    "a link to standard output": {
        "Dockerfile": docker(
            GUNICORN.format('"--access-logfile", "/var/log/a.log", '),
            "RUN ln -sf /dev/stdout /var/log/a.log\n",
        )
    },
    "supervisord's own default": {
        "Dockerfile": docker(SUPERVISED),
        "supervisord.conf": PROGRAM + "stdout_logfile=/var/log/api.log\n",
    },
    "supervisord to standard output": {
        "Dockerfile": docker(SUPERVISED),
        "supervisord.conf": PROGRAM + "stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n",
    },
    "a rotating handler in the configuration": {
        "Dockerfile": docker(
            'CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--log-config", "log.json"]'
        ),
        "log.json": '{"version": 1, "handlers": {"f": {"class": '
        '"logging.handlers.RotatingFileHandler", "filename": "/app/a.log", "maxBytes": 1000}}}',
    },
    "errors thrown away": {"Dockerfile": docker("CMD uvicorn app:app --host 0.0.0.0 2>/dev/null")},
    "logrotate run by cron": {
        "Dockerfile": docker('CMD ["sh", "start.sh"]', "COPY rotate /etc/logrotate.d/api\n"),
        "rotate": ROTATE,
        "start.sh": "cron\nexec gunicorn --access-logfile /var/log/api/a.log -b :8000 app:app\n",
    },
}


@pytest.mark.parametrize("name", GROWING)
def test_grows(tmp_path: Path, name: str) -> None:
    files, place = GROWING[name]
    result = found(write(tmp_path, {"app.py": GOOD, **files}), "OPS002")
    assert lines(result) == [("OPS002", *place)]
    assert result[0].help


@pytest.mark.parametrize("name", BOUNDED)
def test_is_bounded(tmp_path: Path, name: str) -> None:
    assert found(write(tmp_path, {"app.py": GOOD, **BOUNDED[name]}), "OPS002") == []


def test_idle_logrotate_is_the_other_end(tmp_path: Path) -> None:
    files, _ = GROWING["logrotate that nothing runs"]
    (finding,) = found(write(tmp_path, {"app.py": GOOD, **files}), "OPS002")
    assert [(r.at.path, r.at.line) for r in finding.related] == [("rotate", 1)]


def test_what_is_mounted_may_be_rotated_outside(tmp_path: Path) -> None:
    files, _ = GROWING["gunicorn's access log"]
    compose = "services:\n  api:\n    build: .\n    volumes: ['./logs:/var/log']\n"
    (finding,) = found(
        write(tmp_path, {"app.py": GOOD, "docker-compose.yml": compose, **files}), "OPS002"
    )
    assert finding.confidence is Confidence.LIKELY
    assert [(r.at.path, r.at.line) for r in finding.related] == [("docker-compose.yml", 4)]
