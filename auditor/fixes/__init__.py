"""Span edits, applied back to front, re-parsed and re-audited."""
