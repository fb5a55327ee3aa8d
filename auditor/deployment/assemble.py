"""From files to the deployment: which images are built, which services are started."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.deployment import environments, images, services
from auditor.deployment.facts import Facts
from auditor.deployment.model import (
    Artifact,
    BuiltImage,
    Deployment,
    Environment,
    PythonClaim,
    Service,
    Value,
)
from auditor.discovery import FileEntry, FileKind, Repository
from auditor.parsers import compose, dockercli, locks, pyversion
from auditor.parsers.dockercli import DockerBuild, DockerRun
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.parsers.compose import ComposeProject

# Names of requirement files that an image would not install in production.
_DEV_WORDS = frozenset(
    {"dev", "develop", "development", "test", "tests", "testing", "docs", "doc", "lint", "ci", "extra",
     "extras", "notebook", "notebooks", "train", "training", "local", "build", "bench", "benchmark"}
)  # fmt: skip


def assemble(
    repository: Repository, settings: Settings, artifacts: Iterable[Artifact] = ()
) -> Deployment:
    """The deployment that this repository describes."""
    facts = Facts(repository)
    builds, runs = _docker_lines(facts)
    projects = _projects(facts)
    built: dict[tuple[object, ...], BuiltImage] = {}
    found: list[Service] = []
    used: set[str] = set()
    names: dict[str, int] = {}

    def image_of(
        dockerfile: str,
        context: str,
        target: str | None,
        arguments: tuple[tuple[str, Value], ...],
        *,
        is_dev: bool,
    ) -> BuiltImage | None:
        key = (dockerfile, context, target, arguments)
        if key not in built:
            image = images.build(
                facts,
                dockerfile=dockerfile,
                context=context,
                target=target,
                build_args=dict(arguments),
                is_dev=is_dev,
            )
            if image is None:
                return None
            built[key] = image
        return built[key]

    def unique(name: str) -> str:
        names[name] = names.get(name, 0) + 1
        return name if names[name] == 1 else f"{name}-{names[name]}"

    default: dict[str, ComposeProject] = {}
    for project in projects:
        base = default.setdefault(project.files[0], project)
        label = posixpath.basename(project.files[-1]) if base is not project else ""
        for service in project.services:
            # An override that leaves a service as it is does not make a second one of it.
            if label and service in base.services:
                continue
            image = None
            if service.build is not None:
                dockerfile = service.build.dockerfile_path
                context = service.build.context
                target = service.build.target.value if service.build.target else None
                arguments = tuple(
                    (a.name, a.value) for a in service.build.args if a.value is not None
                )
                if dockerfile is not None and context is not None:
                    dockerfile = posixpath.normpath(dockerfile)
                    context = "" if context in ("", ".") else posixpath.normpath(context)
                    image = image_of(
                        dockerfile,
                        context,
                        target if isinstance(target, str) else None,
                        arguments,
                        is_dev=project.is_dev,
                    )
                    if image is not None:
                        used.add(dockerfile)
            found.append(
                services.from_compose(
                    facts,
                    project=project,
                    service=service,
                    image=image,
                    name=unique(f"{service.name}@{label}" if label else service.name),
                )
            )

    for entry in repository.of_kind(FileKind.DOCKERFILE):
        if entry.path in used:
            continue
        hint, target, arguments, tags = _build_hints(entry.path, builds)
        context = images.choose_context(facts, entry.path, hint)
        image = image_of(
            entry.path, context, target, arguments, is_dev=entry.is_dev or _dev_name(entry.path)
        )
        if image is None:
            continue
        mine = _runs_of(entry, tags, runs, repository)
        found.append(
            services.from_image(
                facts, name=unique(_service_name(entry.path)), image=image, runs=mine
            )
        )

    by_image: dict[int, list[str]] = {}
    for item in found:
        if item.image is not None:
            by_image.setdefault(id(item.image), []).append(item.name)
    final = {
        id(image): images.with_services(image, tuple(by_image.get(id(image), ())))
        for image in built.values()
    }
    complete = [
        replace(
            service,
            image=final[id(service.image)],
            environment=final[id(service.image)].environment,
        )
        if service.image is not None
        else service
        for service in found
    ]
    shipped = list(final.values())
    claims, version_files = _claims(facts)
    environment_list = [i.environment for i in shipped if i.environment is not None]
    library = _is_library(facts) and not complete
    if not shipped:
        environment_list += _project_environments(facts, claims, library=library)
    for entry in repository.of_kind(FileKind.NOTEBOOK):
        if entry.size < 5_000_000:
            facts.module(entry.path)
    problems = dict.fromkeys((*repository.problems, *facts.problems))
    for image in shipped:
        problems.update(dict.fromkeys(image.dockerfile.problems))
    for project in projects:
        problems.update(dict.fromkeys(project.problems))
    return Deployment(
        root=repository.root,
        services=tuple(complete),
        images=tuple(shipped),
        environments=tuple(environment_list),
        artifacts=tuple(artifacts),
        projects=tuple(projects),
        python_claims=tuple(claims),
        version_files=tuple(version_files),
        modules=facts.modules,
        problems=tuple(problems),
        target_python=settings.target_python,
        is_library=library,
    )


def _docker_lines(facts: Facts) -> tuple[list[DockerBuild], list[DockerRun]]:
    """``docker`` command lines of documentation, scripts, Makefiles and workflows."""
    builds: list[DockerBuild] = []
    runs: list[DockerRun] = []
    for entry in facts.repository.entries:
        place: dockercli.Place
        name = posixpath.basename(entry.path).lower()
        if entry.size > 1_000_000:
            continue
        if name.endswith((".md", ".rst")) and entry.path.count("/") <= 2:
            place = "documentation"
        elif entry.kind is FileKind.SHELL:
            place = "script"
        elif entry.kind is FileKind.CI:
            place = "ci"
        elif entry.kind is FileKind.MAKEFILE:
            place = "makefile"
        else:
            continue
        text = facts.read(entry.path)
        if text is None:
            continue
        for item in dockercli.read(text, place):
            if isinstance(item, DockerBuild):
                builds.append(item)
            else:
                runs.append(item)
    return builds, runs


def _projects(facts: Facts) -> list[ComposeProject]:
    """Compose projects; development variants only where there is nothing else."""
    paths = [e.path for e in facts.repository.of_kind(FileKind.COMPOSE)]
    loaded = []
    for files in compose.file_sets(paths):
        texts = [t for t in (facts.read(p) for p in files.files) if t is not None]
        if not texts:
            continue
        project = compose.load(texts, facts.repository)
        dev = files.is_dev or project.is_dev
        entry = facts.repository.entry(files.files[0])
        if entry is not None and entry.is_dev:
            dev = True
        loaded.append(replace(project, is_dev=dev))
    return loaded


def _dev_name(path: str) -> bool:
    name = posixpath.basename(path).lower().replace("-", ".").replace("_", ".")
    return bool(
        set(name.split(".")) & {"dev", "development", "test", "tests", "debug", "local", "ci"}
    )


def _service_name(path: str) -> str:
    """A name for a Dockerfile's service: its suffix, its directory, or ``app``."""
    directory, name = posixpath.split(path)
    lowered = name.lower()
    suffix = ""
    if lowered.startswith(("dockerfile.", "dockerfile-")):
        suffix = name[len("dockerfile.") :]
    elif lowered.endswith((".dockerfile", ".containerfile")):
        suffix = name.rpartition(".")[0]
    base = posixpath.basename(directory)
    return "-".join(p for p in (base, suffix) if p) or "app"


def _build_hints(
    dockerfile: str, builds: Sequence[DockerBuild]
) -> tuple[str | None, str | None, tuple[tuple[str, Value], ...], tuple[str, ...]]:
    """(context, target, build arguments, tags) that build commands give for a Dockerfile."""
    for build in builds:
        context = build.context
        if not isinstance(context, str) or "://" in context or context.startswith("$"):
            continue
        origin = posixpath.dirname(build.at.path) if build.place == "documentation" else ""
        for start in dict.fromkeys((build.directory, origin, "")):
            directory = posixpath.normpath(posixpath.join(start, context))
            if directory.startswith(".."):
                continue
            directory = "" if directory == "." else directory
            if isinstance(build.dockerfile, str):
                named = posixpath.normpath(posixpath.join(start, build.dockerfile))
            else:
                named = posixpath.normpath(posixpath.join(directory, "Dockerfile"))
            if named != dockerfile:
                continue
            arguments = tuple(
                (name, value) for name, value in build.args if name and value is not None
            )
            target = build.target if isinstance(build.target, str) else None
            tags = tuple(t for b in builds for t in b.tags if isinstance(t, str) and b == build)
            return directory, target, arguments, tags
    return None, None, (), ()


def _runs_of(
    entry: FileEntry,
    tags: tuple[str, ...],
    runs: Sequence[DockerRun],
    repository: Repository,
) -> list[DockerRun]:
    """The run commands that start this Dockerfile's image."""
    wanted = {t.partition(":")[0] for t in tags}
    mine = [r for r in runs if isinstance(r.image, str) and r.image.partition(":")[0] in wanted]
    if mine or wanted:
        return mine
    # Nothing says how it is tagged: with one Dockerfile, a run of a local-looking name is its.
    if len(repository.of_kind(FileKind.DOCKERFILE)) != 1:
        return []
    return [
        r
        for r in runs
        if isinstance(r.image, str)
        and "/" not in r.image
        and r.image.partition(":")[0] not in _PUBLIC_IMAGES
    ]


_PUBLIC_IMAGES = frozenset(
    {
        "alpine", "busybox", "debian", "elasticsearch", "grafana", "mariadb", "memcached", "mongo",
        "mysql", "nginx", "node", "postgres", "prom", "python", "rabbitmq", "redis", "registry",
        "traefik", "ubuntu", "zookeeper", "hello-world", "minio", "kibana",
    }
)  # fmt: skip


def _claims(facts: Facts) -> tuple[list[PythonClaim], list[pyversion.PythonVersion]]:
    """What the repository's files say about the interpreter, image bases apart."""
    claims: list[PythonClaim] = []
    versions: list[pyversion.PythonVersion] = []
    for entry in facts.repository.of_kind(FileKind.PYTHON_VERSION, FileKind.PIPFILE):
        text = facts.read(entry.path)
        if text is None or entry.is_dev:
            continue
        form = pyversion.detect(entry.path)
        if form is None:
            continue
        for version in pyversion.parse(text, form).versions[:1]:
            versions.append(version)
            claims.append(PythonClaim(version=version.version, at=version.at, kind="version-file"))
    for entry in facts.repository.of_kind(FileKind.PYPROJECT):
        project = facts.pyproject(entry.path)
        if project is not None and project.requires_python is not None and not entry.is_dev:
            claims.append(
                PythonClaim(
                    version="",
                    at=project.requires_python.at,
                    kind="requires-python",
                    specifier=project.requires_python.value,
                )
            )
    for entry in facts.repository.of_kind(FileKind.CONDA):
        conda = facts.conda(entry.path)
        if conda is not None and conda.python is not None and conda.python.version:
            claims.append(
                PythonClaim(
                    version=conda.python.version.rstrip(".*"), at=conda.python.at, kind="conda"
                )
            )
    return claims, versions


def _is_library(facts: Facts) -> bool:
    for entry in facts.repository.of_kind(
        FileKind.PYPROJECT, FileKind.SETUP_PY, FileKind.SETUP_CFG
    ):
        if "/" in entry.path:
            continue
        if entry.kind is FileKind.SETUP_PY:
            return True
        project = facts.pyproject(entry.path) if entry.kind is FileKind.PYPROJECT else None
        if project is not None and project.is_library is True:
            return True
    return False


def _project_environments(
    facts: Facts, claims: Sequence[PythonClaim], *, library: bool
) -> list[Environment]:
    """Environments of a repository that builds no image, one per directory that declares one."""
    directories: dict[str, list[str]] = {}
    for entry in facts.repository.of_kind(
        FileKind.REQUIREMENTS, FileKind.CONDA, FileKind.LOCK, FileKind.PYPROJECT, FileKind.SETUP_PY
    ):
        if entry.is_dev:
            continue
        name = posixpath.basename(entry.path).lower()
        words = set(name.rpartition(".")[0].replace("-", "_").replace(".", "_").split("_"))
        if entry.kind is FileKind.REQUIREMENTS and (
            words & _DEV_WORDS or "constraint" in name or name.endswith(".in")
        ):
            continue
        if entry.kind is FileKind.PYPROJECT:
            project = facts.pyproject(entry.path)
            if project is None or not (project.dependencies or project.requires_python):
                continue
        directories.setdefault(posixpath.dirname(entry.path), []).append(entry.path)
    result = []
    for directory, files in sorted(directories.items()):
        kinds = {path: locks.detect(path) for path in files}
        primary = [p for p in files if kinds[p] is None or kinds[p] == "pip-compile"]
        requirement_files = [p for p in primary if p.endswith((".txt", ".pip"))]
        if requirement_files:
            primary = [p for p in primary if not p.endswith(("setup.py", "pyproject.toml"))]
        primary += [p for p in files if kinds[p] not in (None, "pip-compile")]
        if not primary or all(kinds[p] not in (None, "pip-compile") for p in primary):
            continue
        python = next(
            (c for c in claims if posixpath.dirname(c.at.path) == directory and c.version),
            next((c for c in claims if c.version and "/" not in c.at.path), None),
        )
        environment = environments.of_project(
            name=directory or ".",
            at=Location(primary[0]),
            files=primary,
            facts=facts,
            python=python,
        )
        if environment.requirements:
            result.append(replace(environment, is_library=library))
    return result
