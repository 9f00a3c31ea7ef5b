"""Lists: which page, the envelope around it, and what bookings can be searched for."""

import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservesvc.api.call import Route
from reservesvc.api.decoding import Errors
from reservesvc.api.routes import ROUTES
from reservesvc.api.search import pairs
from reservesvc.domain.booking import SEARCH_FIELDS, BookingQuery
from reservesvc.domain.slot import ANY_TIME, Span
from reservesvc.domain.times import render
from tests.api import ordinary
from tests.api.client import Http
from tests.api.stubs import BOOKING_ID, PROJECT_ID, Stubs
from tests.builders import DAY, a_booking, at

VALUES = st.text(st.sampled_from('a:;"" \n') | st.characters(blacklist_characters="\0"))
LISTS = (
    "/v2/bookings",
    "/v2/projects",
    "/v2/resources",
    f"/v2/projects/{PROJECT_ID}/resources",
    "/v2/bookings/reserve?resource_id=r",
)


async def asked(http: Http, stubs: Stubs, query: str) -> BookingQuery:
    """Return what the store is asked for."""
    answer = await http("GET", f"/v2/bookings?{query}")
    assert answer.status == 200, answer.body
    [found] = stubs.bookings.called("bookings")
    assert isinstance(found, BookingQuery)
    return found


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"])
async def test_every_list_has_pages(http: Http, route: Route) -> None:
    """Whatever answers a list is among those that the tests here are about."""
    path = ordinary.to(route).path
    answer = await http("GET", path)
    is_list = route.path.startswith("/v2/") and isinstance(answer.data, list)
    assert is_list == (path.partition("?")[0] in {each.partition("?")[0] for each in LISTS})


@pytest.mark.parametrize("path", LISTS)
async def test_links_lead_through_a_list(http: Http, path: str) -> None:
    """Beyond the end the way back keeps whatever was asked."""
    asked = f"{path}{'&' if '?' in path else '?'}limit=7&include=a%2Cb&include=%26&page=3"
    body = (await http("GET", asked)).json
    back = urlsplit(body["prev_page_url"])
    assert (body["per_page"], body["next_page_url"], back.path) == (7, None, urlsplit(path).path)
    kept = parse_qs(urlsplit(asked).query) | {"page": ["1"]}
    assert parse_qs(back.query) == kept


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_tells_where_it_stands(http: Http, path: str) -> None:
    """Every list has the same envelope; 50 a page unless asked otherwise."""
    body = (await http("GET", path)).json
    assert len(body.pop("data")) == 1
    assert body == {
        "total": 1,
        "per_page": 50,
        "current_page": 1,
        "last_page": 1,
        "next_page_url": None,
        "prev_page_url": None,
        "from": 1,
        "to": 1,
    }


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=0", {"limit"}),
        ("limit=1001", {"limit"}),
        ("limit=", {"limit"}),
        ("limit=ten", {"limit"}),
        ("limit=1e1", {"limit"}),
        ("limit=%D9%A1", {"limit"}),
        ("limit=" + "9" * 5000, {"limit"}),
        ("page=0", {"page"}),
        ("page=-1", {"page"}),
        ("page=1000000001", {"page"}),
        ("page=x&limit=x", {"page", "limit"}),
    ],
)
async def test_nonsense_for_a_page_is_a_field_error(
    http: Http, path: str, query: str, fields: set[str]
) -> None:
    """Both are named at once where both are wrong."""
    answer = await http("GET", f"{path}{'&' if '?' in path else '?'}{query}")
    assert (answer.status, answer.code) == (422, "invalid_fields")
    assert set(answer.json["errors"]) == fields


@pytest.mark.parametrize(
    ("page", "count", "following", "preceding", "first", "last"),
    [
        (1, 10, 2, None, 1, 10),
        (2, 10, 3, 1, 11, 20),
        (3, 5, None, 2, 21, 25),
        (4, 0, None, 3, None, None),
        (9, 0, None, 3, None, None),
    ],
)
async def test_neighbouring_pages_are_linked(
    http: Http,
    stubs: Stubs,
    page: int,
    count: int,
    following: int | None,
    preceding: int | None,
    first: int | None,
    last: int | None,
) -> None:
    """25 items of which 10 a page; beyond the end the way back is the last page."""
    stubs.bookings.will("bookings", ([a_booking()] * count, 25))
    body = (await http("GET", f"/v2/bookings?limit=10&page={page}")).json
    links = {"next_page_url": following, "prev_page_url": preceding}
    for name, number in links.items():
        expected = None if number is None else f"/v2/bookings?limit=10&page={number}"
        assert body[name] == expected
    assert (body["from"], body["to"], body["last_page"]) == (first, last, 3)


async def test_links_keep_what_else_was_asked(http: Http, stubs: Stubs) -> None:
    """Following a link asks for the same list."""
    stubs.bookings.will("bookings", ([], 100))
    query = f"search=state:confirmed;meta.a:b%26c&start={DAY}T10:00:00%2B01:00"
    answer = await http("GET", f"/v2/bookings?{query}")
    parts = parse_qs(urlsplit(answer.json["next_page_url"]).query, separator="&")
    assert parts == {
        "search": ["state:confirmed;meta.a:b&c"],
        "start": [f"{DAY}T10:00:00+01:00"],
        "page": ["2"],
    }
    first = await asked(http, stubs, query)
    second = await asked(http, stubs, urlsplit(answer.json["next_page_url"]).query)
    assert (first.search, first.start_ms) == (second.search, second.start_ms)


async def test_the_page_reaches_the_store(http: Http, stubs: Stubs) -> None:
    """Limit and offset follow from limit and page."""
    await http("GET", "/v2/projects?limit=20&page=3")
    await http("GET", "/v2/bookings/reserve?resource_id=r&limit=20&page=3")
    assert stubs.bookings.called("projects") == (20, 40)
    assert stubs.reservations.called("live") == ("r", 20, 40, ANY_TIME)


async def test_the_query_reaches_the_store(http: Http, stubs: Stubs) -> None:
    """Search, times, order and page, as they were asked for."""
    query = await asked(
        http,
        stubs,
        f"search=resource.id:room-1;%20meta.note:a:b;&start={DAY}T01:00:00Z"
        f"&end={DAY}T03:00:00+01:00&orderBy=start&sortedBy=asc&limit=5&page=2",
    )
    assert query == BookingQuery(
        search=(("resource.id", "room-1"), ("meta.note", "a:b")),
        start_ms=at(1),
        end_ms=at(2),
        order_by="start",
        descending=False,
        limit=5,
        offset=5,
    )


@given(field=st.sampled_from(SEARCH_FIELDS), value=VALUES, more=VALUES)
def test_any_value_can_be_searched_for(field: str, value: str, more: str) -> None:
    """What is quoted is read as it was, beside other pairs and with blanks around it."""
    errors: Errors = {}
    text = f" {field} : {quoted(value)} ; ;meta.{quoted(more)}:{quoted(more)};state:paid"
    found = list(pairs(text, errors))
    assert found == [(field, value), (f"meta.{more}", more), ("state", "paid")]
    assert not errors


@given(text=st.text(st.characters(blacklist_characters='\0";')))
def test_a_value_without_semicolons_and_quotes_needs_no_quotes(text: str) -> None:
    """It is read as it is, but for blanks around it."""
    errors: Errors = {}
    assert list(pairs(f"customer.name:{text};", errors)) == [("customer.name", text.strip())]
    assert not errors


@given(text=st.text(st.sampled_from('a:;" .m') | st.characters()))
def test_any_search_is_read_or_refused(text: str) -> None:
    """Nothing that is written leaves a pair of a field that is not there."""
    errors: Errors = {}
    found = list(pairs(text, errors))
    assert all(name in SEARCH_FIELDS or name.startswith("meta.") for name, _ in found)
    assert set(errors) <= {"search"}


def test_reading_a_search_takes_no_longer_than_it_is_long() -> None:
    """The longest of URLs, of pieces that almost fit, is read at once."""
    for piece in (" ", '"', '""', "a", ";", ":", 'state:"', "meta."):
        text = f"state:{piece * (8192 // len(piece))}x"
        began_s = time.perf_counter()
        list(pairs(text, {}))
        list(pairs(f'state:"{text}', {}))
        assert time.perf_counter() - began_s < 1


def quoted(text: str) -> str:
    """Return the text in quotes, as docs/http.md says."""
    return '"' + text.replace('"', '""') + '"'


async def test_all_searches_count(http: Http, stubs: Stubs) -> None:
    """Those of one parameter and those of another, and a semicolon inside quotes."""
    query = await asked(
        http, stubs, "search=state:paid;graph:instant&search=meta.a:%22x;y%22&search="
    )
    assert query.search == (("state", "paid"), ("graph", "instant"), ("meta.a", "x;y"))


async def test_bookings_come_newest_first(http: Http, stubs: Stubs) -> None:
    """Where no order is asked for."""
    query = await asked(http, stubs, "include=attributes,event,user")
    assert query == BookingQuery(order_by="created_at", descending=True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("search=colour:red", "search"),
        ("search=state", "search"),
        ("search=meta.:x", "search"),
        ("search=state:a%00", "search"),
        ("search=state:confirmed;colour:red", "search"),
        ("search=state:confirmed&search=colour:red", "search"),
        ('search=customer.name:"a', "search"),
        ('search=customer.name:"a"b', "search"),
        ('search=customer.name:"a""', "search"),
        ('search=customer.name:"a%00"', "search"),
        ("search=:confirmed", "search"),
        ("start=tomorrow", "start"),
        (f"end={DAY}T10:00:00", "end"),
        ("orderBy=colour", "orderBy"),
        ("sortedBy=up", "sortedBy"),
    ],
)
async def test_what_cannot_be_asked_for_is_a_field_error(
    http: Http, stubs: Stubs, query: str, field: str
) -> None:
    """The answer names what there is."""
    answer = await http("GET", f"/v2/bookings?{query}")
    assert (answer.status, list(answer.json["errors"])) == (422, [field])
    if field == "search":
        assert "customer.email" in answer.json["detail"]
        assert "meta.<key>" in answer.json["detail"]
    assert stubs.bookings.calls == []


@pytest.mark.parametrize(
    ("query", "rule"),
    [("", "is required"), ("?resource_id=", "is required"), ("?resource_id=a%20b", "must be")],
)
async def test_live_reservations_need_a_resource(http: Http, query: str, rule: str) -> None:
    """There is no list of everything: the index is per resource."""
    answer = await http("GET", f"/v2/bookings/reserve{query}")
    assert answer.status == 422
    assert answer.json["errors"]["resource_id"][0].startswith(f"resource_id {rule}")


async def test_live_reservations_can_be_asked_for_by_time(http: Http, stubs: Stubs) -> None:
    """Both bounds reach the store; one that is no time is named beside what else is wrong."""
    query = urlencode({"resource_id": "r", "start": render(at(1)), "end": render(at(2))})
    await http("GET", f"/v2/bookings/reserve?{query}")
    assert stubs.reservations.called("live") == ("r", 50, 0, Span(at(1), at(2)))
    wrong = await http("GET", "/v2/bookings/reserve?start=now&end=1&limit=0")
    assert set(wrong.json["errors"]) == {"resource_id", "start", "end", "limit"}


async def test_a_bookings_id_is_taken_in_any_case(http: Http, stubs: Stubs) -> None:
    """A UUID in capitals is the same one; what is no UUID is not asked for."""
    assert (await http("GET", f"/v2/bookings/{BOOKING_ID.upper()}")).status == 200
    assert stubs.bookings.called("booking") == (BOOKING_ID,)
    for wrong in ("1", BOOKING_ID[:-1], f"{BOOKING_ID}x", "%00"):
        assert (await http("GET", f"/v2/bookings/{wrong}")).status == 404
        assert (await http("PUT", f"/v2/bookings/{wrong}/cancel")).status == 404
    assert len(stubs.bookings.calls) == 1
