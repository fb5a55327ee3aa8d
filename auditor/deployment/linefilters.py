"""What ``grep``, ``sed``, ``head`` and their like leave of a text, line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from auditor import lazy_re as re
from auditor.values import value

# A line that is dropped is empty; there are as many lines after a filter as before it.
Lines = tuple[str, ...]
Step = Callable[[Lines], "Lines | None"]

_SAME = frozenset({"cat", "sort", "uniq", "tee", "iconv", "dos2unix"})
# Lines and patterns beyond these are not matched: patterns come from the audited repository.
_LONGEST = 400
_LONGEST_PATTERN = 200
_REPEATS = 3


@value
class Program:
    """A filter and the files that it reads. ``in_place``: it writes them as well."""

    lines: Step
    files: tuple[str, ...]
    in_place: bool = False


def apply(name: str, words: Sequence[str]) -> Program | None:
    """The filter that a command line is; None where it is not followed."""
    if name in ("grep", "egrep", "fgrep"):
        return _grep(name, list(words))
    if name == "sed":
        return _sed(list(words))
    if name in ("head", "tail"):
        return _ends(name, list(words))
    if name == "tr":
        return _tr(list(words))
    if name == "cut":
        return _cut(list(words))
    if name == "awk":
        return _awk(list(words))
    if name in _SAME:
        files = []
        rest = iter(words)
        for word in rest:
            if word in ("-f", "-t") and name == "iconv":
                next(rest, "")
            elif not word.startswith("-") or word == "-":
                files.append(word)
            elif name in ("cat", "sort", "uniq") and word not in ("-u", "-f", "-V", "-s"):
                return None
        return Program(lines=lambda lines: lines, files=tuple(files), in_place=name == "dos2unix")
    return None


# --- patterns -----------------------------------------------------------------------------

_CLASSES = {
    "[:space:]": r"\s", "[:digit:]": "0-9", "[:alpha:]": "A-Za-z", "[:alnum:]": "A-Za-z0-9",
    "[:upper:]": "A-Z", "[:lower:]": "a-z", "[:blank:]": " \t",
}  # fmt: skip
_SWAPPED = frozenset("(){}+?|")


def pattern(text: str, *, extended: bool, ignore_case: bool = False) -> Any | None:
    """A POSIX pattern (with GNU's additions) as Python's; None where that is not certain."""
    if len(text) > _LONGEST_PATTERN:
        return None
    out: list[str] = []
    index, repeats = 0, 0
    while index < len(text):
        char = text[index]
        if char == "[":
            end = _bracket(text, index)
            inner = text[index + 1 : end - 1] if end is not None else ""
            for name, chars in _CLASSES.items():
                inner = inner.replace(name, chars)
            if end is None or "[" in inner:
                return None
            out.append(f"[{inner}]")
            index = end
            continue
        if char == "\\":
            after = text[index + 1 : index + 2]
            special = after in _SWAPPED and not extended
            index += 2
            if special:
                char = after
            elif after in ("<", ">", "b"):
                out.append(r"\b")
                continue
            elif after in ("s", "S", "w", "W", "d"):
                out.append("\\" + after if after != "d" or extended else "d")
                continue
            elif after and not after.isalnum():
                out.append(re.escape(after))
                continue
            else:
                return None
        else:
            special = extended or char not in _SWAPPED
            index += 1
        if not special:
            out.append(re.escape(char))
        elif char in "*+?{":
            if not out or out[-1] in ("(", "|", ")", "^"):
                return None  # a group that is repeated, or a sign that stands for itself
            repeats += 1
            out.append(char)
        elif char in "^$.()|}":
            out.append(char)
        else:
            out.append(re.escape(char))
    if repeats > _REPEATS or out.count("(") != out.count(")"):
        return None
    try:
        return _compiled("".join(out), ignore_case)
    except ValueError:
        return None


def _compiled(text: str, ignore_case: bool) -> Any:
    import re as real

    try:
        return real.compile(text, real.IGNORECASE if ignore_case else 0)
    except real.error as error:
        raise ValueError(str(error)) from error


def _bracket(text: str, start: int) -> int | None:
    """The end of a bracket expression."""
    index = start + 1
    if text[index : index + 1] == "^":
        index += 1
    if text[index : index + 1] == "]":
        return None
    while index < len(text):
        if text.startswith("[:", index):
            close = text.find(":]", index)
            if close < 0:
                return None
            index = close + 2
            continue
        if text[index] == "\\":
            return None
        if text[index] == "]":
            return index + 1
        index += 1
    return None


def _matches(found: Any, line: str) -> bool:
    return found.search(line.rstrip("\r\n")) is not None


def _too_long(lines: Lines) -> bool:
    return any(len(line) > _LONGEST for line in lines)


# --- programs -----------------------------------------------------------------------------


def _grep(name: str, words: list[str]) -> Program | None:
    extended, fixed = name == "egrep", name == "fgrep"
    wanted: list[str] = []
    files: list[str] = []
    flags: set[str] = set()
    rest = iter(words)
    for word in rest:
        if word in ("--invert-match", "--ignore-case", "--extended-regexp", "--fixed-strings"):
            flags.add({"--in": "v", "--ig": "i", "--ex": "E", "--fi": "F"}[word[:4]])
        elif word.startswith("--regexp="):
            wanted.append(word.partition("=")[2])
        elif word.startswith("--"):
            return None
        elif word.startswith("-") and len(word) > 1:
            letters, at_e, after = word[1:].partition("e")
            if set(letters) - set("viEFPwxhs"):
                return None
            flags |= set(letters)
            if at_e:
                wanted.append(after or next(rest, ""))
        else:
            files.append(word)
    if not wanted:
        if not files:
            return None
        wanted.append(files.pop(0))
    extended = extended or bool(flags & {"E", "P"})
    if fixed or "F" in flags:
        wanted = [re.escape(w) for w in wanted]
        extended = True
    around = {"x": "^(%s)$", "w": r"\b(%s)\b"}
    found = []
    for text in (line for told in wanted for line in told.split("\n")):
        one = pattern(text, extended=extended, ignore_case="i" in flags)
        for flag, form in around.items():
            if one is not None and flag in flags:
                one = _compiled(form % one.pattern, "i" in flags)
        if one is None:
            return None
        found.append(one)
    inverted = "v" in flags

    def lines(before: Lines) -> Lines | None:
        if _too_long(before):
            return None
        return tuple(
            line if any(_matches(one, line) for one in found) is not inverted else ""
            for line in before
        )

    return Program(lines=lines, files=tuple(files))


def _ends(name: str, words: list[str]) -> Program | None:
    count, files = "10", []
    rest = iter(words)
    for word in rest:
        if word in ("-n", "--lines"):
            count = next(rest, "")
        elif word.startswith(("-n", "--lines=")):
            count = word.partition("=")[2] if word.startswith("--") else word[2:]
        elif word[1:].isdigit() and word[0] in "-+":
            count = word[1:] if word[0] == "-" else word
        elif word.startswith("-") and word != "-":
            return None
        else:
            files.append(word)
    if not count.lstrip("+-").isdigit() or len(files) > 1:
        return None
    number = int(count.lstrip("+-"))

    def lines(before: Lines) -> Lines:
        total = len(before)
        if name == "head":
            kept = range(total - number if count.startswith("-") else number)
        elif count.startswith("+"):
            kept = range(max(number - 1, 0), total)
        else:
            kept = range(max(total - number, 0), total)
        return tuple(line if index in kept else "" for index, line in enumerate(before))

    return Program(lines=lines, files=tuple(files))


def _tr(words: list[str]) -> Program | None:
    if words not in (["-d", r"\r"], ["-d", "\r"], ["-d", r"\015"]):
        return None
    return Program(lines=lambda lines: tuple(x.replace("\r", "") for x in lines), files=())


def _cut(words: list[str]) -> Program | None:
    """``cut -d= -f1``."""
    told = " ".join(words)
    found = re.match(r"^(?:-d ?(\S)|-f ?1)\s+(?:-d ?(\S)|-f ?1)(?:\s+(\S+))?$", told)
    divider = (found.group(1) or found.group(2)) if found is not None else None
    if found is None or divider is None or "-f" not in told:
        return None

    def lines(before: Lines) -> Lines:
        return tuple(line.rstrip("\n").split(divider, 1)[0] + "\n" for line in before)

    return Program(lines=lines, files=(found.group(3),) if found.group(3) else ())


def _awk(words: list[str]) -> Program | None:
    """``awk '!/re/'`` and ``awk '/re/'``."""
    found = re.match(r"^(!?)/([^/]+)/$", words[0]) if words else None
    if found is None:
        return None
    options = ["-v", "-E"] if found.group(1) else ["-E"]
    return _grep("grep", [*options, "-e", found.group(2), *words[1:]])


_ADDRESS = re.compile(r"^(?:(\d+|\$)(?:,(\d+|\$))?|/((?:[^/\\]|\\.)+)/(I?))?\s*(!?)\s*")


def _sed(words: list[str]) -> Program | None:
    scripts: list[str] = []
    files: list[str] = []
    in_place = extended = False
    rest = iter(words)
    for word in rest:
        if word in ("-e", "--expression"):
            scripts.append(next(rest, ""))
        elif word.startswith("--expression="):
            scripts.append(word.partition("=")[2])
        elif word in ("-E", "-r", "--regexp-extended"):
            extended = True
        elif word.startswith(("-i", "--in-place")):
            in_place = True
        elif word in ("-ri", "-Ei"):
            in_place = extended = True
        elif word.startswith("-") and word != "-":
            return None
        else:
            files.append(word)
    if not scripts:
        if not files:
            return None
        scripts.append(files.pop(0))
    steps: list[Step] = []
    for script in scripts:
        for line in script.split("\n"):
            left = line.strip()
            while left:
                read = _command(left, extended=extended)
                if read is None:
                    return None
                step, left = read
                steps.append(step)

    def lines(before: Lines) -> Lines | None:
        if _too_long(before):
            return None
        text: Lines | None = before
        for step in steps:
            text = step(text) if text is not None else None
        return text

    return Program(lines=lines, files=tuple(files), in_place=in_place)


def _command(text: str, *, extended: bool) -> tuple[Step, str] | None:
    """One command of sed with its address, and what follows it."""
    told = _ADDRESS.match(text)
    if told is None:
        return None
    chosen = _chosen(told, extended=extended)
    rest = text[told.end() :]
    if chosen is None or not rest:
        return None
    if rest[0] == "d":
        after = rest[1:].strip()
        if after and after[0] != ";":
            return None

        def dropped(lines: Lines) -> Lines:
            return tuple(
                "" if chosen(i, line, len(lines)) else line for i, line in enumerate(lines)
            )

        return dropped, after[1:].strip()
    if rest[0] != "s" or len(rest) < 4:
        return None
    divider = rest[1]
    parts = _parts(rest[2:], divider)
    if parts is None:
        return None
    old, new, after = parts
    flags = after[: len(after) - len(after.lstrip("gI"))]
    after = after[len(flags) :].strip()
    if after and after[0] != ";":
        return None
    found = pattern(old, extended=extended, ignore_case="I" in flags)
    with_it = _replacement(new)
    if found is None or with_it is None:
        return None

    def replaced(lines: Lines) -> Lines:
        return tuple(
            found.sub(with_it, line.rstrip("\n"), 0 if "g" in flags else 1)
            + ("\n" if line.endswith("\n") else "")
            if line and chosen(i, line, len(lines))
            else line
            for i, line in enumerate(lines)
        )

    return replaced, after[1:].strip()


def _chosen(told: Any, *, extended: bool) -> Callable[[int, str, int], bool] | None:
    """Whether a command's address takes a line: (index, line, how many there are)."""
    first, last, text, case, negated = told.groups()
    if text is not None:
        found = pattern(text, extended=extended, ignore_case=case == "I")
        if found is None:
            return None
        return lambda index, line, total: _matches(found, line) is not bool(negated)
    if first is None:
        return None if negated else lambda index, line, total: True

    def inside(index: int, line: str, total: int) -> bool:
        start = total if first == "$" else int(first)
        end = total if last == "$" else int(last or start)
        return (start <= index + 1 <= end) is not bool(negated)

    return inside


def _parts(text: str, divider: str) -> tuple[str, str, str] | None:
    """Pattern, replacement and what follows the third divider."""
    found: list[str] = []
    current: list[str] = []
    index = 0
    while index < len(text) and len(found) < 2:
        if text[index] == "\\" and index + 1 < len(text):
            after = text[index + 1]
            current.append(after if after == divider else "\\" + after)
            index += 2
            continue
        if text[index] == divider:
            found.append("".join(current))
            current = []
        else:
            current.append(text[index])
        index += 1
    return (found[0], found[1], text[index:]) if len(found) == 2 else None


def _replacement(text: str) -> str | None:
    """A replacement of sed's as Python's."""
    out = []
    index = 0
    while index < len(text):
        char = text[index]
        if char == "\\" and index + 1 < len(text):
            after = text[index + 1]
            if after.isalpha():
                return None
            out.append(rf"\g<{after}>" if after.isdigit() else after.replace("\\", r"\\"))
            index += 2
            continue
        out.append(r"\g<0>" if char == "&" else char.replace("\\", r"\\"))
        index += 1
    return "".join(out)
