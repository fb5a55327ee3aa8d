"""Addresses that a switch in the code decides, where documentation speaks of the switch.

``host = "0.0.0.0" if IN_DOCKER else "localhost"`` with ``IN_DOCKER = False`` above it serves the
author's machine as committed; a document that names ``IN_DOCKER`` tells whoever deploys to turn it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import Service
    from auditor.source import Location


def find(facts: Facts, services: Iterable[Service]) -> dict[str, str]:
    """{service: why} of those whose address depends on a switch that is spoken of."""
    found: dict[str, str] = {}
    for service in services:
        places = [p for item in service.listens for p in (item.at, item.host_at) if p is not None]
        for place in dict.fromkeys(places):
            name = _switch(facts, place)
            if name and name in facts.spoken_of:
                found[service.name] = (
                    f"the address depends on `{name}` ({place.path}), which the documentation "
                    "tells to set"
                )
    return found


def _switch(facts: Facts, place: Location) -> str:
    """The constant in capitals that a conditional expression at this place asks."""
    module = facts.modules.get(place.path)
    tree = module.tree if module is not None else None
    if tree is None:
        return ""
    constants = {
        target.id
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name) and isinstance(statement.value.value, bool)
    }
    if not constants:
        return ""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.IfExp, ast.If)) or not (
            node.lineno <= place.line <= (node.end_lineno or node.lineno)
        ):
            continue
        asked = {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
        for name in sorted(asked & constants):
            if name.isupper():
                return name
    return ""
