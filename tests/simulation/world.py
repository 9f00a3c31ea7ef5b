"""The simulated world: servers that run the real flow, one Redis, one booking store, faults.

`run(plan)` is the whole of it: the same plan, the same history.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, NamedTuple, cast

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import Reserved
from reservesvc.flow.release import release
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Stores
from tests.simulation.events import EVENTS, Replica, back_ms
from tests.simulation.given import LIMITS, TIMES, CountingIds, FixedSettings, room, wish_of
from tests.simulation.history import CLIENT, FAULT, REDIS, STORE, Step
from tests.simulation.loop import Event, Process, Strand, VirtualLoop, lots_of
from tests.simulation.mutants import FAITHFUL, Mutant
from tests.simulation.network import Dependency, Remote
from tests.simulation.plan import DAY_MS, HOURS, REQUESTS, SERVERS, Item, Plan, question
from tests.simulation.requests import Clients, DeadlineError, Request, request_of

DEADLINE_MS = 2_000
QUIET_MS = 120_000
"""by then everything has lapsed"""


class Run(NamedTuple):
    """What came of a plan."""

    plan: Plan
    history: list[Step]
    operations: int
    faults: int
    rows: dict[str, Booking]
    """the booking store's, at the end"""
    tidied: list[tuple[str, object]]
    """how tidying each resource ended when it was done once more"""
    verdicts: list[tuple[Item, object]]
    """what a fresh claim on each hour was told at the end"""
    failures: list[BaseException]
    """errors that nobody waited for"""


class Server(NamedTuple):
    """One process of the service."""

    process: Process
    stores: Stores


class World:
    """Everything there is, and what happens to it.

    Args:
        plan: what is to happen.
        keep: the numbers of the items to carry out; None for all.
        mutant: what is broken on purpose.

    """

    def __init__(self, plan: Plan, keep: Collection[int] | None, mutant: Mutant) -> None:
        self.plan = plan
        self.mutant = mutant
        self.fates = plan.fates
        self.history: list[Step] = []
        self.operations = self.faults = 0
        self.loop = VirtualLoop(lots_of(plan.seed, 1))
        self.clients = Clients()
        capacities = {room(n): capacity for n, capacity in enumerate(plan.capacities)}
        self._ids, self._settings = CountingIds(), FixedSettings(capacities)
        redis = mutant.redis(self._clock, self._ids, TIMES)
        self.redis: Dependency = Dependency(REDIS, redis)
        self.store: Dependency = Dependency(STORE, mutant.bookings(self._clock, capacities))
        self._asked: dict[int, Process] = {}
        """where the requests are that were not answered yet"""
        self._replica = Replica(redis, self._asked)
        self.servers = [self._started(f"s{n}") for n in range(SERVERS)]
        self._outside = Process("world")
        self._items = [item for item in plan.items if keep is None or item.number in keep]

    def run(self) -> Run:
        """Carry the plan out, let everything lapse, and ask about every hour."""
        self._schedule(0)
        self.loop.run_until_idle()
        self.loop.now_ms += QUIET_MS
        self.fates = []
        self.redis.down_until_ms = self.store.down_until_ms = 0
        last = self._started("end")
        tidied, verdicts = self._tidied(last), self._verdicts(last)
        self.loop.close()
        return Run(
            plan=self.plan,
            history=self.history,
            operations=self.operations,
            faults=self.faults,
            rows=self.store.state.rows,
            tidied=tidied,
            verdicts=verdicts,
            failures=self.loop.failures,
        )

    def _clock(self) -> int:
        return DAY_MS + self.loop.now_ms

    def _schedule(self, place: int) -> None:
        if place < len(self._items):
            item = self._items[place]
            strand = self._strand(item, self._outside)
            delay_ms = max(0, item.at_ms - self.loop.now_ms)
            self.loop.post(strand, delay_ms, self._begin, item, strand, place)

    def _begin(self, item: Item, strand: Strand, place: int) -> None:
        self._schedule(place + 1)
        if item.kind in REQUESTS:
            self._ask(item, strand)
        else:
            EVENTS[item.kind](self, item, strand)

    def _strand(self, item: Item, process: Process) -> Strand:
        return Strand(process, lots_of(item.seed), item.number)

    # Requests.

    def _ask(self, item: Item, wire: Strand) -> None:
        process, stores = self.servers[item.server]
        if process.is_dead:
            return
        request = request_of(
            item, stores, self.clients, self._listed(wire.lots.random()), wire.lots.random()
        )
        if request is None:
            return
        self.operations += 1
        self._asked[item.number] = process
        strand = Strand(process, wire.lots, item.number, wire)
        self._note(strand, CLIENT, "asks", (request.name, *request.arguments), None)
        self.loop.strand = strand
        task = self.loop.create_task(_outcome(request.work))
        limit = self.loop.post(strand, item.gives_up_ms or DEADLINE_MS, task.cancel)
        task.add_done_callback(lambda done: self._heard(strand, request, done, limit))

    def _heard(
        self, strand: Strand, request: Request, task: asyncio.Task[object], limit: Event
    ) -> None:
        limit.cancel()
        del self._asked[strand.number]
        outcome = DeadlineError("no answer") if task.cancelled() else task.result()
        self._note(strand, CLIENT, "hears", (request.name, *request.arguments), outcome)
        self.clients.hear(request, outcome)

    def _listed(self, lot: float) -> str | None:
        """Return now and then a booking just made, as somebody finds it who lists them."""
        newest = reversed(self.store.state.rows)
        return next(newest, None) if lot < self.plan.listed_share else None

    # The record.

    def about_to(self, call: str, arguments: tuple[Any, ...]) -> None:
        """Hear of a call at the moment before it takes effect."""
        if self.plan.has_fail_overs:
            self._replica.remember(call, arguments)

    def took_place(
        self, strand: Strand, where: str, call: str, arguments: tuple[Any, ...], outcome: Any
    ) -> None:
        """Note a call at the moment it took effect; some moments are worse than others."""
        self._note(strand, where, call, arguments, outcome)
        if self.plan.has_fail_overs:
            share = self._replica.fail_over_share(strand.number, arguments, outcome)
            if share and strand.lots.random() < share:
                self.fail_over(strand.wire)

    def fault(self, strand: Strand, name: str, *arguments: Any) -> None:
        """Note a fault."""
        self.faults += 1
        self._note(strand.wire, FAULT, name, arguments, None)

    def _note(
        self, strand: Strand, where: str, name: str, arguments: tuple[Any, ...], outcome: Any
    ) -> None:
        now_ms, server = self.loop.now_ms, strand.process.name
        self.history.append(Step(now_ms, strand.number, server, where, name, arguments, outcome))

    # What goes wrong.

    def crash(self, process: Process) -> None:
        """Kill the server and all it was doing; another takes its place a little later."""
        if process.is_dead:
            return
        process.is_dead = True
        for number in [n for n, where in self._asked.items() if where is process]:
            del self._asked[number]
        strand = self.loop.strand
        self.fault(strand, "crash", process.name)
        place = next(n for n, server in enumerate(self.servers) if server.process is process)
        self.loop.post(strand.wire, back_ms(strand), self._restart_server, place)

    def _restart_server(self, place: int) -> None:
        self.servers[place] = self._started(self.servers[place].process.name)

    def _started(self, name: str) -> Server:
        process = Process(name)
        # A Remote has every method that is asked of it.
        reservations = cast("Any", Remote(self, process, self.redis))
        bookings = cast("Any", Remote(self, process, self.store))
        return Server(process, Stores(reservations, bookings, self._settings, self._ids))

    def pause(self, process: Process, pause_ms: int) -> None:
        """Stop the server; it goes on later, as if nothing had been."""
        process.paused_until_ms = max(process.paused_until_ms, self.loop.now_ms + pause_ms)
        self.fault(self.loop.strand, "pause", process.name, pause_ms)

    def restart_redis(self) -> None:
        """Let Redis be another process; its connections are gone."""
        self.redis.run += 1
        self.redis.state.restart(f"run-{self.redis.run}")

    def fail_over(self, strand: Strand) -> None:
        """Let a replica that lagged behind take over."""
        if self._replica.take_over(self.loop.now_ms):
            self.restart_redis()
            self.fault(strand, "fail_over")

    # The end.

    def _tidied(self, server: Server) -> list[tuple[str, object]]:
        """Tidy each resource, with nothing in the way, and then once more."""
        outcomes = []
        for item in (question(self.plan, n, 0) for n in range(len(self.plan.capacities))):
            resource_id = room(item.resource)
            work = partial(tidy, server.stores, resource_id)
            self._at_the_end(server, item, work)
            outcomes.append((resource_id, self._at_the_end(server, item, work)))
        return outcomes

    def _verdicts(self, server: Server) -> list[tuple[Item, object]]:
        """Claim each hour, with nothing in the way."""
        rooms = range(len(self.plan.capacities))
        items = [question(self.plan, number, hour) for number in rooms for hour in range(HOURS)]
        claim = partial(_claim, server.stores)
        return [(item, self._at_the_end(server, item, partial(claim, item))) for item in items]

    def _at_the_end(
        self, server: Server, item: Item, work: Callable[[], Awaitable[object]]
    ) -> object:
        return self.loop.run(self._strand(item, server.process), _outcome(work))


async def _claim(stores: Stores, item: Item) -> object:
    """Claim an hour, and give it back."""
    outcome = await reserve(stores, LIMITS, wish_of(item), None)
    if isinstance(outcome, Reserved):
        await release(stores, outcome.reservation.id)
    return outcome


async def _outcome(work: Callable[[], Awaitable[object]]) -> object:
    """Return what the work ends with; which errors may come is the checker's to judge."""
    try:
        return await work()
    except Exception as error:  # noqa: BLE001 - see above
        return error


def run(plan: Plan, keep: Collection[int] | None = None, mutant: Mutant = FAITHFUL) -> Run:
    """Carry out `plan`, or the items of it whose numbers are in `keep`."""
    return World(plan, keep, mutant).run()
