"""Files that say which Python a project is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.source import Location, Problem, SourceText
from auditor.values import replace, value

if TYPE_CHECKING:
    from auditor.parsers import yamldoc

Form = Literal[".python-version", "runtime.txt", ".tool-versions", "Pipfile", "workflow"]


@value
class PythonVersion:
    """A declared interpreter.

    ``version`` is ``3.11``, ``3.11.4`` or ``3.13.0rc1``, without ``.x`` and the like. A range
    (``>=3.9``, in workflows) is kept in ``specifier`` and leaves ``version`` empty.
    ``implementation`` is ``cpython`` unless the file names another one.
    """

    version: str
    at: Location
    form: Form
    implementation: str = "cpython"
    specifier: str = ""
    # Of a workflow's job that runs tests.
    tests: bool = False

    @property
    def minor(self) -> str | None:
        """``X.Y``; None when the file only says ``3``."""
        parts = self.version.split(".")
        return ".".join(parts[:2]) if len(parts) > 1 else None


@value
class PythonVersionFile:
    """All versions of one file, in its order (the first is the default where that matters)."""

    path: str
    versions: tuple[PythonVersion, ...] = ()
    problems: tuple[Problem, ...] = ()


def detect(path: str) -> Form | None:
    """Which form a path is, by its name."""
    parts = path.split("/")
    name = parts[-1]
    if name in (".python-version", ".python-versions"):
        return ".python-version"
    if name == "runtime.txt":
        return "runtime.txt"
    if name in (".tool-versions", "Pipfile"):
        return ".tool-versions" if name == ".tool-versions" else "Pipfile"
    if parts[-3:-1] == [".github", "workflows"] and name.endswith((".yml", ".yaml")):
        return "workflow"
    return None


def parse(source: SourceText, form: Form | None = None) -> PythonVersionFile:
    """Read a declaration; never raises. Without a known form the file has no versions."""
    form = form or detect(source.path)
    problems: list[Problem] = list(source.problems)
    readers = {
        ".python-version": _pyenv,
        "runtime.txt": _runtime,
        ".tool-versions": _asdf,
        "Pipfile": _pipfile,
        "workflow": _workflow,
    }
    versions = tuple(readers[form](source, problems)) if form else ()
    return PythonVersionFile(path=source.path, versions=versions, problems=tuple(problems))


# ``3``, ``3.11``, ``3.11.4``, ``3.13.0rc1``, ``3.13-dev``, ``3.x``, ``3.12t``; after a prefix.
_VERSION = re.compile(
    r"(?:(?P<implementation>[A-Za-z][A-Za-z_]*)-?)?"
    r"v?(?P<version>\d+(?:\.\d+){0,2}(?:(?:a|b|rc)\d+)?)(?:\.[x*])?(?P<rest>t|-dev|[-+@].*)?"
)
_RANGE = re.compile(r"(?:[<>=!~^ ]*+\d++(?:\.(?:\d++|x|\*))*+[\s,|]*+)++")
_IMPLEMENTATIONS = {
    "": "cpython",
    "python": "cpython",
    "cpython": "cpython",
    "pypy": "pypy",
    "graalpy": "graalpy",
    "graalpython": "graalpy",
    "miniconda": "conda",
    "miniforge": "conda",
    "mambaforge": "conda",
    "anaconda": "conda",
    "jython": "jython",
    "ironpython": "ironpython",
    "stackless": "stackless",
}


def _read(
    text: str, at: Location, form: Form, *, range_allowed: bool = False
) -> PythonVersion | None:
    match = _VERSION.fullmatch(text)
    if match is not None:
        implementation = (match["implementation"] or "").lower().rstrip("_")
        version = match["version"]
        # ``pypy3.10-7.3.13`` and ``miniconda3-4.7``: the language version comes first, or is a
        # bare ``3`` that says nothing.
        if implementation in _IMPLEMENTATIONS:
            return PythonVersion(
                version=version,
                at=at,
                form=form,
                implementation=_IMPLEMENTATIONS[implementation],
            )
        return None
    if range_allowed and _RANGE.fullmatch(text):
        return PythonVersion(version="", at=at, form=form, specifier=text)
    return None


def _words(line: str) -> Iterator[tuple[str, int]]:
    """(word, 0-based column), up to a comment."""
    for match in re.finditer(r"\S+", line):
        if match[0].startswith("#"):
            return
        yield match[0], match.start()


def _pyenv(source: SourceText, problems: list[Problem]) -> Iterator[PythonVersion]:
    for number, line in enumerate(source.lines, start=1):
        for word, column in _words(line):
            at = Location(source.path, number, column + 1, number, column + 1 + len(word))
            version = _read(word, at, ".python-version")
            if version is not None:
                yield version
            elif word != "system":
                # The name of a virtual environment is allowed here, and says no version.
                problems.append(Problem(at=at, message=f"{word!r} names no Python version"))


def _runtime(source: SourceText, problems: list[Problem]) -> Iterator[PythonVersion]:
    for number, line in enumerate(source.lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        column = line.index(text) + 1
        at = Location(source.path, number, column, number, column + len(text))
        # Binder accepts "python-3.11", Heroku wants all three parts; other languages occur.
        version = _read(text, at, "runtime.txt")
        if version is not None and text.lower().startswith(("python", "pypy")):
            yield version
        elif not text.startswith("r-"):
            problems.append(Problem(at=at, message=f"{text!r} is not python-X.Y.Z"))
        return


def _asdf(source: SourceText, problems: list[Problem]) -> Iterator[PythonVersion]:
    for number, line in enumerate(source.lines, start=1):
        words = list(_words(line))
        if not words or words[0][0] != "python":
            continue
        for word, column in words[1:]:
            at = Location(source.path, number, column + 1, number, column + 1 + len(word))
            version = _read(word, at, ".tool-versions")
            if version is not None:
                yield version
            elif word != "system" and not word.startswith(("ref:", "path:")):
                problems.append(Problem(at=at, message=f"{word!r} names no Python version"))


def _pipfile(source: SourceText, problems: list[Problem]) -> Iterator[PythonVersion]:
    from auditor.parsers.pyproject import load_toml, table
    from auditor.parsers.toml_index import TomlIndex

    document, problem = load_toml(source)
    if problem is not None:
        problems.append(problem)
    requires = table(document.get("requires"))
    index = TomlIndex(source) if requires else None
    for key in ("python_full_version", "python_version"):
        value = requires.get(key)
        if isinstance(value, str) and index is not None:
            at = index.inside(("requires", key), 0, len(value))
            version = _read(value, at, "Pipfile")
            if version is not None:
                yield version
            elif value.strip() != "*":
                problems.append(Problem(at=at, message=f"{value!r} names no Python version"))


# --- GitHub workflows --------------------------------------------------------------------


def _workflow(source: SourceText, problems: list[Problem]) -> Iterator[PythonVersion]:
    """``python-version`` of setup actions, through ``${{ matrix.… }}`` and ``${{ env.… }}``."""
    if "python" not in source.text:
        return
    from auditor.parsers import yamldoc

    stream = yamldoc.parse(source)
    problems.extend(p for p in stream.problems if p not in problems)
    seen: set[tuple[int, int]] = set()
    for document in stream.documents:
        jobs = document.get("jobs") if isinstance(document, yamldoc.Mapping) else None
        if not isinstance(jobs, yamldoc.Mapping) or not isinstance(document, yamldoc.Mapping):
            continue
        for entry in jobs.entries:
            job = entry.value
            steps = job.get("steps") if isinstance(job, yamldoc.Mapping) else None
            if not isinstance(job, yamldoc.Mapping) or not isinstance(steps, yamldoc.Sequence):
                continue
            for step in steps.items:
                node = (
                    step.get("with", "python-version")
                    if isinstance(step, yamldoc.Mapping)
                    else None
                )
                for scalar in _scalars(node, job, document, 0):
                    place = (scalar.at.line, scalar.at.column)
                    if place not in seen:
                        seen.add(place)
                        for version in _declared(scalar, source, problems):
                            yield replace(version, tests=_runs_tests(steps))


_TESTS = re.compile(
    r"(?:^|[\s;&|/])(?:pytest|py\.test|tox|nox|unittest|nosetests|make\s+(?:\S+-)?tests?)(?=$|[\s;&|])"
)


def _runs_tests(steps: yamldoc.Sequence) -> bool:
    from auditor.parsers import yamldoc

    commands = (s.get("run") for s in steps.items if isinstance(s, yamldoc.Mapping))
    return any(isinstance(c, yamldoc.Scalar) and _TESTS.search(c.text) for c in commands)


def _scalars(
    node: yamldoc.Node | None, job: yamldoc.Mapping, root: yamldoc.Mapping, depth: int
) -> Iterator[yamldoc.Scalar]:
    """The scalars a value stands for, expressions followed where they are plain references."""
    from auditor.parsers import yamldoc

    if isinstance(node, yamldoc.Sequence):
        for item in node.items:
            yield from _scalars(item, job, root, depth)
    elif isinstance(node, yamldoc.Scalar):
        match = re.fullmatch(r"\s*\$\{\{\s*(matrix|env)\.([\w.-]+)\s*\}\}\s*", node.text)
        if match is None or depth > 3:
            if "${{" not in node.text:
                yield node
            return
        path = match[2].split(".")
        if match[1] == "env":
            target = job.get("env", *path) or root.get("env", *path)
            yield from _scalars(target, job, root, depth + 1)
            return
        matrix = job.get("strategy", "matrix")
        if isinstance(matrix, yamldoc.Mapping):
            yield from _matrix(matrix, path, job, root, depth)


def _matrix(
    matrix: yamldoc.Mapping,
    path: list[str],
    job: yamldoc.Mapping,
    root: yamldoc.Mapping,
    depth: int,
) -> Iterator[yamldoc.Scalar]:
    from auditor.parsers import yamldoc

    values = matrix.get(path[0])
    items = values.items if isinstance(values, yamldoc.Sequence) else ()
    for item in items:
        target = item.get(*path[1:]) if isinstance(item, yamldoc.Mapping) else item
        yield from _scalars(target, job, root, depth + 1)
    if values is not None and not items:
        yield from _scalars(values, job, root, depth + 1)
    include = matrix.get("include")
    for item in include.items if isinstance(include, yamldoc.Sequence) else ():
        if isinstance(item, yamldoc.Mapping):
            yield from _scalars(item.get(*path), job, root, depth + 1)


def _declared(
    scalar: yamldoc.Scalar, source: SourceText, problems: list[Problem]
) -> Iterator[PythonVersion]:
    # A block scalar lists one version a line.
    for offset, line in enumerate(scalar.text.splitlines()):
        text = line.strip()
        if not text:
            continue
        at = scalar.at
        if scalar.style in ("literal", "folded"):
            number = next(
                (n for n in range(at.line + 1, at.line + 50) if source.line_at(n).strip() == text),
                at.line + 1 + offset,
            )
            column = source.line_at(number).find(text) + 1
            at = Location(source.path, number, column, number, column + len(text))
        version = _read(text, at, "workflow", range_allowed=True)
        if version is not None:
            # Unquoted 3.10 is the number 3.1: the action then looks for Python 3.1.
            if scalar.style == "plain" and re.fullmatch(r"\d\.\d*0", text):
                problems.append(
                    Problem(at=at, message=f"{text} without quotes is the number {float(text)}")
                )
            yield version
