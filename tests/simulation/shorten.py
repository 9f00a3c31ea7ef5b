"""Makes a failure shorter: the fewest items of its plan that still break the same promise.

The method is ddmin (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input):
leave out ever smaller parts as long as what is left still fails.
"""

from collections.abc import Callable

from tests.simulation.checker import Violation, check
from tests.simulation.mutants import Mutant
from tests.simulation.plan import Plan
from tests.simulation.world import run

RUNS_MAX = 400
"""how many runs a failure is worth"""


def shorten(plan: Plan, violation: Violation, mutant: Mutant) -> list[int]:
    """Return the numbers of few items of `plan` that break the promise `violation` names."""
    runs = 0

    def fails(numbers: list[int]) -> bool:
        nonlocal runs
        runs += 1
        if runs > RUNS_MAX:
            return False
        found = check(run(plan, set(numbers), mutant))
        return found is not None and found.promise == violation.promise

    return ddmin([item.number for item in plan.items], fails)


def ddmin(numbers: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """Return a part of `numbers` that fails and of which no single one can be left out.

    Unless `fails` loses its patience before.
    """
    parts = 2
    while len(numbers) > 1:
        size = -(-len(numbers) // parts)
        for first in range(0, len(numbers), size):
            rest = numbers[:first] + numbers[first + size :]
            if rest and fails(rest):
                numbers, parts = rest, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(numbers), 2 * parts)
    return numbers
