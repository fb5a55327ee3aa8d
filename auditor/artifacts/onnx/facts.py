"""What an ONNX model declares, contains and needs, as frozen values."""

from __future__ import annotations

from typing import Literal

from auditor.values import value

Staticness = Literal["static", "batch-dynamic", "shape-dynamic", "data-dependent", "control-flow"]
Outcome = Literal["loads", "warns", "fails", "unknown"]


@value
class OnnxPort:
    """An input or output of the graph.

    ``shape`` holds a number, a symbol's name, or None (unset) per axis; it is None when the rank
    is not declared. ``staticness`` speaks of this port alone; ``free`` are its dynamic axes.
    """

    name: str
    type: str | None
    shape: tuple[int | str | None, ...] | None
    staticness: Staticness = "static"
    free: tuple[int, ...] = ()
    # An initialiser of that name gives it a default.
    default: bool = False


@value
class DynamicPoint:
    """A node that keeps the graph from being static.

    ``path`` leads through subgraphs and functions (``If:cond > then_branch > NonZero:nz``);
    ``by`` says whether data or only a free axis decides; ``axes`` are ``input:axis`` names.
    """

    kind: Literal["data-dependent", "control-flow"]
    operator: str
    path: str
    by: Literal["data", "shape"]
    why: str
    axes: tuple[str, ...] = ()


@value
class Defect:
    """Something every runtime refuses, or warns of; ``kind`` is the runtime's word for it."""

    kind: str
    message: str
    path: str = ""


@value
class OperatorUse:
    """One way in which nodes use an operator; equal uses are counted, the first is named."""

    domain: str
    operator: str
    version: int
    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    count: int = 1
    path: str = ""
    # Every input is known when the model is loaded: the runtime may fold it away.
    constant: bool = False
    # How it is used: ``mode=cubic`` and ``scales`` of attributes, ``#1 fixed``, ``#1 true`` or
    # ``#1 free`` of the inputs behind the first, ``rank 4`` of the first one; ``3 outputs`` where there are several.
    traits: tuple[str, ...] = ()


@value
class ExternalFile:
    """A file of weights beside the model. ``bytes`` is what the model reads of it.

    ``state``: present, missing, short, outside, link, empty, reserved; None when not looked up.
    """

    location: str
    bytes: int
    tensors: int
    end: int = 0
    # False: named, but the tensors are not marked as lying outside, so nobody reads it.
    used: bool = True
    state: str | None = None


@value
class OnnxFacts:
    """One model. Sizes in bytes; ``operators`` are (domain.name, count), most frequent first."""

    ir_version: int | None
    opsets: tuple[tuple[str, int], ...]
    producer: str
    graph: str
    inputs: tuple[OnnxPort, ...]
    outputs: tuple[OnnxPort, ...]
    nodes: int
    operators: tuple[tuple[str, int], ...]
    functions: tuple[str, ...]
    parameters: int
    bytes_by_type: tuple[tuple[str, int], ...]
    parameters_by_type: tuple[tuple[str, int], ...]
    external: tuple[ExternalFile, ...]
    # "QDQ", "QOperator", "dynamic", "weights" and combinations; empty when not quantised.
    quantised: tuple[str, ...]
    # Share of zeros among the weights that were looked at, None when none were.
    sparsity: float | None
    staticness: Staticness
    dynamic: tuple[DynamicPoint, ...]
    uses: tuple[OperatorUse, ...]
    custom_domains: tuple[str, ...]
    training: tuple[str, ...]
    defects: tuple[Defect, ...]
    # Why the answer may be incomplete: limits that were hit, damage.
    problems: tuple[str, ...]
    # The file is no readable model at all.
    damaged: bool = False

    @property
    def unfollowed(self) -> str | None:
        """Why the graph was not followed to its end, in words; then what is found is not all."""
        return self.problems[0] if self.problems and not self.damaged else None

    def opset(self, domain: str) -> int | None:
        """The imported version of a domain (empty for ai.onnx), None when not imported."""
        return next((v for d, v in self.opsets if d == domain), None)
