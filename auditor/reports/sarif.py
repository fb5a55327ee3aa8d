"""SARIF 2.1.0 (OASIS standard), within the limits of GitHub code scanning.

Locations are those of the audit as they are: both count code points from 1 and exclude the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from auditor import __version__
from auditor.findings import Confidence, Edit, Finding, Fix, Severity
from auditor.reports import Options
from auditor.reports import jsonreport as contract
from auditor.reports.digest import card_of, catalogue, worst_first
from auditor.reports.escape import jsonable, printable, uri
from auditor.result import AuditResult
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.catalog import Rule

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
BASE = "SRCROOT"

# GitHub refuses or drops what is beyond these.
_MOST_RESULTS = 25_000
_MOST_RELATED = 100
_MOST_TAGS = 20
_LONGEST_DESCRIPTION = 1024
_LONGEST_QUOTE = 2000

_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_PRECISION = {
    Confidence.CERTAIN: "very-high",
    Confidence.LIKELY: "high",
    Confidence.POSSIBLE: "medium",
}
_PROBLEM = {"error": "error", "warning": "warning", "note": "recommendation"}
# In the bands of CVSS 3.1, which GitHub uses to name the severity.
_SECURITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.0",
}


def render(result: AuditResult, options: Options) -> str:
    """The log as indented JSON, in ASCII so that any stream can carry it."""
    return json.dumps(document(result, options), indent=2, allow_nan=False) + "\n"


def document(result: AuditResult, options: Options) -> dict[str, Any]:
    """The whole log as JSON values."""
    known = catalogue(options)
    examples = {finding.rule: finding for finding in reversed(result.findings)}
    ids = sorted(known.keys() | examples.keys())
    index = {rule_id: number for number, rule_id in enumerate(ids)}
    # Worst first, so that a limit never hides what matters most.
    chosen = sorted(result.findings, key=lambda f: (-f.severity, f.sort_key))[:_MOST_RESULTS]
    run = {
        "tool": {
            "driver": {
                "name": "deploy-audit",
                "semanticVersion": __version__,
                "version": __version__,
                "rules": [
                    _descriptor(rule_id, known.get(rule_id), examples.get(rule_id), options)
                    for rule_id in ids
                ],
            }
        },
        "automationDetails": {"id": "deploy-audit/"},
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": _notifications(result, len(chosen)),
            }
        ],
        "originalUriBaseIds": {BASE: _root(result.root)},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index, result.quotes) for finding in chosen],
        "properties": {
            "score": contract.score(result.score),
            "forecast": {s.name: contract.forecast(s.forecast) for s in result.services},
            "artifacts": [
                {"path": a.path, "format": a.format, "sha256": a.sha256, "verdict": a.verdict}
                for a in worst_first(result)[:_MOST_RESULTS]
            ],
        },
    }
    log: dict[str, Any] = jsonable({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return log


def _descriptor(
    rule_id: str, rule: Rule | None, example: Finding | None, options: Options
) -> dict[str, Any]:
    if rule is None:
        assert example is not None
        return {
            "id": rule_id,
            "name": example.name,
            "shortDescription": {"text": _short(example.name)},
            "fullDescription": {"text": _short(example.name)},
            "help": {"text": example.help or example.name},
            "defaultConfiguration": {"level": _LEVEL[example.severity]},
        }
    card = card_of(options, rule_id)
    level = _LEVEL[rule.severity]
    properties: dict[str, Any] = {
        "tags": list(dict.fromkeys((rule.category, *rule.tags)))[:_MOST_TAGS],
        "precision": _PRECISION[rule.confidence],
        "problem.severity": _PROBLEM[level],
    }
    # GitHub reads a security severity only where the rule says that it is about security.
    if "security" in rule.tags or rule_id.startswith("ART"):
        properties["tags"] = list(dict.fromkeys(("security", *properties["tags"])))[:_MOST_TAGS]
        properties["security-severity"] = _SECURITY[rule.severity]
    title = f"{rule.title[:1].upper()}{rule.title[1:]}"
    return {
        "id": rule_id,
        "name": rule.name,
        "shortDescription": {"text": _short(title)},
        "fullDescription": {"text": _short(_what_happens(card) or title)},
        "help": {
            "text": f"{title}. {rule.help}".strip(),
            "markdown": card.strip() or f"**{rule_id}** {title}. {rule.help}".strip(),
        },
        "defaultConfiguration": {"level": level},
        "properties": properties,
    }


def _what_happens(card: str) -> str:
    """The first paragraph under the card's heading *What happens*, on one line."""
    lines = iter(card.splitlines())
    for line in lines:
        if line.lstrip("#").strip().lower() == "what happens" and line.startswith("#"):
            break
    words: list[str] = []
    for line in lines:
        if line.startswith("#") or (words and not line.strip()):
            break
        words += line.split()
    return " ".join(words)


def _short(text: str) -> str:
    if len(text) <= _LONGEST_DESCRIPTION:
        return text or "(no description)"
    return text[: _LONGEST_DESCRIPTION - 3] + "..."


def _result(
    finding: Finding, index: Mapping[str, int], quotes: Mapping[tuple[str, int], str]
) -> dict[str, Any]:
    related = finding.related[:_MOST_RELATED]
    text = _message(finding.message)
    if related:
        # GitHub shows a related location only where the message links to it.
        links = ", ".join(
            f"[{_message(f'{other.at.path}:{other.at.line}', link=True)}]({number})"
            for number, other in enumerate(related, 1)
        )
        text += f" See {links}."
    made: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": _LEVEL[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(finding.at, quotes)}],
        "partialFingerprints": {"deployAudit/v1": finding.fingerprint},
        # An empty array says that it is known not to be suppressed.
        "suppressions": [],
        "properties": {
            "severity": finding.severity.label,
            "confidence": finding.confidence.label,
            "category": finding.category,
            "help": finding.help,
            "evidence": {name: jsonable(value) for name, value in finding.evidence},
        },
    }
    if related:
        made["relatedLocations"] = [
            {
                "id": number,
                "physicalLocation": _physical(other.at, quotes),
                "message": {"text": _message(other.message)},
            }
            for number, other in enumerate(related, 1)
        ]
    if finding.fix is not None and finding.fix.edits:
        made["fixes"] = [_fix(finding.fix)]
    if finding.suppressed is not None:
        in_source = finding.suppressed.by == "comment"
        suppression = {"kind": "inSource" if in_source else "external", "status": "accepted"}
        if finding.suppressed.reason:
            suppression["justification"] = printable(finding.suppressed.reason, keep="\n\t")
        made["suppressions"] = [suppression]
    return made


def _message(text: str, *, link: bool = False) -> str:
    """Text of a message in which nothing that the repository wrote becomes a link (3.11.6)."""
    shown = printable(text, keep="\n\t")
    if link or "](" in shown:
        shown = shown.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return shown


def _physical(at: Location, quotes: Mapping[tuple[str, int], str]) -> dict[str, Any]:
    region = _region(at)
    made: dict[str, Any] = {"artifactLocation": _artifact(at.path), "region": region}
    quoted = quotes.get((at.path, at.line))
    # A minified line would be repeated for every finding in it.
    if quoted is not None and len(quoted) <= _LONGEST_QUOTE:
        if at.end_line == at.line:
            region["snippet"] = {"text": quoted[at.column - 1 : at.end_column - 1]}
        # The context must contain the region.
        made["contextRegion"] = {"startLine": at.line, "endLine": max(at.line, at.end_line)}
        if at.end_line == at.line:
            made["contextRegion"]["snippet"] = {"text": quoted}
    return made


def _region(at: Location) -> dict[str, Any]:
    line, end_line = max(at.line, 1), max(at.line, at.end_line, 1)
    column, end_column = max(at.column, 1), max(at.end_column, 1)
    if end_line == line:
        end_column = max(end_column, column)
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    }


def _artifact(path: str) -> dict[str, Any]:
    return {"uri": uri(path or "."), "uriBaseId": BASE}


def _fix(fix: Fix) -> dict[str, Any]:
    by_path: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.at.path, []).append(edit)
    return {
        "description": {"text": _message(fix.description)},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(path),
                "replacements": [
                    {
                        "deletedRegion": _region(edit.at),
                        "insertedContent": {"text": edit.text},
                    }
                    for edit in edits
                ],
            }
            for path, edits in by_path.items()
        ],
    }


def _notifications(result: AuditResult, shown: int) -> list[dict[str, Any]]:
    """What was not read, and what a limit cut off."""
    made: Iterable[dict[str, Any]] = (
        {
            "level": "warning",
            "message": {"text": _message(f"not read: {skipped.path}: {skipped.reason}")},
            "locations": [{"physicalLocation": {"artifactLocation": _artifact(skipped.path)}}],
        }
        for skipped in result.skipped
    )
    found = list(made)
    if shown < len(result.findings):
        text = f"{len(result.findings) - shown} more findings are left out (limit {shown})"
        found.append({"level": "warning", "message": {"text": text}})
    return found


def _root(root: str) -> dict[str, Any]:
    path = PurePosixPath(root)
    described = {"description": {"text": "The audited directory."}}
    if not path.is_absolute():
        return described
    return {"uri": "file://" + uri(str(path)).rstrip("/") + "/", **described}
