"""Today's findings on record, so that only new ones fail (``--baseline``).

The file is JSON with a version; a file of an older version is brought up step by step on reading.
Two findings may share a fingerprint (the same line twice in one file): as many as are on record
are accepted, one more is new.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from auditor import __version__
from auditor.errors import BaselineError
from auditor.findings import Suppression
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.findings import Finding

VERSION: Final = 1
DEFAULT_NAME: Final = ".deploy-audit-baseline.json"
_MAX_BYTES: Final = 100_000_000

# From the version a step starts at: a document of that version in, one of the next version out.
UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


@value
class Entry:
    """One accepted finding. Only the fingerprint is compared; the rest is for people."""

    fingerprint: str
    rule: str
    path: str
    message: str


@value
class Baseline:
    entries: tuple[Entry, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each fingerprint is on record."""
        return Counter(entry.fingerprint for entry in self.entries)


def record(findings: Iterable[Finding]) -> Baseline:
    """What is not accepted otherwise, as a baseline in a stable order.

    Findings that a previous baseline accepts are recorded again; those accepted by a comment or
    by configuration have their reason where it belongs and are left out.
    """
    entries = {
        (f.at.path, f.rule, f.at, i): Entry(
            fingerprint=f.fingerprint, rule=f.rule, path=f.at.path, message=f.message
        )
        for i, f in enumerate(findings)
        if f.suppressed is None or f.suppressed.by == "baseline"
    }
    return Baseline(entries=tuple(entries[key] for key in sorted(entries)))


def dump(baseline: Baseline) -> str:
    """The baseline as JSON text that diffs well."""
    document = {
        "version": VERSION,
        "tool": "deploy-audit",
        "recorded_by": __version__,
        "findings": [
            {
                "fingerprint": entry.fingerprint,
                "rule": entry.rule,
                "path": entry.path,
                "message": entry.message,
            }
            for entry in baseline.entries
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def load(path: Path) -> Baseline:
    """Read a baseline of this or an older version; BaselineError otherwise."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BaselineError(f"{path}: larger than {_MAX_BYTES:,} bytes, not a baseline")
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise BaselineError(
            f"{path}: there is no such baseline; record one with `deploy-audit baseline`"
        ) from None
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: is not UTF-8 text") from error
    try:
        return loads(text)
    except BaselineError as error:
        raise BaselineError(f"{path}: {error}") from None


def loads(text: str) -> Baseline:
    """Parse the text of a baseline; BaselineError when it is none."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BaselineError(f"is not valid JSON ({error})") from error
    except RecursionError as error:
        raise BaselineError("is nested too deeply") from error
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, bool) or not isinstance(version, int):
        raise BaselineError("is not a baseline of deploy-audit (it has no version number)")
    if version > VERSION:
        raise BaselineError(
            f"is of version {version}, but deploy-audit {__version__} knows versions up to "
            f"{VERSION}; record it again or update deploy-audit"
        )
    while version < VERSION:
        step = UPGRADES.get(version)
        if step is None:
            raise BaselineError(f"is of version {version}, which cannot be upgraded")
        document = step(document)
        version = document["version"]
    findings = document.get("findings")
    if not isinstance(findings, list):
        raise BaselineError('"findings": expected a list')
    return Baseline(entries=tuple(_entry(i, item) for i, item in enumerate(findings)))


def _entry(index: int, item: Any) -> Entry:
    if not isinstance(item, dict):
        raise BaselineError(f"findings[{index}]: expected an object")
    values = {}
    for name in ("fingerprint", "rule", "path", "message"):
        value = item.get(name)
        if not isinstance(value, str):
            raise BaselineError(f"findings[{index}].{name}: expected a string")
        values[name] = value
    return Entry(**values)


def apply(findings: Iterable[Finding], baseline: Baseline) -> tuple[Finding, ...]:
    """The findings, with those on record suppressed ``by="baseline"``."""
    left = Counter(baseline.counts)
    accepted = Suppression(by="baseline", reason="on record in the baseline")
    result = []
    for finding in findings:
        if finding.suppressed is None and left[finding.fingerprint] > 0:
            left[finding.fingerprint] -= 1
            finding = replace(finding, suppressed=accepted)
        result.append(finding)
    return tuple(result)


def gone(findings: Iterable[Finding], baseline: Baseline) -> tuple[Entry, ...]:
    """What is on record but no longer found: the baseline can be recorded anew."""
    left = Counter(finding.fingerprint for finding in findings)
    missing = []
    for entry in baseline.entries:
        if left[entry.fingerprint] > 0:
            left[entry.fingerprint] -= 1
        else:
            missing.append(entry)
    return tuple(missing)
