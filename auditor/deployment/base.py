"""What a base image's reference tells: distribution, release, interpreter, tools.

A reference is ``[registry/]repository[:tag][@digest]``. Facts come from
``rules/knowledge/bases.toml``; what the name does not tell is None.
"""

from __future__ import annotations

import datetime
from functools import lru_cache
from typing import Any

from auditor.catalog import knowledge
from auditor.values import value

# Registries that serve the official images under their own names.
_MIRRORS = (
    "docker.io/", "index.docker.io/", "registry.hub.docker.com/",
    "public.ecr.aws/docker/", "mirror.gcr.io/", "amd64/",
)  # fmt: skip
# Repositories of the Red Hat family: packages are asked of dnf, by what they have.
_RPM = ("ubi", "fedora", "rockylinux", "almalinux", "centos", "oraclelinux", "amazonlinux")


@value
class ImageReference:
    """A parsed image reference; ``repository`` keeps its registry unless that is the default."""

    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Split a reference; never fails (a malformed one is all repository)."""
        rest, _, digest = text.partition("@")
        head, slash, last = rest.rpartition("/")
        name, _, tag = last.partition(":")
        repository = f"{head}{slash}{name}"
        for prefix in _MIRRORS:
            repository = repository.removeprefix(prefix)
        repository = repository.removeprefix("library/")
        return cls(repository=repository, tag=tag or None, digest=digest or None)


@value
class Base:
    """What is known of a base image.

    ``python`` is ``X.Y`` or ``X.Y.Z``; ``python_certain`` is False when the tag moves
    (``python:3-slim``). ``distro`` is ``debian``, ``ubuntu``, ``alpine`` or ``rpm`` (the
    Red Hat family); ``release`` its suite. ``release_pinned`` tells whether the tag itself names the release.
    ``flavour`` is ``full``, ``slim``, ``alpine``, ``miniconda``, ``distroless`` … or None.
    """

    reference: ImageReference
    text: str
    python: str | None = None
    python_certain: bool = True
    distro: str | None = None
    release: str | None = None
    release_pinned: bool = True
    flavour: str | None = None
    tag_pinned: bool = True
    official_python: bool = False

    @property
    def libc(self) -> str | None:
        """``musl`` or ``glibc``, None when unknown."""
        if self.distro == "alpine":
            return "musl"
        return "glibc" if self.distro else None

    @property
    def glibc(self) -> str | None:
        """The release's glibc version, None when unknown."""
        table = _table()
        row = table.get(self.distro or "", {}).get(self.release or "")
        return str(row["glibc"]) if row and "glibc" in row else None

    @property
    def packaged_python(self) -> str | None:
        """The Python of the release's own package, on an image that comes without another."""
        if self.python or self.flavour not in ("debian", "ubuntu", "alpine"):
            return None
        release = self.release or ""
        if self.distro == "alpine":
            release = ".".join(release.split(".")[:2])
        row = _table().get(self.distro or "", {}).get(release)
        return str(row["python"]) if row else None

    @property
    def archived(self) -> str | None:
        """The release, where the mirrors that its images name have it no more."""
        gone = _table()["archived"].get(self.distro or "", ())
        named = (self.reference.tag or "").partition("-")[0]
        return next((r for r in (self.release, named) if r in gone), None)

    def release_moves(self, today: datetime.date) -> bool:
        """Whether a rebuild of the tag may stand on another release of the distribution.

        Only tags of an official image that is still rebuilt do: not a digest, a full version
        (which stays where its successor found it), or an interpreter that has had its last.
        """
        if self.release_pinned or self.reference.digest or not self.official_python:
            return False
        version = self.python or ""
        last = _table()["eol"].get(version)
        return (
            version.count(".") == 1
            and version not in _table()["official"]["frozen_suite"]
            and (last is None or today <= last)
        )

    @property
    def has_setuptools(self) -> bool | None:
        """Whether the interpreter comes with setuptools; None when unknown."""
        if not self.official_python or not self.python:
            return None
        return minor(self.python) < minor(_table()["official"]["no_setuptools_from"])

    @property
    def setuptools(self) -> str | None:
        """The release of setuptools that the interpreter comes with; None: none, or unknown."""
        if not self.has_setuptools or self.python is None:
            return None
        facts = _table()["official"]
        major, small, *patch = self.python.split(".")
        since = facts["setuptools_since"]
        # A tag without a patch release stands for the last one.
        first = since.get(f"{major}.{small}")
        if first is not None and (not patch or int(_leading_version(patch[0]) or 0) >= first):
            return str(since["release"])
        release: str | None = facts["setuptools"].get(f"{major}.{small}")
        return release

    @property
    def packages(self) -> frozenset[str]:
        """Packages of this image beside those that all of its flavour have."""
        if self.flavour != "slim" or not self.official_python or not self.python:
            return frozenset()
        old = minor(self.python) <= minor(_table()["official"]["last_with_expat"])
        return frozenset({"libexpat1"} if old else ())

    def has_program(self, program: str) -> bool | None:
        """Whether the base ships the program; None when the base is not known well enough."""
        if self.flavour is None:
            return None
        if program in essential_programs() and self.flavour != "distroless":
            return True
        if self.flavour in _OF_DEBIAN and program in _debian_programs():
            return True
        if self.official_python and program.startswith(("python", "pip", "pydoc", "idle")):
            version = program.removeprefix("python").removeprefix("pip")
            if version in ("", "3") or (self.python or "").startswith(version):
                return True
        listed = _table()["programs"].get(self.flavour)
        if listed is None:
            return None
        return program in listed


def lacks(reference: str, program: str) -> bool:
    """Whether an image of another maker is known to come without that program."""
    repository = ImageReference.parse(reference).repository
    row = _table()["images"].get("/".join(repository.split("/")[-2:]))
    return row is not None and program in row["lacks"]


# Made of Debian's essential packages, or of Ubuntu's, which are the same.
_OF_DEBIAN = frozenset({"slim", "full", "debian", "ubuntu", "miniconda"})


@lru_cache(maxsize=1)
def _debian_programs() -> frozenset[str]:
    return frozenset(knowledge("minbase.json")["programs"])


@lru_cache(maxsize=1)
def essential_programs() -> frozenset[str]:
    """Programs that every Debian, Ubuntu and Alpine image has."""
    return frozenset(_table()["programs"]["essential"])


@lru_cache(maxsize=1)
def system_programs() -> frozenset[str]:
    """Programs that come with distribution packages, never with Python distributions."""
    table = _table()["programs"]
    return frozenset(table["full"]) | frozenset(table["system"])


def _table() -> dict[str, Any]:
    table: dict[str, Any] = knowledge("bases.toml")
    return table


def minor(version: str) -> tuple[int, int]:
    """``3.11.7`` → (3, 11); a missing minor counts as 0."""
    parts = [int("".join(c for c in p if c.isdigit()) or 0) for p in version.split(".")[:2]]
    return (parts[0], parts[1] if len(parts) > 1 else 0)


def _leading_version(text: str) -> str:
    digits: list[str] = []
    for character in text:
        if character.isdigit() or (character == "." and digits and digits[-1] != "."):
            digits.append(character)
        else:
            break
    return "".join(digits).strip(".")


def _python_in(text: str) -> str | None:
    """A ``python3.9``, ``py310`` or ``python3-9`` marker anywhere in a tag or name."""
    lowered = text.lower()
    for marker in ("python-", "python", "py"):
        start = 0
        while (index := lowered.find(marker, start)) >= 0:
            start = index + len(marker)
            rest = lowered[start:]
            version = _leading_version(rest)
            if version.startswith(("2.", "3.")):
                return version
            if version.isdigit() and version[0] in "23" and 2 <= len(version) <= 3:
                return f"{version[0]}.{version[1:]}"
    return None


@lru_cache(maxsize=256)
def describe(text: str) -> Base:
    """What the reference tells. Unknown images come back with None fields."""
    reference = ImageReference.parse(text)
    table = _table()
    tag = reference.tag or ""
    name = reference.repository.rpartition("/")[2].lower()
    parts = [p for p in tag.lower().replace("_", "-").split("-") if p]
    floating = reference.digest is None and (tag in ("", "latest", "stable", "slim", "alpine"))

    distro, release = _distro(parts, table)
    if reference.repository == "python":
        return _official(text, reference, parts, distro, release, table)
    flavour: str | None = None
    python: str | None = _python_in(tag) or _python_in(name)
    if name in ("debian", "buildpack-deps"):
        distro = "debian"
        release = release or _by_version(parts, table["debian"]) or None
        flavour = "full" if name == "buildpack-deps" else "debian"
        if floating and release is None:
            release = table["official"]["default_suite"]
    elif name == "ubuntu":
        distro = "ubuntu"
        release = release or (parts[0] if parts and parts[0] in table["ubuntu"] else None)
        flavour = "ubuntu"
    elif name == "alpine":
        distro, flavour = "alpine", "alpine"
        release = release or (_leading_version(parts[0]) if parts else None)
    elif name.startswith(("miniconda", "anaconda", "mambaforge", "miniforge", "micromamba")):
        flavour = (
            "miniconda"
            if name.startswith(("miniconda", "anaconda", "miniforge", "mambaforge"))
            else None
        )
    elif "distroless" in reference.repository:
        distro, flavour = "debian", "distroless"
        for suite, row in table["debian"].items():
            if f"debian{row['version']}" in text:
                release = suite
    elif name == "uv" and reference.repository.endswith("astral-sh/uv"):
        # Without a distribution in its tag it is nothing but the program.
        if python is not None or {"debian", "alpine"} & set(parts) or distro is not None:
            distro = distro or "debian"
            with_python = python is not None
            flavour = (
                "alpine" if distro == "alpine"
                else ("slim" if "slim" in parts else "full") if with_python
                else "debian" if "slim" in parts else "full"
            )  # fmt: skip
            if distro == "debian" and release is None:
                release = table["official"]["default_suite"]
                return Base(
                    reference=reference, text=text, python=python, distro=distro, release=release,
                    python_certain=python is not None and "." in python, release_pinned=False,
                    flavour=flavour, tag_pinned=not floating,
                )  # fmt: skip
        else:
            flavour = "distroless"
    elif name == "cuda":
        for version in table["ubuntu"]:
            if f"ubuntu{version}" in tag:
                distro, release, flavour = "ubuntu", version, "ubuntu"
    elif name == "scratch" and not tag:
        flavour = "distroless"
    if distro is None and _of_red_hat(reference.repository, tag):
        distro = "rpm"
    return Base(
        reference=reference,
        text=text,
        python=python,
        python_certain=python is not None and "." in python,
        distro=distro,
        release=release,
        release_pinned=release is not None,
        flavour=flavour,
        tag_pinned=not floating,
    )


def _of_red_hat(repository: str, tag: str) -> bool:
    parts = repository.split("/")
    return (
        any(part.startswith(_RPM) for part in parts)
        or any(f"-{family}" in tag for family in _RPM)
        or repository.startswith("public.ecr.aws/lambda/")
    )


def _by_version(parts: list[str], suites: dict[str, Any]) -> str | None:
    for part in parts:
        number = _leading_version(part).partition(".")[0]
        for suite, row in suites.items():
            if number and number == row["version"]:
                return suite
    return None


def _distro(parts: list[str], table: dict[str, Any]) -> tuple[str | None, str | None]:
    for part, following in zip(parts, [*parts[1:], ""], strict=False):
        if part in table["debian"]:
            return "debian", part
        # debian12, debian-12
        if part.startswith("debian") and (number := part[6:] or following).isdigit():
            suites = (s for s, row in table["debian"].items() if row["version"] == number)
            if (suite := next(suites, None)) is not None:
                return "debian", suite
        for version, row in table["ubuntu"].items():
            if part in (row["name"], f"ubuntu{version}"):
                return "ubuntu", version
        if part.startswith("alpine"):
            return "alpine", part.removeprefix("alpine") or None
    return None, None


def _default_suite(python: str, *, full: bool, facts: dict[str, Any]) -> str:
    """The suite that a tag without a release stands on."""
    short = ".".join(python.split(".")[:2])
    if full:
        patch = _leading_version(python.split(".")[2])
        for suite in ("trixie", "bookworm", "bullseye", "buster"):
            first = facts["first_on_suite"][suite].get(short)
            if first is not None and patch and int(patch) >= first:
                return suite
        return "stretch"
    frozen: str | None = facts["frozen_suite"].get(short)
    return frozen or str(facts["default_suite"])


def _official(
    text: str,
    reference: ImageReference,
    parts: list[str],
    distro: str | None,
    release: str | None,
    table: dict[str, Any],
) -> Base:
    facts = table["official"]
    version = _leading_version(parts[0]) if parts else ""
    dots = version.count(".")
    certain = dots >= 1
    python = version if certain else facts["latest_python"] if version in ("", "3") else version
    flavour = "full"
    if "slim" in parts:
        flavour = "slim"
    elif distro == "alpine":
        flavour = "alpine"
    pinned = release is not None
    if distro is None and "windowsservercore" not in text:
        distro = "debian"
        release = _default_suite(python, full=dots >= 2, facts=facts)
    return Base(
        reference=reference,
        text=text,
        python=python,
        python_certain=certain,
        distro=distro,
        release=release,
        release_pinned=pinned,
        flavour=flavour,
        tag_pinned=certain or reference.digest is not None,
        official_python=True,
    )
