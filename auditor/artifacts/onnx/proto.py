"""An ONNX file skimmed on the wire: the whole graph, none of the weights.

Field numbers are those of ``onnx.proto`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
Nothing is copied but names, small attributes and tensors of a few elements; a weight is known by
its type, dimensions and where it lies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from mmap import mmap
from typing import TypeAlias

from auditor.values import field, record

Buffer: TypeAlias = bytes | mmap
Scalar: TypeAlias = int | float | bool | str

# Tensors up to this many elements are read: shapes, axes, thresholds, masks.
SMALL = 64
# Protocol Buffers refuse messages nested deeper than 100; a subgraph costs three levels.
MAX_DEPTH = 32
MAX_FIELDS = 20_000_000
MAX_TEXT = 1024

# TensorProto.DataType: name, bits of an element.
DTYPES: dict[int, tuple[str, int]] = {
    1: ("float", 32),
    2: ("uint8", 8),
    3: ("int8", 8),
    4: ("uint16", 16),
    5: ("int16", 16),
    6: ("int32", 32),
    7: ("int64", 64),
    8: ("string", 0),
    9: ("bool", 8),
    10: ("float16", 16),
    11: ("double", 64),
    12: ("uint32", 32),
    13: ("uint64", 64),
    14: ("complex64", 64),
    15: ("complex128", 128),
    16: ("bfloat16", 16),
    17: ("float8e4m3fn", 8),
    18: ("float8e4m3fnuz", 8),
    19: ("float8e5m2", 8),
    20: ("float8e5m2fnuz", 8),
    21: ("uint4", 4),
    22: ("int4", 4),
    23: ("float4e2m1", 4),
    24: ("float8e8m0", 8),
    25: ("uint2", 2),
    26: ("int2", 2),
}
_FORMATS = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "?", 11: "d", 12: "I"}
_FORMATS |= {13: "Q", 10: "e"}


class DamageError(Exception):
    """The bytes are no message; the text says what is wrong."""


@record
class Tensor:
    """A constant. ``values`` are its elements when they are few; ``nbytes`` what it occupies."""

    name: str = ""
    dtype: int = 0
    dims: tuple[int, ...] = ()
    values: tuple[Scalar, ...] | None = None
    nbytes: int = 0
    # Where raw bytes lie in the file, for sampling.
    raw: tuple[int, int] | None = None
    external: dict[str, str] | None = None
    # ``data_location`` says so; readers ignore the entries otherwise.
    is_external: bool = False
    # It holds another number of elements than its dimensions say.
    mismatched: bool = False
    sparse: bool = False

    @property
    def size(self) -> int:
        return prod(self.dims)

    @property
    def type(self) -> str | None:
        known = DTYPES.get(self.dtype)
        return f"tensor({known[0]})" if known else None


@record
class Port:
    """A ValueInfoProto: its type in the runtime's spelling, and per axis a number, name or None."""

    name: str = ""
    type: str | None = None
    shape: tuple[int | str | None, ...] | None = None


@record
class Attribute:
    """``kind`` is AttributeProto.AttributeType, 0 when the file does not say."""

    name: str = ""
    kind: int = 0
    reference: str = ""
    number: int | None = None
    real: float | None = None
    text: str | None = None
    ints: tuple[int, ...] = ()
    reals: tuple[float, ...] = ()
    # How many entries the list attributes really have.
    count: int = 0
    tensor: Tensor | None = None
    graph: Graph | None = None
    graphs: tuple[Graph, ...] = ()
    type: Port | None = None


@record
class Node:
    operator: str = ""
    domain: str = ""
    name: str = ""
    overload: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    attributes: dict[str, Attribute] = field(default_factory=dict)
    repeated_attribute: str = ""

    @property
    def label(self) -> str:
        """How a person finds it: the operator and its name or first output."""
        place = self.name or next((o for o in self.outputs if o), "")
        return f"{self.operator}:{place}" if place else self.operator


@record
class Graph:
    name: str = ""
    nodes: list[Node] = field(default_factory=list)
    initializers: list[Tensor] = field(default_factory=list)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    value_info: list[Port] = field(default_factory=list)


@record
class Function:
    name: str = ""
    domain: str = ""
    overload: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    defaults: dict[str, Attribute] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    opsets: list[tuple[str, int]] = field(default_factory=list)


@record
class Model:
    """A ModelProto. ``graph`` is None where the file has none."""

    ir_version: int | None = None
    opsets: list[tuple[str, int]] = field(default_factory=list)
    producer: str = ""
    producer_version: str = ""
    domain: str = ""
    graph: Graph | None = None
    functions: list[Function] = field(default_factory=list)
    training: int = 0
    damage: str = ""
    # A string that protobuf itself refuses (proto3 text must be UTF-8 in newer runtimes).
    nodes: int = 0


def skim(data: Buffer, start: int = 0, end: int | None = None) -> Model:
    """Read a model; ``damage`` of the result says where reading had to end. Never raises."""
    model = Model()
    reader = Reader(data)
    try:
        reader.model(model, start, len(data) if end is None else end)
    except DamageError as error:
        model.damage = str(error)
    except (IndexError, RecursionError, struct.error):
        model.damage = "it is cut off"
    return model


class Reader:
    """Reads the messages of a buffer, each given as ``start:end``; DamageError on bad bytes."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.left = MAX_FIELDS

    def varint(self, at: int, end: int) -> tuple[int, int]:
        data = self.data
        value = shift = 0
        while at < end:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at
            shift += 7
            if shift > 63:
                raise DamageError("a number that does not end")
        raise DamageError("it is cut off")

    def fields(self, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """(field, wire type, value or start, stop) of each field of the message ``at:end``."""
        data = self.data
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise DamageError("it has more fields than are looked at")
            key = data[at]
            if key < 0x80:
                at += 1
            else:
                key, at = self.varint(at, end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise DamageError("a field without a number")
            if wire == 2:
                if at >= end:
                    raise DamageError("it is cut off")
                length = data[at]
                if length < 0x80:
                    at += 1
                else:
                    length, at = self.varint(at, end)
                stop = at + length
                if stop > end:
                    raise DamageError("a field reaches beyond its message")
                yield number, 2, at, stop
                at = stop
            elif wire == 0:
                value, at = self.varint(at, end)
                yield number, 0, value, at
            elif wire == 5 or wire == 1:
                stop = at + (4 if wire == 5 else 8)
                if stop > end:
                    raise DamageError("a field reaches beyond its message")
                yield number, wire, at, stop
                at = stop
            else:
                raise DamageError(f"a field of wire type {wire}, which ONNX does not use")

    def text(self, start: int, stop: int) -> str:
        raw: bytes = self.data[start : min(stop, start + MAX_TEXT)]
        return raw.decode("utf-8", "replace")

    def model(self, model: Model, start: int, end: int) -> None:
        for number, wire, a, b in self.fields(start, end):
            if number == 1 and wire == 0:
                model.ir_version = _signed(a)
            elif number == 2 and wire == 2:
                model.producer = self.text(a, b)
            elif number == 3 and wire == 2:
                model.producer_version = self.text(a, b)
            elif number == 4 and wire == 2:
                model.domain = self.text(a, b)
            elif number == 7 and wire == 2:
                # A repeated singular message is merged; the later parts add to the first.
                # It is set before it is read, so that damage further on leaves what came before.
                model.graph = model.graph or Graph()
                self.graph(a, b, 0, model.graph)
            elif number == 8 and wire == 2:
                model.opsets.append(self.opset(a, b))
            elif number == 20 and wire == 2:
                model.training += 1
            elif number == 25 and wire == 2:
                model.functions.append(self.function(a, b))

    def opset(self, start: int, end: int) -> tuple[str, int]:
        domain, version = "", 0
        for number, wire, a, b in self.fields(start, end):
            if number == 1 and wire == 2:
                domain = self.text(a, b)
            elif number == 2 and wire == 0:
                version = _signed(a)
        return domain, version

    def function(self, start: int, end: int) -> Function:
        found = Function()
        for number, wire, a, b in self.fields(start, end):
            if wire != 2:
                continue
            if number == 1:
                found.name = self.text(a, b)
            elif number == 4:
                found.inputs.append(self.text(a, b))
            elif number == 5:
                found.outputs.append(self.text(a, b))
            elif number == 6:
                found.attributes.append(self.text(a, b))
            elif number == 7:
                found.nodes.append(self.node(a, b, 0))
            elif number == 9:
                found.opsets.append(self.opset(a, b))
            elif number == 10:
                found.domain = self.text(a, b)
            elif number == 11:
                attribute = self.attribute(a, b, 0)
                found.defaults[attribute.name] = attribute
            elif number == 13:
                found.overload = self.text(a, b)
        return found

    def graph(self, start: int, end: int, depth: int, into: Graph | None = None) -> Graph:
        if depth > MAX_DEPTH:
            raise DamageError("its subgraphs are nested deeper than Protocol Buffers allow")
        graph = into or Graph()
        nodes, initializers = graph.nodes, graph.initializers
        for number, wire, a, b in self.fields(start, end):
            if wire != 2:
                continue
            if number == 1:
                nodes.append(self.node(a, b, depth))
            elif number == 5:
                initializers.append(self.tensor(a, b))
            elif number == 2:
                graph.name = self.text(a, b)
            elif number == 11:
                graph.inputs.append(self.port(a, b))
            elif number == 12:
                graph.outputs.append(self.port(a, b))
            elif number == 13:
                graph.value_info.append(self.port(a, b))
            elif number == 15:
                initializers.append(self.sparse(a, b))
        return graph

    def node(self, start: int, end: int, depth: int) -> Node:
        node = Node()
        inputs: list[str] = []
        outputs: list[str] = []
        for number, wire, a, b in self.fields(start, end):
            if wire != 2:
                continue
            if number == 1:
                inputs.append(self.text(a, b))
            elif number == 2:
                outputs.append(self.text(a, b))
            elif number == 3:
                node.name = self.text(a, b)
            elif number == 4:
                node.operator = self.text(a, b)
            elif number == 5:
                attribute = self.attribute(a, b, depth)
                if attribute.name in node.attributes:
                    node.repeated_attribute = attribute.name
                node.attributes[attribute.name] = attribute
            elif number == 7:
                node.domain = self.text(a, b)
            elif number == 8:
                node.overload = self.text(a, b)
        node.inputs, node.outputs = tuple(inputs), tuple(outputs)
        return node

    def attribute(self, start: int, end: int, depth: int) -> Attribute:
        found = Attribute()
        ints: list[int] = []
        reals: list[float] = []
        graphs: list[Graph] = []
        for number, wire, a, b in self.fields(start, end):
            if wire == 2:
                if number == 1:
                    found.name = self.text(a, b)
                elif number == 4:
                    found.text = self.text(a, b)
                elif number in (5, 22):
                    found.tensor = self.tensor(a, b) if number == 5 else self.sparse(a, b)
                elif number == 6:
                    found.graph = self.graph(a, b, depth + 1, found.graph)
                elif number == 7:
                    found.count += (b - a) // 4
                    room = max(0, SMALL - len(reals))
                    stop = min(b, a + 4 * room)
                    reals += struct.unpack(f"<{(stop - a) // 4}f", self.data[a:stop])
                elif number == 8:
                    found.count += self.packed(a, b, ints)
                elif number in (9, 10, 15, 23):
                    found.count += 1
                    if number == 9 and found.text is None and found.count == 1:
                        found.text = self.text(a, b)
                elif number == 11:
                    graphs.append(self.graph(a, b, depth + 1))
                elif number == 14:
                    found.type = Port()
                    found.type.type, found.type.shape = self.type(a, b, 0)
                elif number == 21:
                    found.reference = self.text(a, b)
            elif wire == 0:
                if number == 3:
                    found.number = _signed(a)
                elif number == 8:
                    found.count += 1
                    if len(ints) < SMALL:
                        ints.append(_signed(a))
                elif number == 20:
                    found.kind = a
            elif wire == 5:
                if number == 2:
                    found.real = struct.unpack("<f", self.data[a:b])[0]
                elif number == 7:
                    found.count += 1
                    if len(reals) < SMALL:
                        reals.append(struct.unpack("<f", self.data[a:b])[0])
        found.ints, found.reals, found.graphs = tuple(ints), tuple(reals), tuple(graphs)
        return found

    def packed(self, start: int, end: int, into: list[int], limit: int = SMALL) -> int:
        """Append packed numbers while there is room; returns about how many there are."""
        at = start
        count = 0
        while at < end and len(into) < limit:
            value, at = self.varint(at, end)
            into.append(_signed(value))
            count += 1
        return count + (end - at)

    def sparse(self, start: int, end: int) -> Tensor:
        found = Tensor()
        dims: list[int] = []
        for number, wire, a, b in self.fields(start, end):
            if number == 1 and wire == 2:
                found = self.tensor(a, b)
            elif number == 3:
                dims += [_signed(a)] if wire == 0 else []
                if wire == 2:
                    self.packed(a, b, dims)
        return Tensor(
            name=found.name,
            dtype=found.dtype,
            dims=tuple(dims),
            nbytes=found.nbytes,
            external=found.external,
            is_external=found.is_external,
            sparse=True,
        )

    def tensor(self, start: int, end: int) -> Tensor:
        found = Tensor()
        dims: list[int] = []
        values: list[Scalar] = []
        listed = 0
        places: list[tuple[int, int, int]] = []
        is_external = False
        entries: dict[str, str] = {}
        for number, wire, a, b in self.fields(start, end):
            if number == 1:
                if wire == 0:
                    dims.append(_signed(a))
                elif wire == 2:
                    self.packed(a, b, dims)
            elif number == 2 and wire == 0:
                found.dtype = a
            elif number == 8 and wire == 2:
                found.name = self.text(a, b)
            elif number == 9 and wire == 2:
                found.raw = (a, b)
            elif number == 13 and wire == 2:
                key, text = self.entry(a, b)
                if entries.setdefault(key, text) != text:
                    # Readers differ in which of several they take.
                    entries[f"{key} {len(entries)}"] = text
            elif number == 14 and wire == 0:
                is_external = a == 1
            elif number in (4, 5, 6, 7, 10, 11):
                if wire == 2:
                    places.append((number, a, b))
                    listed += b - a
                elif wire == 0 and len(values) < SMALL:
                    values.append(_signed(a))
                    listed += 1
                else:
                    listed += b - a if wire in (1, 5) else 1
                    if wire in (1, 5) and len(values) < SMALL:
                        form = "<f" if wire == 5 else "<d"
                        values.append(struct.unpack(form, self.data[a:b])[0])
        found.dims = tuple(dims)
        found.is_external = is_external
        if is_external or entries:
            found.external = entries
        known = DTYPES.get(found.dtype)
        size = 1
        for dim in dims:
            size *= max(dim, 0)
            if size > 1 << 60:
                break
        if found.raw is not None:
            found.nbytes = found.raw[1] - found.raw[0]
        elif is_external:
            try:
                found.nbytes = max(0, int(entries.get("length", "0")))
            except ValueError:
                found.nbytes = 0
            if not found.nbytes and known:
                found.nbytes = min(size * known[1] // 8, 1 << 60)
        elif known and listed:
            found.nbytes = listed if not known[1] else min((size * known[1] + 7) // 8, listed * 8)
        if size <= SMALL and not is_external:
            found.values = self.elements(found, size, values, places)
        code = _FORMATS.get(found.dtype)
        if not is_external and found.raw is None and known and 0 < known[1] < 8 and listed:
            # Several to a byte.
            found.mismatched = listed != (size * known[1] + 7) // 8
        if is_external or code is None:
            return found
        if found.raw is not None:
            found.mismatched = size * struct.calcsize(f"<{code}") != found.nbytes
        elif size <= SMALL:
            found.mismatched = found.values is None and found.dtype != 10
        return found

    def elements(
        self, tensor: Tensor, size: int, values: list[Scalar], places: list[tuple[int, int, int]]
    ) -> tuple[Scalar, ...] | None:
        """The elements of a small tensor, None when they are of an odd type or number."""
        if size == 0:
            return ()
        if tensor.raw is not None:
            form = _FORMATS.get(tensor.dtype)
            start, stop = tensor.raw
            if form is None or stop - start != size * struct.calcsize(f"<{form}"):
                return None
            return struct.unpack(f"<{size}{form}", self.data[start:stop])
        found = list(values)
        for number, start, stop in places:
            if number in (5, 7, 11):
                numbers: list[int] = []
                self.packed(start, stop, numbers)
                found += numbers
            elif number == 6:
                found.append(self.text(start, stop))
            else:
                width, form = (4, "f") if number == 4 else (8, "d")
                count = (stop - start) // width
                if count > SMALL:
                    return None
                found += struct.unpack(f"<{count}{form}", self.data[start : start + count * width])
            if len(found) > SMALL:
                return None
        if tensor.dtype == 9:
            found = [bool(v) for v in found]
        elif tensor.dtype in (10, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 14, 15):
            return None
        return tuple(found) if len(found) == size else None

    def entry(self, start: int, end: int) -> tuple[str, str]:
        key = text = ""
        for number, wire, a, b in self.fields(start, end):
            if number == 1 and wire == 2:
                key = self.text(a, b)
            elif number == 2 and wire == 2:
                text = self.data[a : min(b, a + 4096)].decode("utf-8", "replace")
        return key, text

    def port(self, start: int, end: int) -> Port:
        found = Port()
        for number, wire, a, b in self.fields(start, end):
            if number == 1 and wire == 2:
                found.name = self.text(a, b)
            elif number == 2 and wire == 2:
                found.type, found.shape = self.type(a, b, 0)
        return found

    def type(
        self, start: int, end: int, depth: int
    ) -> tuple[str | None, tuple[int | str | None, ...] | None]:
        """(type as the runtime spells it, shape of a tensor) of a TypeProto."""
        if depth > MAX_DEPTH:
            raise DamageError("its types are nested too deeply")
        spelled: str | None = None
        shape: tuple[int | str | None, ...] | None = None
        for number, wire, a, b in self.fields(start, end):
            if wire != 2:
                continue
            if number in (1, 8):
                dtype = 0
                for part, kind, c, d in self.fields(a, b):
                    if part == 1 and kind == 0:
                        dtype = c
                    elif part == 2 and kind == 2:
                        shape = self.shape(c, d)
                name = DTYPES[dtype][0] if dtype in DTYPES else None
                word = "tensor" if number == 1 else "sparse_tensor"
                spelled = f"{word}({name})" if name else None
            elif number in (4, 9):
                inner: str | None = None
                for part, kind, c, d in self.fields(a, b):
                    if part == 1 and kind == 2:
                        inner, shape = self.type(c, d, depth + 1)
                spelled = f"{'seq' if number == 4 else 'optional'}({inner or '?'})"
            elif number == 5:
                key = 0
                inner = None
                for part, kind, c, d in self.fields(a, b):
                    if part == 1 and kind == 0:
                        key = c
                    elif part == 2 and kind == 2:
                        inner, _ = self.type(c, d, depth + 1)
                name = DTYPES[key][0] if key in DTYPES else "?"
                spelled = f"map({name},{inner or '?'})"
            elif number == 7:
                spelled = "opaque()"
        return spelled, shape

    def shape(self, start: int, end: int) -> tuple[int | str | None, ...]:
        dims: list[int | str | None] = []
        for number, wire, a, b in self.fields(start, end):
            if number != 1 or wire != 2:
                continue
            dim: int | str | None = None
            for part, kind, c, d in self.fields(a, b):
                if part == 1 and kind == 0:
                    dim = _signed(c)
                elif part == 2 and kind == 2:
                    dim = self.text(c, d) or None
            dims.append(dim)
        return tuple(dims)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
