"""Streams inside a stream: bytes that library code hands to an unpickler of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.artifacts.blob import Blob
from auditor.artifacts.pickle.values import Big, Call, Glob, Value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts

# Files in files that are being judged.
_inside: list[int] = []
_DEPTH = 3
_MEMBERS = 10_000


def bytes_of(value: Value) -> Blob | None:
    """Bytes as protocols 3 and later write them, or 0 to 2: as text that is to be encoded."""
    if type(value) is bytes:
        return Blob(value)
    if type(value) is Big and value.kind in ("bytes", "bytearray") and value.data is not None:
        return Blob(value.data, value.offset, value.offset + value.size)
    if (
        type(value) is Call
        and type(value.func) is Glob
        and value.func.key == "_codecs.encode"
        and type(value.args) is tuple
        and len(value.args) == 2
        and value.args[1] in ("latin1", "latin-1")
    ):
        text = _text_of(value.args[0])
        try:
            return None if text is None else Blob(text.encode("latin-1"))
        except UnicodeEncodeError:
            return None
    return None


def _text_of(value: Value) -> str | None:
    if type(value) is str:
        return value
    if type(value) is not Big or value.kind != "str" or value.data is None:
        return None
    raw = value.data[value.offset : value.offset + value.size]
    # The opcode in front tells protocol 0, whose text ends with its line.
    escaped = value.data[value.offset - 1 : value.offset] == b"V"
    try:
        return str(raw, "raw-unicode-escape" if escaped else "utf-8")
    except UnicodeDecodeError:
        return None


def judge_bytes(value: Value) -> tuple[str, tuple[str, ...]] | str:
    """(format, globals) of the file in these bytes, or why it may not be loaded."""
    found = _judged(value, "another pickle")
    return found if isinstance(found, str) else (found[0].format, found[0].globals)


def judge_keras(value: Value) -> str | None:
    """Why the Keras model in these bytes may not be loaded; None when it may.

    Since Keras 2.11 they are a ``.keras`` file, before that a tar archive of a SavedModel that is
    unpacked to memory; each member is written below the name of a directory there.
    """
    found = _judged(value, "a model")
    if isinstance(found, str):
        return found
    if found[0].format == "keras-v3":
        return None
    raw = bytes_of(value)
    if found[0].format != "tar" or raw is None or found[0].globals:
        return "what it loads is no Keras model"
    from auditor.artifacts.tarred import read_tar

    members = read_tar(raw, _MEMBERS)
    if members.issues or any("://" in name for name, _ in members.members):
        return "what it loads is unpacked to places of its own"
    if all(facts.format != "savedmodel" for facts in found[1:]):
        return "what it loads is no Keras model"
    return None


def _judged(value: Value, what: str) -> list[ArtifactFacts] | str:
    """The file in these bytes and what is nested in it, all of it safe; else why not."""
    raw = bytes_of(value)
    if raw is None:
        return "what it loads is not known"
    if len(_inside) >= _DEPTH:
        return "what it loads is nested too deeply"
    from auditor.artifacts.facts import Limits
    from auditor.artifacts.formats import Scanner

    _inside.append(len(raw))
    try:
        scanner = Scanner(Limits(unpacked=64 << 20, bomb=16 << 20))
        verdict = scanner.scan(raw, "bytes")
    finally:
        _inside.pop()
    if verdict != "safe" or not scanner.found:
        return f"it loads {what}, which is {verdict}"
    return scanner.found
