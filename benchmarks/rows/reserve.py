"""Reserve: each request another free slot, 64 connections, every server in every round."""

from benchmarks import kinds, shown
from benchmarks.bench import Bench
from benchmarks.measured import Measured, medians
from benchmarks.plan import Plan
from benchmarks.results import Findings, Value
from benchmarks.wrk import Load

CONNECTIONS = 64
_OVERHEAD_S = 0.3
COMPARED = (kinds.BARE, kinds.FASTIFY, kinds.LOGGED, kinds.FASTAPI)
"""the peers that a bar names; the bar's key is the peer's name"""


def seconds(plan: Plan) -> float:
    """Return how long it takes, by estimate."""
    once = plan.warm_up_s + plan.rounds * plan.run_s + (plan.rounds + 1) * _OVERHEAD_S
    return len(kinds.ALL) * once


def run(bench: Bench) -> Findings:
    """Measure."""
    _warm_up(bench)
    rounds: dict[str, list[Measured]] = {name: [] for name in bench.running}
    load = Load(connections=CONNECTIONS, run_s=bench.plan.run_s)
    for number in range(1, bench.plan.rounds + 1):
        for name, server in bench.running.items():
            text = f"reserve, round {number} of {bench.plan.rounds}: {server.kind.label}"
            bench.progress.step(text, load.run_s + _OVERHEAD_S)
            rounds[name].append(bench.measure(server, load))
    found = {name: medians(measured) for name, measured in rounds.items()}
    return Findings(
        tables=[shown.load_table("Reserve, 64 connections", list(found.values()), bench)],
        values=values(found, bench.missing),
        measured=list(found.values()),
    )


def values(found: dict[str, Measured], missing: dict[str, str]) -> dict[str, Value]:
    """Return our CPU per request over each compared peer's, by the peer's name."""
    ours = found[kinds.OURS.name].server_us
    return {
        peer.name: ours / found[peer.name].server_us if peer.name in found else missing[peer.name]
        for peer in COMPARED
    }


def _warm_up(bench: Bench) -> None:
    """Let every server see load before it counts: some compile what is hot."""
    load = Load(connections=CONNECTIONS, run_s=bench.plan.warm_up_s)
    for server in bench.running.values():
        bench.progress.step(f"reserve, warming up {server.kind.label}", load.run_s + _OVERHEAD_S)
        bench.prepare(server)
        bench.load(server, load)
