"""Dockerfiles, read as BuildKit reads them, with every word's place in the file.

``parse`` yields typed instructions; ``expand`` substitutes variables in a word. What BuildKit
refuses becomes a ``Problem`` at the instruction BuildKit would name; reading goes on behind it.

Terms follow the Dockerfile reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

from auditor.parsers.dockerfile.facts import (
    Arg,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Label,
    Mount,
    Onbuild,
    Pair,
    Run,
    Shell,
    Stage,
    Stopsignal,
    Unreadable,
    User,
    Volume,
    Word,
    Workdir,
)
from auditor.parsers.dockerfile.reader import parse
from auditor.parsers.dockerfile.words import expand, expand_words, heredoc_name, is_heredoc

__all__ = [
    "Arg",
    "Cmd",
    "Command",
    "Copy",
    "Dockerfile",
    "Entrypoint",
    "Env",
    "Expose",
    "From",
    "Healthcheck",
    "Heredoc",
    "Instruction",
    "Label",
    "Mount",
    "Onbuild",
    "Pair",
    "Run",
    "Shell",
    "Stage",
    "Stopsignal",
    "Unreadable",
    "User",
    "Volume",
    "Word",
    "Workdir",
    "expand",
    "expand_words",
    "heredoc_name",
    "is_heredoc",
    "parse",
]
