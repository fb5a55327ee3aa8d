"""How the property-based tests run: on a loaded machine generating examples is slow, not wrong."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("project")
