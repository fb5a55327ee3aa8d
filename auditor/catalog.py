"""Rule cards and knowledge tables. The only module that knows where ``rules/`` lies."""

from __future__ import annotations

import json
import os
import sys
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.findings import (
    Confidence,
    Finding,
    Fix,
    Passed,
    Related,
    Severity,
    Stage,
    Undecided,
)
from auditor.values import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.source import Location

SENTINEL = "catalog.toml"


class CatalogError(Exception):
    """The rule data that ships with the tool is missing or malformed; names the file."""


@value
class Rule:
    """The front matter of a card; the prose stays on disk until somebody asks for it.

    ``level`` is the rung of the readiness ladder the rule belongs to (1 to 3), 0 for none.
    ``profile`` is ``default`` or ``strict`` (only judged with ``--profile strict``).
    """

    id: str
    name: str
    title: str
    category: str
    severity: Severity
    confidence: Confidence
    since: str
    help: str
    level: int = 0
    profile: str = "default"
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    def finding(
        self,
        at: Location,
        message: str,
        *,
        help: str = "",
        related: Iterable[Related] = (),
        evidence: Mapping[str, Any] | None = None,
        severity: Severity | None = None,
        confidence: Confidence | None = None,
        fix: Fix | None = None,
        breaks: Iterable[tuple[str, Stage]] = (),
    ) -> Finding:
        """A finding of this rule; what is not given comes from the card."""
        return Finding(
            rule=self.id,
            name=self.name,
            category=self.category,
            severity=self.severity if severity is None else severity,
            confidence=self.confidence if confidence is None else confidence,
            message=message,
            at=at,
            related=tuple(related),
            evidence=tuple((k, _frozen(v)) for k, v in (evidence or {}).items()),
            help=help or self.help,
            fix=fix,
            breaks=tuple(breaks),
        )

    def passed(self) -> Passed:
        """The rule applied and found nothing wrong with its subject."""
        return Passed(self.id)

    def undecided(
        self,
        reason: str,
        *,
        at: Location | None = None,
        blocks: Iterable[tuple[str, Stage]] = (),
    ) -> Undecided:
        """The evidence does not decide; ``blocks`` forecasts become unknown."""
        return Undecided(rule=self.id, reason=reason, at=at, blocks=tuple(blocks))


def _frozen(value: Any) -> Any:
    """Lists as tuples, so that findings stay hashable."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value


@lru_cache(maxsize=1)
def rules_dir() -> Path:
    """Where the cards are: ``auditor/rules`` when installed, ``rules`` in a checkout."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "rules", package.parent / "rules"):
        if (candidate / SENTINEL).is_file():
            return candidate
    raise CatalogError(f"no rule catalogue ({SENTINEL}) beside {package}")


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """Every rule by id, in the order of the ids."""
    found: dict[str, Rule] = {}
    with os.scandir(rules_dir()) as entries:
        families = sorted((e.name, e.path) for e in entries if e.name.isupper() and e.is_dir())
    for family, path in families:
        with os.scandir(path) as entries:
            cards = sorted(e.path for e in entries if e.name.endswith(".md"))
        for card in cards:
            if not card[len(path) + 1 + len(family) :][:1].isdigit():
                continue
            rule = _read_front_matter(card)
            if rule.id in found:
                raise CatalogError(f"{card}: {rule.id} has two cards")
            found[rule.id] = rule
    return found


def card_path(rule_id: str) -> Path:
    """The card of a rule; KeyError when there is none."""
    if rule_id in rules():
        for card in (rules_dir() / rule_id.rstrip("0123456789")).glob(f"{rule_id}-*.md"):
            return card
    raise KeyError(rule_id)


def card_text(rule_id: str) -> str:
    """The card's Markdown body, without the front matter."""
    return split_front_matter(card_path(rule_id))[1]


def split_front_matter(card: Path | str) -> tuple[str, str]:
    """(TOML front matter, Markdown body) of a card."""
    with open(card, encoding="utf-8") as file:
        text = file.read()
    parts = text.split("+++\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise CatalogError(f"{card}: no TOML front matter between +++ lines")
    return parts[1], parts[2]


def _read_front_matter(card: Path | str) -> Rule:
    front, _ = split_front_matter(card)
    try:
        data = _plain_toml(front)
        return Rule(
            id=sys.intern(data.pop("id")),
            name=data.pop("name"),
            title=data.pop("title"),
            category=data.pop("category"),
            severity=Severity.parse(data.pop("severity")),
            confidence=Confidence[data.pop("confidence").upper()],
            since=data.pop("since"),
            help=data.pop("help"),
            tags=tuple(data.pop("tags", ())),
            references=tuple(data.pop("references", ())),
            **data,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise CatalogError(f"{card}: {error}") from error


def _plain_toml(text: str) -> dict[str, Any]:
    """TOML of ``key = value`` whose values are spelled as in JSON, as the cards' are.

    Anything else goes to ``tomllib``, which takes ten times as long over all cards.
    """
    pairs: list[str] = []
    for line in text.splitlines():
        key, equals, value = line.partition(" = ")
        if equals and key.isidentifier():
            pairs.append(f'"{key}":{value}')
        elif line.startswith((" ", "]")) and pairs:
            # A list over several lines; TOML lets its last item have a comma.
            before = pairs[-1].removesuffix(",") if line == "]" else pairs[-1]
            pairs[-1] = before + line
        elif line:
            break
    else:
        try:
            data: dict[str, Any] = json.loads(f"{{{','.join(pairs)}}}")
            if len(data) == len(pairs):
                return data
        except ValueError:
            pass
    import tomllib

    return tomllib.loads(text)


@lru_cache(maxsize=1)
def catalog() -> dict[str, Any]:
    """``catalog.toml``: families, weights and score bands."""
    import tomllib

    with open(rules_dir() / SENTINEL, "rb") as file:
        return tomllib.load(file)


@lru_cache(maxsize=32)
def knowledge(name: str) -> Any:
    """A knowledge table by file name (``.json``, ``.json.gz``, ``.toml``), parsed once."""
    if name.endswith(".toml"):
        path = rules_dir() / "knowledge" / f"{name}.json"
        text = knowledge_text(name)
        if path.is_file():
            # The same table, written beside it by the generator: parsed twenty times as fast.
            import zlib

            compiled = json.loads(path.read_text("utf-8"))
            if compiled["crc32"] == zlib.crc32(text.encode()):
                return compiled["table"]
        import tomllib

        return tomllib.loads(text)
    return json.loads(knowledge_text(name))


class Sections:
    """A large table read in parts: ``.json.gz`` of one gzip member per part, the first its index.

    The first member is the table's small things as JSON, with the parts by section under
    ``sections``: [first key, offset behind the first member, length] each. A part is text.
    """

    def __init__(self, name: str) -> None:
        import zlib

        self._bytes = (rules_dir() / "knowledge" / name).read_bytes()
        first = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.head: dict[str, Any] = json.loads(first.decompress(self._bytes))
        self._start = len(self._bytes) - len(first.unused_data)
        self._parts: dict[tuple[str, int], str] = {}

    def part(self, section: str, number: int) -> str:
        """One part of a section, decompressed once."""
        found = self._parts.get((section, number))
        if found is None:
            import zlib

            _, offset, length = self.head["sections"][section][number]
            start = self._start + offset
            data = zlib.decompress(self._bytes[start : start + length], zlib.MAX_WBITS | 16)
            found = self._parts[section, number] = data.decode("utf-8")
        return found

    def part_with(self, section: str, key: str) -> str:
        """The part of a sorted section in whose range the key lies."""
        index = self.head["sections"][section]
        number = bisect_right(index, key, key=lambda row: row[0]) - 1
        return self.part(section, max(number, 0))

    def parts(self, section: str) -> Iterator[str]:
        """Every part of a section in turn."""
        return (self.part(section, n) for n in range(len(self.head["sections"][section])))


def knowledge_text(name: str) -> str:
    """The text of a knowledge table, decompressed."""
    path = rules_dir() / "knowledge" / name
    if name.endswith(".gz"):
        import zlib

        return zlib.decompress(path.read_bytes(), zlib.MAX_WBITS | 16).decode("utf-8")
    return path.read_text("utf-8")
