"""Projects and resources in memory: what every request reads and hardly anybody changes.

Looks at the store's settings version every 0.4 s, so that a change made anywhere holds here
within a second. While the store cannot be reached, what was known last goes on being used:
reserving must not stop with the store, and stale settings beat none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol

from reservesvc.bookings.shelf import Shelf
from reservesvc.domain.project import Project, Resource, unregistered
from reservesvc.errors import UnavailableError

REFRESH_S = 0.4
"""Time between two looks at the store's settings version"""
ENTRIES_MAX = 100_000
"""How many projects, and how many resources, are kept"""


class SettingsStore(Protocol):
    """What is needed of a booking store (`reservesvc.ports.BookingStore`)."""

    async def project(self, project_id: str) -> Project | None:
        """Return the project."""
        ...

    async def resource(self, resource_id: str) -> Resource | None:
        """Return the resource, if it is registered."""
        ...

    async def registered(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return those of the resources that are registered, in no order."""
        ...

    async def settings_version(self) -> int:
        """Return a number that every change to a project or a resource raises."""
        ...


class CachedSettings:
    """`reservesvc.ports.Settings` over a booking store.

    Args:
        store: where the settings are.
        sleep: waits so many seconds.
        entries_max: how many projects, and how many resources, are kept.

    """

    def __init__(
        self,
        store: SettingsStore,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._version: int | None = None
        self._projects = Shelf(store.project, entries_max)
        self._resources = Shelf(self._load_resource, entries_max)

    def project(self, project_id: str) -> Coroutine[Any, Any, Project | None]:
        """Return the project.

        Raises:
            UnavailableError: the store cannot be reached and the project was never read.

        """
        return self._projects.get(project_id)

    def resource(self, resource_id: str) -> Coroutine[Any, Any, Resource]:
        """Return the resource; an unregistered one has capacity 1.

        Raises:
            UnavailableError: the store cannot be reached and the resource was never read.

        """
        return self._resources.get(resource_id)

    def known(self, resource_id: str) -> Resource | None:
        """Return the resource if it is in memory and can serve."""
        return self._resources.at_hand(resource_id)

    def resources(self, resource_ids: Sequence[str]) -> Coroutine[Any, Any, list[Resource]]:
        """Return the resources in this order, as `resource` does, in one read at most.

        Raises:
            UnavailableError: the store cannot be reached and one of them was never read.

        """
        return self._resources.get_many(resource_ids, self._load_resources)

    def forget(self) -> None:
        """Read everything anew from now on, after a change made by this process."""
        self._projects.forget()
        self._resources.forget()

    async def refresh(self) -> None:
        """Ask the store whether settings have changed, and forget them if so.

        Raises:
            UnavailableError: the store cannot be reached.

        """
        version = await self._asked_version()
        if version != self._version:
            self._version = version
            self.forget()

    async def run(self) -> None:
        """Refresh for ever; a store that cannot be reached is asked again."""
        while True:
            with suppress(UnavailableError):
                await self.refresh()
            await self._sleep(REFRESH_S)

    async def _asked_version(self) -> int:
        is_reachable = False
        try:
            version = await self._store.settings_version()
            is_reachable = True
        finally:
            self._projects.is_store_reachable = is_reachable
            self._resources.is_store_reachable = is_reachable
        return version

    async def _load_resource(self, resource_id: str) -> Resource:
        return await self._store.resource(resource_id) or unregistered(resource_id)

    async def _load_resources(self, resource_ids: Sequence[str]) -> list[Resource]:
        found = {each.id: each for each in await self._store.registered(resource_ids)}
        return [found.get(each) or unregistered(each) for each in resource_ids]
