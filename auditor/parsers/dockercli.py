"""``docker build`` and ``docker run`` lines in documentation, scripts, Makefiles, workflows and comments.

They say what no Dockerfile says: the build context, the published ports, the variables. A line
in a README shows how its author runs the image; a line in CI or a script is what is really done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Literal

from auditor import lazy_re as re
from auditor.parsers import shell
from auditor.parsers.shell.facts import Arg
from auditor.parsers.shell.tracing import trace
from auditor.source import Fragment, Location, SourceText, Unknown
from auditor.values import value

# ``comment``: those of a Dockerfile, which say as much as documentation.
Place = Literal["documentation", "script", "ci", "makefile", "comment"]
Text = str | Unknown


@value
class DockerBuild:
    """One build command. ``context`` and ``dockerfile`` are as written (None: not given)."""

    at: Location
    place: Place
    context: Text | None
    dockerfile: Text | None = None
    tags: tuple[Text, ...] = ()
    target: Text | None = None
    args: tuple[tuple[str, Text | None], ...] = ()
    # The directory that the script had changed to, as far as known ("" for the root).
    directory: str = ""


@value
class DockerRun:
    """One run command; values as written."""

    at: Location
    place: Place
    image: Text
    ports: tuple[tuple[Text, Location], ...] = ()
    publish_all: bool = False
    env: tuple[tuple[str, Text | None, Location], ...] = ()
    env_files: tuple[tuple[Text, Location], ...] = ()
    volumes: tuple[tuple[Text, Location], ...] = ()
    network: Text | None = None
    entrypoint: Text | None = None
    command: tuple[Arg, ...] = ()
    workdir: Text | None = None
    user: Text | None = None
    restart: Text | None = None
    memory: Text | None = None
    log_options: tuple[Text, ...] = ()
    log_driver: Text | None = None
    interactive: bool = False


_PROGRAMS = frozenset({"docker", "podman", "nerdctl"})
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
# Options of `docker run` that stand alone; every other one takes a value.
_RUN_FLAGS = frozenset(
    ["--rm", "-d", "--detach", "-i", "--interactive", "-t", "--tty", "--init", "--privileged", "--publish-all", "-P", "--read-only", "--no-healthcheck", "--oom-kill-disable", "--sig-proxy", "--disable-content-trust", "-q", "--quiet", "--tls"]
)  # fmt: skip
_BUILD_FLAGS = frozenset(
    [
        "--no-cache",
        "--pull",
        "--push",
        "--load",
        "--rm",
        "--force-rm",
        "--squash",
        "-q",
        "--quiet",
        "--compress",
        "--check",
        "-D",
        "--debug",
        "--provenance",
        "--sbom",
    ]
)


def read(source: SourceText, place: Place) -> tuple[DockerBuild | DockerRun, ...]:
    """Every build and run command of the file. Never raises."""
    if not any(program in source.text for program in _PROGRAMS):
        return ()
    found: list[DockerBuild | DockerRun] = []
    for fragment in _fragments(source, place):
        if not any(program in fragment.text for program in _PROGRAMS):
            continue
        script = shell.parse(fragment)
        for step in trace(script, env=_Anything(), cwd="/"):
            shown: Place = "documentation" if place == "comment" else place
            item = _interpret(step.argv, step.cwd, shown)
            if item is not None:
                found.append(item)
    return tuple(found)


class _Anything(Mapping[str, "str | Unknown | None"]):
    """An environment of which nothing is known."""

    def __getitem__(self, name: str) -> str | Unknown | None:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _fragments(source: SourceText, place: Place) -> Iterator[Fragment]:
    lines = source.lines
    if place == "script":
        yield Fragment(source.path, [(source.text, 1, 1)])
        return
    if place == "documentation":
        block: list[tuple[str, int, int]] | None = None
        fence = ""
        for number, line in enumerate(lines, 1):
            match = _FENCE.match(line)
            if match and (not fence or line.strip().startswith(fence)):
                if block is not None:
                    yield Fragment(source.path, block)
                    block, fence = None, ""
                else:
                    block, fence = [], match.group(1)
                continue
            if block is not None:
                text = line
                column = 1
                prompt = re.match(r"\s*[$>%#]\s+(?=\S)", line)
                if prompt:
                    column += prompt.end()
                    text = line[prompt.end() :]
                block.append((f"{text}\n", number, column))
            elif line.startswith(("    ", "\t")) and "docker" in line:
                stripped = line.lstrip()
                yield Fragment(source.path, [(stripped, number, len(line) - len(stripped) + 1)])
        return
    # Makefile recipes and `run:` lines of workflows: logical lines that name a container program.
    if place == "comment":
        lines = [_commented(line) for line in lines]
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not any(program in line for program in _PROGRAMS):
            continue
        start = min((i for p in _PROGRAMS if (i := line.find(f"{p} ")) >= 0), default=-1)
        if start < 0 or line.lstrip().startswith("#"):
            continue
        pieces = [(f"{line[start:]}\n", number, start + 1)]
        while line.rstrip().endswith("\\") and number < len(lines):
            line = lines[number]
            number += 1
            pieces.append((f"{line}\n", number, 1))
        if place == "makefile":
            pieces = [(t.replace("$(", "${").replace(")", "}"), n, c) for t, n, c in pieces]
        elif "${{" in pieces[0][0]:
            pieces = [(re.sub(r"\$\{\{[^}]*\}\}", _blank, t), n, c) for t, n, c in pieces]
        yield Fragment(source.path, pieces)


def _commented(line: str) -> str:
    """What a comment says, at its place; nothing for a line that is none."""
    head, mark, rest = line.partition("#")
    return f"{head} {rest}" if mark and not head.strip() else ""


def _blank(match: re.Match[str]) -> str:
    """A workflow expression as a shell variable of the same length."""
    return "$" + "X" * (len(match.group()) - 1)


def _interpret(argv: tuple[Arg, ...], cwd: Text, place: Place) -> DockerBuild | DockerRun | None:
    words = list(argv)
    while words and words[0].text in ("sudo", "time", "exec"):
        words.pop(0)
    if len(words) < 2 or words[0].text.rpartition("/")[2] not in _PROGRAMS:
        return None
    at = words[0].at
    verb = [w.text for w in words[1:4]]
    if verb[:1] in (["run"], ["create"]):
        return _run(words[2:], at, place)
    if verb[:2] == ["container", "run"]:
        return _run(words[3:], at, place)
    directory = cwd.strip("/") if isinstance(cwd, str) else ""
    if verb[:1] == ["build"]:
        return _build(words[2:], at, place, directory)
    if verb[:2] in (["image", "build"], ["buildx", "build"]):
        return _build(words[3:], at, place, directory)
    return None


def _options(
    words: list[Arg], flags: frozenset[str], short_flags: str
) -> tuple[list[tuple[str, Text, Location]], list[Arg]]:
    """(name, value, place) of the leading options, and what follows them."""
    found: list[tuple[str, Text, Location]] = []
    index = 0
    while index < len(words):
        word = words[index]
        text = word.text
        if not text.startswith("-") or text == "-":
            break
        index += 1
        if text == "--":
            break
        name, equals, value = text.partition("=")
        if text.startswith("--"):
            if equals:
                found.append((name, value, word.at))
            elif name in flags:
                found.append((name, "true", word.at))
            elif index < len(words):
                found.append((name, _given(name, words[index]), words[index].at))
                index += 1
            continue
        # -it, -p8000:80, -d, -e X=1
        letters = text[1:]
        while letters and letters[0] in short_flags:
            found.append((f"-{letters[0]}", "true", word.at))
            letters = letters[1:]
        if letters:
            option = f"-{letters[0]}"
            rest = letters[1:].removeprefix("=")
            if rest:
                found.append((option, rest, word.at))
            elif index < len(words):
                found.append((option, _given(option, words[index]), words[index].at))
                index += 1
    return found, words[index:]


def _given(option: str, word: Arg) -> Text:
    """The value of an option; ``-e NAME="$X"`` takes its value from the shell, as ``-e NAME`` does."""
    start = word.pieces[0] if isinstance(word.value, Unknown) and word.pieces else None
    if option in ("-e", "--env") and isinstance(start, str) and "=" in start:
        return start.partition("=")[0]
    value = _here(word)
    if option in ("-v", "--volume") and isinstance(value, Unknown) and word.pieces:
        # Where it is on the host is not known, where it is mounted is.
        last = word.pieces[-1]
        if isinstance(last, str) and ":/" in last:
            return f"$HOST/{last.rpartition(':/')[0].strip('/')}:/{last.rpartition(':/')[2]}"
    return value


def _here(word: Arg) -> Text:
    """The word's value; a path below ``$(pwd)`` or ``$PWD`` keeps that spelling.

    It is the directory in which the command is given: the repository, in every documentation.
    """
    pieces = [piece for piece in word.pieces if piece != ""]
    unknown = [piece for piece in pieces if isinstance(piece, Unknown)]
    if isinstance(word.value, Unknown) and len(unknown) == 1 and len(pieces) > 1:
        after = pieces[pieces.index(unknown[0]) + 1 :]
        known = after and isinstance(after[0], str) and after[0].startswith(("/", ":", ","))
        if known and "pwd" in unknown[0].reason.lower():
            return "".join(p if isinstance(p, str) else "$(pwd)" for p in pieces)
    return word.value


def _pair(value: Text) -> tuple[str, Text | None]:
    if isinstance(value, Unknown):
        return "", value
    name, equals, text = value.partition("=")
    return name, text if equals else None


def _run(words: list[Arg], at: Location, place: Place) -> DockerRun | None:
    options, rest = _options(words, _RUN_FLAGS, "ditPq")
    if not rest:
        return None

    def values(*names: str) -> list[tuple[Text, Location]]:
        return [(value, where) for name, value, where in options if name in names]

    def last(*names: str) -> Text | None:
        found = values(*names)
        return found[-1][0] if found else None

    env = []
    for value, where in values("-e", "--env"):
        name, text = _pair(value)
        if name:
            env.append((name, text, where))
    return DockerRun(
        at=at,
        place=place,
        image=rest[0].value,
        ports=tuple(values("-p", "--publish")),
        publish_all=bool(values("-P", "--publish-all")),
        env=tuple(env),
        env_files=tuple(values("--env-file")),
        volumes=tuple(values("-v", "--volume", "--mount")),
        network=last("--network", "--net"),
        entrypoint=last("--entrypoint"),
        command=tuple(rest[1:]),
        workdir=last("-w", "--workdir"),
        user=last("-u", "--user"),
        restart=last("--restart"),
        memory=last("-m", "--memory"),
        log_options=tuple(value for value, _ in values("--log-opt")),
        log_driver=last("--log-driver"),
        interactive=bool(values("-i", "--interactive")) and bool(values("-t", "--tty")),
    )


def _tags(words: list[Arg]) -> tuple[Text, ...]:
    """The tags, with ``$X`` for what a variable has still to give: the name often stands."""
    found: list[Text] = []
    for option, word in pairwise(words):
        if option.text not in ("-t", "--tag"):
            continue
        text = "".join(p if isinstance(p, str) else "$X" for p in word.pieces)
        last = text.rpartition("/")[2].partition(":")[0]
        found.append(text if last and "$" not in last else word.value)
    return tuple(found)


def _build(words: list[Arg], at: Location, place: Place, directory: str) -> DockerBuild | None:
    # Options may stand behind the context too.
    options: list[tuple[str, Text, Location]] = []
    positional: list[Arg] = []
    rest = words
    while rest:
        more, rest = _options(rest, _BUILD_FLAGS, "qD")
        options += more
        if rest:
            positional.append(rest[0])
            rest = rest[1:]

    def values(*names: str) -> list[Text]:
        return [value for name, value, _ in options if name in names]

    dockerfiles = values("-f", "--file")
    targets = values("--target")
    return DockerBuild(
        at=at,
        place=place,
        context=positional[0].value if positional else None,
        dockerfile=dockerfiles[-1] if dockerfiles else None,
        tags=_tags(words) or tuple(values("-t", "--tag")),
        target=targets[-1] if targets else None,
        args=tuple(_pair(value) for value in values("--build-arg")),
        directory=directory,
    )
