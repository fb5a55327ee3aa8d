"""Judge artifacts from their bytes, without loading them."""

from __future__ import annotations

import os

from auditor.artifacts.facts import ArtifactFacts, Limits

DEFAULT_LIMITS = Limits()


def scan_file(
    path: str | os.PathLike[str], *, display_path: str, limits: Limits = DEFAULT_LIMITS
) -> tuple[ArtifactFacts, ...]:
    """Facts about a file, the outer artifact first, then those nested in it.

    Never raises on bad content; OSError only where the file cannot be opened or read.
    """
    raise NotImplementedError


def scan_bytes(
    data: bytes, display_path: str, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[ArtifactFacts, ...]:
    """Like ``scan_file``, for content that is already in memory."""
    raise NotImplementedError
