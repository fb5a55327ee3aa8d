"""One walk of a root: which files there are, what each is, and safe reading of them.

Nothing outside the root is opened, save the enclosing checkout's ``.git/index`` and ignore
files when the root lies inside a git checkout. No program is run: git's own configuration
can name commands, so its index and ignore files are read here.
"""

from __future__ import annotations

from auditor.discovery.entries import FileEntry, FileKind, Limits
from auditor.discovery.git import read_index
from auditor.discovery.ignore import IgnoreRules
from auditor.discovery.kinds import (
    is_development,
    is_type1_font,
    kind_by_content,
    kind_by_name,
    model_name,
    sniff,
)
from auditor.discovery.repository import Repository
from auditor.discovery.walk import discover

__all__ = [
    "FileEntry",
    "FileKind",
    "IgnoreRules",
    "Limits",
    "Repository",
    "discover",
    "is_development",
    "is_type1_font",
    "kind_by_content",
    "kind_by_name",
    "model_name",
    "read_index",
    "sniff",
]
