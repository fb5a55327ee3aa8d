"""Ordinary mistakes of small deployments, and what looks like them and works."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import APP, REQUIREMENTS, answers, dockerfile, of, service
from test_start_chain import breaking, recipe, run

SCRIPT = "RUN chmod +x start.sh\n"
UP = "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"


def started(tmp_path: Path, text: str, command: str = '["./start.sh"]', more: str = "") -> set[str]:
    files = {"start.sh": text, "Dockerfile": recipe(command, more + SCRIPT)}
    return breaking(run(tmp_path, files))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("exec gosu app gunicorn -b 0.0.0.0:8000 app:app\n", True),
        ("gosu app gunicorn -b 0.0.0.0:8000 app:app\n", True),
        ("exec nice -n 5 gunicorn -b 0.0.0.0:8000 app:app\n", False),
        ("exec env A=1 gunicorn -b 0.0.0.0:8000 app:app\n", False),
        ("exec gunicorn -b 0.0.0.0:8000 app:app\n", False),
    ],
)
def test_programs_that_start_the_server(tmp_path: Path, line: str, found: bool) -> None:
    assert ("IMG018" in started(tmp_path, f"#!/bin/sh\nset -e\n{line}")) is found


def test_gosu_of_a_package_is_there(tmp_path: Path) -> None:
    more = "RUN apt-get update && apt-get install -y gosu\nRUN useradd app\n"
    text = "#!/bin/sh\nexec gosu app gunicorn -b 0.0.0.0:8000 app:app\n"
    assert "IMG018" not in started(tmp_path, text, more=more)


@pytest.mark.parametrize(
    ("command", "body", "found"),
    [
        ('["./start.sh"]', 'echo "$1"\n', True),
        ('["./start.sh", "api"]', 'echo "$1"\n', False),
        ('["./start.sh"]', 'echo "${1:-api}"\n', False),
        ('["./start.sh"]', 'echo "$#"\n', False),
        ('["./start.sh"]', 'set -- api\necho "$1"\n', False),
    ],
)
def test_words_of_a_strict_script(tmp_path: Path, command: str, body: str, found: bool) -> None:
    text = f"#!/bin/sh\nset -eu\n{body}exec gunicorn -b 0.0.0.0:8000 app:app\n"
    assert ("IMG018" in started(tmp_path, text, command)) is found


def test_a_program_in_a_folder_of_the_system(tmp_path: Path) -> None:
    entry = 'ENTRYPOINT ["/usr/bin/tini", "--"]\n'
    assert "IMG018" in breaking(run(tmp_path / "a", {"Dockerfile": recipe(more=entry)}))
    more = f"RUN apt-get update && apt-get install -y tini\n{entry}"
    assert not breaking(run(tmp_path / "b", {"Dockerfile": recipe(more=more)}))
    more = f"ADD https://example.org/tini /usr/bin/tini\nRUN chmod +x /usr/bin/tini\n{entry}"
    assert not breaking(run(tmp_path / "c", {"Dockerfile": recipe(more=more)}))


CACHE = "    depends_on: [cache]\n  cache:\n    image: redis:7.4\n    profiles: [full]\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, True),
        ({".env": "COMPOSE_PROFILES=full\n"}, False),
        ({"README.md": "Run `docker compose --profile full up`.\n"}, False),
        ({"compose.yaml": UP + CACHE.replace("    profiles: [full]\n", "")}, False),
        ({"compose.yaml": UP + "    profiles: [full]\n" + CACHE}, False),
    ],
)
def test_dependencies_of_other_profiles(tmp_path: Path, files: dict[str, str], found: bool) -> None:
    result = run(tmp_path, {"compose.yaml": UP + CACHE, **files})
    assert bool(breaking(result)) is found


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("    entrypoint: [python, -u]\n", True),
        ("    entrypoint: [python, -u]\n    stdin_open: true\n", False),
        ("    entrypoint: [python, -u]\n    command: [serve.py]\n", False),
        ("    entrypoint: [python, serve.py]\n", False),
    ],
)
def test_an_entrypoint_that_clears_the_command(tmp_path: Path, more: str, found: bool) -> None:
    serve = "from waitress import serve\n\nfrom app import app\n\nserve(app, port=8000)\n"
    files = {
        "compose.yaml": UP + more,
        "serve.py": serve,
        "requirements.txt": f"{REQUIREMENTS}waitress==3.0.0\n",
        "Dockerfile": recipe('["python", "serve.py"]'),
    }
    assert ("IMG018" in breaking(run(tmp_path, files))) is found


FASTAPI = """\
from fastapi import FastAPI

app = FastAPI()


@app.post("/predict")
def predict():
    return {}
"""


@pytest.mark.parametrize(
    ("app", "command", "found"),
    [
        (APP, '["waitress-serve", "--port=8000", "--call", "app:app"]', True),
        (APP, '["waitress-serve", "--port=8000", "app:app"]', False),
        (FASTAPI, '["uvicorn", "--host", "0.0.0.0", "--factory", "app:app"]', True),
        (FASTAPI, '["uvicorn", "--host", "0.0.0.0", "app:app"]', False),
        (
            "from fastapi import FastAPI\n\n\ndef app():\n    return FastAPI()\n",
            '["uvicorn", "--host", "0.0.0.0", "--factory", "app:app"]',
            False,
        ),
    ],
)
def test_an_application_that_is_called(tmp_path: Path, app: str, command: str, found: bool) -> None:
    requirements = "flask==3.0.3\nwaitress==3.0.0\nfastapi==0.115.6\nuvicorn==0.34.0\n"
    files = {"app.py": app, "requirements.txt": requirements, "Dockerfile": recipe(command)}
    assert ("IMG018" in breaking(run(tmp_path, files))) is found


@pytest.mark.parametrize(
    ("command", "text", "found"),
    [
        ('["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', "auto", True),
        ('["gunicorn", "-b", "0.0.0.0:8000", "-w", "2", "app:app"]', "auto", True),
        ('["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', "4", False),
        ('["waitress-serve", "--port=8000", "app:app"]', "auto", False),
    ],
)
def test_workers_by_a_variable(tmp_path: Path, command: str, text: str, found: bool) -> None:
    files = {
        "requirements.txt": f"{REQUIREMENTS}waitress==3.0.0\n",
        "Dockerfile": recipe(command, f"ENV WEB_CONCURRENCY={text}\n"),
    }
    assert ("IMG018" in breaking(run(tmp_path, files))) is found


TORNADO = """\
import asyncio

import tornado.ioloop
import tornado.web


class Health(tornado.web.RequestHandler):
    def get(self):
        self.write("ok")


{body}
"""
LISTEN = 'tornado.web.Application([("/health", Health)]).listen(8000)'


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f'{LISTEN}\nprint("ready")', True),
        (f"{LISTEN}\ntornado.ioloop.IOLoop.current().start()", False),
        (
            f"async def main():\n    {LISTEN}\n    await asyncio.Event().wait()\n\n\nasyncio.run(main())",
            False,
        ),
    ],
)
def test_a_loop_that_is_not_started(tmp_path: Path, body: str, found: bool) -> None:
    files = {
        "app.py": TORNADO.format(body=body),
        "requirements.txt": "tornado==6.4.1\n",
        "Dockerfile": recipe('["python", "app.py"]'),
    }
    assert ("IMG018" in breaking(run(tmp_path, files))) is found


SANIC = """\
from sanic import Sanic

app = Sanic("{name}")

if __name__ == "__main__":
    app.run(host="0.0.0.0", port=8000)
"""


@pytest.mark.parametrize(("name", "found"), [("price api", True), ("price_api-2", False)])
def test_names_that_sanic_takes(tmp_path: Path, name: str, found: bool) -> None:
    files = {
        "app.py": SANIC.format(name=name),
        "requirements.txt": "sanic==23.12.1\ntracerite==1.1.1\n",
        "Dockerfile": recipe('["python", "app.py"]'),
    }
    assert bool(breaking(run(tmp_path, files))) is found


SETUP = 'from setuptools import setup\n\n{body}\nsetup(name="price", py_modules=["app"])\n'


@pytest.mark.parametrize(
    ("body", "ignored", "found"),
    [
        ('text = open("README.md").read()', "*.md\n", True),
        ('text = Path("README.md").read_text()', "*.md\n", True),
        ('with open("README.md", encoding="utf-8") as f:\n    text = f.read()', "*.md\n", True),
        ('text = open("README.md").read()', "*.txt.bak\n", False),
        (
            'try:\n    text = open("README.md").read()\nexcept OSError:\n    text = ""',
            "*.md\n",
            False,
        ),
        ('text = open("version.txt", "w").write("1")', "*.md\n", False),
    ],
)
def test_what_setup_py_reads(tmp_path: Path, body: str, ignored: str, found: bool) -> None:
    build = "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nRUN pip install . flask==3.0.3 gunicorn==22.0.0\n"
    files = {
        "setup.py": SETUP.format(body=body),
        "README.md": "# price\n",
        ".dockerignore": ignored,
        "Dockerfile": f'{build}CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n',
    }
    assert ("IMG022" in breaking(run(tmp_path, files))) is found


PROJECT = '[project]\nname = "price"\nversion = "1"\ndependencies = ["flask"]\n'


@pytest.mark.parametrize(
    ("words", "lock", "found"),
    [
        ("--frozen", False, True),
        ("--locked", False, True),
        ("--frozen", True, False),
        ("", False, False),
    ],
)
def test_a_lock_that_uv_must_find(tmp_path: Path, words: str, lock: bool, found: bool) -> None:
    files = {
        "pyproject.toml": PROJECT,
        "Dockerfile": "FROM python:3.11-slim\nRUN pip install uv==0.5.11\nWORKDIR /app\nCOPY . .\n"
        f'RUN uv sync {words}\nCMD ["/app/.venv/bin/flask", "run"]\n',
        **({"uv.lock": "version = 1\n"} if lock else {}),
    }
    assert ("IMG022" in breaking(run(tmp_path, files))) is found


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ("RUN mkdir /wheels\n", True),
        ("", True),
        ("COPY wheels /wheels\n", False),
        ("COPY wheels /wheels\nRUN rm -rf /tmp/x\n", False),
    ],
)
def test_where_pip_may_look(tmp_path: Path, made: str, found: bool) -> None:
    more = f"{made}RUN pip install --no-index --find-links /wheels tabulate\n"
    files = {"wheels/tabulate-0.9.0-py3-none-any.whl": "", "Dockerfile": recipe(more=more)}
    assert ("IMG022" in breaking(run(tmp_path, files))) is found


CELERY = """\
from celery import Celery
from flask import Flask

queue = Celery("tasks", broker="{broker}")
app = Flask(__name__)


@queue.task
def score(row):
    return sum(row)


@app.post("/predict")
def predict():
    return {{"id": score.{call}([1]).id}}
"""


@pytest.mark.parametrize(
    ("broker", "call", "more", "found"),
    [
        ("redis://cache:6379/0", "delay", "", True),
        ("redis://cache:6379/0", "apply_async", "", True),
        ("redis://cache:6379/0", "delay", "redis==5.0.8\n", False),
        ("memory://", "delay", "", False),
        ("amqp://queue//", "delay", "", False),
    ],
)
def test_what_a_broker_needs(
    tmp_path: Path, broker: str, call: str, more: str, found: bool
) -> None:
    files = {
        "app.py": CELERY.format(broker=broker, call=call),
        "requirements.txt": f"{REQUIREMENTS}celery==5.4.0\n{more}",
    }
    assert ("ENV007" in breaking(run(tmp_path, files))) is found


BOTTLE = """\
from bottle import post, route, run


@route("/health")
def health():
    return {}


@post("/predict")
def predict():
    return {}


run(host="0.0.0.0", port=8000)
"""


def test_functions_of_bottle_itself(tmp_path: Path) -> None:
    files = {
        "app.py": BOTTLE,
        "requirements.txt": "bottle==0.13.2\n",
        "Dockerfile": dockerfile(command='["python", "app.py"]'),
    }
    assert answers(service(tmp_path, files)) == ("yes", "yes", "yes", "yes")


HONCHO = {"requirements.txt": f"{REQUIREMENTS}honcho==1.1.0\n"}


@pytest.mark.parametrize(
    ("line", "command", "expected"),
    [
        ("web: gunicorn -b 0.0.0.0:$PORT app:app\n", '["honcho", "start", "-p", "8000"]', "yes"),
        ("web: gunicorn -b 0.0.0.0:$PORT app:app\n", '["honcho", "start"]', "no"),
        ("web: gunicorn -b 0.0.0.0:$PORT app:api\n", '["honcho", "start", "-p", "8000"]', "no"),
    ],
)
def test_what_honcho_starts(tmp_path: Path, line: str, command: str, expected: str) -> None:
    files = {
        **HONCHO,
        "Procfile": line,
        "Dockerfile": dockerfile("COPY Procfile ./\nEXPOSE 8000", command),
        "compose.yaml": UP,
    }
    assert answers(service(tmp_path, files))[2] == expected


CHECK = "import {module}\nimport sys\n\nsys.exit(0 if {module} else 1)\n"


@pytest.mark.parametrize(
    ("module", "found"), [("requests", True), ("flask", False), ("json", False)]
)
def test_what_a_check_imports(tmp_path: Path, module: str, found: bool) -> None:
    files = {
        "check.py": CHECK.format(module=module),
        "Dockerfile": dockerfile("COPY check.py ./\nHEALTHCHECK CMD python check.py"),
    }
    assert bool(of(service(tmp_path, files), "IMG015")) is found


@pytest.mark.parametrize(
    ("line", "found"), [("httpx==0.27.2\n", True), ("httpx[cli]==0.27.2\n", False)]
)
def test_a_command_line_of_an_extra(tmp_path: Path, line: str, found: bool) -> None:
    files = {
        "requirements.txt": REQUIREMENTS + line,
        "Dockerfile": dockerfile("HEALTHCHECK CMD httpx http://localhost:8000/health"),
    }
    assert bool(of(service(tmp_path, files), "IMG015")) is found


NGINX = "server {{\n    listen 80;\n    location {place} {{\n        {more}proxy_pass http://api:8000{end};\n    }}\n}}\n"
FRONT = """\
services:
  api:
    build: .
{api}
  web:
    image: nginx:1.27.3
    ports: ["8000:80"]
    volumes: ["./site.conf:/etc/nginx/conf.d/default.conf:ro"]
{web}
"""


@pytest.mark.parametrize(
    ("place", "end", "more", "found"),
    [
        ("/api/", "", "", True),
        ("/api/", "/", "", False),
        ("/", "", "", False),
        ("/predict", "", "", False),
        ("~ ^/api/(.*)$", "", "", False),
        ("/api/", "", "rewrite ^/api/(.*)$ /$1 break; ", False),
    ],
)
def test_a_prefix_that_stays(tmp_path: Path, place: str, end: str, more: str, found: bool) -> None:
    files = {
        "compose.yaml": FRONT.format(api="", web=""),
        "site.conf": NGINX.format(place=place, end=end, more=more),
    }
    assert bool(of(service(tmp_path, files), "NET009")) is found


@pytest.mark.parametrize(
    ("api", "web", "found"),
    [
        ("    networks: [inner]", "    networks: [outer]", True),
        ("    networks: [inner, outer]", "    networks: [outer]", False),
        ("    networks: [inner]", "", True),
        ("", "", False),
    ],
)
def test_networks_that_are_apart(tmp_path: Path, api: str, web: str, found: bool) -> None:
    networks = "networks:\n  inner:\n  outer:\n"
    files = {
        "compose.yaml": FRONT.format(api=api, web=web) + networks,
        "site.conf": NGINX.format(place="/", end="", more=""),
    }
    assert bool(of(service(tmp_path, files), "NET009")) is found


@pytest.mark.parametrize(
    ("python", "line", "code", "found"),
    [
        ("3.11", "aioredis==2.0.1\n", "import aioredis\n", True),
        ("3.11", "aioredis\n", "import aioredis\n", True),
        ("3.10", "aioredis==2.0.1\n", "import aioredis\n", False),
        ("3.12", "future==0.18.2\n", "import future\n", True),
        ("3.12", "future==1.0.0\n", "import future\n", False),
        ("3.11", "docx\n", "import docx\n", True),
        ("3.11", "docx\npython-docx\n", "import docx\n", False),
        ("3.11", "jwt==1.3.1\n", "import jwt\n\njwt.encode({}, 'a')\n", True),
        ("3.11", "jwt==1.3.1\n", "import jwt\n\njwt.JWT()\n", False),
        ("3.11", "gunicorn==22.0.0\neventlet==0.33.3\n", "", False),
    ],
)
def test_a_library_and_its_python(
    tmp_path: Path, python: str, line: str, code: str, found: bool
) -> None:
    files = {
        "app.py": code + APP,
        "requirements.txt": "flask==3.0.3\nwaitress==3.0.0\n" + line,
        "Dockerfile": recipe('["waitress-serve", "--port=8000", "app:app"]', python=python),
    }
    assert ("ENV020" in breaking(run(tmp_path, files))) is found


@pytest.mark.parametrize(
    ("worker", "found"), [("eventlet", True), ("gthread", False), ("sync", False)]
)
def test_a_worker_of_gunicorn_and_its_library(tmp_path: Path, worker: str, found: bool) -> None:
    command = f'["gunicorn", "-k", "{worker}", "-b", "0.0.0.0:8000", "app:app"]'
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==20.1.0\neventlet==0.33.3\n",
        "Dockerfile": recipe(command, python="3.10"),
    }
    assert ("ENV020" in breaking(run(tmp_path, files))) is found


@pytest.mark.parametrize(("scheme", "found"), [("bcrypt", True), ("pbkdf2_sha256", False)])
def test_hashes_of_passwords(tmp_path: Path, scheme: str, found: bool) -> None:
    code = f'from passlib.context import CryptContext\n\nADMIN = CryptContext(schemes=["{scheme}"]).hash("a")\n'
    files = {
        "app.py": code + APP,
        "requirements.txt": f"{REQUIREMENTS}passlib[bcrypt]==1.7.4\n",
    }
    assert ("ENV020" in breaking(run(tmp_path, files))) is found


SHARED_LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "api"
version = "0.1.0"
source = {{ editable = "." }}
dependencies = [{{ name = "flask" }}{asked}]

[[package]]
name = "flask"
version = "3.1.0"
source = {{ registry = "index" }}

[[package]]
name = "shared"
version = "0.1.0"
source = {{ {source} = "../../libs/shared" }}
"""


@pytest.mark.parametrize(
    ("source", "place", "found"),
    [
        ("editable", "libs/shared/src/shared_core", False),
        ("directory", "libs/shared/src/shared_core", False),
        ("editable", "libs/shared/shared_core", False),
        # Another folder than the lock's stays out of reach.
        ("editable", "libs/other/src/shared_core", True),
    ],
)
def test_projects_that_a_lock_installs_by_their_paths(
    tmp_path: Path, source: str, place: str, found: bool
) -> None:
    files = {
        "apps/api/pyproject.toml": '[project]\nname = "api"\nversion = "0.1.0"\n'
        'dependencies = ["flask", "shared"]\n'
        '[tool.uv.sources]\nshared = { path = "../../libs/shared" }\n',
        "apps/api/uv.lock": SHARED_LOCK.format(source=source, asked=', { name = "shared" }'),
        "apps/api/app.py": "from shared_core.settings import NAME\n" + APP,
        f"{place}/__init__.py": "",
        f"{place}/settings.py": "NAME = 1\n",
        "libs/shared/pyproject.toml": '[project]\nname = "shared"\nversion = "0.1.0"\n',
        "Dockerfile": "FROM python:3.11-slim\nRUN pip install uv==0.5.11\nWORKDIR /app\n"
        "COPY libs ./libs\nWORKDIR /app/apps/api\nCOPY apps/api ./\nRUN uv sync --frozen\n"
        'CMD ["/app/apps/api/.venv/bin/flask", "run", "--host", "0.0.0.0"]\n',
    }
    assert ("ENV007" in breaking(run(tmp_path, files))) is found
