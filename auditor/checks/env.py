"""ENV: is the environment that runs in production the one that was tested."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.catalog import Rule
from auditor.checks.environment import BUILD_TOOLS, held_by_conda_lock, install_end, shipped
from auditor.checks.registry import Outcome, check
from auditor.deployment.model import Deployment, Environment
from auditor.findings import Confidence, Related, Severity
from auditor.parsers.requirements import normalise
from auditor.source import Location

_DEV_TOOLS = frozenset(
    {"pytest", "pytest-cov", "pytest-asyncio", "black", "flake8", "isort", "mypy", "pylint", "ruff", "pre-commit",
     "tox", "nox", "coverage", "ipdb", "jupyter", "jupyterlab", "notebook", "sphinx", "mkdocs", "hypothesis",
     "autopep8", "yapf", "bandit"}
)  # fmt: skip
_DEV_FILE = re.compile(r"(^|[-_./])(dev|develop|development|test|tests|testing|lint)([-_.]|$)")
# Vendors of accelerators and frameworks that run an index for their own wheels only.
_VENDORS = (
    "pytorch.org", "nvidia.com", "pyg.org", "googleapis.com/jax-releases", "vllm.ai", "intel.com",
    "openmmlab.com",
)  # fmt: skip


@check("ENV001")
def unpinned_requirement(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A requirement of an application that leaves its version open."""
    if environment.is_library:
        return
    settled = {item.key for item in environment.requirements if item.version is not None}
    refused = {(problem.at.path, problem.at.line) for problem in environment.problems}
    for item in shipped(environment):
        if item.origin != "file" or item.fact.vcs or item.fact.url or item.fact.path:
            continue
        if (item.fact.at.path, item.fact.at.line) in refused:
            # pip does not get as far as choosing a version (ENV019).
            continue
        # Another line of the same installation may pin it (a range beside a pin is a floor).
        if item.key in settled:
            yield rule.passed()
            continue
        name = item.fact.name
        what = f"`{name}{item.fact.specifier}`" if item.fact.specifier else f"`{name}`"
        yield rule.finding(
            item.fact.at,
            f"{what} is not pinned: the next build may install another version than the one tested",
            help=f"Pin it (`{name}==<version>`), or compile this file with `pip-compile` and install the result.",
            evidence={"requirement": name, "specifier": item.fact.specifier},
            related=install_end(item),
        )


@check("ENV004")
def floating_vcs(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """A VCS or URL requirement that does not name one commit or content."""
    for item in environment.requirements:
        fact = item.fact
        if item.origin == "lock":
            continue
        if fact.vcs is not None:
            if fact.vcs.is_commit:
                yield rule.passed()
                continue
            where = f"the tag or branch `{fact.vcs.rev}`" if fact.vcs.rev else "the default branch"
            yield rule.finding(
                fact.at,
                f"`{fact.name or fact.vcs.url}` is installed from {where}, which can move",
                help="Name the full commit: `git+https://…@<40-digit commit>`.",
                related=install_end(item),
            )
        elif fact.url is not None and "://" in fact.url and not fact.url.startswith("file:"):
            if fact.hashes or "#sha256=" in fact.url:
                yield rule.passed()
                continue
            yield rule.finding(
                fact.at,
                f"`{fact.name or fact.url}` is installed from a URL without a hash",
                help="Add `--hash=sha256:…` (or `#sha256=…` to the URL).",
                severity=Severity.LOW,
                related=install_end(item),
            )


# Variables by which pip takes options.
_PIP_SETTINGS = {
    "PIP_INDEX_URL": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "PIP_FIND_LINKS": "--find-links",
    "PIP_TRUSTED_HOST": "--trusted-host",
}


def _by_variable(
    environment: Environment, deployment: Deployment
) -> Iterator[tuple[str, str, Location]]:
    """Options that ENV gives to every pip of the image."""
    if not any(step.fact is not None and step.fact.tool == "pip" for step in environment.steps):
        return
    for image in deployment.images:
        for variable in image.image.env if image.environment is environment else ():
            option = _PIP_SETTINGS.get(variable.name)
            if option is not None and isinstance(variable.value, str) and variable.at is not None:
                for word in variable.value.split():
                    yield option, word, variable.at


@check("ENV005")
def insecure_index(
    environment: Environment, rule: Rule, deployment: Deployment
) -> Iterator[Outcome]:
    """Indexes over plain HTTP, trusted hosts, and additional indexes that can be squatted."""
    options = list(_by_variable(environment, deployment))
    for file in environment.files:
        options += [(o.name, o.value or "", o.at) for o in file.options]
    for step in environment.steps:
        if step.fact is None:
            continue
        for option in step.fact.index_urls:
            name = option.name if option.name.startswith("--") else f"--{option.name}"
            options.append((name, option.value if isinstance(option.value, str) else "", option.at))
        options += [("--trusted-host", arg.text, arg.at) for arg in step.fact.trusted_hosts]
    for name, value, at in options:
        plain = value.startswith("http://") and not value.startswith(
            ("http://localhost", "http://127.0.0.1")
        )
        if name in ("--index-url", "-i", "--extra-index-url", "--find-links", "-f") and plain:
            yield rule.finding(
                at,
                f"`{name} {_shown(value)}` is plain HTTP: anyone on the way can replace a package",
                help="Use https.",
                severity=Severity.HIGH,
            )
        elif name == "--trusted-host":
            yield rule.finding(
                at,
                f"`--trusted-host {_shown(value)}` switches certificate checks off for that host",
                help="Give pip the certificate instead (`--cert`, or `PIP_CERT`).",
            )
        elif name == "--extra-index-url":
            vendor = any(host in value for host in _VENDORS)
            if vendor:
                yield rule.passed()
                continue
            yield rule.finding(
                at,
                f"`--extra-index-url {_shown(value)}` is searched beside the main index: the higher "
                "version wins, whoever uploaded it (dependency confusion)",
                help="Serve everything from one index (`--index-url`), or pin with hashes.",
                confidence=Confidence.POSSIBLE if environment.hashed else None,
                severity=Severity.LOW if environment.hashed else None,
            )


def _shown(url: str) -> str:
    """A URL without the credentials it may carry."""
    return re.sub(r"//[^/@]*@", "//***@", url)


@check("ENV010")
def unpinned_conda(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Conda dependencies without a version, or a pip section without pins."""
    held = held_by_conda_lock(environment)
    for conda in environment.conda:
        if conda.explicit:
            yield rule.passed()
            continue
        for spec in conda.dependencies:
            if spec.name == "pip":
                continue
            pinned = spec.exact or spec.fuzzy or spec.version.startswith("=")
            if pinned or normalise(spec.name) in held:
                yield rule.passed()
                continue
            yield rule.finding(
                spec.at,
                f"`{spec.name}{spec.version}` leaves its version open: the solver may choose another one "
                "at the next build",
                help=f"Pin it (`{spec.name}=<version>`), or lock with conda-lock.",
            )
        for requirement in conda.pip:
            named = requirement.vcs or requirement.url or requirement.path
            if requirement.is_pinned or named or requirement.key in held:
                yield rule.passed()
                continue
            yield rule.finding(
                requirement.at,
                f"`{requirement.name}{requirement.specifier}` in the pip section is not pinned",
                help=f"Pin it (`{requirement.name}==<version>`).",
            )


@check("ENV012")
def unpinned_install(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """``pip install name`` in a Dockerfile without a version."""
    for step in environment.steps:
        if step.fact is None or not step.shipped:
            continue
        for item in step.requirements:
            if item.origin != "command" or item.key in BUILD_TOOLS:
                continue
            if item.fact.vcs or item.fact.url or item.fact.path:
                continue
            if item.version is not None:
                yield rule.passed()
                continue
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name}{item.fact.specifier}` is installed without "
                + ("an exact" if item.fact.specifier else "a")
                + " version: the image built next month is another one",
                help="Pin it here, or move it to the requirements file.",
            )


@check("ENV013")
def development_dependency(environment: Environment, rule: Rule) -> Iterator[Outcome]:
    """Test and development tools in the image that is shipped."""
    if environment.kind != "image":
        return
    reported: set[str] = set()
    for item in shipped(environment):
        if item.origin == "lock":
            continue
        path = item.fact.at.path
        if _DEV_FILE.search(posixpath.basename(path).lower()) and item.origin == "file":
            if path not in reported:
                reported.add(path)
                yield rule.finding(
                    item.step_at or item.fact.at,
                    f"{path} is for development, and the production image installs it",
                    related=[Related(Location(path), "this file")],
                )
        elif item.key in _DEV_TOOLS:
            yield rule.finding(
                item.fact.at,
                f"`{item.fact.name}` is a development tool; the production image does not need it",
                related=install_end(item),
            )
        else:
            yield rule.passed()
