"""Workloads that a selector takes are found by one label: the same as by asking each of them."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.deployment.cluster import Pods, selects
from auditor.source import Unknown

values = st.sampled_from(["a", "b", Unknown("a template decides it")])
labels = st.lists(
    st.tuples(
        st.sampled_from(["app", "tier"]), values.map(lambda v: SimpleNamespace(value=v))
    ),
    max_size=3,
)  # fmt: skip


@given(st.lists(labels, max_size=4), labels)
def test_the_same_workloads(pods: list[Any], selector: Any) -> None:
    workloads: list[Any] = [SimpleNamespace(pod=SimpleNamespace(labels=given)) for given in pods]
    taken = [w for w in workloads if selects(selector, w) is not False]
    assert sorted(map(id, Pods(workloads).taken(selector))) == sorted(map(id, taken))


def test_others_are_not_asked() -> None:
    def labelled(value: str) -> Any:
        return SimpleNamespace(pod=SimpleNamespace(labels=[("app", SimpleNamespace(value=value))]))

    pods = Pods([labelled(f"a{number}") for number in range(1_000)])
    assert len(pods._by["app", "a7"]) == 1
    assert len(list(pods.taken([("app", SimpleNamespace(value="a7"))]))) == 1  # type: ignore[list-item]
