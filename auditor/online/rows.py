"""File names of releases as rows of the wheel table: what installs on which Python and libc."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re

if TYPE_CHECKING:
    from auditor.online.index import File

LEGACY = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17", "linux": "0"}


def glibc_of(platform: str) -> str | None:
    """The glibc that an x86-64 Linux platform tag needs; None for other platforms."""
    if not platform.endswith("_x86_64"):
        return None
    head = platform.removesuffix("_x86_64")
    if head in LEGACY:
        return LEGACY[head]
    match = re.fullmatch(r"manylinux_(\d+)_(\d+)", head)
    return f"{match[1]}.{match[2]}" if match else None


def python_of(interpreter: str, abi: str) -> str | None:
    """``cp311`` → ``3.11``; with the stable ABI ``3.11+``; pure Python ``*``."""
    if interpreter in ("py3", "py2.py3"):
        return "*"
    match = re.fullmatch(r"cp3(\d+)", interpreter)
    if not match or abi.endswith("t"):
        return None
    return f"3.{match[1]}+" if abi == "abi3" else f"3.{match[1]}"


def row_of(files: Iterable[File]) -> dict[str, Any]:
    """One release: wheels by Python and glibc, musl wheels, Requires-Python, source archive."""
    from packaging.utils import parse_wheel_filename

    row: dict[str, Any] = {}
    for file in files:
        if file.yanked is not None:
            row["y"] = 1
        if file.requires_python:
            row["r"] = file.requires_python
        if not file.is_wheel:
            row["s"] = 1
            continue
        for tag in parse_wheel_filename(file.name)[3]:
            python = python_of(tag.interpreter, tag.abi)
            if python is None:
                continue
            if tag.platform == "any":
                row.setdefault("g", {})[python] = "0"
            elif "musllinux" in tag.platform and tag.platform.endswith("_x86_64"):
                found = row.setdefault("m", [])
                if python not in found:
                    found.append(python)
            elif (needs := glibc_of(tag.platform)) is not None:
                glibc = row.setdefault("g", {})
                best = glibc.get(python)
                if best is None or _number(needs) < _number(best):
                    glibc[python] = needs
    return row


def _number(glibc: str) -> tuple[int, ...]:
    return tuple(int(p) for p in glibc.split("."))
