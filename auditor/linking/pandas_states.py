"""States of pandas: block managers, indexes, extension types, and ``read_pickle``'s renames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import PickleFacts


def pandas_renames(version: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Names that ``pandas.read_pickle`` of that version looks for elsewhere."""
    return {}


def pandas_reasons(pickle: PickleFacts, exact: Exact, loader: str) -> Iterator[Reason]:
    """Why a state of pandas is refused there."""
    return
    yield
