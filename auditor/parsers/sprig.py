"""The functions that Helm templates call: those of Go's templates, of Sprig and of Helm itself.

Each takes and gives plain values (str, int, float, bool, None, list, dict). What depends on
chance, time or a cluster is ``Unknown``; so is what is computed from an unknown value.
"""

from __future__ import annotations

import base64
import json
import math
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from auditor import lazy_re as re
from auditor.parsers.gotemplate import HOLE, TemplateError, show, truth
from auditor.source import Unknown

_MAX_TEXT = 400_000
_MAX_ITEMS = 20_000


def _kind(item: Any) -> str:
    if item is None:
        return "invalid"
    if isinstance(item, bool):
        return "bool"
    if isinstance(item, str):
        return "string"
    if isinstance(item, int):
        return "int"
    if isinstance(item, float):
        return "float64"
    return "map" if isinstance(item, Mapping) else "slice"


def _known(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, unknown where any argument is."""

    def guarded(*arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, Unknown):
                return argument
        return function(*arguments)

    return guarded


def _integer(item: Any) -> int:
    if isinstance(item, bool):
        return int(item)
    if isinstance(item, int | float):
        return int(item)
    try:
        return int(str(item), 0)
    except ValueError:
        try:
            return int(float(str(item)))
        except (ValueError, OverflowError):
            return 0


def _float(item: Any) -> float:
    try:
        return float(item)
    except (TypeError, ValueError):
        return 0.0


def _empty(item: Any) -> bool:
    return not truth(item)


def _default(fallback: Any, *given: Any) -> Any:
    if given and isinstance(given[0], Unknown):
        return given[0]
    return given[0] if given and truth(given[0]) else fallback


def _coalesce(*items: Any) -> Any:
    for item in items:
        if isinstance(item, Unknown) or truth(item):
            return item
    return None


def _text_of(item: Any) -> str:
    return "" if item is None else show(item)


def _quote(*items: Any) -> str:
    return " ".join(
        '"' + _text_of(i).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        for i in items
        if i is not None
    )


def _squote(*items: Any) -> str:
    return " ".join(f"'{_text_of(i)}'" for i in items if i is not None)


def _indent(width: Any, text: Any) -> str:
    pad = " " * min(_integer(width), 200)
    lines = _text_of(text).split("\n")
    if len(lines) * len(pad) > _MAX_TEXT:
        raise TemplateError("indent writes too much")
    return "\n".join(pad + line for line in lines)


_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*\Z")
_WORDS = frozenset(
    [
        "y",
        "n",
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
        "nil",
        "inf",
        "nan",
        ".inf",
        ".nan",
        "~",
        "",
        "-",
        ".",
    ]
)


def to_yaml(item: Any, indent: int = 0, *, depth: int = 0) -> str:
    """The value as block YAML, keys sorted, lists not indented."""
    if depth > 60:
        raise TemplateError("toYaml: nested too deeply")
    pad = " " * indent
    if isinstance(item, Mapping):
        if not item:
            return f"{pad}{{}}"
        lines = []
        for key in sorted(item, key=str):
            child = item[key]
            name = _scalar(str(key), 0)
            if isinstance(child, Mapping) and child:
                lines.append(f"{pad}{name}:\n{to_yaml(child, indent + 2, depth=depth + 1)}")
            elif isinstance(child, list | tuple) and child:
                lines.append(f"{pad}{name}:\n{to_yaml(child, indent, depth=depth + 1)}")
            else:
                lines.append(f"{pad}{name}: {_leaf(child, indent + 2)}")
        return "\n".join(lines)
    if isinstance(item, list | tuple):
        if not item:
            return f"{pad}[]"
        lines = []
        for child in item:
            if isinstance(child, Mapping | list | tuple) and child:
                inner = to_yaml(child, indent + 2, depth=depth + 1)
                lines.append(f"{pad}- {inner[indent + 2 :]}")
            else:
                lines.append(f"{pad}- {_leaf(child, indent + 2)}")
        return "\n".join(lines)
    return f"{pad}{_leaf(item, indent + 2)}"


def _leaf(item: Any, indent: int) -> str:
    if item is None:
        return "null"
    if isinstance(item, Mapping):
        return "{}"
    if isinstance(item, list | tuple):
        return "[]"
    if isinstance(item, str):
        return _scalar(item, indent)
    if isinstance(item, float) and item.is_integer() and abs(item) < 1e21:
        return str(int(item))
    return show(item)


def _scalar(text: str, indent: int) -> str:
    if "\n" in text and indent and not text[0].isspace() and HOLE not in text:
        keep = "" if text.endswith("\n") and not text.endswith("\n\n") else "-"
        if text.endswith("\n\n"):
            return json.dumps(text, ensure_ascii=False)
        pad = " " * indent
        body = "\n".join(pad + line if line else "" for line in text.rstrip("\n").split("\n"))
        return f"|{keep}\n{body}"
    if text == HOLE or (_PLAIN.match(text) and text.lower() not in _WORDS):
        return text
    return json.dumps(text, ensure_ascii=False)


def from_yaml(text: Any) -> Any:
    """The value of YAML text (first document)."""
    from auditor.parsers import yamldoc
    from auditor.source import SourceText

    if isinstance(text, str) and HOLE in text:
        return Unknown("it is computed from an unknown value")
    stream = yamldoc.parse(SourceText("", _text_of(text)))
    return plain(stream.documents[0]) if stream.documents else {}


def _key(node: Any) -> str:
    text = getattr(node, "text", "")
    if getattr(node, "style", "") == "plain":
        return "true" if text in _TRUE else "false" if text in _FALSE else text
    return str(text)


_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"])
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]{1,40}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?\Z")


def plain(node: Any, budget: list[int] | None = None) -> Any:
    """A YAML node as a plain value, by the rules that Helm reads values with.

    They are those of YAML 1.1 with JSON's numbers: every number is a float.
    """
    from auditor.parsers.yamldoc import Mapping as Map
    from auditor.parsers.yamldoc import Sequence

    budget = [200_000] if budget is None else budget
    budget[0] -= 1
    if budget[0] < 0:
        raise TemplateError("the values are too large")
    if isinstance(node, Map):
        return {_key(entry.key): plain(entry.value, budget) for entry in node.entries}
    if isinstance(node, Sequence):
        return [plain(item, budget) for item in node.items]
    if node.is_template:
        return Unknown(f"{node.text[:60]!r} is a template")
    text = node.text
    if node.style != "plain" or node.tag == "!!str":
        return text
    if node.is_null:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.match(text):
        digits = text.lstrip("+-")
        if len(digits) > 1 and digits.startswith("0"):
            return float(int(text, 8) if all(c in "01234567" for c in digits) else int(text))
        return float(text)
    if text.startswith(("0x", "0o")):
        number = node.int()
        return text if number is None else float(number)
    if _FLOAT.match(text):
        return float(text)
    return text


def _printf(form: Any, *arguments: Any) -> Any:
    out: list[str] = []
    rest = list(arguments)
    position = 0
    for match in re.finditer(r"%([-+ 0#]*)(\d{0,3})(?:\.(\d{0,3}))?([a-zA-Z%])", form):
        out.append(form[position : match.start()])
        position = match.end()
        flags, width, precision, verb = match.groups()
        if verb == "%":
            out.append("%")
            continue
        if not rest:
            out.append(f"%!{verb}(MISSING)")
            continue
        item = rest.pop(0)
        text = _verb(verb, item, precision, flags)
        if width:
            size = int(width)
            if "-" in flags:
                text = text.ljust(size)
            else:
                text = text.rjust(size, "0" if "0" in flags and verb in "dxXf" else " ")
        out.append(text)
    out.append(form[position:])
    if rest:
        extra = ", ".join(f"{_kind(r)}={show(r)}" for r in rest)
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _verb(verb: str, item: Any, precision: str | None, flags: str) -> str:
    if isinstance(item, Unknown):
        return HOLE
    if verb in "sv":
        if item is None:
            return "%!s(<nil>)" if verb == "s" else "<nil>"
        if verb == "s" and isinstance(item, bool | int | float):
            return f"%!s({_kind(item)}={show(item)})"
        text = show(item)
        return text[: int(precision)] if precision else text
    if verb == "q":
        return _quote(item)
    if verb == "d":
        if isinstance(item, bool) or not isinstance(item, int):
            return f"%!d({_kind(item)}={show(item)})"
        return f"+{item}" if "+" in flags and item >= 0 else str(item)
    if verb in "fg" and isinstance(item, int | float):
        return f"{item:.{int(precision) if precision else 6}f}" if verb == "f" else show(item)
    if verb in "xX" and isinstance(item, int):
        return f"{item:{verb}}"
    if verb == "t" and isinstance(item, bool):
        return show(item)
    return f"%!{verb}({_kind(item)}={show(item)})"


def _equal(first: Any, *others: Any) -> Any:
    unknown = next((i for i in (first, *others) if isinstance(i, Unknown)), None)
    if isinstance(first, Unknown):
        return first
    for other in others:
        if isinstance(other, Unknown):
            continue
        if isinstance(first, bool) is isinstance(other, bool) and first == other:
            return True
    return unknown if unknown is not None else False


def _negated(first: Any, second: Any) -> Any:
    same = _equal(first, second)
    return same if isinstance(same, Unknown) else not same


def _merge(target: Any, *sources: Any) -> Any:
    for source in sources:
        if isinstance(source, Unknown):
            return source
        for key, item in (source or {}).items():
            if isinstance(target.get(key), dict) and isinstance(item, Mapping):
                _merge(target[key], item)
            elif not truth(target.get(key)):
                target[key] = _copy(item)
    return target


def _overwrite(target: Any, *sources: Any) -> Any:
    for source in sources:
        if isinstance(source, Unknown):
            return source
        for key, item in (source or {}).items():
            if isinstance(target.get(key), dict) and isinstance(item, Mapping):
                _overwrite(target[key], item)
            elif item is not None:
                target[key] = _copy(item)
    return target


def _copy(item: Any) -> Any:
    if isinstance(item, Mapping):
        return {key: _copy(child) for key, child in item.items()}
    return [_copy(child) for child in item] if isinstance(item, list | tuple) else item


def _set(target: Any, key: Any, item: Any) -> Any:
    if not isinstance(target, dict):
        raise TemplateError("set needs a dictionary")
    target[key] = item
    return target


def _dict(*items: Any) -> dict[str, Any]:
    return {
        show(items[i]): items[i + 1] if i + 1 < len(items) else "" for i in range(0, len(items), 2)
    }


def _dig(*arguments: Any) -> Any:
    *keys, fallback, current = arguments
    for key in keys:
        if isinstance(current, Unknown):
            return current
        if not isinstance(current, Mapping) or key not in current:
            return fallback
        current = current[key]
    return current


def _index(item: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(item, Unknown):
            return item
        if item is None:
            raise TemplateError("index of nil pointer")
        if isinstance(item, Mapping):
            item = item.get(key)
        else:
            position = _integer(key)
            if not 0 <= position < len(item):
                raise TemplateError("index out of range")
            item = item[position]
    return item


def _slice(item: Any, start: Any = 0, end: Any = None) -> Any:
    return item[_integer(start) : None if end is None else _integer(end)]


def _until(end: Any) -> list[int]:
    return list(range(min(max(_integer(end), 0), _MAX_ITEMS)))


def _until_step(start: Any, end: Any, step: Any) -> list[int]:
    found = range(_integer(start), _integer(end), _integer(step) or 1)
    return list(found[:_MAX_ITEMS])


def _safe_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern that cannot take long: no repeated groups, few open repetitions."""
    if len(pattern) > 200 or re.search(r"\)[*+?{]|\\[pPzCQ]|\(\?[^:]", pattern):
        return None
    if len(re.findall(r"(?<!\\)[*+]", pattern)) > 3:
        return None
    try:
        return re.compile(pattern)
    except (re.error, OverflowError):
        return None


def _regex(use: Callable[..., Any]) -> Callable[..., Any]:
    def apply(pattern: Any, *arguments: Any) -> Any:
        compiled = _safe_pattern(pattern)
        if compiled is None or any(len(a) > 2_000 for a in arguments if isinstance(a, str)):
            return Unknown("a pattern is not evaluated")
        return use(compiled, *arguments)

    return apply


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    def fill(match: re.Match[str]) -> str:
        return re.sub(
            r"\$\{?(\d+)\}?",
            lambda m: (
                match.group(int(m.group(1))) or "" if int(m.group(1)) <= len(match.groups()) else ""
            ),
            text,
        )

    return fill


_VERSION = re.compile(
    r"[vV=]*(\d{1,9})(?:\.(\d{1,9}|x|\*))?(?:\.(\d{1,9}|x|\*))?(-[0-9A-Za-z.-]+)?"
)


def _version(text: str) -> tuple[int, int, int] | None:
    match = _VERSION.match(text.strip())
    if match is None:
        return None
    return (
        int(match[1]),
        int(match[2]) if (match[2] or "").isdigit() else 0,
        int(match[3]) if (match[3] or "").isdigit() else 0,
    )


def _semver_compare(constraint: str, version: str) -> Any:
    have = _version(version)
    if have is None:
        raise TemplateError("Invalid Semantic Version")
    for alternative in constraint.split("||"):
        if all(
            _satisfies(part.group(1), part.group(2), have)
            for part in re.finditer(r"(>=|<=|!=|>|<|=|\^|~)?\s*([vV]?\d[\w.*+-]*)", alternative)
        ):
            return True
    return False


def _satisfies(sign: str | None, wanted: str, have: tuple[int, int, int]) -> bool:
    want = _version(wanted)
    if want is None:
        return False
    if sign == ">=":
        return have >= want
    if sign == "<=":
        return have <= want
    if sign == ">":
        return have > want
    if sign == "<":
        return have < want
    if sign == "!=":
        return have != want
    if sign == "^":
        return have >= want and have[0] == want[0]
    if sign == "~":
        return have >= want and have[:2] == want[:2]
    parts = wanted.split("-")[0].split(".")
    return (
        have[: len([p for p in parts if p.isdigit()])]
        == want[: len([p for p in parts if p.isdigit()])]
    )


def _ternary(first: Any, second: Any, test: Any) -> Any:
    return first if truth(test) else second


def _trunc(length: Any, text: Any) -> str:
    size = _integer(length)
    plain_text = _text_of(text)
    if size < 0:
        return plain_text[size:] if -size < len(plain_text) else plain_text
    return plain_text[:size]


def _required(message: Any, *given: Any) -> Any:
    item = given[0] if given else None
    if isinstance(item, Unknown):
        return item
    if item is None or item == "":
        # Whoever installs the chart has to give it.
        return Unknown(f"it is required at installation: {show(message)[:80]}")
    return item


def _fail(message: Any) -> Any:
    raise TemplateError(f"fails on purpose: {show(message)[:120]}")


def _type_of(item: Any) -> str:
    kind = _kind(item)
    return {
        "map": "map[string]interface {}",
        "slice": "[]interface {}",
        "invalid": "<nil>",
    }.get(kind, kind)


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[-_ ]+", text))


def _snake(text: str, joint: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-_ ]+", joint, text).lower()


def _repeat(count: Any, text: Any) -> str:
    if _integer(count) * len(_text_of(text)) > _MAX_TEXT:
        raise TemplateError("repeat writes too much")
    return _text_of(text) * max(_integer(count), 0)


def _round(item: Any, digits: Any = 0) -> float:
    scale = 10 ** min(_integer(digits), 12)
    return float(math.floor(_float(item) * scale + 0.5) / scale)


def _bytes(text: Any) -> bytes:
    return _text_of(text).encode("utf-8", "replace")


def _decode(text: Any) -> str:
    try:
        return base64.b64decode(_bytes(text), validate=True).decode("utf-8", "replace")
    except ValueError as error:
        return str(error)


def _from_json(text: Any) -> Any:
    try:
        return json.loads(_text_of(text))
    except (ValueError, RecursionError) as error:
        raise TemplateError("fromJson: is no JSON") from error


def _compared(test: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def apply(first: Any, second: Any) -> bool:
        numbers = isinstance(first, int | float) and isinstance(second, int | float)
        if not numbers and type(first) is not type(second):
            raise TemplateError("incompatible types for comparison")
        return test(first, second)

    return apply


def _text(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on texts: whatever is given is printed first."""
    return lambda *a: function(*(_text_of(i) for i in a))


def _spaced(*items: Any) -> str:
    out = ""
    for index, item in enumerate(items):
        if index and not isinstance(item, str) and not isinstance(items[index - 1], str):
            out += " "
        out += show(item) if item is not None else "<nil>"
    return out


def _replace(old: str, new: str, text: str) -> str:
    if text.count(old) * len(new) > _MAX_TEXT:
        raise TemplateError("replace writes too much")
    return text.replace(old, new)


def _join(sign: Any, items: Any) -> str:
    texts = [_text_of(i) for i in (items if isinstance(items, list | tuple) else [items])]
    if sum(len(t) for t in texts) + len(texts) * len(_text_of(sign)) > _MAX_TEXT:
        raise TemplateError("join writes too much")
    return _text_of(sign).join(texts)


def _list(items: Any) -> list[Any]:
    if items is None:
        return []
    if isinstance(items, list | tuple):
        return list(items)
    raise TemplateError("needs a list")


def _unique(items: Any) -> list[Any]:
    out: list[Any] = []
    for item in _list(items)[:2_000]:
        if item not in out:
            out.append(item)
    return out


def _digest(name: str, text: Any) -> str:
    import hashlib

    return hashlib.new(name, _bytes(text), usedforsecurity=False).hexdigest()


_PURE: dict[str, Callable[..., Any]] = {
    # text
    "quote": _quote, "squote": _squote, "indent": _indent,
    "nindent": lambda w, t: "\n" + _indent(w, t),
    "trim": _text(str.strip), "trimAll": _text(lambda c, t: t.strip(c)),
    "trimSuffix": _text(lambda c, t: t.removesuffix(c)),
    "trimPrefix": _text(lambda c, t: t.removeprefix(c)),
    "trunc": _trunc, "upper": _text(str.upper), "lower": _text(str.lower),
    "title": _text(lambda t: re.sub(r"\b\w", lambda m: m.group().upper(), t)),
    "untitle": _text(lambda t: re.sub(r"\b\w", lambda m: m.group().lower(), t)),
    "nospace": _text(lambda t: "".join(t.split())),
    "replace": _text(_replace),
    "contains": _text(lambda part, t: part in t),
    "hasPrefix": _text(lambda part, t: t.startswith(part)),
    "hasSuffix": _text(lambda part, t: t.endswith(part)),
    "cat": lambda *a: " ".join(show(i) for i in a if i is not None),
    "repeat": _repeat, "substr": lambda s, e, t: _text_of(t)[_integer(s) : _integer(e) if _integer(e) >= 0 else None],
    "camelcase": _text(_camel), "snakecase": _text(lambda t: _snake(t, "_")),
    "kebabcase": _text(lambda t: _snake(t, "-")),
    "plural": lambda one, many, n: one if _integer(n) == 1 else many,
    "toString": _text_of, "toStrings": lambda a: [_text_of(i) for i in _list(a)],
    "print": _spaced,
    "println": lambda *a: " ".join("<nil>" if i is None else show(i) for i in a) + "\n",
    "b64enc": lambda t: base64.b64encode(_bytes(t)).decode(), "b64dec": _decode,
    "sha256sum": lambda t: _digest("sha256", t), "sha1sum": lambda t: _digest("sha1", t),
    "base": _text(posixpath.basename), "dir": _text(posixpath.dirname),
    "ext": _text(lambda t: posixpath.splitext(t)[1]), "clean": _text(posixpath.normpath),
    "isAbs": _text(lambda t: t.startswith("/")),
    "join": _join,
    "splitList": lambda sep, t: _text_of(t).split(sep) if sep else list(_text_of(t)),
    "split": lambda sep, t: {f"_{i}": p for i, p in enumerate(_text_of(t).split(sep))},
    "splitn": lambda sep, n, t: {f"_{i}": p for i, p in enumerate(_text_of(t).split(sep, _integer(n) - 1))},
    "regexMatch": _regex(lambda p, t: p.search(t) is not None),
    "regexFind": _regex(lambda p, t: m.group() if (m := p.search(t)) else ""),
    "regexFindAll": _regex(lambda p, t, n: [m.group() for m in p.finditer(t)][: _integer(n) if _integer(n) >= 0 else None]),
    "regexReplaceAll": _regex(lambda p, t, r: p.sub(_replacement(r), t)),
    "regexReplaceAllLiteral": _regex(lambda p, t, r: p.sub(lambda _: r, t)),
    "regexSplit": _regex(lambda p, t, n: p.split(t)),
    "semverCompare": _semver_compare,
    # numbers
    "int": _integer, "int64": _integer, "atoi": _integer, "float64": _float,
    "toDecimal": lambda t: int(str(t), 8),
    "add": lambda *a: sum(_integer(i) for i in a), "add1": lambda i: _integer(i) + 1,
    "sub": lambda a, b: _integer(a) - _integer(b),
    "mul": lambda *a: math.prod(_integer(i) for i in a),
    "div": lambda a, b: int(_integer(a) / _integer(b)) if _integer(b) else _fail("division by zero"),
    "mod": lambda a, b: int(math.fmod(_integer(a), _integer(b))) if _integer(b) else _fail("division by zero"),
    "addf": lambda *a: sum(_float(i) for i in a), "subf": lambda a, b: _float(a) - _float(b),
    "mulf": lambda *a: math.prod(_float(i) for i in a),
    "divf": lambda a, b: _float(a) / _float(b) if _float(b) else _fail("division by zero"),
    "max": lambda *a: max(_integer(i) for i in a), "min": lambda *a: min(_integer(i) for i in a),
    "maxf": lambda *a: max(_float(i) for i in a), "minf": lambda *a: min(_float(i) for i in a),
    "ceil": lambda a: float(math.ceil(_float(a))), "floor": lambda a: float(math.floor(_float(a))),
    "round": _round, "until": _until, "untilStep": _until_step,
    "seq": lambda *a: " ".join(map(str, range(_integer(a[0]) if len(a) > 1 else 1, _integer(a[-1]) + 1)[:_MAX_ITEMS])),
    # collections
    "keys": lambda *a: [k for m in a for k in m], "values": lambda m: list(m.values()),
    "pick": lambda m, *k: {n: m[n] for n in k if n in m},
    "omit": lambda m, *k: {n: v for n, v in m.items() if n not in k},
    "deepCopy": _copy, "get": lambda m, k: m.get(k, "") if m else "",
    "unset": lambda m, k: (m.pop(k, None), m)[1], "hasKey": lambda m, k: bool(m) and k in m,
    "pluck": lambda k, *a: [m[k] for m in a if m and k in m],
    "first": lambda a: _list(a)[0] if _list(a) else None,
    "last": lambda a: _list(a)[-1] if _list(a) else None,
    "rest": lambda a: _list(a)[1:], "initial": lambda a: _list(a)[:-1],
    "reverse": lambda a: _list(a)[::-1], "uniq": _unique,
    "compact": lambda a: [i for i in _list(a) if truth(i)],
    "sortAlpha": lambda a: sorted(_text_of(i) for i in _list(a)),
    "has": lambda item, a: item in _list(a), "without": lambda a, *o: [i for i in _list(a) if i not in o],
    "concat": lambda *a: [i for part in a for i in _list(part)],
    "chunk": lambda n, a: [_list(a)[i : i + _integer(n)] for i in range(0, len(_list(a)), max(_integer(n), 1))],
    "len": lambda a: 0 if a is None else len(a), "slice": _slice,
    # kinds and comparisons
    "kindOf": _kind, "typeOf": _type_of,
    "kindIs": lambda k, i: _kind(i) == k or (k == "float64" and _kind(i) == "int"),
    "typeIs": lambda k, i: _type_of(i) == k, "typeIsLike": lambda k, i: _type_of(i) == k.lstrip("*"),
    "deepEqual": lambda a, b: a == b,
    "not": lambda a: not truth(a), "empty": _empty, "all": lambda *a: all(map(truth, a)),
    "any": lambda *a: any(map(truth, a)),
    "lt": _compared(lambda a, b: a < b), "le": _compared(lambda a, b: a <= b),
    "gt": _compared(lambda a, b: a > b), "ge": _compared(lambda a, b: a >= b),
    # formats
    "fromYaml": from_yaml, "fromYamlArray": from_yaml,
    "fromJson": _from_json, "fromJsonArray": _from_json,
}  # fmt: skip
_LOOSE: dict[str, Callable[..., Any]] = {
    "default": _default, "coalesce": _coalesce, "ternary": _ternary, "required": _required,
    "fail": _fail, "printf": _printf, "eq": _equal, "ne": _negated, "merge": _merge,
    "mergeOverwrite": _overwrite, "set": _set, "dict": _dict, "list": lambda *a: list(a),
    "tuple": lambda *a: list(a), "append": lambda a, i: [*_list(a), i], "push": lambda a, i: [*_list(a), i],
    "prepend": lambda a, i: [i, *_list(a)], "dig": _dig, "index": _index,
    "toYaml": lambda i: to_yaml(i) if not isinstance(i, Unknown) else i,
    "toYamlPretty": lambda i: to_yaml(i) if not isinstance(i, Unknown) else i,
    # A cluster answers it at installation; `helm template` sees an empty one.
    "lookup": lambda *_: {},
}  # fmt: skip
_CHANCE = [
    "now",
    "date",
    "dateInZone",
    "dateModify",
    "ago",
    "duration",
    "unixEpoch",
    "htmlDate",
    "toDate",
    "uuidv4",
    "randAlpha",
    "randAlphaNum",
    "randNumeric",
    "randAscii",
    "randBytes",
    "randInt",
    "shuffle",
    "genCA",
    "genSelfSignedCert",
    "genSignedCert",
    "genPrivateKey",
    "genCAWithKey",
    "genSelfSignedCertWithKey",
    "genSignedCertWithKey",
    "htpasswd",
    "bcrypt",
    "derivePassword",
    "encryptAES",
    "decryptAES",
    "getHostByName",
    "adler32sum",
    "sha512sum",
    "env",
    "expandenv",
    "toToml",
    "fromToml",
    "buildCustomCert",
]


def _json(item: Any) -> Any:
    """JSON text, its holes kept as text."""
    return json.dumps(
        _whole(item), sort_keys=True, default=lambda i: HOLE, ensure_ascii=False,
        separators=(",", ":"),
    )  # fmt: skip


def _whole(item: Any) -> Any:
    """Floats without a fraction as JSON writes them."""
    if isinstance(item, Mapping):
        return {key: _whole(child) for key, child in item.items()}
    if isinstance(item, list | tuple):
        return [_whole(child) for child in item]
    if isinstance(item, float) and math.isfinite(item) and item.is_integer() and abs(item) < 1e21:
        return int(item)
    return item


def functions() -> dict[str, Callable[..., Any]]:
    """Every function by name, with its ``must`` twin."""
    table = {name: _known(function) for name, function in _PURE.items()}
    table.update(_LOOSE)
    table.update(dict.fromkeys(("toJson", "toPrettyJson", "toRawJson"), _json))
    for name in _CHANCE:
        table[name] = _unknown(name)
    for name in list(table):
        table[f"must{name[0].upper()}{name[1:]}"] = table[name]
    return table


def _unknown(name: str) -> Callable[..., Any]:
    return lambda *_: Unknown(f"{name} is computed at installation")
