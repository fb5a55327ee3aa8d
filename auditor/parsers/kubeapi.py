"""What the API server of Kubernetes refuses in an object, whatever the cluster.

Only rules of the API's own validation are here, and only for values that are known: text that
is no text, labels that the selector does not select, names that are no names, versions that no
supported release serves. The sources are the API reference and its deprecation guide.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from auditor import lazy_re as re
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import Location
from auditor.values import value


@value
class Refusal:
    """``at``: the value that is refused. ``certain`` False: an old cluster takes it."""

    at: Location
    message: str
    help: str = ""
    certain: bool = True


# apiVersion and kind that are served no more, with the release that dropped them and what to use.
_REMOVED = {
    ("extensions/v1beta1", "Deployment"): ("1.16", "apps/v1"),
    ("extensions/v1beta1", "DaemonSet"): ("1.16", "apps/v1"),
    ("extensions/v1beta1", "ReplicaSet"): ("1.16", "apps/v1"),
    ("apps/v1beta1", "Deployment"): ("1.16", "apps/v1"),
    ("apps/v1beta1", "StatefulSet"): ("1.16", "apps/v1"),
    ("apps/v1beta2", "Deployment"): ("1.16", "apps/v1"),
    ("apps/v1beta2", "StatefulSet"): ("1.16", "apps/v1"),
    ("apps/v1beta2", "DaemonSet"): ("1.16", "apps/v1"),
    ("extensions/v1beta1", "Ingress"): ("1.22", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): ("1.22", "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole"): ("1.22", "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding"): (
        "1.22",
        "rbac.authorization.k8s.io/v1",
    ),
    ("batch/v1beta1", "CronJob"): ("1.25", "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget"): ("1.25", "policy/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ("1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ("1.26", "autoscaling/v2"),
}
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_PORT_NAME = re.compile(r"(?=[a-z0-9-]{1,15}\Z)(?=[0-9-]*[a-z])(?!.*--)[a-z0-9](?:.*[a-z0-9])?\Z")
_TEMPLATED = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"))
_NAMED = frozenset((*_TEMPLATED, "Job", "CronJob", "Pod", "ConfigMap", "Secret", "Ingress"))
_MAX = 300


def refusals(node: Mapping) -> Iterator[Refusal]:
    """Why the API server refuses this object; nothing for kinds that are not its own."""
    kind = _text(node.get("kind"))
    version = _text(node.get("apiVersion"))
    if (version, kind) in _REMOVED:
        release, instead = _REMOVED[version, kind]
        at = node.get("apiVersion")
        yield Refusal(
            at=at.at if at is not None else node.at,
            message=f"Kubernetes {release} and later know no {kind} of {version}: "
            f'`no matches for kind "{kind}" in version "{version}"`',
            help=f"`apiVersion: {instead}`, and adapt the fields that changed.",
            certain=False,
        )
    if kind == "InferenceService" and version.startswith("serving.kserve.io/"):
        yield from _storage(node.get("spec"), 0)
    if "." in version.partition("/")[0] and not version.partition("/")[0].endswith(".k8s.io"):
        return
    yield from _names(node, kind)
    metadata = node.get("metadata")
    for key in ("labels", "annotations"):
        yield from _texts(metadata.get(key) if isinstance(metadata, Mapping) else None, key)
    if kind == "ConfigMap":
        yield from _texts(node.get("data"), "data")
    elif kind == "Secret":
        yield from _texts(node.get("stringData"), "stringData")
    spec = node if kind == "Pod" else node.get("spec")
    if not isinstance(spec, Mapping):
        return
    if kind == "Service":
        yield from _service(spec)
    elif kind == "Ingress" and version == "networking.k8s.io/v1":
        yield from _ingress(spec)
    elif kind == "HorizontalPodAutoscaler" and version.startswith("autoscaling/v2"):
        old = spec.entry("targetCPUUtilizationPercentage")
        if old is not None:
            yield Refusal(
                at=old.at,
                message=f"{version} has no `targetCPUUtilizationPercentage`: `unknown field`",
                help="Use `metrics:` with `averageUtilization`, or `apiVersion: autoscaling/v1`.",
            )
    elif kind in _TEMPLATED or kind in ("Job", "CronJob", "Pod"):
        yield from _workload(node, spec, kind, version)


# Where KServe's storage initializer can fetch from.
_STORAGE = (
    "gs://", "s3://", "pvc://", "file://", "https://", "http://", "hdfs://", "webhdfs://", "oci://",
    "hf://", "abfs://",
)  # fmt: skip


def _storage(node: Node | None, depth: int) -> Iterator[Refusal]:
    """``storageUri`` of any component of an InferenceService."""
    if not isinstance(node, Mapping) or depth > 3:
        return
    for entry in node.entries[:_MAX]:
        text = _text(entry.value)
        if entry.name == "storageUri" and "://" in text and not text.startswith(_STORAGE):
            yield Refusal(
                at=entry.value.at,
                message=f"its webhook knows no storage `{text.partition('://')[0]}://`: "
                f"`StorageUri [{text[:80]}] is not supported`",
                help=f"Use one of {', '.join(_STORAGE[:6])}.",
            )
        yield from _storage(entry.value, depth + 1)


# What `envsubst`, `sed` or a person puts a value for before the manifest is applied.
_PLACE = re.compile(r"\$\{|^(?:<.*>|\(.*\)|\[.*\]|__\w+__|%\w+%)$")


def _to_fill(node: Scalar) -> bool:
    return node.is_template or _PLACE.search(node.text) is not None


def _text(node: Node | None) -> str:
    known = isinstance(node, Scalar) and not node.is_null and not _to_fill(node)
    return node.text if known and isinstance(node, Scalar) else ""


def _items(node: Node | None) -> Iterator[Mapping]:
    for item in node.items[:_MAX] if isinstance(node, Sequence) else ():
        if isinstance(item, Mapping):
            yield item


def _typed(node: Node | None) -> str:
    """What YAML makes of a scalar that is not text: "number" or "bool"; empty for text."""
    if not isinstance(node, Scalar) or node.style != "plain" or node.tag or _to_fill(node):
        return ""
    from auditor.parsers import sprig

    read = sprig.plain(node)
    if isinstance(read, bool):
        return "bool"
    return "number" if isinstance(read, float | int) else ""


def _not_text(node: Node | None, field: str) -> Iterator[Refusal]:
    kind = _typed(node)
    if kind and isinstance(node, Scalar):
        yield Refusal(
            at=node.at,
            message=f"`{field}` must be text, and `{node.text}` is a {kind}: `cannot unmarshal "
            f"{kind} into Go struct field … of type string`",
            help=f'Put quotes around it: `"{node.text}"`.',
        )


def _not_number(node: Node | None, field: str) -> Iterator[Refusal]:
    """A whole number is wanted, and text is given."""
    if not isinstance(node, Scalar) or node.is_null or _to_fill(node):
        return
    if node.style != "plain" or not _typed(node):
        yield Refusal(
            at=node.at,
            message=f"`{field}` must be a number, and `{node.text}` is text: `cannot unmarshal "
            "string into Go struct field … of type int32`",
            help="Write the number without quotes.",
        )


def _texts(node: Node | None, field: str) -> Iterator[Refusal]:
    """A map of text to text."""
    if not isinstance(node, Mapping):
        return
    for entry in node.entries[:_MAX]:
        if isinstance(entry.value, Scalar):
            yield from _not_text(entry.value, f"{field}.{entry.name}")


# `__NAME__`, `@NAME@`, `%NAME%`: what generators and `sed` replace.
_PLACEHOLDER = re.compile(r"__[A-Z][A-Z0-9_]*__|@[A-Z][A-Z0-9_]*@|%[A-Z][A-Z0-9_]*%")


def _name(node: Node | None, pattern: re.Pattern[str], what: str, limit: int) -> Iterator[Refusal]:
    text = _text(node)
    if node is None or not text or (len(text) <= limit and pattern.match(text)):
        return
    if _PLACEHOLDER.search(text):
        return  # a template: something writes the name in before it is applied
    yield Refusal(
        at=node.at,
        message=f"`{text}` is no {what}: lower-case letters, digits and `-` only, at most {limit} "
        "characters",
        help="Choose another name, here and where it is referred to.",
    )


def _names(node: Mapping, kind: str) -> Iterator[Refusal]:
    metadata = node.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if kind == "Service":
        yield from _name(name, _LABEL, "name for a Service", 63)
    elif kind in _NAMED:
        yield from _name(name, _SUBDOMAIN, f"name for a {kind}", 253)


def _service(spec: Mapping) -> Iterator[Refusal]:
    yield from _texts(spec.get("selector"), "selector")
    for port in _items(spec.get("ports")):
        yield from _not_number(port.get("port"), "port")
        yield from _not_number(port.get("nodePort"), "nodePort")
        target = port.get("targetPort")
        if isinstance(target, Scalar) and target.style != "plain" and target.text.isdigit():
            yield Refusal(
                at=target.at,
                message=f'`targetPort: "{target.text}"` in quotes is a port\'s name, and a name '
                "needs a letter: `must contain at least one letter`",
                help="Write the number without quotes.",
            )


def _ingress(spec: Mapping) -> Iterator[Refusal]:
    for rule in _items(spec.get("rules")):
        http = rule.get("http")
        for path in _items(http.get("paths") if isinstance(http, Mapping) else None):
            backend = path.get("backend")
            old = backend.entry("serviceName") if isinstance(backend, Mapping) else None
            if old is not None:
                yield Refusal(
                    at=old.at,
                    message="networking.k8s.io/v1 has no `serviceName` in a backend: `unknown field`",
                    help="`service: {name: …, port: {number: …}}`.",
                )
            elif path.get("pathType") is None:
                yield Refusal(
                    at=path.at,
                    message="`pathType` is missing: `pathType: Required value`",
                    help="`pathType: Prefix`.",
                )


def _workload(node: Mapping, spec: Mapping, kind: str, version: str) -> Iterator[Refusal]:
    yield from _not_number(spec.get("replicas"), "replicas")
    inner: Node | None = spec
    if kind == "CronJob":
        inner = spec.get("jobTemplate", "spec")
    template: Node | None = node
    if kind != "Pod":
        template = inner.get("template") if isinstance(inner, Mapping) else None
    if not isinstance(template, Mapping):
        return
    pod = template.get("spec")
    labels = template.get("metadata", "labels")
    if kind != "Pod":
        yield from _texts(labels, "labels")
    if kind in _TEMPLATED and version == "apps/v1":
        yield from _selector(node, spec, labels, kind)
    if not isinstance(pod, Mapping):
        return
    policy = pod.get("restartPolicy")
    if kind in ("Job", "CronJob") and (policy is None or _text(policy) == "Always"):
        yield Refusal(
            at=policy.at if policy is not None else pod.at,
            message=f"a {kind} needs a `restartPolicy` of its own: "
            '`Unsupported value: "Always": supported values: "OnFailure", "Never"`',
            help="`restartPolicy: Never` or `OnFailure`.",
        )
    if kind in _TEMPLATED and _text(policy) in ("Never", "OnFailure") and policy is not None:
        yield Refusal(
            at=policy.at,
            message=f"the pods of a {kind} are always restarted: "
            f'`Unsupported value: "{_text(policy)}": supported values: "Always"`',
            help="Leave `restartPolicy` out, or use a Job.",
        )
    yield from _pod(spec, pod)


def _selector(node: Mapping, spec: Mapping, labels: Node | None, kind: str) -> Iterator[Refusal]:
    selector = spec.get("selector")
    if selector is None:
        at = node.get("kind")
        yield Refusal(
            at=at.at if at is not None else node.at,
            message=f"a {kind} of apps/v1 needs a selector: `spec.selector: Required value`",
            help="Add `selector: {matchLabels: …}` with labels of the template.",
        )
        return
    wanted = selector.get("matchLabels") if isinstance(selector, Mapping) else None
    if not isinstance(wanted, Mapping):
        return
    yield from _texts(wanted, "matchLabels")
    for entry in wanted.entries:
        value = _text(entry.value)
        given = labels.get(entry.name) if isinstance(labels, Mapping) else None
        if not value or (given is not None and not _text(given)) or _text(given) == value:
            continue
        yield Refusal(
            at=entry.value.at,
            message=f"the selector wants `{entry.name}: {value}`, and the template's labels "
            + (f"say `{entry.name}: {_text(given)}`" if given is not None else "have no such label")
            + ": `selector does not match template labels`",
            help="Give the template the labels of the selector.",
        )


def _pod(spec: Mapping, pod: Mapping) -> Iterator[Refusal]:
    yield from _texts(pod.get("nodeSelector"), "nodeSelector")
    volumes = {_text(v.get("name")) for v in _items(pod.get("volumes"))}
    for claim in _items(spec.get("volumeClaimTemplates")):
        volumes.add(_text(claim.get("metadata", "name")))
    # A volume whose name is templated may be any.
    complete = "" not in volumes and isinstance(pod.get("volumes"), Sequence | None)
    for volume in _items(pod.get("volumes")):
        yield from _name(volume.get("name"), _LABEL, "name for a volume", 63)
    seen: set[str] = set()
    for key in ("initContainers", "containers"):
        for container in _items(pod.get(key)):
            name = container.get("name")
            if _text(name) and _text(name) in seen and name is not None:
                yield Refusal(
                    at=name.at,
                    message=f"two containers are called `{_text(name)}`: `Duplicate value`",
                    help="Give each container a name of its own.",
                )
            seen.add(_text(name))
            yield from _container(container, volumes if complete else None)


def _container(container: Mapping, volumes: set[str] | None) -> Iterator[Refusal]:
    yield from _name(container.get("name"), _LABEL, "name for a container", 63)
    for item in _items(container.get("env")):
        yield from _not_text(item.get("value"), "value")
    for key in ("command", "args"):
        words = container.get(key)
        for word in words.items[:_MAX] if isinstance(words, Sequence) else ():
            yield from _not_text(word, key)
    for port in _items(container.get("ports")):
        yield from _not_number(port.get("containerPort"), "containerPort")
        name = port.get("name")
        text = _text(name)
        if name is not None and text and not _PORT_NAME.match(text):
            yield Refusal(
                at=name.at,
                message=f"`{text}` is no name for a port: at most 15 lower-case letters, digits "
                "and `-`",
                help="Choose a shorter name, here and where it is referred to.",
            )
    for mount in _items(container.get("volumeMounts")):
        name = mount.get("name")
        text = _text(name)
        if volumes is not None and text and text not in volumes and name is not None:
            yield Refusal(
                at=name.at,
                message=f"the pod has no volume `{text}`: `volumeMounts.name: Not found`",
                help="Add it to `volumes:`, or correct the name.",
            )
    resources = container.get("resources")
    if isinstance(resources, Mapping):
        yield from _resources(resources)


def _resources(node: Mapping) -> Iterator[Refusal]:
    limits = node.get("limits")
    requests = node.get("requests")
    if not isinstance(limits, Mapping) or not isinstance(requests, Mapping):
        return
    for entry in requests.entries:
        wanted = quantity(_text(entry.value))
        most = quantity(_text(limits.get(entry.name)))
        if wanted is not None and most is not None and wanted > most:
            yield Refusal(
                at=entry.value.at,
                message=f"requests {_text(entry.value)} of {entry.name}, more than the limit of "
                f"{_text(limits.get(entry.name))}: `must be less than or equal to {entry.name} "
                "limit`",
                help="Raise the limit or lower the request.",
            )


_UNITS = {
    "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18), "Ki": Fraction(2**10), "Mi": Fraction(2**20),
    "Gi": Fraction(2**30), "Ti": Fraction(2**40), "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)([numkMGTPE]?|[KMGTPE]i)\Z")


def quantity(text: str) -> Fraction | None:
    """An amount such as ``500m`` or ``1.5Gi``; None for anything else."""
    match = _QUANTITY.match(text.strip())
    return Fraction(match[1]) * _UNITS[match[2]] if match else None
