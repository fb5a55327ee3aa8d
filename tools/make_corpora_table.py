"""Write ``rules/knowledge/corpora.toml``: which of NLTK's data a call asks for, per release.

Each release is installed in an environment of its own, without any data, and asked; the resource
is the one that its ``LookupError`` names. ``python tools/make_corpora_table.py 3.5 3.8.1 3.9.1``
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "rules" / "knowledge" / "corpora.toml"
OBSERVE = r"""
import importlib, json, re, nltk
CALLS = {
    "word_tokenize": lambda: nltk.word_tokenize("a b"),
    "sent_tokenize": lambda: nltk.sent_tokenize("a b"),
    "pos_tag": lambda: nltk.pos_tag(["a"]),
    "ne_chunk": lambda: nltk.ne_chunk([("a", "NN")]),
    "SentimentIntensityAnalyzer": lambda: importlib.import_module(
        "nltk.sentiment"
    ).SentimentIntensityAnalyzer(),
    "WordNetLemmatizer.lemmatize": lambda: nltk.stem.WordNetLemmatizer().lemmatize("a"),
}
found = {}
for name, call in CALLS.items():
    try:
        call()
    except LookupError as error:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
        match = re.search(r"Resource\s+'?(?:[\w/]*/)?(\w+)", plain)
        found[name] = match.group(1) if match else ""
print(json.dumps(found))
"""


def observe(version: str) -> dict[str, str]:
    """What each call of that release asks for."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-cache-dir",
            f"nltk=={version}",
        ]
        subprocess.run(install, check=True)
        # No home and no data: nothing of this machine answers instead.
        done = subprocess.run(
            [str(python), "-c", OBSERVE],
            check=True,
            capture_output=True,
            text=True,
            env={"HOME": folder},
        )
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Ask the releases, oldest first, and write the table."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for version in sys.argv[1:]:
        for name, resource in observe(version).items():
            rows.setdefault(name, []).append((version, resource))
    lines = [
        "# The data that a call of NLTK asks for, by release; each row was observed.",
        f"# Written by tools/make_corpora_table.py on {datetime.date.today().isoformat()}.",
    ]
    for name, seen in rows.items():
        lines += ["", f'["{name}"]', *(f'"{version}" = "{resource}"' for version, resource in seen)]
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
