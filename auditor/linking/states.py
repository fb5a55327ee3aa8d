"""States that are restored, and what the first prediction reads from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Mapping, Name, Opaque, Ref
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts, ObjectFacts, PickleFacts, Symbol


def state_reasons(
    facts: ArtifactFacts, pickle: PickleFacts, exact: Exact, loader: str
) -> Iterator[Reason]:
    """What BUILD and the first use of the object meet."""
    if exact.runtime.project:
        from auditor.linking.projects import project_reasons

        yield from project_reasons(pickle, exact)
    if pickle.code_objects or not _OF_FUNCTIONS.isdisjoint(facts.globals):
        from auditor.linking.bytecode import bytecode_reasons

        yield from bytecode_reasons(pickle, exact)
    tops = {g.partition(".")[0] for g in facts.globals}
    if tops & _CHECKED:
        from auditor.linking.integrity import damage_reasons

        yield from damage_reasons(pickle)
    if "numpy" in tops:
        yield from _numpy(pickle, exact)
        if loader == "joblib":
            yield from _joblib_subclass(pickle, exact)
    if "pandas" in tops:
        from auditor.linking.pandas_states import pandas_reasons

        yield from pandas_reasons(pickle, exact, loader)
    if "polars" in tops:
        from auditor.linking.polars_states import polars_reasons

        yield from polars_reasons(pickle, exact)
    if "scipy" in tops:
        from auditor.linking.scipy_states import scipy_reasons

        yield from scipy_reasons(pickle, exact)
    if "sklearn" in tops:
        yield from _trees(pickle, exact)
        yield from _histograms(pickle, exact)
        yield from _neighbours(pickle, exact)
        yield from _counts(pickle, exact)
        yield from _weights(pickle, exact)
        yield from _jobs(pickle, exact)
        yield from _passthrough(pickle, exact)
        yield from _losses(pickle, exact)
        yield from _projections(pickle, exact)
        yield from _flat(pickle, exact)
        for reason in _estimators(pickle, exact):
            if reason.effect != "warns" or loader != "pandas":
                # ``pandas.read_pickle`` lets no warning through.
                yield reason
        yield from _byte_labels(pickle)
    for top, distribution, whole in _PROBED:
        if top in tops:
            from auditor.linking.boosters import needs_reasons

            yield from needs_reasons(pickle, exact, distribution, whole=whole)
    if "category_encoders" in tops:
        yield from _contrasts(pickle, exact)
    if "xgboost" in tops:
        from auditor.linking.boosters import xgboost_reasons

        yield from xgboost_reasons(pickle, exact)
    if "lightgbm" in tops:
        from auditor.linking.boosters import lightgbm_reasons

        yield from lightgbm_reasons(pickle, exact)
    if "catboost" in tops:
        from auditor.linking.boosters import catboost_reasons

        yield from catboost_reasons(pickle, exact)
    from auditor.linking.layouts import layout_reasons
    from auditor.linking.standard import standard_reasons

    yield from standard_reasons(pickle, exact)
    yield from layout_reasons(pickle, exact)
    yield from _checksums(pickle, exact)


# Names by which functions are carried, or types that not every Python has.
_OF_FUNCTIONS: Final = frozenset({"types.CodeType", "dill._dill._load_type"})
# Libraries whose objects say things of themselves that have to agree.
_CHECKED: Final = frozenset(
    {"numpy", "pandas", "sklearn", "xgboost", "lightgbm", "inspect", "cloudpickle", "dill"}
)
# Libraries whose models were asked what they cannot do without: of imbalanced-learn's only the
# outermost is used, those inside are templates or done with after the training.
_PROBED: Final = (
    ("category_encoders", "category-encoders", True),
    ("statsmodels", "statsmodels", True),
    ("imblearn", "imbalanced-learn", False),
)


def keys_of(item: ObjectFacts) -> frozenset[str]:
    """Names in the object's ``__dict__``; ``*_`` where one ends as those of fitted estimators do."""
    names = {k for state in _mappings(item) for k, _ in state.pairs if isinstance(k, str)}
    if any(n.endswith("_") and not n.startswith("__") for n in names):
        names.add("*_")
    return frozenset(names)


def mapping_of(item: ObjectFacts) -> Mapping | None:
    """The object's ``__dict__`` as restored, or its slots; None when it has another form."""
    return next(iter(_mappings(item)), None)


def _mappings(item: ObjectFacts) -> tuple[Mapping, ...]:
    """The mappings of a state: one, or ``(dict, slots)``, of which either may be None."""
    state = item.state
    parts: tuple[Symbol, ...] = (state,)
    if isinstance(state, Items) and state.size == 2 and len(state.items) == 2:
        parts = state.items
    return tuple(part for part in parts if isinstance(part, Mapping))


def applying(needs: frozenset[str], state: Mapping) -> frozenset[str]:
    """The attributes that are read given the values of those which decide it."""
    found: set[str] = set()
    for need in needs:
        attribute, _, guards = need.partition("?")
        if not guards or all(_holds(guard, state) for guard in guards.split("&")):
            found.add(attribute)
    return frozenset(found)


def _holds(guard: str, state: Mapping) -> bool:
    """Whether a guard is true; False where that is not known."""
    name, equals, wanted = guard.lstrip("!+").partition("=")
    value = next((v for k, v in state.pairs if k == name), _ABSENT)
    if value is _ABSENT:
        return False
    holds = value is not None if "+" in guard else _true(value)
    if equals:
        holds = value == wanted if isinstance(value, str | None) else None
    return holds is not None and holds != guard.startswith("!")


_ABSENT: Final = Opaque("absent")


def _true(value: Symbol) -> bool | None:
    """Whether a value is true; None when that is not known."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return bool(value)
    if isinstance(value, Items | Mapping):
        return value.size > 0
    return None


def of_ref(pickle: PickleFacts, symbol: Symbol) -> ObjectFacts | None:
    """The object that a reference names."""
    if isinstance(symbol, Ref) and 0 <= symbol.index < len(pickle.objects):
        return pickle.objects[symbol.index]
    return None


# ---- NumPy ----

# Made by a constructor with an argument that its pickles leave out.
_LIMITS: Final = "numpy.finfo"
_RANDOM: Final = "numpy.random._pickle."


def _numpy(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Constructors of random generators, whose arguments changed in 1.24 and 2.0."""
    version = exact.version("numpy")
    if version is None:
        return
    number = symbols.numbers(version)
    for item in pickle.objects:
        if item.of == _LIMITS and item.how == "NEWOBJ" and not item.args:
            yield Reason(
                rule="CMP006",
                effect="load",
                message=f"holds a {_LIMITS}, which NumPy writes and cannot restore",
                error="TypeError: finfo.__new__() missing 1 required positional argument: 'dtype'",
                help="Store the data type, and ask it for its limits anew.",
                distribution="numpy",
            )
            return
        if item.of == _PLACES and number < _PLAIN_PLACES:
            yield Reason(
                rule="CMP006",
                effect="predict",
                message=f"holds a {_PLACES}, which NumPy writes since 2.4 only; NumPy {version} "
                "looks for another state",
                error="AttributeError: 'ndindex' object has no attribute '_it'",
                help="Store the shape, and make the iterator anew.",
                distribution="numpy",
            )
            return
        if item.of == _VECTORIZED and (odd := _vectorized(item, number)):
            yield odd
            return
        if not item.callable.startswith(_RANDOM):
            continue
        function = item.callable[len(_RANDOM) :]
        first = item.args[0] if item.args else None
        if len(item.args) > 1 and number < (1, 24):
            error = (
                f"TypeError: {function}() takes from 0 to 1 positional arguments but 2 were given"
            )
            written = "1.24"
        elif isinstance(first, Name | Ref) and number < (2, 0):
            error = "ValueError: … is not a known BitGenerator module."
            written = "2.0"
        elif (name := _bit_generator(first)) and _lacks_generator(name, version):
            yield Reason(
                rule="CMP006",
                effect="load",
                message=f"holds a random generator {name}, which NumPy {version} does not have",
                error=f"ValueError: {name} is not a known BitGenerator module.",
                help="Pin the NumPy that wrote it, or use PCG64.",
                distribution="numpy",
            )
            return
        else:
            continue
        yield Reason(
            rule="CMP006",
            effect="load",
            message=f"holds a random generator as NumPy {written} and newer write it; "
            f"NumPy {version} does not read that",
            error=error,
            help=f"Pin numpy>={written}, or do not store the generator (random_state=<int>).",
            distribution="numpy",
        )
        return


# Since this release an iterator over places can be written at all.
_PLACES: Final = "numpy.ndindex"
_PLAIN_PLACES: Final = (2, 4)
# Since this release a vectorized function of known types keeps its compiled forms in a dictionary.
_VECTORIZED: Final = "numpy.vectorize"
_FORMS: Final = (1, 19)


def _vectorized(item: ObjectFacts, number: tuple[int, ...]) -> Reason | None:
    """A vectorized function whose kept form is of the other kind: looked up when it is called."""
    state = mapping_of(item)
    if state is None or "_ufunc" not in keys_of(item) or state.get("signature") is not None:
        return None
    newer = isinstance(state.get("_ufunc"), Mapping)
    if not isinstance(state.get("otypes"), str) or newer == (number >= _FORMS):
        return None
    edge = ".".join(map(str, _FORMS))
    return Reason(
        rule="CMP006",
        effect="predict",
        message=f"holds a numpy.vectorize of NumPy {edge if newer else 'before ' + edge}"
        f"{' or newer' if newer else ''}, which calls its function by another path here",
        error="TypeError: 'dict' object is not callable"
        if newer
        else "TypeError: argument of type 'NoneType' is not iterable",
        help="Store the function itself, and vectorize it where it is used.",
        distribution="numpy",
    )


def _bit_generator(first: Symbol) -> str:
    """The name of the bit generator that a constructor is given; empty when it is not text."""
    return first if isinstance(first, str) else ""


def _lacks_generator(name: str, version: str) -> bool:
    table = symbols.table("numpy")
    known = table.known_with("numpy.random", name) if table is not None else None
    return known is not None and symbols.numbers(version)[:2] < symbols.numbers(known[0])[:2]


def _joblib_subclass(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Joblib restores array subclasses through ``__array_prepare__``, which NumPy 2 dropped."""
    if exact.at_least("numpy", 2) is not True:
        return
    for item in pickle.objects:
        if not item.of.endswith("numpy_pickle.NumpyArrayWrapper"):
            continue
        state = mapping_of(item)
        subclass = state.get("subclass") if state else None
        if isinstance(subclass, Name) and subclass.text not in ("numpy.ndarray", "numpy.memmap"):
            short = subclass.text.rpartition(".")[2]
            yield Reason(
                rule="CMP006",
                effect="predict",
                message=f"holds a {short}, which joblib gives back as a plain ndarray under NumPy 2",
                help="Store an ndarray, or pin numpy<2.",
                distribution="numpy",
            )
            return


def _checksums(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Cython objects whose layout the installed release's unpickling function refuses."""
    for item in pickle.objects:
        module, _, function = item.callable.rpartition(".")
        if not function.startswith("__pyx_unpickle_") or len(item.args) < 2:
            continue
        checksum = item.args[1]
        home = "sklearn._loss._loss" if module == "_loss" else module
        owner = symbols.owner(home)
        version = exact.version(owner) if owner else None
        table = symbols.table(owner) if owner else None
        if version is None or table is None or not isinstance(checksum, int):
            continue
        accepted = table.checksums(home, version)
        name = function.removeprefix("__pyx_unpickle_")
        if checksum in accepted and _of_a_patch(table, home, version, checksum):
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message=f"holds a {name} in a layout that came between two releases of {owner}; "
                f"whether {version} takes it is not known",
                help=f"Pin the {owner} that wrote the artifact.",
                distribution=owner or "",
            )
            return
        if not accepted or checksum in accepted:
            continue
        yield Reason(
            rule={"numpy": "CMP006", "scikit-learn": "CMP002"}.get(owner or "", "CMP011"),
            effect="load",
            message=f"holds a {name} in a layout that {owner} {version} refuses",
            error=f"PickleError: Incompatible checksums (0x{checksum:x} vs …)",
            help=f"Pin the {owner} that wrote the artifact, or write it again with {version}.",
            distribution=owner or "",
        )
        return


def _of_a_patch(table: symbols.Table, home: str, version: str, checksum: int) -> bool:
    """Whether a minor version's last release takes a layout that the minor before it does not.

    What compiled the release decides which it takes, and that changes with patch releases.
    """
    if version in table.versions:
        return False
    number = symbols.numbers(version)
    earlier = [v for v in table.versions if symbols.numbers(v)[:2] < number[:2]]
    before = table.checksums(home, earlier[-1]) if earlier else frozenset()
    return bool(before) and checksum not in before


# ---- category_encoders ----

# Since this release the contrast encoders give no column for the intercept.
_NO_INTERCEPT: Final = (2, 7)
_CONTRASTS: Final = (
    "HelmertEncoder",
    "SumEncoder",
    "BackwardDifferenceEncoder",
    "PolynomialEncoder",
)


def _contrasts(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Contrast encoders whose columns are other ones now; the names that they note tell."""
    version = exact.version("category-encoders")
    if version is None or symbols.numbers(version) < _NO_INTERCEPT:
        return
    for item in pickle.objects:
        state = mapping_of(item) if item.of.endswith(_CONTRASTS) else None
        if state is None or not item.of.startswith("category_encoders."):
            continue
        names = state.get("feature_names_out_") or state.get("feature_names")
        if isinstance(names, Items) and "intercept" in names.items:
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a {item.of.rpartition('.')[2]} whose first column is the intercept; "
                f"category_encoders {version} gives none, silently",
                help="Pin category-encoders<2.7, or fit the model again.",
                distribution="category-encoders",
            )
            return


# ---- scikit-learn ----

# Fields of a tree's nodes; ``missing_go_to_left`` came with 1.3.
_NODE_NEW: Final = "missing_go_to_left"
_TREE: Final = "sklearn.tree._tree.Tree"


def dtype_of(pickle: PickleFacts, array: Symbol) -> ObjectFacts | None:
    """The data type of the array that a symbol refers to, however it was written."""
    item = of_ref(pickle, array)
    if item is None:
        return None
    dtype: Symbol = None
    if item.callable.endswith("._frombuffer") and len(item.args) > 1:
        dtype = item.args[1]
    elif item.callable.endswith("._create_array") and len(item.args) > 2:
        # dill hands the state over as an argument.
        given = item.args[2]
        dtype = given.items[2] if isinstance(given, Items) and len(given.items) > 2 else None
    elif item.of.endswith("NumpyArrayWrapper"):
        state = mapping_of(item)
        dtype = state.get("dtype") if state else None
    elif isinstance(item.state, Items) and len(item.state.items) >= 3:
        dtype = item.state.items[2]
    return of_ref(pickle, dtype)


def _fields(pickle: PickleFacts, array: Symbol) -> tuple[str, ...] | None:
    """Field names of the structured array that a symbol refers to."""
    found = dtype_of(pickle, array)
    if found is None or not isinstance(found.state, Items) or len(found.state.items) < 4:
        return None
    names = found.state.items[3]
    if isinstance(names, Items):
        return tuple(n for n in names.items if isinstance(n, str))
    return None


def _trees(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Node layouts of decision trees: compiled, and refused when they differ."""
    version = exact.version("scikit-learn")
    if version is None:
        return
    number = symbols.numbers(version)
    for item in pickle.objects:
        if item.of != _TREE:
            continue
        state = mapping_of(item)
        fields = _fields(pickle, state.get("nodes")) if state is not None else None
        if not fields:
            continue
        has, wants = _NODE_NEW in fields, number >= (1, 3)
        if has != wants:
            yield Reason(
                rule="CMP002",
                effect="load",
                message="holds decision trees in the layout of scikit-learn "
                + ("1.3 and newer" if has else "before 1.3")
                + f", which {version} refuses",
                error="ValueError: node array from the pickle has an incompatible dtype",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
                evidence=(("node fields", ", ".join(fields)),),
            )
            return


def _field_type(pickle: PickleFacts, array: Symbol, field: str) -> str | None:
    """The type code of one field of a structured array."""
    found = dtype_of(pickle, array)
    if found is None or not isinstance(found.state, Items) or len(found.state.items) < 5:
        return None
    fields = found.state.items[4]
    entry = fields.get(field) if isinstance(fields, Mapping) else None
    inner = of_ref(pickle, entry.items[0]) if isinstance(entry, Items) and entry.items else None
    code = inner.args[0] if inner is not None and inner.args else None
    return code if isinstance(code, str) else None


# Since this patch release the trees count features by wider numbers.
_WIDE_FEATURES: Final = (1, 3, 1)


def _histograms(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Node layouts of histogram gradient boosting: read by compiled code when it predicts."""
    version = exact.version("scikit-learn")
    if version is None:
        return
    number = symbols.numbers(version)
    for item in pickle.objects:
        state = mapping_of(item) if item.of.endswith(".TreePredictor") else None
        fields = _fields(pickle, state.get("nodes")) if state is not None else None
        if state is None or not fields:
            continue
        wide = _field_type(pickle, state.get("nodes"), "feature_idx")
        wants = (
            {"missing_go_to_left"} if number >= (0, 22) else set(),
            {"num_threshold", "is_categorical"} if number >= (0, 24) else {"threshold"},
        )
        needed = set().union(*wants)
        if not needed <= set(fields) or (
            wide is not None and (wide in ("i8", "i4")) != (number >= _WIDE_FEATURES)
        ):
            yield Reason(
                rule="CMP002",
                effect="predict",
                message="holds histogram trees in the node layout of another scikit-learn, which "
                f"{version} refuses when it predicts",
                error="ValueError: Buffer dtype mismatch",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
            )
            return


# Ball and k-d trees: how many values their state has since it holds the weights of the samples.
_WEIGHTED: Final = (13, (0, 20))


def _neighbours(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Trees of neighbours: compiled code takes their state apart without counting its values."""
    version = exact.version("scikit-learn")
    count, since = _WEIGHTED
    if version is None or symbols.numbers(version) < since:
        return
    for item in pickle.objects:
        if (
            item.of.startswith("sklearn.neighbors.")
            and item.callable.endswith(".newObj")
            and item.of.endswith("Tree")
            and isinstance(item.state, Items)
            and item.state.size < count
        ):
            yield Reason(
                rule="CMP002",
                effect="predict",
                message="holds a tree of neighbours as scikit-learn before 0.20 wrote it, on which "
                f"{version} crashes",
                error="Segmentation fault",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
            )
            return


# Until then the weights of words were kept as a matrix, under a name that nobody reads any more.
_WEIGHTS: Final = (1, 5)


def _weights(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Word weights that newer releases do not find: they count words without weighing them.

    Of the words alone; a model behind them may decide alike.
    """
    version = exact.version("scikit-learn")
    root = of_ref(pickle, pickle.root)
    if version is None or symbols.numbers(version) < _WEIGHTS or root is None:
        return
    outer = mapping_of(root) if root.of.startswith("sklearn.feature_extraction.text.") else None
    inner = of_ref(pickle, outer.get("_tfidf")) if outer is not None else None
    state = keys_of(inner if inner is not None else root)
    if outer is not None and "_idf_diag" in state and "idf_" not in state:
        yield Reason(
            rule="CMP002",
            effect="predict",
            message=f"holds the weights of its words as scikit-learn before 1.5 kept them: {version} "
            "does not find them, and weighs all words alike, silently",
            help="Pin scikit-learn to the version that wrote the model, or train it again.",
            distribution="scikit-learn",
        )


def _one_lost(needs: frozenset[str], keys: frozenset[str]) -> bool:
    """Whether a fitted estimator has all but one of what its own release reads."""
    return len(needs - keys) == 1 and len(needs & keys) > 1 and "*_" in keys


def one_changed(one: str, other: str) -> bool:
    """Whether one name is the other with a character changed, or two neighbours turned round.

    Names of other lengths are other names: ``categories`` and ``categories_``.
    """
    places = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    if len(one) != len(other) or len(places) not in (1, 2):
        return False
    first, last = places[0], places[-1]
    return first == last or (
        last == first + 1 and one[first : last + 1] == other[last] + other[first]
    )


# Since this release a tree's values are shares of its classes, and no longer divided when asked.
_SHARES: Final = (1, 4)
# These are read by newer releases up to their values: other trees lack an attribute before that.
_RANDOM_TREES: Final = "ExtraTreeClassifier"


def _counts(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Trees whose values count samples: newer releases give the counts for probabilities."""
    version = exact.version("scikit-learn")
    if version is None or symbols.numbers(version) < _SHARES:
        return
    for item in pickle.objects:
        state = mapping_of(item) if item.of.endswith(f".{_RANDOM_TREES}") else None
        written = state.get("_sklearn_version") if state is not None else None
        if (
            isinstance(written, str)
            and symbols.numbers(written) < _SHARES
            and "tree_" in keys_of(item)
        ):
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"holds a {_RANDOM_TREES} of scikit-learn {written}, whose leaves count "
                f"samples: {version} gives the counts as probabilities",
                help=f"Pin scikit-learn=={written}, or train the model again with {version}.",
                distribution="scikit-learn",
            )
            return


# Until then ``n_jobs`` had to be a number.
_NO_JOBS: Final = (0, 20)
# These hand it to joblib, which takes None.
_ONLY_PARALLEL: Final = ("sklearn.pipeline.", "sklearn.multioutput.")


def _jobs(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """``n_jobs=None``, the default since 0.20, where it is compared with numbers."""
    version = exact.version("scikit-learn")
    table = symbols.table("scikit-learn")
    if version is None or table is None or symbols.numbers(version) >= _NO_JOBS:
        return
    for item in pickle.objects:
        if not item.of.startswith("sklearn.") or item.of.startswith(_ONLY_PARALLEL):
            continue
        state = mapping_of(item)
        if state is None or next((v for k, v in state.pairs if k == "n_jobs"), 1) is not None:
            continue
        module, _, name = item.of.rpartition(".")
        if "n_jobs" in applying(table.needs(module, name, version), state):
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"holds a {name} with n_jobs=None, which scikit-learn {version} compares "
                "with numbers when it predicts",
                error="TypeError: '<' not supported between instances of 'NoneType' and 'int'",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
            )
            return


def sklearn_version(pickle: PickleFacts) -> str | None:
    """The scikit-learn version that the estimators carry."""
    for item in pickle.objects:
        if isinstance(item.state, Mapping) and item.of.startswith("sklearn."):
            written = item.state.get("_sklearn_version")
            if isinstance(written, str):
                return written
    return None


def _estimators(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """The version that wrote the estimators, and attributes that were gained since."""
    table = symbols.table("scikit-learn")
    version = exact.version("scikit-learn")
    if version is None or table is None:
        return
    common = sklearn_version(pickle)
    shielded: set[tuple[str, str]] = set()
    for item in pickle.objects:
        if item.of.startswith("sklearn."):
            module, _, name = item.of.rpartition(".")
            shielded |= table.shields(module, name, version)
    warned = False
    reported: set[tuple[str, str]] = set()
    for index, item in enumerate(pickle.objects):
        if not item.of.startswith("sklearn."):
            continue
        state = mapping_of(item)
        if state is None:
            continue
        module, _, name = item.of.rpartition(".")
        own = state.get("_sklearn_version")
        if isinstance(own, str) and own != version and not warned:
            warned = True
            patch = own.split(".")[:2] == version.split(".")[:2]
            yield Reason(
                rule="CMP002",
                effect="warns",
                message=f"was written by scikit-learn {own}; {version} says so when it loads"
                + ("" if patch else ", and may predict otherwise"),
                evidence=(("difference", "patch" if patch else "minor"),),
                error="InconsistentVersionWarning",
                help=f"Pin scikit-learn=={own}, or train the model again with {version}.",
                distribution="scikit-learn",
            )
        written = own if isinstance(own, str) else common
        if written is None:
            continue
        keys = keys_of(item)
        before = applying(table.needs(module, name, written), state)
        root = pickle.root == Ref(index)
        if not before <= keys:
            # Not fitted (the template of an ensemble): nobody predicts with it.
            lost = min(before - keys)
            misspelt = len(before - keys) == 1 and any(one_changed(lost, k) for k in keys - before)
            if misspelt or (root and _one_lost(before, keys) and state.get("refit") is not False):
                yield Reason(
                    rule="CMP011",
                    effect="predict",
                    message=f"was damaged: it holds a fitted {name} without {lost}, which "
                    f"scikit-learn {written} stores and reads",
                    error=f"AttributeError: '{name}' object has no attribute '{lost}'",
                    help="Fetch or write the file again, and compare its checksum.",
                    distribution="scikit-learn",
                )
            continue
        wanted = applying(table.needs(module, name, version), state)
        for attribute in sorted(wanted - keys - before):
            if not root and (name, attribute) in shielded:
                continue
            if (name, attribute) in reported:
                continue
            reported.add((name, attribute))
            what = "any attribute of a fitted estimator" if attribute == "*_" else attribute
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"holds a {name} that scikit-learn {written} wrote without {what}, which "
                f"{version} reads when it predicts",
                error=f"NotFittedError: This {name} instance is not fitted yet"
                if attribute == "*_"
                else f"AttributeError: '{name}' object has no attribute '{attribute}'",
                help=f"Pin scikit-learn=={written}, or train the model again with {version}.",
                distribution="scikit-learn",
                evidence=(("attribute", attribute), ("written by", written)),
            )


def _passthrough(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Columns that a ColumnTransformer lets through: 1.4 and newer fit an object for them."""
    if exact.at_least("scikit-learn", 1, 4) is not True:
        return
    for item in pickle.objects:
        if not item.of.endswith(".ColumnTransformer"):
            continue
        state = mapping_of(item)
        steps = state.get("transformers_") if state is not None else None
        for step in steps.items if isinstance(steps, Items) else ():
            if isinstance(step, Items) and len(step.items) == 3 and step.items[1] == "passthrough":
                columns = step.items[2]
                if isinstance(columns, Items) and not columns.size:
                    continue
                yield Reason(
                    rule="CMP002",
                    effect="predict",
                    message="holds a ColumnTransformer that passes columns through as scikit-learn "
                    f"before 1.4 noted it; {exact.version('scikit-learn')} looks for an object",
                    error="AttributeError: 'str' object has no attribute 'transform'",
                    help="Pin scikit-learn to the version that wrote the model, or train it again.",
                    distribution="scikit-learn",
                )
                return


# Since this release gradient boosting computes with the losses that all models share.
_SHARED_LOSSES: Final = (1, 4)


def _losses(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """The loss of gradient boosting: 1.1 to 1.3 know the shared class and ask it for other methods."""
    version = exact.version("scikit-learn")
    if version is None or symbols.numbers(version) >= _SHARED_LOSSES:
        return
    for item in pickle.objects:
        if not item.of.startswith("sklearn.ensemble._gb.GradientBoosting"):
            continue
        state = mapping_of(item)
        loss = of_ref(pickle, state.get("_loss")) if state is not None else None
        if loss is None or not loss.of.startswith("sklearn._loss."):
            continue
        name = loss.of.rpartition(".")[2]
        yield Reason(
            rule="CMP002",
            effect="predict",
            message=f"holds gradient boosting with the loss {name} of scikit-learn 1.4 and newer, "
            f"which {version} asks for methods that it does not have",
            error=f"AttributeError: '{name}' object has no attribute 'get_init_raw_predictions'",
            help="Pin scikit-learn to the version that wrote the model, or train it again.",
            distribution="scikit-learn",
        )
        return


# Since 1.3 the coefficients of partial least squares have a row for each target, until 1.0 a column;
# between them they had another name.
_ROWS: Final = (1, 3)
_COLUMNS: Final = (1, 1)


def _projections(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Partial least squares, whose coefficients turned over under the same name."""
    version = exact.version("scikit-learn")
    if version is None or symbols.numbers(version) >= _COLUMNS:
        return
    for item in pickle.objects:
        state = mapping_of(item) if item.of.startswith("sklearn.cross_decomposition.") else None
        written = state.get("_sklearn_version") if state is not None else None
        if not isinstance(written, str) or "coef_" not in keys_of(item):
            continue
        if symbols.numbers(written) >= _ROWS:
            name = item.of.rpartition(".")[2]
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"holds a {name} of scikit-learn {written}, whose coefficients {version} "
                "takes the other way round",
                error="ValueError: shapes not aligned",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
            )
            return


# Since this release linear classifiers take coefficients of two classes in one row or in none.
_FLAT: Final = (1, 6)
_LINEAR: Final = "sklearn.linear_model."


def shape_of(pickle: PickleFacts, array: Symbol) -> tuple[int, ...] | None:
    """The sides of an array, however it was written; None when they are not known."""
    item = of_ref(pickle, array)
    if item is None:
        return None
    sides: Symbol = None
    if item.of.endswith("NumpyArrayWrapper"):
        state = mapping_of(item)
        sides = state.get("shape") if state is not None else None
    elif item.callable.endswith("._frombuffer") and len(item.args) > 2:
        sides = item.args[2]
    elif isinstance(item.state, Items) and len(item.state.items) >= 3:
        sides = item.state.items[1]
    if not isinstance(sides, Items) or len(sides.items) != sides.size:
        return None
    numbers = tuple(side for side in sides.items if isinstance(side, int))
    return numbers if len(numbers) == sides.size else None


def _flat(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Coefficients without rows, which older releases ask for how many rows they have."""
    version = exact.version("scikit-learn")
    if version is None or symbols.numbers(version) >= _FLAT:
        return
    for item in pickle.objects:
        name = item.of.rpartition(".")[2]
        if not item.of.startswith(_LINEAR) or "Classifier" not in name:
            continue
        state = mapping_of(item)
        sides = shape_of(pickle, state.get("coef_")) if state is not None else None
        if sides is not None and len(sides) == 1:
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"holds a {name} whose coefficients have no rows, as scikit-learn 1.6 and "
                f"newer keep those of two classes; {version} asks for rows",
                error="IndexError: tuple index out of range",
                help="Pin scikit-learn to the version that wrote the model, or train it again.",
                distribution="scikit-learn",
            )
            return


def _byte_labels(pickle: PickleFacts) -> Iterator[Reason]:
    """Labels and categories that Python 2 stored as byte strings: nothing else equals them now."""
    if pickle.protocol > 2:
        return
    for item in pickle.objects:
        state = mapping_of(item) if item.of.startswith("sklearn.") else None
        if state is None:
            continue
        for attribute in ("classes_", "categories_"):
            found = state.get(attribute)
            arrays = found.items if isinstance(found, Items) else (found,)
            for array in arrays:
                dtype = dtype_of(pickle, array)
                code = dtype.args[0] if dtype is not None and dtype.args else None
                if isinstance(code, str) and code.startswith("S"):
                    name = item.of.rpartition(".")[2]
                    yield Reason(
                        rule="CMP011",
                        effect="predict",
                        message=f"holds byte strings in {name}.{attribute}, as Python 2 writes text: "
                        "no text of Python 3 equals them",
                        error="ValueError: y contains previously unseen labels",
                        help="Train the model again under Python 3.",
                    )
                    return


__all__ = ["Opaque", "keys_of", "mapping_of", "of_ref", "sklearn_version", "state_reasons"]
