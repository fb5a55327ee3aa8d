"""The whole product as one call: ``audit(root, settings) -> AuditResult``.

discovery → facts → deployment → checks → suppressions → forecast → score → result. Nothing
of the audited repository is executed, imported or unpickled, and no connection is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.catalog import rules
from auditor.deployment.assemble import assemble
from auditor.deployment.model import Artifact, Deployment, Environment, Service
from auditor.discovery import FileKind, Repository, discover
from auditor.errors import AuditorError
from auditor.findings import Finding
from auditor.forecast import forecasts, waited_for
from auditor.result import (
    ArtifactReport,
    AuditResult,
    EnvironmentReport,
    Forecast,
    Listen,
    MissingLibrary,
    RequirementReport,
    ServiceReport,
    Skipped,
    Stats,
)
from auditor.source import Location, SourceText, Unknown
from auditor.values import replace
from auditor.weighing import weighed

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.findings import Finding
    from auditor.rehearsal.observed import Rehearsal


def deployment_of(root: Path, settings: Settings) -> Deployment:
    """The deployment alone, without judging it; AuditorError as for ``audit``."""
    repository = _discovered(root, settings)
    return assemble(repository, settings, tuple(_artifacts(repository, [])))


def _discovered(root: Path, settings: Settings) -> Repository:
    try:
        return discover(str(root), exclude=settings.exclude)
    except OSError as error:
        raise AuditorError(f"{root}: {error.strerror or error}") from error


def audit(
    root: Path,
    settings: Settings,
    rehearse: Callable[[Deployment], Rehearsal] | None = None,
    *,
    instead: Mapping[str, bytes] | None = None,
) -> AuditResult:
    """Audit the repository at ``root``.

    ``rehearse`` builds and runs it for observation; ``instead`` gives files other contents than
    they have.

    Raises ``auditor.errors.AuditorError`` when the root itself cannot be read. Everything
    else that could not be read is in the result.
    """
    from auditor import fingerprints, scoring, suppressions
    from auditor.checks import registry

    started = time.perf_counter()
    repository = _discovered(root, settings)
    if instead:
        repository.lay_over(instead)
    skipped = list(repository.skipped)
    artifacts = tuple(_artifacts(repository, skipped))
    catalogue = rules()
    with ExitStack() as stack:
        index = None
        if settings.online:
            from auditor import online

            index = stack.enter_context(online.connected(cache=settings.cache))
        deployment = assemble(repository, settings, artifacts)
        if index is not None:
            from auditor.online.ask import ask

            deployment = ask(deployment, index)
        if rehearse is not None:
            deployment = replace(deployment, rehearsal=rehearse(deployment))
        verdicts = registry.run(deployment, settings.enables)
        if index is not None:
            skipped.extend(Skipped(path="--online", reason=text) for text in index.remarks)
    overrides = dict(settings.severity)
    found = [
        replace(f, severity=overrides[f.rule]) if f.rule in overrides else f
        for f in weighed(verdicts.findings, deployment)
    ]
    texts: dict[str, SourceText] = {}

    def line_of(path: str, line: int) -> str:
        if path not in texts:
            if not repository.is_file(path) or _is_binary(repository, path):
                return ""
            texts[path] = repository.read_text(path)
        return texts[path].line_at(line)

    found = list(waited_for(found, deployment))
    findings = tuple(sorted(_merged(found), key=lambda f: f.sort_key))
    if findings:
        from auditor.fixes import attach

        findings = attach(findings, deployment, repository)
    findings = fingerprints.assign_fingerprints(findings, line_of)
    findings = suppressions.apply(findings, repository.texts, settings, catalogue)
    findings = fingerprints.assign_fingerprints(findings, line_of)
    if settings.baseline is not None:
        from auditor import baseline

        findings = baseline.apply(findings, baseline.load(Path(settings.baseline)))
    findings = tuple(sorted(findings, key=lambda f: f.sort_key))

    undecided = tuple(verdicts.undecided)
    # The forecast is what could be said without running anything.
    foretold = tuple(f for f in findings if not f.rule.startswith("DYN"))
    foreseen = forecasts(deployment.services, foretold, undecided)
    judged = {
        s.name: _for_level(s, foreseen[s.name])
        for s in deployment.services
        if s.ours and not s.is_dev
    }
    counted = findings
    if deployment.rehearsal is not None:
        findings, counted, judged = _observed(findings, deployment, judged)
    outcomes = verdicts.outcomes(counted)
    score = scoring.score(
        outcomes,
        counted,
        {
            r.id: r
            for r in catalogue.values()
            # Without a rehearsal these were not asked for.
            if settings.enables(r) and (deployment.rehearsal or not r.id.startswith("DYN"))
        },
        judged,
        deployable=deployment.deployable,
        undecided=undecided,
    )
    skipped.extend(
        Skipped(path=rule, reason=f"the check crashed and decided nothing ({why})")
        for rule, why in verdicts.crashed
    )
    quotes = {
        (at.path, line): line_of(at.path, line)
        for finding in findings
        for at in (finding.at, *(r.at for r in finding.related))
        for line in range(at.line, min(at.end_line, at.line + 5) + 1)
    }
    return AuditResult(
        root=str(root),
        score=score,
        findings=findings,
        services=tuple(_service(s, foreseen[s.name], deployment) for s in deployment.services),
        rehearsal=deployment.rehearsal,
        environments=tuple(_environment(e) for e in deployment.environments),
        artifacts=tuple(_artifact(a, deployment) for a in deployment.artifacts),
        skipped=tuple(sorted(set(skipped), key=lambda s: (s.path, s.reason))),
        stats=Stats(
            files=len(repository.entries),
            bytes=sum(e.size for e in repository.entries),
            seconds=round(time.perf_counter() - started, 3),
        ),
        outcomes=outcomes,
        undecided=undecided,
        crashed=tuple(verdicts.crashed),
        quotes=quotes,
        graph=_graph(deployment),
    )


def _for_level(service: Service, forecast: Forecast) -> Forecast:
    """A proxy of the project predicts where what it passes requests to does."""
    if service.proxies and not service.entries and forecast.predicts == "unknown":
        return replace(forecast, predicts=forecast.reachable)
    return forecast


def _observed(
    findings: tuple[Finding, ...], deployment: Deployment, judged: Mapping[str, Forecast]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...], dict[str, Forecast]]:
    """(findings, those that count, what is judged) in the light of what was seen."""
    from auditor.rehearsal import confirm

    assert deployment.rehearsal is not None
    findings = confirm.apply(findings, deployment.rehearsal)
    counted = tuple(f for f in findings if not confirm.withdrawn(f))
    merged = {}
    for name, said in judged.items():
        run = deployment.rehearsal.service(name)
        because = [
            f.fingerprint
            for f in counted
            if f.suppressed is None and any(service == name for service, _ in f.breaks)
        ]
        merged[name] = confirm.merged(said, run, because)
    return findings, counted, merged


def _merged(findings: Iterable[Finding]) -> Iterable[Finding]:
    """One finding for what several services or environments share, with all that it breaks.

    A requirement file that two images install, or a service that two Compose files start, is
    one place to mend; the surest of the judgements stands.
    """
    merged: dict[tuple[str, Location, str], Finding] = {}
    for finding in findings:
        key = (finding.rule, finding.at, finding.message)
        first = merged.get(key)
        if first is None:
            merged[key] = finding
            continue
        surer = max(first, finding, key=lambda f: (f.confidence, f.severity))
        merged[key] = replace(
            surer,
            breaks=tuple(dict.fromkeys((*first.breaks, *finding.breaks))),
            related=tuple(dict.fromkeys((*first.related, *finding.related))),
        )
    return merged.values()


def _is_binary(repository: Repository, path: str) -> bool:
    entry = repository.entry(path)
    # The configuration of a model is text that a line can be quoted of.
    return entry is not None and entry.kind is FileKind.ARTIFACT and not path.endswith(".pbtxt")


def _artifacts(repository: Repository, skipped: list[Skipped]) -> Iterable[Artifact]:
    """Every model file, judged from its bytes."""
    entries = repository.of_kind(FileKind.ARTIFACT)
    if not entries:
        return
    from auditor.artifacts.evidence import Explainer
    from auditor.artifacts.scan import scan_file

    explainer = Explainer()
    for entry in entries:
        try:
            for facts in scan_file(Path(repository.root, entry.path), display_path=entry.path):
                yield Artifact(path=facts.path, facts=explainer.explain(facts), is_dev=entry.is_dev)
        except OSError as error:
            skipped.append(Skipped(path=entry.path, reason=error.strerror or str(error)))


def _known(value: str | Unknown | None) -> str | None:
    return value if isinstance(value, str) else None


def _service(service: Service, answers: Forecast, deployment: Deployment) -> ServiceReport:
    image = service.image
    base = image.base if image else None
    environment = service.environment
    distro = None
    if base is not None and base.distro:
        distro = f"{base.distro} {base.release}" if base.release else base.distro
    return ServiceReport(
        name=service.name,
        forecast=answers,
        observed=_seen(service, deployment),
        image=service.image_reference or (image.key if image else None),
        stage=image.image.stage_name if image else None,
        python=environment.python.version if environment and environment.python else None,
        base=base.text if base else None,
        distro=distro,
        user=_known(service.user) or ("root" if image and service.user is None else None),
        workdir=_known(service.cwd),
        command=service.argv,
        listens=tuple(
            Listen(
                host=_known(listen.host),
                port=listen.port if isinstance(listen.port, int) else None,
                path=listen.at.path,
                line=listen.at.line,
            )
            for listen in service.listens
        ),
        exposed=tuple(
            str(port.text)
            for port in (image.image.exposed if image else ())
            if isinstance(port.text, str)
        ),
        published=tuple(
            f"{p.host_port if isinstance(p.host_port, int) else ''}:{p.container_port}/{p.protocol}"
            for p in service.published
            if isinstance(p.container_port, int)
        ),
        system_packages=tuple(
            p.name for p in (image.system_packages if image else ()) if p.shipped
        ),
        missing_system_libraries=_missing(service, deployment),
    )


def _seen(service: Service, deployment: Deployment) -> Forecast | None:
    run = deployment.rehearsal.service(service.name) if deployment.rehearsal else None
    return run.observed if run else None


def _missing(service: Service, deployment: Deployment) -> tuple[MissingLibrary, ...]:
    """The needs that the image does not meet; those that only some functions have are left out."""
    from auditor.linking import userland

    return userland.missing(
        (lack for _, lacks in userland.lacking(service, deployment) for lack in lacks)
    )


def _environment(environment: Environment) -> EnvironmentReport:
    return EnvironmentReport(
        name=environment.name,
        python=environment.python.version if environment.python else None,
        requirements=tuple(
            RequirementReport(
                name=r.fact.name or (r.fact.url or r.fact.path or ""),
                specifier=r.fact.specifier,
                pinned=r.version is not None,
                locked_version=r.version,
                path=r.fact.at.path,
                line=r.fact.at.line,
            )
            for r in environment.requirements
        ),
        locked=environment.locked,
        hashed=environment.hashed,
    )


def _artifact(artifact: Artifact, deployment: Deployment) -> ArtifactReport:
    from auditor.linking.loads import report

    return report(artifact.facts, [load for load in deployment.loads if load.artifact is artifact])


def _graph(deployment: Deployment) -> str:
    """The deployment as Mermaid text."""
    from auditor.deployment.graph import mermaid

    return mermaid(deployment)


__all__ = ["audit"]
