"""What the server is given and finds: applications, worker classes, programs, directories of mounts.

Each case was run on an engine: those of ``tools/scenarios/met.toml`` and ``asked.toml`` are their
whole deployments.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.engine import audit
from auditor.result import AuditResult

API = """\
from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
def predict(body: dict):
    return {"score": 1}
"""
IMAGE = """\
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
"""


def _audit(root: Path, files: dict[str, str]) -> AuditResult:
    files = {"app.py": API, "requirements.txt": "fastapi==0.115.6\nuvicorn==0.34.0\n", **files}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return audit(root, Settings())


def _says(result: AuditResult, rule: str) -> str:
    return " ".join(f.message for f in result.findings if f.rule == rule)


def _answers(result: AuditResult) -> str:
    return "".join(answer[0] for _, answer in result.services[0].forecast.answers())


FACTORY = """\
from flask import Flask


def make(%s):
    app = Flask(__name__)

    @app.post("/predict")
    def predict():
        return {"score": 1}

    return app%s
"""


@pytest.mark.parametrize(
    ("source", "command", "fails"),
    [
        (FACTORY % ("", ""), '"gunicorn", "-b", "0.0.0.0:8000", "app:make"', True),
        (FACTORY % ("name='x'", ""), '"gunicorn", "-b", "0.0.0.0:8000", "app:make"', True),
        (FACTORY % ("", ""), '"gunicorn", "-b", "0.0.0.0:8000", "app:make()"', False),
        # It takes what a WSGI server gives it, and answers as one does.
        (
            FACTORY % ("environ, start_response", "(environ, start_response)"),
            '"gunicorn", "-b", "0.0.0.0:8000", "app:make"',
            False,
        ),
        (FACTORY % ("*given", ""), '"gunicorn", "-b", "0.0.0.0:8000", "app:make"', False),
        (FACTORY % ("", ""), '"waitress-serve", "--port=8000", "app:make"', True),
        (FACTORY % ("", ""), '"waitress-serve", "--port=8000", "--call", "app:make"', False),
    ],
)
def test_a_factory_in_the_place_of_its_application(
    source: str, command: str, fails: bool, tmp_path: Path
) -> None:
    files = {"app.py": source, "requirements.txt": "flask==3.0.3\ngunicorn\nwaitress\n"}
    result = _audit(tmp_path, {**files, "Dockerfile": f"{IMAGE}CMD [{command}]\n"})
    assert ("a function that makes the application" in _says(result, "IMG018")) is fails


@pytest.mark.parametrize(
    ("words", "fails"),
    [
        ('"app:app", "--host", "0.0.0.0", "uvicorn", "app:app"', True),
        ('"app:app", "worker", "--host", "0.0.0.0"', True),
        # The value of an option that nobody here knows.
        ('"app:app", "--host", "0.0.0.0", "--some-new-option", "value"', False),
        ('"app:app", "--host", "0.0.0.0"', False),
    ],
)
def test_a_word_beside_the_application(words: str, fails: bool, tmp_path: Path) -> None:
    result = _audit(tmp_path, {"Dockerfile": f'{IMAGE}CMD ["uvicorn", {words}]\n'})
    assert ("unexpected extra argument" in _says(result, "IMG018")) is fails


@pytest.mark.parametrize(
    "command",
    [
        '"gunicorn", "-b", "0.0.0.0:8000", "churn-service:app"',
        '"gunicorn", "-b", "0.0.0.0:8000", "serving.2024-model:app"',
        '"python", "-m", "churn-service"',
    ],
)
def test_a_module_whose_name_is_no_identifier(command: str, tmp_path: Path) -> None:
    source = (
        FACTORY % ("", "")
        + "\n\napp = make()\nif __name__ == '__main__':\n    app.run('0.0.0.0', 8000)\n"
    )
    files = {
        "churn-service.py": source,
        "serving/2024-model.py": source,
        "requirements.txt": "flask==3.0.3\ngunicorn==23.0.0\n",
        "Dockerfile": f"{IMAGE}CMD [{command}]\n",
    }
    result = _audit(tmp_path, files)
    assert not _says(result, "IMG017")
    assert _answers(result).startswith("yyy")


def test_what_such_a_module_opens_is_followed(tmp_path: Path) -> None:
    source = "from flask import Flask\n\napp = Flask(__name__)\nweights = open('churn.bin', 'rb').read()\n"
    files = {
        "churn-service.py": source,
        "churn-1.bin": "x",
        "requirements.txt": "flask==3.0.3\ngunicorn==23.0.0\n",
        "Dockerfile": f'{IMAGE}CMD ["gunicorn", "-b", "0.0.0.0:8000", "churn-service:app"]\n',
    }
    result = _audit(tmp_path, files)
    assert _answers(result) == "ynnn"
    assert "churn.bin" in "".join(f.message for f in result.findings if f.rule.startswith("PTH"))


LAYERS = {
    "churn/__init__.py": "",
    "churn/api.py": "from fastapi import FastAPI\n%s\napp = FastAPI()\n\n\n@app.post('/predict')\n"
    "def predict(row: dict):\n    return {'score': 1}\n",
    "Dockerfile": f'{IMAGE}CMD ["uvicorn", "churn.api:app", "--host", "0.0.0.0"]\n',
}


@pytest.mark.parametrize(
    ("statement", "ignored", "answers"),
    [
        # What git ignores is on the author's machine, and in no clone: nobody knows here.
        ("from .model.loader import load", "model/\n", "yuuu"),
        ("import churn.model.loader", "model/\n", "yuuu"),
        ("from .model.loader import load", "", "ynnn"),
        ("from .model.loader import load", "data/\n", "ynnn"),
        (
            "try:\n    from .model.loader import load\nexcept ImportError:\n    load = None",
            "model/\n",
            "yyyy",
        ),
    ],
)
def test_a_package_that_git_ignores(
    statement: str, ignored: str, answers: str, tmp_path: Path
) -> None:
    files = {**LAYERS, "churn/api.py": LAYERS["churn/api.py"] % statement, ".gitignore": ignored}
    result = _audit(tmp_path, files)
    assert _answers(result) == answers
    assert ("git ignores it" in _says(result, "IMG023")) is ("u" in answers)


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ('"uvicorn", "app:app", "----port", "8000"', "--port"),
        ('"uvicorn", "app:app", "--hots=0.0.0.0"', "--host"),
        ('"uvicorn", "app:app", "--host", "0.0.0.0", "--log_level", "info"', "--log-level"),
        ('"gunicorn", "--bindn=0.0.0.0:8000", "app:app"', "--bind"),
        ('"gunicorn", "--bind=0.0.0.0:8000", "--time-out=60", "app:app"', "--timeout"),
        ('"gunicorn", "--bind=0.0.0.0:8000", "app:app", "--loglevel=info"', "--log-level"),
        # argparse takes a beginning for the whole; an option of another release may be one letter off.
        ('"gunicorn", "--bin=0.0.0.0:8000", "app:app"', ""),
        ('"gunicorn", "--bind=0.0.0.0:8000", "--reloads", "app:app"', ""),
        ('"uvicorn", "app:app", "--host", "0.0.0.0", "--http3"', ""),
        ('"uvicorn", "app:app", "--host", "0.0.0.0", "--some-new-option=1"', ""),
    ],
)
def test_a_misspelt_option_ends_the_server(command: str, meant: str, tmp_path: Path) -> None:
    needs = "fastapi==0.115.6\nuvicorn==0.34.0\ngunicorn==23.0.0\n"
    result = _audit(
        tmp_path, {"requirements.txt": needs, "Dockerfile": f"{IMAGE}CMD [{command}]\n"}
    )
    assert (f"(`{meant}` is)" in _says(result, "IMG018")) is bool(meant)
    if meant:
        # It never listens: where it would by default is nobody's fault.
        assert _answers(result) == "ynnn"
        assert not _says(result, "NET001")


STAGES = """\
FROM python:3.11-slim AS builder
COPY requirements.txt .
RUN pip install --user -r requirements.txt

FROM python:3.11-slim
WORKDIR /app
COPY --from=builder /root/.local {where}
{more}COPY . .
CMD ["{program}", "app:app", "--host", "0.0.0.0"]
"""


@pytest.mark.parametrize(
    ("where", "more", "program", "fails"),
    [
        ("/root/.local", "", "uvicorn", True),
        ("/root/.local", "ENV PATH=/root/.local/bin:$PATH\n", "uvicorn", False),
        ("/root/.local", "", "/root/.local/bin/uvicorn", False),
        ("/root/.local", "RUN ln -s /root/.local/bin/* /usr/local/bin/\n", "uvicorn", False),
        ("/usr/local", "", "uvicorn", False),
    ],
)
def test_what_a_user_installed_is_beside_the_path(
    where: str, more: str, program: str, fails: bool, tmp_path: Path
) -> None:
    text = STAGES.format(where=where, more=more, program=program)
    result = _audit(tmp_path, {"Dockerfile": text})
    assert ("is not on the PATH" in _says(result, "IMG018")) is fails


def test_a_user_installs_in_the_image_itself(tmp_path: Path) -> None:
    text = IMAGE.replace("pip install", "pip install --user")
    result = _audit(tmp_path, {"Dockerfile": f'{text}CMD ["uvicorn", "app:app"]\n'})
    assert "/root/.local/bin is not on the PATH" in _says(result, "IMG018")


VENV = """\
FROM python:3.11-slim AS builder
WORKDIR /build
RUN python -m venv .venv
COPY requirements.txt .
RUN .venv/bin/pip install -r requirements.txt

FROM python:3.11-slim
WORKDIR /app
COPY --from=builder /build/.venv /app/.venv
COPY . .
CMD [{command}, "app:app", "--host", "0.0.0.0"]
"""


def test_an_environment_that_moved_still_has_its_python(tmp_path: Path) -> None:
    command = '"/app/.venv/bin/python", "-m", "uvicorn"'
    result = _audit(tmp_path, {"Dockerfile": VENV.format(command=command)})
    assert not _says(result, "IMG018")
    assert _answers(result) == "yyyy"


COMPOSE = """\
services:
  api:
    build: .
    ports: ["8000:8000"]
    volumes:
      - data:/var/data{below}
volumes:
  data:
"""


@pytest.mark.parametrize(
    ("below", "user", "path", "rule"),
    [
        # The engine makes the place of a mount, and what is above it, for root.
        ("", "", "/var/data/journal.log", ""),
        ("/rows", "", "/var/data/journal.log", ""),
        ("", "", "/var/data/rows/journal.log", "PTH007"),
        ("", "USER app\n", "/var/data/journal.log", "IMG011"),
        ("/rows", "USER app\n", "/var/data/journal.log", "IMG011"),
        ("", "RUN mkdir /var/data && chown app /var/data\nUSER app\n", "/var/data/j.log", ""),
    ],
)
def test_a_volume_where_the_image_has_nothing(
    below: str, user: str, path: str, rule: str, tmp_path: Path
) -> None:
    source = API.replace("app = ", f'JOURNAL = open("{path}", "a")\napp = ')
    image = f'{IMAGE}RUN useradd app\n{user}CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
    files = {"app.py": source, "Dockerfile": image, "compose.yaml": COMPOSE.format(below=below)}
    result = _audit(tmp_path, files)
    found = {f.rule for f in result.findings if f.rule in ("PTH007", "IMG011")}
    assert found == ({rule} if rule else set())


OWN = """\
import requests
from flask import Flask, request

app = Flask(__name__)


@app.post("/predict")
def predict():
    return requests.post("http://localhost:8000{path}", json=request.get_json()).json()


{more}"""
OTHER = """\
from flask import Flask

app = Flask(__name__)


@app.post("/score")
def score():
    return {"score": 1}
"""


@pytest.mark.parametrize(
    ("path", "more", "fails"),
    [
        ("/score", "", True),
        # Its own route, and one that a prefix of its own may lead to.
        ("/score", '@app.post("/score")\ndef score():\n    return {}\n', False),
        ("/score", '@app.post("/<name>")\ndef score(name):\n    return {}\n', False),
        ("/other", "", False),
    ],
)
def test_a_service_that_asks_itself(path: str, more: str, fails: bool, tmp_path: Path) -> None:
    image = f'{IMAGE}CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    requirements = "flask==3.0.3\ngunicorn==22.0.0\nrequests==2.32.3\n"
    result = _audit(
        tmp_path,
        {
            "app.py": OWN.format(path=path, more=more),
            "requirements.txt": requirements,
            "Dockerfile": image,
            "model/app.py": OTHER,
            "model/requirements.txt": requirements,
            "model/Dockerfile": image,
            "compose.yaml": 'services:\n  api:\n    build: .\n    ports: ["8000:8000"]\n'
            "  model:\n    build: model\n",
        },
    )
    assert ("which is its own container" in _says(result, "NET009")) is fails


def test_a_pointer_of_git_lfs_leaves_the_start_open(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    source = API.replace(
        "app = ", 'import pickle\n\nMODEL = pickle.load(open("model.pkl", "rb"))\napp = '
    )
    image = f'{IMAGE}CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
    result = _audit(tmp_path, {"app.py": source, "model.pkl": pointer, "Dockerfile": image})
    assert _answers(result) == "yuuu"
    assert any("Git LFS" in reason for _, reason in result.services[0].forecast.unresolved)


def test_an_entry_point_beside_the_path(tmp_path: Path) -> None:
    image = f'{IMAGE}RUN chmod +x start.sh\nENTRYPOINT ["start.sh"]\n'
    result = _audit(
        tmp_path, {"start.sh": "#!/bin/sh\nexec uvicorn app:app\n", "Dockerfile": image}
    )
    assert "it is in /app: write `./start.sh`" in _says(result, "IMG018")


@pytest.mark.parametrize(
    ("copied", "fails"),
    [("requirements.txt ./", True), ("requirements.txt base.txt ./", False)],
)
def test_requirements_that_others_include_come_later(
    copied: str, fails: bool, tmp_path: Path
) -> None:
    image = IMAGE.replace("requirements.txt .", copied)
    files = {
        "requirements.txt": "-r base.txt\n",
        "base.txt": "fastapi==0.115.6\nuvicorn==0.34.0\n",
        "Dockerfile": f'{image}CMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n',
    }
    result = _audit(tmp_path, files)
    assert ("only line 5 copies /app/base.txt" in _says(result, "ENV019")) is fails
    assert _answers(result) == ("nnnn" if fails else "yyyy")


OPENS = """\
import os

from fastapi import FastAPI

{body}
app = FastAPI()


@app.post("/predict")
def predict(body: dict):
    return {{"score": 1}}
"""


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ('TEXT = open(os.environ["SETTINGS"]).read()', "ynnn"),
        ('if os.environ["SETTINGS"]:\n    TEXT = open(os.environ["SETTINGS"]).read()', "yyyy"),
        (
            'try:\n    TEXT = open(os.environ["SETTINGS"]).read()\nexcept OSError:\n    TEXT = ""',
            "yyyy",
        ),
    ],
)
def test_a_path_that_is_empty(body: str, answers: str, tmp_path: Path) -> None:
    image = f'{IMAGE}ENV SETTINGS=\nCMD ["uvicorn", "app:app", "--host", "0.0.0.0"]\n'
    result = _audit(tmp_path, {"app.py": OPENS.format(body=body), "Dockerfile": image})
    assert _answers(result) == answers


@pytest.mark.parametrize(
    ("commands", "fails"),
    [
        ('CMD ["uvicorn", "app:app"]\nCMD ["python"]\n', True),
        ('CMD ["uvicorn", "app:app"]\nCMD bash\n', True),
        ('CMD ["python"]\nCMD ["uvicorn", "app:app"]\n', False),
        # An image to work in.
        ('CMD ["bash"]\n', False),
    ],
)
def test_the_last_command_replaces_the_first(commands: str, fails: bool, tmp_path: Path) -> None:
    result = _audit(tmp_path, {"Dockerfile": IMAGE + commands})
    assert ("replaces the one before it" in _says(result, "IMG018")) is fails
    assert (_answers(result)[1] == "n") is fails


# What CPython 3.8 to 3.12 themselves answer.
@pytest.mark.parametrize(
    ("line", "python", "starts"),
    [
        ("import parser", "3.9", True),
        ("import parser", "3.10", False),
        ("import formatter", "3.9", True),
        ("import binhex", "3.10", True),
        ("import binhex", "3.11", False),
        ("from pathlib import Path; A = Path('a').is_relative_to('b')", "3.8", False),
        ("from pathlib import Path; A = Path('a').is_relative_to('b')", "3.9", True),
        ("from pathlib import Path; A = list(Path('a').walk())", "3.11", False),
        ("from pathlib import Path; A = list(Path('a').walk())", "3.12", True),
    ],
)
def test_the_standard_library_of_the_image(
    line: str, python: str, starts: bool, tmp_path: Path
) -> None:
    text = f'FROM python:{python}-slim\nWORKDIR /app\nCOPY . .\nCMD ["python", "main.py"]\n'
    served = "\nfrom http.server import BaseHTTPRequestHandler, HTTPServer\n\n"
    served += 'HTTPServer(("0.0.0.0", 8000), BaseHTTPRequestHandler).serve_forever()\n'
    result = _audit(tmp_path, {"main.py": line + served, "Dockerfile": text})
    assert (_answers(result)[1] == "y") is starts


@pytest.mark.parametrize(
    ("before", "ends"),
    [
        ('with open("model.pkl", "rb") as file:\n    MODEL = pickle.load(file)', True),
        ('with open("log.txt", "w") as file:\n    pickle.serve(file)', False),
        ("with pickle.server() as running:\n    pass", False),
    ],
)
def test_a_script_that_runs_no_server(before: str, ends: bool, tmp_path: Path) -> None:
    files = {
        "app.py": API.replace("app = ", f"import pickle\n\n{before}\napp = "),
        "model.pkl": "\x80\x04N.",
        "Dockerfile": f'{IMAGE}CMD ["python", "app.py"]\n',
    }
    assert ("runs no server" in _says(_audit(tmp_path, files), "IMG018")) is ends
