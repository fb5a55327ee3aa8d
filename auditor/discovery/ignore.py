"""Patterns of ``.gitignore``, as git reads them."""

from __future__ import annotations

from collections.abc import Callable

from auditor import lazy_re as re


class _Pattern:
    """One line of an ignore file. ``segments`` is empty for a pattern on the name alone."""

    __slots__ = ("dir_only", "match", "negated", "order", "segments")

    def __init__(self, order: int, negated: bool, dir_only: bool) -> None:
        self.order = order
        self.negated = negated
        self.dir_only = dir_only
        self.match: Callable[[str], object] | None = None
        # None stands for "**".
        self.segments: list[Callable[[str], object] | None] = []


class IgnoreRules:
    """The patterns of one ignore file, with git's semantics: the last one that matches decides.

    Work per path is bounded by patterns x segments; no pattern backtracks without bound.
    """

    def __init__(self, text: str) -> None:
        self._names: dict[str, list[_Pattern]] = {}
        self._suffixes: dict[str, list[_Pattern]] = {}
        self._globs: list[_Pattern] = []
        self._anchored: list[_Pattern] = []
        self._memo: dict[tuple[str, bool], _Pattern | None] = {}
        for order, line in enumerate(text.removeprefix("\ufeff").split("\n")):
            self._add(order, line.removesuffix("\r"))

    def __bool__(self) -> bool:
        return bool(self._names or self._suffixes or self._globs or self._anchored)

    def _add(self, order: int, line: str) -> None:
        if line.startswith("#"):
            return
        line = _strip_trailing_spaces(line)
        negated = line.startswith("!")
        if negated:
            line = line[1:]
        dir_only = line.endswith("/")
        if dir_only:
            line = line[:-1]
        if not line:
            return
        rule = _Pattern(order, negated, dir_only)
        if "/" not in line:
            plain = not any(c in line for c in "*?[\\")
            tail = line[1:]
            if plain:
                self._names.setdefault(line, []).append(rule)
            elif (
                line[0] == "*"
                and tail.startswith(".")
                and tail.count(".") == 1
                and not any(c in tail for c in "*?[\\")
            ):
                self._suffixes.setdefault(tail, []).append(rule)
            else:
                rule.match = _segment(line)
                if rule.match is not None:
                    self._globs.append(rule)
            return
        parts = line.removeprefix("/").split("/")
        for part in parts:
            if part == "**":
                if not rule.segments or rule.segments[-1] is not None:
                    rule.segments.append(None)
                continue
            matcher = _segment(part)
            if matcher is None:
                return
            rule.segments.append(matcher)
        self._anchored.append(rule)

    def decide(self, path: str, name: str, is_dir: bool) -> bool | None:
        """True: ignored; False: explicitly not; None: no pattern says. ``path`` is relative."""
        key = (name, is_dir)
        best = self._memo.get(key, _UNSEEN)
        if best is _UNSEEN:
            best = self._by_name(name, is_dir)
            self._memo[key] = best
        if self._anchored:
            parts: list[str] | None = None
            for rule in reversed(self._anchored):
                if best is not None and rule.order < best.order:
                    break
                if rule.dir_only and not is_dir:
                    continue
                parts = path.split("/") if parts is None else parts
                if _match_segments(rule.segments, parts):
                    best = rule
                    break
        return None if best is None else not best.negated

    def names_below(self, path: str) -> bool:
        """Whether a pattern names something inside this directory (relative path)."""
        parts = path.split("/")
        return any(
            not rule.negated
            and len(rule.segments) > len(parts)
            and all(s is not None and s(p) for s, p in zip(rule.segments, parts, strict=False))
            for rule in self._anchored
        )

    def _by_name(self, name: str, is_dir: bool) -> _Pattern | None:
        rules = [*self._names.get(name, ())]
        dot = name.rfind(".")
        if dot >= 0:
            rules += self._suffixes.get(name[dot:], ())
        rules += [r for r in self._globs if r.match is not None and r.match(name)]
        rules = [r for r in rules if is_dir or not r.dir_only]
        return max(rules, key=lambda r: r.order, default=None)


_UNSEEN = _Pattern(-1, False, False)


def _strip_trailing_spaces(line: str) -> str:
    end = len(line)
    while end and line[end - 1] == " ":
        backslashes = end - 1 - len(line[: end - 1].rstrip("\\"))
        if backslashes % 2:
            break
        end -= 1
    return line[:end]


def _match_segments(pattern: list[Callable[[str], object] | None], parts: list[str]) -> bool:
    """Whole-path match; ``None`` in the pattern spans any number of parts, at the end at least one.

    Greedy with a single point of return (the last ``**``): quadratic at worst.
    """
    p = i = 0
    back_p = -1
    back_i = 0
    while i < len(parts):
        if p < len(pattern):
            current = pattern[p]
            if current is None:
                if p == len(pattern) - 1:
                    return True
                p += 1
                back_p, back_i = p, i
                continue
            if current(parts[i]):
                p += 1
                i += 1
                continue
        if back_p < 0:
            return False
        back_i += 1
        p, i = back_p, back_i
    return p == len(pattern)


_POSIX_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\r\\n\\v\\f",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def _segment(text: str) -> Callable[[str], object] | None:
    """A matcher for one path segment, or None for a malformed pattern (it matches nothing)."""
    if not any(c in text for c in "*?[\\"):
        return text.__eq__ if text else None
    chunks: list[str] = [""]
    i = 0
    while i < len(text):
        char = text[i]
        i += 1
        if char == "*":
            if chunks[-1] or len(chunks) == 1:
                chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char == "\\":
            if i >= len(text):
                return None
            chunks[-1] += re.escape(text[i])
            i += 1
        elif char == "[":
            parsed = _bracket(text, i)
            if parsed is None:
                return None
            piece, i = parsed
            chunks[-1] += piece
        else:
            chunks[-1] += re.escape(char)
    if len(chunks) == 1:
        body = chunks[0]
    else:
        # Atomic groups: once the shortest match of a middle chunk is found it is final, as
        # a later one could not help. So no pattern makes the matcher backtrack.
        middle = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1] if chunk)
        body = f"{chunks[0]}{middle}.*{chunks[-1]}"
    try:
        return re.compile(body, re.DOTALL).fullmatch
    except (re.error, OverflowError):
        return None


def _bracket(text: str, i: int) -> tuple[str, int] | None:
    negated = i < len(text) and text[i] in "!^"
    if negated:
        i += 1
    ranges: list[str] = []
    first = True
    while True:
        if i >= len(text):
            return None
        char = text[i]
        if char == "]" and not first:
            i += 1
            break
        first = False
        if char == "[" and text.startswith("[:", i):
            end = text.find(":]", i + 2)
            if end < 0:
                return None
            named = _POSIX_CLASSES.get(text[i + 2 : end])
            if named is None:
                return None
            ranges.append(named)
            i = end + 2
            continue
        if char == "\\":
            i += 1
            if i >= len(text):
                return None
            char = text[i]
        i += 1
        if text.startswith("-", i) and i + 1 < len(text) and text[i + 1] != "]":
            i += 1
            high = text[i]
            if high == "\\":
                i += 1
                if i >= len(text):
                    return None
                high = text[i]
            i += 1
            if char <= high:
                ranges.append(f"{re.escape(char)}-{re.escape(high)}")
        else:
            ranges.append(re.escape(char))
    if not ranges:
        return ("." if negated else "(?!)"), i
    return f"[{'^' if negated else ''}{''.join(ranges)}]", i


def ignored_by(
    rules: tuple[tuple[str, IgnoreRules], ...], absolute: str, name: str, is_dir: bool
) -> bool:
    """Whether the innermost pattern that speaks of a path ignores it: (base, its rules), inner first."""
    for base, patterns in rules:
        relative = absolute[len(base.rstrip("/")) + 1 :]
        decision = patterns.decide(relative, name, is_dir)
        if decision is not None:
            return decision
    return False
