"""Which environment loads which artifact, and what happens: from the deployment to ``link``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.linking import mainmodule, symbols
from auditor.linking.compatibility import Runtime, guess_loader, link
from auditor.linking.distributions import is_stdlib
from auditor.linking.saved import CATBOOST_DEFAULT, FORMATS

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.deployment.model import Artifact, Environment, Load, Service
    from auditor.linking.compatibility import Compatibility
    from auditor.parsers.python.facts import FileAccess
    from auditor.result import ArtifactReport

# Calls that open an artifact, and the loader they are.
LOADERS: dict[str, str] = {
    "joblib.load": "joblib",
    "sklearn.externals.joblib.load": "joblib",
    "pickle.load": "pickle",
    "pickle.loads": "pickle",
    "_pickle.load": "pickle",
    "cPickle.load": "pickle",
    "cloudpickle.load": "cloudpickle",
    "dill.load": "dill",
    "pandas.read_pickle": "pandas",
    "torch.load": "torch",
    "torch.jit.load": "torch",
    "onnxruntime.InferenceSession": "onnx",
    "keras.models.load_model": "keras",
    "keras.saving.load_model": "keras",
    "tensorflow.saved_model.load": "tensorflow",
    "skops.io.load": "skops",
    "openvino.convert_model": "openvino",
    ".read_model": "openvino",
    ".compile_model": "openvino",
    ".parse_from_file": "tensorrt",
    "xgboost.Booster": "xgboost",
    "lightgbm.Booster": "lightgbm",
}
# Methods by this name open what the object before the dot is for: the file says which it is.
_BY_FORMAT = frozenset({".load_model", "xgboost.Booster.load_model"})
# Formats that an environment is judged against.
_LINKED = frozenset({"pickle", "joblib", "torch-zip", "torch-legacy", "onnx", *FORMATS})


def project_modules(artifacts: Iterable[Artifact]) -> frozenset[str]:
    """Modules that the artifacts name and that no library or interpreter is known to bring."""
    found: set[str] = set()
    for artifact in artifacts:
        if artifact.facts.pickle is None:
            continue
        for item in artifact.facts.pickle.globals:
            if not is_stdlib(item.module) and symbols.owner(item.module) is None:
                found.add(item.module)
    return frozenset(found - {"__main__", "__mp_main__", "__builtin__"})


def runtime_of(
    environment: Environment, service: Service | None = None, *, target_python: str | None = None
) -> Runtime | None:
    """What the environment offers; None when nothing is known of it."""
    if environment.installed is None:
        return None
    python = environment.python
    version = python.version if python is not None else target_python
    project = None
    main: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    if service is not None and service.entries:
        project = service.importable
        unsure = service.unsure_modules
        absent = service.absent_modules
        main = frozenset(
            name
            for entry in service.entries
            if entry.server in ("python", "streamlit")
            for name in entry.trace.attributes
        ) | mainmodule.given(service.module_facts)
    return Runtime(
        python=version if version and "." in version else None,
        installed=environment.installed,
        project=project,
        unsure=unsure,
        absent=absent,
        main=main,
        specifiers={r.key: r.fact.specifier for r in environment.requirements if r.key},
        fresh=environment.kind == "image"
        and environment.installed.complete
        and not environment.installed.unknown,
    )


def loads_of(
    artifacts: Sequence[Artifact],
    services: Sequence[Service],
    environments: Sequence[Environment],
    *,
    target_python: str | None = None,
) -> Iterator[Load]:
    """Every load that the code of a service does; without services, every environment's."""
    from auditor.deployment.model import Load

    by_path = {a.path: a for a in artifacts if "!" not in a.path}
    for service in services:
        if service.environment is None:
            continue
        runtime = runtime_of(service.environment, service, target_python=target_python)
        if runtime is None:
            continue
        done: set[tuple[str, str]] = set()
        # Where a path leads nowhere but the file meant is known, its content is judged all the same.
        seen = {
            read.path: read.seen.repo if read.seen.answer == "yes" else read.source_has
            for read in service.reads
        }
        for access in (a for entry in service.entries for a in entry.trace.files):
            loader = _loader(access)
            path = access.path.resolved
            artifact = by_path.get(seen.get(path) or "") if isinstance(path, str) else None
            if access.loader in _BY_FORMAT and artifact is not None:
                loader = _by_format(access, FORMATS.get(artifact.facts.format))
            if loader is None or artifact is None:
                continue
            if artifact.facts.format == "lfs-pointer" or (loader, artifact.path) in done:
                continue
            done.add((loader, artifact.path))
            yield Load(
                artifact=artifact,
                environment=service.environment,
                result=link(artifact.facts, runtime, loader=loader),
                loader=loader,
                service=service,
                access=access,
            )
    if services:
        return
    for environment in environments:
        runtime = runtime_of(environment, target_python=target_python)
        if runtime is None:
            continue
        for artifact in by_path.values():
            if artifact.facts.format not in _LINKED or artifact.is_dev:
                continue
            loader = guess_loader(artifact.facts)
            result = link(artifact.facts, runtime, loader=loader)
            if _meant_for_another(artifact, environment, result):
                continue
            yield Load(artifact=artifact, environment=environment, result=result, loader=loader)


def _meant_for_another(artifact: Artifact, environment: Environment, result: Compatibility) -> bool:
    """Whether nothing but their being in one repository says that this is loaded there.

    The requirements of one folder that lack the library of an artifact in another, and models
    in numbered folders, which model servers load.
    """
    folder = posixpath.dirname(environment.at.path)
    inside = not folder or artifact.path.startswith(f"{folder}/")
    lacking = any(reason.rule == "CMP003" for reason in result.reasons)
    served = any(name.isdigit() for name in artifact.path.split("/")[:-1])
    return lacking and (served or not inside)


def _by_format(access: FileAccess, loader: str | None) -> str | None:
    """The loader that the file's format asks for, as the call opens it."""
    given = access.option("format")
    if loader != "catboost":
        return loader
    if given is None:
        return f"{loader}-{CATBOOST_DEFAULT}"
    return f"{loader}-{given.value}" if isinstance(given.value, str) else loader


def _loader(access: FileAccess) -> str | None:
    """What the call opens files with."""
    loader = LOADERS.get(access.loader)
    if access.loader != "torch.load":
        return loader
    given = access.option("weights_only")
    if given is None:
        return loader
    # What is not known is not held against it.
    return "torch-weights" if given.known and given.value is True else "torch-full"


def report(facts: ArtifactFacts, loads: Iterable[Load]) -> ArtifactReport:
    """The artifact as the reports show it, with where it comes from and where it loads."""
    from auditor.artifacts.provenance import provenance
    from auditor.result import ArtifactReport, CompatibilityReport

    origin = provenance(facts)
    onnx = None
    if facts.onnx is not None:
        from auditor.artifacts.onnx import summary

        onnx = summary.report(facts.onnx)
    return ArtifactReport(
        path=facts.path,
        format=facts.format,
        container=facts.container,
        size=facts.size,
        sha256=facts.sha256,
        verdict=facts.verdict,
        globals=facts.globals,
        protocol=facts.protocol,
        produced_by=origin.produced_by,
        requires=origin.requires,
        feature_names=origin.feature_names,
        compatibility=tuple(
            dict.fromkeys(
                CompatibilityReport(
                    environment=load.environment.name,
                    outcome=load.result.outcome,
                    reasons=tuple(_text(r.message, r.error) for r in load.result.reasons),
                )
                for load in loads
            )
        ),
        onnx=onnx,
    )


def _text(message: str, error: str) -> str:
    return f"{message}: {error}" if error else message
