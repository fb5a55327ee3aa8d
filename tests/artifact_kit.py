"""What the artifact blocks of rule cards may say: files made from stand-ins, never from the real thing.

Nothing named here is imported or called: a pickle is written opcode by opcode from the names.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import tarfile
import zipfile
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Call",
    "Global",
    "Instance",
    "Persistent",
    "onnx_model",
    "pickled",
    "safetensors",
    "saved_model",
    "tarred",
    "truncated",
    "zipped",
]


@dataclass(frozen=True)
class Global:
    """A class or function by its dotted name, ``module.name``."""

    name: str


class Call:
    """What a class with ``__reduce__`` leaves behind: loading calls ``name(*arguments)``."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments = name, arguments


class Instance:
    """An object of a class: ``Instance("package.module.Class", attribute=value, …)``."""

    def __init__(self, name: str, **state: Any) -> None:
        self.name, self.state = name, state


@dataclass(frozen=True)
class Persistent:
    """A persistent id, as torch stores its tensors' storage."""

    id: Any


class _Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes stand-ins as the opcodes that the real objects would have."""

    def persistent_id(self, obj: Any) -> Any:
        return None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self._global(obj.name)
        elif isinstance(obj, Call):
            self._global(obj.name)
            super().save(obj.arguments)
            self.write(pickle.REDUCE)
        elif isinstance(obj, Instance):
            self._global(obj.name)
            self.write(pickle.EMPTY_TUPLE + pickle.NEWOBJ)
            super().save(obj.state)
            self.write(pickle.BUILD)
        elif isinstance(obj, Persistent):
            super().save(obj.id)
            self.write(pickle.BINPERSID)
        else:
            super().save(obj, save_persistent_id)

    def _global(self, dotted: str) -> None:
        module, _, name = dotted.rpartition(".")
        if self.proto >= 4:
            super().save(module)
            super().save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())


def pickled(value: Any, protocol: int = 4) -> bytes:
    """A pickle of a value in which stand-ins may occur anywhere."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol).dump(value)
    data = buffer.getvalue()
    pickletools.dis(data, io.StringIO())
    return data


def zipped(members: dict[str, Any], *, compress: bool = False) -> bytes:
    """A zip archive; members that are not bytes are text or get pickled."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), _bytes(content), method)
    return buffer.getvalue()


def tarred(members: dict[str, Any]) -> bytes:
    """A tar archive of the same kind of members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info, data = tarfile.TarInfo(name), _bytes(content)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def _bytes(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return content if isinstance(content, bytes) else pickled(content)


def truncated(value: Any, keep: float = 0.5) -> bytes:
    """The first part of a file."""
    data = _bytes(value)
    return data[: int(len(data) * keep)]


def safetensors(**tensors: int) -> bytes:
    """A safetensors file with zeroed float32 vectors of the given lengths."""
    import json

    header: dict[str, Any] = {}
    offset = 0
    for name, length in tensors.items():
        header[name] = {
            "dtype": "F32",
            "shape": [length],
            "data_offsets": [offset, offset + 4 * length],
        }
        offset += 4 * length
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(offset)


def onnx_model(text: str) -> bytes:
    """An ONNX model from its textual form."""
    import onnx.parser

    model = onnx.parser.parse_model(text)
    return bytes(model.SerializeToString())


def saved_model(*operators: str) -> bytes:
    """A TensorFlow SavedModel whose graph has one node of each operator."""

    def field(number: int, content: bytes) -> bytes:
        # Short messages only: lengths fit into one byte here.
        assert len(content) < 128
        return bytes([number << 3 | 2, len(content)]) + content

    nodes = [
        field(1, field(1, name.lower().encode()) + field(2, name.encode())) for name in operators
    ]
    graph = b"".join(nodes)
    return b"\x08\x01" + field(2, field(2, graph))
