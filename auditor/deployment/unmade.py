"""ConfigMaps and claims that workloads name and nobody makes.

What is applied may need more than a repository holds: scripts, documents, other tools and operators
make objects, too. So an object counts as made as soon as its name stands anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment.cluster import Unmade, same_namespace
from auditor.discovery import FileKind

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers import kubernetes
    from auditor.parsers.helm import Chart
    from auditor.source import Location

_MAX_SIZE = 500_000
_MAX_READ = 20_000_000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
# A word of a text that may be a name; what follows a dot (`settings.yaml`) may be left out.
_WORD = re.compile(r"(?<![\w.-])[a-z0-9][a-z0-9.-]*(?![\w-])")
# Kubernetes takes no longer ones.
_LONGEST = 253
# Certificates that clusters and meshes put into every namespace.
_GIVEN = re.compile(r"(?:^|[-.])ca(?:$|[-.])|^kube-")
# What is no text, or only data.
_SILENT = (".csv", ".tsv", ".parquet", ".ipynb", ".lock", ".svg", ".png", ".jpg", ".pdf", ".log")


def find(
    facts: Facts, objects: Sequence[kubernetes.Object], charts: Sequence[Chart]
) -> tuple[Unmade, ...]:
    """What is named by manifests and by nothing else. Charts name things after their release."""
    from auditor.parsers.kubernetes import Workload

    inside = tuple(f"{chart.directory}/" for chart in charts)
    named: dict[object, list[kubernetes.Object]] = {}
    for item in objects:
        named.setdefault(item.name if isinstance(item.name, str) else None, []).append(item)
    wanted: dict[tuple[str, str], list[tuple[Workload, Location]]] = {}
    for workload in objects:
        if not isinstance(workload, Workload) or workload.at.path.startswith(inside):
            continue
        for kind, name, at in _asked(workload):
            made = any(same_namespace(o, workload) for o in named.get(name, ()))
            if not made and not _of_template(name, objects):
                wanted.setdefault((kind, name), []).append((workload, at))
    if not wanted:
        return ()
    asking = {at.path for places in wanted.values() for _, at in places}
    spoken = _spoken(facts, {name for _, name in wanted}, asking)
    return tuple(
        Unmade(kind=kind, name=name, workload=workload, at=at)
        for (kind, name), places in wanted.items()
        for workload, at in places[:1]
        if name not in spoken
    )


def _asked(workload: kubernetes.Workload) -> Iterator[tuple[str, str, Location]]:
    """ConfigMaps and claims without which the pods do not start."""
    kinds = {"configMap": "ConfigMap", "persistentVolumeClaim": "PersistentVolumeClaim"}
    for volume in workload.pod.volumes:
        name = volume.source.value if volume.source is not None else None
        if volume.kind in kinds and not volume.optional and _judged(name):
            yield kinds[volume.kind], str(name), volume.at
    for container in (*workload.pod.containers, *workload.pod.init_containers):
        for source in [v.source for v in container.env] + [e.source for e in container.env_from]:
            wanted = source is not None and source.kind == "ConfigMap" and not source.optional
            if source is not None and wanted and _judged(source.name):
                yield "ConfigMap", source.name, source.at


def _judged(name: object) -> bool:
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not _GIVEN.search(name)


def _of_template(name: str, objects: Sequence[kubernetes.Object]) -> bool:
    """A claim that a StatefulSet makes for one of its pods: ``data-db-0``."""
    from auditor.parsers.kubernetes import Workload

    return any(
        name.startswith(f"{claim}-{item.name}-")
        for item in objects
        if isinstance(item, Workload)
        for claim in item.claim_templates
    )


def _spoken(facts: Facts, names: set[str], asking: set[str]) -> set[str]:
    """Those of the names that stand in another file than the manifests that ask for them."""
    found: set[str] = set()
    left = _MAX_READ
    for entry in facts.repository.entries:
        if entry.path in asking or entry.path.lower().endswith(_SILENT):
            continue
        if entry.size > _MAX_SIZE or entry.kind is FileKind.ARTIFACT:
            continue
        left -= entry.size
        if left < 0 or found == names:
            return names if left < 0 else found
        for word in set(_WORD.findall(facts.repository.read_text(entry.path).text)):
            parts = word[: _LONGEST + 1].split(".")
            found.update(names & {".".join(parts[: i + 1]) for i in range(len(parts))})
    return found
