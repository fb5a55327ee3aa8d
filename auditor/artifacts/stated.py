"""What formats other than pickle state of their writer: details by name, as written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from auditor import lazy_re as re

if TYPE_CHECKING:
    from auditor.artifacts.blob import Blob

Detail = tuple[str, str]
# Names of the details that state the writer's version, and the distribution that they mean.
VERSIONS: dict[str, str] = {
    "xgboost_version": "xgboost",
    "keras_version": "keras",
    "tensorflow_version": "tensorflow",
    "skops_version": "skops",
    "sklearn_version": "scikit-learn",
    "catboost_version": "catboost",
}
_TAIL = 1024
_PARAMETERS = 64 << 10
_WRAPPER = 64 << 20
_HEAD = 4096


def stated(format: str, blob: Blob) -> Iterator[Detail]:
    """The details of a file of that format."""
    if format in ("xgboost-json", "xgboost-ubj"):
        from auditor.linking.boosters import reads_alike, xgboost_version

        tail = blob.read(max(len(blob) - _TAIL, 0), _TAIL)
        version = xgboost_version(tail)
        if version is not None:
            yield "xgboost_version", version
        if reads_alike(tail):
            yield "xgboost_base_score", "half"
    elif format == "lightgbm":
        found = re.search(rb"^version=(v\d+)\s*$", blob.read(0, _HEAD), re.MULTILINE)
        if found is not None:
            yield "lightgbm_format", found[1].decode("ascii")
        strange = _parameters(blob)
        if strange:
            yield "lightgbm_parameters", " ".join(strange[:5])
    elif format == "xgboost-binary":
        yield from _xgboost_binary(blob)
    elif format == "keras-h5":
        yield from _hdf5(blob)
    elif format in ("catboost", "catboost-json"):
        yield from catboost_build(blob)


_BUILD: Final = b"catboost_version_info"
# The build's text lies beside its name, before or behind it.
_AROUND: Final = 2048


def catboost_build(blob: Blob) -> Iterator[Detail]:
    """The build that a CatBoost model names, also inside a pickle: its tag, commit, revision."""
    at = blob.find(_BUILD, 0, _WRAPPER)
    if at < 0:
        return
    start = max(at - _AROUND, 0)
    raw = blob.read(start, at - start + _AROUND)
    tag = re.search(rb"Branch: tags/v(\d+(?:\.\d+)+)\b", raw)
    tag = tag or re.search(rb"CatBoost [Rr]elease v?(\d+(?:\.\d+)+)\b", raw)
    commit = re.search(rb"Commit: ([0-9a-f]{40})", raw)
    revision = re.search(rb"Last Changed Rev: (\d{1,12})\b", raw)
    builds = _catboost_builds()
    known = [v for v, (named, _) in builds.items() if commit and commit[1].decode() == named]
    if tag is not None:
        yield "catboost_version", tag[1].decode("ascii")
    elif known:
        yield "catboost_version", known[0]
    elif revision is not None:
        yield "catboost_revision", revision[1].decode("ascii")


def _catboost_builds() -> dict[str, tuple[str, int]]:
    """Release -> (commit, revision), oldest first."""
    from auditor.catalog import knowledge

    return {v: (row[0], row[1]) for v, row in knowledge("catboost_builds.json")["builds"].items()}


def catboost_range(revision: int) -> tuple[str | None, str | None]:
    """(lowest version, first version above) of builds from that revision.

    Releases after 1.0 all name the same revision.
    """
    builds = _catboost_builds()
    below = [v for v, (_, built) in builds.items() if built <= revision]
    above = [v for v, (_, built) in builds.items() if built > revision]
    last = max((built for _, built in builds.values()), default=0)
    low = next((v for v in below if builds[v][1] == last), below[-1] if below else None)
    return low, above[0] if above else None


# The name of the objective stands behind the header.
_OBJECTIVE: Final = 256
_CLASSIFYING: Final = (b"binary:", b"multi:")


def _xgboost_binary(blob: Blob) -> Iterator[Detail]:
    """The header: base score, features, classes, two flags, major and minor version."""
    head = blob.read(0, 32)
    start = 4 if head[:4] == b"binf" else 0
    if len(head) == 32:
        major, minor = (
            int.from_bytes(head[start + at : start + at + 4], "little") for at in (20, 24)
        )
        if 0 < major < 100 and minor < 100:
            yield "xgboost_version", f"{major}.{minor}"
    if any(word in blob.read(0, _OBJECTIVE) for word in _CLASSIFYING):
        yield "xgboost_task", "classification"
    at = blob.find(b"scikit_learn", 0, _WRAPPER)
    if at >= 0 and b'"_estimator_type": "classifier"' in blob.read(at, 4096):
        yield "xgboost_wrapper", "classifier"


def _parameters(blob: Blob) -> list[str]:
    """Parameters at the end of a text model that LightGBM 4.0 does not know."""
    at = blob.rfind(b"\nparameters:")
    if at < 0:
        return []
    from auditor.catalog import knowledge

    known = frozenset(knowledge("lightgbm_parameters.json")["parameters"])
    raw = blob.read(at, _PARAMETERS)
    names = [n.decode("ascii") for n in re.findall(rb"^\[(\w+):", raw, re.MULTILINE)]
    return [name for name in names if name not in known]


def keras_metadata(document: Any) -> Iterator[Detail]:
    """``metadata.json`` of a .keras archive."""
    if isinstance(document, dict):
        for name in ("keras_version", "date_saved"):
            value = document.get(name)
            if isinstance(value, str):
                yield name, value[:100]


def keras_needs(document: Any) -> Iterator[Detail]:
    """The backend whose classes a ``config.json`` names, as a compiled model's optimizer does."""
    if not isinstance(document, dict):
        return
    compiled = document.get("compile_config")
    optimizer = compiled.get("optimizer") if isinstance(compiled, dict) else None
    module = optimizer.get("module") if isinstance(optimizer, dict) else None
    if isinstance(module, str):
        found = re.match(r"keras\.src\.backend\.(\w+)\.", module)
        if found is not None:
            yield "keras_backend", found[1]


def _hdf5(blob: Blob) -> Iterator[Detail]:
    """``keras_version`` and ``backend``: short texts in the heap where the attributes' texts lie."""
    if blob.find(b"keras_version") < 0:
        return
    at = 0
    seen: set[str] = set()
    while len(seen) < 2:
        at = blob.find(b"GCOL", at)
        if at < 0:
            return
        for name, text in _heap(blob, at):
            if name not in seen:
                seen.add(name)
                yield name, text
        at += 4


def _heap(blob: Blob, start: int) -> Iterator[Detail]:
    """Texts of one global heap: index, references, reserved, size, then the object, to 8 bytes."""
    head = blob.read(start, 16)
    end = min(start + int.from_bytes(head[8:16], "little"), len(blob))
    at = start + 16
    for _ in range(10_000):
        entry = blob.read(at, 16)
        size = int.from_bytes(entry[8:16], "little")
        if len(entry) < 16 or not int.from_bytes(entry[:2], "little") or at + 16 + size > end:
            return
        if size < 24:
            text = blob.read(at + 16, size).rstrip(b"\0")
            if re.fullmatch(rb"\d+\.\d+\.\d+[\w.+-]{0,16}", text):
                yield "keras_version", text.decode("ascii")
            elif text in (b"tensorflow", b"torch", b"jax", b"theano", b"cntk"):
                yield "keras_backend", text.decode("ascii")
        at += 16 + (size + 7) // 8 * 8


def torch_archive(name: str, raw: bytes) -> Iterator[Detail]:
    """A small record of a torch archive: ``version`` counts the forms of the archive."""
    base = name.rpartition("/")[2]
    text = raw[:20].strip()
    if base == "version" and text.isdigit():
        yield "torch_archive", text.decode("ascii")
    elif base == "byteorder" and text in (b"little", b"big"):
        yield "byteorder", text.decode("ascii")
