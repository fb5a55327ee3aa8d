"""The walk: what it finds, what it leaves out, and that nothing hostile hurts it."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.discovery import (
    FileKind,
    IgnoreRules,
    Limits,
    discover,
    is_development,
    kind_by_name,
    read_index,
    sniff,
)

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")


def git(where: Path, *arguments: str, data: bytes | None = None) -> bytes:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.fsmonitor=false"]
    return subprocess.run(
        [*command, *arguments],
        cwd=where,
        check=True,
        capture_output=True,
        input=data,
        env=environment,
    ).stdout


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def paths(root: Path, **options: object) -> list[str]:
    return [entry.path for entry in discover(str(root), **options).entries]  # type: ignore[arg-type]


# --- ignore rules --------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "is_dir", "expected"),
    [
        ("*.pkl", "a/b/model.pkl", False, True),
        ("/*.pkl", "a/model.pkl", False, None),
        ("build/", "x/build", True, True),
        ("build/", "x/build", False, None),
        ("a/**/z", "a/z", False, True),
        ("a/**/z", "a/b/c/z", False, True),
        ("a/**", "a", True, None),
        ("a/**", "a/b", False, True),
        ("**/z", "z", False, True),
        ("a**z", "abcz", False, True),
        ("a/b**z", "a/b/z", False, None),
        ("*.sw[a-p]", "x.swp", False, True),
        ("*.sw[!a-p]", "x.swp", False, None),
        ("[[:digit:]]x", "4x", False, True),
        ("[]x]y", "]y", False, True),
        ("[a", "[a", False, None),
        ("\\#x", "#x", False, True),
        ("\\!x", "!x", False, True),
        ("x\\ ", "x ", False, True),
        ("x   ", "x", False, True),
        ("# x", "# x", False, None),
        ("x\\", "x\\", False, None),
        ("foo?bar", "foo/bar", False, None),
        ("*x\n!ax", "ax", False, False),
        ("!ax\n*x", "ax", False, True),
        ("/a\r\n", "a", False, True),
        ("a.b.c", "a.b.c", False, True),
        ("*.tar.gz", "x.tar.gz", False, True),
    ],
)
def test_one_pattern(pattern: str, path: str, is_dir: bool, expected: bool | None) -> None:
    name = path.rpartition("/")[2]
    assert IgnoreRules(pattern).decide(path, name, is_dir) is expected


def test_a_pattern_cannot_make_the_matcher_backtrack() -> None:
    rules = IgnoreRules("*a" * 60 + "b\n" + "**/a/" * 60 + "b\n" + "x/" + "*a" * 60 + "b")
    rules.decide("x/" + "a" * 250, "a" * 250, False)
    rules.decide("a/" * 200 + "a", "a", False)


_names = st.sampled_from(["a", "b", "ab", "a.x", "b.x", "c.y", "build", "[a]", "a b", "-"])
_tree = st.lists(st.lists(_names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12)
_glob = st.text(alphabet="ab.x*?[]!/\\ cy", min_size=1, max_size=7) | st.sampled_from(
    [
        "*.x",
        "!*.x",
        "/a",
        "a/",
        "!a/b",
        "build",
        "**/b",
        "a/**",
        "a/**/b",
        "!build/",
        "[ab]",
        "*",
        "!*/",
    ]
)
_ignore = st.lists(_glob, max_size=5).map("\n".join)


@needs_git
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=_tree, ignore=_ignore, nested=_ignore, exclude=_ignore, forced=st.integers(0, 3))
def test_the_files_are_those_git_lists(
    tree: list[str], ignore: str, nested: str, exclude: str, forced: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        made: list[str] = []
        for name in tree:
            try:
                write(root, {name: "x"})
                made.append(name)
            except OSError:
                continue
        git(root, "init", "-q")
        write(root, {".gitignore": ignore, ".git/info/exclude": exclude})
        if (root / "a").is_dir():
            write(root, {"a/.gitignore": nested})
        if made[:forced]:
            git(root, "add", "-f", "--", *(f":(literal){name}" for name in made[:forced]))
        listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        expected = sorted({name for name in listed.decode().split("\0") if name})
        assert paths(root) == expected


# --- git -----------------------------------------------------------------------


@needs_git
@pytest.mark.parametrize("setup", ["2", "3", "4", "sha256", "split", "sha256-4"])
def test_the_index_is_read(tmp_path: Path, setup: str) -> None:
    format_ = "sha256" if "sha256" in setup else "sha1"
    git(tmp_path, "init", "-q", f"--object-format={format_}")
    write(tmp_path, {f"dir{i % 3}/file-{'x' * i}.txt": "x" for i in range(20)})
    write(tmp_path, {"é/ü.txt": "x", ".gitignore": "*\n"})
    git(tmp_path, "add", "-fA")
    if setup.endswith("4"):
        git(tmp_path, "update-index", "--index-version", "4")
    if setup == "3":
        git(tmp_path, "update-index", "--skip-worktree", "dir0/file-.txt")
    if setup == "split":
        git(tmp_path, "update-index", "--split-index")
        write(tmp_path, {"later.txt": "x"})
        git(tmp_path, "add", "-f", "later.txt")
    expected = sorted(git(tmp_path, "ls-files", "-z").decode().split("\0")[:-1])
    assert sorted(set(read_index(str(tmp_path / ".git")))) == expected
    assert paths(tmp_path) == expected


@needs_git
@given(cut=st.integers(0, 400), flip=st.integers(0, 399))
@settings(max_examples=60, deadline=None)
def test_a_broken_index_never_raises(cut: int, flip: int) -> None:
    from auditor.discovery import git

    data = bytearray(_INDEX)
    if flip < len(data):
        data[flip] ^= 0xFF
    for length in (20, 32):
        try:
            git._parse_index(bytes(data[:cut]), length)
        except ValueError:
            continue


def _index() -> bytes:
    if shutil.which("git") is None:
        return b""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        git(root, "init", "-q")
        write(root, {"a": "x", "b/c": "y", "b/d": "z"})
        git(root, "add", "-A")
        return (root / ".git/index").read_bytes()


_INDEX = _index()


@needs_git
def test_an_unreadable_index_ignores_nothing_and_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {".gitignore": "*.pkl", "m.pkl": "x", ".git/index": b"rubbish" * 10})
    repository = discover(str(tmp_path))
    assert repository.is_file("m.pkl")
    assert "index" in repository.problems[0].message


@needs_git
def test_a_subdirectory_knows_the_checkout_around_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "*.pkl\n/svc/out/\n",
            "svc/a.pkl": "x",
            "svc/b.pkl": "x",
            "svc/out/c.txt": "x",
            "svc/app.py": "x",
        },
    )
    git(tmp_path, "add", "-f", "svc/b.pkl")
    repository = discover(str(tmp_path / "svc"))
    assert [entry.path for entry in repository.entries] == ["app.py", "b.pkl"]
    assert repository.is_git
    assert repository.ignored_exists("a.pkl")
    assert repository.ignored_exists("out/c.txt")
    assert not repository.ignored_exists("out/absent.txt")
    assert not repository.ignored_exists("b.pkl")
    assert not repository.exists("a.pkl")
    # Somebody audits the ignored folder itself: then it is what they want to see.
    assert paths(tmp_path / "svc/out") == ["c.txt"]


@needs_git
def test_worktrees_and_submodules_have_their_own_index(tmp_path: Path) -> None:
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q")
    write(main, {".gitignore": "*.bin", "w.bin": "x"})
    git(main, "add", "-fA")
    git(main, "commit", "-qm", "x")
    git(main, "worktree", "add", "-q", "../other")
    write(tmp_path / "other", {"loose.bin": "x"})
    assert paths(tmp_path / "other") == [".gitignore", "w.bin"]
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(main), "sub")
    write(outer, {".gitignore": "*.txt", "sub/kept.txt": "x", "sub/loose.bin": "x"})
    assert paths(outer) == [
        ".gitignore",
        ".gitmodules",
        "sub/.gitignore",
        "sub/kept.txt",
        "sub/w.bin",
    ]


def test_without_a_checkout_ignore_files_do_not_apply(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*", "model.pkl": "x"})
    if discover(str(tmp_path)).is_git:
        pytest.skip("the temporary directory lies in a checkout")
    assert paths(tmp_path) == [".gitignore", "model.pkl"]


# --- what is left out ------------------------------------------------------------


def test_environments_and_vendored_folders_are_left_out_but_exist(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            ".env/pyvenv.cfg": "home = /usr",
            ".env/lib/x.py": "x",
            "old/bin/activate": "x",
            "old/lib/y.py": "x",
            "conda/conda-meta/history": "x",
            "node_modules/a/index.js": "x",
            "pkg/site-packages/z.py": "x",
            "third_party/m/model.pkl": "x",
            "torch/hub/ultralytics_yolov5_master/Dockerfile": "x",
            "torch/hub/checkpoints/model.pkl": "x",
            "models/acme_churn_main/Dockerfile": "x",
            "__pycache__/a.pyc": "x",
            ".git/config": "x",
            "app.py": "x",
        },
    )
    repository = discover(str(tmp_path))
    assert [entry.path for entry in repository.entries] == [
        "app.py",
        "models/acme_churn_main/Dockerfile",
        "torch/hub/checkpoints/model.pkl",
    ]
    reasons = {skipped.path: skipped.reason for skipped in repository.skipped}
    assert reasons[".env"] == "virtual environment"
    assert reasons["conda"] == "conda environment"
    assert reasons["old"] == "virtual environment"
    assert set(reasons) == {
        ".env",
        "old",
        "conda",
        "node_modules",
        "pkg/site-packages",
        "third_party",
        "torch/hub/ultralytics_yolov5_master",
    }
    assert repository.is_file("third_party/m/model.pkl")
    assert repository.read_bytes("third_party/m/model.pkl") == b"x"
    assert repository.is_dir("third_party/m")
    assert not repository.exists("third_party/absent")


def test_exclude_globs(tmp_path: Path) -> None:
    write(tmp_path, {"a/x.py": "x", "b/x.py": "x", "c.txt": "x"})
    repository = discover(str(tmp_path), exclude=["a/", "*.txt"])
    assert [entry.path for entry in repository.entries] == ["b/x.py"]
    assert {s.path for s in repository.skipped} == {"a", "c.txt"}
    assert repository.is_file("a/x.py")


def test_links_stay_inside(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"models/v3.pkl": b"\x80\x04N.", "docker/python": "FROM x\n"})
    write(tmp_path, {"secret": "s"})
    (root / "model.pkl").symlink_to("models/v3.pkl")
    (root / "Dockerfile").symlink_to("docker/python")
    (root / "out").symlink_to("../secret")
    (root / "abs").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    (root / "dir").symlink_to("models")
    (root / "models/up").symlink_to("..")
    repository = discover(str(root))
    assert [entry.path for entry in repository.entries] == [
        "Dockerfile",
        "docker/python",
        "models/v3.pkl",
    ]
    assert repository.of_kind(FileKind.DOCKERFILE)[0].link_to == "docker/python"
    assert repository.read_bytes("model.pkl") == b"\x80\x04N."
    assert repository.is_file("dir/v3.pkl")
    assert repository.is_file("models/up/dir/up/model.pkl")
    assert repository.list_dir("dir") == ("up", "v3.pkl")
    for name in ("out", "abs", "loop", "../secret", "/etc/passwd", "dir/../../secret"):
        assert not repository.exists(name), name
        with pytest.raises(OSError):
            repository.read_bytes(name)
    reasons = {skipped.path: skipped.reason for skipped in repository.skipped}
    assert "out of the root" in reasons["out"]
    assert "out of the root" in reasons["abs"]
    assert "nowhere" in reasons["loop"]
    assert "models/v3.pkl" in reasons["model.pkl"]


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Dockerfile")
    os.mkfifo(tmp_path / ".gitignore")
    repository = discover(str(tmp_path))
    assert repository.entries == ()
    assert {s.reason for s in repository.skipped} == {"not a regular file"}
    assert repository.read_text("Dockerfile").problems[0].fatal


def test_unreadable_folders_and_files_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"shut/a.py": "x", "blob": "x", "b.py": "x"})
    scandir, opener = os.scandir, os.open

    def refuse_dir(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    def refuse_file(path: str, flags: int, *rest: int) -> int:
        if str(path).endswith("blob"):
            raise PermissionError(13, "Permission denied")
        return opener(path, flags, *rest)

    monkeypatch.setattr(os, "scandir", refuse_dir)
    monkeypatch.setattr(os, "open", refuse_file)
    repository = discover(str(tmp_path))
    assert [entry.path for entry in repository.entries] == ["b.py", "blob"]
    reasons = {skipped.path: skipped.reason for skipped in repository.skipped}
    assert "Permission denied" in reasons["shut"]
    assert "Permission denied" in reasons["blob"]
    assert "Permission denied" in repository.read_text("blob").problems[0].message


def test_limits_are_reported(tmp_path: Path) -> None:
    write(tmp_path, {f"f{i}.py": "x" for i in range(5)} | {"a/b/c/d.py": "x"})
    repository = discover(str(tmp_path), limits=Limits(files=3))
    assert len(repository.entries) == 3
    assert any("more than 3 files" in s.reason for s in repository.skipped)
    shallow = discover(str(tmp_path), limits=Limits(depth=1, text_bytes=0))
    assert any(s.path == "a/b" and "deeper" in s.reason for s in shallow.skipped)
    text = shallow.read_text("f0.py")
    assert text.text == "" and text.problems[0].fatal


def test_strange_names(tmp_path: Path) -> None:
    names = [b"new\nline.py", b"esc\x1b[31m.py", b"\xff\xfe.py", b"=1.5.0", b" .py"]
    for name in names:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(b"x")
    repository = discover(str(tmp_path))
    assert sorted(os.fsencode(entry.path) for entry in repository.entries) == sorted(names)
    for entry in repository.entries:
        assert repository.read_bytes(entry.path) == b"x"


def test_the_root_must_be_a_directory(tmp_path: Path) -> None:
    write(tmp_path, {"file": "x"})
    with pytest.raises(NotADirectoryError):
        discover(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        discover(str(tmp_path / "absent"))


# --- asking the tree ---------------------------------------------------------------


def test_questions_about_the_tree(tmp_path: Path) -> None:
    write(tmp_path, {"a/run.sh": "#!/bin/sh\n", "a/b/c.py": "x", "a-b": "x", "empty": b""})
    (tmp_path / "a/run.sh").chmod(0o755)
    repository = discover(str(tmp_path))
    assert repository.executable("a/run.sh") and not repository.executable("a/b/c.py")
    assert repository.list_dir("") == ("a", "a-b", "empty") == repository.list_dir(".")
    assert [e.path for e in repository.files_under("a/")] == ["a/b/c.py", "a/run.sh"]
    assert repository.files_under("./") == repository.entries
    assert repository.is_dir("a/b/..") and not repository.is_dir("a/run.sh")
    assert repository.read_text("a/run.sh") is repository.read_text("./a/run.sh")
    with repository.open_mmap("empty") as view:
        assert bytes(view) == b""
    with repository.open_mmap("a/run.sh") as view:
        assert bytes(view) == b"#!/bin/sh\n"
    assert repository.read_bytes("a/run.sh", 2) == b"#!"
    assert repository.read_text("absent").problems[0].fatal


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("Dockerfile", "", "dockerfile"),
        ("dockerfile", "FROM x", "dockerfile"),
        ("Containerfile", "FROM x", "dockerfile"),
        ("Dockerfile.prod", "# c\nFROM x", "dockerfile"),
        ("prod.Dockerfile", "ARG A\nFROM x", "dockerfile"),
        ("Dockerfile_gpu", "from x", "dockerfile"),
        ("Dockerfile.md", "FROM x", "text"),
        ("Dockerfile.j2", "FROM x", "text"),
        ("Dockerfile.prod.dockerignore", "*", "dockerignore"),
        ("about-dockerfile-lint", "words", "text"),
        ("compose.yaml", "", "compose"),
        ("deploy/docker-compose.gpu.yml", "x: 1", "compose"),
        ("stack.yml", "services:\n  a:\n", "compose"),
        ("stack.yml", "kind: Stack\n", "yaml"),
        ("environment.yml", "name: x\ndependencies:\n", "conda"),
        ("environment.yml", "a: b\n", "yaml"),
        ("requirements.txt", "", "requirements"),
        ("requirements/base.txt", "", "requirements"),
        ("requirements/base.in", "", "requirements"),
        ("dev-requirements.txt", "", "requirements"),
        ("constraints.txt", "", "requirements"),
        ("notes.txt", "", "text"),
        ("runtime.txt", "", "python-version"),
        ("pylock.dev.toml", "", "lock"),
        ("uv.lock", "", "lock"),
        (".env.example", "", "dotenv"),
        (".github/workflows/ci.yml", "", "ci"),
        ("k8s/app.yaml", "kind: Pod", "yaml"),
        ("bin/serve", "#!/usr/bin/env python3\n", "python"),
        ("bin/start", "#!/bin/bash\n", "shell"),
        ("weights", b"\x80\x04\x95N.", "artifact"),
        ("weights.dat", b"\x89HDF\r\n\x1a\n", "artifact"),
        ("model.pkl.gz", b"\x1f\x8b", "artifact"),
        ("data.zip", b"PK\x03\x04", "other"),
        ("data/x.parquet", "version https://git-lfs.github.com/spec/v1\n", "other"),
        ("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\n", "artifact"),
        ("weights", "version https://git-lfs.github.com/spec/v1\n", "artifact"),
        ("models/base.bin", "version https://git-lfs.github.com/spec/v1\n", "artifact"),
        ("target/debug/libserde.rlib", "version https://git-lfs.github.com/spec/v1\n", "other"),
        ("uploads/037405ebc48f", "version https://git-lfs.github.com/spec/v1\n", "other"),
        ("blob", b"\x00\x01\x02", "other"),
        ("nb.ipynb", "{}", "notebook"),
    ],
)
def test_kinds(tmp_path: Path, path: str, content: str | bytes, kind: str) -> None:
    write(tmp_path, {path: content})
    assert discover(str(tmp_path)).entry(path).kind == kind  # type: ignore[union-attr]


def test_yaml_of_a_chart_is_helm(tmp_path: Path) -> None:
    write(
        tmp_path, {"c/Chart.yaml": "", "c/templates/d.yaml": "", "c/values.yaml": "", "d.yaml": ""}
    )
    found = {entry.path: entry.kind for entry in discover(str(tmp_path)).entries}
    assert found["c/templates/d.yaml"] == found["c/values.yaml"] == FileKind.HELM
    assert found["d.yaml"] == FileKind.YAML


def test_sniffed_formats() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "b")
    assert sniff(archive.getvalue()[:64]) == "zip"
    for protocol in range(2, 6):
        assert sniff(pickle.dumps({"a": [1]}, protocol)[:64]) == "pickle"
    assert sniff(pickle.dumps({"a": [1]}, 0)[:64]) == "pickle"
    assert sniff(b"cos\nsystem\n(S'x'\ntR.") == "pickle"
    assert sniff(b"\x08\x07\x12\x07pytorch") == "onnx"
    assert sniff((64).to_bytes(8, "little") + b'{"a":') == "safetensors"
    assert sniff(b"\x1c\0\0\0TFL3") == "tflite"
    for text in (b"", b"a", b"class A:\n    pass\n", b"constant\nvalue\n", b"{}", b"(define x)"):
        assert sniff(text) is None, text


@given(st.binary(max_size=80))
def test_sniffing_never_raises(head: bytes) -> None:
    sniff(head)


@given(st.text(max_size=60))
def test_naming_never_raises(path: str) -> None:
    kind = kind_by_name(path)
    is_development(path, kind or FileKind.OTHER)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Dockerfile.dev", True),
        ("dev.Dockerfile", True),
        ("docker-compose.override.yml", True),
        ("requirements-test.txt", True),
        ("tests/Dockerfile", True),
        ("deprecated files/api.Dockerfile", True),
        ("docs/conf.py", True),
        ("test_app.py", True),
        ("a.ipynb", True),
        (".env.example", True),
        ("Dockerfile", False),
        ("docker-compose.prod.yml", False),
        ("device/Dockerfile.gpu", False),
        ("latest.py", False),
        ("requirements.txt", False),
    ],
)
def test_development_files(path: str, expected: bool) -> None:
    kind = kind_by_name(path) or FileKind.DOCKERFILE
    assert is_development(path, kind) is expected


def test_a_pickle_goes_on_behind_its_protocol() -> None:
    assert sniff(b"\x80\x04\x95\x00") == "pickle"
    assert sniff(b"\x80\x02cos\n") == "pickle"
    assert sniff(b"\x80\x04\x00\x78\x01\x70\x00\x00") is None
