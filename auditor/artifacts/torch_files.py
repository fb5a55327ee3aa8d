"""Whether ``torch.load(weights_only=True)`` accepts a file, and what it objects to."""

from __future__ import annotations

from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING

from auditor.artifacts.weights_only import allowed_globals, objections
from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft
    from auditor.artifacts.pickle.analyse import Analysis


def judge_torch(draft: Draft) -> None:
    """Sets ``weights_only`` and its objections; the format must be a torch one."""
    against: list[str] = []
    if draft.format == "torchscript":
        against.append("TorchScript archives need torch.jit.load")
    elif draft.analysis is None or draft.analysis.blob is None:
        tar = draft.format == "torch-legacy"
        against.append("it is in the old tar format" if tar else "it holds no data.pkl")
    else:
        against += _restricted(draft.analysis, legacy=draft.format == "torch-legacy")
    draft.weights_only = not against
    draft.objections = tuple(against[:100])
    if against and draft.format != "torchscript":
        draft.issue(
            "ART009",
            "is refused by torch.load(weights_only=True): " + ", ".join(against[:3])[:300],
            "safe",
            Severity.MEDIUM,
            what="torch 2.6 and later refuse to load it by default",
        )
    elif draft.format in ("torch-zip", "torch-legacy"):
        draft.issue(
            "ART006",
            "holds only tensors and plain data: safetensors would hold them without a pickle",
            "safe",
            Severity.INFO,
        )


def _restricted(analysis: Analysis, *, legacy: bool) -> list[str]:
    """What the restricted unpickler of torch says of the streams that the loader reads."""
    blob = analysis.blob
    assert blob is not None
    try:
        return objections(blob, streams=5 if legacy else 1, legacy=legacy)
    except (IndexError, KeyError, StructError):
        return ["it is damaged"]
    except TimeoutError:
        names = analysis.facts.globals if analysis.facts is not None else ()
        return [g.dotted for g in names if g.dotted not in allowed_globals()]
