"""Making a failure shorter."""

from tests.simulation.checker import check
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import plan_of
from tests.simulation.shorten import ddmin, shorten
from tests.simulation.world import run


def test_what_matters_is_left() -> None:
    """Of a hundred numbers the three that make it fail together."""
    assert ddmin(list(range(100)), lambda kept: {7, 50, 93} <= set(kept)) == [7, 50, 93]


def test_a_failure_becomes_short() -> None:
    """A few items of thousands break the same promise, as often as they are run."""
    plan, mutant = plan_of(0), MUTANTS["claim-ignores-unsettled"]
    violation = check(run(plan, None, mutant))
    assert violation
    keep = shorten(plan, violation, mutant)
    assert len(keep) <= 6
    for _ in range(2):
        again = check(run(plan, set(keep), mutant))
        assert again
        assert again.promise == violation.promise
