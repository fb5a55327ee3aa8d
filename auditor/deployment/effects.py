"""What the commands of a RUN do to the files of the image, where that is simple and literal.

Each command becomes effects on absolute paths. Commands that are not understood may create
files (``MayCreate``); only commands known to be harmless have no effect at all.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from auditor.parsers.shell.expansion import Env, Value
from auditor.parsers.shell.facts import Arg, Redirect, Script
from auditor.parsers.shell.tracing import join_path, trace
from auditor.source import Location, Unknown
from auditor.values import value


@value
class Make:
    """Creates a file or directory (and, with ``parents``, the way to it).

    ``text`` is what is written where that is literal; ``append``: to what is there.
    """

    path: str
    directory: bool
    by: str
    certain: bool
    at: Location
    text: str | None = None
    append: bool = False


@value
class Copied:
    """cp or (``moved``) mv. ``into``: the target is a directory, by several sources or a slash."""

    sources: tuple[tuple[str, bool], ...]  # (path, is a pattern)
    target: str
    into: bool
    moved: bool
    contents: bool
    certain: bool
    at: Location


@value
class Removed:
    path: str
    glob: bool
    certain: bool
    at: Location


@value
class Linked:
    """``ln -s``; ``target`` as written, ``path`` where the link stands (or a directory for it)."""

    path: str
    target: str
    certain: bool
    at: Location


@value
class Others:
    """Whether an account that is neither owner nor group may read or write; None: left as it was.

    ``group``: whether the group may write; ``group_read``: read; ``enter``: whether everybody may
    reach what a directory holds.
    """

    read: bool | None = None
    write: bool | None = None
    group: bool | None = None
    group_read: bool | None = None
    enter: bool | None = None


@value
class Changed:
    """chmod (``executable``; ``others``: what everybody may do) or chown (``owner``)."""

    path: str
    glob: bool
    recursive: bool
    executable: bool | None
    owner: str | Unknown | None
    at: Location
    others: Others | None = None


@value
class MayCreate:
    """Anything may appear under the roots, ``spared`` directories inside them excepted."""

    roots: tuple[str, ...]
    reason: str
    at: Location
    spared: tuple[str, ...] = ()


Effect: TypeAlias = Make | Copied | Removed | Linked | Changed | MayCreate

SYSTEM_ROOTS = (
    "/bin", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/run", "/sbin", "/tmp", "/usr",
    "/var",
)  # fmt: skip

_SYSTEM_NAMES = frozenset(
    {"bin", "etc", "include", "lib", "local", "sbin", "share", "site-packages"}
)

_HARMLESS = frozenset(
    """
    : . [ [[ alias awk basename break cat cd chage chpasswd clear cmp command continue cut date
    declare df diff dirname dos2unix du echo egrep env exit export expr false fgrep file
    free getent grep groups head hostname id jq ldconfig ldd less let local locale locale-gen
    ls md5sum node nproc passwd pgrep popd printenv printf ps pushd pwd read readlink readonly
    realpath return sed seq set sha1sum sha256sum shift shopt sleep sort source stat stty strip su
    sync tail test tr trap true tty type ulimit umask unalias uname uniq unset
    update-alternatives update-ca-certificates usermod wait wc which whoami yes
    """.split()  # noqa: SIM905 (a list of two hundred quotes is no easier to read)
)
_SYSTEM_INSTALLERS = frozenset(
    """
    apt apt-get apt-key add-apt-repository aptitude apk dnf dpkg dpkg-reconfigure gem microdnf
    pacman rpm yum zypper debconf-set-selections conda mamba micromamba pipx pyenv nvm
    rustup brew snap systemctl service a2enmod a2ensite fc-cache playwright ldconfig update-rc.d
    corepack
    """.split()  # noqa: SIM905 (a list of two hundred quotes is no easier to read)
)
# They write the account files, and make a home.
_ACCOUNTS = frozenset(
    ["useradd", "adduser", "userdel", "deluser", "groupadd", "addgroup", "groupmod", "delgroup"]
)
_PYTHON_INSTALLERS = frozenset({"pip", "pip2", "pip3", "uv", "poetry", "pdm", "pipenv", "hatch"})
_PROJECT_TOOLS = frozenset({"uv", "poetry", "pdm", "pipenv", "hatch"})
_NODE_INSTALLERS = frozenset({"npm", "yarn", "pnpm", "npx", "bun"})
_PREFIXES = frozenset({"sudo", "time", "nice", "nohup", "ionice", "stdbuf", "env", "command"})
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})


def effects(script: Script, *, env: Env, cwd: Value, limit: int = 5_000) -> Iterator[Effect]:
    """The effects of a shell text, in order."""
    yield from _script(script, env, cwd, True, 0, [limit])


def _script(
    script: Script, env: Env, cwd: Value, certain: bool, depth: int, left: list[int]
) -> Iterator[Effect]:
    for problem in script.problems:
        if problem.fatal:
            yield MayCreate(roots=("/",), reason="a command that was not read", at=problem.at)
    opened: dict[str, Location] = {}  # a group's commands write into what it opened once
    for step in trace(script, env=env, cwd=cwd):
        left[0] -= 1
        command = step.command
        if left[0] < 0:
            yield MayCreate(roots=("/",), reason="too many commands to follow", at=command.at)
            return
        sure = certain and not (
            command.conditional or command.loop or command.function or command.background
        )
        printed = _printed(step.argv, command.redirects)
        for redirect in command.redirects:
            if redirect.operator in (">", ">>", ">|", "&>", "&>>") and redirect.target is not None:
                value = redirect.target.expand(step.env)
                path = None if isinstance(value, tuple) else join_path(step.cwd, value)
                if isinstance(path, str) and not path.startswith("/dev/"):
                    yield Make(
                        path=_absolute(path),
                        directory=False,
                        by=">",
                        certain=sure,
                        at=command.at,
                        text=printed if redirect.fd in (None, 1) else None,
                        append=redirect.operator.endswith(">>") or redirect.at == opened.get(path),
                    )
                    opened[path] = redirect.at
        yield from _command(step.argv, step.env, step.cwd, sure, depth, left)


def _printed(argv: Sequence[Arg], redirects: Sequence[Redirect]) -> str | None:
    """What a command that only prints literal words writes; None when that is not known."""
    argv = _unwrap(argv)
    name = posixpath.basename(argv[0].text) if argv else ""
    if name == "cat":
        body = next((r.body for r in redirects if r.operator.startswith("<<")), None)
        return body if len(argv) == 1 else None
    words = [arg.value for arg in argv[1:] if isinstance(arg.value, str)]
    if name not in ("echo", "printf") or len(words) != len(argv) - 1:
        return None
    end = "" if name == "printf" else "\n"
    while name == "echo" and words and words[0] in ("-e", "-n", "-ne", "-en", "-E"):
        end = "" if "n" in words.pop(0) else end
    if name == "printf":
        form = words[0] if words else ""
        if "%" in form.replace("%%", "").replace("%s", ""):
            return None
        holes, given = form.count("%s"), words[1:]
        rounds = -(-len(given) // holes) if holes else 1
        parts = (form * max(min(rounds, 200), 1)).split("%s")
        given += [""] * (len(parts) - 1 - len(given))
        filled = "".join(part + word for part, word in zip(parts, [*given, ""], strict=False))
        return _escapes(filled.replace("%%", "%"))
    return _escapes(" ".join(words)) + end


def _escapes(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _command(
    argv: Sequence[Arg], env: Env, cwd: Value, sure: bool, depth: int, left: list[int]
) -> Iterator[Effect]:
    argv = _unwrap(argv)
    if not argv:
        return
    name = posixpath.basename(argv[0].text)
    at = argv[0].at
    nested = next((arg for arg in argv[1:] if arg.script is not None), None)
    if name in _SHELLS and nested is not None and nested.script is not None:
        if depth < 4:
            yield from _script(nested.script, env, cwd, sure, depth + 1, left)
        return
    call = _Call(name, argv, cwd, sure)
    handler = _HANDLERS.get(name)
    if handler is not None:
        yield from handler(call)
    elif name in _SYSTEM_INSTALLERS:
        reason = f"{name} may have installed it"
        yield MayCreate(roots=SYSTEM_ROOTS, reason=reason, at=at, spared=call.spared())
    elif name in _ACCOUNTS:
        yield from _accounts(call)
    elif name in _PYTHON_INSTALLERS:
        yield from _python_install(call, env)
    elif name in _NODE_INSTALLERS:
        yield from _node(call)
    elif name in _HARMLESS:
        return
    elif name.startswith("python") or name in ("pypy", "pypy3"):
        yield from _python(call, env)
    elif not name and isinstance(argv[0].value, str):
        return
    else:
        yield from _anything(call)


class _Call:
    """One command line: operands told from options, paths made absolute."""

    def __init__(self, name: str, argv: Sequence[Arg], cwd: Value, sure: bool) -> None:
        self.name = name
        self.argv = argv
        self.cwd = cwd
        self.sure = sure
        self.at = argv[0].at

    def path(self, arg: Arg | str) -> str | None:
        """The absolute path, or None when it is not known."""
        value = arg if isinstance(arg, str) else arg.value
        joined = join_path(self.cwd, value)
        if isinstance(joined, Unknown) or not joined.startswith("/"):
            return None
        return _absolute(joined)

    def operands(self, *with_value: str) -> tuple[list[Arg], set[str], dict[str, Arg]]:
        """(operands, short and long switches, options with values)."""
        operands: list[Arg] = []
        switches: set[str] = set()
        values: dict[str, Arg] = {}
        rest = iter(self.argv[1:])
        for arg in rest:
            text = arg.text
            if text == "--":
                operands += rest
            elif text in with_value:
                following = next(rest, None)
                if following is not None:
                    values[text] = following
            elif text.startswith("--"):
                switches.add(text.split("=", 1)[0])
                flag, equals, setting = text.partition("=")
                if equals and flag in with_value:
                    values[flag] = Arg(value=setting, at=arg.at)
            elif text.startswith("-") and len(text) > 1:
                short = text[:2]
                if short in with_value and len(text) > 2:
                    values[short] = Arg(value=text[2:], at=arg.at)
                    continue
                # A cluster such as -qO: its last letter may take the value.
                last = f"-{text[-1]}"
                if last in with_value and len(text) > 2:
                    following = next(rest, None)
                    if following is not None:
                        values[last] = following
                switches.update(f"-{char}" for char in text[1:])
            else:
                operands.append(arg)
        return operands, switches, values

    def spared(self) -> tuple[str, ...]:
        """The working directory, where it is the project's: installers keep out of it."""
        if not isinstance(self.cwd, str):
            return ()
        parts = _absolute(self.cwd).strip("/").split("/")
        if len(parts) < 2 or parts[-1] in _SYSTEM_NAMES:
            return ()
        return (_absolute(self.cwd),)

    def make(self, path: str, *, directory: bool = False) -> Make:
        return Make(path=path, directory=directory, by=self.name, certain=self.sure, at=self.at)

    def may_create(self, *roots: str) -> MayCreate:
        found = [self.path(root) for root in roots]
        known = tuple(root for root in found if root is not None)
        everything = len(known) < len(found)
        return MayCreate(
            roots=("/",) if everything else known,
            reason=f"{self.name} may have created it",
            at=self.at,
        )


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath(path).lstrip("/")


def _unwrap(argv: Sequence[Arg]) -> Sequence[Arg]:
    """Without ``sudo`` and the like in front, nor their options and assignments."""
    while argv and posixpath.basename(argv[0].text) in _PREFIXES and len(argv) > 1:
        rest = list(argv[1:])
        while rest and (rest[0].text.startswith("-") or "=" in rest[0].text.split("/", 1)[0]):
            rest.pop(0)
        if not rest:
            return argv
        argv = rest
    return argv


# --- commands that work on files -----------------------------------------------------------


def _mkdir(call: _Call) -> Iterator[Effect]:
    operands, _, values = call.operands("-m", "--mode")
    yield from _directories(call, operands, values)


def _directories(
    call: _Call, operands: Sequence[Arg], values: Mapping[str, Arg]
) -> Iterator[Effect]:
    """Make directories, with the mode and the owner that the options say."""
    mode = next((values[flag] for flag in ("-m", "--mode") if flag in values), None)
    owner = next((values[flag].value for flag in ("-o", "--owner") if flag in values), None)
    others = mode_others(mode.text) if mode is not None else None
    for operand in operands:
        path = call.path(operand)
        if path is None:
            continue
        yield call.make(path, directory=True)
        if owner is not None or others is not None:
            yield Changed(
                path=path, glob=False, recursive=False, executable=None, owner=owner, at=call.at,
                others=others,
            )  # fmt: skip


def _touch(call: _Call) -> Iterator[Effect]:
    operands, _, _ = call.operands("-d", "-r", "-t", "--date", "--reference")
    for operand in operands:
        path = call.path(operand)
        if path is not None:
            yield call.make(path)


def _tee(call: _Call) -> Iterator[Effect]:
    yield from _touch(call)


def _copy(call: _Call) -> Iterator[Effect]:
    operands, switches, values = call.operands(
        "-t", "--target-directory", "-S", "--suffix", "-m", "--mode", "-o", "--owner", "-g"
    )
    if call.name == "install" and {"-d", "--directory"} & switches:
        yield from _directories(call, operands, values)
        return
    target_arg = values.get("-t") or values.get("--target-directory")
    into = target_arg is not None
    if target_arg is None:
        if len(operands) < 2:
            return
        target_arg = operands.pop()
    target = call.path(target_arg)
    sources: list[tuple[str, bool]] = []
    contents = False
    for operand in operands:
        path = call.path(operand)
        if path is None:
            target = target if target is not None else "/"
            reason = f"{call.name} copied something unknown"
            yield MayCreate(roots=(target,), reason=reason, at=call.at)
            return
        contents = contents or operand.text.endswith("/.")
        sources.append((path, operand.globs))
    if target is None:
        yield MayCreate(roots=("/",), reason=f"{call.name} to an unknown place", at=call.at)
        return
    text = target_arg.text
    yield Copied(
        sources=tuple(sources),
        target=target,
        into=into or len(sources) > 1 or text.endswith(("/", "/.")) or text in (".", ".."),
        moved=call.name == "mv",
        contents=contents,
        certain=call.sure,
        at=call.at,
    )


def _remove(call: _Call) -> Iterator[Effect]:
    operands, _, _ = call.operands()
    for operand in operands:
        path = call.path(operand)
        if path is not None and path != "/":
            yield Removed(path=path, glob=operand.globs, certain=call.sure, at=operand.at)


def _link(call: _Call) -> Iterator[Effect]:
    operands, switches, _ = call.operands("-t", "-S")
    paths = [call.path(operand) for operand in operands]
    if not operands or paths[-1] is None:
        return
    if "-s" not in switches and "--symbolic" not in switches:
        if len(paths) == 2 and paths[0] is not None:
            yield Copied(
                sources=((paths[0], False),),
                target=paths[-1],
                into=False,
                moved=False,
                contents=False,
                certain=call.sure,
                at=call.at,
            )
        return
    if len(operands) == 1:
        place = call.path(posixpath.basename(operands[0].text))
        if place is not None:
            yield Linked(path=place, target=operands[0].text, certain=call.sure, at=call.at)
        return
    for operand in operands[:-1]:
        if isinstance(operand.value, str):
            yield Linked(path=paths[-1], target=operand.value, certain=call.sure, at=call.at)
        else:
            yield MayCreate(roots=(paths[-1],), reason="a link to something unknown", at=call.at)


def _chmod(call: _Call) -> Iterator[Effect]:
    # A mode such as -x looks like an option.
    words = [arg for arg in call.argv[1:] if not arg.text.startswith("--")]
    recursive = any(arg.text == "--recursive" for arg in call.argv)
    operands: list[Arg] = []
    for arg in words:
        if arg.text.startswith("-") and set(arg.text[1:]) <= set("Rvfc") and len(arg.text) > 1:
            recursive = recursive or "R" in arg.text
        else:
            operands.append(arg)
    if not operands:
        return
    executable = mode_executable(operands[0].text)
    others = mode_others(operands[0].text)
    for operand in operands[1:]:
        path = call.path(operand)
        if path is not None and (executable is not None or others is not None):
            yield Changed(
                path=path,
                glob=operand.globs,
                recursive=recursive,
                executable=executable,
                owner=None,
                at=call.at,
                others=others,
            )


def mode_executable(mode: str) -> bool | None:
    """Whether a chmod mode makes a file executable; None when it leaves that alone."""
    if mode and mode.isascii() and mode.isdigit():
        return len(mode) < 3 or int(mode[-3]) % 2 == 1 if set(mode) <= set("01234567") else None
    result: bool | None = None
    for clause in mode.split(","):
        for operator in "+-=":
            who, found, bits = clause.partition(operator)
            if found and set(who) <= set("ugoa"):
                if operator != "+" and who and not set(who) & set("ua"):
                    break  # Its owner runs it as before.
                if "X" in bits:
                    # What was executable, and every directory, is or is not so from now on.
                    result = False if operator == "-" else None
                elif operator == "=":
                    result = "x" in bits
                elif "x" in bits:
                    result = operator == "+"
                break
    return result


def mode_others(mode: str) -> Others | None:
    """What a chmod mode lets everybody else do; None when it leaves that alone."""
    if mode and set(mode) <= set("01234567"):
        last, group = int(mode[-1]), int(mode[-2:-1] or 0)
        return Others(
            read=bool(last & 4),
            write=bool(last & 2),
            group=bool(group & 2),
            group_read=bool(group & 4),
            enter=bool(last & 1),
        )
    told: dict[str, bool] = {}
    for clause in mode.split(","):
        operator = next((char for char in clause if char in "+-="), None)
        if operator is None:
            return None
        who, _, bits = clause.partition(operator)
        if set(who) & set("ga"):
            # ``g=u`` gives what the owner has, which is writing.
            given = operator != "-" and bool(set("wu") & set(bits))
            if operator == "=" or set("wu") & set(bits):
                told["group"] = given
        if (not who or set(who) & set("ga")) and (operator == "=" or set("ru") & set(bits)):
            told["group_read"] = operator != "-" and bool(set("ru") & set(bits))
        # Without "who" the umask decides, which keeps writing from others.
        if who and not set(who) & set("oa"):
            continue
        for bit, name in (("r", "read"), ("w", "write"), ("xX", "enter")):
            if operator == "=" or set(bit) & set(bits):
                allowed = operator != "-" and bool(set(bit) & set(bits))
                if name != "write" or who or not allowed:
                    told[name] = allowed
    return Others(**told) if told else None


def _find(call: _Call) -> Iterator[Effect]:
    """What ``-exec chmod`` and ``-exec chown`` open up below the roots, whichever files are meant."""
    words = [arg.text for arg in call.argv[1:]]
    start = next((n for n, word in enumerate(words) if word in ("-exec", "-execdir")), None)
    if start is None or start + 2 >= len(words):
        return
    command, rest = words[start + 1], [w for w in words[start + 2 :] if not w.startswith("-")]
    for root in call.argv[1:]:
        if root.text.startswith(("-", "(", "!")):
            break
        path = call.path(root)
        if path is None or not rest:
            continue
        owner: Unknown | None = None
        others: Others | None = None
        executable: bool | None = None
        if command == "chmod" and (said := mode_others(rest[0])) is not None:
            executable = mode_executable(rest[0]) or None
            others = Others(
                read=said.read or None,
                write=said.write or None,
                group=said.group or None,
                group_read=said.group_read or None,
                enter=said.enter or None,
            )
        elif command in ("chown", "chgrp"):
            owner = Unknown("find gives some of it to another")
        else:
            continue
        yield Changed(
            path=path, glob=root.globs, recursive=True, executable=executable, owner=owner,
            at=call.at, others=others,
        )  # fmt: skip


def _chown(call: _Call) -> Iterator[Effect]:
    operands, switches, _ = call.operands("--reference", "--from")
    if not operands:
        return
    owner = operands[0].value
    if call.name == "chgrp":
        if owner in ("0", "root"):
            return
        owner = Unknown("its group is another")
    for operand in operands[1:]:
        path = call.path(operand)
        if path is not None and (isinstance(owner, str) or call.name == "chgrp"):
            yield Changed(
                path=path,
                glob=operand.globs,
                recursive="-R" in switches or "--recursive" in switches,
                executable=None,
                owner=owner,
                at=call.at,
            )


# --- commands that fetch or unpack ---------------------------------------------------------


def _wget(call: _Call) -> Iterator[Effect]:
    operands, switches, values = call.operands(
        "-O", "--output-document", "-P", "--directory-prefix", "-o", "-a", "-e", "-t", "-T", "-w",
        "--header", "--user", "--password", "--tries", "--timeout", "-U", "--user-agent",
    )  # fmt: skip
    output = values.get("-O") or values.get("--output-document")
    if output is not None:
        path = call.path(output)
        if output.text != "-":
            yield call.make(path) if path is not None else call.may_create(".", "/")
        return
    folder = values.get("-P") or values.get("--directory-prefix")
    root = call.path(folder) if folder else call.path(".")
    name = _url_name(operands[0].value) if len(operands) == 1 else None
    if root is None or name is None or switches & {"-r", "-m", "--recursive", "--mirror", "-i"}:
        yield call.may_create(root or "/")
    else:
        yield call.make(f"{root}/{name}")


def _curl(call: _Call) -> Iterator[Effect]:
    operands, switches, values = call.operands(
        "-o", "--output", "-H", "--header", "-d", "--data", "-X", "--request", "-u", "--user", "-A",
        "-m", "--max-time", "--retry", "--retry-delay", "--connect-timeout", "-b", "-c", "-F", "-e",
        "--output-dir", "--url", "-x", "--proxy", "--cacert", "-E", "-T", "-w", "--data-binary",
    )  # fmt: skip
    output = values.get("-o") or values.get("--output")
    folder = values.get("--output-dir")
    if output is not None:
        relative = output.value
        if folder is not None and isinstance(relative, str) and isinstance(folder.value, str):
            relative = posixpath.join(folder.value, relative)
        path = call.path(Arg(value=relative, at=output.at))
        if output.text not in ("-", "/dev/null"):
            yield call.make(path) if path is not None else call.may_create(".", "/")
    elif switches & {"-O", "--remote-name", "--remote-name-all", "-J"}:
        root = call.path(folder) if folder else call.path(".")
        name = _url_name(operands[0].value) if len(operands) == 1 else None
        if root is None or name is None or "-J" in switches:
            yield call.may_create(root or "/")
        else:
            yield call.make(f"{root}/{name}")


def _url_name(url: Value) -> str | None:
    """The last segment of a URL, or None when the server may choose the name."""
    if not isinstance(url, str) or "?" in url:
        return None
    path = url.split("#", 1)[0].split("://", 1)[-1]
    return path.rsplit("/", 1)[1] or None if "/" in path else None


def _git(call: _Call) -> Iterator[Effect]:
    operands, _, _ = call.operands(
        "-b", "--branch", "--depth", "-c", "-C", "--config", "-o", "--origin", "-j", "--jobs",
        "--reference", "--filter", "--shallow-since",
    )  # fmt: skip
    words = [operand.text for operand in operands]
    if not words or words[0] in ("config", "--version", "rev-parse", "log", "status", "describe"):
        return
    if words[0] == "clone" and len(operands) > 1:
        if len(operands) > 2:
            path = call.path(operands[2])
        else:
            name = _url_name(operands[1].value)
            path = call.path(name.removesuffix(".git")) if name else None
        if path is not None:
            yield call.make(path, directory=True)
            yield MayCreate(roots=(path,), reason="git clone fetched it", at=call.at)
            return
    yield call.may_create(".")


def _tar(call: _Call) -> Iterator[Effect]:
    operands, switches, values = call.operands(
        "-C", "--directory", "-f", "--file", "--strip-components", "--exclude", "--transform"
    )
    first = call.argv[1].text if len(call.argv) > 1 else ""
    bundled = bool(first) and not first.startswith("-")
    extracts = "-x" in switches or bool(switches & {"--extract", "--get"})
    extracts = extracts or (bundled and "x" in first)
    folder = values.get("-C") or values.get("--directory")
    if extracts:
        yield call.may_create(folder.text if folder else ".")
        return
    archive = values.get("-f") or values.get("--file")
    if archive is None and bundled and "f" in first and len(operands) > 1:
        archive = operands[1]
    path = call.path(archive) if archive else None
    if ("-c" in switches or (bundled and "c" in first)) and path is not None:
        yield call.make(path)


def _unzip(call: _Call) -> Iterator[Effect]:
    _, switches, values = call.operands("-d", "-x", "-P")
    if not switches & {"-l", "-t", "-p", "-v"}:
        folder = values.get("-d")
        yield call.may_create(folder.text if folder else ".")


def _compressor(call: _Call) -> Iterator[Effect]:
    operands, switches, _ = call.operands()
    for operand in operands:
        path = call.path(operand)
        if path is None or operand.globs:
            yield call.may_create(".")
            continue
        for suffix in (".gz", ".bz2", ".xz", ".zst"):
            if path.endswith(suffix):
                yield call.make(path.removesuffix(suffix))
                if call.name not in ("zstd", "unzstd") and not switches & {"-k", "--keep", "-c"}:
                    yield Removed(path=path, glob=False, certain=call.sure, at=call.at)
                break
        else:
            yield call.may_create(posixpath.dirname(path))


# --- programs that may do more -------------------------------------------------------------


def _python_install(call: _Call, env: Mapping[str, str | Unknown | None]) -> Iterator[Effect]:
    operands, _, values = call.operands(
        "-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url",
        "-f", "--find-links", "--trusted-host", "--timeout", "--retries", "--cache-dir",
        "-t", "--target", "--prefix", "--root", "-d", "--dest", "-w", "--wheel-dir", "-e",
        "--editable", "-o", "--output-file", "--output", "--python", "-p", "--progress-bar",
        "--default-timeout", "--proxy", "--no-binary", "--only-binary", "--platform", "--src",
    )  # fmt: skip
    action = operands[0].text if operands else ""
    if action in ("list", "show", "check", "freeze", "config", "cache", "--version", "debug"):
        return
    roots = list(SYSTEM_ROOTS)
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX", "PYTHONUSERBASE"):
        value = env.get(name)
        if isinstance(value, str) and value:
            roots.append(call.path(value) or "/")
    search = env.get("PATH")
    if isinstance(search, str):
        # A virtual environment is found by its bin directory in front of PATH.
        for entry in search.split(":")[:16]:
            if entry.startswith("/") and posixpath.basename(entry) in ("bin", "Scripts"):
                owner = _absolute(posixpath.dirname(entry))
                if owner != "/":
                    roots.append(owner)
    program = call.argv[0].text
    if program.startswith(("/", ".")):
        parent = call.path(posixpath.dirname(posixpath.dirname(program)) or ".")
        roots.append(parent or "/")
    for flag, value_arg in values.items():
        if flag in (
            "-t", "--target", "--prefix", "--root", "-d", "--dest", "-w", "--wheel-dir", "-o",
            "--output-file", "--output", "--src",
        ):  # fmt: skip
            roots.append(call.path(value_arg) or "/")
    local = any(
        arg.text.startswith((".", "/")) and not arg.text.endswith((".whl", ".gz", ".zip"))
        for arg in operands[1:]
    )
    if "-e" in values or "--editable" in values or local or call.name in _PROJECT_TOOLS:
        made = (
            "build",
            "dist",
            ".venv",
            "__pypackages__",
            "Pipfile.lock",
            "uv.lock",
            "poetry.lock",
        )
        roots += [call.path(name) or "/" for name in made]
    if action in ("run", "build", "script"):
        roots.append(call.path(".") or "/")
    if action in ("wheel", "download") and not values.keys() & {
        "-d",
        "--dest",
        "-w",
        "--wheel-dir",
    }:
        roots.append(call.path(".") or "/")
    if "/" in roots:
        roots = ["/"]
    reason = f"{call.name} may have installed it"
    yield MayCreate(
        roots=tuple(dict.fromkeys(roots)), reason=reason, at=call.at, spared=call.spared()
    )


def _accounts(call: _Call) -> Iterator[Effect]:
    flags = ("-d", "--home-dir", "--home", "-h", "-b", "--base-dir")
    _, _, values = call.operands(*flags, "-s", "-u", "-g", "-G", "-c", "-k", "-K", "-p", "-e", "-f")
    named = [call.path(values[flag]) or "/" for flag in flags if flag in values]
    roots = ["/etc", "/home", "/var/mail", "/var/spool", *named]
    reason = f"{call.name} may have made it"
    roots = list(dict.fromkeys(roots))
    yield MayCreate(roots=tuple(roots), reason=reason, at=call.at, spared=call.spared())


def _python(call: _Call, env: Mapping[str, str | Unknown | None]) -> Iterator[Effect]:
    words = list(call.argv[1:])
    index = 0
    while index < len(words) and words[index].text.startswith("-"):
        text = words[index].text
        if text in ("-V", "--version", "-VV", "-h", "--help"):
            return
        if text == "-m" and index + 1 < len(words):
            module = words[index + 1].text
            rest = [words[index + 1], *words[index + 2 :]]
            if module in ("pip", "uv", "pipenv", "poetry", "ensurepip"):
                inner = _Call("pip" if module == "ensurepip" else module, rest, call.cwd, call.sure)
                yield from _python_install(inner, env)
                # The environment that owns this interpreter.
                program = call.argv[0].text
                if "/" in program:
                    owner = posixpath.dirname(posixpath.dirname(program)) or "."
                    yield inner.may_create(owner)
                return
            if module in ("venv", "virtualenv"):
                yield from _venv(_Call(module, rest, call.cwd, call.sure))
                return
            if module in ("compileall", "site", "py_compile"):
                return
            break
        if text == "-c" or (text.startswith("-") and text.endswith("c") and len(text) <= 4):
            code = words[index + 1].text if index + 1 < len(words) else ""
            if code and not _writes(code):
                return
            yield call.may_create(".", *SYSTEM_ROOTS, *_paths_in(code))
            return
        index += 2 if text in ("-W", "-X") else 1
    yield from _anything(call)


# What a one-liner must contain to leave files behind, however indirectly: a call by name that
# may write, fetch or import code that does. Plain checks ("import torch; print(…)") have none.
_PLAIN_CODE = ("print", "version", "is_available", "import_module", "find_spec", "exit")


def _writes(code: str) -> bool:
    import ast

    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            name = function.id if isinstance(function, ast.Name) else name
            if name not in _PLAIN_CODE:
                return True
    return False


def _paths_in(code: str) -> tuple[str, ...]:
    """Absolute paths in the string literals of a one-liner."""
    import ast

    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ("/",)
    found = {
        _absolute(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("/")
    }
    return tuple(sorted(found))


def _venv(call: _Call) -> Iterator[Effect]:
    operands, _, _ = call.operands("-p", "--python", "--prompt")
    for operand in operands[-1:]:
        path = call.path(operand)
        if path is not None:
            yield call.make(path, directory=True)
            yield MayCreate(roots=(path,), reason="part of a virtual environment", at=call.at)
        else:
            yield call.may_create("/")


# What installs packages and runs none of the project's own scripts by name.
_NODE_ONLY_INSTALLS = frozenset({"ci", "i", "install", "add", "config", "set", "cache", "prune"})


def _node(call: _Call) -> Iterator[Effect]:
    """A node tool: an installation, or a script of the project that writes what it likes."""
    word = next((arg.text for arg in call.argv[1:] if not arg.text.startswith("-")), "install")
    if call.name != "npx" and word in _NODE_ONLY_INSTALLS:
        yield call.may_create("node_modules", "dist", "build", ".next", *SYSTEM_ROOTS)
    else:
        yield call.may_create(".", *SYSTEM_ROOTS)


def _anything(call: _Call) -> Iterator[Effect]:
    """A program that is not known: it may write anywhere it is told, or likes to."""
    program = call.argv[0]
    if any(arg.text in ("--version", "-V", "--help") for arg in call.argv[1:]):
        return
    words = [arg.text for arg in call.argv]
    script = program.text.startswith(("/", "./", "../")) or any(
        word.endswith((".py", ".sh", ".bash", ".ipynb", ".R", ".js")) for word in words
    )
    if isinstance(program.value, Unknown) or script or call.name in ("make", "dvc", "just", "tox"):
        # Code of the project: nobody knows where it writes.
        yield call.may_create("/")
        return
    named = [word for word in words[1:] if word.startswith("/")]
    named += [word.split("=", 1)[1] for word in words[1:] if "=/" in word]
    yield call.may_create(".", *SYSTEM_ROOTS, *named)


_HANDLERS = {
    "mkdir": _mkdir,
    "touch": _touch,
    "truncate": _touch,
    "tee": _tee,
    "cp": _copy,
    "mv": _copy,
    "install": _copy,
    "rm": _remove,
    "rmdir": _remove,
    "unlink": _remove,
    "ln": _link,
    "chmod": _chmod,
    "find": _find,
    "chown": _chown,
    "chgrp": _chown,
    "wget": _wget,
    "curl": _curl,
    "git": _git,
    "tar": _tar,
    "unzip": _unzip,
    "gunzip": _compressor,
    "gzip": _compressor,
    "bunzip2": _compressor,
    "xz": _compressor,
    "unxz": _compressor,
    "virtualenv": _venv,
}
