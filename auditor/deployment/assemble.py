"""From files to the deployment: which images are built, which services are started."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.deployment import (
    atstart,
    environments,
    fronts,
    hosted,
    images,
    manifests,
    packaged,
    pipelines,
    serverimages,
    services,
    surroundings,
    switched,
    units,
    unused,
)
from auditor.deployment import cluster as clusters
from auditor.deployment.composing import Composition
from auditor.deployment.facts import Facts
from auditor.deployment.model import (
    Artifact,
    BuiltImage,
    Deployment,
    Environment,
    Load,
    PythonClaim,
    Service,
    Value,
)
from auditor.discovery import FileEntry, FileKind, Repository
from auditor.findings import Stage
from auditor.parsers import compose, dockercli, imagebuilds, locks, pyversion
from auditor.parsers.dockercli import DockerBuild, DockerRun
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.parsers.compose.facts import ComposeProject
    from auditor.parsers.python import ModuleFacts
    from auditor.source import SourceText

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
    artifacts = tuple(artifacts)
    if artifacts:
        from auditor.linking.loads import project_modules

        facts.pickled_modules = project_modules(artifacts)
    builds, runs = _docker_lines(facts)
    projects, variants, aside = _projects(facts)
    built: dict[tuple[object, ...], BuiltImage] = {}
    found: list[Service] = []
    used: set[str] = set()
    taken: set[str] = set()
    image_tags: dict[str, list[str]] = {}

    def image_of(
        dockerfile: str,
        context: str,
        target: str | None,
        arguments: tuple[tuple[str, Value], ...],
        *,
        is_dev: bool,
        given: atstart.Words = (),
        guessed: bool = False,
    ) -> BuiltImage | None:
        key = (dockerfile, context, target, arguments, tuple(word for word, _ in given))
        if key not in built:
            image = images.build(
                facts,
                dockerfile=dockerfile,
                context=context,
                target=target,
                build_args=dict(arguments),
                is_dev=is_dev,
                given=given,
            )
            if image is None:
                return None
            built[key] = replace(image, context_guessed=guessed)
        return built[key]

    def unique(name: str, file: str) -> str:
        full = name
        number = 1
        while full in taken:
            number += 1
            full = f"{name} ({file})" if number == 2 else f"{name} ({file}, {number})"
        taken.add(full)
        return full

    default: dict[str, Composition] = {}
    for project in projects:
        composition = Composition(facts, project)
        base = default.setdefault(project.files[0], composition)
        for service in project.services:
            # An override that leaves a service as it is does not make a second one of it.
            if base is not composition and base.services.get(service.name) == service:
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
                    dockerfile = images.spelled(facts, posixpath.normpath(dockerfile))
                    context = "" if context in ("", ".") else posixpath.normpath(context)
                    image = image_of(
                        dockerfile,
                        context,
                        target if isinstance(target, str) else None,
                        arguments,
                        is_dev=project.is_dev or (isinstance(target, str) and _dev_name(target)),
                        given=services.installing(service),
                    )
                    if image is not None:
                        used.add(dockerfile)
                        if service.image is not None and isinstance(service.image.value, str):
                            image_tags.setdefault(dockerfile, []).append(service.image.value)
            elif service.image is not None:
                text = service.image
                image = serverimages.pulled(facts, text.value, text.at)
            found.append(
                services.from_compose(
                    composition,
                    service=service,
                    image=image,
                    name=unique(service.name, project.files[-1]),
                )
            )

    packagers = tuple(packaged.read(facts))
    broken = {item.at.path for item in packagers if item.missing}
    for app in hosted.apps(facts):
        if app.at.path in broken:
            continue  # IMG034 says why it cannot be built
        if app.dockerfile is None:
            image = services.platform_image(facts, app)
        else:
            image = image_of(app.dockerfile, app.context, app.target, (), is_dev=False)
            used.add(app.dockerfile)
        if image is not None:
            name = unique(app.name, app.at.path)
            found.append(services.from_platform(facts, app=app, image=image, name=name))

    for unit in units.units(facts):
        started_by = services.from_unit(facts, unit=unit, name=unique(unit.name, unit.path))
        if started_by is not None:
            found.append(started_by)

    cluster = clusters.read(facts)
    for problem in cluster.problems:
        facts.note((problem,))
    linked = _linked(facts, cluster, builds, image_tags, aside) if cluster.workloads else {}
    tasks = tuple(clusters.tasks(facts))
    for task in tasks:
        for path, items in _linked(facts, task, builds, image_tags, aside).items():
            linked.setdefault(path, []).extend(items)
    found = [service for service in found if not _built_for(service, linked)]
    tied = {item.container.at for items in linked.values() for item in items}
    for server in (item for one in (cluster, *tasks) for item in manifests.running(one)):
        named = server.container.image
        image = serverimages.pulled(facts, named.value, named.at) if named is not None else None
        if image is not None and server.container.at not in tied:
            name = unique(_workload_name(server), server.workload.at.path)
            found.append(services.from_kubernetes(facts, running=server, image=image, name=name))
    built_as = frozenset(t for b in builds for t in b.tags if isinstance(t, str) and ":" in t)
    for entry in repository.of_kind(FileKind.DOCKERFILE):
        started = linked.get(entry.path, [])
        if entry.path in aside or (entry.path in used and not started):
            continue
        hint, target, arguments, tags, shown = _build_hints(entry.path, builds)
        guessed = hint is None and "/" in entry.path
        if started:
            context = images.choose_context(facts, entry.path, hint, shown=shown)
            image = image_of(
                entry.path, context, target, arguments, is_dev=entry.is_dev, guessed=guessed
            )
            if image is not None:
                found += [
                    services.from_kubernetes(
                        facts,
                        running=item,
                        image=image,
                        name=unique(_workload_name(item), item.workload.at.path),
                    )
                    for item in started
                ]
                continue
        if entry.path in used:
            continue
        context = images.choose_context(facts, entry.path, hint, shown=shown)
        image = image_of(
            entry.path,
            context,
            target,
            arguments,
            is_dev=entry.is_dev or _dev_name(entry.path),
            guessed=guessed,
        )
        if image is None:
            parsed = facts.dockerfile(entry.path)
            if parsed is not None:
                facts.note(parsed.problems)
            continue
        mine = _runs_of(entry, tags, runs, repository, built_as)
        found.append(
            services.from_image(
                facts,
                name=unique(_service_name(entry.path), entry.path),
                image=image,
                runs=mine,
                beside=any(s.origin in ("compose", "kubernetes") for s in found)
                or pipelines.give_commands(facts),
            )
        )

    for entry in repository.of_kind(FileKind.PROCFILE):
        folder = posixpath.dirname(entry.path)
        # A platform that finds a Dockerfile beside it builds that, or somebody tried both.
        if (
            entry.is_dev
            or any(posixpath.dirname(d) == folder for d in used)
            or any(
                posixpath.dirname(d.path) == folder for d in repository.of_kind(FileKind.DOCKERFILE)
            )
        ):
            continue
        web = services.from_procfile(
            facts, path=entry.path, name=unique(posixpath.basename(folder) or "web", entry.path)
        )
        if web is not None:
            found.append(web)

    if not found:
        # Manifests alone: their images are built in other repositories.
        found += [
            services.from_kubernetes(
                facts,
                running=item,
                image=None,
                name=unique(_workload_name(item), item.workload.at.path),
            )
            for item in manifests.running(cluster)
            if not manifests.is_foreign(item)
        ]

    local = _local_images(facts, builds)
    found = [_as_base(service, local, facts) for service in found]
    by_image: dict[int, list[str]] = {}
    for item in found:
        if item.image is not None:
            by_image.setdefault(id(item.image), []).append(item.name)
    final = {
        id(image): replace(
            images.with_services(image, tuple(by_image.get(id(image), ()))),
            base_is_local=image.base is not None
            and image.base.flavour is None
            and _plain_name(image.base.reference.repository) in local,
        )
        for image in built.values()
    }
    complete = [
        replace(
            service,
            image=final[id(service.image)],
            environment=final[id(service.image)].environment,
        )
        if service.image is not None and id(service.image) in final
        else service
        for service in found
    ]
    complete = list(fronts.passed_on(complete))
    shipped = list(final.values())
    claims, version_files = _claims(facts)
    environment_list = [i.environment for i in shipped if i.environment is not None]
    library = _is_library(facts) and not complete
    if not shipped:
        environment_list += _project_environments(facts, claims, library=library)
    for entry in repository.of_kind(FileKind.NOTEBOOK):
        if entry.size < 5_000_000:
            facts.module(entry.path)
    exporters = _exporters(facts)
    problems = dict.fromkeys((*repository.problems, *facts.problems))
    for image in shipped:
        problems.update(dict.fromkeys(image.dockerfile.problems))
    for project in projects:
        problems.update(dict.fromkeys(project.problems))
    loads: tuple[Load, ...] = ()
    if artifacts:
        from auditor.linking.loads import loads_of

        loads = tuple(
            loads_of(artifacts, complete, environment_list, target_python=settings.target_python)
        )
    from auditor.linking.dumps import loads_of_dumps

    return Deployment(
        root=repository.root,
        loads=loads,
        made_loads=tuple(loads_of_dumps(complete)),
        services=tuple(complete),
        images=tuple(shipped),
        environments=tuple(environment_list),
        artifacts=artifacts,
        projects=tuple(projects),
        variants=tuple(variants),
        python_claims=tuple(claims),
        version_files=tuple(version_files),
        modules=facts.modules,
        exporters=exporters,
        python_files=frozenset(e.path for e in repository.of_kind(FileKind.PYTHON)),
        problems=tuple(problems),
        target_python=settings.target_python,
        files=frozenset(entry.path for entry in repository.entries),
        unused=unused.find(facts, projects, variants, complete),
        switched=switched.find(facts, complete),
        is_library=library,
        surroundings=_surroundings(facts, cluster) if complete else surroundings.Surroundings(),
        cluster=cluster,
        packaged=packagers,
    )


def _surroundings(facts: Facts, cluster: clusters.Cluster) -> surroundings.Surroundings:
    """What stands around the services, with the objects of charts and overlays as applied."""
    found = surroundings.collect(facts)
    if not cluster.objects:
        return found
    from auditor.parsers.kubernetes import KubernetesFacts

    applied = KubernetesFacts(path="", objects=cluster.objects)
    return replace(found, manifests=(*found.manifests, applied))


def _linked(
    facts: Facts,
    cluster: clusters.Cluster,
    builds: Sequence[DockerBuild],
    image_tags: dict[str, list[str]],
    aside: set[str],
) -> dict[str, list[manifests.Running]]:
    """The containers of the cluster that run each Dockerfile's image."""
    candidates = []
    for entry in facts.repository.of_kind(FileKind.DOCKERFILE):
        hint, _, _, _, shown = _build_hints(entry.path, builds)
        context = images.choose_context(facts, entry.path, hint, shown=shown)
        tags = [t for build in builds for t in _build_hints(entry.path, [build])[3]]
        candidates.append(
            manifests.Candidate(
                dockerfile=entry.path,
                tags=tuple(dict.fromkeys((*tags, *image_tags.get(entry.path, ())))),
                names=manifests.image_names(entry.path, context, facts.repository.root),
                is_dev=entry.is_dev or entry.path in aside or _dev_name(entry.path),
            )
        )
    return manifests.link(cluster, candidates)


def _exporters(facts: Facts) -> tuple[ModuleFacts, ...]:
    """Modules that export models; training code is nobody's entry, so they are looked for."""
    found = []
    for entry in facts.repository.of_kind(FileKind.PYTHON, FileKind.NOTEBOOK):
        if entry.is_dev or entry.size > 1_000_000:
            continue
        source = facts.read(entry.path)
        if source is None or not any(word in source.text for word in _EXPORTERS):
            continue
        from auditor.parsers import python
        from auditor.parsers.python.exports import exporting

        module = facts.modules.get(entry.path) or python.parse(source)
        if exporting(module):
            found.append(module)
    _read_models(facts, found)
    return tuple(found)


def _read_models(facts: Facts, exporters: Iterable[ModuleFacts]) -> None:
    """Read the project's modules from which exported models may come."""
    from auditor.parsers.python.modes import module_paths

    python = {entry.path for entry in facts.repository.of_kind(FileKind.PYTHON)}
    pending = list(exporters)
    seen = {module.path for module in pending}
    while pending and len(seen) < _MOST_MODELS:
        module = pending.pop()
        for item in module.imports:
            dots = "." * item.level
            names = [f"{dots}{item.module}"]
            if item.level or item.names:
                # ``from package import module``.
                joint = "." if item.module else ""
                names += [f"{dots}{item.module}{joint}{name}" for name in item.names]
            for name in names:
                path = next((p for p in module_paths(module.path, name) if p in python), None)
                if path is None or path in seen:
                    continue
                seen.add(path)
                read = facts.module(path)
                if read is not None:
                    pending.append(read)


_MOST_MODELS = 60
_EXPORTERS = (
    "torch.onnx", "torch.jit", "torch.export", "torch import onnx", "torch import jit", "skl2onnx",
    "onnxmltools", "tf2onnx", "optimum.exporters",
)  # fmt: skip


def _workload_name(item: manifests.Running) -> str:
    name = item.workload.name if isinstance(item.workload.name, str) else item.container.name
    return name if len(item.workload.pod.containers) == 1 else f"{name}/{item.container.name}"


def _docker_lines(facts: Facts) -> tuple[list[DockerBuild], list[DockerRun]]:
    """``docker`` command lines of documentation, scripts, Makefiles, workflows and Dockerfiles."""
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
        elif entry.kind is FileKind.DOCKERFILE:
            place = "comment"
        elif (configured := _CONFIGURED.get(name)) is not None:
            text = facts.read(entry.path)
            if text is not None:
                builds += getattr(imagebuilds, configured)(text)
            continue
        else:
            continue
        text = facts.read(entry.path)
        if text is None:
            continue
        if place == "ci":
            builds += imagebuilds.workflow(text)
        for item in dockercli.read(text, place):
            if isinstance(item, DockerBuild):
                builds.append(item)
            else:
                runs.append(item)
    return builds, runs


# Files that configure builds, and the reader of each.
_CONFIGURED = {
    "docker-bake.hcl": "bake_hcl",
    "docker-bake.json": "bake_json",
    "skaffold.yaml": "skaffold",
    "skaffold.yml": "skaffold",
}


def _projects(
    facts: Facts,
) -> tuple[list[ComposeProject], list[ComposeProject], set[str]]:
    """Compose projects as they would be started, those left aside, and what only these build.

    A file that stands alone is a project of its own; one laid over the default file replaces
    it when its name says production, or when Compose applies it by itself and nothing says that
    it is for development. Development variants of an existing project are left aside: what they
    build is not what is shipped.
    """
    paths = [e.path for e in facts.repository.of_kind(FileKind.COMPOSE)]
    given = _speaking_of(facts, "--env-file") if paths else []
    chosen: dict[tuple[str, ...], ComposeProject] = {}
    variants: list[ComposeProject] = []
    aside: set[str] = set()
    for files in compose.file_sets(paths):
        texts = [t for t in (facts.read(p) for p in files.files) if t is not None]
        if not texts:
            continue
        names = files.files
        under = None
        if len(names) == 1 and not files.is_default:
            under = _given_before(facts, texts[0], paths)
            if under is not None:
                texts, names = [under, *texts], (under.path, *names)
        entry = facts.repository.entry(names[-1])
        dev = files.is_dev or (entry is not None and entry.is_dev)
        variant = len(texts) > 1
        applied = variant and files.is_default and _always_applied(texts[-1], paths)
        dev = dev and not applied
        if (
            variant
            and under is None
            and compose.stands_alone(texts[-1])
            and not compose.lies_over(texts[-1].text, names[0], names[-1])
        ):
            texts, names, variant = texts[-1:], names[-1:], False
        directory = _project_directory(facts, texts)
        home = posixpath.dirname(names[0]) if directory is None else directory
        env_files, unnamed = _env_files(facts, given, home)
        project = compose.load(
            texts, facts.repository, directory=directory, env_files=env_files, is_dev=dev
        )
        project = replace(
            project, is_dev=dev, ignored_env=project.ignored_env or (unnamed and not env_files)
        )
        siblings = [
            key for key in chosen if posixpath.dirname(key[0]) == posixpath.dirname(names[0])
        ]
        if dev and siblings:
            aside |= {
                posixpath.normpath(s.build.dockerfile_path)
                for s in project.services
                if s.build is not None and s.build.dockerfile_path is not None
            }
            variants.append(project)
            continue
        if variant:
            if not applied and not _for_production(names[-1]):
                variants.append(project)
                continue
            plain = chosen.pop(names[:1], None)
            variants += () if plain is None else (plain,)
        chosen[names] = project
    projects = list(chosen.values())
    whole = [p for p in projects if not any(_part_of(p, other) for other in projects)]
    return whole, variants, aside


def _built_for(service: Service, linked: Mapping[str, object]) -> bool:
    """Whether a Compose file that only builds makes this image for a manifest that runs it."""
    return (
        service.project is not None
        and service.image is not None
        and service.image.dockerfile.path in linked
        and all(item.only_built for item in service.project.services)
    )


def _part_of(project: ComposeProject, other: ComposeProject) -> bool:
    """Whether the other one includes every file of this project (and not the other way round)."""
    mine, theirs = set(project.included), set(other.included)
    return theirs.issuperset(project.files) and not mine.issuperset(other.files)


def _for_production(path: str) -> bool:
    words = posixpath.basename(path).lower().replace("-", ".").split(".")
    return not {"prod", "production"}.isdisjoint(words)


def _given_before(facts: Facts, source: SourceText, paths: Sequence[str]) -> SourceText | None:
    """The Compose file after which this one is given, by its own text or the documentation's."""
    folder = posixpath.dirname(source.path)
    beside = [p for p in paths if posixpath.dirname(p) == folder and p != source.path]
    if not beside:
        return None
    name = posixpath.basename(source.path)
    for text in (source, *_speaking_of(facts, name)):
        for path in beside:
            if compose.lies_over(text.text, path, source.path):
                return facts.read(path)
    return None


# An override that mounts the sources, watches them or builds another stage is for development.
_DEVELOPS = re.compile(
    r"^\s*-\s*['\"]?\.{1,2}/?[\w./-]*:/|--reload|develop|debug:|\bdev\b|source:\s*\.",
    re.MULTILINE | re.IGNORECASE,
)


def _always_applied(override: SourceText, paths: Sequence[str]) -> bool:
    """Whether ``docker compose up`` is meant to take this override wherever it runs."""
    folder = posixpath.dirname(override.path)
    beside = [path for path in paths if posixpath.dirname(path) == folder]
    return not any(map(_for_production, beside)) and not _DEVELOPS.search(override.text)


_PROJECT_DIRECTORY = re.compile(r"--project-directory[ =][\"']?([^\s\"'`]+)")
_HERE = frozenset({".", "./", "$PWD", "${PWD}", "$(pwd)", "$(PWD)", "$(CURDIR)"})


_ENV_FILE = re.compile(r"compose\b[^\n|;&]*?\s--env-file[ =][\"']?([\w./$\{\}-]+)")


def _speaking_of(facts: Facts, option: str) -> list[SourceText]:
    """Scripts, Makefiles and documentation that use an option of Compose."""
    spoken = []
    left = 2_000_000
    for entry in facts.repository.entries:
        written = entry.path.endswith((".md", ".rst")) and entry.path.count("/") <= 1
        if entry.size > 100_000 or entry.size > left:
            continue
        if written or entry.kind in (FileKind.SHELL, FileKind.MAKEFILE):
            left -= entry.size
            text = facts.read(entry.path)
            if text is not None and option in text.text:
                spoken.append(text)
    return spoken


def _env_files(facts: Facts, spoken: list[SourceText], folder: str) -> tuple[tuple[str, ...], bool]:
    """Files that command lines give to Compose with ``--env-file``, from the project's directory.

    The second answer: whether one names a file that only its caller knows.
    """
    found = []
    unnamed = False
    for text in spoken:
        for named in _ENV_FILE.findall(text.text):
            unnamed = unnamed or "$" in named
            # Relative to where the command is typed: the root, the script's or the project's place.
            for start in ("", posixpath.dirname(text.path), folder):
                path = posixpath.normpath(posixpath.join(start, named))
                if not path.startswith("..") and facts.repository.is_file(path):
                    found.append(posixpath.relpath(path, folder or "."))
                    break
    return tuple(dict.fromkeys(found)), unnamed


def _project_directory(facts: Facts, texts: list[SourceText]) -> str | None:
    """The directory that a command line for this file names with ``--project-directory``.

    None: nobody names one, and the file's own directory is meant.
    """
    first = texts[0].path
    if "/" not in first:
        return None
    name = posixpath.basename(first)
    for text in (texts[0], *_speaking_of(facts, "--project-directory")):
        for line in text.text.splitlines():
            found = _PROJECT_DIRECTORY.search(line)
            if found is None or name not in line:
                continue
            given = found.group(1)
            if given in _HERE:
                return ""
            place = posixpath.normpath(given)
            if not place.startswith(("..", "/", "$")) and facts.repository.is_dir(place):
                return place
    return None


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
) -> tuple[str | None, str | None, tuple[tuple[str, Value], ...], tuple[str, ...], bool]:
    """(context, target, build arguments, tags) that build commands give for a Dockerfile.

    The first command decides, the tags are those of all. Last, whether only documentation says
    so, whose reader may stand in another directory.
    """
    mine = [(b, c) for b in builds if (c := _context_of(b, dockerfile)) is not None]
    if not mine:
        return None, None, (), (), False
    build, context = mine[0]
    arguments = tuple((name, value) for name, value in build.args if name and value is not None)
    target = build.target if isinstance(build.target, str) else None
    tags = tuple(dict.fromkeys(t for b, _ in mine for t in b.tags if isinstance(t, str)))
    return context, target, arguments, tags, build.place == "documentation"


def _context_of(build: DockerBuild, dockerfile: str) -> str | None:
    """The context of a build command that names this Dockerfile; None where it does not."""
    context = build.context
    if not isinstance(context, str) or "://" in context or context.startswith("$"):
        return None
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
        if named == dockerfile:
            return directory
    return None


def _runs_of(
    entry: FileEntry,
    tags: tuple[str, ...],
    runs: Sequence[DockerRun],
    repository: Repository,
    others: Container[str],
) -> list[DockerRun]:
    """The run commands that start this Dockerfile's image; ``others`` are tags of any build."""
    wanted = {t.partition(":")[0] for t in tags}
    mine = [
        r
        for r in runs
        if r.at.path == entry.path
        or (
            # What stands in the comments of another Dockerfile is about that one's image.
            r.place != "comment"
            and isinstance(r.image, str)
            and r.image.partition(":")[0] in wanted
            and (r.image in tags or r.image not in others)
        )
    ]
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


def _plain_name(reference: str) -> str:
    """The last part of an image's name, without tag and separators."""
    name = reference.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return name.replace("-", "").replace("_", "").replace(".", "")


def _local_images(facts: Facts, builds: Sequence[DockerBuild]) -> dict[str, str]:
    """Names that the repository's own Dockerfiles are (probably) built as, with the Dockerfile."""
    names: dict[str, str] = {}
    for entry in facts.repository.of_kind(FileKind.DOCKERFILE):
        suffix = posixpath.basename(entry.path).lower().removeprefix("dockerfile").strip(".-_")
        directory = posixpath.basename(posixpath.dirname(entry.path))
        for name in (suffix, directory if not suffix else "", *_build_hints(entry.path, builds)[3]):
            if name:
                names.setdefault(_plain_name(name), entry.path)
    return names


def _as_base(service: Service, local: dict[str, str], facts: Facts) -> Service:
    """A Dockerfile without a command that others build on is no service that fails to start."""
    image = service.image
    if image is None or not any(f.kind == "no-command" for f in service.faults):
        return service
    own = image.dockerfile.path
    for entry in facts.repository.of_kind(FileKind.DOCKERFILE):
        parsed = facts.dockerfile(entry.path)
        for stage in parsed.stages if parsed is not None and entry.path != own else ():
            if local.get(_plain_name(stage.base.text)) == own:
                return replace(
                    service,
                    faults=tuple(f for f in service.faults if f.kind != "no-command"),
                    open_links=(
                        *service.open_links,
                        (Stage.STARTS, "an image that others are built on has no command"),
                    ),
                )
    return service


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
    for entry in facts.repository.entries:
        if pyversion.detect(entry.path) != "workflow" or entry.size > 1_000_000:
            continue
        text = facts.read(entry.path)
        tested = pyversion.parse(text).versions if text is not None else ()
        claims += [
            PythonClaim(version=v.version, at=v.at, kind="ci", specifier=v.specifier)
            for v in tested
            if v.tests
        ]
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
        claim = environments.conda_python(conda.python) if conda is not None else None
        if claim is not None:
            claims.append(claim)
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
