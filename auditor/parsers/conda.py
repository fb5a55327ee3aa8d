"""Conda: ``environment.yml`` and explicit spec lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.pyproject import Declared
from auditor.parsers.requirements import Include, Option, Requirement, parse_arguments
from auditor.source import Location, Problem, SourceText
from auditor.values import value

if TYPE_CHECKING:
    from auditor.parsers import yamldoc


@value
class CondaSpec:
    """A conda match specification: ``channel::name=version=build`` and its other spellings.

    ``version`` is the constraint as written without the leading ``=`` of a fuzzy match;
    ``exact`` is ``==1.2.3`` or ``=1.2.3=build`` (or an explicit URL): one version can match.
    ``fuzzy`` is ``=1.2`` (matches 1.2.*).
    """

    name: str
    at: Location
    channel: str | None = None
    version: str = ""
    build: str = ""
    exact: bool = False
    fuzzy: bool = False
    url: str | None = None
    hash: str | None = None

    @property
    def is_pinned(self) -> bool:
        """One release can match: exact, or ``=1.2.3`` with all three parts."""
        return self.exact or (self.fuzzy and self.version.count(".") >= 2)


@value
class CondaEnvironment:
    """One ``environment.yml`` (or ``@EXPLICIT`` list, ``explicit=True``)."""

    path: str
    name: Declared | None = None
    channels: tuple[Declared, ...] = ()
    dependencies: tuple[CondaSpec, ...] = ()
    python: CondaSpec | None = None
    pip: tuple[Requirement, ...] = ()
    pip_includes: tuple[Include, ...] = ()
    pip_options: tuple[Option, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    prefix: Declared | None = None
    explicit: bool = False
    platform: str | None = None
    problems: tuple[Problem, ...] = ()


def is_spec_list(source: SourceText) -> bool:
    """Whether a text file is what ``conda list --explicit`` or ``--export`` prints.

    Such files are often called ``requirements.txt``, and pip cannot read them.
    """
    head = "\n".join(source.lines[:30])
    return "@EXPLICIT" in head or "conda create --name <env> --file" in head


def parse_environment(source: SourceText) -> CondaEnvironment:
    """``environment.yml``; never raises."""
    from auditor.parsers import yamldoc

    stream = yamldoc.parse(source)
    problems: list[Problem] = list(source.problems)
    problems.extend(p for p in stream.problems if p not in problems)
    root = stream.documents[0] if stream.documents else None
    if not isinstance(root, yamldoc.Mapping):
        if not problems:
            problems.append(Problem(at=source.at(1), message="a conda environment is a mapping"))
        return CondaEnvironment(path=source.path, problems=tuple(problems))

    def declared(node: object) -> Declared | None:
        if isinstance(node, yamldoc.Scalar) and not node.is_null:
            return Declared(value=node.text, at=node.at)
        return None

    def items(node: object) -> tuple[yamldoc.Node, ...]:
        return node.items if isinstance(node, yamldoc.Sequence) else ()

    specs: list[CondaSpec] = []
    lines: list[tuple[str, Callable[[int, int], Location]]] = []
    for item in items(root.get("dependencies")):
        if isinstance(item, yamldoc.Scalar):
            if item.is_null:
                continue
            read = parse_spec(item.text, item.at)
            if isinstance(read, Problem):
                problems.append(read)
            else:
                specs.append(read)
        elif isinstance(item, yamldoc.Mapping) and item.entry("pip") is not None:
            lines.extend(
                (line.text, _inside(line))
                for line in items(item.get("pip"))
                if isinstance(line, yamldoc.Scalar) and not line.is_null
            )
        else:
            problems.append(Problem(at=item.at, message="neither a specification nor pip's list"))
    pip = parse_arguments(source.path, lines)
    variables = root.get("variables")
    return CondaEnvironment(
        path=source.path,
        name=declared(root.get("name")),
        channels=tuple(d for c in items(root.get("channels")) if (d := declared(c))),
        dependencies=tuple(specs),
        python=next((s for s in specs if s.name == "python"), None),
        pip=pip.requirements,
        pip_includes=pip.includes,
        pip_options=pip.options,
        variables=tuple(
            (e.name, e.value.text)
            for e in (variables.entries if isinstance(variables, yamldoc.Mapping) else ())
            if isinstance(e.value, yamldoc.Scalar)
        ),
        prefix=declared(root.get("prefix")),
        problems=(*problems, *pip.problems),
    )


def _inside(scalar: yamldoc.Scalar) -> Callable[[int, int], Location]:
    at = scalar.at
    lead = 1 if scalar.style in ("single", "double") else 0

    def locate(start: int, end: int) -> Location:
        if at.end_line != at.line:
            return at
        column = at.column + lead
        return Location(at.path, at.line, column + start, at.line, column + end)

    return locate


_PLATFORM = re.compile(r"#\s*platform:\s*(\S+)")


def parse_explicit(source: SourceText) -> CondaEnvironment:
    """A spec list (``conda list --explicit`` or ``--export``); never raises."""
    problems: list[Problem] = list(source.problems)
    specs: list[CondaSpec] = []
    pip: list[tuple[str, Callable[[int, int], Location]]] = []
    platform = None
    explicit = False
    for number, line in enumerate(source.lines, start=1):
        text = line.strip()
        if text.startswith("#"):
            match = _PLATFORM.match(text)
            platform = match[1] if match else platform
            continue
        if not text:
            continue
        if text == "@EXPLICIT":
            explicit = True
            continue
        column = line.index(text) + 1
        at = Location(source.path, number, column, number, column + len(text))
        read = parse_spec(text, at)
        if isinstance(read, Problem):
            problems.append(read)
        elif read.build.startswith("pypi"):
            # ``--export`` lists what pip installed as NAME=VERSION=pypi_0.
            start = at
            name, version = read.name, read.version
            pip.append((f"{name}=={version}", lambda a, b, start=start: start))  # type: ignore[misc]
        else:
            specs.append(read)
    return CondaEnvironment(
        path=source.path,
        dependencies=tuple(specs),
        python=next((s for s in specs if s.name == "python"), None),
        pip=parse_arguments(source.path, pip).requirements,
        explicit=explicit,
        platform=platform,
        problems=tuple(problems),
    )


_ARCHIVE = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)\.(?:conda|tar\.bz2)")
_SPEC = re.compile(
    r"(?:(?P<channel>[^\s:\[\]]+(?::[^\s:\[\]]+)?)::)?(?P<name>[A-Za-z0-9_.-]+|\*)"
    r"\s*(?P<version>[^\s\[\]][^\[\]]*)?(?:\[(?P<brackets>[^\]]*)\])?"
)
_BRACKET = re.compile(r"""(\w+)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s,]+))""")


def parse_spec(text: str, at: Location) -> CondaSpec | Problem:
    """One match specification, such as ``numpy=1.21`` or ``conda-forge::numpy>=1.21,<2``."""
    text = text.strip()
    if text.startswith(("http://", "https://", "file:")):
        url, _, digest = text.partition("#")
        match = _ARCHIVE.fullmatch(url.rpartition("/")[2])
        if match is None:
            return Problem(at=at, message=f"{url!r} names no conda package")
        return CondaSpec(
            name=match["name"].lower(),
            at=at,
            version=match["version"],
            build=match["build"],
            exact=True,
            url=url,
            hash=digest or None,
        )
    match = _SPEC.fullmatch(text) if len(text) < 4096 else None
    if match is None:
        return Problem(at=at, message=f"{text[:120]!r} is not a conda specification")
    name, constraint = match["name"], (match["version"] or "").strip()
    channel, build = match["channel"], ""
    for key, *values in _BRACKET.findall(match["brackets"] or ""):
        value = next((v for v in values if v), "")
        if key == "version":
            constraint = value if value[:1] in "<>=!~" or "*" in value else f"=={value}"
        elif key == "build":
            build = value
        elif key == "channel":
            channel = value
    version, fuzzy, exact = constraint, False, False
    if constraint[:1] not in tuple("<>=!~"):
        # "numpy 1.8.1 py27_0": version and build after blanks.
        version, _, rest = constraint.partition(" ")
        build = rest.strip() or build
        exact = bool(version) and not any(c in version for c in "*|,<>")
    elif constraint.startswith("==") or re.match(r"=\s*[^=]+=[^=]", constraint):
        version, _, rest = constraint.lstrip("= ").partition("=")
        build = rest.strip() or build
        version = version.strip()
        exact = bool(version) and not any(c in version for c in "*|,<>") and "*" not in build
    elif constraint.startswith("=") and not any(c in constraint for c in "|,"):
        version = constraint[1:].strip().removesuffix(".*").removesuffix("*")
        fuzzy = True
    elif " " in constraint and not re.search(r"[<>=!~|,]\s+\S", constraint):
        version, _, build = constraint.rpartition(" ")
    return CondaSpec(
        name=name.lower(),
        at=at,
        channel=channel,
        version=version,
        build=build,
        exact=exact,
        fuzzy=fuzzy,
    )
