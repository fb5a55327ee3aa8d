"""Binds checks to rules by id and to the level of the model they visit by type.

A check is a generator over one subject. It yields ``rule.finding(...)`` for what is wrong,
``rule.passed()`` when it had something to judge and that was right, and
``rule.undecided(...)`` when the evidence does not decide. A check that yields nothing did
not apply: it neither helps nor hurts the score.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from auditor.catalog import Rule, rules
from auditor.findings import Finding, Passed, RuleOutcome, Undecided
from auditor.values import field, record, value

if TYPE_CHECKING:
    from auditor.deployment.model import Deployment

Outcome = Finding | Passed | Undecided
CheckFunction = Callable[..., Iterator[Outcome]]

# Imported by name: no discovery magic, and a family that is not needed is not loaded.
FAMILIES = (
    "art",
    "backing",
    "cfg",
    "chain",
    "cluster",
    "cmp",
    "downloads",
    "dyn",
    "env",
    "env_code",
    "env_install",
    "env_locks",
    "health",
    "img",
    "imports",
    "net",
    "onx",
    "ops",
    "ops_serving",
    "pth",
    "served",
    "srv",
    "syslibs",
)
# Families that have nothing to say of most repositories, and when they have; the others always do.
_WANTED: dict[str, Callable[[Deployment], bool]] = {
    "art": lambda deployment: bool(deployment.artifacts),
    "cmp": lambda deployment: bool(deployment.loads or deployment.made_loads),
    "backing": lambda deployment: any(s.compose is not None for s in deployment.services),
    "served": lambda deployment: any(
        service.models or any(fault.kind == "model-server" for fault in service.faults)
        for service in deployment.services
    ),
    "onx": lambda deployment: bool(
        deployment.artifacts
        or deployment.exporters
        or any(
            call.name.startswith("onnxruntime.")
            for service in deployment.services
            for module in service.module_facts.values()
            for call in module.calls
        )
    ),
}
# Rules about images and engines; a platform that runs a Procfile makes and runs its own, and a
# machine that systemd governs has none.
_PLATFORM = frozenset(
    {
        "IMG004", "IMG005", "IMG007", "IMG015", "NET002", "NET004", "NET005", "NET006", "NET008",
        "OPS001", "OPS003", "OPS008", "OPS009", "OPS010",
    }
)  # fmt: skip
SUBJECTS = ("Artifact", "BuiltImage", "Deployment", "Environment", "Service")


@value(kw_only=False)
class Check:
    """A rule's function and what it visits."""

    rule: str
    subject: str
    function: CheckFunction
    wants_deployment: bool


_checks: dict[str, Check] = {}
# The family that bound each rule.
_homes: dict[str, str] = {}


def check(rule_id: str) -> Callable[[CheckFunction], CheckFunction]:
    """Bind a generator to a rule; the type of its first parameter chooses the level it visits.

    The function takes the subject and the ``Rule``, and optionally the whole ``Deployment``.
    """

    def bind(function: CheckFunction) -> CheckFunction:
        code = function.__code__
        parameters = code.co_varnames[: code.co_argcount]
        subject = str(function.__annotations__[parameters[0]]).rpartition(".")[2]
        if subject not in SUBJECTS:
            raise TypeError(f"{rule_id}: no level of the model is called {subject}")
        if rule_id in _checks:
            raise TypeError(f"{rule_id} has two checks")
        _homes[rule_id] = function.__module__
        _checks[rule_id] = Check(rule_id, subject, function, len(parameters) > 2)
        return function

    return bind


def checks(deployment: Deployment | None = None) -> dict[str, Check]:
    """Every check by rule id; of a deployment, those that may have something to say."""
    bound: dict[str, Check] = {}
    for family in FAMILIES:
        if deployment is not None and family in _WANTED and not _WANTED[family](deployment):
            continue
        module = f"auditor.checks.{family}"
        importlib.import_module(module)
        bound |= {rule: c for rule, c in _checks.items() if _homes[rule] == module}
    return bound


@record
class Verdicts:
    """What all checks came to."""

    findings: list[Finding] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)
    crashed: list[tuple[str, str]] = field(default_factory=list)

    def outcomes(self, findings: Iterable[Finding]) -> tuple[RuleOutcome, ...]:
        """One outcome per rule that had anything to say."""
        failed: dict[str, int] = {}
        for finding in findings:
            failed[finding.rule] = failed.get(finding.rule, 0) + 1
        reasons: dict[str, list[str]] = {}
        for item in self.undecided:
            reasons.setdefault(item.rule, []).append(item.reason)
        return tuple(
            RuleOutcome(
                rule=rule,
                findings=failed.get(rule, 0),
                passed=self.passed.get(rule, 0),
                undecided=len(reasons.get(rule, ())),
                reasons=tuple(dict.fromkeys(reasons.get(rule, ()))),
            )
            for rule in sorted({*failed, *self.passed, *reasons})
        )


def run(deployment: Deployment, selected: Callable[[Rule], bool]) -> Verdicts:
    """Run every selected check over the model. A check that crashes is recorded, not raised."""
    verdicts = Verdicts()
    catalogue = rules()
    subjects: dict[str, tuple[Any, ...]] = {
        "Artifact": deployment.artifacts,
        "Deployment": (deployment,),
        "Environment": deployment.environments,
        "BuiltImage": deployment.images,
        "Service": deployment.services,
    }
    for rule_id, bound in sorted(checks(deployment).items()):
        rule = catalogue[rule_id]
        if not selected(rule):
            continue
        for subject in subjects[bound.subject]:
            if getattr(subject, "origin", "") in ("procfile", "systemd") and rule_id in _PLATFORM:
                continue  # that is the platform's business
            arguments = (subject, rule, deployment) if bound.wants_deployment else (subject, rule)
            try:
                for outcome in bound.function(*arguments):
                    if isinstance(outcome, Finding):
                        verdicts.findings.append(outcome)
                    elif isinstance(outcome, Undecided):
                        verdicts.undecided.append(outcome)
                    else:
                        verdicts.passed[rule_id] = verdicts.passed.get(rule_id, 0) + 1
            except Exception as error:
                # A defect of ours in one rule must not cost the findings of the others.
                verdicts.crashed.append((rule_id, f"{type(error).__name__}: {error}"))
    return verdicts
