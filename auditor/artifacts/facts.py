"""What an artifact is and does when loaded, as frozen values; nothing here reads a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from auditor.findings import Severity
from auditor.values import field, value

if TYPE_CHECKING:
    from auditor.artifacts.onnx.facts import OnnxFacts

Verdict = Literal["safe", "suspicious", "dangerous", "unreadable"]

# How much an issue counts: a known danger outweighs a doubt, a doubt outweighs not knowing.
_ORDER: dict[Verdict, int] = {"safe": 0, "unreadable": 1, "suspicious": 2, "dangerous": 3}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides; ``safe`` for none."""
    return max(verdicts, key=_ORDER.__getitem__, default="safe")


@value
class Limits:
    """Bounds on the work that one artifact may cause. Sizes in bytes."""

    # Total that may be unpacked from one outer file, all nesting levels together.
    unpacked: int = 16 << 30
    # What is unpacked stays in memory up to this size, beyond it in an unnamed temporary file.
    spool: int = 32 << 20
    # An entry that is larger than this and packed tighter than ``ratio`` is a bomb.
    bomb: int = 64 << 20
    ratio: int = 200
    entries: int = 100_000
    depth: int = 8
    # Objects and values of a pickle that are kept for the compatibility engine.
    objects: int = 4_000
    issues: int = 100


@value
class ArtifactIssue:
    """One thing about an artifact that a person should know.

    ``verdict`` is what this issue alone makes of the artifact; ``offset`` counts bytes of the
    stream it was found in (after unpacking); ``evidence`` is (name, text) in order of weight:
    ``callable``, ``arguments``, ``chain``, ``opcode``, …
    """

    rule: str
    message: str
    verdict: Verdict
    severity: Severity
    what: str = ""
    offset: int | None = None
    evidence: tuple[tuple[str, str], ...] = ()


@value(kw_only=False)
class Ref:
    """The object with that index in ``PickleFacts.objects``."""

    index: int


@value(kw_only=False)
class Name:
    """A global that is used as a value (a class, a function), as ``module.name``."""

    text: str


@value(kw_only=False)
class Items:
    """A list, tuple, set or frozenset; ``size`` counts all, ``items`` holds the first few."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: tuple[Symbol, ...]
    size: int


@value(kw_only=False)
class Mapping:
    """A dictionary; ``size`` counts all pairs, ``pairs`` holds the first few."""

    pairs: tuple[tuple[Symbol, Symbol], ...]
    size: int

    def get(self, key: str) -> Symbol | None:
        """The value of a string key, None when absent or not kept."""
        return next((v for k, v in self.pairs if k == key), None)


@value(kw_only=False)
class Opaque:
    """A value that is not kept: too large, too deep, or not known statically.

    ``head`` and ``tail`` are the first and last bytes of a buffer that was too large; ``names``
    are the columns that a booster's buffer records, ``fault`` why it cannot be loaded, ``doubt``
    what is odd about it; ``traits`` what not every release of its library computes with.
    """

    kind: str
    size: int = 0
    head: bytes = b""
    tail: bytes = b""
    names: tuple[str, ...] = ()
    fault: str = ""
    doubt: str = ""
    traits: tuple[str, ...] = ()


Symbol: TypeAlias = bool | int | float | str | bytes | Ref | Name | Items | Mapping | Opaque | None


@value
class GlobalRef:
    """A name the unpickler will import. ``written`` differs where Python 2 names are mapped."""

    module: str
    name: str
    offset: int
    written: str = ""

    @property
    def dotted(self) -> str:
        return f"{self.module}.{self.name}"


@value
class ObjectFacts:
    """Something that loading constructs.

    ``callable`` is ``module.name`` of the class or function, empty when it is not a plain global;
    ``how`` is the opcode (``REDUCE``, ``NEWOBJ``, ``NEWOBJ_EX``, ``INST``, ``OBJ``).
    ``of`` is the class that is instantiated, also through ``copyreg._reconstructor`` and the like.
    ``state`` is what BUILD was given last, ``items`` the dictionary or list items set on it.
    """

    callable: str
    of: str
    how: str
    offset: int
    args: tuple[Symbol, ...] = ()
    state: Symbol = None
    items: tuple[Symbol, ...] = ()


@value
class PickleFacts:
    """What a pickle stream (or several, one after the other) asks the unpickler to do."""

    protocol: int
    streams: int
    globals: tuple[GlobalRef, ...]
    objects: tuple[ObjectFacts, ...]
    root: Symbol = None
    # More objects were constructed than kept.
    truncated: bool = False
    # Raw arrays between the opcodes: only ``joblib.load`` can read the file.
    joblib_arrays: int = 0
    # Array wrappers carry an alignment (joblib >= 1.2); older joblib cannot read those.
    joblib_aligned: bool = False
    # Companion ``_NN.npy`` files of joblib < 0.10.
    companions: tuple[str, ...] = ()
    persistent_ids: tuple[str, ...] = ()
    # Function bytecode is inside (cloudpickle, dill, marshal).
    code_objects: bool = False
    # Python 2 byte strings that are not ASCII: ``pickle.load`` needs ``encoding="latin1"``.
    python2_strings: bool = False
    extension_codes: tuple[int, ...] = ()
    out_of_band_buffers: bool = False
    # (offset, protocol) of every PROTO opcode, where they differ within one file.
    protocols: tuple[int, ...] = ()
    # What the C unpickler or ``pickle.py`` refuses in the first stream, and the other may take:
    # ``long-frame``, ``huge-frame``, ``frame-in-frame``, ``crossed-frame``, ``arguments``.
    faults: tuple[str, ...] = ()


@value
class ArtifactFacts:
    """One artifact as judged from its bytes; nested ones are called ``outer.zip!inner.pkl``."""

    path: str
    format: str
    size: int
    sha256: str | None
    verdict: Verdict
    container: str | None = None
    # Bytes behind the compressed stream.
    behind: int = 0
    # The compressed stream stops before its end; what it gave until then was judged.
    unended: bool = False
    issues: tuple[ArtifactIssue, ...] = ()
    globals: tuple[str, ...] = ()
    protocol: int | None = None
    pickle: PickleFacts | None = None
    # Facts of other formats as (name, text): tensors, operators, producer, …
    details: tuple[tuple[str, str], ...] = ()
    # For torch files: whether ``torch.load(weights_only=True)`` accepts it, and what it refuses.
    weights_only: bool | None = None
    weights_only_objections: tuple[str, ...] = ()
    onnx: OnnxFacts | None = None
    # The pickle itself where it is not safe and not large: what evidence is made from.
    stream: bytes | None = field(default=None, compare=False, repr=False)
