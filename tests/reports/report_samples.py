"""A hand-made audit result with everything in it that a report could stumble over."""

from __future__ import annotations

from dataclasses import replace

from auditor.catalog import Rule
from auditor.findings import (
    Confidence,
    Edit,
    Finding,
    Fix,
    Related,
    RuleOutcome,
    Severity,
    Stage,
    Suppression,
    Undecided,
)
from auditor.fingerprints import assign_fingerprints
from auditor.reports import Gate, Options
from auditor.result import (
    ArtifactReport,
    AuditResult,
    CompatibilityReport,
    EnvironmentReport,
    Forecast,
    Listen,
    MissingLibrary,
    RequirementReport,
    ServiceReport,
    Skipped,
    Stats,
)
from auditor.scoring import Scheme, score
from auditor.source import Location, Unknown

ESC, RLO = "\x1b", "\u202e"
HOSTILE = f"a{ESC}[31m[bold]b[/bold]{RLO}gpj\x07 ::error::x%0A @everyone <img src=x> ]]>|`"


def rule(
    id: str,
    name: str,
    title: str,
    category: str,
    severity: Severity,
    level: int = 0,
    tags: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        id=id,
        name=name,
        title=title,
        category=category,
        severity=severity,
        confidence=Confidence.CERTAIN,
        since="0.1.0",
        help=f"mend {name}",
        level=level,
        tags=tags,
    )


RULES = {
    r.id: r
    for r in (
        rule("ART001", "dangerous-callable", "dangerous callable", "safety", Severity.CRITICAL, 2),
        rule("CMP003", "module-missing", "module not installed there", "compat", Severity.HIGH),
        rule(
            "ENV001", "unpinned-requirement", "unpinned requirement", "environment", Severity.MEDIUM
        ),
        rule("ENV002", "no-lock", "no lock", "environment", Severity.MEDIUM, 2, ("locks",)),
        rule("ENV006", "python-drift", "Python drift", "environment", Severity.MEDIUM),
        rule("IMG001", "floating-tag", "floating tag", "image", Severity.MEDIUM),
        rule("IMG008", "secret", "secret in a layer", "image", Severity.HIGH, 0, ("security",)),
        rule("NET002", "expose-mismatch", "EXPOSE mismatch", "ports", Severity.MEDIUM),
        rule("IMG004", "runs-as-root", "runs as root", "image", Severity.LOW, 2),
        rule("NET001", "loopback-bind", "server binds loopback", "ports", Severity.HIGH),
        rule("ONX001", "dynamic-dimension", "dynamic dimension", "onnx", Severity.MEDIUM),
        rule("OPS005", "no-metrics", "no metrics", "operations", Severity.LOW, 3),
        rule("PTH001", "relative-path", "relative artifact path", "paths", Severity.HIGH),
    )
}

CARD = "## What happens\n\nThe model does not\nload there.\n\n## Why\n\nBecause `pickle` says so.\n"

LINES = {
    "requirements.txt": [
        "# 依存関係",
        "fastapi==0.110.0",
        *(f"package{n}>=1.{n}" for n in range(40)),
    ],
    "Dockerfile": [
        "FROM python:3.11-slim",
        "WORKDIR /srv",
        "COPY requirements.txt .",
        "RUN pip install -r requirements.txt && " + "echo padding && " * 40 + "true",
        'CMD ["uvicorn", "app:app", "--host", "127.0.0.1"]',
    ],
    "app.py": ["import joblib", "def load():", "\tmodel\t= joblib.load('モデル/model.pkl')"],
    f"weird {HOSTILE}.yml": [f"name: {HOSTILE}"],
}


def place(path: str, line: int, text: str) -> Location:
    column = LINES[path][line - 1].index(text) + 1
    return Location(path, line, column, line, column + len(text))


def find(id: str, message: str, at: Location, **more: object) -> Finding:
    values = {
        "rule": id,
        "name": RULES[id].name,
        "category": RULES[id].category,
        "severity": RULES[id].severity,
        "confidence": Confidence.CERTAIN,
        "message": message,
        "at": at,
        "help": RULES[id].help,
    }
    return Finding(**{**values, **more})


WEIRD = next(path for path in LINES if path.startswith("weird"))
ARTIFACT = "models/churn.pkl"


def findings() -> tuple[Finding, ...]:
    made = [
        find(
            "ART001",
            f"{ARTIFACT} calls os.system when it is loaded",
            Location(ARTIFACT),
            evidence=(("callable", "os.system"), ("offset", 17), ("argument", Unknown("built"))),
            help="Do not load this file; ask its author for a data-only format.",
        ),
        find(
            "CMP003",
            f"{ARTIFACT} needs imbalanced-learn, which the image does not install: "
            "`ModuleNotFoundError: No module named 'imblearn'`",
            Location(ARTIFACT),
            related=(Related(place("Dockerfile", 4, "pip install"), "the image installs this"),),
            breaks=(("api", Stage.STARTS), ("worker", Stage.STARTS)),
        ),
        find(
            "NET001",
            "uvicorn listens on 127.0.0.1 only, so the published port 8000 answers nobody",
            place("Dockerfile", 5, '"127.0.0.1"'),
            related=(Related(Location("compose.yaml", 7), "port 8000 is published here"),),
            breaks=(("api", Stage.REACHABLE),),
            fix=Fix(
                description="Listen on all interfaces.",
                edits=(Edit(place("Dockerfile", 5, '"127.0.0.1"'), '"0.0.0.0"'),),
                safe=True,
            ),
        ),
        find(
            "PTH001",
            "モデル/model.pkl is relative to the working directory",
            place("app.py", 3, "'モデル/model.pkl'"),
            confidence=Confidence.LIKELY,
            related=(Related(place("Dockerfile", 2, "/srv"), "the working directory is this"),),
        ),
        find("IMG004", "the container runs as root", place("Dockerfile", 1, "python:3.11-slim")),
        find(
            "ENV002",
            "requirements.txt has no lock",
            Location("requirements.txt"),
            suppressed=Suppression(by="comment", reason="the base image is rebuilt weekly"),
        ),
        find(
            "OPS005",
            HOSTILE,
            place(WEIRD, 1, "name"),
            confidence=Confidence.POSSIBLE,
            suppressed=Suppression(by="baseline"),
        ),
        find("OPS005", f"no metrics for {HOSTILE}", place(WEIRD, 1, HOSTILE)),
    ]
    made += [
        find(
            "ENV001",
            f"package{n} has no exact version",
            place("requirements.txt", 3 + n, f">=1.{n}"),
        )
        for n in range(40)
    ]
    return assign_fingerprints(
        made, lambda path, line: (["", *LINES.get(path, [])])[line:][:1][0] if path in LINES else ""
    )


def sample() -> AuditResult:
    found = findings()
    mark = {f.rule: f.fingerprint for f in found}
    api = Forecast(
        builds="yes",
        starts="no",
        reachable="no",
        predicts="no",
        because=(mark["CMP003"], mark["NET001"]),
    )
    worker = Forecast(
        builds="yes",
        starts="unknown",
        reachable="unknown",
        predicts="unknown",
        unresolved=(
            ("starts", "the command is built at run time"),
            ("reachable", "no address could be read from the code"),
            ("predicts", "no address could be read from the code"),
        ),
    )
    outcomes = (
        RuleOutcome(rule="ONX001"),
        RuleOutcome(rule="ENV001", findings=40, passed=1),
        RuleOutcome(rule="ENV006", passed=2),
        RuleOutcome(rule="IMG001", undecided=1, reasons=("the base image is ${BASE}",)),
        RuleOutcome(rule="IMG008", passed=2),
        RuleOutcome(rule="NET002", passed=1),
        RuleOutcome(rule="IMG004", findings=1, undecided=1),
    )
    forecasts = {"api": api, "倉庫-worker": worker}
    return AuditResult(
        root="/srv/checkout/churn service",
        score=score(outcomes, found, RULES, forecasts, scheme=Scheme()),
        findings=found,
        services=(
            ServiceReport(
                name="api",
                forecast=api,
                observed=replace(api, starts="yes", because=()),
                image="churn:latest",
                python="3.11",
                base="python:3.11-slim",
                distro="debian:trixie",
                workdir="/srv",
                command=("uvicorn", "app:app", "--host", "127.0.0.1"),
                listens=(Listen(host="127.0.0.1", port=None, path="Dockerfile", line=5),),
                exposed=("8000/tcp",),
                published=("8000:8000",),
                missing_system_libraries=(
                    MissingLibrary(
                        soname_or_binary="libGL.so.1",
                        package_needing_it="opencv-python 4.10.0",
                        apt="libgl1",
                    ),
                ),
            ),
            ServiceReport(name="倉庫-worker", forecast=worker, base="python:3.11-slim"),
        ),
        environments=(
            EnvironmentReport(
                name="api",
                python="3.11",
                requirements=(
                    RequirementReport(
                        name="fastapi",
                        specifier="==0.110.0",
                        pinned=True,
                        locked_version=None,
                        path="requirements.txt",
                        line=2,
                    ),
                ),
                locked=False,
                hashed=False,
            ),
        ),
        artifacts=(
            ArtifactReport(
                path=ARTIFACT,
                format="pickle",
                container=None,
                size=12_345,
                sha256="0" * 64,
                verdict="dangerous",
                globals=("os.system", "imblearn.over_sampling.SMOTE"),
                protocol=4,
                produced_by=(("python", "3.9"), ("scikit-learn", "1.2.2")),
                requires=(("imbalanced-learn", "*"),),
                feature_names=("age", "年齢"),
                compatibility=(
                    CompatibilityReport(
                        environment="api",
                        outcome="fails",
                        reasons=("imblearn is not installed there",),
                    ),
                ),
            ),
            ArtifactReport(
                path="models/net.onnx",
                format="onnx",
                container=None,
                size=0,
                sha256=None,
                verdict="unreadable",
                onnx={"ir_version": 8, "opsets": {"": 17}, "static": "batch-dynamic"},
            ),
        ),
        skipped=tuple(
            Skipped(path=f"data/{name}", reason="larger than 100 MB")
            for name in ("a.bin", "b.bin", "c.bin", f"{HOSTILE}", "e.bin")
        ),
        stats=Stats(files=12, bytes=34_567, seconds=0.25),
        outcomes=outcomes,
        undecided=(
            Undecided(rule="IMG004", reason="USER is ${WHO}", at=Location("Dockerfile", 2)),
        ),
        quotes={
            (path, number): line
            for path, lines in LINES.items()
            for number, line in enumerate(lines, 1)
        },
        graph="flowchart LR\n  a-->b",
    )


def options(**more: object) -> Options:
    values = {
        "rules": RULES,
        "card": {"CMP003": CARD}.__getitem__,
        "gate": Gate(passed=False, text="findings at or above high fail: 4 found"),
    }
    return Options(**{**values, **more})
