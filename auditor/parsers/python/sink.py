"""Collects the facts of a run, each once, and turns abstract values into public ones."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from auditor.parsers.python import values as val
from auditor.parsers.python.facts import (
    Call,
    Dump,
    EnvRead,
    Failure,
    FileAccess,
    LogHandler,
    PathValue,
    Phase,
    ReachedImport,
    Scalar,
    Server,
    Unsure,
    Use,
    Value,
)
from auditor.parsers.python.operations import all_deps, reason_of
from auditor.parsers.python.values import Choice, Const, ListV, Obj, PathV, V, options_of
from auditor.source import Problem, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.python.interpreter import Interpreter

_SCHEMES = ("http://", "https://", "s3://", "gs://", "hf://", "models:/", "runs:/", "az://",
            "abfs://", "wasbs://", "dbfs:/", "mlflow-artifacts:/", "ftp://", "hdfs://",
            "redis://", "sqlite://", "postgresql://")  # fmt: skip
_MAX_FACTS = 5_000


class Sink:
    """The facts found so far, in the order in which the run meets them."""

    def __init__(self, run: Interpreter) -> None:
        self.run = run
        self.modules: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self.problems: dict[Problem, None] = {}
        self.unsure: dict[Unsure, None] = {}
        self.imports: dict[Any, ReachedImport] = {}
        self.env_reads: dict[Any, EnvRead] = {}
        self.files: dict[Any, FileAccess] = {}
        self.servers: dict[Any, Server] = {}
        self.calls: dict[Any, Call] = {}
        self.log_handlers: dict[Any, LogHandler] = {}
        self.created: dict[str, Phase] = {}
        self.downloaded: set[str] = set()
        self.crashes: dict[str, str] = {}
        self.failures: dict[Any, Failure] = {}
        self.uses: dict[Any, Use] = {}
        self.dumps: list[Dump] = []

    def _add(self, table: dict[Any, Any], key: Any, fact: Any) -> None:
        """Keep the earliest and surest of equal facts."""
        old = table.get(key)
        if old is None:
            if len(table) < _MAX_FACTS:
                table[key] = fact
        elif (fact.reach.phase, not fact.reach.certain) < (
            old.reach.phase,
            not old.reach.certain,
        ):
            table[key] = fact

    def add_import(self, fact: ReachedImport) -> None:
        self._add(self.imports, (fact.fact.at, fact.module), fact)

    def add_env(self, fact: EnvRead) -> None:
        reach = fact.reach
        group = reach.route if reach.phase == Phase.REQUEST else ""
        self._add(self.env_reads, (fact.at, fact.name, fact.how, group), fact)

    def add_file(self, fact: FileAccess) -> None:
        reach = fact.reach
        serving = reach.phase == Phase.REQUEST
        key = (
            fact.at,
            fact.loader,
            fact.mode,
            fact.path.resolved if isinstance(fact.path.resolved, str) else None,
            serving,
            reach.route if serving else "",
        )
        path = fact.path.resolved
        if isinstance(path, str) and fact.mode in ("write", "append", "create"):
            # A database makes its file, not the directory of it.
            mode = "write" if fact.kind == "database" else fact.mode
            if self._parent_made(path, mode):
                fact = replace(fact, created_before=True)
            self.created.setdefault(path, reach.phase)
        elif isinstance(path, str):
            if path in self.created:
                fact = replace(fact, created_before=True)
            if path in self.downloaded:
                fact = replace(fact, downloaded=True)
        self._add(self.files, key, fact)

    def _parent_made(self, path: str, mode: str) -> bool:
        parent = path.rpartition("/")[0]
        return path in self.created or (
            mode != "create"
            and any(made == parent or made.startswith(parent + "/") for made in self.created)
        )

    def add_server(self, fact: Server) -> None:
        self._add(self.servers, (fact.at, fact.tool), fact)

    def add_call(self, fact: Call) -> None:
        reach = fact.reach
        group = reach.route if reach.phase == Phase.REQUEST else ""
        self._add(self.calls, (fact.at, fact.category, fact.name, group), fact)

    def add_log_handler(self, fact: LogHandler) -> None:
        self._add(self.log_handlers, (fact.at, fact.kind), fact)

    def add_failure(self, fact: Failure) -> None:
        self._add(self.failures, (fact.at, fact.error), fact)

    def add_use(self, fact: Use) -> None:
        self._add(self.uses, (fact.at, fact.name), fact)

    # -- public values --

    def value(self, value: V | None, *, default: Scalar = None, is_default: bool = False) -> Value:
        """A public value; None stands for ``default``, not written in the source."""
        if value is None:
            return Value(value=default, is_default=True)
        if isinstance(value, Choice):
            options = tuple(self._scalar(option) for option in value.options)
            return Value(
                value=Unknown("one of several values"), choices=options, depends=self.depends(value)
            )
        return Value(
            value=self._scalar(value),
            depends=self.depends(value),
            origin=value.origin if isinstance(value, Const | PathV) else None,
            is_default=is_default,
        )

    def _scalar(self, value: V) -> Scalar | Unknown:
        if isinstance(value, Const):
            result: Scalar = value.value
            return result
        if isinstance(value, PathV):
            return value.text
        if isinstance(value, ListV) and value.items is not None:
            parts = [i.value for i in value.items if isinstance(i, Const)]
            if len(parts) == len(value.items) and all(isinstance(part, str) for part in parts):
                return " ".join(parts)
        return Unknown(reason_of(value))

    def depends(self, value: V) -> tuple[str, ...]:
        """The environment variables and configuration files that a value came through."""
        return tuple(sorted(d for d in all_deps(value) if not d.startswith("\0")))

    def path(self, value: V, *, hub: bool = False) -> PathValue:
        """A public path."""
        if isinstance(value, Obj) and value.name == "builtins.open" and value.args:
            return self.path(value.args[0])
        texts: list[str | Unknown] = []
        resolved: list[str | Unknown] = []
        base = "unknown"
        origin = None
        for option in options_of(value):
            text, full, kind = self._path(option, hub=hub)
            texts.append(text)
            if full not in resolved:
                resolved.append(full)
            if kind != "unknown":
                base = kind
            if isinstance(option, Const | PathV):
                origin = origin or option.origin
        depends = self.depends(value)
        if len(resolved) == 1:
            text = texts[0] if len(set(texts)) == 1 else Unknown("one of several spellings")
            return PathValue(
                text=text, resolved=resolved[0], base=base, depends=depends, origin=origin
            )
        return PathValue(
            text=Unknown("one of several paths"),
            resolved=Unknown("one of several paths"),
            base=base,
            choices=tuple(resolved),
            depends=depends,
            origin=origin,
        )

    def _path(self, value: V, *, hub: bool) -> tuple[str | Unknown, str | Unknown, str]:
        if isinstance(value, PathV):
            text, deps = value.text, value.deps
        elif isinstance(value, Const) and isinstance(value.value, str):
            text, deps = value.value, value.deps
        elif isinstance(value, Const) and isinstance(value.value, bytes):
            text, deps = value.value.decode("utf-8", "replace"), value.deps
        elif isinstance(value, Const):
            reason = Unknown(f"is {value.value!r}, no path")
            return reason, reason, "unknown"
        else:
            unknown = Unknown(reason_of(value))
            return unknown, unknown, "unknown"
        if text.lower().startswith(_SCHEMES):
            if text.startswith("sqlite:///"):
                text = text.removeprefix("sqlite:///")
            else:
                return text, Unknown("is a URL"), "url"
        full = self.run.absolute(text) if text else Unknown("is an empty path")
        if hub and not text.startswith(("/", "./", "../", "~")) and val.FROM_FILE not in deps:
            there = isinstance(full, str) and self.run.program.exists(full)
            if not there and text.count("/") <= 1:
                return text, Unknown("is the name of a model on a hub, or a relative path"), "hub"
        for marker, kind in (
            (val.FROM_FILE, "file"),
            (val.FROM_TEMP, "temp"),
            (val.FROM_HOME, "home"),
            (val.FROM_CWD, "cwd"),
        ):
            if marker in deps:
                return text, full, kind
        return text, full, "absolute" if text.startswith("/") else "cwd"


def mentions(node: ast.AST) -> tuple[str, ...]:
    """Identifiers and short texts in the arguments of a call, in order, without repeats."""
    found: dict[str, None] = {}
    if not isinstance(node, ast.Call):
        return ()
    parts: list[ast.AST] = [*node.args, *(keyword.value for keyword in node.keywords)]
    while parts and len(found) < 40:
        part = parts.pop(0)
        if isinstance(part, ast.Name):
            found.setdefault(part.id)
        elif isinstance(part, ast.Attribute):
            found.setdefault(part.attr)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            for word in part.value.replace("=", " ").replace(":", " ").split()[:12]:
                if word.isidentifier():
                    found.setdefault(word)
        parts.extend(ast.iter_child_nodes(part))
    return tuple(found)
