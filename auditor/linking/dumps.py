"""What the project's own code pickles while an image is built ↔ the server that loads it there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from auditor.catalog import knowledge
from auditor.linking.compatibility import Compatibility, Reason, Runtime, link

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.artifacts.features import Contract
    from auditor.deployment.model import Artifact, Load, Service
    from auditor.parsers.python.facts import Dump

# Of the code that writes a pickle only its names are known, and only these rules ask for no more.
_BY_NAME = frozenset({"CMP007", "CMP008"})


def loads_of_dumps(services: Iterable[Service]) -> Iterator[Load]:
    """Every load of a file that a training step of the same image certainly wrote."""
    from auditor.deployment.model import Load
    from auditor.linking.loads import LOADERS, runtime_of

    for service in services:
        dumps = dumps_of(service)
        runtime = runtime_of(service.environment, service) if service.environment else None
        if not dumps or runtime is None or service.environment is None or not service.entries:
            continue
        done: set[str] = set()
        for access in (a for entry in service.entries for a in entry.trace.files):
            path = access.path.resolved
            dump = dumps.get(path) if isinstance(path, str) else None
            loader = LOADERS.get(access.loader)
            if not isinstance(path, str) or dump is None or loader is None or path in done:
                continue
            if access.created_before:
                continue  # the service wrote it again itself
            done.add(path)
            yield Load(
                artifact=artifact(path, dump),
                environment=service.environment,
                result=_judged(path, dump, runtime),
                loader=loader,
                service=service,
                access=access,
            )


def dumps_of(service: Service) -> dict[str, Dump]:
    """What was certainly pickled into files of the container before the server starts, by path."""
    from auditor.deployment.made import certain_dumps

    found = {read.path: read.seen.dump for read in service.reads if read.seen.dump is not None}
    for prelude in service.preludes:
        for dump in certain_dumps(prelude.trace):
            if isinstance(dump.path.resolved, str):
                found[dump.path.resolved] = dump
    return found


def artifact(path: str, dump: Dump) -> Artifact:
    """The file that the code writes, as far as the code tells."""
    from auditor.deployment.model import Artifact

    return Artifact(path=path, facts=_facts(path, dump), dumped=dump.at)


def contract_of(dump: Dump, member: tuple[str | int, ...]) -> Contract | None:
    """The columns that a model was fitted on by the code that wrote it; None: they are not known."""
    from auditor.artifacts.features import Contract

    fitted = next((one for keys, one in dump.fits if keys == member), None)
    if fitted is None or (fitted.names is None and fitted.count is None):
        return None
    estimator = _defined_in(fitted.estimator)
    if estimator is None:
        return None
    return Contract(
        estimator=estimator,
        root=fitted.root,
        names=fitted.names,
        count=fitted.count,
        pipeline=fitted.root.partition(".")[2].startswith("pipeline."),
    )


def _defined_in(name: str) -> str | None:
    """A class by the module that defines it, of the name by which it is imported."""
    releases = knowledge("feature_checks.json")["releases"]
    package, _, last = name.rpartition(".")
    found = {
        known
        for rows in releases.values()
        for row in rows.values()
        for known in (*row["others"], *row["classes"].split())
        if known.rpartition(".")[2] == last and known.startswith(f"{package}.")
    }
    return found.pop() if len(found) == 1 else None


def _facts(path: str, dump: Dump) -> ArtifactFacts:
    """The names that the code puts into the pickle, as the unpickler would meet them."""
    from auditor.artifacts.facts import ArtifactFacts, GlobalRef, PickleFacts

    names = tuple(
        GlobalRef(module=name.module, name=name.name, offset=0) for name in dump.names if name.name
    )
    return ArtifactFacts(
        path=path,
        format="pickle",
        size=0,
        sha256=None,
        verdict="safe",
        globals=tuple(name.dotted for name in names),
        protocol=4,
        pickle=PickleFacts(protocol=4, streams=1, globals=names, objects=(), truncated=True),
    )


def _judged(path: str, dump: Dump, runtime: Runtime) -> Compatibility:
    """What the names come to; a library that the final image lacks comes first."""
    reasons = [
        Reason(
            rule="CMP003",
            effect="load",
            message=f"names classes of {name.module}, and nothing installs it there",
            error=f"ModuleNotFoundError: No module named '{name.module}'",
            help=f"Install {name.module} in the image that loads it, in the same release.",
        )
        for name in dump.names
        if not name.name and runtime.installed.provides(name.module).answer in ("no", "likely-no")
    ]
    found = link(_facts(path, dump), runtime, loader="pickle")
    reasons += [r for r in found.reasons if r.rule in _BY_NAME and r.effect == "load"]
    return Compatibility(outcome="fails" if reasons else "loads", reasons=tuple(reasons))
