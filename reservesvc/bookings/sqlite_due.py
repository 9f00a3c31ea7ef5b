"""Bookings whose timer has run out, each step a function of a connection."""

import sqlite3
from collections.abc import Sequence

from reservesvc.bookings import sqlite_bookings as bookings
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_of
from reservesvc.bookings.sqlite_clock import NOW_MS
from reservesvc.domain.booking import Booking

_DUE = f"""
    SELECT {", ".join(BOOKING_COLUMNS)} FROM bookings
    WHERE due_ms <= {NOW_MS} AND (due_ms, id) > (?, ?) ORDER BY due_ms, id LIMIT ?
"""  # noqa: S608 - our own names and expression
_RECKON = "UPDATE bookings SET due_ms = ? WHERE id = ?"


def due(connection: sqlite3.Connection, limit: int, after: Booking | None) -> list[Booking]:
    """Return the next bookings with a timer that has run out or was never worked out."""
    place = (after.due_ms, after.id) if after else (-1, "")
    return [booking_of(row) for row in connection.execute(_DUE, (*place, limit))]


def reckon_due(connection: sqlite3.Connection, booking_ids: Sequence[str]) -> None:
    """Work out anew when the bookings' timers are due."""
    found = (bookings.by_id(connection, booking_id) for booking_id in booking_ids)
    rows = [(each.due_from(each.updated_ms), each.id) for each in found if each]
    connection.executemany(_RECKON, rows)
