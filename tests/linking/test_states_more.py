"""States that restore into something else, and libraries of which nothing is known."""

from __future__ import annotations

import pickle
import sys

import pytest
from test_compatibility import Stream, judged, runtime


def test_a_library_without_a_table_is_not_said_to_load() -> None:
    data = Stream().name("faiss.loader", "Index").bytes()
    result = judged(data, runtime({"faiss-cpu": "1.8.0"}))
    assert result.outcome == "unknown"
    assert "faiss-cpu 1.8.0" in result.reasons[0].message
    assert "--online" in result.reasons[0].help
    several = Stream().name("faiss.loader", "Index").name("faiss.loader", "Other").bytes()
    assert len(judged(several, runtime({"faiss-cpu": "1.8.0"})).reasons) == 1


@pytest.mark.parametrize(("version", "outcome"), [("1.19.5", "fails"), ("1.26.4", "loads")])
def test_a_bit_generator_that_came_later(version: str, outcome: str) -> None:
    data = (
        Stream().name("numpy.random._pickle", "__bit_generator_ctor").raw(b"X\x09\0\0\0PCG64DXSM\x85R")
    ).bytes()  # fmt: skip
    result = judged(data, runtime({"numpy": version}))
    assert result.outcome == outcome
    if outcome == "fails":
        assert "PCG64DXSM" in result.reasons[0].message


@pytest.mark.parametrize(
    ("protocol", "version", "outcome"),
    [
        (4, "1.2.3", "fails"),
        (3, "1.2.3", "unknown"),
        (3, "1.13.1", "unknown"),
        (4, "1.13.1", "loads"),
    ],
)
def test_monotone_interpolators_changed_their_basis(
    protocol: int, version: str, outcome: str
) -> None:
    stream = Stream(protocol).new("scipy.interpolate._cubic", "PchipInterpolator", {"axis": 0})
    assert judged(stream.bytes(), runtime({"scipy": version})).outcome == outcome


@pytest.mark.parametrize(("version", "outcome"), [("1.3.0", "fails"), ("1.4.2", "loads")])
def test_boosting_with_the_shared_losses(version: str, outcome: str) -> None:
    stream = Stream().name("sklearn.ensemble._gb", "GradientBoostingRegressor").raw(b")\x81}")
    stream.raw(b"X\x05\0\0\0_loss").name("sklearn._loss.loss", "HuberLoss").raw(b")\x81}b").raw(
        b"sb"
    )
    result = judged(stream.bytes(), runtime({"scikit-learn": version, "numpy": "1.26.4"}))
    assert result.outcome == outcome
    if outcome == "fails":
        assert result.reasons[0].effect == "predict"
        assert "get_init_raw_predictions" in result.reasons[0].error


def _booster(version: bytes, categories: bytes) -> bytes:
    text = b"tree\nversion=" + version + b"\nnum_class=1\n" + b"x" * 3000
    text += b"\npandas_categorical:" + categories + b"\n"
    return Stream().new("lightgbm.basic", "Booster", {"handle": text.decode()}).bytes()


@pytest.mark.parametrize(
    ("written", "categories", "installed", "outcome"),
    [
        (b"v3", b'[["a", "b"]]', "2.2.3", "fails"),
        (b"v2", b'[["a", "b"]]', "2.2.3", "loads"),
        (b"v3", b"null", "2.2.3", "loads"),
        (b"v3", b'[["a", "b"]]', "3.3.5", "loads"),
    ],
)
def test_categories_of_lightgbm_under_2_2(
    written: bytes, categories: bytes, installed: str, outcome: str
) -> None:
    result = judged(_booster(written, categories), runtime({"lightgbm": installed}))
    assert result.outcome == outcome


def _in_its_own_namespace(source: str, *, first: bool) -> bytes:
    """``made`` as dill before 0.3.5 writes it; with ``first`` the namespace is filled beforehand."""
    scope: dict[str, object] = {}
    exec(source, scope)
    code = scope["made"].__code__  # type: ignore[attr-defined]
    parts = [getattr(code, "co_" + name) for name in (
        "argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags", "code",
        "consts", "names", "varnames", "filename", "name", "qualname", "firstlineno", "linetable",
        "exceptiontable", "freevars", "cellvars",
    )]  # fmt: skip
    stream = Stream(3)

    def begin() -> None:
        stream.name("dill._dill", "_create_function").raw(b"(")
        stream.name("dill._dill", "_create_code")
        stream.raw(pickle.dumps(tuple(parts), 3)[2:-1]).raw(b"R")

    begin()
    stream.raw(b"}q\xf0").value("LIMIT").value(5).raw(b"s" if first else b"00")
    if not first:
        stream.raw(b"(").value("made")
        begin()
        stream.raw(b"h\xf0").value("made").raw(b"NNtRu")
    return stream.value("made").raw(b"NNtR").bytes()


READS = "def made(x):\n    return min(x, LIMIT)\n"


@pytest.mark.parametrize(
    ("source", "first", "dill", "outcome"),
    [
        (READS, False, "0.3.8", "fails"),
        (READS, True, "0.3.8", "loads"),
        # Builtins come back with every dill since 0.3.4, and with every Python since 3.10.
        ("def made(x):\n    return abs(x)\n", False, "0.3.8", "loads"),
        ("def made(x):\n    return abs(x)\n", False, "0.3.3", "loads"),
        ("def made(x):\n    return x\n", False, "0.3.8", "loads"),
    ],
)
def test_dill_functions_that_lost_their_namespace(
    source: str, first: bool, dill: str, outcome: str
) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    result = judged(
        _in_its_own_namespace(source, first=first), runtime({"dill": dill}, python=python), "dill"
    )
    assert result.outcome == outcome, result.reasons
    if outcome == "fails":
        assert "reads LIMIT" in result.reasons[0].message
