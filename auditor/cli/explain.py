"""``deploy-audit explain RULE``: a rule's card."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from auditor.cli import options
from auditor.cli.declare import Argument, Option
from auditor.cli.rules import as_dict, matching
from auditor.cli.streams import wants_color, width_of, write_stdout
from auditor.errors import UsageError

if TYPE_CHECKING:
    from auditor.catalog import Rule


def command(
    which: Annotated[list[str], Argument(metavar="RULE", help="Ids, names or families.")],
    form: Annotated[
        str, Option("--format", "-f", metavar="FORMAT", help="console, markdown or json.")
    ] = "console",
    quiet: options.Quiet = False,
    verbose: options.Verbose = 0,
    color: options.Color = "auto",
) -> int:
    """Print the card of a rule: what happens, why, how it is detected, what to do."""
    from auditor.catalog import card_text

    if form not in ("console", "markdown", "json"):
        raise UsageError(f"--format: expected console, markdown or json, not {form!r}")
    chosen = list(dict.fromkeys(rule for word in which for rule in matching(word)))
    if form == "json":
        import json

        cards = [{**as_dict(rule), "card": card_text(rule.id)} for rule in chosen]
        write_stdout(json.dumps(cards, indent=2) + "\n")
        return 0
    text = "\n".join(_page(rule, card_text(rule.id)) for rule in chosen)
    if form == "console" and wants_color(color, sys.stdout):
        text = _drawn(text, width_of(sys.stdout))
    write_stdout(text)
    return 0


def _page(rule: Rule, body: str) -> str:
    strict = ", strict profile" if rule.profile == "strict" else ""
    references = "".join(f"- <{url}>\n" for url in rule.references if url not in body)
    return (
        f"# {rule.id} {rule.name}: {rule.title}\n\n"
        f"{rule.category}; severity {rule.severity.label}, confidence "
        f"{rule.confidence.label}{strict}; since {rule.since}\n\n"
        f"{body.strip()}\n" + (f"\n{references}" if references else "")
    )


def _drawn(markdown: str, width: int) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(file=StringIO(), force_terminal=True, width=min(width, 100))
    with console.capture() as capture:
        console.print(Markdown(markdown))
    return capture.get()
