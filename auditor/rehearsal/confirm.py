"""Observation against forecast: static findings that a rehearsal confirmed or refuted."""

from __future__ import annotations

from collections.abc import Iterable

from auditor import lazy_re as re
from auditor.findings import Confidence, Finding, Stage, Suppression
from auditor.rehearsal.observed import Cause, Rehearsal, ServiceRun
from auditor.result import Answer, Forecast
from auditor.values import replace

BY = "rehearsal"
_WORDS = re.compile(r"[\w./:+-]{3,}")
_COMMON = frozenset(
    [
        "the",
        "and",
        "that",
        "not",
        "with",
        "for",
        "its",
        "from",
        "error",
        "none",
        "file",
        "module",
        "install",
        "installed",
        "python",
        "image",
    ]
)


def withdrawn(finding: Finding) -> bool:
    """A rehearsal refuted it: it is shown with the reason and costs nothing."""
    return finding.suppressed is not None and finding.suppressed.by == BY


def apply(findings: Iterable[Finding], rehearsal: Rehearsal) -> tuple[Finding, ...]:
    """Findings that were confirmed become certain, those that were refuted are withdrawn."""
    found = tuple(findings)
    judged = tuple(_judged(f, rehearsal, found) for f in found)
    confirmed = [f for f in judged if f.rule in _OF_LIBRARIES and "observed" in dict(f.evidence)]
    return tuple(f for f in judged if not any(_told(f, c) for c in confirmed))


# Forecasts that name shared libraries, and what a rehearsal says of the same libraries.
_OF_LIBRARIES = frozenset({"IMG002", "IMG003"})
_SEEN_OF_LIBRARIES = frozenset({"DYN003", "DYN017"})


def _told(seen: Finding, confirmed: Finding) -> bool:
    """Whether a confirmed forecast says already what the rehearsal saw."""
    if seen.rule not in _SEEN_OF_LIBRARIES:
        return False
    here, there = dict(seen.evidence), dict(confirmed.evidence)
    if here.get("distribution") != there.get("distribution"):
        return False
    needs = there.get("needs")
    named = {str(n) for n in needs} if isinstance(needs, list | tuple) else set()
    missing = here.get("needs")
    if isinstance(missing, list | tuple):
        return bool(missing) and {str(m) for m in missing} <= named
    return any(soname in seen.message for soname in named)


def _judged(finding: Finding, rehearsal: Rehearsal, every: tuple[Finding, ...]) -> Finding:
    if finding.rule.startswith("DYN") or finding.suppressed is not None:
        return finding
    seen_by = _loader(finding, rehearsal)
    if seen_by:
        return replace(
            finding,
            confidence=Confidence.CERTAIN,
            evidence=(*finding.evidence, ("observed", seen_by)),
        )
    if not finding.breaks:
        return finding
    seen = [(rehearsal.service(name), stage) for name, stage in finding.breaks]
    answers = [run.answer(stage.label) if run else "unknown" for run, stage in seen]
    if all(a == "yes" for a in answers):
        if "git ignores" in finding.message:
            # It works with the files of this working tree, which a clone does not have.
            return finding
        run, stage = seen[0]
        name = run.name if run else ""
        reason = f"the rehearsal refutes it: {_saw(name, stage)}"
        return replace(finding, suppressed=Suppression(by=BY, reason=reason))
    for run, stage in seen:
        if run is None or first_failure(run) is not stage:
            continue
        cause = cause_of(run)
        if cause is not None and _same(finding, cause, _rivals(finding, run, stage, every)):
            evidence = (*finding.evidence, ("observed", cause.error or cause.text))
            return replace(finding, confidence=Confidence.CERTAIN, evidence=evidence)
    return finding


def _loader(finding: Finding, rehearsal: Rehearsal) -> str:
    """What the dynamic loader of an image says of the libraries that a finding names."""
    if finding.rule not in _OF_LIBRARIES:
        return ""
    evidence = dict(finding.evidence)
    needs = evidence.get("needs")
    named = set(needs) if isinstance(needs, list | tuple) else set()
    owner = evidence.get("distribution")
    shipped = {related.at.path for related in finding.related}
    for key, inside in rehearsal.inside:
        if key.partition("#")[0] not in shipped:
            continue
        for item in inside.missing_sonames:
            if item.soname in named and item.distribution in ("", owner):
                return f"ldd {item.path}: {item.soname} => not found"
    return ""


def _saw(name: str, stage: Stage) -> str:
    return {
        Stage.BUILDS: f"`{name}` was built",
        Stage.STARTS: f"`{name}` was started and stayed up",
        Stage.REACHABLE: f"`{name}` answered through its published port",
        Stage.PREDICTS: f"`{name}` answered a prediction request with 2xx",
    }[stage]


def first_failure(run: ServiceRun) -> Stage | None:
    """The stage that a service did not pass."""
    for stage in Stage:
        answer = run.answer(stage.label)
        if answer != "yes":
            return stage if answer == "no" else None
    return None


def cause_of(run: ServiceRun) -> Cause | None:
    """Why the first stage that failed did."""
    if run.build is not None and run.build.ok is False:
        return run.build.cause
    return run.cause or run.reach_cause or run.predict_cause


def _rivals(finding: Finding, run: ServiceRun, stage: Stage, every: tuple[Finding, ...]) -> int:
    return sum(
        (run.name, stage) in f.breaks and f is not finding and not f.rule.startswith("DYN")
        for f in every
    )


def _same(finding: Finding, cause: Cause, rivals: int) -> bool:
    """Whether what was seen is what the finding says: they name the same thing."""
    said = finding.message + " " + " ".join(str(v) for _, v in finding.evidence)
    words = {w.strip(".:,").lower() for w in _WORDS.findall(said)} - _COMMON
    subject = (cause.subject or "").lower()
    if subject:
        if any(
            subject == w or subject.startswith(f"{w}.") or w.endswith(f"/{subject}") for w in words
        ):
            return True
        if subject.partition(".")[0] in words:
            return True
    error = {w.strip(".:,'").lower() for w in _WORDS.findall(cause.error)} - _COMMON
    telling = {w for w in words & error if not w.isalpha() or len(w) > 7}
    if telling:
        return True
    # A port needs no words: where only one finding speaks of reachability, that is it.
    return not rivals and cause.kind == "port"


def merged(forecast: Forecast, run: ServiceRun | None, because: Iterable[str]) -> Forecast:
    """What is judged: what was seen, and the forecast where nothing was."""
    if run is None:
        return forecast
    answers: dict[str, Answer] = {
        stage: seen if seen != "unknown" else said
        for (stage, seen), (_, said) in zip(run.observed.answers(), forecast.answers(), strict=True)
    }
    return Forecast(
        builds=answers["builds"],
        starts=answers["starts"],
        reachable=answers["reachable"],
        predicts=answers["predicts"],
        because=tuple(because) or forecast.because,
        unresolved=forecast.unresolved,
    )
