"""The deployment as a Mermaid flowchart: files, images, services, ports."""

from __future__ import annotations

from auditor.deployment.model import Deployment


def _text(value: str) -> str:
    """A label that cannot end its quotes or start markup."""
    cleaned = "".join(c if c.isprintable() else "?" for c in value)
    for character, entity in (("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        cleaned = cleaned.replace(character, entity)
    return cleaned


def mermaid(deployment: Deployment) -> str:
    """A left-to-right flowchart; deterministic for a given deployment."""
    lines = ["flowchart LR"]
    identifiers: dict[str, str] = {}

    def node(kind: str, name: str, label: str, shape: tuple[str, str]) -> str:
        key = f"{kind}:{name}"
        if key not in identifiers:
            identifiers[key] = f"{kind}{len(identifiers)}"
            lines.append(f'  {identifiers[key]}{shape[0]}"{_text(label)}"{shape[1]}')
        return identifiers[key]

    for image in deployment.images:
        base = node(
            "base",
            image.base.text if image.base else "?",
            image.base.text if image.base else "unknown base",
            ("([", "])"),
        )
        target = node("image", image.key, image.key, ("[", "]"))
        lines.append(f"  {base} --> {target}")
        environment = image.environment
        if environment is not None:
            files = dict.fromkeys(f for step in environment.steps for f in step.files)
            for path in files:
                source = node("req", path, path, ("[/", "/]"))
                lines.append(f"  {source} --> {target}")
    for service in deployment.services:
        name = node("service", service.name, service.name, ("{{", "}}"))
        if service.image is not None and not service.image.pulled:
            # A platform's own image is not among those that are built here.
            origin = node("image", service.image.key, service.image.key, ("[", "]"))
            lines.append(f"  {origin} --> {name}")
        elif service.image_reference:
            pulled = node("pulled", service.image_reference, service.image_reference, ("([", "])"))
            lines.append(f"  {pulled} --> {name}")
        for listen in service.listens:
            port = listen.port if isinstance(listen.port, int) else "?"
            host = listen.host if isinstance(listen.host, str) else "?"
            socket = node("port", f"{service.name}:{port}", f"{host}:{port}", ("((", "))"))
            lines.append(f"  {name} --> {socket}")
        for publish in service.published:
            host_port = publish.host_port if isinstance(publish.host_port, int) else "?"
            outside = node("host", f"{service.name}:{host_port}", f"host :{host_port}", (">", "]"))
            lines.append(f"  {outside} --> {name}")
    for artifact in deployment.artifacts:
        node("artifact", artifact.path, artifact.path, ("[(", ")]"))
    return "\n".join(dict.fromkeys(lines)) + "\n"
