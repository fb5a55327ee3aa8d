"""SRV001 and SRV002 over the frameworks: the same fault, and the same service without it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving_kit import found, line_of, lines, write

DOCKERFILE = (
    "FROM python:3.11-slim\nWORKDIR /app\n"
    "RUN pip install joblib==1.4.2 scikit-learn==1.6.0 {packages}\nCOPY . .\nCMD {command}\n"
)
LOAD = "model = joblib.load('m.joblib')"
# Framework: (requirements, command, file with the handler, files).
SERVICES: dict[str, tuple[str, str, dict[str, str]]] = {
    "sanic": (
        "sanic==24.6.0",
        '["sanic","app:app","--host","0.0.0.0","--port","8000"]',
        {
            "app.py": (
                "import joblib\n"
                "from sanic import Sanic\n"
                "from sanic.response import json\n"
                "app=Sanic('a')\n"
                "@app.post('/predict')\n"
                "async def predict(request):\n"
                "    model = joblib.load('m.joblib')\n"
                "    return json({'p':model.predict([request.json['x']]).tolist()})\n"
            ),
        },
    ),
    "aiohttp": (
        "aiohttp==3.9.0",
        '["python","app.py"]',
        {
            "app.py": (
                "import joblib\n"
                "from aiohttp import web\n"
                "async def predict(request):\n"
                "    data=await request.json()\n"
                "    model = joblib.load('m.joblib')\n"
                "    return web.json_response({'p':model.predict([data['x']]).tolist()})\n"
                "app=web.Application()\n"
                "app.router.add_post('/predict',predict)\n"
                "web.run_app(app,host='0.0.0.0',port=8000)\n"
            ),
        },
    ),
    "tornado": (
        "tornado==6.4",
        '["python","app.py"]',
        {
            "app.py": (
                "import joblib\n"
                "import asyncio,json\n"
                "import tornado.web\n"
                "class H(tornado.web.RequestHandler):\n"
                "    async def post(self):\n"
                "        data=json.loads(self.request.body)\n"
                "        model = joblib.load('m.joblib')\n"
                "        self.write({'p':model.predict([data['x']]).tolist()})\n"
                "async def main():\n"
                "    app=tornado.web.Application([('/predict',H)])\n"
                "    app.listen(8000)\n"
                "    await asyncio.Event().wait()\n"
                "asyncio.run(main())\n"
            ),
        },
    ),
    "django": (
        "django==5.0 gunicorn==22.0.0",
        '["gunicorn","-b","0.0.0.0:8000","proj.wsgi:application"]',
        {
            "manage.py": (
                'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE","proj.settings")\n'
            ),
            "proj/__init__.py": "",
            "proj/settings.py": (
                "SECRET_KEY='x'\nROOT_URLCONF='proj.urls'\nALLOWED_HOSTS=['*']\nINSTALLED_APPS=[]\n"
            ),
            "proj/wsgi.py": (
                "import os\n"
                "from django.core.wsgi import get_wsgi_application\n"
                "os.environ.setdefault('DJANGO_SETTINGS_MODULE','proj.settings')\n"
                "application=get_wsgi_application()\n"
            ),
            "proj/urls.py": (
                "from django.urls import path\n"
                "from proj.views import predict\n"
                "urlpatterns=[path('predict',predict)]\n"
            ),
            "proj/views.py": (
                "import joblib\n"
                "import json\n"
                "from django.http import JsonResponse\n"
                "def predict(request):\n"
                "    data=json.loads(request.body)\n"
                "    model = joblib.load('m.joblib')\n"
                "    return JsonResponse({'p':model.predict([data['x']]).tolist()})\n"
            ),
        },
    ),
    "rest_framework": (
        "django==5.0 djangorestframework==3.15.2 gunicorn==22.0.0",
        '["gunicorn","-b","0.0.0.0:8000","proj.wsgi:application"]',
        {
            "proj/__init__.py": "",
            "proj/settings.py": (
                "SECRET_KEY='x'\nROOT_URLCONF='proj.urls'\nALLOWED_HOSTS=['*']\n"
                "INSTALLED_APPS=['rest_framework']\n"
                "MIDDLEWARE=['django.middleware.csrf.CsrfViewMiddleware']\n"
            ),
            "proj/wsgi.py": (
                "import os\n"
                "from django.core.wsgi import get_wsgi_application\n"
                "os.environ.setdefault('DJANGO_SETTINGS_MODULE','proj.settings')\n"
                "application=get_wsgi_application()\n"
            ),
            "proj/urls.py": (
                "from django.urls import path\n"
                "from proj.views import Predict\n"
                "urlpatterns=[path('predict',Predict.as_view())]\n"
            ),
            "proj/views.py": (
                "import joblib\n"
                "from rest_framework.response import Response\n"
                "from rest_framework.views import APIView\n"
                "class Predict(APIView):\n"
                "    def post(self, request):\n"
                "        data=request.data\n"
                "        model = joblib.load('m.joblib')\n"
                "        return Response({'p':model.predict([data['x']]).tolist()})\n"
            ),
        },
    ),
    "litestar": (
        "litestar==2.8.0 uvicorn==0.30.0",
        '["uvicorn","app:app","--host","0.0.0.0","--port","8000"]',
        {
            "app.py": (
                "import joblib\n"
                "from litestar import Litestar, post\n"
                "from dataclasses import dataclass\n"
                "@dataclass\n"
                "class Item:\n"
                "    x: list[float]\n"
                "@post('/predict')\n"
                "async def predict(data: Item) -> dict:\n"
                "    model = joblib.load('m.joblib')\n"
                "    return {'p':model.predict([data.x]).tolist()}\n"
                "app=Litestar([predict])\n"
            ),
        },
    ),
    "starlette": (
        "starlette==0.37.0 uvicorn==0.30.0",
        '["uvicorn","app:app","--host","0.0.0.0","--port","8000"]',
        {
            "app.py": (
                "import joblib\n"
                "from starlette.applications import Starlette\n"
                "from starlette.routing import Route\n"
                "from starlette.responses import JSONResponse\n"
                "async def predict(request):\n"
                "    data=await request.json()\n"
                "    model = joblib.load('m.joblib')\n"
                "    return JSONResponse({'p':model.predict([data['x']]).tolist()})\n"
                "app=Starlette(routes=[Route('/predict',predict,methods=['POST'])])\n"
            ),
        },
    ),
    "quart": (
        "quart==0.19.0 hypercorn==0.16.0",
        '["hypercorn","-b","0.0.0.0:8000","app:app"]',
        {
            "app.py": (
                "import joblib\n"
                "from quart import Quart, request\n"
                "app=Quart(__name__)\n"
                "@app.post('/predict')\n"
                "async def predict():\n"
                "    data=await request.get_json()\n"
                "    model = joblib.load('m.joblib')\n"
                "    return {'p':model.predict([data['x']]).tolist()}\n"
            ),
        },
    ),
    "bentoml": (
        "bentoml==1.2.0",
        '["bentoml","serve","service:Svc","--port","8000"]',
        {
            "service.py": (
                "import joblib\n"
                "import bentoml\n"
                "import numpy as np\n"
                "@bentoml.service\n"
                "class Svc:\n"
                "    @bentoml.api\n"
                "    def predict(self, x: np.ndarray) -> np.ndarray:\n"
                "        model = joblib.load('m.joblib')\n"
                "        return model.predict(x)\n"
            ),
        },
    ),
    "litserve": (
        "litserve==0.2.0",
        '["python","server.py"]',
        {
            "server.py": (
                "import joblib\n"
                "import litserve as ls\n"
                "class A(ls.LitAPI):\n"
                "    def setup(self, device):\n"
                "        self.model=None\n"
                "    def decode_request(self, request):\n"
                "        return request['x']\n"
                "    def predict(self, x):\n"
                "        model = joblib.load('m.joblib')\n"
                "        return model.predict([x])\n"
                "    def encode_response(self, out):\n"
                "        return {'p':out.tolist()}\n"
                "if __name__=='__main__':\n"
                "    ls.LitServer(A()).run(port=8000)\n"
            ),
        },
    ),
    "rayserve": (
        "ray[serve]==2.9.0",
        '["serve","run","app:app","--host","0.0.0.0"]',
        {
            "app.py": (
                "import joblib\n"
                "from ray import serve\n"
                "from starlette.requests import Request\n"
                "@serve.deployment\n"
                "class M:\n"
                "    async def __call__(self, request: Request):\n"
                "        data=await request.json()\n"
                "        model = joblib.load('m.joblib')\n"
                "        return model.predict([data['x']]).tolist()\n"
                "app=M.bind()\n"
            ),
        },
    ),
    "gradio": (
        "gradio==4.0.0",
        '["python","app.py"]',
        {
            "app.py": (
                "import joblib\n"
                "import gradio as gr\n"
                "def predict(x):\n"
                "    model = joblib.load('m.joblib')\n"
                "    return model.predict([[x]])[0]\n"
                "gr.Interface(predict,'number','number').launch(server_name='0.0.0.0')\n"
            ),
        },
    ),
}
# The event loop of these carries every request.
ON_THE_LOOP = {"sanic", "aiohttp", "tornado", "litestar", "starlette", "quart"}


def service(root: Path, name: str, *, healthy: bool) -> tuple[Path, str, str]:
    """(repository, path of the handler's file, its text)."""
    packages, command, files = SERVICES[name]
    path, text = next((p, t) for p, t in files.items() if LOAD in t)
    if healthy:
        before, _, after = text.partition(LOAD)
        text = before.rstrip(" ") + after.lstrip("\n;")
        text = text.replace("import joblib\n", f"import joblib\n{LOAD}\n", 1)
    files = {**files, path: text, "m.joblib": "x", "requirements.txt": ""}
    files["Dockerfile"] = DOCKERFILE.format(packages=packages, command=command)
    return write(root, files), path, text


@pytest.mark.parametrize("name", SERVICES)
def test_model_loaded_per_request(tmp_path: Path, name: str) -> None:
    root, path, text = service(tmp_path, name, healthy=False)
    assert lines(found(root, "SRV001")) == [("SRV001", path, line_of(text, LOAD))]


@pytest.mark.parametrize("name", SERVICES)
def test_model_loaded_once(tmp_path: Path, name: str) -> None:
    root, path, text = service(tmp_path, name, healthy=True)
    compile(text, path, "exec")
    assert found(root, "SRV001") == []


@pytest.mark.parametrize("name", sorted(ON_THE_LOOP))
def test_inference_on_the_event_loop(tmp_path: Path, name: str) -> None:
    root, path, text = service(tmp_path, name, healthy=True)
    assert lines(found(root, "SRV002")) == [("SRV002", path, line_of(text, "model.predict"))]


def test_ray_serve_binds_what_it_is_told(tmp_path: Path) -> None:
    root, _, _ = service(tmp_path, "rayserve", healthy=True)
    assert found(root, "NET001", "IMG018") == []
