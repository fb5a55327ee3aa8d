import io
import json
import os
import pickle
import sys
from types import SimpleNamespace

import pytest

from auditor.__main__ import main
from auditor.cli.scan import scan_all, targets


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = main(["scan", *arguments])
        out, err = capfd.readouterr()
        return status, out, err

    return call


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "safe.pkl").write_bytes(pickle.dumps({"a": [1, 2.5, "x"]}))
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "models/deep").mkdir(parents=True)
    (tmp_path / "models/deep/evil.bin").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "models/notes.txt").write_text("not a model\n")
    (tmp_path / "models/.git").mkdir()
    (tmp_path / "models/.git/evil.pkl").write_bytes(pickle.dumps(Evil()))
    return tmp_path


def test_exit_status_by_verdict(run, files):
    status, out, err = run("safe.pkl")
    assert status == 0
    assert out.startswith("safe        safe.pkl")
    assert "passed: 1 artifact" in err
    status, out, err = run("safe.pkl", "evil.pkl")
    assert status == 1
    assert "dangerous   evil.pkl" in out
    assert "ART001" in out
    assert "system" in out
    assert "1 dangerous of 2 artifacts" in err
    assert run("evil.pkl", "--fail-on", "never")[0] == 0


def test_exit_status_by_severity(run, files):
    status, _, err = run("safe.pkl", "evil.pkl", "--fail-on", "critical", "--no-cache")
    assert status == 1
    assert "1 of 2 artifacts with findings of critical or above" in err
    status, _, err = run("safe.pkl", "--fail-on", "info")
    assert status == 0
    assert "none with findings of info or above" in err


def test_quiet_shows_what_is_wrong_only(run, files):
    status, out, _ = run("-q", "safe.pkl", "evil.pkl")
    assert status == 1
    assert "safe.pkl" not in out
    assert "evil.pkl" in out
    assert run("-q", "safe.pkl") == (0, "", "")


def test_cut_short_fails_closed(run, tmp_path):
    (tmp_path / "cut.pkl").write_bytes(pickle.dumps(list(range(1000)))[:-20])
    status, out, _ = run("cut.pkl")
    assert status == 1
    assert "safe" not in out.split()[0]


def test_directories_are_walked_for_artifacts(run, files):
    status, out, _ = run("models")
    assert status == 1
    assert "models/deep/evil.bin" in out
    assert "notes.txt" not in out
    assert ".git" not in out
    assert run("models", "--exclude", "deep")[0] == 3, "nothing is left to judge"
    assert run("models", "--exclude", "deep", "--allow-empty")[0] == 0


def test_links_in_directories_are_not_followed(run, files, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "link.pkl").symlink_to(tmp_path / "evil.pkl")
    (outside / "folder").symlink_to(tmp_path / "models")
    assert run("outside")[0] == 3


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_names_from_standard_input(run, files, monkeypatch, separator):
    names = separator.join(["safe.pkl", "evil.pkl"]).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(names)))
    status, out, _ = run("-")
    assert status == 1
    assert "safe.pkl" in out
    assert "evil.pkl" in out


def test_an_artifact_on_standard_input(run, files, monkeypatch):
    for name, expected in (("evil.pkl", 1), ("safe.pkl", 0)):
        data = (files / name).read_bytes()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        status, out, _ = run("-", "--format", "json")
        assert status == expected
        artifact = json.loads(out)["artifacts"][0]
        assert artifact["path"] == "<stdin>"
        assert artifact["verdict"] == ("dangerous" if expected else "safe")
        assert artifact["size"] == len(data)


def test_a_large_artifact_on_standard_input(run, monkeypatch):
    data = pickle.dumps([bytes(9 << 20), Evil()])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    status, out, _ = run("-")
    assert status == 1
    assert out.startswith("dangerous   <stdin>  (pickle")


def test_a_list_of_names_that_is_a_pickle_is_judged_as_both(run, files, monkeypatch, tmp_path):
    for name in ("cos", "system", "(S'id'", "tR."):
        (tmp_path / name).write_bytes(b"")
    data = b"cos\nsystem\n(S'id'\ntR."
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    status, out, _ = run("-")
    assert status == 1
    assert "dangerous   <stdin>" in out
    assert "system  (empty" in out


def test_a_name_on_standard_input_that_is_missing(run, files, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"safe.pkl\ngone.pkl\n")))
    assert run("-")[0] == 2


def test_progress_is_drawn_on_a_terminal_and_goes(monkeypatch):
    from auditor.cli import progress

    clock = iter(range(100))
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    assert list(progress.shown("abcd", 4, "files", stream=stream)) == list("abcd")
    text = stream.getvalue()
    assert text.startswith("\r[")
    assert "2 of 4 files" in text
    assert text.endswith("\r\x1b[K")
    silent = io.StringIO()
    monkeypatch.setattr(progress, "monotonic", lambda: 0.0)
    assert list(progress.shown("abcd", 4, "files", stream=silent)) == list("abcd")
    assert silent.getvalue() == ""


@pytest.mark.parametrize("live", [False, True])
def test_only_a_terminal_sees_progress(run, files, monkeypatch, live):
    from auditor.cli import progress

    times = iter(range(1000))
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: live)
    out = run("safe.pkl", "evil.pkl", "models/notes.txt")[2]
    assert ("of 3 files" in out) is live
    assert "of 3 files" not in run("-q", "safe.pkl", "evil.pkl", "models/notes.txt")[2]


@pytest.mark.parametrize(
    "form", ["console", "json", "sarif", "html", "markdown", "junit", "gitlab", "github"]
)
def test_every_format_names_the_verdict(run, files, form):
    status, out, _ = run("evil.pkl", "safe.pkl", "--format", form)
    assert status == 1
    assert "evil.pkl" in out
    assert "dangerous" in out


def test_json_keeps_to_the_contract(run, files):
    status, out, _ = run("evil.pkl", "safe.pkl", "--format", "json")
    assert status == 1
    document = json.loads(out)
    assert [a["verdict"] for a in document["artifacts"]] == ["dangerous", "safe"]
    assert document["artifacts"][0]["globals"] == ["posix.system"]
    assert document["score"]["value"] is None
    assert {f["rule"] for f in document["findings"]} >= {"ART001"}
    assert all(f["path"] == "evil.pkl" for f in document["findings"])


def test_wrong_usage(run, files):
    assert run("gone.pkl")[0] == 2
    assert run("safe.pkl", "--fail-on", "evil")[0] == 2
    assert run()[0] == 2
    assert run("safe.pkl", "--jobs", "0")[0] == 2


def test_unreadable_file_is_3_and_the_others_are_judged(run, files, monkeypatch):
    import auditor.artifacts.scan as scan

    real = scan.scan_file

    def refuse(path, **options):
        if str(path) == "safe.pkl":
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(scan, "scan_file", refuse)
    (files / "other.pkl").write_bytes(pickle.dumps([1]))
    status, out, err = run("safe.pkl", "other.pkl")
    assert status == 3
    assert "safe.pkl: cannot be read: Permission denied" in err
    assert "other.pkl" in out


def test_many_files_in_several_processes_keep_their_order(files, monkeypatch):
    monkeypatch.chdir(files)
    given = [("evil.pkl" if n % 7 == 0 else "safe.pkl", True) for n in range(40)]
    assert scan_all(given, 2) == scan_all(given, 1)
    assert [f.path for f in scan_all(given, 2)[0]] == [path for path, _ in given]


def test_names_cannot_write_to_the_terminal(run, tmp_path):
    name = "a\x1b[31m\nb.pkl"
    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    out = run(name)[1]
    assert "\x1b" not in out
    assert "a\\x1b[31m\\nb.pkl" in out


def test_targets_are_sorted_and_regular(files, monkeypatch):
    monkeypatch.chdir(files)
    os.mkfifo(files / "models/pipe.pkl")
    found = list(targets(["models", "safe.pkl"], ()))
    assert found == [
        ("models/notes.txt", False),
        ("models/deep/evil.bin", False),
        ("safe.pkl", True),
    ]
