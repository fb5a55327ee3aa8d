"""Data that a library takes from elsewhere: NLTK's corpora, spaCy's models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor import versions
from auditor.catalog import knowledge
from auditor.deployment.commands import ran
from auditor.findings import Confidence
from auditor.linking import pins
from auditor.parsers.commands.facts import Download, Other, PythonRun, ShellRun
from auditor.parsers.requirements import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.deployment.model import BuiltImage, Service
    from auditor.parsers.python.facts import Call, Trace

# How spaCy names what it publishes: language, kind, what it was trained on, size.
_PIPELINE = re.compile(r"[a-z]{2,3}_[a-z0-9]+_[a-z0-9_]+_(?:sm|md|lg|trf)")
_WORD = re.compile(r"[\w.-]+")
# NLTK's collections: many corpora under one name.
_COLLECTIONS = frozenset(
    ["all", "all-corpora", "all-nltk", "book", "popular", "tests", "third-party"]
)


def missing(service: Service, trace: Trace, call: Call) -> tuple[str, str, Confidence] | None:
    """What a call reads that the image certainly lacks, what to do, and how sure that is."""
    image, name = service.image, call.arguments[0].value
    if image is None or not isinstance(name, str) or trace.truncated:
        return None
    if any(copy.origin != "context" for copy in image.image.copies):
        return None
    # A start script, or one that the build runs, may fetch it.
    if any(process.through for process in service.processes) or _by_script(image):
        return None
    return (_pipeline if call.name.startswith("spacy.") else _corpus)(service, image, call, name)


def _by_script(image: BuiltImage) -> bool:
    """Whether the build runs a program of the project."""
    for one in ran(image.image):
        fact = one.what.fact
        if isinstance(fact, PythonRun) and fact.script is not None:
            return True
        if isinstance(fact, ShellRun) and fact.program is None:
            return True
        if isinstance(fact, Other) and (fact.program == "make" or "/" in fact.argv[0].text):
            return True
    return False


def _texts(service: Service, image: BuiltImage) -> list[str]:
    """Everything of the Dockerfile and of the start that may name data."""
    told = [step.command.text.text for step in image.image.runs]
    told += [heredoc.body.text for step in image.image.runs for heredoc in step.heredocs]
    told += [str(source) for copy in image.image.copies for source in copy.sources]
    told += [str(copy.destination) for copy in image.image.copies]
    told += [str(mount.target) for mount in service.mounts]
    return [*told, *(service.argv or ())]


def _fetched(service: Service, prefix: str) -> tuple[frozenset[str], bool]:
    """(names that the code downloads itself, whether there may be others)."""
    names: set[str] = set()
    for entry in service.runs:
        for call in entry.trace.calls:
            if call.category == "subprocess":
                return frozenset(), True
            if not call.name.startswith(prefix):
                continue
            given = [value.value for value in call.arguments[:1]]
            if not given or not isinstance(given[0], str):
                return frozenset(), True
            names.add(given[0])
    return frozenset(names), False


def _corpus(
    service: Service, image: BuiltImage, call: Call, asked: str
) -> tuple[str, str, Confidence] | None:
    name = _resource(service, asked)
    texts = _texts(service, image)
    if name is None or service.variable("NLTK_DATA") is not None:
        return None
    if any("nltk_data" in text and "nltk.download" not in text for text in texts):
        return None
    fetched, open_ = _fetched(service, "nltk.download")
    there = {*fetched, *_words(text for text in texts if "nltk.download" in text)}
    if open_ or name in there or there & _COLLECTIONS:
        return None
    if any("$" in text or "-r" in _WORD.findall(text) for text in texts if "nltk.download" in text):
        return None  # the names stand elsewhere
    before = asked in there and asked != name
    return (
        (
            f"this release of NLTK reads `{name}`, and what is downloaded is `{asked}`: "
            if before
            else f"NLTK comes without its data, and nothing puts `{name}` into the image: "
        )
        + f"`LookupError: Resource {name} not found`",
        f"`RUN python -m nltk.downloader -d /usr/share/nltk_data {name}`.",
        Confidence.LIKELY,
    )


def _resource(service: Service, asked: str) -> str | None:
    """What the installed release reads; of a call whose data changed its name, None if unsure."""
    rows = next((row for row in knowledge("corpora.toml").values() if asked in row.values()), None)
    if rows is None:
        return asked
    environment = service.environment
    if environment is None or environment.installed is None:
        return None
    found = pins.release(environment, "nltk")
    if found is None:
        return None if len(set(rows.values())) > 1 else asked
    below = [n for v, n in rows.items() if versions.admits(f"<={found[0]}", v)]
    above = [n for v, n in rows.items() if versions.admits(f">={found[0]}", v)]
    near = {*below[-1:], *above[:1]}
    return near.pop() if len(near) == 1 and below else None


def _words(texts: Iterable[str]) -> set[str]:
    return {word.strip(".-") for text in texts for word in _WORD.findall(text)}


def _pipeline(
    service: Service, image: BuiltImage, call: Call, name: str
) -> tuple[str, str, Confidence] | None:
    environment = service.environment
    installed = environment.installed if environment is not None else None
    if _PIPELINE.fullmatch(name) is None or installed is None or not installed.complete:
        return None
    if installed.unknown or installed.has(normalise(name)):
        return None
    texts = _texts(service, image)
    if any(name in text or normalise(name) in text for text in texts):
        return None
    if any("spacy" in text and ("$" in text or "-r" in text.split()) for text in texts):
        return None
    if any(
        isinstance(o.what.fact, Download) and o.what.fact.source is None for o in ran(image.image)
    ):
        return None
    fetched, open_ = _fetched(service, "spacy.cli")
    if open_ or name in fetched:
        return None
    return (
        f"spaCy comes without its models, and nothing installs `{name}`: `OSError: [E050] Can't find "
        f"model '{name}'`",
        f"`RUN python -m spacy download {name}`, or name its wheel in the requirements.",
        Confidence.LIKELY,
    )
