"""Builds that are configured: GitHub Actions, Bake files, Skaffold."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.parsers import imagebuilds
from auditor.source import SourceText

WORKFLOW = """\
env:
  REGISTRY: ghcr.io
jobs:
  build:
    env: {IMAGE: "${{ env.REGISTRY }}/team/api"}
    strategy:
      matrix:
        include:
          - {name: api, folder: services/api}
          - {name: train, folder: services/train}
    steps:
      - id: meta
        uses: docker/metadata-action@v5
        with: {images: "ghcr.io/team/${{ matrix.name }}"}
      - uses: docker/build-push-action@v6
        with:
          context: ${{ matrix.folder }}
          file: ${{ matrix.folder }}/Dockerfile.prod
          tags: ${{ steps.meta.outputs.tags }}
      - uses: docker/build-push-action@v6
        with:
          tags: |
            ${{ env.IMAGE }}:${{ github.sha }}
            ${{ env.IMAGE }}:latest
"""


def test_workflow_steps() -> None:
    found = list(imagebuilds.workflow(SourceText(".github/workflows/a.yml", WORKFLOW)))
    assert [(b.context, b.dockerfile, b.tags) for b in found] == [
        ("services/api", "services/api/Dockerfile.prod", ("ghcr.io/team/api",)),
        (".", None, ("ghcr.io/team/api:$X", "ghcr.io/team/api:latest")),
        ("services/train", "services/train/Dockerfile.prod", ("ghcr.io/team/train",)),
        (".", None, ("ghcr.io/team/api:$X", "ghcr.io/team/api:latest")),
    ]


def test_bake_and_skaffold() -> None:
    hcl = (
        'variable "REG" {\n  default = "reg.io"\n}\n'
        'target "api" {\n  context = "svc"\n  dockerfile = "Dockerfile.api"\n'
        '  tags = ["${REG}/api:1", "${OTHER}/api"]\n}\n'
    )
    (made,) = imagebuilds.bake_hcl(SourceText("docker-bake.hcl", hcl))
    assert (made.context, made.dockerfile) == ("svc", "svc/Dockerfile.api")
    assert made.tags == ("reg.io/api:1", "$X/api")
    assert made.at.line == 4
    json = '{"target": {"api": {"context": "svc", "tags": ["a/b"]}}}'
    (made,) = imagebuilds.bake_json(SourceText("docker-bake.json", json))
    assert (made.dockerfile, made.tags) == ("svc/Dockerfile", ("a/b",))
    yaml = "build:\n  artifacts:\n    - image: team/api\n      context: api\n"
    (made,) = imagebuilds.skaffold(SourceText("deploy/skaffold.yaml", yaml))
    assert (made.dockerfile, made.tags) == ("deploy/api/Dockerfile", ("team/api",))


@pytest.mark.parametrize("read", ["workflow", "bake_hcl", "bake_json", "skaffold"])
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80))
def test_nothing_raises(read: str, text: str) -> None:
    list(getattr(imagebuilds, read)(SourceText("x", f"build-push-action\n{text}")))
