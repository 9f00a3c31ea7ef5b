"""Lists of bookings: how PostgreSQL compares each field that can be searched."""

import re
from itertools import count

from reservesvc.bookings import search
from reservesvc.bookings.postgres_transaction import Session
from reservesvc.bookings.rows import BOOKING_COLUMNS, booking_of
from reservesvc.domain.booking import Booking, BookingQuery

# True of every booking; the indexes of lists serve only those who say so.
_FROM = "FROM bookings WHERE created_ms >= 0 AND "
_COUNT = f"SELECT count(*) {_FROM}"
_SELECT = f"SELECT {', '.join(BOOKING_COLUMNS)} {_FROM}"

# A row that was written by hand may hold any JSON, and must not fail the list for others.
# Text is compared as it is, true and false by their names, a number as it was written; null,
# lists and objects are equal to nothing. A key is bound, so it needs no quoting.
_META = """EXISTS (
    SELECT FROM json_each(CASE json_typeof(meta) WHEN 'object' THEN meta END) AS field
    WHERE field.key = ? AND ? = CASE
        WHEN json_typeof(field.value) IN ('string', 'number', 'boolean') THEN field.value #>> '{}'
    END
)"""
_CUSTOMER = """EXISTS (
    SELECT
    FROM json_array_elements(
        CASE json_typeof(customers) WHEN 'array' THEN customers END
    ) AS customer
    WHERE {}
)"""
_NAME = _CUSTOMER.format("customer ->> 'name' = ?")
# Upper and lower case of the letters A to Z are one, and of no others: whatever the database's
# language, and as SQLite has it.
_EMAIL = _CUSTOMER.format("""
    lower((customer ->> 'email') COLLATE "C") = lower(? COLLATE "C")
""")
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
"""How PostgreSQL compares each field"""


async def matching(session: Session, query: BookingQuery) -> tuple[list[Booking], int]:
    """Return one page of the bookings that match, and how many match in all."""
    condition = search.matching(query, SEARCH)
    ordered = search.ordered(query)
    # PostgreSQL holds no NUL, so nothing can be equal to text that has one.
    if any("\x00" in value for value in condition.parameters if isinstance(value, str)):
        return [], 0
    (total,) = await session.fetchrow(_numbered(_COUNT + condition.sql), *condition.parameters)
    rows = await session.fetch(
        _numbered(f"{_SELECT}{condition.sql} ORDER BY {ordered} LIMIT ? OFFSET ?"),
        *condition.parameters,
        *search.bounded(query.limit, query.offset),
    )
    return [booking_of(row) for row in rows], total


def _numbered(sql: str) -> str:
    """Return `sql` with `$1`, `$2`, … in the place of each `?`."""
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
