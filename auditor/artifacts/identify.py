"""What a file is, by its content; the extension is only compared, never believed."""

from __future__ import annotations

from struct import Struct
from typing import Final

from auditor import lazy_re as re
from auditor.artifacts.blob import Blob

_U8 = Struct("<Q")
_U4 = Struct("<I")

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x93NUMPY", 0, "npy"),
    (b"PK\x03\x04", 0, "zip"),
    (b"PK\x05\x06", 0, "zip"),
    (b"7z\xbc\xaf\x27\x1c", 0, "7z"),
    (b"\x1f\x8b", 0, "gzip"),
    (b"BZh", 0, "bz2"),
    (b"\xfd7zXZ\x00", 0, "xz"),
    (b"\x04\x22\x4d\x18", 0, "lz4"),
    (b"\x28\xb5\x2f\xfd", 0, "zstd"),
    (b"\x89HDF\r\n\x1a\n", 0, "hdf5"),
    (b"GGUF", 0, "gguf"),
    (b"FUGG", 0, "gguf"),
    (b"TFL3", 4, "tflite"),
    (b"CBM1", 0, "catboost"),
    (b"binf", 0, "xgboost-binary"),
    (b"Rar!\x1a\x07", 0, "rar"),
    (b"ARROW1", 0, "arrow"),
    (b"PAR1", 0, "parquet"),
    (b"\x7fELF", 0, "elf"),
    (b"MZ", 0, "pe"),
    (b"\x89PNG", 0, "png"),
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"%PDF-", 0, "pdf"),
)

# Extensions under which a program may hand a file to an unpickler.
PICKLE_EXTENSIONS = frozenset(
    [
        "pkl",
        "pickle",
        "pk",
        "p",
        "joblib",
        "jbl",
        "dill",
        "cloudpickle",
        "pt",
        "pth",
        "ckpt",
        "bin",
        "model",
        "sav",
        "dat",
        "data",
    ]
)
# Extensions whose loaders read nothing but models in a binary form.
MODEL_EXTENSIONS = frozenset(
    {"pkl", "pickle", "joblib", "dill", "pt", "pth", "ckpt", "onnx", "pb", "keras", "h5"}
)
# Extensions of formats that hold no code: a pickle under one of these is dressed up.
DATA_EXTENSIONS = frozenset(
    [
        "safetensors",
        "onnx",
        "gguf",
        "tflite",
        "h5",
        "hdf5",
        "keras",
        "npy",
        "json",
        "txt",
        "csv",
        "md",
        "yaml",
        "yml",
        "toml",
        "png",
        "jpg",
        "parquet",
    ]
)


def extension(path: str) -> str:
    """The lower-case extension of the innermost name, without the dot."""
    name = path.replace("!", "/").rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def identify(blob: Blob) -> str:
    """The outer format; ``unknown`` for binary content without a magic, ``empty`` for nothing."""
    head = blob.read(0, 4096)
    if not head:
        return "empty"
    for magic, offset, name in _MAGIC:
        if head.startswith(magic, offset):
            if name == "bz2" and not head[3:4].isdigit():
                continue
            return name
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= 8:
        return "pickle"
    if len(head) > 262 and head[257:262] == b"ustar":
        return "tar"
    if _is_safetensors(blob, head):
        return "safetensors"
    if _is_plain_xgboost(head):
        return "xgboost-binary"
    if _is_zlib(head):
        return "zlib"
    if head[:3] == b"\x5d\x00\x00" and len(head) > 12:
        return "lzma"
    if head[:2] == b"ZF":
        return "joblib-zfile"
    if head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5:
        # A frame to skip, which the LZ4 and Zstandard formats share.
        return "zstd"
    if _is_old_tar(head):
        return "tar"
    if superblock(blob):
        return "hdf5"
    text = as_text(head)
    if text is not None:
        return _text_format(text)
    return "unknown"


def superblock(blob: Blob) -> int | None:
    """Where an HDF5 file begins, which a block of the user's own may precede; None in others."""
    at = 0
    while at < min(len(blob), 64 << 20):
        if blob.read(at, 8) == b"\x89HDF\r\n\x1a\n":
            return at
        at = at * 2 or 512
    return None


# Until XGBoost 1.0 a saved model began with its parameters, without a magic.
_XGBOOST_PARAMETERS: Final = 136
_XGBOOST_BOOSTERS: Final = (b"gbtree", b"gblinear", b"dart")


def _is_plain_xgboost(head: bytes) -> bool:
    """Parameters, then two counted texts: the objective and the kind of booster."""
    at = _XGBOOST_PARAMETERS
    texts: list[bytes] = []
    for _ in range(2):
        size = int.from_bytes(head[at : at + 8], "little")
        if len(head) < at + 8 + size or not 0 < size < 64:
            return False
        texts.append(head[at + 8 : at + 8 + size])
        at += 8 + size
    return texts[1] in _XGBOOST_BOOSTERS and bool(
        re.fullmatch(rb"[a-z0-9_]+:?[a-z0-9_]*", texts[0])
    )


def _is_safetensors(blob: Blob, head: bytes) -> bool:
    if len(head) < 10:
        return False
    size = _U8.unpack_from(head)[0]
    return bool(head[8:9] == b"{" and 2 <= size <= max(len(blob), 100_000_000))


def _is_zlib(head: bytes) -> bool:
    return (
        len(head) > 2
        and head[0] & 0x0F == 8
        and head[0] >> 4 <= 7
        and (head[0] << 8 | head[1]) % 31 == 0
        and not head[1] & 0x20
    )


def _is_old_tar(head: bytes) -> bool:
    if len(head) < 512:
        return False
    field = head[148:156].replace(b"\x00", b" ").strip()
    try:
        stated = int(field, 8)
    except ValueError:
        return False
    return stated == sum(head[:148]) + 256 + sum(head[156:512])


def as_text(head: bytes) -> str | None:
    """The text when the bytes are text (UTF-8 or UTF-16), None for binary content."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return head[: len(head) & ~1].decode("utf-16")
        except UnicodeDecodeError:
            return None
    if b"\x00" in head:
        return None
    for cut in range(4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        control = sum(1 for c in text if c < " " and c not in "\t\n\r\f\b\x1b")
        return text.removeprefix("\ufeff") if control <= len(text) // 50 else None
    return None


def _text_format(text: str) -> str:
    start = text.lstrip()
    lower = start[:512].lower()
    if text.startswith("version https://git-lfs.github.com/spec/"):
        return "lfs-pointer"
    if lower.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "html"
    if lower.startswith(("<?xml", "<pmml", "<!doctype", "<!--")):
        if "<!doctype html" in lower or "<html" in lower:
            return "html"
        return "pmml" if "<pmml" in text.lower() or ":pmml" in text.lower() else "xml"
    if start.startswith(("{", "[")):
        return "json"
    if text.startswith("tree\nversion=v"):
        return "lightgbm"
    return "text"
