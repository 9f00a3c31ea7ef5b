"""The clocks to run tests under, and the library that moves the clock of a process."""

from calendar import isleap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from tests.programs import installed

MISSING = "libfaketime is not installed; on Debian and Ubuntu: apt install faketime"
PACKAGE = "faketime"
_OWN = ("LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED", "TESTS_DAY", "PYTEST_ADDOPTS")


def _leap_day(now: datetime) -> datetime:
    """Return noon of the next 29 February."""
    noons = (datetime(year, 2, 29, 12, tzinfo=UTC) for year in count(now.year) if isleap(year))
    return next(noon for noon in noons if noon > now)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _new_year(now: datetime) -> datetime:
    return datetime(now.year + 1, 1, 1, tzinfo=UTC)


CLOCKS: Mapping[str, Callable[[datetime], datetime]] = {
    "400-days": lambda now: now + timedelta(days=400),
    "9-years": lambda now: now + timedelta(days=9 * 365.25),
    "leap-day": _leap_day,
    "midnight": _midnight,
    "new-year": _new_year,
}
"""name → the time that a run is about, for one that is started now; all in UTC"""
CROSSED = ("midnight", "new-year")
"""the times that come during the run; at the others it begins"""


def libfaketime() -> Path | None:
    """Return the library; as root on a system with apt, install it where missing.

    It is Debian's and not that of the PyPI package `libfaketime` (3.0.1), under which
    `time.sleep` sleeps for as long as the clock is ahead.
    """
    return installed(find_libfaketime, PACKAGE)


def find_libfaketime() -> Path | None:
    """Return the library where it is installed."""
    libraries = Path("/usr").glob("lib*/**/faketime/libfaketime.so.1")
    return next(libraries, None)


def environment(inherited: Mapping[str, str], library: Path, ahead: timedelta) -> dict[str, str]:
    """Return the environment of a process whose clock, and its children's, is ahead."""
    kept = {name: value for name, value in inherited.items() if name not in _OWN}
    moved = {"LD_PRELOAD": str(library), "FAKETIME": f"{ahead.total_seconds():+.0f}"}
    return kept | moved
