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
