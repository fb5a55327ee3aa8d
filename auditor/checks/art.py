"""ART: are the artifacts safe to load. The verdicts are those of ``artifacts.scan``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor.catalog import Rule
from auditor.checks.img import stopped
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Artifact, Deployment
from auditor.findings import Severity
from auditor.source import Location
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactIssue


def _issues(
    artifact: Artifact, rule: Rule, mine: Sequence[ArtifactIssue] | None = None
) -> Iterator[Outcome]:
    """The findings of one rule about one artifact."""
    facts = artifact.facts
    if mine is None:
        mine = [issue for issue in facts.issues if issue.rule == rule.id]
    if not mine:
        yield rule.passed()
    file = facts.path.partition("!")[0]
    inner = facts.path.partition("!")[2]
    for issue in mine:
        yield rule.finding(
            Location(file),
            f"`{inner or file}`: {issue.message}",
            severity=issue.severity,
            evidence={
                **dict(issue.evidence),
                **({"offset": issue.offset} if issue.offset is not None else {}),
                **({"inside": inner} if inner else {}),
            },
        )


@check("ART001")
def dangerous_callable(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Loading calls something known to run commands or code."""
    yield from _issues(artifact, rule)


@check("ART002")
def unlisted_callable(artifact: Artifact, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Loading calls something that is not proven harmless."""
    plain: dict[str, list[ArtifactIssue]] = {}
    kept: list[ArtifactIssue] = []
    for issue in artifact.facts.issues:
        if issue.rule != rule.id:
            continue
        name = dict(issue.evidence).get("callable", "")
        if issue.message.startswith((f"calls {name} in a way", "opens")) or not name:
            kept.append(issue)
        else:
            plain.setdefault(name, []).append(issue)
    chosen: dict[str, list[ArtifactIssue]] = {}
    for name, issues in plain.items():
        module, _, short = name.rpartition(".")
        if module != "__main__" and deployment.defines_module(module):
            # Code of this repository: who starts the service trusts it already.
            continue
        # That a callable is imported goes without saying where it is called.
        first = min(issues, key=lambda i: _WEIGHT.get(i.message.partition(" ")[0], 1))
        if module == "__main__" and short.isidentifier() and not short.startswith("_"):
            # A class of the script that trained the model: a burden, hardly an attack.
            first = replace(
                first,
                severity=Severity.MEDIUM,
                message=f"needs `{short}` of the program that wrote it (`__main__`), whatever that was",
            )
        elif first.message.startswith("restores") and (own := _declared(module, deployment)):
            chosen.setdefault(own, []).append(first)
            continue
        kept.append(first)
    kept += [_of_library(name, issues) for name, issues in chosen.items()]
    yield from _issues(artifact, rule, kept)


# What says most about a callable comes first.
_WEIGHT = {"calls": 0, "restores": 2, "imports": 3}


def _declared(module: str, deployment: Deployment) -> str:
    """The requirement of this repository that brings a module; empty where none is known to."""
    from auditor.linking import distributions
    from auditor.parsers.requirements import normalise

    top = module.partition(".")[0]
    if distributions.is_stdlib(top):
        return ""
    names = distributions.distributions_of(module) or (normalise(top),)
    asked = {r.key for e in deployment.environments for r in e.requirements}
    return next((name for name in names if name in asked), "")


def _of_library(name: str, issues: Sequence[ArtifactIssue]) -> ArtifactIssue:
    """One issue for the classes of a library that the project itself chose to install.

    Its code runs anyway; what stays open is whether its classes do more than restore themselves.
    """
    shown = [f"`{dict(issue.evidence)['callable']}`" for issue in issues]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return replace(
        issues[0],
        severity=Severity.MEDIUM,
        message=f"restores objects of {name}, a requirement of this project whose classes are not on "
        f"the allow-list: {', '.join(shown[:3])}{more}",
        evidence=(*issues[0].evidence, ("callables", ", ".join(s.strip("`") for s in shown))),
    )


@check("ART003")
def unreadable_stream(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """The stream cannot be followed to its end."""
    yield from _issues(artifact, rule)


@check("ART004")
def hidden_payload(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Something is hidden in, after or around the stream."""
    yield from _issues(artifact, rule)


@check("ART005")
def extension_mismatch(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """The name says another format than the content."""
    yield from _issues(artifact, rule)


@check("ART007")
def keras_code(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A Keras model that carries code."""
    yield from _issues(artifact, rule)


@check("ART008")
def tensorflow_operation(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A graph that touches files or runs Python."""
    yield from _issues(artifact, rule)


@check("ART009")
def weights_only_refused(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A torch file that ``weights_only=True`` refuses."""
    yield from _issues(artifact, rule)


@check("ART010")
def archive_attack(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """An archive that attacks whoever unpacks it."""
    yield from _issues(artifact, rule)


@check("ART011")
def template_injection(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A template in metadata that reaches for Python's internals."""
    yield from _issues(artifact, rule)


@check("ART014")
def lfs_pointer(artifact: Artifact, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A Git LFS pointer where the model should be."""
    yield from _issues(artifact, rule)
    if artifact.facts.format != "lfs-pointer":
        return
    for service in deployment.services:
        for link in service.reads:
            if link.seen.repo != artifact.path or link.access.mode != "read":
                continue
            blocks = stopped(service, link.access.at, link.access.reach)
            if blocks:
                yield rule.undecided(
                    f"{artifact.path} is a Git LFS pointer: what the build has depends on "
                    "`git lfs pull`",
                    at=link.access.at,
                    blocks=blocks,
                )


@check("ART015")
def truncated_artifact(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """The file ends before its content does."""
    yield from _issues(artifact, rule)


@check("ART006")
def data_in_pickle(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A pickle that holds nothing but data."""
    if any(issue.rule == rule.id for issue in artifact.facts.issues):
        yield from _issues(artifact, rule)
