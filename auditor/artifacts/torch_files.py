"""Whether ``torch.load(weights_only=True)`` accepts a file, and what it objects to."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft


@lru_cache(maxsize=1)
def allowed_globals() -> frozenset[str]:
    """What the restricted unpickler of torch knows without ``add_safe_globals``."""
    from auditor.catalog import knowledge

    return frozenset(knowledge("torch_weights_only.json")["globals"])


def judge_torch(draft: Draft) -> None:
    """Sets ``weights_only`` and its objections; the format must be a torch one."""
    facts = draft.analysis.facts if draft.analysis is not None else None
    objections: list[str] = []
    if draft.format == "torchscript":
        objections.append("TorchScript archives need torch.jit.load")
    elif facts is None:
        objections.append("it holds no data.pkl")
    else:
        if facts.protocol != 2:
            objections.append(f"pickle protocol {facts.protocol}; only 2 is understood")
        allowed = allowed_globals()
        objections += [g.dotted for g in facts.globals if g.dotted not in allowed]
    draft.weights_only = not objections
    draft.objections = tuple(objections[:100])
    if objections and draft.format != "torchscript":
        draft.issue(
            "ART009",
            "is refused by torch.load(weights_only=True): " + ", ".join(objections[:3])[:300],
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
