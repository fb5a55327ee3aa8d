"""ART: are the artifacts safe to load. The verdicts come from ``artifacts.scan``."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.catalog import Rule
from auditor.checks.registry import Outcome
from auditor.deployment.model import Artifact


def _issues(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    from auditor.artifacts.scan import findings_of

    yield from findings_of(artifact.facts, rule)  # type: ignore[arg-type]
