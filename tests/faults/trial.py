"""A trial: a cluster, clients, faults, and at its end the question whether all promises held."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from math import inf
from typing import Any, NamedTuple

from msgspec.structs import replace

from tests.builders import DAY, HOUR_MS, at
from tests.faults.checks import AVAILABLE_S, violations
from tests.faults.client import Client
from tests.faults.cluster import Cluster
from tests.faults.history import History, Judgement, Slot, Window
from tests.faults.lives import Lives

_PROBES = count(1)
_PROBE = {"what": "probe", "where": "", "description": "", "duration": 1}


class Figures(NamedTuple):
    """What a trial came to."""

    operations: int
    faults: int
    violations: int
    slowest_recovery_s: float


class Trial:
    """What happens to one cluster.

    Args:
        cluster: up and ready.

    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.history = History(terms=cluster.terms)
        self.client = Client(cluster.urls, self.history)
        self._logged = [server.logged() for server in cluster.servers]

    async def register(self, capacities: Mapping[str, int]) -> None:
        """Register resources with these capacities."""
        for resource_id, capacity in capacities.items():
            body = {"id": resource_id, "name": resource_id, "capacity": capacity}
            assert await self.client.request(0, "POST", "/v2/resources", body) == 201
        self.history.terms = replace(self.history.terms, capacities=dict(capacities))

    def begin(self, name: str, *, loses_data: bool = False, freezes: bool = False) -> Window:
        """Tell the history that a fault begins."""
        window = Window(name=name, began_s=time.monotonic(), loses_data=loses_data, freezes=freezes)
        self.history.windows.append(window)
        return window

    def end(self, window: Window) -> None:
        """Tell the history that a fault is over, and the service well."""
        window.ended_s = window.healed_s = time.monotonic()

    @asynccontextmanager
    async def fault(
        self, name: str, *, loses_data: bool = False, freezes: bool = False
    ) -> AsyncIterator[Window]:
        """Tell the history of a fault, which the body begins and ends; wait for the service."""
        window = self.begin(name, loses_data=loses_data, freezes=freezes)
        yield window
        window.ended_s = time.monotonic()
        if await self.is_well(AVAILABLE_S + 5):
            window.healed_s = time.monotonic()

    async def is_well(self, within_s: float) -> bool:
        """Wait until every server is ready and reserves; tell whether that came about."""
        until_s = time.monotonic() + within_s
        servers = range(len(self.cluster.servers))
        while time.monotonic() < until_s:
            if all(await asyncio.gather(*map(self._serves, servers))):
                return True
            await asyncio.sleep(0.05)
        return False

    async def _serves(self, server: int) -> bool:
        if await self.client.request(server, "GET", "/readyz") != 200:
            return False
        slot = {"start": f"{DAY}T10:00:00Z", "end": f"{DAY}T11:00:00Z"}
        body = _PROBE | slot | {"resource_id": f"probe-{next(_PROBES)}"}
        return await self.client.request(server, "POST", "/v2/bookings/reserve", body) == 201

    async def judge(self, choice: list[Slot], *, waiting_s: float | None = None) -> list[str]:
        """Ask every server about every slot, then return all violations.

        Args:
            choice: the slots.
            waiting_s: how long reservations get to lapse; None deletes their keys, as an
                operator may, which is sooner.

        """
        await self._settle()
        if waiting_s is None:
            await self._delete_reservations()
        else:
            await asyncio.sleep(waiting_s)
        mine = {slot.resource_id for slot in choice}
        rows = await self.cluster.bookings.rows()
        self.history.stored = [row for row in rows if row.slot.resource_id in mine]
        for server in range(len(self.cluster.servers)):
            for slot in choice:
                await self._judge(slot, server)
        return violations(self.history) + self._errors()

    def forgive(self) -> None:
        """Leave out of account what the servers have logged until now."""
        self._logged = [server.logged() for server in self.cluster.servers]

    def _errors(self) -> list[str]:
        """Return what the servers have logged as errors since this began."""
        begun = zip(self.cluster.servers, self._logged, strict=True)
        return [f"logged: {line}" for server, byte in begun for line in server.errors(byte)]

    async def _settle(self) -> None:
        """Wait until nothing that was sent can have an effect any more."""
        lives = Lives(self.history)
        late_s = [lives.latest_s(op) for op in self.history.ops if op.uncertain]
        latest_s = max((one for one in late_s if one < inf), default=0.0)
        await asyncio.sleep(max(0, latest_s - time.monotonic()))

    async def _delete_reservations(self) -> None:
        now_s = time.monotonic()
        async with self.cluster.redis_client() as redis:
            async for key in redis.scan_iter("reservation:*", count=1000):
                await redis.delete(key)
        self.history.windows.append(
            Window(
                name="reservations deleted",
                began_s=now_s,
                ended_s=time.monotonic(),
                healed_s=time.monotonic(),
                loses_data=True,
            )
        )

    async def _judge(self, slot: Slot, server: int) -> None:
        claim = await self.client.reserve(slot, 1, server=server)
        if claim.granted or claim.refused:
            self.history.judgements.append(
                Judgement(slot=slot, server=server, granted=claim.granted)
            )
        if claim.granted:
            await self.client.release(claim, server=server)

    def figures(self, found: list[str]) -> Figures:
        """Return the figures of what has happened so far."""
        faults = [one for one in self.history.windows if one.name != "reservations deleted"]
        slowest_s = max((one.healed_s - one.ended_s for one in faults), default=0.0)
        return Figures(len(self.history.ops), len(faults), len(found), slowest_s)

    async def close(self) -> None:
        """Close every connection."""
        await self.client.close()


@asynccontextmanager
async def trial(**cluster: Any) -> AsyncIterator[Trial]:
    """Run a cluster of these arguments, and what is to happen to it."""
    async with Cluster(**cluster) as running:
        made = Trial(running)
        try:
            yield made
        finally:
            await made.close()


def slot_of(resource_id: str, hour: float = 10) -> Slot:
    """Return an hour of a resource."""
    return Slot(resource_id, at(hour), at(hour) + HOUR_MS)
