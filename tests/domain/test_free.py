"""Free time and the slots that fit, against counting at every instant."""

from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.free import blocked, common, free_times, starts
from reservesvc.domain.intervals import Interval, merged
from reservesvc.domain.slot import Usage

TIMES = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda t: (t[0], t[0] + t[1]))
OPENED = st.lists(TIMES, max_size=4).map(merged)
USAGES = st.lists(st.tuples(TIMES, st.integers(1, 3)).map(lambda t: Usage(*t[0], t[1])), max_size=8)
CAPACITIES, BUFFERS = st.integers(1, 4), st.integers(0, 3)
LENGTHS, STEPS = st.integers(1, 6), st.integers(1, 6)
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


@given(OPENED, USAGES, CAPACITIES, BUFFERS, LENGTHS, STEPS)
def test_slots_are_those_of_brute_force(
    opened: list[Interval], usages: list[Usage], capacity: int, buffer: int, length: int, step: int
) -> None:
    """A slot is there if it lies on its opening's grid, and open and free throughout."""
    found = starts(free_times(opened, usages, capacity, buffer), length, step)
    expected = [
        start
        for begin, end in opened
        for start in range(begin, end - length + 1, step)
        if all(in_use(usages, at, buffer) < capacity for at in range(start, start + length))
    ]
    assert [start for each in found for start in each] == expected


@given(OPENED, USAGES, CAPACITIES, LENGTHS)
def test_free_and_blocked_cover_what_is_open(
    opened: list[Interval], usages: list[Usage], capacity: int, length: int
) -> None:
    """On the finest grid every open instant is in a slot, or too close to what is in the way."""
    found = starts(free_times(opened, usages, capacity, 0), length, 1)
    offered = {at for each in found for start in each for at in range(start, start + length)}
    free = {at for a, b in opened for at in range(a, b) if in_use(usages, at, 0) < capacity}
    assert offered <= free
    for at in free - offered:
        first, last = at, at
        while first - 1 in free:
            first -= 1
        while last + 1 in free:
            last += 1
        assert last - first + 1 < length


@given(OPENED, OPENED, USAGES, USAGES, LENGTHS)
def test_what_two_have_in_common(
    opened: list[Interval],
    other: list[Interval],
    usages: list[Usage],
    others: list[Usage],
    length: int,
) -> None:
    """Both are open and free throughout a common slot."""
    one, two = free_times(opened, usages, 1, 0), free_times(other, others, 1, 0)
    for each in starts(common(one, two), length, 1):
        for start in each:
            for at in range(start, start + length):
                assert in_use(usages + others, at, 0) == 0
                assert any(a <= at < b for a, b in opened)
                assert any(a <= at < b for a, b in other)


def test_the_grid_stays_where_it_is() -> None:
    """A booking until 10:20 takes slots off the grid and moves none."""
    day = [(9 * 60, 17 * 60), (20 * 60 + 15, 22 * 60 + 15)]
    found = starts(free_times(day, [Usage(600, 620, 1)], 1, 0), 60, 60)
    assert [start / 60 for each in found for start in each] == [9, *range(11, 17), 20.25, 21.25]
