"""The forecast's logic, as properties over whatever checks may say."""

from hypothesis import given
from hypothesis import strategies as st

from auditor.deployment.model import Service
from auditor.findings import Confidence, Finding, Severity, Stage, Suppression, Undecided
from auditor.forecast import forecasts
from auditor.result import Forecast
from auditor.source import Location

NAMES = ("api", "worker")


def finding(
    number: int,
    confidence: Confidence = Confidence.CERTAIN,
    breaks: tuple[tuple[str, Stage], ...] = (),
    *,
    suppressed: bool = False,
) -> Finding:
    return Finding(
        rule=f"NET{number:03}",
        name="name",
        category="network",
        severity=Severity.HIGH,
        confidence=confidence,
        message=f"fault {number}",
        at=Location("Dockerfile", number + 1),
        breaks=breaks,
        fingerprint=f"mark-{number}",
        suppressed=Suppression(by="comment", reason="known") if suppressed else None,
    )


def service(*open_links: tuple[Stage, str]) -> Service:
    return Service(name="api", at=Location("compose.yaml"), origin="compose", open_links=open_links)


def forecast(api: Service, found, open_) -> Forecast:
    """The answers for one service that stands beside another."""
    worker = Service(name="worker", at=Location("compose.yaml"), origin="compose")
    return forecasts((worker, api), found, open_)["api"]


breaks = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(Stage)), max_size=3, unique=True
).map(tuple)
findings = st.lists(
    st.builds(
        finding, st.integers(0, 9), st.sampled_from(Confidence), breaks, suppressed=st.booleans()
    ),
    max_size=6,
)
undecided = st.lists(
    st.builds(
        lambda n, blocks: Undecided(rule="PTH001", reason=f"link {n}", blocks=blocks),
        st.integers(0, 5),
        breaks,
    ),
    max_size=4,
)
links = st.lists(st.tuples(st.sampled_from(Stage), st.sampled_from(["a", "b"])), max_size=3)

RANK = {"yes": 0, "unknown": 1, "no": 2}


def ranks(answer: Forecast) -> list[int]:
    return [RANK[a] for _, a in answer.answers()]


@given(findings, undecided, links)
def test_answers_only_get_worse(found, open_, own):
    # yes, then unknown, then no: a no propagates, and nothing is known after an unknown but a no.
    answer = forecast(service(*own), found, open_)
    assert ranks(answer) == sorted(ranks(answer))


@given(findings, undecided, links)
def test_every_no_has_a_reason_and_every_unknown_a_link(found, open_, own):
    answer = forecast(service(*own), found, open_)
    answers = dict(answer.answers())
    assert bool(answer.because) == ("no" in answers.values())
    assert ("unknown" in answers.values()) <= bool(answer.unresolved)
    for stage, _ in answer.unresolved:
        assert answers[stage] == "unknown"
    marks = {f.fingerprint for f in found if any(n == "api" for n, _ in f.breaks)}
    assert set(answer.because) <= marks


@given(findings, undecided, links)
def test_others_do_not_matter(found, open_, own):
    mine = [f for f in found if any(n == "api" for n, _ in f.breaks)]
    ours = [u for u in open_ if any(n == "api" for n, _ in u.blocks)]
    assert forecast(service(*own), mine, ours) == forecast(service(*own), found, open_)


@given(findings, undecided, links)
def test_what_is_accepted_breaks_nothing(found, open_, own):
    active = [f for f in found if f.suppressed is None]
    assert forecast(service(*own), found, open_) == forecast(service(*own), active, open_)


@given(findings, undecided, links, st.integers(0, 5))
def test_mending_never_makes_it_worse(found, open_, own, index):
    before = forecast(service(*own), found, open_)
    after = forecast(service(*own), [f for i, f in enumerate(found) if i != index], open_)
    assert all(a <= b for a, b in zip(ranks(after), ranks(before), strict=True))


def test_without_anything_in_the_way_it_is_yes():
    assert set(dict(forecast(service(), (), ()).answers()).values()) == {"yes"}


def test_a_likely_fault_is_a_no_and_a_possible_one_is_not():
    at = (("api", Stage.REACHABLE),)
    likely = forecast(service(), [finding(1, Confidence.LIKELY, at)], ())
    assert [a for _, a in likely.answers()] == ["yes", "yes", "no", "no"]
    assert likely.because == ("mark-1",)
    possible = forecast(service(), [finding(1, Confidence.POSSIBLE, at)], ())
    assert [a for _, a in possible.answers()] == ["yes", "yes", "unknown", "unknown"]
    assert possible.unresolved == (("reachable", "NET001: fault 1"),)


def test_an_unknown_stage_does_not_hide_a_later_no():
    answer = forecast(
        service((Stage.STARTS, "not followed")),
        [finding(1, Confidence.CERTAIN, (("api", Stage.REACHABLE),))],
        (),
    )
    assert [a for _, a in answer.answers()] == ["yes", "unknown", "no", "no"]
