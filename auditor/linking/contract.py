"""Fitted columns ↔ what the serving code predicts with: what happens, where that is decided.

Who notices which difference was observed in the libraries themselves, release by release
(``rules/knowledge/feature_checks.json``). What was not observed is not judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from auditor import lazy_re as re
from auditor.catalog import knowledge
from auditor.linking.symbols import numbers
from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.features import Contract
    from auditor.parsers.python.facts import Input

_OWNERS = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm",
           "catboost": "catboost"}  # fmt: skip
# Estimators record and compare names since this release.
_FIRST_NAMES = (1, 0)


@value
class Judgement:
    """What asking the model with these columns comes to.

    ``outcome``: ``fits``, ``raises``, ``differs`` (answers, with other columns than it learned), or
    ``undecided``; ``missing`` and ``extra`` are column names; ``error`` what a person sees.
    """

    outcome: Literal["fits", "raises", "differs", "undecided"]
    message: str = ""
    error: str = ""
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


FITS = Judgement(outcome="fits")


def owner_of(estimator: str) -> str | None:
    """The distribution whose release decides."""
    return _OWNERS.get(estimator.partition(".")[0])


def judge(contract: Contract, given: Input, version: str | None) -> Judgement:
    """What happens when a model of that contract is asked with that input in that release."""
    if contract.estimator == "onnx":
        return _onnx(contract, given)
    if given.columns is None or given.kind not in ("frame", "array", "list", "one-hot"):
        return _undecided("the columns that it is asked with are not known")
    if given.kind == "list" and not contract.estimator.startswith("sklearn."):
        return _undecided("what the booster does with a plain list was not observed")
    if version is None:
        return _undecided(f"the version of {owner_of(contract.estimator)} is not pinned")
    if given.kind == "one-hot":
        return _one_hot(contract, len(given.columns), version)
    names = tuple(c.name for c in given.columns if c.name is not None)
    if given.kind == "frame" and len(set(names)) == len(given.columns):
        if contract.estimator.endswith("._column_transformer.ColumnTransformer"):
            return _selected(contract, names, version)
        return _named(contract, names, version)
    if given.kind == "frame":
        return _undecided("columns of the frame have no names, or the same one twice")
    return _counted(contract, given, version)


def _undecided(why: str) -> Judgement:
    return Judgement(outcome="undecided", message=why)


def newest(distribution: str, specifiers: list[str]) -> str | None:
    """The newest observed release that all these specifiers let in."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    releases = knowledge("feature_checks.json")["releases"].get(distribution, {})
    try:
        wanted = SpecifierSet(",".join(s for s in specifiers if s))
    except InvalidSpecifier:
        return None
    fitting = [v for v in releases if wanted.contains(v)]
    return max(fitting, key=numbers, default=None)


def letters_of(estimator: str, version: str) -> dict[str, str] | None:
    """{case: letter} of a class in the nearest observed release; None when nobody looked."""
    owner = owner_of(estimator)
    table: dict[str, Any] = knowledge("feature_checks.json")
    releases: dict[str, Any] = table["releases"].get(owner, {})
    wanted = numbers(version)
    before = [v for v in releases if numbers(v)[:2] <= wanted[:2]]
    if not before:
        return None
    row = releases[max(before, key=numbers)]
    letters = row["others"].get(estimator)
    if letters is None and estimator in row["classes"].split():
        letters = row["usual"]
    return dict(zip(table["cases"], letters, strict=True)) if letters is not None else None


def _named(contract: Contract, names: tuple[str, ...], version: str) -> Judgement:
    """A data frame of named columns for an estimator that was fitted on such a frame."""
    fitted = contract.names
    if fitted is None:
        if contract.count is None or contract.count == len(names):
            return _undecided("the model records no column names")
        return _counts(contract, len(names), version)
    if names == fitted:
        return FITS
    letters = letters_of(contract.estimator, version)
    if letters is None:
        return _undecided(f"what {contract.estimator} does with other columns was not observed")
    missing = tuple(n for n in fitted if n not in names)
    extra = tuple(n for n in names if n not in fitted)
    if not missing and not extra:
        case = "reordered"
    elif not extra:
        case = "missing"
    elif not missing:
        case = "extra"
    elif len(missing) == len(extra):
        case = "renamed"
    else:
        case = "missing" if len(missing) > len(extra) else "extra"
        if letters["missing"] != "e" or letters["extra"] != "e" or letters["renamed"] != "e":
            return _undecided("columns are missing and others are new")
    letter = letters[case]
    library = owner_of(contract.estimator) or ""
    last = contract.estimator.rpartition(".")[2]
    if letter == "e":
        return Judgement(
            outcome="raises",
            message=f"{last} of {library} {version} refuses {_what(case, missing, extra)}",
            error=_error(contract.estimator, case),
            missing=missing,
            extra=extra,
        )
    if case == "reordered" and letter in "wd":
        return Judgement(
            outcome="differs",
            message=f"{last} of {library} {version} takes columns by position: each is read as "
            "another one",
        )
    # Renamed columns in the same places may be meant, and an ignored one does no harm.
    return FITS if letter == "s" else _undecided("names differ, and the library goes on")


def _what(case: str, missing: tuple[str, ...], extra: tuple[str, ...]) -> str:
    if case == "reordered":
        return "the same columns in another order"
    parts = []
    if missing:
        parts.append(f"a frame without {_some(missing)}")
    if extra:
        parts.append(f"{'the unknown' if missing else 'a frame with the unknown'} {_some(extra)}")
    return " and ".join(parts)


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{n}`" for n in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _error(estimator: str, case: str) -> str:
    if estimator.startswith("xgboost."):
        return "ValueError: feature_names mismatch"
    if estimator.startswith("lightgbm."):
        return "LightGBMError: The number of features in data is not the same as it was in training"
    if estimator.startswith("catboost."):
        return "CatBoostError: Feature names mismatch"
    if case == "reordered":
        return "ValueError: Feature names must be in the same order as they were in fit."
    return "ValueError: The feature names should match those that were passed during fit."


def _selected(contract: Contract, names: tuple[str, ...], version: str) -> Judgement:
    """A ColumnTransformer picks columns of a frame by name; before 1.0 it wants all, in order."""
    fitted = contract.names
    if fitted is None:
        return _undecided("the model records no column names")
    if numbers(version) < _FIRST_NAMES:
        if names == fitted:
            return FITS
        if numbers(version) < (0, 24):
            return _undecided("what this release does was not observed")
        missing = tuple(n for n in fitted if n not in names)
        extra = tuple(n for n in names if n not in fitted)
        return Judgement(
            outcome="raises",
            message=f"ColumnTransformer of scikit-learn {version} refuses "
            + _what("" if missing or extra else "reordered", missing, extra),
            error="RuntimeError: Given feature/column names do not match the ones for the data "
            "given during fit.",
            missing=missing,
            extra=extra,
        )
    if contract.used is None:
        if set(fitted) <= set(names):
            return FITS
        return _undecided("which columns its transformers use is not known")
    missing = tuple(n for n in contract.used if n not in names)
    if not missing:
        return FITS
    return Judgement(
        outcome="raises",
        message=f"its ColumnTransformer asks for {_some(missing)}",
        error=f"ValueError: columns are missing: {{{', '.join(repr(m) for m in missing[:4])}}}",
        missing=missing,
        extra=tuple(n for n in names if n not in fitted),
    )


def _counted(contract: Contract, given: Input, version: str) -> Judgement:
    """Columns without names: their number, and whether the fields in them are in another order."""
    assert given.columns is not None
    width = len(given.columns)
    if contract.estimator.endswith("._column_transformer.ColumnTransformer"):
        if contract.by_name:
            return Judgement(
                outcome="raises",
                message="its ColumnTransformer picks columns by name, and an array has none",
                error="ValueError: Specifying the columns using strings is only supported for "
                "dataframes.",
            )
        if contract.count is not None and contract.count != width:
            return Judgement(
                outcome="raises",
                message=f"it was fitted on {contract.count} columns and gets {width}",
                error=f"ValueError: X has {width} features, but ColumnTransformer is expecting "
                f"{contract.count} features as input.",
            )
        return _order(contract, given)
    if contract.count is not None and contract.count != width:
        return _counts(contract, width, version)
    letters = letters_of(contract.estimator, version)
    if letters is None:
        return _undecided(f"what {contract.estimator} does with an array was not observed")
    if letters["array"] == "e" and contract.names is not None:
        return Judgement(
            outcome="raises",
            message=f"{contract.estimator.rpartition('.')[2]} was fitted on named columns and "
            "refuses an array, which has none",
            error="ValueError: training data did have the following fields",
        )
    return _order(contract, given)


def _counts(contract: Contract, width: int, version: str) -> Judgement:
    """Another number of columns than the model was fitted on."""
    assert contract.count is not None
    letters = letters_of(contract.estimator, version)
    if letters is None:
        return _undecided(f"what {contract.estimator} does with other columns was not observed")
    case = "array-short" if width < contract.count else "array-long"
    if letters[case] != "e":
        return _undecided("the number of columns is not checked")
    last = contract.estimator.rpartition(".")[2]
    return Judgement(
        outcome="raises",
        message=f"{last} was fitted on {contract.count} columns and gets {width}",
        error=f"ValueError: X has {width} features, but {last} is expecting {contract.count} "
        "features as input."
        if contract.estimator.startswith("sklearn.")
        else "",
    )


def _one_hot(contract: Contract, most: int, version: str) -> Judgement:
    """One row's dummy columns: one for each value that the row has, none for the others."""
    if contract.count is None or contract.count <= most:
        return _undecided("which one-hot columns there are depends on the request")
    named = contract.names is not None
    letters = letters_of(contract.estimator, version)
    if letters is None or letters["missing" if named else "array-short"] != "e":
        return _undecided(f"what {contract.estimator} does with fewer columns was not observed")
    last = contract.estimator.rpartition(".")[2]
    return Judgement(
        outcome="raises",
        message=f"{last} was fitted on {contract.count} columns, and `get_dummies` makes at most "
        f"{most} of one request: a value that the request does not have gets no column",
        error=_error(contract.estimator, "missing") if named else "",
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _order(contract: Contract, given: Input) -> Judgement:
    """The fields are named as the columns are, every one, and stand in other places."""
    assert given.columns is not None
    fields = [c.field for c in given.columns]
    if contract.names is None or any(f is None for f in fields):
        return _undecided("an array has no names to compare")
    have = [_plain(f) for f in fields if f is not None]
    want = [_plain(n) for n in contract.names]
    if have == want:
        return FITS
    if len(set(have)) != len(have) or sorted(have) != sorted(want):
        return _undecided("the fields are named otherwise than the columns")
    first = next(i for i, (h, w) in enumerate(zip(have, want, strict=True)) if h != w)
    return Judgement(
        outcome="differs",
        message=f"an array has no names, and column {first + 1} holds `{fields[first]}` where the "
        f"model was fitted on `{contract.names[first]}`",
    )


def _onnx(contract: Contract, given: Input) -> Judgement:
    """The names of the feed against the graph's inputs."""
    if given.kind != "feed" or given.columns is None or contract.names is None:
        return _undecided("what the session is fed with is not known")
    names = tuple(c.name for c in given.columns if c.name is not None)
    missing = tuple(n for n in contract.names if n not in names)
    extra = tuple(n for n in names if n not in contract.names)
    if not missing and not extra:
        return _elements(contract, given) or FITS
    if missing:
        return Judgement(
            outcome="raises",
            message=f"the graph's input {_some(missing)} is not fed",
            error=f"ValueError: Required inputs ({list(missing[:4])}) are missing from input feed "
            f"({list(names[:4])}).",
            missing=missing,
            extra=extra,
        )
    # An initialiser may have that name, and take the value.
    return _undecided("more is fed than the graph requires")


# NumPy's types of elements by ONNX's names for them.
_ELEMENTS = {
    "float": "float32", "double": "float64", "int64": "int64", "int32": "int32", "float16": "float16",
    "bool": "bool", "uint8": "uint8",
}  # fmt: skip
_IN_ONNX = {numpy: onnx for onnx, numpy in _ELEMENTS.items()}


def _elements(contract: Contract, given: Input) -> Judgement | None:
    """Elements of another type than the graph's input, which onnxruntime never converts."""
    wanted = dict(zip(contract.names or (), contract.types, strict=False))
    for column in given.columns or ():
        told = wanted.get(column.name or "")
        expected = _ELEMENTS.get(told.removeprefix("tensor(").rstrip(")")) if told else None
        if expected is None or column.dtype not in _IN_ONNX or column.dtype == expected:
            continue
        actual = _IN_ONNX[column.dtype]
        return Judgement(
            outcome="raises",
            message=f"the graph's input `{column.name}` is of {expected}, and it is fed {column.dtype}",
            error="InvalidArgument: Unexpected input data type. Actual: "
            f"(tensor({actual})) , expected: (tensor({_IN_ONNX[expected]}))",
        )
    return None
