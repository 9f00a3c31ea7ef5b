"""`make chaos`, in short: everything at random for some seconds, from a seed."""

import random

import pytest

from tests.faults import chaos
from tests.faults.bookings import ENGINES, need
from tests.faults.chaos import Tally, endless, main, summary
from tests.faults.figures import FIGURES
from tests.faults.nemesis import FAULTS
from tests.faults.trial import Figures

SECONDS = 6
SEED = 20_261_122


@pytest.mark.parametrize("engine", ENGINES)
async def test_chaos(engine: str) -> None:
    """Whatever strikes in whatever order, all promises hold."""
    need(engine)
    tally = await chaos.run(SECONDS / 60, SEED, engine)
    faults = tally.faults.total()
    FIGURES[f"chaos[{engine}]"] = Figures(
        tally.operations, faults, len(tally.violations), max(tally.slowest_s.values())
    )
    assert tally.violations == []
    assert tally.operations > 100
    assert faults > 0


def test_a_seed_gives_the_same_faults() -> None:
    """The order is the seed's, and no fault comes again before each other one came."""
    faults = list(FAULTS.values())
    first, again, other = (endless(faults, random.Random(seed)) for seed in (1, 1, 2))  # noqa: S311
    order = [next(first) for _ in range(2 * len(faults))]
    assert order == [next(again) for _ in order]
    assert order != [next(other) for _ in order]
    assert {one.name for one in order[: len(faults)]} == FAULTS.keys()


@pytest.mark.parametrize(("violations", "status"), [([], 0), (["once: twice"], 1)])
def test_a_violation_is_told(
    violations: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit status says that there was one, the output which, and how to see it again."""

    async def run(*_: object) -> Tally:
        return Tally(operations=5, violations=violations)

    monkeypatch.setattr(chaos, "run", run)
    monkeypatch.setattr("sys.argv", ["chaos", "--seed", "7", "--minutes", "1", "--store", "sqlite"])
    assert main() == status
    said = capsys.readouterr()
    assert "make chaos MINUTES=1 SEED=7 STORE=sqlite" in said.err
    assert all(f"VIOLATION {one}" in said.out for one in violations)
    assert f"5 operations, 0 faults, {len(violations)} violations" in said.out


def test_the_summary_has_a_row_for_each_fault() -> None:
    """How often it struck, and how soon all was well again at the latest."""
    tally = Tally()
    tally.faults["FLUSHALL"] = 3
    tally.slowest_s["FLUSHALL"] = 0.25
    assert "| FLUSHALL | 3 | 0.25 s |" in list(summary(tally))
