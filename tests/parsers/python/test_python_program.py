"""What happens, and when, as an entry is imported, run or served."""

import pytest

from auditor.parsers.python import ImageFinder, Phase, Program, parse
from auditor.source import SourceText, Unknown


def trace(files, entry="main", *, environment=None, cwd="/app", roots=("/app",), **options):
    sources = {
        f"/app/{name}": parse(SourceText(name, text))
        for name, text in files.items()
        if name.endswith(".py")
    }
    folders = {f"/app/{name}".rpartition("/")[0] for name in files}
    finder = ImageFinder(roots=roots, facts_of=sources.get, is_dir=folders.__contains__)
    complete = options.pop("complete", True)
    program = Program(
        finder,
        environment=environment,
        environment_complete=complete,
        cwd=cwd,
        read=lambda path: files.get(path.removeprefix("/app/")),
        exists=lambda path: path.removeprefix("/app/") in files or path in folders,
    )
    return program.run(entry, **options)


def one(text, **options):
    return trace({"main.py": text}, **options)


def loads(result):
    return [(f.loader, f.path.resolved, f.reach.phase.label) for f in result.files]


LIFESPAN = """
import joblib
from contextlib import asynccontextmanager
from fastapi import FastAPI
models = {}
@asynccontextmanager
async def lifespan(app):
    models["m"] = joblib.load("m.joblib")
    yield
app = FastAPI(lifespan=lifespan)
@app.post("/predict")
async def predict(x: dict):
    return models["m"].predict([x["a"]])
"""


def test_lifespan_is_startup_and_handlers_are_requests():
    result = one(LIFESPAN)
    assert loads(result) == [("joblib.load", "/app/m.joblib", "startup")]
    app = result.app("app")
    assert app is not None
    (route,) = app.routes
    assert (route.label, route.kind, route.is_async) == ("POST /predict", "predict", True)
    (call,) = [c for c in result.calls if c.category == "predict"]
    assert call.reach.in_async
    assert call.reach.route == "POST /predict"


def test_load_in_a_handler_is_per_request_and_a_cached_one_is_said_so():
    result = one(
        "import joblib\nfrom functools import lru_cache\nfrom flask import Flask\n"
        "app = Flask(__name__)\nmodel = None\n"
        "@lru_cache\ndef get():\n    return joblib.load('a.pkl')\n"
        "def lazy():\n    global model\n    if model is None:\n        model = joblib.load('b.pkl')\n"
        "    return model\n"
        "@app.route('/p', methods=['POST'])\ndef p():\n"
        "    get(); lazy()\n    return joblib.load('c.pkl')\n"
    )
    shown = {f.path.resolved: (f.reach.phase, f.reach.cached) for f in result.files}
    assert shown == {
        "/app/a.pkl": (Phase.REQUEST, True),
        "/app/b.pkl": (Phase.REQUEST, True),
        "/app/c.pkl": (Phase.REQUEST, False),
    }


def test_main_guard_runs_only_as_main():
    text = "import joblib\nif __name__ == '__main__':\n    joblib.load('x')\n"
    assert loads(one(text)) == []
    assert loads(one(text, as_main=True)) == [("joblib.load", "/app/x", "main")]


def test_constants_come_through_modules_settings_and_configuration():
    result = trace(
        {
            "main.py": "import torch, yaml\nfrom pkg.config import settings, PATHS\n"
            "torch.load(settings.model, weights_only=False)\n"
            "torch.load(PATHS['b'])\n"
            "with open('conf.yaml') as f:\n    cfg = yaml.safe_load(f)\n"
            "torch.load(cfg['model']['path'])\n",
            "pkg/config.py": "from pathlib import Path\nfrom pydantic_settings import BaseSettings\n"
            "ROOT = Path(__file__).resolve().parents[1]\nPATHS = {'b': ROOT / 'b.pt'}\n"
            "class S(BaseSettings):\n    model: str = 'default.pt'\n    secret: str\n"
            "    class Config:\n        env_prefix = 'ML_'\n"
            "settings = S()\n",
            "conf.yaml": "model:\n  path: models/c.pt\n",
        },
        environment={"ML_MODEL": "/data/m.pt"},
    )
    files = [f for f in result.files if f.loader == "torch.load"]
    assert [f.path.resolved for f in files] == ["/data/m.pt", "/app/b.pt", "/app/models/c.pt"]
    assert [f.path.base for f in files] == ["absolute", "file", "cwd"]
    assert files[0].path.depends == ("ML_MODEL",)
    assert files[2].path.depends == ("file:/app/conf.yaml",)
    weights = files[0].option("weights_only")
    assert weights is not None
    assert weights.value is False
    required = {e.name: e.required for e in result.env_reads}
    assert required == {"ML_MODEL": False, "ML_SECRET": True}


def test_environment_that_is_not_known_stays_open():
    text = "import os\nopen(os.getenv('P', 'x'))\nopen(os.environ['Q'])\n"
    (first, second) = one(text, environment={"Q": Unknown("from a secret")}, complete=False).files
    assert set(first.path.choices) >= {"/app/x"}
    assert len(first.path.choices) == 2
    assert "from a secret" in str(second.path.resolved)
    assert second.path.depends == ("Q",)


def test_unset_variable_that_crashes():
    (read,) = one("import os\nport = int(os.getenv('PORT'))\n").env_reads
    assert read.crash == "int(None) raises TypeError"
    assert not read.required


@pytest.mark.parametrize(
    ("text", "certain", "guard"),
    [
        ("open('m')\n", True, ""),
        ("import os\nif os.path.exists('m'):\n    open('m')\n", False, "exists"),
        ("try:\n    open('m')\nexcept FileNotFoundError:\n    pass\n", False, "try"),
        ("try:\n    open('m')\nexcept Exception as e:\n    raise RuntimeError from e\n", True, ""),
        ("try:\n    open('m')\nexcept KeyError:\n    pass\n", True, ""),
        ("import x\nif x.flag():\n    open('m')\n", False, "if"),
        ("import x\nfor p in x.all():\n    open('m')\n", False, "loop"),
        ("for p in ('a', 'b'):\n    open('m')\n", True, ""),
        ("import x\ndef f():\n    if x.y(): return\n    open('m')\nf()\n", False, "early-return"),
        (
            "import os\ndef f():\n    if not os.path.exists('m'): return\n    open('m')\nf()\n",
            False,
            "missing-return",
        ),
        ("import x\ndef f():\n    if x.y(): raise E\n    open('m')\nf()\n", True, ""),
    ],
)
def test_certainty(text, certain, guard):
    (fact,) = [f for f in one(text).files if f.loader == "builtins.open"]
    assert fact.reach.certain is certain
    assert fact.reach.guards == ((guard,) if guard else ())


def test_a_path_tested_and_refused_is_required():
    result = one("import os, sys\nif not os.path.exists('m.pkl'):\n    sys.exit('no model')\n")
    assert [(f.mode, f.path.resolved) for f in result.files] == [("exists", "/app/m.pkl")]


@pytest.mark.parametrize(
    ("call", "tool", "host", "port"),
    [
        ("import uvicorn\nuvicorn.run(app)", "uvicorn", "127.0.0.1", 8000),
        ("import uvicorn\nuvicorn.run('m:app', host='0.0.0.0', port=80)", "uvicorn", "0.0.0.0", 80),
        ("from flask import Flask\nFlask('x').run()", "flask", "127.0.0.1", 5000),
        ("from flask import Flask\nFlask('x').run('0.0.0.0', 81)", "flask", "0.0.0.0", 81),
        ("from waitress import serve\nserve(app, listen='*:9000')", "waitress", "*", 9000),
        ("import gradio as gr\ngr.Interface(fn=f).launch()", "gradio", "127.0.0.1", 7860),
        ("import grpc\ns = grpc.server(x)\ns.add_insecure_port('[::]:50051')", "grpc", "::", 50051),
        (
            "from http.server import HTTPServer\nHTTPServer(('', 8001), H).serve_forever()",
            "http.server", "", 8001,
        ),
    ],
)  # fmt: skip
def test_servers(call, tool, host, port):
    (server,) = one(call + "\n").servers
    assert (server.tool, server.host.value, server.port.value) == (tool, host, port)


def test_gradio_default_comes_from_the_environment():
    text = "import gradio as gr\ngr.Blocks().launch()\n"
    (server,) = one(text, environment={"GRADIO_SERVER_NAME": "0.0.0.0"}).servers
    assert server.host.value == "0.0.0.0"


def test_prefixes_blueprints_and_factories():
    files = {
        "main.py": "from flask import Flask\nfrom bp import bp\n"
        "def create_app():\n    app = Flask(__name__)\n"
        "    app.register_blueprint(bp, url_prefix='/api')\n    return app\n",
        "bp.py": "from flask import Blueprint, request\nbp = Blueprint('b', __name__)\n"
        "@bp.post('/score')\ndef score():\n    d = request.get_json()\n"
        "    return {'a': d['age'], 'b': d.get('zip')}\n",
    }
    result = trace(files, attribute="create_app()")
    assert result.factories == ("create_app",)
    (app,) = result.apps
    (route,) = app.routes
    assert route.label == "POST /api/score"
    assert [(f.name, f.required) for f in route.fields] == [("age", True), ("zip", False)]
    assert not route.declared


def test_request_models_and_uploads():
    result = one(
        "from fastapi import FastAPI, File, UploadFile\nfrom pydantic import BaseModel\n"
        "class Base(BaseModel):\n    a: float\n"
        "class Item(Base):\n    b: int = 1\n"
        "app = FastAPI()\n"
        "@app.post('/predict')\ndef predict(item: Item): return item.a\n"
        "@app.post('/file')\ndef up(f: UploadFile = File(...)): return 1\n"
    )
    app = result.app("app")
    assert app is not None
    first, second = app.routes
    assert first.declared
    assert [(f.name, f.type, f.required) for f in first.fields] == [
        ("a", "float", True),
        ("b", "int", False),
    ]
    assert second.needs_multipart


def test_imports_say_what_is_there():
    files = {
        "pkg/__init__.py": "",
        "pkg/main.py": "from . import gone\nfrom .util import a, nothing\nimport numpy\n",
        "pkg/util.py": "a = 1\n",
    }
    result = trace(files, "pkg.main")
    shown = [(i.module, i.found, i.missing_name) for i in result.imports]
    assert shown == [
        ("pkg", "project", "gone"),
        ("pkg.util", "project", "nothing"),
        ("numpy", "external", ""),
    ]


def test_directory_made_before_the_write_and_rotation():
    result = one(
        "import os, logging\nfrom logging.handlers import RotatingFileHandler\n"
        "os.makedirs('logs', exist_ok=True)\n"
        "h = RotatingFileHandler('logs/a.log', maxBytes=10)\n"
        "logging.basicConfig(filename='other/b.log')\n"
    )
    assert [(f.path.resolved, f.mode, f.created_before) for f in result.files] == [
        ("/app/logs", "create", False),
        ("/app/logs/a.log", "append", True),
        ("/app/other/b.log", "append", False),
    ]
    assert [h.rotates for h in result.log_handlers] == [True, False]


def test_offloaded_work_is_off_the_event_loop():
    result = one(
        "import asyncio, joblib\nfrom fastapi import FastAPI\napp = FastAPI()\n"
        "model = joblib.load('m')\n"
        "@app.post('/a')\nasync def a(x: int):\n    return model.predict(x)\n"
        "@app.post('/b')\nasync def b(x: int):\n"
        "    return await asyncio.to_thread(lambda: model.predict(x))\n"
    )
    shown = {c.reach.route: c.reach.in_async for c in result.calls if c.category == "predict"}
    assert shown == {"POST /a": True, "POST /b": False}


def test_dotenv_and_argparse():
    files = {
        "main.py": "import argparse, os\nfrom dotenv import load_dotenv\nload_dotenv()\n"
        "p = argparse.ArgumentParser()\np.add_argument('--port', type=int, default=8000)\n"
        "args = p.parse_args()\nimport uvicorn\n"
        "open(os.environ['MODEL'])\nuvicorn.run('m:app', port=args.port)\n",
        ".env": "MODEL=models/x.bin\n",
    }
    result = trace(files, as_main=True, argv=("--port", "9000"))
    assert result.files[-1].path.resolved == "/app/models/x.bin"
    assert result.servers[0].port.value == 9000


def test_missing_entry():
    assert not trace({}, "nothing").found


def test_values_of_a_configuration_module():
    result = one("import os\nbind = f\"0.0.0.0:{os.getenv('PORT', 8080)}\"\nworkers = 2\n")
    values = dict(result.values)
    assert values["bind"].value == "0.0.0.0:8080"
    assert values["bind"].depends == ("PORT",)
    assert values["workers"].value == 2


def test_an_application_with_more_routes_than_are_followed_says_so(monkeypatch):
    routes = "".join(
        f"@app.get('/r{number}')\ndef r{number}():\n    return 1\n\n\n" for number in range(12)
    )
    files = {"main.py": f"from fastapi import FastAPI\n\napp = FastAPI()\n\n\n{routes}"}
    assert not trace(files).truncated
    monkeypatch.setattr("auditor.parsers.python.web._ROUTES", 10)
    cut = trace(files)
    assert cut.truncated and len(cut.apps[0].routes) == 10
