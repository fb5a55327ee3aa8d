"""Protocol Buffers on the wire: fields of a message in a window, nothing copied.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.artifacts.blob import Blob


class WireError(Exception):
    """The bytes are no message."""


def varint(blob: Blob, at: int) -> tuple[int, int]:
    """(value, offset behind it). WireError when cut off or longer than ten bytes."""
    value = shift = 0
    raw = blob.read(at, 10)
    for index, byte in enumerate(raw):
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at + index + 1
        shift += 7
    raise WireError("a number that does not end")


def fields(blob: Blob) -> Iterator[tuple[int, int, int, Blob | None]]:
    """(field number, wire type, value of a varint, window of a length-delimited field)."""
    at = 0
    size = len(blob)
    while at < size:
        key, at = varint(blob, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("a field without a number")
        if kind == 0:
            value, at = varint(blob, at)
            yield number, kind, value, None
        elif kind == 2:
            length, at = varint(blob, at)
            if at + length > size:
                raise WireError("a field that reaches beyond its message")
            yield number, kind, length, blob.window(at, length)
            at += length
        elif kind == 5 or kind == 1:
            at += 4 if kind == 5 else 8
            if at > size:
                raise WireError("a field that reaches beyond its message")
            yield number, kind, 0, None
        else:
            raise WireError(f"wire type {kind}")


def text(blob: Blob, limit: int = 4096) -> str:
    """The start of a string field."""
    return blob.read(0, limit).decode("utf-8", "replace")
