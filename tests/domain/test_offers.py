"""Offers: what each mode makes of the free times of several resources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.free import Times, free_times, starts
from reservesvc.domain.intervals import merged
from reservesvc.domain.offers import MODES, Mode, Offer, offers, preferred
from reservesvc.domain.project import unregistered
from reservesvc.domain.slot import Usage

DAY = [(0, 24)]
RESOURCES = [unregistered(f"room-{number}") for number in range(20)]
FREE = st.builds(
    lambda opened, used: free_times(merged(opened), [Usage(a, b, 1) for a, b in used], 1, 0),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), max_size=3),
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 5)).map(lambda t: (t[0], t[0] + t[1]))),
)


def offered(mode: Mode, found: list[Times]) -> list[Offer]:
    """Return the offers of slots of two, every two."""
    board = offers(mode, 2, 2)
    for place, each in enumerate(found):
        board.add(place, each)
    return board.all()


def slots_of(each: Times) -> set[int]:
    """Return where slots of two can begin."""
    return {start for some in starts(each, 2, 2) for start in some}


@given(st.lists(FREE, max_size=4), st.sampled_from(MODES))
def test_offers_are_free(found: list[Times], mode: Mode) -> None:
    """In every mode, nobody who is offered is in use then; by start, each start once."""
    got = offered(mode, found)
    assert [offer.start_ms for offer in got] == sorted({offer.start_ms for offer in got})
    for start, places in got:
        for place in places:
            assert any(a <= start and start + 2 <= b for a, b in found[place].free)


@given(st.lists(FREE, max_size=4))
def test_round_robin_offers_the_first_who_is_free(found: list[Times]) -> None:
    """One resource a slot, the one that comes first, wherever any is free."""
    expected = {
        start: (min(place for place, each in enumerate(found) if start in slots_of(each)),)
        for start in set().union(*map(slots_of, found))
    }
    assert dict(offered("roundrobin_prioritized", found)) == expected


@given(st.lists(FREE, max_size=4))
def test_exclusive_offers_all_who_are_free(found: list[Times]) -> None:
    """Each slot lists them, in order."""
    expected = {
        start: [place for place, each in enumerate(found) if start in slots_of(each)]
        for start in set().union(*map(slots_of, found))
    }
    assert dict(offered("exclusive", found)) == expected


def test_mutual_offers_when_all_are_free() -> None:
    """On the grid of the time in which all are open."""
    found = [
        free_times([(0, 24)], [Usage(8, 10, 1)], 1, 0),
        free_times([(3, 20)], [Usage(14, 15, 1)], 1, 0),
    ]
    assert offered("mutual", found) == [Offer(start, [0, 1]) for start in (3, 5, 11, 15, 17)]


@pytest.mark.parametrize("mode", MODES)
def test_without_resources_nothing_is_offered(mode: Mode) -> None:
    """Nobody is free."""
    assert offered(mode, []) == []


def test_random_shuffles_by_the_lot() -> None:
    """The same lot gives the same order, others others; everybody comes first at times."""
    orders = [preferred("roundrobin_random", RESOURCES, str(lot)) for lot in range(500)]
    assert orders[7] == preferred("roundrobin_random", RESOURCES, "7")
    assert {order[0].id for order in orders} == {each.id for each in RESOURCES}
    assert all(len({each.id for each in order}) == len(RESOURCES) for order in orders)


def test_prioritized_keeps_the_order() -> None:
    """Whatever the lot."""
    assert preferred("roundrobin_prioritized", RESOURCES, "7") == RESOURCES
