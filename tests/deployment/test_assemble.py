"""Which images are built, which services are started, and what belongs to which."""

import pytest
from deploykit import deployment, service

BASE = "FROM python:3.11-slim\nWORKDIR /app\n"
SERVED = BASE + 'COPY . .\nCMD ["python", "main.py"]\n'


def test_a_compose_service_is_tied_to_its_dockerfile_and_environment(tmp_path):
    found = deployment(
        tmp_path,
        {
            "compose.yaml": "services:\n  api:\n    build: {context: api, dockerfile: Dockerfile.web}\n"
            "  db: {image: 'postgres:16'}\n",
            "api/Dockerfile.web": BASE
            + "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
            "api/requirements.txt": "flask==3.0.3\n",
            "requirements.txt": "django\n",
        },
    )
    api, db = service(found, "api"), service(found, "db")
    assert [s.name for s in found.services] == ["api", "db"]
    assert api.image is not None
    assert (api.image.dockerfile.path, api.image.context) == ("api/Dockerfile.web", "api")
    assert api.environment is api.image.environment
    assert [r.key for r in api.environment.requirements] == ["flask"]
    assert api.environment.services == ("api",)
    assert not db.ours
    assert db.image_reference == "postgres:16"


def test_a_dockerfile_that_compose_builds_is_no_service_of_its_own(tmp_path):
    found = deployment(
        tmp_path,
        {
            "compose.yaml": "services:\n  api: {build: .}\n",
            "Dockerfile": SERVED,
            "worker/Dockerfile": SERVED,
            "main.py": "",
            "worker/main.py": "",
        },
    )
    assert [s.name for s in found.services] == ["api", "worker"]


def test_two_services_of_one_image_share_it(tmp_path):
    found = deployment(
        tmp_path,
        {
            "compose.yaml": "services:\n  a: {build: .}\n  b: {build: ., command: [python, other.py]}\n",
            "Dockerfile": SERVED,
            "main.py": "",
            "other.py": "",
        },
    )
    assert len(found.images) == 1
    assert found.images[0].services == ("a", "b")
    assert service(found, "a").argv == ("python", "main.py")
    assert service(found, "b").argv == ("python", "other.py")


def test_build_arguments_make_different_images(tmp_path):
    found = deployment(
        tmp_path,
        {
            "compose.yaml": "services:\n"
            "  old: {build: {context: ., args: {PY: '3.9'}}}\n"
            "  new: {build: {context: ., args: {PY: '3.12'}}}\n",
            "Dockerfile": "ARG PY=3.11\nFROM python:$PY-slim\nCMD [python]\n",
        },
    )
    python = {s.name: s.environment.python.version for s in found.services}
    assert python == {"old": "3.9", "new": "3.12"}


def test_a_file_for_production_replaces_the_default_one(tmp_path):
    found = deployment(
        tmp_path,
        {
            "docker-compose.yml": "services:\n  api: {build: .}\n  db: {image: postgres}\n",
            "docker-compose.override.yml": "services:\n  api: {ports: ['8000:8000']}\n",
            "docker-compose.prod.yml": "services:\n  api: {restart: always}\n",
            "Dockerfile": SERVED,
            "main.py": "",
        },
    )
    # The file for production replaces the default one, the override is for development.
    assert [s.name for s in found.services] == ["api", "db"]
    api = service(found, "api")
    assert not api.is_dev
    assert api.compose is not None
    assert api.compose.restart is not None
    assert api.published == ()


def test_the_context_comes_from_the_build_command(tmp_path):
    found = deployment(
        tmp_path,
        {
            "docker/Dockerfile": BASE + 'COPY src/main.py .\nCMD ["python", "main.py"]\n',
            "src/main.py": "",
            "Makefile": "image:\n\tdocker build -f docker/Dockerfile -t x .\n",
        },
    )
    (image,) = found.images
    assert image.context == ""
    assert image.copy_problems == ()


def test_without_a_build_command_the_context_is_the_one_that_has_the_files(tmp_path):
    found = deployment(
        tmp_path,
        {
            "docker/Dockerfile": BASE + "COPY src/main.py .\n",
            "src/main.py": "",
            "svc/Dockerfile": BASE + "COPY app.py .\n",
            "svc/app.py": "",
        },
    )
    contexts = {image.dockerfile.path: image.context for image in found.images}
    assert contexts == {"docker/Dockerfile": "", "svc/Dockerfile": "svc"}


@pytest.mark.parametrize(
    "here",
    [
        "-v $(pwd)/models:/m", "-v ${PWD}/models:/m", "-v $PWD/models:/m", "-v `pwd`/models:/m",
        "-v ./models:/m", '-v "$PWD/models:/m"', '-v "$(pwd)"/models:/m:ro',
        '--mount type=bind,src="$(pwd)"/models,dst=/m',
    ],
)  # fmt: skip
def test_what_the_readme_runs_publishes_sets_and_mounts(tmp_path, here):
    found = deployment(
        tmp_path,
        {
            "Dockerfile": SERVED,
            "main.py": "",
            "README.md": f"```sh\ndocker build -t m .\ndocker run -p 80:8000 -e A=b {here} m\n```\n",
            "models/x": "",
        },
    )
    (app,) = found.services
    assert [(p.host_port, p.container_port, p.documented_only) for p in app.published] == [
        (80, 8000, True)
    ]
    assert app.variable("A").value == "b"
    assert [(m.source, m.target, m.source_exists) for m in app.mounts] == [("models", "/m", True)]


@pytest.mark.parametrize("where", ["$MODELS:/m", '"${MODELS}/v1:/m:ro"'])
def test_a_mount_from_somewhere_on_the_host(tmp_path, where):
    text = f"```sh\ndocker build -t m .\ndocker run -p 80:8000 -v {where} m\n```\n"
    found = deployment(tmp_path, {"Dockerfile": SERVED, "main.py": "", "README.md": text})
    (app,) = found.services
    assert [(m.kind, m.source, m.target) for m in app.mounts] == [("bind", None, "/m")]


def test_a_task_that_is_run_by_its_own_command(tmp_path):
    text = (
        "```sh\ndocker build -t m .\ndocker run m\n"
        "docker run -v ./data:/app/data m python main.py\n```\n"
    )
    dockerfile = 'FROM python:3.11-slim\nWORKDIR /app\nCOPY main.py ./\nCMD ["python", "main.py"]\n'
    found = deployment(tmp_path, {"Dockerfile": dockerfile, "main.py": "", "README.md": text})
    (app,) = found.services
    assert [(m.source_text, m.target) for m in app.mounts] == [("./data", "/app/data")]


def test_a_run_of_a_public_image_is_not_ours(tmp_path):
    found = deployment(
        tmp_path,
        {"Dockerfile": SERVED, "main.py": "", "README.md": "    docker run -p 6379:6379 redis\n"},
    )
    assert found.services[0].published == ()


def test_a_repository_without_images_has_its_projects_environments(tmp_path):
    found = deployment(
        tmp_path,
        {
            "requirements.txt": "flask\n",
            "requirements-dev.txt": "pytest\n",
            "svc/requirements.txt": "numpy\n",
            ".python-version": "3.10\n",
        },
    )
    assert [(e.name, [r.key for r in e.requirements]) for e in found.environments] == [
        (".", ["flask"]),
        ("svc", ["numpy"]),
    ]
    assert found.environments[0].python.version == "3.10"


def test_nothing_is_nothing(tmp_path):
    found = deployment(tmp_path, {"README.md": "hello\n"})
    assert not found.deployable


@pytest.mark.parametrize("other", ["", "tools/Dockerfile"])
def test_what_the_comments_of_a_dockerfile_run(tmp_path, other):
    comment = (
        "# Build:  docker build -t m .\n"
        "# Run it with the model beside it: docker run -p 80:8000 \\\n"
        '#   -v "$(pwd)/models:/m" m\n'
    )
    files = {"Dockerfile": comment + SERVED, "main.py": "", "models/x": ""}
    if other:
        files[other] = SERVED
    found = deployment(tmp_path, files)
    app = next(s for s in found.services if s.image.dockerfile.path == "Dockerfile")
    assert [(m.source, m.target) for m in app.mounts] == [("models", "/m")]
    assert [(p.container_port, p.documented_only) for p in app.published] == [(8000, True)]
