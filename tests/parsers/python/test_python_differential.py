"""The evaluator against the interpreter itself: ours may say Unknown, but never be wrong."""

import os
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.parsers.python import ImageFinder, Program, parse
from auditor.source import SourceText, Unknown

ENVIRONMENT = {"MODEL_DIR": "/srv/models", "NAME": "m.pkl", "EMPTY": "", "COUNT": "3"}
FILE = "/app/pkg/main.py"

texts = st.sampled_from(["models", "m.pkl", "../data", "/opt/x", "a/b", ".", "", "v{}", "x y", "~"])
names = st.sampled_from([*ENVIRONMENT, "UNSET", "UNSET2"])


@st.composite
def strings(draw, depth=2, variables=()):
    kinds = ["text", "text", "env", "getenv", "file", "cwd"]
    if variables:
        kinds += ["variable"] * 4
    if depth:
        kinds += [
            "join", "dirname", "abspath", "normpath", "fstring", "plus", "percent", "format",
            "str_path", "conditional", "or", "method", "basename", "splitext", "strjoin", "slice",
            "dict", "list", "call", "spec",
        ]  # fmt: skip
    kind = draw(st.sampled_from(kinds))

    def one():
        return draw(strings(depth=depth - 1, variables=variables))

    def path():
        return draw(paths(depth=depth - 1, variables=variables))

    match kind:
        case "text":
            return repr(draw(texts))
        case "env":
            return f"os.environ[{draw(names)!r}]"
        case "getenv":
            return f"os.getenv({draw(names)!r}, {draw(texts)!r})"
        case "file":
            return "__file__"
        case "cwd":
            return "os.getcwd()"
        case "variable":
            return draw(st.sampled_from(variables))
        case "join":
            return f"os.path.join({one()}, {one()})"
        case "dirname" | "abspath" | "normpath" | "basename":
            return f"os.path.{kind}({one()})"
        case "splitext":
            return f"os.path.splitext({one()})[{draw(st.integers(0, 1))}]"
        case "fstring":
            return "f'{" + draw(st.sampled_from(variables or ("NAME",))) + "}/x{1 + 1}.bin'"
        case "spec":
            return "f'{" + str(draw(st.integers(0, 99))) + ":03d}'"
        case "plus":
            return f"({one()} + {one()})"
        case "percent":
            return f"('%s/%s' % ({one()}, {one()}))"
        case "format":
            return f"'{{}}/{{name}}'.format({one()}, name={one()})"
        case "str_path":
            return f"str({path()})"
        case "conditional":
            return f"({one()} if os.getenv({draw(names)!r}) else {one()})"
        case "or":
            return f"(os.environ.get({draw(names)!r}) or {one()})"
        case "method":
            how = draw(
                st.sampled_from(
                    ["strip()", "replace('/', '_')", "lower()", "rstrip('/')", "title()"]
                )
            )
            return f"{one()}.{how}"
        case "strjoin":
            return f"'/'.join([{one()}, {one()}])"
        case "slice":
            return f"{one()}[{draw(st.integers(-3, 3))}:]"
        case "dict":
            return f"{{'a': {one()}, 'b': {one()}}}[{draw(st.sampled_from(['a', 'b']))!r}]"
        case "list":
            return f"[{one()}, {one()}][{draw(st.integers(-2, 1))}]"
        case _:
            return f"helper({one()}, {one()})"


@st.composite
def paths(draw, depth=2, variables=()):
    kinds = ["path", "file", "cwd"]
    if depth > 0:
        kinds += ["div", "parent", "parents", "joinpath", "resolve", "name", "suffix", "absolute"]
    kind = draw(st.sampled_from(kinds))

    def one():
        return draw(paths(depth=depth - 1, variables=variables))

    def text():
        return draw(strings(depth=max(depth - 1, 0), variables=variables))

    match kind:
        case "path":
            return f"Path({text()})"
        case "file":
            return "Path(__file__)"
        case "cwd":
            return "Path.cwd()"
        case "div":
            return f"({one()} / {text()})"
        case "parent":
            return f"{one()}.parent"
        case "parents":
            return f"{one()}.parents[{draw(st.integers(0, 1))}]"
        case "joinpath":
            return f"{one()}.joinpath({text()}, {text()})"
        case "resolve":
            return f"{one()}.resolve()"
        case "absolute":
            return f"{one()}.absolute()"
        case "name":
            return f"{one()}.with_name('other.bin')"
        case _:
            return f"{one()}.with_suffix('.onnx')"


@st.composite
def programs(draw):
    lines = [
        "import os",
        "from pathlib import Path",
        "NAME = 'start'",
        "def helper(a, b='z', *rest, **more):",
        "    if a:",
        "        return a + '/' + b",
        "    return b",
        "class Settings:",
        "    root = 'root'",
        "    def __init__(self, base):",
        "        self.base = base",
        "        self.model = os.path.join(self.root, base)",
        "config = {'path': 'start'}",
        "items = []",
    ]
    variables = ("NAME",)
    for number in range(draw(st.integers(1, 5))):
        name = f"v{number}"
        value = draw(strings(variables=variables))
        kind = draw(
            st.sampled_from(
                ["plain", "if", "for", "try", "class", "item", "augment", "append", "unpack",
                 "while", "function", "global", "exists", "chdir"]
            )
        )  # fmt: skip
        match kind:
            case "plain":
                lines.append(f"{name} = {value}")
            case "if":
                test = draw(
                    st.sampled_from(
                        ["os.getenv('UNSET') is None", "os.path.exists('/nowhere/at/all')",
                         "'NAME' in os.environ", "len(NAME) > 3", "int(os.environ['COUNT']) > 2",
                         "os.path.exists('/nowhere') or NAME == 'start'", "not NAME"]
                    )
                )  # fmt: skip
                lines += [f"{name} = 'before'", f"if {test}:", f"    {name} = {value}"]
                if draw(st.booleans()):
                    lines += ["else:", f"    {name} = 'other'"]
            case "for":
                lines += [
                    f"{name} = 'none'",
                    f"for part in [{value}, 'last']:",
                    f"    {name} = {name} + part",
                    "    if part == 'models':",
                    f"        {draw(st.sampled_from(['break', 'continue', 'pass']))}",
                    f"    {name} = {name} + '!'",
                ]
            case "try":
                lines += [
                    "try:",
                    f"    {name} = {value}",
                    f"    {name} = {name} + os.environ[{draw(names)!r}]",
                    "except KeyError:",
                    f"    {name} = 'missing'",
                ]
            case "class":
                lines += [
                    f"settings{number} = Settings({value})",
                    f"{name} = settings{number}.model",
                ]
            case "item":
                lines += [
                    "if os.path.exists('/nowhere'):",
                    f"    config['path'] = {value}",
                    f"{name} = config['path']",
                    f"config['path'] = {value}",
                ]
            case "augment":
                lines += [f"{name} = {value}", f"{name} += '/tail'"]
            case "append":
                lines += [f"items.append({value})", f"{name} = items[-1]"]
            case "unpack":
                lines += [f"{name}, rest = {value}, 'r'", f"{name} = rest + {name}"]
            case "while":
                lines += [
                    f"{name} = {value}",
                    f"n{number} = 0",
                    f"while n{number} < 2:",
                    f"    {name} = {name} + 'w'",
                    f"    n{number} += 1",
                ]
            case "function":
                lines += [
                    f"def f{number}(x={value}):",
                    "    for part in (x, 'b'):",
                    "        if part == 'a/b':",
                    "            return 'found'",
                    "    return x",
                    f"{name} = f{number}()",
                ]
            case "global":
                lines += [
                    f"{name} = 'unset'",
                    f"def g{number}():",
                    f"    global {name}",
                    f"    {name} = {value}",
                    "if os.getenv('NAME'):",
                    f"    g{number}()",
                ]
            case "exists":
                lines += [
                    f"{name} = {value} if os.path.exists('/nowhere') else NAME + 'x'",
                ]
            case _:
                lines += ["os.chdir('/usr')", f"{name} = {value}", f"{name} = {name}"]
        variables = (*variables, name)
        lines.append(f"open({name})")
        if draw(st.booleans()):
            lines.append(f"open({draw(paths(variables=variables))})")
    return "\n".join(lines) + "\n"


@contextmanager
def working_in(path):
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def really(source):
    """(line, path) of each open, as the interpreter runs the program."""
    opened = []
    code = compile(source, FILE, "exec")

    def fake_open(path, *args):
        import sys

        opened.append((sys._getframe(1).f_lineno, os.fspath(path), str(Path.cwd())))

    scope = {"__name__": "main", "__file__": FILE, "open": fake_open}
    with mock.patch.dict(os.environ, ENVIRONMENT, clear=True), working_in("/usr/lib"):
        try:
            exec(code, scope)
        except Exception as error:
            return opened, error
    return opened, None


def ours(source):
    facts = parse(SourceText("pkg/main.py", source))
    finder = ImageFinder(roots=("/app/pkg",), facts_of={FILE: facts}.get)
    return Program(finder, environment=ENVIRONMENT, cwd="/usr/lib").run("main")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_never_contradicts_the_interpreter(source):
    opened, error = really(source)
    trace = ours(source)
    assert not trace.truncated
    assert trace.problems == ()
    facts = [f for f in trace.files if f.loader == "builtins.open"]
    for line, path, cwd in opened:
        here = [f for f in facts if f.at.line == line]
        if not path and any(f.at.line == line for f in trace.failures):
            continue  # there is no such file, and that is what is said of it
        if not here:
            # Nothing is noted only where what is opened is not a path at all.
            raise AssertionError(f"line {line} was not followed\n{source}")
        full = os.path.normpath(Path(cwd, path)) if path else None
        possible = set()
        for fact in here:
            for choice in fact.path.choices or (fact.path.resolved,):
                possible.add(choice if isinstance(choice, str) else None)
            if isinstance(fact.path.text, str) and len(here) == 1:
                assert fact.path.text == path, source
        if None not in possible and full is not None:
            assert "/" + full.lstrip("/") in possible, (source, possible)
    if error is None:
        lines = {line for line, _, _ in opened}
        for fact in facts:
            if fact.reach.certain:
                assert fact.at.line in lines, source


def test_the_generator_reaches_known_paths():
    source = (
        "import os\nfrom pathlib import Path\n"
        "BASE = Path(__file__).resolve().parent.parents[0]\n"
        "open(BASE / os.getenv('NAME', 'x'))\n"
    )
    opened, error = really(source)
    trace = ours(source)
    assert error is None
    assert [f.path.resolved for f in trace.files] == ["/app/m.pkl"] == [opened[0][1]]
    assert trace.files[0].path.depends == ("NAME",)
    assert not isinstance(trace.files[0].path.text, Unknown)
