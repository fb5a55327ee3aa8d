"""Paths and files: ``pathlib``, ``os.path``, ``glob`` and ``open`` over the repository."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from auditor.parsers.python import values as val
from auditor.parsers.python.operations import over, path_text, unknown_from
from auditor.parsers.python.sites import Site
from auditor.parsers.python.values import (
    Choice,
    Const,
    Ext,
    Found,
    ListV,
    Obj,
    PathV,
    Unk,
    V,
    deps_of,
    join,
)

if TYPE_CHECKING:
    pass

from auditor.parsers.python.configured import ConfiguredModels

_PATH_TESTS = frozenset({"exists", "is_file", "is_dir", "isfile", "isdir"})


class PathModels(ConfiguredModels):
    """The part of the models that knows paths."""

    def path_attribute(self, owner: PathV, name: str) -> V:
        pure = PurePosixPath(owner.text)
        if name == "parent":
            return PathV(str(pure.parent), owner.deps, owner.origin)
        if name in ("name", "stem", "suffix", "root", "anchor"):
            return Const(getattr(pure, name), owner.deps)
        if name == "parents":
            return ListV([PathV(str(p), owner.deps, owner.origin) for p in pure.parents], "tuple")
        if name == "parts":
            return ListV([Const(part, owner.deps) for part in pure.parts], "tuple")
        if name == "suffixes":
            return ListV([Const(part, owner.deps) for part in pure.suffixes])
        return Ext(f"pathlib.Path.{name}", owner)

    def exists_test(self, test: ast.expr) -> tuple[V, bool, ast.expr] | None:
        """(path, whether true means present, the call) when a condition asks for a path."""
        positive = True
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            positive = not positive
            test = test.operand
        if isinstance(test, ast.BoolOp):
            for part in test.values:
                found = self.exists_test(part)
                if found is not None:
                    return found[0], found[1] == positive, found[2]
            return None
        if isinstance(test, ast.Name):
            return None
        path = self.exists_calls.get(id(test))
        return None if path is None else (path, positive, test)

    def required_paths(
        self,
        exists: tuple[V, bool, ast.expr],
        node: ast.If,
        body: int,
        known_truth: bool | None,
        other: int = 1,
    ) -> None:
        """``if not exists(p): raise``: the path is required although nothing opens it there."""
        missing = other if exists[1] else body
        if known_truth is not None or missing & 1 or not missing & 4 or missing & 2:
            return
        self.require_path(exists, node.test)

    def require_path(self, exists: tuple[V, bool, ast.expr], node: ast.AST) -> None:
        site = Site("os.path.exists", None, [], {}, exists[2])
        self.file(site, exists[0], "exists", "file")

    def file_method(self, owner: V, attr: str, site: Site) -> V | None:
        if attr in ("read", "readlines", "readline") and isinstance(owner, Obj) and owner.args:
            text = self.text_of_file(owner)
            if text is None and attr == "read" and not site.args:
                return Obj("file.bytes", [owner])
            if text is None or site.args:
                return Unk("the contents of a file")
            if attr == "read":
                return text
            if attr == "readlines" and isinstance(text, Const):
                lines = text.value.splitlines(keepends=True)
                if len(lines) <= val.MAX_ITEMS:
                    return ListV([Const(line, text.deps) for line in lines])
        return None

    def path_method(self, site: Site, owner: PathV, attr: str) -> V:
        """A method of a known path."""
        pure = PurePosixPath(owner.text)
        deps = owner.deps

        def derived(make: Callable[[], PurePosixPath]) -> V:
            try:
                return PathV(str(make()), deps, owner.origin)
            except (ValueError, TypeError):
                return Unk("raises ValueError", deps)

        texts: list[str] | None = []
        more = deps
        for argument in site.args:
            if isinstance(argument, Choice):
                position = site.args.index(argument)
                return join(
                    *(
                        self.path_method(
                            Site(
                                site.name,
                                owner,
                                [*site.args[:position], option, *site.args[position + 1 :]],
                                site.kwargs,
                                site.node,
                            ),
                            owner,
                            attr,
                        )
                        for option in argument.options
                    )
                )
            more |= deps_of(argument)
            if isinstance(argument, Const) and isinstance(argument.value, str):
                if texts is not None:
                    texts.append(argument.value)
            elif isinstance(argument, PathV):
                if texts is not None:
                    texts.append(argument.text)
            else:
                texts = None
        deps = more
        if attr == "joinpath":
            return (
                derived(lambda: pure.joinpath(*texts))
                if texts is not None
                else unknown_from(*site.args)
            )
        if attr in ("with_name", "with_suffix", "with_stem", "relative_to"):
            if texts is None or len(texts) != 1:
                return unknown_from(*site.args)
            return derived(lambda: getattr(pure, attr)(*texts))
        if attr in ("resolve", "absolute"):
            return self.resolved(owner, normal=attr == "resolve")
        if attr == "expanduser":
            return self.expand_user(owner)
        if attr in ("as_posix", "__str__", "__fspath__"):
            return Const(owner.text, deps, owner.origin)
        if attr == "is_absolute":
            return Const(pure.is_absolute(), deps)
        if attr in _PATH_TESTS:
            return self.path_exists(owner, site)
        kind, mode = {
            "open": ("file", "read"),
            "read_text": ("file", "read"),
            "read_bytes": ("file", "read"),
            "write_text": ("file", "write"),
            "write_bytes": ("file", "write"),
            "mkdir": ("directory", "create"),
            "touch": ("file", "create"),
            "unlink": ("file", "delete"),
            "rmdir": ("directory", "delete"),
            "iterdir": ("directory", "list"),
            "stat": ("file", "read"),
        }.get(attr, ("", ""))
        if attr == "open":
            return self.open(site, owner, site.get(0, "mode"), f"pathlib.Path.{attr}")
        if mode:
            exist_ok = site.kwargs.get("exist_ok") or site.kwargs.get("missing_ok")
            missing_ok = isinstance(exist_ok, Const) and bool(exist_ok.value)
            self.file(site, owner, mode, kind, loader=f"pathlib.Path.{attr}", missing_ok=missing_ok)
        if attr == "read_text":
            return self.text_of_file(owner) or Unk("the contents of a file")
        if attr == "read_bytes":
            return Obj("file.bytes", [owner])
        if attr == "glob" and site.args:
            pattern = site.args[0]
            if isinstance(pattern, Const) and isinstance(pattern.value, str):
                return self.search(owner, posixpath.join(owner.text, pattern.value))
        if attr in ("glob", "rglob", "iterdir"):
            return ListV(None)
        return Unk(f"Path.{attr}() is not followed", deps)

    def search(self, start: V, pattern: str) -> V:
        """What a pattern matches, when every name in its directory is known."""
        run = self.run
        folder, _, last = pattern.rpartition("/")
        if any(char in folder for char in "*?[") or "**" in last or not last:
            return ListV(None)
        full = run.absolute(folder or ".")
        if not isinstance(full, str) or any(
            made == full or made.startswith(f"{full}/") for made in run.sink.created
        ):
            return ListV(None)
        names = run.program.names(full)
        if names is None:
            return ListV(None)
        from fnmatch import fnmatchcase

        matched = sorted(
            name
            for name in names
            if fnmatchcase(name, last) and (last.startswith(".") or not name.startswith("."))
        )
        if len(matched) > 1:
            return ListV(None)  # in which order is the file system's business
        deps = deps_of(start)
        place = f"{folder}/" if folder else ""
        items: list[V] = [
            PathV(path_text(place + name), deps)
            if isinstance(start, PathV)
            else Const(place + name, deps)
            for name in matched
        ]
        return Found(items, pattern)

    def resolved(self, owner: PathV, *, normal: bool) -> V:
        text, deps = owner.text, owner.deps
        if not text.startswith("/"):
            if not isinstance(self.run.cwd, str):
                return Unk(self.run.cwd.reason, deps)
            text = posixpath.join(self.run.cwd, text)
            deps |= {val.FROM_CWD}
        return PathV(path_text(posixpath.normpath(text) if normal else text), deps, owner.origin)

    def expand_user(self, owner: V) -> V:
        text = owner.text if isinstance(owner, PathV) else owner.value  # type: ignore[attr-defined]
        if not isinstance(text, str) or not text.startswith("~"):
            return owner
        head, slash, tail = text.partition("/")
        home = self.run.env.get("HOME", self.run.program.home)
        if head != "~" or not isinstance(home, str):
            return Unk("a home directory that is not known", deps_of(owner))
        deps = deps_of(owner) | {val.FROM_HOME}
        expanded = home.rstrip("/") + slash + tail or "/"
        if isinstance(owner, PathV):
            return PathV(path_text(expanded), deps, owner.origin)
        return Const(expanded, deps)

    def path_exists(self, path: V, site: Site) -> V:
        """``exists`` and its kin; true where the image surely has it."""
        self.exists_calls[id(site.node)] = path
        full = self.run.sink.path(path).resolved
        if isinstance(full, str):
            if self.run.program.exists(full):
                return Const(True, deps_of(path))
            if full in self.run.sink.created and not self.run.guards:
                return Unk("a file that the run makes", deps_of(path))
        return Unk("whether a path exists", deps_of(path))

    def open(self, site: Site, path: V, mode: V | None, loader: str) -> V:
        """``open`` in any of its spellings."""
        text = "r"
        if mode is not None:
            text = mode.value if isinstance(mode, Const) and isinstance(mode.value, str) else "?"
        kind = "read"
        if text == "?":
            kind = "read"
        elif text[:1] in ("w", "x") or "w" in text:
            kind = "write"
        elif "a" in text:
            kind = "append"
        self.file(site, path, kind, "file", loader=loader)
        return Obj("builtins.open", [path], {"mode": Const(text)}, self.run.at(site.node))

    def os_path(self, attr: str, site: Site) -> V:
        """``os.path`` functions."""
        args = [self.as_text(a) for a in site.args]
        if any(isinstance(a, Choice) for a in args):
            return over(
                lambda *one: self.os_path(
                    attr, Site(site.name, None, list(one), site.kwargs, site.node)
                ),
                *args,
            )
        if attr in ("exists", "isfile", "isdir", "lexists") and args:
            return self.path_exists(args[0], site)
        if attr == "expanduser" and args and isinstance(args[0], Const):
            return self.expand_user(args[0])
        if attr == "expandvars" and args and isinstance(args[0], Const):
            return Unk("expandvars() is not followed") if "$" in str(args[0].value) else args[0]
        for argument in args:
            if isinstance(argument, Const) and argument.value is None:
                self.crash(argument, f"os.path.{attr}(None) raises TypeError")
        if (
            site.loose
            or not args
            or not all(isinstance(a, Const) and isinstance(a.value, str) for a in args)
        ):
            return unknown_from(*args) if args else Unk(f"os.path.{attr}() is not followed")
        texts = [a.value for a in args if isinstance(a, Const)]
        deps = frozenset().union(*map(deps_of, args))
        origin = next((a.origin for a in reversed(args) if isinstance(a, Const) and a.origin), None)
        if attr in ("abspath", "realpath"):
            if not texts[0].startswith("/"):
                if not isinstance(self.run.cwd, str):
                    return Unk(self.run.cwd.reason, deps)
                deps |= {val.FROM_CWD}
                return Const(
                    posixpath.normpath(posixpath.join(self.run.cwd, texts[0])), deps, origin
                )
            return Const(posixpath.normpath(texts[0]), deps, origin)
        if attr in ("join", "dirname", "basename", "normpath", "normcase", "isabs", "commonpath"):
            try:
                return Const(getattr(posixpath, attr)(*texts), deps, origin)
            except (TypeError, ValueError):
                return Unk(f"os.path.{attr}() raises", deps)
        if attr in ("split", "splitext"):
            parts = getattr(posixpath, attr)(texts[0])
            return ListV([Const(part, deps) for part in parts], "tuple")
        if attr == "relpath" and isinstance(self.run.cwd, str) and all(texts):
            full = [posixpath.normpath(posixpath.join(self.run.cwd, t)) for t in texts]
            base = full[1] if len(full) > 1 else self.run.cwd
            return Const(posixpath.relpath(full[0], base), deps | {val.FROM_CWD})
        return Unk(f"os.path.{attr}() is not followed", deps)

    def as_text(self, value: V) -> V:
        """A path as the text that ``os.fspath`` gives."""
        if isinstance(value, PathV):
            return Const(value.text, value.deps, value.origin)
        if isinstance(value, Choice):
            return Choice(tuple(self.as_text(option) for option in value.options))
        return value
