"""Write ``rules/knowledge/images.toml``: what the official images of model servers start.

    python tools/make_image_table.py FOLDER > rules/knowledge/images.toml
    python tools/compile_tables.py

``FOLDER`` holds, as ``OWNER/NAME/PATH``, the Dockerfiles and entrypoint scripts named below, as
their makers publish them; what is not there keeps the row that the table has. An entrypoint
script stands for the program that its last ``exec`` runs.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from auditor.catalog import knowledge  # noqa: E402
from auditor.deployment import images  # noqa: E402
from auditor.deployment.facts import Facts  # noqa: E402
from auditor.discovery import discover  # noqa: E402

# image: (Dockerfile, stage or "" for the last, entrypoint script).
IMAGES = {
    "vllm/vllm-openai": ("vllm-project/vllm/docker/Dockerfile", "vllm-openai", ""),
    "ghcr.io/huggingface/text-generation-inference": (
        "huggingface/text-generation-inference/Dockerfile",
        "",
        "huggingface/text-generation-inference/tgi-entrypoint.sh",
    ),
    "ghcr.io/huggingface/text-embeddings-inference": (
        "huggingface/text-embeddings-inference/Dockerfile",
        "http",
        "",
    ),
    "ollama/ollama": ("ollama/ollama/Dockerfile", "", ""),
    "ghcr.io/berriai/litellm": ("BerriAI/litellm/Dockerfile", "", ""),
    "ghcr.io/ggml-org/llama.cpp": ("ggml-org/llama.cpp/.devops/cpu.Dockerfile", "server", ""),
}
# Where an image was before, and mirrors of it.
ALSO = {
    "ghcr.io/ggerganov/llama.cpp": "ghcr.io/ggml-org/llama.cpp",
    "ghcr.io/berriai/litellm-database": "ghcr.io/berriai/litellm",
    "litellm/litellm": "ghcr.io/berriai/litellm",
}
# Images of several programs, of which only these tags start the server.
TAGS = {"ghcr.io/ggml-org/llama.cpp": "server", "ghcr.io/ggerganov/llama.cpp": "server"}
# Images whose entrypoint only prepares and then runs the command that it is given.
PASSING = {
    "nvidia/tritonserver": 'nvidia_entrypoint.sh of NVIDIA\'s images ends in `exec "$@"`',
    "lmsysorg/sglang": 'based on NVIDIA\'s CUDA images, whose entrypoint ends in `exec "$@"`',
    "ghcr.io/mlflow/mlflow": "docker/Dockerfile of mlflow/mlflow has no ENTRYPOINT",
}


def read(facts: Facts, image: str) -> dict[str, Any] | None:
    """The row of one image; None when its Dockerfile is not in the folder."""
    path, stage, script = IMAGES[image]
    built = images.build(facts, dockerfile=path, context="", target=stage or None)
    if built is None:
        return None
    own = built.image
    asked = {name for row in knowledge("servers.toml").values() for name in row.get("env", ())}
    row: dict[str, Any] = {
        "entrypoint": list(own.entrypoint.argv or ()) if own.entrypoint else [],
        "cmd": list(own.cmd.argv or ()) if own.cmd else [],
        "env": {v.name: v.value for v in own.env if v.name in asked},
    }
    if script:
        text = facts.read(script)
        if text is None:
            return None
        lines = [line.strip() for line in text.text.splitlines()]
        last = next(line for line in reversed(lines) if line.startswith("exec "))
        row["entrypoint"] = [w for w in shlex.split(last)[1:] if w not in ("$@", "${@}")]
    owner, name, rest = path.split("/", 2)
    return {**row, "source": f"{rest} of {owner}/{name}"}


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Print the table, sorted by image."""
    print("# Written by tools/make_image_table.py; edit that, not this.")
    for image, row in sorted(rows.items()):
        print(f"\n[{json.dumps(image)}]")
        for key in ("tag", "entrypoint", "cmd", "source"):
            if row.get(key):
                print(f"{key} = {json.dumps(row[key])}")
        if row.get("env"):
            pairs = ", ".join(f"{k} = {json.dumps(v)}" for k, v in row["env"].items())
            print(f"env = {{ {pairs} }}")


def main() -> None:
    """Read the folder and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    facts = Facts(discover(str(parser.parse_args().folder)))
    before = knowledge("images.toml")
    rows = {image: read(facts, image) or before[image] for image in IMAGES}
    rows |= {image: rows[own] for image, own in ALSO.items()}
    rows |= {image: {"source": source} for image, source in PASSING.items()}
    write({i: {**row, "tag": TAGS[i]} if i in TAGS else row for i, row in rows.items()})


if __name__ == "__main__":
    main()
