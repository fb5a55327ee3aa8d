"""Environments: what the install commands of an image bring, resolved to files of the repository."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.deployment.base import Base
from auditor.deployment.commands import Ran, fatal
from auditor.deployment.drafts import Collected, Draft, Resolver
from auditor.deployment.filtered import Filters, Listing, texts
from auditor.deployment.imagefacts import Image
from auditor.deployment.model import (
    Compiled,
    Environment,
    EnvRequirement,
    InstallStep,
    PythonClaim,
)
from auditor.deployment.prepared import Prepared, collected, python_of, target
from auditor.linking import distributions
from auditor.parsers import conda, locks, pyproject, requirements, setup_py
from auditor.parsers.commands import PipInstall, PythonRun
from auditor.parsers.requirements import Requirement, RequirementsFile
from auditor.source import Location, Problem, SourceText, Unknown
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.deployment.facts import Facts
    from auditor.parsers.shell.facts import Arg

LOCK_NAMES = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml")
# Tools of the installation that bring nothing else into the environment.
_INSTALLERS = frozenset({"pip", "setuptools", "wheel", "uv", "poetry", "pdm", "pipenv", "build"})
_SYNC_LOCKS = {
    "uv": ("uv.lock",),
    "poetry": ("poetry.lock",),
    "pdm": ("pdm.lock", "pylock.toml"),
    "pipenv": ("Pipfile.lock",),
}

# Locks that hold everything the project beside them asks for.
_PROJECT_LOCKS = ("uv", "poetry", "pdm", "pylock")


def of_image(
    *,
    key: str,
    image: Image,
    context: str,
    base: Base | None,
    commands: Sequence[tuple[Ran, Image, bool]],
    stages: Mapping[int, Image],
    facts: Facts,
    python: PythonClaim | None,
    unread: Sequence[str] = (),
) -> Environment:
    """The environment that the install commands of an image make.

    ``commands`` are (command, the stage image it runs in, whether what it installs is shipped),
    ``stages`` the other stages that the image copies from, directly or not; ``unread`` says why
    there may be installations that are not among them.
    """
    draft = Draft(because=list(unread))
    every = [ran for ran, _, _ in commands]
    prepared: Prepared[Collected] = Prepared(stages)
    filters = Filters()
    for index, (ran, stage_image, shipped) in enumerate(commands):
        fact = _by_setup(ran.what.fact)
        ends = fatal(every, index)
        resolver = Resolver(ran, stage_image, context, prepared, fatal=ends)
        if not isinstance(fact, PipInstall):
            listing, fact = filters.handed(ran)
            if fact is None:
                for written in filters.run(ran, resolver.listing(facts), resolver.glob(facts)):
                    there = resolver.where(written.path)
                    if isinstance(there, str):
                        listed = _listed(written.listing, fact, ran, facts, written.path)
                        prepared.write(ran.step.stage, there, listed)
                continue
            step = _handed(_listed(listing, fact, ran, facts, "-"), draft if shipped else Draft())
            draft.steps.append(replace(step, shipped=shipped))
            continue
        if fact.action == "uninstall":
            continue
        later = collected(fact)
        if later is not None:
            own = Draft()
            step = _step(later, ran, resolver, own, facts, python)
            place = target(fact, ran)
            if place is not None:
                begun = python_of(stage_image) if fact.action in ("wheel", "download") else None
                made = Collected(draft=own, step=step, python=begun)
                prepared.write(ran.step.stage, place, made)
            if fact.action == "wheel":
                draft.steps.append(replace(step, shipped=shipped))
                draft.problems.extend(own.problems)
            continue
        if fact.action == "lock":
            continue
        if shipped and python is not None and python.certain and not ends:
            tried = _step(fact, ran, resolver, Draft(), facts, python)
            if _fails(tried, python.version, base):
                # pip installs all of it or nothing, and the RUN goes on all the same.
                draft.steps.append(replace(tried, shipped=False))
                continue
        step = _step(fact, ran, resolver, draft if shipped else Draft(), facts, python)
        draft.steps.append(replace(step, shipped=shipped))
    return _finish(
        draft,
        name=key,
        kind="image",
        at=image.base.at,
        python=python,
        base=base,
    )


def _listed(
    listing: Listing | None, fact: PipInstall | None, ran: Ran, facts: Facts, path: str
) -> Collected:
    """What a requirements file that a filter wrote asks for."""
    own, found, files = Draft(), list[EnvRequirement](), list[str]()
    at = fact.at if fact is not None else ran.what.argv[0].at
    for source in texts(listing) if listing is not None else ():

        def read(wanted: str, source: SourceText = source) -> SourceText | None:
            return source if wanted == source.path else facts.read(wanted)

        found += _requirements(source.path, own, facts, at, files, read)
    why = () if listing is not None else (f"what the build writes into {path} is not followed",)
    step = InstallStep(
        at=at,
        fact=fact,
        requirements=tuple(found),
        files=tuple(dict.fromkeys(files)),
        unresolved=why,
        stage=ran.step.stage,
        cwd=ran.what.cwd,
        layers=ran.step.layers,
    )
    return Collected(draft=own, step=step, listing=listing)


def _handed(made: Collected, draft: Draft) -> InstallStep:
    """What ``… | xargs pip install`` brings."""
    made.into(draft)
    draft.requirements.extend(made.step.requirements)
    no_deps = made.step.fact is not None and made.step.fact.no_deps
    draft.no_deps.extend(no_deps for _ in made.step.requirements)
    draft.because.extend(made.step.unresolved)
    return made.step


def _by_setup(fact: object) -> object:
    """``python setup.py install`` as the installation that it is."""
    if not isinstance(fact, PythonRun) or fact.script is None or not fact.args:
        return fact
    if fact.script.value != "setup.py" or fact.args[0].text not in ("install", "develop"):
        return fact
    here = replace(fact.script, value=".")
    return PipInstall(
        tool="setup.py",
        action="install",
        at=fact.at,
        argv=fact.argv,
        local_paths=(here,) if fact.args[0].text == "install" else (),
        editable=(here,) if fact.args[0].text == "develop" else (),
    )


def _fails(step: InstallStep, python: str, base: Base | None) -> bool:
    """Whether pip certainly finds no file for something that the step asks for."""
    from auditor.linking import wheels

    marked = locks.marker_environment(python)
    for item in step.requirements:
        if item.fact.url or item.fact.path or item.fact.vcs or item.origin == "conda":
            continue
        if item.version is None or (item.fact.marker and not item.fact.applies(marked)):
            continue
        found = wheels.installable(
            item.key,
            item.version,
            python=python,
            libc=base.libc if base is not None else "glibc",
            glibc=base.glibc if base is not None else None,
        )
        if found.outcome in ("no-python", "no-file"):
            return True
    return False


def _unopened(arg: Arg, resolve: Resolver, facts: Facts) -> Iterator[Problem]:
    """``-r requirements.txt`` where no such file is, or not yet."""
    place = resolve.where(str(arg.value))
    if not resolve.fatal or resolve.copies_fail or "://" in str(arg.value):
        return
    if isinstance(place, Unknown):
        return
    later = resolve.too_late(place)
    if later is None and not resolve.absent(place):
        return
    parts = place.strip("/").split("/")
    tails = ("/".join(parts[start:]) for start in range(len(parts) - 1))
    if any(facts.repository.exists(tail) for tail in tails):
        return  # another directory may be the build's context
    yield Problem(
        at=arg.at,
        message=(
            f"{place} is not in the image"
            + (f" before line {later.line} copies it" if later is not None else "")
            + " (`ERROR: Could not open requirements file: [Errno 2] No such file or directory: "
            f"'{arg.value}'`)"
        ),
    )


def _left_behind(path: str, resolve: Resolver, told: str, draft: Draft) -> Iterator[Problem]:
    """Files that a requirements file includes and that were not copied along with it."""
    known = {file.path: file for file in draft.files}
    start = resolve.where(told)
    queue = [(path, start)] if isinstance(start, str) else []
    seen: set[str] = set()
    while queue:
        file, place = queue.pop()
        for include in known[file].includes if file in known else ():
            if include.path is None or include.path in seen or "$" in include.target:
                continue
            seen.add(include.path)
            there = posixpath.normpath(posixpath.join(posixpath.dirname(place), include.target))
            later = resolve.too_late(there)
            if later is not None or resolve.absent(there):
                yield Problem(
                    at=include.at,
                    message=(
                        f"{posixpath.basename(place)} includes {include.target}, and "
                        + (
                            f"only line {later.line} copies {there} into the image, after this"
                            if later is not None
                            else f"no COPY brings {there} into the image before this"
                        )
                    ),
                )
            else:
                queue.append((include.path, there))


def _step(
    fact: PipInstall,
    ran: Ran,
    resolve: Resolver,
    draft: Draft,
    facts: Facts,
    python: PythonClaim | None,
) -> InstallStep:
    found: list[EnvRequirement] = []
    files: list[str] = []
    unresolved: list[str] = []
    used_lock: locks.Lock | None = None
    known = len(draft.constraints)

    def add(items: Iterable[EnvRequirement]) -> None:
        for item in items:
            found.append(item)
            draft.requirements.append(item)
            draft.no_deps.append(fact.no_deps)

    def taken(made: Collected) -> locks.Lock | None:
        add(replace(item, step_at=fact.at) for item in made.step.requirements)
        made.into(draft)
        files.extend(made.step.files)
        unresolved.extend(made.step.unresolved)
        return made.step.lock

    for arg in fact.requirement_files:
        if not isinstance(arg.value, str):
            unresolved.append(arg.value.reason)
            continue
        if (made := resolve.prepared(arg.value)) is not None:
            used_lock = taken(made) or used_lock
            continue
        path, why = resolve(arg.value)
        if path is None:
            unresolved.append(why)
            draft.problems.extend(_unopened(arg, resolve, facts))
            continue
        draft.problems.extend(_unopened(arg, resolve, facts))
        files.append(path)
        if locks.detect(path) == "conda-lock":
            used_lock = _use_lock(path, draft, facts, python, (), (), fact.at, add)
            continue
        if fact.tool in ("conda", "mamba", "micromamba") or path.endswith((".yml", ".yaml")):
            add(_conda(path, draft, facts, fact.at))
            continue
        if locks.detect(path) == "pylock":
            used_lock = _use_lock(path, draft, facts, python, (), (), fact.at, add)
            continue
        folder, name = posixpath.split(path)
        if fact.tool == "uv" and name in ("pyproject.toml", "setup.py", "setup.cfg"):
            # uv takes a project's own file for a list of what it depends on.
            add(_project(folder, (), draft, facts, fact.at, files))
            continue
        add(_requirements(path, draft, facts, fact.at, files))
        draft.problems.extend(_left_behind(path, resolve, arg.value, draft))
        if fact.tool == "pip":
            draft.problems.extend(_half_hashed(path, facts))
    for arg in fact.constraint_files:
        if isinstance(arg.value, str):
            draft.problems.extend(_unopened(arg, resolve, facts))
            path, why = resolve(arg.value)
            if path is None:
                unresolved.append(why)
            else:
                files.append(path)
                resolved = requirements.resolve(path, facts.read)
                draft.constraints.extend(resolved.requirements)
                draft.constraints.extend(resolved.constraints)
    conda_tool = fact.tool in ("conda", "mamba", "micromamba")
    for arg in fact.requirements:
        if not isinstance(arg.value, str):
            unresolved.append(arg.value.reason)
            continue
        item = _inline(arg.value, arg.at, conda_tool)
        if item is not None:
            add(
                [
                    EnvRequirement(
                        fact=item, origin="conda" if conda_tool else "command", step_at=fact.at
                    )
                ]
            )
    for arg in (*fact.local_paths, *fact.editable):
        if not isinstance(arg.value, str):
            unresolved.append(arg.value.reason)
            continue
        text, _, bracket = arg.value.partition("[")
        if "://" in text or text.startswith("git+"):
            item = _inline(arg.value, arg.at, conda=False)
            if item is not None:
                add([EnvRequirement(fact=item, origin="command", step_at=fact.at)])
            continue
        if text.endswith((".whl", ".tar.gz", ".zip")) or "*" in text:
            made = resolve.prepared(posixpath.dirname(text) or ".") if "*" in text else None
            if made is not None:
                used_lock = taken(made) or used_lock
                draft.problems.extend(_of_another_python(made, fact, arg.at, resolve, python))
            else:
                unresolved.append(f"{text} is an archive whose requirements are not read")
            continue
        path, why = _directory(resolve, text, "pyproject.toml", "setup.py", "setup.cfg")
        if path is None:
            unresolved.append(why)
            continue
        extras = tuple(e.strip() for e in bracket.rstrip("]").split(",") if e.strip())
        # `COPY setup.py ./` before the install, and pyproject.toml only after it.
        old = resolve.copied_by_then("setup.py") and not resolve.copied_by_then("pyproject.toml")
        add(_project(path, extras, draft, facts, fact.at, files, by_setup=old))
    if fact.action == "sync" or (
        fact.tool in _SYNC_LOCKS
        and fact.action == "install"
        and not (fact.requirements or fact.requirement_files or fact.local_paths or fact.editable)
    ):
        name = "pyproject.toml" if fact.tool != "pipenv" else "Pipfile"
        directory, why = _directory(resolve, ".", name)
        if directory is None:
            unresolved.append(why)
        else:
            used_lock = _sync(
                directory, fact, resolve, draft, facts, python, add, unresolved, files
            )
    if fact.tool == "conda" and fact.action == "env-create" and not fact.requirement_files:
        path, why = resolve("environment.yml")
        if path is None:
            unresolved.append(why)
        else:
            files.append(path)
            add(_conda(path, draft, facts, fact.at))
    draft.because.extend(unresolved)
    return InstallStep(
        at=fact.at,
        fact=fact,
        requirements=tuple(found),
        constraints=tuple(draft.constraints[known:]),
        files=tuple(dict.fromkeys(files)),
        lock=used_lock,
        unresolved=tuple(unresolved),
        stage=ran.step.stage,
        cwd=ran.what.cwd,
        layers=ran.step.layers,
    )


def _of_another_python(
    made: Collected,
    fact: PipInstall,
    at: Location,
    resolve: Resolver,
    python: PythonClaim | None,
) -> Iterator[Problem]:
    """A wheel that was collected for one Python and is installed under another."""
    from auditor.linking import wheels

    if python is None or made.python is None or not resolve.fatal:
        return
    theirs, ours = made.python, ".".join(python.version.split(".")[:2])
    if theirs == ours or made.step.fact is None:
        return
    asked = [r for r in made.step.requirements if r.key]
    told = {r.key: r.fact.specifier for r in asked}
    versions: dict[str, str | None] = {r.key: r.version for r in asked}
    if not made.step.fact.no_deps:
        closure = distributions.close(
            [(r.key, r.fact.extras, r.version) for r in asked], python=theirs
        )
        versions = {name: closure.version(name) for name in closure.distributions} | versions
    for name in sorted(versions):
        if wheels.serves_one_python(name, versions[name], theirs, told.get(name, "")):
            tag = f"cp{theirs.replace('.', '')}"
            yield Problem(
                at=at,
                message=(
                    f"the wheel of `{name}` was collected for Python {theirs}, and this is Python "
                    f"{ours} (`ERROR: {name.replace('-', '_')}-…-{tag}-….whl is not a supported "
                    "wheel on this platform.`)"
                ),
            )
            return


def _directory(
    resolve: Callable[[str], tuple[str | None, str]], text: str, *names: str
) -> tuple[str | None, str]:
    """The repository's directory behind a path of the image, and why there is none.

    The directory itself may be made by WORKDIR; its files (``names``) come by COPY or mount.
    """
    path, why = resolve(text)
    for name in names if path is None else ():
        held, _ = resolve(posixpath.join(text, name))
        if held is not None:
            return posixpath.dirname(held), ""
    return path, why


def _inline(
    text: str, at: Location, conda_spec: bool = False, *, conda: bool = False
) -> Requirement | None:
    if conda_spec or conda:
        return _from_conda_text(text, at)
    item = requirements.parse_requirement(text, lambda start, end: at)
    return item if isinstance(item, Requirement) else None


def _from_conda_text(text: str, at: Location) -> Requirement | None:
    spec = conda.parse_spec(text, at)
    return None if isinstance(spec, Problem) else conda_requirement(spec)


def conda_requirement(spec: conda.CondaSpec) -> Requirement:
    """A conda match specification as a requirement (a fuzzy ``=1.2`` becomes ``==1.2.*``)."""
    specifier = spec.version
    if spec.exact:
        specifier = f"=={spec.version}"
    elif spec.fuzzy and spec.version:
        specifier = f"=={spec.version}.*"
    elif specifier and specifier[0].isdigit():
        specifier = f"=={specifier}"
    return Requirement(name=spec.name, at=spec.at, specifier=specifier)


def conda_python(spec: conda.CondaSpec | None) -> PythonClaim | None:
    """What a conda file says of the interpreter: one version, or a range."""
    if spec is None or not spec.version:
        return None
    one = spec.version.lstrip("=").rstrip(".*")
    single = bool(one) and one.replace(".", "").isdigit()
    return PythonClaim(
        version=one if single else "",
        at=spec.at,
        kind="conda",
        specifier="" if single else spec.version,
    )


def told_by_conda(environment: Environment) -> PythonClaim | None:
    """The interpreter that the environment's conda locks and files install."""
    for lock in environment.locks:
        for package in lock.packages:
            if package.manager == "conda" and package.name == "python" and package.version:
                return PythonClaim(version=package.version, at=package.at, kind="lock")
    told = [conda_python(item.python) for item in environment.conda]
    return next((claim for claim in told if claim is not None and claim.version), None)


def _own_interpreter(draft: Draft) -> bool:
    """Whether conda installs the interpreter along with the packages."""
    return any(item.python is not None for item in draft.conda) or any(
        package.manager == "conda" and package.name == "python"
        for lock in draft.locks
        for package in lock.packages
    )


def _half_hashed(path: str, facts: Facts) -> Iterator[Problem]:
    """Some requirements have hashes: pip then wants one of each."""
    listed = requirements.resolve(path, facts.read).requirements
    if not any(item.hash_options for item in listed):
        return
    bare = next((item for item in listed if not item.hashes and not item.path), None)
    if bare is not None:
        yield Problem(
            at=bare.at,
            message=(
                f"other requirements have hashes, and `{bare.name}` has none (`Hashes are required in "
                "--require-hashes mode, but they are missing from some requirements`)"
            ),
        )


def _requirements(
    path: str,
    draft: Draft,
    facts: Facts,
    at: Location,
    files: list[str],
    read: Callable[[str], SourceText | None] | None = None,
) -> list[EnvRequirement]:
    resolved = requirements.resolve(path, read or facts.read)
    draft.files.extend(resolved.files)
    draft.problems.extend(resolved.problems)
    for problem in resolved.problems:
        if problem.beyond:
            facts.note((problem,))
            draft.because.append(f"{problem.at.path} {problem.message}")
    draft.constraints.extend(resolved.constraints)
    files.extend(f.path for f in resolved.files)
    compiled = {f.path for f in resolved.files if f.compiled_by is not None}
    draft.compiled.extend(_compiled(resolved.files, facts))
    return [
        EnvRequirement(fact=item, origin="file", step_at=at, compiled=item.at.path in compiled)
        for item in resolved.requirements
    ]


def _pipfile(path: str, facts: Facts, fact: PipInstall) -> Iterator[EnvRequirement]:
    """What a Pipfile without a lock asks for."""
    import tomllib

    source = facts.read(path)
    try:
        table = tomllib.loads(source.text) if source is not None else {}
    except tomllib.TOMLDecodeError:
        table = {}
    sections = ["packages", *(["dev-packages"] if fact.dev else [])]
    for section in sections:
        for name, told in table.get(section, {}).items():
            rest = told if isinstance(told, str) else told.get("version", "*")
            extras = told.get("extras", ()) if isinstance(told, dict) else ()
            bracket = f"[{','.join(extras)}]" if extras else ""
            wanted = f"{name}{bracket}{'' if rest == '*' else rest}"
            item = _inline(wanted, fact.at)
            if item is not None:
                yield EnvRequirement(fact=item, origin="pipfile", step_at=fact.at)


def _compiled(files: Iterable[RequirementsFile], facts: Facts) -> Iterator[Compiled]:
    """The files that pip-compile wrote, where all that they were compiled from can be read."""
    for file in files:
        by = file.compiled_by
        if by is None or not by.certain or by.tool not in ("pip-compile", "uv pip compile"):
            continue
        asked: list[Requirement] = []
        for source in by.sources:
            found = _asked_in(source, file.path, facts)
            if found is None:
                break
            asked += found
        else:
            if asked:
                yield Compiled(lock=locks.from_requirements(file), asked=tuple(asked))


def _asked_in(source: str, compiled: str, facts: Facts) -> tuple[Requirement, ...] | None:
    """What a source of a compiled file asks for; None where it is not found or not wholly read.

    The command stood in the file's own directory or in one above.
    """
    folder = posixpath.dirname(compiled)
    while True:
        path = posixpath.normpath(posixpath.join(folder, source))
        if facts.read(path) is not None:
            break
        if not folder:
            return None
        folder = posixpath.dirname(folder)
    if path.endswith(".toml"):
        project = facts.pyproject(path)
        readable = project is not None and not project.problems and not project.dynamic
        return project.dependencies if project is not None and readable else None
    if not path.endswith((".in", ".txt")):
        return None
    resolved = requirements.resolve(path, facts.read)
    return resolved.requirements if not resolved.problems else None


def _conda(path: str, draft: Draft, facts: Facts, at: Location) -> list[EnvRequirement]:
    environment = facts.conda(path)
    if environment is None:
        draft.because.append(f"{path} could not be read")
        return []
    draft.conda.append(environment)
    items = [
        EnvRequirement(fact=conda_requirement(spec), origin="conda", step_at=at)
        for spec in environment.dependencies
        if spec.name not in ("python", "pip")
    ]
    items += [EnvRequirement(fact=r, origin="conda", step_at=at) for r in environment.pip]
    for include in environment.pip_includes:
        if include.path is not None:
            items += _requirements(include.path, draft, facts, at, [])
    return items


def _project(
    path: str,
    extras: tuple[str, ...],
    draft: Draft,
    facts: Facts,
    at: Location,
    files: list[str],
    *,
    by_setup: bool = False,
) -> list[EnvRequirement]:
    """What ``pip install <directory>`` brings: the project's own dependencies."""
    project = facts.pyproject(posixpath.join(path, "pyproject.toml"))
    if (
        project is not None
        and not by_setup
        and (project.has_project or project.manager == "poetry")
    ):
        files.append(project.path)
        draft.pyproject = draft.pyproject or project
        items = list(project.dependencies)
        for extra in extras:
            group = project.group(extra)
            items += group.requirements if group else ()
        if "dependencies" in project.dynamic:
            for declared in project.dynamic_files:
                target = posixpath.normpath(posixpath.join(path, declared.value))
                items += [r.fact for r in _requirements(target, draft, facts, at, files)]
        return [EnvRequirement(fact=item, origin="pyproject", step_at=at) for item in items]
    for name, read in (
        ("setup.cfg", setup_py.parse_setup_cfg),
        ("setup.py", setup_py.parse_setup_py),
    ):
        source = facts.read(posixpath.normpath(posixpath.join(path, name)))
        if source is None:
            continue
        setup = read(source)
        if isinstance(setup.dependencies, Unknown):
            for declared in setup.reads:
                target = posixpath.normpath(posixpath.join(path, declared.value))
                if facts.read(target) is not None:
                    return _requirements(target, draft, facts, at, files)
            draft.because.append(setup.dependencies.reason)
        elif setup.dependencies:
            files.append(setup.path)
            return [
                EnvRequirement(fact=item, origin="setup", step_at=at) for item in setup.dependencies
            ]
    return []


def _use_lock(
    path: str,
    draft: Draft,
    facts: Facts,
    python: PythonClaim | None,
    groups: tuple[str, ...],
    extras: tuple[str, ...],
    at: Location,
    add: Callable[[Iterable[EnvRequirement]], None],
) -> locks.Lock | None:
    lock = facts.lock(path)
    if lock is None:
        return None
    draft.locks.append(lock)
    version = python.version if python else (lock.python or "3.11")
    project = facts.pyproject(posixpath.join(posixpath.dirname(path), "pyproject.toml"))
    roots = None
    if lock.kind == "poetry" and project is not None:
        # A lock of Poetry 1 does not say which of its packages the project itself asks for.
        asked = [project.group(name) for name in (*groups, *extras)]
        roots = [*project.dependencies, *(r for g in asked if g for r in g.requirements)]
    selection = lock.select(version, groups=groups, extras=extras, roots=roots)
    add(
        EnvRequirement(
            fact=Requirement(
                name=package.name,
                at=package.at,
                specifier=f"=={package.version}" if package.version else "",
                hashes=package.hashes,
            ),
            origin="conda" if package.manager == "conda" else "lock",
            locked_version=package.version,
            compiled=True,
            step_at=at,
        )
        for package in selection.packages
        if package.source.kind not in ("virtual", "editable")
        and not (package.manager == "conda" and package.name in ("python", "pip"))
    )
    return lock


def _sync(
    directory: str,
    fact: PipInstall,
    resolve: Callable[[str], tuple[str | None, str]],
    draft: Draft,
    facts: Facts,
    python: PythonClaim | None,
    add: Callable[[Iterable[EnvRequirement]], None],
    unresolved: list[str],
    files: list[str],
) -> locks.Lock | None:
    """``uv sync``, ``poetry install``, ``pdm sync``, ``pipenv install``: the project's lock."""
    groups = tuple(g for g in (*fact.groups, *fact.only_groups) if isinstance(g, str))
    extras = tuple(e for e in fact.extras if isinstance(e, str))
    for name in _SYNC_LOCKS.get(fact.tool, ()):
        path, _ = resolve(name)
        if path is not None and facts.read(path) is not None:
            files.append(path)
            project = facts.pyproject(
                posixpath.normpath(posixpath.join(directory, "pyproject.toml"))
            )
            draft.pyproject = draft.pyproject or project
            wanted = groups
            if project is not None and fact.dev is not False and not fact.only_groups:
                wanted += _default_groups(project, fact.tool)
            return _use_lock(path, draft, facts, python, wanted, extras, fact.at, add)
    path, why = resolve("pyproject.toml" if fact.tool != "pipenv" else "Pipfile")
    if path is None:
        unresolved.append(why)
        return None
    files.append(path)
    if fact.tool == "pipenv":
        add(_pipfile(path, facts, fact))
        return None
    add(_project(posixpath.dirname(path), extras, draft, facts, fact.at, files))
    project = facts.pyproject(posixpath.normpath(path))
    add(_groups(project, fact) if project is not None else ())
    return None


def _default_groups(project: pyproject.PyprojectFacts, tool: str) -> tuple[str, ...]:
    """The groups that a tool installs unless it is told not to; uv's is ``dev``, settings or not."""
    names = [g.name for g in project.groups if g.kind == "group" and g.default]
    if tool == "uv" and "uv" not in project.tools and project.group("dev", "group"):
        names.append("dev")
    return tuple(names)


def _groups(project: pyproject.PyprojectFacts, fact: PipInstall) -> Iterator[EnvRequirement]:
    """What the dependency groups of a project without a lock bring: the default ones, and those named."""
    named = {g for g in (*fact.groups, *fact.only_groups) if isinstance(g, str)}
    defaults = _default_groups(project, fact.tool)
    for group in project.groups:
        if group.kind != "group" or (fact.only_groups and group.name not in named):
            continue
        default = group.name in defaults and fact.dev is not False
        if group.name in named or (default and not group.optional):
            for item in group.requirements:
                yield EnvRequirement(fact=item, origin="pyproject", step_at=fact.at)


def of_project(
    *,
    name: str,
    at: Location,
    files: Sequence[str],
    facts: Facts,
    python: PythonClaim | None,
) -> Environment:
    """The environment that a repository without an image declares in ``files``."""
    draft = Draft()
    used: list[str] = []
    # Where a project is locked, the lock is what its tool installs.
    held = {
        posixpath.dirname(path): path
        for path in files
        if locks.detect(path) in _PROJECT_LOCKS
        and posixpath.join(posixpath.dirname(path), "pyproject.toml") in files
        and facts.lock(path) is not None
    }
    for path in files:
        kind = locks.detect(path)
        if path.endswith("pyproject.toml") and posixpath.dirname(path) in held:
            draft.pyproject = draft.pyproject or facts.pyproject(path)
            items: list[EnvRequirement] = []
            lock_path = held[posixpath.dirname(path)]
            _use_lock(lock_path, draft, facts, python, (), (), at, items.extend)
        elif path in held.values():
            continue
        elif path.endswith("pyproject.toml"):
            items = _project(posixpath.dirname(path), (), draft, facts, at, used)
        elif path.endswith((".yml", ".yaml")) and kind is None:
            items = _conda(path, draft, facts, at)
        elif path.endswith("setup.py"):
            items = _project(posixpath.dirname(path), (), draft, facts, at, used)
        elif kind is not None and kind != "pip-compile":
            lock = facts.lock(path)
            if lock is not None:
                draft.locks.append(lock)
            continue
        else:
            items = _requirements(path, draft, facts, at, used)
        draft.requirements.extend(items)
        draft.no_deps.extend(False for _ in items)
    kind_name = "conda" if draft.conda else "project"
    return _finish(draft, name=name, kind=kind_name, at=at, python=python, base=None)


def _finish(
    draft: Draft,
    *,
    name: str,
    kind: str,
    at: Location,
    python: PythonClaim | None,
    base: Base | None,
) -> Environment:
    marker_python = python.version if python else None
    pinned = {c.key: c.pinned_version for c in draft.constraints if c.pinned_version}
    lock_versions: dict[str, str | None] = {}
    for lock in draft.locks:
        if marker_python or lock.python:
            selected = lock.select(marker_python or str(lock.python))
            lock_versions.update(selected.versions)
        else:
            lock_versions.update({p.name: p.version for p in lock.packages})
    environment = locks.marker_environment(marker_python) if marker_python else None
    kept: list[EnvRequirement] = []
    flags: list[bool] = []
    for item, no_deps in zip(draft.requirements, draft.no_deps, strict=True):
        if environment is not None and item.fact.marker and item.fact.applies(environment) is False:
            continue
        version = item.locked_version or pinned.get(item.key)
        if version is None and item.fact.pinned_version is None:
            version = lock_versions.get(item.key)
        kept.append(replace(item, locked_version=version))
        flags.append(no_deps)

    roots = [(r.key, r.fact.extras, r.version) for r in kept if r.key]
    sources = [
        distributions.of_repository(r.fact.vcs.url) for r in kept if r.fact.vcs and not r.key
    ]
    roots += [(name, (), None) for name in sources if name]
    anonymous = [r for r in kept if not r.key]
    because = list(dict.fromkeys(draft.because))
    because += [f"{r.fact.url or r.fact.path} names no distribution" for r in anonymous]
    extra: tuple[str, ...] = ()
    if base is not None and base.official_python:
        extra = ("pip", "setuptools", "wheel") if base.has_setuptools else ("pip",)
    elif base is not None and base.flavour != "miniconda" and _own_interpreter(draft):
        # What the image has besides belongs to another interpreter, if there is one.
        extra = ("pip", "setuptools", "wheel")
    elif base is not None and base.text != "scratch" and kind == "image":
        because.append(f"what {base.text} brings is not known")
    asked = [r for r in kept if r.origin != "command" or r.key not in _INSTALLERS]
    closed_by_lock = bool(draft.locks) and bool(asked) and all(r.origin == "lock" for r in asked)
    compiled = bool(asked) and all(r.compiled for r in asked)
    # With hashes pip refuses whatever the file does not list.
    hashed = bool(asked) and all(r.fact.hashes for r in asked if not r.fact.vcs)
    compiled = compiled or hashed
    # A conda lock beside the environment file it was made from holds all that the file brings.
    conda_locks = [lock for lock in draft.locks if lock.kind == "conda-lock"]
    held = kind == "conda" and bool(conda_locks) and bool(asked)
    held = held and all(r.key in lock_versions or r.fact.vcs is not None for r in asked)
    closed = (closed_by_lock or compiled or (bool(flags) and all(flags))) and not because
    installed = distributions.close(
        roots,
        python=marker_python,
        complete=not because,
        reason="; ".join(because[:2]),
        closed=closed,
        extra=extra,
        constraints=pinned,
        specifiers={r.key: r.fact.specifier for r in kept if r.key and not r.version},
    )
    direct = {name for name, _, _ in roots}
    everything_pinned = bool(kept) and all(r.version or r.fact.vcs for r in asked)
    frozen = (
        everything_pinned
        and not installed.unknown
        and all(
            name in direct or name in pinned or name in extra for name in installed.distributions
        )
    )
    return Environment(
        name=name,
        kind=kind,  # type: ignore[arg-type]
        at=at,
        python=python,
        steps=tuple(draft.steps),
        requirements=tuple(kept),
        constraints=tuple(draft.constraints),
        locks=tuple(draft.locks),
        compiled=tuple(dict.fromkeys(draft.compiled)),
        files=tuple({f.path: f for f in draft.files}.values()),
        pyproject=draft.pyproject,
        conda=tuple(draft.conda),
        base=base,
        complete=not because,
        incomplete_because=tuple(because),
        locked=bool(kept)
        and (closed_by_lock or held or (compiled and everything_pinned) or frozen),
        hashed=hashed or (held and all(lock.hashed for lock in conda_locks)),
        installed=installed,
        problems=tuple(dict.fromkeys(draft.problems)),
    )
