"""Models of one operator each, from the onnx package's own tests, and what their outcomes teach.

Used by ``make_onnx_tables.py`` and ``make_onnx_engines.py``: an operator is asked for as it is really
used, in every version that it has had.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

Case = tuple[tuple[str, str, str], frozenset[str], bytes]


def cases(only: frozenset[str] = frozenset()) -> Iterator[Case]:
    """The onnx package's tests of single operators: (domain, operator, version), traits, model.

    Each is asked in every version of its operator that allows it, with the inputs behind the first
    as inputs and as constants; what an older version took as an attribute becomes one. Of tests
    with the same traits one is kept. ``only`` are the operators asked for; all when empty.
    """
    from onnx.backend.test.case.node import collect_testcases

    from auditor.artifacts.onnx.analyse import analyse
    from auditor.artifacts.onnx.schema import described, lookup

    seen: set[tuple[tuple[str, str, str], frozenset[str]]] = set()
    for case in collect_testcases(None):
        if case.model is None or len(case.model.graph.node) != 1 or case.model.functions:
            continue
        if only and case.model.graph.node[0].op_type not in only:
            continue
        data = [list(d[0]) for d in case.data_sets or ()]
        for model in (*versions(case.model, data), *versions(alone(case.model), data)):
            made = model.SerializeToString()
            facts = analyse(made)
            if len(facts.uses) != 1 or any(d.kind != "op-deprecated" for d in facts.defects):
                continue
            use = facts.uses[0]
            found = lookup(use.domain, use.operator, use.version)
            if found is None or found.since != use.version:
                continue
            key = (use.domain, use.operator, str(found.since))
            traits = frozenset(
                plain_trait(t, use.domain, use.operator, found.since) for t in described(use, found)
            )
            if (key, traits) not in seen:
                seen.add((key, traits))
                yield key, traits, made


def alone(model: Any) -> Any:
    """The test with the first of its outputs only, where the others can be left out."""
    from onnx import ModelProto

    made = ModelProto()
    made.CopyFrom(model)
    del made.graph.node[0].output[1:]
    kept = [o for o in made.graph.output if o.name == made.graph.node[0].output[0]]
    del made.graph.output[:]
    made.graph.output.extend(kept)
    return made


def plain_trait(trait: str, domain: str, operator: str, since: int) -> str:
    """A setting that is the default anyway, as left out."""
    from onnx import AttributeProto, defs, helper

    name, given, text = trait.partition("=")
    if not given:
        return trait
    default = defs.get_schema(operator, since, domain).attributes[name].default_value
    if default.type not in (AttributeProto.INT, AttributeProto.STRING):
        return trait
    value = helper.get_attribute_value(default)
    plain = value.decode() if isinstance(value, bytes) else str(value)
    return f"-{name}" if plain == text else trait


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
                elif fixed and isinstance(given.get(name), np.ndarray | np.generic):
                    value = np.asarray(given[name])
                    made.graph.initializer.append(numpy_helper.from_array(value, name))
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


def refused(
    said: list[tuple[frozenset[str], str]], known: frozenset[str] = frozenset()
) -> list[list[str]]:
    """Combinations of traits that only refused tests have, the plainest first.

    ``known`` are traits that are accepted besides. Where each trait of a refused test is accepted elsewhere, two settings that never go together.
    """
    passed = [traits for traits, code in said if code == "Y"]
    accepted = known | {t for traits in passed for t in traits}
    left = [traits for traits, code in said if code != "Y"]
    found: list[frozenset[str]] = []
    for rest in sorted((traits - accepted for traits in left), key=len):
        if rest and not any(other <= rest for other in found):
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
    return [sorted(combination) for combination in found if telling(combination)][:24]


def telling(combination: frozenset[str]) -> bool:
    """Traits by which a runtime may go: few, and a setting or a type among them."""
    marks = ("=", ":", " true", " false", " outputs")
    return len(combination) < 4 and any(mark in t for t in combination for mark in marks)


def ir_of(opset: int) -> int:
    """The IR version that came with an opset; 4 is the oldest that takes free-standing weights."""
    known = ((25, 13), (24, 12), (23, 11), (21, 10), (19, 9), (15, 8), (12, 7), (11, 6), (10, 5))
    return next((ir for since, ir in known if opset >= since), 4)
