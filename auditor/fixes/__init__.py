"""Fixes: edits that make a finding go away, and what applies them.

``recipes`` says which edits; ``apply`` lays them over the files and has the result audited again;
an edit that leaves its finding, brings another one or breaks the file is not used.
"""

from __future__ import annotations

from auditor.fixes.recipes import attach

__all__ = ["attach"]
