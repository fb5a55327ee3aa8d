"""Configuration in TOML: Hypercorn and Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.parsers.serverconf.facts import (
    Expression,
    ServerConfig,
    Setting,
    literal_expression,
    unknown_expression,
)
from auditor.source import Location, Problem, SourceText


def parse_hypercorn(source: SourceText) -> ServerConfig:
    """Hypercorn's TOML configuration (``--config hypercorn.toml``)."""
    return _toml(source, "hypercorn")


def parse_streamlit(source: SourceText) -> ServerConfig:
    """``.streamlit/config.toml``; names are dotted (``server.port``)."""
    return _toml(source, "streamlit")


def _toml(source: SourceText, kind: str) -> ServerConfig:
    import tomllib

    try:
        data = tomllib.loads(source.text)
    except (ValueError, RecursionError) as error:
        problem = Problem(at=source.at(1), message=f"is not valid TOML: {error}", fatal=True)
        return ServerConfig(kind=kind, path=source.path, problems=(*source.problems, problem))
    places = _toml_places(source)
    settings: list[Setting] = []

    def walk(table: Mapping[str, Any], prefix: str, depth: int) -> None:
        for key, value in table.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict) and depth < 8:
                walk(value, name + ".", depth + 1)
                continue
            settings.append(
                Setting(name=name, value=_plain(value), at=places.get(name, source.at(1)))
            )

    walk(data, "", 0)
    return ServerConfig(
        kind=kind, path=source.path, settings=tuple(settings), problems=source.problems
    )


def _plain(value: Any) -> Expression:
    if isinstance(value, list):
        return Expression(kind="list", parts=tuple(_plain(item) for item in value))
    if isinstance(value, (str, int, float, bool)):
        return literal_expression(value)
    return unknown_expression("is not text or a number")


def _toml_places(source: SourceText) -> dict[str, Location]:
    """Where the value of each dotted key stands (keys that are written on their own line)."""
    places: dict[str, Location] = {}
    section = ""
    for number, line in enumerate(source.lines, 1):
        stripped = line.strip()
        if stripped.startswith("[") and "=" not in stripped:
            section = stripped.strip("[] \t").replace('"', "").partition("]")[0] + "."
        elif "=" in stripped and not stripped.startswith("#"):
            key = stripped.partition("=")[0].strip().strip("\"'")
            raw = line[line.index("=") + 1 :]
            start = line.index("=") + 2 + len(raw) - len(raw.lstrip())
            length = len(raw.strip())
            at = Location(source.path, number, start, number, start + length)
            places.setdefault(section + key, at)
    return places
