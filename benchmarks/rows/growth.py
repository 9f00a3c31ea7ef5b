"""Growth: what a claim costs in Redis when its resource has few and very many live entries."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import cores, shown
from benchmarks.bench import Bench
from benchmarks.claims import BASE_MS, MINUTE_MS, RESOURCE_ID, Claims
from benchmarks.direct import PIPELINED, Direct
from benchmarks.plan import Plan
from benchmarks.redis_server import RedisServer, redis_server
from benchmarks.results import Findings, Table
from reservesvc.reservations.keys import Keys

SEED = 20_301
_FILL_PER_S = 25_000
_BLOCK_S = 0.008
_SERVERS = 2
Minutes = Callable[[int], list[int]]
"""of a number of live entries → the minutes to claim, one for each place in a pipeline"""


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return _SERVERS * (plan.entries[1] / _FILL_PER_S + 4 * plan.samples * _BLOCK_S)


def run(bench: Bench) -> Findings:
    """Measure.

    On servers of their own: one that a million keys were taken out of is slower ever after.
    """
    findings = Findings()
    _measure(bench, None, findings, "the embedded server")
    path = shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        findings.notes.append(
            "Growth was measured on the embedded server only: no other is on the PATH."
        )
    else:
        _measure(bench, path, findings, "the system's own, as the bars take it")
    return findings


def _measure(bench: Bench, path: str | None, findings: Findings, what: str) -> None:
    """Add one server's table; its values take the place of an earlier one's."""
    with (
        TemporaryDirectory(prefix="reservesvc-bench-") as directory,
        redis_server(Path(directory), bench.cores.load, path) as redis,
    ):
        few, many = _grown(bench, redis)
    findings.tables.append(_table(f"{what}, {redis.version}", bench.plan.entries, few, many))
    findings.values |= {f"growth-{name}": many[name] / few[name] for name in few}


def _grown(bench: Bench, redis: RedisServer) -> Iterator[dict[str, float]]:
    """Yield what claims take at each number of live entries."""
    claims = Claims(redis.run)
    redis.warm([RESOURCE_ID])
    redis.script_load(claims.script.body)
    live = 0
    with cores.on(bench.cores.server):
        direct = Direct(redis.port)
        for entries in bench.plan.entries:
            takes_s = (entries - live) / _FILL_PER_S
            bench.progress.step(f"growth: up to {entries:,} live entries", takes_s)
            direct.send(claims.claim(2 * number) for number in range(live, entries))
            live = entries
            redis.settle(RESOURCE_ID)
            bench.progress.step(f"growth: claims at {entries:,}", 2 * bench.plan.samples * _BLOCK_S)
            yield _sampled(bench.plan, redis, direct, claims, entries)
        direct.close()


def _sampled(
    plan: Plan, redis: RedisServer, direct: Direct, claims: Claims, entries: int
) -> dict[str, float]:
    """Return microseconds in Redis a claim, the median of blocks, for each way to choose.

    One way after the other: claims all over the index leave nothing in the processor's caches
    for those behind its last entry.
    """
    blocks: dict[str, list[float]] = {name: [] for name in _WAYS}
    for name, minutes in _WAYS.items():
        for _ in range(plan.samples):
            chosen = minutes(entries)
            calls, took_us = redis.script_us()
            direct.send(claims.claim(minute) for minute in chosen)
            calls_after, took_us_after = redis.script_us()
            blocks[name].append((took_us_after - took_us) / (calls_after - calls))
            _forget(redis, chosen)
    return {name: median(values) for name, values in blocks.items()}


def _forget(redis: RedisServer, minutes: list[int]) -> None:
    """Take claims out of the index again, so that it keeps its size."""
    key = Keys().slots(RESOURCE_ID)
    pipeline = redis.client.pipeline(transaction=False)
    for minute in minutes:
        start_ms = BASE_MS + minute * MINUTE_MS
        pipeline.zremrangebyscore(key, start_ms, start_ms)
    pipeline.execute()


def _appended(entries: int) -> list[int]:
    return [2 * (entries + place) for place in range(PIPELINED)]


def _anywhere(entries: int) -> list[int]:
    """Choose free minutes between live entries, which lie in the even ones."""
    return [2 * place + 1 for place in _lots.sample(range(entries), PIPELINED)]


_lots = random.Random(SEED)  # noqa: S311  places to measure at, no secrets
_WAYS: dict[str, Minutes] = {"appended": _appended, "random": _anywhere}


def _table(
    what: str, sizes: tuple[int, int], few: dict[str, float], many: dict[str, float]
) -> Table:
    rows = [
        (name, shown.short(few[name]), shown.short(many[name]), f"{many[name] / few[name]:.2f}")
        for name in few
    ]
    return Table(
        title=f"Growth: microseconds in Redis a claim ({what})",
        header=("slot", *(f"at {size:,} live entries" for size in sizes), "ratio"),
        rows=rows,
    )
