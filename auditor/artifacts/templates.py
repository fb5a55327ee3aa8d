"""Jinja templates that travel with models: chat templates of tokenizers and GGUF files.

A renderer that is not sandboxed runs what their expressions reach (CVE-2024-34359).
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor import lazy_re as re

MAX_TEMPLATE = 1 << 20

_BLOCK = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}|\{\{(.*)\Z|\{%(.*)\Z", re.DOTALL)
_DUNDER = re.compile(r"__\w+__|__(?:class|globals|builtins|import|init|subclasses|mro|base)")
# Objects of Jinja's and Flask's default context through which exploits climb.
_REACH = re.compile(
    r"\b(?:popen|subprocess|os\s*\.\s*(?:system|popen|environ)|eval\s*\(|exec\s*\(|"
    r"getattr\s*\(|import_module|builtins|mro\s*\(|func_globals|gi_frame|f_globals|tb_frame|"
    r"request\s*\.\s*(?:application|environ)|config\s*\.\s*(?:items|from_)|"
    r"(?:self|cycler|joiner|lipsum|namespace|url_for|get_flashed_messages)\s*\.\s*_)"
)
_HIDDEN = re.compile(r"\|\s*attr\b|\\x5f|\\u005f|\\137|\bchr\s*\(|%c|\.format\s*\(\s*['\"]?_")
_STATEMENT = re.compile(r"^[-+]?\s*(?:include|import|from|extends)\b")
_STRING = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"")


def judge_template(text: str) -> tuple[str, str] | None:
    """(``dangerous`` or ``suspicious``, why in words) of a template; None when harmless."""
    if len(text) > MAX_TEMPLATE:
        return "suspicious", "is longer than a megabyte"
    doubt: str | None = None
    for code in _expressions(text):
        # Joining adjacent pieces undoes "__cla" ~ "ss__".
        glued = re.sub(r"['\"]\s*[~+]\s*['\"]", "", code)
        bare = _STRING.sub("''", glued)
        found = _DUNDER.search(glued) or _REACH.search(bare)
        if found is not None:
            return (
                "dangerous",
                f"reaches {found.group(0).strip()} in {{{{ {code.strip()[:120]} }}}}",
            )
        if doubt is None:
            hidden = _HIDDEN.search(glued)
            if hidden is not None:
                doubt = f"hides names behind {hidden.group(0).strip()}"
            elif _STATEMENT.match(code):
                doubt = f"loads another template: {code.strip()[:80]}"
    return ("suspicious", doubt) if doubt is not None else None


def _expressions(text: str) -> Iterator[str]:
    for found in _BLOCK.finditer(text):
        yield next((group for group in found.groups() if group is not None), "")


def is_template(text: str) -> bool:
    """Whether the text has anything that Jinja would evaluate."""
    return "{{" in text or "{%" in text
