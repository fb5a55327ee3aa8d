"""The configuration file of Ray Serve (``serve run config.yaml``)."""

from __future__ import annotations

from auditor.parsers import yamldoc
from auditor.parsers.commands import Option
from auditor.parsers.yamldoc import Mapping, Node, Scalar
from auditor.source import SourceText, Unknown
from auditor.values import value


@value
class RayServeConfig:
    """``given`` are options as on a command line: host, port and ``app`` for every application."""

    path: str
    given: tuple[Option, ...] = ()

    def options(self, env: object = None) -> tuple[Option, ...]:
        """The options; variables have no part in them."""
        return self.given


def parse(source: SourceText) -> RayServeConfig:
    """Read a configuration file. Never raises."""
    stream = yamldoc.parse(source)
    root = stream.documents[0] if stream.documents else None
    if not isinstance(root, Mapping):
        return RayServeConfig(path=source.path)
    found: list[Option] = []

    def add(name: str, node: Node | None, default: str = "") -> None:
        if isinstance(node, Scalar) and not node.is_null:
            told: str | Unknown = node.text
            if node.is_template:
                told = Unknown("a template gives it")
            found.append(Option(name=name, value=told, at=node.at, source=source.path))
        elif default:
            found.append(Option(name=name, value=default, at=root.at, source=source.path))

    # The file has defaults of its own: all interfaces, where the command line has none.
    add("host", root.get("http_options", "host"), "0.0.0.0")
    add("port", root.get("http_options", "port"), "8000")
    listed = root.get("applications")
    items = listed.items if isinstance(listed, yamldoc.Sequence) else (root,)
    for item in items:
        if not isinstance(item, Mapping):
            continue
        elsewhere = item.get("runtime_env", "working_dir")
        path = item.get("import_path")
        if isinstance(elsewhere, Scalar) and path is not None and "://" in elsewhere.text:
            reason = Unknown(f"its modules come from {elsewhere.text[:80]}")
            found.append(Option(name="app", value=reason, at=path.at, source=source.path))
        else:
            add("app", path)
    return RayServeConfig(path=source.path, given=tuple(found))
