"""``.dockerignore`` with the semantics of Docker's builders (moby/patternmatcher).

Unlike git: a pattern without a slash matches at the root only, the last matching pattern
wins, and ``!`` brings back files below a directory that an earlier pattern excluded.

Reference: https://docs.docker.com/build/concepts/context/#dockerignore-files
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from auditor import lazy_re as re
from auditor.source import Location, Problem, SourceText
from auditor.values import field, value

# A compiled pattern: the length of the path's part that it matches (the path itself or one of
# its parents), or -1.
_Matcher = Callable[[str], int]

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Beyond these a backtracking engine may take long; the automaton below never does.
_MAX_BACKTRACKING_STARS = 3
_MAX_BACKTRACKING_PATH = 300
_MAX_PATTERN = 4_096


@value
class Pattern:
    """One line. ``text`` is as written; ``cleaned`` what is matched (``!`` taken off)."""

    text: str
    cleaned: str
    negated: bool
    at: Location


@value
class IgnoreMatch:
    """The pattern that excludes a path, and the path or parent of it that the pattern matched."""

    pattern: Pattern
    matched: str

    @property
    def at(self) -> Location:
        return self.pattern.at


@value
class DockerIgnore:
    """A whole file; ``patterns`` in order. An empty one excludes nothing."""

    path: str
    patterns: tuple[Pattern, ...]
    problems: tuple[Problem, ...]
    _matchers: tuple[_Matcher, ...] = field(default=(), repr=False, compare=False)

    def match(self, path: str) -> IgnoreMatch | None:
        """Why the path (POSIX, relative to the context) is left out, or None when it is sent."""
        path = posixpath.normpath(path).lstrip("/")
        if path in (".", ""):
            return None
        matchers = self._matchers or tuple(map(_compile, self.patterns))
        decided: tuple[Pattern, int] | None = None
        for pattern, matcher in zip(self.patterns, matchers, strict=True):
            if pattern.negated == (decided is not None):
                end = matcher(path)
                if end >= 0:
                    decided = None if pattern.negated else (pattern, end)
        if decided is None:
            return None
        return IgnoreMatch(pattern=decided[0], matched=path[: decided[1]])

    def may_include_below(self, path: str) -> bool:
        """Whether an excluded directory may still hold files that a ``!`` pattern brings back."""
        below = posixpath.normpath(path).lstrip("/") + "/"
        for pattern in self.patterns:
            if pattern.negated:
                literal = re.split(r"[*?\[\\]", pattern.cleaned, maxsplit=1)[0]
                wild = literal != pattern.cleaned
                if literal.startswith(below) or (wild and below.startswith(literal)):
                    return True
        return False

    def __getstate__(self) -> tuple[object, ...]:
        # Compiled matchers are closures: they are made again when needed.
        return (self.path, self.patterns, self.problems)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        path, patterns, problems = state
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "patterns", patterns)
        object.__setattr__(self, "problems", problems)
        object.__setattr__(self, "_matchers", tuple(map(_compile, self.patterns)))


def parse(source: SourceText) -> DockerIgnore:
    """Read a ``.dockerignore``. A malformed pattern is a problem (the build would stop)."""
    patterns: list[Pattern] = []
    problems = list(source.problems)
    for number, line in enumerate(source.lines, 1):
        text = line.strip(_SPACE)
        if line.startswith("#") or not text:
            continue
        column = 1 + len(line) - len(line.lstrip(_SPACE))
        at = Location(source.path, number, column, number, column + len(text))
        negated = text.startswith("!")
        body = text[1:].strip(_SPACE) if negated else text
        if not body:
            problems.append(Problem(at=at, message='illegal exclusion pattern: "!"'))
            continue
        cleaned = _clean(body)
        # The matcher looks for one more "!" after the path has been cleaned.
        if cleaned.startswith("!") and not negated:
            negated, cleaned = True, cleaned[1:]
        if len(cleaned) > _MAX_PATTERN:
            problems.append(Problem(at=at, message="pattern is too long to evaluate"))
        elif not _well_formed(cleaned):
            problems.append(Problem(at=at, message=f"syntax error in pattern: {cleaned}"))
        else:
            patterns.append(Pattern(text=text, cleaned=cleaned, negated=negated, at=at))
    return DockerIgnore(
        path=source.path,
        patterns=tuple(patterns),
        problems=tuple(problems),
        _matchers=tuple(map(_compile, patterns)),
    )


def _clean(pattern: str) -> str:
    """Go's ``filepath.Clean``, then without the leading slash."""
    cleaned = posixpath.normpath(pattern)
    if cleaned.startswith("//"):
        cleaned = cleaned[1:]
    return cleaned[1:] if len(cleaned) > 1 and cleaned.startswith("/") else cleaned


def _well_formed(pattern: str) -> bool:
    """Whether Go's ``filepath.Match`` accepts the pattern."""
    position, size = 0, len(pattern)
    while position < size:
        char = pattern[position]
        if char == "\\":
            position += 1
            if position == size:
                return False
        elif char == "[":
            end = _class_end(pattern, position)
            if end < 0:
                return False
            position = end
        position += 1
    return True


def _class_end(pattern: str, start: int) -> int:
    """The index of the ``]`` that closes the class at ``start``; -1 when malformed."""
    position = start + 1
    if pattern.startswith("^", position):
        position += 1
    members = 0

    def member() -> bool:
        nonlocal position
        char = pattern[position : position + 1]
        if char == "\\":
            position += 1
            char = pattern[position : position + 1]
        elif char in ("-", "]", ""):
            return False
        position += 1
        return bool(char)

    while position < len(pattern):
        if pattern[position] == "]" and members:
            return position
        if not member():
            return -1
        members += 1
        if pattern.startswith("-", position):
            position += 1
            if not member():
                return -1
    return -1


@value(kw_only=False)
class _Element:
    """``kind``: char, any (``?``), star (``*``), deep (``**/`` inside), all (``**`` at the end),
    class.
    """

    kind: str
    char: str = ""
    ranges: tuple[tuple[str, str], ...] = ()
    negated: bool = False

    def accepts(self, char: str) -> bool:
        if self.kind == "char":
            return char == self.char
        if self.kind == "any":
            return char != "/"
        return any(low <= char <= high for low, high in self.ranges) != self.negated

    def regex(self) -> str:
        if self.kind == "char":
            return re.escape(self.char)
        if self.kind == "class":
            inner = "".join(f"{re.escape(low)}-{re.escape(high)}" for low, high in self.ranges)
            return f"[{'^' if self.negated else ''}{inner}]"
        return {"any": "[^/]", "star": "[^/]*", "deep": "(?:.*/)?", "all": ".*"}[self.kind]


def _elements(pattern: str) -> list[_Element]:
    found: list[_Element] = []
    position, size = 0, len(pattern)
    while position < size:
        char = pattern[position]
        if pattern.startswith("**", position):
            position += 2
            if pattern.startswith("/", position):
                position += 1
            found.append(_Element("deep" if position < size else "all"))
            continue
        if char == "*":
            found.append(_Element("star"))
        elif char == "?":
            found.append(_Element("any"))
        elif char == "[":
            end = _class_end(pattern, position)
            found.append(_class(pattern[position + 1 : end]))
            position = end
        else:
            if char == "\\":
                position += 1
                char = pattern[position]
            found.append(_Element("char", char))
        position += 1
    return found


def _class(body: str) -> _Element:
    negated = body.startswith("^")
    chars: list[tuple[str, bool]] = []
    position = int(negated)
    while position < len(body):
        escaped = body[position] == "\\"
        position += escaped
        chars.append((body[position], escaped))
        position += 1
    ranges: list[tuple[str, str]] = []
    position = 0
    while position < len(chars):
        low = high = chars[position][0]
        if position + 2 < len(chars) and chars[position + 1] == ("-", False):
            high = chars[position + 2][0]
            position += 2
        if low <= high:
            ranges.append((low, high))
        position += 1
    return _Element("class", ranges=tuple(ranges), negated=negated)


def _compile(pattern: Pattern) -> _Matcher:
    text = pattern.cleaned
    special = any(char in text for char in "*?[]\\")
    if not special:

        def exact(path: str) -> int:
            if path == text or (path.startswith(text) and path[len(text)] == "/"):
                return len(text)
            return -1

        return exact
    rest = text[2:]
    if text.startswith("**") and not any(char in rest for char in "*?[]\\"):
        return _suffix(rest)
    head = text[:-2]
    if text.endswith("**") and not any(char in head for char in "*?[]\\"):
        return lambda path: len(path) if path.startswith(head) else -1
    elements = _elements(text)
    stars = sum(element.kind in ("star", "deep", "all") for element in elements)
    empty_class = any(element.kind == "class" and not element.ranges for element in elements)
    if stars > _MAX_BACKTRACKING_STARS or empty_class:
        return lambda path: _simulate(elements, path)
    regex = "".join(element.regex() for element in elements)
    search = re.compile(f"{regex}(?=/|\\Z)", re.DOTALL).match

    def match(path: str) -> int:
        if len(path) > _MAX_BACKTRACKING_PATH:
            return _simulate(elements, path)
        found = search(path)
        return found.end() if found else -1

    return match


def _suffix(suffix: str) -> _Matcher:
    """``**/name`` and ``**name``: the path or a parent ends in it."""
    wanted = f"{suffix}/"

    def match(path: str) -> int:
        if not suffix:
            return len(path)
        if suffix[0] == "/":
            found = f"/{path}/".find(wanted)
            return found + len(suffix) - 1 if found >= 0 else -1
        found = f"{path}/".find(wanted)
        return found + len(suffix) if found >= 0 else -1

    return match


def _simulate(elements: list[_Element], path: str) -> int:
    """Run the pattern as an automaton: time is the product of both lengths, whatever they hold.

    State ``i`` means that the elements before ``i`` have matched. A ``deep`` element matches
    nothing or anything up to a slash.
    """
    size = len(elements)

    def close(states: set[int]) -> set[int]:
        pending = list(states)
        while pending:
            state = pending.pop()
            following = state + 1
            skippable = state < size and elements[state].kind in ("star", "deep", "all")
            if skippable and following not in states:
                states.add(following)
                pending.append(following)
        return states

    # A deep element that has begun to match must go on up to a slash: "inside" states.
    outside, inside = close({0}), set[int]()
    for index in range(len(path) + 1):
        char = path[index] if index < len(path) else "/"
        if char == "/" and size in outside:
            return index
        if index == len(path):
            return -1
        after: set[int] = set()
        deep: set[int] = set()
        for state in outside:
            if state == size:
                continue
            element = elements[state]
            if element.kind == "all" or (element.kind == "star" and char != "/"):
                after.add(state)
            elif element.kind == "deep":
                deep.add(state)
            elif element.kind in ("char", "any", "class") and element.accepts(char):
                after.add(state + 1)
        for state in inside | deep:
            deep.add(state)
            if char == "/":
                after.add(state + 1)
        outside, inside = close(after), deep
        if not outside and not inside:
            return -1
    return -1
