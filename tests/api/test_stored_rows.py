"""Rows that a newer version, another program or a hand wrote: every list and read answers."""

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from reservesvc.api import render
from reservesvc.api.embed import config
from reservesvc.api.replies import json as as_reply
from reservesvc.bookings.documents import project_of, resource_of
from reservesvc.bookings.postgres import PostgresBookingStore
from reservesvc.bookings.rows import BOOKING_COLUMNS, JSON_FIELDS, booking_of
from reservesvc.bookings.settings import CachedSettings
from reservesvc.domain import times
from reservesvc.domain.booking import Booking
from reservesvc.domain.project import Project, Resource, unregistered
from reservesvc.ports import Stores
from tests.api.client import BOOK, RESERVE, Http, application
from tests.api.conftest import Serve
from tests.builders import ROOM, a_booking, at
from tests.postgres import Databases

Insert = Callable[[str, str, Mapping[str, str]], Awaitable[bool]]
"""copies a row of a table under a new id and with some columns set to expressions of SQL; False
where the schema forbids them"""
LARGEST, SMALLEST = 2**63 - 1, -(2**63)
DEEP = '{"a":' * 995 + "1" + "}" * 995
JSON_TEXTS = (
    *("null", "[]", "{}", "[1]", "[null]", '{"a": 1}', '{"name": null}', '"text"', "7", "1.5"),
    *("true", "123456789012345678901234567890", DEEP, "[" * 300 + "]" * 300),
    *('[{"name": 7}]', '[{"email": []}]', '{"enabled": 1}', '{"max_seats": "x"}'),
    *('{"cancel": 1}', '{"timeout": [], "auto_complete_one_hour_after_booking_ends": 7}'),
)
DOCUMENT_FIELDS = ("name", "timezone", "capacity", "email", "availability_constraints", "meta",
    "slug", "reservation_time", "allow_double_bookings", "availability", "booking", "resources",
    "customer_fields", "ui")  # fmt: skip
DOCUMENT_VALUES: tuple[Any, ...] = (
    *(None, 7, -1, 1.5, "", "text", [], {}, [1], [None], {"a": 1}, {"localization": 1}, True),
    *({"name": 7}, {"mode": 7, "from": [], "output_timezone": "Mars/Olympus"}, {"graph": "new"}),
    [{"effect": "allow", "rule": {"type": "moonlight"}}],
    [{"effect": "allow", "rule": {"type": "hours", "start_min": -(10**9), "end_min": 10**18}}],
    [{"effect": "block", "rule": {"type": "period", "start": "0001-01-01T00:00:00+14:00",
        "end": "9999-12-31T23:59:59-14:00"}}],
)  # fmt: skip


def quoted(text: str) -> str:
    """Return the text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


NUMBERS = (str(LARGEST), str(SMALLEST), "0", "-1", "253402297200000")
TEXTS = ("''", "'text'", "'a:b'", quoted("\u2028\U0010ffff"))
UNTYPED = (
    *NUMBERS,
    *TEXTS,
    "1.5",
    "9e999",
    "'{bad'",
    "x'ff00'",
    "CAST(x'ff41' AS TEXT)",
    "char(0)",
)
"""what SQLite takes in any column"""
JSON_LITERALS = tuple(map(quoted, JSON_TEXTS))
POSTGRES: dict[str, Sequence[str]] = {
    "bigint": NUMBERS,
    "integer": NUMBERS,
    "text": TEXTS,
    "json": JSON_LITERALS,
    "boolean": ("true", "false"),
}
"""by type of the column"""


class Place(NamedTuple):
    """A running server over a store, and the way to its rows past it."""

    http: Http
    stores: Stores
    insert: Insert
    columns: Mapping[str, Sequence[str]]
    """of the table of bookings: which values to try"""

    async def ask(self, path: str) -> Any:
        """Return the data of an answer, which has to be 200."""
        answer = await self.http("GET", path)
        assert answer.status == 200, (path, answer.body)
        return answer.json["data"]

    async def copy(self, table: str, original: str, **values: str) -> str | None:
        """Insert a copy of a row with other values; return its id, None where it is forbidden."""
        row_id = self.stores.ids.uuid()
        own = {
            "bookings": {"reservation_id": quoted(row_id), "blocks": "false"},
            "projects": {"slug": quoted(row_id)},
        }
        changed = own.get(table, {}) | values | {"id": quoted(row_id)}
        return row_id if await self.insert(table, original, changed) else None


def copying(table: str, columns: Sequence[str], changed: Mapping[str, str], original: str) -> str:
    """Return the SQL that inserts a copy of the row `original`."""
    values = ", ".join(changed.get(name, name) for name in columns)
    source = f"SELECT {values} FROM {table} WHERE id = {quoted(original)}"  # noqa: S608
    return f"INSERT INTO {table} ({', '.join(columns)}) {source}"


@pytest.fixture
async def sqlite(service: Http, stores: Stores, tmp_path: Path) -> AsyncIterator[Place]:
    """Serve a SQLite file."""
    connection = sqlite3.connect(tmp_path / "bookings.sqlite3", isolation_level=None)

    async def insert(table: str, original: str, changed: Mapping[str, str]) -> bool:
        rows = connection.execute(f"SELECT name FROM pragma_table_info('{table}')")  # noqa: S608
        try:
            connection.execute(copying(table, [name for (name,) in rows], changed, original))
        except sqlite3.IntegrityError:
            return False
        return True

    columns = {
        name: UNTYPED + (JSON_LITERALS if name in JSON_FIELDS else ("NULL",))
        for name in BOOKING_COLUMNS
        if name not in {"id", "reservation_id"}
    }
    with closing(connection):
        yield Place(service, stores, insert, columns)


@pytest.fixture
async def postgres(serve: Serve, stores: Stores, databases: Databases) -> AsyncIterator[Place]:
    """Serve a PostgreSQL database."""
    async with databases.migrated() as name, AsyncExitStack() as stack:
        bookings = await PostgresBookingStore.open(databases.of(name))
        stack.push_async_callback(bookings.close)
        own = Stores(stores.reservations, bookings, CachedSettings(bookings), stores.ids)
        connection = await asyncpg.connect(databases.of(name))
        stack.push_async_callback(connection.close)

        async def columns_of(table: str) -> dict[str, str]:
            asked = (
                "SELECT column_name, data_type FROM information_schema.columns "
                "WHERE table_name = $1 AND is_identity = 'NO'"
            )
            return {name: kind for name, kind in await connection.fetch(asked, table)}  # noqa: C416

        async def insert(table: str, original: str, changed: Mapping[str, str]) -> bool:
            sql = copying(table, list(await columns_of(table)), changed, original)
            try:
                await connection.execute(sql)
            except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
                return False
            except asyncpg.StatementTooComplexError:  # JSON that is nested too deeply
                return False
            return True

        columns = {
            # Lists are for rows with a time of creation from 1970 on: their indexes are.
            column: NUMBERS[:1] if column == "created_ms" else (*POSTGRES[kind], "NULL")
            for column, kind in (await columns_of("bookings")).items()
            if column in BOOKING_COLUMNS and column not in {"id", "reservation_id"}
        }
        yield Place(await serve(application(own)), own, insert, columns)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """Serve each engine of the booking store."""
    found: Place = request.getfixturevalue(request.param)
    return found


async def booked(place: Place, **fields: Any) -> Booking:
    """Insert a booking past the API."""
    booking = a_booking(**fields)
    snapshot = await place.stores.bookings.snapshot(booking.resource_id, 0)
    await place.stores.bookings.book(booking, snapshot.fence, None)
    return booking


async def test_whatever_a_column_of_a_booking_holds_lists_and_reads_answer(place: Place) -> None:
    """A row for each column and each kind of value: the list has all, and each can be read."""
    original = (await booked(place)).id
    copies = [
        await place.copy("bookings", original, **{column: value})
        for column, values in place.columns.items()
        for value in values
    ]
    made = {booking_id for booking_id in copies if booking_id}
    assert len(made) > 80
    listed = await place.ask("/v2/bookings?limit=1000")
    assert {each["id"] for each in listed} == made | {original}
    for booking_id in made:
        assert (await place.ask(f"/v2/bookings/{booking_id}"))["id"] == booking_id
    assert (await place.http("GET", f"/v2/bookings/reserve?resource_id={ROOM}")).status == 200


@pytest.mark.parametrize("search", ["meta.a:b", "customer.email:ada@example.com"])
async def test_a_search_passes_over_json_of_another_form(place: Place, search: str) -> None:
    """A search for a field inside JSON finds the row that has it, whatever the others hold."""
    column = "meta" if search.startswith("meta") else "customers"
    found = await booked(place, meta={"a": "b"})
    for value in place.columns[column]:
        await place.copy("bookings", found.id, **{column: value})
    assert [each["id"] for each in await place.ask(f"/v2/bookings?search={search}")] == [found.id]


@pytest.mark.parametrize("kind", ["projects", "resources"])
async def test_whatever_a_settings_row_holds_lists_and_reads_answer(
    place: Place, kind: str
) -> None:
    """Documents with any value in any field, and no documents at all."""
    made = await place.http("POST", f"/v2/{kind}", {"name": "Salon"})
    original = made.data["id"]
    whole = {"id": original, "name": "A", "slug": "salon"}
    documents = [
        *("", "{bad", *JSON_TEXTS),
        *(json.dumps(whole | {f: v}) for f in DOCUMENT_FIELDS for v in DOCUMENT_VALUES),
    ]
    copies = [await place.copy(kind, original, document=quoted(each)) for each in documents]
    copies += [await place.copy(kind, original, created_ms=each) for each in NUMBERS]
    assert None not in copies
    assert len(await place.ask(f"/v2/{kind}?limit=1000")) == len(copies) + 1
    for row_id in copies[::3]:
        await place.ask(f"/v2/{kind}/{row_id}")
        if kind == "projects":
            await place.ask(f"/v2/projects/embed/{row_id}")


async def test_a_resource_that_cannot_be_read_fails_no_list_of_others(place: Place) -> None:
    """Its bookings, and the projects that look for slots among it, are shown."""
    made = (await place.http("POST", "/v2/resources", {"name": "A", "capacity": 3})).data
    broken = await place.copy("resources", made["id"], document="'{bad'")
    booking = await booked(place, resource_id=broken)
    body = {"name": "Salon", "resources": [broken]}
    project = (await place.http("POST", "/v2/projects", body)).data
    [shown] = await place.ask("/v2/bookings")
    assert (shown["id"], shown["resource"]["name"]) == (booking.id, broken)
    [shown] = await place.ask(f"/v2/projects/{project['id']}/resources")
    assert (shown["id"], shown["capacity"]) == (broken, 1)
    slot = {"resource_id": broken}
    assert (await place.http("POST", "/v2/bookings", BOOK | slot)).code == "slot_unavailable"


async def test_what_can_be_read_of_a_document_holds(place: Place) -> None:
    """One field of a newer version does not take the others away."""
    made = (await place.http("POST", "/v2/resources", {"name": "A", "capacity": 3})).data
    rules = [{"effect": "allow", "rule": {"type": "moonlight"}}]
    text = {"id": "a", "name": "Hall", "capacity": 7, "availability_constraints": rules}
    row_id = await place.copy("resources", made["id"], document=quoted(json.dumps(text)))
    shown = await place.ask(f"/v2/resources/{row_id}")
    assert (shown["name"], shown["capacity"], shown["availability_constraints"]) == ("Hall", 7, [])


async def test_a_booking_at_the_end_of_the_calendar_is_shown(place: Place) -> None:
    """It completes an hour after its end, which has no date: null, and the slot as it is."""
    end_ms = times.parse("9999-12-31T23:30:00Z") or 0
    booking = await booked(place, start_ms=end_ms - 1_800_000, end_ms=end_ms)
    [found] = await place.ask("/v2/bookings")
    assert (found["id"], found["due_at"]) == (booking.id, None)
    assert found["event"]["end"] == "9999-12-31T23:30:00.000Z"


@pytest.mark.parametrize(("column", "value"), [("graph", "spiral"), ("state", "dreaming")])
async def test_a_booking_of_a_newer_version_is_shown_and_left_alone(
    place: Place, column: str, value: str
) -> None:
    """Its graph or state as it is, no action open, not over: it cannot be deleted or moved."""
    original = await booked(place)
    copy = await place.copy("bookings", original.id, **{column: quoted(value)})
    path = f"/v2/bookings/{copy}"
    [found] = [each for each in await place.ask("/v2/bookings") if each["id"] == copy]
    assert (found[column], found["possible_actions"], found["completed"]) == (value, [], False)
    deleted = await place.http("DELETE", path)
    assert (deleted.status, deleted.code) == (422, "booking_not_final")
    cancelled = await place.http("PUT", f"{path}/cancel")
    assert (cancelled.status, cancelled.code) == (422, "action_not_allowed")
    assert (await place.ask(path))[column] == value


GARBAGE = (
    b"", b"{}", b"null", b"\xff\xfe", b'{"expires_at":"soon"}', b"text", b"[1]",
)  # fmt: skip
MOMENT = times.render(at(0)).encode()
HEAD_ONLY = b'{"expires_at":"%b","created_at":"%b","start":"%b","end":"%b","quantity":1,{{' % (
    (MOMENT,) * 4
)
"""begins as a script writes it: only what comes after is garbage"""


@pytest.mark.parametrize("garbage", [*GARBAGE, HEAD_ONLY])
async def test_a_reservation_key_with_garbage_does_not_fail_the_list(
    service: Http, redis: Redis, garbage: bytes
) -> None:
    """The list has the others; who asks for it by its id is told that there is none."""
    broken = (await service("POST", "/v2/bookings/reserve", RESERVE)).data["id"]
    other = RESERVE | {"start": times.render(at(12)), "end": times.render(at(13))}
    intact = (await service("POST", "/v2/bookings/reserve", other)).data["id"]
    key = f"reservation:{{{ROOM}}}:{broken.rpartition('.')[2]}"
    await redis.set(key, garbage, keepttl=True)
    await _lists_only(service, intact)
    assert (await service("GET", f"/v2/bookings/reserve/{broken}")).status == 410


async def test_a_reservation_key_of_another_type_does_not_fail_the_list(
    service: Http, redis: Redis
) -> None:
    """A list or a set in the place of a document is no reservation."""
    broken = (await service("POST", "/v2/bookings/reserve", RESERVE)).data["id"]
    key = f"reservation:{{{ROOM}}}:{broken.rpartition('.')[2]}"
    await redis.delete(key)
    await redis.sadd(key, "a")
    await _lists_only(service)
    assert (await service("GET", f"/v2/bookings/reserve/{broken}")).status == 410


@pytest.mark.parametrize("member", ["", "x", "x:1:1:1", "b:-5:1:1", "r:1:1", "r::1:1"])
async def test_a_member_of_an_index_that_is_no_entry_does_not_fail_the_list(
    service: Http, redis: Redis, member: str
) -> None:
    """It is passed over."""
    intact = (await service("POST", "/v2/bookings/reserve", RESERVE)).data["id"]
    await redis.zadd(f"slots:{{{ROOM}}}", {member: 5})
    await _lists_only(service, intact)


async def _lists_only(service: Http, *reservation_ids: str) -> None:
    answer = await service("GET", f"/v2/bookings/reserve?resource_id={ROOM}")
    assert answer.status == 200, answer.body
    assert [each["id"] for each in answer.data] == list(reservation_ids)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
COLUMNS = (
    st.none() | st.integers(SMALLEST, LARGEST) | st.floats() | st.text() | st.binary()
    | JSON_VALUES.map(json.dumps)
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(*[COLUMNS] * len(BOOKING_COLUMNS)))
def test_any_row_of_a_booking_can_be_shown(row: tuple[Any, ...]) -> None:
    """Whatever each of its columns holds."""
    shown = render.booking(booking_of(row), unregistered(ROOM))
    assert json.loads(as_reply(shown)._content)["state"] != {}


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[COLUMNS] * 5), st.dictionaries(st.sampled_from(DOCUMENT_FIELDS), JSON_VALUES))
def test_any_row_of_settings_can_be_shown(row: tuple[Any, ...], document: dict[str, Any]) -> None:
    """Whatever its columns hold, and each field of its document."""
    row_id, slug, text, created_ms, updated_ms = row
    for each in (text, json.dumps(document)):
        project: Project = project_of((row_id, slug, each, created_ms, updated_ms))
        resource: Resource = resource_of((row_id, each, created_ms, updated_ms))
        for shown in (render.project(project), config(project), render.resource(resource)):
            assert json.loads(as_reply(shown)._content)
