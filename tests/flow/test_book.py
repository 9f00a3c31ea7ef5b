"""book: the hand-off and the direct booking, over real stores."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.graphs import GRAPHS
from reservesvc.domain.outcomes import (
    Booked,
    Changed,
    Ended,
    Extended,
    Invalid,
    KeyReused,
    Mismatch,
    NotFound,
    NotOpen,
    Reserved,
    Taken,
    Unsettled,
)
from reservesvc.domain.project import Resource
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.extend import extend
from reservesvc.flow.read import read
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Idempotency, Stores
from tests.builders import ROOM, a_wish, at

LIMITS = Limits()
KEY = Idempotency(digest="d1", fingerprint="f1")


async def reserved(stores: Stores, **fields: Any) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await reserve(stores, LIMITS, a_wish(**fields), None)
    assert isinstance(outcome, Reserved), outcome
    return outcome.reservation


async def handed_off(stores: Stores, reservation: Reservation) -> Booked:
    """Hand off, and insist on it."""
    outcome = await hand_off(stores, Wish(), reservation.id, None)
    assert isinstance(outcome, Booked), outcome
    return outcome


async def bookings_in(stores: Stores) -> int:
    """Return how many bookings there are."""
    return (await stores.bookings.bookings(BookingQuery()))[1]


def key_of(reservation: Reservation) -> str:
    """Return the reservation's key."""
    return f"reservation:{{{ROOM}}}:{reservation.id.ulid}"


class Failing:
    """A store of which one method raises; before or after it did its work."""

    def __init__(self, store: Any, method: str, error: Exception, *, after: bool = False) -> None:
        self._store, self._method, self._error, self._after = store, method, error, after

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._store, name)
        if name != self._method:
            return inner

        async def failing(*arguments: Any) -> Any:
            if self._after:
                await inner(*arguments)
            raise self._error

        return failing


async def test_the_booking_is_what_was_reserved(stores: Stores, redis: Redis) -> None:
    """It has the reservation's slot, texts and customer, and the key is gone."""
    reservation = await reserved(stores)
    outcome = await handed_off(stores, reservation)
    booking = outcome.booking
    assert not outcome.repeated
    assert (booking.resource_id, booking.start_ms, booking.end_ms) == (ROOM, at(10), at(11))
    assert (booking.state, booking.what) == ("confirmed", "Haircut")
    assert booking.customers[0]["email"] == "ada@example.com"
    assert booking.reservation_id == str(reservation.id)
    assert not await redis.exists(key_of(reservation))
    assert await stores.bookings.booking(booking.id) == booking


async def test_the_request_goes_before_the_reservation(stores: Stores) -> None:
    """What the hand-off says anew is taken, what it leaves out stays."""
    reservation = await reserved(stores)
    wish = Wish(what="Shave", customer={"name": "Bob"}, meta={"seat": 4})
    outcome = await hand_off(stores, wish, reservation.id, None)
    assert isinstance(outcome, Booked)
    assert (outcome.booking.what, outcome.booking.where) == ("Shave", "Main street 1")
    assert outcome.booking.customers[0]["name"] == "Bob"
    assert outcome.booking.customers[0]["email"] == "ada@example.com"
    assert outcome.booking.meta == {"seat": 4}


async def test_a_booked_slot_is_taken(stores: Stores) -> None:
    """Neither a reservation nor a direct booking gets it."""
    await handed_off(stores, await reserved(stores))
    assert await reserve(stores, LIMITS, a_wish(10.5, 11.5), None) == Taken(by="booked")
    assert await book(stores, LIMITS, a_wish(9, 10.5), None) == Taken(by="booked")


async def test_a_repeat_answers_with_the_same_booking(stores: Stores) -> None:
    """The same hand-off again, also later, makes no second booking."""
    reservation = await reserved(stores)
    first = await handed_off(stores, reservation)
    second = await handed_off(stores, reservation)
    assert second.repeated
    assert second.booking == first.booking
    assert await bookings_in(stores) == 1


async def test_two_servers_at_once_make_one_booking(servers: list[Stores]) -> None:
    """Twenty copies of one hand-off through two servers: one booking, one answer."""
    reservation = await reserved(servers[0])
    outcomes = await asyncio.gather(*(handed_off(servers[i % 2], reservation) for i in range(20)))
    assert len({outcome.booking.id for outcome in outcomes}) == 1
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert await bookings_in(servers[0]) == 1


async def test_after_the_end_there_is_no_booking(stores: Stores, redis: Redis) -> None:
    """A lapsed reservation is not handed off, though nobody took its slot since."""
    reservation = await reserved(stores)
    await redis.delete(key_of(reservation))
    assert await hand_off(stores, Wish(), reservation.id, None) == Ended(state="expired")
    assert await bookings_in(stores) == 0


async def test_after_release_there_is_no_booking(stores: Stores) -> None:
    """A reservation given back is over."""
    reservation = await reserved(stores)
    await release(stores, reservation.id)
    outcome = await hand_off(stores, Wish(), reservation.id, None)
    assert isinstance(outcome, Ended)
    assert outcome.state == "released"


@pytest.mark.parametrize(
    ("field", "value"),
    [("resource_id", "room-2"), ("start_ms", at(9)), ("end_ms", at(12)), ("quantity", 2)],
)
async def test_a_repeated_field_must_agree(stores: Stores, field: str, value: Any) -> None:
    """Disagreeing changes nothing: the reservation can still be handed off."""
    reservation = await reserved(stores)
    outcome = await hand_off(stores, Wish(**{field: value}), reservation.id, None)
    assert outcome == Mismatch(fields=(field.removesuffix("_ms"),))
    await handed_off(stores, reservation)


async def test_a_customer_needs_name_and_email(stores: Stores) -> None:
    """To reserve nobody has to say who they are, to book they do."""
    reservation = await reserved(stores, customer=None)
    outcome = await hand_off(stores, Wish(), reservation.id, None)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"customer.name", "customer.email"}
    assert isinstance(await extend(stores, reservation.id, 60), Extended)
    wish = Wish(customer={"name": "Ada", "email": "ada@example.com"})
    assert isinstance(await hand_off(stores, wish, reservation.id, None), Booked)


async def test_flushall_gives_no_booked_slot_away(stores: Stores, redis: Redis) -> None:
    """An emptied Redis is cold, not empty: the bookings come back before anybody reserves."""
    reservation = await reserved(stores)
    booked = await handed_off(stores, reservation)
    await redis.flushall()
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")
    assert await handed_off(stores, reservation) == replace(booked, repeated=True)


async def test_flushall_during_a_handoff_starts_it_again(stores: Stores, redis: Redis) -> None:
    """Redis forgets all between unsettle and commit: the fence holds the commit back."""
    reservation = await reserved(stores)

    class FlushingOnce:
        flushed = False

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.bookings, name)

        async def book(self, *arguments: Any) -> Any:
            if not self.flushed:
                self.flushed = True
                await redis.flushall()
                other = await reserve(stores, LIMITS, a_wish(), None)
                assert isinstance(other, Reserved)
            return await stores.bookings.book(*arguments)

    paused = replace(stores, bookings=FlushingOnce())
    assert await hand_off(paused, Wish(), reservation.id, None) == Ended(state="expired")
    assert await bookings_in(stores) == 0


async def test_a_store_that_is_down_leaves_the_reservation_to_retry(stores: Stores) -> None:
    """The hand-off fails, the slot stays held, and the repeat books it."""
    reservation = await reserved(stores)
    error = UnavailableError("store", "down")
    broken = replace(stores, bookings=Failing(stores.bookings, "book", error))
    with pytest.raises(UnavailableError):
        await hand_off(broken, Wish(), reservation.id, None)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Taken)
    assert await extend(stores, reservation.id, 60) == Unsettled()
    assert not (await handed_off(stores, reservation)).repeated


async def test_a_lost_commit_reply_is_told_by_repeating(stores: Stores) -> None:
    """The commit happened, its answer is lost: the repeat finds the booking."""
    reservation = await reserved(stores)
    error = OutcomeUnknownError("store", "cut")
    broken = replace(stores, bookings=Failing(stores.bookings, "book", error, after=True))
    with pytest.raises(OutcomeUnknownError):
        await hand_off(broken, Wish(), reservation.id, None)
    assert (await handed_off(stores, reservation)).repeated
    assert await bookings_in(stores) == 1


async def test_redis_lost_after_the_commit_does_not_hide_the_booking(
    stores: Stores, redis: Redis
) -> None:
    """The caller gets its 201, and the next who meets the slot finds it booked."""
    reservation = await reserved(stores)
    error = UnavailableError("redis", "gone")
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_booked", error))
    outcome = await hand_off(broken, Wish(), reservation.id, None)
    assert isinstance(outcome, Booked)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Taken)
    await redis.delete(key_of(reservation))
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")


async def test_a_direct_booking_takes_a_free_slot(stores: Stores, redis: Redis) -> None:
    """Its short reservation leaves no key behind."""
    outcome = await book(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Booked)
    assert [key async for key in redis.scan_iter("reservation:*")] == []
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")


async def test_a_direct_booking_respects_a_reservation(stores: Stores) -> None:
    """A reserved slot is bound: only its reservation can book it."""
    reservation = await reserved(stores)
    outcome = await book(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Taken)
    assert outcome.by == "reserved"
    await handed_off(stores, reservation)


async def test_a_direct_booking_names_all_that_is_wrong(stores: Stores) -> None:
    """Slot, texts and customer are checked together."""
    outcome = await book(stores, LIMITS, a_wish(11, 10, what=None, customer={}), None)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"end", "what", "customer.name", "customer.email"}


async def test_a_key_books_directly_once(servers: list[Stores]) -> None:
    """Twenty copies with one key through two servers: one booking, one answer."""
    outcomes = await asyncio.gather(
        *(book(servers[i % 2], LIMITS, a_wish(), KEY) for i in range(20))
    )
    assert all(isinstance(outcome, Booked) for outcome in outcomes)
    assert len({outcome.booking.id for outcome in outcomes if isinstance(outcome, Booked)}) == 1


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_direct_booking_outlives_its_reservation(
    stores: Stores, redis: Redis, key: Idempotency | None
) -> None:
    """Redis may forget between two steps what nobody but us knows of: it starts again."""

    class Forgetting:
        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def reserve(self, *arguments: Any) -> Any:
            outcome = await stores.reservations.reserve(*arguments)
            if isinstance(outcome, Reserved) and not forgotten:
                forgotten.append(outcome)
                await redis.flushall()
            return outcome

    forgotten: list[Reserved] = []
    outcome = await book(replace(stores, reservations=Forgetting()), LIMITS, a_wish(), key)
    assert forgotten
    assert isinstance(outcome, Booked)
    assert await bookings_in(stores) == 1


async def test_a_key_is_remembered_by_the_store(stores: Stores, redis: Redis) -> None:
    """Also when Redis forgot it, a repeat finds its booking, and another body is refused."""
    first = await book(stores, LIMITS, a_wish(), KEY)
    assert isinstance(first, Booked)
    await redis.flushall()
    assert await book(stores, LIMITS, a_wish(), KEY) == replace(first, repeated=True)
    assert await book(stores, LIMITS, a_wish(), Idempotency("d1", "f2")) == KeyReused()


async def test_a_key_survives_a_failed_attempt(stores: Stores) -> None:
    """A direct booking that failed can be repeated with its key, and books once."""
    error = UnavailableError("store", "down")
    broken = replace(stores, bookings=Failing(stores.bookings, "book", error))
    with pytest.raises(UnavailableError):
        await book(broken, LIMITS, a_wish(), KEY)
    outcomes = await asyncio.gather(*(book(stores, LIMITS, a_wish(), KEY) for _ in range(5)))
    assert all(isinstance(outcome, Booked) for outcome in outcomes), outcomes
    assert await bookings_in(stores) == 1


async def test_a_failed_direct_booking_leaves_the_slot_free(stores: Stores) -> None:
    """Nobody knows its short reservation, so nobody has to wait for it to lapse."""
    error = UnavailableError("store", "down")
    broken = replace(stores, bookings=Failing(stores.bookings, "book", error))
    with pytest.raises(UnavailableError):
        await book(broken, LIMITS, a_wish(), None)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)


class Held:
    """A booking store whose `book` waits to be let go; `reached` tells that it is waiting."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def book(self, *arguments: Any) -> Any:
        """Wait, then book."""
        self.reached.set()
        await self.go_on.wait()
        return await self._store.book(*arguments)


async def test_a_failed_twin_leaves_the_reservation_they_share(
    servers: list[Stores], redis: Redis
) -> None:
    """Of two requests with one key one may fail as the other books: the slot stays booked."""
    one, other = servers
    held = Held(other.bookings)
    booking = asyncio.create_task(book(replace(other, bookings=held), LIMITS, a_wish(), KEY))
    await held.reached.wait()
    error = UnavailableError("store", "down")
    broken = replace(one, bookings=Failing(one.bookings, "book", error))
    with pytest.raises(UnavailableError):
        await book(broken, LIMITS, a_wish(), KEY)
    held.go_on.set()
    booked = await booking
    assert isinstance(booked, Booked)
    assert isinstance(await reserve(one, LIMITS, a_wish(), None), Taken)
    await redis.delete(f"reservation:{{{ROOM}}}:{booked.booking.entry_id}")
    assert await reserve(one, LIMITS, a_wish(), None) == Taken(by="booked")


async def test_a_refused_twin_leaves_the_reservation_they_share(
    servers: list[Stores], redis: Redis
) -> None:
    """A hand-off that found the slot taken may have a twin that finds it free a moment later."""
    one, other = servers
    await one.bookings.create_resource(Resource(id=ROOM, name="Room", capacity=2), None)
    first, second = await reserved(one), await reserved(one)
    blocker = await handed_off(one, first)
    await one.bookings.update_resource(Resource(id=ROOM, name="Room", capacity=1))
    held = Held(other.bookings)
    booking = asyncio.create_task(hand_off(replace(other, bookings=held), Wish(), second.id, None))
    await held.reached.wait()
    assert await hand_off(one, Wish(), second.id, None) == Taken(by="booked")
    assert isinstance(await act(one, blocker.booking.id, "cancel"), Changed)
    held.go_on.set()
    assert isinstance(await booking, Booked)
    one.settings.forget()
    assert isinstance(await reserve(one, LIMITS, a_wish(), None), Taken)
    await redis.delete(key_of(second))
    assert await reserve(one, LIMITS, a_wish(), None) == Taken(by="booked")


async def test_a_direct_booking_of_unknown_outcome_keeps_its_slot(stores: Stores) -> None:
    """It may be booked; the slot is given to nobody before that is known."""
    error = OutcomeUnknownError("store", "cut")
    broken = replace(stores, bookings=Failing(stores.bookings, "book", error, after=True))
    with pytest.raises(OutcomeUnknownError):
        await book(broken, LIMITS, a_wish(), KEY)
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Taken)
    outcome = await book(stores, LIMITS, a_wish(), KEY)
    assert isinstance(outcome, Booked)
    assert outcome.repeated


async def test_cancelling_frees_the_slot_at_once(stores: Stores) -> None:
    """The booking stays as a record, its slot is open."""
    outcome = await handed_off(stores, await reserved(stores))
    cancelled = await act(stores, outcome.booking.id, "cancel")
    assert isinstance(cancelled, Changed)
    assert cancelled.booking.state == "cancelled"
    await reserved(stores)


async def test_a_handoff_repeated_after_a_cancel_brings_nothing_back(stores: Stores) -> None:
    """The answer is the cancelled booking, and whoever has the slot now keeps it."""
    reservation = await reserved(stores)
    outcome = await handed_off(stores, reservation)
    await act(stores, outcome.booking.id, "cancel")
    other = await reserved(stores)
    again = await handed_off(stores, reservation)
    assert again.booking.state == "cancelled"
    await handed_off(stores, other)


async def test_a_cancel_of_an_unsettled_booking_frees_it(stores: Stores, redis: Redis) -> None:
    """The hand-off crashed before settle, the cancel came before any resync."""
    reservation = await reserved(stores)
    error = UnavailableError("redis", "gone")
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_booked", error))
    outcome = await hand_off(broken, Wish(), reservation.id, None)
    assert isinstance(outcome, Booked)
    assert isinstance(await act(stores, outcome.booking.id, "cancel"), Changed)
    assert not await redis.exists(key_of(reservation))
    await reserved(stores)


async def test_cancelling_on_an_emptied_redis_works(stores: Stores, redis: Redis) -> None:
    """The index is rebuilt, then the entry goes."""
    outcome = await handed_off(stores, await reserved(stores))
    await redis.flushall()
    assert isinstance(await act(stores, outcome.booking.id, "cancel"), Changed)
    await reserved(stores)


async def test_completing_keeps_the_slot(stores: Stores) -> None:
    """A completed booking took place; its slot is history, not free."""
    outcome = await handed_off(stores, await reserved(stores))
    completed = await act(stores, outcome.booking.id, "complete")
    assert isinstance(completed, Changed)
    assert completed.booking.state == "completed"
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")


async def test_an_action_that_is_not_open_names_those_that_are(stores: Stores) -> None:
    """In a final state there are none."""
    outcome = await handed_off(stores, await reserved(stores))
    wrong = await act(stores, outcome.booking.id, "decline")
    assert isinstance(wrong, NotOpen)
    assert wrong.open_actions == tuple(GRAPHS["instant"].open_actions("confirmed"))
    await act(stores, outcome.booking.id, "cancel")
    late = await act(stores, outcome.booking.id, "complete")
    assert isinstance(late, NotOpen)
    assert late.open_actions == ()


async def test_acting_on_nothing_is_not_found(stores: Stores) -> None:
    """There is no such booking."""
    assert await act(stores, "b-0", "cancel") == NotFound(model="Booking", id="b-0")


async def test_two_cancels_at_once_change_it_once(servers: list[Stores]) -> None:
    """One cancels it; the others, who asked for the same, are told that it is cancelled."""
    outcome = await handed_off(servers[0], await reserved(servers[0]))
    answers = await asyncio.gather(
        *(act(servers[i % 2], outcome.booking.id, "cancel") for i in range(10))
    )
    changed = [answer for answer in answers if isinstance(answer, Changed)]
    assert len(changed) == 10
    assert sum(not answer.repeated for answer in changed) == 1
    assert len({answer.booking.updated_ms for answer in changed}) == 1
    await reserved(servers[0])


async def test_how_a_reservation_ended_is_known_after_its_tombstone(
    stores: Stores, redis: Redis
) -> None:
    """An hour later, or after a FLUSHALL, the booking store still tells."""
    reservation = await reserved(stores)
    outcome = await handed_off(stores, reservation)
    await redis.flushall()
    for ended in (
        await read(stores, reservation.id),
        await extend(stores, reservation.id, 60),
        await release(stores, reservation.id),
    ):
        assert isinstance(ended, Ended)
        assert (ended.state, ended.booking_id) == ("converted", outcome.booking.id)


async def test_an_id_that_never_was_books_nothing(stores: Stores) -> None:
    """A well-formed id of no reservation is a 410, not a booking."""
    made_up = ReservationId(ROOM, "0" * 26)
    assert await hand_off(stores, Wish(), made_up, None) == Ended(state="expired")
