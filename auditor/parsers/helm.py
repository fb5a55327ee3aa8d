"""Helm charts, rendered by ``auditor.parsers.gotemplate`` as ``helm template`` would.

The values are those of ``values.yaml``, with those of the installation that the repository tells
of (``auditor.parsers.releases``) or the chart's own values for production laid over them; where no
installation names it, the release is named after the chart. What a cluster or chance decides is unknown, and a
template that turns on it is left out and said to be. Every fact keeps the line of the template
that wrote it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from auditor import lazy_re as re
from auditor.parsers import gotemplate, sprig, yamldoc
from auditor.parsers.gotemplate import HOLE, TemplateError, UndecidedError
from auditor.parsers.yamldoc import Node, Scalar, YamlStream
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.parsers.releases import Release

# What `helm template` tells a chart about the cluster.
_KUBERNETES = "v1.30.0"
_API_VERSIONS = frozenset(
    [
        "v1",
        "apps/v1",
        "batch/v1",
        "autoscaling/v1",
        "autoscaling/v2",
        "policy/v1",
        "networking.k8s.io/v1",
        "rbac.authorization.k8s.io/v1",
        "storage.k8s.io/v1",
        "apiextensions.k8s.io/v1",
        "scheduling.k8s.io/v1",
        "admissionregistration.k8s.io/v1",
        "certificates.k8s.io/v1",
        "coordination.k8s.io/v1",
        "discovery.k8s.io/v1",
        "events.k8s.io/v1",
        "node.k8s.io/v1",
        "apiregistration.k8s.io/v1",
    ]
)
_MAX_TEMPLATES = 200
_MAX_CHARTS = 30


class Files(Protocol):
    """The files of a repository."""

    def read(self, path: str) -> SourceText | None:
        """The text of a file."""

    def below(self, directory: str) -> Sequence[str]:
        """Every file below a directory."""


@value
class Dependency:
    """One entry of ``dependencies``; ``bundled`` when ``charts/`` holds it unpacked."""

    name: str
    alias: str
    condition: str
    at: Location
    bundled: bool = False


@value
class Chart:
    """A chart as rendered. ``streams`` are its manifests, one for each template that was rendered."""

    directory: str
    name: str
    at: Location
    library: bool = False
    streams: tuple[YamlStream, ...] = ()
    # The values files it was rendered with, the last one wins.
    values: tuple[str, ...] = ()
    # Another values file of the repository that seems to be meant for this chart.
    more_values: str = ""
    dependencies: tuple[Dependency, ...] = ()
    problems: tuple[Problem, ...] = ()
    # Templates that could not be rendered: what they would bring is not known.
    unread: tuple[str, ...] = ()


@value
class _Part:
    """A chart or subchart: its templates and what they see."""

    directory: str
    name: str
    templates: tuple[str, ...]
    scope: dict[str, Any]


_PRODUCTION = ("prod", "production", "live", "prd")


def render(
    files: Files,
    directory: str,
    release: Release | None = None,
    settings: Mapping[str, str] | None = None,
) -> Chart | None:
    """Render the chart in ``directory``; None when there is no chart. Never raises.

    ``release`` is the installation, with values files of the repository that lie over the chart's
    own; ``settings`` is what ``--set`` gives somewhere, and fills in what they leave empty.
    """
    path = posixpath.join(directory, "Chart.yaml")
    head = _document(files, path)
    if not isinstance(head, yamldoc.Mapping):
        return None
    try:
        return _Chart(files, directory, head, release, settings or {}).run()
    except TemplateError as error:
        problem = Problem(at=Location(path), message=f"is not rendered: {error.message}")
        return Chart(
            directory=directory, name="", at=Location(path), problems=(problem,), unread=(path,)
        )


def _document(files: Files, path: str) -> Node | None:
    text = files.read(path)
    if text is None:
        return None
    stream = yamldoc.parse(text)
    return stream.documents[0] if stream.documents else None


def _release(name: str) -> str:
    """A name for the release.

    A chart's own may have blanks and capitals, or be so long that what templates append is refused.
    """
    return re.sub(r"[^a-z0-9-]+", "-", name.lower())[:30].strip("-") or "release"


# `helm install NAME CHART --set KEY=VALUE`, with a value that is written out.
_PAIR = r"[\w.-]+=[\"']?[\w./:@-]+[\"']?"
_SETS = re.compile(rf"--set(?:-string)?[ =][\"']?({_PAIR}(?:,{_PAIR})*)(?=\s|$)")


def settings(text: str) -> Iterator[tuple[str, str]]:
    """What the ``helm`` commands of a script or document set."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if "--set" in line and re.search(r"\bhelm\s", line):
            for pairs in _SETS.findall(line):
                for pair in pairs.split(","):
                    key, _, value = pair.partition("=")
                    yield key, value.strip("\"'")


def _fill(values: dict[str, Any], key: str, text: str) -> None:
    """Give a value that is there and empty: nobody installs a chart without what it asks for."""
    *folders, last = key.split(".")
    for folder in folders:
        inner = values.get(folder)
        if not isinstance(inner, dict):
            return
        values = inner
    if last in values and values[last] in ("", None):
        values[last] = text


def _nested(key: str, text: str) -> dict[str, Any]:
    """``a.b`` as the maps that it names."""
    head, _, rest = key.partition(".")
    return {head: _nested(rest, text) if rest else text}


def _text(node: Node | None, *path: str) -> str:
    found = node.get(*path) if isinstance(node, yamldoc.Mapping) else None
    return found.text if isinstance(found, Scalar) and not found.is_null else ""


class _Chart:
    def __init__(
        self,
        files: Files,
        directory: str,
        head: yamldoc.Mapping,
        release: Release | None,
        settings: Mapping[str, str],
    ) -> None:
        self.files = files
        self.directory = directory
        self.head = head
        self.release = release
        self.settings = settings
        self.parts: list[_Part] = []
        self.problems: list[Problem] = []
        self.unread: list[str] = []

    def run(self) -> Chart:
        name = _text(self.head, "name") or posixpath.basename(self.directory)
        names = self.value_files()
        values: dict[str, Any] = {}
        for path in names:
            node = _document(self.files, path)
            if isinstance(node, yamldoc.Mapping):
                _lay(values, sprig.plain(node))
        for key, text in self.settings.items():
            _fill(values, key, text)
        if self.release is not None:
            if isinstance(self.release.values, yamldoc.Mapping):
                _lay(values, sprig.plain(self.release.values))
            for key, text in self.release.settings:
                _lay(values, _nested(key, text))
        called = self.release.name if self.release is not None else ""
        dependencies = self.collect(self.directory, self.head, values, called or _release(name))
        streams = self.render_parts()
        return Chart(
            directory=self.directory,
            name=name,
            at=self.head.at,
            library=_text(self.head, "type") == "library",
            streams=tuple(streams),
            values=tuple(names),
            more_values=self.more_values(name, names) if self.problems else "",
            dependencies=tuple(dependencies),
            problems=tuple(self.problems[:50]),
            unread=tuple(self.unread),
        )

    def value_files(self) -> list[str]:
        own = posixpath.join(self.directory, "values.yaml")
        found = [own]
        if self.release is not None:
            given = self.release.files
            return list(given) if self.release.alone else [own, *(f for f in given if f != own)]
        for path in self.files.below(self.directory):
            folder, base = posixpath.split(path)
            if folder != self.directory or not base.endswith((".yaml", ".yml")) or path == own:
                continue
            words = base.rpartition(".")[0].lower().replace("-", ".").replace("_", ".").split(".")
            if "values" in words and set(words) & set(_PRODUCTION):
                found.append(path)
                break
        return found

    def more_values(self, name: str, used: Sequence[str]) -> str:
        """A values file that was not used: beside the chart, or elsewhere under its name."""
        titles = {name.lower(), posixpath.basename(self.directory).lower()}
        charts = [posixpath.dirname(p) for p in self.files.below("") if p.endswith("/Chart.yaml")]
        for path in self.files.below(""):
            if not path.endswith((".yaml", ".yml")) or "values" not in path.lower():
                continue
            folder, base = posixpath.split(path.lower())
            words = set(re.split(r"[-_.]", base.rpartition(".")[0]))
            within = path.startswith(f"{self.directory}/") or not self.directory
            if within:
                beside = posixpath.dirname(path) == self.directory
                if beside and "values" in words and path not in used:
                    return path
                continue
            if "values" not in words and "values" not in re.split(r"[-_./]", folder):
                continue
            if any(path.startswith(f"{chart}/") for chart in charts):
                continue
            if len(charts) < 2 or any(title in path.lower() for title in titles):
                return path
        return ""

    def collect(
        self, directory: str, head: yamldoc.Mapping, values: dict[str, Any], release: str
    ) -> list[Dependency]:
        """A chart and its subcharts, each with the values it sees."""
        if len(self.parts) >= _MAX_CHARTS:
            return []
        name = _text(head, "name") or posixpath.basename(directory)
        dependencies = []
        listed = head.get("dependencies")
        declared: dict[str, Dependency] = {}
        for item in listed.items if isinstance(listed, yamldoc.Sequence) else ():
            made = Dependency(
                name=_text(item, "name"),
                alias=_text(item, "alias"),
                condition=_text(item, "condition"),
                at=item.at,
            )
            declared[made.name] = made
        charts = posixpath.join(directory, "charts")
        below = self.files.below(directory)
        for path in below:
            folder = posixpath.dirname(path)
            if posixpath.basename(path) != "Chart.yaml" or posixpath.dirname(folder) != charts:
                continue
            child = _document(self.files, path)
            if not isinstance(child, yamldoc.Mapping):
                continue
            known = declared.get(_text(child, "name"))
            key = (known.alias if known else "") or _text(child, "name")
            if known is not None:
                declared[known.name] = Dependency(
                    name=known.name,
                    alias=known.alias,
                    condition=known.condition,
                    at=known.at,
                    bundled=True,
                )
                if known.condition and _lookup(values, known.condition) is False:
                    continue
            inner: dict[str, Any] = {}
            own = _document(self.files, posixpath.join(folder, "values.yaml"))
            if isinstance(own, yamldoc.Mapping):
                inner = sprig.plain(own)
            given = values.get(key)
            if isinstance(given, dict):
                _lay(inner, given)
            shared = values.get("global")
            if isinstance(shared, dict):
                _lay(inner.setdefault("global", {}), shared)
            values[key] = inner
            self.collect(folder, child, inner, release)
        dependencies = list(declared.values())
        templates = [
            path
            for path in below
            if path.startswith(posixpath.join(directory, "templates") + "/")
            and path.endswith((".yaml", ".yml", ".tpl"))
            and "/templates/tests/" not in f"/{path}"
        ]
        if _text(head, "type") == "library":
            templates = [p for p in templates if posixpath.basename(p).startswith("_")]
        scope = {
            "Values": values,
            "Chart": self.about(head, name),
            "Release": {
                "Name": release,
                "Namespace": "default",
                "Service": "Helm",
                "Revision": 1,
                "IsInstall": True,
                "IsUpgrade": False,
            },
            "Capabilities": _capabilities(),
            "Files": self.chart_files(directory),
            "Subcharts": {},
        }
        self.parts.append(
            _Part(directory=directory, name=name, templates=tuple(sorted(templates)), scope=scope)
        )
        return dependencies

    def about(self, head: yamldoc.Mapping, name: str) -> dict[str, Any]:
        about: dict[str, Any] = {"Name": name}
        for key in ("version", "appVersion", "description", "type", "apiVersion", "home", "icon"):
            about[key[0].upper() + key[1:]] = _text(head, key)
        about["APIVersion"] = _text(head, "apiVersion")
        about["Annotations"] = sprig.plain(head.get("annotations") or yamldoc.Mapping(at=head.at))
        return about

    def chart_files(self, directory: str) -> dict[str, Any]:
        def get(name: Any) -> str:
            path = posixpath.normpath(posixpath.join(directory, str(name)))
            if not path.startswith(f"{directory}/") and directory:
                return ""
            text = self.files.read(path)
            return text.text if text is not None else ""

        def unknown(*_: Any) -> Unknown:
            return Unknown("files are chosen by a pattern")

        return {
            "Get": get,
            "Lines": lambda name: get(name).split("\n"),
            "Glob": unknown,
            "GetBytes": unknown,
        }

    def render_parts(self) -> list[YamlStream]:
        table = sprig.functions()
        renderer = gotemplate.Renderer(table, {})

        def include(name: Any, dot: Any = None) -> Any:
            return _holed(renderer.text(str(name), dot))

        def tpl(text: Any, dot: Any) -> Any:
            return text if isinstance(text, Unknown) else _holed(renderer.string(str(text), dot))

        table["include"] = include
        table["tpl"] = tpl
        parsed: list[tuple[_Part, str, SourceText, tuple[gotemplate.Node, ...]]] = []
        count = 0
        # The outer chart's templates are read last, so that its names win.
        for part in self.parts:
            for path in part.templates:
                count += 1
                source = self.files.read(path) if count <= _MAX_TEMPLATES else None
                if source is None:
                    self.unread.append(path)
                    continue
                try:
                    nodes, defines = gotemplate.parse(source.text)
                except TemplateError as error:
                    self.left_out(path, error)
                    continue
                renderer.defines.update(defines)
                inside = path[len(part.directory) :].lstrip("/")
                renderer.defines.setdefault(posixpath.join(part.name, inside), nodes)
                if not posixpath.basename(path).startswith("_") and not path.endswith(".tpl"):
                    parsed.append((part, path, source, nodes))
        streams = []
        for part, path, source, nodes in parsed:
            base = posixpath.join(part.name, path[len(part.directory) :].lstrip("/"))
            scope = {
                **part.scope,
                "Template": {"Name": base, "BasePath": posixpath.join(part.name, "templates")},
            }
            try:
                pieces = renderer.render(nodes, scope)
            except TemplateError as error:
                self.left_out(path, error)
                continue
            except RecursionError:
                self.left_out(path, TemplateError("nested too deeply"))
                continue
            streams.append(_stream(source, pieces))
        return streams

    def left_out(self, path: str, error: TemplateError) -> None:
        self.unread.append(path)
        why = "" if isinstance(error, UndecidedError) else "fails: "
        self.problems.append(
            Problem(
                at=Location(path, error.line or 1), message=f"is not rendered: {why}{error.message}"
            )
        )


def _holed(text: str) -> Any:
    """Text of a template; unknown as a whole when nothing of it is known."""
    return Unknown("it is computed at installation") if text.strip() == HOLE else text


def _lay(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lay values over others: maps are merged, null deletes, anything else replaces."""
    for key, item in over.items():
        if item is None:
            base.pop(key, None)
        elif isinstance(item, dict) and isinstance(base.get(key), dict):
            _lay(base[key], item)
        else:
            base[key] = item


def _lookup(values: Mapping[str, Any], path: str) -> Any:
    """The first of comma-separated paths that is set."""
    for one in path.split(","):
        found: Any = values
        for name in one.strip().split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None


def _capabilities() -> dict[str, Any]:
    return {
        "KubeVersion": {
            "Version": _KUBERNETES,
            "GitVersion": _KUBERNETES,
            "Major": "1",
            "Minor": "30",
        },
        "APIVersions": {"Has": lambda name: str(name).rpartition("/")[0] in _API_VERSIONS
                        or str(name) in _API_VERSIONS},
        "HelmVersion": {"Version": "v3.16.0"},
    }  # fmt: skip


def _stream(source: SourceText, pieces: Sequence[tuple[str, int]]) -> YamlStream:
    """The rendered text as YAML whose places are those of the template."""
    text = "".join(piece for piece, _ in pieces)
    # The template's line that wrote the first thing on each line of the output.
    lines = [0]
    blank = [True]
    for piece, line in pieces:
        for index, part in enumerate(piece.split("\n")):
            if index:
                lines.append(0)
                blank.append(True)
            if blank[-1] and part.strip():
                lines[-1], blank[-1] = line, False
            elif not lines[-1]:
                lines[-1] = line
    stream = yamldoc.parse(SourceText(source.path, text))
    spans: dict[int, Location] = {}

    def place(at: Location) -> Location:
        line = lines[at.line - 1] if 0 < at.line <= len(lines) else 1
        if line not in spans:
            written = source.line_at(line)
            start = len(written) - len(written.lstrip()) + 1
            spans[line] = Location(source.path, line or 1, start, line or 1, len(written) + 1)
        return spans[line]

    memo: dict[int, Node] = {}
    return YamlStream(
        path=source.path,
        documents=tuple(moved(document, place, memo) for document in stream.documents),
        problems=tuple(
            Problem(at=place(p.at), message=f"once rendered, {p.message}", fatal=p.fatal)
            for p in stream.problems
            if HOLE not in text
        ),
    )


def moved(node: Node, place: Any, memo: dict[int, Node]) -> Node:
    """The same tree at other places; text with a hole becomes a template's."""
    known = memo.get(id(node))
    if known is not None:
        return known
    made: Node
    if isinstance(node, Scalar):
        holed = HOLE in node.text
        made = Scalar(
            at=place(node.at),
            text=node.text.replace(HOLE, "{{ ? }}") if holed else node.text,
            style="template" if holed else ("single" if "{{" in node.text else node.style),
            tag=node.tag,
            anchor=node.anchor,
        )
    elif isinstance(node, yamldoc.Mapping):
        made = yamldoc.Mapping(
            at=place(node.at),
            entries=tuple(
                yamldoc.Entry(
                    key=moved(entry.key, place, memo),
                    value=moved(entry.value, place, memo),
                    merged=entry.merged,
                )
                for entry in node.entries
                if HOLE not in entry.name
            ),
            tag=node.tag,
            anchor=node.anchor,
        )
    else:
        made = yamldoc.Sequence(
            at=place(node.at),
            items=tuple(moved(item, place, memo) for item in node.items),
            tag=node.tag,
            anchor=node.anchor,
        )
    memo[id(node)] = made
    return made
