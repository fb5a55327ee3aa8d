"""The same module a release later."""

import collections
import dataclasses
import enum
from typing import Any, NamedTuple

Stop = collections.namedtuple("Stop", "name km day")


class Point(NamedTuple):
    x: float
    y: float = 0.0


@dataclasses.dataclass
class Leg:
    start: str
    km: float = 1.0
    fuel: str = "d"


class Fuel(enum.Enum):
    DIESEL = "d"
    POWER = "e"


class Money:
    """Made again by its constructor."""

    def __init__(self, amount: float, unit: str) -> None:
        self.amount = amount

    def __reduce__(self) -> Any:
        return Money, (self.amount, "EUR")


class Registry(dict):  # type: ignore[type-arg]
    """A dictionary with an attribute."""

    owner = "nobody"


class Depot:
    class Door:
        number = 4

    def __init__(self) -> None:
        self.gates = [Depot.Door()]


class Counter:
    """Leaves something out of its state, and puts it back."""

    def __init__(self) -> None:
        self.seen = {"a": 1}
        self.log: Any = print

    def __getstate__(self) -> Any:
        return {"seen": self.seen}

    def __setstate__(self, state: Any) -> None:
        self.seen = state["seen"]
        self.log = print


def twice(x: Any) -> Any:
    return x * 2


try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError:
    pass
else:

    class Clip(BaseEstimator, TransformerMixin):  # type: ignore[misc]
        def __init__(self, low: float = -1.0) -> None:
            self.low = low

        def fit(self, x: Any, y: Any = None) -> Any:
            self.top_ = x.max(axis=0)
            return self

        def transform(self, x: Any) -> Any:
            return x.clip(self.low, self.top_)
