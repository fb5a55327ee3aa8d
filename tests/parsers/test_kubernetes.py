"""Kubernetes manifests: each fact of a full example, and odd or hostile files."""

from __future__ import annotations

from textwrap import dedent

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import kubernetes as k
from auditor.parsers.kubernetes import KubernetesFacts, is_manifest, parse
from auditor.source import SourceText, Unknown

FULL = dedent(
    """\
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: api
      namespace: ml
      labels: {app: api}
    spec:
      replicas: 3
      selector: {matchLabels: {app: api}}
      strategy:
        type: RollingUpdate
        rollingUpdate: {maxSurge: 1, maxUnavailable: 25%}
      template:
        metadata: {labels: {app: api, tier: web}}
        spec:
          terminationGracePeriodSeconds: 60
          hostNetwork: true
          securityContext: {runAsNonRoot: true, fsGroup: 1000}
          initContainers:
            - {name: fetch, image: "busybox:1", command: [sh, -c, "wget x"]}
          containers:
            - name: api
              image: registry/api:1.2
              imagePullPolicy: Always
              command: ["uvicorn"]
              args: ["main:app", "--port", "8000"]
              workingDir: /app
              ports:
                - {name: http, containerPort: 8000}
                - {containerPort: 9000, protocol: UDP}
              env:
                - {name: A, value: "1"}
                - {name: B, valueFrom: {configMapKeyRef: {name: conf, key: b, optional: true}}}
                - {name: C, valueFrom: {secretKeyRef: {name: sec, key: c}}}
                - {name: D, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
                - {name: E}
              envFrom:
                - {configMapRef: {name: conf}, prefix: P_}
                - secretRef: {name: sec}
              livenessProbe:
                httpGet: {path: /health, port: http}
                initialDelaySeconds: 5
              readinessProbe: {tcpSocket: {port: 8000}}
              startupProbe: {exec: {command: [cat, /tmp/ok]}}
              lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
              resources:
                requests: {cpu: 500m}
                limits: {memory: 1Gi, nvidia.com/gpu: 1}
              volumeMounts:
                - {name: model, mountPath: /models, readOnly: true, subPath: v1}
              securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, privileged: false}
          volumes:
            - {name: model, persistentVolumeClaim: {claimName: models}}
            - {name: tmp, emptyDir: {medium: Memory}}
            - {name: conf, configMap: {name: conf, items: [{key: a, path: b}]}}
            - {name: host, hostPath: {path: /data}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: api}
    spec:
      type: NodePort
      selector: {app: api}
      ports:
        - {name: http, port: 80, targetPort: http, nodePort: 30080}
        - port: 9000
    ---
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: api}
    spec:
      ingressClassName: nginx
      defaultBackend: {service: {name: fallback, port: {name: web}}}
      rules:
        - host: a.example
          http:
            paths:
              - {path: /, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}
    ---
    apiVersion: v1
    kind: List
    items:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: conf}, data: {b: "2"}, binaryData: {x: AA==}}
      - {apiVersion: v1, kind: Secret, metadata: {name: sec}, stringData: {c: hunter2}, data: {d: eA==}}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: api}
    spec: {scaleTargetRef: {kind: Deployment, name: api}, minReplicas: 1, maxReplicas: 5}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: api}
    spec: {minAvailable: 1, selector: {matchLabels: {app: api}}}
    ---
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: models}
    spec: {accessModes: [ReadOnlyMany], resources: {requests: {storage: 10Gi}}}
    ---
    apiVersion: batch/v1
    kind: CronJob
    metadata: {name: drift}
    spec:
      schedule: "0 3 * * *"
      jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: d, image: d:1}]}}}}
    ---
    apiVersion: serving.knative.dev/v1
    kind: Service
    metadata: {name: kn}
    spec: {template: {spec: {containers: [{image: x}]}}}
    """
)


def read(text: str) -> KubernetesFacts:
    return parse(SourceText("k.yaml", text))


def texts(values: object) -> list[str]:
    return [str(value) for value in values]  # type: ignore[attr-defined]


def test_a_deployment() -> None:
    facts = read(FULL)
    assert not facts.problems
    workload = facts.of(k.Workload)[0]
    assert (workload.kind, workload.name, workload.namespace, workload.at.line) == (
        "Deployment", "api", "ml", 2,
    )  # fmt: skip
    assert workload.replicas is not None and workload.replicas.number == 3
    assert [(name, str(v)) for name, v in workload.selector] == [("app", "api")]
    assert workload.strategy is not None
    assert texts([workload.strategy.type, workload.strategy.max_surge, workload.strategy.max_unavailable]) == [
        "RollingUpdate", "1", "25%",
    ]  # fmt: skip
    pod = workload.pod
    assert [(name, str(v)) for name, v in pod.labels] == [("app", "api"), ("tier", "web")]
    assert str(pod.termination_grace_period_seconds) == "60" and pod.host_network
    assert pod.security_context is not None and pod.security_context.run_as_non_root is True
    assert texts(pod.init_containers[0].command) == ["sh", "-c", "wget x"]
    assert [(v.name, v.kind, str(v.source) if v.source else None) for v in pod.volumes] == [
        ("model", "persistentVolumeClaim", "models"),
        ("tmp", "emptyDir", None),
        ("conf", "configMap", "conf"),
        ("host", "hostPath", "/data"),
    ]
    assert str(pod.volumes[1].medium) == "Memory" and pod.volumes[2].items == (("a", "b"),)


def test_a_container() -> None:
    container = read(FULL).of(k.Workload)[0].pod.containers[0]
    assert (str(container.image), str(container.image_pull_policy), str(container.working_dir)) == (
        "registry/api:1.2", "Always", "/app",
    )  # fmt: skip
    assert texts(container.command) == ["uvicorn"]
    assert texts(container.args) == ["main:app", "--port", "8000"]
    named = container.port_named("http")
    assert named is not None and named.container_port.number == 8000
    assert container.ports[1].protocol == "UDP" and container.port_named("x") is None
    seen = [
        (e.name, e.value, e.source and (e.source.kind, e.source.name, e.source.key))
        for e in container.env
    ]
    assert seen == [
        ("A", "1", None),
        ("B", None, ("ConfigMap", "conf", "b")),
        ("C", None, ("Secret", "sec", "c")),
        ("D", None, ("field", "metadata.name", None)),
        ("E", "", None),
    ]
    assert container.env[1].source.optional and not container.env[2].source.optional  # type: ignore[union-attr]
    assert [(e.source.kind, e.source.name, e.prefix) for e in container.env_from] == [
        ("ConfigMap", "conf", "P_"),
        ("Secret", "sec", ""),
    ]
    live, ready, start = (
        container.liveness_probe,
        container.readiness_probe,
        container.startup_probe,
    )
    assert live is not None and (live.kind, str(live.port), str(live.path)) == (
        "http",
        "http",
        "/health",
    )
    assert str(live.initial_delay_seconds) == "5"
    assert ready is not None and ready.kind == "tcp" and ready.port.number == 8000  # type: ignore[union-attr]
    assert start is not None and start.kind == "exec" and texts(start.command) == ["cat", "/tmp/ok"]
    assert container.pre_stop is not None and texts(container.pre_stop.command) == ["sleep", "5"]
    assert container.resources is not None and str(container.resources.limit("memory")) == "1Gi"
    assert container.resources.limit("cpu") is None
    mount = container.volume_mounts[0]
    assert (mount.name, str(mount.mount_path), str(mount.sub_path), mount.read_only) == (
        "model",
        "/models",
        "v1",
        True,
    )
    security = container.security_context
    assert security is not None and str(security.run_as_user) == "1000"
    assert (security.read_only_root_filesystem, security.privileged, security.run_as_non_root) == (
        True,
        False,
        None,
    )


def test_the_other_objects() -> None:
    facts = read(FULL)
    (service,) = facts.of(k.Service)
    assert (service.type, len(service.ports)) == ("NodePort", 2)
    first, second = service.ports
    assert texts([first.port, first.target_port, first.node_port]) == ["80", "http", "30080"]
    assert second.target_port is None
    (ingress,) = facts.of(k.Ingress)
    seen = [
        (str(b.service), str(b.port), b.host and str(b.host), b.path and str(b.path))
        for b in ingress.backends
    ]
    assert seen == [("fallback", "web", None, None), ("api", "80", "a.example", "/")]
    (config,) = facts.of(k.ConfigMap)
    assert str(config.get("b")) == "2" and config.binary_keys == ("x",)
    (secret,) = facts.of(k.Secret)
    assert [name for name, _ in secret.keys] == ["d", "c"]
    assert "hunter2" not in repr(facts)
    (scaler,) = facts.of(k.Scaler)
    assert (scaler.target_kind, str(scaler.target_name), str(scaler.max_replicas)) == (
        "Deployment",
        "api",
        "5",
    )
    (budget,) = facts.of(k.DisruptionBudget)
    assert str(budget.min_available) == "1"
    (claim,) = facts.of(k.VolumeClaim)
    assert texts(claim.access_modes) == ["ReadOnlyMany"] and str(claim.storage) == "10Gi"
    cron = facts.of(k.Workload)[1]
    assert (cron.kind, str(cron.schedule), str(cron.pod.containers[0].image)) == (
        "CronJob",
        "0 3 * * *",
        "d:1",
    )
    assert facts.objects[-1].kind == "Service" and not isinstance(facts.objects[-1], k.Service)


def test_values_stand_where_they_say() -> None:
    source = SourceText("k.yaml", FULL)
    container = parse(source).of(k.Workload)[0].pod.containers[0]
    probe = container.liveness_probe
    assert container.image is not None and probe is not None and probe.port is not None
    for value in (container.image, probe.port, container.ports[0].container_port):
        line = source.line_at(value.at.line)
        assert line[value.at.column - 1 : value.at.end_column - 1] == value.value


def test_beta_ingress() -> None:
    (ingress,) = read(
        "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: i}\n"
        "spec: {rules: [{http: {paths: [{backend: {serviceName: s, servicePort: http}}]}}]}\n"
    ).of(k.Ingress)
    assert (str(ingress.backends[0].service), str(ingress.backends[0].port)) == ("s", "http")


def test_template_values_are_unknown() -> None:
    facts = read(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "    - name: c\n      image: {{ .Values.image }}\n      ports:\n        - containerPort: 80\n"
    )
    assert facts.template
    container = facts.of(k.Workload)[0].pod.containers[0]
    assert isinstance(container.image.value, Unknown)  # type: ignore[union-attr]
    assert container.ports[0].container_port.number == 80


@pytest.mark.parametrize(
    ("text", "count", "problems"),
    [
        ("", 0, 0),
        ("services: {}\n", 0, 0),
        ("kind: Pod\n", 0, 0),
        ("apiVersion: v1\nkind: Pod\nspec: []\n", 1, 0),
        ("apiVersion: v1\nkind: Deployment\nspec: {replicas: 1}\n", 1, 1),
        ("apiVersion: v1\nkind: Pod\nspec: {containers: [{command: sleep 5}]}\n", 1, 1),
        ("apiVersion: v1\nkind: [a]\n", 1, 0),
        ("apiVersion: v1\nkind: Pod\nspec: {containers: [x, {ports: [1]}]}\n", 1, 0),
    ],
)
def test_odd_files(text: str, count: int, problems: int) -> None:
    facts = read(text)
    assert (len(facts.objects), len(facts.problems)) == (count, problems)


def test_repeated_aliases_are_bounded() -> None:
    lines = ["apiVersion: v1", "kind: Pod", "a: &e [" + "{name: A}, " * 3000 + "]"]
    lines += ["spec:", "  containers:"] + ["    - {name: c, env: *e}"] * 3000
    (workload,) = read("\n".join(lines)).of(k.Workload)
    assert sum(len(c.env) for c in workload.pod.containers) <= 20_000


def test_manifests_are_recognised() -> None:
    assert is_manifest("# c\napiVersion: v1\nkind: Pod\n")
    assert not is_manifest("spec:\n  apiVersion: v1\n  kind: Pod\n")
    assert not is_manifest("kind: x\n")


_keys = st.sampled_from(
    [
        "apiVersion", "kind", "metadata", "spec", "template", "containers", "env", "valueFrom", "ports",
        "configMapKeyRef", "livenessProbe", "httpGet", "volumes", "name", "rules", "http", "paths", "backend",
        "selector", "matchLabels", "resources", "limits", "command", "items", "data", "strategy",
    ]
)  # fmt: skip
_any = st.recursive(
    st.none() | st.integers() | st.sampled_from(["x", "80"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(
        [*sorted(k.WORKLOADS), "Service", "Ingress", "ConfigMap", "Secret", "List", "X"]
    ),
    rest=st.dictionaries(_keys, _any, max_size=4),
    spec=_any,
)
def test_wrong_shapes_never_raise(kind: str, rest: dict[str, object], spec: object) -> None:
    text = yaml.safe_dump({**rest, "apiVersion": "v1", "kind": kind, "spec": spec})
    hash(read(text))
