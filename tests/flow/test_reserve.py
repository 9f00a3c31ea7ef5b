"""reserve: a wish becomes a held slot, or every reason why not."""

import asyncio

from redis.asyncio import Redis

from reservesvc.domain.outcomes import Ended, Invalid, KeyReused, Reserved, Taken
from reservesvc.domain.project import BookingDefaults, Project, Resource
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.wish import Limits
from reservesvc.flow.read import live, read
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Idempotency, Stores
from tests.builders import ROOM, a_wish

LIMITS = Limits()
KEY = Idempotency(digest="d1", fingerprint="f1")
PROJECT = Project(
    id="p1",
    name="Salon",
    slug="salon",
    reservation_time=120,
    booking=BookingDefaults(what="Cut", where="Here", description="As always"),
)


async def test_a_resource_nobody_touched_before_is_warmed_and_held(stores: Stores) -> None:
    """The first reserve on a resource finds a cold index and builds it itself."""
    outcome = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Reserved)
    assert outcome.reservation.remaining_ms == 30_000


async def test_what_the_request_leaves_out_the_project_supplies(stores: Stores) -> None:
    """Texts and the reservation time come from the project, unless the request has its own."""
    await stores.bookings.create_project(PROJECT, None)
    wish = a_wish(project_id="p1", what=None, where=None, description="Mine")
    outcome = await reserve(stores, LIMITS, wish, None)
    assert isinstance(outcome, Reserved)
    details = outcome.reservation.details()
    assert (details.what, details.where, details.description) == ("Cut", "Here", "Mine")
    assert outcome.reservation.remaining_ms == 120_000


async def test_the_requests_own_duration_goes_before_the_projects(stores: Stores) -> None:
    """Two minutes by the project, seven seconds by the request: seven seconds."""
    await stores.bookings.create_project(PROJECT, None)
    outcome = await reserve(stores, LIMITS, a_wish(project_id="p1", duration_s=7), None)
    assert isinstance(outcome, Reserved)
    assert outcome.reservation.remaining_ms == 7_000


async def test_everything_wrong_is_named_at_once(stores: Stores) -> None:
    """No field hides another's mistake, and nothing is written."""
    wish = a_wish(
        11,
        10,
        resource_id="no spaces",
        duration_s=0,
        quantity=2,
        what=None,
        project_id="p?",
        graph="x",
    )
    outcome = await reserve(stores, LIMITS, wish, None)
    assert isinstance(outcome, Invalid)
    assert set(outcome.errors) == {
        "resource_id",
        "end",
        "duration",
        "quantity",
        "what",
        "project_id",
        "graph",
    }


async def test_a_registered_capacity_is_shared_out(stores: Stores) -> None:
    """Three seats are three reservations, and the fourth waits."""
    await stores.bookings.create_resource(Resource(id=ROOM, name="Room", capacity=3), None)
    outcomes = [await reserve(stores, LIMITS, a_wish(), None) for _ in range(4)]
    assert [type(outcome) for outcome in outcomes] == [Reserved, Reserved, Reserved, Taken]


async def test_a_thousand_on_two_servers_one_winner(servers: list[Stores]) -> None:
    """A cold resource, one slot, everybody at once, through two servers."""
    outcomes = await asyncio.gather(
        *(reserve(servers[i % 2], LIMITS, a_wish(), None) for i in range(1000))
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert (kinds.count(Reserved), kinds.count(Taken)) == (1, 999)


async def test_a_stampede_on_a_cold_resource_resyncs_once(stores: Stores) -> None:
    """A thousand requests for a cold index raise its fence once, not a thousand times."""
    await asyncio.gather(*(reserve(stores, LIMITS, a_wish(), None) for _ in range(200)))
    assert (await stores.bookings.snapshot(ROOM, 0)).fence == 2


async def test_a_key_repeats_its_reservation_and_no_other(stores: Stores) -> None:
    """Same key and body: the same reservation; another body: refused."""
    first = await reserve(stores, LIMITS, a_wish(), KEY)
    second = await reserve(stores, LIMITS, a_wish(), KEY)
    other = await reserve(stores, LIMITS, a_wish(20, 21), Idempotency("d1", "f2"))
    assert isinstance(first, Reserved)
    assert isinstance(second, Reserved)
    assert second.replayed
    assert first.reservation.id == second.reservation.id
    assert other == KeyReused()


async def test_a_key_whose_reservation_ended_says_how(stores: Stores) -> None:
    """It neither makes a second reservation nor pretends that the first still holds."""
    first = await reserve(stores, LIMITS, a_wish(), KEY)
    assert isinstance(first, Reserved)
    await release(stores, first.reservation.id)
    again = await reserve(stores, LIMITS, a_wish(), KEY)
    assert isinstance(again, Ended)
    assert again.state == "released"


async def test_live_reservations_are_listed_by_start(stores: Stores, redis: Redis) -> None:
    """Lapsed ones are not among them, and pages add up."""
    for start in (12, 10, 11, 9):
        outcome = await reserve(stores, LIMITS, a_wish(start, start + 1), None)
        assert isinstance(outcome, Reserved)
        if start == 11:
            await redis.delete(f"reservation:{{{ROOM}}}:{outcome.reservation.id.ulid}")
    first, total = await live(stores, ROOM, 2, 0)
    rest, _ = await live(stores, ROOM, 2, 2)
    starts = [reservation.document[86:91] for reservation in first + rest]
    assert total == 3
    assert len(first) == 2
    assert starts == sorted(starts)


async def test_a_resource_nobody_reserved_has_no_live_reservations(stores: Stores) -> None:
    """Listing a cold resource warms it instead of failing."""
    assert await live(stores, ROOM, 50, 0) == ([], 0)


async def test_reading_a_reservation_that_never_was_says_expired(stores: Stores) -> None:
    """An id that could be one, and is none, cannot be told from one that lapsed."""
    outcome = await reserve(stores, LIMITS, a_wish(), None)
    assert isinstance(outcome, Reserved)
    other = ReservationId(outcome.reservation.id.resource_id, "0" * 26)
    assert await read(stores, other) == Ended(state="expired")
