"""What happens when an artifact is loaded in an environment: requires ↔ provides, statically.

``link`` follows a load in the order in which it would go wrong: the file and its codec, the
loader, the protocol, every global in the order of the stream, the states that are restored, and
the attributes that the first prediction reads. What the environment leaves open (a range, no
pin) is tried at both ends; only what both ends share is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from auditor import versions as plainly
from auditor.linking import symbols
from auditor.values import field, replace, value

if TYPE_CHECKING:
    from auditor.artifacts.facts import ArtifactFacts
    from auditor.linking.distributions import Installed
    from auditor.linking.projects import ProjectModule

Outcome = Literal["loads", "warns", "fails", "unknown"]
Effect = Literal["load", "predict", "warns", "unknown"]


@value
class Reason:
    """One thing that speaks against a plain load, in the words of a person who would see it.

    ``effect``: ``load`` (loading raises), ``predict`` (the first prediction does), ``warns``, or
    ``unknown``. ``distribution`` is the pin that decides, ``""`` where none does.
    """

    rule: str
    effect: Effect
    message: str
    help: str = ""
    distribution: str = ""
    error: str = ""
    evidence: tuple[tuple[str, str], ...] = ()


@value
class Compatibility:
    """The outcome and its reasons, the first thing that breaks first."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()

    @property
    def first(self) -> Reason | None:
        return self.reasons[0] if self.reasons else None


@value
class Runtime:
    """What an environment offers to a load.

    ``project`` maps the importable modules of the repository to what they define; None means that nothing is known of the project; ``unsure`` modules may be there. ``main`` are the names of the
    program's own ``__main__``. ``specifiers`` bound the versions of distributions without a pin;
    ``fresh``: they are installed anew, so that the newest release of each is what comes.
    """

    python: str | None
    installed: Installed
    project: Mapping[str, ProjectModule] | None = field(default=None, compare=False)
    unsure: frozenset[str] = frozenset()
    # Modules of the project that are certainly not there.
    absent: frozenset[str] = frozenset()
    main: frozenset[str] = frozenset()
    specifiers: Mapping[str, str] = field(default_factory=dict, compare=False)
    fresh: bool = False


@value
class Exact:
    """A runtime in which every version is settled; what ``rules`` see."""

    python: tuple[int, int]
    runtime: Runtime
    versions: Mapping[str, str]

    def version(self, distribution: str) -> str | None:
        """The version of a distribution, None when it is not installed or not known."""
        found = self.versions.get(distribution)
        if found is not None:
            return found
        build = self.runtime.installed.build_of(distribution)
        return self.runtime.installed.version(build) if build is not None else None

    def has(self, distribution: str) -> bool:
        return self.runtime.installed.build_of(distribution) is not None

    def at_least(self, distribution: str, *wanted: int) -> bool | None:
        """Whether the installed version is ``wanted`` or newer; None when there is none."""
        version = self.version(distribution)
        return None if version is None else symbols.numbers(version) >= wanted


OLDEST_PYTHON = (3, 8)
NEWEST_PYTHON = (3, 13)


def link(facts: ArtifactFacts, runtime: Runtime, *, loader: str = "auto") -> Compatibility:
    """What happens when ``loader`` opens the artifact in that runtime. Never raises."""
    loader = guess_loader(facts) if loader == "auto" else loader
    edges = _edges(facts, runtime, loader)
    results = [_judge(facts, exact, loader) for exact in edges]
    if len({r.outcome for r in results}) == 1 and results[0].first != results[-1].first:
        # Both ends come to the same for different reasons: what lies between may not.
        for name, version in edges[0].versions.items():
            moved = replace(edges[-1], versions={**edges[-1].versions, name: version})
            edges.insert(0, moved)
            results.insert(0, _judge(facts, moved, loader))
    if len({r.outcome for r in results}) == 1:
        # The last edge is what pip installs today.
        return results[-1]
    if runtime.fresh and edges[0].python == edges[-1].python and results[-1].outcome != "unknown":
        return _today(edges[-1], results[-1])
    return _depends(facts, loader, edges, results)


def _today(newest: Exact, result: Compatibility) -> Compatibility:
    """What happens with the releases that a build of today installs, and that it rests on them."""
    versions = _edge(newest, list(newest.versions))
    reasons = tuple(
        replace(
            reason,
            message=f"{reason.message} ({versions}: no pin, so what a build installs today)",
            evidence=(*reason.evidence, ("installed_today", versions)),
        )
        for reason in result.reasons
    )
    return replace(result, reasons=reasons)


def _judge(facts: ArtifactFacts, exact: Exact, loader: str) -> Compatibility:
    from auditor.linking.loading import reasons_of

    found = tuple(reasons_of(facts, exact, loader))
    return Compatibility(outcome=_outcome(found), reasons=_ordered(found))


def _depends(
    facts: ArtifactFacts, loader: str, edges: list[Exact], results: list[Compatibility]
) -> Compatibility:
    """Unknown: which pin would decide, and what happens at either end."""
    newest, last = edges[-1], results[-1]
    other = next(i for i, r in enumerate(results) if r.outcome != last.outcome)
    oldest = edges[other]
    deciding: list[str] = []
    if oldest.python == newest.python:
        for name in newest.versions:
            moved = replace(
                newest, versions={**newest.versions, name: oldest.versions.get(name, "")}
            )
            if _judge(facts, moved, loader).outcome != last.outcome:
                deciding.append(name)
        deciding = deciding or list(newest.versions)
    what = " and ".join(deciding) or "Python"
    ends = [
        f"with {_edge(exact, deciding)}: {_describe(result)}"
        for exact, result in ((oldest, results[other]), (newest, last))
    ]
    worst = next(r for r in results if r.outcome in ("fails", "unknown", "warns"))
    decides = Reason(
        rule=worst.reasons[0].rule if worst.reasons else "CMP002",
        effect="unknown",
        message=f"depends on the version of {what}, which is not pinned: {'; '.join(ends)}",
        help=f"Pin {what}." if deciding else "Say which Python runs it.",
        distribution=deciding[0] if deciding else "",
        evidence=(("oldest", _edge(oldest, deciding)), ("newest", _edge(newest, deciding))),
    )
    return Compatibility(outcome="unknown", reasons=(decides,))


def _edge(exact: Exact, deciding: list[str]) -> str:
    return (
        ", ".join(f"{name} {exact.versions[name]}" for name in deciding if name in exact.versions)
        or f"Python {exact.python[0]}.{exact.python[1]}"
    )


def _describe(result: Compatibility) -> str:
    return result.outcome + (f" ({result.reasons[0].message})" if result.reasons else "")


def _outcome(reasons: Iterable[Reason]) -> Outcome:
    effects = {r.effect for r in reasons}
    if effects & {"load", "predict"}:
        return "fails"
    if "unknown" in effects:
        return "unknown"
    return "warns" if "warns" in effects else "loads"


_ORDER: dict[str, int] = {"load": 0, "predict": 1, "unknown": 2, "warns": 3}


def _ordered(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    return tuple(sorted(dict.fromkeys(reasons), key=lambda r: _ORDER[r.effect]))


def guess_loader(facts: ArtifactFacts) -> str:
    """The loader that the file was evidently written for."""
    if facts.format == "onnx" or (facts.pickle is None and facts.path.endswith(".onnx")):
        return "onnx"
    if facts.format.startswith("torch"):
        return "torch"
    if facts.format in ("npy", "npz"):
        return "numpy"
    from auditor.linking.saved import FORMATS

    if facts.format in FORMATS:
        return FORMATS[facts.format]
    if facts.format == "joblib" or (facts.container and facts.pickle is not None):
        return "joblib"
    if facts.path.endswith((".joblib", ".jbl")):
        return "joblib"
    if facts.format == "unknown" and not facts.path.lower().endswith(_PICKLES):
        return ""
    return "pickle"


# Under another name, content that is not known need not be meant for an unpickler.
_PICKLES = (".pkl", ".pickle", ".pk", ".p", ".dill", ".cloudpickle", ".sav")


def distributions_needed(facts: ArtifactFacts) -> tuple[str, ...]:
    """Distributions with a symbol table that the artifact names."""
    found: dict[str, None] = {}
    for dotted in facts.globals:
        owner = symbols.owner(dotted)
        if owner is not None:
            found.setdefault(owner)
    return tuple(found)


def _edges(facts: ArtifactFacts, runtime: Runtime, loader: str) -> list[Exact]:
    """The runtimes at either end of what is left open; the last is what is installed today."""
    pythons: tuple[tuple[int, int], ...]
    if runtime.python is None:
        pythons = (OLDEST_PYTHON, NEWEST_PYTHON)
    else:
        parts = symbols.numbers(runtime.python)
        pythons = ((parts[0], parts[1] if len(parts) > 1 else 0),)
    found: dict[tuple[object, ...], Exact] = {}
    for python in pythons:
        ends = _open(facts, runtime, python, loader)
        for pick in (0, -1):
            versions = {name: versions[pick] for name, versions in ends.items()}
            key = (python, tuple(sorted(versions.items())))
            found.pop(key, None)
            found[key] = Exact(python=python, runtime=runtime, versions=versions)
    return list(found.values())


def _open(
    facts: ArtifactFacts, runtime: Runtime, python: tuple[int, int], loader: str
) -> dict[str, tuple[str, ...]]:
    """Distributions whose version decides and is not settled, with the versions at both ends."""
    wanted = dict.fromkeys(distributions_needed(facts))
    if loader == "joblib":
        wanted.setdefault("joblib")
    if loader in ("pandas", "numpy"):
        wanted.setdefault(loader)
    if "scikit-learn" in wanted or "pandas" in wanted or "scipy" in wanted:
        wanted.setdefault("numpy")
    left = [
        name
        for name in wanted
        if (build := runtime.installed.build_of(name)) is not None
        and runtime.installed.version(build) is None
    ]
    if not left:
        return {}
    text = f"{python[0]}.{python[1]}"
    settled = {
        name: version for name in wanted if (version := runtime.installed.version(name)) is not None
    }
    oldest, newest = (_beside(left, settled, runtime, text, pick) for pick in (0, -1))
    return {
        name: (oldest[name], newest[name]) for name in left if name in oldest and name in newest
    }


def _beside(
    left: list[str], settled: dict[str, str], runtime: Runtime, python: str, pick: int
) -> dict[str, str]:
    """The oldest (``pick`` 0) or newest (-1) releases of ``left`` that are installed together."""
    ends: dict[str, str] = {}
    for _ in range(2):
        # Twice: the release of the one bounds the other's. Newest goes with newest: pip takes an
        # older release of neither for what an older one of the other would have asked.
        there = settled | ends
        for name in left:
            asked = [
                table.requires(name, version)
                for owner, version in there.items()
                if owner != name and (table := symbols.table(owner)) is not None
            ]
            specifiers = [runtime.specifiers.get(name, ""), *asked]
            versions = possible_versions(name, ",".join(filter(None, specifiers)), python)
            if versions:
                ends[name] = versions[pick]
    return ends


def possible_versions(name: str, specifier: str, python: str | None) -> tuple[str, ...]:
    """The oldest and the newest release that the specifier and the interpreter admit."""
    table = symbols.table(name)
    if table is None:
        return ()
    versions = list(table.versions)
    if specifier:
        plain = [plainly.admits(specifier, v) for v in versions]
        if None not in plain:
            fitting = [v for v, admitted in zip(versions, plain, strict=True) if admitted]
        else:
            from packaging.specifiers import InvalidSpecifier, SpecifierSet

            try:
                allowed = SpecifierSet(specifier)
            except InvalidSpecifier:
                allowed = SpecifierSet()
            fitting = [v for v in versions if allowed.contains(v)]
        versions = fitting
        if not versions and python is not None:
            # The table has one release of each minor version; the index has more.
            from auditor.linking.wheels import newest

            only = newest(name, specifier, python)
            return (only,) if only is not None else ()
    if python is not None:
        from auditor.linking.wheels import installable

        fitting = [
            v
            for v in versions
            if not table.fails_under(table.top, v, python)
            and installable(name, v, python=python).outcome in ("wheel", "unknown")
        ]
        versions = fitting or versions
    if not versions:
        return ()
    return (versions[0], versions[-1]) if versions[0] != versions[-1] else (versions[0],)


__all__ = [
    "Compatibility",
    "Exact",
    "Outcome",
    "Reason",
    "Runtime",
    "guess_loader",
    "link",
    "replace",
]
