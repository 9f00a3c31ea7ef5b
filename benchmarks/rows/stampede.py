"""Stampede: everybody wants the same slot; what a loser costs beside a winner."""

from benchmarks import shown, slots
from benchmarks.bench import Bench
from benchmarks.errors import BenchmarkError
from benchmarks.measured import Measured, medians
from benchmarks.plan import Plan
from benchmarks.results import Findings, Table
from benchmarks.rows.reserve import CONNECTIONS
from benchmarks.wrk import Load

_OVERHEAD_S = 0.3


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    return 2 * plan.few_rounds * (plan.few_run_s + _OVERHEAD_S)


def run(bench: Bench) -> Findings:
    """Measure."""
    plan = bench.plan
    winning = Load(connections=CONNECTIONS, run_s=plan.few_run_s)
    losing = Load(connections=CONNECTIONS, run_s=plan.few_run_s, mode="stampede")
    rounds: dict[str, list[Measured]] = {"winners": [], "losers": []}
    for number in range(1, plan.few_rounds + 1):
        for name, load in zip(rounds, (winning, losing), strict=True):
            text = f"stampede, round {number} of {plan.few_rounds}: {name}"
            bench.progress.step(text, load.run_s + _OVERHEAD_S)
            rounds[name].append(_measured(bench, load))
    found = {name: medians(measured) for name, measured in rounds.items()}
    return Findings(
        tables=[_table(found)],
        values={"stampede": found["losers"].server_us / found["winners"].server_us},
    )


def _measured(bench: Bench, load: Load) -> Measured:
    measured = bench.measure(bench.ours, load)
    if load.mode == "stampede" and bench.redis.entries(["room-0"], until_ms=slots.start_ms(0)) > 1:
        message = "the stampede on one slot had more than one winner"
        raise BenchmarkError(message)
    return measured


def _table(found: dict[str, Measured]) -> Table:
    rows = [
        (name, shown.whole(one.requests_per_s), shown.short(one.server_us), _store(one))
        for name, one in found.items()
    ]
    header = ("requests", "req/s", "server µs/req", "Redis µs/req")
    return Table(title="Stampede on one slot, 64 connections", header=header, rows=rows)


def _store(one: Measured) -> str:
    return shown.short(one.store_us or 0.0)
