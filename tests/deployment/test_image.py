"""What stages, settings and files come to, by hand and against images really built."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.deployment.filesystem import (
    Absent,
    ContextSource,
    InlineSource,
    MadeSource,
    Present,
    Undetermined,
    match_name,
)
from auditor.deployment.image import evaluate
from auditor.deployment.imagefacts import Image
from auditor.parsers import dockerfile, dockerignore
from auditor.source import SourceText, Unknown


class Context:
    """A build context in memory."""

    def __init__(self, files: Sequence[str], executable: Sequence[str] = ()) -> None:
        self.files = set(files)
        self.runnable = set(executable)
        self.folders: dict[str, set[str]] = {"": set()}
        for file in files:
            parts = file.split("/")
            for index in range(len(parts)):
                self.folders.setdefault("/".join(parts[:index]), set()).add(parts[index])
        self.asked = 0

    def is_file(self, path: str) -> bool:
        self.asked += 1
        return path in self.files

    def is_dir(self, path: str) -> bool:
        return path in self.folders

    def list_dir(self, path: str) -> Sequence[str]:
        return sorted(self.folders.get(path, ()))

    def executable(self, path: str) -> bool:
        return path in self.runnable


class Folder:
    """A build context on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def is_file(self, path: str) -> bool:
        return (self.root / path).is_file()

    def is_dir(self, path: str) -> bool:
        return (self.root / path).is_dir()

    def list_dir(self, path: str) -> Sequence[str]:
        folder = self.root / path
        return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []

    def executable(self, path: str) -> bool:
        return os.access(self.root / path, os.X_OK)


def image(
    text: str,
    files: Sequence[str] = (),
    *,
    ignore: str | None = None,
    target: str | None = None,
    executable: Sequence[str] = (),
    **build_args: str,
) -> Image:
    parsed = dockerfile.parse(SourceText("Dockerfile", text))
    rules = None
    if ignore is not None:
        rules = dockerignore.parse(SourceText(".dockerignore", ignore))
    result = evaluate(
        parsed,
        Context(files, executable),
        ignore=rules,
        build_args=build_args,
        target=target,
    )
    assert result is not None
    return result


def source_of(built: Image, path: str) -> str:
    found = built.fs.lookup(path)
    assert isinstance(found, Present), found
    assert isinstance(found.source, ContextSource), found
    return found.source.path


def kinds(built: Image) -> list[str]:
    return [problem.kind for problem in built.copy_problems]


# --- stages and settings ---------------------------------------------------------------------


def test_base_follows_global_arguments() -> None:
    text = "ARG V=3.11\nFROM python:${V}-slim\n"
    assert image(text).base.reference == "python:3.11-slim"
    assert image(text, V="3.12").base.reference == "python:3.12-slim"
    assert image(text).base.at.column == 6


def test_an_argument_without_default_is_unknown() -> None:
    built = image("ARG V\nFROM python:$V\nARG W\nENV X=$W Y=${W:-y} Z=${NOT_SET}z\n")
    assert isinstance(built.base.reference, Unknown)
    assert isinstance(built.variable("X").value, Unknown)  # type: ignore[union-attr]
    assert isinstance(built.variable("Y").value, Unknown)  # type: ignore[union-attr]


def test_settings_carry_their_place() -> None:
    built = image(
        "FROM python:3.11-slim\nWORKDIR /srv\nWORKDIR app\nUSER 1000:1000\n"
        "EXPOSE 8000 9000-9002/udp\nVOLUME /data\nSTOPSIGNAL SIGINT\nLABEL a=b\n"
        'SHELL ["/bin/bash", "-c"]\nHEALTHCHECK --interval=5s CMD curl localhost\nCMD serve\n'
    )
    assert (built.workdir.value, built.workdir.at.line) == ("/srv/app", 3)  # type: ignore[union-attr]
    assert (built.user.value, built.user.at.line) == ("1000:1000", 4)  # type: ignore[union-attr]
    ports = [(p.first, p.last, p.protocol) for p in built.exposed]
    assert ports == [(8000, 8000, "tcp"), (9000, 9002, "udp")]
    assert [v.value for v in built.volumes] == ["/data"]
    assert built.stopsignal is not None
    assert built.stopsignal.value == "SIGINT"
    assert [(v.name, v.value) for v in built.labels] == [("a", "b")]
    assert built.cmd is not None
    assert built.cmd.argv == ("/bin/bash", "-c", "serve")
    assert built.healthcheck is not None
    assert built.healthcheck.interval == "5s"


def test_values_of_one_env_see_the_state_before_it() -> None:
    built = image("FROM scratch\nENV A=1\nENV A=2 B=$A\n")
    assert [(v.name, v.value) for v in built.env] == [("A", "2"), ("B", "1")]


def test_path_of_a_known_base_is_known_and_of_another_is_not() -> None:
    known = image("FROM python:3.11-slim\nENV PATH=/venv/bin:$PATH\n").variable("PATH")
    other = image("FROM acme/base\nENV PATH=/venv/bin:$PATH\n").variable("PATH")
    assert known is not None
    assert other is not None
    assert str(known.value).startswith("/venv/bin:/usr/local/bin:")
    assert isinstance(other.value, Unknown)


def test_defaults_of_an_unknown_base_are_unknown() -> None:
    built = image("FROM acme/base\nCOPY a x\n", ["a"])
    assert isinstance(built.workdir.value, Unknown)
    assert isinstance(built.user.value, Unknown)
    assert isinstance(built.fs.lookup("/anything"), Undetermined)


def test_entrypoint_resets_an_inherited_cmd_only() -> None:
    parent = 'FROM scratch AS a\nCMD ["x"]\n'
    reset = image(f'{parent}FROM a\nENTRYPOINT ["y"]\n')
    assert reset.cmd is None
    kept = image(f'{parent}FROM a\nCMD ["z"]\nENTRYPOINT ["y"]\n')
    assert kept.cmd is not None
    assert kept.cmd.argv == ("z",)
    inherited = image(f"{parent}FROM a\n")
    assert inherited.cmd is not None
    assert inherited.lineage == (0, 1)


def test_target_chooses_the_stage() -> None:
    text = "FROM python:3.11-slim AS dev\nCMD dev\nFROM scratch AS prod\nCMD prod\n"
    assert image(text, target="DEV").stage == 0
    assert image(text).stage_name == "prod"
    parsed = dockerfile.parse(SourceText("Dockerfile", text))
    assert evaluate(parsed, Context([]), target="nothing") is None
    assert evaluate(dockerfile.parse(SourceText("Dockerfile", "")), Context([])) is None


def test_onbuild_runs_in_the_child_stage() -> None:
    built = image("FROM scratch AS a\nWORKDIR /a\nONBUILD COPY f .\nFROM a\n", ["f"])
    assert source_of(built, "/a/f") == "f"
    assert not image("FROM scratch AS a\nONBUILD COPY f /\n", ["f"]).copies


def test_runs_of_ancestors_come_first_with_their_state() -> None:
    built = image("FROM scratch AS a\nWORKDIR /x\nRUN one\nFROM a\nENV K=v\nRUN two\n")
    assert [(r.stage, r.command.text.text) for r in built.runs] == [(0, "one"), (1, "two")]
    assert [r.state.env.get("K") for r in built.runs] == [None, "v"]
    assert {r.state.workdir for r in built.runs} == {"/x"}


# --- COPY ------------------------------------------------------------------------------------


def test_copy_places() -> None:
    files = ["a.py", "d/one", "d/sub/two", "b.py"]
    built = image(
        "FROM scratch\nWORKDIR /app\nCOPY d .\nCOPY d /named\nCOPY a.py /app/\nCOPY a.py /app\n"
        "COPY a.py /app/main.py\nCOPY a.py b.py lib/\nCOPY *.py glob/\n",
        files,
    )
    assert source_of(built, "/app/one") == "d/one"
    assert source_of(built, "/named/sub/two") == "d/sub/two"
    assert source_of(built, "/app/a.py") == "a.py"
    assert source_of(built, "/app/main.py") == "a.py"
    assert source_of(built, "/app/lib/b.py") == "b.py"
    assert source_of(built, "/app/glob/a.py") == "a.py"
    assert isinstance(built.fs.lookup("/app/d"), Absent)
    assert built.fs.list_dir("/app").names == ("a.py", "glob", "lib", "main.py", "one", "sub")
    assert built.fs.list_dir("/app").complete
    assert built.fs.locate_context("a.py") == (
        "/app/glob/a.py",
        "/app/lib/a.py",
        "/app/main.py",
        "/app/a.py",
    )
    assert not built.copy_problems


def test_owner_and_executable_bit() -> None:
    built = image(
        "FROM scratch\nUSER app\nCOPY --chown=app:app r.sh /a/\nCOPY r.sh /b/\n"
        "COPY --chmod=644 r.sh /c/\n",
        ["r.sh"],
        executable=["r.sh"],
    )
    found = [built.fs.lookup(f"/{place}/r.sh") for place in "abc"]
    assert [(f.owner, f.executable) for f in found if isinstance(f, Present)] == [
        ("app:app", True),
        ("0:0", True),
        ("0:0", False),
    ]


def test_ignored_files_are_not_copied() -> None:
    files = ["models/a.pkl", "models/keep.pkl", "src/x.py", "Dockerfile"]
    built = image(
        "FROM scratch\nCOPY . /app\nCOPY models/a.pkl /m/\n",
        files,
        ignore="models\n!models/keep.pkl\n",
    )
    assert isinstance(built.fs.lookup("/app/models/a.pkl"), Absent)
    assert source_of(built, "/app/models/keep.pkl") == "models/keep.pkl"
    assert built.fs.list_dir("/app/models").names == ("keep.pkl",)
    (problem,) = built.copy_problems
    assert problem.kind == "ignored"
    assert problem.ignored_by is not None
    assert problem.ignored_by.at.line == 1
    assert (problem.at.line, problem.at.column) == (3, 6)


@pytest.mark.parametrize(
    ("line", "kind", "certain"),
    [
        ("COPY gone /", "missing", True),
        ("COPY Models/x /", "case", True),
        ("COPY ../x /", "outside", True),
        ("COPY no*.txt /", "no-match", False),
        ("COPY --from=7 a /", "unknown-stage", True),
        ("COPY --from=bulider a /", "unknown-stage", False),
        ("COPY --from=last a /", "later-stage", False),
        ("COPY --from=here a /", "later-stage", True),
        ("COPY a.py models/x /d", "not-a-directory", False),
        ("COPY --from=builder /gone /", "missing", True),
    ],
)
def test_copy_problems(line: str, kind: str, certain: bool) -> None:
    text = (
        f"FROM scratch AS builder\nCOPY a.py /\nFROM scratch AS here\n{line}\n"
        "FROM scratch AS last\nCOPY a.py /a\n"
    )
    built = image(text, ["a.py", "models/x"], target="here")
    found = built.copies[0].problems
    assert [(p.kind, p.certain) for p in found[:1]] == [(kind, certain)]
    assert found[0].at.line == 4


def test_an_optional_file_is_no_problem_beside_another() -> None:
    assert not image("FROM scratch\nCOPY a.py gone* /d/\n", ["a.py"]).copy_problems
    assert kinds(image("FROM scratch\nCOPY gone* lost* /d/\n", ["a"])) == ["no-match"] * 2


def test_case_problem_names_the_candidate() -> None:
    (problem,) = image("FROM scratch\nCOPY Models/X /\n", ["models/x"]).copy_problems
    assert problem.candidates == ("models/x",)


def test_problems_of_stages_that_feed_the_image_count() -> None:
    text = "FROM scratch AS a\nCOPY gone /\nFROM scratch AS b\nCOPY gone /\nFROM scratch\n"
    assert kinds(image(text)) == []
    built = image(f"{text}COPY --from=b /x /\n", ["x"])
    assert kinds(built) == ["missing", "missing"]
    assert built.feeding == (1,)


def test_copy_between_stages() -> None:
    built = image(
        "FROM scratch AS a\nCOPY d /src\nCOPY f /src/\nFROM scratch\n"
        "COPY --from=a /src /app\nCOPY --from=0 /src/f /one\nCOPY --from=a /src/*.py /py/\n",
        ["d/m.py", "f"],
    )
    assert source_of(built, "/app/m.py") == "d/m.py"
    assert source_of(built, "/one") == "f"
    assert source_of(built, "/py/m.py") == "d/m.py"
    assert isinstance(built.fs.lookup("/src/f"), Absent)
    assert built.fs.locate_context("d/m.py") == ("/py/m.py", "/app/m.py")


def test_copy_from_an_image_is_opaque() -> None:
    built = image("FROM scratch\nCOPY --from=ghcr.io/acme/uv:1 /uv /bin/\n")
    assert isinstance(built.fs.lookup("/bin/uv"), Undetermined)
    assert isinstance(built.fs.lookup("/app"), Absent)


def test_heredoc_url_and_archive() -> None:
    built = image(
        "FROM scratch\nCOPY <<run.sh /bin/\necho\nrun.sh\nADD https://h/x/m.onnx /m/\n"
        "ADD t.tar.gz /t\n",
        ["t.tar.gz"],
    )
    found = built.fs.lookup("/bin/run.sh")
    assert isinstance(found, Present)
    assert isinstance(found.source, InlineSource)
    assert found.source.heredoc.text == "echo\n"
    remote = built.fs.lookup("/m/m.onnx")
    assert isinstance(remote, Present)
    assert isinstance(remote.source, MadeSource)
    assert isinstance(built.fs.lookup("/t/x"), Undetermined)


def test_parents_and_exclude() -> None:
    built = image(
        "FROM scratch\nCOPY --parents a/b/c.py d/./e/f /p/\nCOPY --exclude=*.md a /x\n",
        ["a/b/c.py", "d/e/f", "a/n.md", "a/k"],
    )
    assert source_of(built, "/p/a/b/c.py") == "a/b/c.py"
    assert source_of(built, "/p/e/f") == "d/e/f"
    assert source_of(built, "/x/k") == "a/k"
    assert isinstance(built.fs.lookup("/x/n.md"), Absent)


# --- RUN -------------------------------------------------------------------------------------


def test_simple_commands_are_followed() -> None:
    built = image(
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
        "RUN mkdir -p out/deep && mv a.txt out/ && cp -r d out/copy && rm -rf old *.tmp \\\n"
        " && echo x > made && ln -s /app/out/a.txt link && chmod +x run.sh && touch t\n",
        ["a.txt", "d/f", "old/x", "k.tmp", "run.sh"],
    )
    assert source_of(built, "/app/out/a.txt") == "a.txt"
    assert source_of(built, "/app/link") == "a.txt"
    assert source_of(built, "/app/out/copy/f") == "d/f"
    for gone in ("a.txt", "old/x", "k.tmp"):
        found = built.fs.lookup(f"/app/{gone}")
        assert isinstance(found, Absent), gone
        assert found.removed_at is not None
    for made in ("made", "t", "out/deep"):
        assert isinstance(built.fs.lookup(f"/app/{made}"), Present), made
    script = built.fs.lookup("/app/run.sh")
    assert isinstance(script, Present)
    assert script.executable


@pytest.mark.parametrize(
    ("command", "inside", "outside"),
    [
        ("pip install -r r.txt", Absent, Absent),
        ("apt-get update && apt-get install -y libgl1", Absent, Absent),
        ("python train.py", Undetermined, Undetermined),
        ("dvc pull", Undetermined, Undetermined),
        ("git clone https://h/r /app/x", Undetermined, Absent),
        ("unzip models.zip", Undetermined, Absent),
        ("unzip models.zip -d /data", Absent, Undetermined),
        ("tar xf m.tar -C /data", Absent, Undetermined),
        ("huggingface-cli download acme/m", Undetermined, Absent),
        ("echo hello", Absent, Absent),
        ("wget https://h/x/model.pkl -O /app/x/model.pkl", Present, Absent),
        ("cd x && curl -LO https://h/model.pkl", Present, Absent),
        ("if [ -n a ]; then touch x/model.pkl; fi", Undetermined, Absent),
        ('python -c "import torch; print(torch.__version__)"', Absent, Absent),
    ],
)
def test_what_commands_may_create(command: str, inside: type, outside: type) -> None:
    built = image(f"FROM python:3.11-slim\nWORKDIR /app\nRUN {command}\n")
    assert isinstance(built.fs.lookup("/app/x/model.pkl"), inside)
    assert isinstance(built.fs.lookup("/data/model.pkl"), outside)


def test_a_known_file_stays_known_behind_an_opaque_command() -> None:
    built = image("FROM python:3.11-slim\nCOPY m /app/m\nRUN python train.py\n", ["m"])
    assert source_of(built, "/app/m") == "m"


@pytest.mark.parametrize("place", ["/usr/src/app", "/opt/app", "/root/app", "/home/me/app", "/app"])
def test_installers_keep_out_of_the_project(place: str) -> None:
    built = image(
        f"FROM python:3.11-slim\nWORKDIR {place}\nCOPY r.txt .\n"
        "RUN apt-get install -y git && pip install -r r.txt\n",
        ["r.txt"],
    )
    assert isinstance(built.fs.lookup(f"{place}/model.pkl"), Absent)
    assert built.fs.list_dir(place).names == ("r.txt",)
    assert built.fs.list_dir(place).complete
    assert isinstance(built.fs.lookup("/usr/local/bin/uvicorn"), Undetermined)


def test_a_virtual_environment_in_the_project_is_not_spared() -> None:
    built = image(
        "FROM python:3.11-slim\nWORKDIR /opt/app\nENV VIRTUAL_ENV=/opt/app/venv\n"
        "RUN python -m venv venv && venv/bin/pip install x\n"
    )
    assert isinstance(built.fs.lookup("/opt/app/venv/bin/x"), Undetermined)
    assert isinstance(built.fs.lookup("/opt/app/model.pkl"), Absent)


def test_run_heredoc_is_followed() -> None:
    built = image("FROM python:3.11-slim\nRUN <<EOF\nmkdir -p /made\ntouch /made/it\nEOF\n")
    assert isinstance(built.fs.lookup("/made/it"), Present)
    other = image("FROM python:3.11-slim\nWORKDIR /w\nRUN <<EOF\n#!/usr/bin/env python3\nx\nEOF\n")
    assert isinstance(other.fs.lookup("/w/it"), Undetermined)


# --- limits ----------------------------------------------------------------------------------


def test_copying_a_large_context_is_lazy() -> None:
    context = Context([f"d{i % 300}/f{i}" for i in range(100_000)])
    parsed = dockerfile.parse(SourceText("Dockerfile", "FROM scratch\nCOPY . .\n"))
    start = time.process_time()
    built = evaluate(parsed, context)
    assert built is not None
    assert isinstance(built.fs.lookup("/d7/f307"), Present)
    assert time.process_time() - start < 0.1
    assert context.asked < 20


def test_copies_of_copies_do_not_explode() -> None:
    stages = "FROM scratch AS s0\nCOPY a /\n" + "".join(
        f"FROM scratch AS s{i}\nCOPY --from=s{i - 1} / /\nCOPY --from=s{i - 1} / /\n"
        for i in range(1, 60)
    )
    start = time.process_time()
    built = image(stages, ["a"])
    built.fs.lookup("/nowhere")
    built.fs.list_dir("/")
    built.fs.locate_context("a")
    assert time.process_time() - start < 5


def test_an_image_can_be_pickled() -> None:
    built = image("FROM python:3.11-slim\nENV A=1\nCOPY . /app\nRUN mkdir /x\n", ["a"], ignore="b")
    assert len({built, built}) == 1
    again = pickle.loads(pickle.dumps(built))
    assert isinstance(again.fs.lookup("/app/a"), Present)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.py", "a.py", True),
        ("*.py", ".py", True),
        ("a?c", "abc", True),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("[", "[", False),
        ("*" * 50 + "b", "a" * 200, False),
    ],
)
def test_name_matching(pattern: str, name: str, matches: bool) -> None:
    assert match_name(pattern, name) is matches


VOCABULARY = """
COPY ADD RUN WORKDIR ENV ARG FROM scratch python:3.11-slim AS a b . .. / /x x/ *.py --from=a [
--from=0 --chown=$U --parents $A ${A:-x} A=1 B=$A mkdir cp mv rm -rf ln -s && || > ( ) \\ $(x) ../..
["a","b"]
"""
words = st.sampled_from([*VOCABULARY.split(), "\n"])


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=40))
def test_nothing_raises(parts: list[str]) -> None:
    text = "FROM scratch AS a\n" + " ".join(parts).replace(" FROM", "\nFROM").replace(
        " COPY", "\nCOPY"
    ).replace(" RUN", "\nRUN")
    built = image(text, ["x/a.py", "b"], ignore="b\n!b/c")
    for path in ("/", "/x", "x/a.py", "/a.py"):
        built.fs.lookup(path)
        for name in built.fs.list_dir(path).names:
            assert name
            found = built.fs.lookup(f"/{path}/{name}")
            assert not isinstance(found, Absent), found
    built.fs.locate_context("x/a.py")


# --- against images really built -------------------------------------------------------------

FILES = {
    "app/main.py": 0o644,
    "app/util/__init__.py": 0o644,
    "models/churn.pkl": 0o644,
    "models/old/v1.pkl": 0o644,
    "run.sh": 0o755,
    "requirements.txt": 0o644,
    "README.md": 0o644,
    "notes.tmp": 0o644,
    "data/a.csv": 0o644,
    "data/b.csv": 0o644,
    ".hidden/x": 0o644,
}
IMAGES = {
    "everything": ("FROM scratch\nCOPY . /app\n", None),
    "ignored": (
        "FROM scratch\nCOPY . /app\n",
        "models\n!models/old\n*.md\n**/__init__.py\n.hidden\n",
    ),
    "root": (
        "FROM scratch\nCOPY . /\nCOPY models .\nADD https-less.txt* run.sh /a/\n",
        None,
    ),
    "contents": ("FROM scratch\nCOPY app /srv\nCOPY models models\n", None),
    "rename": ("FROM scratch\nCOPY run.sh /bin/start\nCOPY run.sh /opt/\n", None),
    "several": ("FROM scratch\nWORKDIR /w\nCOPY run.sh README.md models ./\n", None),
    "globs": ("FROM scratch\nCOPY data/*.csv /d/\nCOPY mod* /m/\nCOPY [a-d]* /ad/\n", None),
    "workdirs": (
        "FROM scratch\nWORKDIR /a\nWORKDIR b\nCOPY run.sh .\nCOPY run.sh c/d/\nWORKDIR ../z\n",
        None,
    ),
    "file-or-directory": ("FROM scratch\nCOPY app /x\nCOPY run.sh /x\nCOPY run.sh /y\n", None),
    "stages": (
        "FROM scratch AS one\nCOPY . /src\nFROM scratch AS two\nCOPY --from=one /src/app /app\n"
        "COPY --from=0 /src/run.sh /src/models/churn.pkl /bin/\nFROM two\nCOPY data /data\n",
        None,
    ),
    "owner": (
        "FROM scratch\nUSER 1000\nCOPY --chown=1000:1000 app /app\nCOPY models /models\n",
        None,
    ),
    "arguments": (
        "ARG BASE=scratch\nARG D=models\nFROM ${BASE}\nARG D\nENV HOME_DIR=/srv/$D\n"
        "COPY $D $HOME_DIR/in\nCOPY run.sh ${HOME_DIR:+/y}/x.sh\n",
        None,
    ),
    "shell": (
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
        "RUN mkdir -p out/deep && mv README.md out/ && cp -r models out/copy && cp run.sh out \\\n"
        "    && rm -rf data *.tmp && echo x > made && chmod +x app/main.py && touch /t1 t2\n"
        "RUN cd out && ln -s ../run.sh link && mv deep deeper && cp -r /app/app/. flat\n",
        None,
    ),
    "removed-and-back": (
        "FROM python:3.11-slim\nCOPY . /app\nRUN rm -r /app/models\nCOPY models/old /app/models\n"
        "RUN chown -R 1000:1000 /app/app; cp /app/run.sh /app/models; true\n",
        None,
    ),
    "built-in-stage": (
        "FROM python:3.11-slim AS b\nWORKDIR /b\nCOPY models m\nRUN mkdir d && cp m/churn.pkl d/c\n"
        "FROM python:3.11-slim\nCOPY --from=b /b /final\nCOPY --from=b /b/d/c /final/one.pkl\n"
        'WORKDIR /final\nRUN ["mkdir", "exec"]\nRUN sh -c "touch inner"\n',
        None,
    ),
    "onbuild": (
        "FROM scratch AS b\nONBUILD COPY app /on\nONBUILD WORKDIR /on/w\nFROM b\nCOPY run.sh .\n",
        None,
    ),
    "overwrite": (
        "FROM scratch\nCOPY models /m\nCOPY data /m\nCOPY run.sh /m/churn.pkl\nCOPY app /m/old\n",
        None,
    ),
}


def export(reference: str) -> dict[str, tarfile.TarInfo]:
    run = subprocess.run(["docker", "create", reference, "x"], capture_output=True, check=True)
    container = run.stdout.decode().strip()
    try:
        data = subprocess.run(["docker", "export", container], capture_output=True, check=True)
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(data.stdout)) as archive:
        return {f"/{member.name.strip('/')}": member for member in archive}


@pytest.fixture(scope="module")
def base_paths() -> set[str]:
    return set(export("python:3.11-slim"))


@pytest.mark.rehearsal
@pytest.mark.parametrize("name", IMAGES)
def test_lookups_agree_with_the_built_image(
    name: str, tmp_path: Path, base_paths: set[str]
) -> None:
    text, ignore = IMAGES[name]
    for path, mode in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
        file.chmod(mode)
    (tmp_path / "Dockerfile").write_text(text)
    if ignore:
        (tmp_path / ".dockerignore").write_text(ignore)
    tag = f"deploy-audit-test:{name}"
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(
        ["docker", "build", "-q", "-t", tag, str(tmp_path)],
        check=True,
        capture_output=True,
        env=environment,
    )
    try:
        real = export(tag)
    finally:
        subprocess.run(["docker", "rmi", "-f", tag], capture_output=True, check=True)
    rules = dockerignore.parse(SourceText(".dockerignore", ignore)) if ignore else None
    built = evaluate(
        dockerfile.parse(SourceText("Dockerfile", text)), Folder(tmp_path), ignore=rules
    )
    assert built is not None
    assert not built.copy_problems
    slim = "python:3.11-slim" in text.split("FROM")[-1] or name == "removed-and-back"
    # The engine puts these into every container.
    engine = {"/.dockerenv", "/dev", "/etc", "/proc", "/sys", "/", "/."}
    new = {
        path
        for path in real
        if not any(path == e or (len(e) > 2 and path.startswith(f"{e}/")) for e in engine)
        and not (slim and path in base_paths)
    }
    probes = set(new)
    for place in ("/", *(str(p) for path in new for p in PurePosixPath(path).parents)):
        for file in FILES:
            probes.add(f"{place.rstrip('/')}/{file}")
            probes.add(f"{place.rstrip('/')}/{file.rsplit('/', 1)[-1]}")
    undetermined = []
    for path in sorted(probes):
        found = built.fs.lookup(path)
        if isinstance(found, Undetermined):
            undetermined.append(path)
            continue
        assert isinstance(found, Present) == (path in real), (path, found)
        if isinstance(found, Present) and path in new:
            member = real[path]
            if member.issym():
                continue
            assert member.isdir() == (found.kind == "directory"), path
            if found.kind == "file":
                assert found.executable == bool(member.mode & 0o100), path
                wanted = str(found.owner).split(":")[0]
                assert {"root": "0"}.get(wanted, wanted) == str(member.uid), path
    assert not [path for path in undetermined if path in new], undetermined
    folders = {str(parent) for path in new for parent in PurePosixPath(path).parents}
    for path in folders - engine - (base_paths if slim else set()):
        children = {p[len(path) + 1 :] for p in real if p.startswith(f"{path}/")}
        listing = built.fs.list_dir(path)
        assert listing.complete, path
        assert set(listing.names) == {c for c in children if "/" not in c}, path


@pytest.mark.parametrize(
    ("change", "user", "alarmed"),
    [
        ("chgrp -R 0 /app && chmod -R g=u /app", "1001", False),
        ("chmod -R g+rwX /app", "1001", False),
        ("chmod 775 /app/logs", "1001:0", False),
        ("chmod 775 /app/logs", "1001:1001", True),
        ("chmod 755 /app/logs", "1001", True),
        ("useradd -m app && chgrp app /app/logs && chmod g+w /app/logs", "app", False),
        ("useradd -m app && chown root:app /app/logs && chmod 770 /app/logs", "app", False),
    ],
)
def test_what_a_group_may_write(change: str, user: str, alarmed: bool, tmp_path: Path) -> None:
    from auditor.config import Settings
    from auditor.engine import audit

    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY serve.py .\n"
        f"RUN mkdir /app/logs && {change}\nUSER {user}\n"
        'CMD ["python", "serve.py"]\n'
    )
    (tmp_path / "serve.py").write_text('open("/app/logs/a.log", "w").write("x")\n')
    found = [f.rule for f in audit(tmp_path, Settings()).findings if f.rule == "IMG011"]
    assert bool(found) is alarmed


@pytest.mark.parametrize(
    ("mode", "alarmed"),
    [
        ("777", False),
        ("0775", True),
        ("a+w", False),
        ("o=rwx", False),
        ("755", True),
        ("u+w", True),
    ],
)
def test_a_directory_that_chmod_opens_can_be_written(
    mode: str, alarmed: bool, tmp_path: Path
) -> None:
    from auditor.config import Settings
    from auditor.engine import audit

    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY serve.py .\n"
        f"RUN mkdir /app/logs && chmod {mode} /app/logs\nRUN useradd -m app\nUSER app\n"
        'CMD ["python", "serve.py"]\n'
    )
    (tmp_path / "serve.py").write_text('open("/app/logs/a.log", "w").write("x")\n')
    found = [f.rule for f in audit(tmp_path, Settings()).findings if f.rule == "IMG011"]
    assert bool(found) is alarmed
