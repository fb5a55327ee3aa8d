"""What small deployments of one service run into: supervisors, homes, scripts and ports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from repo_kit import answers, compose, dockerfile, of, service

ASGI = "fastapi==0.115.6\nuvicorn==0.34.0\n"
API = """\
from fastapi import FastAPI

app = FastAPI()
{body}

@app.get("/health")
def health():
    return {{}}


@app.post("/predict")
def predict():
    return {{}}
"""
BROKEN = API.format(body='WEIGHTS = open("weights.bin").read()\n')
README = "```\ndocker run -p 8000:8000 scorer\n```\n"
YES = ("yes",) * 4
STARTS = ("yes", "no", "no", "no")
REACHABLE = ("yes", "yes", "no", "no")


def served(root: Path, options: str, files: dict[str, str], extra: str = "") -> tuple[str, ...]:
    words = '["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"' + options + "]"
    image = dockerfile(extra, words)
    return answers(service(root, {"requirements.txt": ASGI, "Dockerfile": image, **files}))


@pytest.mark.parametrize(
    ("options", "extra", "expected"),
    [
        ("", "", STARTS),
        (', "--workers", "1"', "", STARTS),
        (', "--workers", "3"', "", REACHABLE),
        (', "--reload"', "", REACHABLE),
        ("", "ENV WEB_CONCURRENCY=2", REACHABLE),
    ],
)
def test_uvicorns_parent_goes_on(
    tmp_path: Path, options: str, extra: str, expected: tuple[str, ...]
) -> None:
    assert served(tmp_path, options, {"app.py": BROKEN}, extra) == expected


def test_uvicorns_parent_is_not_there_either(tmp_path: Path) -> None:
    files = {"requirements.txt": "fastapi==0.115.6\n", "app.py": API.format(body="")}
    assert served(tmp_path, ', "--workers", "3"', files) == STARTS


def test_every_fault_of_the_application_is_the_workers(tmp_path: Path) -> None:
    several = ', "--workers", "3"'
    for number, body in enumerate(
        ("import cachetools", 'import os\n\nKEY = os.environ["KEY"]', "X = f(", "import cv2")
    ):
        files = {"app.py": API.format(body=body)}
        assert served(tmp_path / str(number), several, files) == REACHABLE, body
    unnamed = {"app.py": API.format(body="").replace("app", "api")}
    assert served(tmp_path / "name", several, unnamed) == REACHABLE


RUN = """\
import uvicorn
{head}
if __name__ == "__main__":
    uvicorn.run("{target}", host="0.0.0.0", port=8000, {options})
"""


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (RUN.format(head="", target="app:app", options="reload=True"), REACHABLE),
        (RUN.format(head="", target="app:app", options="workers=2"), REACHABLE),
        (RUN.format(head="", target="app:app", options="workers=1"), STARTS),
        # The parent imports it as well.
        (RUN.format(head="import app\n", target="app:app", options="reload=True"), STARTS),
        # What the script itself does, the parent does.
        (RUN.format(head='open("x.bin")\n', target="app:app", options="reload=True"), STARTS),
    ],
)
def test_a_script_that_starts_workers(
    tmp_path: Path, script: str, expected: tuple[str, ...]
) -> None:
    image = dockerfile("COPY run.py ./", '["python", "run.py"]')
    files = {
        "requirements.txt": ASGI, "Dockerfile": image, "app.py": BROKEN, "run.py": script,
    }  # fmt: skip
    assert answers(service(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        ("mkdir -p /tmp/cache\necho prepared\n", "no"),
        ('mkdir -p /tmp/cache\necho prepared\nexec "$@"\n', "yes"),
        # What it runs may stay itself.
        ("./prepare\necho prepared\n", "unknown"),
    ],
)
def test_an_entrypoint_that_ends(tmp_path: Path, body: str, starts: str) -> None:
    extra = 'COPY entry.sh ./\nRUN chmod +x entry.sh\nENTRYPOINT ["./entry.sh"]'
    files = {"entry.sh": f"#!/bin/sh\n{body}", "Dockerfile": dockerfile(extra)}
    assert answers(service(tmp_path, files))[1] == starts


@pytest.mark.parametrize(
    ("readme", "more", "starts"),
    [
        (README, {}, "no"),
        ("# scorer\n", {}, "unknown"),
        (README + "Set `PORT` to choose another.\n", {}, "unknown"),
        (README + "Deployed on Heroku.\n", {}, "unknown"),
        (README, {"fly.toml": "app = 'scorer'\n"}, "unknown"),
    ],
)
def test_a_port_that_the_shown_command_does_not_set(
    tmp_path: Path, readme: str, more: dict[str, str], starts: str
) -> None:
    image = dockerfile(command="gunicorn -b 0.0.0.0:$PORT app:app").replace(
        "gunicorn -b 0.0.0.0:", "uvicorn app:app --host 0.0.0.0 --port "
    )
    image = image.replace("PORT app:app", "PORT")
    files = {
        "requirements.txt": ASGI, "app.py": API.format(body=""), "Dockerfile": image,
        "README.md": readme, **more,
    }  # fmt: skip
    result = service(tmp_path, files)
    found = {dict(s.forecast.answers())["starts"] for s in result.services if s.name == "app"}
    assert found <= {starts}


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ('urllib.request.urlopen("http://localhost:8000/health")', False),
        ('urllib.request.urlopen("http://localhost:8080/health")', True),
        ("urllib.request.urlopen(f\"http://localhost:{os.getenv('PORT', 9000)}/health\")", True),
        ('urllib.request.urlopen("http://localhost:8000/healthy")', True),
        # Which of them it needs is not known.
        ('[urllib.request.urlopen(f"http://localhost:{p}/") for p in (1, 2)]', False),
    ],
)
def test_the_address_of_a_checks_script(tmp_path: Path, script: str, wrong: bool) -> None:
    extra = "COPY check.py ./\nHEALTHCHECK CMD python check.py"
    text = f"import os\nimport sys\nimport urllib.request\n\ntry:\n    {script}\nexcept OSError:\n    sys.exit(1)\n"
    result = service(tmp_path, {"check.py": text, "Dockerfile": dockerfile(extra)})
    assert bool(of(result, "NET006")) is wrong


def test_the_address_of_a_checks_shell_script(tmp_path: Path) -> None:
    body = 'healthcheck:\n  test: ["CMD", "sh", "check.sh"]\n'
    for port, wrong in ((8000, False), (8080, True)):
        files = {
            "Dockerfile": dockerfile("COPY check.sh ./"),
            "check.sh": f"#!/bin/sh\nwget -q -O- http://localhost:{port}/health || exit 1\n",
            "docker-compose.yml": compose(body),
        }
        result = service(tmp_path / str(port), files)
        assert bool(of(result, "NET006")) is wrong
        assert of(result, "IMG015")  # the image has no wget


HOME = "RUN useradd -m scorer\n{open}USER scorer"


@pytest.mark.parametrize(
    ("opened", "command", "starts"),
    [
        ("", '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', "no"),
        ("", '["python", "-m", "gunicorn", "-b", "0.0.0.0:8000", "app:app"]', "no"),
        ("RUN chmod 755 /root\n", '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', "yes"),
    ],
)
def test_packages_in_roots_home(tmp_path: Path, opened: str, command: str, starts: str) -> None:
    image = dockerfile(HOME.format(open=opened), command)
    image = image.replace("pip install", "pip install --user")
    image = image.replace("WORKDIR", "ENV PATH=/root/.local/bin:$PATH\nWORKDIR")
    result = service(tmp_path, {"Dockerfile": image})
    assert answers(result)[1] == starts
    if starts == "yes":
        return
    (found,) = of(result, "IMG018")
    assert "only root may enter" in found.message


HANDLER = """\
import json
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_{method}(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{}}).encode())


HTTPServer(("", 8000), Handler).serve_forever()
"""


def test_a_handler_that_takes_posts(tmp_path: Path) -> None:
    image = dockerfile(command='["python", "app.py"]')
    for method, expected in (("POST", "yes"), ("GET", "unknown")):
        files = {"app.py": HANDLER.format(method=method), "Dockerfile": image}
        assert answers(service(tmp_path / method, files))[3] == expected


MODEL = "import joblib\nfrom flask import Flask, jsonify, request\n\napp = Flask(__name__)\n"
CAUGHT = MODEL + "{load}\n\n@app.post('/predict')\ndef predict():\n{use}\n"
TRIED = """\
try:
    model = joblib.load("model.joblib")
except Exception as error:
    {handler}
"""
RETURNED = """\
def load():
    try:
        return joblib.load("model.joblib")
    except FileNotFoundError:
        print("no model")
        return None


model = load()
"""
KEPT = """\
model = None


def load():
    global model
    try:
        with open("model.joblib", "rb") as file:
            model = joblib.load(file)
    except OSError as error:
        app.logger.error(error)


load()
"""
USE = "    return jsonify(score=float(model.predict([[1]])[0]))"
TESTED = "    if model is None:\n        {then}\n" + USE


@pytest.mark.parametrize(
    ("load", "use", "predicts"),
    [
        (TRIED.format(handler="model = None"), USE, "no"),
        (TRIED.format(handler="print(error)"), USE, "no"),
        (RETURNED, USE, "no"),
        (KEPT, USE, "no"),
        (KEPT, TESTED.format(then="return jsonify(error='no model'), 503"), "no"),
        (KEPT, TESTED.format(then="raise RuntimeError"), "no"),
        # Something stands in for it.
        (TRIED.format(handler="model = Baseline()"), USE, "yes"),
        (KEPT, TESTED.format(then="return jsonify(score=0.5)"), "yes"),
        (KEPT + "\nmodel = model or Baseline()\n", USE, "yes"),
        (KEPT, "    return jsonify(score=model.predict([[1]]) if model else 0)", "yes"),
        (KEPT, "    try:\n        s = model.predict(1)\n    except AttributeError:\n        s = 0\n    return {'s': s}", "yes"),
        # Another place loads it where this one did not.
        (KEPT, "    global model\n    model = model or joblib.load('b')\n" + USE, "yes"),
    ],
)  # fmt: skip
def test_a_load_that_fails_unnoticed(tmp_path: Path, load: str, use: str, predicts: str) -> None:
    code = CAUGHT.format(load=load, use=use)
    files = {"app.py": code, "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\njoblib==1.4.2\n"}
    result = service(tmp_path / "missing", files)
    assert answers(result)[:3] == ("yes", "yes", "yes")
    # Without a finding, a model that is nowhere leaves the answer open.
    assert (answers(result)[3] == "no") is (predicts == "no")
    assert bool([f for f in of(result, "PTH002") if f.breaks]) is (predicts == "no")


@pytest.mark.parametrize(
    ("named", "starts"),
    [("app:app", "yes"), ("app", "no"), ("app:api", "no")],
)
def test_uvicorn_wants_an_object(tmp_path: Path, named: str, starts: str) -> None:
    image = dockerfile(command=f'["uvicorn", "{named}", "--host", "0.0.0.0", "--port", "8000"]')
    files = {"requirements.txt": ASGI, "app.py": API.format(body=""), "Dockerfile": image}
    assert answers(service(tmp_path, files))[1] == starts


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        ("if __name__ == '__main__':\n    app = Flask(__name__)\n    app.run()\n", "no"),
        ("if __name__ == '__main__':\n    app = Flask(__name__)\nelse:\n    app = Flask(__name__)\n", "yes"),
        ("app = Flask(__name__)\nif __name__ == '__main__':\n    app = app\n", "yes"),
    ],
)  # fmt: skip
def test_an_application_below_the_test_for_main(tmp_path: Path, body: str, starts: str) -> None:
    result = service(tmp_path, {"app.py": f"from flask import Flask\n\n{body}"})
    assert answers(result)[1] == starts


def test_a_variable_that_compose_hands_on(tmp_path: Path) -> None:
    code = (
        "import os\n\nfrom flask import Flask\n\nKEY = os.environ['KEY']\napp = Flask(__name__)\n"
    )
    for entry, starts in (("KEY", "unknown"), ("KEY=a", "yes"), ("OTHER=a", "no")):
        files = {"app.py": code, "docker-compose.yml": compose(f"environment: ['{entry}']")}
        result = service(tmp_path / entry.replace("=", ""), files)
        (only,) = [s for s in result.services if s.name == "api"]
        assert dict(only.forecast.answers())["starts"] == starts


SERVE = "exec gunicorn -b 0.0.0.0:8000 app:app\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (': "${MODEL_PATH:?must be set}"\n' + SERVE, "no"),
        (': "${MODEL_PATH?}"\n' + SERVE, "no"),
        (': "${MODEL_PATH:=model.pkl}"\n' + SERVE, "yes"),
        ('MODEL_PATH=a\necho "${MODEL_PATH:?must be set}"\n' + SERVE, "yes"),
        ('if [ -n "$CHECK" ]; then : "${MODEL_PATH:?}"; fi\n' + SERVE, "yes"),
        ("if [ ! -f model.pkl ]; then\n  echo none >&2\n  exit 1\nfi\n" + SERVE, "no"),
        ("if ! test -f model.pkl; then exit 1; fi\n" + SERVE, "no"),
        ("if [ ! -f app.py ]; then exit 1; fi\n" + SERVE, "yes"),
        ("if [ -f model.pkl ]; then exit 1; fi\n" + SERVE, "yes"),
        ('if [ ! -f "$MODEL" ]; then exit 1; fi\n' + SERVE, "yes"),
        # Whoever starts the container may bring it.
        ("if [ ! -f /run/secrets/key ]; then exit 1; fi\n" + SERVE, "yes"),
        ("if [ ! -f .env ]; then exit 1; fi\n" + SERVE, "yes"),
        # What ran before may have made it.
        ("python fetch.py\nif [ ! -f model.pkl ]; then exit 1; fi\n" + SERVE, "yes"),
        ("set -e\npython migrate.py\n" + SERVE, "no"),
        ("python migrate.py\n" + SERVE, "yes"),
        ("set -e\npython migrate.py || true\n" + SERVE, "yes"),
    ],
)
def test_what_a_start_script_asks_first(tmp_path: Path, body: str, expected: str) -> None:
    image = dockerfile("COPY start.sh ./", '["sh", "start.sh"]')
    result = service(tmp_path, {"start.sh": f"#!/bin/sh\n{body}", "Dockerfile": image})
    assert answers(result)[1] == expected


def test_a_script_that_only_waits(tmp_path: Path) -> None:
    image = dockerfile("COPY start.sh ./\nRUN chmod +x start.sh", '["./start.sh"]')
    for body, reachable in (("echo up\ntail -f /dev/null\n", "no"), (SERVE, "yes")):
        files = {"start.sh": f"#!/bin/sh\n{body}", "Dockerfile": image, "README.md": README}
        assert answers(service(tmp_path / reachable, files))[2] == reachable


def test_a_package_run_as_a_program(tmp_path: Path) -> None:
    main = "from .app import app\n\napp.run(host='0.0.0.0', port=8000)\n"
    code = "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.post('/predict')\ndef predict():\n    return {}\n"
    files = {
        "scorer/__init__.py": "", "scorer/__main__.py": main, "scorer/app.py": code,
        "Dockerfile": dockerfile("COPY scorer ./scorer", '["python", "-m", "scorer"]'),
    }  # fmt: skip
    assert answers(service(tmp_path, files)) == YES


def _pickled(module: str, name: str) -> bytes:
    """A pickle of an instance of that class, without state."""
    texts = b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name))
    return b"\x80\x04" + texts + b"\x93)\x81."


SCORER = "class Scorer:\n    pass\n"
LOADED = "with open('model.pkl', 'rb') as file:\n    model = pickle.load(file)\n"


@pytest.mark.parametrize(
    ("head", "starts"),
    [
        ("import __main__\n__main__.Scorer = Scorer\n", "yes"),
        ("import __main__ as m\nsetattr(m, 'Scorer', Scorer)\n", "yes"),
        ("import sys\nsys.modules['__main__'].Scorer = Scorer\n", "yes"),
        ("import sys\nsetattr(sys.modules['__main__'], 'Scorer', Scorer)\n", "yes"),
        ("import sys\nfor c in (Scorer,):\n    setattr(sys.modules['__main__'], c.__name__, c)\n", "yes"),
        ("import sys\nmain = sys.modules['__main__']\nmain.__dict__.update(Scorer=Scorer)\n", "yes"),
        ("import sys\nsys.modules['__main__'] = sys.modules[__name__]\n", "yes"),
        ("import __main__\n__main__.Other = Scorer\n", "no"),
        ("import types\nmain = types\nmain.Scorer = Scorer\n", "no"),
        ("", "no"),
    ],
)  # fmt: skip
def test_a_class_given_to_the_main_module(tmp_path: Path, head: str, starts: str) -> None:
    code = f"import pickle\n\nfrom flask import Flask\n\n{SCORER}\n{head}\n{LOADED}\napp = Flask(__name__)\n"
    (tmp_path / "model.pkl").write_bytes(_pickled("__main__", "Scorer"))
    files = {"app.py": code, "Dockerfile": dockerfile("COPY model.pkl ./")}
    assert answers(service(tmp_path, files))[1] == starts


SETTINGS = """\
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict


class Model(BaseModel):
    path: str{inner}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_nested_delimiter="__")
    model: Model{outer}


settings = Settings()
"""
SETTLED = "from settings import settings\n\nopen(settings.model.path)\n"


@pytest.mark.parametrize(
    ("inner", "outer", "extra", "starts"),
    [
        ("", "", "", "no"),
        ("", "", "ENV MODEL__PATH=app.py", "yes"),
        ("", "", "ENV MODEL__PATH=nothing.py", "no"),
        ("", "", """ENV MODEL='{"path": "app.py"}'""", "yes"),
        (' = "app.py"', "", "", "no"),
        (' = "app.py"', " = Model()", "", "yes"),
        (' = "nothing.py"', " = Model()", "", "no"),
        (' = "nothing.py"', " = Model()", "ENV MODEL__PATH=app.py", "yes"),
    ],
)
def test_settings_inside_settings(
    tmp_path: Path, inner: str, outer: str, extra: str, starts: str
) -> None:
    files = {
        "requirements.txt": ASGI + "pydantic==2.8.2\npydantic-settings==2.3.4\n",
        "settings.py": SETTINGS.format(inner=inner, outer=outer),
        "app.py": SETTLED + API.format(body=""),
        "README.md": README,
        "Dockerfile": dockerfile(
            "COPY settings.py ./\n" + extra,
            '["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]',
        ),
    }
    assert answers(service(tmp_path, files))[1] == starts


INLINE = "import uvicorn; uvicorn.run('{}', {}port=8000)"
TYPED = "import typer\nimport uvicorn\n\nfrom app import app\n\n\ndef serve(host: str = '127.0.0.1', port: int = 8000):\n    uvicorn.run(app, host=host, port=port)\n\n\n{}(serve)\n"


@pytest.mark.parametrize(
    ("command", "run", "expected"),
    [
        (f'["python", "-c", "{INLINE.format("app:app", "host=" + chr(39) + "0.0.0.0" + chr(39) + ", ")}"]', "", YES),
        (f'["python", "-c", "{INLINE.format("app:app", "")}"]', "", REACHABLE),
        (f'["python", "-c", "{INLINE.format("main:app", "")}"]', "", STARTS),
        ('["python", "run.py", "--host", "0.0.0.0"]', TYPED.format("typer.run"), YES),
        ('["python", "run.py"]', TYPED.format("typer.run"), REACHABLE),
        ('["python", "run.py", "--host=0.0.0.0"]', TYPED.format("fire.Fire").replace("typer", "fire"), YES),
    ],
)  # fmt: skip
def test_programs_of_one_function(
    tmp_path: Path, command: str, run: str, expected: tuple[str, ...]
) -> None:
    files = {
        "requirements.txt": ASGI + "typer==0.12.5\nfire==0.7.0\n", "app.py": API.format(body=""),
        "run.py": run, "Dockerfile": dockerfile("COPY run.py ./\nEXPOSE 8000", command),
        "README.md": README,
    }  # fmt: skip
    result = answers(service(tmp_path, files))
    if expected == STARTS and result[1] == "unknown":
        expected = ("yes", "unknown", "no", "no")
    assert result == expected


def test_the_interpreter_of_the_slim_images(tmp_path: Path) -> None:
    for program, extra, starts in (
        ("/usr/bin/python3", "", "no"),
        ("/usr/local/bin/python3", "", "yes"),
        ("/usr/bin/python3", "RUN apt-get update && apt-get install -y python3", "yes"),
        ("/usr/bin/python3", "RUN ln -s /usr/local/bin/python3 /usr/bin/python3", "yes"),
    ):
        code = (
            "from flask import Flask\n\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=8000)\n"
        )
        image = dockerfile(extra, f'["{program}", "app.py"]')
        result = service(
            tmp_path / f"{len(extra)}{len(program)}", {"app.py": code, "Dockerfile": image}
        )
        assert answers(result)[1] == starts, (program, extra)


@pytest.mark.parametrize(
    ("lines", "starts"),
    [
        ("USER scorer\nWORKDIR /home/scorer/app", "unknown"),
        ("USER scorer\nWORKDIR /srv/app", "unknown"),
        ("WORKDIR /srv/app\nUSER scorer", "no"),
        ("RUN mkdir /srv/app && chown scorer /srv/app\nWORKDIR /srv/app\nUSER scorer", "yes"),
        ("USER scorer\nWORKDIR /home/scorer", "yes"),
    ],
)
def test_a_working_directory_behind_the_user(tmp_path: Path, lines: str, starts: str) -> None:
    code = "import os\n\nfrom flask import Flask\n\nos.mkdir('cache')\napp = Flask(__name__)\n"
    image = (
        "FROM python:3.11-slim\nCOPY requirements.txt /tmp/\nRUN pip install -r /tmp/requirements.txt\n"
        f"RUN useradd -m scorer\n{lines}\nCOPY --chown=scorer app.py ./\n"
        'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    )
    assert answers(service(tmp_path, {"app.py": code, "Dockerfile": image}))[1] == starts


@pytest.mark.parametrize(
    ("call", "quiet"),
    [
        ("print(1)", True),
        ("logger.warning('x')", True),
        ("traceback.print_exc()", True),
        ("st.error('x')", True),
        ("start_training()", False),
        ("store_default()", False),
        ("login()", False),
    ],
)
def test_what_only_says_so_makes_no_model(call: str, quiet: bool) -> None:
    from auditor.linking import swallowed

    assert swallowed._quiet(ast.parse(call).body[0]) is quiet
