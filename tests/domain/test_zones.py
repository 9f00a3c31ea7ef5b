"""Time zones: the clock on the wall, across its changes."""

from datetime import tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain import times
from reservesvc.domain.zones import DAY_MS, HOUR_MS, full_hour, names, stretches, wall_of, zone

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
YEAR_MS = 366 * DAY_MS
MINUTE_MS = 60_000
NEW_YEAR_MS = times.parse("2026-01-01T00:00:00Z") or 0


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("UTC", []),
        ("Europe/Berlin", ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
        ("America/New_York", ["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"]),
        # Half an hour forward and back, and summer goes over New Year.
        ("Australia/Lord_Howe", ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]),
    ],
)
def test_the_changes_of_a_year(name: str, changes: list[str]) -> None:
    """Every change is met to the millisecond, and nothing else is called one."""
    found = stretches(ZoneInfo(name), NEW_YEAR_MS, NEW_YEAR_MS + 365 * DAY_MS)
    assert [stretch.start_ms for stretch in found[1:]] == [times.parse(text) for text in changes]


@given(
    st.sampled_from(ZONES).map(ZoneInfo),
    st.integers(NEW_YEAR_MS, NEW_YEAR_MS + YEAR_MS),
    st.integers(0, 200 * DAY_MS),
    st.floats(0, 1, exclude_max=True),
)
def test_stretches_cover_the_time_with_its_offsets(
    where: tzinfo, start_ms: int, length_ms: int, share: float
) -> None:
    """One after the other without a gap; anywhere in one, the clock shows UTC plus its offset."""
    end_ms = start_ms + length_ms
    found = stretches(where, start_ms, end_ms)
    edges = [edge for stretch in found for edge in stretch[:2]]
    assert edges[:1] + edges[-1:] == ([start_ms, end_ms] if length_ms else [])
    assert edges[1:-1:2] == edges[2::2]
    at_ms = start_ms + int(length_ms * share)
    for stretch in found:
        if stretch.start_ms <= at_ms < stretch.end_ms:
            shown = wall_of(where, at_ms)
            assert shown == wall_of(ZoneInfo("UTC"), at_ms + stretch.offset_ms)


@given(st.sampled_from(ZONES).map(ZoneInfo), st.integers(NEW_YEAR_MS, NEW_YEAR_MS + YEAR_MS))
def test_the_next_full_hour(where: tzinfo, instant_ms: int) -> None:
    """The clock shows it, and has shown no other since; also where UTC's hour is not full."""
    found = full_hour(where, instant_ms)
    assert instant_ms <= found < instant_ms + 3 * HOUR_MS // 2
    assert _is_full(where, found)
    first_minute_ms = instant_ms + -instant_ms % MINUTE_MS
    assert not any(_is_full(where, at) for at in range(first_minute_ms, found, MINUTE_MS))


def _is_full(where: tzinfo, instant_ms: int) -> bool:
    wall = wall_of(where, instant_ms)
    return wall == wall.replace(minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        # Half an hour forward at two o'clock, and back: the clock shows no full hour by then.
        ("Australia/Lord_Howe", "2026-10-04T01:45:00+10:30", "2026-10-04T03:00:00+11:00"),
        ("Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", "2026-04-05T02:00:00+10:30"),
        ("Europe/Berlin", "2026-03-29T01:45:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("Europe/Berlin", "2026-10-25T02:45:00+02:00", "2026-10-25T02:00:00+01:00"),
    ],
)
def test_the_full_hour_after_a_change_of_the_clock(name: str, text: str, expected: str) -> None:
    """It is one that the clock shows after the change."""
    found = full_hour(ZoneInfo(name), times.parse(text) or 0)
    assert found == times.parse(expected)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Mars/Olympus", "../etc/passwd", "Europe/Berlin\0", "/etc", "localtime", "Factory"),
        *("posixrules", "posix/UTC", "right/UTC", "right/Europe/Berlin", "europe/berlin"),
    ],
)
def test_what_is_no_zone(name: str) -> None:
    """Any text may be asked for; also what only this machine has, or what is no place."""
    assert zone(name) is None


def test_every_name_is_a_zone() -> None:
    """All that the IANA has, old names and those of browsers too."""
    assert {"UTC", "Etc/UTC", "Asia/Calcutta", "Europe/Kiev", "US/Eastern"} <= names()
    assert all(zone(name) is not None for name in names())
