"""reschedule: one slot for another, over real stores."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Invalid,
    KeyReused,
    NotFound,
    NotOpen,
    Past,
    Rescheduled,
    Reserved,
    Taken,
)
from reservesvc.domain.project import Resource
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.release import release
from reservesvc.flow.reschedule import reschedule
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Idempotency, Stores
from tests.builders import IDS, ROOM, YEARS_AGO, a_wish, at
from tests.flow.test_book import Failing

LIMITS = Limits()
KEY = Idempotency(digest="d1", fingerprint="f1")


async def booked(stores: Stores, *hours: float, **fields: Any) -> Booking:
    """Book, and insist on it."""
    outcome = await book(stores, LIMITS, a_wish(*hours, **fields), None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def to(
    stores: Stores,
    booking: Booking,
    start: float,
    end: float,
    key: Idempotency | None = None,
    resource_id: str | None = None,
) -> Any:
    """Reschedule the booking to the hours."""
    wish = Wish(resource_id=resource_id, start_ms=at(start), end_ms=at(end))
    return await reschedule(stores, LIMITS, booking.id, wish, key)


async def is_free(stores: Stores, start: float, end: float, **fields: Any) -> bool:
    """Tell whether a claim is granted, and give it back."""
    outcome = await reserve(stores, LIMITS, a_wish(start, end, **fields), None)
    assert isinstance(outcome, Reserved | Taken)
    if isinstance(outcome, Reserved):
        await release(stores, outcome.reservation.id)
    return isinstance(outcome, Reserved)


async def test_the_old_slot_is_free_and_the_new_one_taken(stores: Stores, redis: Redis) -> None:
    """The booking keeps its id, its state and what it came from; nothing is left in Redis."""
    before = await booked(stores)
    outcome = await to(stores, before, 14, 15)
    after = outcome.booking
    assert outcome == Rescheduled(booking=after)
    assert (after.start_ms, after.end_ms) == (at(14), at(15))
    same = ("id", "state", "reservation_id", "resource_id", "customers", "created_ms")
    assert {name: getattr(after, name) for name in same} == {
        name: getattr(before, name) for name in same
    }
    assert await stores.bookings.booking(before.id) == after
    assert await redis.keys("reservation:*") == []
    assert await redis.zrange(f"slots:{{{ROOM}}}", 0, -1) == [f"b:{at(15)}:1:{after.entry_id}"]
    assert await is_free(stores, 10, 11)
    assert not await is_free(stores, 14, 15)


@pytest.mark.parametrize(("start", "end"), [(10.5, 11.5), (9.5, 10.5), (10, 12), (10.25, 10.5)])
async def test_it_can_move_by_less_than_its_length(
    stores: Stores, start: float, end: float
) -> None:
    """Its own old slot is not in the way of its new one."""
    before = await booked(stores)
    assert isinstance(await to(stores, before, start, end), Rescheduled)
    assert not await is_free(stores, start, end)
    assert await tidy(stores, ROOM) == "clean"


async def test_what_is_in_the_way_is_told_and_nothing_changes(stores: Stores) -> None:
    """A reservation or a booking, of which only a part is in the way."""
    before = await booked(stores)
    held = await reserve(stores, LIMITS, a_wish(11, 12), None)
    assert isinstance(held, Reserved)
    refused = await to(stores, before, 10.5, 11.5)
    assert isinstance(refused, Taken)
    assert refused.by == "reserved"
    assert isinstance(await hand_off(stores, Wish(), held.reservation.id, None), Booked)
    assert await to(stores, before, 10.5, 11.5) == Taken(by="booked")
    assert await stores.bookings.booking(before.id) == before
    assert not await is_free(stores, 10, 11)


async def test_it_can_go_to_another_resource(stores: Stores) -> None:
    """Where a slot is free; the resource must be large enough."""
    await stores.bookings.create_resource(Resource(id=ROOM, name="Hall", capacity=3), None)
    before = await booked(stores, quantity=2)
    refused = await to(stores, before, 10, 11, resource_id="room-2")
    assert isinstance(refused, Invalid)
    assert refused.errors == {
        "resource_id": ["resource_id has a capacity of 1; this booking needs 2"]
    }
    await stores.bookings.create_resource(Resource(id="room-2", name="Two", capacity=2), None)
    stores.settings.forget()
    outcome = await to(stores, before, 10, 11, resource_id="room-2")
    assert isinstance(outcome, Rescheduled)
    assert outcome.booking.resource_id == "room-2"
    assert await is_free(stores, 10, 11, quantity=3)
    assert not await is_free(stores, 10, 11, resource_id="room-2")


async def test_it_can_be_repeated_without_a_key(stores: Stores) -> None:
    """Whoever asks for where it is already is answered with it."""
    before = await booked(stores)
    first = await to(stores, before, 14, 15)
    again = await to(stores, before, 14, 15)
    assert again == Rescheduled(booking=first.booking, repeated=True)


async def test_a_key_is_good_for_one_slot(stores: Stores) -> None:
    """Repeated it changes nothing, wherever the booking is by then."""
    before = await booked(stores)
    await to(stores, before, 14, 15, KEY)
    back = await to(stores, before, 10, 11)
    again = await to(stores, before, 14, 15, KEY)
    assert again == Rescheduled(booking=back.booking, repeated=True)
    assert await to(stores, before, 14, 15, Idempotency("d1", "f2")) == KeyReused()


async def test_there_and_back_again(stores: Stores) -> None:
    """The same slots any number of times; the index is right each time."""
    booking = await booked(stores)
    for start in (14, 10, 14, 10):
        outcome = await to(stores, booking, start, start + 1)
        assert outcome == Rescheduled(booking=outcome.booking)
        assert await is_free(stores, 24 - start, 25 - start)
        assert await tidy(stores, ROOM) == "clean"


async def test_what_is_final_stays_where_it_is(stores: Stores) -> None:
    """A cancelled or completed booking has no slot to give for another."""
    for action in ("cancel", "complete"):
        booking = await booked(stores)
        changed = await act(stores, booking.id, action)
        assert isinstance(changed, Changed)
        assert await to(stores, booking, 14, 15) == NotOpen(
            booking=changed.booking, open_actions=()
        )
        assert await is_free(stores, 14, 15)


async def test_what_cannot_be_asked_for_is_named(stores: Stores) -> None:
    """Every field that is wrong at once; what is not there; what is too long ago."""
    booking = await booked(stores)
    outcome = await reschedule(
        stores, LIMITS, booking.id, Wish(resource_id="a b", start_ms=at(9)), None
    )
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"resource_id", "end"}
    ghost = replace(booking, id=IDS.uuid())
    assert await to(stores, ghost, 14, 15) == NotFound(model="Booking", id=ghost.id)
    assert isinstance(await to(stores, booking, YEARS_AGO, YEARS_AGO + 1), Past)


async def test_a_double_booking_goes_anywhere(stores: Stores) -> None:
    """And stays one: it takes no room where it arrives."""
    await booked(stores, 14, 15)
    double = await booked(stores, settings={"allow_double_bookings": True})
    outcome = await to(stores, double, 14, 15)
    assert isinstance(outcome, Rescheduled)
    assert outcome.booking.double


async def test_copies_at_once_are_one(servers: list[Stores]) -> None:
    """Ten copies through two servers: one booking, in the new slot, and a clean index."""
    before = await booked(servers[0])
    outcomes = await asyncio.gather(
        *(to(servers[number % 2], before, 10.5, 11.5) for number in range(10))
    )
    assert {type(outcome) for outcome in outcomes} == {Rescheduled}
    assert {outcome.booking.entry_id for outcome in outcomes} == {outcomes[0].booking.entry_id}
    assert await is_free(servers[0], 10, 10.5)
    assert not await is_free(servers[0], 10.5, 11.5)


async def test_one_slot_has_one_winner(servers: list[Stores]) -> None:
    """Ten bookings want one slot, from two servers; the others stay where they are."""
    bookings = [await booked(servers[0], 2 * hour, 2 * hour + 1) for hour in range(10)]
    outcomes = await asyncio.gather(
        *(to(servers[n % 2], one, 30, 31) for n, one in enumerate(bookings))
    )
    assert sum(isinstance(outcome, Rescheduled) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Taken) for outcome in outcomes) == 9


async def test_of_two_ways_the_last_one_stands(servers: list[Stores]) -> None:
    """Sent to two slots at once it is in one of them, and every other slot is free."""
    before = await booked(servers[0])
    outcomes = await asyncio.gather(to(servers[0], before, 14, 15), to(servers[1], before, 16, 17))
    assert {type(outcome) for outcome in outcomes} == {Rescheduled}
    now = await servers[0].bookings.booking(before.id)
    assert now is not None
    taken = [hour for hour in (10, 14, 16) if not await is_free(servers[0], hour, hour + 1)]
    assert [at(hour) for hour in taken] == [now.start_ms]


async def test_a_cancel_in_between_wins_or_follows(servers: list[Stores]) -> None:
    """Cancelled while it moves: both slots are free afterwards, whoever came first."""
    before = await booked(servers[0])
    moved, cancelled = await asyncio.gather(
        to(servers[0], before, 14, 15), act(servers[1], before.id, "cancel")
    )
    assert isinstance(moved, Rescheduled | NotOpen)
    assert isinstance(cancelled, Changed)
    assert await is_free(servers[0], 10, 11)
    assert await is_free(servers[0], 14, 15)


async def test_a_cancel_that_began_before_frees_what_is_its_own(servers: list[Stores]) -> None:
    """It had marked the old entry when the booking went elsewhere; both slots come free."""
    stores, other = servers
    before = await booked(stores)

    class Overtaken:
        """Has the booking rescheduled by another server before it is cancelled, once."""

        done = False

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.bookings, name)

        async def change_state(self, *arguments: Any, **named: Any) -> Any:
            if not self.done:
                self.done = True
                assert isinstance(await to(other, before, 14, 15), Rescheduled)
            return await stores.bookings.change_state(*arguments, **named)

    overtaken: Any = Overtaken()
    through = Stores(stores.reservations, overtaken, stores.settings, stores.ids)
    cancelled = await act(through, before.id, "cancel")
    assert isinstance(cancelled, Changed)
    assert cancelled.booking.start_ms == at(14)
    assert await is_free(stores, 10, 11)
    assert await is_free(stores, 14, 15)
    assert await tidy(stores, ROOM) == "clean"


async def test_flushall_in_between_starts_it_again(stores: Stores, redis: Redis) -> None:
    """An emptied Redis loses the claim and both entries; the booking moves all the same."""
    before = await booked(stores)

    class Flushed:
        """Empties Redis before the booking store decides, once."""

        done = False

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.bookings, name)

        async def reschedule(self, *arguments: Any) -> Any:
            if not self.done:
                self.done = True
                await redis.flushall()
                assert not await is_free(stores, 10, 11)
            return await stores.bookings.reschedule(*arguments)

    flushed: Any = Flushed()
    through = Stores(stores.reservations, flushed, stores.settings, stores.ids)
    assert isinstance(await to(through, before, 14, 15), Rescheduled)
    assert await is_free(stores, 10, 11)
    assert not await is_free(stores, 14, 15)


async def test_a_store_that_is_down_changes_nothing(stores: Stores) -> None:
    """The old slot is taken all the time; the same request again succeeds at once."""
    before = await booked(stores)
    down: Any = Failing(stores.bookings, "reschedule", UnavailableError("store", "down"))
    broken = Stores(stores.reservations, down, stores.settings, stores.ids)
    with pytest.raises(UnavailableError):
        await to(broken, before, 10.5, 11.5)
    assert not await is_free(stores, 10, 10.5)
    assert isinstance(await to(stores, before, 10.5, 11.5), Rescheduled)


async def test_a_lost_commit_reply_is_told_by_repeating(stores: Stores) -> None:
    """It is in the new slot, and the repeat says so."""
    before = await booked(stores)
    error = OutcomeUnknownError("store", "cut")
    cut: Any = Failing(stores.bookings, "reschedule", error, after=True)
    broken = Stores(stores.reservations, cut, stores.settings, stores.ids)
    with pytest.raises(OutcomeUnknownError):
        await to(broken, before, 14, 15, KEY)
    for key in (None, KEY):
        assert isinstance(await to(stores, before, 14, 15, key), Rescheduled)
    assert await is_free(stores, 10, 11)
    assert not await is_free(stores, 14, 15)


async def test_a_late_one_leaves_no_claim_where_the_booking_was_cancelled(
    servers: list[Stores], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim has the entry that the booking had there; nobody needs it any more."""
    before = await booked(servers[0])
    assert isinstance(await to(servers[1], before, 14, 15), Rescheduled)
    assert isinstance(await act(servers[1], before.id, "cancel"), Changed)
    read, seen = servers[0].bookings.booking, [before]

    async def late(booking_id: str) -> Booking | None:
        return seen.pop() if seen else await read(booking_id)

    monkeypatch.setattr(servers[0].bookings, "booking", late)
    assert isinstance(await to(servers[0], before, 14, 15), NotOpen)
    assert await is_free(servers[1], 14, 15)
