"""Which states BUILD may give to which objects, and what a library's own code may be handed.

Setting attributes is harmless by itself; what makes it an attack is code that runs while loading
and calls what it finds in them: ``__setstate__`` methods, rebuilding functions, finalisers, NumPy's
``__array__``. So code of libraries is only given *values*: numbers, text, arrays, dates, tables and
containers of them, in which nothing can be called. Classes of extension modules trust their state
further than they check it: they are only given the form that they write themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from struct import Struct
from typing import TypeAlias

from auditor import lazy_re as re
from auditor.artifacts.pickle.names import canonical, lookup
from auditor.artifacts.pickle.runs import Run, Some
from auditor.artifacts.pickle.values import MISSING, Big, Call, Dct, Glob, Lst, Pers, Value, plain

Objection: TypeAlias = str | None

# Modules whose classes hold values only, and are held to it: their own state is checked as such.
_VALUE_MODULES = (
    "numpy.core",
    "numpy.dtypes",
    "numpy.ma",
    "numpy.random",
    "numpy.matrixlib",
    "numpy.rec",
    "pandas",
    "scipy.sparse",
    "scipy.spatial.transform",
    "scipy.spatial._qhull",
    "scipy.spatial.qhull",
    "statsmodels.tsa.statespace._initialization",
    "statsmodels.tsa.statespace._representation",
    "statsmodels.tsa.statespace._kalman_filter",
    "statsmodels.tsa.statespace._kalman_smoother",
    "pyarrow.lib",
    "polars.series",
    "polars.dataframe",
    "datetime",
    "decimal",
    "fractions",
    "uuid",
    "ipaddress",
    "pathlib",
    "zoneinfo",
    "pytz",
    "array",
    "river.drift.adwin_c",
    "_codecs",
    "torch._utils",
    "torch._tensor",
    "torch.nn.parameter",
    "torch.serialization",
    "torch.storage",
    "joblib.numpy_pickle",
    "sklearn.externals.joblib.numpy_pickle",
)
_VALUE_NAMES = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "set frozenset list dict tuple bytes bytearray complex slice range int str float bool",
        "collections": "OrderedDict deque Counter defaultdict",
        "numpy": "dtype ndarray matrix recarray record chararray",
        "torch": "Size device",
        "_operator": "itemgetter",
        "scipy.interpolate._interpolate": "_PPoly _BPoly",
        "scipy.interpolate._bsplines": "_BSpline",
    }.items()
    for name in names.split()
)
_NOT_VALUES = frozenset(
    {"numpy.core._ufunc_reconstruct", "pandas.core.groupby", "pandas.core.window"}
)
_TYPE_MODULES = frozenset(
    {"collections", "builtins", "numpy", "pandas", "datetime", "decimal", "torch", "numpy.core"}
)
_MAX_STEPS = 20_000
# Attributes in double underscores that are only ever documentation.
_QUIET = frozenset(
    [
        "__doc__",
        "__name__",
        "__qualname__",
        "__module__",
        "__orig_class__",
        "__annotations__",
        "__wrapped__",
        "__version__",
        "__networkx_cache__",
    ]
)


def hook(key: Value) -> bool:
    """Whether an attribute of this name may be called by the interpreter or a library."""
    return type(key) is str and key.startswith("__") and key.endswith("__") and key not in _QUIET


def valued(value: Value, extra: Callable[[Call], bool] | None = None) -> bool:
    """Data through and through, with arrays, dates, tables and the like: nothing to be called."""
    pending = [value]
    steps = 0
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        kind = type(value)
        if kind in _PLAIN:
            continue
        steps += 1
        if steps > _MAX_STEPS:
            return False
        if id(value) in seen:
            continue
        seen.add(id(value))
        if kind is tuple:
            pending += value
        elif kind is Lst:
            if value.odd:
                return False
            pending += value.items
            pending += value.rest
        elif kind is Dct:
            if value.odd:
                return False
            pending += value.flat
            pending += value.rest
        elif kind is Glob:
            if not _names_type(value):
                return False
        elif kind is Call:
            if extra is not None and extra(value):
                continue
            if not _is_value(value):
                named = target(value)
                if type(named) is Glob and _names_type(named):
                    continue
                return False
            if type(value.func) is Glob and value.func.module in ("collections", "builtins"):
                pending += value.items
                pending += value.rest
                if value.more_items:
                    return False
                if type(value.args) is tuple:
                    pending += value.args
        elif kind is Pers:
            # Only where the loader resolves them to storages: elsewhere they are a finding.
            continue
        elif kind is Run:
            if value.values is not None:
                pending += value.values
            elif not value.literal():
                return False
        elif kind is Some:
            if not value.scalar:
                return False
        else:
            return False
    return True


_PLAIN = frozenset({str, int, float, bool, type(None), bytes, Big})


def _names_type(value: Glob) -> bool:
    """A class or a data type, which is given as an argument; no function."""
    module = canonical(value.module)
    top = module.partition(".")[0]
    if value.name == "asarray" and top in ("numpy", "scipy"):
        return True
    if top not in _TYPE_MODULES:
        return False
    entry = lookup(value.module, value.name)
    if entry.standing != "allowed":
        return False
    if entry.kind in ("class", "native", "dict", "list", "tuple", "enum"):
        return True
    return value.name in _TYPES or top == "torch"


_TYPES = frozenset(
    [
        *("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16"),
        *("uint32", "uint64", "bool_", "bool", "str_", "bytes_", "object_", "complex64"),
        *("complex128", "intp", "void", "datetime64", "timedelta64", "longlong", "ulonglong"),
        *("float_", "int_", "generic", "number", "integer", "floating", "longdouble", "string_"),
        *("unicode_", "int", "float", "str", "bytes", "complex", "object", "dict", "list", "tuple"),
        *("set", "frozenset", "bytearray", "slice", "range", "NA", "NaT", "nan"),
    ]
)


def of_values(cls: Glob) -> bool:
    """A class of the modules whose classes hold values only."""
    key = f"{canonical(cls.module)}.{cls.name}"
    if key in _VALUE_NAMES:
        return True
    return key.startswith(_PREFIXES) and not key.startswith(tuple(_NOT_VALUES))


_PREFIXES = tuple(module + "." for module in _VALUE_MODULES)


def _is_value(call: Call) -> bool:
    if call.cls is not None:
        return of_values(call.cls)
    func = target(call.func)
    if type(func) is not Glob:
        return False
    if func.key == "builtins.getattr":
        # A member of an enumeration.
        base = call.args[0] if type(call.args) is tuple and call.args else None
        return type(base) is Glob and lookup(base.module, base.name).kind == "enum"
    if lookup(func.module, func.name).kind == "enum":
        return True
    return of_values(func)


def target(func: Value) -> Value:
    """The global that is meant: dill names built-in functions and types by calls of its own."""
    if type(func) is not Call or type(func.func) is not Glob or type(func.args) is not tuple:
        return func
    key, args = func.func.key, func.args
    if key == "dill._dill._load_type" and len(args) == 1 and type(args[0]) is str:
        if args[0] in ("partial", "PartialType"):
            return Glob("functools", "partial", func.offset)
        known = args[0] in _TYPES or lookup("builtins", args[0]).kind == "exception"
        return Glob("builtins", args[0], func.offset) if known else func
    if key in ("cloudpickle.cloudpickle._builtin_type", "cloudpickle._builtin_type"):
        return (
            Glob("types", "SimpleNamespace", func.offset) if args == ("SimpleNamespace",) else func
        )
    if key == "dill._dill._getattr" and len(args) == 3 and type(args[1]) is str:
        owner = target(args[0])
        named = type(owner) is Glob and owner.module == "builtins"
        return Glob("builtins", f"{owner.name}.{args[1]}", func.offset) if named else func
    if key == "dill._dill._get_attr" and len(args) == 2 and type(args[1]) is str:
        # Releases before 0.3.5 name the module.
        module = args[0] if type(args[0]) is str else module_of(args[0])
        return func if module is None else Glob(module, args[1], func.offset)
    if key == "dill._dill._create_namedtuple" and 3 <= len(args) <= 4:
        named = type(args[0]) is str and type(args[2]) is str
        return Glob(args[2], args[0], func.offset) if named else func
    if key == "builtins.getattr" and len(args) == 2:
        named = type(args[0]) is Glob and type(args[1]) is str
        return Glob(args[0].module, f"{args[0].name}.{args[1]}", func.offset) if named else func
    return func


def module_of(value: Value) -> str | None:
    """The module that a library's own import gives, None for anything else."""
    if (
        type(value) is Call
        and type(value.func) is Glob
        and value.func.key
        in (
            "dill._dill._import_module",
            "cloudpickle.cloudpickle.subimport",
            "cloudpickle.subimport",
        )
        and type(value.args) is tuple
        and value.args
        and type(value.args[0]) is str
    ):
        return value.args[0]
    return None


# -- forms of arrays -------------------------------------------------------------------------


def array_shape(value: Value) -> tuple[int, ...] | None:
    """The shape of what is an array for certain; None for anything else."""
    if type(value) is not Call:
        return None
    func = target(value.func)
    if type(func) is not Glob:
        return None
    name = f"{canonical(func.module)}.{func.name}"
    shape: Value = None
    if name == "numpy.core.numeric._frombuffer":
        shape = value.args[2] if type(value.args) is tuple and len(value.args) > 2 else None
    elif name.endswith("numpy_pickle.NumpyArrayWrapper"):
        state = value.states[-1] if value.states else None
        shape = state.get("shape") if type(state) is Dct else None
    elif name == "dill._dill._create_array":
        state = value.args[2] if type(value.args) is tuple and len(value.args) > 2 else None
        shape = state[-4] if type(state) is tuple and len(state) >= 4 else None
    elif name == "numpy.core.multiarray._reconstruct":
        state = value.states[-1] if value.states else None
        shape = state[-4] if type(state) is tuple and len(state) >= 4 else None
    elif name.endswith("NDArrayWrapper"):
        return ()
    if type(shape) is tuple and all(type(n) is int for n in shape):
        return shape
    return None


def is_array(value: Value) -> bool:
    """A NumPy array for certain."""
    return array_shape(value) is not None


# -- the policies: what ``__setstate__`` of a class takes ----------------------------------------


def attributes(state: Value) -> Objection:
    """A dictionary of attributes, none of them a hook."""
    if type(state) is Call:
        # A dictionary by another name.
        cls = state.cls
        entry = lookup(cls.module, cls.name) if cls is not None else None
        if entry is None or entry.kind != "dict" or state.states:
            return "its state is no dictionary"
        keys = state.items[::2]
        if state.more_items or state.rest:
            return "its attributes are not known"
    elif type(state) is Dct:
        keys = state.flat[::2]
        if not state.complete:
            return "its attributes are not known"
    else:
        return "its state is no dictionary"
    for key in keys:
        if type(key) is not str and not plain(key):
            return "its attributes are not known"
        if hook(key):
            return f"it sets the attribute {key}, which is called"
    return None


def state_default(call: Call, cls: Glob, state: Value) -> Objection:
    """No ``__setstate__``: attributes are set, and slots through their descriptors."""
    if type(state) is tuple and len(state) == 2:
        slots = state[1]
        state = state[0]
        if slots is not None:
            objection = attributes(slots)
            if objection is not None or type(slots) is not Dct:
                return objection or "its slots are not known"
            known = slots_of(cls)
            for key, _ in slots.pairs():
                if key not in known:
                    return f"it assigns the attribute {str(key)[:80]}, which is no slot"
        if state is None:
            return None
    if state is None:
        return None
    objection = attributes(state)
    if objection is None and of_values(cls) and not valued(state):
        return "its state holds more than data"
    return objection


def slots_of(cls: Glob) -> frozenset[str]:
    """The slots that the generator found on the class."""
    from auditor.artifacts.pickle.names import slots

    return slots(cls.module, cls.name)


def state_values(call: Call, cls: Glob, state: Value) -> Objection:
    """Code of the library looks into the state: data only."""
    if type(state) is Dct and attributes(state) is not None:
        return attributes(state)
    return None if valued(state) else "its state holds more than data"


def state_attributes(call: Call, cls: Glob, state: Value) -> Objection:
    """``__setstate__`` that was read: it updates the attributes and calls nothing of them."""
    return attributes(state)


def state_estimator(call: Call, cls: Glob, state: Value) -> Objection:
    """Estimators of scikit-learn: compares and prints the version, then takes the attributes."""
    objection = attributes(state)
    if objection is None and type(state) is Dct:
        version = state.get("_sklearn_version")
        if version is not MISSING and type(version) is not str:
            return "its version is no text"
    return objection


def state_pycaret(call: Call, cls: Glob, state: Value) -> Objection:
    """An estimator that compares and prints versions, and calls what it caches with, if anything."""
    objection = state_estimator(call, cls, state)
    if objection is None and type(state) is Dct:
        versions = state.get("_pycaret_versions")
        if versions is not MISSING and not plain(versions):
            return "its versions are no text"
        if state.get("_memory") is not None:
            return "it caches to a place of its own"
    return objection


def state_pmdarima(call: Call, cls: Glob, state: Value) -> Objection:
    """Takes the attributes, then calls a method that compares and prints the version."""
    objection = attributes(state)
    if objection is None and type(state) is Dct:
        version = state.get("pkg_version_")
        if version is not MISSING and type(version) is not str:
            return "its version is no text"
        if state.get("_warn_for_older_version") is not MISSING:
            return "it replaces a method that is called"
    return objection


def state_booster(call: Call, cls: Glob, state: Value) -> Objection:
    """Boosters free the handle in their state when they are dropped: it must be a saved model."""
    objection = attributes(state)
    if objection is not None or type(state) is not Dct:
        return objection
    for key, value in state.pairs():
        if key in ("handle", "_handle", "raw", "model_str") and not (
            type(value) in (str, bytes, Big, type(None)) or _is_bytes(value)
        ):
            return "the model inside is no data"
    return None if valued(state) else "its state holds more than data"


def _is_bytes(value: Value) -> bool:
    func = target(value.func) if type(value) is Call else None
    return type(func) is Glob and func.key in (
        "builtins.bytearray",
        "builtins.bytes",
        "_codecs.encode",
    )


def state_saved(call: Call, cls: Glob, state: Value) -> Objection:
    """Bytes of a format without code, or parts made of such."""
    parts = state.items if type(state) is Lst and state.complete else [state]
    if all(
        type(p) in (bytes, str, Big) or _is_bytes(p) or _is_value(p) for p in parts if p is not None
    ):
        return None
    return "the data inside are not known"


def state_memory(call: Call, cls: Glob, state: Value) -> Objection:
    """A cache of joblib that is switched off; one with a place loads pickles from there later."""
    objection = attributes(state)
    if objection is None and not plain(state):
        return "it caches to a place of its own"
    return objection


def state_skorch(call: Call, cls: Glob, state: Value) -> Objection:
    """Unpickles or ``torch.load``s the bytes under one of its keys, the rest are attributes."""
    key = "__cuda_dependent_attributes__"
    if type(state) is not Dct or not state.complete or not plain(state.get("device")):
        return "its attributes are not known"
    if state.get("torch_load_kwargs") is not MISSING and not plain(state.get("torch_load_kwargs")):
        return "it loads with options that are not known"
    from auditor.artifacts.pickle.nested import judge_bytes

    others = [part for name, own in state.pairs() if name != key for part in (name, own)]
    objection = attributes(Dct(others))
    for name, own in state.pairs():
        if name == key and objection is None:
            found = judge_bytes(own)
            if type(found) is str:
                objection = found
            elif not found[0].startswith(("pickle", "torch-")):
                objection = "what it loads is no pickle"
    return objection


def state_ngboost(call: Call, cls: Glob, state: Value) -> Objection:
    """Makes a class from the score and the distribution that it names, with their metaclass."""
    objection = attributes(state)
    if objection is not None or type(state) is not Dct or not state.complete:
        return objection or "its attributes are not known"
    for key, own in state.pairs():
        if key in ("Score", "Dist", "_basedist"):
            named = type(own) is Glob and own.module.startswith("ngboost.")
            if not named or lookup(own.module, own.name).standing != "allowed":
                return f"its {key} is no class of the library"
        elif key in ("K", "Dist_name", "uncensor") and not plain(own):
            return f"its {key} is not known"
    return None


def state_graph_view(call: Call, cls: Glob, state: Value) -> Objection:
    """A view of a networkx graph: takes dictionaries from the graph that it is given."""

    def graph(inner: Call) -> bool:
        return inner.cls is not None and inner.cls.module.startswith("networkx.classes.")

    return None if valued(state, graph) else "its state holds more than a graph"


def state_updater(call: Call, cls: Glob, state: Value) -> Objection:
    """Classes of arch read as many items of their state as they have, whether there or not."""
    known = type(state) is tuple and len(state) == _UPDATERS.get(cls.name)
    return None if known and valued(state) else "it is not the state of a volatility process"


_UPDATERS = {
    "GARCHUpdater": 5,
    "EGARCHUpdater": 4,
    "HARCHUpdater": 1,
    "EWMAUpdater": 2,
    "FIGARCHUpdater": 3,
    "MIDASUpdater": 5,
    "RiskMetrics2006Updater": 2,
}


def state_temporary(call: Call, cls: Glob, state: Value) -> Objection:
    """Writes its content to a temporary file, whose name holds the prefix and the suffix."""
    if type(state) is not Dct or not state.complete:
        return "its attributes are not known"
    own = {key: value for key, value in state.pairs() if type(key) is str}
    content = own.pop("__FILE_RESOURCE_DATA__", None)
    if attributes(Dct([part for pair in own.items() for part in pair])) is not None:
        return "its attributes are not known"
    if (
        own.get("name", "") is None
        and all(
            type(own.get(key)) is str and re.fullmatch(r"[\w.\-]*", own[key])
            for key in ("prefix", "suffix")
        )
        and (content is None or type(content) in (bytes, Big) or _is_bytes(content))
        and all(plain(value) for value in own.values())
    ):
        return None
    return "it writes a file whose name it tells"


def state_none(call: Call, cls: Glob, state: Value) -> Objection:
    """No model of this class is saved with a state."""
    return "a native class takes its state on trust"


def state_tree(call: Call, cls: Glob, state: Value) -> Objection:
    """``sklearn.tree._tree.Tree``: copies as many nodes as the state says there are."""
    if type(state) is not Dct or not state.complete:
        return "it is not the state of a tree"
    nodes, values = array_shape(state.get("nodes")), array_shape(state.get("values"))
    if (
        nodes is None
        or values is None
        or len(nodes) != 1
        or len(values) != 3
        or nodes[0] != values[0]
        or state.get("node_count") != nodes[0]
        or type(state.get("max_depth")) is not int
    ):
        return "it is not the state of a tree"
    return None


def state_binary_tree(call: Call, cls: Glob, state: Value) -> Objection:
    """``KDTree`` and ``BallTree`` read their state without checking its length."""
    if (
        type(state) is tuple
        and (len(state) == 13 or (len(state) == 12 and "._" not in cls.module))
        and all(is_array(part) for part in state[:4])
        and all(type(part) is int for part in state[4:11])
        and type(state[11]) is Call
        and state[11].cls is not None
        and "dist_metrics" in state[11].cls.module
        and all(part is None or is_array(part) for part in state[12:])
    ):
        return None
    return "it is not the state of a tree of neighbours"


def state_distance(call: Call, cls: Glob, state: Value) -> Objection:
    """``DistanceMetric``: a number and two arrays; a function where the user gave one."""
    if (
        type(state) is tuple
        and len(state) in (3, 4, 5)
        and type(state[0]) in (int, float)
        and is_array(state[1])
        and is_array(state[2])
        and (len(state) == 3 or cls.name.startswith("PyFunc") or is_array(state[3]))
    ):
        return None
    return "it is not the state of a distance"


def state_ckdtree(call: Call, cls: Glob, state: Value) -> Objection:
    """``cKDTree`` follows the nodes in its buffer wherever they point: they are followed here."""
    if type(state) is tuple and len(state) == 2 and type(state[0]) is tuple:
        if attributes(state[1]) is not None:
            return "it is not the state of a tree of neighbours"
        state = state[0]
    if (
        type(state) is tuple
        and len(state) == 10
        and all(type(part) is int for part in state[2:5])
        and array_shape(state[1]) == state[2:4]
        and array_shape(state[5]) == array_shape(state[6]) == state[3:4]
        and array_shape(state[7]) == state[2:3]
        and all(part is None or is_array(part) for part in state[8:10])
        and _nodes_agree(array_bytes(state[0]), state[2])
    ):
        return None
    return "it is not the state of a tree of neighbours"


_NODE = Struct("<qqdqqQQqq")
_MAX_NODES = 1 << 20


def _nodes_agree(raw: bytes | None, points: int) -> bool:
    """Children stand behind their parent and inside the buffer; so does what a leaf holds."""
    if raw is None or len(raw) % _NODE.size:
        return False
    count = len(raw) // _NODE.size
    for index, node in enumerate(_NODE.iter_unpack(raw)):
        axis, _, _, start, end, _, _, less, greater = node
        if not 0 <= start <= end <= points:
            return False
        if axis != -1 and not (index < less < count and index < greater < count and axis >= 0):
            return False
    return True


def array_bytes(value: Value) -> bytes | None:
    """The content of an array as it lies in the file, None when it is not to be had."""
    if type(value) is not Call or not is_array(value):
        return None
    func = target(value.func)
    held: Value = None
    if type(func) is not Glob:
        return None
    if func.name == "_frombuffer":
        held = value.args[0]
    elif func.name == "NumpyArrayWrapper":
        held = value.items[0] if value.items else None
    elif func.name == "_reconstruct":
        held = value.states[-1][-1]
    elif func.name == "_create_array":
        held = value.args[2][-1]
    if type(held) is Call and type(held.args) is tuple and held.args and held.func is not None:
        held = held.args[0]
    if type(held) is Big:
        if held.data is None or held.size > _MAX_NODES * _NODE.size:
            return None
        raw: bytes = held.data[held.offset : held.offset + held.size]
        if held.kind != "str":
            return raw
        held = raw.decode("utf-8", "replace")
    if type(held) is str:
        return held.encode("latin-1", "replace")
    return held if type(held) is bytes else None


def state_empty(call: Call, cls: Glob, state: Value) -> Objection:
    """Losses and the like hold numbers, or nothing."""
    return None if plain(state) and type(state) in (tuple, Dct, type(None)) else "it holds a state"


def state_uuid(call: Call, cls: Glob, state: Value) -> Objection:
    """Takes items of its state: a dictionary of numbers."""
    return None if type(state) is Dct and plain(state) else "its state is not plain data"


def state_plain(call: Call, cls: Glob, state: Value) -> Objection:
    """Takes its state apart: numbers and text only, in tuples."""
    return None if type(state) is tuple and valued(state) else "its state is not plain data"


def state_buffer(call: Call, cls: Glob, state: Value) -> Objection:
    """What a file in memory holds, where it stands in it, and no attributes."""
    if type(state) is tuple and len(state) == 3 and state[2] is None and type(state[1]) is int:
        held = state[0]
        if type(held) is bytes or _is_bytes(held) or (type(held) is Big and held.kind == "bytes"):
            return None
    return "what it holds is not known"


_WRAPPER = {
    "subclass": lambda v: type(v) is Glob and is_array_type(v),
    "shape": lambda v: type(v) is tuple and all(type(n) is int and n >= 0 for n in v),
    "order": lambda v: v in ("C", "F") and type(v) is str,
    "dtype": lambda v: type(v) is Call and valued(v),
    "allow_mmap": lambda v: type(v) is bool,
    "numpy_array_alignment_bytes": lambda v: type(v) in (int, type(None)),
    "filename": lambda v: type(v) is str,
    "init_args": lambda v: (
        type(v) is tuple
        and len(v) == 3
        and type(v[0]) is Glob
        and is_array_type(v[0])
        and valued(v[1:])
    ),
    "state": lambda v: type(v) is tuple and valued(v),
}


def is_array_type(value: Glob) -> bool:
    """``numpy.ndarray`` and its subclasses, by the names they are pickled under."""
    return value.name in _ARRAY_TYPES and canonical(value.module).partition(".")[0] == "numpy"


_ARRAY_TYPES = frozenset(
    {"ndarray", "matrix", "recarray", "chararray", "memmap", "MaskedArray", "record"}
)


def state_joblib(call: Call, cls: Glob, state: Value) -> Objection:
    """Joblib calls methods of its wrappers: nothing but their own attributes."""
    if type(state) is not Dct or not state.complete:
        return "its state is not known"
    for key, value in state.pairs():
        check = _WRAPPER.get(key) if type(key) is str else None
        if check is None or not check(value):
            return "it is not the state of an array on file"
    return None


# -- NumPy ---------------------------------------------------------------------------------------


def state_dtype(call: Call, cls: Glob, state: Value) -> Objection:
    """``numpy.dtype`` trusts its state: sizes, offsets and flags must agree with the type code."""
    args = call.args if type(call.args) is tuple else ()
    if len(args) != 3 or args[2] not in (True, 1):
        # Without the copy it is the object that the whole process uses.
        return "the data type is shared with the whole process"
    if (
        type(state) is tuple
        and (len(state), state[0]) in ((8, 3), (9, 4))
        and (state[1] is None or state[1] in ("<", ">", "=", "|"))
        and (state[2] is None or type(state[2]) is tuple)
        and (state[3] is None or (type(state[3]) is tuple and plain(state[3])))
        and (state[4] is None or type(state[4]) is Dct)
        and all(type(n) is int for n in state[5:8])
        and (len(state) == 8 or valued(state[8]))
        and _dtype_agrees(args[0], state)
    ):
        return None
    return "it is not the state of a data type"


# What NumPy sets for references: counted, initialised, pickled as a list, needs the interpreter.
_OBJECT_FLAGS = 27
# All but "initialised" and "aligned"; of records all but "needs the interpreter", too.
_PLAIN_FLAGS = 0x77
_RECORD_FLAGS = 0x67


def _dtype_agrees(code: Value, state: tuple[Value, ...]) -> bool:
    """A number has no fields, no size of its own and no flags; only objects are references."""
    if type(code) is Glob and code.name in ("record", "void"):
        return _fields_agree(state)
    if type(code) is not str:
        return False
    letter = code.lstrip("<>=|")[:1]
    if letter in "mM" and len(state) < 9:
        # Without its unit NumPy dereferences what is not there.
        return False
    if letter in "?bBhHiIlLqQefdgFDGuicmM":
        return state[2:8] == (None, None, None, -1, -1, 0)
    if letter == "O":
        return state[2:7] == (None, None, None, -1, -1) and state[7] == 63
    flags = state[7]
    if letter in "SUa":
        width = code.lstrip("<>=|")[1:]
        size = int(width) * (4 if letter == "U" else 1) if width.isdecimal() else 0
        return (
            state[2:5] == (None, None, None)
            and state[5] in ((size,) if size else (size, 1, 4))
            and not flags & _PLAIN_FLAGS
        )
    if letter != "V":
        return False
    return _fields_agree(state)


def _fields_agree(state: tuple[Value, ...]) -> bool:
    """Every field of a record lies inside it, and its flags say whether references are there."""
    base, names, fields, size, flags = state[2], state[3], state[4], state[5], state[7]
    if size < 0:
        return False
    parts: list[tuple[Value, int]] = []
    if base is not None:
        if names is not None or len(base) != 2:
            return False
        parts.append((base[0], 0))
    if (names is None) != (fields is None):
        return False
    if fields is not None:
        keys = {key for key, _ in fields.pairs() if type(key) is str}
        if not fields.complete or not names or not keys.issuperset(names):
            return False
        for _, field in fields.pairs():
            if type(field) is not tuple or not 2 <= len(field) <= 3 or type(field[1]) is not int:
                return False
            parts.append((field[0], field[1]))
    objects = False
    taken: list[tuple[int, int]] = []
    for kind, offset in parts:
        width, refers = _width(kind)
        if width is None or offset < 0 or offset + width > size:
            return False
        objects = objects or refers
        taken.append((offset, offset + width))
    if objects and base is None:
        # Nothing may be written over a reference.
        taken = sorted(set(taken))
        if any(end > start for (_, end), (start, _) in pairwise(taken)):
            return False
    return flags & _OBJECT_FLAGS == _OBJECT_FLAGS if objects else not flags & _RECORD_FLAGS


_NUMBER = re.compile(r"[<>=|]?([?bBhHiIlLqQefdgFDGucSUaVOmM])(\d+)?")
_SIZES = dict(zip("?bBhHiIlLqQefdgFDG", (1, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8, 2, 4, 8, 16, 8, 16, 32), strict=True))  # fmt: skip


def _width(kind: Value) -> tuple[int | None, bool]:
    """(bytes, holds references) of a data type that passed its own state policy."""
    if type(kind) is not Call or type(kind.func) is not Glob or kind.func.name != "dtype":
        return None, False
    code = kind.args[0] if type(kind.args) is tuple and kind.args else None
    if type(code) is Glob:
        code = "V0"
    found = _NUMBER.fullmatch(code) if type(code) is str else None
    if found is None:
        return None, False
    letter, digits = found.groups()
    state = kind.states[-1] if kind.states else None
    if letter == "O":
        return 8, True
    if letter in "mM":
        return 8, False
    if (
        type(state) is tuple
        and len(state) >= 8
        and all(type(n) is int for n in state[5:8])
        and state[5] >= 0
    ):
        return state[5], bool(state[7] & 1)
    if digits is None:
        return _SIZES.get(letter), False
    return int(digits) * (4 if letter == "U" else 1), False


def state_array(call: Call, cls: Glob, state: Value) -> Objection:
    """Arrays: (version,) shape, data type, order, and as much data as that takes."""
    if (
        type(state) is tuple
        and (len(state) == 4 or (len(state) == 5 and state[0] == 1))
        and type(state[-4]) is tuple
        and all(type(n) is int and n >= 0 for n in state[-4])
        and _is_dtype(state[-3])
        and _data_fits(state[-3], state[-4], state[-1])
    ):
        return None
    return "it is not the state of an array"


def _is_dtype(value: Value) -> bool:
    if type(value) is Glob:
        return _names_type(value)
    return type(value) is Call and type(value.func) is Glob and _is_value(value)


def _data_fits(dtype: Value, shape: tuple[int, ...], held: Value) -> bool:
    width, refers = _width(dtype)
    if refers:
        # One list of objects, of the very size: NumPy reads on behind a shorter one.
        return type(held) is Lst and held.kind == "list" and held.size == _count(shape)
    if type(held) is Lst:
        return width is None and held.size == _count(shape)
    if type(held) in (bytes, str):
        # Text was written by Python 2; NumPy checks the length itself.
        return True
    return type(held) is Big or (type(held) is Call and _is_value(held))


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for n in shape:
        count *= n
    return count


def state_masked(call: Call, cls: Glob, state: Value) -> Objection:
    """Masked arrays: an array and the mask behind it."""
    if type(state) is tuple and len(state) == 2 and type(state[1]) is Dct:
        # Records: the state of the array, and a dictionary of attributes.
        if not valued(state[1]):
            return "its state holds more than data"
        state = state[0]
    if (
        type(state) is tuple
        and len(state) == 7
        and state_array(call, cls, state[:5]) is None
        and valued(state[5:])
        and type(state[5]) in (bytes, str, Big, Call)
    ):
        return None
    return "it is not the state of a masked array"


# -- code in states ------------------------------------------------------------------------------

# scipy.stats distributions execute this text when their state is set; anything but the template
# that scipy itself writes is code.
_RV_LINE = r"[\w, =\.]*"
_RV_TEMPLATE = re.compile(
    rf"\s*def _parse_args\(self,{_RV_LINE}\):\s+return \({_RV_LINE}\),{_RV_LINE}\s+"
    rf"def _parse_args_rvs\(self,{_RV_LINE}\):\s+"
    rf"return self\._argcheck_rvs\({_RV_LINE}\)\s+"
    rf"def _parse_args_stats\(self,{_RV_LINE}moments='mv'\):\s+"
    rf"return \({_RV_LINE}\),{_RV_LINE}\s*",
    re.ASCII,
)
_RV_PARAMETERS = frozenset(
    [
        "momtype",
        "a",
        "b",
        "xtol",
        "badvalue",
        "name",
        "longname",
        "shapes",
        "extradoc",
        "seed",
        "values",
        "moment_tol",
        "inc",
    ]
)
# A formula of names and operators only; anything with a parenthesis is evaluated as Python.
_FORMULA = re.compile(
    r"[\w\s~+*:.\-|]*|[\w\s~+*:.\-|]*(?:\bC\([A-Za-z_]\w*\)[\w\s~+*:.\-|]*)+", re.ASCII
)


def state_distribution(call: Call, cls: Glob, state: Value) -> Objection:
    """``rv_generic`` executes the text ``_parse_arg_template`` of its state."""
    if type(state) is Dct and state.complete:
        objection = attributes(state)
        if objection is not None:
            return objection
        for key, value in state.pairs():
            if key == "_parse_arg_template" and not (
                type(value) is str and _RV_TEMPLATE.fullmatch(value)
            ):
                return "it executes the text _parse_arg_template of its state"
        return None if valued(state, _vectorized) else "its state holds more than data"
    # Before SciPy 1.6 the state was (constructor parameters, random state).
    if type(state) is tuple and len(state) == 2 and type(state[0]) is Dct and state[0].complete:
        keys = [key for key, _ in state[0].pairs()]
        if (
            len(keys) > 2
            and all(type(k) is str and k in _RV_PARAMETERS for k in keys)
            and valued(state)
        ):
            return None
    return "it may execute text of its state"


def _vectorized(call: Call) -> bool:
    # Discrete distributions hold one of their own methods, which nothing calls while loading.
    if call.cls is not None:
        return call.cls.key == "numpy.vectorize"
    args = call.args
    if type(call.func) is Glob and call.func.key == "builtins.getattr" and type(args) is tuple:
        owner = args[0] if args and type(args[0]) is Call else None
        cls = owner.cls if owner is not None else None
        return (
            cls is not None and args[1:] == ("_entropy",) and cls.module.startswith("scipy.stats.")
        )
    return bool(
        type(call.func) is Call
        and type(call.func.func) is Glob
        and call.func.func.key in METHOD_TYPES
        and call.func.args == ("MethodType",)
        and type(args) is tuple
        and len(args) == 2
        and type(args[0]) is Glob
        and args[0].module.startswith("scipy.stats.")
        and args[0].name.endswith("._entropy")
    )


# How cloudpickle and dill name the type of bound methods.
METHOD_TYPES = frozenset({"cloudpickle.cloudpickle._builtin_type", "dill._dill._load_type"})


def state_formula(call: Call, cls: Glob, state: Value) -> Objection:
    """Evaluates the formula of its state with the data beside it."""
    objection = attributes(state)
    if objection is not None or type(state) is not Dct:
        return objection or "its state is not known"
    if state.get("restore_model_spec") is MISSING and state.get("restore_design_info") is MISSING:
        return None
    formula = state.get("formula")
    if not (type(formula) is str and _FORMULA.fullmatch(formula)):
        return "it evaluates the formula of its state as Python code"
    for key in ("frame", "orig_endog", "orig_exog"):
        part = state.get(key)
        if part is not MISSING and not valued(part):
            return "its data are not known"
    return None


# -- which policy --------------------------------------------------------------------------------

STATES: dict[str, Callable[[Call, Glob, Value], Objection]] = {
    name.removeprefix("state_"): function
    for name, function in list(globals().items())
    if name.startswith("state_")
}
# Their states are attributes: all that matters is how these are called.
_ATTRIBUTES_ONLY = frozenset({"", "attributes"})


def state_objection(call: Call, cls: Glob, state: Value) -> Objection:
    """What setting this state would do that no model needs; None when nothing."""
    if type(state) in (Glob, Pers):
        return "its state is no data"
    if type(state) is Call and state.cls is None and not _is_value(state):
        return "its state is no data"
    if type(state) is Dct:
        # Compared with text: of anything else the comparison is code of a library.
        version = state.get("_sklearn_version")
        if version is not MISSING and type(version) is not str:
            return "its version is no text"
    policies = lookup(cls.module, cls.name).state.split("|")
    objection = None
    for policy in policies:
        objection = STATES[policy or "default"](call, cls, state)
        if (
            objection is None
            and not policy
            and len(policies) > 1
            and policies[-1] != "ckdtree"  # which takes no dictionary
            and not valued(state)
        ):
            # Another version has a ``__setstate__``.
            objection = "its state holds more than data"
        if objection is None:
            break
    return objection


def attributes_only(cls: Glob) -> bool:
    """Whether any dictionary without hooks is a fit state of this class."""
    return lookup(cls.module, cls.name).state in _ATTRIBUTES_ONLY and not of_values(cls)


def partial_state(call: Call, state: Value) -> bool:
    """``functools.partial``: (function, arguments, keywords, attributes), for a later call."""
    func = target(call.func)
    return (
        type(func) is Glob
        and func.key == "functools.partial"
        and not call.states
        and type(state) is tuple
        and len(state) == 4
        and type(state[1]) is tuple
        and (state[2] is None or type(state[2]) is Dct)
        and (state[3] is None or attributes(state[3]) is None)
    )
