"""Where a resource's index and the booking store say different things.

The store is right: what differs is put right by a resync, which rebuilds the index from it.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from reservesvc.domain.entry import Entry

Kind = Literal["missing", "misplaced", "unsettled"]
"""What each means is told in `finding.MEANINGS`"""


class Difference(NamedTuple):
    """One entry that the two disagree about."""

    kind: Kind
    entry: Entry


def differences(
    booked: Iterable[Entry], settled: Iterable[Entry], held: Iterable[Entry], lost: Iterable[Entry]
) -> set[Difference]:
    """Return what differs.

    Args:
        booked: what the booking store says is booked.
        settled: what the index has as booked.
        held: what the index has as unsettled with a live key: being decided right now.
        lost: what the index has as unsettled without a key: nobody is deciding any more.

    """
    in_store, in_index, left = set(booked), set(settled), set(lost)
    rows: list[tuple[Kind, set[Entry]]] = [
        ("missing", in_store - in_index - left - set(held)),
        ("misplaced", in_index - in_store),
        ("unsettled", left),
    ]
    return {Difference(kind, entry) for kind, entries in rows for entry in entries}
