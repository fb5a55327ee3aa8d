"""Compose files as Compose itself reads them: interpolated, merged, extended, typed.

Follows the Compose Specification; what depends on the host (a variable that nothing sets, a
file that is not in the repository) is ``Unknown`` or a fact of its own, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor import lazy_re as re
from auditor.parsers import yamldoc
from auditor.parsers.compose.facts import ComposeFileSet, ComposeProject, ProjectFiles
from auditor.parsers.compose.merging import Loader
from auditor.parsers.compose.tree import first_document, words_of
from auditor.parsers.compose.typed import Typer
from auditor.source import SourceText

_DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_DEV_WORDS = words_of(
    "dev devel develop development test tests testing local debug ci docs example sample "
    "override devcontainer"
)


def file_sets(paths: Iterable[str]) -> tuple[ComposeFileSet, ...]:
    """Group compose file paths of a repository into the invocations they are meant for.

    Per directory: what ``docker compose up`` takes by itself, without the override file (which
    is for development) and with it; then each further file (``docker-compose.prod.yml``) laid
    over the default one when that exists. ``load`` tells whether a further file stands alone.
    """
    directories: dict[str, set[str]] = {}
    for path in paths:
        directory, _, name = path.rpartition("/")
        directories.setdefault(directory, set()).add(name)
    sets: list[ComposeFileSet] = []
    for directory, names in sorted(directories.items()):
        prefix = directory + "/" if directory else ""
        base = next((name for name in _DEFAULT_NAMES if name in names), None)
        override = next((name for name in _OVERRIDE_NAMES if name in names), None)
        if base is not None:
            sets.append(ComposeFileSet(files=(prefix + base,), is_default=override is None))
            if override is not None:
                files = (prefix + base, prefix + override)
                sets.append(ComposeFileSet(files=files, is_dev=True, is_default=True))
        for name in sorted(names):
            if name in (base, override) or name in _DEFAULT_NAMES or name in _OVERRIDE_NAMES:
                continue
            words = name.lower().replace("-", ".").replace("_", ".").split(".")
            is_dev = not _DEV_WORDS.isdisjoint(words)
            first = (prefix + base,) if base is not None else ()
            sets.append(ComposeFileSet(files=(*first, prefix + name), is_dev=is_dev))
    return tuple(sets)


def lies_over(text: str, base: str, own: str) -> bool:
    """Whether a text gives one Compose file after another one (``-f BASE -f OWN``)."""
    first, second = (re.escape(path.rpartition("/")[2]) for path in (base, own))
    option = r"(?:[\s\\]+(?:-f|--file)[ =]|[:;])"
    return re.search(rf"{first}['\"]?{option}['\"]?(?:[\w.-]+/)*{second}\b", text) is not None


def stands_alone(source: SourceText) -> bool:
    """Whether every service of the file says what it runs, so that it needs no file before it."""
    document = first_document(yamldoc.parse(source))
    services = document.get("services") if isinstance(document, yamldoc.Mapping) else None
    if not isinstance(services, yamldoc.Mapping) or not services.entries:
        return False
    return all(
        isinstance(entry.value, yamldoc.Mapping) and _says_what_runs(entry.value)
        for entry in services.entries
    )


def _says_what_runs(service: yamldoc.Mapping) -> bool:
    """An image, another service, or where the image is built: not only how (``args:``)."""
    build = service.entry("build")
    if build is not None and isinstance(build.value, yamldoc.Mapping):
        keys = ("context", "dockerfile", "dockerfile_inline")
        if any(build.value.entry(key) for key in keys):
            return True
        build = None
    return build is not None or any(service.entry(key) for key in ("image", "extends"))


def load(
    files: Sequence[SourceText],
    project: ProjectFiles,
    *,
    directory: str | None = None,
    env_files: Sequence[str] = (),
    is_dev: bool = False,
) -> ComposeProject:
    """Read and merge ``files`` in order; never raises on bad content.

    ``directory`` is the project directory, by default that of the first file; ``env_files`` are
    given with ``--env-file``, relative to it.
    """
    if directory is None:
        directory = files[0].path.rpartition("/")[0] if files else ""
    loader = Loader(project, directory, env_files)
    model = loader.load_all(files, directory, loader.env)
    return Typer(loader, model, directory, files, is_dev).project()
