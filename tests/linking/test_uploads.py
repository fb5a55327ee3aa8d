"""What a request or the network brings, followed to what unpickles it."""

from textwrap import dedent

import pytest

from auditor.linking.uploads import Untrusted, untrusted_loads
from auditor.parsers.python.module import Places, parse_text


def loads(*modules: str, torch_executes: bool = False) -> list[Untrusted]:
    facts = {}
    for number, text in enumerate(modules):
        path = f"m{number}.py"
        text = dedent(text)
        facts[path] = parse_text(path, text, Places(path, text))
    return list(untrusted_loads(facts, torch_executes=torch_executes))


HEAD = """\
import base64, io, os, pickle, shutil, tempfile, joblib, numpy as np, pandas as pd, torch, yaml, requests
from flask import request
from fastapi import Body, Depends, FastAPI, File, Request, UploadFile
app = FastAPI()
"""

FOUND = {
    "fastapi-bytes": "async def f(file: UploadFile):\n    return pickle.loads(await file.read())",
    "fastapi-file": "def f(file: UploadFile = File(...)):\n    return joblib.load(file.file)",
    "fastapi-buffer": "async def f(file: UploadFile):\n    data = await file.read()\n    return joblib.load(io.BytesIO(data))",
    "fastapi-raw": "async def f(data: bytes = File(...)):\n    return pickle.loads(data)",
    "fastapi-body": "async def f(request: Request):\n    return pickle.loads(await request.body())",
    "fastapi-copied": "def f(file: UploadFile):\n    path = f'/tmp/{file.filename}'\n    with open(path, 'wb') as out:\n        shutil.copyfileobj(file.file, out)\n    return joblib.load(path)",
    "fastapi-written": "async def f(file: UploadFile):\n    p = os.path.join('up', file.filename)\n    with open(p, 'wb') as out:\n        out.write(await file.read())\n    with open(p, 'rb') as back:\n        return pickle.load(back)",
    "fastapi-temporary": "async def f(file: UploadFile):\n    with tempfile.NamedTemporaryFile(delete=False) as tmp:\n        tmp.write(await file.read())\n        name = tmp.name\n    return pd.read_pickle(name)",
    "fastapi-thread": "async def f(file: UploadFile):\n    data = await file.read()\n    return await asyncio.to_thread(pickle.loads, data)",
    "flask-file": "def f():\n    return joblib.load(request.files['model'])",
    "flask-get": "def f():\n    file = request.files.get('model')\n    return pickle.load(file)",
    "flask-saved": "def f():\n    file = request.files['model']\n    path = os.path.join('up', file.filename)\n    file.save(path)\n    return joblib.load(path)",
    "flask-saved-again": "def f():\n    file = request.files['model']\n    file.save(os.path.join('up', 'm.pkl'))\n    return joblib.load(os.path.join('up', 'm.pkl'))",
    "flask-data": "def f():\n    return pickle.loads(request.data)",
    "flask-base64": "def f():\n    return pickle.loads(base64.b64decode(request.json['model']))",
    "flask-alias": "def f():\n    import pickle as p\n    return p.loads(request.get_data())",
    "django": "def f(request):\n    return joblib.load(request.FILES['pklfile'])",
    "tornado": "class H:\n    def post(self):\n        return pickle.loads(self.request.body)",
    "chunks": "def f(request):\n    with open('m.pkl', 'wb') as out:\n        for chunk in request.FILES['m'].chunks():\n            out.write(chunk)\n    return joblib.load('m.pkl')",
    "branch": "def f(request):\n    if request.method == 'POST':\n        try:\n            return pickle.load(request.FILES['m'])\n        except ValueError:\n            pass",
    "numpy": "def f():\n    return np.load(request.files['a'], allow_pickle=True)",
    "torch": "def f():\n    return torch.load(request.files['a'], weights_only=False)",
    "yaml": "def f():\n    return yaml.load(request.data, Loader=yaml.Loader)",
    "unpickler": "def f():\n    return pickle.Unpickler(io.BytesIO(request.data)).load()",
    "download": "def f(url):\n    return pickle.loads(requests.get(url).content)",
    "download-later": "def f(url):\n    answer = requests.get(url)\n    return joblib.load(io.BytesIO(answer.content))",
    "download-written": "def f(url):\n    answer = requests.get(url)\n    with open('/tmp/m.pkl', 'wb') as out:\n        out.write(answer.content)\n    return joblib.load('/tmp/m.pkl')",
    "bucket": "def f(s3):\n    got = s3.get_object(Bucket='b', Key='k')\n    return pickle.loads(got['Body'].read())",
    "bucket-buffer": "def f(s3):\n    buffer = io.BytesIO()\n    s3.download_fileobj('b', 'k', buffer)\n    return joblib.load(buffer)",
    "socket": "def f(sock):\n    return pickle.loads(sock.recv(4096))",
    "helper": "def read(data):\n    return joblib.load(io.BytesIO(data))\n\nasync def f(file: UploadFile):\n    return read(await file.read())",
    "method": "class Store:\n    def restore(self, raw):\n        return pickle.loads(raw)\n\nasync def f(file: UploadFile):\n    return Store().restore(await file.read())",
    "streamlit": "import streamlit as st\nuploaded = st.file_uploader('Model')\nif uploaded is not None:\n    model = joblib.load(uploaded)",
    "streamlit-sidebar": "import streamlit as st\nf = st.sidebar.file_uploader('Model')\nmodel = pickle.load(f)",
}  # fmt: skip

SILENT = {
    "own-file": "def f():\n    return joblib.load('model.joblib')",
    "own-open": "def f():\n    with open('model.pkl', 'rb') as file:\n        return pickle.load(file)",
    "own-file-beside-an-upload": "def f():\n    frame = pd.read_csv(request.files['data'])\n    with open('model.pkl', 'rb') as file:\n        return joblib.load(file).predict(frame)",
    "name-from-a-request": "def f():\n    return joblib.load(f\"models/{request.args['name']}.pkl\")",
    "joined-name": "def f():\n    return joblib.load(os.path.join('models', request.json['name']))",
    "upload-kept": "async def f(file: UploadFile):\n    with open('/tmp/x', 'wb') as out:\n        out.write(await file.read())\n    return joblib.load('/app/model.pkl')",
    "restricted": "class Safe(pickle.Unpickler):\n    def find_class(self, m, n):\n        raise ValueError\n\ndef f():\n    return Safe(io.BytesIO(request.data)).load()",
    "signed": "import hmac\ndef f():\n    data = request.data\n    if not hmac.compare_digest(sign(data), request.headers['x']):\n        raise ValueError\n    return pickle.loads(data)",
    "checksum": "import hashlib\ndef f(url):\n    data = requests.get(url).content\n    if hashlib.sha256(data).hexdigest() != SUM:\n        raise ValueError\n    return pickle.loads(data)",
    "numpy-default": "def f():\n    return np.load(request.files['a'])",
    "torch-weights": "def f():\n    return torch.load(request.files['a'], weights_only=True)",
    "torch-default": "def f():\n    return torch.load(request.files['a'])",
    "yaml-safe": "def f():\n    return yaml.load(request.data, Loader=yaml.SafeLoader)",
    "json": "import json\ndef f():\n    return json.loads(request.data)",
    "own-copy": "def f(model):\n    return pickle.loads(pickle.dumps(model))",
    "database": "def f(row):\n    return pickle.loads(row.data)",
    "replaced": "def f():\n    data = request.data\n    data = open('model.pkl', 'rb').read()\n    return pickle.loads(data)",
    "request-of-its-own": "class PredictRequest: ...\ndef f(request: PredictRequest):\n    return joblib.load(request.model.file)",
    "filename": "def f(file: UploadFile):\n    return joblib.load(file.filename)",
    "cached-file": "import aiofiles\nasync def f(path):\n    async with aiofiles.open(path, 'rb') as file:\n        return pickle.loads(await file.read())",
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    found = loads(HEAD + FOUND[name])
    assert len(found) == 1, found
    network = name.startswith(("download", "bucket", "socket"))
    assert found[0].kind == ("network" if network else "request")
    assert found[0].advice


@pytest.mark.parametrize("name", SILENT)
def test_silent(name: str) -> None:
    assert loads(HEAD + SILENT[name]) == []


def test_torch_before_it_took_weights_only() -> None:
    assert len(loads(HEAD + SILENT["torch-default"], torch_executes=True)) == 1


def test_a_helper_in_another_module() -> None:
    handler = (
        HEAD
        + "from m1 import restore\nasync def f(file: UploadFile):\n    return restore(await file.read())\n"
    )
    helper = "import pickle\n\ndef restore(raw):\n    return pickle.loads(raw)\n"
    (found,) = loads(handler, helper)
    assert (found.at.path, found.at.line, found.loader) == ("m1.py", 4, "pickle.loads")
    assert (found.source, found.source_at.path) == ("the upload `file`", "m0.py")


def test_functions_that_call_each_other_end() -> None:
    text = "import pickle\n" + "".join(
        f"def g{n}(x):\n    g{(n + 1) % 40}(x)\n    g{(n + 2) % 40}(x)\n" for n in range(40)
    )
    assert loads(HEAD + text + "def f(file: UploadFile):\n    g0(file)\n") == []
