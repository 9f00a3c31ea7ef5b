"""batch: many reservations at once, over real stores."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.outcomes import (
    CartEnded,
    CartRefused,
    CartReserved,
    Ended,
    Invalid,
    KeyReused,
    Reserved,
    Taken,
)
from reservesvc.domain.project import Resource
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.flow.batch import reserve_all, reserve_each
from reservesvc.flow.read import live
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Ask, Idempotency, Stores
from tests.builders import ROOM, a_wish

LIMITS = Limits()
KEY = Idempotency(digest="d1", fingerprint="f1")
ROOMS = ["room-1", "room-2", "room-3"]


def cart(rooms: Sequence[str] = ROOMS) -> list[Wish]:
    """Return the wish for ten o'clock in each of the rooms."""
    return [a_wish(resource_id=room) for room in rooms]


async def held_in(stores: Stores, rooms: Sequence[str] = ROOMS) -> int:
    """Return how many reservations live in the rooms."""
    return sum([(await live(stores, room, 50, 0))[1] for room in rooms])


async def away(*_: object) -> None:
    """Say that the booking store cannot be asked."""
    raise UnavailableError("store", "away")


async def test_each_item_has_its_own_end(stores: Stores) -> None:
    """Granted, taken by an earlier item, wrong, and granted elsewhere: in their places."""
    wishes = [a_wish(), a_wish(), a_wish(11, 10), a_wish(resource_id="room-2")]
    ends = await reserve_each(stores, LIMITS, wishes, None)
    assert [type(end) for end in ends] == [Reserved, Taken, Invalid, Reserved]


async def test_a_thousand_items_on_cold_resources(stores: Stores) -> None:
    """Ten rooms nobody touched before, a hundred slots each, all granted."""
    wishes = [
        a_wish(hour, hour + 1, resource_id=f"room-{room}")
        for hour in range(100)
        for room in range(10)
    ]
    ends = await reserve_each(stores, LIMITS, wishes, None)
    assert sum(isinstance(end, Reserved) for end in ends) == 1000
    assert await held_in(stores, [f"room-{room}" for room in range(10)]) == 1000


async def test_a_repeated_batch_answers_item_by_item(stores: Stores, redis: Redis) -> None:
    """What lives is replayed, what has lapsed is over, what was refused can be had by now."""
    wishes = [a_wish(), a_wish(), a_wish(20, 21)]
    first = await reserve_each(stores, LIMITS, wishes, KEY)
    assert [type(end) for end in first] == [Reserved, Taken, Reserved]
    assert isinstance(first[0], Reserved)
    await redis.delete(f"reservation:{{{ROOM}}}:{first[0].reservation.id.ulid}")
    second = await reserve_each(stores, LIMITS, [a_wish(), a_wish(), a_wish(20, 21)], KEY)
    assert [type(end) for end in second] == [Ended, Reserved, Reserved]
    assert isinstance(second[2], Reserved)
    assert second[2].replayed


async def test_dead_entries_in_the_way_of_many(stores: Stores, redis: Redis) -> None:
    """Lapsed entries are swept for each item that meets them."""
    await stores.bookings.create_resource(Resource(id=ROOM, name="Room", capacity=500), None)
    await reserve_each(stores, LIMITS, [a_wish(8, 18) for _ in range(200)], None)
    await redis.delete(*[key async for key in redis.scan_iter("reservation:*")])
    await stores.bookings.update_resource(Resource(id=ROOM, name="Room", capacity=1))
    stores.settings.forget()
    ends = await reserve_each(stores, LIMITS, [a_wish(9, 10), a_wish(10, 11)], None)
    assert [type(end) for end in ends] == [Reserved, Reserved]


async def test_a_failed_item_has_its_error(stores: Stores) -> None:
    """One lost reply makes one item unknown, not the batch."""

    class OneLost:
        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def reserve_many(self, asks: Sequence[Ask]) -> list[Any]:
            outcomes: list[Any] = list(await stores.reservations.reserve_many(asks))
            outcomes[1] = OutcomeUnknownError("redis", "cut")
            return outcomes

    await reserve(stores, LIMITS, a_wish(20, 21), None)
    broken = replace(stores, reservations=OneLost())
    wishes = [a_wish(hour, hour + 1) for hour in range(3)]
    ends = await reserve_each(broken, LIMITS, wishes, None)
    assert [type(end) for end in ends] == [Reserved, OutcomeUnknownError, Reserved]


async def test_an_index_that_stays_cold_fails_its_own_items(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away: what needs it fails, and is not told of what was granted without it."""
    await reserve(stores, LIMITS, a_wish(20, 21), None)  # makes room-1 warm

    monkeypatch.setattr(stores.bookings, "snapshot", away)
    wishes = [a_wish(), a_wish(resource_id="room-2"), a_wish(resource_id="room-2")]
    ends = await reserve_each(stores, LIMITS, wishes, None)
    assert [type(end) for end in ends] == [Reserved, UnavailableError, UnavailableError]


async def test_an_ended_item_that_nobody_can_look_up_fails_alone(
    stores: Stores, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it became a booking only the store knows; the others were replayed."""
    first = await reserve_each(stores, LIMITS, [a_wish(), a_wish(20, 21)], KEY)
    assert isinstance(first[0], Reserved)
    await redis.delete(f"reservation:{{{ROOM}}}:{first[0].reservation.id.ulid}")

    monkeypatch.setattr(stores.bookings, "booking_by_reservation", away)
    second = await reserve_each(stores, LIMITS, [a_wish(), a_wish(20, 21)], KEY)
    assert [type(end) for end in second] == [UnavailableError, Reserved]


async def test_a_cart_is_held_whole(stores: Stores) -> None:
    """Every item is there, in the order asked for."""
    wishes = [a_wish(12, 13), a_wish(), a_wish(resource_id="room-0")]
    outcome = await reserve_all(stores, LIMITS, wishes, None)
    assert isinstance(outcome, CartReserved)
    found = [(item.id.resource_id, item.start_ms) for item in outcome.reservations]
    assert found == [(wish.resource_id, wish.start_ms) for wish in wishes]


@pytest.mark.parametrize("taken", ROOMS)
async def test_a_refused_cart_holds_nothing(stores: Stores, taken: str) -> None:
    """Whichever item cannot be had, the others are free again, and it is named."""
    await reserve(stores, LIMITS, a_wish(resource_id=taken), None)
    outcome = await reserve_all(stores, LIMITS, cart(), KEY)
    assert isinstance(outcome, CartRefused)
    assert outcome.place == ROOMS.index(taken)
    assert await held_in(stores) == 1


async def test_a_refused_cart_pins_nothing(stores: Stores, redis: Redis) -> None:
    """With the same key it can be had as soon as it is free."""
    await reserve(stores, LIMITS, a_wish(resource_id="room-3"), None)
    assert isinstance(await reserve_all(stores, LIMITS, cart(), KEY), CartRefused)
    for key in [key async for key in redis.scan_iter("reservation:*")]:
        await redis.delete(key)
    outcome = await reserve_all(stores, LIMITS, cart(), KEY)
    assert isinstance(outcome, CartReserved)
    assert not outcome.replayed


async def test_the_same_slot_twice_counts_twice(stores: Stores) -> None:
    """A cart competes with itself: two seats need two units."""
    assert isinstance(await reserve_all(stores, LIMITS, [a_wish(), a_wish()], None), CartRefused)
    assert await held_in(stores) == 0
    await stores.bookings.create_resource(Resource(id=ROOM, name="Room", capacity=2), None)
    stores.settings.forget()
    assert isinstance(await reserve_all(stores, LIMITS, [a_wish(), a_wish()], None), CartReserved)


async def test_everything_wrong_in_a_cart_is_named(stores: Stores) -> None:
    """Each field by its item, and nothing is held."""
    outcome = await reserve_all(stores, LIMITS, [a_wish(), a_wish(11, 10), a_wish(what=None)], None)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"reservations.1.end", "reservations.2.what"}
    assert await held_in(stores) == 0


async def test_a_repeated_cart_is_the_same_cart(stores: Stores) -> None:
    """Same key and body: the same reservations; another body: refused."""
    first = await reserve_all(stores, LIMITS, cart(), KEY)
    second = await reserve_all(stores, LIMITS, cart(), KEY)
    assert isinstance(first, CartReserved)
    assert isinstance(second, CartReserved)
    assert second.replayed
    assert [item.id for item in second.reservations] == [item.id for item in first.reservations]
    other = Idempotency("d1", "f2")
    assert await reserve_all(stores, LIMITS, cart(), other) == KeyReused()


async def test_a_cart_that_is_not_all_there_is_not_replayed(stores: Stores, redis: Redis) -> None:
    """One item lapsed, then all: neither is the cart that was asked for."""
    first = await reserve_all(stores, LIMITS, cart(), KEY)
    assert isinstance(first, CartReserved)
    ids = [item.id for item in first.reservations]
    await redis.delete(f"reservation:{{room-2}}:{ids[1].ulid}")
    assert await reserve_all(stores, LIMITS, cart(), KEY) == CartEnded(is_begun=True)
    for room, item in zip(ROOMS, ids, strict=True):
        await redis.delete(f"reservation:{{{room}}}:{item.ulid}")
    assert await reserve_all(stores, LIMITS, cart(), KEY) == CartEnded(is_begun=False)


async def test_of_many_carts_for_the_same_slots_one_wins(servers: list[Stores]) -> None:
    """Fifty carts name the slots in any order, through two servers: one gets all of them."""
    orders = [ROOMS, ROOMS[::-1], [ROOMS[1], ROOMS[2], ROOMS[0]]]
    outcomes = await asyncio.gather(
        *(reserve_all(servers[i % 2], LIMITS, cart(orders[i % 3]), None) for i in range(50))
    )
    assert sum(isinstance(outcome, CartReserved) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, CartRefused) for outcome in outcomes) == 49
    assert await held_in(servers[0]) == 3


async def test_copies_of_one_cart_hold_it_once(servers: list[Stores]) -> None:
    """Twenty copies with one key: whoever is told that it is held is told the same."""
    outcomes = await asyncio.gather(
        *(reserve_all(servers[i % 2], LIMITS, cart(), KEY) for i in range(20))
    )
    carts = [outcome for outcome in outcomes if isinstance(outcome, CartReserved)]
    assert len({item.id for found in carts for item in found.reservations}) == 3
    assert sum(not found.replayed for found in carts) == 1
    assert all(isinstance(outcome, CartReserved | CartEnded) for outcome in outcomes)
    assert await held_in(servers[0]) == 3


async def test_a_cart_that_fails_half_way_gives_back(stores: Stores) -> None:
    """Redis fails at the third item: the first two are free again."""
    calls = 0

    class FailingThird:
        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def reserve(self, *arguments: Any) -> Any:
            nonlocal calls
            outcome = await stores.reservations.reserve(*arguments)
            if isinstance(outcome, Reserved):
                calls += 1
            if calls == 3:
                raise UnavailableError("redis", "gone")
            return outcome

    broken = replace(stores, reservations=FailingThird())
    with pytest.raises(UnavailableError):
        await reserve_all(broken, LIMITS, cart(), None)
    assert await held_in(stores, ROOMS[:2]) == 0
