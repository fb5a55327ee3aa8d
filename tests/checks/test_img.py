from __future__ import annotations

import json
from pathlib import Path

import pytest
import repo_kit as kit

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Confidence, Severity


@pytest.mark.parametrize(
    ("base", "reported"),
    [
        ("python", True),
        ("python:latest", True),
        ("python:3-slim", True),
        ("python:slim", True),
        ("python:3.11-slim", False),
        ("python@sha256:" + "a" * 64, False),
    ],
)
def test_floating_base(base: str, reported: bool, tmp_path: Path) -> None:
    text = kit.dockerfile().replace("python:3.11-slim", base)
    found = kit.of(kit.service(tmp_path, {"Dockerfile": text}), "IMG001")
    assert bool(found) is reported


@pytest.mark.parametrize(
    ("base", "line", "reported"),
    [
        ("python:3.13-slim", "RUN apt-get update && apt-get install -y libglib2.0-0t64", True),
        ("python:3.13", "RUN apt-get update && apt-get install -y libglib2.0-0t64", True),
        ("python:3.13-slim", "", False),
        ("python:3.13-slim", "RUN apt-get update && apt-get install -y git build-essential", False),
        ("python:3.13-slim", "RUN apt-get update && apt-get install -y libglib2.0-0", True),
        (
            "python:3.13-slim-trixie",
            "RUN apt-get update && apt-get install -y libglib2.0-0t64",
            False,
        ),
        ("python:3.13.5-slim", "RUN apt-get update && apt-get install -y libglib2.0-0t64", False),
        ("python:3.7-slim", "RUN apt-get update && apt-get install -y libglib2.0-0t64", False),
        ("python:slim", "RUN apt-get update && apt-get install -y libglib2.0-0t64", False),
        ("python:3.13-slim@sha256:" + "a" * 64, "RUN apt-get install -y libglib2.0-0t64", False),
        ("python:3.13-alpine", "RUN apk add --no-cache git", False),
    ],
)
def test_moving_release(base: str, line: str, reported: bool, tmp_path: Path) -> None:
    text = kit.dockerfile(line).replace("python:3.11-slim", base)
    found = kit.of(kit.service(tmp_path, {"Dockerfile": text}), "IMG016")
    assert bool(found) is reported
    if found:
        assert found[0].help.endswith(f"`{base}-trixie`.")
        assert found[0].related[0].at.path == "Dockerfile"


def test_an_image_of_the_repository_is_no_floating_base(tmp_path: Path) -> None:
    files = {
        "docker/Dockerfile.base": "FROM python:3.11-slim\nRUN pip install flask==3.0.3\n",
        "docker/Dockerfile.api": 'FROM acme/base\nCOPY app.py /\nCMD ["python", "/app.py"]\n',
    }
    result = kit.service(tmp_path, files)
    assert not kit.of(result, "IMG001")
    # Nor is a base without a command a service that cannot start.
    assert not kit.of(result, "IMG018")


def test_a_lone_image_without_command_cannot_start(tmp_path: Path) -> None:
    text = kit.dockerfile().rpartition("CMD")[0]
    result = kit.service(tmp_path, {"Dockerfile": text})
    assert [f.rule for f in result.findings if f.breaks] == ["IMG018"]


@pytest.mark.parametrize(
    ("line", "command", "reported"),
    [
        ("", kit.GUNICORN, True),
        ("USER root", kit.GUNICORN, True),
        ("USER 1000:1000", kit.GUNICORN, False),
        ("USER app", kit.GUNICORN, False),
        ("", '["gosu", "app", "gunicorn", "-b", "0.0.0.0:8000", "app:app"]', False),
    ],
)
def test_root(line: str, command: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(line, command)})
    assert bool(kit.of(result, "IMG004")) is reported


def test_development_servers(tmp_path: Path) -> None:
    code = kit.APP + '\nif __name__ == "__main__":\n    app.run(host="0.0.0.0", debug=True)\n'
    files = {"app.py": code, "Dockerfile": kit.dockerfile(command='["python", "app.py"]')}
    (found,) = kit.of(kit.service(tmp_path, files), "IMG006")
    assert found.severity is Severity.HIGH
    assert found.at.path == "app.py"


def test_a_development_server_that_is_not_reached(tmp_path: Path) -> None:
    code = kit.APP + '\nif __name__ == "__main__":\n    app.run(debug=True)\n'
    result = kit.service(tmp_path, {"app.py": code})
    assert not kit.of(result, "IMG006")
    assert kit.answers(result) == ("yes",) * 4


@pytest.mark.parametrize(
    ("command", "reported"),
    [
        ("gunicorn -b 0.0.0.0:8000 app:app", True),
        ("exec gunicorn -b 0.0.0.0:8000 app:app", False),
        (kit.GUNICORN, False),
    ],
)
def test_sigterm(command: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(command=command)})
    assert bool(kit.of(result, "IMG007")) is reported


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("ENV API_KEY=9f8a7b6c5d4e", True),
        ("ARG DB_PASSWORD=hunter2hunter2", True),
        ("ENV API_KEY=changeme", False),
        ("ENV API_KEY = changeme", False),
        ("ENV API_KEY = SECRET_KEY", False),
        ("ENV API_KEY = 9f8a7b6c5d4e", True),
        ("ENV API_KEY=OPENAI_API_KEY", False),
        ("ENV DB_PASSWORD=PASSWORD", True),
        ("ENV API_KEY=SECRET_KEY_9F8A", True),
        ("ENV API_KEY=$KEY", False),
        ("ENV MAX_TOKENS=512", False),
        ("ENV TOKEN_URL=https://example.org", False),
        ("ARG HF_TOKEN", False),
    ],
)
def test_secrets(line: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(line)})
    assert bool(kit.of(result, "IMG008")) is reported


def test_refused_writes_below_one_directory_are_one_finding(tmp_path: Path) -> None:
    code = 'import os\nos.makedirs("logs", exist_ok=True)\nopen("logs/a.txt", "w")\n' + kit.APP
    files = {"app.py": code, "Dockerfile": kit.dockerfile("USER nobody")}
    result = kit.service(tmp_path, files)
    assert kit.places(result, "IMG011") == [("app.py", 2)]
    assert kit.answers(result)[1] == "no"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("RUN mkdir logs && chown nobody logs\nUSER nobody", "logs/x"),
        ("USER nobody", "/tmp/x"),
        ("", "logs.txt"),
    ],
)
def test_allowed_writes(line: str, name: str, tmp_path: Path) -> None:
    files = {
        "app.py": f'open("{name}", "w")\n' + kit.APP,
        "Dockerfile": kit.dockerfile(line),
    }
    assert not kit.of(kit.service(tmp_path, files), "IMG011")


def test_missing_variable_is_certain_under_compose(tmp_path: Path) -> None:
    files = {"app.py": 'import os\nNAME = os.environ["NAME"]\n' + kit.APP}
    (found,) = kit.of(
        kit.service(tmp_path / "a", {**files, "docker-compose.yml": kit.compose("")}), "IMG012"
    )
    assert (found.confidence, found.at.line) == (Confidence.CERTAIN, 2)
    alone = kit.service(tmp_path / "b", {**files, "README.md": "Set `NAME` before you start it.\n"})
    (found,) = kit.of(alone, "IMG012")
    assert (found.confidence, found.severity) == (Confidence.POSSIBLE, Severity.LOW)
    assert kit.answers(alone)[1] == "unknown"
    unspoken = kit.service(tmp_path / "d", files)
    (found,) = kit.of(unspoken, "IMG012")
    assert found.confidence == Confidence.LIKELY
    assert kit.answers(unspoken)[1] == "no"
    given = kit.compose("environment:\n  NAME: x")
    assert not kit.of(kit.service(tmp_path / "c", {**files, "docker-compose.yml": given}), "IMG012")


def test_starlette_reads_its_settings_file(tmp_path: Path) -> None:
    code = (
        "from starlette.config import Config\n"
        'config = Config("settings.env")\n'
        'NAME = config("NAME")\n'
    )
    files = {
        "app.py": code + kit.APP,
        "settings.env": "NAME=churn\n",
        "docker-compose.yml": kit.compose(""),
        "Dockerfile": kit.dockerfile("COPY settings.env ./"),
    }
    assert not kit.of(kit.service(tmp_path / "a", files), "IMG012")
    files["settings.env"] = "OTHER=churn\n"
    assert kit.of(kit.service(tmp_path / "b", files), "IMG012")


@pytest.mark.parametrize(
    ("check", "before", "reported"),
    [
        ("curl -f http://localhost:8000/health", "", True),
        ("wget -q http://localhost:8000/health", "", True),
        ("curl -f http://localhost:8000/health", "RUN apt-get install -y curl", False),
        ("python -c 'import urllib.request'", "", False),
        ("probe.sh", "COPY probe.sh /usr/local/bin/", False),
    ],
)
def test_health_check_program(check: str, before: str, reported: bool, tmp_path: Path) -> None:
    text = kit.dockerfile(f"{before}\nHEALTHCHECK CMD {check}")
    result = kit.service(tmp_path, {"Dockerfile": text, "probe.sh": "#!/bin/sh\nexit 0\n"})
    assert bool(kit.of(result, "IMG015")) is reported


def test_a_script_copied_to_the_path_is_a_program(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text("#!/bin/sh\nexec gunicorn -b 0.0.0.0:8000 app:app\n")
    script.chmod(0o755)
    text = kit.dockerfile("COPY start.sh /usr/local/bin/", '["start.sh"]')
    result = kit.service(tmp_path, {"Dockerfile": text})
    assert not kit.of(result, "IMG018")


def test_a_task_of_a_script_is_not_how_the_service_runs(tmp_path: Path) -> None:
    lint = "docker build -t api .\ndocker run --rm --entrypoint /code/lint.sh api flake8 /code\n"
    result = kit.service(tmp_path, {"tools/lint.sh": "#!/bin/bash\n" + lint})
    assert not kit.of(result, "IMG018")
    assert kit.answers(result)[1] == "yes"


def test_a_server_that_nothing_installs(tmp_path: Path) -> None:
    command = '["python", "-m", "uvicorn", "app:app"]'
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(command=command)})
    assert any("`No module named uvicorn`" in f.message for f in kit.of(result, "IMG018"))


@pytest.mark.parametrize(
    ("line", "severity", "builds"),
    [
        ("COPY gone.txt ./", Severity.HIGH, "no"),
        ("COPY App.py ./", Severity.HIGH, "no"),
        ("COPY *.gone ./", Severity.MEDIUM, "unknown"),
        ("COPY ../app.py ./", Severity.MEDIUM, "unknown"),
        ("COPY ../gone.py ./", Severity.HIGH, "no"),
        ("COPY ../*.gone ./", Severity.MEDIUM, "unknown"),
    ],
)
def test_copies(line: str, severity: Severity, builds: str, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"Dockerfile": kit.dockerfile(line)})
    (found,) = kit.of(result, "IMG019")
    assert found.severity is severity
    assert kit.answers(result)[0] == builds


def test_a_wildcard_beside_a_file_may_match_nothing(tmp_path: Path) -> None:
    text = kit.dockerfile("COPY app.py *.gone ./")
    assert not kit.of(kit.service(tmp_path, {"Dockerfile": text}), "IMG019")


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("env_file: prod.env", True),
        ("env_file: [there.env]", False),
        ("env_file:\n  - path: prod.env\n    required: false", False),
    ],
)
def test_env_files(body: str, reported: bool, tmp_path: Path) -> None:
    files = {"docker-compose.yml": kit.compose(body), "there.env": "A=1\n"}
    result = kit.service(tmp_path, files)
    assert bool(kit.of(result, "IMG020")) is reported
    assert kit.answers(result)[0] == ("no" if reported else "yes")


@pytest.mark.parametrize(
    ("name", "example"),
    [
        (".env", ".env.example"),
        (".env.prod", ".env.prod.sample"),
        (".env.prod", ".env.example"),
        ("conf/api.env", "conf/api.env.template"),
        ("conf/api.env", "conf/example.env"),
    ],
)
def test_env_files_with_an_example_are_forgotten_less_gravely(
    name: str, example: str, tmp_path: Path
) -> None:
    body = f"env_file: {name}"
    files = {"docker-compose.yml": kit.compose(body), example: "A=1\n"}
    result = kit.service(tmp_path, files)
    (found,) = kit.of(result, "IMG020")
    assert found.severity is Severity.MEDIUM
    # As the repository stands, Compose refuses it.
    assert kit.answers(result)[0] == "no"
    ignored = kit.service(tmp_path, {**files, ".gitignore": f"{name}\n"})
    assert kit.of(ignored, "IMG020")[0].severity is Severity.LOW
    assert kit.answers(ignored)[0] == "unknown"


def test_an_example_elsewhere_says_nothing(tmp_path: Path) -> None:
    body = "env_file: .env"
    files = {"docker-compose.yml": kit.compose(body), "docs/.env.example": "A=1\n"}
    (found,) = kit.of(kit.service(tmp_path, files), "IMG020")
    assert found.severity is Severity.HIGH


def test_one_fault_of_a_shared_image_is_one_finding(tmp_path: Path) -> None:
    text = kit.compose("") + "  worker:\n    build: .\n"
    files = {
        "docker-compose.yml": text,
        "Dockerfile": kit.dockerfile(command='["gunicorn", "main:app"]'),
    }
    (found,) = kit.of(kit.service(tmp_path, files), "IMG017")
    assert {name for name, _ in found.breaks} == {"api", "worker"}


def test_a_dockerfile_that_is_not_there(tmp_path: Path) -> None:
    text = "services:\n  api:\n    build:\n      context: .\n      dockerfile: docker/Dockerfile\n"
    result = kit.service(tmp_path, {"docker-compose.yml": text})
    assert kit.places(result, "IMG022") == [("docker-compose.yml", 5)]
    assert [s.forecast.builds for s in result.services if s.name == "api"] == ["no"]


def test_an_inline_dockerfile_is_there(tmp_path: Path) -> None:
    text = (
        "services:\n  api:\n    build:\n      context: .\n"
        "      dockerfile_inline: |\n        FROM python:3.11-slim\n"
    )
    assert not kit.of(kit.service(tmp_path, {"docker-compose.yml": text}), "IMG022")


def test_what_a_failing_copy_was_to_bring_is_not_missed_again(tmp_path: Path) -> None:
    text = kit.dockerfile("COPY serve.py ./", '["python", "serve.py"]')
    result = kit.service(tmp_path, {"Dockerfile": text})
    assert [f.rule for f in result.findings if f.breaks] == ["IMG019"]


SETTINGS = {
    "dotenv": "from dotenv import load_dotenv\nload_dotenv()\n",
    "environs": "from environs import Env\nEnv().read_env()\n",
}
HAND_MADE = (
    "import os\n{load}from flask import Flask\nkey = os.environ['API_KEY']\napp = Flask(__name__)\n"
)
PYDANTIC = (
    "from flask import Flask\nfrom pydantic_settings import BaseSettings\n"
    "class Settings(BaseSettings):\n    api_key: str\n    model_config = {'env_file': '.env'}\n"
    "settings = Settings()\napp = Flask(__name__)\n"
)
DECOUPLE = (
    "from decouple import config\nfrom flask import Flask\nkey = config('API_KEY')\n"
    "app = Flask(__name__)\n"
)


@pytest.mark.parametrize(
    "code",
    [
        HAND_MADE.format(load=SETTINGS["dotenv"]),
        HAND_MADE.format(load=SETTINGS["environs"]),
        PYDANTIC,
        DECOUPLE,
    ],
)
@pytest.mark.parametrize(
    ("gitignore", "dockerignore", "reported"),
    [(".env\n", "", False), ("", "", True), (".env\n", ".env\n", True), (".env\n", ".e*\n", True)],
)
def test_variables_of_an_env_file_that_git_ignores_are_not_missed(
    code: str, gitignore: str, dockerignore: str, reported: bool, tmp_path: Path
) -> None:
    files = {
        "app.py": code,
        "requirements.txt": kit.REQUIREMENTS
        + "python-dotenv==1.0.1\nenvirons==11.0.0\npydantic-settings==2.5.2\npython-decouple==3.8\n",
        "Dockerfile": kit.dockerfile().replace("COPY app.py ./", "COPY . ."),
        "docker-compose.yml": kit.compose(""),
        ".gitignore": gitignore,
        ".dockerignore": dockerignore,
    }
    assert bool(kit.of(kit.service(tmp_path, files), "IMG012")) is reported


@pytest.mark.parametrize(
    ("template", "served"),
    [("PORT=4000\n", None), ("PORT=5000\n", 5000), ("OTHER=1\n", 5000), (None, 5000)],
)
def test_the_template_of_an_env_file_tells_which_defaults_stand(
    template: str | None, served: int | None, tmp_path: Path
) -> None:
    code = (
        "import os\nfrom dotenv import load_dotenv\nfrom flask import Flask\nload_dotenv()\n"
        "app = Flask(__name__)\n"
        "app.run(host='0.0.0.0', port=int(os.getenv('PORT', 5000)))\n"
    )
    files = {
        "app.py": code,
        "requirements.txt": kit.REQUIREMENTS + "python-dotenv==1.0.1\n",
        "Dockerfile": kit.dockerfile(command='["python", "app.py"]').replace(
            "COPY app.py", "COPY ."
        ),
        "docker-compose.yml": kit.compose('ports: ["4000:4000"]'),
        ".gitignore": ".env\n",
        **({".env.example": template} if template else {}),
    }
    found = kit.of(kit.service(tmp_path, files), "NET003")
    assert [dict(f.evidence)["served"] for f in found] == ([(served,)] if served else [])


@pytest.mark.parametrize(
    ("image", "test", "fails"),
    [
        ("ghcr.io/mlflow/mlflow:v2.19.0", '["CMD", "curl", "-f", "http://localhost:5000/health"]', True),
        ("qdrant/qdrant", '["CMD-SHELL", "wget -q http://localhost:6333 || exit 1"]', True),
        ("ghcr.io/mlflow/mlflow:v2.19.0", '["CMD", "python", "-c", "pass"]', False),
        ("example/other:1", '["CMD", "curl", "-f", "http://localhost:5000/health"]', False),
    ],
)  # fmt: skip
def test_a_foreign_image_that_lacks_the_health_check_program(
    image: str, test: str, fails: bool, tmp_path: Path
) -> None:
    from auditor.config import Settings
    from auditor.engine import audit
    from auditor.findings import Stage

    (tmp_path / "Dockerfile").write_text('FROM python:3.11-slim\nCMD ["python", "-V"]\n')
    (tmp_path / "compose.yaml").write_text(
        "services:\n  api:\n    build: .\n    depends_on:\n      store: {condition: service_healthy}\n"
        f"  store:\n    image: {image}\n    healthcheck:\n      test: {test}\n"
    )
    result = audit(tmp_path, Settings())
    found = [f for f in result.findings if f.rule == "IMG015"]
    assert bool(found) is fails
    assert any(b == ("api", Stage.STARTS) for f in found for b in f.breaks) is fails


TOOL = "FROM python:3.11-slim\nWORKDIR /work\nRUN pip install requests==2.32.3\n"


def test_an_image_without_a_command_that_nothing_runs(tmp_path: Path) -> None:
    """Beside what Compose runs it may be a tool that is given its command."""
    alone = kit.service(tmp_path / "alone", {"Dockerfile": TOOL})
    assert [f.at.path for f in kit.of(alone, "IMG018")] == ["Dockerfile"]
    files = {"docker-compose.yml": kit.compose(""), "Dockerfile-tool": TOOL}
    beside = kit.service(tmp_path / "beside", files)
    assert not kit.of(beside, "IMG018")
    (tool,) = (s for s in beside.services if s.image == "Dockerfile-tool")
    assert dict(tool.forecast.answers())["starts"] == "unknown"


def test_an_image_that_copies_nothing_gets_its_code_from_a_mount(tmp_path: Path) -> None:
    text = TOOL + 'ENTRYPOINT ["python", "-m", "tools.rollout"]\n'
    files = {"docker-compose.yml": kit.compose(""), "Dockerfile-tool": text, "tools/rollout.py": ""}
    (found,) = kit.of(kit.service(tmp_path, files), "IMG017")
    assert (found.severity, found.confidence) == (Severity.LOW, Confidence.POSSIBLE)


@pytest.mark.parametrize(
    ("command", "built"),
    [("npm run generate", True), ("npx prisma generate", True), ("npm ci", False)],
)
def test_scripts_of_a_node_project_write_what_they_like(
    command: str, built: bool, tmp_path: Path
) -> None:
    text = (
        "FROM node:22-alpine AS builder\nWORKDIR /web\nCOPY package.json ./\n"
        f"RUN {command}\nFROM python:3.11-slim\nWORKDIR /app\n"
        "COPY --from=builder /web/src/generated ./generated\n"
        'CMD ["python", "-m", "http.server"]\n'
    )
    result = kit.service(tmp_path, {"Dockerfile": text, "package.json": "{}"})
    assert bool(kit.of(result, "IMG019")) is not built


@pytest.mark.parametrize(("value", "told"), [("${MODEL}", False), ("", False), ("churn", True)])
def test_a_variable_that_the_shell_gives_to_both(value: str, told: bool, tmp_path: Path) -> None:
    """`environment:` that takes it from the shell as well: its author means the shell."""
    given = f"MODEL={value}" if value else "MODEL"
    body = f'environment: ["{given}"]\ncommand: gunicorn -b 0.0.0.0:8000 app:app --name "$MODEL"'
    result = kit.service(tmp_path, {"docker-compose.yml": kit.compose(body)})
    assert any("Compose replaces" in f.message for f in kit.of(result, "IMG018")) is told


def test_what_documentation_shows_does_not_decide_the_context(tmp_path: Path) -> None:
    """Its reader may stand in another directory; a script's command is taken at its word."""
    command = "docker build -t api -f web/Dockerfile ."
    files = {
        "web/Dockerfile": kit.dockerfile(),
        "web/app.py": kit.APP,
        "web/requirements.txt": kit.REQUIREMENTS,
        "README.md": f"```bash\n{command}\n```\n",
    }

    def told(name: str) -> bool:
        root = tmp_path / name
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return bool(kit.of(audit(root, Settings()), "IMG019"))

    assert not told("documented")
    files["Makefile"] = f"build:\n\t{command}\n"
    assert told("scripted")


def test_a_lowercase_dockerfile_is_found(tmp_path: Path) -> None:
    """BuildKit looks for `dockerfile` where there is no `Dockerfile`."""
    files = {
        "dockerfile": kit.dockerfile(),
        "app.py": kit.APP,
        "requirements.txt": kit.REQUIREMENTS,
        "docker-compose.yml": kit.compose("").replace(
            "build: .", "build: {context: ., dockerfile: Dockerfile}"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = audit(tmp_path, Settings())
    assert not kit.of(result, "IMG022")
    assert kit.answers(result) == ("yes",) * 4


def test_a_test_runner_is_meant_to_end(tmp_path: Path) -> None:
    body = "command: {}\n"
    for command, told in (("pytest tests -v", False), ("echo ready", True)):
        files = {
            "requirements.txt": kit.REQUIREMENTS + "pytest==8.3.3\n",
            "docker-compose.yml": kit.compose(body.format(command)),
        }
        result = kit.service(tmp_path / str(told), files)
        assert bool(kit.of(result, "IMG018")) is told, command


@pytest.mark.parametrize(("plain", "severity"), [(True, Severity.LOW), (False, Severity.HIGH)])
def test_a_file_given_after_the_plain_one_may_lack_its_declarations(
    plain: bool, severity: Severity, tmp_path: Path
) -> None:
    files = {"docker-compose.ui.yml": kit.compose("networks: [shared]")}
    if plain:
        files["docker-compose.yml"] = kit.compose("") + "networks:\n  shared:\n"
    found = kit.of(kit.service(tmp_path, files), "IMG024")
    assert {f.severity for f in found} == {severity}


@pytest.mark.parametrize(("waits", "severity"), [(True, Severity.HIGH), (False, Severity.MEDIUM)])
@pytest.mark.parametrize(
    ("check", "rule"),
    [
        ("curl -f http://localhost:8000/health", "IMG015"),
        (
            "python -c 'import urllib.request as u; u.urlopen(\"http://localhost:9000/health\")'",
            "NET006",
        ),
    ],
)
def test_a_check_that_others_wait_for_weighs_more(
    tmp_path: Path, check: str, rule: str, waits: bool, severity: Severity
) -> None:
    condition = "service_healthy" if waits else "service_started"
    result = kit.service(
        tmp_path,
        {
            "compose.yaml": "services:\n"
            "  api:\n    build: .\n    healthcheck:\n"
            f"      test: {json.dumps(check)}\n"
            "  worker:\n    build: .\n    depends_on:\n"
            f"      api: {{condition: {condition}}}\n"
        },
    )
    [found] = [f for f in result.active if f.rule == rule]
    assert found.severity is severity
    starts = {s.name: s.forecast.starts for s in result.services}["worker"]
    assert starts == ("no" if waits else "yes")
