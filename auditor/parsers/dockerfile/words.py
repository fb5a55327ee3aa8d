"""Words and variables: quotes, ``$NAME`` and its operators, as BuildKit's shell lexer takes them."""

from __future__ import annotations

from collections.abc import Mapping

from auditor import lazy_re as re
from auditor.parsers.dockerfile.lines import SPACES
from auditor.source import Unknown

_HEREDOC = re.compile(r"(\d*)<<(-?)[\t\n\f\r ]*([^<]*)", re.ASCII)
_MAX_NESTING = 64
# The kernel passes no longer variable to a process.
_MAX_VALUE = 131_072


class MalformedError(Exception):
    """A word that the builder's lexer refuses."""


class _UndecidedError(Exception):
    """The value of the word hangs on a variable that is not statically known."""


def expand(
    word: str, variables: Mapping[str, str | Unknown | None], escape: str = "\\"
) -> str | Unknown:
    """The word with quotes removed and variables substituted.

    A name that is missing from ``variables`` (or None) is unset: empty, as in a build. One
    mapped to ``Unknown`` makes the result Unknown wherever it matters. A malformed word, which
    stops a build, is Unknown with the builder's complaint as its reason.
    """
    if not (escape in word or "$" in word or '"' in word or "'" in word):
        return word
    try:
        return Lexer(word, variables, escape).result()
    except MalformedError as error:
        return Unknown(f"malformed word: {error}")
    except _UndecidedError as error:
        return Unknown(str(error))


def expand_words(
    word: str, variables: Mapping[str, str | Unknown | None], escape: str = "\\"
) -> tuple[str, ...] | Unknown:
    """Like ``expand``, but unquoted spaces in values split words (EXPOSE and nothing else)."""
    try:
        return tuple(Lexer(word, variables, escape).words())
    except MalformedError as error:
        return Unknown(f"malformed word: {error}")
    except _UndecidedError as error:
        return Unknown(str(error))


def is_heredoc(word: str) -> bool:
    """Whether a COPY source such as ``<<EOF`` names a here-document."""
    try:
        return "<<" in word and heredoc_word(word) is not None
    except MalformedError:
        return False


def heredoc_name(word: str) -> str | None:
    """The name in a ``<<NAME`` word, unquoted; None when the word is none."""
    try:
        opening = heredoc_word(word) if "<<" in word else None
    except MalformedError:
        return None
    return opening[0] if opening else None


def heredoc_word(word: str) -> tuple[str, bool, bool, int] | None:
    """(name, expand, chomp, descriptor) of ``<<NAME``, ``3<<-"NAME"`` and the like."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[3]:
        return None
    words = Lexer(match[3], {}, "\\", skip_unset=True).words()
    if len(words) != 1:
        return None
    raw = Lexer(match[3], {}, "\\", skip_unset=True, raw_quotes=True).words()
    if len(raw) != 1:
        raise MalformedError(f"heredoc word {match[3]}")
    quotes = words[0].count("'") + words[0].count('"')
    expand_body = quotes == raw[0].count("'") + raw[0].count('"')
    descriptor = int(match[1]) if 0 < len(match[1]) < 10 else 0
    return words[0], expand_body, match[2] == "-", descriptor


class Lexer:
    """The builder's word lexer: quotes, escapes and ``$`` forms.

    ``raw`` keeps quotes and escapes and leaves unset variables as they are written: that is
    how here-document words are found in a line.
    """

    def __init__(
        self,
        text: str,
        variables: Mapping[str, str | Unknown | None],
        escape: str,
        *,
        raw: bool = False,
        raw_quotes: bool = False,
        skip_unset: bool = False,
    ) -> None:
        self.text = text
        self.variables = variables
        self.escape = escape
        self.raw_quotes = raw or raw_quotes
        self.raw_escapes = raw
        self.skip_unset = raw or skip_unset
        self.position = 0
        self.depth = 0
        self.substituted = 0

    def result(self) -> str:
        return self._until("", self.raw_escapes)[0]

    def words(self) -> list[str]:
        return self._until("", self.raw_escapes)[1]

    def _until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        before, self.raw_escapes = self.raw_escapes, raw_escapes
        self.depth += 1
        if self.depth > _MAX_NESTING:
            raise MalformedError("substitutions are nested too deeply")
        try:
            return self._scan(stop)
        finally:
            self.raw_escapes = before
            self.depth -= 1

    def _scan(self, stop: str) -> tuple[str, list[str]]:
        text, size = self.text, len(self.text)
        out: list[str] = []
        words: list[str] = []
        word: list[str] = []

        def split(chunk: str) -> None:
            # Spaces that come from outside quotes end a word.
            for char in chunk:
                if char not in SPACES:
                    word.append(char)
                elif word and any(word):
                    words.append("".join(word))
                    word.clear()

        while self.position < size:
            char = text[self.position]
            if char == stop:
                self.position += 1
                break
            if char == "'" or char == '"':
                piece = self._single() if char == "'" else self._double()
                out.append(piece)
                word.append(piece)
            elif char == "$":
                piece = self._dollar()
                out.append(piece)
                split(piece)
            elif char == "<":
                piece = self._less()
                out.append(piece)
                word.append(piece)
            else:
                self.position += 1
                if char == self.escape:
                    if self.raw_escapes:
                        out.append(char)
                        word.append(char)
                    if self.position >= size:
                        break
                    char = text[self.position]
                    self.position += 1
                    out.append(char)
                    word.append(char)
                else:
                    out.append(char)
                    split(char)
        else:
            if stop:
                raise MalformedError(
                    f"unexpected end of statement while looking for matching {stop}"
                )
        if any(word):
            words.append("".join(word))
        return "".join(out), words

    def _single(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            self.position = len(self.text)
            raise MalformedError(
                "unexpected end of statement while looking for matching single-quote"
            )
        start, self.position = self.position, end + 1
        return self.text[start : end + 1] if self.raw_quotes else self.text[start + 1 : end]

    def _double(self) -> str:
        text, size = self.text, len(self.text)
        out = ['"'] if self.raw_quotes else []
        self.position += 1
        while self.position < size:
            char = text[self.position]
            if char == "$":
                out.append(self._dollar())
                continue
            self.position += 1
            if char == '"':
                if self.raw_quotes:
                    out.append(char)
                return "".join(out)
            if char == self.escape:
                if self.raw_escapes:
                    out.append(char)
                if self.position >= size:
                    break
                following = text[self.position]
                if following in ('"', "$", self.escape):
                    self.position += 1
                    char = following
            out.append(char)
        raise MalformedError("unexpected end of statement while looking for matching double-quote")

    def _less(self) -> str:
        """``<<`` swallows the blanks before its word."""
        start = self.position
        self.position += 1
        if self.text.startswith("<", self.position):
            self.position += 1
            while self.text.startswith((" ", "\t", "\r", "\n"), self.position):
                self.position += 1
        return self.text[start : self.position]

    def _name(self) -> str:
        text, start = self.text, self.position
        end = start
        if end < len(text) and text[end].isdecimal():
            while end < len(text) and text[end].isdecimal():
                end += 1
        elif end < len(text) and text[end] in "@*#?-$!":
            end += 1
        else:
            while end < len(text) and (
                text[end].isalpha() or text[end].isdecimal() or text[end] == "_"
            ):
                end += 1
        self.position = end
        return text[start:end]

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        if isinstance(value, Unknown):
            raise _UndecidedError(f"{name} is not known: {value.reason}")
        # Each definition may double the one before: sixty of them fill any memory.
        self.substituted += len(value or "")
        if self.substituted > _MAX_VALUE:
            raise _UndecidedError(f"the value is longer than {_MAX_VALUE:,} characters")
        return value

    def _dollar(self) -> str:
        text = self.text
        self.position += 1
        if not text.startswith("{", self.position):
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            if value is None:
                return f"${name}" if self.skip_unset else ""
            return value
        self.position += 1
        following = text[self.position : self.position + 1]
        if not following:
            raise MalformedError("syntax error: missing '}'")
        if following in "{}:":
            raise MalformedError("syntax error: bad substitution")
        name = self._name()
        operator = text[self.position : self.position + 1]
        self.position += 1
        if operator == "}":
            value = self._value(name)
            if value is None:
                return f"${{{name}}}" if self.skip_unset else ""
            return value
        if operator == "/":
            return self._replace(name)
        colon = operator == ":"
        if colon:
            operator = text[self.position : self.position + 1]
            self.position += 1
        elif operator not in ("+", "-", "?", "#", "%"):
            raise MalformedError(f"unsupported modifier ({operator}) in substitution")
        pattern = operator in ("#", "%")
        shown = f":{operator}" if colon else operator
        if not operator or (colon and pattern):
            raise MalformedError(f"unsupported modifier ({shown}) in substitution")
        word = self._operand("}", raw_escapes=pattern)
        value = self._value(name)
        if value is None and self.skip_unset:
            return f"${{{name}{shown}{word}}}"
        unset = value is None or (colon and not value)
        if operator == "-":
            return word if unset else value or ""
        if operator == "+":
            return "" if unset else word
        if operator == "?":
            if unset:
                state = "unset" if value is None else "empty"
                raise MalformedError(f"{name}: {word or f'is not allowed to be {state}'}")
            return value or ""
        if pattern:
            return _trim(operator, word, value or "")
        raise MalformedError(f"unsupported modifier ({shown}) in substitution")

    def _operand(self, stop: str, *, raw_escapes: bool) -> str:
        try:
            return self._until(stop, raw_escapes)[0]
        except MalformedError:
            if self.position >= len(self.text):
                place = "'/' in ${}" if stop == "/" else "'}'"
                raise MalformedError(f"syntax error: missing {place}") from None
            raise

    def _replace(self, name: str) -> str:
        everywhere = self.text.startswith("/", self.position)
        self.position += everywhere
        pattern = self._operand("/", raw_escapes=True)
        replacement = self._operand("}", raw_escapes=True)
        value = self._value(name)
        if value is None:
            if self.skip_unset:
                return f"${{{name}/{pattern}/{replacement}}}"
            value = ""
        tokens = _glob_tokens(pattern)
        _bounded(tokens, value, power=2)
        out: list[str] = []
        position = 0
        while position <= len(value):
            ends = _glob_ends(tokens, value, position)
            if not ends:
                out.append(value[position : position + 1])
                position += 1
                continue
            end = ends[-1]
            out.append(replacement)
            if end == position:
                out.append(value[position : position + 1])
                position += 1
            else:
                position = end
                if position == len(value):
                    break
            if not everywhere:
                break
        out.append(value[position:])
        return "".join(out)


_Token = str | None  # a literal character, "" for `*`, None for `?`


def _glob_tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "*":
            if not tokens or tokens[-1] != "":
                tokens.append("")
        elif char == "?":
            tokens.append(None)
        elif char == "\\":
            position += 1
            if position >= len(pattern):
                raise MalformedError("invalid pattern: trailing escape in substitution")
            tokens.append(pattern[position])
        else:
            tokens.append(char)
        position += 1
    return tokens


def _bounded(tokens: list[_Token], value: str, power: int = 1) -> None:
    if (len(tokens) + 1) * (len(value) + 1) ** power > 1_000_000:
        raise _UndecidedError("a pattern substitution is too large to evaluate")


def _glob_ends(tokens: list[_Token], value: str, start: int) -> list[int]:
    """Every position where a match of the glob that begins at ``start`` can end, ascending."""
    ends = [start]
    size = len(value)
    for token in tokens:
        if token == "":
            ends = list(range(ends[0], size + 1))
        elif token is None:
            ends = [end + 1 for end in ends if end < size]
        else:
            ends = [end + 1 for end in ends if end < size and value[end] == token]
        if not ends:
            break
    return ends


def _trim(operator: str, word: str, value: str) -> str:
    """``${x#p}``, ``${x##p}``, ``${x%p}``, ``${x%%p}``."""
    greedy = word[:1] == operator
    tokens = _glob_tokens(word[1:] if greedy else word)
    _bounded(tokens, value)
    if operator == "#":
        ends = _glob_ends(tokens, value, 0)
        return value[(ends[-1] if greedy else ends[0]) :] if ends else value
    ends = _glob_ends(tokens[::-1], value[::-1], 0)
    if not ends:
        return value
    return value[: len(value) - (ends[-1] if greedy else ends[0])]
