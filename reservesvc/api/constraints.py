"""Constraints as JSON: a list of objects with one member each, `{"allow_hours": {…}}`."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import Struct

from reservesvc.api.decoding import Errors
from reservesvc.domain import times
from reservesvc.domain.constraints import (
    DAY_MIN,
    EFFECTS,
    WEEKDAYS,
    Constraint,
    Day,
    DayAndTime,
    Days,
    Hours,
    Period,
    Rule,
    Weekday,
    Weekdays,
    Weekends,
)
from reservesvc.domain.whole import whole

FIELD = "availability_constraints"
"""of projects and of resources"""
COUNT_MAX = 500
"""how many constraints one list may have; every slot is compared with each"""
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))?", re.ASCII)
MOMENT = re.compile(
    f"{times.DATE}([T ]{times.HOUR_AND_MINUTE}(:{times.SECOND})?{times.OFFSET}?)?", re.ASCII
)
_CLOCK_RULE = "must be an hour from 0 to 24, or a time such as 09:30"
_MOMENT_RULE = (
    "must be a date or a time, such as 2026-12-24, 2026-12-24T10:00:00, 2026-12-24T10:00:00Z or "
    "2026-12-24T10:00:00+01:00, in the years 1 to 9999"
)
_AFTER_RULE = "must be after start"


class _Given(NamedTuple):
    """The fields of one constraint; what is wrong with them goes into `errors`."""

    fields: Any
    path: str
    errors: Errors

    def take(self, name: str) -> object:
        return self.fields.get(name) if isinstance(self.fields, dict) else None

    def wrong(self, name: str, rule: str) -> None:
        self.errors.setdefault(f"{self.path}.{name}", [f"{self.path}.{name} {rule}"])

    def clock_min(self, name: str) -> int:
        value = whole(self.take(name))
        found = _CLOCK.fullmatch(str(value)) if type(value) in (int, str) else None
        minute = int(found[1]) * 60 + int(found[2] or 0) if found else DAY_MIN + 1
        if minute > DAY_MIN or (found and int(found[2] or 0) >= 60):  # noqa: PLR2004 - an hour
            self.wrong(name, _CLOCK_RULE)
        return minute

    def weekday(self, name: str, value: object) -> Weekday:
        for day in WEEKDAYS:
            if isinstance(value, str) and value.lower() == day:
                return day
        self.wrong(name, f"must be one of: {', '.join(WEEKDAYS)}")
        return WEEKDAYS[0]

    def moment(self, name: str) -> datetime:
        value = self.take(name)
        if isinstance(value, str) and MOMENT.fullmatch(value):
            with suppress(ValueError, OverflowError):  # a date that is in no calendar
                moment = datetime.fromisoformat(value.upper())
                return moment.astimezone(UTC) if moment.tzinfo else moment
        self.wrong(name, _MOMENT_RULE)
        return datetime.min  # noqa: DTZ901 - stands for nothing; the error says so


def _hours(given: _Given) -> tuple[int, int]:
    start_min, end_min = given.clock_min("start"), given.clock_min("end")
    if end_min <= start_min:
        given.wrong("end", f"{_AFTER_RULE}; a night is two constraints, one for each day")
    return start_min, end_min


def _read_hours(given: _Given) -> Rule:
    start_min, end_min = _hours(given)
    return Hours(start_min=start_min, end_min=end_min)


def _read_day_and_time(given: _Given) -> Rule:
    start_min, end_min = _hours(given)
    day = given.weekday("day", given.take("day"))
    return DayAndTime(day=day, start_min=start_min, end_min=end_min)


def _read_day(given: _Given) -> Rule:
    return Day(day=given.weekday("day", given.take("day")))


def _read_days(given: _Given) -> Rule:
    days = given.take("days")
    if not isinstance(days, list) or not days:
        given.wrong("days", "must be a list of days of the week")
        return Days(days=())
    named = [given.weekday(f"days.{place}", day) for place, day in enumerate(days)]
    return Days(days=tuple(day for day in WEEKDAYS if day in named))


def _read_period(given: _Given) -> Rule:
    start, end = given.moment("start"), given.moment("end")
    if (start.tzinfo is None) != (end.tzinfo is None):
        given.wrong("end", "must have an offset if start has one, and none if it has none")
    elif end <= start:
        given.wrong("end", _AFTER_RULE)
    return Period(start=start, end=end)


_KINDS: dict[str, Callable[[_Given], Rule]] = {
    "day_and_time": _read_day_and_time,
    "hours": _read_hours,
    "day": _read_day,
    "days": _read_days,
    "period": _read_period,
    "weekdays": lambda _: Weekdays(),
    "weekends": lambda _: Weekends(),
}
NAMES = {f"{effect}_{kind}": (effect, kind) for effect in EFFECTS for kind in _KINDS}


def read(raw: Sequence[Any], name: str, errors: Errors) -> tuple[Constraint, ...]:
    """Return the constraints that `raw` says; of no use where `errors` got any.

    Args:
        raw: the list as it was decoded.
        name: the field it stands in, with which the names of wrong fields begin.
        errors: where to put what is wrong.

    """
    if len(raw) > COUNT_MAX:
        errors.setdefault(name, [f"{name} must have at most {COUNT_MAX} constraints"])
        return ()
    found = [_one(item, f"{name}.{place}", errors) for place, item in enumerate(raw)]
    return tuple(constraint for constraint in found if constraint is not None)


def read_field(body: Struct, errors: Errors) -> dict[str, tuple[Constraint, ...]]:
    """Return the field that constraints stand in, if the body has any; what is wrong as `read`."""
    raw = getattr(body, FIELD)
    return {FIELD: read(raw, FIELD, errors)} if isinstance(raw, list) else {}


def _one(item: object, path: str, errors: Errors) -> Constraint | None:
    name, fields = next(iter(item.items())) if isinstance(item, dict) and item else ("", None)
    if name not in NAMES or not isinstance(item, dict) or len(item) > 1:
        rule = f"must be an object with one member, one of: {', '.join(NAMES)}"
        errors.setdefault(path, [f"{path} {rule}"])
        return None
    effect, kind = NAMES[name]
    return Constraint(effect=effect, rule=_KINDS[kind](_Given(fields, f"{path}.{name}", errors)))


def render(constraints: Sequence[Constraint]) -> list[dict[str, Any]]:
    """Return constraints in the form that `read` takes."""
    return [
        {f"{each.effect}_{each.rule.__struct_config__.tag}": _rendered(each.rule)}
        for each in constraints
    ]


def _rendered(rule: Rule) -> dict[str, Any]:
    match rule:
        case DayAndTime():
            return {"day": rule.day, "start": _clock(rule.start_min), "end": _clock(rule.end_min)}
        case Hours():
            return {"start": _clock(rule.start_min), "end": _clock(rule.end_min)}
        case Day():
            return {"day": rule.day}
        case Days():
            return {"days": list(rule.days)}
        case Period():
            return {"start": _moment(rule.start), "end": _moment(rule.end)}
        case Weekdays() | Weekends():
            return {}


def _clock(minute: int) -> int | str:
    """Return whole hours as the number that Timekit's examples have, others as text."""
    return minute // 60 if minute % 60 == 0 else f"{minute // 60:02}:{minute % 60:02}"


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        return value.isoformat()
    try:
        value = value.astimezone(UTC)
    except OverflowError:  # stored by a version that did not look
        return value.isoformat()
    return times.render((value - times.EPOCH) // times.MILLISECOND)
