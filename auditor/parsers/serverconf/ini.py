"""INI files of supervisord and uWSGI, as their own parsers read them."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.parsers.commands.facts import Bind
from auditor.parsers.serverconf.facts import (
    Expression,
    ServerConfig,
    Setting,
    literal_expression,
    unknown_expression,
)
from auditor.parsers.shell import split
from auditor.parsers.shell.facts import Arg, Script
from auditor.source import Fragment, Location, Problem, SourceText
from auditor.values import replace, value


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
            parts.append(literal_expression(before))
        if name.startswith("ENV_"):
            parts.append(Expression(kind="env", text=name.removeprefix("ENV_")))
        else:
            parts.append(unknown_expression(f"%({name})s is set by supervisord"))
    if rest or not parts:
        parts.append(literal_expression(rest))
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
            parts.append(literal_expression(before))
        parts.append(Expression(kind="env", text=name))
    if rest or not parts:
        parts.append(literal_expression(rest))
    return parts[0] if len(parts) == 1 else Expression(kind="join", parts=tuple(parts))
