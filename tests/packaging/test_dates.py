"""No test and no example has a day of its own: it would pass, and one day no longer."""

import re

import pytest

from tests.packaging.project import ROOT, files

# As text, as a call, in s or in ms, from 2026 on; what is long gone stays so.
_YEAR = r"20(?:2[6-9]|[3-9]\d)"
_DAY = re.compile(
    rf"\b{_YEAR}-\d\d-\d\d|\bdate(?:time)?\({_YEAR}"
    r"|\b(?:1_?[89]|2_?\d)\d\d(?:_?\d{3}){2}(?:_?\d{3})?\b"
)
_SOURCES = (".py", ".lua", ".js", ".cjs")
_PLACES = ("benchmarks", "tests", "reservesvc/api/openapi")
_FIXED = {
    "tests/api/test_constraints.py": "periods, which are read and written and met by no clock",
    "tests/benchmarks/test_report.py": "the day of a measurement that is shown",
    "tests/bookings/test_version_1.py": "the day that stored rows have, and are moved from",
    "tests/clock/test_clock.py": "the clock is an argument",
    "tests/domain/": "pure functions, whose clock is an argument",
    "tests/simulation/": "the clock is a virtual one",
    "tests/packaging/test_readme.py": "two days that are compared with each other",
}
"""file or directory → why its days may be fixed"""


def scanned() -> list[str]:
    """Return the files that must have no day of their own, our packages' dependencies left out."""
    found = (name for place in _PLACES for name in files(place) if name.endswith(_SOURCES))
    own = (name for name in found if "node_modules/" not in name)
    return sorted(name for name in own if not name.startswith(tuple(_FIXED)))


def test_days_are_computed() -> None:
    """Tests that need a day take it from the clock: tests.builders.at, benchmarks.slots.BASE."""
    days = {name: _DAY.findall((ROOT / name).read_text()) for name in scanned()}
    assert {name: found for name, found in days.items() if found} == {}
    assert len(days) > 100


@pytest.mark.parametrize("name", _FIXED)
def test_days_that_are_fixed_are_there(name: str) -> None:
    """An exception that is needed no longer is taken out."""
    kept = [each for each in files("tests") if each.startswith(name) and each.endswith(".py")]
    assert any(_DAY.search((ROOT / each).read_text()) for each in kept)
