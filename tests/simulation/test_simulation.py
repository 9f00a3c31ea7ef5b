"""Every promise is kept, whatever goes wrong; `make simulate` tries more seeds than these."""

import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import pytest

from tests.simulation.checker import (
    EXACT_ENDS,
    FAIL_CLOSED,
    NEVER_LOST,
    NEVER_TWO,
    NO_FALSE_GRANTS,
    ONCE,
    PROMISES,
    SELF_HEALING,
    Violation,
    check,
)
from tests.simulation.history import digest
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import CALM_EVERY, FAIL_OVER_EVERY, plan_of
from tests.simulation.world import run

ROOT = Path(__file__).parents[2]
SEEDS_MAX = 200
FAULTY = [name for name in MUTANTS if name != "none"]
FOUND_AT = {
    "confirm-without-guards": 232,
    "reschedule-without-fence": 32,
    "delete-without-fence": 27,
    "late-hand-off-after-delete": 145,
    "key-of-reschedule-forgotten": 45,
    "commit-not-durable": 1,
    "insert-without-overlap-guard": 28,
    "settle-without-nonce": 19,
    "settle-without-fence": 60,
    "install-without-ticket": 3,
    "ticket-without-run": 4,
    "run-not-compared": 2,
    "unknown-called-refused": 1,
}
"""seeds that find mutants, where it is not 0; when the code changes, others may"""
BREAKS = {
    NEVER_TWO: "insert-without-overlap-guard",
    NEVER_LOST: "commit-not-durable",
    NO_FALSE_GRANTS: "claim-ignores-unsettled",
    EXACT_ENDS: "doubled-ttl",
    ONCE: "idempotency-forgotten",
    SELF_HEALING: "settle-without-fence",
    FAIL_CLOSED: "unknown-called-refused",
}
"""for each promise a mutant that breaks it"""


@pytest.mark.parametrize("seed", range(CALM_EVERY))
def test_every_promise_is_kept(seed: int) -> None:
    """A calm seed, some with faults, some with fail-overs that lose writes."""
    done = run(plan_of(seed))
    assert check(done) is None
    assert done.operations > 300
    assert bool(done.faults) == (seed != 0)


def test_the_seeds_of_this_test_are_of_every_kind() -> None:
    """Calm, with faults, and with fail-overs."""
    plans = [plan_of(seed) for seed in range(CALM_EVERY)]
    assert {(plan.is_calm, plan.has_fail_overs) for plan in plans} == {
        (True, False),
        (False, False),
        (False, True),
    }
    assert CALM_EVERY > FAIL_OVER_EVERY


def test_the_same_seed_has_the_same_history() -> None:
    """In this process and in another, where sets and dictionaries hash otherwise."""
    code = (
        "from tests.simulation.history import digest;"
        "from tests.simulation.plan import plan_of;"
        "from tests.simulation.world import run;"
        "print(digest(run(plan_of(3)).history))"
    )
    environ = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == digest(run(plan_of(3)).history)
    assert digest(run(plan_of(2)).history) != digest(run(plan_of(3)).history)


@pytest.mark.parametrize("name", FAULTY)
def test_every_mutant_is_found(name: str) -> None:
    """With any one guard taken out, a promise is broken within 200 seeds."""
    assert any(map(partial(violation_of, name), seeds_for(name)))


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_checked(promise: str) -> None:
    """Each is broken by a mutant, and it is this one that the checker then names."""
    name = BREAKS[promise]
    found = filter(None, map(partial(violation_of, name), seeds_for(name)))
    assert any(violation.promise == promise for violation in found)


def seeds_for(name: str) -> list[int]:
    """Return the seeds to try, the one that is known first."""
    return [FOUND_AT.get(name, 0), *range(SEEDS_MAX)]


@cache
def violation_of(name: str, seed: int) -> Violation | None:
    """Return what the checker finds in one seed of the mutant."""
    return check(run(plan_of(seed), None, MUTANTS[name]))


def test_the_command_explains_a_failure() -> None:
    """It prints the seed, a short history, and the command that shows it again."""
    failed = simulate("--seeds", "3", "--jobs", "1", "--mutant", "claim-ignores-unsettled")
    assert failed.returncode == 1
    assert "seed 0 breaks a promise" in failed.stdout
    assert failed.stdout.count("\n") < 60
    words = failed.stdout.splitlines()[-1].partition("ARGS='")[2].removesuffix("'").split()
    again = simulate(*words)
    assert again.returncode == 1
    assert again.stdout.splitlines()[-1] in failed.stdout


def test_the_command_counts_what_it_did() -> None:
    """Where nothing fails it says how much was tried."""
    done = simulate("--seeds", "3", "--jobs", "2")
    assert done.returncode == 0, done.stdout
    assert "3 seeds, " in done.stdout.splitlines()[-1]
    assert ", 0 violations, " in done.stdout.splitlines()[-1]


def simulate(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `make simulate` as make does."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
