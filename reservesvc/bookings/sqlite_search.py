"""Lists of bookings: how SQLite compares each field that can be searched."""

import sqlite3

from reservesvc.bookings import search
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_of
from reservesvc.domain.booking import Booking, BookingQuery

_COUNT = "SELECT count(*) FROM bookings WHERE "
_SELECT = f"SELECT {', '.join(BOOKING_COLUMNS)} FROM bookings WHERE "  # noqa: S608 - our own names

# A row that was written by hand may hold anything, and must not fail the list for others.
# Text is compared as it is, true and false by their names, a number as SQLite prints it;
# null, lists and objects are equal to nothing. A key is bound, so it needs no quoting.
# SQLite 3.40 cuts text inside JSON at a NUL: such a value matches by what is before it.
_META = """EXISTS (
    SELECT 1 FROM json_each(CASE WHEN json_valid(bookings.meta) THEN bookings.meta END) AS field
    WHERE field.key = ? AND ? = CASE field.type
        WHEN 'text' THEN field.value
        WHEN 'true' THEN 'true'
        WHEN 'false' THEN 'false'
        WHEN 'integer' THEN CAST(field.value AS TEXT)
        WHEN 'real' THEN CAST(field.value AS TEXT)
    END
)"""
_CUSTOMER = """EXISTS (
    SELECT 1
    FROM json_each(CASE WHEN json_valid(bookings.customers) THEN bookings.customers END) AS customer
    WHERE {}
)"""
_FIELD = "CASE customer.type WHEN 'object' THEN json_extract(customer.value, '$.{}') END"
_NAME = _CUSTOMER.format(f"{_FIELD.format('name')} = ?")
# Upper and lower case of the letters A to Z are one, and of no others, as on PostgreSQL.
_EMAIL = _CUSTOMER.format(f"lower({_FIELD.format('email')}) = lower(?)")
SEARCH = search.SearchTable(
    fields={
        "resource.id": "resource_id = ?",
        "project.id": "project_id = ?",
        "reservation_id": "reservation_id = ?",
        "graph": "graph = ?",
        "state": "state = ?",
        "customer.email": _EMAIL,
        "customer.name": _NAME,
    },
    meta=_META,
)
"""How SQLite compares each field"""


def matching(connection: sqlite3.Connection, query: BookingQuery) -> tuple[list[Booking], int]:
    """Return one page of the bookings that match, and how many match in all."""
    condition = search.matching(query, SEARCH)
    (total,) = connection.execute(_COUNT + condition.sql, condition.parameters).fetchone()
    rows = connection.execute(
        f"{_SELECT}{condition.sql} ORDER BY {search.ordered(query)} LIMIT ? OFFSET ?",
        (*condition.parameters, *search.bounded(query.limit, query.offset)),
    )
    return [booking_of(row) for row in rows], total
