"""OPS of serving: each rule with the fault, without it, and with it solved somewhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serving_kit import DOCKERFILE, GOOD, HEAD, HEALTH, LOADED, found, line_of, lines, write

from auditor.findings import Confidence, Severity

COMPOSE = "services:\n  api:\n    build: .\n"
GUNICORN = DOCKERFILE.replace(
    '"uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"',
    '"gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-b", "0.0.0.0:8000", "app:app"',
)
Files = dict[str, str | bytes]


def predicts(body: str, imports: str = "") -> str:
    """An application whose prediction handler has this body."""
    return (
        imports + HEAD + LOADED + HEALTH + "@app.post('/predict')\n"
        f"def predict(item: Item):\n    answer = model.predict([item.values]).tolist()\n    {body}\n"
        "    return {'answer': answer}\n"
    )


def manifest(strategy: str = "", probe: str = "") -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\nspec:\n  replicas: 2\n"
        f"{strategy}  selector:\n    matchLabels: {{app: api}}\n  template:\n    metadata:\n"
        "      labels: {app: api}\n    spec:\n      containers:\n      - name: api\n"
        f"        image: registry/api:1\n        ports:\n        - containerPort: 8000\n{probe}"
    )


PROBE = "        readinessProbe:\n          httpGet: {path: /health, port: 8000}\n"
BUILT = {"README.md": "    docker build -t registry/api:1 .\n"}


# ---- OPS003 ----


def test_compose_stops_before_it_starts(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": GOOD, "docker-compose.yml": COMPOSE}), "OPS003")
    assert lines(result) == [("OPS003", "docker-compose.yml", 2)]
    assert result[0].severity is Severity.LOW


RELOAD = (
    "@app.post('/admin/reload')\ndef reload():\n    global model\n    model = joblib.load('m')\n"
)
POLLING = (
    "import threading, time\ndef poll():\n    global model\n    while True:\n        time.sleep(60)\n"
    "        model = joblib.load('model.joblib')\nthreading.Thread(target=poll, daemon=True).start()\n"
)
WATCHING = (
    "from apscheduler.schedulers.background import BackgroundScheduler\nBackgroundScheduler()\n"
)
MOUNTED = COMPOSE + "    volumes:\n      - ./models:/models\n"


@pytest.mark.parametrize(
    "files",
    [
        {"app.py": GOOD},  # where a lone image runs is not known
        {"app.py": GOOD, "docker-compose.yml": COMPOSE, "fly.toml": "app = 'x'\n"},
        {"app.py": GOOD, "docker-compose.yml": COMPOSE, "k8s/api.yaml": manifest(probe=PROBE)},
        {
            "app.py": GOOD,
            "docker-compose.yml": COMPOSE
            + "    deploy:\n      update_config:\n        order: start-first\n",
        },
        {"app.py": GOOD, "docker-compose.yml": COMPOSE + "    deploy:\n      replicas: 3\n"},
        {
            "app.py": GOOD,
            "docker-compose.yml": "services:\n  api-blue:\n    build: .\n  api-green:\n    build: .\n",
        },
        {"app.py": GOOD + RELOAD, "docker-compose.yml": COMPOSE},
        {
            "app.py": GOOD + "@app.post('/train')\ndef train():\n    return {}\n",
            "docker-compose.yml": COMPOSE,
        },
        {"app.py": GOOD + POLLING, "docker-compose.yml": COMPOSE},
        {"app.py": GOOD + WATCHING, "docker-compose.yml": COMPOSE},
        {
            "Dockerfile": GUNICORN,
            "app.py": GOOD.replace("model.joblib", "/models/m.joblib"),
            "docker-compose.yml": MOUNTED,
        },
    ],
    ids=[
        "image", "platform", "cluster", "start-first", "replicas", "blue and green", "reload route", "training",
        "polling", "scheduler", "HUP",
    ],
)  # fmt: skip
def test_model_can_be_changed(tmp_path: Path, files: Files) -> None:
    assert found(write(tmp_path, files), "OPS003") == []


def test_preload_takes_the_reload_away(tmp_path: Path) -> None:
    files: Files = {
        "Dockerfile": GUNICORN.replace('"app:app"', '"--preload", "app:app"'),
        "app.py": GOOD.replace("model.joblib", "/models/m.joblib"),
        "docker-compose.yml": MOUNTED,
    }
    assert len(found(write(tmp_path, files), "OPS003")) == 1


def test_recreate(tmp_path: Path) -> None:
    text = manifest("  strategy:\n    type: Recreate\n", PROBE)
    result = found(write(tmp_path, {**BUILT, "app.py": GOOD, "k8s/api.yaml": text}), "OPS003")
    assert [f.at.path for f in result] == ["k8s/api.yaml"]
    assert "Recreate" in result[0].message


SURGE = "  strategy:\n    type: RollingUpdate\n    rollingUpdate: {{maxSurge: {}, maxUnavailable: {}}}\n"


@pytest.mark.parametrize(
    ("replicas", "surge", "gone", "stops"),
    [
        (1, "0", "1", True),
        (1, "0%", "100%", True),
        (1, "1", "0", False),
        (1, "1", "1", False),
        (2, "0", "1", False),
    ],
)
def test_one_replica_without_surge(
    replicas: int, surge: str, gone: str, stops: bool, tmp_path: Path
) -> None:
    text = manifest(SURGE.format(surge, gone), PROBE).replace(
        "replicas: 2", f"replicas: {replicas}"
    )
    result = found(write(tmp_path, {"app.py": GOOD, "k8s/a.yaml": text, **BUILT}), "OPS003")
    assert [("none may be added" in f.message) for f in result] == ([True] if stops else [])


@pytest.mark.parametrize(("replicas", "stops"), [(1, True), (2, False)])
def test_a_stateful_set_of_one_is_replaced_in_place(
    replicas: int, stops: bool, tmp_path: Path
) -> None:
    text = manifest("", PROBE).replace("kind: Deployment", "kind: StatefulSet")
    text = text.replace("replicas: 2", f"replicas: {replicas}\n  serviceName: api")
    result = found(write(tmp_path, {"app.py": GOOD, "k8s/a.yaml": text, **BUILT}), "OPS003")
    assert bool(result) is stops


@pytest.mark.parametrize(
    ("image", "policy", "mixes"),
    [
        ("registry/api:latest", "IfNotPresent", True),
        ("registry/api", "IfNotPresent", True),
        ("registry/api:latest", "Always", False),
        ("registry/api:1", "IfNotPresent", False),
        ("registry/api:latest", "", False),
        ("api:latest", "IfNotPresent", False),
    ],
)
def test_a_moving_tag_that_nodes_keep(image: str, policy: str, mixes: bool, tmp_path: Path) -> None:
    more = f"        imagePullPolicy: {policy}\n" if policy else ""
    text = manifest("", more + PROBE).replace("registry/api:1", image)
    built = {"README.md": f"    docker build -t {image} .\n"}
    result = found(write(tmp_path, {"app.py": GOOD, "k8s/a.yaml": text, **built}), "OPS003")
    assert [("depends on the node" in f.message) for f in result] == ([True] if mixes else [])


@pytest.mark.parametrize(
    ("options", "swaps"),
    [
        ("", False),
        (', "--model-control-mode=poll"', True),
        (', "--model-control-mode=none"', False),
    ],
)
def test_triton_looks_again_only_when_told(options: str, swaps: bool, tmp_path: Path) -> None:
    files: Files = {
        "Dockerfile": "FROM nvcr.io/nvidia/tritonserver:24.08-py3\nCOPY m /models\n"
        f'CMD ["tritonserver", "--model-repository=/models"{options}]\n',
        "m/a/config.pbtxt": 'backend: "python"\n',
        "m/a/1/model.py": "x = 1\n",
        "docker-compose.yml": COMPOSE,
    }
    assert bool(found(write(tmp_path, files), "OPS003")) is not swaps


def test_rolling_update_without_readiness(tmp_path: Path) -> None:
    files: Files = {**BUILT, "app.py": GOOD, "k8s/api.yaml": manifest()}
    result = found(write(tmp_path, files), "OPS003")
    assert "readiness" in result[0].message and len(result) == 1


# ---- OPS004 ----


def test_nothing_bounds_the_load(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": GOOD}), "OPS004")
    assert lines(result) == [("OPS004", "app.py", line_of(GOOD, "def predict"))]
    assert result[0].severity is Severity.LOW


@pytest.mark.parametrize(
    "call",
    [
        "requests.get('http://features/x')",
        "requests.post('http://features/x', json={})",
        "urllib.request.urlopen('http://features/x')",
    ],
)
def test_outbound_call_without_timeout(tmp_path: Path, call: str) -> None:
    text = predicts(call, "import requests\nimport urllib.request\n")
    result = found(write(tmp_path, {"app.py": text, "Dockerfile": GUNICORN}), "OPS004")
    assert lines(result) == [("OPS004", "app.py", line_of(text, call))]
    assert (result[0].severity, result[0].confidence) == (Severity.MEDIUM, Confidence.CERTAIN)


@pytest.mark.parametrize(
    "call",
    [
        "requests.get('http://features/x', timeout=3)",
        "requests.get('http://features/x', **options)",
        "httpx.get('http://features/x')",  # five seconds by default
        "urllib.request.urlopen('http://features/x', None, 3)",
    ],
)
def test_outbound_call_with_timeout(tmp_path: Path, call: str) -> None:
    text = predicts(
        call, "import requests\nimport httpx\nimport urllib.request\nfrom store import options\n"
    )
    assert found(write(tmp_path, {"app.py": text, "Dockerfile": GUNICORN}), "OPS004") == []


def test_outbound_call_at_start_is_no_request(tmp_path: Path) -> None:
    text = "import requests\nrequests.get('http://hub/x')\n" + GOOD
    assert found(write(tmp_path, {"app.py": text, "Dockerfile": GUNICORN}), "OPS004") == []


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": GUNICORN},
        {"Dockerfile": DOCKERFILE.replace('"8000"]', '"8000", "--limit-concurrency", "20"]')},
        {"docker-compose.yml": COMPOSE + "  edge:\n    image: traefik:v3\n"},
        {"docker-compose.yml": COMPOSE + "    labels:\n      traefik.enable: 'true'\n"},
        {"nginx.conf": "events {}\nhttp { server { listen 80; location / { proxy_pass http://api; } } }\n"},
        {
            "mesh/rule.yaml": "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
            "metadata: {name: api}\nspec: {host: api}\n"
        },
        {
            "app.py": "from slowapi import Limiter\nfrom slowapi.util import get_remote_address\n"
            "limiter = Limiter(key_func=get_remote_address)\n" + GOOD
        },
        {"app.py": "import asyncio\ngate = asyncio.Semaphore(4)\n" + GOOD},
        {"app.py": "import pybreaker\nbreaker = pybreaker.CircuitBreaker()\n" + GOOD},
    ],
    ids=[
        "gunicorn", "limit", "traefik", "labels", "nginx", "mesh", "slowapi", "semaphore", "breaker",
    ],
)  # fmt: skip
def test_load_is_bounded(tmp_path: Path, files: Files) -> None:
    assert found(write(tmp_path, {"app.py": GOOD, **files}), "OPS004") == []


def test_retries_are_no_breaker(tmp_path: Path) -> None:
    text = "import tenacity\nretry = tenacity.retry(stop=tenacity.stop_after_attempt(3))\n" + GOOD
    assert len(found(write(tmp_path, {"app.py": text}), "OPS004")) == 1


# ---- OPS005 ----


def test_no_metrics(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": GOOD}), "OPS005")
    assert lines(result) == [("OPS005", "app.py", line_of(GOOD, "app = FastAPI()"))]


@pytest.mark.parametrize(
    "files",
    [
        {
            "app.py": "from prometheus_fastapi_instrumentator import Instrumentator\n" + GOOD
            + "Instrumentator().instrument(app).expose(app)\n"
        },
        {"app.py": GOOD + "@app.get('/metrics')\ndef metrics():\n    return 'up 1'\n"},
        {"docker-compose.yml": COMPOSE + "    environment:\n      OTEL_SERVICE_NAME: api\n"},
        {"docker-compose.yml": COMPOSE + "  otel-collector:\n    image: otel/opentelemetry-collector:1\n"},
        {
            "docker-compose.yml": COMPOSE
            + "  traefik:\n    image: traefik:v3\n  prometheus:\n    image: prom/prometheus:v3\n"
        },
        {"Dockerfile": DOCKERFILE.replace('["uvicorn"', '["opentelemetry-instrument", "uvicorn"')},
        {
            "k8s/monitor.yaml": "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\n"
            "metadata: {name: api}\nspec: {}\n"
        },
    ],
    ids=["instrumentator", "route", "variables", "collector", "gateway", "agent", "monitor"],
)  # fmt: skip
def test_metrics_are_there(tmp_path: Path, files: Files) -> None:
    assert found(write(tmp_path, {"app.py": GOOD, **files}), "OPS005") == []


def test_prometheus_has_nothing_to_scrape(tmp_path: Path) -> None:
    compose = COMPOSE + "  prometheus:\n    image: prom/prometheus:v3\n"
    result = found(write(tmp_path, {"app.py": GOOD, "docker-compose.yml": compose}), "OPS005")
    assert len(result) == 1 and "`prometheus`" in result[0].message


# ---- OPS006 ----


def test_predictions_not_logged(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": GOOD}), "OPS006")
    assert lines(result) == [("OPS006", "app.py", line_of(GOOD, "def predict"))]


LOGGER = "import logging\nlog = logging.getLogger('x')\n"


def test_an_error_log_is_no_record(tmp_path: Path) -> None:
    text = predicts("log.error('prediction failed')", LOGGER)
    assert len(found(write(tmp_path, {"app.py": text}), "OPS006")) == 1


def test_an_access_log_is_no_record(tmp_path: Path) -> None:
    text = predicts("log.info('request done')", LOGGER)
    assert len(found(write(tmp_path, {"app.py": text}), "OPS006")) == 1


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        (LOGGER, "log.info('predicted %s', answer)"),
        ("", "print('prediction', answer)"),
        ("from store import db\n", "db.insert_one({'answer': answer})"),
        ("import mlflow\n", "mlflow.log_metric('price', answer)"),
        ("from store import producer\n", "producer.send('predictions', answer)"),
        ("", "open('/data/log.jsonl', 'a').write(str(answer))"),
        (
            "from store import session\ndef keep(a):\n    session.add(a)\n    session.commit()\n",
            "keep(answer)",
        ),
    ],
    ids=["log", "print", "database", "tracker", "queue", "file", "helper"],
)
def test_predictions_are_kept(tmp_path: Path, imports: str, body: str) -> None:
    assert found(write(tmp_path, {"app.py": predicts(body, imports)}), "OPS006") == []


def test_predictions_are_kept_in_the_background(tmp_path: Path) -> None:
    text = (
        LOGGER + "from fastapi import BackgroundTasks\n" + HEAD + LOADED + HEALTH
        + "def keep(answer):\n    log.info('prediction %s', answer)\n"
        + "@app.post('/predict')\ndef predict(item: Item, tasks: BackgroundTasks):\n"
        + "    answer = model.predict([item.values]).tolist()\n    tasks.add_task(keep, answer)\n"
        + "    return answer\n"
    )  # fmt: skip
    assert found(write(tmp_path, {"app.py": text}), "OPS006") == []


# ---- OPS007 ----


def test_no_drift_detection(tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": GOOD}), "OPS007")
    assert [(f.rule, f.severity, f.confidence) for f in result] == [
        ("OPS007", Severity.LOW, Confidence.POSSIBLE)
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"jobs/nightly.py": "from evidently import Report\nReport([])\n"},
        {"jobs/nightly.py": "import nannyml\n"},
        {"monitoring/psi.py": "def feature_drift(a, b):\n    return 0.0\n"},
        {
            "docker-compose.yml": COMPOSE
            + "  evidently:\n    image: evidently/evidently-service:1\n"
        },
    ],
    ids=["evidently", "nannyml", "by hand", "service"],
)
def test_drift_is_looked_for(tmp_path: Path, files: Files) -> None:
    assert found(write(tmp_path, {"app.py": GOOD, **files}), "OPS007") == []


def test_a_test_that_imports_evidently_watches_nothing(tmp_path: Path) -> None:
    files: Files = {"app.py": GOOD, "tests/test_x.py": "import evidently\n"}
    assert len(found(write(tmp_path, files), "OPS007")) == 1


# ---- OPS010 ----


def stopping(command: str, more: str = "") -> Files:
    return {"app.py": GOOD, "docker-compose.yml": f"{COMPOSE}    command: {command}\n{more}"}


SLOW = "uvicorn app:app --timeout-graceful-shutdown 60"


@pytest.mark.parametrize(
    ("command", "more", "line"),
    [
        (SLOW, "", 4),
        (SLOW, "    stop_grace_period: 30s\n", 4),
        ("uvicorn app:app", "    stop_signal: SIGKILL\n", 5),
        ("uvicorn app:app", "    stop_grace_period: 0s\n", 5),
    ],
    ids=["default", "shorter", "SIGKILL", "zero"],
)
def test_requests_are_cut_off(tmp_path: Path, command: str, more: str, line: int) -> None:
    result = found(write(tmp_path, stopping(command, more)), "OPS010")
    assert lines(result) == [("OPS010", "docker-compose.yml", line)]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (SLOW, "    stop_grace_period: 1m10s\n"),
        ("uvicorn app:app", ""),
        ("uvicorn app:app --timeout-graceful-shutdown 5", ""),
    ],
    ids=["longer", "unsaid", "short"],
)
def test_requests_are_finished(tmp_path: Path, command: str, more: str) -> None:
    assert found(write(tmp_path, stopping(command, more)), "OPS010") == []


WAITRESS = DOCKERFILE.replace(
    '"uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"',
    '"waitress-serve", "--listen=0.0.0.0:8000", "app:app"',
)
IN_CODE = DOCKERFILE.replace(
    '"uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"', '"python", "app.py"'
)
SERVED = GOOD + "import waitress\nwaitress.serve(app, host='0.0.0.0', port=8000)\n"


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"Dockerfile": WAITRESS, "app.py": GOOD}, ("Dockerfile", 6)),
        (
            {"Dockerfile": IN_CODE, "app.py": SERVED},
            ("app.py", line_of(SERVED, "waitress.serve")),
        ),
    ],
    ids=["command", "code"],
)
def test_server_that_does_not_heed_sigterm(
    tmp_path: Path, files: Files, place: tuple[str, int]
) -> None:
    result = found(write(tmp_path, files), "OPS010")
    assert lines(result) == [("OPS010", *place)]
    assert dict(result[0].evidence)["server"].startswith("waitress")


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": DOCKERFILE, "app.py": GOOD},
        {"Dockerfile": GUNICORN, "app.py": GOOD},
        {"Dockerfile": WAITRESS.replace('CMD ["', 'CMD ["tini", "--", "'), "app.py": GOOD},
        {
            "Dockerfile": WAITRESS,
            "app.py": GOOD,
            "docker-compose.yml": COMPOSE + "    init: true\n",
        },
        {
            "Dockerfile": IN_CODE,
            "app.py": "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
            + SERVED,
        },
    ],
    ids=["uvicorn", "gunicorn", "tini", "init", "own handler"],
)
def test_sigterm_is_heeded(tmp_path: Path, files: Files) -> None:
    assert found(write(tmp_path, files), "OPS010", "IMG007") == []


# ---- together ----


def test_services_of_one_application_are_reported_once(tmp_path: Path) -> None:
    """The same code run by two services is one thing to mend."""
    compose = "services:\n  a:\n    build: .\n  b:\n    build: .\n"
    result = found(
        write(tmp_path, {"app.py": GOOD, "docker-compose.yml": compose}),
        "OPS004", "OPS005", "OPS006", "OPS007",
    )  # fmt: skip
    assert sorted(f.rule for f in result) == ["OPS004", "OPS005", "OPS006", "OPS007"]


def test_development_services_are_not_judged(tmp_path: Path) -> None:
    files: Files = {"app.py": GOOD, "Dockerfile.dev": DOCKERFILE}
    root = write(tmp_path, files)
    (root / "Dockerfile").unlink()
    assert found(root, "SRV", "OPS003", "OPS004", "OPS005", "OPS006", "OPS007", "OPS010") == []


def test_record_in_a_model_that_could_not_be_followed(tmp_path: Path) -> None:
    text = (
        LOGGER + HEAD + "app = FastAPI()\n" + HEALTH
        + "class Model:\n    def predict(self, rows):\n        answer = self.m.predict(rows)\n"
        + "        log.info(answer)\n        return answer\n"
        + "@app.post('/predict')\ndef predict(item: Item):\n    return app.state.any.predict([item])\n"
    )  # fmt: skip
    assert found(write(tmp_path, {"app.py": text}), "OPS006") == []


@pytest.mark.parametrize(
    ("setup", "call", "waits"),
    [
        ("import requests", "requests.get('http://x')", True),
        ("import requests", "requests.get('http://x', timeout=None)", True),
        ("import requests", "requests.get('http://x', timeout=(1, 3))", False),
        ("import requests\nsession = requests.Session()", "session.get('http://x')", True),
        ("import httpx", "httpx.get('http://x')", False),
        ("import httpx", "httpx.get('http://x', timeout=None)", True),
        ("import httpx\nclient = httpx.Client()", "client.get('http://x')", False),
        ("import httpx\nclient = httpx.Client(timeout=None)", "client.get('http://x')", True),
        ("import httpx\nclient = httpx.Client(timeout=None)", "client.get('http://x', timeout=2)", False),
    ],
)  # fmt: skip
def test_requests_that_wait_for_ever(setup: str, call: str, waits: bool, tmp_path: Path) -> None:
    result = found(write(tmp_path, {"app.py": predicts(call, f"{setup}\n")}), "OPS004")
    assert [f.severity is Severity.MEDIUM for f in result] == [waits]


def test_a_proxy_predicts_where_what_it_asks_does(tmp_path: Path) -> None:
    files: Files = {
        "app.py": GOOD,
        "proxy/Dockerfile": "FROM nginx:1.27.3\nCOPY nginx.conf /etc/nginx/nginx.conf\n"
        'CMD ["nginx", "-g", "daemon off;"]\n',
        "proxy/nginx.conf": "events {}\nhttp { server { listen 80; location / "
        "{ proxy_pass http://api:8000; } } }\n",
        "docker-compose.yml": "services:\n  api:\n    build: .\n  proxy:\n    build: proxy\n"
        '    ports: ["80:80"]\n',
    }
    from auditor.config import Settings
    from auditor.engine import audit

    score = audit(write(tmp_path, files), Settings()).score
    assert not any("no prediction endpoint" in words for _, words in score.next_level)
