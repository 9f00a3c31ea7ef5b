"""Intervals against sets of instants."""

from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.intervals import Interval, difference, intersection, merged

INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)))


def instants(intervals: list[Interval]) -> set[int]:
    """Return every instant that lies in one of them."""
    return {instant for start, end in intervals for instant in range(start, end)}


def is_in_order(intervals: list[Interval]) -> bool:
    """Tell whether each is non-empty and ends before the next begins."""
    edges = [edge for interval in intervals for edge in interval]
    return edges == sorted(edges) and all(start < end for start, end in intervals)


@given(INTERVALS)
def test_merged_is_the_same_time_in_order(some: list[Interval]) -> None:
    """Nothing is lost, nothing is added, and what touches is one."""
    found = merged(some)
    assert instants(found) == instants(some)
    assert is_in_order(found)
    assert not {end for _, end in found} & {start for start, _ in found}


@given(INTERVALS, INTERVALS)
def test_two_lists_together(some: list[Interval], others: list[Interval]) -> None:
    """Intersection and difference are those of sets, in order."""
    left, right = merged(some), merged(others)
    for found, expected in (
        (intersection(left, right), instants(left) & instants(right)),
        (difference(left, right), instants(left) - instants(right)),
    ):
        assert instants(found) == expected
        assert is_in_order(found)
