"""``deploy-audit syslibs``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditor.__main__ import main


def test_names_what_is_missing_and_one_line(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("lightgbm==4.5.0\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("cairosvg\nnumpy\n")
    status, out, _ = run("syslibs", "-r", str(file), "--base", "python:3.11-slim-bookworm")
    assert status == 1
    assert out.splitlines()[-1] == (
        "apt-get update && apt-get install -y --no-install-recommends libcairo2 libgomp1"
    )


def test_nothing_missing(run: Any) -> None:
    status, out, _ = run("syslibs", "numpy", "--base", "python:3.11-slim")
    assert (status, out) == (0, "nothing is missing on python:3.11-slim\n")


def test_json_is_the_contract(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["syslibs", "lightgbm", "--base", "python:3.11-slim", "--format", "json"]
    assert main(arguments) == 1
    (service,) = json.loads(capfd.readouterr().out)["services"]
    assert service["missing_system_libraries"] == [
        {
            "soname_or_binary": "libgomp.so.1",
            "package_needing_it": "lightgbm",
            "install": {"apt": "libgomp1", "apk": "libgomp"},
        }
    ]


def test_wrong_usage(run: Any) -> None:
    assert run("syslibs")[0] == 2
    assert run("syslibs", "-r", "/nowhere/requirements.txt")[0] == 2


def test_what_no_table_knows_is_not_clean(run: Any) -> None:
    arguments = ["no-such-thing-anywhere", "numpy", "--base", "python:3.11-slim"]
    status, out, _ = run("syslibs", *arguments)
    assert status == 0
    assert out.splitlines() == [
        "nothing of what is known is missing on python:3.11-slim",
        "NOT KNOWN: no-such-thing-anywhere",
        "  in no table, so this is not a clean answer; --online reads their files",
    ]


def test_an_extra_that_only_an_older_release_has_is_not_clean(run: Any) -> None:
    _, old, _ = run("syslibs", "camelot-py[cv]==0.11.0", "--base", "python:3.11-slim")
    assert "NOT KNOWN: camelot-py[cv]" in old
    _, has, _ = run("syslibs", "camelot-py[plot]==0.11.0", "--base", "python:3.11-slim")
    _, new, _ = run("syslibs", "camelot-py[cv]", "--base", "python:3.11-slim")
    assert "NOT KNOWN" not in has + new


def test_what_cannot_be_built_on_a_release_is_not_in_its_line(run: Any) -> None:
    arguments = ["syslibs", "pygobject==3.52.3", "lightgbm", "--base"]
    _, old, _ = run(*arguments, "python:3.11-slim-bookworm")
    assert "python:3.11-slim-bookworm has no libgirepository-2.0-dev" in old
    assert old.splitlines()[-1].endswith("--no-install-recommends libgomp1")
    _, new, _ = run(*arguments, "python:3.11-slim-trixie")
    assert "libgirepository-2.0-dev" in new.splitlines()[-1]


def test_what_no_table_knows_is_skipped_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["syslibs", "no-such-thing-anywhere", "numpy", "--base", "python:3.11-slim"]
    assert main([*arguments, "--format", "json"]) == 0
    (skipped,) = json.loads(capfd.readouterr().out)["skipped"]
    assert skipped["path"] == "no-such-thing-anywhere"
    assert "not known" in skipped["reason"]


@pytest.mark.parametrize("base", ["python:3.12-alpine", "ubuntu:22.04"])
def test_names_that_were_not_tried_out(base: str, run: Any) -> None:
    assert "likely, not tried out" in run("syslibs", "weasyprint", "--base", base)[2]
    assert "likely" not in run("syslibs", "weasyprint", "--base", "python:3.12-slim-trixie")[2]


def test_what_has_no_name_is_not_known(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("flask==3.0.0\n-e ./service\n")
    status, out, _ = run("syslibs", "-r", str(file), "/somewhere/else")
    assert status == 0
    assert "nothing of what is known is missing" in out
    assert "NOT KNOWN: ./service, /somewhere/else" in out


def test_what_has_no_name_is_skipped_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["syslibs", "./service", "--format", "json"]) == 0
    skipped = json.loads(capfd.readouterr().out)["skipped"]
    assert [item["path"] for item in skipped] == ["./service"]


def test_what_goes_with_a_program(run: Any) -> None:
    """A document takes fonts and styles besides the program; their names are Debian's."""
    code, out, _ = run("syslibs", "pylatex", "--base", "python:3.11-slim-bookworm")
    assert code == 1
    line = out.splitlines()[-1].split()
    assert {"texlive-latex-base", "texlive-latex-extra", "lmodern"} <= {*line}
    _, out, _ = run("syslibs", "pylatex", "--base", "python:3.11-alpine")
    assert "texlive-latex-extra" not in out


def test_images_have_no_perl_but_the_least(run: Any) -> None:
    """Debian's images are made with a merged /usr, not converted to one by a Perl script."""
    from auditor.linking import sonames

    for suite in ("bookworm", "trixie"):
        assert "perl-base" in (sonames.release(suite).base("slim") or ())
        assert "perl" not in (sonames.release(suite).base("slim") or ())
        assert "perl" in (sonames.release(suite).base("full") or ())


def test_old_releases_without_a_wheel_are_built(run: Any) -> None:
    """The newest release has a wheel; the pinned one has none for Linux."""
    _, out, _ = run("syslibs", "gmpy2==2.0.8", "--base", "python:3.9-slim-bookworm")
    assert "gmpy2 is built from source" in out
    assert "libmpfr-dev" in out
    code, _, _ = run("syslibs", "gmpy2==2.2.1", "--base", "python:3.11-slim-bookworm")
    assert code == 0


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("alpine:3.20", "Python 3.12, as alpine:3.20 packages it"),
        ("debian:12-slim", "Python 3.11, as debian:12-slim packages it"),
        ("mycorp/base:1", "what is built from source is said for Python 3.12"),
    ],
)
def test_what_is_built_where_the_base_names_no_python(base: str, said: str, run: Any) -> None:
    """The wheels are those of the release's own interpreter, whose headers are a package."""
    status, out, err = run("syslibs", "psycopg2==2.9.10", "--base", base)
    assert status == 1
    assert "psycopg2 is built from source" in out
    assert ("python3-dev" in out) is (base != "mycorp/base:1")
    assert said in err


def test_a_musl_base_without_a_python_is_not_clean(run: Any) -> None:
    status, out, err = run("syslibs", "opencv-python==4.10.0.84", "--base", "alpine:3.20")
    assert status == 1
    assert "opencv-python is built from source, which takes at least g++ musl-dev" in out
    assert "likely, not tried out" in err


def test_a_release_that_no_table_has_is_possible(run: Any) -> None:
    _, _, err = run("syslibs", "opencv-python", "--base", "debian:sid-slim")
    assert "the packages of debian:sid-slim are not known: the answer is possible" in err


@pytest.mark.parametrize(
    ("suite", "name"), [("bullseye", "28"), ("bookworm", "32"), ("trixie", "36")]
)
def test_a_library_is_named_as_the_release_has_it(suite: str, name: str, run: Any) -> None:
    _, out, _ = run("syslibs", "gdal==3.6.2", "--base", f"python:3.11-slim-{suite}")
    assert f"libgdal.so.{name} " in out


def test_what_some_functions_need_beside_what_is_missing_in_any_case(run: Any) -> None:
    """Nobody takes the line for more than it is."""
    _, alone, _ = run("syslibs", "pydub", "--base", "python:3.11-slim")
    assert "(some of its functions)" in alone
    assert alone.splitlines()[-1].endswith(" ffmpeg")
    _, both, _ = run("syslibs", "pydub", "lightgbm", "--base", "python:3.11-slim")
    assert "(some of its functions; not in the line below)" in both
    assert both.splitlines()[-1].endswith(" libgomp1")


def test_slim_images_of_old_interpreters_have_expat(run: Any) -> None:
    """The build of the official images dropped libexpat1 when Python 3.8 had its end."""
    assert run("syslibs", "rasterio==1.3.11", "--base", "python:3.8-slim")[0] == 0
    _, out, _ = run("syslibs", "rasterio==1.3.11", "--base", "python:3.9-slim")
    assert out.splitlines()[-1].endswith(" libexpat1")


def test_what_nobody_pinned_is_the_newest_for_the_interpreter(run: Any) -> None:
    """The last fiona for Python 3.7 brings expat itself."""
    _, old, _ = run("syslibs", "fiona", "--base", "python:3.7-slim-bookworm")
    _, new, _ = run("syslibs", "fiona", "--base", "python:3.12-slim-bookworm")
    assert "libexpat" not in old
    assert "libexpat" in new
