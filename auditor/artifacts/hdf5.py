"""HDF5 (Keras v2 models, weights, pandas stores): configurations, pickles and files elsewhere.

HDF5 File Format Specification 3.0. Structures are found by their own bytes rather than by walking
the tree: what no reader reaches cannot hide, and each find is checked field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.artifacts.blob import Blob
from auditor.artifacts.documents import parse_json
from auditor.artifacts.identify import superblock
from auditor.artifacts.keras import judge_config
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft

_U2 = Struct("<H")
_U8 = Struct("<Q")
_CHUNK = 16 << 20
_OVERLAP = 4096


def judge_hdf5(draft: Draft, blob: Blob) -> None:
    """Attributes are stored unfiltered: the configuration is JSON text among the bytes."""
    keras = any(
        blob.find(word) >= 0 for word in (b"model_config", b"keras_version", b"layer_names")
    )
    draft.format = "keras-h5" if keras else "hdf5"
    _compressed_attributes(draft, blob)
    # Addresses count from the superblock.
    _elsewhere(draft, blob.window(superblock(blob) or 0, len(blob)))
    _pickled(draft, blob)
    found = 0
    at = 0
    while True:
        at = blob.find(b"class_name", at)
        if at < 0:
            break
        start = _json_start(blob, at)
        if start is None:
            at += 10
            continue
        raw_text, end = _json_end(blob, start)
        try:
            document = parse_json(raw_text)
        except ValueError:
            draft.issue(
                "ART003",
                "holds a Keras configuration that is not readable",
                "unreadable",
                Severity.HIGH,
                offset=start,
            )
            at += 10
            found += 1
            if found > 50:
                return
            continue
        found += 1
        judge_config(draft, document)
        at = max(end, at + 10)
    if keras and not found and blob.find(b"model_config") >= 0:
        draft.issue(
            "ART003", "has a model configuration that was not found", "unreadable", Severity.HIGH
        )


def _json_start(blob: Blob, at: int) -> int | None:
    """The brace that opens the outermost object around ``at``; text before it is no JSON."""
    low = max(at - 65536, 0)
    before = blob.read(low, at - low)
    # Text runs back to the first byte that JSON text cannot hold.
    text_start = 0
    for found in re.finditer(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", before):
        text_start = found.end()
    brace = before.find(b"{", text_start)
    return low + brace if brace >= 0 else None


def _json_end(blob: Blob, start: int) -> tuple[bytes, int]:
    """The balanced object from ``start``; cut at 16 MB."""
    raw = blob.read(start, 16 << 20)
    depth = 0
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*"|[{}]', raw):
        piece = found.group(0)
        if piece == b"{":
            depth += 1
        elif piece == b"}":
            depth -= 1
            if depth == 0:
                return raw[: found.end()], start + found.end()
    return raw[:65536], start + len(raw)


def _compressed_attributes(draft: Draft, blob: Blob) -> None:
    """Fractal heaps with a filter: links and attributes in them are not readable as bytes."""
    at = blob.find(b"FRHP")
    for _ in range(10_000):
        if at < 0:
            return
        raw = blob.unpack(_U2, at + 7)
        if raw is not None and raw[0] and blob.read(at + 4, 1) == b"\x00":
            draft.issue(
                "ART003",
                "holds compressed attributes, which are not read",
                "unreadable",
                Severity.HIGH,
                offset=at,
            )
            return
        at = blob.find(b"FRHP", at + 4)


def _pieces(blob: Blob) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the whole blob in pieces that overlap."""
    for at in range(0, max(len(blob), 1), _CHUNK):
        yield at, blob.read(at, _CHUNK + _OVERLAP)
        blob.release(at, _CHUNK)


# An external link (IV.A.2.g: version 1, flags, link type 64) and an external file list
# (IV.A.2.h: message 7 of an object header of version 1 or 2); a layout that is virtual (class 3).
_LINK = re.compile(rb"\x01[\x08-\x1f]\x40")
_FILES = re.compile(
    rb"\x07\x00(?s:.){6}\x01\x00\x00\x00(?s:..)(?s:..)|"
    rb"\x07(?s:...)(?:(?s:..))?\x01\x00\x00\x00(?s:..)(?s:..)"
)
_VIRTUAL = re.compile(rb"\x04\x03(?s:.{12})")


def _elsewhere(draft: Draft, blob: Blob) -> None:
    """Objects whose data lies in other files, which reading the model reads too."""
    for at, raw in _pieces(blob):
        for found in _LINK.finditer(raw):
            target = _external_link(raw, found.start())
            if target is not None:
                _file(draft, f"links to {target[1]!r} in the file {target[0]!r}", at, found)
                return
        for found in _FILES.finditer(raw):
            name = _external_list(blob, raw, found.end())
            if name is not None:
                _file(draft, f"keeps the data of an array in the file {name!r}", at, found)
                return
        for found in _VIRTUAL.finditer(raw):
            heap = _U8.unpack_from(found.group(0), 2)[0]
            if heap and blob.read(heap, 5) == b"GCOL\x01" and blob.read(heap + 5, 3) == bytes(3):
                _file(draft, "is put together from other files (virtual array)", at, found)
                return


def _file(draft: Draft, message: str, at: int, found: re.Match[bytes]) -> None:
    draft.issue(
        "ART010",
        message[:300],
        "suspicious",
        Severity.HIGH,
        offset=at + found.start(),
        what="reading the model reads that file too (CVE-2026-1669)",
    )


def _external_link(raw: bytes, at: int) -> tuple[str, str] | None:
    """(file, object) of the link message at that place, None when it is none."""
    flags = raw[at + 1]
    at += 3
    at += 8 if flags & 0x04 else 0
    at += 1 if flags & 0x10 else 0
    width = 1 << (flags & 3)
    name_size = int.from_bytes(raw[at : at + width], "little")
    at += width
    name = raw[at : at + name_size]
    at += name_size
    size = int.from_bytes(raw[at : at + 2], "little")
    info = raw[at + 2 : at + 2 + size]
    if not 0 < name_size < 2000 or b"\x00" in name or len(info) < size or size < 4:
        return None
    parts = info[1:].split(b"\x00")
    if info[0] != 0 or info[-1:] != b"\x00" or len(parts) != 3 or not parts[0]:
        return None
    return parts[0].decode("utf-8", "replace"), parts[1].decode("utf-8", "replace")


def _external_list(blob: Blob, raw: bytes, end: int) -> str | None:
    """The first file of the list whose slot counts end at that place, None when it is none."""
    slots = int.from_bytes(raw[end - 4 : end - 2], "little")
    used = int.from_bytes(raw[end - 2 : end], "little")
    heap = int.from_bytes(raw[end : end + 8], "little")
    name = int.from_bytes(raw[end + 8 : end + 16], "little")
    if not 0 < used <= slots or blob.read(heap, 8) != b"HEAP\x00\x00\x00\x00":
        return None
    segment = blob.unpack(_U8, heap + 24)
    if segment is None:
        return None
    text = blob.read(segment[0] + name, 1024).partition(b"\x00")[0]
    return text.decode("utf-8", "replace") if text else None


# PyTables, and pandas upon it, unpickle attributes and object arrays while reading.
_STREAMS = re.compile(
    rb"\x80[\x02-\x05][\x95(\])}cX\x8cKCN\x88\x89]|[(c](?:[cild]p?)?[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n"
)
_MAX_STREAMS = 5000


def _pickled(draft: Draft, blob: Blob) -> None:
    if blob.find(b"PYTABLES_FORMAT_VERSION") < 0:
        return
    from auditor.artifacts.pickle.analyse import analyse

    count = 0
    past = 0
    for at, raw in _pieces(blob):
        for found in _STREAMS.finditer(raw):
            start = at + found.start()
            if start < past:
                continue
            count += 1
            if count > _MAX_STREAMS:
                draft.issue("ART003", "holds too many pickles", "unreadable", Severity.HIGH)
                return
            analysis = analyse(blob.window(start, 1 << 20), limits=draft.limits, single=True)
            past = start + analysis.end
            complete = analysis.streams > 0
            for issue in analysis.issues:
                # What merely resembles the beginning of a pickle does not end like one.
                if issue.verdict == "dangerous" or (complete and issue.verdict == "suspicious"):
                    draft.issue(
                        issue.rule,
                        f"an attribute is a pickle: {issue.message}",
                        issue.verdict,
                        issue.severity,
                        what="pandas.read_hdf and PyTables unpickle it while reading",
                        offset=start,
                    )
                    break
