"""Needs of distributions against what bases and apt bring."""

from __future__ import annotations

import pytest

from auditor.deployment.base import describe
from auditor.deployment.model import SystemPackage
from auditor.linking import sonames, userland
from auditor.source import Location

AT = Location("Dockerfile", 1)


def missing(
    names: list[str], base: str = "python:3.11-slim-bookworm", apt: tuple[str, ...] = ()
) -> dict[str, str | None]:
    """Missing library or program → the package to install."""
    roots = []
    for text in names:
        name, _, version = text.partition("==")
        roots.append((name, (), version or None))
    packages = tuple(SystemPackage(name=p, manager="apt", at=AT, recommends=False) for p in apt)
    lacks = userland.of_list(roots, describe(base), packages=packages, python="3.11")
    return {x.need.name: x.package for x in lacks}


def test_the_package_is_named_as_the_release_names_it() -> None:
    assert missing(["lightgbm"]) == {"libgomp.so.1": "libgomp1"}
    assert missing(["weasyprint"])["libgobject-2.0.so.0"] == "libglib2.0-0"
    trixie = missing(["weasyprint"], "python:3.11-slim-trixie")
    # Right on both: the older name, which the newer release still takes.
    assert trixie["libgobject-2.0.so.0"] == "libglib2.0-0"
    assert sonames.release("trixie").library("libgobject-2.0.so.0") == "libglib2.0-0t64"
    assert missing(["wand"], "python:3.13-slim-trixie").values() != missing(["wand"]).values()


@pytest.mark.parametrize("packages", [("libgomp1",), ("gcc",), ("build-essential",), ("ffmpeg",)])
def test_a_dependency_of_what_is_installed_will_do(packages: tuple[str, ...]) -> None:
    assert missing(["lightgbm"], apt=packages) == {}


def test_what_does_not_bring_it_does_not_satisfy() -> None:
    assert missing(["lightgbm"], apt=("curl", "libsm6")) == {"libgomp.so.1": "libgomp1"}
    assert "libGL.so.1" in missing(["opencv-python"], apt=("libsm6", "libxext6"))
    assert "libGL.so.1" not in missing(["opencv-python"], apt=("ffmpeg",))


def test_the_full_image_has_compilers_and_glib_but_no_opengl() -> None:
    assert missing(["lightgbm"], "python:3.11-bookworm") == {}
    wanted = missing(["opencv-python"], "python:3.11-bookworm")
    assert "libGL.so.1" in wanted and "libgthread-2.0.so.0" not in wanted


def test_brought_along_by_another() -> None:
    assert missing(["ultralytics"])["libGL.so.1"] == "libgl1"
    assert missing(["cairosvg"]) == {"libcairo.so.2": "libcairo2"}


@pytest.mark.parametrize(
    "name", ["numpy", "pandas", "scikit-learn", "pillow", "opencv-python-headless", "mlflow",
             "gradio", "streamlit", "psycopg2-binary", "shapely", "pyarrow", "librosa", "transformers"]
)  # fmt: skip
def test_packages_that_import_cleanly_lack_nothing(name: str) -> None:
    assert missing([name]) == {}


def test_a_program_is_needed_by_those_who_name_it() -> None:
    assert missing(["pytesseract"]) == {"tesseract": "tesseract-ocr"}
    assert missing(["pytesseract"], apt=("tesseract-ocr",)) == {}
    # mlflow brings GitPython along and does without git.
    assert missing(["gitpython"]) == {"git": "git"}


def test_a_wheel_that_brings_the_library_spares_it() -> None:
    roots = [("psycopg", ("binary",), None)]
    assert userland.of_list(roots, describe("python:3.11-slim-bookworm")) == ()
    assert missing(["psycopg"]) == {"libpq.so.5": "libpq5"}


def test_versions_differ() -> None:
    assert missing(["soundfile==0.10.3.post1"]) == {"libsndfile.so.1": "libsndfile1"}
    assert missing(["soundfile==0.12.1"]) == {}


def test_an_unknown_base_is_unsure() -> None:
    known = userland.of_list([("lightgbm", (), None)], describe("python:3.11-slim"))
    unknown = userland.of_list([("lightgbm", (), None)], describe("registry.example/ml/base:1"))
    assert all(x.sure for x in known) and not any(x.sure for x in unknown)
    ubuntu = userland.of_list([("lightgbm", (), None)], describe("ubuntu:24.04"))
    assert ubuntu and not any(x.verified for x in ubuntu)


def test_alpine_has_names_of_its_own() -> None:
    lacks = userland.of_list([("cairosvg", (), None)], describe("python:3.11-alpine"))
    assert userland.install_line(lacks) == "apk add --no-cache cairo"


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("registry.access.redhat.com/ubi9/python-311", "dnf install -y 'libgomp.so.1()(64bit)'"),
        ("nvidia/cuda:12.4.1-base-ubi8", "dnf install -y 'libgomp.so.1()(64bit)'"),
        ("public.ecr.aws/lambda/python:3.12", "dnf install -y 'libgomp.so.1()(64bit)'"),
        ("mirror.gcr.io/library/python:3.12-slim", sonames.apt_line(["libgomp1"])),
        ("ghcr.io/astral-sh/uv:0.5.4-python3.12-bookworm-slim", sonames.apt_line(["libgomp1"])),
        ("ghcr.io/astral-sh/uv:debian-slim", sonames.apt_line(["libgomp1"])),
        ("ghcr.io/astral-sh/uv:latest", ""),
        ("scratch", ""),
    ],
)
def test_every_base_has_its_own_command(base: str, line: str) -> None:
    lacks = userland.of_list([("lightgbm", (), None)], describe(base))
    assert userland.install_line(lacks) == line
    known = base.startswith(("mirror", "ghcr")) and "latest" not in base
    assert all(lack.sure is known for lack in lacks)


def test_distroless_has_nothing_to_install_with() -> None:
    lacks = userland.of_list(
        [("cairosvg", (), None)], describe("gcr.io/distroless/python3-debian12")
    )
    assert [x.manager for x in lacks] == [None] and lacks[0].package == "libcairo2"
    assert userland.install_line(lacks) == ""
    assert userland.missing(lacks)[0].apt is None


def test_one_of_several_headers_will_do() -> None:
    land = userland.Userland(describe("python:3.11-slim-bookworm"))
    assert land.lacking(["libgomp1|gcc", "libgl1"]) == ("libgomp1", "libgl1")
    full = userland.Userland(describe("python:3.11-bookworm"))
    assert full.lacking(["nothing-of-it|libpq-dev", "gcc"]) == ()
    old = userland.Userland(describe("python:3.9-slim-bullseye"))
    assert old.lacking(["libgirepository-2.0-dev|libgirepository1.0-dev"]) == (
        "libgirepository1.0-dev",
    )


def test_building_takes_a_compiler_where_there_is_none() -> None:
    slim = dict(userland.builds([("psycopg2", (), None)], describe("python:3.11-slim-bookworm")))
    assert set(slim["psycopg2"]) >= {"gcc", "libpq-dev"}
    full = dict(userland.builds([("psycopg2", (), None)], describe("python:3.11-bookworm")))
    assert not full


@pytest.mark.parametrize(
    ("name", "version", "base", "built"),
    [
        ("pandas", "1.5.3", "python:3.12-slim-bookworm", True),
        ("pandas", "1.5.3", "python:3.9-slim-bookworm", False),
        ("numpy", "2.2.1", "python:3.12-slim-bookworm", False),
        ("pyyaml", "5.3.1", "python:3.12-slim-bookworm", False),
        ("pandas", "1.5.3", "python:3.12-bookworm", False),
        ("dlib", None, "python:3.12-slim-bookworm", True),
    ],
)
def test_what_pip_compiles_depends_on_the_interpreter(
    name: str, version: str | None, base: str, built: bool
) -> None:
    assert bool(userland.builds([(name, (), version)], describe(base))) is built


@pytest.mark.parametrize(
    ("suite", "package", "kind"),
    [
        ("bookworm", "libgl1-mesa-glx", "real"),
        ("trixie", "libgl1-mesa-glx", "none"),
        ("trixie", "libglib2.0-0", "virtual"),
        ("bookworm", "netcat", "choice"),
        ("bookworm", "ttf-mscorefonts-installer", "none"),
        ("bullseye", "librust-serde-dev", None),
        ("bookworm", "a;b=", "none"),
    ],
)
def test_what_a_release_has(suite: str, package: str, kind: str | None) -> None:
    assert sonames.release(suite).kind(package) == kind


@pytest.mark.parametrize(
    ("package", "instead"),
    [("libgl1-mesa-glx", "libgl1"), ("netcat", "netcat-openbsd"), ("libtiff5", "libtiff6"),
     ("libaio1", "libaio1t64"), ("python3-distutils", "python3-setuptools")],
)  # fmt: skip
def test_replacements(package: str, instead: str) -> None:
    assert sonames.release("trixie").replacement(package) == instead


def test_recommended_packages_count_where_they_are_installed() -> None:
    release = sonames.release("bookworm")
    assert "libc6-dev" not in release.brings(["gcc"], recommends=False)
    assert "libc6-dev" in release.brings(["gcc"], recommends=True)


@pytest.mark.parametrize("suite", sonames.SUITES)
def test_every_row_of_a_release_is_found_in_its_part(suite: str) -> None:
    release = sonames.Release(suite)
    for section, look in (("packages", release._row), ("libraries", release.library)):
        rows = [
            r.partition("=")[::2] for p in release._rows.parts(section) for r in p.split(";") if r
        ]
        assert len(rows) > 1_000 and len(dict(rows)) == len(rows)
        for key, row in rows[::17]:
            assert look(key) == row
        # The first and the last of every part are where a part could be missed.
        for number in range(len(release._rows.head["sections"][section])):
            part = [r for r in release._rows.part(section, number).split(";") if r]
            for row in (part[0], part[-1]):
                assert look(row.partition("=")[0]) == row.partition("=")[2]
        assert look("") is None and look("~~~~") is None


@pytest.mark.parametrize(
    ("name", "lacks", "spared"),
    [
        ("opencv-python==4.1.2.30", "libSM.so.6", "libGL.so.1"),
        ("opencv-python==4.4.0.46", "libGL.so.1", "libSM.so.6"),
        ("opencv-python-headless==4.2.0.34", "libgthread-2.0.so.0", "libGL.so.1"),
        ("xgboost==0.90", "libgomp.so.1", ""),
    ],
)
def test_old_wheels_ask_for_other_libraries(name: str, lacks: str, spared: str) -> None:
    found = missing([name])
    assert lacks in found
    assert spared not in found
    assert "libgomp.so.1" not in missing(["xgboost==1.3.3"])


def test_extras_of_what_is_brought_along() -> None:
    # paddleocr asks for paddlex[ocr-core], and that for OpenCV.
    assert missing(["paddleocr"])["libGL.so.1"] == "libgl1"


def test_a_runtime_that_links_manuals_gets_their_directory() -> None:
    lacks = userland.of_list([("tabula-py", (), None)], describe("python:3.11-slim-bookworm"))
    line = userland.install_line(lacks)
    assert line.startswith("mkdir -p /usr/share/man/man1 && apt-get update && ")
    assert "mkdir" not in sonames.apt_line(["libgl1"])


def test_a_program_whose_package_does_not_work_by_itself() -> None:
    assert missing(["unoserver"]) == {"soffice": "libreoffice"}
    assert missing(["unoserver"], apt=("libreoffice-writer",)) == {}


@pytest.mark.parametrize(
    ("packages", "lacking"),
    [((), True), (("pango",), False), (("pango-dev",), False), (("curl",), True)],
)
def test_alpine_packages_bring_what_their_libraries_ask_for(
    packages: tuple[str, ...], lacking: bool
) -> None:
    there = tuple(SystemPackage(name=p, manager="apk", at=AT) for p in packages)
    base = describe("python:3.12-alpine")
    lacks = userland.of_list([("weasyprint", (), None)], base, packages=there)
    assert ("libgobject-2.0.so.0" in {x.need.name for x in lacks}) is lacking
    assert all(x.sure for x in lacks)
    unknown = SystemPackage(name="something-else", manager="apk", at=AT)
    (first, *_) = userland.of_list([("weasyprint", (), None)], base, packages=(unknown,))
    assert not first.sure


@pytest.mark.parametrize(
    ("suite", "package", "instead"),
    [
        ("bookworm", "libicu67", "libicu72"),
        ("trixie", "libicu67", "libicu76"),
        ("bookworm", "python3.9-dev", "python3.11-dev"),
        # The last number first: x264 is not a version.
        ("bookworm", "libx264-160", "libx264-164"),
        ("trixie", "libmagickwand-6.q16-6", "libmagickwand-7.q16-10"),
        ("bookworm", "libtbb2", "libtbb12"),
        ("trixie", "nothing-of-the-kind9", None),
        ("trixie", "python2.7", None),
    ],
)
def test_the_same_package_under_another_number(
    suite: str, package: str, instead: str | None
) -> None:
    assert sonames.release(suite).replacement(package) == instead


def test_every_program_of_a_release_has_its_package() -> None:
    for suite in sonames.SUITES:
        assert sonames.release(suite).program("tmux") == "tmux"
        assert sonames.release(suite).program("no-such-program") is None
    # Older suites say where they differ: what they lack, and what another package has there.
    assert sonames.release("bookworm").program("7z") == "p7zip-full"
    assert sonames.release("trixie").program("7z") == "7zip"
    assert sonames.release("trixie").program("fastfetch") == "fastfetch"
    assert sonames.release("bullseye").program("fastfetch") is None


def test_a_slim_image_has_the_programs_of_every_system() -> None:
    land = userland.Userland(describe("python:3.11-slim-bookworm"))
    for name, there in (("tar", True), ("find", True), ("tmux", False)):
        assert land.meets(sonames.Need(distribution="x", names=(name,), kind="program")) is there


def test_a_wheel_brings_what_a_build_would_link() -> None:
    # 0.8.0 has wheels, 0.7.1 only for interpreters that are gone.
    assert missing(["pyheif==0.8.0"]) == {}
    base = describe("python:3.11-slim-bookworm")
    assert userland.builds([("pyheif", (), "0.8.0")], base) == ()
    assert "libpq.so.5" in missing(["psycopg2"])


def test_what_is_made_during_the_build_takes_a_compiler_all_the_same() -> None:
    # No C file lies in its archive: cffi writes it.
    named = dict(
        userland.builds([("psycopg2cffi", (), None)], describe("python:3.11-slim-bookworm"))
    )
    assert {"gcc", "libpq-dev"} <= set(named["psycopg2cffi"])


def test_who_requires_a_bridge_to_java_runs_it() -> None:
    assert missing(["python-pdfbox"])["java"] == "default-jre-headless"
    # It brings ffmpy, and does without ffmpeg until somebody asks for a video.
    assert "ffmpeg" not in missing(["gradio"])


@pytest.mark.parametrize(
    "name", ["torch", "tensorflow", "ipython", "asyncssh", "matplotlib", "pyproj", "eccodes"]
)
def test_nothing_is_installed_for_what_is_loaded_in_passing(name: str) -> None:
    assert userland.knows(name)
    lacks = userland.of_list([(name, (), None)], describe("python:3.11-slim-bookworm"))
    assert userland.install_line(lacks) == ""


def test_what_an_image_of_another_maker_has_besides_its_distribution_is_not_known() -> None:
    """Its tag names the release; what its maker added does not stand there."""
    image = "mcr.microsoft.com/playwright/python:v1.49.0-jammy"
    (lack,) = userland.of_list([("lightgbm", (), None)], describe(image))
    assert (lack.package, lack.sure) == ("libgomp1", False)
    assert "besides ubuntu" in lack.reason
    (lack,) = userland.of_list([("lightgbm", (), None)], describe("ubuntu:22.04"))
    assert lack.sure


def test_a_tag_names_a_release_by_its_number() -> None:
    for tag, suite in (("3.11-debian-12", "bookworm"), ("3.11.4-debian-11-r0", "bullseye")):
        base = describe(f"bitnami/python:{tag}")
        assert (base.distro, base.release, base.flavour) == ("debian", suite, None)


def test_what_comes_along_and_is_in_no_table_is_not_known() -> None:
    assert "traits" in userland.unread_of([("mayavi", (), None)], python="3.11")
    # Read, executed along with another one, or read with what brings it.
    for name in ("netcdf4", "torch", "transformers"):
        assert userland.unread_of([(name, (), None)], python="3.11") == ()
    # What is asked for by name is more than what was there when another one ran.
    assert userland.knows("nvidia-cublas", along=True)
    assert not userland.knows("nvidia-cublas")


def test_releases_whose_wheels_do_not_bring_the_library() -> None:
    assert missing(["eccodes==1.6.1"]) == {"libeccodes.so.0": "libeccodes0"}
    assert missing(["pymediainfo==6.1.0"]) == {"libmediainfo.so.0": "libmediainfo0v5"}
    assert missing(["eccodes==2.50.0", "pymediainfo==7.0.1"]) == {}
    # It is installed with it, and imported by some functions alone.
    assert "libGL.so.1" not in missing(["layoutparser"])
