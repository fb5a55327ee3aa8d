"""What the repositories of strangers do and is no fault, each beside the twin that is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, dockerfile, service

from auditor.result import AuditResult


def severities(result: AuditResult, rule: str) -> list[str]:
    return [f.severity.name.lower() for f in result.findings if f.rule == rule]


TASK = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--features", required=True)
args = parser.parse_args()
print(args.features)
"""


def test_a_task_that_nothing_starts_is_given_its_arguments_by_who_starts_it(tmp_path: Path) -> None:
    files = {"Dockerfile": dockerfile("COPY task.py ./", '["python", "task.py"]'), "task.py": TASK}
    assert severities(service(tmp_path / "a", files), "IMG018") == ["medium"]
    files["compose.yaml"] = "services:\n  task:\n    build: .\n"
    assert severities(service(tmp_path / "b", files), "IMG018") == ["high"]


@pytest.mark.parametrize(
    ("value", "told"), [("key.json", []), ("/secrets/key.pem", []), ("hunter2-9f3", ["high"])]
)
def test_the_path_of_a_key_file_is_no_secret(tmp_path: Path, value: str, told: list[str]) -> None:
    files = {"Dockerfile": dockerfile(f"ENV GOOGLE_APPLICATION_CREDENTIALS={value}")}
    assert severities(service(tmp_path, files), "IMG008") == told


@pytest.mark.parametrize(("name", "told"), [("AIP_STORAGE_URI", []), ("STORAGE_URI", ["high"])])
def test_a_managed_platform_sets_variables_of_its_own(
    tmp_path: Path, name: str, told: list[str]
) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "app.py": f"import os\n{APP}\nBUCKET = os.environ['{name}']\n",
    }
    assert severities(service(tmp_path, files), "IMG012") == told


ENGINE = "from sqlalchemy import create_engine\nengine = create_engine('postgresql://u@db/x')\n"


def test_a_feature_whose_failure_is_handled_asks_for_nothing(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile("COPY store.py ./"),
        "requirements.txt": f"{REQUIREMENTS}sqlalchemy==2.0.30\n",
        "store.py": ENGINE,
        "app.py": f"import store\n{APP}",
    }
    assert severities(service(tmp_path / "a", files), "ENV007") == ["high"]
    files["app.py"] = f"try:\n    import store\nexcept Exception:\n    store = None\n{APP}"
    assert severities(service(tmp_path / "b", files), "ENV007") == []


def test_a_mount_point_and_what_git_leaves_out_of_it_are_there(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "app.py": (
            "from pathlib import Path\n"
            "Path('/app/data').mkdir(parents=True, exist_ok=True)\n"
            f"Path('/app/data/raw').mkdir(parents=True, exist_ok=True)\n{APP}"
        ),
        "compose.yaml": (
            "services:\n  api:\n    build: .\n    volumes: ['./data:/app/data:ro']\n"
            "    ports: ['8000:8000']\n"
        ),
        ".gitignore": "data/raw/\n",
    }
    assert severities(service(tmp_path / "a", files), "IMG011") == []
    files[".gitignore"] = "*.log\n"
    (found,) = [f for f in service(tmp_path / "b", files).findings if f.rule == "IMG011"]
    assert "`/app/data/raw` is written" in found.message


@pytest.mark.parametrize(
    ("ignored", "severity"), [("data/raw/\n", "medium"), ("data2/raw/\n", "high")]
)
def test_a_directory_that_holds_only_what_git_ignores_is_in_no_clone(
    tmp_path: Path, ignored: str, severity: str
) -> None:
    files = {"Dockerfile": dockerfile("COPY data/ ./data/"), ".gitignore": ignored}
    assert severities(service(tmp_path, files), "IMG019") == [severity]


LOADS = f"import joblib\nmodel = joblib.load('models/v1/model.pkl')\n{APP}"


def test_an_empty_directory_waits_for_a_mount_where_nobody_says_what_is_mounted(
    tmp_path: Path,
) -> None:
    files = {
        "Dockerfile": dockerfile("RUN mkdir -p models"),
        "requirements.txt": f"{REQUIREMENTS}joblib==1.4.2\n",
        "app.py": LOADS,
    }
    assert severities(service(tmp_path / "a", files), "PTH002") == ["medium"]
    files["compose.yaml"] = "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"
    found = service(tmp_path / "b", files)
    assert severities(found, "PTH002") == ["high"]
    assert found.services[0].forecast.starts == "no"


def test_variables_of_a_file_given_with_env_file_are_set(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "compose.yaml": (
            "services:\n  api:\n    build: .\n    env_file: envs/store.env\n"
            "    command: gunicorn --bind ${SERVE_AT} app:app\n"
        ),
        "envs/store.env": "SERVE_AT=0.0.0.0:8000\n",
        "up.sh": "#!/bin/sh\ndocker compose --env-file envs/store.env up\n",
    }
    assert severities(service(tmp_path / "a", files), "IMG018") == []
    files["up.sh"] = "#!/bin/sh\ndocker compose up\n"
    assert severities(service(tmp_path / "b", files), "IMG018") == ["high"]


def test_an_env_file_that_only_the_caller_knows_may_set_anything(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "compose.yaml": (
            "services:\n  api:\n    build: .\n    command: gunicorn --bind ${SERVE_AT} app:app\n"
        ),
        "up.sh": '#!/bin/sh\ndocker compose --env-file "$1" up\n',
    }
    assert severities(service(tmp_path / "a", files), "IMG018") == ["low"]
    files["up.sh"] = "#!/bin/sh\ndocker compose up\n"
    assert severities(service(tmp_path / "b", files), "IMG018") == ["high"]


def test_a_documented_run_takes_a_variable_from_the_shell(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "app.py": f"import os\n{APP}\nURI = os.environ['MODEL_URI']\n",
        "README.md": (
            '```sh\ndocker build -t api .\ndocker run -e "MODEL_URI=${URI}" -p 80:8000 api\n```\n'
        ),
    }
    assert severities(service(tmp_path / "a", files), "IMG012") == []
    files["README.md"] = "```sh\ndocker build -t api .\ndocker run -p 80:8000 api\n```\n"
    assert severities(service(tmp_path / "b", files), "IMG012") == ["high"]


def test_an_extension_compiled_in_the_image_is_a_name_of_its_package(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(
            "COPY fast ./fast\nRUN cd fast && python setup.py build_ext --inplace"
        ),
        "fast/__init__.py": "",
        "fast/setup.py": "from setuptools import setup\nsetup()\n",
        "app.py": f"from fast import kernel\n{APP}",
    }
    assert severities(service(tmp_path / "a", files), "IMG023") == []
    files["Dockerfile"] = dockerfile("COPY fast ./fast")
    assert severities(service(tmp_path / "b", files), "IMG023") == ["high"]


def test_a_version_that_the_shell_takes_for_a_redirection_ends_no_list(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile().replace(
            "pip install -r requirements.txt", 'pip install flask>=3.0 "gunicorn>=22" requests'
        ),
        "app.py": f"import requests\n{APP}",
    }
    result = service(tmp_path / "a", files)
    assert severities(result, "ENV007") == severities(result, "IMG018") == []
    files["app.py"] = f"import httpx\n{APP}"
    assert severities(service(tmp_path / "b", files), "ENV007") == ["high"]


@pytest.mark.parametrize(
    ("base", "told"),
    [("gcr.io/distroless/python3-debian12:nonroot", []), ("python:3.11-slim", ["high"])],
)
def test_distroless_images_have_the_account_nonroot(
    tmp_path: Path, base: str, told: list[str]
) -> None:
    files = {
        "Dockerfile": (
            f"FROM {base}\nWORKDIR /app\nCOPY --chown=nonroot:nonroot app.py ./\n"
            'CMD ["python", "app.py"]\n'
        )
    }
    assert severities(service(tmp_path, files), "IMG022") == told


@pytest.mark.parametrize(("folder", "told"), [("archive", ["medium"]), ("deploy", ["high"])])
def test_what_is_archived_is_not_deployed(tmp_path: Path, folder: str, told: list[str]) -> None:
    files = {
        "compose.yaml": "services:\n  api:\n    build: .\n",
        f"{folder}/compose.yaml": "services:\n  api:\n    build: .\n",
    }
    assert severities(service(tmp_path, files), "IMG022") == told


def test_a_dotenv_that_a_service_asks_for_is_the_one_that_compose_reads(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "compose.yaml": (
            "services:\n  api:\n    build: .\n    env_file: .env\n"
            "    command: gunicorn --bind ${SERVE_AT} app:app\n"
        ),
    }
    result = service(tmp_path / "a", files)
    assert severities(result, "IMG018") == ["low"]
    assert severities(result, "IMG020") == ["high"]
    files["compose.yaml"] = files["compose.yaml"].replace(".env", "serve.env")
    assert severities(service(tmp_path / "b", files), "IMG018") == ["high"]


WAITS = """\
services:
  init:
    build: .
    entrypoint: /bin/bash
    command: ["-c", "mkdir -p /data; echo done"]
  api:
    build: .
    depends_on:
      init: {condition: CONDITION}
"""


@pytest.mark.parametrize(
    ("condition", "told"), [("service_completed_successfully", []), ("service_started", ["high"])]
)
def test_a_service_that_others_wait_for_may_end(
    tmp_path: Path, condition: str, told: list[str]
) -> None:
    files = {"compose.yaml": WAITS.replace("CONDITION", condition)}
    assert severities(service(tmp_path, files), "IMG018") == told


SEARCHES = """\
from pathlib import Path

found = list(Path("/app/data/curated").glob("*.parquet"))
if not found:
    raise FileNotFoundError("no data")
"""


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("data/curated.dvc", "outs:\n- path: curated\n", []),
        (".gitignore", "data/curated/*\n", []),
        ("data/notes.txt", "", ["high"]),
    ],
)
def test_a_mounted_directory_that_git_leaves_out_may_hold_what_is_looked_for(
    tmp_path: Path, name: str, text: str, told: list[str]
) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "app.py": f"{SEARCHES}{APP}",
        "compose.yaml": (
            "services:\n  api:\n    build: .\n    volumes: ['./data/curated:/app/data/curated:ro']\n"
        ),
        name: text,
    }
    assert severities(service(tmp_path, files), "IMG025") == told


REPORT = """\
from fastapi import FastAPI, HTTPException

app = FastAPI()


@app.get("/ROUTE")
def report():
    try:
        with open("/app/report.html") as file:
            return file.read()
    except FileNotFoundError as error:
        raise HTTPException(404, str(error))
"""


@pytest.mark.parametrize(("route", "told"), [("report", []), ("predict", ["high"])])
def test_a_missing_file_that_the_route_answers_for_is_no_fault(
    tmp_path: Path, route: str, told: list[str]
) -> None:
    files = {
        "Dockerfile": dockerfile(
            "", '["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "app:app"]'
        ),
        "requirements.txt": "fastapi==0.115.0\ngunicorn==22.0.0\nuvicorn==0.30.0\n",
        "app.py": REPORT.replace("ROUTE", route),
    }
    assert severities(service(tmp_path, files), "PTH002") == told
