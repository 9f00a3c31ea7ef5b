"""The bars: when one is met, and how far its goal is."""

import pytest

from benchmarks.bars import BARS, Bar, Verdict, stand

_LESS = Bar(key="less", text="", goal=0.5, first=1.0)
_MORE = Bar(key="more", text="", goal=1.1, first=0.9, more_is_better=True)


@pytest.mark.parametrize(
    ("bar", "value", "verdict"),
    [
        (_LESS, 0.5, "goal"),
        (_LESS, 0.51, "met"),
        (_LESS, 1.0, "met"),
        (_LESS, 1.01, "missed"),
        (_MORE, 1.1, "goal"),
        (_MORE, 1.09, "met"),
        (_MORE, 0.9, "met"),
        (_MORE, 0.89, "missed"),
    ],
)
def test_a_limit_belongs_to_what_it_limits(bar: Bar, value: float, verdict: Verdict) -> None:
    """A value right at a limit reaches it, from either side."""
    assert stand(bar, value).verdict == verdict


def test_the_distance_is_a_factor() -> None:
    """What is left to the goal is said as the factor by which the value has to change."""
    assert stand(_LESS, 0.75).shown == "first bar met, the goal is 1.50 × away"
    assert stand(_MORE, 0.55).shown == "MISSED, the goal is 2.00 × away"
    assert stand(_LESS, 0.1).shown == "goal reached"


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    """A reason in place of a value, or nothing at all, is shown as not measured."""
    assert stand(_LESS, "node is missing").shown == "not measured: node is missing"
    assert stand(_LESS, None).verdict == "skipped"


def test_every_goal_is_beyond_its_first_bar() -> None:
    """No goal is easier than what comes first, and no key is there twice."""
    for bar in BARS:
        assert (bar.goal >= bar.first) if bar.more_is_better else (bar.goal <= bar.first)
    assert len({bar.key for bar in BARS}) == len(BARS)
