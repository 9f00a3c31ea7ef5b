"""Offers: what each mode makes of the free times of several resources."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain.offers import MODES, Mode, Offer, offers, preferred
from reservesvc.domain.project import unregistered

RESOURCES = [unregistered(f"room-{number}") for number in range(20)]
STARTS = st.sets(st.integers(0, 20)).map(sorted)
SEVERAL = st.lists(STARTS, max_size=4)


def offered(mode: Mode, found: list[list[int]]) -> list[Offer]:
    """Return the offers where each resource is free from some starts."""
    board = offers(mode)
    for place, each in enumerate(found):
        board.add(place, each)
    return board.all()


@given(SEVERAL, st.sampled_from(MODES))
def test_offers_are_free(found: list[list[int]], mode: Mode) -> None:
    """In every mode a resource that is offered is free then; by start, each start once."""
    got = offered(mode, found)
    assert [offer.start_ms for offer in got] == sorted({offer.start_ms for offer in got})
    for start, places in got:
        for place in places:
            assert start in found[place]


@given(SEVERAL)
def test_round_robin_offers_the_first_who_is_free(found: list[list[int]]) -> None:
    """One resource a slot, the one that comes first, wherever any is free."""
    expected = {
        start: (min(place for place, each in enumerate(found) if start in each),)
        for start in set().union(*found)
    }
    assert dict(offered("roundrobin_prioritized", found)) == expected


@given(SEVERAL)
def test_exclusive_offers_all_who_are_free(found: list[list[int]]) -> None:
    """Each slot lists them, in order."""
    expected = {
        start: [place for place, each in enumerate(found) if start in each]
        for start in set().union(*found)
    }
    assert dict(offered("exclusive", found)) == expected


@given(SEVERAL.filter(bool))
def test_mutual_offers_what_is_a_slot_of_every_resource(found: list[list[int]]) -> None:
    """Each slot is on the grid of every resource, and lists all of them."""
    everywhere = set(found[0]).intersection(*found)
    places = list(range(len(found)))
    assert offered("mutual", found) == [Offer(start, places) for start in sorted(everywhere)]


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
