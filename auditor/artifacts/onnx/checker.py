"""The onnx package's own checker and shape inference, on the graph without its weights.

They are C++ over a parser that trusts its input, so they run in a child process with limits on
memory, time and file size, and never see the file itself: only a copy of its messages in which
large and external weights are inputs of the graph, so that nothing but their types remains.
"""

from __future__ import annotations

import json
import subprocess
import sys

from auditor.artifacts.onnx.proto import Buffer, DamageError, Reader, Tensor
from auditor.values import value

# Weights above this many bytes are left out of what the child sees.
_KEPT = 1024
_SKELETON = 64 << 20
_SECONDS = 20
_MEMORY = 2 << 30

_CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
data = sys.stdin.buffer.read()
import onnx
said = {{"checker": None, "inference": None}}
try:
    onnx.checker.check_model(data)
except Exception as error:
    said["checker"] = str(error)[:500]
try:
    onnx.shape_inference.infer_shapes(data, strict_mode=True)
except Exception as error:
    said["inference"] = str(error)[:500]
print(json.dumps(said))
"""


@value
class Opinion:
    """What the package says: None where it has nothing against the model.

    ``crashed`` says how the child ended when it gave no answer.
    """

    checker: str | None = None
    inference: str | None = None
    crashed: str | None = None


def ask(data: Buffer, *, seconds: int = _SECONDS) -> Opinion:
    """The package's opinion of a model; never raises on bad content."""
    try:
        skeleton = weightless(data)
    except (DamageError, IndexError, RecursionError) as error:
        return Opinion(crashed=f"not asked: {error}")
    if len(skeleton) > _SKELETON:
        return Opinion(crashed="not asked: the graph alone is too large")
    script = _CHILD.format(seconds=seconds, memory=_MEMORY)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", script],
            input=skeleton,
            capture_output=True,
            timeout=seconds * 3,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Opinion(crashed="it took too long")
    except OSError as error:
        return Opinion(crashed=str(error))
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return Opinion(crashed=f"it ended with status {done.returncode}")
    return Opinion(checker=said["checker"], inference=said["inference"])


# Fields that lead to tensors, by message: field number → message it holds.
_LEADS = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph"},
}
# Payload fields of a TensorProto.
_PAYLOAD = frozenset({4, 5, 6, 7, 9, 10, 11})


def weightless(data: Buffer) -> bytes:
    """The model's bytes with every large or external weight of the main graph made an input."""
    return _Copier(data).message(0, len(data), "model", 0)


class _Copier(Reader):
    def message(self, start: int, end: int, kind: str, depth: int) -> bytes:
        if depth > 120:
            raise DamageError("its messages are nested too deeply")
        leads = _LEADS.get(kind, {})
        out: list[bytes] = []
        inputs: set[str] = set()
        weights: list[tuple[int, int]] = []
        for number, wire, a, b in self.fields(start, end):
            inner = leads.get(number)
            if kind == "graph" and depth == 1 and wire == 2:
                if number == 5 and (b - a > _KEPT or self.tensor(a, b).external is not None):
                    weights.append((a, b))
                    continue
                if number == 11:
                    inputs.add(self.port(a, b).name)
            if wire != 2:
                out.append(_key(number, wire))
                out.append(_varint(a) if wire == 0 else self.data[a:b])
            elif inner == "tensor":
                out.append(_field(number, self.small(a, b)))
            elif inner is not None:
                out.append(_field(number, self.message(a, b, inner, depth + 1)))
            elif b - a <= 1 << 20:
                out.append(_field(number, self.data[a:b]))
        for a, b in weights:
            tensor = self.tensor(a, b)
            if tensor.name not in inputs:
                out.append(_field(11, _input(tensor)))
        return b"".join(out)

    def small(self, start: int, end: int) -> bytes:
        """A tensor as it is, or without its payload when that is large."""
        if end - start <= _KEPT:
            return self.data[start:end]
        out: list[bytes] = []
        for number, wire, a, b in self.fields(start, end):
            if number in _PAYLOAD or number in (13, 14):
                continue
            out.append(_key(number, wire))
            if wire == 2:
                out.append(_varint(b - a) + self.data[a:b])
            else:
                out.append(_varint(a) if wire == 0 else self.data[a:b])
        place = _field(1, b"location") + _field(2, b"weights")
        return b"".join(out) + _field(13, place) + b"\x70\x01"


def _input(tensor: Tensor) -> bytes:
    """A ValueInfoProto of the tensor's name, type and sizes."""
    dims = b"".join(_field(1, _key(1, 0) + _varint(max(d, 0))) for d in tensor.dims)
    kind = _key(1, 0) + _varint(tensor.dtype) + _field(2, dims)
    return _field(1, tensor.name.encode()) + _field(2, _field(1, kind))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _field(number: int, content: bytes) -> bytes:
    return _key(number, 2) + _varint(len(content)) + content
