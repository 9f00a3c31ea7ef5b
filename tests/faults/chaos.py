"""Everything at random for minutes: `python -m tests.faults.chaos --minutes 10`.

Two servers, Redis, a booking store, clients who want the same few slots, and one fault after
the other, drawn from a seed. After every round each server is asked about every slot, and the
whole history is checked. Exit status 1 where a promise was broken; the seed replays the faults
in the same order, though never to the millisecond.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, field

from tests.faults.bookings import ENGINES
from tests.faults.cluster import Cluster
from tests.faults.history import History
from tests.faults.nemesis import FAULTS, Fault, Scene, strike
from tests.faults.trial import Trial
from tests.faults.workload import LONGEST_S, Workload, capacities, slots

ROUND_S = 60.0
CLIENTS = 12
REST_S = 0.06
BETWEEN_S = (0.05, 0.6)
SHOWN_MAX = 20


class Tally(Struct):
    """What it came to so far."""

    operations: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def add(self, history: History, found: list[str]) -> None:
        """Count one round."""
        self.operations += len(history.ops)
        self.violations += found
        self.answers.update(f"{op.kind} {op.status}{' unknown' * op.unknown}" for op in history.ops)
        for window in history.windows:
            self.faults[window.name] += 1
            took_s = window.healed_s - window.ended_s
            self.slowest_s[window.name] = max(took_s, self.slowest_s.get(window.name, 0))


def endless(faults: Sequence[Fault], lots: random.Random) -> Iterator[Fault]:
    """Yield every fault as often as any other, in an order of its own each time."""
    while True:
        yield from lots.sample(faults, len(faults))


async def run(minutes: float, seed: int, engine: str) -> Tally:
    """Run for so long; return what it came to."""
    lots = random.Random(seed)  # noqa: S311 - what to break, not what to guess
    faults = endless([one for one in FAULTS.values() if _applies(one, engine)], lots)
    tally = Tally()
    async with Cluster(appendonly=True, bookings=ENGINES[engine]()) as cluster:
        until_s = time.monotonic() + minutes * 60
        for number in range(1_000_000):
            ends_s = min(until_s, time.monotonic() + ROUND_S)
            made = Trial(cluster)
            try:
                await _round(made, f"round-{number}", seed + number, ends_s, faults, lots)
                choice = slots(f"round-{number}")
                tally.add(made.history, await made.judge(choice, waiting_s=LONGEST_S))
            finally:
                await made.close()
            _progress(tally, until_s)
            if tally.violations or time.monotonic() + LONGEST_S > until_s:
                break
    return tally


def _applies(fault: Fault, engine: str) -> bool:
    return engine != "sqlite" or not fault.needs_server


async def _round(
    made: Trial,
    prefix: str,
    seed: int,
    ends_s: float,
    faults: Iterator[Fault],
    lots: random.Random,
) -> None:
    """Let faults strike, one at least, until it is time to look."""
    await made.register(capacities(prefix))
    workload = Workload(made.client, slots(prefix), seed, clients=CLIENTS, rest_s=REST_S)
    scene = Scene(made, workload, lots)
    workload.start()
    is_time = False
    while not is_time:
        await scene.lasts(*BETWEEN_S)
        fault = next(faults)
        _say(f"  {fault.name} …")
        await strike(fault, scene)
        is_time = time.monotonic() >= ends_s
    await scene.lasts(*BETWEEN_S)
    await workload.stop()


def _progress(tally: Tally, until_s: float) -> None:
    left_s = max(0, until_s - time.monotonic())
    _say(
        f"{tally.operations} operations, {tally.faults.total()} faults, "
        f"{len(tally.violations)} violations; {left_s:.0f} s left",
        end="\n",
    )


def _say(text: str, end: str = "") -> None:
    if end or sys.stderr.isatty():
        sys.stderr.write(f"\r{text:78}{end}")
        sys.stderr.flush()


def summary(tally: Tally) -> Iterable[str]:
    """Return the lines that tell what it came to."""
    yield "| fault | times | well again within |"
    yield "| --- | --- | --- |"
    for name, times in sorted(tally.faults.items()):
        yield f"| {name} | {times} | {tally.slowest_s[name]:.2f} s |"
    yield ""
    yield "| answer | times |"
    yield "| --- | --- |"
    for answer, times in sorted(tally.answers.items()):
        yield f"| {answer.replace(' 0', ' none')} | {times} |"
    yield ""
    for violation in tally.violations[:SHOWN_MAX]:
        yield f"VIOLATION {violation}"
    yield (
        f"{tally.operations} operations, {tally.faults.total()} faults, "
        f"{len(tally.violations)} violations"
    )


def main() -> int:
    """Run what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--store", choices=ENGINES, default="postgres")
    told = parser.parse_args()
    again = f"make chaos MINUTES={told.minutes:g} SEED={told.seed} STORE={told.store}"
    _say(f"to replay: {again}", end="\n")
    tally = asyncio.run(run(told.minutes, told.seed, told.store))
    for line in summary(tally):
        print(line)  # noqa: T201 - that is what it is for
    _say(f"to replay: {again}", end="\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
