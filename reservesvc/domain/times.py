"""Instants as text: RFC 3339 in, one fixed-width RFC 3339 form out."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z; four digits tell no later year"""
TIME_RULE = (
    "must be an RFC 3339 time with an offset, such as 2026-12-01T10:00:00Z, "
    "in the years 1970 to 9999 and without a leap second"
)
# RFC 3339 section 5.6 has hours from 00 to 23 and minutes from 00 to 59, in offsets too.
DATE, HOUR_AND_MINUTE = r"\d{4}-\d\d-\d\d", r"([01]\d|2[0-3]):[0-5]\d"
SECOND, OFFSET = r"[0-5]\d(\.\d+)?", r"([Zz]|[+-]([01]\d|2[0-3]):?[0-5]\d)"
_RFC_3339 = re.compile(f"{DATE}[Tt ]{HOUR_AND_MINUTE}:{SECOND}{OFFSET}", re.ASCII)
_USUAL_WIDTH = len("2026-12-01T10:00:00Z")
WIDTH = len("2026-12-01T10:00:00.000Z")


def parse(text: str) -> int | None:
    """Return the instant `text` names, in epoch milliseconds, or None if it names none.

    Takes RFC 3339 with `Z` or an offset; an offset without its colon (`+0100`) as well.
    A time without an offset names no instant. Finer digits than milliseconds are cut off.
    Instants before 1970 or after 9999 and leap seconds, which are not counted here, are no
    instants either.
    """
    return _parse_usual(text) if len(text) == _USUAL_WIDTH else _parse_any(text)


# Slots begin and end at the same few times of the same few weeks.
@lru_cache(8192)
def _parse_usual(text: str) -> int | None:
    try:
        return _day_ms(text[:10]) + _MINUTES_MS[text[10:16]] + _SECONDS_MS[text[16:]]
    except (KeyError, ValueError):
        return _parse_any(text)


def _parse_any(text: str) -> int | None:
    # fromisoformat also reads weeks, dates, the basic format, and text after a NUL.
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        since = (datetime.fromisoformat(text.upper()) - EPOCH) // MILLISECOND
    except (ValueError, OverflowError):
        return None
    return since if 0 <= since <= LAST_MS else None


@lru_cache(8192)
def render(epoch_ms: int) -> str:
    """Return `epoch_ms` as `YYYY-MM-DDTHH:MM:SS.mmmZ`, always `WIDTH` characters."""
    return _render(epoch_ms)


@lru_cache(256)
def render_now(epoch_ms: int) -> str:
    """Return what `render` does, for instants that pass: remembered apart, and not for long.

    Requests of one millisecond are granted, logged and lapse at the same instants.
    """
    return _render(epoch_ms)


def render_rare(epoch_ms: int) -> str:
    """Return what `render` does, for many instants that will hardly be asked for again."""
    return _render(epoch_ms)


def _render(epoch_ms: int) -> str:
    day, ms = divmod(epoch_ms, 86_400_000)
    minute, ms = divmod(ms, 60_000)
    return f"{_date(day)}{_MINUTES[minute]}{_SECONDS[ms // 1000]}{_MILLISECONDS[ms % 1000]}"


# Rendered several times for every request: looked up rather than computed.
_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(24 * 60)]
_SECONDS = [f"{second:02}." for second in range(60)]
_MILLISECONDS = [f"{ms:03}Z" for ms in range(1000)]


_MINUTES_MS = {text[:-1]: minute * 60_000 for minute, text in enumerate(_MINUTES)}
_SECONDS_MS = {f":{second:02}Z": second * 1000 for second in range(60)}


@lru_cache(4096)
def _day_ms(date: str) -> int:
    instant = _parse_any(f"{date}T00:00:00Z")
    if instant is None:
        raise ValueError(date)
    return instant


@lru_cache(4096)
def _date(epoch_day: int) -> str:
    return (EPOCH + timedelta(days=epoch_day)).date().isoformat()
