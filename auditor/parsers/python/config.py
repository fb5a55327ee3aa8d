"""Small configuration files (YAML, JSON, TOML, INI, .env) as abstract values."""

from __future__ import annotations

from typing import Any

from auditor.parsers.python.values import Const, Deps, DictV, ListV, Unk, V

_MAX_NODES = 5_000


def read_config(text: str, kind: str, deps: Deps) -> V:
    """The contents of a configuration file; Unknown when it cannot be read."""
    try:
        if kind == "yaml":
            import yaml

            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            data = yaml.load(text, Loader=loader)
        elif kind == "toml":
            import tomllib

            data = tomllib.loads(text)
        elif kind == "ini":
            import configparser

            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(text)
            data = {name: dict(parser[name]) for name in parser.sections()}
        elif kind == "env":
            data = read_dotenv(text)
        else:
            import json

            data = json.loads(text)
    except Exception:  # a hostile or broken file is only ever an unknown value
        return Unk("a configuration file that cannot be read", deps)
    return _abstract(data, deps, [_MAX_NODES], 0)


def _abstract(data: Any, deps: Deps, budget: list[int], depth: int) -> V:
    budget[0] -= 1
    if budget[0] < 0 or depth > 40:
        return Unk("a configuration file that is too large", deps)
    if data is None or isinstance(data, str | int | float | bool):
        return Const(data, deps)
    if isinstance(data, list):
        return ListV([_abstract(item, deps, budget, depth + 1) for item in data])
    if isinstance(data, dict):
        items: dict[Any, V] = {}
        for key, value in data.items():
            if isinstance(key, str | int | float | bool | None):
                items[key] = _abstract(value, deps, budget, depth + 1)
        return DictV(items, deps=deps)
    return Unk("a value of an unusual type", deps)


def read_dotenv(text: str) -> dict[str, str]:
    """The assignments of a ``.env`` file; those with ``${…}`` inside are left out."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        stripped = line.strip().removeprefix("export ").strip()
        name, equals, value = stripped.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or name.startswith("#"):
            continue
        if value[:1] in "\"'" and value[:1] and value.count(value[0]) >= 2:
            value = value[1 : value.index(value[0], 1)]
        else:
            value = value.partition(" #")[0].strip()
        if "${" not in value:
            found[name] = value
    return found
