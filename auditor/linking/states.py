"""States that are restored, and what the first prediction reads from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.artifacts.facts import Mapping
from auditor.linking import symbols
from auditor.linking.compatibility import Exact, Reason

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts, ObjectFacts, PickleFacts


def pandas_renames(version: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Names that ``pandas.read_pickle`` looks for elsewhere."""
    return {}


def state_reasons(
    facts: ArtifactFacts, pickle: PickleFacts, exact: Exact, loader: str
) -> Iterator[Reason]:
    """What BUILD and the first use of the object meet."""
    yield from _estimators(pickle, exact)


def _keys(item: ObjectFacts) -> frozenset[str]:
    state = item.state
    if isinstance(state, Mapping):
        return frozenset(k for k, _ in state.pairs if isinstance(k, str))
    return frozenset()


def _estimators(pickle: PickleFacts, exact: Exact) -> Iterator[Reason]:
    """scikit-learn estimators: the version that wrote them, and attributes gained since."""
    table = symbols.table("scikit-learn")
    version = exact.version("scikit-learn")
    if version is None or table is None:
        return
    warned = False
    reported: set[tuple[str, str]] = set()
    for item in pickle.objects:
        if not item.of.startswith("sklearn.") or not isinstance(item.state, Mapping):
            continue
        module, _, name = item.of.rpartition(".")
        written = item.state.get("_sklearn_version")
        if isinstance(written, str):
            if written != version and not warned:
                warned = True
                yield Reason(
                    rule="CMP002",
                    effect="warns",
                    message=f"was written by scikit-learn {written}; {version} says so when it "
                    "loads, and may predict otherwise",
                    error="InconsistentVersionWarning",
                    help=f"Pin scikit-learn=={written}, or train the model again with {version}.",
                    distribution="scikit-learn",
                )
        else:
            written = _version_of(pickle)
            if written is None:
                continue
        if written == version:
            continue
        keys = _keys(item)
        before = table.needs(module, name, written)
        if not before <= keys:
            # Not fitted (the template of an ensemble): nobody predicts with it.
            continue
        for attribute in sorted(table.needs(module, name, version) - keys - before):
            if (name, attribute) in reported:
                continue
            reported.add((name, attribute))
            yield Reason(
                rule="CMP002",
                effect="predict",
                message=f"{name} was written by scikit-learn {written} without {attribute}, which "
                f"{version} reads when it predicts",
                error=f"AttributeError: '{name}' object has no attribute '{attribute}'",
                help=f"Pin scikit-learn=={written}, or train the model again with {version}.",
                distribution="scikit-learn",
                evidence=(("attribute", attribute), ("written by", written)),
            )


def _version_of(pickle: PickleFacts) -> str | None:
    for item in pickle.objects:
        if isinstance(item.state, Mapping):
            written = item.state.get("_sklearn_version")
            if isinstance(written, str):
                return written
    return None
