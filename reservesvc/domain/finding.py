"""What can be wrong with a slot, what that means for people, and what puts it right."""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from reservesvc.domain.entry import Entry

Kind = Literal[
    "missing",
    "misplaced",
    "unsettled",
    "committed",
    "unindexed",
    "overbooked",
    "contested",
    "undecided",
]
Remedy = Literal["resync", "claim", "nothing", "time"]


class Meaning(NamedTuple):
    """What a kind of finding says about a slot, and what helps."""

    says: str
    remedy: Remedy
    """a resync; a new claim for the same reservation; nothing we could do; time alone"""


MEANINGS: dict[Kind, Meaning] = {
    "missing": Meaning(
        "is booked, and the index in Redis lacks it: others are granted the slot and are refused "
        "when they book. A repair rebuilds the index.",
        "resync",
    ),
    "misplaced": Meaning(
        "is booked in the index in Redis, and the booking store knows no such booking: nobody can "
        "have the slot. A repair rebuilds the index, and the slot is free.",
        "resync",
    ),
    "unsettled": Meaning(
        "was left undecided by a server that ended in a hand-off or an action: it blocks the slot "
        "until somebody asks for it. A repair asks the booking store and rebuilds the index.",
        "resync",
    ),
    "committed": Meaning(
        "is booked, and Redis was never told: it still looks like a reservation that is being "
        "handed off. A repair rebuilds the index, and it is a booking there as well.",
        "resync",
    ),
    "unindexed": Meaning(
        "is a live reservation without an entry in the index: it holds nothing, others are granted "
        "the slot, and it cannot be booked. A repair claims the slot for it again, and releases it "
        "where somebody else has the slot by now.",
        "claim",
    ),
    "overbooked": Meaning(
        "is booked by more than there is room for: too many people expect to come, unless the "
        "capacity was lowered after they booked. No repair decides who stays: cancel a booking, or "
        "raise the capacity.",
        "nothing",
    ),
    "contested": Meaning(
        "is reserved although what else is booked and reserved leaves no room: whoever books last "
        "is refused. No repair decides who stays: it ends with the reservation, or release it.",
        "nothing",
    ),
    "undecided": Meaning(
        "is a reservation whose hand-off began and did not come to its end. It holds its slot, can "
        "be handed off again, and ends by itself.",
        "time",
    ),
}
"""Every kind of finding; the sentences go on where a slot and its holder were named"""


class Finding(NamedTuple):
    """Something about one entry that is not as it should be."""

    kind: Kind
    entry: Entry
    booking_id: str | None = None

    @property
    def meaning(self) -> Meaning:
        """What it says and what helps."""
        return MEANINGS[self.kind]

    @property
    def is_repairable(self) -> bool:
        """Whether we can put it right."""
        return self.meaning.remedy in ("resync", "claim")

    @property
    def is_wrong(self) -> bool:
        """Whether it stays wrong if nobody does anything."""
        return self.meaning.remedy != "time"


def crowded(entries: Iterable[Entry], capacity: int) -> set[Entry]:
    """Return the entries that take part where more units are in use than there are."""
    found: set[Entry] = set()
    now: list[tuple[int, int, Entry]] = []
    in_use = 0
    for number, entry in enumerate(sorted(entries, key=lambda entry: entry.start_ms)):
        while now and now[0][0] <= entry.start_ms:
            in_use -= heappop(now)[2].quantity
        heappush(now, (entry.end_ms, number, entry))
        in_use += entry.quantity
        if in_use > capacity:
            found.update(row[2] for row in now)
    return found
