"""Judge artifacts from their bytes, without loading them."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import IO

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import ArtifactFacts, Limits
from auditor.values import replace

DEFAULT_LIMITS = Limits()
# More than this of a stream goes to an unnamed file.
_SPOOL = 8 << 20
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
    if first is not None and first.format == "unknown" and len(found) == 1:
        from auditor.artifacts.beside import claimed

        if form := claimed(Path(path)):
            found = (replace(first, format=form, issues=(), verdict="safe"),)
    return found


def scan_bytes(
    data: bytes, display_path: str, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[ArtifactFacts, ...]:
    """Like ``scan_file``, for content that is already in memory."""
    return _scan(Blob(data), display_path, limits)


def scan_stream(
    stream: IO[bytes], display_path: str, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[tuple[ArtifactFacts, ...], bytes | None]:
    """Facts about what can be read but once, and the bytes themselves where they are few."""
    data = stream.read(_SPOOL)
    more = stream.read(1)
    if not more:
        return scan_bytes(data, display_path, limits=limits), data
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(data + more)
        while piece := stream.read(1 << 20):
            file.write(piece)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _scan(Blob(mapped), display_path, limits), None


def _scan(blob: Blob, path: str, limits: Limits) -> tuple[ArtifactFacts, ...]:
    from auditor.artifacts.formats import Scanner

    scanner = Scanner(limits)
    scanner.scan(blob, path)
    return tuple(scanner.found)
