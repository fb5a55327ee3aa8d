"""Helpers for the report tests; the shared sample lives in ``report_samples``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
