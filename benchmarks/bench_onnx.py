"""How long, and in how much memory, ONNX models are skimmed, beside ``onnx.load``.

    python benchmarks/bench_onnx.py [--gigabytes 2] [--small 1000] [--check]

Writes a sparse model file of that size with internal weights, one with its weights in a file beside
it, and many small models, to a temporary directory. Each measurement runs in a process of its own;
memory is its peak. ``--check`` fails where a limit is passed: CPU seconds and megabytes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

_LAYERS = 240
# CPU seconds and megabytes at the peak.
_LIMITS = {"skim": (0.5, 150.0), "beside": (0.5, 150.0), "small": (10.0, 300.0)}


def varint(number: int) -> bytes:
    """Protocol Buffers' variable-length number."""
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def head(number: int, size: int) -> bytes:
    """The key and length of a field whose content follows."""
    return varint(number << 3 | 2) + varint(size)


def write_large(path: Path, size: int) -> None:
    """A chain of matrix products over weights of together ``size`` bytes; the file is sparse."""
    columns = 1024
    each = size // _LAYERS // (4 * columns) * (4 * columns)
    rows = each // (4 * columns)
    parts: list[tuple[bytes, int]] = []
    total = 0
    for layer in range(_LAYERS):
        name = f"layers.{layer}.weight".encode()
        meta = b"\x08" + varint(rows) + b"\x08" + varint(columns) + b"\x10\x01" + field(8, name)
        tensor = meta + head(9, each)
        lead = head(5, len(tensor) + each) + tensor
        parts.append((lead, each))
        total += len(lead) + each
    value = field(1, b"x") + field(2, field(1, b"\x08\x01" + field(2, field(1, b"\x08\x01") * 2)))
    nodes = b"".join(
        field(
            1,
            field(1, b"x")
            + field(1, f"layers.{layer}.weight".encode())
            + field(2, f"y{layer}".encode())
            + field(4, b"MatMul"),
        )
        for layer in range(_LAYERS)
    )
    graph = nodes + field(2, b"bench") + field(11, value)
    tail = field(8, b"\x10\x11")
    with path.open("wb") as file:
        file.write(b"\x08\x08" + head(7, len(graph) + total) + graph)
        for lead, hole in parts:
            file.write(lead)
            file.seek(hole, 1)
        file.write(tail)


def write_external(path: Path, size: int) -> None:
    """The same chain with its weights in ``weights.bin`` beside the model; that file is sparse."""
    from onnx import TensorProto, helper

    columns = 1024
    rows = size // _LAYERS // (4 * columns)
    each = rows * columns * 4
    weights = []
    for layer in range(_LAYERS):
        tensor = TensorProto(
            name=f"layers.{layer}.weight",
            data_type=TensorProto.FLOAT,
            dims=[rows, columns],
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in (("location", "weights.bin"), ("offset", layer * each), ("length", each)):
            tensor.external_data.add(key=key, value=str(value))
        weights.append(tensor)
    nodes = [
        helper.make_node("MatMul", ["x", f"layers.{i}.weight"], [f"y{i}"]) for i in range(_LAYERS)
    ]
    graph = helper.make_graph(
        nodes,
        "bench",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", rows])],
        [helper.make_tensor_value_info("y0", TensorProto.FLOAT, ["N", columns])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    with (path.parent / "weights.bin").open("wb") as file:
        file.truncate(each * _LAYERS)


def write_small(directory: Path, number: int) -> None:
    """Models like those that scikit-learn pipelines and small networks export to."""
    from onnx import TensorProto, helper

    for index in range(number):
        nodes = [
            helper.make_node("MatMul", ["x" if not i else f"h{i}", f"w{i}"], [f"h{i + 1}"])
            for i in range(20)
        ]
        weights = [
            helper.make_tensor(f"w{i}", TensorProto.FLOAT, [8, 8], [float(index)] * 64)
            for i in range(20)
        ]
        graph = helper.make_graph(
            nodes,
            f"small{index}",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
            [helper.make_tensor_value_info("h20", TensorProto.FLOAT, ["N", 8])],
            weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        (directory / f"small{index}.onnx").write_bytes(model.SerializeToString())


def run(what: str, path: str, *, check: bool) -> None:
    """One measurement, printed as seconds and megabytes at the peak."""
    started = time.process_time()
    before = time.perf_counter()
    if what == "skim":
        import mmap

        from auditor.artifacts.onnx.analyse import analyse

        before, started = time.perf_counter(), time.process_time()
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            facts = analyse(data)
        detail = f"{facts.nodes} nodes, {facts.parameters:,} parameters, {facts.staticness}"
    elif what in ("scan", "beside"):
        from auditor.artifacts.scan import scan_file

        before, started = time.perf_counter(), time.process_time()
        found = scan_file(path, display_path="model.onnx")[0]
        detail = f"{found.verdict}, with SHA-256"
        if found.onnx is not None and what == "beside":
            files = ", ".join(f"{f.location} {f.bytes:,} {f.state}" for f in found.onnx.external)
            detail = f"{found.onnx.parameters:,} parameters in {files}"
    elif what == "load":
        import onnx

        before, started = time.perf_counter(), time.process_time()
        model = onnx.load(path)
        detail = f"{len(model.graph.node)} nodes"
    else:
        from auditor.artifacts.scan import scan_file

        before, started = time.perf_counter(), time.process_time()
        number = 0
        for item in sorted(Path(path).glob("*.onnx")):
            number += scan_file(item, display_path=item.name)[0].onnx is not None
        detail = f"{number} models"
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy = time.process_time() - started
    print(f"{what:6} {seconds:8.3f} s ({busy:.3f} s CPU) {peak:6.0f} MB  {detail}")
    most, memory = _LIMITS.get(what, (float("inf"), float("inf")))
    if check and (busy > most or peak > memory):
        sys.exit(
            f"{what}: {busy:.3f} s CPU and {peak:.0f} MB, at most {most} s and {memory:.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--check", action="store_true", help="fail where a limit is passed")
    parser.add_argument("--run", nargs=2, metavar=("WHAT", "PATH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(*arguments.run, check=arguments.check)
        return
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large.onnx")
        write_large(large, int(arguments.gigabytes * (1 << 30)) - (1 << 20))
        beside = Path(folder, "external.onnx")
        write_external(beside, large.stat().st_size)
        many = Path(folder, "small")
        many.mkdir()
        write_small(many, arguments.small)
        print(
            f"{large.stat().st_size / 1e9:.2f} GB in one file, as much beside a model, and"
            f" {arguments.small} small models"
        )
        runs = [("skim", large), ("beside", beside), ("small", many)]
        if not arguments.check:
            runs[2:2] = [("scan", large), ("load", large)]
        failed = 0
        for what, path in runs:
            command = [sys.executable, __file__, "--run", what, str(path)]
            command += ["--check"] * arguments.check
            failed |= subprocess.run(command, check=False).returncode
        if arguments.check and failed:
            sys.exit(1)


if __name__ == "__main__":
    main()
