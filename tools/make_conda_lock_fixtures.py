"""Generate ``tests/data/locks/conda-lock`` with conda-lock, against a channel made here.

The channel's index (names, versions and dependencies ours, in the form conda's own have) stands in a
scratch folder; conda-lock plans from it with rattler's solver, resolves the pip part on the package
index, and writes the lock. Beside it stand its own explicit files, one for each platform and choice
of categories: the oracle of ``tests/parsers/test_locks.py``.

Needs conda-lock and py-rattler in the folder of programs, git, and a package index.

    python tools/make_conda_lock_fixtures.py --bin /path/to/venv/bin
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from make_distribution_table import index_url
from make_lock_fixtures import Run, fill, local_project, make, write

PLATFORMS = ("linux-64", "osx-arm64", "win-64")
CHOICES: dict[str, tuple[str, ...]] = {
    "main": ("--no-dev-dependencies",),
    "dev": ("--dev-dependencies",),
    "plots": ("--no-dev-dependencies", "--extras", "plots"),
}

MAIN = """\
channels:
  - file://@CHANNEL@
pip-repositories:
  - @INDEX@
dependencies:
  - python 3.11.*
  - pip
  - numkit >=1.2
  - pip:
    - iniconfig ==2.0.0
    - colorlog @ @DIRECT@
    - widget @ git+@GIT@@@REV@
platforms: [linux-64, osx-arm64, win-64]
"""
DEV = "category: dev\ndependencies:\n  - testkit\n  - typing_aids\n"
PLOTS = "category: plots\ndependencies:\n  - plotkit\n  - typing_aids\n"

# Name, version, build, dependencies, platform of the archive ("" for all three).
PACKAGES: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    ("_libc_mutex", "0.1", "main", (), "linux-64"),
    ("libbase", "13.2.0", "h77fa898_7", ("_libc_mutex 0.1 main", "__glibc >=2.17"), "linux-64"),
    ("libbase", "16.0.6", "h4653b0c_0", ("__osx >=11.0",), "osx-arm64"),
    ("vcbase", "14.3", "h8a93ad2_21", (), "win-64"),
    ("python", "3.10.14", "hd12c33a_0_cpython", (), ""),
    ("python", "3.11.9", "hb806964_0_cpython", ("tzdata",), ""),
    ("python", "3.12.4", "h194c7f8_0_cpython", ("tzdata",), ""),
    ("tzdata", "2024a", "h0c530f3_0", (), "noarch"),
    ("pip", "24.0", "pyhd8ed1ab_0", ("python >=3.7", "setuptools"), "noarch"),
    ("setuptools", "70.1.0", "pyhd8ed1ab_0", ("python >=3.8",), "noarch"),
    ("numkit", "1.1.0", "py311h64a7726_0", ("python >=3.11,<3.12.0a0", "libbase"), "linux-64"),
    ("numkit", "1.26.4", "py311h64a7726_0", ("python >=3.11,<3.12.0a0", "libbase"), "linux-64"),
    ("numkit", "1.26.4", "py311h7125741_0", ("python >=3.11,<3.12.0a0", "libbase"), "osx-arm64"),
    ("numkit", "1.25.2", "py311h0b4df5a_0", ("python >=3.11,<3.12.0a0", "vcbase"), "win-64"),
    ("testkit", "8.2", "pyhd8ed1ab_0", ("python >=3.8", "colourkit"), "noarch"),
    ("plotkit", "3.9", "pyhd8ed1ab_0", ("python >=3.8", "numkit", "colourkit"), "noarch"),
    ("colourkit", "0.4.6", "pyhd8ed1ab_0", ("python >=3.7",), "noarch"),
    # Two packages that are one to an index, as conda channels have them.
    ("typing_aids", "4.12.2", "pyha770c72_0", ("python >=3.8", "typing-aids 4.12.2"), "noarch"),
    ("typing-aids", "4.12.2", "hd8ed1ab_0", ("python >=3.8",), "noarch"),
)

# What conda-lock asks of conda: the plan of ``create --dry-run --json``.
CONDA = """\
#!@PYTHON@
import asyncio, json, os, sys
from rattler import Channel, MatchSpec, solve

if sys.argv[1:] == ["--version"]:
    sys.exit(print("conda 24.5.0"))
words, channels, specs = iter(sys.argv[1:]), [], []
for word in words:
    if word == "--channel":
        channels.append(Channel(next(words)))
    elif word == "--prefix":
        next(words)
    elif not word.startswith("-") and word != "create":
        specs.append(MatchSpec(word))
platforms = [os.environ["CONDA_SUBDIR"], "noarch"]
records = asyncio.run(solve(channels, specs, platforms=platforms, virtual_packages=[]))
fetched = []
for record in records:
    entry = json.loads(record.to_json())
    entry |= {"url": record.url, "fn": record.file_name, "channel": record.channel}
    fetched.append(entry)
print(json.dumps({"success": True, "actions": {"FETCH": fetched, "LINK": fetched}}))
"""


def write_channel(folder: Path) -> None:
    """The index of a channel; its archives do not exist, their digests are those of their names."""
    indexes: dict[str, dict[str, Any]] = {
        subdir: {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}}
        for subdir in (*PLATFORMS, "noarch")
    }
    for name, version, build, depends, subdir in PACKAGES:
        for place in (subdir,) if subdir else PLATFORMS:
            # Older archives are bzip2, and their index may lack a sha256.
            old = name in ("_libc_mutex", "colourkit", "typing-aids")
            file = f"{name}-{version}-{build}" + (".tar.bz2" if old else ".conda")
            seed = f"{place}/{file}".encode()
            entry: dict[str, Any] = {
                "name": name,
                "version": version,
                "build": build,
                "build_number": 0,
                "depends": list(depends),
                "md5": hashlib.md5(seed, usedforsecurity=False).hexdigest(),
                "size": 1000,
                "subdir": place,
            }
            if place == "noarch":
                entry["noarch"] = "python"
            if name != "colourkit":
                entry["sha256"] = hashlib.sha256(seed).hexdigest()
            indexes[place]["packages" if old else "packages.conda"][file] = entry
    for subdir, index in indexes.items():
        write(folder, f"{subdir}/repodata.json", json.dumps(index))


def make_conda_lock(root: Path, run: Run, git: tuple[str, str], programs: Path) -> None:
    """The lock and its explicit files, written into ``root``."""
    channel = root.parent / "channel"
    write_channel(channel)
    conda = root.parent / "conda"
    conda.write_text(CONDA.replace("@PYTHON@", str(programs / "python")))
    conda.chmod(0o755)
    report = run("pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "-q",
                 "--report", "-", "-i", index_url(), "colorlog==6.8.2")  # fmt: skip
    (plan,) = json.loads(report)["install"]
    archive = plan["download_info"]
    direct = f"{archive['url']}#sha256={archive['archive_info']['hashes']['sha256']}"
    names = root.parent / "names.yml"
    names.write_text("{}\n")
    local_project(root)
    main = fill(MAIN, git).replace("@CHANNEL@", str(channel)).replace("@DIRECT@", direct)
    write(root, "environment.yml", main)
    write(root, "dev.yml", DEV)
    write(root, "plots.yml", PLOTS)
    sources = [word for name in ("environment", "dev", "plots") for word in ("-f", f"{name}.yml")]
    run("conda-lock", "lock", "--conda", str(conda), "--pypi_to_conda_lookup_file",
        names.as_uri(), *sources)  # fmt: skip
    for choice, options in CHOICES.items():
        run("conda-lock", "render", "-k", "explicit", *options,
            "--filename-template", f"explicit-{choice}-{{platform}}.txt")  # fmt: skip
    for file in root.glob("*.*"):
        # conda-lock puts the host in front of a repository's path, None where there is none.
        text = file.read_text().replace("git+file://None/", "git+file:///")
        file.write_text(text)


def main() -> int:
    """Generate the fixtures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bin", type=Path, required=True, help="folder of the programs")
    programs = parser.parse_args().bin.absolute()
    worked = make(
        "conda-lock", lambda root, run, git: make_conda_lock(root, run, git, programs), programs
    )
    return 0 if worked else 1


if __name__ == "__main__":
    sys.exit(main())
