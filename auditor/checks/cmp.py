"""CMP: will the artifacts load, and predict, in the environments that load them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Load, Service
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.parsers.python.facts import LEFT_EARLY, Phase

if TYPE_CHECKING:
    from auditor.artifacts.features import Contract
    from auditor.deployment.model import Artifact
    from auditor.linking.compatibility import Reason
    from auditor.linking.contract import Judgement
    from auditor.parsers.python.facts import Call, Input

# Rules that say something of every pickle, and those that need a certain content.
_ALWAYS = frozenset({"CMP001", "CMP003", "CMP004", "CMP007"})


def _stages(load: Load, effect: str) -> tuple[tuple[str, Stage], ...]:
    """What a failing load breaks: the start, or the prediction."""
    if load.service is None or load.access is None:
        return ()
    reach = load.access.reach
    if not reach.certain or reach.phase is Phase.UNREACHED:
        return ()
    if effect == "predict" or not reach.phase.before_serving:
        return load.service.breaks(Stage.PREDICTS)
    return load.service.loading(load.access.at)


def _ends(load: Load, reason: Reason) -> list[Related]:
    """The other end: the pin that decides, the interpreter, and the call that loads."""
    related: list[Related] = []
    environment = load.environment
    if reason.distribution:
        for requirement in environment.find(reason.distribution)[:2]:
            text = requirement.version or requirement.fact.specifier or "any version"
            related.append(
                Related(requirement.fact.at, f"{reason.distribution} is installed here: {text}")
            )
    if (
        not related
        and environment.python is not None
        and reason.rule in ("CMP001", "CMP004", "CMP005")
    ):
        related.append(
            Related(environment.python.at, f"Python {environment.python.version} is chosen here")
        )
    if not related:
        related.append(Related(environment.at, f"the environment: {environment.name}"))
    if load.access is not None:
        related.append(Related(load.access.at, f"{load.access.loader} opens it here"))
    return related


def _applies(load: Load, rule: Rule) -> bool:
    facts = load.artifact.facts
    pickle = facts.pickle
    if rule.id == "CMP009":
        return facts.format == "onnx"
    if pickle is None:
        return False
    if rule.id in _ALWAYS:
        return True
    if rule.id == "CMP002":
        return any(g.startswith("sklearn.") for g in facts.globals)
    if rule.id == "CMP005":
        return pickle.code_objects or "types.CodeType" in facts.globals
    if rule.id == "CMP006":
        return any(g.startswith("numpy") for g in facts.globals)
    if rule.id == "CMP010":
        return facts.container is not None
    return False


def _judge(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    for load in (*deployment.loads, *deployment.made_loads):
        if load.access is not None and load.access.reach.phase is Phase.UNREACHED:
            continue
        mine = [r for r in load.result.reasons if r.rule == rule.id]
        failing = [r for r in mine if r.effect in ("load", "predict")]
        if failing:
            yield _finding(load, rule, failing[0], len(failing) - 1)
            continue
        if load.result.outcome == "fails":
            # Something else breaks first; whether this would matter after it, nobody meets.
            continue
        unknown = [r for r in mine if r.effect == "unknown"]
        if unknown:
            yield rule.undecided(
                f"whether `{load.artifact.path}` loads in {load.environment.name}: "
                f"{unknown[0].message}",
                at=load.access.at if load.access else load.artifact.at,
                blocks=_stages(load, "load"),
            )
            continue
        if mine:
            yield _finding(load, rule, mine[0], len(mine) - 1)
        elif _applies(load, rule):
            yield rule.passed()


# Attributes that scikit-learn's estimators read for probabilities alone.
_FOR_PROBABILITIES = frozenset({"multi_class"})


def _not_asked(load: Load, reason: Reason) -> bool:
    """Whether what fails is the probabilities, and the service was seen to ask for labels only."""
    attribute = dict(reason.evidence).get("attribute")
    if load.service is None or attribute not in _FOR_PROBABILITIES:
        return False
    asked = {
        call.name.rpartition(".")[2]
        for entry in load.service.entries
        for call in entry.trace.calls
        if call.category == "predict"
    }
    return "predict" in asked and not any("proba" in name for name in asked)


def _finding(load: Load, rule: Rule, reason: Reason, more: int) -> Outcome:
    unasked = _not_asked(load, reason)
    fails = reason.effect in ("load", "predict") and not unasked
    # Another patch release of the same minor: said, but hardly a fault.
    patch = ("difference", "patch") in reason.evidence
    open_version = any(name == "installed_today" for name, _ in reason.evidence)
    bound = Confidence.LIKELY if open_version else Confidence.CERTAIN
    where = load.service.name if load.service is not None else load.environment.name
    verb = {"load": "does not load", "predict": "loads but does not predict"}.get(
        reason.effect, "loads with a warning"
    )
    if unasked:
        verb = "loads and predicts labels, not probabilities,"
    message = f"`{load.artifact.path}` {verb} in {where}: it {reason.message}"
    if more:
        message += f" (and {more} more)"
    if reason.error:
        message += f": `{reason.error}`"
    return rule.finding(
        load.artifact.at,
        message,
        help=reason.help,
        related=_ends(load, reason),
        evidence={
            **dict(reason.evidence),
            "outcome": load.result.outcome,
            "environment": load.environment.name,
            "loader": load.loader,
            **({"distribution": reason.distribution} if reason.distribution else {}),
        },
        severity=rule.severity if fails else Severity.LOW if patch else Severity.MEDIUM,
        confidence=min(rule.confidence if fails else Confidence.CERTAIN, bound),
        breaks=_stages(load, reason.effect) if fails else (),
    )


@check("CMP001")
def protocol_too_new(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """The pickle protocol is newer than the interpreter's."""
    yield from _judge(deployment, rule)


@check("CMP002")
def other_scikit_learn(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Written by another scikit-learn than the one that loads it."""
    yield from _judge(deployment, rule)


@check("CMP003")
def module_not_installed(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A module that the artifact names is not installed there."""
    yield from _judge(deployment, rule)


@check("CMP004")
def symbol_moved(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A name that the artifact asks for is not in the pinned version."""
    yield from _judge(deployment, rule)


@check("CMP005")
def foreign_bytecode(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A function was serialised by another Python minor."""
    yield from _judge(deployment, rule)


@check("CMP006")
def numpy_major(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Module paths and states of another NumPy."""
    yield from _judge(deployment, rule)


@check("CMP007")
def main_module_class(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A class of the training script's __main__."""
    yield from _judge(deployment, rule)


@check("CMP008")
def project_module(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A class of the project whose module the image cannot import."""
    yield from _judge(deployment, rule)


@check("CMP009")
def onnx_limits(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Opset or IR newer than the pinned onnxruntime."""
    yield from _judge(deployment, rule)


@check("CMP010")
def codec_missing(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Compressed with something that the loader does not unpack there."""
    yield from _judge(deployment, rule)


@check("CMP011")
def foreign_state(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """A state of another library version, or a file for another loader."""
    yield from _judge(deployment, rule)


# ---- CMP012 ----


@check("CMP012")
def other_columns(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """The model is asked with other columns than it was fitted on."""
    if service.is_dev or not service.ours or service.environment is None:
        return
    calls = [
        call
        for entry in service.entries
        for call in entry.trace.calls
        if (call.category == "predict" or call.name == ".transform")
        and call.model is not None
        and call.reach.phase is not Phase.UNREACHED
    ]
    if not calls:
        return
    from auditor.artifacts.features import contract
    from auditor.linking import contract as link
    from auditor.linking import dumps as trained

    by_path = {a.path: a for a in deployment.artifacts}
    seen = {r.path: r.seen.repo or r.source_has for r in service.reads}
    dumps = trained.dumps_of(service)
    broken = {x.artifact.path for x in (*deployment.loads, *deployment.made_loads)
              if x.service is service and x.result.outcome == "fails"}  # fmt: skip
    for call in calls:
        path = call.model.resolved if call.model is not None else None
        artifact = by_path.get(seen.get(path) or "") if isinstance(path, str) else None
        dump = dumps.get(path) if artifact is None and isinstance(path, str) else None
        if dump is not None and isinstance(path, str):
            artifact = trained.artifact(path, dump)
        if artifact is None or artifact.path in broken:
            continue
        fitted = (
            contract(artifact.facts, call.member)
            if dump is None
            else trained.contract_of(dump, call.member)
        )
        if fitted is None:
            continue
        given = call.input
        if given is not None and given.error:
            yield _columns_finding(service, rule, artifact, fitted, call, given, None)
            continue
        if given is None:
            yield rule.undecided(
                f"the columns that `{artifact.path}` is asked with are not known", at=call.at
            )
            continue
        version, pinned = _release(service, link.owner_of(fitted.estimator))
        result = link.judge(fitted, given, version)
        if result.outcome == "fits":
            yield rule.passed()
        elif result.outcome == "undecided":
            yield rule.undecided(f"`{artifact.path}`: {result.message}", at=call.at)
        else:
            yield _columns_finding(
                service, rule, artifact, fitted, call, given, result, sure=pinned
            )


def _release(service: Service, distribution: str | None) -> tuple[str | None, bool]:
    """(the release that is or will be installed, whether it is pinned)."""
    environment = service.environment
    installed = environment.installed if environment is not None else None
    if environment is None or installed is None or distribution is None:
        return None, False
    version = installed.version(distribution)
    if version is not None:
        return version, True
    python = environment.python
    if not installed.has(distribution) or python is None or python.version.startswith(("2", "3.7")):
        return None, False
    # Nothing pins it: the newest release that the ranges let in.
    from auditor.linking.contract import newest

    found = environment.find(distribution)
    return newest(distribution, [r.fact.specifier for r in found]), False


def _columns_finding(
    service: Service,
    rule: Rule,
    artifact: Artifact,
    fitted: Contract,
    call: Call,
    given: Input,
    result: Judgement | None,
    *,
    sure: bool = True,
) -> Outcome:
    kind = fitted.root.rpartition(".")[2]
    transforms = call.name == ".transform"
    if result is None:
        at = given.error_at or given.at
        message = (
            f"what `{artifact.path}` is asked with cannot be built: `{given.error}`; the request "
            "does not bring that column"
        )
    elif result.outcome == "raises":
        at = given.at
        error = f": `{result.error}`" if result.error else ""
        does = "transform" if transforms else "predict with"
        message = f"`{artifact.path}` does not {does} these columns: {result.message}{error}"
    else:
        at = given.at
        does = "transforms" if transforms else "predicts from"
        message = f"`{artifact.path}` {does} the wrong columns: {result.message}"
    related = [
        Related(
            artifact.at,
            f"a {'Pipeline' if fitted.pipeline else 'bare ' + kind} fitted on {_listed(fitted)}",
        )
    ]
    field = next(
        (c.at for c in given.columns or () if c.at is not None and c.at.line != at.line), None
    )
    if field is not None:
        related.append(Related(field, "the columns come from here"))
    if call.at != at:
        related.append(
            Related(call.at, f"the {'transformer' if transforms else 'model'} is asked here")
        )
    raises = result is None or result.outcome == "raises"
    settled = not set(call.reach.guards) - LEFT_EARLY
    serves = call.reach.phase is Phase.REQUEST and settled
    return rule.finding(
        at,
        message,
        related=related,
        evidence={
            "fitted": list(fitted.names or ())[:40],
            "given": [c.name or c.field for c in given.columns or ()][:40],
            "pipeline": fitted.pipeline,
            "estimator": fitted.estimator,
            "distribution": _owner_name(fitted),
        },
        confidence=Confidence.CERTAIN
        if raises and sure and result is not None
        else Confidence.LIKELY,
        breaks=service.breaks(Stage.PREDICTS) if raises and serves else (),
    )


def _owner_name(fitted: Contract) -> str | None:
    from auditor.linking.contract import owner_of

    return owner_of(fitted.estimator)


def _listed(fitted: Contract) -> str:
    if fitted.names is None:
        return f"{fitted.count} columns without names"
    shown = ", ".join(f"`{n}`" for n in fitted.names[:8])
    return shown + (f" and {len(fitted.names) - 8} more" if len(fitted.names) > 8 else "")
