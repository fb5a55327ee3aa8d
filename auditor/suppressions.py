"""Findings that somebody accepted, by a comment in the file or by ``per-file-ignores``.

    # deploy-audit: ignore[ENV001] reason            this line, or, alone, the statement below
    # deploy-audit: ignore-file[ENV001, NET] reason  the whole file, when among its first 20 lines

A suppression that says no rule or no reason, names an unknown rule or suppresses nothing is itself
reported (CFG001 to CFG003); those reports can be accepted by configuration but not by comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from auditor import lazy_re as re
from auditor.comments import Comment, comments
from auditor.config import glob_match, nearest, selects
from auditor.findings import Suppression
from auditor.source import Location
from auditor.values import field, record, replace, value

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.config import PerFileIgnore, Settings
    from auditor.findings import Finding
    from auditor.source import SourceText

MARKER: Final = "deploy-audit:"
_TOP_LINES: Final = 20
_MAX_BYTES: Final = 2_000_000
_DIRECTIVE: Final = re.compile(
    r"#\s*deploy-audit:\s*(?P<word>[A-Za-z-]*)\s*(?:\[(?P<rules>[^\]]*)\])?"
    r"(?P<reason>(?:(?!#\s*deploy-audit:).)*)"
)


@value
class Directive:
    """One suppression comment. ``covers`` is None for the whole file."""

    at: Location
    rules: tuple[str, ...]
    reason: str | None
    covers: tuple[int, int] | None
    # What is wrong with it, in words, when it cannot be honoured as written.
    mistake: str | None = None

    def accepts(self, finding: Finding) -> tuple[str, ...]:
        """Which of its words name the finding's rule, if that stands where this speaks of."""
        if self.covers is not None:
            first, last = self.covers
            if not first <= finding.at.line <= last:
                return ()
        return tuple(word for word in self.rules if selects(word, finding.rule, finding.name))


def parse(source: SourceText) -> tuple[Directive, ...]:
    """The suppressions written in a file; never raises."""
    if MARKER not in source.text or len(source.text) > _MAX_BYTES:
        return ()
    found: list[Directive] = []
    for comment in comments(source):
        if MARKER in comment.text:
            found.extend(_directives(source.path, comment))
    return tuple(found)


def _directives(path: str, comment: Comment) -> Iterator[Directive]:
    for match in _DIRECTIVE.finditer(comment.text):
        word = match["word"]
        if word not in ("ignore", "ignore-file"):
            # Prose may say "deploy-audit:" too; only what looks like a slip is worth a word.
            from difflib import get_close_matches

            if match["rules"] is None and not get_close_matches(word, ["ignore"], cutoff=0.7):
                continue
            mistake = f'"{word}" means nothing here; write "ignore" or "ignore-file"'
        else:
            mistake = None
        whole_file = word == "ignore-file"
        if whole_file and comment.line > _TOP_LINES:
            mistake = f"a suppression of the whole file must stand in its first {_TOP_LINES} lines"
        rules = tuple(r for part in (match["rules"] or "").split(",") if (r := part.strip()))
        reason = match["reason"].strip().lstrip(":-–— \t").strip()
        column = comment.column + match.start()
        yield Directive(
            at=Location(path, comment.line, column, comment.line, column + len(match[0].rstrip())),
            rules=rules,
            reason=reason or None,
            covers=None if whole_file else comment.covers,
            mistake=mistake,
        )


def apply(
    findings: Iterable[Finding],
    texts: Mapping[str, SourceText],
    settings: Settings,
    rules: Mapping[str, Rule] | None = None,
) -> tuple[Finding, ...]:
    """The findings with ``suppressed`` set where accepted, plus CFG findings about suppressions.

    ``texts`` are the text files that were read, by path; ``rules`` defaults to the catalogue.
    Pure: the order of the findings given is kept, new ones follow in order of place.
    """
    if rules is None:
        from auditor.catalog import rules as catalogue

        rules = catalogue()
    judge = _Judge(settings=settings, rules=rules)
    directives: dict[str, tuple[Directive, ...]] = {}
    if settings.honour_comments:
        directives = {path: d for path, text in texts.items() if (d := parse(text))}
    kept = [judge.by_comment(f, directives.get(f.at.path, ())) for f in findings]
    about = [f for path in sorted(directives) for f in judge.about(directives[path])]
    kept = [judge.by_config(f) for f in (*kept, *about)]
    return (*kept, *(judge.by_config(f) for f in judge.about_config()))


@record
class _Judge:
    settings: Settings
    rules: Mapping[str, Rule]
    # Which words of which suppressions did something.
    used: set[tuple[Directive | PerFileIgnore, str]] = field(default_factory=set)

    def by_comment(self, finding: Finding, directives: Sequence[Directive]) -> Finding:
        for directive in directives:
            words = directive.accepts(finding) if directive.mistake is None else ()
            if words:
                self.used.update((directive, word) for word in words)
                if finding.suppressed is None:
                    accepted = Suppression(by="comment", reason=directive.reason)
                    finding = replace(finding, suppressed=accepted)
        return finding

    def by_config(self, finding: Finding) -> Finding:
        for entry in self.settings.per_file_ignores:
            words = [w for w in entry.rules if selects(w, finding.rule, finding.name)]
            if words and glob_match(entry.pattern, finding.at.path):
                self.used.update((entry, word) for word in words)
                if finding.suppressed is None:
                    accepted = Suppression(by="config", reason=entry.reason)
                    finding = replace(finding, suppressed=accepted)
        return finding

    def about(self, directives: Sequence[Directive]) -> Iterator[Finding]:
        for directive in directives:
            at = directive.at
            if directive.mistake is not None:
                yield from self.report("CFG001", at, f"the suppression {directive.mistake}")
                continue
            if not directive.rules:
                message = "the suppression names no rule, so it suppresses nothing"
                yield from self.report("CFG001", at, message)
                continue
            if directive.reason is None:
                message = f"the suppression of {', '.join(directive.rules)} gives no reason"
                yield from self.report("CFG001", at, message)
            unknown = [word for word in directive.rules if not self.known(word)]
            for word in unknown:
                message = f"there is no rule {word!r}{nearest(word, self.names())}"
                yield from self.report("CFG002", at, message)
            unused = self.unused(directive)
            if unused:
                message = f"the suppression of {', '.join(unused)} suppresses nothing"
                yield from self.report("CFG003", at, message)

    def about_config(self) -> Iterator[Finding]:
        for entry in self.settings.per_file_ignores:
            if entry.at is None:
                continue
            named = f'the entry "{entry.pattern}" of per-file-ignores'
            if entry.reason is None:
                yield from self.report("CFG001", entry.at, f"{named} gives no reason")
            unused = self.unused(entry)
            if unused:
                message = f"{named} suppresses no {' or '.join(unused)}"
                yield from self.report("CFG003", entry.at, message)

    def report(self, rule_id: str, at: Location, message: str) -> Iterator[Finding]:
        rule = self.rules.get(rule_id)
        if rule is not None and self.settings.enables(rule):
            yield rule.finding(at, message, severity=self.settings.severity_of(rule))

    def names(self) -> set[str]:
        return {
            "ALL",
            *(rule.id for rule in self.rules.values()),
            *(rule.name for rule in self.rules.values()),
            *(rule.id.rstrip("0123456789") for rule in self.rules.values()),
        }

    def known(self, word: str) -> bool:
        return word in self.names()

    def unused(self, suppression: Directive | PerFileIgnore) -> list[str]:
        """The known words of a suppression that accepted nothing, though all was looked at."""
        return [
            word
            for word in suppression.rules
            if (suppression, word) not in self.used and self.known(word) and self.judged(word)
        ]

    def judged(self, word: str) -> bool:
        """Whether every rule of that word was looked at: else nobody knows whether it is unused."""
        named = (rule for rule in self.rules.values() if selects(word, rule.id, rule.name))
        return all(
            self.settings.enables(rule)
            and not rule.id.startswith("DYN")
            and ("online" not in rule.tags or self.settings.online)
            for rule in named
        )
