"""What wrote an artifact, from its bytes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts


@value
class Claim:
    """A statement about what wrote the artifact: ``specifier`` is a version or a range."""

    subject: str
    specifier: str
    evidence: str


@value
class Provenance:
    """What wrote an artifact and what it needs, as far as its bytes say.

    ``produced_by`` are (subject, version or range), the subject ``python`` or a distribution;
    ``requires`` are (distribution, specifier); ``feature_names`` the columns it was fitted on,
    None when none are recorded; ``pipeline`` whether the root is a Pipeline (None: no estimator).
    """

    claims: tuple[Claim, ...] = ()
    produced_by: tuple[tuple[str, str], ...] = ()
    requires: tuple[tuple[str, str], ...] = ()
    feature_names: tuple[str, ...] | None = None
    n_features: int | None = None
    pipeline: bool | None = None


def provenance(facts: ArtifactFacts) -> Provenance:
    """Everything that the bytes say of their origin. Never raises."""
    return Provenance()
