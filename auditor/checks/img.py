"""IMG: will the image build, start, stop and hold what it must."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.catalog import Rule
from auditor.checks.registry import Outcome, check
from auditor.checks.srv import unaskable
from auditor.deployment.healthcheck import asks
from auditor.deployment.model import BuiltImage, Deployment, Service, StartFault
from auditor.findings import Confidence, Related, Severity, Stage
from auditor.parsers import references
from auditor.parsers.commands import ServerStart
from auditor.parsers.python.facts import Phase, Reach, Refused
from auditor.source import Location, Unknown

if TYPE_CHECKING:
    from auditor.deployment.imagefacts import CopyProblem

_SECRET = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|SECRET_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:$|_)",
    re.IGNORECASE,
)
# Names that look like secrets and are settings about them.
_NO_SECRET = re.compile(
    r"(?:_FILE|_PATH|_NAME|_URL|_TYPE|_LENGTH|_LIMIT|_EXPIRE\w*|_TTL|_ID|MAX_\w+)$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"^(?:|\$.*|<.*>|x{3,}|\*+|change[-_ ]?me.*|your[-_ ].*|todo|none|null|false|true|example.*|dummy.*|placeholder.*|\d{1,4})$",
    re.IGNORECASE,
)
_VARIABLE_NAME = re.compile(r"^[A-Z]+(?:_[A-Z]+)+$")
# The name of a file that holds the secret, not the secret.
_KEY_FILE = re.compile(
    r"^(?:[\w.~-]*/)*[\w.-]+\.(?:json|pem|key|p12|pfx|jks|crt|cer|ya?ml|txt|env|ini)$",
    re.IGNORECASE,
)
_COMPILERS = frozenset(
    {
        "gcc",
        "g++",
        "build-essential",
        "build-base",
        "clang",
        "make",
        "cmake",
        "gfortran",
        "rustc",
        "cargo",
    }
)


@check("IMG001")
def floating_base(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """A base image without a version."""
    base = image.base
    if base is None or base.text == "scratch":
        return
    if base.tag_pinned or image.base_is_local:
        yield rule.passed()
        return
    tag = base.reference.tag
    yield rule.finding(
        image.image.base.at,
        f"`{base.text}` "
        + (f"follows the tag `{tag}`" if tag else "has no tag and follows `latest`")
        + ": the next build may start from another release"
        + (" and another Python" if base.official_python else ""),
        help="Name the version: `python:3.12-slim-bookworm`."
        if base.official_python
        else "Name the version.",
    )


@check("IMG004")
def runs_as_root(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The process has the rights of root in the container."""
    image = service.image
    if image is None or not service.ours or service.is_dev:
        return
    user = service.user
    if isinstance(user, Unknown):
        yield rule.undecided(f"the user of {service.name} is computed: {user.reason}")
        return
    if user is None:
        if image.base is None or image.base.flavour is None:
            yield rule.undecided(
                f"whether {image.base.text if image.base else 'the base'} sets a user is not known"
            )
            return
        at = (
            service.command_at
            if service.command_at and service.command_at.path == image.dockerfile.path
            else None
        )
        if any(w.user for p in service.processes for w in p.interpretation.wrappers):
            yield rule.passed()
            return
        yield rule.finding(
            at or image.image.base.at,
            "no USER: the service runs as root, and so does whatever an artifact or request makes it do",
            help="Create a user and switch to it before CMD: `RUN useradd --create-home app` and `USER app`.",
        )
        return
    if user.partition(":")[0] in ("root", "0"):
        yield rule.finding(
            service.user_at or image.image.base.at,
            f"USER {user}: the service runs as root, and so does whatever an artifact or request makes it do",
            help="Create a user and switch to it before CMD.",
        )
        return
    yield rule.passed()


@check("IMG005")
def no_health_check(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Nothing notices when the service hangs."""
    elsewhere = service.image is None and service.workload is not None
    # Knative and what stands on it ask the port by themselves.
    plain = service.workload is not None and not service.workload.platform
    web = service.is_web or (elsewhere and plain and bool(service.published))
    if not (service.ours or service.deployed) or not web or service.is_dev:
        return
    current = asks(service.health)
    if current is not None and not current.disabled:
        yield rule.passed()
        return
    if current is None and any(app is not None for app in unaskable(service, deployment)):
        return  # SRV004: there is no route yet that a check could ask
    at = current.at if current is not None else service.at
    yield rule.finding(
        at,
        "the health check is disabled: a hung service stays in rotation"
        if current is not None
        else "no health check: a service that hangs, or whose model failed to load, stays in rotation",
        help="Give the container a `livenessProbe` and a `readinessProbe`: Kubernetes does not run the "
        "HEALTHCHECK of an image."
        if service.workload is not None
        else "Add a HEALTHCHECK with a program that the image has "
        "(`CMD python -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')\"`).",
    )


@check("IMG006")
def development_server(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A development server, its debugger or its reloader in production."""
    if not service.ours or service.is_dev:
        return
    judged = False
    for process in service.processes:
        fact = process.interpretation.fact
        if not isinstance(fact, ServerStart):
            continue
        judged = True
        if fact.kind == "flask":
            debug = fact.value("debug") is True and _visited(service)
            yield _flask(rule, fact.at, debug, "`flask run`")
        elif fact.kind == "django":
            yield rule.finding(
                fact.at, "`runserver` is Django's development server: one process, no hardening"
            )
        elif fact.kind == "fastapi-dev":
            yield rule.finding(
                fact.at, "`fastapi dev` reloads on every file change and binds loopback only"
            )
        elif (
            (option := fact.option("reload")) is not None
            and option.value is not False
            and fact.kind != "streamlit"
        ):
            if _bind_mounted(service):
                continue
            yield rule.finding(
                option.at,
                f"`{option.flag or '--reload'}` watches the source and restarts the worker: slower, and a model is "
                "loaded again at every touched file",
                help="Leave it to a Compose override for development.",
            )
    for entry in service.entries:
        if entry.server != "python":
            continue
        for server in entry.trace.servers:
            if server.reach.phase not in (Phase.IMPORT, Phase.MAIN, Phase.STARTUP):
                continue
            judged = True
            told = server.option("debug")
            reload = server.option("reload")
            if server.tool == "flask":
                debug = told is not None and told.value is True and _visited(service)
                yield _flask(rule, server.at, debug, "`app.run()`")
            elif server.development:
                yield rule.finding(server.at, f"`{server.tool}` is a server for development")
            elif reload is not None and reload.value is True:
                yield rule.finding(
                    server.at,
                    "`reload=True` watches the source and restarts the worker",
                    help="Take it from a variable that is off by default.",
                )
    if judged:
        yield rule.passed()


def _visited(service: Service) -> bool:
    """Somebody outside of the container may come to its server (NET001 says where nobody can)."""
    listens = service.listens
    return service.host_network or not listens or not all(item.loopback for item in listens)


def _bind_mounted(service: Service) -> bool:
    """The source is mounted from the host: a set-up for development."""
    return any(
        m.kind == "bind" and m.source is not None and not m.read_only for m in service.mounts
    ) and any(m.target == service.cwd for m in service.mounts)


def _flask(rule: Rule, at: Location, debug: bool, what: str) -> Outcome:
    if debug:
        return rule.finding(
            at,
            f"{what} with debug on: Werkzeug's debugger runs any code that a visitor types after guessing a PIN",
            help="Serve with gunicorn (`gunicorn --bind 0.0.0.0:8000 app:app`) and leave debug off.",
            severity=Severity.HIGH,
        )
    return rule.finding(
        at,
        f"{what} is Flask's development server: one process, not hardened, no graceful stop",
        help="Serve with gunicorn: `gunicorn --bind 0.0.0.0:8000 app:app`.",
    )


@check("IMG007")
def swallowed_sigterm(service: Service, rule: Rule) -> Iterator[Outcome]:
    """A shell in front of the server keeps SIGTERM for itself."""
    if not service.ours or service.is_dev:
        return
    for process in service.processes:
        if process.background or process.conditional:
            continue
        if not process.shell_is_pid1 or process.init or service.has_init:
            yield rule.passed()
            continue
        at = process.through[-1] if process.through else service.command_at or service.at
        command = process.interpretation.command
        if command is not None:
            at = command.at
        yield rule.finding(
            at,
            "a shell stays in front of the server and does not pass SIGTERM on: every stop waits 10 s, then kills "
            "it with requests in flight",
            help='Use the exec form (`CMD ["…"]`), or start the server with `exec` in the script.',
            related=[Related(service.command_at, "started here")]
            if service.command_at and service.command_at.path != at.path
            else (),
        )


def _names_a_secret(value: str) -> bool:
    """`SECRET_KEY`, `OPENAI_API_KEY`: the name of a variable, where its value is to be filled in."""
    return _VARIABLE_NAME.match(value) is not None and _SECRET.search(value) is not None


@check("IMG008")
def baked_secret(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """A secret in ENV or ARG stays readable in the image's history."""
    judged = False
    for instruction, _ in image.image.trace:
        pairs = getattr(instruction, "pairs", None)
        if pairs is None or instruction.keyword not in ("ENV", "ARG"):
            continue
        judged = True
        for pair in pairs:
            if not _SECRET.search(pair.name) or _NO_SECRET.search(pair.name) or pair.value is None:
                continue
            # `ENV NAME = value` sets `= value`: the sign is no part of what was meant.
            value = pair.value.text.strip("\"'").removeprefix("=").strip()
            if _PLACEHOLDER.match(value) or _KEY_FILE.match(value) or _names_a_secret(value):
                continue
            yield rule.finding(
                pair.at,
                f"`{pair.name}` is written into the image: whoever can pull it can read it (`docker history`)",
                help="Pass it at run time, or mount it while building (`RUN --mount=type=secret`).",
                confidence=Confidence.LIKELY,
            )
    if judged:
        yield rule.passed()


@check("IMG009")
def compilers_shipped(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    """Compilers in the final stage: larger, and handy for an intruder."""
    for package in image.system_packages:
        if not package.shipped:
            continue
        if package.name in _COMPILERS:
            yield rule.finding(
                package.at,
                f"`{package.name}` stays in the image that is shipped",
                help="Build wheels in an earlier stage and copy the environment from there.",
            )
        else:
            yield rule.passed()


@check("IMG011")
def unwritable_path(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The code writes where the container's user may not."""
    reported: set[str] = set()
    for item in service.writes:
        access = item.link.access
        if access.reach.phase is Phase.UNREACHED:
            continue
        if item.by_builder and item.decides is not None:
            yield rule.undecided(
                f"{item.decides.path} is made by WORKDIR behind USER: BuildKit makes it for {service.user}, the "
                "classic builder for root",
                at=access.at,
                blocks=stopped(service, access.at, access.reach),
            )
            continue
        if item.allowed == "yes":
            yield rule.passed()
            continue
        if item.allowed == "unknown":
            continue
        if item.read_only:
            shown = access.path.text if isinstance(access.path.text, str) else item.link.path
            if item.read_only in reported:
                continue
            reported.add(item.read_only)
            yield rule.finding(
                access.at,
                f"`{shown}` is written, but {item.read_only}: "
                f"`OSError: [Errno 30] Read-only file system: '{shown}'`",
                help="Mount a volume, a tmpfs or an `emptyDir` there.",
                severity=None if access.reach.certain else Severity.LOW,
                related=[Related(item.read_only_at, "said here")] if item.read_only_at else (),
                confidence=Confidence.LIKELY if access.reach.certain else Confidence.POSSIBLE,
                breaks=stopped(service, access.at, access.reach),
            )
            continue
        decides = item.decides
        # The first refused write below a directory ends the run: the others have its cause.
        if decides is not None:
            if decides.path in reported:
                continue
            reported.add(decides.path)
        shown = access.path.text if isinstance(access.path.text, str) else item.link.path
        yield rule.finding(
            access.at,
            f"`{shown}` is written, but {decides.path if decides else item.link.path} belongs to root and the service "
            f"runs as {service.user}: `PermissionError: [Errno 13] Permission denied: '{shown}'`",
            help="Give the directory to that user (`COPY --chown`, or `RUN chown`), or write to a volume.",
            related=[
                Related(at, text)
                for at, text in (
                    (service.user_at, "the user is set here"),
                    (decides.at if decides else None, "the directory is made here, as root"),
                )
                if at is not None
            ],
            confidence=Confidence.LIKELY if access.reach.certain else Confidence.POSSIBLE,
            breaks=stopped(service, access.at, access.reach),
        )


def stopped(service: Service, at: Location, reach: Reach) -> tuple[tuple[str, Stage], ...]:
    """What an error there breaks: the start, or the prediction whose handler leads to it."""
    if not reach.certain:
        return ()
    if reach.phase.before_serving:
        return service.loading(at)
    return service.breaks(Stage.PREDICTS) if "predict" in reach.route.lower() else ()


@check("IMG012")
def missing_variable(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Code needs a variable that nothing sets."""
    wild = service.variable("*")
    reported: set[str] = set()
    for fault in service.faults:
        if fault.kind == "variable":
            yield _fault_finding(service, rule, fault)
    for entry in service.runs:
        for read in entry.trace.env_reads:
            name = read.name
            if isinstance(name, Unknown) or not (read.required or read.crash):
                continue
            if read.reach.phase is Phase.UNREACHED or name in reported:
                continue
            variable = service.variable(name)
            broken = stopped(service, read.at, read.reach)
            if variable is not None and variable.source == "shell":
                reported.add(name)
                yield rule.undecided(
                    f"{name} is set only if the shell that starts Compose has it",
                    at=read.at,
                    blocks=broken,
                )
                continue
            if (
                variable is not None
                or name in _ALWAYS_SET
                or (read.value.value is not None and read.value.known)
            ):
                yield rule.passed()
                continue
            reported.add(name)
            if wild is not None and isinstance(wild.value, Unknown):
                yield rule.undecided(
                    f"whether {name} is set is not known ({wild.value.reason})",
                    at=read.at,
                    blocks=broken,
                )
                continue
            if service.origin == "dockerfile" and _OF_PLATFORM.match(name):
                yield rule.undecided(
                    f"{name} is set by the platform that runs the image", at=read.at
                )
                continue
            certain = service.variables_complete
            documented = any(p.source == "docker-run" for p in service.published)
            argument = None
            if service.image is not None:
                argument = next((a for a in service.image.image.args if a.name == name), None)
            confidence = (
                Confidence.CERTAIN
                if certain
                else Confidence.LIKELY
                if documented or argument is not None or not service.may_be_set(name)
                else Confidence.POSSIBLE
            )
            if not read.reach.certain:
                confidence = min(confidence, Confidence.POSSIBLE)
            error = (
                f"`KeyError: '{name}'`" if read.how == "os.environ[]" else read.crash or "an error"
            )
            yield rule.finding(
                read.at,
                f"`{name}` is required, and nothing sets it"
                + (": ARG exists only while the image is built" if argument is not None else "")
                + f": {error}",
                help=f"Set it (`ENV {name}=…`, `environment:`, `-e`), or read it with a default.",
                related=[Related(argument.at, "set here, for the build only")]
                if argument is not None
                else (),
                confidence=confidence,
                severity=Severity.LOW
                if confidence is Confidence.POSSIBLE
                # An image alone does not say with what it is run.
                else Severity.MEDIUM
                if read.documented or not (certain or documented or argument is not None)
                else None,
                breaks=broken,
                evidence={"variable": name},
            )


# What Vertex AI, SageMaker, Azure ML, Cloud Run and Lambda give to the containers that they run.
_OF_PLATFORM = re.compile(
    r"AIP_\w+|SM_\w+|SAGEMAKER_\w+|AZUREML_\w+|K_(?:SERVICE|REVISION|CONFIGURATION)|CLOUD_RUN_\w+"
    r"|AWS_LAMBDA_\w+|LAMBDA_TASK_ROOT"
)
_ALWAYS_SET = frozenset({"PATH", "HOME", "HOSTNAME", "PWD", "LANG", "PYTHON_VERSION", "GPG_KEY"})


@check("IMG026")
def unreadable_path(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The code reads what the container's user may not."""
    seen: set[str] = set()
    for link in service.reads:
        access = link.access
        if not link.private or access.reach.phase is Phase.UNREACHED or link.path in seen:
            continue
        seen.add(link.path)
        shown = access.path.text if isinstance(access.path.text, str) else link.path
        yield rule.finding(
            access.at,
            f"`{shown}` belongs to root and only root may read it, and the service runs as "
            f"{service.user}: `PermissionError: [Errno 13] Permission denied: '{shown}'`",
            related=[Related(service.user_at, "the user is set here")] if service.user_at else (),
            confidence=None if access.reach.certain else Confidence.POSSIBLE,
            severity=None if access.reach.certain else Severity.LOW,
            breaks=stopped(service, access.at, access.reach),
        )
    told: set[str] = set()
    for item in service.closed:
        if item.reach.phase is Phase.UNREACHED or item.path in told or item.reach.guards:
            continue
        told.add(item.path)
        yield rule.finding(
            item.at,
            f"{item.path} belongs to root and only root may read it, and the service runs as "
            f"{service.user}, which cannot import `{item.module}`: `PermissionError: [Errno 13] "
            "Permission denied`, or `ModuleNotFoundError` where the directory is closed",
            related=[Related(service.user_at, "the user is set here")] if service.user_at else (),
            breaks=stopped(service, item.at, item.reach),
        )


_MODULE_FAULTS = frozenset({"module", "attribute"})
# What the server finds out when it imports the application, not when it is started.
_OF_THE_APPLICATION = _MODULE_FAULTS | {"interface"}
_COMMAND_FAULTS = frozenset(
    {
        "script",
        "not-executable",
        "crlf",
        "interpreter",
        "program",
        "no-command",
        "server-missing",
        "literal-variable",
        "arguments",
        "interface",
        "user",
        "daemon",
        "unit",
    }
)


def _start_faults(service: Service, rule: Rule, kinds: frozenset[str]) -> Iterator[Outcome]:
    if service.image is not None and service.argv is not None and kinds is not _CONFIG_FAULTS:
        yield rule.passed()
    missing = {fault.at for fault in service.faults if fault.kind == "server-missing"}
    for fault in service.faults:
        if fault.kind == "program" and fault.at in missing:
            continue  # the distribution's name says more than the program's
        evidence = dict(fault.evidence)
        missed = evidence.get("path", "") or evidence.get("module", "").partition(".")[0]
        if fault.kind == "module" and missed and "path" not in evidence:
            image = service.image
            if image is not None and (
                image.lost_by_copy(f"{missed}.py") or image.lost_by_copy(missed)
            ):
                continue
        if missed and service.image is not None and service.image.lost_by_copy(missed):
            continue  # IMG019 or PTH003 says so already.
        if fault.kind in kinds:
            yield _fault_finding(service, rule, fault)


def _fault_finding(
    service: Service, rule: Rule, fault: StartFault, everyone: Sequence[Service] = ()
) -> Outcome:
    confidence = Confidence.CERTAIN if fault.certain else Confidence.LIKELY
    # Whoever starts an image without a command gives it one, and arguments to one that is a task.
    on_demand = service.origin == "dockerfile" or (bool(service.profiles) and not service.published)
    started = on_demand and (
        fault.kind == "no-command" or (fault.kind == "arguments" and not service.is_web)
    )
    return rule.finding(
        fault.at,
        fault.message,
        help="`dockerfile` is relative to `context`, not to the Compose file: correct the path."
        if fault.kind == "no-dockerfile"
        else "",
        related=[Related(at, text) for at, text in fault.related],
        confidence=Confidence.POSSIBLE if fault.possible else confidence,
        severity=Severity.LOW
        if fault.possible
        else Severity.MEDIUM
        if service.is_dev or started or fault.documented
        else None,
        evidence=dict(fault.evidence),
        breaks=((service.name, Stage.STARTS),)
        if fault.kind == "daemon"
        else service.loading(fault.at)
        if fault.kind in _OF_THE_APPLICATION and fault.stage is Stage.STARTS
        else tuple(pair for s in everyone or (service,) for pair in s.breaks(fault.stage)),
    )


@check("IMG017")
def missing_application(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The server is told to serve a module or attribute that is not there."""
    yield from _start_faults(service, rule, _MODULE_FAULTS)


@check("IMG018")
def command_cannot_start(service: Service, rule: Rule) -> Iterator[Outcome]:
    """The command names a program or script that cannot run."""
    yield from _start_faults(service, rule, _COMMAND_FAULTS)


# What BuildKit lets pass: it stops ``..`` at the context's root, copies nothing for a wildcard
# without a match, and makes a directory of the destination.
_CLASSIC_ONLY = frozenset({"outside", "no-match", "not-a-directory", "later-stage"})


@check("IMG019")
def copy_finds_nothing(image: BuiltImage, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """COPY of something that is not in the build context, or in the stage copied from."""
    if image.image.copies:
        yield rule.passed()
    first = next(iter(deployment.services_of(image.services)), None)
    for fault in first.faults if first is not None else ():
        if fault.kind == "copy":
            yield rule.finding(
                fault.at,
                fault.message,
                related=[Related(at, text) for at, text in fault.related],
                confidence=Confidence.LIKELY,
                evidence=dict(fault.evidence),
                breaks=image.breaks(Stage.BUILDS),
            )
    for problem in image.copy_problems:
        if problem.kind == "ignored":
            continue
        if problem.kind == "no-match" and any(
            p.certain and p.instruction_at == problem.instruction_at for p in image.copy_problems
        ):
            continue  # the instruction fails anyway
        help = ""
        if problem.kind == "missing":
            help = (
                "Name what is there, or commit the file. Sources start at the build context, "
                f"`{image.context or '.'}`."
            )
        if problem.kind == "case" and problem.candidates:
            help = f"Write it as it is: `{problem.candidates[0]}` (names are case sensitive in the image)."
        by_hand = dict(image.made_by_hand).get(problem.source, "")
        # An image of that name could be meant; a stage of nearly that name is far likelier.
        misspelt = problem.kind == "unknown-stage" and bool(problem.candidates)
        consequence = "the build fails"
        fails = problem.certain or (
            problem.kind == "no-match" and not by_hand and _wanted_later(image, problem)
        )
        if problem.kind in _CLASSIC_ONLY and not fails:
            consequence = "the classic builder and Podman refuse it; BuildKit does not"
        elif by_hand:
            consequence += f" unless somebody puts it there first ({by_hand})"
        yield rule.finding(
            problem.at,
            f"{problem.message}: {consequence}",
            help=help,
            severity=None
            if (fails or misspelt) and not by_hand and not image.is_dev
            else Severity.MEDIUM,
            confidence=Confidence.CERTAIN
            if fails and not by_hand
            else Confidence.LIKELY
            if misspelt
            else Confidence.POSSIBLE,
            evidence={"kind": problem.kind, "source": problem.source},
            breaks=image.breaks(Stage.BUILDS),
        )


def _wanted_later(image: BuiltImage, problem: CopyProblem) -> bool:
    """A RUN installs what the pattern was to bring: it fails where the COPY does not."""
    pattern = problem.source.rpartition("/")[2]
    return pattern.startswith("*.") and any(
        f"/{pattern}" in step.command.text.text and "install" in step.command.text.text
        for step in image.image.runs
    )


_CONFIG_FAULTS = frozenset({"env-file"})


@check("IMG020")
def missing_env_file(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Compose, or systemd, is told to read a file that is not in the repository."""
    compose = service.compose is not None and bool(service.compose.env_files)
    if not compose and service.origin != "systemd":
        return
    yield rule.passed()
    yield from _start_faults(service, rule, _CONFIG_FAULTS)


@check("IMG021")
def syntax_too_new(service: Service, rule: Rule) -> Iterator[Outcome]:
    """Code uses syntax that the image's Python does not know."""
    environment = service.environment
    python = environment.python if environment else None
    minor = interpreter(service)
    if python is None or minor is None:
        return
    judged = False
    for refused, reach in refused_sources(service, minor):
        judged = True
        sure = reach is None or reach.certain
        yield rule.finding(
            refused.at,
            f"Python {python.version} does not take this file: `{refused.error}`",
            help="Correct the line: every Python refuses it.",
            related=[Related(python.at, "the interpreter is chosen here")],
            confidence=None if sure else Confidence.POSSIBLE,
            severity=None if sure else Severity.MEDIUM,
            breaks=service.loading(refused.at)
            if reach is None
            else stopped(service, refused.at, reach),
        )
    for entry in service.entries:
        for _, path in entry.trace.modules:
            facts = service.module_facts.get(path)
            if facts is None:
                continue
            judged = True
            for need in facts.needs:
                if need.python <= minor:
                    continue
                parsed = need.when == "parse"
                if not parsed and not _at_definition(need.construct, service):
                    continue
                yield rule.finding(
                    need.at,
                    f"{need.construct} needs Python {need.python[0]}.{need.python[1]}, and the image runs "
                    f"{python.version}: `{'SyntaxError' if parsed else 'TypeError'}`",
                    related=[Related(python.at, "the interpreter is chosen here")],
                    confidence=None if parsed else Confidence.LIKELY,
                    breaks=service.loading(need.at),
                )
                break
    if judged:
        yield rule.passed()


def interpreter(service: Service) -> tuple[int, int] | None:
    """Major and minor version of the service's Python, where both are known."""
    python = service.environment.python if service.environment else None
    if python is None or "." not in python.version:
        return None
    major, minor = (int(part) for part in python.version.split(".")[:2])
    return major, minor


def refused_sources(
    service: Service, python: tuple[int, int]
) -> Iterator[tuple[Refused, Reach | None]]:
    """What the service runs or imports that no parser takes; without a reach: the entry itself."""
    seen: set[str] = set()
    for entry in service.entries:
        imported = {item.path: item for item in entry.trace.imports if item.path}
        for _, path in entry.trace.modules:
            facts = service.module_facts.get(path)
            refused = facts.refused if facts is not None else None
            if refused is None or path in seen or not refused.by(python):
                continue
            item = imported.get(path)
            if path == entry.trace.path:
                seen.add(path)
                yield refused, None
            elif (
                item is not None
                and item.reach.phase is not Phase.UNREACHED
                and not {*item.reach.guards, *item.fact.guards}
            ):
                seen.add(path)
                yield refused, item.reach


def _at_definition(construct: str, service: Service) -> bool:
    """Whether a construct that every parser accepts fails as soon as its definition runs."""
    if construct.endswith(" of a pydantic model"):
        installed = service.environment.installed if service.environment else None
        return installed is not None and not installed.has("eval-type-backport")
    return construct.startswith("dataclass(") or "[…]" in construct or "X | Y" in construct


@check("IMG024")
def refused_compose_file(service: Service, rule: Rule, deployment: Deployment) -> Iterator[Outcome]:
    """Compose refuses the project, or never comes to starting the service."""
    if service.compose is None:
        return
    for dependency in service.compose.depends_on:
        other = deployment.neighbours.called(service, dependency.service)
        if dependency.condition != "service_healthy" or other is None or other.image is None:
            continue
        known = other.image.base is not None and other.image.base.flavour is not None
        if asks(other.health) is None and known:
            yield rule.finding(
                dependency.at,
                f"`{service.name}` waits until `{other.name}` is healthy, and `{other.name}` has no health "
                "check: Compose does not start it (`has no healthcheck configured`)",
                help=f"Give `{other.name}` a health check, or wait for `service_started`.",
                related=[Related(other.at, "no health check here")],
                confidence=Confidence.LIKELY,
                breaks=service.breaks(Stage.STARTS),
            )
    named = service.compose.image
    told = named.value if named is not None else None
    why = references.refused(told) if isinstance(told, str) else ""
    if named is not None and why:
        built = service.image is not None and not service.image.pulled
        yield rule.finding(
            named.at,
            f"`{str(told)[:120]}` is no name of an image: Compose does not come to "
            f"{'building' if built else 'starting'} `{service.name}` (`{why}`)",
            help=references.HELP,
            confidence=Confidence.LIKELY,
            breaks=service.breaks(Stage.BUILDS if built else Stage.STARTS),
        )
    if not any(f.kind == "compose" for f in service.faults):
        yield rule.passed()
    for fault in service.faults:
        if fault.kind == "compose":
            everyone = deployment.services if fault.everyone else ()
            project = [s for s in everyone if s.project is service.project]
            yield _fault_finding(service, rule, fault, project)


@check("IMG022")
def refused_dockerfile(deployment: Deployment, rule: Rule) -> Iterator[Outcome]:
    """The builder refuses the Dockerfile, or does not find it."""
    for service in deployment.services:
        for fault in service.faults:
            if fault.kind in ("no-dockerfile", "build"):
                yield _fault_finding(service, rule, fault)
    for image in deployment.images:
        yield from _refused(image, rule)


def _refused(image: BuiltImage, rule: Rule) -> Iterator[Outcome]:
    yield rule.passed()
    for problem in sorted(image.dockerfile.problems, key=lambda problem: problem.at)[:1]:
        # The builder stops at the first; what follows is mostly the rest of the same mistake.
        yield rule.finding(
            problem.at,
            f"the builder refuses this Dockerfile: {problem.message}",
            confidence=Confidence.LIKELY,
            breaks=image.breaks(Stage.BUILDS),
        )
    for at, text in _references(image):
        if why := references.refused(text):
            yield rule.finding(
                at,
                f"the builder refuses this Dockerfile: `{text[:120]}` is no name of an image (`{why}`)",
                help=references.HELP,
                confidence=Confidence.LIKELY,
                breaks=image.breaks(Stage.BUILDS),
            )


def _references(image: BuiltImage) -> Iterator[tuple[Location, str]]:
    """Every image that the Dockerfile starts from or copies from, where no variable is in it."""
    stages = image.dockerfile.stages
    names = {stage.name for stage in stages}
    for stage in stages:
        text = stage.base.text
        if text.lower() not in names and text != "scratch":
            yield stage.base.at, text
    for step in image.image.copies:
        told = step.from_image
        if step.origin == "image" and isinstance(told, str) and told.lower() not in names:
            yield step.at, told
