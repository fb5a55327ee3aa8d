"""Judge artifacts from their bytes, without loading them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import ArtifactFacts, Limits
from auditor.values import replace

DEFAULT_LIMITS = Limits()
# Below this size reading beats mapping.
_MAP = 1 << 16


def scan_file(
    path: str | os.PathLike[str], *, display_path: str, limits: Limits = DEFAULT_LIMITS
) -> tuple[ArtifactFacts, ...]:
    """Facts about a file, the outer artifact first, then those nested in it.

    Never raises on bad content; OSError only where the file cannot be opened or read.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _MAP:
            found = scan_bytes(file.read(), display_path, limits=limits)
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                found = _scan(Blob(mapped), display_path, limits)
    first = found[0] if found else None
    if first is not None and first.onnx is not None and first.onnx.external:
        from auditor.artifacts.onnx.external import look_up

        onnx = look_up(first.onnx, Path(path).parent)
        found = (replace(first, onnx=onnx), *found[1:])
    return found


def scan_bytes(
    data: bytes, display_path: str, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[ArtifactFacts, ...]:
    """Like ``scan_file``, for content that is already in memory."""
    return _scan(Blob(data), display_path, limits)


def _scan(blob: Blob, path: str, limits: Limits) -> tuple[ArtifactFacts, ...]:
    from auditor.artifacts.formats import Scanner

    scanner = Scanner(limits)
    scanner.scan(blob, path)
    return tuple(scanner.found)
