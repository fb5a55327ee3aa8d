"""What nobody meets by the repository's own way weighs medium, and only that."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import repo_kit as kit

from auditor.findings import Confidence, Finding, Severity
from auditor.result import AuditResult

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12345\n"
)
BROKEN = 'FROM python:3.11-slim\nWORKDIR /app\nCOPY nowhere.sql ./\nCMD ["sleep", "1"]\n'


def _only(result: AuditResult, rule: str) -> Finding:
    (found,) = kit.of(result, rule)
    return found


def _doubted(found: Finding) -> bool:
    return found.severity is Severity.MEDIUM and found.confidence is Confidence.POSSIBLE


# --- Dockerfiles and Compose files that are left out ------------------------------------------


def test_a_dockerfile_that_the_compose_file_leaves_out(tmp_path: Path) -> None:
    files = {"compose.yaml": kit.compose(""), "db/Dockerfile": BROKEN}
    found = _only(kit.service(tmp_path, files), "IMG019")
    assert _doubted(found) and "ompose.yaml builds the other images" in found.help


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("README.md", "Then `docker build -t db db`.\n"),
        (
            ".github/workflows/ci.yml",
            "on: push\njobs:\n  a:\n    steps:\n      - run: docker build -t db ./db\n",
        ),
        ("Makefile", "db:\n\tcd db && docker build .\n"),
        ("db/README.md", "Run `docker build .` here.\n"),
    ],
)
def test_a_dockerfile_that_something_speaks_of(name: str, text: str, tmp_path: Path) -> None:
    files = {"compose.yaml": kit.compose(""), "db/Dockerfile": BROKEN, name: text}
    found = _only(kit.service(tmp_path, files), "IMG019")
    assert "ompose.yaml builds the other images" not in found.help


def test_a_drawing_of_the_tree_asks_for_nothing(tmp_path: Path) -> None:
    files = {
        "compose.yaml": kit.compose(""),
        "db/Dockerfile": BROKEN,
        "README.md": "```\n├── db/Dockerfile\n└── compose.yaml\n```\n",
    }
    assert _doubted(_only(kit.service(tmp_path, files), "IMG019"))


def test_a_compose_file_that_another_one_stands_above(tmp_path: Path) -> None:
    stale = kit.compose("", port="8000:9999").replace("build: .", "build: ..")
    files = {"compose.yaml": kit.compose(""), "deployment/compose.yaml": stale}
    assert _doubted(_only(kit.service(tmp_path, files), "NET003"))


def test_a_compose_file_below_that_a_script_starts(tmp_path: Path) -> None:
    stale = kit.compose("", port="8000:9999").replace("build: .", "build: ..")
    files = {
        "compose.yaml": kit.compose(""),
        "deployment/compose.yaml": stale,
        "run.sh": "#!/bin/sh\ncd deployment && docker compose up\n",
    }
    assert _only(kit.service(tmp_path, files), "NET003").severity is Severity.HIGH


def test_images_for_tests_beside_the_deployed_one(tmp_path: Path) -> None:
    found = _only(kit.service(tmp_path, {"tests/Dockerfile": BROKEN}), "IMG019")
    assert found.severity is Severity.MEDIUM


def test_a_service_that_is_there_to_build_the_image(tmp_path: Path) -> None:
    text = (
        "services:\n"
        "  base:\n    build: .\n    image: local/app:1\n    entrypoint: [echo]\n    command: [built]\n"
        "  web:\n    image: local/app:1\n    entrypoint: [gunicorn, -b, '0.0.0.0:8000', 'app:app']\n"
    )
    found = kit.of(kit.service(tmp_path, {"compose.yaml": text}), "IMG018")
    assert all(f.severity <= Severity.MEDIUM for f in found)


# --- contexts -----------------------------------------------------------------------------------


def test_a_context_that_nothing_names_is_a_guess(tmp_path: Path) -> None:
    files = {
        "images/api/Dockerfile": BROKEN,
        "images/api/main.py": "x = 1\n",
        "sql/nowhere.sql": "--\n",
    }
    found = _only(kit.service(tmp_path, files), "IMG019")
    assert _doubted(found) and "from which directory" in found.help


def test_what_no_context_would_bring(tmp_path: Path) -> None:
    files = {"images/api/Dockerfile": BROKEN, "images/api/main.py": "x = 1\n"}
    assert _only(kit.service(tmp_path, files), "IMG019").severity is Severity.HIGH


def test_a_context_that_a_command_names_is_known(tmp_path: Path) -> None:
    files = {
        "images/api/Dockerfile": BROKEN,
        "images/api/main.py": "x = 1\n",
        "build.sh": "#!/bin/sh\ndocker build -t api images/api\n",
    }
    assert _only(kit.service(tmp_path, files), "IMG019").severity is Severity.HIGH


def test_a_dockerfile_that_a_workflow_carries_off(tmp_path: Path) -> None:
    files = {
        "Dockerfile": "FROM python:3.11-slim\n",
        "images/api.Dockerfile": BROKEN,
        ".github/workflows/deploy.yml": (
            "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          git clone x space\n"
            "          cp images/api.Dockerfile space/Dockerfile\n"
        ),
    }
    found = kit.of(kit.service(tmp_path, files), "IMG019")
    assert found and all(f.severity is Severity.MEDIUM for f in found)


def test_lists_that_a_makefile_writes(tmp_path: Path) -> None:
    files = {
        "Dockerfile": kit.dockerfile().replace("COPY requirements.txt", "COPY locked.txt"),
        "Makefile": "lock:\n\tpoetry export -f requirements.txt -o locked.txt\n",
    }
    assert _only(kit.service(tmp_path, files), "IMG019").severity is Severity.MEDIUM


def test_an_image_that_takes_lists_alone_has_its_code_mounted(tmp_path: Path) -> None:
    files = {
        "Dockerfile": kit.dockerfile().replace("COPY app.py ./\n", ""),
        "Makefile": "run:\n\tdocker run -v $(PWD):/app $(IMAGE)\n",
    }
    found = kit.of(kit.service(tmp_path, files), "IMG017")
    assert found and all(f.confidence is Confidence.POSSIBLE for f in found)


# --- models -------------------------------------------------------------------------------------


def test_a_pointer_that_no_container_sees(tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"mlruns/1/artifacts/model.pkl": POINTER})
    assert _doubted(_only(result, "ART014"))


def test_a_pointer_that_the_service_loads(tmp_path: Path) -> None:
    code = 'import joblib\njoblib.load("model.pkl")\n'
    files = {
        "app.py": code + kit.APP,
        "Dockerfile": kit.dockerfile("COPY model.pkl ./"),
        "model.pkl": POINTER,
        "requirements.txt": kit.REQUIREMENTS + "joblib==1.4.2\n",
    }
    assert _only(kit.service(tmp_path, files), "ART014").severity is Severity.HIGH


def test_a_pointer_without_any_service(tmp_path: Path) -> None:
    from auditor.config import Settings
    from auditor.engine import audit

    (tmp_path / "models").mkdir()
    (tmp_path / "models/churn.pkl").write_text(POINTER)
    assert _only(audit(tmp_path, Settings()), "ART014").severity is Severity.HIGH


def test_pandas_of_one_module(tmp_path: Path) -> None:
    from auditor.artifacts.pickle.names import canonical

    assert canonical("pandas.core.internals") == "pandas.core.internals.managers"


@pytest.mark.parametrize(("folder", "high"), [("tests/data", False), ("models", True)])
def test_unproven_data_of_tests(folder: str, high: bool, tmp_path: Path) -> None:
    path = tmp_path / folder / "result.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cunheard.of\nResult\n(tR.")
    result = kit.service(tmp_path)
    found = kit.of(result, "ART002")
    assert [f.severity >= Severity.HIGH for f in found] == [high]


def test_what_is_dangerous_is_so_in_tests(tmp_path: Path) -> None:
    path = tmp_path / "tests/data/result.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(_Bad()))
    found = kit.of(kit.service(tmp_path), "ART001")
    assert found and all(f.severity is Severity.CRITICAL for f in found)


class _Bad:
    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, ("true",)


# --- addresses ----------------------------------------------------------------------------------

SWITCH = """\
IN_DOCKER = False
HOST = "0.0.0.0" if IN_DOCKER else "127.0.0.1"
app.run(host=HOST, port=8000)
"""


@pytest.mark.parametrize(
    ("readme", "high"),
    [("Set `IN_DOCKER = True` before `docker compose up`.\n", False), ("A service.\n", True)],
)
def test_a_switch_that_documents_tell_to_turn(readme: str, high: bool, tmp_path: Path) -> None:
    files = {
        "app.py": kit.APP + SWITCH,
        "Dockerfile": kit.dockerfile(command='["python", "app.py"]'),
        "compose.yaml": kit.compose(""),
        "README.md": readme,
    }
    found = _only(kit.service(tmp_path, files), "NET001")
    assert (found.severity is Severity.HIGH) == high


GUARDED = """\
import os

import requests


@app.post("/ask")
def ask():
    for provider in os.environ["PROVIDERS"].split():
        try:
            return call(provider)
        except Exception:
            pass


def call(provider):
    if provider == "local":
        return requests.post("http://localhost:11434/api/chat", timeout=5).json()
    return requests.post("https://example.com/chat", timeout=5).json()
"""


def test_one_of_several_places_to_ask(tmp_path: Path) -> None:
    files = {
        "app.py": kit.APP + GUARDED,
        "requirements.txt": kit.REQUIREMENTS + "requests==2.32.3\n",
        "compose.yaml": kit.compose(""),
    }
    found = kit.of(kit.service(tmp_path, files), "NET009")
    assert found and all(f.severity is Severity.MEDIUM for f in found)


# --- what was known wrongly -----------------------------------------------------------------------


def test_a_list_that_is_overwritten_after_it_was_installed(tmp_path: Path) -> None:
    files = {
        "lists/requirements.txt": kit.REQUIREMENTS,
        "src/requirements.txt": "flask==3.0.3\n",
        "src/app.py": kit.APP,
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY lists/requirements.txt ./\n"
            "RUN pip install -r requirements.txt\nCOPY src ./\n"
            'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
        ),
    }
    result = kit.service(tmp_path, files)
    assert not kit.of(result, "IMG018") and kit.answers(result)[1] == "yes"


def test_a_release_that_brought_its_server(tmp_path: Path) -> None:
    files = {
        "app.py": "from fastapi import FastAPI\n\napp = FastAPI()\n",
        "requirements.txt": "fastapi==0.111.0\n",
        "Dockerfile": kit.dockerfile(command='["uvicorn", "app:app", "--host", "0.0.0.0"]'),
    }
    assert not kit.of(kit.service(tmp_path, files), "IMG018")


def test_pycaret_takes_a_name(tmp_path: Path) -> None:
    code = 'from pycaret.classification import load_model\nload_model("model")\n'
    files = {
        "app.py": code + kit.APP,
        "model.pkl": "1",
        "requirements.txt": kit.REQUIREMENTS + "pycaret==3.3.2\n",
        "Dockerfile": kit.dockerfile("COPY model.pkl ./"),
    }
    assert not kit.of(kit.service(tmp_path, files), "PTH002")


def test_the_environment_file_by_its_keyword(tmp_path: Path) -> None:
    code = (
        "import environ\nenv = environ.Env(DEBUG=(bool, False))\n"
        'environ.Env.read_env(env_file="settings.env")\nKEY = env("SECRET_KEY")\nDEBUG = env("DEBUG")\n'
    )
    files = {
        "app.py": code + kit.APP,
        "settings.env": "SECRET_KEY=1\n",
        "requirements.txt": kit.REQUIREMENTS + "django-environ==0.11.2\n",
        "Dockerfile": kit.dockerfile("COPY settings.env ./"),
        "compose.yaml": kit.compose(""),
    }
    assert not kit.of(kit.service(tmp_path, files), "IMG012")


def test_a_module_hides_the_directory_beside_it(tmp_path: Path) -> None:
    files = {
        "app.py": "import tools\n" + kit.APP,
        "tools.py": "x = 1\n",
        "tools/extra.py": "import surely_missing\n",
        "Dockerfile": kit.dockerfile("COPY . ."),
    }
    assert not kit.of(kit.service(tmp_path, files), "ENV007")


def test_a_build_step_of_an_installed_project(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": (
            '[build-system]\nrequires = ["setuptools>=69"]\nbuild-backend = "setuptools.build_meta"\n'
            '[project]\nname = "x"\nversion = "1"\n[tool.setuptools.packages.find]\ninclude = ["pkg*"]\n'
        ),
        "pkg/__init__.py": "",
        "scripts/train.py": "from pkg import nothing_yet\n",
        "Dockerfile": (
            "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt ./\n"
            "RUN pip install -r requirements.txt\nCOPY . .\nRUN pip install -e .\n"
            "RUN python scripts/train.py\n"
            'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
        ),
    }
    assert not any(
        "imports `pkg`" in f.message for f in kit.of(kit.service(tmp_path, files), "IMG022")
    )


def test_what_a_resolver_listed_is_complete_without_dependencies(tmp_path: Path) -> None:
    listed = (
        "# This file was autogenerated by uv via the following command:\n"
        "#    uv pip compile ui.in -o requirements.txt\n"
        "flask==3.0.3\n    # via -r ui.in\ngunicorn==22.0.0\n    # via -r ui.in\n"
    )
    files = {
        "requirements.txt": listed,
        "Dockerfile": kit.dockerfile().replace("pip install", "pip install --no-deps"),
    }
    assert not any("--no-deps" in f.message for f in kit.of(kit.service(tmp_path, files), "ENV007"))


@pytest.mark.parametrize(
    ("head", "font"),
    [
        (b"\x80\x01V\x15\x00\x00%!PS-AdobeFont-1.0: X\n%%Title\n", True),
        (b"\x80\x01V\x15\x00\x00%!PS-AdobeFont-1.0: X\ncos\n", False),
        (b"\x80\x01V\x15\x00\x00%!PS-AdobeFont-1.0: X", False),
        (b"\x80\x01S\x15\x00\x00%!PS-AdobeFont-1.0: X\n", True),
    ],
)
def test_headers_of_fonts(head: bytes, font: bool) -> None:
    from auditor.discovery import is_type1_font

    assert is_type1_font(head) == font


def test_a_font_is_no_pickle(tmp_path: Path) -> None:
    (tmp_path / "cmsy7.pfb").write_bytes(
        b"\x80\x01a\x16\x00\x00%!PS-AdobeFont-1.0: CMSY7\n" + b"x" * 9000
    )
    assert not [f for f in kit.service(tmp_path).findings if f.rule.startswith("ART")]


@pytest.mark.parametrize(
    "head",
    [
        b"\x80\x01U\x04\x00\x00%!cos\nsystem\n(S'x'\ntR.",  # a short string over the header
        b"\x80\x01cos\nsystem\n(S'x'\ntR.",
    ],
)
def test_a_pickle_that_looks_like_a_font(head: bytes, tmp_path: Path) -> None:
    from auditor.discovery import is_type1_font

    assert not is_type1_font(head)
    (tmp_path / "font.pfb").write_bytes(head)
    assert kit.of(kit.service(tmp_path), "ART001")


def test_a_directory_kept_empty_is_to_be_filled(tmp_path: Path) -> None:
    code = 'import joblib\njoblib.load("models/model.pkl")\n'
    files = {
        "app.py": code + kit.APP,
        "models/.gitkeep": "",
        "requirements.txt": kit.REQUIREMENTS + "joblib==1.4.2\n",
        "Dockerfile": kit.dockerfile("COPY models models/"),
    }
    assert _only(kit.service(tmp_path, files), "PTH002").severity is Severity.MEDIUM


@pytest.mark.parametrize(("there", "severity"), [(False, Severity.MEDIUM), (True, Severity.HIGH)])
def test_a_directory_of_the_host_alone(there: bool, severity: Severity, tmp_path: Path) -> None:
    code = 'import joblib\njoblib.load("models/model.pkl")\n'
    files = {
        "app.py": code + kit.APP,
        "requirements.txt": kit.REQUIREMENTS + "joblib==1.4.2\n",
        "compose.yaml": kit.compose("volumes: ['./models:/app/models']"),
        **({"models/card.txt": "-"} if there else {}),
    }
    assert _only(kit.service(tmp_path, files), "PTH002").severity is severity


def test_what_scripts_are_told_to_leave(tmp_path: Path) -> None:
    code = 'import joblib\njoblib.load("models/model.pkl")\n'
    files = {
        "app.py": code + kit.APP,
        "models/card.txt": "-",
        "convert.sh": "#!/bin/sh\nconvert --saveEngine=models/model.pkl\n",
        "requirements.txt": kit.REQUIREMENTS + "joblib==1.4.2\n",
        "Dockerfile": kit.dockerfile("COPY models models/"),
    }
    assert _only(kit.service(tmp_path, files), "PTH002").severity is Severity.MEDIUM


def test_a_task_of_a_profile_may_print_and_end(tmp_path: Path) -> None:
    text = (
        "services:\n  web:\n    build: .\n    ports: ['8000:8000']\n"
        "  train:\n    build: .\n    profiles: [train]\n    command: [python, -c, \"print('usage')\"]\n"
    )
    found = kit.of(kit.service(tmp_path, {"compose.yaml": text}), "IMG018")
    assert found and all(f.severity is Severity.MEDIUM for f in found)
