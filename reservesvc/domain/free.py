"""Free time: when a resource is open and has a unit of its capacity left, and which slots fit.

Slots stand on a grid. It begins where the resource opens, so that an office that opens at half
past eight offers half past eight; what is in the way takes slots off the grid and never moves
it, so that a booking until 10:20 does not make every later slot begin at 20 past.
"""

from collections.abc import Iterable
from typing import NamedTuple

from reservesvc.domain.intervals import Interval, difference, intersection, merged
from reservesvc.domain.slot import Use


class Times(NamedTuple):
    """When something is open, and when it is open and free."""

    opened: list[Interval]
    free: list[Interval]


def blocked(usages: Iterable[Use], capacity: int, buffer_ms: int) -> list[Interval]:
    """Return when no unit is left, each use being longer by `buffer_ms` at both its ends."""
    if capacity == 1:
        return merged([(start - buffer_ms, end + buffer_ms) for start, end, _ in usages])
    steps: list[tuple[int, int]] = []
    for start_ms, end_ms, quantity in usages:
        steps.append((start_ms - buffer_ms, quantity))
        steps.append((end_ms + buffer_ms, -quantity))
    # At one instant ends sort before starts (they are negative): intervals are half-open.
    steps.sort()
    full: list[Interval] = []
    in_use, full_since_ms = 0, None
    for instant_ms, change in steps:
        in_use += change
        if full_since_ms is None and in_use >= capacity:
            full_since_ms = instant_ms
        elif full_since_ms is not None and in_use < capacity:
            full.append((full_since_ms, instant_ms))
            full_since_ms = None
    return merged(full)


def free_times(
    opened: list[Interval], usages: Iterable[Use], capacity: int, buffer_ms: int
) -> Times:
    """Return when a resource is open, and what of it is free."""
    return Times(opened, difference(opened, blocked(usages, capacity, buffer_ms)))


def common(some: Times, others: Times) -> Times:
    """Return when both are open, and when both are free."""
    return Times(intersection(some.opened, others.opened), intersection(some.free, others.free))


def starts(found: Times, length_ms: int, step_ms: int) -> list[range]:
    """Return where slots can begin: on the grid of an opening, and free for all their length."""
    ranges: list[range] = []
    place = 0
    for start_ms, end_ms in found.free:
        while found.opened[place][1] <= start_ms:
            place += 1
        origin_ms = found.opened[place][0]
        first_ms = start_ms + (origin_ms - start_ms) % step_ms
        if first_ms + length_ms <= end_ms:
            ranges.append(range(first_ms, end_ms - length_ms + 1, step_ms))
    return ranges
