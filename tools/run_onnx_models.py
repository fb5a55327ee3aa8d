"""Run ONNX models to find out what is true of them, as tables for ``tools/measure_onnx.py``.

    python tools/run_onnx_models.py label DIRECTORY
    python tools/run_onnx_models.py open DIRECTORY --release 1.16.3=PYTHON:SITE[:SITE] …

``label`` runs each of ``models/*.onnx`` without optimisation, every tensor of its graph made an
output, over several sizes of each free axis and six sets of data for each: which shapes, conditions
and turns of loops really vary. ``open`` asks each release, in a process of its own, whether it makes
a session.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LABELLER = r"""
import itertools, json, sys
import numpy as np, onnx, onnxruntime as ort
from onnx import helper, inliner, numpy_helper
ort.set_default_logger_severity(4)
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 4
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
         "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
         "tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int16)": np.int16,
         "tensor(string)": np.str_}


def watched(model):
    if model.functions:
        model = inliner.inline_local_functions(model)
    have = {o.name for o in model.graph.output}
    marks = []
    for node in model.graph.node:
        if node.op_type == "Loop" and node.domain in ("", "ai.onnx"):
            body = next(a.g for a in node.attribute if a.name == "body")
            count = "turn_of_" + (node.name or node.output[0])
            body.node.append(helper.make_node("Identity", [body.input[0].name], [count]))
            body.output.append(helper.make_tensor_value_info(count, 7, []))
            while len(node.output) < len(body.output) - 2:
                node.output.append("")
            node.output.append("turns " + count)
            marks.append((node, "turns " + count))
        if node.op_type == "If":
            marks.append((node, node.input[0]))
    for node in list(model.graph.node):
        for name in node.output:
            if name and name not in have:
                model.graph.output.append(onnx.ValueInfoProto(name=name))
                have.add(name)
    inputs = {i.name for i in model.graph.input} | {t.name for t in model.graph.initializer}
    return model, marks, inputs


def data(kind, shape, variant, rng, tight):
    if kind is np.str_:
        words = ["red fox", "blue", "a dog runs", "", "c", "b"]
        return np.array(rng.choice(words, size=shape), dtype=object).reshape(shape)
    if kind is np.bool_:
        return np.asarray(rng.random(size=shape) < [0.5, 0.9, 0.1, 0.0, 1.0, 0.3][variant])
    if np.issubdtype(kind, np.integer):
        high = [3, 4, 2, 1, 5, 4][variant] if not tight else 2
        found = rng.integers(0, high, size=shape)
        return np.asarray(found + (1 if tight == 1 else 0), dtype=kind)
    scale = [1, 10, 0.01, 0, 1, 3][variant]
    found = rng.normal(size=shape) * scale
    return np.asarray(np.abs(found) if variant == 4 else found, dtype=kind)


def label(path):
    model, marks, known = watched(onnx.load(path))
    session = ort.InferenceSession(model.SerializeToString(), options,
                                   providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    ports = session.get_inputs()
    for port in ports:
        if port.type not in TYPES or port.shape is None:
            return {"skip": "input " + port.type}
    symbols = {}
    for port in ports:
        for axis, dim in enumerate(port.shape):
            if not isinstance(dim, int) or dim < 0:
                symbols.setdefault(dim if isinstance(dim, str) else (port.name, axis), []).append(
                    (port.name, axis))
    base = 3
    choices = [dict.fromkeys(symbols, size) for size in (base, 2, 5, 7, 4, 6, 8, 1, 12, 16)]
    for symbol in symbols:
        for size in (1, 2, 4, 5, 6, 8, 12):
            choices.append({**dict.fromkeys(symbols, base), symbol: size})
            choices.append({**dict.fromkeys(symbols, 12), symbol: size})
    ran = {}
    for choice in choices:
        key = tuple(choice.values())
        if key in ran:
            continue
        results = []
        for tight in (0, 1):
            for variant in range(6):
                rng = np.random.default_rng(variant)
                feed = {}
                for port in ports:
                    shape = [choice[d if isinstance(d, str) else (port.name, a)]
                             if not isinstance(d, int) or d < 0 else d
                             for a, d in enumerate(port.shape)]
                    feed[port.name] = data(TYPES[port.type], shape, variant, rng, tight)
                try:
                    out = session.run(None, feed)
                except Exception as error:
                    last = str(error)
                    continue
                results.append({
                    name: ("list", len(v)) if isinstance(v, (list, dict)) else
                          (tuple(v.shape), str(v.tolist()) if v.dtype == bool and v.size == 1 else None)
                    for name, v in zip(outputs, out)})
            if len(results) > 3:
                break
        if results:
            ran[key] = results
        if len(ran) > 14:
            break
    if not ran:
        return {"skip": "does not run: " + last[:200]}
    names = list(symbols)
    # Axes that ran with two sizes.
    free = [s for n, s in enumerate(names) if len({k[n] for k in ran}) > 1]
    tied = [s for s in names if s not in free]
    by_data, by_shape, ctl_data, ctl_shape = set(), set(), set(), set()
    control = {m[1]: m[0].name or m[0].output[0] for m in marks}
    for key, results in ran.items():
        for name in outputs:
            shapes = {r[name][0] if r[name][0] != "list" else r[name] for r in results}
            if len(shapes) > 1:
                (ctl_data if name in control else by_data).add(name)
            if name in control and len({r[name][1] for r in results}) > 1:
                ctl_data.add(name)
    for name in control:
        values = {str(r[name]) for results in ran.values() for r in results} if name in outputs \
            else set()
        if len(values) > 1 and name not in ctl_data:
            ctl_shape.add(name)
    # A condition that is an input of the graph itself, or given from outside the top level.
    for node, mark in marks:
        if mark in {p.name for p in ports}:
            ctl_data.add(mark)
    for node in model.graph.node:
        if node.op_type == "Scan":
            count = next(a.i for a in node.attribute if a.name == "num_scan_inputs")
            for name in list(node.input)[-count:]:
                if name in outputs:
                    sizes = {r[name][0][:1] for results in ran.values() for r in results}
                    if len(sizes) > 1:
                        ctl_shape.add(name)
                elif any(p.name == name and p.shape and p.shape[0] in free for p in ports):
                    ctl_shape.add(name)
    where = [w for s in free for w in symbols[s]]
    axes = {axis for _, axis in where}
    # What produces the first varying shape.
    makers = {o: n.op_type for n in model.graph.node for o in n.output}
    first = [f"{makers.get(n)}:{n}" for n in outputs if n in by_data][:3]
    every = []
    if ctl_data or ctl_shape:
        every.append("control-flow")
    if by_data:
        every.append("data-dependent")
    if axes - {0}:
        every.append("shape-dynamic")
    elif axes:
        every.append("batch-dynamic")
    every.append("static")
    acceptable = [every[0]]
    if ctl_shape and not ctl_data:
        acceptable += [e for e in every[1:2]]
    # Axes declared free that ran with one size only: the declaration is a fair answer too.
    if tied and not (ctl_data or by_data):
        places = {axis for s in tied for _, axis in symbols[s]} | axes
        acceptable.append("shape-dynamic" if places - {0} else "batch-dynamic")
    nodes = {n.op_type for n in model.graph.node}
    return {"label": every[0], "acceptable": acceptable, "responsible": first + sorted(ctl_data)
            + sorted(ctl_shape), "free": [f"{a}:{b}" for a, b in where],
            "tied": [f"{a}:{b}" for s in tied for a, b in symbols[s]], "sizes": len(ran)}


for path in sys.stdin.read().splitlines():
    print(json.dumps({"path": path}), flush=True)
    try:
        said = label(path)
    except Exception as error:
        said = {"skip": str(error)[:200]}
    print(json.dumps({"path": path, **said}), flush=True)
"""

_OPENER = r"""
import sys
import onnxruntime as ort
ort.set_default_logger_severity(4)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.log_severity_level = 4
for path in sys.stdin.read().splitlines():
    print(path, end="\t", flush=True)
    try:
        ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        print("yes\t", flush=True)
    except Exception as error:
        print("no\t" + " ".join(str(error).split())[:400], flush=True)
"""


def _children(command: list[str], script: str, paths: list[str], env: Any = None) -> Iterator[str]:
    """Lines of a child that reads paths; one that dies is started again behind the path it died on."""
    left = paths
    while left:
        done = subprocess.run(
            [*command, "-c", script],
            input="\n".join(left),
            capture_output=True,
            text=True,
            env=env,
            check=False,
        )
        lines = done.stdout.splitlines()
        if not lines:
            raise SystemExit(f"{command[0]} does not run: {done.stderr[-500:]}")
        yield from lines
        if done.returncode == 0:
            return
        reached = max((i for i, p in enumerate(left) if any(p in line for line in lines[-2:])))
        left = left[reached + 1 :]


def _write(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, columns, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, escapechar=None,
            lineterminator="\n",
        )  # fmt: skip
        writer.writeheader()
        writer.writerows(rows)


# What the feeds made here cannot show, by how names begin: none of the boxes overlap, a shape that
# is an input, the inside of a loop.
_DESIGN = dict.fromkeys(
    ("hand_nms", "hand_reshape_data", "tf_nms", "g_reshape_by_data", "g_split_by_data",
     "g_sequence_split_data", "g_ml_extract_found", "g_loop_nonzero_inside"),
    "data-dependent",
)  # fmt: skip


def label(directory: Path) -> None:
    """Run every model with the onnxruntime of this interpreter."""
    paths = [str(p) for p in sorted((directory / "models").glob("*.onnx"))]
    said: dict[str, dict[str, Any]] = {}
    for line in _children([sys.executable], _LABELLER, paths):
        found = json.loads(line)
        said[found["path"]] = found
    rows = []
    for path in paths:
        found = said.get(path, {})
        stem = Path(path).stem
        designed = next((label for start, label in _DESIGN.items() if stem.startswith(start)), None)
        if designed is not None:
            found = {"label": designed, "acceptable": [designed]}
        rows.append(
            {
                "model": Path(path).stem,
                "label": found.get("label", "none"),
                "acceptable": "|".join(found.get("acceptable", ["none"])),
                "responsible": ",".join(
                    [*found.get("responsible", []), *found.get("free", [])]
                    + [f"one size only: {t}" for t in found.get("tied", [])]
                )
                or " ".join(str(found.get("skip", "crashed")).split()),
            }
        )
    _write(directory / "labels.tsv", ["model", "label", "acceptable", "responsible"], rows)
    print(f"{sum(r['label'] != 'none' for r in rows)} of {len(rows)} labelled", file=sys.stderr)


def opening(directory: Path, releases: list[str]) -> None:
    """Ask every release."""
    paths = [str(p) for p in sorted((directory / "models").glob("*.onnx"))]
    rows = []
    for text in releases:
        release, _, places = text.partition("=")
        python, *sites = places.split(":")
        env = {**os.environ, "PYTHONPATH": ":".join(sites), "LC_ALL": "C.UTF-8"}
        said = {}
        for line in _children([python], _OPENER, paths, env):
            path, _, rest = line.partition("\t")
            said[path] = rest or "no\tcrashed"
        for path in paths:
            opens, _, error = said.get(path, "no\tcrashed").partition("\t")
            rows.append(
                {"model": Path(path).stem, "ort_version": release, "opens": opens,
                 "category": "crash" if error == "crashed" else "", "error": error}
            )  # fmt: skip
        print(release, sum(r["opens"] == "yes" for r in rows[-len(paths) :]), file=sys.stderr)
    _write(directory / "runtime.tsv", ["model", "ort_version", "opens", "category", "error"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("label", "open"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--release", action="append", default=[], metavar="VERSION=PYTHON:SITE")
    arguments = parser.parse_args()
    if arguments.what == "label":
        label(arguments.directory)
    else:
        opening(arguments.directory, arguments.release)


if __name__ == "__main__":
    main()
