"""A `BookingQuery` as SQL: which bookings match, in which order.

Every piece of SQL comes from a table in this module; whatever a caller sent is bound
(`?`), field names included. An engine brings its own `SearchTable`.
"""

from msgspec import Struct

from reservesvc.domain.booking import BookingQuery

Parameter = str | int

_META = "meta."
_ORDER_COLUMNS = {
    "created_at": "created_ms",
    "updated_at": "updated_ms",
    "start": "start_ms",
    "end": "end_ms",
}
_DIRECTIONS = {True: "DESC", False: "ASC"}
_PAGE_MAX = 2**63 - 1
"""The largest integer SQL can bind; a page further out is as empty as this one"""


class SearchTable(Struct, frozen=True):
    """How one engine compares each field."""

    fields: dict[str, str]
    """`SEARCH_FIELDS` → condition with one `?`, the value"""
    meta: str
    """condition for `meta.<key>` with two `?`, the key and the value"""


class Condition(Struct, frozen=True):
    """A condition and what to bind to its `?`."""

    sql: str
    parameters: tuple[Parameter, ...]


def matching(query: BookingQuery, table: SearchTable) -> Condition:
    """Return the condition that the bookings `query` asks for meet.

    Raises:
        LookupError: `query` names a field that is none of `SEARCH_FIELDS`.

    """
    conditions = [_searched(field, value, table) for field, value in query.search]
    if query.start_ms is not None:
        conditions.append(Condition("end_ms > ?", (query.start_ms,)))
    if query.end_ms is not None:
        conditions.append(Condition("start_ms < ?", (query.end_ms,)))
    return Condition(
        " AND ".join(condition.sql for condition in conditions) or "1 = 1",
        tuple(value for condition in conditions for value in condition.parameters),
    )


def ordered(query: BookingQuery) -> str:
    """Return the terms to order by; the id makes the order one and the same every time.

    Raises:
        LookupError: `query` names an order that is none of `ORDER_FIELDS`.

    """
    direction = _DIRECTIONS[query.descending]
    return f"{_ORDER_COLUMNS[query.order_by]} {direction}, id {direction}"


def bounded(limit: int, offset: int) -> tuple[int, int]:
    """Return `limit` and `offset` as SQL can bind them."""
    return min(limit, _PAGE_MAX), min(offset, _PAGE_MAX)


def _searched(field: str, value: str, table: SearchTable) -> Condition:
    if field.startswith(_META):
        return Condition(table.meta, (field.removeprefix(_META), value))
    return Condition(table.fields[field], (value,))
