"""What the API server refuses, and what it takes."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import kubernetes
from auditor.parsers.kubeapi import quantity
from auditor.source import SourceText

POD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      volumes: [{name: data, emptyDir: {}}]
      containers:
        - name: api
          image: x
"""
IN_CONTAINER = [
    ("env: [{name: A, value: 1}]", "value"),
    ("env: [{name: A, value: true}]", "bool"),
    ("env: [{name: A, value: on}]", "bool"),
    ("env: [{name: A, value: 1e3}]", "number"),
    ('args: ["-p", 80]', "args"),
    ('ports: [{containerPort: "80"}]', "containerPort"),
    ("ports: [{containerPort: 80, name: a-name-that-is-too-long}]", "name for a port"),
    ("ports: [{containerPort: 80, name: HTTP}]", "name for a port"),
    ("volumeMounts: [{name: gone, mountPath: /x}]", "no volume"),
    ("resources: {requests: {memory: 2Gi}, limits: {memory: 1024Mi}}", "limit"),
]
TAKEN = [
    'env: [{name: A, value: "1"}, {name: B, value: no-number}, {name: C}, {name: D, value: 1.2.3}]',
    "env: [{name: A, value: '{{ x }}'}]",
    "ports: [{containerPort: 80, name: http}]",
    # To be filled in before it is applied.
    "ports: [{containerPort: '${PORT}', name: '${NAME_OF_THE_PORT}'}]",
    "ports: [{containerPort: (dashboard_port)}, {containerPort: <port>}]",
    "volumeMounts: [{name: data, mountPath: /x}]",
    "resources: {requests: {memory: 1Gi, cpu: 500m}, limits: {memory: 1024Mi, cpu: '0.5'}}",
]


def refused(text: str) -> list[str]:
    facts = kubernetes.parse(SourceText("a.yaml", text))
    return [r.message for o in facts.objects for r in o.refused]


@pytest.mark.parametrize(("line", "words"), IN_CONTAINER)
def test_container_is_refused(line: str, words: str) -> None:
    (message,) = refused(f"{POD}          {line}\n")
    assert words in message


@pytest.mark.parametrize("line", TAKEN)
def test_container_is_taken(line: str) -> None:
    assert refused(f"{POD}          {line}\n") == []


OBJECTS = [
    (POD.replace("labels: {app: api}", "labels: {app: web}"), "does not match"),
    (POD.replace("  selector: {matchLabels: {app: api}}\n", ""), "Required value"),
    (POD.replace("name: api}", "name: my_api}", 1), "no name"),
    (POD.replace("      volumes", "      restartPolicy: Never\n      volumes"), "always restarted"),
    (POD.replace("apps/v1", "extensions/v1beta1"), "1.16"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {PORT: 8000}\n", "data.PORT"),
    (
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
        'spec: {ports: [{port: 80, targetPort: "8000"}]}\n',
        "at least one letter",
    ),
    (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n"
        "spec: {template: {spec: {containers: [{name: a, image: x}]}}}\n",
        "restartPolicy",
    ),
    (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec:\n"
        "  rules: [{http: {paths: [{path: /, backend: {serviceName: a, servicePort: 80}}]}}]\n",
        "serviceName",
    ),
]


@pytest.mark.parametrize(("text", "words"), OBJECTS)
def test_object_is_refused(text: str, words: str) -> None:
    messages = refused(text)
    assert any(words in m for m in messages), messages


def test_other_groups_are_not_judged() -> None:
    text = POD.replace("apps/v1", "example.com/v1").replace("name: api", "name: My_Api")
    assert refused(text) == []


def test_quantities() -> None:
    assert quantity("1Gi") == quantity("1024Mi") == 2**30
    assert quantity("500m") == quantity("0.5")
    assert quantity("x") is None


KEYS = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "labels",
        "spec",
        "template",
        "selector",
        "matchLabels",
        "containers",
        "env",
        "value",
        "ports",
        "containerPort",
        "rules",
        "http",
        "paths",
        "backend",
        "resources",
        "limits",
        "requests",
        "volumes",
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.sampled_from(["apps/v1", "Deployment", "Ingress", "Service", "1", "x y"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
        max_leaves=20,
    )
)
def test_anything_is_judged_without_raising(value: object) -> None:
    import json

    text = json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "spec": value})
    refused(dedent(text))
