"""kill -9 between any two steps: whatever was done stays right, and the next request heals it.

A crash is an exception that no code catches, raised before or after the n-th call that the
flow makes to a store; for every n there is. Then other servers go on, with the key of the
crashed reservation still alive, or lapsed.
"""

import itertools
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.booking import BookingQuery
from reservesvc.domain.outcomes import Booked, Changed, Ended, Reserved, Taken
from reservesvc.domain.reservation import Reservation, ReservationId
from reservesvc.domain.wish import Limits, Wish
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Idempotency, Stores
from tests.builders import ROOM, a_wish

LIMITS = Limits()
STEPS_MAX = 30


class CrashError(BaseException):
    """The process is gone."""


class Crashing:
    """Counts the calls to both stores and ends the process at one of them."""

    def __init__(self, at_step: int, *, after: bool) -> None:
        self._left = at_step
        self._after = after

    def stores(self, stores: Stores) -> Stores:
        """Return `stores` with every call counted."""
        return Stores(
            self._counted(stores.reservations),
            self._counted(stores.bookings),
            stores.settings,
            stores.ids,
        )

    def _counted(self, store: Any) -> Any:
        crashing = self

        class Counted:
            def __getattr__(self, name: str) -> Any:
                return crashing.step(getattr(store, name))

        return Counted()

    def step(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return `call` as one step."""

        async def stepped(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise CrashError
            answer = await call(*arguments)
            if self._left == 0:
                raise CrashError
            return answer

        return stepped


async def crashes(
    stores: Stores, at_step: int, act_on: Callable[[Stores], Awaitable[Any]], *, after: bool
) -> bool:
    """Run until the crash; tell whether there was a step left to crash at."""
    try:
        await act_on(Crashing(at_step, after=after).stores(stores))
    except CrashError:
        return True
    return False


async def _hand_off(reservation_id: ReservationId, stores: Stores) -> object:
    return await hand_off(stores, Wish(), reservation_id, None)


async def _book(key: Idempotency, stores: Stores) -> object:
    return await book(stores, LIMITS, a_wish(), key)


async def _cancel(booking_id: str, stores: Stores) -> object:
    return await act(stores, booking_id, "cancel")


async def _confirm(booking_id: str, stores: Stores) -> object:
    return await act(stores, booking_id, "confirm")


async def _reserve(key: Idempotency, stores: Stores) -> object:
    return await reserve(stores, LIMITS, a_wish(), key)


async def start(redis: Redis, stores: Stores, *, cold: bool) -> Reservation:
    """Hold the slot; with a cold index, as after a restart of Redis, where asked for."""
    outcome = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Reserved)
    if cold:
        await redis.delete(f"fence:{{{ROOM}}}")
    return outcome.reservation


async def lapse(redis: Redis) -> None:
    """Let every reservation's time run out."""
    for key in [key async for key in redis.scan_iter("reservation:*")]:
        await redis.delete(key)


async def blocking(stores: Stores) -> int:
    """Return how many bookings hold the slot."""
    found, _ = await stores.bookings.bookings(BookingQuery())
    return sum(booking.blocks for booking in found)


CASES = [
    (after, lapsed, cold)
    for after in (False, True)
    for lapsed in (False, True)
    for cold in (False, True)
]


@pytest.mark.parametrize(("after", "lapsed", "cold"), CASES)
async def test_a_crashed_handoff(
    servers: list[Stores], redis: Redis, *, after: bool, lapsed: bool, cold: bool
) -> None:
    """One booking or none; the repeat, and everybody else, learn which."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await _fresh(redis, crashed)
        reservation = await start(redis, crashed, cold=cold)
        went_down = await crashes(
            crashed,
            step,
            partial(_hand_off, reservation.id),
            after=after,
        )
        if lapsed:
            await lapse(redis)
        committed = await blocking(other)
        rival = await reserve(other, LIMITS, a_wish(), None)
        repeat = await hand_off(other, Wish(), reservation.id, None)
        if isinstance(rival, Reserved):
            assert lapsed
            assert not committed
            assert repeat == Ended(state="expired")
            assert isinstance(await hand_off(other, Wish(), rival.reservation.id, None), Booked)
        else:
            assert isinstance(rival, Taken)
            assert isinstance(repeat, Booked)
        assert await blocking(other) == 1
        assert await reserve(other, LIMITS, a_wish(), None) == Taken(by="booked")
        if not went_down:
            break


@pytest.mark.parametrize(("after", "lapsed", "cold"), CASES)
async def test_a_crashed_direct_booking(
    servers: list[Stores], redis: Redis, *, after: bool, lapsed: bool, cold: bool
) -> None:
    """Repeated with its key it is one booking, wherever it crashed, whoever repeats it."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await _fresh(redis, crashed)
        key = Idempotency(f"d{step}", "f1")
        if not cold:
            await reserve(crashed, LIMITS, a_wish(20, 21), None)
        went_down = await crashes(crashed, step, partial(_book, key), after=after)
        if lapsed:
            await lapse(redis)
        repeat = await book(other, LIMITS, a_wish(), key)
        again = await book(crashed, LIMITS, a_wish(), key)
        assert isinstance(repeat, Booked)
        assert again == replace(repeat, repeated=True)
        assert await blocking(other) == 1
        assert isinstance(await reserve(other, LIMITS, a_wish(), None), Taken)
        await lapse(redis)
        assert await reserve(other, LIMITS, a_wish(), None) == Taken(by="booked")
        if not went_down:
            break


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("cold", [False, True])
async def test_a_crashed_cancel(
    servers: list[Stores], redis: Redis, *, after: bool, cold: bool
) -> None:
    """The slot is booked or free as the booking store says, and a repeat cancels for good."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await _fresh(redis, crashed)
        reservation = await start(redis, crashed, cold=False)
        booked = await hand_off(crashed, Wish(), reservation.id, None)
        assert isinstance(booked, Booked)
        if cold:
            await redis.flushall()
        went_down = await crashes(
            crashed,
            step,
            partial(_cancel, booked.booking.id),
            after=after,
        )
        still_booked = await blocking(other)
        rival = await reserve(other, LIMITS, a_wish(), None)
        assert isinstance(rival, Taken if still_booked else Reserved)
        repeat = await act(other, booked.booking.id, "cancel")
        assert isinstance(repeat, Changed)
        assert repeat.repeated != bool(still_booked)
        if still_booked:
            rival = await reserve(other, LIMITS, a_wish(), None)
        assert isinstance(rival, Reserved)
        assert isinstance(await hand_off(other, Wish(), rival.reservation.id, None), Booked)
        if not went_down:
            break


@pytest.mark.parametrize(("after", "lapsed", "cold"), CASES)
async def test_a_crashed_confirm(
    servers: list[Stores], redis: Redis, *, after: bool, lapsed: bool, cold: bool
) -> None:
    """The slot is booked as the booking store says; the repeat goes on with the same claim."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await _fresh(redis, crashed)
        tentative = await book(crashed, LIMITS, a_wish(graph="confirm_decline"), None)
        assert isinstance(tentative, Booked)
        if cold:
            await redis.flushall()
        went_down = await crashes(
            crashed, step, partial(_confirm, tentative.booking.id), after=after
        )
        if lapsed:
            await lapse(redis)
        committed = await blocking(other)
        rival = await reserve(other, LIMITS, a_wish(), None) if lapsed or committed else None
        assert isinstance(rival, Taken) or not committed
        repeat = await act(other, tentative.booking.id, "confirm")
        if isinstance(rival, Reserved):
            assert isinstance(repeat, Taken)
            assert isinstance(await hand_off(other, Wish(), rival.reservation.id, None), Booked)
        else:
            assert isinstance(repeat, Changed)
            assert repeat.repeated == bool(committed)
        assert await blocking(other) == 1
        await lapse(redis)
        assert await reserve(other, LIMITS, a_wish(), None) == Taken(by="booked")
        if not went_down:
            break


@pytest.mark.parametrize("after", [False, True])
async def test_a_crashed_reserve(servers: list[Stores], redis: Redis, *, after: bool) -> None:
    """A slot whose holder never heard of it comes free when its time runs out."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        await _fresh(redis, crashed)
        key = Idempotency(f"d{step}", "f1")
        went_down = await crashes(
            crashed,
            step,
            partial(_reserve, key),
            after=after,
        )
        repeat = await reserve(other, LIMITS, a_wish(), key)
        assert isinstance(repeat, Reserved)
        await lapse(redis)
        assert isinstance(await reserve(other, LIMITS, a_wish(), None), Reserved)
        if not went_down:
            break


async def _fresh(redis: Redis, stores: Stores) -> None:
    """Empty both stores, as far as this slot is concerned."""
    await redis.flushall()
    stores.resyncs.clear()
    found, _ = await stores.bookings.bookings(BookingQuery(limit=1000))
    for booking in found:
        if booking.blocks:
            await act(stores, booking.id, "cancel")
    await redis.flushall()
