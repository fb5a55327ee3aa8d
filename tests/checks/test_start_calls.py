"""Calls at the start and answers of handlers that cannot work in this container."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from repo_kit import APP, dockerfile, service

from auditor.result import AuditResult

COMPOSE = "services:\n  app:\n    build: .\n    ports: ['8000:8000']\n"


def _audit(root: Path, app: str, files: dict[str, str]) -> AuditResult:
    return service(root, {"app.py": app, **files})


def _fails(result: AuditResult) -> str:
    """The first stage that is forecast to fail, or what stays open."""
    answers = dict(result.services[0].forecast.answers())
    return next((s for s, a in answers.items() if a != "yes"), "")


@pytest.mark.parametrize(
    ("line", "extra", "starts"),
    [
        ('locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")', "", False),
        ('locale.setlocale(locale.LC_ALL, "C.UTF-8")', "", True),
        (
            'try:\n    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")\nexcept locale.Error:\n    pass',
            "",
            True,
        ),
        ('locale.setlocale(locale.LC_ALL, "")', "", True),
        ('locale.setlocale(locale.LC_ALL, "")', "ENV LANG=de_DE.UTF-8", False),
        (
            'locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")',
            "RUN apt-get update && apt-get install -y locales-all",
            True,
        ),
    ],
)
def test_locales(tmp_path: Path, line: str, extra: str, starts: bool) -> None:
    app = f"import locale\n{line}\n{APP}"
    result = _audit(tmp_path, app, {"Dockerfile": dockerfile(extra)})
    assert _fails(result) == ("" if starts else "starts")


@pytest.mark.parametrize(
    ("code", "more", "starts"),
    [
        ('redis.Redis(host="localhost").ping()', "", False),
        ("redis.Redis().ping()", "", False),
        ('redis.from_url("redis://127.0.0.1:6379/0").ping()', "", False),
        ('redis.Redis(host="localhost")', "", True),
        ('redis.Redis(host="cache").ping()', "", True),
        ('redis.Redis(host="localhost").ping()', "    network_mode: host\n", True),
    ],
)
def test_servers_on_localhost(tmp_path: Path, code: str, more: str, starts: bool) -> None:
    files = {
        "docker-compose.yml": COMPOSE + more,
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nredis==5.0.8\n",
    }
    result = _audit(tmp_path, f"import redis\ncache = {code}\n{APP}", files)
    assert ("Connection refused" in str([f.message for f in result.findings])) is not starts


def test_a_server_that_may_share_the_network_is_no_alarm(tmp_path: Path) -> None:
    files = {"requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nredis==5.0.8\n"}
    result = _audit(tmp_path, f"import redis\nredis.Redis().ping()\n{APP}", files)
    assert dict(result.services[0].forecast.answers())["starts"] == "unknown"


STOPWORDS = 'from nltk.corpus import stopwords\nWORDS = stopwords.words("english")'
TOKENS = 'import nltk\nWORDS = nltk.word_tokenize("a b")'


@pytest.mark.parametrize(
    ("code", "extra", "version", "missing"),
    [
        (STOPWORDS, "", "3.9.1", "stopwords"),
        (STOPWORDS, "RUN pip install nltk", "3.9.1", "stopwords"),
        (STOPWORDS, "RUN python -m nltk.downloader punkt", "3.9.1", "stopwords"),
        (STOPWORDS, "RUN python -m nltk.downloader punkt stopwords", "3.9.1", ""),
        (STOPWORDS, "RUN python -m nltk.downloader popular", "3.9.1", ""),
        (STOPWORDS, "RUN python -m nltk.downloader $CORPORA", "3.9.1", ""),
        (STOPWORDS, "COPY nltk_data /usr/share/nltk_data", "3.9.1", ""),
        (STOPWORDS, "COPY fetch.py ./\nRUN python fetch.py", "3.9.1", ""),
        (TOKENS, "", "3.9.1", "punkt_tab"),
        (TOKENS, "", "3.8.1", "punkt"),
        (TOKENS, "RUN python -m nltk.downloader punkt", "3.9.1", "punkt_tab"),
        (TOKENS, "RUN python -m nltk.downloader punkt", "3.9", ""),
        (TOKENS, "RUN python -m nltk.downloader punkt", "3.8.1", ""),
        (TOKENS, "RUN python -m nltk.downloader punkt", "", "punkt_tab"),
        (TOKENS, "RUN python -m nltk.downloader punkt_tab", "", ""),
        (TOKENS, "RUN python -m nltk.downloader punkt_tab", "3.8.1", "punkt"),
        (TOKENS, "RUN python -c \"import nltk; nltk.download('punkt')\"", "3.9.2", "punkt_tab"),
        (TOKENS, "RUN python -c \"import nltk; nltk.download('punkt_tab')\"", "3.9.2", ""),
        ('import nltk\nnltk.download("punkt_tab")\n' + TOKENS, "", "3.9.1", ""),
        ('import nltk\nnltk.download("punkt")\n' + TOKENS, "", "3.9.1", "punkt_tab"),
        ("import nltk\nfor n in NAMES:\n    nltk.download(n)\n" + TOKENS, "", "3.9.1", ""),
        (
            "from nltk.sentiment import SentimentIntensityAnalyzer as A\nSCORES = A()",
            "RUN python -m nltk.downloader punkt",
            "3.9.1",
            "vader_lexicon",
        ),
        (
            'from nltk.stem import WordNetLemmatizer\nA = WordNetLemmatizer()\nB = A.lemmatize("a")',
            "",
            "3.9.1",
            "wordnet",
        ),
        ("from nltk.stem import WordNetLemmatizer\nA = WordNetLemmatizer()", "", "3.9.1", ""),
        ('from nltk.tokenize import wordpunct_tokenize as t\nWORDS = t("a")', "", "3.9.1", ""),
    ],
)
def test_data_of_nltk(tmp_path: Path, code: str, extra: str, version: str, missing: str) -> None:
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\nnltk{version and f'=={version}'}\n",
        "Dockerfile": dockerfile(extra),
        "fetch.py": "",
        "nltk_data/a": "",
    }
    result = _audit(tmp_path, f"{code}\n{APP}", files)
    said = [f.message for f in result.findings if "LookupError" in f.message]
    assert [m.partition("Resource ")[2].split()[0] for m in said] == [missing] * bool(missing)
    assert _fails(result) == ("starts" if missing else "")


WHEEL = "en-core-web-sm @ https://example.org/en_core_web_sm-3.7.1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("code", "extra", "more", "starts"),
    [
        ('nlp = spacy.load("en_core_web_sm")', "", "", False),
        ('nlp = spacy.load("en_core_web_sm")', "RUN python -m spacy download de_core_news_sm", "", False),
        ('nlp = spacy.load("en_core_web_sm")', "RUN python -m spacy download en_core_web_sm", "", True),
        ('nlp = spacy.load("en_core_web_sm")', "RUN python -m spacy download $MODEL", "", True),
        ('nlp = spacy.load("en_core_web_sm")', "RUN ./models.sh", "", True),
        ('nlp = spacy.load("en_core_web_sm")', "", WHEEL, True),
        ('spacy.cli.download("en_core_web_sm")\nnlp = spacy.load("en_core_web_sm")', "", "", True),
        ('nlp = spacy.load("models/ours")', "", "", True),
        ('nlp = spacy.load("ours")', "", "", True),
        (
            'try:\n    nlp = spacy.load("en_core_web_sm")\nexcept OSError:\n    nlp = None',
            "",
            "",
            True,
        ),
    ],
)  # fmt: skip
def test_models_of_spacy(tmp_path: Path, code: str, extra: str, more: str, starts: bool) -> None:
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\nspacy==3.7.6\n{more}\n",
        "Dockerfile": dockerfile(extra),
    }
    result = _audit(tmp_path, f"import spacy\n{code}\n{APP}", files)
    assert ("E050" in str([f.message for f in result.findings])) is not starts


@pytest.mark.parametrize(
    ("setting", "starts"),
    [
        ('ENV LABELS=["ham","spam"]', False),
        ('ENV LABELS=\'["ham","spam"]\'', True),
    ],
)
def test_json_of_a_variable(tmp_path: Path, setting: str, starts: bool) -> None:
    app = f'import json, os\nLABELS = json.loads(os.environ["LABELS"])\n{APP}'
    result = _audit(tmp_path, app, {"Dockerfile": dockerfile(setting)})
    assert _fails(result) == ("" if starts else "starts")


@pytest.mark.parametrize(
    ("python", "line", "starts"),
    [
        ("3.8", 'A = {"a": 1} | {"b": 2}', False),
        ("3.9", 'A = {"a": 1} | {"b": 2}', True),
        ("3.8", "A = {1} | {2}", True),
        ("3.12", "import configparser\nA = configparser.SafeConfigParser()", False),
        ("3.11", "import configparser\nA = configparser.SafeConfigParser()", True),
    ],
)
def test_statements_that_want_another_python(
    tmp_path: Path, python: str, line: str, starts: bool
) -> None:
    text = dockerfile().replace("3.11", python)
    assert _fails(_audit(tmp_path, f"{line}\n{APP}", {"Dockerfile": text})) == (
        "" if starts else "starts"
    )


PYDANTIC = """\
from fastapi import FastAPI
from pydantic import BaseModel, conlist, root_validator, validator

app = FastAPI()


class Row(BaseModel):
    row: {kind}

    {decorator}
    def check(cls, values):
        return values


@app.post("/predict")
def predict(row: Row):
    return {{}}
"""


@pytest.mark.parametrize(
    ("kind", "decorator", "starts"),
    [
        ("list", "@root_validator", False),
        ("list", "@root_validator()", False),
        ("list", "@root_validator(pre=True)", True),
        ("list", "@root_validator(skip_on_failure=True)", True),
        ("list", '@validator("row")', True),
        ("conlist(float, min_items=1)", '@validator("row")', False),
        ("conlist(float, min_length=1)", '@validator("row")', True),
    ],
)
def test_what_pydantic_two_refuses(tmp_path: Path, kind: str, decorator: str, starts: bool) -> None:
    files = {
        "requirements.txt": "fastapi==0.115.6\nuvicorn==0.34.0\npydantic==2.10.4\n",
        "Dockerfile": dockerfile("", '["uvicorn", "app:app", "--host", "0.0.0.0"]'),
    }
    app = PYDANTIC.format(kind=kind, decorator=decorator)
    assert _fails(_audit(tmp_path, app, files)) == ("" if starts else "starts")


@pytest.mark.parametrize(
    ("release", "starts"),
    [("2.0.30", False), ("1.4.52", True)],
)
def test_methods_of_what_a_function_returns(tmp_path: Path, release: str, starts: bool) -> None:
    app = f'from sqlalchemy import create_engine\ncreate_engine("sqlite://").execute("SELECT 1")\n{APP}'
    listed = f"flask==3.0.3\ngunicorn==22.0.0\nsqlalchemy=={release}\n"
    result = _audit(tmp_path, app, {"requirements.txt": listed})
    assert ("IMG023" in {f.rule for f in result.findings}) is not starts


ANSWER = """\
import numpy as np
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.post("/predict")
def predict():
    row = np.array(request.get_json()["row"])
    return {answer}
"""


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        ('jsonify({"label": np.argmax(row)})', True),
        ("jsonify(label=np.argmax(row))", True),
        ('{"row": row}', True),
        ('{"label": int(np.argmax(row))}', False),
        ('{"row": row.tolist()}', False),
        ('{"score": np.mean(row)}', False),
    ],
)
def test_answers_that_are_no_json(tmp_path: Path, answer: str, fails: bool) -> None:
    files = {"requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nnumpy==1.26.4\n"}
    result = _audit(tmp_path, ANSWER.format(answer=answer), files)
    assert _fails(result) == ("predicts" if fails else "")


def test_an_encoder_of_its_own_may_write_anything(tmp_path: Path) -> None:
    files = {"requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nnumpy==1.26.4\n"}
    app = "from flask.json.provider import DefaultJSONProvider\n" + ANSWER.format(
        answer='jsonify({"label": np.argmax(row)})'
    )
    assert "IMG025" not in {f.rule for f in _audit(tmp_path, app, files).findings}


GUARDED = """\
from flask import Flask

app = Flask(__name__)
{before}

@app.post("/predict")
def predict():
    return {{"score": model}}


if __name__ == "__main__":
    model = 1
    app.run(host="0.0.0.0", port=8000)
"""


@pytest.mark.parametrize(
    ("before", "command", "fails"),
    [
        ("", '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', True),
        ("model = None", '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]', False),
        ("", '["python", "app.py"]', False),
    ],
)
def test_names_of_the_main_block(tmp_path: Path, before: str, command: str, fails: bool) -> None:
    app = GUARDED.format(before=before)
    result = _audit(tmp_path, app, {"Dockerfile": dockerfile("", command)})
    assert ("NameError" in str([f.message for f in result.findings])) is fails


LIFESPAN = """\
from contextlib import asynccontextmanager

from fastapi import FastAPI

model = {{}}


@asynccontextmanager
async def lifespan(app):
    {inside}
    yield


app = FastAPI({how})


@app.on_event("startup")
def load():
    model["w"] = 1


@app.post("/predict")
def predict():
    return {{"score": model["w"]}}
"""


@pytest.mark.parametrize(
    ("inside", "how", "fails"),
    [
        ("pass", "lifespan=lifespan", True),
        ("load()", "lifespan=lifespan", False),
        ("pass", "", False),
    ],
)
def test_events_beside_a_lifespan(tmp_path: Path, inside: str, how: str, fails: bool) -> None:
    files = {
        "requirements.txt": "fastapi==0.115.6\nuvicorn==0.34.0\n",
        "Dockerfile": dockerfile("", '["uvicorn", "app:app", "--host", "0.0.0.0"]'),
    }
    result = _audit(tmp_path, LIFESPAN.format(inside=inside, how=how), files)
    assert ("KeyError" in str([f.message for f in result.findings])) is fails


PAGE = APP.replace("import Flask", "import Flask, render_template").replace(
    "def predict():\n    return {}", 'def predict():\n    return render_template("a.html")'
)


@pytest.mark.parametrize(
    ("app", "extra", "fails"),
    [
        (PAGE, "", True),
        (PAGE, "COPY templates ./templates", False),
        (PAGE.replace("__name__", '__name__, template_folder="pages"'), "", False),
    ],
)
def test_templates(tmp_path: Path, app: str, extra: str, fails: bool) -> None:
    files = {"Dockerfile": dockerfile(extra), "templates/a.html": "<p>\n"}
    found = _audit(tmp_path, app, files).findings
    assert any(f.rule == "PTH002" and f.breaks for f in found) is fails


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        ('version("scoring-service")', False),
        ('version("flask")', True),
    ],
)
def test_metadata_of_what_is_not_installed(tmp_path: Path, code: str, starts: bool) -> None:
    head = "from importlib.metadata import PackageNotFoundError, version\n"
    result = _audit(tmp_path, f"{head}OWN = {code}\n{APP}", {})
    assert _fails(result) == ("" if starts else "starts")
    caught = f"{head}try:\n    OWN = {code}\nexcept PackageNotFoundError:\n    OWN = 0\n{APP}"
    assert _fails(_audit(tmp_path, caught, {})) == ""


@pytest.mark.parametrize(
    ("text", "starts"),
    [("a:\n\tb: 1\n", False), ("a: [1, 2\n", False), ("a:\n  b: 1 # x\n", True)],
)
def test_yaml_that_does_not_parse(tmp_path: Path, text: str, starts: bool) -> None:
    files = {
        "c.yaml": text,
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\npyyaml==6.0.2\n",
        "Dockerfile": dockerfile("COPY c.yaml ./"),
    }
    app = f'import yaml\nC = yaml.safe_load(open("c.yaml"))\n{APP}'
    assert _fails(_audit(tmp_path, app, files)) == ("" if starts else "starts")


@pytest.mark.parametrize(
    ("end", "command", "answers"),
    [
        ('app.run(host="0.0.0.0", port=8000)', "gunicorn", False),
        ('app.run(host="0.0.0.0", port=8000)', "python", True),
        ('if __name__ == "__main__":\n    app.run()', "gunicorn", True),
    ],
)
def test_a_server_that_starts_while_it_is_imported(
    tmp_path: Path, end: str, command: str, answers: bool
) -> None:
    words = {
        "gunicorn": '["gunicorn", "-b", "0.0.0.0:8000", "app:app"]',
        "python": '["python", "app.py"]',
    }[command]
    result = _audit(tmp_path, f"{APP}\n\n{end}\n", {"Dockerfile": dockerfile("", words)})
    assert _fails(result) == ("" if answers else "reachable")


@pytest.mark.parametrize(
    ("options", "kind", "starts"),
    [("", "object", False), (", allow_pickle=True", "object", True), ("", "float", True)],
)
def test_arrays_of_objects(tmp_path: Path, options: str, kind: str, starts: bool) -> None:
    import numpy as np

    np.save(tmp_path / "a.npy", np.array([1, 2], dtype=kind), allow_pickle=True)
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nnumpy==1.26.4\n",
        "Dockerfile": dockerfile("COPY a.npy ./"),
    }
    app = f'import numpy as np\nA = np.load("a.npy"{options})\n{APP}'
    assert ("IMG025" not in {f.rule for f in _audit(tmp_path, app, files).findings}) is starts
