"""A reservation's id and its JSON form."""

import msgspec
import pytest

from reservesvc.domain.reservation import ReservationId, granted, stored
from tests.builders import DAY, ROOM, a_claim, at

ULID = "01JD0000000000000000000000"


@pytest.mark.parametrize("resource_id", ["room-1", "a.b.c", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"])
def test_an_id_is_parsed_back(resource_id: str) -> None:
    """A resource id may have dots itself."""
    assert ReservationId.parse(f"{resource_id}.{ULID}") == ReservationId(resource_id, ULID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ULID,
        f".{ULID}",
        f"room-1.{ULID.lower()}",
        f"room-1.{ULID}x",
        f"room-1{ULID}",
        f"ro{{om.{ULID}",
        f"room-1.8{ULID[1:]}",
        f"room-1.{ULID[:-1]}I",
        f"{'x' * 129}.{ULID}",
        f"room-1.{ULID}\n",
    ],
)
def test_what_can_be_no_id_is_none(text: str) -> None:
    """Nothing that could reach another key, and no ULID that is none."""
    assert ReservationId.parse(text) is None


def test_the_document_has_every_field_of_the_reply() -> None:
    """Operators read in Redis what clients read over HTTP."""
    reservation = granted(a_claim(), at(0))
    document = msgspec.json.decode(reservation.document)
    assert document == {
        "expires_at": f"{DAY}T00:00:30.000Z",
        "created_at": f"{DAY}T00:00:00.000Z",
        "start": f"{DAY}T10:00:00.000Z",
        "end": f"{DAY}T11:00:00.000Z",
        "quantity": 1,
        "id": str(reservation.id),
        "reservation_id": str(reservation.id),
        "resource_id": ROOM,
        "project_id": None,
        "duration": 30,
        "what": "Haircut",
        "where": "Main street 1",
        "description": "Short",
        "customer": {"name": "Ada"},
        "graph": "instant",
    }


def test_a_stored_document_is_the_granted_one() -> None:
    """What comes back from Redis is what was written, as seen now."""
    reservation = granted(a_claim(), at(0))
    again = stored(reservation.id, reservation.document, at(0) + 10_000)
    assert again == msgspec.structs.replace(reservation, now_ms=at(0) + 10_000)
    assert again.remaining_ms == 20_000
    assert again.details().what == "Haircut"


def test_a_foreign_value_is_not_taken_for_a_reservation() -> None:
    """Somebody wrote into our key: say so, do not guess."""
    with pytest.raises(ValueError, match="is not a reservation"):
        stored(ReservationId(ROOM, ULID), b'{"hello":1}', 0)
