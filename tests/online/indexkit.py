"""A package index on 127.0.0.1: wheels built by the test, JSON or HTML, ranges, PEP 658, yanking."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(
    name: str,
    version: str,
    files: dict[str, bytes] | None = None,
    *,
    requires: tuple[str, ...] = (),
    python: str = "",
    summary: str = "",
    tag: str = "py3-none-any",
) -> tuple[str, bytes]:
    """(file name, bytes) of a wheel."""
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    head += f"Requires-Python: {python}\n" if python else ""
    head += f"Summary: {summary}\n" if summary else ""
    head += "".join(f"Requires-Dist: {r}\n" for r in requires)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    made = io.BytesIO()
    contents = {f"{module}/__init__.py": b""} if files is None else files
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/METADATA", head)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return f"{module}-{version}-{tag}.whl", made.getvalue()


def sdist(name: str, version: str, files: dict[str, str]) -> tuple[str, bytes]:
    """(file name, bytes) of a source archive."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", made.getvalue()


@dataclass
class Shelf:
    """What the index serves, and what it was asked for."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)
    python: dict[str, str] = field(default_factory=dict)
    html: bool = False
    ranges: bool = True
    broken: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0

    def add(self, project: str, made: tuple[str, bytes], *, yanked: str | None = None,
            python: str = "") -> None:  # fmt: skip
        self.files.setdefault(project, {})[made[0]] = made[1]
        if yanked is not None:
            self.yanked[made[0]] = yanked
        if python:
            self.python[made[0]] = python

    def metadata(self, data: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(n for n in archive.namelist() if n.endswith("METADATA"))
            return archive.read(name)

    def page(self, project: str) -> tuple[str, bytes]:
        files = self.files[project]
        if self.html:
            rows = []
            for name, data in files.items():
                extra = (
                    f' data-requires-python="{self.python[name]}"' if name in self.python else ""
                )
                extra = extra.replace(">", "&gt;").replace('="&gt;', '="&gt;')
                if name in self.yanked:
                    extra += f' data-yanked="{self.yanked[name]}"'
                digest = hashlib.sha256(self.metadata(data)).hexdigest()
                extra += f' data-core-metadata="sha256={digest}"'
                sha = hashlib.sha256(data).hexdigest()
                rows.append(f'<a href="../../files/{name}#sha256={sha}"{extra}>{name}</a>')
            return "text/html", ("<!DOCTYPE html><html><body>" + "<br>".join(rows)).encode()
        document = {
            "meta": {"api-version": "1.0"},
            "name": project,
            "files": [
                {
                    "filename": name,
                    "url": f"/files/{name}",
                    "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                    "yanked": self.yanked.get(name, False),
                    "core-metadata": name.endswith(".whl")
                    and {"sha256": hashlib.sha256(self.metadata(data)).hexdigest()},
                    **({"requires-python": self.python[name]} if name in self.python else {}),
                }
                for name, data in files.items()
            ],
        }
        return "application/vnd.pypi.simple.v1+json", json.dumps(document).encode()


@contextmanager
def serve(shelf: Shelf) -> Iterator[str]:
    """The URL of the simple index."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            shelf.asked.append((self.path, self.headers.get("Range", "")))
            parts = self.path.strip("/").split("/")
            if shelf.broken:
                self.answer(503, "text/plain", b"")
            elif parts[0] == "simple" and len(parts) == 2 and parts[1] in shelf.files:
                self.answer(200, *shelf.page(parts[1]))
            elif parts[0] == "files":
                name = parts[1].removesuffix(".metadata")
                data = next((f[name] for f in shelf.files.values() if name in f), None)
                if data is None:
                    self.answer(404, "text/plain", b"")
                elif parts[1].endswith(".metadata"):
                    self.answer(200, "text/plain", shelf.metadata(data))
                else:
                    self.file(data)
            else:
                self.answer(404, "text/plain", b"")

        def file(self, data: bytes) -> None:
            asked = self.headers.get("Range")
            if not asked or not shelf.ranges:
                self.answer(200, "application/octet-stream", data)
                return
            first, _, last = asked.removeprefix("bytes=").partition("-")
            begin = max(len(data) - int(last), 0) if not first else int(first)
            end = len(data) if not first or not last else min(int(last) + 1, len(data))
            self.answer(206, "application/octet-stream", data[begin:end],
                        {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"})  # fmt: skip

        def answer(self, status: int, kind: str, data: bytes,
                   headers: dict[str, str] | None = None) -> None:  # fmt: skip
            shelf.sent += len(data)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
