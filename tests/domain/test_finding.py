"""Findings: every kind means something, and crowds are those of brute force."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.entry import Entry
from reservesvc.domain.finding import MEANINGS, Finding, Kind, crowded
from reservesvc.domain.slot import Usage, peak

ROOM = "room-1"


def entry(number: int, start_ms: int, length_ms: int, quantity: int) -> Entry:
    """Return an entry of the room's."""
    return Entry(
        resource_id=ROOM,
        id=str(number),
        start_ms=start_ms,
        end_ms=start_ms + length_ms,
        quantity=quantity,
    )


def test_every_kind_has_a_meaning() -> None:
    """What is repaired says how; what is not says why not, or that it ends by itself."""
    assert MEANINGS.keys() == set(get_args(Kind))
    for kind in MEANINGS:
        finding = Finding(kind, entry(1, 0, 1, 1))
        says = finding.meaning.says
        assert finding.is_repairable == (" A repair " in says)
        assert finding.is_wrong == ("repair" in says)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5), st.integers(1, 3)), max_size=8),
    st.integers(1, 4),
)
def test_who_is_crowded(rows: list[tuple[int, int, int]], capacity: int) -> None:
    """Exactly who needs the room at an instant at which more is in use than there is."""
    entries = [entry(number, *row) for number, row in enumerate(rows)]
    usages = [Usage(one.start_ms, one.end_ms, one.quantity) for one in entries]
    expected = {one for one in entries if peak(usages, one.start_ms, one.end_ms) > capacity}
    assert crowded(entries, capacity) == expected
