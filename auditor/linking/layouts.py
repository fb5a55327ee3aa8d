"""Objects that lack what their class sets whenever it makes one: another release wrote them.

Whether the first use reads it is not known here, so this is never more than a doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from auditor.artifacts.facts import Mapping, Ref
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason
from auditor.linking.states import keys_of

if TYPE_CHECKING:
    from auditor.artifacts.facts import ObjectFacts, PickleFacts

# Libraries whose objects are asked; of others real models were asked what they cannot do without.
_ASKED: Final = frozenset({"xgboost"})
# With this a model is fitted, and what its predictions read is known.
_FITTED: Final = {"xgboost": "_Booster"}


def layout_reasons(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """The first object that is not as the installed release makes them."""
    python = ".".join(map(str, exact.python))
    standard = symbols.table("stdlib")
    for index, item in enumerate(pickle.objects):
        state = item.state
        # Slots are set one by one, also through properties of other names.
        if not item.of or not isinstance(state, Mapping) or len(state.pairs) != state.size:
            continue
        module, _, name = item.of.rpartition(".")
        owner = symbols.owner(module)
        if owner is not None:
            version = exact.version(owner) if owner in _ASKED else None
            table = symbols.table(owner) if version is not None else None
        else:
            table, version = standard, python
        fitted = _FITTED.get(owner or "", "")
        if table is None or version is None or (fitted and pickle.root != Ref(index)):
            # A model inside another one is fitted, or a template that is not asked.
            continue
        attribute = _lacking(table, item, version, fitted)
        if not attribute:
            continue
        what = f"{owner or 'Python'} {version}"
        yield Reason(
            rule="CMP011" if owner else "CMP004",
            effect="unknown",
            message=f"holds a {name} without {attribute}, which {what} sets whenever it makes one: "
            "another release wrote it, and whether its methods work there is not known",
            error=f"AttributeError: '{name}' object has no attribute '{attribute}'",
            help=f"Pin the {owner} that wrote it." if owner else "Store plain values instead.",
            distribution=owner or "",
            evidence=(("attribute", attribute),),
        )
        return


def _lacking(table: symbols.Table, item: ObjectFacts, version: str, fitted: str) -> str:
    """An attribute that the release always sets, where another release may have written the rest."""
    module, _, name = item.of.rpartition(".")
    wanted, others = table.made(module, name, version)
    if not wanted:
        return ""
    keys = keys_of(item)
    if fitted in keys or wanted <= keys or not any(other <= keys for other in others):
        return ""
    return min(wanted - keys)


__all__ = ["layout_reasons"]
