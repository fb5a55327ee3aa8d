"""What git says of a checkout: its directory, its index, sparse and submodule files."""

# os.* throughout: pathlib costs seconds on 100,000 files and cannot hold the flags with which
# hostile files are opened.
# ruff: noqa: PTH116, PTH118
from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

from auditor.discovery.ignore import IgnoreRules
from auditor.discovery.repository import read_bytes
from auditor.source import Location, Problem

if TYPE_CHECKING:
    from auditor.discovery.entries import Limits


class Checkout:
    """One git work tree: what its index tracks. Paths are relative to ``top``."""

    def __init__(self, top: str, git_dir: str, limits: Limits, problems: list[Problem]) -> None:
        self.top = top
        self.git_dir = git_dir
        self.tracked: frozenset[str] = frozenset()
        self.tracked_dirs: frozenset[str] = frozenset()
        self.usable = True
        self.exclude: IgnoreRules | None = None
        try:
            names = read_index(git_dir, limit=limits.index_bytes)
        except FileNotFoundError:
            names = []
        except (OSError, ValueError) as error:
            problems.append(
                Problem(
                    at=Location(".git/index"),
                    message=f"git's index cannot be read ({error}); no file is taken as ignored",
                )
            )
            names = []
            self.usable = False
        self.tracked = frozenset(names)
        dirs: set[str] = set()
        for name in names:
            cut = name.rfind("/")
            while cut > 0:
                parent = name[:cut]
                if parent in dirs:
                    break
                dirs.add(parent)
                cut = parent.rfind("/")
        self.tracked_dirs = frozenset(dirs)
        common = small_text(os.path.join(git_dir, "commondir"))
        base = os.path.join(git_dir, common.strip()) if common else git_dir
        text = small_text(os.path.join(base, "info", "exclude"))
        if text:
            self.exclude = IgnoreRules(text)


def small_text(path: str, limit: int = 1_000_000) -> str | None:
    """A small regular file's text; None when there is none. Never blocks on a FIFO."""
    try:
        data = read_bytes(path, limit)
    except OSError:
        return None
    return data.decode("utf-8", "surrogateescape")


def git_dir_of(directory: str) -> str | None:
    """The git directory of a work tree whose top is ``directory``, or None."""
    dot_git = os.path.join(directory, ".git")
    try:
        mode = os.stat(dot_git).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(mode):
        text = small_text(dot_git, 4096) or ""
        if not text.startswith("gitdir:"):
            return None
        dot_git = os.path.normpath(os.path.join(directory, text[7:].strip()))
    try:
        if not stat.S_ISREG(os.stat(os.path.join(dot_git, "HEAD")).st_mode):
            return None
    except (OSError, ValueError):
        return None
    return dot_git


def read_index(git_dir: str, *, limit: int = 256_000_000) -> list[str]:
    """Names of the tracked paths, from the index (versions 2-4, SHA-1 or SHA-256, also split).

    Raises OSError when it cannot be read and ValueError when it is none.
    """
    data = read_bytes(os.path.join(git_dir, "index"), limit)
    config = (small_text(os.path.join(git_dir, "config")) or "").lower().replace(" ", "")
    lengths = (32, 20) if "objectformat=sha256" in config else (20, 32)
    error: ValueError | None = None
    for length in lengths:
        try:
            names, shared = _parse_index(data, length)
        except ValueError as problem:
            error = error or problem
            continue
        if shared:
            base, _ = _parse_index(
                read_bytes(os.path.join(git_dir, f"sharedindex.{shared}"), limit), length
            )
            names = [*base, *names]
        return names
    raise error or ValueError("unreadable")


def _parse_index(data: bytes, hash_length: int) -> tuple[list[str], str]:
    if len(data) < 12 + hash_length or data[:4] != b"DIRC":
        raise ValueError("no index")
    version, count = struct.unpack(">II", data[4:12])
    if version not in (2, 3, 4):
        raise ValueError(f"index version {version}")
    names: list[str] = []
    end = len(data) - hash_length
    offset = 12
    fixed = 40 + hash_length + 2
    previous = b""
    for _ in range(count):
        start = offset
        offset += fixed
        if offset > end:
            raise ValueError("index ends early")
        if data[offset - 2] & 0x40:
            offset += 2
        if version == 4:
            strip, offset = _index_varint(data, offset, end)
            if strip > len(previous):
                raise ValueError("index name out of range")
            stop = data.find(b"\0", offset, end)
            if stop < 0:
                raise ValueError("index ends early")
            previous = previous[: len(previous) - strip] + data[offset:stop]
            name = previous
            offset = stop + 1
        else:
            stop = data.find(b"\0", offset, end)
            if stop < 0:
                raise ValueError("index ends early")
            name = data[offset:stop]
            offset = start + ((stop - start) // 8 + 1) * 8
            if data[stop : min(offset, end)].strip(b"\0"):
                raise ValueError("index padding")
        mode = data[start + 24 : start + 28]
        if mode[:2] != b"\0\0":
            raise ValueError("index mode")
        # An empty name stands for an entry of the shared index that was replaced.
        if name:
            names.append(name.rstrip(b"/").decode("utf-8", "surrogateescape"))
    shared = ""
    while offset + 8 <= end:
        signature = data[offset : offset + 4]
        size = int.from_bytes(data[offset + 4 : offset + 8], "big")
        if offset + 8 + size > end:
            raise ValueError("index extension out of range")
        if signature == b"link":
            shared = data[offset + 8 : offset + 8 + hash_length].hex().strip("0") and (
                data[offset + 8 : offset + 8 + hash_length].hex()
            )
        offset += 8 + size
    if offset != end:
        raise ValueError("index has trailing bytes")
    return names, shared


def _index_varint(data: bytes, offset: int, end: int) -> tuple[int, int]:
    value = -1
    for _ in range(10):
        if offset >= end:
            break
        byte = data[offset]
        offset += 1
        value = ((value + 1) << 7) | (byte & 0x7F)
        if not byte & 0x80:
            return value, offset
    raise ValueError("index varint")
