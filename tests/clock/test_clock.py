"""The tests about days pass on other days: `make test-clock SHORT=1`."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.clock.clocks import CLOCKS, PACKAGE, find_libfaketime
from tests.clock.moved import ROOT, Run, run
from tests.clock.selection import LEFT_OUT, SHORT
from tests.programs import needed


@pytest.mark.parametrize("name", SHORT.clocks)
def test_the_tests_pass_on_another_day(name: str) -> None:
    """Searches, timers, examples, the README: servers and clients under another clock."""
    library = needed(find_libfaketime, PACKAGE)
    made = run(name, library, SHORT)
    assert made.passed, f"{made.summary}\n{made.output}"


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        ("2027-03-01T00:00:00", "2028-02-29T12:00:00"),
        ("2028-02-29T11:59:59", "2028-02-29T12:00:00"),
        ("2028-02-29T12:00:00", "2032-02-29T12:00:00"),
    ],
)
def test_a_leap_day_is_the_next_one(now: str, begins: str) -> None:
    """At its noon, for the tests to lie within it."""
    found = CLOCKS["leap-day"](datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(begins).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "after"), [("midnight", "2027-03-02T00:00:00"), ("new-year", "2028-01-01T00:00:00")]
)
def test_a_crossing_is_the_next_one(name: str, after: str) -> None:
    """The day, or the year, becomes another at midnight UTC."""
    found = CLOCKS[name](datetime(2027, 3, 1, 22, tzinfo=UTC))
    assert found == datetime.fromisoformat(after).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "seconds", "passed"),
    [("midnight", 5, True), ("midnight", 3, False), ("9-years", 3, True)],
)
def test_a_run_that_ends_before_midnight_has_not_passed(
    name: str, seconds: int, *, passed: bool
) -> None:
    """Where the day has to become another, it did while tests ran."""
    begins = datetime(2027, 3, 1, 23, 59, 56, tzinfo=UTC)
    made = Run(name, begins, begins + timedelta(seconds=seconds), 0, "1 passed")
    assert made.passed == passed
    assert not made._replace(status=1).passed


@pytest.mark.parametrize("test", LEFT_OUT)
def test_what_is_left_out_exists(test: str) -> None:
    """A test that was renamed is left out under its new name, or no longer."""
    file, _, name = test.partition("::")
    assert re.search(rf"^(async )?def {name}\b", (ROOT / file).read_text(), re.MULTILINE)
