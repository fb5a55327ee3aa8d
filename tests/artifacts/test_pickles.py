"""The machine against the real pickler and unpickler, and against damage."""

import io
import pickle
import random
import sys

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.artifacts.blob import Blob
from auditor.artifacts.facts import Items, Limits, Mapping, Opaque, Ref
from auditor.artifacts.pickle.analyse import analyse
from auditor.artifacts.scan import scan_bytes, scan_file
from tests.artifacts.streams import evil, glob, stream, text

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


def same(symbol: object, value: object) -> bool:
    if isinstance(symbol, Items):
        return symbol.size == len(value) and all(map(same, symbol.items, value))  # type: ignore[arg-type]
    if isinstance(symbol, Mapping):
        return symbol.size == len(value) and all(  # type: ignore[arg-type]
            same(k, a) and same(v, b) for (k, v), (a, b) in zip(symbol.pairs, value.items(), strict=True)  # type: ignore[attr-defined]
        )  # fmt: skip
    if isinstance(symbol, (Ref, Opaque)):
        return isinstance(value, (bytes, int))
    return type(symbol) is type(value) and symbol == value


@given(plain, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_plain_data_is_read_back(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    result = analyse(Blob(data), limits=Limits())
    assert result.verdict == "safe"
    assert result.end == len(data)
    assert result.facts is not None
    if protocol >= 3:
        assert result.facts.globals == ()
        assert same(result.facts.root, value)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_judged(data: bytes) -> None:
    for prefix in (
        b"",
        b"\x80\x04",
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"GGUF\x03\x00\x00\x00",
        b"\x1f\x8b\x08",
        b"{",
        b"7z\xbc\xaf\x27\x1c",
    ):
        scan_bytes(prefix + data, "x.pkl")


OBJECTS = {
    "array": np.arange(6.0).reshape(2, 3),
    "objects": np.array(["a", None, 1], dtype=object),
    "structured": np.zeros(3, dtype=[("a", "f8"), ("b", "U3")]),
    "scalar": np.float32(1.5),
    "masked": np.ma.array([1, 2], mask=[True, False]),
    "random": np.random.RandomState(3),
    "generator": np.random.default_rng(3),
    "datetime": np.datetime64("2020-01-01"),
    "ufunc": np.tanh,
    "dtype": np.dtype([("a", "O")]),
}


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("protocol", range(6))
def test_numpy_is_safe(name: str, protocol: int) -> None:
    facts = scan_bytes(pickle.dumps(OBJECTS[name], protocol), "m.pkl")[0]
    assert facts.verdict == "safe", facts.issues


def estimator():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.RandomState(0).rand(30, 3)
    return make_pipeline(StandardScaler(), RandomForestClassifier(3)).fit(x, x[:, 0] > 0.5)


@pytest.mark.parametrize("protocol", range(6))
def test_estimators_are_safe_and_their_facts_read(protocol: int) -> None:
    import sklearn

    facts = scan_bytes(pickle.dumps(estimator(), protocol), "m.pkl")[0]
    assert facts.verdict == "safe", facts.issues
    assert facts.pickle is not None
    made = {o.of: o for o in facts.pickle.objects}
    state = made["sklearn.preprocessing._data.StandardScaler"].state
    assert isinstance(state, Mapping)
    assert state.get("_sklearn_version") == sklearn.__version__
    assert "sklearn.pipeline.Pipeline" in facts.globals
    assert isinstance(facts.pickle.root, Ref)


@pytest.mark.parametrize(
    "compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3)]
)
def test_joblib(compress: object, tmp_path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(
        {"m": estimator(), "o": np.array([1, "a"], dtype=object), "s": np.zeros(2, [("a", "i4")])},
        path,
        compress=compress,
    )
    facts = scan_file(path, display_path="m.joblib")[0]
    assert (facts.format, facts.verdict) == ("joblib", "safe"), facts.issues
    assert facts.container == (compress[0] if compress else None)  # type: ignore[index]
    assert facts.pickle is not None
    assert facts.pickle.joblib_arrays > 3
    assert facts.pickle.joblib_aligned


def test_joblib_array_bytes_that_are_a_payload() -> None:
    # pickle.load reads on where the array begins; the array is a pickle.
    payload = glob("os", "system") + text("id") + b"\x85R."
    out = io.BytesIO()
    joblib.dump(np.frombuffer(payload + bytes(-len(payload) % 8), dtype="u1"), out)
    raw = out.getvalue()
    at = raw.index(payload)
    # Without padding, as joblib wrote it before 1.2.
    pad = raw[:at].rindex(b"b") + 1
    key = raw.index(b"numpy_array_alignment_bytes")
    unaligned = (raw[:pad] + raw[at:]).replace(raw[key : key + 27], b"numpy_array_alignment_bytez")
    facts = scan_bytes(unaligned, "m.joblib")[0]
    assert facts.verdict == "dangerous"
    assert "ART004" in {i.rule for i in facts.issues}


def test_joblib_object_array_with_payload() -> None:
    class Evil:
        def __reduce__(self):
            import os

            return os.system, ("id",)

    out = io.BytesIO()
    joblib.dump(np.array([Evil()], dtype=object), out)
    assert scan_bytes(out.getvalue(), "m.joblib")[0].verdict == "dangerous"


def test_globals_match_the_unpickler(tmp_path) -> None:
    """The names are those that find_class is asked for."""
    asked: list[str] = []

    class Recorder(pickle._Unpickler):  # type: ignore[name-defined]
        def find_class(self, module: str, name: str) -> object:
            asked.append(f"{module}.{name}")
            return super().find_class(module, name)

    data = pickle.dumps(estimator(), 4)
    Recorder(io.BytesIO(data)).load()
    assert set(scan_bytes(data, "m.pkl")[0].globals) == set(asked)


def safe_models() -> list[bytes]:
    out = io.BytesIO()
    joblib.dump(OBJECTS["array"], out)
    return [pickle.dumps(OBJECTS["objects"], p) for p in (0, 2, 4, 5)] + [out.getvalue()]


@pytest.mark.parametrize("index", range(5))
def test_truncation_is_never_safe_when_it_cuts_a_pickle(index: int) -> None:
    data = safe_models()[index]
    assert scan_bytes(data, "m.pkl")[0].verdict == "safe"
    for cut in range(2, len(data)):
        assert scan_bytes(data[:cut], "m.pkl")[0].verdict != "safe", cut


def test_truncated_payload_still_counts() -> None:
    data = evil() + b"N" * 20
    for cut in range(len(evil()) - 1, len(data)):
        assert scan_bytes(data[:cut], "m.pkl")[0].verdict == "dangerous"


def test_bit_flips_never_crash_and_never_hide_a_call() -> None:
    rng = random.Random(5)
    data = pickle.dumps({"a": [1, 2, 3], "b": np.arange(3)}, 4)
    for _ in range(1500):
        flipped = bytearray(data)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        facts = scan_bytes(bytes(flipped), "m.pkl")[0]
        if facts.verdict == "safe":
            from auditor.artifacts.pickle.names import lookup

            assert facts.pickle is not None
            assert all(lookup(g.module, g.name).standing == "allowed" for g in facts.pickle.globals)


def test_hostile_sizes_cost_nothing() -> None:
    for op in (b"\x8d", b"\x8e", b"\x96"):
        assert scan_bytes(stream(op + b"\xff" * 8), "m.pkl")[0].verdict == "unreadable"
    assert scan_bytes(stream(b"\x8b\xff\xff\xff\x7f"), "m.pkl")[0].verdict == "unreadable"
    assert scan_bytes(b"L" + b"9" * 100_000 + b"L\n.", "m.pkl")[0].verdict != "safe"
    nested = b"\x80\x04" + b"(" * 200_000 + b"t" * 200_000 + b"."
    assert scan_bytes(nested, "m.pkl")[0].verdict == "safe"
    laughs = b"K\x01" + b"2\x86" * 60
    assert scan_bytes(stream(laughs), "m.pkl")[0].verdict == "suspicious"


def test_importing_the_scanner_loads_no_heavy_library() -> None:
    import subprocess

    code = "import sys, auditor.artifacts.scan as s; s.scan_bytes(b'\\x80\\x04N.', 'm.pkl'); print([m for m in ('numpy', 'onnx', 'fickling', 'joblib', 'rich', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.oracle
def test_fuzzing_finds_nothing() -> None:
    import subprocess
    from pathlib import Path

    tool = Path(__file__).parents[2] / "tools" / "fuzz_pickle.py"
    done = subprocess.run(
        [sys.executable, str(tool), "--count", "1500", "--seed", "99"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_evidence_is_decompiled() -> None:
    from auditor.artifacts.evidence import decompile

    lines = decompile(evil())
    assert lines is not None
    assert any("system" in line for line in lines)
    assert decompile(b"\xff") is None


@pytest.mark.parametrize(
    "module",
    [
        "keras_preprocessing.text",
        "keras.preprocessing.text",
        "keras.src.preprocessing.text",
        "keras.src.legacy.preprocessing.text",
    ],
)
def test_a_tokenizer_of_keras_holds_words_only(module: str) -> None:
    """The rest of Keras loads models and code."""
    counts = glob("collections", "OrderedDict") + b")R(" + text("cat") + b"K\x01u"
    state = b"}(" + text("word_counts") + counts + text("lower") + b"\x88u"
    kept = stream(glob(module, "Tokenizer") + b")\x81" + state + b"b", 2)
    assert scan_bytes(kept, "tokenizer.pkl")[0].verdict == "safe"
    planted = b"}" + text("__class__") + glob("os", "system") + b"s"
    assert (
        scan_bytes(stream(glob(module, "Tokenizer") + b")\x81" + planted + b"b", 2), "t.pkl")[
            0
        ].verdict
        == "dangerous"
    )
    other = stream(glob(module, "tokenizer_from_json") + b"(" + text("{}") + b"tR", 2)
    assert scan_bytes(other, "t.pkl")[0].verdict != "safe"
