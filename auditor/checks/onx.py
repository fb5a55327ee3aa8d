"""ONX: is an ONNX graph static, whole and runnable, and does the code export it well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Artifact, Deployment, Service
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.parsers.python.facts import Phase
from auditor.source import Location

if TYPE_CHECKING:
    from auditor.artifacts.onnx.facts import DynamicPoint, OnnxFacts

# Weights of this many bytes in FP32 are worth a word about quantisation.
_LARGE = 100_000_000
# What the runtime refuses, or fails on at the first prediction, because shapes contradict.
_SHAPES = frozenset({"shape-error", "reshape", "predict", "gemm"})
# Opened all the same, and nothing a person needs to mend.
_HARMLESS = frozenset(
    {"opset-twice", "external-data", "no-outputs", "kernel", "attribute-reference"}
)


def _graph(artifact: Artifact) -> OnnxFacts | None:
    facts = artifact.facts.onnx
    return facts if facts is not None and not facts.damaged and not artifact.is_dev else None


def _place(artifact: Artifact) -> Location:
    return Location(artifact.path.partition("!")[0])


def _sound(facts: OnnxFacts, rule: Rule) -> Outcome:
    """Nothing was found: that is an answer only where all of the graph was followed."""
    return rule.undecided(facts.unfollowed) if facts.unfollowed else rule.passed()


def _listed(texts: list[str], most: int = 3) -> str:
    shown = ", ".join(texts[:most])
    return f"{shown} and {len(texts) - most} more" if len(texts) > most else shown


@check("ONX001")
def dynamic_dimension(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A free axis other than the leading one."""
    facts = _graph(artifact)
    if facts is None:
        return
    free = [port for port in facts.inputs if port.staticness == "shape-dynamic"]
    if not free:
        yield rule.passed()
        return
    texts = []
    for port in free:
        axes = [axis for axis in port.free if axis]
        if axes:
            texts.append(f"{port.name!r} axis {', '.join(map(str, axes))}")
        else:
            texts.append(f"{port.name!r} (rank not declared)" if port.shape is None else port.name)
    yield rule.finding(
        _place(artifact),
        f"the size of {_listed(texts)} is left open",
        evidence={"axes": [f"{p.name}:{a}" for p in free for a in p.free]},
    )


def _points(artifact: Artifact, rule: Rule, kind: str) -> Iterator[Outcome]:
    facts = _graph(artifact)
    if facts is None:
        return
    points: list[DynamicPoint] = [p for p in facts.dynamic if p.kind == kind]
    if not points:
        yield _sound(facts, rule)
        return
    first = points[0]
    more = f" (and {len(points) - 1} more nodes)" if len(points) > 1 else ""
    by_shape = all(point.by == "shape" for point in points)
    yield rule.finding(
        _place(artifact),
        f"{first.path}: {first.why}{more}",
        severity=Severity.LOW if by_shape else None,
        evidence={
            "nodes": [p.path for p in points[:50]],
            "operators": sorted({p.operator for p in points}),
        },
    )


@check("ONX002")
def control_flow(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """If, Loop or Scan whose course is not settled when the model is loaded."""
    yield from _points(artifact, rule, "control-flow")


@check("ONX003")
def data_dependent_shape(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A shape made from the contents of a tensor."""
    yield from _points(artifact, rule, "data-dependent")


@check("ONX004")
def contradicting_shapes(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Shapes that cannot fit together."""
    facts = _graph(artifact)
    if facts is None:
        return
    defects = [d for d in facts.defects if d.kind in _SHAPES]
    if not defects:
        yield _sound(facts, rule)
        return
    yield rule.finding(
        _place(artifact),
        _listed([d.message for d in defects]),
        evidence={"nodes": [d.path for d in defects[:50]]},
    )


@check("ONX005")
def external_data(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Weights in other files: there, whole, and inside the directory."""
    facts = artifact.facts.onnx
    if facts is None or not facts.external:
        return
    found = False
    for issue in artifact.facts.issues:
        if issue.rule == rule.id:
            found = True
            yield rule.finding(
                _place(artifact),
                issue.message,
                severity=issue.severity,
                evidence=dict(issue.evidence),
            )
    for file in facts.external:
        name = repr(file.location[:200])
        texts = {
            "missing": f"its weights {name} are not there",
            "short": f"its weights {name} end before the last tensor: {file.end:,} bytes are due",
            "link": f"its weights {name} are reached through a symbolic link",
            "empty": "it says that weights lie in another file and names none",
            "reserved": f"its weights are said to lie in {name}, which the runtime takes for an"
            " address in memory",
        }
        text = texts.get(file.state or "")
        if text is None or not file.used:
            continue
        found = True
        yield rule.finding(
            _place(artifact),
            text,
            severity=Severity.CRITICAL
            if file.state == "reserved"
            else Severity.MEDIUM
            if file.state == "link"
            else None,
            evidence={"location": file.location, "state": file.state},
        )
    if not found:
        yield rule.passed()


@check("ONX006")
def custom_domain(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Operators that no runtime brings by itself."""
    facts = _graph(artifact)
    if facts is None:
        return
    if not facts.custom_domains:
        yield rule.passed()
        return
    names = [name for name, _ in facts.operators if name.rpartition(".")[0] in facts.custom_domains]
    yield rule.finding(
        _place(artifact),
        f"uses {_listed(names)} of a domain that onnxruntime does not bring",
        evidence={"domains": list(facts.custom_domains), "operators": names[:50]},
    )


@check("ONX007")
def refused_model(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """What no runtime accepts about the model, whichever release."""
    facts = _graph(artifact)
    if facts is None:
        return
    defects = [d for d in facts.defects if d.kind not in _SHAPES and d.kind not in _HARMLESS]
    if not defects:
        yield rule.passed()
        return
    yield rule.finding(
        _place(artifact),
        _listed([d.message for d in defects]),
        evidence={
            "kinds": sorted({d.kind for d in defects}),
            "nodes": [d.path for d in defects[:50] if d.path],
        },
    )


@check("ONX008")
def training_left_in(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """Operators of training: optimisers, gradients, batch statistics."""
    facts = _graph(artifact)
    if facts is None:
        return
    if not facts.training:
        yield rule.passed()
        return
    yield rule.finding(
        _place(artifact),
        f"{_listed(list(facts.training))} is in training mode",
        evidence={"nodes": list(facts.training)},
    )


@check("ONX009")
def large_unquantised(artifact: Artifact, rule: Rule) -> Iterator[Outcome]:
    """A large model whose weights are all 32-bit floating point."""
    facts = _graph(artifact)
    if facts is None:
        return
    single = dict(facts.bytes_by_type).get("float", 0)
    if single < _LARGE or facts.quantised:
        yield rule.passed()
        return
    from auditor.artifacts.onnx.summary import human, int8_size

    total = sum(size for _, size in facts.bytes_by_type)
    yield rule.finding(
        _place(artifact),
        f"{human(single)} of its {human(total)} are 32-bit floats; about"
        f" {human(int8_size(facts))} as INT8",
        evidence={"parameters": facts.parameters, "float_bytes": single},
    )


def _before(deployment: Deployment, name: str, release: tuple[int, ...]) -> bool:
    """Every environment that pins the distribution pins an older one, and one does."""
    from auditor.linking.symbols import numbers

    found = [e.installed.version(name) for e in deployment.environments if e.installed is not None]
    pinned = [numbers(version) for version in found if version]
    return bool(pinned) and all(version < release for version in pinned)


# By exporter, the argument that names the opset, and whose release chooses it otherwise.
_OPSETS = {
    "torch.onnx.export": ("opset_version", "torch"),
    "skl2onnx": ("target_opset", "skl2onnx and onnx"),
    "onnxmltools": ("target_opset", "onnxmltools and onnx"),
    "tf2onnx": ("opset", "tf2onnx"),
    "optimum": ("opset", "optimum"),
}


@check("ONX010")
def export_code(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """Calls of exporters that leave the graph dynamic, in training mode or frozen."""
    from auditor.parsers.python.exports import exports

    older = _before(deployment, "torch", (2, 9))
    for module in deployment.exporters:
        for export in exports(module, deployment.module_for):
            wrong = False
            axes = sorted({axis.axis for axis in export.free if axis.axis})
            if axes:
                wrong = True
                names = sorted({axis.name for axis in export.free if axis.axis and axis.name})
                first = next(axis for axis in export.free if axis.axis)
                yield rule.finding(
                    first.at,
                    f"{export.tool} leaves axis {', '.join(map(str, axes))}"
                    f"{' of ' + _listed(names) if names else ''} open, not only the batch",
                    severity=Severity.LOW,
                    related=(Related(export.at, "exported here"),),
                    evidence={"axes": [f"{a.name}:{a.axis}" for a in export.free]},
                )
            training = export.training in ("TRAINING", "PRESERVE")
            # The older exporter, the default before torch 2.9, switches to evaluation by itself;
            # a scripted module keeps its mode as something that can still be changed.
            quiet = (
                export.training == "EVAL"
                or export.tool == "torch.jit.script"
                or (
                    export.tool == "torch.onnx.export"
                    and (export.dynamo is False or (export.dynamo is None and older))
                )
            )
            modal = export.mode.known
            if training or (export.evaluates is False and not quiet and modal is not False):
                wrong = True
                why = f"training={export.training}" if training else "nothing calls eval() on it"
                if modal:
                    why += f", and {export.mode.layers[0]} acts otherwise in training"
                yield rule.finding(
                    export.at,
                    f"{export.tool} exports {export.model or 'the model'} in training mode: {why}",
                    confidence=None if training or modal else Confidence.POSSIBLE,
                    help="Call eval() on the model before it is exported.",
                )
            for branch in export.branches:
                wrong = True
                yield rule.finding(
                    branch.at,
                    f"{branch.owner}.forward: this {branch.construct} depends on a tensor's contents;"
                    f" {export.tool} keeps only the way that its example takes",
                    related=(Related(export.at, "exported here"),),
                )
            if export.opset_pinned is False:
                wrong = True
                name, writer = _OPSETS[export.tool]
                yield rule.finding(
                    export.at,
                    f"{export.tool} without {name}: each {writer} release writes another",
                    severity=Severity.INFO,
                    help=f"Give {name}, one that the pinned onnxruntime knows.",
                )
            if not wrong:
                yield rule.passed()


@check("ONX011")
def missing_provider(service: Service, rule: Rule) -> Iterator[Outcome]:
    """An execution provider that the installed onnxruntime, or the image, does not have."""
    from auditor.linking import providers
    from auditor.parsers.python.exports import sessions

    environment = service.environment
    if environment is None or environment.installed is None:
        return
    for module in service.module_facts.values():
        for session in sessions(module):
            trouble = providers.judge(session, environment.installed, service.image)
            if trouble is None:
                if session.providers is not None:
                    yield rule.passed()
                continue
            raises = trouble.raises
            yield rule.finding(
                session.at,
                f"{trouble.message}: `{raises}`" if raises else trouble.message,
                severity=Severity.HIGH if raises else Severity.LOW if trouble.quiet else None,
                help=trouble.help,
                related=[
                    Related(r.fact.at, f"{trouble.distribution} is installed here")
                    for r in environment.find(trouble.distribution)[:1]
                ],
                evidence={"providers": list(session.providers or ())},
                breaks=_broken(service, session.at) if raises else (),
            )


def _broken(service: Service, at: Location) -> tuple[tuple[str, Stage], ...]:
    """What a session that cannot be made breaks: the start, or the prediction."""
    for entry in service.entries:
        for access in entry.trace.files:
            if access.at != at or not access.reach.certain:
                continue
            if access.reach.phase is Phase.UNREACHED:
                return ()
            before = access.reach.phase.before_serving
            return service.loading(at) if before else service.breaks(Stage.PREDICTS)
    return ()
