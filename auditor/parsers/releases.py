"""What installs a chart, and with which values: Argo CD, Flux and ``helm`` command lines.

Sources: Argo CD's ``Application`` (argoproj.io/v1alpha1, ``spec.source.helm``), Flux's
``HelmRelease`` (helm.toolkit.fluxcd.io, ``spec.chart.spec``) and ``helm install --help``.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.parsers import yamldoc
from auditor.parsers.yamldoc import Mapping, Node, Scalar, Sequence
from auditor.source import SourceText
from auditor.values import value

_ARGO = "argoproj.io/"
_FLUX = "helm.toolkit.fluxcd.io/"
# Options of `helm install` and `helm upgrade` that take no value.
_FLAGS = frozenset(
    [
        "--install",
        "-i",
        "--wait",
        "--atomic",
        "--debug",
        "--dry-run",
        "--create-namespace",
        "--force",
        "--reset-values",
        "--reuse-values",
        "--dependency-update",
        "--generate-name",
        "-g",
        "--wait-for-jobs",
        "--cleanup-on-fail",
        "--no-hooks",
        "--skip-crds",
        "--replace",
    ]
)


@value
class Release:
    """One installation, which ``source`` tells of; a command line's paths are as they are typed.

    ``values`` is what the object itself gives, ``settings`` single keys, laid over the files.
    """

    name: str
    chart: str
    files: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    values: Node | None = None
    source: str = ""
    # The chart's own values count only where they are among ``files``.
    alone: bool = False


def concerns(text: str) -> bool:
    """Whether YAML text may hold an object that installs a chart."""
    return _ARGO in text or _FLUX in text


def objects(source: SourceText) -> Iterator[Release]:
    """The installations that a manifest declares; what a template has to fill in is left out."""
    for document in yamldoc.parse(source).documents:
        if not isinstance(document, Mapping):
            continue
        kind, version = _text(document, "kind"), _text(document, "apiVersion")
        if kind == "Application" and version.startswith(_ARGO):
            yield from _application(document, source.path)
        elif kind == "HelmRelease" and version.startswith(_FLUX):
            yield from _flux(document, source.path)


def _application(document: Mapping, path: str) -> Iterator[Release]:
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return
    several = spec.get("sources")
    sources = [spec.get("source"), *(several.items if isinstance(several, Sequence) else ())]
    for source in sources:
        chart = _text(source, "path")
        if not chart or not isinstance(source, Mapping):
            continue
        files = _texts(source.get("helm", "valueFiles"))
        if files is None:
            continue
        inline = _text(source, "helm", "values")
        values = source.get("helm", "valuesObject")
        if inline and values is None:
            found = yamldoc.parse(SourceText(path, inline)).documents
            values = found[0] if found else None
        yield Release(
            name=_text(source, "helm", "releaseName") or _text(document, "metadata", "name"),
            chart=posixpath.normpath(chart),
            files=tuple(_from_argo(file, chart) for file in files),
            settings=tuple(_parameters(source.get("helm", "parameters"))),
            values=values,
            source=path,
        )


def _from_argo(file: str, chart: str) -> str:
    """A values file: beside the chart, from the root, or (``$ref/``) of another source's root."""
    if file.startswith("$"):
        return posixpath.normpath(file.partition("/")[2])
    return posixpath.normpath(file[1:] if file.startswith("/") else posixpath.join(chart, file))


def _flux(document: Mapping, path: str) -> Iterator[Release]:
    chart = _text(document, "spec", "chart", "spec", "chart")
    files = _texts(document.get("spec", "chart", "spec", "valuesFiles"))
    if not chart.startswith(("./", "charts/", "helm/")) or files is None:
        return
    yield Release(
        name=_text(document, "spec", "releaseName") or _text(document, "metadata", "name"),
        chart=posixpath.normpath(chart),
        files=tuple(posixpath.normpath(file) for file in files),
        values=document.get("spec", "values"),
        source=path,
        # Files that it names take the place of the chart's own.
        alone=bool(files),
    )


def commands(text: str, path: str) -> Iterator[Release]:
    """The ``helm install`` and ``helm upgrade`` lines of a script or document."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        found = re.search(r"\bhelm\s+(?:install|upgrade)\s+(.*)", line)
        if found is None:
            continue
        try:
            words = shlex.split(found[1].partition("&&")[0], comments=True)
        except ValueError:
            continue
        if (release := _command(words, path)) is not None:
            yield release


def _command(words: list[str], path: str) -> Release | None:
    named: list[str] = []
    files: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in ("|", ";", ">", "||"):
            break
        option, equals, given = word.partition("=")
        if not word.startswith("-"):
            named.append(word)
            continue
        if option in _FLAGS:
            continue
        if not equals:
            given = words[at] if at < len(words) else ""
            at += 1
        if option in ("-f", "--values"):
            files += given.split(",")
    if len(named) != 2 or any(sign in "".join([*named, *files]) for sign in "${<`"):
        return None
    name, chart = named
    return Release(name=name, chart=chart, files=tuple(files), source=path)


def _parameters(node: Node | None) -> Iterator[tuple[str, str]]:
    for item in node.items if isinstance(node, Sequence) else ():
        key, text = _text(item, "name"), _text(item, "value")
        if key and "[" not in key:
            yield key, text


def _text(node: Node | None, *path: str) -> str:
    found = node.get(*path) if isinstance(node, Mapping) else None
    if not isinstance(found, Scalar) or found.is_null or _is_template(found):
        return ""
    return found.text


def _is_template(node: Scalar) -> bool:
    """Whether an engine has still to fill it in, in quotes or without."""
    return node.is_template or "{{" in node.text


def _texts(node: Node | None) -> tuple[str, ...] | None:
    """The items of a list; None where a template has still to fill one in."""
    items = node.items if isinstance(node, Sequence) else ()
    if any(not isinstance(item, Scalar) or _is_template(item) for item in items):
        return None
    return tuple(item.text for item in items if isinstance(item, Scalar))
