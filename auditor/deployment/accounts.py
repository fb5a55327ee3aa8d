"""The account that a container runs as: where its home is, and whether that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.deployment.commands import ran
from auditor.parsers.commands import FileOp
from auditor.source import Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Value

_UNKNOWN = Unknown("the user's home directory is not known")
# Options of `useradd` that take a value, which may follow in the same word.
_WITH_VALUE = frozenset("bcdefgGkKpsuZR")


@value
class Account:
    """``made``: whether the home directory is there; None when that is not known."""

    home: Value
    made: bool | None = None


def account(image: BuiltImage | None, user: Value | None) -> Account:
    """The home of the user that the container runs as."""
    name = user.partition(":")[0] if isinstance(user, str) else ""
    if user is None or name in ("root", "0"):
        return Account(home="/root", made=True)
    if image is None or not name or image.base is None or image.base.flavour is None:
        return Account(home=_UNKNOWN)
    found: FileOp | None = None
    for command in ran(image.image):
        fact = command.what.fact
        if not isinstance(fact, FileOp) or fact.op not in ("useradd", "adduser"):
            continue
        if fact.user == name or (name.isdigit() and name in (a.text for a in fact.argv)):
            found = fact
    if found is None or not isinstance(found.user, str):
        return Account(home=_UNKNOWN)
    words = [a.text for a in found.argv]
    if found.op == "adduser":
        if found.target is None and ("--system" in words or "-S" in words):
            return Account(home=_UNKNOWN)  # it differs from release to release
        made = "--no-create-home" not in words and "-H" not in words
    else:
        made = "--create-home" in words or any("m" in _letters(word) for word in words)
    home = found.target.value if found.target is not None else f"/home/{found.user}"
    return Account(home=home, made=made)


def _letters(word: str) -> str:
    """The switches of a word such as ``-rms``."""
    if not word.startswith("-") or word.startswith("--"):
        return ""
    letters = ""
    for letter in word[1:]:
        letters += letter
        if letter in _WITH_VALUE:
            break
    return letters
