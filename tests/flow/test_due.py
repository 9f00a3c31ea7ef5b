"""due: what bookings do by themselves happens, once, over real stores."""

import asyncio
import itertools

import pytest
from redis.asyncio import Redis

from reservesvc.domain.booking import Booking
from reservesvc.domain.graphs import GRAPHS, Graph, State, Timer
from reservesvc.domain.outcomes import Booked, Changed, NotOpen, Reserved, Taken
from reservesvc.domain.wish import Limits
from reservesvc.flow import due as due_module
from reservesvc.flow.act import act, take_due
from reservesvc.flow.book import book
from reservesvc.flow.due import carry_out, due_bookings
from reservesvc.flow.reserve import reserve
from reservesvc.ports import Stores
from tests.builders import a_wish, last_month
from tests.flow.test_crash import CrashError, Crashing

LIMITS = Limits()
STEPS_MAX = 20


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add graphs that are due at once: one gives its slot back, one claims it."""
    at_once = Timer(action="go", since="entry", delay_ms=0)
    freed = State(holds="never")
    held = State(actions={"go": "gone", "stay": "kept"}, timer=at_once)
    waiting = State(actions={"go": "kept", "leave": "gone"}, holds="never", timer=at_once)
    for name, first in (("fleeting", held), ("hopeful", waiting)):
        states = {"first": first, "gone": freed, "kept": State(actions={"cancel": "gone"})}
        monkeypatch.setitem(GRAPHS, name, Graph(first_state="first", states=states))


async def booked(stores: Stores, graph: str, start: float = 10) -> Booking:
    """Book directly, and insist on it."""
    outcome = await book(stores, LIMITS, a_wish(start, start + 1, graph=graph), None)
    assert isinstance(outcome, Booked), outcome
    return outcome.booking


async def run_timers(stores: Stores) -> list[str]:
    """Make every move that is due, and return how each ended."""
    return [await carry_out(stores, LIMITS, each) async for each in due_bookings(stores)]


async def state_of(stores: Stores, booking: Booking) -> str:
    """Return the state that the booking is in."""
    found = await stores.bookings.booking(booking.id)
    assert found is not None
    return found.state


async def test_what_is_due_is_done_by_any_server(servers: list[Stores]) -> None:
    """By another than the one that made the booking, as after a restart."""
    first = await booked(servers[0], "instant", last_month())
    later = await booked(servers[0], "instant")
    assert await run_timers(servers[1]) == ["moved"]
    assert await state_of(servers[0], first) == "completed"
    assert await state_of(servers[0], later) == "confirmed"
    assert await run_timers(servers[0]) == []


async def test_two_servers_at_once_do_it_once(servers: list[Stores]) -> None:
    """Each of thirty bookings is moved by one of them, and its slot is free."""
    bookings = [await booked(servers[0], "fleeting", hour) for hour in range(30)]
    ends = await asyncio.gather(*(run_timers(stores) for stores in servers * 2))
    assert sum(end.count("moved") for end in ends) == 30
    assert {end for each in ends for end in each} <= {"moved", "overtaken"}
    assert {await state_of(servers[1], booking) for booking in bookings} == {"gone"}
    assert isinstance(await reserve(servers[1], LIMITS, a_wish(0, 30), None), Reserved)


async def test_pages_follow_each_other(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are due, and although those that were moved are due no more."""
    monkeypatch.setattr(due_module, "AT_ONCE", 3)
    for hour in range(10):
        await booked(stores, "fleeting", hour)
    assert await run_timers(stores) == ["moved"] * 10


async def test_what_is_due_goes_first(stores: Stores) -> None:
    """Whoever asks for something else finds it done, although nobody did it before."""
    late = await booked(stores, "fleeting")
    outcome = await act(stores, late.id, "stay")
    assert isinstance(outcome, NotOpen)
    assert (outcome.booking.state, outcome.open_actions) == ("gone", ())
    assert isinstance(await reserve(stores, LIMITS, a_wish(), None), Reserved)


async def test_what_is_asked_for_and_due_is_done(stores: Stores) -> None:
    """The same move by hand is no other."""
    late = await booked(stores, "fleeting")
    outcome = await act(stores, late.id, "go")
    assert isinstance(outcome, Changed)
    assert outcome.booking.state == "gone"


async def test_a_slot_is_claimed_when_it_is_due(stores: Stores) -> None:
    """A timer that leads to a state that blocks takes the slot, or waits while it is taken."""
    first, second = await booked(stores, "hopeful"), await booked(stores, "hopeful")
    assert sorted(await run_timers(stores)) == ["moved", "taken"]
    states = [await state_of(stores, first), await state_of(stores, second)]
    assert sorted(states) == ["first", "kept"]
    kept = first if states[0] == "kept" else second
    assert await reserve(stores, LIMITS, a_wish(), None) == Taken(by="booked")
    await act(stores, kept.id, "cancel")
    assert await run_timers(stores) == ["moved"]


async def test_another_versions_graph_is_left_alone(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row with a graph that this server does not know is due for who knows it."""
    strange, known = await booked(stores, "fleeting"), await booked(stores, "hopeful", 20)
    monkeypatch.delitem(GRAPHS, "fleeting")
    assert [booking.id async for booking in due_bookings(stores)] == [known.id]
    assert strange.graph not in GRAPHS


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("graph", ["fleeting", "hopeful"])
async def test_a_crashed_move_is_made_by_another(
    servers: list[Stores], redis: Redis, graph: str, *, after: bool
) -> None:
    """Wherever it crashed: in the end it is made once, and the index is right."""
    crashed, other = servers
    for step in itertools.count(1):
        assert step < STEPS_MAX
        booking = await booked(crashed, graph)
        went_down = False
        try:
            await take_due(Crashing(step, after=after).stores(crashed), booking)
        except CrashError:
            went_down = True
        ends = await run_timers(other)
        assert ends in (["moved"], [])
        assert ends == [] or went_down
        held = graph == "hopeful"
        assert await state_of(other, booking) == ("kept" if held else "gone")
        rival = await reserve(other, LIMITS, a_wish(), None)
        assert isinstance(rival, Taken if held else Reserved)
        await act(other, booking.id, "cancel")
        await redis.flushall()
        if not went_down:
            break
