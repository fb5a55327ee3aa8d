"""The grammar of image references (github.com/distribution/reference, reference.go).

``[domain/]path[:tag][@digest]``: engines, Compose and kubelets refuse what does not follow it before
they ask any registry.
"""

from __future__ import annotations

from typing import Final

from auditor import lazy_re as re

HELP: Final = (
    "Repositories are lower case; a tag has letters, digits, `_`, `.` and `-`; a digest is "
    "`sha256:` and 64 hexadecimal digits."
)
_COMPONENT: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_DOMAIN: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
)
_TAG: Final = re.compile(r"\w[\w.-]{0,127}")
_DIGEST: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_LONGEST: Final = 255
# What somebody is to fill in before the file is used.
_CAPITALS: Final = re.compile(r"(?:^|[/:@._-])[A-Z][A-Z0-9]+(?:[_-][A-Z0-9]+)*(?=$|[/:@.-])")
_WORDS: Final = re.compile(
    r"[<>{}$\[\]()%*]|\.\.\.|replace|your|change|placeholder|todo|example|xxx|dummy", re.IGNORECASE
)


def refused(text: str) -> str:
    """Why no engine takes the reference, in the words of the engine; empty where it is sound.

    Where the words that are wrong stand for what somebody fills in, nothing is said.
    """
    if _WORDS.search(text) or _CAPITALS.search(text) or not text or text != text.strip():
        return ""
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        return "invalid reference format"
    head, slash, last = rest.rpartition("/")
    name, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        return "invalid reference format"
    parts = [*head.split("/"), name] if slash else [name]
    first = parts[0]
    # A first part that is no plain lower-case word names a registry.
    if len(parts) > 1 and (
        set(".:") & set(first) or first == "localhost" or first != first.lower()
    ):
        if not _DOMAIN.fullmatch(first):
            return "invalid reference format"
        parts = parts[1:]
    if len("/".join(parts)) > _LONGEST:
        return "repository name must not be more than 255 characters"
    if all(_COMPONENT.fullmatch(part) for part in parts):
        return ""
    if all(_COMPONENT.fullmatch(part.lower()) for part in parts):
        return "invalid reference format: repository name must be lowercase"
    return "invalid reference format"
