"""Files to one merged tree: interpolation, canonical forms, extends, include, merge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from auditor.parsers import dotenv, yamldoc
from auditor.parsers.compose.facts import ComposeFileUse, ComposePort, ProjectFiles, VariableUse
from auditor.parsers.compose.items import long_volume, parse_port, port_range, short_volume
from auditor.parsers.compose.tree import (
    Items,
    Scalar,
    Table,
    Tree,
    Typed,
    first_document,
    host_path,
    plain_text,
    text_or_unknown,
    words_of,
)
from auditor.parsers.dotenv import HOLE, DotenvFacts, Lookup, interpolate
from auditor.source import Location, Problem, SourceText, Unknown

_KEY_VALUE = frozenset(("environment", "labels", "sysctls", "annotations", "extra_hosts"))
_STRING_LISTS = frozenset(("dns", "dns_search", "tmpfs", "label_file"))
# Lists whose items are kept once.
_UNIQUE = words_of(
    "expose dns dns_search tmpfs env_file security_opt cap_add cap_drop external_links links "
    "profiles group_add label_file dns_opt devices volumes_from"
)
_REPLACED = frozenset(("command", "entrypoint", "test"))
_MAX_WORK = 300_000
_MAX_FILES = 100


class Loader:
    """Files to one merged tree: interpolation, canonical forms, extends, include, merge."""

    def __init__(
        self, project: ProjectFiles, directory: str, env_files: Sequence[str] = ()
    ) -> None:
        self.files = project
        self.problems: list[Problem] = []
        self.refused: list[Problem] = []
        self.uses: list[VariableUse] = []
        self.others: list[str] = []
        self.taken: list[str] = []
        self.work = 0
        self.parsed: dict[tuple[str, str], Table | None] = {}
        self.reading: set[tuple[str, str]] = set()
        self.dotenvs: dict[str, DotenvFacts] = {}
        self.ignored_env = False
        self.env = self.dotenv_values(directory, [".env", *env_files], {})

    def problem(self, at: Location, message: str, fatal: bool = False) -> None:
        if len(self.problems) < 200:
            self.problems.append(Problem(at=at, message=message, fatal=fatal))

    def refuse(self, at: Location, message: str) -> None:
        """A value of a type that Compose's schema does not admit."""
        if len(self.refused) < 50:
            self.refused.append(Problem(at=at, message=message))
        self.problem(at, message)

    def other(self, path: str) -> None:
        if path not in self.others:
            self.others.append(path)

    def dotenv_values(
        self, base: str, names: Sequence[str], outer: dict[str, str | Unknown | None]
    ) -> dict[str, str | Unknown | None]:
        values: dict[str, str | Unknown | None] = {}
        for name in names:
            path = host_path(base, name)
            if path is None:
                continue
            if self.files.is_file(path):
                self.other(path)
                facts = self.dotenv(path, lambda n: outer.get(n))
                values.update(facts.values())
            elif self.files.ignored_exists(path):
                self.ignored_env = True
        values.update({k: v for k, v in outer.items() if v is not None})
        return values

    def dotenv(self, path: str, lookup: Lookup) -> DotenvFacts:
        known = self.dotenvs.get(path)
        if known is None:
            known = dotenv.parse(self.files.read_text(path), lookup=lookup)
            self.dotenvs[path] = known
            self.problems += known.problems
        return known

    # -- reading one file --

    def load_all(
        self, sources: Sequence[SourceText], base: str, env: dict[str, str | Unknown | None]
    ) -> Table:
        merged: Table | None = None
        for source in sources:
            model = self.load_file(source, base, env)
            if model is not None:
                merged = model if merged is None else self.merge_top(merged, model)
        return merged or Table(Location(sources[0].path if sources else "."), base)

    def load_file(
        self, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> Table | None:
        """The file's model with ``extends`` and ``include`` carried out; None when it is none."""
        key = (source.path, base)
        if key in self.parsed:
            return self.parsed[key]
        if key in self.reading:
            self.problem(Location(source.path), "includes itself", True)
            return None
        if len(self.reading) + len(self.parsed) > _MAX_FILES:
            self.problem(Location(source.path), f"more than {_MAX_FILES} files take part", True)
            return None
        self.reading.add(key)
        raw = self.raw_model(source, base, env)
        model = None if raw is None else self.finish(raw, source, base, env)
        self.reading.discard(key)
        self.parsed[key] = model
        return model

    def raw_model(
        self, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> Table | None:
        stream = yamldoc.parse(source)
        self.problems += stream.problems[:50]
        if stream.template and not isinstance(first_document(stream), yamldoc.Mapping):
            return None
        if len(stream.documents) > 1:
            at = stream.documents[1].at
            self.problem(at, "a Compose file is one YAML document; the further ones are not read")
        document = first_document(stream)
        where = Location(source.path)
        if document is None or (isinstance(document, yamldoc.Scalar) and document.is_null):
            if not any(p.fatal for p in stream.problems):
                self.problem(where, "is empty", True)
            return None
        if not isinstance(document, yamldoc.Mapping):
            self.problem(where, "is no Compose file: its top level is no mapping", True)
            return None
        known = ("services", "include", "volumes", "networks", "secrets", "configs", "name")
        if not any(document.entry(name) for name in known):
            legacy = any(
                isinstance(e.value, yamldoc.Mapping)
                and (e.value.entry("image") or e.value.entry("build"))
                for e in document.entries
            )
            message = (
                "has no 'services': the first file format, which Compose no longer reads"
                if legacy
                else "is no Compose file: it has no 'services'"
            )
            self.problem(where, message, True)
            return None
        converted = self.convert(document, base, env, {})
        return converted if isinstance(converted, Table) else None

    def convert(
        self,
        node: yamldoc.Node,
        base: str,
        env: dict[str, str | Unknown | None],
        memo: dict[int, Tree],
    ) -> Tree:
        """Interpolate every scalar; shared nodes stay shared. Depth is bounded by the parser."""
        known = memo.get(id(node))
        if known is not None:
            return known
        result: Tree
        if isinstance(node, yamldoc.Scalar):
            result = self.scalar(node, base, env)
        elif isinstance(node, yamldoc.Mapping):
            result = Table(
                node.at,
                base,
                {
                    entry.name: (entry.at, self.convert(entry.value, base, env, memo))
                    for entry in node.entries
                },
                node.tag,
            )
        else:
            items = [self.convert(item, base, env, memo) for item in node.items]
            result = Items(node.at, base, items, node.tag)
        memo[id(node)] = result
        return result

    def scalar(
        self, node: yamldoc.Scalar, base: str, env: dict[str, str | Unknown | None]
    ) -> Scalar:
        if node.is_null:
            return Scalar("", node.at, base, null=True, tag=node.tag)
        if node.style == "template":
            return Scalar(HOLE, node.at, base, raw=node.text, blank="", tag=node.tag)
        if "$" not in node.text:
            return Scalar(node.text, node.at, base, tag=node.tag, style=node.style)
        result = interpolate(node.text, lambda name: env.get(name))
        if result.error:
            self.problem(node.at, f"invalid interpolation: {result.error}")
        for use in result.uses:
            at = node.at
            if node.style == "plain" and use.start >= 0 and at.line == at.end_line:
                at = at.within(start=use.start, length=len(use.name) + 1)
            if len(self.uses) < 10_000:
                self.uses.append(
                    VariableUse(
                        name=use.name,
                        at=at,
                        source=use.source,
                        default=use.default,
                        error=use.error,
                    )
                )
        style = node.style if result.text == node.text else "changed"
        return Scalar(
            result.text, node.at, base, raw=node.text, blank=result.blank, tag=node.tag, style=style
        )

    # -- canonical forms, extends, include --

    def finish(
        self, model: Table, source: SourceText, base: str, env: dict[str, str | Unknown | None]
    ) -> Table:
        services = model.get("services")
        if isinstance(services, Table):
            done: dict[str, Table | None] = {}
            canonical = {
                name: (at, self.canonical_service(value, name))
                for name, (at, value) in services.items.items()
                if not name.startswith("x-")
            }
            for name in canonical:
                self.extended(name, canonical, done, source, base, env, 0)
            items: dict[str, tuple[Location, Tree]] = {}
            for name, (at, value) in canonical.items():
                final = done.get(name)
                items[name] = (at, value if final is None else final)
            model.items["services"] = (
                model.items["services"][0],
                Table(services.at, base, items, services.tag),
            )
        elif services is not None and not (isinstance(services, Scalar) and services.null):
            self.problem(services.at, "'services' must be a mapping of names to services")
            del model.items["services"]
        include = model.get("include")
        if isinstance(include, Items):
            merged: Table | None = None
            for item in include.items:
                included = self.included(item, base, env)
                if included is not None:
                    merged = included if merged is None else self.merge_top(merged, included)
            del model.items["include"]
            if merged is not None:
                self.report_conflicts(merged, model)
                model = self.merge_top(merged, model)
        return model

    def report_conflicts(self, included: Table, own: Table) -> None:
        theirs, ours = included.get("services"), own.get("services")
        if isinstance(theirs, Table) and isinstance(ours, Table):
            for name, (at, _) in ours.items.items():
                if name in theirs.items:
                    message = f"service {name!r} is also defined by an included file"
                    self.problem(at, message)

    def included(self, item: Tree, base: str, env: dict[str, str | Unknown | None]) -> Table | None:
        paths: list[Tree] = [item]
        project_directory: str | None = None
        env_files: list[str] | None = None
        if isinstance(item, Table):
            value = item.get("path")
            paths = value.items if isinstance(value, Items) else [value] if value else []
            directory = item.get("project_directory")
            if isinstance(directory, Scalar) and not directory.null:
                project_directory = host_path(base, directory.text)
                if project_directory is None:
                    self.problem(directory.at, "include leaves the repository or is unknown")
                    return None
            files = item.get("env_file")
            listed = files.items if isinstance(files, Items) else [files] if files else []
            if listed:
                env_files = [f.text for f in listed if isinstance(f, Scalar)]
        sources: list[SourceText] = []
        for path in paths:
            if not isinstance(path, Scalar) or path.null:
                self.problem(item.at, "include needs paths")
                return None
            source = self.other_source(path, base, "included file")
            if source is None:
                return None
            sources.append(source)
        if not sources:
            return None
        self.taken += [source.path for source in sources]
        if project_directory is None:
            project_directory = sources[0].path.rpartition("/")[0]
        if env_files is None:
            inner = self.dotenv_values(project_directory, [".env"], env)
        else:
            inner = self.dotenv_values(base, env_files, env)
        return self.load_all(sources, project_directory, inner)

    def other_source(self, path: Scalar, base: str, what: str) -> SourceText | None:
        resolved = host_path(base, path.text)
        if resolved is None:
            self.problem(path.at, f"{what} {path.raw!r} lies outside the repository or is unknown")
            return None
        if not self.files.is_file(resolved):
            why = ", git ignores it" if self.files.ignored_exists(resolved) else ""
            self.problem(path.at, f"{what} {resolved!r} is not in the repository{why}", True)
            return None
        self.other(resolved)
        return self.files.read_text(resolved)

    def extended(
        self,
        name: str,
        services: dict[str, tuple[Location, Tree]],
        done: dict[str, Table | None],
        source: SourceText,
        base: str,
        env: dict[str, str | Unknown | None],
        depth: int,
    ) -> Table | None:
        if name in done:
            return done[name]
        found = services.get(name)
        value = found[1] if found else None
        if not isinstance(value, Table):
            return None
        extends = value.get("extends")
        done[name] = None
        result = value
        if extends is not None:
            wanted = extends if isinstance(extends, Scalar) else None
            file: Tree | None = None
            if isinstance(extends, Table):
                service = extends.get("service")
                wanted = service if isinstance(service, Scalar) else None
                file = extends.get("file")
            parent: Table | None = None
            if wanted is None or wanted.null or HOLE in wanted.text:
                self.problem(extends.at, "extends names no service")
            elif depth > 50:
                self.problem(extends.at, "extends is nested deeper than 50 levels", True)
            elif isinstance(file, Scalar) and not file.null:
                parent = self.extended_elsewhere(wanted, file, base, env)
            elif wanted.text in done and done[wanted.text] is None and wanted.text in services:
                self.problem(extends.at, f"extends goes round in a circle at {wanted.text!r}", True)
            else:
                parent = self.extended(wanted.text, services, done, source, base, env, depth + 1)
                if parent is None and wanted.text not in services:
                    self.problem(
                        wanted.at, f"extends {wanted.text!r}, which is no service here", True
                    )
            if parent is not None:
                merged = self.merge(parent, value, "", 0)
                result = merged if isinstance(merged, Table) else value
            items = {key: item for key, item in result.items.items() if key != "extends"}
            result = Table(value.at, base, items, value.tag)
        done[name] = result
        return result

    def extended_elsewhere(
        self, wanted: Scalar, file: Scalar, base: str, env: dict[str, str | Unknown | None]
    ) -> Table | None:
        source = self.other_source(file, base, "extended file")
        if source is None:
            return None
        model = self.load_file(source, source.path.rpartition("/")[0], env)
        services = model.get("services") if model is not None else None
        service = services.get(wanted.text) if isinstance(services, Table) else None
        if not isinstance(service, Table):
            self.problem(wanted.at, f"extends {wanted.text!r}, which {source.path!r} lacks", True)
            return None
        return service

    def canonical_service(self, value: Tree, name: str) -> Tree:
        if not isinstance(value, Table):
            if not (isinstance(value, Scalar) and value.null):
                self.refuse(value.at, f"service {name!r} is no mapping")
            return value
        items: dict[str, tuple[Location, Tree]] = {}
        for key, (at, item) in value.items.items():
            items[key] = (at, self.canonical(key, item))
        return Table(value.at, value.base, items, value.tag)

    def canonical(self, key: str, value: Tree) -> Tree:
        """The long form of a service's key. Tags stay, since merging needs them."""
        if isinstance(value, Scalar) and value.null:
            return value
        if key in _KEY_VALUE:
            return self.key_values(value, ":" if key == "extra_hosts" else "=")
        if key == "build":
            if isinstance(value, Scalar):
                return Table(value.at, value.base, {"context": (value.at, value)}, value.tag)
            if isinstance(value, Table):
                return self.with_key_values(value, ("args", "labels", "additional_contexts"))
        if key == "deploy" and isinstance(value, Table):
            return self.with_key_values(value, ("labels",))
        if key in _STRING_LISTS and isinstance(value, Scalar):
            return Items(value.at, value.base, [value], value.tag)
        if key == "env_file":
            listed = value.items if isinstance(value, Items) else [value]
            items: list[Tree] = [
                Table(i.at, i.base, {"path": (i.at, i)}) if isinstance(i, Scalar) else i
                for i in listed
            ]
            return Items(value.at, value.base, items, value.tag)
        if key in ("depends_on", "networks") and isinstance(value, Items):
            names: dict[str, tuple[Location, Tree]] = {}
            for item in value.items:
                if isinstance(item, Scalar):
                    names[item.text] = (item.at, Scalar("", item.at, item.base, null=True))
            return Table(value.at, value.base, names, value.tag)
        if key in ("ports", "expose") and isinstance(value, Scalar):
            if value.text != HOLE:
                self.refuse(value.at, f"{key!r} must be a list")
            value = Items(value.at, value.base, [value], value.tag)
        if isinstance(value, Items):
            typed: Callable[[Tree], Any] | None = {
                "ports": self.port,
                "volumes": self.volume,
                "secrets": self.file_use,
                "configs": self.file_use,
            }.get(key)
            if typed is not None:
                out: list[Tree] = []
                for item in value.items:
                    made = typed(item)
                    if made is not None:
                        out.append(made)
                return Items(value.at, value.base, _unified(out, key), value.tag)
        elif key in ("ports", "volumes"):
            self.refuse(value.at, f"{key!r} must be a list")
            return Items(value.at, value.base, [], value.tag)
        return value

    def with_key_values(self, value: Table, keys: Iterable[str]) -> Table:
        items = dict(value.items)
        for key in keys:
            found = items.get(key)
            if found is not None and isinstance(found[1], Items):
                items[key] = (found[0], self.key_values(found[1], "="))
        return Table(value.at, value.base, items, value.tag)

    def key_values(self, value: Tree, separator: str) -> Tree:
        if not isinstance(value, Items):
            return value
        items: dict[str, tuple[Location, Tree]] = {}
        for item in value.items:
            if isinstance(item, Table) and separator == "=":
                name = next(iter(item.items), "")
                self.refuse(item.at, f"`{name}: …` is a mapping where `{name}=…` is wanted")
            if not isinstance(item, Scalar) or item.null:
                continue
            name, found, text = item.text.partition(separator)
            if separator == ":" and "=" in item.text.partition(":")[0]:
                name, found, text = item.text.partition("=")
                separator = "="
            _, _, raw = item.raw.partition(separator)
            _, _, blank = item.blank.partition(separator)
            items[name] = (
                item.at,
                Scalar(
                    text, item.at, item.base, raw=raw, blank=blank, null=not found, style="changed"
                ),
            )
        return Table(value.at, value.base, items, value.tag)

    # -- items typed before merging --

    def port(self, item: Tree) -> Typed | None:
        port: ComposePort | None
        if isinstance(item, Scalar):
            port = parse_port(item.text, item.at, raw=item.raw)
            if port is None:
                self.problem(item.at, f"{item.raw!r} is no port mapping")
                return None
        elif isinstance(item, Table):
            target = port_range(plain_text(item.get("target")))
            if target is None:
                self.problem(item.at, "a port's target is no port number")
                return None
            published_text = plain_text(item.get("published"))
            published = port_range(published_text) if published_text else None
            if published_text and published is None:
                self.problem(item.at, f"{published_text!r} is no port number")
                return None
            port = ComposePort(
                at=item.at,
                target=target,
                published=published,
                host_ip=text_or_unknown(item.get("host_ip")),
                protocol=text_or_unknown(item.get("protocol")) or "tcp",
                mode=plain_text(item.get("mode")) or "ingress",
            )
        else:
            return None
        key = f"{port.host_ip}:{port.published}:{port.target}/{port.protocol}"
        return Typed(port, key, item.at, item.base)

    def volume(self, item: Tree) -> Typed | None:
        if isinstance(item, Scalar):
            made = short_volume(item)
        elif isinstance(item, Table):
            made = long_volume(item)
        else:
            return None
        if made is None:
            self.problem(item.at, "is no volume")
            return None
        return Typed(made, str(made.target).rstrip("/") or "/", item.at, item.base)

    def file_use(self, item: Tree) -> Typed | None:
        if isinstance(item, Scalar):
            use = ComposeFileUse(source=item.text, at=item.at, target=f"/run/secrets/{item.text}")
        elif isinstance(item, Table):
            source = plain_text(item.get("source"))
            target = text_or_unknown(item.get("target")) or source
            if isinstance(target, str) and not target.startswith("/"):
                target = f"/run/secrets/{target}"
            use = ComposeFileUse(source=source, at=item.at, target=target)
        else:
            return None
        return Typed(use, f"{use.source}:{use.target}", item.at, item.base)

    # -- merging --

    def merge_top(self, base: Table, over: Table) -> Table:
        items = dict(base.items)
        for section, (at, value) in over.items.items():
            before = items.get(section)
            if section.startswith("x-") or before is None or not isinstance(value, Table):
                if not (isinstance(value, Scalar) and value.null and before is not None):
                    items[section] = (at, value)
                continue
            old = before[1]
            if not isinstance(old, Table):
                items[section] = (at, value)
                continue
            merged = dict(old.items)
            for name, (key_at, item) in value.items.items():
                known = merged.get(name)
                if item.tag == "!reset":
                    merged.pop(name, None)
                elif known is None:
                    merged[name] = (key_at, item)
                else:
                    merged[name] = (known[0], self.merge(known[1], item, "", 0))
            items[section] = (before[0], Table(old.at, old.base, merged))
        return Table(base.at, base.base, items)

    def merge(self, base: Tree, over: Tree, key: str, depth: int) -> Tree:
        """``over`` laid over ``base``; ``key`` is the name under which both stand."""
        self.work += 1
        if over.tag == "!override" or depth > 12 or self.work > _MAX_WORK:
            return over
        if isinstance(over, Scalar) and over.null and not isinstance(base, Scalar):
            # "key:" without a value changes nothing, except where null itself says something.
            return over if key in _REPLACED else base
        if key in _REPLACED:
            return over
        if isinstance(base, Table) and isinstance(over, Table):
            if key == "logging":
                old, new = plain_text(base.get("driver")), plain_text(over.get("driver"))
                if old and new and old != new:
                    return over
            items = dict(base.items)
            self.work += len(over.items)
            for name, (at, value) in over.items.items():
                before = items.get(name)
                if value.tag == "!reset":
                    items.pop(name, None)
                elif before is None or name.startswith("x-"):
                    items[name] = (at, value)
                else:
                    merged = self.merge(before[1], value, name, depth + 1)
                    items[name] = (at if merged is value else before[0], merged)
            return Table(over.at, over.base, items)
        if isinstance(base, Items) and isinstance(over, Items):
            self.work += len(base.items) + len(over.items)
            if self.work > _MAX_WORK:
                return over
            return Items(over.at, over.base, _unified([*base.items, *over.items], key))
        return over


def _unified(items: list[Tree], key: str) -> list[Tree]:
    """Items once each: a later one takes the place of the same one before it."""
    out: dict[str, Tree] = {}
    for position, item in enumerate(items):
        if isinstance(item, Typed):
            out[item.key] = item
        elif key in _UNIQUE and isinstance(item, Scalar):
            out.setdefault(item.text, item)
        elif key == "env_file" and isinstance(item, Table):
            name = plain_text(item.get("path"))
            out.pop(name, None)
            out[name] = item
        else:
            out[f"\n{position}"] = item
    return list(out.values())
