"""Batch: reservations a second in requests of a hundred, beside the same script sent straight.

Redis' core is the one that is full here. So whoever makes the load, wrk for us and the
sender for the comparison, runs on the server's core, and Redis has its own to itself.
"""

from itertools import count
from statistics import median
from time import perf_counter

from msgspec.structs import replace

from benchmarks import conformance, cores, redis_benchmark, shown, slots
from benchmarks.bench import MICROSECONDS, Bench
from benchmarks.claims import Claims
from benchmarks.cores import Cores
from benchmarks.cpu import used_s
from benchmarks.direct import Direct
from benchmarks.errors import BenchmarkError, MissingError
from benchmarks.plan import Plan
from benchmarks.results import Findings, Table
from benchmarks.wrk import Load

PATH = "/v2/bookings/reserve/batch"
ITEMS = 100
CONNECTIONS = 16
CLAIMS_PER_S = 40_000
"""how many claims to send straight for a run of one second, about as long as wrk's"""
SPREADS = {"batch-spread": slots.RESOURCES, "batch-one": 1}
_ABSENT = (404, 405)
_OVERHEAD_S = 0.5
_MISSING = f"there is no POST {PATH}"
_HEADER = ("items", "batch, items/s", "server µs/item", "script at -P 64, items/s", "ratio")


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return len(SPREADS) * plan.few_rounds * 2.5 * (plan.few_run_s + _OVERHEAD_S)


def run(bench: Bench) -> Findings:
    """Measure."""
    bench.progress.step("batch: asking for the route")
    body = {"mode": "independent", "reservations": [slots.body(bench.slots.take())]}
    reply = conformance.post(bench.ours.port, PATH, body)
    if reply.status in _ABSENT:
        note = f"Batches were not measured: {_MISSING}."
        return Findings(values=dict.fromkeys(SPREADS, _MISSING), notes=[note])
    if reply.status >= min(_ABSENT):
        message = f"POST {PATH} answers {reply.status} {reply.body}"
        raise BenchmarkError(message)
    findings, rows = Findings(), []
    for key, resources in SPREADS.items():
        row, findings.values[key] = _compared(bench, resources)
        rows.append(row)
    title = f"Batch, {ITEMS} reservations a request, {CONNECTIONS} connections"
    findings.tables.append(Table(title=title, header=_HEADER, rows=rows, note=_checked(bench)))
    return findings


def _compared(bench: Bench, resources: int) -> tuple[tuple[str, ...], float]:
    where = "on one resource" if resources == 1 else f"spread over {resources} resources"
    batches: list[tuple[float, float]] = []
    straight: list[float] = []
    for number in range(1, bench.plan.few_rounds + 1):
        text = f"batch {where}, round {number} of {bench.plan.few_rounds}"
        bench.progress.step(text, 2 * (bench.plan.few_run_s + _OVERHEAD_S))
        batches.append(_batched(bench, resources))
        straight.append(_straight(bench, resources))
    items_per_s = median(one[0] for one in batches)
    server_us = median(one[1] for one in batches)
    ratio = items_per_s / median(straight)
    row = (
        where,
        shown.whole(items_per_s),
        shown.short(server_us),
        shown.whole(median(straight)),
        f"{ratio:.2f}",
    )
    return row, ratio


def _batched(bench: Bench, resources: int) -> tuple[float, float]:
    """Return items a second and the server's CPU microseconds an item."""
    load = Load(
        connections=CONNECTIONS,
        run_s=bench.plan.few_run_s,
        mode="batch",
        resources=resources,
        items=ITEMS,
    )
    beside = replace(bench, cores=Cores(server=bench.cores.server, load=bench.cores.server))
    beside.prepare(bench.ours)
    before_s = used_s(bench.ours.process.pid)
    result = beside.load(bench.ours, load)
    server_s = used_s(bench.ours.process.pid) - before_s
    if result.status or result.broken:
        message = f"{result.status + result.broken} of {result.requests} batches failed"
        raise BenchmarkError(message)
    items = result.requests * ITEMS
    # An independent batch may be answered 2xx with items in it that were refused.
    kept = bench.redis.entries(slots.resource_ids())
    if kept < items:
        message = f"batches of {items} free slots were acknowledged, Redis has {kept} of them"
        raise BenchmarkError(message)
    return items / (result.duration_us / MICROSECONDS), server_s / items * MICROSECONDS


def _straight(bench: Bench, resources: int) -> float:
    """Return the claims a second that the script itself does, 64 in a pipeline."""
    claims = Claims(bench.redis.run)
    bench.redis.empty()
    bench.redis.warm(slots.resource_ids())
    bench.redis.script_load(claims.script.body)
    claimed = (claims.claim(n // resources, f"room-{n % resources}") for n in count())
    total = CLAIMS_PER_S * bench.plan.few_run_s
    with cores.on(bench.cores.server):
        direct = Direct(bench.redis.port)
        began_s = perf_counter()
        direct.send(next(claimed) for _ in range(total))
        lasted_s = perf_counter() - began_s
        direct.close()
    return total / lasted_s


def _checked(bench: Bench) -> str:
    """Return what redis-benchmark itself comes to, as far as it can do the same."""
    bench.redis.empty()
    bench.redis.warm(slots.resource_ids())
    bench.progress.step("batch: redis-benchmark", bench.plan.few_run_s)
    total = CLAIMS_PER_S * bench.plan.few_run_s
    try:
        per_s = redis_benchmark.claims_per_s(bench.redis, total, bench.cores.server)
    except MissingError as error:
        return f"Not checked against redis-benchmark: {error}."
    return (
        f"redis-benchmark -P 64 itself, on one resource at random slots: "
        f"{shown.whole(per_s)} claims/s."
    )
