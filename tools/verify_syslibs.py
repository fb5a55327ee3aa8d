"""Install and import packages in slim images, apply the suggested line, and record what happened.

For each case and each Debian release: the package is installed, its code runs in a container of
``python:<python>-slim-<suite>`` (it fails where the tables say that something is missing, and only
there), and again in one where the line that ``deploy-audit syslibs`` suggests was run before.
The rows go to ``tools/syslibs_executed.tsv``, which ``make_syslib_tables.py`` reads: execution
decides which of the libraries that ELF files name an import really loads.

    python tools/verify_syslibs.py [--suites "bookworm trixie"] [--python 3.12] [--only NAME …] [--again]
    python tools/verify_syslibs.py --check

Needs a Docker engine (``DOCKER_HOST``) with those images. Rows of which the suggested line is
still the one that was run are kept. ``--check`` runs nothing: it says which rows these are not,
and how many packages that failed work with the line, per release of Debian.
"""

from __future__ import annotations

import argparse
import atexit
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from packaging.utils import NormalizedName, canonicalize_name  # noqa: E402

from auditor.deployment.base import Base, describe  # noqa: E402
from auditor.linking import userland  # noqa: E402

SITES = HERE.parent / "build" / "syslibs" / "sites"
RESULTS = HERE / "syslibs_executed.tsv"
COLUMNS = (
    "suite", "package", "version", "requirement", "code", "import_ok_bare", "error", "predicted", "missing",
    "line", "import_ok_after", "error_after", "seconds", "python",
)  # fmt: skip
ARCHIVES = HERE.parent / "build" / "syslibs" / "archives"
# Inside a container: uv where the host has it (the same resolution and builds, sooner), else pip.
UV_INSIDE: tuple[str, ...] = ()
PIP_INSIDE: tuple[str, ...] = ("pip", "install", "-q")
if UV := shutil.which("uv"):
    UV_INSIDE = (
        "-v", f"{UV}:/usr/local/bin/uv:ro", "-e", "UV_NO_CACHE=1", "-e", "UV_SYSTEM_PYTHON=1",
        "-e", "UV_LINK_MODE=copy", "-e", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    )  # fmt: skip
    PIP_INSIDE = ("uv", *PIP_INSIDE)
PDF = (
    "b'%PDF-1.4\\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\\ntrailer<</Root 1 0 R>>\\n%%EOF'"
)
# (requirement, code). Where importing is not enough, the code calls what the package is for.
CASES: tuple[tuple[str, str], ...] = (
    ("lightgbm", "import lightgbm"),
    ("opencv-python", "import cv2"),
    ("cairosvg", "import cairosvg"),
    ("cairocffi", "import cairocffi"),
    ("weasyprint", "import weasyprint; weasyprint.HTML(string='<p>a').write_pdf('/tmp/a.pdf')"),
    ("python-magic", "import magic; magic.from_buffer(b'abc')"),
    ("pyzbar", "import pyzbar.pyzbar"),
    ("pylibdmtx setuptools<81", "import pylibdmtx.pylibdmtx"),
    ("wand", "import wand.image"),
    ("openslide-python", "import openslide"),
    ("sounddevice", "import sounddevice"),
    ("soundfile==0.10.3.post1", "import soundfile"),
    ("pyenchant", "import enchant"),
    ("psycopg", "import psycopg"),
    ("pygame", "import pygame"),
    ("pyopengl", "import OpenGL.GL"),
    ("glfw", "import glfw"),
    ("ghostscript", "import ghostscript"),
    ("pytesseract", "import pytesseract; pytesseract.get_tesseract_version()"),
    ("graphviz", "import graphviz; graphviz.Digraph().pipe()"),
    ("pdf2image", f"import pdf2image; pdf2image.convert_from_bytes({PDF})"),
    ("gitpython", "import git"),
    ("rasterio", "import rasterio"),
    ("fiona", "import fiona"),
    ("rasterio==1.3.10", "import rasterio"),
    ("fiona==1.9.6", "import fiona"),
    ("implicit", "import implicit"),
    ("opencv-python-headless", "import cv2"),
    ("pyusb", "import usb.core; list(usb.core.find(find_all=True) or ())"),
    (
        "sox",
        "import sox; sox.Transformer().build_array(input_array=__import__('numpy').zeros(100), sample_rate_in=8000)",
    ),
    ("pydot", "import pydot; pydot.Dot().create_svg()"),
    ("faiss-cpu", "import faiss"),
    ("pyodbc", "import pyodbc"),
    ("pymssql", "import pymssql"),
    ("psycopg2-binary", "import psycopg2"),
    ("h5py", "import h5py"),
    ("netCDF4", "import netCDF4"),
    ("pyproj", "import pyproj"),
    ("shapely", "import shapely.geometry"),
    ("rdkit", "import rdkit.Chem; import rdkit.Chem.Draw"),
    ("av", "import av"),
    ("aubio", "import aubio"),
    ("soxr", "import soxr"),
    ("moderngl", "import moderngl"),
    ("mujoco", "import mujoco"),
    ("soundfile", "import soundfile"),
    ("psycopg[binary]", "import psycopg"),
    ("pyogrio", "import pyogrio"),
    ("hnswlib", "import hnswlib"),
    ("pycurl", "import pycurl"),
    ("pyuwsgi", "import pyuwsgi"),
    ("tesserocr", "import tesserocr"),
    ("simpleaudio", "import simpleaudio"),
    ("pymupdf", "import pymupdf"),
    ("xmlsec", "import xmlsec"),
    ("vosk", "import vosk"),
    ("psycopg2", "import psycopg2"),
    ("mysqlclient", "import MySQLdb"),
    ("pyaudio", "import pyaudio"),
    ("pycairo", "import cairo"),
    (
        "ffmpeg-python",
        "import ffmpeg; ffmpeg.probe('/tmp') if 0 else ffmpeg.input('anullsrc', f='lavfi', t=1).output('-', f='null').run(quiet=True)",
    ),
    ("python-vlc", "import vlc; vlc.libvlc_get_version()"),
    ("weasyprint==52.5 pydyf<0.10", "import weasyprint"),
    ("pdfkit", "import pdfkit; pdfkit.configuration()"),
    ("pypandoc", "import pypandoc; pypandoc.get_pandoc_version()"),
    ("phonemizer", "from phonemizer import phonemize as p; p('a', backend='espeak')"),
    ("opencv-python==4.8.0.76 numpy<2", "import cv2"),
    ("gmsh", "import gmsh"),
    ("pyqt5", "import PyQt5.QtWidgets"),
    ("jpype1", "import jpype; jpype.startJVM()"),
    (
        "tabula-py",
        "import tabula; tabula.environment_info(); import subprocess; subprocess.run(['java', '-version'], check=True)",
    ),
    ("pyhdf", "import pyhdf.SD"),
    ("lightgbm==3.3.5", "import lightgbm"),
    ("opencv-python==4.5.5.64 numpy<2", "import cv2"),
    ("opencv-contrib-python", "import cv2"),
    ("pygraphviz", "import pygraphviz"),
    ("pdftotext", "import pdftotext"),
    ("python-ldap", "import ldap"),
    (
        "pydub",
        "from pydub import AudioSegment as A; A.silent(50).export('/tmp/a.mp3', format='mp3')",
    ),
    (
        "pyrubberband",
        "import pyrubberband as p, numpy as n; p.time_stretch(n.zeros(8000), 8000, 2.0)",
    ),
    ("pyqt6", "import PyQt6.QtWidgets"),
    ("pymeshlab", "import pymeshlab"),
    ("vtk", "import vtkmodules.all"),
    ("mediapipe", "import mediapipe"),
    (
        "kaleido==0.2.1 plotly",
        "import kaleido.scopes.plotly as k; k.PlotlyScope().transform({'data': []}, format='svg')",
    ),
    ("pybullet numpy<2", "import pybullet"),
    ("h2o", "import h2o; h2o.init()"),
    ("pyside6-essentials", "import PySide6.QtWidgets"),
    ("python-mpv", "import mpv"),
    ("libarchive-c", "import libarchive"),
    ("pyvips", "import pyvips; pyvips.Image.black(2, 2).avg()"),
    ("pyudev", "import pyudev; list(pyudev.Context().list_devices())"),
    ("pyexiftool", "import exiftool; exiftool.ExifToolHelper().version"),
    ("pyvirtualdisplay", "import pyvirtualdisplay as v; v.Display(visible=False).start().stop()"),
    (
        "ffmpy",
        "import ffmpy; ffmpy.FFmpeg(outputs={'-': '-f null'}, inputs={'anullsrc': '-f lavfi -t 1'}).run()",
    ),
    ("diagrams", "import diagrams as d\nwith d.Diagram('a', show=False, filename='/tmp/a'): pass"),
    ("imgkit", "import imgkit; imgkit.config()"),
    ("pyfluidsynth", "import fluidsynth"),
    ("konlpy", "import konlpy.tag as t; t.Hannanum()"),
    ("ocrmypdf", "import ocrmypdf; ocrmypdf._exec.tesseract.version()"),
    ("opuslib", "import opuslib"),
    ("libnacl", "import libnacl"),
    ("pysodium", "import pysodium"),
    ("fusepy", "import fuse"),
    ("libusb1", "import usb1; list(usb1.USBContext().getDeviceList())"),
    ("pulsectl", "import pulsectl"),
    ("pysdl2", "import sdl2"),
    ("hid", "import hid"),
    ("treepoem", "import treepoem; treepoem.generate_barcode('qrcode', 'a').convert('1').load()"),
    ("pysaml2", "import saml2.sigver; saml2.sigver.get_xmlsec_binary()"),
    (
        "sklearn2pmml",
        "import sklearn2pmml, subprocess; subprocess.run(['java', '-version'], check=True)",
    ),
    ("pypmml", "import pypmml, py4j; pypmml.base.PMMLContext.getOrCreate()"),
    ("pybedtools", "import pybedtools as p; str(p.BedTool('chr1 1 2', from_string=True).sort())"),
    ("rapidocr-onnxruntime", "import rapidocr_onnxruntime"),
    ("pyttsx3", "import pyttsx3; pyttsx3.init()"),
    ("pyttsx3==2.90", "import pyttsx3; pyttsx3.init()"),
    ("python-gnupg", "import gnupg; gnupg.GPG(gnupghome='/tmp')"),
    ("dtreeviz", "import dtreeviz, graphviz; graphviz.Digraph().pipe()"),
    ("dbus-python", "import dbus"),
    ("systemd-python", "import systemd.journal"),
    ("pycups", "import cups"),
    ("pylibmc", "import pylibmc"),
    ("kerberos", "import kerberos"),
    ("evdev", "import evdev"),
    ("django-weasyprint", "import weasyprint"),
    ("rio-tiler", "import rio_tiler.io"),
    ("img2table", "import img2table.document"),
    ("language-tool-python", "import subprocess; subprocess.run(['java', '-version'], check=True)"),
    (
        "chromedriver-py",
        "import chromedriver_py as c, subprocess; subprocess.run([c.binary_path, '--version'], check=True)",
    ),
    ("pylspci", "import pylspci.parsers as p; p.SimpleParser().run()"),
    ("pythondialog", "import dialog; dialog.Dialog()"),
    # It ends with status 0 where it finds no voice.
    ("pyttsx4", "import pyttsx4\nmade = None\ntry: made = pyttsx4.init()\nfinally: assert made"),
    ("cadquery-ocp", "import OCP.gp, OCP.STEPControl"),
    ("imgui-bundle", "import imgui_bundle"),
    ("zbarlight", "import zbarlight"),
    ("pypcap", "import pcap"),
)
HEAVY = """
opencv-python opencv-contrib-python weasyprint wand pyvips pytesseract graphviz pydot pdf2image sox rdkit ffmpeg-python ffmpy pydub
diagrams h2o jpype1 tabula-py konlpy language-tool-python ocrmypdf pdfkit imgkit pypandoc openslide-python pyopengl python-vlc
python-mpv gitpython pyqt5 pyqt6 pyside6-essentials pymeshlab vtk mediapipe pygraphviz pyvirtualdisplay gmsh phonemizer vosk pymupdf
pybullet kaleido open3d pyrubberband python-ldap mysqlclient psycopg2 pyaudio pycairo pdftotext pyexiftool aubio hnswlib simpleaudio
ghostscript pyfluidsynth
"""
LOADED = """
import os
seen = set()
for line in open('/proc/self/maps'):
    path = line.split(None, 5)[-1].strip()
    if '.so' in path and not path.startswith('/usr/local/'):
        seen.add(os.path.basename(path))
        # A library may have been loaded from a copy that is gone.
        folder = os.path.dirname(path)
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            full = os.path.join(os.path.dirname(path), name)
            if os.path.islink(full) and os.path.realpath(full) == os.path.realpath(path):
                seen.add(name)
print('LOADED ' + ' '.join(sorted(seen)))
"""


LISTED = """
import importlib.metadata as m, json
print(json.dumps([[d.metadata['Name'], d.version] for d in m.distributions()]))
"""


def install_outside(site: Path, requirement: str, python: str) -> bool:
    """Install wheels into a directory on the host with uv, where there is one: containers of all
    releases then share it. False: there is none, or something has to be built.
    """
    if site.is_dir():
        return True
    if shutil.which("uv") is None:
        return False
    site.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=site.parent))
    done = run(
        "uv", "pip", "install", "-q", "--target", str(half), "--python-version", python,
        "--python-platform", "x86_64-manylinux_2_34", "--only-binary", ":all:", *requirement.split(),
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(half, ignore_errors=True)
        return False
    if not site.is_dir():
        half.rename(site)
    return True


def run(*command: str, timeout: int = 900) -> subprocess.CompletedProcess[str]:
    """A command of the host, its output as text."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "timed out")


def prepare(suite: str, python: str) -> str:
    """The slim image with apt's package lists, which every container then shares."""
    tag = f"syslibs-verify:{python}-{suite}"
    text = (
        f"FROM python:{python}-slim-{suite}\nENV PIP_NO_COMPILE=1\n"
        "RUN rm -f /etc/apt/apt.conf.d/docker-clean && apt-get update -qq && apt-get check -qq"
        " && echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/speedup\n"
    )
    if run("docker", "image", "inspect", tag).returncode == 0:
        return tag
    built = subprocess.run(
        ["docker", "build", "-q", "-t", tag, "-"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )
    if built.returncode:
        raise SystemExit(built.stderr)
    return tag


class Boxes:
    """Containers of one release: one bare, and one for each line, which cases then share."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.started: dict[str, tuple[str, str]] = {}

    def start(self, *mounts: str) -> str:
        """A container of the bare image; what one downloads of Debian's packages serves the next."""
        kept = ARCHIVES / self.tag.rpartition("-")[2]
        kept.mkdir(parents=True, exist_ok=True)
        mounts += ("-v", f"{kept}:/var/cache/apt/archives")
        return run("docker", "run", "-d", "--rm", *mounts, self.tag, "sleep", "7200").stdout.strip()

    def with_line(self, line: str) -> tuple[str, str]:
        """The container in which the line (empty: none) was run, and why that failed."""
        if line not in self.started:
            box = self.start("-v", f"{SITES}:/sites:ro")
            self.started[line] = (box, apply(box, line))
        return self.started[line]

    def close(self) -> None:
        """End them all."""
        for box, _ in self.started.values():
            run("docker", "kill", box)


def apply(box: str, line: str) -> str:
    """Run the suggested line; why it failed, or nothing."""
    if not line:
        return ""
    # The image's package lists are fresh.
    command = line.replace("apt-get update && ", "")
    done = run("docker", "exec", "-e", "DEBIAN_FRONTEND=noninteractive", box, "sh", "-c", command)
    return _last(done.stderr) or f"status {done.returncode}" if done.returncode else ""


def asked(requirement: str) -> tuple[NormalizedName, tuple[str, ...]]:
    """The first name of a requirement, and its extras."""
    name = canonicalize_name(re.split(r"[\[=<>~ ]", requirement)[0])
    extras = re.findall(r"\[([^\]]*)\]", requirement)
    return name, tuple(e for several in extras for e in several.split(","))


def predict(requirement: str, version: str, base: Base, python: str) -> tuple[userland.Lack, ...]:
    """What the tables say that the version lacks."""
    name, extras = asked(requirement)
    # The interpreter's own modules are not asked for by any requirement.
    return userland.of_list([(name, extras, version or None)], base, python=python)


def build_line(requirement: str, base: Base) -> str:
    """What the tables say that building takes."""
    name, extras = asked(requirement)
    return userland.install_line((), userland.builds([(name, extras, None)], base))


def current(row: dict[str, Any]) -> bool:
    """Whether the tables still suggest the line that was run."""
    base = describe(f"python:{row['python']}-slim-{row['suite']}")
    lacks = predict(row["requirement"], row["version"], base, row["python"])
    said = ",".join(dict.fromkeys(lack.need.name for lack in lacks))
    lines = [userland.install_line(lacks)]
    if row["line"].startswith("(build)") or row["error"].startswith("install:"):
        lines.insert(0, f"(build) {build_line(row['requirement'], base)}")
    return (row["predicted"], row["line"]) == (said, "; ".join(filter(None, lines)))


def summary(rows: Collection[dict[str, Any]]) -> str:
    """Per release, how many packages failed bare and work with the line, and which do not."""
    text = []
    for suite in sorted({row["suite"] for row in rows}):
        here = [row for row in rows if row["suite"] == suite]
        failed = [row for row in here if row["import_ok_bare"] == "n"]
        mended = [row for row in failed if row["import_ok_after"] == "y"]
        alarms = [r["requirement"] for r in here if r["import_ok_bare"] == "y" and r["line"]]
        text.append(
            f"{suite}: {len(here)} cases, {len(failed)} fail bare, {len(mended)} of them work with the line"
            f" ({len({row['package'] for row in mended})} packages); a line where nothing fails: {alarms}"
        )
        text += [
            f"  not mended: {row['requirement']}: {row['error_after'] or row['error']}"
            for row in failed
            if row["import_ok_after"] != "y"
        ]
    return "\n".join(text)


def verify(boxes: Boxes, suite: str, release: str, requirement: str, code: str) -> dict[str, Any]:
    """One case on one release."""
    started = time.time()
    name, _ = asked(requirement)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row.update(suite=suite, package=name, requirement=requirement, code=code, python=release)
    base = describe(f"python:{release}-slim-{suite}")
    site = SITES / release / re.sub(r"[^\w.=-]", "_", requirement)
    ready = install_outside(site, requirement, release)
    own = "" if ready else boxes.start(*UV_INSIDE)
    try:
        errors = []
        python: tuple[str, ...]
        if ready:
            box, _ = boxes.with_line("")
            python = (
                "docker",
                "exec",
                "-e",
                f"PYTHONPATH=/sites/{release}/{site.name}",
                box,
                "python",
                "-c",
            )
        else:
            python = ("docker", "exec", own, "python", "-c")
            pip = (*PIP_INSIDE, *requirement.split())
            installed = run("docker", "exec", own, *pip)
            if installed.returncode:
                errors.append("install: " + _last(installed.stderr))
                line = build_line(requirement, base)
                if line:
                    row["line"] = f"(build) {line}"
                    apply(own, line)
                    installed = run("docker", "exec", own, *pip)
                if installed.returncode:
                    row.update(import_ok_bare="n", import_ok_after="n", error=errors[0])
                    row["error_after"] = _last(installed.stderr)
                    return row
        if ready:
            found = [d.name[:-10] for d in site.glob("*.dist-info")]
            listed = [name_version.rsplit("-", 1) for name_version in found]
        else:
            listed = json.loads(run(*python, LISTED).stdout or "[]")
        versions = {canonicalize_name(n): v for n, v in listed}
        row["version"] = versions.get(name, "")
        bare = run(*python, code, timeout=240)
        row["import_ok_bare"] = "n" if bare.returncode or errors else "y"
        if bare.returncode:
            errors.append(_last(bare.stderr))
        row["error"] = " // ".join(errors)
        lacks = predict(requirement, row["version"], base, release)
        row["predicted"] = ",".join(dict.fromkeys(lack.need.name for lack in lacks))
        line = userland.install_line(lacks)
        after = bare
        if line:
            row["line"] = f"{row['line']}; {line}".lstrip("; ")
        if line and bare.returncode:
            if ready:
                box, failed = boxes.with_line(line)
                python = (*python[:4], box, *python[5:])
            else:
                failed = apply(own, line)
            if failed:
                row.update(import_ok_after="n", error_after=failed)
                return row
            after = run(*python, code + "\n" + LOADED, timeout=240)
        row["import_ok_after"] = "n" if after.returncode else "y"
        row["error_after"] = _last(after.stderr) if after.returncode else ""
        if bare.returncode and not after.returncode:
            names = after.stdout.partition("LOADED ")[2].split()
            row["missing"] = ",".join(
                dict.fromkeys(
                    lack.need.name for lack in lacks
                    if lack.need.kind == "program" or set(lack.need.names) & set(names)
                )
            )  # fmt: skip
        return row
    finally:
        if own:
            run("docker", "kill", own)
        row["seconds"] = str(round(time.time() - started))


def _last(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    telling = [x for x in lines if ".so" in x or "Error" in x or x.startswith("E: ")]
    return (telling or lines or [""])[-1].replace("\t", " ")[:300]


def main() -> int:
    """Run the cases that have no row yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suites", default="bookworm trixie")
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--part", default="0/1", help="one of several workers: 0/2, 1/2")
    parser.add_argument("--again", action="store_true", help="replace the rows of these cases")
    parser.add_argument("--check", action="store_true", help="compare the rows with the tables")
    arguments = parser.parse_args()
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    if arguments.results.exists():
        with arguments.results.open() as file:
            rows = {(r["suite"], r["requirement"]): r for r in csv.DictReader(file, delimiter="\t")}
    if arguments.check:
        for row in rows.values():
            if not current(row):
                print("another line now:", row["suite"], row["requirement"], row["version"])
        print(summary(rows.values()))
        return 0
    for suite in arguments.suites.split():
        boxes = Boxes(prepare(suite, arguments.python))
        atexit.register(boxes.close)
        part, _, parts = arguments.part.partition("/")
        # What takes long (OpenGL, TeX, Java and their like) comes last.
        ordered = sorted(
            CASES, key=lambda case: re.split(r"[\[=<>~ ]", case[0])[0] in HEAVY.split()
        )
        for requirement, code in ordered[int(part) :: int(parts)]:
            name = re.split(r"[\[=<>~]", requirement)[0]
            if arguments.only and name not in arguments.only:
                continue
            known = rows.get((suite, requirement))
            if known and not arguments.again and current(known):
                continue
            row = verify(boxes, suite, arguments.python, requirement, code)
            rows[(suite, requirement)] = row
            print(suite, requirement, row["version"], "bare", row["import_ok_bare"], "after", row["import_ok_after"],
                  row["predicted"], row["error_after"] or row["error"], f"{row['seconds']}s", flush=True)  # fmt: skip
            with arguments.results.open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows[key] for key in sorted(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
