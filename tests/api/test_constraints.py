"""Constraints: read from Timekit's form, kept as values, and rendered back."""

from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from reservesvc.api import constraints
from reservesvc.api.decoding import Errors
from reservesvc.domain.constraints import Constraint, Period

TELLING = [
    {"allow_day_and_time": {"day": "monday", "start": 9, "end": 17}},
    {"block_day_and_time": {"day": "friday", "start": "16:30", "end": 24}},
    {"allow_hours": {"start": 0, "end": "09:45"}},
    {"block_hours": {"start": 12, "end": 13}},
    {"allow_day": {"day": "sunday"}},
    {"block_days": {"days": ["tuesday", "saturday"]}},
    {"block_period": {"start": "2026-12-24T00:00:00", "end": "2026-12-27T00:00:00"}},
    {"allow_period": {"start": "2026-12-24T10:00:00.000Z", "end": "2026-12-24T10:00:00.001Z"}},
    {"block_weekdays": {}},
    {"allow_weekends": {}},
]
"""every kind, in the form that replies have"""


def read(*raw: Any) -> tuple[tuple[Constraint, ...], Errors]:
    """Return what constraints say, and what is wrong with them."""
    errors: Errors = {}
    return constraints.read(raw, "c", errors), errors


def test_what_is_read_is_rendered_back() -> None:
    """Each kind survives reading, the store's document, and rendering."""
    found, errors = read(*TELLING)
    assert not errors
    stored = msgspec.json.decode(msgspec.json.encode(found), type=tuple[Constraint, ...])
    assert stored == found
    assert constraints.render(stored) == TELLING


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ({"allow_day": {"day": "Monday"}}, {"allow_day": {"day": "monday"}}),
        (
            {"block_hours": {"start": "09:00", "end": "9:30"}},
            {"block_hours": {"start": 9, "end": "09:30"}},
        ),
        ({"block_hours": {"start": "8", "end": 9}}, {"block_hours": {"start": 8, "end": 9}}),
        ({"block_weekends": []}, {"block_weekends": {}}),
        ({"block_weekends": None}, {"block_weekends": {}}),
        (
            {"block_days": {"days": ["Sunday", "MONDAY", "sunday"]}},
            {"block_days": {"days": ["monday", "sunday"]}},
        ),
        (
            {"block_period": {"start": "2022-05-01", "end": "2022-05-06 12:30:00"}},
            {"block_period": {"start": "2022-05-01T00:00:00", "end": "2022-05-06T12:30:00"}},
        ),
        (
            {"block_period": {"start": "2022-05-01T02:00+02:00", "end": "2022-05-01T02:00:00z"}},
            {
                "block_period": {
                    "start": "2022-05-01T00:00:00.000Z",
                    "end": "2022-05-01T02:00:00.000Z",
                }
            },
        ),
    ],
)
def test_other_spellings_are_understood(written: dict[str, Any], plain: dict[str, Any]) -> None:
    """Case, hours as text, days without a time: what Timekit's clients send."""
    found, errors = read(written)
    assert not errors
    assert constraints.render(found) == [plain]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ("block_weekends", "c.0"),
        ({}, "c.0"),
        ({"block_weekends": {}, "allow_hours": {"start": 1, "end": 2}}, "c.0"),
        ({"block_nights": {}}, "c.0"),
        ({"forbid_hours": {"start": 1, "end": 2}}, "c.0"),
        ({"allow_hours": {"start": 25, "end": 26}}, "c.0.allow_hours.start"),
        ({"allow_hours": {"start": -1, "end": 2}}, "c.0.allow_hours.start"),
        ({"allow_hours": {"start": True, "end": 2}}, "c.0.allow_hours.start"),
        ({"allow_hours": {"start": 1.5, "end": 2}}, "c.0.allow_hours.start"),
        ({"allow_hours": {"start": "9:60", "end": 12}}, "c.0.allow_hours.start"),
        ({"allow_hours": {"start": 9, "end": "24:01"}}, "c.0.allow_hours.end"),
        ({"allow_hours": {"start": 9, "end": 9}}, "c.0.allow_hours.end"),
        ({"allow_hours": {"start": 22, "end": 6}}, "c.0.allow_hours.end"),
        ({"allow_hours": None}, "c.0.allow_hours.start"),
        ({"allow_day_and_time": {"start": 9, "end": 10}}, "c.0.allow_day_and_time.day"),
        ({"block_day": {"day": "Mon"}}, "c.0.block_day.day"),
        ({"block_day": {"day": 1}}, "c.0.block_day.day"),
        ({"block_days": {"days": "monday"}}, "c.0.block_days.days"),
        ({"block_days": {"days": []}}, "c.0.block_days.days"),
        ({"block_days": {"days": ["monday", "noday"]}}, "c.0.block_days.days.1"),
        ({"block_period": {"start": "2022-02-30", "end": "2022-03-01"}}, "c.0.block_period.start"),
        ({"block_period": {"start": "now", "end": "2022-03-01"}}, "c.0.block_period.start"),
        ({"block_period": {"start": "2022-03-01"}}, "c.0.block_period.end"),
        *(
            ({"block_period": {"start": moment}}, "c.0.block_period.start")
            for moment in (
                "2022-03-01T10:00:00+00:60",
                "2022-03-01T10:00+0160",
                "2022-03-01T10:60",
                "2022-03-01T24:00:00",
                "0001-01-01T00:00:00+00:01",
                "9999-12-31T23:59:59-00:01",
            )
        ),
        ({"block_period": {"start": "2022-03-01", "end": "2022-03-01"}}, "c.0.block_period.end"),
        (
            {"block_period": {"start": "2022-03-01", "end": "2022-03-02T00:00:00Z"}},
            "c.0.block_period.end",
        ),
    ],
)
def test_what_is_wrong_is_named(wrong: object, field: str) -> None:
    """The field that breaks a rule is named by its path."""
    _, errors = read(wrong)
    assert field in errors
    assert errors[field][0].startswith(f"{field} must ")


def test_everything_wrong_is_named_at_once() -> None:
    """One wrong constraint does not hide the next."""
    _, errors = read({"allow_hours": {}}, {"block_day": {}}, {"allow_weekdays": {}})
    assert set(errors) == {"c.0.allow_hours.start", "c.0.allow_hours.end", "c.1.block_day.day"}


def test_a_list_has_an_end() -> None:
    """More constraints than a list may have are refused, the most are not."""
    assert read(*[{"block_weekends": {}}] * constraints.COUNT_MAX)[1] == {}
    assert "c" in read(*[{"block_weekends": {}}] * (constraints.COUNT_MAX + 1))[1]


def test_a_stored_period_beyond_the_calendar_is_shown_all_the_same() -> None:
    """Earlier versions took an offset that leads out of the years 1 to 9999."""
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    last = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2)))
    stored = Constraint(effect="allow", rule=Period(start=first, end=last))
    shown = {"start": "0001-01-01T00:00:00+01:00", "end": "9999-12-31T23:00:00-02:00"}
    assert constraints.render([stored]) == [{"allow_period": shown}]
