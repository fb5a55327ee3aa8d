"""One walk of a root: which files there are, what each is, and safe reading of them.

Nothing outside the root is opened, save the enclosing checkout's ``.git/index`` and ignore
files when the root lies inside a git checkout. No program is run: git's own configuration
can name commands, so its index and ignore files are read here.
"""

# os.* throughout: pathlib costs seconds on 100,000 files and cannot hold the flags with which
# hostile files are opened.
# ruff: noqa: PTH100, PTH112, PTH113, PTH116, PTH118
from __future__ import annotations

import enum
import errno
import mmap
import os
import stat
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

from auditor import lazy_re as re
from auditor.result import Skipped
from auditor.source import Location, Problem, SourceText
from auditor.values import record, replace, value


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class FileKind(enum.StrEnum):
    """What a file is, by name, and by content where the name does not say."""

    DOCKERFILE = "dockerfile"
    DOCKERIGNORE = "dockerignore"
    COMPOSE = "compose"
    REQUIREMENTS = "requirements"
    PYPROJECT = "pyproject"
    SETUP_CFG = "setup.cfg"
    SETUP_PY = "setup.py"
    PIPFILE = "pipfile"
    LOCK = "lock"
    CONDA = "conda"
    PYTHON_VERSION = "python-version"
    DOTENV = "dotenv"
    PYTHON = "python"
    NOTEBOOK = "notebook"
    SHELL = "shell"
    CI = "ci"
    PROCFILE = "procfile"
    MAKEFILE = "makefile"
    SUPERVISORD = "supervisord"
    NGINX = "nginx"
    SYSTEMD = "systemd"
    HELM = "helm"
    KUSTOMIZATION = "kustomization"
    YAML = "yaml"
    TOML = "toml"
    INI = "ini"
    JSON = "json"
    ARTIFACT = "artifact"
    TEXT = "text"
    OTHER = "other"


@value
class FileEntry:
    """One regular file of the walked tree. ``path`` is POSIX, relative to the root."""

    path: str
    size: int
    kind: FileKind
    executable: bool = False
    # Evidently for development: tests, examples, docs, notebooks, Dockerfile.dev, …
    is_dev: bool = False
    # What the first bytes look like ("pickle", "zip", "hdf5", …), where they were looked at.
    content: str | None = None
    # Path of the file this one links to, when it is a symbolic link inside the root.
    link_to: str | None = None


@value
class Limits:
    """Bounds of one walk; each one that is hit is reported as skipped."""

    files: int = 1_000_000
    depth: int = 64
    text_bytes: int = 5_000_000
    index_bytes: int = 256_000_000


class _Pattern:
    """One line of an ignore file. ``segments`` is empty for a pattern on the name alone."""

    __slots__ = ("dir_only", "match", "negated", "order", "segments")

    def __init__(self, order: int, negated: bool, dir_only: bool) -> None:
        self.order = order
        self.negated = negated
        self.dir_only = dir_only
        self.match: Callable[[str], object] | None = None
        # None stands for "**".
        self.segments: list[Callable[[str], object] | None] = []


class IgnoreRules:
    """The patterns of one ignore file, with git's semantics: the last one that matches decides.

    Work per path is bounded by patterns x segments; no pattern backtracks without bound.
    """

    def __init__(self, text: str) -> None:
        self._names: dict[str, list[_Pattern]] = {}
        self._suffixes: dict[str, list[_Pattern]] = {}
        self._globs: list[_Pattern] = []
        self._anchored: list[_Pattern] = []
        self._memo: dict[tuple[str, bool], _Pattern | None] = {}
        for order, line in enumerate(text.removeprefix("\ufeff").split("\n")):
            self._add(order, line.removesuffix("\r"))

    def __bool__(self) -> bool:
        return bool(self._names or self._suffixes or self._globs or self._anchored)

    def _add(self, order: int, line: str) -> None:
        if line.startswith("#"):
            return
        line = _strip_trailing_spaces(line)
        negated = line.startswith("!")
        if negated:
            line = line[1:]
        dir_only = line.endswith("/")
        if dir_only:
            line = line[:-1]
        if not line:
            return
        rule = _Pattern(order, negated, dir_only)
        if "/" not in line:
            plain = not any(c in line for c in "*?[\\")
            tail = line[1:]
            if plain:
                self._names.setdefault(line, []).append(rule)
            elif (
                line[0] == "*"
                and tail.startswith(".")
                and tail.count(".") == 1
                and not any(c in tail for c in "*?[\\")
            ):
                self._suffixes.setdefault(tail, []).append(rule)
            else:
                rule.match = _segment(line)
                if rule.match is not None:
                    self._globs.append(rule)
            return
        parts = line.removeprefix("/").split("/")
        for part in parts:
            if part == "**":
                if not rule.segments or rule.segments[-1] is not None:
                    rule.segments.append(None)
                continue
            matcher = _segment(part)
            if matcher is None:
                return
            rule.segments.append(matcher)
        self._anchored.append(rule)

    def decide(self, path: str, name: str, is_dir: bool) -> bool | None:
        """True: ignored; False: explicitly not; None: no pattern says. ``path`` is relative."""
        key = (name, is_dir)
        best = self._memo.get(key, _UNSEEN)
        if best is _UNSEEN:
            best = self._by_name(name, is_dir)
            self._memo[key] = best
        if self._anchored:
            parts: list[str] | None = None
            for rule in reversed(self._anchored):
                if best is not None and rule.order < best.order:
                    break
                if rule.dir_only and not is_dir:
                    continue
                parts = path.split("/") if parts is None else parts
                if _match_segments(rule.segments, parts):
                    best = rule
                    break
        return None if best is None else not best.negated

    def names_below(self, path: str) -> bool:
        """Whether a pattern names something inside this directory (relative path)."""
        parts = path.split("/")
        return any(
            not rule.negated
            and len(rule.segments) > len(parts)
            and all(s is not None and s(p) for s, p in zip(rule.segments, parts, strict=False))
            for rule in self._anchored
        )

    def _by_name(self, name: str, is_dir: bool) -> _Pattern | None:
        rules = [*self._names.get(name, ())]
        dot = name.rfind(".")
        if dot >= 0:
            rules += self._suffixes.get(name[dot:], ())
        rules += [r for r in self._globs if r.match is not None and r.match(name)]
        rules = [r for r in rules if is_dir or not r.dir_only]
        return max(rules, key=lambda r: r.order, default=None)


_UNSEEN = _Pattern(-1, False, False)


def _strip_trailing_spaces(line: str) -> str:
    end = len(line)
    while end and line[end - 1] == " ":
        backslashes = end - 1 - len(line[: end - 1].rstrip("\\"))
        if backslashes % 2:
            break
        end -= 1
    return line[:end]


def _match_segments(pattern: list[Callable[[str], object] | None], parts: list[str]) -> bool:
    """Whole-path match; ``None`` in the pattern spans any number of parts, at the end at least one.

    Greedy with a single point of return (the last ``**``): quadratic at worst.
    """
    p = i = 0
    back_p = -1
    back_i = 0
    while i < len(parts):
        if p < len(pattern):
            current = pattern[p]
            if current is None:
                if p == len(pattern) - 1:
                    return True
                p += 1
                back_p, back_i = p, i
                continue
            if current(parts[i]):
                p += 1
                i += 1
                continue
        if back_p < 0:
            return False
        back_i += 1
        p, i = back_p, back_i
    return p == len(pattern)


_POSIX_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\r\\n\\v\\f",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


def _segment(text: str) -> Callable[[str], object] | None:
    """A matcher for one path segment, or None for a malformed pattern (it matches nothing)."""
    if not any(c in text for c in "*?[\\"):
        return text.__eq__ if text else None
    chunks: list[str] = [""]
    i = 0
    while i < len(text):
        char = text[i]
        i += 1
        if char == "*":
            if chunks[-1] or len(chunks) == 1:
                chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char == "\\":
            if i >= len(text):
                return None
            chunks[-1] += re.escape(text[i])
            i += 1
        elif char == "[":
            parsed = _bracket(text, i)
            if parsed is None:
                return None
            piece, i = parsed
            chunks[-1] += piece
        else:
            chunks[-1] += re.escape(char)
    if len(chunks) == 1:
        body = chunks[0]
    else:
        # Atomic groups: once the shortest match of a middle chunk is found it is final, as
        # a later one could not help. So no pattern makes the matcher backtrack.
        middle = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1] if chunk)
        body = f"{chunks[0]}{middle}.*{chunks[-1]}"
    try:
        return re.compile(body, re.DOTALL).fullmatch
    except (re.error, OverflowError):
        return None


def _bracket(text: str, i: int) -> tuple[str, int] | None:
    negated = i < len(text) and text[i] in "!^"
    if negated:
        i += 1
    ranges: list[str] = []
    first = True
    while True:
        if i >= len(text):
            return None
        char = text[i]
        if char == "]" and not first:
            i += 1
            break
        first = False
        if char == "[" and text.startswith("[:", i):
            end = text.find(":]", i + 2)
            if end < 0:
                return None
            named = _POSIX_CLASSES.get(text[i + 2 : end])
            if named is None:
                return None
            ranges.append(named)
            i = end + 2
            continue
        if char == "\\":
            i += 1
            if i >= len(text):
                return None
            char = text[i]
        i += 1
        if text.startswith("-", i) and i + 1 < len(text) and text[i + 1] != "]":
            i += 1
            high = text[i]
            if high == "\\":
                i += 1
                if i >= len(text):
                    return None
                high = text[i]
            i += 1
            if char <= high:
                ranges.append(f"{re.escape(char)}-{re.escape(high)}")
        else:
            ranges.append(re.escape(char))
    if not ranges:
        return ("." if negated else "(?!)"), i
    return f"[{'^' if negated else ''}{''.join(ranges)}]", i


# --- git ---------------------------------------------------------------------


class _Checkout:
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
        common = _small_text(os.path.join(git_dir, "commondir"))
        base = os.path.join(git_dir, common.strip()) if common else git_dir
        text = _small_text(os.path.join(base, "info", "exclude"))
        if text:
            self.exclude = IgnoreRules(text)


def _small_text(path: str, limit: int = 1_000_000) -> str | None:
    """A small regular file's text; None when there is none. Never blocks on a FIFO."""
    try:
        data = _read(path, limit)
    except OSError:
        return None
    return data.decode("utf-8", "surrogateescape")


def _git_dir(directory: str) -> str | None:
    """The git directory of a work tree whose top is ``directory``, or None."""
    dot_git = os.path.join(directory, ".git")
    try:
        mode = os.stat(dot_git).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(mode):
        text = _small_text(dot_git, 4096) or ""
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
    data = _read(os.path.join(git_dir, "index"), limit)
    config = (_small_text(os.path.join(git_dir, "config")) or "").lower().replace(" ", "")
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
                _read(os.path.join(git_dir, f"sharedindex.{shared}"), limit), length
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


# --- what a file is ----------------------------------------------------------

_EXACT: dict[str, FileKind] = {
    "pyproject.toml": FileKind.PYPROJECT,
    "setup.cfg": FileKind.SETUP_CFG,
    "setup.py": FileKind.SETUP_PY,
    "pipfile": FileKind.PIPFILE,
    "pipfile.lock": FileKind.LOCK,
    "poetry.lock": FileKind.LOCK,
    "uv.lock": FileKind.LOCK,
    "pdm.lock": FileKind.LOCK,
    "pixi.lock": FileKind.LOCK,
    "pylock.toml": FileKind.LOCK,
    "conda-lock.yml": FileKind.LOCK,
    "conda-lock.yaml": FileKind.LOCK,
    ".python-version": FileKind.PYTHON_VERSION,
    "runtime.txt": FileKind.PYTHON_VERSION,
    ".tool-versions": FileKind.PYTHON_VERSION,
    ".dockerignore": FileKind.DOCKERIGNORE,
    "dockerfile": FileKind.DOCKERFILE,
    "containerfile": FileKind.DOCKERFILE,
    "compose.yaml": FileKind.COMPOSE,
    "compose.yml": FileKind.COMPOSE,
    "docker-compose.yaml": FileKind.COMPOSE,
    "docker-compose.yml": FileKind.COMPOSE,
    "compose.override.yaml": FileKind.COMPOSE,
    "compose.override.yml": FileKind.COMPOSE,
    "docker-compose.override.yaml": FileKind.COMPOSE,
    "docker-compose.override.yml": FileKind.COMPOSE,
    "procfile": FileKind.PROCFILE,
    "makefile": FileKind.MAKEFILE,
    "gnumakefile": FileKind.MAKEFILE,
    "supervisord.conf": FileKind.SUPERVISORD,
    "nginx.conf": FileKind.NGINX,
    "chart.yaml": FileKind.HELM,
    "kustomization.yaml": FileKind.KUSTOMIZATION,
    "kustomization.yml": FileKind.KUSTOMIZATION,
    "kustomization": FileKind.KUSTOMIZATION,
    ".gitlab-ci.yml": FileKind.CI,
    ".gitlab-ci.yaml": FileKind.CI,
    ".travis.yml": FileKind.CI,
    ".drone.yml": FileKind.CI,
    "azure-pipelines.yml": FileKind.CI,
    "bitbucket-pipelines.yml": FileKind.CI,
    "cloudbuild.yaml": FileKind.CI,
    "cloudbuild.yml": FileKind.CI,
    "buildspec.yml": FileKind.CI,
    "jenkinsfile": FileKind.CI,
    ".envrc": FileKind.SHELL,
}

_BY_SUFFIX: dict[str, FileKind] = {
    ".py": FileKind.PYTHON,
    ".pyi": FileKind.PYTHON,
    ".pyw": FileKind.PYTHON,
    ".ipynb": FileKind.NOTEBOOK,
    ".sh": FileKind.SHELL,
    ".bash": FileKind.SHELL,
    ".zsh": FileKind.SHELL,
    ".ksh": FileKind.SHELL,
    ".yml": FileKind.YAML,
    ".yaml": FileKind.YAML,
    ".toml": FileKind.TOML,
    ".ini": FileKind.INI,
    ".cfg": FileKind.INI,
    ".json": FileKind.JSON,
    ".mk": FileKind.MAKEFILE,
    ".service": FileKind.SYSTEMD,
}

_ARTIFACT_SUFFIXES = _words(
    ".pkl .pickle .pck .pcl .pickled .joblib .jbl .dill .cloudpickle .pt .pth .pt2 .ckpt .ptl "
    ".pte .torchscript .safetensors .onnx .ort .h5 .hdf5 .hdf .he5 .keras .pb .pbtxt .tflite "
    ".lite .gguf .ggml .npy .npz .skops .xgb .ubj .bst .lgb .cbm .mar .nemo .mlmodel .mlpackage "
    ".sav .caffemodel .pdmodel .pdparams .pdiparams .llamafile .msgpack .flax"
)
# Text that a model's loader runs: chat templates travel in it.
_TEMPLATE_CARRIERS = frozenset({"tokenizer_config.json", "chat_template.json"})
_COMPRESSION_SUFFIXES = _words(".gz .bz2 .xz .lzma .z .lz4 .zst .zip")

# Sources, documents and media: their names are believed and their content is not looked at.
_PLAIN_SUFFIXES = _words(
    ".md .rst .adoc .html .htm .css .scss .sass .less .js .jsx .mjs .cjs .ts .tsx .vue .svelte "
    ".c .h .cc .cpp .cxx .hpp .hh .cu .cuh .java .kt .kts .scala .go .rs .rb .php .pl .pm .lua "
    ".r .jl .swift .m .mm .cs .fs .vb .sql .graphql .proto .thrift .tex .bib .svg .map .lock "
    ".po .pot .cmake .gradle .groovy .clj .ex .exs .erl .hs .ml .dart .f90 .asm .s .pyx .pxd "
    ".tf .tfvars .hcl .patch .diff .png .jpg .jpeg .gif .ico .webp .bmp .tif .tiff .woff .woff2 "
    ".ttf .otf .eot .mp3 .mp4 .wav .ogg .avi .mov .mkv .flac .pdf .csv .tsv .xml .xsd .snap "
    ".pyc .pyo .j2 .jinja .jinja2 .tmpl .tpl .template .erb .mako .txt .in .log .bat .ps1 .cmd "
    ".conf .properties .editorconfig .gitignore .gitattributes .gitkeep .gitmodules .rtf .ps "
    ".eps"
)
# Suffixes after which a "Dockerfile.x" is something written about or for a Dockerfile.
_NOT_DOCKERFILE = _words(
    ".md .rst .py .js .ts .go .rb .java .json .yml .yaml .html .j2 .jinja .jinja2 .tmpl .tpl "
    ".template .erb .mako .sh .in .ipynb .toml .lock .snap .patch .diff .bak~ .png .svg"
)
_ARCHIVE_SUFFIXES = _words(
    ".zip .whl .egg .jar .war .docx .xlsx .pptx .odt .apk .gz .tgz .bz2 .xz .zst .lz4 .7z .tar "
    ".rar .deb .rpm .parquet .so .dylib .dll .exe .o .a"
)

# What Git LFS keeps is a model only under a name that says so: it keeps data, media, libraries and
# what compilers leave as well. Under these suffixes it is none, whatever the directory is called.
_DATA_SUFFIXES = _ARCHIVE_SUFFIXES | _words(
    ".feather .arrow .orc .avro .db .sqlite .sqlite3 .duckdb .rds .rda .rdata .dta .xls .doc "
    ".ppt .psd .ai .blend .fbx .obj .glb .stl .ply .las .laz .nii .dcm .mid .flv .wmv .webm"
)

_DEV_DIRECTORIES = _words(
    "test tests testing __tests__ example examples sample samples doc docs documentation "
    "notebook notebooks benchmark benchmarks tutorial tutorials e2e .devcontainer testdata "
    "test_data archive archived deprecated legacy obsolete attic"
)
# Dockerfiles and Compose files there are copied into projects, and deploy nothing where they lie.
_SCAFFOLDS = _words("template templates scaffold scaffolds boilerplate boilerplates cookiecutter")
# Whatever else such a directory is called ("deprecated files").
_PUT_ASIDE = _words("deprecated obsolete archived")
_WORDS_OF_NAMES = re.compile(r"[\s_.-]+")
_DEV_WORDS = _words(
    "dev devel develop development test tests testing local debug ci doc docs lint example "
    "sample override devcontainer jupyter notebook notebooks"
)
_DEV_BY_WORD = frozenset(
    (
        FileKind.DOCKERFILE,
        FileKind.COMPOSE,
        FileKind.REQUIREMENTS,
        FileKind.DOTENV,
        FileKind.CONDA,
    )
)

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"GGUF", "gguf"),
    (b"version https://git-lfs", "git-lfs-pointer"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x7fELF", "elf"),
    (b"PAR1", "parquet"),
    (b"CBM1", "catboost"),
    (b"{L\x00\x00", "ubjson"),
    (b"binf", "xgboost"),
    (b"lmgg", "ggml"),
    (b"fmgg", "ggml"),
    (b"tjgg", "ggml"),
)
_MODEL_CONTENT = _words(
    "pickle hdf5 npy gguf git-lfs-pointer catboost ubjson xgboost ggml tflite safetensors onnx"
)
_PICKLE_0 = re.compile(
    rb"\(?[dl]p\d+\n|c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n[()pqX}\]0NR.]|[\]}]q\x00|\(i[a-z_.]+\n"
)


# What an unpickler goes on with behind the protocol; it stops at any other byte.
_OPCODES = frozenset(
    b"(.012FIJKLMNQRSTUVXabcdeghijlopqrstu]})BCG\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c"
    b"\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98P"
)


# How many bytes opcodes take that call nothing on a stack this short; those of the registry of
# extensions, which no file fills, are among them.
_TAKES = {
    **dict.fromkeys(b"(.012NQRabdelostu]})\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98", 0),
    **dict.fromkeys(b"Khq\x82", 1),
    **dict.fromkeys(b"M\x83", 2),
    **dict.fromkeys(b"Jjr\x84", 4),
}  # fmt: skip


def is_type1_font(head: bytes) -> bool:
    """A Type 1 font (``.pfb``), whose header begins as a pickle of protocol 1 does.

    No unpickler comes past the header: it meets the last byte of the length, or one of the two
    behind it, as an opcode, and those are none.
    """
    if head[:2] != b"\x80\x01" or head[5:8] != b"\x00%!":
        return False
    if head[2] == 0x56:  # UNICODE takes the rest of the line, and the next one is a comment
        return head[head.find(b"\n") + 1 or len(head) :][:1] == b"%"
    at = 2
    while at < 5:
        if head[at] not in _OPCODES or (head[at] == 0x53 and head[at + 1] not in b"'\""):
            return True  # STRING takes what is quoted
        if head[at] not in _TAKES:
            return False
        at += 1 + _TAKES[head[at]]
    return at < 8


def sniff(head: bytes) -> str | None:
    """What a file's first bytes (64 suffice) look like; None for text and the unknown."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if len(head) < 2:
        return None
    if head[0] == 0x80 and head[1] <= 5 and (len(head) == 2 or head[2] in _OPCODES):
        return None if is_type1_font(head) else "pickle"
    if head[4:8] == b"TFL3":
        return "tflite"
    if len(head) >= 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 30:
        return "safetensors"
    if (
        head[0] == 0x08
        and 1 <= head[1] <= 32
        and len(head) > 4
        and head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)
    ):
        return "onnx"
    if head[0] == 0x78 and head[1] in (0x01, 0x5E, 0x9C, 0xDA):
        return "zlib"
    if _PICKLE_0.match(head):
        return "pickle"
    return None


def _suffix(lower: str) -> str:
    dot = lower.rfind(".")
    return lower[dot:] if dot > 0 else ""


def kind_by_name(path: str) -> FileKind | None:
    """What the path alone says; None when the content has to be asked as well."""
    slash = path.rfind("/")
    lower = path[slash + 1 :].lower()
    suffix = _suffix(lower)
    if suffix in (".yml", ".yaml"):
        parent = path[: slash + 1].lower()
        if parent.endswith((".github/workflows/", ".circleci/", ".buildkite/", ".woodpecker/")):
            return FileKind.CI
    kind = _EXACT.get(lower)
    if kind is not None:
        return kind
    if lower.endswith(".dockerignore"):
        return FileKind.DOCKERIGNORE
    if "dockerfile" in lower or "containerfile" in lower:
        if suffix in _NOT_DOCKERFILE:
            return _BY_SUFFIX.get(suffix, FileKind.TEXT)
        return None
    if suffix in (".txt", ".in", ".lock", ".pip"):
        stem = lower[: -len(suffix)]
        parent = path[:slash].rsplit("/", 1)[-1].lower() if slash > 0 else ""
        if (
            "requirement" in stem
            or stem.startswith(("constraint", "reqs"))
            or stem.endswith(("-reqs", "_reqs", "-constraints", "_constraints"))
            or (parent in ("requirements", "reqs", "requires") and suffix in (".txt", ".in"))
        ):
            return FileKind.REQUIREMENTS
        if suffix == ".txt" or suffix == ".in":
            maybe = suffix == ".txt" and _maybe_booster(lower)
            return None if maybe else FileKind.TEXT
    if suffix == ".toml" and lower.startswith("pylock."):
        return FileKind.LOCK
    if lower == ".env" or lower.startswith(".env.") or suffix == ".env":
        return FileKind.DOTENV
    if suffix == ".conf":
        if lower.startswith("supervisor"):
            return FileKind.SUPERVISORD
        if "nginx" in path.lower():
            return FileKind.NGINX
        return FileKind.INI
    if suffix in (".yml", ".yaml"):
        if _maybe_compose(lower) or _maybe_conda(lower):
            return None
        return FileKind.YAML
    if lower in _TEMPLATE_CARRIERS or model_name(lower):
        return FileKind.ARTIFACT
    if suffix == ".json" and _maybe_booster(lower):
        return None
    known = _BY_SUFFIX.get(suffix)
    if known is not None:
        return known
    return FileKind.OTHER if suffix in _PLAIN_SUFFIXES else None


def model_name(path: str) -> bool:
    """Whether a file of this name is meant as a model, compressed or not."""
    lower = path[path.rfind("/") + 1 :].lower()
    suffix = _suffix(lower)
    if suffix in _COMPRESSION_SUFFIXES:
        suffix = _suffix(lower[: -len(suffix)])
    return suffix in _ARTIFACT_SUFFIXES


_SAID = re.compile(r"model|weight|checkpoint|ckpt|ggml", re.IGNORECASE)


def _said_to_be_model(path: str, suffix: str) -> bool:
    return suffix not in _DATA_SUFFIXES and _SAID.search(path) is not None


def _maybe_compose(lower: str) -> bool:
    return "compose" in lower or "stack" in lower or "swarm" in lower


def _maybe_conda(lower: str) -> bool:
    return "env" in lower or "conda" in lower


_BOOSTER = re.compile(rb'\s*\{\s*"(?:learner|features_info|model_info)"\s*:|tree\nversion=v')


def _maybe_booster(lower: str) -> bool:
    """Boosters save themselves as JSON and text; other files of that kind are many."""
    return any(word in lower for word in ("model", "boost", "xgb", "lgb", "lightgbm", "cat"))


def kind_by_content(path: str, head: bytes) -> tuple[FileKind, str | None]:
    """What a file is whose name does not decide, from its first bytes; and what they look like."""
    lower = path[path.rfind("/") + 1 :].lower()
    suffix = _suffix(lower)
    content = sniff(head)
    if suffix in (".json", ".txt") and _maybe_booster(lower):
        if _BOOSTER.match(head):
            return FileKind.ARTIFACT, content
        return FileKind.JSON if suffix == ".json" else FileKind.TEXT, content
    if "dockerfile" in lower or "containerfile" in lower:
        if lower.startswith(("dockerfile", "containerfile")) or suffix in (
            ".dockerfile",
            ".containerfile",
        ):
            is_text = b"\0" not in head
            if (
                lower in ("dockerfile", "containerfile")
                or not is_text
                or any(
                    line.lstrip()[:5].upper().startswith((b"FROM ", b"ARG "))
                    for line in head.splitlines()
                )
            ):
                return FileKind.DOCKERFILE, content
        return FileKind.TEXT, content
    if suffix in (".yml", ".yaml"):
        lines = head.splitlines()
        if _maybe_compose(lower):
            named = "compose" in lower and lower.startswith(("docker-compose", "compose"))
            if named or any(line.startswith((b"services:", b"include:")) for line in lines):
                return FileKind.COMPOSE, content
        if _maybe_conda(lower) and any(line.startswith(b"dependencies:") for line in lines):
            return FileKind.CONDA, content
        return FileKind.YAML, content
    if head.startswith(b"#!"):
        line = head.split(b"\n", 1)[0]
        if b"python" in line:
            return FileKind.PYTHON, None
        if line.rstrip().endswith(
            (b"sh", b"bash", b"dash", b"ksh", b"sh -e", b"sh -eu", b"sh -ex")
        ):
            return FileKind.SHELL, None
    if content == "git-lfs-pointer" and not _said_to_be_model(path, suffix):
        return FileKind.OTHER, content
    if content in _MODEL_CONTENT:
        return FileKind.ARTIFACT, content
    if (
        content is not None
        and suffix not in _ARCHIVE_SUFFIXES
        and content not in ("elf", "parquet")
    ):
        return FileKind.ARTIFACT, content
    if b"\0" not in head and content is None:
        return FileKind.TEXT, None
    return FileKind.OTHER, content


def is_development(path: str, kind: FileKind) -> bool:
    """Whether the file is evidently for development: tests, examples, docs, notebooks, ``.dev``."""
    if kind is FileKind.NOTEBOOK:
        return True
    parts = path.lower().split("/")
    name = parts.pop()
    if not _DEV_DIRECTORIES.isdisjoint(parts) or any("{{" in part for part in parts):
        return True
    if kind in (FileKind.DOCKERFILE, FileKind.COMPOSE) and not _SCAFFOLDS.isdisjoint(parts):
        return True
    if any(not _PUT_ASIDE.isdisjoint(_WORDS_OF_NAMES.split(part)) for part in parts):
        return True
    if kind is FileKind.PYTHON:
        return name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"
    if kind in _DEV_BY_WORD:
        words = name.replace("-", ".").replace("_", ".").split(".")
        return not _DEV_WORDS.isdisjoint(words)
    return False


# --- the walk ----------------------------------------------------------------

# Never of interest, never worth a word.
_SILENT_DIRECTORIES = _words(
    ".git .hg .svn .bzr CVS __pycache__ .mypy_cache .ruff_cache .pytest_cache .hypothesis .tox "
    ".nox .eggs .ipynb_checkpoints .cache .idea .vscode .direnv .terraform .gradle"
)
_VENDORED_DIRECTORIES = _words(
    "node_modules site-packages dist-packages bower_components __pypackages__ jspm_packages "
    "vendor _vendor vendored third_party thirdparty"
)
# What torch.hub leaves there: OWNER_REPOSITORY_REF.
_HUB_DIRECTORIES = _words("hub cache")
_HUB_COPY = re.compile(r"[A-Za-z0-9-]+_[\w.-]+_(?:master|main|v\d[\w.]*)")


def _is_hub_copy(path: str) -> bool:
    parent, _, name = path.rpartition("/")
    return parent.rpartition("/")[2] in _HUB_DIRECTORIES and bool(_HUB_COPY.fullmatch(name))


class Repository:
    """The walked tree. Paths are POSIX, relative to the root; ``""`` and ``"."`` are the root."""

    def __init__(
        self,
        root: str,
        *,
        entries: tuple[FileEntry, ...],
        skipped: tuple[Skipped, ...],
        problems: tuple[Problem, ...],
        is_git: bool,
        directories: frozenset[str],
        links: dict[str, str],
        link_entries: tuple[FileEntry, ...],
        ignored: frozenset[str],
        pruned: frozenset[str],
        limits: Limits,
    ) -> None:
        self.root = root
        self.entries = entries
        self.skipped = skipped
        self.problems = problems
        # Whether the root lies in a git checkout, and so whether ignore files were applied.
        self.is_git = is_git
        self._by_path = {entry.path: entry for entry in (*link_entries, *entries)}
        self._directories = directories
        self._links = links
        self._ignored = ignored
        self._rules_of: dict[str, IgnoreRules | None] = {}
        self._pruned = pruned
        self._limits = limits
        self._texts: dict[str, SourceText] = {}
        self._laid_over: dict[str, bytes] = {}
        self._children: dict[str, list[str]] | None = None
        self._kinds: dict[FileKind, list[FileEntry]] = {}
        for entry in entries:
            self._kinds.setdefault(entry.kind, []).append(entry)

    def of_kind(self, *kinds: FileKind) -> tuple[FileEntry, ...]:
        """The files of these kinds, in path order."""
        if len(kinds) == 1:
            return tuple(self._kinds.get(kinds[0], ()))
        found = [entry for kind in set(kinds) for entry in self._kinds.get(kind, ())]
        return tuple(sorted(found, key=lambda entry: entry.path))

    def entry(self, path: str) -> FileEntry | None:
        """The file at that path (a link's own entry has ``link_to``), or None."""
        normal = _normal(path)
        if normal is None:
            return None
        found = self._by_path.get(normal)
        if found is None:
            real = self._resolve(normal)
            found = self._by_path.get(real) if real is not None else None
        return found

    def is_file(self, path: str) -> bool:
        """Whether it is a regular file that everyone who clones the repository has."""
        real = self._real(path)
        if real is None:
            return False
        return real in self._by_path or self._is_pruned(real, stat.S_ISREG)

    def is_dir(self, path: str) -> bool:
        real = self._real(path)
        if real is None:
            return False
        return real in self._directories or self._is_pruned(real, stat.S_ISDIR)

    def exists(self, path: str) -> bool:
        return self.is_file(path) or self.is_dir(path)

    def executable(self, path: str) -> bool:
        """Whether it is a file with an execute bit."""
        entry = self.entry(path)
        return entry is not None and entry.executable

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in that directory, sorted; empty when it is none. Pruned folders have none."""
        real = self._real(path)
        if real is None:
            return ()
        if self._children is None:
            children: dict[str, list[str]] = {}
            for name in (*self._by_path, *self._directories, *self._links):
                if name:
                    parent, _, last = name.rpartition("/")
                    children.setdefault(parent, []).append(last)
            self._children = children
        return tuple(sorted(set(self._children.get(real, ()))))

    def files_under(self, path: str) -> tuple[FileEntry, ...]:
        """Every file below that directory, in path order; links are not followed."""
        real = self._real(path)
        if real is None:
            return ()
        if not real:
            return self.entries
        prefix = real + "/"
        paths = self._sorted_paths
        start = bisect_left(paths, prefix)
        end = bisect_left(paths, real + "0", start)
        return self.entries[start:end]

    @cached_property
    def _sorted_paths(self) -> list[str]:
        return [entry.path for entry in self.entries]

    def ignored_exists(self, path: str) -> bool:
        """Whether the path exists on this disk although git ignores it (others lack it)."""
        real = self._real(path)
        if real is None:
            return False
        if real in self._ignored:
            return True
        parent = real
        while parent:
            parent = parent.rpartition("/")[0]
            if parent in self._ignored:
                return real not in self._by_path and self._lstat_inside(real) is not None
        return False

    def would_ignore(self, path: str) -> bool:
        """Whether the repository's own ``.gitignore`` files leave this path out.

        The path need not exist: a model or ``.env`` that git ignores is made or put there by
        hand, so its absence from a clone says nothing about the author's machine. A path that
        ends with ``/`` is a directory.
        """
        real = _normal(path)
        if not real or real.startswith("../"):
            return False
        rules: tuple[tuple[str, IgnoreRules], ...] = ()
        directory = ""
        names = real.split("/")
        for depth, name in enumerate(names, 1):
            own = self._ignore_rules(directory)
            if own is not None:
                rules = ((f"/{directory}".rstrip("/"), own), *rules)
            directory = f"{directory}/{name}" if directory else name
            is_dir = depth < len(names) or path.endswith("/")
            if _ignored(rules, f"/{directory}", name, is_dir):
                return True
        return False

    def holds_ignored(self, directory: str) -> bool:
        """Whether the ``.gitignore`` at the root names things inside a directory.

        Git keeps no empty directories, so one that holds nothing else is in no clone.
        """
        own = self._ignore_rules("")
        inside = _normal(directory)
        return own is not None and inside is not None and own.names_below(inside)

    def _ignore_rules(self, directory: str) -> IgnoreRules | None:
        if directory not in self._rules_of:
            path = f"{directory}/.gitignore" if directory else ".gitignore"
            text = self.read_text(path).text if self.is_file(path) else ""
            rules = IgnoreRules(text) if text else None
            self._rules_of[directory] = rules if rules else None
        return self._rules_of[directory]

    def read_text(self, path: str) -> SourceText:
        """The decoded text, read once; never raises: what failed is in ``problems``."""
        key = _normal(path) or path
        known = self._texts.get(key)
        if known is not None:
            return known
        limit = self._limits.text_bytes
        try:
            data = self.read_bytes(path, limit + 1)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
            text = SourceText(key, "", problems=(_fatal(key, message),))
        else:
            if len(data) > limit:
                message = f"is larger than {limit:,} bytes and was not read"
                text = SourceText(key, "", problems=(_fatal(key, message),))
            else:
                text = SourceText.decode(key, data)
        self._texts[key] = text
        return text

    @property
    def texts(self) -> dict[str, SourceText]:
        """Every text read so far, by path."""
        return dict(self._texts)

    def read_bytes(self, path: str, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes, or all. OSError when it cannot be read."""
        if self._laid_over:
            data = self._laid_over.get(self._real(path) or path)
            if data is not None:
                return data[:limit]
        return _read(self._absolute(path), limit)

    def lay_over(self, contents: Mapping[str, bytes]) -> None:
        """Read these files with other contents: how the repository would look after an edit."""
        for path, data in contents.items():
            real = self._real(path)
            if real is None or real not in self._by_path:
                raise FileNotFoundError(errno.ENOENT, "no such file in the repository", path)
            self._laid_over[real] = data
            self._texts.pop(real, None)

    @contextmanager
    def open_mmap(self, path: str) -> Iterator[memoryview]:
        """The file's bytes, mapped. OSError when it cannot be read."""
        descriptor = _open(self._absolute(path))
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                yield memoryview(b"")
                return
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
                view = memoryview(mapped)
                try:
                    yield view
                finally:
                    view.release()
        finally:
            os.close(descriptor)

    def _absolute(self, path: str) -> str:
        real = self._real(path)
        if real is None or not (real in self._by_path or self._is_pruned(real, stat.S_ISREG)):
            raise FileNotFoundError(errno.ENOENT, "no such file in the repository", path)
        return os.path.join(self.root, real)

    def _real(self, path: str) -> str | None:
        normal = _normal(path)
        return None if normal is None else self._resolve(normal)

    def _resolve(self, path: str) -> str | None:
        """Follow the links that the walk recorded; None for a loop or a way out of the root."""
        if not self._links or not path:
            return path
        if path in self._directories or (path in self._by_path and path not in self._links):
            return path
        for _ in range(40):
            parts = path.split("/")
            for count in range(1, len(parts) + 1):
                target = self._links.get("/".join(parts[:count]))
                if target is not None:
                    path = "/".join(filter(None, (target, *parts[count:])))
                    break
            else:
                return path
        return None

    def _is_pruned(self, path: str, test: Callable[[int], bool]) -> bool:
        """Whether it lies in a folder that exists but was not walked, and is what is asked."""
        parent = path
        while True:
            if parent in self._pruned:
                mode = self._lstat_inside(path)
                return mode is not None and test(mode)
            if not parent:
                return False
            parent = parent.rpartition("/")[0]

    def _lstat_inside(self, path: str) -> int | None:
        """The file's mode if no part of its path is a symbolic link."""
        current = self.root
        mode: int | None = None
        for part in path.split("/"):
            current = os.path.join(current, part)
            try:
                mode = os.lstat(current).st_mode
            except (OSError, ValueError):
                return None
            if stat.S_ISLNK(mode):
                return None
        return mode


def _fatal(path: str, message: str) -> Problem:
    return Problem(at=Location(path), message=message, fatal=True, beyond=True)


def _normal(path: str) -> str | None:
    """The path without ``.`` and ``..``; None for an absolute one or one that leaves the root."""
    if path.startswith("/"):
        return None
    if "." not in path and "//" not in path and not path.endswith("/"):
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def _open(path: str) -> int:
    """Open a regular file for reading; a FIFO or device never blocks and is refused."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
        )
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _read(path: str, limit: int | None = None) -> bytes:
    # O_NONBLOCK alone is not enough for devices with side effects on opening.
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    descriptor = _open(path)
    with open(descriptor, "rb", buffering=0 if limit is not None else -1) as file:
        if limit is None:
            return file.read()
        chunks: list[bytes] = []
        left = limit
        while left > 0:
            chunk = file.read(min(left, 1 << 20))
            if not chunk:
                break
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)


@record
class _Frame:
    """A directory still to be read."""

    path: str
    depth: int
    checkout: _Checkout | None
    # (base directory, rules), deepest first; consulted in this order.
    rules: tuple[tuple[str, IgnoreRules], ...]
    # Inside an ignored directory: only tracked files count.
    only_tracked: bool


class _Walk:
    def __init__(self, root: str, exclude: IgnoreRules, limits: Limits) -> None:
        self.root = root
        self.exclude = exclude
        self.limits = limits
        self.files: list[FileEntry] = []
        self.directories: set[str] = {""}
        self.skipped: list[Skipped] = []
        self.problems: list[Problem] = []
        self.links: dict[str, str] = {}
        self.raw_links: list[str] = []
        self.ignored: set[str] = set()
        self.pruned: set[str] = set()
        self.is_git = False
        self.full = False

    def run(self) -> Repository:
        stack = [self._first_frame()]
        while stack and not self.full:
            self._directory(stack.pop(), stack)
        self._resolve_links()
        self._mark_charts()
        self.files.sort(key=lambda entry: entry.path)
        by_path = {entry.path: entry for entry in self.files}
        link_entries = []
        shown = []
        for path, target in self.links.items():
            found = by_path.get(target)
            if found is None:
                continue
            kind = kind_by_name(path) or found.kind
            entry = replace(
                found, path=path, link_to=target, kind=kind, is_dev=is_development(path, kind)
            )
            link_entries.append(entry)
            if kind is not found.kind and kind is not FileKind.OTHER:
                shown.append(entry)
        entries = sorted((*self.files, *shown), key=lambda e: e.path) if shown else self.files
        return Repository(
            self.root,
            entries=tuple(entries),
            skipped=tuple(sorted(self.skipped, key=lambda s: (s.path, s.reason))),
            problems=tuple(self.problems),
            is_git=self.is_git,
            directories=frozenset(self.directories),
            links=self.links,
            link_entries=tuple(link_entries),
            ignored=frozenset(self.ignored),
            pruned=frozenset(self.pruned),
            limits=self.limits,
        )

    def _first_frame(self) -> _Frame:
        """The root, with the rules of the checkout around it, if there is one."""
        plain = _Frame("", 0, None, (), False)
        top = self.root
        inner: list[str] = []
        while True:
            git_dir = _git_dir(top)
            if git_dir is not None:
                break
            parent, name = os.path.split(top)
            if not name:
                return plain
            inner.insert(0, name)
            top = parent
        checkout = _Checkout(top, git_dir, self.limits, self.problems)
        if not checkout.usable:
            return plain
        rules: tuple[tuple[str, IgnoreRules], ...] = ()
        if checkout.exclude:
            rules = ((top, checkout.exclude),)
        directory = top
        for name in inner:
            rules = self._with_ignore_file(directory, rules)
            directory = os.path.join(directory, name)
            inside = os.path.relpath(directory, top)
            if _ignored(rules, directory, name, True) and inside not in checkout.tracked_dirs:
                # Somebody audits a folder that the checkout around it does not want.
                return plain
        self.is_git = True
        return _Frame("", 0, checkout, rules, False)

    def _with_ignore_file(
        self, directory: str, rules: tuple[tuple[str, IgnoreRules], ...]
    ) -> tuple[tuple[str, IgnoreRules], ...]:
        text = _small_text(os.path.join(directory, ".gitignore"))
        if text:
            own = IgnoreRules(text)
            if own:
                return ((directory, own), *rules)
        return rules

    def _directory(self, frame: _Frame, stack: list[_Frame]) -> None:
        here = os.path.join(self.root, frame.path) if frame.path else self.root
        try:
            with os.scandir(here) as scan:
                items = list(scan)
        except OSError as error:
            self.skipped.append(
                Skipped(path=frame.path or ".", reason=f"cannot be listed: {error.strerror}")
            )
            return
        names = {item.name for item in items}
        if frame.path:
            reason = _environment(names, here)
            if reason:
                self._prune(frame.path, reason)
                return
        checkout, rules, only_tracked = frame.checkout, frame.rules, frame.only_tracked
        if frame.path and ".git" in names:
            git_dir = _git_dir(here)
            if git_dir is not None:
                nested = _Checkout(here, git_dir, self.limits, self.problems)
                if nested.usable:
                    checkout, only_tracked = nested, False
                    rules = ((here, nested.exclude),) if nested.exclude else ()
        if checkout is not None and ".gitignore" in names:
            rules = self._with_ignore_file(here, rules)
        # Tracked paths are relative to the checkout's top.
        prefix = ""
        if checkout is not None and here != checkout.top:
            prefix = here[len(checkout.top.rstrip("/")) + 1 :] + "/"
        base = frame.path + "/" if frame.path else ""
        absolute = here if here.endswith("/") else here + "/"
        exclude = self.exclude if self.exclude else None
        for item in items:
            name = item.name
            path = base + name
            try:
                is_dir = item.is_dir(follow_symlinks=False)
            except OSError:
                is_dir = False
            if name == ".git" or (is_dir and name in _SILENT_DIRECTORIES):
                continue
            ignored = only_tracked
            if rules and not ignored:
                ignored = _ignored(rules, absolute + name, name, is_dir)
            if ignored and checkout is not None:
                inside = prefix + name
                if is_dir:
                    if inside not in checkout.tracked_dirs and inside not in checkout.tracked:
                        self.ignored.add(path)
                        continue
                elif inside in checkout.tracked:
                    ignored = False
                else:
                    self.ignored.add(path)
                    continue
            if exclude is not None and exclude.decide(path, name, is_dir):
                self._prune(path, "excluded by the configuration")
                continue
            if is_dir:
                if name in _VENDORED_DIRECTORIES or _is_hub_copy(path):
                    self._prune(path, "vendored code")
                elif frame.depth >= self.limits.depth:
                    self._prune(path, f"deeper than {self.limits.depth} folders")
                else:
                    self.directories.add(path)
                    stack.append(_Frame(path, frame.depth + 1, checkout, rules, ignored))
                continue
            self._file(item, path, absolute + name)
            if self.full:
                return

    def _prune(self, path: str, reason: str) -> None:
        self.directories.discard(path)
        self.pruned.add(path)
        self.skipped.append(Skipped(path=path, reason=reason))

    def _file(self, item: os.DirEntry[str], path: str, absolute: str) -> None:
        try:
            if item.is_symlink():
                self.raw_links.append(path)
                return
            status = item.stat(follow_symlinks=False)
        except OSError as error:
            self.skipped.append(Skipped(path=path, reason=f"cannot be read: {error.strerror}"))
            return
        if not stat.S_ISREG(status.st_mode):
            self.skipped.append(Skipped(path=path, reason="not a regular file"))
            return
        if len(self.files) >= self.limits.files:
            self.full = True
            self.skipped.append(
                Skipped(
                    path=".", reason=f"more than {self.limits.files:,} files; the rest was left"
                )
            )
            return
        kind = kind_by_name(path)
        content: str | None = None
        if kind is None or kind is FileKind.ARTIFACT:
            # A variant's first instruction or key may stand below a long header comment.
            size = 8192 if kind is None else 64
            try:
                head = _head(absolute, size) if status.st_size else b""
            except OSError as error:
                self.skipped.append(Skipped(path=path, reason=f"cannot be read: {error.strerror}"))
                head = b""
            if kind is None:
                kind, content = kind_by_content(path, head)
            else:
                content = sniff(head)
        self.files.append(
            FileEntry(
                path=path,
                size=status.st_size,
                kind=kind,
                executable=bool(status.st_mode & 0o111),
                is_dev=is_development(path, kind),
                content=content,
            )
        )

    def _resolve_links(self) -> None:
        real_root = os.path.realpath(self.root)
        for path in self.raw_links:
            try:
                real = os.path.realpath(os.path.join(self.root, path), strict=True)
            except (OSError, ValueError, RuntimeError):
                reason = "symbolic link that leads nowhere"
                self.skipped.append(Skipped(path=path, reason=reason))
                continue
            if real == real_root:
                target = ""
            elif real.startswith(real_root.rstrip("/") + "/"):
                target = real[len(real_root.rstrip("/")) + 1 :]
            else:
                reason = "symbolic link out of the root"
                self.skipped.append(Skipped(path=path, reason=reason))
                continue
            self.links[path] = target
            reason = f"symbolic link to {target or '.'}, which is audited there"
            self.skipped.append(Skipped(path=path, reason=reason))

    def _mark_charts(self) -> None:
        """YAML beside or below a Chart.yaml is a template or values of that chart."""
        charts = {
            entry.path.rpartition("/")[0] for entry in self.files if entry.kind is FileKind.HELM
        }
        if not charts:
            return
        for index, entry in enumerate(self.files):
            if entry.kind is not FileKind.YAML:
                continue
            parent = entry.path
            while parent:
                parent = parent.rpartition("/")[0]
                if parent in charts:
                    self.files[index] = replace(entry, kind=FileKind.HELM)
                    break


def _ignored(
    rules: tuple[tuple[str, IgnoreRules], ...], absolute: str, name: str, is_dir: bool
) -> bool:
    for base, patterns in rules:
        relative = absolute[len(base.rstrip("/")) + 1 :]
        decision = patterns.decide(relative, name, is_dir)
        if decision is not None:
            return decision
    return False


def _environment(names: set[str], here: str) -> str | None:
    if "pyvenv.cfg" in names:
        return "virtual environment"
    if "conda-meta" in names and os.path.isdir(os.path.join(here, "conda-meta")):
        return "conda environment"
    # virtualenv before version 20 wrote no pyvenv.cfg.
    if "bin" in names and "lib" in names and os.path.isfile(os.path.join(here, "bin/activate")):
        return "virtual environment"
    return None


def _head(path: str, size: int) -> bytes:
    descriptor = _open(path)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def discover(root: str, *, exclude: Sequence[str] = (), limits: Limits | None = None) -> Repository:
    """Walk ``root``; ``exclude`` holds globs with gitignore semantics, relative to the root.

    Raises NotADirectoryError or FileNotFoundError when the root itself cannot be walked.
    """
    root = os.path.abspath(root)
    if not stat.S_ISDIR(os.stat(root).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
    return _Walk(root, IgnoreRules("\n".join(exclude)), limits or Limits()).run()
