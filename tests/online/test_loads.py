"""Libraries that Python code loads by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.linking import elf, sonames
from auditor.online import loads, needs, texts


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import ctypes.util as u\nu.find_library('magic')", {"magic"}),
        ("lib = CDLL('libpq.so.5')", {"libpq.so.5"}),
        ("ffi.dlopen('libcairo-2.dll' or 'libcairo.so.2')", {"libcairo.so.2"}),
        ("_dlopen(ffi, 'pango-1.0', ('libpango-1.0.so.0',))", {"pango-1.0", "libpango-1.0.so.0"}),
        ("for n in ['a.dll', 'zbar']:\n  find_library(n)", {"zbar"}),
        ("find_library('c'); CDLL(None); CDLL('libc.so.6'); CDLL(name)", set()),
        ("print('libpq.so.5')", set()),
        ("find_library('x' if", set()),
        ("find_library('/opt/lib/x.so')", set()),
    ],
)
def test_names_in_loader_calls(source: str, found: set[str]) -> None:
    assert loads.asked(source).libraries == found


@given(st.text(alphabet="find_lbray(CDL)'\"\\\n\t .so1,[]", max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(loads.asked(text + "find_library(").libraries, frozenset)


def test_a_name_without_a_version_is_every_version() -> None:
    release = sonames.release("bookworm")
    assert release.versions_of("magic") == ("libmagic.so.1",)
    assert release.versions_of("libmagic.so.1") == ("libmagic.so.1",)
    assert release.versions_of("libmagic.so.9") == release.versions_of("no-such-thing") == ()


def test_names_that_are_tried_in_turn_are_one_library() -> None:
    """What loads three libraries under eight names is no windowing toolkit."""
    from auditor.online.needs import as_needs

    names = ["glib", "glib-2.0", "gobject", "gobject-2.0", "pango", "pango-1", "pango-1.0", "lib"]
    facts = {
        "elf": {}, "libraries": names, "early": names, "programs": [], "jars": False,
        "summary": "Bindings", "compiled": False,
    }  # fmt: skip
    found = {need.names[0]: need.when for need in as_needs("bindings", facts) if not need.hint}
    assert found == dict.fromkeys(
        ("libglib-2.0.so.0", "libgobject-2.0.so.0", "libpango-1.0.so.0"), "import"
    )
    many = ["X11", "Xext", "Xi", "Xrandr"]
    facts = {**facts, "libraries": many, "early": many}
    assert all(need.hint for need in as_needs("bindings", facts))


def test_a_library_whose_name_is_not_written() -> None:
    source = "from ctypes.util import find_library\ndef load(name):\n    return find_library({})\n"
    assert loads.asked(source.format("style.format(name)")).blind
    assert not loads.asked(source.format("'openal'")).blind


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os, subprocess\nsubprocess.run([os.environ.get('DOT', 'dot'), '-V'])", {"dot"}),
        ("from subprocess import check_output\ncheck_output('pdfinfo a', shell=True)", {"pdfinfo"}),
        ("from elsewhere import run\nrun('pdfinfo')", set()),
        ("import subprocess as s\ndef go(cmd):\n    s.Popen(cmd)\ngo(['sox', 'a'])", {"sox"}),
        (
            "def path(name, where):\n    where = os.path.join(where, name)\n    return where\n"
            "Popen([path('pdftoppm', w)])",
            {"pdftoppm"},
        ),
        ("start = subprocess.Popen\nstart(['git', 'init'])", {"git"}),
        ("cmd = []\ncmd.append('java')\ncmd.append('tar')\nPopen(cmd)", {"java"}),
        ("cmd = []\ncmd += ['java', '-jar']\nPopen(cmd)", {"java"}),
        ("Popen('%s -i %s' % (TOOL, x))\nTOOL = 'ffmpeg'", {"ffmpeg"}),
        ("Popen(f'{TOOL} -i {x}', shell=True)\nTOOL = 'ffmpeg'", {"ffmpeg"}),
        ("Popen(' '.join(['ffmpeg', '-i']))", {"ffmpeg"}),
        ("Popen('ffmpeg -i {}'.format(x).split())", {"ffmpeg"}),
        ("def go(self, cmd):\n    Popen(cmd)\ngo(self)", set()),
        ("def go(*cmd):\n    Popen(cmd)\ngo(*given)", set()),
        ("a = b\nb = a\nPopen(a)", set()),
        ("def f(x):\n    return f(x)\nPopen(f(y))", set()),
    ],
)
def test_programs_behind_names(source: str, found: set[str]) -> None:
    assert loads.asked(source).programs == found


def test_programs_behind_the_names_of_other_modules() -> None:
    """Graphviz builds its command in one module and runs it in another."""
    sources = {
        "tool.names": "from pathlib import Path\nDOT = Path('dot')\ndef command(kind):\n    return [DOT, kind]\n",
        "tool.run": "import subprocess\ndef checked(cmd, quiet):\n    return subprocess.run(cmd)\n",
        "tool.draw": "from . import names, run\ndef draw():\n    cmd = names.command('-T')\n    run.checked(cmd, True)\n",
        "tool.other": "def checked(cmd):\n    pass\nchecked(['java'])\n",
        "tool.bad": "checked(run, (",
    }

    code = texts.Code({name: text.__str__ for name, text in sources.items()})
    assert loads.asked(sources["tool.run"], code, "tool.run").programs == {"dot"}
    assert loads.asked(sources["tool.run"]).programs == set()


def test_a_library_beside_the_code_is_not_looked_for_by_the_loader() -> None:
    assert loads.asked("CDLL(os.path.join(here, 'libown.so.1'))").libraries == set()


@given(st.text(alphabet="abP()=[],.:'\n defrtun*", max_size=120))
def test_any_code_is_followed(text: str) -> None:
    assert isinstance(loads.asked(f"{text}\nPopen(a)\nPopen(b)").programs, frozenset)


def test_plugins_of_a_wheel_of_libraries_are_no_need_of_it() -> None:
    """Of several libraries that nothing in the wheel links nobody knows which are opened."""

    def one(*needed: str) -> elf.ElfFacts:
        return elf.ElfFacts(machine=62, bits=64, needed=needed)

    alone = {"a/lib/liba.so": one("libgomp.so.1", "libb.so"), "a/lib/libb.so": one("libGL.so.1")}
    assert needs._missing(alone, frozenset()) == {"libgomp.so.1": "opened", "libGL.so.1": "opened"}
    several = {
        "a/lib/libhost.so": one("libgomp.so.1", "libc.so.6"),
        "a/lib/transport_ib.so": one("libgomp.so.1", "libibverbs.so.1"),
    }
    found = needs._missing(several, frozenset())
    assert found == {"libgomp.so.1": "opened", "libibverbs.so.1": "deep"}


class _Wheel:
    """A wheel in memory: members by name."""

    def __init__(self, **members: elf.ElfFacts) -> None:
        self.members = members
        self.names = tuple(f"tool/{name}" for name in members)

    def size(self, name: str) -> int:
        return 1 << 20

    def read(self, name: str, limit: int = -1) -> bytes:
        return name.encode()

    def metadata(self) -> str:
        return "Summary: A driver\n\n"


def test_programs_that_a_wheel_brings_need_their_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """chromedriver-py is a browser's driver and a few lines of Python."""

    def one(*needed: str) -> elf.ElfFacts:
        return elf.ElfFacts(machine=62, bits=64, needed=needed)

    def facts(wheel: _Wheel) -> dict[str, str]:
        monkeypatch.setattr(elf, "parse", lambda data: wheel.members[data.decode()[5:]])
        found = needs.facts_of(wheel, lambda what, why: None)
        assert found is not None
        return dict(found["elf"])

    driver = one("libnss3.so", "libc.so.6")
    assert facts(_Wheel(driver_linux64=driver)) == {"libnss3.so": "run"}
    several = _Wheel(driver=driver, viewer=one("libGL.so.1", "libnss3.so"))
    assert facts(several) == {"libnss3.so": "run", "libGL.so.1": "deep"}
    assert facts(_Wheel(static=one())) == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class A:\n  def __init__(self, p=None):\n    if p:\n      self.p = p\n"
         "    elif not which('fzf'):\n      raise SystemError('no fzf')", {"fzf"}),
        ("class A:\n  def __init__(self):\n    self.p = shutil.which('fzf')\n"
         "    if self.p is None:\n      log('no')\n      raise OSError", {"fzf"}),
        ("if which('sox') is None:\n  raise ImportError('sox')", {"sox"}),
        ("if (p := which('sox')) is None:\n  raise ImportError", {"sox"}),
        ("if which('sox') is None:\n  warn('sox')", set()),
        ("def late():\n  if which('sox') is None:\n    raise OSError", set()),
        ("try:\n  if which('sox') is None:\n    raise OSError\nexcept OSError:\n  pass", set()),
    ],
)  # fmt: skip
def test_programs_that_are_demanded_at_once(source: str, found: set[str]) -> None:
    assert loads.asked(source).demanded == found


def test_programs_that_code_looks_for_in_path_itself() -> None:
    source = (
        "def find():\n  for item in os.{}.split(os.pathsep):\n"
        "    for name in ('google-chrome', 'chromium'):\n      seen.append(item + name)\n  {}\n"
    )
    for path in ("environ.get('PATH')", "environ['PATH']", "getenv('PATH')"):
        asked = loads.asked(source.format(path, "raise OSError"))
        assert asked.programs == asked.demanded == {"google-chrome", "chromium"}
    assert loads.asked(source.format("environ['PATH']", "return")).demanded == set()
    assert loads.asked(source.format("environ['HOME']", "raise OSError")).programs == set()


def test_what_is_demanded_or_named_is_no_hint() -> None:
    facts = {
        "elf": {}, "libraries": [], "early": [], "programs": ["fzf"], "jars": False,
        "summary": "Menus", "compiled": False,
    }  # fmt: skip

    def told(name: str, **more: object) -> bool:
        return next(not need.hint for need in needs.as_needs(name, {**facts, **more}))

    assert not told("menus")
    assert told("menus", demanded=["fzf"])
    assert not told("menus", demanded=["fzf"], programs=["fzf", "git"])
    assert told("pyfzf")
    assert told("menus", summary="Wrapper of the finder (fzf)")
    assert not told("menus", summary="Menus (fzf, dialog)")


def test_modules_of_the_interpreter_that_need_a_library() -> None:
    """``import tkinter`` fails in every slim image; a part of a package may do without."""
    read = {
        "gui": lambda: "from gui import window",
        "gui.window": lambda: "import tkinter",
        "kit": lambda: "",
        "kit.window": lambda: "import turtle",
    }
    found = loads.imported(read)
    assert found.surely == {"tkinter"} and found.others == {"tkinter", "turtle"}
    assert found.own == read.keys()
    facts = {
        "elf": {}, "libraries": [], "early": [], "programs": [], "jars": False,
        "summary": "", "compiled": False, "surely": ["tkinter"],
    }  # fmt: skip
    (need,) = needs.as_needs("gui", facts)
    assert (need.distribution, need.when, need.module) == ("gui", "import", "")
    assert need.names == ("libtk8.6.so",)


def test_a_part_of_a_namespace_package_is_imported_as_it_is() -> None:
    read = {
        "tiler.core": lambda: "from tiler.core.factory import make",
        "tiler.core.factory": lambda: "import rasterio",
        "tiler.core.extra": lambda: "import torch",
    }
    assert loads.imported(read).others == {"rasterio"}
