"""Times and lengths in plain English."""

import re
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.domain import times
from reservesvc.domain.relative import instant, length_ms

BERLIN = ZoneInfo("Europe/Berlin")
NOW_MS = times.parse("2026-12-01T10:20:30Z") or 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-12-01T10:20:30"),
        ("2026-12-24T10:00:00+01:00", "2026-12-24T09:00:00"),
        ("4 weeks", "2026-12-29T10:20:30"),
        ("1 hour", "2026-12-01T11:20:30"),
        ("-1 hour", "2026-12-01T09:20:30"),
        ("+90 minutes", "2026-12-01T11:50:30"),
        ("90 min", "2026-12-01T11:50:30"),
        ("3 days 2 weeks", "2026-12-18T10:20:30"),
        ("2 days ago", "2026-11-29T10:20:30"),
        ("2 hours 30 minutes ago", "2026-12-01T07:50:30"),
        ("in 2 days", "2026-12-03T10:20:30"),
        ("2 days from now", "2026-12-03T10:20:30"),
        ("a week", "2026-12-08T10:20:30"),
        ("next month", "2027-01-01T10:20:30"),
        ("last year", "2025-12-01T10:20:30"),
        ("6 months", "2027-06-01T09:20:30"),
        ("0 days", "2026-12-01T10:20:30"),
        ("0.5 hours", "2026-12-01T10:50:30"),
        ("1.5 hours ago", "2026-12-01T08:50:30"),
        ("1.0 days", "2026-12-02T10:20:30"),
        # Midnights are Berlin's.
        ("today", "2026-11-30T23:00:00"),
        ("Tomorrow", "2026-12-01T23:00:00"),
        ("yesterday", "2026-11-29T23:00:00"),
        ("tomorrow 9 hours", "2026-12-02T08:00:00"),
        ("now 2 days", "2026-12-03T10:20:30"),
    ],
)
def test_an_instant(text: str, expected: str) -> None:
    """Relative to now, on the clock in Berlin."""
    found = instant(text, NOW_MS, BERLIN)
    assert found is not None
    assert times.render(found) == f"{expected}.000Z"


def test_a_day_is_the_same_time_tomorrow() -> None:
    """Also where the clock changes in between; 24 hours are 24 hours."""
    before_ms = times.parse("2026-03-28T12:00:00+01:00") or 0
    assert instant("1 day", before_ms, BERLIN) == times.parse("2026-03-29T12:00:00+02:00")
    assert instant("24 hours", before_ms, BERLIN) == times.parse("2026-03-29T13:00:00+02:00")


def test_a_month_ends_with_its_last_day() -> None:
    """A month after 31 January is 28 February."""
    now_ms = times.parse("2026-01-31T12:00:00Z") or 0
    assert instant("1 month", now_ms, BERLIN) == times.parse("2026-02-28T12:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "hour",
        "1",
        "1 hour 2",
        "1 elephant",
        "hour 1",
        "1.5 days",
        "0.5 months",
        "1,5 hours",
        "1.5.5 hours",
        "1. hours",
        ".5 hours",
        "1.0005 hours",
        "1 hour!",
        "½ hour",
        "1/2 hour",
        "...",
        ",",
        "now ago",
        "now from now",
        "in 2 hours ago",
        "tomorrow in",
        "1 wee\u212a",  # the sign of the kelvin, a k in lower case
        "2026-12-01",
        "2026-12-01T10:00:00",
        "ago",
        "in",
        "from now",
        "tomorrow today",
        "999999 years",
        "999999 years ago",
        "60 years ago",
        "1 hour" * 20,
        "1234567 days",
        "\uff11 hour",  # a digit, and none of ASCII's
    ],
)
def test_no_instant(text: str) -> None:
    """What is not understood is refused, not guessed at."""
    assert instant(text, NOW_MS, BERLIN) is None


@pytest.mark.parametrize(
    ("text", "expected_min"),
    [
        ("1 hour", 60),
        ("1 hours", 60),
        ("90 minutes", 90),
        ("1 hour 30 minutes", 90),
        ("an hour", 60),
        ("0 minutes", 0),
        ("1 day", 1440),
        ("2 weeks", 20160),
        ("30 seconds", 0.5),
        ("0.5 hours", 30),
        ("1.25 hours 0.5 minutes", 75.5),
        ("90min", 90),
        ("1 hour, 30 minutes", 90),
    ],
)
def test_a_length(text: str, expected_min: float) -> None:
    """Every unit that always has the same length."""
    assert length_ms(text) == expected_min * 60_000


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "hour", "1", "1 month", "1 year", "-1 hour", "now", "1 hour ago", "last hour"),
        *("30 minutes!", "½ hour", "1/2 hour", "...", "0.5 days", "1.0001 hours", "1 hour 1.5"),
        *("1 hour; 2 days", "\uff11 hour", "1 hour\0", "1_0 minutes", "0x1 hour", "1e3 min"),
        *("--1 hour", "1 -hour", "1234567 hours", "1.5.5 hours"),
    ],
)
def test_no_length(text: str) -> None:
    """A month has none, nothing is shorter than nothing, and no character is skipped."""
    assert length_ms(text) is None


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9+ -]{0,20}"))
def test_any_text_may_come(text: str) -> None:
    """Either it is understood or it is not."""
    assert instant(text, NOW_MS, BERLIN) is None or text.strip()
    found = length_ms(text)
    assert found is None or found >= 0


PIECES = [
    "1",
    "0.5",
    "-2",
    "+3",
    "a",
    "next",
    "hour",
    "min",
    "days",
    "week",
    "months",
    "now",
    "ago",
]
PIECES += ["in", "from", "today", " ", ",", ".", "!", "½", "/", "-", "1.", "é", "\0", "K"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join))
def test_a_length_is_amounts_and_nothing_else(text: str) -> None:
    """Against a grammar of one line: what it does not know is refused, never skipped."""
    amount = r"([+-]?\d+(\.\d{1,3})?|a|next) *(hours?|mins?|days?|weeks?)"
    is_length = re.fullmatch(rf"[ ,]*({amount}[ ,]*)+", text) is not None
    if length_ms(text) is not None:
        assert is_length
    elif is_length:
        assert "-" in text or re.search(r"\.\d+ +(days|week)", text)


@given(st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join))
def test_an_instant_has_no_character_that_means_nothing(text: str) -> None:
    """Words that are known, numbers, spaces and commas."""
    if instant(text, NOW_MS, BERLIN) is not None:
        assert re.fullmatch(r"[a-z0-9 ,+.-]+", text)
        assert not re.search(r"\.(?!\d)|[+-](?!\d)", text)
