"""One module per report format; a report is a pure function of an AuditResult.

``render`` is the way in; it imports only the module of the format that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from auditor.values import value

if TYPE_CHECKING:
    from auditor.catalog import Rule
    from auditor.result import AuditResult

# Format name → module of this package that has ``render(result, options) -> str``.
_MODULES = {
    "console": "console",
    "json": "jsonreport",
    "sarif": "sarif",
    "html": "html",
    "markdown": "markdown",
    "junit": "junit",
    "gitlab": "gitlab",
    "github": "github",
}

FORMATS = tuple(_MODULES)


@value
class Gate:
    """What the gate decided, in words (``high findings fail: 3 found``)."""

    passed: bool
    text: str

    @property
    def reason(self) -> str:
        """The text without the verdict, which the reports say themselves."""
        return self.text.removeprefix("passed: " if self.passed else "failed: ")


@value
class Options:
    """What a reader may ask of a report; formats ignore what does not concern them.

    ``color`` asks for terminal escapes and ``width`` is the terminal's, in cells. ``encoding`` is
    that of the stream the text goes to: what it cannot carry is escaped. ``rules`` and ``card``
    replace the catalogue (rules by id; Markdown body of a card by rule id).
    """

    color: bool = False
    width: int = 80
    encoding: str = "utf-8"
    verbose: bool = False
    quiet: bool = False
    explain_score: bool = False
    gate: Gate | None = None
    rules: Mapping[str, Rule] | None = None
    card: Callable[[str], str] | None = None


def render(format: str, result: AuditResult, options: Options | None = None) -> str:
    """The report as text, ending in a newline; ValueError for an unknown format."""
    if format not in _MODULES:
        raise ValueError(f"unknown format {format!r}; one of {', '.join(FORMATS)}")
    module = import_module(f"auditor.reports.{_MODULES[format]}")
    draw = cast("Callable[[AuditResult, Options], str]", module.render)
    return draw(result, options or Options())
