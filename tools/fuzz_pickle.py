#!/usr/bin/env python3
"""Generate pickles, judge them, and ask the real unpickler about those that are called safe.

    python tools/fuzz_pickle.py --count 1000000 --seed 1

A child process (no network where ``unshare`` allows, memory and time limits, an audit hook that
refuses and reports files, processes, sockets, code and imports) loads every pickle that was judged
safe, with the C and with the Python unpickler. It is a miss when the unpickler imports a name that
is not on the allow-list, or when the audit hook saw anything happen. Misses are printed as hex,
with the seed and number that make them again; the exit status is 1 when there are any.

Generators take turns: a grammar over a typed stack, which makes well-formed streams around calls of
allowed and of forbidden names; pickles of real objects with single opcodes replaced by other values,
so that classes get states that are nearly theirs; mutations (flips, cuts, splices, opcode swaps) of
both; long runs of like values with something else hidden in them, for the part of the analyser that
skips runs. Its limits are tightened so that runs are skipped after a few values. Streams that hold
joblib's arrays are loaded with joblib's unpickler, too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import random
import resource
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SAFE_NAMES = [
    ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "list"), ("builtins", "dict"), ("builtins", "tuple"),
    ("builtins", "bytearray"), ("builtins", "bytes"), ("builtins", "complex"), ("builtins", "range"), ("builtins", "slice"),
    ("builtins", "int"), ("builtins", "str"), ("builtins", "float"), ("builtins", "bool"), ("builtins", "object"), ("builtins", "type"),
    ("builtins", "getattr"), ("builtins", "len"), ("builtins", "print"), ("builtins", "ValueError"), ("builtins", "KeyError"),
    ("collections", "OrderedDict"), ("collections", "defaultdict"), ("collections", "deque"), ("collections", "Counter"),
    ("collections", "UserDict"), ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("copyreg", "__newobj_ex__"),
    ("datetime", "datetime"), ("datetime", "date"), ("datetime", "timedelta"), ("datetime", "timezone"), ("decimal", "Decimal"),
    ("fractions", "Fraction"), ("functools", "partial"), ("_operator", "itemgetter"), ("operator", "attrgetter"),
    ("_codecs", "encode"), ("array", "array"), ("array", "_array_reconstructor"), ("uuid", "UUID"), ("re", "_compile"),
    ("types", "SimpleNamespace"), ("pathlib", "PurePosixPath"), ("random", "Random"), ("logging", "getLogger"),
    ("numpy", "dtype"), ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "scalar"),
    ("numpy.core", "_ufunc_reconstruct"), ("numpy.random._pickle", "__generator_ctor"), ("numpy.random._pickle", "__bit_generator_ctor"),
    ("numpy.random._pickle", "__randomstate_ctor"), ("numpy.random._mt19937", "MT19937"), ("numpy.core.numeric", "_frombuffer"),
    ("numpy.ma.core", "_mareconstruct"), ("numpy.ma.core", "MaskedArray"), ("numpy", "mean"), ("numpy", "float64"), ("numpy", "poly1d"), ("signal", "Signals"),
    ("scipy.optimize._optimize", "OptimizeResult"), ("numpy.dtypes", "Float64DType"), ("numpy", "array"), ("numpy", "matrix"), ("numpy", "vectorize"),
    ("scipy.sparse._csr", "csr_matrix"), ("sklearn.isotonic", "IsotonicRegression"), ("sklearn.metrics._dist_metrics", "EuclideanDistance64"),
    ("scipy.interpolate._bsplines", "BSpline"), ("scipy.spatial._ckdtree", "cKDTree"), ("sklearn._loss._loss", "CyHalfBinomialLoss"), ("types", "GenericAlias"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"), ("typing", "Literal"), ("typing", "Optional"), ("inspect", "Parameter"), ("inspect", "Signature"), ("zoneinfo", "ZoneInfo._unpickle"),
    ("operator", "itemgetter"), ("string", "Template"), ("argparse", "Namespace"), ("ipaddress", "IPv4Address"), ("http", "HTTPStatus"), ("statistics", "NormalDist"),
    ("pandas.core.indexes.base", "_new_Index"), ("pandas.core.indexes.base", "Index"), ("pandas._libs.internals", "_unpickle_block"), ("pandas.core.series", "Series"),
    ("pandas.core.internals.managers", "SingleBlockManager"), ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"), ("pandas.core.arrays.categorical", "Categorical"),
    ("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"), ("sklearn.gaussian_process.kernels", "RBF"), ("dill._dill", "_load_type"), ("dill._dill", "_get_attr"),
    ("__builtin__", "set"), ("copy_reg", "_reconstructor"), ("__builtin__", "object"), ("UserDict", "UserDict"), ("itertools", "izip"), ("__builtin__", "unicode"),
    ("sklearn.linear_model._base", "LinearRegression"), ("sklearn.tree._tree", "Tree"), ("sklearn.pipeline", "Pipeline"),
    ("sklearn.preprocessing._function_transformer", "FunctionTransformer"), ("sklearn.utils._bunch", "Bunch"),
    ("sklearn.neighbors._kd_tree", "KDTree"), ("sklearn.neighbors._kd_tree", "newObj"), ("scipy.stats._continuous_distns", "norm_gen"),
    ("dill._dill", "_getattr"), ("dill._dill", "_eval_repr"), ("cloudpickle.cloudpickle", "_builtin_type"), ("itertools", "cycle"), ("builtins", "iter"),
    ("pandas._libs.sparse", "IntIndex"), ("scipy.stats._discrete_distns", "poisson_gen"), ("types", "MethodType"),
    ("scipy.stats._distn_infrastructure", "rv_frozen"), ("typing", "List"), ("_operator", "getitem"), ("functools", "reduce"), ("_operator", "or_"),
]  # fmt: skip
BAD_NAMES = [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "open"),
    ("builtins", "__import__"), ("subprocess", "Popen"), ("__builtin__", "eval"), ("__builtin__", "apply"),
    ("numpy", "load"), ("numpy", "fromfile"), ("numpy", "memmap"), ("numpy", "os.system"), ("collections", "abc.sys.modules"),
    ("builtins", "eval.__call__"), ("builtins", "setattr"), ("operator", "methodcaller"), ("importlib", "import_module"),
    ("pickle", "loads"), ("joblib", "load"), ("codecs", "open"), ("io", "open"), ("_io", "FileIO"), ("runpy", "run_path"),
    ("builtins", "map"), ("builtins", "filter"), ("functools", "cmp_to_key"), ("copyreg", "add_extension"), ("weird", "thing"),
    ("__main__", "Model"), ("numpy", "__builtins__"), ("sklearn.datasets", "fetch_openml"), ("numpy", "vectorize"),
    ("tempfile", "mkdtemp"), ("logging", "FileHandler"), ("sys", "modules"), ("", ""), ("os", ""), ("builtins", "getattr"),
]  # fmt: skip
WORDS = [
    "os", "system", "eval", "builtins", "posix", "__setstate__", "append", "extend", "add", "__class__", "__dict__", "id", "real",
    "latin1", "rot13", "f8", "O", "O8", "<", "i", "touch /tmp/x", "MT19937", "SIGINT", "numpy", "func", "a", "",
    "__array__", "__array_interface__", "__reduce__", "__del__", "__hash__", "_sklearn_version", "X_thresholds_", "y_thresholds_", "data", "dtype", "__new__",
    "__wrapped__", "__func__", "get_params", "pop", "is_safe", "int", "MT19937", "float64", "join", "x ~ y", "handle", "_handle", "1 2; 3 4", "_entropy", "numpy.core.multiarray",
    "range(0, 4)", "<method 'split' of 'str' objects>", "split", "str", "SimpleNamespace", "MethodType", "PartialType", "ValueError", "vecentropy", "abs", "range",
    "_parse_arg_template", "import os", "__init__", "__globals__", "items", "update", "shape",
]  # fmt: skip


class Maker:
    """Writes streams over a typed stack: it knows what it pushed, not what it means."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def stream(self) -> bytes:
        rng = self.rng
        self.proto = rng.choice((0, 1, 2, 2, 3, 4, 4, 4, 5))
        self.memo = 0
        head = bytes([0x80, self.proto]) if self.proto >= 2 or rng.random() < 0.1 else b""
        bad = rng.random() < 0.25
        self.names = SAFE_NAMES + (BAD_NAMES if bad else [])
        body = b"".join(
            self.value(rng.randrange(1, 5)) + self.noise() for _ in range(rng.choice((1, 1, 1, 2)))
        )
        if rng.random() < 0.05:
            body = b"\x95" + struct.pack("<Q", rng.choice((len(body) + 1, 5, 1 << 40, 0))) + body
        if self.extra_pop:
            body += b"0" * rng.choice((0, 0, 1))
        return head + body + b"."

    extra_pop = False
    # Stores nothing: in the middle of a stream whose memo others count on.
    silent = False

    def noise(self) -> bytes:
        return self.rng.choice((b"", b"", b"", b"", b"", b"N0", b"20", b"(1", b")0", b"(N1"))

    def put(self) -> bytes:
        rng = self.rng
        if self.silent or rng.random() < 0.7:
            return b""
        if self.proto >= 4 and rng.random() < 0.8:
            self.memo += 1
            return b"\x94"
        index = self.memo if rng.random() < 0.9 else rng.randrange(max(self.memo, 1))
        self.memo = max(self.memo, index + 1)
        return b"q" + bytes([index & 255]) if rng.random() < 0.8 else b"p%d\n" % index

    def get(self) -> bytes:
        index = self.rng.randrange(max(self.memo, 1))
        return b"h" + bytes([index & 255]) if self.rng.random() < 0.8 else b"g%d\n" % index

    def text(self, value: str) -> bytes:
        raw = value.encode()
        kind = self.rng.randrange(5)
        if kind == 0:
            return b"\x8c" + bytes([len(raw)]) + raw
        if kind == 1:
            return b"X" + struct.pack("<I", len(raw)) + raw
        if kind == 2:
            return b"V" + raw + b"\n"
        if kind == 3:
            return b"U" + bytes([len(raw)]) + raw
        return b"S'" + raw + b"'\n"

    def name(self) -> bytes:
        module, name = self.rng.choice(self.names)
        if self.rng.random() < 0.5:
            return b"c" + module.encode() + b"\n" + name.encode() + b"\n" + self.put()
        return self.text(module) + self.put() + self.text(name) + self.put() + b"\x93" + self.put()

    def scalar(self) -> bytes:
        rng = self.rng
        return rng.choice(
            (
                lambda: b"N", lambda: b"\x88", lambda: b"\x89", lambda: b"K" + bytes([rng.randrange(256)]),
                lambda: b"M" + struct.pack("<H", rng.randrange(65536)), lambda: b"J" + struct.pack("<i", rng.randrange(-9, 9)),
                lambda: b"I%d\n" % rng.randrange(-3, 99), lambda: b"L%dL\n" % rng.randrange(99), lambda: b"G" + struct.pack(">d", 1.5),
                lambda: b"F1.5\n", lambda: b"\x8a\x01\x05", lambda: self.text(rng.choice(WORDS)), lambda: self.text(rng.choice(WORDS)),
                lambda: b"C\x04abcd", lambda: b"B\x02\x00\x00\x00xy", lambda: b"\x96" + struct.pack("<Q", 3) + b"abc",
            )
        )() + self.put()  # fmt: skip

    def args(self, depth: int) -> bytes:
        rng = self.rng
        count = rng.choice((0, 1, 1, 2, 2, 3, 4))
        values = b"".join(self.value(depth - 1) for _ in range(count))
        if count == 0:
            return rng.choice((b")", b"(t"))
        if count <= 3 and rng.random() < 0.7:
            return values + bytes([0x84 + count])
        return b"(" + values + b"t"

    def value(self, depth: int) -> bytes:
        rng = self.rng
        if depth <= 0:
            return self.scalar() if rng.random() < 0.8 else self.name()
        kind = rng.randrange(22)
        if kind == 17:
            # Keyword arguments, in whatever is no dictionary, too.
            extra = self.value(depth - 1) if rng.random() < 0.3 else self.pairs(depth)
            return self.name() + self.args(depth) + extra + b"\x92" + self.put() + self.after(depth)
        if kind == 18:
            return self.chain(depth)
        if kind == 19:
            # A name put together while loading.
            return self.value(depth - 1) + self.text(rng.choice(WORDS)) + b"\x93" + self.put()
        if kind == 20:
            return rng.choice(
                (b"\x82\x01", b"\x83\x01\x00", b"\x84\x05\x00\x00\x00", b"Pstorage\n", b"\x97", b"\x97\x98")
            ) if rng.random() < 0.1 else self.value(depth - 1) + (b"Q" if rng.random() < 0.05 else b"")  # fmt: skip
        if kind == 21:
            # An object as a key, as a member of a set, or as arguments.
            inner = self.value(depth - 1)
            return rng.choice((
                lambda: b"}" + self.put() + inner + b"Ns", lambda: b"\x8f(" + inner + b"\x90", lambda: b"(" + inner + b"\x91",
                lambda: self.name() + inner + b"R" + self.put(), lambda: b"(" + inner + b"Nd", lambda: b"(" + inner + b"l",
            ))()  # fmt: skip
        if kind <= 1:
            return self.scalar()
        if kind == 2:
            return self.name()
        if kind == 3:
            return (
                b"]"
                + self.put()
                + b"("
                + b"".join(self.value(depth - 1) for _ in range(rng.randrange(4)))
                + b"e"
            )
        if kind == 4:
            pairs = b"".join(
                self.text(rng.choice(WORDS)) + self.value(depth - 1)
                for _ in range(rng.randrange(4))
            )
            return b"}" + self.put() + b"(" + pairs + b"u"
        if kind == 5:
            return self.args(depth)
        if kind in (6, 7, 8, 9):
            out = self.name() + self.args(depth) + b"R" + self.put()
            return out + self.after(depth)
        if kind in (10, 11):
            return self.name() + self.args(depth) + b"\x81" + self.put() + self.after(depth)
        if kind == 12 and self.memo:
            return self.get()
        if kind == 13:
            module, name = rng.choice(self.names)
            values = b"".join(self.value(depth - 1) for _ in range(rng.randrange(3)))
            if rng.random() < 0.5:
                return b"(" + values + b"i" + module.encode() + b"\n" + name.encode() + b"\n"
            return b"(" + self.name() + values + b"o"
        if kind == 14:
            return self.name() + self.args(depth) + b"}" + b"\x92" + self.put()
        if kind == 15:
            return self.value(depth - 1) + self.args(depth) + b"R" + self.put()
        return b"\x8f" + self.put() + b"(" + self.scalar() + self.scalar() + b"\x90"

    def pairs(self, depth: int) -> bytes:
        rng = self.rng
        body = b"".join(
            self.text(rng.choice(WORDS)) + self.value(depth - 1) for _ in range(rng.randrange(4))
        )
        return b"}" + self.put() + b"(" + body + b"u"

    def chain(self, depth: int) -> bytes:
        """Functions made of functions: prepared, bound, planted as hooks, and then called."""
        rng = self.rng
        inner = self.name() if rng.random() < 0.5 else self.value(depth - 1)
        function = rng.choice((
            lambda: b"cfunctools\npartial\n(" + inner + self.value(depth - 1) + b"tR",
            lambda: b"cfunctools\npartial\n" + inner + b"\x85R" + b"(" + inner + self.args(1) + self.pairs(1) + b"Ntb",
            lambda: b"cbuiltins\ngetattr\n" + inner + self.text(rng.choice(WORDS)) + b"\x86R",
            lambda: b"c_operator\nattrgetter\n" + self.text(rng.choice(WORDS)) + b"\x85R",
        ))()  # fmt: skip
        function += self.put()
        if rng.random() < 0.4:
            return function + self.args(depth) + b"R" + self.put() + self.after(depth)
        # Planted where the unpickler or a library may look for it.
        target = self.name() + b")\x81" + self.put()
        item = self.text(rng.choice(WORDS)) + function
        planted = rng.choice((b"}" + item + b"sb", item + b"s", b"N}" + item + b"s\x86b", b"}" + item + b"s}\x86b"))  # fmt: skip
        used = rng.choice((b"", b"Nb", b"K\x01a", b"K\x01K\x01s", b"(K\x01e", b"(K\x01\x90"))
        wrapped = target + planted + used
        if rng.random() < 0.5:
            name = self.name()
            return name + wrapped + b"\x85" + rng.choice((b"R", b"\x81", b"b")) + self.put()
        return wrapped

    def after(self, depth: int) -> bytes:
        rng = self.rng
        kind = rng.randrange(13)
        if kind == 10:
            # Attributes and slots.
            first = b"N" if rng.random() < 0.5 else self.pairs(depth)
            return first + self.pairs(depth) + b"\x86b"
        if kind == 11:
            return self.pairs(depth) + b"b"
        if kind == 12:
            return self.args(depth) + b"b"
        if kind <= 2:
            return self.value(depth - 1) + b"b"
        if kind == 3:
            return self.text(rng.choice(WORDS)) + self.value(depth - 1) + b"s"
        if kind == 4:
            return b"(" + self.value(depth - 1) + b"e"
        if kind == 5:
            return self.value(depth - 1) + b"b" + self.value(depth - 1) + b"b"
        if kind == 6:
            return self.value(depth - 1) + b"b" + b"(" + self.value(depth - 1) + b"e"
        return b""


def seeds() -> list[bytes]:
    """Pickles of ordinary objects, in every protocol."""
    import collections
    import datetime
    import decimal
    import fractions
    import functools

    objects: list[object] = [
        {"a": [1, 2.5, None, True], "b": (1, "x"), "c": {1, 2}, "d": frozenset({3})},
        collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.Counter("abca"), collections.deque([1, 2]),
        datetime.datetime(2020, 1, 1), decimal.Decimal("1.5"), fractions.Fraction(1, 3), functools.partial(int, base=2),
        bytearray(b"abc"), complex(1, 2), slice(1, 2), range(5), b"xyz", "ü",
    ]  # fmt: skip
    try:
        import numpy as np

        objects += [
            np.arange(4.0),
            np.float64(1.5),
            np.dtype("f8"),
            np.array(["a", None], dtype=object),
            np.random.RandomState(1),
        ]
        objects += [
            np.ma.array([1.0, 2.0], mask=[True, False]), np.zeros(2, [("a", "f4"), ("b", "O"), ("c", "U2")]), np.rec.fromrecords([(1, 2.0)]),
            np.array(["2020"], "M8[D]"), np.array(["a", "bc"]), np.zeros(1, [("a", "i4", (2,))])[0], np.random.default_rng(2), np.random.SeedSequence(4),
            np.poly1d([1, 2]), np.vectorize(abs), np.dtype([("x", "i2"), ("y", "O")]), np.tanh, np.array([[1, 2]], dtype=">i4"),
        ]  # fmt: skip
        import scipy.interpolate
        import scipy.sparse
        import scipy.spatial
        import scipy.stats

        line = np.arange(5.0)
        objects += [
            scipy.sparse.csr_matrix(np.eye(3)), scipy.sparse.coo_matrix(np.eye(2)), scipy.stats.norm(0, 1), scipy.stats.poisson(3), scipy.interpolate.interp1d(line, line),
            scipy.interpolate.CubicSpline(line, line), scipy.interpolate.BSpline(line, line[:3], 1), scipy.spatial.cKDTree(np.eye(3)), scipy.spatial.transform.Rotation.from_quat([0, 0, 0, 1]),
        ]  # fmt: skip
        from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, WhiteKernel
        from sklearn.isotonic import IsotonicRegression
        from sklearn.linear_model import LogisticRegression, SGDClassifier
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.tree import DecisionTreeClassifier

        x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
        objects += [
            LogisticRegression().fit(x, y), DecisionTreeClassifier().fit(x, y), IsotonicRegression().fit(x[:, 0], y), SGDClassifier().fit(x, y),
            KNeighborsClassifier(1, algorithm="kd_tree").fit(x, y), KNeighborsClassifier(1, algorithm="ball_tree", metric="manhattan").fit(x, y),
            HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=1).fit(x, y), IsolationForest(n_estimators=1).fit(x), GaussianProcessRegressor(RBF() + WhiteKernel()).fit(x, y),
        ]  # fmt: skip
        import pandas as pd

        frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "t": pd.to_datetime(["2020", "2021"])})
        objects += [frame, frame["a"], frame.index, pd.Categorical(["a", "b"]), pd.Timestamp("2020", tz="UTC"), pd.Interval(0, 1), pd.array([1, None], dtype="Int64"), pd.period_range("2020", periods=2, freq="M"), pd.offsets.MonthEnd(2), pd.arrays.SparseArray([0, 0, 1])]  # fmt: skip
    except ImportError:
        pass
    out = []
    for value in objects:
        for protocol in range(6):
            with contextlib.suppress(TypeError):
                out.append(pickle.dumps(value, protocol))
    return out + by_value()


def by_value() -> list[bytes]:
    """What dill and cloudpickle write of types, methods and iterators that pickle cannot name."""
    import collections
    import itertools
    import types

    values = (
        str.split, range(4), ValueError("x"), collections.defaultdict(float, a=1.0), types.SimpleNamespace(a=1), itertools.cycle(range(3)),
        {"tokenizer": str.split, "kind": int},
    )  # fmt: skip
    out: list[bytes] = []
    for library in ("dill", "cloudpickle"):
        with contextlib.suppress(ImportError):
            dumps = __import__(library).dumps
            out += [dumps(value, protocol) for value in values for protocol in (2, 4)]
    return out


def joblib_seeds() -> list[bytes]:
    """Files with arrays between the opcodes."""
    import io

    out: list[bytes] = []
    try:
        import joblib
        import numpy as np

        for value in (np.arange(3.0), {"a": np.arange(2), "b": np.array([1, "x"], dtype=object)}, [np.zeros(2, [("a", "f4")]), np.matrix([[1]])]):  # fmt: skip
            for protocol in (2, 4):
                file = io.BytesIO()
                joblib.dump(value, file, protocol=protocol)
                out.append(file.getvalue())
    except ImportError:
        pass
    return out


def operations(data: bytes) -> list[bytes]:
    """The stream cut into its opcodes, frames left out."""
    import pickletools

    found: list[tuple[int, str]] = []
    try:
        for opcode, _, position in pickletools.genops(data):
            found.append((position or 0, opcode.name))
    except Exception:
        return []
    ends = [position for position, _ in found[1:]] + [len(data)]
    return [
        data[start:end] for (start, name), end in zip(found, ends, strict=True) if name != "FRAME"
    ]


_PUSHES = b"NKMJGIFL\x88\x89\x8a\x8cXUTCBV)]}\x8fhg"


def nearly(parts: list[bytes], rng: random.Random) -> bytes:
    """A real pickle with a few of the values in it replaced, dropped or doubled."""
    out = list(parts)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(out))
        if rng.random() < 0.7:
            # Most often a value: memo numbers and calls stay what they are.
            places = [i for i, p in enumerate(out) if p[:1] in _PUSHES]
            at = rng.choice(places) if places else at
        kind = rng.randrange(8)
        maker = Maker(rng)
        maker.proto, maker.memo, maker.names = 2, 0, SAFE_NAMES
        maker.silent = True
        if kind <= 2:
            out[at] = maker.scalar()
        elif kind == 3:
            out[at] = maker.value(2)
        elif kind == 4:
            out[at] = rng.choice(out)
        elif kind == 5:
            del out[at]
        elif kind == 6:
            out.insert(at, out[at])
        else:
            other = rng.randrange(len(out))
            out[at], out[other] = out[other], out[at]
        if not out:
            break
    return b"".join(out)


def mutate(data: bytes, rng: random.Random, pool: list[bytes]) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        kind = rng.randrange(7)
        at = rng.randrange(len(out)) if out else 0
        if kind == 0 and out:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and out:
            out[at] = rng.choice(
                b"(.0123BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu)}\x80\x81\x82\x85\x86\x87\x88\x89\x8c\x90\x92\x93\x94\x95"
            )
        elif kind == 2:
            del out[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            out[at:at] = Maker_value(rng)
        elif kind == 4:
            other = rng.choice(pool)
            cut = rng.randrange(len(other) + 1)
            out = bytearray(out[:at] + other[cut:])
        elif kind == 5 and len(out) > 4:
            start = rng.randrange(len(out))
            out[at:at] = out[start : start + rng.randrange(1, 30)]
        else:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4)))
    return bytes(out)


def Maker_value(rng: random.Random) -> bytes:  # noqa: N802
    maker = Maker(rng)
    maker.proto, maker.memo, maker.names = 4, 0, SAFE_NAMES + BAD_NAMES
    return maker.value(2)


def rows() -> list[object]:
    """One of many like values, by its number."""
    import argparse as forms
    import collections
    import datetime
    import decimal
    import fractions
    import types
    import uuid

    makers: list[object] = [
        lambda i: i, lambda i: i * 1.5, lambda i: f"row {i}", lambda i: (i, f"r{i % 7}"), lambda i: [i, None], lambda i: {"id": i, "name": f"n{i}"},
        lambda i: {i, i + 1}, lambda i: b"%d" % i, lambda i: datetime.date(2020, 1, 1 + i % 28), lambda i: datetime.datetime(2020, 1, 1, i % 24),
        lambda i: decimal.Decimal(i) / 7, lambda i: complex(i, 1), lambda i: uuid.UUID(int=i), lambda i: fractions.Fraction(i, 7), lambda i: frozenset([i]),
        lambda i: collections.OrderedDict(a=i), lambda i: collections.Counter(a=i), lambda i: collections.defaultdict(list, a=[i]), lambda i: collections.deque([i]),
        lambda i: types.SimpleNamespace(a=i, b=f"x{i}"), lambda i: forms.Namespace(a=i), lambda i: forms.Namespace(a=[i], b=forms.Namespace(c=i)),
        lambda i: datetime.timedelta(i), lambda i: range(i), lambda i: slice(i), lambda i: ValueError(i), lambda i: bytearray(b"%d" % i),
    ]  # fmt: skip
    try:
        import numpy as np

        line = np.arange(3.0)
        makers += [
            lambda i: np.float64(i), lambda i: np.array([i, 1.0]), lambda i: np.array([i, "x"], dtype=object), lambda i: np.dtype("i4"), lambda i: line * i,
            lambda i: np.zeros(2, [("a", "f4"), ("b", "O")]), lambda i: np.datetime64(i, "D"), lambda i: np.str_(i), lambda i: np.random.SeedSequence(i),
        ]  # fmt: skip
        from sklearn.linear_model import LinearRegression
        from sklearn.preprocessing import StandardScaler
        from sklearn.tree import DecisionTreeRegressor

        tree = DecisionTreeRegressor().fit([[0.0], [1.0]], [0, 1])
        makers += [
            lambda i: LinearRegression(), lambda i: StandardScaler(), lambda i: tree.tree_.__getstate__(),
            lambda i: DecisionTreeRegressor(max_depth=1).fit([[0.0], [1.0]], [0, i]),
        ]  # fmt: skip
        import pandas as pd

        makers += [lambda i: pd.Timestamp(i), lambda i: pd.Interval(i, i + 1), lambda i: pd.Timedelta(i)]  # fmt: skip
    except ImportError:
        pass
    return makers


def real_runs() -> list[list[bytes]]:
    """Pickles of many like values, cut into opcodes."""
    found: list[list[bytes]] = []
    for maker in rows():
        for protocol in range(6):
            count = 40
            made = [maker(i) for i in range(count)]  # type: ignore[operator]
            shapes: list[object] = [made, tuple(made), dict(enumerate(made))]
            with contextlib.suppress(ImportError):
                import numpy as np

                held = np.empty(count, dtype=object)
                held[:] = made
                shapes.append(held)
            for value in shapes:
                with contextlib.suppress(TypeError, ValueError):
                    parts = operations(pickle.dumps(value, protocol))
                    if len(parts) < 6000:
                        found.append(parts)
    return found


def hidden(parts: list[bytes], rng: random.Random) -> bytes:
    """A run with something else in the middle or at the end of it."""
    out = list(parts)
    if rng.random() < 0.3:
        return nearly(out, rng)
    maker = Maker(rng)
    maker.proto, maker.memo = 2, rng.choice((0, 5, 40))
    maker.names = SAFE_NAMES + (BAD_NAMES if rng.random() < 0.3 else [])
    maker.silent = True
    late = rng.choice((len(out) // 2, len(out) - 1, rng.randrange(len(out))))
    # In the place of a value, most often.
    places = [i for i, p in enumerate(out) if p[:1] in _PUSHES and i >= late] or [late]
    at = places[0]
    odd = maker.value(rng.choice((1, 2, 3)))
    kind = rng.randrange(6)
    if kind <= 2:
        out[at] = odd
    elif kind == 3:
        out.insert(at, odd + b"0")
    elif kind == 4:
        # What was stored is changed later.
        out.insert(len(out) - 1, maker.get() + maker.after(2) + b"0")
    else:
        out[at : at + rng.randrange(1, 4)] = [odd]
    return b"".join(out)


def made_up_runs(rng: random.Random) -> bytes:
    """A value of the grammar many times over with other scalars, given to something that takes it."""
    maker = Maker(rng)
    maker.proto = rng.choice((2, 3, 4, 4, 5))
    maker.memo, maker.names = 0, SAFE_NAMES
    begin = bytes([0x80, maker.proto])
    names = b"".join(
        b"c" + module.encode() + b"\n" + name.encode() + b"\nq" + bytes([n]) + b"0"
        for n, (module, name) in enumerate(rng.sample(SAFE_NAMES, 12))
    )
    maker.memo = 12
    maker.silent = rng.random() < 0.5
    template = Template(maker, rng)
    unit = template.value(rng.choice((1, 2, 2, 3)))
    count = rng.choice((20, 40, 110))
    items = [b"".join(p() if callable(p) else p for p in unit) for _ in range(count)]
    for _ in range(rng.choice((0, 1, 1, 2))):
        maker.names = SAFE_NAMES + (BAD_NAMES if rng.random() < 0.3 else [])
        at = rng.choice((count // 2, count - 1, rng.randrange(count)))
        kind, item = rng.randrange(5), items[at]
        if kind == 0:
            items[at] = maker.value(3)
        elif kind == 1:
            items[at] = maker.get()
        elif kind == 2:
            items[at] += maker.after(2)
        elif kind == 3:
            items[at] += b"0" + maker.value(2)
        else:
            items[at] = mutate(item, rng, items)
    body = b"".join(items)
    pairs = b"".join(b"K" + bytes([i & 255]) + item for i, item in enumerate(items))
    keyed = b"".join(maker.text(f"a{i}") + item for i, item in enumerate(items))
    value = rng.choice((
        lambda: b"](" + body + b"e", lambda: b"(" + body + b"l", lambda: b"(" + body + b"t", lambda: b"}(" + pairs + b"u", lambda: b"}(" + keyed + b"u",
        lambda: b"]" + b"".join(i + b"a" for i in items), lambda: b"}" + b"".join(b"K" + bytes([n & 255]) + i + b"s" for n, i in enumerate(items)),
        lambda: b"](" + body + b"e(" + body + b"e", lambda: b"(" + pairs + b"d", lambda: b"\x8f(" + body + b"\x90", lambda: b"(" + body + b"\x91",
        lambda: b"ccollections\nOrderedDict\n)R(" + keyed + b"u", lambda: b"(" + body + b"0" * rng.randrange(3) + b"\x86" * rng.randrange(3) + b"l",
    ))()  # fmt: skip
    wrapped = rng.choice((
        lambda: value, lambda: value, lambda: maker.name() + value + b"\x85R", lambda: maker.name() + value + b"R", lambda: maker.name() + b")\x81" + value + b"b",
        lambda: maker.name() + b")\x81}" + maker.text(rng.choice(WORDS)) + value + b"sb", lambda: value + maker.after(2), lambda: maker.name() + b")\x81N" + value + b"\x86b",
        lambda: value + maker.get() + maker.after(2) + b"0",
    ))()  # fmt: skip
    return begin + names + wrapped + b"."


Parts: TypeAlias = list[bytes | Callable[[], bytes]]


class Template:
    """A value of which the scalars are made anew each time."""

    def __init__(self, maker: Maker, rng: random.Random) -> None:
        self.maker = maker
        self.rng = rng

    def value(self, depth: int) -> Parts:
        if depth <= 0:
            return [self.leaf()]
        rng, maker = self.rng, self.maker

        def inner() -> Parts:
            return self.value(depth - 1)

        def attributes() -> Parts:
            words = [maker.text(rng.choice(WORDS)) for _ in range(2)]
            return [b"}(", words[0], *inner(), words[1], *inner(), b"u"]

        def call() -> Parts:
            return [name, *inner(), rng.choice((b"\x85R", b"\x85\x81"))]

        name = b"h" + bytes([rng.randrange(12)])
        kinds: list[Callable[[], Parts]] = [
            lambda: [self.leaf()], lambda: [*inner(), *inner(), b"\x86", maker.put()], lambda: [b"](", *inner(), *inner(), b"e"], attributes,
            call, call, lambda: [name, *inner(), *inner(), b"\x86R"], lambda: [name, b")R"], lambda: [name, b")\x81", *attributes(), b"b"],
            lambda: [name, b")\x81", *attributes(), b"b"], lambda: [*call(), b"(", *inner(), *inner(), b"u"], lambda: [*call(), *inner(), b"b"],
            lambda: [name, b")RN", *attributes(), b"\x86b"], lambda: [name, b")R", b"\x94" if maker.proto > 3 else b""],
            lambda: [b"\x8f(", *inner(), b"\x90"], lambda: [b"(", *inner(), *inner(), b"t"], lambda: [name, *inner(), b"R"],
        ]  # fmt: skip
        return rng.choice(kinds)()

    def leaf(self) -> bytes | Callable[[], bytes]:
        rng, maker = self.rng, self.maker
        kinds: list[Callable[[], bytes | Callable[[], bytes]]] = [
            lambda: lambda: b"K" + bytes([rng.randrange(256)]), lambda: lambda: b"\x8c\x03" + b"%03d" % rng.randrange(1000),
            lambda: lambda: b"G" + struct.pack(">d", rng.random()), lambda: lambda: b"C\x02" + bytes([rng.randrange(256), 65]),
            lambda: lambda: maker.text(rng.choice(WORDS)), lambda: lambda: b"h" + bytes([rng.randrange(12)]), lambda: maker.scalar,
            lambda: maker.text(rng.choice(WORDS)), lambda: maker.text("f8"), lambda: b"h" + bytes([rng.randrange(12)]), lambda: b"N", lambda: b"K\x01",
        ]  # fmt: skip
        return rng.choice(kinds)()


def generate(seed: int, count: int, *, only_runs: bool = False) -> Iterator[bytes]:
    rng = random.Random(seed)
    maker = Maker(rng)
    pool = seeds()
    small = [p for p in pool if len(p) < 4000]
    files = joblib_seeds()
    cut = [parts for parts in map(operations, pool) if parts and len(parts) < 3000]
    long = real_runs()
    for number in range(count):
        turn = number % 10 if not only_runs else 8 + number % 2
        if turn in (0, 1, 2):
            yield maker.stream()
        elif turn == 3:
            yield mutate(rng.choice(small), rng, small)
        elif turn == 4:
            yield mutate(maker.stream(), rng, small)
        elif turn == 5 and files and rng.random() < 0.5:
            yield mutate(rng.choice(files), rng, files)
        elif turn == 8:
            yield hidden(rng.choice(long), rng)
        elif turn == 9:
            yield made_up_runs(rng)
        else:
            yield nearly(rng.choice(cut), rng)


# -- the child ---------------------------------------------------------------------------------

CHILD_MARK = "--child"
# What joblib recognises as compressed: zlib, gzip, bzip2, xz, lzma, lz4.
_PACKED = (b"\x78", b"\x1f\x8b", b"BZ", b"\xfd\x37", b"\x5d\x00", b"\x04\x22\x4d\x18")


def child() -> None:
    """Loads what it is sent; answers with what happened. Never returns."""
    import builtins
    import io
    import signal
    import warnings

    warnings.simplefilter("ignore")
    from auditor.artifacts.pickle.judge import _DEFERRED
    from auditor.artifacts.pickle.machine import IMPORT_MAPPING, NAME_MAPPING
    from auditor.artifacts.pickle.names import known_module, lookup
    from auditor.artifacts.pickle.policy import _range
    from auditor.artifacts.pickle.states import _RV_TEMPLATE

    lookup("builtins", "set")
    import joblib.numpy_pickle
    import numpy  # noqa: F401
    import scipy.interpolate
    import scipy.sparse
    import scipy.spatial
    import scipy.stats  # noqa: F401
    import sklearn.ensemble
    import sklearn.neighbors
    import sklearn.pipeline
    import sklearn.preprocessing
    import sklearn.tree  # noqa: F401

    with contextlib.suppress(ImportError):
        import dill  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    with contextlib.suppress(ImportError):
        import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    events: list[str] = []
    armed = False
    harmless = {
        "pickle.find_class",
        "object.__getattr__",
        "object.__setattr__",
        "sys._getframe",
        "builtins.id",
        "marshal.loads",
        "array.__new__",
        "sys._getframemodulename",
    }

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not armed or event in harmless:
            return
        if event == "import":
            name = str(args[0])
            # Submodules of the libraries whose names are on the allow-list may be imported.
            if name.partition(".")[0] in (
                "numpy",
                "sklearn",
                "scipy",
                "encodings",
                "_strptime",
                "zoneinfo",
                "pandas",
                "joblib",
                "dill",
                "cloudpickle",
                "dateutil",
                "pytz",
            ):
                return
            if name in sys.modules or known_module(name) or _importing():
                return
        if event == "open" and args[0] == os.devnull:
            return  # dill, when it is imported
        if (
            event == "open"
            and (
                str(args[0]).endswith((".py", ".pyc", ".so"))
                or "/zoneinfo/" in str(args[0])
                or _importing()
            )
            and "r" in str(args[1] or "r")
        ):
            return  # what an import reads
        if event in ("compile", "exec") and _template(args[0]):
            return  # SciPy's and dill's own text, which is all that they may be given
        if event in ("os.listdir", "os.stat", "compile", "exec") and _importing():
            return
        events.append(f"{event}{args!r}"[:300])
        raise PermissionError(event)

    def _template(source: object) -> bool:
        if isinstance(source, bytes):
            source = source.decode("utf-8", "replace")
        name = getattr(source, "co_filename", "")
        if name == "<string>" or not isinstance(source, str):
            return bool(name == "<string>")
        if _RV_TEMPLATE.fullmatch(source) or _range().fullmatch(source):
            return True
        kind, _, rest = source.partition('.__dict__["')
        method = rest.removesuffix('"]')
        known = lookup("builtins", f"{kind}.{method}").standing == "allowed"
        return known and source.endswith('"]')

    def _importing() -> bool:
        frame = sys._getframe(2)
        while frame is not None:
            if "importlib" in frame.f_code.co_filename:
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False

    sys.addaudithook(hook)

    def checked(base: type) -> Callable[[bytes], None]:
        class Loader(base):  # type: ignore[misc]
            def find_class(self, module: str, name: str) -> object:
                nonlocal armed
                mapped = NAME_MAPPING.get(
                    (module, name), (IMPORT_MAPPING.get(module, module), name)
                )
                if f"{module}.{name}" in _DEFERRED:
                    return super().find_class(module, name)  # judged by what it is called with
                if (
                    lookup(module, name).standing != "allowed"
                    and lookup(*mapped).standing != "allowed"
                ):
                    events.append(f"find_class {module}.{name}")
                    raise PermissionError(name)
                return super().find_class(module, name)

        def load(data: bytes) -> None:
            Loader(io.BytesIO(data)).load()

        def load_joblib(data: bytes) -> None:
            # Unpacks what is compressed, and reads arrays between the opcodes.
            if b"numpy_pickle" in data or data.startswith(_PACKED):
                joblib.numpy_pickle.NumpyUnpickler = Loader
                joblib.load(io.BytesIO(data))

        return load_joblib if base is numpy_unpickler else load

    numpy_unpickler = joblib.numpy_pickle.NumpyUnpickler
    loaders = [
        checked(pickle.Unpickler),
        checked(pickle._Unpickler),
        checked(numpy_unpickler),
    ]

    def late(number: int, frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    builtins.print = lambda *a, **k: None
    while True:
        head = source.read(4)
        if len(head) < 4:
            os._exit(0)
        data = source.read(struct.unpack("<I", head)[0])
        events.clear()
        for load in loaders:
            signal.setitimer(signal.ITIMER_REAL, 5)
            armed = True
            try:
                load(data)
            except TimeoutError:
                armed = False
                events.append("does not end")
            except BaseException:
                pass
            finally:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
        answer = "\n".join(events).encode("utf-8", "replace")[:4000]
        sink.write(struct.pack("<I", len(answer)) + answer)
        sink.flush()


class Child:
    """A locked-down loader; restarted when a pickle kills it."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, CHILD_MARK]
        if (
            subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode
            == 0
        ):
            command = ["unshare", "-n", *command]
        env = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )

    def ask(self, data: bytes) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(struct.pack("<I", len(data)) + data)
            self.process.stdin.flush()
            if not select.select([self.process.stdout], [], [], 60)[0]:
                self.close()
                return "hangs"
            head = self.process.stdout.read(4)
            if len(head) < 4:
                return "crash"
            return self.process.stdout.read(struct.unpack("<I", head)[0]).decode()
        except BrokenPipeError:
            return "crash"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--runs", action="store_true", help="long runs of like values only")
    parser.add_argument("--as-shipped", action="store_true", help="leave the limits of runs")
    options = parser.parse_args()
    from auditor.artifacts.blob import Blob
    from auditor.artifacts.facts import Limits
    from auditor.artifacts.pickle.analyse import analyse

    if not options.as_shipped:
        from compare_runs import tighten

        tighten()
    limits = Limits(objects=0)
    worker = Child()
    verdicts: dict[str, int] = {}
    misses = crashes = slow = 0
    started = time.time()
    for number, data in enumerate(generate(options.seed, options.count, only_runs=options.runs)):
        began = time.perf_counter()
        verdict = analyse(Blob(data), limits=limits).verdict
        if time.perf_counter() - began > 1:
            slow += 1
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
        if options.verbose and number % 10_000 == 9_999:
            print(f"{number + 1}: {verdicts}, {time.time() - started:.0f} s", flush=True)
        if verdict != "safe":
            continue
        answer = worker.ask(data)
        if answer in ("crash", "hangs"):
            crashes += 1
            print(f"#{number}: the unpickler {answer}: {data.hex()}", flush=True)
            worker.close()
            worker = Child()
        elif answer:
            misses += 1
            print(f"#{number}: MISS {answer}\n  {data.hex()}", flush=True)
    worker.close()
    total = sum(verdicts.values())
    print(
        f"{total} pickles (seed {options.seed}): {verdicts}; {misses} misses, {crashes} crashes of the unpickler, {slow} slow, {time.time() - started:.0f} s"
    )
    return 1 if misses else 0


if __name__ == "__main__":
    if CHILD_MARK in sys.argv:
        child()
    sys.exit(main())
