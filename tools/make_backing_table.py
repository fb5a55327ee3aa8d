"""Write ``rules/knowledge/backing.toml``: databases, brokers and monitors as they are pulled.

    python tools/make_backing_table.py FOLDER > rules/knowledge/backing.toml
    python tools/compile_tables.py

``FOLDER`` holds, as ``OWNER/NAME/PATH``, the Dockerfiles and entrypoint scripts named below, as
their makers publish them; what is not there keeps the row that the table has. ENTRYPOINT, CMD,
EXPOSE and WORKDIR are read from the Dockerfile. What a first start needs stands here beside the
error that the entrypoint script prints: the script must hold each of these variables and texts,
or nothing is written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.catalog import knowledge  # noqa: E402
from auditor.deployment import images  # noqa: E402
from auditor.deployment.facts import Facts  # noqa: E402
from auditor.discovery import discover  # noqa: E402


@dataclass
class Need:
    """Variables of which one must be set (``any``), or which go together (``all``), and the error."""

    says: str
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()


@dataclass
class Image:
    """An image: its Dockerfile, where its entrypoint script is, and what decides its port."""

    dockerfile: str
    kind: str
    script: str = ""
    # Options and variables that move its (first) port.
    flags: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    needs: tuple[Need, ...] = ()
    also: tuple[str, ...] = ()
    # The configuration file that it does not start without, and the option that names it.
    config: str = ""
    config_flag: str = ""
    # Programs that a command may name instead of an option.
    programs: tuple[str, ...] = ()


POSTGRES = Need(
    says="Error: Database is uninitialized and superuser password is not specified.",
    any=("POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE", "POSTGRES_HOST_AUTH_METHOD=trust"),
)
MYSQL = Need(
    says="Database is uninitialized and password option is not specified",
    any=(
        "MYSQL_ROOT_PASSWORD",
        "MYSQL_ROOT_PASSWORD_FILE",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
        "MYSQL_RANDOM_ROOT_PASSWORD",
    ),
)
MARIADB = Need(
    says="Database is uninitialized and password option is not specified",
    any=(
        "MARIADB_ROOT_PASSWORD",
        "MARIADB_ROOT_PASSWORD_FILE",
        "MARIADB_ROOT_PASSWORD_HASH",
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
        "MARIADB_RANDOM_ROOT_PASSWORD",
        *MYSQL.any,
    ),
)
MONGO = Need(
    says="error: missing 'MONGO_INITDB_ROOT_USERNAME' or 'MONGO_INITDB_ROOT_PASSWORD'",
    all=("MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"),
)
PGADMIN = (
    Need(
        says="You need to define the PGADMIN_DEFAULT_EMAIL and PGADMIN_DEFAULT_PASSWORD or "
        "PGADMIN_DEFAULT_PASSWORD_FILE environment variables.",
        any=("PGADMIN_DEFAULT_EMAIL",),
    ),
    Need(
        says="You need to define the PGADMIN_DEFAULT_EMAIL and PGADMIN_DEFAULT_PASSWORD or "
        "PGADMIN_DEFAULT_PASSWORD_FILE environment variables.",
        any=("PGADMIN_DEFAULT_PASSWORD", "PGADMIN_DEFAULT_PASSWORD_FILE"),
    ),
)
LISTEN = ("--web.listen-address",)
# image: where it is made. The newest release's folder stands for all of its tags.
IMAGES = {
    "postgres": Image(
        "docker-library/postgres/18/trixie/Dockerfile",
        "postgres",
        "docker-library/postgres/18/trixie/docker-entrypoint.sh",
        flags=("-p", "--port"),
        env=("PGPORT",),
        needs=(POSTGRES,),
        also=("pgvector/pgvector", "postgis/postgis", "timescale/timescaledb"),
        programs=("postgres",),
    ),
    "mysql": Image(
        "docker-library/mysql/9.7/Dockerfile.oracle",
        "mysql",
        "docker-library/mysql/9.7/docker-entrypoint.sh",
        flags=("--port", "-P"),
        needs=(MYSQL,),
        programs=("mysqld",),
    ),
    "mariadb": Image(
        "MariaDB/mariadb-docker/12.3/Dockerfile",
        "mysql",
        "MariaDB/mariadb-docker/12.3/docker-entrypoint.sh",
        flags=("--port", "-P"),
        needs=(MARIADB,),
        programs=("mariadbd", "mysqld"),
    ),
    "mongo": Image(
        "docker-library/mongo/8.2/Dockerfile",
        "mongodb",
        "docker-library/mongo/8.2/docker-entrypoint.sh",
        flags=("--port",),
        needs=(MONGO,),
        programs=("mongod",),
    ),
    "redis": Image(
        "redis/docker-library-redis/7.4/debian/Dockerfile",
        "redis",
        flags=("--port",),
        also=("valkey/valkey",),
        programs=("redis-server", "valkey-server"),
    ),
    "rabbitmq": Image(
        "docker-library/rabbitmq/4.3/ubuntu/Dockerfile",
        "rabbitmq",
        env=("RABBITMQ_NODE_PORT",),
        programs=("rabbitmq-server",),
    ),
    "memcached": Image(
        "docker-library/memcached/1/debian/Dockerfile",
        "memcached",
        flags=("-p", "--port"),
        programs=("memcached",),
    ),
    "prom/prometheus": Image(
        "prometheus/prometheus/Dockerfile",
        "prometheus",
        flags=LISTEN,
        config="/etc/prometheus/prometheus.yml",
        config_flag="--config.file",
        also=("quay.io/prometheus/prometheus",),
    ),
    "prom/alertmanager": Image(
        "prometheus/alertmanager/Dockerfile",
        "alertmanager",
        flags=LISTEN,
        config="/etc/alertmanager/alertmanager.yml",
        config_flag="--config.file",
        also=("quay.io/prometheus/alertmanager",),
    ),
    "prom/node-exporter": Image(
        "prometheus/node_exporter/Dockerfile",
        "node-exporter",
        flags=LISTEN,
        also=("quay.io/prometheus/node-exporter",),
    ),
    "prom/pushgateway": Image("prometheus/pushgateway/Dockerfile", "pushgateway", flags=LISTEN),
    "grafana/grafana": Image(
        "grafana/grafana/Dockerfile",
        "grafana",
        env=("GF_SERVER_HTTP_PORT",),
        also=("grafana/grafana-oss", "grafana/grafana-enterprise"),
    ),
    "minio/minio": Image(
        "minio/minio/Dockerfile.release",
        "minio",
        flags=("--address",),
        also=("quay.io/minio/minio",),
        programs=("minio",),
    ),
    "qdrant/qdrant": Image(
        "qdrant/qdrant/Dockerfile", "qdrant", env=("QDRANT__SERVICE__HTTP_PORT",)
    ),
    "dpage/pgadmin4": Image(
        "pgadmin-org/pgadmin4/Dockerfile",
        "pgadmin",
        "pgadmin-org/pgadmin4/pkg/docker/entrypoint.sh",
        env=("PGADMIN_LISTEN_PORT",),
        needs=PGADMIN,
    ),
    "mongo-express": Image(
        "mongo-express/mongo-express-docker/1.0/20-alpine3.19/Dockerfile", "mongo-express"
    ),
    "adminer": Image("TimWolla/docker-adminer/5/Dockerfile", "adminer", ports=(8080,)),
}


def read(facts: Facts, spec: Image) -> dict[str, Any] | None:
    """The row of one image; None when its Dockerfile is not in the folder.

    :raises SystemExit: the entrypoint script does not hold what ``needs`` says of it.
    """
    built = images.build(facts, dockerfile=spec.dockerfile, context="", target=None)
    if built is None:
        return None
    own = built.image
    if spec.script:
        text = facts.read(spec.script)
        script = " ".join(text.text.split()) if text is not None else ""
        for need in spec.needs:
            names = {name.partition("=")[0] for name in (*need.any, *need.all)}
            lacking = [n for n in names if not _in(n, script)]
            if lacking or " ".join(need.says.split()) not in script:
                raise SystemExit(f"{spec.script} does not hold {lacking or need.says!r}")
    owner, name, rest = spec.dockerfile.split("/", 2)
    release = re.match(r"(\d+)(?:\.\d+)?/", rest)
    exposed = [p.first for p in own.exposed if p.first is not None and p.protocol == "tcp"]
    return {
        "entrypoint": list(own.entrypoint.argv or ()) if own.entrypoint else [],
        "cmd": list(own.cmd.argv or ()) if own.cmd else [],
        "ports": list(spec.ports) or exposed,
        "newest": int(release[1]) if release else 0,
        "source": f"{rest} of {owner}/{name}",
    }


def _in(name: str, script: str) -> bool:
    """Whether a script reads a variable.; ``file_env X`` reads ``X_FILE`` as well."""
    return name in script or (name.endswith("_FILE") and _in(name[:-5], script))


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Print the table, sorted by image."""
    print("# Written by tools/make_backing_table.py; edit that, not this.")
    for image, row in sorted(rows.items()):
        print(f"\n[{json.dumps(image)}]")
        for key, told in row.items():
            if told and key != "needs":
                print(f"{key} = {json.dumps(told)}")
        for need in row.get("needs", ()):
            print(f"[[{json.dumps(image)}.needs]]")
            for key, told in need.items():
                if told:
                    print(f"{key} = {json.dumps(told)}")


def main() -> None:
    """Read the folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    facts = Facts(discover(str(parser.parse_args().folder)))
    before = knowledge("backing.toml")
    rows = {}
    for image, spec in IMAGES.items():
        row = read(facts, spec)
        if row is None:
            rows[image] = dict(before[image])
        else:
            rows[image] = {
                "kind": spec.kind,
                **row,
                "flags": list(spec.flags),
                "env": list(spec.env),
                "config": spec.config,
                "config_flag": spec.config_flag,
                "programs": list(spec.programs),
                "needs": [
                    {"says": n.says, "any": list(n.any), "all": list(n.all)} for n in spec.needs
                ],
            }
        rows |= {
            other: {**rows[image], "source": f"as {image}: {rows[image]['source']}"}
            for other in spec.also
        }
    write(rows)


if __name__ == "__main__":
    main()
