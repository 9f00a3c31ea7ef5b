"""What every engine of the booking store must do with projects and resources."""

import asyncio

import msgspec

from reservesvc.domain.constraints import DAY_MIN, Constraint, Hours, Weekends
from reservesvc.domain.outcomes import KeyReused, NotFound, Overtaken
from reservesvc.domain.project import BookingDefaults, Project, Resource
from reservesvc.ports import Idempotency
from tests.bookings.builders import project, resource
from tests.bookings.conftest import OpenStore

EVENINGS = (
    Constraint(effect="allow", rule=Hours(start_min=18 * 60, end_min=DAY_MIN)),
    Constraint(effect="block", rule=Weekends()),
)
KEY = Idempotency("digest", "body")
OTHER_BODY = Idempotency("digest", "other")


async def made_project(store: OpenStore, wanted: Project) -> Project:
    """Create the project, which must be possible."""
    made = await store.create_project(wanted, None)
    assert isinstance(made, Project)
    return made


async def made_resource(store: OpenStore, wanted: Resource) -> Resource:
    """Register the resource, which must be possible."""
    made = await store.create_resource(wanted, None)
    assert isinstance(made, Resource)
    return made


async def test_a_project_reads_back_with_the_stores_times(store: OpenStore) -> None:
    """A project survives the store; its times are the store's, not the caller's."""
    wanted = project(
        "salon",
        reservation_time=45,
        booking=BookingDefaults(graph="instant", what="Cut", where="Here", description="d"),
        allow_double_bookings=True,
        availability={"mode": "mutual", "length": "1 hour"},
        availability_constraints=EVENINGS,
        resources=("room-2", "room-1"),
        customer_fields={"name": {"title": "Your name"}},
        ui={"availability_view": "listing"},
        meta={"a": [1, None], "nul": "\x00"},
        created_ms=1,
        updated_ms=2,
    )
    made = await made_project(store, wanted)
    assert made == await store.project(wanted.id)
    assert made.created_ms == made.updated_ms > 1_700_000_000_000
    assert msgspec.structs.replace(made, created_ms=1, updated_ms=2) == wanted


async def test_a_slug_belongs_to_one_project(store: OpenStore) -> None:
    """A second project with a slug is not made."""
    await made_project(store, project("salon"))
    assert await store.create_project(project("other", slug="salon"), None) is None
    assert await store.project("id-other") is None


async def test_a_project_key_makes_one_project(store: OpenStore) -> None:
    """A repeated key gives the project it made; with another body it is refused."""
    made = await store.create_project(project("salon"), KEY)
    assert await store.create_project(project("again"), KEY) == made
    assert await store.create_project(project("again"), OTHER_BODY) == KeyReused()
    assert (await store.projects(10, 0))[1] == 1


async def test_a_refused_project_pins_no_key(store: OpenStore) -> None:
    """A key whose request was refused can be used for another."""
    await made_project(store, project("salon"))
    assert await store.create_project(project("b", slug="salon"), KEY) is None
    assert isinstance(await store.create_project(project("c"), OTHER_BODY), Project)


async def test_one_key_at_once_makes_one_project(store: OpenStore, other_store: OpenStore) -> None:
    """The same request on two servers at once: one project, the same answer."""
    answers = await asyncio.gather(
        *(
            (store, other_store)[number % 2].create_project(project(f"p{number}"), KEY)
            for number in range(6)
        )
    )
    assert isinstance(answers[0], Project)
    assert all(answer == answers[0] for answer in answers)
    assert (await store.projects(10, 0))[1] == 1


async def test_an_update_replaces_all_but_the_creation(store: OpenStore) -> None:
    """The updated project is the given one, created when it was."""
    made = await made_project(store, project("salon", reservation_time=45, meta={"a": 1}))
    wanted = Project(id=made.id, name="Barber", slug="barber")
    updated = await store.update_project(wanted)
    assert isinstance(updated, Project)
    assert updated == await store.project(made.id)
    assert updated.created_ms == made.created_ms <= updated.updated_ms
    assert msgspec.structs.replace(updated, created_ms=0, updated_ms=0) == wanted


async def test_an_update_keeps_slugs_apart(store: OpenStore) -> None:
    """A project may keep its slug but not take another's."""
    made = await made_project(store, project("salon"))
    await made_project(store, project("barber"))
    assert await store.update_project(msgspec.structs.replace(made, slug="barber")) is None
    assert await store.project(made.id) == made
    assert isinstance(await store.update_project(made), Project)


async def test_an_update_is_not_laid_over_another(store: OpenStore) -> None:
    """What is not as it was seen is left as it is, and raises no version."""
    made = await made_project(store, project("salon"))
    room = await made_resource(store, resource("room-1"))
    renamed = await store.update_project(msgspec.structs.replace(made, name="Barber"), made)
    larger = await store.update_resource(msgspec.structs.replace(room, capacity=2), room)
    before = await store.settings_version()
    assert await store.update_project(made, made) == Overtaken()
    assert await store.update_resource(room, room) == Overtaken()
    assert await store.project(made.id) == renamed
    assert await store.resource("room-1") == larger
    assert await store.settings_version() == before


async def test_a_project_is_found_by_its_slug(store: OpenStore) -> None:
    """By the slug it has now, letter by letter."""
    made = await made_project(store, project("salon"))
    assert await store.project_by_slug("salon") == made
    await store.update_project(msgspec.structs.replace(made, slug="barber"))
    assert await store.project_by_slug("salon") is None
    for slug in ("Barber", "barbe%", "barber\x00", ""):
        assert await store.project_by_slug(slug) is None


async def test_many_resources_are_found_at_once(store: OpenStore) -> None:
    """Those that are registered, each once; as many as a project can have."""
    rooms = [await made_resource(store, resource(f"room-{number}")) for number in range(3)]
    asked = ["room-2", "nobody", "room-0", "room-2", *(f"r{number}" for number in range(1_000))]
    found = await store.registered(asked)
    assert sorted(found, key=lambda one: one.id) == [rooms[0], rooms[2]]
    assert await store.registered([]) == []


async def test_what_is_not_there_cannot_be_updated(store: OpenStore) -> None:
    """Updating nothing says so, before any slug is looked at."""
    await made_project(store, project("salon"))
    answer = await store.update_project(project("gone", slug="salon"))
    assert answer == NotFound(model="Project", id="id-gone")
    answered = await store.update_resource(resource("gone"))
    assert answered == NotFound(model="Resource", id="gone")
    assert await store.resource("gone") is None


async def test_a_deleted_project_is_gone(store: OpenStore) -> None:
    """Deleting tells whether there was something; slug and key are free again."""
    await store.create_project(project("salon"), KEY)
    assert await store.delete_project("id-salon") is True
    assert await store.delete_project("id-salon") is False
    assert await store.project("id-salon") is None
    again = await store.create_project(project("new", slug="salon"), OTHER_BODY)
    assert isinstance(again, Project)
    assert again.id == "id-new"


async def test_projects_are_listed_by_creation(store: OpenStore) -> None:
    """Pages follow the creation, whatever was updated since; the total is on each."""
    made = [await made_project(store, project(f"p{number}")) for number in range(5)]
    await store.update_project(made[0])
    listed = [one.id for offset in (0, 2, 4) for one in (await store.projects(2, offset))[0]]
    assert listed == [one.id for one in made]
    assert await store.projects(2, 10**30) == ([], 5)


async def test_a_resource_reads_back_with_the_stores_times(store: OpenStore) -> None:
    """A resource survives the store; its times are the store's."""
    wanted = resource(
        "room-1",
        timezone="Europe/Berlin",
        capacity=7,
        email="a@example.org",
        availability_constraints=EVENINGS,
        meta={"k": [1]},
    )
    made = await made_resource(store, wanted)
    assert made == await store.resource("room-1")
    assert made.created_ms == made.updated_ms > 1_700_000_000_000
    assert msgspec.structs.replace(made, created_ms=0, updated_ms=0) == wanted


async def test_a_resource_id_is_registered_once(store: OpenStore) -> None:
    """A second registration of an id is refused and changes nothing."""
    made = await made_resource(store, resource("room-1", capacity=2))
    assert await store.create_resource(resource("room-1", capacity=9), None) is None
    assert await store.create_resource(resource("room-1", capacity=9), KEY) is None
    assert await store.resource("room-1") == made


async def test_a_resource_key_registers_one_resource(store: OpenStore) -> None:
    """A repeated key gives the resource it made; with another body it is refused."""
    made = await store.create_resource(resource("room-1"), KEY)
    assert await store.create_resource(resource("room-2"), KEY) == made
    assert await store.create_resource(resource("room-2"), OTHER_BODY) == KeyReused()
    assert await store.resource("room-2") is None


async def test_a_resource_is_updated(store: OpenStore) -> None:
    """The updated resource is the given one, created when it was."""
    made = await made_resource(store, resource("room-1", capacity=2, meta={"a": 1}))
    updated = await store.update_resource(Resource(id="room-1", name="Room", capacity=3))
    assert isinstance(updated, Resource)
    assert updated == await store.resource("room-1")
    assert (updated.name, updated.capacity, updated.meta) == ("Room", 3, {})
    assert updated.created_ms == made.created_ms <= updated.updated_ms


async def test_a_deleted_resource_is_gone(store: OpenStore) -> None:
    """Unregistering tells whether it was registered; id and key are free again."""
    await store.create_resource(resource("room-1"), KEY)
    assert await store.delete_resource("room-1") is True
    assert await store.delete_resource("room-1") is False
    assert await store.resource("room-1") is None
    assert isinstance(await store.create_resource(resource("room-1"), OTHER_BODY), Resource)


async def test_resources_are_listed_by_id(store: OpenStore) -> None:
    """Pages follow the id, whatever the order of registration."""
    for number in (3, 1, 2, 5, 4):
        await made_resource(store, resource(f"room-{number}"))
    listed = [one.id for offset in (0, 2, 4) for one in (await store.resources(2, offset))[0]]
    assert listed == [f"room-{number}" for number in range(1, 6)]
    assert await store.resources(2, 10**30) == ([], 5)


async def test_every_change_raises_the_settings_version(
    store: OpenStore, other_store: OpenStore
) -> None:
    """Each of the six changes is seen by another server as a higher number."""
    seen = [await other_store.settings_version()]

    async def is_raised() -> bool:
        seen.append(await other_store.settings_version())
        return seen[-1] > seen[-2]

    await store.create_project(project("salon"), None)
    assert await is_raised()
    await store.update_project(project("salon", meta={"a": 1}))
    assert await is_raised()
    await store.delete_project("id-salon")
    assert await is_raised()
    await store.create_resource(resource("room-1"), None)
    assert await is_raised()
    await store.update_resource(resource("room-1", capacity=2))
    assert await is_raised()
    await store.delete_resource("room-1")
    assert await is_raised()


async def test_what_changes_nothing_leaves_the_settings_version(store: OpenStore) -> None:
    """Refusals, repeats and misses raise no version: nobody has to read anew."""
    await store.create_project(project("salon"), KEY)
    await store.create_resource(resource("room-1"), None)
    before = await store.settings_version()
    await store.create_project(project("again"), KEY)
    await store.create_project(project("other", slug="salon"), None)
    await store.update_project(project("gone"))
    await store.delete_project("gone")
    await store.create_resource(resource("room-1"), None)
    await store.update_resource(resource("gone"))
    await store.delete_resource("gone")
    assert await store.settings_version() == before


async def test_a_fresh_store_can_be_pinged(store: OpenStore) -> None:
    """A store that works says so by raising nothing, and stays empty."""
    await store.ping()
    assert await store.projects(1, 0) == ([], 0)
