"""Small services that predict, as repositories on disk, and what the audit says of them."""

from __future__ import annotations

from pathlib import Path

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Finding

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
"""
REQUIREMENTS = "fastapi==0.115.6\nuvicorn==0.34.0\njoblib==1.4.2\nscikit-learn==1.6.0\n"
HEAD = """\
import joblib
from fastapi import FastAPI
from pydantic import BaseModel

class Item(BaseModel):
    values: list[float]

"""
HEALTH = """
@app.get("/health")
def health():
    return {"status": "ok"}
"""
PREDICT = """
@app.post("/predict")
def predict(item: Item):
    return {"answer": model.predict([item.values]).tolist()}
"""
LOADED = 'app = FastAPI()\nmodel = joblib.load("model.joblib")\n'
GOOD = HEAD + LOADED + HEALTH + PREDICT


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """A repository with a Dockerfile and requirements, unless ``files`` has others."""
    every: dict[str, str | bytes] = {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": REQUIREMENTS,
        **files,
    }
    for path, text in every.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def found(root: Path, *rules: str) -> list[Finding]:
    """The findings of these rules; a check that crashes fails the test."""
    result = audit(root, Settings(select=rules))
    assert result.crashed == ()
    return list(result.findings)


def lines(findings: list[Finding]) -> list[tuple[str, str, int]]:
    """(rule, path, line) of each."""
    return [(f.rule, f.at.path, f.at.line) for f in findings]


def line_of(text: str, part: str) -> int:
    """The number of the line that holds ``part``."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)
