"""Prove pairs of releases that do not work together, and write ``rules/knowledge/breaks.toml``.

Each pair is really installed: the one end at a known release and the other as pip resolves it
today, in a fresh virtual environment of a pyenv Python; a line of code must fail with an error that
is recorded, and must work after the other end is moved to a release named as the remedy. Pairs that
do not behave so are left out and named on standard error. What holds the other end back (``holds``)
is checked against the metadata of one release each.

    python tools/verify_breaks.py --python-root ~/.pyenv/versions [--only flask-werkzeug …]

Pairs that are in the table already are kept unless named by ``--only``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from auditor.values import value

TARGET = Path(__file__).resolve().parents[1] / "rules" / "knowledge" / "breaks.toml"
NUMPY_HOLDS = (
    ("scipy<1.13", "scipy==1.11.4"),
    ("numba<0.60", "numba==0.58.1"),
    ("tensorflow>=2.12,<2.18", "tensorflow==2.15.1"),
    ("tensorflow-cpu>=2.12,<2.18", "tensorflow-cpu==2.15.1"),
    ("pandas>=2.1.2,<2.2.2", "pandas==2.1.4"),
    ("scikit-learn>=1.3.1,<1.4.2", "scikit-learn==1.3.2"),
    ("streamlit>=1.13,<1.36", "streamlit==1.30.0"),
    ("mlflow>=1.28,<2.14.2", "mlflow==2.10.2"),
    ("langchain<0.3", "langchain==0.1.20"),
    ("gradio>=4.0,<4.37", "gradio==4.20.0"),
    ("onnxruntime==1.18.*", "onnxruntime==1.18.1"),
    ("matplotlib==3.8.*", "matplotlib==3.8.3"),
    ("pyarrow>=14.0.2,<16", "pyarrow==15.0.2"),
)
NUMPY_OPEN = (
    "xgboost==1.7.6", "lightgbm==3.3.5", "seaborn==0.12.2", "imbalanced-learn==0.10.1",
    "opencv-python==4.8.1.78", "transformers==4.35.2", "statsmodels==0.14.0", "torchvision==0.16.2",
    "joblib==1.3.2", "mlxtend==0.22.0", "category-encoders==2.6.3", "optuna==3.4.0", "nltk==3.8.1",
)  # fmt: skip


@value
class Pair:
    """``name`` in ``versions`` breaks with ``other`` in ``bad``; ``code`` shows it."""

    id: str
    name: str
    versions: str
    other: str
    bad: str
    # Releases to install (the ends of the range), the interpreter, and what else goes with them.
    samples: tuple[str, ...]
    python: str
    code: str
    module: str
    # Interpreters for which pip would choose a release in ``bad``.
    pythons: str
    remedy: str
    also: tuple[str, ...] = ()
    # False: fails where it is used, not where it is imported.
    at_import: bool = True
    # Then: the calls that fail, whatever they are given.
    calls: tuple[str, ...] = ()
    # The calls succeed; what they made fails each time it is asked.
    late: bool = False
    # Servers that fail, and only where they keep their records in a database.
    servers: tuple[str, ...] = ()
    holds: tuple[tuple[str, str], ...] = ()
    # Releases of distributions that are known not to hold it back.
    open: tuple[str, ...] = ()
    # Worker classes of gunicorn that fail, and no others.
    workers: tuple[str, ...] = ()
    # ``other`` is Python itself: an interpreter on which it works.
    works: str = ""
    # The last sample is the newest release: what an open requirement takes as well.
    last: bool = False
    # The distribution whose module is meant: this one only has the same name for its own.
    instead: str = ""
    # Distributions beside which both work after all.
    unless: tuple[str, ...] = ()
    # Tools of an installation that ask for a newer ``other`` than images may have, by their metadata:
    # (tool, its releases, what they ask for). pip then takes the newest.
    brought_by: tuple[tuple[str, str, str], ...] = ()


# A session over a graph of one ReduceMean (IR 8, opset 15), asked once.
MEAN_OF_ROWS = """
import numpy, onnxruntime
graph = bytes.fromhex("08083a610a300a0178120179220a5265647563654d65616e2a0b0a04617865734001a001072a0f0a086b65657064696d731801"
    "a001021201675a140a0178120f0a0d080112090a0312016e0a02080362140a0179120f0a0d080112090a0312016e0a02080142040a00100f")
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
session.run(None, {"x": numpy.ones((1, 3), dtype=numpy.float32)})
"""
PAIRS: tuple[Pair, ...] = (
    Pair(id="flask-werkzeug", name="flask", versions=">=2.0,<2.2.3", other="werkzeug", bad=">=3.0",
         samples=("2.0.3", "2.2.2"), python="3.10", code="import flask", module="flask", pythons=">=3.8", remedy="<3"),
    Pair(id="flask-jinja2", name="flask", versions=">=1.0,<1.1.3", other="jinja2", bad=">=3.1",
         samples=("1.0.4", "1.1.2"), python="3.10", code="import flask", module="flask", pythons=">=3.7", remedy="<3",
         also=("markupsafe<2.1", "itsdangerous<2.1", "werkzeug<2")),
    Pair(id="flask-itsdangerous", name="flask", versions=">=1.0,<1.1.3", other="itsdangerous", bad=">=2.1",
         samples=("1.0.4", "1.1.2"), python="3.10", code="import flask", module="flask", pythons=">=3.7", remedy="<2.1",
         also=("markupsafe<2.1", "jinja2<3", "werkzeug<2")),
    Pair(id="flask-markupsafe", name="flask", versions=">=1.1.3,<2.0", other="markupsafe", bad=">=2.1",
         samples=("1.1.4",), python="3.10", code="import flask", module="flask", pythons=">=3.7", remedy="<2.1"),
    Pair(id="jinja2-markupsafe", name="jinja2", versions=">=2.10,<3.0", other="markupsafe", bad=">=2.1",
         samples=("2.10.3", "2.11.3"), python="3.9", code="import jinja2", module="jinja2", pythons=">=3.7", remedy="<2.1"),
    Pair(id="flask-login-werkzeug", name="flask-login", versions=">=0.6,<0.6.3", other="werkzeug", bad=">=3.0",
         samples=("0.6.0", "0.6.2"), python="3.10", code="import flask_login", module="flask_login", pythons=">=3.8",
         remedy="<3", also=("flask<3",)),
    Pair(id="flask-sqlalchemy-sqlalchemy", name="flask-sqlalchemy", versions=">=2.5,<3.0", other="sqlalchemy", bad=">=2.0",
         samples=("2.5.1",), python="3.10", code="from flask_sqlalchemy import SQLAlchemy; SQLAlchemy()",
         module="flask_sqlalchemy", pythons=">=3.7", remedy="<2", also=("flask<2.3", "werkzeug<3")),
    Pair(id="flask-restful-flask", name="flask-restful", versions=">=0.3.5,<0.3.9", other="flask", bad=">=2.0",
         samples=("0.3.7", "0.3.8"), python="3.9", code="import flask_restful", module="flask_restful", pythons=">=3.7",
         remedy="<2", also=("werkzeug<2.1", "jinja2<3.1", "itsdangerous<2.1", "markupsafe<2.1")),
    Pair(id="flask-restx-werkzeug", name="flask-restx", versions=">=1.0,<1.1.0", other="werkzeug", bad=">=3.0",
         samples=("1.0.6",), python="3.10", code="import flask_restx", module="flask_restx", pythons=">=3.8",
         remedy="<2.3", also=("flask<2.3",)),
    Pair(id="mlflow-sqlalchemy", name="mlflow", versions=">=2.2,<3.10", other="sqlalchemy", bad=">=2.1",
         samples=("2.9.2", "2.22.2", "3.7.0"), python="3.11", code="import mlflow.store.db.utils", module="mlflow",
         at_import=False, servers=("mlflow-server", "mlflow-ui"), pythons=">=3.9", remedy="<2.1",
         also=("setuptools<80",)),
    Pair(id="flasgger-flask", name="flasgger", versions=">=0.9.4,<0.9.7", other="flask", bad=">=2.3",
         samples=("0.9.5",), python="3.10", code="import flasgger", module="flasgger", pythons=">=3.8", remedy="<2.3"),
    Pair(id="gunicorn-setuptools", name="gunicorn", versions=">=20.0,<21.0", other="setuptools", bad=">=82",
         samples=("20.0.4", "20.1.0"), python="3.12", code="import gunicorn.util", module="gunicorn", pythons=">=3.9",
         remedy="<81", brought_by=(("pipenv", ">=2023.7.4", ">=67"),)),
    Pair(id="streamlit-altair", name="streamlit", versions=">=1.10,<1.22", other="altair", bad=">=5.0",
         samples=("1.12.2", "1.19.0"), python="3.10", code="import streamlit", module="streamlit", pythons=">=3.7",
         remedy="<5", also=("numpy<2",), ),
    Pair(id="streamlit-protobuf", name="streamlit", versions=">=1.0,<1.10", other="protobuf", bad=">=4.21",
         samples=("1.2.0", "1.8.1"), python="3.9", code="import streamlit", module="streamlit", pythons=">=3.7",
         remedy="<3.21", also=("numpy<2", "altair<5")),
    Pair(id="onnx-protobuf", name="onnx", versions=">=1.9,<1.12", other="protobuf", bad=">=4.21",
         samples=("1.11.0",), python="3.9", code="import onnx", module="onnx", pythons=">=3.7", remedy="<3.21",
         also=("numpy<2",)),
    Pair(id="gradio-huggingface-hub", name="gradio", versions=">=4.20,<5.0", other="huggingface-hub", bad=">=1.0",
         samples=("4.44.1",), python="3.10", code="import gradio", module="gradio", pythons=">=3.9", remedy="<1",
         also=("pydantic<2.11",)),
    Pair(id="datasets-pyarrow", name="datasets", versions=">=2.14,<2.20", other="pyarrow", bad=">=21",
         samples=("2.14.7", "2.18.0"), python="3.10", code="import datasets", module="datasets", pythons=">=3.9",
         remedy="<20", also=("fsspec<2024",)),
    Pair(id="openai-httpx", name="openai", versions=">=1.0,<1.55.3", other="httpx", bad=">=0.28",
         samples=("1.3.9", "1.54.5"), python="3.11", code="import openai; openai.OpenAI(api_key='none')", module="openai",
         pythons=">=3.8", remedy="<0.28", at_import=False,
         calls=("openai.OpenAI", "openai.AsyncOpenAI", "openai.AzureOpenAI", "openai.AsyncAzureOpenAI")),
    Pair(id="anthropic-httpx", name="anthropic", versions=">=0.3,<0.40", other="httpx", bad=">=0.28",
         samples=("0.25.9", "0.39.0"), python="3.11", code="import anthropic; anthropic.Anthropic(api_key='none')",
         module="anthropic", pythons=">=3.8", remedy="<0.28", at_import=False,
         calls=("anthropic.Anthropic", "anthropic.AsyncAnthropic")),
    Pair(id="groq-httpx", name="groq", versions=">=0.4,<0.13", other="httpx", bad=">=0.28",
         samples=("0.5.0", "0.11.0"), python="3.11", code="import groq; groq.Groq(api_key='none')",
         module="groq", pythons=">=3.8", remedy="<0.28", at_import=False, calls=("groq.Groq", "groq.AsyncGroq")),
    Pair(id="passlib-bcrypt", name="passlib", versions=">=1.7,<1.8", other="bcrypt", bad=">=5.0",
         samples=("1.7.4",), python="3.11", pythons=">=3.8", module="passlib", remedy="<4.1", at_import=False,
         code="from passlib.context import CryptContext; CryptContext(schemes=['bcrypt']).hash('text')", also=("bcrypt",),
         calls=("passlib.context.CryptContext().hash", "passlib.context.CryptContext().verify",
                "passlib.hash.bcrypt.hash", "passlib.hash.bcrypt.verify")),
    Pair(id="gunicorn-eventlet", name="gunicorn", versions=">=20.0,<21.0", other="eventlet", bad=">=0.30.3",
         samples=("20.1.0",), python="3.9", code="import gunicorn.workers.geventlet", module="gunicorn", pythons=">=3.7",
         remedy="<0.30.3", at_import=False, workers=("eventlet",), also=("setuptools<80",)),
    Pair(id="aioredis-python", name="aioredis", versions=">=2.0,<2.1", other="python", bad=">=3.11",
         samples=("2.0.1",), python="3.11", code="import aioredis", module="aioredis", pythons=">=3.11", remedy="<3.11", works="3.10", last=True),
    Pair(id="attrdict-python", name="attrdict", versions=">=2.0,<2.1", other="python", bad=">=3.10",
         samples=("2.0.1",), python="3.10", code="import attrdict", module="attrdict", pythons=">=3.10", remedy="<3.10", works="3.9", last=True),
    Pair(id="future-python", name="future", versions=">=0.16,<0.18.3", other="python", bad=">=3.12",
         samples=("0.17.1", "0.18.2"), python="3.12", code="import future.standard_library", module="future", pythons=">=3.12", remedy="<3.12", works="3.11"),
    Pair(id="networkx-python", name="networkx", versions=">=2.0,<2.5", other="python", bad=">=3.9",
         samples=("2.2", "2.4"), python="3.9", code="import networkx", module="networkx", pythons=">=3.9", remedy="<3.9", works="3.8"),
    Pair(id="flask-script-flask", name="flask-script", versions=">=2.0,<2.1", other="flask", bad=">=2.0",
         samples=("2.0.6",), python="3.10", code="import flask_script", module="flask_script", pythons=">=3.7", remedy="<2",
         also=("markupsafe<2.1", "jinja2<3.1", "itsdangerous<2.1", "werkzeug<3")),
    Pair(id="tornado-python", name="tornado", versions=">=4.5,<5.0", other="python", bad=">=3.10",
         samples=("4.5.3",), python="3.10", code="import tornado.httpserver", module="tornado", pythons=">=3.10", remedy="<3.10", works="3.9"),
    Pair(id="schematics-python", name="schematics", versions=">=2.0,<2.1.1", other="python", bad=">=3.10",
         samples=("2.1.0",), python="3.10", code="import schematics", module="schematics", pythons=">=3.10", remedy="<3.10", works="3.9"),
    Pair(id="pydub-python", name="pydub", versions=">=0.24,<0.26", other="python", bad=">=3.13",
         samples=("0.25.1",), python="3.13", code="import pydub", module="pydub", pythons=">=3.13", remedy="<3.13", works="3.12"),
    Pair(id="speechrecognition-python", name="speechrecognition", versions=">=3.8,<3.10", other="python", bad=">=3.13",
         samples=("3.8.1",), python="3.13", code="import speech_recognition", module="speech_recognition", pythons=">=3.13", remedy="<3.13", works="3.10"),
    Pair(id="environs-marshmallow", name="environs", versions=">=9.0,<11.2", other="marshmallow", bad=">=4.0",
         samples=("9.5.0", "10.3.0"), python="3.11", code="import environs", module="environs", pythons=">=3.9",
         remedy="<4"),
    Pair(id="imbalanced-learn-scikit-learn", name="imbalanced-learn", versions=">=0.11,<0.13", other="scikit-learn", bad=">=1.7",
         samples=("0.11.0", "0.12.4"), python="3.11", code="import imblearn", module="imblearn", pythons=">=3.10", remedy="<1.5"),
    Pair(id="imbalanced-learn-0.13-scikit-learn", name="imbalanced-learn", versions=">=0.13,<0.14", other="scikit-learn", bad=">=1.8",
         samples=("0.13.0",), python="3.11", code="import imblearn", module="imblearn", pythons=">=3.11", remedy="<1.7"),
    Pair(id="imbalanced-learn-0.13-scikit-learn-1.7", name="imbalanced-learn", versions=">=0.13,<0.14", other="scikit-learn",
         bad=">=1.7,<1.8", samples=("0.13.0",), python="3.11", code="import imblearn", module="imblearn", pythons=">=3.10", remedy="<1.7",
         also=("scikit-learn<1.8",)),
    Pair(id="imbalanced-learn-0.14-scikit-learn", name="imbalanced-learn", versions=">=0.14,<0.14.1", other="scikit-learn", bad=">=1.8",
         samples=("0.14.0",), python="3.11", code="import imblearn", module="imblearn", pythons=">=3.11", remedy="<1.8"),
    Pair(id="statsmodels-scipy", name="statsmodels", versions=">=0.14,<0.14.5", other="scipy", bad=">=1.16",
         samples=("0.14.1", "0.14.4"), python="3.11", code="import statsmodels.api", module="statsmodels", pythons=">=3.11",
         remedy="<1.16", also=("numpy<2", "pandas<3")),
    Pair(id="gensim-scipy", name="gensim", versions=">=4.0,<4.3.3", other="scipy", bad=">=1.13",
         samples=("4.3.2",), python="3.10", code="import gensim", module="gensim", pythons=">=3.9", remedy="<1.13",
         also=("numpy<2",)),
    Pair(id="quart-flask", name="quart", versions=">=0.19,<0.19.7", other="flask", bad=">=3.1",
         samples=("0.19.4", "0.19.6"), python="3.11", code="import quart; quart.Quart('x')", module="quart", pythons=">=3.9",
         remedy="<3.1"),
    Pair(id="litestar-anyio", name="litestar", versions=">=2.4,<2.13", other="anyio", bad=">=4.12",
         samples=("2.8.3", "2.12.1"), python="3.11", code="from litestar import Litestar; Litestar([])", module="litestar",
         pythons=">=3.9", remedy="<4.12", unless=("sniffio",)),
    Pair(id="requests-toolbelt-urllib3", name="requests-toolbelt", versions=">=0.9,<1.0", other="urllib3", bad=">=2.0",
         samples=("0.9.1", "0.10.1"), python="3.10", code="import requests_toolbelt", module="requests_toolbelt",
         pythons=">=3.8", remedy="<2", also=("requests>=2.30",)),
    Pair(id="pandas-sqlalchemy", name="pandas", versions=">=1.3,<2.0", other="sqlalchemy", bad=">=2.0",
         samples=("1.5.3",), python="3.10", pythons=">=3.8", module="pandas", remedy="<2", at_import=False,
         also=("sqlalchemy", "numpy<2"),
         code="import pandas, sqlalchemy; pandas.DataFrame({'a': [1]}).to_sql('t', sqlalchemy.create_engine('sqlite://'))"),
    Pair(id="pandas-numpy", name="pandas", versions=">=1.3,<2.1.2", other="numpy", bad=">=2.0",
         samples=("1.5.3", "2.1.1"), python="3.10", code="import pandas", module="pandas", pythons=">=3.9", remedy="<2",
         holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="scikit-learn-numpy", name="scikit-learn", versions=">=0.24,<1.3.1", other="numpy", bad=">=2.0",
         samples=("1.2.2", "1.3.0"), python="3.10", code="import sklearn.linear_model", module="sklearn", pythons=">=3.9",
         remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="onnxruntime-numpy", name="onnxruntime", versions=">=1.17,<1.18", other="numpy", bad=">=2.0",
         samples=("1.17.0", "1.17.3"), python="3.11", code="import onnxruntime", module="onnxruntime",
         pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="onnxruntime-numpy-run", name="onnxruntime", versions=">=1.12,<1.17", other="numpy", bad=">=2.0",
         samples=("1.12.1", "1.16.3"), python="3.10", code=MEAN_OF_ROWS, module="onnxruntime", at_import=False, late=True,
         calls=("onnxruntime.InferenceSession",), pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="opencv-python-headless-numpy", name="opencv-python-headless", versions=">=4.5,<4.10", other="numpy", bad=">=2.0",
         samples=("4.8.1.78",), python="3.10", code="import cv2", module="cv2", pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="matplotlib-numpy", name="matplotlib", versions=">=3.5,<3.8", other="numpy", bad=">=2.0",
         samples=("3.5.3", "3.7.5"), python="3.10", code="import matplotlib.pyplot", module="matplotlib", pythons=">=3.9", remedy="<2",
         holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="pyarrow-numpy", name="pyarrow", versions=">=8,<14.0.2", other="numpy", bad=">=2.0",
         samples=("12.0.1",), python="3.10", code="import pyarrow.parquet", module="pyarrow", pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="tensorflow-numpy", name="tensorflow-cpu", versions=">=2.8,<2.12", other="numpy", bad=">=2.0",
         samples=("2.11.0",), python="3.10", code="import tensorflow", module="tensorflow", pythons=">=3.9", remedy="<2",
         holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="evidently-numpy", name="evidently", versions=">=0.3,<0.4.23", other="numpy", bad=">=2.0",
         samples=("0.4.15",), python="3.10", code="import evidently.report", module="evidently", pythons=">=3.9", remedy="<2",
         holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="shap-numpy", name="shap", versions=">=0.40,<0.42", other="numpy", bad=">=1.24",
         samples=("0.41.0",), python="3.10", code="import shap", module="shap", pythons=">=3.8", remedy="<1.24",
         holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="spacy-numpy", name="spacy", versions=">=3.5,<3.7.5", other="numpy", bad=">=2.0",
         samples=("3.7.2",), python="3.10", code="import spacy", module="spacy", pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
    Pair(id="catboost-numpy", name="catboost", versions=">=1.0,<1.2.4", other="numpy", bad=">=2.0",
         samples=("1.2.3",), python="3.10", code="import catboost", module="catboost", pythons=">=3.9", remedy="<2", holds=NUMPY_HOLDS, open=NUMPY_OPEN),
)  # fmt: skip


def wrong(name: str, instead: str, code: str, *calls: str, module: str = "") -> Pair:
    """A distribution whose module has the name of another one's."""
    return Pair(
        id=f"{name}-{instead}", name=name, versions=">=0", other="python", bad=">=3", samples=("",),
        python="3.11", code=code, module=module or name, pythons=">=3", remedy="", at_import=not calls,
        calls=calls, instead=instead,
    )  # fmt: skip


PAIRS += (
    wrong("jwt", "pyjwt", "import jwt; jwt.encode({}, 's', algorithm='HS256')", "jwt.encode", "jwt.decode"),
    wrong("jose", "python-jose", "import jose"),
    wrong("docx", "python-docx", "import docx"),
    wrong("kafka", "kafka-python", "import kafka"),
    wrong("serial", "pyserial", "import serial; serial.Serial", "serial.Serial"),
    wrong("telegram", "python-telegram-bot", "import telegram; telegram.Bot", "telegram.Bot"),
    wrong("attr", "attrs", "import attr; attr.s", "attr.s"),
)  # fmt: skip


def pip(environment: Path, *arguments: str) -> str:
    """Run pip on another interpreter; RuntimeError with its last words."""
    # The interpreter's own pip: the newest one does not serve old interpreters.
    base = (environment / "bin" / "python").resolve()
    command = [str(base), "-m", "pip", "--python", str(environment / "bin" / "python")]
    command += ["--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        errors = [x for x in done.stderr.splitlines() if x.startswith("ERROR")]
        raise RuntimeError(errors[0] if errors else done.stderr[-300:])
    return done.stdout


def versions(environment: Path) -> dict[str, str]:
    rows = json.loads(pip(environment, "list", "--format", "json"))
    return {re.sub(r"[-_.]+", "-", r["name"]).lower(): r["version"] for r in rows}


def error_of(environment: Path, code: str) -> str:
    """The exception that code ends with, one line; empty when it works."""
    done = subprocess.run(
        [environment / "bin" / "python", "-W", "ignore", "-c", code],
        capture_output=True, text=True, timeout=300, cwd=environment,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
    )  # fmt: skip
    if done.returncode == 0:
        return ""
    lines = [x for x in done.stderr.splitlines() if re.match(r"[A-Za-z_.]+(Error|Exception)\b", x)]
    text = lines[-1] if lines else f"exit status {done.returncode}"
    if done.returncode < 0:
        text = f"the process is killed by {signal.Signals(-done.returncode).name}"
    # Where it was installed is of no interest.
    return re.sub(r" \((?:/|unknown location)[^)]*\)", "", text)[:220]


def of_python(pair: Pair, root: Path) -> tuple[str, list[dict[str, str]]]:
    """(error, what was seen) of releases that an interpreter is too new for."""
    error, seen = "", []
    for sample in pair.samples:
        for python in (pair.works, pair.python):
            interpreter = next(root.glob(f"{python}.*/bin/python"))
            with tempfile.TemporaryDirectory() as directory:
                environment = Path(directory) / "venv"
                subprocess.run(
                    [interpreter, "-m", "venv", "--without-pip", environment], check=True
                )
                pip(
                    environment,
                    "install",
                    "-q",
                    "--no-compile",
                    f"{pair.name}=={sample}",
                    *pair.also,
                )
                failed = error_of(environment, pair.code)
            if bool(failed) is (python == pair.works):
                raise RuntimeError(f"{pair.name} {sample} on {python}: {failed or 'works'}")
            error = error or failed
        seen.append({pair.name: sample, "python": interpreter.parents[1].name})
    if pair.last:
        with tempfile.TemporaryDirectory() as directory:
            environment = Path(directory) / "venv"
            subprocess.run([interpreter, "-m", "venv", "--without-pip", environment], check=True)
            pip(environment, "install", "-q", "--no-compile", pair.name)
            newest = versions(environment)[pair.name]
            if newest != pair.samples[-1]:
                raise RuntimeError(f"{pair.name}: {newest} is the newest release")
    return error, seen


def of_name(pair: Pair, interpreter: Path) -> tuple[str, list[dict[str, str]]]:
    """(error, what was seen) of a distribution that is not the one that is meant."""
    error, seen = "", []
    for name in (pair.name, pair.instead):
        with tempfile.TemporaryDirectory() as directory:
            environment = Path(directory) / "venv"
            subprocess.run([interpreter, "-m", "venv", "--without-pip", environment], check=True)
            pip(environment, "install", "-q", "--no-compile", name)
            failed = error_of(environment, pair.code)
            if bool(failed) is (name == pair.instead):
                raise RuntimeError(f"{name}: {failed or 'works'}")
            error = error or failed
            seen.append({name: versions(environment)[name]})
    return error, seen


def prove(pair: Pair, root: Path) -> dict[str, Any]:
    """One row of the table; RuntimeError when the pair does not behave as it says."""
    interpreter = next(root.glob(f"{pair.python}.*/bin/python"))
    seen: list[dict[str, str]] = []
    error = ""
    if pair.works:
        error, seen = of_python(pair, root)
    elif pair.instead:
        error, seen = of_name(pair, interpreter)
    for sample in () if pair.works or pair.instead else pair.samples:
        with tempfile.TemporaryDirectory() as directory:
            environment = Path(directory) / "venv"
            subprocess.run([interpreter, "-m", "venv", "--without-pip", environment], check=True)
            pip(
                environment, "install", "-q", "--no-compile", "--only-binary", ":all:",
                f"{pair.name}=={sample}", pair.other, *pair.also,
            )  # fmt: skip
            got = versions(environment)
            if not SpecifierSet(pair.bad).contains(got[pair.other]):
                raise RuntimeError(
                    f"{pair.name} {sample}: {pair.other} resolves to {got[pair.other]}"
                )
            failed = error_of(environment, pair.code)
            if not failed:
                raise RuntimeError(
                    f"{pair.name} {sample} works with {pair.other} {got[pair.other]}"
                )
            error = error or failed
            seen.append({pair.name: got[pair.name], pair.other: got[pair.other]})
            pip(environment, "install", "-q", "--no-compile", "--only-binary", ":all:",
                f"{pair.other}{pair.remedy}", f"{pair.name}=={sample}", *pair.also)  # fmt: skip
            left = error_of(environment, pair.code)
            if left:
                raise RuntimeError(f"{pair.name} {sample} with {pair.other}{pair.remedy}: {left}")
    return {
        "id": pair.id,
        "name": pair.name,
        "versions": pair.versions,
        "other": pair.other,
        "bad": pair.bad,
        "pythons": pair.pythons,
        "module": pair.module,
        "at_import": pair.at_import,
        "calls": list(pair.calls),
        **({"servers": list(pair.servers)} if pair.servers else {}),
        **({"late": True} if pair.late else {}),
        **({"last": True} if pair.last else {}),
        **({"instead": pair.instead} if pair.instead else {}),
        **({"workers": list(pair.workers)} if pair.workers else {}),
        **({"unless": list(pair.unless)} if pair.unless else {}),
        **({"brought_by": [list(t) for t in pair.brought_by]} if pair.brought_by else {}),
        "remedy": pair.remedy,
        "error": error,
        "proved": [" ".join(f"{k}=={v}" for k, v in row.items()) for row in seen],
        "python": interpreter.parents[1].name,
        "date": datetime.datetime.now(tz=datetime.UTC).date(),
        "holds": [hold for hold, sample in pair.holds if holds(sample, pair)],
        "open": [sample.partition("==")[0] for sample in pair.open if not holds(sample, pair)],
    }


_metadata: dict[str, list[str]] = {}


def holds(sample: str, pair: Pair) -> bool:
    """Whether that release's metadata keeps ``other`` out of ``bad``."""
    wanted = [Requirement(text) for text in requirements_of(pair)[sample]]
    caps = [r for r in wanted if r.name == pair.other and "extra" not in str(r.marker)]
    return any(not r.specifier.contains("99999") for r in caps)


def requirements_of(pair: Pair) -> dict[str, list[str]]:
    """What the releases of the pair's lists require, from their metadata alone."""
    samples = [*(sample for _, sample in pair.holds), *pair.open]
    missing = [sample for sample in samples if sample not in _metadata]
    if missing:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory) / "report.json"
            command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            command += ["--dry-run", "--no-deps", "--ignore-installed", "--only-binary", ":all:"]
            command += ["--python-version", pair.python, "--target", directory]
            subprocess.run([*command, "--report", str(report), *missing], check=True, timeout=600)
            rows = json.loads(report.read_text(encoding="utf-8"))["install"]
        found = {
            re.sub(r"[-_.]+", "-", row["metadata"]["name"]).lower(): row["metadata"] for row in rows
        }
        for sample in missing:
            _metadata[sample] = found[sample.partition("==")[0]].get("requires_dist", [])
    return _metadata


def written(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Written by tools/verify_breaks.py, which installed and ran every pair; edit that, not this.",
        "",
    ]
    for row in rows:
        lines.append("[[breaks]]")
        for key, item in row.items():
            text = item.isoformat() if isinstance(item, datetime.date) else json.dumps(item)
            lines.append(f"{key} = {text}")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python-root", type=Path, default=Path.home() / ".pyenv" / "versions")
    parser.add_argument("--table", type=Path, default=TARGET)
    parser.add_argument("--only", nargs="*", default=())
    chosen = parser.parse_args()
    known: dict[str, dict[str, Any]] = {}
    if chosen.table.exists():
        rows = tomllib.loads(chosen.table.read_text(encoding="utf-8"))["breaks"]
        known = {row["id"]: {"open": [], "calls": [], **row} for row in rows}
    for pair in PAIRS:
        if (chosen.only and pair.id not in chosen.only) or (pair.id in known and not chosen.only):
            continue
        try:
            known[pair.id] = prove(pair, chosen.python_root)
            print(f"{pair.id}: {known[pair.id]['error']}", flush=True)
        except (RuntimeError, subprocess.SubprocessError) as problem:
            known.pop(pair.id, None)
            print(f"{pair.id}: NOT PROVED: {problem}", file=sys.stderr, flush=True)
        order = [p.id for p in PAIRS]
        chosen.table.write_text(written([known[i] for i in order if i in known]))


if __name__ == "__main__":
    main()
