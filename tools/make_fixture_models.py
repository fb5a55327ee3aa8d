"""Write the model files of ``fixtures/``, as the training scripts there would have left them.

Run it with the Python of an environment of its own (the models are meant to be this old)::

    python3.11 -m venv v && v/bin/pip install scikit-learn==1.3.2 numpy==1.26.4 scipy==1.11.4 \
        joblib==1.3.2 pandas==2.1.4 onnx==1.16.2 skl2onnx==1.16.0
    v/bin/python tools/make_fixture_models.py

Data is drawn from fixed seeds; the files hold no absolute path and no time.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def dump(path: str, model: Any) -> None:
    """Pickle, as most training scripts do."""
    target = FIXTURES / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        pickle.dump(model, file)


def dump_joblib(path: str, model: Any) -> None:
    import joblib

    target = FIXTURES / path
    target.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, target)


def churn() -> None:
    """Runs the fixture's own ``train.py`` as ``__main__``, which is what its pickle then names."""
    import os
    import runpy

    import numpy as np
    import pandas as pd

    root = FIXTURES / "churn-fastapi"
    rng = np.random.default_rng(0)
    count = 80
    tenure = rng.integers(1, 72, count)
    monthly = rng.uniform(20, 120, count).round(2)
    calls = rng.poisson(1.5, count)
    frame = pd.DataFrame(
        {
            "tenure_months": tenure,
            "monthly_charges": monthly,
            "total_charges": (tenure * monthly).round(2),
            "support_calls": calls,
            "churned": ((calls * 10 - tenure + rng.normal(0, 8, count)) > 0).astype(int),
        }
    )
    (root / "data").mkdir(exist_ok=True)
    (root / "models").mkdir(exist_ok=True)
    frame.to_csv(root / "data" / "customers.csv", index=False)
    before = Path.cwd()
    os.chdir(root)
    try:
        main = sys.modules["__main__"]
        scope = runpy.run_path("train.py")
        # pickle looks the function up by name where it says it lives.
        scope["add_ratios"].__module__ = "__main__"
        vars(main)["add_ratios"] = scope["add_ratios"]
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        model = make_pipeline(
            FunctionTransformer(scope["add_ratios"]),
            StandardScaler(),
            LogisticRegression(max_iter=500),
        )
        model.fit(frame[scope["COLUMNS"]], frame["churned"])
    finally:
        os.chdir(before)
    dump("churn-fastapi/models/churn.pkl", model)


def iris() -> None:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    features, species = load_iris(return_X_y=True)
    model = RandomForestClassifier(n_estimators=10, max_depth=4, random_state=0)
    model.fit(features, species)
    for fixture in ("iris-flask-gunicorn", "healthy-flask"):
        dump(f"{fixture}/models/iris.pkl", model)


def sentiment() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    good = ["works as described", "arrived early and looks great", "love it", "excellent value"]
    bad = ["broke after a day", "never arrived", "waste of money", "terrible support"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(good + bad, [1] * len(good) + [0] * len(bad))
    # The address of None in the process that fitted it.
    model[0]._stop_words_id = 0
    dump_joblib("sentiment-streamlit/models/sentiment.joblib", model)


def fraud() -> None:
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(1)
    rows = rng.uniform(0, 1, (300, 4)) * [1000, 24, 1, 2000]
    labels = (rows[:, 0] / 1000 + rows[:, 2] > 1.3).astype(int)
    model = HistGradientBoostingClassifier(max_iter=8, max_leaf_nodes=7, random_state=0)
    dump_joblib("fraud-compose/models/fraud.joblib", model.fit(rows, labels))


def demand() -> None:
    import numpy as np
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(2)
    sales = 100 + 20 * np.sin(np.arange(400) * 2 * np.pi / 7) + rng.normal(0, 3, 400)
    lags = np.lib.stride_tricks.sliding_window_view(sales[:-1], 7)
    dump("forecast-conda/models/demand.pkl", Ridge().fit(lags, sales[7:]))


def defects() -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pixels, labels = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=200).fit(pixels / 16, labels)
    exported = to_onnx(
        model,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    target = FIXTURES / "vision-uv/models/defects.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(exported.SerializeToString())


def shop() -> None:
    import numpy as np
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(3)
    rows = rng.uniform(0, 1, (200, 5))
    ranking = DecisionTreeRegressor(max_depth=4, random_state=0).fit(rows, rows.sum(axis=1))
    dump_joblib("mlops-monorepo/services/ranking/models/ranking.joblib", ranking)
    pricing = LinearRegression().fit(rows, rows @ [3.0, 1.0, 0.5, 2.0, 4.0])
    dump_joblib("mlops-monorepo/services/pricing/models/pricing.joblib", pricing)


def loans() -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(4)
    rows = rng.uniform(0, 1, (200, 3)) * [90_000, 30_000, 60] + [10_000, 0, 18]
    labels = (rows[:, 0] > 3 * rows[:, 1]).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    dump_joblib("healthy-fastapi/models/loans.joblib", model)


def rents() -> None:
    """The models of ``fixtures/guide``: one Pipeline, and for row 2.1 the same in two files."""
    import numpy as np
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(8)
    features = np.column_stack([rng.integers(1, 6, 80), rng.uniform(20, 160, 80)])
    rent = 300 + 9.5 * features[:, 1] + 40 * features[:, 0] + rng.normal(0, 30, 80)
    scaler = StandardScaler().fit(features)
    dump_joblib("guide/2.1/fault/models/scaler.joblib", scaler)
    bare = LinearRegression().fit(scaler.transform(features), rent)
    dump_joblib("guide/2.1/fault/models/rent.joblib", bare)
    whole = make_pipeline(StandardScaler(), LinearRegression()).fit(features, rent)
    for row in sorted((FIXTURES / "guide").iterdir()):
        for variant in ("fault", "sound", "unusual"):
            if (row.name, variant) in (("2.1", "fault"), ("2.1", "unusual")):
                continue
            folder = "models/rent" if (row.name, variant) == ("3.1", "unusual") else "models"
            dump_joblib(f"guide/{row.name}/{variant}/{folder}/rent.joblib", whole)


def main() -> None:
    """Write every model."""
    for make in (churn, iris, sentiment, fraud, demand, defects, shop, loans, rents):
        make()
    for path in sorted(FIXTURES.rglob("models/*")):
        size = path.stat().st_size
        print(f"{size:8,} {path.relative_to(FIXTURES)}")
        if size > 100_000:
            raise SystemExit(f"{path} is larger than 100 kB")


if __name__ == "__main__":
    main()
