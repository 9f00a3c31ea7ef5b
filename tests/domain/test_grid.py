"""The grid of slots: where they begin, in every time zone and whenever one asks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reservesvc.domain import times
from reservesvc.domain.constraints import Constraint, DayAndTime, Hours, Period
from reservesvc.domain.free import free_times, starts
from reservesvc.domain.grid import opened
from reservesvc.domain.zones import DAY_MS, HOUR_MS, instant_of, stretches, wall_of
from tests.domain.test_opening import EFFECTS, RULES, allow, block, hours, is_open

MINUTE_MS, QUARTER_MS = 60_000, 900_000
BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"
FIRST_DAY = datetime(2026, 10, 20)  # noqa: DTZ001  on any clock; the rules have periods from here
NAMES = st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"}))
CONSTRAINTS = st.lists(
    st.builds(lambda effect, rule: Constraint(effect=effect, rule=rule), EFFECTS, RULES),
    max_size=5,
)
QUARTERS_MIN = st.sampled_from([15, 45, 60, 90, 240, 300, 1380, 2160])
STEPS_MIN = st.sampled_from([7, 25, 1441]) | QUARTERS_MIN


def slots(
    where: tzinfo, start_ms: int, end_ms: int, *constraints: Constraint, **given: Any
) -> list[int]:
    """Return the starts of slots of a resource that nothing is in the way of."""
    step_min, rounds = given.get("step_min", 60), given.get("rounds", False)
    found = opened([constraints], where, start_ms, end_ms, step_min * MINUTE_MS, rounds=rounds)
    free = free_times(found.times, [], 1)
    return starts(free, found.grid, given.get("length_min", step_min) * MINUTE_MS)


def local(where: str, start: str, end: str, *constraints: Constraint, **given: Any) -> list[str]:
    """Return day and time of each start on the resource's clock; so are `start` and `end`."""
    place = ZoneInfo(where)
    start_ms, end_ms = (instant_of(place, datetime.fromisoformat(text)) for text in (start, end))
    found = slots(place, start_ms, end_ms, *constraints, **given)
    return [f"{wall_of(place, each):%d %H:%M}" for each in found]


def test_slots_begin_where_the_resource_opens() -> None:
    """A search from a quarter past eight finds the slot at half past, when the office opens."""
    office = allow(hours(8.5, 12))
    for rounds in (True, False):
        found = local(BERLIN, "2026-11-02 08:15", "2026-11-03", office, rounds=rounds)
        assert found == ["02 08:30", "02 09:30", "02 10:30"]


@pytest.mark.parametrize("start", ["07:06:12.517", "08:29:59.999", "08:30", "09:00:00.001"])
def test_when_one_asks_moves_no_slot(start: str) -> None:
    """Not by a millisecond, also without rounding."""
    office = allow(hours(8.5, 12))
    everything = ["02 08:30", "02 09:30", "02 10:30"]
    found = local(BERLIN, f"2026-11-02 {start}", "2026-11-03", office)
    assert found == [slot for slot in everything if slot[3:] >= start]


def test_four_hour_slots_are_at_the_same_times_across_changes_of_the_clock() -> None:
    """Midnight, four, eight on every day; the hours around a change are missing, not moved."""
    times_of_day = ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]
    for begin, days in (("2026-03-28", (28, 29, 30)), ("2026-10-24", (24, 25, 26))):
        end = f"{begin[:8]}{days[-1] + 1}"
        expected = [f"{day} {each}" for day in days for each in times_of_day]
        assert local(BERLIN, begin, end, step_min=240) == expected
        later = f"{begin[:8]}{days[1]} 13:37"
        assert local(BERLIN, later, end, step_min=240) == [s for s in expected if s > later[8:]]


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        # From 02:00 to 02:30: the clock never shows two.
        ("2026-10-04 00:30", ["04 01:00", "04 03:00", "04 04:00"]),
        # From 02:00 back to 01:30.
        ("2026-04-05 00:30", ["05 01:00", "05 02:00", "05 03:00", "05 04:00"]),
    ],
)
@pytest.mark.parametrize("rounds", [True, False])
def test_a_change_by_half_an_hour_moves_no_slot(
    begin: str, expected: list[str], *, rounds: bool
) -> None:
    """On Lord Howe Island slots begin at full hours after the change as before it."""
    end = f"{begin[:10]} 05:00"
    assert local(LORD_HOWE, begin, end, rounds=rounds) == expected


def test_a_search_begun_just_before_a_change_by_half_an_hour_finds_full_hours() -> None:
    """Rounded to the next hour that the clock shows."""
    assert local(LORD_HOWE, "2026-10-04 01:45", "2026-10-04 05:00", rounds=True)[0] == "04 03:00"
    assert local(LORD_HOWE, "2026-04-05 01:45", "2026-04-05 05:00", rounds=True)[0] == "05 02:00"


def test_of_a_start_that_the_clock_shows_twice_the_first_counts() -> None:
    """Also for a search that begins between the two."""
    berlin = ZoneInfo(BERLIN)
    first_ms = times.parse("2026-10-25T02:00:00+02:00") or 0
    assert slots(berlin, first_ms, first_ms + 4 * HOUR_MS) == [
        first_ms,
        first_ms + 2 * HOUR_MS,
        first_ms + 3 * HOUR_MS,
    ]
    assert slots(berlin, first_ms + 1, first_ms + 3 * HOUR_MS) == [first_ms + 2 * HOUR_MS]


def test_an_opening_that_the_clock_skips_still_says_where_slots_begin() -> None:
    """An office that opens at half past two has half past three left on the day of the change."""
    office = allow(hours(2.5, 5))
    for day, expected in (("28", ["02:30", "03:30"]), ("29", ["03:30"])):
        found = local(BERLIN, f"2026-03-{day}", f"2026-03-{day} 12:00", office)
        assert [slot[3:] for slot in found] == expected


@pytest.mark.parametrize(
    ("step_min", "expected"),
    [
        (300, ["00:00", "05:00", "10:00", "15:00", "20:00"]),
        (1380, ["00:00", "23:00"]),
        (1440, ["00:00"]),
        (2160, ["00:00"]),
    ],
)
def test_each_day_begins_anew_at_midnight(step_min: int, expected: list[str]) -> None:
    """Also with increments that do not divide a day, or are longer than one."""
    found = local(BERLIN, "2026-11-02", "2026-11-05", step_min=step_min, length_min=60)
    assert found == [f"{day:02} {each}" for day in (2, 3, 4) for each in expected]


def test_a_night_is_two_openings_and_its_slots_may_last_over_midnight() -> None:
    """It opens at a quarter past ten, and on the next day at midnight."""
    night = allow(hours(22.25, 24)), allow(hours(0, 2))
    found = local(BERLIN, "2026-11-02 12:00", "2026-11-03 12:00", *night)
    assert found == ["02 22:15", "02 23:15", "03 00:00", "03 01:00"]


def test_openings_that_follow_each_other_are_one() -> None:
    """Slots begin where the first of the two opens."""
    both = [
        allow(DayAndTime(day="monday", start_min=start, end_min=end))
        for start, end in ((570, 645), (645, 780))
    ]
    found = local(BERLIN, "2026-11-02", "2026-11-03", *both)
    assert found == ["02 09:30", "02 10:30", "02 11:30"]


def test_after_a_break_of_every_day_slots_begin_anew() -> None:
    """The office opens again at half past twelve."""
    found = local(BERLIN, "2026-11-02", "2026-11-03", allow(hours(9, 15)), block(hours(12, 12.5)))
    assert [slot[3:] for slot in found] == ["09:00", "10:00", "11:00", "12:30", "13:30"]


@pytest.mark.parametrize("offset", [None, timezone(timedelta(hours=1))])
def test_a_period_blocked_once_moves_no_slot_of_its_day(offset: tzinfo | None) -> None:
    """It takes off the grid what it touches, as a booking does."""
    start, end = datetime(2026, 11, 2, 10, 20), datetime(2026, 11, 2, 10, 40)  # noqa: DTZ001
    away = block(Period(start=start.replace(tzinfo=offset), end=end.replace(tzinfo=offset)))
    found = local(BERLIN, "2026-11-02", "2026-11-03", allow(hours(9, 14)), away)
    assert [slot[3:] for slot in found] == ["09:00", "11:00", "12:00", "13:00"]


@pytest.mark.parametrize("offset", [None, timezone(timedelta(hours=1))])
def test_a_period_allowed_once_is_an_opening(offset: tzinfo | None) -> None:
    """Its slots begin with it, and again at midnight where it lasts longer."""
    start, end = datetime(2026, 11, 2, 21, 20), datetime(2026, 11, 3, 2)  # noqa: DTZ001
    once = allow(Period(start=start.replace(tzinfo=offset), end=end.replace(tzinfo=offset)))
    found = local(BERLIN, "2026-11-01", "2026-11-05", once)
    assert found == ["02 21:20", "02 22:20", "02 23:20", "03 00:00", "03 01:00"]


@pytest.mark.parametrize("end", [datetime(9999, 12, 31, 23, tzinfo=UTC), None])
def test_a_period_may_last_for_ever(end: datetime | None) -> None:
    """One with an offset, one without; the search sees the part around it."""
    start = datetime(1, 1, 1, tzinfo=UTC if end else None)
    rule = Period(start=start, end=end or datetime(9999, 12, 31, 23))  # noqa: DTZ001
    assert local(LORD_HOWE, "2026-11-02", "2026-11-03", allow(rule), step_min=720) == [
        "02 00:00",
        "02 12:00",
    ]


@pytest.mark.parametrize(
    ("start", "expected"),
    [("09:00", "09:00"), ("09:10", "10:30"), ("08:10", "09:00"), ("10:20", "11:15")],
)
def test_rounding_moves_the_earliest_start_and_not_the_grid(start: str, expected: str) -> None:
    """Only where the resource is open: to the next full hour, and from there along the grid."""
    office = allow(hours(9, 17))
    given = {"step_min": 45, "rounds": True}
    found = local(BERLIN, f"2026-11-02 {start}", "2026-11-03", office, **given)
    assert found[0] == f"02 {expected}"


@st.composite
def searches(draw: st.DrawFn) -> tuple[ZoneInfo, int, int]:
    """Draw a zone and a window of one to three days, around a change of its clock if it has any."""
    where = ZoneInfo(draw(NAMES))
    near_ms = draw(st.sampled_from(_moments(where)))
    start_ms = near_ms + draw(st.integers(-2 * 96, 2 * 96)) * QUARTER_MS
    return where, start_ms, start_ms + draw(st.integers(96, 3 * 96)) * QUARTER_MS


@cache
def _moments(where: ZoneInfo) -> list[int]:
    first_ms = instant_of(where, FIRST_DAY)
    changes = stretches(where, first_ms - 300 * DAY_MS, first_ms + 100 * DAY_MS)[1:]
    return [first_ms + 5 * DAY_MS, *(each.start_ms for each in changes)]


@settings(deadline=None, max_examples=60)
@given(searches(), CONSTRAINTS, QUARTERS_MIN, st.sampled_from([15, 60, 300]))
def test_slots_are_those_of_a_clock_that_is_watched(
    search: tuple[ZoneInfo, int, int], constraints: list[Constraint], step_min: int, length_min: int
) -> None:
    """Against looking at the wall every quarter of an hour, in any zone."""
    where, start_ms, end_ms = search
    found = slots(where, start_ms, end_ms, *constraints, step_min=step_min, length_min=length_min)
    assert found == _watched(constraints, search, step_min, length_min * MINUTE_MS)


def _watched(
    constraints: list[Constraint], search: tuple[ZoneInfo, int, int], step_min: int, length_ms: int
) -> list[int]:
    where, start_ms, end_ms = search
    shown: set[datetime] = set()
    found: list[int] = []
    lasting = [
        each for each in constraints if each.effect == "allow" or not isinstance(each.rule, Period)
    ]
    opens = cache(lambda wall: is_open(constraints, wall))
    lasts = cache(lambda wall: is_open(lasting, wall))
    for at_ms in range(start_ms - 2 * DAY_MS, end_ms - length_ms + 1, QUARTER_MS):
        wall = wall_of(where, at_ms)
        quarters = range(at_ms, at_ms + length_ms, QUARTER_MS)
        if (
            wall not in shown
            and at_ms >= start_ms
            and all(opens(wall_of(where, each)) for each in quarters)
            and (wall - _opening(lasts, wall)) % timedelta(minutes=step_min) == timedelta()
        ):
            found.append(at_ms)
        shown.add(wall)
    return found


def _opening(lasts: Callable[[datetime], bool], wall: datetime) -> datetime:
    """Return since when on its day the resource is open; single blocked periods left out."""
    while wall.time() != wall.min.time() and lasts(wall - timedelta(minutes=15)):
        wall -= timedelta(minutes=15)
    return wall


@settings(deadline=None)
@given(searches(), CONSTRAINTS, STEPS_MIN, st.integers(0, 3 * DAY_MS))
def test_a_search_begun_later_finds_what_is_left(
    search: tuple[ZoneInfo, int, int], constraints: list[Constraint], step_min: int, later_ms: int
) -> None:
    """Any constraints, any increments, to the millisecond."""
    where, start_ms, end_ms = search
    given = {"step_min": step_min, "length_min": 15}
    found = slots(where, start_ms, end_ms, *constraints, **given)
    left = slots(where, start_ms + later_ms, end_ms, *constraints, **given)
    assert left == [each for each in found if each >= start_ms + later_ms]


@settings(deadline=None)
@given(searches(), STEPS_MIN)
def test_without_constraints_slots_begin_at_midnight_plus_increments(
    search: tuple[ZoneInfo, int, int], step_min: int
) -> None:
    """And each time of the day is there once, on every day on which the clock shows it."""
    where, start_ms, end_ms = search
    walls = [wall_of(where, at) for at in slots(where, start_ms, end_ms, step_min=step_min)]
    assert len(set(walls)) == len(walls)
    for wall in walls:
        assert (wall - datetime.combine(wall, wall.min.time())) % timedelta(
            minutes=step_min
        ) == timedelta()


def test_the_grid_has_no_start_of_a_resource_that_is_never_open() -> None:
    """Nothing is open on the 25th hour, and no hours are no hours."""
    assert local(BERLIN, "2026-11-02", "2026-11-09", allow(Hours(start_min=60, end_min=60))) == []


def test_a_day_that_the_calendar_skips_has_no_slots() -> None:
    """Samoa had no 30 December 2011."""
    found = local("Pacific/Apia", "2011-12-29", "2012-01-01", step_min=720)
    assert found == [f"{day} {each}" for day in (29, 31) for each in ("00:00", "12:00")]
