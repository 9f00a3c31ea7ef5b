"""What uses the capacity of many resources: a few calls together, page by page."""

from collections.abc import Sequence
from typing import Any

from reservesvc.domain.entry import Entry
from reservesvc.domain.reservation import ReservationId
from reservesvc.domain.slot import Use
from reservesvc.errors import UnavailableError
from reservesvc.ports import ColdUsages
from reservesvc.reservations.answers import unexpected
from reservesvc.reservations.keys import ANY_ULID
from reservesvc.reservations.packed import Packed, pack
from reservesvc.reservations.scripted import Scripted

PAGE = 256
"""Entries that one call looks at; bounds how long it keeps Redis from others."""
JOINED = 16
"""Calls sent together; what else this process asks of Redis waits behind them."""


class Usages(Scripted):
    """Reads what uses capacities."""

    async def usages(
        self, resource_ids: Sequence[str], start_ms: int, end_ms: int
    ) -> list[list[Use] | ColdUsages]:
        """Return what uses each resource's capacity between the two, in no order."""
        found: list[list[Use] | ColdUsages] = []
        for first in range(0, len(resource_ids), JOINED):
            some = resource_ids[first : first + JOINED]
            walks = [_Walk(resource_id, end_ms) for resource_id in some]
            while walking := [walk for walk in walks if walk.next_ms >= 0]:
                await self._step(walking, start_ms)
            found += [walk.found() for walk in walks]
        return found

    async def _step(self, walking: Sequence["_Walk"], start_ms: int) -> None:
        calls = [self._usage_call(walk, start_ms) for walk in walking]
        answers = await self._call_many(self._scripts["usage"], calls)
        for walk, answer in zip(walking, answers, strict=True):
            if isinstance(answer, UnavailableError):
                # Nothing was to be changed, so nothing is unknown.
                raise UnavailableError(answer.dependency, answer.detail)
            walk.take(answer)

    def _usage_call(self, walk: "_Walk", start_ms: int) -> Packed:
        keys = [
            self._keys.reservation(ReservationId(walk.resource_id, ANY_ULID)),
            *self._keys.index(walk.resource_id),
        ]
        return pack(keys, (start_ms, walk.next_ms, PAGE))


class _Walk:
    """The pages of one resource, as far as they are read."""

    def __init__(self, resource_id: str, end_ms: int) -> None:
        self.resource_id = resource_id
        self.next_ms = end_ms
        self._end_ms = end_ms
        self._parts: list[Any] = []
        self._name: bytes | None = None

    def take(self, answer: list[Any]) -> None:
        """Add a page; begin again where the index became warm or cold after the last one."""
        name, next_ms, *parts = answer
        if name not in (b"used", b"cold"):
            raise unexpected("usage", answer)
        if self._name not in (None, name):
            self._name, self._parts, self.next_ms = None, [], self._end_ms
            return
        self._name, self.next_ms = name, next_ms
        self._parts += parts

    def found(self) -> list[Use] | ColdUsages:
        """Return what all pages say."""
        parts = self._parts
        if self._name == b"used":
            return list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
        rows = zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True)
        return ColdUsages(
            live=[
                Entry(
                    resource_id=self.resource_id,
                    id=ulid.decode(),
                    start_ms=start_ms,
                    end_ms=end_ms,
                    quantity=quantity,
                )
                for start_ms, end_ms, quantity, ulid in rows
            ]
        )
