"""Files of bare numbers, which only the model beside them says how to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from auditor import lazy_re as re
from auditor.artifacts.inert import TABLE

_SHARD = re.compile(r"(.+)\.data-[0-9]{5}-of-[0-9]{5}")
_ONNX = re.compile(r"(.+\.onnx)(?:[._-]?data.*|\.weights?)", re.IGNORECASE)


def claimed(path: Path) -> str:
    """The format of the numbers in a file without one; empty when nothing beside it says."""
    for neighbour, form, mark, at_end in _neighbours(path):
        try:
            with neighbour.open("rb") as file:
                if at_end:
                    file.seek(max(0, file.seek(0, 2) - 4096))
                if mark in file.read(4096):
                    return form
        except OSError:
            continue
    return ""


def _neighbours(path: Path) -> Iterator[tuple[Path, str, bytes, bool]]:
    """(file beside it, format it would mean, bytes it must hold, whether at its end)."""
    shard = _SHARD.fullmatch(path.name)
    if shard is not None:
        yield path.with_name(f"{shard[1]}.index"), "tensorflow-tensors", TABLE, True
    if path.suffix.lower() == ".bin":
        # OpenVINO's graph; its own loader reads the weights by offset and size.
        yield path.with_suffix(".xml"), "openvino-weights", b"<net ", False
    weights = _ONNX.fullmatch(path.name)
    if weights is not None:
        yield path.with_name(weights[1]), "onnx-weights", b"", False
