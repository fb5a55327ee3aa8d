"""What the official images of model servers start by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from auditor import lazy_re as re
from auditor.catalog import knowledge
from auditor.deployment.baselayer import repository
from auditor.deployment.model import Value
from auditor.source import SourceText
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.deployment.model import BuiltImage
    from auditor.source import Location

Env = Mapping[str, Value | None]

# Images whose entrypoint script makes a command line of variables.
_SCRIPTED = frozenset({"tensorflow/serving", "pytorch/torchserve", "seldonio/mlserver"})
_REFERENCE = re.compile(r"[\w.:/@-]+")


def _row(reference: str) -> Mapping[str, Any] | None:
    table: Mapping[str, Mapping[str, Any]] = knowledge("images.toml")
    row = table.get(repository(reference))
    if row is not None and "tag" in row:
        tag = reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
        return row if row["tag"] in re.split(r"[^a-z]+", tag) else None
    return row


def is_known(reference: str) -> bool:
    """Whether it is the image of a model server whose command line is known."""
    return repository(reference) in _SCRIPTED or _row(reference) is not None


def variables(reference: str) -> Mapping[str, str]:
    """The variables that the image sets and its server reads."""
    row = _row(reference)
    found: Mapping[str, str] = row.get("env", {}) if row is not None else {}
    return found


def command(reference: str, env: Env, words: list[str]) -> list[str]:
    """The command line of a container of that image that is given ``words``; they alone for others.

    From the images' own Dockerfiles and entrypoint scripts (``tools/make_image_table.py``).
    """
    name = repository(reference)
    if name == "tensorflow/serving":
        model, base = env.get("MODEL_NAME", "model"), env.get("MODEL_BASE_PATH", "/models")
        if not isinstance(model, str) or not isinstance(base, str):
            return words
        return [
            "tensorflow_model_server",
            f"--port={env.get('GRPC_PORT') or 8500}",
            f"--rest_api_port={env.get('PORT') or 8501}",
            f"--model_name={model}",
            f"--model_base_path={base}/{model}",
            *words,
        ]
    if name == "pytorch/torchserve" and words in ([], ["serve"]):
        settings = "/home/model-server/config.properties"
        return ["torchserve", "--start", "--foreground", "--ts-config", settings]
    if name == "seldonio/mlserver" and not words:
        folder = env.get("MLSERVER_MODELS_DIR", "/mnt/models")
        return ["mlserver", "start", folder] if isinstance(folder, str) else words
    row = _row(reference)
    if row is None:
        return words
    return [*row.get("entrypoint", ()), *(words or row.get("cmd", ()))]


def pulled(facts: Facts, reference: Value, at: Location) -> BuiltImage | None:
    """The image of a model server that is pulled, not built; None for every other."""
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        return None
    if not is_known(reference):
        return None
    from auditor.deployment import images
    from auditor.parsers import dockerfile

    key = f"{at.path}:{at.line}:{at.column}"
    if key not in facts.standins:
        facts.standins[key] = dockerfile.parse(
            SourceText(at.path, "\n" * (at.line - 1) + f"FROM {reference}\n")
        )
    image = images.build(facts, dockerfile=key, context="")
    return replace(image, pulled=True, environment=None) if image is not None else None
