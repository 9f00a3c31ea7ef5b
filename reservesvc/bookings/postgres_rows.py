"""Looking for one row; and the database's clock, as an expression of SQL."""

from typing import Any

from reservesvc.bookings.postgres_transaction import Session

NOW_MS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""Milliseconds since the Unix epoch."""


async def one(session: Session, sql: str, *values: str | None) -> Any:  # noqa: ANN401 - a Record
    """Return the first row that `sql` gives, or None.

    Text with a NUL, which PostgreSQL does not take, is in no row and finds none.
    """
    if any("\x00" in value for value in values if value):
        return None
    return await session.fetchrow(sql, *values)
