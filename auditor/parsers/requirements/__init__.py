"""Requirements files as pip reads them: logical lines, options, requirements, with their places.

The rules are those of pip's "Requirements File Format" and of PEP 508 (dependency specifiers);
where the two differ pip's behaviour is followed, since pip is what builds the image. Nothing here
looks at the file system: other files come through a callable. ``packaging`` is imported only for
lines that need it (markers, several clauses, URLs): most lines are ``name==1.2.3``.
"""

from __future__ import annotations

from auditor.parsers.requirements.entries import parse_requirement
from auditor.parsers.requirements.facts import (
    Include,
    Option,
    Requirement,
    RequirementsFile,
    ResolvedRequirements,
    Vcs,
)
from auditor.parsers.requirements.files import decode, parse, parse_arguments, resolve
from auditor.parsers.requirements.lines import MAX_DEPTH, MAX_FILES
from auditor.parsers.requirements.markers import evaluate_marker, marker_object, normalise

__all__ = [
    "MAX_DEPTH",
    "MAX_FILES",
    "Include",
    "Option",
    "Requirement",
    "RequirementsFile",
    "ResolvedRequirements",
    "Vcs",
    "decode",
    "evaluate_marker",
    "marker_object",
    "normalise",
    "parse",
    "parse_arguments",
    "parse_requirement",
    "resolve",
]
