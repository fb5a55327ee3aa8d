"""States of polars: frames became one buffer with 1.20; plans and expressions are private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Items, Opaque
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import PickleFacts

# Until then a frame's state was the list of its columns.
_BUFFERS: Final = (1, 20)
_PRIVATE: Final = frozenset({"polars.expr.expr.Expr", "polars.lazyframe.frame.LazyFrame"})


def polars_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """The first object that the installed polars does not restore, or not for certain."""
    version = exact.version("polars")
    if version is None:
        return
    buffers = symbols.numbers(version) >= _BUFFERS
    for item in pickle.objects:
        if item.of in _PRIVATE:
            yield Reason(
                rule="CMP011",
                effect="unknown",
                message=f"holds a {item.of.rpartition('.')[2]} of polars, in a private form that "
                "changes with nearly every release; which wrote it is not known",
                help="Store the data (write_parquet), and build the query anew.",
                distribution="polars",
            )
            return
        if item.of != "polars.dataframe.frame.DataFrame":
            continue
        listed = isinstance(item.state, Items)
        if listed == buffers and isinstance(item.state, Items | Opaque | bytes):
            yield Reason(
                rule="CMP011",
                effect="load" if listed else "predict",
                message="holds a data frame as polars "
                + ("before 1.20" if listed else "1.20 and newer")
                + f" writes it; {version} "
                + ("does not read that" if listed else "makes an empty one of it, silently"),
                error="TypeError: a bytes-like object is required, not 'list'" if listed else "",
                help="Pin the polars that wrote it, or store the frame as Parquet.",
                distribution="polars",
            )
            return
