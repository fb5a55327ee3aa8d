"""How much of the shell text in a pile of Dockerfiles and scripts is understood.

    python tools/measure_shell.py DIRECTORY…

Counts texts, commands, problems and what commands were taken for. Nothing is executed. Dockerfiles
are split by BuildKit's parser (the ``dockerfile`` package).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from auditor.parsers.commands import Other, interpret_script
from auditor.parsers.shell import parse, parse_file
from auditor.parsers.shell.facts import Script
from auditor.source import Fragment, SourceText


def texts(roots: list[Path]) -> Iterator[tuple[str, Script, float]]:
    import dockerfile

    for root in roots:
        for path in sorted(root.rglob("*")):
            if not path.is_file() or path.is_symlink() or path.stat().st_size > 200_000:
                continue
            name = path.name.lower()
            if name.endswith(".sh"):
                source = SourceText.decode(str(path), path.read_bytes())
                start = time.process_time()
                script = parse_file(source)
                yield str(path), script, time.process_time() - start
            elif "dockerfile" in name:
                try:
                    commands = dockerfile.parse_string(path.read_text("utf-8", "replace"))
                except (dockerfile.GoParseError, ValueError):
                    continue
                for command in commands:
                    if command.cmd.upper() not in {"RUN", "CMD", "ENTRYPOINT"} or command.json:
                        continue
                    text = " ".join(command.value)
                    if not text or text.startswith("<<"):
                        continue
                    start = time.process_time()
                    script = parse(Fragment(str(path), [(text, command.start_line, 1)]))
                    yield f"{path}:{command.start_line}", script, time.process_time() - start


def main() -> None:
    roots = [Path(arg) for arg in sys.argv[1:]]
    kinds: Counter[str] = Counter()
    others: Counter[str] = Counter()
    total = failed = commands = 0
    seconds = slowest = 0.0
    for name, script, spent in texts(roots):
        total += 1
        seconds += spent
        slowest = max(slowest, spent)
        commands += len(script.commands)
        if script.problems:
            failed += 1
            first = script.problems[0]
            print(f"{name}: {first.at.line}:{first.at.column} {first.message[:110]!r}")
        for found in interpret_script(script, cwd="/"):
            kinds[type(found.fact).__name__] += 1
            if isinstance(found.fact, Other) and isinstance(found.fact.program, str):
                others[found.fact.program] += 1
    print(f"{total} texts, {commands} commands, {failed} texts with a problem")
    print(
        f"{seconds:.1f} s in all, {1e6 * seconds / max(total, 1):.0f} us a text, slowest {slowest:.3f} s"
    )
    print(dict(kinds.most_common()))
    print(dict(others.most_common(60)))


if __name__ == "__main__":
    main()
