"""Kubernetes manifests by themselves: what they say without the image that they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import Settings
from auditor.deployment import assemble
from auditor.engine import audit
from auditor.result import AuditResult

WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: churn}
spec:
  selector: {matchLabels: {app: churn}}
  template:
    metadata: {labels: {app: churn}}
    spec:
      containers:
        - name: api
          image: IMAGE
          ports: [{name: web, containerPort: 8000}]
"""
PROBED = """\
          livenessProbe: {httpGet: {path: /health, port: web}}
          resources: {limits: {memory: 1Gi}}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {name: churn}
spec:
  selector: {app: churn}
  ports: [{port: 80, targetPort: TARGET}]
"""
OWN = "registry.example.com/acme/churn:1.4"


def result(root: Path, *, image: str = OWN, more: str = "", target: str = "web") -> AuditResult:
    root.mkdir(exist_ok=True)
    text = WORKLOAD.replace("IMAGE", image) + more + SERVICE.replace("TARGET", target)
    (root / "churn.yaml").write_text(text)
    return audit(root, Settings())


def rules(found: AuditResult) -> list[str]:
    return sorted(f.rule for f in found.findings)


def test_what_the_manifest_says_by_itself(tmp_path: Path) -> None:
    bare = result(tmp_path)
    assert rules(bare) == ["IMG005", "OPS009"]
    (health,) = (f for f in bare.findings if f.rule == "IMG005")
    assert "livenessProbe" in health.help
    answers = dict(bare.services[0].forecast.answers())
    assert (answers["starts"], answers["reachable"]) == ("unknown", "unknown")
    assert rules(result(tmp_path, more=PROBED)) == []


def test_a_platform_asks_the_port_by_itself(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: churn}\n"
        f"spec:\n  template:\n    spec:\n      containers:\n        - image: {OWN}\n"
    )
    found = audit(tmp_path, Settings())
    assert len(found.services) == 1
    assert rules(found) == []


def test_a_named_port_that_no_container_has(tmp_path: Path) -> None:
    found = result(tmp_path, more=PROBED, target="http")
    assert rules(found) == ["NET007"]
    assert "there is `web`" in found.findings[0].message
    assert dict(found.services[0].forecast.answers())["reachable"] == "no"


def test_a_named_port_of_a_sidecar_that_starts_before(tmp_path: Path) -> None:
    sidecar = (
        "      initContainers:\n"
        "        - {name: proxy, image: envoyproxy/envoy:v1, restartPolicy: Always,\n"
        "           ports: [{name: http, containerPort: 9000}]}\n"
    )
    assert rules(result(tmp_path, more=PROBED + sidecar, target="http")) == []


@pytest.mark.parametrize("image", ["postgres:16", "{{ .Values.image }}", "bitnami/redis:7"])
def test_images_of_others_are_theirs_to_judge(tmp_path: Path, image: str) -> None:
    found = result(tmp_path, image=f'"{image}"')
    assert rules(found) == []
    assert found.services == ()


def test_limits_that_a_template_or_the_namespace_gives(tmp_path: Path) -> None:
    ranged = "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: all}\nspec: {limits: []}\n"
    (tmp_path / "range.yaml").write_text(ranged)
    assert "OPS009" not in rules(result(tmp_path))
    (tmp_path / "range.yaml").unlink()
    templated = "          resources: {{ .Values.resources }}\n"
    assert "OPS009" not in rules(result(tmp_path, more=templated))


def test_a_repository_with_a_dockerfile_keeps_to_its_own(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        'FROM python:3.12-slim-bookworm\nUSER 1000\nCMD ["sleep", "9"]\n'
    )
    found = result(tmp_path, image="registry.example.com/other/thing:1")
    (only,) = found.services
    assert only.image is not None


def test_many_workloads_take_time_in_proportion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 60
    one = WORKLOAD.replace("IMAGE", OWN) + SERVICE.replace("TARGET", "web")
    (tmp_path / "all.yaml").write_text(
        "---\n".join(one.replace("churn", f"churn{number}") for number in range(count))
    )
    asked = 0
    really = assemble.manifests.leads

    def counting(*arguments: object) -> bool | None:
        nonlocal asked
        asked += 1
        return really(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(assemble.manifests, "leads", counting)
    assert len(audit(tmp_path, Settings()).services) == count
    assert asked <= 4 * count
