"""CMP012: fitted columns against what the serving code predicts with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
from artifact_kit import Call, Instance, onnx_model, pickled
from serving_kit import found, write

from auditor.artifacts.features import buffer_names, contract
from auditor.artifacts.scan import scan_file
from auditor.config import Settings
from auditor.engine import audit
from auditor.findings import Confidence

REQUIREMENTS = """\
fastapi==0.115.6
uvicorn==0.34.0
joblib==1.5.2
pandas==2.3.3
numpy==2.2.6
scikit-learn=={version}
"""
HEAD = """\
import joblib
import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, Field
from typing import Annotated

app = FastAPI()
model = joblib.load("/app/model.joblib")
FEATURES = ["age", "income"]

class Good(BaseModel):
    age: float
    income: float

class Swapped(BaseModel):
    income: float
    age: float

class Wrong(BaseModel):
    age: float
    salary: float

class More(Good):
    city: str

class Aliased(BaseModel):
    years: float = Field(alias="age")
    income: float

class Open(BaseModel):
    model_config = {"extra": "allow"}
    age: float

class Batch(BaseModel):
    rows: list[Swapped]

class Excluding(BaseModel):
    age: float
    salary: float = Field(exclude=True)

class Annotating(BaseModel):
    age: float
    pay: Annotated[float, Field(alias="income")]

@app.post("/predict")
def predict(r: MODEL):
"""
LINEAR = "sklearn.linear_model._base.LinearRegression"


def linear(*names: str, version: str = "1.7.2", **state: object) -> Instance:
    return Instance(
        LINEAR, feature_names_in_=list(names), n_features_in_=len(names),
        _sklearn_version=version, **state,
    )  # fmt: skip


def service(root: Path, model: str, body: str, artifact: object = None, version: str = "1.7.2"):
    code = HEAD.replace("MODEL", model) + "".join(f"    {x}\n" for x in body.splitlines())
    code += "    return model.predict(x).tolist()\n"
    made = artifact if artifact is not None else linear("age", "income")
    data = made if isinstance(made, bytes) else pickled(made)
    write(root, {"app.py": code, "model.joblib": data,
                 "requirements.txt": REQUIREMENTS.format(version=version)})  # fmt: skip
    return found(root, "CMP012")


FRAME = "x = pd.DataFrame([r.model_dump()])"


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("Good", FRAME),
        ("Good", "x = pd.DataFrame(r.dict(), index=[0])"),
        ("Swapped", FRAME + "[FEATURES]"),
        ("More", FRAME + ".drop(columns=['city'])"),
        ("More", FRAME + ".reindex(columns=FEATURES)"),
        ("More", "d = r.model_dump()\nd.pop('city')\nx = pd.DataFrame([d])"),
        ("More", "x = pd.DataFrame([r.model_dump(exclude={'city'})])"),
        ("Wrong", FRAME + ".rename(columns={'salary': 'income'})"),
        ("Aliased", "x = pd.DataFrame([r.model_dump(by_alias=True)])"),
        ("Batch", "x = pd.DataFrame([q.model_dump() for q in r.rows])[FEATURES]"),
        ("Good", "x = np.array([[r.age, r.income]])"),
        ("Good", "x = [[r.age, r.income]]"),
        ("Good", "x = np.array([r.age, r.income]).reshape(1, -1)"),
        ("Good", "x = pd.DataFrame([[r.age, r.income]], columns=FEATURES)"),
        ("dict", "x = pd.DataFrame([r])[FEATURES]"),
        ("dict", "x = pd.DataFrame([r])"),
    ],
)
def test_the_same_columns_are_silent(tmp_path: Path, model: str, body: str) -> None:
    assert service(tmp_path, model, body) == []


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        ("Wrong", FRAME, "a frame without `income` and the unknown `salary`"),
        ("Swapped", FRAME, "the same columns in another order"),
        ("More", FRAME, "a frame with the unknown `city`"),
        ("Aliased", FRAME, "without `age`"),
        ("Good", FRAME + "[['age']]", "a frame without `income`"),
        ("Good", FRAME + "[['age', 'height']]", "KeyError: ['height'] not in index"),
        ("Batch", "x = pd.DataFrame([q.model_dump() for q in r.rows])", "in another order"),
        ("Good", "x = np.array([[r.age]])", "fitted on 2 columns and gets 1"),
        ("Good", "x = [[r.age, r.income, 1.0]]", "fitted on 2 columns and gets 3"),
        ("Good", "x = np.array([[r.income, r.age]])", "column 1 holds `income`"),
        ("Swapped", FRAME + ".values", "column 1 holds `income`"),
        ("Good", "x = pd.DataFrame([[r.age, r.income]], columns=['a', 'b'])", "without `age`"),
    ],
)
def test_other_columns_are_reported(tmp_path: Path, model: str, body: str, words: str) -> None:
    (finding,) = service(tmp_path, model, body)
    assert words in finding.message
    assert finding.at.path == "app.py"
    assert any(r.at.path == "model.joblib" for r in finding.related)
    assert "fitted on `age`, `income`" in finding.related[0].message


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("Wrong", "x = pd.get_dummies(pd.DataFrame([r.model_dump()]))"),
        ("Wrong", "x = scaler.transform(pd.DataFrame([r.model_dump()]))"),
        ("Wrong", FRAME + "\nx = engineer(x)"),
        ("Wrong", FRAME + "\nif r.age > 3:\n    x['income'] = 1\n    del x['salary']"),
        ("Wrong", FRAME + ".rename(columns=str.upper)"),
        ("Open", FRAME),
        ("Excluding", FRAME),
        ("Annotating", "x = pd.DataFrame([r.model_dump(by_alias=True)])"),
        ("Wrong", "x = np.array([[r.salary, r.age]])"),
        ("Wrong", FRAME + "\nx.columns = NAMES"),
        ("Wrong", "d = r.model_dump()\nd.update(more())\nx = pd.DataFrame([d])"),
    ],
)
def test_what_is_not_followed_is_not_reported(tmp_path: Path, model: str, body: str) -> None:
    assert service(tmp_path, model, body) == []


THREE = linear("age", "plan_a", "plan_b")
PLAN = """\
class Plan(BaseModel):
    age: float
    plan: str

@app.post"""
ONE = "f = pd.DataFrame([r.model_dump()])\n"


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        (ONE + "x = pd.get_dummies(f)", True),
        (ONE + "x = pd.get_dummies(f, columns=['plan'], dtype=float)", True),
        (ONE + "x = pd.get_dummies(f[['age', 'plan']]).fillna(0)", True),
        ("f = pd.DataFrame(r.model_dump(), index=[0])\nx = pd.get_dummies(f).values", True),
        ("f = pd.DataFrame({'age': [r.age], 'plan': [r.plan]})\nx = pd.get_dummies(f)", True),
        (ONE + "x = pd.get_dummies(f).reindex(columns=model.feature_names_in_)", False),
        (ONE + "x = pd.get_dummies(f).reindex(columns=['age', 'plan_a', 'plan_b'])", False),
        (ONE + "x = pd.get_dummies(f)\nfor c in NAMES:\n    x[c] = 0", False),
        (ONE + "x = pd.concat([pd.get_dummies(f), extra])", False),
        (ONE + "x = pd.get_dummies(f).drop(columns=['plan_a'])", False),
        (ONE + "f['plan'] = pd.Categorical(f['plan'], categories=['a', 'b'])\n"
         "x = pd.get_dummies(f)", False),
        (ONE + "x = pd.get_dummies(f.astype({'plan': PLANS}))", False),
        (ONE + "x = pd.get_dummies(f, dummy_na=True)", False),
        ("f = pd.DataFrame(rows(r))\nx = pd.get_dummies(f)", False),
    ],
)  # fmt: skip
def test_dummy_columns_of_one_request(
    tmp_path: Path, body: str, reported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row has one value of each field: the columns of the other values are missing."""
    monkeypatch.setattr(sys.modules[__name__], "HEAD", HEAD.replace("@app.post", PLAN))
    findings = service(tmp_path, "Plan", body, THREE)
    assert bool(findings) is reported
    if reported:
        assert "makes at most 2 of one request" in findings[0].message


def kept(root: Path, code: str) -> list[str]:
    """The messages for a model that the application keeps somewhere until a request asks it."""
    write(root, {"app.py": KEEPING + code, "model.joblib": pickled(linear("age", "income")),
                 "requirements.txt": REQUIREMENTS.format(version="1.7.2")
                 + "flask==3.1.0\n"})  # fmt: skip
    return [f.message for f in found(root, "CMP012")]


KEEPING = """\
import joblib
import pandas as pd
from contextlib import asynccontextmanager
from fastapi import Depends, FastAPI, Request
from flask import Flask, current_app, request
from pydantic import BaseModel

class Row(BaseModel):
    age: float
    salary: float

"""
LIFESPAN = """\
@asynccontextmanager
async def lifespan(app: FastAPI):
    {before}
    try:
        yield {given}
    finally:
        {after}

kept = {{}}
app = FastAPI(lifespan=lifespan)

def get_model(request: Request):
    return request.app.state.model

@app.post("/predict")
def predict(row: Row, request: Request, model=Depends(get_model)):
    return {model}.predict(pd.DataFrame([row.model_dump()])).tolist()
"""
LOADS = "joblib.load('/app/model.joblib')"


@pytest.mark.parametrize(
    ("before", "given", "after", "model"),
    [
        (f"kept['m'] = {LOADS}", "", "kept.clear()", "kept['m']"),
        (f"app.state.model = {LOADS}", "", "app.state.model = None", "request.app.state.model"),
        (f"app.state.model = {LOADS}", "", "del app.state.model", "app.state.model"),
        (f"app.state.model = {LOADS}", "", "pass", "model"),
        (f"model = {LOADS}", "{'model': model}", "del model", "request.state.model"),
    ],
)
def test_a_lifespan_ends_after_the_requests(
    tmp_path: Path, before: str, given: str, after: str, model: str
) -> None:
    code = LIFESPAN.format(before=before, given=given, after=after, model=model)
    (message,) = kept(tmp_path, code)
    assert "without `income`" in message


FACTORY = """\
def create_app():
    app = Flask(__name__)
    {keep} = joblib.load("/app/model.joblib")

    @app.post("/predict")
    def predict():
        body = request.json
        frame = pd.DataFrame([{{"age": body["age"], "salary": body["salary"]}}])
        return {model}.predict(frame).tolist()

    return app

app = create_app()
"""


@pytest.mark.parametrize(
    ("keep", "model"),
    [
        ("app.model", "app.model"),
        ("app.model", "current_app.model"),
        ("app.config['MODEL']", "current_app.config['MODEL']"),
    ],
)
def test_an_application_keeps_the_model(tmp_path: Path, keep: str, model: str) -> None:
    (message,) = kept(tmp_path, FACTORY.format(keep=keep, model=model))
    assert "without `income`" in message


def test_a_model_beside_others_in_a_tuple(tmp_path: Path) -> None:
    """What is unpacked from a file is followed to its place in it."""
    code = HEAD.replace("model = joblib", "scaler, model = joblib").replace("MODEL", "Wrong")
    scaler = Instance("sklearn.preprocessing._data.StandardScaler", n_features_in_=9,
                      feature_names_in_=["a"] * 9)  # fmt: skip
    write(tmp_path, {
        "app.py": code + f"    {FRAME}\n    return model.predict(x).tolist()\n",
        "model.joblib": pickled((scaler, linear("age", "income"))),
        "requirements.txt": REQUIREMENTS.format(version="1.7.2"),
    })  # fmt: skip
    (finding,) = found(tmp_path, "CMP012")
    assert "without `income`" in finding.message


VIEWS = """\
import falcon
from flask.views import MethodView
from flask_restful import Api, Resource

class Predict({base}):
    def __init__(self, path="/app/model.joblib"):
        self.model = joblib.load(path)

    def {method}:
        body = request.get_json()
        frame = pd.DataFrame([{{"age": body["age"], "salary": body["salary"]}}])
        return self.model.predict(frame).tolist()

app = {app}
{route}
"""


@pytest.mark.parametrize(
    ("base", "method", "app", "route"),
    [
        ("MethodView", "post(self)", "Flask(__name__)",
         "app.add_url_rule('/predict', view_func=Predict.as_view('predict'))"),
        ("MethodView", "post(self)", "Flask(__name__)",
         "app.add_url_rule('/predict', 'p', Predict.as_view('p', path='/app/model.joblib'))"),
        ("Resource", "post(self)", "Flask(__name__)", "Api(app).add_resource(Predict, '/predict')"),
        ("Resource", "post(self)", "Flask(__name__)",
         "Api(app).add_resource(Predict, '/predict',\n"
         "    resource_class_kwargs={'path': '/app/model.joblib'})"),
        ("object", "on_post(self, request, response)", "falcon.App()",
         "app.add_route('/predict', Predict('/app/model.joblib'))"),
    ],
)  # fmt: skip
def test_classes_of_handlers(tmp_path: Path, base: str, method: str, app: str, route: str) -> None:
    code = VIEWS.format(base=base, method=method, app=app, route=route)
    (message,) = kept(tmp_path, code)
    assert "`model.joblib` does not predict with these columns" in message


@pytest.mark.parametrize(("model", "reported"), [("Good", False), ("Wrong", True)])
def test_a_transformer_of_its_own(tmp_path: Path, model: str, reported: bool) -> None:
    body = "t = joblib.load('/app/scaler.joblib').transform(pd.DataFrame([r.model_dump()]))\n"
    scaler = Instance("sklearn.preprocessing._data.StandardScaler", n_features_in_=2,
                      feature_names_in_=["age", "income"], _sklearn_version="1.7.2")  # fmt: skip
    (tmp_path / "scaler.joblib").write_bytes(pickled(scaler))
    findings = service(tmp_path, model, body + "x = pd.DataFrame(t, columns=FEATURES)")
    assert [f.message.partition(":")[0] for f in findings] == (
        ["`scaler.joblib` does not transform these columns"] if reported else []
    )


def test_the_request_keys_of_an_array(tmp_path: Path) -> None:
    """``request.json["x"]`` without a name in between keeps its key."""
    code = """\
@app.post("/predict")
def predict():
    body = request.json
    x = [[body["income"], body["age"]]]
    return model.predict(x).tolist()
"""
    (message,) = kept(tmp_path, "app = Flask(__name__)\nmodel = " + LOADS + "\n" + code)
    assert "column 1 holds `income`" in message


def test_what_raises_turns_the_forecast(tmp_path: Path) -> None:
    service(tmp_path, "Wrong", FRAME)
    (report,) = audit(tmp_path, Settings(select=("CMP012",))).services
    assert report.forecast.predicts == "no"
    service(tmp_path, "Good", "x = np.array([[r.income, r.age]])")
    (report,) = audit(tmp_path, Settings(select=("CMP012",))).services
    assert report.forecast.predicts != "no"


def test_the_release_decides(tmp_path: Path) -> None:
    """1.1 only warns of other names; 0.24 takes columns by position and says nothing."""
    assert service(tmp_path, "Wrong", FRAME, version="1.1.3") == []
    (finding,) = service(tmp_path, "Swapped", FRAME, version="1.1.3")
    assert "takes columns by position" in finding.message
    assert service(tmp_path, "Wrong", FRAME, version="1.2.2") != []


def test_an_open_requirement_means_the_newest_release(tmp_path: Path) -> None:
    service(tmp_path, "Wrong", FRAME)
    text = REQUIREMENTS.replace("scikit-learn=={version}", "scikit-learn")
    (tmp_path / "requirements.txt").write_text(text)
    (finding,) = found(tmp_path, "CMP012")
    assert finding.confidence is Confidence.LIKELY


def pipeline(*steps: Instance) -> Instance:
    return Instance("sklearn.pipeline.Pipeline", steps=[(str(i), s) for i, s in enumerate(steps)])


def columns(used: list[str], names: list[str]) -> Instance:
    scaler = Instance("sklearn.preprocessing._data.StandardScaler", n_features_in_=len(used))
    return Instance(
        "sklearn.compose._column_transformer.ColumnTransformer",
        transformers_=[("n", scaler, used), ("remainder", "drop", [1])],
        feature_names_in_=names, n_features_in_=len(names), _sklearn_version="1.7.2",
    )  # fmt: skip


def test_a_column_transformer_picks_its_own(tmp_path: Path) -> None:
    made = pipeline(columns(["age"], ["age", "income"]), linear("age"))
    for model in ("Good", "Swapped", "More", "Wrong"):
        assert service(tmp_path, model, FRAME, made) == []
    (finding,) = service(tmp_path, "Good", FRAME + "[['income']]", made)
    assert "columns are missing: {'age'}" in finding.message
    assert "a Pipeline fitted on" in finding.related[0].message
    (finding,) = service(tmp_path, "Good", "x = [[r.age, r.income]]", made)
    assert "an array has none" in finding.message


def test_the_first_step_of_a_pipeline_decides(tmp_path: Path) -> None:
    scaler = Instance(
        "sklearn.preprocessing._data.StandardScaler",
        feature_names_in_=["age", "income"], n_features_in_=2,
    )  # fmt: skip
    assert service(tmp_path, "Wrong", FRAME, pipeline(scaler, linear("a", "b"))) != []
    function = Instance(
        "sklearn.preprocessing._function_transformer.FunctionTransformer", func=None
    )
    assert service(tmp_path, "Wrong", FRAME, pipeline(function, linear("age", "income"))) == []
    own = Instance("features.Encoder", feature_names_in_=["age", "income"], n_features_in_=2)
    assert service(tmp_path, "Wrong", FRAME, pipeline(own, linear("age", "income"))) == []


def test_a_model_inside_a_mapping(tmp_path: Path) -> None:
    bundle = {"model": linear("age", "income"), "threshold": 0.5}
    body = FRAME + "\nmodel = bundle['model']"
    code = HEAD.replace("model = joblib", "bundle = joblib").replace("MODEL", "Wrong")
    code += "".join(f"    {x}\n" for x in body.splitlines()) + "    return model.predict(x)\n"
    write(tmp_path, {"app.py": code, "model.joblib": pickled(bundle),
                     "requirements.txt": REQUIREMENTS.format(version="1.7.2")})  # fmt: skip
    (finding,) = found(tmp_path, "CMP012")
    assert "salary" in finding.message


def test_the_feed_of_an_onnx_session(tmp_path: Path) -> None:
    code = """\
import onnxruntime
from fastapi import FastAPI
app = FastAPI()
session = onnxruntime.InferenceSession("/app/m.onnx")
@app.post("/predict")
def predict(a: float):
    return session.run(None, {"FEED": [[a]]})
"""
    model = onnx_model("""
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 1] features) => (float[N, 1] y) { y = Identity(features) }
""")
    for feed, count in (("input", 1), ("features", 0)):
        write(tmp_path, {"app.py": code.replace("FEED", feed), "m.onnx": model,
                         "requirements.txt": "fastapi==0.115.6\nonnxruntime==1.20.1\n"})  # fmt: skip
        assert len(found(tmp_path, "CMP012")) == count


# ---- names in buffers ----


def ubj(*names: str) -> bytes:
    def text(value: str) -> bytes:
        raw = value.encode()
        return b"L" + len(raw).to_bytes(8, "big") + raw

    array = b"[#L" + len(names).to_bytes(8, "big") + b"".join(b"S" + text(n) for n in names)
    return b"{" + text("learner") + b"{" + text("feature_names") + array + text("x") + b"}}"


def test_names_of_boosters() -> None:
    names = ("age", "größe", "a b")
    assert buffer_names(ubj(*names)) == names
    json = '{"learner":{"attributes":{},"feature_names":["age","größe","a b"]}}'
    assert buffer_names(json.encode()) == names
    tree = "tree\nversion=v4\nfeature_names=age größe\nfeature_infos=[0:1]\n"
    assert buffer_names(tree.encode()) == ("age", "größe")
    assert buffer_names(b"tree\nfeature_names=Column_0 Column_1\n") == ()


@given(st.binary(max_size=200), st.sampled_from([b"CBM1", b"{L", b'{"', b"tree\n"]),
       st.integers(0, 120))  # fmt: skip
def test_hostile_buffers_have_no_names_or_some(data: bytes, head: bytes, cut: int) -> None:
    for raw in (head + data, ubj("a", "b")[:cut] + data, b'{"feature_names":[' + b"[" * cut):
        assert all(isinstance(n, str) for n in buffer_names(raw))


def test_a_pickled_booster_says_its_names(tmp_path: Path) -> None:
    booster = Instance("xgboost.core.Booster", handle=Call("builtins.bytearray", ubj("age", "x")
                                                           + bytes(400)))  # fmt: skip
    model = Instance("xgboost.sklearn.XGBClassifier", _Booster=booster)
    (tmp_path / "m.pkl").write_bytes(pickled(model))
    (facts, *_) = scan_file(tmp_path / "m.pkl", display_path="m.pkl")
    made = contract(facts)
    assert made is not None
    assert made.names == ("age", "x")


def test_json_names_the_columns(tmp_path: Path) -> None:
    service(tmp_path, "Good", FRAME)
    (artifact,) = audit(tmp_path, Settings()).artifacts
    assert artifact.feature_names == ("age", "income")


FLASK = """\
import joblib
import numpy as np
import pandas as pd
from flask import Flask, jsonify, request

app = Flask(__name__)
model = joblib.load("/app/model.joblib")

@app.route("/predict", methods=["POST"])
def predict():
    try:
        data = request.get_json()
BODY
        return jsonify(model.predict(x).tolist())
    except Exception as error:
        return jsonify(error=str(error)), 500
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x = pd.DataFrame([{'age': data['age'], 'income': data.get('income')}])", None),
        ("x = pd.DataFrame([{'age': data['age'], 'pay': data['pay']}])", "unknown `pay`"),
        ("x = pd.DataFrame({'income': [data['income']], 'age': [data['age']]})", "another order"),
        ("x = [[float(data['age']), float(data['income'])]]", None),
        ("x = [[float(data['income']), float(data['age'])]]", "column 1 holds `income`"),
        ("row = [data[f] for f in ('age', 'income')]\nx = np.array(row).reshape(1, -1)", None),
        ("row = [data[f] for f in ('age',)]\nx = np.array(row).reshape(1, -1)", "and gets 1"),
        ("x = pd.DataFrame([request.json])", None),
        ("x = np.array(data['features']).reshape(1, -1)", None),
        ("x = pd.DataFrame([data['features']], columns=['a', 'b'])", "without `age`"),
    ],
)
def test_keys_that_flask_code_reads(tmp_path: Path, body: str, words: str | None) -> None:
    text = "\n".join(f"        {line}" for line in body.splitlines())
    write(tmp_path, {
        "app.py": FLASK.replace("BODY", text),
        "model.joblib": pickled(linear("age", "income")),
        "Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n"
        'RUN pip install -r requirements.txt\nCMD ["gunicorn", "-b", "0.0.0.0:80", "app:app"]\n',
        "requirements.txt": REQUIREMENTS.format(version="1.7.2") + "flask==3.1.0\ngunicorn==23.0.0\n",
    })  # fmt: skip
    said = [f.message for f in found(tmp_path, "CMP012")]
    assert len(said) == (words is not None)
    assert all(words in text for text in said if words)
