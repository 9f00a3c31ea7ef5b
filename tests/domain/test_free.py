"""Free time and the slots that fit, against counting at every instant."""

from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.free import blocked, free_times, starts
from reservesvc.domain.intervals import Interval, merged
from reservesvc.domain.slot import Usage

TIMES = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda t: (t[0], t[0] + t[1]))
OPENED = st.lists(TIMES, max_size=4).map(merged)
USAGES = st.lists(st.tuples(TIMES, st.integers(1, 3)).map(lambda t: Usage(*t[0], t[1])), max_size=8)
CAPACITIES, BUFFERS = st.integers(1, 4), st.integers(0, 3)
LENGTHS, QUANTITIES = st.integers(1, 6), st.integers(1, 4)
GRIDS = st.sets(st.integers(0, 75)).map(sorted)
INSTANTS = range(-5, 80)


def in_use(usages: list[Usage], instant: int, buffer: int) -> int:
    """Return how many units are in use at an instant."""
    return sum(u.quantity for u in usages if u.start_ms - buffer <= instant < u.end_ms + buffer)


@given(USAGES, CAPACITIES, BUFFERS)
def test_blocked_is_where_no_unit_is_left(usages: list[Usage], capacity: int, buffer: int) -> None:
    """At each instant: as many in use as there are, or more."""
    found = blocked(usages, capacity, buffer)
    for instant in INSTANTS:
        is_full = in_use(usages, instant, buffer) >= capacity
        assert any(a <= instant < b for a, b in found) == is_full


@given(OPENED, USAGES, CAPACITIES, BUFFERS, LENGTHS, QUANTITIES, GRIDS)
def test_slots_are_those_of_brute_force(
    opened: list[Interval],
    usages: list[Usage],
    capacity: int,
    buffer: int,
    length: int,
    quantity: int,
    grid: list[int],
) -> None:
    """A slot is there if it begins on the grid, is open, and has the units free throughout."""
    found = starts(free_times(opened, usages, capacity, buffer, quantity), grid, length)
    assert found == [
        start
        for start in grid
        if any(a <= start and start + length <= b for a, b in opened)
        and all(
            in_use(usages, at, buffer) + quantity <= capacity for at in range(start, start + length)
        )
    ]


def test_the_grid_stays_where_it_is() -> None:
    """A booking until 10:20 takes slots off the grid and moves none."""
    day = [(9 * 60, 17 * 60)]
    free = free_times(day, [Usage(600, 620, 1)], 1)
    found = starts(free, range(9 * 60, 17 * 60, 60), 60)
    assert [start / 60 for start in found] == [9, *range(11, 17)]


def test_a_resource_with_too_small_a_capacity_is_never_free() -> None:
    """Three units of two are not there even while nothing is in use."""
    assert free_times([(0, 24)], [], 2, 0, 3) == []
    assert free_times([(0, 24)], [], 2, 0, 2) == [(0, 24)]
