"""One requirement: by name, by URL, by path, editable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor import lazy_re as re
from auditor.parsers.requirements.facts import Requirement, Vcs
from auditor.parsers.requirements.lines import MAX_REQUIREMENT, shifted_by
from auditor.parsers.requirements.markers import marker_object
from auditor.source import Problem
from auditor.values import replace

if TYPE_CHECKING:
    from auditor.parsers.requirements.lines import Locate

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:[0-9]+!)?[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_LOCAL = r"\+[a-z0-9]+(?:[._-][a-z0-9]+)*"
_CLAUSE = (
    rf"(?:[=!]=[ \t]*+(?:[0-9]+(?:\.[0-9]+)*\.\*|{_VERSION}(?:{_LOCAL})?)"
    rf"|[<>]=?[ \t]*+{_VERSION}"
    r"|~=[ \t]*+[0-9]+(?:\.[0-9]+)+(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?)"
)
_EXTRAS = rf"\[[ \t]*+(?:{_NAME}(?:[ \t]*+,[ \t]*+{_NAME})*)?[ \t]*+\]"
# What most lines are. A line that matches is read without ``packaging``, with the same result.
_SIMPLE = re.compile(
    rf"(?P<name>{_NAME})[ \t]*+(?P<extras>{_EXTRAS})?[ \t]*+"
    rf"(?P<specifier>{_CLAUSE}(?:[ \t]*+,[ \t]*+{_CLAUSE})*)?[ \t]*+"
)
_MARKER_VARIABLE = (
    "(?:python_version|python_full_version|os_name|sys_platform|platform_system"
    "|platform_machine|platform_python_implementation|implementation_name)"
)
_MARKER_CLAUSE = (
    rf"{_MARKER_VARIABLE}[ \t]*+(?:==|!=|<=|>=|<|>)[ \t]*+(?:'[A-Za-z0-9_.]*'|\"[A-Za-z0-9_.]*\")"
)
_SIMPLE_MARKER = re.compile(rf"{_MARKER_CLAUSE}(?:[ \t]++(?:and|or)[ \t]++{_MARKER_CLAUSE})*")

_HEAD = re.compile(
    r"\s*+(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)\s*+(?P<extras>\[[^\]]*\])?\s*+(?P<rest>[^\s].*)?",
    re.DOTALL,
)
_EGG = re.compile(r"[#&]egg=([^&]*)")
_SUBDIRECTORY = re.compile(r"[#&]subdirectory=([^&]*)")
_URL_HASH = re.compile(r"[#&](sha1|sha224|sha384|sha256|sha512|md5)=([0-9A-Fa-f]+)")
_FULL_COMMIT = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_ARCHIVES = (
    ".zip",
    ".whl",
    ".tar.bz2",
    ".tbz",
    ".tar.gz",
    ".tgz",
    ".tar",
    ".tar.xz",
    ".txz",
    ".tlz",
    ".tar.lz",
    ".tar.lzma",
)
_VCS_SCHEMES = {
    "git": ("http", "https", "ssh", "git", "file"),
    "hg": ("file", "http", "https", "ssh", "static-http"),
    "svn": ("ssh", "http", "https", "svn", "file"),
    "bzr": ("http", "https", "ssh", "sftp", "ftp", "lp", "file"),
}
_ALL_VCS = frozenset(f"{v}+{s}" for v, schemes in _VCS_SCHEMES.items() for s in schemes)
_URL_SCHEMES = frozenset({"http", "https", "file", "ftp"}) | _ALL_VCS


def scheme_of(text: str) -> str:
    """The scheme of a URL in lower case; empty where there is none."""
    return text.split(":", 1)[0].lower() if ":" in text else ""


def _read_url(url: str) -> tuple[Vcs | None, str, tuple[str, ...]]:
    """(version control reference, name from the egg fragment, hashes) of a direct URL."""
    egg = _EGG.search(url)
    hashes = tuple(f"{m[1]}:{m[2].lower()}" for m in _URL_HASH.finditer(url))
    scheme = scheme_of(url)
    vcs = None
    if scheme in _ALL_VCS:
        kind, _, _ = scheme.partition("+")
        bare = url[len(kind) + 1 :].partition("#")[0]
        rev = None
        # The revision follows the last "@" of the path; one before the path is a user name.
        root, _, rest = bare.partition("://")
        host, slash, path = rest.partition("/")
        if "@" in path:
            path, _, rev = path.rpartition("@")
            bare = f"{root}://{host}{slash}{path}"
        subdirectory = _SUBDIRECTORY.search(url)
        vcs = Vcs(
            scheme=kind,
            url=bare,
            rev=rev,
            is_commit=bool(rev and _FULL_COMMIT.fullmatch(rev)),
            subdirectory=subdirectory[1] if subdirectory else None,
        )
    return vcs, egg[1] if egg else "", hashes


def _split_extras(text: str) -> tuple[str, tuple[str, ...]]:
    """``path[a,b]`` into the path and its extras."""
    if text.endswith("]") and "[" in text:
        head, _, tail = text.rpartition("[")
        return head, tuple(e.strip() for e in tail[:-1].split(",") if e.strip())
    return text, ()


def _wheel_name(filename: str) -> tuple[str, str] | None:
    """(name, version) of a wheel's file name."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    return parts[0], parts[1]


def _extras_of(text: str | None) -> tuple[str, ...]:
    parts = text[1:-1].split(",") if text else ()
    return tuple(dict.fromkeys(e.strip() for e in parts if e.strip()))


def parse_requirement(
    text: str,
    locate: Locate,
    *,
    editable: bool = False,
    pip_forms: bool = True,
) -> Requirement | Problem:
    """One requirement, such as an argument of ``pip install`` or an entry of an array.

    ``locate(start, end)`` says where characters of ``text`` stand. With ``pip_forms`` bare URLs,
    paths and VCS references are accepted; without, only PEP 508. A specifier that a current pip
    rejects still yields a requirement, with pip's reason in ``rejected``.
    """
    match = None if editable else _SIMPLE.fullmatch(text)
    if match:
        name = match["name"]
        if pip_forms and not match["specifier"] and name.lower().endswith(_ARCHIVES):
            return _from_path(name, "", locate, len(text), editable=False)
        return _simple(match, "", locate, len(text.rstrip()))
    if len(text) > MAX_REQUIREMENT:
        return Problem(at=locate(0, 80), message=f"a requirement of {len(text)} characters")
    lead = len(text) - len(text.lstrip())
    if lead or text != text.rstrip():
        return parse_requirement(
            text.strip(), shifted_by(locate, lead), editable=editable, pip_forms=pip_forms
        )
    if not text:
        return Problem(at=locate(0, 0), message="an empty requirement")
    if editable:
        return _from_editable(text, locate)
    is_url = pip_forms and scheme_of(text) in _URL_SCHEMES
    body, separator, marker = _split_marker(text, is_url, pip_forms)
    body, marker = body.strip(), marker.strip()
    if marker and not _SIMPLE_MARKER.fullmatch(marker) and marker_object(marker) is None:
        return Problem(
            at=locate(len(text) - len(marker), len(text)),
            message=f"pip rejects the environment marker {marker!r}",
        )
    match = _SIMPLE.fullmatch(body) if separator else None
    if match and (match["specifier"] or not match["name"].lower().endswith(_ARCHIVES)):
        return _simple(match, marker, locate, len(text))
    if is_url:
        return _from_url(body, marker, locate, len(text), editable=False)
    if pip_forms and _is_path(body):
        return _from_path(body, marker, locate, len(text), editable=False)
    return _from_pep508(body, marker, locate, len(text))


def _split_marker(text: str, is_url: bool, pip_forms: bool) -> tuple[str, str, str]:
    # PEP 508 ends a URL at white space; pip cuts at the first semicolon, come what may.
    if not pip_forms and "@" in text:
        match = re.search(r"\s;", text)
        return (text[: match.start()], ";", text[match.end() :]) if match else (text, "", "")
    return text.partition("; " if is_url else ";")


def _is_path(text: str) -> bool:
    """Whether pip would look for a file: it names an archive, or looks like a path."""
    plain = _split_extras(text)[0].rstrip().lower()
    before_at, at, _ = text.partition("@")
    if at and not ("/" in before_at or before_at.startswith(".")):
        return False
    return "/" in text or text.startswith(".") or plain.endswith(_ARCHIVES)


def _simple(match: re.Match[str], marker: str, locate: Locate, whole: int) -> Requirement:
    specifier = match["specifier"] or ""
    return Requirement(
        name=match["name"],
        at=locate(0, whole),
        specifier=specifier,
        extras=_extras_of(match["extras"]),
        marker=marker,
        name_at=locate(match.start("name"), match.end("name")),
        specifier_at=locate(*match.span("specifier")) if specifier else None,
    )


def _rejected(text: str, error: Exception) -> str:
    reason = (str(error).splitlines() or ["it is not a requirement"])[0]
    if "=" in text and not any(o in text for o in ("==", "~=", "!=", "<=", ">=", "<", ">")):
        reason += "; = is no operator, == is"
    elif "/" in text:
        reason += "; it looks like a path"
    return reason


def _from_pep508(text: str, marker: str, locate: Locate, whole: int) -> Requirement | Problem:
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    head = _HEAD.fullmatch(text)
    at = locate(0, whole)
    rejected = ""
    parsed = None
    if not VARIABLE.search(text):
        try:
            parsed = Parsed(text)
        except (InvalidRequirement, RecursionError) as error:
            rejected = _rejected(text, error)
    if head is None or (parsed is None and not (head["rest"] or "").startswith(tuple("<>=!~(@"))):
        reason = rejected or "a variable stands where a name should"
        return Problem(at=at, message=f"pip rejects {shortened(text)!r}: {reason}")
    rest = head["rest"] or ""
    if rest.startswith("@"):
        url = parsed.url if parsed is not None and parsed.url else rest[1:].strip()
        vcs, _, hashes = _read_url(url)
        return Requirement(
            name=head["name"],
            at=at,
            extras=_extras_of(head["extras"]),
            marker=marker,
            url=url,
            vcs=vcs,
            path=_file_path(url),
            hashes=hashes,
            name_at=locate(*head.span("name")),
            rejected=rejected,
        )
    return Requirement(
        name=head["name"],
        at=at,
        specifier=rest.rstrip(),
        extras=_extras_of(head["extras"]),
        marker=marker,
        name_at=locate(*head.span("name")),
        specifier_at=(
            locate(head.start("rest"), head.start("rest") + len(rest.rstrip())) if rest else None
        ),
        rejected=rejected,
    )


def shortened(text: str) -> str:
    """At most 120 characters of a text, for messages."""
    return text if len(text) <= 120 else text[:119] + "…"


def _file_path(url: str) -> str | None:
    """The path of a ``file:`` URL."""
    if not url.lower().startswith("file:"):
        return None
    from urllib.parse import unquote

    path = url[5:].partition("#")[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return unquote(path)


def _from_url(
    url: str, marker: str, locate: Locate, whole: int, *, editable: bool
) -> Requirement | Problem:
    vcs, egg, hashes = _read_url(url)
    name, specifier, rejected = "", "", ""
    extras: tuple[str, ...] = ()
    name_at = None
    filename = url.partition("#")[0].partition("?")[0].rsplit("/", 1)[-1]
    wheel = None if vcs else _wheel_name(filename)
    if wheel:
        name, specifier = wheel[0], f"=={wheel[1]}"
        start = url.rfind(filename, 0, len(url.partition("#")[0]))
        name_at = locate(start, start + len(name))
    elif egg:
        head = _HEAD.fullmatch(egg)
        if head is None:
            rejected = f"the egg fragment {shortened(egg)!r} is not a name"
        else:
            name, extras = head["name"], _extras_of(head["extras"])
            start = url.find("egg=") + 4
            name_at = locate(start, start + len(name))
    if editable and vcs and not name:
        rejected = rejected or "an editable reference needs #egg=NAME or NAME @ URL"
    return Requirement(
        name=name,
        at=locate(0, whole),
        specifier=specifier,
        extras=extras,
        marker=marker,
        url=url,
        vcs=vcs,
        path=_file_path(url),
        hashes=hashes,
        editable=editable,
        name_at=name_at,
        rejected=rejected,
    )


def _from_path(
    text: str, marker: str, locate: Locate, whole: int, *, editable: bool
) -> Requirement:
    path, extras = _split_extras(text)
    path, _, fragment = path.partition("#")
    wheel = _wheel_name(path.rsplit("/", 1)[-1])
    egg = _EGG.search("#" + fragment) if fragment else None
    return Requirement(
        name=wheel[0] if wheel else egg[1] if egg else "",
        at=locate(0, whole),
        specifier=f"=={wheel[1]}" if wheel else "",
        extras=extras,
        marker=marker,
        path=path,
        editable=editable,
    )


def _from_editable(text: str, locate: Locate) -> Requirement | Problem:
    whole = len(text)
    if "@" in text and _HEAD.fullmatch(text):
        body, _, marker = text.partition(" ;")
        direct = _from_pep508(body.strip(), marker.strip(), locate, whole)
        if isinstance(direct, Requirement) and direct.url and not direct.rejected:
            if direct.vcs is None and direct.path is None:
                direct = replace(direct, rejected="only a path or a VCS URL can be editable")
            return replace(direct, editable=True)
    url = text
    scheme = scheme_of(text)
    if scheme in _VCS_SCHEMES:
        url = f"{scheme}+{text}"
        locate = shifted_by(locate, -len(scheme) - 1)
        whole = len(url)
    if scheme_of(url) in _ALL_VCS:
        read = _from_url(url, "", locate, whole, editable=True)
        if scheme in _VCS_SCHEMES and isinstance(read, Requirement):
            # The place is that of the text as it stands, without the prefix pip adds.
            return replace(read, at=locate(len(scheme) + 1, whole))
        return read
    if scheme == "file":
        bare, extras = _split_extras(text)
        read = _from_url(bare, "", locate, whole, editable=True)
        return replace(read, extras=extras) if extras and isinstance(read, Requirement) else read
    requirement = _from_path(text, "", locate, whole, editable=True)
    if scheme in _URL_SCHEMES or "://" in text or re.match(r"git\+git@", text):
        return replace(
            requirement, path=None, url=text, rejected="only a path or a VCS URL can be editable"
        )
    return requirement
