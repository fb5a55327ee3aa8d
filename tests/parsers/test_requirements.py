"""Requirements files: pip's documented forms, pip itself as the oracle, and hostile input."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditor.parsers import requirements
from auditor.parsers.requirements import Requirement, entries, parse, parse_requirement, resolve
from auditor.source import Location, Problem, SourceText

ROOT = Path(__file__).resolve().parents[2]


def _compare():
    spec = importlib.util.spec_from_file_location(
        "compare_requirements", ROOT / "tools" / "compare_requirements.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compare = _compare()


def read(text: str, path: str = "requirements.txt") -> requirements.RequirementsFile:
    return parse(SourceText(path, text))


def one(text: str) -> Requirement:
    facts = read(text)
    assert len(facts.requirements) == 1, facts.problems
    return facts.requirements[0]


def spot(text: str, at: Location) -> str:
    """The characters a location spans."""
    lines = text.split("\n")
    assert at.line == at.end_line
    return lines[at.line - 1][at.column - 1 : at.end_column - 1]


# Every form of pip's chapter on requirements files, and of the one on requirement specifiers.
DOCUMENTED = """\
# This is a comment, to show how #-prefixed lines are ignored.
pytest
pytest-cov
beautifulsoup4
docopt == 0.6.1
SomeProject
SomeProject == 1.3
SomeProject >= 1.2, < 2.0
SomeProject[foo, bar]
SomeProject ~= 1.4.2
SomeProject == 5.4 ; python_version < '3.8'
SomeProject ; sys_platform == 'win32'
requests [security] >= 2.8.1, == 2.8.* ; python_version < "2.7"
keyring >= 4.1.1            # Minimum version 4.1.1
coverage != 3.5             # Version Exclusion. Anything except version 3.5
Mopidy-Dirble ~= 1.1        # Compatible release. Same as >= 1.1, == 1.*
urllib3 @ https://index.invalid/urllib3/archive/refs/tags/1.26.8.zip
rejected
green
http://wheels.invalid/wxPython_Phoenix-3.0.3.dev1820+49a8884-cp34-none-win_amd64.whl
git+https://git.invalid/MyProject.git@master
git+ssh://git@git.invalid/MyProject.git@da39a3ee5e6b4b0d3255bfef95601890afd80709#egg=MyProject
MyProject @ git+https://git.invalid/MyProject@v1.0#subdirectory=pkg_dir
-e git+https://git.invalid/MyProject.git@refs/pull/123/head#egg=MyProject
--editable=hg+http://hg.invalid/MyProject@v1.0#egg=MyProject
-e svn+http://svn.invalid/svn/MyProject/trunk@2019#egg=MyProject
FooProject == 1.2 --hash=sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 \\
  --hash=sha256:486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7
FooProject >= 1.2 --config-settings="key=value" --config-setting k2=v2
-i https://index.invalid/simple
--extra-index-url https://${USER}:${PASSWORD}@index.invalid/simple
--extra-index-url=https://two.invalid/simple
--no-index
--find-links /my/local/archives
-f http://archives.invalid/archives
--no-binary :all:
--only-binary=numpy,scipy
--prefer-binary
--require-hashes
--pre
--trusted-host index.invalid
--use-feature=fast-deps
-r other-requirements.txt
-c constraints.txt
-rother.txt
--requirement=third.txt
--index-u https://abbreviated.invalid/simple
"""


@pytest.mark.oracle
def test_documented_forms_are_read_as_pip_reads_them():
    data = DOCUMENTED.encode()
    theirs = compare.by_pip(data)
    assert len(theirs[0]) >= 25
    assert len(theirs[1]) == 4
    assert not theirs[3]
    assert compare.differences(data) == []


@pytest.mark.oracle
@pytest.mark.parametrize(
    "line",
    [
        "foo>=1.0.*",
        "foo=1.0",
        "foo==1.0#comment",
        "foo >1.0,",
        "foo==1.0; python_version",
        "foo == 1.0 ; extra == 'x' --hash=sha256:ab",
        "foo --hash=md5:ab",
        "foo --hash=sha256",
        "foo --no-such-option",
        "foo -r bar.txt",
        "--no-deps",
        "-e",
        "-e git+https://git.invalid/x.git",
        "-e https://index.invalid/x.zip",
        "-e 'foo @ git+https://git.invalid/x.git'",
        "foo bar",
        "foo 1.0",
        "foo(>=1.0)",
        "foo[bar",
        "foo ~= 1",
        "foo===whatever",
        "foo==2014-04-04",
        "foo==1.0-1",
        "foo==v1.0",
        "foo==1!2.0+local.1",
        "foo<=1.0+local",
        "foo\\",
        "foo \\\n# comment\nbar",
        "foo==1 \\\n  --hash=sha256:aa # trailing \\\n  --hash=sha256:bb",
        "\\foo\\\\\nbar",
        "  -r a.txt -r b.txt",
        "-c 'with blank.txt'",
        "-i 'open",
        "--pre=1",
        "--ind x",
        "-- foo",
        "- foo",
        "name.zip",
        "name@https://index.invalid/x.zip",
        "name @ https://index.invalid/x.zip ; sys_platform == 'linux'",
        "https://index.invalid/x-1.0.tar.gz#egg=x&sha256=abcdef",
        "https://index.invalid/x.zip ; python_version<'3'",
        "git+git@git.invalid:x/y.git",
        "===1.0",
        "_foo",
        "foo_==1",
        "a",
        "foo==${VERSION}",
        "# only\n   # comments",
    ],
)
def test_corner_cases_are_read_as_pip_reads_them(line):
    assert compare.differences(line.encode()) == []


_names = st.sampled_from(["foo", "Foo.Bar", "a", "x_y", "z-9", "foo_", "-x", "numpy", "n.zip"])
_versions = st.sampled_from(
    [
        "1",
        "1.0",
        "1.2.3",
        "2.*",
        "1.0rc1",
        "1.0.post1",
        "1.0.dev3",
        "1!2",
        "1.0+cu118",
        "x",
        "",
        "v1",
    ]
)
_operators = st.sampled_from(["==", ">=", "<=", "~=", "!=", "<", ">", "===", "=", "==="])
_blank = st.sampled_from(["", " ", "  ", "\t"])
_markers = st.sampled_from(
    [
        "python_version < '3.8'",
        'sys_platform == "linux" and python_version>="3"',
        "(os_name == 'nt')",
        "extra == 'a'",
        "'3' in python_version",
        "python_version",
        "nonsense == '1'",
    ]
)
_options = st.sampled_from(
    [
        "--hash=sha256:ab",
        "--hash sha512:cd",
        "--pre",
        "--bogus",
        "-i u",
        "--config-settings='a=b c'",
    ]
)


@st.composite
def _lines(draw):
    text = draw(_names)
    if draw(st.booleans()):
        text += draw(_blank) + "[" + ",".join(draw(st.lists(_names, max_size=2))) + "]"
    clauses = [
        draw(_operators) + draw(_blank) + draw(_versions) for _ in range(draw(st.integers(0, 3)))
    ]
    text += draw(_blank) + ("," + draw(_blank)).join(clauses)
    if draw(st.booleans()):
        text += draw(_blank) + ";" + draw(_blank) + draw(_markers)
    for _ in range(draw(st.integers(0, 2))):
        text += draw(st.sampled_from([" ", " \\\n   ", ""])) + draw(_options)
    return text + draw(st.sampled_from(["", " # note", "#x", " \\", "  "]))


@pytest.mark.oracle
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_lines(), min_size=1, max_size=3).map("\n".join))
def test_generated_files_are_read_as_pip_reads_them(text):
    assert compare.differences(text.encode()) == []


@pytest.mark.oracle
@settings(max_examples=300, deadline=None)
@example("\\\n1")
@given(st.text(alphabet="ab1=<>~!.,;#\\\"'[]() -@:/$+\n\t", max_size=40))
def test_noise_is_read_as_pip_reads_it(text):
    assert compare.differences(text.encode()) == []


@settings(max_examples=300, deadline=None)
@given(_lines().map(lambda t: t.split("\\")[0].split("#")[0].strip()))
@example("foo [a , b] >= 1.0 , < 2")
def test_the_fast_path_agrees_with_packaging(text):
    from packaging.requirements import Requirement as Parsed

    match = entries._SIMPLE.fullmatch(text)
    if match is None:
        return
    parsed = Parsed(text)
    fast = parse_requirement(text, lambda a, b: Location("f", 1, a + 1, 1, b + 1), pip_forms=False)
    assert isinstance(fast, Requirement)
    assert (fast.name, set(fast.extras)) == (parsed.name, parsed.extras)
    assert fast.specifier_set == parsed.specifier


@settings(max_examples=300, deadline=None)
@given(_markers)
def test_the_simple_marker_pattern_accepts_only_markers(text):
    if entries._SIMPLE_MARKER.fullmatch(text):
        assert requirements.marker_object(text) is not None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_never_raises_and_every_place_is_in_the_file(text):
    facts = read(text)
    lines = text.split("\n")
    places = [r.at for r in facts.requirements] + [p.at for p in facts.problems]
    for at in [*places, *(i.at for i in facts.includes), *(o.at for o in facts.options)]:
        assert 1 <= at.line <= at.end_line <= len(lines)
        assert at.column >= 1


@settings(max_examples=200, deadline=None)
@given(st.lists(_lines(), min_size=1, max_size=4).map("\n".join))
def test_spans_hold_the_text_they_name(text):
    for requirement in read(text).requirements:
        if requirement.name_at:
            assert spot(text, requirement.name_at) == requirement.name
        if (
            requirement.specifier_at
            and requirement.specifier_at.line == requirement.specifier_at.end_line
        ):
            assert spot(text, requirement.specifier_at) == requirement.specifier


def test_places_across_continuations_and_comments():
    text = "# head\n\nflask [async] \\\n   ==3.0.1 \\\n  --hash=sha256:ab  # why\n"
    requirement = one(text)
    assert spot(text, requirement.name_at) == "flask"
    assert spot(text, requirement.specifier_at) == "==3.0.1"
    assert requirement.specifier_at.line == 4
    assert requirement.at == Location("requirements.txt", 3, 1, 4, 11)
    assert (requirement.extras, requirement.hashes) == (("async",), ("sha256:ab",))
    assert requirement.comment == "why"


@pytest.mark.parametrize(
    ("specifier", "version"),
    [
        ("==1.2.3", "1.2.3"),
        ("===1.2-odd", "1.2-odd"),
        ("== 1.0+cu118", "1.0+cu118"),
        (">=1,==1.5", "1.5"),
        ("==1.*", None),
        (">=1.2", None),
        ("~=1.2.3", None),
        ("", None),
        ("==${V}", None),
    ],
)
def test_pinned_means_one_version(specifier, version):
    requirement = one(f"foo{specifier}")
    assert requirement.pinned_version == version
    assert requirement.is_pinned is (version is not None)


def test_version_control_references():
    commit = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    pinned = one(f"git+ssh://git@git.invalid/a/b.git@{commit}#egg=b&subdirectory=s").vcs
    assert (pinned.scheme, pinned.url) == ("git", "ssh://git@git.invalid/a/b.git")
    assert (pinned.rev, pinned.is_commit, pinned.subdirectory) == (commit, True, "s")
    assert one("b @ git+https://git.invalid/b@main").vcs.is_commit is False
    assert one("git+https://git.invalid/b").vcs.rev is None
    assert one("git+https://git.invalid/b@da39a3e").vcs.is_commit is False
    assert one("git+https://git.invalid/Some_Thing.git").likely_name == "Some_Thing"


def test_wheels_name_themselves_and_paths_do_not():
    wheel = one("https://index.invalid/torch-2.1.0%2Bcu118-cp311-cp311-linux_x86_64.whl")
    assert (wheel.key, wheel.is_pinned) == ("torch", True)
    local = one("./vendor/thing[extra]")
    assert (local.name, local.path, local.extras) == ("", "./vendor/thing", ("extra",))
    editable = one("-e .[dev]")
    assert (editable.path, editable.extras, editable.editable) == (".", ("dev",), True)


def test_rejected_specifiers_keep_the_name_and_say_why():
    facts = read("foo>=1.0.*\nbar=1.0\n")
    assert [r.name for r in facts.requirements] == ["foo", "bar"]
    assert all(r.rejected for r in facts.requirements)
    assert [p.at.line for p in facts.problems] == [1, 2]
    assert "==" in facts.problems[1].message
    assert facts.requirements[0].specifier_set is None
    assert facts.requirements[0].allows("1.0") is None


def test_encodings():
    text = "caf\u00e9==1.0 # \u00e9\nflask==2.0\n"
    for data in (
        text.encode("utf-16"),
        b"\xff\xfe" + text.encode("utf-16-le"),
        b"\xef\xbb\xbf" + text.encode(),
        ("# -*- coding: latin-1 -*-\n" + text).encode("latin-1"),
    ):
        source = requirements.decode("r.txt", data)
        assert not source.problems
        assert [r.name for r in parse(source).requirements] == ["flask"]
        assert [p.at.line for p in parse(source).problems] == [
            text.count("\n") + len(source.lines) - 3 - 1
        ]
    broken = requirements.decode("r.txt", b"# coding: no-such\nflask\n")
    assert broken.problems
    assert parse(broken).problems[0].message == "the file is not no-such as it says"


def test_variables_are_reported_where_they_stand():
    text = "--index-url https://${TOKEN}@index.invalid\nfoo==${FOO_VERSION}\nbar==$lower\n"
    facts = read(text)
    assert [(name, spot(text, at)) for name, at in facts.variables] == [
        ("TOKEN", "${TOKEN}"),
        ("FOO_VERSION", "${FOO_VERSION}"),
    ]
    assert facts.requirements[0].specifier == "==${FOO_VERSION}"
    assert not facts.requirements[0].rejected


# --- several files -----------------------------------------------------------------------


def _resolve(files: dict[str, str], start: str):
    return resolve(start, lambda p: SourceText(p, files[p]) if p in files else None)


def test_includes_are_followed_relative_to_their_file_in_pips_order():
    resolved = _resolve(
        {
            "deploy/requirements.txt": "a\n-r ../base/common.txt\nz\n-c limits.txt\n",
            "base/common.txt": "-r more.txt\nb\n",
            "base/more.txt": "m\n",
            "deploy/limits.txt": "b<2\n-r inner.txt\n",
            "deploy/inner.txt": "i\n",
        },
        "deploy/requirements.txt",
    )
    # pip gives up the constraint when a constraints file uses -r.
    assert [r.name for r in resolved.requirements] == ["a", "m", "b", "z", "i"]
    assert [(r.name, r.constraint) for r in resolved.constraints] == [("b", True)]
    assert not resolved.problems
    assert resolved.requirements[1].at.path == "base/more.txt"


def test_cycles_and_missing_files_name_both_ends():
    resolved = _resolve({"a.txt": "x\n-r b.txt\n-r gone.txt\n", "b.txt": "y\n-r a.txt\n"}, "a.txt")
    assert [r.name for r in resolved.requirements] == ["x", "y"]
    cycle, missing = resolved.problems
    assert (cycle.at.path, cycle.at.line) == ("b.txt", 2)
    assert "b.txt" in cycle.message
    assert "a.txt" in cycle.message
    assert (missing.at.path, missing.at.line) == ("a.txt", 3)
    assert "gone.txt" in missing.message


def test_a_file_that_includes_itself_and_one_outside():
    resolved = _resolve(
        {"r.txt": "-r r.txt\n-r ../../etc/x\n-r https://u.invalid/r.txt\n"}, "r.txt"
    )
    assert len(resolved.problems) == 3
    assert resolved.files[0].includes[1].path is None


def test_depth_and_count_are_bounded():
    files = {f"r{i}.txt": f"-r r{i + 1}.txt\n" for i in range(500)}
    resolved = _resolve(files, "r0.txt")
    assert len(resolved.files) <= requirements.MAX_DEPTH
    wide = {"r.txt": "".join(f"-r w{i}.txt\n" for i in range(2000))}
    wide |= {f"w{i}.txt": "a\n" for i in range(2000)}
    assert len(_resolve(wide, "r.txt").files) <= requirements.MAX_FILES


# --- who wrote it ------------------------------------------------------------------------


def test_compilers_are_recognised_by_their_own_headers():
    folder = ROOT / "tests" / "data" / "locks"
    facts = parse(SourceText("r.txt", (folder / "pip-compile/requirements.txt").read_text()))
    compiled = facts.compiled_by
    assert (compiled.tool, compiled.sources) == ("pip-compile", ("requirements.in",))
    assert compiled.python == "3.11"
    assert facts.requires_hashes
    via = {r.name: r.via for r in facts.requirements}
    assert via["flask"] == ("-r requirements.in",)
    assert set(via["markupsafe"]) == {"flask", "jinja2", "werkzeug"}
    line = parse(SourceText("r.txt", (folder / "pip-compile/line.txt").read_text()))
    assert {r.name: set(r.via) for r in line.requirements}["markupsafe"] == set(via["markupsafe"])
    uv = parse(SourceText("r.txt", (folder / "uv-pip/requirements.txt").read_text())).compiled_by
    assert (uv.tool, uv.sources, uv.python) == ("uv pip compile", ("requirements.in",), "3.10")
    export = parse(SourceText("r.txt", (folder / "uv/requirements.txt").read_text())).compiled_by
    assert export.tool == "uv export"
    poetry = parse(
        SourceText("r.txt", (folder / "poetry/requirements.txt").read_text())
    ).compiled_by
    assert (poetry.tool, poetry.certain) == ("poetry export", False)


def test_an_ordinary_pinned_file_is_not_taken_for_compiled():
    assert read("flask==3.0.0\nuvicorn==0.30.0\nnumpy==1.26.4\n").compiled_by is None
    assert read("# pinned by hand\na==1\nb==2\n").compiled_by is None
    names = sorted(f"pkg{i:02}" for i in range(20))
    freeze = read("".join(f"{n}==1.0\n" for n in names)).compiled_by
    assert (freeze.tool, freeze.certain) == ("pip freeze", False)


# --- hostile input -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "foo==" + "1." * 30_000,
        "foo[" + "a," * 30_000,
        "foo ; " + "(" * 30_000,
        " " * 60_000 + "x#",
        "foo" + " " * 60_000 + "!",
        "foo " + "--hash=sha256:ab " * 20_000,
        "\\\n" * 50_000,
        "foo \\\n" * 20_000,
        "-" * 60_000,
        "foo @ " + "@" * 60_000,
        "#" * 100_000,
        "git+https://x@" + "@" * 60_000,
        "${A}" * 15_000,
        "'" * 50_000,
        "-i " + '"\\"' * 20_000,
        "foo==1.0\n" * 20_000,
    ],
)
def test_work_is_bounded_on_hostile_lines(text):
    start = time.process_time()
    read(text)
    assert time.process_time() - start < 2.0


def test_a_plain_file_needs_no_packaging():
    code = (
        "import sys; from auditor.source import SourceText; "
        "from auditor.parsers.requirements import parse; "
        "f = parse(SourceText('r', 'flask==3.0 # x\\nnumpy>=1,<2 ; python_version < \"3.9\"\\n"
        "pandas[all]\\n-r b.txt\\n')); assert len(f.requirements) == 3, f; "
        "assert f.requirements[0].is_pinned; "
        "assert not any(m.split('.')[0] == 'packaging' for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_argument_can_be_judged_alone():
    def at(start: int, end: int) -> Location:
        return Location("Dockerfile", 7, 13 + start, 7, 13 + end)

    requirement = parse_requirement("flask==3.0", at)
    assert requirement.name_at == Location("Dockerfile", 7, 13, 7, 18)
    assert isinstance(parse_requirement("hello world", at), Problem)
