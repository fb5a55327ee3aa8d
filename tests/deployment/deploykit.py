"""Small repositories, assembled."""

from pathlib import Path

from auditor.config import Settings
from auditor.deployment.assemble import assemble
from auditor.deployment.model import Deployment, Service
from auditor.discovery import discover


def deployment(root: Path, files: dict[str, str]) -> Deployment:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return assemble(discover(str(root)), Settings())


def service(found: Deployment, name: str) -> Service:
    return next(s for s in found.services if s.name == name)
