"""Programs that run another program: peeled off one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.parsers.commands.facts import Wrapper
from auditor.parsers.commands.options import Scanned, scan
from auditor.parsers.shell.expansion import Value
from auditor.parsers.shell.facts import Arg

_Peeled = tuple[Wrapper, tuple[Arg, ...]]


def base_name(arg: Arg) -> str:
    """The program's name without its directory; empty when unknown."""
    return arg.text.rsplit("/", 1)[-1]


def unwrap(argv: Sequence[Arg]) -> tuple[tuple[Wrapper, ...], tuple[Arg, ...]]:
    """The wrappers in front of a command, outermost first, and the command itself."""
    rest = tuple(argv)
    found: list[Wrapper] = []
    while rest and len(found) < 12:
        peel = _PEELERS.get(base_name(rest[0]))
        peeled = peel(rest) if peel is not None else None
        if peeled is None or not peeled[1]:
            break
        found.append(peeled[0])
        rest = peeled[1]
    return tuple(found), rest


def _flags(text: str) -> dict[str, str]:
    return {flag: flag.lstrip("-").replace("-", "_") for flag in text.split()}


def _simple(
    *,
    values: str = "",
    switches: str = "",
    skip: int = 0,
    init: bool = False,
    replaces: bool = True,
    subcommand: str | None = None,
    environment: str | None = None,
    env_option: str = "",
) -> Callable[[tuple[Arg, ...]], _Peeled | None]:
    """Options, then ``skip`` words of its own, then the command."""
    with_value, without = _flags(values), _flags(switches)

    def peel(argv: tuple[Arg, ...]) -> _Peeled | None:
        name = base_name(argv[0])
        rest = argv[1:]
        if subcommand is not None:
            before = scan(rest, values=with_value, switches=without, interspersed=False)
            if not before.words or before.words[0].text != subcommand:
                return None
            rest = tuple(before.words[1:])
        scanned = scan(rest, values=with_value, switches=without, interspersed=False)
        words = scanned.words[skip:]
        if words and words[0].text == "--":
            words = words[1:]
        manager = (environment, scanned.value(env_option)) if environment else None
        wrapper = Wrapper(
            name=name, at=argv[0].at, init=init, replaces=replaces, environment=manager
        )
        return wrapper, tuple(words)

    return peel


def _user(argv: tuple[Arg, ...]) -> _Peeled | None:
    """``gosu user command``."""
    if len(argv) < 3:
        return None
    user = argv[1].value
    return Wrapper(name=base_name(argv[0]), at=argv[0].at, user=user), argv[2:]


def _user_option(values: str, name: str) -> Callable[[tuple[Arg, ...]], _Peeled | None]:
    table = _flags(values)

    def peel(argv: tuple[Arg, ...]) -> _Peeled | None:
        scanned = scan(argv[1:], values=table, interspersed=False)
        words = scanned.words
        env: list[tuple[str, Value]] = []
        while words and "=" in words[0].text and not words[0].text.startswith("="):
            key, _, value = words[0].text.partition("=")
            env.append((key, value))
            words = words[1:]
        user = scanned.value(name, name[0])
        return (
            Wrapper(
                name=base_name(argv[0]),
                at=argv[0].at,
                user=user,
                env=tuple(env),
                replaces=base_name(argv[0]) != "sudo",
            ),
            tuple(words),
        )

    return peel


def _env(argv: tuple[Arg, ...]) -> _Peeled | None:
    index = 1
    cwd: Value | None = None
    env: list[tuple[str, Value]] = []
    while index < len(argv):
        text = argv[index].text
        if text in {"-u", "--unset"}:
            index += 2
        elif text in {"-C", "--chdir"} and index + 1 < len(argv):
            cwd = argv[index + 1].value
            index += 2
        elif text.startswith("--chdir="):
            cwd = text.partition("=")[2]
            index += 1
        elif text.startswith("-") and len(text) > 1:
            index += 1
        else:
            arg = argv[index]
            head = arg.pieces[0] if arg.pieces and isinstance(arg.pieces[0], str) else text
            name, equals, value = head.partition("=")
            if not equals:
                break
            env.append((name, value if isinstance(arg.value, str) else arg.value))
            index += 1
    wrapper = Wrapper(name="env", at=argv[0].at, cwd=cwd, env=tuple(env))
    return wrapper, argv[index:]


_UV_RUN = _flags(
    "--with --with-editable --with-requirements --extra --group --no-group --only-group --env-file "
    "--python -p --project --directory --package --index --default-index --index-url -i "
    "--extra-index-url --find-links -f --cache-dir --config-file --link-mode --resolution "
    "--prerelease --index-strategy --no-extra --color"
)
_UV_RUN |= {"-m": "module", "--module": "module"}


def _uv_run(argv: tuple[Arg, ...]) -> _Peeled | None:
    before = scan(argv[1:], values=_UV_RUN, interspersed=False)
    if not before.words or before.words[0].text != "run":
        return None
    scanned = scan(before.words[1:], values=_UV_RUN, interspersed=False)
    wrapper = Wrapper(
        name="uv run",
        at=argv[0].at,
        replaces=False,
        cwd=before.value("directory") or scanned.value("directory"),
        environment=("uv", scanned.value("python")),
    )
    return wrapper, _as_python(scanned, argv[0])


def _as_python(scanned: Scanned, program: Arg) -> tuple[Arg, ...]:
    """``-m module`` and ``script.py`` mean Python; anything else is a program."""
    module = scanned.last("module")
    python = Arg(value="python", at=program.at)
    if module is not None and not isinstance(module.value, bool):
        flag = Arg(value="-m", at=module.at)
        return (python, flag, Arg(value=module.value, at=module.at), *scanned.words)
    if scanned.words and scanned.words[0].text.endswith((".py", ".pyw")):
        return (python, *scanned.words)
    return tuple(scanned.words)


def _conda_run(argv: tuple[Arg, ...]) -> _Peeled | None:
    values = {"-n": "name", "--name": "name", "-p": "prefix", "--prefix": "prefix"}
    values |= {"--cwd": "cwd", "-r": "root", "--root-prefix": "root"}
    before = scan(argv[1:], values=values, interspersed=False)
    if not before.words or before.words[0].text != "run":
        return None
    scanned = scan(
        before.words[1:], values=values | {"-e": "env", "--env": "env"}, interspersed=False
    )
    wrapper = Wrapper(
        name=f"{base_name(argv[0])} run",
        at=argv[0].at,
        replaces=False,
        cwd=scanned.value("cwd"),
        environment=("conda", scanned.value("name", "prefix")),
    )
    return wrapper, tuple(scanned.words)


def _wait_for_it(argv: tuple[Arg, ...]) -> _Peeled | None:
    """``wait-for-it host:port -t 30 -- command``."""
    for index, arg in enumerate(argv):
        if arg.text == "--":
            return Wrapper(name=base_name(argv[0]), at=argv[0].at), argv[index + 1 :]
    return None


def _python_script(
    values: str, *, environment: str | None = None
) -> Callable[[tuple[Arg, ...]], _Peeled | None]:
    """Launchers of a Python script or module: ``torchrun``, ``accelerate launch``."""
    table = _flags(values) | {"-m": "module", "--module": "module"}

    def peel(argv: tuple[Arg, ...]) -> _Peeled | None:
        rest = argv[1:]
        if base_name(argv[0]) in {"accelerate", "coverage"}:
            if not rest or rest[0].text not in {"launch", "run"}:
                return None
            rest = rest[1:]
        scanned = scan(rest, values=table, interspersed=False)
        manager = (environment, None) if environment else None
        wrapper = Wrapper(
            name=base_name(argv[0]), at=argv[0].at, replaces=False, environment=manager
        )
        return wrapper, _as_python(scanned, argv[0])

    return peel


def _timeout(argv: tuple[Arg, ...]) -> _Peeled | None:
    table = _flags("-s --signal -k --kill-after -t")
    scanned = scan(argv[1:], values=table, interspersed=False)
    words = scanned.words
    # busybox of old: `timeout -t 5 command`
    skip = 0 if scanned.last("t") is not None else 1
    return Wrapper(name="timeout", at=argv[0].at, replaces=False), tuple(words[skip:])


def _hatch_run(argv: tuple[Arg, ...]) -> _Peeled | None:
    if len(argv) < 3 or argv[1].text != "run":
        return None
    environment: Value | None = None
    rest = argv[2:]
    name, colon, command = rest[0].text.partition(":")
    if colon and command and "/" not in name:
        environment = name
        rest = (Arg(value=command, at=rest[0].at), *rest[1:])
    wrapper = Wrapper(
        name="hatch run", at=argv[0].at, replaces=False, environment=("hatch", environment)
    )
    return wrapper, rest


def _run(name: str, values: str = "") -> Callable[[tuple[Arg, ...]], _Peeled | None]:
    table = _flags(values)

    def peel(argv: tuple[Arg, ...]) -> _Peeled | None:
        before = scan(argv[1:], values=table, interspersed=False)
        if not before.words or before.words[0].text not in {"run", "exec"}:
            return None
        scanned = scan(before.words[1:], values=table, interspersed=False)
        wrapper = Wrapper(
            name=f"{name} run",
            at=argv[0].at,
            replaces=name == "poetry",
            cwd=before.value("directory", "C"),
            environment=(name, None),
        )
        return wrapper, tuple(scanned.words)

    return peel


def _newrelic(argv: tuple[Arg, ...]) -> _Peeled | None:
    if len(argv) < 3 or argv[1].text != "run-program":
        return None
    return Wrapper(name="newrelic-admin", at=argv[0].at), argv[2:]


def _python_wrapper(argv: tuple[Arg, ...]) -> _Peeled | None:
    """``python -m debugpy … -m uvicorn``, ``python -m poetry run …``."""
    if len(argv) < 4 or argv[1].text != "-m":
        return None
    module = argv[2].text
    if module in {"poetry", "pipenv", "uv", "pdm", "hatch"}:
        peel = _PEELERS[module]
        return peel((Arg(value=module, at=argv[2].at), *argv[3:]))
    if module == "debugpy":
        values = {"--listen": "listen", "--connect": "connect", "--log-to": "log", "-m": "module"}
        scanned = scan(
            argv[3:], values=values, switches={"--wait-for-client": "wait"}, interspersed=False
        )
        wrapper = Wrapper(name="debugpy", at=argv[0].at, replaces=False)
        rest = _as_python(scanned, argv[0])
        return wrapper, rest
    return None


_NOTHING = _simple()
_PEELERS: dict[str, Callable[[tuple[Arg, ...]], _Peeled | None]] = {
    "tini": _simple(values="-p -e", init=True, replaces=False),
    "tini-static": _simple(values="-p -e", init=True, replaces=False),
    "docker-init": _simple(values="-p -e", init=True, replaces=False),
    "catatonit": _simple(values="-p", init=True, replaces=False),
    "dumb-init": _simple(values="-r --rewrite", init=True, replaces=False),
    "my_init": _simple(init=True, replaces=False),
    "gosu": _user,
    "su-exec": _user,
    "s6-setuidgid": _user,
    "setuidgid": _user,
    "chpst": _user_option("-u -U -e -/ -n -l -m -d -o -p -f -c", "u"),
    "sudo": _user_option("-u --user -g --group -h -p -C -D --chdir", "user"),
    "doas": _user_option("-u -C", "u"),
    "runuser": _user_option("-u --user -g --group -G -s --shell", "user"),
    "setpriv": _user_option("--reuid --regid --groups --inh-caps --bounding-set", "reuid"),
    "env": _env,
    "nohup": _NOTHING,
    "setsid": _NOTHING,
    "command": _NOTHING,
    "builtin": _NOTHING,
    "exec": _simple(values="-a"),
    "time": _simple(values="-o -f", replaces=False),
    "nice": _simple(values="-n --adjustment"),
    "ionice": _simple(values="-c -n -p"),
    "chrt": _simple(skip=1),
    "taskset": _simple(skip=1, switches="-c"),
    "numactl": _simple(values="-m -N -C -i --membind --cpunodebind --physcpubind --interleave"),
    "stdbuf": _simple(values="-i -o -e --input --output --error"),
    "unbuffer": _NOTHING,
    "catchsegv": _NOTHING,
    "strace": _simple(values="-e -o -p -s", replaces=False),
    "authbind": _NOTHING,
    "timeout": _timeout,
    "xvfb-run": _simple(
        values="-e -f -n -p -s --error-file --auth-file --server-num --server-args --xauth-protocol",
        replaces=False,
    ),
    "wait-for-it": _wait_for_it,
    "wait-for-it.sh": _wait_for_it,
    "wait-for": _wait_for_it,
    "wait-for.sh": _wait_for_it,
    "dockerize": _simple(
        values="-wait -timeout -template -stdout -stderr -wait-retry-interval", replaces=False
    ),
    "conda": _conda_run,
    "mamba": _conda_run,
    "micromamba": _conda_run,
    "poetry": _run("poetry", "-C --directory -P --project"),
    "pipenv": _run("pipenv", "--python"),
    "pdm": _run("pdm", "-p --project"),
    "rye": _run("rye"),
    "pixi": _run("pixi", "-e --environment --manifest-path"),
    "hatch": _hatch_run,
    "uv": _uv_run,
    "opentelemetry-instrument": _simple(
        values="--traces_exporter --metrics_exporter --logs_exporter --service_name "
        "--exporter_otlp_endpoint --id_generator"
    ),
    "ddtrace-run": _simple(switches="-d --debug -p --profiling -i --info -v"),
    "newrelic-admin": _newrelic,
    "doppler": _simple(
        values="-p -c -t --project --config --token", subcommand="run", replaces=False
    ),
    "infisical": _simple(values="--env --path --projectId", subcommand="run", replaces=False),
    "dotenv": _simple(values="-f --file", subcommand="run", replaces=False),
    "chamber": _simple(subcommand="exec", skip=1),
    "watchmedo": _simple(
        values="-d --directory -p --pattern --patterns -i --ignore-patterns --signal --kill-after "
        "--debounce-interval --interval",
        switches="-R --recursive --no-recursive -D --ignore-directories -q -v",
        subcommand="auto-restart",
        replaces=False,
    ),
    "torchrun": _python_script(
        "--nproc_per_node --nproc-per-node --nnodes --node_rank --node-rank --master_addr "
        "--master_port --master-port --rdzv_backend --rdzv_endpoint --rdzv_id --max_restarts"
    ),
    "accelerate": _python_script(
        "--num_processes --num_machines --mixed_precision --config_file --main_process_port "
        "--gpu_ids"
    ),
    "coverage": _python_script("--rcfile --source --omit --include --data-file"),
    "mpirun": _simple(values="-np -n -H --host -x --hostfile", replaces=False),
    "nvidia_entrypoint.sh": _NOTHING,
    "with-contenv": _NOTHING,
    "_entrypoint.sh": _NOTHING,  # mambaorg/micromamba
    "python": _python_wrapper,
    "python3": _python_wrapper,
}
for _marker in ("python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13"):
    _PEELERS[_marker] = _python_wrapper

__all__ = ["base_name", "unwrap"]
