"""Opening: constraints in the time of the clock on the wall."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain import times
from reservesvc.domain.constraints import (
    WEEKDAYS,
    Constraint,
    Day,
    DayAndTime,
    Days,
    Effect,
    Hours,
    Period,
    Rule,
    Weekdays,
    Weekends,
)
from reservesvc.domain.opening import openings
from reservesvc.domain.zones import DAY_MS, wall_of

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
QUARTER_MS = 900_000


def allow(rule: Rule) -> Constraint:
    """Return the constraint that allows."""
    return Constraint(effect="allow", rule=rule)


def block(rule: Rule) -> Constraint:
    """Return the constraint that blocks."""
    return Constraint(effect="block", rule=rule)


def hours(start: float, end: float) -> Hours:
    """Return the hours from `start` to `end`."""
    return Hours(start_min=round(start * 60), end_min=round(end * 60))


def opened(constraints: list[Constraint], zone: str, start: str, end: str) -> list[str]:
    """Return when it is open, each as `<start>/<end>` in UTC and to the minute."""
    start_ms, end_ms = times.parse(start), times.parse(end)
    assert start_ms is not None
    assert end_ms is not None
    found = openings([constraints], ZoneInfo(zone), start_ms, end_ms)
    return [f"{times.render(a)[8:16]}/{times.render(b)[8:16]}" for a, b in found]


def week(*constraints: Constraint) -> list[str]:
    """Return when it is open in the week from Monday, 7 December 2026, in UTC."""
    return opened(list(constraints), "UTC", "2026-12-07T00:00:00Z", "2026-12-14T00:00:00Z")


def test_without_constraints_all_is_open() -> None:
    """Available until blocked."""
    assert week() == ["07T00:00/14T00:00"]


def test_office_hours() -> None:
    """Times of the day and days both have to allow; a lunch break is blocked."""
    assert week(
        allow(hours(9, 17)), block(Weekends()), block(hours(12, 12.5)), block(Day(day="tuesday"))
    ) == [
        f"{day:02}T{half}"
        for day in (7, 9, 10, 11)
        for half in (f"09:00/{day:02}T12:00", f"12:30/{day:02}T17:00")
    ]


def test_several_openings() -> None:
    """Openings add up, recurring ones and single ones."""
    once = Period(start=datetime(2026, 12, 12, 10), end=datetime(2026, 12, 12, 12))  # noqa: DTZ001
    assert week(
        allow(DayAndTime(day="monday", start_min=540, end_min=720)),
        allow(DayAndTime(day="monday", start_min=840, end_min=1020)),
        allow(once),
    ) == ["07T09:00/07T12:00", "07T14:00/07T17:00", "12T10:00/12T12:00"]


def test_days_that_follow_each_other_are_one_time() -> None:
    """A slot may go over midnight where both days are open."""
    assert week(allow(Weekends()), allow(Days(days=("monday", "friday")))) == [
        "07T00:00/08T00:00",
        "11T00:00/14T00:00",
    ]
    assert week(allow(hours(0, 24)), allow(Weekdays())) == ["07T00:00/12T00:00"]


def test_a_block_goes_before_what_allows() -> None:
    """Whichever comes first in the list."""
    assert week(block(Weekdays()), allow(Day(day="monday"))) == []


def test_lists_are_met_each_by_itself() -> None:
    """Of two lists that allow different hours, what both allow is open."""
    lists = [[allow(hours(9, 12)), allow(hours(14, 16))], [allow(hours(11, 15))]]
    start_ms = times.parse("2026-12-07T00:00:00Z") or 0
    found = openings(lists, UTC, start_ms, start_ms + DAY_MS)
    assert [(a - start_ms) // 3_600_000 for a, _ in found] == [11, 14]


BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


@pytest.mark.parametrize(
    ("zone", "midnight", "rule", "expected"),
    [
        # The clock goes from 02:00 to 03:00: that hour is not there.
        (BERLIN, "2026-03-28T23:00:00Z", (1, 4), ["29T00:00/29T02:00"]),
        (BERLIN, "2026-03-28T23:00:00Z", (2, 3), []),
        (BERLIN, "2026-03-28T23:00:00Z", (2.5, 4), ["29T01:00/29T02:00"]),
        (NEW_YORK, "2026-03-08T05:00:00Z", (1, 4), ["08T06:00/08T08:00"]),
        # The clock goes from 03:00 back to 02:00, in New York from 02:00: that hour is there twice.
        (BERLIN, "2026-10-24T22:00:00Z", (2, 3), ["25T00:00/25T02:00"]),
        (BERLIN, "2026-10-24T22:00:00Z", (2.25, 2.5), ["25T00:15/25T00:30", "25T01:15/25T01:30"]),
        (NEW_YORK, "2026-11-01T04:00:00Z", (1, 2), ["01T05:00/01T07:00"]),
        # Half an hour: forward from 02:00 to 02:30, and back from 02:00 to 01:30.
        (LORD_HOWE, "2026-10-03T13:30:00Z", (1.5, 3), ["03T15:00/03T16:00"]),
        (LORD_HOWE, "2026-04-04T13:00:00Z", (1.5, 2), ["04T14:30/04T15:30"]),
    ],
)
def test_hours_on_the_day_of_a_change(
    zone: str, midnight: str, rule: tuple[float, float], expected: list[str]
) -> None:
    """Open is when the clock on the wall shows an open hour."""
    end = times.render((times.parse(midnight) or 0) + DAY_MS)
    assert opened([allow(hours(*rule))], zone, midnight, end) == expected


def test_office_hours_follow_the_clock() -> None:
    """Nine o'clock is an hour earlier in UTC from the change on."""
    assert opened(
        [allow(hours(9, 10))], BERLIN, "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"
    ) == ["28T08:00/28T09:00", "29T07:00/29T08:00"]


def test_a_period_with_an_offset_is_the_same_everywhere() -> None:
    """One without is on the clock of each resource."""
    cet = timezone(timedelta(hours=1))
    fixed = Period(
        start=datetime(2026, 12, 7, 10, tzinfo=cet), end=datetime(2026, 12, 7, 12, tzinfo=cet)
    )
    local = Period(start=datetime(2026, 12, 7, 10), end=datetime(2026, 12, 7, 12))  # noqa: DTZ001
    found = [
        opened([allow(rule)], zone, "2026-12-06T00:00:00Z", "2026-12-09T00:00:00Z")
        for rule in (fixed, local)
        for zone in ("Europe/Berlin", "America/New_York")
    ]
    assert found == [
        ["07T09:00/07T11:00"],
        ["07T09:00/07T11:00"],
        ["07T09:00/07T11:00"],
        ["07T15:00/07T17:00"],
    ]


_quarters = st.tuples(st.integers(0, 95), st.integers(1, 96)).filter(lambda pair: pair[0] < pair[1])
_minutes = _quarters.map(lambda pair: {"start_min": pair[0] * 15, "end_min": pair[1] * 15})
_days = st.sampled_from(WEEKDAYS)
_moments = st.integers(0, 14 * 96).map(
    lambda quarter: datetime(2026, 10, 20) + timedelta(minutes=15 * quarter)  # noqa: DTZ001
)
RULES: st.SearchStrategy[Rule] = st.one_of(
    _minutes.map(lambda given: Hours(**given)),
    st.builds(lambda day, given: DayAndTime(day=day, **given), _days, _minutes),
    _days.map(lambda day: Day(day=day)),
    st.lists(_days, min_size=1).map(lambda days: Days(days=tuple(days))),
    st.just(Weekdays()),
    st.just(Weekends()),
    st.tuples(_moments, _moments)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: Period(start=pair[0], end=pair[1])),
)
EFFECTS: st.SearchStrategy[Effect] = st.sampled_from(["allow", "block"])
FAMILIES = ({Hours}, {Day, Days, Weekdays, Weekends}, {DayAndTime, Period})


def shows(rule: Rule, wall: datetime) -> bool:  # noqa: PLR0911 - a table: one row a kind
    """Tell whether `rule` is about the time that a clock shows."""
    day, minute = WEEKDAYS[wall.weekday()], wall.hour * 60 + wall.minute
    match rule:
        case Hours():
            return rule.start_min <= minute < rule.end_min
        case DayAndTime():
            return day == rule.day and rule.start_min <= minute < rule.end_min
        case Day():
            return day == rule.day
        case Days():
            return day in rule.days
        case Weekdays():
            return wall.weekday() < 5
        case Weekends():
            return wall.weekday() >= 5
        case Period():
            return rule.start <= wall < rule.end


def is_open(constraints: list[Constraint], wall: datetime) -> bool:
    """Tell whether a clock that shows `wall` is one of an open resource."""
    if any(each.effect == "block" and shows(each.rule, wall) for each in constraints):
        return False
    allowing = [each.rule for each in constraints if each.effect == "allow"]
    for family in FAMILIES:
        rules = [rule for rule in allowing if type(rule) in family]
        if rules and not any(shows(rule, wall) for rule in rules):
            return False
    return True


@given(
    st.lists(st.builds(lambda effect, rule: Constraint(effect=effect, rule=rule), EFFECTS, RULES)),
    st.sampled_from(ZONES),
    st.integers(0, 14 * 96),
)
def test_open_is_what_the_clock_shows(constraints: list[Constraint], zone: str, first: int) -> None:
    """At every quarter of an hour of two days, also where clocks change: 20 October on."""
    where = ZoneInfo(zone)
    start_ms = (times.parse("2026-10-20T00:00:00Z") or 0) + first * QUARTER_MS
    end_ms = start_ms + 2 * DAY_MS
    found = openings([constraints], where, start_ms, end_ms)
    for instant_ms in range(start_ms, end_ms, QUARTER_MS):
        lies_within = any(a <= instant_ms < b for a, b in found)
        assert lies_within == is_open(constraints, wall_of(where, instant_ms))
