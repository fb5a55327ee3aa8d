"""Model formats whose loaders only read numbers and text, told by their structure.

What is here has no code to run and no names to import. Formats that are named as unread can run
code in the programs that load them, and are not analysed.

github.com/facebookresearch/faiss (index_write.cpp), github.com/facebookresearch/fastText
(fasttext.cc), github.com/google/sentencepiece (sentencepiece_model.proto), apple.github.io/
coremltools (Model.proto), github.com/protocolbuffers/protobuf (descriptor.proto), github.com/google/leveldb (table_format.md), github.com/msgpack.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from auditor import lazy_re as re
from auditor.artifacts.identify import as_text
from auditor.artifacts.wire import WireError, fields
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.formats import Draft

# First bytes of formats that their loaders can be made to run code by.
UNREAD: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xac\xed\x00\x05", "a serialised Java object"),
    (b"RDX2\n", "a workspace of R"),
    (b"RDX3\n", "a workspace of R"),
    (b"X\n\x00\x00\x00\x02\x00", "an object of R"),
    (b"X\n\x00\x00\x00\x03\x00", "an object of R"),
    (b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", "an object of Torch 7 (Lua)"),
)
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"SQLite format 3\x00", "sqlite"),
    (b"MATLAB 5.0 MAT-file", "matlab"),
    (b"$FL2@(#) SPSS DATA FILE", "spss"),
    (b"SR\x00\x04\x00\x00\x00", "idl"),
    (b"\xba\x16\x4f\x2f", "fasttext"),
    (b"lmgg", "ggml"),
    (b"fmgg", "ggml"),
    (b"tjgg", "ggml"),
)
# The last eight bytes of a table of LevelDB, which is the index of a TensorFlow checkpoint.
TABLE: Final = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
_FAISS: Final = Struct("<iqqqBi")
_WORD2VEC: Final = re.compile(rb"([1-9][0-9]{0,9}) ([1-9][0-9]{0,4})\n[^\x00-\x20]")
# Objects of NumPy that msgpack-numpy writes as pickles.
_PICKLED: Final = re.compile(rb"(?:\xa4|\xc4\x04)kind(?:\xa1|\xc4\x01)O")
# How many words are read one by one, and how long one may be.
_LOOKED_AT: Final = 64
_LONGEST_WORD: Final = 1000
# More than this of a MessagePack document is not followed token by token.
_TOKENS: Final = 200_000


def unread(head: bytes) -> str:
    """What kind of file it is that can run code and is not analysed; empty for none."""
    return next((what for magic, what in UNREAD if head.startswith(magic)), "")


def recognised(draft: Draft, blob: Blob) -> bool:
    """Whether the file is of one of these formats; sets the format of the draft."""
    head = blob.read(0, 64)
    found = next((name for magic, name in _MAGIC if head.startswith(magic)), "")
    if not found and len(blob) > 48 and blob.read(len(blob) - 8, 8) == TABLE:
        found = "leveldb-table"
    if not found:
        found = _faiss(blob) or _word2vec(blob, head) or _message(blob) or _descriptors(blob)
    if not found and packed(blob):
        found = "messagepack"
        pickled = _PICKLED.search(blob.data, blob.start, blob.end)
        if pickled is not None:
            draft.issue(
                "ART002",
                "holds NumPy objects that msgpack-numpy unpickles",
                "suspicious",
                Severity.HIGH,
                what="loading runs a pickle inside the file, which was not read",
                offset=pickled.start() - blob.start,
            )
    draft.format = found or draft.format
    return bool(found)


def _faiss(blob: Blob) -> str:
    """A four-letter code, dimension and number of vectors, and twice the number 2**20."""
    head, code = blob.unpack(_FAISS, 4), blob.read(0, 4)
    if head is None:
        return ""
    dimension, count, first, second, trained, _ = head
    good = code[:1] == b"I" and code.isalnum() and first == second == 1 << 20
    return "faiss" if good and trained < 2 and 0 <= dimension < 1 << 24 and count >= 0 else ""


def _word2vec(blob: Blob, head: bytes) -> str:
    """Numbers of words and dimensions as text, then words with as many floats."""
    found = _WORD2VEC.match(head)
    if found is None:
        return ""
    words, size = int(found[1]), int(found[2])
    at = found.end() - 1
    for _ in range(min(words, _LOOKED_AT)):
        space = blob.read(at, _LONGEST_WORD).find(b" ")
        if space < 1 or as_text(blob.read(at, space)) is None:
            return ""
        at += space + 1 + 4 * size
        if at > len(blob):
            return ""
        at += blob.read(at, 1) == b"\n"
    return "word2vec" if words > _LOOKED_AT or at == len(blob) else ""


def _message(blob: Blob) -> str:
    """Messages of Protocol Buffers without operators: SentencePiece and Core ML."""
    first = blob.read(0, 1)
    if first not in (b"\x0a", b"\x08"):
        return ""
    pieces = 0
    numbers: set[int] = set()
    try:
        for number, kind, value, window in fields(blob):
            if first == b"\x0a" and number == 1:
                if kind != 2 or window is None:
                    return ""
                if pieces < 64 and not _is_piece(window):
                    return ""
                pieces += 1
            elif (first == b"\x08" and number == 1 and (kind != 0 or not 1 <= value < 100)) or (
                number not in (1, 2, 3, 4, 5, 10) and not 200 <= number <= 3000
            ):
                return ""
            numbers.add(number)
    except WireError:
        return ""
    if first == b"\x0a":
        return "sentencepiece" if pieces and numbers <= {1, 2, 3, 4, 5} else ""
    return "coreml" if {1, 2} < numbers and max(numbers) >= 200 else ""


def _descriptors(blob: Blob) -> str:
    """Definitions of messages and services, as ``protoc --descriptor_set_out`` writes them."""
    files = 0
    try:
        for number, kind, _, file in fields(blob):
            if number != 1 or kind != 2 or file is None:
                return ""
            name = next(((n, k, text) for n, k, _, text in fields(file)), None)
            if name is None or name[:2] != (1, 2) or name[2] is None:
                return ""
            text = name[2].read(0, _LONGEST_WORD)
            if not text.endswith(b".proto") or as_text(text) is None:
                return ""
            files += 1
    except WireError:
        return ""
    return "protobuf-descriptors" if files else ""


def _is_piece(window: Blob) -> bool:
    """A text and its score."""
    parts = [(number, kind) for number, kind, _, _ in fields(window)]
    return parts[:2] == [(1, 2), (2, 5)] and all(number <= 3 for number, _ in parts)


def packed(blob: Blob) -> bool:
    """One value of MessagePack, to the end of the file as far as it was followed."""
    data, at, end = blob.data, blob.start, blob.end
    if at >= end or not (0x80 <= data[at] <= 0x9F or 0xDC <= data[at] <= 0xDF):
        # Only maps and lists: any file may begin like a number.
        return False
    left = 1
    for _ in range(_TOKENS):
        if not left:
            return at == end
        if at >= end:
            return False
        token = data[at]
        left -= 1
        at += 1
        if token <= 0x7F or token >= 0xE0 or token in (0xC0, 0xC2, 0xC3):
            continue
        if token <= 0x8F:
            left += 2 * (token & 15)
        elif token <= 0x9F:
            left += token & 15
        elif token <= 0xBF:
            at += token & 31
        elif token in _SIZED:
            width, more = _SIZED[token]
            at += width + more + int.from_bytes(data[at : at + width], "big")
        elif token in _FIXED:
            at += _FIXED[token]
        elif token in _COUNTED:
            width, each = _COUNTED[token]
            left += each * int.from_bytes(data[at : at + width], "big")
            at += width
        else:
            return False
        if left > end - at:
            return False
    return at <= end


# Bytes of the length, and of the type behind it: binary data, extensions and text.
_SIZED: Final = {
    0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
    0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0),
}  # fmt: skip
# Numbers and short extensions.
_FIXED: Final = {
    0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
    0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
# Lists and maps.
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
