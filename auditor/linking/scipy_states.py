"""States of SciPy's objects, and what the first use reads from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Mapping, Ref
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.states import dtype_of, keys_of, mapping_of, of_ref

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts, Symbol

# Until then these matrices were dictionaries themselves; newer ones are written as such as well.
_DOK_DICT: Final = (1, 12)


def scipy_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """Trees that became compiled ones in 1.6, coordinates that got another name in 1.13."""
    version = exact.version("scipy")
    if version is None:
        return
    number = symbols.numbers(version)
    # Searches only draw from the distributions that they are given.
    searched = any(item.of.startswith("sklearn.model_selection.") for item in pickle.objects)
    for index, item in enumerate(pickle.objects):
        if not item.of.startswith("scipy."):
            continue
        name = item.of.rpartition(".")[2]
        what = error = ""
        if item.how == "NEWOBJ_EX" and not _has_bunches(version):
            what, error = (
                f"a {name} with fields that SciPy 1.6 and newer add to its results",
                "TypeError: __new__() got an unexpected keyword argument",
            )
        elif (
            name == "RegularGridInterpolator"
            and number >= _REAL_GRIDS
            and (axis := _whole_axis(pickle, item)) is not None
        ):
            yield Reason(
                rule="CMP011",
                effect="predict",
                message=f"holds a grid of whole numbers (axis {axis}), as SciPy before 1.10 kept "
                f"it; {version} looks for real ones",
                error="ValueError: Buffer dtype mismatch, expected 'const double' but got 'long'",
                help="Make the interpolator from floats, or pin the SciPy that wrote it.",
                distribution="scipy",
            )
            return
        if item.of.startswith("scipy.stats._qmc."):
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message=f"holds a {name} in the middle of its sequence, whose private state SciPy "
                "changes between releases; which wrote it is not known",
                help="Store its settings, and make it anew.",
                distribution="scipy",
            )
            return
        if name == "KDTree" and isinstance(item.state, Mapping) and number >= (1, 6):
            what, error = "a KDTree of SciPy before 1.6", "ValueError: need more than 7 values"
        elif name == "KDTree" and isinstance(item.state, Items) and number < (1, 6):
            what, error = (
                "a KDTree of SciPy 1.6 or newer",
                "UnpicklingError: state is not a dictionary",
            )
        elif (
            name in ("rv_sample", "rv_histogram")
            and isinstance(item.state, Items)
            and number >= (1, 6)
        ):
            what = "a distribution made from values, of SciPy before 1.6"
            error = "TypeError or ValueError, from its constructor"
        elif (
            item.of.startswith(_DISTRIBUTIONS)
            and pickle.root == Ref(index)
            and _is_pair(item.state)
            and number >= _KEPT_PARTS
        ):
            bounded = _is_bounded(item.state)
            yield Reason(
                rule="CMP011",
                effect="predict" if bounded else "unknown",
                message=f"is a {name.removesuffix('_gen')} distribution of SciPy before 1.6, which "
                f"{version} makes anew without its name"
                + (
                    " and its bounds: beyond them it gives probabilities that are none, silently"
                    if bounded
                    else "; what it computes is the same"
                ),
                help="Take the distribution from scipy.stats, or pin the SciPy that wrote it.",
                distribution="scipy",
            )
            return
        elif name == "rv_frozen" and number >= _SPLIT and not searched:
            lost = "pmf" if _is_discrete(pickle, item) else "pdf"
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message="holds a distribution with its parameters, as SciPy before 1.9 wrote it: "
                f"{version} gives it no {lost}, and its other methods still answer",
                error=f"AttributeError: 'rv_frozen' object has no attribute '{lost}'",
                help="Store the parameters, and make the distribution anew.",
                distribution="scipy",
            )
            return
        elif (
            name == "interp1d"
            and number >= _SIDES
            and "_side" not in keys_of(item)
            and _calls(pickle, item) == "_call_nearest"
        ):
            yield Reason(
                rule="CMP011",
                effect="predict",
                message="holds an interp1d of the kind nearest without _side, which SciPy "
                f"{version} reads (since 1.6)",
                error="AttributeError: 'interp1d' object has no attribute '_side'",
                help="Store the points, and make the interpolator anew.",
                distribution="scipy",
            )
            return
        elif name == "Rotation" and isinstance(item.state, Mapping) and number >= (1, 6):
            what, error = "a rotation of SciPy before 1.6", "AttributeError or ValueError"
        elif name.startswith("dok_") and number >= _DOK_DICT and "_dict" not in keys_of(item):
            what = "a dictionary of keys of SciPy before 1.12"
            error = f"AttributeError: '{name}' object has no attribute '_dict'"
        elif name.startswith("coo_") and "coords" in keys_of(item) and number < (1, 13):
            what = "a sparse matrix of SciPy 1.13 or newer"
            error = f"AttributeError: '{name}' object has no attribute 'row'"
        elif name == "coo_array" and {"row", "col"} <= keys_of(item) and number >= (1, 13):
            # Matrices alone restore what older releases wrote.
            what = "a sparse array of SciPy before 1.13"
            error = "AttributeError: 'coo_array' object has no attribute 'coords'"
        elif (
            name == "cKDTree"
            and number < (1, 3)
            and isinstance(item.state, Items)
            and item.state.items
            and isinstance(item.state.items[0], Ref)
        ):
            what, error = "a cKDTree of SciPy 1.3 or newer", "TypeError: expected bytes"
        elif name == "PchipInterpolator" and (old := _pchip(pickle, number)):
            yield old
            return
        elif (
            isinstance(item.state, Mapping)
            and item.state.get("_ctor_param") is not None
            and number < (1, 6)
        ):
            # Until then the state was (constructor's arguments, random state).
            what = "a distribution of SciPy 1.6 or newer"
            error = "ValueError: too many values to unpack (expected 2)"
        if what:
            yield Reason(
                rule="CMP011",
                effect="load",
                message=f"holds {what}, which SciPy {version} does not restore",
                error=error,
                help="Pin the SciPy that wrote it, or write it again.",
                distribution="scipy",
            )
            return
    from auditor.linking.boosters import needs_reasons

    yield from needs_reasons(pickle, exact, "scipy")


# Until then the coefficients were those of another basis, under the same names.
_PCHIP: Final = (1, 3)
# What the Pythons write by themselves for which SciPy 1.3 was the first.
_PCHIP_PROTOCOL: Final = 4


def _pchip(pickle: PickleFacts, number: tuple[int, ...]) -> Reason | None:
    """Monotone interpolators: nothing in their state tells which basis they were written in."""
    older = number < _PCHIP
    if not older and pickle.protocol >= _PCHIP_PROTOCOL:
        return None
    return Reason(
        rule="CMP011",
        effect="predict" if older and pickle.protocol >= _PCHIP_PROTOCOL else "unknown",
        message="holds a PchipInterpolator, whose coefficients mean another curve to SciPy before "
        "1.3 than to newer ones, without any error"
        + ("" if older and pickle.protocol >= _PCHIP_PROTOCOL else "; which wrote it is not known"),
        help="Store the points, and make the interpolator anew.",
        distribution="scipy",
    )


# Until then a distribution's state was (its constructor's arguments, random state).
_KEPT_PARTS: Final = (1, 6)
_DISTRIBUTIONS: Final = ("scipy.stats._continuous_distns.", "scipy.stats._discrete_distns.")
# Since this release the nearest of two points is looked for on a side.
_SIDES: Final = (1, 6)


# Since this release distributions with their parameters are of two classes.
_SPLIT: Final = (1, 9)


def _is_discrete(pickle: PickleFacts, item: ObjectFacts) -> bool:
    state = mapping_of(item)
    inner = of_ref(pickle, state.get("dist")) if state is not None else None
    return inner is not None and inner.of.startswith("scipy.stats._discrete_distns.")


def _is_pair(state: Symbol) -> bool:
    return (
        isinstance(state, Items)
        and len(state.items) == state.size == 2
        and isinstance(state.items[0], Mapping)
    )


def _is_bounded(state: Symbol) -> bool:
    """Whether a distribution's parts name an end; where they are not kept it may have one."""
    parts = state.items[0] if isinstance(state, Items) else None
    ends = (parts.get("a"), parts.get("b")) if isinstance(parts, Mapping) else (None, None)
    return not all(isinstance(end, float) and math.isinf(end) for end in ends)


def _calls(pickle: PickleFacts, item: ObjectFacts) -> str:
    """The method that an interpolator goes by, as it was bound when it was made."""
    state = mapping_of(item)
    bound = of_ref(pickle, state.get("_call")) if state is not None else None
    name = bound.args[1] if bound is not None and len(bound.args) == 2 else ""
    return name if isinstance(name, str) else ""


# Since this release the axes of a grid are made floats.
_REAL_GRIDS: Final = (1, 10)
# Type codes of whole numbers and of truth values.
_WHOLE: Final = ("i", "u", "b")


def _whole_axis(pickle: PickleFacts, item: ObjectFacts) -> int | None:
    """The first axis of an interpolator's grid that is not of floats; None when all are."""
    state = mapping_of(item)
    grid = state.get("grid") if state is not None else None
    for axis, points in enumerate(grid.items if isinstance(grid, Items) else ()):
        dtype = dtype_of(pickle, points)
        code = dtype.args[0] if dtype is not None and dtype.args else None
        if isinstance(code, str) and code.startswith(_WHOLE):
            return axis
    return None


def _has_bunches(version: str) -> bool:
    """Whether results are tuples with further fields, which are given by keyword."""
    table = symbols.table("scipy")
    masks = table.masks(version) if table is not None else ()
    return table is None or any(table.has_module("scipy._lib._bunch", mask) for mask in masks)


__all__ = ["scipy_reasons"]
