"""Write the ONNX tables under ``rules/knowledge``, from the real packages.

``schemas`` takes the operator schemas of every version from the ``onnx`` package into
``onnx_operators.json.gz``. ``runtimes`` asks installed onnxruntime releases what they open, by
thousands of one-node models: limits of IR and opsets, operators of other domains, and for which
types there is a kernel; it writes ``onnx_runtimes.json.gz``. Every release runs in processes of
its own, since some models crash some releases.

    python tools/make_onnx_tables.py schemas
    python tools/make_onnx_tables.py runtimes --release 1.16.3=PYTHON:SITE[:SITE] …

``PYTHON`` is an interpreter that the release supports, each ``SITE`` a directory made with
``pip install --target`` (the release, and NumPy with its other dependencies).
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

KNOWLEDGE = Path(__file__).resolve().parent.parent / "rules" / "knowledge"
_DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview")

# What each release runs. Outcomes: Y opens, N no kernel, U unknown operator, R refused otherwise
# before kernels are looked for, D deprecated, C crashes.
_RUNNER = r"""
import pickle, sys
import onnxruntime as ort
ort.set_default_logger_severity(4)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.log_severity_level = 4
probes = pickle.load(open(sys.argv[1], "rb"))
out = open(sys.argv[2], "a")
for index in range(int(sys.argv[3]), len(probes)):
    out.write("%d " % index)
    out.flush()
    try:
        ort.InferenceSession(probes[index], options, providers=["CPUExecutionProvider"])
        code = "Y"
    except Exception as error:
        text = str(error)
        if "Could not find an implementation" in text or "NOT_IMPLEMENTED" in text \
                or "MLDataType for" in text:
            code = "N"
        elif "is not a registered function/op" in text or "No Op registered" in text \
                or "No opset import for domain" in text or "No schema registered" in text:
            code = "U"
        elif "deprecated" in text:
            code = "D"
        elif "Exception during initialization" in text:
            # Made-up attributes prove nothing; the locale is the machine's.
            code = "R" if len(sys.argv) > 4 and "locale" not in text else "Y"
        else:
            code = "R"
    out.write(code + "\n")
"""


def schemas() -> dict[str, Any]:
    """Per domain and operator: each version with what it takes, gives and allows."""
    from onnx import defs

    found: dict[str, Any] = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain not in _DOMAINS:
            continue
        versions = found.setdefault(schema.domain, {}).setdefault(schema.name, {})
        versions[str(schema.since_version)] = {
            key: value
            for key, value in {
                "deprecated": schema.deprecated and not _kept(schema),
                "arity": [
                    schema.min_input,
                    min(schema.max_input, 1 << 20),
                    schema.min_output,
                    min(schema.max_output, 1 << 20),
                ],
                "inputs": [_formal(p) for p in schema.inputs],
                "outputs": [_formal(p) for p in schema.outputs],
                "types": {
                    c.type_param_str: sorted(c.allowed_type_strs) for c in schema.type_constraints
                },
                "attributes": {
                    name: [_number(attribute.type), bool(attribute.required)]
                    for name, attribute in sorted(schema.attributes.items())
                },
                "function": any(
                    getattr(schema, name, False)
                    for name in ("has_function", "has_context_dependent_function")
                ),
            }.items()
            if value
        }
    return found


def _kept(schema: Any) -> bool:
    """A release of onnxruntime has it still, by the table of ``runtimes``."""
    from auditor.catalog import knowledge

    kernels = knowledge("onnx_runtimes.json.gz")["kernels"]
    history = kernels.get(schema.domain, {}).get(schema.name, {}).get(str(schema.since_version), [])
    return any(state not in (None, "unknown", "none") for _, state in history)


def _number(enumerated: Any) -> int:
    return int(enumerated)


def _formal(parameter: Any) -> list[Any]:
    """[type, "" | "optional" | "variadic", homogeneous]."""
    option = {0: "", 1: "optional", 2: "variadic"}[_number(parameter.option)]
    return [parameter.type_str, option, bool(parameter.is_homogeneous)]


def _type(text: str) -> Any:
    """The TypeProto of a type string."""
    from onnx import TensorProto, helper

    names = {"float": "FLOAT", "double": "DOUBLE"}
    if match := re.fullmatch(r"tensor\((\w+)\)", text):
        name = names.get(match[1], match[1].upper())
        return helper.make_tensor_type_proto(getattr(TensorProto, name), None)
    if match := re.fullmatch(r"(seq|optional)\((.*)\)", text):
        make = (
            helper.make_sequence_type_proto
            if match[1] == "seq"
            else helper.make_optional_type_proto
        )
        return make(_type(match[2]))
    if match := re.fullmatch(r"map\((\w+),(.*)\)", text):
        key = getattr(TensorProto, names.get(match[1], match[1].upper()))
        value = match[2].strip()
        return helper.make_map_type_proto(
            key, _type(value if value.endswith(")") else f"tensor({value})")
        )
    raise ValueError(text)


_PREFERRED = ("tensor(float)", "tensor(int64)", "tensor(uint8)", "tensor(int8)", "tensor(bool)")
_ATTRIBUTES = {
    ("Cast", "to"): 1,
    ("CastLike", "to"): 1,
    ("Einsum", "equation"): "...->...",
    ("TfIdfVectorizer", "mode"): "TF",
    ("ZipMap", "classlabels_int64s"): [0],
    ("LabelEncoder", "keys_int64s"): [0],
}
_SKIP = frozenset({"If", "Loop", "Scan", "SequenceMap", "Constant"})


def _combinations(types: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Which types to try together: all of them when few, else one parameter at a time."""
    names = list(types)
    total = 1
    for name in names:
        total *= len(types[name])
    if total <= 64:
        for chosen in itertools.product(*types.values()):
            yield dict(zip(names, chosen, strict=True))
        return
    bases = [
        {n: next((p for p in preferred if p in types[n]), types[n][0]) for n in names}
        for preferred in (_PREFERRED, _PREFERRED[::-1])
    ]
    # Kernels are registered for combinations: one type for all parameters is the usual one.
    shared = set.intersection(*(set(allowed) for allowed in types.values()))
    bases += [dict.fromkeys(names, type_) for type_ in sorted(shared)]
    seen: set[tuple[str, ...]] = set()
    for base in bases[2:]:
        seen.add(tuple(base.values()))
        yield base
    for base in bases[:2]:
        for name in names:
            for type_ in types[name]:
                chosen_types = {**base, name: type_}
                key = tuple(chosen_types.values())
                if key not in seen:
                    seen.add(key)
                    yield chosen_types


def probes() -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """(what it asks, serialised model)."""
    from onnx import AttributeProto, TensorProto, defs, helper

    def model(node: Any, inputs: list[Any], imports: dict[str, int], ir: int = 6) -> bytes:
        graph = helper.make_graph([node], "g", inputs, [_named(o) for o in node.output if o])
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(d, v) for d, v in imports.items()]
        )
        made.ir_version = ir
        return bytes(made.SerializeToString())

    from onnx import ValueInfoProto

    def _named(name: str) -> Any:
        return ValueInfoProto(name=name)

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    identity = helper.make_node("Identity", ["x"], ["y"])
    relu = helper.make_node("Relu", ["x"], ["y"])
    for ir in range(1, 21):
        yield ("ir", ir), model(relu, [x], {"": 11}, ir)
    for version in range(1, 31):
        yield ("opset", "", version), model(relu, [x], {"": version})
    for domain in ("ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.training", "com.microsoft",
                   "com.microsoft.nchwc", "com.microsoft.experimental", "ai.onnx.preview",
                   "com.ms.internal.nhwc", "org.pytorch.aten", "com.example.custom"):  # fmt: skip
        for version in range(1, 9):
            yield ("opset", domain, version), model(identity, [x], {"": 11, domain: version})

    for schema in defs.get_all_schemas_with_history():
        if schema.domain not in _DOMAINS or schema.name in _SKIP:
            continue
        wanted = [p for p in schema.inputs if _number(p.option) != 1]
        allowed = {c.type_param_str: list(c.allowed_type_strs) for c in schema.type_constraints}
        used = dict.fromkeys(p.type_str for p in wanted if p.type_str in allowed)
        types = {name: sorted(allowed[name]) for name in used}
        if schema.name == "Cast":
            types["T2"] = sorted(allowed["T2"])
        given: dict[str, Any] = {}
        for name, attribute in schema.attributes.items():
            special = _ATTRIBUTES.get((schema.name, name))
            if special is not None:
                given[name] = special
            elif attribute.required:
                kind = _number(attribute.type)
                given[name] = {
                    AttributeProto.INT: 1, AttributeProto.FLOAT: 1.0, AttributeProto.STRING: "a",
                    AttributeProto.INTS: [1], AttributeProto.FLOATS: [1.0],
                    AttributeProto.STRINGS: ["a"],
                    AttributeProto.TENSOR: helper.make_tensor("t", 1, [1], [1.0]),
                }.get(kind, 1)  # type: ignore[call-overload]  # fmt: skip
        imports = {schema.domain: schema.since_version}
        if schema.domain:
            imports[""] = 11
        for chosen in _combinations(types):
            inputs = []
            for index, parameter in enumerate(wanted):
                text = chosen.get(parameter.type_str, parameter.type_str)
                try:
                    inputs.append(helper.make_value_info(f"i{index}", _type(text)))
                except (ValueError, AttributeError):
                    break
            else:
                if schema.name == "Cast":
                    enum = {"float": "FLOAT"}.get(chosen["T2"][7:-1], chosen["T2"][7:-1].upper())
                    # Before version 6 the type is named, not numbered.
                    old = schema.since_version < 6
                    given["to"] = enum if old else getattr(TensorProto, enum)
                # The variadic ones take at least as many as the schema says.
                names = [i.name for i in inputs]
                names += names[-1:] * (schema.min_input - len(names))
                outputs = [f"o{n}" for n in range(max(1, schema.min_output))]
                node = helper.make_node(schema.name, names, outputs, domain=schema.domain, **given)
                key = ("kernel", schema.domain, schema.name, schema.since_version, chosen)
                yield key, model(node, inputs, imports, 10 if schema.since_version > 20 else 7)


def contrib(
    names: list[str], domain: str = "com.microsoft"
) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Whether each of these is an operator of the domain."""
    from onnx import TensorProto, ValueInfoProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    for name in names:
        node = helper.make_node(name, ["x"], ["y"], domain=domain)
        made = helper.make_model(
            helper.make_graph([node], "g", [x], [ValueInfoProto(name="y")]),
            opset_imports=[helper.make_opsetid("", 11), helper.make_opsetid("com.microsoft", 1)],
        )
        made.ir_version = 6
        yield ("contrib", name), bytes(made.SerializeToString())


def candidates(sites: list[str]) -> set[str]:
    """Words in the release's library that could name an operator."""
    found: set[str] = set()
    for site in sites:
        for library in Path(site).glob("onnxruntime/capi/onnxruntime_pybind11_state*.so"):
            data = library.read_bytes()
            for word in re.findall(rb"(?<![A-Za-z0-9_ ])[A-Z][A-Za-z0-9]{3,39}(?=\0)", data):
                text = word.decode()
                if not text.isupper() and any(c.islower() for c in text):
                    found.add(text)
    return found


def ask(
    release: str,
    python: str,
    sites: list[str],
    models: list[bytes],
    runner_text: str = _RUNNER,
    *options: str,
) -> list[str]:
    """The outcome of each model in that release, by the program that asks it."""
    answers = ["R"] * len(models)
    with tempfile.TemporaryDirectory() as folder:
        question, answer, runner = (Path(folder, n) for n in ("models", "answers", "runner.py"))
        question.write_bytes(pickle.dumps(models, protocol=4))
        runner.write_text(runner_text)
        start = 0
        while start < len(models):
            answer.write_text("")
            process = subprocess.run(
                [python, str(runner), str(question), str(answer), str(start), *options],
                env={"PYTHONPATH": ":".join(sites), "LC_ALL": "C.UTF-8"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
            lines = answer.read_text().splitlines()
            if not lines and process.returncode:
                raise SystemExit(f"{release} does not run: {process.stderr[-400:]!r}")
            for line in lines:
                index, _, code = line.partition(" ")
                answers[int(index)] = code or "C"
                start = int(index) + 1
    print(f"{release}: {len(models)} models, {answers.count('C')} crash", file=sys.stderr)
    return answers


def runtimes(releases: list[str]) -> dict[str, Any]:
    """The table of all releases; kernels as changes from release to release."""
    from onnx import defs
    from onnx_cases import cases

    parsed: list[tuple[tuple[int, ...], str, str, list[str]]] = []
    for text in releases:
        release, _, places = text.partition("=")
        python, *sites = places.split(":")
        parsed.append((tuple(int(p) for p in release.split(".")), release, python, sites))
    parsed.sort()
    asked = list(probes())
    tested = list(cases())
    standard = {s.name for s in defs.get_all_schemas_with_history() if not s.domain}
    limits: dict[str, Any] = {}
    kernels: dict[str, dict[str, dict[str, list[Any]]]] = {}
    operators: dict[str, dict[str, list[str]]] = {"com.microsoft": {}, "": {}}
    known: dict[str, dict[str, None]] = {"com.microsoft": {}, "": {}}
    for _, release, python, sites in parsed:
        answers = ask(release, python, sites, [m for _, m in asked])
        limits[release], seen, tried = _plain(asked, answers)
        said: dict[tuple[str, str, str], list[tuple[frozenset[str], str]]] = {}
        read = ask(release, python, sites, [m for _, _, m in tested], _RUNNER, "strict")
        for (key, traits, _), code in zip(tested, read, strict=True):
            said.setdefault(key, []).append((traits, code))
        for key, codes in tried.items():
            state = _state(codes, seen[key], said.get(key, []))
            history = kernels.setdefault(key[0], {}).setdefault(key[1], {})
            changes = history.setdefault(key[2], [])
            if not changes or changes[-1][1] != state:
                changes.append([release, state])
        for domain, names in known.items():
            words = sorted(candidates(sites) - set(names) - (set() if domain else standard))
            codes_ = ask(release, python, sites, [m for _, m in contrib(words, domain)])
            names.update((w, None) for w, c in zip(words, codes_, strict=True) if c not in "UD")
    for _, release, python, sites in parsed:
        for domain, names in known.items():
            codes_ = ask(release, python, sites, [m for _, m in contrib(list(names), domain)])
            operators[domain][release] = sorted(
                n for n, c in zip(names, codes_, strict=True) if c not in "UD"
            )
    return {
        "releases": limits, "kernels": kernels, "com.microsoft": operators["com.microsoft"],
        "more": operators[""],
    }  # fmt: skip


Seen = dict[tuple[str, str, str], dict[str, set[str]]]


def _plain(
    asked: list[tuple[tuple[Any, ...], bytes]], answers: list[str]
) -> tuple[dict[str, Any], Seen, dict[tuple[str, str, str], set[str]]]:
    """Of the made-up models: limits, types that open by operator, and all outcomes by operator."""
    limit: dict[str, Any] = {"ir": [], "opsets": {}}
    seen: Seen = {}
    tried: dict[tuple[str, str, str], set[str]] = {}
    for key_asked, code in zip((k for k, _ in asked), answers, strict=True):
        what, rest = key_asked[0], key_asked[1:]
        if what == "ir":
            limit["ir"] += [rest[0]] if code == "Y" else []
        elif what == "opset":
            opsets = limit["opsets"].setdefault(rest[0], [])
            opsets += [rest[1]] if code in "YN" else []
        else:
            domain, name, since, chosen = rest
            key = (domain, name, str(since))
            tried.setdefault(key, set()).add(code)
            allowed = seen.setdefault(key, {})
            for parameter, type_ in chosen.items():
                # What is refused before kernels are looked for says nothing against one.
                if code in "YR":
                    allowed.setdefault(parameter, set()).add(type_)
    return limit, seen, tried


def _state(
    codes: set[str], allowed: dict[str, set[str]], tests: list[tuple[frozenset[str], str]]
) -> Any:
    """What a release has of an operator: nothing, no kernel, or types and uses that it refuses."""
    from onnx_cases import refused

    opened = [traits for traits, code in tests if code == "Y"]
    if codes <= {"U", "D"}:
        return "unknown"
    if "Y" not in codes and tests and all(code == "N" for _, code in tests):
        return "none"
    if not codes & {"Y", "N"} and not opened:
        return None
    if "Y" not in codes and not opened:
        return "none"
    for traits in opened:
        for trait in traits:
            parameter, _, type_ = trait.partition(":")
            if type_ and parameter in allowed:
                allowed[parameter].add(type_)
    state: dict[str, Any] = {p: sorted(t) for p, t in sorted(allowed.items())}
    never = [c for c in refused(tests) if telling(c)] if opened else []
    return {**state, "never": never} if never else state


def telling(combination: list[str]) -> bool:
    """Traits by which a runtime may go: few, and a setting or a type among them."""
    return len(combination) < 4 and any("=" in t or ":" in t for t in combination)


def _write(name: str, table: Any) -> None:
    text = json.dumps(table, sort_keys=True, separators=(",", ":"))
    (KNOWLEDGE / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{name}: {len(text):,} characters", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("schemas", "runtimes"))
    parser.add_argument("--release", action="append", default=[], metavar="VERSION=PYTHON:SITE")
    arguments = parser.parse_args()
    if arguments.what == "schemas":
        import onnx

        source = f"operator schemas of onnx {onnx.__version__} (tools/make_onnx_tables.py)"
        _write("onnx_operators.json.gz", {"source": source, "domains": schemas()})
    else:
        table = runtimes(arguments.release)
        source = "installed onnxruntime releases, asked by tools/make_onnx_tables.py"
        _write("onnx_runtimes.json.gz", {"source": source, **table})


if __name__ == "__main__":
    main()
