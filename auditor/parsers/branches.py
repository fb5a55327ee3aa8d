"""Which way a shell text goes, where its variables and arguments decide it.

A branch is taken under *guards*: conditions with the outcome that leads into it, or the patterns of a
``case``. ``taken`` says what is known of them in one state of the shell; None where a condition asks
for something that only the running container knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from auditor.source import Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.parsers.shell.facts import Command, Word
    from auditor.source import Location

Value: TypeAlias = str | Unknown
Env: TypeAlias = Mapping[str, str | Unknown | None]
# States of the shell (variables and arguments) by the place of what was asked in them.
Moments: TypeAlias = "dict[Location, tuple[Env, Sequence[Value] | None]]"

_COMPARISONS = {
    "-eq": int.__eq__,
    "-ne": int.__ne__,
    "-lt": int.__lt__,
    "-le": int.__le__,
    "-gt": int.__gt__,
    "-ge": int.__ge__,
}


@value
class Condition:
    """A command whose status decides; None where it is more than one simple command."""

    command: Command | None
    wanted: bool


@value
class Guard:
    """What leads into a branch: conditions that all hold, or a pattern of a ``case``.

    ``before`` are the patterns of the items above. ``otherwise``: when the conditions do not hold,
    the branch may be taken all the same (``a && b || c``: when ``b`` fails).
    """

    conditions: tuple[Condition, ...] = ()
    otherwise: bool = False
    subject: Word | None = None
    patterns: tuple[Word, ...] = ()
    before: tuple[Word, ...] = ()


def taken(
    guard: Guard,
    env: Env,
    args: Sequence[Value] | None,
    moments: Moments | None = None,
    *,
    dash: bool = False,
) -> bool | None:
    """Whether the branch is entered in this state; None when that is not known.

    ``moments`` holds the states in which conditions were asked: a branch before this one may have
    changed what they ask for. ``dash``: Debian's ``sh`` asks, which has neither ``==`` nor ``[[``.
    """
    known = {} if moments is None else moments
    if guard.subject is not None:
        return _matched(guard, *known.setdefault(guard.subject.at, (env, args)))
    answers = [
        _holds(
            item,
            *(known.get(item.command.at, (env, args)) if item.command else (env, args)),
            dash=dash,
        )
        for item in guard.conditions
    ]
    if False in answers:
        return None if guard.otherwise else False
    return None if None in answers or not answers else True


def _holds(item: Condition, env: Env, args: Sequence[Value] | None, *, dash: bool) -> bool | None:
    status = _status(item.command, env, args, dash=dash) if item.command is not None else None
    return None if status is None else status is item.wanted


def _matched(guard: Guard, env: Env, args: Sequence[Value] | None) -> bool | None:
    assert guard.subject is not None
    subject = _one(guard.subject, env, args)
    if subject is None:
        return None
    for patterns, answer in ((guard.before, False), (guard.patterns, True)):
        for pattern in patterns:
            found = _fits(subject, pattern, env, args)
            if found is None:
                return None
            if found:
                return answer
    return False


def _one(word: Word, env: Env, args: Sequence[Value] | None) -> str | None:
    """The text of a word that is not split; None when it is not known."""
    fields = word.fields(env, args)
    if not fields:
        return ""
    return fields[0] if len(fields) == 1 and isinstance(fields[0], str) else None


def _fits(text: str, pattern: Word, env: Env, args: Sequence[Value] | None) -> bool | None:
    wanted = _one(pattern, env, args)
    if wanted is None:
        return None
    if not pattern.globs:
        return text == wanted
    if any(part.quoted for part in pattern.parts) or "\\" in pattern.raw:
        return None  # what is quoted stands for itself
    return fnmatchcase(text, wanted.replace("[^", "[!"))


def foreign_to_dash(command: Command) -> str:
    """What dash does not know in a test: ``==`` as an operator, or ``[[``; empty for nothing.

    It says so and goes on, with a status that is no success: 2, and 127 for ``[[``.
    """
    if command.name == "[[":
        return "[["
    words = command.words[1:-1] if command.name == "[" else command.words[1:]
    if command.name in ("[", "test") and any(word.raw == "==" for word in words[1:-1]):
        return "=="
    return ""


def _status(command: Command, env: Env, args: Sequence[Value] | None, *, dash: bool) -> bool | None:
    """Whether a test succeeds."""
    words = command.words
    name = command.name
    if command.pipeline != (0, 1) or command.background:
        return None
    if name in ("true", ":") and len(words) == 1:
        answer: bool | None = True
    elif (name == "false" and len(words) == 1) or (dash and foreign_to_dash(command)):
        answer = False
    elif name in ("[", "[[", "test"):
        closing = {"[": "]", "[[": "]]"}.get(name, "")
        if closing and (len(words) < 2 or words[-1].literal != closing):
            return None
        answer = _test(words[1:-1] if closing else words[1:], env, args, whole=name == "[[")
    else:
        return None
    return answer is not command.negated if answer is not None else None


def _test(
    words: Sequence[Word], env: Env, args: Sequence[Value] | None, *, whole: bool
) -> bool | None:
    """A test's expression; ``whole``: words are not split (``[[``)."""
    if words and words[0].literal == "!":
        inner = _test(words[1:], env, args, whole=whole)
        return None if inner is None else not inner
    texts: list[str] = []
    for word in words:
        fields = word.fields(env, args)
        if any(not isinstance(field, str) for field in fields):
            return None
        if len(fields) != 1 and not whole:
            return None  # an unquoted empty variable changes what the test is
        texts.append(" ".join(field for field in fields if isinstance(field, str)))
    if len(texts) == 1:
        return texts[0] != ""
    if len(texts) == 2 and texts[0] in ("-z", "-n"):
        return (texts[1] == "") is (texts[0] == "-z")
    if len(texts) != 3:
        return None
    left, operator, right = texts
    if operator in ("=", "==", "!="):
        equal = _fits(left, words[2], env, args) if whole else left == right
        return None if equal is None else equal is (operator != "!=")
    compare = _COMPARISONS.get(operator)
    if compare is None or not all(t.lstrip("-").isdecimal() and len(t) < 12 for t in (left, right)):
        return None
    return compare(int(left), int(right))
