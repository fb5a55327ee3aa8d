"""Looking inside an image: what is really installed, what imports, what the loader lacks."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from auditor import lazy_re as re
from auditor.parsers.requirements import normalise
from auditor.rehearsal import causes
from auditor.rehearsal.journal import Run
from auditor.rehearsal.observed import Contrast, Imported, Inside, Unfound
from auditor.values import value

if TYPE_CHECKING:
    from auditor.deployment.model import BuiltImage, Deployment, Environment, Service
    from auditor.source import Location

_TIMEOUT: Final = 300
# Needs hardware or a display that a build machine does not have.
_NEEDS_MORE = re.compile(
    r"libcuda\.so|libnvidia|no CUDA|DISPLAY|libnvcuvid|could not connect to display"
)


def look(run: Run, image: BuiltImage, tag: str, deployment: Deployment) -> Inside:
    """Run the inspector in the image, without a network and under the image's own user."""
    claims = tuple(claims_of(image, deployment))
    nonce = secrets.token_hex(12)
    wanted = dict(modules_of(image.environment)) if image.environment else {}
    pairs = ",".join(f"{d}={m}" for d, m in wanted.items())
    text = (Path(__file__).parent / "payload" / "inspector.py").read_text("utf-8")
    output = ""
    paths = json.dumps(list(dict.fromkeys(claim.path for claim in claims)))
    for interpreter in ("python", "python3"):
        output, missing = _execute(run, tag, [interpreter, "-B", "-c", text, nonce, pairs, paths])
        if not missing:
            break
    found = _parsed(output, nonce)
    if found is None:
        lines = causes.lines_of(output)
        why = lines[-1] if lines else "no Python was found in it"
        return Inside(problem=f"it could not be looked into: {why}")
    return _inside(found, image, claims)


def _execute(run: Run, tag: str, command: list[str]) -> tuple[str, bool]:
    """(output, whether the image lacks the program)."""
    client = run.client
    name = run.name(f"inside-{secrets.token_hex(3)}")
    with run.shielded():
        run.record("container", name)
        made = client.create_container(
            image=tag,
            entrypoint=command[:1],
            command=command[1:],
            environment={"OMP_NUM_THREADS": "1", "MPLCONFIGDIR": "/tmp"},
            labels=run.labels,
            name=name,
            healthcheck={"test": ["NONE"]},
            host_config=client.create_host_config(
                network_mode="none",
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                pids_limit=512,
                mem_limit=4 << 30,
                log_config={"Type": "json-file", "Config": {"max-size": "20m", "max-file": "1"}},
            ),
        )
    try:
        try:
            with run.shielded():
                client.start(made["Id"])
        except Exception as error:
            said = str(getattr(error, "explanation", error))
            return said, "executable file not found" in said or "no such file" in said
        try:
            client.wait(made["Id"], timeout=_TIMEOUT)
        except Exception:
            return "it took too long", False
        data: bytes = client.logs(made["Id"], stdout=True, stderr=True)
        return data.decode("utf-8", "replace"), False
    finally:
        # Where this fails, its label finds it when the run ends.
        with contextlib.suppress(Exception):
            client.remove_container(made["Id"], force=True, v=True)


def _parsed(output: str, nonce: str) -> dict[str, Any] | None:
    prefix = f"@{nonce} "
    for line in output.splitlines():
        if line.startswith(prefix):
            try:
                found = json.loads(line[len(prefix) :])
            except (ValueError, RecursionError):
                return None
            return found if isinstance(found, dict) else None
    return None


def _inside(found: dict[str, Any], image: BuiltImage, claims: tuple[Claim, ...] = ()) -> Inside:
    installed = {
        normalise(str(k)[:100]): str(v)[:60]
        for k, v in (_mapping(found.get("distributions"))).items()
    }
    imports = []
    for item in _list(found.get("imports")):
        if isinstance(item, list) and len(item) == 4:
            distribution, module, good, text = item
            if distribution not in installed and not good:
                # Not installed here at all: another rule's business.
                continue
            if not good and _NEEDS_MORE.search(str(text)):
                continue
            imports.append(
                Imported(
                    distribution=str(distribution),
                    module=str(module),
                    ok=bool(good),
                    cause=None if good else causes.of_log(str(text)),
                )
            )
    missing = [
        Unfound(
            path=str(item[0])[:300],
            soname=str(item[1])[:100],
            distribution=normalise(str(item[2])[:100]),
        )
        for item in _list(found.get("missing"))
        if isinstance(item, list) and len(item) == 3
    ]
    python = str(found.get("python"))[:20]
    uid = found.get("uid")
    return Inside(
        python=python,
        distributions=tuple(sorted(installed.items())),
        pip_check=tuple(str(line)[:300] for line in _list(found.get("pip_check"))[:50]),
        imports=tuple(imports),
        missing_sonames=tuple(missing),
        user=str(found.get("user"))[:60],
        uid=uid if isinstance(uid, int) else None,
        workdir=str(found.get("cwd"))[:300],
        writable=tuple(str(p)[:200] for p in _list(found.get("writable"))[:20]),
        differences=(
            *differences(image, python, installed, str(found.get("cwd"))),
            *_user(image, str(found.get("user")), uid),
            *_paths(claims, _list(found.get("paths"))),
        ),
    )


def _mapping(item: Any) -> dict[Any, Any]:
    return item if isinstance(item, dict) else {}


def _list(item: Any) -> list[Any]:
    return item if isinstance(item, list) else []


def differences(
    image: BuiltImage, python: str, installed: dict[str, str], workdir: str
) -> Iterable[Contrast]:
    """Where the model was sure of what is installed, and the image is otherwise."""
    environment = image.environment
    if environment is not None and environment.python is not None:
        said = environment.python.version
        # A tag may have moved on to another patch release.
        if environment.python.certain and said.split(".")[:2] != python.split(".")[:2]:
            yield Contrast(what="Python", said=said, found=python, at=environment.python.at)
    for requirement in environment.requirements if environment else ():
        version = requirement.version
        real = installed.get(requirement.key)
        if version is None or requirement.fact.marker:
            continue
        at = requirement.fact.at
        if real is None:
            yield Contrast(what=requirement.key, said=version, found="not installed", at=at)
        elif real.partition("+")[0] != version.partition("+")[0]:
            yield Contrast(
                what=requirement.key,
                said=version,
                found=real,
                why="something that is installed later replaces it",
                at=at,
            )
    said_dir = image.image.workdir.value
    if isinstance(said_dir, str) and said_dir != workdir:
        yield Contrast(
            what="working directory", said=said_dir, found=workdir, at=image.image.workdir.at
        )


def _user(image: BuiltImage, name: str, uid: object) -> Iterable[Contrast]:
    said = image.image.user.value
    if not isinstance(said, str) or not isinstance(uid, int):
        return
    user = said.partition(":")[0] or "root"
    if user not in (name, str(uid)) and not (user == "root" and uid == 0):
        yield Contrast(what="user", said=user, found=f"{name} ({uid})", at=image.image.user.at)


# Paths of which the model says what stands there, or whether the user may write there


@value
class Claim:
    """What the model says of one path. ``writable`` None: it says nothing of writing."""

    path: str
    exists: bool | None = None
    size: int | None = None
    source: str = ""
    writable: bool | None = None
    at: Location | None = None


def claims_of(image: BuiltImage, deployment: Deployment) -> Iterable[Claim]:
    """What the model is sure of, of the paths that the code reads and writes."""
    sizes = {a.path: a.facts.size for a in deployment.artifacts}
    for service in deployment.services_of(image.services):
        for link in service.reads:
            seen = link.seen
            if seen.mounted or seen.answer == "unknown" or link.access.created_before:
                continue
            yield Claim(
                path=link.path,
                exists=seen.answer == "yes",
                size=sizes.get(seen.repo or "") if seen.answer == "yes" else None,
                source=seen.repo or "",
                at=seen.at or link.access.at,
            )
        if not _same_user(service, image):
            continue
        for item in service.writes:
            if item.link.seen.mounted or item.allowed == "unknown" or item.read_only:
                continue
            if item.homeless or item.link.access.created_before:
                continue
            at = item.decides.at if item.decides and item.decides.at else item.link.access.at
            yield Claim(path=item.link.path, writable=item.allowed == "yes", at=at)


def _same_user(service: Service, image: BuiltImage) -> bool:
    mine, theirs = service.user or "root", image.image.user.value or "root"
    return isinstance(mine, str) and mine == theirs


def _paths(claims: tuple[Claim, ...], found: list[Any]) -> Iterable[Contrast]:
    """The claims that do not hold in the image."""
    standing: dict[str, tuple[str, int, bool]] = {}
    for item in found:
        if isinstance(item, list) and len(item) == 4 and isinstance(item[2], int):
            standing[str(item[0])] = (str(item[1]), item[2], bool(item[3]))
    for claim in dict.fromkeys(claims):
        if claim.path not in standing:
            continue
        kind, size, writable = standing[claim.path]
        if claim.exists is not None and claim.exists != bool(kind):
            yield Contrast(
                what=claim.path,
                said=f"there, from {claim.source}" if claim.exists else "not there",
                found="there" if kind else "not there",
                at=claim.at,
            )
        elif claim.size is not None and kind == "file" and size != claim.size:
            yield Contrast(
                what=claim.path,
                said=f"{claim.size:,} bytes, from {claim.source}",
                found=f"{size:,} bytes",
                why="the build puts another file there, and what was judged is not what is loaded",
                at=claim.at,
            )
        if claim.writable is not None and claim.writable != writable:
            may = {True: "writable", False: "not writable"}
            yield Contrast(
                what=claim.path, said=may[claim.writable], found=may[writable], at=claim.at
            )


def modules_of(environment: Environment) -> Iterable[tuple[str, str]]:
    """(distribution, module to import) of every requirement whose import name is on record."""
    from auditor.linking import distributions

    for requirement in environment.requirements:
        names = distributions.modules_of(requirement.key)
        for name in names[:1]:
            if re.fullmatch(r"[A-Za-z_][\w.]*", name):
                yield requirement.key, name
