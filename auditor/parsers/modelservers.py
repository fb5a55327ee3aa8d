"""Configuration of model servers: TorchServe's properties, MLServer's JSON, Triton's text protobuf.

Nothing here knows what a setting does; ``deployment.modelservers`` does.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import lazy_re as re
from auditor.parsers import yamldoc
from auditor.parsers.serverconf import Expression, ServerConfig, Setting
from auditor.source import Location, Problem, SourceText
from auditor.values import value

_MAX_TOKENS = 50_000
_MAX_DEPTH = 32
_ADDRESS = re.compile(r"^https?://(\[[^\]]*\]|[^:/]*)(?::(\d+))?/?$")


# ---- config.properties of TorchServe ----


def properties(source: SourceText) -> Iterator[tuple[str, str, Location]]:
    """``name=value`` lines of a Java properties file, with the place of the value."""
    for number, line in enumerate(source.lines, 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#!":
            continue
        name, mark, text = line.partition("=" if "=" in line else ":")
        if mark:
            start = len(name) + 1 + len(text) - len(text.lstrip()) + 1
            end = start + len(text.strip())
            yield name.strip(), text.strip(), Location(source.path, number, start, number, end)


def parse_torchserve(source: SourceText) -> ServerConfig:
    """``config.properties``; ``inference_address`` is given as ``host`` and ``port`` as well."""
    settings: list[Setting] = []
    for name, text, at in properties(source):
        settings.append(Setting(name=name, value=_text(text), at=at))
        if name == "inference_address":
            found = _ADDRESS.match(text)
            if found is None:
                unknown = Expression(kind="unknown", text="the inference address is not plain")
                settings += [Setting(name=n, value=unknown, at=at) for n in ("host", "port")]
                continue
            secure = text.startswith("https")
            settings.append(Setting(name="host", value=_text(found[1].strip("[]")), at=at))
            settings.append(
                Setting(name="port", value=_text(found[2] or ("8443" if secure else "8080")), at=at)
            )
    return ServerConfig(
        kind="torchserve",
        path=source.path,
        settings=tuple(settings),
        problems=source.problems,
    )


def _text(text: str) -> Expression:
    return Expression(kind="literal", text=text)


# ---- settings.json of MLServer ----

_MLSERVER = {"http_port": "port", "parallel_workers": "workers"}


def parse_mlserver(source: SourceText) -> ServerConfig:
    """``settings.json`` of MLServer."""
    settings: list[Setting] = []
    stream = yamldoc.parse(source)
    for document in stream.documents[:1]:
        if not isinstance(document, yamldoc.Mapping):
            continue
        settings += [
            Setting(
                name=_MLSERVER.get(entry.name, entry.name),
                value=_text(entry.value.text),
                at=entry.value.at,
            )
            for entry in document.entries
            if isinstance(entry.value, yamldoc.Scalar)
        ]
    return ServerConfig(
        kind="mlserver",
        path=source.path,
        settings=tuple(settings),
        problems=(*source.problems, *stream.problems),
    )


@value
class ModelSettings:
    """A ``model-settings.json`` of MLServer."""

    at: Location
    name: str | None = None
    implementation: str | None = None
    implementation_at: Location | None = None
    uri: str | None = None
    uri_at: Location | None = None


def parse_model_settings(source: SourceText) -> ModelSettings | None:
    """What MLServer is told of one model; None when the file is no JSON object."""
    stream = yamldoc.parse(source)
    document = stream.documents[0] if stream.documents else None
    if not isinstance(document, yamldoc.Mapping):
        return None

    def scalar(*path: str) -> yamldoc.Scalar | None:
        found = document.get(*path)
        return found if isinstance(found, yamldoc.Scalar) and found.str() else None

    name, implementation = scalar("name"), scalar("implementation")
    uri = scalar("parameters", "uri")
    return ModelSettings(
        at=source.at(1),
        name=name.text if name else None,
        implementation=implementation.text if implementation else None,
        implementation_at=implementation.at if implementation else None,
        uri=uri.text if uri else None,
        uri_at=uri.at if uri else None,
    )


# ---- text protobuf: config.pbtxt of Triton, models.config of TensorFlow Serving ----


@value
class Field:
    """``name: value`` or ``name { … }``; ``value`` is text as written (unquoted) or a message."""

    name: str
    value: str | Message
    at: Location


@value
class Message:
    """Fields in order; a list ``name: [a, b]`` is as many fields."""

    fields: tuple[Field, ...] = ()
    problems: tuple[Problem, ...] = ()

    def all(self, name: str) -> tuple[Field, ...]:
        """Every field of that name."""
        return tuple(f for f in self.fields if f.name == name)

    def text(self, name: str) -> str | None:
        """The last scalar of that name."""
        found = self.scalar(name)
        return str(found.value) if found is not None else None

    def scalar(self, name: str) -> Field | None:
        """The last field of that name that is no message."""
        return next(
            (f for f in reversed(self.fields) if f.name == name and isinstance(f.value, str)), None
        )

    def messages(self, name: str) -> tuple[Message, ...]:
        """Every message of that name."""
        return tuple(f.value for f in self.all(name) if isinstance(f.value, Message))


_TOKEN = re.compile(
    r"""(?P<space>[\s,;]+|\#[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<mark>[:{}<>\[\]])|(?P<word>[^\s,;:{}<>\[\]"'\#]+)"""
)


def parse_pbtxt(source: SourceText) -> Message:
    """A text protobuf; what cannot be read is a fatal problem, and the fields before it stay."""
    return _Reader(source).run()


class _Reader:
    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.tokens: list[tuple[str, str, Location]] = []
        self.problems: list[Problem] = list(source.problems)
        self.index = 0

    def run(self) -> Message:
        self._split()
        fields = self._fields("", 0)
        if self.index < len(self.tokens) and not self.problems:
            self._problem(self.tokens[self.index][2], "is not expected here")
        return Message(fields=tuple(fields), problems=tuple(self.problems))

    def _problem(self, at: Location, message: str) -> None:
        self.problems.append(Problem(at=at, message=message, fatal=True))
        self.index = len(self.tokens)

    def _split(self) -> None:
        for number, line in enumerate(self.source.lines, 1):
            at = 0
            while at < len(line):
                found = _TOKEN.match(line, at)
                place = Location(self.source.path, number, at + 1, number, at + 2)
                if found is None or len(self.tokens) >= _MAX_TOKENS:
                    self.problems.append(
                        Problem(at=place, message="cannot be read as text protobuf", fatal=True)
                    )
                    return
                if found.lastgroup != "space":
                    place = Location(self.source.path, number, at + 1, number, found.end() + 1)
                    self.tokens.append((str(found.lastgroup), found.group(), place))
                at = found.end()

    def _next(self) -> tuple[str, str, Location] | None:
        if self.index >= len(self.tokens):
            return None
        self.index += 1
        return self.tokens[self.index - 1]

    def _peek(self) -> str:
        return self.tokens[self.index][1] if self.index < len(self.tokens) else ""

    def _fields(self, close: str, depth: int) -> list[Field]:
        found: list[Field] = []
        while (token := self._next()) is not None:
            kind, text, at = token
            if kind == "mark" and text == close:
                return found
            if kind != "word" or depth > _MAX_DEPTH:
                self._problem(at, f"`{text[:20]}` is not expected here")
                return found
            if self._peek() == ":":
                self.index += 1
            if self._peek() == "[":
                self.index += 1
                while self._peek() not in ("]", ""):
                    item = self._value(depth)
                    if item is None:
                        return found
                    found.append(Field(name=text, value=item[0], at=item[1]))
                self.index += 1
                continue
            item = self._value(depth)
            if item is None:
                return found
            found.append(Field(name=text, value=item[0], at=item[1]))
        if close and not self.problems:
            self._problem(self.source.at(max(len(self.source.lines), 1)), f"`{close}` is missing")
        return found

    def _value(self, depth: int) -> tuple[str | Message, Location] | None:
        token = self._next()
        if token is None:
            self._problem(self.source.at(max(len(self.source.lines), 1)), "a value is missing")
            return None
        kind, text, at = token
        if text in ("{", "<") and kind == "mark":
            inner = self._fields("}" if text == "{" else ">", depth + 1)
            return Message(fields=tuple(inner)), at
        if kind == "text":
            return text[1:-1], at
        if kind == "word":
            return text, at
        self._problem(at, f"`{text}` is not expected here")
        return None
