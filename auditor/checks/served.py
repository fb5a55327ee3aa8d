"""SRV007: models that a model server is told to serve, against what the server makes of them."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.artifacts.onnx.facts import OnnxFacts, OnnxPort
from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, ServedModel, Service, Tensor
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.source import Location

# Names of element types: Triton's → ONNX's.
_TYPES = {
    "TYPE_BOOL": "bool", "TYPE_UINT8": "uint8", "TYPE_UINT16": "uint16", "TYPE_UINT32": "uint32",
    "TYPE_UINT64": "uint64", "TYPE_INT8": "int8", "TYPE_INT16": "int16", "TYPE_INT32": "int32",
    "TYPE_INT64": "int64", "TYPE_FP16": "float16", "TYPE_FP32": "float", "TYPE_FP64": "double",
    "TYPE_STRING": "string", "TYPE_BF16": "bfloat16",
}  # fmt: skip
_SAME = {"float32": "float", "float64": "double"}


@check("SRV007")
def model_not_served(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """A model server refuses or does not find the model that it is to serve."""
    broken = [f for f in service.faults if f.kind == "model-server"]
    for fault in broken:
        yield rule.finding(
            fault.at,
            fault.message + (", unless somebody puts it there first" if fault.possible else ""),
            related=[Related(at, text) for at, text in fault.related],
            confidence=Confidence.POSSIBLE if fault.possible else Confidence.CERTAIN,
            severity=Severity.MEDIUM if fault.possible else None,
            breaks=service.breaks(fault.stage),
        )
    onnx = {a.path: a.facts.onnx for a in deployment.artifacts if a.facts.onnx is not None}
    for model in service.models:
        if model.server != "triton":
            if not broken:
                yield rule.passed()
            continue
        facts = onnx.get(model.file or "")
        found = list(_against(model, facts)) if facts is not None else []
        if _no_gpu(service) and model.gpu_at is not None:
            found.append(
                (
                    model.gpu_at,
                    f"`{model.name}` is to run on a GPU (`KIND_GPU`), and the container is given "
                    "none: `instance group has kind KIND_GPU but no GPUs are available`",
                )
            )
        for at, message in found[:1]:
            yield rule.finding(
                at,
                message,
                related=[Related(Location(model.file), "the model")] if model.file else (),
                breaks=service.breaks(Stage.STARTS),
            )
        if not found and not broken:
            yield rule.passed()


def _no_gpu(service: Service) -> bool:
    """Where devices are given to containers is seen, and this one gets none."""
    if service.container is not None:
        resources = service.container.resources
        asked = [*resources.limits, *resources.requests] if resources is not None else []
        return not any("gpu" in name or "mig" in name for name, _ in asked)
    compose = service.compose
    if compose is None:
        return False
    reserved = compose.deploy.reservations if compose.deploy else None
    return not compose.gpu and not (reserved is not None and reserved.devices)


def _against(model: ServedModel, facts: OnnxFacts) -> Iterator[tuple[Location, str]]:
    """Where the configuration and the ONNX graph disagree, in the backend's own order."""
    if facts.damaged or facts.problems:
        return
    inputs = {p.name: p for p in facts.inputs if not p.default}
    optional = {p.name: p for p in facts.inputs if p.default}
    outputs = {p.name: p for p in facts.outputs}
    if model.inputs and len(model.inputs) < len(inputs):
        missing = sorted(set(inputs) - {t.name for t in model.inputs})
        yield (
            model.inputs[0].at,
            f"`{model.name}` is configured with {len(model.inputs)} inputs, and the model takes "
            f"{len(inputs)}: {_listed(missing)} is missing",
        )
        return
    for kind, tensors, ports in (
        ("input", model.inputs, {**inputs, **optional}),
        ("output", model.outputs, outputs),
    ):
        for tensor in tensors:
            port = ports.get(tensor.name)
            if port is None:
                yield (
                    tensor.at,
                    f"the model of `{model.name}` has no {kind} `{tensor.name}` (it has "
                    f"{_listed(sorted(ports))}): tritonserver does not load it",
                )
                continue
            yield from _port(model, kind, tensor, port)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _port(
    model: ServedModel, kind: str, tensor: Tensor, port: OnnxPort
) -> Iterator[tuple[Location, str]]:
    wanted = _TYPES.get(tensor.type)
    plain = (port.type or "").removeprefix("tensor(").removesuffix(")")
    have = _SAME.get(plain, plain) or None
    if wanted is not None and have is not None and wanted != have:
        yield (
            tensor.at,
            f"{kind} `{tensor.name}` of `{model.name}` is configured as {tensor.type}, and the "
            f"model has {plain}: tritonserver does not load it",
        )
        return
    if port.shape is None or not tensor.dims:
        return
    shape = [axis if isinstance(axis, int) else -1 for axis in port.shape]
    dims = list(tensor.dims)
    if model.batches:
        if not shape or shape[0] != -1:
            yield (
                model.batches_at or tensor.at,
                f"`max_batch_size: {model.batches}` needs a first axis of any length, and {kind} "
                f"`{tensor.name}` of the model of `{model.name}` is {shape}: tritonserver does not "
                "load it",
            )
            return
        dims = [-1, *dims]
    elif model.batches is None:
        return
    fits = len(shape) == len(dims) and all(
        have == -1 or have == told for have, told in zip(shape, dims, strict=True)
    )
    if not fits:
        yield (
            tensor.at,
            f"{kind} `{tensor.name}` of `{model.name}` is configured as {dims}"
            + (" (with the batch in front)" if model.batches else "")
            + f", and the model has {shape}: tritonserver does not load it",
        )
