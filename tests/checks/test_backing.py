"""Databases and brokers that are pulled: their start, their ports, and who asks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from repo_kit import of, service

from auditor.result import AuditResult

API = "services:\n  api:\n    build: .\n    ports: ['8000:8000']\n"


def run(tmp_path: Path, compose: str) -> AuditResult:
    return service(tmp_path, {"compose.yaml": compose})


def db(image: str, *lines: str) -> str:
    return f"{API}  db:\n    image: {image}\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("compose", "rule", "start"),
    [
        (db("postgres:16.4"), "IMG012", "no"),
        (db("postgres:16.4", "environment: {POSTGRES_PASSWORD: ''}"), "IMG012", "no"),
        (db("postgres:16.4", "environment: {POSTGRES_PASSWORD: x}"), None, "yes"),
        (db("postgres:16.4", "environment: {POSTGRES_HOST_AUTH_METHOD: trust}"), None, "yes"),
        (db("postgres:16.4", "environment: {POSTGRES_HOST_AUTH_METHOD: md5}"), "IMG012", "no"),
        (db("pgvector/pgvector:pg16", "environment: {POSTGRES_USER: x}"), "IMG012", "no"),
        (db("postgres:16.4", "environment: {POSTGRES_PASSWORD: '${NOT_TOLD}'}"), None, "yes"),
        (db("mysql:8.4", "environment: {MYSQL_DATABASE: x}"), "IMG012", "no"),
        (db("mysql:8.4", "environment: {MYSQL_RANDOM_ROOT_PASSWORD: 'yes'}"), None, "yes"),
        (db("mariadb:11", "environment: {MYSQL_ROOT_PASSWORD: x}"), None, "yes"),
        (db("mongo:7", "environment: {MONGO_INITDB_ROOT_USERNAME: x}"), "IMG012", "no"),
        (db("mongo:7"), None, "yes"),
        (db("redis:7-alpine"), None, "yes"),
        (db("minio/minio"), "IMG018", "no"),
        (db("minio/minio", "command: server /data"), None, "yes"),
        (db("prom/prometheus", "command: ['--storage.tsdb.retention.time=1d']"), "IMG018", "no"),
        (
            db("prom/prometheus", "command: ['--config.file=/etc/prometheus/prometheus.yml']"),
            None,
            "yes",
        ),
        (db("prom/prometheus", "command: ['--config.file=/etc/p.yml']"), "IMG018", "no"),
        (db("prom/prometheus", "command: ['--config.file=/etc/${NOT_TOLD}']"), None, "yes"),
        (
            db("postgres:18", "environment: {POSTGRES_PASSWORD: x}", "volumes: ['data:/var/lib/postgresql/data']")
            + "volumes: {data: {}}\n",
            "PTH005",
            "no",
        ),
        (
            db("postgres", "environment: {POSTGRES_PASSWORD: x}", "volumes: ['data:/var/lib/postgresql/data']")
            + "volumes: {data: {}}\n",
            "PTH005",
            "no",
        ),
        (
            db("postgres:17", "environment: {POSTGRES_PASSWORD: x}", "volumes: ['data:/var/lib/postgresql/data']")
            + "volumes: {data: {}}\n",
            None,
            "yes",
        ),
        (
            db("postgres:18", "environment: {POSTGRES_PASSWORD: x}", "volumes: ['data:/var/lib/postgresql']")
            + "volumes: {data: {}}\n",
            None,
            "yes",
        ),
        (db("postgres:16.4", "command: ['bash', '-c', 'exec x']"), None, "unknown"),
    ],
)  # fmt: skip
def test_start_of_a_pulled_service(
    compose: str, rule: str | None, start: str, tmp_path: Path
) -> None:
    result = run(tmp_path, compose)
    asked = next(s for s in result.services if s.name == "db")
    assert asked.forecast.starts == start
    found = {f.rule for f in result.findings if f.rule in ("IMG012", "IMG018", "PTH005")}
    assert found == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("image", "published", "wrong"),
    [
        ("redis:7", "6380:6379", False),
        ("redis:7", "6380:6380", True),
        ("grafana/grafana", "3001:3001", True),
        ("rabbitmq:3", "15672:15672", True),
        ("rabbitmq:3-management", "15672:15672", False),
    ],
)
def test_published_ports_of_a_pulled_service(
    image: str, published: str, wrong: bool, tmp_path: Path
) -> None:
    result = run(tmp_path, db(image, f"ports: ['{published}']"))
    assert bool(of(result, "NET003")) is wrong


OWNED = "{POSTGRES_USER: app, POSTGRES_PASSWORD: 'p@ss', POSTGRES_DB: scores}"


def asking(url: str, *lines: str, image: str = "postgres:16.4", env: str = OWNED) -> str:
    told = f"    environment:\n      DATABASE_URL: {url}\n"
    extra = "".join(f"    {line}\n" for line in lines)
    return f"{API}{told}  db:\n    image: {image}\n    environment: {env}\n    ports: ['5433:5432']\n{extra}"


@pytest.mark.parametrize(
    ("compose", "severity"),
    [
        (asking("postgresql+psycopg2://app:p%40ss@db:5432/scores"), None),
        (asking("postgresql://app:p%40ss@db/scores"), None),
        (asking("postgresql://app:p%40ss@db:5433/scores"), "high"),
        (asking("postgresql://app:p%40ss@localhost:5432/scores"), "high"),
        (asking("postgresql://app:p%40ss@postgres:5432/scores"), "high"),
        (asking("postgresql://app:p%40ss@db.example.com:5433/scores"), None),
        (asking("postgresql://app:wrong@db:5432/scores"), "high"),
        (asking("postgresql://postgres:p%40ss@db:5432/scores"), "high"),
        (asking("postgresql://app:p%40ss@db:5432/other"), "medium"),
        (
            asking("postgresql://me:x@db:5432/scores", "volumes: ['./init:/docker-entrypoint-initdb.d']"),
            None,
        ),
        (asking("redis://:x@db:6379/0", image="redis:7", env="{}"), "high"),
        (asking("redis://db:6379/0", image="redis:7", env="{}"), None),
        (asking("redis://db:6379/0", "command: redis-server --requirepass x", image="redis:7", env="{}"), "high"),
        (asking("redis://:x@db:6379/0", "command: redis-server --requirepass ${NOT_TOLD}", image="redis:7", env="{}"), None),
        (asking("http://db:6379", image="redis:7", env="{}"), None),
        (asking("amqp://guest:guest@db//", image="rabbitmq:3", env="{}"), None),
        (
            asking(
                "mongodb://u:p@db/scores",
                image="mongo:7",
                env="{MONGO_INITDB_ROOT_USERNAME: u, MONGO_INITDB_ROOT_PASSWORD: p}",
            ),
            "high",
        ),
        (
            asking(
                "mongodb://u:p@db/scores?authSource=admin",
                image="mongo:7",
                env="{MONGO_INITDB_ROOT_USERNAME: u, MONGO_INITDB_ROOT_PASSWORD: p}",
            ),
            None,
        ),
    ],
)  # fmt: skip
def test_addresses_and_users(compose: str, severity: str | None, tmp_path: Path) -> None:
    result = run(tmp_path, compose)
    found = of(result, "NET014")
    assert [f.severity.label for f in found] == ([severity] if severity else [])
    assert not any("p@ss" in f.message or "wrong" in f.message for f in found)


def test_pairs_of_host_and_port(tmp_path: Path) -> None:
    env = "    environment: {DB_HOST: db, DB_PORT: '%s'}\n"
    rest = f"  db:\n    image: postgres:16.4\n    environment: {OWNED}\n    ports: ['5433:5432']\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert of(run(tmp_path / "a", API + env % 5433 + rest), "NET014")
    assert not of(run(tmp_path / "b", API + env % 5432 + rest), "NET014")


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ("{PGHOST: db, PGPORT: '5433'}", True),
        ("{PGHOST: localhost}", True),
        ("{POSTGRES_SERVER: postgres}", True),
        ("{POSTGRES_DEFAULT_VHOST: celery}", False),
        ("{DB_HOST: localhost}", False),
    ],
)
def test_names_of_variables(env: str, found: bool, tmp_path: Path) -> None:
    rest = f"  db:\n    image: postgres:16.4\n    environment: {OWNED}\n"
    result = run(tmp_path, f"{API}    environment: {env}\n{rest}")
    assert bool(of(result, "NET014")) is found
