"""Small services with real models: does `predict` really fail, and does the audit say so?

    python tools/measure_features.py ENVIRONMENT…

Each environment is a virtual environment with scikit-learn, pandas, joblib, FastAPI and httpx (and
perhaps XGBoost, LightGBM, CatBoost). Models are fitted there, every handler below is really asked
with a valid request, and its answer is compared with that of the model asked rightly. Then the
same repository is audited. Prints every disagreement and the table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HEAD = """\
import joblib, json
import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field
app = FastAPI()
model = joblib.load("/app/model.joblib")
FEATURES = ["age", "income", "score"]
class Good(BaseModel):
    age: float
    income: float
    score: float
class Renamed(BaseModel):
    age: float
    salary: float
    score: float
class Fewer(BaseModel):
    age: float
    income: float
class More(Good):
    city: float
class Swapped(BaseModel):
    income: float
    age: float
    score: float
class Aliased(BaseModel):
    years: float = Field(alias="age")
    income: float
    score: float
class Batch(BaseModel):
    rows: list[Swapped]
"""
# (name, parameter, body, request)
HANDLERS: list[tuple[str, str, str]] = [
    ("good", "Good", "x = pd.DataFrame([r.model_dump()])"),
    ("dict_good", "Good", "x = pd.DataFrame(r.dict(), index=[0])"),
    ("renamed", "Renamed", "x = pd.DataFrame([r.model_dump()])"),
    ("fewer", "Fewer", "x = pd.DataFrame([r.model_dump()])"),
    ("more", "More", "x = pd.DataFrame([r.model_dump()])"),
    ("swapped", "Swapped", "x = pd.DataFrame([r.model_dump()])"),
    ("swapped_chosen", "Swapped", "x = pd.DataFrame([r.model_dump()])[FEATURES]"),
    ("more_chosen", "More", "x = pd.DataFrame([r.model_dump()]).reindex(columns=FEATURES)"),
    ("more_dropped", "More", "x = pd.DataFrame([r.model_dump()]).drop(columns=['city'])"),
    ("fewer_chosen", "Fewer", "x = pd.DataFrame([r.model_dump()])[FEATURES]"),
    ("renamed_mapped", "Renamed",
     "x = pd.DataFrame([r.model_dump()]).rename(columns={'salary': 'income'})"),
    ("aliased", "Aliased", "x = pd.DataFrame([r.model_dump()])"),
    ("aliased_by", "Aliased", "x = pd.DataFrame([r.model_dump(by_alias=True)])"),
    ("array", "Good", "x = np.array([[r.age, r.income, r.score]])"),
    ("array_swapped", "Good", "x = np.array([[r.income, r.age, r.score]])"),
    ("array_fewer", "Good", "x = np.array([r.age, r.income]).reshape(1, -1)"),
    ("array_values", "Swapped", "x = np.array(list(r.model_dump().values())).reshape(1, -1)"),
    ("list", "Good", "x = [[r.age, r.income, r.score]]"),
    ("list_more", "More", "x = [[r.age, r.income, r.score, r.city]]"),
    ("columns", "Good", "x = pd.DataFrame([[r.age, r.income, r.score]], columns=FEATURES)"),
    ("columns_wrong", "Good",
     "x = pd.DataFrame([[r.age, r.income, r.score]], columns=['a', 'b', 'c'])"),
    ("added", "Fewer", "x = pd.DataFrame([r.model_dump()])\n    x['score'] = 0.5 + 0 * x['age']"),
    ("values", "Swapped", "x = pd.DataFrame([r.model_dump()]).values"),
    ("renamed_columns", "Renamed", "x = pd.DataFrame([r.model_dump()])\n    x.columns = FEATURES"),
    ("comprehension", "Swapped", "d = r.model_dump()\n    x = [[d[f] for f in FEATURES]]"),
    ("popped", "More", "d = r.model_dump()\n    d.pop('city')\n    x = pd.DataFrame([d])"),
    ("mapped_keys", "Renamed",
     "names = {'age': 'age', 'salary': 'income', 'score': 'score'}\n"
     "    x = pd.DataFrame([{names[k]: v for k, v in r.model_dump().items()}])"),
    ("batch", "Batch", "x = pd.DataFrame([row.model_dump() for row in r.rows])"),
    ("batch_chosen", "Batch", "x = pd.DataFrame([row.model_dump() for row in r.rows])[FEATURES]"),
    ("helper", "Renamed", "x = build(r)"),
    ("dummies", "Good", "x = pd.get_dummies(pd.DataFrame([r.model_dump()]))"),
    ("condition", "Fewer",
     "x = pd.DataFrame([r.model_dump()])\n    if r.age > 0:\n        x['score'] = 0.5"),
]  # fmt: skip
HELPER = """
def build(r):
    frame = pd.DataFrame([r.model_dump()])
    return frame[[c for c in frame.columns]]
"""
MODELS = """\
import sys, importlib, numpy as np, pandas as pd, joblib
from sklearn.pipeline import Pipeline
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
from sklearn.ensemble import RandomForestRegressor
r = np.random.RandomState(3)
f = pd.DataFrame({"age": r.rand(80) * 60, "income": r.rand(80) * 900, "score": r.rand(80)})
y = f.age / 60 + f.income / 300 + f.score * 5
out = sys.argv[1]
made = {
    "forest": RandomForestRegressor(n_estimators=20, random_state=0),
    "pipeline": Pipeline([("s", StandardScaler()), ("m", RandomForestRegressor(random_state=0))]),
    "chosen": Pipeline([("c", ColumnTransformer([("s", StandardScaler(), ["age", "score"])])),
                        ("m", RandomForestRegressor(random_state=0))]),
}
for module, name, options in (
    ("xgboost", "XGBRegressor", {"n_estimators": 20}),
    ("lightgbm", "LGBMRegressor", {"n_estimators": 20, "min_child_samples": 2, "verbose": -1}),
    ("catboost", "CatBoostRegressor", {"iterations": 20, "verbose": False,
                                       "allow_writing_files": False}),
):
    try:
        made[module] = getattr(importlib.import_module(module), name)(**options)
    except ImportError:
        pass
for name, model in made.items():
    joblib.dump(model.fit(f, y), f"{out}/{name}.joblib")
print(" ".join(made))
"""
RUN = """\
import sys, json, warnings, importlib, joblib, numpy as np, pandas as pd
warnings.simplefilter("ignore")
repo, model_file = sys.argv[1:]
real = joblib.load
joblib.load = lambda path: real(model_file)
sys.path.insert(0, repo)
main = importlib.import_module("main")
from fastapi.testclient import TestClient
client = TestClient(main.app, raise_server_exceptions=False)
# What the caller means by each field.
values = {"age": 41.0, "income": 333.0, "salary": 333.0, "score": 0.5, "city": 2.0}
right = real(model_file).predict(pd.DataFrame([[41.0, 333.0, 0.5]],
                                              columns=["age", "income", "score"]))[0]
outcome = {}
for route in main.app.routes:
    if not route.path.startswith("/p/"):
        continue
    body = {"rows": [values]} if "batch" in route.path else values
    answer = client.post(route.path, json=body)
    if answer.status_code != 200:
        outcome[route.path] = f"raises {answer.status_code}"
    else:
        same = np.allclose(float(np.ravel(answer.json())[0]), right, rtol=1e-5)
        outcome[route.path] = "fits" if same else "differs"
print(json.dumps(outcome))
"""


def source() -> str:
    """The service with every handler."""
    parts = [HEAD, HELPER]
    for name, model, body in HANDLERS:
        parts.append(
            f'@app.post("/p/{name}")\ndef h_{name}(r: {model}):\n    {body}\n'
            "    return np.asarray(model.predict(x), dtype=float).tolist()\n"
        )
    return "\n".join(parts)


def run(python: Path, code: str, *arguments: str) -> str:
    """The last line that a script prints in an environment."""
    done = subprocess.run(
        [python, "-W", "ignore", "-c", code, *arguments],
        capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done.stdout.strip().splitlines()[-1]


def versions(python: Path) -> str:
    """The pins of an environment."""
    frozen = subprocess.run(
        [python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    ).stdout
    wanted = ("scikit-learn", "pandas", "numpy", "joblib", "xgboost", "lightgbm", "catboost",
              "fastapi", "pydantic")  # fmt: skip
    return "\n".join(
        line for line in frozen.splitlines() if line.partition("==")[0].lower() in wanted
    )


def audited(repo: Path) -> dict[int, str]:
    """{line of the handler's route: what the audit says}."""
    from auditor.config import Settings
    from auditor.engine import audit

    result = audit(repo, Settings(select=("CMP012",)))
    said: dict[int, str] = {}
    for finding in result.findings:
        lines = [finding.at.line] if finding.at.path == "main.py" else []
        lines += [r.at.line for r in finding.related if r.at.path == "main.py"]
        said[max(lines)] = "differs" if "wrong columns" in finding.message else "raises"
    for item in result.undecided:
        if item.at is not None:
            said.setdefault(item.at.line, "undecided")
    return said


def main() -> None:
    text = source()
    starts = [
        (n, line.split('"')[1]) for n, line in enumerate(text.splitlines(), 1)
        if line.startswith("@app.post")
    ]  # fmt: skip
    table: Counter[tuple[str, str]] = Counter()
    for argument in sys.argv[1:]:
        python = Path(argument) / "bin" / "python"
        pins = versions(python) + "\nuvicorn==0.34.0\n"
        with tempfile.TemporaryDirectory() as folder:
            made = run(python, MODELS, folder).split()
            for name in made:
                repo = Path(folder, f"repo-{name}")
                repo.mkdir()
                (repo / "main.py").write_text(text)
                (repo / "model.joblib").write_bytes(Path(folder, f"{name}.joblib").read_bytes())
                (repo / "requirements.txt").write_text(pins)
                (repo / "Dockerfile").write_text(
                    "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
                    "RUN pip install -r requirements.txt\n"
                    'CMD ["uvicorn", "main:app", "--host", "0.0.0.0"]\n'
                )
                truth = json.loads(run(python, RUN, str(repo), str(repo / "model.joblib")))
                said = audited(repo)
                for index, (start, route) in enumerate(starts):
                    end = starts[index + 1][0] if index + 1 < len(starts) else 10**6
                    verdict = next((v for n, v in said.items() if start <= n < end), "fits")
                    real = truth[route].partition(" ")[0]
                    table[real, verdict] += 1
                    if verdict not in (real, "undecided"):
                        print(f"{argument} {name} {route}: really {truth[route]}, said {verdict}")
    for (real, verdict), count in sorted(table.items()):
        print(f"{count:5} really {real:8} said {verdict}")


if __name__ == "__main__":
    main()
