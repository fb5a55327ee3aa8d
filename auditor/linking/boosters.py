"""States of XGBoost and LightGBM boosters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from auditor import lazy_re as re
from auditor.artifacts.facts import Items, Opaque, Ref
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.states import applying, keys_of, mapping_of, of_ref

if TYPE_CHECKING:
    from auditor.artifacts.facts import Mapping, ObjectFacts, PickleFacts, Symbol
    from auditor.linking.compatibility import Effect

# Since this release the base score is stored as a list.
BASE_SCORES: Final = (3, 1)
# Since this release models keep no booster, not even None, until they are fitted.
_UNFITTED: Final = (1, 0)
# Since this release a pickled booster has to be UBJSON.
_ONLY_UBJSON: Final = (3, 1)
# Since this release the trees of a booster state the kind of each split.
_SPLIT_TYPES: Final = (1, 3)
_Number: TypeAlias = tuple[int, ...]
# These releases know the updaters of ``tree_method="approx"`` under another name than all others.
_OTHER_APPROX: Final = ((1, 6), (1, 7))
# Objectives that came with a release.
_SINCE: Final = {
    b"survival:aft": (1, 1),
    b"reg:pseudohubererror": (1, 2),
    b"reg:absoluteerror": (1, 7),
    b"reg:quantileerror": (2, 0),
}
# Objectives whose settings another release looks for in vain: how their names begin, writers from
# and before, readers from and before (every pair of 16 releases, ``recipes_boosted.py``).
_ALWAYS: Final[_Number] = (99,)
_SETTINGS: Final[tuple[tuple[bytes, _Number, _Number, _Number, _Number], ...]] = (
    (b"rank:", (2, 0), _ALWAYS, (1, 6), (2, 0)),
    (b"reg:pseudohubererror", (1, 7), _ALWAYS, (1, 6), (1, 7)),
    (b"reg:squaredlogerror", (3, 0, 5), _ALWAYS, (1, 6), (3, 0, 5)),
    (b"reg:gamma", (1, 0), (2, 1), (2, 1), _ALWAYS),
)
_OBJECTIVE: Final = re.compile(rb"\b((?:binary|count|multi|rank|reg|survival):[a-z]{3,30})")
Layout = Literal["binary", "json", "ubjson"]
_BOOSTERS: Final = frozenset({"xgboost.core.Booster"})


def xgboost_layout(raw: bytes) -> Layout | None:
    """What a booster's buffer begins with: before 1.0, 1.0 to 1.5, 1.6 and newer."""
    if raw.startswith(b"{L"):
        return "ubjson"
    if raw.startswith((b"CONFIG-offset:", b'{"')):
        return "json"
    return "binary" if raw else None


def xgboost_version(tail: bytes) -> str | None:
    """The version at the end of a booster's buffer (JSON or UBJSON), None when not seen."""
    position = tail.rfind(b"version")
    if position < 0:
        return None
    rest = tail[position + 7 :]
    if rest[:3] == b'":[':
        text = rest[3:].partition(b"]")[0].decode("ascii", "replace")
        parts = text.split(",")
        return ".".join(parts) if all(p.strip().isdigit() for p in parts) else None
    if rest[:1] == b"[":
        numbers: list[int] = []
        index = 1
        while index < len(rest) and len(numbers) < 3:
            letter = rest[index : index + 1]
            width = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}.get(letter)
            if letter == b"#":
                # A counted array says its length first.
                counted = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
                index += 2 + counted.get(rest[index + 1 : index + 2], 0)
                continue
            if width is None or index + 1 + width > len(rest):
                return None
            numbers.append(int.from_bytes(rest[index + 1 : index + 1 + width], "big"))
            index += 1 + width
        return ".".join(map(str, numbers)) if len(numbers) == 3 else None
    return None


_LISTED: Final = re.compile(rb"base_score[^\[]{1,16}\[([^\]]{1,4096})\]", re.DOTALL)


_SHARES: Final = re.compile(rb"multi:soft(?:prob|max)")
# What a base score may lie beside a half without moving a prediction that is compared.
_CLOSE: Final = 1e-6


def reads_alike(tail: bytes) -> bool:
    """Whether a listed base score means the same to releases before the list.

    They do not read the list and keep their default, a half; where classes share a whole between
    them, one number for all of them takes nothing from any.
    """
    listed = _LISTED.findall(tail)
    try:
        scores = [float(number) for number in listed[-1].split(b",")] if listed else []
    except ValueError:
        return False
    if not scores:
        return False
    return all(abs(score - 0.5) <= _CLOSE for score in scores) or (
        len(set(scores)) == 1 and _SHARES.search(tail) is not None
    )


def buffer_of(pickle: PickleFacts, symbol: Symbol) -> tuple[bytes, bytes] | None:
    """(head, tail) of a buffer, also through ``bytearray(…)`` and ``_codecs.encode``."""
    for _ in range(4):
        if isinstance(symbol, Opaque):
            return (symbol.head, symbol.tail) if symbol.head else None
        if isinstance(symbol, bytes):
            return symbol, symbol
        if isinstance(symbol, str):
            raw = symbol.encode("utf-8", "replace")
            return raw, raw
        item = of_ref(pickle, symbol)
        if item is None or not item.args:
            return None
        symbol = item.args[0]
    return None


def xgboost_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Buffers that the installed XGBoost does not read, attributes that it reads and are absent."""
    version = exact.version("xgboost")
    if version is None:
        return
    number = symbols.numbers(version)
    for item in pickle.objects:
        if item.of.startswith("xgboost.sklearn.") and number < _UNFITTED and keys_of(item):
            if "_Booster" in keys_of(item):
                continue
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds an unfitted model of XGBoost 1.0 or newer; {version} looks for its "
                "booster",
                error="KeyError: '_Booster'",
                help="Pin the xgboost that wrote the model.",
                distribution="xgboost",
            )
            return
        if item.of not in _BOOSTERS:
            continue
        state = mapping_of(item)
        found = buffer_of(pickle, state.get("handle")) if state is not None else None
        if found is None:
            continue
        layout = xgboost_layout(found[0])
        written = xgboost_version(found[1])
        why = ""
        if layout == "binary" and number >= (1, 0):
            why = "before 1.0"
        elif layout == "json" and number < (1, 0):
            why = "1.0 and newer"
        elif layout == "json" and number >= _ONLY_UBJSON:
            why = "1.0 to 1.5"
        elif layout == "ubjson" and number < (1, 6):
            why = "1.6 and newer"
        elif (
            layout == "json"
            and number < _SPLIT_TYPES <= (_minor(written) if written else ())
            and state is not None
            and state.get("booster") != "gblinear"
        ):
            why = "1.3 and newer"
        if why:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds a booster in the layout of XGBoost {why}; {version} does not read it",
                error="XGBoostError",
                help="Pin the xgboost that wrote the model, or save it with save_model() as JSON.",
                distribution="xgboost",
                evidence=(("written by", written or why),),
            )
            return
        pin = "Pin the xgboost that wrote the model, or save it with save_model() as JSON."
        if (
            layout == "ubjson"
            and written
            and (1, 6) <= number < (1, 7)
            and _minor(written) >= (2, 0)
        ):
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds a booster that XGBoost {written} wrote, with settings in a form "
                f"that {version} does not read",
                error="XGBoostError: Invalid cast, from Array to Object",
                help=pin,
                distribution="xgboost",
                evidence=(("written by", written),),
            )
            return
        if written and (odd := _objective(found[1], symbols.numbers(written), number)):
            what, error = odd
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds a booster that XGBoost {written} wrote, with {what}, which "
                f"{version} does not know",
                error=f"XGBoostError: {error}",
                help=pin,
                distribution="xgboost",
                evidence=(("written by", written),),
            )
            return
        if written and _approximate(pickle, symbols.numbers(written), number):
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds a booster that XGBoost {written} wrote with tree_method='approx', "
                f"whose parts {version} calls otherwise",
                error="XGBoostError: map::at",
                help=pin,
                distribution="xgboost",
                evidence=(("written by", written),),
            )
            return
        if written and number < BASE_SCORES <= _minor(written) and not reads_alike(found[1]):
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a booster that XGBoost {written} wrote, whose base score is a list: "
                f"{version} takes it for another number and predicts otherwise, silently",
                help=pin,
                distribution="xgboost",
                evidence=(("written by", written),),
            )
            return
        if written and symbols.numbers(written) != number and not written.startswith("0."):
            yield Reason(
                rule="CMP011",
                effect="warns",
                message=f"holds a booster that XGBoost {written} wrote; {version} says so",
                error="UserWarning: If you are loading a serialized model … generated by older XGBoost",
                help="Save the model with save_model() as JSON, which is stable between versions.",
                distribution="xgboost",
            )
        break
    yield from needs_reasons(pickle, exact, "xgboost", fitted="_Booster")


def _objective(
    tail: bytes, writer: tuple[int, ...], reader: tuple[int, ...]
) -> tuple[str, str] | None:
    """(what the release does not know of the booster's objective, the error); None when it does."""
    named = _OBJECTIVE.findall(tail)
    if not named:
        return None
    objective = named[-1]
    text = objective.decode()
    for known, since in _SINCE.items():
        if objective.startswith(known) and reader < since:
            return f"the objective {known.decode()}", f"Unknown objective function: `{text}`"
    for start, opening, until, first, last in _SETTINGS:
        if objective.startswith(start) and opening <= writer < until and first <= reader < last:
            return f"the settings of {text}", "Invalid cast, from Null to Object"
    return None


def _approximate(pickle: PickleFacts, writer: tuple[int, ...], reader: tuple[int, ...]) -> bool:
    """Whether a model grown by approximation goes between the releases that name it otherwise."""
    first, last = _OTHER_APPROX
    if not first <= reader < last or first <= writer < last:
        return False
    states = (mapping_of(item) for item in pickle.objects if item.of.startswith("xgboost."))
    return any(state is not None and state.get("tree_method") == "approx" for state in states)


def _minor(version: str) -> tuple[int, ...]:
    return symbols.numbers(version)[:2]


def needs_reasons(
    pickle: PickleFacts,
    exact: Exact,
    distribution: str,
    *,
    fitted: str = "",
    whole: bool = True,
) -> Iterator[Reason]:
    """Attributes that objects lack; the writer's version is one whose own needs the state meets.

    ``fitted`` is an attribute without which an object was never used; ``whole``: objects inside
    others count, too.
    """
    table = symbols.table(distribution)
    version = exact.version(distribution)
    if table is None or version is None:
        return
    for index, item in enumerate(pickle.objects):
        if symbols.owner(item.of) != distribution or not (whole or pickle.root == Ref(index)):
            continue
        module, _, name = item.of.rpartition(".")
        needs = {v: table.needs(module, name, v) for v in (*table.versions, version)}
        found = _lacking(item, needs, version, fitted)
        if found is None:
            continue
        attribute, writers = found
        by = f"(written by {writers[0]} to {writers[-1]})"
        if attribute:
            effect: Effect = "predict"
            message = f"without {attribute}, which {distribution} {version} reads when it predicts"
            error = f"AttributeError: '{name}' object has no attribute '{attribute}'"
        else:
            effect = "load"
            message = f"in a form that {distribution} {version} does not restore"
            error = "UnpicklingError: state is not a dictionary, or ValueError: too many values"
        yield Reason(
            rule="CMP011",
            effect=effect,
            message=f"holds a {name} {message} {by}",
            error=error,
            help=f"Pin the {distribution} that wrote the model, or write it again with {version}.",
            distribution=distribution,
            evidence=(("attribute", attribute),) if attribute else (),
        )
        return


# The need of a class that is restored from a tuple.
_TUPLE: Final = "()"


def _lacking(
    item: ObjectFacts, needs: dict[str, frozenset[str]], version: str, fitted: str
) -> tuple[str, list[str]] | None:
    """(an attribute that the release misses, or ``""`` for the form; who wrote it)."""
    state, keys = mapping_of(item), keys_of(item)
    if state is None:
        by = [v for v, wanted in needs.items() if _TUPLE in wanted]
        form = isinstance(item.state, Items) and needs[version] and by and version not in by
        return ("", by) if form else None
    if not keys or (fitted and fitted not in keys):
        return None
    if isinstance(item.state, Items):
        keys |= {_TUPLE}
    missing = applying(needs[version], state) - keys
    # Where no release's needs are met, the conditions of these reads are not understood; a release
    # of which nothing is known says nothing of who wrote it.
    fits = [v for v, wanted in needs.items() if wanted and applying(wanted, state) <= keys]
    if not missing or not fits:
        return None
    attribute = min(missing)
    return ("" if attribute == _TUPLE else attribute), fits


# Before it categorical splits of newer models end the process.
_SAFE_CATEGORIES: Final = (2, 3)
# Since this release models are asked for ``fitted_``.
_FITTED: Final = (3, 3)


# Since this release leaves may be linear models.
_LINEAR_LEAVES: Final = (3, 2)


def _traits(state: Mapping) -> tuple[str, ...]:
    """Of the booster's text."""
    handle = state.get("handle") or state.get("_handle")
    return handle.traits if isinstance(handle, Opaque) else ()


def lightgbm_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Boosters and wrappers of LightGBM: 4.0 renamed ``handle``, 3.3 asks for ``fitted_``."""
    version = exact.version("lightgbm")
    if version is None:
        return
    number = symbols.numbers(version)
    for item in pickle.objects:
        state = mapping_of(item)
        if state is None:
            continue
        keys = keys_of(item)
        help = "Pin the lightgbm that wrote the model, or save it with save_model() as text."
        if item.of == "lightgbm.basic.Booster" and "_handle" in keys and number < (4, 0):
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a booster of LightGBM 4 or newer; {version} looks for another state",
                error="AttributeError: 'Booster' object has no attribute 'handle'",
                help=help,
                distribution="lightgbm",
            )
            return
        text = buffer_of(pickle, state.get("handle") or state.get("_handle"))
        if (
            number < _SAFE_CATEGORIES
            and text is not None
            and b"version=v2" not in text[0]
            and b"pandas_categorical:[[" in text[1]
        ):
            yield Reason(
                rule="CMP011",
                effect="load",
                message="holds a booster with categorical features of LightGBM 2.3 or newer, on "
                f"which {version} crashes",
                error="Aborted",
                help=help,
                distribution="lightgbm",
            )
            return
        if number < _LINEAR_LEAVES and "linear" in _traits(state):
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a booster whose leaves are linear models; LightGBM {version} takes "
                "them for constants and predicts otherwise, silently",
                help="Pin lightgbm>=3.2, or train without linear_tree.",
                distribution="lightgbm",
            )
            return
        fitted = next((v for k, v in state.pairs if k == "_Booster"), None) is not None
        if not item.of.startswith("lightgbm.sklearn.") or not fitted:
            # A template that is not asked.
            continue
        if number >= _FITTED and "fitted_" not in keys:
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a model of LightGBM before 3.1; {version} takes it for unfitted",
                error="LGBMNotFittedError: Estimator not fitted, call fit before exploiting the model.",
                help=help,
                distribution="lightgbm",
            )
            return
        if number >= (4, 0) and "_n_classes" in keys and state.get("_n_classes") is None:
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a model of LightGBM before 4; {version} compares its number of classes",
                error="TypeError: '>' not supported between instances of 'NoneType' and 'int'",
                help=help,
                distribution="lightgbm",
            )
            return


# Since this release CatBoost reads the data frames of pandas 2.
_OF_PANDAS_2: Final = (1, 2)
# Since this release a model's bias stands elsewhere in the buffer, and older ones take it for zero.
_BIASES: Final = (0, 24)
# The revision that the last release before it was built from.
_BEFORE_BIASES: Final = 6_861_880
_REVISION: Final = re.compile(rb"Last Changed Rev: (\d{1,12})")


def catboost_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Regressions and categories of newer releases: older ones open them and may answer otherwise."""
    version = exact.version("catboost")
    if version is None:
        return
    if symbols.numbers(version) < _OF_PANDAS_2 and exact.at_least("pandas", 2):
        for item in pickle.objects:
            state = mapping_of(item) if symbols.owner(item.of) == "catboost" else None
            if state is not None and state.get("cat_features") is not None:
                yield Reason(
                    rule="CMP011",
                    effect="predict",
                    message="holds a model with categories, which CatBoost takes from data frames: "
                    f"{version} does not know those of pandas {exact.version('pandas')}",
                    error="AttributeError: 'DataFrame' object has no attribute 'iteritems'",
                    help="Pin pandas<2, or catboost>=1.2.",
                    distribution="catboost",
                )
                return
    if symbols.numbers(version) >= _BIASES:
        return
    for item in pickle.objects:
        state = mapping_of(item) if symbols.owner(item.of) == "catboost" else None
        found = buffer_of(pickle, state.get("__model")) if state is not None else None
        if state is None or found is None:
            continue
        revision = _REVISION.search(found[1]) or _REVISION.search(found[0])
        plain = item.of.endswith("Classifier") and state.get("cat_features") is None
        if plain or (revision is not None and int(revision[1]) <= _BEFORE_BIASES):
            continue
        wrote = (
            "CatBoost 0.24 or newer wrote" if revision else "CatBoost 0.24 or newer may have made"
        )
        yield Reason(
            rule="CMP011",
            effect="unknown",
            message=f"holds a model that {wrote}: {version} opens such, but does not read their bias, "
            "nor categories as they are kept now",
            help="Pin the catboost that wrote the model.",
            distribution="catboost",
            evidence=(("revision", revision[1].decode()),) if revision else (),
        )
        return
