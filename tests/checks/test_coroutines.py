"""Coroutines, loops and names that only the first request finds to be what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import dockerfile, service

HEAD = """\
import asyncio

from fastapi import FastAPI, Request

app = FastAPI()
model = None


def plain(row):
    total = sum(row)
    return total


async def score(row):
    return sum(row)


def later(row):
    return score(row)


"""
HOOK = "@app.on_event('startup')\ndef load():\n{0}    model = {{'coef': 1}}\n\n\n"
ROUTE = "@app.post('/predict')\n{0}def predict(request: Request):\n"


def handler(body: str, kind: str = "async ", before: str = "") -> str:
    return before + ROUTE.format(kind) + body


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (handler("    return {'y': await plain([1])}\n"), "can't be used in 'await'"),
        (handler("    return {'y': await score([1])}\n"), ""),
        (handler("    return {'y': await later([1])}\n"), ""),
        (handler("    return {'y': score([1])}\n"), "'coroutine' object"),
        (handler("    y = score([1])\n    return {'y': y}\n"), "'coroutine' object"),
        (handler("    y = score([1])\n    y = await y\n    return {'y': y}\n"), ""),
        (handler("    y = score([1])\n    return {'y': await y}\n"), ""),
        (handler("    if request.query_params:\n        return {'y': score([1])}\n"), ""),
        (handler("    return {'y': asyncio.run(score([1]))}\n"), "running event loop"),
        (handler("    return {'y': asyncio.run(score([1]))}\n", ""), ""),
        (
            handler("    return {'y': asyncio.run(score([1]))}\n", before="import nest_asyncio\n"),
            "",
        ),
        (
            handler(
                "    return {'y': await asyncio.to_thread(work)}\n",
                before="def work():\n    return asyncio.run(score([1]))\n\n\n",
            ),
            "",
        ),
        (
            handler(
                "    loop = asyncio.get_running_loop()\n"
                "    return {'y': await loop.run_in_executor(None, work)}\n",
                before="def work():\n    return asyncio.run(score([1]))\n\n\n",
            ),
            "",
        ),
        (
            handler(
                "    with ThreadPoolExecutor() as pool:\n"
                "        return {'y': pool.submit(asyncio.run, score([1])).result()}\n",
                before="from concurrent.futures import ThreadPoolExecutor\n\n",
            ),
            "",
        ),
        (
            handler(
                "    with ThreadPoolExecutor() as pool:\n"
                "        return {'y': pool.submit(lambda: asyncio.run(score([1]))).result()}\n",
                before="from concurrent.futures import ThreadPoolExecutor\n\n",
            ),
            "",
        ),
        (
            handler(
                "    with ThreadPoolExecutor() as pool:\n"
                "        return {'y': list(pool.map(work, [1]))}\n",
                before="from concurrent.futures import ThreadPoolExecutor\n\n\n"
                "def work(x):\n    return asyncio.run(score([x]))\n\n\n",
            ),
            "",
        ),
        (handler("    return {'y': model['coef']}\n", before=HOOK.format("")), "not subscriptable"),
        (handler("    return model.coef\n", before=HOOK.format("")), "no attribute 'coef'"),
        (
            handler("    return {'y': model['coef']}\n", before=HOOK.format("    global model\n")),
            "",
        ),
        (
            handler(
                "    return {'y': model['coef'] if model else 0}\n",
                before=HOOK.format(""),
            ),
            "",
        ),
    ],
)
def test_what_the_first_request_meets(tmp_path: Path, code: str, error: str) -> None:
    files = {
        "app.py": HEAD + code,
        "requirements.txt": "fastapi==0.115.6\nuvicorn==0.34.0\nnest-asyncio==1.6.0\n",
        "Dockerfile": dockerfile(
            "COPY . .\nRUN pip install -r requirements.txt",
            '["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]',
        ),
    }
    found = [f.message for f in service(tmp_path, files).findings if f.rule == "IMG025"]
    assert bool(found) is bool(error)
    assert not error or error in found[0]
