"""Compose: the documented rules one by one, and docker-compose itself as oracle."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers.compose import file_sets, load, stands_alone
from auditor.parsers.compose.facts import ComposeProject, ComposeService, PortRange
from auditor.parsers.compose.items import parse_port
from auditor.parsers.compose.tree import SERVICE_KEYS
from auditor.source import Location, SourceText, Unknown


class Files:
    """A repository in memory."""

    def __init__(self, files: dict[str, str], ignored: tuple[str, ...] = ()) -> None:
        self.files = {name: dedent(text) for name, text in files.items()}
        self.ignored = ignored

    def is_file(self, path: str) -> bool:
        return path in self.files

    def is_dir(self, path: str) -> bool:
        return any(name.startswith(path + "/") for name in self.files)

    def ignored_exists(self, path: str) -> bool:
        return path in self.ignored

    def read_text(self, path: str) -> SourceText:
        return SourceText(path, self.files[path])


def project(
    files: dict[str, str] | str, *names: str, ignored: tuple[str, ...] = ()
) -> ComposeProject:
    if isinstance(files, str):
        files = {"compose.yaml": files}
    tree = Files(files, ignored)
    names = names or (next(iter(files)),)
    return load([tree.read_text(name) for name in names], tree)


def service(text: str, name: str = "web") -> ComposeService:
    found = project(text).service(name)
    assert found is not None
    return found


def messages(found: ComposeProject) -> str:
    return "\n".join(problem.message for problem in found.problems)


# --- ports -----------------------------------------------------------------------

AT = Location("f")


@pytest.mark.parametrize(
    ("text", "host", "published", "target", "protocol"),
    [
        ("8000", None, None, "8000", "tcp"),
        ("80:8000", None, "80", "8000", "tcp"),
        ("127.0.0.1:80:8000/udp", "127.0.0.1", "80", "8000", "udp"),
        ("127.0.0.1::8000", "127.0.0.1", None, "8000", "tcp"),
        ("[::1]:80:8000", "::1", "80", "8000", "tcp"),
        ("3000-3005", None, None, "3000-3005", "tcp"),
        ("9090-9091:8080-8081", None, "9090-9091", "8080-8081", "tcp"),
        ("8000-9000:80", None, "8000-9000", "80", "tcp"),
        ("22:22", None, "22", "22", "tcp"),
    ],
)
def test_short_ports(
    text: str, host: str, published: str | None, target: str, protocol: str
) -> None:
    port = parse_port(text, AT)
    assert port is not None
    shown = None if port.published is None else str(port.published)
    assert (port.host_ip, shown, str(port.target), port.protocol) == (
        host,
        published,
        target,
        protocol,
    )


@pytest.mark.parametrize(
    "text", ["", "a", "80:", "80:b", "80:90/x", "1:2:3:x", "70000", "9-8", "1-3:1-2"]
)
def test_what_is_no_port(text: str) -> None:
    assert parse_port(text, AT) is None


@given(st.text(alphabet="0123456789:-/.[]tcpud\0", max_size=20))
def test_ports_never_raise(text: str) -> None:
    parse_port(text, AT)


def test_ports_of_a_service() -> None:
    web = service(
        """\
        services:
          web:
            image: x
            ports:
              - 22:22
              - "${PORT:-7000:7000}"
              - "${HOST_PORT}:8000"
              - target: 80
                published: "8080"
                host_ip: 127.0.0.1
                protocol: udp
                mode: host
            expose: ["9000", 9001/udp]
        """
    )
    first, default, variable, long = web.ports
    assert (str(first.published), str(first.target), first.at.line) == ("22", "22", 5)
    assert (str(default.published), str(default.target)) == ("7000", "7000")
    assert isinstance(variable.published, Unknown)
    assert variable.target == PortRange(first=8000, last=8000)
    assert (long.host_ip, long.protocol, long.mode, str(long.published)) == (
        "127.0.0.1",
        "udp",
        "host",
        "8080",
    )
    assert [str(port.target) for port in web.expose] == ["9000", "9001"]


# --- single keys -----------------------------------------------------------------


def test_build_paths() -> None:
    found = project(
        {
            "deploy/compose.yaml": """\
            services:
              a: {build: ..}
              b: {build: {context: ../svc, dockerfile: docker/Dockerfile.prod, target: prod, args: [X=1, Y]}}
              c: {build: "https://example.org/x.git#main"}
              d: {build: {dockerfile_inline: "FROM x"}}
              e: {build: ../../outside}
              f: {build: "./${DIR}"}
            """
        }
    )
    builds = {s.name: s.build for s in found.services}
    assert [builds[n].context for n in "abcdef"] == ["", "svc", None, "deploy", None, None]  # type: ignore[union-attr]
    b = builds["b"]
    assert b is not None and b.dockerfile_path == "svc/docker/Dockerfile.prod"
    assert [(arg.name, arg.value) for arg in b.args] == [("X", "1"), ("Y", None)]
    assert builds["a"].dockerfile_path == "Dockerfile"  # type: ignore[union-attr]
    assert builds["d"].dockerfile_path is None  # type: ignore[union-attr]


def test_commands() -> None:
    found = project(
        """\
        services:
          string: {image: x, command: uvicorn "main:app" --port 8000}
          list: {image: x, command: [a, "b c"]}
          none: {image: x, command: null}
          empty: {image: x, entrypoint: ""}
          open: {image: x, command: "echo 'x"}
          variable: {image: x, command: "run --port ${PORT} --x"}
        """
    )
    words = {
        s.name: s.command and s.command.words
        if s.name != "empty"
        else s.entrypoint and s.entrypoint.words
        for s in found.services
    }
    assert [w.value for w in words["string"]] == ["uvicorn", "main:app", "--port", "8000"]  # type: ignore[union-attr]
    assert [w.value for w in words["list"]] == ["a", "b c"]  # type: ignore[union-attr]
    assert words["none"] is None
    assert words["empty"] == ()
    assert isinstance(words["open"], Unknown)
    kinds = [isinstance(w.value, str) for w in words["variable"]]  # type: ignore[union-attr]
    assert kinds == [True, True, False, True]


def test_words_know_their_place() -> None:
    text = "services:\n  web:\n    image: x\n    command: run --host 127.0.0.1\n"
    command = service(text).command
    assert command is not None and not isinstance(command.words, Unknown)
    source = SourceText("f", text)
    for word in command.words:
        line = source.line_at(word.at.line)
        assert line[word.at.column - 1 : word.at.end_column - 1] == word.value


def test_volumes() -> None:
    found = project(
        {
            "d/compose.yaml": """\
            services:
              web:
                image: x
                volumes:
                  - ./models:/models:ro
                  - data:/data
                  - /cache
                  - ../up:/up
                  - ../../out:/out
                  - ~/x:/home
                  - /etc/x:/etc/x:ro,z
                  - C:\\\\x:/win
                  - ${DIR}:/var
                  - {type: bind, source: ./m, target: /m, read_only: true, bind: {create_host_path: false}}
                  - {type: tmpfs, target: /tmp}
            volumes:
              data:
            """
        }
    )
    volumes = found.services[0].volumes
    seen = [(v.type, v.path, v.target, v.read_only) for v in volumes]
    assert seen == [
        ("bind", "d/models", "/models", True),
        ("volume", None, "/data", False),
        ("volume", None, "/cache", False),
        ("bind", "up", "/up", False),
        ("bind", None, "/out", False),
        ("bind", None, "/home", False),
        ("bind", None, "/etc/x", True),
        ("bind", None, "/win", False),
        ("bind", None, "/var", False),
        ("bind", "d/m", "/m", True),
        ("tmpfs", None, "/tmp", False),
    ]
    assert volumes[2].is_anonymous and not volumes[1].is_anonymous
    assert not volumes[9].create_host_path
    assert isinstance(volumes[8].source.value, Unknown)  # type: ignore[union-attr]
    assert found.volumes[0].name == "data"


def test_the_last_mount_of_a_target_counts() -> None:
    web = service(
        """\
        services:
          web: {image: x, volumes: ["./a:/x", "./c:/y", "./b:/x/:ro"], ports: ["80:80", "80:80"]}
        """
    )
    assert [(v.path, v.read_only) for v in web.volumes] == [("b", True), ("c", False)]
    assert len(web.ports) == 1


def test_environment_and_env_files() -> None:
    found = project(
        {
            "compose.yaml": """\
            services:
              web:
                image: x
                env_file:
                  - base.env
                  - {path: gone.env, required: false}
                  - local.env
                environment:
                  A: "1"
                  HOST:
                  FROM_DOTENV:
                  V: ${UNSET}
              list: {image: x, env_file: base.env, environment: [A=1, B, "C=x=y"]}
            """,
            "base.env": "A=0\nBASE=b\n",
            ".env": "FROM_DOTENV=yes\n",
        },
        ignored=("local.env",),
    )
    web, listed = found.services
    values = {v.name: v.value for v in web.environment}
    assert isinstance(values.pop("V"), Unknown)
    assert values == {"A": "1", "BASE": "b", "HOST": None, "FROM_DOTENV": "yes"}
    base = web.variable("BASE")
    assert (
        base is not None
        and base.env_file == "base.env"
        and base.at == Location("base.env", 2, 1, 2, 5)
    )
    assert [(f.state, f.required) for f in web.env_files] == [
        ("present", True),
        ("missing", False),
        ("ignored", True),
    ]
    assert {v.name: v.value for v in listed.environment} == {
        "A": "1",
        "BASE": "b",
        "B": None,
        "C": "x=y",
    }
    assert found.others == (".env", "base.env")


def test_an_ignored_dotenv_is_not_known() -> None:
    found = project("services:\n  web:\n    image: x:${TAG}\n", ignored=(".env",))
    assert found.ignored_env
    assert isinstance(found.services[0].image.value, Unknown)  # type: ignore[union-attr]
    assert found.services[0].image.blank == "x:"  # type: ignore[union-attr]
    use = found.variables[0]
    assert (use.name, use.source, use.at.line) == ("TAG", "unset", 3)


def test_healthchecks() -> None:
    found = project(
        """\
        services:
          a: {healthcheck: {test: curl -f x, interval: 5s, retries: 3}}
          b: {healthcheck: {test: [CMD, curl, -f, x]}}
          c: {healthcheck: {test: [CMD-SHELL, "curl x || exit 1"]}}
          d: {healthcheck: {disable: true}}
          e: {healthcheck: {test: [NONE]}}
          f: {healthcheck: {interval: 5s}}
          g: {healthcheck: {test: [curl, x]}}
        """
    )
    checks = {s.name: s.healthcheck for s in found.services}
    assert [checks[n].form for n in "abcdefg"] == [  # type: ignore[union-attr]
        "shell", "exec", "shell", "none", "none", "inherit", "unknown",
    ]  # fmt: skip
    assert checks["a"].retries.value == "3"  # type: ignore[union-attr]
    assert [w.value for w in checks["b"].words] == ["curl", "-f", "x"]  # type: ignore[union-attr]
    assert checks["c"].shell.value == "curl x || exit 1"  # type: ignore[union-attr]
    assert "CMD" in messages(found)


def test_the_rest_of_a_service() -> None:
    found = project(
        """\
        services:
          web:
            image: x
            user: "1000:1000"
            working_dir: /app
            restart: unless-stopped
            read_only: true
            init: yes
            stop_grace_period: 30s
            mem_limit: 512m
            cpus: 0.5
            pids_limit: 100
            profiles: [gpu]
            network_mode: host
            networks: {front: {aliases: [a]}, back: }
            depends_on:
              db: {condition: service_healthy, restart: true}
            logging: {driver: json-file, options: {max-size: 10m}, max-file: 3}
            deploy:
              mode: replicated
              replicas: 3
              restart_policy: {condition: on-failure, max_attempts: 3}
              update_config: {order: start-first, parallelism: 1}
              resources:
                limits: {cpus: "0.5", memory: 1g, pids: 10}
                reservations: {devices: [{capabilities: [gpu]}]}
            develop: {watch: [{action: sync, path: ./src, target: /app}]}
            secrets: [token, {source: key, target: /k}]
            configs: [conf]
            lables: {a: b}
            x-mine: 1
        secrets:
          token: {file: ./token.txt}
          key: {external: true}
        """
    )
    web = found.services[0]
    assert (web.user.value, web.working_dir.value, web.restart.value) == (
        "1000:1000",
        "/app",
        "unless-stopped",
    )  # type: ignore[union-attr]
    assert web.read_only and web.init and not web.privileged
    assert web.logging is not None and web.logging.option("max-size").value == "10m"  # type: ignore[union-attr]
    assert [m.value for m in web.logging.misplaced] == ["max-file"]
    assert (
        web.deploy is not None
        and web.deploy.limits is not None
        and web.deploy.reservations is not None
    )
    assert web.deploy.replicas.value == "3" and web.deploy.limits.memory.value == "1g"  # type: ignore[union-attr]
    assert web.deploy.update_config.order.value == "start-first"  # type: ignore[union-attr]
    assert web.deploy.restart_policy.condition.value == "on-failure"  # type: ignore[union-attr]
    assert web.deploy.reservations.devices == ("gpu",)
    assert (web.depends_on[0].condition, web.depends_on[0].restart) == ("service_healthy", True)
    assert [(n.name, n.aliases) for n in web.networks] == [("front", ("a",)), ("back", ())]
    assert web.watch[0].source.path == "src"
    assert [(s.source, s.target) for s in web.secrets] == [
        ("token", "/run/secrets/token"),
        ("key", "/k"),
    ]
    assert web.configs[0].target == "/conf"
    assert [(key, at.line) for key, at in web.unknown_keys] == [("lables", 30)]
    assert found.secrets[0].file.path == "token.txt" and found.secrets[1].external  # type: ignore[union-attr]


# --- merging ---------------------------------------------------------------------


def test_files_are_merged_in_order() -> None:
    found = project(
        {
            "compose.yaml": """\
            services:
              web:
                image: a
                command: one
                environment: {A: "1", B: "1"}
                ports: ["80:80", "81:81"]
                volumes: ["./a:/x", "./b:/y"]
                depends_on: [db]
                logging: {driver: json-file, options: {max-size: 1m}}
                healthcheck: {test: old, interval: 1s}
              db: {image: db}
            """,
            "compose.override.yaml": """\
            services:
              web:
                image: b
                command: [two]
                environment: ["B=2", "C=3"]
                ports: ["80:80", "90:90"]
                volumes: ["./c:/x:ro"]
                depends_on: {cache: {condition: service_healthy}}
                logging: {driver: syslog}
                healthcheck: {test: [CMD, new]}
              cache: {image: redis}
            """,
        },
        "compose.yaml",
        "compose.override.yaml",
    )
    web = found.service("web")
    assert web is not None
    assert web.image.value == "b" and web.image.at.path == "compose.override.yaml"  # type: ignore[union-attr]
    assert [w.value for w in web.command.words] == ["two"]  # type: ignore[union-attr]
    assert {v.name: v.value for v in web.environment} == {"A": "1", "B": "2", "C": "3"}
    assert [str(p.published) for p in web.ports] == ["80", "81", "90"]
    assert [(v.path, v.target, v.read_only) for v in web.volumes] == [
        ("c", "/x", True),
        ("b", "/y", False),
    ]
    assert {d.service for d in web.depends_on} == {"db", "cache"}
    assert web.logging.options == ()  # type: ignore[union-attr]
    assert web.healthcheck.form == "exec" and web.healthcheck.interval.value == "1s"  # type: ignore[union-attr]
    assert {s.name for s in found.services} == {"web", "db", "cache"}


def test_reset_and_override() -> None:
    found = project(
        {
            "a.yaml": """\
            services:
              web: {image: a, ports: ["80:80"], environment: {A: "1", B: "2"}, command: x}
              gone: {image: g}
            """,
            "b.yaml": """\
            services:
              web:
                ports: !override ["90:90"]
                environment: {A: !reset null}
                command: !reset null
              gone: !reset null
            """,
        },
        "a.yaml",
        "b.yaml",
    )
    web = found.service("web")
    assert web is not None
    assert [str(p.published) for p in web.ports] == ["90"]
    assert [v.name for v in web.environment] == ["B"]
    assert web.command is None
    assert found.service("gone") is None


def test_extends() -> None:
    found = project(
        {
            "compose.yaml": """\
            services:
              base: {image: b, environment: {A: "1"}, ports: ["80:80"]}
              web:
                extends: base
                environment: {B: "2"}
              far:
                extends: {file: common/base.yaml, service: svc}
                command: run
              loop: {extends: pool, image: x}
              pool: {extends: loop}
              lost: {extends: nobody, image: x}
              gone: {extends: {file: absent.yaml, service: x}, image: x}
            """,
            "common/base.yaml": """\
            services:
              svc: {build: ., volumes: ["./data:/data"], extends: deeper}
              deeper: {user: me}
            """,
        }
    )
    web, far = found.service("web"), found.service("far")
    assert web is not None and far is not None
    assert {v.name for v in web.environment} == {"A", "B"}
    assert web.image.value == "b" and str(web.ports[0].target) == "80"  # type: ignore[union-attr]
    assert far.build.context == "common" and far.volumes[0].path == "common/data"  # type: ignore[union-attr]
    assert far.user.value == "me" and far.command is not None  # type: ignore[union-attr]
    text = messages(found)
    assert "circle" in text and "'nobody'" in text and "'absent.yaml'" in text
    assert found.others == ("common/base.yaml",)


def test_include() -> None:
    found = project(
        {
            "compose.yaml": """\
            include:
              - db/compose.yaml
              - {path: [a.yaml, b.yaml], project_directory: sub, env_file: x.env}
            services:
              web: {image: w, depends_on: [db]}
            """,
            "db/compose.yaml": "services:\n  db: {image: 'db:${TAG}', volumes: ['./d:/d']}\n",
            "db/.env": "TAG=7\n",
            "a.yaml": "services:\n  s: {build: ., image: '${X}'}\n",
            "b.yaml": "services:\n  s: {user: me}\n",
            "x.env": "X=from-x\n",
        }
    )
    db, sub = found.service("db"), found.service("s")
    assert db is not None and sub is not None
    assert db.image.value == "db:7" and db.volumes[0].path == "db/d"  # type: ignore[union-attr]
    assert sub.build.context == "sub" and sub.user.value == "me"  # type: ignore[union-attr]
    assert sub.image.value == "from-x"  # type: ignore[union-attr]
    assert {s.name for s in found.services} == {"web", "db", "s"}


def test_include_of_itself_ends() -> None:
    assert "itself" in messages(project("include: [compose.yaml]\nservices: {a: {image: x}}\n"))


def test_fragments() -> None:
    found = project(
        """\
        x-common: &common
          restart: always
          environment: &env {A: "1"}
        services:
          web: {<<: *common, image: x}
          api:
            <<: *common
            image: y
            environment: {<<: *env, B: "2"}
        """
    )
    web, api = found.services
    assert web.restart.value == "always" == api.restart.value  # type: ignore[union-attr]
    assert {v.name for v in api.environment} == {"A", "B"}
    assert not found.problems


# --- bad files -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("- a\n", "no mapping"),
        ("kind: Deployment\nspec: {}\n", "no 'services'"),
        ("web: {image: x}\n", "first file format"),
        ("services: [a]\n", "must be a mapping"),
        ("services:\n  web: [a]\n", "is no mapping"),
        ("services:\n  web: {image: x, ports: [abc]}\n", "no port mapping"),
        ("services:\n  web: {image: 'x$(y)'}\n", "interpolation"),
        ("services: {a: {image: x}\n", "not valid YAML"),
        ("services: {a: {{ .x }}}\n", "template"),
    ],
)
def test_bad_files_say_what_is_wrong(text: str, message: str) -> None:
    assert message in messages(project(text))


_words = st.sampled_from(
    "services web image build ports volumes environment extends include env_file command healthcheck "  # noqa: SIM905
    "test logging options deploy resources limits networks depends_on secrets configs file path x ${A} "
    "80:80 ./a:/b !reset !override null - : , { } [ ] &a *a <<: compose.yaml".split()
)
_any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["x", "80:80", "${A}", "./a:/b", "A=1", "compose.yaml"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(SERVICE_KEYS)), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_words, max_size=25).map(" ".join))
def test_rubbish_never_raises(text: str) -> None:
    hash(project(text))


@settings(max_examples=80, deadline=None)
@given(web=_any, over=_any)
def test_wrong_shapes_never_raise(web: object, over: object) -> None:
    import yaml

    files = {
        "compose.yaml": yaml.safe_dump(
            {"services": {"web": web, "b": {"extends": "web"}}, "volumes": web}
        ),
        "over.yaml": yaml.safe_dump({"services": {"web": over}, "include": over}),
    }
    hash(project(files, "compose.yaml", "over.yaml"))


def test_alias_bombs_do_not_expand() -> None:
    lines = ["x-0: &a0 {environment: {A: '1'}, labels: {b: c}}"]
    lines += [
        f"x-{i}: &a{i} {{p: *a{i - 1}, q: *a{i - 1}, labels: *a{i - 1}}}" for i in range(1, 60)
    ]
    text = "\n".join(
        [*lines, "services:", "  web: *a59", "  api: {extends: web, image: x, labels: *a58}"]
    )
    found = project({"a.yaml": text, "b.yaml": text}, "a.yaml", "b.yaml")
    assert len(found.services) == 2


# --- which files belong together --------------------------------------------------


def test_file_sets() -> None:
    sets = file_sets(
        [
            "compose.yaml",
            "docker-compose.yml",
            "compose.override.yaml",
            "compose.prod.yaml",
            "docker-compose.dev.yml",
            "svc/docker-compose.yaml",
            "other/docker-compose.gpu.yml",
        ]
    )
    assert [(s.files, s.is_default, s.is_dev) for s in sets] == [
        (("compose.yaml",), False, False),
        (("compose.yaml", "compose.override.yaml"), True, True),
        (("compose.yaml", "compose.prod.yaml"), False, False),
        (("compose.yaml", "docker-compose.dev.yml"), False, True),
        (("other/docker-compose.gpu.yml",), False, False),
        (("svc/docker-compose.yaml",), True, False),
    ]


def test_stands_alone() -> None:
    assert stands_alone(SourceText("f", "services: {a: {image: x}, b: {build: .}}"))
    assert not stands_alone(SourceText("f", "services: {a: {image: x}, b: {ports: []}}"))
    assert not stands_alone(SourceText("f", "volumes: {}"))


# --- oracle -----------------------------------------------------------------------


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is the oracle")
def test_docker_compose_reads_it_the_same_way(tmp_path: Path) -> None:
    tool = Path(__file__).parents[2] / "tools" / "compare_compose.py"
    files = {
        "docker-compose.yml": """\
        version: "3.8"
        x-env: &env {A: "1", B: "${B:-two}"}
        services:
          base: {image: "img:${TAG-latest}", environment: *env, command: run "a b" c}
          web:
            extends: base
            build: {context: ./app, args: [X=1]}
            ports: ["8000-8001:80-81", "127.0.0.1:9000:9000/udp", "22:22"]
            volumes: ["./m:/m:ro", "data:/data", "/anon"]
            environment: {<<: *env, C: "x$$y", D: "${FROM}"}
            env_file: more.env
            healthcheck: {test: curl x}
            expose: [7000]
          db: {image: db, depends_on: [base]}
        volumes: {data: {}}
        """,
        "docker-compose.override.yml": """\
        version: "3.8"
        services:
          web:
            ports: ["7000:7000"]
            volumes: ["./n:/m"]
            environment: ["A=9", "E=5"]
            command: [over]
          db: {entrypoint: /bin/db --x 'y z', user: "5", restart: always}
        """,
        ".env": "FROM=dotenv\n",
        "more.env": "MORE=1\nA=0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(dedent(text))
    (tmp_path / "app").mkdir()
    done = subprocess.run(
        ["python", str(tool), str(tmp_path), "--show-refused"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tool.parents[1])},
    )
    assert done.stdout.splitlines()[-1] == "{'agree': 1}", done.stdout + done.stderr
