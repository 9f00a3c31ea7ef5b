"""Intervals: half-open stretches of time, `[start_ms, end_ms)`, in lists that are in order.

"In order" means: by start, without overlap, none empty. Every function returns such a list,
and takes such lists unless it says otherwise.
"""

from collections.abc import Iterable

Interval = tuple[int, int]


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return `intervals`, which may be in any order and overlap, as a list in order.

    What touches becomes one: 10-11 and 11-12 are 10-12.
    """
    found: list[Interval] = []
    for start_ms, end_ms in sorted(intervals):
        if end_ms <= start_ms:
            continue
        if found and start_ms <= found[-1][1]:
            if end_ms > found[-1][1]:
                found[-1] = (found[-1][0], end_ms)
        else:
            found.append((start_ms, end_ms))
    return found


def intersection(some: list[Interval], others: list[Interval]) -> list[Interval]:
    """Return what lies in both."""
    found: list[Interval] = []
    place = 0
    for start_ms, end_ms in some:
        while place < len(others) and others[place][1] <= start_ms:
            place += 1
        at = place
        while at < len(others) and others[at][0] < end_ms:
            found.append((max(start_ms, others[at][0]), min(end_ms, others[at][1])))
            at += 1
    return found


def difference(some: list[Interval], others: list[Interval]) -> list[Interval]:
    """Return what lies in `some` and not in `others`."""
    found: list[Interval] = []
    place = 0
    for start_ms, end_ms in some:
        while place < len(others) and others[place][1] <= start_ms:
            place += 1
        at, free_ms = place, start_ms
        while at < len(others) and others[at][0] < end_ms:
            if others[at][0] > free_ms:
                found.append((free_ms, others[at][0]))
            free_ms = others[at][1]
            at += 1
        if free_ms < end_ms:
            found.append((free_ms, end_ms))
    return found
