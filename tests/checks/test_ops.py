from __future__ import annotations

from pathlib import Path

import pytest
import repo_kit as kit

BOUNDED = 'logging:\n  options:\n    max-size: "10m"'


def _ops(body: str, tmp_path: Path, rule: str) -> bool:
    result = kit.service(tmp_path, {"docker-compose.yml": kit.compose(body)})
    return bool(kit.of(result, rule))


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("", True),
        ("logging:\n  driver: json-file", True),
        (BOUNDED, False),
        ("logging:\n  driver: local", False),
        ("logging:\n  driver: ${LOG_DRIVER}", False),
        ('logging:\n  driver: json-file\n  max-size: "10m"', True),
    ],
)
def test_logs(body: str, reported: bool, tmp_path: Path) -> None:
    assert _ops(body, tmp_path, "OPS001") is reported


def test_one_finding_per_project(tmp_path: Path) -> None:
    text = kit.compose("") + '  other:\n    build: .\n    ports: ["8001:8000"]\n'
    result = kit.service(tmp_path, {"docker-compose.yml": text})
    for rule in ("OPS001", "OPS008", "OPS009"):
        (found,) = kit.of(result, rule)
        assert "`api`, `other`" in found.message
        assert len(found.related) == 1


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ('logging.basicConfig(filename="/tmp/a.log")', True),
        ('logging.getLogger().addHandler(logging.FileHandler("/tmp/a.log"))', True),
        ("logging.basicConfig(level=20)", False),
        (
            "import logging.handlers as h\n"
            'logging.getLogger().addHandler(h.RotatingFileHandler("/tmp/a", maxBytes=9, backupCount=1))',
            False,
        ),
        ('logging.basicConfig(filename="/dev/stdout")', False),
        ('def unused():\n    logging.basicConfig(filename="/tmp/a.log")', False),
    ],
)
def test_log_files(code: str, reported: bool, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {"app.py": f"import logging\n{code}\n" + kit.APP})
    assert bool(kit.of(result, "OPS002")) is reported


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("", True),
        ('restart: "no"', True),
        ("restart: always", False),
        ("deploy:\n  restart_policy:\n    condition: any", False),
    ],
)
def test_restart(body: str, reported: bool, tmp_path: Path) -> None:
    assert _ops(body, tmp_path, "OPS008") is reported


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("", True),
        ("mem_limit: 1g", False),
        ("deploy:\n  resources:\n    limits:\n      memory: 1g", False),
        ('deploy:\n  resources:\n    limits:\n      cpus: "1"', True),
    ],
)
def test_memory(body: str, reported: bool, tmp_path: Path) -> None:
    assert _ops(body, tmp_path, "OPS009") is reported


def test_two_compose_files_of_one_directory_are_one_deployment(tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": kit.compose(""),
        "docker-compose.server.yml": kit.compose(""),
    }
    result = kit.service(tmp_path, files)
    for rule in ("OPS001", "OPS008", "OPS009"):
        assert len(kit.of(result, rule)) == 1, rule


def test_what_the_file_for_production_says_holds_for_the_plain_one(tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": kit.compose(""),
        "docker-compose.server.yml": kit.compose(
            "restart: always\nmem_limit: 1g\nlogging: {driver: local}"
        ),
    }
    result = kit.service(tmp_path, files)
    for rule in ("OPS001", "OPS008", "OPS009"):
        assert not kit.of(result, rule), rule
