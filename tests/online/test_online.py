"""--online against an index on 127.0.0.1, and nothing without it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from indexkit import Shelf, sdist, wheel

from auditor import online
from auditor.config import Settings
from auditor.engine import audit
from auditor.linking import wheels
from auditor.online.index import Index
from auditor.source import Unknown

Start = Callable[[Shelf], str]
DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /app
COPY . .
RUN pip install -r requirements.txt
CMD ["python", "app.py"]
"""


def repository(root: Path, requirements: str, **files: str) -> Path:
    root.mkdir(exist_ok=True)
    every = {"Dockerfile": DOCKERFILE, "app.py": "print()\n", "requirements.txt": requirements}
    for name, text in (every | files).items():
        (root / name).write_text(text)
    return root


def shelf() -> Shelf:
    made = Shelf()
    made.add("solid", wheel("solid", "1.0"))
    made.add("solid", wheel("solid", "1.1"), yanked="breaks loading")
    made.add("solid", wheel("solid", "2.0", python=">=3.12"), python=">=3.12")
    made.add("native", wheel("native", "3.0", tag="cp39-cp39-manylinux_2_17_x86_64"))
    return made


@pytest.mark.parametrize("html", [False, True])
def test_pins_are_looked_up(tmp_path: Path, pip_index: Start, html: bool) -> None:
    index = shelf()
    index.html = html
    pip_index(index)
    root = repository(
        tmp_path / "repo", "solid==1.1\nsolid-not==1.0\nnative==9.9\n", **{"b.txt": "solid==1.0\n"}
    )
    result = audit(root, Settings(select=("ENV014",), online=True))
    assert [(f.at.line, f.message.partition(":")[0]) for f in result.findings] == [
        (1, "solid 1.1 was withdrawn by its author"),
        (2, "the package index has no release 1.0 of solid-not"),
        (3, "the package index has no release 9.9 of native"),
    ]
    assert "breaks loading" in result.findings[0].message
    assert result.services[0].forecast.builds == "no"


def test_a_pin_that_is_there_passes(tmp_path: Path, pip_index: Start) -> None:
    pip_index(shelf())
    root = repository(tmp_path / "repo", "solid==1.0\n")
    result = audit(root, Settings(select=("ENV014",), online=True))
    assert result.findings == ()
    assert [(o.rule, o.passed) for o in result.outcomes] == [("ENV014", 1)]


def test_what_cannot_be_asked_is_a_remark_and_no_verdict(tmp_path: Path, pip_index: Start) -> None:
    index = shelf()
    index.broken = True
    pip_index(index)
    root = repository(tmp_path / "repo", "solid==1.1\nnative==9.9\n")
    result = audit(root, Settings(online=True))
    assert not [f for f in result.findings if f.rule == "ENV014"]
    assert [u for u in result.undecided if u.rule == "ENV014"]
    assert any(s.path == "--online" and "solid" in s.reason for s in result.skipped)


def test_an_index_of_the_repository_itself_is_not_judged(tmp_path: Path, pip_index: Start) -> None:
    index = shelf()
    pip_index(index)
    root = repository(tmp_path / "repo", "--index-url https://example.invalid/simple\nsolid==7\n")
    assert audit(root, Settings(select=("ENV014",), online=True)).findings == ()


def test_wheels_outside_the_shipped_table(tmp_path: Path, pip_index: Start) -> None:
    pip_index(shelf())
    root = repository(tmp_path / "repo", "native==3.0\nsolid==2.0\n")
    assert audit(root, Settings(select=("ENV008",))).findings == ()
    found = audit(root, Settings(select=("ENV008",), online=True)).findings
    assert [f.at.line for f in found] == [1, 2]
    assert "is for Python >=3.12" in found[1].message
    assert online.active() is None
    assert wheels.installable("native", "3.0", python="3.11").outcome == "unknown"


def test_requirements_that_do_not_go_together(tmp_path: Path, pip_index: Start) -> None:
    index = Shelf()
    index.add("base", wheel("base", "1.0"))
    index.add("base", wheel("base", "2.0"))
    index.add("older", wheel("older", "1.0", requires=("base<2",)))
    index.add("newer", wheel("newer", "1.0", requires=("base>=2",)))
    pip_index(index)
    root = repository(tmp_path / "repo", "older==1.0\nnewer==1.0\n")
    (finding,) = audit(root, Settings(select=("ENV008",), online=True)).findings
    assert "older 1.0 needs base<2; newer 1.0 needs base>=2" in finding.message
    assert finding.related[0].at.line == 2
    repository(root, "older==1.0\nbase==1.0\n")
    assert audit(root, Settings(select=("ENV008",), online=True)).findings == ()


def test_a_conflict_that_a_source_archive_may_solve_is_none(
    tmp_path: Path, pip_index: Start
) -> None:
    """base 1.0 has no wheel: only the resolver that builds can say."""
    index = Shelf()
    index.add("base", wheel("base", "2.0"))
    index.add("base", ("base-1.0.tar.gz", wheel("base", "1.0")[1]))
    index.add("older", wheel("older", "1.0", requires=("base<2",)))
    index.add("newer", wheel("newer", "1.0", requires=("base>=1",)))
    pip_index(index)
    root = repository(tmp_path / "repo", "older==1.0\nnewer==1.0\n")
    assert audit(root, Settings(select=("ENV008",), online=True)).findings == ()


def test_without_online_nothing_connects(
    tmp_path: Path, pip_index: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = shelf()
    pip_index(index)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection without --online")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    root = repository(tmp_path / "repo", "solid==1.1\nnative==3.0\nnumpy\n")
    result = audit(root, Settings())
    assert result.crashed == ()
    assert index.asked == []
    with pytest.raises(AssertionError, match="without"):
        socket.create_connection(("127.0.0.1", 9))


def connected(index: Shelf, start: Start) -> Index:
    start(index)
    return opened(cache=False)


def opened(*, cache: bool) -> Index:
    from auditor.online.session import PipSession

    session = PipSession(cache=cache)
    session.__enter__()
    return Index(session, cache=cache)


def test_metadata_beside_the_wheel_or_inside_it(pip_index: Start) -> None:
    stock = shelf()
    stock.add("solid", wheel("solid", "4.0", requires=("numpy>=2",), python=">=3.9"))
    index = connected(stock, pip_index)
    release = index.release("solid", "4.0")
    assert not isinstance(release, Unknown)
    assert release is not None
    (file,) = release.files
    made = index.metadata(file)
    assert not isinstance(made, Unknown)
    assert (made.requires_python, made.requires) == (">=3.9", ("numpy>=2",))
    assert not any(path.endswith(".whl") for path, _ in stock.asked)
    from dataclasses import replace

    assert index.metadata(replace(file, metadata=False)) == made


@pytest.mark.parametrize("ranges", [True, False])
def test_members_of_a_large_wheel_are_read_by_ranges(pip_index: Start, ranges: bool) -> None:
    import random

    noise = random.Random(1).randbytes(3 << 20)
    stock = Shelf(ranges=ranges)
    stock.add("large", wheel("large", "1.0", {"large/a.bin": noise, "large/b.py": b"x = 1\n",
                                              "large/c.bin": noise}))  # fmt: skip
    index = connected(stock, pip_index)
    release = index.release("large", "1.0")
    assert not isinstance(release, Unknown)
    assert release is not None
    made = index.wheel(release.files[0])
    assert not isinstance(made, Unknown)
    assert made.read("large/b.py") == b"x = 1\n"
    assert made.tops == {"large"}
    if ranges:
        assert stock.sent < 1 << 20
    assert made.read("large/a.bin") == noise


@pytest.mark.parametrize("damage", ["cut", "noise", "central"])
def test_a_damaged_wheel_is_unknown(pip_index: Start, damage: str) -> None:
    name, data = wheel("bad", "1.0")
    if damage == "cut":
        data = data[:40]
    elif damage == "noise":
        data = b"\x00" * 300
    else:
        data = data.replace(b"PK\x01\x02", b"PK\x09\x02")
    stock = Shelf()
    stock.files["bad"] = {name: data}
    stock.metadata = lambda _: b""  # type: ignore[method-assign]
    index = connected(stock, pip_index)
    release = index.release("bad", "1.0")
    assert not isinstance(release, Unknown)
    assert release is not None
    assert isinstance(index.wheel(release.files[0]), Unknown)
    assert index.remarks


def test_pages_are_cached_unless_told_otherwise(tmp_path: Path, pip_index: Start) -> None:
    stock = shelf()
    pip_index(stock)
    for cache, asked in ((True, 1), (True, 1), (False, 2)):
        assert isinstance(opened(cache=cache).releases("solid"), dict)
        assert len([p for p, _ in stock.asked if "solid" in p]) == asked
    assert list((tmp_path / "cache" / "deploy-audit" / "index").iterdir())


# ---- compat and syslibs ----

MODEL = """\
from mine._base import *
from . import helpers as tools
class Model:
    pass
def build():
    return Model()
"""


def libraries() -> Shelf:
    stock = Shelf()
    for version, extra in (("1.0", b"class Old: pass\n"), ("2.0", b"class New: pass\n")):
        stock.add("mine", wheel("mine", version, {
            "mine/__init__.py": b"", "mine/models.py": MODEL.encode(),
            "mine/_base.py": b"class Base: pass\n_hidden = 1\n" + extra,
            "mine/helpers.py": b"", "mine/open.py": b"def __getattr__(n): ...\n",
        }))  # fmt: skip
    return stock


def test_symbols_of_a_pinned_release(pip_index: Start) -> None:
    from auditor.online import symbols

    index = connected(libraries(), pip_index)

    def ask(version: str, module: str, name: str) -> str:
        return symbols.find(index, "mine", version, "3.11", module, name)

    assert ask("1.0", "mine.models", "Model") == "yes"
    assert ask("1.0", "mine.models", "Base") == "yes"
    assert ask("1.0", "mine.models", "Old") == "yes"
    assert ask("2.0", "mine.models", "Old") == "no-name"
    assert ask("2.0", "mine.models", "_hidden") == "no-name"
    assert ask("2.0", "mine.gone", "X") == "no-module"
    assert ask("2.0", "mine", "models") == "yes"
    assert ask("2.0", "mine.open", "anything") == "unknown"
    assert ask("3.0", "mine.models", "Model") == "unknown"
    assert symbols.tops(index, "mine", "1.0", "3.11") == {"mine"}


def test_compat_asks_for_libraries_that_no_table_knows(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from artifact_kit import Instance, pickled

    from auditor.cli.app import run

    pip_index(libraries())
    (tmp_path / "m.pkl").write_bytes(pickled(Instance("mine.models.Old", x=1)))
    requirements = tmp_path / "r.txt"
    arguments = ["compat", str(tmp_path / "m.pkl"), "--python", "3.11", "-r", str(requirements)]
    requirements.write_text("mine==1.0\n")
    assert run([*arguments, "--online"]) == 0
    requirements.write_text("mine==2.0\n")
    assert run([*arguments, "--online"]) == 1
    assert "mine.models.Old, which mine 2.0 does not have" in capsys.readouterr().out
    assert run(arguments) == 0


def shared_object(*needed: str) -> bytes:
    """A minimal ELF file that asks for these."""
    import struct

    strings = b"\0" + b"".join(n.encode() + b"\0" for n in needed)
    offsets = [strings.index(n.encode() + b"\0") for n in needed]
    entries = [(1, o) for o in offsets] + [(5, 0x200), (10, len(strings)), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *e) for e in entries)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0x1000, 0x1000, 0x1000)
    second = struct.pack("<IIQQQQQQ", 2, 6, 0x400, 0x400, 0x400, len(dynamic), len(dynamic), 8)
    made = (head + load + second).ljust(0x200, b"\0") + strings
    return (made.ljust(0x400, b"\0") + dynamic).ljust(0x1000, b"\0")


def test_syslibs_reads_the_wheel_of_what_no_table_knows(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    stock = Shelf()
    stock.add("sounds", wheel("sounds", "1.0", {
        "sounds/__init__.py": b"",
        "sounds/_core.cpython-311-x86_64-linux-gnu.so": shared_object(
            "libm.so.6", "libsndfile.so.1", "libinner-1a2b.so.1", "libneighbour.so.7"),
        "sounds.libs/libinner-1a2b.so.1": shared_object("libgomp.so.1"),
    }, tag="cp311-cp311-manylinux_2_17_x86_64"))  # fmt: skip
    pip_index(stock)
    arguments = ["syslibs", "sounds==1.0", "--base", "python:3.11-slim-bookworm"]
    assert run(arguments) == 0
    assert run([*arguments, "--online"]) == 1
    said = capsys.readouterr().out
    assert "libsndfile1" in said
    assert "libgomp1" in said
    assert "libneighbour" not in said
    assert "libm.so" not in said


def test_syslibs_reads_what_a_wheel_loads_by_name(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    stock = Shelf()
    stock.add("labels", wheel("labels", "1.0", {
        "labels/__init__.py": b"from labels import _lib",
        "labels/_lib.py": b"import ctypes.util\nfor _n in ('zbar', 'libzbar-64'):\n    x = ctypes.util.find_library(_n)\n",
        "labels/tests/test_x.py": b"import ctypes\nctypes.CDLL('libportaudio.so.2')\n",
    }))  # fmt: skip
    stock.add("bundled", wheel("bundled", "1.0", {
        "bundled/__init__.py": b"import cffi\ncffi.FFI().dlopen('libvips.so.42')",
        "bundled.libs/libvips-1a2b3c.so.42": shared_object("libm.so.6"),
    }, tag="cp311-cp311-manylinux_2_17_x86_64"))  # fmt: skip
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online"]
    assert run([*arguments, "bundled==1.0"]) == 0
    assert run([*arguments, "labels==1.0"]) == 1
    said = capsys.readouterr().out
    assert said.endswith("apt-get install -y --no-install-recommends libzbar0\n")
    assert "portaudio" not in said and "vips" not in said


def test_syslibs_installs_what_importing_loads_and_what_a_package_is_about(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    def loads(name: str) -> bytes:
        return f"import ctypes\ndef f():\n    ctypes.CDLL('{name}')\n".encode()

    optional = b"import ctypes\ntry:\n    x = ctypes.CDLL('libnettle.so.8')\nexcept OSError:\n    x = None\n"
    stock = Shelf()
    stock.add("shells", wheel("shells", "1.0", {
        "shells/__init__.py": optional, "shells/more.py": loads("libportaudio.so.2"),
        "shells/osx.py": b"import ctypes\nctypes.CDLL('libobjc.so.4')\n",
    }))  # fmt: skip
    stock.add("pyzbarlike", wheel("pyzbarlike", "1.0", {"pyzbarlike.py": loads("libzbar.so.0")}))
    stock.add("voices", wheel("voices", "1.0", {
        "voices.py": b"import ctypes\ntry:\n    x = ctypes.CDLL('libsndfile.so.1')\nexcept OSError:\n    raise\n",
    }))  # fmt: skip
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    # What a function loads, and what the import does without, is told and not installed.
    assert run([*arguments, "shells"]) == 0
    said = capsys.readouterr().out
    assert "apt-get" not in said and "libportaudio2" in said and "libobjc" not in said
    assert run([*arguments, "pyzbarlike", "voices"]) == 1
    assert capsys.readouterr().out.endswith("--no-install-recommends libsndfile1 libzbar0\n")


def test_syslibs_follows_only_what_is_imported_along(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    stock = Shelf()
    late = b"def f():\n    import lightgbm\n"
    early = b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cairosvg\nfrom .more import f\n"
    stock.add("trees", wheel("trees", "1.0", {"trees/__init__.py": late}, requires=("lightgbm",)))
    stock.add("woods", wheel("woods", "1.0", {
        "woods/__init__.py": early, "woods/more.py": b"import lightgbm\nf = 1\n",
        "woods/unused.py": b"import psycopg2\n",
    }, requires=("lightgbm", "cairosvg", "psycopg2"),
    ))  # fmt: skip
    # Nobody imports what is empty: its parts are imported.
    stock.add("parks", wheel("parks", "1.0", {
        "parks/__init__.py": b"", "parks/grid.py": b"import lightgbm\n",
    }, requires=("lightgbm",)))  # fmt: skip
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    assert run([*arguments, "parks"]) == 1
    assert capsys.readouterr().out.endswith("--no-install-recommends libgomp1\n")
    assert run([*arguments, "trees"]) == 0
    said = capsys.readouterr().out
    assert "libgomp.so.1  needed by lightgbm" in said and "apt-get" not in said
    assert run([*arguments, "woods"]) == 1
    said = capsys.readouterr().out
    # psycopg2 is built all the same when it is installed.
    line = said.splitlines()[-1]
    assert "libgomp1" in line and "libpq-dev" in line and "cairo" not in line


def test_syslibs_reads_source_archives(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    plain = {
        "PKG-INFO": "Name: plain\n\n",
        "plain.py": "import ctypes\nctypes.CDLL('libzbar.so.0')\n",
    }
    native = {
        "PKG-INFO": "Name: native\n\n",
        "native.egg-info/requires.txt": "plain>=1\n\n[more]\nlightgbm\n",
        "setup.py": "setup(ext_modules=[Extension('n', ['n.cpp'])])\nrun('pg_config')\n",
        "native/n.cpp": "int x;\n",
    }
    stock = Shelf()
    stock.add("plain", sdist("plain", "1.0", plain))
    stock.add("native", sdist("native", "1.0", native))
    stock.add("broken", ("broken-1.0.tar.gz", b"\x1f\x8bno"))
    linked = {
        "PKG-INFO": "Name: linked\n\n",
        "setup.py": "e = Extension('l', ['l.c'], libraries=[\n'gmp', 'm'])\n"
        "e.libraries.append('mpfr')\nrun(['cmake', 'inner'])\n",
        "l.c": "int x;\n",
        "inner/CMakeLists.txt": "",
    }
    stock.add("linked", sdist("linked", "1.0", linked))
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    assert run([*arguments, "linked"]) == 1
    said = capsys.readouterr().out
    assert "which takes gcc libc6-dev cmake make libgmp-dev libmpfr-dev\n" in said
    assert run([*arguments, "native"]) == 1
    said = capsys.readouterr().out
    assert "native is built from source, which takes g++ libc6-dev libpq-dev" in said
    assert said.endswith("--no-install-recommends g++ libc6-dev libpq-dev libzbar0\n")
    assert run([*arguments, "broken"]) == 0
    assert "NOT KNOWN: broken" in capsys.readouterr().out


def test_syslibs_tells_what_a_setup_script_imports_undeclared(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    script = (
        "import os, {}\nfrom near import x\nfrom setuptools import setup\nif x:\n  import torch\n"
    )
    build = "setup(ext_modules=[Extension('n', ['n.c'], libraries=['z'])])\n"

    def made(imports: str, project: str | None = None) -> dict[str, str]:
        files = {"PKG-INFO": "Name: n\n\n", "setup.py": script.format(imports) + build}
        files |= {"near.py": "", "n.c": "int x;\n"}
        return files | ({"pyproject.toml": project} if project else {})

    needed = "[build-system]\nrequires = ['setuptools{}', 'Cython>=3', 'numpy']\n"
    stock = Shelf()
    stock.add("early", sdist("early", "1.0", made("numpy, Cython.Build")))
    stock.add("right", sdist("right", "1.0", made("numpy, Cython", needed.format(""))))
    stock.add("gone", sdist("gone", "1.0", made("pkg_resources", needed.format(""))))
    stock.add("held", sdist("held", "1.0", made("pkg_resources", needed.format("<82"))))
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    said = {}
    for name in ("early", "right", "gone", "held"):
        assert run([*arguments, name]) == 1
        said[name] = capsys.readouterr().out
        assert "gcc libc6-dev zlib1g-dev" in said[name]
    assert "its setup.py imports numpy, Cython: install that before it" in said["early"]
    assert "its setup.py imports pkg_resources" in said["gone"]
    assert "imports" not in said["right"] and "imports" not in said["held"]


def test_syslibs_runs_java_for_what_has_archives_of_it(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    code = b"import subprocess\ndef f():\n    subprocess.run(['java', '-version'])\n    subprocess.run(['ffprobe'])\n    subprocess.run(['ffmpeg'])\n"
    stock = Shelf()
    stock.add("scores", wheel("scores", "1.0", {"scores.py": code, "scorer/meteor.jar": b"PK"}))
    stock.add("plain", wheel("plain", "1.0", {"plain.py": code}))
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    assert run([*arguments, "scores"]) == 1
    said = capsys.readouterr().out
    assert said.endswith("--no-install-recommends default-jre-headless\n")
    # Two programs of one package are one need.
    assert said.count("needed by scores") == 2
    assert run([*arguments, "plain"]) == 0


def test_syslibs_reads_what_an_unpinned_wheel_and_its_requirements_ask_for(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    stock = Shelf()
    stock.add("face", wheel("face", "1.0", {"face/__init__.py": b""}))
    stock.add("face", wheel("face", "2.0", {
        "face/__init__.py": b"try:\n    from face import _fast\nexcept ImportError:\n    _fast = None\n",
        "face/_fast.cpython-311-x86_64-linux-gnu.so": shared_object("libportaudio.so.2"),
    }, tag="cp311-cp311-manylinux_2_17_x86_64", requires=("inner", 'other; extra == "more"')))  # fmt: skip
    stock.add("face", wheel("face", "3.0rc1", {"face/__init__.py": b""}))
    stock.add("inner", wheel("inner", "1.0", {
        "inner/__init__.py": b"",
        "inner/lib/libinner.so": shared_object("libsndfile.so.1"),
    }, tag="py3-none-manylinux_2_17_x86_64"))  # fmt: skip
    stock.add("other", wheel("other", "1.0", {"other/__init__.py": b"CDLL('libzbar.so.0')"}))
    pip_index(stock)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    assert run([*arguments, "face"]) == 1
    said = capsys.readouterr().out
    # A module that the package does without is of some functions, and not in the line.
    assert "libportaudio2  (some of its functions; not in the line below)" in said
    assert said.endswith("apt-get install -y --no-install-recommends libsndfile1\n")
    assert "NOT KNOWN" not in said
    assert run([*arguments, "face[more]"]) == 1
    assert capsys.readouterr().out.endswith("libsndfile1 libzbar0\n")


def test_syslibs_asks_for_an_extra_that_only_an_older_release_has(
    pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table has the extras of the newest; nothing of the older one's is passed over."""
    from auditor.cli.app import run

    index = Shelf()
    old = ("opencv-python>=4; extra == 'base'", "chardet>=3")
    index.add(
        "camelot-py", wheel("camelot_py", "0.11.0", {"camelot/__init__.py": b""}, requires=old)
    )
    pip_index(index)
    arguments = ["syslibs", "--base", "python:3.11-slim-bookworm", "--online", "--no-cache"]
    run([*arguments, "camelot-py[base]==0.11.0"])
    said = capsys.readouterr().out
    assert "needed by opencv-python" in said
    assert "NOT KNOWN" not in said
    run([*arguments, "camelot-py[base]==0.10.1"])
    assert "NOT KNOWN: camelot-py[base]" in capsys.readouterr().out


def test_syslibs_reads_the_programs_that_a_wheel_starts(
    tmp_path: Path, pip_index: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    from auditor.cli.app import run

    stock = Shelf()
    stock.add("panes", wheel("panes", "1.0", {
        "panes/__init__.py": b"import subprocess as sp\ndef f(bin='tmux'):\n    sp.run([bin, '-V'])\n",
        "panes/_version.py": b"import subprocess\nsubprocess.check_output(['git', 'describe'])\n",
        "panes/tool.py": b"import os\nos.system(f'octave {x}')\nos.system('tar x')\n",
    }, summary="Drives tmux"))  # fmt: skip
    pip_index(stock)
    arguments = ["syslibs", "panes", "--base", "python:3.11-slim-bookworm", "--online"]
    assert run(arguments) == 1
    said = capsys.readouterr().out
    assert said.endswith("apt-get install -y --no-install-recommends tmux\n")
    (hint,) = [line for line in said.splitlines() if line.startswith("octave")]
    assert hint.endswith("(its code starts or loads it; not in the line below)")
    assert "git" not in said and "tar " not in said
    run([*arguments, "--format", "json"])
    assert "octave" not in capsys.readouterr().out
