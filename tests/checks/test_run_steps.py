"""Commands of RUN and schemas that refuse: each fault, and what looks like it and works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repo_kit import APP, dockerfile, service

APT = "RUN apt-get update && apt-get install {}"


def _rules(root: Path, files: dict[str, str]) -> set[str]:
    found = service(root, files).findings
    return {f.rule for f in found if f.breaks and f.confidence.name != "POSSIBLE"}


@pytest.mark.parametrize(
    ("extra", "stops"),
    [
        ("EXPOSE 8000 # http", True),
        ("EXPOSE 8000/tcp 9000-9002", False),
        ("ARG PORT=8000\nEXPOSE $PORT", False),
        ("RUN useradd -D -H svc", True),
        ("RUN useradd -rms /bin/bash svc", False),
        ("RUN groupadd -S svc", True),
        ("RUN groupadd -r svc", False),
        ("RUN adduser -D svc", True),
        ('RUN adduser --disabled-password --gecos "" svc', False),
        ("RUN adduser -D svc || true", False),
        ("RUN useradd svc\nUSER svc\n" + APT.format("-y git"), True),
        ("RUN useradd svc\nUSER svc\nUSER root\n" + APT.format("-y git"), False),
        ("RUN useradd svc\nUSER svc\nRUN useradd other", True),
        ("RUN useradd svc\nUSER svc\nRUN pip install --user tqdm", False),
        (
            "RUN useradd svc\nUSER svc\nRUN sudo apt-get update && sudo apt-get install -y git",
            False,
        ),
        (APT.format("tesseract-ocr"), True),
        (APT.format("-qq tesseract-ocr"), False),
        (APT.format("-y tesseract-ocr"), False),
        # Nothing further comes along: apt does not ask.
        (APT.format("tree"), False),
        ("RUN apt-get update && yes | apt-get install tesseract-ocr", False),
        ("RUN mkdir /data\nRUN mkdir /data", True),
        ("RUN mkdir /data\nRUN mkdir -p /data", False),
        ("RUN mkdir /data\nRUN mkdir /data || true", False),
        ("RUN mkdir /data\nRUN [ -d /data ] || mkdir /data", False),
        ("RUN mv model.zip models/", True),
        ("RUN mkdir models\nRUN mv model.zip models/", False),
        ("RUN mkdir models && mv model.zip models/", False),
        ("RUN mv model.zip models", False),
        ("RUN pip requirements.txt", True),
        ("RUN python -m pip instal tqdm", True),
        ("RUN pip -r requirements.txt", True),
        ("RUN pip requirements.txt || true", False),
        ("RUN pip check", False),
        ("RUN pip --no-cache-dir install tqdm", False),
        ("ARG ACTION=check\nRUN pip $ACTION", False),
        ("RUN apt-get instal -y git", True),
        ("RUN apt-get -qq update", False),
        ("RUN unzip model.zip", True),
        ("RUN unzip model.zip || true", False),
        ("RUN if command -v unzip; then unzip model.zip; fi", False),
        (APT.format("-y unzip") + "\nRUN unzip -v", False),
        ("RUN wget -qO- https://example.org/install.sh", True),
    ],
)
def test_commands_that_stop_the_build(tmp_path: Path, extra: str, stops: bool) -> None:
    found = _rules(tmp_path, {"Dockerfile": dockerfile(extra), "model.zip": ""})
    # A list of packages is missing where none is fetched, which is another fault.
    assert ("IMG022" in found) is stops


@pytest.mark.parametrize(
    ("first", "stops"),
    [
        ("RUN pip install -r requirements.txt\nCOPY . .", True),
        ("COPY . /srv/app\nRUN cd /srv/app\nRUN pip install -r requirements.txt", True),
        ("COPY . .\nRUN pip install -r requirements.txt", False),
        ("COPY . /srv/app\nRUN cd /srv/app && pip install -r requirements.txt\nCOPY . .", False),
        ("RUN if [ -f requirements.txt ]; then pip install -r requirements.txt; fi", False),
        ("RUN echo flask > requirements.txt && pip install -r requirements.txt", False),
        (
            "RUN --mount=type=bind,target=. pip install -r requirements.txt\nCOPY . .",
            False,
        ),
    ],
)
def test_requirements_that_are_not_there(tmp_path: Path, first: str, stops: bool) -> None:
    text = f"FROM python:3.11-slim\nWORKDIR /app\n{first}\nCMD python app.py\n"
    assert ("ENV019" in _rules(tmp_path, {"Dockerfile": text})) is stops


def test_requirements_below_another_context(tmp_path: Path) -> None:
    text = "FROM python:3.11-slim\nCOPY . /srv\nRUN pip install -r /srv/api/requirements.txt\n"
    files = {"api/Dockerfile": text, "api/requirements.txt": "flask==3.0.3\n", "Dockerfile": ""}
    assert "ENV019" not in _rules(tmp_path, files)


@pytest.mark.parametrize(
    ("line", "python", "stops"),
    [
        ("flask==3.1.0", "3.8", True),
        ("flask==3.0.3", "3.8", False),
        ("dataclasses==0.8", "3.11", True),
        ('dataclasses==0.8; python_version < "3.7"', "3.11", False),
        ("fastapi==0.115.60", "3.11", True),
        ("fastapi==0.115.6", "3.11", False),
        ("pkg_resources==0.0.0", "3.11", True),
    ],
)
def test_releases_of_pure_python(tmp_path: Path, line: str, python: str, stops: bool) -> None:
    files = {
        "Dockerfile": dockerfile().replace("3.11", python),
        "requirements.txt": f"{line}\ngunicorn==22.0.0\n",
    }
    assert bool(_rules(tmp_path, files) & {"ENV008", "ENV019"}) is stops


def test_a_line_that_a_command_takes_out(tmp_path: Path) -> None:
    text = dockerfile().replace("RUN pip", "RUN sed -i /pkg_resources/d requirements.txt && pip")
    files = {"Dockerfile": text, "requirements.txt": "flask==3.0.3\npkg_resources==0.0.0\n"}
    assert "ENV019" not in _rules(tmp_path, files)


@pytest.mark.parametrize(
    ("install", "rules"),
    [
        ("pip install -r requirements.txt || true", {"IMG018", "ENV007"}),
        ("pip install -r requirements.txt", {"ENV008"}),
        ("pip install flask gunicorn && pip install tensorflow==2.8.0 || true", set()),
    ],
)
def test_what_a_tolerated_installation_brings(
    tmp_path: Path, install: str, rules: set[str]
) -> None:
    text = dockerfile().replace("pip install -r requirements.txt", install)
    listed = "flask==3.0.3\ngunicorn==22.0.0\ntensorflow==2.8.0\n"
    assert _rules(tmp_path, {"Dockerfile": text, "requirements.txt": listed}) == rules


@pytest.mark.parametrize(
    ("listed", "starts"),
    [
        ("flask==3.0.3\ngunicorn==22.0.0\n", False),
        (
            "blinker==1.8.2\nclick==8.1.7\nflask==3.0.3\ngunicorn==22.0.0\nitsdangerous==2.2.0\n"
            "jinja2==3.1.4\nmarkupsafe==2.1.5\npackaging==24.1\nwerkzeug==3.0.3\n",
            True,
        ),
    ],
)
def test_no_deps(tmp_path: Path, listed: str, starts: bool) -> None:
    text = dockerfile().replace("pip install", "pip install --no-deps")
    found = _rules(tmp_path, {"Dockerfile": text, "requirements.txt": listed})
    assert ("ENV007" not in found) is starts


@pytest.mark.parametrize(
    ("python", "run", "stops"),
    [
        ("3.12", "python setup.py install", True),
        ("3.11", "python setup.py install", False),
        ("3.12", "pip install setuptools && python setup.py install", False),
        ("3.12", "pip install .", False),
        ("3.11", "python prepare.py", True),
        ("3.11", "pip install pyyaml && python prepare.py", False),
    ],
)
def test_modules_that_a_run_imports(tmp_path: Path, python: str, run: str, stops: bool) -> None:
    setup = (
        "from setuptools import setup\n"
        'setup(name="svc", py_modules=["app"], install_requires=["flask", "gunicorn"])\n'
    )
    text = f"FROM python:{python}-slim\nWORKDIR /app\nCOPY . .\nRUN {run}\n"
    files = {
        "Dockerfile": text + 'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n',
        "setup.py": setup,
        "prepare.py": "import yaml\n",
    }
    assert ("IMG022" in _rules(tmp_path, files)) is stops


PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "svc"
version = "1"
dependencies = ["flask==3.0.3", "gunicorn==22.0.0"]

[tool.setuptools]
py-modules = [{modules}]
"""


@pytest.mark.parametrize(
    ("install", "modules", "starts"),
    [
        ("pip install . && rm -rf /build", '"app"', True),
        ("pip install . && rm -rf /build", '"other"', False),
        ("pip install -e . && rm -rf /build", '"app"', False),
    ],
)
def test_projects_whose_sources_are_taken_away(
    tmp_path: Path, install: str, modules: str, starts: bool
) -> None:
    text = (
        f"FROM python:3.11-slim\nWORKDIR /build\nCOPY . .\nRUN {install}\nWORKDIR /run\n"
        'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    )
    files = {"Dockerfile": text, "pyproject.toml": PROJECT.format(modules=modules), "other.py": ""}
    result = service(tmp_path, files)
    (only,) = result.services
    assert dict(only.forecast.answers())["starts"] == ("yes" if starts else "no")


@pytest.mark.parametrize("how", ["", "-e "])
def test_projects_installed_in_a_builder(tmp_path: Path, how: str) -> None:
    text = (
        "FROM python:3.11-slim AS builder\nWORKDIR /build\nRUN python -m venv /venv\n"
        f"ENV PATH=/venv/bin:$PATH\nCOPY . .\nRUN pip install {how}.\n\n"
        "FROM python:3.11-slim\nCOPY --from=builder /venv /venv\nENV PATH=/venv/bin:$PATH\n"
        'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    )
    files = {"Dockerfile": text, "pyproject.toml": PROJECT.format(modules='"app"')}
    (only,) = service(tmp_path, files).services
    assert dict(only.forecast.answers())["starts"] == ("no" if how else "yes")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("    environment:\n      - LEVEL: info\n", True),
        ("    environment:\n      - LEVEL=info\n", False),
        ("    enviroment:\n      LEVEL: info\n", True),
        ("    x-enviroment:\n      LEVEL: info\n", False),
        ("    quite_new_key: 1\n", False),
        ('    healthcheck:\n      test: ["python", "-V"]\n', True),
        ('    healthcheck:\n      test: ["CMD", "python", "-V"]\n', False),
        ("    expose: 8000\n", True),
        ("    container_name: svc\n  other:\n    build: .\n    container_name: svc\n", True),
        ("    container_name: svc\n  other:\n    build: .\n    container_name: two\n", False),
    ],
)
def test_what_compose_refuses(tmp_path: Path, body: str, refused: bool) -> None:
    text = "services:\n  app:\n    build: .\n    ports: ['8000:8000']\n" + body
    result = service(tmp_path, {"docker-compose.yml": text})
    found = [f for f in result.findings if f.rule == "IMG024" and f.confidence.name != "POSSIBLE"]
    assert bool(found) is refused
    if refused:
        # Compose refuses the project as a whole.
        assert {name for f in found for name, _ in f.breaks} == {s.name for s in result.services}


NGINX = "events {{}}\n{top}\nhttp {{ server {{ listen 80{end}\n location / {{ {inner} }} }} }}\n"


@pytest.mark.parametrize(
    ("top", "end", "inner", "ends"),
    [
        ("", ";", "return 200;", False),
        ("", "", "return 200;", True),
        ("", ";", "return 200", True),
        ("daemon off;", ";", "return 200;", True),
        ("pid /run/n.pid;", ";", "add_header A\n b;", False),
    ],
)
def test_configurations_that_nginx_refuses(
    tmp_path: Path, top: str, end: str, inner: str, ends: bool
) -> None:
    text = (
        "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y nginx\n"
        'COPY nginx.conf /etc/nginx/nginx.conf\nCMD ["nginx", "-g", "daemon off;"]\n'
    )
    files = {"Dockerfile": text, "nginx.conf": NGINX.format(top=top, end=end, inner=inner)}
    found = service(tmp_path, files).findings
    assert any("nginx refuses" in f.message for f in found) is ends


def test_a_proxy_answers_with_what_it_passes_on(tmp_path: Path) -> None:
    files = {
        "proxy/Dockerfile": "FROM debian:bookworm-slim\nRUN apt-get update && apt-get install -y nginx\n"
        'COPY nginx.conf /etc/nginx/nginx.conf\nCMD ["nginx", "-g", "daemon off;"]\n',
        "proxy/nginx.conf": NGINX.format(top="", end=";", inner="proxy_pass http://app:8000;"),
        "docker-compose.yml": "services:\n  app:\n    build: .\n  proxy:\n    build: proxy\n"
        "    ports: ['8000:80']\n",
    }
    result = service(tmp_path, files)
    assert {s.name: s.forecast.predicts for s in result.services} == {"app": "yes", "proxy": "yes"}


@pytest.mark.parametrize(
    ("command", "ends"),
    [
        ('["gunicorn", "-D", "-b", "0.0.0.0:8000", "app:app"]', True),
        ("gunicorn -D -b 0.0.0.0:8000 app:app && tail -f /dev/null", False),
        ('["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', False),
    ],
)
def test_servers_that_go_to_the_background(tmp_path: Path, command: str, ends: bool) -> None:
    found = service(tmp_path, {"Dockerfile": dockerfile("", command), "app.py": APP}).findings
    assert any("to the background" in f.message for f in found) is ends
