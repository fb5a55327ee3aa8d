"""Kustomizations: bases, patches, generators, names; hostile ones; the real kustomize."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import kustomize, sprig, yamldoc
from auditor.parsers.kustomize import Kustomization
from auditor.source import SourceText

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
        - name: api
          image: team/api:1
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
          envFrom: [{configMapRef: {name: cfg}}]
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  selector: {app: api}
  ports: [{port: 80, targetPort: 8000}]
"""
FILES = {
    "base/kustomization.yaml": "resources: [api.yaml]\n",
    "base/api.yaml": BASE,
    "prod/patch.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec:\n  template:\n"
        "    spec:\n      containers:\n        - name: proxy\n          image: envoy:1\n"
        "        - name: api\n          env: [{name: B, $patch: delete}, {name: A, value: '9'}]\n"
    ),
    "prod/kustomization.yaml": """\
resources: [../base]
namespace: ml
namePrefix: p-
images: [{name: team/api, newName: reg/api, newTag: "2.0"}]
replicas: [{name: api, count: 4}]
labels: [{pairs: {env: prod}, includeSelectors: true}]
configMapGenerator:
  - {name: cfg, literals: [LEVEL=info]}
patches:
  - path: patch.yaml
  - target: {kind: Service, name: a.*}
    patch: |
      - {op: replace, path: /spec/ports/0/targetPort, value: 9000}
      - op: add
        path: /metadata/annotations
        value: {x~y: z}
""",
}


class Tree:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def read(self, path: str) -> SourceText | None:
        return SourceText(path, self.files[path]) if path in self.files else None


def build(path: str, files: Mapping[str, str] | None = None) -> Kustomization:
    made = kustomize.build(Tree(files if files is not None else FILES), path)
    assert made is not None
    return made


def objects(made: Kustomization) -> dict[str, Any]:
    found = [sprig.plain(node) for node in made.objects]
    return {o["kind"]: o for o in found}


def test_overlay_changes_the_base() -> None:
    made = build("prod/kustomization.yaml")
    found = objects(made)
    deployment = found["Deployment"]
    assert deployment["metadata"]["name"] == "p-api"
    assert deployment["metadata"]["namespace"] == "ml"
    assert deployment["spec"]["replicas"] == 4
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": "api", "env": "prod"}
    proxy, api = deployment["spec"]["template"]["spec"]["containers"]
    assert proxy["image"] == "envoy:1"
    assert api["image"] == "reg/api:2.0"
    assert api["env"] == [{"name": "A", "value": "9"}]
    assert api["envFrom"] == [{"configMapRef": {"name": "p-cfg"}}]
    service = found["Service"]
    assert service["spec"]["ports"] == [{"port": 80.0, "targetPort": 9000.0}]
    assert service["spec"]["selector"] == {"app": "api", "env": "prod"}
    assert service["metadata"]["annotations"] == {"x~y": "z"}
    assert found["ConfigMap"]["data"] == {"LEVEL": "info"}
    assert made.bases == {"base/kustomization.yaml"}
    assert made.inputs >= {"base/api.yaml", "prod/patch.yaml"}
    assert not made.open


def test_facts_stand_where_they_are_written() -> None:
    made = build("prod/kustomization.yaml")
    service = next(o for o in made.objects if o.get("spec", "ports") is not None)
    ports = service.get("spec", "ports")
    assert isinstance(ports, yamldoc.Sequence)
    (port,) = ports.items
    assert isinstance(port, yamldoc.Mapping)
    target = port.get("targetPort")
    assert target is not None
    assert (target.at.path, target.at.line) == ("prod/kustomization.yaml", 13)
    deployment = made.objects[0]
    containers = deployment.get("spec", "template", "spec", "containers")
    assert isinstance(containers, yamldoc.Sequence)
    api = containers.items[1]
    assert isinstance(api, yamldoc.Mapping)
    image = api.get("image")
    assert image is not None
    assert (image.at.path, image.at.line) == ("prod/kustomization.yaml", 4)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [https://example.com/x?ref=1]\n",
        "resources: [missing.yaml]\n",
        "helmCharts: [{name: x}]\n",
        "patches: [{path: gone.yaml}]\n",
        "resources: [../../../etc/passwd]\n",
    ],
)
def test_what_is_not_built_is_said(text: str) -> None:
    assert build("k/kustomization.yaml", {"k/kustomization.yaml": text}).open


def test_circles_end() -> None:
    files = {
        "a/kustomization.yaml": "resources: [../b]\ncomponents: [../a]\n",
        "b/kustomization.yaml": "resources: [../a]\n",
    }
    assert build("a/kustomization.yaml", files).objects == ()


KEYS = st.sampled_from(
    ["resources", "patches", "images", "namePrefix", "labels", "configMapGenerator", "replicas",
     "components", "patchesStrategicMerge", "commonLabels", "name", "path", "target", "patch"]
)  # fmt: skip
ANY = st.recursive(
    st.sampled_from(["x", "../base", "patch.yaml", "- op: add", None, 3, True, "/spec/x/-"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, ANY, max_size=5))
def test_anything_is_built_without_raising(content: dict[str, Any]) -> None:
    files = {**FILES, "prod/kustomization.yaml": json.dumps({"resources": ["../base"], **content})}
    build("prod/kustomization.yaml", files)


@pytest.mark.oracle
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")
def test_the_real_kustomize_agrees(tmp_path: Path) -> None:
    for name, text in FILES.items():
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)
    done = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path / "prod")], capture_output=True, text=True, check=True
    )
    text = re.sub(r"p-cfg-[a-z0-9]{10}", "p-cfg", done.stdout)
    theirs = [sprig.plain(d) for d in yamldoc.parse(SourceText("", text)).documents]
    assert objects(build("prod/kustomization.yaml")) == {o["kind"]: o for o in theirs}
