"""Draw requirements as often as public repositories hold them, to see what users meet.

``count FOLDER ...``: of every repository in the folders (bare Git directories or work trees, one
directory each) that asks for a machine-learning library, the requirement lines: requirements
files, ``pyproject.toml``, lock files. Writes names, pinned versions (or none) and how many
repositories hold each pair.

``pure FOLDER ...``: the distributions below the folders whose wheel is pure and whose code names
no process, no loader and no program: nothing of the system can be missing for them.

``draw``: with a seed, pairs by their number of repositories, no name more than twice, with a
Python and a Debian release for each.

    python tools/sample_syslibs.py count FOLDER ... > FREQUENCY.tsv
    python tools/sample_syslibs.py pure FOLDER ... > PURE.txt
    python tools/sample_syslibs.py draw FREQUENCY.tsv --of tools/syslibs_suspects.txt --seed 5 --count 110
    python tools/sample_syslibs.py draw FREQUENCY.tsv --but PURE.txt tools/syslibs_suspects.txt --seed 5 --count 50
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from auditor.parsers import locks, pyproject, requirements  # noqa: E402

# A repository that asks for none of these is of another kind.
LEARNING = {
    "catboost", "joblib", "keras", "langchain", "lightgbm", "mlflow", "numpy", "onnxruntime", "opencv-python",
    "opencv-python-headless", "pandas", "scikit-learn", "spacy", "tensorflow", "torch", "transformers", "ultralytics",
    "xgboost",
}  # fmt: skip
LISTS = re.compile(r"(^|/)(requirements?/[^/]+|[^/]*requirements?[^/]*)\.txt$", re.IGNORECASE)
LARGEST = 2 << 20
# Code that starts a process or loads a library.
REACHES = re.compile(
    rb"\b(?:subprocess|Popen|ctypes|cffi|dlopen|find_library|shutil\.which|os\.(?:system|popen|exec\w+|spawn\w+))\b"
)
LINUX = {
    "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
    "implementation_name": "cpython", "platform_python_implementation": "CPython",
}  # fmt: skip
SUITES = ("bookworm", "trixie")
PYTHONS = ("3.9", "3.11", "3.12")


def wanted(path: str) -> bool:
    """Whether the file lists requirements."""
    name = path.rpartition("/")[2]
    if "node_modules/" in path or "site-packages/" in path:
        return False
    return bool(LISTS.search(path)) or name == "pyproject.toml" or locks.detect(path) is not None


def files_of(repository: Path) -> Iterator[tuple[str, bytes]]:
    """Its lists of requirements, from Git's objects where it has no work tree."""
    git = next((p for p in (repository / "repo", repository) if (p / "HEAD").is_file()), None)
    if git is None:
        for path in sorted(repository.rglob("*")):
            name = path.relative_to(repository).as_posix()
            if wanted(name) and path.is_file() and path.stat().st_size <= LARGEST:
                yield name, path.read_bytes()
        return
    listed = subprocess.run(
        ["git", f"--git-dir={git}", "ls-tree", "-r", "-l", "-z", "HEAD"],
        capture_output=True, check=False,
    ).stdout.decode(errors="replace")  # fmt: skip
    for entry in filter(None, listed.split("\0")):
        head, _, name = entry.partition("\t")
        _, kind, blob, size = head.split()
        if kind == "blob" and wanted(name) and size.isdigit() and int(size) <= LARGEST:
            yield name, subprocess.run(
                ["git", f"--git-dir={git}", "cat-file", "blob", blob],
                capture_output=True, check=False,
            ).stdout  # fmt: skip


def pairs_of(path: str, data: bytes) -> set[tuple[str, str]]:
    """Names with extras, and pinned versions (empty: none), of one list, for Linux."""
    source = requirements.decode(path, data)
    if locks.detect(path) is not None:
        lock = locks.parse(source)
        return {
            (p.name, p.version)
            for p in lock.packages
            if p.version
            and p.manager == "pip"
            and p.source.kind == "registry"
            and requirements.evaluate_marker(p.marker, LINUX) is not False
        }
    if path.endswith(".toml"):
        facts = pyproject.parse(source)
        found = [*facts.dependencies, *(r for g in facts.groups for r in g.requirements)]
    else:
        found = list(requirements.parse(source).requirements)
    return {
        (r.key + (f"[{','.join(sorted(r.extras))}]" if r.extras else ""), r.pinned_version or "")
        for r in found
        if r.name and not (r.url or r.path or r.vcs) and r.applies(LINUX) is not False
    }


def count(folders: list[Path]) -> Counter[tuple[str, str]]:
    """How many repositories hold each pair; one that lies in two folders counts once."""
    seen: set[str] = set()
    pairs: Counter[tuple[str, str]] = Counter()
    for folder in folders:
        for repository in sorted(p for p in folder.iterdir() if p.is_dir()):
            if repository.name.lower() in seen:
                continue
            seen.add(repository.name.lower())
            held: set[tuple[str, str]] = set()
            for path, data in files_of(repository):
                held |= pairs_of(path, data)
            if any(name.partition("[")[0] in LEARNING for name, _ in held):
                pairs.update(held)
    return pairs


def pure(folders: list[Path]) -> set[str]:
    """The distributions whose every copy below the folders is pure and reaches for nothing."""
    known: dict[str, bool] = {}
    for folder in folders:
        for info in folder.rglob("*.dist-info"):
            name = requirements.normalise(info.name.removesuffix(".dist-info").rpartition("-")[0])
            record, wheel = info / "RECORD", info / "WHEEL"
            if known.get(name, True) and record.is_file() and wheel.is_file():
                known[name] = "py3-none-any" in wheel.read_text() and not any(
                    line.endswith(".so") or (line.endswith(".py") and reaches(info.parent / line))
                    for line in (
                        row.rpartition(",")[0].rpartition(",")[0]
                        for row in record.read_text(errors="replace").splitlines()
                    )
                )
    return {name for name, alone in known.items() if alone}


def reaches(path: Path) -> bool:
    """Whether the module starts a process or loads a library."""
    try:
        return bool(REACHES.search(path.read_bytes()))
    except OSError:
        return True


def draw(
    frequency: list[tuple[str, str, int]], seed: int, number: int
) -> list[tuple[str, str, int]]:
    """Pairs without replacement by weight; a name at most twice."""
    chance = random.Random(seed)
    # Without replacement by weight: the largest of u ** (1 / weight).
    keyed = sorted(
        (
            (chance.random() ** (1 / weight), name, version, weight)
            for name, version, weight in frequency
        ),
        reverse=True,
    )
    names: Counter[str] = Counter()
    drawn: list[tuple[str, str, int]] = []
    for _, name, version, weight in keyed:
        key = name.partition("[")[0]
        if names[key] < 2 and len(drawn) < number:
            names[key] += 1
            drawn.append((name, version, weight))
    return drawn


def main() -> int:
    """Count, or draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("count", "pure"):
        commands.add_parser(name).add_argument("folders", type=Path, nargs="+")
    drawing = commands.add_parser("draw")
    drawing.add_argument("frequency", type=Path)
    drawing.add_argument(
        "--of", type=Path, nargs="*", default=[], help="files of names: these alone"
    )
    drawing.add_argument(
        "--but", type=Path, nargs="*", default=[], help="files of names: not these"
    )
    drawing.add_argument("--seed", type=int, required=True)
    drawing.add_argument("--count", type=int, required=True)
    drawing.add_argument("--without", type=Path, nargs="*", default=[], help="earlier draws")
    drawing.add_argument("--pythons", nargs="+", default=PYTHONS, help="to draw from for each")
    arguments = parser.parse_args()
    if arguments.what == "count":
        for (name, version), held in sorted(
            count(arguments.folders).items(), key=lambda item: (-item[1], item[0])
        ):
            print(name, version, held, sep="\t")
    elif arguments.what == "pure":
        print(*sorted(pure(arguments.folders)), sep="\n")
    else:
        rows = [line.split("\t") for line in arguments.frequency.read_text().splitlines()]
        of, but = (
            {
                word
                for path in paths
                for line in path.read_text().splitlines()
                if not line.startswith("#")
                for word in line.split()
            }
            for paths in (arguments.of, arguments.but)
        )
        before = {
            (*line.split("\t")[:2],)
            for path in arguments.without
            for line in path.read_text().splitlines()
        }
        frequency = [
            (name, version, int(held))
            for name, version, held in rows
            if (name, version) not in before
            and (not arguments.of or name.partition("[")[0] in of)
            and name.partition("[")[0] not in but
        ]
        print(f"of {sum(held for *_, held in frequency)} holdings", file=sys.stderr)
        chance = random.Random(arguments.seed)
        for name, version, held in draw(frequency, arguments.seed, arguments.count):
            # In this order, the first Python that the release has a wheel for.
            pythons = chance.sample(arguments.pythons, len(arguments.pythons))
            print(name, version, held, " ".join(pythons), chance.choice(SUITES), sep="\t")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
