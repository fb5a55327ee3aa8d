#!/usr/bin/env python3
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: ignore-errors
"""Whether ``torch.load(weights_only=True)`` accepts a file: our answer against the real one.

    python tools/compare_weights_only.py --torch PYTHON [--keep FOLDER] [FILE]...

``PYTHON`` is the interpreter of an environment with torch. It writes objects of every kind that
checkpoints hold, in the zip and the legacy format and with several pickle protocols, loads each
with ``weights_only=True``, and the table says where the two disagree. Files given are judged, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path


def values():
    import argparse
    import collections
    import datetime
    import decimal
    import enum
    import functools
    import pathlib
    import uuid

    import torch
    from torch import nn

    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    opt = torch.optim.Adam(net.parameters())
    net(torch.rand(5, 3)).sum().backward()
    opt.step()
    shared = torch.rand(4)
    yield "state", net.state_dict()
    yield "adam", opt.state_dict()
    yield "optimizer", opt
    yield "module", net
    yield "parameter", nn.Parameter(torch.rand(2))
    yield "frozen", nn.Parameter(torch.rand(2), requires_grad=False)
    yield "buffer", nn.Buffer(torch.rand(2)) if hasattr(nn, "Buffer") else torch.rand(2)
    yield "parameter_with_state", _with_attribute(nn.Parameter(torch.rand(2)))
    yield "tensor_with_attribute", _with_attribute(torch.rand(2))
    yield "views", [shared, shared[1:], shared.view(2, 2).t()]
    for name in ("float16", "bfloat16", "float64", "int8", "uint8", "int16", "int64", "bool", "complex64", "complex128", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"):  # fmt: skip
        dtype = getattr(torch, name, None)
        if dtype is not None:
            yield "dtype_" + name, torch.zeros(2).to(dtype)
    yield "dtypes", [torch.float16, torch.int64, torch.bool]
    yield "device", torch.device("cpu")
    yield "size", torch.Size([1, 2])
    yield "layout", torch.strided
    yield "memory_format", torch.channels_last
    yield "generator", torch.Generator().get_state()
    yield "coo", torch.eye(3).to_sparse()
    yield "csr", torch.eye(3).to_sparse_csr()
    yield "bsr", torch.eye(4).to_sparse_bsr((2, 2))
    yield "quantized", torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.qint8)
    yield "per_channel", torch.quantize_per_channel(torch.rand(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([0, 0]), 0, torch.quint8)  # fmt: skip
    yield "nested", torch.nested.nested_tensor([torch.rand(2), torch.rand(3)])
    yield "meta", torch.empty(3, device="meta")
    yield "conjugate", torch.rand(2, dtype=torch.complex64).conj()
    yield "storage", torch.rand(3).untyped_storage()
    yield "typed_storage", torch.rand(3).storage()
    yield "ordered", collections.OrderedDict(a=1)
    yield "counter", collections.Counter("ab")
    yield "default", collections.defaultdict(list, a=[1])
    yield "set", {1, 2}
    yield "frozen_set", frozenset("a")
    yield "tuple", (1, 2.5, "x", None, True, b"bytes", 2**70, -1, 1j)
    yield "bytearray", bytearray(b"abc")
    yield "range", range(3)
    yield "slice", slice(1, 2)
    yield "date", datetime.date(2024, 1, 1)
    yield "datetime", datetime.datetime(2024, 1, 1)
    yield "decimal", decimal.Decimal("1.5")
    yield "uuid", uuid.UUID(int=3)
    yield "path", pathlib.PurePosixPath("a/b")
    yield "namespace", argparse.Namespace(lr=0.1)
    yield "partial", functools.partial(int, base=2)
    yield "function", torch.nn.functional.relu
    yield "builtin", [print, len]
    yield "type", [int, float, dict]
    yield "class", nn.Linear
    yield "enum", enum.Enum
    yield "exception", ValueError("x")
    yield "scheduler", torch.optim.lr_scheduler.StepLR(opt, 1).state_dict()
    yield "empty", {}
    yield "text", "x" * 300
    yield "recursive", _recursive()
    try:
        import numpy as np

        yield "numpy_array", np.zeros(3)
        yield "numpy_scalar", np.float64(1.5)
        yield "numpy_dtype", np.dtype("f4")
        yield "numpy_text", np.array(["a"])
        yield "numpy_objects", np.array([None, 1], dtype=object)
        yield "numpy_random", np.random.RandomState(0).get_state()
    except ImportError:
        pass


def _with_attribute(tensor):
    tensor.note = "mine"
    return tensor


def _recursive():
    item = [1]
    item.append(item)
    return item


def produce(folder, given):
    """Inside the environment: writes files, loads each, prints what happened as JSON lines."""
    import warnings

    import torch

    warnings.simplefilter("ignore")
    print(json.dumps({"torch": torch.__version__}))
    paths = list(given)
    for name, value in values():
        for kind, options in (
            ("zip", {}),
            ("legacy", {"_use_new_zipfile_serialization": False}),
            ("zip3", {"pickle_protocol": 3}),
            ("zip4", {"pickle_protocol": 4}),
            ("zip5", {"pickle_protocol": 5}),
        ):
            path = Path(folder, f"{name}.{kind}.pt")
            try:
                torch.save(value, str(path), **options)
            except Exception as error:
                print(json.dumps({"unwritten": path.name, "error": str(error)[:100]}))
                continue
            paths.append(str(path))
    try:
        script = Path(folder, "script.pt")
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(script))
        paths.append(str(script))
    except Exception as error:
        print(json.dumps({"unwritten": "script.pt", "error": str(error)[:100]}))
    for path in paths:
        try:
            torch.load(path, weights_only=True)
            error = ""
        except Exception as found:
            error = f"{type(found).__name__}: {found}"
        said = " ".join(error.split())
        at = said.find("WeightsUnpickler error")
        print(json.dumps({"path": path, "accepted": not error, "error": said[max(at, 0) :][:200]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--torch", metavar="PYTHON")
    parser.add_argument("--keep", metavar="FOLDER")
    parser.add_argument("--produce", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.produce:
        produce(options.produce, options.files)
        return 0
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from auditor.artifacts.scan import scan_file

    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or scratch
        Path(folder).mkdir(parents=True, exist_ok=True)
        command = [options.torch or sys.executable, __file__, "--produce", folder, *options.files]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if ran.returncode:
            print(ran.stderr[-2000:])
            return 2
        table = Counter()
        for line in ran.stdout.splitlines():
            truth = json.loads(line)
            if "path" not in truth:
                print("#", truth)
                continue
            facts = scan_file(truth["path"], display_path=truth["path"])[0]
            ours = facts.weights_only
            table[(truth["accepted"], ours)] += 1
            if ours is not truth["accepted"]:
                name = Path(truth["path"]).name
                print(f"{name}: torch {'accepts' if truth['accepted'] else 'refuses'}, we say {ours} ({facts.format}): {truth['error'] or facts.weights_only_objections}")  # fmt: skip
    for (truth, ours), count in sorted(table.items(), key=str):
        print(f"{count:5} torch {'accepts' if truth else 'refuses'}, we say {ours}")
    return int(any(truth is not ours for truth, ours in table))


if __name__ == "__main__":
    sys.exit(main())
