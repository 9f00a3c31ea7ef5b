"""Instants as text: RFC 3339 in, one fixed-width RFC 3339 form out."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
TIME_RULE = "must be an RFC 3339 time with an offset, such as 2026-12-01T10:00:00Z"
WIDTH = len("2026-12-01T10:00:00.000Z")


def parse(text: str) -> int | None:
    """Return the instant `text` names, in epoch milliseconds, or None if it names none.

    Takes RFC 3339 with `Z` or an offset; an offset without its colon (`+0100`) as well.
    A time without an offset names no instant. Finer digits than milliseconds are cut off.
    """
    # fromisoformat is fast but also reads dates, weeks and the basic format; RFC 3339 has
    # its separators at fixed places.
    if text[4:5] != "-" or text[10:11] not in ("T", "t", " ") or text[13:14] != ":":
        return None
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None or text[16:17] != ":":
            return None
        since = (instant - EPOCH) // MILLISECOND
    except (ValueError, OverflowError):
        return None
    return since if since >= 0 else None


def render(epoch_ms: int) -> str:
    """Return `epoch_ms` as `YYYY-MM-DDTHH:MM:SS.mmmZ`, always `WIDTH` characters."""
    instant = EPOCH + timedelta(milliseconds=epoch_ms)
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"
