"""Binary tensor formats: NumPy, safetensors, GGUF and ONNX.

Each is parsed only as far as its structure goes; array contents are never touched.
"""

from __future__ import annotations

import ast
from struct import Struct
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.artifacts.blob import Blob
from auditor.artifacts.documents import parse_json
from auditor.artifacts.pickle.analyse import analyse
from auditor.artifacts.templates import is_template, judge_template
from auditor.artifacts.wire import WireError, fields
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft

_U2 = Struct("<H")
_U4 = Struct("<I")
_U8 = Struct("<Q")


def broken(draft: Draft, why: str, offset: int | None = None) -> None:
    """The issue of a file that its format does not allow."""
    draft.issue("ART015", f"is damaged: {why}", "unreadable", Severity.HIGH, offset=offset)


# -- NumPy ---------------------------------------------------------------------------------


def judge_npy(draft: Draft, blob: Blob) -> None:
    """NEP 1: magic, version, a Python literal as header, then raw data or a pickle."""
    version = blob.read(6, 2)
    if len(version) < 2 or version[0] not in (1, 2, 3):
        broken(draft, "its version is unknown", 6)
        return
    form = _U2 if version[0] == 1 else _U4
    size = blob.unpack(form, 8)
    start = 8 + form.size
    if size is None or size[0] > 1 << 20 or start + size[0] > len(blob):
        broken(draft, "its header is cut off", 8)
        return
    try:
        header = ast.literal_eval(blob.read(start, min(size[0], 65536)).decode("latin-1").strip())
        descr, shape = header["descr"], header["shape"]
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError("shape")
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        broken(draft, "its header is no description of an array", start)
        return
    draft.details.append(("dtype", str(descr)[:200]))
    draft.details.append(("shape", str(shape)[:200]))
    data = start + size[0]
    if has_objects(descr):
        analysis = analyse(blob.window(data, len(blob)), limits=draft.limits)
        draft.analysis = analysis
        draft.issue(
            "ART006",
            "is an array of Python objects, which is a pickle inside",
            "safe",
            Severity.LOW,
            offset=data,
            what="numpy.load(allow_pickle=True) unpickles it",
        )
        return
    width = descr_size(descr)
    if width is None:
        broken(draft, f"its type {str(descr)[:60]} is unknown", start)
        return
    count = 1
    for n in shape:
        count *= n
    if data + count * width > len(blob):
        draft.issue("ART015", "is cut off", "unreadable", Severity.HIGH, offset=len(blob))
    elif data + count * width < len(blob):
        extra = len(blob) - data - count * width
        # numpy.save several times into one file, or a payload for another loader.
        rest = blob.window(data + count * width, extra)
        if rest.read(0, 6) != b"\x93NUMPY":
            draft.issue(
                "ART004",
                f"{extra} bytes follow the array",
                "suspicious",
                Severity.MEDIUM,
                offset=data + count * width,
            )


def has_objects(descr: Any) -> bool:
    """Whether a NumPy type description holds Python objects."""
    if isinstance(descr, str):
        return "O" in descr
    if isinstance(descr, (list, tuple)):
        return (
            any(has_objects(part) for part in descr[:1000] if not isinstance(part, int))
            if not (isinstance(descr, tuple) and len(descr) >= 2 and isinstance(descr[0], str))
            else has_objects(descr[1])
        )
    return True


_DESCR = re.compile(r"[<>|=]?([?biufcmMSUVa])(\d*)(?:\[[^\]]*\])?")


def descr_size(descr: Any) -> int | None:
    """Bytes of one item, None when the description is not understood."""
    if isinstance(descr, str):
        found = _DESCR.fullmatch(descr)
        if found is None:
            return None
        letter, width = found.groups()
        if letter == "?":
            return 1
        if not width:
            return {"m": 8, "M": 8}.get(letter)
        return int(width) * (4 if letter == "U" else 1)
    if isinstance(descr, list):
        total = 0
        for field in descr:
            if not isinstance(field, tuple) or len(field) < 2:
                return None
            size = descr_size(field[1])
            if size is None:
                return None
            if len(field) > 2:
                shape = field[2] if isinstance(field[2], tuple) else (field[2],)
                for n in shape:
                    if not isinstance(n, int):
                        return None
                    size *= n
            total += size
        return total
    if isinstance(descr, tuple) and len(descr) == 2:
        size = descr_size(descr[0])
        if size is None:
            return None
        for n in descr[1] if isinstance(descr[1], tuple) else (descr[1],):
            if not isinstance(n, int):
                return None
            size *= n
        return size
    return None


# -- safetensors ---------------------------------------------------------------------------

_WIDTHS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
}  # fmt: skip
_SCRIPT = re.compile(
    r"\b(?:__import__|eval|exec|os\.system|subprocess|popen)\s*[.(]|\bimport\s+os\b|<script\b",
    re.IGNORECASE,
)


def judge_safetensors(draft: Draft, blob: Blob) -> None:
    """Header, offsets and sizes; metadata for code and templates."""
    size = _U8.unpack(blob.read(0, 8))[0]
    if size > 100_000_000 or 8 + size > len(blob):
        broken(draft, "its header reaches beyond the file", 0)
        return
    try:
        header = parse_json(blob.read(8, size))
        if not isinstance(header, dict):
            raise ValueError("no object")
    except ValueError as error:
        broken(draft, f"its header is no JSON object ({str(error)[:80]})", 8)
        return
    data = len(blob) - 8 - size
    spans: list[tuple[int, int]] = []
    for name, tensor in header.items():
        if name == "__metadata__":
            _metadata(draft, tensor)
            continue
        try:
            begin, end = tensor["data_offsets"]
            bits = _WIDTHS[tensor["dtype"]]
            for n in tensor["shape"]:
                bits *= n
            if not (0 <= begin <= end and bits >= 0):
                raise ValueError("negative")
        except (KeyError, TypeError, ValueError):
            broken(draft, f"the tensor {name[:60]!r} is not described", 8)
            return
        if end > data:
            broken(draft, f"the tensor {name[:60]!r} reaches beyond the file", 8)
            return
        if (end - begin) * 8 != bits:
            broken(draft, f"the tensor {name[:60]!r} is not as large as its shape", 8)
            return
        spans.append((begin, end))
    spans.sort()
    at = 0
    for begin, end in spans:
        if begin != at and end > begin:
            draft.issue(
                "ART004",
                "has bytes between or under its tensors that belong to none",
                "suspicious",
                Severity.MEDIUM,
                offset=8 + size + min(begin, at),
            )
            return
        at = max(at, end)
    if at < data:
        draft.issue(
            "ART004", f"{data - at} bytes follow the last tensor", "suspicious", Severity.MEDIUM,
            offset=8 + size + at,
        )  # fmt: skip
    draft.details.append(("tensors", str(len(spans))))


def _metadata(draft: Draft, metadata: Any) -> None:
    if not isinstance(metadata, dict):
        broken(draft, "its metadata is no object", 8)
        return
    for key, value in metadata.items():
        if not isinstance(value, str):
            continue
        found = _SCRIPT.search(value)
        if found is not None:
            draft.issue(
                "ART004",
                f"its metadata {str(key)[:60]!r} holds code: {found.group(0)[:60]}",
                "suspicious",
                Severity.MEDIUM,
                offset=8,
                what="nothing runs it by itself; no trainer writes it",
            )
        _template(draft, value, str(key))
    if isinstance(framework := metadata.get("format"), str):
        draft.details.append(("safetensors_format", framework[:20]))


def _template(draft: Draft, value: str, where: str) -> None:
    if not is_template(value):
        return
    found = judge_template(value)
    if found is not None:
        verdict, why = found
        draft.issue(
            "ART011",
            f"the template {where[:60]} {why}",
            "dangerous" if verdict == "dangerous" else "suspicious",
            Severity.CRITICAL if verdict == "dangerous" else Severity.MEDIUM,
            what="rendering the template without a sandbox runs this code",
        )


# -- GGUF ----------------------------------------------------------------------------------

_GGUF_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def judge_gguf(draft: Draft, blob: Blob) -> None:
    """github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3 (little endian)."""
    if blob.read(0, 4) != b"GGUF":
        broken(draft, "it is a big-endian GGUF file, which is not read", 0)
        return
    version = blob.unpack(_U4, 4)
    if version is None or version[0] not in (2, 3):
        broken(draft, f"its version {version[0] if version else '?'} is unknown", 4)
        return
    counts = blob.unpack(Struct("<QQ"), 8)
    if counts is None or counts[1] * 12 > len(blob) or counts[0] * 24 > len(blob):
        broken(draft, "it claims more entries than it has room for", 8)
        return
    at = 24
    try:
        for _ in range(counts[1]):
            key, at = _gguf_string(blob, at, 65536)
            kind = _gguf_int(blob, at, _U4)
            at, value = _gguf_value(blob, at + 4, kind, keep="template" in key or "general." in key)
            if isinstance(value, str):
                if "template" in key:
                    _template(draft, value, key)
                elif key in ("general.architecture", "general.name"):
                    draft.details.append((key, value[:100]))
        for _ in range(counts[0]):
            _, at = _gguf_string(blob, at, 65536)
            dims = _gguf_int(blob, at, _U4)
            if dims > 8:
                raise ValueError("a tensor of more than eight dimensions")
            at += 4 + 8 * dims + 4 + 8
        if at > len(blob):
            raise ValueError("it ends in the middle")
    except ValueError as error:
        broken(draft, str(error), min(at, len(blob)))


def _gguf_int(blob: Blob, at: int, form: Struct) -> int:
    found = blob.unpack(form, at)
    if found is None:
        raise ValueError("it ends in the middle")
    return found[0]


def _gguf_string(blob: Blob, at: int, limit: int) -> tuple[str, int]:
    size = _gguf_int(blob, at, _U8)
    if at + 8 + size > len(blob):
        raise ValueError("a string that reaches beyond the file")
    return blob.read(at + 8, min(size, limit)).decode("utf-8", "replace"), at + 8 + size


def _gguf_value(blob: Blob, at: int, kind: int, *, keep: bool) -> tuple[int, str | None]:
    if kind in _GGUF_WIDTH:
        return at + _GGUF_WIDTH[kind], None
    if kind == 8:
        value, after = _gguf_string(blob, at, (1 << 20) + 1 if keep else 1)
        return after, value if keep else None
    if kind != 9:
        raise ValueError(f"a value of the unknown type {kind}")
    inner = _gguf_int(blob, at, _U4)
    count = _gguf_int(blob, at + 4, _U8)
    at += 12
    if inner in _GGUF_WIDTH:
        at += count * _GGUF_WIDTH[inner]
        if at > len(blob):
            raise ValueError("an array that reaches beyond the file")
        return at, None
    if inner != 8 or count * 8 > len(blob):
        raise ValueError("an array that is not understood")
    kept: list[str] = []
    for _ in range(count):
        size = _gguf_int(blob, at, _U8)
        if keep and len(kept) < 100:
            kept.append(blob.read(at + 8, min(size, 1 << 20)).decode("utf-8", "replace"))
        at += 8 + size
        if at > len(blob):
            raise ValueError("a string that reaches beyond the file")
    return at, "\n".join(kept) if keep else None


# -- ONNX ----------------------------------------------------------------------------------


def looks_like_onnx(blob: Blob) -> bool:
    """A ModelProto: ir_version first, known fields only, and a graph."""
    if blob.read(0, 1) not in (b"\x08", b"\x3a", b"\x12"):
        return False
    graph = False
    try:
        for number, kind, value, _ in fields(blob):
            if number not in (1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26):
                return False
            if number == 1 and (kind != 0 or not 1 <= value <= 100):
                return False
            graph = graph or (number == 7 and kind == 2)
    except WireError:
        return graph
    return graph


def judge_onnx(draft: Draft, blob: Blob) -> None:
    """The graph, what it hangs on, and where its weights lie."""
    from auditor.artifacts.onnx.analyse import analyse
    from auditor.artifacts.onnx.external import is_outside

    draft.format = "onnx"
    facts = draft.onnx = analyse(blob.data, blob.start, blob.end)
    if facts.damaged:
        broken(draft, "; ".join(facts.problems) or "it holds no graph")
    for file in facts.external:
        if is_outside(file.location):
            draft.issue(
                "ONX005",
                f"reads external data from outside its directory: {file.location[:200]!r}",
                "dangerous",
                Severity.CRITICAL,
                what="loading reads that file into the model",
            )
    for domain in facts.custom_domains[:100]:
        draft.details.append(("custom_domain", domain[:200]))
    if facts.external:
        places = ", ".join(file.location for file in facts.external[:20])
        draft.details.append(("external_data", places[:500]))
