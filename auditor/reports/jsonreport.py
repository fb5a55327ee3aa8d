"""The stable JSON report (``deploy-audit-1.0.schema.json`` describes it exactly).

Every key is always there and what is not known is null. Commands that report only a part of an
audit build theirs from the same functions, so that an object means the same everywhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from auditor import __version__
from auditor.findings import Edit, Finding, Fix
from auditor.reports import Options
from auditor.reports.escape import jsonable, wellformed
from auditor.result import (
    ArtifactReport,
    AuditResult,
    EnvironmentReport,
    Forecast,
    Score,
    ServiceReport,
)

SCHEMA_VERSION = "1.0"


def schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12)."""
    path = Path(__file__).parent / "schema" / f"deploy-audit-{SCHEMA_VERSION}.schema.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def render(result: AuditResult, options: Options) -> str:
    """The report as indented JSON, in ASCII so that any stream can carry it."""
    return json.dumps(document(result), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def document(result: AuditResult) -> dict[str, Any]:
    """The whole report as JSON values."""
    made = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "deploy-audit", "version": __version__},
        "root": result.root,
        "score": score(result.score),
        "findings": [finding(f) for f in result.findings],
        "services": [service(s) for s in result.services],
        "environments": [environment(e) for e in result.environments],
        "artifacts": [artifact(a) for a in result.artifacts],
        "skipped": [{"path": s.path, "reason": s.reason} for s in result.skipped],
        "stats": {
            "files": result.stats.files,
            "bytes": result.stats.bytes,
            "seconds": result.stats.seconds,
        },
        "rehearsal": None if result.rehearsal is None else plain(result.rehearsal),
    }
    clean: dict[str, Any] = jsonable(made)
    return clean


def plain(value: Any) -> Any:
    """A value and all that it holds as JSON objects; places and raw answers stay where they are."""
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is not None:
        return {name: plain(getattr(value, name)) for name in fields if name != "at"}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def score(score: Score) -> dict[str, Any]:
    """Value, grade and level, with what each rule costs in its category."""
    return {
        "value": score.value,
        "grade": score.grade,
        "level": score.level,
        "categories": {
            category.name: {
                "value": category.value,
                "grade": category.grade,
                "deductions": [
                    {"rule": d.rule, "points": d.points, "count": d.count}
                    for d in category.deductions
                ],
            }
            for category in score.categories
        },
    }


def finding(finding: Finding) -> dict[str, Any]:
    """One finding; lines and columns are 1-based, ``end_column`` is exclusive."""
    at = finding.at
    accepted = finding.suppressed
    return {
        "rule": finding.rule,
        "name": finding.name,
        "category": finding.category,
        "severity": finding.severity.label,
        "confidence": finding.confidence.label,
        "message": finding.message,
        "path": at.path,
        "line": at.line,
        "column": at.column,
        "end_line": at.end_line,
        "end_column": at.end_column,
        "related": [
            {"path": r.at.path, "line": r.at.line, "message": r.message} for r in finding.related
        ],
        "evidence": {name: jsonable(value) for name, value in finding.evidence},
        "help": finding.help,
        "fix": None if finding.fix is None else fix(finding.fix),
        "fingerprint": finding.fingerprint,
        "suppressed": accepted and {"by": accepted.by, "reason": accepted.reason},
    }


def fix(fix: Fix) -> dict[str, Any]:
    """A fix and its edits, each replacing a span by text."""
    return {
        "description": fix.description,
        "safe": fix.safe,
        "edits": [_edit(edit) for edit in fix.edits],
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "path": edit.at.path,
        "line": edit.at.line,
        "column": edit.at.column,
        "end_line": edit.at.end_line,
        "end_column": edit.at.end_column,
        "text": edit.text,
    }


def forecast(forecast: Forecast) -> dict[str, Any]:
    """The four answers and the fingerprints of the findings that say no."""
    return {**dict(forecast.answers()), "because": list(forecast.because)}


def service(service: ServiceReport) -> dict[str, Any]:
    """One service as the audit understood it."""
    observed = service.observed
    return {
        "name": service.name,
        "forecast": forecast(service.forecast),
        "observed": None if observed is None else dict(observed.answers()),
        "image": service.image,
        "stage": service.stage,
        "python": service.python,
        "base": service.base,
        "distro": service.distro,
        "user": service.user,
        "workdir": service.workdir,
        "command": None if service.command is None else list(service.command),
        "listens": [
            {"host": at.host, "port": at.port, "path": at.path, "line": at.line}
            for at in service.listens
        ],
        "exposed": list(service.exposed),
        "published": list(service.published),
        "system_packages": list(service.system_packages),
        "missing_system_libraries": [
            {
                "soname_or_binary": missing.soname_or_binary,
                "package_needing_it": missing.package_needing_it,
                "install": {"apt": missing.apt, "apk": missing.apk},
            }
            for missing in service.missing_system_libraries
        ],
    }


def environment(environment: EnvironmentReport) -> dict[str, Any]:
    """A set of distributions installed together."""
    return {
        "name": environment.name,
        "python": environment.python,
        "requirements": [
            {
                "name": r.name,
                "specifier": r.specifier,
                "pinned": r.pinned,
                "locked_version": r.locked_version,
                "path": r.path,
                "line": r.line,
            }
            for r in environment.requirements
        ],
        "locked": environment.locked,
        "hashed": environment.hashed,
    }


def artifact(artifact: ArtifactReport) -> dict[str, Any]:
    """One artifact as judged from its bytes."""
    names = artifact.feature_names
    return {
        "path": artifact.path,
        "format": artifact.format,
        "container": artifact.container,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "verdict": artifact.verdict,
        "globals": list(artifact.globals),
        "protocol": artifact.protocol,
        "produced_by": dict(artifact.produced_by),
        "requires": dict(artifact.requires),
        "feature_names": None if names is None else list(names),
        "compatibility": [
            {"environment": c.environment, "outcome": c.outcome, "reasons": list(c.reasons)}
            for c in artifact.compatibility
        ],
        "onnx": None
        if artifact.onnx is None
        else {wellformed(str(key)): jsonable(value) for key, value in artifact.onnx.items()},
    }
