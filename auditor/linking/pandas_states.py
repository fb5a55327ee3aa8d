"""States of pandas: block managers, indexes, extension types, and ``read_pickle``'s renames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.artifacts.facts import Items, Mapping, Name
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.states import keys_of, of_ref

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts


def pandas_renames(version: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Names that ``pandas.read_pickle`` of that version looks for elsewhere."""
    table = symbols.table("pandas")
    return table.renames(version) if table is not None and version else {}


# What a frame gives in the middle of a computation.
_IN_PROGRESS = ("GroupBy", "Rolling", "Expanding", "Resampler", "ExponentialMovingWindow")
# Since this release a block's place has to be an object of its own; 2.0 takes slices as well.
_PLACEMENTS = (2, 1)
# Since this release ``read_pickle`` makes blocks of pandas 1.3 another way.
_REROUTED = (2, 1, 4)
# pandas 1.3 kept its values without the frame's second dimension, which 2.0 wants of them alone:
# all other kinds of values were asked.
_FLAT = ".PeriodArray"
# pandas-dev/pandas#42345, mended in the next patch release.
_STRICT_MANAGERS = (1, 3, 0)
_FRAMES = frozenset({"DataFrame", "Series"})


def pandas_reasons(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """The first state of pandas that the installed release refuses."""
    version = exact.version("pandas")
    if version is None:
        return
    for item in pickle.objects:
        if item.of.startswith("pandas.") and item.of.endswith(_IN_PROGRESS):
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message=f"holds a {item.of.rpartition('.')[2]}, whose private state pandas changes "
                "between releases; which wrote it is not known",
                help="Store the frame, and group or roll it anew.",
                distribution="pandas",
            )
            break
    number = symbols.numbers(version)
    for item in pickle.objects:
        if not item.callable.startswith(("pandas.", "copyreg.", "copy_reg.")):
            continue
        found = _refused(pickle, item, number, loader)
        if found is None:
            continue
        what, error, effect = found
        yield Reason(
            rule="CMP011",
            effect="predict" if effect == "predict" else "load",
            message=f"holds {what}, which pandas {version} does not restore",
            error=error,
            help="Pin the pandas that wrote it, or store the frame as Parquet.",
            distribution="pandas",
        )
        return


def _untyped(item: ObjectFacts) -> bool:
    """Whether intervals were written without their type; compiled classes wrap the dictionary."""
    parts = item.state.items if isinstance(item.state, Items) else (item.state,)
    keys = {key for part in parts if isinstance(part, Mapping) for key, _ in part.pairs}
    return "_left" in keys and "_dtype" not in keys


def _refused(
    pickle: PickleFacts, item: ObjectFacts, number: tuple[int, ...], loader: str
) -> tuple[str, str, str] | None:
    """(what, error, effect) where the object's layout belongs to another release."""
    name = item.of.rpartition(".")[2] or item.callable.rpartition(".")[2]
    keys = keys_of(item)
    count = len(item.args)
    if name in _FRAMES and "_mgr" in keys and number < (1, 1):
        return (
            "a frame in the layout of pandas 1.1 and newer",
            f"AttributeError: '{name}' object has no attribute '_data'",
            "load",
        )
    if name == "MultiIndex" and count == 2 and number < (0, 24):
        given = item.args[1]
        if isinstance(given, Mapping) and given.get("codes") is not None:
            return (
                "a MultiIndex in the form of pandas 0.24 and newer",
                "TypeError: __new__() got an unexpected keyword argument 'codes'",
                "load",
            )
    if name == "Easter" and count == 3 and number < (3, 0):
        return (
            "an Easter offset of pandas 3",
            "TypeError: __init__() takes at most 2 positional arguments (3 given)",
            "load",
        )
    if name == "StringDtype" and count == 2 and number < (2, 3):
        return (
            "a string type with its missing value, as pandas 2.3 and newer write it",
            "TypeError: StringDtype.__init__() takes from 1 to 2 positional arguments",
            "load",
        )
    if name == "StringDtype" and item.how == "NEWOBJ" and not keys and number >= (2, 3):
        return (
            "a string type of an older pandas",
            "AttributeError: 'StringDtype' object has no attribute '_na_value'",
            "load",
        )
    if (
        isinstance(item.state, Items)
        and item.state.size == 2
        and "unpickle_NDArrayBacked" in item.callable
        and number < (3, 0)
    ):
        # (dtype, values) without attributes is how pandas 3 writes it.
        return (f"a {name} of pandas 3", "NotImplementedError", "load")
    if name in ("_unpickle_timestamp",) and count == 4 and number < (1, 5):
        return (
            "a timestamp with its resolution, as pandas 1.5 and newer write it",
            "TypeError: _unpickle_timestamp() takes exactly 3 positional arguments (4 given)",
            "load",
        )
    if name == "Timestamp" and count == 3 and item.args[2] is not None and number >= (2, 0):
        return ("a timestamp with a time zone in the form of pandas 1.1", "", "predict")
    if name == "PeriodDtype" and item.how == "NEWOBJ" and not count and number >= (2, 0):
        return (
            "a period type of pandas before 1.0",
            "TypeError: PeriodDtype.__new__() missing 1 required positional argument: 'freq'",
            "load",
        )
    if name == "IntervalArray" and number >= (1, 3) and _untyped(item):
        return (
            "intervals of pandas before 1.3",
            "AttributeError: 'IntervalArray' object has no attribute '_dtype'",
            "load",
        )
    if "__pyx_unpickle_PeriodMixin" in item.callable and number >= (1, 3):
        return (
            "a period array of pandas 1.1 or 1.2",
            "TypeError: PeriodMixin.__new__(PeriodArray) is not safe, use PeriodArray.__new__()",
            "load",
        )
    if name == "PeriodArray" and isinstance(item.state, Mapping) and (1, 1) <= number < (1, 3):
        # There periods are compiled objects, whose state is a tuple.
        return (
            "a period array of pandas before 1.1",
            "TypeError: Expected tuple, got dict",
            "load",
        )
    if item.callable.endswith("._reconstructor") and item.args:
        first = item.args[0]
        if isinstance(first, Name) and first.text.endswith("BlockManager") and number >= (1, 3):
            return (
                "a block manager written with protocol 0 or 1",
                "TypeError: object.__new__(BlockManager) is not safe",
                "load",
            )
    if name == "BlockManager" and item.how == "NEWOBJ" and number == _STRICT_MANAGERS:
        return (
            "a frame of an older pandas, which this one release does not read (1.3.1 does)",
            "TypeError: __cinit__() takes at least 2 positional arguments (0 given)",
            "load",
        )
    if (
        name == "BlockManager"
        and item.how == "REDUCE"
        and number >= (2, 0)
        and item.args
        and (loader != "pandas" or number < _REROUTED)
    ):
        # pandas 1.3 passes blocks through copyreg with a slice as their place.
        blocks = item.args[0]
        for symbol in blocks.items if isinstance(blocks, Items) else ():
            block = of_ref(pickle, symbol)
            if block is None or "unpickle_block" in block.callable:
                continue
            values = of_ref(pickle, block.args[0]) if block.args else None
            flat = values is not None and values.of.endswith(_FLAT)
            if number >= _PLACEMENTS or flat:
                return (
                    "blocks of pandas 1.3",
                    "TypeError: Argument 'placement' has incorrect type"
                    if number >= _PLACEMENTS
                    else "ValueError: Wrong number of dimensions. values.ndim != ndim [1 != 2]",
                    "load",
                )
    return None
