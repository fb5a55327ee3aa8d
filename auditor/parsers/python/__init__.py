"""Python source, read through its syntax tree and never executed.

Two layers: ``parse`` says what one file contains; ``Program`` (in ``program``) says what
happens, and when, as an entry module of several linked files is imported or run.
"""

from __future__ import annotations

from auditor.parsers.python.facts import (
    Call,
    ClassFact,
    EnvRead,
    FileAccess,
    FunctionFact,
    Import,
    InstallLine,
    LogHandler,
    ModuleFacts,
    Parameter,
    PathValue,
    Phase,
    RawCall,
    Reach,
    ReachedImport,
    Route,
    SchemaField,
    Server,
    SyntaxNeed,
    Trace,
    Unsure,
    Value,
    WebApp,
)
from auditor.parsers.python.module import parse
from auditor.parsers.python.program import Finder, ImageFinder, Module, Program, standalone

__all__ = [
    "Call",
    "ClassFact",
    "EnvRead",
    "FileAccess",
    "Finder",
    "FunctionFact",
    "ImageFinder",
    "Import",
    "InstallLine",
    "LogHandler",
    "Module",
    "ModuleFacts",
    "Parameter",
    "PathValue",
    "Phase",
    "Program",
    "RawCall",
    "Reach",
    "ReachedImport",
    "Route",
    "SchemaField",
    "Server",
    "SyntaxNeed",
    "Trace",
    "Unsure",
    "Value",
    "WebApp",
    "parse",
    "standalone",
]
