"""deploy-audit: a linker for machine-learning deployments.

Importing this package is cheap on purpose: nothing but the version lives here.
``auditor.audit`` is resolved on first use.
"""

from __future__ import annotations

__version__ = "0.1.0"

# Not from typing: that import alone would double the time of ``--version``.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from auditor.engine import audit

__all__ = ["__version__", "audit"]


def __getattr__(name: str) -> object:
    if name == "audit":
        from auditor.engine import audit

        return audit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
