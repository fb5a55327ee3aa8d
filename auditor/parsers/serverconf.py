"""Configuration files of servers and process managers, as settings with exact locations.

Python ones (``gunicorn.conf.py``) are read through ``ast`` and never run: an expression that
depends on the environment stays an :class:`Expression` that can be expanded with one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from auditor.parsers.commands.facts import Bind, Option
from auditor.parsers.shell import parse, split
from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Arg, Script
from auditor.source import Fragment, Location, Problem, SourceText, Unknown
from auditor.values import replace, value

_DEPTH = 60

Expanded: TypeAlias = "str | Unknown | tuple[str | Unknown, ...]"


@value
class Expression:
    """A value that may depend on the environment.

    ``literal``: ``text``. ``env``: the variable ``text``, else ``parts[0]`` (if there is one).
    ``join``: the concatenated ``parts``. ``list``: the ``parts``. ``unknown``: ``text`` says why.
    """

    kind: Literal["literal", "env", "join", "list", "unknown"]
    text: str = ""
    parts: tuple[Expression, ...] = ()

    def expand(self, env: Env | None = None) -> Expanded:
        """The value under an environment; numbers and booleans in Python's notation."""
        env = env or {}
        if self.kind == "literal":
            return self.text
        if self.kind == "unknown":
            return Unknown(self.text)
        if self.kind == "env":
            held = env.get(self.text)
            if held is not None:
                return held
            others = env.get("*")
            if isinstance(others, Unknown):
                return others  # a file that is not seen may set it
            return self.parts[0].expand(env) if self.parts else Unknown(f"${self.text} is not set")
        if self.kind == "list":
            found: list[Value] = []
            for part in self.parts:
                value = part.expand(env)
                found += value if isinstance(value, tuple) else [value]
            return tuple(found)
        texts: list[str] = []
        for part in self.parts:
            value = part.expand(env)
            if not isinstance(value, str):
                return value if isinstance(value, Unknown) else Unknown("a list inside a text")
            texts.append(value)
        return "".join(texts)

    def pieces(self, env: Env | None = None) -> tuple[Value, ...]:
        """Known and unknown parts in order (``0.0.0.0:`` and an unknown port, say)."""
        if self.kind == "join":
            return tuple(piece for part in self.parts for piece in part.pieces(env))
        value = self.expand(env)
        return value if isinstance(value, tuple) else (value,)


@value
class Setting:
    """``name = value``; ``conditional`` when other branches may set it otherwise."""

    name: str
    value: Expression
    at: Location
    section: str = ""
    conditional: bool = False


@value
class ServerConfig:
    """Settings of one file for a ``kind`` of server (a key of ``servers.toml``)."""

    kind: str
    path: str
    settings: tuple[Setting, ...] = ()
    # Server hooks and other functions that the file defines (gunicorn: post_fork, on_exit, …).
    functions: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def get(self, name: str) -> Setting | None:
        """The setting by name; the last one counts."""
        return next((s for s in reversed(self.settings) if s.name == name), None)

    def options(self, env: Env | None = None) -> tuple[Option, ...]:
        """As canonical options, for ``ServerStart.listens(config=…)`` and ``effective``."""
        found: list[Option] = []
        for setting in self.settings:
            name = _canonical(self.kind, setting.name)
            value = setting.value.expand(env)
            items: Sequence[tuple[Value, tuple[Value, ...]]]
            if isinstance(value, tuple):
                items = [(item, ()) for item in value]
            else:
                items = [(value, setting.value.pieces(env))]
            if name == "bind" and self.kind == "gunicorn":
                items = [
                    (part.strip(), ())
                    for item, _ in items
                    if isinstance(item, str)
                    for part in item.split(",")
                ] + [pair for pair in items if isinstance(pair[0], Unknown)]
            for item, pieces in items:
                shown: Value | bool = item
                if isinstance(item, str) and item.lower() in {"true", "false"}:
                    shown = item.lower() == "true"
                elif item == "None":
                    continue
                found.append(
                    Option(
                        name=name,
                        value=shown,
                        at=setting.at,
                        flag=setting.name,
                        source=self.path,
                        pieces=pieces if isinstance(item, Unknown) else (),
                    )
                )
        return tuple(found)


_CANONICAL = {
    "preload_app": "preload",
    "accesslog": "access_log",
    "errorlog": "error_log",
    "loglevel": "log_level",
    "logconfig": "log_config",
    "logconfig_dict": "log_config",
    "keepalive": "keep_alive",
    "wsgi_app": "app",
    "server.port": "port",
    "server.address": "host",
    "server.runOnSave": "reload",
    "server.baseUrlPath": "root_path",
    "keep_alive_timeout": "keep_alive",
    "accesslog_path": "access_log",
}


def _canonical(kind: str, name: str) -> str:
    if kind == "uwsgi":
        from auditor.catalog import knowledge

        row = knowledge("servers.toml").get("uwsgi", {})
        flag = "--" + name
        found: str = row.get("values", {}).get(flag) or row.get("switches", {}).get(flag) or name
        return found.replace("-", "_")
    return _CANONICAL.get(name, name)


# --- gunicorn ----------------------------------------------------------------------------------


def parse_gunicorn(source: SourceText) -> ServerConfig:
    """``gunicorn.conf.py`` (any Python file given by ``-c``)."""
    settings: list[Setting] = []
    functions: list[str] = []
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        problem = Problem(
            at=source.at(line), message=f"is not valid Python: {error}".split("\n")[0], fatal=True
        )
        return ServerConfig(kind="gunicorn", path=source.path, problems=(*source.problems, problem))
    names: dict[str, Expression] = {}
    try:
        _statements(source, tree.body, names, settings, functions, conditional=False, depth=0)
    except RecursionError:
        problem = Problem(at=source.at(1), message="is nested too deeply to be read", fatal=True)
        return ServerConfig(kind="gunicorn", path=source.path, problems=(problem,))
    return ServerConfig(
        kind="gunicorn",
        path=source.path,
        settings=tuple(settings),
        functions=tuple(functions),
        problems=source.problems,
    )


def _statements(
    source: SourceText,
    body: Sequence[ast.stmt],
    names: dict[str, Expression],
    settings: list[Setting],
    functions: list[str],
    *,
    conditional: bool,
    depth: int,
) -> None:
    if depth > _DEPTH:
        return
    for statement in body:
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign):
            targets, value = [statement.target], statement.value
        elif isinstance(statement, ast.AugAssign):
            if isinstance(statement.target, ast.Name):
                names[statement.target.id] = _unknown("is changed in place")
            continue
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(statement.name)
            continue
        else:
            for inner in _blocks(statement):
                _statements(
                    source, inner, names, settings, functions, conditional=True, depth=depth + 1
                )
            continue
        if value is None:
            continue
        for target in targets:
            if not isinstance(target, ast.Name):
                continue
            expression = _expression(value, names, 0)
            if conditional:
                before = names.get(target.id)
                if before != expression:
                    expression = _unknown(f"{target.id} is set in a branch")
            names[target.id] = expression
            settings.append(
                Setting(
                    name=target.id,
                    value=expression,
                    at=_python_place(source, value),
                    conditional=conditional,
                )
            )


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and not isinstance(statement, ast.ClassDef):
            yield block
    for handler in getattr(statement, "handlers", ()):
        yield handler.body


def _python_place(source: SourceText, node: ast.expr) -> Location:
    # ast counts UTF-8 bytes in a line; locations count code points.
    def column(line: int, offset: int) -> int:
        text = source.line_at(line)
        if text.isascii():
            return offset + 1
        return len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "replace")) + 1

    end_line = node.end_lineno or node.lineno
    return Location(
        source.path,
        node.lineno,
        column(node.lineno, node.col_offset),
        end_line,
        column(end_line, node.end_col_offset or 0),
    )


def _unknown(reason: str) -> Expression:
    return Expression(kind="unknown", text=reason)


def _literal(value: object) -> Expression:
    return Expression(kind="literal", text=str(value))


def _expression(node: ast.expr, names: Mapping[str, Expression], depth: int) -> Expression:
    if depth > _DEPTH:
        return _unknown("is nested too deeply")
    deeper = depth + 1
    if isinstance(node, ast.Constant):
        if isinstance(node.value, (str, int, float, bool)) or node.value is None:
            return _literal(node.value)
        return _unknown("is not text or a number")
    if isinstance(node, ast.Name):
        return names.get(node.id) or _unknown(f"{node.id} is not set in this file")
    if isinstance(node, ast.JoinedStr):
        parts: list[Expression] = []
        for item in node.values:
            if isinstance(item, ast.FormattedValue):
                if item.format_spec is not None:
                    return _unknown("is formatted when the program runs")
                parts.append(_expression(item.value, names, deeper))
            else:
                parts.append(_expression(item, names, deeper))
        return Expression(kind="join", parts=tuple(parts))
    if isinstance(node, (ast.List, ast.Tuple)):
        return Expression(
            kind="list", parts=tuple(_expression(item, names, deeper) for item in node.elts)
        )
    if isinstance(node, ast.Subscript) and _dotted(node.value) in {"os.environ", "environ"}:
        name = node.slice
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return Expression(kind="env", text=name.value)
    if isinstance(node, ast.Call):
        return _call(node, names, deeper)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and len(node.values) == 2:
        first = _expression(node.values[0], names, deeper)
        if first.kind == "env" and not first.parts:
            return replace(first, parts=(_expression(node.values[1], names, deeper),))
        return first if first.kind == "literal" and first.text else _unknown("depends on a value")
    if isinstance(node, ast.BinOp):
        return _binary(node, names, deeper)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _expression(node.operand, names, deeper)
        return _literal("-" + inner.text) if inner.kind == "literal" else _unknown("is computed")
    return _unknown("is computed when the program runs")


def _call(node: ast.Call, names: Mapping[str, Expression], depth: int) -> Expression:
    name = _dotted(node.func)
    args = node.args
    if name in {"os.environ.get", "os.getenv", "environ.get", "getenv"} and args:
        first = args[0]
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            return _unknown("reads a variable whose name is computed")
        default = args[1] if len(args) > 1 else None
        for keyword in node.keywords:
            if keyword.arg == "default":
                default = keyword.value
        parts = () if default is None else (_expression(default, names, depth),)
        return Expression(kind="env", text=first.value, parts=parts)
    if name in {"int", "str", "float"} and len(args) == 1:
        return _expression(args[0], names, depth)
    if name.endswith("cpu_count"):
        return _unknown("depends on the number of processors")
    if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and not node.keywords:
        template = _expression(node.func.value, names, depth)
        values = [_expression(arg, names, depth) for arg in args]
        if template.kind == "literal":
            return _formatted(template.text, "{}", values)
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"strip", "lower"} and not args:
        return _expression(node.func.value, names, depth)
    return _unknown(f"{name or 'a function'}() is called when the program runs")


def _formatted(template: str, mark: str, values: Sequence[Expression]) -> Expression:
    texts = template.split(mark)
    if len(texts) != len(values) + 1 or (mark == "{}" and ("{" in "".join(texts))):
        return _unknown("is formatted when the program runs")
    parts = [_literal(texts[0])]
    for value, text in zip(values, texts[1:], strict=True):
        parts += [value, _literal(text)]
    return Expression(kind="join", parts=tuple(p for p in parts if p.kind != "literal" or p.text))


def _binary(node: ast.BinOp, names: Mapping[str, Expression], depth: int) -> Expression:
    left = _expression(node.left, names, depth)
    if isinstance(node.op, ast.Mod) and left.kind == "literal" and "%s" in left.text:
        right = node.right
        items = right.elts if isinstance(right, ast.Tuple) else [right]
        return _formatted(left.text, "%s", [_expression(item, names, depth) for item in items])
    right_value = _expression(node.right, names, depth)
    for side in (left, right_value):
        if side.kind == "unknown":
            return (
                side
                if not isinstance(node.op, ast.Add) or not _texts(node)
                else Expression(kind="join", parts=(left, right_value))
            )
    if left.kind == right_value.kind == "literal" and not _texts(node):
        first, second = _number(left.text), _number(right_value.text)
        if first is not None and second is not None:
            if isinstance(node.op, ast.Add):
                return _literal(first + second)
            if isinstance(node.op, ast.Mult):
                return _literal(first * second)
        return _unknown("is computed when the program runs")
    if isinstance(node.op, ast.Add):
        return Expression(kind="join", parts=(left, right_value))
    return _unknown("is computed when the program runs")


def _texts(node: ast.BinOp) -> bool:
    """Whether a sum is one of texts: one of its sides is written as text."""
    for side in (node.left, node.right):
        if isinstance(side, ast.JoinedStr):
            return True
        if isinstance(side, ast.Constant) and isinstance(side.value, str):
            return True
        if isinstance(side, ast.BinOp) and _texts(side):
            return True
    return False


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() and len(text) < 10 else None


def _dotted(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 8:
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ".".join(reversed(names))
    return ".".join([node.id, *reversed(names)])


# --- INI files: supervisord, uwsgi -------------------------------------------------------------


@value(kw_only=False)
class _Entry:
    section: str
    key: str
    value: str
    at: Location
    pieces: tuple[tuple[str, int, int], ...]


def _ini(
    source: SourceText, problems: list[Problem], *, inline: str = ";"
) -> tuple[list[_Entry], dict[str, Location]]:
    """Entries in order and sections; ``inline`` starts a comment after a blank."""
    entries: list[_Entry] = []
    sections: dict[str, Location] = {}
    section = ""
    for number, line in enumerate(source.lines, 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if line[0].isspace() and entries and entries[-1].section == section:
            last = entries[-1]
            cut = _uncommented(stripped, inline)
            column = line.index(stripped[0]) + 1
            entries[-1] = replace(
                last,
                value=f"{last.value}\n{cut}" if last.value else cut,
                pieces=(*last.pieces, (" " + cut, number, max(column - 1, 1))),
            )
            continue
        if stripped.startswith("[") and "]" in stripped:
            section = stripped[1 : stripped.index("]")]
            sections.setdefault(section, source.at(number))
            continue
        positions = [p for p in (line.find("="), line.find(":")) if p >= 0]
        if not positions:
            if len(problems) < 20:
                problems.append(
                    Problem(at=source.at(number), message="is neither a section nor key = value")
                )
            continue
        cut_at = min(positions)
        raw = line[cut_at + 1 :]
        value = _uncommented(raw.strip(), inline)
        column = cut_at + 2 + (len(raw) - len(raw.lstrip()))
        entries.append(
            _Entry(
                section,
                line[:cut_at].strip(),
                value,
                Location(source.path, number, column, number, column + len(value)),
                ((value, number, column),),
            )
        )
    return entries, sections


def _uncommented(text: str, mark: str) -> str:
    for blank in (" " + mark, "\t" + mark):
        at = text.find(blank)
        if at >= 0:
            text = text[:at].rstrip()
    return text


@value
class SupervisorProgram:
    """``[program:x]``. ``command`` has no shell around it; ``%(ENV_X)s`` expands as ``$X``.

    Log limits are as written (``50MB``, ``0`` for none); None when the default (50MB, 10 files)
    holds.
    """

    name: str
    at: Location
    command: Script | None = None
    directory: Setting | None = None
    environment: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    autostart: bool = True
    autorestart: str = "unexpected"
    stdout_logfile: Setting | None = None
    stderr_logfile: Setting | None = None
    redirect_stderr: bool = False
    stdout_logfile_maxbytes: str | None = None
    stdout_logfile_backups: str | None = None
    stderr_logfile_maxbytes: str | None = None
    stderr_logfile_backups: str | None = None
    numprocs: str = "1"
    stopsignal: str | None = None
    settings: tuple[Setting, ...] = ()


@value
class SupervisorConfig:
    """``supervisord.conf``; ``includes`` are the patterns of ``[include]``."""

    path: str
    programs: tuple[SupervisorProgram, ...] = ()
    nodaemon: bool = False
    user: str | None = None
    logfile: Setting | None = None
    logfile_maxbytes: str | None = None
    includes: tuple[str, ...] = ()
    http: Bind | None = None
    environment: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_supervisord(source: SourceText) -> SupervisorConfig:
    """``supervisord.conf`` and the files it includes."""
    problems = list(source.problems)
    entries, sections = _ini(source, problems)
    by_section: dict[str, dict[str, _Entry]] = {}
    for entry in entries:
        by_section.setdefault(entry.section, {})[entry.key] = entry
    programs = tuple(
        _program(source.path, name.partition(":")[2], at, by_section.get(name, {}))
        for name, at in sections.items()
        if name.startswith(("program:", "fcgi-program:", "eventlistener:"))
    )
    main = by_section.get("supervisord", {})
    http = by_section.get("inet_http_server", {}).get("port")
    bind: Bind | None = None
    if http is not None:
        from auditor.parsers.commands.servers import parse_bind

        bind = parse_bind(Arg(value=http.value, at=http.at), source=source.path)
    include = by_section.get("include", {}).get("files")
    return SupervisorConfig(
        path=source.path,
        programs=programs,
        nodaemon=_true(_text(main, "nodaemon")),
        user=_text(main, "user"),
        logfile=_setting(main, "logfile"),
        logfile_maxbytes=_text(main, "logfile_maxbytes"),
        includes=tuple(include.value.split()) if include is not None else (),
        http=bind,
        environment=_environment(_text(main, "environment") or ""),
        problems=tuple(problems),
    )


def _text(section: Mapping[str, _Entry], key: str) -> str | None:
    return section[key].value if key in section else None


def _true(text: str | None) -> bool:
    return (text or "").strip().lower() in {"true", "yes", "on", "1"}


def _setting(section: Mapping[str, _Entry], key: str) -> Setting | None:
    if key not in section:
        return None
    entry = section[key]
    return Setting(name=key, value=_percent(entry.value), at=entry.at, section=entry.section)


def _percent(text: str) -> Expression:
    """``%(ENV_X)s`` and ``%(here)s`` as supervisord expands them."""
    parts: list[Expression] = []
    rest = text
    while "%(" in rest and ")s" in rest[rest.index("%(") :]:
        before, _, after = rest.partition("%(")
        name, _, rest = after.partition(")s")
        if before:
            parts.append(_literal(before))
        if name.startswith("ENV_"):
            parts.append(Expression(kind="env", text=name.removeprefix("ENV_")))
        else:
            parts.append(_unknown(f"%({name})s is set by supervisord"))
    if rest or not parts:
        parts.append(_literal(rest))
    return parts[0] if len(parts) == 1 else Expression(kind="join", parts=tuple(parts))


def _environment(text: str) -> tuple[tuple[str, str], ...]:
    """``A="x",B=y`` pairs."""
    found: list[tuple[str, str]] = []
    i = 0
    while i < len(text):
        while i < len(text) and (text[i].isspace() or text[i] == ","):
            i += 1
        start = i
        while i < len(text) and text[i] != "=":
            i += 1
        name = text[start:i].strip()
        i += 1
        value: list[str] = []
        while i < len(text) and text[i] not in ",\n":
            if text[i] in "\"'":
                close = text.find(text[i], i + 1)
                close = len(text) if close < 0 else close
                value.append(text[i + 1 : close])
                i = close + 1
            else:
                value.append(text[i])
                i += 1
        if name:
            found.append((name, "".join(value).strip()))
    return tuple(found)


def _program(
    path: str, name: str, at: Location, section: Mapping[str, _Entry]
) -> SupervisorProgram:
    command = section.get("command")
    return SupervisorProgram(
        name=name,
        at=at,
        command=split(_command_fragment(path, command)) if command is not None else None,
        directory=_setting(section, "directory"),
        environment=_environment(_text(section, "environment") or ""),
        user=_text(section, "user"),
        autostart=_true(_text(section, "autostart") or "true"),
        autorestart=(_text(section, "autorestart") or "unexpected").lower(),
        stdout_logfile=_setting(section, "stdout_logfile"),
        stderr_logfile=_setting(section, "stderr_logfile"),
        redirect_stderr=_true(_text(section, "redirect_stderr")),
        stdout_logfile_maxbytes=_text(section, "stdout_logfile_maxbytes"),
        stdout_logfile_backups=_text(section, "stdout_logfile_backups"),
        stderr_logfile_maxbytes=_text(section, "stderr_logfile_maxbytes"),
        stderr_logfile_backups=_text(section, "stderr_logfile_backups"),
        numprocs=_text(section, "numprocs") or "1",
        stopsignal=_text(section, "stopsignal"),
        settings=tuple(
            Setting(name=e.key, value=_percent(e.value), at=e.at, section=e.section)
            for e in section.values()
        ),
    )


def _command_fragment(path: str, entry: _Entry) -> Fragment:
    """The command with ``%(ENV_X)s`` as ``${X}`` and every ``$`` escaped."""
    pieces: list[tuple[str, int, int]] = []
    for text, line, column in entry.pieces:
        at = 0
        while at < len(text):
            if text.startswith("%(ENV_", at) and ")s" in text[at:]:
                end = text.index(")s", at) + 2
                pieces.append(("${" + text[at + 6 : end - 2] + "}", line, column + at))
            elif text[at] == "$":
                end = at + 1
                pieces.append(("\\$", line, column + at))
            else:
                stops = [p for p in (text.find("%(ENV_", at + 1), text.find("$", at + 1)) if p > 0]
                end = min(stops, default=len(text))
                pieces.append((text[at:end], line, column + at))
            at = end
    return Fragment(path, pieces)


def parse_uwsgi(source: SourceText) -> ServerConfig:
    """``uwsgi.ini``; ``$(VAR)`` expands from the environment."""
    problems = list(source.problems)
    entries, _ = _ini(source, problems)
    settings = [
        Setting(name=e.key, value=_dollar(e.value), at=e.at, section=e.section)
        for e in entries
        if e.section in {"uwsgi", ""}
    ]
    return ServerConfig(
        kind="uwsgi", path=source.path, settings=tuple(settings), problems=tuple(problems)
    )


def _dollar(text: str) -> Expression:
    parts: list[Expression] = []
    rest = text
    while "$(" in rest and ")" in rest[rest.index("$(") :]:
        before, _, after = rest.partition("$(")
        name, _, rest = after.partition(")")
        if before:
            parts.append(_literal(before))
        parts.append(Expression(kind="env", text=name))
    if rest or not parts:
        parts.append(_literal(rest))
    return parts[0] if len(parts) == 1 else Expression(kind="join", parts=tuple(parts))


# --- TOML: hypercorn, streamlit ----------------------------------------------------------------


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
        return _literal(value)
    return _unknown("is not text or a number")


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


# --- Procfile ----------------------------------------------------------------------------------


@value
class ProcfileEntry:
    """``name: command``; the command is read by a shell."""

    name: str
    command: Script
    at: Location


@value
class Procfile:
    path: str
    entries: tuple[ProcfileEntry, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_procfile(source: SourceText) -> Procfile:
    """A ``Procfile``: one process type a line."""
    entries: list[ProcfileEntry] = []
    problems = list(source.problems)
    for number, line in enumerate(source.lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, command = line.partition(":")
        if not colon or not name.strip().replace("-", "").replace("_", "").isalnum():
            if len(problems) < 20:
                problems.append(Problem(at=source.at(number), message="is not name: command"))
            continue
        column = len(name) + 2 + len(command) - len(command.lstrip())
        text = command.strip()
        entries.append(
            ProcfileEntry(
                name=name.strip(),
                command=parse(Fragment(source.path, [(text, number, column)])),
                at=Location(source.path, number, column, number, column + len(text)),
            )
        )
    return Procfile(path=source.path, entries=tuple(entries), problems=tuple(problems))


# --- nginx -------------------------------------------------------------------------------------

_NOT_ENDED = "is not ended by a semicolon"
_CLOSES_NOTHING = "closes no block"
_NEVER_CLOSED = "opens a block that is never closed"
# Problems of a text that keep nginx from starting.
REFUSED_BY_NGINX = frozenset([_NOT_ENDED, _CLOSES_NOTHING, _NEVER_CLOSED])


@value
class Directive:
    """``name args;`` or ``name args { block }``."""

    name: str
    args: tuple[str, ...]
    at: Location
    block: tuple[Directive, ...] | None = None

    def walk(self) -> Iterator[Directive]:
        """The directive and everything in its block."""
        stack = [self]
        while stack:
            item = stack.pop()
            yield item
            stack.extend(reversed(item.block or ()))

    def find(self, name: str) -> Directive | None:
        """The last directive of that name directly in the block."""
        return next((d for d in reversed(self.block or ()) if d.name == name), None)


@value
class NginxLocation:
    """``location path { proxy_pass …; }``; ``upstream`` is the URL as written."""

    path: str
    at: Location
    upstream: str | None = None
    upstream_at: Location | None = None
    directive: Directive


@value
class NginxServer:
    """A ``server`` block."""

    at: Location
    listens: tuple[Bind, ...] = ()
    names: tuple[str, ...] = ()
    locations: tuple[NginxLocation, ...] = ()
    directive: Directive


@value
class NginxConfig:
    """``upstreams``: name and its ``host:port`` targets."""

    path: str
    servers: tuple[NginxServer, ...] = ()
    upstreams: tuple[tuple[str, tuple[tuple[str, Location], ...]], ...] = ()
    directives: tuple[Directive, ...] = ()
    includes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def walk(self) -> Iterator[Directive]:
        """Every directive, whatever block it is in."""
        for directive in self.directives:
            yield from directive.walk()


def parse_nginx(source: SourceText) -> NginxConfig:
    """``nginx.conf`` or a file of ``conf.d``."""
    problems = list(source.problems)
    directives = _nginx_directives(source, problems)
    servers: list[NginxServer] = []
    upstreams: list[tuple[str, tuple[tuple[str, Location], ...]]] = []
    includes: list[str] = []
    for top in directives:
        for directive in top.walk():
            if directive.name == "server" and directive.block is not None:
                servers.append(_nginx_server(directive))
            elif directive.name == "upstream" and directive.args:
                targets = tuple(
                    (inner.args[0], inner.at)
                    for inner in directive.block or ()
                    if inner.name == "server" and inner.args
                )
                upstreams.append((directive.args[0], targets))
            elif directive.name == "include" and directive.args:
                includes.append(directive.args[0])
    return NginxConfig(
        path=source.path,
        servers=tuple(servers),
        upstreams=tuple(upstreams),
        directives=directives,
        includes=tuple(includes),
        problems=tuple(problems),
    )


def _nginx_server(directive: Directive) -> NginxServer:
    listens: list[Bind] = []
    names: list[str] = []
    locations: list[NginxLocation] = []
    for inner in directive.walk():
        if inner.name == "listen" and inner.args:
            listens.append(_nginx_listen(inner))
        elif inner.name == "server_name":
            names += inner.args
        elif inner.name == "location":
            passed = next(
                (
                    d
                    for d in inner.block or ()
                    if d.name in {"proxy_pass", "uwsgi_pass", "grpc_pass", "fastcgi_pass"}
                ),
                None,
            )
            locations.append(
                NginxLocation(
                    path=" ".join(inner.args),
                    at=inner.at,
                    upstream=passed.args[0] if passed is not None and passed.args else None,
                    upstream_at=passed.at if passed is not None else None,
                    directive=inner,
                )
            )
    if not listens:
        listens = [Bind(host="0.0.0.0", port="80", at=directive.at, source="default")]
    return NginxServer(
        at=directive.at,
        listens=tuple(listens),
        names=tuple(names),
        locations=tuple(locations),
        directive=directive,
    )


def _nginx_listen(directive: Directive) -> Bind:
    text = directive.args[0]
    path = directive.at.path
    protocol = "https" if "ssl" in directive.args[1:] else "http"
    if text.startswith("unix:"):
        return Bind(
            unix=text.removeprefix("unix:"), at=directive.at, source=path, protocol=protocol
        )
    host: Value
    port: Value
    if text.startswith("["):
        host, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":") or "80"
    elif text.isdigit():
        host, port = "0.0.0.0", text
    elif ":" in text:
        host, _, port = text.rpartition(":")
    elif "$" in text:
        # A template: envsubst fills it in at start.
        host, port = "0.0.0.0", Unknown(f"{text} is filled in when nginx starts")
    else:
        host, port = text, "80"
    if isinstance(port, str) and "$" in port:
        port = Unknown(f"{port} is filled in when nginx starts")
    return Bind(host=host, port=port, at=directive.at, source=path, protocol=protocol)


def _nginx_directives(source: SourceText, problems: list[Problem]) -> tuple[Directive, ...]:
    fragment = Fragment(source.path, [(source.text, 1, 1)])
    stack: list[tuple[list[tuple[str, int, int]], list[Directive]]] = [([], [])]
    words: list[tuple[str, int, int]] = []
    lines = _LineIndex(source.text, source.path)

    def place(first: int, last: int) -> Location:
        return lines.location(first, last)

    for kind, text, start, end in _nginx_tokens(fragment.text):
        if kind == "word":
            words.append((text, start, end))
        elif kind == ";":
            if words:
                stack[-1][1].append(
                    Directive(
                        name=words[0][0],
                        args=tuple(w[0] for w in words[1:]),
                        at=place(words[0][1], words[-1][2]),
                    )
                )
            words = []
        elif kind == "{":
            if len(stack) > _DEPTH:
                problems.append(
                    Problem(at=place(start, end), message="is nested too deeply", fatal=True)
                )
                break
            stack.append((words, []))
            words = []
        elif kind == "}":
            if len(stack) == 1:
                if len(problems) < 20:
                    problems.append(Problem(at=place(start, end), message=_CLOSES_NOTHING))
                continue
            if words and len(problems) < 20:
                at = place(words[0][1], words[-1][2])
                problems.append(Problem(at=at, message=_NOT_ENDED))
            _nginx_close(stack, place, end)
            words = []
    if len(stack) > 1:
        opened = stack[-1][0]
        at = place(opened[0][1], opened[-1][2]) if opened else source.at(1)
        problems.append(Problem(at=at, message=_NEVER_CLOSED))
    while len(stack) > 1:
        _nginx_close(stack, place, len(source.text))
    return tuple(stack[0][1])


def _nginx_close(
    stack: list[tuple[list[tuple[str, int, int]], list[Directive]]], place: Any, end: int
) -> None:
    head, inner = stack.pop()
    if head:
        stack[-1][1].append(
            Directive(
                name=head[0][0],
                args=tuple(w[0] for w in head[1:]),
                at=place(head[0][1], head[-1][2]),
                block=tuple(inner),
            )
        )
    else:
        stack[-1][1].extend(inner)


class _LineIndex:
    """Locations by offset in logarithmic time, for files with many tokens."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def location(self, start: int, end: int) -> Location:
        from bisect import bisect_right

        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, max(end - 1, start)) - 1
        return Location(
            self.path,
            first + 1,
            start - self._starts[first] + 1,
            last + 1,
            end - self._starts[last] + 1,
        )


def _nginx_tokens(text: str) -> Iterator[tuple[str, str, int, int]]:
    i, end = 0, len(text)
    while i < end:
        char = text[i]
        if char.isspace():
            i += 1
        elif char == "#":
            newline = text.find("\n", i)
            i = end if newline < 0 else newline
        elif char in ";{}":
            yield char, char, i, i + 1
            i += 1
        elif char in "\"'":
            close = i + 1
            while close < end and text[close] != char:
                close += 2 if text[close] == "\\" else 1
            close = min(close, end)
            yield "word", text[i + 1 : close], i, min(close + 1, end)
            i = close + 1
        else:
            start = i
            while i < end and not text[i].isspace() and text[i] not in ";{}":
                if text.startswith("${", i):
                    # A variable of nginx, or a place that envsubst fills in.
                    close = text.find("}", i)
                    i = end if close < 0 else close
                elif text[i] == "\\":
                    i += 1
                i += 1
            i = min(i, end)
            yield "word", text[start:i], start, i
