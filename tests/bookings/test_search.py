"""What every engine of the booking store must do with lists of bookings."""

from itertools import pairwise

import pytest

from reservesvc.domain.booking import ORDER_FIELDS, SEARCH_FIELDS, Booking, BookingQuery
from tests.bookings.builders import MINUTE_MS, NOON_MS, at
from tests.bookings.conftest import OpenStore

INJECTIONS = (
    "' OR '1'='1",
    "x' OR 1=1 --",
    '" OR ""="',
    "%",
    "_",
    "*",
    "'); DROP TABLE bookings; --",
    "$.a' OR '1'='1",
    "?",
    ":id",
    "\x00",
)


@pytest.fixture
async def ada(store: OpenStore) -> Booking:
    """Book for Ada and a friend; confirmed, in a project, with meta of every type."""
    booked = at(
        0,
        10,
        project_id="project-1",
        customers=[
            {"name": "Ada", "email": "ada@example.org"},
            {"name": "Grace", "email": "grace@example.org"},
        ],
        meta={
            "color": "red",
            "count": 5,
            "share": 2.5,
            "paid": True,
            "late": False,
            "none": None,
            "list": ["red"],
            'od"d.k[e]y$': "here",
            "": "nameless",
            "ключ": "значение",
        },
    )
    await store.book(booked, 0, None)
    return booked


@pytest.fixture
async def bob(store: OpenStore) -> Booking:
    """Book another room for Bob, in no project; cancelled."""
    booked = at(
        0,
        10,
        resource_id="room-2",
        state="cancelled",
        customers=[{"name": "Bob", "email": "bob@example.org"}],
        meta={"color": "blue"},
    )
    await store.book(booked, 0, None)
    return booked


async def found(store: OpenStore, *search: tuple[str, str]) -> list[str]:
    """Return the ids of the bookings that match, after checking the count."""
    listed, total = await store.bookings(BookingQuery(search=search))
    assert total == len(listed)
    return [one.id for one in listed]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resource.id", "room-1"),
        ("project.id", "project-1"),
        ("state", "confirmed"),
        ("customer.email", "ada@example.org"),
        ("customer.email", "grace@example.org"),
        ("customer.email", "Ada@EXAMPLE.org"),
        ("customer.name", "Grace"),
        ("meta.color", "red"),
        ("meta.count", "5"),
        ("meta.share", "2.5"),
        ("meta.paid", "true"),
        ("meta.late", "false"),
        ('meta.od"d.k[e]y$', "here"),
        ("meta.", "nameless"),
        ("meta.ключ", "значение"),
    ],
)
async def test_a_field_finds_its_bookings(
    store: OpenStore, ada: Booking, bob: Booking, field: str, value: str
) -> None:
    """Each field finds the bookings that have the value, any of the customers counting."""
    assert bob.id != ada.id
    assert await found(store, (field, value)) == [ada.id]


async def test_the_reservation_is_a_field(store: OpenStore, ada: Booking, bob: Booking) -> None:
    """The reservation that became a booking finds it, and nothing else does."""
    for booking in (ada, bob):
        assert await found(store, ("reservation_id", booking.reservation_id)) == [booking.id]
    assert await found(store, ("reservation_id", ada.reservation_id.upper() + "x")) == []


@pytest.mark.parametrize(
    ("stored", "asked", "is_found"),
    [
        ("Ada.L@Example.COM", "aDA.l@eXAMPLE.com", True),
        ("AZ[\\]^_`{|}~az@x", "az[\\]^_`{|}~AZ@X", True),
        ("a@x", "a@x ", False),
        ("a@x", "%@x", False),
        ("a[@x", "a{@x", False),
        ("ÄRGER@x", "Ärger@X", True),
        ("Ärger@x", "Ärger@X", True),
        ("ärger@x", "Ärger@x", False),
        ("\u212a@x", "k@x", False),
    ],
)
async def test_an_email_is_found_whatever_the_case(
    store: OpenStore, stored: str, asked: str, *, is_found: bool
) -> None:
    """Of the letters A to Z, on every engine; other letters are compared as they are."""
    booking = at(0, 10, customers=[{"name": "A", "email": stored}])
    await store.book(booking, 0, None)
    assert await found(store, ("customer.email", asked)) == ([booking.id] if is_found else [])


async def test_the_graph_is_a_field(store: OpenStore, ada: Booking, bob: Booking) -> None:
    """The graph finds every booking that has it, and none of another."""
    assert set(await found(store, ("graph", "instant"))) == {ada.id, bob.id}
    assert await found(store, ("graph", "other")) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "confirme"),
        ("customer.email", "ADA@example.org "),
        ("meta.none", "null"),
        ("meta.list", '["red"]'),
        ("meta.list", "red"),
        ("meta.paid", "1"),
        ("meta.absent", ""),
        ("meta.color", "blue"),
    ],
)
async def test_only_equal_values_match(
    store: OpenStore, ada: Booking, field: str, value: str
) -> None:
    """Parts of a value, nulls, lists and other fields' values match nothing."""
    assert ada.id not in await found(store, (field, value))


async def test_every_pair_must_match(store: OpenStore, ada: Booking, bob: Booking) -> None:
    """Pairs narrow the search; a field may come twice."""
    assert await found(store, ("graph", "instant"), ("resource.id", "room-2")) == [bob.id]
    both = ("customer.name", "Ada"), ("customer.name", "Grace")
    assert await found(store, *both) == [ada.id]
    assert await found(store, ("customer.name", "Ada"), ("customer.name", "Bob")) == []


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("field", [*SEARCH_FIELDS, "meta.color"])
async def test_values_are_values(store: OpenStore, ada: Booking, field: str, text: str) -> None:
    """No value is taken for SQL or a pattern."""
    assert await found(store, (field, text)) == []
    assert await store.booking(ada.id) == ada


@pytest.mark.parametrize("text", INJECTIONS)
async def test_keys_are_values(store: OpenStore, ada: Booking, text: str) -> None:
    """No key of `meta` is taken for SQL or a path."""
    assert await found(store, (f"meta.{text}", "red")) == []
    assert await store.booking(ada.id) == ada


@pytest.mark.parametrize(
    "field", ["", "id", "1=1) --", "customer.phone", "metacolor", "META.color"]
)
async def test_an_unknown_field_is_an_error(store: OpenStore, field: str) -> None:
    """What is no field reaches no SQL."""
    with pytest.raises(LookupError):
        await store.bookings(BookingQuery(search=((field, "x"),)))


@pytest.mark.parametrize("order", ["", "id", "start_ms", "start; DROP TABLE bookings"])
async def test_an_unknown_order_is_an_error(store: OpenStore, order: str) -> None:
    """What is no order reaches no SQL."""
    with pytest.raises(LookupError):
        await store.bookings(BookingQuery(order_by=order))


async def test_an_interval_selects_what_overlaps_it(store: OpenStore) -> None:
    """`start_ms` and `end_ms` select what shares an instant with the time between them."""
    before, across, inside, after = at(0, 10), at(10, 30), at(30, 40), at(50, 60)
    for one in (before, across, inside, after):
        await store.book(one, 0, None)

    async def between(start_min: int | None, end_min: int | None) -> list[str]:
        start_ms, end_ms = (
            None if minute is None else NOON_MS + minute * MINUTE_MS
            for minute in (start_min, end_min)
        )
        query = BookingQuery(start_ms=start_ms, end_ms=end_ms, order_by="start", descending=False)
        return [one.id for one in (await store.bookings(query))[0]]

    assert await between(10, 50) == [across.id, inside.id]
    assert await between(30, None) == [inside.id, after.id]
    assert await between(None, 10) == [before.id]
    assert await between(40, 50) == []


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("order", ORDER_FIELDS)
async def test_orders_go_both_ways(store: OpenStore, order: str, descending: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Each order sorts by its own time; the id decides between equal ones."""
    times = {"created_at": "created_ms", "updated_at": "updated_ms", "start": "start_ms"}
    shuffled = (
        at(30, 40, created_ms=2, updated_ms=7),
        at(0, 10, created_ms=2, updated_ms=9),
        at(60, 61, created_ms=1, updated_ms=9),
    )
    for one in shuffled:
        await store.book(one, 0, None)
    listed, _ = await store.bookings(BookingQuery(order_by=order, descending=descending))
    keys = [(getattr(one, times.get(order, "end_ms")), one.id) for one in listed]
    assert keys == sorted(keys, reverse=descending)
    assert len(keys) == 3


async def test_pages_cover_everything_once(store: OpenStore) -> None:
    """Pages of any size, laid end to end, are the whole list; the total is the same on each."""
    for number in range(10):
        await store.book(at(number, number + 1, created_ms=number // 4), 0, None)
    whole, total = await store.bookings(BookingQuery())
    assert (len(whole), total) == (10, 10)
    for limit in (1, 3, 4, 10):
        pages = [
            await store.bookings(BookingQuery(limit=limit, offset=offset))
            for offset in range(0, 10, limit)
        ]
        assert [one for page, _ in pages for one in page] == whole
        assert {count for _, count in pages} == {10}


async def test_the_newest_comes_first_unless_asked(store: OpenStore) -> None:
    """A query that says nothing lists by creation, the newest first."""
    for number in range(3):
        await store.book(at(number, number + 1, created_ms=number), 0, None)
    listed, _ = await store.bookings(BookingQuery())
    assert all(newer.created_ms > older.created_ms for newer, older in pairwise(listed))


@pytest.mark.parametrize("offset", [1, 2**63 - 1, 2**63, 10**40])
async def test_a_page_beyond_the_end_is_empty(store: OpenStore, ada: Booking, offset: int) -> None:
    """However far out the page, the total is told."""
    assert await store.bookings(BookingQuery(offset=offset)) == ([], 1)
    assert await store.booking(ada.id) == ada
