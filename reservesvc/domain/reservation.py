"""A reservation: a temporary claim on a slot, and its one JSON form.

The same JSON object is the value of the Redis key and the core of every HTTP reply. Its
head holds what the Lua scripts write or read, at fixed places, so that no script has to
parse what callers sent:

    {"expires_at":"…","created_at":"…","start":"…","end":"…","quantity":1,…
"""

import re
from typing import Any, Self

import msgspec

from reservesvc.domain import times
from reservesvc.domain.entry import Entry
from reservesvc.domain.slot import is_resource_id

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TOP = 125
_SHIFTS = range(_TOP, -1, -5)
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


class ReservationId(msgspec.Struct, frozen=True, gc=False):
    """`<resource id>.<ULID>`: opaque to clients, enough for us to find the Redis key.

    ULID: github.com/ulid/spec, in its canonical upper case.
    """

    resource_id: str
    ulid: str

    def __str__(self) -> str:
        """Return the text clients see."""
        return self.text

    @property
    def text(self) -> str:
        """The text clients see, sooner."""
        return f"{self.resource_id}.{self.ulid}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the id that `text` names, or None where it can be no reservation's."""
        resource_id, dot, ulid = text.rpartition(".")
        if not dot or not is_resource_id(resource_id) or not ULID.fullmatch(ulid):
            return None
        return cls(resource_id, ulid)


def ulid_of(number: int) -> str:
    """Return the ULID that the last 128 bits of `number` are."""
    return "".join(_DIGITS[number >> shift & (7 if shift == _TOP else 31)] for shift in _SHIFTS)


def numbered(ulid: str, number: int) -> str:
    """Return `ulid` with its last two characters replaced by `number`, from 0 to 1023.

    What is left of its randomness, 70 bits, is still not to be guessed.
    """
    return f"{ulid[:-2]}{_DIGITS[number // 32]}{_DIGITS[number % 32]}"


class Details(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the caller wants the slot for; decides nothing about who gets it."""

    id: str
    reservation_id: str
    resource_id: str
    project_id: str | None
    duration: int
    what: str
    where: str
    description: str
    customer: dict[str, Any]
    graph: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Details).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request for a slot that passed every check that needs no Redis."""

    id: ReservationId
    start_ms: int
    end_ms: int
    quantity: int
    duration_ms: int
    document: bytes
    """the JSON form from `start` on: what is known before Redis says when"""


class Reservation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reservation as Redis held it at `now_ms`."""

    id: ReservationId
    front: str
    """What the script put in front: the JSON form up to `start`, without its brace,"""
    rest: bytes
    """and from there on; a reply puts more before it and has no need to take it apart."""
    start_ms: int
    end_ms: int
    quantity: int
    expires_ms: int
    """Its deadline; later than the key's own end never, earlier while it is handed off."""
    created_ms: int
    now_ms: int

    @property
    def document(self) -> bytes:
        """The JSON object, whole."""
        return b"".join((b"{", self.front.encode(), self.rest))

    @property
    def entry(self) -> Entry:
        """Its place in the index."""
        return Entry(
            resource_id=self.id.resource_id,
            id=self.id.ulid,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            quantity=self.quantity,
        )

    @property
    def remaining_ms(self) -> int:
        """How much longer the slot is held, as of `now_ms`."""
        return max(0, self.expires_ms - self.now_ms)

    def details(self) -> Details:
        """Return what the caller wanted the slot for."""
        return _decode(self.document)


def document(start_ms: int, end_ms: int, quantity: int, details: Details) -> bytes:
    """Return the JSON form from `start` on."""
    head = (
        f'"start":"{times.render(start_ms)}","end":"{times.render(end_ms)}","quantity":{quantity},'
    )
    return head.encode() + _encode(details)[1:]


def granted(claim: Claim, now_ms: int) -> Reservation:
    """Return the reservation that the `reserve` script wrote for `claim` at `now_ms`."""
    expires_ms = now_ms + claim.duration_ms
    expires_at, created_at = times.render_now(expires_ms), times.render_now(now_ms)
    return Reservation(
        id=claim.id,
        front=f'"expires_at":"{expires_at}","created_at":"{created_at}",',
        rest=claim.document,
        start_ms=claim.start_ms,
        end_ms=claim.end_ms,
        quantity=claim.quantity,
        expires_ms=expires_ms,
        created_ms=now_ms,
        now_ms=now_ms,
    )


FRONT_BYTES = len('{"expires_at":"","created_at":"",') + 2 * times.WIDTH
_HEAD = re.compile(
    rb'\{"expires_at":"([^"]{24})","created_at":"([^"]{24})",'
    rb'"start":"([^"]{24})","end":"([^"]{24})","quantity":(\d+),'
)


def _is_object(document: bytes) -> bool:
    """Tell whether the document is whole: it is put into replies without being taken apart."""
    try:
        _decode_object(document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def stored(reservation_id: ReservationId, document: bytes, now_ms: int) -> Reservation:
    """Return the reservation that a Redis key holds.

    Raises:
        ValueError: the key's value was not written by a `reserve` script.

    """
    head = _HEAD.match(document)
    moments = [times.parse(text.decode()) for text in head.groups()[:4]] if head else []
    if head is None or None in moments or not _is_object(document):
        message = f"the value of {reservation_id}'s key is not a reservation"
        raise ValueError(message)
    expires_ms, created_ms, start_ms, end_ms = (moment or 0 for moment in moments)
    return Reservation(
        id=reservation_id,
        created_ms=created_ms,
        front=document[1:FRONT_BYTES].decode(),
        rest=document[FRONT_BYTES:],
        start_ms=start_ms,
        end_ms=end_ms,
        quantity=int(head[5]),
        expires_ms=expires_ms,
        now_ms=now_ms,
    )
