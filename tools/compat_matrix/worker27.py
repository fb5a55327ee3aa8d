"""Runs in Python 2.7: writes what such a system left behind. ``worker27.py FOLDER ENVIRONMENT``

The names are those of ``PYTHON2`` in ``recipes_fair.py``, which says how each is used.
"""

import collections
import datetime
import json
import math
import os
import pickle
import sys


class Thing(object):
    def __init__(self):
        self.a = 3


class Old:
    def __init__(self):
        self.a = 3


def data():
    import numpy

    x = numpy.array([[math.sin(i * 7.1 + j * 3.3) * (j + 1) for j in range(4)] for i in range(60)])
    return x, (x[:, 0] + x[:, 1] * 0.5 > 0.1).astype(int)


def objects():
    import numpy
    import pandas
    import scipy.sparse
    from sklearn.cluster import KMeans
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB, MultinomialNB
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import LabelEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    x, y = data()
    words = ["red green", "green blue", "blue red red", "white or grey"] * 5
    text = ["blue red", "green"]
    frame = pandas.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", "y"]})
    naive = pandas.DataFrame({"t": pandas.date_range("2024-01-01", periods=2)})
    bayes = GaussianNB().fit(x, y)
    groups = KMeans(3, n_init=3, random_state=0).fit(x)
    labels = LabelEncoder().fit(["low", "mid", "top"])
    pipe = Pipeline([("v", TfidfVectorizer()), ("m", MultinomialNB())]).fit(words, [0, 1, 2, 1] * 5)
    forest = RandomForestClassifier(n_estimators=5, random_state=0).fit(x, y)
    logit = LogisticRegression(solver="lbfgs").fit(x, y)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y)
    imputer = SimpleImputer().fit(x)
    scaler = StandardScaler().fit(x)
    tfidf = TfidfVectorizer().fit(words)
    return [
        ("GaussianNB", bayes, bayes.predict_proba(x[:4]).tolist()),
        ("KMeans", groups, groups.predict(x[:4]).tolist()),
        ("LabelEncoder", labels, labels.transform(["mid"]).tolist()),
        ("words", pipe, pipe.predict(["red or", "blue red"]).tolist()),
        ("forest", forest, forest.predict_proba(x[:4]).tolist()),
        ("logit", logit, logit.predict_proba(x[:4]).tolist()),
        ("tree", tree, tree.predict(x[:4]).tolist()),
        ("imputer", imputer, imputer.transform(x[:4]).tolist()),
        ("scaler", scaler, scaler.transform(x[:4]).tolist()),
        ("tfidf", tfidf, tfidf.transform(text).toarray().tolist()),
        ("frame", frame, [["a", "b", "c"], [[1, 2], [1.5, "missing"], ["x", "y"]], [0, 1]]),
        ("naive", naive, [["t"], [["2024-01-01T00:00:00", "2024-01-02T00:00:00"]], [0, 1]]),
        ("series", frame["b"], [1.5, "missing"]),
        ("texts", numpy.array(["ab", "c"]), 2),
        ("array", numpy.arange(6.0).reshape(2, 3), numpy.arange(6.0).reshape(2, 3).tolist()),
        ("state", numpy.random.RandomState(3), numpy.random.RandomState(3).rand(2).tolist()),
        ("float64", numpy.float64(2.25), 2.25),
        ("csr", scipy.sparse.csr_matrix([[0, 1.5]]), [[0, 1.5]]),
        ("when", datetime.datetime(2024, 2, 3, 4, 5), "2024-02-03 04:05:00"),
        ("ordered", collections.OrderedDict([("a", 1), ("b", [1.5])]), {"a": 1, "b": [1.5]}),
        ("text", "plain text", "plain text"),
        ("unicode", b"gr\xc3\xbcn".decode("utf-8"), b"gr\xc3\xbcn".decode("utf-8")),
        ("plain", {"a": [1, 2.5, None, True], "b": ("x", "y")}, 2),
        ("instance", Thing(), 3),
        ("oldstyle", Old(), 3),
        ("default", collections.defaultdict(list, a=[1]), {"a": [1]}),
        ("set", {1, 2}, [1, 2]),
        ("long", 2**70, 2**70),
    ]


def main(folder, environment):
    from sklearn.externals import joblib

    rows = []
    for name, made, expected in objects():
        for writer, protocol in (
            ("pickle", 0),
            ("pickle-p2", 2),
            ("joblib", ""),
            ("joblib-zlib", ""),
        ):
            base = writer.partition("-")[0]
            if base == "joblib" and name not in (
                "forest",
                "logit",
                "LabelEncoder",
                "scaler",
                "frame",
                "array",
            ):
                continue
            artifact = "%s__py2-%s__%s.%s" % (
                environment,
                name,
                writer,
                "joblib" if base == "joblib" else "pkl",
            )
            target = os.path.join(folder, "artifacts", artifact)
            if base == "joblib":
                joblib.dump(made, target, compress=("zlib", 3) if "-" in writer else 0)
            else:
                with open(target, "wb") as file:
                    pickle.dump(made, file, protocol)
            with open(target + ".expected", "w") as file:
                json.dump(expected, file)
            rows.append(
                (
                    artifact,
                    environment,
                    "py2-" + name,
                    writer,
                    protocol,
                    "python2",
                    os.path.getsize(target),
                )
            )
    with open(os.path.join(folder, "made", environment + ".tsv"), "w") as file:
        for row in rows:
            file.write("\t".join(map(str, row)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
