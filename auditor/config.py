"""Settings from file, environment and command line, as one typed value.

Precedence, strongest first: command line, ``DEPLOY_AUDIT_*`` variables, the closest configuration
file, defaults. ``exclude`` and ``ignore`` add up over these layers; everything else is replaced.

The closest file is looked for in the audited root and, when that lies inside a git checkout, in
the directories above it up to the top of the checkout; ``deploy-audit.toml`` beats
``[tool.deploy-audit]`` of a ``pyproject.toml`` beside it. Files are not merged. A configuration
file cannot make the tool connect anywhere (``online`` is not a key), nor read or write outside of
the directory it lies in.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from auditor import lazy_re as re
from auditor.errors import ConfigError, UsageError
from auditor.findings import Severity
from auditor.source import Location
from auditor.values import field, record, value

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.tomllex import Places

Profile = Literal["default", "strict"]

FILE_NAME: Final = "deploy-audit.toml"
ENVIRONMENT_PREFIX: Final = "DEPLOY_AUDIT_"
_MAX_BYTES: Final = 1_000_000
_MAX_PATTERN: Final = 1_000


@value
class PerFileIgnore:
    """Findings of these rules (ids, families or names) in files matching ``pattern`` are accepted."""

    pattern: str
    rules: tuple[str, ...]
    reason: str | None = None
    # Where it is written, when that is inside the audited root.
    at: Location | None = None


@value
class Settings:
    """Everything that steers an audit. Plain, hashable, picklable.

    Globs have the meaning they have in ``.gitignore`` (without ``!``) and are relative to the root.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    # Severity overrides by rule id.
    severity: tuple[tuple[str, Severity], ...] = ()
    profile: Profile = "default"
    # The gate: None never fails on findings.
    fail_on: Severity | None = Severity.MEDIUM
    min_score: int | None = None
    # "3.11"; None means what the repository itself declares.
    target_python: str | None = None
    # An absolute path.
    baseline: str | None = None
    online: bool = False
    cache: bool = True
    allow_empty: bool = False
    # False: comments of the audited repository suppress nothing (``--isolated``).
    honour_comments: bool = True

    def enables(self, rule: Rule) -> bool:
        """Whether the rule is judged under this selection and profile.

        The more specific word wins (id or name over family over ``ALL``); of equals, ``ignore``.
        Naming a rule of the strict profile by id or name selects it in any profile.
        """
        ignored = max((_specificity(s, rule) for s in self.ignore), default=0)
        selected = max((_specificity(s, rule) for s in self.select), default=0)
        in_profile = rule.profile == "default" or self.profile == "strict"
        if not self.select:
            return in_profile and not ignored
        return selected > ignored and (in_profile or selected == _EXACT)

    def excludes(self, path: str) -> bool:
        """Whether a file or directory (POSIX, relative to the root) is excluded."""
        return any(glob_match(pattern, path) for pattern in self.exclude)

    def severity_of(self, rule: Rule) -> Severity:
        """The rule's severity after overrides."""
        return dict(self.severity).get(rule.id, rule.severity)


def load(
    root: Path,
    *,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    isolated: bool = False,
) -> Settings:
    """The settings for an audit of ``root``; ConfigError on any mistake.

    ``config`` replaces the search for a file. ``overrides`` holds what the command line said, by
    field name; None means not said. ``isolated`` reads no configuration that belongs to the
    audited repository and honours none of its comments.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    if config is None and environ.get(f"{ENVIRONMENT_PREFIX}CONFIG"):
        config = Path(environ[f"{ENVIRONMENT_PREFIX}CONFIG"])
    if config is not None:
        values = _read_file(config, root, _table_path(config), must_exist=True) or {}
    elif not isolated:
        values = _closest(root)
    for layer in (_from_environment(environ), _from_command_line(overrides or {})):
        for name, value in layer.items():
            adds_up = name in ("exclude", "ignore")
            values[name] = (*values.get(name, ()), *value) if adds_up else value
    if isolated:
        values["honour_comments"] = False
    return Settings(**values)


def config_file(root: Path) -> Path | None:
    """The file that an audit of ``root`` takes its settings from, if any."""
    for directory, name in _candidates(root):
        path = directory / name
        if path.is_file() and (name == FILE_NAME or _mentions_us(path)):
            return path
    return None


# --- rule selectors -------------------------------------------------------------------------------

_EXACT: Final = 3


def _specificity(selector: str, rule: Rule) -> int:
    if selector in (rule.id, rule.name):
        return _EXACT
    if selector == rule.id.rstrip("0123456789"):
        return 2
    return 1 if selector == "ALL" else 0


def selects(selector: str, rule_id: str, rule_name: str) -> bool:
    """Whether a selector (``ALL``, a family, an id or a name) covers the rule."""
    return selector in ("ALL", rule_id, rule_name, rule_id.rstrip("0123456789"))


@lru_cache(maxsize=1)
def _selectors() -> frozenset[str]:
    from auditor.catalog import catalog, rules

    return frozenset(
        {"ALL", *catalog()["families"], *rules(), *(rule.name for rule in rules().values())}
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean "x"?`` for the closest known word, or the empty string."""
    known = sorted(known)
    folded = {k.casefold(): k for k in known}
    from difflib import get_close_matches

    close = get_close_matches(word.casefold()[:200], folded, n=1, cutoff=0.6)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


# --- globs ----------------------------------------------------------------------------------------


def glob_match(pattern: str, path: str) -> bool:
    """Whether a gitignore-style glob covers a path or one of the directories above it.

    A pattern without an inner slash matches at any depth. Time is proportional to the product of
    the lengths, whatever the pattern.
    """
    parts = pattern.strip("/").split("/")
    if len(parts) == 1 and not pattern.startswith("/"):
        parts = ["**", *parts]
    segments = path.split("/")
    directory_only = pattern.endswith("/")
    longest = len(segments) - 1 if directory_only else len(segments)
    # reach: how many leading segments the pattern parts so far can have eaten.
    reach = before = {0}
    for part in parts:
        before = reach
        if part == "**":
            reach = set(range(min(reach), len(segments) + 1))
        else:
            reach = {
                n + 1 for n in reach if n < len(segments) and _segment_match(part, segments[n])
            }
        if not reach:
            return False
    if parts[-1] == "**":  # "dir/**" covers what is inside dir, not dir itself
        return min(before) < len(segments)
    return any(0 < n <= longest for n in reach)


@lru_cache(maxsize=4096)
def _segment_tokens(pattern: str) -> tuple[str | tuple[bool, frozenset[str]], ...]:
    """The pattern of one segment as ``*``, ``?``, single characters and character classes."""
    tokens: list[str | tuple[bool, frozenset[str]]] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        index += 1
        if character == "\\" and index < len(pattern):
            tokens.append((False, frozenset(pattern[index])))
            index += 1
        elif character == "[" and (end := pattern.find("]", index + 1)) > 0:
            body = pattern[index:end]
            index = end + 1
            negated = body[0] in "!^"
            body = body[1:] if negated else body
            members = set(body)
            for low, high in re.findall(r"(.)-(.)", body):
                members.update(map(chr, range(ord(low), min(ord(high), ord(low) + 256) + 1)))
            tokens.append((negated, frozenset(members)))
        elif character in "*?":
            if not (character == "*" and tokens and tokens[-1] == "*"):
                tokens.append(character)
        else:
            tokens.append((False, frozenset(character)))
    return tuple(tokens)


def _segment_match(pattern: str, text: str) -> bool:
    tokens = _segment_tokens(pattern)
    at = index = 0
    star = mark = -1
    while index < len(text):
        token = tokens[at] if at < len(tokens) else None
        if token == "*":
            star, mark = at, index
            at += 1
        elif token == "?" or (
            isinstance(token, tuple) and (text[index] in token[1]) is not token[0]
        ):
            at += 1
            index += 1
        elif star >= 0:
            mark += 1
            at, index = star + 1, mark
        else:
            return False
    return all(token == "*" for token in tokens[at:])


def rebase(pattern: str, prefix: str) -> tuple[str, ...]:
    """The globs that mean, in the directory ``prefix``, what ``pattern`` means above it.

    None when nothing below can match; several where ``**`` may or may not have eaten the prefix.

    >>> rebase("services/*/models", "services/api")
    ('/models',)
    """
    parts = pattern.strip("/").split("/")
    if not prefix or (len(parts) == 1 and not pattern.startswith("/")):
        return (pattern,)
    states = {0}
    for segment in prefix.split("/"):
        states = _skipping(parts, states)
        states = {
            n if parts[n] == "**" else n + 1
            for n in states
            if n < len(parts) and (parts[n] == "**" or _segment_match(parts[n], segment))
        }
    end = "/" if pattern.endswith("/") else ""
    # A glob used up by the prefix excludes the audited root itself, which somebody asked for.
    return tuple(
        "/" + "/".join(parts[n:]) + end for n in sorted(_skipping(parts, states)) if n < len(parts)
    )


def _skipping(parts: list[str], states: set[int]) -> set[int]:
    """The states reachable by letting ``**`` stand for nothing (a last one never does)."""
    found = set(states)
    for n in sorted(states):
        while n < len(parts) - 1 and parts[n] == "**":
            n += 1
            found.add(n)
    return found


# --- files ----------------------------------------------------------------------------------------


def _candidates(root: Path) -> list[tuple[Path, str]]:
    root = root.resolve()
    directories = [root]
    for directory in (root, *root.parents):
        if (directory / ".git").exists():
            directories = [root, *root.parents][: len(root.parts) - len(directory.parts) + 1]
            break
    return [(d, name) for d in directories for name in (FILE_NAME, "pyproject.toml")]


def _closest(root: Path) -> dict[str, Any]:
    for directory, name in _candidates(root):
        path = directory / name
        values = _read_file(path, root, _table_path(path), must_exist=False)
        if values is not None:
            return values
    return {}


def _table_path(path: Path) -> tuple[str, ...]:
    return ("tool", "deploy-audit") if path.name == "pyproject.toml" else ()


def _read_bytes(path: Path, *, must_exist: bool) -> bytes | None:
    """The file's bytes; None when there is no regular file of that name."""
    shown = _shown(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(f"{shown} is not a regular file")
        # A link that leads out of the directory would let a repository have other files read.
        if not must_exist and not path.resolve().is_relative_to(path.parent.resolve()):
            raise ConfigError("is a link that leads out of its directory", source=shown)
        if status.st_size > _MAX_BYTES:
            raise ConfigError(f"is larger than {_MAX_BYTES:,} bytes", source=shown)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if must_exist:
            raise ConfigError("there is no such configuration file", source=shown) from error
        return None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=shown) from error


def _mentions_us(path: Path) -> bool:
    try:
        return b"deploy-audit" in (_read_bytes(path, must_exist=False) or b"")
    except ConfigError:
        return False


def _shown(path: Path) -> str:
    """The path as a person would write it: relative to here when it is below here."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)


def _read_file(
    path: Path, root: Path, table: tuple[str, ...], *, must_exist: bool
) -> dict[str, Any] | None:
    """The values of one file by field name; None when it holds no table of ours."""
    if path.name == "pyproject.toml" and not must_exist:
        # A project's own pyproject.toml, however broken, is no configuration of ours unless
        # it mentions us: the parsers report what is wrong with it.
        try:
            data = _read_bytes(path, must_exist=False)
        except ConfigError:
            return None
        if data is None or b"deploy-audit" not in data:
            return None
    else:
        data = _read_bytes(path, must_exist=must_exist)
        if data is None:
            return None
    shown = _shown(path)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not valid UTF-8", source=shown, line=line) from error
    import tomllib

    try:
        document: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        message = f"is not valid TOML: {str(error).split(' (at ')[0]}"
        number = int(place[1]) if place else text.count("\n") + 1
        raise ConfigError(message, source=shown, line=number) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", source=shown) from error
    for key in table:
        document = document.get(key) if isinstance(document, dict) else None
    if document is None:
        if must_exist and table:
            raise ConfigError("has no [tool.deploy-audit] table", source=shown)
        return None
    return _Reader(path, shown, text, table, root.resolve(), document).values()


# --- from plain values to typed ones --------------------------------------------------------------


@record
class _Reader:
    """Checks one table and turns it into field values, naming the line of every mistake."""

    path: Path
    shown: str
    text: str
    table: tuple[str, ...]
    root: Path
    document: Any
    _places: Places | None = field(default=None, init=False)

    def values(self) -> dict[str, Any]:
        if not isinstance(self.document, dict):
            raise self.error((), f"expected a table, not {_kind(self.document)}")
        readers = {
            "select": self.selectors,
            "ignore": self.selectors,
            "exclude": self.globs,
            "per-file-ignores": self.per_file_ignores,
            "severity": self.severities,
            "profile": self.scalar,
            "fail-on": self.scalar,
            "min-score": self.scalar,
            "target-python": self.scalar,
            "baseline": self.baseline,
            "allow-empty": self.scalar,
        }
        values: dict[str, Any] = {}
        for key, value in self.document.items():
            if key not in readers:
                if key in ("online", "cache", "config"):
                    hint = "; it can only be said on the command line or in the environment"
                else:
                    hint = nearest(key.replace("_", "-"), readers)
                raise self.error((key,), f"unknown key{hint}")
            values[key.replace("-", "_")] = readers[key]((key,), value)
        return values

    @property
    def places(self) -> Places:
        if self._places is None:
            from auditor.tomllex import Places

            self._places = Places(self.text)
        return self._places

    def error(self, key: tuple[str, ...], message: str, value: str | None = None) -> ConfigError:
        path = self.table + key
        if value is not None:
            line = self.places.line_of_value(path, value)
        else:
            entry = self.places.find(path)
            line = entry.line if entry else None
        return ConfigError(message, source=self.shown, key=_dotted(path) or None, line=line)

    def scalar(self, key: tuple[str, ...], value: Any) -> Any:
        try:
            return _SCALARS[key[0]](value)
        except ValueError as error:
            raise self.error(key, str(error)) from None

    def strings(self, key: tuple[str, ...], value: Any, what: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.error(key, f"expected a list of {what}, not {_kind(value)}")
        for index, item in enumerate(value):
            if not isinstance(item, str):
                place = (*key[:-1], f"{key[-1]}[{index}]")
                raise ConfigError(
                    f"expected a string, not {_kind(item)}",
                    source=self.shown,
                    key=_dotted(self.table + place),
                    line=self.error(key, "").line,
                )
        return tuple(value)

    def selectors(self, key: tuple[str, ...], value: Any) -> tuple[str, ...]:
        found = self.strings(key, value, "rules (ids, names or families)")
        for word in found:
            if problem := _unknown_selector(word):
                raise self.error(key, problem, word)
        return found

    def globs(self, key: tuple[str, ...], value: Any) -> tuple[str, ...]:
        found = self.strings(key, value, "globs")
        return tuple(glob for pattern in found for glob in self.glob(key, pattern))

    def glob(self, key: tuple[str, ...], pattern: str) -> tuple[str, ...]:
        if problem := _bad_glob(pattern):
            raise self.error(key, problem, pattern)
        return rebase(pattern, self.prefix)

    @property
    def prefix(self) -> str:
        """The root as seen from the file's directory; empty when it is not below it."""
        home = self.path.resolve().parent
        relative = self.root.relative_to(home) if self.root.is_relative_to(home) else Path()
        return "" if relative == Path() else relative.as_posix()

    def per_file_ignores(self, key: tuple[str, ...], value: Any) -> tuple[PerFileIgnore, ...]:
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table of globs, not {_kind(value)}")
        found = []
        for pattern, entry in value.items():
            at = (*key, pattern)
            reason: str | None = None
            rules: Any = entry
            if isinstance(entry, dict):
                for name in entry:
                    if name not in ("rules", "reason"):
                        hint = nearest(name, ("rules", "reason"))
                        raise self.error((*at, name), f"unknown key{hint}")
                rules, reason = entry.get("rules", []), entry.get("reason")
                if reason is not None and not isinstance(reason, str):
                    raise self.error((*at, "reason"), f"expected a string, not {_kind(reason)}")
            elif not isinstance(entry, list):
                expected = 'a list of rules, or { rules = [...], reason = "..." }'
                raise self.error(at, f"expected {expected}, not {_kind(entry)}")
            selectors = self.selectors((*at, "rules") if isinstance(entry, dict) else at, rules)
            reason = (reason or "").strip() or None
            found += [
                PerFileIgnore(pattern=glob, rules=selectors, reason=reason, at=self.location(at))
                for glob in self.glob(at, pattern)
            ]
        return tuple(found)

    def location(self, key: tuple[str, ...]) -> Location | None:
        """Where a key stands, when the file lies inside the audited root."""
        home = self.path.resolve()
        entry = self.places.find(self.table + key)
        if entry is None or not home.is_relative_to(self.root):
            return None
        path = home.relative_to(self.root).as_posix()
        end = self.text.find("\n", entry.value_start)
        length = len(self.text[: end if end >= 0 else None].rsplit("\n", 1)[-1])
        return Location(path, entry.line, entry.column, entry.line, length + 1)

    def severities(self, key: tuple[str, ...], value: Any) -> tuple[tuple[str, Severity], ...]:
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table of rules, not {_kind(value)}")
        from auditor.catalog import rules

        by_name = {rule.name: rule.id for rule in rules().values()}
        found = {}
        for name, level in value.items():
            rule_id = by_name.get(name, name)
            if rule_id not in rules():
                hint = nearest(name, (*rules(), *by_name))
                raise self.error((*key, name), f"there is no rule of that name{hint}")
            try:
                found[rule_id] = _severity(level)
            except ValueError as error:
                raise self.error((*key, name), str(error)) from None
        return tuple(sorted(found.items()))

    def baseline(self, key: tuple[str, ...], value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise self.error(key, f"expected a path, not {_kind(value)}")
        home = self.path.resolve().parent
        path = (home / value).resolve()
        if "\0" in value or not path.is_relative_to(home):
            raise self.error(key, f"{value!r} leads out of the directory of this file")
        return str(path)


def _severity(value: Any) -> Severity:
    if not isinstance(value, str):
        raise ValueError(f"expected a severity, not {_kind(value)}")
    try:
        return Severity[value.upper()]
    except KeyError:
        names = [s.label for s in reversed(Severity)]
        raise ValueError(
            f"unknown severity {value!r}{nearest(value, names)} (one of {', '.join(names)})"
        ) from None


def parse_fail_on(value: Any) -> Severity | None:
    """The gate of that name: a severity, or None for ``never``. ValueError otherwise."""
    if value == "never":
        return None
    names = [s.label for s in reversed(Severity)] + ["never"]
    if not isinstance(value, str):
        raise ValueError(f"expected one of {', '.join(names)}, not {_kind(value)}")
    if value.lower() not in names:
        raise ValueError(
            f"unknown severity {value!r}{nearest(value, names)} (one of {', '.join(names)})"
        )
    return _severity(value)


def parse_profile(value: Any) -> Profile:
    """``default`` or ``strict``; ValueError otherwise."""
    names = get_args(Profile)
    if value not in names:
        shown = repr(value) if isinstance(value, str) else _kind(value)
        hint = nearest(value, names) if isinstance(value, str) else ""
        raise ValueError(f"expected one of {', '.join(names)}, not {shown}{hint}")
    return cast(Profile, value)


def parse_min_score(value: Any) -> int:
    """A whole number from 0 to 100; ValueError otherwise."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        shown = repr(value) if isinstance(value, int | str) else _kind(value)
        raise ValueError(f"expected a whole number from 0 to 100, not {shown}")
    return value


def parse_target_python(value: Any) -> str:
    """``X.Y``; ValueError otherwise."""
    if isinstance(value, float):
        raise ValueError('expected a version in quotes, such as "3.11" (3.10 is the number 3.1)')
    if not isinstance(value, str) or not re.fullmatch(r"[23]\.[0-9]{1,2}", value):
        shown = repr(value) if isinstance(value, str) else _kind(value)
        raise ValueError(f'expected a Python version such as "3.11", not {shown}')
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("1", "true", "yes", "on"):
        return True
    if isinstance(value, str) and value.lower() in ("0", "false", "no", "off", ""):
        return False
    shown = repr(value) if isinstance(value, str) else _kind(value)
    raise ValueError(f"expected true or false, not {shown}")


def _toml_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, not {_kind(value)}")
    return value


def _toml_integer(value: Any) -> int:
    if isinstance(value, str):
        raise ValueError("expected a whole number from 0 to 100, not a string")
    return parse_min_score(value)


_SCALARS: Final[dict[str, Any]] = {
    "profile": parse_profile,
    "fail-on": parse_fail_on,
    "min-score": _toml_integer,
    "target-python": parse_target_python,
    "allow-empty": _toml_boolean,
}


def _kind(value: Any) -> str:
    """What TOML calls a value of this type."""
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "an integer", float: "a float", list: "an array"}
    names[dict] = "a table"
    return next((n for t, n in names.items() if isinstance(value, t)), "a date or time")


def _dotted(path: Sequence[str]) -> str:
    bare = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])?")
    return ".".join(p if bare.fullmatch(p) else f'"{p}"' for p in path)


def _unknown_selector(word: str) -> str | None:
    if word in _selectors():
        return None
    return f"there is no rule, family or name {word!r}{nearest(word, _selectors())}"


def _bad_glob(pattern: str) -> str | None:
    if not pattern.strip("/ "):
        return "an empty glob"
    if len(pattern) > _MAX_PATTERN:
        return f"a glob longer than {_MAX_PATTERN} characters"
    if pattern.startswith("!"):
        return f"{pattern!r}: a glob cannot be negated here"
    if ".." in pattern.split("/"):
        return f"{pattern!r}: a glob cannot lead out of the root"
    return None


def _split(value: str) -> tuple[str, ...]:
    return tuple(item for part in value.split(",") if (item := part.strip()))


def _checked(words: Iterable[str], problem: Any) -> tuple[str, ...]:
    found = tuple(words)
    for word in found:
        if message := problem(word):
            raise ValueError(message)
    return found


_ENVIRONMENT: Final[dict[str, Any]] = {
    "SELECT": lambda v: _checked(_split(v), _unknown_selector),
    "IGNORE": lambda v: _checked(_split(v), _unknown_selector),
    "EXCLUDE": lambda v: _checked(_split(v), _bad_glob),
    "PROFILE": parse_profile,
    "FAIL_ON": parse_fail_on,
    "MIN_SCORE": parse_min_score,
    "TARGET_PYTHON": parse_target_python,
    "BASELINE": lambda v: str(Path(v).absolute()),
    "ALLOW_EMPTY": _boolean,
    "ONLINE": _boolean,
    "CACHE": _boolean,
}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, parse in _ENVIRONMENT.items():
        raw = environ.get(ENVIRONMENT_PREFIX + name)
        if not raw:  # set but empty is not set, as in most shells' habits
            continue
        try:
            values[name.lower()] = parse(raw)
        except ValueError as error:
            raise ConfigError(str(error), source=ENVIRONMENT_PREFIX + name) from None
    return values


def unknown_variables(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(variable, hint) for each ``DEPLOY_AUDIT_*`` variable that means nothing."""
    known = {ENVIRONMENT_PREFIX + name for name in (*_ENVIRONMENT, "CONFIG")}
    return tuple(
        (name, nearest(name, known))
        for name in sorted(environ)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known
    )


_ARGUMENTS: Final[dict[str, tuple[str, Any]]] = {
    "select": (
        "--select",
        lambda v: _checked((w for x in v for w in _split(x)), _unknown_selector),
    ),
    "ignore": (
        "--ignore",
        lambda v: _checked((w for x in v for w in _split(x)), _unknown_selector),
    ),
    "exclude": ("--exclude", lambda v: _checked(v, _bad_glob)),
    "profile": ("--profile", parse_profile),
    "fail_on": ("--fail-on", parse_fail_on),
    "min_score": ("--min-score", parse_min_score),
    "target_python": ("--target-python", parse_target_python),
    "baseline": ("--baseline", lambda v: str(Path(v).absolute())),
    "online": ("--online", bool),
    "cache": ("--no-cache", bool),
    "allow_empty": ("--allow-empty", bool),
}


def _from_command_line(overrides: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, raw in overrides.items():
        if raw is None or raw == [] or raw == ():
            continue
        option, parse = _ARGUMENTS[name]
        try:
            values[name] = parse(raw)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
    return values
