"""From the command to the code that runs."""

import pytest
from deploykit import deployment

BASE = "FROM python:3.11-slim\nWORKDIR /srv\nRUN pip install uvicorn gunicorn flask fastapi streamlit\n"
CODE = {
    "app/__init__.py": "",
    "app/main.py": "from fastapi import FastAPI\nfrom app import helper\n\napp = FastAPI()\n",
    "app/helper.py": "X = 1\n",
}


def only(tmp_path, command, files=CODE, copy="COPY . .\n", base=BASE):
    found = deployment(tmp_path, {**files, "Dockerfile": f"{base}{copy}CMD {command}\n"})
    (service,) = found.services
    return service


@pytest.mark.parametrize(
    ("command", "copy"),
    [
        ('["uvicorn", "app.main:app"]', "COPY . .\n"),
        ('["uvicorn", "main:app", "--app-dir", "app"]', "COPY . .\nENV PYTHONPATH=/srv\n"),
        ("exec uvicorn app.main:app", "COPY . .\n"),
        ('["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "app.main:app"]', "COPY . .\n"),
        ('["python", "-m", "uvicorn", "app.main:app"]', "COPY . .\n"),
        ('["uvicorn", "app.main:app"]', "COPY app /opt/app\nENV PYTHONPATH=/opt\n"),
        ('["python", "-m", "app.main"]', "COPY . .\n"),
        ('["python", "app/main.py"]', "COPY . .\nENV PYTHONPATH=/srv\n"),
    ],
)
def test_the_module_is_found(tmp_path, command, copy):
    service = only(tmp_path, command, copy=copy)
    # What ``python`` runs here makes an application and ends.
    expected = (
        {"no-command"} if command.startswith('["python"') and "uvicorn" not in command else set()
    )
    assert {fault.kind for fault in service.faults} == expected
    (entry,) = service.entries
    assert entry.trace.path == "app/main.py"
    assert [i.found for i in entry.trace.imports if i.module == "app"] == ["project"]


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ('["uvicorn", "main:app"]', "module"),
        ('["uvicorn", "app.main:application"]', "attribute"),
        ('["python", "main.py"]', "script"),
    ],
)
def test_what_is_not_there_is_a_fault(tmp_path, command, kind):
    service = only(tmp_path, command)
    assert [fault.kind for fault in service.faults] == [kind]
    assert service.faults[0].at.path == "Dockerfile"


def test_what_was_not_copied_is_not_there(tmp_path):
    service = only(tmp_path, '["uvicorn", "app.main:app"]', copy="COPY app/main.py ./\n")
    assert [fault.kind for fault in service.faults] == ["module"]


def test_the_server_must_be_installed(tmp_path):
    base = "FROM python:3.11-slim\nWORKDIR /srv\nRUN pip install --no-deps fastapi==0.111.0\n"
    service = only(tmp_path, '["uvicorn", "app.main:app"]', base=base)
    assert "server-missing" in [fault.kind for fault in service.faults]


@pytest.mark.parametrize(
    ("command", "host", "port"),
    [
        ('["uvicorn", "app.main:app"]', "127.0.0.1", 8000),
        ('["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "80"]', "0.0.0.0", 80),
        ('["gunicorn", "-b", ":9000", "app.main:app"]', "0.0.0.0", 9000),
        ('["flask", "--app", "app.main", "run", "-h", "0.0.0.0"]', "0.0.0.0", 5000),
    ],
)
def test_the_address(tmp_path, command, host, port):
    service = only(tmp_path, command)
    assert [(item.host, item.port) for item in service.listens] == [(host, port)]


def test_a_project_that_is_installed_from_its_directory_brings_its_modules(tmp_path):
    files = {
        **CODE,
        "libs/common/pyproject.toml": '[project]\nname = "common"\nversion = "0"\n',
        "libs/common/common/__init__.py": "",
        "app/main.py": "import common\n\napp = object()\n",
    }
    service = only(
        tmp_path,
        '["uvicorn", "app.main:app"]',
        files=files,
        copy="COPY libs/common /libs/common\nRUN pip install /libs/common\nCOPY app ./app\n",
    )
    (entry,) = service.entries
    assert "/libs/common" in entry.roots
    assert [i.found for i in entry.trace.imports if i.module == "common"] == ["project"]
