"""What a file is, by its name and its first bytes."""

from __future__ import annotations

from auditor import lazy_re as re
from auditor.discovery.entries import FileKind, words_of

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

_ARTIFACT_SUFFIXES = words_of(
    ".pkl .pickle .pck .pcl .pickled .joblib .jbl .dill .cloudpickle .pt .pth .pt2 .ckpt .ptl "
    ".pte .torchscript .safetensors .onnx .ort .h5 .hdf5 .hdf .he5 .keras .pb .pbtxt .tflite "
    ".lite .gguf .ggml .npy .npz .skops .xgb .ubj .bst .lgb .cbm .mar .nemo .mlmodel .mlpackage "
    ".sav .caffemodel .pdmodel .pdparams .pdiparams .llamafile .msgpack .flax"
)
# Text that a model's loader runs: chat templates travel in it.
_TEMPLATE_CARRIERS = frozenset({"tokenizer_config.json", "chat_template.json"})
_COMPRESSION_SUFFIXES = words_of(".gz .bz2 .xz .lzma .z .lz4 .zst .zip")

# Sources, documents and media: their names are believed and their content is not looked at.
_PLAIN_SUFFIXES = words_of(
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
_NOT_DOCKERFILE = words_of(
    ".md .rst .py .js .ts .go .rb .java .json .yml .yaml .html .j2 .jinja .jinja2 .tmpl .tpl "
    ".template .erb .mako .sh .in .ipynb .toml .lock .snap .patch .diff .bak~ .png .svg"
)
_ARCHIVE_SUFFIXES = words_of(
    ".zip .whl .egg .jar .war .docx .xlsx .pptx .odt .apk .gz .tgz .bz2 .xz .zst .lz4 .7z .tar "
    ".rar .deb .rpm .parquet .so .dylib .dll .exe .o .a"
)

# What Git LFS keeps is a model only under a name that says so: it keeps data, media, libraries and
# what compilers leave as well. Under these suffixes it is none, whatever the directory is called.
_DATA_SUFFIXES = _ARCHIVE_SUFFIXES | words_of(
    ".feather .arrow .orc .avro .db .sqlite .sqlite3 .duckdb .rds .rda .rdata .dta .xls .doc "
    ".ppt .psd .ai .blend .fbx .obj .glb .stl .ply .las .laz .nii .dcm .mid .flv .wmv .webm"
)

_DEV_DIRECTORIES = words_of(
    "test tests testing __tests__ example examples sample samples doc docs documentation "
    "notebook notebooks benchmark benchmarks tutorial tutorials e2e .devcontainer testdata "
    "test_data archive archived deprecated legacy obsolete attic"
)
# Dockerfiles and Compose files there are copied into projects, and deploy nothing where they lie.
_SCAFFOLDS = words_of("template templates scaffold scaffolds boilerplate boilerplates cookiecutter")
# Whatever else such a directory is called ("deprecated files").
_PUT_ASIDE = words_of("deprecated obsolete archived")
_WORDS_OF_NAMES = re.compile(r"[\s_.-]+")
_DEV_WORDS = words_of(
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
_MODEL_CONTENT = words_of(
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
