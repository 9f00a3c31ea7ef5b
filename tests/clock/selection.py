"""Which tests run under other clocks."""

from typing import NamedTuple

from tests.clock.clocks import CLOCKS


class Selection(NamedTuple):
    """What runs when."""

    tests: tuple[str, ...]
    clocks: tuple[str, ...]
    lead_s: int
    """how long before midnight a run begins that is to cross it"""


FULL = Selection(
    ("tests", "--ignore=tests/clock", "--ignore=tests/e2e"), clocks=tuple(CLOCKS), lead_s=60
)
"""everything but these tests themselves, and those that install packages from another host"""
SHORT = Selection(
    (
        "tests/api/test_flow_availability.py",
        "tests/api/test_flow_graphs.py::test_a_booking_completes_an_hour_after_its_end",
        "tests/api/test_flow_graphs.py::test_an_unpaid_booking_gives_its_slot_back",
        "tests/api/test_openapi.py::test_every_example_is_true",
        "tests/faults/test_versions.py::test_what_version_0_1_wrote_is_read",
        "tests/flow/test_due.py::test_what_is_due_is_done_by_any_server",
        "tests/packaging/test_readme.py::test_the_calls_answer_as_shown",
    ),
    clocks=("9-years", "leap-day", "new-year"),
    lead_s=4,
)
"""those that have most to do with days: searches, timers, what is shown, what was stored"""

_POSTGRES = "PostgreSQL's own time-outs do not fire under libfaketime"
LEFT_OUT = {
    "tests/bookings/test_postgres_faults.py::test_a_slow_statement_is_given_up": _POSTGRES,
    "tests/bookings/test_postgres_faults.py::test_a_lock_is_not_waited_for_longer_than_told": (
        _POSTGRES
    ),
    "tests/bookings/test_postgres_faults.py::test_a_real_deadlock_is_survived": _POSTGRES,
}
"""test → why it cannot pass under libfaketime"""


def deselected() -> list[str]:
    """Return the arguments that leave out what cannot pass."""
    return [f"--deselect={test}" for test in LEFT_OUT]
