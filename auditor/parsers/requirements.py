"""Requirements files as pip reads them: logical lines, options, requirements, with their places.

The rules are those of pip's "Requirements File Format" and of PEP 508 (dependency specifiers);
where the two differ pip's behaviour is followed, since pip is what builds the image. Nothing here
looks at the file system: other files come through a callable. ``packaging`` is imported only for
lines that need it (markers, several clauses, URLs): most lines are ``name==1.2.3``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from auditor import lazy_re as re
from auditor.source import Fragment, Location, Problem, SourceText
from auditor.values import replace, value

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet

Reader = Callable[[str], SourceText | None]
"""Given a path relative to the root, the file's text, or None when there is no such file."""

Producer = Literal[
    "pip-compile",
    "uv pip compile",
    "pip freeze",
    "poetry export",
    "pdm export",
    "uv export",
    "pipenv requirements",
]


@value
class Vcs:
    """A version-control reference; ``is_commit`` when ``rev`` is a full commit hash."""

    scheme: str
    url: str
    rev: str | None = None
    is_commit: bool = False
    subdirectory: str | None = None


@value
class Requirement:
    """One dependency, however it was declared.

    ``name`` is as written, empty when nothing names the distribution (a bare path or URL);
    ``key`` is the normalised name (PEP 503). ``specifier`` and ``marker`` are as written, empty
    when absent. ``hashes`` are ``algorithm:hex``. ``at`` spans the requirement without its
    options; ``name_at``/``specifier_at`` the parts, None when they do not stand in the text.
    """

    name: str
    at: Location
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str | None = None
    vcs: Vcs | None = None
    path: str | None = None
    hashes: tuple[str, ...] = ()
    # Some of them are options (``--hash``): one behind a URL's ``#`` asks nothing of other lines.
    hash_options: bool = False
    editable: bool = False
    constraint: bool = False
    options: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    name_at: Location | None = None
    specifier_at: Location | None = None
    # Why a current pip refuses it, empty when it does not (older pips took legacy specifiers).
    rejected: str = ""
    # What a compiler wrote beside it: depending distributions, or ``-r FILE``.
    via: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The normalised name."""
        return normalise(self.name)

    @property
    def is_pinned(self) -> bool:
        """Exactly one version can satisfy it: ``==X.Y`` without ``*``, or ``===``."""
        return self.pinned_version is not None

    @property
    def pinned_version(self) -> str | None:
        """The version of ``==``/``===``; None when the specifier leaves a choice."""
        for clause in self.specifier.strip("() \t").split(","):
            match = _PIN.fullmatch(clause)
            if match and (match[1] == "===" or not match[2].endswith("*")) and "$" not in match[2]:
                return match[2]
        return None

    @property
    def likely_name(self) -> str:
        """The name, or what the last part of the URL or path suggests; empty when nothing does."""
        if self.name:
            return self.name
        text = (self.vcs.url if self.vcs else self.url) or self.path or ""
        last = text.partition("#")[0].partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if self.vcs:
            return last.removesuffix(".git")
        match = _SDIST.fullmatch(last)
        return match[1] if match else ""

    @property
    def specifier_set(self) -> SpecifierSet | None:
        """The specifier as ``packaging`` sees it; None for legacy ones it rejects."""
        return _specifier_set(self.specifier)

    def allows(self, version: str) -> bool | None:
        """Whether the specifier admits this version; None when one of the two is not PEP 440.

        Pre-releases count as admitted: the question is asked of versions that somebody chose.
        """
        if not self.specifier:
            return True
        specifiers = self.specifier_set
        if specifiers is None:
            return None
        from packaging.version import InvalidVersion, Version

        try:
            return specifiers.contains(Version(version), prereleases=True)
        except InvalidVersion:
            return None

    def applies(self, environment: Mapping[str, str]) -> bool | None:
        """Whether the marker holds; None when it needs a variable ``environment`` lacks."""
        return evaluate_marker(self.marker, environment)


@value
class Include:
    """``-r`` or ``-c``: ``target`` as written, ``path`` relative to the root (None for a URL)."""

    target: str
    path: str | None
    constraint: bool
    at: Location


@value
class Option:
    """A global option in its long spelling (``--index-url``); ``value`` is None for a flag."""

    name: str
    value: str | None
    at: Location


@value
class CompiledBy:
    """The tool that wrote the file, as its own comments say."""

    tool: Producer
    at: Location
    sources: tuple[str, ...] = ()
    python: str | None = None
    # False when there is no header and only the shape of the file tells.
    certain: bool = True


@value
class RequirementsFile:
    """One requirements file on its own: what it names and which files it leads to."""

    path: str
    requirements: tuple[Requirement, ...] = ()
    includes: tuple[Include, ...] = ()
    options: tuple[Option, ...] = ()
    compiled_by: CompiledBy | None = None
    # Variables (``${TOKEN}``) that pip would take from its environment, with their places.
    variables: tuple[tuple[str, Location], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def requires_hashes(self) -> bool:
        """Pip's hash-checking mode is on: ``--require-hashes``, or any line has ``--hash``."""
        return any(o.name == "--require-hashes" for o in self.options) or any(
            r.hash_options for r in self.requirements
        )


@value
class ResolvedRequirements:
    """Several files read as one ``pip install -r`` reads them, includes followed."""

    files: tuple[RequirementsFile, ...]
    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...]
    options: tuple[Option, ...]
    problems: tuple[Problem, ...]


_PIN = re.compile(r"\s*(===?)\s*([^\s,;]+)\s*")
_SDIST = re.compile(r"(.+?)-v?\d[^-]*\.(?:tar\.gz|tgz|zip|tar\.bz2|tar\.xz)")


@lru_cache(maxsize=4096)
def normalise(name: str) -> str:
    """The name under which an index knows the distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=2048)
def _specifier_set(text: str) -> SpecifierSet | None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text.strip().removeprefix("(").removesuffix(")"))
    except InvalidSpecifier:
        return None


@lru_cache(maxsize=2048)
def marker_object(text: str) -> Marker | None:
    """The marker as ``packaging`` sees it; None when it is not one."""
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(text)
    except (InvalidMarker, RecursionError):
        return None


# Quoted strings first, so that what remains are variables and operators.
_MARKER_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|([A-Za-z_][A-Za-z_.]*)")
_MARKER_WORDS = frozenset({"and", "or", "in", "not"})
_MARKER_OLD_NAMES = {
    "os.name": "os_name",
    "sys.platform": "sys_platform",
    "platform.version": "platform_version",
    "platform.machine": "platform_machine",
    "platform.python_implementation": "platform_python_implementation",
    "python_implementation": "platform_python_implementation",
}


def marker_variables(marker: str) -> frozenset[str]:
    """The environment variables of PEP 508 that a marker names."""
    names = (m[1] for m in _MARKER_TOKEN.finditer(marker) if m[1])
    return frozenset(_MARKER_OLD_NAMES.get(n, n) for n in names if n not in _MARKER_WORDS)


_EXTRA_TEST = re.compile(
    r"""\bextra\s*(==|!=)\s*(?:'([^']*)'|"([^"]*)")"""
    r"""|(?:'([^']*)'|"([^"]*)")\s*(==|!=)\s*extra\b"""
    r"""|(?:'([^']*)'|"([^"]*)")\s+(not\s+in|in)\s+(extras|dependency_groups)\b"""
)


def evaluate_marker(
    marker: str,
    environment: Mapping[str, str],
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> bool | None:
    """Whether a marker holds when these (normalised) extras and dependency groups are asked for.

    None when it is malformed or needs a variable that ``environment`` lacks. The machine that
    runs the audit has no say: its own environment is never consulted.
    """
    if not marker:
        return True
    if "extra" in marker or "dependency_groups" in marker:
        # Decided here, since several extras can be on at once, which ``extra`` cannot express.
        chosen = {"extra": frozenset(extras), "dependency_groups": frozenset(groups)}
        always = f'python_version == "{environment.get("python_version", "")}"'
        never = always.replace("==", "!=")

        def decide(match: re.Match[str]) -> str:
            name = next((g for g in match.group(2, 3, 4, 5, 7, 8) if g is not None), "")
            kind = "dependency_groups" if match[10] == "dependency_groups" else "extra"
            negated = (match[1] or match[6]) == "!=" or (match[9] or "in") != "in"
            return always if (normalise(name) in chosen[kind]) is not negated else never

        marker = _EXTRA_TEST.sub(decide, marker)
    variables = marker_variables(marker)
    if not variables <= environment.keys():
        return None
    return _evaluate(marker, tuple((v, environment[v]) for v in sorted(variables)))


@lru_cache(maxsize=8192)
def _evaluate(marker: str, values: tuple[tuple[str, str], ...]) -> bool | None:
    parsed = marker_object(marker)
    if parsed is None:
        return None
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName

    try:
        return parsed.evaluate({"extra": "", **dict(values)})
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError, RecursionError):
        return None


# --- logical lines -----------------------------------------------------------------------

MAX_LINE = 1 << 16
MAX_REQUIREMENT = 1 << 13
MAX_DEPTH = 32
MAX_FILES = 256

Locate = Callable[[int, int], Location]


@value(kw_only=False)
class _Line:
    """A logical line without its comment; ``locate`` takes offsets into ``text``."""

    text: str
    locate: Locate
    number: int
    comment: str


def _locator(path: str, line: int, column: int) -> Locate:
    def locate(start: int, end: int) -> Location:
        return Location(path, line, column + start, line, column + end)

    return locate


def _shifted(locate: Locate, offset: int) -> Locate:
    def shifted(start: int, end: int) -> Location:
        return locate(start + offset, end + offset)

    return shifted


def _comment_start(text: str) -> int:
    """Where the comment begins: a ``#`` at the start or after white space; -1 for none."""
    at = text.find("#")
    while at > 0 and not text[at - 1].isspace():
        at = text.find("#", at + 1)
    return at


def _physical(source: SourceText) -> Iterator[tuple[str, int, int]]:
    """(text, line, column) of the lines as ``str.splitlines`` cuts them, which is what pip does."""
    for number, line in enumerate(source.lines, start=1):
        parts = line.splitlines(keepends=True)
        if len(parts) <= 1:
            yield (
                (parts[0].rstrip("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") if parts else ""),
                number,
                1,
            )
            continue
        column = 1
        for part in parts:
            yield part.splitlines()[0], number, column
            column += len(part)


def _logical(source: SourceText) -> Iterator[_Line]:
    """Continuations joined, comments cut off, blank lines left out (pip's ``preprocess``)."""
    pieces: list[tuple[str, int, int]] = []
    for text, number, column in _physical(source):
        is_comment = text.lstrip().startswith("#")
        if text.endswith("\\") and not is_comment:
            stripped = text.lstrip("\\")
            column += len(text) - len(stripped)
            pieces.append((stripped.rstrip("\\"), number, column))
            continue
        if pieces:
            # The space makes a comment line end the joined line instead of extending it.
            pieces.append(
                (" " + text, number, column - 1) if is_comment else (text, number, column)
            )
            yield from _joined(source.path, pieces)
            pieces = []
        elif text and not text.isspace():
            yield from _single(source.path, text, number, column)
    if pieces:
        yield from _joined(source.path, pieces)


def _single(path: str, text: str, number: int, column: int) -> Iterator[_Line]:
    cut = _comment_start(text) if "#" in text else -1
    comment = text[cut + 1 :].strip() if cut >= 0 else ""
    body = text[:cut] if cut >= 0 else text
    stripped = body.strip()
    if stripped:
        column += len(body) - len(body.lstrip())
        yield _Line(stripped, _locator(path, number, column), number, comment)


def _joined(path: str, pieces: list[tuple[str, int, int]]) -> Iterator[_Line]:
    fragment = Fragment(path, pieces)
    text = fragment.text
    cut = _comment_start(text)
    comment = text[cut + 1 :].strip() if cut >= 0 else ""
    body = text[:cut] if cut >= 0 else text
    stripped = body.strip()
    if stripped:
        lead = len(body) - len(body.lstrip())
        yield _Line(stripped, _shifted(fragment.location, lead), pieces[0][1], comment)


# --- options -----------------------------------------------------------------------------

# Long spelling by every spelling; True when it takes a value.
_OPTIONS: dict[str, tuple[str, bool]] = {
    "-i": ("--index-url", True),
    "--index-url": ("--index-url", True),
    "--pypi-url": ("--index-url", True),
    "--extra-index-url": ("--extra-index-url", True),
    "--no-index": ("--no-index", False),
    "-c": ("--constraint", True),
    "--constraint": ("--constraint", True),
    "-r": ("--requirement", True),
    "--requirement": ("--requirement", True),
    "-e": ("--editable", True),
    "--editable": ("--editable", True),
    "-f": ("--find-links", True),
    "--find-links": ("--find-links", True),
    "--no-binary": ("--no-binary", True),
    "--only-binary": ("--only-binary", True),
    "--prefer-binary": ("--prefer-binary", False),
    "--require-hashes": ("--require-hashes", False),
    "--no-require-hashes": ("--no-require-hashes", False),
    "--pre": ("--pre", False),
    "--all-releases": ("--all-releases", True),
    "--only-final": ("--only-final", True),
    "--trusted-host": ("--trusted-host", True),
    "--use-feature": ("--use-feature", True),
    "--hash": ("--hash", True),
    "-C": ("--config-settings", True),
    "--config-setting": ("--config-settings", True),
    "--config-settings": ("--config-settings", True),
}
# Options of older pips: understood, since the pip of the image may be old, and said to be gone.
_OLD_OPTIONS: dict[str, tuple[str, bool]] = {
    "--global-option": ("--global-option", True),
    "--install-option": ("--install-option", True),
    "--process-dependency-links": ("--process-dependency-links", False),
    "--allow-external": ("--allow-external", True),
    "--allow-unverified": ("--allow-unverified", True),
    "--allow-all-external": ("--allow-all-external", False),
    "--use-wheel": ("--use-wheel", False),
    "--no-use-wheel": ("--no-use-wheel", False),
    "--always-unzip": ("--always-unzip", False),
    "-Z": ("--always-unzip", False),
}
_PER_REQUIREMENT = frozenset({"--hash", "--config-settings", "--global-option", "--install-option"})
_HASH = re.compile(r"(sha256|sha384|sha512):(.*)", re.DOTALL)


class _OptionError(Exception):
    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


_PLAIN_WORD = re.compile(r"[^ \t\r\n]+")


def _words(text: str) -> list[tuple[str, int, int]]:
    """(word, start, end) as a POSIX shell splits; ``_OptionError`` for an open quote."""
    if not any(c in text for c in "'\"\\"):
        return [(m[0], m.start(), m.end()) for m in _PLAIN_WORD.finditer(text)]
    words: list[tuple[str, int, int]] = []
    index, size = 0, len(text)
    while index < size:
        if text[index] in " \t\r\n":
            index += 1
            continue
        start = index
        parts: list[str] = []
        while index < size and text[index] not in " \t\r\n":
            char = text[index]
            if char == "'":
                close = text.find("'", index + 1)
                if close < 0:
                    raise _OptionError("a quotation is not closed", index, size)
                parts.append(text[index + 1 : close])
                index = close + 1
            elif char == '"':
                index += 1
                while index < size and text[index] != '"':
                    if text[index] == "\\" and text[index + 1 : index + 2] in ('"', "\\"):
                        index += 1
                    parts.append(text[index])
                    index += 1
                if index >= size:
                    raise _OptionError("a quotation is not closed", start, size)
                index += 1
            elif char == "\\":
                if index + 1 >= size:
                    raise _OptionError("nothing follows the backslash", index, size)
                parts.append(text[index + 1])
                index += 2
            else:
                parts.append(char)
                index += 1
        words.append(("".join(parts), start, index))
    return words


@value(kw_only=False)
class _Given:
    """An option of one line: offsets are those of the whole ``--name value``."""

    name: str
    value: str | None
    start: int
    end: int
    value_start: int
    value_end: int


def _look_up(word: str, start: int, end: int) -> tuple[str, bool]:
    found = _OPTIONS.get(word) or _OLD_OPTIONS.get(word)
    if found:
        return found
    if word.startswith("--"):
        # optparse accepts any unambiguous prefix.
        targets = sorted({o for o in _OPTIONS if o.startswith(word)})
        if len(targets) == 1:
            return _OPTIONS[targets[0]]
        if targets:
            listed = ", ".join(targets)
            raise _OptionError(f"ambiguous option: {word} ({listed}?)", start, end)
    raise _OptionError(f"no such option: {word}", start, end)


def _options(text: str) -> list[_Given]:
    """The options of a line, by the rules of ``optparse``; stray words are ignored as pip does."""
    words = _words(text)
    given: list[_Given] = []
    index = 0
    while index < len(words):
        word, start, end = words[index]
        index += 1
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            continue
        value: str | None
        if word.startswith("--"):
            name, equals, attached = word.partition("=")
            long, takes = _look_up(name, start, end)
            value_start = start + len(name) + 1
            if equals and not takes:
                raise _OptionError(f"{name} option does not take a value", start, end)
            value = attached if equals else None
        else:
            # A cluster of flags, or a flag with its value attached: no short flag but -Z exists.
            long, takes = _look_up(word[:2], start, end)
            value = word[2:] if takes and len(word) > 2 else None
            value_start = start + 2
            if not takes and len(word) > 2:
                raise _OptionError(f"no such option: -{word[2]}", start, end)
        value_end = end
        if takes and value is None:
            if index >= len(words):
                raise _OptionError(f"{word} option requires 1 argument", start, end)
            value, value_start, value_end = words[index]
            index += 1
        if long == "--hash" and value is not None:
            _check_hash(value, start, value_end)
        given.append(_Given(long, value, start, value_end, value_start, value_end))
    return given


def _check_hash(value: str, start: int, end: int) -> None:
    if ":" not in value:
        raise _OptionError("a --hash must be ALGORITHM:DIGEST", start, end)
    if not _HASH.fullmatch(value):
        raise _OptionError("a --hash must be one of sha256, sha384, sha512", start, end)


# --- one requirement ---------------------------------------------------------------------

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_LOCAL = r"\+[a-z0-9]+(?:[._-][a-z0-9]+)*"
_CLAUSE = (
    rf"(?:[=!]=[ \t]*+(?:[0-9]+(?:\.[0-9]+)*\.\*|{_VERSION}(?:{_LOCAL})?)"
    rf"|[<>]=?[ \t]*+{_VERSION}"
    r"|~=[ \t]*+[0-9]+(?:\.[0-9]+)+(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?)"
)
_EXTRAS = rf"\[[ \t]*+(?:{_NAME}(?:[ \t]*+,[ \t]*+{_NAME})*)?[ \t]*+\]"
# What most lines are. A line that matches is read without ``packaging``, with the same result.
_SIMPLE = re.compile(
    rf"(?P<name>{_NAME})[ \t]*+(?P<extras>{_EXTRAS})?[ \t]*+"
    rf"(?P<specifier>{_CLAUSE}(?:[ \t]*+,[ \t]*+{_CLAUSE})*)?[ \t]*+"
)
_MARKER_VARIABLE = (
    "(?:python_version|python_full_version|os_name|sys_platform|platform_system"
    "|platform_machine|platform_python_implementation|implementation_name)"
)
_MARKER_CLAUSE = (
    rf"{_MARKER_VARIABLE}[ \t]*+(?:==|!=|<=|>=|<|>)[ \t]*+(?:'[A-Za-z0-9_.]*'|\"[A-Za-z0-9_.]*\")"
)
_SIMPLE_MARKER = re.compile(rf"{_MARKER_CLAUSE}(?:[ \t]++(?:and|or)[ \t]++{_MARKER_CLAUSE})*")

_HEAD = re.compile(
    r"\s*+(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)\s*+(?P<extras>\[[^\]]*\])?\s*+(?P<rest>[^\s].*)?",
    re.DOTALL,
)
_EGG = re.compile(r"[#&]egg=([^&]*)")
_SUBDIRECTORY = re.compile(r"[#&]subdirectory=([^&]*)")
_URL_HASH = re.compile(r"[#&](sha1|sha224|sha384|sha256|sha512|md5)=([0-9A-Fa-f]+)")
_FULL_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_ARCHIVES = (
    ".zip",
    ".whl",
    ".tar.bz2",
    ".tbz",
    ".tar.gz",
    ".tgz",
    ".tar",
    ".tar.xz",
    ".txz",
    ".tlz",
    ".tar.lz",
    ".tar.lzma",
)
_VCS_SCHEMES = {
    "git": ("http", "https", "ssh", "git", "file"),
    "hg": ("file", "http", "https", "ssh", "static-http"),
    "svn": ("ssh", "http", "https", "svn", "file"),
    "bzr": ("http", "https", "ssh", "sftp", "ftp", "lp", "file"),
}
_ALL_VCS = frozenset(f"{v}+{s}" for v, schemes in _VCS_SCHEMES.items() for s in schemes)
_URL_SCHEMES = frozenset({"http", "https", "file", "ftp"}) | _ALL_VCS


def _scheme(text: str) -> str:
    return text.split(":", 1)[0].lower() if ":" in text else ""


def _read_url(url: str) -> tuple[Vcs | None, str, tuple[str, ...]]:
    """(version control reference, name from the egg fragment, hashes) of a direct URL."""
    egg = _EGG.search(url)
    hashes = tuple(f"{m[1]}:{m[2].lower()}" for m in _URL_HASH.finditer(url))
    scheme = _scheme(url)
    vcs = None
    if scheme in _ALL_VCS:
        kind, _, _ = scheme.partition("+")
        bare = url[len(kind) + 1 :].partition("#")[0]
        rev = None
        # The revision follows the last "@" of the path; one before the path is a user name.
        root, _, rest = bare.partition("://")
        host, slash, path = rest.partition("/")
        if "@" in path:
            path, _, rev = path.rpartition("@")
            bare = f"{root}://{host}{slash}{path}"
        subdirectory = _SUBDIRECTORY.search(url)
        vcs = Vcs(
            scheme=kind,
            url=bare,
            rev=rev,
            is_commit=bool(rev and _FULL_COMMIT.fullmatch(rev)),
            subdirectory=subdirectory[1] if subdirectory else None,
        )
    return vcs, egg[1] if egg else "", hashes


def _split_extras(text: str) -> tuple[str, tuple[str, ...]]:
    """``path[a,b]`` into the path and its extras."""
    if text.endswith("]") and "[" in text:
        head, _, tail = text.rpartition("[")
        return head, tuple(e.strip() for e in tail[:-1].split(",") if e.strip())
    return text, ()


def _wheel_name(filename: str) -> tuple[str, str] | None:
    """(name, version) of a wheel's file name."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    return parts[0], parts[1]


def _extras_of(text: str | None) -> tuple[str, ...]:
    parts = text[1:-1].split(",") if text else ()
    return tuple(dict.fromkeys(e.strip() for e in parts if e.strip()))


def parse_requirement(
    text: str,
    locate: Locate,
    *,
    editable: bool = False,
    pip_forms: bool = True,
) -> Requirement | Problem:
    """One requirement, such as an argument of ``pip install`` or an entry of an array.

    ``locate(start, end)`` says where characters of ``text`` stand. With ``pip_forms`` bare URLs,
    paths and VCS references are accepted; without, only PEP 508. A specifier that a current pip
    rejects still yields a requirement, with pip's reason in ``rejected``.
    """
    match = None if editable else _SIMPLE.fullmatch(text)
    if match:
        name = match["name"]
        if pip_forms and not match["specifier"] and name.lower().endswith(_ARCHIVES):
            return _from_path(name, "", locate, len(text), editable=False)
        return _simple(match, "", locate, len(text.rstrip()))
    if len(text) > MAX_REQUIREMENT:
        return Problem(at=locate(0, 80), message=f"a requirement of {len(text)} characters")
    lead = len(text) - len(text.lstrip())
    if lead or text != text.rstrip():
        return parse_requirement(
            text.strip(), _shifted(locate, lead), editable=editable, pip_forms=pip_forms
        )
    if not text:
        return Problem(at=locate(0, 0), message="an empty requirement")
    if editable:
        return _from_editable(text, locate)
    is_url = pip_forms and _scheme(text) in _URL_SCHEMES
    body, separator, marker = _split_marker(text, is_url, pip_forms)
    body, marker = body.strip(), marker.strip()
    if marker and not _SIMPLE_MARKER.fullmatch(marker) and marker_object(marker) is None:
        return Problem(
            at=locate(len(text) - len(marker), len(text)),
            message=f"pip rejects the environment marker {marker!r}",
        )
    match = _SIMPLE.fullmatch(body) if separator else None
    if match and (match["specifier"] or not match["name"].lower().endswith(_ARCHIVES)):
        return _simple(match, marker, locate, len(text))
    if is_url:
        return _from_url(body, marker, locate, len(text), editable=False)
    if pip_forms and _is_path(body):
        return _from_path(body, marker, locate, len(text), editable=False)
    return _from_pep508(body, marker, locate, len(text))


def _split_marker(text: str, is_url: bool, pip_forms: bool) -> tuple[str, str, str]:
    # PEP 508 ends a URL at white space; pip cuts at the first semicolon, come what may.
    if not pip_forms and "@" in text:
        match = re.search(r"\s;", text)
        return (text[: match.start()], ";", text[match.end() :]) if match else (text, "", "")
    return text.partition("; " if is_url else ";")


def _is_path(text: str) -> bool:
    """Whether pip would look for a file: it names an archive, or looks like a path."""
    plain = _split_extras(text)[0].rstrip().lower()
    before_at, at, _ = text.partition("@")
    if at and not ("/" in before_at or before_at.startswith(".")):
        return False
    return "/" in text or text.startswith(".") or plain.endswith(_ARCHIVES)


def _simple(match: re.Match[str], marker: str, locate: Locate, whole: int) -> Requirement:
    specifier = match["specifier"] or ""
    return Requirement(
        name=match["name"],
        at=locate(0, whole),
        specifier=specifier,
        extras=_extras_of(match["extras"]),
        marker=marker,
        name_at=locate(match.start("name"), match.end("name")),
        specifier_at=locate(*match.span("specifier")) if specifier else None,
    )


def _rejected(text: str, error: Exception) -> str:
    reason = (str(error).splitlines() or ["it is not a requirement"])[0]
    if "=" in text and not any(o in text for o in ("==", "~=", "!=", "<=", ">=", "<", ">")):
        reason += "; = is no operator, == is"
    elif "/" in text:
        reason += "; it looks like a path"
    return reason


def _from_pep508(text: str, marker: str, locate: Locate, whole: int) -> Requirement | Problem:
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    head = _HEAD.fullmatch(text)
    at = locate(0, whole)
    rejected = ""
    parsed = None
    if not _VARIABLE.search(text):
        try:
            parsed = Parsed(text)
        except (InvalidRequirement, RecursionError) as error:
            rejected = _rejected(text, error)
    if head is None or (parsed is None and not (head["rest"] or "").startswith(tuple("<>=!~(@"))):
        reason = rejected or "a variable stands where a name should"
        return Problem(at=at, message=f"pip rejects {_short(text)!r}: {reason}")
    rest = head["rest"] or ""
    if rest.startswith("@"):
        url = parsed.url if parsed is not None and parsed.url else rest[1:].strip()
        vcs, _, hashes = _read_url(url)
        return Requirement(
            name=head["name"],
            at=at,
            extras=_extras_of(head["extras"]),
            marker=marker,
            url=url,
            vcs=vcs,
            path=_file_path(url),
            hashes=hashes,
            name_at=locate(*head.span("name")),
            rejected=rejected,
        )
    return Requirement(
        name=head["name"],
        at=at,
        specifier=rest.rstrip(),
        extras=_extras_of(head["extras"]),
        marker=marker,
        name_at=locate(*head.span("name")),
        specifier_at=(
            locate(head.start("rest"), head.start("rest") + len(rest.rstrip())) if rest else None
        ),
        rejected=rejected,
    )


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:119] + "…"


def _file_path(url: str) -> str | None:
    """The path of a ``file:`` URL."""
    if not url.lower().startswith("file:"):
        return None
    from urllib.parse import unquote

    path = url[5:].partition("#")[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return unquote(path)


def _from_url(
    url: str, marker: str, locate: Locate, whole: int, *, editable: bool
) -> Requirement | Problem:
    vcs, egg, hashes = _read_url(url)
    name, specifier, rejected = "", "", ""
    extras: tuple[str, ...] = ()
    name_at = None
    filename = url.partition("#")[0].partition("?")[0].rsplit("/", 1)[-1]
    wheel = None if vcs else _wheel_name(filename)
    if wheel:
        name, specifier = wheel[0], f"=={wheel[1]}"
        start = url.rfind(filename, 0, len(url.partition("#")[0]))
        name_at = locate(start, start + len(name))
    elif egg:
        head = _HEAD.fullmatch(egg)
        if head is None:
            rejected = f"the egg fragment {_short(egg)!r} is not a name"
        else:
            name, extras = head["name"], _extras_of(head["extras"])
            start = url.find("egg=") + 4
            name_at = locate(start, start + len(name))
    if editable and vcs and not name:
        rejected = rejected or "an editable reference needs #egg=NAME or NAME @ URL"
    return Requirement(
        name=name,
        at=locate(0, whole),
        specifier=specifier,
        extras=extras,
        marker=marker,
        url=url,
        vcs=vcs,
        path=_file_path(url),
        hashes=hashes,
        editable=editable,
        name_at=name_at,
        rejected=rejected,
    )


def _from_path(
    text: str, marker: str, locate: Locate, whole: int, *, editable: bool
) -> Requirement:
    path, extras = _split_extras(text)
    path, _, fragment = path.partition("#")
    wheel = _wheel_name(path.rsplit("/", 1)[-1])
    egg = _EGG.search("#" + fragment) if fragment else None
    return Requirement(
        name=wheel[0] if wheel else egg[1] if egg else "",
        at=locate(0, whole),
        specifier=f"=={wheel[1]}" if wheel else "",
        extras=extras,
        marker=marker,
        path=path,
        editable=editable,
    )


def _from_editable(text: str, locate: Locate) -> Requirement | Problem:
    whole = len(text)
    if "@" in text and _HEAD.fullmatch(text):
        body, _, marker = text.partition(" ;")
        direct = _from_pep508(body.strip(), marker.strip(), locate, whole)
        if isinstance(direct, Requirement) and direct.url and not direct.rejected:
            if direct.vcs is None and direct.path is None:
                direct = replace(direct, rejected="only a path or a VCS URL can be editable")
            return replace(direct, editable=True)
    url = text
    scheme = _scheme(text)
    if scheme in _VCS_SCHEMES:
        url = f"{scheme}+{text}"
        locate = _shifted(locate, -len(scheme) - 1)
        whole = len(url)
    if _scheme(url) in _ALL_VCS:
        read = _from_url(url, "", locate, whole, editable=True)
        if scheme in _VCS_SCHEMES and isinstance(read, Requirement):
            # The place is that of the text as it stands, without the prefix pip adds.
            return replace(read, at=locate(len(scheme) + 1, whole))
        return read
    if scheme == "file":
        bare, extras = _split_extras(text)
        read = _from_url(bare, "", locate, whole, editable=True)
        return replace(read, extras=extras) if extras and isinstance(read, Requirement) else read
    requirement = _from_path(text, "", locate, whole, editable=True)
    if scheme in _URL_SCHEMES or "://" in text or re.match(r"git\+git@", text):
        return replace(
            requirement, path=None, url=text, rejected="only a path or a VCS URL can be editable"
        )
    return requirement


# --- whole files -------------------------------------------------------------------------


def decode(path: str, data: bytes) -> SourceText:
    """Decode as pip does: a byte-order mark, else a coding line among the first two, else UTF-8."""
    if not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        for line in data.split(b"\n", 2)[:2]:
            cookie = re.search(rb"coding[:=]\s*([-\w.]+)", line[:256]) if line[:1] == b"#" else None
            if cookie:
                codec = cookie[1].decode("ascii", "replace")
                try:
                    return SourceText(path, data.decode(codec))
                except (UnicodeDecodeError, LookupError, ValueError):
                    problem = Problem(
                        at=Location(path, 1), message=f"the file is not {codec} as it says"
                    )
                    text = data.decode("utf-8", errors="replace")
                    return SourceText(path, text, problems=(problem,))
    return SourceText.decode(path, data)


def parse(source: SourceText) -> RequirementsFile:
    """One file; never raises. Lines that pip rejects become problems with pip's reason."""
    reading = _Reading(source)
    for line in _logical(source):
        reading.take(line)
    return reading.result()


def parse_arguments(
    path: str, lines: Iterable[tuple[str, Callable[[int, int], Location]]]
) -> RequirementsFile:
    """Lines that stand in another file, such as the pip section of a conda environment.

    Each line comes with a function from offsets to places; ``path`` is the file's, relative to
    which ``-r`` is followed.
    """
    reading = _Reading(SourceText(path, ""))
    for number, (text, locate) in enumerate(lines, start=1):
        cut = _comment_start(text)
        body = text[:cut] if cut >= 0 else text
        lead = len(body) - len(body.lstrip())
        if body.strip():
            comment = text[cut + 1 :].strip() if cut >= 0 else ""
            reading.take(_Line(body.strip(), _shifted(locate, lead), number, comment))
    return reading.result()


class _Reading:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.requirements: list[Requirement] = []
        self.lines: list[int] = []
        self.includes: list[Include] = []
        self.options: list[Option] = []
        self.variables: list[tuple[str, Location]] = []
        self.problems: list[Problem] = list(source.problems)

    def take(self, line: _Line) -> None:
        text, locate = line.text, line.locate
        if len(text) > MAX_LINE:
            self.problems.append(
                Problem(at=locate(0, 1), message=f"a line of {len(text)} characters is not read")
            )
            return
        if "${" in text:
            self.variables.extend(
                (m[1], locate(m.start(), m.end())) for m in _VARIABLE.finditer(text)
            )
        arguments, offset = text, len(text)
        if text.startswith("-"):
            arguments, offset = "", 0
        elif " -" in text:
            offset = text.find(" -") + 1
            arguments = text[:offset]
        given: list[_Given] = []
        refused = ""
        if offset < len(text):
            try:
                given = _options(text[offset:])
            except _OptionError as error:
                refused = str(error)
                self.problems.append(
                    Problem(
                        at=locate(offset + error.start, offset + error.end),
                        message=f"pip rejects the line: {error}",
                    )
                )
                if not arguments:
                    return
        if arguments:
            self._requirement(arguments, 0, line, given, editable=False, refused=refused)
            return
        edit = next((g for g in given if g.name == "--editable"), None)
        if edit is not None:
            value = edit.value or ""
            start = edit.value_start
            if text[start : start + 1] in "'\"" and text[start + 1 :].startswith(value):
                start += 1
            self._requirement(value, start, line, given, editable=True)
            return
        self._options(given, locate)

    def _requirement(
        self,
        text: str,
        start: int,
        line: _Line,
        given: list[_Given],
        *,
        editable: bool,
        refused: str = "",
    ) -> None:
        locate = _shifted(line.locate, start) if start else line.locate
        read = parse_requirement(text, locate, editable=editable)
        if isinstance(read, Problem):
            self.problems.append(read)
            return
        if read.rejected:
            at = read.specifier_at or read.at
            self.problems.append(
                Problem(at=at, message=f"pip rejects {_short(text.strip())!r}: {read.rejected}")
            )
        changes: dict[str, object] = {"rejected": refused} if refused else {}
        if given:
            hashes = tuple(g.value or "" for g in given if g.name == "--hash")
            others = tuple(
                (g.name, g.value or "")
                for g in given
                if g.name in _PER_REQUIREMENT and g.name != "--hash"
            )
            if hashes:
                changes["hashes"] = read.hashes + hashes
                changes["hash_options"] = True
            if others:
                changes["options"] = others
        if line.comment:
            changes["comment"] = line.comment
        if changes:
            read = replace(read, **changes)
        self.requirements.append(read)
        self.lines.append(line.number)

    def _options(self, given: list[_Given], locate: Locate) -> None:
        include = next((g for g in given if g.name == "--requirement"), None) or next(
            (g for g in given if g.name == "--constraint"), None
        )
        if include is not None:
            # pip follows one file a line and ignores what else the line says.
            value = include.value or ""
            self.includes.append(
                Include(
                    target=value,
                    path=include_path(self.source.path, value),
                    constraint=include.name == "--constraint",
                    at=locate(include.start, include.end),
                )
            )
            return
        for option in given:
            at = locate(option.start, option.end)
            if option.name in _PER_REQUIREMENT:
                self.problems.append(
                    Problem(at=at, message=f"pip ignores {option.name} without a requirement")
                )
                continue
            if any(option.name == long for long, _ in _OLD_OPTIONS.values()):
                message = f"current pips know no {option.name}"
                self.problems.append(Problem(at=at, message=message))
            self.options.append(Option(name=option.name, value=option.value, at=at))

    def result(self) -> RequirementsFile:
        compiled = _compiled_by(self.source, self.requirements, self.options)
        requirements = self.requirements
        if "# via" in self.source.text:
            requirements = _with_via(self.source, requirements, self.lines)
        return RequirementsFile(
            path=self.source.path,
            requirements=tuple(requirements),
            includes=tuple(self.includes),
            options=tuple(self.options),
            compiled_by=compiled,
            variables=tuple(self.variables),
            problems=tuple(self.problems),
        )


def include_path(path: str, target: str) -> str | None:
    """``target`` as named in the file ``path``; None for URLs and paths outside the root."""
    if _scheme(target) in ("http", "https", "file") or target.startswith("/") or "${" in target:
        return None
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    return None if joined == ".." or joined.startswith("../") else joined


def resolve(path: str, read: Reader) -> ResolvedRequirements:
    """Follow ``-r`` and ``-c`` from ``path``; cycles and missing files are problems.

    The order is pip's: an include stands where its line does. As in pip, ``-r`` inside a
    constraints file adds requirements, and a file that two others include counts once here.
    """
    state = _Resolution(read)
    state.follow(path, False, (), None)
    return ResolvedRequirements(
        files=tuple(state.files.values()),
        requirements=tuple(state.requirements),
        constraints=tuple(state.constraints),
        options=tuple(state.options),
        problems=tuple(state.problems),
    )


class _Resolution:
    def __init__(self, read: Reader) -> None:
        self.read = read
        self.files: dict[str, RequirementsFile] = {}
        self.done: set[tuple[str, bool]] = set()
        self.requirements: list[Requirement] = []
        self.constraints: list[Requirement] = []
        self.options: list[Option] = []
        self.problems: list[Problem] = []

    def follow(
        self, path: str, constraint: bool, above: tuple[str, ...], edge: Include | None
    ) -> None:
        at = edge.at if edge else Location(path)
        if path in above:
            self._problem(at, f"{above[-1]} includes {path}, which leads back to it: pip refuses")
            return
        if (path, constraint) in self.done:
            return
        if len(above) >= MAX_DEPTH or len(self.files) >= MAX_FILES:
            self._problem(at, f"{path} is not followed: more than {MAX_DEPTH} files deep or "
                              f"{MAX_FILES} files")  # fmt: skip
            return
        self.done.add((path, constraint))
        facts = self.files.get(path)
        if facts is None:
            source = self.read(path)
            if source is None:
                named = (
                    f"{above[-1]} includes {path}, which does not exist"
                    if above
                    else (f"{path} does not exist")
                )
                self._problem(at, named)
                return
            facts = self.files[path] = parse(source)
            self.problems.extend(facts.problems)
        # Requirements and includes in the order of their lines.
        order: list[Requirement | Include] = [*facts.requirements, *facts.includes]
        if facts.includes:
            order.sort(key=lambda fact: (fact.at.line, fact.at.column))
        for fact in order:
            if isinstance(fact, Requirement):
                self._add(fact, constraint)
            elif fact.path is not None:
                self.follow(fact.path, fact.constraint, (*above, path), fact)
            else:
                where = "is not in the repository" if "://" not in fact.target else "is remote"
                self._problem(fact.at, f"{path} includes {_short(fact.target)}, which {where}")
        self.options.extend(facts.options)

    def _add(self, requirement: Requirement, constraint: bool) -> None:
        if constraint:
            self.constraints.append(replace(requirement, constraint=True))
        else:
            self.requirements.append(requirement)

    def _problem(self, at: Location, message: str) -> None:
        self.problems.append(Problem(at=at, message=message))


# --- who wrote it ------------------------------------------------------------------------

_HEADERS: tuple[tuple[str, Producer], ...] = (
    ("autogenerated by pip-compile", "pip-compile"),
    ("autogenerated by uv", "uv pip compile"),
    ("@generated by pdm", "pdm export"),
    ("requirements were added by pip freeze", "pip freeze"),
)
# Options of pip-compile and ``uv pip compile`` whose value is the next word.
_COMPILE_VALUES = frozenset(
    {"-o", "--output-file", "-c", "--constraint", "--constraints", "-P", "--upgrade-package",
     "-i", "--index-url", "--default-index", "--index", "--extra-index-url", "-f", "--find-links",
     "--extra", "--group", "--override", "--overrides", "-p", "--python", "--python-version",
     "--python-platform", "--resolver", "--annotation-style", "--cache-dir", "--config",
     "--pip-args", "--trusted-host", "--cert", "--client-cert", "--unsafe-package", "--resolution",
     "--build-constraint", "--build-constraints", "--exclude-newer", "--index-strategy",
     "--prerelease", "--no-emit-package", "--only-binary", "--no-binary", "--format", "--package",
     "--directory", "--project", "--torch-backend", "-b", "--max-rounds", "--newline"}
)  # fmt: skip
_WITH_PYTHON = re.compile(r"with python (\d+\.\d+(?:\.\d+)?)", re.IGNORECASE)


def _compiled_by(
    source: SourceText, requirements: list[Requirement], options: list[Option]
) -> CompiledBy | None:
    head = source.lines[:40]
    for number, line in enumerate(head, start=1):
        if not line.startswith("#"):
            if line.strip() and not line.startswith("-"):
                break
            continue
        lower = line.lower()
        tool = next((t for text, t in _HEADERS if text in lower), None)
        if tool is None:
            continue
        python = _WITH_PYTHON.search(line)
        command = _header_command(head[number:])
        if tool == "uv pip compile" and command[:2] == ["uv", "export"]:
            tool = "uv export"
        named, version = _named_in(command)
        for requirement_line in source.lines if not named else ():
            _, found, origin = requirement_line.partition("-r ")
            if found and requirement_line.lstrip().startswith("#") and origin.strip() not in named:
                named.append(origin.strip())
        at = source.at(number)
        return CompiledBy(
            tool=tool,
            at=at,
            sources=tuple(named),
            python=python[1] if python else version,
        )
    return _compiled_by_shape(source, requirements, options)


def _header_command(lines: list[str]) -> list[str]:
    for line in lines:
        text = line.lstrip("#").strip()
        if text.startswith(("pip-compile", "uv ", "python -m piptools")):
            try:
                return [word for word, _, _ in _words(text)]
            except _OptionError:
                return text.split()
        if not line.startswith("#"):
            break
    return []


def _named_in(command: list[str]) -> tuple[list[str], str | None]:
    """(source files, Python version) in a compile command."""
    named: list[str] = []
    python: str | None = None
    skip = False
    previous = ""
    for word in command[1:]:
        if skip:
            skip = False
            if previous in ("-p", "--python-version", "--python") and word[:1].isdigit():
                python = word
        elif word.startswith("-"):
            name, equals, value = word.partition("=")
            skip = not equals and name in _COMPILE_VALUES
            previous = name
            if equals and name in ("--python-version", "--python", "-p") and value[:1].isdigit():
                python = value
        elif word.endswith((".in", ".txt", ".toml", ".cfg", ".py")):
            named.append(word)
    return named, python


def _compiled_by_shape(
    source: SourceText, requirements: list[Requirement], options: list[Option]
) -> CompiledBy | None:
    """Tools without a header, told from the shape of their output; ``certain`` is then False."""
    if len(requirements) < 2:
        return None
    exact = all(r.is_pinned or r.url or r.editable for r in requirements)
    if not exact:
        return None
    at = requirements[0].at
    plain = [r for r in requirements if not r.url and not r.editable]
    marked = [r for r in plain if r.marker]
    if marked and len(marked) * 2 >= len(plain):
        if "'" in marked[0].marker and any(o.name == "--index-url" for o in options):
            return CompiledBy(tool="pipenv requirements", at=at, certain=False)
        if all("python_version" in r.marker and '"' in r.marker for r in marked):
            return CompiledBy(tool="poetry export", at=at, certain=False)
        return None
    if (
        marked
        or any(r.hashes or r.comment for r in requirements)
        or "#" in source.text.replace("#egg=", "").replace("#subdirectory=", "")
    ):
        return None
    names = [r.name.lower() for r in requirements if r.name and not r.editable]
    if names == sorted(names) and (
        len(names) >= 15 or any((r.url or "").startswith("file:///") for r in requirements)
    ):
        return CompiledBy(tool="pip freeze", at=at, certain=False)
    return None


def _with_via(
    source: SourceText, requirements: list[Requirement], lines: list[int]
) -> list[Requirement]:
    """Attach the ``# via`` comments that compilers write under or beside each requirement."""
    via: dict[int, list[str]] = {}
    owner = -1
    listing = False
    for number, line in enumerate(source.lines, start=1):
        while owner + 1 < len(lines) and lines[owner + 1] <= number:
            owner += 1
            listing = False
        hash_at = _comment_start(line)
        if hash_at < 0 or owner < 0:
            continue
        comment = line[hash_at + 1 :].strip()
        if comment == "via" or comment.startswith("via "):
            listing = True
            comment = comment[3:].strip()
        elif not listing or line[:hash_at].strip() or not hash_at:
            listing = False
            continue
        via.setdefault(owner, []).extend(p.strip() for p in comment.split(",") if p.strip())
    return [
        replace(r, via=tuple(via[index])) if index in via else r
        for index, r in enumerate(requirements)
    ]
