"""Specifiers and markers of the plain kind, decided without ``packaging``.

Nearly all that requirements and the knowledge tables say is of that kind: releases of digits and
dots, comparisons of ``python_version``, names of platforms. ``packaging`` takes as long to import
as the rest of a small audit's linking; it is asked where these functions answer None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor import lazy_re as re

_CLAUSE = re.compile(r"\s*(===?|~=|!=|<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?\s*", re.ASCII)
_RELEASE = re.compile(r"([0-9]+(?:\.[0-9]+)*)(\.post[0-9]+)?", re.ASCII)
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[()])|(?P<word>and|or)\b
    |(?P<name>[a-z_]+)\s*(?P<op>==|!=|<=|>=|<|>|not\ in\b|in\b)\s*(?:"(?P<a>[^"]*)"|'(?P<b>[^']*)'))
    \s*""",
    re.VERBOSE | re.ASCII,
)
_NUMBERED = frozenset({"python_version", "python_full_version"})
_NAMED = frozenset(
    {
        "implementation_name",
        "os_name",
        "platform_machine",
        "platform_python_implementation",
        "platform_system",
        "sys_platform",
    }
)


def _release(version: str) -> tuple[tuple[int, ...], bool] | None:
    """``1.2.3.post1`` as its numbers and whether it is a post-release; None for anything else."""
    match = _RELEASE.fullmatch(version) if len(version) < 100 else None
    if match is None:
        return None
    return tuple(map(int, match[1].split("."))), match[2] is not None


def admits(specifier: str, version: str) -> bool | None:
    """Whether a specifier set admits a version (PEP 440); None when it is not of the plain kind."""
    found = _release(version)
    if found is None:
        return None
    wanted, post = found
    answer = True
    for clause in specifier.split(",") if specifier.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            return None
        operator, text, star = match.groups()
        if operator == "===" or len(text) > 100 or (star and operator not in ("==", "!=")):
            return None
        limit = tuple(map(int, text.split(".")))
        if operator == "~=" and len(limit) < 2:
            return None
        answer = answer and _holds(wanted, post, operator, limit, star is not None)
    return answer


def newest(specifier: str, candidates: Iterable[str]) -> str | None:
    """The newest release that a specifier admits, "" for none; None where one is not plain."""
    best: tuple[tuple[int, ...], int] = ((), -2)
    found = ""
    if admits(specifier, "0") is None:
        return None
    for candidate in candidates:
        admitted = admits(specifier, candidate)
        if admitted is None:
            return None
        if admitted:
            numbers, _, post = candidate.partition(".post")
            parts = tuple(map(int, numbers.split(".")))
            while parts and not parts[-1]:
                parts = parts[:-1]
            order = (parts, int(post) if post else -1)
            if order > best:
                best, found = order, candidate
    return found


def _holds(
    wanted: tuple[int, ...], post: bool, operator: str, limit: tuple[int, ...], star: bool
) -> bool:
    if star:
        return (_padded(wanted, len(limit))[: len(limit)] == limit) is (operator == "==")
    length = max(len(wanted), len(limit))
    left, right = _padded(wanted, length), _padded(limit, length)
    if post and left == right and operator in ("==", "!=", "<="):
        # Newer than the release that it mends, and another one; but > leaves it out.
        return operator == "!="
    if operator == "~=":
        return left >= right and left[: len(limit) - 1] == limit[:-1]
    if operator == "==":
        return left == right
    if operator == "!=":
        return left != right
    if operator == "<=":
        return left <= right
    if operator == ">=":
        return left >= right
    return left < right if operator == "<" else left > right


def _padded(numbers: tuple[int, ...], length: int) -> tuple[int, ...]:
    return numbers + (0,) * (length - len(numbers))


def marker_holds(marker: str, environment: Mapping[str, str]) -> bool | None:
    """Whether a marker holds in that environment; None when it is not of the plain kind."""
    found: list[str | bool] = []
    at = 0
    while at < len(marker):
        match = _TOKEN.match(marker, at)
        if match is None:
            return None
        at = match.end()
        if match["name"] is None:
            found.append(match["mark"] or match["word"])
            continue
        literal = match["a"] if match["a"] is not None else match["b"]
        answer = _term(match["name"], match["op"], literal, environment)
        if answer is None:
            return None
        found.append(answer)
    try:
        answer, rest = _either(found, 0, 0)
    except (IndexError, TypeError, RecursionError):
        return None
    return answer if rest == len(found) else None


def _term(name: str, operator: str, literal: str, environment: Mapping[str, str]) -> bool | None:
    value = environment.get(name)
    if value is None:
        return None
    if name in _NUMBERED:
        if operator in ("in", "not in"):
            return None
        return admits(f"{operator}{literal}", value)
    if name not in _NAMED or literal[:1].isdigit() or literal[:1] in ("v", "V"):
        return None
    if operator in ("==", "!="):
        return (value == literal) is (operator == "==")
    if operator in ("in", "not in"):
        return (value in literal) is (operator == "in")
    return None


def _either(tokens: list[str | bool], at: int, depth: int) -> tuple[bool, int]:
    answer, at = _both(tokens, at, depth)
    while at < len(tokens) and tokens[at] == "or":
        other, at = _both(tokens, at + 1, depth)
        answer = answer or other
    return answer, at


def _both(tokens: list[str | bool], at: int, depth: int) -> tuple[bool, int]:
    answer, at = _one(tokens, at, depth)
    while at < len(tokens) and tokens[at] == "and":
        other, at = _one(tokens, at + 1, depth)
        answer = answer and other
    return answer, at


def _one(tokens: list[str | bool], at: int, depth: int) -> tuple[bool, int]:
    token = tokens[at]
    if isinstance(token, bool):
        return token, at + 1
    if token != "(" or depth > 40:
        raise TypeError
    answer, at = _either(tokens, at + 1, depth + 1)
    if tokens[at] != ")":
        raise TypeError
    return answer, at + 1
