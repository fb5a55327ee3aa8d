"""How the property-based tests run: the same examples every time in CI, new ones everywhere else.

On a loaded machine generating examples is slow, not wrong.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=(HealthCheck.too_slow,),
)
settings.load_profile("project")
