"""Model servers: the static verdict against what the real servers did with the same files."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config import Settings
from auditor.engine import audit
from auditor.parsers import modelservers as parse
from auditor.result import AuditResult
from auditor.source import SourceText

TABLE = Path(__file__).parents[2] / "tools" / "model_servers.toml"
CASES: list[dict[str, Any]] = tomllib.loads(TABLE.read_text())["case"]
PYTHON = """\
FROM python:3.11-slim
WORKDIR /srv
RUN pip install mlserver==1.7.1 mlserver-sklearn==1.7.1 torchserve==0.12.0
COPY models /models
"""
COMMANDS = {
    "mlserver": ["mlserver", "start", "/models"],
    "triton": ["tritonserver", "--model-repository=/models"],
}
BASES = {"triton": "FROM nvcr.io/nvidia/tritonserver:24.08-py3\nCOPY models /models\n"}


def repository(root: Path, case: dict[str, Any]) -> AuditResult:
    """The case's model repository in an image that starts its server."""
    command = COMMANDS.get(case["server"]) or [
        "torchserve", "--start", "--foreground", *case["arguments"],
    ]  # fmt: skip
    words = ", ".join(f'"{word}"' for word in command)
    base = BASES.get(case["server"], PYTHON)
    files = {"Dockerfile": f"{base}CMD [{words}]\n"}
    if case.get("compose"):
        files["compose.yaml"] = "services:\n  api:\n    build: .\n"
    files |= {f"models/{path}": text for path, text in case["files"].items()}
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(pickle.dumps([1.0]) if text == "@model" else text.encode())
    return audit(root, Settings())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_verdict_is_what_the_server_did(case: dict[str, Any], tmp_path: Path) -> None:
    result = repository(tmp_path, case)
    assert result.crashed == ()
    (service,) = result.services
    answers = dict(service.forecast.answers())
    if case["outcome"] == "ends":
        assert answers["starts"] == "no"
    elif case["outcome"] == "empty":
        assert answers["starts"] != "no"
        assert answers["predicts"] == "no"
    else:
        assert "no" not in answers.values()
        assert [f.message for f in result.findings if f.rule == "SRV007"] == []


def test_each_outcome_is_in_the_table() -> None:
    kinds = {(case["server"], case["outcome"]) for case in CASES}
    assert len(CASES) >= 25
    assert {("mlserver", o) for o in ("serves", "empty", "ends")} <= kinds
    assert {("triton", o) for o in ("serves", "empty", "ends")} <= kinds


def written(root: Path, files: dict[str, str]) -> AuditResult:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return audit(root, Settings())


COMPOSE = 'services:\n  api:\n    build: .\n    ports: ["8000:{port}", "9000:{other}"]\n'


def listens(result: AuditResult) -> list[tuple[object, object]]:
    return [(item.host, item.port) for item in result.services[0].listens]


def test_torchserve_reads_the_properties_of_its_working_directory(tmp_path: Path) -> None:
    result = written(
        tmp_path,
        {
            "Dockerfile": "FROM pytorch/torchserve:0.12.0-cpu\nCOPY . .\n"
            'CMD ["torchserve", "--start", "--model-store", "model-store", "--models", "all"]\n',
            "config.properties": "inference_address=http://0.0.0.0:6060\n"
            "metrics_address=http://0.0.0.0:6062\n",
            "compose.yaml": COMPOSE.format(port=6060, other=6062),
        },
    )
    assert listens(result) == [("0.0.0.0", 6060)]
    assert [f.rule for f in result.findings if f.rule in ("NET001", "NET003")] == []


def test_torchserve_without_any_properties_binds_loopback(tmp_path: Path) -> None:
    result = written(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.11-slim\nWORKDIR /srv\nRUN pip install torchserve==0.12.0\n"
            'CMD ["torchserve", "--start", "--foreground", "--model-store", "/srv"]\n',
            "compose.yaml": COMPOSE.format(port=8080, other=8081),
        },
    )
    assert listens(result) == [("127.0.0.1", 8080)]
    assert "NET001" in {f.rule for f in result.findings}


def test_mlserver_file_beats_variable(tmp_path: Path) -> None:
    result = written(
        tmp_path,
        {
            "Dockerfile": "FROM python:3.11-slim\nRUN pip install mlserver==1.7.1\n"
            'ENV MLSERVER_HTTP_PORT=8955\nCOPY models /models\nCMD ["mlserver", "start", "/models"]\n',
            "models/settings.json": '{"http_port": 8901, "metrics_port": 8903}',
            "compose.yaml": COMPOSE.format(port=8901, other=8903),
        },
    )
    assert listens(result) == [("0.0.0.0", 8901)]
    assert [f.rule for f in result.findings if f.rule == "NET003"] == []


SAVED = "FROM tensorflow/serving:2.16.1\n"


@pytest.mark.parametrize(
    ("files", "served"),
    [
        ({"Dockerfile": f"{SAVED}COPY m /models/price\nENV MODEL_NAME=price\n", "m/1/saved_model.pb": ""}, True),
        ({"Dockerfile": f"{SAVED}COPY m /models/price\nENV MODEL_NAME=price\n", "m/saved_model.pb": ""}, False),
        ({"Dockerfile": f"{SAVED}COPY m /models/model\n", "m/v1/saved_model.pb": ""}, False),
        (
            {
                "Dockerfile": f'{SAVED}COPY m /models\nCMD ["--model_config_file=/models/models.config"]\n',
                "m/models.config": 'model_config_list { config { name: "p" base_path: "/models/p" } }',
                "m/p/3/saved_model.pb": "",
            },
            True,
        ),
    ],
)  # fmt: skip
def test_tensorflow_serving_wants_versions(
    files: dict[str, str], served: bool, tmp_path: Path
) -> None:
    result = written(tmp_path, files)
    found = [f.message for f in result.findings if f.rule == "SRV007"]
    assert (found == []) is served
    assert (dict(result.services[0].forecast.answers())["predicts"] != "no") is served


# ---- parsers ----

NAMES = st.sampled_from(["name", "input", "dims", "kind"])
SCALARS = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)


FLAT = st.lists(st.tuples(NAMES, SCALARS), max_size=4)
NESTED = st.lists(st.tuples(NAMES, st.one_of(SCALARS, FLAT)), max_size=4)
MESSAGES = st.lists(st.tuples(NAMES, st.one_of(SCALARS, NESTED)), max_size=4)


def spell(fields: list[tuple[str, Any]], quote: bool) -> str:
    parts = []
    for name, value in fields:
        if isinstance(value, list):
            parts.append(f"{name} {{ {spell(value, quote)} }}")
        else:
            parts.append(f'{name}: "{value}"' if quote else f"{name}: {value} # {value}\n")
    return "\n".join(parts)


def plain(message: parse.Message) -> list[tuple[str, Any]]:
    return [
        (f.name, plain(f.value) if isinstance(f.value, parse.Message) else f.value)
        for f in message.fields
    ]


@given(MESSAGES, st.booleans())
def test_text_protobuf_is_read_back(fields: list[tuple[str, Any]], quote: bool) -> None:
    message = parse.parse_pbtxt(SourceText("config.pbtxt", spell(fields, quote)))
    assert message.problems == ()
    assert plain(message) == fields


@given(st.text(max_size=200))
def test_readers_never_raise(text: str) -> None:
    source = SourceText("config.pbtxt", text)
    parse.parse_pbtxt(source)
    parse.parse_model_settings(source)
    parse.parse_mlserver(source).options({})
    parse.parse_torchserve(source).options({})


def test_deep_text_protobuf_is_refused() -> None:
    message = parse.parse_pbtxt(SourceText("config.pbtxt", "a {" * 10_000))
    assert message.problems and message.problems[0].fatal
