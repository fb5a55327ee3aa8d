"""What the repositories of strangers do and is no fault, each beside the twin that is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, dockerfile, service

from auditor.config import Settings
from auditor.engine import audit
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


@pytest.mark.parametrize(("name", "told"), [("AIP_STORAGE_URI", []), ("STORAGE_URI", ["medium"])])
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


@pytest.mark.parametrize(("name", "told"), [("work.queue", []), ("work.missing", ["high"])])
def test_celery_takes_the_last_part_of_a_name_for_an_attribute(
    tmp_path: Path, name: str, told: list[str]
) -> None:
    files = {
        "Dockerfile": dockerfile("COPY work.py ./", f'["celery", "-A", "{name}", "worker"]'),
        "requirements.txt": "celery==5.4.0\n",
        "work.py": "from celery import Celery\nqueue = Celery('work')\n",
    }
    assert severities(service(tmp_path, files), "IMG017") == told


PROJECT = '[project]\nname = "api"\nversion = "1"\ndependencies = ["flask==3.0.3", "gunicorn"]\n'


@pytest.mark.parametrize(
    ("tool", "told"), [("pip install uv && uv pip install --system", False), ("pip install", True)]
)
def test_uv_takes_pyproject_for_a_list_of_requirements(
    tmp_path: Path, tool: str, told: bool
) -> None:
    files = {
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY pyproject.toml app.py ./\n"
            f"RUN {tool} -r pyproject.toml\n"
            'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
        ),
        "pyproject.toml": PROJECT,
    }
    result = service(tmp_path, files)
    assert bool(severities(result, "ENV019")) is told
    assert severities(result, "ENV007") == []


def test_the_engine_sets_home(tmp_path: Path) -> None:
    files = {
        "Dockerfile": dockerfile(),
        "app.py": (
            "import os\nstore = f\"{os.environ.get('HOME')}/store\"\n"
            f"os.makedirs(store, exist_ok=True)\nopen(store + '/x', 'w').write('x')\n{APP}"
        ),
    }
    assert severities(service(tmp_path / "a", files), "PTH007") == []
    files["app.py"] = f"open('/store/x', 'w').write('x')\n{APP}"
    assert severities(service(tmp_path / "b", files), "PTH007") == ["high"]


SELDON = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: models}
spec:
  name: models
  predictors:
    - name: main
      graph: {name: one, type: MODEL}
      componentSpecs:
        - spec:
            containers:
              - {name: one, image: "registry.example.com/one:1"}
              - {name: two, image: "registry.example.com/two:1"}
"""
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: models}
spec:
  containers:
    - {name: one, image: "registry.example.com/one:1"}
    - {name: two, image: "registry.example.com/two:1"}
"""


@pytest.mark.parametrize(("manifest", "told"), [(SELDON, []), (PODS, ["high"])])
def test_seldon_gives_each_container_a_port(tmp_path: Path, manifest: str, told: list[str]) -> None:
    build = "docker build -t registry.example.com/NAME:1 NAME\n"
    files = {
        "k8s/models.yaml": manifest,
        "build.sh": "#!/bin/sh\n" + "".join(build.replace("NAME", n) for n in ("one", "two")),
    }
    for name in ("one", "two"):
        files[f"{name}/Dockerfile"] = dockerfile()
        files[f"{name}/app.py"] = APP
        files[f"{name}/requirements.txt"] = REQUIREMENTS
    assert severities(service(tmp_path, files), "NET013") == told


@pytest.mark.parametrize(
    ("present", "ignored", "told"),
    [("limits.yaml", "", ["high"]), ("limits.json", "", []), ("limits.yaml", "*.json\n", [])],
)
def test_a_patch_that_nobody_has_stops_kustomize(
    tmp_path: Path, present: str, ignored: str, told: list[str]
) -> None:
    files = {
        "k8s/kustomization.yaml": (
            "resources: [api.yaml]\npatches:\n- path: limits.json\n  target: {kind: Deployment}\n"
        ),
        "k8s/api.yaml": (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n"
            "  selector: {matchLabels: {app: api}}\n  template:\n    metadata: {labels: {app: api}}\n"
            '    spec:\n      containers: [{name: api, image: "example.com/api:1"}]\n'
        ),
        f"k8s/{present}": "[]\n",
        ".gitignore": ignored,
    }
    assert severities(service(tmp_path, files), "IMG030") == told


@pytest.mark.parametrize("packages", [("src/__init__.py", "src/api/__init__.py"), ()])
def test_fastapi_run_imports_a_file_by_its_packages(
    tmp_path: Path, packages: tuple[str, ...]
) -> None:
    """Relative imports work in what its CLI starts, as far as there are packages."""
    command = '["fastapi", "run", "src/api/main.py", "--host", "0.0.0.0"]'
    files = {
        "Dockerfile": dockerfile("COPY src src", command),
        "requirements.txt": "fastapi[standard]==0.115.6\n",
        "src/config.py": "TITLE = 'x'\n",
        "src/api/main.py": "from fastapi import FastAPI\nfrom ..config import TITLE\n"
        "app = FastAPI(title=TITLE)\n",
        **dict.fromkeys(packages, ""),
    }
    assert bool(severities(service(tmp_path, files), "IMG023")) is not bool(packages)


SETTINGS = """\
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict


class Mail(BaseModel):
    host: str = "mail"


class Settings(BaseSettings):
    session_key: str
    mail: Mail = Mail()
    {more}
"""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", ["high"]),
        ("model_config = SettingsConfigDict(env_file='.env')", ["high"]),
        ("model_config = SettingsConfigDict(secrets_dir='/run/secrets')", []),
        ("@classmethod\n    def settings_customise_sources(cls, settings_cls, **given):\n"
         "        return (*given.values(), Vault(settings_cls))", []),
    ],
)  # fmt: skip
def test_settings_from_elsewhere(tmp_path: Path, more: str, told: list[str]) -> None:
    """A directory of secrets, or a source that the class adds, may give what no variable does."""
    files = {
        "Dockerfile": dockerfile("COPY conf.py ./"),
        "compose.yaml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
        "requirements.txt": REQUIREMENTS + "pydantic-settings==2.7.0\n",
        "conf.py": SETTINGS.format(more=more),
        "app.py": "from conf import Settings\n\nsettings = Settings()\n" + APP,
    }
    assert severities(service(tmp_path, files), "IMG012") == told


def test_a_nested_model_of_another_module_is_no_variable(tmp_path: Path) -> None:
    """The class is looked up where the settings are defined; without a default it is required."""
    files = {
        "Dockerfile": dockerfile("COPY conf.py ./"),
        "compose.yaml": "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n",
        "requirements.txt": REQUIREMENTS + "pydantic-settings==2.7.0\n",
        "app.py": "import conf\n\nsettings = conf.Settings()\n" + APP,
    }
    for field, told in (("mailer: Mail = Mail()", []), ("mailer: Mail", ["high"])):
        files["conf.py"] = SETTINGS.format(more="").replace("session_key: str", field)
        assert severities(service(tmp_path / str(len(told)), files), "IMG012") == told


def test_lists_for_different_places_do_not_contradict(tmp_path: Path) -> None:
    """Without an image nothing says that both are installed."""
    lists = {"requirements.txt": "pandas==2.1.1\n", "requirements-docker.txt": "pandas==2.1.4\n"}
    for name, text in {"app.py": "import pandas\n", **lists}.items():
        (tmp_path / name).write_text(text)
    assert severities(audit(tmp_path, Settings()), "ENV011") == []
    both = "RUN pip install -r requirements.txt -r requirements-docker.txt"
    lists["Dockerfile"] = dockerfile(f"COPY requirements-docker.txt ./\n{both}")
    assert "high" in severities(service(tmp_path / "b", lists), "ENV011")


@pytest.mark.parametrize(
    ("more", "told"),
    [("", True), ("requests==2.32.3\n", False), ("acme-internal-kit==1.0\n", False)],
)
def test_what_a_health_check_imports(tmp_path: Path, more: str, told: bool) -> None:
    """A distribution that no table knows may bring the module along."""
    check = "HEALTHCHECK CMD python -c \"import requests; requests.get('http://localhost:8000/health')\""
    files = {"Dockerfile": dockerfile(check), "requirements.txt": REQUIREMENTS + more}
    assert bool(severities(service(tmp_path, files), "IMG015")) is told
