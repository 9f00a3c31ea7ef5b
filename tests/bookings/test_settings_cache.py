"""Projects and resources in memory: fresh within a second, one query a key, stale over none."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from reservesvc.bookings.settings import REFRESH_S, CachedSettings
from reservesvc.domain.project import Project, Resource, unregistered
from reservesvc.errors import UnavailableError
from tests.bookings.builders import project, resource
from tests.bookings.conftest import OpenStore


class FakeStore:
    """Settings in two dicts; counts its loads, and can hold them back or fail."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        self.resources: dict[str, Resource] = {}
        self.version = 1
        self.loads: list[str] = []
        self.is_down = False
        self.held_back: asyncio.Event | None = None

    async def project(self, project_id: str) -> Project | None:
        """Return what stood there when the load began."""
        value = self.projects.get(project_id)
        await self._load(project_id)
        return value

    async def resource(self, resource_id: str) -> Resource | None:
        """Return what stood there when the load began."""
        value = self.resources.get(resource_id)
        await self._load(resource_id)
        return value

    async def registered(self, resource_ids: Sequence[str]) -> list[Resource]:
        """Return what stood there when the load began."""
        found = [self.resources[each] for each in resource_ids if each in self.resources]
        await self._load("+".join(resource_ids))
        return found

    async def settings_version(self) -> int:
        """Return the version."""
        self._check_up()
        return self.version

    async def _load(self, key: str) -> None:
        self.loads.append(key)
        if self.held_back is not None:
            await self.held_back.wait()
        self._check_up()

    def _check_up(self) -> None:
        if self.is_down:
            raise UnavailableError("store", "down")


@pytest.fixture
def fake() -> FakeStore:
    """Make a store with one project and one resource."""
    made = FakeStore()
    made.projects["p"] = project("p")
    made.resources["r"] = resource("r", capacity=5)
    return made


@pytest.fixture
def cached(fake: FakeStore) -> CachedSettings:
    """Put an empty cache in front of the store."""
    return CachedSettings(fake)


async def start(waiting: Awaitable[object]) -> asyncio.Task[object]:
    """Start `waiting` and let it run until it waits for the store."""
    task = asyncio.ensure_future(waiting)
    for _ in range(3):
        await asyncio.sleep(0)
    assert isinstance(task, asyncio.Task)
    return task


async def test_a_setting_is_loaded_once(fake: FakeStore, cached: CachedSettings) -> None:
    """What was read comes from memory from then on."""
    for _ in range(3):
        assert await cached.project("p") == fake.projects["p"]
        assert await cached.resource("r") == fake.resources["r"]
    assert fake.loads == ["p", "r"]


async def test_what_is_not_there_is_remembered(fake: FakeStore, cached: CachedSettings) -> None:
    """A missing project and an unregistered resource cost one query each, too."""
    for _ in range(3):
        assert await cached.project("none") is None
        assert await cached.resource("none") == unregistered("none")
    assert fake.loads == ["none", "none"]


async def test_a_project_and_a_resource_may_share_an_id(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """Kinds are kept apart."""
    fake.resources["p"] = resource("p", capacity=9)
    assert await cached.project("p") == fake.projects["p"]
    assert await cached.resource("p") == fake.resources["p"]


async def test_a_raised_version_makes_settings_read_anew(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """After a change elsewhere, a refresh lets the new settings in."""
    await cached.refresh()
    before = await cached.project("p")
    fake.projects["p"] = project("p", reservation_time=60)
    fake.version += 1
    assert await cached.project("p") == before
    await cached.refresh()
    assert await cached.project("p") == fake.projects["p"]


async def test_an_unchanged_version_keeps_settings(fake: FakeStore, cached: CachedSettings) -> None:
    """A refresh that finds nothing new costs no further loads."""
    await cached.refresh()
    await cached.project("p")
    await cached.refresh()
    await cached.project("p")
    assert fake.loads == ["p"]


async def test_what_was_read_before_the_first_refresh_is_read_anew(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """Without a known version nobody can tell whether a value is fresh."""
    await cached.project("p")
    await cached.refresh()
    await cached.project("p")
    assert fake.loads == ["p", "p"]


async def test_forgetting_makes_settings_read_anew(fake: FakeStore, cached: CachedSettings) -> None:
    """A change by this process holds at once, without a refresh."""
    await cached.project("p")
    await cached.resource("r")
    del fake.projects["p"]
    del fake.resources["r"]
    cached.forget()
    assert await cached.project("p") is None
    assert await cached.resource("r") == unregistered("r")


async def test_callers_at_once_share_one_load(fake: FakeStore, cached: CachedSettings) -> None:
    """A thousand requests for a cold key are one query."""
    answers = await asyncio.gather(*(cached.project("p") for _ in range(1_000)))
    assert answers == [fake.projects["p"]] * 1_000
    assert fake.loads == ["p"]


async def test_a_load_from_before_a_change_is_not_kept(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """A load that began before the change and ended after the clear caches nothing."""
    fake.held_back = asyncio.Event()
    early = await start(cached.project("p"))
    fake.projects["p"] = project("p", reservation_time=60)
    cached.forget()
    fake.held_back.set()
    assert await early == project("p")
    assert await cached.project("p") == fake.projects["p"]


async def test_a_load_from_before_a_change_is_not_shared(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """Who asks after the change gets a load of its own, also while the old one runs."""
    fake.held_back = asyncio.Event()
    early = await start(cached.project("p"))
    fake.projects["p"] = project("p", reservation_time=60)
    cached.forget()
    late = await start(cached.project("p"))
    fake.held_back.set()
    assert await late == fake.projects["p"]
    assert await early == project("p")
    assert await cached.project("p") == fake.projects["p"]
    assert fake.loads == ["p", "p"]


async def test_a_load_from_before_a_change_ends_last(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """An old load that is overtaken by a new one does not put its value back."""
    fake.held_back = release_early = asyncio.Event()
    early = await start(cached.project("p"))
    fake.projects["p"] = project("p", reservation_time=60)
    cached.forget()
    fake.held_back = None
    assert await cached.project("p") == fake.projects["p"]
    release_early.set()
    assert await early == project("p")
    assert await cached.project("p") == fake.projects["p"]
    assert fake.loads == ["p", "p"]


async def test_a_caller_who_gives_up_leaves_the_load_to_others(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """A cancelled request takes the value from nobody."""
    fake.held_back = asyncio.Event()
    first = await start(cached.project("p"))
    second = await start(cached.project("p"))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    fake.held_back.set()
    assert await second == fake.projects["p"]
    assert fake.loads == ["p"]


async def test_a_failed_load_that_nobody_waits_for_is_quiet(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """An error after every caller has gone is not reported as lost."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    fake.held_back = asyncio.Event()
    only = await start(cached.project("p"))
    only.cancel()
    fake.is_down = True
    fake.held_back.set()
    again = await start(asyncio.sleep(0))
    await again
    del only, again
    assert reported == []
    fake.is_down = False
    assert await cached.project("p") == fake.projects["p"]


async def test_a_load_cancelled_at_the_end_is_quiet(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """A server that stops cancels its loads; that is no error to report."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    fake.held_back = asyncio.Event()
    waiting = await start(cached.project("p"))
    for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert reported == []
    fake.held_back = None
    assert await cached.project("p") == fake.projects["p"]


async def test_an_unreachable_store_is_said_so(fake: FakeStore, cached: CachedSettings) -> None:
    """What was never read cannot be guessed; once the store is back it is read."""
    fake.is_down = True
    with pytest.raises(UnavailableError):
        await cached.project("p")
    with pytest.raises(UnavailableError):
        await cached.resource("none")
    fake.is_down = False
    assert await cached.project("p") == fake.projects["p"]


async def test_known_settings_serve_while_the_store_is_down(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """What was known last serves, even where it had just been forgotten."""
    known = await cached.resource("r")
    cached.forget()
    fake.is_down = True
    assert await cached.resource("r") == known
    fake.is_down = False
    fake.resources["r"] = resource("r", capacity=6)
    assert await cached.resource("r") == fake.resources["r"]


async def test_a_full_cache_starts_over(fake: FakeStore) -> None:
    """Made-up ids cannot fill the memory; what is asked for again is read again."""
    cached = CachedSettings(fake, entries_max=3)
    for number in range(10):
        await cached.resource(f"made-up-{number}")
    assert len(cached._resources._entries) <= 3
    assert await cached.resource("r") == fake.resources["r"]


async def test_reading_anew_does_not_empty_a_full_cache(fake: FakeStore) -> None:
    """A key that has a place keeps it, so that the others keep serving while all are reread."""
    cached = CachedSettings(fake, entries_max=2)
    await cached.resource("r")
    await cached.resource("s")
    cached.forget()
    await cached.resource("r")
    fake.is_down = True
    assert await cached.resource("s") == unregistered("s")


async def test_a_store_known_to_be_down_is_not_waited_for(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """After a failed refresh what is known serves at once; a later one lets changes in."""
    known = await cached.resource("r")
    cached.forget()
    fake.is_down = True
    with pytest.raises(UnavailableError):
        await cached.refresh()
    assert await cached.resource("r") == known
    assert fake.loads == ["r"]
    fake.is_down = False
    fake.resources["r"] = resource("r", capacity=6)
    await cached.refresh()
    assert await cached.resource("r") == fake.resources["r"]


async def test_what_need_not_be_waited_for_is_known(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """Nothing before it was read, nor after a change, but for a store that is known to be down."""
    assert cached.known("r") is None
    read = await cached.resource("r")
    assert cached.known("r") == read
    cached.forget()
    assert cached.known("r") is None
    fake.is_down = True
    with pytest.raises(UnavailableError):
        await cached.refresh()
    assert cached.known("r") == read


async def test_a_change_by_this_process_shows_that_the_store_is_back(
    fake: FakeStore, cached: CachedSettings
) -> None:
    """What this process has just changed is read anew, whatever the last refresh found."""
    await cached.resource("r")
    fake.is_down = True
    with pytest.raises(UnavailableError):
        await cached.refresh()
    fake.is_down = False
    fake.resources["r"] = resource("r", capacity=6)
    cached.forget()
    assert await cached.resource("r") == fake.resources["r"]


async def test_running_refreshes_for_ever(fake: FakeStore) -> None:
    """Every 0.4 s the version is asked for; a store that is down does not end that."""
    slept: list[float] = []
    seen: list[int | None] = []

    async def change_while_asleep(duration_s: float) -> None:
        slept.append(duration_s)
        found = await running.project("p")
        seen.append(found.reservation_time if found else -1)
        fake.projects["p"] = project("p", reservation_time=len(slept))
        fake.version += 1
        fake.is_down = len(slept) in (2, 3)
        if len(slept) == 5:
            raise asyncio.CancelledError

    running = CachedSettings(fake, change_while_asleep)
    with pytest.raises(asyncio.CancelledError):
        await running.run()
    assert slept == [REFRESH_S] * 5
    assert seen == [None, 1, 1, 1, 4]


async def test_a_change_on_another_server_holds_after_a_refresh(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Over a real store: what one server changes, the other's cache lets in."""
    cached = CachedSettings(store)
    await cached.refresh()
    assert await cached.resource("room-1") == unregistered("room-1")
    made = await other_store.create_resource(resource("room-1", capacity=4), None)
    assert await cached.resource("room-1") == unregistered("room-1")
    await cached.refresh()
    assert await cached.resource("room-1") == made
    assert REFRESH_S < 0.5


async def test_many_resources_are_one_load(fake: FakeStore) -> None:
    """In the order asked for; only those that are not in memory are read, all at once."""
    settings = CachedSettings(fake)
    fake.resources["s"] = resource("s")
    assert await settings.resource("r") == fake.resources["r"]
    asked = ["x", "r", "s"]
    expected = [unregistered("x"), fake.resources["r"], fake.resources["s"]]
    assert await settings.resources(asked) == expected
    assert await settings.resources(asked) == expected
    assert await settings.resource("x") == unregistered("x")
    assert fake.loads == ["r", "x+s"]
    settings.forget()
    assert await settings.resources(asked) == expected
    assert fake.loads[2:] == ["x+r+s"]


async def test_many_resources_outlive_the_store(fake: FakeStore) -> None:
    """What is known serves while the store is down; one that is not known is an error."""
    settings = CachedSettings(fake)
    known = await settings.resources(["r", "x"])
    settings.forget()
    fake.is_down = True
    assert await settings.resources(["r", "x"]) == known
    with pytest.raises(UnavailableError):
        await settings.resources(["r", "y"])


async def test_many_resources_read_before_a_change_are_not_kept(fake: FakeStore) -> None:
    """What others read after the change stays, also where it can be read no more."""
    settings = CachedSettings(fake)
    held_back = fake.held_back = asyncio.Event()
    reading = asyncio.create_task(settings.resources(["r"]))
    await asyncio.sleep(0)
    fake.held_back = None
    fake.resources["r"] = resource("r", capacity=7)
    settings.forget()
    assert (await settings.resource("r")).capacity == 7
    held_back.set()
    assert (await reading)[0].capacity == 5
    fake.is_down = True
    assert (await settings.resource("r")).capacity == 7
