"""Write what OpenVINO and TensorRT convert of ONNX into ``rules/knowledge/onnx_engines.json.gz``.

OpenVINO's releases are asked, in processes of their own: the one-node models of
``make_onnx_tables.py`` tell the types that ``read_model`` refuses, IR versions, opsets and operators
of onnxruntime's domain; the onnx package's tests of operators, in every version that allows them,
tell which uses really compile. TensorRT runs on NVIDIA's devices
only; what its parser supports is taken from the operator matrix that onnx-tensorrt publishes with
each release (``docs/operators.md``), out of a clone of that repository.

    python tools/make_onnx_engines.py --openvino 2024.6.0=PYTHON:SITE … --tensorrt GIT_DIR --cuda
    python tools/make_onnx_engines.py --verify DIRECTORY --openvino 2024.6.0=PYTHON:SITE …

``--verify`` compiles every model of a directory for the CPU with each release and prints how often
the table was right.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from make_onnx_tables import KNOWLEDGE, ask, contrib, probes  # noqa: E402
from onnx_cases import cases, refused  # noqa: E402

# Outcomes: Y converts, U an operator that is not supported, T a type that is not, R refused
# otherwise (a made-up attribute, a rank that is not known), C crashes.
_READER = r"""
import os, pickle, sys, tempfile
try:
    from openvino import Core
except ImportError:
    from openvino.runtime import Core
core = Core()
probes = pickle.load(open(sys.argv[1], "rb"))
out = open(sys.argv[2], "a")
path = sys.argv[2] + ".onnx"
for index in range(int(sys.argv[3]), len(probes)):
    out.write("%d " % index)
    out.flush()
    open(path, "wb").write(probes[index])
    try:
        model = core.read_model(path)
        if len(sys.argv) > 4:
            core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": 1})
        code = "Y"
    except Exception as error:
        text = str(error)
        if "not support the following ONNX operations" in text or "not supported yet" in text \
                or "No conversion rule" in text or "conversion rule is not found" in text:
            code = "U"
        elif "nsupported element type" in text or "nsupported type" in text \
                or "nsupported ONNX data type" in text or "expected: BOOL" in text:
            code = "T"
        else:
            code = "R"
    out.write(code + "\n")
"""
_COMPILER = r"""
import sys
try:
    from openvino import Core
except ImportError:
    from openvino.runtime import Core
core = Core()
for path in sys.stdin.read().splitlines():
    print(path, end="\t", flush=True)
    try:
        core.compile_model(core.read_model(path), "CPU", {"INFERENCE_NUM_THREADS": 1})
        print("yes\t", flush=True)
    except Exception as error:
        print("no\t" + " ".join(str(error).split())[:300], flush=True)
"""


def parsed(text: str) -> tuple[str, str, list[str]]:
    """(release, interpreter, directories) of ``RELEASE=PYTHON:SITE``."""
    release, _, places = text.partition("=")
    python, *sites = places.split(":")
    return release, python, sites


def fewer(asked: list[tuple[tuple[Any, ...], bytes]]) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Of the models that differ in types only, as many as name every type of every parameter."""
    seen: set[tuple[str, ...]] = set()
    for key, model in asked:
        if key[0] == "kernel":
            pairs = {(*map(str, key[1:4]), p, t) for p, t in key[4].items()} or {key[1:4]}
            if pairs <= seen:
                continue
            seen |= pairs
        yield key, model


def state(said: list[tuple[frozenset[str], str]], probed: Counter[str]) -> str:
    """Whether a release has the operator, of its tests and of plain probes."""
    tested = Counter(code for _, code in said)
    if tested["Y"]:
        return "yes"
    if tested["U"] or tested["R"] + tested["T"] + tested["C"] > 2:
        return "no" if not probed["Y"] or tested["U"] else "unsure"
    if probed["Y"]:
        return "yes" if not tested else "unsure"
    return "no" if probed["U"] else "unsure"


def openvino(releases: list[str]) -> Iterator[tuple[str, Any]]:
    """Per release: limits, operators with what of them is refused, operators of com.microsoft."""
    from auditor.catalog import knowledge

    asked = list(fewer(list(probes())))
    tested = list(cases())
    print(f"{len(asked)} probes, {len(tested)} tests", file=sys.stderr)
    names = sorted(
        {n for ns in knowledge("onnx_runtimes.json.gz")["com.microsoft"].values() for n in ns}
    )
    for text in releases:
        release, python, sites = parsed(text)
        answers = ask(release, python, sites, [m for _, m in asked], _READER)
        limits: dict[str, Any] = {"ir": [], "opset": []}
        codes: dict[tuple[str, str, str], Counter[str]] = {}
        types: dict[tuple[str, str, str], dict[str, dict[str, set[str]]]] = {}
        for (what, *rest), code in zip((k for k, _ in asked), answers, strict=True):
            if what == "ir":
                limits["ir"] += [rest[0]] if code == "Y" else []
            elif what == "opset":
                limits["opset"] += [rest[1]] if code == "Y" and rest[0] == "" else []
            else:
                domain, name, since, chosen = rest
                key = (domain, name, str(since))
                codes.setdefault(key, Counter())[code] += 1
                seen = types.setdefault(key, {})
                for parameter, kind in chosen.items():
                    seen.setdefault(parameter, {}).setdefault(kind, set()).add(code)
        said: dict[tuple[str, str, str], list[tuple[frozenset[str], str]]] = {}
        read = ask(release, python, sites, [m for _, _, m in tested], _READER, "compile")
        for (key, traits, _), code in zip(tested, read, strict=True):
            said.setdefault(key, []).append((traits, code))
        operators: dict[str, dict[str, dict[str, Any]]] = {}
        for key in codes.keys() | said.keys():
            tests = said.get(key, [])
            probed = codes.get(key, Counter())
            entry: dict[str, Any] = {"is": state(tests, probed)}
            passed = {t for traits, code in tests if code == "Y" for t in traits}
            refuses = {
                parameter: sorted(
                    k for k, codes_ in kinds.items()
                    if codes_ == {"T"} and f"{parameter}:{k}" not in passed
                )
                for parameter, kinds in types.get(key, {}).items()
            }  # fmt: skip
            entry["refuses"] = {p: kinds for p, kinds in refuses.items() if kinds}
            entry["never"] = refused(tests) if entry["is"] == "yes" else []
            plain = {k: v for k, v in entry.items() if v}
            domain, name, since = key
            operators.setdefault(domain, {}).setdefault(name, {})[since] = (
                plain["is"] if len(plain) == 1 or plain["is"] == "no" else plain
            )
        brought = ask(release, python, sites, [m for _, m in contrib(names)], _READER)
        yield (
            release,
            {
                "ir": max(limits["ir"], default=0),
                "opset": max(limits["opset"], default=0),
                "operators": operators,
                "com.microsoft": sorted(n for n, c in zip(names, brought, strict=True) if c != "U"),
            },
        )


def tensorrt(repository: Path) -> dict[str, Any]:
    """Per release: the opsets and operators of the published matrix."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", f"--git-dir={repository}", *arguments],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip

    found: dict[str, Any] = {}
    # The branch of each release; one of general availability after its early access.
    names = git("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes").split()
    for reference in sorted(names, key=lambda n: "GA" in n):
        release = re.fullmatch(r"(\d+\.\d+)(?:\.\d+)?(?:-[GE]A)?", reference.rpartition("/")[2])
        text = git("show", f"{reference}:docs/operators.md") if release is not None else ""
        head = re.search(
            r"TensorRT (\d+\.\d+) supports operators (?:up to Opset|in the inclusive range of opset"
            r" (\d+) to opset) (\d+)", text,
        )  # fmt: skip
        if head is None or release is None:
            continue
        rows = re.findall(r"^\|\s*(\w+)\s*\|\s*([YN])\s*\|\s*([^|\n]*)", text, re.MULTILINE)
        found[release[1]] = {
            "opset": int(head[3]),
            "oldest": int(head[2] or 7),
            "supported": sorted({name for name, yes, _ in rows if yes == "Y"}),
            "unsupported": sorted({name for name, yes, _ in rows if yes == "N"}),
        }
        print(f"tensorrt {release[1]}: {len(rows)} operators, {reference}", file=sys.stderr)
    return found


_NAMER = r"""
import sys
import onnxruntime as ort
ort.set_default_logger_severity(4)
import contextlib, io
model, names = sys.argv[1], sys.argv[2:]
for name in names:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            ort.InferenceSession(model, providers=[name, "CPUExecutionProvider"])
        text = said.getvalue()
    except Exception as error:
        text = str(error)
    if "Unknown Provider Type" not in text:
        print(name)
"""


def providers(releases: list[str]) -> dict[str, list[str]]:
    """Per release of onnxruntime: names of execution providers that it has heard of."""
    from onnx import parser

    model = parser.parse_model(
        '<ir_version: 6, opset_import: ["" : 11]> g (float[2] x) => (float[2] y) { y = Relu(x) }'
    )
    asked = [parsed(text) for text in releases]
    names: dict[str, None] = {}
    for _, _, sites in asked:
        for site in sites:
            for library in Path(site).glob("onnxruntime/capi/onnxruntime_pybind11_state*.so"):
                words = re.findall(
                    rb"[A-Z][A-Za-z0-9]{1,30}ExecutionProvider(?=\0)", library.read_bytes()
                )
                names.update((w.decode(), None) for w in words)
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(model.SerializeToString())
        for release, python, sites in asked:
            done = subprocess.run(
                [python, "-W", "ignore", "-c", _NAMER, str(path), *names],
                capture_output=True, text=True, check=False,
                env={"PYTHONPATH": ":".join(sites), "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
            found[release] = sorted(done.stdout.split())
            print(f"providers {release}: {len(found[release])} of {len(names)}", file=sys.stderr)
    return found


_CUDA = re.compile(rb"(?<=\0)lib(cublas|cudart|cudnn|cufft|nvrtc)\.so\.(\d+)(?:\.\d+)*(?=\0)")
_PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"


def cuda() -> dict[str, dict[str, int]]:
    """Per minor release of onnxruntime-gpu: the libraries of CUDA that its provider is linked to.

    Read from the dynamic strings at the head of the library inside the wheel on the index; the rest
    is never fetched.
    """
    from auditor.online import connected
    from auditor.source import Unknown

    found: dict[str, dict[str, int]] = {}
    with connected(cache=False) as index:
        releases = index.releases("onnxruntime-gpu") if index is not None else None
        if releases is None or isinstance(releases, Unknown):
            raise SystemExit(f"the index does not answer: {releases}")
        last: dict[tuple[int, ...], str] = {}
        for release in releases:
            numbers = tuple(int(p) for p in release.split(".") if p.isdigit())
            last[numbers[:2]] = max(release, last.get(numbers[:2], ""), key=len_and_text)
        for release in last.values():
            wheels = [
                f for f in releases[release].files
                if f.is_wheel and "linux" in f.name and "x86_64" in f.name
            ]  # fmt: skip
            wheel = index.wheel(wheels[-1]) if index is not None and wheels else None
            if wheel is None or isinstance(wheel, Unknown) or _PROVIDER not in wheel.names:
                continue
            head = wheel.read(_PROVIDER, 16 << 20)
            linked = {m[1].decode(): int(m[2]) for m in _CUDA.finditer(head)}
            print(f"cuda {release}: {linked}, {wheels[-1].name}", file=sys.stderr)
            if linked:  # Elsewhere the strings were moved behind what is read.
                found[release] = linked
    return found


def len_and_text(release: str) -> tuple[int, str]:
    """Sorts releases of one minor version."""
    return len(release), release


def verify(directory: Path, releases: list[str]) -> None:
    """Compile every model with each release and compare."""
    from auditor.artifacts.onnx.engines import openvino_reads
    from auditor.artifacts.scan import scan_file

    paths = [str(p) for p in sorted(directory.rglob("*.onnx"))]
    facts = {p: scan_file(p, display_path=p)[0].onnx for p in paths}
    for text in releases:
        release, python, sites = parsed(text)
        table: Counter[tuple[str, str]] = Counter()
        wrong: list[tuple[str, ...]] = []
        left = paths
        said: dict[str, str] = {}
        while left:
            done = subprocess.run(
                [python, "-c", _COMPILER], input="\n".join(left), capture_output=True, text=True,
                env={"PYTHONPATH": ":".join(sites), "LC_ALL": "C.UTF-8"}, check=False,
            )  # fmt: skip
            lines = done.stdout.splitlines()
            for line in lines:
                path, _, rest = line.partition("\t")
                said[path] = rest or "no\tcrashed"
            if done.returncode == 0 or not lines:
                break
            left = left[left.index(lines[-1].partition("\t")[0]) + 1 :]
        for path in paths:
            found = facts[path]
            truth, _, error = said.get(path, "no\tcrashed").partition("\t")
            outcome, reasons = openvino_reads(found, release) if found else ("fails", ())
            table[truth, outcome] += 1
            if outcome != {"yes": "loads", "no": "fails"}[truth]:
                wrong.append(
                    (Path(path).stem, truth, outcome, "; ".join(reasons)[:120], error[-220:])
                )
        good = table["yes", "loads"] + table["no", "fails"]
        print(f"openvino {release}: {good} of {len(paths)} right ({good / len(paths):.1%}),"
              f" {dict(table)}")  # fmt: skip
        for item in wrong:
            print("  wrong:", *item)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--openvino", action="append", default=[], metavar="RELEASE=PYTHON:SITE")
    parser.add_argument("--onnxruntime", action="append", default=[], metavar="RELEASE=PYTHON:SITE")
    parser.add_argument("--tensorrt", type=Path, metavar="GIT_DIR")
    parser.add_argument("--cuda", action="store_true", help="read onnxruntime-gpu's wheels")
    parser.add_argument("--verify", type=Path, metavar="DIRECTORY")
    arguments = parser.parse_args()
    if arguments.verify:
        verify(arguments.verify, arguments.openvino)
        return
    path = KNOWLEDGE / "onnx_engines.json.gz"
    table: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else {}
    table["source"] = (
        "openvino and onnxruntime releases asked by tools/make_onnx_engines.py; cuda: the libraries"
        " named in onnxruntime-gpu's wheels; TensorRT: docs/operators.md of"
        " https://github.com/onnx/onnx-tensorrt"
    )

    def write() -> None:
        text = json.dumps(table, sort_keys=True, separators=(",", ":"))
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(f"{path.name}: {len(text):,} characters", file=sys.stderr)

    if arguments.onnxruntime:
        table["providers"] = providers(arguments.onnxruntime)
    if arguments.cuda:
        table["cuda"] = cuda()
    if arguments.tensorrt:
        table["tensorrt"] = tensorrt(arguments.tensorrt)
    write()
    for release, found in openvino(arguments.openvino) if arguments.openvino else ():
        table.setdefault("openvino", {})[release] = found
        write()


if __name__ == "__main__":
    main()
