"""The objects that a repository puts into a cluster: manifests, kustomizations and charts."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers import kubernetes
from auditor.source import Location, Problem
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers.helm import Chart
    from auditor.parsers.kustomize import Kustomization
    from auditor.parsers.releases import Release
    from auditor.parsers.yamldoc import YamlStream
    from auditor.source import SourceText

_MAX_SIZE = 1_000_000
_MAX_KUSTOMIZATIONS = 1_000
_MAX_CHARTS = 40
_MAX_SPOKEN = 4_000_000
_MAX_TASK = 200_000
# Names that task definitions and container apps go by.
_TASK = re.compile(
    r"(?:task|container|ecs|fargate|aca|azure|app)[^/]*\.(?:json|ya?ml)$|/(?:ecs|aca|azure|fargate)/"
)
_DEV = frozenset(
    [
        "dev",
        "devel",
        "develop",
        "development",
        "test",
        "tests",
        "testing",
        "local",
        "minikube",
        "kind",
        "k3d",
        "e2e",
        "ci",
        "sandbox",
        "staging",
        "stage",
        "qa",
        "preview",
        "canary",
    ]
)
_PRODUCTION = frozenset(("prod", "production", "prd", "live"))


@value
class Unmade:
    """A ConfigMap or claim that only the manifest names that needs it."""

    kind: str
    name: str
    workload: kubernetes.Workload
    at: Location


@value
class Cluster:
    """All objects of the repository's manifests, as they would be applied."""

    objects: tuple[kubernetes.Object, ...] = ()
    workloads: tuple[kubernetes.Workload, ...] = ()
    services: tuple[kubernetes.Service, ...] = ()
    config_maps: tuple[kubernetes.ConfigMap, ...] = ()
    secrets: tuple[kubernetes.Secret, ...] = ()
    ingresses: tuple[kubernetes.Ingress, ...] = ()
    scalers: tuple[kubernetes.Scaler, ...] = ()
    budgets: tuple[kubernetes.DisruptionBudget, ...] = ()
    charts: tuple[Chart, ...] = ()
    # Something that was not read may bring more objects.
    open: bool = False
    # What kustomizations name and nobody has, with the place that names it.
    missing: tuple[tuple[str, Location], ...] = ()
    unmade: tuple[Unmade, ...] = ()
    problems: tuple[Problem, ...] = ()
    # Workloads that a script or workflow gives another image once they are applied.
    given_images: frozenset[str] = frozenset()


class _Files:
    """The repository's files as the builders of manifests ask for them."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._paths = sorted(entry.path for entry in facts.repository.entries)

    def read(self, path: str) -> SourceText | None:
        """The text of a file of reasonable size."""
        entry = self._facts.repository.entry(path)
        if entry is None or entry.size > _MAX_SIZE:
            return None
        return self._facts.read(path)

    def below(self, directory: str) -> Sequence[str]:
        """Every file below a directory."""
        if not directory:
            return self._paths
        prefix = f"{directory}/"
        first = bisect_left(self._paths, prefix)
        last = bisect_left(self._paths, f"{directory}0")
        return self._paths[first:last]


def read(facts: Facts) -> Cluster:
    """The objects of every manifest that is meant for production."""
    from auditor.discovery import FileKind

    files = _Files(facts)
    objects: list[kubernetes.Object] = []
    problems: list[Problem] = []
    charts = list(_charts(facts, files))
    unread = False
    for chart in charts:
        problems += chart.problems
        unread = unread or bool(chart.unread) or any(not d.bundled for d in chart.dependencies)
        for stream in chart.streams:
            objects += kubernetes.read(stream).objects
    consumed, governed, chosen = _kustomizations(facts, files)
    missing: list[tuple[str, Location]] = []
    for built in chosen:
        problems += built.problems
        missing += [m for m in built.missing if not facts.by_hand(m[0])]
        unread = unread or built.open
        objects += kubernetes.of_nodes(built.path, built.objects)
    plain: list[kubernetes.Object] = []
    for entry in facts.repository.of_kind(FileKind.YAML):
        if entry.is_dev or entry.size > _MAX_SIZE or entry.path in consumed:
            continue
        if posixpath.dirname(entry.path) in governed:
            # A patch or a resource that no kustomization takes: nobody applies it.
            continue
        text = facts.read(entry.path)
        if text is None or not kubernetes.is_manifest(text.text):
            continue
        plain += kubernetes.parse(text).objects
    objects += _variants(plain)
    cluster = of(objects, charts=charts, open_=unread, missing=missing, problems=problems)
    if cluster.workloads:
        cluster = replace(cluster, given_images=_given_images(facts))
    if unread or not cluster.workloads:
        return cluster
    from auditor.deployment import unmade

    return replace(cluster, unmade=unmade.find(facts, objects, charts))


def tasks(facts: Facts) -> Iterator[Cluster]:
    """What clouds run beside clusters, each file a world of its own."""
    from auditor.discovery import FileKind
    from auditor.parsers import cloudtasks

    filled = any(
        (text := facts.read(entry.path)) is not None and "environment-variables:" in text.text
        for entry in facts.repository.of_kind(FileKind.CI)
    )
    for entry in facts.repository.of_kind(FileKind.JSON, FileKind.YAML):
        if entry.is_dev or entry.size > _MAX_TASK or not _TASK.search(entry.path.lower()):
            continue
        text = facts.read(entry.path)
        if text is not None and cloudtasks.is_task(text.text):
            yield of(cloudtasks.parse(text, filled=filled))


def of(
    objects: Iterable[kubernetes.Object],
    *,
    charts: Iterable[Chart] = (),
    open_: bool = False,
    missing: Iterable[tuple[str, Location]] = (),
    problems: Iterable[Problem] = (),
) -> Cluster:
    """These objects by class."""
    found = tuple(objects)
    return Cluster(
        objects=found,
        workloads=tuple(o for o in found if isinstance(o, kubernetes.Workload)),
        services=tuple(o for o in found if isinstance(o, kubernetes.Service)),
        config_maps=tuple(o for o in found if isinstance(o, kubernetes.ConfigMap)),
        secrets=tuple(o for o in found if isinstance(o, kubernetes.Secret)),
        ingresses=tuple(o for o in found if isinstance(o, kubernetes.Ingress)),
        scalers=tuple(o for o in found if isinstance(o, kubernetes.Scaler)),
        budgets=tuple(o for o in found if isinstance(o, kubernetes.DisruptionBudget)),
        charts=tuple(charts),
        open=open_,
        missing=tuple(dict.fromkeys(missing)),
        problems=tuple(problems),
    )


def _charts(facts: Facts, files: _Files) -> Iterator[Chart]:
    from auditor.discovery import FileKind

    heads = [
        posixpath.dirname(e.path)
        for e in facts.repository.of_kind(FileKind.HELM)
        if posixpath.basename(e.path) == "Chart.yaml" and not e.is_dev
    ]
    if not heads:
        return
    from auditor.parsers import helm

    known = set(heads)
    count = 0
    settings = _settings(facts)
    installed = _installations(facts, known)
    for directory in heads:
        parent = posixpath.dirname(directory)
        if posixpath.basename(parent) == "charts" and posixpath.dirname(parent) in known:
            continue
        for release in installed.get(directory) or [None]:
            count += 1
            if count > _MAX_CHARTS:
                break
            chart = helm.render(files, directory, release, settings)
            if chart is not None and not chart.library:
                yield chart


def _installations(facts: Facts, known: set[str]) -> dict[str, list[Release | None]]:
    """The installations of each chart that count: those of production, else none of development.

    What a controller applies goes before what somebody types; where somebody types no values
    file either, the chart's own values are meant to do.
    """
    from auditor.discovery import FileKind
    from auditor.parsers import releases

    declared: dict[str, list[Release]] = {}
    typed: dict[str, list[Release]] = {}
    for entry in facts.repository.of_kind(FileKind.YAML):
        if entry.is_dev or entry.size > _MAX_TASK:
            continue
        text = facts.read(entry.path)
        if text is None or not releases.concerns(text.text):
            continue
        for release in releases.objects(text):
            if release.chart in known and all(map(facts.repository.is_file, release.files)):
                declared.setdefault(release.chart, []).append(release)
    for path, told in _told(facts):
        for release in releases.commands(told, path):
            folder = posixpath.dirname(path)
            chart = _written(release.chart, (folder, ""), known.__contains__)
            files = [
                _written(file, (folder, "", chart or ""), facts.repository.is_file)
                for file in release.files
            ]
            if chart is not None and None not in files:
                release = replace(release, chart=chart, files=tuple(filter(None, files)))
                typed.setdefault(chart, []).append(release)
    found: dict[str, list[Release | None]] = {}
    for directory in known:
        mine = declared.get(directory) or typed.get(directory) or []
        if mine and (directory in declared or all(r.files for r in mine)):
            found[directory] = list(_for_production(mine))
    return found


def _written(path: str, folders: Iterable[str], there: Callable[[str], bool]) -> str | None:
    """What a path on a command line names, counted from the first of these where it is there."""
    for folder in folders:
        whole = posixpath.normpath(posixpath.join(folder, path))
        if not whole.startswith("..") and there(whole):
            return whole
    return None


def _for_production(releases: Sequence[Release]) -> list[Release]:
    """Of the installations of one chart, one for each name; other environments' are left out."""

    def words(release: Release) -> set[str]:
        return _words(
            " ".join([release.name, release.source, *map(posixpath.basename, release.files)])
        )

    production = [r for r in releases if words(r) & _PRODUCTION]
    serious = [r for r in releases if not words(r) & _DEV]
    chosen: dict[str, Release] = {}
    for release in production or serious or releases[:1]:
        chosen.setdefault(release.name, release)
    return list(chosen.values())


_SET_IMAGE = re.compile(
    r"\bset image\b[^\n&;|]*?\s"
    r"(?:deploy|deployments?|statefulsets?|sts|daemonsets?|ds|cronjobs?|jobs?|pods?)[/ ]"
    r"([a-z0-9][a-z0-9.-]*)"
)


def _given_images(facts: Facts) -> frozenset[str]:
    """Names of the workloads in ``kubectl set image`` lines."""
    return frozenset(
        name for _, text in _told(facts) if "set image" in text for name in _SET_IMAGE.findall(text)
    )


def _settings(facts: Facts) -> dict[str, str]:
    """Values that scripts, workflows and documents give the charts they install."""
    from auditor.parsers import helm

    found: dict[str, str] = {}
    for _, text in _told(facts):
        for key, value in helm.settings(text):
            found.setdefault(key, value)
    return found


def _told(facts: Facts) -> Iterator[tuple[str, str]]:
    """(path, text) of what may hold command lines."""
    from auditor.discovery import FileKind

    left = _MAX_SPOKEN
    for entry in facts.repository.entries:
        told = entry.kind in (FileKind.SHELL, FileKind.CI, FileKind.MAKEFILE)
        if not told and not entry.path.lower().endswith((".md", ".rst", ".txt")):
            continue
        if entry.size > min(_MAX_SIZE, left):
            continue
        left -= entry.size
        yield entry.path, facts.repository.read_text(entry.path).text


def _words(path: str) -> set[str]:
    text = path.lower()
    for sign in "-_./":
        text = text.replace(sign, " ")
    return set(text.split())


def _kustomizations(facts: Facts, files: _Files) -> tuple[set[str], set[str], list[Kustomization]]:
    """(files that kustomizations are built from, their directories, those that production applies).

    Of several that are laid over the same base, those named for production count; else those
    that are not named for development.
    """
    from auditor.discovery import FileKind

    built: list[Kustomization] = []
    parsed: dict[str, YamlStream | None] = {}
    governed: set[str] = set()
    for entry in facts.repository.of_kind(FileKind.KUSTOMIZATION):
        from auditor.parsers import kustomize

        if len(built) >= _MAX_KUSTOMIZATIONS:
            governed.add(posixpath.dirname(entry.path))
            continue
        made = kustomize.build(files, entry.path, parsed)
        if made is not None:
            built.append(made)
            governed.add(posixpath.dirname(entry.path))
    consumed = {path for item in built for path in item.inputs}
    below = {path for item in built for path in item.bases}
    roots = [
        item
        for item in built
        if item.path not in below
        and not item.component
        and not ((e := facts.repository.entry(item.path)) is not None and e.is_dev)
    ]
    chosen: list[Kustomization] = []
    for item in roots:
        others = [o for o in roots if o is item or o.bases & item.bases]
        if len(others) > 1:
            production = [o for o in others if _words(o.path) & _PRODUCTION]
            serious = [o for o in others if not _words(o.path) & _DEV]
            if item not in (production or serious or others[:1]):
                continue
        chosen.append(item)
    return consumed, governed, chosen


def _variants(objects: Sequence[kubernetes.Object]) -> Iterator[kubernetes.Object]:
    """The objects without those that are another environment's copy of one."""
    places: dict[tuple[str, str], set[str]] = {}
    for item in objects:
        if isinstance(item.name, str):
            places.setdefault((item.kind, item.name), set()).add(item.at.path)
    for item in objects:
        paths = places.get((item.kind, item.name), set()) if isinstance(item.name, str) else set()
        if len(paths) > 1:
            production = {p for p in paths if _words(p) & _PRODUCTION}
            serious = {p for p in paths if not _words(p) & _DEV}
            if item.at.path not in (production or serious or paths):
                continue
        yield item


# --- what belongs together


def same_namespace(first: kubernetes.Object, second: kubernetes.Object) -> bool:
    """Whether both are in one namespace; what names none goes where it is applied."""
    return (
        first.namespace is None
        or second.namespace is None
        or not isinstance(first.namespace, str)
        or not isinstance(second.namespace, str)
        or first.namespace == second.namespace
    )


def _chart_of(cluster: Cluster, item: kubernetes.Object) -> str | None:
    inside = [c.directory for c in cluster.charts if item.at.path.startswith(f"{c.directory}/")]
    return max(inside, key=len, default=None)


def leads(
    cluster: Cluster, service: kubernetes.Service, workload: kubernetes.Workload
) -> bool | None:
    """Whether the Service sends to the workload's pods.

    A chart and plain manifests of one application are two ways to install it, not one.
    """
    answer = selects(service.selector, workload) if same_namespace(service, workload) else False
    own = _chart_of(cluster, service)
    # One application in two files, each with its Service: either is applied.
    if service.at.path != workload.at.path and any(
        w.name == workload.name and w.kind == workload.kind and w.at.path == service.at.path
        for w in cluster.workloads
    ):
        return False
    if answer is False or own == _chart_of(cluster, workload):
        return answer
    mine = (w for w in cluster.workloads if w is not workload and _chart_of(cluster, w) == own)
    if any(selects(service.selector, w) is not False for w in mine):
        return False
    return answer


def selects(
    selector: Sequence[tuple[str, kubernetes.Value]], workload: kubernetes.Workload
) -> bool | None:
    """Whether a selector takes the workload's pods; None when a label is not known."""
    labels = {key: item.value for key, item in workload.pod.labels}
    answer: bool | None = bool(selector)
    for key, wanted in selector:
        given = labels.get(key)
        if not isinstance(wanted.value, str) or (given is not None and not isinstance(given, str)):
            answer = None
        elif given != wanted.value:
            return False
    return answer


def services_of(
    cluster: Cluster, name: str, at: kubernetes.Object, namespace: str | None = None
) -> list[kubernetes.Service]:
    """The Services of this name that an object may mean.

    A repository may install one application in several ways (manifests and a chart, overlays), each
    with its Service: then those that lie nearest are meant.
    """
    named = [
        service
        for service in cluster.services
        if service.name == name
        and (service.namespace == namespace if namespace else same_namespace(service, at))
    ]
    near = [_shared_path(service.at.path, at.at.path) for service in named]
    return [service for service, shared in zip(named, near, strict=True) if shared == max(near)]


def _shared_path(first: str, second: str) -> int:
    """How many leading directories two files share; one file is nearest to itself."""
    if first == second:
        return len(first)
    return len(posixpath.commonprefix([first.split("/")[:-1], second.split("/")[:-1]]))


class Pods:
    """Workloads by the labels of their pods, so that a selector asks only those it may take."""

    def __init__(self, workloads: Iterable[kubernetes.Workload]) -> None:
        self._all = list(workloads)
        self._by: dict[tuple[str, str | None], list[kubernetes.Workload]] = {}
        for workload in self._all:
            for key, item in dict(workload.pod.labels).items():
                value = item.value if isinstance(item.value, str) else None
                self._by.setdefault((key, value), []).append(workload)

    def taken(
        self, selector: Sequence[tuple[str, kubernetes.Value]]
    ) -> Iterator[kubernetes.Workload]:
        """Those that a selector takes, or may take."""
        known = next(((k, v.value) for k, v in selector if isinstance(v.value, str)), None)
        asked = self._all
        if known is not None:
            # None: of these pods nobody knows the value of the label.
            asked = [*self._by.get(known, ()), *self._by.get((known[0], None), ())]
        return (w for w in asked if selects(selector, w) is not False)
