"""The account that a container runs as: where its home is, and whether that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.deployment.commands import Ran, ran
from auditor.parsers.commands import FileOp
from auditor.source import Unknown
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Value

_UNKNOWN = Unknown("the user's home directory is not known")
# Options of `useradd` that take a value, which may follow in the same word.
_WITH_VALUE = frozenset("bcdefgGkKpsuZR")

# Accounts of Debian's and Alpine's base files.
_PRESENT = frozenset(
    """
    root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc _apt nobody
    gnats adm shutdown halt operator ftp sshd guest ntp squid xfs cyrus postmaster vpopmail at cron
    svn smmsp postgres
    """.split()  # noqa: SIM905
)


def known_account(name: str, flavour: str | None = None) -> bool:
    """Whether every base image of that flavour has this account."""
    return name in _PRESENT or (name == "nonroot" and flavour == "distroless")


def makes_account(command: Ran, name: str) -> bool:
    """Whether a command of a RUN makes the account, or may."""
    fact = command.what.fact
    words = [a.text for a in command.what.argv]
    if isinstance(fact, FileOp) and fact.op in ("useradd", "adduser", "groupadd"):
        return not isinstance(fact.user, str) or fact.user == name
    return any(name in word for word in words) or "useradd" in words or "adduser" in words


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
    made_any = False
    for command in ran(image.image):
        fact = command.what.fact
        made_any = made_any or makes_account(command, name)
        if not isinstance(fact, FileOp) or fact.op not in ("useradd", "adduser"):
            continue
        if fact.user == name or (name.isdigit() and name in (a.text for a in fact.argv)):
            found = fact
    numbered = name.isdigit() and 1000 <= int(name[:9]) < 60_000
    if found is None and not made_any and numbered and image.base.official_python:
        # A number without an account: the engine sets HOME to the root directory.
        foreign = [c for c in image.image.copies if c.origin != "context"]
        if not any("/etc" in str(copy.destination) for copy in foreign):
            return Account(home="/", made=True)
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
