"""``replacements`` of a kustomization, against ``kubectl kustomize`` where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.parsers import kustomize
from auditor.parsers.kustomize_values import field_path
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import SourceText

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  labels: {app.kubernetes.io/name: scores}
spec:
  template:
    spec:
      containers:
        - name: log
          image: registry.example.com/team/log:1
        - name: api
          image: registry.example.com/team/api:2.0
          ports:
            - {name: http, containerPort: 9000}
          env:
            - {name: ADDRESS, value: host:80}
---
apiVersion: v1
kind: Service
metadata:
  name: api
  annotations: {about: "a:b:c"}
spec:
  ports:
    - {name: web, port: 80, targetPort: 8000}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data: {port: "7000", "a.b": dotted}
"""
PORT = "spec.template.spec.containers.[name=api].ports.[name=http].containerPort"
CASES = {
    "by index": ("Deployment", PORT, "", "Service", "spec.ports.0.targetPort", ""),
    "by name": ("Deployment", PORT, "", "Service", "spec.ports.[name=web].targetPort", ""),
    "everywhere": (
        "ConfigMap",
        "data.port",
        "",
        "Deployment",
        "spec.template.spec.containers.*.image",
        "",
    ),
    "piece of a text": (
        "ConfigMap",
        "data.port",
        "",
        "Deployment",
        "spec.template.spec.containers.[name=api].env.[name=ADDRESS].value",
        "delimiter: ':', index: 1",
    ),
    "piece of the source": (
        "Service",
        "metadata.annotations.about",
        "delimiter: ':', index: 2",
        "ConfigMap",
        "data.port",
        "",
    ),
    "made": ("Deployment", PORT, "", "Service", "metadata.annotations.port", "create: true"),
    "dotted name": ("ConfigMap", "data.a\\.b", "", "Service", "metadata.annotations.about", ""),
    "its name": ("ConfigMap", "", "", "Service", "metadata.annotations.about", ""),
}


def write(case: tuple[str, ...], folder: Path) -> None:
    kind, path, options, into, target, given = case
    lines = ["resources: [base.yaml]", "replacements:", "  - source:", f"      kind: {kind}"]
    lines += [f"      fieldPath: '{path}'"] if path else []
    lines += [f"      options: {{{options}}}"] if options else []
    lines += [
        "    targets:",
        f"      - select: {{kind: {into}}}",
        f"        fieldPaths: ['{target}']",
    ]
    lines += [f"        options: {{{given}}}"] if given else []
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "base.yaml").write_text(BASE, "utf-8")


class _Folder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> SourceText | None:
        file = self.folder / path
        return SourceText(path, file.read_text("utf-8")) if file.is_file() else None


def plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {e.name: plain(e.value) for e in node.entries}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.text


def texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: texts(v) for k, v in value.items()}
    return [texts(v) for v in value] if isinstance(value, list) else str(value)


def built(folder: Path) -> dict[str, Any]:
    found = kustomize.build(_Folder(folder), "kustomization.yaml")
    assert found is not None
    assert not found.open
    return {o["kind"]: o for o in map(plain, found.objects)}


def test_values_land_where_they_are_sent(tmp_path: Path) -> None:
    write(CASES["by name"], tmp_path)
    assert built(tmp_path)["Service"]["spec"]["ports"][0]["targetPort"] == "9000"
    write(CASES["piece of a text"], tmp_path)
    containers = built(tmp_path)["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert containers[1]["env"][0]["value"] == "host:7000"


def test_a_source_that_is_not_there_leaves_it_open(tmp_path: Path) -> None:
    write(("Secret", "data.port", "", "Service", "spec.ports.0.targetPort", ""), tmp_path)
    found = kustomize.build(_Folder(tmp_path), "kustomization.yaml")
    assert found is not None
    assert found.open
    assert found.problems


def test_replacements_of_a_file(tmp_path: Path) -> None:
    write(CASES["by name"], tmp_path)
    text = (tmp_path / "kustomization.yaml").read_text("utf-8")
    body = "\n".join(line[2:] for line in text.splitlines()[2:]) + "\n"
    (tmp_path / "ports.yaml").write_text(body, "utf-8")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [base.yaml]\nreplacements: [{path: ports.yaml}]\n", "utf-8"
    )
    assert built(tmp_path)["Service"]["spec"]["ports"][0]["targetPort"] == "9000"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b.0", ["a", "b", "0"]),
        ("a.[name=x.y].c", ["a", "[name=x.y]", "c"]),
        ("data.a\\.b", ["data", "a.b"]),
        ("", []),
    ],
)
def test_field_paths(text: str, parts: list[str]) -> None:
    assert field_path(text) == parts


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
@pytest.mark.parametrize("name", CASES)
def test_as_kustomize_does_it(name: str, tmp_path: Path) -> None:
    write(CASES[name], tmp_path)
    command = ["kubectl", "kustomize", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = {o["kind"]: texts(o) for o in yaml.safe_load_all(done.stdout)}
    assert built(tmp_path) == theirs
