"""Hand-off: reservations becoming bookings in PostgreSQL, beside a bare insert of the same rows.

End to end: `POST /v2/bookings` with a `reservation_id`, through Redis, the booking store and
Redis again. Every commit waits for the disk, on both sides. PostgreSQL is on the second core
with Redis and wrk; who inserts, on the first, as the service is.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import asyncpg
import msgspec
from msgspec import Struct

from benchmarks import conformance, cores, kinds, shown, slots
from benchmarks.bench import MICROSECONDS, Bench, check_kept
from benchmarks.cpu import used_s
from benchmarks.errors import BenchmarkError, MissingError
from benchmarks.plan import Plan
from benchmarks.postgres_server import postgres_server
from benchmarks.processes import Process
from benchmarks.results import Findings, Table
from benchmarks.rows.reserve import CONNECTIONS
from benchmarks.servers import Server, serving
from benchmarks.wrk import Load
from reservesvc.bookings import postgres_schema
from reservesvc.bookings.postgres import POOL_MAX
from reservesvc.errors import UnavailableError

KEY = "hand-off"
PER_S_MAX = 6_000
"""reservations made ready for each second of a round; more than are ever handed off in it"""
_BATCH = 100
_BATCH_PATH = "/v2/bookings/reserve/batch"
_OVERHEAD_S = 3.0
_START_S = 20.0
_POLL_S = 0.05
_HEADER = ("", "bookings/s", "p50 ms", "p99 ms", "server µs", "PostgreSQL µs")
_EMPTY = "TRUNCATE bookings, resource_fences"
_COUNT = "SELECT count(*) FROM bookings"


class Found(Struct, frozen=True, kw_only=True):
    """One round of one side."""

    per_s: float
    postgres_us: float
    """CPU of PostgreSQL, a booking"""
    server_us: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


class Side(Struct, frozen=True, kw_only=True):
    """What both sides are measured on."""

    bench: Bench
    server: Server
    postgres: Process
    url: str


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return 2 * plan.few_rounds * (plan.few_run_s + _OVERHEAD_S)


def run(bench: Bench) -> Findings:
    """Measure, if PostgreSQL can be started here."""
    try:
        with _opened(bench) as side:
            rounds = [_compared(side, number) for number in range(1, bench.plan.few_rounds + 1)]
    except MissingError as error:
        note = f"The hand-off was not measured: {error}."
        return Findings(values={KEY: str(error)}, notes=[note])
    ours, bare = ([one[side] for one in rounds] for side in (0, 1))
    ratio = median(one.per_s for one in ours) / median(one.per_s for one in bare)
    table = Table(
        title=f"Hand-off on PostgreSQL, {CONNECTIONS} connections, {POOL_MAX} to PostgreSQL",
        header=_HEADER,
        rows=[_row("reservesvc", ours), _row("bare asyncpg insert", bare)],
    )
    return Findings(tables=[table], values={KEY: ratio})


@contextmanager
def _opened(bench: Bench) -> Iterator[Side]:
    """Start PostgreSQL with our schema, and the service on it.

    Raises:
        MissingError: there is no PostgreSQL.

    """
    setting = bench.setting
    with postgres_server(setting.directory, setting.load_core, is_durable=True) as (store, url):
        asyncio.run(_migrated(url))
        with serving(kinds.on_postgres(url), setting) as server:
            yield Side(bench=bench, server=server, postgres=store, url=url)


def _compared(side: Side, number: int) -> tuple[Found, Found]:
    plan = side.bench.plan
    of = f"round {number} of {plan.few_rounds}"
    side.bench.progress.step(f"hand-off, {of}", plan.few_run_s + _OVERHEAD_S)
    ours = _handed_off(side)
    side.bench.progress.step(f"bare insert, {of}", plan.few_run_s + _OVERHEAD_S)
    return ours, _inserted(side)


def _handed_off(side: Side) -> Found:
    bench, server = side.bench, side.server
    asyncio.run(_execute(side.url, _EMPTY))
    bench.prepare(server)
    ids = _reserved(side, PER_S_MAX * bench.plan.few_run_s)
    load = Load(
        connections=CONNECTIONS, run_s=bench.plan.few_run_s, mode="hand_off", reservations=ids
    )
    server_s, postgres_s = used_s(server.process.pid), used_s(side.postgres.pid)
    result = bench.load(server, load)
    server_s = used_s(server.process.pid) - server_s
    postgres_s = used_s(side.postgres.pid) - postgres_s
    if result.status or result.broken:
        message = f"{result.status + result.broken} of {result.requests} hand-offs failed"
        raise BenchmarkError(message)
    # A repeat is answered with the booking that is there; each of these has to be another.
    check_kept(server.kind.label, result, load, asyncio.run(_execute(side.url, _COUNT)))
    each = MICROSECONDS / result.requests
    return Found(
        per_s=result.requests * MICROSECONDS / result.duration_us,
        postgres_us=postgres_s * each,
        server_us=server_s * each,
        p50_ms=result.p50_us / 1000,
        p99_ms=result.p99_us / 1000,
    )


def _reserved(side: Side, count: int) -> Path:
    """Reserve so many slots; return the file with the reservations' ids."""
    bench = side.bench
    path = bench.setting.directory / "reservations"
    with path.open("w") as file:
        for _ in range(0, count, _BATCH):
            first = bench.slots.skip(_BATCH)
            wishes = [slots.body(slot) for slot in range(first, first + _BATCH)]
            body = {"mode": "independent", "reservations": wishes}
            reply = conformance.post(side.server.port, _BATCH_PATH, body)
            file.writelines(f"{one['data']['id']}\n" for one in reply.body["data"])
    return path


def _inserted(side: Side) -> Found:
    asyncio.run(_execute(side.url, _EMPTY))
    run_s = side.bench.plan.few_run_s
    command = [sys.executable, "-m", "benchmarks.peers.asyncpg_insert"]
    before_s = used_s(side.postgres.pid)
    with cores.on(side.bench.cores.server):
        done = subprocess.run(
            [*command, side.url, str(POOL_MAX), str(run_s)],
            capture_output=True,
            text=True,
            check=False,
            cwd=kinds.ROOT,
        )
    if done.returncode:
        message = f"the bare insert failed: {done.stderr.strip()[-500:]}"
        raise BenchmarkError(message)
    found = msgspec.json.decode(done.stdout, type=dict[str, float])
    postgres_s = used_s(side.postgres.pid) - before_s
    return Found(
        per_s=found["rows"] / found["duration_s"],
        postgres_us=postgres_s / found["rows"] * MICROSECONDS,
    )


async def _migrated(url: str) -> None:
    """Make our schema, once the server takes connections.

    Raises:
        BenchmarkError: it does not.

    """
    until_s = perf_counter() + _START_S
    while True:
        try:
            return await postgres_schema.migrate(url)
        except UnavailableError as error:
            if perf_counter() > until_s:
                message = f"the schema could not be made: {error.detail}"
                raise BenchmarkError(message) from error
        await asyncio.sleep(_POLL_S)


async def _execute(url: str, sql: str) -> int:
    """Run one statement; return the number it gives, if any."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(sql) or 0)
    finally:
        await connection.close()


def _row(name: str, rounds: list[Found]) -> tuple[str, ...]:
    return (
        name,
        shown.whole(median(one.per_s for one in rounds)),
        *(_median([getattr(one, field) for one in rounds]) for field in ("p50_ms", "p99_ms")),
        _median([one.server_us for one in rounds]),
        _median([one.postgres_us for one in rounds]),
    )


def _median(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return shown.short(median(known)) if known else "–"
