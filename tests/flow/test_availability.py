"""availability: what is offered can be had, over real stores."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from reservesvc.domain.availability import AvailabilityWish
from reservesvc.domain.constraints import Constraint, Hours
from reservesvc.domain.offers import MODES, Mode
from reservesvc.domain.outcomes import Booked, Invalid, Pending, Reserved, Taken
from reservesvc.domain.project import Project, Resource
from reservesvc.domain.slot import Use
from reservesvc.domain.wish import Limits, Wish
from reservesvc.errors import OutcomeUnknownError, UnavailableError
from reservesvc.flow.availability import Available, availability
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Ask, Stores
from tests.builders import DAY, HOUR_MS, ROOM, a_claim, a_wish, at

LIMITS = Limits()
ROOMS = ["room-1", "room-2", "room-3"]
WIDE = [f"room-{number}" for number in range(200)]


def a_search(start: float = 8, end: float = 14, **fields: Any) -> AvailabilityWish:
    """Return the wish for slots of an hour on the tests' day."""
    window = {"from_": f"{DAY}T{_clock(start)}Z", "to": f"{DAY}T{_clock(end)}Z"}
    return AvailabilityWish(**({"resources": [ROOM]} | window | fields))


def _clock(hour: float) -> str:
    return f"{int(hour):02}:{round(hour % 1 * 60):02}:00"


async def found(stores: Stores, wish: AvailabilityWish) -> list[tuple[float, list[str]]]:
    """Return at which hours slots begin, and the rooms of each."""
    outcome = await availability(stores, LIMITS, wish)
    assert isinstance(outcome, Available), outcome
    return [
        ((start_ms - at(0)) / HOUR_MS, [outcome.resources[place].id for place in places])
        for start_ms, places in outcome.offers
    ]


async def hours(stores: Stores, wish: AvailabilityWish | None = None) -> list[float]:
    """Return at which hours slots begin."""
    return [hour for hour, _ in await found(stores, wish or a_search())]


async def reserved(stores: Stores, start: float, end: float, room: str = ROOM) -> Reserved:
    """Reserve, and insist on it."""
    outcome = await reserve(stores, LIMITS, a_wish(start, end, resource_id=room), None)
    assert isinstance(outcome, Reserved), outcome
    return outcome


async def registered(stores: Stores, resource: Resource) -> None:
    """Register a resource, or put another in its place."""
    await stores.bookings.delete_resource(resource.id)
    await stores.bookings.create_resource(resource, None)
    stores.settings.forget()


async def chill(redis: Redis) -> None:
    """Let every index be cold, as after a restart of Redis."""
    for key in [key async for key in redis.scan_iter("fence:*")]:
        await redis.delete(key)


@pytest.mark.parametrize("cold", [False, True])
async def test_reserved_and_booked_are_out(stores: Stores, redis: Redis, *, cold: bool) -> None:
    """On a warm index, and where only the booking store knows the bookings."""
    await reserved(stores, 9, 10)
    assert isinstance(await book(stores, LIMITS, a_wish(11, 12), None), Booked)
    reservation = (await reserved(stores, 13, 14)).reservation
    assert isinstance(await hand_off(stores, Wish(), reservation.id, None), Booked)
    if cold:
        await chill(redis)
    assert await hours(stores) == [8, 10, 12]


@pytest.mark.parametrize("cold", [False, True])
async def test_what_is_given_back_or_lapses_is_in_again(
    stores: Stores, redis: Redis, *, cold: bool
) -> None:
    """At once; nothing has to be tidied first."""
    back = (await reserved(stores, 9, 10)).reservation
    lapsing = (await reserved(stores, 11, 12)).reservation
    if cold:
        await chill(redis)
    assert await hours(stores) == [8, 10, 12, 13]
    await release(stores, back.id)
    assert await hours(stores) == [8, 9, 10, 12, 13]
    await redis.delete(f"reservation:{{{ROOM}}}:{lapsing.id.ulid}")
    assert await hours(stores) == [8, 9, 10, 11, 12, 13]


async def test_what_is_being_decided_is_out(stores: Stores) -> None:
    """A hand-off under way keeps its slot."""
    reservation = (await reserved(stores, 9, 10)).reservation
    assert isinstance(await stores.reservations.unsettle_reservation(reservation), Pending)
    assert await hours(stores) == [8, 10, 11, 12, 13]


async def test_a_reservation_that_is_a_booking_counts_once(stores: Stores, redis: Redis) -> None:
    """Committed and not settled, on a cold index: with two units one is left."""
    await registered(stores, Resource(id=ROOM, name="Room", capacity=2))
    reservation = (await reserved(stores, 9, 10)).reservation

    class NeverSettles:
        def __getattr__(self, name: str) -> Any:
            return getattr(stores.reservations, name)

        async def settle_booked(self, *_: object) -> bool:
            raise UnavailableError("redis", "gone")

    broken = replace(stores, reservations=NeverSettles())
    assert isinstance(await hand_off(broken, Wish(), reservation.id, None), Booked)
    await chill(redis)
    assert 9 in await hours(stores)
    await reserved(stores, 9, 10)
    assert 9 not in await hours(stores)


async def test_nothing_is_changed(stores: Stores, redis: Redis) -> None:
    """Searching neither resyncs a cold index nor makes a new one."""
    await reserved(stores, 9, 10)
    await chill(redis)
    before = sorted([key async for key in redis.scan_iter("*")])
    assert await hours(stores, a_search(resources=[ROOM, "room-of-nobody"]))
    assert sorted([key async for key in redis.scan_iter("*")]) == before
    assert await stores.bookings.used_resources("", 10) == [ROOM]


async def test_now_is_what_redis_says(stores: Stores) -> None:
    """Relative times are relative to the clock that ends reservations."""
    outcome = await availability(stores, LIMITS, AvailabilityWish(resources=[ROOM]))
    assert isinstance(outcome, Available)
    now_ms = await stores.reservations.now_ms()
    assert 0 <= now_ms - outcome.search.start_ms < 5_000
    assert outcome.search.end_ms - outcome.search.start_ms == 28 * 24 * HOUR_MS
    assert outcome.offers[0].start_ms % HOUR_MS == 0
    assert 0 <= outcome.offers[0].start_ms - outcome.search.start_ms < HOUR_MS


async def test_a_project_says_what_the_request_does_not(stores: Stores) -> None:
    """Mode, resources, lengths and constraints; what the request says goes before."""
    office = Constraint(effect="allow", rule=Hours(start_min=600, end_min=720))
    project = Project(
        id="p",
        name="Salon",
        slug="salon",
        availability={"mode": "exclusive", "length": "30 minutes", "buffer": 7},
        availability_constraints=(office,),
        resources=("room-2", "room-1"),
    )
    await stores.bookings.create_project(project, None)
    rooms = ["room-2", "room-1"]
    by_project = a_search(resources=None, project_id="p")
    assert await found(stores, by_project) == [(hour, rooms) for hour in (10, 10.5, 11, 11.5)]
    own = a_search(project_id="p", mode="roundrobin_prioritized", length="1 hour", constraints=())
    assert await found(stores, own) == [(hour, [ROOM]) for hour in range(8, 14)]


async def test_each_resource_has_its_own_clock_and_hours(stores: Stores) -> None:
    """Nine to eleven in Berlin is not nine to eleven in New York."""
    morning = Constraint(effect="allow", rule=Hours(start_min=540, end_min=660))
    for room, zone in (("room-1", "Europe/Berlin"), ("room-2", "America/New_York")):
        made = Resource(id=room, name=room, timezone=zone, availability_constraints=(morning,))
        await registered(stores, made)
    search = a_search(0, 23, resources=ROOMS[:2], mode="exclusive")
    assert await found(stores, search) == [
        (8, ["room-1"]),
        (9, ["room-1"]),
        (14, ["room-2"]),
        (15, ["room-2"]),
    ]


async def test_buffers_reach_over_the_edges(stores: Stores) -> None:
    """What is in use just outside of the time keeps its distance, too."""
    await reserved(stores, 7, 8)
    await reserved(stores, 11, 12)
    await reserved(stores, 14, 15)
    wish = a_search(buffer="30 minutes", timeslot_increments="30 minutes")
    assert await hours(stores, wish) == [8.5, 9, 9.5, 12.5]


async def test_a_slot_has_as_many_units_free_as_are_asked_for(stores: Stores) -> None:
    """At every instant of it; a resource with a smaller capacity is never offered."""
    await registered(stores, Resource(id=ROOM, name="Room", capacity=4))
    for start, end, quantity in ((9, 10, 2), (11, 11.5, 1), (11.25, 12, 1), (13, 13.5, 3)):
        wish = a_wish(start, end, quantity=quantity)
        assert isinstance(await reserve(stores, LIMITS, wish, None), Reserved)
    assert await hours(stores, a_search(quantity=1)) == [8, 9, 10, 11, 12, 13]
    assert await hours(stores, a_search(quantity=2)) == [8, 9, 10, 11, 12]
    assert await hours(stores, a_search(quantity=3)) == [8, 10, 12]
    assert await hours(stores, a_search(quantity=5)) == []


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_offered_can_be_reserved(stores: Stores, redis: Redis, mode: Mode) -> None:
    """And what is not offered cannot: any reservations, capacities and grids, 25 times."""
    lots = random.Random(mode)  # noqa: S311  cases to test, no secrets
    for _ in range(25):
        await redis.flushall()
        await _fill(stores, redis, lots)
        step, quantity = lots.choice([15, 20, 30, 60]), lots.choice([None, 1, 2, 3])
        wish = a_search(
            resources=ROOMS,
            quantity=quantity,
            mode=mode,
            length=f"{lots.choice([15, 30, 60, 90])} minutes",
            timeslot_increments=f"{step} minutes",
        )
        outcome = await availability(stores, LIMITS, wish)
        assert isinstance(outcome, Available)
        offered = {offer.start_ms: set(offer.places) for offer in outcome.offers}
        length_ms = outcome.search.length_ms
        last_ms = outcome.search.end_ms - length_ms
        for start_ms in range(at(8), last_ms + 1, step * 60_000):
            free = {
                place
                for place, resource in enumerate(outcome.resources)
                if await _can_be_had(stores, resource.id, start_ms, start_ms + length_ms, quantity)
            }
            _check(mode, offered.get(start_ms, set()), free)


def _check(mode: Mode, offered: set[int], free: set[int]) -> None:
    if mode == "exclusive":
        assert offered == free
    elif mode == "mutual":
        assert bool(offered) == (len(free) == len(ROOMS))
    else:
        assert offered == ({min(free)} if free else set())


async def _fill(stores: Stores, redis: Redis, lots: random.Random) -> None:
    """Reserve at random, let some lapse, and let some indexes be cold."""
    for room in ROOMS:
        capacity = lots.choice([1, 1, 2, 3])
        await registered(stores, Resource(id=room, name=room, capacity=capacity))
        for _ in range(lots.randrange(8)):
            start, length = lots.randrange(28, 56) / 4, lots.choice([0.25, 0.5, 1, 3])
            quantity = lots.randint(1, capacity)
            wish = a_wish(start, start + length, resource_id=room, quantity=quantity)
            outcome = await reserve(stores, LIMITS, wish, None)
            if isinstance(outcome, Reserved) and lots.random() < 0.2:
                await redis.delete(f"reservation:{{{room}}}:{outcome.reservation.id.ulid}")
        if lots.random() < 0.2:
            await redis.delete(f"fence:{{{room}}}")


async def _can_be_had(
    stores: Stores, room: str, start_ms: int, end_ms: int, quantity: int | None
) -> bool:
    """Reserve the slot and give it back."""
    wish = a_wish(resource_id=room, start_ms=start_ms, end_ms=end_ms, quantity=quantity)
    outcome = await reserve(stores, LIMITS, wish, None)
    if isinstance(outcome, Invalid):
        assert set(outcome.errors) == {"quantity"}
    if isinstance(outcome, Taken | Invalid):
        return False
    assert isinstance(outcome, Reserved), outcome
    await release(stores, outcome.reservation.id)
    return True


class Counting:
    """A store whose calls are counted by name."""

    def __init__(self, store: object) -> None:
        self.calls: list[str] = []
        self._store = store

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if not callable(value):
            return value

        def counted(*arguments: Any) -> Any:
            self.calls.append(name)
            return value(*arguments)

        return counted


async def test_many_resources_are_few_round_trips(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred, half of them cold: 13 to Redis and two to the booking store."""
    asks: list[Ask] = [(a_claim(10, 11, resource_id=room), 1, None) for room in WIDE[::2]]
    for room in WIDE[::2]:
        await reserved(stores, 20, 21, room)
    await stores.reservations.reserve_many(asks)
    bookings = Counting(stores.bookings)
    sent: list[int] = []
    store: Any = stores.reservations
    call_many = store._call_many

    async def counted(script: object, calls: Sequence[object]) -> object:
        sent.append(len(calls))
        return await call_many(script, calls)

    monkeypatch.setattr(store, "_call_many", counted)
    monkeypatch.setattr(stores.settings, "_store", bookings)
    stores.settings.forget()
    counting = replace(stores, bookings=bookings)
    wish = a_search(resources=WIDE, mode="exclusive")
    offered = await found(counting, wish)
    assert [len(rooms) for _, rooms in offered] == [200, 200, 100, 200, 200, 200]
    assert sum(sent) == len(WIDE)
    assert len(sent) == 13
    assert bookings.calls == ["registered", "blocking_between"]


async def test_a_lost_reply_is_no_unknown_outcome(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was to be changed, so that nothing is unknown."""

    async def lost(_: object, calls: Sequence[object]) -> list[OutcomeUnknownError]:
        return [OutcomeUnknownError("redis", "cut") for _ in calls]

    monkeypatch.setattr(stores.reservations, "_call_many", lost)
    with pytest.raises(UnavailableError) as raised:
        await availability(stores, LIMITS, a_search())
    assert not isinstance(raised.value, OutcomeUnknownError)


async def test_a_wrong_wish_is_told_all_that_is_wrong(stores: Stores) -> None:
    """At once, whoever finds it."""
    wish = a_search(resources=[ROOM, "no room", 7], mode="lottery", length="long", project_id="x")
    outcome = await availability(stores, LIMITS, wish)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"resources.1", "resources.2", "mode", "length", "project_id"}


async def test_resources_that_open_too_often_are_refused(stores: Stores) -> None:
    """Each opening begins a grid, so that short ones have more slots than a step is long."""
    often = tuple(
        Constraint(effect="allow", rule=Hours(start_min=minute, end_min=minute + 1))
        for minute in range(0, 1000, 2)
    )
    search: dict[str, Any] = {
        "length": "1 minute",
        "timeslot_increments": "1 day",
        "constraints": often,
    }
    few = a_search(0, 10, resources=WIDE[:10], mode="exclusive", **search)
    assert isinstance(await availability(stores, LIMITS, few), Available)
    until = {"to": "30 days", "from_": "now"}
    many = a_search(resources=WIDE[:100], mode="exclusive", **search | until)
    outcome = await availability(stores, LIMITS, many)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {"constraints"}


async def test_others_get_their_turn(stores: Stores) -> None:
    """However many resources there are, the event loop goes round while they are computed."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class AtOnce:
        async def now_ms(self) -> int:
            return at(0)

        async def usages(self, resource_ids: Sequence[str], *_: int) -> list[list[Use]]:
            return [[] for _ in resource_ids]

    await stores.settings.resources(WIDE)
    instant: Any = AtOnce()
    task = asyncio.create_task(others())
    outcome = await availability(
        replace(stores, reservations=instant), LIMITS, a_search(resources=WIDE)
    )
    task.cancel()
    assert isinstance(outcome, Available)
    assert turns >= len(WIDE) // 4
