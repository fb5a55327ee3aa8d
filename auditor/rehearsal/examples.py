"""Requests that a service should accept: made from its OpenAPI schema, its code, or a file.

Values are chosen so that they validate: examples, defaults and enumerations first, then the
smallest value that the constraints allow. Where a model wants so many columns, arrays of that
length are tried first.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from auditor import lazy_re as re
from auditor.values import value

_DEPTH: Final = 12
_MOST: Final = 24
_VALUES: Final = 20_000
_PREDICTS = re.compile(
    r"predict|infer|classif|score|invocation|forecast|recommend|embed|detect|segment|transcribe"
    r"|translate|generate|analy[sz]e|sentiment|estimate",
    re.IGNORECASE,
)
_NEVER = re.compile(
    r"\b(?:re)?train|delete|remove|reload|refresh|upload_model|shutdown|reset|admin|login|token|"
    r"register|feedback|metrics|health|batch_job",
    re.IGNORECASE,
)
_FORMATS: Final = {
    "date": "2024-01-02",
    "date-time": "2024-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
    "duration": "P1D",
    "byte": "aGVsbG8=",
}


@value
class Request:
    """One HTTP request. ``source``: schema, static, body, guess. ``declared``: it validates."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = ""
    source: str = "guess"
    declared: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"


def wide(features: Sequence[int]) -> tuple[int, ...]:
    """Lengths to try for arrays of numbers: what the models want, then small ones."""
    return tuple(dict.fromkeys([n for n in features if 0 < n <= 10_000] + [1, 4, 2, 3]))


class Schema:
    """Example values of JSON Schema as OpenAPI uses it; ``length`` is that of number arrays."""

    def __init__(self, document: Mapping[str, Any], length: int = 1) -> None:
        self.document = document
        self.length = length
        # Values that may still be made: a schema that refers to itself twice doubles each time.
        self.left = _VALUES

    def resolve(self, schema: Any, seen: int = 0) -> Mapping[str, Any]:
        """The schema with its ``$ref`` followed; {} when there is none."""
        while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and seen < _DEPTH:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
                key = part.replace("~1", "/").replace("~0", "~")
                found = found.get(key) if isinstance(found, Mapping) else None
            schema = found
            seen += 1
        return schema if isinstance(schema, Mapping) else {}

    def example(self, schema: Any, depth: int = 0, name: str = "") -> Any:
        """A value that validates."""
        self.left -= 1
        if schema is True or depth > _DEPTH or self.left < 0:
            return None
        schema = self.resolve(schema)
        for key in ("example", "const"):
            if key in schema:
                return schema[key]
        examples = schema.get("examples")
        if isinstance(examples, list) and examples:
            return examples[0]
        if isinstance(examples, Mapping) and examples:
            first = next(iter(examples.values()))
            return first.get("value") if isinstance(first, Mapping) else first
        if schema.get("enum"):
            return schema["enum"][0]
        if schema.get("default") is not None:
            return schema["default"]
        if schema.get("allOf"):
            return self._all(schema, depth, name)
        for key in ("anyOf", "oneOf"):
            options = [self.resolve(s) for s in schema.get(key) or ()]
            wanted = [o for o in options if o.get("type") != "null"]
            if wanted or options:
                return self.example((wanted or options)[0], depth + 1, name)
        return self._typed(schema, depth, name)

    def _all(self, schema: Mapping[str, Any], depth: int, name: str) -> Any:
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            part = self.resolve(part)
            for key, item in part.items():
                if key == "properties":
                    merged["properties"] = {**merged.get("properties", {}), **item}
                elif key == "required":
                    merged["required"] = [*merged.get("required", []), *item]
                else:
                    merged.setdefault(key, item)
        return self.example(merged, depth + 1, name)

    def _typed(self, schema: Mapping[str, Any], depth: int, name: str) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((k for k in kind if k != "null"), "null")
        if kind is None:
            kind = (
                "object"
                if "properties" in schema
                else "array"
                if "items" in schema or "prefixItems" in schema
                else None
            )
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth, name)
        if kind in ("number", "integer"):
            return number(schema, whole=kind == "integer")
        if kind == "boolean":
            return True
        if kind == "string":
            return text(schema, name)
        return None if kind == "null" else 1.0 if _looks_numeric(name) else "text"

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = [r for r in schema.get("required") or () if isinstance(r, str)]
        wanted = [n for n in properties if n in required]
        # Without required fields all of them are given: an empty object validates but says nothing.
        if not wanted and depth < 4:
            wanted = list(properties)
        made = {n: self.example(properties[n], depth + 1, n) for n in wanted}
        for missing in required:
            made.setdefault(missing, "text")
        extra = schema.get("additionalProperties")
        least = schema.get("minProperties")
        if not made and isinstance(extra, Mapping):
            made["key"] = self.example(extra, depth + 1, "key")
        for index in range(len(made), min(least if isinstance(least, int) else 0, 20)):
            made[f"key{index}"] = self.example(extra or {}, depth + 1, "key")
        return made

    def _array(self, schema: Mapping[str, Any], depth: int, name: str) -> list[Any]:
        prefix = schema.get("prefixItems")
        if isinstance(prefix, list) and prefix:
            return [self.example(item, depth + 1, name) for item in prefix]
        items = self.resolve(schema.get("items") or {})
        least = schema.get("minItems") if isinstance(schema.get("minItems"), int) else 0
        most = schema.get("maxItems") if isinstance(schema.get("maxItems"), int) else None
        count = max(least or 0, 1)
        kind = items.get("type")
        kinds: list[Any] = kind if isinstance(kind, list) else [kind]
        if ({"number", "integer"} & set(kinds)) or _any_number(items):
            count = max(least or 0, self.length)
        if most is not None:
            count = min(count, most)
        return [self.example(items, depth + 1, name) for _ in range(min(count, 10_000))]


def _any_number(items: Mapping[str, Any]) -> bool:
    options = [*(items.get("anyOf") or ()), *(items.get("oneOf") or ())]
    return any(isinstance(o, Mapping) and o.get("type") in ("number", "integer") for o in options)


def _looks_numeric(name: str) -> bool:
    return not re.search(r"text|name|message|prompt|sentence|query|review|url|image", name, re.I)


def number(schema: Mapping[str, Any], *, whole: bool) -> float | int:
    """The number closest to 1 that the bounds allow."""
    low: Any = schema.get("minimum")
    high: Any = schema.get("maximum")
    low_open: Any
    high_open: Any
    low_open, high_open = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    # OpenAPI 3.0 has booleans beside the bounds, 3.1 has the bounds themselves.
    if low_open is True:
        low_open = low
    if high_open is True:
        high_open = high
    step = 1 if whole else 0.5
    least: Any = max((x for x in (low, _above(low_open, step)) if _is_number(x)), default=None)
    most: Any = min((x for x in (high, _below(high_open, step)) if _is_number(x)), default=None)
    chosen: float = 1
    if least is not None and chosen < least:
        chosen = least
    if most is not None and chosen > most:
        chosen = most
    if not whole and _is_number(high_open) and _is_number(low_open):
        chosen = (low_open + high_open) / 2
    elif not whole and _is_number(high_open) and _is_number(low) and not low <= chosen < high_open:
        chosen = (low + high_open) / 2
    factor = schema.get("multipleOf")
    if _is_number(factor) and factor:
        times = -(-chosen // factor)
        chosen = times * factor
        if most is not None and chosen > most:
            chosen = (most // factor) * factor
    return int(chosen) if whole else float(chosen)


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)


def _above(bound: Any, step: float) -> Any:
    return bound + step if _is_number(bound) else None


def _below(bound: Any, step: float) -> Any:
    return bound - step if _is_number(bound) else None


def text(schema: Mapping[str, Any], name: str = "") -> str:
    """A string of that format, pattern and length."""
    if schema.get("format") in ("binary", "byte") or schema.get("contentEncoding") == "base64":
        return base64.b64encode(png()).decode()
    made = _FORMATS.get(str(schema.get("format"))) or "text"
    if re.search(r"image|base64|b64", name, re.IGNORECASE) and "format" not in schema:
        made = base64.b64encode(png()).decode()
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        made = from_pattern(pattern) or made
    least = schema.get("minLength") if isinstance(schema.get("minLength"), int) else 0
    most = schema.get("maxLength") if isinstance(schema.get("maxLength"), int) else None
    if len(made) < (least or 0):
        made = (made * ((least or 0) // max(len(made), 1) + 1))[: min(least or 0, 100_000)]
    if most is not None and not isinstance(pattern, str):
        made = made[:most]
    return made


def from_pattern(pattern: str) -> str | None:
    """A string that the pattern matches, for the plain ones; None when that is not found."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if len(pattern) > 300:
                return None
            import re as patterns

            compiled = patterns.compile(pattern)
            parser: Any = getattr(patterns, "_parser")  # noqa: B009
            made = _spell(parser.parse(pattern), 0)
        except Exception:
            return None
    return made if made and len(made) <= 256 and compiled.search(made) else None


def _spell(parsed: Any, depth: int) -> str | None:
    if depth > _DEPTH:
        return None
    made = ""
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            made += chr(argument)
        elif name == "IN":
            kind, first = argument[0]
            if str(kind) == "RANGE":
                made += chr(first[0])
            elif str(kind) == "LITERAL":
                made += chr(first)
            elif str(kind) == "CATEGORY":
                made += {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(first), "a")
            else:
                return None
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, inner = argument
            piece = _spell(inner, depth + 1)
            if piece is None:
                return None
            made += piece * min(max(int(least), 1 if int(most) else 0), 64)
        elif name == "SUBPATTERN":
            piece = _spell(argument[3], depth + 1)
            if piece is None:
                return None
            made += piece
        elif name == "BRANCH":
            piece = _spell(argument[1][0], depth + 1)
            if piece is None:
                return None
            made += piece
        elif name == "ANY":
            made += "a"
        elif name != "AT":
            return None
    return made


def png() -> bytes:
    """A valid picture: 32 by 32, RGB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    rows = b"".join(
        b"\0" + bytes((x * 8) % 256 for x in range(32) for _ in range(3)) for _ in range(32)
    )
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


# Requests


def from_openapi(
    document: Any, *, wanted: Sequence[str] = (), features: Sequence[int] = ()
) -> tuple[Request, ...]:
    """Requests for the prediction operation; ``wanted`` are its paths where the code says them."""
    try:
        return _from_openapi(document, wanted, features)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError):
        # The document comes from the service: one that is malformed describes nothing.
        return ()


def _from_openapi(
    document: Any, wanted: Sequence[str], features: Sequence[int]
) -> tuple[Request, ...]:
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        return ()
    ranked = sorted(_operations(document, wanted), key=lambda item: item[0])
    if not ranked or ranked[0][0] >= 4:
        return ()
    _, path, method, operation, shared = ranked[0]
    made: list[Request] = []
    for length in wide(features):
        request = _request(document, path, method, operation, shared, length)
        if request is not None and request not in made:
            made.append(request)
    return tuple(made[:_MOST])


def _operations(
    document: Mapping[str, Any], wanted: Sequence[str]
) -> Iterator[tuple[int, str, str, Mapping[str, Any], list[Any]]]:
    posts = 0
    found = []
    for path, item in document["paths"].items():
        if not isinstance(item, Mapping):
            continue
        for method in ("post", "put", "get"):
            operation = item.get(method)
            if not isinstance(operation, Mapping):
                continue
            words = f"{path} {operation.get('operationId') or ''} {operation.get('summary') or ''}"
            if method == "post" and not _NEVER.search(words):
                posts += 1
            found.append((str(path), method, operation, list(item.get("parameters") or ()), words))
    for path, method, operation, shared, words in found:
        rank = 5
        if path in wanted and method != "get":
            rank = 0
        elif _PREDICTS.search(path) and method != "get" and not _NEVER.search(path):
            rank = 1
        elif path in wanted or (_PREDICTS.search(words) and not _NEVER.search(path)):
            rank = 2
        elif method == "post" and posts == 1 and not _NEVER.search(words):
            rank = 3
        yield rank, path, method, operation, shared


def _request(
    document: Mapping[str, Any],
    path: str,
    method: str,
    operation: Mapping[str, Any],
    shared: Iterable[Any],
    length: int,
) -> Request | None:
    schema = Schema(document, length)
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    for parameter in [*shared, *(operation.get("parameters") or ())]:
        parameter = schema.resolve(parameter)
        name, place = str(parameter.get("name") or ""), parameter.get("in")
        if not parameter.get("required") and place != "path":
            continue
        item = parameter.get("example")
        if item is None:
            item = schema.example(parameter.get("schema") or {}, 0, name)
        if place == "path":
            path = path.replace(f"{{{name}}}", quote(_plain(item), safe=""))
        elif place == "query":
            values = item if isinstance(item, list) else [item]
            query += [(name, _plain(v)) for v in values]
        elif place == "header":
            headers.append((name, _plain(item)))
    if query:
        path += "?" + urlencode(query)
    if not path.startswith("/") or re.search(r"[\s\x00-\x1f]", path):
        return None
    body, kind = _body(schema, schema.resolve(operation.get("requestBody") or {}))
    return Request(
        method=method.upper(),
        path=path,
        body=body,
        content_type=kind,
        source="schema",
        declared=True,
        headers=tuple(headers),
    )


def _plain(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return str(item)


def _body(schema: Schema, body: Mapping[str, Any]) -> tuple[bytes, str]:
    content = body.get("content")
    if not isinstance(content, Mapping) or not content:
        return b"", ""
    for kind in ("application/json", "multipart/form-data", "application/x-www-form-urlencoded"):
        if kind not in content:
            continue
        media = content[kind] if isinstance(content[kind], Mapping) else {}
        item: Any = media.get("example")
        examples = media.get("examples")
        if item is None and isinstance(examples, Mapping) and examples:
            first = next(iter(examples.values()))
            item = first.get("value") if isinstance(first, Mapping) else None
        if kind == "multipart/form-data":
            return multipart(schema, schema.resolve(media.get("schema") or {}))
        if item is None:
            item = schema.example(media.get("schema") or {})
        if kind == "application/json":
            return json.dumps(item).encode(), kind
        pairs = item.items() if isinstance(item, Mapping) else ()
        return urlencode([(k, _plain(v)) for k, v in pairs]).encode(), kind
    kind = str(next(iter(content)))
    if kind.startswith("image/") or kind == "application/octet-stream":
        return png(), "image/png" if kind.startswith("image/") else kind
    return b"text", kind if "*" not in kind else "text/plain"


def multipart(schema: Schema, wanted: Mapping[str, Any]) -> tuple[bytes, str]:
    """A form in which files are pictures."""
    parts: list[tuple[str, str | None, bytes]] = []
    required = set(wanted.get("required") or ())
    properties = wanted.get("properties")
    for name, inner in properties.items() if isinstance(properties, Mapping) else ():
        if required and name not in required:
            continue
        inner = schema.resolve(inner)
        repeated = schema.resolve(inner.get("items") or {}) if inner.get("type") == "array" else {}
        if is_file(inner) or is_file(repeated):
            parts.append((str(name), "example.png", png()))
        else:
            item = schema.example(inner, 1, str(name))
            plain = json.dumps(item) if isinstance(item, list | dict) else _plain(item)
            parts.append((str(name), None, plain.encode()))
    return form(parts)


def is_file(schema: Mapping[str, Any]) -> bool:
    """Whether the field of a form is an uploaded file."""
    return schema.get("format") == "binary" or "contentMediaType" in schema


def form(parts: Iterable[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """``multipart/form-data`` of (name, file name, content)."""
    boundary = "deploy-audit-3f1b7c0d"
    made = b""
    for name, file, content in parts:
        made += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if file:
            made += f'; filename="{file}"\r\nContent-Type: image/png'.encode()
        made += b"\r\n\r\n" + content + b"\r\n"
    made += f"--{boundary}--\r\n".encode()
    return made, f"multipart/form-data; boundary={boundary}"


@value
class Field:
    """A field that the code reads from an undeclared request."""

    name: str
    type: str
    source: str


def from_code(
    method: str, path: str, fields: Sequence[Field], features: Sequence[int] = ()
) -> tuple[Request, ...]:
    """Requests for a handler whose code reads these fields; several, for their types are guessed."""
    if re.search(r"[<{:]", path):
        path = re.sub(r"<(?:\w+:)?\w+>|\{\w+(?::\w+)?\}|:\w+", "1", path)
    files = [f for f in fields if f.source == "file"]
    forms = [f for f in fields if f.source == "form"]
    keys = [f for f in fields if f.source in ("json-key", "body", "column")]
    query = [f for f in fields if f.source == "query"]
    if query:
        path += "?" + urlencode([(f.name, _guess(f, 1)) for f in query])
    made: list[Request] = []

    def add(body: bytes, kind: str) -> None:
        request = Request(method=method, path=path, body=body, content_type=kind, source="static")
        if request not in made:
            made.append(request)

    if method == "GET":
        return (Request(method=method, path=path, source="static"),)
    if files:
        parts: list[tuple[str, str | None, bytes]] = [(f.name, "example.png", png()) for f in files]
        parts += [(f.name, None, str(_guess(f, 1)).encode()) for f in forms]
        add(*form(parts))
        return tuple(made)
    if forms:
        for sample in (None, "1", "text"):
            pairs = [(f.name, sample or str(_guess(f, 1))) for f in forms]
            add(urlencode(pairs).encode(), "application/x-www-form-urlencoded")
        return tuple(made)
    for length in wide(features):
        row = [1.0] * length
        samples: list[Any] = [[row], row, 1.0, "text", [{"x": 1.0}]]
        for sample in samples:
            if len(keys) == 1:
                add(json.dumps({keys[0].name: sample}).encode(), "application/json")
            elif keys:
                typed = {f.name: _typed_guess(f, sample) for f in keys}
                add(json.dumps(typed).encode(), "application/json")
            else:
                for name in ("features", "data", "input", "inputs", "instances"):
                    add(json.dumps({name: sample}).encode(), "application/json")
                add(json.dumps(sample).encode(), "application/json")
            if length != wide(features)[0]:
                break
    return tuple(made[:_MOST])


def _guess(field: Field, default: Any) -> Any:
    if field.type in ("str", "string") or not _looks_numeric(field.name):
        return "text"
    return default


def _typed_guess(field: Field, sample: Any) -> Any:
    if field.type in ("int", "float", "number"):
        return 1
    if field.type in ("str", "string"):
        return "text"
    if not isinstance(sample, list):
        return sample if _looks_numeric(field.name) else "text"
    return sample


def wanted_features(message: str) -> int | None:
    """The number of columns that an error says the model wants."""
    for pattern in (
        r"expecting (\d+) features",
        r"expected (\d+),? got \d+",
        r"Got:? ?\d+,? Expected:? ?(\d+)",
        r"shape mismatch, expected: (\d+)",
        r"number of features in data \(\d+\) is not the same as it was in training data \((\d+)\)",
        r"expects (\d+) (?:features|inputs|columns)",
        r"size \d+ is different from (\d+)",
        r"(?:expected axis -1 of input shape to have value|to have shape \(None,) ?(\d+)",
    ):
        match = re.search(pattern, message)
        if match and 0 < int(match[1]) <= 10_000:
            return int(match[1])
    return None
