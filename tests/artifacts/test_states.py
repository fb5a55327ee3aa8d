"""What allowed callables do with hostile arguments and states: hooks, half-made objects, lies."""

import io
import pickle
import struct

import joblib
import numpy as np
import pytest

from auditor.artifacts.scan import scan_bytes
from tests.artifacts.streams import call, glob, short, stream, text, tup


def verdict(data: bytes) -> str:
    return scan_bytes(data, "model.pkl")[0].verdict


def new(module: str, name: str, *args: bytes) -> bytes:
    return glob(module, name) + tup(*args) + b"\x81"


def attributes(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(k) + v for k, v in values.items()) + b"u"


ESTIMATOR = new("sklearn.linear_model._base", "LinearRegression")
CALLABLE = call(glob("functools", "partial"), glob("builtins", "sorted"), b"]")
# An instance whose attribute is a function: whoever calls the method of that name runs it.
PLANTED = ESTIMATOR + attributes(join=CALLABLE, astype=CALLABLE, detach=CALLABLE) + b"b"
ARRAY_HOOK = ESTIMATOR + attributes(__array__=CALLABLE) + b"b"
INTERFACE = ESTIMATOR + attributes(__array_interface__=b"}") + b"b"
DTYPE = call(glob("numpy", "dtype"), text("f8"), b"\x89", b"\x88")
DTYPE_STATE = tup(b"K\x03", text("<"), b"N", b"N", b"N", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\xff", b"K\x00")  # fmt: skip
EMPTY = call(glob("numpy.core.multiarray", "_reconstruct"), glob("numpy", "ndarray"), b"K\x00\x85", b"C\x01b")  # fmt: skip


def dtype(code: str, *state: bytes) -> bytes:
    return call(glob("numpy", "dtype"), text(code), b"\x89", b"\x88") + tup(*state) + b"b"


def array(shape: bytes, kind: bytes, data: bytes) -> bytes:
    return EMPTY + tup(b"K\x01", shape, kind, b"\x89", data) + b"b"


MINUS = b"J\xff\xff\xff\xff"
OBJECTS = dtype("O8", b"K\x03", text("|"), b"N", b"N", b"N", MINUS, MINUS, b"K\x3f")

STR = call(glob("dill._dill", "_load_type"), text("str"))
HOLDER = new("joblib.memory", "NotMemorizedFunc")
FILE = new("sklearn_crfsuite._fileresource", "FileResource")

HOSTILE = {
    # Hooks that NumPy, the interpreter or a library looks up on the instance.
    "array-hook": ARRAY_HOOK,
    "array-interface": INTERFACE,
    "array-of-instance": call(glob("numpy", "array"), PLANTED),
    "frombuffer-of-instance": call(glob("numpy.core.numeric", "_frombuffer"), PLANTED, DTYPE, b"K\x01\x85", text("C")),
    "scalar-of-instance": call(glob("numpy.core.multiarray", "scalar"), DTYPE, PLANTED),
    "index-of-instance": call(glob("pandas.core.indexes.base", "_new_Index"), glob("pandas.core.indexes.base", "Index"), attributes(data=PLANTED)),
    "block-of-instance": call(glob("pandas._libs.internals", "_unpickle_block"), PLANTED, call(glob("builtins", "slice"), b"K\x00", b"K\x01"), b"K\x02"),
    "parameter-of-instance": call(glob("torch.nn.parameter", "Parameter"), PLANTED),
    # A state whose methods are the attacker's.
    "state-is-instance": ESTIMATOR + PLANTED + b"b",
    "graph-state-is-instance": new("torch_geometric.data.data", "Data") + ESTIMATOR + attributes(items=CALLABLE) + b"bb",
    "graph-storage-state-is-instance": new("torch_geometric.data.storage", "NodeStorage") + ESTIMATOR + attributes(items=CALLABLE) + b"bb",
    "graph-state-of-system": new("torch_geometric.data.hetero_data", "HeteroData") + attributes(_global_store=call(glob("os", "system"), text("id"))) + b"b",
    "graph-items": new("torch_geometric.data.storage", "BaseStorage") + text("x") + PLANTED + b"s",
    "pycaret-memory": new("pycaret.internal.pipeline", "Pipeline") + attributes(_memory=PLANTED) + b"b",
    "pycaret-versions": new("pycaret.internal.pipeline", "Pipeline") + attributes(_memory=b"N", _pycaret_versions=PLANTED) + b"b",
    "buffer-with-attributes": new("_io", "BytesIO") + tup(b"C\x01x", b"K\x00", attributes(read=CALLABLE)) + b"b",
    "buffer-of-instance": new("_io", "BytesIO") + tup(PLANTED, b"K\x00", b"N") + b"b",
    "keras-of-instance": call(glob("keras.saving.pickle_utils", "deserialize_model_from_bytecode"), PLANTED),
    "state-is-global": new("uuid", "UUID") + glob("typing", "List") + b"b",
    "state-is-factory": new("uuid", "UUID") + call(glob("collections", "defaultdict"), glob("builtins", "list")) + b"b",
    "state-is-type": new("random", "Random") + glob("typing", "List") + b"b",
    "version-is-instance": ESTIMATOR + attributes(_sklearn_version=PLANTED) + b"b",
    "isotonic": new("sklearn.isotonic", "IsotonicRegression") + attributes(X_thresholds_=PLANTED, y_thresholds_=PLANTED) + b"b",
    "tree-predictor": new("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor") + attributes(nodes=PLANTED) + b"b",
    "formula-data": new("statsmodels.base.data", "PandasData") + attributes(restore_design_info=b"\x88", formula=text("y ~ x"), orig_endog=PLANTED, orig_exog=PLANTED) + b"b",
    "distribution-method": new("scipy.stats._continuous_distns", "norm_gen") + attributes(_attach_methods=CALLABLE) + b"b",
    "optimizer": new("torch.optim.adam", "Adam") + attributes(param_groups=b"]" + PLANTED + b"a") + b"b",
    # Dictionaries whose items are attributes, and calls after the state.
    "result-item-hook": new("scipy.optimize._optimize", "OptimizeResult") + text("__setstate__") + CALLABLE + b"s" + b"K\x01b",
    "append-after-state": new("collections", "deque") + attributes(append=CALLABLE) + b"bK\x01a",
    "items-after-state": new("collections", "OrderedDict") + attributes(x=b"N") + b"b" + text("a") + b"K\x01s",
    "two-states": ESTIMATOR + attributes(a=b"N") + b"b" + attributes(b=b"N") + b"b",
    # Slots go through descriptors.
    "slot-of-no-class": ESTIMATOR + b"N" + attributes(coef_=b"K\x01") + b"\x86b",
    "slot-hook": ESTIMATOR + b"N" + attributes(__class__=b"K\x01") + b"\x86b",
    # Handles that a finaliser frees.
    "booster-handle": new("xgboost.core", "Booster") + attributes(handle=b"J\x41\x41\x41\x41") + b"b",
    "lightgbm-handle": new("lightgbm.basic", "Booster") + attributes(_handle=b"J\x41\x41\x41\x41") + b"b",
    "delaunay-close": new("scipy.spatial._qhull", "Delaunay") + attributes(_qhull=PLANTED) + b"b",
    # Objects of the whole process.
    "shared-dtype-class": new("numpy.dtypes", "Float64DType") + DTYPE_STATE + b"b",
    "enumeration-member": call(glob("builtins", "getattr"), glob("http", "HTTPStatus"), text("OK")) + attributes(x=b"N") + b"b",
    "time-zone": call(glob("pytz", "_p"), text("UTC")) + attributes(zone=b"N") + b"b",
    # Constructors that run with what they are given.
    "constructor-as-base": call(glob("copyreg", "_reconstructor"), glob("sklearn.linear_model._base", "LinearRegression"), glob("sklearn.pipeline", "Pipeline"), text("x")),
    "matrix-from-text": glob("numpy", "matrix") + tup(text("1 2; 3 4")) + b"\x81",
    "forward-reference": call(glob("_operator", "getitem"), glob("typing", "List"), text("__import__('os')")),
    "optional-text": call(glob("_operator", "getitem"), glob("typing", "Optional"), text("x")),
    "partial-with-keywords": call(call(glob("functools", "partial"), glob("builtins", "int")) + tup(glob("builtins", "int"), b")", attributes(base=b"K\x10"), b"N") + b"b"),
    "codec": call(glob("builtins", "str"), b"C\x01x", text("unicode_escape")),
    "new-of-another-class": call(call(glob("functools", "partial"), call(glob("builtins", "getattr"), glob("collections", "OrderedDict"), text("__new__")), glob("os", "system"))),
    # Native classes that take their state on trust.
    "kdtree-short": new("sklearn.neighbors._kd_tree", "KDTree") + b")b",
    "kdtree-list": new("sklearn.neighbors._kd_tree", "KDTree") + b"]b",
    "tree-none": call(glob("sklearn.tree._tree", "Tree"), b"K\x01", array(b"K\x01\x85", DTYPE + DTYPE_STATE + b"b", b"C\x08" + bytes(8)), b"K\x01") + attributes(max_depth=b"K\x01", node_count=b"K\x05", nodes=b"N", values=b"N") + b"b",
    "distance-none": call(glob("sklearn.metrics._dist_metrics", "newObj"), glob("sklearn.metrics._dist_metrics", "EuclideanDistance64")) + tup(b"G" + struct.pack(">d", 2.0), b"N", b"N") + b"b",
    "hash-table": new("pandas._libs.hashtable", "Int64HashTable") + b"}b",
    # Data types and arrays that lie.
    "flags-hide-references": dtype("V8", b"K\x03", text("|"), b"N", text("a") + b"\x85", b"}" + text("a") + OBJECTS + b"K\x00\x86s", b"K\x08", b"K\x01", b"K\x00"),
    "field-outside": dtype("V8", b"K\x03", text("|"), b"N", text("a") + b"\x85", b"}" + text("a") + DTYPE + DTYPE_STATE + b"b" + b"M\xe8\x03\x86s", b"K\x08", b"K\x01", b"K\x10"),
    "field-missing": dtype("V8", b"K\x03", text("|"), b"N", text("a") + b"\x85", b"}", b"K\x08", b"K\x01", b"K\x10"),
    "number-with-object-flags": dtype("f8", b"K\x03", text("<"), b"N", b"N", b"N", MINUS, MINUS, b"K\x3f"),
    "object-without-flags": dtype("O8", b"K\x03", text("|"), b"N", b"N", b"N", MINUS, MINUS, b"K\x00"),
    "text-with-object-flag": dtype("U2", b"K\x03", text("<"), b"N", b"N", b"N", b"K\x08", b"K\x04", b"K\x01"),
    "objects-from-bytes": array(b"K\x01\x85", OBJECTS, b"C\x08AAAAAAAA"),
    "objects-too-few": array(b"K\x05\x85", OBJECTS, b"]K\x01a"),
    "reconstruct-shape": call(glob("numpy.core.multiarray", "_reconstruct"), glob("numpy", "ndarray"), b"J\xff\xff\xff\x7f\x85", b"C\x01O"),
    # joblib calls methods of its wrappers.
    "wrapper-method": new("joblib.numpy_pickle", "NumpyArrayWrapper") + attributes(read=CALLABLE) + b"b",
    "companion-arguments": new("joblib.numpy_pickle", "ZNDArrayWrapper") + attributes(filename=text("x.z"), init_args=tup(PLANTED), state=b")") + b"b",
    "cache-with-a-place": new("joblib.memory", "Memory") + attributes(location=text("/tmp"), store_backend=PLANTED) + b"b",
    "holder-called": call(HOLDER + attributes(func=glob("builtins", "input")) + b"b", text("x")),
    "holder-of-a-call": HOLDER + attributes(func=glob("os", "system")) + b"b",
    "holder-as-factory": call(glob("collections", "defaultdict"), HOLDER + attributes(func=glob("builtins", "input")) + b"b"),
    # Detours of dill and cloudpickle.
    "dill-module": call(call(glob("dill._dill", "_get_attr"), call(glob("dill._dill", "_import_module"), text("os")), text("system")), text("id")),
    "dill-private": call(glob("dill._dill", "_get_attr"), call(glob("dill._dill", "_import_module"), text("numpy")), text("__builtins__")),
    "dill-array-state": call(glob("dill._dill", "_create_array"), glob("numpy.core.multiarray", "_reconstruct"), tup(glob("numpy", "ndarray"), b"K\x00\x85", b"C\x01b"), tup(b"K\x01", b"K\x01\x85", OBJECTS, b"\x89", b"C\x08AAAAAAAA"), b"N"),
    "dill-lookalike": short("dill._dil.") + short("_get_attr") + b"\x93",
    "subimport": call(glob("cloudpickle.cloudpickle", "subimport"), text("subprocess")),
    "bound-to-foreign": call(call(glob("cloudpickle.cloudpickle", "_builtin_type"), text("MethodType")), glob("os", "system"), ESTIMATOR),
    "dill-evaluates": call(glob("dill._dill", "_getattr"), STR, text("split"), text("<method 'split' of 'str' objects if 1 else exit()'>")),
    "dill-evaluates-a-name": call(glob("dill._dill", "_getattr"), STR, text('x"] or exit()#'), text("<method 'x' of 'str' objects>")),
    "dill-method-of-another": call(glob("dill._dill", "_getattr"), STR, text("split"), text("<method 'split' of 'os' objects>")),
    "dill-private-method": call(glob("dill._dill", "_getattr"), STR, text("__class__"), text("<method '__class__' of 'str' objects>")),
    "cloudpickle-type": call(call(glob("cloudpickle.cloudpickle", "_builtin_type"), text("FunctionType")), b"N"),
    "dill-attribute-by-name": call(call(glob("dill._dill", "_get_attr"), text("os"), text("system")), text("id")),
    "dill-attribute-of-os": call(glob("dill._dill", "_get_attr"), text("os"), text("system")),
    "dill-exception": call(call(glob("dill._dill", "_load_type"), text("CodeType")), text("x")),
    "dill-evaluates-all": call(glob("dill._dill", "_eval_repr"), text("exit()")),
    "dill-evaluates-arguments": call(glob("dill._dill", "_eval_repr"), text("range(0, exit())")),
    # Iterators that call, and what would ask an endless one.
    "iterator-that-calls": call(glob("builtins", "iter"), glob("builtins", "input"), b"N"),
    "cycle-over-a-call": call(glob("itertools", "cycle"), call(glob("builtins", "iter"), glob("builtins", "input"), b"N")),
    "list-of-a-cycle": call(glob("builtins", "list"), call(glob("itertools", "cycle"), call(glob("builtins", "iter"), b"]K\x01a"))),
    # Extension modules that read as many items as they have, and one that writes a file.
    "updater-short": new("arch.univariate.recursions", "EWMAUpdater", b"K\x01") + b"K\x01\x85b",
    "updater-of-another": call(glob("arch.univariate.recursions", "__pyx_unpickle_GARCHUpdater"), glob("arch.univariate.recursions", "GARCHUpdater"), b"K\x01", b")"),
    "file-by-name": FILE + attributes(name=text("/etc/cron.d/x"), auto=b"\x88", prefix=text(""), suffix=text(""), __FILE_RESOURCE_DATA__=b"C\x01x") + b"b",
    "file-by-prefix": FILE + attributes(name=b"N", auto=b"\x88", prefix=text("/lib/python3/"), suffix=text(".pth"), __FILE_RESOURCE_DATA__=b"C\x01x") + b"b",
    "file-by-suffix": FILE + attributes(name=b"N", auto=b"\x88", prefix=text(""), suffix=text("/../x"), __FILE_RESOURCE_DATA__=b"C\x01x") + b"b",
    "file-without-a-name": FILE + attributes(auto=b"\x88", prefix=text(""), suffix=text(""), __FILE_RESOURCE_DATA__=b"C\x01x") + b"b",
    "tokenizer-of-instance": call(glob("tokenizers", "Tokenizer"), PLANTED),
    "tree-hook": new("nltk.tree.tree", "Tree") + b"(" + text("a") + b"e" + attributes(__class__=PLANTED) + b"b",
    "tree-item": new("nltk.tree.tree", "Tree") + text("__class__") + PLANTED + b"s",
    "index-from-source": call(glob("pandas._libs.sparse", "IntIndex"), b"K\x03", PLANTED),
    "distribution-foreign-method": new("scipy.stats._distn_infrastructure", "rv_sample") + attributes(vecentropy=call(glob("builtins", "getattr"), ESTIMATOR, text("fit"))) + b"b",
    "persistent-module": tup(text("module"), PLANTED, text("x"), text("y")) + b"Q",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    assert verdict(stream(HOSTILE[name])) != "safe"


BENIGN = {
    "dill-method": call(glob("dill._dill", "_getattr"), STR, text("split"), text("<method 'split' of 'str' objects>")),
    "dill-attribute": call(glob("dill._dill", "_get_attr"), text("builtins"), text("abs")),
    "dill-error": call(call(glob("dill._dill", "_load_type"), text("ValueError")), text("x")),
    "dill-range": call(glob("dill._dill", "_eval_repr"), text("range(0, 4)")),
    "dill-factory": call(glob("collections", "defaultdict"), call(call(glob("dill._dill", "_load_type"), text("PartialType")), glob("collections", "Counter"))),
    "holder": HOLDER + attributes(func=glob("numpy", "mean")) + b"b",
    "namespace": call(call(glob("cloudpickle.cloudpickle", "_builtin_type"), text("SimpleNamespace"))) + attributes(x=b"N") + b"b",
    "cycle": call(glob("itertools", "cycle"), call(glob("builtins", "iter"), call(glob("builtins", "range"), b"K\x05"))) + b"]\x89\x86b",
    "updater": new("arch.univariate.recursions", "EWMAUpdater", b"K\x01") + b"K\x01" + array(b"K\x01\x85", DTYPE + DTYPE_STATE + b"b", b"C\x08" + bytes(8)) + b"\x86b",
    "file": FILE + attributes(name=b"N", auto=b"\x88", keep_tempfiles=b"\x89", prefix=text("model"), suffix=text(".crfsuite"), __FILE_RESOURCE_DATA__=b"C\x01x") + b"b",
    "tokenizer": call(glob("tokenizers", "Tokenizer"), new("tokenizers.models", "Model") + b"C\x02{}b") + b"C\x02{}b",
    "tree": new("nltk.tree.tree", "Tree") + b"(" + text("a") + b"e" + attributes(_label=text("S")) + b"b",
    "positions": call(glob("pandas._libs.sparse", "IntIndex"), b"K\x03", array(b"K\x01\x85", DTYPE + DTYPE_STATE + b"b", b"C\x08" + bytes(8))),
}  # fmt: skip


@pytest.mark.parametrize("name", BENIGN)
def test_the_same_as_libraries_write_it(name: str) -> None:
    facts = scan_bytes(stream(BENIGN[name]), "model.pkl")[0]
    assert facts.verdict == "safe", [i.message for i in facts.issues]


def objects() -> dict[str, object]:
    import collections
    import functools
    import random
    import typing
    import uuid

    from scipy import interpolate, sparse, spatial, stats
    from scipy.optimize import minimize
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.isotonic import IsotonicRegression
    from sklearn.neighbors import KNeighborsClassifier

    x, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    return {
        "uuid": uuid.UUID(int=5),
        "random": random.Random(3),
        "factory": collections.defaultdict(functools.partial(int, base=16), {"a": 1}),
        "typing": typing.Optional[list[int]],  # noqa: UP045
        "literal": typing.Literal["a"],
        "records": np.zeros(2, [("a", "f4"), ("b", "O"), ("c", "U3"), ("d", "i2", (2,))]),
        "aligned": np.zeros(1, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        "recarray": np.rec.fromrecords([(1, 2.0)]),
        "masked": np.ma.array([1, 2], mask=[True, False]),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(x, y),
        "balls": KNeighborsClassifier(algorithm="ball_tree", metric="manhattan").fit(x, y),
        "isotonic": IsotonicRegression().fit(x[:, 0], y),
        "boosting": HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1).fit(x, y),
        "trees": [spatial.cKDTree(np.random.RandomState(0).rand(400, 3)), spatial.KDTree(x)],
        "triangles": interpolate.LinearNDInterpolator(np.random.RandomState(0).rand(9, 2), np.arange(9)),
        "splines": [interpolate.BSpline(np.arange(6.0), np.arange(4.0), 1), interpolate.CubicSpline(np.arange(4.0), np.arange(4.0))],
        "sparse": [sparse.csr_matrix(np.eye(2)), sparse.dok_matrix(np.eye(2))],
        "frozen": [stats.norm(0, 1), stats.poisson(3), stats.gaussian_kde(np.arange(5.0))],
        "result": minimize(lambda v: float(v[0] ** 2), [1.0]),
        "methods": str.split,
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_real_objects_with_states_of_these_kinds_are_safe(protocol: int) -> None:
    for name, value in objects().items():
        facts = scan_bytes(pickle.dumps(value, protocol), "m.pkl")[0]
        assert facts.verdict == "safe", (name, [i.message for i in facts.issues])


def test_real_objects_in_joblib_files_are_safe() -> None:
    for name, value in objects().items():
        out = io.BytesIO()
        joblib.dump(value, out)
        facts = scan_bytes(out.getvalue(), "m.joblib")[0]
        assert facts.verdict == "safe", (name, [i.message for i in facts.issues])


@pytest.mark.parametrize("field", [7, 8])
def test_tree_whose_nodes_point_outside_is_not_safe(field: int) -> None:
    from scipy.spatial import cKDTree

    tree = cKDTree(np.random.RandomState(0).rand(100, 2), leafsize=10)
    state = tree.__getstate__()
    nodes = bytearray(state[0].tobytes())
    struct.pack_into("<q", nodes, 8 * field, 1 << 40)
    good = pickle.dumps(tree, 4)
    assert verdict(good) == "safe"
    assert good.count(state[0].tobytes()) == 1
    assert verdict(good.replace(state[0].tobytes(), bytes(nodes))) != "safe"


def test_compressed_text_is_no_fault() -> None:
    import gzip

    facts = scan_bytes(gzip.compress(b"just a note\n" * 9), "note.txt.gz")[0]
    assert (facts.verdict, facts.container) == ("safe", "gzip")


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        (b"X\x05\x00\x00\x001.5.2", "safe"),
        # Compared with the library's own version, a data type parses that as source.
        (b"cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R", "suspicious"),
    ],
    ids=["text", "data type"],
)
def test_the_version_of_an_estimator_is_text(version: bytes, verdict: str) -> None:
    data = (
        b"\x80\x03csklearn.isotonic\nIsotonicRegression\n)\x81}X\x10\x00\x00\x00_sklearn_version"
        + version
        + b"sb."
    )
    assert scan_bytes(data, "m.pkl")[0].verdict == verdict


@pytest.mark.parametrize(("code", "verdict"), [("f8", "safe"), ("1,f8", "suspicious")])
def test_the_data_type_of_a_buffer_is_no_source(code: str, verdict: str) -> None:
    # NumPy parses a text with a comma as Python source.
    buffer = b"\x96" + struct.pack("<Q", 16) + bytes(16)
    dtype = b"\x8c" + bytes([len(code)]) + code.encode()
    stream = (
        b"\x80\x05cnumpy.core.numeric\n_frombuffer\n(" + buffer + dtype + b"K\x02\x85\x8c\x01CtR."
    )
    assert scan_bytes(stream, "m.pkl")[0].verdict == verdict
