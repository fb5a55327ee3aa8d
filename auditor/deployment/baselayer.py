"""What the images that Dockerfiles start from hold, as far as their names tell."""

from __future__ import annotations

from auditor.deployment.filesystem import Absent, BaseSource, Lookup, Present, Undetermined, within
from auditor.source import Location, Unknown
from auditor.values import value

_SYSTEM_DIRS = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root",
    "/run", "/sbin", "/sys", "/usr", "/var",
)  # fmt: skip
# There, and empty, in the images of distributions.
_EMPTY_DIRS = ("/home", "/media", "/mnt", "/opt", "/srv", "/tmp")

_APPLICATION_DIRS = ("/usr/src", "/usr/app", "/var/app")

_DEBIAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@value
class _KnownBase:
    """What an official image sets. ``env`` is complete unless ``more_env`` names start it."""

    user: str = "root"
    workdir: str = "/"
    env: tuple[tuple[str, str], ...] = (("PATH", _DEBIAN_PATH),)
    more_env: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


_PYTHON = _KnownBase(
    env=(("PATH", "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),),
    more_env=("PYTHON_", "GPG_KEY", "LANG"),
)
_PLAIN = _KnownBase()
_CONDA = _KnownBase(
    env=(("PATH", f"/opt/conda/bin:{_DEBIAN_PATH}"),),
    more_env=("LANG", "LC_ALL"),
    opaque=("/opt",),
)
_KNOWN_BASES: dict[str, _KnownBase] = {
    "python": _PYTHON,
    "debian": _PLAIN,
    "ubuntu": _PLAIN,
    "alpine": _PLAIN,
    "busybox": _PLAIN,
    "buildpack-deps": _PLAIN,
    "fedora": _PLAIN,
    "rockylinux": _PLAIN,
    "almalinux": _PLAIN,
    "centos": _PLAIN,
    "amazonlinux": _PLAIN,
    "bitnami/minideb": _PLAIN,
    "nvidia/cuda": _KnownBase(env=(), more_env=("",), opaque=("/opt", "/cuda")),
    "node": _KnownBase(more_env=("NODE_VERSION", "YARN_VERSION"), opaque=("/home", "/opt")),
    "continuumio/miniconda3": _CONDA,
    "continuumio/anaconda3": _CONDA,
    "condaforge/miniforge3": _CONDA,
    "condaforge/mambaforge": _CONDA,
    # github.com/mamba-org/micromamba-docker: its entry point activates the base environment.
    "mambaorg/micromamba": _KnownBase(
        user="mambauser",
        workdir="/tmp",
        env=(
            *_CONDA.env,
            ("MAMBA_ROOT_PREFIX", "/opt/conda"),
            ("MAMBA_USER", "mambauser"),
            ("MAMBA_EXE", "/bin/micromamba"),
            ("ENV_NAME", "base"),
        ),
        more_env=("LANG", "LC_ALL", "MAMBA_", "CONDA_"),
        opaque=("/opt", "/home"),
    ),
    "pytorch/pytorch": _KnownBase(
        workdir="/workspace", env=(), more_env=("",), opaque=("/opt", "/workspace")
    ),
    "pytorch/torchserve": _KnownBase(
        user="model-server",
        workdir="/home/model-server",
        env=(),
        more_env=("",),
        opaque=("/home", "/opt"),
    ),
    "seldonio/mlserver": _KnownBase(
        user="1000",
        workdir="/opt/mlserver",
        env=(("MLSERVER_MODELS_DIR", "/mnt/models"),),
        more_env=("",),
        opaque=("/opt", "/mnt"),
    ),
    "nvidia/tritonserver": _KnownBase(
        workdir="/opt/tritonserver", env=(), more_env=("",), opaque=("/opt", "/workspace")
    ),
    "tensorflow/serving": _KnownBase(
        env=(("MODEL_BASE_PATH", "/models"), ("MODEL_NAME", "model")),
        more_env=("",),
    ),
    "tensorflow/tensorflow": _KnownBase(env=(), more_env=("",), opaque=("/tf",)),
    "golang": _KnownBase(workdir="/go", env=(), more_env=("",), opaque=("/go",)),
    "openjdk": _KnownBase(env=(), more_env=("",), opaque=("/opt",)),
    "eclipse-temurin": _KnownBase(env=(), more_env=("",), opaque=("/opt",)),
}
_WINDOWS = ("windowsservercore", "nanoserver")  # in tags of official images
_LIBRARY_PREFIXES = (
    "docker.io/library/",
    "docker.io/",
    "index.docker.io/library/",
    "registry.hub.docker.com/library/",
    "public.ecr.aws/docker/library/",
    "mirror.gcr.io/library/",
    "nvcr.io/",
    "library/",
)


def repository(reference: str) -> str:
    """The repository of an image reference, without registry prefixes of the official images."""
    name = reference.split("@", 1)[0]
    head, slash, tail = name.rpartition("/")
    name = f"{head}{slash}{tail.split(':', 1)[0]}"
    for prefix in _LIBRARY_PREFIXES:
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


class BaseLayer:
    """What is known of the image that a lineage starts from."""

    def __init__(self, reference: str | Unknown, at: Location) -> None:
        self.at = at
        self.scratch = reference == "scratch"
        self.name = reference if isinstance(reference, str) else "the base image"
        known = None
        if isinstance(reference, str) and not any(word in reference for word in _WINDOWS):
            known = _KNOWN_BASES.get(repository(reference))
        self.known = known
        self.opaque = (*_SYSTEM_DIRS, *(known.opaque if known else ("/",)))

    def lookup(self, path: str) -> Lookup:
        if self.scratch:
            return Absent(path=path)
        if self.known is None:
            reason = f"{self.name} may contain it"
            return Undetermined(path=path, reason=reason, at=self.at)
        if path in _EMPTY_DIRS or path in ("/etc", "/root", "/run", "/usr", "/var", "/bin"):
            source = BaseSource(image=self.name)
            return Present(path=path, kind="directory", source=source, at=self.at)
        if self._may_hold(path):
            reason = f"{self.name} may contain it"
            return Undetermined(path=path, reason=reason, at=self.at)
        return Absent(path=path)

    def names(self, path: str) -> tuple[tuple[str, ...], bool]:
        """Known names in a directory, and whether there are no others."""
        if self.scratch:
            return (), True
        if self.known is None:
            return (), False
        if path == "/":
            return tuple(name[1:] for name in (*_SYSTEM_DIRS[:2], *_EMPTY_DIRS)), False
        return (), not self._may_hold(path)

    def _may_hold(self, path: str) -> bool:
        if not any(within(path, root) for root in self.opaque):
            return False
        # Customary places for applications, which no distribution fills.
        if any(within(path, root) for root in _APPLICATION_DIRS):
            return self.known is None or "onbuild" in self.name
        return not (path.startswith("/root/") and path[6] != ".")

    def unset(self, name: str) -> Unknown | None:
        """The value of a variable that the Dockerfile does not set (None: not set)."""
        if self.scratch:
            return None
        if self.known and not any(name.startswith(prefix) for prefix in self.known.more_env):
            return None
        return Unknown(f"{self.name} may set {name}")
