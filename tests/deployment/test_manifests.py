"""From manifests, overlays and charts to services: links, environments, mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.deployment.assemble import assemble
from auditor.deployment.manifests import expand, is_public
from auditor.deployment.model import Deployment, Service
from auditor.discovery import discover

DOCKERFILE = 'FROM python:3.11-slim\nWORKDIR /app\nCOPY app.py ./\nCMD ["python", "app.py"]\n'
POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: {name}
          image: {image}
"""


def assembled(root: Path, files: dict[str, str]) -> Deployment:
    for name, text in {"Dockerfile": DOCKERFILE, "app.py": "print(1)\n", **files}.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return assemble(discover(str(root)), Settings())


def linked(deployment: Deployment) -> dict[str, str]:
    return {
        s.name: s.image.dockerfile.path
        for s in deployment.services
        if s.workload is not None and s.image is not None
    }


TWO = {
    "api/Dockerfile": DOCKERFILE,
    "worker/Dockerfile": DOCKERFILE,
    "k8s/a.yaml": POD.format(name="one", image="ghcr.io/t/svc-a:1"),
    "k8s/b.yaml": POD.format(name="two", image="ghcr.io/t/svc-b:1"),
}
STEP = "      - uses: docker/build-push-action@v6\n        with: {{context: {0}, tags: '{1}:$X'}}\n"


@pytest.mark.parametrize(
    "builds",
    [
        {
            ".github/workflows/ci.yml": "jobs:\n  b:\n    steps:\n"
            + STEP.format("api", "ghcr.io/t/svc-a")
            + STEP.format("worker", "ghcr.io/t/svc-b")
        },
        {
            "Makefile": "b:\n\tdocker build -t ghcr.io/t/svc-a:$(V) api\n\tdocker build -t ghcr.io/t/svc-b worker\n"
        },
        {
            "build.sh": "docker build -t ghcr.io/t/svc-a:1 ./api\ndocker build -t $R/svc-b:$TAG ./worker\n"
        },
        {
            "skaffold.yaml": "build:\n  artifacts:\n    - {image: ghcr.io/t/svc-a, context: api}\n"
            "    - {image: ghcr.io/t/svc-b, context: worker}\n"
        },
        {
            "docker-bake.hcl": 'target "a" {\n  context = "api"\n  tags = ["ghcr.io/t/svc-a:1"]\n}\n'
            'target "b" {\n  context = "worker"\n  tags = ["ghcr.io/t/svc-b:1"]\n}\n'
        },
    ],
    ids=["actions", "make", "script", "skaffold", "bake"],
)
def test_builds_say_which_image_is_whose(tmp_path: Path, builds: dict[str, str]) -> None:
    found = linked(assembled(tmp_path, {**TWO, **builds}))
    assert found == {"one": "api/Dockerfile", "two": "worker/Dockerfile"}


def test_nothing_is_guessed_between_several(tmp_path: Path) -> None:
    assert linked(assembled(tmp_path, TWO)) == {}


def test_directory_at_the_end_of_the_name(tmp_path: Path) -> None:
    files = {**TWO, "k8s/a.yaml": POD.format(name="one", image="me/shop-worker:1")}
    assert linked(assembled(tmp_path, files)) == {"one": "worker/Dockerfile"}


def test_one_dockerfile_and_one_image_belong_together(tmp_path: Path) -> None:
    files = {
        "k8s/a.yaml": POD.format(name="one", image="reg.io/me/thing:2"),
        "k8s/b.yaml": POD.format(name="db", image="postgres:16"),
    }
    assert linked(assembled(tmp_path, files)) == {"one": "Dockerfile"}
    assert is_public("postgres:16")
    assert is_public("docker.io/bitnami/redis")
    assert not is_public("reg.io/me/redis")


def test_production_overlay_counts(tmp_path: Path) -> None:
    files = {
        "k8s/base/kustomization.yaml": "resources: [a.yaml]\n",
        "k8s/base/a.yaml": POD.format(name="one", image="reg.io/me/thing:2"),
        "k8s/overlays/dev/kustomization.yaml": "resources: [../../base]\nnamePrefix: dev-\n",
        "k8s/overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: prod-\n",
        "k8s/overlays/staging/kustomization.yaml": "resources: [../../base]\nnamePrefix: s-\n",
    }
    assert linked(assembled(tmp_path, files)) == {"prod-one": "Dockerfile"}


def test_environment_copies_of_a_manifest_are_one(tmp_path: Path) -> None:
    files = {
        "k8s/dev/a.yaml": POD.format(name="one", image="reg.io/me/thing:dev"),
        "k8s/production/a.yaml": POD.format(name="one", image="reg.io/me/thing:2"),
    }
    deployment = assembled(tmp_path, files)
    (workload,) = deployment.cluster.workloads
    assert workload.at.path == "k8s/production/a.yaml"


def service(root: Path, container: str, pod: str = "", more: str = "") -> Service:
    text = POD.format(name="one", image="reg.io/me/thing:2") + container
    text = text.replace("      containers:", f"{pod}      containers:") + more
    (found,) = assembled(root, {"k8s/a.yaml": text}).services
    return found


def test_variables_are_filled_in_as_the_kubelet_does(tmp_path: Path) -> None:
    container = (
        "          args: [python, app.py, --port, $(PORT), $(GONE), $$(PORT)]\n"
        "          env: [{name: HOST, value: h}, {name: URL, value: 'http://$(HOST):$(LATER)'},"
        " {name: LATER, value: '1'}, {name: PORT, value: '80'}]\n"
    )
    found = service(tmp_path, container)
    assert found.argv == ("python", "app.py", "--port", "80", "$(GONE)", "$(PORT)")
    url = found.variable("URL")
    assert url is not None
    assert url.value == "http://h:$(LATER)"
    assert expand("$$(A) $(A)", {"A": "1"}) == "$(A) 1"


def test_what_mounts_hold(tmp_path: Path) -> None:
    container = (
        "          volumeMounts:\n"
        "            - {name: conf, mountPath: /conf}\n"
        "            - {name: conf, mountPath: /app/a.yaml, subPath: a.yaml}\n"
        "            - {name: empty, mountPath: /cache}\n"
        "            - {name: claim, mountPath: /data}\n"
    )
    pod = (
        "      volumes:\n        - {name: conf, configMap: {name: c}}\n"
        "        - {name: empty, emptyDir: {}}\n"
        "        - {name: claim, persistentVolumeClaim: {claimName: x}}\n"
    )
    more = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a.yaml: x, b: y}\n"
    found = service(tmp_path, container, pod, more)
    held = {m.target: m.files for m in found.mounts}
    assert held == {"/conf": ("a.yaml", "b"), "/app/a.yaml": ("",), "/cache": (), "/data": None}


def test_the_user_of_container_and_pod(tmp_path: Path) -> None:
    pod = "      securityContext: {runAsUser: 1000}\n"
    assert service(tmp_path / "a", "", pod).user == "1000"
    own = "          securityContext: {allowPrivilegeEscalation: false}\n"
    assert service(tmp_path / "b", own, pod).user == "1000"
    own = "          securityContext: {runAsUser: 5}\n"
    assert service(tmp_path / "c", own, pod).user == "5"


def test_platforms_tell_the_port(tmp_path: Path) -> None:
    text = (
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: api}\nspec:\n"
        "  template: {spec: {containers: [{image: reg.io/me/thing}]}}\n"
    )
    (found,) = assembled(tmp_path, {"k8s/a.yaml": text}).services
    port = found.variable("PORT")
    assert port is not None
    assert port.value == "8080"
    assert [p.container_port for p in found.published] == [8080]


@pytest.mark.parametrize(
    ("port", "wrong"), [(8000, False), (8001, False), (8002, False), (9, True)]
)
def test_model_servers_open_ports_beside_the_first(tmp_path: Path, port: int, wrong: bool) -> None:
    from auditor.engine import audit

    text = POD.format(name="one", image="reg.io/me/thing:2") + (
        f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: one}}\n"
        f"spec: {{selector: {{app: one}}, ports: [{{port: {port}}}]}}\n"
    )
    dockerfile = 'FROM python:3.11-slim\nCMD ["tritonserver", "--model-repository=/models"]\n'
    assembled(tmp_path, {"Dockerfile": dockerfile, "k8s/a.yaml": text})
    found = [f for f in audit(tmp_path, Settings()).findings if f.rule == "NET007"]
    assert bool(found) is wrong


def test_a_patch_that_no_kustomization_takes_is_no_manifest(tmp_path: Path) -> None:
    patch = POD.format(name="two", image="reg.io/me/thing:2").replace("  selector", "  strategy")
    files = {
        "k8s/a.yaml": POD.format(name="one", image="reg.io/me/thing:2"),
        "k8s/b_patch.yaml": patch,
    }
    plain = assembled(tmp_path / "plain", files).cluster.workloads
    assert {item.at.path for item in plain} == {"k8s/a.yaml", "k8s/b_patch.yaml"}
    files["k8s/kustomization.yaml"] = "resources: [a.yaml]\n"
    (workload,) = assembled(tmp_path / "built", files).cluster.workloads
    assert workload.name == "one"
