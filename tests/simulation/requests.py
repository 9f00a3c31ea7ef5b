"""What clients ask for, and what they remember of the answers to ask about it later."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from reservesvc.domain.booking import Booking
from reservesvc.domain.outcomes import (
    Booked,
    CartReserved,
    Changed,
    Deleted,
    Ended,
    NotOpen,
    Released,
    Reserved,
)
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.wish import Wish
from reservesvc.flow.act import act
from reservesvc.flow.batch import reserve_all, reserve_each
from reservesvc.flow.book import book, hand_off
from reservesvc.flow.delete import delete
from reservesvc.flow.extend import extend
from reservesvc.flow.read import live, read
from reservesvc.flow.release import release
from reservesvc.flow.reschedule import reschedule
from reservesvc.flow.reserve import reserve
from reservesvc.flow.tidy import tidy
from reservesvc.ports import Idempotency, Stores
from tests.simulation.given import LIMITS, key_of, parts_of, room, wish_of
from tests.simulation.plan import Item

T = TypeVar("T")
ON_TENTATIVE = ("confirm", "decline")
"""actions that somebody takes who was asked"""
RECENT = 12
"""who asks again asks about one of so many last ones"""


class DeadlineError(Exception):
    """The client was not answered in time, or did not wait: it knows nothing."""


class Request(NamedTuple):
    """One request: what it is called in the record, and the flow's work on it."""

    name: str
    arguments: tuple[Any, ...]
    work: Callable[[], Awaitable[Any]]


class Clients:
    """What clients remember of what they were told."""

    def __init__(self) -> None:
        self._reservations = Memory[ReservationId]()
        self._bookings = Memory[str]()
        self._tentative = Memory[str]()
        self._over = Memory[str]()
        self._keyed: dict[str, str] = {}

    def hear(self, request: Request, outcome: object) -> None:
        """Remember an answer."""
        for reservation in reservations_in(outcome):
            self._reservations.add(reservation)
        if isinstance(outcome, Booked):
            self._reservations.close(request.arguments[0])
            is_tentative = outcome.booking.state == "tentative"
            (self._tentative if is_tentative else self._bookings).add(outcome.booking.id)
        elif isinstance(outcome, Released | Ended):
            self._reservations.close(request.arguments[0])
        elif isinstance(outcome, Changed | NotOpen):
            self._bookings.close(request.arguments[0])
            self._tentative.close(request.arguments[0])
            if request.name == "confirm" and isinstance(outcome, Changed):
                self._bookings.add(request.arguments[0])
            elif is_over(outcome.booking):
                self._over.add(request.arguments[0])
        elif isinstance(outcome, Deleted):
            self._over.close(request.arguments[0])

    def reservation(self, lot: float, *, again: bool) -> ReservationId | None:
        """Return a reservation they heard of."""
        return self._reservations.pick(lot, again=again)

    def booking(self, kind: str, lot: float, *, again: bool) -> str | None:
        """Return a booking they heard of, for an action of this kind."""
        known = self._over if kind == "delete" else self._bookings
        known = self._tentative if kind in ON_TENTATIVE else known
        return known.pick(lot, again=again)

    def sent_for(self, key: str, booking: str) -> str:
        """Return the booking that a key was first sent for: this one, if it is new."""
        return self._keyed.setdefault(key, booking)


class Memory(Generic[T]):
    """Names by when they were heard; those with something left to do come first."""

    def __init__(self) -> None:
        self._all: dict[T, None] = {}
        self._open: list[T] = []

    def add(self, name: T) -> None:
        """Remember a name, once."""
        if name not in self._all:
            self._all[name] = None
            self._open.append(name)

    def close(self, name: object) -> None:
        """Note that there is nothing left to do with the name, if it is one."""
        if name in self._open:
            self._open.remove(name)

    def pick(self, lot: float, *, again: bool) -> T | None:
        """Return one that is open, or else one of the last, or None where there is none."""
        if self._open and not again:
            return self._open[int(lot * len(self._open))]
        last = list(self._all)[-RECENT:]
        return last[int(lot * len(last))] if last else None


def is_over(booking: Booking) -> bool:
    """Tell whether the booking has nothing left to come, and so can be deleted."""
    return not booking.life.open_actions(booking.state)


def reservations_in(outcome: object) -> list[ReservationId]:
    """Return the reservations that an answer names as the caller's."""
    match outcome:
        case Reserved(reservation=reservation):
            return [reservation.id]
        case CartReserved(reservations=reservations):
            return [reservation.id for reservation in reservations]
        case [*outcomes]:
            return [id_ for each in outcomes for id_ in reservations_in(each)]
        case _:
            return []


def request_of(
    item: Item, stores: Stores, clients: Clients, newest_booking: str | None, lot: float
) -> Request | None:
    """Return the request that the item is, on one server; None where there is nothing to ask.

    Args:
        item: of the plan.
        stores: the server's.
        clients: know what there is to ask about.
        newest_booking: the target of an action, for somebody who lists bookings and acts.
        lot: picks the target otherwise.

    """
    if item.kind in _ON_SLOTS:
        return _ON_SLOTS[item.kind](stores, item)
    if item.kind in _ON_RESERVATIONS:
        target = clients.reservation(lot, again=item.asks_again)
        if target is None:
            return None
        verb = _ON_RESERVATIONS[item.kind]
        return Request(item.kind, (target,), lambda: verb(stores, target, item))
    booking = newest_booking or clients.booking(item.kind, lot, again=item.asks_again)
    if booking is None:
        return None
    if item.key:
        booking = clients.sent_for(item.key, booking)
    return _ON_BOOKINGS.get(item.kind, _act)(stores, booking, item)


def _reserve(stores: Stores, item: Item) -> Request:
    key = key_of(item)
    return Request("reserve", (item, key), lambda: reserve(stores, LIMITS, wish_of(item), key))


def _book(stores: Stores, item: Item) -> Request:
    key = key_of(item)
    return Request(item.kind, (item, key), lambda: book(stores, LIMITS, wish_of(item), key))


def _reserve_each(stores: Stores, item: Item) -> Request:
    key, wishes = key_of(item), _wishes(item)
    return Request("reserve_each", (item, key), lambda: reserve_each(stores, LIMITS, wishes, key))


def _reserve_all(stores: Stores, item: Item) -> Request:
    key, wishes = key_of(item), _wishes(item)
    return Request("reserve_all", (item, key), lambda: reserve_all(stores, LIMITS, wishes, key))


def _live(stores: Stores, item: Item) -> Request:
    resource_id = room(item.resource)
    return Request("live", (resource_id,), lambda: live(stores, resource_id, 50, 0))


def _tidy(stores: Stores, item: Item) -> Request:
    resource_id = room(item.resource)
    return Request("tidy", (resource_id,), lambda: tidy(stores, resource_id))


def _reschedule(stores: Stores, booking: str, item: Item) -> Request:
    key, wish = key_of(item, booking), wish_of(item)
    work = partial(reschedule, stores, LIMITS, booking, wish, key)
    return Request("reschedule", (booking, item, key), work)


def _delete(stores: Stores, booking: str, _: Item) -> Request:
    return Request("delete", (booking,), partial(delete, stores, booking))


def _act(stores: Stores, booking: str, item: Item) -> Request:
    key = Idempotency(f"{item.kind}-{booking}", "a") if item.number % 4 else None
    action = partial(act, stores, booking, item.kind, limits=LIMITS, idempotency=key)
    return Request(item.kind, (booking, key), action)


def _wishes(item: Item) -> list[Wish]:
    return [wish_of(part) for part in parts_of(item)]


_ON_SLOTS: dict[str, Callable[[Stores, Item], Request]] = {
    "reserve": _reserve,
    "book": _book,
    "ask": _book,
    "reserve_each": _reserve_each,
    "reserve_all": _reserve_all,
    "live": _live,
    "tidy": _tidy,
}
_ON_BOOKINGS: dict[str, Callable[[Stores, str, Item], Request]] = {
    "reschedule": _reschedule,
    "delete": _delete,
}
_ON_RESERVATIONS: dict[str, Callable[[Stores, ReservationId, Item], Awaitable[Any]]] = {
    "hand_off": lambda stores, target, _: hand_off(stores, Wish(), target, None),
    "extend": lambda stores, target, item: extend(stores, target, item.duration_s),
    "release": lambda stores, target, _: release(stores, target),
    "read": lambda stores, target, _: read(stores, target),
}
