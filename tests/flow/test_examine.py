"""The doctor over real stores: each thing that can be wrong is made, told and repaired."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.bookings.settings import CachedSettings
from reservesvc.doctor_report import Report
from reservesvc.doctoring import PAUSE_S, Doctor
from reservesvc.domain.outcomes import Booked, Live, Pending, Released, Reserved
from reservesvc.domain.project import Resource
from reservesvc.domain.reservation import Reservation
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import UnavailableError
from reservesvc.flow import examine as examine_module
from reservesvc.flow.act import act
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.examine import examine
from reservesvc.flow.read import read
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Index, Stores
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.pipeline import Pipeline
from reservesvc.reservations.store import RedisReservations, Times
from tests.bookings.conftest import ENGINES
from tests.builders import IDS, ROOM, a_booking, a_claim, a_wish
from tests.flow.test_book import Failing
from tests.servers import RedisServer

LIMITS = Limits()
SLOTS = f"slots:{{{ROOM}}}"
FENCE = f"fence:{{{ROOM}}}"
AGAIN_S = 99.0
HELD = UnavailableError("redis", "gone")


@pytest.fixture(params=ENGINES)
async def stores(
    request: pytest.FixtureRequest, redis_server: RedisServer, redis: Redis
) -> AsyncIterator[Stores]:
    """Give the stores of a server, with either engine of the booking store."""
    await redis.ping()
    async with AsyncExitStack() as stack:
        pipeline = Pipeline(redis_server.url, deadline_s=2)
        stack.push_async_callback(pipeline.close)
        opened = await stack.enter_async_context(ENGINES[request.param](request))
        bookings = await opened()
        stack.push_async_callback(bookings.close)
        reservations = RedisReservations(pipeline, Keys(), IDS, Times(patience_ms=50))
        yield Stores(reservations, bookings, CachedSettings(bookings), IDS)


class Pauses:
    """Lets no time pass; does something at each look again."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.looks_again = 0
        self._meanwhile = meanwhile

    async def sleep(self, pause_s: float) -> None:
        """Note it."""
        if pause_s == PAUSE_S:
            return
        assert pause_s == AGAIN_S
        self.looks_again += 1
        if self._meanwhile:
            await self._meanwhile()


async def look(
    stores: Stores,
    resource_id: str | None = None,
    *,
    fix: bool = False,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
) -> Report:
    """Return what the doctor finds."""
    doctor = Doctor(stores, AGAIN_S, sleep=Pauses(meanwhile).sleep)
    return await doctor.look(resource_id, fix=fix)


def kinds(report: Report) -> list[str]:
    """Return what was found, by kind."""
    return [finding.kind for finding in report.found]


async def reserved(stores: Stores, *hours: float, resource_id: str = ROOM) -> Reservation:
    """Reserve, and insist on it."""
    outcome = await reserve(stores, LIMITS, a_wish(*hours, resource_id=resource_id), None)
    assert isinstance(outcome, Reserved), outcome
    return outcome.reservation


async def booked(stores: Stores, *hours: float, resource_id: str = ROOM) -> Booked:
    """Reserve and hand off, and insist on it."""
    reservation = await reserved(stores, *hours, resource_id=resource_id)
    outcome = await hand_off(stores, Wish(), reservation.id, None)
    assert isinstance(outcome, Booked), outcome
    return outcome


async def lapse(redis: Redis, reservation: Reservation) -> None:
    """Let the reservation's time run out."""
    key = f"reservation:{{{reservation.id.resource_id}}}:{reservation.id.ulid}"
    assert await redis.delete(key) == 1


async def no_index(stores: Stores, redis: Redis) -> None:
    """Delete the index of a booked slot."""
    await booked(stores)
    await redis.delete(SLOTS)


async def foreign_entry(stores: Stores, redis: Redis) -> None:
    """Write into an index."""
    await booked(stores)
    await redis.zadd(SLOTS, {f"b:{10**13}:1:{'0' * 26}": 10**12})


async def died_before_the_store(stores: Stores, redis: Redis) -> None:
    """Let a server die right after it unsettled a reservation, whose time then runs out."""
    reservation = await reserved(stores)
    assert isinstance(await stores.reservations.unsettle_reservation(reservation), Pending)
    await lapse(redis, reservation)


async def died_in_a_cancel(stores: Stores, redis: Redis) -> None:
    """Let a server die right after it cancelled a booking."""
    await redis.ping()
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_freed", HELD))
    await act(broken, (await booked(stores)).booking.id, "cancel")


async def died_after_the_store(stores: Stores, redis: Redis) -> None:
    """Let a server die right after it booked a reservation that lives on."""
    await redis.ping()
    broken = replace(stores, reservations=Failing(stores.reservations, "settle_booked", HELD))
    assert isinstance(await hand_off(broken, Wish(), (await reserved(stores)).id, None), Booked)


async def lost_entry(stores: Stores, redis: Redis) -> None:
    """Delete the index of a reserved slot."""
    await reserved(stores)
    await redis.delete(SLOTS)


REPAIRABLE = {
    "missing": no_index,
    "misplaced": foreign_entry,
    "unsettled": died_before_the_store,
    "unsettled by a cancel": died_in_a_cancel,
    "committed": died_after_the_store,
    "unindexed": lost_entry,
}


@pytest.mark.parametrize("what", REPAIRABLE)
async def test_what_is_wrong_is_told_and_repaired(stores: Stores, redis: Redis, what: str) -> None:
    """Looking changes nothing and says what it is; a repair leaves nothing wrong."""
    await reserved(stores, resource_id="room-2")
    await REPAIRABLE[what](stores, redis)
    before = await redis.get(FENCE), await redis.zrange(SLOTS, 0, -1)
    for _ in range(2):
        report = await look(stores)
        assert kinds(report) == [what.split(maxsplit=1)[0]]
        assert report.left == report.found
        assert not report.is_well
        assert report.resources == 2
    assert (await redis.get(FENCE), await redis.zrange(SLOTS, 0, -1)) == before
    report = await look(stores, fix=True)
    assert (kinds(report), report.left) == ([what.split(maxsplit=1)[0]], [])
    assert report.is_well
    assert report.repaired == 1
    assert (await look(stores)).found == []


async def test_all_is_well(stores: Stores) -> None:
    """Reservations, bookings, a cancelled one, one released: nothing to say, nothing twice."""
    await booked(stores)
    await reserved(stores, 12, 13)
    await act(stores, (await booked(stores, 14, 15)).booking.id, "cancel")
    await release(stores, (await reserved(stores, 16, 17)).id)
    pauses = Pauses()
    report = await Doctor(stores, AGAIN_S, sleep=pauses.sleep).look(None, fix=True)
    assert report.is_well
    assert (report.resources, report.bookings, report.reservations) == (1, 1, 1)
    assert (report.found, report.cold, pauses.looks_again) == ([], 0, 0)


async def test_it_says_how_far_it_is(stores: Stores) -> None:
    """What it has found while it searches, then how many of how many it has looked at."""
    for number in (1, 2):
        await reserved(stores, resource_id=f"room-{number}")
    told: list[str] = []
    await Doctor(stores, AGAIN_S, told.append, Pauses().sleep).look(None, fix=False)
    assert told == [
        "found 2 reservations so far",
        "found 2 resources so far",
        "found 2 resources so far",
        "looked at 1 of 2 resources",
        "looked at 2 of 2 resources",
    ]


async def test_what_is_under_way_is_no_difference(stores: Stores, redis: Redis) -> None:
    """What has gone at the second look is not told; what is there at both is."""
    await no_index(stores, redis)

    async def meanwhile() -> None:
        await look(stores, fix=True)

    assert (await look(stores, meanwhile=meanwhile)).found == []
    await redis.delete(SLOTS)
    assert kinds(await look(stores)) == ["missing"]


async def test_one_resource_is_looked_at(stores: Stores, redis: Redis) -> None:
    """What is wrong with others is neither told nor repaired."""
    await lost_entry(stores, redis)
    await booked(stores, resource_id="room-2")
    report = await look(stores, "room-2", fix=True)
    assert (report.found, report.resources, report.bookings) == ([], 1, 1)
    assert kinds(await look(stores, ROOM)) == ["unindexed"]


async def test_a_handoff_that_stopped_is_to_know(stores: Stores) -> None:
    """Its reservation holds the slot, so nothing is wrong; it can be handed off again."""
    reservation = await reserved(stores)
    await stores.reservations.unsettle_reservation(reservation)
    report = await look(stores, fix=True)
    assert kinds(report) == ["undecided"]
    assert report.is_well
    assert report.repaired == 0
    assert isinstance(await hand_off(stores, Wish(), reservation.id, None), Booked)


async def test_a_reservation_gets_its_entry_back(stores: Stores, redis: Redis) -> None:
    """It holds its slot again, as long as before, and can be booked."""
    reservation = await reserved(stores)
    await redis.delete(SLOTS)
    assert (await look(stores, fix=True)).is_well
    found = await read(stores, reservation.id)
    assert isinstance(found, Live)
    assert abs(found.reservation.expires_ms - reservation.expires_ms) < 1000
    assert found.reservation.details() == reservation.details()
    assert not isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)
    assert isinstance(await hand_off(stores, Wish(), reservation.id, None), Booked)


async def test_a_reservation_that_is_late_is_released(stores: Stores, redis: Redis) -> None:
    """Somebody else was granted the slot meanwhile, and keeps it."""
    late = await reserved(stores)
    await redis.delete(SLOTS)
    first = await reserved(stores)
    assert (await look(stores, fix=True)).left == []
    assert not isinstance(await read(stores, late.id), Live)
    assert isinstance(await hand_off(stores, Wish(), first.id, None), Booked)


async def test_two_in_one_slot(stores: Stores, redis: Redis) -> None:
    """A reserved slot that is booked: no repair decides, and it is over with the reservation."""
    await no_index(stores, redis)
    reservation = await reserved(stores)
    report = await look(stores, fix=True)
    assert kinds(report) == ["contested", "missing"]
    assert [finding.kind for finding in report.left] == ["contested"]
    assert not report.is_well
    assert isinstance(await release(stores, reservation.id), Released)
    assert (await look(stores)).is_well


async def test_more_booked_than_there_is_room(stores: Stores) -> None:
    """Both bookings are named; a repair leaves them; with the capacity back there is nothing."""
    room = Resource(id=ROOM, name="Room", capacity=2)
    await stores.bookings.create_resource(room, None)
    both = [(await booked(stores, 10, 12)).booking, (await booked(stores, 11, 13)).booking]
    await stores.bookings.update_resource(replace(room, capacity=1))
    pauses = Pauses()
    report = await Doctor(stores, AGAIN_S, sleep=pauses.sleep).look(None, fix=True)
    assert kinds(report) == ["overbooked", "overbooked"]
    assert pauses.looks_again == 1  # there is nothing to repair, so nothing to look at after
    assert {finding.booking_id for finding in report.left} == {one.id for one in both}
    assert not report.is_well
    await stores.bookings.update_resource(room)
    assert (await look(stores)).found == []


async def test_a_booking_is_no_reservation_beside_itself(stores: Stores, redis: Redis) -> None:
    """One that Redis was not told of, among too many, is not called a reservation as well."""
    room = Resource(id=ROOM, name="Room", capacity=2)
    await stores.bookings.create_resource(room, None)
    await booked(stores)
    await died_after_the_store(stores, redis)
    await stores.bookings.update_resource(replace(room, capacity=1))
    assert kinds(await look(stores)) == ["committed", "overbooked", "overbooked"]


async def test_what_ended_long_ago_is_not_compared(stores: Stores) -> None:
    """A booking that a resync leaves out is not missing, however far back the look goes."""
    claim = a_claim()
    old = replace(claim, start_ms=1000, end_ms=2000)
    await booked(stores)
    fence = (await stores.bookings.blocking(ROOM, 0)).fence
    assert isinstance(await stores.bookings.book(a_booking(old), fence, None), Booked)
    found = await examine(stores, ROOM, 0, [])
    assert (found.findings, found.bookings, found.is_cold) == (frozenset(), 1, False)


async def test_a_reservation_that_ends_meanwhile_is_no_difference(stores: Stores) -> None:
    """Released between the look at its key and the look at its entry, it is over."""
    reservation = await reserved(stores)

    class Releasing:
        """A Redis in which the reservation is released before its entry is looked for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def index(self, resource_id: str, start_ms: int | None = None) -> Any:
            found = await stores.reservations.index(resource_id, start_ms)
            assert isinstance(found, Index)
            if start_ms is None:
                return replace(found, entries=[])
            await release(stores, reservation.id)
            return await stores.reservations.index(resource_id, start_ms)

    releasing: Any = Releasing()
    found = await examine(replace(stores, reservations=releasing), ROOM, 0, [reservation.id])
    assert found.findings == frozenset()


async def test_a_double_booking_is_not_too_much(stores: Stores) -> None:
    """It stands outside of the count, also beside a reservation that was granted before."""
    await booked(stores)
    wish = a_wish(
        settings={"allow_double_bookings": True}, customer={"name": "A", "email": "a@b.c"}
    )
    assert isinstance(await book(stores, LIMITS, wish, None), Booked)
    assert (await look(stores)).found == []


async def test_cold_resources_are_counted(stores: Stores, redis: Redis) -> None:
    """Nothing is compared there, and nothing warmed; the booking store is looked at."""
    await booked(stores)
    await redis.flushall()
    report = await look(stores, fix=True)
    assert (report.is_well, report.resources, report.cold, report.bookings) == (True, 1, 1, 1)
    assert await redis.keys("*") == []


async def test_an_entry_on_another_page_is_no_loss(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reservation that the pages of the index skipped is looked for by itself."""
    await reserved(stores)
    monkeypatch.setattr(examine_module, "disagreements", lambda *_: set())

    class Skipping:
        """An index whose pages moved under the reader."""

        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def index(self, resource_id: str, start_ms: int | None = None) -> Any:
            found = await stores.reservations.index(resource_id, start_ms)
            return found if start_ms is not None else replace(found, entries=[])

    skipping: Any = Skipping()
    assert (await look(replace(stores, reservations=skipping))).found == []


async def test_a_busy_service_is_well(stores: Stores) -> None:
    """Looking for real while many reserve, book, cancel and release finds nothing."""
    going = True

    async def customer(number: int) -> None:
        while going:
            reservation = await reserved(stores, number, number + 1, resource_id=f"room-{number}")
            outcome = await hand_off(stores, Wish(), reservation.id, None)
            assert isinstance(outcome, Booked)
            await act(stores, outcome.booking.id, "cancel")
            await release(stores, (await reserved(stores, 20, 21, resource_id="room-0")).id)

    customers = [asyncio.create_task(customer(1))]
    for _ in range(3):
        report = await Doctor(stores, look_again_s=0.2).look(None, fix=False)
        assert report.found == []
    going = False
    await asyncio.gather(*customers)
