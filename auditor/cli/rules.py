"""``deploy-audit rules``: the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from auditor.cli import options
from auditor.cli.declare import Argument, Option
from auditor.cli.streams import write_stdout
from auditor.config import nearest, selects
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.catalog import Rule


def command(
    which: Annotated[
        list[str] | None,
        Argument(metavar="RULE", help="Only these: ids, names or families."),
    ] = None,
    form: Annotated[
        str, Option("--format", "-f", metavar="FORMAT", help="console or json.")
    ] = "console",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    color: options.Color = "auto",
) -> int:
    """List the rules: id, severity, profile and title."""
    from auditor.catalog import catalog

    if form not in ("console", "json"):
        raise UsageError(f"--format: expected console or json, not {form!r}")
    chosen = [rule for word in which or ["ALL"] for rule in matching(word)]
    chosen = list(dict.fromkeys(chosen))
    if form == "json":
        import json

        write_stdout(json.dumps([as_dict(rule) for rule in chosen], indent=2) + "\n")
        return 0
    families: dict[str, str] = catalog()["families"]
    lines: list[str] = []
    family = ""
    for rule in chosen:
        if (own := rule.id.rstrip("0123456789")) != family:
            family = own
            lines += ["", f"{family}: {families.get(family, '')}"]
        strict = " (strict)" if rule.profile == "strict" else ""
        lines.append(f"  {rule.id}  {rule.severity.label:8}  {rule.title}{strict}")
    write_stdout("\n".join(lines[1:]) + "\n")
    return 0


def matching(word: str) -> list[Rule]:
    """The rules that a word names; UsageError when it names none."""
    from auditor.catalog import catalog, rules

    everything = rules().values()
    folded = word.upper() if word.upper() in catalog()["families"] or word.isalnum() else word
    found = [r for r in everything if selects(folded, r.id, r.name) or selects(word, r.id, r.name)]
    if not found and folded not in ("ALL", *catalog()["families"]):
        names = {*(r.id for r in everything), *(r.name for r in everything)}
        hint = nearest(word, names | set(catalog()["families"]))
        raise UsageError(f"there is no rule, family or name {word!r}{hint}")
    return found


def as_dict(rule: Rule) -> dict[str, Any]:
    """The front matter of a card as JSON spells it."""
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "category": rule.category,
        "severity": rule.severity.label,
        "confidence": rule.confidence.label,
        "level": rule.level,
        "profile": rule.profile,
        "since": rule.since,
        "tags": list(rule.tags),
        "help": rule.help,
        "references": list(rule.references),
    }
