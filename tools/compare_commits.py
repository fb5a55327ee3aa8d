"""Audit a commit that mended a deployment and its parent: what was flagged before, and after.

    python tools/compare_commits.py REPO.git PARENT CHILD RULE     one pair, one rule
    python tools/compare_commits.py REPO.git --find [--limit N]    look for such commits

A pair shows the fault when the parent has a finding of the rule that breaks the forecast of a
service, the child has none of it there, and the score rose. ``--find`` tries the commits that
touch few files, a Dockerfile, Compose file, requirements, Procfile or script among them.

Public pairs that showed it (owner/name parent child rule):
alanconqrepo/predictml-api 4b91b15988 35adf4e24b ENV007 (email-validator);
HwangChulHee/sepsis-mlops f88cf280df 7838ddf5ab ENV007;
IzharHaq1986/secure-ml-deployment-pipeline 90171e1f0f 1deb6b29fd IMG017;
phamquiluan/Go5-Project 8160d0a781 5dd5ac4153 IMG019;
fahmiaziz98/10-11-ml-model-serving 280755fa01 237fb1ebd9 ENV007.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Finding
from auditor.result import AuditResult

TOUCHES = re.compile(
    r"(^|/)(Dockerfile[^/]*|docker-compose[^/]*|compose\.ya?ml|\.dockerignore|Procfile|"
    r"requirements[^/]*\.txt|[^/]+\.sh|[^/]+\.conf)$",
    re.IGNORECASE,
)
MOST_FILES = 8
BIGGEST = 30_000_000


def git(repository: str, *arguments: str) -> bytes:
    """The output of a git command."""
    done = subprocess.run(
        ["git", "--git-dir", repository, *arguments], capture_output=True, check=True
    )
    return done.stdout


@lru_cache(maxsize=4)
def at_commit(repository: str, commit: str) -> AuditResult | None:
    """The audit of a commit's tree; None when it is too big to be tried."""
    try:
        data = git(repository, "archive", commit)
    except subprocess.CalledProcessError:
        return None  # a shallow or partial copy lacks something
    if len(data) > BIGGEST:
        return None
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
        return audit(Path(folder), Settings())


def breaking(result: AuditResult, rule: str = "") -> dict[tuple[str, str], Finding]:
    """Findings that turn a forecast to no, by rule and file."""
    return {
        (f.rule, f.at.path): f
        for f in result.findings
        if f.breaks and f.confidence.name != "POSSIBLE" and rule in ("", f.rule)
    }


def shown(result: AuditResult) -> str:
    """Score and forecasts in a line."""
    answers = "; ".join(
        f"{s.name}: {' '.join(a for _, a in s.forecast.answers())}" for s in result.services[:4]
    )
    return f"score {result.score.value} [{answers}]"


def compare(repository: str, parent: str, child: str, rule: str) -> bool:
    """Print both sides; whether the pair shows the fault mended."""
    before, after = at_commit(repository, parent), at_commit(repository, child)
    if before is None or after is None:
        return False
    old, new = breaking(before, rule), breaking(after, rule)
    there = {s.name for s in after.services}
    gone = [
        f for key, f in old.items() if key not in new and any(name in there for name, _ in f.breaks)
    ]
    rose = (after.score.value or 0) > (before.score.value or 0)
    if not gone or not rose:
        if rule:
            print(f"not shown: {len(old)} before, {len(new)} after, rose={rose}")
        return False
    name = Path(repository).parent.name if repository.rstrip("/").endswith("repo") else repository
    subject = git(repository, "log", "-1", "--format=%s", child).decode("utf-8", "replace").strip()
    print(f"{name} {parent[:10]}..{child[:10]} {subject[:70]!r}")
    print(f"  before: {shown(before)}\n  after:  {shown(after)}")
    for finding in gone[:6]:
        print(f"  {finding.rule} {finding.at.path}:{finding.at.line} {finding.message[:120]}")
    sys.stdout.flush()
    return True


def candidates(repository: str, limit: int) -> Iterator[tuple[str, str]]:
    """(parent, child) of small commits that touch what decides a deployment."""
    log = git(repository, "log", "--no-merges", "--format=%x00%H %P", "--name-only", "-2000")
    count = 0
    for block in log.decode("utf-8", "replace").split("\0")[1:]:
        head, _, rest = block.partition("\n")
        child, _, parent = head.partition(" ")
        files = [line for line in rest.splitlines() if line]
        if not parent or " " in parent or not 0 < len(files) <= MOST_FILES:
            continue
        if not any(TOUCHES.search(name) for name in files):
            continue
        count += 1
        if count > limit:
            return
        yield parent, child


def main() -> int:
    """Compare the pair, or look for pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository")
    parser.add_argument("parent", nargs="?")
    parser.add_argument("child", nargs="?")
    parser.add_argument("rule", nargs="?", default="")
    parser.add_argument("--find", action="store_true")
    parser.add_argument("--limit", type=int, default=40)
    arguments = parser.parse_args()
    if arguments.find:
        for parent, child in candidates(arguments.repository, arguments.limit):
            compare(arguments.repository, parent, child, "")
        return 0
    if not arguments.parent or not arguments.child:
        parser.error("give PARENT and CHILD, or --find")
    shows = compare(arguments.repository, arguments.parent, arguments.child, arguments.rule)
    return 0 if shows else 1


if __name__ == "__main__":
    raise SystemExit(main())
