"""Audit a commit that mended a deployment and its parent: what was flagged before, and after.

    python tools/compare_commits.py REPO.git PARENT CHILD RULE     one pair, one rule
    python tools/compare_commits.py REPO.git --find [--limit N]    look for such commits

A pair shows the fault when the parent has a finding of the rule that breaks the forecast of a
service, the child has none of it there, and the score rose. ``--find`` tries the commits that
touch few files, a Dockerfile, Compose file, requirements, Procfile or script among them.

Public pairs that showed it, with the rules of which the parent has findings and the child has none
(owner/name parent child rules):
03suhanidubey/iris-api-cicd d075f9599f 119e5bc2ef ENV019 IMG022
AdilQuantum/nexus-mlops-platform 0f3617917f 241f7349df IMG018
AlainFidahoussen/IFT6758-A2022-G08-Docker 8c29e4b2cb 2bd72448d5 ENV020
alanconqrepo/predictml-api 4b91b15988 35adf4e24b ENV007
amjadraza/langchain-streamlit-docker-template 21551c1617 1194064b2d IMG022
anthu2708/fraud-detection 5f31e96b94 32fc049711 ENV008
bsteja33/Customer-Churn-Prediction-API-and-Dashboard dd3aaf2e 3510a2d8 IMG022
ChabanovX/beauty-classifier e1e5e44600 93d40ad8a9 IMG022
cwyu57/clip-model-serving-server 8af5346d99 4a2b5ddfed PTH002
DaniilShp/car-cost-prediction-api-aiohttp 518b2629cf ad1acc8cfc ENV007
davidefiocco/streamlit-fastapi-model-serving f3d7c9bac9 2e00aff3ac ENV020
duffy356/dsc-streamlit-docker-model-example 667057b807 dd15458857 IMG022
emmiduh/XiBank-FinTech-Transaction-System 87de4af7ef d0e3d19557 IMG022
emmiduh/XiBank-FinTech-Transaction-System f6fb0095e3 8b72d3dc60 IMG019 NET001
F-major7/production-ml-api ecdbf72966 9b1c838149 IMG018
fahmiaziz98/10-11-ml-model-serving 280755fa01 237fb1ebd9 ENV007
HwangChulHee/sepsis-mlops f88cf280df 7838ddf5ab ENV007
IzharHaq1986/secure-ml-deployment-pipeline 90171e1f0f 1deb6b29fd IMG017
Jan-Dyndor/ml-deploy-demo 708cfdbec9 03b3a91ef3 IMG018
jc-simmons/ml-deploy-api 76e7a7f814 cff39b60f8 CMP008
jmeisele/fastapi-ml-scaffolding 308802f0bf 5581587fa7 IMG012 IMG018 NET001 NET003
jmeisele/fastapi-ml-scaffolding c8227fdd9a e8f983c212 IMG017
luka-maric/local-rag-api cb7a1efe78 c0f7fc20d0 PTH003
manhph2211/ml-deployment 89c9e28b47 2ec1188a65 NET003
mozilla/webcompat-ml-deploy f2faa22f61 1b0572e3d4 IMG022
Naveenkumar-2007/Diabetes-Risk-predictor 321b0c5225 5aa74756d1 IMG018
rlipac31/sentiment-api-docker c1d8dcca26 c90a37d9a1 IMG018
takenking9879/Kubernetes-MLOPS-platform 7f403c619d c7a91fb90b ENV007
Vegeta-7/Docker-Project 6d6ef93dbd 4b700ce63b PTH002
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
