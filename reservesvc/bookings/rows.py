"""How a booking lies in a table: its columns in one order, JSON inside text.

Shared by every SQL engine; knows no connection and no dialect.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from reservesvc.domain.booking import Booking
from reservesvc.domain.entry import Entry
from reservesvc.ports import Snapshot, SnapshotBooking

_FIELDS = Booking.__struct_fields__
# `where` is a keyword of SQL; a column of that name would have to be quoted everywhere.
_RENAMED = {"where": "place"}
JSON_FIELDS = ("customers", "meta", "participants", "settings", "inputs")
"""Fields that are JSON in a column"""
_TRUTH_FIELDS = ("double", "from_reservation")

BOOKING_COLUMNS = tuple(_RENAMED.get(name, name) for name in _FIELDS)
"""The columns that hold a booking's fields, in the order of the fields"""


def to_json(value: Any) -> str:  # noqa: ANN401 - whatever msgspec can encode
    """Return `value` as JSON text."""
    return msgspec.json.encode(value).decode()


def booking_values(booking: Booking) -> list[Any]:
    """Return the values of `BOOKING_COLUMNS` for `booking`."""
    values = msgspec.structs.asdict(booking)
    values.update({name: to_json(values[name]) for name in JSON_FIELDS})
    return [values[name] for name in _FIELDS]


def booking_of(row: Sequence[Any]) -> Booking:
    """Return the booking whose `BOOKING_COLUMNS` are `row`."""
    values = dict(zip(_FIELDS, row, strict=True))
    values.update({name: msgspec.json.decode(values[name]) for name in JSON_FIELDS})
    values.update({name: bool(values[name]) for name in _TRUTH_FIELDS})  # SQLite has only numbers
    return Booking(**values)


def entries_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Entry]]:
    """Return the entries whose resource, id, start, end and quantity are `rows`, by resource."""
    found: dict[str, list[Entry]] = {}
    for resource_id, *columns in rows:
        found.setdefault(resource_id, []).append(_entry(resource_id, columns))
    return found


def snapshot_of(resource_id: str, fence: int, rows: Iterable[Sequence[Any]]) -> Snapshot:
    """Return the snapshot of bookings whose entry's id, start, end, quantity and id are `rows`."""
    bookings = [
        SnapshotBooking(entry=_entry(resource_id, columns), booking_id=booking_id)
        for *columns, booking_id in rows
    ]
    return Snapshot(fence=fence, bookings=bookings)


def _entry(resource_id: str, columns: Sequence[Any]) -> Entry:
    entry_id, start_ms, end_ms, quantity = columns
    return Entry(
        resource_id=resource_id, id=entry_id, start_ms=start_ms, end_ms=end_ms, quantity=quantity
    )
