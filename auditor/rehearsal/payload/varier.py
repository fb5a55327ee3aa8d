"""Write a copy of a model with other numbers.

    python varier.py OLD NEW

Ends with status 0 when something was changed, else says why not.
"""

import pickle
import sys

# What predictions are computed from: changing it changes them and breaks nothing.
NAMES = (
    "coef_",
    "intercept_",
    "intercepts_",
    "dual_coef_",
    "_intercept_",
    "_dual_coef_",
    "init_",
    "cluster_centers_",
    "_baseline_prediction",
    "class_log_prior_",
    "theta_",
    "constant_",
    "weights",
)


def main():
    old, new = sys.argv[1:3]
    with open(old, "rb") as file:
        head = file.read(2)
    joblib = None
    try:
        import joblib
    except ImportError:
        pass
    if joblib is not None:
        model = joblib.load(old)
    elif head[:1] == b"\x80":
        with open(old, "rb") as file:
            model = pickle.load(file)
    else:
        raise SystemExit("it is read by something else than pickle or joblib")
    count = change(model)
    if isinstance(model, float):
        model, count = model * 1.5 + 1.0, 1
    if not count:
        raise SystemExit("nothing in it is known to be numbers of a model")
    if joblib is not None:
        joblib.dump(model, new)
    else:
        with open(new, "wb") as file:
            pickle.dump(model, file)


def change(model):
    """Change numbers in place, and say how many places were changed."""
    seen = set()
    pending = [model]
    count = 0
    while pending and len(seen) < 200000:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if type(item).__name__ == "Tree" and hasattr(item, "value"):
            count += tree(item)
            continue
        if isinstance(item, list):
            count += numbers(item)
            pending += item
        elif isinstance(item, tuple):
            pending += item
        elif isinstance(item, dict):
            count += named(item, item.__setitem__)
            pending += item.values()
        elif type(item).__name__ == "ndarray":
            if item.dtype == object:
                pending += list(item.flat)
        else:
            inner = getattr(item, "__dict__", None)
            if isinstance(inner, dict):
                count += named(inner, inner.__setitem__)
                pending += inner.values()
    return count


def tree(item):
    """Other values at the leaves: the classes the other way round, or other heights."""
    values = item.value
    if values.shape[-1] > 1:
        values[...] = values[..., ::-1].copy()
    else:
        values[...] = values * 1.5 + 1.0
    return 1


def numbers(item):
    """A plain list of numbers."""
    if not item or not all(type(x) is float for x in item):
        return 0
    item[:] = [x * 1.5 + 1.0 for x in item]
    return 1


def named(items, put):
    count = 0
    for name in NAMES:
        value = items.get(name)
        if value is None:
            continue
        if getattr(getattr(value, "dtype", None), "kind", "") == "f":
            # The sign as well: a label has to change, not only its probability.
            put(name, value * -1.5)
            count += 1
        elif type(value) is float:
            put(name, value * -1.5)
            count += 1
    return count


if __name__ == "__main__":
    main()
