"""Slots: half-open intervals and how much they use at once."""

from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.slot import Usage, is_resource_id, peak

USAGES = st.lists(
    st.builds(
        lambda start, length, quantity: Usage(start, start + length, quantity),
        st.integers(0, 20),
        st.integers(1, 10),
        st.integers(1, 4),
    ),
    max_size=12,
)


@given(USAGES, st.integers(0, 25), st.integers(1, 10))
def test_peak_is_the_fullest_instant(usages: list[Usage], start: int, length: int) -> None:
    """Counting instant by instant gives the same."""
    end = start + length
    fullest = max(
        sum(usage.quantity for usage in usages if usage.start_ms <= instant < usage.end_ms)
        for instant in range(start, end)
    )
    assert peak(usages, start, end) == fullest


def test_adjacent_slots_share_no_instant() -> None:
    """10–11 and 11–12 use one unit at a time."""
    assert peak([Usage(10, 11, 1), Usage(11, 12, 1)], 10, 12) == 1


def test_resource_ids_are_plain() -> None:
    """A UUID fits; what could confuse a key, a URL or a person does not."""
    good = ["a", "room-1", "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "A.b_c~d", "x" * 128]
    bad = ["", "-a", ".a", "a b", "a{b}", "a:b", "a/b", "a\n", "a\0", "ä", "x" * 129]
    assert all(is_resource_id(text) for text in good)
    assert not any(is_resource_id(text) for text in bad)
