"""Instants as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain import times

INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 2),  # noqa: DTZ001  hypothesis adds the offset
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001  hypothesis adds the offset
    timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@given(INSTANTS)
def test_what_python_writes_is_read(instant: datetime) -> None:
    """Any offset, any fraction: the instant to the millisecond below."""
    expected = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert times.parse(instant.isoformat()) == expected


@given(st.integers(0, 253_402_300_799_999))
def test_what_is_written_is_read(epoch_ms: int) -> None:
    """There and back; always as wide."""
    text = times.render(epoch_ms)
    assert len(text) == times.WIDTH
    assert times.parse(text) == epoch_ms


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T10:00:00Z",
        "2026-12-01T11:00:00+01:00",
        "2026-12-01T11:00:00+0100",
        "2026-12-01t10:00:00z",
        "2026-12-01 10:00:00Z",
        "2026-12-01T10:00:00.0000001Z",
    ],
)
def test_rfc_3339_and_a_little_more_is_taken(text: str) -> None:
    """All of these are ten o'clock in Greenwich."""
    assert times.render(times.parse(text) or 0) == "2026-12-01T10:00:00.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-12-01",
        "2026-12-01T10:00:00",
        "2026-12-01T10Z",
        "20261201T100000Z",
        "2026-W49-2T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-12-01T24:00:01Z",
        "2026-12-01T10:00:60Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00+23:59",
        "2026-12-01T10:00:00+25:00",
        "2026-12-01T10:00:00+24:00",
        "2026-12-01T10:00:00+00:60",
        "2026-12-01T10:00:00+01:60",
        "2026-12-01T10:00:00+00:99",
        "2026-12-01T10:00:00+0160",
        "2026-12-01T24:00:00Z",
        "2026-12-01T10:60:00Z",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:59-00:01",
        "2026-12-01T10:00:00Z\0",
        "1796119200",
        "∞",
    ],
)
def test_anything_else_names_no_instant(text: str) -> None:
    """No offset, no such day or minute, another format, before 1970: refused, never guessed."""
    assert times.parse(text) is None


@given(
    st.datetimes(),
    st.sampled_from("+-"),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(["", ":"]),
)
def test_whatever_is_taken_can_be_written(
    wall: datetime, sign: str, hours: int, minutes: int, colon: str
) -> None:
    """Any time with any two numbers as its offset: in range and right, or refused."""
    text = f"{wall.isoformat()}{sign}{hours:02}{colon}{minutes:02}"
    offset_ms = (hours * 60 + minutes) * 60_000 * (-1 if sign == "-" else 1)
    instant_ms = (wall - datetime(1970, 1, 1)) // timedelta(milliseconds=1) - offset_ms  # noqa: DTZ001
    is_taken = hours < 24 and minutes < 60 and 0 <= instant_ms <= times.LAST_MS
    assert times.parse(text) == (instant_ms if is_taken else None)
    assert not is_taken or len(times.render(instant_ms)) == times.WIDTH
