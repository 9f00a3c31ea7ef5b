"""How a booking lies in a table: its columns in one order, JSON inside text.

Shared by every SQL engine; knows no connection and no dialect. A row can always be read: what
a newer version, another program or a hand has put there in another form is logged and left out.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from reservesvc import unreadable
from reservesvc.bookings.documents import UNREADABLE, decoded
from reservesvc.domain.booking import Booking, Inputs
from reservesvc.domain.entry import Entry
from reservesvc.ports import Snapshot, SnapshotBooking

_FIELDS = Booking.__struct_fields__
# `where` is a keyword of SQL; a column of that name would have to be quoted everywhere.
_RENAMED = {"where": "place"}
_JSON_TYPES: dict[str, Any] = {
    "customers": list[dict[str, Any]],
    "meta": dict[str, Any],
    "participants": list[Any],
    "settings": dict[str, Any],
    "inputs": Inputs,
}
JSON_FIELDS = tuple(_JSON_TYPES)
"""Fields that are JSON in a column"""
_ENTRY_ID = re.compile(r"[^:]+")
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _JSON_TYPES.items()}
_TRUTH_FIELDS = ("double", "from_reservation")

CHANGED = "reschedule"
"""What keys of requests that changed a booking are kept as: of actions as well as reschedules.
One name for both, because a server that knows only the older of the two forgets those of an
unknown kind at once."""
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
    values.update({name: _json(values, name) for name in JSON_FIELDS})
    values.update({name: bool(values[name]) for name in _TRUTH_FIELDS})  # SQLite has only numbers
    return Booking(**values)


def _json(values: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - one of `_JSON_TYPES`
    """Return what a JSON column holds; the empty value where that is not of the column's type."""
    decoder = _DECODERS[name]
    try:
        return decoded(decoder, values[name])
    except UNREADABLE:
        unreadable.note("booking", str(values["id"]), name)
        return decoder.decode("[]" if name in {"customers", "participants"} else "{}")


def entries_of(rows: Iterable[Sequence[Any]]) -> dict[str, list[Entry]]:
    """Return the entries whose resource, id, start, end and quantity are `rows`, by resource."""
    found: dict[str, list[Entry]] = {}
    for resource_id, *columns in rows:
        if _can_be_placed(columns):
            found.setdefault(resource_id, []).append(_entry(resource_id, columns))
    return found


def snapshot_of(resource_id: str, fence: int, rows: Iterable[Sequence[Any]]) -> Snapshot:
    """Return the snapshot of bookings whose entry's id, start, end, quantity and id are `rows`."""
    bookings = [
        SnapshotBooking(entry=_entry(resource_id, columns), booking_id=booking_id)
        for *columns, booking_id in rows
        if _can_be_placed(columns)
    ]
    return Snapshot(fence=fence, bookings=bookings)


def _can_be_placed(columns: Sequence[Any]) -> bool:
    """Tell whether an index can hold the entry; SQLite takes text for a number, and any id."""
    entry_id, *numbers = columns
    if all(isinstance(number, int) for number in numbers):
        _, end_ms, quantity = numbers
        if isinstance(entry_id, str) and _ENTRY_ID.fullmatch(entry_id) and end_ms > 0 < quantity:
            return True
    unreadable.note("entry", str(entry_id), "entry_id", "start_ms", "end_ms", "quantity")
    return False


def _entry(resource_id: str, columns: Sequence[Any]) -> Entry:
    entry_id, start_ms, end_ms, quantity = columns
    return Entry(
        resource_id=resource_id, id=entry_id, start_ms=start_ms, end_ms=end_ms, quantity=quantity
    )
