"""Each DYN rule from what a rehearsal saw: when it reports, when it is silent, when undecided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.catalog import rules
from auditor.checks import registry
from auditor.config import Settings
from auditor.deployment.model import Deployment
from auditor.engine import audit, deployment_of
from auditor.findings import Confidence, Finding, Related, Severity, Stage
from auditor.rehearsal import confirm
from auditor.rehearsal.observed import (
    ArtifactLoad,
    Build,
    Burst,
    Cause,
    Contrast,
    Difference,
    Drills,
    Event,
    Exchange,
    Imported,
    Inside,
    Load,
    LogGrowth,
    Rehearsal,
    Reproduction,
    ServiceRun,
    Slow,
    Stop,
    Swap,
    Unfound,
)
from auditor.result import Forecast
from auditor.source import Location

ALL = Forecast(builds="yes", starts="yes", reachable="yes", predicts="yes")
LOAD = Load(
    rate=100, seconds=10, requests=1000, errors=0, throughput=100, p50=5, p95=20, p99=40, worst=60
)
CAUSE = Cause(
    kind="import",
    text="the module `imblearn` is not installed",
    error="ModuleNotFoundError: No module named 'imblearn'",
    subject="imblearn",
)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    root = tmp_path_factory.mktemp("shop")
    (root / "Dockerfile").write_text(
        "FROM python:3.11-slim\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
        'EXPOSE 8000\nHEALTHCHECK CMD curl localhost\nCMD ["python", "app.py"]\n'
    )
    (root / "requirements.txt").write_text("requests==2.32.3\n")
    return deployment_of(root, Settings())


def run(**more: Any) -> ServiceRun:
    made = ServiceRun(
        name="app",
        observed=ALL,
        image="Dockerfile",
        started=True,
        build=Build(image="Dockerfile", ok=True),
    )
    return replace(made, **more)


def judged(deployment: Deployment, seen: Rehearsal) -> registry.Verdicts:
    service = replace(deployment.services[0], name="app")
    whole = replace(deployment, services=(service,), rehearsal=seen)
    verdicts = registry.run(whole, lambda rule: rule.id.startswith("DYN"))
    assert verdicts.crashed == []
    return verdicts


def of(*services: ServiceRun, **more: Any) -> Rehearsal:
    return Rehearsal(run="0", services=services, **more)


def drilled(**more: Any) -> Rehearsal:
    return of(run(drills=Drills(**more)))


def artifact(**more: Any) -> Rehearsal:
    made = ArtifactLoad(path="m.pkl", environment="Dockerfile", outcome="loads")
    return of(artifacts=(replace(made, **more),))


def key(deployment: Deployment) -> str:
    return deployment.images[0].key


HELD = Slow(
    dependency="redis",
    kind="service",
    seconds=8,
    patience=5,
    sent=30,
    recovery=0.2,
    other_route="/health",
)
GL = Unfound(path="/site-packages/cv2.so", soname="libGL.so.1", distribution="requests")


def looked_into(**more: Any) -> Rehearsal:
    return of(inside=(("Dockerfile", Inside(python="3.11.7", **more)),))


REPORTED: list[tuple[str, Callable[[], Rehearsal], str, str | None]] = [
    ("DYN001", lambda: of(run(build=Build(image="Dockerfile", ok=False, cause=CAUSE))), "does not build", "Dockerfile"),
    ("DYN002", lambda: of(run(started=False, cause=CAUSE, observed=Forecast(builds="yes", starts="no"))), "does not stay up", "Dockerfile"),
    ("DYN003", lambda: of(inside=(("Dockerfile", Inside(python="3.11.7", imports=(Imported(distribution="requests", module="requests", ok=False, cause=CAUSE),))),)), "`import requests` fails", "requirements.txt"),
    ("DYN004", lambda: artifact(outcome="fails", error="ValueError: x"), "does not load", "m.pkl"),
    ("DYN005", lambda: artifact(events=(Event(kind="process", detail="os.system(id)"),)), "starts a process: os.system(id)", "m.pkl"),
    ("DYN005", lambda: artifact(outcome="contained", reason="it did not end within 5 s"), "had to be stopped", "m.pkl"),
    ("DYN006", lambda: of(run(reach_cause=CAUSE, observed=Forecast(builds="yes", starts="yes", reachable="no"))), "answers no HTTP request", "Dockerfile"),
    ("DYN007", lambda: drilled(load=replace(LOAD, p95=250.0)), "p95 250 ms (limit 200 ms)", None),
    ("DYN007", lambda: drilled(load=replace(LOAD, errors=2)), "0.20 % errors", None),
    ("DYN007", lambda: drilled(load=replace(LOAD, throughput=60.0)), "60 of 100 requests/s", None),
    ("DYN008", lambda: drilled(log=LogGrowth(bytes_per_request=200, requests=1000, driver="json-file", bounded=False, days=20.0, free_gb=40)), "after 20 days", None),
    ("DYN009", lambda: drilled(swap=Swap(way="POST /reload", sent=100, lost=7, swapped=True)), "7 of 100 requests failed", None),
    ("DYN010", lambda: drilled(burst=Burst(sustained=100, offered=1000, load=replace(LOAD, requests=4000), shed=0, timeouts=3000, recovery=4.0)), "3000 of 4000", None),
    ("DYN010", lambda: drilled(burst=Burst(sustained=100, offered=1000, load=LOAD, shed=0, timeouts=0, recovery=None)), "did not answer as before", None),
    ("DYN010", lambda: drilled(burst=Burst(sustained=100, offered=1000, load=LOAD, shed=0, timeouts=0, recovery=1.0, alive=False)), "the process ended", None),
    ("DYN011", lambda: of(reproductions=(Reproduction(image="Dockerfile", same=False, differences=(Difference(kind="package", name="a", first="1", second="2"),)),)), "a 1 and 2", "Dockerfile"),
    ("DYN012", lambda: of(run(predict_cause=CAUSE, exchanges=(Exchange(method="GET", path="/", status=200),), observed=Forecast(builds="yes", starts="yes", reachable="yes", predicts="no"))), "not installed", None),
    ("DYN013", lambda: drilled(stop=Stop(seconds=10.2, exit_code=137, sent=50, lost=3)), "ignores SIGTERM", "Dockerfile"),
    ("DYN013", lambda: drilled(stop=Stop(seconds=1.2, exit_code=0, sent=50, lost=3)), "loses 3 of 50", "Dockerfile"),
    ("DYN014", lambda: of(run(health="unhealthy", health_log="curl: not found")), "curl: not found", "Dockerfile"),
    ("DYN015", lambda: of(inside=(("Dockerfile", Inside(python="3.11.7", pip_check=("a has requirement b",))),)), "a has requirement b", "Dockerfile"),
    ("DYN016", lambda: drilled(slow=(replace(HELD, hung=30, other_answered=False),)), "30 of 30 requests had no answer within 5 s, and /health", None),
    ("DYN016", lambda: drilled(slow=(replace(HELD, hung=30, other_answered=True),)), "hangs while `redis` says nothing", None),
    ("DYN016", lambda: drilled(slow=(replace(HELD, alive=False),)), "the process ended", None),
    ("DYN016", lambda: drilled(slow=(replace(HELD, recovery=None),)), "did not answer as before", None),
    ("DYN017", lambda: looked_into(missing_sonames=(GL,)), "needs `libGL.so.1`", "requirements.txt"),
    ("DYN018", lambda: looked_into(differences=(Contrast(what="requests", said="2.32.3", found="2.0", at=Location("requirements.txt", 1)),)), "the files say 2.32.3, Dockerfile has 2.0", "requirements.txt"),
    ("DYN018", lambda: looked_into(differences=(Contrast(what="user", said="app", found="root (0)"),)), "Dockerfile has root (0)", "Dockerfile"),
    ("DYN019", lambda: drilled(swap=Swap(way="POST /reload", sent=100, swapped=True, first_new=0.4, last=20, last_old=11)), "11 of the last 20 answers came from the old one, 9 from the new", None),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "seen", "said", "path"), REPORTED)
def test_reported(
    deployment: Deployment, rule: str, seen: Callable[[], Rehearsal], said: str, path: str | None
) -> None:
    found = [f for f in judged(deployment, seen()).findings if f.rule == rule]
    assert len(found) == 1 and said in found[0].message
    assert path is None or found[0].at.path == path


def test_every_rule_is_tried() -> None:
    assert {row[0] for row in REPORTED} == {r for r in rules() if r.startswith("DYN")}


def test_what_went_well_is_silent_and_counts(deployment: Deployment) -> None:
    swap = Swap(way="POST /reload", sent=100, swapped=True, first_new=0.3, all_new=2.0, mixed=9)
    held = replace(HELD, failed=30, statuses=(("503", 30),))
    burst = Burst(sustained=100, offered=1000, load=LOAD, shed=900, timeouts=0, recovery=0.5)
    log = LogGrowth(
        bytes_per_request=200, requests=1000, driver="json-file", bounded=True, days=2.0
    )
    drills = Drills(
        load=LOAD,
        burst=burst,
        stop=Stop(seconds=1.0, exit_code=0, sent=20),
        swap=swap,
        log=log,
        slow=(held,),
    )
    inside = Inside(
        python="3.11.7", imports=(Imported(distribution="requests", module="requests", ok=True),)
    )
    seen = of(
        run(health="healthy", drills=drills),
        inside=(("Dockerfile", inside),),
        artifacts=(ArtifactLoad(path="m.pkl", environment="Dockerfile", outcome="warns"),),
        reproductions=(Reproduction(image="Dockerfile", same=True, timestamps=9),),
    )
    verdicts = judged(deployment, seen)
    assert verdicts.findings == []
    assert set(verdicts.passed) == {r for r in rules() if r.startswith("DYN")}


def test_a_busy_machine_leaves_open_what_it_may_have_caused(deployment: Deployment) -> None:
    slow = replace(LOAD, p95=900.0)
    burst = Burst(sustained=100, offered=1000, load=slow, shed=0, timeouts=0, recovery=None)
    drills = Drills(
        busy=0.9,
        load=slow,
        burst=burst,
        stop=Stop(seconds=1.0, exit_code=0, sent=20, lost=9),
        slow=(replace(HELD, hung=30),),
        swap=Swap(way="POST /reload", sent=100, lost=7, swapped=True),
    )
    verdicts = judged(deployment, of(run(drills=drills)))
    assert verdicts.findings == []
    assert {u.rule for u in verdicts.undecided} >= {
        "DYN007",
        "DYN009",
        "DYN010",
        "DYN013",
        "DYN016",
    }
    dead = replace(drills, burst=replace(burst, alive=False))
    found = judged(deployment, of(run(drills=dead))).findings
    assert [f.rule for f in found] == ["DYN010"]
    quiet = judged(deployment, of(run(drills=replace(drills, busy=0.2)))).findings
    assert {f.rule for f in quiet} == {"DYN007", "DYN009", "DYN010", "DYN013", "DYN016"}


def test_without_a_rehearsal_nothing_applies(deployment: Deployment) -> None:
    verdicts = registry.run(deployment, lambda rule: rule.id.startswith("DYN"))
    assert not (verdicts.findings or verdicts.passed or verdicts.undecided)
    result = audit(Path(deployment.root), Settings())
    assert "rehearsal" not in {c.name for c in result.score.categories}


def test_what_the_surroundings_failed_is_undecided(deployment: Deployment) -> None:
    seen = of(
        run(
            build=Build(image="Dockerfile", ok=None, cause=CAUSE), started=None, observed=Forecast()
        )
    )
    verdicts = judged(deployment, seen)
    assert verdicts.findings == [] and [u.rule for u in verdicts.undecided] == ["DYN001"]


def test_what_is_reported_once_or_is_a_drivers_is_no_missing_library(
    deployment: Deployment,
) -> None:
    cause = Cause(kind="library", text="libGL.so.1 is missing", subject="libGL.so.1")
    failed = Imported(distribution="requests", module="requests", ok=False, cause=cause)
    driver = replace(GL, soname="libcuda.so.1")
    seen = looked_into(imports=(failed,), missing_sonames=(GL, driver))
    assert {f.rule for f in judged(deployment, seen).findings} == {"DYN003"}


def test_the_loader_confirms_a_missing_library() -> None:
    said = replace(
        finding(Stage.STARTS, "`requests` needs `libGL.so.1`"),
        rule="IMG002",
        breaks=(),
        related=(Related(Location("Dockerfile", 1), "shipped"),),
        evidence=(("distribution", "requests"), ("needs", ("libGL.so.1",))),
    )
    (found,) = confirm.apply([said], looked_into(missing_sonames=(GL,)))
    assert found.confidence is Confidence.CERTAIN
    assert dict(found.evidence)["observed"] == "ldd /site-packages/cv2.so: libGL.so.1 => not found"
    for other in (
        replace(GL, soname="libEGL.so.1"),
        replace(GL, distribution="other"),
    ):
        (found,) = confirm.apply([said], looked_into(missing_sonames=(other,)))
        assert found.confidence is Confidence.LIKELY
    elsewhere = replace(said, related=(Related(Location("other/Dockerfile", 1), "shipped"),))
    (found,) = confirm.apply([elsewhere], looked_into(missing_sonames=(GL,)))
    assert found.confidence is Confidence.LIKELY


def finding(stage: Stage, message: str, **more: Any) -> Finding:
    return Finding(
        rule="CMP003",
        name="x",
        category="c",
        severity=Severity.HIGH,
        confidence=Confidence.LIKELY,
        message=message,
        at=Location("a", 1),
        breaks=(("app", stage),),
        **more,
    )


FAILED = run(
    started=False,
    cause=CAUSE,
    observed=Forecast(builds="yes", starts="no", reachable="no", predicts="no"),
)


@pytest.mark.parametrize(
    ("stage", "message", "seen", "confidence", "suppressed"),
    [
        (Stage.STARTS, "needs `imblearn`, which is not installed", FAILED, "certain", False),
        (Stage.STARTS, "`models/m.pkl` does not exist", FAILED, "likely", False),
        (Stage.PREDICTS, "needs `imblearn`", FAILED, "likely", False),
        (Stage.BUILDS, "no such file to COPY", FAILED, "likely", True),
        (Stage.STARTS, "needs `y`", run(), "likely", True),
        (Stage.STARTS, "needs m.pkl, which git ignores", run(), "likely", False),
        (Stage.STARTS, "needs `y`", run(observed=Forecast(builds="yes")), "likely", False),
    ],
    ids=[
        "confirmed",
        "another-cause",
        "later-stage",
        "refuted-build",
        "refuted",
        "by-hand",
        "not-seen",
    ],
)
def test_findings_in_the_light_of_what_was_seen(
    stage: Stage, message: str, seen: ServiceRun, confidence: str, suppressed: bool
) -> None:
    (found,) = confirm.apply([finding(stage, message)], of(seen))
    assert found.confidence.label == confidence
    assert confirm.withdrawn(found) is suppressed


def test_what_is_judged_is_what_was_seen() -> None:
    said = Forecast(builds="yes", starts="no", reachable="no", predicts="no", because=("a",))
    seen = run(observed=Forecast(builds="yes", starts="yes", reachable="yes", predicts="unknown"))
    assert [a for _, a in confirm.merged(said, seen, ()).answers()] == ["yes", "yes", "yes", "no"]
    assert confirm.merged(said, None, ()) is said


def test_what_a_confirmed_forecast_says_is_not_said_again(deployment: Deployment) -> None:
    said = replace(
        finding(Stage.STARTS, "`requests` needs `libGL.so.1`"),
        rule="IMG002",
        breaks=(),
        related=(Related(Location("Dockerfile", 1), "shipped"),),
        evidence=(("distribution", "requests"), ("needs", ("libGL.so.1",))),
    )
    cause = Cause(kind="library", text="libGL.so.1 is missing", subject="libGL.so.1")
    failed = Imported(distribution="requests", module="requests", ok=False, cause=cause)
    for seen in (
        looked_into(missing_sonames=(GL,)),
        looked_into(imports=(failed,), missing_sonames=(GL,)),
    ):
        dynamic = judged(deployment, seen).findings
        assert {f.rule for f in dynamic} <= {"DYN003", "DYN017"} and dynamic
        assert [f.rule for f in confirm.apply([said, *dynamic], seen)] == ["IMG002"]
        # Another library of the same distribution is news.
        other = replace(said, evidence=(("distribution", "requests"), ("needs", ("libX11.so.6",))))
        assert len(confirm.apply([other, *dynamic], seen)) == 1 + len(dynamic)
