"""System libraries: imports of the service against what its image has."""

from __future__ import annotations

from pathlib import Path

import pytest
import repo_kit as kit

from auditor.findings import Confidence, Severity, Stage


def importing(module: str) -> str:
    return f"import {module}\n{kit.APP}"


LIGHTGBM = {
    "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nlightgbm==4.5.0\n",
    "app.py": importing("lightgbm"),
}
BOOKWORM = "python:3.11-slim-bookworm"


def image(extra: str = "", base: str = BOOKWORM) -> str:
    return kit.dockerfile(extra).replace("python:3.11-slim", base)


def apt(packages: str) -> str:
    return f"RUN apt-get update && apt-get install -y --no-install-recommends {packages}\n"


def test_a_library_that_the_image_lacks(tmp_path: Path) -> None:
    result = kit.service(tmp_path, {**LIGHTGBM, "Dockerfile": image()})
    (finding,) = kit.of(result, "IMG002")
    assert (finding.at.path, finding.at.line) == ("requirements.txt", 3)
    assert finding.confidence >= Confidence.LIKELY
    assert "libgomp.so.1" in finding.message
    assert "apt-get install -y --no-install-recommends libgomp1" in finding.help
    assert {stage for _, stage in finding.breaks} == {Stage.STARTS}
    assert {r.at.path for r in finding.related} == {"app.py", "Dockerfile"}
    (service,) = result.services
    assert service.forecast.starts == "no"
    (missing,) = service.missing_system_libraries
    assert (missing.soname_or_binary, missing.package_needing_it) == ("libgomp.so.1", "lightgbm")
    assert (missing.apt, missing.apk) == ("libgomp1", "libgomp")


@pytest.mark.parametrize("packages", ["libgomp1", "gcc", "build-essential curl", "ffmpeg"])
def test_installed_in_the_shipped_stage(packages: str, tmp_path: Path) -> None:
    result = kit.service(tmp_path, {**LIGHTGBM, "Dockerfile": image(apt(packages))})
    assert not kit.of(result, "IMG002")
    assert not result.services[0].missing_system_libraries
    assert result.services[0].forecast.starts == "yes"


def test_removed_again_with_what_it_brought(tmp_path: Path) -> None:
    text = image(apt("gcc") + "RUN apt-get purge -y --auto-remove gcc\n")
    assert kit.of(kit.service(tmp_path, {**LIGHTGBM, "Dockerfile": text}), "IMG002")


def test_the_full_image_has_it(tmp_path: Path) -> None:
    files = {**LIGHTGBM, "Dockerfile": image(base="python:3.11-bookworm")}
    assert not kit.of(kit.service(tmp_path, files), "IMG002")


def test_installed_but_never_imported(tmp_path: Path) -> None:
    files = {**LIGHTGBM, "app.py": kit.APP, "Dockerfile": image()}
    assert not kit.of(kit.service(tmp_path, files), "IMG002")


def test_what_comes_along_and_no_table_has_is_undecided(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nbeets==2.3.1\n",
        "app.py": importing("beets"),
        "Dockerfile": image(),
    }
    result = kit.service(tmp_path, files)
    reasons = [u.reason for u in result.undecided if u.rule == "IMG002"]
    assert any("`mediafile` (which `beets` brings along)" in reason for reason in reasons)
    assert not kit.of(result, "IMG002")


def test_what_no_table_has_is_undecided(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nno-such-codec==1.0\n",
        "app.py": importing("no_such_codec"),
        "Dockerfile": image(),
    }
    result = kit.service(tmp_path, files)
    assert not kit.of(result, "IMG002")
    (undecided,) = [u for u in result.undecided if u.rule == "IMG002"]
    assert "`no-such-codec`" in undecided.reason
    assert undecided.at is not None
    assert undecided.at.path == "app.py"
    # flask is pure Python, and known to be.
    assert result.services[0].forecast.starts == "yes"


def test_what_one_module_of_a_framework_needs(tmp_path: Path) -> None:
    requirements = "flask==3.0.3\ngunicorn==22.0.0\ndjango==5.2\n"
    for module, missing in (("django.conf", 0), ("django.contrib.gis.gdal", 1)):
        files = {
            "requirements.txt": requirements, "app.py": importing(module), "Dockerfile": image(),
        }  # fmt: skip
        assert len(kit.of(kit.service(tmp_path / module, files), "IMG002")) == missing


def test_a_guarded_import_breaks_nothing(tmp_path: Path) -> None:
    guarded = (
        f"try:\n    import lightgbm\nexcept (ImportError, OSError):\n    lightgbm = None\n{kit.APP}"
    )
    files = {**LIGHTGBM, "app.py": guarded, "Dockerfile": image()}
    assert not kit.of(kit.service(tmp_path, files), "IMG002")


def test_only_in_a_request(tmp_path: Path) -> None:
    late = kit.APP.replace("def predict():\n", "def predict():\n    import lightgbm\n")
    result = kit.service(tmp_path, {**LIGHTGBM, "app.py": late, "Dockerfile": image()})
    (finding,) = kit.of(result, "IMG002")
    assert {stage for _, stage in finding.breaks} == {Stage.PREDICTS}
    assert result.services[0].forecast.starts == "yes"


def test_an_unknown_base_is_only_possible(tmp_path: Path) -> None:
    files = {**LIGHTGBM, "Dockerfile": image(base="registry.example/team/python:7")}
    for finding in kit.of(kit.service(tmp_path, files), "IMG002"):
        assert finding.confidence is Confidence.POSSIBLE
        assert finding.severity is Severity.MEDIUM


def test_installed_in_another_stage(tmp_path: Path) -> None:
    text = (
        f"FROM {BOOKWORM} AS build\nCOPY requirements.txt ./\n{apt('libgomp1')}"
        "RUN pip install --prefix /install -r requirements.txt\n"
        f"FROM {BOOKWORM}\nWORKDIR /app\nCOPY --from=build /install /usr/local\nCOPY app.py ./\n"
        f"CMD {kit.GUNICORN}\n"
    )
    result = kit.service(tmp_path, {**LIGHTGBM, "Dockerfile": text})
    assert not kit.of(result, "IMG002")
    (finding,) = kit.of(result, "IMG003")
    assert [r.at.line for r in finding.related if r.at.path == "Dockerfile"] == [3, 5]
    assert result.services[0].forecast.starts == "no"


def test_a_program_without_which_requests_fail(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\npytesseract==0.3.13\n",
        "app.py": importing("pytesseract"),
        "Dockerfile": image(),
    }
    result = kit.service(tmp_path, files)
    (finding,) = kit.of(result, "IMG002")
    assert {stage for _, stage in finding.breaks} == {Stage.PREDICTS}
    assert "tesseract-ocr" in finding.help


@pytest.mark.parametrize(
    ("base", "package", "reported"),
    [
        ("python:3.11-slim-trixie", "libgl1-mesa-glx", True),
        ("python:3.11-slim-bookworm", "libgl1-mesa-glx", False),
        ("python:3.11-slim-trixie", "libglib2.0-0", False),
        ("python:3.11-slim-bookworm", "netcat", True),
        ("ubuntu:22.04", "libtiff5", False),
    ],
)
def test_a_package_that_the_release_lacks(
    base: str, package: str, reported: bool, tmp_path: Path
) -> None:
    result = kit.service(tmp_path, {"Dockerfile": image(apt(package), base)})
    found = kit.of(result, "IMG013")
    assert bool(found) is reported
    if reported:
        assert result.services[0].forecast.builds == "no"


def test_an_added_archive_may_have_it(tmp_path: Path) -> None:
    text = image(
        "RUN echo deb https://deb.example main > /etc/apt/sources.list.d/x.list\n"
        + apt("some-vendor-package")
    )
    assert not kit.of(kit.service(tmp_path, {"Dockerfile": text}), "IMG013")


@pytest.mark.parametrize(
    ("base", "line", "reported"),
    [
        ("python:3.11-alpine", "RUN apt-get install -y curl\n", True),
        (BOOKWORM, "RUN apk add curl\n", True),
        (BOOKWORM, "RUN apt-get install -y curl\n", False),
        ("python:3.11-alpine", "RUN apk add curl\n", False),
        ("registry.example/x:1", "RUN apk add curl\n", False),
    ],
)
def test_the_package_manager_of_another_distribution(
    base: str, line: str, reported: bool, tmp_path: Path
) -> None:
    result = kit.service(tmp_path, {"Dockerfile": image(line, base)})
    assert bool(kit.of(result, "IMG014")) is reported


def test_musl_without_wheels(tmp_path: Path) -> None:
    files = {**LIGHTGBM, "Dockerfile": image(base="python:3.11-alpine")}
    (finding,) = kit.of(kit.service(tmp_path, files), "IMG010")
    assert "lightgbm" in finding.message and finding.at.path == "Dockerfile"
    files = {"Dockerfile": image(base="python:3.11-alpine")}
    assert not kit.of(kit.service(tmp_path / "plain", files), "IMG010")


def first(command: str) -> str:
    """The command stands before the rest of the only stage."""
    head, _, rest = image().partition("\n")
    return f"{head}\n{command}{rest}"


COMPILED = {
    "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\npsycopg2==2.9.9\n",
    "app.py": importing("psycopg2"),
}


@pytest.mark.parametrize(
    ("packages", "lacks"),
    [
        ("gcc libc6-dev libpq-dev", None),
        ("build-essential libpq-dev", None),
        ("gcc libpq-dev", ["libc6-dev"]),
        ("build-essential", ["libpq-dev"]),
        ("g++", ["libpq-dev"]),
    ],
)
def test_headers_that_compiling_takes(
    packages: str, lacks: list[str] | None, tmp_path: Path
) -> None:
    result = kit.service(tmp_path, {**COMPILED, "Dockerfile": first(apt(packages))})
    found = kit.of(result, "ENV008")
    assert [list(dict(f.evidence)["packages"]) for f in found] == ([lacks] if lacks else [])
    assert result.services[0].forecast.builds == ("no" if lacks else "yes")
    for finding in found:
        assert (finding.at.path, finding.at.line) == ("requirements.txt", 3)
        assert finding.help.endswith(f"--no-install-recommends {' '.join(lacks or ())}`.")


def test_headers_in_the_stage_that_compiles(tmp_path: Path) -> None:
    def two(build: str, ship: str) -> str:
        return (
            f"FROM {BOOKWORM} AS build\n{apt(build)}COPY requirements.txt .\n"
            f"RUN pip install --prefix /install -r requirements.txt\nFROM {BOOKWORM}\n{apt(ship)}"
            "COPY --from=build /install /usr/local\nCOPY app.py .\n"
            'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
        )

    good = kit.service(
        tmp_path / "a",
        {**COMPILED, "Dockerfile": two("build-essential libpq-dev", "libpq5")},
    )
    assert not kit.of(good, "ENV008") and not kit.of(good, "IMG002")
    bad = kit.service(
        tmp_path / "b",
        {**COMPILED, "Dockerfile": two("build-essential", "libpq-dev")},
    )
    (finding,) = kit.of(bad, "ENV008")
    assert list(dict(finding.evidence)["packages"]) == ["libpq-dev"]


def test_what_comes_after_pip_is_too_late(tmp_path: Path) -> None:
    text = image() + apt("build-essential libpq-dev")
    result = kit.service(tmp_path, {**COMPILED, "Dockerfile": text})
    (finding,) = kit.of(result, "ENV008")
    assert "libpq-dev" in finding.message or "compiler" in finding.message


def test_what_an_unread_script_installs_may_be_the_headers(tmp_path: Path) -> None:
    text = first(apt("gcc") + "RUN curl -sSL https://h.invalid/x -o x.sh && bash x.sh\n")
    result = kit.service(tmp_path, {**COMPILED, "Dockerfile": text})
    assert all(f.confidence is Confidence.POSSIBLE for f in kit.of(result, "ENV008"))


@pytest.mark.parametrize(
    ("line", "confidence"),
    [("", Confidence.LIKELY), ("RUN curl https://sh.rustup.rs | sh\n", Confidence.POSSIBLE)],
)
def test_a_builder_without_a_compiler(line: str, confidence: Confidence, tmp_path: Path) -> None:
    text = (
        f"FROM {BOOKWORM} AS build\n{line}COPY requirements.txt .\n"
        f"RUN pip install --prefix /install -r requirements.txt\nFROM {BOOKWORM}\n"
        f"{apt('libpq5')}COPY --from=build /install /usr/local\nCOPY app.py .\n"
        'CMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
    )
    (finding,) = kit.of(kit.service(tmp_path, {**COMPILED, "Dockerfile": text}), "ENV008")
    assert finding.confidence is confidence
    assert "no compiler" in finding.message


def test_an_import_in_both_branches_of_a_fallback(tmp_path: Path) -> None:
    text = f"try:\n    from .x import y\nexcept ImportError:\n    import lightgbm\n{kit.APP}"
    files = {**LIGHTGBM, "app.py": text, "Dockerfile": image()}
    (finding,) = kit.of(kit.service(tmp_path, files), "IMG002")
    assert finding.confidence is Confidence.POSSIBLE


def test_a_model_that_is_not_there_may_need_its_library(tmp_path: Path) -> None:
    read = 'notes = open("notes.txt").read()\n'
    files = {**LIGHTGBM, "app.py": f"{read}{kit.APP}", "Dockerfile": image()}
    (tmp_path / "text").mkdir()
    assert not kit.of(kit.service(tmp_path / "text", files), "IMG002")
    load = 'import pickle\nmodel = pickle.load(open("model.pkl", "rb"))\n'
    files = {**LIGHTGBM, "app.py": f"{load}{kit.APP}", "Dockerfile": image()}
    found = kit.of(kit.service(tmp_path, files), "IMG002")
    assert found[0].confidence is Confidence.POSSIBLE
    assert "may import `lightgbm`" in found[0].related[0].message
    assert found[0].severity is Severity.MEDIUM


MLFLOW = {
    "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nmlflow==2.20.0\nlightgbm==4.5.0\n",
    "Dockerfile": image(),
}


def loading(place: str) -> str:
    return f"import os\nimport mlflow.pyfunc\nmodel = mlflow.pyfunc.load_model({place})\n{kit.APP}"


@pytest.mark.parametrize(
    "place", ['"models:/churn/3"', '"runs:/0f/model"', 'os.environ["MODEL_URI"]'], ids=str
)
def test_a_model_of_a_registry_may_need_its_library(place: str, tmp_path: Path) -> None:
    found = kit.of(kit.service(tmp_path, {**MLFLOW, "app.py": loading(place)}), "IMG002")
    assert [f.confidence for f in found] == [Confidence.POSSIBLE]


@pytest.mark.parametrize("kept", ["model", "pointer", "another", "deep"])
def test_a_directory_of_mlflow_is_read_with_the_model_in_it(kept: str, tmp_path: Path) -> None:
    (tmp_path / "served" / "artifacts").mkdir(parents=True)
    (tmp_path / "served" / "MLmodel").write_text("flavors:\n  sklearn:\n    pickled_model: m.pkl\n")
    pickled = {
        "model": b"clightgbm.sklearn\nLGBMClassifier\n.",
        "deep": b"clightgbm.sklearn\nLGBMClassifier\n.",
        "another": b"csklearn.pipeline\nPipeline\n.",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:"
        + b"ab" * 32
        + b"\nsize 142876\n",
    }[kept]
    place = "artifacts/model.pkl" if kept == "deep" else "model.pkl"
    (tmp_path / "served" / place).write_bytes(pickled)
    copied = {"app.py": loading('"served"'), "Dockerfile": image("COPY served served\n")}
    found = kit.of(kit.service(tmp_path, {**MLFLOW, **copied}), "IMG002")
    expected = {
        "model": [Confidence.CERTAIN],
        "pointer": [Confidence.POSSIBLE],
        "deep": [Confidence.POSSIBLE],
        "another": [],
    }
    assert [f.confidence for f in found] == expected[kept]


def test_a_name_that_leads_to_another_distribution(tmp_path: Path) -> None:
    loader = "from langchain_community.document_loaders import UnstructuredPDFLoader\n"
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nlangchain-community\nunstructured[pdf]\n",
        "app.py": f"{loader}{kit.APP}",
        "Dockerfile": image(),
    }
    findings = kit.of(kit.service(tmp_path, files), "IMG002")
    found = {dict(f.evidence)["distribution"]: f for f in findings}
    assert {"pdf2image", "unstructured-pytesseract", "opencv-python"} <= set(found)
    assert all(f.confidence is Confidence.POSSIBLE for f in found.values())
    plain = {**files, "app.py": kit.APP}
    (tmp_path / "plain").mkdir()
    assert not kit.of(kit.service(tmp_path / "plain", plain), "IMG002")


def test_a_project_in_a_directory_that_workdir_makes(tmp_path: Path) -> None:
    build = "FROM python:3.11-slim-bookworm AS build\nWORKDIR /build\nCOPY pyproject.toml .\n"
    files = {
        "pyproject.toml": '[project]\nname = "a"\nversion = "1"\ndependencies = ["flask", "lightgbm"]\n',
        "app.py": importing("lightgbm"),
        "Dockerfile": f"{build}RUN pip install --prefix=/install .\n"
        f"FROM {BOOKWORM}\nCOPY --from=build /install /usr/local\nCOPY app.py .\n"
        'CMD ["python", "app.py"]\n',
    }
    (finding,) = kit.of(kit.service(tmp_path, files), "IMG002")
    assert finding.at.path == "pyproject.toml"


def test_a_vanished_package_is_reported_once(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\nopencv-python==4.10.0.84\n",
        "app.py": importing("cv2"),
        "Dockerfile": image(apt("libgl1-mesa-glx libglib2.0-0"), "python:3.11-slim-trixie"),
    }
    result = kit.service(tmp_path, files)
    assert kit.of(result, "IMG013")
    assert not kit.of(result, "IMG002")


def test_a_repository_installs_a_distribution_of_another_name(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "flask==3.0.3\ngunicorn==22.0.0\ngit+https://github.com/openai/whisper.git\n",
        "app.py": importing("whisper"),
        "Dockerfile": image(apt("git")),
    }
    (finding,) = kit.of(kit.service(tmp_path, files), "IMG002")
    assert dict(finding.evidence)["needs"] == ("ffmpeg",)
    assert finding.at.path == "app.py"


@pytest.mark.parametrize(
    ("requirement", "module", "library"),
    [("mysqlclient", "MySQLdb", "libmariadb.so.3"), ("python-ldap", "ldap", "libldap-2.5.so.0")],
)
def test_modules_of_what_has_no_wheel(
    requirement: str, module: str, library: str, tmp_path: Path
) -> None:
    files = {
        "requirements.txt": f"flask==3.0.3\ngunicorn==22.0.0\n{requirement}\n",
        "app.py": importing(module),
        "Dockerfile": image(),
    }
    found = kit.of(kit.service(tmp_path, files), "IMG002")
    assert [dict(f.evidence)["needs"] for f in found] == [(library,)]
