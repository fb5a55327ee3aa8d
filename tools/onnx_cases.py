"""Models of one operator each, from the onnx package's own tests, and what their outcomes teach.

Used by ``make_onnx_tables.py`` and ``make_onnx_engines.py``: an operator is asked for as it is really
used, in every version that it has had.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

Case = tuple[tuple[str, str, str], frozenset[str], bytes]


def cases() -> Iterator[Case]:
    """The onnx package's tests of single operators: (domain, operator, version), traits, model.

    Each is asked in every version of its operator that allows it, with the inputs behind the first
    as inputs and as constants; what an older version took as an attribute becomes one. Of tests
    with the same traits one is kept.
    """
    from onnx.backend.test.case.node import collect_testcases

    from auditor.artifacts.onnx.analyse import analyse
    from auditor.artifacts.onnx.schema import described, lookup

    seen: set[tuple[tuple[str, str, str], frozenset[str]]] = set()
    for case in collect_testcases(None):
        if case.model is None or len(case.model.graph.node) != 1 or case.model.functions:
            continue
        for model in versions(case.model, [list(d[0]) for d in case.data_sets or ()]):
            made = model.SerializeToString()
            facts = analyse(made)
            if len(facts.uses) != 1 or any(d.kind != "op-deprecated" for d in facts.defects):
                continue
            use = facts.uses[0]
            found = lookup(use.domain, use.operator, use.version)
            if found is None or found.since != use.version:
                continue
            key = (use.domain, use.operator, str(found.since))
            traits = described(use, found)
            if (key, traits) not in seen:
                seen.add((key, traits))
                yield key, traits, made


def versions(model: Any, data: list[list[Any]]) -> Iterator[Any]:
    """The test in every version of its operator, with and without constants."""
    import numpy as np
    from onnx import AttributeProto, ModelProto, checker, defs, helper, numpy_helper

    node = model.graph.node[0]
    every = [
        s for s in defs.get_all_schemas_with_history()
        if s.name == node.op_type and s.domain == node.domain
    ]  # fmt: skip
    ports = {p.name: p for p in model.graph.input}
    given = dict(zip(ports, data[0], strict=False)) if data else {}
    newest = [p.name for p in max(every, key=lambda s: s.since_version).inputs] if every else []
    for schema in every:
        for fixed in (False, True):
            made = ModelProto()
            made.CopyFrom(model)
            main = schema.since_version if not node.domain else 18
            made.ir_version = min(ir_of(main), model.ir_version)
            del made.opset_import[:]
            made.opset_import.append(helper.make_opsetid("", main))
            if node.domain:
                made.opset_import.append(helper.make_opsetid(node.domain, schema.since_version))
            inner = made.graph.node[0]
            for index in range(len(node.input) - 1, 0, -1):
                name = node.input[index]
                formal = newest[index] if index < len(newest) else ""
                if formal in schema.attributes and index >= len(schema.inputs) and name in given:
                    # Once an attribute.
                    kind = int(schema.attributes[formal].type)  # type: ignore[call-overload]
                    whole = kind in (AttributeProto.INT, AttributeProto.INTS)
                    listed = kind in (AttributeProto.INTS, AttributeProto.FLOATS)
                    flat = np.asarray(given[name]).astype(int if whole else float).reshape(-1)
                    if not listed and flat.size != 1:
                        continue
                    setting = flat.tolist() if listed else flat.tolist()[0]
                    inner.attribute.append(helper.make_attribute(formal, setting, attr_type=kind))
                    del inner.input[index]
                elif fixed and name in given and isinstance(given[name], np.ndarray):
                    made.graph.initializer.append(numpy_helper.from_array(given[name], name))
                else:
                    continue
                kept = [p for p in made.graph.input if p.name != name]
                del made.graph.input[:]
                made.graph.input.extend(kept)
            try:
                checker.check_model(made)
            except Exception as error:  # Not a model of that version.
                if "deprecated" not in str(error):
                    continue
            yield made


def refused(said: list[tuple[frozenset[str], str]]) -> list[list[str]]:
    """Combinations of traits that only refused tests have, the plainest first.

    Where each trait of a refused test is accepted elsewhere, two settings that never go together.
    """
    passed = [traits for traits, code in said if code == "Y"]
    accepted = frozenset(t for traits in passed for t in traits)
    left = [traits for traits, code in said if code != "Y"]
    found: list[frozenset[str]] = []
    for rest in sorted((traits - accepted for traits in left), key=len):
        if rest and not any(known <= rest for known in found):
            found.append(rest)
    for traits in left:
        if traits <= accepted:
            settings = sorted(t for t in traits if "=" in t)
            pairs = [
                pair
                for pair in map(frozenset, combinations(settings, 2))
                if not any(pair <= other for other in passed)
            ]
            if len(pairs) == 1 and pairs[0] not in found:
                found.append(pairs[0])
    return [sorted(combination) for combination in found[:24]]


def ir_of(opset: int) -> int:
    """The IR version that came with an opset; 4 is the oldest that takes free-standing weights."""
    known = ((25, 13), (24, 12), (23, 11), (21, 10), (19, 9), (15, 8), (12, 7), (11, 6), (10, 5))
    return next((ir for since, ir in known if opset >= since), 4)
