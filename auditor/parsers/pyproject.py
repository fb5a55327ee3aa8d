"""``pyproject.toml``: dependencies of every dialect, with the places of the strings."""

from __future__ import annotations

from typing import Any, Literal

from auditor import lazy_re as re
from auditor.parsers.requirements import Requirement, Vcs, normalise, parse_requirement
from auditor.parsers.toml_index import Path, TomlIndex
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import value

_UNDECIDED = Unknown("nothing says whether the project is published")


@value
class Declared:
    """A scalar and where it stands (``requires-python``, a project name, …)."""

    value: str
    at: Location


@value
class Group:
    """An extra or a dependency group; ``requirements`` has the included groups' too.

    ``kind``: ``extra`` is published with the project; ``group`` (PEP 735, Poetry, PDM, uv) is not.
    ``optional`` groups are only installed when asked for (Poetry ``optional = true``).
    """

    name: str
    kind: Literal["extra", "group"]
    requirements: tuple[Requirement, ...]
    at: Location
    includes: tuple[str, ...] = ()
    optional: bool = False
    default: bool = False


@value
class PackageSource:
    """Where a dependency is to come from (``tool.uv.sources``, Poetry ``source``/``git``/``path``)."""

    name: str
    kind: Literal["git", "path", "url", "workspace", "index"]
    value: str
    rev: str | None
    at: Location
    editable: bool = False


@value
class Index:
    """A package index that the file adds."""

    name: str | None
    url: str
    default: bool
    at: Location
    explicit: bool = False


@value
class Signal:
    """One reason to think the project is a library to be published, or an application."""

    kind: Literal["library", "application"]
    reason: str
    at: Location


@value
class PyprojectFacts:
    """What one ``pyproject.toml`` declares.

    ``requires_python`` is a PEP 440 specifier (Poetry's ``^3.11`` is converted, see ``value``).
    ``dynamic`` are the fields computed at build time. ``manager`` is the tool that installs it
    (``poetry``, ``pdm``, ``uv``), None when nothing says.
    """

    path: str
    has_project: bool = False
    name: Declared | None = None
    version: Declared | None = None
    requires_python: Declared | None = None
    dynamic: tuple[str, ...] = ()
    dependencies: tuple[Requirement, ...] = ()
    groups: tuple[Group, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    overrides: tuple[Requirement, ...] = ()
    build_requires: tuple[Requirement, ...] = ()
    build_backend: Declared | None = None
    manager: str | None = None
    tools: tuple[str, ...] = ()
    sources: tuple[PackageSource, ...] = ()
    indexes: tuple[Index, ...] = ()
    signals: tuple[Signal, ...] = ()
    is_library: bool | Unknown = _UNDECIDED
    # Files that dynamic dependencies are read from (``tool.setuptools.dynamic``), in order.
    dynamic_files: tuple[Declared, ...] = ()
    problems: tuple[Problem, ...] = ()

    def group(self, name: str, kind: str | None = None) -> Group | None:
        """The extra or group of that (normalised) name."""
        key = normalise(name)
        for group in self.groups:
            if normalise(group.name) == key and kind in (None, group.kind):
                return group
        return None


def load_toml(source: SourceText) -> tuple[dict[str, Any], Problem | None]:
    """The document, and what is wrong with it; an empty document when it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(source.text), None
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line, column = (int(match[1]), int(match[2])) if match else (len(source.lines), 1)
        reason = str(error).partition(" (at ")[0]
        at = Location(source.path, line, column, line, column + 1)
        return {}, Problem(at=at, message=f"not TOML: {reason}", fatal=True)
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return {}, Problem(at=source.at(1), message=f"not TOML: {reason}", fatal=True)


def parse(source: SourceText) -> PyprojectFacts:
    """Read the file; never raises. Broken TOML is one fatal problem with its line."""
    document, problem = load_toml(source)
    if problem is not None:
        return PyprojectFacts(path=source.path, problems=(*source.problems, problem))
    return _Reading(source, document).facts()


def table(value: object) -> dict[str, Any]:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def strings(value: object) -> list[str]:
    """The strings of an array."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


class _Reading:
    def __init__(self, source: SourceText, document: dict[str, Any]) -> None:
        self.source = source
        self.index = TomlIndex(source)
        self.document = document
        self.project = table(document.get("project"))
        self.tool = table(document.get("tool"))
        self.problems: list[Problem] = list(source.problems)
        self.sources: list[PackageSource] = []
        self.signals: list[Signal] = []

    def declared(self, value: object, *path: str | int) -> Declared | None:
        return (
            Declared(value=value, at=self.index.location(*path)) if isinstance(value, str) else None
        )

    def requirements(self, value: object, *path: str | int) -> list[Requirement]:
        """The PEP 508 strings of an array; anything else in it is a problem."""
        if value is None:
            return []
        if not isinstance(value, list):
            self._problem(path, "an array of requirements is expected here")
            return []
        found: list[Requirement] = []
        for position, item in enumerate(value):
            if isinstance(item, str):
                requirement = self.requirement(item, (*path, position))
                if requirement is not None:
                    found.append(requirement)
            elif not isinstance(item, dict):
                self._problem((*path, position), "a requirement is a string")
        return found

    def requirement(self, text: str, path: Path) -> Requirement | None:
        def locate(start: int, end: int) -> Location:
            return self.index.inside(path, start, end)

        editable = text.startswith("-e ")
        if editable:
            offset = len(text) - len(text[3:].lstrip())

            def shifted(start: int, end: int) -> Location:
                return locate(start + offset, end + offset)

            read = parse_requirement(text[offset:], shifted, editable=True)
        else:
            read = parse_requirement(text, locate, pip_forms=False)
        if isinstance(read, Problem):
            self.problems.append(read)
            return None
        if read.rejected:
            at = read.specifier_at or read.at
            self.problems.append(Problem(at=at, message=f"{text!r}: {read.rejected}"))
        return read

    def _problem(self, path: Path, message: str) -> None:
        self.problems.append(Problem(at=self.index.location(*path), message=message))

    def signal(
        self, kind: Literal["library", "application"], reason: str, *path: str | int
    ) -> None:
        self.signals.append(Signal(kind=kind, reason=reason, at=self.index.key(*path)))

    def facts(self) -> PyprojectFacts:
        poetry = table(self.tool.get("poetry"))
        build = table(self.document.get("build-system"))
        backend = self.declared(build.get("build-backend"), "build-system", "build-backend")
        manager = self._manager(backend.value if backend else "")
        dependencies = self.requirements(
            self.project.get("dependencies"), "project", "dependencies"
        )
        groups: list[Group] = []
        optional = table(self.project.get("optional-dependencies"))
        for name, items in optional.items():
            path = ("project", "optional-dependencies", name)
            groups.append(
                Group(
                    name=name,
                    kind="extra",
                    requirements=tuple(self.requirements(items, *path)),
                    at=self.index.key(*path),
                )
            )
        requires = self.declared(self.project.get("requires-python"), "project", "requires-python")
        groups.extend(self._dependency_groups())
        if poetry:
            reader = _Poetry(self, poetry)
            main = reader.main()
            if "dependencies" not in self.project:
                dependencies = main
            groups.extend(reader.groups(main))
            requires = requires or reader.python
            self.sources.extend(reader.sources)
        groups.extend(self._pdm_groups())
        uv = table(self.tool.get("uv"))
        if "dev-dependencies" in uv:
            path = ("tool", "uv", "dev-dependencies")
            groups.append(
                Group(
                    name="dev",
                    kind="group",
                    requirements=tuple(self.requirements(uv["dev-dependencies"], *path)),
                    at=self.index.key(*path),
                    default=True,
                )
            )
        flit = table(table(self.tool.get("flit")).get("metadata"))
        if flit:
            path = ("tool", "flit", "metadata")
            dependencies += self.requirements(flit.get("requires"), *path, "requires")
            requires = requires or self.declared(
                flit.get("requires-python"), *path, "requires-python"
            )
        self._uv_sources(uv)
        self._judge_kind(build, poetry, uv)
        project_name = "project" if "name" in self.project else "tool"
        name_path = ("project", "name") if project_name == "project" else ("tool", "poetry", "name")
        version_path = (*name_path[:-1], "version")
        holder = self.project if project_name == "project" else poetry
        override = table(table(table(self.tool.get("pdm")).get("resolution")).get("overrides"))
        overrides = self.requirements(
            uv.get("override-dependencies"), "tool", "uv", "override-dependencies"
        )
        for key, value in override.items():
            if isinstance(value, str):
                at = self.index.location("tool", "pdm", "resolution", "overrides", key)
                specifier = f"=={value}" if value[:1].isdigit() else value
                overrides.append(Requirement(name=key, at=at, specifier=specifier))
        return PyprojectFacts(
            path=self.source.path,
            has_project=bool(self.project),
            name=self.declared(holder.get("name"), *name_path),
            version=self.declared(holder.get("version"), *version_path),
            requires_python=requires,
            dynamic=tuple(strings(self.project.get("dynamic"))),
            dependencies=tuple(dependencies),
            groups=tuple(groups),
            constraints=tuple(
                self.requirements(
                    uv.get("constraint-dependencies"), "tool", "uv", "constraint-dependencies"
                )
            ),
            overrides=tuple(overrides),
            build_requires=tuple(
                self.requirements(build.get("requires"), "build-system", "requires")
            ),
            build_backend=backend,
            manager=manager,
            tools=tuple(self.tool),
            sources=tuple(self.sources),
            indexes=tuple(self._indexes(uv)),
            signals=tuple(self.signals),
            is_library=self._is_library(),
            dynamic_files=tuple(self._dynamic_files()),
            problems=tuple(self.problems),
        )

    def _manager(self, backend: str) -> str | None:
        for name in ("poetry", "pdm", "uv", "hatch", "flit"):
            if name in self.tool and (name != "hatch" or table(self.tool["hatch"]).get("envs")):
                return name
        if backend.startswith("poetry."):
            return "poetry"
        return None

    def _dependency_groups(self) -> list[Group]:
        """PEP 735: arrays of strings and ``{include-group = NAME}``."""
        declared = table(self.document.get("dependency-groups"))
        by_key = {normalise(name): name for name in declared}
        uv = table(self.tool.get("uv"))
        defaults = uv.get("default-groups", ["dev"] if "uv" in self.tool else [])
        done: dict[str, tuple[Requirement, ...]] = {}
        parsed: dict[str, list[Requirement]] = {}
        includes: dict[str, list[str]] = {}
        for name, items in declared.items():
            path = ("dependency-groups", name)
            parsed[name] = self.requirements(items, *path)
            includes[name] = []
            for position, item in enumerate(items if isinstance(items, list) else ()):
                target = item.get("include-group") if isinstance(item, dict) else None
                if isinstance(target, str):
                    real = by_key.get(normalise(target))
                    if real is None:
                        self._problem(
                            (*path, position), f"includes group {target!r}, which is not declared"
                        )
                    else:
                        includes[name].append(real)
                elif isinstance(item, dict):
                    self._problem(
                        (*path, position), "a table here can only be {include-group = NAME}"
                    )

        def expand(name: str, above: tuple[str, ...]) -> tuple[Requirement, ...]:
            if name in above:
                self._problem(
                    ("dependency-groups", above[-1]),
                    f"includes group {name!r}, which leads back to it",
                )
                return ()
            if name not in done:
                if len(above) > 64:
                    return ()
                # A dictionary keeps the order and one copy of what several paths bring.
                all_of = dict.fromkeys(parsed[name])
                for target in includes[name]:
                    all_of.update(dict.fromkeys(expand(target, (*above, name))))
                done[name] = tuple(all_of)
            return done[name]

        return [
            Group(
                name=name,
                kind="group",
                requirements=expand(name, ()),
                at=self.index.key("dependency-groups", name),
                includes=tuple(includes[name]),
                default=defaults == "all" or (isinstance(defaults, list) and name in defaults),
            )
            for name in declared
        ]

    def _pdm_groups(self) -> list[Group]:
        found = []
        for name, items in table(table(self.tool.get("pdm")).get("dev-dependencies")).items():
            path = ("tool", "pdm", "dev-dependencies", name)
            found.append(
                Group(
                    name=name,
                    kind="group",
                    requirements=tuple(self.requirements(items, *path)),
                    at=self.index.key(*path),
                    default=True,
                )
            )
        return found

    def _uv_sources(self, uv: dict[str, Any]) -> None:
        for name, value in table(uv.get("sources")).items():
            path: Path = ("tool", "uv", "sources", name)
            entries = value if isinstance(value, list) else [value]
            for position, entry in enumerate(entries):
                at = self.index.location(*path, *((position,) if isinstance(value, list) else ()))
                self.sources.extend(_package_source(name, table(entry), at))

    def _indexes(self, uv: dict[str, Any]) -> list[Index]:
        found: list[Index] = []

        def tables(value: object, *path: str) -> list[tuple[dict[str, Any], Location]]:
            items = value if isinstance(value, list) else []
            return [
                (item, self.index.location(*path, position, "url"))
                for position, item in enumerate(items)
                if isinstance(item, dict) and isinstance(item.get("url"), str)
            ]

        for item, at in tables(uv.get("index"), "tool", "uv", "index"):
            found.append(
                Index(
                    name=item.get("name"),
                    url=item["url"],
                    default=bool(item.get("default")),
                    explicit=bool(item.get("explicit")),
                    at=at,
                )
            )
        for holder, path in ((uv, ("tool", "uv")), (table(uv.get("pip")), ("tool", "uv", "pip"))):
            url = holder.get("index-url")
            if isinstance(url, str):
                at = self.index.location(*path, "index-url")
                found.append(Index(name=None, url=url, default=True, at=at))
            for position, extra in enumerate(strings(holder.get("extra-index-url"))):
                at = self.index.location(*path, "extra-index-url", position)
                found.append(Index(name=None, url=extra, default=False, at=at))
        poetry = table(self.tool.get("poetry"))
        for item, at in tables(poetry.get("source"), "tool", "poetry", "source"):
            priority = item.get("priority")
            found.append(
                Index(
                    name=item.get("name"),
                    url=item["url"],
                    # A primary source replaces the default one.
                    default=priority in ("default", "primary", None) and not item.get("secondary"),
                    explicit=priority == "explicit",
                    at=at,
                )
            )
        pdm = table(self.tool.get("pdm"))
        for item, at in tables(pdm.get("source"), "tool", "pdm", "source"):
            name = item.get("name")
            found.append(Index(name=name, url=item["url"], default=name == "pypi", at=at))
        return found

    def _dynamic_files(self) -> list[Declared]:
        setuptools = table(table(self.tool.get("setuptools")).get("dynamic"))
        value = table(setuptools.get("dependencies")).get("file")
        path = ("tool", "setuptools", "dynamic", "dependencies", "file")
        if isinstance(value, str):
            return [Declared(value=value, at=self.index.location(*path))]
        return [
            Declared(value=name, at=self.index.location(*path, position))
            for position, name in enumerate(strings(value))
        ]

    def _judge_kind(
        self, build: dict[str, Any], poetry: dict[str, Any], uv: dict[str, Any]
    ) -> None:
        if build.get("build-backend") or build.get("requires"):
            self.signal("library", "has a build system", "build-system")
        elif self.project:
            self.signal("application", "has no build system", "project")
        if poetry.get("package-mode") is False:
            self.signal("application", "package-mode is false", "tool", "poetry", "package-mode")
        if uv.get("package") is False:
            self.signal("application", "uv does not build it", "tool", "uv", "package")
        if table(self.tool.get("pdm")).get("distribution") is False:
            self.signal("application", "PDM does not distribute it", "tool", "pdm", "distribution")
        for holder, path in ((self.project, ("project",)), (poetry, ("tool", "poetry"))):
            classifiers = strings(holder.get("classifiers"))
            if any(c.startswith("Private ::") for c in classifiers):
                reason = "its classifiers keep it from the index"
                self.signal("application", reason, *path, "classifiers")
            elif classifiers:
                self.signal("library", "has classifiers for an index", *path, "classifiers")
            for key in ("urls", "homepage", "repository", "documentation", "keywords"):
                if holder.get(key):
                    self.signal("library", f"says {key}", *path, key)
            if holder.get("packages"):
                self.signal("library", "names its packages", *path, "packages")

    def _is_library(self) -> bool | Unknown:
        kinds = [s.kind for s in self.signals]
        if "application" in kinds:
            return False
        # A build system alone is what every template has.
        if kinds.count("library") >= 2 and any(
            s.reason == "has a build system" for s in self.signals
        ):
            return True
        return _UNDECIDED


def _package_source(name: str, entry: dict[str, Any], at: Location) -> list[PackageSource]:
    for kind in ("git", "path", "url", "index"):
        value = entry.get(kind)
        if isinstance(value, str):
            rev = entry.get("rev") or entry.get("tag") or entry.get("branch")
            return [
                PackageSource(
                    name=name,
                    kind=kind,
                    value=value,
                    rev=rev if isinstance(rev, str) else None,
                    at=at,
                    editable=bool(entry.get("editable", entry.get("develop", False))),
                )
            ]
    if entry.get("workspace") is True:
        return [
            PackageSource(name=name, kind="workspace", value="", rev=None, at=at, editable=True)
        ]
    return []


# --- Poetry ------------------------------------------------------------------------------

_POETRY_CLAUSE = re.compile(
    r"\s*(\^|~=|~|===?|!=|<=|>=|<|>)?\s*v?([0-9][0-9A-Za-z]*+(?:[.!+_-][0-9A-Za-z]++)*+(?:\.\*)?|\*)\s*"
)


def poetry_specifier(constraint: str) -> str | Unknown:
    """Poetry's constraint as a PEP 440 specifier: ``^1.2`` becomes ``>=1.2,<2.0``.

    A union (``||``) has no equivalent and is Unknown, as is what Poetry would reject.
    """
    text = constraint.strip()
    if text in ("", "*"):
        return ""
    if "|" in text:
        return Unknown(f"a union of ranges: {constraint}")
    clauses: list[str] = []
    at = 0
    while at < len(text):
        match = _POETRY_CLAUSE.match(text, at)
        if match is None:
            return Unknown(f"not a constraint: {constraint}")
        clause = _poetry_clause(match[1] or "", match[2])
        if clause is None:
            return Unknown(f"not a constraint: {constraint}")
        if clause:
            clauses.append(clause)
        at = match.end()
        if text[at : at + 1] == ",":
            at += 1
    return ",".join(clauses)


def _poetry_clause(operator: str, version: str) -> str | None:
    if version == "*":
        return ""
    release = [int(p) for p in re.match(r"(?:\d+!)?([\d.]*)", version)[1].split(".") if p]  # type: ignore[index]
    if not release:
        return None
    if operator == "^":
        first = next((i for i, part in enumerate(release) if part), len(release) - 1)
        upper = [*release[:first], release[first] + 1] + [0] * (len(release) - first - 1)
        return f">={version},<{'.'.join(map(str, upper))}"
    if operator == "~":
        first = min(1, len(release) - 1)
        upper = [*release[:first], release[first] + 1]
        return f">={version},<{'.'.join(map(str, upper))}"
    if version.endswith(".*"):
        if operator in ("", "=="):
            return f"=={version}"
        return f"{operator}{version}" if operator == "!=" else f"{operator}{version[:-2]}"
    return f"{operator or '=='}{version}"


def _python_marker(specifier: str) -> str:
    """A Python constraint as a marker: ``<3.11`` becomes ``python_version < "3.11"``."""
    clauses = []
    for clause in filter(None, specifier.split(",")):
        match = re.fullmatch(r"(~=|===?|!=|<=|>=|<|>)(.+?)", clause)
        if match is None:
            return ""
        operator, version = match[1], match[2]
        if version.endswith(".*"):
            version = version[:-2]
            variable = "python_version"
        else:
            variable = "python_full_version" if version.count(".") > 1 else "python_version"
        clauses.append(f'{variable} {operator} "{version}"')
    return " and ".join(clauses)


class _Poetry:
    """``[tool.poetry]``: dependency tables instead of PEP 508 strings."""

    def __init__(self, reading: _Reading, poetry: dict[str, Any]) -> None:
        self.reading = reading
        self.poetry = poetry
        self.sources: list[PackageSource] = []
        self.python: Declared | None = None
        self.optional: dict[str, list[Requirement]] = {}

    def main(self) -> list[Requirement]:
        path: Path = ("tool", "poetry", "dependencies")
        declared = table(self.poetry.get("dependencies"))
        python = declared.get("python")
        if isinstance(python, str):
            specifier = poetry_specifier(python)
            at = self.reading.index.location(*path, "python")
            if isinstance(specifier, str):
                self.python = Declared(value=specifier, at=at)
        found: list[Requirement] = []
        for name, value in declared.items():
            if name != "python":
                entries = self._entries(name, value, (*path, name))
                optional = isinstance(value, dict) and value.get("optional") is True
                if optional:
                    self.optional.setdefault(normalise(name), []).extend(entries)
                else:
                    found.extend(entries)
        return found

    def groups(self, main: list[Requirement]) -> list[Group]:
        found: list[Group] = []
        by_key = dict(self.optional)
        for requirement in main:
            by_key.setdefault(requirement.key, []).append(requirement)
        extras: Path = ("tool", "poetry", "extras")
        for name, items in table(self.poetry.get("extras")).items():
            members = [r for item in strings(items) for r in by_key.get(normalise(item), ())]
            at = self.reading.index.key(*extras, name)
            found.append(Group(name=name, kind="extra", requirements=tuple(members), at=at))
        declared = table(self.poetry.get("group"))
        tables = [(name, table(g), ("tool", "poetry", "group", name, "dependencies"))
                  for name, g in declared.items()]  # fmt: skip
        if "dev-dependencies" in self.poetry:
            old = {"dependencies": self.poetry["dev-dependencies"]}
            tables.append(("dev", old, ("tool", "poetry", "dev-dependencies", "", "")))
        for name, group, path in tables:
            where: Path = tuple(part for part in path if part)
            requirements = [
                r
                for key, value in table(group.get("dependencies")).items()
                for r in self._entries(key, value, (*where, key))
            ]
            optional = group.get("optional") is True
            found.append(
                Group(
                    name=name,
                    kind="group",
                    requirements=tuple(requirements),
                    at=self.reading.index.key(*where),
                    includes=tuple(strings(group.get("include-groups"))),
                    optional=optional,
                    default=not optional,
                )
            )
        return found

    def _entries(self, name: str, value: object, path: Path) -> list[Requirement]:
        if isinstance(value, list):
            return [
                r
                for position, item in enumerate(value)
                for r in self._entries(name, item, (*path, position))
            ]
        if isinstance(value, str):
            value = {"version": value}
            value_path = path
        elif isinstance(value, dict):
            value_path = (*path, "version")
        else:
            self.reading._problem(path, f"{name}: a version or a table is expected here")
            return []
        index = self.reading.index
        key_path = path if not isinstance(path[-1], int) else path[:-1]
        constraint = value.get("version")
        specifier: str | Unknown = ""
        if isinstance(constraint, str):
            specifier = poetry_specifier(constraint)
        markers = [m for m in (value.get("markers"),) if isinstance(m, str)]
        python = value.get("python")
        if isinstance(python, str):
            converted = poetry_specifier(python)
            if isinstance(converted, str) and converted:
                markers.append(_python_marker(converted))
        if isinstance(value.get("platform"), str):
            markers.append(f'sys_platform == "{value["platform"]}"')
        if len(markers) > 1:
            markers = [f"({m})" if " or " in m else m for m in markers]
        rev = value.get("rev") or value.get("tag") or value.get("branch")
        at = index.location(*path)
        self.sources.extend(_package_source(name, value, at))
        vcs = None
        url = value.get("url")
        if isinstance(value.get("git"), str):
            rev = rev if isinstance(rev, str) else None
            vcs = Vcs(
                scheme="git",
                url=value["git"],
                rev=rev,
                is_commit=bool(rev and re.fullmatch(r"[0-9a-f]{40}", rev)),
                subdirectory=value.get("subdirectory"),
            )
            url = f"git+{value['git']}" + (f"@{rev}" if rev else "")
        return [
            Requirement(
                name=name,
                at=at,
                specifier=specifier if isinstance(specifier, str) else "",
                extras=tuple(strings(value.get("extras"))),
                marker=" and ".join(m for m in markers if m),
                url=url if isinstance(url, str) else None,
                vcs=vcs,
                path=value.get("path") if isinstance(value.get("path"), str) else None,
                editable=bool(value.get("develop")),
                options=(("constraint", constraint),) if isinstance(constraint, str) else (),
                name_at=index.key(*key_path),
                specifier_at=index.location(*value_path) if isinstance(constraint, str) else None,
            )
        ]
