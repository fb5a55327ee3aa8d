"""Which distributions an environment ends up with, and which modules those provide.

Knowledge: ``rules/knowledge/distributions.json.gz`` (modules, requirements, extras and scripts
of the newest wheel of some hundred distributions). Older releases may require more than the
newest one; that is why a module that is missing here is sometimes only *possibly* missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from auditor import lazy_re as re
from auditor import versions
from auditor.catalog import knowledge
from auditor.parsers.requirements import normalise
from auditor.values import field, replace, value

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")

# Distributions that were common requirements of older releases of many others.
_ONCE_COMMON = frozenset(
    {
        "attrs", "certifi", "click", "dataclasses", "decorator", "future", "importlib-metadata",
        "importlib-resources", "markupsafe", "packaging", "pytz", "pyyaml", "requests", "setuptools",
        "six", "toml", "tqdm", "typing-extensions", "urllib3", "wheel", "wrapt", "zipp",
    }
)  # fmt: skip


# Always left to the user by the frameworks that use them.
_ALWAYS_OPTIONAL = frozenset(
    {"python-multipart", "gunicorn", "uvicorn", "imbalanced-learn", "tabulate"}
)


# Builds of a distribution under other names: the same modules, the same releases.
VARIANTS: dict[str, tuple[str, ...]] = {
    "xgboost": ("xgboost-cpu",),
    "tensorflow": (
        "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos",
        "tensorflow-cpu-aws",
    ),
    "onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino"),
    "catboost": ("catboost-dev",),
}  # fmt: skip
_VARIANT_OF = {build: name for name, builds in VARIANTS.items() for build in builds}


@value
class Distribution:
    """One distribution that will be there. ``via`` names what requires it ("" when direct)."""

    name: str
    version: str | None
    via: str = ""
    known: bool = True
    # Extras of it are asked for.
    extras: bool = False


@value
class Provision:
    """Whether a module can be imported: ``by`` is the distribution that brings it.

    ``candidates`` are the distributions known to bring it when none of them is installed.
    """

    answer: Literal["yes", "no", "likely-no", "possibly-no", "unknown"]
    by: str = ""
    candidates: tuple[str, ...] = ()
    reason: str = ""


@value
class Installed:
    """The closure of an environment's requirements.

    ``unknown`` are installed distributions that the tables do not know: they may bring anything.
    ``complete`` is False when the environment itself is not fully known.
    """

    distributions: Mapping[str, Distribution]
    unknown: tuple[str, ...]
    complete: bool
    reason: str = ""
    # Everything is named by a lock or with --no-deps: nothing else can come in.
    closed: bool = False
    # What the requirements themselves say of open ones.
    specifiers: Mapping[str, str] = field(default_factory=dict)
    python: str | None = None

    def has(self, name: str) -> bool:
        return name in self.distributions

    def version(self, name: str) -> str | None:
        """The settled version of a distribution; None when absent or open."""
        found = self.distributions.get(name)
        return found.version if found else None

    def build_of(self, name: str) -> str | None:
        """The distribution that is there as ``name``: itself, or a build under another name."""
        if name in self.distributions:
            return name
        return next((v for v in VARIANTS.get(name, ()) if v in self.distributions), None)

    def scripts(self) -> frozenset[str]:
        """Console scripts that the known distributions bring."""
        table = _table()
        return frozenset(
            script
            for name in self.distributions
            for script in table.get(name, {}).get("scripts", ())
        )

    def provides(self, module: str) -> Provision:
        """Whether ``module`` (dotted) can be imported here; project modules are not asked for."""
        top = module.partition(".")[0]
        candidates = distributions_of(module)
        if self.complete and (former := self._former(top)) is not None:
            return former
        for name in candidates:
            if (build := self.build_of(name)) is not None:
                return Provision(answer="yes", by=build, candidates=candidates)
        for name in self.unknown:
            if normalise(top) == name or top.lower() == name.replace("-", "_"):
                return Provision(answer="yes", by=name)
        # google, azure, … : a namespace that several distributions share.
        namespace = [n for n in self.distributions if n.partition("-")[0] == top.lower()]
        if not candidates and namespace:
            return Provision(answer="unknown", reason=f"{top} is shared by several distributions")
        if not self.complete:
            return Provision(answer="unknown", candidates=candidates, reason=self.reason)
        if self.closed:
            if candidates or not self.unknown:
                return Provision(answer="no", candidates=candidates)
            # What the tables do not know may bring a module that they do not know either.
            return Provision(
                answer="possibly-no", reason=f"{', '.join(self.unknown[:3])} may bring it"
            )
        if self.unknown:
            return Provision(
                answer="possibly-no",
                candidates=candidates,
                reason=f"{', '.join(self.unknown[:3])} may bring it",
            )
        if not candidates:
            return Provision(answer="likely-no")
        if (by := self._recorded(candidates)) is not None:
            return Provision(answer="yes", by=by, candidates=candidates)
        if any(self._once_required(name) for name in candidates):
            return Provision(
                answer="possibly-no",
                candidates=candidates,
                reason="an older release of another requirement may bring it",
            )
        return Provision(answer="likely-no", candidates=candidates)

    def _former(self, top: str) -> Provision | None:
        """A module that the newest release of its distribution has no more."""
        name, without = _FORMER.get(top, ("", ""))
        if not name:
            return None
        there = self.distributions.get(name)
        if there is None:
            return None if self.unknown else Provision(answer="likely-no", candidates=(name,))
        if there.version is not None:
            older = _older(there.version, without)
        else:
            # pip keeps what the base image has, and takes the newest release otherwise.
            older = there.via == "the base image" or (
                versions.admits(self.specifiers.get(name, ""), f"{without}.0.0") is False
            )
        if older:
            return Provision(answer="yes", by=name, candidates=(name,))
        sure: Literal["no", "likely-no"] = "no" if there.version else "likely-no"
        return Provision(answer=sure, reason=f"{name} {without} and newer come without it")

    def _recorded(self, names: Iterable[str]) -> str | None:
        """An installed release that the table of older ones records, and that requires one of these."""
        releases = knowledge("requirements.json")["releases"]
        for distribution in self.distributions.values():
            texts = releases.get(distribution.name, {}).get(distribution.version or "", ())
            if any(_split(text)[0] in names and not _split(text)[2] for text in texts):
                return distribution.name
        return None

    def _once_required(self, name: str) -> bool:
        """An installed release other than the one in the table may require ``name``."""
        if name in _ALWAYS_OPTIONAL:
            return False
        # What the base image has brings nothing further along.
        mine = [d for d in self.distributions.values() if d.via != "the base image"]
        if name in _ONCE_COMMON:
            seen: set[tuple[str, bool]] = set()
            return any(self._may_bring(d, name, self._newest(d), seen) for d in mine)
        for distribution in mine:
            row = _table().get(distribution.name)
            if row is None or not _ever_required(distribution):
                continue
            if distribution.version in (None, row["version"]):
                continue
            near = around(distribution.name, distribution.version or "")
            sides = near if near is not None else tuple(row.get("extras", {}).values())
            if any(_split(text)[0] == name for side in sides for text in side):
                return True
        return False

    def _may_bring(
        self, distribution: Distribution, name: str, newest: bool, seen: set[tuple[str, bool]]
    ) -> bool:
        """Whether a release that may be here requires ``name``, or what requires it in its turn.

        ``newest``: it is the release of the table. Of others that are not known anything goes.
        """
        key = distribution.name, newest
        if key in seen:
            return False
        seen.add(key)
        row = _table().get(distribution.name)
        if row is None:
            return True
        sides: Iterable[Iterable[str]] | None
        if newest:
            sides = (row.get("requires", ()),)
        elif distribution.version is not None:
            sides = around(distribution.name, distribution.version)
        else:
            older = knowledge("requirements.json")["releases"].get(distribution.name)
            sides = (*older.values(), row.get("requires", ())) if older else None
        if sides is None or (distribution.extras and not newest):
            return True
        for text in dict.fromkeys(text for side in sides for text in side):
            child, _, marker = _split(text)
            if marker and not marker_holds(marker, self.python):
                continue
            if child == name:
                return True
            there = self.distributions.get(child) or Distribution(name=child, version=None)
            if self._may_bring(there, name, _takes_newest(text) and self._newest(there), seen):
                return True
        return False

    def _newest(self, distribution: Distribution) -> bool:
        """Whether pip takes the release of the table."""
        row = _table().get(distribution.name, {})
        if "version" not in row:
            return False
        if distribution.version is not None:
            return bool(distribution.version == row["version"])
        asked, needs = self.specifiers.get(distribution.name, ""), row.get("python")
        if asked and versions.admits(asked, row["version"]) is False:
            return False
        python = self.python
        return not needs or bool(python and versions.admits(needs, f"{python}.99"))


def _ever_required(distribution: Distribution) -> bool:
    """Whether a release may have required what the newest one leaves to its extras.

    uvicorn, SQLAlchemy (drivers) and pydantic never did; of fastapi only the 0.111 series.
    """
    if distribution.name in ("uvicorn", "sqlalchemy", "pydantic"):
        return False
    version = distribution.version
    return distribution.name != "fastapi" or version is None or version.startswith("0.111.")


def _table() -> dict[str, Any]:
    table: dict[str, Any] = knowledge("distributions.json.gz")["distributions"]
    return table


def known(name: str) -> bool:
    """Whether the tables know this distribution (normalised name)."""
    return name in _table()


def described(name: str) -> bool:
    """Whether the tables know what this distribution requires."""
    row = _table().get(name)
    return row is not None and "open" not in row


@lru_cache(maxsize=1)
def _by_module() -> dict[str, tuple[str, ...]]:
    owners: dict[str, list[str]] = {}
    for name, row in _table().items():
        for module in row.get("modules", ()):
            owners.setdefault(module, []).append(name)
    # First whoever has a wheel, then whoever is called like the module.
    for module, names in owners.items():
        if len(names) > 1:
            names.sort(key=lambda name: ("open" in _table()[name], name != normalise(module)))
    return {module: tuple(names) for module, names in owners.items()}


def distributions_of(module: str) -> tuple[str, ...]:
    """The distributions known to bring a module, asking for its longest known prefix."""
    owners = _by_module()
    name = module
    while name:
        if name in owners:
            return owners[name]
        name = name.rpartition(".")[0]
    return ()


def of_repository(url: str) -> str:
    """The distribution that a repository's address installs, as far as it is known; else empty."""
    owner, _, name = url.removesuffix(".git").rstrip("/").rpartition("/")
    name = normalise(name)
    place = f"{owner.rpartition('/')[2]}/{name}".lower()
    if known(name):
        return name
    return next((n for n, r in _table().items() if r.get("repository") == place), "")


def newest(name: str) -> str | None:
    """The release of a distribution that the table was made from, the newest one then."""
    return _table().get(name, {}).get("version") or None


def modules_of(name: str) -> tuple[str, ...]:
    """The modules a distribution is known to bring."""
    return tuple(_table().get(name, {}).get("modules", ()))


@lru_cache(maxsize=512)
def around(name: str, version: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """What the releases at both sides of one require, or twice what it requires itself; None if unknown.

    Source: ``rules/knowledge/requirements.json``, and the newest release.
    """
    from auditor.linking.symbols import numbers

    releases: dict[str, list[str]] = knowledge("requirements.json")["releases"].get(name, {})
    if version in releases:
        own = tuple(releases[version])
        return own, own
    below = [v for v in releases if numbers(v) < numbers(version)]
    above = [v for v in releases if numbers(v) > numbers(version)]
    if not below:
        return None
    after = tuple(releases[above[0]]) if above else texts_of(name)
    return tuple(releases[below[-1]]), after


def _of_release(name: str, version: str | None) -> Sequence[str]:
    """What exactly this release requires, where the table records it."""
    releases: dict[str, list[str]] = knowledge("requirements.json")["releases"].get(name, {})
    return releases.get(version, ()) if version is not None else ()


def texts_of(name: str) -> tuple[str, ...]:
    """What the newest release of a distribution requires, as its metadata has it."""
    return tuple(_table().get(name, {}).get("requires", ()))


@lru_cache(maxsize=4096)
def requires(name: str, other: str) -> bool:
    """Whether the newest release of a distribution is known to require another one."""
    return any(_split(text)[0] == other for text in texts_of(name))


def requirements_of(
    name: str, python: str | None, extras: Iterable[str] = ()
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(distribution, its extras) that the newest release of ``name`` requires on Linux."""
    row = _table().get(name, {})
    texts = list(row.get("requires", ()))
    for extra in extras:
        texts += row.get("extras", {}).get(normalise(extra), ())
    return children(texts, python)


def lost_extras(name: str, extras: Iterable[str], version: str | None) -> tuple[str, ...]:
    """The extras that an older release may have had: the one in the table, another, has none of
    the name. Of what no table describes, all.
    """
    row = _table().get(name)
    if row is None:
        return tuple(extras)
    if version is None or version == row["version"]:
        return ()
    return tuple(e for e in extras if normalise(e) not in row.get("extras", {}))


def children(
    requires: Iterable[str], python: str | None, extras: Iterable[str] = ()
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(distribution, its extras) of requirement lines that hold on Linux, with these extras."""
    asked = ("", *extras)
    found = []
    for text in requires:
        child, wanted, marker = _split(text)
        if child and (not marker or any(marker_holds(marker, python, e) for e in asked)):
            found.append((child, wanted))
    return tuple(found)


def is_stdlib(module: str) -> bool:
    """Whether a top-level name belongs to the standard library of some Python 3.

    The program itself, ``__main__``, is always there too.
    """
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _LEFT_STDLIB or top == "__main__"


# Modules that the newest release of their distribution has no more, and the first one without.
_FORMER = {"pkg_resources": ("setuptools", "82")}


def _older(version: str, without: str) -> bool:
    from auditor.linking.symbols import numbers

    return numbers(version) < numbers(without)


# What left the standard library, by the first Python without it (interpreters 3.7 to 3.13 were asked).
_LEFT_STDLIB = {
    "macpath": (3, 8), "dummy_threading": (3, 9), "formatter": (3, 10), "parser": (3, 10),
    "symbol": (3, 10), "binhex": (3, 11),
    "distutils": (3, 12), "asynchat": (3, 12), "asyncore": (3, 12), "imp": (3, 12), "smtpd": (3, 12),
    "aifc": (3, 13), "audioop": (3, 13), "cgi": (3, 13), "cgitb": (3, 13), "chunk": (3, 13),
    "crypt": (3, 13), "imghdr": (3, 13), "lib2to3": (3, 13), "mailcap": (3, 13), "msilib": (3, 13),
    "nis": (3, 13), "nntplib": (3, 13), "ossaudiodev": (3, 13), "pipes": (3, 13), "sndhdr": (3, 13),
    "spwd": (3, 13), "sunau": (3, 13), "telnetlib": (3, 13), "uu": (3, 13), "xdrlib": (3, 13),
}  # fmt: skip


def left_stdlib(module: str, python: tuple[int, int]) -> tuple[int, int] | None:
    """The version that removed a standard library module, when ``python`` no longer has it."""
    removed = _LEFT_STDLIB.get(module.partition(".")[0])
    return removed if removed and python >= removed else None


def _split(text: str) -> tuple[str, tuple[str, ...], str]:
    """(normalised name, extras, marker) of a requirement line of the table."""
    requirement, _, marker = text.partition(";")
    match = _NAME.match(requirement)
    if match is None:
        return "", (), ""
    extras = tuple(e.strip() for e in (match.group(2) or "").split(",") if e.strip())
    return normalise(match.group(1)), extras, marker.strip()


@lru_cache(maxsize=4096)
def _takes_newest(text: str) -> bool:
    """Whether a requirement line admits the release that the table has."""
    requirement = text.partition(";")[0]
    match = _NAME.match(requirement)
    row = _table().get(_split(text)[0])
    if match is None or row is None:
        return False
    specifier = requirement[match.end() :].strip().strip("()")
    return versions.admits(specifier, row["version"]) is not False


def close(
    roots: Iterable[tuple[str, tuple[str, ...], str | None]],
    *,
    python: str | None,
    complete: bool = True,
    reason: str = "",
    closed: bool = False,
    extra: Iterable[str] = (),
    constraints: Mapping[str, str | None] | None = None,
    specifiers: Mapping[str, str] | None = None,
) -> Installed:
    """The closure of ``roots`` (normalised name, extras, version or None).

    ``closed``: the roots are all there is (a lock, ``--no-deps``). ``extra``: distributions that
    the base image has anyway (pip, setuptools). ``constraints`` settle the versions of what comes
    in by itself. ``specifiers``: what is asked of those that are open.
    """
    table = _table()
    roots = list(roots)
    pins = dict(constraints or {})
    pins.update({name: version for name, _, version in roots if version is not None})
    found: dict[str, Distribution] = {}
    unknown: list[str] = []
    queue: list[tuple[str, tuple[str, ...], str | None, str]] = [
        (name, extras, version, "") for name, extras, version in roots
    ]
    queue += [(name, (), None, "the base image") for name in extra]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    # What is asked for by an extra is asked for on purpose: unknown, it may be what code imports.
    asked: set[str] = set()
    while queue:
        name, extras, version, via = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        row = table.get(name) or table.get(_VARIANT_OF.get(name, ""))
        # A root may be met first as what another one requires.
        version = version or pins.get(name)
        previous = found.get(name)
        if previous is None or (previous.version is None and version):
            found[name] = Distribution(
                name=name,
                version=version,
                via=via,
                known=row is not None,
                extras=bool(extras) or (previous is not None and previous.extras),
            )
        elif extras and not previous.extras:
            found[name] = replace(previous, extras=True)
        if row is None or "open" in row:
            if name not in unknown and (not via or name in asked):
                unknown.append(name)
            continue
        if closed:
            continue
        anyway = {child for child, _ in requirements_of(name, python)} if extras else set()
        # What a release of the past required beside what the newest one does.
        then = children(_of_release(name, pins.get(name)), python)
        for child, child_extras in dict.fromkeys((*requirements_of(name, python, extras), *then)):
            # A library that asks for another's extra wants what it runs with, not what code imports.
            if extras and child not in anyway and (not via or name in asked):
                asked.add(child)
            queue.append((child, child_extras, None, name))
    return Installed(
        distributions=found,
        unknown=tuple(unknown),
        complete=complete,
        reason=reason,
        closed=closed,
        specifiers=dict(specifiers or {}),
        python=python,
    )


@lru_cache(maxsize=512)
def marker_holds(marker: str, python: str | None, extra: str = "") -> bool:
    """Whether a marker holds on Linux with that Python; undecided ones hold."""
    environment = {
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "extra": extra,
    }
    if python:
        environment["python_version"] = ".".join(python.split(".")[:2])
        environment["python_full_version"] = python if python.count(".") > 1 else f"{python}.0"
    plain = versions.marker_holds(marker, environment)
    if plain is not None:
        return plain
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    try:
        return Marker(marker).evaluate(environment)
    except (InvalidMarker, UndefinedEnvironmentName):
        return True
