"""Generate the system library tables: ``syslibs.json`` and ``apt-<suite>.json.gz``.

``rules/knowledge/syslibs.json``: what distributions need of the system. ELF needs come from the
wheels (see ``syslib_wheels.py``) of ``syslibs.toml`` over their history and of every name in
``distributions.txt`` in its newest release, loads by name and programs from the same wheels' code
and from ``syslibs.toml``, and where
``syslibs_executed.tsv`` (written by ``verify_syslibs.py``) or ``syslibs_observed.tsv`` (by
``observe_syslibs.py``) has a row, execution decides: a library
that ELF names and the import did not miss belongs to an optional layer.

``rules/knowledge/apt-<suite>.json.gz``: the packages of a Debian release, what each brings of the
packages that matter (with and without recommended ones), and which package has a library or
program. Made from Debian's own Packages and Contents files.

    python tools/make_syslib_tables.py [--cache DIR] [--no-wheels] [--site DIR ...] [--no-apt] [--archives] [--into DIR]

A new distribution costs no reading of the others: install it with
``pip install --target DIR NAME``, add it and what came along to ``distributions.txt``, and give
``--no-wheels --site DIR``. With ``--into`` the tables go elsewhere; ``--only NAME ...`` reads these
alone, and leaves out all others: to compare with the shipped rows.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import gzip
import json
import re
import tomllib
import urllib.error
from collections.abc import Iterable, Iterator
from functools import cache as remembered
from pathlib import Path
from typing import Any

import syslib_apt
import syslib_wheels
from make_distribution_table import DEV_EXTRAS, index_url, names
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename
from packaging.version import Version

from auditor import online
from auditor.linking import distributions, sonames
from auditor.online.needs import as_needs, file_of, undeclared

HERE = Path(__file__).resolve().parent
KNOWLEDGE = HERE.parent / "rules" / "knowledge"
EXECUTED = HERE / "syslibs_executed.tsv"
# What `observe_syslibs.py` saw, without knowing what to expect; the sample is of `sample_syslibs.py`.
OBSERVED = tuple(
    HERE / f"syslibs_{name}.tsv"
    for name in ("observed", "sample5", "sample8", "sample10", "sample12")
)
# A requirement that only an extra for the package's own development has.
OF_TESTS = re.compile(rf"""extra == ['"]({"|".join(sorted(DEV_EXTRAS))})['"]""")
# How a need is written by the stage of an observation that it was missed in.
AS_WRITTEN: dict[str, dict[str, Any]] = {
    "import": {},
    "call": {"when": "call", "always": True},
    "hint": {"when": "call", "always": False, "hint": True},
}
COMPILING = frozenset({"gcc", "g++", "cmake", "make", "swig", "pkg-config"})
# What starts more programs than these has many functions, and few use any.
MOST_HINTS = 3
# A soname of a public library: no second version behind it (libfoo.so.1.2.3 is the file itself).
PUBLIC = re.compile(r"^lib[^/]+\.so(\.[\w.]+)?$")


def settings() -> dict[str, Any]:
    """``tools/syslibs.toml``."""
    return tomllib.loads((HERE / "syslibs.toml").read_text())


def observations() -> Iterator[dict[str, str]]:
    """The rows of all observations."""
    for path in OBSERVED:
        if path.exists():
            with path.open() as file:
                yield from csv.DictReader(file, delimiter="\t")


def executed() -> dict[str, dict[str, frozenset[str]]]:
    """Libraries that an import in a slim image really missed, by distribution and version."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    if EXECUTED.exists():
        with EXECUTED.open() as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["import_ok_after"] != "y" and row["import_ok_bare"] != "y":
                    continue
                missing = frozenset(m for m in row["missing"].split(",") if m)
                if is_partial(row, missing):
                    continue
                versions = found.setdefault(canonicalize_name(row["package"]), {})
                versions[row["version"]] = versions.get(row["version"], frozenset()) | missing
    for row in observations():
        # Only what an import did without, or failed for and then had, is known.
        if row["import_ok_on_slim"] != "y" and row["verified"] != "y":
            continue
        missing = frozenset(
            m for m in row["missing"].split(",") if m and row["import_ok_on_slim"] == "n"
        )
        key = canonicalize_name(row["package"].partition("[")[0])
        versions = found.setdefault(key, {})
        # What was built links what it was built with.
        version = "" if "fails" in row["import_ok_on_slim"] else row["version"]
        versions[version] = versions.get(version, frozenset()) | missing
    return found


def is_partial(row: dict[str, str], missing: frozenset[str]) -> bool:
    """Whether the import failed for a library of Debian's that the row does not have: it was mended
    along with something else, and so may others have been.
    """
    stems = {name.partition(".so")[0] for name in missing}
    failed = set(re.findall(r"(lib[\w.+-]+?\.so[\w.]*): cannot open", row["error"]))
    own = {name for name in failed if packaged(name)}
    return bool(own) and not any(name.partition(".so")[0] in stems for name in own)


def unmended() -> set[str]:
    """Distributions with a case that nothing mended."""
    return {canonicalize_name(r["package"]) for r in observations() if r["verified"] == "n"}


def along(table: dict[str, Any]) -> list[str]:
    """What came along where others were executed and had what they asked for, of what no table has
    a row of.
    """
    found = {
        name
        for row in observations()
        if row["verified"] in ("y", "-") and "fails" not in row["import_ok_on_slim"]
        for name in row["brought"].split()
    }
    return sorted(name for name in found if name not in table and not distributions.known(name))


def asked_needs(key: str, asks: dict[str, Any]) -> list[dict[str, Any]]:
    """What the modules of a wheel load or start by name."""
    return [
        {
            "lib" if need.kind == "library" else "program": list(need.names),
            "when": need.when, "always": need.always, "hint": need.hint, "how": "code", "read": True,
        }
        for need in as_needs(key, {**asks, "elf": {}})
    ]  # fmt: skip


def lazy_table(config: dict[str, Any], cache: Path, table: dict[str, Any]) -> dict[str, list[str]]:
    """What each of the listed distributions requires and does not import when it is imported, of
    what has needs; what is not in the cache keeps its row of the shipped table.
    """
    rows = dict(shipped()["lazy"])
    for key in config["names"].split():
        cached = cache / "wheels" / f"{key}.json"
        read = json.loads(cached.read_text())["read"] if cached.exists() else {}
        asks = [v for v in read if (read[v].get("asks") or {}).get("imports") is not None]
        if not asks:
            continue
        one = read[max(asks, key=Version)]
        imported = set(one["asks"]["imports"])
        required = [
            canonicalize_name(Requirement(text).name)
            for text in one["requires"]
            if not OF_TESTS.search(text)
        ]
        rows[key] = [
            child
            for child in dict.fromkeys(required)
            if has_needs(table.get(child, {}))
            and not {m.partition(".")[0] for m in distributions.modules_of(child)} & imported
        ]
    listed = {*config["names"].split(), *(row["of"] for row in config["told"])}
    for row in config["told"]:
        rows[row["of"]] = list(dict.fromkeys((*rows.get(row["of"], ()), *row["names"])))
    return {key: sorted(names) for key, names in sorted(rows.items()) if names and key in listed}


def has_needs(row: dict[str, Any]) -> bool:
    """Whether the row names something that using the distribution takes."""
    return any(answer["libs"] for answer in row.get("elf", ())) or any(
        not need.get("hint") and (need.get("lib") or need.get("program"))
        for need in row.get("needs", ())
    )


@remembered
def shipped() -> dict[str, Any]:
    """The table as it is."""
    found: dict[str, Any] = json.loads(
        gzip.decompress((KNOWLEDGE / "syslibs.json.gz").read_bytes())
    )
    return found


def is_told(need: dict[str, Any], told: frozenset[str], *, few: bool) -> bool:
    """Whether the shipped table tells what code names: editors and pagers that some function may
    open are no news to who deploys a service, nor is what compiled packages, or those that start
    many programs, do beside their work.
    """
    if need["hint"] and not few:
        return False
    return not told.isdisjoint(need.get("program", ())) or ("lib" in need and not need["hint"])


def observed_needs(known: dict[str, set[str]]) -> dict[str, list[dict[str, Any]]]:
    """Needs that nobody wrote down: what an import or a call was seen to fail for, and to work
    with afterwards, and what building took.

    ``known``: what is said already of each distribution. A library that goes by another number
    in another suite is one need with two names.
    """
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    builds: dict[str, list[list[str]]] = {}
    newest = sonames.release(sonames.NEWEST)
    for row in observations():
        # What an extra brings is a distribution of its own. Where the rounds were used up, each
        # library was missing all the same.
        used_up = not row["verified"] and row["missing"]
        # It failed for these, and with them for something else: they are told, as a hint.
        partly = row["verified"] == "n" and row["missing"]
        if not (row["verified"] == "y" or used_up or partly) or "[" in row["package"]:
            continue
        key = str(canonicalize_name(row["package"]))
        if "fails" in row["import_ok_on_slim"]:
            packages = row["fixing_apt"].removeprefix("(build)").split()
            if "(build)" not in known.get(key, ()):
                builds.setdefault(key, []).append(packages)
            continue
        said = known.get(key, set())
        # What it brings along has its own row, and is found where its requirements are known.
        others = row["brought"].split() if distributions.described(key) else []
        late = row["at_call"].split(",")
        # What only calls take counts for what the code names.
        brought = {lib for other in others for lib in known.get(other, ())} - {*late}
        for lib in filter(None, row["missing"].split(",")):
            stem = lib.partition(".so")[0]
            if stem in {k.partition(".so")[0] for k in said} or lib in brought:
                continue
            if partly and not (packaged(lib) or newest.program(lib)):
                continue
            # Tried, because building would have taken it.
            if partly and lib in COMPILING:
                continue
            when = "hint" if partly else "call" if lib in late else "import"
            names = found.setdefault(key, {}).setdefault((stem, when), [])
            if lib not in names:
                names.append(lib)
    needs = {
        key: [
            {
                "lib" if ".so" in names[0] else "program": names,
                "how": "executed",
                **AS_WRITTEN[when],
            }
            for (_, when), names in rows.items()
        ]
        for key, rows in found.items()
    }
    for key, lists in builds.items():
        together = alternatives([names for names in lists if len(names) == len(lists[0])])
        needs.setdefault(key, []).append({"build": together, "how": "executed"})
    return needs


def alternatives(lists: list[list[str]]) -> list[str]:
    """Packages of equally many each, as one list: where they differ, what stands first of the rest
    of each is the same thing under the names of two suites.
    """
    common = set.intersection(*map(set, lists))
    rests = zip(*([n for n in names if n not in common] for names in lists), strict=True)
    merged = {rest[0]: "|".join(dict.fromkeys(rest)) for rest in rests}
    return [merged.get(name, name) for name in lists[0]]


def packaged(lib: str) -> bool:
    """Whether some release has the library; others come from another wheel or a driver."""
    return any(sonames.release(suite).library(lib) for suite in sonames.SUITES)


def elf_rows(
    read: dict[str, Any],
    siblings: re.Pattern[str],
    seen: dict[str, frozenset[str]],
    earlier: dict[Version, dict[str, str]],
    *,
    early: bool = False,
) -> list[dict[str, Any]]:
    """Ranges of releases with one answer each: ``from`` (None: any older) and ``libs``.

    ``read``: the wheels; ``seen``: what executed imports missed; ``earlier``: the answers of a
    table that was made from other wheels; ``early``: only what importing the package itself loads
    counts, as nobody looked at the rest of it.
    """
    asked = {
        v: {lib: "elf" for lib in libs if not siblings.match(lib)} for v, libs in earlier.items()
    }
    unread = set()
    for text, wheel in read.items():
        wanted = syslib_wheels.needs(wheel, siblings)
        asked[Version(text)] = {
            lib: "elf"
            for lib, roots in wanted.items()
            if packaged(lib) and not (early and syslib_wheels.are_deep(roots, wheel["files"]))
        }
        if wheel["unread"]:
            unread.add(Version(text))
    # What was built has no version in its row.
    ran = {Version(v): missed for v, missed in seen.items() if v}
    # A library that the files ask for and an import did without is of an optional layer.
    optional = {lib for v, missed in ran.items() for lib in asked.get(v, {}) if lib not in missed}
    # An import may also fail for what the distribution brings along.
    own = {lib for libs in asked.values() for lib in libs}
    rows: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    for version in sorted({*asked, *ran}):
        libs = asked.get(version, dict.fromkeys(ran.get(version, ()), "elf"))
        found = {lib: "elf" for lib in libs if lib in own - optional}
        if version in unread:
            # A member too large to be read: what the release before needed is still needed.
            found = {**before, **found}
        for lib in found:
            if lib in ran.get(version, ()) or earlier.get(version, {}).get(lib) == "executed":
                found[lib] = "executed"
        if rows and set(before) == set(found):
            rows[-1]["libs"].update({k: v for k, v in found.items() if v == "executed"})
        else:
            rows.append(
                {"from": str(version) if rows else None, "libs": dict(sorted(found.items()))}
            )
        before = found
    return rows


def answers(row: dict[str, Any]) -> dict[Version, dict[str, str]]:
    """What a row of the table says of each release that it was made from."""
    rows = row.get("elf", [])
    starts = [Version(r["from"] or "0") for r in rows]
    versions = {*map(Version, row.get("checked", ())), *starts[1:]}
    return {
        v: dict(rows[sum(start <= v for start in starts) - 1]["libs"]) if rows else {}
        for v in versions
    }


def undeclared_table(archives: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What setup scripts import undeclared, by distribution and release."""
    found: dict[str, dict[str, Any]] = {}
    with online.connected(cache=True) as index:
        assert index is not None
        for text in archives:
            name, _, version = text.partition("==")
            file = file_of(index, name, version or None)
            read = undeclared(index, name, version or None)
            if file is None or read is None:
                print(f"{text}: no source archive is taken, or it could not be read")
                continue
            settled = version or str(parse_sdist_filename(file.name)[1])
            found.setdefault(name, {})[settled] = read
    return {name: found[name] for name in sorted(found)}


def read_site(site: Path, cache: Path) -> list[str]:
    """Take what a package installer put into a directory as read; the names."""
    names = []
    for info in sorted(site.glob("*.dist-info")):
        name, version, read = syslib_wheels.read_installed(info)
        cached = cache / f"{name}.json"
        known = json.loads(cached.read_text()) if cached.exists() else {"read": {}}
        known["read"][version] = read
        cached.write_text(json.dumps(known))
        names.append(name)
    return names


def needs_table(
    cache: Path, *, offline: bool, sites: Iterable[Path] = (), only: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The table of needs by distribution.

    What is neither read nor in the cache keeps its row of the shipped table; with ``only``, the
    rows of these, from what is read alone.
    """
    config = settings()
    siblings = re.compile(config["siblings"])
    told = frozenset(config["told"].split())
    seen = executed()
    table: dict[str, Any] = {}
    kept = shipped()["distributions"]
    index = "" if offline else index_url()
    (cache / "wheels").mkdir(parents=True, exist_ok=True)
    listed: list[str] = [canonicalize_name(name) for name in config["wheels"].split()]
    newest = {canonicalize_name(name) for name in names()} - set(listed)
    listed += sorted(newest)
    for site in sites:
        listed += [name for name in read_site(site, cache / "wheels") if name not in listed]
    if offline:
        # What a directory of wheels was read for once.
        listed += [name for name in kept if name not in listed]
    if only:
        listed, kept = [name for name in listed if name in only], {}
    asked: dict[str, list[dict[str, Any]]] = {}
    plain: set[str] = set()
    for key in listed:
        cached = cache / "wheels" / f"{key}.json"
        try:
            if offline:
                found = json.loads(cached.read_text()) if cached.exists() else {"read": {}}
            else:
                found = syslib_wheels.survey(
                    index, key, cache / "wheels", siblings, every=key in config["every"].split(),
                    newest=key in newest,
                )  # fmt: skip
        except (urllib.error.URLError, OSError) as error:
            print(f"{key}: {error}")
            continue
        # A survey that ran to its end is all there is to know; anything less adds to the table.
        earlier = {} if found.get("complete") else kept.get(key, {})
        if not found["read"] and "checked" not in earlier:
            continue
        rows = elf_rows(
            found["read"], siblings, seen.get(key, {}), answers(earlier),
            early=key in newest and key not in seen,
        )  # fmt: skip
        checked = {*found["read"], *earlier.get("checked", ())}
        table[key] = {"checked": sorted(checked, key=Version)}
        if any(row["libs"] for row in rows):
            table[key]["elf"] = rows
        newest_first = sorted(found["read"], key=Version, reverse=True)
        read = [asks for v in newest_first if (asks := found["read"][v].get("asks"))]
        if read and read[0].get("blind") and key not in {*kept, *seen}:
            # It loads something that it does not name: nothing can be said.
            del table[key]
            continue
        hints = asked_needs(key, read[0]) if read else [
            need for need in kept.get(key, {}).get("needs", ()) if need.get("read")
        ]  # fmt: skip
        pure = not any(one["files"] for one in found["read"].values())
        few = pure and (not read or len(read[0]["programs"]) <= MOST_HINTS)
        hints = [need for need in hints if is_told(need, told, few=few)]
        # What an import did without, its functions try to load and do without as well.
        outcomes = seen.get(key, {}).values()
        if outcomes and not any(outcomes):
            hints = [need for need in hints if "lib" not in need]
        if hints:
            asked[key] = hints
        if pure and key not in kept and "elf" not in table[key]:
            # Pure Python is known by its row in the table of distributions.
            plain.add(key)
    for need in config["need"]:
        row = {k: v for k, v in need.items() if k != "of" and v}
        missed = {m for libs in seen.get(canonicalize_name(need["of"]), {}).values() for m in libs}
        lacked = set(row.get("lib", ())) | set(row.get("program", ()))
        row["how"] = "executed" if lacked & missed else "code"
        if lacked or row.get("build"):
            table.setdefault(canonicalize_name(need["of"]), {}).setdefault("needs", []).append(row)
    known: dict[str, set[str]] = {}
    for key, row in table.items():
        known[key] = {lib for answer in row.get("elf", ()) for lib in answer["libs"]}
        for need in row.get("needs", ()):
            known[key] |= {*need.get("lib", ()), *need.get("program", ())}
            known[key] |= {"(build)"} if need.get("build") else set()
    observed = observed_needs(known)
    for key, rows in observed.items():
        if plainly := [row for row in rows if not row.get("hint")]:
            table.setdefault(key, {}).setdefault("needs", []).extend(plainly)
    for key, hints in asked.items():
        # Whoever wrote down or saw what a distribution needs knows better than its code tells.
        if not table[key].get("needs"):
            table[key]["needs"] = hints
    for key, rows in observed.items():
        if hints := [row for row in rows if row.get("hint")]:
            table.setdefault(key, {}).setdefault("needs", []).extend(hints)
    unsettled = unmended()
    for key, versions in seen.items():
        # What imports and then fails for something that was not found is no clean package.
        if key in unsettled and key not in table:
            continue
        # Without a version it was built: what it then links is in its needs.
        if ran := sorted(filter(None, versions), key=Version):
            table.setdefault(key, {}).setdefault("checked", ran)
    for key in plain:
        if table[key].keys() == {"checked"} and distributions.known(key) and key not in seen:
            del table[key]
    return {key: row for key, row in sorted(table.items()) if not only or key in only}


def apt_table(suite: str, cache: Path, wanted: set[str], programs: set[str]) -> dict[str, Any]:
    """One release of Debian."""
    config = settings()
    built = {p for n in config["need"] for text in n.get("build", ()) for p in text.split("|")}
    packages, contents, security = syslib_apt.fetch(cache / "apt", suite)
    parsed = syslib_apt.read_packages(suite, packages, security)
    libraries, binaries = syslib_apt.read_contents(contents)

    def best(owners: list[str], name: str) -> str | None:
        there = [o for o in owners if o in parsed.packages]
        stem = re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("lib").partition(".so")[0])
        return min(
            there,
            key=lambda o: (o.endswith(("-dev", "-dbg")), "cross" in o, stem not in o, len(o), o),
            default=None,
        )

    sonames = {
        lib: owner
        for lib, owners in libraries.items()
        if PUBLIC.match(lib)
        and (lib in wanted or _shortest(lib, libraries))
        and (owner := best(owners, lib))
    }
    chosen_programs = {}
    for program in sorted({*binaries, *programs, *config["programs"]}):
        owner = config["programs"].get(program) or best(binaries.get(program, []), program)
        asked = program in programs or program in config["programs"]
        if owner in parsed.packages and (asked or (_plain(owner) and not ODD.search(program))):
            chosen_programs[program] = owner
    matter = sorted(
        {sonames[lib] for lib in wanted if lib in sonames}
        | {p for n, p in chosen_programs.items() if n in programs or n in config["programs"]}
        | {p for p in config["matter"]["packages"].split() if p in parsed.packages}
        | {p for p in (*built, *config["install"].values()) if p in parsed.packages}
    )
    number = {name: i for i, name in enumerate(matter)}
    required = [n for n, p in parsed.packages.items() if p.required or p.essential]
    # Debian's images are made with a merged /usr: nothing converts it, and what would is not there.
    merged = [p for p in ("usr-is-merged",) if p in parsed.packages]
    minimal = parsed.closure([*merged, *required, "apt"], (), False)
    bases: dict[str, set[str]] = {}
    for base, text in config["bases"].items():
        listed = text.split()
        start: set[str] = set() if listed[:1] and listed[0].startswith("!") else minimal
        names = [n.lstrip("!") for n in listed]
        bases[base] = start | parsed.closure(
            [n for n in names if n in parsed.packages], start, False
        )
    masks: dict[tuple[int, ...], int] = {}
    brings: dict[str, list[int]] = {}
    names = sorted(set(parsed.packages) | set(parsed.providers))
    kinds = []
    exact = {n for n in (*matter, *config["matter"]["exact"].split()) if n in parsed.packages}
    closures = _Closures(parsed, minimal, number, exact)
    for name in names:
        if name not in parsed.packages:
            kinds.append("1" if len(parsed.providers[name]) == 1 else "C")
            continue
        kinds.append("R")
        plain, full = closures.of(name)
        ids = [masks.setdefault(m, len(masks)) for m in dict.fromkeys((plain, full))]
        if (plain or full) and _plain(name):
            brings[name] = ids
    virtual = {
        name: parsed.providers[name][0]
        for name, kind in zip(names, kinds, strict=True)
        if kind == "1"
    }
    rows = []
    for name, kind in zip(names, kinds, strict=True):
        if not _plain(name):
            continue
        numbers = ",".join(map(str, brings.get(name, ())))
        rows.append(f"{name}={virtual[name] if kind == '1' else kind + numbers}")
    return {
        "generator": "tools/make_syslib_tables.py",
        "source": f"Packages and Contents of Debian {suite} (main, amd64) and its security archive",
        "date": datetime.date.today().isoformat(),
        "left_out": LEFT_OUT,
        # ``name=R12,13`` a package and what it brings (numbers of masks, without and with
        # recommended ones); ``name=C`` virtual with several providers; ``name=other`` with one.
        "packages": f";{';'.join(rows)};",
        "matter": " ".join(matter),
        "masks": ";".join(" ".join(map(str, m)) for m in masks),
        "libraries": f";{';'.join(f'{lib}={owner}' for lib, owner in sorted(sonames.items()))};",
        "programs": f";{';'.join(f'{n}={p}' for n, p in sorted(chosen_programs.items()))};",
        "install": {k: v for k, v in config["install"].items() if v in parsed.packages},
        "bases": {base: sorted(found) for base, found in bases.items()},
    }


class _Closures:
    """What matters in the closure of each package.

    For the packages that matter it is what apt's choice of alternatives gives; for the tens of
    thousands of others the first alternative is taken, which makes one walk over the graph do.
    """

    def __init__(
        self, suite: syslib_apt.Suite, minimal: set[str], number: dict[str, int], exact: set[str]
    ) -> None:
        self.suite = suite
        self.minimal = minimal
        self.number = number
        self.exact = exact
        self.quick = (self._walk(recommends=False), self._walk(recommends=True))

    def of(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(without, with) recommended packages, as numbers."""
        if name in self.exact:
            return self._exact(name, False), self._exact(name, True)
        plain, full = (
            tuple(i for i in range(len(self.number)) if mask[name] >> i & 1) for mask in self.quick
        )
        return plain, full

    def _exact(self, name: str, recommends: bool) -> tuple[int, ...]:
        found = self.suite.closure([name], self.minimal, recommends)
        return tuple(sorted(self.number[n] for n in found if n in self.number))

    def _walk(self, *, recommends: bool) -> dict[str, int]:
        """Bit masks of all packages, by Tarjan's strongly connected components."""
        edges: dict[str, list[str]] = {}
        for name, package in self.suite.packages.items():
            groups = package.depends + (package.recommends if recommends else ())
            chosen = (self.suite.choose(group, self.minimal) for group in groups)
            edges[name] = [c for c in chosen if c is not None]
        masks: dict[str, int] = {}
        order: dict[str, int] = {}
        low: dict[str, int] = {}
        stack: list[str] = []
        for start in edges:
            if start in order:
                continue
            work = [(start, iter(edges[start]))]
            order[start] = low[start] = len(order)
            stack.append(start)
            while work:
                name, rest = work[-1]
                child = next(rest, None)
                if child is not None:
                    if child not in order:
                        order[child] = low[child] = len(order)
                        stack.append(child)
                        work.append((child, iter(edges[child])))
                    elif child not in masks:
                        low[name] = min(low[name], order[child])
                    continue
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] != order[name]:
                    continue
                members: list[Any] = []
                while not members or members[-1] != name:
                    members.append(stack.pop())
                mask = 0
                for member in members:
                    if member in self.number:
                        mask |= 1 << self.number[member]
                    for target in edges[member]:
                        mask |= masks.get(target, 0)
                for member in members:
                    masks[member] = mask
        return masks


# Tens of thousands of names that no Dockerfile of a Python service asks for.
LEFT_OUT = (
    r"librust-|golang-|node-|libghc-|haskell|r-cran-|r-bioc-|r-api|ruby-|elpa-|php|perlapi|gap-|"
    r"vdr-|gir1\.2-|puppet-|hunspell-|aspell-|mythes-|hyphen-|linux-(image|headers|modules|support|kbuild)-|"
    r"lib.*-(perl|ocaml|ocaml-dev|java|cil|cil-dev)$|.*-(doc|dbg|dbgsym|l10n|cil)$|"
    r"(gcc|g\+\+|cpp|gfortran|gobjc|gdc|gnat|binutils|libc6|libgcc|libstdc\+\+).*-cross$|"
    r"(gcc|g\+\+|cpp|gfortran|gobjc|gdc|gnat|binutils|gm2).*-linux-gnu.*|libreoffice-(l10n|help)-"
)


# Programs of cross compilers, and of one release of a language.
ODD = re.compile(r"-linux-|-w64-|[;=]|\d\.\d+$")


def _tops(lead: dict[str, str]) -> list[str]:
    """The dotted names of one row of ``[[lead]]``."""
    return [
        f"{module}.{name}" for module in lead["modules"].split() for name in lead["names"].split()
    ]


def _plain(name: str) -> bool:
    """Names that a person may type (not the thousands of language-specific ones)."""
    return not re.match(LEFT_OUT, name)


def _shortest(name: str, libraries: dict[str, list[str]]) -> bool:
    """No shorter name of the same library exists: libfoo.so.1, not libfoo.so.1.2.3."""
    head, _, rest = name.partition(".so.")
    if not rest:
        return False
    parts = rest.split(".")
    return not any(f"{head}.so.{'.'.join(parts[:i])}" in libraries for i in range(1, len(parts)))


def main() -> int:
    """Read what is not in the cache, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=HERE.parent / "build" / "syslibs")
    parser.add_argument("--no-wheels", action="store_true", help="use the wheels in the cache only")
    parser.add_argument(
        "--site", type=Path, nargs="+", default=[], help="directories of installed wheels to read"
    )
    parser.add_argument(
        "--archives", action="store_true", help="read the source archives all the same"
    )
    parser.add_argument("--no-apt", action="store_true", help="leave the package tables alone")
    parser.add_argument("--into", type=Path, default=KNOWLEDGE, help="where the tables go")
    parser.add_argument("--only", nargs="+", default=[], help="read these names alone")
    arguments = parser.parse_args()
    config = settings()
    table = needs_table(
        arguments.cache,
        offline=arguments.no_wheels,
        sites=arguments.site,
        only=frozenset(map(canonicalize_name, arguments.only)),
    )
    document = {
        "generator": "tools/make_syslib_tables.py",
        "source": "ELF files of wheels on the package index, tools/syslibs.toml, executed imports",
        "date": datetime.date.today().isoformat(),
        "lazy": lazy_table(config["lazy"], arguments.cache, table),
        "leads": {top: row["to"].split() for row in config["lead"] for top in _tops(row)},
        "models": config["models"].split(),
        "renamed": config["renamed"],
        "apk": config["apk"],
        "apk_plain": config["apk_plain"]["names"].split(),
        "apk_build": config["apk_build"],
        "along": along(table),
        "alongside": config["alongside"],
        "undeclared": (
            shipped()["undeclared"]
            if arguments.no_wheels and not arguments.archives
            else undeclared_table(config["archives"].split())
        ),
        "distributions": table,
    }
    data = json.dumps(document, separators=(",", ":")).encode()
    (arguments.into / "syslibs.json.gz").write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(table)} distributions")
    if arguments.no_apt:
        return 0
    wanted = set(config["matter"]["libraries"].split())
    programs = set(config["matter"]["programs"].split())
    for row in table.values():
        for answer in row.get("elf", ()):
            wanted |= set(answer["libs"])
        for need in row.get("needs", ()):
            wanted |= set(need.get("lib", ()))
            programs |= set(need.get("program", ()))
    newest = ""
    for suite in reversed(syslib_apt.SUITES):
        apt = apt_table(suite, arguments.cache, wanted, programs)
        # The older releases say only what is not as in the newest: ``name=`` is a program they lack.
        here = dict(line.split("=") for line in apt["programs"].split(";") if line)
        if newest:
            there = dict(line.split("=") for line in newest.split(";") if line)
            other = {n: here.get(n, "") for n in {*here, *there} if here.get(n) != there.get(n)}
            apt["programs"] = f";{';'.join(f'{n}={p}' for n, p in sorted(other.items()))};"
        newest = newest or apt["programs"]
        target = arguments.into / f"apt-{suite}.json.gz"
        target.write_bytes(syslib_apt.packed(apt))
        print(f"{suite}: {apt['packages'].count(';')} names, {target.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
