import os
import pickle
import string
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.catalog import rules
from auditor.config import Settings, config_file, glob_match, load, rebase, unknown_variables
from auditor.errors import ConfigError, ExitStatus, UsageError
from auditor.findings import Severity
from auditor.source import Location

CFG001 = rules()["CFG001"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, text: str, name: str = "deploy-audit.toml") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(root: Path, **more: object) -> Settings:
    return load(root, environ={}, **more)  # type: ignore[arg-type]


def test_defaults(root):
    assert read(root) == Settings()
    assert read(root).fail_on is Severity.MEDIUM
    assert pickle.loads(pickle.dumps(read(root))) == Settings()
    hash(Settings())


def test_every_key(root):
    write(
        root,
        """
select = ["ALL"]
ignore = ["unused-suppression"]
exclude = ["fixtures/", "*.bak"]
profile = "strict"
fail-on = "high"
min-score = 80
target-python = "3.12"
baseline = "ci/known.json"
allow-empty = true
[severity]
CFG003 = "info"
suppression-without-reason = "critical"
[per-file-ignores]
"legacy/**" = { rules = ["CFG001"], reason = "being replaced" }
"old.py" = ["CFG"]
""",
    )
    settings = read(root)
    assert settings.select == ("ALL",)
    assert settings.ignore == ("unused-suppression",)
    assert settings.exclude == ("fixtures/", "*.bak")
    assert (settings.profile, settings.fail_on) == ("strict", Severity.HIGH)
    assert (settings.min_score, settings.target_python) == (80, "3.12")
    assert settings.baseline == str(root / "ci/known.json")
    assert settings.allow_empty
    assert settings.severity == (("CFG001", Severity.CRITICAL), ("CFG003", Severity.INFO))
    assert settings.severity_of(CFG001) is Severity.CRITICAL
    first, second = settings.per_file_ignores
    assert (first.pattern, first.rules, first.reason) == (
        "legacy/**",
        ("CFG001",),
        "being replaced",
    )
    assert first.at == Location("deploy-audit.toml", 15, 1, 15, 64)
    assert (second.rules, second.reason) == (("CFG",), None)


def test_fail_on_never(root):
    write(root, 'fail-on = "never"')
    assert read(root).fail_on is None


def test_layers(root):
    write(root, 'fail-on = "low"\nmin-score = 1\nprofile = "strict"\nexclude = ["a"]')
    environ = {
        "DEPLOY_AUDIT_FAIL_ON": "high",
        "DEPLOY_AUDIT_MIN_SCORE": "2",
        "DEPLOY_AUDIT_EXCLUDE": "b, c",
        "DEPLOY_AUDIT_PROFILE": "",
    }
    settings = load(root, environ=environ, overrides={"min_score": "3", "exclude": ["d"]})
    assert settings.profile == "strict", "from the file: an empty variable is not set"
    assert settings.fail_on is Severity.HIGH, "from the environment"
    assert settings.min_score == 3, "from the command line"
    assert settings.exclude == ("a", "b", "c", "d"), "adds up"


def test_deploy_audit_toml_beats_pyproject(root):
    write(root, "[tool.deploy-audit]\nmin-score = 1\n", "pyproject.toml")
    assert read(root).min_score == 1
    write(root, "min-score = 2")
    assert read(root).min_score == 2


def test_the_closest_file_wins_up_to_the_top_of_the_checkout(root):
    service = root / "repo/services/api"
    service.mkdir(parents=True)
    write(root, "min-score = 9")
    assert read(service).min_score is None, "not a checkout: only the root itself is read"
    (root / "repo/.git").mkdir()
    assert read(service).min_score is None, "nothing above the checkout is read"
    write(root / "repo", "min-score = 1\nexclude = ['services/api/data', '*.bak', 'web']")
    assert read(service).min_score == 1
    assert read(service).exclude == ("/data", "*.bak", "web")
    assert config_file(service) == root / "repo/deploy-audit.toml"
    write(service, "[tool.other]\n", "pyproject.toml")
    assert read(service).min_score == 1, "a pyproject.toml without our table does not count"
    write(service, "[tool.deploy-audit]\nmin-score = 2\n", "pyproject.toml")
    assert read(service).min_score == 2


def test_explicit_file(root):
    path = write(root / "elsewhere", "min-score = 5", "strict.toml")
    assert read(root, config=path).min_score == 5
    assert load(root, environ={"DEPLOY_AUDIT_CONFIG": str(path)}).min_score == 5
    with pytest.raises(ConfigError, match="no such configuration file"):
        read(root, config=root / "gone.toml")
    with pytest.raises(ConfigError, match="no such configuration file"):
        read(root, config=root)
    bare = write(root / "elsewhere", "[tool.x]\n", "pyproject.toml")
    with pytest.raises(ConfigError, match=r"has no \[tool.deploy-audit\] table"):
        read(root, config=bare)


MISTAKES = {
    "unknown key": ('\nfail_on = "low"', "deploy-audit.toml:2: fail_on: ", '"fail-on"'),
    "key of the command line": ("online = true", ":1: online: ", "command line"),
    "value": ('fail-on = "hihg"', ":1: fail-on: ", 'did you mean "high"'),
    "value type": ("fail-on = 3", ":1: fail-on: ", "not an integer"),
    "rule": ('select = [\n "CFG001",\n "CFG0003",\n]', ":3: select: ", '"CFG003"'),
    "rule name": ('ignore = ["unused-supression"]', ":1: ignore: ", '"unused-suppression"'),
    "list": ('select = "CFG001"', ":1: select: ", "expected a list of rules"),
    "item": ("\nexclude = ['a', 1]", ":2: exclude[1]: ", "expected a string, not an integer"),
    "score range": ("min-score = 101", ":1: min-score: ", "0 to 100"),
    "score type": ("min-score = true", ":1: min-score: ", "not a boolean|not True"),
    "score text": ('min-score = "80"', ":1: min-score: ", "not a string"),
    "python float": ("target-python = 3.10", ":1: target-python: ", "in quotes"),
    "python word": ('target-python = "latest"', ":1: target-python: ", "latest"),
    "profile": ('profile = "strikt"', ":1: profile: ", 'did you mean "strict"'),
    "boolean": ('allow-empty = "yes"', ":1: allow-empty: ", "true or false"),
    "severity rule": ('[severity]\nCFG1 = "low"', ":2: severity.CFG1: ", "no rule of that name"),
    "severity": ('[severity]\nCFG001 = "bad"', ":2: severity.CFG001: ", "one of critical"),
    "per-file type": (
        '[per-file-ignores]\n\n"a.py" = "CFG001"',
        ':3: per-file-ignores."a.py": ',
        "rules = ",
    ),
    "per-file rule": (
        '[per-file-ignores]\n"a.py" = ["CFG9"]',
        ':2: per-file-ignores."a.py": ',
        "CFG9",
    ),
    "per-file key": (
        '[per-file-ignores]\n"a.py" = {rule = ["CFG001"]}',
        ':2: per-file-ignores."a.py".rule: ',
        'did you mean "rules"',
    ),
    "glob out": ('exclude = ["../x"]', ":1: exclude: ", "lead out of the root"),
    "glob empty": ('exclude = ["/"]', ":1: exclude: ", "an empty glob"),
    "glob negated": ('exclude = ["!x"]', ":1: exclude: ", "negated"),
    "baseline out": ('baseline = "../x.json"', ":1: baseline: ", "leads out"),
    "baseline absolute": ('baseline = "/etc/passwd"', ":1: baseline: ", "leads out"),
    "toml": ("a = 1\nb = = 2", ":2: is not valid TOML", ""),
    "toml end": ('a = "', ":1: is not valid TOML", ""),
    "nesting": ("a = " + "[" * 5000, "deploy-audit.toml", "nested too deeply|not valid"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_line_key_and_the_nearest_name(root, name):
    text, place, hint = MISTAKES[name]
    write(root, text)
    with pytest.raises(ConfigError) as caught:
        read(root)
    message = str(caught.value)
    assert message.startswith("deploy-audit.toml")
    assert place in message
    assert any(part in message for part in hint.split("|"))
    assert caught.value.status is ExitStatus.USAGE


def test_a_mistake_in_pyproject_names_the_whole_key(root):
    write(root, '[project]\nname = "x"\n\n[tool.deploy-audit]\nminscore = 3\n', "pyproject.toml")
    with pytest.raises(ConfigError) as caught:
        read(root)
    assert str(caught.value) == (
        'pyproject.toml:5: tool.deploy-audit.minscore: unknown key; did you mean "min-score"?'
    )


def test_mistakes_in_other_layers_name_their_source(root):
    with pytest.raises(ConfigError, match="DEPLOY_AUDIT_MIN_SCORE: expected a whole number"):
        load(root, environ={"DEPLOY_AUDIT_MIN_SCORE": "high"})
    with pytest.raises(ConfigError, match="DEPLOY_AUDIT_ONLINE: expected true or false"):
        load(root, environ={"DEPLOY_AUDIT_ONLINE": "perhaps"})
    with pytest.raises(UsageError, match="--select: there is no rule"):
        read(root, overrides={"select": ["NOPE"]})
    found = unknown_variables(
        {"DEPLOY_AUDIT_MIN_SCOR": "1", "HOME": "/", "DEPLOY_AUDIT_CONFIG": ""}
    )
    assert found == (("DEPLOY_AUDIT_MIN_SCOR", '; did you mean "DEPLOY_AUDIT_MIN_SCORE"?'),)


def test_invalid_utf8_names_the_line(root):
    (root / "deploy-audit.toml").write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(ConfigError, match=r"deploy-audit\.toml:2: is not valid UTF-8"):
        read(root)


def test_a_broken_pyproject_that_never_mentions_us_is_not_our_configuration(root):
    write(root, "[project\n", "pyproject.toml")
    assert read(root) == Settings()
    (root / "pyproject.toml").write_bytes(b"\xff\xfe\x00")
    assert read(root) == Settings()


# --- a hostile repository's configuration ---------------------------------------------------------


def test_links_out_of_the_root_are_not_read(root):
    secret = write(root, "min-score = 1", "secret.toml")
    repo = root / "repo"
    repo.mkdir()
    (repo / "deploy-audit.toml").symlink_to(secret)
    with pytest.raises(ConfigError, match="leads out of its directory"):
        read(repo)
    (repo / "deploy-audit.toml").unlink()
    (repo / "settings.toml").write_text("min-score = 2")
    (repo / "deploy-audit.toml").symlink_to("settings.toml")
    assert read(repo).min_score == 2, "a link that stays inside is fine"


def test_baseline_link_out_of_the_root_is_refused(root):
    repo = root / "repo"
    repo.mkdir()
    (repo / "sub").symlink_to(root)
    write(repo, 'baseline = "sub/other.json"')
    with pytest.raises(ConfigError, match="leads out"):
        read(repo)


def test_a_pipe_does_not_hang(root):
    os.mkfifo(root / "deploy-audit.toml")
    os.mkfifo(root / "pyproject.toml")
    assert read(root) == Settings()


def test_size_is_bounded(root):
    write(root, "# " + "x" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than"):
        read(root)


def test_isolated_reads_no_file_and_honours_no_comment(root):
    write(root, 'fail-on = "nonsense"')
    assert read(root, isolated=True) == replace(Settings(), honour_comments=False)
    assert load(root, environ={"DEPLOY_AUDIT_MIN_SCORE": "7"}, isolated=True).min_score == 7


def test_files_cannot_switch_the_network_on(root):
    write(root, "online = true")
    with pytest.raises(ConfigError):
        read(root)
    assert load(root, environ={}, overrides={"online": True}, isolated=True).online


# --- selection ------------------------------------------------------------------------------------

STRICT = replace(CFG001, profile="strict")


@pytest.mark.parametrize(
    ("select", "ignore", "profile", "rule", "enabled"),
    [
        ((), (), "default", CFG001, True),
        ((), (), "default", STRICT, False),
        ((), (), "strict", STRICT, True),
        ((), ("CFG",), "default", CFG001, False),
        ((), ("CFG002",), "default", CFG001, True),
        (("CFG",), (), "default", CFG001, True),
        (("CFG",), (), "default", STRICT, False),
        (("CFG001",), (), "default", STRICT, True),
        (("suppression-without-reason",), (), "default", STRICT, True),
        (("ENV",), (), "default", CFG001, False),
        (("CFG001",), ("CFG",), "default", CFG001, True),
        (("CFG",), ("CFG001",), "default", CFG001, False),
        (("CFG001",), ("CFG001",), "default", CFG001, False),
        (("ALL",), ("CFG",), "default", CFG001, False),
        ((), ("ALL",), "default", CFG001, False),
    ],
)
def test_selection(select, ignore, profile, rule, enabled):
    settings = Settings(select=select, ignore=ignore, profile=profile)
    assert settings.enables(rule) is enabled


# --- globs ----------------------------------------------------------------------------------------

segments = st.text(alphabet="ab.", min_size=1, max_size=3).filter(lambda s: s.strip("."))
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
globs = st.lists(
    st.one_of(
        st.text(alphabet="ab.*?", min_size=1, max_size=3).filter(
            lambda s: s.strip(".") and "**" not in s
        ),
        st.just("**"),
    ),
    min_size=1,
    max_size=4,
).flatmap(lambda parts: st.sampled_from(["/".join(parts), "/" + "/".join(parts)]))


@given(globs, paths)
def test_globs_mean_what_they_mean_in_gitignore(pattern, path):
    parts = pattern.strip("/").split("/")
    if any(a == b == "**" for a, b in pairwise(parts)):
        return
    expected = pathspec.GitIgnoreSpec.from_lines([pattern]).match_file(path)
    assert glob_match(pattern, path) is expected


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.pkl", "a/b/c.pkl", True),
        ("/*.pkl", "a/c.pkl", False),
        ("models", "a/models/x.pkl", True),
        ("a/models", "b/a/models/x", False),
        ("**/models/*.pkl", "a/models/x.pkl", True),
        ("a/**/z", "a/z", True),
        ("a/**", "a", False),
        ("a/**", "a/b/c", True),
        ("data/", "data/x", True),
        ("data/", "data", False),
        ("[!a]b", "cb", True),
        ("[a-c]b", "bb", True),
        (r"\*", "x", False),
        ("[", "[", True),
    ],
)
def test_globs(pattern, path, matches):
    assert glob_match(pattern, path) is matches


def test_globs_are_not_exponential():
    assert not glob_match("*a" * 200 + "b", "a" * 250)
    assert not glob_match("**/a/" * 150 + "b", "/".join("a" * 250))


@given(globs, st.lists(segments, min_size=1, max_size=2).map("/".join), paths)
def test_rebased_globs_match_the_same_files(pattern, prefix, path):
    whole = glob_match(pattern, f"{prefix}/{path}")
    above = any(
        glob_match(pattern, "/".join(prefix.split("/")[: n + 1]))
        for n in range(prefix.count("/") + 1)
    )
    if above:
        return  # the audited root itself was excluded, yet somebody asked for it
    assert any(glob_match(moved, path) for moved in rebase(pattern, prefix)) is whole


@given(st.text(alphabet=string.printable, max_size=80))
def test_configuration_text_never_crashes(tmp_path_factory, text):
    root = tmp_path_factory.getbasetemp() / "any"
    root.mkdir(exist_ok=True)
    (root / "deploy-audit.toml").write_text(text)
    try:
        load(root, environ={})
    except ConfigError as error:
        assert error.line is None or error.line >= 1
