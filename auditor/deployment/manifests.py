"""Kubernetes workloads as services: their images tied to the Dockerfiles that build them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.deployment import effects, healthcheck
from auditor.deployment.cluster import Cluster, Pods, leads, same_namespace
from auditor.deployment.model import HealthCheck, Mount, Published, Sealed, Value, Variable
from auditor.parsers import kubernetes, shell
from auditor.parsers.shell.expansion import Env
from auditor.source import Fragment, Location, Unknown
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage
    from auditor.parsers.kubernetes import Container, Probe, Workload

Role = Literal["startup", "liveness", "readiness"]


@value
class Running:
    """A container of a workload, with the objects that concern it."""

    workload: Workload
    container: Container
    cluster: Cluster
    # Those that lead to the workload.
    services: tuple[kubernetes.Service, ...] = ()


@value
class Candidate:
    """A Dockerfile, with the names its image is built under and those it may have."""

    dockerfile: str
    tags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_dev: bool = False


# Platforms that send to the ports which the container declares.
DECLARED = frozenset({"ecs", "container-apps"})
# Images of others, by the first part of their name (or all of it): never one of the repository's.
_PUBLIC = frozenset(
    ["docker.io", "library", "bitnami", "bitnamilegacy", "prom", "grafana", "quay.io", "registry.k8s.io", "k8s.gcr.io", "mcr.microsoft.com", "nvcr.io", "public.ecr.aws", "gke.gcr.io", "tensorflow", "pytorch", "huggingface", "kserve", "seldonio", "vllm", "ollama", "rayproject", "jupyter", "apache", "confluentinc", "minio", "curlimages", "amazon", "hashicorp", "istio", "envoyproxy", "traefik", "nginxinc", "kubeflow", "kubeflownotebookswg", "argoproj", "getsentry", "opentelemetry", "otel", "jaegertracing", "cloudflare", "datadog", "elastic", "docker.elastic.co", "gcr.io/kubebuilder", "gcr.io/cloud-sql-connectors", "gcr.io/cloudsql-docker", "gcr.io/google-containers", "gcr.io/google-samples", "gcr.io/ml-pipeline", "openvino", "intel", "qdrant", "semitechnologies", "chromadb", "milvusdb", "busybox", "alpine", "nginx", "redis", "postgres", "mysql", "mariadb", "mongo", "rabbitmq", "python", "debian", "ubuntu", "httpd", "memcached", "elasticsearch", "kibana", "zookeeper", "influxdb", "haproxy", "caddy", "registry", "hello-world", "node", "golang", "openjdk", "amazonlinux"]
)  # fmt: skip


def is_public(image: str) -> bool:
    """Whether the image is somebody else's, known by name."""
    name = image.partition("@")[0].removeprefix("docker.io/").removeprefix("library/").lower()
    first, _, rest = name.partition("/")
    if not rest:
        first = first.partition(":")[0]
    return first in _PUBLIC or any(name.startswith(f"{p}/") for p in _PUBLIC if "/" in p)


def is_foreign(item: Running) -> bool:
    """Whether the container runs somebody else's image, or one that is filled in later."""
    image = item.container.image.value if item.container.image is not None else None
    if not isinstance(image, str) or not image or set(image) & set("{}$<>"):
        return True
    return is_public(image)


def running(cluster: Cluster) -> Iterator[Running]:
    """The containers that serve: those of jobs end."""
    lasting = [w for w in cluster.workloads if w.kind not in ("Job", "CronJob")]
    pods = Pods(lasting)
    leading: dict[int, list[kubernetes.Service]] = {}
    for service in cluster.services:
        for workload in pods.taken(service.selector):
            if leads(cluster, service, workload):
                leading.setdefault(id(workload), []).append(service)
    for workload in lasting:
        for container in workload.pod.containers:
            yield Running(
                workload=workload,
                container=container,
                cluster=cluster,
                services=tuple(leading.get(id(workload), ())),
            )


def _repository(reference: str) -> str:
    """The image's name without registry tag or digest, lower case."""
    name = reference.partition("@")[0].lower()
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


_WORDS = re.compile(r"[a-z0-9]+")


def _plain(name: str) -> str:
    last = _repository(name).rpartition("/")[2]
    return last.replace("-", "").replace("_", "").replace(".", "")


def link(cluster: Cluster, candidates: Sequence[Candidate]) -> dict[str, list[Running]]:
    """Which containers run which Dockerfile's image, by the Dockerfile.

    The names that builds give come first, then the names that people choose (directory, suffix,
    repository). A container that fits several Dockerfiles is tied to none. With one Dockerfile
    and one image that is nobody else's, these two belong together.
    """
    found: dict[str, list[Running]] = {}
    left: list[Running] = []
    for item in running(cluster):
        image = item.container.image.value if item.container.image else None
        if not isinstance(image, str) or not image:
            continue
        name = _repository(image)
        last = name.rpartition("/")[2]
        choices: list[set[str]] = [
            {c.dockerfile for c in candidates if any(_repository(t) == name for t in c.tags)},
            {
                c.dockerfile
                for c in candidates
                if last and any(_repository(t).rpartition("/")[2] == last for t in c.tags)
            },
        ]
        if not is_public(image):
            choices.append(
                {
                    c.dockerfile
                    for c in candidates
                    if not c.tags and any(n and n.lower() == last for n in c.names)
                }
            )
            choices.append(
                {
                    c.dockerfile
                    for c in candidates
                    if not c.tags and any(n and _plain(n) == _plain(last) for n in c.names)
                }
            )
            # `team-backend` of the directory `backend`.
            choices.append(
                {
                    c.dockerfile
                    for c in candidates
                    if not c.tags
                    and any(len(n) > 3 and last.endswith((f"-{n}", f"_{n}")) for n in c.names)
                }
            )
        match = next((c for c in choices if c), set())
        if len(match) == 1:
            found.setdefault(next(iter(match)), []).append(item)
        elif not match and not is_public(image):
            left.append(item)
    serious = [c for c in candidates if not c.is_dev]
    if not found and len(serious) == 1:
        names = {_repository(str(item.container.image)) for item in left}
        if len(names) == 1 and _akin(serious[0].tags, next(iter(names))):
            found[serious[0].dockerfile] = left
    return found


def _akin(tags: Sequence[str], image: str) -> bool:
    """Whether an image may be one that is built under these tags, so far as names tell.

    `heart-api` and `heart-disease-api` may be; an image of other words is somebody else's.
    """
    words = set(_WORDS.findall(image.rpartition("/")[2].lower()))
    own = [set(_WORDS.findall(_repository(tag).rpartition("/")[2].lower())) for tag in tags]
    return not any(own) or any(one <= words or words <= one for one in own if one)


def variables(item: Running, image: BuiltImage | None) -> tuple[list[Variable], bool]:
    """(variables of the container, whether every one of them is known by name)."""
    own = image.image.env if image is not None else ()
    found = [Variable(name=v.name, value=v.value, at=v.at, source="image") for v in own]
    if image is not None:
        found += _service_links(item)
    complete = True
    maps = {m.name: m for m in item.cluster.config_maps if isinstance(m.name, str)}
    secrets = {s.name: s for s in item.cluster.secrets if isinstance(s.name, str)}
    for origin in item.container.env_from:
        source = origin.source
        if source.kind == "ConfigMap" and source.name in maps:
            found += [
                Variable(name=f"{origin.prefix}{key}", value=v.value, at=v.at, source="kubernetes")
                for key, v in maps[source.name].data
            ]
        elif source.kind == "Secret" and source.name in secrets:
            found += [
                Variable(
                    name=f"{origin.prefix}{key}",
                    value=Unknown("it is a secret"),
                    at=at,
                    source="kubernetes",
                )
                for key, at in secrets[source.name].keys
            ]
        else:
            complete = False
            found.append(
                Variable(
                    name="*",
                    value=Unknown(f"{source.kind} {source.name} is not in the repository"),
                    at=source.at,
                    source="kubernetes",
                )
            )
    known: dict[str, str] = {}
    for earlier in found:
        if earlier.source == "kubernetes" and isinstance(earlier.value, str):
            known[earlier.name] = earlier.value
    for variable in item.container.env:
        text: Value
        if variable.value is not None:
            text = variable.value
            if isinstance(text, str):
                text = expand(text, known)
        elif (
            variable.source is not None
            and variable.source.kind == "ConfigMap"
            and variable.source.name in maps
            and variable.source.key
            and (held := maps[variable.source.name].get(variable.source.key)) is not None
        ):
            text = held.value
        elif variable.source is not None and _left_out(variable.source, item):
            continue
        else:
            text = Unknown("it comes from a Secret, field or ConfigMap")
        if isinstance(text, str):
            known[variable.name] = text
        found.append(Variable(name=variable.name, value=text, at=variable.at, source="kubernetes"))
    if item.workload.platform in ("knative", "kserve") and "PORT" not in known:
        port = platform_port(item.container)
        if port is not None:
            # Knative tells the process which port it sends to.
            found.append(
                Variable(name="PORT", value=str(port), at=item.container.at, source="kubernetes")
            )
    return found, complete


def _service_links(item: Running) -> Iterator[Variable]:
    """What the kubelet tells each container of the Services of its namespace."""
    if not item.workload.pod.service_links:
        return
    for service in item.cluster.services:
        named = isinstance(service.name, str) and same_namespace(service, item.workload)
        headless = service.cluster_ip is not None and service.cluster_ip.value == "None"
        if not named or headless or service.external_name is not None or not service.ports:
            continue
        prefix = str(service.name).upper().replace("-", "_")
        number = service.ports[0].port.number
        unknown = Unknown("the cluster chooses the address")
        values: dict[str, Value] = {
            f"{prefix}_SERVICE_HOST": unknown,
            f"{prefix}_SERVICE_PORT": str(number) if number is not None else unknown,
            # The cluster's address stands for one of its network; the form is what counts.
            f"{prefix}_PORT": f"tcp://10.96.0.1:{number}" if number is not None else unknown,
        }
        for name, text in values.items():
            yield Variable(name=name, value=text, at=service.at, source="service-link")


def _left_out(source: kubernetes.EnvironmentSource, item: Running) -> bool:
    """An optional key that its ConfigMap or Secret, which is known, does not have."""
    if not source.optional or source.key is None:
        return False
    for held in item.cluster.config_maps:
        if source.kind == "ConfigMap" and held.name == source.name:
            return held.get(source.key) is None and source.key not in held.binary_keys
    for secret in item.cluster.secrets:
        if source.kind == "Secret" and secret.name == source.name:
            return source.key not in (key for key, _ in secret.keys)
    return False


_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


# The longest string that Linux gives a program (MAX_ARG_STRLEN).
_LONGEST = 131_072


def expand(text: str, known: Mapping[str, str]) -> str:
    """``$(NAME)`` of the container's variables, as the kubelet writes it; others stay.

    Nothing is filled in where that would make more than a program can be given.
    """
    found = (match.group(1) for match in _REFERENCE.finditer(text))
    if sum(len(known.get(name, "")) for name in found if name) + len(text) > _LONGEST:
        return text

    def fill(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return known.get(match.group(1), match.group())

    return _REFERENCE.sub(fill, text)


def platform_port(container: Container) -> int | None:
    """The port to which KServe or Knative sends; None when it is not known."""
    for port in container.ports:
        name = port.name.value if port.name is not None else ""
        if name not in ("user-port", "http-metrics", "metrics"):
            return port.container_port.number
    return kubernetes.PLATFORM_PORT


def mounts(item: Running) -> list[Mount]:
    """What is mounted over the image's files. Nothing of it comes from the image."""
    volumes = {v.name: v for v in item.workload.pod.volumes}
    found = []
    for mount in item.container.volume_mounts:
        if mount.mount_path is None:
            continue
        volume = volumes.get(mount.name)
        kind = volume.kind if volume is not None else "persistentVolumeClaim"
        files = _files(item, mount, volume) if volume is not None else None
        found.append(
            Mount(
                target=mount.mount_path.value,
                kind="other",
                at=mount.at,
                source_text=f"the {kind} volume `{mount.name}`",
                read_only=mount.read_only,
                files=files,
            )
        )
    stored = next((v for v in item.container.env if v.name == "STORAGE_URI"), None)
    if item.workload.platform == "kserve" and stored is not None:
        # The storage initializer fetches it before the container starts.
        text = "what STORAGE_URI names"
        found.append(Mount(target="/mnt/models", kind="other", at=stored.at, source_text=text))
    return found


def _files(
    item: Running, mount: kubernetes.VolumeMount, volume: kubernetes.Volume
) -> tuple[str, ...] | None:
    """The files of a ConfigMap or Secret of the repository, or of an emptyDir nobody fills."""
    if volume.kind == "emptyDir":
        pod = item.workload.pod
        beside = [c for c in pod.containers if c is not item.container]
        if mount.sub_path is not None or any(_mounts(c, mount.name) for c in beside):
            return None
        return _filled([c for c in pod.init_containers if _mounts(c, mount.name)], mount.name)
    name = str(volume.source) if volume.source is not None else ""
    keys: list[str] | None = None
    if volume.kind == "configMap":
        held = next((m for m in item.cluster.config_maps if m.name == name), None)
        keys = [k for k, _ in held.data] + list(held.binary_keys) if held is not None else None
    elif volume.kind == "secret":
        secret = next((s for s in item.cluster.secrets if s.name == name), None)
        keys = [k for k, _ in secret.keys] if secret is not None else None
    if keys is None:
        return None
    paths = [path for key, path in volume.items if key in keys] if volume.items else keys
    if mount.sub_path is not None:
        return ("",) if str(mount.sub_path) in paths else None
    return tuple(paths)


def _mounts(container: Container, volume: str) -> bool:
    return any(m.name == volume for m in container.volume_mounts)


def _filled(containers: Sequence[Container], volume: str) -> tuple[str, ...] | None:
    """The files that init containers put into a volume; None where that is not clear."""
    files: list[str] = []
    for container in containers:
        mine = [m for m in container.volume_mounts if m.name == volume]
        place = mine[0].mount_path.value if mine[0].mount_path is not None else None
        said = (*(container.command or ()), *(container.args or ()))
        if len(mine) > 1 or mine[0].sub_path is not None or not isinstance(place, str):
            return None
        if not container.command or any(not isinstance(word.value, str) for word in said):
            return None
        script = shell.exec_form(
            container.at.path, [_fragment(word.value, word.at) for word in said]
        )
        root = place.rstrip("/")
        unknown = Unknown("the working directory of another image")
        for effect in effects.effects(script, env={}, cwd=unknown):
            if not isinstance(effect, effects.Make) or not effect.certain:
                return None
            if effect.path.startswith(f"{root}/") and not effect.directory:
                files.append(effect.path[len(root) + 1 :])
    return tuple(files)


def published(item: Running) -> list[Published]:
    """The container ports that Services, or the platform, send to."""
    found = []
    container = item.container
    if item.workload.platform in DECLARED:
        return [
            Published(
                container_port=port.container_port.number
                if port.container_port.number is not None
                else Unknown("the port is filled in later"),
                host_port=None,
                host_ip=None,
                protocol="tcp",
                at=port.container_port.at,
                source="kubernetes",
            )
            for port in container.ports
            if port.protocol == "TCP"
        ]
    if item.workload.platform in ("knative", "kserve"):
        port = platform_port(container)
        at = container.ports[0].at if container.ports else container.at
        found.append(
            Published(
                container_port=port
                if port is not None
                else Unknown("the container's port is templated"),
                host_port=None,
                host_ip=None,
                protocol="tcp",
                at=at,
                source="kubernetes",
            )
        )
    for service in item.services:
        if len(item.workload.pod.containers) > 1:
            # Which container of a pod a number means, only its process says.
            owned = {p.container_port.number for p in container.ports}
        else:
            owned = None
        for port_ in service.ports:
            if port_.protocol != "TCP":
                continue
            target = port_.target_port or port_.port
            number = _number(target, container)
            if number is None and isinstance(target.value, str) and not target.value.isdigit():
                continue
            if owned is not None and number not in owned:
                continue
            found.append(
                Published(
                    container_port=number
                    if number is not None
                    else Unknown("the targetPort is templated"),
                    host_port=None,
                    host_ip=None,
                    protocol="tcp",
                    at=target.at,
                    source="kubernetes",
                )
            )
    return found


def _number(port: kubernetes.Value, container: Container) -> int | None:
    if port.number is not None:
        return port.number
    if isinstance(port.value, str):
        named = container.port_named(port.value)
        if named is not None:
            return named.container_port.number
    return None


def health(item: Running, env: Env) -> list[HealthCheck]:
    """The probes."""
    container = item.container
    probes: tuple[tuple[Role, Probe | None], ...] = (
        ("startup", container.startup_probe),
        ("liveness", container.liveness_probe),
        ("readiness", container.readiness_probe),
    )
    found = [(role, _probe(probe, container, env)) for role, probe in probes if probe is not None]
    if item.workload.platform in DECLARED:
        return [check for _, check in found]
    return [replace(check, role=role) for role, check in found]


def _probe(probe: Probe, container: Container, env: Env) -> HealthCheck:
    if probe.kind == "exec" and probe.command:
        words = [_fragment(word.value, word.at) for word in probe.command]
        return healthcheck.read(shell.exec_form(probe.at.path, words), probe.at, "kubernetes", env)
    scheme = "http" if probe.kind == "http" else probe.kind
    if scheme == "http" and probe.scheme is not None and probe.scheme.value == "HTTPS":
        scheme = "https"
    port = _number(probe.port, container) if probe.port is not None else None
    path = probe.path.value if probe.path is not None else "/"
    return HealthCheck(
        at=probe.port.at if probe.port is not None else probe.at,
        source="kubernetes",
        host="localhost" if probe.host is None else str(probe.host),
        port=port,
        path=path if isinstance(path, str) else None,
        scheme=scheme,
    )


def _fragment(text: Value, at: Location) -> Fragment:
    return Fragment(at.path, [(text if isinstance(text, str) else "", at.line, at.column)])


def words(
    items: Sequence[kubernetes.Value] | None, variables: Sequence[Variable]
) -> tuple[tuple[str, Location], ...] | None:
    """``command`` or ``args`` as (word, place), ``$(NAME)`` filled in.

    None where the image's own stand: an empty list is the same as none.
    """
    if not items or any(not isinstance(item.value, str) for item in items):
        return None
    known = {
        v.name: v.value for v in variables if v.source == "kubernetes" and isinstance(v.value, str)
    }
    return tuple((expand(str(item), known), item.at) for item in items)


def unknown_words(container: Container) -> str | None:
    """Why the command is not known: a template has still to give a part of it."""
    for item in (*(container.command or ()), *(container.args or ())):
        if not isinstance(item.value, str):
            return item.value.reason
    return None


def user(item: Running) -> kubernetes.Value | None:
    """``runAsUser`` of the container, else of the pod."""
    for context in (item.container.security_context, item.workload.pod.security_context):
        if context is not None and context.run_as_user is not None:
            return context.run_as_user
    return None


def sealed(item: Running) -> tuple[Sealed, ...]:
    """The container's root file system, where it is read-only."""
    context = item.container.security_context
    if context is None or not context.read_only_root_filesystem:
        return ()
    return (Sealed(because="the container's file system is read-only", at=context.at),)


def image_names(dockerfile: str, context: str, root: str) -> tuple[str, ...]:
    """Names under which a manifest may mean the image of this Dockerfile, if nothing says it."""
    base = posixpath.basename(posixpath.dirname(dockerfile)) or posixpath.basename(context)
    suffix = posixpath.basename(dockerfile).lower()
    suffix = suffix.removeprefix("dockerfile").strip(".-_").removesuffix("dockerfile").strip(".-_")
    names = [n for n in (base, suffix, f"{base}-{suffix}" if base and suffix else "") if n]
    if not base:
        project = posixpath.basename(root.rstrip("/"))
        names += [project, f"{project}-{suffix}"] if suffix else [project]
    return tuple(names)
