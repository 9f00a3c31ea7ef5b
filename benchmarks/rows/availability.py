"""Availability: a search of 200 resources over four weeks, and what its cost grows with.

The bookings are in a SQLite file and, where the indexes are warm, in Redis as well: each
resource was asked for once. While searches run one after the other, somebody else asks the same
server whether it is there; the longest wait beside each search is noted.
"""

import asyncio
import http.client
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Self

import msgspec
from msgspec import Struct

from benchmarks import conformance, kinds, shown, slots
from benchmarks.bench import Bench
from benchmarks.cpu import used_s
from benchmarks.errors import BenchmarkError
from benchmarks.plan import Plan
from benchmarks.processes import HOST
from benchmarks.results import Findings, Table
from benchmarks.servers import Server, serving
from reservesvc.bookings.sqlite import SqliteBookingStore

PATH = "/v2/availability"
RESOURCES, FEWER = 200, 20
HOUR_MS = 3_600_000
WEEKS = timedelta(weeks=4)
HOURS = WEEKS // timedelta(hours=1)
SEED = 20_301
_FILL_S = 6.0
_SEARCH_S = 0.4
_OK = 200
_HEADER = (
    "resources",
    "bookings in the weeks",
    "in the store",
    "indexes",
    "slots",
    "ms",
    "server CPU ms",
    "Redis CPU ms",
    "others wait, ms",
)
# Complete with its timer. Of one without, as an earlier version left it, the server would work
# the timer out beside the searches.
_INSERT = """
    INSERT INTO bookings (
        id, reservation_id, entry_id, resource_id, graph, state, start_ms, end_ms, quantity,
        what, place, description, customers, meta, created_ms, updated_ms, blocks, due_ms
    ) VALUES (?1, ?2, ?3, ?4, 'instant', 'confirmed', ?5, ?5 + 3600000, 1,
        'Haircut', 'Main street 1', 'Short', '[]', '{}', 0, 0, 1, ?5 + 2 * 3600000)
"""
_FENCE = "INSERT INTO resource_fences (resource_id, fence, longest_ms) VALUES (?, 0, 3600000)"


class Store(Struct, frozen=True):
    """How full the store is: bookings of each resource, in the weeks searched and after them."""

    within: int
    after: int

    @property
    def bookings(self) -> int:
        """How many bookings there are in all."""
        return RESOURCES * (self.within + self.after)


SMALL, LARGE, FULL = Store(25, 0), Store(25, 225), Store(250, 0)
"""5,000 bookings; as many and 45,000 after the weeks; 50,000 in the weeks"""


class Found(Struct, frozen=True, kw_only=True):
    """What searches of one kind came to."""

    slots: int
    took_ms: float
    server_ms: float
    redis_ms: float
    wait_ms: float
    """the longest that somebody else waited beside a search; the median of all"""


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return 3 * _FILL_S + 7 * plan.searches * _SEARCH_S


def run(bench: Bench) -> Findings:
    """Measure."""
    rows: list[tuple[str, ...]] = []
    found: dict[tuple[Store, int], Found] = {}
    for store in (SMALL, LARGE, FULL):
        bench.progress.step(f"availability: {store.bookings:,} bookings", _FILL_S)
        with _serving(bench, store) as server:
            rows.append(_row(store, RESOURCES, "cold", _searched(bench, server, RESOURCES)))
            _warm(server)
            for count in (FEWER, RESOURCES):
                found[store, count] = _searched(bench, server, count)
                rows.append(_row(store, count, "warm", found[store, count]))
    small, large = (_cpu_ms(found[store, RESOURCES]) for store in (SMALL, LARGE))
    table = Table(title="Availability: one search over four weeks", header=_HEADER, rows=rows)
    waits = (one.wait_ms for one in found.values())
    values = {"availability-store": large / small, "availability-wait": max(waits)}
    return Findings(tables=[table], values={**values})


def _cpu_ms(found: Found) -> float:
    return found.server_ms + found.redis_ms


def _row(store: Store, count: int, indexes: str, found: Found) -> tuple[str, ...]:
    numbers = (found.took_ms, found.server_ms, found.redis_ms, found.wait_ms)
    within = shown.whole(count * store.within)
    slots_found = shown.whole(found.slots)
    return (
        str(count),
        within,
        shown.whole(store.bookings),
        indexes,
        slots_found,
        *map(shown.short, numbers),
    )


@contextmanager
def _serving(bench: Bench, store: Store) -> Iterator[Server]:
    """Run the service on a store that is as full as that, with cold indexes."""
    path = bench.setting.directory / f"bookings-{store.within}-{store.after}.sqlite3"
    asyncio.run(_filled(path, store))
    bench.redis.empty()
    with serving(kinds.on_sqlite(path), bench.setting) as server:
        yield server


async def _filled(path: Path, store: Store) -> None:
    await (await SqliteBookingStore.open(path)).close()
    lots = random.Random(SEED)  # noqa: S311  hours to book, no secrets
    with closing(sqlite3.connect(path)) as connection, connection:
        for room in slots.resource_ids(RESOURCES):
            hours = lots.sample(range(HOURS), store.within)
            hours += range(2 * HOURS, 2 * HOURS + store.after)
            connection.execute(_FENCE, (room,))
            connection.executemany(_INSERT, (_booking(room, hour) for hour in hours))


def _booking(room: str, hour: int) -> tuple[str, str, str, str, int]:
    ulid = f"{hour:026}"
    return f"{room}-{hour}", f"{room}.{ulid}", ulid, room, slots.start_ms(0) + hour * HOUR_MS


def _warm(server: Server) -> None:
    """Let every index be built, by asking for a slot that nothing else is about."""
    hour = slots.BASE + 3 * WEEKS
    for room in slots.resource_ids(RESOURCES):
        body = {"resource_id": room, **slots.TEXTS}
        body |= {"start": hour.isoformat(), "end": (hour + timedelta(hours=1)).isoformat()}
        reply = conformance.post(server.port, conformance.PATH, body)
        if reply.status not in (conformance.CREATED, conformance.CONFLICT):
            message = f"{room} could not be asked for: {reply.status} {reply.body}"
            raise BenchmarkError(message)


def _searched(bench: Bench, server: Server, count: int) -> Found:
    """Search as often as planned, beside somebody who asks for something small."""
    searches = bench.plan.searches
    text = f"availability of {count} resources"
    bench.progress.step(text, searches * _SEARCH_S)
    body = msgspec.json.encode(
        {
            "resources": slots.resource_ids(count),
            "mode": "roundrobin_prioritized",
            "from": slots.BASE.isoformat(),
            "to": (slots.BASE + WEEKS).isoformat(),
        }
    )
    connection = http.client.HTTPConnection(HOST, server.port)
    _search(connection, body)  # settings are read once
    before = used_s(server.process.pid), used_s(bench.redis.pid)
    waits: list[float] = []
    found: list[tuple[int, float]] = []
    with _Waiting(server.port) as waiting:
        for _ in range(searches):
            found.append(_search(connection, body))
            waits.append(waiting.longest())
    after = used_s(server.process.pid), used_s(bench.redis.pid)
    connection.close()
    server_ms, redis_ms = (1000 * (b - a) / searches for a, b in zip(before, after, strict=True))
    return Found(
        slots=found[0][0],
        took_ms=median(took_ms for _, took_ms in found),
        server_ms=server_ms,
        redis_ms=redis_ms,
        wait_ms=median(waits),
    )


def _search(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, float]:
    """Search, and return how many slots there are and how long it took, in ms."""
    began_s = perf_counter()
    connection.request("POST", PATH, body, {"Authorization": f"Bearer {slots.KEY}"})
    reply = connection.getresponse()
    data = reply.read()
    took_ms = 1000 * (perf_counter() - began_s)
    if reply.status != _OK:
        message = f"POST {PATH} answers {reply.status} {data[:300]!r}"
        raise BenchmarkError(message)
    return len(msgspec.json.decode(data)["data"]), took_ms


class _Waiting:
    """Asks whether the server is there, again and again, and notes how long that takes."""

    def __init__(self, port: int) -> None:
        self._longest_ms = 0.0
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def longest(self) -> float:
        """Return the longest wait since this was asked last, in ms."""
        longest_ms, self._longest_ms = self._longest_ms, 0.0
        return longest_ms

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._port)
        # Not all the time: what is asked costs the server something, too.
        while not self._ended.wait(0.01):
            began_s = perf_counter()
            connection.request("GET", "/livez")
            connection.getresponse().read()
            self._longest_ms = max(self._longest_ms, 1000 * (perf_counter() - began_s))
        connection.close()
