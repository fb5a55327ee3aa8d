"""What requirements bring along today: names that left a library, features that ask for more."""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repo_kit import APP, dockerfile, service

UVICORN = '["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]'
FASTAPI = "from fastapi import FastAPI, WebSocket\napp = FastAPI()\n"
SOCKET = (
    FASTAPI + '@app.websocket("/ws")\nasync def ws(socket: WebSocket):\n    await socket.accept()\n'
)
SETTINGS = "from pydantic import BaseSettings\n"


def _said(root: Path, rule: str, files: dict[str, str]) -> list[str]:
    return [f.message for f in service(root, files).findings if f.rule == rule]


@pytest.mark.parametrize(
    ("code", "requirements", "release"),
    [
        # flask 2.2.5 wants werkzeug>=2.2.2, whatever is newest.
        ("from werkzeug import secure_filename\n", "flask==2.2.5\n", "is what flask brings along"),
        # flask 1.1.4 holds it below 2, where the name is gone as well.
        ("from werkzeug.urls import url_quote\n", "flask==1.1.4\n", ""),
        ("from werkzeug.urls import url_quote\n", "flask==2.2.5\n", "is what flask brings along"),
        ("from werkzeug.urls import url_quote\n", "flask==2.2.5\nwerkzeug==2.2.3\n", ""),
        # Something that no table knows may hold it back.
        ("from werkzeug.urls import url_quote\n", "flask==2.2.5\nours-of-old==1.0\n", ""),
        ("from werkzeug.urls import url_quote\n", "flask==2.2.5\nold @ https://e.org/old.whl\n", ""),
        (SETTINGS, "flask==3.0.3\nfastapi==0.115.6\n", "is what fastapi brings along"),
        (SETTINGS, "flask==3.0.3\nfastapi==0.115.6\npydantic<2\n", ""),
        # fastapi 0.95 took both, and so takes the newest.
        (SETTINGS, "flask==3.0.3\nfastapi==0.95.2\n", ""),
    ],
)  # fmt: skip
def test_names_of_what_others_bring(
    tmp_path: Path, code: str, requirements: str, release: str
) -> None:
    files = {
        "requirements.txt": requirements + "gunicorn==22.0.0\n",
        "app.py": code + APP,
        "Dockerfile": dockerfile(),
    }
    said = _said(tmp_path, "IMG023", files)
    assert len(said) == bool(release)
    assert release in "".join(said)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ("uvicorn==0.30.6\n", True),
        ("uvicorn[standard]==0.30.6\n", False),
        ("uvicorn==0.30.6\nwsproto==1.2.0\n", False),
        ("fastapi[standard]==0.115.6\nuvicorn==0.30.6\n", False),
    ],
)
def test_websockets_under_uvicorn(tmp_path: Path, more: str, missing: bool) -> None:
    files = {
        "requirements.txt": f"fastapi==0.115.6\n{more}",
        "app.py": SOCKET,
        "Dockerfile": dockerfile(command=UVICORN),
    }
    said = [m for m in _said(tmp_path, "ENV007", files) if "WebSocket" in m]
    assert bool(said) is missing


def test_no_websocket_no_finding(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "fastapi==0.115.6\nuvicorn==0.30.6\n",
        "app.py": FASTAPI,
        "Dockerfile": dockerfile(command=UVICORN),
    }
    assert not _said(tmp_path, "ENV007", files)


@pytest.mark.parametrize(("pandas", "missing"), [("2.2.2", True), ("2.1.4", True)])
def test_releases_on_both_sides_decide(tmp_path: Path, pandas: str, missing: bool) -> None:
    read = 'import pandas\nTABLE = pandas.read_excel("/app/a.xlsx")\n'
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\npandas=={pandas}\n",
        "app.py": read + APP,
        "a.xlsx": "",
        "Dockerfile": dockerfile("COPY a.xlsx ./"),
    }
    assert bool([m for m in _said(tmp_path, "ENV007", files) if "openpyxl" in m]) is missing


@pytest.mark.parametrize(("more", "missing"), [("", True), ("uvicorn==0.30.6\n", False)])
def test_worker_class_that_nothing_installs(tmp_path: Path, more: str, missing: bool) -> None:
    command = '["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "0.0.0.0:80", "app:app"]'
    files = {
        "requirements.txt": f"fastapi==0.115.0\ngunicorn==22.0.0\n{more}",
        "app.py": FASTAPI,
        "Dockerfile": dockerfile(command=command),
    }
    said = [m for m in _said(tmp_path, "IMG018", files) if "needs uvicorn" in m]
    assert bool(said) is missing


@pytest.mark.parametrize(
    ("more", "missing"), [("", True), ("pyarrow==17.0.0\n", False), ("fastparquet\n", False)]
)
def test_writers_of_frames(tmp_path: Path, more: str, missing: bool) -> None:
    write = 'import pandas\npandas.DataFrame({"a": [1]}).to_parquet("/tmp/a.parquet")\n'
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\npandas==2.2.2\n{more}",
        "app.py": write + APP,
        "Dockerfile": dockerfile(),
    }
    assert bool([m for m in _said(tmp_path, "ENV007", files) if "pyarrow" in m]) is missing


@pytest.mark.parametrize(
    ("requirements", "gone"),
    [
        # 0.2 takes these names from langchain-community, 1.0 has them no more.
        ("langchain==0.1.20\n", ""),
        ("langchain==0.3.0\n", "gone in 0.2"),
        ("langchain==0.3.0\nlangchain-community==0.3.0\n", ""),
        ("langchain==1.0.0\nlangchain-community==0.3.0\n", "gone in 1.0"),
        ("langchain\n", "gone in 1.0"),
    ],
)
def test_names_that_left_twice(tmp_path: Path, requirements: str, gone: str) -> None:
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\n{requirements}",
        "app.py": "from langchain.llms import OpenAI\n" + APP,
        "Dockerfile": dockerfile(),
    }
    said = _said(tmp_path, "IMG023", files)
    assert len(said) == bool(gone)
    assert gone in "".join(said)


def test_many_uses_cost_little(tmp_path: Path) -> None:
    """What others bring is worked out once, and a missing corpus is said once."""
    lines = [
        f"A{n} = nltk.word_tokenize('a')\nfrom pydantic import BaseSettings as B{n}"
        for n in range(300)
    ]
    files = {
        "requirements.txt": "fastapi==0.115.6\nuvicorn==0.30.6\nnltk==3.9.1\nmlflow==2.14.3\n",
        "app.py": FASTAPI + "import nltk\n" + "\n".join(lines) + "\n",
        "Dockerfile": dockerfile("RUN mkdir -p /a && echo a\n" * 40, UVICORN),
    }
    start = process_time()
    said = _said(tmp_path, "IMG025", files)
    assert len(said) == 1
    assert process_time() - start < 5
