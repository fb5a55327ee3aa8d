"""What a container sees at a path: the image's files, with mounts over them."""

from deploykit import deployment, service

from auditor.deployment.facts import Facts
from auditor.deployment.view import View
from auditor.discovery import discover

FILES = {
    "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY app /app\n",
    "app/main.py": "print()\n",
    "app/models/m.pkl": "x",
    "models/new.pkl": "x",
}


def view(tmp_path, volumes="", **more):
    text = f"services:\n  api:\n    build: .\n{volumes}"
    found = deployment(tmp_path, {**FILES, "compose.yaml": text, **more})
    api = service(found, "api")
    return View(Facts(discover(str(tmp_path))), api.image, api.mounts)


def test_files_of_the_image(tmp_path):
    seen = view(tmp_path)
    assert seen.look("/app/main.py").repo == "app/main.py"
    assert seen.look("/app/models").kind == "directory"
    assert seen.look("/app/none.py").answer == "no"
    assert seen.look("/usr/lib/x").answer == "unknown"
    assert seen.look("/app/./models/../main.py").answer == "yes"


def test_a_bind_mount_hides_what_the_image_has(tmp_path):
    seen = view(tmp_path, "    volumes: ['./models:/app/models']\n")
    assert seen.look("/app/models/m.pkl").answer == "no"
    assert seen.look("/app/models/new.pkl").repo == "models/new.pkl"
    assert seen.look("/app/models/new.pkl").mounted
    assert seen.look("/app/main.py").repo == "app/main.py"


def test_a_named_volume_begins_as_what_the_image_has(tmp_path):
    seen = view(tmp_path, "    volumes: ['data:/app/models']\nvolumes: {data: }\n")
    assert seen.look("/app/models/m.pkl").answer == "yes"


def test_the_deeper_mount_wins(tmp_path):
    seen = view(tmp_path, "    volumes: ['./models:/app', './app/models:/app/models']\n")
    assert seen.look("/app/main.py").answer == "no"
    assert seen.look("/app/models/m.pkl").repo == "app/models/m.pkl"


def test_a_file_mounted_over_a_file(tmp_path):
    seen = view(tmp_path, "    volumes: ['./models/new.pkl:/app/models/m.pkl:ro']\n")
    assert seen.look("/app/models/m.pkl").repo == "models/new.pkl"


def test_a_similar_name_is_not_under_the_mount(tmp_path):
    seen = view(tmp_path, "    volumes: ['./models:/app/mod']\n")
    assert seen.look("/app/models/m.pkl").repo == "app/models/m.pkl"


def test_a_directory_of_the_host_is_unknown_inside(tmp_path):
    seen = view(tmp_path, "    volumes: ['/srv/models:/app/models']\n")
    assert seen.look("/app/models/m.pkl").answer == "unknown"


def test_where_a_file_was_copied_to(tmp_path):
    seen = view(tmp_path)
    assert seen.copies_of("app/main.py") == ("/app/main.py",)
    assert seen.copies_of("models/new.pkl") == ()
    assert seen.repository_like("anything/models/new.pkl") == "models/new.pkl"
