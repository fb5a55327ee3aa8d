"""Arrays that joblib writes between the opcodes of a pickle: how long they are.

``joblib.numpy_pickle.NumpyUnpickler.load_build`` reads an array from the file as soon as BUILD has
filled a wrapper. Layout since joblib 1.1: one length byte, that many bytes of padding, the array.
"""

from __future__ import annotations

from auditor import lazy_re as re
from auditor.artifacts.facts import ArtifactIssue
from auditor.artifacts.pickle.judge import Judge
from auditor.artifacts.pickle.machine import Buffer, Machine, MachineError
from auditor.artifacts.pickle.values import MISSING, Big, Call, Dct, Glob, Lst, Value
from auditor.findings import Severity

_WRAPPERS = frozenset(
    {
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper",
    }
)
_OLD_WRAPPERS = frozenset(
    f"{module}.{name}"
    for module in (
        "joblib.numpy_pickle",
        "joblib.numpy_pickle_compat",
        "sklearn.externals.joblib.numpy_pickle",
        "sklearn.externals.joblib.numpy_pickle_compat",
    )
    for name in ("NDArrayWrapper", "ZNDArrayWrapper")
)
_CODE = re.compile(r"[<>=|]?([?biufcmMOSUVaTtp])(\d+)?(\[.*\])?")
_FIXED = {"?": 1, "b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "d": 8, "l": 8, "L": 8}
_WIDE = {"U": 4}
MAX_NESTING = 16


class ArrayReader:
    """The array hook of the machine: positions, companions, nested object arrays."""

    def __init__(self, data: Buffer, end: int, judge: Judge, nesting: int = 0) -> None:
        self.data = data
        self.end = end
        self.judge = judge
        self.nesting = nesting
        self.count = 0
        self.aligned = False
        self.companions: list[str] = []
        # (start, end) of the raw bytes of every array.
        self.ranges: list[tuple[int, int]] = []

    def hook(self, target: Call, position: int) -> int | None:
        """Where the array behind this BUILD ends; None when nothing is read."""
        cls = target.cls or target.func
        if type(cls) is not Glob:
            return None
        if cls.key in _OLD_WRAPPERS:
            self._companion(target)
            return None
        if cls.key not in _WRAPPERS:
            return None
        state = target.states[-1] if target.states else None
        if type(state) is not Dct:
            raise MachineError("an array wrapper without a known state", position)
        shape = state.get("shape")
        dtype = state.get("dtype")
        size, objects = item_size(dtype)
        if type(shape) is not tuple or not all(type(n) is int and n >= 0 for n in shape):
            raise MachineError("an array wrapper without a known shape", position)
        count = 1
        for n in shape:
            count *= n
        self.count += 1
        # The subclass instance is made by `subclass.__new__`; it must be an array class.
        subclass = state.get("subclass")
        if type(subclass) is not Glob:
            raise MachineError("an array wrapper without a known class", position)
        if objects:
            # joblib calls pickle.load on the file: a stream of its own.
            if self.nesting >= MAX_NESTING:
                raise MachineError("object arrays nested too deeply", position)
            inner = ArrayReader(self.data, self.end, self.judge, self.nesting + 1)
            machine = Machine(self.data, self.judge, end=self.end)
            root, after = machine.run(position)
            # What the file holds in place of the array, for who reads the columns from it.
            target.items = [root]
            self.count += inner.count
            return after
        if size is None:
            raise MachineError("an array of a type that is not known", position)
        begin = position
        alignment = state.get("numpy_array_alignment_bytes")
        if alignment is not MISSING and alignment is not None:
            self.aligned = True
            if position >= self.end:
                raise MachineError("an array that is cut off", position, truncated=True)
            position += 1 + self.data[position]
        after = position + count * size
        if after > self.end:
            raise MachineError("an array that is cut off", position, truncated=True)
        self.ranges.append((begin, after))
        target.items = [Big("bytes", after - position, position, self.data)]
        return after

    def _companion(self, target: Call) -> None:
        state = target.states[-1] if target.states else None
        name = state.get("filename") if type(state) is Dct else MISSING
        if type(name) is not str:
            self.judge.add(
                ArtifactIssue(
                    rule="ART003",
                    message="reads an array from a file whose name is not known",
                    verdict="suspicious",
                    severity=Severity.HIGH,
                    offset=target.offset,
                )
            )
            return
        self.companions.append(name)
        if "/" in name or "\\" in name or name in ("", ".", ".."):
            self.judge.add(
                ArtifactIssue(
                    rule="ART010",
                    message=f"reads an array from a file elsewhere: {name[:200]}",
                    verdict="suspicious",
                    severity=Severity.HIGH,
                    offset=target.offset,
                    what="joblib joins this name to the directory of the file and loads it",
                )
            )


# How NumPy 2 writes its type of texts.
_TEXTS = frozenset(
    {"numpy.dtypes.StringDType", "numpy._core._internal._convert_to_stringdtype_kwargs"}
)


def item_size(dtype: Value) -> tuple[int | None, bool]:
    """(bytes per item or None when unknown, holds Python objects) of a symbolic ``numpy.dtype``."""
    if type(dtype) is Glob:
        return None, False
    if type(dtype) is not Call or type(dtype.func) is not Glob:
        return None, False
    if dtype.func.name != "dtype":
        # Texts of any length lie elsewhere, as objects do.
        return None, dtype.func.key in _TEXTS
    args = dtype.args
    if type(args) is not tuple or not args:
        return None, False
    code = args[0]
    if type(code) is not str:
        return None, False
    state = dtype.states[-1] if dtype.states else None
    if type(state) is tuple and len(state) >= 7:
        names, fields, _itemsize, flags = state[3], state[4], state[5], state[7:8]
        if flags and type(flags[0]) is int and flags[0] & 1:
            return None, True
        if names is not None and _has_objects(fields):
            return None, True
    found = _CODE.fullmatch(code)
    if found is None:
        return None, False
    letter, width, _ = found.groups()
    if letter == "O":
        return None, True
    if letter in "mM":
        return 8, False
    if letter == "?":
        return 1, False
    if width is None:
        return _FIXED.get(letter), False
    size = int(width) * _WIDE.get(letter, 1)
    if size == 0 and type(state) is tuple and len(state) >= 6 and type(state[5]) is int:
        size = max(state[5], 0)
    return size, False


def _has_objects(fields: Value) -> bool:
    if type(fields) is not Dct:
        return False
    for _, value in fields.pairs():
        if type(value) is tuple and value and item_size(value[0])[1]:
            return True
    return False


__all__ = ["ArrayReader", "Lst", "item_size"]
