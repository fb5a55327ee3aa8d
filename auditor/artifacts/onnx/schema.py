"""Operator schemas of every version: what a node may look like and what types come out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from auditor.artifacts.onnx.facts import OperatorUse
from auditor.artifacts.onnx.proto import DTYPES, Attribute, Node
from auditor.values import value

# AttributeProto.AttributeType.
FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS = range(1, 11)
SPARSE_TENSOR, SPARSE_TENSORS, TYPE, TYPES = 11, 12, 13, 14
KIND_NAMES = {
    FLOAT: "FLOAT",
    INT: "INT",
    STRING: "STRING",
    TENSOR: "TENSOR",
    GRAPH: "GRAPH",
    FLOATS: "FLOATS",
    INTS: "INTS",
    STRINGS: "STRINGS",
}
# Domains whose operators are known here; in all others an unknown operator says nothing.
STANDARD = ("", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview")


@value(kw_only=False)
class Formal:
    """A parameter: a type or the name of a type parameter; ``option`` optional, variadic or empty."""

    type: str
    option: str
    homogeneous: bool


@value(kw_only=False)
class Schema:
    """One version of an operator. ``arity``: least and most inputs, least and most outputs."""

    name: str
    since: int
    deprecated: bool
    arity: tuple[int, int, int, int]
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    types: dict[str, frozenset[str]]
    attributes: dict[str, tuple[int, bool]]
    function: bool

    def formal(self, index: int, *, output: bool = False) -> Formal | None:
        """The parameter that the index-th argument belongs to."""
        formals = self.outputs if output else self.inputs
        if index < len(formals):
            return formals[index]
        return formals[-1] if formals and formals[-1].option == "variadic" else None


@lru_cache(maxsize=1)
def _tables() -> dict[str, dict[str, Any]]:
    from auditor.catalog import knowledge

    found: dict[str, dict[str, Any]] = knowledge("onnx_operators.json.gz")["domains"]
    return found


@lru_cache(maxsize=4096)
def lookup(domain: str, operator: str, version: int) -> Schema | None:
    """The schema that an import of that version selects; None when there is none (yet)."""
    versions = _tables().get(domain, {}).get(operator)
    if not versions:
        return None
    numbers = sorted(int(v) for v in versions)
    index = bisect_right(numbers, version) - 1
    if index < 0:
        return None
    since = numbers[index]
    raw = versions[str(since)]
    return Schema(
        name=operator,
        since=since,
        deprecated=bool(raw.get("deprecated")),
        arity=tuple(raw.get("arity", (0, 0, 0, 0))),
        inputs=tuple(Formal(*p) for p in raw.get("inputs", ())),
        outputs=tuple(Formal(*p) for p in raw.get("outputs", ())),
        types={k: frozenset(map(spelled, v)) for k, v in raw.get("types", {}).items()},
        attributes={k: (a, b) for k, (a, b) in raw.get("attributes", {}).items()},
        function=bool(raw.get("function")),
    )


def spelled(type_: str) -> str:
    """A type as model files spell it: without spaces, the value of a map as a tensor."""
    text = type_.replace(" ", "")
    if text.startswith("seq(") and text.endswith(")"):
        return f"seq({spelled(text[4:-1])})"
    if text.startswith("map(") and text.endswith(")"):
        key, _, value = text[4:-1].partition(",")
        return f"map({key},{value})" if "(" in value else f"map({key},tensor({value}))"
    return text


def known(domain: str, operator: str) -> bool:
    """Whether any version of the domain has the operator."""
    return operator in _tables().get(domain, {})


def newest(domain: str) -> int:
    """The newest version of a standard domain that the table knows of."""
    return max(
        (int(v) for versions in _tables().get(domain, {}).values() for v in versions), default=0
    )


def described(use: OperatorUse, found: Schema) -> frozenset[str]:
    """All that tells this use of an operator from others: traits, types, and what is left out."""
    given = {trait.partition("=")[0].partition(" ")[0] for trait in use.traits}
    traits = set(use.traits)
    traits |= {f"-{name}" for name in found.attributes if name not in given}
    for index, formal in enumerate(found.inputs):
        if formal.option == "optional" and index and f"#{index}" not in given:
            traits.add(f"-#{index}")
    for index, actual in enumerate(use.inputs):
        parameter = found.formal(index)
        if parameter is not None and actual is not None:
            traits.add(f"{parameter.type}:{actual}")
    return frozenset(traits)


def worded(trait: str) -> str:
    """A trait for people."""
    if trait.startswith("-#"):
        return f"no input {trait[2:]}"
    if trait.startswith("-"):
        return f"no {trait[1:]}"
    if trait.startswith("#"):
        number, _, how = trait[1:].partition(" ")
        return f"input {number} {'constant' if how == 'fixed' else 'not constant'}"
    return trait.partition(":")[2] or trait


def kind_of(attribute: Attribute) -> int:
    """The attribute's type, also where an old file leaves it out."""
    if attribute.kind:
        return attribute.kind
    if attribute.tensor is not None:
        return TENSOR
    if attribute.graph is not None:
        return GRAPH
    if attribute.number is not None:
        return INT
    if attribute.real is not None:
        return FLOAT
    if attribute.ints:
        return INTS
    if attribute.reals:
        return FLOATS
    return STRING if attribute.text is not None else 0


def faults(node: Node, schema: Schema) -> list[tuple[str, str]]:
    """(kind, message) of what the schema does not allow about a node; types apart."""
    found: list[tuple[str, str]] = []
    name = schema.name
    if schema.deprecated:
        found.append(("op-deprecated", f"{name} was removed in version {schema.since}"))
        return found
    least_in, most_in, least_out, most_out = schema.arity
    # Trailing empty names are left-out optional inputs.
    given = len(node.inputs)
    if not least_in <= given <= most_in:
        found.append(
            ("invalid-graph", f"{name} has {given} inputs, not {_range(least_in, most_in)}")
        )
    outputs = len(node.outputs)
    if not least_out <= outputs <= most_out:
        found.append(
            ("invalid-graph", f"{name} has {outputs} outputs, not {_range(least_out, most_out)}")
        )
    for index, text in enumerate(node.inputs):
        formal = schema.formal(index)
        if not text and formal is not None and formal.option == "":
            found.append(("invalid-graph", f"{name} lacks its input {index + 1}"))
    if node.repeated_attribute:
        found.append(
            ("invalid-graph", f"{name} has the attribute {node.repeated_attribute!r} twice")
        )
    for attribute in node.attributes.values():
        expected = schema.attributes.get(attribute.name)
        if expected is None:
            if not attribute.name.startswith("__"):
                found.append(
                    (
                        "invalid-graph",
                        f"{name} has no attribute {attribute.name!r} (version {schema.since})",
                    )
                )
            continue
        kind = kind_of(attribute)
        if kind and kind != expected[0]:
            found.append(
                (
                    "invalid-graph",
                    f"{name}: the attribute {attribute.name!r} is {KIND_NAMES.get(kind, kind)},"
                    f" not {KIND_NAMES.get(expected[0], expected[0])}",
                )
            )
    for key, (_, required) in schema.attributes.items():
        if required and key not in node.attributes:
            found.append(("invalid-graph", f"{name} lacks the attribute {key!r}"))
    return found


def _range(least: int, most: int) -> str:
    if least == most:
        return str(least)
    return f"{least} to {most}" if most < 1 << 20 else f"{least} or more"


def types(
    node: Node, schema: Schema, inputs: Sequence[str | None]
) -> tuple[list[str | None], list[tuple[str, str]]]:
    """(output types as far as the schema settles them, faults of the input types)."""
    bound: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for index, actual in enumerate(inputs):
        formal = schema.formal(index)
        if formal is None or actual is None or "?" in actual:
            continue
        allowed = schema.types.get(formal.type)
        if allowed is None:
            if "(" in formal.type and actual != formal.type.replace(" ", ""):
                found.append(
                    (
                        "type-error",
                        f"{schema.name}: input {index + 1} is {actual}, not {formal.type}",
                    )
                )
            continue
        if actual not in allowed:
            found.append(
                (
                    "type-error",
                    f"{schema.name} of version {schema.since} takes no {actual} as input {index + 1}",
                )
            )
        if formal.option == "variadic" and not formal.homogeneous:
            continue
        before = bound.setdefault(formal.type, actual)
        if before != actual:
            found.append(
                ("type-error", f"{schema.name} mixes {before} and {actual} where one type is due")
            )
    return [
        _output(node, schema, index, bound, inputs) for index in range(len(node.outputs))
    ], found


def _output(
    node: Node, schema: Schema, index: int, bound: dict[str, str], inputs: Sequence[str | None]
) -> str | None:
    special = _special(node, index, inputs)
    if special is not None:
        return special
    formal = schema.formal(index, output=True)
    if formal is None:
        return None
    allowed = schema.types.get(formal.type)
    if allowed is None:
        return formal.type.replace(" ", "") if "(" in formal.type else None
    if formal.type in bound:
        return bound[formal.type]
    if len(allowed) == 1:
        return next(iter(allowed))
    return None


def tensor_type(number: int | None) -> str | None:
    """The type string of a TensorProto.DataType."""
    return f"tensor({DTYPES[number][0]})" if number in DTYPES else None


def _special(node: Node, index: int, inputs: Sequence[str | None]) -> str | None:
    """Types that attributes decide."""
    operator, attributes = node.operator, node.attributes

    def number(name: str) -> int | None:
        return attributes[name].number if name in attributes else None

    first = inputs[0] if inputs else None
    if operator == "Cast":
        to = attributes.get("to")
        if to is not None and to.text and to.number is None:
            return f"tensor({to.text.lower()})"
        return tensor_type(number("to"))
    if operator in ("BitCast",):
        return tensor_type(number("to"))
    if operator in ("RandomNormal", "RandomUniform"):
        return tensor_type(number("dtype") or 1)
    if operator in ("RandomNormalLike", "RandomUniformLike", "EyeLike", "Bernoulli"):
        return tensor_type(number("dtype")) if number("dtype") else first
    if operator == "Multinomial":
        return tensor_type(number("dtype") or 6)
    if operator in ("HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"):
        return tensor_type(number("output_datatype") or 1)
    if operator == "SequenceEmpty":
        return f"seq({tensor_type(number('dtype') or 1)})"
    if operator == "ConstantOfShape":
        value = attributes.get("value")
        return value.tensor.type if value is not None and value.tensor else "tensor(float)"
    if operator == "Constant":
        for name, kind in (("value_float", "float"), ("value_floats", "float"), ("value_int", "int64"),
                           ("value_ints", "int64"), ("value_string", "string"),
                           ("value_strings", "string")):  # fmt: skip
            if name in attributes:
                return f"tensor({kind})"
        for name in ("value", "sparse_value"):
            tensor = attributes[name].tensor if name in attributes else None
            if tensor is not None:
                return tensor.type
        return None
    if operator in ("SequenceAt",) and first and first.startswith("seq("):
        return first[4:-1]
    if operator == "SequenceConstruct" and first:
        return f"seq({first})"
    if operator in ("SplitToSequence",) and first:
        return f"seq({first})"
    if operator == "ConcatFromSequence" and first and first.startswith("seq("):
        return first[4:-1]
    if operator in ("SequenceInsert", "SequenceErase"):
        return first
    if operator == "Optional":
        inner = first
        if inner is None and "type" in attributes and attributes["type"].type:
            inner = attributes["type"].type.type
        return f"optional({inner})" if inner else None
    if operator == "OptionalGetElement" and first:
        return first[9:-1] if first.startswith("optional(") else first
    if operator in ("QuantizeLinear",) and index == 0:
        if len(inputs) > 2 and inputs[2]:
            return inputs[2]
        return tensor_type(number("output_dtype")) or "tensor(uint8)"
    if operator == "DequantizeLinear" and index == 0:
        return (
            tensor_type(number("output_dtype"))
            or (inputs[1] if len(inputs) > 1 else None)
            or "tensor(float)"
        )
    if operator == "ZipMap":
        return (
            "seq(map(string,tensor(float)))"
            if "classlabels_strings" in attributes
            else "seq(map(int64,tensor(float)))"
        )
    if operator == "CastMap":
        cast = attributes["cast_to"].text if "cast_to" in attributes else "TO_FLOAT"
        return {"TO_STRING": "tensor(string)", "TO_INT64": "tensor(int64)"}.get(
            cast or "", "tensor(float)"
        )
    if operator == "DictVectorizer" and first and first.startswith("map("):
        inner = first[:-1].partition(",")[2]
        return inner if inner.startswith("tensor(") else f"tensor({inner})"
    if operator in ("LabelEncoder",):
        for name, kind in (("values_strings", "string"), ("values_int64s", "int64"),
                           ("values_floats", "float")):  # fmt: skip
            if name in attributes:
                return f"tensor({kind})"
        if "values_tensor" in attributes and attributes["values_tensor"].tensor:
            return attributes["values_tensor"].tensor.type
        if "classes_strings" in attributes and first:
            return "tensor(int64)" if first == "tensor(string)" else "tensor(string)"
        return None
    if operator in ("TreeEnsembleClassifier", "LinearClassifier", "SVMClassifier") and index == 0:
        strings = {"classlabels_strings"} & set(attributes)
        return "tensor(string)" if strings else "tensor(int64)"
    return None
