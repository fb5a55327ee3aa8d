"""BentoML's and Cog's files against the code that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.deployment import packaged
from auditor.deployment.facts import Facts
from auditor.discovery import discover


def missing(root: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return [why for item in packaged.read(Facts(discover(str(root)))) for _, why in item.missing]


CODE = "from x import other\n\nsvc = 1\n\n\nclass Predictor:\n    pass\n"


@pytest.mark.parametrize(
    ("path", "text", "wanted"),
    [
        ("bentofile.yaml", "service: service:svc\n", []),
        ("bentofile.yaml", 'service: "service.py:svc"\n', []),
        ("bentofile.yaml", "service: service:other\n", []),
        ("bentofile.yaml", "service: services:svc\n", ["there is no `services.py`"]),
        ("bentofile.yaml", "service: service:Svc2\n", ["`service.py` has no `Svc2`"]),
        ("bentofile.yaml", "service: made:svc\n", []),
        ("bentofile.yaml", "service: service\n", []),
        ("cog.yaml", "predict: service.py:Predictor\n", []),
        ("cog.yaml", "predict: predict.py:Predictor\n", ["there is no `predict.py`"]),
        ("cog.yaml", "build: {python_requirements: r.txt}\n", ["there is no `r.txt`"]),
        ("deploy/bentofile.yaml", "service: service:svc\n", ["there is no `deploy/service.py`"]),
    ],
)
def test_what_is_named(tmp_path: Path, path: str, text: str, wanted: list[str]) -> None:
    files = {"service.py": CODE, ".gitignore": "made.py\n", path: text}
    assert missing(tmp_path, files) == wanted
