"""The doctor: look at everything a step at a time, look again at what seems wrong, repair it.

Knows no configuration and prints nothing. Works beside running servers, and asks Redis for a
little at a time: between two steps there is a pause, in which others are served.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from reservesvc.doctor_report import Report
from reservesvc.domain.finding import Finding
from reservesvc.domain.reservation import ReservationId
from reservesvc.flow.examine import Examination, examine
from reservesvc.flow.repair import repair
from reservesvc.ports import Stores

PAUSE_S = 0.005
"""between two steps: a step takes Redis well under a millisecond"""
RESOURCES_AT_ONCE = 500
"""how many the booking store is asked for in one step"""
REPAIRS = 3
"""how often to try: another server may be resyncing at the same time"""
LOOKS = 2
"""how often the same has to be seen to be more than a moment's"""


class Doctor:
    """Looks at all resources, or at one.

    Args:
        stores: to be compared.
        look_again_s: longer than any request takes: what is under way is over then.
        tell: told, after each step, how far it is.
        sleep: waits so many seconds.

    """

    def __init__(
        self,
        stores: Stores,
        look_again_s: float,
        tell: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._stores = stores
        self._look_again_s = look_again_s
        self._tell = tell
        self._sleep = sleep
        self._since_ms = 0
        self._keyed: dict[str, list[ReservationId]] = defaultdict(list)

    async def look(self, resource_id: str | None, *, fix: bool) -> Report:
        """Return what is wrong; with `fix`, after it was repaired as far as it can be.

        Args:
            resource_id: the one to look at; None looks at all.
            fix: whether to change anything.

        Raises:
            UnavailableError: a store could not be asked.

        """
        self._since_ms = await self._stores.reservations.since_ms()
        await self._find_keys(resource_id)
        names = [resource_id] if resource_id else await self._resources()
        report = Report()
        seen = await self._examined(names, report)
        found = await self._confirmed(seen)
        report.found = report.left = _in_order(found)
        for _ in range(REPAIRS if fix else 0):
            if not _repairable(found):
                break
            await self._repair(found)
            found = await self._confirmed(await self._examined(found))
            report.left = _in_order(found)
        return report

    async def _find_keys(self, resource_id: str | None) -> None:
        cursor, is_first, count = 0, True, 0
        while cursor or is_first:
            is_first = False
            found, cursor = await self._stores.reservations.held(cursor, resource_id)
            for reservation_id in found:
                self._keyed[reservation_id.resource_id].append(reservation_id)
                count += 1
            self._tell(f"found {count} reservations so far")
            await self._sleep(PAUSE_S)

    async def _resources(self) -> list[str]:
        """Return all that any of the three knows of: booking store, indexes, reservations."""
        names = set(self._keyed)
        async for some in self._pages():
            names.update(some)
            self._tell(f"found {len(names)} resources so far")
            await self._sleep(PAUSE_S)
        return sorted(names)

    async def _pages(self) -> AsyncIterator[list[str]]:
        cursor, is_first = 0, True
        while cursor or is_first:
            is_first = False
            some, cursor = await self._stores.reservations.indexes(cursor)
            yield some
        after = ""
        while page := await self._stores.bookings.used_resources(after, RESOURCES_AT_ONCE):
            yield page
            after = page[-1]

    async def _examined(
        self, names: Iterable[str], report: Report | None = None
    ) -> dict[str, frozenset[Finding]]:
        """Return what is found of each resource that has something."""
        found: dict[str, frozenset[Finding]] = {}
        names = list(names)
        for number, name in enumerate(names):
            keyed = self._keyed.get(name, [])
            one = await examine(self._stores, name, self._since_ms, keyed)
            if one.findings:
                found[name] = one.findings
            if report:
                _count(report, one)
                self._tell(f"looked at {number + 1} of {len(names)} resources")
            await self._sleep(PAUSE_S)
        return found

    async def _confirmed(
        self, seen: dict[str, frozenset[Finding]]
    ) -> dict[str, frozenset[Finding]]:
        """Return what of it is there still when whatever was under way is over."""
        for _ in range(LOOKS - 1):
            if not seen:
                return seen
            await self._sleep(self._look_again_s)
            again = await self._examined(seen)
            both = {name: seen[name] & findings for name, findings in again.items()}
            seen = {name: findings for name, findings in both.items() if findings}
        return seen

    async def _repair(self, found: dict[str, frozenset[Finding]]) -> None:
        for name, findings in found.items():
            await repair(self._stores, name, findings)
            await self._sleep(PAUSE_S)


def _count(report: Report, one: Examination) -> None:
    report.resources += 1
    report.cold += one.is_cold
    report.bookings += one.bookings
    report.reservations += one.reservations


def _repairable(found: dict[str, frozenset[Finding]]) -> bool:
    return any(finding.is_repairable for findings in found.values() for finding in findings)


def _in_order(found: dict[str, frozenset[Finding]]) -> list[Finding]:
    findings = [finding for some in found.values() for finding in some]
    return sorted(findings, key=lambda one: (one.entry.resource_id, one.entry.start_ms, one.kind))
