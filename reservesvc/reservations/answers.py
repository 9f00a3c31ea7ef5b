"""What the scripts answer, as values of the domain; one function an answer that needs one."""

from typing import Any, Literal

from reservesvc import unreadable
from reservesvc.domain import times
from reservesvc.domain.entry import Entry
from reservesvc.domain.outcomes import (
    Cold,
    Ended,
    KeyReused,
    OutOfReach,
    Past,
    ReplayedEnded,
    Reserved,
    Taken,
    TooFar,
)
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, granted, stored
from reservesvc.ports import IndexEntry

KINDS: dict[bytes, Literal["reserved", "unsettled", "booked"]] = {
    b"r": "reserved",
    b"u": "unsettled",
    b"b": "booked",
}


def reserve_outcome(  # noqa: PLR0911 - a table: one row an answer
    claim: Claim, answer: list[Any]
) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
    """Return what reserve.lua answered to `claim`."""
    match answer:
        case [b"reserved", now_ms]:
            return Reserved(reservation=granted(claim, now_ms))
        case [b"taken", by, retry_after_ms]:
            return Taken(
                by=by.decode(), retry_after_ms=None if retry_after_ms < 0 else retry_after_ms
            )
        case [b"cold"]:
            return Cold()
        case [b"replayed", now_ms, ulid, document]:
            found = ReservationId(claim.id.resource_id, ulid.decode())
            reservation = readable(found, document, now_ms)
            if reservation is None:
                return ReplayedEnded(ulid=ulid.decode())
            # The same ULID: our own claim, whose first reply was lost.
            return Reserved(reservation=reservation, replayed=found != claim.id)
        case [b"replayed_ended", ulid]:
            return ReplayedEnded(ulid=ulid.decode())
        case [b"key_reused"]:
            return KeyReused()
        case [b"past", earliest_ms]:
            return Past(earliest_ms=earliest_ms)
        case [b"far", latest_ms]:
            return TooFar(latest_ms=latest_ms)
        case _:
            raise unexpected("reserve", answer)


def index_entry(resource_id: str, row: list[Any]) -> IndexEntry:
    """Return what a row of busy.lua says: kind, start, end, quantity, id, what is left."""
    kind, start_ms, end_ms, quantity, ulid, left_ms = row
    entry = Entry(
        resource_id=resource_id,
        id=ulid.decode(),
        start_ms=start_ms,
        end_ms=end_ms,
        quantity=quantity,
    )
    return IndexEntry(kind=KINDS[kind], entry=entry, has_key=left_ms >= 0)


def readable(reservation_id: ReservationId, document: bytes, now_ms: int) -> Reservation | None:
    """Return the reservation that a key holds, or None where no `reserve` script wrote it."""
    try:
        return stored(reservation_id, document, now_ms)
    except ValueError:
        unreadable.note("reservation", str(reservation_id), "document")
        return None


def ended(tombstone: bytes) -> Ended:
    """Return what a tombstone says: `<state> <when> [<booking id>]`."""
    match tombstone.decode().split():
        case ["released", when]:
            return Ended(state="released", ended_ms=times.parse(when))
        case ["converted", when, booking_id]:
            return Ended(state="converted", ended_ms=times.parse(when), booking_id=booking_id)
        case _:
            return Ended(state="expired")


def unexpected(script: str, answer: list[Any]) -> AssertionError:
    """Return the error of an answer that no header announces."""
    return AssertionError(f"{script}.lua answered what its header does not name: {answer!r}")
