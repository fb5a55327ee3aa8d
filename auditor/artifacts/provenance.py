"""What wrote an artifact, from its bytes alone.

Evidence is gathered as claims, each a range with its reason: versions that estimators and boosters
carry, names that only some releases have, layouts of states, arguments of constructors, bytecode.
Claims about one subject are combined into the narrowest one that all of them allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.artifacts.facts import Items, Mapping, Name, Ref
from auditor.values import value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts, ObjectFacts, PickleFacts


@value
class Claim:
    """A statement about what wrote the artifact.

    ``exact`` is a version that the bytes state; else the writer is at least ``low`` and below
    ``high`` (None: open), as version texts.
    """

    subject: str
    evidence: str
    exact: str | None = None
    low: str | None = None
    high: str | None = None


@value
class Provenance:
    """What wrote an artifact and what it needs, as far as its bytes say.

    ``produced_by`` are (subject, version or range), the subject ``python`` or a distribution;
    ``requires`` are (distribution, specifier that has every name in the artifact);
    ``feature_names`` the columns it was fitted on, None when none are recorded; ``pipeline``
    whether the root is a Pipeline (None: it is no estimator).
    """

    claims: tuple[Claim, ...] = ()
    produced_by: tuple[tuple[str, str], ...] = ()
    requires: tuple[tuple[str, str], ...] = ()
    feature_names: tuple[str, ...] | None = None
    n_features: int | None = None
    pipeline: bool | None = None


def provenance(facts: ArtifactFacts) -> Provenance:
    """Everything that the bytes say of their origin. Never raises."""
    from auditor.artifacts.features import contract

    pickle = facts.pickle
    if pickle is None or facts.format.startswith("torch"):
        stated = contract(facts)
        own = tuple(_stated(facts))
        if pickle is not None:
            own += (*_layouts(pickle), *_symbols(pickle))
        return Provenance(
            claims=own,
            produced_by=tuple(combine(own)),
            requires=tuple(_requires(pickle)) if pickle is not None else (),
            feature_names=stated.names if stated else None,
            n_features=stated.count if stated else None,
        )
    claims = (
        *_versions(pickle),
        *_stated(facts),
        *_layouts(pickle),
        *_python(pickle),
        *_symbols(pickle),
    )
    fitted = contract(facts)
    names = fitted.names if fitted is not None else None
    count = fitted.count if fitted is not None else None
    return Provenance(
        claims=claims,
        produced_by=tuple(combine(claims)),
        requires=tuple(_requires(pickle)),
        feature_names=names,
        n_features=count,
        pipeline=_is_pipeline(pickle),
    )


# LightGBM's text models count their form.
_LIGHTGBM_FORMS: dict[str, tuple[str, str | None]] = {
    "v2": ("2.0", "2.3"),
    "v3": ("2.3", "4.0"),
    "v4": ("4.0", None),
}

# What safetensors' metadata calls the frameworks.
_FRAMEWORKS: dict[str, str] = {
    "pt": "torch",
    "tf": "tensorflow",
    "flax": "flax",
    "np": "numpy",
    "mlx": "mlx",
}


def _stated(facts: ArtifactFacts) -> Iterator[Claim]:
    """What formats other than pickle say of their writer."""
    from auditor.artifacts.stated import VERSIONS, catboost_range

    for name, text in facts.details:
        if name in VERSIONS:
            yield Claim(subject=VERSIONS[name], exact=text, evidence=name)
        elif name == "lightgbm_format" and text in _LIGHTGBM_FORMS:
            low, high = _LIGHTGBM_FORMS[text]
            yield Claim(subject="lightgbm", low=low, high=high, evidence=f"version={text}")
        elif name == "catboost_revision":
            since, until = catboost_range(int(text))
            yield Claim(subject="catboost", low=since, high=until, evidence=f"revision {text}")
        elif name == "safetensors_format" and text in _FRAMEWORKS:
            yield Claim(subject=_FRAMEWORKS[text], evidence=f'format "{text}" in __metadata__')
        elif name == "torch_archive":
            yield Claim(subject="torch", low="1.6", evidence=f"form {text} of the archive")
    if facts.format == "torch-legacy":
        yield Claim(subject="torch", evidence="the form before archives")
    if facts.onnx is not None and facts.onnx.producer:
        name, _, version = facts.onnx.producer.partition(" ")
        if version[:1].isdigit():
            subject = {"pytorch": "torch"}.get(name, name)
            yield Claim(subject=subject, exact=version, evidence="producer_name")


def stated_versions(facts: ArtifactFacts) -> dict[str, str]:
    """{distribution: version} that the artifact's own objects state."""
    if facts.pickle is None:
        return {}
    return {c.subject: c.exact for c in _versions(facts.pickle) if c.exact is not None}


def combine(claims: tuple[Claim, ...]) -> Iterator[tuple[str, str]]:
    """(subject, version or range) of the narrowest claim that all evidence allows."""
    from auditor.linking.symbols import numbers

    for subject in dict.fromkeys(claim.subject for claim in claims):
        mine = [claim for claim in claims if claim.subject == subject]
        exact = next((claim.exact for claim in mine if claim.exact is not None), None)
        if exact is not None:
            yield subject, exact
            continue
        lows = [claim.low for claim in mine if claim.low is not None]
        highs = [claim.high for claim in mine if claim.high is not None]
        low = max(lows, key=numbers, default=None)
        high = min(highs, key=numbers, default=None)
        if low is not None and high is not None and numbers(low) >= numbers(high):
            # The evidence contradicts itself (several writers): say the part that is sure.
            high = None
        parts = ([f">={low}"] if low else []) + ([f"<{high}"] if high else [])
        if parts:
            yield subject, ",".join(parts)


def _state(item: ObjectFacts) -> Mapping | None:
    state = item.state
    if isinstance(state, Items) and state.size == 2 and len(state.items) == 2:
        state = state.items[0]
    return state if isinstance(state, Mapping) else None


def _versions(pickle: PickleFacts) -> Iterator[Claim]:
    """Versions that the objects themselves state."""
    seen: set[str] = set()
    for item in pickle.objects:
        state = _state(item)
        if state is None:
            continue
        written = state.get("_sklearn_version")
        if isinstance(written, str) and item.of.startswith("sklearn.") and written not in seen:
            seen.add(written)
            yield Claim(
                subject="scikit-learn", exact=written, evidence=f"_sklearn_version of {item.of}"
            )
        if item.of == "xgboost.core.Booster":
            from auditor.linking.boosters import buffer_of, xgboost_layout, xgboost_version

            found = buffer_of(pickle, state.get("handle"))
            if found is None:
                continue
            version = xgboost_version(found[1])
            layout = xgboost_layout(found[0])
            low, high = {
                "binary": (None, "1.0"),
                "json": ("1.0", "1.6"),
                "ubjson": ("1.6", None),
            }.get(layout or "", (None, None))
            yield Claim(
                subject="xgboost",
                exact=version,
                low=low,
                high=high,
                evidence=f"the booster's buffer ({layout})",
            )


def _layouts(pickle: PickleFacts) -> Iterator[Claim]:
    """Layouts of states that changed at a known version."""
    if pickle.joblib_arrays:
        yield Claim(
            subject="joblib",
            low="1.2" if pickle.joblib_aligned else "0.10",
            high=None if pickle.joblib_aligned else "1.2",
            evidence="alignment of the arrays",
        )
    for item in pickle.objects:
        if item.callable.startswith("numpy.random._pickle."):
            first = item.args[0] if item.args else None
            if isinstance(first, Name | Ref):
                yield Claim(
                    subject="numpy", low="2.0", evidence="a bit generator passed as a class"
                )
            elif len(item.args) > 1:
                yield Claim(
                    subject="numpy",
                    low="1.24",
                    evidence="two arguments of a generator's constructor",
                )
        elif item.of == "lightgbm.basic.Booster":
            state = _state(item)
            if state is not None:
                new = any(key == "_handle" for key, _ in state.pairs)
                yield Claim(
                    subject="lightgbm",
                    low="4.0" if new else None,
                    high=None if new else "4.0",
                    evidence="the booster's attributes",
                )


def _python(pickle: PickleFacts) -> Iterator[Claim]:
    if pickle.protocol >= 5:
        yield Claim(subject="python", low="3.8", evidence="pickle protocol 5")
    elif pickle.protocol == 4:
        yield Claim(subject="python", low="3.4", evidence="pickle protocol 4")
    if pickle.python2_strings:
        yield Claim(subject="python", low="2.3", high="3.0", evidence="byte strings of Python 2")
    modules = {g.module for g in pickle.globals}
    if "pathlib._local" in modules:
        yield Claim(subject="python", low="3.13", high="3.14", evidence="pathlib._local")
    if pickle.code_objects:
        from auditor.linking.bytecode import writers

        found = writers(pickle)
        if found:
            low, high = min(found), max(found)
            yield Claim(
                subject="python",
                low=f"{low[0]}.{low[1]}",
                high=f"{high[0]}.{high[1] + 1}",
                evidence="bytecode",
            )


def _ranges(pickle: PickleFacts) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """(distribution, known versions, those that have every name of the artifact)."""
    from auditor.linking import symbols

    by_owner: dict[str, dict[tuple[str, str], None]] = {}
    for item in pickle.globals:
        owner = symbols.owner(item.module)
        if owner is not None:
            by_owner.setdefault(owner, {}).setdefault((item.module, item.name.partition(".")[0]))
    for owner, names in by_owner.items():
        table = symbols.table(owner)
        if table is None:
            continue
        fitting = tuple(
            version
            for version in table.versions
            if all(table.find(m, n, version) in ("yes", "unknown") for m, n in names)
        )
        yield owner, table.versions, fitting


def _range(known: tuple[str, ...], fitting: tuple[str, ...]) -> tuple[str | None, str | None]:
    """(lowest minor, first minor after the highest), None where the range is open."""
    first, last = known.index(fitting[0]), known.index(fitting[-1])
    low = _minor(fitting[0]) if first > 0 else None
    high = _minor(known[last + 1]) if last + 1 < len(known) else None
    return low, high


def _minor(version: str) -> str:
    from auditor.linking.symbols import numbers

    return ".".join(map(str, numbers(version)[:2]))


# Releases that write other module paths than those which still resolve.
_WRITES: dict[str, tuple[tuple[str, str | None, str | None], ...]] = {
    "numpy": (("numpy._core", "2.0", None), ("numpy.core", None, "2.0")),
}


def _symbols(pickle: PickleFacts) -> Iterator[Claim]:
    """Releases that have every name which the artifact asks for."""
    modules = {g.module for g in pickle.globals}
    for subject, rows in _WRITES.items():
        for prefix, low, high in rows:
            if any(m == prefix or m.startswith(f"{prefix}.") for m in modules):
                yield Claim(subject=subject, low=low, high=high, evidence=f"names {prefix}")
    for owner, known, fitting in _ranges(pickle):
        if fitting and len(fitting) < len(known):
            low, high = _range(known, fitting)
            yield Claim(subject=owner, low=low, high=high, evidence="the names it has")


def _requires(pickle: PickleFacts) -> Iterator[tuple[str, str]]:
    if pickle.protocol >= 4:
        yield "python", ">=3.8" if pickle.protocol >= 5 else ">=3.4"
    for owner, known, fitting in _ranges(pickle):
        text = ""
        if fitting:
            low, high = _range(known, fitting)
            text = ",".join(([f">={low}"] if low else []) + ([f"<{high}"] if high else []))
        yield owner, text


def _root(pickle: PickleFacts) -> ObjectFacts | None:
    root = pickle.root
    if isinstance(root, Ref) and 0 <= root.index < len(pickle.objects):
        return pickle.objects[root.index]
    return None


def _is_pipeline(pickle: PickleFacts) -> bool | None:
    root = _root(pickle)
    if root is None:
        return None
    if root.of.rpartition(".")[2].endswith("Pipeline"):
        return True
    state = _state(root)
    fitted = state is not None and any(
        isinstance(key, str) and (key.endswith("_") or key == "_sklearn_version")
        for key, _ in state.pairs
    )
    return False if fitted else None
