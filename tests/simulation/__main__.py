"""`make simulate`: many seeds, with progress; a failure with all it takes to look into it.

usage: python -m tests.simulation [--seeds N] [--first SEED] [--jobs N] [--mutant NAME]
       python -m tests.simulation --seed SEED [--keep 3,17,40] [--mutant NAME]

The first form runs N seeds from SEED on and stops at the first that breaks a promise. The
second runs one and prints its history. Exit status: 0 all promises held, 1 one was broken.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from tests.simulation.checker import Violation, check
from tests.simulation.history import render
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import plan_of
from tests.simulation.shorten import shorten
from tests.simulation.world import Run, run

FAITHFUL = "none"
"""the mutant that is none"""
PROGRESS_S = 1.0
CHUNK = 4


class Result(NamedTuple):
    """What one seed came to."""

    seed: int
    operations: int
    faults: int
    violation: Violation | None


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    arguments = _parser().parse_args()
    if arguments.seed is not None:
        return _replay(arguments.seed, arguments.keep, arguments.mutant)
    return _simulate(arguments)


def _simulate(arguments: argparse.Namespace) -> int:
    """Run many seeds until all are done or one fails."""
    began_s = shown_s = time.monotonic()
    done = operations = faults = 0
    with ExitStack() as stack:
        for result in _results(arguments, stack):
            done += 1
            operations += result.operations
            faults += result.faults
            if result.violation:
                _say("\n")
                return _explain(result.seed, result.violation, arguments.mutant)
            now_s = time.monotonic()
            if now_s - shown_s > PROGRESS_S or done == arguments.seeds:
                shown_s = now_s
                _progress(done, arguments.seeds, operations, now_s - began_s)
    _say(
        f"\n{done} seeds, {operations:,} operations, {faults:,} faults, 0 violations,"
        f" {time.monotonic() - began_s:.0f} s\n"
    )
    return 0


def _results(arguments: argparse.Namespace, stack: ExitStack) -> Iterator[Result]:
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    work = partial(_result, arguments.mutant)
    if arguments.jobs == 1:
        yield from map(work, seeds)
    else:
        pool = stack.enter_context(ProcessPoolExecutor(arguments.jobs))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        yield from pool.map(work, seeds, chunksize=CHUNK)


def _result(mutant: str, seed: int) -> Result:
    done = _run(seed, None, mutant)
    return Result(seed, done.operations, done.faults, check(done))


def _run(seed: int, keep: Collection[int] | None, mutant: str) -> Run:
    return run(plan_of(seed), keep, MUTANTS[mutant])


def _explain(seed: int, violation: Violation, mutant: str) -> int:
    """Print the failure as short as it gets, and the command that shows it again."""
    _say(f"seed {seed} breaks a promise: {violation.promise}: {violation.sentence}\n")
    _say("making it shorter …\n")
    keep = shorten(plan_of(seed), violation, MUTANTS[mutant])
    _show(_run(seed, keep, mutant))
    words = ["--seed", str(seed), "--keep", ",".join(map(str, keep))]
    words += [] if mutant == FAITHFUL else ["--mutant", mutant]
    _say(f"again: make simulate ARGS={shlex.quote(shlex.join(words))}\n")
    return 1


def _replay(seed: int, keep: Collection[int] | None, mutant: str) -> int:
    return 1 if _show(_run(seed, keep, mutant)) else 0


def _show(done: Run) -> Violation | None:
    """Print a history up to the step that breaks a promise."""
    violation = check(done)
    shown = done.history[: violation.place + 1] if violation else done.history
    for step in shown:
        _say(f"{render(step)}\n")
    if violation:
        _say(f"{violation.promise}: {violation.sentence}\n")
    else:
        _say(f"{done.operations} operations, {done.faults} faults, every promise was kept\n")
    return violation


def _progress(done: int, seeds: int, operations: int, spent_s: float) -> None:
    left_s = spent_s / done * (seeds - done)
    _say(
        f"\r{done}/{seeds} seeds, {operations:,} operations,"
        f" {operations / spent_s:,.0f}/s, {left_s:.0f} s left  "
    )


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _numbers(text: str) -> set[int]:
    return {int(part) for part in text.split(",")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make simulate", allow_abbrev=False)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="run this one and print its history")
    parser.add_argument("--keep", type=_numbers, help="only these items of its plan: 3,17,40")
    parser.add_argument("--mutant", choices=MUTANTS, default=FAITHFUL, help="break a guard")
    return parser


if __name__ == "__main__":
    sys.exit(main())
