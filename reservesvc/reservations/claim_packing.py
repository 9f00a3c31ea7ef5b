"""The calls of reserve.lua, packed; what is the same for many claims is kept ready."""

from functools import lru_cache

from reservesvc.domain.reservation import Claim, ReservationId
from reservesvc.ports import Idempotency
from reservesvc.reservations.keys import ANY_ULID, Keys
from reservesvc.reservations.packed import Packed, bulk

REMEMBERED_MAX = 100_000
"""Resources whose packed keys are kept; then all are forgotten and made anew."""
_NO_KEY = bulk("") * 2
"""in the places of what goes with an Idempotency-Key"""


class ClaimPacking:
    """Packs claims, in the order of KEYS and ARGV in the header of reserve.lua.

    Args:
        keys: names the keys.
        past_ms: how long ago a slot may have ended.
        ahead_ms: how far ahead a slot may end.
        index_ttl_ms: how long an idle index stays.
        sweep: most dead entries to drop in one call.
        idempotency_ms: how long an Idempotency-Key is remembered.

    """

    def __init__(
        self,
        keys: Keys,
        *,
        past_ms: int,
        ahead_ms: int,
        index_ttl_ms: int,
        sweep: int,
        idempotency_ms: int,
    ) -> None:
        self._keys = keys
        limits = past_ms, ahead_ms, index_ttl_ms, sweep
        self._after_document = b"\r\n" + b"".join(map(bulk, limits))
        self._idempotency_ms = bulk(idempotency_ms)
        self._around_ulid: dict[str, tuple[str, str]] = {}

    def packed(self, claim: Claim, capacity: int, idempotency: Idempotency | None) -> Packed:
        """Return the call that claims the slot."""
        resource_id = claim.id.resource_id
        before, after = self._around_ulid.get(resource_id) or self._learnt(resource_id)
        keys = f"{before}{claim.id.ulid}{after}".encode()
        arguments = b"%b%b%b%b%b$%d\r\n%b%b" % (
            _number(claim.start_ms),
            _number(claim.end_ms),
            _number(claim.quantity),
            _number(capacity),
            _number(claim.duration_ms),
            len(claim.document),
            claim.document,
            self._after_document,
        )
        if idempotency is None:
            return Packed(4, keys, 10, arguments)
        keys += bulk(self._keys.idempotency(resource_id, idempotency.digest))
        return Packed(5, keys, 12, arguments + bulk(idempotency.fingerprint) + self._idempotency_ms)

    def packed_instead(self, claim: Claim, capacity: int, entry_id: str) -> Packed:
        """Return the call that claims the slot as if the entry `entry_id` were not there."""
        call = self.packed(claim, capacity, None)
        return Packed(call.keys_count, call.keys, 13, call.arguments + _NO_KEY + bulk(entry_id))

    def _learnt(self, resource_id: str) -> tuple[str, str]:
        """Return the packed keys of a claim on the resource, what goes before its ULID and after.

        ULIDs have one length, so that of the key is known.
        """
        if len(self._around_ulid) >= REMEMBERED_MAX:
            self._around_ulid.clear()
        any_key = bulk(self._keys.reservation(ReservationId(resource_id, ANY_ULID)))
        before, _, line_end = any_key.rpartition(ANY_ULID.encode())
        after = line_end + b"".join(map(bulk, self._keys.index(resource_id)))
        self._around_ulid[resource_id] = known = before.decode(), after.decode()
        return known


@lru_cache(8192)
def _number(value: int) -> bytes:
    """Return a number packed: quantities, durations and times are mostly the same few."""
    return bulk(value)
