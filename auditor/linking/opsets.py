"""ONNX models against the pinned onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts


def onnx_reasons(facts: ArtifactFacts, exact: Exact) -> Iterator[Reason]:
    yield Reason(rule="CMP009", effect="unknown", message="not compared yet")
