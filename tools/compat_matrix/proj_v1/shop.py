"""A module of the project that trains: what artifacts name and the server must have, too."""

import collections
import enum
from typing import Any


class Tier(enum.Enum):
    BASIC = 1
    GOLD = "gold"


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


Basket = collections.namedtuple("Basket", ["items", "total"])


def clean(value: Any) -> Any:
    return value * 2


class Rule:
    __slots__ = ("base", "factor")

    def __init__(self, base: float, factor: float) -> None:
        self.base = base
        self.factor = factor

    def run(self, value: float) -> float:
        return self.base + self.factor * value


class Settings:
    def __init__(self, name: str, threshold: float) -> None:
        self.name = name
        self.threshold = threshold

    def __str__(self) -> str:
        return "%s above %s" % (self.name, self.threshold)


try:
    from sklearn.base import BaseEstimator, ClassifierMixin
except ImportError:
    pass
else:

    class ThresholdModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def __init__(self, threshold: float = 0.0) -> None:
            self.threshold = threshold

        def fit(self, x: Any, y: Any = None) -> Any:
            self.classes_ = [0, 1]
            return self

        def predict(self, x: Any) -> Any:
            import numpy

            return (numpy.asarray(x)[:, 0] > self.threshold).astype(int)
