"""Service units of systemd: what they start, where, as whom, and what systemd refuses.

The manual pages ``systemd.syntax``, ``systemd.service``, ``systemd.exec`` and ``systemd.unit`` say what
holds; ``tools/try_systemd_units.py`` shows it. Parsers never raise; a text that something has still
to fill in (``{{ … }}``, ``<user>``, ``@DIR@``) is known as such.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from auditor import lazy_re as re
from auditor.source import Location, SourceText, Unknown
from auditor.values import value

_SECTIONS = frozenset({"Unit", "Service", "Install"})
_TEMPLATED = re.compile(
    r"\{\{|\}\}|<[A-Za-z][^<>]*>|@[A-Za-z_]+@|__[A-Z_]+__|\$\(|\[[A-Z_]+\]|\byour[-_ ]|/path/to"
    r"|(?-i:^[A-Z]{4,}/)",
    re.IGNORECASE,
)
# What systemd puts for these where the unit is no template and a system manager runs it.
_SPECIFIERS = {"%": "%", "h": "/root", "u": "root", "i": "", "I": ""}
_HOMES = ("/home", "/root", "/run/user")
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_DIRECTORIES = (
    ("StateDirectory", "/var/lib"),
    ("LogsDirectory", "/var/log"),
    ("CacheDirectory", "/var/cache"),
    ("RuntimeDirectory", "/run"),
)


@value
class Line:
    """A setting of the unit: its value as written, continued lines joined."""

    section: str
    key: str
    text: str
    at: Location


@value
class Refusal:
    """Why systemd does not start it; ``reached`` is what it says then."""

    message: str
    at: Location


@value
class Word:
    """A word of a command line before variables are put in."""

    text: str
    # In single quotes or not, ``$NAME`` counts; a literal ``$`` was written ``$$``.
    at: Location


@value
class Command:
    """``ExecStart`` or ``ExecStartPre``; ``ignored``: its failure does not matter (``-``)."""

    words: tuple[Word, ...]
    at: Location
    ignored: bool = False
    # ``:``: no variables are put in.
    literal: bool = False


@value
class EnvironmentFile:
    path: str
    at: Location
    optional: bool = False


@value
class Sealing:
    """Directories that the process cannot write, and those within that it can."""

    at: Location
    because: str
    paths: tuple[str, ...]
    writable: tuple[str, ...] = ()


@value
class Unit:
    """A ``.service`` unit. ``templated``: something has still to fill in what decides it."""

    path: str
    name: str
    at: Location
    lines: tuple[Line, ...] = ()
    start: Command | None = None
    before: tuple[Command, ...] = ()
    type: str = "simple"
    type_at: Location | None = None
    directory: str = "/"
    directory_at: Location | None = None
    user: Line | None = None
    environment: tuple[tuple[str, str, Location], ...] = ()
    files: tuple[EnvironmentFile, ...] = ()
    sealed: tuple[Sealing, ...] = ()
    # Directories that are empty or closed to the process (``ProtectHome=yes``).
    hidden: tuple[tuple[str, Location], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    templated: bool = False
    dynamic_user: bool = False
    may_bind_low: bool = False


def parse(source: SourceText) -> Unit:
    """A unit file; what is no setting is left out."""
    lines = _lines(source)
    stem = posixpath.basename(source.path).removesuffix(".service")
    at = next((line.at for line in lines if line.key == "ExecStart"), source.at(1))
    own = [line for line in lines if line.section == "Service"]
    last = {line.key: line for line in own}
    starts, before = _commands(own, "ExecStart"), _commands(own, "ExecStartPre")
    commands = [c for line in starts for c in _split(line, stem)]
    directory = last.get("WorkingDirectory")
    type_ = last.get("Type")
    kind = type_.text if type_ is not None and type_.text else "simple"
    deciding = [
        line for line in own if line.key in ("ExecStart", "WorkingDirectory", "EnvironmentFile")
    ]
    templated = "@" in stem or any(_TEMPLATED.search(line.text) for line in deciding)
    refusals = () if templated else tuple(_refusals(lines, commands, directory, kind))
    user = last.get("User")
    sealed, hidden = _sandbox(last, own)
    path = directory.text.removeprefix("-") if directory is not None else "/"
    return Unit(
        path=source.path,
        name=stem,
        at=at,
        lines=tuple(lines),
        start=commands[-1] if commands else None,
        before=tuple(c for line in before for c in _split(line, stem)),
        type=kind,
        type_at=type_.at if type_ is not None else None,
        directory=posixpath.normpath(path) if path.startswith("/") else "",
        directory_at=directory.at if directory is not None else None,
        user=user if user is not None and user.text else None,
        environment=tuple(_environment(own)),
        files=tuple(_files(own)),
        sealed=sealed,
        hidden=hidden,
        refusals=refusals,
        templated=templated,
        dynamic_user=_on(last.get("DynamicUser")),
        may_bind_low=any(
            line.key == "AmbientCapabilities" and "CAP_NET_BIND_SERVICE" in line.text.upper()
            for line in own
        ),
    )


def _lines(source: SourceText) -> list[Line]:
    found: list[Line] = []
    section = ""
    number = 0
    texts = source.lines
    while number < len(texts):
        raw = texts[number]
        number += 1
        text = raw.strip()
        if not text or text[0] in "#;":
            continue
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
            at = Location(source.path, number, 1, number, len(raw) + 1)
            found.append(Line(section=section, key="", text="", at=at))
            continue
        key, equals, rest = raw.rstrip("\r\n").partition("=")
        if not equals:
            continue
        first, start = number, len(key) + 2
        value_ = rest.rstrip()
        while value_.endswith("\\") and number < len(texts):
            following = texts[number].rstrip("\r\n")
            number += 1
            if following.strip()[:1] in ("#", ";"):
                continue
            value_ = f"{value_[:-1]} {following.strip()}"
        shown = value_.strip()
        column = start + len(rest) - len(rest.lstrip())
        end = len(texts[first - 1].rstrip()) + 1
        at = Location(source.path, first, column, first, max(end, column))
        found.append(Line(section=section, key=key.strip(), text=shown, at=at))
    return found


def _commands(own: list[Line], key: str) -> list[Line]:
    """The lines of this key; an empty one takes back those before it."""
    found: list[Line] = []
    for line in own:
        if line.key == key:
            found = [*found, line] if line.text else []
    return found


def _split(line: Line, stem: str) -> list[Command]:
    """The commands of one line, which a ``;`` alone parts."""
    found: list[Command] = []
    words = _words(line.text)
    while words:
        cut = next(
            (n for n, (text, quoted) in enumerate(words) if text == ";" and not quoted), None
        )
        part, words = (words, []) if cut is None else (words[:cut], words[cut + 1 :])
        if not part:
            continue
        program = part[0][0]
        bare = program.lstrip("@-:+!")
        marks = program[: len(program) - len(bare)]
        rest = part[2:] if "@" in marks else part[1:]
        made = [bare, *(text for text, _ in rest)]
        found.append(
            Command(
                words=tuple(Word(text=_specified(text, stem), at=line.at) for text in made),
                at=line.at,
                ignored="-" in marks,
                literal=":" in marks,
            )
        )
    return found


_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


def _words(text: str) -> list[tuple[str, bool]]:
    """(word, whether it was quoted), as systemd parts them: quotes, and escapes of C."""
    found: list[tuple[str, bool]] = []
    current: list[str] = []
    quote, open_, quoted, i = "", False, False, 0
    while i < len(text):
        letter = text[i]
        i += 1
        if letter == "\\" and i < len(text):
            following = text[i]
            digits = text[i + 1 : i + 3]
            if following == "x" and re.fullmatch(r"[0-9a-fA-F]{2}", digits):
                current.append(chr(int(digits, 16)))
                i += 3
            else:
                current.append(_ESCAPES.get(following, following))
                i += 1
            open_ = True
        elif quote:
            if letter == quote:
                quote = ""
            else:
                current.append(letter)
        elif letter in "'\"" and not open_:
            quote, open_, quoted = letter, True, True
        elif letter.isspace():
            if open_:
                found.append(("".join(current), quoted))
            current, open_, quoted = [], False, False
        else:
            current.append(letter)
            open_ = True
    if open_:
        found.append(("".join(current), quoted))
    return found


def _specified(text: str, stem: str) -> str:
    """The specifiers whose values the file tells; others stay as they are written."""
    known = {**_SPECIFIERS, "n": f"{stem}.service", "N": stem, "p": stem, "P": stem}
    return re.sub(r"%([A-Za-z%])", lambda m: known.get(m.group(1), m.group()), text)


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\$")


def expand(
    command: Command, known: Mapping[str, str | Unknown | None]
) -> list[tuple[str | Unknown, Location]]:
    """The words that the process gets.

    ``${NAME}`` stands anywhere in a word. ``$NAME`` is put in only where it is the whole word,
    and split at spaces; inside a word it stays as it is. What is set nowhere is empty.
    """
    found: list[tuple[str | Unknown, Location]] = []
    for word in command.words:
        text = word.text
        if command.literal or "$" not in text:
            found.append((text, word.at))
            continue
        if text.startswith("$") and text[1:2] not in ("{", "$", ""):
            held = known.get(text[1:], "" if "*" not in known else Unknown(f"{text} is not seen"))
            if isinstance(held, Unknown):
                found.append((held, word.at))
            else:
                found += [(part, word.at) for part in (held or "").split()]
            continue
        unseen: list[Unknown] = []

        def fill(match: re.Match[str], unseen: list[Unknown] = unseen) -> str:
            name = match.group(1)
            if name is None:
                return "$"
            held = known.get(name, "" if "*" not in known else Unknown(f"${name} is not seen"))
            if isinstance(held, Unknown):
                unseen.append(held)
                return ""
            return held or ""

        made = _VARIABLE.sub(fill, text)
        found.append((unseen[0] if unseen else made, word.at))
    return found


def _environment(own: list[Line]) -> list[tuple[str, str, Location]]:
    found: list[tuple[str, str, Location]] = []
    for line in own:
        if line.key != "Environment":
            continue
        if not line.text:
            found = []
        for text, _ in _words(line.text):
            name, equals, held = text.partition("=")
            if equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                found.append((name, held, line.at))
    return found


def _files(own: list[Line]) -> list[EnvironmentFile]:
    found: list[EnvironmentFile] = []
    for line in own:
        if line.key != "EnvironmentFile":
            continue
        if not line.text:
            found = []
            continue
        path = line.text.removeprefix("-")
        if path.startswith("/"):  # systemd ignores any other
            optional = line.text.startswith("-")
            found.append(EnvironmentFile(path=path, at=line.at, optional=optional))
    return found


def environment_file(source: SourceText) -> list[tuple[str, str, Location]]:
    """The assignments of an ``EnvironmentFile``: no ``export``, no variables, no comments behind."""
    found: list[tuple[str, str, Location]] = []
    for number, raw in enumerate(source.lines, 1):
        text = raw.strip()
        name, equals, held = text.partition("=")
        if text[:1] in ("", "#", ";") or not equals:
            continue
        name = name.strip()
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            continue
        held = held.strip()
        if len(held) > 1 and held[0] in "'\"" and held.endswith(held[0]):
            held = held[1:-1]
        found.append((name, held, source.at(number)))
    return found


def _on(line: Line | None) -> bool:
    return line is not None and line.text.lower() in _TRUE


def _sandbox(
    last: Mapping[str, Line], own: list[Line]
) -> tuple[tuple[Sealing, ...], tuple[tuple[str, Location], ...]]:
    """What the process cannot write, and what it cannot see."""
    writable = [
        path.lstrip("-+")
        for line in own
        if line.key in ("ReadWritePaths", "ReadWriteDirectories", "BindPaths")
        for path, _ in _words(line.text)
    ]
    for key, root in _DIRECTORIES:
        names = last[key].text.split() if key in last else ()
        writable += [f"{root}/{name.partition(':')[0]}" for name in names]
    dynamic = last.get("DynamicUser")
    if _on(last.get("PrivateTmp")) or _on(dynamic):
        writable += ["/tmp", "/var/tmp"]
    writable += ["/dev", "/proc", "/sys"]
    sealed: list[Sealing] = []
    system, home = last.get("ProtectSystem"), last.get("ProtectHome")

    def seal(line: Line, *paths: str) -> None:
        because = f"`{line.key}={line.text}` makes it read-only"
        sealed.append(Sealing(at=line.at, because=because, paths=paths, writable=tuple(writable)))

    if dynamic is not None and _on(dynamic):
        seal(dynamic, "/")
    elif system is not None and system.text.lower() == "strict":
        seal(system, "/")
    elif system is not None and system.text.lower() == "full":
        seal(system, "/usr", "/boot", "/efi", "/etc")
    elif system is not None and _on(system):
        seal(system, "/usr", "/boot", "/efi")
    hidden: list[tuple[str, Location]] = []
    if home is not None and home.text.lower() == "read-only":
        seal(home, *_HOMES)
    elif home is not None and (_on(home) or home.text.lower() == "tmpfs"):
        hidden += [(path, home.at) for path in _HOMES]
    for line in own:
        if line.key in ("ReadOnlyPaths", "ReadOnlyDirectories") and line.text:
            seal(line, *(path.lstrip("-+") for path, _ in _words(line.text)))
        elif line.key in ("InaccessiblePaths", "InaccessibleDirectories"):
            hidden += [(path.lstrip("-+"), line.at) for path, _ in _words(line.text)]
    # A bind mount brings back what is hidden.
    bound = [line for line in own if line.key in ("BindPaths", "BindReadOnlyPaths") and line.text]
    return tuple(sealed), () if bound else tuple(hidden)


def _refusals(
    lines: list[Line], commands: list[Command], directory: Line | None, kind: str
) -> list[Refusal]:
    found: list[Refusal] = []
    for line in lines:
        if line.key or line.section in _SECTIONS or line.section.startswith("X-"):
            continue
        if line.section.capitalize() == "Service" and not commands:
            message = (
                f"systemd does not know the section `[{line.section}]` (it is `[Service]`), so the unit "
                "starts nothing: `Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.`"
            )
            found.append(Refusal(message=message, at=line.at))
    for command in commands:
        program = command.words[0].text
        if "/" in program and not program.startswith("/") and "%" not in program:
            message = f"systemd refuses the unit: `Neither a valid executable name nor an absolute path: {program}`"
            found.append(Refusal(message=message, at=command.at))
    if directory is not None and directory.text and "%" not in directory.text:
        path = directory.text.removeprefix("-")
        if not path.startswith("/") and path != "~":
            message = f"systemd refuses the unit: `WorkingDirectory= path is not absolute: {path}`"
            found.append(Refusal(message=message, at=directory.at))
        elif " #" in path:
            message = (
                "a comment cannot stand behind a value, so it is part of the path: `Changing to the "
                "requested working directory failed: No such file or directory`"
            )
            found.append(Refusal(message=message, at=directory.at))
    if len(commands) > 1 and kind != "oneshot":
        message = (
            "systemd refuses the unit: `Service has more than one ExecStart= setting, which is only "
            "allowed for Type=oneshot services.`"
        )
        found.append(Refusal(message=message, at=commands[1].at))
    return found
