"""The names of all Redis keys; no other module builds one.

Everything about a resource carries the hash tag `{<resource id>}` and so lies on one node
of a Redis Cluster (Redis docs, "Cluster specification", hash tags).
"""

import re

from reservesvc.domain.reservation import ReservationId

ANY_ULID = "0" * 26
"""Stands in where a script only derives other reservations' keys from the one it gets."""


class Keys:
    """Key names under one prefix (`RESERVESVC_KEY_PREFIX`)."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def reservation(self, reservation_id: ReservationId) -> str:
        """Return the key that is the truth about a reservation."""
        return f"{self._prefix}reservation:{{{reservation_id.resource_id}}}:{reservation_id.ulid}"

    def ended(self, reservation_id: ReservationId) -> str:
        """Return the key of a reservation's tombstone."""
        return f"{self._prefix}ended:{{{reservation_id.resource_id}}}:{reservation_id.ulid}"

    def slots(self, resource_id: str) -> str:
        """Return the key of a resource's index, a sorted set."""
        return f"{self._prefix}slots:{{{resource_id}}}"

    def fence(self, resource_id: str) -> str:
        """Return the key that says under which fence the index was built."""
        return f"{self._prefix}fence:{{{resource_id}}}"

    def overlap(self, resource_id: str) -> str:
        """Return the key that says how long overlapping entries of the index can be."""
        return f"{self._prefix}overlap:{{{resource_id}}}"

    def index(self, resource_id: str) -> tuple[str, str, str]:
        """Return slots, fence and overlap of a resource."""
        return self.slots(resource_id), self.fence(resource_id), self.overlap(resource_id)

    def fence_pattern(self) -> str:
        """Return the glob that matches the keys of all fences, and others only by accident."""
        return f"{self._prefix_in_glob()}fence:{{*}}"

    def resource_of_fence(self, key: str) -> str | None:
        """Return whose fence `key` names, or None where it names none."""
        resource_id = key.removeprefix(f"{self._prefix}fence:{{").removesuffix("}")
        return resource_id if key == self.fence(resource_id) else None

    def reservation_pattern(self, resource_id: str | None) -> str:
        """Return the glob that matches the keys of a resource's reservations, or of all."""
        return f"{self._prefix_in_glob()}reservation:{{{resource_id or '*'}}}:*"

    def reservation_of(self, key: str) -> ReservationId | None:
        """Return which reservation `key` is the truth about, or None where it is no such key."""
        resource_id, _, ulid = key.removeprefix(f"{self._prefix}reservation:{{").partition("}:")
        found = ReservationId.parse(f"{resource_id}.{ulid}")
        return found if found and key == self.reservation(found) else None

    def _prefix_in_glob(self) -> str:
        return re.sub(r"([][*?\\])", r"\\\1", self._prefix)

    def resync(self, resource_id: str) -> str:
        """Return the key that holds the ticket of a running resync."""
        return f"{self._prefix}resync:{{{resource_id}}}"

    def ready(self, tag: str) -> str:
        """Return the key that is written to find out whether a server takes writes.

        Args:
            tag: a hash tag whose slot the server has.

        """
        return f"{self._prefix}ready:{{{tag}}}"

    def idempotency(self, resource_id: str, digest: str) -> str:
        """Return the key that remembers what an Idempotency-Key reserved."""
        return f"{self._prefix}idempotency:{{{resource_id}}}:{digest}"
