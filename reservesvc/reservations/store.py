"""`ports.ReservationStore` on Redis: one typed method a script, its reply parsed on the spot."""

from collections.abc import Sequence

from reservesvc.domain.outcomes import (
    Cold,
    Ended,
    Extended,
    ExtensionLimit,
    KeyReused,
    Live,
    OutOfReach,
    Released,
    ReplayedEnded,
    Reserved,
    Taken,
    Unsettled,
)
from reservesvc.domain.reservation import Claim, Reservation, ReservationId, granted
from reservesvc.domain.slot import ANY_TIME, Span
from reservesvc.errors import UnavailableError
from reservesvc.ports import Ask, Idempotency, Ids
from reservesvc.reservations.answers import ended, readable, reserve_outcome, unexpected
from reservesvc.reservations.caller import Caller
from reservesvc.reservations.claim_packing import ClaimPacking
from reservesvc.reservations.handoffs import Handoffs
from reservesvc.reservations.indexes import Indexes
from reservesvc.reservations.keys import Keys
from reservesvc.reservations.lifetimes import Times
from reservesvc.reservations.usages import Usages

__all__ = ["RedisReservations", "Times"]

SWEEP = 64
"""Dead entries dropped in one call; bounds how long it keeps Redis from others."""


class RedisReservations(Handoffs, Indexes, Usages):
    """The reservations of all resources, on one Redis."""

    def __init__(self, caller: Caller, keys: Keys, ids: Ids, limits: Times) -> None:
        super().__init__(caller, keys, ids, limits)
        self._packing = ClaimPacking(
            keys,
            past_ms=limits.past_ms,
            ahead_ms=limits.ahead_ms,
            index_ttl_ms=limits.index_ttl_ms,
            sweep=SWEEP,
            idempotency_ms=limits.idempotency_ms,
        )
        self._reserve = self._scripts["reserve"]

    async def reserve(
        self, claim: Claim, capacity: int, idempotency: Idempotency | None
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Hold the slot if nothing blocks it, atomically."""
        call = self._packing.packed(claim, capacity, idempotency)
        answer = await self._call_packed(self._reserve, call)
        if answer[0] == b"reserved":  # nearly always
            return Reserved(reservation=granted(claim, answer[1]))
        while answer[0] == b"swept":
            answer = await self._call_packed(self._reserve, call)
        return reserve_outcome(claim, answer)

    async def reserve_many(
        self, asks: Sequence[Ask]
    ) -> list[Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken | UnavailableError]:
        """Reserve each, all sent together; one that failed has its error in its place."""
        calls = [self._packing.packed(*ask) for ask in asks]
        answers = await self._call_many(self._scripts["reserve"], calls)
        while swept := [place for place, answer in enumerate(answers) if answer == [b"swept"]]:
            again = await self._call_many(
                self._scripts["reserve"], [calls[place] for place in swept]
            )
            for place, answer in zip(swept, again, strict=True):
                answers[place] = answer
        return [
            answer if isinstance(answer, UnavailableError) else reserve_outcome(ask[0], answer)
            for ask, answer in zip(asks, answers, strict=True)
        ]

    async def reserve_instead(
        self, claim: Claim, capacity: int, entry_id: str
    ) -> Reserved | ReplayedEnded | KeyReused | OutOfReach | Cold | Taken:
        """Hold the slot as `reserve` does, with the entry `entry_id` in nobody's way."""
        call = self._packing.packed_instead(claim, capacity, entry_id)
        while (answer := await self._call_packed(self._reserve, call)) == [b"swept"]:
            pass
        return reserve_outcome(claim, answer)

    async def read(self, reservation_id: ReservationId) -> Live | Ended:
        """Return the reservation, or how it ended as far as Redis knows."""
        keys = [self._keys.reservation(reservation_id), self._keys.ended(reservation_id)]
        match await self._call(self._scripts["read"], keys, ()):
            case [b"live", now_ms, document]:
                found = readable(reservation_id, document, now_ms)
                return Ended() if found is None else Live(reservation=found)
            case [b"gone", tombstone]:
                return ended(tombstone)
            case answer:
                raise unexpected("read", answer)

    async def live(
        self, resource_id: str, limit: int, offset: int, span: Span = ANY_TIME
    ) -> tuple[list[Reservation], int] | Cold:
        """Return one page of a resource's live reservations by start, and how many there are."""
        found = await self.index(resource_id)
        if isinstance(found, Cold):
            return found
        rows = [row for row in found.entries if row.has_key]
        ids = [row.entry.id for row in rows if span.meets(row.entry.start_ms, row.entry.end_ms)]
        wanted = [ReservationId(resource_id, ulid) for ulid in ids[offset : offset + limit]]
        outcomes = [await self.read(reservation_id) for reservation_id in wanted]
        live = [outcome.reservation for outcome in outcomes if isinstance(outcome, Live)]
        return live, len(ids)

    async def extend(
        self, reservation_id: ReservationId, duration_ms: int
    ) -> Extended | Ended | Unsettled | ExtensionLimit:
        """Move the deadline to `duration_ms` from now, if that is later."""
        keys = self._keys_of_one(reservation_id)
        answer = await self._call(self._scripts["extend"], keys, (duration_ms, self._times.life_ms))
        match answer:
            case [b"extended", now_ms, document]:
                found = readable(reservation_id, document, now_ms)
                return Ended() if found is None else Extended(reservation=found)
            case [b"gone", tombstone]:
                return ended(tombstone)
            case [b"unsettled"]:
                return Unsettled()
            case [b"limit", latest_ms]:
                return ExtensionLimit(latest_ms=latest_ms)
            case _:
                raise unexpected("extend", answer)

    async def release(
        self, reservation_id: ReservationId, idempotency: Idempotency | None = None
    ) -> Released | Ended | Unsettled:
        """Free the slot and leave a tombstone; `idempotency` is forgotten with it."""
        keys = self._keys_of_one(reservation_id)
        if idempotency:
            keys.append(self._keys.idempotency(reservation_id.resource_id, idempotency.digest))
        match await self._call(self._scripts["release"], keys, (self._times.ended_ms,)):
            case [b"released", _]:
                return Released()
            case [b"gone", tombstone]:
                return ended(tombstone)
            case [b"unsettled"]:
                return Unsettled()
            case answer:
                raise unexpected("release", answer)

    def _keys_of_one(self, reservation_id: ReservationId) -> list[str]:
        return [
            self._keys.reservation(reservation_id),
            self._keys.slots(reservation_id.resource_id),
            self._keys.ended(reservation_id),
        ]
