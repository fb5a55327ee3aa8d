"""Execution providers of onnxruntime: what code asks for against what is installed and underneath.

All distributions of the runtime are imported as ``onnxruntime``. What they do without their device's
libraries was tried with the real packages: sessions are made all the same and run on the CPU, but
for two cases that raise (``UNKNOWN_RAISES``, ``EXPLICIT``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.base import Base
    from auditor.deployment.model import BuiltImage
    from auditor.linking.distributions import Installed
    from auditor.parsers.python.exports import Session

CPU = "CPUExecutionProvider"
# Which distributions bring an execution provider; all of them are importable as onnxruntime.
PROVIDERS = {
    "CUDAExecutionProvider": ("onnxruntime-gpu",),
    "TensorrtExecutionProvider": ("onnxruntime-gpu",),
    "NvTensorRTRTXExecutionProvider": ("onnxruntime-trt-rtx",),
    "ROCMExecutionProvider": ("onnxruntime-rocm", "onnxruntime-training"),
    "MIGraphXExecutionProvider": ("onnxruntime-rocm", "onnxruntime-migraphx"),
    "OpenVINOExecutionProvider": ("onnxruntime-openvino",),
    "DmlExecutionProvider": ("onnxruntime-directml",),
    "QNNExecutionProvider": ("onnxruntime-qnn",),
    "CANNExecutionProvider": ("onnxruntime-cann",),
    # On macOS only; no package has it on Linux.
    "CoreMLExecutionProvider": ("onnxruntime-coreml", "onnxruntime-silicon"),
}
DISTRIBUTIONS = ("onnxruntime", *dict.fromkeys(d for ds in PROVIDERS.values() for d in ds))
# Releases in which a name that the runtime has never heard of raises; later ones go on with the CPU.
UNKNOWN_RAISES = (1, 15)
# Releases in which a distribution with several providers refuses a session that names none.
EXPLICIT = ((1, 10), (1, 16))


@value
class Cuda:
    """Major versions of what a CUDA provider is linked to, or what a base image brings.

    ``math``: cuBLAS and cuFFT. None: not linked to it, or not there.
    """

    runtime: int | None
    math: bool = False
    cudnn: int | None = None


@value
class Trouble:
    """What comes of a session. ``raises`` is the error, empty where it runs on the CPU instead."""

    message: str
    help: str
    raises: str = ""
    distribution: str = "onnxruntime"
    quiet: bool = False


def judge(session: Session, installed: Installed, image: BuiltImage | None) -> Trouble | None:
    """What is wrong with the providers of a session there; None when nothing is known to be."""
    here = [name for name in DISTRIBUTIONS if installed.has(name)]
    if len(here) != 1:
        # None: something else brings it. Several: the last one installed wins, which ENV017 reports.
        return None
    name = here[0]
    version = _numbers(installed.version(name))
    if session.providers is None:
        return _silent(name, version) if session.silent else None
    unheard = [p for p in session.providers if p not in _heard_of(version)]
    if unheard and version and version >= (1, 9):
        if version < UNKNOWN_RAISES:
            return Trouble(
                message=f"asks for {unheard[0]}, a name that {name} {_text(version)} does not know",
                help="Correct the name.",
                raises=f"RuntimeError: Unknown Provider Type: {unheard[0]}",
                distribution=name,
            )
        return Trouble(
            message=f"asks for {unheard[0]}, a name that onnxruntime does not know: the model runs"
            " on the CPU",
            help="Correct the name.",
            distribution=name,
        )
    wanted = [p for p in session.providers if p in PROVIDERS]
    lacking = [p for p in wanted if name not in PROVIDERS[p]]
    if lacking and len(lacking) == len(wanted):
        shown = ", ".join(lacking[:3])
        return Trouble(
            message=f"asks for {shown}, which the package {name} does not have: the model runs on"
            " the CPU",
            help=f"Install {PROVIDERS[lacking[0]][0]} instead of {name}, or ask for"
            " CPUExecutionProvider only.",
            distribution=name,
        )
    if name == "onnxruntime-gpu" and "CUDAExecutionProvider" in wanted:
        return _underneath(version, installed, image)
    return None


def _silent(name: str, version: tuple[int, ...] | None) -> Trouble | None:
    if name == "onnxruntime" or not version or version < EXPLICIT[0]:
        return None
    if version < EXPLICIT[1]:
        return Trouble(
            message=f"names no execution provider, which {name} {_text(version)} insists on",
            help="Give `providers=[…]`, first choice first.",
            raises="ValueError: This ORT build has … enabled. Since ORT 1.9, you are required to"
            " explicitly set the providers parameter",
            distribution=name,
        )
    return Trouble(
        message=f"names no execution provider: {name} runs the model on the CPU then",
        help="Give `providers=[…]`, first choice first, or install onnxruntime.",
        distribution=name,
        quiet=True,
    )


def _underneath(
    version: tuple[int, ...] | None, installed: Installed, image: BuiltImage | None
) -> Trouble | None:
    """The CUDA libraries that the package needs and that neither image nor packages bring."""
    base = image.base if image is not None else None
    if version is None or image is None or base is None or image.base_is_local:
        return None
    built = _built(version)
    if built is None or _brought(installed, image):
        return None
    found = libraries(base)
    if found is None:
        return None
    if found.runtime is None:
        lack = f"which {base.text} does not have"
    elif found.runtime != built.runtime:
        lack = f"and {base.text} has CUDA {found.runtime}"
    elif built.math and not found.math:
        lack = f"and {base.text} has no cuBLAS"
    elif built.cudnn is not None and found.cudnn != built.cudnn:
        lack = f"and {base.text} has {f'cuDNN {found.cudnn}' if found.cudnn else 'no cuDNN'}"
    else:
        return None
    needed = f"CUDA {built.runtime}" + (f" and cuDNN {built.cudnn}" if built.cudnn else "")
    tag = "…-cudnn-runtime-…" if built.cudnn else "…-runtime-…"
    return Trouble(
        message=f"asks for CUDAExecutionProvider: onnxruntime-gpu {_text(version)} is linked to"
        f" {needed}, {lack}: the model runs on the CPU",
        help=f"Start from an nvidia/cuda image of {needed} (`{tag}`), or pin the onnxruntime-gpu that"
        " fits the base.",
        distribution="onnxruntime-gpu",
    )


@lru_cache(maxsize=64)
def _built(version: tuple[int, ...]) -> Cuda | None:
    """What the wheel of a release is linked to, by the libraries named in the wheels on the index."""
    from auditor.catalog import knowledge

    table: dict[str, dict[str, int]] = knowledge("onnx_engines.json.gz")["cuda"]
    rows = sorted((_numbers(release) or (), linked) for release, linked in table.items())
    fitting = [linked for release, linked in rows if release[:2] <= version[:2]]
    if not fitting:
        return None
    linked = fitting[-1]
    return Cuda(runtime=linked["cudart"], math="cublas" in linked, cudnn=linked.get("cudnn"))


def libraries(base: Base) -> Cuda | None:
    """What of CUDA a base image brings; None when not known."""
    name = base.reference.repository.rpartition("/")[2]
    tag = base.reference.tag or ""
    if name == "cuda" and "nvidia" in base.reference.repository:
        number, _, rest = tag.partition("-")
        major = number.partition(".")[0]
        if not major.isdigit():
            return None
        parts = rest.split("-")
        # The flavour `base` has the runtime library alone: no cuBLAS, no cuFFT.
        if "base" in parts:
            return Cuda(runtime=int(major))
        cudnn = next((p for p in parts if p.startswith("cudnn")), None)
        if cudnn is None:
            return Cuda(runtime=int(major), math=True)
        digits = cudnn.removeprefix("cudnn")
        # From 12.4.1 on the tag does not say which: it is 9.
        return Cuda(runtime=int(major), math=True, cudnn=int(digits) if digits.isdigit() else 9)
    if base.official_python or base.flavour in ("debian", "slim", "alpine"):
        return Cuda(runtime=None)
    if base.distro in ("debian", "ubuntu", "alpine") and name in ("debian", "ubuntu", "alpine"):
        return Cuda(runtime=None)
    return None


# Distributions that bring CUDA's libraries with them.
_BRINGERS = ("nvidia-", "torch", "tensorflow", "cupy", "jax")


def _brought(installed: Installed, image: BuiltImage) -> bool:
    """Something else may bring the libraries: packages of pip, apt or conda, or unread steps."""
    if any(name.startswith(_BRINGERS) for name in (*installed.distributions, *installed.unknown)):
        return True
    # What the base itself brings is what its tag is asked for.
    of_base = image.base is not None and image.base.text in installed.reason
    if image.opaque_system or not (installed.complete or of_base):
        return True
    return any("cud" in p.name or "nvidia" in p.name for p in image.system_packages)


@lru_cache(maxsize=64)
def _heard_of(version: tuple[int, ...] | None) -> frozenset[str]:
    """Names that the release knows, whether it was built with them or not."""
    from auditor.catalog import knowledge

    table: dict[str, Any] = knowledge("onnx_engines.json.gz")["providers"]
    releases = sorted((_numbers(r) or (), r) for r in table)
    if version is None:
        return frozenset(name for names in table.values() for name in names)
    fitting = [r for number, r in releases if number[:2] <= version[:2]]
    found = frozenset(table[fitting[-1]] if fitting else ())
    # A name that was dropped or came later is not a misspelt one.
    return found if version < UNKNOWN_RAISES else found | _heard_of(None)


def _numbers(version: str | None) -> tuple[int, ...] | None:
    if not version:
        return None
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts) or None


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
