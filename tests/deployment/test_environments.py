"""What the install commands of an image bring."""

import pytest
from deploykit import deployment

BASE = "FROM python:3.11-slim\nWORKDIR /app\n"


def environment(tmp_path, dockerfile, **files):
    named = {name.replace("__", "."): text for name, text in files.items()}
    found = deployment(tmp_path, {"Dockerfile": dockerfile, **named})
    return found.images[0].environment


def names(env):
    return sorted(r.key for r in env.requirements)


REQUIREMENTS = {"requirements__txt": "flask==3.0.3\n"}


@pytest.mark.parametrize(
    "install",
    [
        "COPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        "COPY requirements.txt /tmp/r.txt\nRUN pip install -r /tmp/r.txt\n",
        "COPY . /code\nRUN cd /code && pip install -r requirements.txt\n",
        "RUN --mount=type=bind,source=requirements.txt,target=/tmp/r.txt pip install -r /tmp/r.txt\n",
        "ARG R=requirements.txt\nCOPY $R ./\nRUN pip install -r $R\n",
        "COPY . .\nRUN uv pip install --system -r requirements.txt\n",
    ],
)
def test_the_file_is_followed(tmp_path, install):
    env = environment(tmp_path, BASE + install, **REQUIREMENTS)
    assert names(env) == ["flask"]
    assert env.complete
    assert env.steps[0].files == ("requirements.txt",)


def test_a_virtual_environment_copied_from_a_stage_is_shipped(tmp_path):
    env = environment(
        tmp_path,
        "FROM python:3.11 AS b\nRUN python -m venv /opt/v\nCOPY requirements.txt .\n"
        "RUN /opt/v/bin/pip install -r requirements.txt\n" + BASE + "COPY --from=b /opt/v /opt/v\n",
        **REQUIREMENTS,
    )
    assert names(env) == ["flask"]


def test_what_a_stage_keeps_to_itself_is_not(tmp_path):
    env = environment(
        tmp_path,
        "FROM python:3.11 AS b\nRUN pip install black\nCOPY . /src\n"
        + BASE
        + "COPY --from=b /src/requirements.txt .\nRUN pip install numpy\n",
        **REQUIREMENTS,
    )
    assert names(env) == ["numpy"]


UV_LOCK = """version = 1
requires-python = ">=3.11"

[[package]]
name = "x"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "idna" }]

[[package]]
name = "idna"
version = "3.7"
source = { registry = "https://index.invalid/simple" }
"""
PROJECT = (
    '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["idna"]\n'
)


@pytest.mark.parametrize("copy", ["COPY --from=b /app /app", "COPY --from=b /app/.venv /app/.venv"])
def test_uv_sync_in_a_builder_ships_its_lock(tmp_path, copy):
    env = environment(
        tmp_path,
        "FROM python:3.11 AS b\nRUN pip install uv==0.4.30\nWORKDIR /app\nCOPY pyproject.toml uv.lock ./\n"
        f"RUN uv sync --frozen\n{BASE}{copy}\n",
        pyproject__toml=PROJECT,
        uv__lock=UV_LOCK,
    )
    assert ("idna", "3.7") in [(r.key, r.version) for r in env.requirements]
    # The installer itself is not a part of what it locks.
    assert env.locked


def test_an_open_requirement_beside_a_lock_unlocks(tmp_path):
    env = environment(
        tmp_path,
        BASE + "COPY pyproject.toml uv.lock ./\nRUN uv sync --frozen && uv pip install flask\n",
        pyproject__toml=PROJECT,
        uv__lock=UV_LOCK,
    )
    assert not env.locked


def test_a_file_that_is_not_there_leaves_the_environment_open(tmp_path):
    env = environment(tmp_path, BASE + "RUN pip install -r /etc/r.txt\n")
    assert not env.complete
    assert env.incomplete_because


def test_markers_of_other_systems_do_not_count(tmp_path):
    env = environment(
        tmp_path,
        BASE + "COPY . .\nRUN pip install -r requirements.txt\n",
        requirements__txt="flask\npywin32; sys_platform == 'win32'\ntomli; python_version < '3.11'\n",
    )
    assert names(env) == ["flask"]


def test_constraints_settle_versions(tmp_path):
    env = environment(
        tmp_path,
        BASE + "COPY . .\nRUN pip install -c c.txt flask\n",
        c__txt="flask==3.0.3\nwerkzeug==3.0.3\n",
    )
    assert [(r.key, r.version) for r in env.requirements] == [("flask", "3.0.3")]


CONDA_LOCK = "version: 1\npackage:\n" + "".join(
    f"- {{name: {name}, version: '{version}', manager: {manager}, platform: {platform},"
    f" url: 'https://h.invalid/{name}', hash: {{md5: a, sha256: b}}, category: {category},"
    f" optional: false}}\n"
    for name, version, manager, platform, category in (
        ("python", "3.11.9", "conda", "linux-64", "main"),
        ("numpy", "1.26.4", "conda", "linux-64", "main"),
        ("numpy", "1.25.2", "conda", "win-64", "main"),
        ("flask", "3.0.3", "pip", "linux-64", "main"),
        ("pytest", "8.2.0", "conda", "linux-64", "dev"),
    )
)


def test_micromamba_installs_the_main_category_of_a_conda_lock(tmp_path):
    env = environment(
        tmp_path,
        "FROM mambaorg/micromamba:1.5.8\nWORKDIR /app\nCOPY conda-lock.yml .\n"
        "RUN micromamba install -y -n base -f conda-lock.yml\n",
        **{"conda-lock__yml": CONDA_LOCK},
    )
    found = [(r.key, r.version, r.origin) for r in env.requirements]
    assert sorted(found) == [("flask", "3.0.3", "lock"), ("numpy", "1.26.4", "conda")]
    assert env.python.version == "3.11.9"


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM mambaorg/micromamba:1.5.8\nCOPY --chown=$MAMBA_USER:$MAMBA_USER env.yml /tmp/env.yml\n"
        "RUN micromamba install -y -n base -f /tmp/env.yml\n",
        "FROM condaforge/miniforge3:24.11.0-0\nCOPY env.yml .\nRUN mamba env update -n base -f env.yml\n",
        "FROM mambaorg/micromamba AS build\nCOPY env.yml env.yml\n"
        "RUN micromamba create -y -p /opt/env -f env.yml\n"
        "FROM debian:bookworm-slim\nCOPY --from=build /opt/env /opt/env\nENV PATH=/opt/env/bin:$PATH\n",
    ],
    ids=["micromamba", "miniforge", "copied"],
)
def test_conda_files_say_the_interpreter_and_all_that_is_there(tmp_path, dockerfile):
    file = "dependencies: [python=3.11, scikit-learn=1.5.2, pip, {pip: [flask==3.0.3]}]\n"
    env = environment(tmp_path, dockerfile, env__yml=file)
    assert (env.python.version, env.python.at.path) == ("3.11", "env.yml")
    assert names(env) == ["flask", "scikit-learn"]
    # The base environment of miniforge has packages of its own, the others have not.
    assert env.complete is ("miniforge" not in dockerfile)
    assert [r.fact.specifier for r in env.find("scikit-learn")] == ["==1.5.2.*"]


def test_a_conda_lock_beside_its_environment_file_locks_it(tmp_path):
    files = {
        "environment.yml": "dependencies: [python=3.11, numpy, pip, {pip: [flask]}]\n",
        "conda-lock.yml": CONDA_LOCK,
    }
    (env,) = deployment(tmp_path, files).environments
    assert {r.key: r.version for r in env.requirements} == {"numpy": "1.26.4", "flask": "3.0.3"}
    assert env.locked
    assert env.hashed


@pytest.mark.parametrize(
    "lock",
    [CONDA_LOCK.replace("linux-64", "osx-64"), CONDA_LOCK.replace("flask", "quart")],
    ids=["another platform", "another package"],
)
def test_a_conda_lock_of_something_else_locks_nothing(tmp_path, lock):
    files = {
        "environment.yml": "dependencies: [python=3.11, numpy, pip, {pip: [flask]}]\n",
        "conda-lock.yml": lock,
    }
    (env,) = deployment(tmp_path, files).environments
    assert not env.locked
    assert not env.hashed


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("=3.11", "3.11"), ("=3.11.*", "3.11"), ("==3.11.4", "3.11.4"), (">=3.10", None)],
)
def test_a_range_of_pythons_is_no_version(tmp_path, wanted, version):
    files = {"environment.yml": f"dependencies:\n- python{wanted}\n- numpy\n"}
    (env,) = deployment(tmp_path, files).environments
    assert (env.python.version if env.python else None) == version
