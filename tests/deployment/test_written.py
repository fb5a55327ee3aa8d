"""Files that the Dockerfile's own commands write, and whose its directories are."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploykit import deployment

from auditor.deployment.effects import Make, effects
from auditor.parsers import shell
from auditor.source import SourceText

NGINX = 'FROM nginx:1.27\n{}\nCMD ["nginx", "-g", "daemon off;"]\n'
CONF = "/etc/nginx/conf.d/default.conf"


def ports(root: Path, lines: str) -> list[object]:
    (service,) = deployment(root, {"Dockerfile": NGINX.format(lines)}).services
    return [(item.port, item.at.line) for item in service.listens]


def test_a_configuration_that_echoes_write_is_read_where_it_stands(tmp_path: Path) -> None:
    lines = (
        f"RUN echo 'server {{' > {CONF} && \\\n"
        f"    echo '  listen 8002;' >> {CONF} && \\\n"
        f"    echo '}}' >> {CONF}"
    )
    assert ports(tmp_path, lines) == [(8002, 3)]


def test_a_configuration_from_a_here_document_of_copy(tmp_path: Path) -> None:
    lines = f"COPY <<EOF {CONF}\nserver {{\n  listen 8003;\n}}\nEOF"
    assert ports(tmp_path, lines) == [(8003, 4)]


def test_a_configuration_that_a_command_changes_leaves_the_port_open(tmp_path: Path) -> None:
    ((port, _),) = ports(tmp_path, f"RUN sed -i 's/80/8004/' {CONF}")
    assert not isinstance(port, int)


def test_without_such_a_command_it_is_the_default(tmp_path: Path) -> None:
    assert [port for port, _ in ports(tmp_path, "RUN echo hello")] == [80]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("echo a > /f; echo -n b >> /f", ["a\n", "b"]),
        ("{ echo a; echo b; } > /f", ["a\n", "b\n"]),
        ("printf '%s=%s;' a 1 b 2 > /f", ["a=1;b=2;"]),
        ("printf '%d' 1 > /f", [None]),
        ("cat > /f <<EOF\nx\nEOF\n", ["x\n"]),
        ("date > /f", [None]),
        ("echo lost 2> /f", [None]),
    ],
)
def test_what_literal_commands_write(text: str, written: list[str | None]) -> None:
    script = shell.parse_file(SourceText("x", text))
    made = [e for e in effects(script, env={}, cwd="/") if isinstance(e, Make)]
    assert [e.text for e in made] == written
    assert [e.append for e in made] == [False, *[True] * (len(made) - 1)]


@pytest.mark.parametrize(
    ("lines", "owner"),
    [
        ("WORKDIR /app\nRUN chown -R app:app /app\nCOPY . .\n", "app:app"),
        ("RUN mkdir /app && chown app /app\nWORKDIR /app\nCOPY src/ ./src/\n", "app"),
        ("WORKDIR /app\nCOPY --chown=app:app . .\n", "root"),
        ("WORKDIR /app\nCOPY . .\nRUN chown -R app:app /app\n", "app:app"),
        ("COPY --chown=app:app . /app\n", "app:app"),
    ],
)
def test_copy_leaves_a_directory_that_is_there_to_its_owner(
    tmp_path: Path, lines: str, owner: str
) -> None:
    text = f"FROM python:3.11-slim\nRUN useradd app\n{lines}CMD ['python', 'src/a.py']\n"
    (image,) = deployment(tmp_path, {"Dockerfile": text, "src/a.py": "print(1)\n"}).images
    assert getattr(image.image.fs.lookup("/app"), "owner", None) == owner
